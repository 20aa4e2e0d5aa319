"""Edits by place: line and column, as messages count them, in the text as it stands on disk."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from compiler.errors import Span, UsageError
from compiler.files import write_file
from compiler.text import decode

BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, as libyaml counts lines."""
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
         (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of a file, and what takes its place."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of text that is written as it was read: its encoding, mark and line ends stay."""

    path: Path
    text: str
    mark: bytes
    encoding: str

    @classmethod
    def read(cls, path: Path) -> SourceFile:
        """Return a file.

        Raises:
            CompileError: it is not UTF-8.
            UsageError: it cannot be read.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        for mark, encoding in MARKS:
            if data.startswith(mark):
                return cls(path, data[len(mark) :].decode(encoding, "replace"), mark, encoding)
        return cls(path, decode(data, str(path)), b"", "utf-8")

    def write(self, text: str) -> None:
        """Write a new text in the place of the old one, whole or not at all."""
        write_file(self.path, self.mark + text.encode(self.encoding))


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits; they may stand in any order, and none inside another.

    Raises:
        ValueError: two of them overlap.
    """
    starts = line_starts(text)
    found = sorted((*_offsets(edit.span, starts), edit.text) for edit in set(edits))
    out, at = [], 0
    for begin, end, new in found:
        if begin < at:
            raise ValueError("two edits overlap")
        out += [text[at:begin], new]
        at = end
    return "".join([*out, text[at:]])


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line begins; one more line begins where the text ends."""
    return [0, *(found.end() for found in BREAKS.finditer(text)), len(text)]


def slice_of(text: str, span: Span) -> str:
    """Return the characters of a span."""
    begin, end = _offsets(span, line_starts(text))
    return text[begin:end]


def _offsets(span: Span, starts: list[int]) -> tuple[int, int]:
    end_line = span.end_line or span.line
    end_column = span.end_column or span.column
    return starts[span.line - 1] + span.column - 1, starts[end_line - 1] + end_column - 1
