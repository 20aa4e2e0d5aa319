"""YAML nodes -> spec models; pydantic finds the faults, the words are ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from compiler.errors import (
    NOWHERE,
    Diagnostic,
    Remark,
    Report,
    Span,
    did_you_mean,
    guessing,
    listing,
    nearest,
)
from compiler.errors.foreign import EXPLAINED, KEYS, PLACED, SYNONYMS
from compiler.ops import COMMON_KEYS, NOTHING, ActivationLayer, Common, Layer, WordLayer
from compiler.spec.model import (
    LAYERS,
    WORDS,
    AssertSpec,
    BlockSpec,
    BrokenLayer,
    BrokenParam,
    ClaimSpec,
    ErratumSpec,
    NetworkSpec,
    OutputSpec,
    ParamSpec,
    ResidualBody,
)
from compiler.spec.params import READERS, guess_type, read_param_name
from compiler.spec.values import Values, default_of
from compiler.text import (
    Doubled,
    DoubledScalar,
    Entry,
    Located,
    Mapping,
    Node,
    Scalar,
    Sequence,
    describe,
    describe_text,
    key_span_at,
    node_at,
    plain,
    span_at,
)
from compiler.text.names import NAME, read_name

BODIES = ("layers", "branches", "residual")
BLOCK_KEYS = [
    BlockSpec.spelled.get(f, f) for f in BlockSpec.model_fields if f not in BlockSpec.hidden
]
BLOCK_KEYS += ["layers", "branches", "join", "residual"]
M = TypeVar("M", bound=Located)


def validate(
    model: type[M], node: Node, values: dict[str, Any], what: str, report: Report
) -> M | None:
    """Return a model, or None after reporting each fault of `values` at its place in `node`."""
    for other, more in _given_twice(node, values):  # for what is wrong with them
        validate(model, other, more, what, report)
    empty = _empty(node, values)
    if empty:
        rest = _rest_of_call(node)
        for key in empty:
            if key not in rest:
                report.add(_is_empty(key, what, span_at(node, (key,))))
        values = {key: value for key, value in values.items() if key not in empty}
    try:
        out = model.model_validate(_as_fields(model, node, values, what, report))
    except ValidationError as error:
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
        return None
    out.locate(node)
    return None if empty else out


def _given_twice(node: Node, values: dict[str, Any]) -> Iterator[tuple[Node, dict[str, Any]]]:
    """Yield the mapping with the second value of each key that is given twice."""
    own = node.entries if isinstance(node, Mapping) else {}
    for key, entry in own.items():
        if key in values and isinstance(entry.node, DoubledScalar):
            for second in entry.node.again:
                other = Mapping({**own, key: Entry(entry.key_span, second)}, node.span)
                yield other, {**values, key: second.value}


def _empty(node: Node, values: dict[str, Any]) -> list[str]:
    """Return the keys that are written without a value: no default stands in for them."""
    entries = node.entries if isinstance(node, Mapping) else {}
    found = [(k, entries[k].node) for k, v in values.items() if v is None and k in entries]
    return [k for k, n in found if isinstance(n, Scalar) and n.value is None]


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


def _as_fields(
    model: type[Located], node: Node, values: dict[str, Any], what: str, report: Report
) -> dict[str, Any]:
    """Return values by field; the inner name of a field is not a key of the language."""
    fields = {key: field for field, key in model.spelled.items()}
    out = {}
    for key, value in values.items():
        written = isinstance(node, Mapping) and key in node.entries
        if written and (key in model.hidden or key in model.spelled):
            report.add(_unknown_field(model, what, key, key_span_at(node, (key,))))
        else:
            out[fields.get(key, key)] = value
    return out


def _unknown_field(model: type[Located], what: str, key: str, span: Span) -> Diagnostic:
    known = _keys(model)
    guess = model.spelled.get(key) or _nearest(key, known)
    hint = f" (did you mean `{guess}`?)" if guess else ""
    help = f"{what} takes {listing(known)}"
    if issubclass(model, Layer) and key in EXPLAINED:
        help = f"{EXPLAINED[key]}; {help}"
    if model is ResidualBody and key in COMMON_KEYS:
        help = f"`{key}` stands beside `residual: {{...}}`, not in it; {help}"
    return Diagnostic("unknown-field", f"{what} has no key `{key}`{hint}", span, help=help)


def as_meant(node: Mapping, known: list[str], what: str, report: Report) -> Mapping:
    """Return a mapping with its unknown keys as those that they stand for, each reported once.

    What stands under a key that resembles none is lost to those who refer to it.
    """
    entries: dict[str, Entry] = {}
    meant: dict[str, Entry] = {}
    for key, entry in node.entries.items():
        if key in known:
            entries[key] = entry
            continue
        guess = _word_for(key, known)
        if guess is not None:
            meant.setdefault(guess, entry)
        elif not isinstance(entry.node, Scalar):
            report.is_partial = True
        hint = f" (did you mean `{guess}`?)" if guess else ""
        message = f"{what} has no key `{describe_text(key)}`{hint}"
        help = f"{what} takes {listing(known)}"
        if key in PLACED and what != "a spec":
            help = f"{PLACED[key]}; {help}"
        report.add(Diagnostic("unknown-field", message, entry.key_span, help=help))
    return Mapping({**meant, **entries}, node.span, node.notes)


def _word_for(key: str, known: list[str]) -> str | None:
    """Return the key of a spec or a block that a word of another tool, or a slip, stands for."""
    return next((w for w in KEYS.get(key.lower(), ()) if w in known), None) or nearest(key, known)


def _nearest(key: str, known: list[str]) -> str | None:
    """Return the key that a word of another tool, or a misspelt one, stands for."""
    synonym = SYNONYMS.get(key)
    return synonym if synonym in known else nearest(key, known)


def _meant(model: type[Located], faults: list[Any]) -> set[tuple[Any, ...]]:
    """Return the missing fields that a misspelt key stands for: one mistake, one error."""
    known = _keys(model)
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
        key = next(iter(node.entries))
        steps = (key, *steps[1:])
    found = fault["input"]
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        inner = _inside(model, fault["loc"][:-1])
        whose = _holder(what, steps)
        return _unknown_field(inner, whose, str(steps[-1]), key_span_at(node, steps))
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


def _keys(model: type[Located]) -> list[str]:
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


def read_chain(node: Node | None, what: str, report: Report) -> list[Layer]:
    """Return the layers of a list; one with faults (which are reported) stands in as broken."""
    if not isinstance(node, Sequence):
        if node is not None:
            found = describe(plain(node)) if isinstance(node, Scalar) else "a mapping"
            report.add(
                Diagnostic(
                    "bad-value",
                    f"{what} is {found}, not a list of layers",
                    node.span,
                    help="write each layer as an item: `- {conv: 3x3, filters: 64}`",
                )
            )
        return []
    again = node.again if isinstance(node, Doubled) else ()
    report.spend("entries", len(node.items) + len(again), node.span, _REPEAT)
    for item in again:  # for what is wrong with it; what it is a part of is not known
        read_layer(item, report)
    return [read_layer(item, report) or _broken(item) for item in node.items]


_REPEAT = "write what is the same once: a block, or `repeat`"


def _broken(node: Node) -> Layer:
    """Return the stand-in for a faulty layer: it keeps the name, so that references hold."""
    given = node.get("name") if isinstance(node, Mapping) else None
    name = given.text if isinstance(given, Scalar) else ""
    is_name = NAME.fullmatch(name)
    layer = BrokenLayer.model_construct()
    layer.attach(Common.model_construct(name=name if is_name else None))
    layer.locate(node)
    return layer


def read_layer(node: Node, report: Report) -> Layer | None:
    """Return one layer, or None after reporting what is wrong with it."""
    if isinstance(node, Scalar):
        return _read_word(node, report)
    if isinstance(node, Sequence):
        report.add(
            Diagnostic(
                "bad-layer",
                f"a layer is a mapping, found a list of {len(node.items)}",
                node.span,
                help="name every value: `{conv: 3x3, filters: 64}`; positions mean nothing here",
            )
        )
        return None
    op = _find_op(node, report)
    if op is None:
        return None
    own: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for key, entry in node.entries.items():
        is_shared = key != op and key in COMMON_KEYS
        (shared if is_shared else own)[key] = _nested(op, key, entry.node, report)
    common = validate(LAYERS[op].rules, node, shared, f"`{op}`", report) if shared else NOTHING
    layer = _validate_layer(op, node, own, report)
    if layer is None or common is None:
        return None
    layer.attach(common)
    return layer


def _read_word(node: Scalar, report: Report) -> Layer | None:
    word = node.value
    if not isinstance(word, str):
        report.add(
            Diagnostic(
                "bad-layer",
                f"a layer is a mapping or a word, found {describe(word)}",
                node.span,
                help="write `{conv: 3x3, filters: 64}`, or a word such as `relu`",
            )
        )
        return None
    if word not in LAYERS:
        report.add(_unknown_op(word, node.span))
        return None
    if not LAYERS[word].bare:
        report.add(
            Diagnostic(
                "bad-layer",
                f"`{word}` alone says too little",
                node.span,
                help=f"write `{{{word}: ...}}` with {listing(_required(word))}",
            )
        )
        return None
    return _validate_layer(word, node, {word: True}, report)


def _validate_layer(op: str, node: Node, values: dict[str, Any], report: Report) -> Layer | None:
    if op in WORDS:
        values = {("word" if k == op else k): v for k, v in values.items()}
    layer = validate(LAYERS[op], node, values, f"`{op}`", report)
    if isinstance(layer, ActivationLayer):
        layer.call(op)
    return layer


def _required(op: str) -> list[str]:
    model = LAYERS[op]
    return [k for k, f in model.model_fields.items() if f.is_required() or k in model.mostly]


def _unknown_op(word: str, span: Span, others: Iterable[str] = ()) -> Diagnostic:
    found = [k for k in others if k in LAYERS]
    if found:
        return Diagnostic(
            "op-not-first",
            f"a layer opens with its op: `{found[0]}` stands after `{word}`",
            span,
            help=f"put `{found[0]}` first",
        )
    owners = [op for op, model in LAYERS.items() if word in _keys(model)]
    if word not in _keys(WordLayer) and owners:
        return Diagnostic(
            "unknown-op",
            f"a layer opens with its op, and `{word}` is a key of {listing(owners)}",
            span,
            help="write the op first: `{conv: 3x3, filters: 64}`",
        )
    if word == "body":
        help = PLACED[word]
        return Diagnostic("unknown-op", f"there is no op `{word}`", span, help=help)
    guess = did_you_mean(word, LAYERS)
    table = "" if guess else "; specs/README.md#ops says what each does"
    ops = listing(LAYERS, len(LAYERS))
    return Diagnostic(
        "unknown-op",
        f"there is no op `{describe_text(word)}`{guess}",
        span,
        help=f"the ops are {ops}; a block is used as `{{block: NAME}}`{table}",
    )


def _op_as_value(word: str, entry: Entry) -> Diagnostic:
    """Return what to say of `{op: conv, ...}`, as many other tools spell a layer."""
    text = entry.node.text if isinstance(entry.node, Scalar) else ""
    op = text if text in LAYERS else nearest(text, LAYERS) if text else None
    return Diagnostic(
        "unknown-op",
        f"the op is the first key itself, not the value of `{word}`",
        entry.key_span,
        help=f"write `{{{op}: ...}}`" if op else "write it so: `{conv: 3x3, filters: 64}`",
    )


def _find_op(node: Mapping, report: Report) -> str | None:
    if not node.entries:
        report.add(
            Diagnostic("bad-layer", "a layer is empty", node.span, help="write `{op: value, ...}`")
        )
        return None
    word, entry = next(iter(node.entries.items()))
    if word in ("op", "type"):
        report.add(_op_as_value(word, entry))
        return None
    if word in LAYERS:
        return word
    report.add(_unknown_op(word, entry.key_span, list(node.entries)[1:]))
    return None


def _nested(op: str, key: str, node: Node, report: Report) -> Any:
    """Return a value of a layer: chains are read here, everything else by pydantic."""
    if key == op and op in ("branches", "split"):
        return read_branches(node, report)
    if key == op == "layers":
        return read_chain(node, "`layers`", report)
    if key == op == "residual":
        return read_residual(node, report)
    return plain(node)


def read_branches(node: Node, report: Report) -> Any:
    """Return name -> chain."""
    if not isinstance(node, Mapping):
        return plain(node)
    if not node.entries:
        report.add(
            Diagnostic("bad-value", "there are no branches", node.span, help="name at least one")
        )
    report.spend("entries", len(node.entries), node.span)
    return {
        name: read_chain(e.node, f"branch `{name}`", report) for name, e in node.entries.items()
    }


def read_residual(node: Node, report: Report) -> Any:
    """Return the model of a residual's body, or the plain value for pydantic to refuse."""
    if not isinstance(node, Mapping):
        return plain(node)
    values: dict[str, Any] = {}
    for key, entry in node.entries.items():
        is_chain = key in ("body", "shortcut")
        values[key] = read_chain(entry.node, f"`{key}`", report) if is_chain else plain(entry.node)
    return validate(
        ResidualBody, node, values, "`residual`", report
    ) or ResidualBody.model_construct(body=[])


