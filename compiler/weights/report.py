"""What became of a file of weights, or why nothing did, as text and as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from compiler.errors import spelled
from compiler.weights.layer_states import LayerState, State, layer_states
from compiler.weights.mapping import WeightMap, load_map, map_names
from compiler.weights.match import Match
from compiler.weights.misfits import Misfit, is_counter, layer_of, sentences

MOST = 6
"""Misfits of a kind, differences of wiring and suspicious values in a text; data has them all."""
MOST_LAYERS = 20
"""Layers of a state that text shows."""


@dataclass(frozen=True)
class WeightsReport:
    """What became of every tensor of a file and of a network; as text, `str(report)`."""

    file: str
    network: str
    """The network's name; empty where it has none."""
    weights: WeightMap | None
    """The map; None where the file has the network's own names."""
    match: Match
    is_partial: bool = False
    """Whether tensors that do not fit may stay behind."""
    wiring: tuple[str, ...] = ()
    """Where the network is not wired as the one that the map is for."""
    values: tuple[str, ...] = ()
    """Suspicious values of loaded tensors: `a.weight: 1 of 9 values is not finite`."""
    unknown: tuple[str, ...] = ()
    """Layers that the map of the network has and the network has not: `fc` goes to `fcc`."""

    @property
    def is_accepted(self) -> bool:
        """Return whether the weights are loaded: all, or in part where that is requested."""
        return self.match.is_complete or (self.is_partial and not self.match.is_empty)

    @cached_property
    def loaded(self) -> tuple[str, ...]:
        """The network's tensors that the file fills."""
        return tuple(move.name for move in self.match.moves)

    @property
    def moved(self) -> tuple[str, ...]:
        """The loaded tensors that `moved` of the spec led to their place."""
        return tuple(move.name for move in self.match.moves if move.was)

    @property
    def differing(self) -> tuple[str, ...]:
        """The network's tensors that the file has in another shape or type; they begin fresh."""
        return tuple(misfit.name for misfit in self.match.differing)

    @property
    def fresh(self) -> tuple[str, ...]:
        """The network's tensors that the file does not have."""
        return self.match.fresh

    @property
    def dropped(self) -> tuple[str, ...]:
        """The file's tensors, by its names, that the network does not have."""
        return self.match.dropped

    @property
    def not_needed(self) -> tuple[str, ...]:
        """The file's tensors, by its names, of layers that a part of the network leaves out."""
        return tuple(name for name, _ in self.match.not_needed)

    @cached_property
    def layers(self) -> tuple[LayerState, ...]:
        """What became of every layer."""
        return layer_states(self.match)

    @property
    def counts(self) -> dict[str, int]:
        """The number of tensors in each state."""
        return {
            "loaded": len(self.loaded),
            "differing": len(self.differing),
            "fresh": len(self.fresh),
            "dropped": len(self.dropped),
        }

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self, every: bool = False) -> str:
        """Return the report: a line for each stage, or with `every` for each tensor and layer."""
        source = self.file if self.weights is None else self.weights.name
        lines = [f"{source} -> {self.network or 'the network'}"]
        if self.weights is not None and self.weights.source:
            lines.append(f"  from {self.weights.source}")
        lines += _tensors(self.match) if every else _stages(self.match)
        lines += self._all() if self.match.is_complete else self._rest(every)
        lines += self._moved(every)
        lines += [*_not_needed(self.match, every), *_left_out(self.match)]
        return "\n".join([*lines, *self.warnings]) + "\n"

    def _all(self) -> list[str]:
        match = self.match
        total = len(match.moves) + len(match.made)
        lines = [f"  {len(match.moves)} of {total} tensors matched, each of them once"]
        if match.made:
            lines.append(f"  {len(match.made)} batch counters begin at 0, the file has none")
        if any(move.skip for move in match.moves):
            lines.append("  the first row of the classifiers, a background class, is left behind")
        return lines

    def _rest(self, every: bool) -> list[str]:
        """Return what is loaded in part: counts of tensors, then the layers of the other states."""
        counts = self.counts
        here = counts["loaded"] + counts["differing"] + counts["fresh"]
        there = counts["loaded"] + counts["differing"] + counts["dropped"] + len(self.not_needed)
        lines = [
            f"  loaded {counts['loaded']} tensors, of {here} in the network and {there} in the file"
        ]
        if self.match.made:
            lines.append(f"  {_count(len(self.match.made), 'batch counter')}: {self._no_counter}")
        titles: dict[State, tuple[str, str]] = {
            "differing": (
                "differs (file -> network) and begins fresh",
                "differ (file -> network) and begin fresh",
            ),
            "fresh": (
                "is not in the file and begins fresh",
                "are not in the file and begin fresh",
            ),
            "dropped": (
                "has no place in the network and is dropped",
                "have no place in the network and are dropped",
            ),
        }
        for state, (of_one, of_many) in titles.items():
            layers = [layer for layer in self.layers if layer.state == state]
            if layers:
                title = of_one if counts[state] == 1 else of_many
                lines.append(f"  {_count(counts[state], 'tensor')} {title}:")
                lines += _layer_lines(layers, len(layers) if every else MOST_LAYERS)
        return lines

    def _moved(self, every: bool) -> list[str]:
        """Return the layers whose tensors followed `moved:`, each with what it was called."""
        layers = [layer for layer in self.layers if layer.was]
        if not layers:
            return []
        count = sum(bool(move.was) for move in self.match.moves)
        names = [replace(layer, tensors=(f"was {layer.was}",)) for layer in layers]
        most = len(names) if every else MOST_LAYERS
        return [
            f"  of the loaded, {_count(count, 'tensor')} moved (`moved:` of the spec):",
            *_layer_lines(names, most),
        ]

    @property
    def _no_counter(self) -> str:
        dropped = [m for m in self.match.misfits if m.wanted is None and is_counter(m.name)]
        return "the file has them for other layers alone" if dropped else "the file has none"

    @property
    def warnings(self) -> list[str]:
        """What is doubtful about weights that fit, in lines: the network's wiring, their values."""
        lines = []
        if self.unknown:
            lines += ["  warning: the map is of another network:"]
            lines += _first(self.unknown)
        if self.wiring and self.weights is not None:
            every = "every tensor fits, but " if self.match.is_complete else ""
            lines.append(
                f"  warning: {every}the network is not wired as `{self.weights.spec}`, so that "
                "the weights may mean something else:"
            )
            lines += _first(self.wiring)
        if self.values:
            lines += ["  warning: values that no training leaves behind:", *_first(self.values)]
        return lines

    def refusal(self, what: str) -> str:
        """Return why nothing was `written` or `loaded`: what does not fit, and what to try."""
        match, by = self.match, f" by the map {self.weights.name}" if self.weights else ""
        network = f"`{self.network}`" if self.network else "the network"
        wanting = sum(misfit.wanted is not None for misfit in match.misfits)
        total = len(match.moves) + len(match.made) + wanting
        lines = [
            f"{self.file} does not fit {network}{by}, nothing was {what}: "
            f"{len(match.moves)} of {total} tensors match",
            *sentences(match.misfits, MOST),
            *(f"help: {text}" for text in self.advice),
        ]
        return "\n  ".join(lines)

    @cached_property
    def advice(self) -> list[str]:
        """What to try where the file does not fit."""
        match, weights, out = self.match, self.weights, []
        is_foreign = len(match.moves) <= len(match.misfits)  # one tensor that differs is no sign
        other = weights is not None and self.network != weights.spec.rpartition("/")[2] != ""
        if is_foreign and other and weights is not None:
            out.append(f"the map is for `{weights.spec}`, not for `{self.network}`")
        if match.is_empty or (is_foreign and weights is None):
            out += _other_maps(match, weights, self.network)
        if self.unknown:
            out += [f"in the map {text.strip()}" for text in _first(self.unknown)]
        if weights is not None:
            out += [text for misfit in match.misfits for text in _advice(weights, misfit)]
        if not match.is_empty and not self.is_partial:
            out.append(f"{spelled('--partial')} takes the {len(match.moves)} tensors that fit")
        return list(dict.fromkeys(out))

    def as_data(self) -> dict[str, Any]:
        """Return the report as data: every tensor with its status."""
        match, weights = self.match, self.weights
        rows: list[dict[str, Any]] = [
            {"name": m.name, "source": m.source, "status": "loaded", "shape": m.size}
            | {"skip": m.skip}
            | ({"was": m.was} if m.was else {})
            for m in match.moves
        ]
        rows += [{"name": name, "status": "made", "shape": ()} for name in match.made]
        rows += [
            {"source": m.source, "status": "left out", "found": m.size, "part": m.what}
            for m in match.left_out
        ]
        rows += [
            {"source": name, "status": "not needed", "found": size}
            for name, size in match.not_needed
        ]
        rows += [_misfit(m) for m in match.misfits]
        return {
            "map": weights and weights.name,
            "spec": self.network,
            "source": weights and weights.source,
            "layout": weights and weights.layout,
            "classes": weights and weights.classes,
            "partial": self.is_partial,
            **self.counts,
            "moved": len(self.moved),
            "not_needed": len(self.not_needed),
            "misfits": len(match.misfits),
            "unknown": list(self.unknown),
            "wiring": list(self.wiring),
            "values": list(self.values),
            "help": [] if self.is_accepted else self.advice,
            "layers": [
                {"name": layer.name, "state": layer.state, "tensors": list(layer.tensors)}
                | ({"was": layer.was} if layer.was else {})
                for layer in self.layers
            ],
            "tensors": rows,
        }


