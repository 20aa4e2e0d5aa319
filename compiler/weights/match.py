"""A file's tensors and a network's: what goes where, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from compiler.errors import did_you_mean
from compiler.graph import Graph, now_called
from compiler.weights.mapping import WeightMap
from compiler.weights.misfits import Misfit, Size, Sizes, is_counter, is_reshaped, layer_of, misfit
from compiler.weights.sizes import tensor_sizes


@dataclass(frozen=True, slots=True)
class Move:
    """One tensor that fits: its name here and in the file."""

    name: str
    source: str
    size: Size
    """The network's shape."""
    skip: int = 0
    """Leading rows of the file's tensor that are skipped (a background class)."""
    was: str = ""
    """What the network called the tensor before `moved:`, where it has been moved."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A tensor of an optional part that the network does not have."""

    source: str
    size: Size
    what: str
    setting: str
    """The setting with which the network has it."""


@dataclass(frozen=True, slots=True)
class Match:
    """Every tensor of the file and of the network, each in one of the five lists."""

    moves: tuple[Move, ...]
    made: tuple[str, ...]
    """Batch counters that the file lacks and that begin at 0."""
    left_out: tuple[LeftOut, ...]
    misfits: tuple[Misfit, ...]
    not_needed: tuple[tuple[str, Size], ...] = ()
    """Names in the file and shapes of what belongs to layers that a part of a network lacks."""

    @property
    def is_complete(self) -> bool:
        """Tell whether the network gets all its tensors, and the file has no others."""
        return not self.misfits

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing fits but counters of batches, if these."""
        return all(is_counter(move.name) for move in self.moves)

    @property
    def fresh(self) -> tuple[str, ...]:
        """Names of the network's tensors that the file does not have."""
        return (*(m.name for m in self.misfits if m.found is None), *self.made)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names, in the file, of its tensors that have no place in the network."""
        extra = (m.source or m.name for m in self.misfits if m.wanted is None)
        return (*extra, *(spare.source for spare in self.left_out))

    @property
    def differing(self) -> tuple[Misfit, ...]:
        """The tensors that both have, in another shape or type."""
        return tuple(m for m in self.misfits if m.wanted is not None and m.found is not None)


_NOTHING: Mapping[str, str] = MappingProxyType({})


def match_tensors(
    weights: WeightMap | None,
    wanted: Sizes,
    found: Sizes,
    drop_background: bool = False,
    types: Mapping[str, str] = _NOTHING,
    whole: Mapping[str, str] = _NOTHING,
    moved: Mapping[str, str] = _NOTHING,
) -> Match:
    """Return where every tensor goes.

    Args:
        weights: the map; None: the file has the network's own names.
        wanted: the network's tensors (`tensor_sizes`).
        found: the file's tensors under their published names.
        drop_background: skip the first row of the classifiers where the file has one
            class more than the network.
        types: the types of the file's tensors, such as `float16`; those that it does not name fit.
        whole: of a part of a network: the tensors of the whole -> what the part calls them, or
            their own names where it does not have them.
        moved: what layers were called in an earlier version -> what they are called.
    """
    moves: dict[str, Move] = {}
    left_out: list[LeftOut] = []
    misfits: list[Misfit] = []
    not_needed: list[tuple[str, Size]] = []
    present = {layer_of(name) for name in (*wanted, *whole)}
    for source, size in found.items():
        name = source if weights is None else weights.ours(source)
        was = ""
        if moved and name is not None and name not in wanted and name not in whole:
            was, name = _moved(name, moved)
        if name is not None and name in whole:
            name = whole[name]
            if name not in wanted:
                not_needed.append((source, size))
                continue
        if name is None or name not in wanted:
            spare = _left_out(weights, source, name, size, present)
            if spare is None:
                misfits.append(_extra(source, name, size))
            else:
                left_out.append(spare)
        elif name in moves:
            misfits.append(Misfit(name, "extra", found=size, source=source))
        else:
            row = _place(weights, name, source, wanted[name], size, drop_background)
            if isinstance(row, Move) and not _is_convertible(name, types.get(source, "")):
                row = Misfit(name, "type", row.size, size, _other(source, name), types[source])
            if isinstance(row, Misfit):
                misfits.append(row)
            else:
                moves[name] = replace(row, was=was)
    placed = {*moves, *(m.name for m in misfits)}
    absent = [name for name in wanted if name not in placed]
    misfits += [
        Misfit(name, "missing", wanted=wanted[name], source=_their_name(weights, name))
        for name in absent
        if not is_counter(name)
    ]
    return Match(
        moves=tuple(moves[name] for name in wanted if name in moves),
        made=tuple(name for name in absent if is_counter(name)),
        left_out=tuple(left_out),
        misfits=tuple(misfits),
        not_needed=tuple(not_needed),
    )


def unknown_layers(weights: WeightMap, tensors: Iterable[str]) -> tuple[str, ...]:
    """Return the layers that a map has and its network has not: ours, with the nearest that is.

    Args:
        weights: the map.
        tensors: names of the network's tensors.
    """
    names = tuple(tensors)
    present = dict.fromkeys((*map(layer_of, names), *names))
    free = [layer for layer in present if layer not in weights.back]
    return tuple(
        f"`{theirs}` goes to `{ours}`, which the network does not have{did_you_mean(ours, free)}"
        for theirs, ours in weights.layers.items()
        if ours not in present and ours not in weights.optional
    )


def names_in_part(graph: Graph, wanted: Iterable[str]) -> dict[str, str]:
    """Return every tensor of a network -> its name in a part of it, for `match_tensors`.

    Where layers share parameters and the first of them is not built, they are another one's there.

    Args:
        graph: the whole network.
        wanted: the tensors of the part.
    """
    names = {name: name for name in tensor_sizes(graph)}
    for name in wanted:
        layer, _, leaf = name.rpartition(".")
        node = graph.nodes.get(layer)
        if node is not None and node.share is not None:
            names[f"{node.share}.{leaf}"] = name
    return names


def _moved(name: str, moved: Mapping[str, str]) -> tuple[str, str]:
    """Return a tensor's name before it was moved, empty where it was not, and its name now."""
    now = now_called(name, moved)
    return (name if now != name else ""), now