def read_block(name: str, node: Node, report: Report) -> BlockSpec | None:
    """Return a block definition."""
    what = f"block `{name}`"
    _check_inputs(name, node, report)
    if not isinstance(node, Mapping):
        message = f"{what} is {describe(plain(node))}, not a mapping"
        help = "write its body: `{layers: [...]}`, `branches` (with `join`) or `residual`"
        report.add(Diagnostic("bad-value", message, node.span, help=help))
        return None
    op = next(iter(node.entries), "")
    if op in LAYERS and op not in BODIES:
        message, span = f"{what} is written as a layer, `{op}`", node.entries[op].key_span
        help = f"a block holds a list of layers: `layers: [{{{op}: ...}}]`"
        report.add(Diagnostic("bad-block", message, span, help=help))
        return None
    read = as_meant(node, BLOCK_KEYS, what, report)
    bodies = [k for k in BODIES if k in read.entries]
    if len(bodies) != 1:
        if bodies or len(read.entries) == len(node.entries):  # else the body is an unknown key
            report.add(_bodies_fault(read, bodies, what))
        return None
    join = read.entries.get("join")
    if join and bodies[0] != "branches":
        message = f"{what} has a `join`, and no `branches` that it could join"
        help = f"take it out; the body is `{bodies[0]}`"
        report.add(Diagnostic("bad-block", message, join.key_span, help=help))
    values = {
        k: plain(e.node)
        for k, e in read.entries.items()
        if k not in (*BODIES, "join", "params", "assert")
    }
    values["params"] = read_params(read.get("params"), report)
    values["body"] = _read_body(read, bodies[0], report)
    values["assert"] = _read_assertions(read.get("assert"), report)
    block = validate(BlockSpec, read, values, what, report)
    if block is not None:
        block.name = name
    return block


