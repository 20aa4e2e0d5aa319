"""On inputs of other sizes than the spec declares, what is optimised gives what the module does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backends.run.optimized import optimize
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.ops import Conv2d
from compiler.pipeline import load_graph, target_graph
from tests.every_target.targets import tensors
from tests.oracle.small_graphs import random_state
from tests.oracle.ways import fit_state, module_from

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


MANY_SIBLINGS = """
  - {conv: 3x3, filters: 4, stride: 2, from: image, name: a}
  - {conv: 3x3, filters: 4, stride: 2, padding: [[0, 1], [0, 1]], from: image, name: b}
  - {conv: 3x3, filters: 4, stride: 2, from: image, name: c}
  - {conv: 3x3, filters: 4, from: image, name: d}
  - {conv: 3x3, filters: 4, padding: 1, from: image, name: e}
outputs: [a, b, c, d, e]
"""
STEPS = ((0, 0), (1, 2), (2, 1), (3, 3), (-1, 4), (8, -2), (16, 32), (-3, -3))
"""Height and width beyond those that are declared."""


def odd_networks() -> list[Path]:
    return sorted((Path(__file__).parents[1] / "every_target" / "networks").glob("*.yaml"))


def results(module: nn.Module, inputs: list[torch.Tensor]) -> list[torch.Tensor] | None:
    """Return what leaves a module, None where it does not fit its inputs."""
    try:
        with torch.no_grad():
            return tensors(module(*inputs))
    except (RuntimeError, ValueError):
        return None


def compare_at_other_sizes(graph: Graph) -> tuple[int, Graph]:
    """Return at how many sizes the module runs; there its optimised source gives the same."""
    state = random_state(graph)
    module = build_module(graph).eval()
    fit_state(module, state)
    optimized = optimize(module)
    source = module_from(emit_source(optimized.graph)).eval()
    source.load_state_dict(dict(optimized.state), strict=False)
    runs = 0
    for tall, wide in STEPS:
        shapes = [graph.nodes[name].shape.numbers for name in graph.inputs]
        grids = [(s[0], s[1] + tall, s[2] + wide) if len(s) == 3 else s for s in shapes]
        inputs = [torch.randn(2, *grid) for grid in grids]
        want, have = results(module, inputs), results(source, inputs)
        assert (want is None) == (have is None)
        runs += want is not None
        torch.testing.assert_close(have, want, atol=1e-5, rtol=1e-4)
    return runs, optimized.graph


@pytest.mark.parametrize("path", odd_networks(), ids=lambda path: path.stem)
def test_optimised_source_of_odd_networks(path: Path) -> None:
    sizes = ["3x8x12"] if path.stem == "open_sizes" else []
    assert compare_at_other_sizes(target_graph(load_graph(path, {}, sizes)))[0] > 0


def test_siblings_are_merged_where_they_are_alike_at_every_size(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(f"network: t\ninput: {{image: [3, 8, 8]}}\nlayers: {MANY_SIBLINGS}")
    runs, graph = compare_at_other_sizes(load_graph(spec))
    assert runs == len(STEPS)
    convolutions = [node.op for node in graph.nodes.values() if isinstance(node.op, Conv2d)]
    assert [op.out_channels for op in convolutions] == [8, 4, 8]
