"""One step: losses by hand, parts that add up, averages, norms that rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backends.torch.module import build_module
from backends.train.average import Average
from backends.train.examples import training_parts
from backends.train.heads import Heads, heads_of
from backends.train.step import counts_of
from compiler.errors import UsageError
from compiler.pipeline import load_graph, target_graph
from tests.train.alone import run_of, state_of, trainer_of
from tests.train.small import NETWORK, recipe_of

HEAD = "  - {conv: 1x1, filters: 8, name: head}\n  - {dropout"
AUX = """name: logits}
  - {global_avg_pool: true, from: head, name: seen}
  - {linear: classes, name: aux}
outputs: [logits, {name: aux, training_only: true}]"""
NETWORK_AUX = NETWORK.replace("  - {dropout", HEAD).replace("name: logits}", AUX)


def test_losses_of_auxiliary_outputs_have_their_weights() -> None:
    scores, aux = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    labels = torch.tensor([0])
    heads = Heads("logits", 2, 0, {1: 0.4})
    main, other = torch.log(1 + torch.exp(torch.tensor([-2.0, 1.0])))
    assert heads.loss((scores, aux), labels).item() == pytest.approx(float(main + 0.4 * other))


def test_smoothing_spreads_the_target() -> None:
    """(1 - 0.1) of the loss of the class and 0.1 of the mean loss of all (arXiv 1512.00567, 7)."""
    scores, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    losses = -scores.log_softmax(1)[0]
    wanted = 0.9 * losses[0] + 0.1 * losses.mean()
    assert Heads("x", 3, 0, {}, 0.1).loss(scores, labels).item() == pytest.approx(float(wanted))


def test_auxiliary_outputs_are_found_behind_the_others(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text(NETWORK_AUX)
    graph = target_graph(load_graph(tmp_path / "n.yaml"))
    heads = heads_of(graph, recipe_of("auxiliary: {aux: 0.3}"), None, 4)
    assert (heads.name, heads.main, heads.auxiliary) == ("logits", 0, {1: 0.3})
    out = build_module(graph)(torch.randn(2, 1, 8, 8))
    assert heads.scores(out) is not None
    torch.testing.assert_close(heads.scores(out), out.logits)
    with pytest.raises(UsageError) as caught:
        heads_of(graph, recipe_of("auxiliary: {aus: 0.3}"), None, 4)
    assert str(caught.value) == (
        "`auxiliary` of the recipe `small` names `aus`, which is no output of training alone "
        "(did you mean `aux`?)"
    )


def test_an_output_of_probabilities_is_refused(tmp_path: Path) -> None:
    text = NETWORK + "  - {softmax: true, name: shares}\noutputs: [shares]\n"
    (tmp_path / "n.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        heads_of(target_graph(load_graph(tmp_path / "n.yaml")), recipe_of(), None, 4)
    assert str(caught.value) == (
        "the output `shares` of `small` gives probabilities, and a recipe trains with logits; let "
        "the layer before it leave"
    )


def test_parts_add_up_to_the_gradient_of_their_means(tmp_path: Path) -> None:
    """Four parts of two, by hand: the mean over parts of the gradients of each."""
    recipe = recipe_of(optimizer="{sgd: {momentum: 0}}")
    trainer = trainer_of(recipe, tmp_path, part=2, network=NETWORK.replace("0.8", "1.0"))
    run = run_of(recipe, tmp_path)
    parts = list(training_parts(run.train, trainer.order, (0, 1)))
    other = trainer_of(recipe, tmp_path, part=2, network=NETWORK.replace("0.8", "1.0")).module
    for inputs, labels in parts:
        torch.autograd.backward(nn.functional.cross_entropy(other(inputs), labels) / 4)
    before = state_of(trainer)
    trainer.step(parts)
    for name, parameter in other.named_parameters():
        assert parameter.grad is not None
        wanted = before[name] - trainer.rate_of(0) * parameter.grad
        torch.testing.assert_close(trainer.module.state_dict()[name], wanted, rtol=0, atol=1e-6)


def test_norms_that_are_frozen_keep_their_statistics(tmp_path: Path) -> None:
    run = run_of(recipe_of("freeze: [stem]"), tmp_path)
    before = state_of(run.trainer)
    run.train_all()
    after = state_of(run.trainer)
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert same == {name for name in before if name.startswith("stem.")}


def test_averages_by_hand() -> None:
    """The first steps keep 1/10 and 2/11, the eighth keeps the 0.5 that is asked for."""
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(0.0)
        average = Average(module, 0.5)
        module.weight.fill_(1.0)
        average.update(0)
        assert average.values["weight"].item() == pytest.approx(0.9)
        average.update(1)
        assert average.values["weight"].item() == pytest.approx(1 - 0.1 * 2 / 11)
        average.values["weight"].fill_(0.0)
        average.update(1000)
    assert average.values["weight"].item() == pytest.approx(0.5)
    with average.in_place():
        assert module.weight.item() == pytest.approx(0.5)
    assert module.weight.item() == 1


def test_right_ones_are_counted() -> None:
    scores = torch.tensor([[5.0, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]])
    pictures, top1, top5, _ = counts_of(scores, torch.tensor([0, 0])).tolist()
    assert (pictures, top1, top5) == (2, 1, 1)
