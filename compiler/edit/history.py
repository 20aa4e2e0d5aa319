"""Edits that are written and can be taken back, whatever else happens to the files meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path

from compiler.edit.span_edits import Edit, SourceFile, apply_edits, slice_of
from compiler.errors import Span, UsageError

MOST = 1000
"""Edits that are remembered."""


@dataclass(frozen=True, slots=True)
class Change:
    """An edit that was made: what stands at a place now, and what stood there before."""

    path: Path
    what: str
    span: Span
    """Of what stands there now, in `text`."""
    now: str
    before: str
    text: str
    """The file after it."""

    def __str__(self) -> str:
        return f"{self.span}: `{self.what}`: `{self.before}` -> `{self.now}`"


@dataclass(slots=True)
class History:
    """The edits of one session, and those of them that were taken back."""

    done: list[Change] = field(default_factory=list)
    undone: list[Change] = field(default_factory=list)

    def write(self, file: SourceFile, edit: Edit, what: str) -> Change:
        """Make an edit of one line and write the file.

        Raises:
            UsageError: the file cannot be written.
        """
        change = _make(file, edit, what)
        self.done = [*self.done[-MOST + 1 :], change]
        self.undone.clear()
        return change

    @property
    def standing(self) -> tuple[str, str]:
        """What `undo` and `redo` would do, in words; empty for nothing."""
        return _back(self.done), _back(self.undone)

    def undo(self) -> Change:
        """Take the last edit back.

        Raises:
            UsageError: there is none, or its place was changed meanwhile.
        """
        return _take_back(self.done, self.undone, "there is nothing to undo")

    def redo(self) -> Change:
        """Make the edit again that was taken back last.

        Raises:
            UsageError: there is none, or its place was changed meanwhile.
        """
        return _take_back(self.undone, self.done, "there is nothing to redo")


def _back(changes: list[Change]) -> str:
    return f"{changes[-1].what}: {changes[-1].now} -> {changes[-1].before}" if changes else ""


def _make(file: SourceFile, edit: Edit, what: str) -> Change:
    before, text = slice_of(file.text, edit.span), apply_edits(file.text, [edit])
    file.write(text)
    end = edit.span.column + len(edit.text)
    return Change(file.path, what, replace(edit.span, end_column=end), edit.text, before, text)


def _take_back(changes: list[Change], to: list[Change], none: str) -> Change:
    if not changes:
        raise UsageError(none)
    last = changes[-1]
    file = SourceFile.read(last.path)
    line = line_after(last.text, file.text, last.span.line)
    if line is None:
        raise UsageError(
            f"{last.span.file}: the line with `{last.what}: {last.now}` was changed meanwhile; "
            "it is left as it is"
        )
    span = replace(last.span, line=line, end_line=line)
    change = _make(file, Edit(span, last.before), last.what)
    to.append(change)
    changes.pop()
    return change


def line_after(before: str, after: str, line: int) -> int | None:
    r"""Return where a line of a text stands in a later one; None where it is changed or gone.

    >>> line_after("a\nb\nc\n", "new\na\nb\n", 2)
    3
    """
    if before == after:
        return line
    old, new = before.splitlines(), after.splitlines()
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for block in matcher.get_matching_blocks():
        if block.a <= line - 1 < block.a + block.size:
            return line + block.b - block.a
    return None
