"""A spec with other values for its parameters and inputs: as options, and as a file over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from compiler.errors import CompileError, UsageError
from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.fuzz.arithmetic import Invalid
from tests.fuzz.case import Case
from tests.fuzz.meaning import declaration, meaning_of
from tests.fuzz.tensors import network_of

VALUES: Mapping[str, tuple[str, ...]] = {
    "channels": ("1", "2", "5", "2 * {n}", "{n} + 1"),
    "int": ("1", "0", "3", "-2", "{n} // 2", "max({n}, 2)"),
    "number": ("0.5", "2", "-1", "1 / 3", "1e-3", "{n} / 4"),
    "bool": ("true", "false", "not {q}", "{n} > 2"),
    "kernel": ("1x1", "3x3", "2", "1x3", "[3, 1]", "{n}"),
    "padding": ("same", "V", "valid", "half", "1", "0x1", "[2, 0]", "[[0, 1], [1, 0]]"),
    "activation": ("relu", "none", "silu", "hard_swish"),
    "norm": ("none", "batch_norm", "layer_norm"),
    "list": ("[1, 2, 3]", "[4]", "[{n}, 2]", "[2, {n} + 1, 3, 1]"),
    "text": ("none", "batch_norm"),
}
"""Type -> values; `{n}` is a whole number among the parameters before, `{q}` a truth."""
SIZES = (1, 2, 3, 5, 8, 13)


@dataclass(frozen=True)
class Variation:
    """Values for parameters as text, and sizes for inputs."""

    settings: dict[str, str]
    sizes: dict[str, list[int]]

    @property
    def inputs(self) -> list[str]:
        """What `--input` is given."""
        return [f"{name}={'x'.join(map(str, dims))}" for name, dims in self.sizes.items()]

    @property
    def values(self) -> dict[str, Any]:
        """The parameters as data: `3x3` and formulas are text."""
        plain = {n: v if "x" in v else yaml.safe_load(v) for n, v in self.settings.items()}
        return {n: float(v) if v == "1e-3" else v for n, v in plain.items()}

    def child(self, base: str) -> str:
        """Return the file that extends a spec and says the same."""
        lines = [f"extends: {base}"]
        for key, values in (("params", self.settings), ("input", self.sizes)):
            lines += [f"{key}:"] * bool(values)
            lines += [f"  {name}: {value}" for name, value in values.items()]
        return "\n".join(lines) + "\n"


def variation(spec: Mapping[str, Any], dice: Random) -> Variation:
    """Return other values for some parameters and inputs of a spec."""
    settings: dict[str, str] = {}
    before: dict[str, str] = {}
    for name, declared in spec.get("params", {}).items():
        kind = declaration(declared)[0]
        forms = [f for f in VALUES[kind] if all(n in before for n in _holes(f))]
        if dice.random() < 0.6:
            settings[name] = dice.choice(forms).format(**before)
        letter = {"bool": "q", "int": "n", "channels": "n"}.get(kind)
        before |= {letter: name} if letter else {}
    sizes = {
        name: [dice.choice((*SIZES, *[d, 2 * d] * isinstance(d, int))) for d in dims]
        for name, dims in spec["input"].items()
        if dice.random() < (0.5 if settings else 0.9) or any(d in ("H", "W") for d in dims)
    }
    return Variation(settings, sizes)


def _holes(form: str) -> Iterator[str]:
    return (letter for letter in "nq" if f"{{{letter}}}" in form)


def settings_are_a_child(case: Case) -> None:
    """`--set` and `--input` give what a file gives that extends the spec: the spec's meaning."""
    asked = variation(case.written.data, case.random)
    child = case.path.with_name("varied.yaml")
    child.write_text(asked.child(case.path.name), encoding="utf-8")
    graph = accepted(case.path, asked.settings, asked.inputs)
    extended = accepted(child)
    said = f"{asked}\n{asked.child(case.path.name)}"
    assert (graph is None) == (extended is None), f"one of the two is refused: {said}"
    try:
        wanted = meaning_of(case.written.data, asked.values, case.written.letters, asked.sizes)
    except Invalid:
        return
    assert graph is not None, f"a valid variation is refused: {said}"
    assert extended is not None
    assert graph.digest == extended.digest, said
    made = network_of(graph, wanted.listed).lines()
    assert made == wanted.lines(), "\n".join([said, "the graph is", *made])


def accepted(
    spec: Path, settings: Mapping[str, str] | None = None, inputs: tuple[str, ...] | list[str] = ()
) -> Graph | None:
    """Return the graph of a spec, None where it is refused."""
    try:
        return load_graph(spec, settings or {}, inputs)
    except (CompileError, UsageError):
        return None
