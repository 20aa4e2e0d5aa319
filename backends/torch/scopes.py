"""Graph -> scopes: which stretches of it become a class, a sequence, a group or a layer unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from backends.torch.ops import has_module
from compiler.graph import Graph, Node, Region
from compiler.ops import Activation, Conv2d, ConvTranspose2d, Input, Linear, Norm
from compiler.text.module_names import CONTAINER_NAMES

ScopeForm = Literal["class", "unit", "chain", "sequence", "list", "group"]
"""How a scope is written.

class     an instance of a class of its own           InceptionA(384)
unit      convolution or linear, norm, activation     ConvNormReLU(64, 96, 3)
chain     one layer after the other                   chain(conv_1x1=..., conv_3x3=...)
sequence  copies one after the other                  nn.Sequential(*(InceptionA(384) for ...))
list      copies that are called one by one           nn.ModuleList([...])
group     layers that are called one by one           group(conv_1x1=..., wide=..., tall=...)
"""


@dataclass(slots=True)
class ModuleScope:
    """A region whose name is a step of its members' names; transparent regions are dissolved.

    `inputs` are the nodes outside that it reads, `exports` the nodes inside that are read
    outside or are outputs of the network; the region's own output comes first.
    """

    region: Region
    local: str
    items: list[Node | ModuleScope] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    form: ScopeForm = "group"

    @property
    def name(self) -> str:
        """The path."""
        return self.region.name

    @property
    def is_callable(self) -> bool:
        """True when a parent computes it in one call."""
        return self.form not in ("list", "group")

    @property
    def is_unary(self) -> bool:
        """True for one tensor in and one tensor out."""
        return self.is_callable and len(self.inputs) == 1 and len(self.exports) == 1

    def all_scopes(self) -> Iterator[ModuleScope]:
        """Yield this scope and those inside it."""
        yield self
        for item in self.items:
            if isinstance(item, ModuleScope):
                yield from item.all_scopes()

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes inside, in execution order."""
        for item in self.items:
            if isinstance(item, Node):
                yield item
            else:
                yield from item.nodes()


def build_scopes(graph: Graph, outputs: Sequence[str]) -> ModuleScope:
    """Return the root scope of a graph.

    Args:
        graph: a checked graph.
        outputs: nodes whose tensors are outputs of the network.
    """
    root = ModuleScope(graph.regions[""], "")
    paths: dict[str, tuple[ModuleScope, ...]] = {}
    _fill(graph, root, root.region, (root,), paths)
    _find_edges(graph, paths, outputs)
    for scope in _inside_out(root):
        scope.exports.sort(key=lambda n, s=scope: n != s.region.output)  # type: ignore[misc]
        _order_inputs(scope)
        scope.form = _form(scope)
    root.form = "class"
    _settle(root)
    return root


def _fill(
    graph: Graph,
    scope: ModuleScope,
    region: Region,
    path: tuple[ModuleScope, ...],
    paths: dict[str, tuple[ModuleScope, ...]],
) -> None:
    for member in region.members:
        if member not in graph.regions:
            node = graph.nodes[member]
            paths[member] = path
            if not isinstance(node.op, Input):
                scope.items.append(node)
        elif graph.regions[member].transparent:
            _fill(graph, scope, graph.regions[member], path, paths)
        else:
            inner = ModuleScope(graph.regions[member], local_name(member, scope.name))
            _fill(graph, inner, inner.region, (*path, inner), paths)
            if inner.items:  # else nothing is computed in it, nor in what is inside it
                scope.items.append(inner)


def local_name(name: str, scope: str) -> str:
    """Return a name relative to the scope that encloses it.

    What a pass has moved out of its layer keeps the layer's name, as `conv_1x1_conv`; what it
    has moved in from elsewhere has the last step of its own.
    """
    inside = not scope or name.startswith(f"{scope}.")
    rest = name[len(scope) + 1 if scope else 0 :] if inside else name.rpartition(".")[2]
    return rest.replace(".", "_")


