"""A picture as an input tensor: resized, cropped to the middle, standardised."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from backends.state.picture import Cropping, read_apart, read_picture
from compiler.errors import UsageError
from compiler.files import check_file
from compiler.weights.mapping import Preprocessing

PHOTOGRAPH = Path(__file__).with_name("photographs") / "grace_hopper.jpg"
"""Official U.S. Navy portrait of Commodore Grace M. Hopper, 1984, in the public domain."""


INCEPTION = Preprocessing(
    "tf-slim inception_preprocessing.py, without its crop",
    1,
    (0.5,) * 3,
    (0.5,) * 3,
    "bicubic",
    "1",
)
"""The range that the Inception family was trained on: [-1, 1]."""


def load_photo(
    path: Path | None,
    height: int,
    width: int,
    how: Preprocessing = INCEPTION,
    channels: int = 3,
) -> Tensor:
    """Return a picture as a float32 tensor (1, channels, height, width), standardised.

    It is scaled, nothing squeezed, until it covers the size divided by the share that is cut out;
    then its middle is cut out. On a square that is, to the pixel, what torchvision's and timm's
    `Resize` and `CenterCrop` do.

    Args:
        path: a picture, read in a process of its own; None: the portrait that netdraft ships.
        height: of the tensor, in pixels.
        width: of the tensor, in pixels.
        how: interpolation, crop, and what becomes of the values.
        channels: 3, or 1 for a picture in grey.

    Raises:
        UsageError: the file is missing, is no picture, is cut off, or is beyond a limit; the
            tensor is in grey, and each colour has a mean or a deviation of its own.
    """
    source = path or PHOTOGRAPH
    if not os.path.exists(source):
        raise UsageError(f"{source}: there is no such file")
    check_file(source)
    read = read_picture if path is None else read_apart
    values = how.of_channels(channels)
    mode = "RGB" if channels == 3 else "L"
    middle = bytearray(read(source, Cropping(width, height, how.interpolation, how.crop, mode)))
    flat = torch.frombuffer(middle, dtype=torch.uint8)
    pixels = flat.view(height, width, channels).permute(2, 0, 1).float()
    mean, deviation = (torch.tensor(v).view(channels, 1, 1) for v in values)
    scaled = pixels / 255 if how.range == 1 else pixels
    return ((scaled - mean) / deviation)[None].contiguous()
