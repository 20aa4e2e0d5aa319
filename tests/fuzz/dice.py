"""Draws of hypothesis by name, each shrinking to its simplest, and values of the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from compiler.ops import ACTIVATIONS
from tests.fuzz.arithmetic import Invalid
from tests.fuzz.expressions import Entries
from tests.fuzz.meaning import Named, Place, Scope
from tests.fuzz.tensors import Tensor

T = TypeVar("T")

WORDS = (*ACTIVATIONS, "prelu")
NUMBERS = (
    *("{n} + {k}", "{n} * {k}", "{n} // 2 + 1", "min({n}, {k})", "max({n}, {k})", "{n} % {k} + 1"),
    *("ceil({n} / {k})", "floor({n} / {k}) + 1", "round({n} / 2) + 1", "int({n} * 1.5)"),
    *("({n} + {m}) // 2", "-{n} + 2 * {m}", "{n} - {k}", "3 * ({k} + 1) - {n}", "1.0e0 * {n}"),
    *("{n} if {m} > {k} else {k}", "{k} if {n} == 1 else {n} if {m} < 4 else {k} + 1", "{n} ** 2"),
    *(
        "min({n}, {m}, {k})",
        "round_to({n} * 0.75, {k})",
        "2 ** {k} - 1",
        "[{n}, {m}, {k}][{k} // 2]",
    ),
    *("sum([{n}, {k}])", "max([{n}, {m}]) + len([{k}])", "{n} if relu != none else {k} / 0"),
)
"""Expressions over names of numbers."""
CONDITIONS = ("{n} > {k}", "{n} >= {k}", "{n} < {k}", "{n} <= {k}", "{n} == {k}", "{n} != {k}",
    "not {n} > {k}", "{n} > {k} and {m} < 9", "{n} > {k} or {m} == 2",
    "not ({n} == {k})", "'a' == 'b' or {n} == {k}", "(relu if {n} > {k} else none) == relu",
    )  # fmt: skip


class Dice:
    """What is drawn for one spec."""

    def __init__(self, draw: st.DrawFn, is_open: bool = False) -> None:
        self.draw = draw
        self.is_open = is_open
        """True: some size is a letter, so that expressions read channels alone."""

    def upto(self, most: int, least: int = 0) -> int:
        return self.draw(st.integers(least, most))

    def chance(self, percent: int) -> bool:
        """Return true in so many cases of a hundred; shrinks to false."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items; shrinks to the first."""
        return items[self.draw(st.integers(0, len(items) - 1))]

    def numbers(self, place: Place) -> list[str]:
        """Return the names of whole numbers that an expression can read here."""
        params = place.scope.frame.params
        names = [n for n, v in params.items() if type(v) is int]
        names += place.scope.variables
        lists = [n for n, v in params.items() if isinstance(v, Entries)]
        names += [f(n) for n in lists for f in ("{}[0]".format, "{}[-1]".format, "len({})".format)]
        sizes = ["channels"] if self.is_open else ["channels", "channels", "height", "width"]
        heads = [n for n, t in references(place.scope) if "." not in n and place._tensor(n) is t]
        heads += ["in"] + ["prev"] * (place.previous is not None)
        for size in sizes:
            for head in heads[-6:]:
                tensor = place._tensor(head)
                if tensor is not None and (size == "channels" or len(tensor.sizes) == 3):
                    names.append(f"{head}.{size}")
        return names

    def filled(self, place: Place, forms: Sequence[str]) -> str | None:
        """Return an expression over what can be read here, None where there is nothing."""
        names = self.numbers(place)
        if not names:
            return None
        n, m, k = self.pick(names), self.pick(names), self.upto(4, 1)
        return self.pick(forms).format(n=n, m=m, k=k)

    def count(self, place: Place, most: int, least: int = 1) -> Any:
        """Return a whole number from `least` to `most`, perhaps as an expression."""
        if self.chance(25):
            text = self.filled(place, ("{n}", *NUMBERS))
            if text is not None and self._is_whole(place, text, least, most):
                return text
        return self.upto(most, least)

    def _is_whole(self, place: Place, text: str, least: int, most: int) -> bool:
        try:
            value = place.value(text)
        except Invalid:
            return False
        return type(value) is int and least <= value <= most

    def flag(self, place: Place) -> Any:
        """Return true or false, perhaps as an expression."""
        flags = [n for n, v in place.scope.frame.params.items() if isinstance(v, bool)]
        if flags and self.chance(30):
            return self.pick(["{}", "not {}"]).format(self.pick(flags))
        if self.chance(15):
            return self.filled(place, CONDITIONS) or True
        return self.pick([True, False])

    def kernel(self, place: Place, most: int = 3) -> Any:
        """Return a kernel or stride in one of its forms."""
        values = place.scope.frame.params.items()
        names = [n for n, v in values if type(v) is tuple]
        if names and self.chance(25):
            return self.pick(names)
        height, width = self.upto(most, 1), self.upto(most, 1)
        form = self.upto(4)
        if form == 0:
            return f"{height}x{height}"
        if form == 1:
            return height
        if form == 2:
            return f"{height}x{width}"
        if form == 3:
            return [self.count(place, most), self.count(place, most)]
        return self.count(place, most)

    def entries(self, place: Place) -> Any:
        """Return a list, of numbers that are perhaps expressions."""
        names = [n for n, v in place.scope.frame.params.items() if isinstance(v, Entries)]
        if names and self.chance(25):
            return self.pick(names)
        return [self.count(place, 6) for _ in range(self.upto(4, 1))]

    def padding(self, place: Place) -> Any:
        """Return a padding in one of its forms."""
        params = place.scope.frame.params
        words = ("same", "valid", "V", "half")
        names = [n for n, v in params.items() if v in words or type(v) is int]
        names = [n for n in names if n.startswith(("pad", "v"))]
        if names and self.chance(40):
            return self.pick(names)
        a, b, c, d = (self.upto(2) for _ in range(4))
        pairs = (a, f"{a}x{b}", [a, b], [[a, b], [c, d]])
        return self.pick((*words, *pairs, "SAME", "VALID"))

    def activation(self, place: Place, none: bool = True) -> Any:
        """Return an activation, with an argument or without, or a parameter that is one."""
        if self.chance(15):
            return self.with_argument(place)
        params = place.scope.frame.params
        names = [n for n, v in params.items() if v in WORDS or str(v).startswith("{")]
        if names and self.chance(40):
            return self.pick(names)
        return self.pick((*("none",) * none, "relu", *WORDS))

    def with_argument(self, place: Place) -> dict[str, Any]:
        """Return an activation with its argument."""
        number = self.constant(place)
        return self.pick([
            {"leaky_relu": 0.2}, {"leaky_relu": number}, {"elu": 0.5}, {"elu": number},
            {"gelu": "tanh"}, {"gelu": "none"}, {"prelu": "one"}, {"prelu": "channels"},
        ])  # fmt: skip

    def constant(self, place: Place) -> Any:
        """Return a factor."""
        if self.chance(20):
            text = self.filled(place, ("{n} / {k}", "{n}", "1 / {k}", "0.5 * {k} - {n}"))
            names = [
                n for n, v in place.scope.frame.params.items() if type(v).__name__ == "Fraction"
            ]
            return self.pick(names) if names else text or 0.5
        return self.pick([0.5, 1, 1.0, 0.17, -1.5, 2, 0])


def left_out(scope: Scope) -> list[str]:
    """Return the names in reach of layers that a condition leaves out."""
    found: list[str] = []
    at: Scope | None = scope
    while at is not None:
        found += [name for name, named in at.names.items() if named.is_left_out]
        at = at.parent
    return found


def references(scope: Scope, deep: bool = True) -> list[tuple[str, Tensor]]:
    """Return what can be read from a scope: names, and paths into layers."""
    out: list[tuple[str, Tensor]] = []
    at: Scope | None = scope
    seen: set[str] = set()
    while at is not None:
        for name, named in at.names.items():
            if name not in seen:
                seen.add(name)
                out += _reach(name, named, 2 if deep else 0)
        at = at.parent
    return out + [(n, t) for n, t in scope.frame.inputs.items() if n not in seen]


def _reach(path: str, named: Named, depth: int) -> list[tuple[str, Tensor]]:
    if named.tensor is None:
        return []
    out = [(path, named.tensor)]
    if depth and named.inner is not None:
        for name, inner in named.inner.names.items():
            out += _reach(f"{path}.{name}", inner, depth - 1)
    return out
