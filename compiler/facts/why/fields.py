"""Where a receptive field comes from: what each window on the way adds to it."""

from __future__ import annotations

from compiler.errors import Span
from compiler.facts.receptive import Fields, receptive_fields
from compiler.facts.why.sources import Sources
from compiler.facts.why.step import Step, Term
from compiler.graph import Node

SIDES = ("high", "wide")


def field(sources: Sources, name: str) -> Step:
    """Return where the receptive field of a tensor comes from, along its height and its width."""
    graph = sources.graph
    fields = receptive_fields(graph)
    node, seen = graph.nodes[name], fields[name]
    what = f"receptive_field of {name}"
    if seen is None:
        return Step(
            what, "the whole input", said=sources.words(sources.layer(node)), span=node.info.span
        )
    sides = [_side(sources, fields, node, axis) for axis in (0, 1)]
    if sides[0].value == sides[1].value:
        return Step(what, sides[0].value, sides[0].formula, sides[0].said, terms=sides[0].terms)
    terms = tuple(Term(word, side) for word, side in zip(SIDES, sides, strict=True))
    said = f"{sides[0].value}x{sides[1].value}"
    return Step(
        what, said, said=sources.words(sources.layer(node)), span=node.info.span, terms=terms
    )


def _side(sources: Sources, fields: dict[str, Fields | None], node: Node, axis: int) -> Step:
    """Return the field along one axis: a pixel, and what the widest path to it adds."""
    size = _size(fields, node.name, axis)
    windows: dict[tuple[Span, int], list[Node]] = {}
    """The place of a layer and what it adds -> its copies, the last one first."""
    while node.inputs:
        before = max(node.inputs, key=lambda name: _size(fields, name, axis))
        added = _size(fields, node.name, axis) - _size(fields, before, axis)
        if added:
            windows.setdefault((node.info.span, added), []).append(node)
        node = sources.graph.nodes[before]
    terms = [_window(sources, copies[::-1], added) for (_, added), copies in windows.items()]
    numbers = " + ".join(term.step.formula or str(term.step.value) for term in reversed(terms))
    formula, said = f"1 + {numbers}" if terms else "", "a pixel, and what each window adds"
    return Step(f"the field {SIDES[axis]}", size, formula, said, terms=tuple(reversed(terms)))


def _window(sources: Sources, copies: list[Node], added: int) -> Term:
    """Return what a layer adds, in all its copies."""
    first, count = copies[0], len(copies)
    words = sources.words(sources.layer(first))
    if count > 1:
        words += f" to {sources.layer(copies[-1])}"
    formula = f"{count} * {added}" if count > 1 else ""
    cite, span = sources.cite(first), first.info.span
    return Term("", Step(first.name, count * added, formula, words, cite, span))


def _size(fields: dict[str, Fields | None], name: str, axis: int) -> int:
    seen = fields[name]
    return round(seen[axis].size) if seen else 0
