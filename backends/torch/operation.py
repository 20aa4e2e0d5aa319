"""One operation as a live module, for targets that have no form of their own for it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from backends.torch.module import build_from_source
from backends.torch.source import emit_source
from compiler.graph import Graph, Node, Output, Region, Shape, connect
from compiler.ops import Input, Op

_NAME = "y"


def build_operation(op: Op, shapes: tuple[Shape, ...], state: Mapping[str, Tensor]) -> nn.Module:
    """Return the module that computes an operation at inference, as emitted source has it.

    Args:
        op: an operation with parameters, or without.
        shapes: what comes in.
        state: its parameters and statistics by their last names, which the module then shares.
    """
    inputs = {f"x{i}": Node(f"x{i}", Input(tuple(s)), (), s) for i, s in enumerate(shapes)}
    nodes = {**inputs, _NAME: Node(_NAME, op, tuple(inputs), op.infer_shape(*shapes))}
    network = Region("", "network", tuple(nodes), (), _NAME, None)
    graph = Graph(
        name="operation",
        title="",
        network=connect(nodes.values()),
        regions={"": network},
        inputs=tuple(inputs),
        outputs=(Output(_NAME, _NAME),),
    )
    module = build_from_source(graph, emit_source(graph), seed=None, device=None)
    tensors = {f"{_NAME}.{part}": tensor for part, tensor in state.items()}
    module.load_state_dict(tensors, strict=False, assign=True)
    return module.eval().requires_grad_(False)
