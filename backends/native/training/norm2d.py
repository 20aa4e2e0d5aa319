"""Batch normalisation of a training step on a CPU, in one go with the ReLU that follows it."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from backends.native import norm
from compiler.graph import Graph, Node
from compiler.ops import Activation, BatchNorm


def may_be_native(layer: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Return whether a layer is a batch normalisation that `NativeNorm2d` can replace."""
    return (
        type(layer) is nn.BatchNorm2d
        and layer.affine
        and layer.track_running_stats
        and layer.momentum is not None
    )


def norms_apart(graph: Graph) -> frozenset[str]:
    """Return the normalisations that something other than one ReLU reads.

    A layer that shares parameters calls the module of their owner, which is what is named.
    """
    return frozenset(
        node.share or node.name
        for node in graph.nodes.values()
        if isinstance(node.op, BatchNorm) and not _feeds_relu(graph, node)
    )


def _feeds_relu(graph: Graph, node: Node) -> bool:
    readers = [graph.nodes[name].op for name in graph.consumers[node.name]]
    leaves = any(output.node == node.name for output in graph.outputs)
    return not leaves and readers == [Activation("relu")]


class NativeNorm2d(nn.BatchNorm2d):
    """An `nn.BatchNorm2d`, with a ReLU if wanted, that trains by the native kernels on a CPU.

    That holds for float32 and bfloat16, channels last, in training mode. Elsewhere (evaluation,
    another device, dtype or layout, torch.compile) it computes the two layers that it replaces.
    """

    relu = False

    @classmethod
    def of(cls, layer: nn.BatchNorm2d, relu: bool) -> NativeNorm2d:
        """Return a layer with the very parameters and statistics of another."""
        made = cls(layer.num_features, layer.eps, layer.momentum, device="meta")
        made.relu = relu
        made.weight, made.bias = layer.weight, layer.bias
        made.running_mean, made.running_var = layer.running_mean, layer.running_var
        made.num_batches_tracked = layer.num_batches_tracked
        return made.train(layer.training)

    def extra_repr(self) -> str:
        """Extend the text of `nn.BatchNorm2d` with whether a ReLU follows."""
        return f"{super().extra_repr()}, relu={self.relu}"  # type: ignore[no-untyped-call]

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised batch, (N, C, H, W)."""
        if self.training and self.is_native(input):
            made: Tensor = _normalize(input, self, self.weight, self.bias)
            return made
        out: Tensor = super().forward(input)
        return F.relu(out, inplace=True) if self.relu else out

    def is_native(self, x: Tensor) -> bool:
        """Say whether the native kernels can take this input."""
        if torch.compiler.is_compiling() or not norm.may_normalize(x):
            return False
        own = (self.weight, self.bias, self.running_mean, self.running_var)
        return all(t is not None and t.dtype == torch.float32 and t.is_contiguous() for t in own)

    def normalize(self, x: Tensor) -> tuple[Tensor, norm.Statistics]:
        """Normalise a batch by the native kernels, outside autograd; the statistics move on."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        return norm.forward(
            x,
            self.weight,
            self.bias,
            (self.running_mean, self.running_var),
            momentum=self.momentum,
            epsilon=self.eps,
            relu=self.relu,
        )


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: NativeNorm2d, *_: Tensor) -> Tensor:
        out, ctx.statistics = layer.normalize(x)
        ctx.save_for_backward(x)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        for_x, for_weight, for_bias = norm.backward(x, gradient, ctx.statistics)
        return for_x, None, for_weight, for_bias


_normalize: Any = _Normalize.apply
