"""Nodes in regions: the IR. A block stays a block, a repeat stays a repeat."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Literal

import networkx as nx

from compiler.errors import NOWHERE, Span
from compiler.graph.info import NO_DRAWING, NO_INFO, Cite, Decision, Drawing, Info, Traces
from compiler.graph.op import Op
from compiler.graph.regions import nodes_in, regions_around
from compiler.graph.shapes import Dim, Shape, ShapeError, tally
from compiler.text import Expr, Value

if TYPE_CHECKING:
    from compiler.graph.derivation import Derivation


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. Its name is also the name of the tensor that it makes.

    `inputs` are names of nodes in operand order. `traced` says where attributes
    come from, that are not plain values. `share` names the node whose parameters this one
    uses. `is_stated`: its shape is what the spec says, since an error made it unknown; what is
    computed from it goes by that.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape
    info: Info = NO_INFO
    traced: Traces = field(default_factory=dict)
    share: str | None = None
    is_stated: bool = False

    def formula(self, attribute: str) -> Expr | None:
        """Return the formula that an attribute was written as, None for a plain value."""
        traced = self.traced.get(attribute)
        return traced.formula if traced else None


RegionKind = Literal[
    "network", "block", "repeat", "chain", "branches", "branch", "residual", "layer"
]


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of the graph that the spec wrote as one thing, named by its path.

    kind      what it is                                   members
    network   the whole, name ""                           its layers
    block     an instance of `definition`                  its layers
    repeat    N copies named name.0 ... name.N-1           the copies
    chain     an anonymous sequence                        its layers
    branches  parallel chains and their join               branch regions, then the join node
    branch    one chain of a `branches` or a residual      its layers
    residual  body branch, shortcut branch, add            body, shortcut, [scale], add, [act]
    layer     one layer that needs several nodes           conv, norm, act

    `members` are names of nodes and regions in execution order, and `inputs` the nodes read
    from outside. `output` is the node whose tensor leaves it: for an empty branch or a block
    that does nothing it is one of the inputs. A transparent region (an unnamed `branches`)
    adds nothing to the names of its members, so `name` need not be their prefix.
    """

    name: str
    kind: RegionKind
    members: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    parent: str | None
    info: Info = NO_INFO
    definition: str | None = None
    arguments: Mapping[str, Value] = field(default_factory=dict)
    traced: Traces = field(default_factory=dict)
    """Where the arguments come from."""
    transparent: bool = False
    decisions: tuple[Decision, ...] = ()
    """Of a block and of the network: what was decided inside, in its own names."""
    names: Mapping[str, Decision] = field(default_factory=dict)
    """Of a block and of the network: its `let`, name -> formula and value, in order."""

    @property
    def local_name(self) -> str:
        """The last step of the path."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a block or a network."""

    name: str
    type: str
    default: Value | None = None
    doc: str = ""
    cite: Cite | None = None
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Definition:
    """A block definition as far as the graph's readers need it."""

    name: str
    title: str
    inputs: tuple[str, ...]
    params: tuple[Parameter, ...]
    info: Info
    drawing: Drawing
    draft: Graph | None = None
    """The block as it is defined, for figures: with every layer that some instance leaves out, and
    one copy of what is repeated by a formula. None where every instance has the same layers."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the network; `training_only` outputs are not computed in eval mode."""

    name: str
    node: str
    training_only: bool = False


