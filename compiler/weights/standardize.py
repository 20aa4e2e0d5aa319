"""Pictures as they are: mean and deviation go from what feeds a network into the network."""

from __future__ import annotations

from dataclasses import replace

from compiler.errors import UsageError
from compiler.graph import Graph, Node, Traces, connect, verify
from compiler.ops import Standardize
from compiler.passes.rewrite import Rewrite
from compiler.text import Expr
from compiler.weights.mapping import Preprocessing

NAME = "standardize"


def standardize_input(graph: Graph, how: Preprocessing) -> Graph:
    """Return the graph that takes RGB values from 0 to 1 and standardises them itself.

    Parameters and their names stay; numbers: the outputs of the graph for
    `(x - mean) / deviation`. The constants are applied before the padding of a convolution, so
    that they are not folded into it.

    Before:
        %conv = Conv2d(%image) {...} : (N, 32, 149, 149)

    After:
        %standardize = Standardize(%image) {mean=[0.5, ...], ...} : (N, 3, 299, 299)
        %conv = Conv2d(%standardize) {...} : (N, 32, 149, 149)

    Args:
        graph: what `target_graph` returns.
        how: mean and deviation; those of a range to 255 are divided by it.

    Raises:
        UsageError: the network does not take one picture.
    """
    names = ", ".join(f"`{name}` {graph.nodes[name].shape.paper}" for name in graph.inputs)
    (name, *rest) = graph.inputs
    shape = graph.nodes[name].shape
    if rest or len(shape) != 3 or shape[0] != 3:
        raise UsageError(f"`{graph.name}` takes {names}, not one RGB picture to be normalised")
    mean, deviation = (
        tuple(value / how.range for value in values) for values in (how.mean, how.deviation)
    )
    node = Node(_free_name(graph), Standardize(mean, deviation), (name,), shape)
    rewrite = Rewrite(graph)
    rewrite.insert_after(node, "", name)
    rewrite.set(node)
    rewrite.redirect(name, node.name)
    finished = _with_sizes_of(rewrite.finish(), name, node.name)
    # No operation of the spec's is another one, so that its formulas hold.
    made = replace(finished, spec=graph.as_written, is_rewritten=graph.is_rewritten)
    verify(made)
    return made


def _with_sizes_of(graph: Graph, old: str, new: str) -> Graph:
    """Have formulas that read the sizes of a node read those of another one, which has the same."""

    def moved(formula: Expr) -> Expr:
        sizes = {size: new if node == old else node for size, node in formula.sizes.items()}
        return replace(formula, sizes=sizes)

    def moved_all(traces: Traces) -> Traces:
        return {k: replace(t, formula=t.formula and moved(t.formula)) for k, t in traces.items()}

    nodes = {
        node.name: replace(node, traced=moved_all(node.traced)) for node in graph.nodes.values()
    }
    regions = {
        region.name: replace(
            region,
            traced=moved_all(region.traced),
            decisions=tuple(replace(d, formula=moved(d.formula)) for d in region.decisions),
        )
        for region in graph.regions.values()
    }
    return replace(graph, network=connect(nodes.values()), regions=regions)


def with_plain_range(how: Preprocessing) -> Preprocessing:
    """Return how a picture becomes the input of a network that standardises it itself."""
    return replace(how, range=1, mean=(0.0, 0.0, 0.0), deviation=(1.0, 1.0, 1.0))


def _free_name(graph: Graph) -> str:
    used = {*graph.nodes, *graph.regions, *(o.name for o in graph.outputs)}
    tried = (f"{NAME}_{i}" for i in range(2, len(used) + 3))
    return NAME if NAME not in used else next(name for name in tried if name not in used)
