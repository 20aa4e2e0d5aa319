"""What a file of weights is and would take, by its first bytes, directory and pickle alone."""

from __future__ import annotations

import pickle
import pickletools
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO

from compiler.errors import BackendError, excess, limit, way_out
from compiler.facts.available_memory import check_bytes, show_bytes

ARCHIVE = b"PK\x03\x04"
PICKLE = b"\x80"
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)[2:]
"""What a checkpoint that is no archive begins with, after the protocol (`torch.serialization`)."""
PICKLES = 5
"""Those of such a checkpoint: the magic number, a version, the machine, the tensors, their keys."""
BYTES = {"bytearray": "bytes", "encode": "bytes"}
"""What torch would call to make bytes, of any number for a few: `bytearray`, `_codecs.encode`."""
UNFILLED = {"_rebuild_nested_tensor": "nested tensors"}
"""What it would make of memory that is not filled yet, where the file is no archive."""
KNOWN = ("torch", "collections", "builtins", "__builtin__", "_codecs")
"""Packages of what torch calls for tensors."""
OTHERS = (
    (b"version https://git-lfs", "a pointer of Git LFS; `git lfs pull` fetches the file itself"),
    (b"\x89HDF", "HDF5, as Keras writes it"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"GGUF", "GGUF"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"),
    (b"7z\xbc\xaf", "compressed with 7z; unpack it first"),
)
"""First bytes of files that people take for weights -> what they are."""
_DAMAGE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, RuntimeError, IndexError, KeyError, TypeError, OverflowError, MemoryError),
)
"""What Python's readers of archives and pickles raise where bytes are not what they should be."""


def check_safetensors(path: Path) -> None:
    """Refuse a header that is longer than the file or than its limit, before it is parsed.

    What tensors take is in the file byte for byte, which safetensors checks itself.

    Raises:
        BackendError: it is cut off, or too large.
    """
    total = path.stat().st_size
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if total < 8:
        what = f"it is cut off after {total} bytes" if total else "it is empty"
        raise BackendError(f"{path} is no safetensors file: {what}")
    if header > total - 8:
        raise BackendError(
            f"{path} is no safetensors file: a header of {header:,} bytes does not fit into "
            f"{total:,} bytes"
        )
    if header > limit("header_bytes"):
        raise BackendError(
            f"{path} has a header of {header:,} bytes\n  help: {way_out('header_bytes')}"
        )
    check_bytes(str(path), total)


def check_checkpoint(path: Path) -> None:
    """Refuse what is no torch checkpoint or would take more than it shows, before it is loaded.

    Raises:
        BackendError: it is something else, unpacks beyond its limit, or makes bytes by code.
    """
    with path.open("rb") as file:
        start = file.read(512)
        other = _other_kind(start)
        if other:
            raise BackendError(f"{path} is neither safetensors nor a torch checkpoint: {other}")
        if start.startswith(ARCHIVE):
            _check_archive(path, file)
            return
        file.seek(0)
        _check_pickles(path, file, PICKLES if start[2:].startswith(MAGIC) else 1)
    check_bytes(str(path), path.stat().st_size)


def _other_kind(start: bytes) -> str:
    """Return what a file is by its first bytes; nothing for an archive or a pickle."""
    if start.startswith((ARCHIVE, PICKLE)):
        return ""
    for magic, name in OTHERS:
        if start.startswith(magic):
            return f"it is {name}"
    if not start:
        return "it is empty"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "it is a page of HTML, perhaps what a server said in its place"
    if start[257:262] == b"ustar":
        return "it is a tar archive; unpack it first"
    first = start[:16]
    if all(32 <= byte < 127 for byte in first):
        return f"it begins with `{first.decode('ascii')}`"
    return f"it begins with the bytes {first[:8].hex(' ')}"


def _check_archive(path: Path, file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check_unpacked(path, sum(entry.file_size for entry in entries))
            pickles = [e for e in entries if e.filename.rpartition("/")[2] == "data.pkl"]
            for entry in pickles:  # all that bear the name: who reads one may read another
                with archive.open(entry) as data:
                    _check_steps(path, data, BYTES)
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    if not pickles:
        named = any(e.filename.endswith(".npy") for e in entries)
        what = "NumPy's arrays (npz)" if named else "other files"
        raise BackendError(
            f"{path} is neither safetensors nor a torch checkpoint: it is an archive of {what}"
        )


def _check_unpacked(path: Path, total: int) -> None:
    own = path.stat().st_size
    if total - own > limit("unpacked_bytes"):
        raise BackendError(
            f"{path} of {show_bytes(own)} would unpack to {show_bytes(total)}\n"
            "  help: save it anew with torch.save, which compresses nothing; "
            f"{way_out('unpacked_bytes')}"
        )
    check_bytes(str(path), total)


def _check_pickles(path: Path, file: BinaryIO, count: int) -> None:
    """Check the pickles at the start of a checkpoint that is no archive."""
    try:
        for _ in range(count):
            _check_steps(path, file, BYTES | UNFILLED)
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def _check_steps(path: Path, file: IO[bytes], refused: dict[str, str]) -> None:
    most, called = limit("pickle_steps"), []
    for count, (step, value, _) in enumerate(pickletools.genops(file)):
        if count == most:
            raise BackendError(
                f"{path}: {excess('pickle_steps')}\n  help: {way_out('pickle_steps')}"
            )
        if step.name == "GLOBAL":
            called.append(str(value).replace(" ", "."))
    bad = [name for name in called if name.rpartition(".")[2] in refused]
    if not bad:
        return
    code = [name for name in called if name.partition(".")[0] not in KNOWN]
    if code:
        raise refused_code(path, code[0])
    raise refused_code(path, bad[0], refused[bad[0].rpartition(".")[2]])


def refused_code(path: Path, name: str, what: str = "code") -> BackendError:
    """Return the error that names what a file would call."""
    done = "is not run" if what == "code" else "are not made"
    return BackendError(
        f"{path} holds {what} besides tensors (`{name}`), which {done}; save the "
        "state_dict of the model instead, best as safetensors"
    )


def _damaged(path: Path, error: Exception) -> BackendError:
    reason = next(iter(str(error).splitlines()), "") or "it is cut off"
    return BackendError(f"{path} is a damaged torch checkpoint: {reason}")
