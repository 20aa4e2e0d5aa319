"""What an operation says of itself, traced for the page: formulas, and the conditions they rely on.

The page has rules of its own for the operations in `MIRRORED`. Any other is run here on sizes that
remember how they were computed: what it gives is a formula in the incoming sizes, and every
comparison on the way is a condition. The page evaluates both; where no condition holds it knows no
size, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any

from compiler.errors import Report
from compiler.graph import Dim, Graph, Op, Shape, ShapeError, Shown, Symbolic, letter
from compiler.ops import (
    OP_LAYERS,
    Activation,
    Layer,
    Parametric,
    Parts,
    spelled,
    with_words,
)
from compiler.spec import Defaults, Values
from compiler.text import Expr, ExprError, Unknown, Value, evaluate
from viz.html.formulas import plain
from viz.html.layers import fields_of

Json = dict[str, Any]
Tree = int | list[Any]

MIRRORED = frozenset(
    (
        "Input",
        "Conv2d",
        "MaxPool2d",
        "AvgPool2d",
        "GlobalPool2d",
        "AdaptiveAvgPool2d",
        "Linear",
        "Normalize",
        "BatchNorm",
        "Flatten",
        "Concat",
        "Add",
        "Subtract",
        "Multiply",
        "Maximum",
        "Activation",
        "PReLU",
        "Scale",
        "Dropout",
        "Softmax",
        "Identity",
    )
)
"""Operations that have rules in JavaScript; a test holds it against them."""

MARK = "\N{WHITE SQUARE}"
"""Stands before and behind the number of a formula in a message."""

OPEN = {"H": 1, "W": 2}
"""Letter -> the axis that is left open."""

USUAL = ((8, 6, 10), (16, 12, 8), (9, 9, 9), (12,))
"""Shapes on which an operation is tried that no layer of the graph has."""


class Untraced(Exception):
    """What an operation computes is no formula of sums, products and quotients."""


class _Trace:
    def __init__(self) -> None:
        self.conditions: list[list[Any]] = []
        self.shown: list[Tree] = []

    def size(self, value: int, tree: Tree) -> _Size:
        made = _Size(value)
        made.tree, made.trace = tree, self
        return made


class _Size(int):
    """A size that remembers its formula; comparing it is noted as a condition."""

    tree: Tree
    trace: _Trace

    def _with(self, sign: str, value: int, *parts: Tree) -> _Size:
        return self.trace.size(value, [sign, *parts])

    def __add__(self, other: int) -> _Size:
        if not isinstance(other, int):
            return NotImplemented
        if type(other) is int and not other:
            return self
        return self._with("+", int(self) + int(other), self.tree, tree(other))

    def __mul__(self, other: int) -> _Size:
        if not isinstance(other, int):
            return NotImplemented
        if type(other) is int and other == 1:
            return self
        return self._with("*", int(self) * int(other), self.tree, tree(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> _Size:
        return self * -1

    def __sub__(self, other: int) -> _Size:
        return self + -other

    def __rsub__(self, other: int) -> _Size:
        return -self + other

    def __floordiv__(self, by: int) -> _Size:
        return self._with("//", int(self) // int(by), self.tree, tree(by))

    def __rfloordiv__(self, other: int) -> _Size:
        return self._with("//", int(other) // int(self), tree(other), self.tree)

    def __mod__(self, by: int) -> _Size:
        return self._with("%", int(self) % int(by), self.tree, tree(by))

    def __rmod__(self, other: int) -> _Size:
        return self._with("%", int(other) % int(self), tree(other), self.tree)

    def __divmod__(self, by: int) -> tuple[_Size, _Size]:
        return self // by, self % by

    def _note(self, sign: str, other: object, holds: bool) -> bool:
        if isinstance(other, int):
            self.trace.conditions.append([sign, self.tree, tree(other), holds])
        return holds

    def __bool__(self) -> bool:
        return not self._note("==", 0, int(self) == 0)

    def __eq__(self, other: object) -> bool:
        return self._note("==", other, int.__eq__(self, other) is True)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: int) -> bool:
        return self._note("<", other, int(self) < int(other))

    def __le__(self, other: int) -> bool:
        return not self > other

    def __gt__(self, other: int) -> bool:
        return self._note(">", other, int(self) > int(other))

    def __ge__(self, other: int) -> bool:
        return not self < other

    def __hash__(self) -> int:
        raise Untraced

    def __str__(self) -> str:
        self.trace.shown.append(self.tree)
        return f"{MARK}{len(self.trace.shown) - 1}{MARK}"

    def __format__(self, spec: str) -> str:
        return str(self)

    def _refuse(self, *_: object) -> Any:
        raise Untraced

    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __float__ = __round__ = _refuse
    __lshift__ = __rshift__ = __and__ = __or__ = __xor__ = __index__ = _refuse


def tree(dim: Dim) -> Any:
    """Return the formula of a size that an operation made, None where it is unknown."""
    if isinstance(dim, _Size):
        return dim.tree
    return _formula(dim) if isinstance(dim, Symbolic) else dim


def _formula(size: Symbolic) -> Tree:
    """Return a formula in the letters `OPEN` as one in the sizes of the operand."""
    terms: list[Tree] = []
    for product, factor in size.terms:
        out = tree(factor)
        for atom in product:
            if isinstance(atom, str):
                out = ["*", out, ["in", 0, OPEN[atom]]]
            else:
                out = ["*", out, ["//", tree(atom.inner), atom.divisor]]
        terms.append(out)
    return reduce(lambda a, b: ["+", a, b], terms)


def traced(op: Op, incoming: Iterable[tuple[Shape, ...]]) -> Json:
    """Return what the page must know of an operation that comes behind shapes like these.

    `paths` are what it computes, each for where its conditions (`when`) hold: `sizes`, `parameters`
    and `macs` as formulas, or the `error` that it gives, with what is known of its size all the
    same. A formula is a number, `["in", operand, axis]`, or a sign with two formulas.
    """
    paths: dict[str, Json | None] = {}
    for shapes in _samples(incoming):
        for path in filter(None, (_path(op, shapes, is_open) for is_open in (False, True))):
            key = repr((path["ranks"], path["when"], "open" in path))
            # Formulas that differ where all conditions are the same hold a size that was lost.
            paths[key] = path if paths.get(key, path) == path else None
    words, details = op.words(Shown({}))
    return {
        "kind": op.kind,
        "traced": {
            "paths": [path for path in paths.values() if path is not None],
            "words": [words, details],
            "box": op.drawn_as,
            "keeps": op.keeps_shape,
            "least": list(op.least_grid()),
            "parameters": list(op.parameter_names),
        },
        **({"activation": op.function} if isinstance(op, Activation) else {}),
    }


def _samples(incoming: Iterable[tuple[Shape, ...]]) -> Iterable[tuple[tuple[int, ...], ...]]:
    """Yield shapes in numbers: those that come in, larger and smaller ones, and vectors."""
    found = {tuple(_numbers(shape) for shape in shapes) for shapes in incoming}
    for shapes in sorted(found) or [(shape,) for shape in USUAL]:
        yield shapes
        for place in range(3):
            for more in (1, 2, 3, 4):
                yield tuple(
                    _moved(shape, place, shape[place % len(shape)] + more) for shape in shapes
                )
            yield tuple(_moved(shape, place, 1) for shape in shapes)
        yield tuple((shape[0] * 3, *(7 * size for size in shape[1:])) for shape in shapes)
        yield tuple(shape[:1] for shape in shapes)
        yield tuple((shape[0], 5, 7) for shape in shapes)


def _numbers(shape: Shape) -> tuple[int, ...]:
    return tuple(d if isinstance(d, int) else 12 + 4 * axis for axis, d in enumerate(shape))


def _moved(shape: tuple[int, ...], place: int, more: int, times: int = 1) -> tuple[int, ...]:
    """Return a shape with another size at a place; a vector has but one."""
    place %= len(shape)
    return (*shape[:place], times * shape[place] + more, *shape[place + 1 :])


def _path(op: Op, shapes: tuple[tuple[int, ...], ...], is_open: bool) -> Json | None:
    """Run an operation on sizes that remember, the height and width of a map as letters if open.

    None where what it gives is no formula.
    """
    trace = _Trace()
    inputs = tuple(
        Shape(trace.size(size, ["in", place, axis]) for axis, size in enumerate(shape))
        for place, shape in enumerate(shapes)
    )
    if is_open:
        if len(inputs) != 1 or len(inputs[0]) != 3:
            return None
        inputs = (Shape((inputs[0].channels, *map(letter, OPEN))),)
    try:
        out = _run(op, inputs)
    except Untraced:
        return None
    if is_open and "error" in out:  # multiples of the letters may fit all the same
        return None
    unique = {repr(condition): condition for condition in trace.conditions}
    ranks = [len(shape) for shape in shapes]
    path = {"ranks": ranks, "when": [*unique.values()], "shown": trace.shown, **out}
    return {**path, "open": True} if is_open else path


def _run(op: Op, inputs: tuple[Shape, ...]) -> Json:
    out: Json = {}
    try:
        made = op.infer_shape(*inputs)
    except ShapeError as error:
        out["error"] = {"message": str(error), "help": error.help, "code": error.code}
        made = op.known_shape(*inputs)
    out["sizes"] = [tree(d) for d in made]
    out["parameters"] = tree(op.count_params(*inputs))
    out["macs"] = tree(op.count_macs(inputs, made))
    return out


class _Alone(Values):
    """Reads a layer's fields without what comes in."""

    asks_what_comes_in = False

    @property
    def channels(self) -> int | None:
        self.asks_what_comes_in = True
        return None

    @channels.setter
    def channels(self, value: int | None) -> None:
        pass


