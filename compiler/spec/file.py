"""One file of a spec: which file a name means, and the YAML that it holds."""

from __future__ import annotations

import os
from collections.abc import Mapping as Mapping_
from pathlib import Path

from compiler.errors import Report, Span, UsageError, did_you_mean, fail, limit
from compiler.spec.shipped import shipped_names, shipped_spec
from compiler.spec.tree import is_file, kind_of
from compiler.text import Mapping, check_is_text, decode, describe, parse_yaml, plain

NOTHING_UNSAVED: Mapping_[str, str] = {}
LANGUAGE = 1
"""The version of the language that is read here; a file says its own with `netdraft: 1`."""


def find_spec(path: str | Path) -> Path:
    """Return the file of a spec: a path, or a shipped name such as `inception_v4`.

    Raises:
        UsageError: there is no such file.
    """
    if not str(path):
        raise UsageError("'' names no spec; give a file, or a shipped name such as inception_v4")
    given = Path(path)
    if is_file(given):
        return given
    if kind := kind_of(given):
        more = "; name a spec file in it" if kind == "a folder" else ", not a file"
        raise UsageError(f"{path} is {kind}{more}")
    shipped = shipped_spec(str(path))
    if shipped is not None:
        return shipped
    guess = did_you_mean(str(path).removesuffix(".yaml"), shipped_names())
    raise UsageError(f"there is no spec {path}{guess}")


def display(path: Path) -> str:
    """Return a path as diagnostics show it: relative to the current folder where it is below."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def read_yaml(
    path: Path,
    report: Report,
    texts: dict[str, str],
    unsaved: Mapping_[str, str] = NOTHING_UNSAVED,
) -> Mapping:
    """Return the mapping that a YAML file holds; its text goes to `texts`, faults to `report`.

    What is `unsaved` takes the place of what the file holds.

    Raises:
        CompileError: the file cannot be parsed at all, or is too long.
        UsageError: it cannot be read.
    """
    file = display(path)
    start = Span(file, 1, 1)
    report.spend("files", 1, start)
    text = unsaved.get(os.path.realpath(path)) if unsaved else None
    if text is None:
        try:
            with path.open("rb") as stream:
                data = stream.read(limit("bytes") + 1)
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
        check_is_text(data, file)  # else a large file of weights is a spec that is too long
        report.spend("bytes", len(data), start)
        text = decode(data, file)
    texts[file] = text
    return parse_yaml(texts[file], file, report)


def check_version(written: Mapping) -> None:
    """Refuse a file of another version of the language, whatever else it says.

    Raises:
        CompileError: `unknown-version`.
    """
    node = written.get("netdraft")
    value = None if node is None else plain(node)
    if node is None or (value == LANGUAGE and type(value) is int):
        return
    message = f"`netdraft` is the version of the language, a whole number, found {describe(value)}"
    help = f"write `netdraft: {LANGUAGE}`"
    if type(value) is int and value > LANGUAGE:
        message = (
            f"the file is written in version {value} of the language, "
            f"this netdraft reads version {LANGUAGE}"
        )
        help = "install a newer one: `pip install --upgrade netdraft`"
    raise fail("unknown-version", message, node.span, help=help)
