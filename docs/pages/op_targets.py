"""What every operation is in each target: the cases of its tests, written by what is registered."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml

from backends.onnx.model import build_onnx
from backends.run.targets import check_target
from backends.torch.ops import has_function, has_module
from backends.torch.source import emit_source
from compiler.errors import BackendError
from compiler.graph import Graph, Op, Shape, Shown, letter
from compiler.ops import (
    OP_LAYERS,
    Activation,
    ChannelPool,
    Dropout,
    GlobalPool2d,
    PixelUnshuffle,
)
from compiler.passes.optimizer import optimize_graph
from compiler.pipeline import draft_graph
from tests.oracle.op_cases import CASES
from tests.oracle.small_graphs import random_state, single
from tests.samples import samples


@dataclass(slots=True)
class Row:
    """What an operation is in each target."""

    op: Op
    torch: dict[str, None] = field(default_factory=dict)
    """Modules, or the line of a forward pass."""
    onnx: dict[str, None] = field(default_factory=dict)
    """Operators, of the first case."""
    open_sizes: str = "yes"
    exports: bool = False
    native: list[str] = field(default_factory=list)
    """For each case what the kernels lack, or nothing."""

    @property
    def kernels(self) -> str:
        """Whether the native kernels take it."""
        lacks = [lack for lack in self.native if lack]
        if not lacks:
            return "yes"
        is_whole = len(lacks) == len(self.native) and " " not in lacks[0]
        return "no" if is_whole else f"no {lacks[0]}"


def rows() -> dict[str, Row]:
    """Return the row of every word that opens a layer."""
    return {word: _row(_operation(word)) for word in OP_LAYERS}


def _operation(word: str) -> Op:
    """Return the operation that the least layer of a word is."""
    with TemporaryDirectory() as folder:
        for dims in ([8, 9, 8], [8, 8, 8], [6]):
            layers = ["identity", next(samples(word))]
            path = Path(folder) / "one.yaml"
            spec: Any = {"network": "one", "input": {"x": dims}, "layers": layers}
            path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
            graph, report, _ = draft_graph(path)
            if not report.diagnostics:
                return graph.nodes_in(graph.regions[""].members[-1])[0].op
    raise AssertionError(f"the sample of `{word}` fits no input")


def _cases(op: Op) -> Iterator[tuple[Op, tuple[tuple[int, ...], ...]]]:
    """Yield the cases of an operation: those that the same word opens."""
    for case, shapes in CASES.values():
        if case.kind == op.kind and _words(case) == _words(op):
            yield case, shapes


def _words(op: Op) -> str:
    if isinstance(op, Activation):
        return op.function
    return op.words(Shown({}))[0] if isinstance(op, (ChannelPool, Dropout, GlobalPool2d)) else ""


def _row(op: Op) -> Row:
    row = Row(op, exports=has_module(op) or has_function(op))
    of_use = [(c, s) for c, s in _cases(op) if not c.is_identity(*map(Shape, s))]
    for case, shapes in of_use or _cases(op):
        graph = single(case, *shapes)
        written = _in_source(emit_source(graph))
        if written[0] == "module" or not row.torch:
            row.torch[written[1]] = None
        if not row.onnx:
            model = build_onnx(graph, random_state(graph))
            row.onnx = dict.fromkeys(n.op_type for n in model.graph.node if n.op_type != "Constant")
            row.open_sizes = _at_open_sizes(case, shapes)
        row.native.append(_lack(graph))
    return row


def _at_open_sizes(op: Op, shapes: tuple[tuple[int, ...], ...]) -> str:
    """Return whether ONNX has it where height and width are left open."""
    if len(shapes[0]) != 3:
        return "yes"
    step = op.factor if isinstance(op, PixelUnshuffle) else 1
    grid = (letter("H") * step, letter("W") * step)
    opened = [(s[0], *grid) if s[1:] == shapes[0][1:] else s for s in shapes]
    try:
        build_onnx(single(op, *opened), random_state(single(op, *shapes)))
    except BackendError:
        return "no"
    return "yes"


def _lack(graph: Graph) -> str:
    """Return what of a graph the native kernels lack."""
    try:
        check_target("native", optimize_graph(graph), torch.device("cpu"), torch.float32)
    except BackendError as error:
        return str(error).partition("the native engine has no ")[2]
    return ""


def _in_source(text: str) -> tuple[str, str]:
    """Return how the emitted source has the node `y`: the class of a module, or an expression."""
    network = next(n for n in reversed(ast.parse(text).body) if isinstance(n, ast.ClassDef))
    found: list[tuple[str, str]] = []
    for node in ast.walk(network):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr="y")], value=ast.Call() as made):
                inner = [a for a in made.args if isinstance(a, ast.Call)]
                return "module", ast.unparse((inner or [made])[-1].func)
            case ast.AnnAssign(target=ast.Name(id="y"), value=ast.expr() as value):
                found.insert(0, ("function", ast.unparse(value)))
            case ast.Return(value=ast.expr() as value):
                found.append(("function", ast.unparse(value)))
    return found[0]