class Tracer:
    """Traces the layers of a spec, for the parameters that the graph has them with."""

    def __init__(
        self, graph: Graph, defaults: Mapping[str, Layer], norms: Mapping[str, Op]
    ) -> None:
        self.graph = graph
        self.defaults = defaults
        self.norms = norms
        self.codes: set[str] = set()
        """Of errors that the page finds itself."""
        self.arguments: dict[str, list[Mapping[str, Value]]] = {"": [graph.arguments]}
        for region in graph.regions.values():
            if region.definition is not None:
                known = self.arguments.setdefault(region.definition, [])
                known += [region.arguments] if region.arguments not in known else []

    def variants(self, layer: Layer, block: str) -> Json:
        """Return what a layer without a rule is for each of the values of its fields in the graph.

        Nothing for layers whose operations the page has rules for, and for structures.
        """
        if layer.op not in OP_LAYERS:
            return {}
        own = dict(fields_of(layer, self.defaults.get(layer.op)))
        variants: list[Json] = []
        for arguments in self.arguments.get(block) or [{}]:
            parts, is_bound = self._operations(layer, arguments)
            if all(op.kind in MIRRORED for _, op in parts):
                return {}
            with suppress(Untraced):
                if layer.sized_by(arguments) is not None:
                    own.pop(layer.op, None)
                values = [
                    _value(value, arguments if layer.says(field) else self.graph.arguments)
                    for field, value in own.items()
                ]
                if not is_bound and values not in [v["values"] for v in variants]:
                    variants.append({"values": values, "parts": self._parts(parts)})
        return {"traced": {"fields": list(own), "variants": variants}}

    def _operations(self, layer: Layer, arguments: Mapping[str, Value]) -> tuple[Parts, bool]:
        """Return a layer's operations, and whether they depend on more than its fields."""
        report = Report()
        defaults = Defaults(self.defaults, self.graph.arguments, set())
        reader = _Alone(layer, layer.op, arguments.__getitem__, report, defaults)
        reader.norms = self.norms
        reader.is_sized_by_layer = layer.sized_by(arguments) is not None
        parts = layer.operations(reader)
        return parts, reader.asks_what_comes_in or bool(report.errors)

    def _parts(self, parts: Parts) -> list[Any]:
        """Trace operations one after the other, each behind the shapes that it has in the graph."""
        nodes = self.graph.nodes.values()
        out = []
        for suffix, op in parts:
            made = traced(op, (self.graph.input_shapes(n) for n in nodes if n.op == op))
            paths = made["traced"]["paths"]
            self.codes |= {path["error"]["code"] for path in paths if "error" in path}
            out.append([suffix, made])
        return out


def _value(written: Any, arguments: Mapping[str, Value]) -> Any:
    """Return what a field comes to, as the page has it."""
    if isinstance(written, tuple | list):
        return [_value(part, arguments) for part in written]
    if isinstance(written, Parametric):
        argument = _value(written.argument, arguments)
        numbers = argument["q"] if isinstance(argument, dict) else (argument, 1)
        is_word = isinstance(argument, str)
        return spelled(written.word, argument if is_word else int(numbers[0]) / int(numbers[1]))
    if not isinstance(written, Expr):
        return plain(written)
    try:
        return plain(evaluate(written, with_words(arguments.__getitem__)))
    except (ExprError, Unknown, KeyError):
        raise Untraced from None
