"""YAML nodes -> parameters; a plain value is a default, which gives the type."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from pydantic_core import PydanticCustomError

from compiler.errors import Diagnostic, Report, Span, guessing
from compiler.spec.model import BrokenParam, ParamSpec
from compiler.spec.params import READERS, guess_type, read_param_name
from compiler.spec.validate import alone, validate
from compiler.spec.values import Values
from compiler.spec.written import default_of
from compiler.text import Mapping, Node, Scalar, describe, describe_text, plain
from compiler.text.names import NAME


def read_params(node: Node | None, report: Report) -> dict[str, Any]:
    """Return name -> parameter; a plain value is a default and gives the type."""
    out: dict[str, Any] = {}
    if not isinstance(node, Mapping):
        if node is not None and not (isinstance(node, Scalar) and node.value is None):
            message = f"`params` is {describe(plain(node))}, not a mapping"
            help = "name each with its default, `params: {classes: 10}`, or `{type: ..., doc: ...}`"
            report.add(Diagnostic("bad-value", message, node.span, help=help))
            report.is_partial = True  # what reads them is no second mistake
        return out
    report.spend("entries", len(node.entries), node.span)
    for name, entry in node.entries.items():
        check_name(name, read_param_name, entry.key_span, "the name of a parameter", report)
        out[name] = _read_param(name, entry.node, out, report)
    return out


def _read_param(name: str, node: Node, before: Collection[str], report: Report) -> ParamSpec:
    """Return a parameter; for one with faults (which are reported) its stand-in."""
    values = plain(node)
    param = None
    if values is None:
        help = "write its default, or `{type: ...}` where it has none"
        report.add(Diagnostic("bad-value", f"parameter `{name}` is empty", node.span, help=help))
    elif _is_unknown_word(values, before):
        message = f"the default of `{name}`: unknown name `{describe_text(values)}`"
        help = f"a text has a type: `{name}: {{type: text, default: {describe_text(values)}}}`"
        if values in READERS:
            help = f"its type is written `{name}: {{type: {values}}}`"
        found = Diagnostic("unknown-parameter", message, node.span, help=help)
        report.add(found, guessing(values, before))
    else:
        read = alone("default", node)
        if read:
            read["type"] = guess_type(values)
        param = validate(ParamSpec, node, f"parameter `{name}`", report, read)
    if param is None:
        param = BrokenParam.model_construct(type="number")
        param.locate(node)
    else:
        _check_default(name, param, report)
    return param


def _is_unknown_word(value: object, before: Collection[str]) -> bool:
    """True for a default that is one word alone, and the name of no parameter before."""
    return (
        isinstance(value, str)
        and NAME.fullmatch(value) is not None
        and guess_type(value) == "number"
        and value not in before
    )


def check_name(
    name: str, read: Callable[[Any], str], span: Span, what: str, report: Report
) -> None:
    """Report a name that `read` refuses."""
    try:
        read(name)
    except PydanticCustomError as error:
        help = str((error.context or {}).get("help", ""))
        report.add(Diagnostic("bad-name", f"{what}: {error.message()}", span, help=help))


def _check_default(name: str, param: ParamSpec, report: Report) -> None:
    """Report a default that is not of its parameter's type; names are looked up on use."""
    if param.default is not None:
        reader = Values(param, "", lambda name: None, report)
        reader.of_type(param.type, default_of(name, param))
