"""Which of the lines around a fault in the indentation is the misindented one.

libyaml stops at the first line that no longer fits; the mistake may be there, in the line above,
or in the first line of what just ended. Each of them is moved to the columns of the others, and
blamed is the one whose move lets libyaml read furthest; among equals the one in the rarest column.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

LINES = 2000
"""Lines around the fault that are read again at most; beyond them its own line is blamed."""
AHEAD = 50
"""Lines after the fault that a move is tried on."""

_ODD = re.compile(r"\s*([^-\s]\s\s+\S|[^\w\s\"'&*<.-])")
"""A line that begins with a character too many: `x   conv: 3x3`."""


@dataclass(frozen=True, slots=True)
class Indentation:
    """A line, and the column in which it should begin, both from 0."""

    line: int
    column: int


def misindented_line(
    lines: Sequence[str], at: int, suspects: Sequence[int], columns: set[int]
) -> Indentation:
    """Return the line to blame, one of `suspects` (`at` is among them), and its right column."""
    start = max(0, min(suspects) - 1)
    while start > 0 and (not lines[start].strip() or lines[start][0].isspace()):
        start -= 1
    end = min(len(lines), at + AHEAD)
    if end - start > LINES:
        return Indentation(at, min(columns, key=lambda c: abs(c - indent_of(lines[at]))))
    window = list(lines[start:end])
    common = Counter(indent_of(line) for line in window if line.strip())
    best, move = (-1, False, 0, 0, False), Indentation(at, 0)
    for number in suspects:
        old, indent = lines[number], indent_of(lines[number])
        for column, new in _moved(old, columns):
            window[number - start] = new
            looks_odd = _ODD.match(old) is not None
            nearness = -abs(indent - column)
            score = _lines_read(window), looks_odd, -common[indent], nearness, number == at
            if score > best:
                best, move = score, Indentation(number, column)
        window[number - start] = old
    return move


def _moved(line: str, columns: set[int]) -> Iterator[tuple[int, str]]:
    """Yield the line moved to each column, with and without a character too many."""
    for column in sorted(columns):
        for new in (line.lstrip(), line[column + 1 :].lstrip()):
            if new and " " * column + new != line:
                yield column, " " * column + new
    if "#" in line:
        yield indent_of(line), line.replace("#", "", 1)


def _lines_read(lines: Sequence[str]) -> int:
    """Return how many lines libyaml reads before it stops."""
    try:
        for _ in yaml.parse("\n".join(lines), Loader=yaml.CLoader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return mark.line if mark else 0
    return len(lines)


def indent_of(line: str) -> int:
    """Return how many spaces a line begins with."""
    return len(line) - len(line.lstrip())
