"""How an operation is written: where it stands, and the two functions of a family of operations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Protocol

from backends.torch.expressions import Code, Joined
from backends.torch.symbols import Symbol
from compiler.errors import BackendError
from compiler.graph import Pair
from compiler.ops import Op


class AttributeWriter(Protocol):
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

    def activation(self) -> str:
        """Return the argument that an activation is, which makes its module; or nothing."""

    def helper(self, name: str) -> str:
        """Ask for a helper class or function in the file and return its name."""


@singledispatch
def module(op: Op, site: AttributeWriter) -> Code:
    """Return the constructor of the module that computes an operation."""
    raise BackendError(f"the torch backend has no module for `{op.kind}`")


@singledispatch
def function(op: Op, operands: Sequence[Code], site: AttributeWriter) -> Code:
    """Return an operation as an expression on its operands."""
    raise BackendError(f"the torch backend has no function for `{op.kind}`")


def has_module(op: Op) -> bool:
    """True where an operation can be written as a module."""
    return module.dispatch(type(op)) is not module.dispatch(Op)


def has_function(op: Op) -> bool:
    """True where an operation can be written as an expression in a forward pass."""
    return function.dispatch(type(op)) is not function.dispatch(Op)


def size(pair: Pair) -> str:
    """Return a height and width as torch takes them: one number where both are equal."""
    return str(pair[0]) if pair[0] == pair[1] else f"({pair[0]}, {pair[1]})"


def size_of(code: Code) -> Code:
    """Return the height and width of an operand."""
    return Joined((operand(code), ".shape[2:]"), tight=True)


def operators(operator: str, operands: Sequence[Code]) -> Joined:
    """Return operands with an operator between them."""
    parts: list[str | Code] = []
    for code in operands:
        parts += [operator, code] if parts else [code]
    return Joined(tuple(parts))


def operand(code: Code) -> Code:
    """Return an operand of an operator, in brackets where it needs them."""
    if isinstance(code, Joined) and not code.tight:
        return Joined(("(", code, ")"), tight=True)
    return code
