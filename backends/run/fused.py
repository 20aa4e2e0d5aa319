"""Convolutions with the sum and the ReLU after them, each in the way that measures fastest.

For GPUs: cuDNN and cuBLAS add, clamp and write in the kernel that multiplies, where PyTorch's own
operations write a tensor, read it and write it again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from backends.run.pointwise import is_pointwise, multiply
from compiler.graph import Pair

Clock = Callable[[Callable[[], Tensor]], float]
"""Returns how long a computation takes."""

_AGREEMENT = 2**-5
"""How far a way may be from PyTorch's, of the largest value: rounding of any dtype is below, a
wrong result is not."""


def separate(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    addend: Tensor | None,
    relu: bool,
    *window: Any,
) -> Tensor:
    """Convolve, add and clamp by PyTorch's own operations, one after the other.

    Args:
        x: (N, C, H, W).
        weight: (O, C / groups, kernel height, kernel width).
        bias: (O,).
        addend: (N, O, H', W'), added to the convolution.
        relu: whether a ReLU follows.
        window: stride, padding, dilation and groups.
    """
    return _followed(F.conv2d(x, weight, bias, *window), addend, relu)


def _by_cudnn(
    x: Tensor, weight: Tensor, bias: Tensor | None, addend: Tensor | None, _: bool, *window: Any
) -> Tensor:
    cudnn: Any = torch  # PyTorch's stubs lack these
    if addend is None:
        made: Tensor = cudnn.cudnn_convolution_relu(x, weight, bias, *window)
    else:
        made = cudnn.cudnn_convolution_add_relu(x, weight, addend, 1.0, bias, *window)
    return made


def _by_product(
    x: Tensor, weight: Tensor, bias: Tensor | None, addend: Tensor | None, relu: bool, *_: Any
) -> Tensor:
    if bias is None or addend is not None or not relu:
        return _followed(multiply(x, weight, bias), addend, relu)
    pixels = x.permute(0, 2, 3, 1)
    cublas: Any = torch
    rows: Tensor = cublas._addmm_activation(bias, pixels.flatten(0, 2), weight.flatten(1).t())
    return rows.view(*pixels.shape[:3], -1).permute(0, 3, 1, 2)


def _followed(out: Tensor, addend: Tensor | None, relu: bool) -> Tensor:
    out = out if addend is None else out.add_(addend)
    return out.relu_() if relu else out


WAYS: dict[str, Callable[..., Tensor]] = {
    "separate": separate,
    "cudnn": _by_cudnn,
    "product": _by_product,
}
"""Name -> a function of the same arguments and values as `separate`."""


def ways_of(weight: Tensor, relu: bool, window: tuple[Pair, Pair, Pair, int]) -> list[str]:
    """Return the names of the ways that may compute a convolution with what follows it."""
    stride, padding, _, groups = window
    height, width = weight.shape[2:]
    names = ["separate"]
    if relu:
        names.append("cudnn")
    if groups == 1 and is_pointwise((height, width), stride, padding):
        names.append("product")
    return names


def fuse(network: fx.GraphModule) -> None:
    """Turn every convolution, with the sum and ReLU that alone read it, into one `separate`."""
    for node in list(network.graph.nodes):
        if node.target is F.conv2d:
            _fuse(node)
    network.graph.lint()
    network.recompile()


def _fuse(convolution: fx.Node) -> None:
    x, weight, bias, *window = convolution.args
    addend, relu, last = None, False, convolution
    follower = _only_reader(last)
    # `x + x` of one convolution has no other addend and stays as it is.
    if follower is not None and follower.target is operator.add:
        others = [operand for operand in follower.args if operand is not convolution]
        if len(others) == 1:
            addend, last = others[0], follower
            follower = _only_reader(last)
    if follower is not None and follower.target is torch.relu:
        relu, last = True, follower
    graph = convolution.graph
    with graph.inserting_before(last):
        made = graph.call_function(separate, (x, weight, bias, addend, relu, *window))
    last.replace_all_uses_with(made)
    # From the end backwards: fx erases only nodes without users.
    while last is not convolution:
        before = next(n for n in last.all_input_nodes if n is not addend)
        graph.erase_node(last)
        last = before
    graph.erase_node(convolution)


def _only_reader(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def choose_ways(
    network: fx.GraphModule, inputs: tuple[Tensor, ...], clock: Clock, known: Mapping[str, str]
) -> dict[str, str]:
    """Set the way of every `separate` of a network, and return them by their weights' names.

    Args:
        network: what `fuse` left.
        inputs: what the network is measured with; equal convolutions are measured once.
        clock: measures.
        known: what an earlier run chose, which isn't measured again.
    """
    chooser = _Chooser(network, clock, known)
    chooser.run(*inputs)
    network.recompile()
    return chooser.chosen


class _Chooser(fx.Interpreter):
    def __init__(self, network: fx.GraphModule, clock: Clock, known: Mapping[str, str]) -> None:
        super().__init__(network)
        self.clock = clock
        self.known = known
        self.chosen: dict[str, str] = {}
        self.measured: dict[object, str] = {}

    def run_node(self, n: fx.Node) -> Any:
        if n.target is separate:
            operands, _ = self.fetch_args_kwargs_from_env(n)
            weight = n.args[1]
            assert isinstance(weight, fx.Node)
            name = str(weight.target)
            self.chosen[name] = way = self.way(name, operands)
            n.target = WAYS[way]
        return super().run_node(n)

    def way(self, name: str, operands: tuple[Any, ...]) -> str:
        _, weight, _, _, relu, *window = operands
        names = ways_of(weight, relu, tuple(window))
        if self.known.get(name) in names:
            return self.known[name]
        # Equal shapes and strides take equal time; measuring each again would take seconds.
        key = tuple(
            (value.shape, value.stride()) if isinstance(value, Tensor) else value
            for value in operands
        )
        if key not in self.measured:
            times = self.times(names, operands)
            self.measured[key] = min(times, key=times.__getitem__)
        return self.measured[key]

    def times(self, names: list[str], operands: tuple[Any, ...]) -> dict[str, float]:
        """Return the time of every way that runs here and agrees with PyTorch's own."""
        wanted = separate(*operands)
        times = {"separate": self.time("separate", operands)}
        for name in names[1:]:
            try:
                if agree(WAYS[name](*operands), wanted):
                    times[name] = self.time(name, operands)
            except (RuntimeError, NotImplementedError):
                continue  # no kernel for this device, dtype or size
        return times

    def time(self, name: str, operands: tuple[Any, ...]) -> float:
        """Return how long a way takes."""
        return self.clock(lambda: WAYS[name](*operands))


def agree(made: Tensor, wanted: Tensor) -> bool:
    """Say whether two results differ by no more than rounding."""
    distance = (made.float() - wanted.float()).abs().max()
    return bool(distance <= _AGREEMENT * wanted.float().abs().max())  # not where one is NaN
