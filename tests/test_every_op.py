"""Every operation at every place that must know it; a failure names the place that does not.

A new operation stands in its family in `compiler/ops` and is named in the door there, in one
function of `backends/torch/ops` and one of `backends/onnx`, in the NumPy oracle and in its cases.
Everything else is derived from these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import yaml

import compiler.ops
from backends.onnx.model import build_onnx
from backends.run.flat_module import build_flat_module
from backends.torch.ascii_figure import figure_lines
from backends.torch.export_program import export_program
from backends.torch.module import build_module
from backends.torch.ops import has_function, has_module
from backends.torch.source import emit_source
from compiler.cli.summary import as_json, as_text
from compiler.errors import BackendError
from compiler.facts.labels import label_of
from compiler.facts.receptive import receptive_fields
from compiler.facts.summarize import summarize
from compiler.facts.summary_tables import as_markdown
from compiler.graph import (
    Graph,
    Op,
    OpKind,
    Reach,
    Shape,
    ShapeError,
    Shown,
    Spread,
    Symbolic,
    Window,
    letter,
)
from compiler.graph.print import print_graph
from compiler.ops import OP_LAYERS, OPS, Dropout, Pad, PixelUnshuffle
from compiler.pipeline import draft_graph, load_graph, target_graph
from compiler.spec import shipped_specs
from docs.pages.op_table import op_table
from tests.every_target.targets import TARGETS
from tests.kernels import need_kernels
from tests.oracle.difference import relative_difference
from tests.oracle.numpy_oracle import apply, evaluate
from tests.oracle.op_cases import CASES, REFUSED
from tests.oracle.small_graphs import random_inputs, random_state, single
from tests.oracle.ways import by_source, by_torch, fit_state
from tests.samples import samples
from viz.html.document import render_html
from viz.render import render
from viz.style.theme import THEMES

KINDS = [kind for kind in OPS if kind != "Input"]
MADE_BY_PASSES = {"Standardize"}
"""Operations that no layer of a spec is."""


@contextmanager
def place(where: str, what: str) -> Iterator[None]:
    """Name the place in whatever goes wrong inside."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:  # any fault is that of the place
        raise AssertionError(f"{where}: {what}: {type(error).__name__}: {error}") from error


def cases(kind: str) -> list[tuple[Op, tuple[tuple[int, ...], ...]]]:
    found = [case for case in CASES.values() if case[0].kind == kind]
    assert found, f"tests/oracle/op_cases.py: no case of {kind}"
    return found


# -- what an operation says of itself --------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_is_at_the_door(kind: str) -> None:
    name = OPS[kind].__name__
    where = "compiler/ops/__init__.py: not among its names"
    assert getattr(compiler.ops, name, None) is OPS[kind], f"{where}: {name}"
    assert name in compiler.ops.__all__, f"{where}: {name}"


def test_is_a_layer_of_some_word() -> None:
    made = {type(node.op).kind for word in OP_LAYERS for node in graph_of(word).nodes.values()}
    assert set(KINDS) - made == MADE_BY_PASSES, "compiler/ops: no `Layer` makes the operation"


@pytest.mark.parametrize("kind", KINDS)
def test_has_words_and_a_box(kind: str) -> None:
    for op, _ in cases(kind):
        where = f"compiler/ops/{type(op).__module__.rpartition('.')[2]}.py"
        with place(where, f"`words` of {kind}"):
            words, details = op.words(Shown({}))
            assert words
            assert all(details)
        with place(where, f"`drawn_as` of {kind}"):
            assert op.drawn_as in get_args(OpKind)
            for name, theme in THEMES.items():
                assert op.drawn_as in theme.fills, f"no colour in the theme {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_shape_is_that_of_the_oracle(kind: str) -> None:
    for op, shapes in cases(kind):
        graph = single(op, *shapes)
        with place("tests/oracle/numpy_oracle.py", f"no meaning of {kind}"):
            made = evaluate(graph, random_state(graph), random_inputs(graph))["y"]
        with place("compiler/ops", f"`infer_shape` of {kind} for {shapes}"):
            assert made.shape[1:] == graph.nodes["y"].shape


