"""YAML nodes -> layers: a list, one layer, and the lists inside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from compiler.errors import Diagnostic, Report, Span, did_you_mean, listing, nearest
from compiler.errors.foreign import PLACED
from compiler.ops import COMMON_KEYS, NOTHING, ActivationLayer, Common, Layer
from compiler.spec.faults import keys_of
from compiler.spec.model import LAYERS, WORDS, Branch, BrokenLayer, ResidualBody, op_of
from compiler.spec.validate import validate
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
    own, shared = list[str](), list[str]()
    for key in node.entries:
        if key != op:
            (shared if key in COMMON_KEYS else own).append(key)
    read = _principal(op, node.entries[op].node, report)
    common: Common | None = NOTHING
    if shared:
        common = validate(LAYERS[op].rules, node, f"`{op}`", report, keys=shared)
    layer = _layer_of(op, node, report, read, own if read else [op, *own])
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
    return _layer_of(word, node, report, {"word" if word in WORDS else word: True})


def _layer_of(
    op: str, node: Node, report: Report, read: dict[str, Any], keys: Collection[str] = ()
) -> Layer | None:
    layer = validate(LAYERS[op], node, f"`{op}`", report, read, keys)
    if isinstance(layer, ActivationLayer):
        layer.call(op)
    return layer


def _required(op: str) -> list[str]:
    model = LAYERS[op]
    return [k for k, f in model.model_fields.items() if f.is_required() or k in model.mostly]


def _without_op(node: Mapping) -> Diagnostic:
    """Return what to say of a layer none of whose keys is an op."""
    for word in ("op", "type"):
        if word in node.entries:
            return _op_as_value(word, node.entries[word])
    keys = {op: keys_of(model) for op, model in LAYERS.items()}
    owners = {key: [op for op, own in keys.items() if key in own] for key in node.entries}
    words = [key for key, ops in owners.items() if not ops]
    if words:
        return _unknown_op(words[0], node.entries[words[0]].key_span)
    word = next((key for key in owners if key not in COMMON_KEYS), next(iter(owners)))
    whose = "every layer" if word in COMMON_KEYS else listing(owners[word])
    owner = "conv" if "conv" in owners[word] else owners[word][0]
    example = "conv: 3x3, filters: 64" if owner == "conv" else f"{owner}: ..., {word}: ..."
    return Diagnostic(
        "unknown-op",
        f"no key of this layer is an op: `{word}` is a key of {whose}",
        node.entries[word].key_span,
        help=f"add the op: `{{{example}}}`",
    )


def _unknown_op(word: str, span: Span) -> Diagnostic:
    if word in ("body", "shortcut"):
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
        f"the op is a key itself, not the value of `{word}`",
        entry.key_span,
        help=f"write `{{{op}: ...}}`" if op else "write it so: `{conv: 3x3, filters: 64}`",
    )


def _find_op(node: Mapping, report: Report) -> str | None:
    if not node.entries:
        report.add(
            Diagnostic("bad-layer", "a layer is empty", node.span, help="write `{op: value, ...}`")
        )
        return None
    op = op_of(node.entries)
    if not op:
        report.add(_without_op(node))
    return op or None


def _principal(op: str, node: Node, report: Report) -> dict[str, Any]:
    """Return the value of a layer's op where it holds layers, or is the word of one."""
    if op in ("branches", "split"):
        return {op: read_branches(node, report)}
    if op == "layers":
        return {op: read_chain(node, "`layers`", report)}
    if op == "residual":
        return {op: read_residual(node, report)}
    return {"word": plain(node)} if op in WORDS else {}


def read_branches(node: Node, report: Report) -> Any:
    """Return name -> branch."""
    if not isinstance(node, Mapping):
        return plain(node)
    if not node.entries:
        report.add(
            Diagnostic("bad-value", "there are no branches", node.span, help="name at least one")
        )
    report.spend("entries", len(node.entries), node.span)
    return {
        name: _read_branch(f"branch `{name}`", e.node, report) for name, e in node.entries.items()
    }


def _read_branch(what: str, node: Node, report: Report) -> Branch:
    """Return a branch: a list, or a mapping with the list and a condition."""
    entries = node.entries if isinstance(node, Mapping) else {}
    if entries.keys().isdisjoint(("layers", "when")):
        branch, chain = None, read_chain(node, what, report)
    else:
        layers = entries.get("layers")
        chain = read_chain(layers.node, f"`layers` of {what}", report) if layers else []
        branch = validate(Branch, node, what, report, {"layers": chain} if layers else {})
    if branch is None:
        branch = Branch.model_construct(layers=chain)
        branch.locate(node)
    return branch


def read_residual(node: Node, report: Report) -> Any:
    """Return the model of a residual's body, or the plain value for pydantic to refuse."""
    if not isinstance(node, Mapping):
        return plain(node)
    parts: dict[str, Any] = {}
    for key, entry in node.entries.items():
        if key == "body":
            parts[key] = read_chain(entry.node, "`body`", report)
        elif key == "shortcut":
            parts[key] = _read_branch("`shortcut`", entry.node, report)
    body = validate(ResidualBody, node, "`residual`", report, parts)
    return body or ResidualBody.model_construct(body=[])
