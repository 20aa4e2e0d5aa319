"""Bytes of a file -> text; what is no text is named."""

from __future__ import annotations

import re

from compiler.errors import Span, fail

_KINDS: tuple[tuple[bytes, str], ...] = (
    (rb".{7}\0\{", "holds weights (safetensors)"),
    (rb"PK\x03\x04", "is an archive, as torch's checkpoints are"),
    (rb"\x80[\x02-\x05]", "holds a pickle, as torch's checkpoints do"),
    (rb"\x89HDF\r\n", "holds HDF5 data, as Keras' weights are"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|%PDF", "is a picture or a document"),
)
"""How files begin that are named where YAML is meant -> what each is."""


def check_is_text(data: bytes, file: str) -> None:
    """Refuse what is no text but a file of weights, or another that is known by its first bytes.

    Raises:
        CompileError: `not-utf8`.
    """
    for start, what in _KINDS:
        if re.match(start, data[:16], re.DOTALL):
            raise fail(
                "not-utf8",
                f"the file is no YAML: it {what}",
                Span(file, 1, 1),
                help="name the YAML file that is meant: a spec, or with `weights` a map of names",
            )


def decode(data: bytes, file: str) -> str:
    """Return the text of a spec file: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        CompileError: `not-utf8`, at the first byte that is not.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise fail(
            "not-utf8",
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            Span(file, line, column),
            help="save it as UTF-8",
        ) from None
