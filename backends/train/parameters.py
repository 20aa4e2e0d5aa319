"""Which parameters are trained, and how: groups for an optimiser, made by paths and by kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from backends.train.rmsprop import RMSpropTF
from compiler.errors import UsageError, did_you_mean
from compiler.recipe import RecipeSpec

BASE = "base"
"""The key of a group under which the factor of its learning rate is."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that are treated alike."""

    factor: float
    """What the learning rate is multiplied by."""
    decays: bool
    names: tuple[str, ...]


def is_norm(layer: nn.Module) -> bool:
    """True for a batch norm, of torch or of our own kernels."""
    return isinstance(layer, _NormBase)


def matches(path: str, pattern: str) -> bool:
    """True where a pattern is a layer's path, that of a block around it, or matches one of them.

    >>> matches("stem.conv_1a.conv", "stem"), matches("stem.conv_1a.conv", "stem.conv_*")
    (True, True)
    >>> matches("stem_b.conv", "stem")
    False
    """
    return any(fnmatchcase(step, pattern) for step in _steps(path))


def _steps(path: str) -> list[str]:
    """Return a path and those of all that is around it: `a`, `a.b`, `a.b.c`."""
    names = path.split(".")
    return [".".join(names[: n + 1]) for n in range(len(names))]


def prepare_parameters(module: nn.Module, recipe: RecipeSpec) -> tuple[Group, ...]:
    """Freeze what a recipe freezes, and return the others in groups.

    Raises:
        UsageError: a pattern of the recipe meets no layer, or nothing is left to train.
    """
    paths = [name for name, layer in module.named_modules() if name and _has_own(layer)]
    _check_patterns(recipe, paths)
    norms = {name for name, layer in module.named_modules() if is_norm(layer)}
    found: dict[tuple[float, bool], list[str]] = {}
    for name, parameter in module.named_parameters():
        layer, _, leaf = name.rpartition(".")
        frozen = any(matches(layer, pattern) for pattern in recipe.freeze)
        frozen |= recipe.norms == "frozen" and layer in norms
        parameter.requires_grad_(not frozen)
        if not frozen:
            decays = recipe.decay_on == "all" or (layer not in norms and leaf != "bias")
            found.setdefault((_factor(layer, recipe), decays), []).append(name)
    if not found:
        raise UsageError(
            f"the recipe `{recipe.recipe}` freezes every layer: nothing is left to train"
        )
    return tuple(Group(factor, decays, tuple(names)) for (factor, decays), names in found.items())


def _has_own(layer: nn.Module) -> bool:
    return next(layer.parameters(recurse=False), None) is not None


def _factor(layer: str, recipe: RecipeSpec) -> float:
    """Return what a layer's rate is multiplied by: the last pattern that meets it says it."""
    found = [f for pattern, f in (recipe.rates or {}).items() if matches(layer, pattern)]
    return found[-1] if found else 1.0


def _check_patterns(recipe: RecipeSpec, paths: list[str]) -> None:
    for key, patterns in (("freeze", recipe.freeze), ("rates", recipe.rates or {})):
        for pattern in patterns:
            if not any(matches(path, pattern) for path in paths):
                places = {step for path in paths for step in _steps(path)}
                guess = did_you_mean(pattern, sorted(places))
                raise UsageError(
                    f"`{key}` of the recipe `{recipe.recipe}`: `{pattern}` is no layer or block "
                    f"of the network that has parameters{guess}"
                )


def frozen_norms(module: nn.Module, recipe: RecipeSpec) -> Iterator[nn.Module]:
    """Yield the norms that keep their running statistics while the rest is trained."""
    for name, layer in module.named_modules():
        if is_norm(layer) and (
            recipe.norms == "frozen" or any(matches(name, pattern) for pattern in recipe.freeze)
        ):
            yield layer


def build_optimizer(module: nn.Module, groups: tuple[Group, ...], recipe: RecipeSpec) -> Optimizer:
    """Return the recipe's optimiser of the parameters in groups; `set_rate` gives it its rate."""
    by_name = dict(module.named_parameters())
    made: list[dict[str, Any]] = [
        {
            "params": [by_name[name] for name in group.names],
            "weight_decay": recipe.weight_decay if group.decays else 0.0,
            BASE: group.factor,
        }
        for group in groups
    ]
    chosen = recipe.optimizer
    if chosen.rmsprop is not None:
        own = chosen.rmsprop
        return RMSpropTF(
            made, recipe.rate, decay=own.decay, epsilon=own.epsilon, momentum=own.momentum
        )
    if chosen.adamw is not None:
        betas = (chosen.adamw.beta1, chosen.adamw.beta2)
        return torch.optim.AdamW(made, recipe.rate, betas, chosen.adamw.epsilon)
    assert chosen.sgd is not None
    nesterov = chosen.sgd.nesterov
    return torch.optim.SGD(made, recipe.rate, chosen.sgd.momentum, nesterov=nesterov)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group its learning rate: that of the step, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[BASE]
