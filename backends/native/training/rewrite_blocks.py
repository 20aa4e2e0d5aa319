"""Training: the forward passes of blocks, rewritten so that what belongs together is one call."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

from torch import fx, nn

from backends.native.training.residual_sum import join_sums
from backends.native.training.siblings import join_siblings
from backends.torch.module import PREFIX, load_source


def rewrite_blocks(network: nn.Module) -> None:
    """Join sibling convolutions and residual sums in every block of a module, in place.

    The module is one that `build_module` made. Parameters, their names, values and gradients stay.
    A block whose forward pass can't be traced, as it asks whether it is training, keeps its own.
    Layers that are joined are no longer called one by one, so hooks on them don't run.
    """
    for block in list(network.modules()):
        if type(block).__module__.startswith(PREFIX) and "forward" in vars(type(block)):
            _rewrite(block)


class _Tracer(fx.Tracer):
    """Sees what one block calls: layers, and other blocks as they are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, nn.Sequential)


def _rewrite(block: nn.Module) -> None:
    graph = _traced(block)
    if graph is None:
        return
    made = {**join_siblings(graph, block), **join_sums(graph)}
    source = _source(graph, type(block))
    if made and source is not None and not any(hasattr(block, name) for name in made):
        for name, module in made.items():
            block.add_module(name, module.train(block.training))
        block.__class__ = getattr(load_source(source), type(block).__name__)


def _traced(block: nn.Module) -> fx.Graph | None:
    """Return what a block calls; None where that hangs on more than its layers."""
    if "self.training" in inspect.getsource(type(block).forward):
        return None
    try:
        return _Tracer().trace(block)
    except (fx.proxy.TraceError, TypeError):  # control flow that hangs on sizes
        return None


def _source(graph: fx.Graph, cls: type[nn.Module]) -> str | None:
    """Return a file with a class of a block's name whose forward pass is a graph."""
    for node in graph.nodes:
        node.type = None  # annotations of the block's file
    code = graph.python_code("self")
    named = {node.id for node in ast.walk(ast.parse(code.src)) if isinstance(node, ast.Name)}
    imports = []
    for name in sorted(named.intersection(code.globals)):
        value = code.globals[name]
        if isinstance(value, ModuleType):
            imports.append(f"import {value.__name__} as {name}")
        else:
            return None  # a type of the file that the block is from
    body = [f"    {line}".rstrip() for line in code.src.strip().splitlines()]
    head = f"class {cls.__name__}(nn.Module):"
    return "\n".join(["from torch import nn", *imports, "", "", head, *body, ""])
