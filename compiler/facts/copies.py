"""From which copy of a repeated layer on all are written alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.graph import Decision, Graph, formulas_of
from compiler.text import ExprError, Term, parse

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def settled_from(
    graph: Graph, copies: Iterable[str], decisions: Iterable[Decision] = ()
) -> int | None:
    """Return the copy from which on all have the same formulas, None where none is.

    Formulas read which copy they are in by comparing `index` with numbers, or there is no such
    copy.

    Args:
        graph: the network.
        copies: their names, in order.
        decisions: what was decided in the block around, in copies of this layer perhaps, that no
            attribute remembers.
    """
    texts = {text for name in copies for text in _texts(graph, name)}
    texts |= {decision.formula.text for decision in decisions}
    found = [_settles(text) for text in texts if "index" in text]
    known = [number for number in found if number is not None]
    return max(known, default=0) if len(known) == len(found) else None


def _texts(graph: Graph, name: str) -> Iterator[str]:
    """Yield the formulas of a layer, and of the layers inside it that are in the same block."""
    if name in graph.nodes:
        yield from (formula.text for formula in formulas_of(graph.nodes[name].traced).values())
        return
    region = graph.regions[name]
    yield from (formula.text for formula in formulas_of(region.traced).values())
    yield region.info.when
    for member in () if region.kind == "block" else region.members:
        yield from _texts(graph, member)


def _settles(text: str) -> int | None:
    try:
        return _settled(parse(text).root)
    except ExprError:
        return None


def _settled(term: Term) -> int | None:
    """Return from which `index` on a formula has the same value, None where that is not known."""
    if term.kind == "name":
        return None if term.text == "index" else 0
    if term.kind in _COMPARISONS and any(arg.text == "index" for arg in term.args):
        limits = [arg for arg in term.args if arg.text != "index"]
        is_plain = len(limits) == 1 and limits[0].kind == "number" and limits[0].text.isdigit()
        return int(limits[0].text) + 1 if is_plain else None
    found = [_settled(arg) for arg in term.args]
    known = [number for number in found if number is not None]
    return max(known, default=0) if len(known) == len(found) else None