def _is_convertible(name: str, type: str) -> bool:
    """Return whether a type converts to a tensor's: any float for any float, counts for counts."""
    is_float = type.startswith(("float", "bfloat"))
    return not type or is_float != is_counter(name)


def _other(source: str, name: str) -> str:
    """Return the name in the file where it is another one than ours."""
    return "" if source == name else source


def _their_name(weights: WeightMap | None, name: str) -> str:
    return _other((weights.theirs(name) or "") if weights is not None else "", name)


def _place(
    weights: WeightMap | None, name: str, source: str, wanted: Size, found: Size, drop: bool
) -> Move | Misfit:
    if found == wanted or (weights is not None and is_reshaped(wanted, found)):
        return Move(name, source, wanted)
    is_head = weights is not None and layer_of(name) in weights.heads
    if is_head and found and found[1:] == wanted[1:]:
        if drop and found[0] == wanted[0] + 1:
            return Move(name, source, wanted, skip=1)
        return Misfit(name, "classes", wanted, found, _other(source, name))
    return replace(misfit(name, wanted, found), source=_other(source, name))


def _extra(source: str, name: str | None, size: Size) -> Misfit:
    if name is None:
        return Misfit(source, "extra", found=size)
    return Misfit(name, "extra", found=size, source=_other(source, name))


def _left_out(
    weights: WeightMap | None, source: str, name: str | None, size: Size, present: set[str]
) -> LeftOut | None:
    layer = layer_of(name or "")
    if weights is None or layer not in weights.optional:
        return None
    head = weights.optional[layer]
    if any(other in present for other, its in weights.optional.items() if its == head):
        return None
    classes = size[0] if layer in weights.heads and size else "N"
    return LeftOut(source, size, head.what, head.present.replace("{classes}", str(classes)))
