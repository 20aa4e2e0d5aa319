"""The smallest legal input, solved from the exact size formulas of every node."""

from __future__ import annotations

from compiler.graph import Graph
from compiler.ops import Input
from compiler.shapes import SymbolicDim


def smallest_input(graph: Graph) -> dict[str, tuple[int, int]] | None:
    """Return input name -> least (height, width) of a graph whose grids are left open.

    Every window needs at least `Op.least_grid` of its input, and every size is a formula
    `(S + a) // b` in an input size, so each need is a bound on S. None where a size is no such
    formula, or where the bounds of two inputs are tangled.
    """
    letters = {
        dim.symbol: (name, axis)
        for name in graph.inputs
        for axis, dim in enumerate(graph.nodes[name].shape.grid)
        if isinstance(dim, SymbolicDim)
    }
    least = dict.fromkeys(letters, 1)
    for node in graph.nodes.values():
        if isinstance(node.op, Input):
            continue
        if None in node.shape:
            return None
        for source in graph.input_shapes(node)[:1]:
            for dim, room in zip(source.grid, node.op.least_grid(), strict=False):
                if isinstance(dim, SymbolicDim):
                    least[dim.symbol] = max(least[dim.symbol], dim.least(room))
    out: dict[str, list[int]] = {}
    for symbol, (name, _) in letters.items():
        out.setdefault(name, []).append(least[symbol])
    return {name: (sizes[0], sizes[-1]) for name, sizes in out.items()} or None
