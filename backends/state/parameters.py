"""Parameters of an optimised graph, made by its derivations from those of the original."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from compiler.errors import BackendError
from compiler.graph import Derivation, Folded, Graph, Read, Scaled, Stacked, Zeros

State = Mapping[str, Tensor]


def convert_state(graph: Graph, state: State) -> dict[str, Tensor]:
    """Return the parameters of an optimised graph, in the dtype of the originals.

    Args:
        graph: what passes made; its derivations define what to compute.
        state: the `state_dict` of a module of the graph before the passes.

    Arithmetic is in float64, so folding rounds once.

    Raises:
        BackendError: `state` lacks a parameter that the graph needs.
    """
    out: dict[str, Tensor] = {}
    for node in graph.nodes.values():
        for part in node.op.parameter_names:
            name = f"{node.share or node.name}.{part}"
            derivation = graph.derivations.get(name, Read(name))
            if isinstance(derivation, Read):
                out[name] = _read(state, derivation.name)
            else:
                dtype = next(v.dtype for v in state.values() if v.is_floating_point())
                out[name] = make_parameter(derivation, state).to(dtype)
    return out


def make_parameter(derivation: Derivation, state: State) -> Tensor:
    """Return one parameter in float64.

    Raises:
        BackendError: `state` lacks a parameter that the derivation reads.
    """
    match derivation:
        case Read(name):
            return _read(state, name).detach().double()
        case Zeros(count):
            return torch.zeros(count, dtype=torch.float64)
        case Scaled(value, factor):
            return make_parameter(value, state) * factor
        case Stacked(parts):
            return torch.cat([make_parameter(part, state) for part in parts])
        case Folded():
            return _fold(derivation, state)


def _fold(derivation: Folded, state: State) -> Tensor:
    def norm(part: str) -> Tensor:
        return _read(state, f"{derivation.norm}.{part}").detach().double()

    value = make_parameter(derivation.value, state)
    gain = (norm("running_var") + derivation.eps).rsqrt()
    if "weight" in derivation.learned:
        gain = gain * norm("weight")
    if derivation.part == "weight":
        return value * gain.view(-1, *[1] * (value.dim() - 1))
    shifted = (value - norm("running_mean")) * gain
    return shifted + norm("bias") if "bias" in derivation.learned else shifted


def _read(state: State, name: str) -> Tensor:
    if name not in state:
        raise BackendError(f"the weights hold no `{name}`, which the graph needs")
    return state[name]
