"""Graphs of a few nodes and random weights for them, made without the spec language."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from compiler.graph import Dim, Graph, Node, Output, Region, Shape, connect
from compiler.ops import BatchNorm, Input, Op

State = dict[str, npt.NDArray[np.float32]]


def single(op: Op, *shapes: tuple[Dim, ...]) -> Graph:
    """Return the graph of one operation `y` on inputs `x0`, `x1`, ... of the given shapes."""
    inputs = {f"x{i}": Node(f"x{i}", Input(s), (), Shape(s)) for i, s in enumerate(shapes)}
    node = Node("y", op, tuple(inputs), op.infer_shape(*map(Shape, shapes)))
    return whole({**inputs, "y": node}, {}, (*inputs, "y"))


def whole(
    nodes: Mapping[str, Node], regions: Mapping[str, Region], members: tuple[str, ...]
) -> Graph:
    """Return the network of `members`, whose output is the last node."""
    inputs = tuple(name for name, node in nodes.items() if isinstance(node.op, Input))
    last = list(nodes)[-1]
    network = Region("", "network", members, (), last, None)
    return Graph(
        name="small",
        title="Small",
        network=connect(nodes.values()),
        regions={"": network, **regions},
        inputs=inputs,
        outputs=(Output(last, last),),
    )


def random_state(graph: Graph, seed: int = 0) -> State:
    """Return weights and statistics for every node, none of them 0 or 1, in `state_dict` names."""
    generator = np.random.default_rng(seed)
    state: State = {}
    for node in graph.nodes.values():
        if not node.share:
            channels = graph.input_shapes(node)[0].channels if node.inputs else 0
            assert isinstance(channels, int)
            for name, array in _draw(node.op, channels, generator).items():
                state[f"{node.name}.{name}"] = array.astype(np.float32)
    return state


def _draw(
    op: Op, channels: int, generator: np.random.Generator
) -> dict[str, npt.NDArray[np.float64]]:
    if isinstance(op, BatchNorm):
        out = {
            "running_mean": generator.normal(size=channels),
            "running_var": generator.uniform(0.5, 2, channels),
        }
        if op.scale:
            out["weight"] = generator.uniform(0.5, 2, channels)
        if op.shift:
            out["bias"] = generator.normal(size=channels)
        return out
    shapes = op.tensor_shapes(channels)
    return {
        name: generator.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        for name, shape in shapes.items()
    }


def random_inputs(graph: Graph, batch: int = 2, seed: int = 1) -> State:
    """Return one batch for every input of a graph whose sizes are numbers."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(size=(batch, *graph.nodes[name].shape.numbers)).astype(np.float32)
        for name in graph.inputs
    }
