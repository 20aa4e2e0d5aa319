"""The printed graph read again: every network and every value, and what is no printed graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from compiler.errors import CompileError, UsageError
from compiler.graph import Graph, Info, Node, Output, Region, Shape, connect, letter, verify
from compiler.graph.formula import formula
from compiler.graph.parse import parse_graph
from compiler.graph.print import print_graph
from compiler.graph.reader import ParseError
from compiler.graph.spelling import argument_text, read_argument
from compiler.ops import OPS, AvgPool2d, Conv2d, Input, Op, Scale
from compiler.passes.optimizer import optimize_graph
from compiler.pipeline import draft_graph, target_graph
from compiler.spec import RECIPES
from compiler.text import Value
from tests.passes.random_specs import graph_of, specs

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("specs", "tests/every_target/networks", "tests/cases/errors")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    if path.parent.name != RECIPES
]
NAMELESS = "tests/cases/errors/bad-name.yaml"
"""Its names have spaces: no graph that can be built has."""


def forms(path: str) -> Iterator[Graph]:
    """Yield the graph of a file as it is checked, given to targets and optimised."""
    graph, report, _ = draft_graph(ROOT / path)
    yield graph
    if not report.errors:
        yield target_graph(graph)
        yield optimize_graph(graph)


@pytest.mark.parametrize("path", [f for f in FILES if f != NAMELESS])
def test_what_is_printed_is_read_again(path: str) -> None:
    try:
        graphs = list(forms(path))
    except (CompileError, UsageError):  # a library, or a file that holds no network
        return
    for graph in graphs:
        text = print_graph(graph)
        again = parse_graph(text, OPS)
        assert print_graph(again) == text
        assert_same(again, graph)


SPEC_ONLY: Any = {"info": Info(), "traced": {}, "decisions": (), "names": {}}
"""What a printed graph leaves out of a region."""


def assert_same(again: Graph, graph: Graph) -> None:
    """Compare all that the computation needs."""
    assert again.digest == graph.digest
    assert again.derivations == graph.derivations
    assert (again.returns, again.arguments) == (graph.returns, graph.arguments)
    assert list(again.regions) == list(graph.regions)
    for name, region in graph.regions.items():
        assert replace(again.regions[name], **SPEC_ONLY) == replace(region, **SPEC_ONLY)


@settings(max_examples=60, deadline=None)
@given(spec=specs())
def test_random_networks_are_read_again(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    for made in (graph, optimize_graph(graph)):
        for shapes in (True, False):
            text = print_graph(made, shapes)
            again = parse_graph(text, OPS)
            assert print_graph(again, shapes) == text
            verify(again, shapes=True)
            assert_same(again, made)


def of(op: Op, shape: Shape) -> Graph:
    """Return the graph of one operation whose output is not inferred."""
    dims = (4, letter("H"), letter("W")) if len(shape) == 3 else (4,)
    nodes = (Node("x", Input(dims), (), Shape(dims)), Node("y", op, ("x",), shape))
    regions = {"": Region("", "network", ("x", "y"), ("x",), "y", None)}
    return Graph('a "b"', "", connect(nodes), regions, ("x",), (Output("y", "y"),))


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (Scale(0.1 + 0.2), "Scale(%x) {factor=0.30000000000000004}"),
        (Scale(1.0), "Scale(%x) {factor=1.0}"),
        (Scale(1e-7), "Scale(%x) {factor=1e-07}"),
        (Scale(-2.5), "Scale(%x) {factor=-2.5}"),
        (
            Conv2d(8, (3, 1), padding=((0, 1), (2, 3)), groups=2, bias=False),
            "Conv2d(%x) {out_channels=8, kernel_size=3x1, padding=0,1,2,3, groups=2, bias=false}",
        ),
        (
            Conv2d(8, (3, 3), padding=((0, 0), (0, 0))),
            "Conv2d(%x) {out_channels=8, kernel_size=3x3, padding=V}",
        ),
        (
            AvgPool2d((3, 3), (2, 2), ((1, 1), (1, 1)), count_include_pad=True),
            "AvgPool2d(%x) {kernel_size=3x3, stride=2x2, padding=1, count_include_pad=true}",
        ),
        (
            AvgPool2d((3, 3), padding=((0, 0), (2, 2)), ceil=True),
            "AvgPool2d(%x) {kernel_size=3x3, padding=0x2, ceil=true}",
        ),
        *(
            (OPS["Activation"](function), f"{name}(%x)")  # type: ignore[call-arg]
            for name, function in [("ReLU", "relu"), ("Hardswish", "hard_swish")]
        ),
        (
            OPS["Standardize"]((0.5, 0.25, 1 / 3, 0.1), (1.0,) * 4),  # type: ignore[call-arg]
            "Standardize(%x) {mean=[0.5, 0.25, 0.3333333333333333, 0.1], "
            "deviation=[1.0, 1.0, 1.0, 1.0]}",
        ),
        (
            OPS["GlobalPool2d"]("max", keep_grid=True),  # type: ignore[call-arg]
            "GlobalPool2d(%x) {function=max, keep_grid=true}",
        ),
    ],
)
def test_attributes(op: Op, text: str) -> None:
    graph = of(op, Shape((4, letter("H"), letter("W"))))
    printed = print_graph(graph).replace('a "b"', "n")
    assert printed.splitlines()[2] == f"  %y = {text} : (N, 4, H, W)"
    again = parse_graph(printed, OPS).nodes["y"].op
    assert again == op
    assert repr(again) == repr(op)


@pytest.mark.parametrize(
    "size",
    [
        letter("H"),
        (letter("H") + 1) // 2 * letter("W") * 3 - 5,
        -(letter("in.H") // 2) + 7,
        letter("x") * 32 * (letter("x") * letter("y") - 1),
        12,
    ],
    ids=str,
)
def test_sizes(size: Any) -> None:
    assert formula(str(size)) == size


@pytest.mark.parametrize("text", ["", "H+", "(H", "H)", "2H", "H W", "H//W", "-", "H**2", "H/2"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        formula(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (Fraction(1, 3), "1/3"),
        (Fraction("0.17"), "0.17"),
        (True, "true"),
        ((3, 1), "3x1"),
        (((0, 1), (1, 0)), "[[0, 1], [1, 0]]"),
        ("relu", "relu"),
        (None, "?"),
    ],
)
def test_arguments(value: Value, text: str) -> None:
    assert argument_text(value) == text
    assert read_argument(text) == value


@pytest.mark.parametrize("text", ["true", "3", "a, b) {", 'say "a\\n\n"', "", "3x3"])
def test_arguments_that_are_texts(text: str) -> None:
    graph = of(Scale(1.0), Shape((4, letter("H"), letter("W"))))
    block = Region("b", "block", ("y",), ("x",), "y", "", definition="d", arguments={"t": text})
    whole = Region("", "network", ("x", "b"), ("x",), "y", None)
    made = Graph("n", text, graph.network, {"": whole, "b": block}, ("x",), graph.outputs)
    again = parse_graph(print_graph(made), OPS)
    assert again.regions["b"].arguments == {"t": text}
    assert again.title == text


WHOLE = """\
network n(classes=10) "N" {
  %a = Input() {dims=3x9x9} : (N, 3, 9, 9)
  %b = Input() {dims=[10]} : (N, 10)
  one: block_of(n=4, w=0.5) reads %a, %a {
    one.c: transparent branches {
      one.left: branch {
        %one.conv = Conv2d(%a) {out_channels=3, kernel_size=3x3, bias=false} : (N, 3, 9, 9)
      }
      one.right: branch -> %a {
      }
      %one.add = Add(%one.conv, %a) : (N, 3, 9, 9)
    }
    %one.twin = Conv2d(%one.add) {out_channels=3, kernel_size=3x3, bias=false} \
shares %one.conv : (N, 3, 9, 9)
  }
  none: repeat x0 -> %one.twin {
  }
  $one.conv.weight = folded(scaled($c.weight, 0.5), $norm, 0.001, weight, bias)
  $one.conv.bias = stacked(zeros(4), folded($a.bias, $norm_2, 1e-05))
  return end = %one.twin, side = %b (training only) (last layer)
}
"""


def test_all_forms_of_lines() -> None:
    graph = parse_graph(WHOLE, OPS)
    assert print_graph(graph) == WHOLE
    assert graph.inputs == ("a", "b")
    assert graph.arguments == {"classes": 10}
    assert graph.regions["one"].inputs == ("a", "a")
    assert graph.regions["one.right"].inputs == ("a",)
    assert graph.outputs == (Output("end", "one.twin"), Output("side", "b", training_only=True))
    assert graph.returns == "last layer"
    assert graph.is_rewritten


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("network", "net", "1:1: expected `network`, found `net`"),
        ('"N" {', '"N', '1:23: expected a text in quotes, found `"`'),
        ("Input()", "Inputs()", "2:8: there is no operation `Inputs`"),
        ("{dims=3x9x9}", "", "2:8: `Input` needs `dims`"),
        ("dims=3x9x9", "size=3x9x9", "2:17: `Input` has no attribute `size`: it has `dims`"),
        ("dims=3x9x9", "dims=3y", "2:22: `3y` is no value"),
        ("(N, 3, 9, 9)\n  %b", "(N, 3, 9+, 9)\n  %b", "2:31: `(N, 3, 9+, 9)` is no shape"),
        ("(N, 10)", "(N, 10) !", "3:30: expected a shape, found `(`"),
        ("(N, 10)", "(10)", "3:30: expected a shape, found `(`"),
        ("block_of(n=4, w=0.5)", "block", "4:8: `block` is no kind of region without brackets"),
        ("block_of(n=4, w=0.5)", "chunk", "4:8: `chunk` is no kind of region without brackets"),
        ("n=4,", "n=4", "4:20: expected `)`, found ` `"),
        ("Conv2d(%a)", "Conv2d(%z)", "7:29: `z` is not computed before it is read here"),
        (
            "kernel_size=3x3, bias=false} : (N, 3, 9, 9)\n      }",
            "kernel_size=3, bias=false} : (N, 3, 9, 9)\n      }",
            "7:61: `kernel_size` of `Conv2d` cannot be `3`",
        ),
        ("bias=false} :", "bias=2} :", "7:71: `bias` of `Conv2d` cannot be `2`"),
        ("branch -> %a", "branch", "10:1: `one.right` is empty: say what leaves it, `-> %NAME`"),
        ("%one.twin = ", "%one.add = ", "13:6: there is a `one.add` already"),
        ("shares %one.conv", "shares %conv", "13:88: there is no node of this name"),
        ("x0", "x2", "16:1: `none` repeats 2 times and holds 0"),
        ("scaled(", "times(", "17:29: `times` makes no parameter"),
        ("zeros(4)", "zeros(a)", "18:34: `a` is no value"),
        ("end = %one.twin,", "end = %gone,", "19:17: there is no node of this name"),
        (" (last layer)", " (last)", "19:52: expected the end of the line, found ` `"),
        ("(last layer)\n}\n", "(last layer)\n", "20:1: expected `}`, the text ends"),
    ],
)
def test_what_is_no_printed_graph(old: str, new: str, message: str) -> None:
    assert old in WHOLE
    with pytest.raises(ParseError) as found:
        parse_graph(WHOLE.replace(old, new, 1), OPS)
    assert str(found.value) == message


def test_shapes_that_are_left_out_must_fit() -> None:
    text = """
    network n "" {
      %a = Input() {dims=3x9x9}
      %b = Input() {dims=4x9x9}
      %c = Add(%a, %b)
      return c = %c
    }
    """
    with pytest.raises(ParseError) as found:
        parse_graph(text, OPS)
    assert str(found.value) == "5:12: add needs operands of one shape"