def _check_inputs(block: str, node: Node, report: Report) -> None:
    """Report an input that a block names twice."""
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    first: dict[str, Span] = {}
    for item in inputs.items if isinstance(inputs, Sequence) else ():
        if not isinstance(item, Scalar):
            continue
        if first.setdefault(item.text, item.span) != item.span:
            message = f"block `{block}` has two inputs `{describe_text(item.text)}`"
            remark = Remark(first[item.text], "it is named here first")
            help = "rename one, and what reads it in the block"
            report.add(Diagnostic("duplicate-name", message, item.span, "", (remark,), help=help))


def _bodies_fault(node: Mapping, bodies: list[str], what: str) -> Diagnostic:
    help = "give it exactly one of `layers`, `branches` (with `join`), `residual`"
    if not bodies:
        return Diagnostic("bad-block", f"{what} has no body", node.span, help=help)
    second = max((node.entries[k].key_span for k in bodies), key=lambda s: (s.line, s.column))
    message = f"{what} has several bodies: {listing(bodies)}"
    return Diagnostic("bad-block", message, second, help=help)


def _read_body(node: Mapping, kind: str, report: Report) -> list[Layer]:
    if kind == "layers":
        return read_chain(node.get("layers"), "`layers`", report)
    keys = ("branches", "join") if kind == "branches" else (kind,)
    entries = {k: node.entries[k] for k in keys if k in node.entries}
    start, end = entries[kind].key_span, entries[kind].node.span
    span = replace(start, end_line=end.end_line, end_column=end.end_column)
    layer = read_layer(Mapping(entries, span), report)
    return [layer] if layer else []


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
        if not isinstance(values, dict):
            values = {"type": guess_type(values), "default": values}
        param = validate(ParamSpec, node, values, f"parameter `{name}`", report)
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


