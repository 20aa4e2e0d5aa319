"""Sizes that are printed beside layers, compared with those that are computed."""

from __future__ import annotations

from compiler.errors import Diagnostic
from compiler.graph import Shape
from compiler.lower.lowering import Lowering
from compiler.lower.scope import Scope
from compiler.ops import Layer


def check_size(lowering: Lowering, layer: Layer, tensor: str, scope: Scope) -> None:
    """Compare a printed size with the computed one, or fall back on it after an error."""
    if layer.common.size is None or not scope.frame.sizes_hold:
        return
    shape, stated = lowering.builder.shapes[tensor], printed(layer.common.size)
    if not lowering.open_blocks:  # those of a block hold for the input that it states itself
        lowering.builder.stated[tensor] = stated, layer.span("size")
    if None in shape:
        lowering.builder.claim(tensor, stated)
    elif not _agrees(shape, stated):
        lowering.report.add(
            Diagnostic(
                "wrong-size",
                f"`{tensor}` gives {shape.paper}, the size that is stated is {layer.common.size}",
                layer.span("size"),
                help="correct the layers, or the stated size",
            )
        )


def _agrees(shape: Shape, stated: Shape) -> bool:
    """True where a computed size is the stated one, as far as it is no formula."""
    if len(shape) != len(stated):
        return False
    return all(a == b or not isinstance(a, int) for a, b in zip(shape, stated, strict=True))


def printed(size: str) -> Shape:
    """Return the shape that a printed size is: height x width x channels, or channels alone.

    >>> printed("35x35x384")
    (384, 35, 35)
    """
    *grid, channels = map(int, size.split("x"))
    return Shape((channels, *grid))
