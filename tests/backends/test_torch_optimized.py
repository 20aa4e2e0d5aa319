"""The source of an optimised network: it runs, and it computes what the network computes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from backends.parameters import convert_state
from backends.torch.module import build_module
from backends.unit_scale import check_unit_scale, randomize
from compiler.build import load_graph
from compiler.optimize import optimize_graph


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "spec", ["inception_v4", "inception_resnet_v1", "inception_resnet_v2", "zoo/googlenet"]
)
def test_optimized_source_computes_the_same(spec: str) -> None:
    graph = load_graph(spec, inputs=["3x107x139"])
    module = build_module(graph)
    x = torch.randn(2, 3, 107, 139, generator=torch.Generator().manual_seed(1))
    randomize(module, 0, x)
    optimized = optimize_graph(graph)
    fast = build_module(optimized).double().eval()
    state = {name: value.double() for name, value in module.state_dict().items()}
    fast.load_state_dict(convert_state(optimized, state), strict=False)
    with torch.no_grad():
        want, got = module.double().eval()(x.double()), fast(x.double())
    check_unit_scale(want)
    assert float((got - want).abs().max() / want.abs().max()) < 1e-9
    assert not [n for n, m in fast.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
