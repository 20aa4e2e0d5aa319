"""An edited source file against its spec: as text, never run; then, on request, by numbers."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from backends.torch.docs import class_name
from backends.torch.module import build_module
from backends.torch.source import emit_source
from backends.unit_scale import check_unit_scale, randomize
from compiler.graph import Graph

TOLERANCE = 1e-4
"""Largest difference, as a share of the largest value of a tensor, that counts as rounding."""
_ALLOWED = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign)


class Departure(Exception):
    """Where a file is not its spec: the first difference, in a sentence."""


def compare_text(text: str, graph: Graph) -> None:
    """Prove without running it that a file is the emitted source, comments and layout aside.

    Raises:
        Departure: it does not parse, or a definition differs; the first one is named.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise Departure(f"line {error.lineno} is not Python: {error.msg}") from None
    ours, theirs = _definitions(ast.parse(emit_source(graph))), _definitions(tree)
    for name, node in ours.items():
        if name not in theirs:
            raise Departure(f"`{name}` is missing")
        _compare_nodes(name, node, theirs[name])
    for name, node in theirs.items():
        if name not in ours:
            raise Departure(f"line {node.lineno}: `{name}` is not in the emitted source")


def statements_that_run(text: str) -> list[str]:
    """Return what an import of the file would do besides defining things, with line numbers."""
    return [
        f"line {node.lineno}: {_short(node)}"
        for node in ast.parse(text).body
        if not isinstance(node, _ALLOWED) and not _is_docstring(node) and not _is_main(node)
    ]


def compare_run(path: Path, graph: Graph, seed: int = 0) -> list[str]:
    """Run a file and prove that its network is the spec's; return what was compared.

    Names and shapes of the `state_dict`, then numbers with random weights and statistics at unit
    scale: in evaluation at two input sizes, and in training with the same dropout, where the
    running statistics that result are compared too.

    Raises:
        Departure: the first difference.
    """
    reference = build_module(graph, seed=seed)
    candidate = _instance(path, graph)
    _compare_states(reference.state_dict(), candidate.state_dict())
    inputs = _random_inputs(graph, 0, seed)
    randomize(reference, seed, *inputs)
    candidate.load_state_dict(reference.state_dict())
    tensors = len(reference.state_dict())
    done = [f"{tensors} tensors of the state_dict have the same names and shapes"]
    worst = _compare_outputs(reference.eval(), candidate.eval(), inputs, "in evaluation")
    done.append(f"evaluation agrees at {_sizes(inputs)}: {worst:.1e} of the largest value")
    larger = _random_inputs(graph, 7, seed)
    if _accepts(reference, larger):
        worst = _compare_outputs(reference, candidate, larger, f"at {_sizes(larger)}")
        done.append(f"evaluation agrees at {_sizes(larger)}: {worst:.1e}")
    _compare_outputs(reference.train(), candidate.train(), inputs, "in training")
    _compare_values(
        {k: v.float() for k, v in reference.state_dict().items()},
        {k: v.float() for k, v in candidate.state_dict().items()},
        "after a step of training, ",
    )
    return [*done, "training agrees, running statistics included"]


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """Return name -> class, function or assignment of a file."""
    out: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            out[node.name] = node
        elif isinstance(node, ast.Assign):
            out[ast.unparse(node.targets[0])] = node
        elif not isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_docstring(node):
            out[_short(node)] = node
    return out


def _compare_nodes(name: str, ours: ast.stmt, theirs: ast.stmt) -> None:
    pairs = zip_longest(_statements(ours), _statements(theirs))
    for mine, other in pairs:
        if mine is None:
            raise Departure(f"line {other.lineno}, in `{name}`: `{_short(other)}` is added")
        if other is None:
            raise Departure(f"`{name}`: `{_short(mine)}` is missing")
        if _head(mine) != _head(other):
            raise Departure(
                f"line {other.lineno}, in `{name}`: `{_short(other)}`, "
                f"where the spec gives `{_short(mine)}`"
            )


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield a statement and those inside it, docstrings left out, in reading order."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and not _is_docstring(child):
            yield from _statements(child)


def _head(node: ast.stmt) -> str:
    """Return a statement without the statements inside it."""
    fields = [
        (name, value)
        for name, value in ast.iter_fields(node)
        if name not in ("body", "orelse", "type_comment")
    ]
    return type(node).__name__ + repr([(n, _dump(v)) for n, v in fields])


def _dump(value: Any) -> str:
    if isinstance(value, list):
        return repr([_dump(v) for v in value])
    return ast.dump(value) if isinstance(value, ast.AST) else repr(value)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _short(node: ast.stmt) -> str:
    line = ast.unparse(node).splitlines()[0]
    return line if len(line) <= 70 else f"{line[:67]}..."


