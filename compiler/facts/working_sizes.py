"""The input sizes at which a network fits together, solved from the exact formulas of its sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, lcm
from types import MappingProxyType

from compiler.errors import limit
from compiler.graph import Dim, Graph, Node, Shape, ShapeError, Symbolic, letter, show_sizes
from compiler.graph.residues import Sizes, equal, where_zero
from compiler.graph.symbolic import Exact
from compiler.ops import Identity

MAX_INPUT = 10**6
"""Height and width that an input may have."""


class Working(Mapping[str, tuple[Sizes, Sizes]]):
    """Input -> the heights and the widths that fit.

    `grids` are the height and width of each input as multiples of letters, `letters` what these
    may be. Inputs whose sizes depend on one another are tied: they have one letter, `2*H` and `H`.
    """

    def __init__(
        self, grids: Mapping[str, Shape], letters: Mapping[str, Sizes], are_tied: bool
    ) -> None:
        self.grids, self.letters = grids, letters
        dims = {dim for grid in grids.values() for dim in grid}
        self.are_tied = are_tied or len(dims) > len({name for d in dims for name in _letter(d)})

    def __getitem__(self, name: str) -> tuple[Sizes, Sizes]:
        height, width = map(self._sizes, self.grids[name])
        return height, width

    def _sizes(self, dim: Dim) -> Sizes:
        assert isinstance(dim, Symbolic)
        return self.letters[dim.letters[0]].times(dim.numbers[0])

    def __iter__(self) -> Iterator[str]:
        return iter(self.grids)

    def __len__(self) -> int:
        return len(self.grids)


def working_sizes(
    graph: Graph, stated: Mapping[str, Shape] = MappingProxyType({}), alone: str | None = None
) -> Working | None:
    """Return the sizes of the inputs at which every window fits and so does every join.

    The graph may be a draft that does not fit: its operations are walked with height and width
    of the inputs left open. Windows bound a size from below, joins say which rests it has.
    What no size changes, such as channels that differ, is left out of it. None where it cannot
    be solved: a formula in several letters, a layer of which nothing is known, no size at all.

    Args:
        graph: a graph or a draft.
        stated: grids that nodes are to have too, where their channels are what is stated.
        alone: the one input that changes its size; None: all of them do.
    """
    inputs = open_inputs(graph)
    if alone is not None:
        inputs = {n: s if n == alone else graph.nodes[n].shape for n, s in inputs.items()}
        if not all(shape.is_known for name, shape in inputs.items() if name != alone):
            return None
    own = {x for name in graph.inputs for x in _letters(graph.nodes[name].shape)}
    found, are_tied = _solved(graph, inputs, stated), False
    while isinstance(found, _Tie) and found.multiples.keys() <= own:
        multiples, are_tied = found.multiples, True
        inputs = {
            name: Shape(d.at(multiples) if isinstance(d, Symbolic) else d for d in shape)
            for name, shape in inputs.items()
        }
        found = _solved(graph, inputs, stated)
    grids = {name: Shape(s.grid) for name, s in inputs.items() if len(_letters(s)) == 2}
    if found is None or isinstance(found, _Tie) or not all(found.values()) or not grids:
        return None
    return Working(grids, found, are_tied)


def _solved(
    graph: Graph, inputs: Mapping[str, Shape], stated: Mapping[str, Shape] = MappingProxyType({})
) -> dict[str, Sizes] | _Tie | None:
    """Return letter -> its values at which a graph with these inputs fits; None if not solved."""
    if len(graph.nodes) > limit("solved_operations"):
        return None
    found = {name: Sizes() for shape in inputs.values() for name in _letters(shape)}
    shapes: dict[str, Shape] = {}
    try:
        for node in graph.nodes.values():
            operands = tuple(shapes[name] for name in node.inputs)
            if _is_broken(node, graph):
                return None
            demands = [*_demands(node, operands)]
            shape = inputs.get(node.name) or _given(node, operands)
            if node.name in stated:
                demands += _as_stated(shape, stated[node.name])
            for name, sizes in demands:
                if lcm(found[name].period, sizes.period) > limit("size_classes"):
                    return None
                found[name] = found[name].both(sizes)
            shapes[node.name] = shape
    except _Unsolved as unsolved:
        return unsolved.tie
    except ShapeError:
        return None
    return found


def _solved_apart(graph: Graph, inputs: Mapping[str, Shape]) -> dict[str, Sizes]:
    """Return letter -> its values at which a graph fits, nothing where they depend on others."""
    found = _solved(graph, inputs)
    return found if isinstance(found, dict) else {}


def shapes_near(graph: Graph, *wanted: tuple[int, int]) -> Iterator[dict[str, Shape]]:
    """Yield, for each wanted height and width, shapes of the inputs at which the graph fits.

    Sizes that are left open are as wanted where that fits, else the next that do; numbers stay.
    """
    inputs = {name: graph.nodes[name].shape for name in graph.inputs}
    is_open = any(not isinstance(dim, int) for shape in inputs.values() for dim in shape)
    found = _solved_apart(graph, inputs) if is_open else {}
    for pair in wanted:
        values: dict[str, int] = {}
        for shape in inputs.values():
            for dim, size in zip(shape.grid, pair, strict=False):
                if isinstance(dim, Symbolic):
                    (name,) = dim.letters
                    start = max(1, -(-size // dim.number_at({name: 1})))
                    low, high = found.get(name, Sizes()).near(start)
                    values.setdefault(name, high or low or start)
        yield {
            name: Shape(d.number_at(values) if isinstance(d, Symbolic) else d for d in shape)
            for name, shape in inputs.items()
        }


@dataclass(frozen=True, slots=True)
class _Tie:
    """Two letters that have to grow together: `A` and `B` as `2*A` and `3*A`."""

    multiples: Mapping[str, Exact]


class _Unsolved(Exception):
    """A demand that is no bound and no rest of one letter; perhaps that two are tied."""

    def __init__(self, tie: _Tie | None = None) -> None:
        super().__init__()
        self.tie = tie


def open_inputs(graph: Graph) -> dict[str, Shape]:
    """Return the inputs' shapes with height and width as letters, or multiples of one letter.

    `H` and `W` for the first map and for those that have its size, else `NAME.H` and `NAME.W`; a
    letter that is there already stays. `32*H` alone becomes `H`, `4*H` and `2*H` in two inputs
    `2*H` and `H`.
    """
    shapes = {name: graph.nodes[name].shape for name in graph.inputs}
    common: dict[str, int] = {}
    for dim in (d for shape in shapes.values() for d in shape.grid if isinstance(d, Symbolic)):
        common[dim.letters[0]] = gcd(common.get(dim.letters[0], 0), *dim.numbers)
    prefixes: dict[tuple[Dim, ...], str] = {}
    out = {}
    for name, shape in shapes.items():
        if len(shape) == 3:
            is_first = not prefixes and common.keys().isdisjoint("HW")
            prefixes.setdefault(shape.grid, "" if is_first else f"{name}.")
        grid = (
            size // common[size.letters[0]]
            if isinstance(size, Symbolic)
            else letter(prefixes[shape.grid] + axis)
            for size, axis in zip(shape.grid, "HW", strict=False)
        )
        out[name] = Shape((shape.channels, *grid))
    return out


def fitting_inputs(graph: Graph) -> dict[str, Shape]:
    """Return the inputs' shapes with height and width left open as far as the graph fits: `32*H`.

    Plain letters where any size fits, no multiples do, or it cannot be solved.
    """
    inputs = open_inputs(graph)
    found = _solved_apart(graph, inputs)
    factors = {name: sizes.period for name, sizes in found.items() if 0 in sizes.rests}
    return {
        name: Shape(
            d * factors.get(d.letters[0], 1) if isinstance(d, Symbolic) else d for d in shape
        )
        for name, shape in inputs.items()
    }


def _letter(dim: Dim) -> tuple[str, ...]:
    return dim.letters if isinstance(dim, Symbolic) else ()


def _letters(shape: Shape) -> list[str]:
    return [name for dim in shape.grid for name in _letter(dim)]


def _is_broken(node: Node, graph: Graph) -> bool:
    """True for the placeholder of a layer with faults: its output is unknown."""
    return isinstance(node.op, Identity) and (node.shape,) != graph.input_shapes(node)


def _demands(node: Node, operands: tuple[Shape, ...]) -> Iterator[tuple[str, Sizes]]:
    """Yield what a node demands of the letters."""
    for dims in node.op.matching(*operands):
        for dim in dims[1:]:
            yield from _alike(dims[0], dim)
    if len(operands) == 1:
        for dim, least in zip(operands[0].grid, node.op.least_grid(), strict=False):
            if isinstance(dim, Symbolic):
                yield _reaching(dim, least)


def _given(node: Node, operands: tuple[Shape, ...]) -> Shape:
    """Return the output shape of a node for open sizes, as if its operands fitted."""
    try:
        return node.op.joined(*operands)
    except ShapeError as error:
        if error.code != "symbolic-size":
            raise
        return node.op.known_shape(
            *operands
        )  # a linear layer on a flattened map: any one size does


def _as_stated(shape: Shape, stated: Shape) -> Iterator[tuple[str, Sizes]]:
    if len(shape) == len(stated) and shape.channels == stated.channels:
        for dim, number in zip(shape.grid, stated.grid, strict=True):
            yield from _alike(dim, number)


def _alike(first: Dim, second: Dim) -> Iterator[tuple[str, Sizes]]:
    if first is None or second is None or equal(first, second):
        return
    difference = first - second
    if isinstance(difference, int):
        return
    sizes = where_zero(difference)
    both = isinstance(first, Symbolic) and isinstance(second, Symbolic)
    if sizes is None:
        raise _Unsolved(_tie(difference))
    if both and not sizes.rests:  # other strides: no matter of sizes
        return
    yield difference.letters[0], sizes


def _tie(difference: Symbolic) -> _Tie | None:
    """Return the multiples of one letter that keep the sum of two from growing."""
    if len(difference.letters) != 2 or not difference.is_linear():
        return None
    first, second = difference.letters
    ratio = -difference.slope(second) / difference.slope(first)
    if ratio <= 0:
        return None
    one = letter(min(first, second, key=lambda name: (name not in "HW", name)))
    return _Tie({first: one * ratio.numerator, second: one * ratio.denominator})


@lru_cache(maxsize=4096)
def _reaching(dim: Symbolic, least: int) -> tuple[str, Sizes]:
    """Return the letter of a size and from where on the size is at least `least`.

    No size shrinks where the input grows, so the bound is found by halving.
    """
    if len(dim.letters) != 1:
        raise _Unsolved
    (name,) = dim.letters
    low, high = 0, MAX_INPUT
    if dim.number_at({name: high}) < least:
        raise _Unsolved
    while high - low > 1:
        middle = (low + high) // 2
        if dim.number_at({name: middle}) < least:
            low = middle
        else:
            high = middle
    return name, Sizes(least=high)


def least_of(working: Working) -> dict[str, tuple[int, int]]:
    """Return input name -> the least (height, width) that fits; without those of no size."""
    least = {name: [s.near(1)[1] for s in pair] for name, pair in working.items()}
    return {name: (h, w) for name, (h, w) in least.items() if h and w}


def another_of(working: Working) -> dict[str, tuple[int, int]]:
    """Return input name -> a height and width that fit too, further up and of other rests."""
    values: dict[str, int] = {}
    for place, (name, sizes) in enumerate(working.letters.items()):
        least = sizes.near(1)[1] or 1
        values[name] = sizes.near(least + 7 + 4 * place)[1] or least
    grids = {
        n: [d.number_at(values) for d in g if isinstance(d, Symbolic)]
        for n, g in working.grids.items()
    }
    return {name: (height, width) for name, (height, width) in grids.items()}


def fits(sizes: tuple[Sizes, Sizes], shape: Shape) -> bool:
    """True where the height and width of an input are among those that work."""
    return all(size in good for size, good in zip(shape.grid, sizes, strict=True))


def advice(working: Working, shapes: Mapping[str, Shape]) -> str:
    """Return the sizes that work, in words, and those next to the sizes at hand."""
    if working.are_tied:
        return _tied_words(working)
    texts = dict.fromkeys(_advice(*working[name], shapes[name].grid) for name in working)
    if len(texts) == 1:
        return next(iter(texts))
    return "; ".join(f"`{n}`: {_advice(*working[n], shapes[n].grid)}" for n in working)


def _tied_words(working: Working) -> str:
    """Return the sizes of inputs that depend on one another, as they are written when open.

    Multiples are taken into the form, what else is demanded of the letters stands behind it.
    """
    factors = {x: s.period if 0 in s.rests else 1 for x, s in working.letters.items()}
    multiples = {name: letter(name) * factor for name, factor in factors.items()}
    grids = (
        (d.at(multiples) for d in grid if isinstance(d, Symbolic))
        for grid in working.grids.values()
    )
    forms = [f"`{n}`: {show_sizes(tuple(g))}" for n, g in zip(working, grids, strict=True)]
    rules = [f"{x} is {s.words()}" for x, s in working.letters.items() if 0 not in s.rests]
    least = " and ".join(f"{h}x{w}" for h, w in least_of(working).values())
    is_bound = any((s.near(1)[1] or 0) > s.period for s in working.letters.values())
    where = f" where {' and '.join(rules)}" if rules else ""
    return f"{' and '.join(forms)}{where}, {'from' if is_bound else 'such as'} {least}"


def open_sizes(graph: Graph) -> str:
    """Return which sizes fit where some are left open, in words.

    "" where none is left open, or it cannot be solved.
    """
    names = [n for n in graph.inputs if not graph.nodes[n].shape.is_known]
    working = working_sizes(graph) if names else None
    if working is None:
        return ""
    texts = {name: _words(*working[name]) for name in names if name in working}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"`{name}`: {text}" for name, text in texts.items())


def _words(heights: Sizes, widths: Sizes) -> str:
    if heights == widths:
        return f"heights and widths {_phrase(heights)}"
    return f"heights {_phrase(heights)} and widths {_phrase(widths)}"


def _advice(heights: Sizes, widths: Sizes, grid: tuple[Dim, ...]) -> str:
    text = _words(heights, widths)
    sizes = [d if isinstance(d, int) else 1 for d in grid]
    pairs = [heights.near(sizes[0]), widths.near(sizes[1])]
    near = dict.fromkeys("x".join(str(pair[i] or pair[1 - i]) for pair in pairs) for i in (0, 1))
    return f"{text}, such as {' and '.join(near)}{_open_form(heights, widths, grid)}"


def _open_form(heights: Sizes, widths: Sizes, grid: tuple[Dim, ...]) -> str:
    """Return how open sizes that fit are written, "" where the sizes are numbers or no multiples.

    >>> _open_form(Sizes(32), Sizes(32), (letter("H"), letter("W")))
    ', or 32*Hx32*W where they are left open'
    """
    out: list[Dim] = []
    for sizes, dim in zip((heights, widths), grid, strict=True):
        if isinstance(dim, Symbolic):
            if 0 not in sizes.rests:
                return ""
            out.append(letter(dim.letters[0]) * lcm(sizes.period, *dim.numbers))
        else:
            low, high = sizes.near(dim or 1)
            out.append(high or low)
    is_open = any(isinstance(dim, Symbolic) for dim in grid)
    return f", or {show_sizes(out)} where they are left open" if is_open else ""


def _phrase(sizes: Sizes) -> str:
    words = sizes.words(plural=True)
    text = f"that are {words}" if sizes.rests and words else f"of {words}" if words else ""
    first = sizes.near(1)[1]
    if sizes.rests and first is not None and first > sizes.period:
        text += f"{', ' if text else ''}from {first}"
    return text or "of any size"
