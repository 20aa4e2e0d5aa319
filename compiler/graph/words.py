"""How an operation is shown in a figure: its kind of box, and the text of its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from compiler.graph.shapes import Pads, Pair

OpKind = Literal[
    "input",
    "conv",
    "pool",
    "final_pool",
    "concat",
    "add",
    "activation",
    "norm",
    "linear",
    "dropout",
    "softmax",
    "scale",
    "reshape",
]
"""What an operation's box is; a theme gives each kind its colour, and `add` its circle."""

Words = tuple[str, list[str]]
"""The words of an operation, and the details for the brackets behind them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What to show for an attribute: its value, or what it was written as."""

    written: Mapping[str, str]
    """Attribute -> its text in the spec, where that is to be shown."""

    def __call__(self, attribute: str, value: object) -> str:
        """Return the text of an attribute."""
        return self.written.get(attribute) or value_text(value)

    def named(self, attribute: str, before: str = "") -> list[str]:
        """Return the text of an attribute where it was written by name: nothing otherwise."""
        text = self.written.get(attribute)
        return [f"{before} {text}".strip()] if text else []

    def stride(self, stride: Pair) -> list[str]:
        """Return the text of a stride; one of 1 goes without saying."""
        if named := self.named("stride", "stride"):
            return named
        return [] if stride == (1, 1) else [f"stride {pair_text(stride)}"]

    def padding(self, padding: Pads | str) -> list[str]:
        """Return the text of a padding; SAME goes without saying, as in the paper."""
        if named := self.named("padding", "pad"):
            return named
        text = padding_text(padding)
        return {"same": [], "V": ["V"]}.get(text, [f"pad {text}"])


def value_text(value: object) -> str:
    """Return a value as short text: `3x3`, `0.17`."""
    if isinstance(value, tuple):
        return f"{value[0]}x{value[1]}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def pair_text(pair: Pair) -> str:
    """Return a height and width as short text: `2`, `1x2`."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def padding_text(pads: Pads | str) -> str:
    """Return padding as short text: `same`, `V` (valid), `1`, `0x3` or all four numbers."""
    if isinstance(pads, str):
        return pads
    (top, bottom), (left, right) = pads
    if top == bottom == left == right:
        return "V" if top == 0 else str(top)
    if top == bottom and left == right:
        return f"{top}x{left}"
    return f"{top},{bottom},{left},{right}"
