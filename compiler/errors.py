"""Where a value stands, what is wrong with it, and how that is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a spec file: lines and columns count from 1, `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def inside(self, start: int, end: int) -> Span:
        """Return the span of characters `start` to `end` of a one-line scalar."""
        return replace(
            self,
            column=self.column + start,
            end_line=self.line,
            end_column=self.column + max(end, start + 1),
        )


NOWHERE = Span("<built in>", 0, 0)
"""The span of what no file says: a value that the compiler itself supplies."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A second place that matters to a diagnostic, with what it has to say."""

    span: Span
    text: str


Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a code, a sentence, the place, and a way out.

    `message` is a lower-case sentence with no full stop that shows the values;
    `label` stands under the caret; `remarks` are other places in the spec;
    `notes` are facts (the shapes on the way); `help` is what to change.
    """

    code: str
    message: str
    span: Span
    label: str = ""
    remarks: tuple[Remark, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    severity: Severity = "error"
    errata: tuple[str, ...] = ()


class CompileError(Exception):
    """What is wrong with a spec: every diagnostic of the run, in file order."""

    def __init__(
        self, diagnostics: Iterable[Diagnostic], texts: Mapping[str, str] | None = None
    ) -> None:
        self.diagnostics = tuple(diagnostics)
        self.texts: Mapping[str, str] = texts or {}
        super().__init__("\n".join(f"{d.span}: {d.code}: {d.message}" for d in self.diagnostics))


class UsageError(Exception):
    """The command was called wrongly: exit code 2, one line."""


class BackendError(Exception):
    """A target cannot express something that the graph says; the text says what and why."""


@dataclass(slots=True)
class Report:
    """Collects the diagnostics of one run, each distinct one once."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    _seen: set[tuple[str, Span, object]] = field(default_factory=set)

    def add(self, diagnostic: Diagnostic) -> None:
        """Record a finding unless the same code already stands at the same place.

        A block that is used ten times is one cause, so a shape error's key is its place and
        the other places that it names, such as the join, and not the message; elsewhere two
        findings at one place may differ in what they say.
        """
        said: object = diagnostic.message
        if diagnostic.code in {"shape-mismatch", "empty-output", "wrong-size"}:
            said = tuple(r.span for r in diagnostic.remarks if r.text.startswith("the "))
        key = (diagnostic.code, diagnostic.span, said)
        if key not in self._seen:
            self._seen.add(key)
            self.diagnostics.append(diagnostic)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that make the spec invalid."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def raise_if_errors(self) -> None:
        """Raise a `CompileError` with all findings if any of them is an error."""
        if self.errors:
            raise CompileError(self.diagnostics)


def in_file_order(
    diagnostics: Iterable[Diagnostic], files: Iterable[str]
) -> tuple[Diagnostic, ...]:
    """Return diagnostics file by file, in the order in which the files were read, then by line."""
    place = {file: i for i, file in enumerate(files)}

    def key(found: Diagnostic) -> tuple[int, int, int]:
        return place.get(found.span.file, len(place)), found.span.line, found.span.column

    return tuple(sorted(diagnostics, key=key))
