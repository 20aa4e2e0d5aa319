"""A text, line by line, and a place in it: what a parser of lines is made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_NAME = re.compile(r"[^\s%$(){}=,:\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


class ParseError(Exception):
    """A text is no printed graph: `3:14: expected `)`, found `]``."""


class Reader:
    """A text, line by line, and a place in it."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.row = -1
        self.at = 0
        self.line = ""

    def advance(self) -> None:
        """Go to the first letter of the next line that has one."""
        while self.row + 1 < len(self.lines):
            self.row += 1
            self.line = self.lines[self.row].rstrip()
            self.at = len(self.line) - len(self.line.lstrip())
            if self.line:
                return
        self.line, self.at = "", 0
        raise self.error("expected `}`, the text ends")

    def error(self, message: str, at: int | None = None) -> ParseError:
        """Return the error of a place: the one at hand, or a column of this line."""
        column = self.at if at is None else at
        return ParseError(f"{self.row + 1}:{column + 1}: {message}")

    def has(self, text: str) -> bool:
        """Step over a text if it comes next."""
        if not self.line.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def expect(self, text: str) -> None:
        """Step over a text that must come next."""
        if not self.has(text):
            raise self.error(f"expected `{text.strip() or 'a space'}`, {self._found()}")

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Step over what a pattern describes."""
        match = pattern.match(self.line, self.at)
        if match is None:
            raise self.error(f"expected {what}, {self._found()}")
        self.at = match.end()
        return match

    def name(self) -> str:
        """Step over a name."""
        return self.take(_NAME, "a name")[0]

    def listed(self, end: str, item: Callable[[], None]) -> None:
        """Step over items with commas between them, up to `end`."""
        while not self.has(end):
            item()
            if not self.has(", "):
                self.expect(end)
                return

    def quoted(self) -> str:
        """Read a text in quotes."""
        text = self.take(_QUOTED, "a text in quotes")[1]
        return re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), text)

    def value(self, read: Callable[[str], T], pattern: re.Pattern[str], what: str = "value") -> T:
        """Step over a value that a pattern describes, and return it."""
        start, text = self.at, self.take(pattern, f"a {what}")[0]
        try:
            return read(text)
        except (ValueError, ArithmeticError):
            raise self.error(f"`{text}` is no {what}", start) from None

    def end(self) -> None:
        """Require the end of the line."""
        if self.at < len(self.line):
            raise self.error(f"expected the end of the line, {self._found()}")

    def _found(self) -> str:
        rest = self.line[self.at :]
        word = re.match(r"[\w.]+|.", rest)
        return f"found `{word[0]}`" if word else "the line ends"
