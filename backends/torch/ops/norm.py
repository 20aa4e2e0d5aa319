"""Normalisation, and the helpers for a scale or a shift alone."""

from __future__ import annotations

from backends.torch.expressions import Call, Code, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, module
from compiler.ops import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from compiler.ops.norm import Norm


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
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
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
def _(op: BatchNorm, site: AttributeWriter) -> Code:
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
def _(op: LayerNorm, site: AttributeWriter) -> Code:
    name = site.helper("LayerNorm2d") if site.is_map else "nn.LayerNorm"
    return _learning(op, call(name, site.channels().text, **_named(op, "elementwise_affine")), site)


@module.register
def _(op: GroupNorm, site: AttributeWriter) -> Code:
    args = [site.symbol("groups", op.groups).text, site.channels().text]
    return _learning(op, call("nn.GroupNorm", *args, **_named(op, "affine")), site)


@module.register
def _(op: InstanceNorm, site: AttributeWriter) -> Code:
    named = {"eps": repr(op.eps), **({"affine": "True"} if op.learned else {})}
    return _learning(op, call("nn.InstanceNorm2d", site.channels().text, **named), site)


def _named(op: Norm, affine: str) -> dict[str, Code]:
    """Return the arguments of a class that learns a scale and a shift unless it is told not to."""
    return {"eps": repr(op.eps), **({} if op.learned else {affine: "False"})}


def _learning(op: Norm, made: Code, site: AttributeWriter) -> Code:
    """Return a norm with what it does not learn taken out, where it learns one of the two."""
    if op.scale == op.shift:
        return made
    return call(site.helper("without"), '"bias"' if op.scale else '"weight"', made)
