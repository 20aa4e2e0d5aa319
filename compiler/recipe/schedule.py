"""The learning rate at a step: a function of the step alone, so that nothing of it is saved."""

from __future__ import annotations

from math import cos, pi

from compiler.recipe.model import CosineSpec, ExponentialSpec, RecipeSpec


def rate_at(recipe: RecipeSpec, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step.

    Args:
        recipe: with `rate`, `warmup`, `schedule` and `epochs`.
        step: from 0.
        steps_per_epoch: how many steps an epoch has.
    """
    rising = round(recipe.warmup * steps_per_epoch)
    if step < rising:
        return recipe.rate * (step + 1) / rising
    if recipe.schedule.exponential is not None:
        return recipe.rate * _exponential(recipe.schedule.exponential, step, steps_per_epoch)
    if recipe.schedule.cosine is not None:
        last = max(recipe.epochs * steps_per_epoch, rising + 1)
        return _cosine(recipe.schedule.cosine, recipe.rate, (step - rising) / (last - rising))
    return recipe.rate


def _exponential(schedule: ExponentialSpec, step: int, steps_per_epoch: int) -> float:
    """Return what the rate is multiplied by: TensorFlow's `exponential_decay`, `staircase=True`."""
    return float(schedule.factor ** (step // max(int(steps_per_epoch * schedule.every), 1)))


def _cosine(schedule: CosineSpec, rate: float, share: float) -> float:
    """Return the rate at a share of the way: Loshchilov and Hutter (arXiv 1608.03983), eq. 5."""
    return schedule.end + (rate - schedule.end) * (1 + cos(pi * share)) / 2
