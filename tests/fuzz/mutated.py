"""What holds of a spec with one change in its text: a network, or errors beside the change."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import assume
from hypothesis import strategies as st

from backends.torch.module import build_module
from compiler.cli.main import main
from compiler.errors import UsageError
from compiler.facts.summarize import summarize
from compiler.graph import Graph, number
from compiler.pipeline import draft_graph
from tests.fuzz.arithmetic import Invalid
from tests.fuzz.case import arrays
from tests.fuzz.dice import Dice
from tests.fuzz.files import Written
from tests.fuzz.meaning import meaning_of
from tests.fuzz.mutations import MUTATIONS, Mutant, mutant
from tests.fuzz.strategies import specs
from tests.fuzz.tensors import Network, network_of

ELSEWHERE = frozenset((
    *("shape-mismatch", "empty-output", "wrong-size", "symbolic-size", "groups-mismatch"),
    *("share-mismatch", "unknown-layer", "unknown-block", "unknown-parameter", "left-out"),
    *("missing-parameter", "operand-count", "bad-import", "bad-change"),
    *("duplicate-name", "unknown-erratum", "channels-last"),
))  # fmt: skip
"""Codes of errors between two places: the changed one and one that reads it."""
LARGEST = 10**6
"""Learnable elements, and multiply-accumulates, of a mutant that is run."""


@dataclass(frozen=True)
class Mutated:
    """A valid spec, and the text of one of its files with a change."""

    written: Written
    file: str
    mutant: Mutant

    def __str__(self) -> str:
        texts = {**self.written.texts, self.file: str(self.mutant)}
        return "\n".join(f"# {name}\n{text}" for name, text in texts.items())

    __repr__ = __str__


@st.composite
def mutants(draw: st.DrawFn, kinds: Sequence[str] = tuple(MUTATIONS)) -> Mutated:
    """Draw a valid spec and change the text of one of its files."""
    written, dice = draw(specs()), Dice(draw)
    file = dice.pick(list(written.texts))
    made = mutant(dice, written.texts[file], kinds)
    assume(made is not None and made.text != made.before)
    assert made is not None
    return Mutated(written, file, made)


def outcome(case: Mutated, folder: Path) -> str:
    """Check a mutated spec as the command does and return where its first error stands.

    Returns:
        "valid", or of the first error: "at" the change, "elsewhere" for one between two places.
    """
    path = case.written.write(folder)
    (folder / case.file).write_text(case.mutant.text, encoding="utf-8")
    code, found = check(path)
    assert code in (0, 1), f"check exits with {code}"
    errors = [d for d in found if d["severity"] == "error"]
    assert bool(errors) == bool(code)
    if not errors:
        holds_of_valid(case, path)
        return "valid"
    first = errors[0]
    if is_beside(case, first, folder) or any(
        is_beside(case, other, folder) for other in first["related"]
    ):
        return "at"
    what = f"{first['file']}:{first['line']}: {first['code']}: {first['message']}"
    is_between = first["code"] in ELSEWHERE or Path(first["file"]) != folder / case.file
    if not (is_between or is_of_yaml(case, first)):
        # A drawn block that nothing uses has no meaning that was tried: it may read an automatic
        # name that is another layer's, and then the error was there before the change.
        assume(check(case.written.write(folder))[0] == 0)
        raise AssertionError(f"far from the change: {what}")
    return "elsewhere"


def is_beside(case: Mutated, place: dict[str, Any], folder: Path) -> bool:
    """Tell whether a place is near the change, or is what holds it."""
    if Path(place["file"]) != folder / case.file:
        return False
    holds = place["line"] <= case.mutant.first and case.mutant.last <= place["end_line"]
    return holds or case.mutant.is_near(place["line"])


def check(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """Run `check` on a file and return its exit code and what it found."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["check", str(path), "--format", "json"])
    assert not err.getvalue(), err.getvalue()
    found: list[dict[str, Any]] = json.loads(out.getvalue())
    return code, found


def is_of_yaml(case: Mutated, error: dict[str, Any]) -> bool:
    """Tell whether what the change is in is not closed, or is read as another thing to its end."""
    is_open = case.mutant.kind == "line_without"  # a bracket may go with the line
    return bool(error["code"] == "yaml-syntax" and (is_open or error["line"] <= case.mutant.end))


def holds_of_valid(case: Mutated, path: Path) -> None:
    """What is accepted means what the language page says, and runs."""
    try:
        graph, _, _ = draft_graph(path)
    except UsageError:  # without its `extends` or `network` it is a library of blocks
        return
    network = None if case.written.letters else meaning(case)
    if network is not None:
        made = network_of(graph, network.listed).lines()
        assert made == network.lines(), "\n".join(["the graph is", *made])
    if all(graph.nodes[name].shape.is_known for name in graph.inputs):
        run(graph)


def meaning(case: Mutated) -> Network | None:
    """Return what the changed spec means; None where only the compiler can read it."""
    texts = {**case.written.texts, case.file: case.mutant.text}
    try:
        data = {name: yaml.safe_load(text) for name, text in texts.items()}
        network = meaning_of(replace(case.written, files=data).data)
    except (Invalid, yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError):
        return None
    assert case.mutant.kind != "remarked" or data == case.written.files
    return network


def run(graph: Graph) -> None:
    """Build the module and hold the shapes that leave it, where the network is small."""
    summary = summarize(graph)
    sizes = [number(d) for node in graph.nodes.values() for d in node.shape]
    if max(number(summary.parameters), number(summary.macs), *sizes) > LARGEST:
        return
    module = build_module(graph).eval()
    with torch.no_grad():
        made = module(*(torch.zeros(2, *graph.nodes[n].shape.numbers) for n in graph.inputs))
    shapes = [x.shape[1:] for x in arrays(made)]
    wanted = [graph.nodes[o.node].shape.numbers for o in graph.outputs if not o.training_only]
    assert shapes == wanted
    learned = sum(p.numel() for p in module.parameters())
    assert learned == summary.parameters
