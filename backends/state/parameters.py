"""Parameters of an optimised graph, made by its recipes from those of the original."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from compiler.errors import BackendError
from compiler.graph import Folded, Graph, Read, Recipe, Scaled, Stacked, Zeros

State = Mapping[str, Tensor]


def convert_state(graph: Graph, state: State) -> dict[str, Tensor]:
    """Return the parameters of an optimised graph, in the dtype of the originals.

    Args:
        graph: what passes made; its recipes say what to compute.
        state: the `state_dict` of a module of the graph before the passes.

    Arithmetic is in float64, so folding rounds once.

    Raises:
        BackendError: `state` lacks a parameter that the graph needs.
    """
    out: dict[str, Tensor] = {}
    for node in graph.nodes.values():
        for part in node.op.parameter_names:
            name = f"{node.share or node.name}.{part}"
            recipe = graph.recipes.get(name, Read(name))
            if isinstance(recipe, Read):
                out[name] = _read(state, recipe.name)
            else:
                dtype = next(v.dtype for v in state.values() if v.is_floating_point())
                out[name] = make_parameter(recipe, state).to(dtype)
    return out


def make_parameter(recipe: Recipe, state: State) -> Tensor:
    """Return one parameter in float64.

    Raises:
        BackendError: `state` lacks a parameter that the recipe reads.
    """
    match recipe:
        case Read(name):
            return _read(state, name).detach().double()
        case Zeros(count):
            return torch.zeros(count, dtype=torch.float64)
        case Scaled(value, factor):
            return make_parameter(value, state) * factor
        case Stacked(parts):
            return torch.cat([make_parameter(part, state) for part in parts])
        case Folded():
            return _fold(recipe, state)


def _fold(recipe: Folded, state: State) -> Tensor:
    def norm(part: str) -> Tensor:
        return _read(state, f"{recipe.norm}.{part}").detach().double()

    value = make_parameter(recipe.value, state)
    gain = (norm("running_var") + recipe.eps).rsqrt()
    if "weight" in recipe.learned:
        gain = gain * norm("weight")
    if recipe.part == "weight":
        return value * gain.view(-1, *[1] * (value.dim() - 1))
    shifted = (value - norm("running_mean")) * gain
    return shifted + norm("bias") if "bias" in recipe.learned else shifted


def _read(state: State, name: str) -> Tensor:
    if name not in state:
        raise BackendError(f"the weights hold no `{name}`, which the graph needs")
    return state[name]
