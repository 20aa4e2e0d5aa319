"""Pictures that take more than they show."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a black picture of one bit a pixel, with more chunks before its pixels."""
    packer = zlib.compressobj(9)
    rows = bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(rows) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", head), *chunks, (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def icon(inside: bytes) -> bytes:
    """Return an ICO that says 16x16 and holds another picture."""
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + inside


def tags(count: int, size: int) -> bytes:
    """Return a TIFF whose tags all name the same stretch of bytes."""
    at = 8 + 2 + 12 * count + 4
    entries = b"".join(struct.pack("<HHII", 20_000 + i, 1, size, at) for i in range(count))
    return b"II*\x00" + struct.pack("<IH", 8, count) + entries + bytes(4) + bytes(size)


def many_scans(side: int, copies: int) -> bytes:
    """Return a progressive JPEG whose last scan is there many times."""
    out = io.BytesIO()
    Image.new("L", (side, side)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * copies + data[-2:]


def packed(count: int) -> bytes:
    return zlib.compress(bytes(count), 9)


METADATA: dict[str, Callable[[], bytes]] = {
    "text that unpacks to 100 MB": lambda: png(9, 9, (b"zTXt", b"a\0\0" + packed(10**8))),
    "a profile that unpacks to 100 MB": lambda: png(9, 9, (b"iCCP", b"a\0\0" + packed(10**8))),
    "EXIF whose tags name the same bytes": lambda: png(9, 9, (b"eXIf", tags(40_000, 10**6))),
    "tags that name the same bytes": lambda: tags(40_000, 10**6),
}
