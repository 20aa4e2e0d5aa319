"""The native CPU engine against the float64 module: every kind of loop and layout."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.native.compiled_library import load_library
from backends.native.groups import Product, Segment, Sum, group_loops
from backends.native.memory_layout import lay_out
from backends.native.plan import Choice, candidates
from backends.native.runner import NativeRunner
from backends.native.steps import KINDS
from backends.native.straight_line import StraightLine
from backends.native.targets import slice_size
from backends.native.tuner import task_size, tile_tasks, tiles_per_task
from backends.native.weight_file import page_moves
from backends.native.weights import SPLIT, split_panels
from backends.run.flat_module import build_flat_module
from backends.run.targets import Request, build_runner
from backends.state.parameters import convert_state
from backends.winograd import Variant, transform
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.passes.optimizer import optimize_graph
from tests.kernels import kernels
from tests.passes.random_specs import graph_of, random_state

pytestmark = kernels

HEAD = """
network: small
input: {image: [3, 13, 11]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
"""
INCEPTION = """
  - {conv: 3x3, filters: 32, stride: 2, padding: V}
  - {conv: 3x3, filters: 48}
  - branches:
      pool: [{avg_pool: 3x3}, {conv: 1x1, filters: 16}]
      one: [{conv: 1x1, filters: 20}]
      two: [{conv: 1x1, filters: 16}, {conv: 1x7, filters: 32}, {conv: 7x1, filters: 16}]
      three: [{conv: 1x1, filters: 16}, {conv: 5x5, filters: 16}]
    join: concat
    name: mixed
  - residual:
      body: [{conv: 3x3, filters: 68, norm: none, activation: none, bias: true}]
      scale: 0.3
      activation: relu
    name: res
"""
ODDS = """
  - {max_pool: 3x3, stride: 2}
  - {conv: 3x3, filters: 7, stride: 2, name: a}
  - {avg_pool: 3x3, count_include_pad: true, name: b}
  - {scale: 0.5, name: c}
  - {max_pool: 3x3, name: d, from: a}
  - {add: [c, d], name: e}
  - {concat: [e, a, e], name: f}
  - {concat: [f, b], name: g}
  - {conv: 3x3, filters: 9, dilation: 2, activation: none}
"""
HEADS = {
    "softmax": "  - {global_avg_pool: true}\n  - {linear: 10}\n  - softmax\n",
    "normalize": "  - {global_max_pool: true}\n  - {linear: 10}\n  - normalize\n",
    "map": "",
    "a ReLU of means": "  - {conv: 1x1, filters: 20, linear: true}\n"
    "  - global_avg_pool\n  - relu\n",
    "a ReLU of maxima": "  - {conv: 1x1, filters: 20, linear: true}\n"
    "  - {scale: -3}\n  - {global_max_pool: true, keep_grid: true}\n  - relu\n",
}


def prepared(layers: str) -> tuple[Graph, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Return an optimised graph, its float32 parameters, an input, and the float64 output."""
    plain = graph_of(HEAD + layers)
    state = random_state(plain)
    image = torch.randn(2, 3, 13, 11, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        reference = build_flat_module(plain, state)(image.double())
    graph = optimize_graph(plain)
    parameters = {name: value.float() for name, value in convert_state(graph, state).items()}
    assert float(reference.std()) > 1e-3
    return graph, parameters, image, reference


def distance(made: torch.Tensor | tuple[torch.Tensor, ...], reference: torch.Tensor) -> float:
    """Return the largest difference, as a part of the largest value."""
    assert isinstance(made, torch.Tensor)
    assert made.shape == reference.shape
    return float((made.double() - reference).abs().max() / reference.abs().max())


@pytest.mark.parametrize("body", [INCEPTION, ODDS], ids=["inception", "odds"])
@pytest.mark.parametrize("head", HEADS)
def test_equals_the_module(body: str, head: str) -> None:
    graph, parameters, image, reference = prepared(body + HEADS[head])
    runner = NativeRunner(graph, parameters, 2)
    assert distance(runner(image)[0], reference) < 2e-5
    assert distance(runner(image)[0], reference) < 2e-5, "the second run differs: memory was reused"


def test_every_choice_equals_the_module() -> None:
    graph, parameters, image, reference = prepared(INCEPTION)
    for index in range(3):
        known = {}
        for node in graph.nodes.values():
            variants = candidates(graph, node)
            if index < len(variants):
                known[node.name] = Choice(variants[index], 24).text
        runner = NativeRunner(graph, parameters, 2, known=known)
        assert any(runner.choices[name] == text for name, text in known.items())
        assert distance(runner(image)[0], reference) < 2e-5


def test_lean_takes_one_image_at_a_time_and_no_more_than_the_weights() -> None:
    graph, parameters, image, reference = prepared(INCEPTION + HEADS["softmax"])
    image = torch.cat([image, image[:1]])
    request = Request(graph, parameters, (graph, parameters), (image,), torch.float32)
    made = build_runner("native_lean", request)(image)
    assert isinstance(made, torch.Tensor)
    assert distance(made[:2], reference) < 2e-5
    assert torch.equal(made[2], made[0])
    lean = NativeRunner(graph, parameters, 1, growth=1.0)
    assert set(lean.choices.values()) == {"float32"}  # no Winograd filters


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_in_a_file_are_in_memory_only_while_they_are_read(dtype: torch.dtype) -> None:
    graph, parameters, image, reference = prepared(INCEPTION + HEADS["softmax"])
    inside = NativeRunner(graph, parameters, 2, dtype, growth=1.0)
    outside = NativeRunner(
        graph, parameters, 2, dtype, inside.choices, growth=1.0, weights_in_file=True
    )
    bound = 2e-5 if dtype == torch.float32 else 2e-2
    for _ in range(2):
        assert distance(outside(image)[0], reference) < bound
    assert torch.equal(outside(image)[0], inside(image)[0])
    packs = outside.plan.panels.packed.values()
    starts = [int(packed.weights.ctypes.data) for packed in packs]
    resident, whole = mapping_at(min(starts))
    assert resident == 0
    assert whole >= max(starts) + min(packed.weights.nbytes for packed in packs) - min(starts)
    assert len(packs) == sum(f"{name}.weight" in parameters for name in graph.nodes)


def mapping_at(address: int) -> tuple[int, int]:
    """Return how many bytes of the mapping that begins at an address are in memory, of how many."""
    _, _, found = Path("/proc/self/smaps").read_text().partition(f"{address:x}-")
    sizes = re.findall(r"^(Size|Rss): +(\d+) kB", found, re.MULTILINE)[:2]
    by_name = {name: int(size) * 1024 for name, size in sizes}
    return by_name["Rss"], by_name["Size"]


def test_pages_of_the_next_product_come_before_this_one() -> None:
    file = np.zeros(100, dtype=np.float32)
    weights = [file[0:10], file[20:40], file[50:80]]
    moves = [(pages.done_bytes // 4, pages.wanted_bytes // 4) for pages in page_moves(weights)]
    assert moves == [(0, 10), (0, 20), (10, 30), (20, 0), (80, 0)]


def test_lean_runs_a_network_without_weights() -> None:
    graph, parameters, image, reference = prepared("  - {max_pool: 3x3, stride: 2}\n")
    lean = NativeRunner(graph, parameters, 2, weights_in_file=True)
    assert distance(lean(image)[0], reference) == 0.0


def test_bfloat16_rounds_products_only() -> None:
    graph, parameters, image, reference = prepared(INCEPTION)
    runner = NativeRunner(graph, parameters, 2, torch.bfloat16)
    (made,) = runner(image)
    assert made.dtype == torch.bfloat16
    assert distance(made, reference) < 2e-2


def in_bfloat16(layers: str) -> tuple[NativeRunner, float]:
    """Return a runner whose every product is in bfloat16, and its distance from float64."""
    graph, parameters, image, reference = prepared(layers)
    runner = NativeRunner(
        graph, parameters, 2, torch.bfloat16, dict.fromkeys(graph.nodes, "bfloat16")
    )
    if not runner.plan.library.has_bfloat16:
        pytest.skip("this processor has no product in bfloat16 (AVX-512 BF16)")
    assert set(runner.choices.values()) == {"bfloat16"}
    return runner, distance(runner(image)[0], reference)


def test_what_products_read_is_written_in_bfloat16_at_once() -> None:
    runner, off = in_bfloat16(INCEPTION)
    assert off < 2e-2
    rounded = runner.plan.memory.rounded
    assert "conv_3x3.act" in rounded.alone  # read by a product alone
    assert "mixed.pool.conv_1x1.act" in rounded.alone  # a slice of the concat
    assert rounded.read == {"mixed.concat"}  # the residual adds what is there
    kinds = [KINDS[step.kind] for step in runner._steps]
    assert kinds.count("round") == 1, "the image alone is rounded by a step of its own"


def test_poolings_read_what_products_read() -> None:
    runner, off = in_bfloat16("  - {conv: 3x3, filters: 24}\n  - {max_pool: 3x3}\n" + INCEPTION)
    assert off < 2e-2
    rounded = runner.plan.memory.rounded
    assert {"conv_3x3_2.act", "max_pool_3x3"} <= rounded.alone | rounded.read
    assert "conv_3x3.act" not in rounded.written  # a pooling alone reads it


def test_a_short_convolution_adds_what_is_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    library = load_library()
    monkeypatch.setattr(library, "has_tiles", False)  # with tiles all products are in bfloat16
    body = "body: [{conv: 1x1, filters: 16, name: narrow}, {conv: 3x3, filters: 68,"
    layers = INCEPTION.replace("body: [{conv: 3x3, filters: 68,", body)
    graph, parameters, image, reference = prepared(layers)
    last = group_loops(graph).loops[-1]
    assert isinstance(last, Product)
    known = dict.fromkeys(graph.nodes, "bfloat16") | {last.node.name: "f_2_2_3_3"}
    runner = NativeRunner(graph, parameters, 2, torch.bfloat16, known)
    if not library.has_bfloat16:
        pytest.skip("this processor has no product in bfloat16 (AVX-512 BF16)")
    assert runner.choices[last.node.name] == "f_2_2_3_3"
    assert runner.plan.memory.rounded.read == {"mixed.concat"}
    assert distance(runner(image)[0], reference) < 2e-2


def test_what_other_loops_write_is_rounded_by_a_step_of_its_own() -> None:
    runner, off = in_bfloat16(ODDS)
    assert off < 2e-2
    assert [KINDS[step.kind] for step in runner._steps].count("round") == 2  # image, and copies


CONVOLUTIONS = {
    "whole tiles": ("32", "{conv: 3x3, filters: 48}"),
    "1x1": ("64", "{conv: 1x1, filters: 100}"),
    "taps side by side": ("3", "{conv: 3x3, filters: 33, stride: 2, padding: V}"),
    "odd channels": ("20", "{conv: 1x7, filters: 16}"),
    "many channels that fill no tile": ("80", "{conv: 3x3, filters: 70, padding: V}"),
    "dilation": ("32", "{conv: 3x3, filters: 16, dilation: 2}"),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize(
    ("method", "tiles"),
    [("bfloat16", True), ("bfloat16", False), (SPLIT, True)],
    ids=["bfloat16-tiles", "bfloat16-pairs", "bfloat16x2-tiles"],
)
def test_rounded_products_are_exact(
    name: str, tiles: bool, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operands are rounded to 8 or 16 bits, to nearest; what follows errs as float32 does."""
    library = load_library()
    if tiles and not library.has_tiles:
        pytest.skip("this processor has no matrix tiles (AMX)")
    if not library.has_bfloat16:
        pytest.skip("this processor has no product in bfloat16 (AVX-512 BF16)")
    monkeypatch.setattr(library, "has_tiles", tiles)
    channels, layer = CONVOLUTIONS[name]
    text = layer.replace("}", ", norm: none, activation: none, bias: true}")
    graph = graph_of(HEAD.replace("[3,", f"[{channels},") + f"  - {text}\n")
    state = {key: value.float() for key, value in random_state(graph).items()}
    image = torch.randn(2, int(channels), 13, 11, generator=torch.Generator().manual_seed(4))
    dtype = torch.bfloat16 if method == "bfloat16" else torch.float32
    known = dict.fromkeys(graph.nodes, method)
    runner = NativeRunner(graph, state, 2, dtype, known, split=method == SPLIT)
    runner(image)
    made = runner.outputs[0].double()
    (weight,) = (key for key in state if key.endswith("weight"))

    def in_parts(x: torch.Tensor) -> list[torch.Tensor]:
        high = x.bfloat16().float()
        return [high.double(), (x - high).bfloat16().double()][: 1 if method == "bfloat16" else 2]

    bias = state[weight.replace("weight", "bias")].double()
    exact = sum(
        build_flat_module(graph, {weight: w, weight.replace("weight", "bias"): b})(x)
        for i, x in enumerate(in_parts(image))
        for j, w in enumerate(in_parts(state[weight]))
        if i + j < 2  # the product of the two remainders is dropped
        for b in [bias if i + j == 0 else 0 * bias]
    )
    assert distance(made, exact) < 1e-6


@pytest.mark.parametrize("body", [INCEPTION, ODDS], ids=["inception", "odds"])
@pytest.mark.parametrize("head", HEADS)
def test_tf32_takes_float32_in_two_parts(body: str, head: str) -> None:
    if not load_library().has_tiles:
        pytest.skip("this processor has no matrix tiles (AMX)")
    graph, parameters, image, reference = prepared(body + HEADS[head])
    known = dict.fromkeys(graph.nodes, SPLIT)
    runner = NativeRunner(graph, parameters, 2, known=known, split=True)
    assert set(runner.choices.values()) == {SPLIT}
    assert distance(runner(image)[0], reference) < 3e-5
    exact = NativeRunner(graph, parameters, 2, known=known)
    assert SPLIT not in exact.choices.values(), "float32 is not rounded unless that is asked for"


@pytest.mark.parametrize(
    ("pixels", "panels", "batch", "threads", "weight", "inputs", "made"),
    [
        (289, 28, 1, 2, (896, 1024), 289 * 1024, (64, 2)),  # 5 tasks of 2 blocks, each thread
        (1225, 7, 1, 2, (224, 9 * 192), 1225 * 192, (128, 1)),  # 4 blocks: 0.44 MB
        (1225, 4, 1, 2, (128, 384), 1225 * 384, (160, 1)),  # 8 tasks of 5 blocks
        (64, 40, 1, 2, (1280, 1536), 64 * 1536, (32, 2)),
        (1, 32, 1, 2, (1000, 1536), 1536, (32, 2)),
        (64, 1, 8, 2, (32, 1536), 64 * 1536, (64, 1)),  # an image each
        (5329, 4, 1, 1, (128, 160), 5329 * 160, (1344, 1)),  # 4 tasks of 42 blocks: one to spare
    ],
)
def test_small_maps_are_split_by_their_weights(
    pixels: int,
    panels: int,
    batch: int,
    threads: int,
    weight: tuple[int, int],
    inputs: int,
    made: tuple[int, int],
) -> None:
    assert made == tile_tasks(
        pixels=pixels,
        panels=panels,
        batch=batch,
        threads=threads,
        weights=weight[0] * weight[1],
        inputs=inputs,
        depth=weight[1],
    )


def test_a_panel_holds_vectors_of_several_segments() -> None:
    segments = (Segment(0, 32, "a"), Segment(32, 64, "b"), Segment(64, 84, "c"))
    panels = split_panels(segments, 16, 4)
    ends = [[(v.segment.out, v.start, v.stop) for v in panel] for panel in panels]
    assert ends == [
        [("a", 0, 16), ("a", 16, 32), ("b", 32, 48)],
        [("b", 48, 64), ("c", 64, 80), ("c", 80, 84)],
    ]


@pytest.mark.parametrize(
    ("batch", "threads", "size", "by_tiles"),
    [
        (1, 2, 1, 1),
        (8, 2, 1, 8),
        (8, 16, 4, 8),
        (6, 16, 3, 6),
        (7, 16, 1, 7),
        (128, 64, 16, 16),
        (12, 2, 1, 6),
    ],
)
def test_a_batch_runs_in_slices(batch: int, threads: int, size: int, by_tiles: int) -> None:
    assert slice_size(batch, threads, by_tiles=False) == size
    assert slice_size(batch, threads, by_tiles=True) == by_tiles


@pytest.mark.parametrize(
    ("count", "shares", "threads", "size"),
    [
        (36, 1, 2, 18),  # two tasks, as large as can be
        (289, 17, 2, 145),  # 17 tasks on two threads would leave one idle for a ninth of the time
        (289, 14, 2, 289),
        (1225, 4, 2, 613),
        (64, 1, 64, 1),  # a thread each, though so small a task reads the weights anew
    ],
)
def test_task_sizes_keep_all_threads_busy(count: int, shares: int, threads: int, size: int) -> None:
    assert task_size(count, shares, threads) == size


@pytest.mark.parametrize(
    ("tiles", "channels", "variant", "size"),
    [
        (51, 224, Variant((1, 7), (1, 6)), 26),  # one task a thread: 12 points, 280 KB
        (625, 32, Variant((3, 3), (6, 6)), 63),  # 64 points: 64 tiles are 512 KB
        (36, 1024, Variant((3, 3), (6, 6)), 18),  # no fewer, though they take 4.5 MB
    ],
)
def test_the_tiles_of_a_task_stay_in_a_cache(
    tiles: int, channels: int, variant: Variant, size: int
) -> None:
    assert tiles_per_task(tiles, channels, variant, 2) == size


@pytest.mark.parametrize(("outputs", "taps"), [(2, 3), (4, 3), (6, 3), (4, 5), (6, 7)])
@pytest.mark.parametrize("side", ["data", "output"])
def test_straight_lines_are_the_matrix(outputs: int, taps: int, side: str) -> None:
    matrix = getattr(transform(outputs, taps), side)
    values = {f"d{i}": float(3 * i * i - 7 * i + 2) for i in range(len(matrix[0]))}
    code = StraightLine("s")
    made = code.apply(matrix, list(values))
    for line in code.lines:
        name, _, value = line.removeprefix("const vec ").removesuffix(";").partition(" = ")
        values[name] = eval(re.sub(r"(e[+-]\d\d)f", r"\1", value), {}, dict(values))
    given = [values[f"d{i}"] for i in range(len(matrix[0]))]
    direct = [sum(float(a) * x for a, x in zip(row, given, strict=True)) for row in matrix]
    assert [values[name] for name in made] == pytest.approx(direct, rel=1e-6)
    terms = sum(line.count(" * ") for line in code.lines)
    products = sum(abs(a) not in (0, 1) for row in matrix for a in row)
    assert terms < products or terms == products == 0


def test_concats_are_written_in_place() -> None:
    graph, *_ = prepared(INCEPTION)
    layout = lay_out(graph, group_loops(graph), batch=1)
    assert not any(isinstance(loop, Sum) for loop in layout.loops)
    whole = layout.views["mixed.concat"]
    first = layout.views["mixed.pool.conv_1x1.act"]
    assert (first.buffer, first.offset, first.stride) == (whole.buffer, whole.offset, 68)


def test_scale_add_and_relu_are_part_of_the_product() -> None:
    graph, *_ = prepared(INCEPTION)
    last = group_loops(graph).loops[-1]
    assert isinstance(last, Product)
    (segment,) = last.segments
    assert segment.relu
    assert segment.add == "mixed.concat"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            "{conv: 3x3, filters: 4, activation: silu}",
            "`conv_3x3.act`: the native engine has no SiLU",
        ),
        (
            "{conv: 3x3, filters: 8, groups: depthwise, name: deep}",
            "`deep.conv`: the native engine has no Conv2d with groups=4, only with groups=1",
        ),
        ("{flatten: true, name: f}", "`f`: the native engine has no Flatten of a map (13x11x4)"),
        ("{add: [x, x, x], name: a}", "`a`: the native engine has no Add of 3 tensors, only of 2"),
    ],
)
def test_refuses_what_it_has_no_loop_for(layers: str, message: str) -> None:
    head = HEAD + "  - {conv: 1x1, filters: 4, name: x}\n"
    graph = graph_of(f"{head}  - {layers}\n")
    parameters = convert_state(optimize_graph(graph), random_state(graph))
    with pytest.raises(BackendError, match=f"^{re.escape(message)}$"):
        NativeRunner(optimize_graph(graph), parameters, 1)


def test_refuses_open_sizes() -> None:
    graph = graph_of(HEAD.replace("[3, 13, 11]", "[3, H, W]") + "  - {conv: 3x3, filters: 4}\n")
    parameters = convert_state(optimize_graph(graph), random_state(graph))
    with pytest.raises(BackendError, match="sizes in numbers"):
        NativeRunner(optimize_graph(graph), parameters, 1)
