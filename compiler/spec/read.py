"""YAML nodes -> blocks, networks and errata."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from compiler.errors import NOWHERE, Diagnostic, Remark, Report, Span, listing
from compiler.ops import Layer
from compiler.spec.model import (
    AssertSpec,
    BlockSpec,
    ClaimSpec,
    ErratumSpec,
    NetworkSpec,
    OutputSpec,
    op_of,
)
from compiler.spec.read_layers import read_chain, read_layer
from compiler.spec.read_params import check_name, read_params
from compiler.spec.validate import M, alone, as_meant, validate
from compiler.text import Mapping, Node, Scalar, Sequence, describe, describe_text, plain
from compiler.text.names import read_input_name

BODIES = ("layers", "branches", "residual")
BLOCK_KEYS = [
    BlockSpec.spelled.get(f, f) for f in BlockSpec.model_fields if f not in BlockSpec.hidden
]
BLOCK_KEYS += ["layers", "branches", "join", "residual"]


def read_block(name: str, node: Node, report: Report) -> BlockSpec | None:
    """Return a block definition."""
    what = f"block `{name}`"
    _check_inputs(name, node, report)
    if not isinstance(node, Mapping):
        message = f"{what} is {describe(plain(node))}, not a mapping"
        help = "write its body: `{layers: [...]}`, `branches` (with `join`) or `residual`"
        report.add(Diagnostic("bad-value", message, node.span, help=help))
        return None
    op = op_of(node.entries)
    if op and not any(key in node.entries for key in BODIES):
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
        "params": read_params(read.get("params"), report),
        "body": _read_body(read, bodies[0], report),
        "assert": _read_assertions(read.get("assert"), report),
    }
    keys = [k for k in read.entries if k not in (*BODIES, "join", *values)]
    block = validate(BlockSpec, read, what, report, values, keys)
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


def read_network(node: Mapping, report: Report) -> NetworkSpec | None:
    """Return a network."""
    plainly = ["network", "title", "doc", "cite", "let", "input", "defaults", "drawing"]
    values: dict[str, Any] = {"params": read_params(node.get("params"), report)}
    errata = node.get("errata")
    if isinstance(errata, Sequence):  # records may stand among the ids
        values["errata"] = [plain(i) for i in errata.items if not isinstance(i, Mapping)]
    elif isinstance(errata, Scalar):
        values["errata"] = errata.value
    inputs = node.get("input")
    if isinstance(inputs, Mapping):
        report.spend("entries", len(inputs.entries), inputs.span)
    for name, entry in inputs.entries.items() if isinstance(inputs, Mapping) else ():
        check_name(name, read_input_name, entry.key_span, "the name of an input", report)
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
    keys = [key for key in plainly if key in node.entries]
    return validate(NetworkSpec, node, "a network", report, values, keys)


def _read_list(node: Node | None, model: type[M], what: str, report: Report) -> list[M]:
    if node is not None and not isinstance(node, Sequence):
        message = f"`claims` is {describe(plain(node))}, not a list"
        help = "write each as an item: `- {of: parameters, value: 1000, source: ...}`"
        report.add(Diagnostic("bad-value", message, node.span, help=help))
    items = node.items if isinstance(node, Sequence) else ()
    report.spend("entries", len(items), node.span if node else NOWHERE)
    models = (validate(model, i, what, report, alone("value", i)) for i in items)
    return [m for m in models if m is not None]


def _read_outputs(node: Node | None, report: Report) -> Any:
    if not isinstance(node, Sequence):
        return plain(node) if node is not None else None
    report.spend("entries", len(node.items), node.span)
    out = []
    for item in node.items:
        given = plain(item)
        if isinstance(given, str):
            first = re.split(r"\s", given.strip(), maxsplit=1)[0]  # of `wide or narrow`
            values = {"name": first.rpartition(".")[2], "inputs": given}
            out.append(validate(OutputSpec, item, "an output", report, values))
            continue
        if isinstance(given, dict):
            out.append(validate(OutputSpec, item, "an output", report))
            continue
        message = f"an output is {describe(given)}, not the name of a layer"
        help = "write `logits` or `{name: aux, from: aux.logits}`"
        report.add(Diagnostic("bad-value", message, item.span, help=help))
    return [o for o in out if o is not None]


def _read_assertions(node: Node | None, report: Report) -> Any:
    """Return what must hold; one thing alone needs no list."""
    items = node.items if isinstance(node, Sequence) else () if node is None else (node,)
    report.spend("entries", len(items), node.span if node else NOWHERE)
    models = (validate(AssertSpec, i, "an assertion", report, alone("that", i)) for i in items)
    return [m for m in models if m is not None]


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
        what, read = f"erratum `{name}`", alone("value", entry.node)
        record = validate(ErratumSpec, entry.node, what, report, read)
        if record is not None:
            out[name] = record
    return out
