"""What the copies of a layer differ in: `repeat` counts them, `for` goes over lists of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest

from compiler.errors import Diagnostic, did_you_mean, listing
from compiler.lower.arguments import block_meant
from compiler.lower.lowering import Lowering
from compiler.lower.scope import Scope, Variable
from compiler.ops import Layer
from compiler.spec import (
    BlockLayer,
    BlockSpec,
    BrokenParam,
    ParamSpec,
    Values,
    Written,
    check_name,
    names_in,
    read_param_name,
)
from compiler.text import Expr

Variables = dict[str, Variable]
"""Name -> what it is worth in one copy; `index` counts from 0."""


def variables_of_copies(
    lowering: Lowering, layer: Layer, values: Values, scope: Scope
) -> tuple[int, Iterator[Variables]]:
    """Return the number of copies of a layer, and what each is made with, in order.

    They are counted before any is made: there may be too many. A block as it is defined, where a
    formula says how many, has one copy.
    """
    counted = layer.common.repeat
    is_once = scope.frame.is_definition
    if layer.common.loop is None:
        count = values.integer("repeat", least=0)
        count = 1 if count is None or (is_once and isinstance(counted, Expr)) else count
        return count, ({"index": Variable(index)} for index in range(count))
    if counted is not None:
        message, help = "a layer has `repeat` or `for`, this one has both", "`for` counts them"
        lowering.report_layer(layer, "bad-value", message, f"{help}: take `repeat` out", "repeat")
    block = block_meant(lowering, layer, scope) if isinstance(layer, BlockLayer) else None
    series = _series(lowering, layer, values, scope, block)
    if block is not None or not isinstance(layer, BlockLayer):  # else it is not known
        _check_use(lowering, layer, block)
    count = min(map(len, series.values()), default=0)
    if is_once and any(isinstance(written, Expr) for written in layer.common.loop.values()):
        count = min(count, 1)
    rows = islice(zip(*series.values(), strict=False), count)
    return count, (
        {"index": Variable(index), **dict(zip(series, row, strict=True))}
        for index, row in enumerate(rows)
    )


def _series(
    lowering: Lowering,
    layer: Layer,
    values: Values,
    scope: Scope,
    block: BlockSpec | None,
) -> dict[str, list[Variable]]:
    """Return the values of every variable of a loop, as many of each; faults are reported."""
    out: dict[str, list[Variable]] = {}
    takers = _takers(layer, block)
    assert layer.common.loop is not None
    for name, written in layer.common.loop.items():
        span = layer.key_span("for", name)
        check_name(name, read_param_name, span, "the name of a variable", lowering.report)
        if name in scope.frame.params or name in scope.variables:
            what = "a parameter here" if name in scope.frame.params else "a loop's around this one"
            message = f"`{name}` is {what} already"
            lowering.report.add(
                Diagnostic("duplicate-name", message, span, help="call one of them otherwise")
            )
        whole = Written(written, f"`{name}` of `for`", layer, ("for", name))
        if name in takers and isinstance(written, list):
            out[name] = _handed(whole, values, takers[name])
            continue
        terms = map(values.term_of, _each(written))
        out[name] = [Variable(*both) for both in zip_longest(values.list_of(whole), terms)]
    lengths = {name: len(series) for name, series in out.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{count} of `{name}`" for name, count in lengths.items())
        lowering.report_layer(
            layer,
            "bad-value",
            f"a loop takes a value of each list for a copy, and here are {told}",
            "make the lists equally long",
            "for",
        )
    if not out:
        message = "`for` has no variable"
        lowering.report_layer(layer, "bad-value", message, "write `for: {n: [64, 128]}`", "for")
    return out


def _takers(layer: Layer, block: BlockSpec | None) -> Mapping[str, ParamSpec]:
    """Return the parameters of an instance's block that take what a loop goes over."""
    if block is None or not isinstance(layer, BlockLayer):
        return {}
    return {
        name: param
        for name, param in block.params.items()
        if name not in layer.arguments and not isinstance(param, BrokenParam)
    }


def _handed(whole: Written, values: Values, param: ParamSpec) -> list[Variable]:
    """Return the values of a list, each read as the parameter that takes it."""
    out = []
    for at, raw in enumerate(whole.raw):
        entry = whole.entry(at, is_remembered=True).given_to(param)
        is_word = param.type in ("block", "text")
        term = None if is_word else values.term_of(raw)
        out.append(Variable(values.of_type(param.type, entry), term))
    return out


def _each(written: list[object] | Expr) -> list[object]:
    """Return the values of a list as they are written, none where it is a formula."""
    return written if isinstance(written, list) else []


def _check_use(lowering: Lowering, layer: Layer, block: BlockSpec | None) -> None:
    """Refuse a variable that no formula of the layer reads, and the block does not take."""
    assert layer.common.loop is not None
    assert layer._node is not None
    read = {name for name, _ in names_in(layer._node)}
    params = () if block is None else block.params
    for name in layer.common.loop:
        if name in read or name in params:
            continue
        message, help = f"nothing reads `{name}`, which the loop goes over", "take it out"
        if block is not None:
            message += f", and block `{block.name}` has no such parameter"
            guess = did_you_mean(name, params).strip(" ()")
            help = guess or f"its parameters are {listing(params)}"
        lowering.report.add(
            Diagnostic("unknown-parameter", message, layer.key_span("for", name), help=help)
        )
