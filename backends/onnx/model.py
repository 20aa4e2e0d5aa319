"""Graph -> ONNX model: blocks are functions, repeats are calls, names are the spec's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from backends.onnx.functions import FunctionBody, GraphWriter, value_infos
from backends.onnx.inference import InferenceGraph, inference_graph
from backends.onnx.names import TensorNames
from backends.onnx.node_builder import batched
from backends.open_grid import open_grid
from compiler.errors import BackendError
from compiler.graph import Graph, Node
from compiler.passes.outputs import take_logits

OPSET = 21
"""The first with IR version 10, which has types inside functions; runtimes know it since 2024."""
OPSETS = range(17, 25)
"""Opsets that can be requested."""
DOMAIN = "netdraft"
"""Where the functions live."""


def build_onnx(
    graph: Graph,
    state: Mapping[str, npt.ArrayLike],
    *,
    opset: int = OPSET,
    dynamic_grid: bool = False,
    taps: Sequence[str] = (),
    probabilities: bool = False,
    flat: bool = False,
) -> onnx.ModelProto:
    """Build the inference model of a graph.

    Inputs are `(N, C, H, W)` with a symbolic `N`. Batch normalisation uses its running
    statistics; dropout and what only training needs are left out. Initialisers bear the names
    of `state`, nodes and tensors those of the spec; every block definition is one function, called
    per instance with its weights and with the attributes in which instances differ (a further one
    where an instance has other layers).

    Args:
        graph: a checked graph.
        state: name -> array, as in the `state_dict`; what is not needed is ignored.
        opset: version of the ONNX operators.
        dynamic_grid: leave height and width open too.
        taps: names of nodes, blocks or branches that become outputs after the graph's own.
        probabilities: keep a softmax that ends a network whose spec lists no outputs.
        flat: write every node into the main graph, for readers that know no functions.

    Raises:
        BackendError: the graph or an option cannot be expressed, or a weight is missing.
    """
    if opset not in OPSETS:
        raise BackendError(f"opset {opset} is not in {OPSETS[0]} to {OPSETS[-1]}")
    graph = graph if probabilities else take_logits(graph, taps)
    plan = inference_graph(
        open_grid(graph) if dynamic_grid else graph,
        taps,
        flat=flat,
    )
    weights = _weights(plan, state)
    opsets = [helper.make_opsetid("", opset)]
    ir_version = helper.find_min_ir_version_for(opsets)
    dtype = next(
        (helper.np_dtype_to_tensor_dtype(array.dtype) for array in weights.values()),
        onnx.TensorProto.FLOAT,
    )
    writer = GraphWriter(plan, DOMAIN, opset, ir_version, dtype)
    scope = TensorNames("", {name: name for name in plan.graph.inputs}, plan.outputs)
    body = writer.write(plan.graph.regions[""], scope)
    functions = writer.functions(body)
    if functions:
        opsets.append(helper.make_opsetid(DOMAIN, 1))
    model = helper.make_model(
        _main_graph(plan, body, scope, dtype),
        opset_imports=opsets,
        functions=functions,
        ir_version=ir_version,
        producer_name="netdraft",
    )
    for (node, suffix), array in zip(_read_weights(plan), weights.values(), strict=True):
        name = scope.weight(node, suffix)
        # In place: protobuf copies a message by serialising it, which fails past 2 GB.
        tensor = model.graph.initializer.add(name=name, dims=array.shape, data_type=dtype)
        tensor.raw_data = array.tobytes()
    helper.set_model_props(
        model, {"netdraft.spec": graph.name, "netdraft.digest": graph.as_written.digest}
    )
    return model


def _main_graph(
    plan: InferenceGraph, body: FunctionBody, scope: TensorNames, dtype: int
) -> onnx.GraphProto:
    graph = plan.graph
    inputs = {name: batched(graph.nodes[name].shape, dtype) for name in graph.inputs}
    outputs = {
        name: batched(graph.nodes[made_by].shape, dtype) for name, made_by in plan.outputs.items()
    }
    renamed = [
        helper.make_node(
            "Identity",
            [scope.tensor(made_by)],
            [name],
            name=scope.names.of(("output", name), f"{name}/output"),
        )
        for name, made_by in plan.outputs.items()
        if name != made_by
    ]
    inner = {name: value for name, value in body.values.items() if name not in outputs}
    return helper.make_graph(
        [*body.nodes, *renamed],
        graph.name,
        value_infos(inputs),
        value_infos(outputs),
        value_info=value_infos(inner),
        doc_string=graph.title,
    )


def _weights(
    plan: InferenceGraph, state: Mapping[str, npt.ArrayLike]
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the weights that the live nodes read, each once, in execution order."""
    names = [f"{node.share or node.name}.{suffix}" for node, suffix in _read_weights(plan)]
    missing = [name for name in names if name not in state]
    if missing:
        raise BackendError(
            f"the weights lack {len(missing)} of {len(names)} tensors, first `{missing[0]}`"
        )
    return {name: _little_endian(np.asarray(state[name])) for name in names}


def _read_weights(plan: InferenceGraph) -> list[tuple[Node, str]]:
    """Return the weights that the live nodes read, shared ones once, each with a node."""
    read: dict[tuple[str, str], tuple[Node, str]] = {}
    for node in plan.graph.nodes.values():
        if node.name in plan.live:
            for suffix in node.op.parameter_names:
                read.setdefault((node.share or node.name, suffix), (node, suffix))
    return list(read.values())


def _little_endian(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return an array in the byte order that ONNX prescribes."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False)
