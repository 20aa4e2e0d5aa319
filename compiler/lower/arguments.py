"""Values for the parameters of blocks and networks: by default, in a `with`, by `--set`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compiler.errors import CompileError, Remark, Report, UsageError, did_you_mean
from compiler.graph import Decision
from compiler.lower.lowering import Argument
from compiler.spec import BlockLayer, ParamSpec, Values, Written, default_of
from compiler.text import Value, describe_text, parse_value, plain, resolve

OPENING = ("[", "{", "'", '"')
"""What a list, a mapping or a quoted text begins with."""
NOUNS = {
    **dict.fromkeys(("channels", "int"), "a whole number"),
    "number": "a number",
    "bool": "true or false",
    "kernel": "a size such as 3x3",
    "padding": "a padding",
}
"""Type whose values are no words -> what they are."""


def argument(layer: BlockLayer, name: str, param: ParamSpec, values: Values) -> Argument:
    """Return what an instance of a block gives for a parameter; a fault is reported."""
    whose = f"`{name}` of block `{layer.block}`"
    written = Written(
        layer.arguments[name],
        whose,
        layer,
        ("with", name),
        f"with.{name}",
        param.type,
        Remark(param.span(), "it is declared here"),
    )
    value = values.of_type(param.type, written)
    return Argument(value, values.exprs.get(written.attribute))


def parameter_default(
    report: Report,
    name: str,
    param: ParamSpec,
    known: Mapping[str, Argument],
    decisions: list[Decision],
) -> Value:
    """Return the default of a parameter; it may be a formula over the ones before it."""
    return _reader(param, known, report, decisions).of_type(param.type, default_of(name, param))


def setting(
    name: str,
    param: ParamSpec,
    given: object,
    known: Mapping[str, Argument],
    decisions: list[Decision],
) -> Value:
    """Return the value of a network's parameter that comes from outside, in the place of a default.

    Args:
        name: the parameter.
        param: its declaration.
        given: text as it would stand in YAML (`3x3`, `[0, 1]`, `2 * n`), or a plain value.
        known: the parameters before it.
        decisions: takes what the value read of them.

    Raises:
        UsageError: it is no value of the parameter's type.
    """
    report = Report()
    if isinstance(given, str):  # what a terminal hands over need not be text
        given = given.encode(errors="replace").decode()
    shown = f"--set {name}={describe_text(str(given))}"
    try:
        raw = _plain(given, param.type)
    except CompileError as error:
        raise UsageError(f"{shown}: {error.diagnostics[0].message}") from None
    written = replace(default_of(name, param), raw=raw, whose="the value")
    value = _reader(param, known, report, decisions).of_type(param.type, written)
    for found in report.diagnostics:
        if found.code == "unknown-parameter" and str(raw).isidentifier():
            raise UsageError(f"{shown}: the value is not {NOUNS[param.type]}")
        raise UsageError(f"{shown}: {found.message}{'; ' if found.help else ''}{found.help}")
    return value


def _plain(given: object, type: str) -> Any:
    """Return a setting as plain YAML data; on a command line a text needs no quotes."""
    if isinstance(given, (tuple, list)):
        return [_plain(part, type) for part in given]
    if isinstance(given, float):
        given = str(given)
    if not isinstance(given, str) or type == "text":
        return given
    text = given.strip()
    return plain(parse_value(text, "--set")) if text[:1] in OPENING else resolve(text)


def _reader(
    param: ParamSpec, known: Mapping[str, Argument], report: Report, decisions: list[Decision]
) -> Values:
    def lookup(name: str) -> Value:
        if name not in known:
            guess = did_you_mean(name, known)
            raise KeyError(name, f"a default can use the parameters before it{guess}")
        return known[name].value

    values = Values(param, "", lookup, report)
    values.decisions = decisions
    return values
