"""What stands around a formula in the spec: its frame, the keys of its layer, its names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from compiler.errors import Span
from compiler.facts.why.letters import WIDTHS
from compiler.graph import Cite, Graph, Node, Region
from compiler.spec.model import op_of
from compiler.text import ExprError, Mapping, Scalar, Value, node_at, parse


@dataclass(frozen=True, slots=True)
class Place:
    """Where a formula stands: the block whose names it reads, and the copy that it is in."""

    frame: Region
    name: str
    """Of a node or a region."""


def values_of(graph: Graph, frame: Region) -> dict[str, Value]:
    """Return the values of the parameters of a block or the network, and of its `let`."""
    arguments = graph.arguments if frame.kind == "network" else frame.arguments
    return {**arguments, **{name: decision.value for name, decision in frame.names.items()}}


def beside(graph: Graph, node: Node, source: str) -> str:
    """Return what a node's reader calls an operand: its branch, or the layer it is in."""
    around = set(graph.around[node.name])
    own = [name for name in graph.around[source] if name not in around]
    scope = node.name.rpartition(".")[0]
    branches = [n for n in own if graph.regions[n].kind == "branch"]
    outer = branches[-1] if branches else own[-1] if own else source
    ends = [n for n in branches if graph.regions[n].output == source]
    name = ends[-1] if ends else outer
    return name.removeprefix(f"{scope}.")


def key_of(node: Node, attribute: str) -> str:
    """Return the key of a layer that says an attribute: its own, that of the width, or the op's."""
    if attribute in WIDTHS:
        return node.op.width_key
    written = node.info.written
    if attribute == "kernel_size" and written:
        return op_of(written.entries)
    return attribute


def scalar_at(written: Mapping | None, *steps: str) -> Scalar | None:
    """Return the plain value at the end of a path, None where there is none."""
    node: object = written
    for step in steps:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node if isinstance(node, Scalar) else None


def names_in(text: str) -> tuple[str, ...]:
    """Return the names that a formula reads; none where the text is no formula."""
    with suppress(ExprError):
        return parse(text).names
    return ()


def place_of(written: Mapping | None, key: str, otherwise: Span) -> Span:
    """Return the place of a value of a mapping, or another where it is not there."""
    return node_at(written, (key,)).span if written and key in written.entries else otherwise


def cited(cite: Cite | None) -> str:
    """Return a citation as text, empty where there is none."""
    return str(cite) if cite else ""