Returns = Literal["outputs", "last layer", "logits"]
"""Which tensors are outputs: those that the spec lists, its last layer where it lists none, or,
after `take_logits`, the logits that entered the softmax of that last layer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A number or a sentence that somebody published about a network."""

    of: Literal["parameters", "macs", "text"]
    source: str
    value: int | None = None
    text: str = ""
    erratum: str | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: a graph of nodes, regions over them, and what goes in and out.

    `network` is the computation, made by `connect` and frozen; `nodes` and `consumers` read it.
    `regions[""]` is the whole.
    """

    name: str
    title: str
    network: nx.MultiDiGraph[str]
    regions: Mapping[str, Region]
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    params: tuple[Parameter, ...] = ()
    arguments: Mapping[str, Value] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    info: Info = NO_INFO
    drawing: Drawing = NO_DRAWING
    claims: tuple[Claim, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)
    """Path that a layer had in an earlier version -> the path that it has; see `now_called`."""
    returns: Returns = "outputs"
    is_rewritten: bool = False
    """A pass has made other operations of those that the spec has."""
    spec: Graph | None = None
    """The graph as the spec has it, where this one was made from it."""
    derivations: Mapping[str, Derivation] = field(default_factory=dict)
    """Parameter name -> how it is made from the parameters of the graph that the spec
    describes, where a pass changed it; a name without a derivation is the parameter's own."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Tap -> the node that has its tensor, where passes have run since it was named."""

    @property
    def as_written(self) -> Graph:
        """The graph as the spec has it: what figures show and the content hash is of."""
        return self.spec or self

    @cached_property
    def digest(self) -> str:
        """The architecture's identity: a hash of names, operations, edges, shapes and outputs.

        Comments, labels and the layout of the files do not change it.
        """
        from hashlib import sha256  # on use, for start-up time

        out = sha256()
        for node in self.nodes.values():
            line = (node.name, node.op, node.inputs, str(node.shape), node.share)
            out.update(repr(line).encode())
        out.update(repr((self.inputs, self.outputs)).encode())
        return out.hexdigest()

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """Name -> node in execution order; the inputs are among them, with `Input` as their op."""
        return nx.get_node_attributes(self.network, "node")

    @cached_property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """Node name -> names of the nodes that read it, in execution order, once per use."""
        return {
            name: tuple(reader for reader, slots in readers.items() for _ in slots)
            for name, readers in self.network.adjacency()
        }

    def ancestors(self, names: Iterable[str], ends: Iterable[str] = ()) -> set[str]:
        """Return the nodes that some nodes depend on, these included.

        What a node of `ends` reads does not count for it.
        """
        reads = self.network.reverse(copy=False)
        kept = nx.restricted_view(reads, (), reads.edges(ends, keys=True)) if ends else reads
        return set(chain.from_iterable(nx.bfs_layers(kept, set(names))))

    def source(self, name: str, *past: type[Op]) -> Node:
        """Return the node that a tensor comes from, looking through operations of some kinds."""
        node = self.nodes[name]
        while isinstance(node.op, past):
            node = self.nodes[node.inputs[0]]
        return node

    @cached_property
    def around(self) -> Mapping[str, tuple[str, ...]]:
        """Node name -> the regions around it, innermost first."""
        return regions_around(self.regions)

    @cached_property
    def parents(self) -> Mapping[str, str]:
        """Node or region name -> the region that it is a member of; the network has none."""
        return {member: r.name for r in self.regions.values() for member in r.members}

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Return the shapes of the operands of `node`."""
        return tuple(self.nodes[name].shape for name in node.inputs)

    def count_params(self, node: Node) -> Dim:
        """Return the learnable elements that `node` owns; shared ones count at their owner.

        None where a size is unknown, or the count no readable formula.
        """
        if node.share:
            return 0
        try:
            return node.op.count_params(*self.input_shapes(node))
        except ShapeError:
            return None

    def count_buffers(self, node: Node) -> Dim:
        """Return the running statistics that `node` owns; shared ones count at their owner."""
        return 0 if node.share else node.op.count_buffers(*self.input_shapes(node))

    def count_macs(self, node: Node) -> Dim:
        """Return the multiply-accumulates of `node` for one sample (conv and linear).

        A formula where the input is left open, None where a size is unknown or that is too long.
        """
        try:
            return node.op.count_macs(self.input_shapes(node), node.shape)
        except ShapeError:
            return None

    def parameters(self, region: str = "") -> Dim:
        """Return the learnable elements of the network, or of a region."""
        return tally(self.count_params(node) for node in self.nodes_in(region))

    def macs(self, region: str = "") -> Dim:
        """Return the multiply-accumulates of the network for one sample, or of a region."""
        return tally(self.count_macs(node) for node in self.nodes_in(region))

    def buffers(self, region: str = "") -> Dim:
        """Return the running statistics of the network, or of a region."""
        return tally(self.count_buffers(node) for node in self.nodes_in(region))

    @cached_property
    def _inside(self) -> dict[str, tuple[Node, ...]]:
        """Region -> the nodes in it, of those that were asked for."""
        return {}

    def nodes_in(self, region: str) -> tuple[Node, ...]:
        """Return the nodes of a region and of the regions inside it, in execution order."""
        found = self._inside.get(region)
        if found is None:
            found = tuple(self.nodes[name] for name in nodes_in(self.regions, region))
            self._inside[region] = found
        return found

    def tensor(self, name: str) -> Node:
        """Return the node whose tensor a name means: a node's own, or a region's output.

        Raises:
            KeyError: there is no such name.
        """
        if name in self.regions:
            return self.nodes[self.regions[name].output]
        return self.nodes[name]

    def info_of(self, name: str) -> Info:
        """Return the info of a node or a region."""
        return self.regions[name].info if name in self.regions else self.nodes[name].info


def connect(nodes: Collection[Node]) -> nx.MultiDiGraph[str]:
    """Return the graph of nodes that are given in execution order.

    A node's attribute `node` is the payload; an edge leads from a tensor to what reads it, and
    its key is the operand's slot.

    Raises:
        ValueError: a node reads what is not among them.
    """
    network: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    network.add_nodes_from((node.name, {"node": node}) for node in nodes)
    count = len(network)
    for node in nodes:
        for slot, source in enumerate(node.inputs):
            network.add_edge(source, node.name, slot)
    if len(network) > count:
        unknown = list(network)[count]
        reader = next(iter(network.successors(unknown)))
        raise ValueError(f"`{reader}` reads `{unknown}`, which is not in the graph")
    nx.freeze(network)
    return network


def output_name(node: str, taken: Container[str]) -> str:
    """Return the name of an output that has none: its layer's, unless another tensor bears it.

    >>> output_name("a.scale", {"scale", "a.scale"})
    'a_scale'
    """
    local = node.rpartition(".")[2]
    return local if local == node or local not in taken else node.replace(".", "_")
