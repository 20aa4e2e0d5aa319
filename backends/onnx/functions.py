"""Blocks as ONNX functions: one per definition and structure, weights and numbers passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx
from onnx import helper

import backends.onnx.norms
import backends.onnx.ops
import backends.onnx.pools
import backends.onnx.rearrange
from backends.onnx.inference import InferenceGraph
from backends.onnx.names import TensorNames, unused
from backends.onnx.node_builder import NodeBuilder, TensorType, batched, spell
from backends.onnx.sharing import BlockFunction, common, share
from compiler.graph import Info, Node, Region

assert backends.onnx.pools
assert backends.onnx.rearrange
assert backends.onnx.ops  # imported for the spellings that it registers


@dataclass(slots=True)
class FunctionBody:
    """The nodes of a function or of the main graph, and the types of the tensors they make."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    values: dict[str, TensorType] = field(default_factory=dict)


@dataclass(slots=True)
class GraphWriter:
    """Writes bodies, and a function for each structure of each block on the way."""

    plan: InferenceGraph
    domain: str
    opset: int
    ir_version: int
    dtype: int
    _functions: dict[str, BlockFunction] = field(default_factory=dict)
    _names: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def write(self, region: Region, scope: TensorNames) -> FunctionBody:
        """Return the body of a region, its blocks being calls."""
        body = FunctionBody()
        for step in self.plan.steps(region):
            if isinstance(step, Node):
                self._write_node(step, scope, body)
            else:
                self._write_call(step, scope, body)
        return body

    def functions(self, body: FunctionBody) -> list[onnx.FunctionProto]:
        """Return the functions that the main graph calls, the inner ones first; once only."""
        functions = share([*self._functions.values()], body.nodes)
        if self.ir_version >= 10:  # the first with types inside functions
            for function in functions:
                function.proto.value_info.extend(value_infos(function.values))
        return [function.proto for function in functions]

    def _write_node(self, node: Node, scope: TensorNames, body: FunctionBody) -> None:
        operands = self.plan.operands(node)
        builder = NodeBuilder(
            name=scope.tensor(node.name),
            inputs=tuple(scope.tensor(name) for name in operands),
            weights=tuple(scope.weight(node, suffix) for suffix in node.op.parameter_names),
            shapes=tuple(self.plan.graph.nodes[name].shape for name in operands),
            output=node.shape,
            opset=self.opset,
            dtype=self.dtype,
            path=node.name,
            span=node.info.span,
        )
        spell(node.op, builder)
        body.nodes.extend(builder.nodes)
        body.values.update(builder.values)

    def _write_call(self, region: Region, scope: TensorNames, body: FunctionBody) -> None:
        outputs = self.plan.exports[region.name]
        weights = [
            scope.weight(node, suffix)
            for node in self.plan.live_nodes(region)
            for suffix in node.op.parameter_names
        ]
        call = helper.make_node(
            self._function_for(region),
            [*(scope.tensor(name) for name in self.plan.outside(region)), *weights],
            [scope.tensor(name) for name in outputs],
            name=scope.local(region.name),
            domain=self.domain,
            doc_string=describe(region.info),
        )
        body.nodes.append(call)
        body.values.update({scope.tensor(name): self._value(name) for name in outputs})

    def _value(self, name: str) -> TensorType:
        return batched(self.plan.graph.nodes[name].shape, self.dtype)

    def _function_for(self, region: Region) -> str:
        """Return the name of the function that a block instance calls, written if it is new."""
        reads = self.plan.outside(region)
        locals_ = {name: f"in/{i}" if i else "in" for i, name in enumerate(reads)}
        scope = TensorNames(f"{region.name}.", locals_)
        body = self.write(region, scope)
        body.values |= {locals_[name]: self._value(name) for name in reads}
        function = self._function(region, scope, body)
        definition = str(region.definition)
        key = (definition, function.SerializeToString(deterministic=True))
        if key not in self._names:
            function.name = unused(definition, self._functions.__contains__)
            self._names[key] = function.name
            self._functions[function.name] = BlockFunction(definition, function, body.values)
        known = self._functions[self._names[key]]
        known.values = common(known.values, body.values)
        return known.proto.name

    def _function(
        self, region: Region, scope: TensorNames, body: FunctionBody
    ) -> onnx.FunctionProto:
        weights = [
            scope.weight(node, suffix)
            for node in self.plan.live_nodes(region)
            for suffix in node.op.parameter_names
        ]
        outputs = self.plan.exports[region.name]
        imports = {node.domain: 1 if node.domain else self.opset for node in body.nodes}
        definition = self.plan.graph.definitions.get(str(region.definition))
        return helper.make_function(
            self.domain,
            "",
            [*scope.outside.values(), *weights],
            [scope.tensor(name) for name in outputs],
            body.nodes,
            [helper.make_opsetid(domain, version) for domain, version in sorted(imports.items())],
            doc_string=describe(definition.info, definition.title) if definition else None,
        )


def describe(info: Info, title: str = "") -> str:
    """Return a title and the place in the paper, as far as the spec has them."""
    words = title or info.title or ""
    return ", ".join(part for part in (words, str(info.cite or "")) if part)


def value_infos(values: dict[str, TensorType]) -> list[onnx.ValueInfoProto]:
    """Return the types of tensors as ONNX writes them."""
    return [
        helper.make_tensor_value_info(name, value.dtype, list(value.dims))
        for name, value in values.items()
    ]
