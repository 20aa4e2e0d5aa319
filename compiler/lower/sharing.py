"""Layers that use the parameters of another layer."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from compiler.errors import Diagnostic, guessing
from compiler.graph import Node
from compiler.lower.lowering import Lowering
from compiler.lower.references import left_out_by
from compiler.lower.scope import Scope, left_out
from compiler.spec import Layer
from compiler.text import describe_text


def share_parameters(
    lowering: Lowering, layer: Layer, path: str, scope: Scope, before: int
) -> None:
    """Let the nodes of a layer, those after the first `before`, use another layer's parameters."""
    owner = _owner(lowering, layer, path, scope)
    nodes = lowering.builder.nodes
    made = list(islice(reversed(nodes), len(nodes) - before))[::-1]
    if owner and not any(nodes[n].op.parameter_names or None in nodes[n].shape for n in made):
        message = f"`{path}` has no parameters that it could share"
        lowering.report_layer(layer, "share-mismatch", message, "take `share` out", "share")
        return
    for name in made if owner else []:
        node = nodes[name]
        twin_name = f"{owner}{name[len(path) :]}"
        twin = nodes.get(twin_name)
        if not node.op.parameter_names:
            continue
        if twin is None or not _alike(lowering, node, twin):
            lowering.report_layer(
                layer,
                "share-mismatch",
                f"`{name}` cannot use the parameters of `{twin_name}`: they are not alike",
                "sharing layers need the same op, attributes and input channels",
                "share",
            )
            return
        nodes[name] = replace(node, share=twin.share or twin.name)


def _owner(lowering: Lowering, layer: Layer, path: str, scope: Scope) -> str | None:
    """Return the path of the layer that owns the parameters, or None after reporting."""
    reference = str(layer.common.share)
    head, dot, rest = reference.partition(".")
    named = scope.find(head)
    owner = f"{named.path}{dot}{rest}" if named else None
    made = lowering.builder
    if owner is not None and owner != path and (owner in made.nodes or owner in made.regions):
        return owner
    condition = left_out_by(lowering, reference, scope)
    if condition is not None:
        message = f"nothing to share with: {left_out(reference, condition)}"
        help = "give this layer the same `when`, or share with a layer that is always there"
        lowering.report_layer(layer, "left-out", message, help, "share")
        return None
    if named is not None and (owner == path or named.tensor is None):
        message = f"`{reference}` does not stand before `{path}`"
        help = "the first of the layers that share parameters has them; the others name it"
        lowering.report_layer(layer, "share-mismatch", message, help, "share")
        return None
    message = f"there is no layer `{describe_text(reference)}` to share with"
    lowering.report.add(
        Diagnostic("unknown-layer", message, layer.span("share")),
        guessing(reference, lambda: [n for n in scope.visible() if n != "in"]),
    )
    return None


def _alike(lowering: Lowering, node: Node, twin: Node) -> bool:
    shapes = lowering.builder.shapes
    channels = [[shapes[i][:1] for i in n.inputs] for n in (node, twin)]
    return twin.op == node.op and channels[0] == channels[1]
