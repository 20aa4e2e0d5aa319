"""The name that a layer has when it is given none: its op, and its kernel."""

from __future__ import annotations

from compiler.ops import OP_LAYERS
from compiler.spec.model import op_of
from compiler.text import PAIR, Mapping, Node, Scalar, Sequence
from compiler.text.fields import Kernel

WITH_KERNEL = frozenset(op for op, m in OP_LAYERS.items() if m.__annotations__.get(op) is Kernel)
"""Ops whose argument is a size."""
TRANSPARENT = frozenset(("branches", "layers", "residual", "split"))
"""Ops whose layers add nothing to the names inside unless they are named."""


def node_name(node: Node) -> str | None:
    """Return the name of the layer that a YAML node is, None for an unnamed scope."""
    if isinstance(node, Scalar):
        return node.text
    if not isinstance(node, Mapping) or not node.entries:
        return None
    name = node.get("name")
    if isinstance(name, Scalar):
        return name.text
    op = op_of(node.entries)
    return automatic_name(op, node.get(op)) if op else next(iter(node.entries))


def automatic_name(op: str, principal: Node | None) -> str | None:
    """Return the name that an op and its principal argument give, None for a transparent one.

    The kernel belongs to it and the filters do not, so that a changed width keeps the name.
    """
    if op in TRANSPARENT:
        return None
    if op == "block" and isinstance(principal, Scalar):
        return principal.text
    if op in WITH_KERNEL:
        kernel = _kernel_text(principal)
        return f"{op}_{kernel}" if kernel else op
    return op


def _kernel_text(node: Node | None) -> str | None:
    if isinstance(node, Sequence) and len(node.items) == 2:
        parts = [i.text for i in node.items if isinstance(i, Scalar)]
    elif isinstance(node, Scalar):
        pair = PAIR.fullmatch(node.text)
        parts = list(pair.groups()) if pair else [node.text, node.text]
    else:
        return None
    is_kernel = len(parts) == 2 and all(p.isascii() and p.isdigit() for p in parts)
    return "x".join(parts) if is_kernel else None
