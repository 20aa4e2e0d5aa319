"""The layers of a graph: what is matched, each with its operations and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

from compiler.graph import Graph, Input, Node


@dataclass(frozen=True)
class Layers:
    """A graph as layers: a region of several operations, or an operation alone."""

    graph: Graph

    @cached_property
    def of_node(self) -> Mapping[str, str]:
        """Node -> its layer."""
        graph = self.graph
        layers = {m: r.name for r in graph.regions.values() if r.kind == "layer" for m in r.members}
        return {name: layers.get(name, name) for name in graph.nodes}

    @cached_property
    def nodes(self) -> Mapping[str, tuple[Node, ...]]:
        """Layer -> its operations, in the order of execution; inputs are none."""
        out: dict[str, list[Node]] = {}
        for name, node in self.graph.nodes.items():
            if not isinstance(node.op, Input):
                out.setdefault(self.of_node[name], []).append(node)
        return {name: tuple(nodes) for name, nodes in out.items()}

    @cached_property
    def alike(self) -> Mapping[str, str]:
        """Layer -> a text that is the same for layers that compute the same with equal tensors."""
        return {
            name: " ".join(repr(node.op) for node in nodes) + repr([*self.tensors(name).values()])
            for name, nodes in self.nodes.items()
        }

    @cached_property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Layer -> the layers and inputs that it reads, operand by operand."""
        return {
            name: tuple(
                self.of_node[source]
                for node in nodes
                for source in node.inputs
                if self.of_node[source] != name
            )
            for name, nodes in self.nodes.items()
        }

    @cached_property
    def wiring(self) -> nx.DiGraph[str]:
        """The layers as a graph; the attribute `label` says what one computes."""
        out: nx.DiGraph[str] = nx.DiGraph()
        out.add_nodes_from((name, {"label": self.alike[name]}) for name in self.nodes)
        out.add_nodes_from((name, {"label": "input"}) for name in self.graph.inputs)
        out.add_edges_from((source, name) for name in self.nodes for source in self.reads[name])
        return out

    def around(self, layer: str) -> tuple[str, ...]:
        """Return the regions around a layer, innermost first, without the network."""
        around = self.graph.around[self.nodes[layer][0].name]
        return tuple(name for name in around if name not in ("", layer))

    def pattern(self, name: str) -> str:
        """Return a path with `*` for the number of each copy: `b.*.long.conv_7x1`."""
        steps = name.split(".")
        for at in range(1, len(steps)):
            region = self.graph.regions.get(".".join(name.split(".")[:at]))
            if region is not None and region.kind == "repeat" and steps[at].isdigit():
                steps[at] = "*"
        return ".".join(steps)

    def tensors(self, layer: str) -> dict[str, tuple[int, ...]]:
        """Return the parameters and running statistics of a layer: name -> shape."""
        out: dict[str, tuple[int, ...]] = {}
        for node in self.nodes[layer]:
            if node.share:
                continue
            channels = self.graph.input_shapes(node)[0].channels if node.inputs else 0
            shapes = node.op.tensor_shapes(channels if isinstance(channels, int) else 0)
            out |= {f"{node.name}.{name}": shape for name, shape in shapes.items()}
        return out
