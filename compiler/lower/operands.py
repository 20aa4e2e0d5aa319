"""Names that a layer reads -> nodes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from compiler.errors import Completion, Diagnostic, Remark, guessing
from compiler.graph import Info
from compiler.lower.lowering import Lowering
from compiler.lower.scope import Condition, Named, Scope, left_out
from compiler.ops import JoinLayer, Layer
from compiler.spec import BlockLayer
from compiler.text import describe_text


@dataclass(frozen=True, slots=True)
class Operands:
    """The tensors that enter a layer; `names` are the inputs of a block that they are for."""

    tensors: tuple[str, ...]
    names: tuple[str, ...] = ()
    is_sized: bool = False
    """True: of the last one the layer takes the size alone."""

    @property
    def first(self) -> str:
        """The tensor that a layer reads which reads one, and that its copies hand on."""
        return self.tensors[0]

    def entered_by(self, tensor: str) -> Operands:
        """Return the same with another first tensor: what enters the next copy."""
        return replace(self, tensors=(tensor, *self.tensors[1:]))


def operands(lowering: Lowering, layer: Layer, scope: Scope, before: str) -> Operands:
    """Return what enters a layer; `before` is the tensor of the layer before it."""
    found, sized_by = _read(lowering, layer, scope, before), scope.sized_by(layer)
    if sized_by is None:
        return found
    other = tensor(lowering, sized_by, layer, scope, before, (layer.op,))
    return replace(found, tensors=(found.first, other), is_sized=True)


def _read(lowering: Lowering, layer: Layer, scope: Scope, before: str) -> Operands:
    """Return what a layer computes with."""

    def read(ref: str, *steps: int | str) -> str:
        return tensor(lowering, ref, layer, scope, before, steps)

    if isinstance(layer, JoinLayer):
        return _joined(lowering, layer, before, read)
    given = layer.common.inputs
    if given is None:
        return Operands((before,))
    if isinstance(given, str):
        return Operands((read(given, "from"),))
    if isinstance(given, list) and given and all(isinstance(r, str) for r in given):
        tensors = tuple(read(r, "from", i) for i, r in enumerate(given))
        if len(tensors) == 1 or isinstance(layer, BlockLayer):
            return Operands(tensors)
        lowering.report_layer(
            layer,
            "operand-count",
            f"`{layer.op}` reads one layer, `from` names {len(tensors)}",
            "join them first: `{concat: [a, b]}` or `{add: [a, b]}`",
            "from",
        )
        return Operands(tensors[:1])
    if isinstance(given, dict) and isinstance(layer, BlockLayer) and given:
        bound = tuple(read(str(r), "from", str(k)) for k, r in given.items())
        return Operands(bound, tuple(map(str, given)))
    lowering.report_layer(
        layer,
        "bad-value",
        "`from` takes the name of a layer or a list of names",
        "layers are named, not counted",
        "from",
    )
    return Operands((before,))


def _joined(
    lowering: Lowering, layer: JoinLayer, before: str, read: Callable[[str, str, int], str]
) -> Operands:
    refs = layer.joined
    if refs:
        return Operands(tuple(read(r, layer.op, i) for i, r in enumerate(refs)))
    lowering.report_layer(
        layer,
        "operand-count",
        f"`{layer.op}` names no layers",
        f"name what it joins: `{{{layer.op}: [a, b]}}`",
        layer.op,
    )
    return Operands((before,))


def tensor(
    lowering: Lowering,
    ref: str,
    layer: Layer,
    scope: Scope,
    before: str,
    steps: tuple[int | str, ...],
) -> str:
    """Return the node that a reference means; an unknown one is reported.

    `a or b` means `b` where a `when` leaves `a` out.
    """
    names = alternatives(ref)
    for name in names[:-1]:
        if left_out_by(lowering, name, scope) is None:
            return _tensor(lowering, name, layer, scope, before, steps)
    return _tensor(lowering, names[-1], layer, scope, before, steps)


def alternatives(ref: str) -> list[str]:
    """Return the names of a reference: what is read, then what stands in where it is left out.

    >>> alternatives("wide or narrow")
    ['wide', 'narrow']
    """
    return re.split(r"\s+or\s+", ref.strip())


def left_out_by(lowering: Lowering, name: str, scope: Scope) -> Condition | None:
    """Return the condition that leaves out what a name means, or what is around it; else None."""
    head, _, rest = name.partition(".")
    named = scope.find(head)
    if named is None:
        return None
    steps = rest.split(".") if rest else []
    paths = [".".join([named.path, *steps[:count]]) for count in range(len(steps) + 1)]
    return next((lowering.left_out[p] for p in paths if p in lowering.left_out), None)


def _tensor(
    lowering: Lowering,
    ref: str,
    layer: Layer,
    scope: Scope,
    before: str,
    steps: tuple[int | str, ...],
) -> str:
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
        lowering.report.add(*_unknown(lowering, ref, layer, scope, steps))
        return _no_tensor(lowering, layer, before)
    return found


def _unknown(
    lowering: Lowering, ref: str, layer: Layer, scope: Scope, steps: tuple[int | str, ...]
) -> tuple[Diagnostic, Completion | None]:
    """Say why a reference means nothing: no such name, or what is computed later."""
    head = ref.partition(".")[0]
    named, span = scope.find(head), layer.span(*steps)
    condition = left_out_by(lowering, ref, scope)
    if condition is not None:
        found = Diagnostic(
            "left-out",
            left_out(describe_text(ref), condition),
            span,
            remarks=(Remark(condition.span, "the condition that leaves it out"),),
            help=f"say what stands in for it: `{describe_text(ref)} or NAME`; "
            "or give this the same `when`",
        )
        return found, None
    if named is not None and named.tensor is None:
        found = Diagnostic(
            "cycle",
            f"`{describe_text(ref)}` is not computed yet where it is read here",
            span,
            remarks=(
                Remark(named.span, f"`{head}`, which this layer is a part of or comes before"),
            ),
            help="a layer can only read what is computed before it; change one `from`",
        )
        return found, None
    message = f"there is no layer `{describe_text(ref)}` to read here"
    return Diagnostic("unknown-layer", message, span), guessing_layer(lowering, ref, scope)


def guessing_layer(lowering: Lowering, ref: str, scope: Scope) -> Completion:
    """Return what adds the names that a wrong reference may have meant to a finding."""
    head, _, rest = ref.partition(".")
    named = scope.find(head)

    def complete(found: Diagnostic) -> Diagnostic:
        given, path = head, named.path if named else ""
        for step in rest.split(".")[:-1]:  # as far as the path leads somewhere
            if f"{path}.{step}" not in lowering.builder.regions:
                break
            given, path = f"{given}.{step}", f"{path}.{step}"
        inside = [f"{given}.{n}" for n in _names_inside(lowering, path)] if named and rest else []
        if inside:
            return guessing(ref, inside, f"inside `{given}` are {{words}}", 12)(found)
        paths = {n: p.path for n in scope.visible() if (p := scope.find(n))}
        hidden = {"in", *(n for n, p in paths.items() if p in lowering.stand_ins)}
        names = dict.fromkeys(n for n in scope.visible() if n not in hidden)
        return guessing(ref, names, "in reach are {words}", 12)(found)

    return complete


def _names_inside(lowering: Lowering, path: str) -> list[str]:
    prefix = f"{path}."
    paths = [*lowering.builder.regions, *lowering.builder.nodes]
    names = dict.fromkeys(p[len(prefix) :].partition(".")[0] for p in paths if p.startswith(prefix))
    return [name for name in names if prefix + name not in lowering.stand_ins]


def _no_tensor(lowering: Lowering, layer: Layer, before: str) -> str:
    """Return a node of which nothing is known, so that nothing more is said of what reads it."""
    while (name := f"unknown_{next(lowering.unknown)}") in lowering.builder.nodes:
        pass
    return lowering.builder.add_unknown(name, (before,), Info(span=layer.span()))


def _inside(lowering: Lowering, named: Named, rest: str) -> str | None:
    path = f"{named.path}.{rest}"
    region = lowering.builder.regions.get(path)
    if region is not None:
        return region.output
    return path if path in lowering.builder.nodes else None