def _find_edges(
    graph: Graph, paths: dict[str, tuple[ModuleScope, ...]], outputs: Sequence[str]
) -> None:
    """Record the inputs and exports of every scope."""
    root = next(iter(paths.values()))[:1]
    pairs = [(i, n.name) for n in graph.nodes.values() for i in n.inputs]
    for source, reader in [*pairs, *((name, "") for name in outputs)]:
        origin, target = paths.get(source, root), paths.get(reader, root)
        shared = sum(1 for a, b in zip(origin, target, strict=False) if a is b)
        for scope in origin[shared:]:
            if source not in scope.exports:
                scope.exports.append(source)
        for scope in target[shared:]:
            if source not in scope.inputs:
                scope.inputs.append(source)


def _order_inputs(scope: ModuleScope) -> None:
    """Put the inputs in the region's order, which is that of a block's declared inputs."""
    order = {name: i for i, name in enumerate(scope.region.inputs)}
    scope.inputs.sort(key=lambda name: order.get(name, len(order)))


def _inside_out(scope: ModuleScope) -> Iterator[ModuleScope]:
    for item in scope.items:
        if isinstance(item, ModuleScope):
            yield from _inside_out(item)
    yield scope


def _form(scope: ModuleScope) -> ScopeForm:
    if _shares_outside(scope):
        return "list" if scope.region.kind == "repeat" else "group"
    if scope.region.kind == "repeat":
        return _form_of_copies(scope)
    if scope.region.kind == "block":
        return "class"
    if not is_chain(scope):
        return "group"
    return "unit" if _is_unit(scope) else "chain"


def _form_of_copies(scope: ModuleScope) -> ScopeForm:
    for copy in scope.items:
        if isinstance(copy, ModuleScope) and copy.form == "group" and not _shares_outside(copy):
            copy.form = "class"
    return "sequence" if is_chain(scope) else "list"


def _shares_outside(scope: ModuleScope) -> bool:
    """True when a layer inside uses parameters of one outside, which a class cannot reach."""
    prefix = f"{scope.name}."
    return bool(scope.name) and any(
        n.share and not n.share.startswith(prefix) for n in scope.nodes()
    )


def is_chain(scope: ModuleScope) -> bool:
    """True when every item reads the one before and nothing else, and only the last is exported."""
    if len(scope.inputs) != 1:
        return False
    tensor = scope.inputs[0]
    for item in scope.items:
        local = local_name(item.name, scope.name)
        if local in CONTAINER_NAMES:
            return False
        if isinstance(item, ModuleScope):
            if not item.is_unary or item.inputs != [tensor]:
                return False
            tensor = item.exports[0]
        else:
            if item.share or item.inputs != (tensor,) or is_join(item):
                return False
            tensor = item.name
    return scope.exports == [tensor]


def is_join(node: Node) -> bool:
    """True for what is a line of a forward pass alone: operations on several tensors."""
    return not has_module(node.op)


def _is_unit(scope: ModuleScope) -> bool:
    """True for a convolution or linear layer with the norm and activation that follow it."""
    if scope.region.kind != "layer":
        return False
    ops = [i.op for i in scope.items if isinstance(i, Node)]
    if len(ops) != len(scope.items) or not isinstance(ops[0], (Conv2d, ConvTranspose2d, Linear)):
        return False
    rest = ops[1:]
    if rest and isinstance(rest[0], Norm):
        rest = rest[1:]
    return not rest or (len(rest) == 1 and isinstance(rest[0], Activation))


def _settle(scope: ModuleScope, depth: int = 0) -> None:
    """Make a class of every group that is nested too deeply.

    Only groups and lists directly in a class can be called layer by layer, as in
    `self.stem["conv"](x)`.
    """
    for item in scope.items:
        if not isinstance(item, ModuleScope):
            continue
        if item.form == "group" and not _shares_outside(item):
            holds_list = any(isinstance(i, ModuleScope) and i.form == "list" for i in item.items)
            if holds_list or depth > 0:
                item.form = "class"
        _settle(item, 0 if item.is_callable else depth + 1)
