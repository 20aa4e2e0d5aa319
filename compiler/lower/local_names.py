"""`let`: names for values of a block or the network, settled before its layers."""

from __future__ import annotations

from compiler.errors import Diagnostic, Remark
from compiler.graph import Decision
from compiler.lower.lowering import Lowering
from compiler.lower.scope import Scope
from compiler.spec import BlockSpec, NetworkSpec, Written, check_name, read_param_name
from compiler.text import as_formula, show_value


def settle_names(lowering: Lowering, where: BlockSpec | NetworkSpec, scope: Scope) -> None:
    """Give the names of a `let` their values, in order; formulas find them as parameters."""
    frame, region = scope.frame, lowering.builder.stack[-1]
    first = next(iter(frame.inputs.values()))
    for name, raw in where.let.items():
        span = where.key_span("let", name)
        check_name(name, read_param_name, span, "the name of a value", lowering.report)
        if name in where.params:
            remark = Remark(where.key_span("params", name), "it is declared here")
            message, help = f"`{name}` is a parameter here already", "call one of them otherwise"
            found = Diagnostic("duplicate-name", message, span, remarks=(remark,), help=help)
            lowering.report.add(found)
            continue
        reader = lowering.reader(where, "`let`", scope, lambda: first)
        value = reader.value_of(Written(raw, f"`{name}` of `let`", where, ("let", name), name))
        frame.params[name] = value
        traced = reader.traced.get(name)
        if value is not None:
            known = traced.formula if traced is not None else None
            region.names[name] = Decision(known or as_formula(show_value(value)), value)
