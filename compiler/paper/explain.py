"""Which recorded erratum accounts for a deviation from a figure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from compiler.graph import Erratum, Graph
from compiler.paper.figures import figures_named, plain_label


class Record(Protocol):
    """What of an erratum decides whether it accounts for a deviation."""

    @property
    def where(self) -> str:
        """Return where it is printed."""

    @property
    def built(self) -> str:
        """Return what is built instead."""

    @property
    def explains(self) -> Sequence[str] | None:
        """Return the kinds of deviation that it explains; None: any."""


KINDS = ("label", "box", "hidden", "arrow", "order", "size")
"""What can be otherwise: a box's words, a box too many or too few, a layer without a box, an
arrow, the order of branches, a printed size."""


def explain(
    graph: Graph, figure: int, kind: str, names: tuple[str, ...], built: str = ""
) -> tuple[Erratum, ...]:
    """Return the errata that account for a deviation, of the nearest place that records any.

    Args:
        graph: where it was found.
        figure: the figure's number; the erratum's place must name it.
        kind: one of `KINDS`; the erratum must explain that kind.
        names: where to look: the layer, then what encloses it.
        built: the label or size that is built, or the label that is missing. An erratum whose
            `built` names some in backquotes explains no others.
    """
    for errata in tiers(graph, names):
        found = {e.id: e for e in errata if fits(e, figure, kind, built)}
        if found:
            return tuple(found.values())
    return ()


def fits(erratum: Record, figure: int, kind: str, built: str) -> bool:
    """True if an erratum, named in the right place, would account for a deviation."""
    if erratum.explains is not None and kind not in erratum.explains:
        return False
    if figure not in figures_named(erratum.where):
        return False
    named = [plain_label(text) for text in re.findall(r"`([^`]+)`", erratum.built)]
    return not built or not named or plain_label(built) in named


def tiers(graph: Graph, names: tuple[str, ...]) -> Iterator[tuple[Erratum, ...]]:
    """Yield what is recorded of each name: in its place, of its copies, of its block."""
    for name in names:
        yield graph.info_of(name).errata
        region = graph.regions.get(name)
        while region is not None and region.kind == "repeat" and region.members:
            region = graph.regions.get(region.members[0])
        if region is None:
            continue
        yield region.info.errata
        if region.definition is not None:
            yield graph.definitions[region.definition].info.errata
