"""What an operation says of itself, as formulas in its operands' sizes and its own attributes."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from typing import Any

from compiler.facts.numbers.sizes import (
    Formula,
    Trace,
    TracedNumber,
    Untraced,
    every_way,
    formula_of,
)
from compiler.facts.why.letters import WIDTHS
from compiler.graph import Op, Shape, ShapeError
from compiler.ops.merge import Join

Json = dict[str, Any]
OFFSETS = ("start", "stop", "index")
"""Attributes that count from 0; below that from the end, which is another formula."""
EXAMPLES = ((7, 12), (60, 64))
"""Sizes that are tried: formulas that differ between them have lost a size on the way."""


def whole_numbers(op: Op, formulas: Container[str] = ()) -> tuple[str, ...]:
    """Return the attributes that are formulas' leaves: whole numbers that are not as usual.

    Args:
        op: the operation.
        formulas: attributes that are written as formulas.
    """
    return tuple(
        name
        for name, value in op.attributes().items()
        if type(value) is int and (name in formulas or value != getattr(type(op), name, None))
    )


def least_of(attribute: str) -> int:
    """Return the least that an attribute can be: an offset may be 0."""
    return int(attribute not in OFFSETS)


def key_of(op: Op, attribute: str) -> str:
    """Return the key of a layer that says an attribute: `filters` for `out_channels`."""
    return op.width_key if attribute in WIDTHS and op.width_key else attribute


@dataclass(frozen=True)
class TracedOp:
    """An operation with its whole numbers left open."""

    op: Op
    open: tuple[str, ...]
    """The attributes that are open, in the order of their leaves."""
    ranks: tuple[int, ...]
    """How many sizes each operand has."""

    def tree(self) -> Any:
        """Return what it gives, as `every_way` has it; None where it gives no formulas.

        A result is `{"s": sizes, "p": parameters, "m": multiply-accumulates}`, of which a size that
        is unknown is None; where the operands do not fit, `e` is the error: code, message, help,
        and the formulas whose numbers stand in them; the message goes on behind the node's name.
        """
        try:
            first, second = (every_way(self._run_on(*example)) for example in EXAMPLES)
        except Untraced:
            return None
        return first if first == second else None

    def _run_on(self, size: int, step: int) -> Callable[[Trace], Json]:
        def run(trace: Trace) -> Json:
            inputs = tuple(
                Shape(trace.leaf(size + step * axis, [at, axis], 1) for axis in range(rank))
                for at, rank in enumerate(self.ranks)
            )
            leaves = {
                name: trace.leaf(size + step, [-1, at], least_of(name))
                for at, name in enumerate(self.open)
            }
            numbers = {
                name: TracedNumber(value)
                for name, value in self.op.attributes().items()
                if type(value) is float
            }
            return _said_by(replace(self.op, **leaves, **numbers), inputs, trace)

        return run


def _said_by(op: Op, inputs: tuple[Shape, ...], trace: Trace) -> Json:
    out: Json = {}
    try:
        made = op.infer_shape(*inputs)
    except ShapeError as error:
        message, help = f": {error}", error.help
        if isinstance(op, Join) and trace.conditions:
            message, help = _apart(op, inputs, trace), op.way_out
        out["e"] = [error.code, message, help, list(trace.shown)]
        trace.is_settled = True
        made = op.known_shape(*inputs)
    out["s"] = [formula_of(d) for d in made]
    for key, count in (
        ("p", lambda: op.count_params(*inputs)),
        ("m", lambda: op.count_macs(inputs, made)),
    ):
        counted = _counted(count)
        if counted != 0:
            out[key] = counted
    return out


def _apart(op: Join, inputs: tuple[Shape, ...], trace: Trace) -> str:
    """Return which operands do not go together: those that were compared last."""
    _, (first, _), (second, _) = trace.conditions[-1]  # type: ignore[misc]
    return f" cannot {op.verb} {inputs[first].paper} with {inputs[second].paper}"


def _counted(count: Callable[[], Any]) -> Formula | None:
    try:
        found: Formula | None = formula_of(count())
    except ShapeError:
        return None
    return found


class Operations:
    """The operations of a graph, equal ones once: `{tree, open: [[attribute, least, key]]}`."""

    def __init__(self) -> None:
        self.written: list[Json] = []
        self._numbers: dict[Any, int | None] = {}

    def number_of(
        self, op: Op, ranks: tuple[int, ...], formulas: Container[str]
    ) -> tuple[int, tuple[str, ...]]:
        """Return the number of an operation, and its attributes that are open in it.

        Args:
            op: the operation.
            ranks: how many sizes each of its operands has.
            formulas: attributes that are written as formulas.
        """
        names = whole_numbers(op, formulas)
        number = self._number(op, names, ranks) if names else None
        if number is not None:
            return number, names
        number = self._number(op, (), ranks, is_needed=True)
        assert number is not None
        return number, ()

    def _number(
        self, op: Op, names: tuple[str, ...], ranks: tuple[int, ...], is_needed: bool = False
    ) -> int | None:
        key = (replace(op, **dict.fromkeys(names, 1)), names, ranks)
        if key not in self._numbers:
            tree = TracedOp(op, names, ranks).tree()
            self._numbers[key] = None
            if tree is not None or is_needed:  # of what is not traced nothing is known
                self._numbers[key] = len(self.written)
                opened = [[name, least_of(name), key_of(op, name)] for name in names]
                self.written.append({"tree": tree, **({"open": opened} if opened else {})})
        return self._numbers[key]
