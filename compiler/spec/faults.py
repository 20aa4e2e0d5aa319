"""What pydantic and we find wrong with the values of a model, in our words."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import ValidationError

from compiler.errors import Diagnostic, Report, Span, did_you_mean, listing, nearest
from compiler.errors.foreign import EXPLAINED, SYNONYMS
from compiler.ops import COMMON_KEYS, Common, Layer, WordLayer
from compiler.spec.model import LAYERS, ResidualBody, op_of
from compiler.text import (
    Located,
    Mapping,
    Node,
    Scalar,
    describe,
    key_span_at,
    node_at,
    span_at,
)


def report_faults(
    model: type[Located],
    node: Node,
    what: str,
    error: ValidationError,
    empty: list[str],
    report: Report,
) -> None:
    """Report what pydantic has found, one fault for each place and kind."""
    seen: set[tuple[Any, ...]] = set()
    faults = error.errors(include_url=False)
    meant = _meant(model, faults)
    for fault in faults:
        if fault["type"] == "missing" and (fault["loc"] in meant or _is(fault, empty, model)):
            continue
        place = fault["loc"][:1] if fault["type"] != "extra_forbidden" else fault["loc"]
        if (place, fault["type"]) not in seen:
            seen.add((place, fault["type"]))
            report.add(_translate(model, node, what, dict(fault)))


def report_empty(node: Node, empty: list[str], what: str, report: Report) -> None:
    """Report the keys that are written without a value: no default stands in for them."""
    rest = _rest_of_call(node)
    for key in empty:
        if key not in rest:
            report.add(_is_empty(key, what, span_at(node, (key,))))


def _is_open_call(node: Scalar) -> bool:
    return not node.quoted and node.text.count("(") > node.text.count(")")


def _rest_of_call(node: Node) -> list[str]:
    """Return the keys that are what a comma cut off an expression: `{filters: max(8, k)}`."""
    found: list[str] = []
    is_open = False
    for key, entry in node.entries.items() if isinstance(node, Mapping) else ():
        value = entry.node
        if is_open and isinstance(value, Scalar) and value.value is None:
            found.append(key)
            is_open = ")" not in key
        else:
            is_open = isinstance(value, Scalar) and _is_open_call(value)
    return found


def _is_empty(key: str, what: str, span: Span) -> Diagnostic:
    help = "give it a value, or take the key out"
    name, colon, value = key.partition(":")
    if colon and value:  # YAML reads `repeat:4` as one word
        help = f"put a space after the colon: `{name}: {value.strip()}`"
    return Diagnostic("bad-value", f"{_whose(key, what)} is empty", span, help=help)


def _whose(key: str, what: str) -> str:
    return what if what == f"`{key}`" else f"`{key}` of {what}"


def _is(fault: Any, keys: list[str], model: type[Located]) -> bool:
    """True for a fault of a field that one of the keys gives."""
    return model.spelled.get(fault["loc"][0], fault["loc"][0]) in keys


def unknown_field(model: type[Located], what: str, key: str, span: Span) -> Diagnostic:
    """Return what to say of a key that a model does not take."""
    known = keys_of(model)
    guess = model.spelled.get(key) or _nearest(key, known)
    hint = f" (did you mean `{guess}`?)" if guess else ""
    help = f"{what} takes {listing(known)}"
    if issubclass(model, Layer) and key in LAYERS and not guess:
        help = f"`{key}` is a layer of its own, before or after this one; {help}"
    if issubclass(model, Layer) and key in EXPLAINED:
        help = f"{EXPLAINED[key]}; {help}"
    if model is ResidualBody and key in COMMON_KEYS:
        help = f"`{key}` stands beside `residual: {{...}}`, not in it; {help}"
    return Diagnostic("unknown-field", f"{what} has no key `{key}`{hint}", span, help=help)


def _nearest(key: str, known: list[str]) -> str | None:
    """Return the key that a word of another tool, or a misspelt one, stands for."""
    synonym = SYNONYMS.get(key)
    return synonym if synonym in known else nearest(key, known)


def _meant(model: type[Located], faults: list[Any]) -> set[tuple[Any, ...]]:
    """Return the missing fields that a misspelt key stands for: one mistake, one error."""
    known = keys_of(model)
    extra = [f["loc"] for f in faults if f["type"] == "extra_forbidden" and len(f["loc"]) == 1]
    near = [(loc, _nearest(str(loc[-1]), known)) for loc in extra]
    fields = {key: field for field, key in model.spelled.items()}
    return {(*loc[:-1], fields.get(n, n)) for loc, n in near if n is not None}


def _inside(model: type[Located], steps: tuple[int | str, ...]) -> type[Located]:
    """Return the model at the end of a path of fields, or the last one on the way."""
    for step in steps:
        field = model.model_fields.get(str(step))
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        inner = (k for k in kinds if isinstance(k, type) and issubclass(k, Located))
        model = next(inner, model)
    return model


def _translate(model: type[Located], node: Node, what: str, fault: dict[str, Any]) -> Diagnostic:
    """Turn one of pydantic's findings into a diagnostic of ours."""
    spelled = model.spelled
    steps = tuple(spelled.get(s, s) if isinstance(s, str) else s for s in fault["loc"])
    key = str(steps[0]) if steps else ""
    if key == "word" and issubclass(model, WordLayer) and isinstance(node, Mapping):
        key = op_of(node.entries)
        steps = (key, *steps[1:])
    found = fault["input"]
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        inner = _inside(model, fault["loc"][:-1])
        whose = _holder(what, steps)
        return unknown_field(inner, whose, str(steps[-1]), key_span_at(node, steps))
    if kind == "missing":
        inner, lacking = _inside(model, fault["loc"][:-1]), str(steps[-1])
        return Diagnostic(
            "missing-field",
            f"{_holder(what, steps)} needs `{lacking}`",
            node_at(node, steps[:-1]).span,
            help=_missing_help(inner, lacking),
        )
    at = node_at(node, steps)
    span = at.span
    if found is None and len(steps) == 1:
        return _is_empty(key, what, span)
    if "start" in context and isinstance(at, Scalar):
        span = at.inside(context["start"], context["end"])
    if isinstance(at, Scalar) and _is_open_call(at) and _rest_of_call(node):
        context = {**context, "help": "a comma ends a value inside `{...}`: put it in quotes"}
    code = kind if kind.startswith("bad-") else "bad-value"
    message = fault["msg"] if kind.startswith("bad-") else _expected(kind, context, found)
    whose, last = _whose(key, what), steps[-1] if steps else key
    if isinstance(last, str) and _inside(model, fault["loc"][:-1]) is not model:
        whose, key = f"`{last}` of `{key}`", last
    help = str(context.get("help", "")) or _example(kind, key, what)
    return Diagnostic(code, f"{whose}: {message}", span, help=help)