def _first(texts: tuple[str, ...]) -> list[str]:
    """Return the first texts as lines, and how many more there are."""
    rest = len(texts) - MOST
    return [f"    {t}" for t in texts[:MOST]] + ([f"    and {rest} more"] if rest > 0 else [])


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


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


def _layer_lines(layers: list[LayerState], most: int) -> list[str]:
    width = max(len(layer.name) for layer in layers[:most])
    lines = [f"    {layer.name:{width}}  {', '.join(layer.tensors)}" for layer in layers[:most]]
    rest = len(layers) - most
    return [*lines, f"    and {_count(rest, 'more layer')}"] if rest > 0 else lines


def _not_needed(match: Match, every: bool) -> list[str]:
    """Return a line on the tensors of layers that are not built, and a line for each layer."""
    if not match.not_needed:
        return []
    layers: dict[str, list[str]] = {}
    for name, _ in match.not_needed:
        layers.setdefault(layer_of(name), []).append(name.rpartition(".")[2])
    count = len(match.not_needed)
    of = "belongs to a layer that is not built and is"
    if count > 1:
        of = "belong to layers that are not built and are"
    title = f"  {_count(count, 'tensor')} {of} not needed:"
    states = [LayerState(name, "dropped", tuple(parts)) for name, parts in layers.items()]
    return [title, *_layer_lines(states, len(states) if every else MOST)]


