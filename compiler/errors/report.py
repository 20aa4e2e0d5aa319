"""Source locations, diagnostics, and the report that collects them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from compiler.errors.limits import Budget

from compiler.errors.shown import shown


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
"""The span of what is in no file: a value that the compiler itself supplies."""


def at_place(span: Span, text: str) -> str:
    """Return a message behind its place, `file:line:column: `, where it has one.

    >>> at_place(Span("a.yaml", 3, 5), "it is wrong"), at_place(NOWHERE, "it is wrong")
    ('a.yaml:3:5: it is wrong', 'it is wrong')
    """
    return text if span == NOWHERE else f"{span}: {text}"


@dataclass(frozen=True, slots=True)
class Remark:
    """A second place that a diagnostic points at, with a message of its own."""

    span: Span
    text: str


Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a code, a sentence, the place, and a way out.

    `message` is a lower-case sentence with no full stop that shows the values;
    `label` is printed under the caret; `remarks` are other places in the spec;
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


class NetdraftError(Exception):
    """What a user can cause; Python may print it too, so its text hides nothing."""

    def __str__(self) -> str:
        return shown(super().__str__())


class CompileError(NetdraftError):
    """What is wrong with a spec: every diagnostic of the run, in file order."""

    def __init__(
        self, diagnostics: Iterable[Diagnostic], texts: Mapping[str, str] | None = None
    ) -> None:
        self.diagnostics = tuple(diagnostics)
        self.texts: Mapping[str, str] = texts or {}
        super().__init__("\n".join(f"{d.span}: {d.code}: {d.message}" for d in self.diagnostics))


def fail(code: str, message: str, span: Span, **more: Any) -> CompileError:
    """Return an error with one diagnostic, to be raised."""
    return CompileError([Diagnostic(code, message, span, **more)])


class UsageError(NetdraftError):
    """The command was called wrongly: exit code 2, one line."""


class BackendError(NetdraftError):
    """A target cannot express something in the graph; the message states what and why."""


MORE: Mapping[Severity, str] = {"error": "more-errors", "warning": "more-warnings"}
"""Codes of the findings that summarise all that are not shown."""
ECHOES = frozenset(("unknown-block", "unknown-layer", "unknown-parameter", "unknown-erratum"))
"""Codes of findings about names that nothing defines."""
WANTING = frozenset(("missing-field", "missing-parameter", "unknown-layer", "unknown-parameter"))
"""Codes of findings about what is not there, which a variant may have taken away."""
Completion = Callable[[Diagnostic], Diagnostic]


def _most() -> int:
    from compiler.errors.limits import limit  # here, for limits have errors of their own

    return limit("errors")


def _budget() -> Budget:
    from compiler.errors.limits import Budget  # here, see above

    return Budget()


_OF_COPIES = frozenset((
    "empty-output", "groups-mismatch", "not-a-map", "not-a-vector", "operand-count", "pool-padding",
    "shape-mismatch", "share-mismatch", "wrong-size",
))  # fmt: skip
"""Codes of findings that each copy of a block has anew, at one place."""


@dataclass(slots=True)
class Report:
    """Collects the diagnostics of one run, each distinct one once.

    Of errors, and of warnings, the first `most` are kept; the rest are counted, and one finding
    at the first of them has their number.
    """

    diagnostics: list[Diagnostic] = field(default_factory=list)
    most: int = field(default_factory=_most)
    counts: Counter[Severity] = field(default_factory=Counter)
    """How many errors and warnings were found, those that are not kept too."""
    budget: Budget = field(default_factory=_budget)
    """What the run has spent of its limits."""
    is_partial: bool = False
    """True where something that may define names could not be read, which is reported: what
    nothing defines then is an echo of that."""
    removed: dict[str, Remark] = field(default_factory=dict)
    """Name -> where a variant took the key or the layer of that name away, and a note of it."""
    changed: list[tuple[Span, Span]] = field(default_factory=list)
    """What a variant changed, as its base wrote it, and where the change stands."""
    _seen: set[tuple[str, Span, object]] = field(default_factory=set)
    _more: dict[Severity, int] = field(default_factory=dict)

    def add(self, diagnostic: Diagnostic, complete: Completion | None = None) -> None:
        """Record a finding unless the same code is recorded at the same place.

        A block that is used ten times is one cause, so a shape error's key is its place and
        the other places that it names, such as the join, and not the message; elsewhere two
        findings at one place may differ in their messages.

        Args:
            diagnostic: the finding.
            complete: adds what is slow to find, such as the nearest of many names; it is called
                for a finding that is kept.
        """
        if diagnostic.code in MORE.values():  # one of ours, come back in a `CompileError`
            return
        if self.is_partial and diagnostic.code in ECHOES:
            return
        identity: object = diagnostic.message
        if diagnostic.code in _OF_COPIES:
            identity = tuple(r.span for r in diagnostic.remarks if r.text.startswith("the "))
        key = (diagnostic.code, diagnostic.span, identity)
        if key in self._seen:
            return
        self._seen.add(key)
        self.counts[diagnostic.severity] += 1
        if self.counts[diagnostic.severity] > self.most:
            self._count(diagnostic)
            return
        if complete is not None:
            diagnostic = complete(diagnostic)
            self._seen.add((key[0], key[1], diagnostic.message))
        self.diagnostics.append(self._with_removal(diagnostic))

    def _with_removal(self, found: Diagnostic) -> Diagnostic:
        """Return a finding at the change that removed what it misses."""
        if found.code not in WANTING or not self.removed:
            return found
        named = dict.fromkeys(re.findall("`([^`.]+)[^`]*`", found.message))
        gone = [self.removed[name] for name in named if name in self.removed]
        if found.code.startswith("missing"):  # what a variant's own file never had is its own fault
            gone = [each for each in gone if each.span.file != found.span.file]
        if not gone:
            return found
        found = replace(found, notes=(*found.notes, *(each.text for each in gone)))
        if gone[0].span.file == found.span.file:
            return found
        reader = Remark(found.span, "this needs it")
        return replace(found, span=gone[0].span, remarks=(reader, *found.remarks))

    def add_all(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Record findings, such as those of a `CompileError`, that are not recorded yet."""
        for diagnostic in diagnostics:
            self.add(diagnostic)

    def _count(self, diagnostic: Diagnostic) -> None:
        """Add one to those that are counted alone."""
        from compiler.errors.limits import way_out  # here, see above

        kind = diagnostic.severity
        rest = self.counts[kind] - self.most
        shown = f"first {self.most:,} are" if self.most > 1 else "first is"
        text = f"and {rest:,} more {kind}{'s' * (rest > 1)}; the {shown} shown"
        if kind not in self._more:
            self._more[kind] = len(self.diagnostics)
            more = Diagnostic(
                MORE[kind], text, diagnostic.span, "the next one", help=way_out("errors")
            )
            self.diagnostics.append(replace(more, severity=kind))
            return
        at = self._more[kind]
        self.diagnostics[at] = replace(self.diagnostics[at], message=text)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that make the spec invalid."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def spend(self, name: str, amount: int, span: Span, help: str = "") -> None:
        """Count what a limit bounds, before it is made.

        Raises:
            CompileError: it is more than the limit, `too-large`, after all findings so far.
        """
        if not self.budget.spend(name, amount):
            raise self.too_large(name, span, help)

    def too_large(self, name: str, span: Span, help: str = "") -> CompileError:
        """Return the error that a limit is reached, after all findings so far, to be raised."""
        from compiler.errors.limits import excess, way_out  # here, see above

        help = f"{help}; {way_out(name)}" if help else way_out(name)
        return CompileError(
            [*self.diagnostics, Diagnostic("too-large", excess(name), span, help=help)]
        )

    def raise_if_errors(self) -> None:
        """Raise a `CompileError` with all findings if any of them is an error."""
        if self.errors:
            raise CompileError(self.diagnostics)


def in_file_order(
    diagnostics: Iterable[Diagnostic], files: Iterable[str]
) -> tuple[Diagnostic, ...]:
    """Return diagnostics file by file, in the order in which the files were read, then by line.

    What counts those that are not shown comes last.
    """
    place = {file: i for i, file in enumerate(files)}

    def key(found: Diagnostic) -> tuple[bool, int, int, int]:
        span = found.span
        is_count = found.code in MORE.values()
        return is_count, place.get(span.file, len(place)), span.line, span.column

    return tuple(sorted(diagnostics, key=key))
