"""A file's tensors through a map into a network: what goes where, and what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compiler.weights.fit import Misfit, Size, Sizes, is_counter, misfit
from compiler.weights.mapping import WeightMap


@dataclass(frozen=True, slots=True)
class Move:
    """One tensor that fits: its name here and in the file."""

    name: str
    source: str
    size: Size
    """The network's shape."""
    skip: int = 0
    """Leading rows of the file's tensor that are left behind (a background class)."""


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
    """Every tensor of the file and of the network, each in one of the four lists."""

    moves: tuple[Move, ...]
    made: tuple[str, ...]
    """Batch counters that the file lacks and that begin at 0."""
    left_out: tuple[LeftOut, ...]
    misfits: tuple[Misfit, ...]

    @property
    def is_complete(self) -> bool:
        """Tell whether the network gets all its tensors."""
        return not self.misfits


def match_tensors(
    weights: WeightMap, wanted: Sizes, found: Sizes, drop_background: bool = False
) -> Match:
    """Return where every tensor goes.

    Args:
        weights: the map.
        wanted: the network's tensors (`tensor_sizes`).
        found: the file's tensors under their published names.
        drop_background: leave the first row of the classifiers behind where the file has one
            class more than the network.
    """
    moves: dict[str, Move] = {}
    left_out: list[LeftOut] = []
    misfits: list[Misfit] = []
    present = {name.rpartition(".")[0] for name in wanted}
    for source, size in found.items():
        name = weights.ours(source)
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
            if isinstance(row, Misfit):
                misfits.append(row)
            else:
                moves[name] = row
    placed = {*moves, *(m.name for m in misfits)}
    absent = [name for name in wanted if name not in placed]
    misfits += [
        Misfit(name, "missing", wanted=wanted[name], source=weights.theirs(name) or "")
        for name in absent
        if not is_counter(name)
    ]
    return Match(
        moves=tuple(moves[name] for name in wanted if name in moves),
        made=tuple(name for name in absent if is_counter(name)),
        left_out=tuple(left_out),
        misfits=tuple(misfits),
    )


def _place(
    weights: WeightMap, name: str, source: str, wanted: Size, found: Size, drop: bool
) -> Move | Misfit:
    if found == wanted:
        return Move(name, source, wanted)
    is_head = name.rpartition(".")[0] in weights.heads
    if is_head and found and found[1:] == wanted[1:]:
        if drop and found[0] == wanted[0] + 1:
            return Move(name, source, wanted, skip=1)
        return Misfit(name, "classes", wanted, found, source)
    return replace(misfit(name, wanted, found), source=source)


def _extra(source: str, name: str | None, size: Size) -> Misfit:
    if name is None:
        return Misfit(source, "extra", found=size)
    return Misfit(name, "extra", found=size, source=source)


def _left_out(
    weights: WeightMap, source: str, name: str | None, size: Size, present: set[str]
) -> LeftOut | None:
    layer = (name or "").rpartition(".")[0]
    if layer not in weights.optional:
        return None
    head = weights.optional[layer]
    if any(other in present for other, its in weights.optional.items() if its == head):
        return None
    classes = size[0] if layer in weights.heads and size else "N"
    return LeftOut(source, size, head.what, head.present.replace("{classes}", str(classes)))
