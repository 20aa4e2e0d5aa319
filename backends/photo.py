"""A photograph as an input tensor: resized, cropped to the middle, scaled to [-1, 1]."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from compiler.errors import UsageError
from compiler.files import check_file

PHOTOGRAPH = Path(__file__).with_name("photographs") / "grace_hopper.jpg"
"""Official U.S. Navy portrait of Commodore Grace M. Hopper, 1984, in the public domain."""


def load_photo(path: Path | None, height: int, width: int) -> Tensor:
    """Return a photograph as a float32 tensor (1, 3, height, width) in [-1, 1].

    It is scaled to cover the size and cropped to its middle, so nothing is squeezed. The range
    is the one that the Inception family was trained on (2 * x / 255 - 1, tf-slim
    `inception_preprocessing.py`).

    Args:
        path: a picture that Pillow reads; None: the portrait that netdraft ships.
        height: of the tensor, in pixels.
        width: of the tensor, in pixels.

    Raises:
        UsageError: the file is missing, is no picture, or is cut off.
    """
    source = path or PHOTOGRAPH
    if not os.path.exists(source):
        raise UsageError(f"{source}: there is no such file")
    check_file(source)
    try:
        with Image.open(source) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{source} is no picture that can be read: {error}") from None
    fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(fitted, dtype=np.float32).transpose(2, 0, 1)
    return torch.from_numpy(pixels / 127.5 - 1.0)[None].contiguous()
