"""One process without an engine, arrays for pictures: what the loop takes, with torch alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backends.torch.module import build_module
from backends.train.average import Average
from backends.train.examples import Examples
from backends.train.heads import heads_of
from backends.train.loop import Run
from backends.train.order import plan_order
from backends.train.parameters import build_optimizer, frozen_norms, prepare_parameters
from backends.train.pictures import ArrayPictures
from backends.train.step import Trainer
from backends.train.transforms import Frame
from compiler.pipeline import load_graph, target_graph
from compiler.recipe import RecipeSpec
from tests.train.small import NETWORK


class Alone:
    """What `Engine` says, for one process on the CPU."""

    device = torch.device("cpu")
    global_rank = 0
    world_size = 1

    def backward(self, tensor: Tensor) -> None:
        tensor.backward()  # type: ignore[no-untyped-call]

    def no_backward_sync(self, module: Any, enabled: bool) -> AbstractContextManager[None]:
        return nullcontext()

    def clip_gradients(self, module: Any, optimizer: Any, *, max_norm: float) -> Any:
        return nn.utils.clip_grad_norm_(module.parameters(), max_norm)

    def autocast(self) -> AbstractContextManager[None]:
        return nullcontext()

    def all_reduce(self, data: Any, *, reduce_op: str) -> Any:
        return data


class Silent:
    """Is told and tells nobody; `losses` is what it was told."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def stepped(self, trainer: Trainer, loss: float) -> None:
        self.losses.append(loss)

    def ended(self, progress: object, trainer: Trainer) -> None:
        pass


def pictures(count: int, seed: int = 0) -> ArrayPictures:
    """Return noise in which the class is the bright corner."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    array = generator.integers(0, 128, (count, 8, 8), dtype=np.uint8)
    for index, label in enumerate(labels):
        top, left = 4 * (label // 2), 4 * (label % 2)
        array[index, top : top + 4, left : left + 4] += 100
    return ArrayPictures(["0", "1", "2", "3"], labels.tolist(), array)


def trainer_of(
    recipe: RecipeSpec, folder: Path, *, part: int | None = None, network: str = NETWORK
) -> Trainer:
    """Return a trainer of the small network."""
    path = folder / "network.yaml"
    path.write_text(network)
    graph = target_graph(load_graph(path))
    module = build_module(graph)
    groups = prepare_parameters(module, recipe)
    return Trainer(
        Alone(),
        module,
        module,
        build_optimizer(module, groups, recipe),
        recipe,
        heads_of(graph, recipe, None, 4),
        plan_order(42, recipe.batch, part, 1, seed=0),
        None if recipe.average is None else Average(module, recipe.average.decay),
        tuple(frozen_norms(module, recipe)),
    )


def run_of(recipe: RecipeSpec, folder: Path, **more: Any) -> Run:
    """Return a training of the small network on 42 pictures."""
    trainer = trainer_of(recipe, folder)
    assert recipe.preprocessing is not None
    frame = Frame(1, 8, 8, recipe.preprocessing)
    train = Examples(pictures(42), frame.evaluated, 0)
    val = Examples(pictures(10, seed=1), frame.evaluated, 0)
    return Run(trainer, train, val, folder, {"recipe": recipe.recipe}, Silent(), **more)


def state_of(trainer: Trainer) -> dict[str, Tensor]:
    """Return a copy of what was learnt."""
    return {name: value.clone() for name, value in trainer.module.state_dict().items()}
