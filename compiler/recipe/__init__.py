"""How a network is trained, as data: the file of a recipe -> a checked model. Knows no tensors."""

from __future__ import annotations

from compiler.recipe.model import (
    AdamwSpec,
    AugmentSpec,
    OptimizerSpec,
    RecipeSpec,
    RmspropSpec,
    ScheduleSpec,
    SgdSpec,
)
from compiler.recipe.read import find_recipe, load_recipe, read_recipe
from compiler.recipe.schedule import rate_at

__all__ = [
    "AdamwSpec",
    "AugmentSpec",
    "OptimizerSpec",
    "RecipeSpec",
    "RmspropSpec",
    "ScheduleSpec",
    "SgdSpec",
    "find_recipe",
    "load_recipe",
    "rate_at",
    "read_recipe",
]
