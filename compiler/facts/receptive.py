"""Graph -> what each unit of a map sees of the input: how much, from step to step, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, lcm

from compiler.graph import Graph, Input, Op, Reach, Shape, Spread, Window

LONGEST_ROUND = 1024
"""Units of a round that are told apart; more come of upsampling by hundreds again and again."""


@dataclass(frozen=True, slots=True)
class Field:
    """The receptive field of a map along one axis, in input pixels.

    `size` is how many pixels a unit sees, `stride` how far its neighbour's are shifted, `offset`
    the centre of what the first unit sees, where the first pixel is 0. Padding counts as pixels
    around the image, so a field may begin before it. Behind upsampling units differ: `size` is
    the largest and `stride` the mean. `offset` is None where padding depends on an open size, and
    where fields of several inputs differ.
    """

    size: float
    stride: float
    offset: float | None


Fields = tuple[Field, Field]
"""Along the height and the width."""


@dataclass(frozen=True, slots=True)
class _Round:
    """The first and last pixels of a round of units, which repeats `step` pixels further.

    Upsampling by 2 gives two neighbours one field, so a round has two units; without
    upsampling it has one. `placed` tells whether the padding on the way is known.
    """

    spans: tuple[tuple[int, int], ...]
    step: int
    placed: bool = True

    def span(self, unit: int) -> tuple[int, int]:
        """Return the first and the last pixel of a unit, counted from the first of the map."""
        turns, place = divmod(unit, len(self.spans))
        first, last = self.spans[place]
        return first + turns * self.step, last + turns * self.step

    def windowed(self, kernel: int, stride: int, dilation: int, before: int | None) -> _Round:
        """Return what the units behind a window see: from its first unit to its last."""
        units = len(self.spans) // gcd(len(self.spans), stride)
        reach = (kernel - 1) * dilation
        begin = -(reach // 2 if before is None else before)
        starts = range(begin, begin + units * stride, stride)
        spans = tuple((self.span(i)[0], self.span(i + reach)[1]) for i in starts)
        step = self.step * units * stride // len(self.spans)
        return _Round(spans, step, self.placed and before is not None)

    def spread(self, factor: int, begin: int, end: int) -> _Round:
        """Return the fields of a map each of whose units sees those between two of these."""
        count = len(self.spans) * factor
        if count > LONGEST_ROUND:
            last = self.span(len(self.spans) - 1 - (-end // factor))
            return _Round((_around([self.span(begin // factor), last]),), self.step, False)
        spans = []
        for unit in range(count):
            to = (unit + end) // factor
            start = min((unit + begin) // factor, to)  # a kernel less than its stride leaves gaps
            spans.append((self.span(start)[0], self.span(to)[1]))
        return _Round(tuple(spans), self.step, self.placed)

    def centred(self) -> _Round:
        """Return the same with the first unit centred on pixel 0."""
        middle = sum(self.spans[0]) // 2
        spans = tuple((first - middle, last - middle) for first, last in self.spans)
        return _Round(spans, self.step, False)

    def field(self) -> Field:
        """Return the field as it is shown."""
        first, last = self.spans[0]
        whole, rest = divmod(self.step, len(self.spans))
        stride = self.step / len(self.spans) if rest else whole
        size = max(last - first + 1 for first, last in self.spans)
        return Field(size, stride, (first + last) / 2 if self.placed else None)


_Seen = dict[str, tuple[_Round, _Round]]
"""Input -> what a map's units see of it."""


def receptive_fields(graph: Graph) -> dict[str, Fields | None]:
    """Return node -> field; None behind what sees the whole map, and for vectors.

    Where paths meet, the field holds those of all of them that lead to one input; of several
    inputs it is the largest.
    """
    seen: dict[str, _Seen | None] = {}
    for node in graph.nodes.values():
        if isinstance(node.op, Input):
            pixel = _Round(((0, 0),), 1)
            seen[node.name] = {node.name: (pixel, pixel)} if len(node.shape) == 3 else None
            continue
        read = node.inputs[: node.op.computes_with]
        before = [s for i in read if (s := seen[i]) is not None]
        if not before or len(before) < len(read) or len(node.shape) == 1:
            seen[node.name] = None
            continue
        seen[node.name] = _step(node.op, _met(before), graph.input_shapes(node))
    return {name: None if of is None else _shown(of) for name, of in seen.items()}


def _shown(seen: _Seen) -> Fields:
    height, width = (_largest([axes[axis].field() for axes in seen.values()]) for axis in (0, 1))
    return height, width


def _largest(fields: Sequence[Field]) -> Field:
    """Return what is shown of the fields in several inputs."""
    if len(set(fields)) == 1:
        return fields[0]
    return Field(max(f.size for f in fields), max(f.stride for f in fields), None)


def _met(before: Sequence[_Seen]) -> _Seen:
    """Return what the units of a join see: of each input what any of its operands sees."""
    out: _Seen = {}
    for name in dict.fromkeys(name for seen in before for name in seen):
        axes = zip(*(seen[name] for seen in before if name in seen), strict=True)
        height, width = (_joined(rounds) for rounds in axes)
        out[name] = height, width
    return out


def _joined(rounds: Sequence[_Round]) -> _Round:
    """Return what the units of several maps of one size see together.

    Where one map moves on by more pixels than another, the first units are compared.
    """
    if len(set(rounds)) == 1:
        return rounds[0]
    if not all(r.placed for r in rounds):
        rounds = [r.centred() for r in rounds]
    units = lcm(*(len(r.spans) for r in rounds))
    if units > LONGEST_ROUND:
        units, rounds = 1, [_Round((_around(r.spans),), r.step, False) for r in rounds]
    spans = [_around([r.span(unit) for r in rounds]) for unit in range(units)]
    step = max(r.step * (units // len(r.spans)) for r in rounds)
    return _Round(tuple(spans), step, all(r.placed for r in rounds))


def _around(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return min(first for first, _ in spans), max(last for _, last in spans)


def _step(op: Op, seen: _Seen, shapes: Sequence[Shape]) -> _Seen | None:
    match op.sees(*shapes):
        case Spread(factor, begins, ends):
            rows, columns = zip(factor, begins, ends, strict=True)
            return {n: (h.spread(*rows), w.spread(*columns)) for n, (h, w) in seen.items()}
        case Window(kernel, stride, dilation, before):
            height, width = zip(kernel, stride, dilation, before, strict=True)
            return {n: (h.windowed(*height), w.windowed(*width)) for n, (h, w) in seen.items()}
        case Reach.MAP | Reach.ALL:
            return None
    return seen