def _left_out(match: Match) -> list[str]:
    """Return a line for each optional part, with the setting that its classifier tells."""
    parts: dict[str, list[str]] = {}
    for spare in match.left_out:
        parts.setdefault(spare.what, []).append(spare.setting)
    return [
        f"  left out: {what}, {len(settings)} tensors "
        f"({spelled('--set', settings[0])} to have them)"
        for what, settings in parts.items()
    ]


def _advice(weights: WeightMap, misfit: Misfit) -> Iterator[str]:
    head = weights.optional.get(misfit.name.rpartition(".")[0])
    if misfit.fault == "classes" and misfit.found and misfit.wanted:
        has_background = misfit.found[0] == misfit.wanted[0] + 1
        option = spelled("--drop-background")
        other = f", or drop the first row with {option}" if has_background and option else ""
        classes = f"classes={misfit.found[0]}"
        yield f"keep the file's classes with {spelled('--set', classes)}{other}"
    elif misfit.fault == "missing" and head is not None:
        yield f"a file without {head.what} needs {spelled('--set', head.absent)}"
    elif misfit.fault == "missing":
        part = misfit.name.partition(".")[0]
        if part not in {layer.partition(".")[0] for layer in weights.back}:
            yield f"the published network has no `{part}`"


def _other_maps(match: Match, tried: WeightMap | None, network: str) -> list[str]:
    """Return the maps that have every name of the file; that of the network alone, if it has."""
    names = [m.source or m.name for m in match.misfits if m.found is not None]
    names = [name for name in names if not is_counter(name)]
    maps = [(name, load_map(name)) for name in map_names()]
    fitting = [(n, m) for n, m in maps if names and m != tried and all(map(m.ours, names))]
    own = [(n, m) for n, m in fitting if m.spec.rpartition("/")[2] == network]
    return [
        f"the file's names are those of {name}, for `{weights.spec}`"
        + ("" if tried else f": {spelled('--from', name)} takes them")
        for name, weights in own or fitting
    ]