def read_network(node: Mapping, report: Report) -> NetworkSpec | None:
    """Return a network."""
    plainly = ("network", "title", "doc", "cite", "errata", "let", "input", "defaults", "drawing")
    values: dict[str, Any] = {k: plain(e.node) for k, e in node.entries.items() if k in plainly}
    if isinstance(values.get("errata"), dict):
        del values["errata"]
    elif isinstance(values.get("errata"), list):  # records may stand among the ids
        values["errata"] = [i for i in values["errata"] if not isinstance(i, dict)]
    values["params"] = read_params(node.get("params"), report)
    inputs = node.get("input")
    if isinstance(inputs, Mapping):
        report.spend("entries", len(inputs.entries), inputs.span)
    for name, entry in inputs.entries.items() if isinstance(inputs, Mapping) else ():
        check_name(name, read_name, entry.key_span, "the name of an input", report)
    if "layers" in node.entries:
        values["layers"] = read_chain(node.get("layers"), "`layers`", report)
    moved = node.get("moved")
    if moved is not None:
        report.spend("entries", len(moved.entries) if isinstance(moved, Mapping) else 0, moved.span)
        values["moved"] = plain(moved)
    values["assert"] = _read_assertions(node.get("assert"), report)
    values["claims"] = _read_list(node.get("claims"), ClaimSpec, "a claim", report)
    if "outputs" in node.entries:
        values["outputs"] = _read_outputs(node.get("outputs"), report)
    return validate(NetworkSpec, node, values, "a network", report)


