"""The functions for use from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import netdraft
from compiler import api
from netdraft import (
    CompileError,
    build_module,
    check,
    emit_source,
    graph_of,
    load,
    optimize,
    render,
    show,
    summary,
)

TINY = (
    "network: tiny\ninput: {image: [3, 8, 8]}\n"
    "blocks: {b: {title: B, layers: [{conv: 3x3, filters: 4}]}}\n"
    "layers: [{block: b, name: stem}, global_avg_pool, {linear: 2, name: logits}, softmax]\n"
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def test_a_spec_by_file_name_or_graph(tiny: Path) -> None:
    graph = load(tiny)
    assert load(graph) is graph
    assert summary(graph).parameters == summary(tiny).parameters == 4 * 27 + 4 + 2 * 4 + 2
    assert summary("inception_v4").parameters == 42679816


def test_a_module_carries_the_spec_that_it_was_built_from(tiny: Path) -> None:
    import torch

    module = build_module(tiny)
    assert graph_of(module).digest == load(tiny).digest
    assert module(torch.zeros(2, 3, 8, 8)).shape == (2, 2)
    assert "class B(nn.Module)" in emit_source(graph_of(module))


def test_an_optimized_module_computes_the_same(tiny: Path) -> None:
    import torch

    module = build_module(tiny).eval()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    fast = optimize(module).for_inference(target="eager")
    torch.testing.assert_close(fast(x), module(x).detach())
    trained = optimize(module).for_training()
    assert trained.training
    assert trained.state_dict().keys() == module.state_dict().keys()


def test_a_figure_is_the_contents_of_a_file(tiny: Path) -> None:
    assert render(tiny).startswith(b"<svg") or b"<svg" in render(tiny)[:200]
    assert render(tiny, "png", block="b").startswith(b"\x89PNG")


def test_check_returns_what_load_raises(tiny: Path) -> None:
    tiny.write_text(TINY.replace("linear", "linar"), encoding="utf-8")
    found = check(tiny)
    assert [d.code for d in found] == ["unknown-op"]
    with pytest.raises(CompileError) as caught:
        load(tiny)
    assert caught.value.diagnostics == found


def test_every_public_name_is_there_and_documented() -> None:
    assert set(netdraft.__all__) == {*api.__all__, "__version__"}
    for name in netdraft.__all__:
        assert getattr(netdraft, name).__doc__, name


def test_a_notebook_shows_a_network_and_a_block(tiny: Path) -> None:
    network, block = show(tiny), show(tiny, block="b")
    assert network._repr_svg_() == render(tiny).decode()
    assert block._repr_svg_() == render(tiny, block="b").decode()
    html = block._repr_html_()
    assert html.startswith('<img alt="b" src="data:image/svg+xml;base64,')
    assert "<script" not in html


@pytest.mark.parametrize(
    ("given", "what"),
    [({"weights_from": "nowhere"}, "weights_from"), ({"partial": True}, "partial")],
)
@pytest.mark.parametrize("make", [netdraft.build_module, netdraft.features])
def test_how_a_file_is_loaded_wants_the_file(make: Any, given: dict[str, Any], what: str) -> None:
    with pytest.raises(netdraft.NetdraftError) as caught:
        make("zoo/resnet18", **given)
    assert str(caught.value) == f"`{what}` says how a file is loaded: name the file with `weights`"
