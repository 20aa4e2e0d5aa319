"""Arguments of calls from Python: what a caller gave, or a sentence about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from reprlib import repr as shortened
from typing import NoReturn

from compiler.errors.report import UsageError


def refuse(what: str, value: object, help: str) -> NoReturn:
    """Refuse an argument.

    Raises:
        UsageError: always; `help` is what it may be.
    """
    raise UsageError(f"{what}={shortened(value)}: {help}")


def file_given(what: str, value: object, others: str = "") -> None:
    """Refuse what is no name of a file.

    Raises:
        UsageError: `value` is no text and no path; `others` is what else there may be.
    """
    if not isinstance(value, str | PathLike):
        refuse(what, value, f"give a file{others}")


def texts_given(what: str, value: object, example: str) -> tuple[str, ...]:
    """Return texts; a single one is one of them, not a sequence of its letters.

    Raises:
        UsageError: it is no sequence, or something in it is no text.
    """
    texts = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    for text in texts:
        if not isinstance(text, str):
            refuse(what, value, f"give texts, as in [{example!r}]")
    return texts


def whole_given(what: str, value: object, least: int = 0) -> None:
    """Refuse what is no whole number from `least`.

    Raises:
        UsageError: it is another thing, or less.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        refuse(what, value, f"it takes a whole number from {least}")


def named_given(what: str, value: object, example: str) -> None:
    """Refuse what is no mapping by name.

    Raises:
        UsageError: it is no mapping, or one of its keys is no text.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        refuse(what, value, f"give values by name, as in {example}")
