"""What is traced of an operation is what it says itself, at sizes that it was not traced on."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import yaml

from compiler.facts.numbers.operations import TracedOp, whole_numbers
from compiler.facts.numbers.sizes import Trace, TracedNumber, Untraced, every_way
from compiler.graph import Op, Shape, ShapeError
from compiler.ops import OP_LAYERS, Concat, Linear, MaxPool2d
from compiler.ops.merge import Join
from compiler.pipeline import Compilation
from tests.samples import samples

SIZES = (1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 30, 64)


def value(formula: Any, sizes: Any, attributes: Any) -> Any:
    if not isinstance(formula, list):
        return formula
    sign, *parts = formula
    if sign == -1:
        return attributes[parts[0]]
    if isinstance(sign, int):
        return sizes[sign][parts[0]]
    a, b = (value(part, sizes, attributes) for part in parts)
    match sign:
        case "+":
            return a + b
        case "*":
            return a * b
        case "//":
            return a // b
        case "%":
            return a % b
        case "==":
            return a == b
    assert sign == "<"
    return a < b


def end_of(tree: Any, sizes: Any, attributes: Any) -> Any:
    while isinstance(tree, list):
        *condition, so, else_ = tree
        tree = so if value(condition, sizes, attributes) else else_
    return tree["is"]


def said(op: Op, tree: Any, opened: tuple[str, ...], sizes: Any) -> Any:
    """Return what the formulas give, and what the operation says."""
    attributes = [getattr(op, name) for name in opened]
    end = end_of(tree, sizes, attributes)
    shapes = tuple(map(Shape, sizes))
    try:
        made: Any = op.infer_shape(*shapes)
        error = None
    except ShapeError as found:
        made, error = None, (found.code, f": {found}", found.help)
    by_page = [value(size, sizes, attributes) for size in end["s"]]
    if "e" in end:
        code, *texts, marks = end["e"]
        for at, mark in enumerate(marks):
            texts = [
                t.replace(f"\u25a1{at}\u25a1", str(value(mark, sizes, attributes))) for t in texts
            ]
        if isinstance(op, Join) and error is not None:  # which operands are apart is tested below
            texts = list(error[1:])
        return (code, *texts), error
    counts = [value(end.get(key, 0), sizes, attributes) for key in "pm"]
    if made is None:
        return (by_page, counts), error
    return (by_page, counts), (list(made), [op.count_params(*shapes), op.count_macs(shapes, made)])


def every_operation(word: str, dims: list[int], folder: Any) -> Iterator[tuple[Op, Any]]:
    rows = [
        {"branches": {"b": [layer]}, "join": "concat", "name": f"j{i}", "from": "x"}
        for i, layer in enumerate(samples(word))
    ]
    layers = [{"identity": True, "name": "x"}, *rows]
    path = folder / "net.yaml"
    path.write_text(yaml.safe_dump({"network": "n", "input": {"image": dims}, "layers": layers}))
    compilation = Compilation(path)
    for node in compilation.draft.nodes.values():
        shapes = compilation.draft.input_shapes(node)
        if shapes and all(shape.is_known for shape in shapes):
            yield node.op, shapes


@pytest.mark.parametrize("word", OP_LAYERS)
def test_every_operation_is_what_was_traced_of_it(word: str, tmp_path: Any) -> None:
    random, count = Random(word), 0
    for op, shapes in every_operation(word, [8, 9, 8], tmp_path):
        opened = whole_numbers(op)
        tree = TracedOp(op, opened, tuple(map(len, shapes))).tree()
        if tree is None:
            opened = ()
            tree = TracedOp(op, (), tuple(map(len, shapes))).tree()
        assert tree is not None, op
        for _ in range(40):
            sizes = [tuple(random.choice(SIZES) for _ in shape) for shape in shapes]
            by_page, by_op = said(op, tree, opened, sizes)
            assert by_page == by_op, (op, sizes)
            count += 1
    assert count >= 40


def test_tree_of_a_window_has_its_room_and_its_sizes() -> None:
    pool = MaxPool2d((2, 2), (2, 2), ((0, 0), (0, 0)))
    no_room = [
        "empty-output",
        ": a pooling window of 2x2 has no room on a \u25a10\u25a1x\u25a11\u25a1 grid",
    ]
    small = {"is": {"e": [*no_room, "", [[0, 1], [0, 2]]], "s": [[0, 0], None, None]}}
    halves = [["//", [0, 1], 2], ["//", [0, 2], 2]]
    fits = {"is": {"s": [[0, 0], *halves]}}
    tree = TracedOp(pool, (), (3,)).tree()
    assert tree == ["<", [0, 1], 2, small, ["<", [0, 2], 2, small, fits]]


def test_linear_layer_counts_with_its_open_width() -> None:
    tree = TracedOp(Linear(10), ("out_features",), (1,)).tree()
    width = [-1, 0]
    assert tree == {
        "is": {
            "s": [width],
            "p": ["*", width, ["+", [0, 0], 1]],
            "m": ["*", width, [0, 0]],
        }
    }


def test_unequal_grids_are_an_error_of_a_concat() -> None:
    tree = TracedOp(Concat(), (), (3, 3)).tree()
    end = end_of(tree, [(3, 8, 8), (5, 8, 7)], [])
    code, message, help, marks = end["e"]
    assert (code, help) == (
        "shape-mismatch",
        "give the branches the same total stride, or pad them alike",
    )
    assert message.replace("\u25a1", "|") == " cannot concat |0|x|1|x|2| with |3|x|4|x|5|"
    assert marks == [[1, 1], [1, 2], [1, 0], [0, 1], [0, 2], [0, 0]]
    assert end["s"] == [["+", [0, 0], [1, 0]], [0, 1], None]


def test_number_that_a_size_depends_on_is_not_traced() -> None:
    with pytest.raises(Untraced):
        every_way(lambda trace: trace.leaf(8, [0, 0], 1) * TracedNumber(0.5))
    with pytest.raises(Untraced):
        every_way(lambda trace: trace.leaf(8, [0, 0], 1) / 2)


def test_ways_that_bounds_exclude_are_not_gone() -> None:
    def run(trace: Trace) -> str:
        size = trace.leaf(8, [0, 0], 1)
        if size < 4:
            return "small" if size < 1 else "below four"
        return "four or more" if size >= 4 and size + 1 > 4 else "never"

    assert every_way(run) == ["<", [0, 0], 4, {"is": "below four"}, {"is": "four or more"}]
