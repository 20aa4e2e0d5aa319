"""A network, a recipe and pictures -> a training that is ready to run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backends.run.optimized import optimize
from backends.state.fit_weights import load_weights, notes_of
from backends.state.weights_io import save_weights
from backends.torch.init import initialize
from backends.torch.module import build_module
from backends.train import checkpoint
from backends.train.average import Average
from backends.train.blocks import forget_activations
from backends.train.engine import start_engine
from backends.train.examples import Examples
from backends.train.heads import heads_of
from backends.train.loop import Run, Watcher
from backends.train.order import plan_order
from backends.train.parameters import (
    build_optimizer,
    frozen_norms,
    prepare_parameters,
)
from backends.train.pictures import Data, open_data
from backends.train.step import Trainer
from backends.train.transforms import Frame, training_transform
from compiler.errors import UsageError
from compiler.facts.class_output import picture_size
from compiler.graph import Graph
from compiler.graph.print import print_graph
from compiler.recipe import RecipeSpec
from compiler.weights.mapping import Preprocessing, WeightMap
from compiler.weights.notes import Notes
from compiler.weights.report import WeightsReport

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Start:
    """The weights that a training begins with."""

    file: Path
    map: WeightMap | None = None
    partial: bool = False
    drop_background: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What a training is told besides network, recipe and pictures."""

    folder: Path
    seed: int = 0
    start: Start | None = None
    output: str | None = None
    device: str = "cpu"
    precision: str = "32"
    part: int | None = None
    workers: int = 0
    compile: bool = False
    forget: bool = False
    sharded: bool = False
    save_every: int | None = None
    resume: bool = False


@dataclass(slots=True)
class Session:
    """A training that is ready to run, and what is told of it."""

    run: Run
    graph: Graph
    data: Data
    frame: Frame
    frame_source: str
    """Where the preprocessing comes from."""
    report: WeightsReport | None
    forgetting: int = 0
    """Blocks that compute their activations twice."""

    @property
    def is_first(self) -> bool:
        """True in the process that writes and prints."""
        return bool(self.run.trainer.engine.global_rank == 0)

    def save_weights(self) -> Path:
        """Write the weights that evaluation uses, with what they expect of a picture.

        Every process has to call it; the first one writes.
        """
        trainer, path = self.run.trainer, self.run.folder / WEIGHTS
        state = {name: checkpoint.whole(v) for name, v in trainer.module.state_dict().items()}
        if trainer.average is not None:
            state |= {name: checkpoint.whole(v) for name, v in trainer.average.values.items()}
        if self.is_first:
            source = f"trained by the recipe {trainer.recipe.recipe}, {trainer.steps:,} steps"
            notes = Notes("", source, self.frame.how, tuple(self.data.train.classes))
            save_weights(state, path, notes.as_metadata())
        return path

    def leave(self) -> None:
        """Leave the group of processes, all at once: none is gone that another waits for."""
        if self.run.trainer.engine.world_size > 1:
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()


