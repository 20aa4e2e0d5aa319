"""What is open where libyaml stopped: brackets, lists and mappings, a quote."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from compiler.errors import Diagnostic, Remark, Span

Place = tuple[int, int]
"""Line and column, from 0 as libyaml counts."""

CLOSER = {"{": "}", "[": "]"}
OPENER = {"}": "{", "]": "["}
QUOTE_HELP = "a text that holds `: ` or ` #` stands in quotes"
STRUCTURE = re.compile(r"\s*(-\s|[\w.]+:(\s|$))")
"""How a line begins that is an item or an entry."""


def place_of(mark: Any) -> Place:
    """Return the place of one of libyaml's marks."""
    return mark.line, mark.column


@dataclass(slots=True)
class ParserState:
    """What is known where libyaml stopped."""

    file: str
    lines: list[str]
    problem: str
    context: str
    at: Place
    start: Place
    """Where the thing begins in which the problem is."""
    flow: list[Place] = field(default_factory=list)
    """Brackets that are open."""
    blocks: list[Place] = field(default_factory=list)
    """Lists and mappings by indentation that are open."""
    closed: list[Place] = field(default_factory=list)
    """Those that end right before the problem, the innermost first."""
    quote: tuple[Place, Place] | None = None
    """The last quoted text that swallowed lines of the spec."""
    question_mark: Place | None = None
    """The first `?` that begins a key."""
    before: Any = None
    """The last token before the problem."""

    def char(self, place: Place) -> str:
        """Return the character at a place, nothing at the end of a line."""
        line = self.line(place[0])
        return line[place[1]] if place[1] < len(line) else ""

    def line(self, number: int) -> str:
        """Return a line, an empty one past the end."""
        return self.lines[number] if number < len(self.lines) else ""

    def indent(self, number: int) -> int:
        """Return how many spaces a line begins with."""
        line = self.line(number)
        return len(line) - len(line.lstrip())

    def word(self, place: Place) -> str:
        """Return the word at a place, as far as an error shows it."""
        text = self.line(place[0])[place[1] :].strip()
        return text if len(text) <= 40 else text[:37] + "..."

    def span(self, place: Place) -> Span:
        """Return the span of the character at a place."""
        line, column = place[0] + 1, place[1] + 1
        return Span(self.file, line, column, line, column + 1)

    def fault(
        self, message: str, place: Place, help: str, *remarks: tuple[Place, str]
    ) -> Diagnostic:
        """Return the diagnostic of a fault at a place, with other places that matter."""
        more = tuple(Remark(self.span(where), words) for where, words in remarks)
        return Diagnostic("yaml-syntax", message, self.span(place), remarks=more, help=help)

    def take(self, token: Any) -> None:
        """Update the state with a token before the problem."""
        place = place_of(token.start_mark)
        if isinstance(token, yaml.BlockEndToken):
            self.closed.append(self.blocks.pop() if self.blocks else place)
            return
        self.closed.clear()
        if isinstance(token, (yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken)):
            self.blocks.append(place)
            return
        if isinstance(token, (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)):
            self.flow.append(place)
        elif isinstance(token, (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)):
            del self.flow[-1:]
        elif isinstance(token, yaml.KeyToken) and self.char(place) == "?":
            self.question_mark = self.question_mark or place
        elif isinstance(token, yaml.ScalarToken) and not token.plain and token.style in "'\"":
            end = place_of(token.end_mark)
            if any(STRUCTURE.match(self.line(n)) for n in range(place[0] + 1, end[0] + 1)):
                self.quote = place, end
        self.before = token
