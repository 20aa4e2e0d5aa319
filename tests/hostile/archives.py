"""Files of weights that take more than they show."""

from __future__ import annotations

import io
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
