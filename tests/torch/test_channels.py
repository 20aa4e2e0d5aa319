"""What picks and moves channels computes what PyTorch does, and is said over them in source."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from tests.oracle.ways import module_from

IMAGE = torch.randn(2, 12, 6, 9)

LAYERS = {
    "{slice: [0, 5]}": IMAGE[:, 0:5],
    "{slice: [-5, 12]}": IMAGE[:, -5:12],
    "{slice: [2, -1]}": IMAGE[:, 2:-1],
    "{slice: [n, in.channels // 2 + n]}": IMAGE[:, 3:9],
    "{slice: [-n, in.channels]}": IMAGE[:, -3:],
    "{chunk: 3, index: 1}": IMAGE.chunk(3, dim=1)[1],
    "{chunk: n, index: n - 1}": IMAGE.chunk(3, dim=1)[2],
    "{channel_shuffle: 3}": F.channel_shuffle(IMAGE, 3),
    "{channel_shuffle: n + 1}": F.channel_shuffle(IMAGE, 4),
    "{pixel_unshuffle: 3}": F.pixel_unshuffle(IMAGE, 3),
}


def load(folder: Path, layers: str, size: str = "6, 9") -> Path:
    spec = folder / "t.yaml"
    spec.write_text(
        f"network: t\ninput: {{x: [12, {size}]}}\nparams: {{n: 3}}\nlayers:\n  - {layers}\n"
    )
    return spec


def shape_of(graph: Graph) -> str:
    return str(graph.nodes[graph.outputs[0].node].shape)


@pytest.mark.parametrize("layer", LAYERS)
def test_layer(tmp_path: Path, layer: str) -> None:
    graph = load_graph(load(tmp_path, layer))
    for module in (build_module(graph), module_from(emit_source(graph))):
        torch.testing.assert_close(module(IMAGE), LAYERS[layer])


def test_unshuffle_undoes_the_shuffle(tmp_path: Path) -> None:
    graph = load_graph(load(tmp_path, "{pixel_shuffle: 2}\n  - {pixel_unshuffle: 2}"))
    assert torch.equal(build_module(graph)(IMAGE), IMAGE)


BLOCK = """\
network: t
input: {x: [12, 6, 9]}
blocks:
  b:
    params: {n: {type: channels}, m: {type: channels}}
    layers:
      - {conv: 1x1, filters: n}
      - {chunk: 2, index: 1}
      - {conv: 1x1, filters: n, name: next}
      - {channel_shuffle: 2}
      - {slice: [m, -1]}
      - {conv: 1x1, filters: m, name: last}
layers:
  - {block: b, name: first, with: {n: 8, m: 2}}
  - {block: b, name: second, with: {n: 10, m: 3}}
"""


def test_one_class_for_every_width(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(BLOCK)
    source = emit_source(load_graph(spec))
    assert "self.next = nn.Conv2d(n // 2, n, 1)" in source
    assert "self.slice = Slice(m, n - 1)" in source
    assert "self.first = B(in_channels, n=8, m=2)" in source
    assert "self.second = B(2, n=10, m=3)" in source


def test_open_sizes_that_are_multiples(tmp_path: Path) -> None:
    graph = load_graph(load(tmp_path, "{pixel_unshuffle: 3}", "3*H, 6*W"))
    assert shape_of(graph) == "(N, 108, H, 2*W)"


WRONG: dict[str, tuple[str, str]] = {
    "{slice: [0, 13]}": (
        "`slice`: the slice [0, 13] is outside 12 channels",
        "channels are counted from 0, the end is not taken: [0, 12] takes all 12",
    ),
    "{slice: [-13, 12]}": ("`slice` = prev.channels - 13 = -1 is less than 0", ""),
    "{slice: 5}": ("`slice`: `5` is not a range; write `[start, stop]`", ""),
    "{slice: [1, 2, 3]}": ("`slice`: a list of 3 is not a range; write `[start, stop]`", ""),
    "{chunk: 2}": ("`chunk` needs `index`", "add `index: ...`"),
    "{chunk: 5, index: 0}": (
        "`chunk`: 12 channels cannot be split into 5 equal pieces (12 % 5 = 2)",
        "give it a multiple of 5 channels",
    ),
    "{chunk: 2, index: 2}": (
        "`chunk`: there is no piece 2 of 2: they are counted from 0",
        "the last one has the index 1",
    ),
    "{pixel_unshuffle: 2}": (
        "`pixel_unshuffle`: a grid of 6x9 cannot be cut into squares of 2x2 pixels",
        "these sizes fit: heights and widths that are even, such as 6x8 and 6x10",
    ),
}


@pytest.mark.parametrize("layer", WRONG)
def test_refusal(tmp_path: Path, layer: str) -> None:
    (found,) = draft_graph(load(tmp_path, layer))[1].errors
    assert (found.message, found.help) == WRONG[layer]


def test_open_sizes_that_may_be_odd(tmp_path: Path) -> None:
    (found,) = draft_graph(load(tmp_path, "{pixel_unshuffle: 2}", "H, W"))[1].errors
    assert found.message == (
        "`pixel_unshuffle`: a grid of HxW cannot be cut into squares of 2x2 pixels"
    )
    assert found.help == (
        "these sizes fit: heights and widths that are even, such as 2x2, or 2*Hx2*W where they "
        "are left open"
    )


def test_negative_of_open_channels(tmp_path: Path) -> None:
    layers = "flatten\n  - {slice: [-3, 5]}"
    (found,) = draft_graph(load(tmp_path, layers, "H, W"))[1].errors
    assert found.message == "`slice`: unknown name `prev.channels`"
    assert found.help == "this size is left open (12*H*W); give the input a fixed size"


def test_channels_of_several_inputs_are_arguments_in_their_order(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text("""network: t
input: {x: [2, 6, 9]}
blocks:
  b:
    inputs: [one, two, three, four, five]
    layers: [{concat: [five, four, three, two, one]}, {conv: 1x1, filters: 3}]
layers:
  - {conv: 1x1, filters: 2 + index, name: c, repeat: 5}
  - {block: b, from: [c.0, c.1, c.2, c.3, c.4]}
""")
    made = build_module(load_graph(spec))
    arguments = list(inspect.signature(type(made.b)).parameters)
    assert arguments == [f"{name}_channels" for name in ("one", "two", "three", "four", "five")]
