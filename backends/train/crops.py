"""Crops of a picture for evaluation: one, 12 or 144, as the paper's tables have them.

144 is the scheme of Szegedy et al., "Going Deeper with Convolutions" (arXiv 1409.4842), section
7: the shorter side is scaled to 256, 288, 320 and 352 for an input of 224; of each size the left,
middle and right square are taken (top, middle and bottom of a portrait); of each square the four
corners and the middle in the size of the input, and the square itself scaled to it; and their
mirror images: 4 * 3 * 6 * 2 = 144. For another input the sides are in proportion. The paper cites
no geometry for its 12 crops; here they are the middle square of the first size, 6 * 2.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from PIL import Image, ImageOps
from torch import Tensor

from backends.state.picture import check_scaled
from backends.train.transforms import Frame, Transform
from compiler.errors import UsageError

SIDES = (256, 288, 320, 352)
"""Shorter sides for an input of `BASE`."""
BASE = 224
COUNTS = (1, 12, 144)


def crops_of(frame: Frame, count: int) -> Transform:
    """Return what makes the crops of a picture: (count, C, height, width).

    Raises:
        UsageError: the input is no square, of which 12 or 144 crops could be.
    """
    if count == 1:
        return lambda picture: frame.evaluated(picture)[None]
    if frame.height != frame.width:
        raise UsageError(
            f"{count} crops are of square inputs, and this one is {frame.height}x{frame.width}; "
            "say --crops 1"
        )
    squares = _middle_square if count == 12 else _all_squares

    def transform(picture: Image.Image) -> Tensor:
        found = squares(frame.in_colours(picture), frame)
        crops = (crop for square in found for crop in six(square, frame))
        return torch.stack([frame.standardized(crop) for crop in crops])

    return transform


def _middle_square(picture: Image.Image, frame: Frame) -> Iterator[Image.Image]:
    _, middle, _ = three_squares(_scaled(picture, SIDES[0], frame))
    yield middle


def _all_squares(picture: Image.Image, frame: Frame) -> Iterator[Image.Image]:
    for side in SIDES:
        yield from three_squares(_scaled(picture, side, frame))


def _scaled(picture: Image.Image, side: int, frame: Frame) -> Image.Image:
    """Return a picture whose shorter side is as `side` is to an input of `BASE`."""
    wanted = round(side * frame.height / BASE)
    share = wanted / min(picture.size)
    width, height = (max(wanted, round(length * share)) for length in picture.size)
    check_scaled(picture, (width, height), (wanted, wanted), "it")
    return picture.resize((width, height), _filter(frame))


def three_squares(picture: Image.Image) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Return the squares at the beginning, in the middle and at the end of the longer side."""
    width, height = picture.size
    side, rest = min(width, height), abs(width - height)
    starts = (0, rest // 2, rest)

    def cut(start: int) -> Image.Image:
        left, top = (start, 0) if width > height else (0, start)
        return picture.crop((left, top, left + side, top + side))

    return cut(starts[0]), cut(starts[1]), cut(starts[2])


def six(square: Image.Image, frame: Frame) -> Iterator[Image.Image]:
    """Yield four corners, the middle and the whole of a square, and their mirror images."""
    side, rest = frame.height, square.width - frame.height
    corners = ((0, 0), (rest, 0), (0, rest), (rest, rest), (rest // 2, rest // 2))
    found = [square.crop((left, top, left + side, top + side)) for left, top in corners]
    found.append(square.resize((side, side), _filter(frame)))
    for crop in found:
        yield crop
        yield ImageOps.mirror(crop)


def _filter(frame: Frame) -> Image.Resampling:
    return Image.Resampling[frame.how.interpolation.upper()]
