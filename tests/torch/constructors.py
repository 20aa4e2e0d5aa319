"""What the constructor of an emitted class takes, and the settings that say the same."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from backends.torch.docs import variable
from backends.torch.module import load_source, network_class
from backends.torch.source import emit_source
from compiler.errors import CompileError, UsageError
from compiler.graph import Graph
from compiler.pipeline import load_graph

VALUES: dict[str, tuple[object, ...]] = {
    "int": (0, 1, 3, 6, 8),
    "channels": (1, 2, 8),
    "number": (0.1, 0.5, 1, 1.2, 2),
    "kernel": ((1, 1), (3, 3), (1, 7), (2, 2)),
    "bool": (False, True),
    "padding": (0, 1, 2),
    "activation": ("relu", "none", "silu"),
    "norm": ("batch_norm", "none"),
    "block": (),
    "list": ([1, 2, 3], [4, 8, 3], [2, 1, 5, 6]),
    "text": ("a",),
}


def emitted(graph: Graph) -> type[nn.Module]:
    """Return the class that is emitted from a graph."""
    return network_class(load_source(emit_source(graph)))


def arguments(made: type[nn.Module]) -> list[str]:
    """Return the names of a class's constructor arguments."""
    if "__init__" not in vars(made):
        return []
    return [name for name in inspect.signature(made.__init__).parameters if name != "self"]


def as_setting(value: object) -> str:
    """Return a value as `--set` takes it."""
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()


def accepted(
    spec: Path, graph: Graph, name: str, sizes: Sequence[str] = ()
) -> list[tuple[object, Graph]]:
    """Return values for an argument that the spec accepts, each with its graph.

    `sizes` are those of inputs that `graph` was made with.
    """
    params = {variable(p.name): p for p in graph.params}
    inputs = {f"{variable(i)}_channels": i for i in graph.inputs}
    out: list[tuple[object, Graph]] = []
    for value in VALUES[params[name].type if name in params else "channels"]:
        try:
            if name in params:
                out.append((value, load_graph(spec, {params[name].name: as_setting(value)}, sizes)))
            else:
                source = inputs.get(name, graph.inputs[0])
                text = "x".join(map(str, (value, *graph.nodes[source].shape.grid)))
                out.append((value, load_graph(spec, {}, [*sizes, f"{source}={text}"])))
        except (CompileError, UsageError):
            continue
    return out


def state(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a model's state."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
