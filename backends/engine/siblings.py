"""Training: convolutions that read the same tensor become one; parameters stay where they are.

The 1x1 convolutions that open the branches of an Inception block then read their input once, and
its gradient is one product instead of a sum of some.
"""

from __future__ import annotations

import inspect
import operator
from collections import defaultdict
from collections.abc import Hashable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from backends.engine.training_norm import NativeNorm2d
from backends.native import norm
from backends.torch.module import PREFIX, load_source

Layers = tuple[nn.Conv2d, nn.BatchNorm2d | None]
Group = list[fx.Node]


def join_siblings(network: nn.Module) -> None:
    """Join the sibling convolutions of every block of a module that `build_module` made, in place.

    Parameters, their names and their gradients stay. A block whose forward pass can't be traced,
    as it asks whether it is training, keeps its own. The layers that are joined are no longer
    called one by one, so hooks on them don't run.
    """
    for block in list(network.modules()):
        if type(block).__module__.startswith(PREFIX) and not isinstance(block, nn.Sequential):
            _join(block)


class Siblings(nn.Module):
    """Convolutions of one input as a single one, each with the normalisation that follows it.

    Called with (N, C, H, W), it returns a tensor (N, O, H', W') for each. The layers belong to the
    block around it, which has their parameters.
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
        weight = torch.cat([conv.weight for conv, _ in self.layers])
        biases = [conv.bias for conv, _ in self.layers if conv.bias is not None]
        whole = first._conv_forward(x, weight, torch.cat(biases) if biases else None)
        if self.training and self._is_native(whole):
            parameters = [p for _, layer in self.layers if layer for p in layer.parameters()]
            return _normalize(whole, self.layers, *parameters)  # type: ignore[no-any-return]
        sizes = [conv.out_channels for conv, _ in self.layers]
        parts = torch.split(whole, sizes, 1)
        return tuple(
            part.clone(memory_format=torch.channels_last) if norm_ is None else norm_(part)
            for part, (_, norm_) in zip(parts, self.layers, strict=True)
        )

    def _is_native(self, whole: Tensor) -> bool:
        norms = [norm_ for _, norm_ in self.layers if norm_ is not None]
        return bool(norms) and all(
            isinstance(norm_, NativeNorm2d)
            and norm_.training
            and norm_.is_native(whole[:, : norm_.num_features])
            for norm_ in norms
        )


class _Normalize(torch.autograd.Function):
    """Normalises slices of a tensor by the native kernels, which read and write them in place."""

    @staticmethod
    def forward(
        ctx: Any, whole: Tensor, layers: tuple[Layers, ...], *_: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(whole)
        ctx.sizes = [conv.out_channels for conv, _ in layers]
        ctx.statistics, made = [], []
        for part, (_, layer) in zip(torch.split(whole, ctx.sizes, 1), layers, strict=True):
            if isinstance(layer, NativeNorm2d):
                out, statistics = layer.normalize(part)
            else:
                out, statistics = part.clone(memory_format=torch.channels_last), None
            made.append(out)
            ctx.statistics.append(statistics)
        return tuple(made)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (whole,) = ctx.saved_tensors
        for_whole = torch.empty_like(whole, memory_format=torch.channels_last)
        for_parameters: list[Tensor] = []
        parts, outs = (torch.split(t, ctx.sizes, 1) for t in (whole, for_whole))
        every = parts, outs, gradients, ctx.statistics
        for part, out, gradient, statistics in zip(*every, strict=True):
            if statistics is None:
                out.copy_(gradient)
            else:
                for_parameters += norm.backward(part, gradient, statistics, out)[1:]
        return for_whole, None, *for_parameters


_normalize: Any = _Normalize.apply


class _Tracer(fx.Tracer):
    """Sees what one block calls: layers, and other blocks as they are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, nn.Sequential)


def _join(block: nn.Module) -> None:
    graph = _traced(block)
    groups = list(_groups(graph, block)) if graph else []
    if graph is None or not groups:
        return
    made: dict[str, Siblings] = {}
    for group in groups:
        name = _fresh_name(block, len(made), made)
        made[name] = Siblings(_replace(graph, block, group, name))
    source = _source(graph, type(block))
    if source is not None:
        for name, siblings in made.items():
            block.add_module(name, siblings.train(block.training))
        block.__class__ = getattr(load_source(source), type(block).__name__)


def _traced(block: nn.Module) -> fx.Graph | None:
    if "self.training" in inspect.getsource(type(block).forward):
        return None
    try:
        return _Tracer().trace(block)
    except (fx.proxy.TraceError, TypeError):  # control flow that hangs on sizes
        return None


def _groups(graph: fx.Graph, block: nn.Module) -> Iterator[Group]:
    """Yield the calls of convolutions of one tensor, with one window, each called once."""
    calls = [node for node in graph.nodes if node.op == "call_module"]
    found: dict[Hashable, Group] = defaultdict(list)
    for node in calls:
        conv = block.get_submodule(str(node.target))
        once = sum(other.target == node.target for other in calls) == 1
        if isinstance(conv, nn.Conv2d) and once and conv.groups == 1:
            found[node.args, type(conv), *_window(conv)].append(node)
    yield from (group for group in found.values() if len(group) > 1)


def _window(conv: nn.Conv2d) -> tuple[Hashable, ...]:
    has_bias = conv.bias is not None
    sizes = conv.kernel_size, conv.stride, conv.padding, conv.dilation
    return *sizes, conv.padding_mode, has_bias


def _replace(graph: fx.Graph, block: nn.Module, group: Group, name: str) -> list[Layers]:
    """Let one call stand for a group, and for the normalisations after them; return the layers."""
    with graph.inserting_before(group[0]):
        whole = graph.call_module(name, group[0].args)
    layers: list[Layers] = []
    for index, node in enumerate(group):
        conv, follower = block.get_submodule(str(node.target)), _only_reader(node)
        assert isinstance(conv, nn.Conv2d)
        layer = block.get_submodule(str(follower.target)) if follower is not None else None
        norm_ = layer if isinstance(layer, nn.BatchNorm2d) else None
        last = node if norm_ is None or follower is None else follower
        with graph.inserting_after(whole):
            part = graph.call_function(operator.getitem, (whole, index))
        last.replace_all_uses_with(part)
        for read in (last, node) if last is not node else (node,):
            graph.erase_node(read)
        layers.append((conv, norm_))
    return layers


def _only_reader(node: fx.Node) -> fx.Node | None:
    """Return the call of a layer that alone reads a value."""
    readers = list(node.users)
    return readers[0] if len(readers) == 1 and readers[0].op == "call_module" else None


def _fresh_name(block: nn.Module, count: int, taken: dict[str, Siblings]) -> str:
    name = f"siblings_{count}"
    while hasattr(block, name) or name in taken:
        name += "_"
    return name


def _source(graph: fx.Graph, cls: type[nn.Module]) -> str | None:
    """Return a file with a class of a block's name whose forward pass is a graph."""
    code = graph.python_code("self")
    modules = {name: value for name, value in code.globals.items() if isinstance(value, ModuleType)}
    if len(modules) < len(code.globals):
        return None  # it returns a type of its own file
    imports = [f"import {module.__name__} as {name}" for name, module in modules.items()]
    body = [f"    {line}".rstrip() for line in code.src.strip().splitlines()]
    head = f"class {cls.__name__}(nn.Module):"
    return "\n".join(["from torch import nn", *imports, "", "", head, *body, ""])
