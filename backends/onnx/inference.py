"""What of a graph is in an ONNX file: outputs, live nodes, and the tensors that blocks export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from backends.onnx.node_builder import TRANSPARENT
from compiler.errors import BackendError
from compiler.graph import Graph, Node, Region
from compiler.ops import Input
from compiler.passes.outputs import tap_nodes


@dataclass(frozen=True)
class InferenceGraph:
    """A graph cut down to inference.

    Dropout and identity vanish (`source` sees through them), and so does everything that only
    training needs. Blocks are `Step`s of their own unless `flat`.
    """

    graph: Graph
    outputs: dict[str, str]
    """Name of an output -> the node that makes it."""
    live: frozenset[str]
    exports: dict[str, tuple[str, ...]]
    """Block instance -> names of its nodes that are read outside any instance of its kind."""
    flat: bool

    def source(self, name: str) -> str:
        """Return the node that really makes the tensor called `name`."""
        return self.graph.source(name, *TRANSPARENT).name

    def operands(self, node: Node) -> tuple[str, ...]:
        """Return the inputs of a node, seen through dropout and identity."""
        return tuple(self.source(name) for name in node.inputs)

    def steps(self, region: Region) -> Iterator[Node | Region]:
        """Yield what a function or the main graph runs: live nodes, and blocks as wholes."""
        for name in region.members:
            if name in self.live:
                yield self.graph.nodes[name]
            elif name in self.graph.regions:
                inner = self.graph.regions[name]
                if not self.is_call(inner):
                    yield from self.steps(inner)
                elif any(True for _ in self.live_nodes(inner)):
                    yield inner

    def is_call(self, region: Region) -> bool:
        """True for a block instance that becomes a call of a function."""
        return region.kind == "block" and region.definition is not None and not self.flat

    def live_nodes(self, region: Region) -> Iterator[Node]:
        """Yield the live nodes of a region, in execution order."""
        return (node for node in self.graph.nodes_in(region.name) if node.name in self.live)

    def outside(self, region: Region) -> tuple[str, ...]:
        """Return the tensors that a region reads from outside, in order of first use."""
        inner = {node.name for node in self.live_nodes(region)}
        reads = (name for node in self.live_nodes(region) for name in self.operands(node))
        return tuple(dict.fromkeys(name for name in reads if name not in inner))


def inference_graph(
    graph: Graph, taps: Sequence[str] = (), *, flat: bool = False
) -> InferenceGraph:
    """Decide what of a graph is written.

    Args:
        graph: a graph whose channels are known.
        taps: names of nodes or regions that become outputs too, after the graph's own.
        flat: write every node into the main graph.

    Raises:
        BackendError: a tap is an input.
        UsageError: a tap names nothing.
    """
    outputs = {o.name: o.node for o in graph.outputs if not o.training_only}
    for tap, node in tap_nodes(graph, taps).items():
        if tap in graph.inputs:  # the model's input has that name already
            raise BackendError(f"tap `{tap}` is an input of the network, not a computed tensor")
        outputs[tap] = node
    outputs = {name: graph.source(node, *TRANSPARENT).name for name, node in outputs.items()}
    unwritten = (Input, *TRANSPARENT)
    needed = graph.ancestors(outputs.values())
    live = frozenset(n for n in needed if not isinstance(graph.nodes[n].op, unwritten))
    plan = InferenceGraph(graph, outputs, live, {}, flat)
    return replace(plan, exports=_exports(plan))


def _exports(plan: InferenceGraph) -> dict[str, tuple[str, ...]]:
    """Return the tensors that each block instance exports, the block's own output first.

    Instances of one definition export the same tensors even where only one is tapped, so
    that they stay calls of one function.
    """
    calls = [r for r in plan.graph.regions.values() if plan.is_call(r)]
    wanted: dict[str, set[str]] = {}
    read_by = _readers(plan)
    for region in calls:
        inner = {node.name for node in plan.live_nodes(region)}
        handed = {n for n in inner if n in plan.outputs.values() or not read_by[n] <= inner}
        wanted.setdefault(str(region.definition), set()).update(
            _relative(region, name) for name in handed
        )
    return {r.name: _ordered(plan, r, wanted[str(r.definition)]) for r in calls}


def _readers(plan: InferenceGraph) -> dict[str, set[str]]:
    out: dict[str, set[str]] = {name: set() for name in plan.graph.nodes}
    for name in plan.live:
        for read in plan.operands(plan.graph.nodes[name]):
            out[read].add(name)
    return out


def _ordered(plan: InferenceGraph, region: Region, wanted: set[str]) -> tuple[str, ...]:
    names = [
        node.name for node in plan.live_nodes(region) if _relative(region, node.name) in wanted
    ]
    main = plan.source(region.output)
    return tuple(sorted(names, key=lambda name: name != main))


def _relative(region: Region, name: str) -> str:
    return name.removeprefix(f"{region.name}.")
