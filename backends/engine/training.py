"""Training on a CPU: every convolution, and its two gradients, as they measure fastest here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from backends.native.convolution import Geometry, ShortConvolution, ShortWeightGradient
from backends.native.library import load_library
from backends.native.transforms import variants_of
from backends.native.tuner import cache_sweep
from compiler.errors import BackendError

Run = Callable[..., Tensor]

_ROUNDS = 3
_WORTH = 0.9
"""What a short convolution may take of PyTorch's time to be chosen: it leans on caches, and in a
step these are fuller than while it is measured."""
_LANES = 16
"""Channels come in multiples of this, on either side: whole vectors on every processor."""


def use_short_convolutions(module: nn.Module) -> None:
    """Replace the convolutions of a module that may be short by `TunedConv2d`, in place.

    Parameters, their names and hooks of parents stay; without a C++ compiler nothing changes.
    """
    if not _has_kernels():
        return
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and may_be_short(child):
                setattr(parent, name, TunedConv2d.of(child))


def may_be_short(conv: nn.Conv2d) -> bool:
    """Say whether a convolution has Winograd variants: stride 1, a known kernel, whole vectors."""
    is_plain = conv.stride == conv.dilation == (1, 1) and conv.groups == 1
    return (
        is_plain
        and isinstance(conv.padding, tuple)
        and conv.padding_mode == "zeros"
        and conv.in_channels % _LANES == conv.out_channels % _LANES == 0
        and bool(variants_of((conv.kernel_size[0], conv.kernel_size[1])))
    )


class TunedConv2d(nn.Conv2d):
    """An `nn.Conv2d` that on a CPU computes as measures fastest: oneDNN or short.

    At the first call with an input shape, forward, input gradient and weight gradient are each
    measured with every Winograd variant beside PyTorch's own; the process keeps the fastest. That
    holds for float32, and for autocast to bfloat16, where short ones compute in float32 on the
    rounded inputs with the weights as they are. Elsewhere (another device or dtype, torch.compile)
    it is an `nn.Conv2d`.
    """

    @classmethod
    def of(cls, conv: nn.Conv2d) -> TunedConv2d:
        """Return a tuned convolution with the very parameters of another."""
        made = cls(
            conv.in_channels,
            conv.out_channels,
            (conv.kernel_size[0], conv.kernel_size[1]),
            padding=conv.padding,  # type: ignore[arg-type]
            bias=conv.bias is not None,
            device="meta",
        )
        made.weight, made.bias = conv.weight, conv.bias
        return made.train(conv.training)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        dtype = _dtype_of_kernels(input, weight)
        if dtype is not None and input.dim() == 4:
            return _convolve(input.to(dtype), weight, bias, self.padding)
        out: Tensor = super()._conv_forward(input, weight, bias)
        return out


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
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]
    ) -> Tensor:
        ctx.geometry = geometry = _geometry(x, weight, padding)
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
            for_bias = gradient.sum((0, 2, 3), dtype=torch.float32)
        return for_input, for_weight, for_bias, None


_convolve: Run = _Convolve.apply


def _geometry(x: Tensor, weight: Tensor, pads: tuple[int, int]) -> Geometry:
    batch, channels, height, width = x.shape
    kernel = weight.shape[2], weight.shape[3]
    out = height + 2 * pads[0] - kernel[0] + 1, width + 2 * pads[1] - kernel[1] + 1
    size = height, width
    return Geometry(batch, channels, size, weight.shape[0], kernel, pads, out, x.dtype)


_CHOSEN: dict[tuple[str, Geometry, int], Run] = {}


def _fastest(task: str, geometry: Geometry, *operands: Tensor | None) -> Tensor:
    key = task, geometry, torch.get_num_threads()
    if key not in _CHOSEN:
        runs = _candidates(task, geometry, key[2])
        _CHOSEN[key] = runs[_quickest(runs, operands)]
    return _CHOSEN[key](*operands)


def _candidates(task: str, geometry: Geometry, threads: int) -> dict[str, Run]:
    """Return every way to compute a task; each takes what `_fastest` is given."""
    out: dict[str, Run] = {"torch": _TORCH[task](geometry)}
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
    dtype, pads = geometry.dtype, geometry.pads
    return lambda x, w, b: torch.conv2d(
        x, w.to(dtype), b if b is None else b.to(dtype), padding=pads
    )


def _torch_gradient(index: int) -> Callable[[Geometry], Run]:
    wanted = [at == index for at in range(3)]

    def of(geometry: Geometry) -> Run:
        pads, one, none = list(geometry.pads), [1, 1], [0, 0]

        def run(g: Tensor, x: Tensor, w: Tensor) -> Tensor:
            back = torch.ops.aten.convolution_backward
            made = back(g, x, w.to(x.dtype), None, one, pads, one, False, none, 1, wanted)[index]
            return made.to(w.dtype) if index else made  # type: ignore[no-any-return]

        return run

    return of


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


@cache
def _has_kernels() -> bool:
    try:
        load_library()
    except BackendError:
        return False
    return True
