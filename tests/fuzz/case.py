"""A random spec on its way through the compiler: made once, looked at from all sides."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from compiler.graph import Graph
from compiler.pipeline import draft_graph
from tests.fuzz.files import Written
from tests.fuzz.meaning import meaning_of
from tests.fuzz.tensors import Network, network_of
from tests.oracle.numpy_oracle import evaluate

Array = npt.NDArray[Any]
BATCH = 2
ROUNDED = 2e-4
"""Bound on differences in float32."""


class Case:
    """A written spec in a folder, with what it means and what the compiler makes of it."""

    def __init__(
        self, written: Written, folder: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.written = written
        self.folder = folder
        self.path = written.write(folder)
        self.settings = dict(settings or {})

    @property
    def random(self) -> Random:
        """What decides how the spec is looked at: the same for the same spec."""
        return Random(str(self.written))

    @cached_property
    def meaning(self) -> Network:
        """The network that the spec means by the language page."""
        return meaning_of(self.written.data, letters=self.written.letters)

    @cached_property
    def graph(self) -> Graph:
        """The graph with every size in numbers."""
        return self.lowered(self.options(self.meaning))

    def options(self, network: Network) -> list[str]:
        """Return what `--input` is given where the spec leaves sizes open."""
        sizes = {name: "x".join(map(str, t.sizes)) for name, t in network.inputs.items()}
        return [f"{name}={text}" for name, text in sizes.items()] if self.written.letters else []

    def lowered(self, inputs: list[str]) -> Graph:
        """Return the graph for inputs of other sizes; an error of the spec is a failure."""
        graph, report, _ = draft_graph(self.path, self.settings, inputs)
        errors = [f"{d.span}: {d.code}: {d.message}" for d in report.errors]
        assert not errors, "a valid spec is refused:\n" + "\n".join(errors)
        return graph

    @cached_property
    def lowered_network(self) -> Network:
        """The graph as tensors."""
        return network_of(self.graph, self.meaning.listed)

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """Return a random batch for every input, in float32."""
        generator = np.random.default_rng(1)
        return {
            name: generator.normal(size=(BATCH, *tensor.sizes)).astype(np.float32)
            for name, tensor in self.meaning.inputs.items()
        }

    @property
    def examples(self) -> tuple[Tensor, ...]:
        """The inputs for a module in float32."""
        return tuple(map(torch.from_numpy, self.inputs.values()))

    @property
    def doubles(self) -> tuple[Tensor, ...]:
        """The inputs for a module in float64."""
        return tuple(x.double() for x in self.examples)

    @cached_property
    def module(self) -> nn.Module:
        """The live module in float32, in evaluation mode, its signal at unit scale."""
        module = build_module(self.graph)
        randomize(module, 0, *self.examples)
        return module.eval()

    @cached_property
    def state(self) -> dict[str, Array]:
        """The parameters by name."""
        return {name: value.numpy() for name, value in self.module.state_dict().items()}

    @cached_property
    def wanted(self) -> list[Array]:
        """The outputs by the oracle, in float64."""
        return self.by_oracle(training=False)

    def by_oracle(self, training: bool) -> list[Array]:
        """Return the outputs by the oracle."""
        made = evaluate(self.graph, self.state, self.inputs, training=training)
        network = self.lowered_network
        names = {id(t): n.name for t, n in zip(network.all, self.graph.nodes.values(), strict=True)}
        return [made[names[id(t)]] for t in network.results(training)]


def arrays(made: Any) -> list[Array]:
    """Return what a module or runtime gave as a list of arrays."""
    if isinstance(made, Tensor):
        return [made.detach().numpy()]
    return [x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x) for x in made]


def compare(made: list[Array], wanted: list[Array], bound: float, what: str) -> None:
    """Hold that outputs are equal but for rounding, relative to the largest value of each."""
    shapes = [x.shape for x in made], [x.shape for x in wanted]
    assert shapes[0] == shapes[1], f"{what} gives {shapes[0]}, right is {shapes[1]}"
    for i, (x, y) in enumerate(zip(made, wanted, strict=True)):
        assert np.isfinite(y).all(), "the oracle's values are not finite"
        worst = float(np.abs(x - y).max(initial=0))
        most = bound * max(1.0, float(np.abs(y).max(initial=0)))
        assert worst <= most, f"output {i} of {what} differs by {worst:.3g}, allowed is {most:.1g}"
