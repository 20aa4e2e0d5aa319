"""What a conversion did, or why it did not happen, as text and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from compiler.graph import Graph
from compiler.weights.fit import Misfit, sentences
from compiler.weights.mapping import WeightMap, load_map, map_names
from compiler.weights.match import Match

MOST = 6
"""Misfits of a kind, and differences of wiring, that text shows; data has them all."""


def as_text(
    graph: Graph, weights: WeightMap, match: Match, wiring: tuple[str, ...], every: bool = False
) -> str:
    """Return the report of a conversion: a line for each stage, or for each tensor."""
    total = len(match.moves) + len(match.made)
    lines = [f"{weights.name} -> {graph.name}", f"  from {weights.source}"]
    lines += _tensors(match) if every else _stages(match)
    lines.append(f"  {len(match.moves)} of {total} tensors matched, each of them once")
    if match.made:
        lines.append(f"  {len(match.made)} batch counters begin at 0, the file has none")
    if any(move.skip for move in match.moves):
        lines.append("  the first row of the classifiers, a background class, is left behind")
    for what, setting, count in _left_out(match):
        lines.append(f"  left out: {what}, {count} tensors (--set {setting} to have them)")
    lines += _wiring(weights, wiring)
    return "\n".join(lines) + "\n"


def refusal(graph: Graph, weights: WeightMap, match: Match, file: str) -> str:
    """Return why a file was not converted: what does not fit, and what to try."""
    wanting = sum(misfit.wanted is not None for misfit in match.misfits)
    total = len(match.moves) + len(match.made) + wanting
    lines = [
        f"{file} does not fit `{graph.name}` by the map {weights.name}, nothing was written: "
        f"{len(match.moves)} of {total} tensors match",
        *sentences(match.misfits, MOST),
        *(f"help: {text}" for text in advice(graph, weights, match)),
    ]
    return "\n  ".join(lines)


def as_data(
    graph: Graph, weights: WeightMap, match: Match, wiring: tuple[str, ...]
) -> dict[str, Any]:
    """Return the report as data: every tensor with its status."""
    rows: list[dict[str, Any]] = [
        {"name": m.name, "source": m.source, "status": "matched", "shape": m.size, "skip": m.skip}
        for m in match.moves
    ]
    rows += [{"name": name, "status": "made", "shape": ()} for name in match.made]
    rows += [
        {"source": m.source, "status": "left out", "found": m.size, "part": m.what}
        for m in match.left_out
    ]
    rows += [_misfit(m) for m in match.misfits]
    return {
        "map": weights.name,
        "spec": graph.name,
        "source": weights.source,
        "layout": weights.layout,
        "classes": weights.classes,
        "matched": len(match.moves),
        "misfits": len(match.misfits),
        "wiring": list(wiring),
        "help": advice(graph, weights, match) if match.misfits else [],
        "tensors": rows,
    }


def _misfit(misfit: Misfit) -> dict[str, Any]:
    return {
        "name": misfit.name,
        "source": misfit.source or None,
        "status": misfit.fault,
        "shape": misfit.wanted,
        "found": misfit.found,
        "message": misfit.sentence,
    }


def _stages(match: Match) -> list[str]:
    """Return a line for each first step of our names."""
    stages: dict[str, int] = {}
    for move in match.moves:
        stage = move.name.partition(".")[0]
        stages[stage] = stages.get(stage, 0) + 1
    width = max(map(len, stages), default=0)
    return [f"    {stage:{width}}  {count:4} tensors" for stage, count in stages.items()]


def _tensors(match: Match) -> list[str]:
    width = max((len(m.source) for m in match.moves), default=0)
    return [
        f"    {m.source:{width}} -> {m.name}  {'x'.join(map(str, m.size)) or 'scalar'}"
        for m in match.moves
    ]


def _left_out(match: Match) -> list[tuple[str, str, int]]:
    """Return (part, setting, tensors), with the setting that the part's classifier tells."""
    parts: dict[str, list[str]] = {}
    for spare in match.left_out:
        parts.setdefault(spare.what, []).append(spare.setting)
    return [(what, settings[0], len(settings)) for what, settings in parts.items()]


def _wiring(weights: WeightMap, wiring: tuple[str, ...]) -> list[str]:
    if not wiring:
        return []
    rest = len(wiring) - MOST
    lines = [
        f"  warning: every tensor fits, but the network is not wired as `{weights.spec}`, so that "
        "the weights may mean something else:",
        *(f"    {text}" for text in wiring[:MOST]),
    ]
    return [*lines, f"    and {rest} more"] if rest > 0 else lines


def advice(graph: Graph, weights: WeightMap, match: Match) -> list[str]:
    """Return what to try where a file does not fit."""
    out = []
    if graph.name != weights.spec.rpartition("/")[2]:
        out.append(f"the map is for `{weights.spec}`, not for `{graph.name}`")
    if not match.moves:
        out += _other_maps(match)
    out += [text for misfit in match.misfits for text in _advice(weights, misfit)]
    return list(dict.fromkeys(out))


def _advice(weights: WeightMap, misfit: Misfit) -> Iterator[str]:
    head = weights.optional.get(misfit.name.rpartition(".")[0])
    if misfit.fault == "classes" and misfit.found and misfit.wanted:
        has_background = misfit.found[0] == misfit.wanted[0] + 1
        other = ", or drop the first row with --drop-background" if has_background else ""
        yield f"keep the file's classes with --set classes={misfit.found[0]}{other}"
    elif misfit.fault == "missing" and head is not None:
        yield f"a file without {head.what} needs --set {head.absent}"
    elif misfit.fault == "missing":
        part = misfit.name.partition(".")[0]
        if part not in {layer.partition(".")[0] for layer in weights.back}:
            yield f"the published network has no `{part}`"


def _other_maps(match: Match) -> Iterator[str]:
    """Yield the maps that know every name of the file."""
    names = [misfit.source or misfit.name for misfit in match.misfits if misfit.found is not None]
    for other in map_names():
        weights = load_map(other)
        if names and all(weights.ours(name) for name in names):
            yield f"the file's names are those of {other}, for `{weights.spec}`"
