"""An edited source file against its spec: as text, never run; then, on request, by numbers."""

from __future__ import annotations

import ast
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.state.unit_scale import check_telling, randomize
from backends.torch.module import build_module
from backends.torch.network import TRIAL_SIZE
from backends.torch.observe import Observed, observe
from backends.torch.source import emit_source
from compiler.errors import limit, way_out
from compiler.facts.working_sizes import shapes_near
from compiler.graph import Graph

TOLERANCE = 1e-4
"""Largest difference, as a share of the largest value of a tensor, that counts as rounding."""


class Departure(Exception):
    """Where a file is not its spec: the first difference, in a sentence."""


class NoPython(Departure):
    """Why a file cannot be read as Python."""


def compare_text(text: str, graph: Graph) -> None:
    """Prove without running it that a file is the emitted source, comments and layout aside.

    Raises:
        Departure: it does not parse, or a definition differs; the first one is named.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise NoPython(f"line {error.lineno} is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL, nested beyond measure
        raise NoPython(f"Python cannot read the file: {error}") from None
    try:
        _compare_definitions(tree, graph)
    except RecursionError:
        raise Departure("the file nests expressions beyond measure") from None


def _compare_definitions(tree: ast.Module, graph: Graph) -> None:
    emitted = ast.parse(emit_source(graph))
    _compare_imports(_imports(emitted), _imports(tree))
    ours, theirs = _definitions(emitted), _definitions(tree)
    for name, node in ours.items():
        if name not in theirs:
            raise Departure(f"`{name}` is missing")
        _compare_nodes(name, node, theirs[name])
    for name, node in theirs.items():
        if name not in ours:
            raise Departure(f"line {node.lineno}: `{name}` is not in the emitted source")


def compare_run(path: Path, graph: Graph, seed: int = 0) -> list[str]:
    """Run a file in a process of its own and prove that its network is the spec's.

    Names and shapes of the `state_dict`, then numbers with random weights and statistics at unit
    scale: in evaluation at two input sizes, and in training with the same dropout, where the
    running statistics that result are compared too. The proof is the tensors that come back.

    Returns:
        What was compared.

    Raises:
        Departure: the first difference, or no answer.
    """
    reference = build_module(graph, seed=seed)
    inputs, larger = _random_inputs(graph, 0, seed), _random_inputs(graph, 7, seed)
    randomize(reference, seed, *inputs)
    batches = {"in evaluation": inputs}
    if _accepts(reference.eval(), larger):
        batches[f"at {_sizes(larger)}"] = larger
    state = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    request = {"name": type(reference).__name__, "state": state, "batches": batches}
    theirs = _observe_apart(path, request)
    ours = observe(reference, request)
    _compare_states(ours["shapes"], theirs["shapes"])
    done = [f"{len(state)} tensors of the state_dict have the same names and shapes"]
    for title, run in ours["runs"].items():
        worst = _compare_outputs(run, theirs["runs"][title], title)
        if title != "in training":
            done.append(
                f"evaluation agrees at {_sizes(batches[title])}: {worst:.1e} of the largest value"
            )
    _compare_values(
        {k: v.float() for k, v in ours["after"].items()},
        {k: v.float() for k, v in theirs["after"].items()},
        "after a step of training, ",
    )
    return [*done, "training agrees, running statistics included"]


def _observe_apart(path: Path, request: Observed) -> Observed:
    """Return what a file's network does, from a process that may do anything to itself.

    Raises:
        Departure: the file is at fault, or ends the process before there is an answer.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory(prefix="netdraft-") as folder:
        asked, answer = Path(folder) / "request.pt", Path(folder) / "answer.pt"
        torch.save(request, asked)
        command = [sys.executable, "-m", "backends.torch.observe"]
        seconds = limit("verify_seconds")
        try:
            ended = subprocess.run(
                [*command, str(path.resolve()), str(asked), str(answer)],
                env={**os.environ, "PYTHONPATH": paths},
                stdout=sys.stderr.fileno() if _is_file(sys.stderr) else subprocess.DEVNULL,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            text = f"the file gave no answer in {seconds} s ({way_out('verify_seconds')})"
            raise Departure(text) from None
        try:
            found: Observed = torch.load(answer, weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError):
            text = (
                f"the file ended the process, exit code {ended.returncode}, before its network ran"
            )
            raise Departure(text) from None
    if "error" in found:
        raise Departure(found["error"])
    return found


def _is_file(stream: Any) -> bool:
    try:
        return isinstance(stream.fileno(), int)
    except (OSError, AttributeError, ValueError):
        return False


def _imports(tree: ast.Module) -> dict[str, int]:
    """Return what a file imports, one name a line, and the line: their order says nothing."""
    out: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                out[ast.unparse(_importing(node, alias))] = node.lineno
    return out


def _importing(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)


def _compare_imports(ours: dict[str, int], theirs: dict[str, int]) -> None:
    """Refuse a file whose names come from elsewhere: its code would mean another thing."""
    for text, line in theirs.items():
        if text not in ours:
            raise Departure(f"line {line}: `{text}` is not in the emitted source")
    for text in ours:
        if text not in theirs:
            raise Departure(f"`{text}` is missing")


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


def _short(node: ast.stmt) -> str:
    line = ast.unparse(node).splitlines()[0]
    return line if len(line) <= 70 else f"{line[:67]}..."


def _compare_states(ours: dict[str, list[int]], theirs: dict[str, list[int]]) -> None:
    for name, shape in ours.items():
        if name not in theirs:
            near = [n for n in theirs if n not in ours and theirs[n] == shape]
            hint = f"; `{near[0]}` is not in the spec" if near else ""
            raise Departure(f"`{name}` {tuple(shape)} is missing from the state_dict{hint}")
        if theirs[name] != shape:
            raise Departure(f"`{name}` is {tuple(theirs[name])}, the spec gives {tuple(shape)}")
    for name, shape in theirs.items():
        if name not in ours:
            raise Departure(f"`{name}` {tuple(shape)} is not in the spec")


def _random_inputs(graph: Graph, grow: int, seed: int) -> list[Tensor]:
    """Return a batch of two for every input; maps may be a few pixels larger than the spec's."""
    generator = torch.Generator().manual_seed(seed)
    out = []
    for shape in next(shapes_near(graph, TRIAL_SIZE)).values():
        channels, *grid = shape.numbers
        larger = [2, channels, *(size + grow for size in grid)]
        out.append(torch.randn(larger, generator=generator))
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


def _compare_outputs(ours: Observed, theirs: Observed, when: str) -> float:
    """Compare two forward passes; return the largest relative difference."""
    if "error" in ours:
        raise RuntimeError(f"the spec's own network fails {when}: {ours['error']}")
    if "error" in theirs:
        raise Departure(f"forward fails {when}: {theirs['error']}")
    first, second = ours["outputs"], theirs["outputs"]
    try:
        for what, tensor in first.items():
            check_telling(tensor, what)
    except ValueError as error:
        raise Departure(f"nothing is proven {when}: {error}") from None
    if list(first) != list(second):
        raise Departure(f"forward returns {_names(second)} {when}, the spec {_names(first)}")
    try:
        return _compare_values(first, second, f"{when}, ")
    except Departure as departure:
        place = _first_difference(ours["layers"], theirs["layers"])
        raise Departure(f"{departure}{place}") from None


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
    """Name the first layer whose output differs: inner layers finish before outer ones."""
    for name, tensor in ours.items():
        if name in theirs:
            try:
                difference(name, tensor, theirs[name])
            except Departure:
                return f"; the first layer that differs is `{name}`"
    return "; every layer agrees, so it is how they are joined at the end"