def _instance(path: Path, graph: Graph) -> nn.Module:
    """Run the file and construct its network."""
    try:
        module = _import(path)
        name = class_name(graph.name)
        own = [
            v
            for v in vars(module).values()
            if isinstance(v, type) and issubclass(v, nn.Module) and v.__module__ == module.__name__
        ]
        if not own:
            raise Departure("the file defines no network")
        cls = next((c for c in own if c.__name__ == name), own[-1])
        model: nn.Module = cls()
    except Departure:
        raise
    except Exception as error:  # whatever a user's file may do
        raise Departure(f"the file does not run: {type(error).__name__}: {error}") from error
    return model


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"netdraft_verified_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise Departure(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module


def _compare_states(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    for name, tensor in ours.items():
        if name not in theirs:
            near = [n for n in theirs if n not in ours and theirs[n].shape == tensor.shape]
            hint = f"; `{near[0]}` is not in the spec" if near else ""
            raise Departure(f"`{name}` {tuple(tensor.shape)} is missing from the state_dict{hint}")
        if theirs[name].shape != tensor.shape:
            raise Departure(
                f"`{name}` is {tuple(theirs[name].shape)}, the spec gives {tuple(tensor.shape)}"
            )
    for name in theirs:
        if name not in ours:
            raise Departure(f"`{name}` {tuple(theirs[name].shape)} is not in the spec")


def _random_inputs(graph: Graph, grow: int, seed: int) -> list[Tensor]:
    """Return a batch of two for every input; maps may be a few pixels larger than the spec says."""
    generator = torch.Generator().manual_seed(seed)
    out = []
    for name in graph.inputs:
        channels, *grid = [d if isinstance(d, int) else 299 for d in graph.nodes[name].shape]
        shape = [2, channels, *(size + grow for size in grid)]
        out.append(torch.randn(shape, generator=generator))
    return out


def _sizes(inputs: list[Tensor]) -> str:
    return ", ".join("x".join(map(str, i.shape[1:])) for i in inputs)


def _accepts(module: nn.Module, inputs: list[Tensor]) -> bool:
    """True unless the network is made for one size, as with a flatten before a linear layer."""
    try:
        with torch.no_grad():
            module(*inputs)
    except RuntimeError:
        return False
    return True


def _compare_outputs(ours: nn.Module, theirs: nn.Module, inputs: list[Tensor], when: str) -> float:
    """Compare two forward passes; return the largest relative difference."""
    mine, my_trace = _run(ours, inputs)
    try:
        other, trace = _run(theirs, inputs)
    except Exception as error:  # whatever a user's file may do
        raise Departure(f"forward fails {when}: {type(error).__name__}: {error}") from error
    first, second = dict(_tensors(mine, "the output")), dict(_tensors(other, "the output"))
    for what, tensor in first.items():
        check_unit_scale(tensor, what)
    if list(first) != list(second):
        raise Departure(f"forward returns {_names(second)} {when}, the spec {_names(first)}")
    try:
        return _compare_values(first, second, f"{when}, ")
    except Departure as departure:
        place = _first_difference(my_trace, trace)
        raise Departure(f"{departure}{place}") from None


def _run(module: nn.Module, inputs: list[Tensor]) -> tuple[Any, dict[str, Tensor]]:
    """Return what forward gives, and the output of every layer inside in order of execution."""
    trace: dict[str, Tensor] = {}
    hooks = []
    for name, layer in module.named_modules():
        if name:

            def note(_: nn.Module, __: Any, output: Any, name: str = name) -> None:
                if isinstance(output, Tensor):
                    trace[name] = output.detach().clone()

            hooks.append(layer.register_forward_hook(note))
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            return module(*(i.clone() for i in inputs)), trace
    finally:
        for hook in hooks:
            hook.remove()


def _tensors(value: Any, what: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield what, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _tensors(part, str(key))
    elif isinstance(value, (tuple, list)):
        names = getattr(value, "_fields", range(len(value)))
        for key, part in zip(names, value, strict=True):
            yield from _tensors(part, f"output {key}")


def _names(values: dict[str, Tensor]) -> str:
    return " and ".join(values) or "no tensor"


def _compare_values(ours: dict[str, Tensor], theirs: dict[str, Tensor], when: str) -> float:
    worst = 0.0
    for name, tensor in ours.items():
        worst = max(worst, difference(name, tensor, theirs[name], when))
    return worst


def difference(name: str, ours: Tensor, theirs: Tensor, when: str = "") -> float:
    """Return the largest difference as a share of the largest value.

    Raises:
        Departure: the shapes differ, or the difference is more than rounding.
    """
    if ours.shape != theirs.shape:
        raise Departure(
            f"{when}{name} is {tuple(theirs.shape)}, the spec gives {tuple(ours.shape)}"
        )
    if not ours.numel():
        return 0.0
    scale = max(float(ours.abs().max()), 1e-12)
    share = float((ours.double() - theirs.double()).abs().max()) / scale
    if not share <= TOLERANCE:
        raise Departure(f"{when}{name} differs by {share:.1e} of its largest value")
    return share


def _first_difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> str:
    """Name the first layer whose output differs: layers inside finish before those around them."""
    for name, tensor in ours.items():
        if name in theirs:
            try:
                difference(name, tensor, theirs[name])
            except Departure:
                return f"; the first layer that differs is `{name}`"
    return "; every layer agrees, so it is how they are joined at the end"
