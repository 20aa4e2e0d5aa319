"""How a picture becomes the input, and names of classes: what is written of them, read."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import PlainValidator

from compiler.errors import (
    CompileError,
    Diagnostic,
    Report,
    UsageError,
    did_you_mean,
    in_file_order,
    limit,
    listing,
    spelled,
    way_out,
)
from compiler.files import check_file
from compiler.spec import read_yaml, validate
from compiler.text import Located, Mapping, Node, describe, parse_value, plain, read_text
from compiler.text.fields import Text
from compiler.weights.mapping import Preprocessing, load_map, map_names

EXAMPLE = "{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5], interpolation: bicubic, crop: 7/8}"
"""What a command line may have in place of a map."""
NAMES = Path(__file__).with_name("names")
"""Where the names of classes are that netdraft ships."""


def _read_share(value: Any) -> str:
    """Return a fraction as text: `7/8`, of the text as of the number 0.875."""
    is_number = isinstance(value, int | Fraction) and not isinstance(value, bool)
    return str(Fraction(value)) if is_number else read_text(value)


class PreprocessingSpec(Located):
    """How a picture becomes the network's input."""

    source: Text = ""
    range: int = 1
    mean: list[int | Fraction]
    deviation: list[int | Fraction]
    interpolation: Literal["bilinear", "bicubic"]
    crop: Annotated[str, PlainValidator(_read_share)] = "1"


def parse_preprocessing(node: Node | None, report: Report) -> Preprocessing | None:
    """Return the preprocessing that a YAML mapping describes, or None; faults go to `report`."""
    if node is None:
        return None
    if not isinstance(node, Mapping):
        message = f"`preprocessing` is {describe(plain(node))}, not a mapping"
        report.add(Diagnostic("bad-value", message, node.span, help=f"write {EXAMPLE}"))
        return None
    spec = validate(PreprocessingSpec, node, "`preprocessing`", report)
    if spec is None:
        return None
    for key, message in _faults(spec):
        report.add(Diagnostic("bad-map", message, spec.span(key)))
    mean, deviation = tuple(map(float, spec.mean)), tuple(map(float, spec.deviation))
    return Preprocessing(spec.source, spec.range, mean, deviation, spec.interpolation, spec.crop)


def _faults(spec: PreprocessingSpec) -> list[tuple[str, str]]:
    """Return (key, what is wrong with its value)."""
    out = []
    if spec.range not in (1, 255):
        out.append(
            ("range", f"`range` is {spec.range}, not 1 or 255: the largest value of a pixel")
        )
    share = re.fullmatch(r"([0-9]{1,6})(?:/([0-9]{1,6}))?", spec.crop)
    if share is None or not 0 < int(share[1]) <= int(share[2] or 1):
        out.append(("crop", f"`crop` is `{spec.crop}`, not a share such as `7/8` or `1`"))
    for key, values in (("mean", spec.mean), ("deviation", spec.deviation)):
        if len(values) != 3 or (key == "deviation" and min(values) <= 0):
            message = f"`{key}` takes three numbers, one for each of red, green and blue"
            out.append((key, message))
    return out


def preprocessing_from(text: str, option: str = "--preprocessing") -> Preprocessing:
    """Return the preprocessing that a text describes: a mapping in braces, a map's name, or a file.

    A file is a map, or holds the keys of `preprocessing` alone.

    Args:
        text: as a user wrote it.
        option: what it is a value of.

    Raises:
        CompileError: the file is at fault.
        UsageError: the mapping is; there is no such map or file, or it has none.
    """
    place = spelled(option).rstrip("=")
    if text.lstrip().startswith("{"):
        try:
            return preprocessing_in(text, place)
        except CompileError as error:
            raise UsageError(f"{place}: {_sentence(error)}; write {EXAMPLE}") from None
    path = Path(text)
    if path.is_file() and text not in map_names():
        report, texts = Report(), dict[str, str]()
        node = read_yaml(path, report, texts)
        if report.errors:
            raise CompileError(in_file_order(report.diagnostics, texts), texts)
        if node.get("map") is None:
            return _parsed(node, texts)
    elif text not in map_names():
        guess = did_you_mean(text, map_names())
        raise UsageError(
            f"{spelled(option, text)} is no map and no file{guess}; "
            f"the maps are {listing(map_names())}, and '{EXAMPLE}' says it outright"
        )
    found = load_map(text).preprocessing
    if found is None:
        raise UsageError(f"{place}: the map {text} does not say how a picture becomes the input")
    return found


def say_preprocessing() -> str:
    """Return how a user says what becomes of a picture."""
    option = "--preprocessing"
    return f"say it with {spelled(option, 'MAP')} or {spelled(option, EXAMPLE)}"


def needed(found: Preprocessing | None, lack: str) -> Preprocessing:
    """Return the preprocessing that was found.

    Args:
        found: None where there is none.
        lack: the message then.

    Raises:
        UsageError: there is none.
    """
    if found is None:
        raise UsageError(f"{lack}; {say_preprocessing()}")
    return found


def _sentence(error: CompileError) -> str:
    """Return what is wrong with a text of one line, each fault at its place in it."""
    found = in_file_order(error.diagnostics, ())
    return "; ".join(dict.fromkeys(d.message for d in found))


def preprocessing_in(text: str, place: str) -> Preprocessing:
    """Return the preprocessing that a text holds, a YAML mapping in braces, such as JSON is.

    Raises:
        CompileError: the text is at fault; it is called `place`.
    """
    return _parsed(parse_value(text, place), {place: text})


def _parsed(node: Node, texts: dict[str, str]) -> Preprocessing:
    report = Report()
    found = parse_preprocessing(node, report)
    if report.errors:
        raise CompileError(in_file_order(report.diagnostics, texts), texts)
    assert found is not None
    return found


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names of classes in a text file: one a line, below lines that begin with `#`.

    Raises:
        UsageError: it cannot be read, is too long, holds no name, or has an empty line between
            names, after which every class would bear the name of another.
    """
    check_file(path)
    with path.open("rb") as stream:
        data = stream.read(limit("bytes") + 1)
    if len(data) > limit("bytes"):
        raise UsageError(f"{path} is too long for names of classes: {way_out('bytes')}")
    try:
        lines = [line.strip() for line in data.decode("utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8") from None
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for number, line in enumerate(lines[first:], start=first + 1):
        if not line:
            raise UsageError(f"{path}:{number} is empty; each class takes one line, in order")
    if first == len(lines):
        raise UsageError(f"{path} holds no names; each class takes one line, in order")
    return tuple(lines[first:])


def names_beside(name: str, folder: Path) -> Path:
    """Return the file of names that a map means: beside it, or one that netdraft ships."""
    beside = folder / name
    return beside if beside.is_file() or not (NAMES / name).is_file() else NAMES / name
