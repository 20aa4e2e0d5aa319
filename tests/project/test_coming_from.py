"""The pages for people who come from elsewhere: what they say of their specs is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.torch.module import build_module
from compiler.graph import Graph, number
from compiler.pipeline import load_graph

FROM = Path(__file__).resolve().parents[2] / "docs" / "from"


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language on a page."""
    text = (FROM / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def graph_of(page: str, tmp_path: Path) -> Graph:
    path = tmp_path / "spec.yaml"
    path.write_text(blocks(page, "yaml")[-1], encoding="utf-8")
    return load_graph(path)


@pytest.mark.parametrize(
    ("page", "said"), [("torchvision", "78,042"), ("keras", "3,594"), ("ultralytics", "61,457")]
)
def test_a_page_says_the_parameters_of_its_spec(page: str, said: str, tmp_path: Path) -> None:
    assert f"{number(graph_of(page, tmp_path).parameters()):,}" == said
    assert said in (FROM / f"{page}.md").read_text(encoding="utf-8")


def test_the_code_of_torchvisions_style_is_the_spec(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(blocks("torchvision", "python")[0], names)
    torch.manual_seed(0)
    theirs, ours = names["SmallResNet"](), build_module(graph_of("torchvision", tmp_path))
    state = list(theirs.state_dict().values())
    for value in state:
        if value.is_floating_point():
            value.uniform_(0.1, 1.0)
    with torch.no_grad():
        for mine, other in zip(ours.state_dict().values(), state, strict=True):
            assert mine.shape == other.shape
            mine.copy_(other)
        image = torch.randn(2, 3, 32, 32, dtype=torch.float64)
        a, b = (m.double().eval()(image) for m in (ours, theirs))
    assert float((a - b).abs().max() / b.abs().max()) < 1e-12
