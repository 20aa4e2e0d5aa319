"""The input sizes at which a network fits together, solved from the exact formulas of its sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import lcm
from types import MappingProxyType

from compiler.errors import limit
from compiler.graph import Dim, Graph, Node, Shape, ShapeError, Symbolic, letter, show_sizes
from compiler.graph.residues import Sizes, equal, where_zero
from compiler.ops import Identity, Input
from compiler.ops.merge import Join

MAX_INPUT = 10**6
"""Height and width that an input may have."""

Working = Mapping[str, tuple[Sizes, Sizes]]
"""Input -> the heights and the widths that fit."""


def working_sizes(
    graph: Graph, stated: Mapping[str, Shape] = MappingProxyType({}), alone: str | None = None
) -> Working | None:
    """Return the sizes of the inputs at which every window has room and every join fits.

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
    found = _solved(graph, inputs, stated)
    if found is None or not all(found.values()):
        return None
    return {
        name: (found[height], found[width])
        for name, shape in inputs.items()
        if len(names := _letters(shape)) == 2
        for height, width in (names,)
    } or None


def _solved(
    graph: Graph, inputs: Mapping[str, Shape], stated: Mapping[str, Shape] = MappingProxyType({})
) -> dict[str, Sizes] | None:
    """Return letter -> its values at which a graph with these inputs fits."""
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
    except (ShapeError, _Unsolved):
        return None
    return found


def shapes_near(graph: Graph, *wanted: tuple[int, int]) -> Iterator[dict[str, Shape]]:
    """Yield, for each wanted height and width, shapes of the inputs at which the graph fits.

    Sizes that are left open are as wanted where that fits, else the next that do; numbers stay.
    """
    inputs = {name: graph.nodes[name].shape for name in graph.inputs}
    found = _solved(graph, inputs) or {}
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


class _Unsolved(Exception):
    """A demand that is no bound and no rest of one letter."""


def open_inputs(graph: Graph) -> dict[str, Shape]:
    """Return the inputs' shapes with height and width as letters.

    `H` and `W` for the first map and for those that have its size, else `NAME.H` and `NAME.W`;
    a letter that is there already stays, the multiple of one becomes a letter.
    """
    prefixes: dict[tuple[Dim, ...], str] = {}
    out = {}
    for name in graph.inputs:
        shape = graph.nodes[name].shape
        if len(shape) == 3:
            prefixes.setdefault(shape.grid, f"{name}." if prefixes else "")
        grid = (
            size if _is_letter(size) else letter(prefixes[shape.grid] + axis)
            for size, axis in zip(shape.grid, "HW", strict=False)
        )
        out[name] = Shape((shape.channels, *grid))
    return out


def fitting_inputs(graph: Graph) -> dict[str, Shape]:
    """Return the inputs' shapes with height and width left open as far as the graph fits: `32*H`.

    Plain letters where any size fits, no multiples do, or it cannot be solved.
    """
    inputs = open_inputs(graph)
    found = _solved(graph, inputs) or {}
    factors = {name: sizes.period for name, sizes in found.items() if 0 in sizes.rests}
    return {
        name: Shape(
            d * factors.get(d.letters[0], 1) if isinstance(d, Symbolic) else d for d in shape
        )
        for name, shape in inputs.items()
    }


def _is_letter(size: Dim) -> bool:
    return isinstance(size, Symbolic) and size == letter(size.letters[0])


def _letters(shape: Shape) -> list[str]:
    return [dim.letters[0] for dim in shape.grid if isinstance(dim, Symbolic)]


def _is_broken(node: Node, graph: Graph) -> bool:
    """True for what stands for a layer with faults: nothing is known of what that gives."""
    return isinstance(node.op, Identity) and (node.shape,) != graph.input_shapes(node)


def _demands(node: Node, operands: tuple[Shape, ...]) -> Iterator[tuple[str, Sizes]]:
    """Yield what a node demands of the letters."""
    if isinstance(node.op, Join):
        for dims in node.op.matching(*operands):
            for dim in dims[1:]:
                yield from _alike(dims[0], dim)
    elif operands and not isinstance(node.op, Input):
        for dim, room in zip(operands[0].grid, node.op.least_grid(), strict=False):
            if isinstance(dim, Symbolic):
                yield _roomy(dim, room)


def _given(node: Node, operands: tuple[Shape, ...]) -> Shape:
    """Return what a node gives on sizes that are open, as if its operands fitted."""
    try:
        return (node.op.joined if isinstance(node.op, Join) else node.op.infer_shape)(*operands)
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
        raise _Unsolved
    if both and not sizes.rests:  # other strides: no matter of sizes
        return
    yield difference.letters[0], sizes


@lru_cache(maxsize=4096)
def _roomy(dim: Symbolic, room: int) -> tuple[str, Sizes]:
    """Return the letter of a size and from where on the size is at least `room`.

    No size shrinks where the input grows, so the bound is found by halving.
    """
    if len(dim.letters) != 1:
        raise _Unsolved
    (name,) = dim.letters
    low, high = 0, MAX_INPUT
    if dim.number_at({name: high}) < room:
        raise _Unsolved
    while high - low > 1:
        middle = (low + high) // 2
        if dim.number_at({name: middle}) < room:
            low = middle
        else:
            high = middle
    return name, Sizes(least=high)


def smallest_input(graph: Graph) -> dict[str, tuple[int, int]] | None:
    """Return input name -> least (height, width) at which a network fits, None if not solved."""
    working = working_sizes(graph)
    return least_of(working) if working is not None else None


def least_of(working: Working) -> dict[str, tuple[int, int]]:
    """Return input name -> the least (height, width) that fits; without those of no size."""
    least = {name: [s.near(1)[1] for s in pair] for name, pair in working.items()}
    return {name: (h, w) for name, (h, w) in least.items() if h and w}


def fits(sizes: tuple[Sizes, Sizes], shape: Shape) -> bool:
    """True where the height and width of an input are among those that work."""
    return all(size in good for size, good in zip(shape.grid, sizes, strict=True))


def advice(working: Working, shapes: Mapping[str, Shape]) -> str:
    """Return the sizes that work, in words, and those next to the sizes at hand."""
    texts = dict.fromkeys(_advice(*working[name], shapes[name].grid) for name in working)
    if len(texts) == 1:
        return next(iter(texts))
    return "; ".join(f"`{n}`: {_advice(*working[n], shapes[n].grid)}" for n in working)


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
