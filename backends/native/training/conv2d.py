"""Convolutions of a training step on a CPU, each computed as measures fastest here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from backends.native.compiled_library import load_library
from backends.native.convolution import Geometry
from backends.native.tile_convolution import TileConvolution, TileWeightGradient
from backends.native.transforms import variants_of
from backends.native.tuner import cache_sweep
from backends.native.winograd_convolution import ShortConvolution, ShortWeightGradient
from backends.run.pointwise import input_gradient, is_pointwise, output, weight_gradient
from compiler.graph import Pair

Run = Callable[..., Tensor]

_ROUNDS = 3
_WORTH = 0.9
"""What a kernel may take of PyTorch's time to be chosen: it leans on caches, and in a step these
are fuller than while it is measured."""
_LANES = 16
"""Channels come in multiples of this, on either side: whole vectors on every processor."""


def may_be_tuned(conv: nn.Conv2d) -> bool:
    """Say whether there is a choice for a convolution: plain, and whole vectors of channels.

    Without matrix tiles only for stride 1 and a kernel that is 1x1 or has Winograd variants.
    """
    return (
        conv.groups == 1
        and conv.dilation == (1, 1)
        and isinstance(conv.padding, tuple)
        and conv.padding_mode == "zeros"
        and conv.in_channels % _LANES == conv.out_channels % _LANES == 0
        and (_may_be_short(conv) or _is_pointwise(conv) or load_library().has_tiles)
    )


def _may_be_short(conv: nn.Conv2d) -> bool:
    return conv.stride == (1, 1) and bool(variants_of((conv.kernel_size[0], conv.kernel_size[1])))


def _is_pointwise(conv: nn.Conv2d) -> bool:
    pads = conv.padding
    assert isinstance(pads, tuple)
    stride = conv.stride[0], conv.stride[1]
    return is_pointwise((conv.kernel_size[0], conv.kernel_size[1]), stride, (pads[0], pads[1]))


class TunedConv2d(nn.Conv2d):
    """An `nn.Conv2d` that on a CPU computes as measures fastest there.

    At the first call with an input shape, forward, input gradient and weight gradient are each
    measured in every way beside PyTorch's own; the process keeps the fastest. A 1x1 may be a
    product of matrices. In float32 there are the Winograd variants, for stride 1. Under autocast to
    bfloat16 there are matrix tiles where the processor has them, else again the variants, which
    compute in float32 on the rounded inputs with the weights as they are. Elsewhere (another device
    or dtype, torch.compile) it is an `nn.Conv2d`.
    """

    @classmethod
    def of(cls, conv: nn.Conv2d) -> TunedConv2d:
        """Return a tuned convolution with the very parameters of another."""
        made = cls(
            conv.in_channels,
            conv.out_channels,
            (conv.kernel_size[0], conv.kernel_size[1]),
            (conv.stride[0], conv.stride[1]),
            padding=conv.padding,  # type: ignore[arg-type]
            bias=conv.bias is not None,
            device="meta",
        )
        made.weight, made.bias = conv.weight, conv.bias
        return made.train(conv.training)

    def is_native(self, input: Tensor) -> bool:
        """Say whether there is a choice for this input."""
        dtype = _dtype_of_kernels(input, self.weight)
        return dtype is not None and input.dim() == 4 and self._has_choice(dtype)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.is_native(input):
            dtype = _dtype_of_kernels(input, weight)
            return _convolve(input.to(dtype), weight, bias, self.stride, self.padding)
        out: Tensor = super()._conv_forward(input, weight, bias)
        return out

    def _has_choice(self, dtype: torch.dtype) -> bool:
        return _may_be_short(self) or _is_pointwise(self) or _has_tiles(dtype)


def _has_tiles(dtype: torch.dtype) -> bool:
    return dtype == torch.bfloat16 and load_library().has_tiles


def _dtype_of_kernels(x: Tensor, weight: Tensor) -> torch.dtype | None:
    """Return what the kernels would read and write here; None where they don't apply."""
    if torch.compiler.is_compiling() or not x.device.type == weight.device.type == "cpu":
        return None
    is_cast = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if is_cast else torch.float32
    readable = (torch.float32, torch.bfloat16) if is_cast else (torch.float32,)
    is_known = dtype in (torch.float32, torch.bfloat16)
    return dtype if is_known and x.dtype in readable and weight.dtype == torch.float32 else None


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair
    ) -> Tensor:
        ctx.geometry = geometry = _geometry(x, weight, stride, padding)
        ctx.save_for_backward(x, weight)
        return _fastest("forward", geometry, x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        for_input = for_weight = for_bias = None
        if ctx.needs_input_grad[0]:
            for_input = _fastest("input", ctx.geometry, gradient, x, weight)
        if ctx.needs_input_grad[1]:
            for_weight = _fastest("weight", ctx.geometry, gradient, x, weight)
        if ctx.needs_input_grad[2]:
            for_bias = gradient.sum((0, 2, 3)).float()  # rounded as PyTorch's is, not cast whole
        return for_input, for_weight, for_bias, None, None


_convolve: Run = _Convolve.apply


def _geometry(x: Tensor, weight: Tensor, stride: Pair, pads: Pair) -> Geometry:
    batch, channels, height, width = x.shape
    kernel = weight.shape[2], weight.shape[3]
    down, across = (
        (size + 2 * pad - taps) // step + 1
        for size, pad, taps, step in zip((height, width), pads, kernel, stride, strict=True)
    )
    return Geometry(
        batch,
        channels,
        (height, width),
        weight.shape[0],
        kernel,
        pads,
        (down, across),
        x.dtype,
        stride,
    )


_CHOSEN: dict[tuple[str, Geometry, int], Run] = {}


def _fastest(task: str, geometry: Geometry, *operands: Tensor | None) -> Tensor:
    key = task, geometry, torch.get_num_threads()
    if key not in _CHOSEN:
        runs = _candidates(task, geometry, key[2])
        name = _quickest(runs, operands) if len(runs) > 1 else "torch"
        _CHOSEN[key] = runs[name]
    return _CHOSEN[key](*operands)


def _candidates(task: str, geometry: Geometry, threads: int) -> dict[str, Run]:
    """Return every way to compute a task; each takes what `_fastest` is given."""
    out: dict[str, Run] = {"torch": _TORCH[task](geometry)}
    if is_pointwise(geometry.kernel, geometry.stride, geometry.pads):
        out["matrix"] = _MATRIX[task]
    if _has_tiles(geometry.dtype):
        if task == "forward":
            out["tiles"] = TileConvolution(geometry, threads)
        elif task == "weight":
            gradient = TileWeightGradient(geometry, threads)
            out["tiles"] = lambda g, x, w: gradient(x, g, w)
        elif geometry.stride == (1, 1):
            back = TileConvolution(geometry.input_gradient, threads).turned
            out["tiles"] = lambda g, x, w: back(g, w)
        return out
    for variant in variants_of(geometry.kernel):
        if task == "forward":
            out[variant.name] = ShortConvolution(geometry, variant, threads)
        elif task == "input":
            turned = ShortConvolution(geometry.input_gradient, variant, threads).turned
            out[variant.name] = lambda g, x, w, run=turned: run(g, w)
        else:
            own = ShortWeightGradient(geometry, variant, threads)
            out[variant.name] = lambda g, x, w, run=own: run(x, g, w)
    return out


def _torch_forward(geometry: Geometry) -> Run:
    dtype, stride, pads = geometry.dtype, geometry.stride, geometry.pads
    return lambda x, w, b: torch.conv2d(
        x, w.to(dtype), b if b is None else b.to(dtype), stride, pads
    )


def _torch_gradient(index: int) -> Callable[[Geometry], Run]:
    wanted = [at == index for at in range(3)]

    def of(geometry: Geometry) -> Run:
        pads, stride, one, none = list(geometry.pads), list(geometry.stride), [1, 1], [0, 0]

        def run(g: Tensor, x: Tensor, w: Tensor) -> Tensor:
            back = torch.ops.aten.convolution_backward
            made = back(g, x, w.to(x.dtype), None, stride, pads, one, False, none, 1, wanted)[index]
            return made.to(w.dtype) if index else made  # type: ignore[no-any-return]

        return run

    return of


_MATRIX: dict[str, Run] = {
    "forward": output,
    "input": lambda g, x, w: input_gradient(g, w),
    "weight": weight_gradient,
}
_TORCH = {"forward": _torch_forward, "input": _torch_gradient(0), "weight": _torch_gradient(1)}


def _quickest(runs: Mapping[str, Run], operands: tuple[Tensor | None, ...]) -> str:
    """Return the name of the run to use: `torch`, or another that takes clearly less time.

    The least time of some interleaved rounds after a first counts. Before each run the caches are
    swept, for a training step comes to every convolution with its weights, and in the backward
    pass its inputs, long gone from there.
    """
    least = dict.fromkeys(runs, float("inf"))
    sweep = cache_sweep()
    for round_ in range(_ROUNDS + 1):
        for name, run in runs.items():
            sweep()
            start = time.perf_counter()
            run(*operands)
            if round_:
                least[name] = min(least[name], time.perf_counter() - start)
    best = min(least, key=least.__getitem__)
    return best if least[best] < _WORTH * least["torch"] else "torch"
