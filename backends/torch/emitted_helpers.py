"""The small helpers that an emitted file may need: source text, each only where it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Helper:
    """A function or class of the emitted file; `needs` names helpers, `imports` modules."""

    source: str
    needs: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


IMPORTS = {
    "math": "import math",
    "OrderedDict": "from collections import OrderedDict",
    "Any": "from typing import Any",
    "NamedTuple": "from typing import NamedTuple",
}
"""Word in the text -> the import that it needs, in the order of the file."""

HELPERS: dict[str, Helper] = {
    "chain": Helper(
        '''
def chain(**layers: nn.Module) -> nn.Sequential:
    """Run named layers one after the other."""
    return nn.Sequential(OrderedDict(layers))
''',
        imports=("OrderedDict",),
    ),
    "group": Helper(
        '''
def group(**layers: nn.Module) -> nn.ModuleDict:
    """Hold named layers that a forward pass calls one by one."""
    return nn.ModuleDict(layers)
'''
    ),
    "Group": Helper(
        '''
class Group(nn.Module):
    """Hold layers that a forward pass calls one by one, under names that nn.ModuleDict uses."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def __getitem__(self, name: str) -> nn.Module:
        """Return a layer."""
        return self.get_submodule(name)
'''
    ),
    "same_pads": Helper(
        '''