_EXAMPLES = {
    "input": "input: {image: [3, 299, 299]}",
    "outputs": "outputs: [NAME, ...]",
    "defaults": "defaults: {conv: {norm: batch_norm, activation: relu}}",
    "drawing": "drawing: {sizes: trunk}",
    "cite": "cite: {figure: 7}",
    "inputs": "inputs: [left, right]",
    "concat": "concat: [a, b]",
    "add": "add: [a, b]",
    "multiply": "multiply: [a, b]",
    "branches": "branches: {left: [...], right: [...]}",
    "split": "split: {left: [...], right: [...]}",
    "residual": "residual: {body: [...]}",
    "with": "with: {NAME: VALUE}",
    "dropout": "dropout: {keep: 0.8}",
}
"""Key whose value is a list or a mapping -> how it is written."""


def _example(kind: str, key: str, what: str) -> str:
    """Return how a key is written whose value is of another kind, nothing where that is plain."""
    if kind not in ("list_type", "dict_type", "model_type"):
        return ""
    if key == "input" and what != "a network":
        return ""
    return f"write `{_EXAMPLES[key]}`" if key in _EXAMPLES else ""


def _holder(what: str, steps: tuple[int | str, ...]) -> str:
    """Return what to call the mapping in which the last of some steps is a key."""
    if len(steps) == 1:
        return what
    return f"`{steps[-2]}`" if isinstance(steps[-2], str) else f"an item of `{steps[-3]}`"


def keys_of(model: type[Located]) -> list[str]:
    """Return the keys that a model takes, a layer's own before those that every layer has."""
    models = (model, Common) if issubclass(model, Layer) else (model,)
    return [m.spelled.get(f, f) for m in models for f in m.model_fields if f not in m.hidden]


def _missing_help(model: type[Located], key: str) -> str:
    field = model.model_fields.get(key)
    example = {"filters": "filters: 64", "join": "join: concat", "body": "body: [...]"}.get(key)
    if example:
        return f"add `{example}`"
    return f"add `{key}: ...`" if field is not None else ""


_TYPES = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def _expected(kind: str, context: dict[str, Any], found: Any) -> str:
    if kind == "literal_error":
        words = re.sub(r"'", "`", str(context["expected"]))
        guess = did_you_mean(found, re.findall(r"`(\w+)`", words)) if isinstance(found, str) else ""
        return f"expected {words}, found {describe(found)}{guess}"
    return f"expected {_TYPES.get(kind, 'another kind of value')}, found {describe(found)}"
