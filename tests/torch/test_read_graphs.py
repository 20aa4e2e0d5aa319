"""A module built of a graph that was printed and read again: the same parameters and numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backends.torch.module import build_module
from compiler.graph.parse import parse_graph
from compiler.graph.print import print_graph
from compiler.ops import OPS
from compiler.pipeline import load_graph

FOLDER = Path(__file__).parents[1] / "every_target" / "networks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_module_of_a_graph_that_was_read(path: Path) -> None:
    graph = load_graph(path)
    module = build_module(graph).eval()
    again = build_module(parse_graph(print_graph(graph), OPS)).eval()
    again.load_state_dict(module.state_dict())
    shapes = [graph.nodes[name].shape for name in graph.inputs]
    sizes = [[d if isinstance(d, int) else 32 for d in shape] for shape in shapes]  # open: 32
    pictures = [torch.randn(2, *size, generator=torch.manual_seed(0)) for size in sizes]
    with torch.no_grad():
        torch.testing.assert_close(again(*pictures), module(*pictures), rtol=0, atol=0)
