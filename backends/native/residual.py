"""Residual sums with their ReLU, forward and backward, on tensors of the caller's.

All tensors of a call are of one shape and dtype, float32 or bfloat16, and channels last. The
arithmetic is float32, rounded once.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from backends.native import steps as c
from backends.native.compiled_library import load_library

_TASK = 1 << 14
"""Values of one task: some steps of a core, many tasks for the threads."""
_LANES = 16
"""Values come in multiples of this: whole vectors on every processor."""


def may_sum(shortcut: Tensor, branch: Tensor) -> bool:
    """Say whether two inputs fit."""
    return (
        shortcut.device.type == branch.device.type == "cpu"
        and shortcut.dtype == branch.dtype
        and shortcut.dtype in (torch.float32, torch.bfloat16)
        and shortcut.shape == branch.shape
        and shortcut.dim() == 4
        and shortcut.numel() % _LANES == 0 < shortcut.numel()
        and _is_dense(shortcut)
        and _is_dense(branch)
    )


def forward(shortcut: Tensor, branch: Tensor, scale: float, relu: bool) -> Tensor:
    """Return `shortcut + scale * branch`, (N, C, H, W), clamped at zero if a ReLU is wanted."""
    out = _like(shortcut)
    args = _arguments(out, scale)
    args.floor = 0.0 if relu else -float("inf")
    args.shortcut, args.branch = shortcut.data_ptr(), branch.data_ptr()
    _run("residual", args)
    return out


def backward(gradient: Tensor, out: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Return the gradients of shortcut and branch, from the output's and the clamped output."""
    gradient = gradient.to(out.dtype).contiguous(memory_format=torch.channels_last)
    for_shortcut, for_branch = _like(out), _like(out)
    args = _arguments(out, scale)
    args.gradient = gradient.data_ptr()
    args.for_shortcut, args.for_branch = for_shortcut.data_ptr(), for_branch.data_ptr()
    _run("residual_gradient", args)
    return for_shortcut, for_branch


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)


def _like(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, memory_format=torch.channels_last)


def _arguments(out: Tensor, scale: float) -> c.Residual:
    args = c.Residual(out=out.data_ptr(), values=out.numel(), chunk=_TASK, scale=scale)
    args.is_rounded = out.dtype == torch.bfloat16
    return args


def _run(kind: str, args: c.Residual) -> None:
    steps = c.table_of([c.Step(c.KINDS.index(kind), ctypes.addressof(args))])
    load_library().run(steps, torch.get_num_threads())
