"""Pooling and upsampling, and the helpers for pooling behind padding."""

from __future__ import annotations

from collections.abc import Sequence

from backends.torch.expressions import Code, Joined, call
from backends.torch.ops.conv import padding_of
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, function, module, operand, size, size_of
from compiler.ops import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    GlobalPool2d,
    MaxPool2d,
    PixelShuffle,
    PixelUnshuffle,
    Upsample,
)

HELPERS: dict[str, Helper] = {
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
}


@module.register
def _(op: MaxPool2d, site: AttributeWriter) -> Code:
    return _pool(op, "MaxPool2d", {}, site)


@module.register
def _(op: AvgPool2d, site: AttributeWriter) -> Code:
    return _pool(op, "AvgPool2d", {"count_include_pad": str(op.count_include_pad)}, site)


def _pool(
    op: MaxPool2d | AvgPool2d, name: str, more: dict[str, Code], site: AttributeWriter
) -> Code:
    """Write everything out: the defaults of frameworks differ (pytorch/pytorch#8645)."""
    padding = padding_of(op)
    if padding.kind == "same":
        args = {"stride": str(op.stride), **more}
        return call(site.helper(f"Same{name}"), str(op.kernel_size), **args)
    if padding.kind == "fixed":
        args = {"stride": str(op.stride), "pads": str(padding.fixed), "ceil_mode": str(op.ceil)}
        return call(site.helper(f"Padded{name}"), str(op.kernel_size), **args, **more)
    given = {"kernel_size": op.kernel_size, "stride": op.stride, "padding": padding.plain}
    is_free = op.padding != "same"  # else the padding is worked out from the others
    texts = {n: site.pair(n, v) if is_free else size(v) for n, v in given.items()}
    args = {"stride": texts["stride"], "padding": texts["padding"], "ceil_mode": str(op.ceil)}
    return call(f"nn.{name}", texts["kernel_size"], **args, **more)


@module.register
def _(op: GlobalPool2d, site: AttributeWriter) -> Code:
    word = op.function.capitalize()
    if op.keep_grid:
        return call(f"nn.Adaptive{word}Pool2d", "1")
    return call(site.helper(f"Global{word}Pool2d"))


@function.register
def _(op: GlobalPool2d, operands: Sequence[Code], site: AttributeWriter) -> Code:
    method = "mean" if op.function == "avg" else "amax"
    keep = ", keepdim=True" if op.keep_grid else ""
    return Joined((operand(operands[0]), f".{method}((2, 3){keep})"), tight=True)


@module.register
def _(op: AdaptiveAvgPool2d, site: AttributeWriter) -> Code:
    return call("nn.AdaptiveAvgPool2d", size(op.output_size))


@function.register
def _(op: AdaptiveAvgPool2d, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call("F.adaptive_avg_pool2d", operands[0], str(op.output_size))


@module.register
def _(op: Upsample, site: AttributeWriter) -> Code:
    return call("nn.Upsample", **_resizing(op))


@function.register
def _(op: Upsample, operands: Sequence[Code], site: AttributeWriter) -> Code:
    named = _resizing(op)
    if len(operands) > 1:
        named = {"size": size_of(operands[1]), **named}
    return call("F.interpolate", operands[0], **named)


def _resizing(op: Upsample) -> dict[str, Code]:
    named: dict[str, Code] = {} if op.factor is None else {"scale_factor": str(op.factor)}
    if op.size is not None:
        named["size"] = str(op.size)
    named["mode"] = f'"{op.mode}"'
    return named if op.mode == "nearest" else {**named, "align_corners": str(op.align_corners)}


@module.register
def _(op: PixelShuffle, site: AttributeWriter) -> Code:
    return call("nn.PixelShuffle", str(op.factor))


@module.register
def _(op: PixelUnshuffle, site: AttributeWriter) -> Code:
    return call("nn.PixelUnshuffle", str(op.factor))
