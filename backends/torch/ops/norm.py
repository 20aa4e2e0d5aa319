"""Normalisation and learned factors, and the helpers for a scale or a shift alone."""

from __future__ import annotations

from backends.torch.expressions import Code, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, module
from compiler.ops import BatchNorm, GroupNorm, LayerNorm, LayerScale, LocalResponseNorm, Norm


def _helper(learns: str, dims: str) -> Helper:
    """Return the class of a batch normalisation that learns a scale, or a shift, alone."""
    is_scale = learns == "Scale"
    kept, dropped = ("weight", "bias") if is_scale else ("bias", "weight")
    has, lacks = ("scale", "shift") if is_scale else ("shift", "scale")
    return Helper(
        f'''
class {learns}Norm{dims}(nn.BatchNorm{dims}):
    """Batch normalisation that learns a {has} and no {lacks}."""

    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        super().__init__(num_features, eps, momentum)
        self.register_parameter("{dropped}", None)

    def reset_parameters(self) -> None:
        """Reset the running statistics and what is learned."""
        self.reset_running_stats()
        nn.init.{"ones" if is_scale else "zeros"}_(self.{kept})
'''
    )


HELPERS: dict[str, Helper] = {
    **{
        f"{learns}Norm{dims}": _helper(learns, dims)
        for learns in ("Scale", "Shift")
        for dims in ("2d", "1d")
    },
    "LayerNorm2d": Helper(
        '''
class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels, at every position of a map."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W) over C."""
        x = super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        # torch.export takes a convolution of turned strides for one of two images and more.
        return x.contiguous() if torch.compiler.is_compiling() else x
'''
    ),
    "LayerScale": Helper(
        '''
class LayerScale(nn.Module):
    """Multiply every channel by a learned factor."""

    def __init__(self, channels: int, init: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), float(init)))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply (N, C) or (N, C, H, W)."""
        return x * self.weight.view(-1, *[1] * (x.ndim - 2))
'''
    ),
    "without": Helper(
        '''
def without(parameter: str, layer: nn.Module) -> nn.Module:
    """Take the scale ("weight") or the shift ("bias") from a normalisation."""
    layer.register_parameter(parameter, None)
    return layer
'''
    ),
}


@module.register
def _(op: Norm, site: AttributeWriter) -> Code:
    for helper in norm_helpers(op, site.is_map):
        site.helper(helper)
    groups = site.symbol("groups", op.groups).text if isinstance(op, GroupNorm) else ""
    return norm_module(op, site.channels().text, site.is_map, groups)


@module.register
def _(op: LayerScale, site: AttributeWriter) -> Code:
    return call(site.helper("LayerScale"), site.channels().text, site.factor("init", op.init))


@module.register
def _(op: LocalResponseNorm, site: AttributeWriter) -> Code:
    numbers = {name: repr(getattr(op, name)) for name in ("alpha", "beta", "k")}
    return call("nn.LocalResponseNorm", site.symbol("size", op.size).text, **numbers)


def norm_helpers(op: Norm, is_map: bool) -> list[str]:
    """Return the classes and functions of the emitted file that a norm needs."""
    if isinstance(op, BatchNorm):
        return [] if op.scale == op.shift else [_batch_norm_class(op, is_map)]
    of_map = ["LayerNorm2d"] if isinstance(op, LayerNorm) and is_map else []
    return of_map + (["without"] if op.scale != op.shift else [])


def norm_module(op: Norm, channels: str, is_map: bool, groups: str = "") -> Code:
    """Return the constructor of a norm over maps (N, C, H, W) or vectors (N, C).

    `groups` is the text of a group norm's groups, where it is not their number.
    """
    named: dict[str, Code] = {"eps": repr(op.eps)}
    if isinstance(op, BatchNorm):
        named["momentum"] = repr(op.momentum)
        affine: dict[str, Code] = {} if op.learned else {"affine": "False"}
        return call(_batch_norm_class(op, is_map), channels, **named, **affine)
    if isinstance(op, LayerNorm):
        affine = {} if op.learned else {"elementwise_affine": "False"}
        made = call("LayerNorm2d" if is_map else "nn.LayerNorm", channels, **named, **affine)
    elif isinstance(op, GroupNorm):
        affine = {} if op.learned else {"affine": "False"}
        made = call("nn.GroupNorm", groups or str(op.groups), channels, **named, **affine)
    else:
        affine = {"affine": "True"} if op.learned else {}
        made = call("nn.InstanceNorm2d", channels, **named, **affine)
    if op.scale == op.shift:
        return made
    return call("without", '"bias"' if op.scale else '"weight"', made)


def _batch_norm_class(op: BatchNorm, is_map: bool) -> str:
    """Return the class of batch normalisation over maps or vectors.

    torch has none that learns a scale or a shift alone (2.13 can leave out the shift): these are
    classes of the emitted file.
    """
    dims = "2d" if is_map else "1d"
    if op.scale == op.shift:
        return f"nn.BatchNorm{dims}"
    return f"ScaleNorm{dims}" if op.scale else f"ShiftNorm{dims}"