def prepare(
    graph: Graph, recipe: RecipeSpec, place: str, options: Options, watcher: Watcher
) -> Session:
    """Return a training that is ready to run; nothing is written yet.

    Args:
        graph: what `target_graph` returned.
        recipe: how it is trained.
        place: of the pictures, see `open_data`.
        options: everything else.
        watcher: is told how it goes on.

    Raises:
        BackendError: the weights do not fit, or the network does not fit into memory.
        UsageError: pictures, recipe and network do not go together; the message says which.
    """
    _check_folder(options)
    picture_size(graph)
    data = open_data(place)
    heads = heads_of(graph, recipe, options.output, len(data.train.classes))
    engine = start_engine(options.device, options.precision, sharded=options.sharded)
    if options.sharded and len(data.val) < engine.world_size:
        raise UsageError(
            f"--sharded: each of {engine.world_size} processes takes part in the evaluation, and "
            f"there are {len(data.val)} pictures for it"
        )
    order = plan_order(len(data.train), recipe.batch, options.part, engine.world_size, options.seed)
    module, report = _module(graph, options)
    frame, source = _frame(graph, recipe, options, report)
    groups = prepare_parameters(module, recipe)
    forgetting = forget_activations(module) if options.forget else 0
    model = engine.setup_module(_compiled(module) if options.compile else module)
    optimizer = engine.setup_optimizers(build_optimizer(module, groups, recipe))
    average = None if recipe.average is None else Average(module, recipe.average.decay)
    trainer = Trainer(
        engine,
        model,
        module,
        optimizer,
        recipe,
        heads,
        order,
        average,
        tuple(frozen_norms(module, recipe)),
        scaler=getattr(engine.strategy.precision, "scaler", None),
        is_sharded=options.sharded,
    )
    run = Run(
        trainer,
        Examples(data.train, training_transform(frame, recipe.augment), options.seed),
        Examples(data.val, frame.evaluated, options.seed),
        options.folder,
        _subject(graph, recipe, data, frame, options.seed),
        watcher,
        options.workers,
        options.save_every,
    )
    if options.resume:
        run.resume()
    return Session(run, graph, data, frame, source, report, forgetting)


def _check_folder(options: Options) -> None:
    there = (options.folder / checkpoint.FILE).exists()
    if there and not options.resume:
        raise UsageError(
            f"{options.folder} holds the checkpoint of a training; --resume goes on with it, -o "
            "names another folder"
        )
    if options.resume and not there:
        raise UsageError(
            f"{options.folder} holds no checkpoint to go on from; leave --resume out to begin"
        )


def _module(graph: Graph, options: Options) -> tuple[nn.Module, WeightsReport | None]:
    """Return the network as a module for training, and what became of a file's weights."""
    start, report = options.start, None
    module = build_module(graph, seed=options.seed if start is None else None)
    if start is not None:
        report = load_weights(
            module,
            start.file,
            start.map,
            graph=graph,
            partial=start.partial,
            drop_background=start.drop_background,
        )
        initialize(module, options.seed, report.loaded)
    # Without our own kernels: what they measure at the first step decides how they compute, and
    # numbers would depend on it.
    return optimize(module).for_training(native=False), report


def _compiled(module: nn.Module) -> nn.Module:
    compiled: Any = torch.compile(module)
    out: nn.Module = compiled
    return out


def _frame(
    graph: Graph, recipe: RecipeSpec, options: Options, report: WeightsReport | None
) -> tuple[Frame, str]:
    """Return how a picture becomes the input, and what says so: the weights before the recipe."""
    how: Preprocessing | None = None
    source = ""
    if report is not None and options.start is not None:
        how, source = notes_of(report).preprocessing, str(options.start.file)
    if how is None:
        how, source = recipe.preprocessing, f"the recipe `{recipe.recipe}`"
    if how is None:
        raise UsageError(
            f"neither the recipe `{recipe.recipe}` nor weights say how a picture becomes the "
            "input; write `preprocessing: {mean, deviation, interpolation, crop}` in the recipe"
        )
    (name,) = graph.inputs
    channels, height, width = graph.nodes[name].shape.numbers
    return Frame(channels, height, width, how), source


def _subject(
    graph: Graph, recipe: RecipeSpec, data: Data, frame: Frame, seed: int
) -> dict[str, Any]:
    """Return what has to be the same where a training goes on."""
    own = recipe.model_dump(exclude={"doc", "sources", "cite", "preprocessing"})
    return {
        "network": f"{graph.name}, {_digest(print_graph(graph))}",
        "number of epochs": recipe.epochs,
        "batch": recipe.batch,
        "rate": recipe.rate,
        "recipe": f"{recipe.recipe}, {_digest(json.dumps(own, sort_keys=True))}",
        "number of pictures": len(data.train),
        "list of classes": _digest(json.dumps(list(data.train.classes))),
        "preprocessing": frame.how.words,
        "seed": seed,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
