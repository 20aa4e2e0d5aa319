"""What a device can do at most, and the floor that follows from it for a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch

from compiler.graph import Graph, number
from compiler.ops import Concat, Conv2d, Input

_SIZES = {"cpu": (1024, 1536, 2048), "cuda": (8192,)}
_ROUNDS = 12


@dataclass(frozen=True)
class Ceiling:
    """Measured limits of a device."""

    flops: float
    """Floating-point operations per second of a matrix product in the dtype (2 per MAC)."""
    bandwidth: float
    """Bytes per second, read and written, of a large copy."""


def measure_ceiling(device: torch.device, dtype: torch.dtype) -> Ceiling:
    """Measure the best of several matrix products and copies."""
    flops = max(_product_rate(size, device, dtype) for size in _SIZES[device.type])
    source = torch.zeros(64 << 20, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    copying = _best(lambda: target.copy_(source), device)
    return Ceiling(flops, 2 * source.nbytes / copying)


def _product_rate(size: int, device: torch.device, dtype: torch.dtype) -> float:
    a = torch.randn(size, size, device=device).to(dtype)
    b = torch.randn(size, size, device=device).to(dtype)
    return 2 * size**3 / _best(lambda: a @ b, device)


def _best(run: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(_ROUNDS):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)


@dataclass(frozen=True)
class TimeFloor:
    """The least a network costs: per sample, and per run."""

    macs: int
    """Multiply-accumulates of a sample, directly computed."""
    short_macs: int
    """The same with the smallest Winograd products that the native engine has (no transforms)."""
    parameter_bytes: int
    activation_bytes: int
    """Every result written once and read once, concats in place."""

    def arithmetic_seconds(self, batch: int, ceiling: Ceiling) -> float:
        """Return the time of the direct products at the ceiling."""
        return 2 * self.macs * batch / ceiling.flops

    def memory_seconds(self, batch: int, ceiling: Ceiling) -> float:
        """Return the time to move parameters once and activations twice."""
        moved = self.parameter_bytes + batch * self.activation_bytes
        return moved / ceiling.bandwidth


def floor_of(graph: Graph, dtype: torch.dtype) -> TimeFloor:
    """Return the floor of an optimised graph; sizes must be numbers."""
    width = dtype.itemsize
    made = [n for n in graph.nodes.values() if not isinstance(n.op, Input | Concat)]
    return TimeFloor(
        number(graph.macs()),
        sum(round(number(graph.count_macs(n)) * _shortening(n.op)) for n in made),
        width * number(graph.parameters()),
        2 * width * sum(prod(n.shape.numbers) for n in made),
    )


def _shortening(op: object) -> float:
    """Return the products per direct product of F(6, r) along an axis, F(6x6, 3x3) in a plane."""
    if not isinstance(op, Conv2d) or op.stride != (1, 1) or op.groups != 1:
        return 1.0
    height, width = op.kernel_size
    if height == width == 3:
        return 64 / (36 * 9)
    if 1 in (height, width) and max(height, width) in (3, 5, 7):
        taps = max(height, width)
        return (6 + taps - 1) / (6 * taps)
    return 1.0
