"""Values for the parameters of blocks and networks: written in a `with`, or by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from compiler.errors import Diagnostic, Remark
from compiler.expr import Expr, Value, show_value
from compiler.fields import describe, read_bool, read_formula
from compiler.lowering import Argument, Lowering
from compiler.spec import BlockLayer, Located, ParamSpec
from compiler.suggest import did_you_mean
from compiler.values import ACTIVATION_WORDS, Values, coerce

WORDS_OF_TYPE = {"activation": ACTIVATION_WORDS, "padding": ("same", "valid", "V")}


def argument(
    lowering: Lowering, layer: BlockLayer, name: str, param: ParamSpec, values: Values
) -> Argument:
    """Return what an instance of a block gives for a parameter; a fault is reported."""
    written = layer.arguments[name]
    whose = f"`{name}` of block `{layer.block}`"
    steps = ("with", name)
    if written is None:
        help = "give it a value, or take the key out"
        _refuse(lowering, layer, steps, "bad-value", f"{whose} is empty", help)
        return Argument(None)
    expr = _formula(lowering, written, param.type, layer, steps, whose, values)
    if expr is None:
        return Argument(None)
    if not isinstance(expr, Expr):
        return Argument(_coerced(lowering, layer, param, written, written, whose, steps))
    value = values.evaluate(expr, "with", "", steps, whose)
    if value is None:
        return Argument(None, expr)
    return Argument(_coerced(lowering, layer, param, written, value, whose, steps), expr)


def _coerced(
    lowering: Lowering,
    layer: BlockLayer,
    param: ParamSpec,
    written: Any,
    value: Any,
    whose: str,
    steps: tuple[str, str],
) -> Value:
    """Return a value as the parameter's type has it, None after reporting that it does not fit."""
    out, complaint = coerce(param.type, value)
    if complaint:
        is_number = not isinstance(value, (list, dict))
        shown = show_value(value) if is_number else describe(value)
        formula = f"{written} = " if isinstance(written, str) and str(written) != shown else ""
        remark = Remark(param.span(), "it is declared here")
        message = f"{whose} = {formula}{shown} {complaint}; it is of type {param.type}"
        _refuse(lowering, layer, steps, "bad-value", message, "", remark)
    return out


def _formula(
    lowering: Lowering,
    written: Any,
    type: str,
    where: Located,
    steps: tuple[str, ...],
    whose: str,
    values: Values | None = None,
) -> Any:
    """Return a written value as an expression where its type allows one, None if it is wrong."""
    if not isinstance(written, str) or type == "text":
        return written
    words = WORDS_OF_TYPE.get(type)
    if (words or type == "kernel") and coerce(type, written)[1] == "":
        return written
    if words and values and re.fullmatch(r"\w+", written) and not _is_known(values, written):
        message = f"{whose}: there is no {type} `{written}`{did_you_mean(written, words)}"
        help = f"one of {', '.join(f'`{w}`' for w in words)}"
        return _refuse(lowering, where, steps, "bad-value", message, help)
    try:
        return read_bool(written) if type == "bool" else read_formula(written)
    except PydanticCustomError as error:
        context = error.context or {}
        code = "bad-value" if type == "kernel" else error.type
        message = f"{whose}: {error.message()}"
        if type == "kernel":
            message = f"{whose}: {describe(written)} is not a kernel such as 3x3"
        span = where.span(*steps)
        if "start" in context and type != "kernel":
            span = where.inside(steps, context["start"], context["end"])
        help = str(context.get("help", ""))
        lowering.report.add(Diagnostic(code, message, span, help=help))
        return None


def _is_known(values: Values, name: str) -> bool:
    try:
        values.lookup(name)
    except KeyError:
        return False
    return True


def _refuse(
    lowering: Lowering,
    where: Located,
    steps: tuple[str, ...],
    code: str,
    message: str,
    help: str,
    *remarks: Remark,
) -> None:
    span = where.span(*steps)
    lowering.report.add(Diagnostic(code, message, span, remarks=remarks, help=help))


def parameter_default(
    lowering: Lowering, name: str, param: ParamSpec, known: Mapping[str, Argument]
) -> Value:
    """Return the default of a parameter; it may be a formula over the ones before it."""
    written = param.default
    whose = f"the default of `{name}`"
    if isinstance(written, str) and coerce(param.type, written)[1]:
        formula = _formula(lowering, written, param.type, param, ("default",), whose)
        if formula is None:
            return None
        if isinstance(formula, Expr):
            reader = Values(param, whose, lambda n: _known(n, known), lowering.report)
            written = reader.evaluate(formula, "default", whose=whose)
            if written is None:
                return None
    value, complaint = coerce(param.type, written)
    if complaint and isinstance(param.default, str):
        shown = show_value(written) if not isinstance(written, str) else f"`{written}`"
        message = f"{whose}, {shown}, {complaint}; it is of type {param.type}"
        _refuse(lowering, param, ("default",), "bad-value", message, "")
    return value


def _known(name: str, known: Mapping[str, Argument]) -> Value:
    if name not in known:
        guess = did_you_mean(name, known)
        raise KeyError(name, f"a default can use the parameters before it{guess}")
    return known[name].value
