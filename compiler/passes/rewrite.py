"""Changes to a graph, collected and then made at once, with the regions kept consistent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from compiler.graph import (
    Border,
    Derivation,
    Graph,
    Node,
    Read,
    Region,
    Zeros,
    borders,
    connect,
    nodes_in,
    regions_around,
)
from compiler.ops import Op


class Rewrite:
    """Edits to one graph: nodes replaced, dropped and inserted, derivations set.

    Nothing happens until `finish`; `graph` stays what it was, so a pass may keep reading it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._nodes: dict[str, Node] = {}
        self._dropped: dict[str, str | None] = {}
        self._inserted: dict[tuple[str, str], list[Node]] = defaultdict(list)
        self._following: dict[tuple[str, str], list[Node]] = defaultdict(list)
        self._derivations: dict[str, Derivation] = {}
        self._redirected: dict[str, str] = {}
        self._moved: set[str] = set()
        self._taken: set[str] = set()

    def fresh(self, base: str) -> str:
        """Return a name for a new node that no node, region or output has: base, base_2, ..."""
        if not self._taken:
            outputs = (output.name for output in self.graph.outputs)
            self._taken.update(self.graph.nodes, self.graph.regions, outputs)
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def set(self, node: Node) -> None:
        """Put `node` in the place of the node of the same name."""
        self._nodes[node.name] = node

    def drop(self, name: str, stand_in: str | None) -> None:
        """Remove a node; who read it reads `stand_in`. None: nobody does any more."""
        self._dropped[name] = stand_in

    def insert(self, node: Node, region: str, before: str) -> None:
        """Add a node to a region, just before its member `before`."""
        self._inserted[region, before].append(node)

    def insert_after(self, node: Node, region: str, after: str) -> None:
        """Add a node to a region, just after its member `after`."""
        self._following[region, after].append(node)

    def move_after(self, node: Node, region: str, after: str) -> None:
        """Put a node elsewhere: into a region, just after its member `after`."""
        self._moved.add(node.name)
        self.insert_after(node, region, after)

    def redirect(self, name: str, to: str) -> None:
        """Let who reads `name` read `to`, save nodes that were `set` or moved."""
        self._redirected[name] = to

    def derive(self, parameter: str, derivation: Derivation) -> None:
        """Say how a parameter of the new graph is made."""
        self._derivations[parameter] = derivation

    def finish(self) -> Graph:
        """Return the changed graph, or the very same one if nothing changed."""
        if not (self._nodes or self._dropped or self._inserted or self._following):
            return self.graph
        regions = {name: self._edit(region) for name, region in self.graph.regions.items()}
        nodes = {node.name: self._reconnect(node) for node in self._walk(regions)}
        regions = _without_hollow(regions, self.graph, nodes)
        outputs = tuple(replace(o, node=self._redirect(o.node)) for o in self.graph.outputs)
        derivations = {**self.graph.derivations, **self._derivations}
        return replace(
            self.graph,
            is_rewritten=True,
            network=connect(nodes.values()),
            regions=refresh_regions(regions, nodes),
            outputs=outputs,
            derivations={k: v for k, v in derivations.items() if k.rpartition(".")[0] in nodes},
        )

    def _resolve(self, name: str) -> str:
        while (stand_in := self._dropped.get(name)) is not None:
            name = stand_in
        return name

    def _redirect(self, name: str) -> str:
        name = self._resolve(name)
        return self._redirected.get(name, name)

    def _edit(self, region: Region) -> Region:
        members: list[str] = []
        for member in region.members:
            members.extend(n.name for n in self._inserted.get((region.name, member), ()))
            if member not in self._dropped and member not in self._moved:
                members.append(member)
            members.extend(n.name for n in self._following.get((region.name, member), ()))
        inputs = tuple(dict.fromkeys(map(self._redirect, region.inputs)))
        output = self._redirect(region.output)
        return replace(region, members=tuple(members), inputs=inputs, output=output)

    def _walk(self, regions: dict[str, Region]) -> Iterator[Node]:
        added = (*self._inserted.values(), *self._following.values())
        new = self._nodes | {node.name: node for nodes in added for node in nodes}
        for name in nodes_in(regions):
            yield new.get(name) or self.graph.nodes[name]

    def _reconnect(self, node: Node) -> Node:
        edited = node.name in self._nodes or node.name in self._moved
        follow = self._resolve if edited else self._redirect
        inputs = tuple(map(follow, node.inputs))
        return node if inputs == node.inputs else replace(node, inputs=inputs)


def _without_hollow(
    regions: dict[str, Region], graph: Graph, nodes: Container[str]
) -> dict[str, Region]:
    """Take out layer regions that lost every node, and regions that are dead throughout."""
    has_nodes = _with_nodes(regions, nodes)
    had_nodes = _with_nodes(graph.regions, graph.nodes)
    gone: set[str] = set()
    for name, region in regions.items():  # outer regions come before inner ones
        passes_on = region.output in nodes and (
            name not in had_nodes or (region.kind != "layer" and region.output in region.inputs)
        )
        if region.parent in gone or not (name == "" or name in has_nodes or passes_on):
            gone.add(name)
    return {
        name: replace(region, members=tuple(m for m in region.members if m not in gone))
        for name, region in regions.items()
        if name not in gone
    }


def _with_nodes(regions: Mapping[str, Region], nodes: Container[str]) -> set[str]:
    """Return the regions that have a node somewhere inside."""
    out: set[str] = set()
    for name in reversed(list(regions)):
        if any(m in out or m in nodes for m in regions[name].members):
            out.add(name)
    return out


def refresh_regions(regions: dict[str, Region], nodes: dict[str, Node]) -> dict[str, Region]:
    """Recompute the inputs and outputs of regions from the edges, keeping the order of inputs."""
    around, found = regions_around(regions), borders(regions, nodes.values())
    return {name: _refresh(region, found[name], around) for name, region in regions.items()}


def _refresh(region: Region, border: Border, around: Mapping[str, tuple[str, ...]]) -> Region:
    output = region.output if region.output in around else border.last
    if region.kind == "network":
        return replace(region, output=output)
    passed_on = {output} if region.name not in around.get(output, ()) else set()
    kept = [i for i in region.inputs if i in border.reads or i in passed_on & around.keys()]
    return replace(region, inputs=tuple(dict.fromkeys([*kept, *border.reads])), output=output)


def parameter(graph: Graph, node: Node, part: str) -> Derivation:
    """Return how a parameter of `node` is made; a bias that the node lacks is zeros."""
    if part == "bias" and not getattr(node.op, "bias", True):
        channels = node.shape.channels
        assert isinstance(channels, int)
        return Zeros(channels)
    name = f"{node.share or node.name}.{part}"
    return graph.derivations.get(name, Read(name))


def shared_nodes(graph: Graph) -> frozenset[str]:
    """Return the nodes whose parameters are used more than once: owners and users."""
    users = [node for node in graph.nodes.values() if node.share]
    return frozenset(name for node in users for name in (node.name, node.share or ""))


def followers(graph: Graph, node: Node, kind: type[Op]) -> Iterator[Node]:
    """Yield the nodes of one kind that follow `node` in a chain without a second reader."""
    while (follower := sole_reader(graph, node.name)) and isinstance(follower.op, kind):
        yield follower
        node = follower


def sole_reader(graph: Graph, name: str) -> Node | None:
    """Return a tensor's only consumer, None if it has others or is an output."""
    readers = graph.consumers[name]
    if len(readers) != 1 or any(o.node == name for o in graph.outputs):
        return None
    return graph.nodes[readers[0]]
