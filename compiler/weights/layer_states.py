"""A match by layers: which are loaded, which begin fresh, which are dropped, which differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from compiler.weights.match import Match
from compiler.weights.misfits import is_counter, layer_of, show

State = Literal["loaded", "fresh", "dropped", "differing"]


@dataclass(frozen=True, slots=True)
class LayerState:
    """What became of one layer.

    state   `loaded` from the file; `fresh`: only the network has it; `dropped`: only the file
            has it (then `name` is the file's); `differing`: a tensor has another shape or type
    """

    name: str
    state: State
    tensors: tuple[str, ...]
    """What happened to each tensor, in words: `weight 1000x1536 -> 10x1536`; with its state where
    that is another one than the layer's, `bias loaded`."""
    was: str = ""
    """What the network called the layer before `moved:`, where tensors of it followed that."""


def layer_states(match: Match) -> tuple[LayerState, ...]:
    """Return the state of every layer of the network, then those of the file that are dropped.

    A layer is in the state of its worst tensor. A batch counter that a file lacks decides nothing:
    old ones do.
    """
    here: dict[str, dict[str, tuple[State, str]]] = {}
    for name, state, words in _tensors(match):
        here.setdefault(layer_of(name), {})[name] = state, words
    before = {layer_of(move.name): layer_of(move.was) for move in match.moves if move.was}
    gone: dict[str, list[str]] = {}
    for name in match.dropped:
        gone.setdefault(layer_of(name), []).append(name.rpartition(".")[2])
    return (
        *(_layer(name, tensors, before.get(name, "")) for name, tensors in here.items()),
        *(LayerState(name, "dropped", tuple(parts)) for name, parts in gone.items()),
    )


def _tensors(match: Match) -> Iterator[tuple[str, State, str]]:
    """Yield (our name, state, words) of each tensor of the network."""
    for move in match.moves:
        yield move.name, "loaded", move.name.rpartition(".")[2]
    for misfit in match.differing:
        last = misfit.name.rpartition(".")[2]
        words = f"{show(misfit.found)} -> {show(misfit.wanted)}"
        words += " (transposed)" if misfit.fault == "transposed" else ""
        yield misfit.name, "differing", f"{last} {misfit.type or words}"
    for name in match.fresh:
        yield name, "fresh", name.rpartition(".")[2]


def _layer(name: str, tensors: dict[str, tuple[State, str]], was: str) -> LayerState:
    telling = [s for t, (s, _) in tensors.items() if s == "differing" or not is_counter(t)]
    states = telling or [state for state, _ in tensors.values()]
    order: tuple[State, ...] = ("differing", "fresh", "loaded")
    worst = next(state for state in order if state in states)
    return LayerState(
        name,
        worst,
        tuple(f"{w} {s}" if s not in (worst, "differing") else w for s, w in tensors.values()),
        was,
    )
