"""Borders that are added, or cut off."""

from __future__ import annotations

from collections.abc import Sequence

from backends.torch.expressions import Code, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, function, module, size_of
from compiler.ops import Crop, Pad

HELPERS: dict[str, Helper] = {
    "center_crop": Helper(
        '''
def center_crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """Cut out the middle; a row or column more is cut at the bottom and the right."""
    top, left = (x.shape[2] - size[0]) // 2, (x.shape[3] - size[1]) // 2
    return x[:, :, top : top + size[0], left : left + size[1]]
''',
        imports=("Sequence",),
    ),
    "CenterCrop": Helper(
        '''
class CenterCrop(nn.Module):
    """Cut out the middle (height, width) of a map."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Crop."""
        return center_crop(x, self.size)
''',
        ("center_crop",),
    ),
}

_MODULES = {
    "zeros": "nn.ZeroPad2d",
    "reflect": "nn.ReflectionPad2d",
    "replicate": "nn.ReplicationPad2d",
}


@module.register
def _(op: Pad, site: AttributeWriter) -> Code:
    return call(_MODULES[op.mode], _amounts(op))


@function.register
def _(op: Pad, operands: Sequence[Code], site: AttributeWriter) -> Code:
    named: dict[str, Code] = {} if op.mode == "zeros" else {"mode": f'"{op.mode}"'}
    return call("F.pad", operands[0], _amounts(op), **named)


def _amounts(op: Pad) -> str:
    """Return (left, right, top, bottom)."""
    (top, bottom), (left, right) = op.padding
    return str((left, right, top, bottom))


@module.register
def _(op: Crop, site: AttributeWriter) -> Code:
    return call(site.helper("CenterCrop"), str(op.size))


@function.register
def _(op: Crop, operands: Sequence[Code], site: AttributeWriter) -> Code:
    size = str(op.size) if op.size is not None else size_of(operands[1])
    return call(site.helper("center_crop"), operands[0], size)
