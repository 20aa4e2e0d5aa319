"""Layers that use the parameters of another layer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from compiler.errors import Diagnostic, Remark, guessing
from compiler.graph import padding_text, show
from compiler.lower.lowering import Lowering
from compiler.lower.operands import guessing_layer, left_out_by
from compiler.lower.scope import Scope, left_out
from compiler.ops import Layer
from compiler.text import describe_text


def share_parameters(
    lowering: Lowering, layer: Layer, path: str, scope: Scope, before: int
) -> None:
    """Let the nodes of a layer, those after the first `before`, use another layer's parameters."""
    owner = _owner(lowering, layer, path, scope)
    if owner is None:
        return
    nodes = lowering.builder.nodes
    made = list(islice(reversed(nodes), len(nodes) - before))[::-1]
    if not any(nodes[n].op.parameter_names or None in nodes[n].shape for n in made):
        message = f"`{path}` has no parameters that it could share"
        lowering.report_layer(layer, "share-mismatch", message, "take `share` out", "share")
        return
    for name in made:
        node = nodes[name]
        twin_name = f"{owner}{name[len(path) :]}"
        twin = nodes.get(twin_name)
        if not node.op.parameter_names:
            continue
        if any(a in nodes and _has_parts(lowering, b) for a, b in ((owner, path), (path, owner))):
            _refuse_parts(lowering, layer, owner, path)
            return
        why = _why_not(lowering, name, twin_name)
        if why or twin is None:
            found = Diagnostic(
                "share-mismatch",
                f"`{name}` cannot use the parameters of `{twin_name}`: {why}",
                layer.span("share"),
                remarks=() if twin is None else (Remark(twin.info.span, f"`{twin_name}`"),),
                help="layers that share parameters have the same op, attributes and input channels",
            )
            owners = partial(_with_parameters, lowering, owner)
            help = "layers inside share by name; those with parameters are {words}"
            guess = guessing(twin_name, owners, help, 12)
            lowering.report.add(found, guess if twin is None else None)
            return
        nodes[name] = replace(node, share=twin.share or twin.name)


def _has_parts(lowering: Lowering, path: str) -> bool:
    """True for a layer that is several operations: a convolution and its norm."""
    region = lowering.builder.regions.get(path)
    return region is not None and region.kind == "layer"


def _refuse_parts(lowering: Lowering, layer: Layer, owner: str, path: str) -> None:
    """Report that of a layer and the owner of its parameters one alone has a norm or activation."""
    nodes = lowering.builder.nodes
    many, one = (path, owner) if owner in nodes else (owner, path)
    parts = [f"`{n[len(many) + 1 :]}`" for n in nodes if n.startswith(f"{many}.")]
    text = f"`{many}` consists of {', '.join(parts)}, and `{one}` is one operation"
    message = f"`{path}` cannot use the parameters of `{owner}`: {text}"
    help = "give both the same `norm`, `activation` and `linear`"
    lowering.report_layer(layer, "share-mismatch", message, help, "share")


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
    found = Diagnostic("unknown-layer", message, layer.span("share"))
    lowering.report.add(found, guessing_layer(lowering, reference, scope))
    return None


def _why_not(lowering: Lowering, name: str, twin_name: str) -> str:
    """Return why a node cannot use the parameters of another; nothing where it can."""
    made = lowering.builder
    node, twin = made.nodes[name], made.nodes.get(twin_name)
    if twin is None:
        is_group = twin_name in made.regions
        return "that holds several layers" if is_group else f"there is no layer `{twin_name}`"
    if node.op.kind != twin.op.kind:
        return f"it is a {node.op.kind}, not a {twin.op.kind}"
    ours, theirs = node.op.attributes(), twin.op.attributes()
    different = [key for key in ours if ours[key] != theirs[key]]
    if different:
        return "; ".join(
            f"`{_KEYS.get(key, key)}` is {_show(key, ours[key])}, not {_show(key, theirs[key])}"
            for key in different
        )
    channels = [[made.shapes[i].channels for i in n.inputs] for n in (node, twin)]
    if all(None in pair or pair[0] == pair[1] for pair in zip(*channels, strict=True)):
        return ""  # nothing is known of what comes into a block that nothing uses
    receives, has = (", ".join(map(show, c)) for c in channels)
    return f"it receives {receives} channels, not {has}"


_KEYS = {"out_channels": "filters", "kernel_size": "conv", "out_features": "linear"}
"""Attribute -> its key in a spec, where that is another word."""


def _show(key: str, value: Any) -> str:
    """Return an attribute's value as a spec writes it."""
    if key == "padding":
        return padding_text(value)
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_parameters(lowering: Lowering, owner: str) -> list[str]:
    """Return the nodes with parameters in a layer, in the order of the file."""
    nodes = lowering.builder.nodes.values()
    return [
        node.name
        for node in nodes
        if node.op.parameter_names and (node.name == owner or node.name.startswith(f"{owner}."))
    ]
