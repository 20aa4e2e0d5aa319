"""Training: convolutions that read the same tensor become one; parameters stay where they are.

The 1x1 convolutions that open the branches of an Inception block then read their input once, and
its gradient is one product instead of a sum of some.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from backends.native import norm
from backends.native.training.conv2d import TunedConv2d
from backends.native.training.norm2d import NativeNorm2d

Layers = tuple[TunedConv2d, NativeNorm2d | None]
Group = list[fx.Node]


class Siblings(nn.Module):
    """Convolutions of one input as a single one, each with the normalisation that follows it.

    Called with (N, C, H, W), it returns a tensor (N, O, H', W') for each. The layers belong to the
    enclosing block, which has their parameters. Where the native kernels don't apply (evaluation,
    a normalisation that is frozen, another device or dtype, torch.compile) the layers are called
    one by one.
    """

    def __init__(self, layers: list[Layers]) -> None:
        super().__init__()
        self.layers = tuple(layers)  # in a tuple they aren't registered a second time

    def extra_repr(self) -> str:
        """Return the channels that come out."""
        return " + ".join(str(conv.out_channels) for conv, _ in self.layers)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what each convolution, or the normalisation after it, makes of `x`."""
        first = self.layers[0][0]
        norms = [layer for _, layer in self.layers if layer is not None]
        if self.training and first.is_native(x) and all(layer.training for layer in norms):
            weight = torch.cat([conv.weight for conv, _ in self.layers])
            biases = [conv.bias for conv, _ in self.layers if conv.bias is not None]
            whole = first._conv_forward(x, weight, torch.cat(biases) if biases else None)
            parts = zip(_split(whole, self.layers), self.layers, strict=True)
            if all(layer is None or layer.is_native(part) for part, (_, layer) in parts):
                parameters = [p for layer in norms for p in (layer.weight, layer.bias)]
                return _normalize(whole, self.layers, *parameters)  # type: ignore[no-any-return]
        made = ((conv(x), layer) for conv, layer in self.layers)
        return tuple(out if layer is None else layer(out) for out, layer in made)


def _split(whole: Tensor, layers: tuple[Layers, ...]) -> tuple[Tensor, ...]:
    return torch.split(whole, [conv.out_channels for conv, _ in layers], 1)


class _Normalize(torch.autograd.Function):
    """Normalises slices of a tensor by the native kernels, which read and write them in place."""

    @staticmethod
    def forward(
        ctx: Any, whole: Tensor, layers: tuple[Layers, ...], *_: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.layers, ctx.statistics, made = layers, [], []
        ctx.save_for_backward(whole)
        for part, (_conv, layer) in zip(_split(whole, layers), layers, strict=True):
            if layer is None:
                out, statistics = part.clone(memory_format=torch.channels_last), None
            else:
                out, statistics = layer.normalize(part)
            made.append(out)
            ctx.statistics.append(statistics)
        return tuple(made)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (whole,) = ctx.saved_tensors
        for_whole = torch.empty_like(whole, memory_format=torch.channels_last)
        for_parameters: list[Tensor] = []
        parts, outs = (_split(t, ctx.layers) for t in (whole, for_whole))
        for part, out, gradient, statistics in zip(
            parts, outs, gradients, ctx.statistics, strict=True
        ):
            if statistics is None:
                out.copy_(gradient)
            else:
                for_parameters += norm.backward(part, gradient, statistics, out)[1:]
        return for_whole, None, *for_parameters


_normalize: Any = _Normalize.apply


def join_siblings(graph: fx.Graph, block: nn.Module) -> dict[str, nn.Module]:
    """Replace the calls of sibling convolutions, and of the normalisations after, by one call.

    Args:
        graph: what a block calls; changed.
        block: the block.

    Returns:
        The modules that the block needs for that, by name.
    """
    made: dict[str, nn.Module] = {}
    for group in list(_groups(graph, block)):
        name = f"siblings_{len(made)}"
        made[name] = Siblings(_replace(graph, block, group, name))
    return made


def _groups(graph: fx.Graph, block: nn.Module) -> Iterator[Group]:
    """Yield the calls of convolutions of one tensor, with one window, each called once."""
    calls = [node for node in graph.nodes if node.op == "call_module"]
    found: dict[Hashable, Group] = defaultdict(list)
    for node in calls:
        conv = block.get_submodule(str(node.target))
        once = sum(other.target == node.target for other in calls) == 1
        if isinstance(conv, TunedConv2d) and once:
            window = conv.kernel_size, conv.stride, conv.padding, conv.bias is not None
            found[node.args, window].append(node)
    yield from (group for group in found.values() if len(group) > 1)


def _replace(graph: fx.Graph, block: nn.Module, group: Group, name: str) -> list[Layers]:
    """Replace the calls of a group, and of the normalisations after, by one; return the layers."""
    with graph.inserting_before(group[0]):
        whole = above = graph.call_module(name, group[0].args)
    layers: list[Layers] = []
    for index, node in enumerate(group):
        conv, follower = block.get_submodule(str(node.target)), _only_reader(node)
        assert isinstance(conv, TunedConv2d)
        layer = block.get_submodule(str(follower.target)) if follower is not None else None
        norm_ = layer if isinstance(layer, NativeNorm2d) else None
        last = node if norm_ is None or follower is None else follower
        with graph.inserting_after(above):
            above = part = graph.call_function(operator.getitem, (whole, index))
        last.replace_all_uses_with(part)
        for read in (last, node) if last is not node else (node,):
            graph.erase_node(read)
        layers.append((conv, norm_))
    return layers


def _only_reader(node: fx.Node) -> fx.Node | None:
    """Return the call of a layer that alone reads a value."""
    readers = list(node.users)
    return readers[0] if len(readers) == 1 and readers[0].op == "call_module" else None
