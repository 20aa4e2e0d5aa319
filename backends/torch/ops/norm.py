"""Normalisation, and the helpers for a scale or a shift alone."""

from __future__ import annotations

from backends.torch.expressions import Call, Code, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, module
from compiler.ops import BatchNorm

HELPERS: dict[str, Helper] = {
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
