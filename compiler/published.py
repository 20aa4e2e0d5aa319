"""The published networks that maps are for, and what becomes of their weights in another one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from compiler.errors import CompileError, UsageError
from compiler.graph import Graph
from compiler.pipeline import load_graph
from compiler.text import show_value
from compiler.weights.mapping import WeightMap
from compiler.weights.match import Match, match_tensors, unknown_layers
from compiler.weights.misfits import Size
from compiler.weights.report import WeightsReport
from compiler.weights.sizes import tensor_sizes
from compiler.weights.wiring import wiring_differences


def published_graph(weights: WeightMap, graph: Graph) -> Graph | None:
    """Return the network that a map is for, with the settings of `graph` where it has them.

    None where the map names no network, or none that can be built so: then there is nothing to
    compare with.
    """
    if not weights.spec:
        return None
    spec = _spec_of(weights)
    try:
        published = load_graph(spec)
        given = {name: show_value(value) for name, value in graph.arguments.items()}
        settings = {p.name: given[p.name] for p in published.params if p.name in given}
        return load_graph(spec, settings) if settings else published
    except (CompileError, UsageError):
        return None


def published_tensors(weights: WeightMap) -> dict[str, Size]:
    """Return name -> shape of every tensor of the file that a map is for, optional parts included.

    They are those of the map's network by their published names. Where a file spells a shape with
    other dimensions of 1 (a linear layer that is a 1x1 convolution here), it is the network's.

    Raises:
        CompileError: the map's network is at fault.
        UsageError: the map names no network, or a file that is not there.
    """
    if not weights.spec:
        raise UsageError(
            f"the map {weights.name} names no network (`spec`), so that only a file tells which "
            "tensors there are"
        )
    count = re.search(r"\d+", weights.classes)  # in words: 1000 of ImageNet
    parts = {head.present for head in weights.optional.values()}
    filled = [part.replace("{classes}", count[0] if count else "{classes}") for part in parts]
    settings = dict(part.split("=", 1) for part in sorted(filled) if "{" not in part)
    sizes = tensor_sizes(load_graph(_spec_of(weights), settings))
    theirs = {weights.theirs(name): size for name, size in sizes.items()}
    return {name: size for name, size in theirs.items() if name is not None}


def fit_published(
    weights: WeightMap, graph: Graph, *, partial: bool = False, drop_background: bool = False
) -> WeightsReport:
    """Return what would become of the file that a map is for in a network, without the file.

    Raises:
        CompileError: the map's network is at fault.
        UsageError: the map names no network, or a file that is not there.
    """
    wanted = tensor_sizes(graph)
    match = match_tensors(
        weights, wanted, published_tensors(weights), drop_background, moved=graph.moved
    )
    return report_match(f"{weights.name}'s file", match, weights, graph, wanted, partial=partial)


def report_match(
    file: str,
    match: Match,
    weights: WeightMap | None,
    graph: Graph | None,
    tensors: Iterable[str],
    *,
    partial: bool = False,
) -> WeightsReport:
    """Return a match with what is doubtful about it: another wiring, a map of another network.

    Args:
        file: the name of the file of weights.
        match: what became of its tensors.
        weights: the map of their names; None: they are the network's own.
        graph: the network, if there is one.
        tensors: names of the network's tensors, those of parts that are not built included.
        partial: whether tensors may stay behind.
    """
    wiring: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    if weights is not None and graph is not None:
        published = published_graph(weights, graph)
        loaded = {move.name for move in match.moves}
        wiring = wiring_differences(graph, published, loaded) if published else ()
        if published is None or published.name == graph.name:  # of others it may have more
            unknown = unknown_layers(weights, tensors)
    name = graph.name if graph is not None else ""
    return WeightsReport(
        file, name, weights, match, is_partial=partial, wiring=wiring, unknown=unknown
    )


def _spec_of(weights: WeightMap) -> str | Path:
    beside = weights.folder / weights.spec
    return beside if beside.is_file() else weights.spec
