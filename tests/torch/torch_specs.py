"""Small specs for the tests of the torch backend, and the networks made from them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import torch
from torch import Tensor, nn

from backends.torch.module import build_module
from compiler.graph import Graph
from compiler.pipeline import load_graph
from compiler.spec import shipped_files

SPECS = Path(__file__).parents[2] / "specs"
PRINTED_WRONG = {"printed/inception_v4", "printed/inception_resnet_v2"}
"""Specs that must not build: their figures are inconsistent."""


def shipped() -> list[str]:
    """Return the names of all shipped networks that build."""
    names = []
    for path in shipped_files():
        name = path.relative_to(SPECS).with_suffix("").as_posix()
        if "blocks/" not in name and name != "errata" and name not in PRINTED_WRONG:
            names.append(name)
    return names


def graph_of_text(text: str, settings: Mapping[str, str] | None = None) -> Graph:
    """Return the graph of a spec given as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.yaml"
        path.write_text(dedent(text).lstrip())
        return load_graph(path, settings or {})


def module_of(text: str, **settings: str) -> nn.Module:
    """Return the module of a spec given as text, in evaluation mode."""
    return build_module(graph_of_text(text, settings)).eval()


def parameters(module: nn.Module) -> int:
    """Return the number of learnable elements, shared ones once."""
    return sum(p.numel() for p in module.parameters())


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Return a tensor of unit normals."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fill(module: nn.Module, **values: float) -> None:
    """Set whole tensors of the state_dict, named with `__` for a dot, to one number each."""
    state = dict(module.state_dict())
    with torch.no_grad():
        for name, value in values.items():
            state[name.replace("__", ".")].fill_(value)
