"""A small network, and recipes for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from compiler.recipe import RecipeSpec, load_recipe

NETWORK = """\
network: small
input: {image: [1, 8, 8]}
params: {classes: 4}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 8, name: stem}
  - {conv: 3x3, filters: 8, stride: 2, name: body}
  - {dropout: {keep: 0.8}}
  - global_avg_pool
  - {linear: classes, name: logits}
"""
RECIPE = """\
recipe: small
batch: {batch}
epochs: {epochs}
rate: 0.1
optimizer: {optimizer}
schedule: cosine
preprocessing: {{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5], interpolation: bilinear}}
"""


def recipe_text(more: str = "", *, optimizer: str = "sgd", batch: int = 8, epochs: int = 2) -> str:
    """Return a recipe's text."""
    return RECIPE.format(optimizer=optimizer, batch=batch, epochs=epochs) + more


def recipe_of(
    more: str = "", *, optimizer: str = "sgd", batch: int = 8, epochs: int = 2
) -> RecipeSpec:
    """Return a recipe with further lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.yaml"
        path.write_text(recipe_text(more, optimizer=optimizer, batch=batch, epochs=epochs))
        return load_recipe(path)
