"""A size or a count of a node as a formula: a letter for each size and width that it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from compiler.graph import Dim, Graph, Node, Op, Shape, ShapeError, letter
from compiler.graph.symbolic import Exact, Floor, Symbolic

WIDTHS = ("out_channels", "out_features")
"""Attributes that say how many channels leave an operation."""
OUTPUT = -1
"""The operand's number that means the output."""
Asked = Callable[[Op, tuple[Shape, ...], Shape], Dim]
"""Gives the number that is asked for, from an operation, its inputs and its output."""


@dataclass(frozen=True, slots=True)
class Size:
    """An axis of an operand, or of the output."""

    operand: int
    axis: int


Meaning = Size | str
"""What a letter stands for: a size, or an attribute."""


@dataclass(frozen=True, slots=True)
class Lettered:
    """A formula, and what its letters stand for."""

    formula: Dim
    meaning: Mapping[str, Meaning]

    @property
    def only(self) -> Meaning | None:
        """What the formula is, where it is one letter."""
        return next((m for name, m in self.meaning.items() if self.formula == letter(name)), None)

    def text(self, show: Callable[[Meaning], str]) -> str:
        """Return the formula with each letter replaced."""
        names = re.compile("|".join(self.meaning) or "$^")
        spaced = re.sub(r"(?<=[\w)])(//|[-+*])", r" \1 ", _window_text(self.formula))
        return names.sub(lambda found: show(self.meaning[found[0]]), spaced)


def _window_text(formula: Dim) -> str:
    """Return a formula as text, that of a window as textbooks have it: `(x-3)//2+1`."""
    match formula:
        case Symbolic(terms=(((Floor(inner, divisor),), 1), ((), shift))):
            return f"({inner + divisor * (shift - 1)})//{divisor}+1"
    return str(formula)


def in_letters(graph: Graph, node: Node, asked: Asked) -> Lettered:
    """Return a number of a node as a formula.

    The operation itself computes it, of letters in the place of sizes. It may refuse letters that
    it would have to compare, so the fewest of these give way: sizes of the grid are one letter for
    all operands, then channels too, then channels are numbers.
    """
    inputs = graph.input_shapes(node)
    actual = _asked(asked, node.op, inputs, node.shape)
    if actual is None:
        return Lettered(None, {})
    for lettered in _attempts(inputs):
        meaning: dict[str, Meaning] = {n: m for shape in lettered for n, m in shape.items()}
        values: dict[str, Dim] = {}
        shapes = tuple(
            _in_letters(shape, names) for shape, names in zip(inputs, lettered, strict=True)
        )
        for name, size in meaning.items():
            values[name] = inputs[size.operand][size.axis] if isinstance(size, Size) else None
        own = {f"_o{axis}": Size(OUTPUT, axis) for axis in range(1, len(node.shape))}
        output = _in_letters(node.shape, own)
        values |= {name: node.shape[size.axis] for name, size in own.items()}
        op = node.op
        for attribute in WIDTHS:
            if attribute in op.attributes():
                meaning["_w"], values["_w"] = attribute, getattr(op, attribute)
                op = replace(op, **{attribute: letter("_w")})
        found = _asked(asked, op, shapes, output)
        known = {name: value for name, value in values.items() if value is not None}
        if found is not None and _at(found, known) == actual:
            return Lettered(found, {**meaning, **own})
    return Lettered(actual, {})


def _asked(asked: Asked, op: Op, inputs: tuple[Shape, ...], output: Shape) -> Dim:
    """Return what is asked for, None where the operation has no answer."""
    with suppress(ShapeError, ValueError, ArithmeticError, TypeError, IndexError):
        return asked(op, inputs, output)
    return None


def _at(found: Exact, values: Mapping[str, Exact]) -> Dim:
    with suppress(ArithmeticError):
        return found.at(values) if isinstance(found, Symbolic) else found
    return None


def _attempts(inputs: Sequence[Shape]) -> Iterator[list[dict[str, Size]]]:
    """Yield names for the sizes of every operand, the most telling first."""
    axes = [range(len(shape)) for shape in inputs]
    for first in (0, 1):  # without letters for channels last
        for shared_from in (3, 1, 0) if len(inputs) > 1 else (3,):
            out: list[dict[str, Size]] = []
            for operand, own in enumerate(axes):
                sizes = [Size(0 if a >= shared_from else operand, a) for a in own if a >= first]
                out.append({f"_{s.operand:06}_{s.axis}": s for s in sizes})
            yield out


def _in_letters(shape: Shape, names: Mapping[str, Size]) -> Shape:
    """Return a shape with letters; a size of 1 stays, which is spread over others."""
    letters = {size.axis: letter(name) for name, size in names.items()}
    return Shape(
        dim if dim is None or dim == 1 else letters.get(axis, dim) for axis, dim in enumerate(shape)
    )
