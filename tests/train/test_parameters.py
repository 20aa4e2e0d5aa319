"""Which parameters are trained, at which rate, with which decay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backends.torch.module import build_module
from backends.train.parameters import (
    build_optimizer,
    frozen_norms,
    matches,
    prepare_parameters,
    set_rate,
)
from compiler.errors import UsageError
from compiler.pipeline import load_graph
from tests.train.small import NETWORK, recipe_of


@pytest.fixture
def module(tmp_path: Path) -> nn.Module:
    (tmp_path / "n.yaml").write_text(NETWORK)
    return build_module(load_graph(tmp_path / "n.yaml"))


def names(module: nn.Module, more: str) -> dict[tuple[float, bool], list[str]]:
    groups = prepare_parameters(module, recipe_of(more))
    return {(g.factor, g.decays): list(g.names) for g in groups}


def test_norms_and_biases_do_not_decay(module: nn.Module) -> None:
    assert names(module, "weight_decay: 0.1") == {
        (1.0, True): ["stem.conv.weight", "body.conv.weight", "logits.weight"],
        (1.0, False): [
            "stem.norm.weight", "stem.norm.bias", "body.norm.weight", "body.norm.bias",
            "logits.bias",
        ],
    }  # fmt: skip


def test_everything_decays_where_the_recipe_says_so(module: nn.Module) -> None:
    assert list(names(module, "decay_on: all")) == [(1.0, True)]


def test_layers_are_frozen_by_path(module: nn.Module) -> None:
    found = names(module, "freeze: [stem, 'bod*']")
    assert list(found.values()) == [["logits.weight"], ["logits.bias"]]
    assert not any(p.requires_grad for n, p in module.named_parameters() if "logits" not in n)


def test_frozen_norms_keep_parameters_and_statistics(module: nn.Module) -> None:
    recipe = recipe_of("norms: frozen")
    trained = names(module, "norms: frozen").values()
    assert [name for group in trained for name in group if "norm" in name] == []
    assert len(list(frozen_norms(module, recipe))) == 2
    assert len(list(frozen_norms(module, recipe_of("freeze: [stem]")))) == 1
    assert list(frozen_norms(module, recipe_of("norms: train"))) == []


def test_rates_are_of_the_step_times_the_group_s(module: nn.Module) -> None:
    recipe = recipe_of("rates: {stem: 0.1, logits: 10}\nweight_decay: 0.5")
    optimizer = build_optimizer(module, prepare_parameters(module, recipe), recipe)
    set_rate(optimizer, 0.2)
    found = [(g["lr"], g["weight_decay"]) for g in optimizer.param_groups]
    rates = [0.02, 0.02, 0.2, 0.2, 2.0, 2.0]
    assert [rate for rate, _ in found] == pytest.approx(rates)
    assert [decay for _, decay in found] == [0.5, 0.0] * 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "freeze: [stm]",
            "`freeze` of the recipe `small`: `stm` is no layer or block of the network that has "
            "parameters (did you mean `stem`?)",
        ),
        (
            "rates: {head: 2}",
            "`rates` of the recipe `small`: `head` is no layer or block of the network that has "
            "parameters",
        ),
        ("freeze: ['*']", "the recipe `small` freezes every layer: nothing is left to train"),
    ],
)
def test_what_meets_nothing_is_refused(more: str, message: str, module: nn.Module) -> None:
    with pytest.raises(UsageError) as caught:
        prepare_parameters(module, recipe_of(more))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("word", "kind"),
    [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)],
)
def test_optimizers_of_torch(word: str, kind: type[object], module: nn.Module) -> None:
    recipe = recipe_of("", optimizer=word)
    assert isinstance(build_optimizer(module, prepare_parameters(module, recipe), recipe), kind)


def test_a_pattern_is_of_whole_steps() -> None:
    assert not matches("stem_b.conv", "stem")