@pytest.mark.parametrize("kind", KINDS)
def test_shape_of_open_sizes_is_that_of_numbers(kind: str) -> None:
    for op, shapes in cases(kind):
        with place("compiler/ops", f"`infer_shape` of {kind} for open sizes"):
            step = _step(op)
            grid = dict(zip("HW", (size // step for size in shapes[0][1:]), strict=False))
            found = op.infer_shape(*(_opened(shape, shapes[0], step) for shape in shapes))
            numbers = [d.number_at(grid) if isinstance(d, Symbolic) else d for d in found]
            assert tuple(numbers) == op.infer_shape(*map(Shape, shapes))


def _step(op: Op) -> int:
    """Return what the open sizes that an operation takes are multiples of."""
    return op.factor if isinstance(op, PixelUnshuffle) else 1


def _opened(shape: tuple[int, ...], first: tuple[int, ...], step: int) -> Shape:
    """Return a map's shape with the first operand's height and width as multiples of letters."""
    is_alike = len(shape) == 3 and shape[1:] == first[1:]
    return Shape((shape[0], letter("H") * step, letter("W") * step) if is_alike else shape)


@pytest.mark.parametrize("kind", KINDS)
def test_misfit_is_a_sentence_and_leaves_what_is_known(kind: str) -> None:
    for op, shapes in cases(kind):
        with place("compiler/ops", f"`infer_shape` of {kind} without operands"):
            with pytest.raises(ShapeError) as refused:
                op.infer_shape()
            assert str(refused.value)
        with place("compiler/ops", f"`known_shape` of {kind}"):
            known, out = op.known_shape(*map(Shape, shapes)), single(op, *shapes).nodes["y"].shape
            assert len(known) == len(out)
            assert all(a in (b, None) for a, b in zip(known, out, strict=True))
            op.known_shape()
            op.known_shape(Shape((None, None, None)))
            op.known_shape(Shape((7,)))


@pytest.mark.parametrize("case", REFUSED)
def test_refusal(case: str) -> None:
    op, shapes, message, help = REFUSED[case]
    with place("compiler/ops", f"`infer_shape` of {op}"):
        with pytest.raises(ShapeError) as refused:
            op.infer_shape(*map(Shape, shapes))
        assert (str(refused.value), refused.value.help) == (message, help)


GENERAL = {"shape-mismatch", "empty-output", "not-a-map", "not-a-vector", "operand-count"}
"""Codes of refusals that many operations have, which tests of messages hold."""


@pytest.mark.parametrize("kind", KINDS)
def test_refusal_of_its_own_has_a_case(kind: str) -> None:
    known = {(op.kind, _refusal(op, shapes)) for op, shapes, *_ in REFUSED.values()}
    for op, shapes in cases(kind):
        for more in range(1, 5):
            code = _refusal(op, tuple((shape[0] + more, *shape[1:]) for shape in shapes))
            where = f"tests/oracle/op_cases.py: no case in `REFUSED` of {kind}"
            assert code in GENERAL | {""} or (kind, code) in known, f"{where}: {code}"


def _refusal(op: Op, shapes: tuple[tuple[int, ...], ...]) -> str:
    try:
        op.infer_shape(*map(Shape, shapes))
    except ShapeError as error:
        return error.code
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_sees_what_changes_its_output(kind: str) -> None:
    for op, shapes in cases(kind):
        if len(shapes) > 1 or len(shapes[0]) != 3 or len(single(op, *shapes).nodes["y"].shape) != 3:
            continue
        with place("compiler/ops", f"`sees` of {kind}"):
            _check_reach(op, shapes[0])


def _check_reach(op: Op, shape: tuple[int, ...]) -> None:
    """Change one pixel of the input: only units that see it may change, and some does."""
    sees = op.sees(Shape(shape))
    graph = single(op, shape)
    weights = {k.removeprefix("y."): v.astype(float) for k, v in random_state(graph).items()}
    x = random_inputs(graph, batch=1)["x0"].astype(float)
    before = apply(op, [x], weights)
    middle = (shape[1] // 2, shape[2] // 2)
    corners = ((0, 0), (shape[1] - 1, shape[2] - 1))
    repeats = isinstance(op, Pad) and op.mode != "zeros"  # what is repeated counts as around
    for row, column in (middle, *(() if repeats else corners)):
        changed = x.copy()
        changed[:, :, row, column] += 3
        touched = (apply(op, [changed], weights) != before).any(axis=(0, 1))
        for i, j in zip(*np.nonzero(touched), strict=True):
            assert _reaches(sees, 0, i, row), f"row {i} does not see row {row}"
            assert _reaches(sees, 1, j, column), f"column {j} does not see column {column}"


def _reaches(sees: Any, axis: int, unit: int, pixel: int) -> bool:
    match sees:
        case Spread(factor, begins, ends):
            first = (unit + begins[axis]) // factor[axis]
            return first <= pixel <= (unit + ends[axis]) // factor[axis]
        case Window(kernel, stride, dilation, begins):
            start = unit * stride[axis] - (begins[axis] or 0)
            return pixel in range(start, start + dilation[axis] * (kernel[axis] - 1) + 1)
    return sees in (Reach.MAP, Reach.ALL) or unit == pixel


@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_those_of_the_module(kind: str) -> None:
    for op, shapes in cases(kind):
        inputs = list(map(Shape, shapes))
        with place("backends/torch/ops", kind):
            module = build_module(single(op, *shapes), seed=None)
        with place("compiler/ops", f"`count_params`, `count_buffers` of {kind}"):
            assert op.count_params(*inputs) == sum(p.numel() for p in module.parameters())
            held = {n.removeprefix("y."): t for n, t in module.state_dict().items() if t.ndim}
            learned = {n.removeprefix("y.") for n, _ in module.named_parameters()}
            channels = inputs[0].numbers[0]
            assert op.tensor_shapes(channels) == {n: tuple(t.shape) for n, t in held.items()}
            assert op.count_buffers(*inputs) == sum(
                t.numel() for n, t in held.items() if n not in learned
            )
            if not learned:
                assert op.count_macs(tuple(inputs), op.infer_shape(*inputs)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_nothing_says_so(kind: str) -> None:
    for op, shapes in cases(kind):
        graph = single(op, *shapes)
        inputs = random_inputs(graph)
        made = evaluate(graph, random_state(graph), inputs)["y"]
        if not isinstance(op, Dropout) or op.drop == 0:  # others do in training
            with place("compiler/ops", f"`is_identity` of {op}"):
                is_same = np.array_equal(made, inputs["x0"])
                assert op.is_identity(*map(Shape, shapes)) == is_same


# -- targets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_torch_and_source(kind: str) -> None:
    op, shapes = cases(kind)[0]
    where = "backends/torch/ops"
    if len(shapes) == 1:
        assert has_module(op), f"{where}: no `module` of {kind}"
    assert has_module(op) or has_function(op), f"{where}: neither `module` nor `function` of {kind}"
    for way in (by_torch, by_source):
        with place(where, kind):
            _compare(op, shapes, way)


@pytest.mark.parametrize("kind", KINDS)
def test_flat_module(kind: str) -> None:
    for op, shapes in cases(kind)[:2]:
        with place("backends/run/flat_module.py", kind):
            _compare(op, shapes, _by_flat_module)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx(kind: str) -> None:
    op, shapes = cases(kind)[0]
    with place("backends/onnx", kind):
        graph = single(op, *shapes)
        state, inputs = random_state(graph), random_inputs(graph)
        images = [torch.from_numpy(x) for x in inputs.values()]
        (got,) = TARGETS["ONNX"](graph, state, (), images)(*images)
        assert relative_difference(got.numpy(), evaluate(graph, state, inputs)["y"]) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_and_export_of_open_sizes(kind: str) -> None:
    op, shapes = cases(kind)[0]
    if len(shapes[0]) != 3:
        return
    graph = single(op, *(tuple(_opened(shape, shapes[0], _step(op))) for shape in shapes))
    state = random_state(single(op, *shapes))
    with place("backends/onnx", f"{kind} of open sizes"):
        try:
            build_onnx(graph, state)
        except BackendError as error:
            assert "depend" in str(error)  # noqa: PT017, where ONNX has no words for it
    with place("backends/torch/export_program.py", f"{kind} of open sizes"):
        module = build_module(graph, seed=None)
        fit_state(module, state)
        export_program(graph, module.eval())


def _by_flat_module(graph: Graph, state: Any, inputs: Any) -> Any:
    flat = build_flat_module(graph, {name: torch.from_numpy(a) for name, a in state.items()})
    with torch.no_grad():
        return np.asarray(flat(*(torch.from_numpy(x) for x in inputs.values())))


def _compare(op: Op, shapes: Any, way: Callable[[Graph, Any, Any], Any]) -> None:
    graph = single(op, *shapes)
    state, inputs = random_state(graph), random_inputs(graph)
    want = evaluate(graph, state, inputs)["y"]
    got = way(graph, state, inputs)
    assert got.shape == want.shape
    assert relative_difference(got, want) < 1e-5


@pytest.mark.parametrize("target", ["optimised", "for_training", "eager", "export", "native"])
@pytest.mark.parametrize("word", OP_LAYERS)
def test_layer_runs(word: str, target: str) -> None:
    need_kernels(target)
    graph = graph_of(word)
    state, inputs = random_state(graph), random_inputs(graph)
    images = [torch.from_numpy(x) for x in inputs.values()]
    node = target_graph(graph).outputs[0].node
    with place(f"the target {target}", f"`{word}`"):
        try:
            (got,) = TARGETS[target](graph, state, (), images)(*images)
        except BackendError as error:
            assert target == "native"
            assert "the native engine has no " in str(error)  # noqa: PT017
            return
        assert relative_difference(got.numpy(), evaluate(graph, state, inputs)[node]) < 1e-4


# -- views -----------------------------------------------------------------------------------------


@lru_cache
def written(word: str) -> str:
    """Return a spec with every sample of a layer that fits a map or a vector."""
    for dims in ([8, 9, 8], [8, 8, 8], [6]):
        text = _spec(dims, next(samples(word)))
        if not draft_graph(_file(text))[1].diagnostics:
            return text
    raise AssertionError(f"tests/samples.py: the sample of `{word}` fits no input")


def _spec(dims: list[int], *layers: Any) -> str:
    data = {"network": "one", "input": {"x": dims}, "layers": ["identity", *layers]}
    return yaml.safe_dump(data, sort_keys=False)


def _file(text: str) -> Path:
    path = _FOLDER[0] / f"{abs(hash(text))}.yaml"
    path.write_text(text)
    return path


_FOLDER: list[Path] = []


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    _FOLDER[:] = [tmp_path_factory.mktemp("specs")]


@lru_cache
def graph_of(word: str) -> Graph:
    with place("compiler/ops", f"the layer `{word}`"):
        return load_graph(_file(written(word)))


@pytest.mark.parametrize("word", OP_LAYERS)
def test_layer_is_printed_and_drawn(word: str) -> None:
    graph = graph_of(word)
    name = graph.regions[""].members[-1]
    ops = [node.op for node in graph.nodes_in(name)]
    for op in ops:
        assert op.printed_kind in print_graph(graph), "compiler/graph/print.py"
    with place("compiler/facts/labels.py", f"`{word}`"):
        label = label_of(graph, name)
        assert ops[0].words(Shown({}))[0] in label
    with place("viz", f"`{word}`"):
        for format in ("svg", "dot", "json"):
            assert render(graph, format)
    with place("backends/torch/ascii_figure.py", f"`{word}`"):
        assert "".join(figure_lines(graph, graph.regions[""], 60)).isascii()
        emit_source(graph)


@pytest.mark.parametrize("word", OP_LAYERS)
def test_layer_is_summed_up(word: str) -> None:
    graph = graph_of(word)
    with place("compiler/facts/summarize.py", f"`{word}`"):
        summary = summarize(graph)
        assert json.dumps(as_json(summary))
        assert summary.stages[-1].title in as_text(summary)
        assert as_markdown(summary)
    with place("compiler/facts/receptive.py", f"`{word}`"):
        assert set(receptive_fields(graph)) == set(graph.nodes)


@pytest.mark.parametrize("word", OP_LAYERS)
def test_layer_is_documented(word: str) -> None:
    assert f"`{word}`" in op_table(), f"docs/pages/op_table.py: no row of `{word}`"
    (row,) = [*re.findall(rf"^\| `{word}` \| (.*?) \|", op_table(), re.M), "a word"][:1]
    assert row, f"compiler/ops: nothing says what the argument of `{word}` is"
    model = OP_LAYERS[word]
    assert (model.__doc__ or "").strip(), f"compiler/ops: `{word}` has no docstring"
    for file in ("README.md", "schema.json"):
        text = (shipped_specs() / file).read_text()
        assert f"`{word}`" in text or f'"{word}"' in text, f"specs/{file} is stale: no `{word}`"


@pytest.mark.parametrize("word", OP_LAYERS)
def test_layer_with_a_wrong_input_is_blamed_alone(word: str) -> None:
    """What follows a layer that does not fit is no second error."""
    layer = next(samples(word))
    is_map = len(graph_of(word).nodes[graph_of(word).outputs[0].node].shape) == 3
    after = {"conv": "1x1", "filters": 4} if is_map else {"linear": 3}
    for dims in ([8, 9, 8], [6], [7, 1, 1]):
        path = _file(_spec(dims, layer, after))
        with place("compiler/ops", f"`known_shape` of `{word}` for {dims}"):
            found = [d for d in draft_graph(path)[1].diagnostics if d.severity == "error"]
            assert len(found) <= 1, [d.message for d in found]


@pytest.mark.parametrize("word", OP_LAYERS)
def test_layer_is_on_the_page(word: str) -> None:
    graph, _, spec = draft_graph(_file(written(word)))
    with place("viz/html", f"`{word}`"):
        assert word in render_html(graph, spec, [])
