"""`train` beside a plain loop of torch on the same network and pictures.

Run it as `python -m docs.training.speed`.

Both take turns, and processor time is compared, so that other work on the machine does not count.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from backends.run.optimized import optimize
from backends.torch.module import build_module
from backends.train.examples import Examples, training_parts
from backends.train.session import Options, prepare
from compiler.pipeline import load_graph, target_graph
from compiler.recipe import load_recipe
from docs.training.experiment import DIGITS, PAIR, RECORDS, processor

ROUNDS, STEPS = 15, 8


class Silent:
    """Is told and tells nobody."""

    def stepped(self, trainer: object, loss: float) -> None:
        """Say nothing."""

    def ended(self, progress: object, trainer: object) -> None:
        """Say nothing."""


def main() -> None:
    """Measure and write the record."""
    torch.set_num_threads(1)
    graph, recipe = target_graph(load_graph(PAIR[0])), load_recipe("small")
    with tempfile.TemporaryDirectory() as folder:
        made = prepare(graph, recipe, DIGITS, Options(Path(folder) / "out"), Silent())
        sides = {"train": ours(made), "plain": plain(graph, recipe, made.run.train)}
        times: dict[str, list[float]] = {name: [] for name in sides}
        for step in sides.values():
            step()
        for number in range(ROUNDS):
            for name in sorted(sides, reverse=number % 2 == 1):
                start = time.process_time()
                for _ in range(STEPS):
                    sides[name]()
                times[name].append(time.process_time() - start)
    rates = {n: STEPS * recipe.batch / statistics.median(t) for n, t in times.items()}
    ratio = statistics.median(p / t for p, t in zip(times["plain"], times["train"], strict=True))
    record = {"processor": processor(), "torch": torch.__version__, "images_per_second": rates}
    record["ratio"] = ratio
    text = json.dumps(record, indent=1) + "\n"
    (RECORDS / "speed.json").write_text(text, encoding="utf-8")
    print(text)


def ours(made: Any) -> Callable[[], object]:
    """Return one step of a training."""
    trainer = made.run.trainer
    parts = training_parts(made.run.train, trainer.order, (0, 10**6))
    return lambda: trainer.step([next(parts)])


def plain(graph: Any, recipe: Any, examples: Examples) -> Callable[[], object]:
    """Return one step of the loop that people write."""
    module = optimize(build_module(graph)).for_training(native=False)
    optimizer = torch.optim.SGD(
        module.parameters(), recipe.rate, momentum=0.9, nesterov=True,
        weight_decay=recipe.weight_decay,
    )  # fmt: skip
    keys: Any = [(0, index) for index in torch.randperm(len(examples.pictures)).tolist()]
    loader = DataLoader(examples, batch_size=recipe.batch, sampler=keys, drop_last=True)

    def forever() -> Iterator[Any]:
        while True:
            yield from loader

    batches = forever()

    def step() -> None:
        inputs, labels = next(batches)
        inputs = inputs.to(memory_format=torch.channels_last)
        loss = F.cross_entropy(module(inputs), labels, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
