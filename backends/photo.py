"""A picture as an input tensor: resized, cropped to the middle, standardised."""

from __future__ import annotations

import os
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from compiler.errors import UsageError
from compiler.files import check_file
from compiler.limits import limit, way_out
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
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def load_photo(
    path: Path | None, height: int, width: int, how: Preprocessing = INCEPTION
) -> Tensor:
    """Return a picture as a float32 tensor (1, 3, height, width), standardised.

    It is scaled, nothing squeezed, until it covers the size divided by the share that is cut out;
    then its middle is cut out. On a square that is, to the pixel, what torchvision's and timm's
    `Resize` and `CenterCrop` do.

    Args:
        path: a picture that Pillow reads; None: the portrait that netdraft ships.
        height: of the tensor, in pixels.
        width: of the tensor, in pixels.
        how: interpolation, crop, and what becomes of the values.

    Raises:
        UsageError: the file is missing, is no picture, is cut off, or is too long and narrow.
    """
    source = path or PHOTOGRAPH
    middle = _middle(_opened(source), height, width, how, source)
    pixels = torch.from_numpy(np.array(middle, dtype=np.float32).transpose(2, 0, 1))
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (how.mean, how.deviation))
    values = pixels / 255 if how.range == 1 else pixels
    return ((values - mean) / deviation)[None].contiguous()


def _opened(source: Path) -> Image.Image:
    """Return a picture as RGB, upright."""
    if not os.path.exists(source):
        raise UsageError(f"{source}: there is no such file")
    check_file(source)
    try:
        with Image.open(source) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{source} is no picture that can be read: {error}") from None


def _middle(
    picture: Image.Image, height: int, width: int, how: Preprocessing, source: Path
) -> Image.Image:
    """Scale a picture to cover the size divided by the crop, and cut out its middle."""
    share = Fraction(how.crop)
    least_width, least_height = floor(width / share), floor(height / share)
    if picture.width * least_height <= picture.height * least_width:
        size = least_width, max(least_height, least_width * picture.height // picture.width)
    else:
        size = max(least_width, least_height * picture.width // picture.height), least_height
    if size[0] * size[1] > limit("scaled_pixels"):
        raise UsageError(
            f"{source} is {picture.width}x{picture.height}, and scaled to cover {width}x{height} "
            f"it is {size[0]}x{size[1]}: {way_out('scaled_pixels')}"
        )
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    scaled = picture.resize(size, _FILTERS[how.interpolation])
    return scaled.crop((left, top, left + width, top + height))
