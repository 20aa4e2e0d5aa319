"""Suggestions that are certain, made: a wrong word becomes the one that its message asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from compiler.edit.span_edits import Edit, apply_edits, slice_of
from compiler.errors import Diagnostic, is_slip, suggestion_of

Check = Callable[[Mapping[str, str]], tuple[Diagnostic, ...]]
"""Returns what is found where some files have other texts."""
MOST = 50
"""Edits of one run: each is checked, which takes as long as `check` does."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """An edit that was made, and the finding that asked for it."""

    found: Diagnostic
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.found.span}: `{self.old}` -> `{self.new}`"


def fix(
    found: Iterable[Diagnostic], texts: Mapping[str, str], check: Check
) -> tuple[dict[str, str], list[Fixed]]:
    """Return the texts of files that change, and the edits that were made.

    An edit is certain where the word is another one mistyped, the finding that asks for it is gone
    after it, and its line has no other one for it but such as ask for an edit themselves.

    Args:
        found: what is wrong.
        texts: file as spans name it -> its text, of those that may change.
        check: finds what is wrong after edits.
    """
    changed: dict[str, str] = {}
    made: list[Fixed] = []
    now = tuple(found)
    tried: set[tuple[str, str, str]] = set()
    while len(tried) < MOST:
        text_of = {**texts, **changed}
        candidates = (c for d in now if (c := _candidate(d, text_of)) and _key(c) not in tried)
        candidate = next(candidates, None)
        if candidate is None:
            break
        tried.add(_key(candidate))
        edit, result = _edit(candidate, text_of)
        attempt = {**changed, edit.span.file: result}
        after = check(attempt)
        if not _is_better(candidate.found, now, after):
            continue
        changed, now = attempt, after
        made.append(candidate)
    return changed, made


def _is_better(
    found: Diagnostic, before: Iterable[Diagnostic], after: Iterable[Diagnostic]
) -> bool:
    """True where a finding is gone and its line has none for it that asks for no edit."""
    old, new = (Counter(map(_identity, d)) for d in (before, after))
    place = _place(found)
    return new[_identity(found)] < old[_identity(found)] and not any(
        _place(each) == place and suggestion_of(each) is None
        for each in after
        if new[_identity(each)] > old[_identity(each)]
    )


def _key(fixed: Fixed) -> tuple[str, str, str]:
    return str(fixed.found.span), fixed.found.code, fixed.new


def _identity(found: Diagnostic) -> tuple[str, str, str]:
    """Return what tells a finding from others, wherever an edit before it has moved it."""
    message = re.sub(r"\(did you mean .*\)", "", found.message)
    return found.code, _place(found), message


def _place(found: Diagnostic) -> str:
    return f"{found.span.file}:{found.span.line}"


def _candidate(found: Diagnostic, texts: Mapping[str, str]) -> Fixed | None:
    """Return the edit that a finding asks for, where its place holds the wrong word once."""
    suggested = suggestion_of(found)
    text = texts.get(found.span.file)
    if suggested is None or text is None or not is_slip(*suggested):
        return None
    old, new = suggested
    return Fixed(found, old, new) if slice_of(text, found.span).count(old) == 1 else None


def _edit(fixed: Fixed, texts: Mapping[str, str]) -> tuple[Edit, str]:
    span = fixed.found.span
    text = texts[span.file]
    edit = Edit(span, slice_of(text, span).replace(fixed.old, fixed.new))
    return edit, apply_edits(text, [edit])