def same_pads(
    x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...] = (1, 1)
) -> list[int]:
    """Return TensorFlow's SAME padding (left, right, top, bottom); the odd pixel comes last."""
    pads: list[int] = []
    for axis in (1, 0):
        n, k, s, d = x.shape[2 + axis], kernel[axis], stride[axis], dilation[axis]
        overlap = d * (k - 1) + 1 - s
        total = overlap + -n % s
        if overlap < 0:
            total = max(0, total)
        pads += [total // 2, total - total // 2]
    return pads
'''
    ),
    "SameConv2d": Helper(
        '''
class SameConv2d(nn.Conv2d):
    """Convolution whose SAME padding depends on the size of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve."""
        pads = same_pads(input, self.kernel_size, self.stride, self.dilation)
        return super().forward(F.pad(input, pads))
''',
        ("same_pads",),
        ("F",),
    ),
    "PaddedConv2d": Helper(
        '''
class PaddedConv2d(nn.Conv2d):
    """Convolution behind uneven padding (left, right, top, bottom)."""

    def __init__(self, *args: Any, pads: tuple[int, int, int, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pads = pads

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve."""
        return super().forward(F.pad(input, self.pads))
''',
        imports=("F", "Any"),
    ),
    "ScaleNorm2d": Helper(
        '''
class ScaleNorm2d(nn.BatchNorm2d):
    """Batch normalisation that learns a scale and no shift."""

    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        super().__init__(num_features, eps, momentum)
        self.register_parameter("bias", None)

    def reset_parameters(self) -> None:
        """Reset the running statistics and what is learned."""
        self.reset_running_stats()
        nn.init.ones_(self.weight)
'''
    ),
    "ScaleNorm1d": Helper(
        '''
class ScaleNorm1d(nn.BatchNorm1d):
    """Batch normalisation that learns a scale and no shift."""

    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        super().__init__(num_features, eps, momentum)
        self.register_parameter("bias", None)

    def reset_parameters(self) -> None:
        """Reset the running statistics and what is learned."""
        self.reset_running_stats()
        nn.init.ones_(self.weight)
'''
    ),
    "ShiftNorm2d": Helper(
        '''
class ShiftNorm2d(nn.BatchNorm2d):
    """Batch normalisation that learns a shift and no scale."""

    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        super().__init__(num_features, eps, momentum)
        self.register_parameter("weight", None)

    def reset_parameters(self) -> None:
        """Reset the running statistics and what is learned."""
        self.reset_running_stats()
        nn.init.zeros_(self.bias)
'''
    ),
    "ShiftNorm1d": Helper(
        '''
class ShiftNorm1d(nn.BatchNorm1d):
    """Batch normalisation that learns a shift and no scale."""

    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        super().__init__(num_features, eps, momentum)
        self.register_parameter("weight", None)

    def reset_parameters(self) -> None:
        """Reset the running statistics and what is learned."""
        self.reset_running_stats()
        nn.init.zeros_(self.bias)
'''
    ),
    "SameMaxPool2d": Helper(
        '''
class SameMaxPool2d(nn.Module):
    """Maximum over a window with SAME padding, which counts as minus infinity."""

    def __init__(self, kernel_size: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then pool."""
        x = F.pad(x, same_pads(x, self.kernel_size, self.stride), value=-math.inf)
        return F.max_pool2d(x, self.kernel_size, self.stride, padding=0, ceil_mode=False)
''',
        ("same_pads",),
        ("F", "math"),
    ),
    "SameAvgPool2d": Helper(
        '''
class SameAvgPool2d(nn.Module):
    """Mean over a window with SAME padding, which the mean leaves out unless it is counted."""

    def __init__(
        self, kernel_size: tuple[int, int], stride: tuple[int, int], count_include_pad: bool
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """Divide the mean over the padded window by the share of it that counts."""
        pads = same_pads(x, self.kernel_size, self.stride)
        share = F.pad(x.new_ones(1, 1, *x.shape[2:]), pads, value=float(self.count_include_pad))
        return self.mean(F.pad(x, pads)) / self.mean(share)

    def mean(self, x: Tensor) -> Tensor:
        """Return the plain mean over every window."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, padding=0, ceil_mode=False)
''',
        ("same_pads",),
        ("F",),
    ),
    "ceil_pads": Helper(
        '''
def ceil_pads(
    x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], pads: tuple[int, int, int, int]
) -> list[int]:
    """Return the padding with its ends moved so that the last window, rounded up, just fits."""
    out: list[int] = []
    for axis in (1, 0):
        n, k, s = x.shape[2 + axis], kernel[axis], stride[axis]
        before, after = pads[2 - 2 * axis : 4 - 2 * axis]
        count = -(-(n + before + after - k) // s) + 1
        count -= (count - 1) * s >= n + before  # no window starts in the padding at the end
        out += [before, (count - 1) * s + k - n - before]
    return out
'''
    ),
    "PaddedMaxPool2d": Helper(
        '''
class PaddedMaxPool2d(nn.Module):
    """Maximum over a window behind uneven padding, which counts as minus infinity."""

    def __init__(
        self,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        pads: tuple[int, int, int, int],
        ceil_mode: bool,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        self.pads, self.ceil_mode = pads, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then pool."""
        pads = list(self.pads)
        if self.ceil_mode:
            pads = ceil_pads(x, self.kernel_size, self.stride, self.pads)
        x = F.pad(x, pads, value=-math.inf)
        return F.max_pool2d(x, self.kernel_size, self.stride, padding=0, ceil_mode=False)
''',
        ("ceil_pads",),
        ("F", "math"),
    ),
    "PaddedAvgPool2d": Helper(
        '''
class PaddedAvgPool2d(nn.Module):
    """Mean over a window behind uneven padding, which the mean leaves out unless counted."""

    def __init__(
        self,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        pads: tuple[int, int, int, int],
        ceil_mode: bool,
        count_include_pad: bool,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        self.pads, self.ceil_mode = pads, ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """Divide the mean over the padded window by the share of it that counts."""
        left, right, top, bottom = self.pads
        ends = [0, 0, 0, 0]
        if self.ceil_mode:
            _, x_end, _, y_end = ceil_pads(x, self.kernel_size, self.stride, self.pads)
            ends = [0, x_end - right, 0, y_end - bottom]
        share = x.new_ones(1, 1, *x.shape[2:])
        share = F.pad(share, [left, right, top, bottom], value=float(self.count_include_pad))
        x = F.pad(x, [left, right, top, bottom])
        return self.mean(F.pad(x, ends)) / self.mean(F.pad(share, ends))

    def mean(self, x: Tensor) -> Tensor:
        """Return the plain mean over every window."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, padding=0, ceil_mode=False)
''',
        ("ceil_pads",),
        ("F",),
    ),
    "GlobalAvgPool2d": Helper(
        '''
class GlobalAvgPool2d(nn.Module):
    """Mean over the whole map: (N, C, H, W) -> (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Average over height and width."""
        return x.mean((2, 3))
'''
    ),
    "GlobalMaxPool2d": Helper(
        '''
class GlobalMaxPool2d(nn.Module):
    """Maximum over the whole map: (N, C, H, W) -> (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Take the maximum over height and width."""
        return x.amax((2, 3))
'''
    ),
    "Scale": Helper(
        '''
class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return self.factor * x
'''
    ),
    "Standardize": Helper(
        '''
class Standardize(nn.Module):
    """Take RGB values from 0 to 1 to what the weights expect: (x - mean) / deviation."""

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Standardise every channel."""
        return (x - self.mean) / self.deviation
'''
    ),
    "Slice": Helper(
        '''
class Slice(nn.Module):
    """Take the channels from `start` up to `stop`."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x: Tensor) -> Tensor:
        """Take the channels."""
        return x[:, self.start : self.stop]
'''
    ),
    "Normalize": Helper(
        '''
class Normalize(nn.Module):
    """Divide a vector by its Euclidean length."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise over channels."""
        return F.normalize(x, dim=1)
''',
        imports=("F",),
    ),
}
"""Name -> helper, in the order in which they stand in the file."""


def closure(names: Iterable[str]) -> list[str]:
    """Return the helpers and those that they need, in file order."""
    wanted, stack = set(), list(names)
    while stack:
        name = stack.pop()
        if name not in wanted:
            wanted.add(name)
            stack.extend(HELPERS[name].needs)
    return [name for name in HELPERS if name in wanted]
