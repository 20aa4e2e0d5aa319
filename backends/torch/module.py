"""Graph -> live `nn.Module`: the emitted source, run, so that file and module cannot differ."""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import nn

from backends.torch.init import initialize
from backends.torch.source import emit_source
from compiler.facts.available_memory import check_memory
from compiler.graph import Graph
from compiler.passes.outputs import take_logits
from compiler.weights.notes import Notes

PREFIX = "netdraft_source_"
"""Modules made from source are named so, with a hash of the text."""
_GRAPH = "netdraft.graph"
"""Where a module keeps its graph: no layer's name has a dot, so none can meet it."""
_TAPS = "netdraft.taps"
"""Where it keeps the names of what its `forward` returns beside or for the graph's outputs."""

_FEATURES = "netdraft.features"
"""The attribute that describes feature maps, where they are the outputs."""
_NOTES = "netdraft.notes"
"""Where it keeps what came with its weights besides tensors."""


def build_module(
    graph: Graph,
    *,
    seed: int | None = 0,
    device: torch.device | str | None = None,
    taps: Sequence[str] = (),
) -> nn.Module:
    """Return the network as a module with fresh weights, in training mode.

    The class comes from `emit_source`. The module copies, pickles (also into a process that has
    not seen its class), compiles, and runs under autocast, DataParallel and DDP. It carries the
    graph: see `graph_of`, or `module.graph`.

    Args:
        graph: a checked graph.
        seed: of the initial weights (`initialize`); None where weights are loaded afterwards.
        device: where the module goes; `None` is the CPU.
        taps: names of layers or blocks that `forward` returns too, as `(output, {name: tensor})`.

    Raises:
        BackendError: it needs more memory than is free here.
    """
    graph = take_logits(graph, taps)
    if torch.get_default_device().type != "meta":
        check_memory(graph)
    return build_from_source(graph, emit_source(graph, taps=taps), seed, device, taps)


def build_from_source(
    graph: Graph,
    source: str,
    seed: int | None,
    device: torch.device | str | None,
    taps: Sequence[str] = (),
) -> nn.Module:
    """Return a network with fresh weights from emitted source of `graph` with `taps`."""
    model = network_class(load_source(source))()
    if seed is not None:  # most of the time that a large network takes
        initialize(model, seed)
    object.__setattr__(model, _GRAPH, graph)
    object.__setattr__(model, _TAPS, tuple(taps))
    attach(model, "graph", graph.as_written)
    return model if device is None else model.to(device)


def is_built(module: nn.Module) -> bool:
    """Return whether netdraft built a module."""
    return isinstance(module.__dict__.get(_GRAPH), Graph)


def attach(model: nn.Module, name: str, value: object) -> None:
    """Give a module an attribute, unless one of its layers is called so."""
    if not hasattr(model, name):
        object.__setattr__(model, name, value)


def graph_of(module: nn.Module) -> Graph:
    """Return the graph of the spec that a module was built from.

    Raises:
        ValueError: the module was not built by netdraft.
    """
    return computed_graph(module).as_written


def computed_graph(module: nn.Module) -> Graph:
    """Return the graph of what a module computes: without a softmax that is left off.

    Raises:
        ValueError: the module was not built by netdraft.
    """
    graph = module.__dict__.get(_GRAPH)
    if not isinstance(graph, Graph):
        name = type(module).__name__
        article = "an" if name[:1] in "AEIOU" else "a"
        raise ValueError(f"{article} {name} carries no graph; build it with build_module")
    return graph


def taps_of(module: nn.Module) -> tuple[str, ...]:
    """Return the names of what a built module returns beside or in place of its outputs."""
    taps: tuple[str, ...] = module.__dict__.get(_TAPS, ())
    return taps


def take_features(module: nn.Module, info: list[dict[str, object]]) -> None:
    """Record on a built module that its taps are feature maps, and what each one is."""
    object.__setattr__(module, _FEATURES, info)
    attach(module, "feature_info", info)


def feature_info_of(module: nn.Module) -> list[dict[str, object]] | None:
    """Return the descriptions of a built module's feature maps, None where it returns outputs."""
    info: list[dict[str, object]] | None = module.__dict__.get(_FEATURES)
    return info


def take_notes(module: nn.Module, notes: Notes) -> None:
    """Have a built module remember what came with its weights besides tensors."""
    object.__setattr__(module, _NOTES, notes)


def notes_of(module: nn.Module) -> Notes | None:
    """Return what came with a module's weights besides tensors, None where nothing did."""
    notes: Notes | None = module.__dict__.get(_NOTES)
    return notes


def source_of(module: nn.Module) -> str:
    """Return the source text of the class of a built module.

    Raises:
        ValueError: the module was not built by netdraft.
    """
    source = getattr(sys.modules.get(type(module).__module__), "__source__", None)
    if not isinstance(source, str):
        raise ValueError(f"{type(module).__name__} is no class that netdraft emitted")
    return source


def load_source(source: str) -> ModuleType:
    """Run emitted source as a module, once per text.

    It is registered so that tracebacks and `inspect` show its lines, and its classes pickle
    together with their text.
    """
    name = PREFIX + hashlib.sha256(source.encode()).hexdigest()[:16]
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    path = f"<{name}>"
    module.__dict__.update(__file__=path, __source__=source)
    lines = source.splitlines(keepends=True)
    linecache.cache[path] = (len(source), None, lines, path)
    sys.modules[name] = module  # before it runs: NamedTuple and pickle look it up by name
    exec(compile(source, path, "exec"), module.__dict__)
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == name:
            setattr(value, "__reduce_ex__", _reduce)  # noqa: B010, mypy would want a type per class
    return module


def network_class(module: ModuleType) -> type[nn.Module]:
    """Return the network's class: the last one in the file."""
    classes = [
        v
        for v in vars(module).values()
        if isinstance(v, type) and issubclass(v, nn.Module) and v.__module__ == module.__name__
    ]
    return classes[-1]


def _reduce(self: nn.Module, protocol: object) -> tuple[Any, ...]:
    """Pickle an instance as the text of its class and its state."""
    return _restore, (source_of(self), type(self).__qualname__), dict(self.__dict__)


def _restore(source: str, name: str) -> nn.Module:
    """Return an empty instance; the unpickler fills in its state."""
    cls: type[nn.Module] = getattr(load_source(source), name)
    return cls.__new__(cls)
