"""Operation -> Python: as a module of torch.nn, or as a line of a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol

from backends.torch.layout import Call, Code, Joined, Listing, call
from backends.torch.symbols import Symbol
from compiler.errors import BackendError
from compiler.graph import Pads, Pair
from compiler.ops import (
    ACTIVATIONS,
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    Linear,
    MaxPool2d,
    Multiply,
    Normalize,
    Op,
    Scale,
    Slice,
    Softmax,
    Standardize,
    Upsample,
)

FUNCTIONS = {
    "relu": "F.relu",
    "relu6": "F.relu6",
    "leaky_relu": "F.leaky_relu",
    "elu": "F.elu",
    "gelu": "F.gelu",
    "silu": "F.silu",
    "sigmoid": "torch.sigmoid",
    "tanh": "torch.tanh",
    "softplus": "F.softplus",
    "hard_sigmoid": "F.hardsigmoid",
    "hard_swish": "F.hardswish",
}
"""Word in a spec -> function."""

MODULES = (Conv2d, Linear, BatchNorm, Dropout, MaxPool2d, AvgPool2d, Standardize)
"""Operations that are modules everywhere: they have tensors, a mode, or many attributes."""


class Site(Protocol):
    """Where an operation stands: how its numbers are written there."""

    @property
    def is_map(self) -> bool:
        """True when the operand is (N, C, H, W), False for (N, C)."""

    @property
    def is_inplace(self) -> bool:
        """True when the operand may be overwritten."""

    @property
    def is_depthwise(self) -> bool:
        """True when the spec asks for as many groups as channels come in."""

    def follows(self, attribute: str) -> bool:
        """True when an attribute can be written over arguments of the constructor."""

    def channels(self) -> Symbol:
        """Return the channels of the operand."""

    def symbol(self, attribute: str, value: int) -> Symbol:
        """Return an attribute that is a whole number."""

    def pair(self, attribute: str, value: Pair) -> str:
        """Return an attribute that is a height and width."""

    def factor(self, attribute: str, value: float) -> str:
        """Return an attribute that is any number, for a constructor."""

    def stored_factor(self, attribute: str, value: float) -> str:
        """Return the same for a forward pass, where an argument was kept on the module."""

    def helper(self, name: str) -> str:
        """Ask for a helper class or function in the file and return its name."""


@dataclass(frozen=True, slots=True)
class Padding:
    """How a window's padding is written.

    kind   `plain`: numbers that torch takes; `fixed`: explicit, uneven; `same`: from the size
    """

    kind: str
    plain: Pair = (0, 0)
    fixed: tuple[int, ...] = ()
    """(left, right, top, bottom), in the order of `F.pad`."""


def padding_of(op: Conv2d | MaxPool2d | AvgPool2d) -> Padding:
    """Return how to write the padding of a convolution or pooling.

    With stride 1, or a kernel of 1, SAME padding is the same for every input size. Else it is
    computed in forward, because torch refuses `padding="same"` with a stride
    (pytorch/pytorch#67551) and because the odd pixel comes last.
    """
    pads = op.padding
    if pads == "same":
        dilation = op.dilation if isinstance(op, Conv2d) else (1, 1)
        reach = [d * (k - 1) for k, d in zip(op.kernel_size, dilation, strict=True)]
        if any(r > 0 and s > 1 for r, s in zip(reach, op.stride, strict=True)):
            return Padding("same")
        pads = _halves(reach[0]), _halves(reach[1])
    return _explicit(pads)


def _halves(total: int) -> Pair:
    return total // 2, total - total // 2


def _explicit(pads: Pads) -> Padding:
    (top, bottom), (left, right) = pads
    if top == bottom and left == right:
        return Padding("plain", (top, left))
    return Padding("fixed", fixed=(left, right, top, bottom))


def size(pair: Pair) -> str:
    """Return a height and width as torch takes them: one number where both are equal."""
    return str(pair[0]) if pair[0] == pair[1] else f"({pair[0]}, {pair[1]})"


@singledispatch
def module(op: Op, site: Site) -> Code:
    """Return the constructor of the module that computes an operation."""
    raise BackendError(f"the torch backend has no module for `{op.kind}`")


@singledispatch
def function(op: Op, operands: Sequence[Code], site: Site) -> Code:
    """Return an operation as an expression on its operands."""
    raise BackendError(f"the torch backend has no function for `{op.kind}`")


@module.register
def _(op: Conv2d, site: Site) -> Code:
    name, args = conv_arguments(op, site)
    if op.bias is False:
        args.append(("bias", "False"))
    return Call(name, tuple(args))


def conv_arguments(op: Conv2d, site: Site) -> tuple[str, list[tuple[str, Code]]]:
    """Return the class of a convolution and its arguments but `bias`."""
    padding = padding_of(op)
    # The padding is worked out from these; as arguments they could change without it.
    is_single = op.kernel_size == (1, 1) and not site.follows("kernel_size")
    is_free = padding.kind == "same" or op.padding != "same" or is_single

    def is_written(attribute: str, is_usual: bool) -> bool:
        return not is_usual or (is_free and site.follows(attribute))

    args: list[tuple[str, Code]] = [
        ("", site.channels().text),
        ("", site.symbol("out_channels", op.out_channels).text),
        ("", site.pair("kernel_size", op.kernel_size) if is_free else size(op.kernel_size)),
    ]
    if is_written("stride", op.stride == (1, 1)):
        args.append(("stride", site.pair("stride", op.stride) if is_free else size(op.stride)))
    if padding.kind == "plain" and op.padding != "same" and site.follows("padding"):
        args.append(("padding", site.pair("padding", padding.plain)))
    elif padding.plain != (0, 0):
        args.append(("padding", size(padding.plain)))
    if is_written("dilation", op.dilation == (1, 1)):
        dilation = site.pair("dilation", op.dilation) if is_free else size(op.dilation)
        args.append(("dilation", dilation))
    if op.groups != 1 or site.follows("groups") or site.is_depthwise:
        args.append(("groups", _groups(op, site)))
    if padding.kind == "fixed":
        args.append(("pads", str(padding.fixed)))
    names = {"plain": "nn.Conv2d", "fixed": "PaddedConv2d", "same": "SameConv2d"}
    name = names[padding.kind]
    return name if padding.kind == "plain" else site.helper(name), args


def _groups(op: Conv2d, site: Site) -> str:
    """A depthwise convolution has as many groups as channels come in, whatever their number."""
    return site.channels().text if site.is_depthwise else site.symbol("groups", op.groups).text


@module.register
def _(op: Linear, site: Site) -> Code:
    args = [site.channels().text, site.symbol("out_features", op.out_features).text]
    return call("nn.Linear", *args, **({} if op.bias else {"bias": "False"}))


@module.register
def _(op: BatchNorm, site: Site) -> Code:
    name = norm_class(op, site.is_map)
    if not name.startswith("nn."):
        site.helper(name)
    return batch_norm(op, site.channels().text, site.is_map)


def norm_class(op: BatchNorm, is_map: bool) -> str:
    """Return the class of batch normalisation over maps (N, C, H, W) or vectors (N, C).

    torch has none that learns a scale or a shift alone (2.13 can leave out the shift): these are
    classes of the emitted file.
    """
    dims = "2d" if is_map else "1d"
    if op.scale == op.shift:
        return f"nn.BatchNorm{dims}"
    return f"ScaleNorm{dims}" if op.scale else f"ShiftNorm{dims}"


def batch_norm(op: BatchNorm, channels: str, is_map: bool) -> Call:
    """Return the constructor of batch normalisation over maps or vectors."""
    named: dict[str, Code] = {"eps": repr(op.eps), "momentum": repr(op.momentum)}
    if not op.learned:
        named["affine"] = "False"
    return call(norm_class(op, is_map), channels, **named)


@module.register
def _(op: Activation, site: Site) -> Code:
    return activation_module(op, site.is_inplace)


def activation_module(op: Activation, is_inplace: bool) -> Call:
    """Return an activation; only ReLU overwrites, its derivative needs the result alone."""
    inplace: dict[str, Code] = {"inplace": "True"} if is_inplace and op.function == "relu" else {}
    return call(f"nn.{ACTIVATIONS[op.function]}", **inplace)


@module.register
def _(op: Dropout, site: Site) -> Code:
    return call("nn.Dropout", p=site.factor("drop", op.drop))


@module.register
def _(op: MaxPool2d, site: Site) -> Code:
    return _pool(op, "MaxPool2d", {}, site)


@module.register
def _(op: AvgPool2d, site: Site) -> Code:
    return _pool(op, "AvgPool2d", {"count_include_pad": str(op.count_include_pad)}, site)


def _pool(op: MaxPool2d | AvgPool2d, name: str, more: dict[str, Code], site: Site) -> Code:
    """Write everything out: the defaults of frameworks differ (pytorch/pytorch#8645)."""
    padding = padding_of(op)
    if padding.kind == "same":
        args = {"stride": str(op.stride), **more}
        return call(site.helper(f"Same{name}"), str(op.kernel_size), **args)
    if padding.kind == "fixed":
        args = {"stride": str(op.stride), "pads": str(padding.fixed), "ceil_mode": str(op.ceil)}
        return call(site.helper(f"Padded{name}"), str(op.kernel_size), **args, **more)
    args = {"stride": size(op.stride), "padding": size(padding.plain), "ceil_mode": str(op.ceil)}
    return call(f"nn.{name}", size(op.kernel_size), **args, **more)


@module.register
def _(op: GlobalPool2d, site: Site) -> Code:
    word = op.function.capitalize()
    if op.keep_grid:
        return call(f"nn.Adaptive{word}Pool2d", "1")
    return call(site.helper(f"Global{word}Pool2d"))


@module.register
def _(op: Scale, site: Site) -> Code:
    return call(site.helper("Scale"), site.factor("factor", op.factor))


@module.register
def _(op: Standardize, site: Site) -> Code:
    return call(site.helper("Standardize"), str(op.mean), str(op.deviation))


@module.register
def _(op: Slice, site: Site) -> Code:
    return call(site.helper("Slice"), str(op.start), str(op.stop))


@module.register
def _(op: Normalize, site: Site) -> Code:
    return call(site.helper("Normalize"))


def _constructor(text: Callable[[Op], Code]) -> Callable[[Op, Site], Code]:
    return lambda op, site: text(op)


module.register(Flatten, _constructor(lambda _: "nn.Flatten(1)"))
module.register(Softmax, _constructor(lambda _: "nn.Softmax(dim=1)"))
module.register(Identity, _constructor(lambda _: "nn.Identity()"))


@module.register
def _(op: AdaptiveAvgPool2d, site: Site) -> Code:
    return call("nn.AdaptiveAvgPool2d", size(op.output_size))


@module.register
def _(op: Upsample, site: Site) -> Code:
    return call("nn.Upsample", scale_factor=str(op.factor), mode='"nearest"')


@function.register
def _(op: Concat, operands: Sequence[Code], site: Site) -> Code:
    return call("torch.cat", Listing(tuple(operands)), "1")


@function.register
def _(op: Add, operands: Sequence[Code], site: Site) -> Code:
    return _operators(" + ", operands) if len(operands) > 1 else operands[0]


@function.register
def _(op: Multiply, operands: Sequence[Code], site: Site) -> Code:
    return _operators(" * ", [_operand(o) for o in operands]) if operands[1:] else operands[0]


@function.register
def _(op: Scale, operands: Sequence[Code], site: Site) -> Code:
    return _operators(" * ", [site.stored_factor("factor", op.factor), _operand(operands[0])])


def _operators(operator: str, operands: Sequence[Code]) -> Joined:
    parts: list[str | Code] = []
    for code in operands:
        parts += [operator, code] if parts else [code]
    return Joined(tuple(parts))


def _operand(code: Code) -> Code:
    if isinstance(code, Joined) and not code.tight:
        return Joined(("(", code, ")"), tight=True)
    return code


@function.register
def _(op: Activation, operands: Sequence[Code], site: Site) -> Code:
    return call(FUNCTIONS[op.function], operands[0])


@function.register
def _(op: GlobalPool2d, operands: Sequence[Code], site: Site) -> Code:
    method = "mean" if op.function == "avg" else "amax"
    keep = ", keepdim=True" if op.keep_grid else ""
    return Joined((_operand(operands[0]), f".{method}((2, 3){keep})"), tight=True)


@function.register
def _(op: Slice, operands: Sequence[Code], site: Site) -> Code:
    start = op.start or ""
    return Joined((_operand(operands[0]), f"[:, {start}:{op.stop}]"), tight=True)


@function.register
def _(op: Identity, operands: Sequence[Code], site: Site) -> Code:
    return operands[0]


@function.register
def _(op: Softmax, operands: Sequence[Code], site: Site) -> Code:
    return call("F.softmax", operands[0], dim="1")


@function.register
def _(op: Normalize, operands: Sequence[Code], site: Site) -> Code:
    return call("F.normalize", operands[0], dim="1")


@function.register
def _(op: Flatten, operands: Sequence[Code], site: Site) -> Code:
    return call("torch.flatten", operands[0], "1")


@function.register
def _(op: AdaptiveAvgPool2d, operands: Sequence[Code], site: Site) -> Code:
    return call("F.adaptive_avg_pool2d", operands[0], str(op.output_size))


@function.register
def _(op: Upsample, operands: Sequence[Code], site: Site) -> Code:
    named = {"scale_factor": str(op.factor), "mode": '"nearest"'}
    return call("F.interpolate", operands[0], **named)
