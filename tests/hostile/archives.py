"""Files of weights that take more than they show."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import torch


def zip_bomb(folder: Path) -> None:
    """Write `z.pt`: a gigabyte of zeros in a megabyte, a checkpoint in all else."""
    plain = io.BytesIO()
    torch.save({"c.weight": torch.zeros(2**18)}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(folder / "z.pt", "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith("/data/0"):
                new.writestr(entry.filename, old.read(entry))
                continue
            entry.compress_type = zipfile.ZIP_DEFLATED
            with new.open(entry, "w", force_zip64=True) as out:
                for _ in range(1000):
                    out.write(bytes(10**6))


def long_pickle(folder: Path) -> None:
    """Write `z.pt`: as many steps as there may be, for a list of ones."""
    steps = b"](" + b"K\x01" * 999_990 + b"e."
    with zipfile.ZipFile(folder / "z.pt", "w") as archive:
        archive.writestr("z/data.pkl", b"\x80\x02" + steps)
        archive.writestr("z/version", b"3\n")


def many_numbers(folder: Path) -> None:
    """Write `z.pt`: no archive, and more numbers than there may be steps."""
    (folder / "z.pt").write_bytes(pickle.dumps(list(range(1_000_000)), protocol=2))


def long_header(folder: Path) -> None:
    """Write `z.safetensors`: a header as long as it may be, of tensors without a number."""
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    text = json.dumps({f"x{i}": empty for i in range(63_000)}).encode()
    (folder / "z.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
