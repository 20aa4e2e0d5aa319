"""What a step is said to take, beside what it takes: autograd, torch's profiler, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from backends.run.optimized import optimize
from backends.torch.module import build_module
from backends.train.average import Average
from backends.train.blocks import forget_activations
from backends.train.estimate import Estimate, Saved, estimate
from backends.train.heads import Heads, heads_of
from backends.train.parameters import build_optimizer, prepare_parameters
from compiler.cli.main import main as netdraft
from compiler.facts.class_output import class_output
from compiler.graph import Graph
from compiler.pipeline import load_graph, target_graph
from compiler.recipe import RecipeSpec
from tests.train.small import NETWORK, recipe_of

SGD = recipe_of()
RMSPROP = recipe_of("average: {decay: 0.9}", optimizer="rmsprop")
CASES = {
    "inception": ("teaching/inception_small", SGD, False),
    "residual": ("teaching/inception_resnet_small", RMSPROP, False),
    "forgetting": ("teaching/inception_small", SGD, True),
}
BATCH = 16


def made(name: str, recipe: RecipeSpec) -> tuple[Graph, Heads]:
    graph = target_graph(load_graph(name))
    return graph, heads_of(graph, recipe, None, class_output(graph).classes)


def predicted(name: str, recipe: RecipeSpec, *, forget: bool, **more: Any) -> Estimate:
    graph, heads = made(name, recipe)
    return estimate(graph, recipe, heads, batch=BATCH, forget=forget, **more)


class Real:
    """A training step with numbers."""

    def __init__(self, name: str, recipe: RecipeSpec, *, forget: bool) -> None:
        graph, self.heads = made(name, recipe)
        self.module = optimize(build_module(graph)).for_training(native=False)
        if forget:
            forget_activations(self.module)
        groups = prepare_parameters(self.module, recipe)
        self.optimizer = build_optimizer(self.module, groups, recipe)
        if recipe.average is not None:
            self.average = Average(self.module, 0.9)
        shape = next(iter(graph.nodes.values())).shape.numbers
        self.inputs = torch.randn(BATCH, *shape).to(memory_format=torch.channels_last)
        self.labels = torch.zeros(BATCH, dtype=torch.long)

    def step(self, saved: Saved | None = None) -> None:
        if saved is None:
            loss = self.heads.loss(self.module(self.inputs), self.labels)
        else:
            with saved.watching():
                loss = self.heads.loss(self.module(self.inputs), self.labels)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad()

    @property
    def held(self) -> int:
        """Bytes that are there between steps."""
        state = [v for s in self.optimizer.state.values() for v in s.values()]
        average = list(self.average.values.values()) if hasattr(self, "average") else []
        tensors = [*self.module.parameters(), *self.module.buffers(), *state, *average]
        found = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
        own = (self.inputs, self.labels)
        return int(sum(found.values()) + sum(t.untyped_storage().nbytes() for t in own))


@pytest.mark.parametrize("case", CASES)
def test_what_is_kept_for_gradients_is_what_autograd_keeps(case: str) -> None:
    name, recipe, forget = CASES[case]
    real = Real(name, recipe, forget=forget)
    saved = Saved(real.module)
    real.step(saved)
    assert predicted(name, recipe, forget=forget).activations == saved.size


def measured_peak(real: Real) -> int:
    """Return the most bytes of a second step: what the profiler sees come, on what is held."""
    real.step()
    held = real.held
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        real.step()
    events: Any = found.profiler
    changes = [e for e in events.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for change in sorted(changes, key=lambda e: e.start_ns()):
        now += int(change.nbytes())
        most = max(most, now)
    return int(held + most)


@pytest.mark.parametrize("case", CASES)
def test_the_most_at_once_is_the_profiler_s(case: str) -> None:
    name, recipe, forget = CASES[case]
    found = predicted(name, recipe, forget=forget)
    assert found.peak == pytest.approx(measured_peak(Real(name, recipe, forget=forget)), rel=0.1)


def test_parameters_and_state_by_hand() -> None:
    """37,114 parameters of 4 bytes; momentum as large again, RMSProp's two twice."""
    sgd = predicted("teaching/inception_small", SGD, forget=False)
    assert (sgd.parameters, sgd.gradients, sgd.optimizer) == (148456, 148456, 148456)
    rmsprop = predicted("teaching/inception_small", RMSPROP, forget=False)
    assert (rmsprop.optimizer, rmsprop.average) == (2 * 148456, 148456 + rmsprop.statistics)


def test_arithmetic_by_hand() -> None:
    """Three times the MACs of a picture, two operations each; the first layer has no input's."""
    graph, _ = made("teaching/inception_small", SGD)
    first = 3 * 3 * 1 * 8 * 28 * 28
    macs = graph.macs()
    assert isinstance(macs, int)
    found = predicted("teaching/inception_small", SGD, forget=False)
    assert found.flops == 2 * BATCH * (3 * macs - first)


def test_bytes_over_the_wire_by_hand() -> None:
    ddp = predicted("teaching/inception_small", SGD, forget=False, processes=4)
    assert ddp.sent == round(2 * 3 / 4 * 148456 + 3 / 4 * ddp.statistics)
    split = predicted("teaching/inception_small", SGD, forget=False, processes=4, sharded=True)
    assert split.sent == round(3 / 4 * 3 * 148456)
    assert split.parameters == 148456 // 4
    assert split.peak is None
    shared = predicted("teaching/inception_small", RMSPROP, forget=False, processes=4, sharded=True)
    assert shared.average == 148456 // 4 + shared.statistics
    assert predicted("teaching/inception_small", SGD, forget=False).sent == 0


def test_forgetting_keeps_less_and_computes_more() -> None:
    plain = predicted("teaching/inception_small", SGD, forget=False)
    forgetting = predicted("teaching/inception_small", SGD, forget=True)
    assert forgetting.activations < plain.activations / 2
    assert forgetting.peak is not None
    assert plain.peak is not None
    assert forgetting.peak < plain.peak
    assert forgetting.flops > plain.flops


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "n.yaml").write_text(NETWORK)
    arguments = ["estimate", str(tmp_path / "n.yaml"), "--batch", "8", "--recipe", "small"]
    assert netdraft(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "small: one step, 8 pictures, precision 32, recipe small"
    assert lines[2] == "  parameters                  2.9 kB"
    assert netdraft([*arguments, "--gpus", "2", "--sharded"]) == 0
    assert "  most at once             not known\n" in capsys.readouterr().out
    assert netdraft([*arguments, "--head", "x"]) == 2
    assert capsys.readouterr().err == "error: --head x: the outputs of `small` are `logits` 4\n"
    assert netdraft([*arguments, "--gpus", "3"]) == 2
    assert capsys.readouterr().err == "error: --batch 8 cannot be shared out over 3 GPUs\n"
