"""`for_inference` on inputs of other sizes than the spec declares: what the module computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backends.run.optimized import optimize
from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.pipeline import load_graph

SAME = "[{conv: 3x3, filters: 4, stride: 2}, {max_pool: 2x2, stride: 2}, {conv: 3x3, filters: 4}]"
SIBLINGS = """
  - branches:
      one: [{conv: 3x3, filters: 4, stride: 2}]
      two: [{conv: 3x3, filters: 4, stride: 2, padding: [[0, 1], [0, 1]]}]
    join: concat
"""
"""At an even size both are padded alike, and merged; at an odd one they do not even fit."""


def module_of(folder: Path, size: str, layers: str) -> nn.Module:
    (folder / "t.yaml").write_text(f"network: t\ninput: {{image: [{size}]}}\nlayers: {layers}\n")
    return build_module(load_graph(folder / "t.yaml")).eval()


@pytest.mark.parametrize("target", ["plain", "eager"])
@pytest.mark.parametrize("declared", ["3, 8, 8", "3, H, W"], ids=["declared", "open"])
def test_padding_is_that_of_the_input_at_hand(tmp_path: Path, declared: str, target: str) -> None:
    module = module_of(tmp_path, declared, SAME)
    run = optimize(module).for_inference("cpu", target=target)
    for height, width in ((8, 8), (9, 8), (11, 13)):
        image = torch.randn(2, 3, height, width)
        torch.testing.assert_close(run(image), module(image).detach(), atol=1e-5, rtol=1e-4)


def test_what_is_merged_at_one_size_is_not_at_another(tmp_path: Path) -> None:
    module = module_of(tmp_path, "3, 8, 8", SIBLINGS)
    run = optimize(module).for_inference("cpu", target="eager")
    image = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(run(image), module(image).detach(), atol=1e-5, rtol=1e-4)
    with pytest.raises(BackendError, match=r"`concat` does not fit inputs of image 7x7x3: "):
        run(torch.randn(1, 3, 7, 7))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 8, 8), "`image` takes (N, 3, 8, 8), not (N, 4, 8, 8)"),
        ((3, 8), "`image` takes (N, 3, 8, 8), not (N, 3, 8)"),
        ((3, 9, 8), "`linear` does not fit inputs of image 9x8x3: it takes 128 channels, not 144"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, shape: tuple[int, ...], message: str) -> None:
    module = module_of(tmp_path, "3, 8, 8", "[{conv: 3x3, filters: 2}, flatten, {linear: 2}]")
    with pytest.raises(BackendError) as found:
        optimize(module).for_inference("cpu", target="eager")(torch.randn(1, *shape))
    assert str(found.value) == message
