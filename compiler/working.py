"""The input sizes at which a network fits together, solved from the exact formulas of its sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import lcm

from compiler.graph import Graph, Node
from compiler.limits import limit
from compiler.ops import Identity, Input
from compiler.ops.merge import Join
from compiler.residues import Sizes, equal, where_zero
from compiler.shapes import Dim, Shape, ShapeError
from compiler.symbolic import Symbolic, letter

MAX_INPUT = 10**6
"""Height and width that an input may have."""

Working = Mapping[str, tuple[Sizes, Sizes]]
"""Input -> the heights and the widths that fit."""


def working_sizes(graph: Graph) -> Working | None:
    """Return the sizes of the inputs at which every window has room and every join fits.

    The graph may be a draft that does not fit: its operations are walked with height and width
    of the inputs left open. Windows bound a size from below, joins say which rests it has.
    What no size changes, such as channels that differ, is left out of it. None where it cannot
    be solved: a formula in several letters, a layer of which nothing is known, no size at all.
    """
    if len(graph.nodes) > limit("solved_operations"):
        return None
    inputs = open_inputs(graph)
    found = {name: Sizes() for shape in inputs.values() for name in _letters(shape)}
    shapes: dict[str, Shape] = {}
    try:
        for node in graph.nodes.values():
            operands = tuple(shapes[name] for name in node.inputs)
            if _is_broken(node, graph):
                return None
            for name, sizes in _demands(node, operands):
                if lcm(found[name].period, sizes.period) > limit("size_classes"):
                    return None
                found[name] = found[name].both(sizes)
            joined = node.op.joined if isinstance(node.op, Join) else node.op.infer_shape
            shapes[node.name] = inputs.get(node.name) or joined(*operands)
    except (ShapeError, _Unsolved):
        return None
    if not all(found.values()):
        return None
    return {
        name: (found[height], found[width])
        for name, shape in inputs.items()
        if len(names := _letters(shape)) == 2
        for height, width in (names,)
    } or None


class _Unsolved(Exception):
    """A demand that is no bound and no rest of one letter."""


def open_inputs(graph: Graph) -> dict[str, Shape]:
    """Return the inputs' shapes with height and width as letters.

    `H` and `W` for the first map and for those that have its size, else `NAME.H` and `NAME.W`;
    a letter that is there already stays.
    """
    prefixes: dict[tuple[Dim, ...], str] = {}
    out = {}
    for name in graph.inputs:
        shape = graph.nodes[name].shape
        if len(shape) == 3:
            prefixes.setdefault(shape.grid, f"{name}." if prefixes else "")
        grid = (
            size if isinstance(size, Symbolic) else letter(prefixes[shape.grid] + axis)
            for size, axis in zip(shape.grid, "HW", strict=False)
        )
        out[name] = Shape((shape.channels, *grid))
    return out


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


def _alike(first: Dim, second: Dim) -> Iterator[tuple[str, Sizes]]:
    if first is None or second is None or equal(first, second):
        return
    difference = first - second
    if isinstance(difference, int):
        return
    sizes = where_zero(difference)
    both = isinstance(first, Symbolic) and isinstance(second, Symbolic)
    if sizes is None or (both and not sizes.rests):  # other strides: no matter of sizes
        raise _Unsolved
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
    if working is None:
        return None
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


def _advice(heights: Sizes, widths: Sizes, grid: tuple[Dim, ...]) -> str:
    if heights == widths:
        text = f"heights and widths {_phrase(heights)}"
    else:
        text = f"heights {_phrase(heights)} and widths {_phrase(widths)}"
    sizes = [d if isinstance(d, int) else 1 for d in grid]
    pairs = [heights.near(sizes[0]), widths.near(sizes[1])]
    near = dict.fromkeys("x".join(str(pair[i] or pair[1 - i]) for pair in pairs) for i in (0, 1))
    return f"{text}, such as {' and '.join(near)}"


def _phrase(sizes: Sizes) -> str:
    words = sizes.words(plural=True)
    text = f"that are {words}" if sizes.rests and words else f"of {words}" if words else ""
    first = sizes.near(1)[1]
    if sizes.rests and first is not None and first > sizes.period:
        text += f"{', ' if text else ''}from {first}"
    return text or "of any size"
