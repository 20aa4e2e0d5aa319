"""Residual sums of a training step on a CPU: scale, sum and ReLU in one go, and their gradients."""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from backends.native import residual


class ResidualSum(nn.Module):
    """`shortcut + scale * branch` with a ReLU if wanted, trained by the native kernels on a CPU.

    Elsewhere (evaluation, another device, dtype or layout, torch.compile) it is PyTorch's
    operations.
    """

    def __init__(self, scale: float, relu: bool) -> None:
        super().__init__()
        self.scale = scale
        self.relu = relu

    def extra_repr(self) -> str:
        """Return what it was made with."""
        return f"scale={self.scale}, relu={self.relu}"

    def forward(self, shortcut: Tensor, branch: Tensor) -> Tensor:
        """Return the sum of two tensors (N, C, H, W)."""
        may_be_native = self.training and not torch.compiler.is_compiling()
        if may_be_native and residual.may_sum(shortcut, branch):
            return _add(shortcut, branch, self.scale, self.relu)  # type: ignore[no-any-return]
        out = shortcut + self.scale * branch
        return F.relu(out) if self.relu else out


class _Add(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shortcut: Tensor, branch: Tensor, scale: float, relu: bool) -> Tensor:
        out = residual.forward(shortcut, branch, scale, relu)
        ctx.scale, ctx.relu = scale, relu
        if relu:
            ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.relu:
            return gradient, ctx.scale * gradient, None, None
        (out,) = ctx.saved_tensors
        return *residual.backward(gradient, out, ctx.scale), None, None


_add: Any = _Add.apply


def join_sums(graph: fx.Graph) -> dict[str, nn.Module]:
    """Replace a scaled branch, its sum with a shortcut, and the ReLU after it by one call.

    Args:
        graph: what a block calls; changed.

    Returns:
        The modules that the block needs for that, by name.
    """
    made: dict[str, nn.Module] = {}
    for total in [node for node in graph.nodes if node.target is operator.add]:
        scaled = next(filter(_is_scaled, total.args), None)
        if scaled is None:
            continue
        shortcut = next(operand for operand in total.args if operand is not scaled)
        factor, branch = sorted(scaled.args, key=lambda operand: isinstance(operand, fx.Node))
        reader = next(iter(total.users)) if len(total.users) == 1 else None
        relu = reader if reader is not None and reader.target is F.relu else None
        last, name = relu or total, f"sum_{len(made)}"
        with graph.inserting_before(last):
            joined = graph.call_module(name, (shortcut, branch))
        last.replace_all_uses_with(joined)
        for node in (relu, total, scaled):
            if node is not None:
                graph.erase_node(node)
        made[name] = ResidualSum(float(factor), relu is not None)
    return made


def _is_scaled(node: Any) -> bool:
    """Say whether a value is a tensor times a number, and read once."""
    return (
        isinstance(node, fx.Node)
        and node.target is operator.mul
        and len(node.users) == 1
        and [isinstance(operand, float) for operand in node.args].count(True) == 1
    )
