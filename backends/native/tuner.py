"""How each product is computed fastest on this processor: measured, equal products once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod

import torch

from backends.native.groups import Loop, Product
from backends.native.plan import Choice, NativePlan, candidates
from backends.native.steps import table_of
from backends.native.weights import Method, parts_of
from backends.winograd import Variant

Choices = dict[str, str]
"""Node name -> the text of a choice."""

_ROUNDS = 3
_SWEEP_FLOATS = 16 << 20
"""What is written between two measured runs: more than a last-level cache holds for us."""
_LEAST_PIXELS = 18
"""Pixels or tiles of one task: two or three blocks, for the weights are read once per task."""
_TILE_PIXELS = 32
"""Pixels that matrix tiles compute at a time: a block."""
_TILE_INPUT = 1 << 18
"""Values that a task of matrix tiles reads: half a megabyte."""
_TASK_COST = 0.25
"""What a task costs besides its blocks, in blocks."""
_POINT_FLOATS = 1 << 17
"""Transformed inputs of one task."""
_CACHE_FLOATS = 100_000
"""Input pixels of one task: what stays in a core's second-level cache beside the weights."""


class Tuner:
    """Chooses for every product what measures fastest; equal products are measured once."""

    def __init__(
        self, plan: NativePlan, rounding: Method, known: Mapping[str, str], growth: float
    ) -> None:
        self.plan = plan
        self.growth = growth
        self.rounding = rounding
        self.known = known
        self.texts: Choices = {}
        self.measured: dict[object, Choice] = {}
        self.sweep = cache_sweep()
        # Measured on whatever is in the arena, so it must be ordinary numbers.
        plan.memory.arena[:] = 0.25  # not zero and not denormal: either would mislead the clock

    def choose(self, loop: Loop) -> Choice | None:
        """Return the choice for a product, None for other loops."""
        if not isinstance(loop, Product):
            return None
        choices = list(self.possible(loop))
        text = self.known.get(loop.node.name)
        # A choice that no longer exists, of an older version, is measured again.
        found = next((choice for choice in choices if choice.text == text), None)
        choice = found or self.measure(loop, choices)
        self.texts[loop.node.name] = choice.text
        return choice

    def possible(self, loop: Product) -> Iterator[Choice]:
        """Yield the ways to compute a product."""
        plan, threads = self.plan, self.plan.threads
        pixels = prod(loop.node.shape.numbers[1:])
        channels = plan.graph.nodes[loop.source].shape.numbers[0]
        for method in self.methods(loop):
            shares = len(plan.panels.split(loop, method)) * plan.batch
            if plan.library.has_tiles and parts_of(method):
                yield Choice(method, *self.tile_tasks(loop, method))
                continue
            # At least 48 pixels: with very wide inputs a task would else be mostly overhead.
            most = max(48, _CACHE_FLOATS // channels)
            yield Choice(method, task_size(pixels, shares, threads, most))
        # Winograd computes in float32, which cannot compete with matrix tiles in bfloat16.
        if plan.library.has_tiles and self.rounding == torch.bfloat16:
            return
        for variant in candidates(plan.graph, loop.node):
            # Packed filters have one value per point instead of one per tap.
            if prod(variant.points) / prod(variant.kernel) > self.growth:
                continue
            yield Choice(
                variant, tiles_per_task(plan.tiles(loop, variant), channels, variant, threads)
            )

    def tile_tasks(self, loop: Product, method: Method) -> tuple[int, int]:
        """Return the chunk and the groups of a product by matrix tiles."""
        plan = self.plan
        weight = plan.panels.weight(loop)
        return tile_tasks(
            pixels=prod(loop.node.shape.numbers[1:]),
            panels=len(plan.panels.split(loop, method)),
            batch=plan.batch,
            threads=plan.threads,
            weights=weight.numel(),
            inputs=prod(plan.graph.nodes[loop.source].shape.numbers),
            depth=parts_of(method) * prod(weight.shape[1:]),
        )

    def methods(self, loop: Product) -> Iterator[Method]:
        """Yield the ways to compute a product directly.

        Where there are matrix tiles, bfloat16 alone but for what is in float32 anyway: a product
        that is faster in float32 would have all others write for it in both.
        """
        library = self.plan.library
        rounds = self.plan.memory.rounding.may_round(loop.source)
        if not (self.rounding == torch.bfloat16 and library.has_tiles and rounds):
            yield torch.float32
        if (False, library.has_bfloat16, library.has_tiles)[parts_of(self.rounding)]:
            yield self.rounding

    def measure(self, loop: Product, choices: Sequence[Choice]) -> Choice:
        """Return the fastest choice."""
        source = self.plan.graph.nodes[loop.source].shape
        # What the time depends on: operation, input shape, epilogue; not the weights' values.
        parts = tuple((s.stop - s.start, s.relu, s.add is None) for s in loop.segments)
        key = (loop.node.op, source, parts)
        if key not in self.measured:
            self.plan.memory.reserve(
                max(self.plan.scratch_floats(loop, choice) for choice in choices)
            )
            runs = [self.runner(loop, choice) for choice in choices]
            seconds = [
                # The minimum: noise of other processes only ever adds time.
                min(times)
                for times in zip(*(self.round(runs) for _ in range(_ROUNDS)), strict=True)
            ]
            self.measured[key] = choices[seconds.index(min(seconds))]
            # Candidates' packed weights go at once: for all products together they are gigabytes.
            self.plan.forget()
        return self.measured[key]

    def round(self, runs: Sequence[Callable[[], float]]) -> list[float]:
        """Return the seconds of every run, each with weights that are in no cache.

        So it is in a network, where all other weights were read since; and Winograd's filters,
        which take several times the memory of the weights, are not flattered.
        """
        seconds = []
        for run in runs:
            self.sweep()
            seconds.append(run())
        return seconds

    def runner(self, loop: Product, choice: Choice) -> Callable[[], float]:
        """Return a function that computes a product and returns the seconds that it took.

        It is the processor time of one thread: that hardly depends on what else runs here.
        """
        table = table_of(self.plan.steps(loop, choice))

        def run() -> float:
            start = time.thread_time()
            self.plan.library.run(table, 1)
            return time.thread_time() - start

        run()
        return run


def cache_sweep() -> Callable[[], object]:
    """Return a function that leaves nothing of ours in the caches of any core."""
    memory = torch.zeros(_SWEEP_FLOATS)
    return lambda: memory.add_(1)


def tiles_per_task(tiles: int, channels: int, variant: Variant, threads: int) -> int:
    """Return how many tiles a task takes from the input to the output.

    What they are at the points stays in a core's second-level cache, as long as a task has the
    tiles that pay for reading the filters.
    """
    most = max(_LEAST_PIXELS, _POINT_FLOATS // (channels * prod(variant.points)))
    return task_size(tiles, 1, threads, most)


def tile_tasks(
    *, pixels: int, panels: int, batch: int, threads: int, weights: int, inputs: int, depth: int
) -> tuple[int, int]:
    """Return the pixels of a task of matrix tiles, and the groups of panels to split it into.

    Where a product has more weights than inputs, a thread takes its part of the output channels
    and so of the weights; else its part of the pixels. What a task reads of the input, copied for
    each tap where need be, stays in a core's second-level cache, for every panel reads it again.

    Args:
        pixels: of the output of one image.
        panels: of output channels.
        batch: images.
        threads: that share the work.
        weights: how many values.
        inputs: how many values, of one image.
        depth: values of bfloat16 that one output takes: of all taps, in all parts.
    """
    groups = min(panels, threads) if weights > 2 * inputs * batch else 1
    blocks = -(-pixels // _TILE_PIXELS)

    def cost(size: int) -> float:
        # Whole rounds of all threads: a last round with idle threads takes as long as the others.
        tasks = -(-blocks // size) * batch * groups
        return -(-tasks // threads) * (size + _TASK_COST)

    enough = blocks * batch * groups // (3 * threads)  # a slower thread leaves some to others
    fitting = _TILE_INPUT // (_TILE_PIXELS * depth)
    most = max(1, min(blocks, enough, fitting))
    return min(range(1, most + 1), key=cost) * _TILE_PIXELS, groups


def task_size(count: int, shares: int, threads: int, most: int = 1 << 30) -> int:
    """Return into how large parts to cut `count` pixels or tiles, each times `shares`.

    Some parts for each thread, so that none waits long for a slower one; but no smaller than
    pays, and as many for one thread as for another.
    """
    least = max(-(-threads // shares), -(-count // most))
    parts = max(least, min(-(-4 * threads // shares), count // _LEAST_PIXELS))
    # A few parts more may divide evenly among the threads, so that none idles in the last round.
    parts = min(range(parts, parts + threads), key=lambda n: (_rounds(n * shares, threads), n))
    return -(-count // parts)


def _rounds(tasks: int, threads: int) -> float:
    """Return the time of equal tasks on so many threads, in that of a perfect share."""
    return -(-tasks // threads) * threads / tasks
