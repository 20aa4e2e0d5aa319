"""A picture -> the network's input, for training with a recipe's chances and for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backends.state.picture import Cropping, middle
from compiler.errors import UsageError
from compiler.recipe import AugmentSpec
from compiler.weights.mapping import Preprocessing

Transform = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class Frame:
    """The input of a network: how many channels, how high and wide, standardised how."""

    channels: int
    height: int
    width: int
    how: Preprocessing

    def __post_init__(self) -> None:
        self.how.of_channels(self.channels)

    @cached_property
    def tables(self) -> tuple[np.ndarray, ...]:
        """What each of 256 levels becomes, for every channel; faster than arithmetic on pixels."""
        levels = np.arange(256, dtype=np.float32) * np.float32(self.how.range / 255)
        pairs = zip(*self.how.of_channels(self.channels), strict=True)
        return tuple((levels - np.float32(m)) / np.float32(deviation) for m, deviation in pairs)

    def in_colours(self, picture: Image.Image) -> Image.Image:
        """Return a picture in the colours of the input."""
        mode = "L" if self.channels == 1 else "RGB"
        return picture if picture.mode == mode else picture.convert(mode)

    def middle(self, picture: Image.Image) -> Image.Image:
        """Return what `predict` cuts out of a picture too."""
        how = self.how
        cropping = Cropping(self.width, self.height, how.interpolation, how.crop)
        return middle(self.in_colours(picture), cropping, "it")

    def standardized(self, picture: Image.Image) -> Tensor:
        """Return a picture as a tensor: (C, height, width), standardised."""
        pixels = np.asarray(picture).reshape(picture.height, picture.width, self.channels)
        planes = [table[pixels[:, :, c]] for c, table in enumerate(self.tables)]
        return torch.from_numpy(np.stack(planes))

    def evaluated(self, picture: Image.Image) -> Tensor:
        """Return the input that evaluation and `predict` compute with."""
        return self.standardized(self.middle(picture))


def training_transform(frame: Frame, augment: Sequence[AugmentSpec]) -> Transform:
    """Return what training does to a picture: what the recipe lists, in order.

    Chances are drawn from torch's own generator. Without a `resized_crop` the picture is first
    scaled and cropped as evaluation does it.

    Raises:
        UsageError: the recipe lists what takes torchvision, and it is not there.
    """
    if not augment:
        return frame.evaluated
    before = [] if any(a.resized_crop for a in augment) else [frame.middle]
    pictures = [t for a in augment for t in _of_picture(a, frame)]
    inputs = [t for a in augment for t in _of_input(a)]

    def transform(picture: Image.Image) -> Tensor:
        out = frame.in_colours(picture)
        for step in (*before, *pictures):
            out = step(out)
        values = frame.standardized(out)
        for step in inputs:
            values = step(values)
        return values

    return transform


def _of_picture(item: AugmentSpec, frame: Frame) -> Iterator[Any]:
    """Yield torchvision's transform of a picture that an item of a recipe stands for."""
    v2 = _torchvision()
    size = (frame.height, frame.width)
    if item.resized_crop is not None:
        way = v2.InterpolationMode(frame.how.interpolation)
        own = item.resized_crop
        yield v2.RandomResizedCrop(size, own.area, own.ratio, interpolation=way)
    if item.random_crop is not None:
        yield v2.RandomCrop(size, item.random_crop.padding, pad_if_needed=True)
    if item.flip is not None:
        yield v2.RandomHorizontalFlip(item.flip.probability)
    if item.color_jitter is not None:
        jitter = item.color_jitter
        yield v2.ColorJitter(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    if item.autoaugment is not None:
        yield v2.AutoAugment(v2.AutoAugmentPolicy(item.autoaugment))


def _of_input(item: AugmentSpec) -> Iterator[Any]:
    """Yield torchvision's transform of an input that an item of a recipe stands for."""
    if item.erase is not None:
        yield _torchvision().RandomErasing(item.erase.probability)


def _torchvision() -> Any:
    try:
        from torchvision.transforms import v2
    except ImportError:
        raise UsageError(
            "`augment` in a recipe takes torchvision; pip install 'netdraft[train]'"
        ) from None
    return v2
