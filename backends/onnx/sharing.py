"""Functions of a block that differ in attributes alone become one, called with those."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from onnx import AttributeProto, FunctionProto, NodeProto

from backends.onnx.names import unused
from backends.onnx.node_builder import TensorType


@dataclass(slots=True)
class BlockFunction:
    """A function, the block that it is of, and the types of the tensors inside."""

    definition: str
    proto: FunctionProto
    values: dict[str, TensorType]


@dataclass(slots=True)
class Shared:
    """Functions made one, and how each of the former ones is called now."""

    functions: list[BlockFunction] = field(default_factory=list)
    calls: dict[str, tuple[str, list[AttributeProto]]] = field(default_factory=dict)
    """Former name -> the name of today and the attributes that it is called with."""

    def take(self, functions: Sequence[BlockFunction]) -> None:
        """Add all functions of one block; those that they call are here already."""
        groups: dict[bytes, list[BlockFunction]] = {}
        for function in functions:
            self.call(function.proto.node)
            groups.setdefault(_without_values(function.proto), []).append(function)
        for group in groups.values():
            self._merge(group)

    def call(self, nodes: Iterable[NodeProto]) -> None:
        """Have nodes call the functions of today."""
        for node in nodes:
            if node.domain and node.op_type in self.calls:
                node.op_type, attributes = self.calls[node.op_type]
                node.attribute.extend(attributes)

    def _merge(self, group: Sequence[BlockFunction]) -> None:
        first = group[0]
        former = [function.proto.name for function in group]
        names = {function.proto.name for function in self.functions}
        given: list[list[AttributeProto]] = [[] for _ in group]
        for number, node in enumerate(first.proto.node):
            for place, attribute in enumerate(node.attribute):
                there = [f.proto.node[number].attribute[place] for f in group]
                if any(other != attribute for other in there):
                    name = _parameter(first.proto, node, attribute.name)
                    for arguments, value in zip(given, there, strict=True):
                        arguments.append(_renamed(value, name))
                    _read_instead(attribute, name)
                    first.proto.attribute.append(name)
        for function in group[1:]:
            first.values = common(first.values, function.values)
        first.proto.name = unused(first.definition, names.__contains__)
        self.functions.append(first)
        for name, arguments in zip(former, given, strict=True):
            self.calls[name] = (first.proto.name, arguments)


def share(functions: Sequence[BlockFunction], nodes: Iterable[NodeProto]) -> list[BlockFunction]:
    """Return the functions as few as they can be, the inner ones first.

    Attributes in which functions of one block differ become attributes of the one function.

    Args:
        functions: one for each structure and each set of numbers of a block, inner ones first.
        nodes: those of the main graph, which are made to call what is returned.
    """
    block_of = {function.proto.name: function.definition for function in functions}
    depths: dict[str, int] = {}
    for function in functions:
        inner = (block_of[n.op_type] for n in function.proto.node if n.domain)
        depth = 1 + max((depths[block] for block in inner), default=0)
        depths[function.definition] = max(depth, depths.get(function.definition, 0))
    shared = Shared()
    for block in sorted(depths, key=depths.__getitem__):
        shared.take([function for function in functions if function.definition == block])
    shared.call(nodes)
    return shared.functions


def common(first: dict[str, TensorType], second: dict[str, TensorType]) -> dict[str, TensorType]:
    """Return the types with every dimension in which two instances differ left open.

    What is a map in one of them and a vector in the other has no type in common.
    """
    pairs = [(name, value, second[name].dims) for name, value in first.items() if name in second]
    return {
        name: TensorType(
            value.dtype,
            tuple(a if a == b else None for a, b in zip(value.dims, dims, strict=True)),
        )
        for name, value, dims in pairs
        if len(value.dims) == len(dims)
    }


def _without_values(function: FunctionProto) -> bytes:
    """Return a function as bytes, but its name and what its attributes are: the structure."""
    bare = FunctionProto()
    bare.CopyFrom(function)
    bare.name = ""
    for node in bare.node:
        for attribute in node.attribute:
            attribute.CopyFrom(AttributeProto(name=attribute.name, type=attribute.type))
    return bytes(bare.SerializeToString(deterministic=True))


def _parameter(function: FunctionProto, node: NodeProto, attribute: str) -> str:
    """Return the name of a function's attribute: `conv_3x3_strides` for that of a node."""
    taken = set(function.attribute)
    path = re.sub(r"\W", "_", node.name)
    return unused(f"{path}_{attribute}", taken.__contains__)


def _renamed(attribute: AttributeProto, name: str) -> AttributeProto:
    out = AttributeProto()
    out.CopyFrom(attribute)
    out.name = name
    return out


def _read_instead(attribute: AttributeProto, name: str) -> None:
    """Make an attribute of a node one that the function is called with."""
    attribute.CopyFrom(AttributeProto(name=attribute.name, type=attribute.type, ref_attr_name=name))