def _read_list(node: Node | None, model: type[M], what: str, report: Report) -> list[M]:
    if node is not None and not isinstance(node, Sequence):
        message = f"`claims` is {describe(plain(node))}, not a list"
        help = "write each as an item: `- {of: parameters, value: 1000, source: ...}`"
        report.add(Diagnostic("bad-value", message, node.span, help=help))
    items = node.items if isinstance(node, Sequence) else ()
    report.spend("entries", len(items), node.span if node else NOWHERE)
    models = (validate(model, i, _mapping_values(i), what, report) for i in items)
    return [m for m in models if m is not None]


def _mapping_values(node: Node) -> dict[str, Any]:
    values = plain(node)
    return values if isinstance(values, dict) else {"value": values}


def _read_outputs(node: Node | None, report: Report) -> Any:
    if not isinstance(node, Sequence):
        return plain(node) if node is not None else None
    report.spend("entries", len(node.items), node.span)
    out = []
    for item in node.items:
        values = plain(item)
        if isinstance(values, str):
            first = re.split(r"\s", values.strip(), maxsplit=1)[0]  # of `wide or narrow`
            values = {"name": first.rpartition(".")[2], "inputs": values}
        if isinstance(values, dict):
            out.append(validate(OutputSpec, item, values, "an output", report))
            continue
        message = f"an output is {describe(values)}, not the name of a layer"
        help = "write `logits` or `{name: aux, from: aux.logits}`"
        report.add(Diagnostic("bad-value", message, item.span, help=help))
    return [o for o in out if o is not None]


def _read_assertions(node: Node | None, report: Report) -> Any:
    """Return what must hold; one thing alone needs no list."""
    items = node.items if isinstance(node, Sequence) else () if node is None else (node,)
    report.spend("entries", len(items), node.span if node else NOWHERE)
    out = []
    for item in items:
        values = plain(item)
        values = values if isinstance(values, dict) else {"that": values}
        out.append(validate(AssertSpec, item, values, "an assertion", report))
    return [found for found in out if found is not None]


def read_errata(node: Node | None, report: Report) -> dict[str, ErratumSpec]:
    """Return id -> record of a file's `errata`; ids alone are those that apply to a network."""
    if isinstance(node, Sequence):
        out: dict[str, ErratumSpec] = {}
        for item in node.items:
            out |= read_errata(item, report)
        return out
    if not isinstance(node, Mapping):
        return {}
    report.spend("entries", len(node.entries), node.span)
    out = {}
    for name, entry in node.entries.items():
        record = validate(
            ErratumSpec, entry.node, _mapping_values(entry.node), f"erratum `{name}`", report
        )
        if record is not None:
            out[name] = record
    return out
