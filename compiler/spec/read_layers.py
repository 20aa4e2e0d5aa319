"""YAML nodes -> layers: a list, one layer, and the lists inside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compiler.errors import Diagnostic, Report, Span, did_you_mean, listing, nearest
from compiler.errors.foreign import PLACED
from compiler.ops import COMMON_KEYS, NOTHING, ActivationLayer, Common, Layer, WordLayer
from compiler.spec.model import LAYERS, WORDS, BrokenLayer, ResidualBody
from compiler.spec.validate import keys_of, validate
from compiler.text import (
    Doubled,
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    describe,
    describe_text,
    plain,
)
from compiler.text.names import NAME


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
    owners = [op for op, model in LAYERS.items() if word in keys_of(model)]
    if word not in keys_of(WordLayer) and owners:
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
