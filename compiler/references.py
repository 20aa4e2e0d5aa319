"""Names that a layer reads -> nodes."""

from __future__ import annotations

from typing import Any

from compiler.errors import Diagnostic
from compiler.lowering import Lowering
from compiler.scope import Named, Scope
from compiler.spec import AddLayer, BlockLayer, ConcatLayer, Layer, MultiplyLayer
from compiler.suggest import did_you_mean, listing


def operands(lowering: Lowering, layer: Layer, scope: Scope, before: str) -> Any:
    """Return the operands: a list of tensors, or input name -> tensor for a block's mapping."""
    if isinstance(layer, (ConcatLayer, AddLayer, MultiplyLayer)):
        refs = getattr(layer, layer.op)
        return [
            tensor(lowering, r, layer, scope, before, (layer.op, i)) for i, r in enumerate(refs)
        ] or [before]
    given = layer.common.inputs
    if given is None:
        return [before]
    if isinstance(given, str):
        return [tensor(lowering, given, layer, scope, before, ("from",))]
    if isinstance(given, list) and given and all(isinstance(r, str) for r in given):
        tensors = [
            tensor(lowering, r, layer, scope, before, ("from", i)) for i, r in enumerate(given)
        ]
        if len(tensors) > 1 and not isinstance(layer, BlockLayer):
            lowering.report_layer(
                layer,
                "operand-count",
                f"`{layer.op}` reads one layer, `from` names {len(tensors)}",
                "join them first: `{concat: [a, b]}` or `{add: [a, b]}`",
                "from",
            )
            return tensors[:1]
        return tensors
    if isinstance(given, dict) and isinstance(layer, BlockLayer) and given:
        return {
            str(k): tensor(lowering, str(r), layer, scope, before, ("from", str(k)))
            for k, r in given.items()
        }
    lowering.report_layer(
        layer,
        "bad-value",
        "`from` takes the name of a layer or a list of names",
        "layers are named, not counted",
        "from",
    )
    return [before]


def tensor(
    lowering: Lowering,
    ref: str,
    layer: Layer,
    scope: Scope,
    before: str,
    steps: tuple[int | str, ...],
) -> str:
    """Return the node that a reference means; an unknown one is reported."""
    head, _, rest = ref.partition(".")
    found: str | None = None
    if head == "in" and not rest:
        found = next(iter(scope.frame.inputs.values()))
    elif head == "prev" and not rest:
        found = before
    elif named := scope.find(head):
        found = _inside(lowering, named, rest) if rest else named.tensor
    elif head in scope.frame.inputs and not rest:
        found = scope.frame.inputs[head]
    if found is None:
        names = [n for n in scope.visible() if n != "in"]
        lowering.report.add(
            Diagnostic(
                "unknown-layer",
                f"there is no layer `{ref}` to read here{did_you_mean(ref, names)}",
                layer.span(*steps),
                help=f"in reach are {listing(names, 12)}",
            )
        )
        return before
    return found


def _inside(lowering: Lowering, named: Named, rest: str) -> str | None:
    path = f"{named.path}.{rest}"
    region = lowering.builder.regions.get(path)
    if region is not None:
        return region.output
    return path if path in lowering.builder.nodes else None


def flat(inputs: dict[str, str] | list[str]) -> list[str]:
    """Return operands as a list."""
    return list(inputs.values()) if isinstance(inputs, dict) else inputs
