"""Python expressions as small trees, laid out as `ruff format` would at 100 columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

WIDTH = 100
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Call:
    """A call; an argument is `(name, expression)`, with an empty name where it is positional."""

    function: str
    args: tuple[tuple[str, Code], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list display, or with other brackets a tuple or a dict."""

    items: tuple[Code, ...]
    opening: str = "["
    closing: str = "]"


@dataclass(frozen=True, slots=True)
class LocalVariable:
    """The value of a node of the graph: a local variable whose name is chosen later."""

    node: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Code with operators or subscripts between its parts: `a + 0.17 * b`, `x[:, :32]`.

    `tight` says that it needs no parentheses as an operand of `+`, `*` or a subscript.
    """

    parts: tuple[str | Code, ...]
    tight: bool = False


@dataclass(frozen=True, slots=True)
class Copies:
    """The same expression so many times: `*(InceptionA(384) for _ in range(4))`."""

    code: Code
    count: str
    opening: str = "*("
    closing: str = ")"


@dataclass(frozen=True, slots=True)
class Loop:
    """An expression for each of several values: `*(Stage(n=n) for n in (64, 128, 256))`."""

    code: Code
    variables: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    """Of each variable, its values."""
    opening: str = "*("
    closing: str = ")"

    @property
    def values(self) -> Code:
        """What the loop runs over."""
        lists = [_values(column) for column in self.columns]
        if len(lists) == 1:
            return lists[0]
        return Call("zip", (*(("", values) for values in lists), ("strict", "True")))


def _values(column: Sequence[str]) -> Code:
    """Return the values of a variable: a range, or a tuple; a long one by its runs.

    `range(64, 256, 32)`, `(True,) * 9 + (False,) * 6`.
    """
    if (steps := _range(column)) is not None:
        return steps
    plain = Listing(tuple(column), "(", ")")
    runs = [(value, len([*group])) for value, group in groupby(column)]
    parts = (f"({v},)" if times == 1 else f"({v},) * {times}" for v, times in runs)
    short = " + ".join(parts)
    width = len(", ".join(column))
    return short if width > LONGEST and len(short) < width else plain


LONGEST = 72
"""Characters of a tuple that is written out."""
_STEP = re.compile(r"(?:([^\W\d]\w*)(?: \+ |$))?(\d*)")


def _range(column: Sequence[str]) -> Code | None:
    """Return four numbers or more with equal steps, alone or beside one name, as a range."""
    found = [_STEP.fullmatch(value) for value in column]
    if len(column) < 4 or None in found:
        return None
    bases = {match[1] for match in found if match is not None}
    numbers = [int(match[2] or 0) for match in found if match is not None]
    steps = {after - before for before, after in pairwise(numbers)}
    if len(bases) > 1 or len(steps) > 1 or min(steps) <= 0:
        return None
    base, step = bases.pop(), steps.pop()
    ends = (numbers[0], numbers[-1] + step)
    texts = [f"{base} + {n}" if base and n else base or str(n) for n in ends]
    return call("range", *texts, *([] if step == 1 else [str(step)]))


@dataclass(frozen=True, slots=True)
class Conditional:
    """One of two expressions: `chain(...) if s > 1 else nn.Identity()`."""

    code: Code
    condition: str
    other: Code


Code = str | Call | Listing | LocalVariable | Joined | Copies | Loop | Conditional
Names = Callable[[str], str]
"""Node name -> variable."""


def call(function: str, *args: Code, **named: Code) -> Call:
    """Return a call with positional and named arguments."""
    return Call(function, (*(("", a) for a in args), *named.items()))


def values_in(code: Code) -> Iterator[str]:
    """Yield the nodes whose values an expression reads, in order of evaluation."""
    if isinstance(code, LocalVariable):
        yield code.node
    elif isinstance(code, Call):
        for _, arg in code.args:
            yield from values_in(arg)
    elif isinstance(code, Conditional):
        yield from values_in(code.code)
        yield from values_in(code.other)
    elif isinstance(code, (Listing, Joined)):
        for part in code.items if isinstance(code, Listing) else code.parts:
            yield from values_in(part)


def flat(code: Code, names: Names) -> str:
    """Return an expression on one line."""
    if isinstance(code, str):
        return code
    if isinstance(code, LocalVariable):
        return names(code.node)
    if isinstance(code, Listing):
        return f"{code.opening}{', '.join(flat(i, names) for i in code.items)}{code.closing}"
    if isinstance(code, Joined):
        return "".join(flat(p, names) for p in code.parts)
    if isinstance(code, Copies):
        return f"{code.opening}{flat(code.code, names)} {_loop(code)}{code.closing}"
    if isinstance(code, Loop):
        head = f"for {', '.join(code.variables)} in {flat(code.values, names)}"
        return f"{code.opening}{flat(code.code, names)} {head}{code.closing}"
    if isinstance(code, Conditional):
        first = flat(code.code, names)
        before, after = _brackets(first)
        return f"{before}{first}{after} if {code.condition} else {flat(code.other, names)}"
    return f"{code.function}({', '.join(_argument(a, names) for a in code.args)})"


def _brackets(text: str) -> tuple[str, str]:
    """Return what a choice needs around it where one follows: `(a if b else c) if d else e`."""
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0 and text.startswith(" if ", position):
            return "(", ")"
    return "", ""


def _loop(copies: Copies) -> str:
    return f"for _ in range({copies.count})"


def _argument(arg: tuple[str, Code], names: Names) -> str:
    name, code = arg
    return f"{name}={flat(code, names)}" if name else flat(code, names)


def laid_out(prefix: str, code: Code, suffix: str, depth: int, names: Names) -> list[str]:
    """Return the lines of `prefix code suffix` at an indentation of `depth` levels.

    What does not fit on a line is opened at its outermost bracket: plain elements go on one
    line together, calls on a line each with a comma, which the formatter keeps as it is.
    """
    margin = INDENT * depth
    line = f"{margin}{prefix}{flat(code, names)}{suffix}"
    if len(line) <= WIDTH or isinstance(code, (str, LocalVariable)):
        return [line]
    if isinstance(code, Joined):
        return (
            [line] if prefix.endswith("(") else _parenthesised(prefix, code, suffix, depth, names)
        )
    if isinstance(code, Conditional):
        inner = f"{margin}{INDENT}{flat(code, names)}"
        if len(inner) <= WIDTH:
            return [f"{margin}{prefix}(", inner, f"{margin}){suffix}"]
        before, after = _brackets(flat(code.code, names))
        first = laid_out(before, code.code, after, depth + 1, names)
        other = laid_out("else ", code.other, "", depth + 1, names)
        condition = f"{margin}{INDENT}if {code.condition}"
        return [f"{margin}{prefix}(", *first, condition, *other, f"{margin}){suffix}"]
    if isinstance(code, Copies):
        copy = laid_out("", code.code, "", depth + 1, names)
        loop = f"{margin}{INDENT}{_loop(code)}"
        return [f"{margin}{prefix}{code.opening}", *copy, loop, f"{margin}{code.closing}{suffix}"]
    if isinstance(code, Loop):
        copy = laid_out("", code.code, "", depth + 1, names)
        head = f"for {', '.join(code.variables)} in "
        over = laid_out(head, code.values, "", depth + 1, names)
        return [f"{margin}{prefix}{code.opening}", *copy, *over, f"{margin}{code.closing}{suffix}"]
    if isinstance(code, Listing):
        opening, closing = code.opening, code.closing
        elements: list[tuple[str, Code]] = [("", i) for i in code.items]
    else:
        opening, closing = f"{code.function}(", ")"
        elements = list(code.args)
    out = [f"{margin}{prefix}{opening}"]
    inner = ", ".join(_argument(e, names) for e in elements)
    is_tuple = isinstance(code, Listing) and code.opening == "("
    fits = len(margin) + len(INDENT) + len(inner) <= WIDTH
    if fits and not is_tuple and not _has_calls(code):
        return [*out, f"{margin}{INDENT}{inner}", f"{margin}{closing}{suffix}"]
    for name, element in elements:
        out += laid_out(f"{name}=" if name else "", element, ",", depth + 1, names)
    return [*out, f"{margin}{closing}{suffix}"]


def _has_calls(code: Call | Listing) -> bool:
    parts = code.items if isinstance(code, Listing) else [a for _, a in code.args]
    return any(isinstance(p, (Call, Copies, Loop)) for p in parts)


def _parenthesised(prefix: str, code: Joined, suffix: str, depth: int, names: Names) -> list[str]:
    margin = INDENT * depth
    inner = f"{margin}{INDENT}{flat(code, names)}"
    return [f"{margin}{prefix}(", inner, f"{margin}){suffix}"]
