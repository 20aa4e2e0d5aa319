"""A training that is broken off and goes on has the numbers of an unbroken one, to the last bit."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.train import checkpoint
from backends.train.step import Diverged, Trainer
from compiler.errors import UsageError
from compiler.recipe import RecipeSpec
from tests.train.alone import Silent, run_of, state_of
from tests.train.small import recipe_of

RECIPES = {
    "sgd": recipe_of("average: {decay: 0.9}\nclip: 1"),
    "rmsprop": recipe_of("average: {decay: 0.9}", optimizer="{rmsprop: {momentum: 0.9}}"),
    "adamw": recipe_of("weight_decay: 0.01", optimizer="adamw"),
    "frozen": recipe_of("freeze: [stem]\nnorms: frozen\nrates: {logits: 3}"),
}


class Killed(Exception):
    """Ends a training from outside, as a signal does that nobody can catch."""


class Killing(Silent):
    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def stepped(self, trainer: Trainer, loss: float) -> None:
        super().stepped(trainer, loss)
        if trainer.steps == self.at:
            raise Killed


@pytest.fixture(scope="module", params=RECIPES)
def unbroken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    recipe = RECIPES[request.param]
    run = run_of(recipe, tmp_path_factory.mktemp("unbroken"))
    assert run.train_all()
    return recipe, run


@pytest.mark.parametrize("killed_at", [2, 5, 7])
def test_it_ends_with_the_same_numbers(unbroken: Any, killed_at: int, tmp_path: Path) -> None:
    """Five steps an epoch: inside the first, at its last step, inside the second."""
    recipe, whole = unbroken
    broken = run_of(recipe, tmp_path, save_every=2)
    broken.watcher = Killing(killed_at)
    with pytest.raises(Killed):
        broken.train_all()
    again = run_of(recipe, tmp_path, save_every=2)
    if killed_at > 2:  # before the first checkpoint there is nothing to go on from
        again.resume()
        assert 0 < again.trainer.steps < killed_at
    assert again.train_all()
    for name, value in state_of(whole.trainer).items():
        assert torch.equal(value, again.trainer.module.state_dict()[name]), name
    assert rows(again) == rows(whole)
    if whole.trainer.average is not None and again.trainer.average is not None:
        found = again.trainer.average.values
        assert all(torch.equal(v, found[n]) for n, v in whole.trainer.average.values.items())


def rows(run: Any) -> list[dict[str, float]]:
    """Return the log without what a clock says."""
    clocks = ("seconds", "images_per_second")
    return [{k: v for k, v in row.items() if k not in clocks} for row in run.progress.history]


def test_a_request_to_stop_saves_the_step(tmp_path: Path) -> None:
    answers = iter([False] * 3 + [True])
    run = run_of(RECIPES["sgd"], tmp_path, should_stop=lambda: next(answers))
    assert not run.train_all()
    assert checkpoint.read(tmp_path)["steps"] == 3


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    run_of(RECIPES["sgd"], tmp_path).save()
    other = run_of(RECIPES["sgd"], tmp_path)
    other.subject = {"recipe": "other"}
    with pytest.raises(UsageError) as caught:
        other.resume()
    assert str(caught.value) == (
        f"{tmp_path / 'checkpoint.pt'} is of another training: its recipe is small, and here it is "
        "other; go on with the same, or begin in another folder"
    )


def test_what_an_older_checkpoint_does_not_say_is_not_compared(tmp_path: Path) -> None:
    run_of(RECIPES["sgd"], tmp_path).save()
    other = run_of(RECIPES["sgd"], tmp_path)
    other.subject = {**other.subject, "number of epochs": 3}
    other.resume()
    other.save()
    other.subject = {**other.subject, "number of epochs": 4}
    with pytest.raises(UsageError, match="its number of epochs is 3, and here it is 4; go on"):
        other.resume()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_what_is_no_checkpoint_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    if content is None:
        torch.save({"weight": torch.zeros(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="checkpoint"):
        run_of(RECIPES["sgd"], tmp_path).resume()


def test_a_full_disk_is_said_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(RECIPES["sgd"], tmp_path, save_every=2)

    def full(self: Path, data: bytes) -> int:
        if run.trainer.steps > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with self.open("wb") as file:
            return file.write(data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError) as caught:
        run.train_all()
    assert "checkpoint.pt cannot be written: No space left on device" in str(caught.value)
    assert checkpoint.read(tmp_path)["steps"] == 2


def test_a_loss_that_is_no_number_ends_it_before_the_step(tmp_path: Path) -> None:
    run = run_of(recipe_of(), tmp_path, save_every=2)

    class Spoiling(Silent):
        def stepped(self, trainer: Trainer, loss: float) -> None:
            if trainer.steps == 3:
                with torch.no_grad():
                    trainer.module.get_parameter("logits.bias")[0] = float("nan")

    run.watcher = Spoiling()
    with pytest.raises(Diverged) as caught:
        run.train_all()
    assert str(caught.value) == (
        "the loss is nan at step 4 (epoch 1), with the learning rate 0.0793893; the step was not "
        "taken\n"
        "  help: a lower --rate, `warmup` or `clip` in the recipe, or residuals that are scaled "
        "down keep a training alive\n"
        f"  step 2 is in {tmp_path / 'checkpoint.pt'}; --resume goes on from there"
    )
    assert run.trainer.steps == 3
    assert checkpoint.read(tmp_path)["steps"] == 2


def test_a_picture_that_cannot_be_read_ends_it_with_what_there_is(tmp_path: Path) -> None:
    run = run_of(recipe_of(), tmp_path)
    bad = run.trainer.order.epoch(0)[20]  # in the third step

    class Damaged:
        def __init__(self, inner: Any) -> None:
            self.inner, self.labels, self.classes = inner, inner.labels, inner.classes

        def read(self, index: int) -> Any:
            if index == bad:
                raise UsageError("cat.jpg is no picture that can be read: it is damaged")
            return self.inner.read(index)

        def name(self, index: int) -> str:
            return str(self.inner.name(index))

        def __len__(self) -> int:
            return len(self.inner)

    run.train.pictures = Damaged(run.train.pictures)
    with pytest.raises(UsageError) as caught:
        run.train_all()
    assert str(caught.value) == (
        "cat.jpg is no picture that can be read: it is damaged\n"
        f"  step 2 is in {tmp_path / 'checkpoint.pt'}; --resume goes on from there"
    )
    assert checkpoint.read(tmp_path)["steps"] == 2


def test_recipes_differ() -> None:
    assert all(isinstance(recipe, RecipeSpec) for recipe in RECIPES.values())
