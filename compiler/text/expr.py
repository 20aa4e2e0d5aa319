"""What an expression is: its values, its syntax tree, and how a value is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

Pair = tuple[int, int]
Size = tuple[int, ...]


class ValueList(tuple["Value", ...]):
    """A list of values, `[64, 128]`; a size such as `3x3` is a plain tuple."""

    __slots__ = ()


Value: TypeAlias = int | Fraction | bool | str | Size | tuple[Pair, Pair] | ValueList | None
"""What a parameter or an expression can be; None where an error made it unknown."""

MAX_SHOWN = 10**18
"""From here on a message rounds a number."""


class ExprError(Exception):
    """An expression is wrong; `start` and `end` are offsets in its text.

    A `help` that is slow to find is a function.
    """

    def __init__(
        self, message: str, start: int, end: int, help: str | Callable[[], str] = ""
    ) -> None:
        super().__init__(message)
        self.start = start
        self.end = end
        self.help = help


class Unknown(Exception):
    """The value depends on something that an earlier error made unknown."""


@dataclass(frozen=True, slots=True)
class Term:
    """A node of the syntax tree.

    kind is `number`, `name`, `text` (in quotes), `size` (`3x3`), `list`, `item` (the list and the
    index), `call`, an operator (`+ - * / // % **`), a comparison, `and`, `or`, `not`, `neg` or
    `if` (the condition, what holds where it is true, what else); `text` is the name, the digits,
    or what is between the quotes.
    """

    kind: str
    text: str
    args: tuple[Term, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Expr:
    """A parsed expression and the text it came from."""

    text: str
    root: Term
    sizes: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Size that it reads, `a.channels` -> the node whose size that is, where that is known."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it reads, in order of appearance, each once."""
        found: dict[str, None] = {}
        stack = [self.root]
        while stack:
            term = stack.pop()
            if term.kind == "name":
                found[term.text] = None
            stack.extend(reversed(term.args))
        return tuple(found)


def name_of(name: str) -> Expr:
    """Return the formula that is a name alone."""
    return Expr(name, Term("name", name, (), 0, len(name)))


def list_of(parts: Sequence[Expr]) -> Expr:
    """Return the formula of a list of formulas that stand apart, as YAML has them."""
    text = f"[{', '.join(part.text for part in parts)}]"
    return Expr(text, Term("list", "[", tuple(part.root for part in parts), 0, len(text)))


def _rounded(value: int) -> str:
    digits = str(abs(value))
    return f"{'-' * (value < 0)}{digits[0]}.{digits[1:4]}e{len(digits) - 1}"


def _listed(pair: object) -> str:
    return str(list(pair)) if isinstance(pair, tuple) else str(pair)


def show_value(value: Value) -> str:
    """Return a value as a spec writes it: `22.4`, `3x3`, `true`, `[64, 128]`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        return f"{float(value):.12g}" if abs(value) < MAX_SHOWN else _rounded(int(value))
    if isinstance(value, int) and abs(value) >= MAX_SHOWN:
        return _rounded(value)
    if isinstance(value, ValueList):
        return f"[{', '.join(map(show_value, value))}]"
    if isinstance(value, tuple):
        is_size = isinstance(value[0], int)
        return "x".join(map(str, value)) if is_size else f"[{', '.join(map(_listed, value))}]"
    return "?" if value is None else str(value)
