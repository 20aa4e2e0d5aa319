"""Weights packed for the native kernels: panels of whole vectors of output channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from backends.native.groups import Segment
from backends.winograd import Variant


@dataclass(frozen=True)
class Vector:
    """Output channels `start` to `stop` of a product: of one segment, in one register."""

    segment: Segment
    start: int
    stop: int


Panel = tuple[Vector, ...]

TILES_ACROSS = 2
"""Vectors of output channels in a panel for matrix tiles; see `tile_products` in `tiles.h`."""

SPLIT: Final = "bfloat16x2"
"""A product of float32 values that are in two parts, each of them in bfloat16."""
Method = Variant | torch.dtype | Literal["bfloat16x2"]


def parts_of(method: Method) -> int:
    """Return in how many parts of bfloat16 a method reads its operands; 0: in float32."""
    return {torch.bfloat16: 1, SPLIT: 2}.get(method, 0)


def split_panels(segments: tuple[Segment, ...], width: int, most: int) -> tuple[Panel, ...]:
    """Split the output channels into panels of at most `most` vectors, as even as can be.

    80 channels of 16 to a vector are 5 vectors: 3 and 2, not 4 and 1. A panel may hold vectors
    of several segments: each goes where its own segment goes.
    """
    vectors = [vector for segment in segments for vector in _split(segment, width)]
    count = -(-len(vectors) // most)
    ends = [len(vectors) * (index + 1) // count for index in range(count)]
    return tuple(tuple(vectors[a:b]) for a, b in pairwise([0, *ends]))


def _split(segment: Segment, width: int) -> Iterator[Vector]:
    for start in range(segment.start, segment.stop, width):
        yield Vector(segment, start, min(start + width, segment.stop))


Floats = np.ndarray[tuple[int], np.dtype[np.float32]]


@dataclass(frozen=True)
class Packed:
    """Weights of all panels in one stretch, with the byte offset of each, and their epilogues."""

    weights: Floats
    """The bytes of the weights, whatever their type."""
    weight_offsets: tuple[int, ...]
    epilogue: Floats
    """Bias, then floor, `vectors * width` floats each, panel after panel."""
    epilogue_offsets: tuple[int, ...]


def pack(
    weight: Tensor,
    bias: Tensor | None,
    panels: tuple[Panel, ...],
    width: int,
    method: Method,
    tiles: bool = False,
) -> Packed:
    """Pack the filters of a convolution, (O, C, kH, kW), or of a linear layer, (O, C).

    A panel's weights are [taps or points][input channels][its output channels]; in bfloat16
    [taps][pairs of input channels][its output channels][2], or as `tiles`, see `_in_tiles`.
    """
    taps = method.filters(weight).float() if isinstance(method, Variant) else _by_tap(weight)
    shift = torch.zeros(weight.shape[0]) if bias is None else bias.detach().float()
    weights, epilogues = [], []
    for panel in panels:
        values = _side_by_side(taps, panel, width)
        if tiles and parts_of(method):
            values = _in_tiles(values, parts_of(method), width)
        elif method == torch.bfloat16:
            values = _in_pairs(values)
        weights.append(values.flatten())
        floors = [0.0 if vector.segment.relu else -torch.inf for vector in panel]
        epilogues.append(_side_by_side(shift, panel, width))
        epilogues.append(torch.tensor(floors).repeat_interleave(width))
    return Packed(
        _aligned(torch.cat(weights)),
        _starts(weights),
        _aligned(torch.cat(epilogues)),
        _starts(epilogues)[::2],
    )


def _by_tap(weight: Tensor) -> Tensor:
    filters = weight.detach().float().reshape(*weight.shape[:2], -1)
    return filters.permute(2, 1, 0)


def _in_pairs(values: Tensor) -> Tensor:
    """Return (taps, C, O) floats as (taps, C / 2, O, 2) bfloat16, seen as floats again."""
    taps, channels, out = values.shape
    even = torch.nn.functional.pad(values, (0, 0, 0, channels % 2))
    pairs = even.reshape(taps, -1, 2, out).transpose(2, 3).contiguous()
    return pairs.to(torch.bfloat16).view(torch.float32)


def _in_tiles(values: Tensor, parts: int, width: int) -> Tensor:
    """Return (taps, C, O) floats as tiles of bfloat16 in parts, seen as floats again.

    A tile is 16 pairs of input channels x `width` output channels x 2. The channels of all taps
    follow each other, and are padded with zeros to whole tiles:
        (depth in tiles, parts, O / width, 16, width, 2).
    """
    flat = values.flatten(0, 1)
    whole = torch.nn.functional.pad(flat, (0, 0, 0, -flat.shape[0] % 32))
    tiles = whole.reshape(-1, 16, 2, whole.shape[1] // width, width).permute(0, 3, 1, 4, 2)
    made = []
    for _ in range(parts):
        # The remainder of each rounding is the next part: two parts have 16 bits of significand.
        made.append(tiles.to(torch.bfloat16))
        tiles = tiles - made[-1].float()
    return torch.stack(made, dim=1).view(torch.float32)


def _side_by_side(values: Tensor, panel: Panel, width: int) -> Tensor:
    """Return the panel's channels of the last axis, each vector filled up with zeros."""
    parts = [values[..., vector.start : vector.stop] for vector in panel]
    padded = [torch.nn.functional.pad(part, (0, width - part.shape[-1])) for part in parts]
    return torch.cat(padded, dim=-1)


def _starts(parts: list[Tensor]) -> tuple[int, ...]:
    ends = np.cumsum([0, *(4 * part.numel() for part in parts)])
    return tuple(int(end) for end in ends[:-1])


def _aligned(values: Tensor) -> Floats:
    out = aligned_floats(values.numel())
    out[:] = values.numpy()
    return out


def aligned_floats(count: int) -> Floats:
    """Return zeros on a cache line's boundary, so that no vector straddles two lines."""
    raw = np.zeros(count + 16, dtype=np.float32)
    start = -raw.ctypes.data % 64 // 4
    return raw[start : start + count]
