"""The source of an optimised network: it runs, and it computes what the network computes."""

from __future__ import annotations

import pytest
import torch

from backends.state.parameters import convert_state
from backends.state.unit_scale import check_unit_scale, randomize
from backends.torch.module import build_module
from compiler.passes.optimizer import TRAINING_PASSES, optimize_graph
from compiler.pipeline import load_graph

pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_training_passes_keep_parameters_values_and_gradients() -> None:
    graph = load_graph("inception_v4", inputs=["3x107x107"])
    plain = build_module(graph)
    x = torch.randn(3, 3, 107, 107, generator=torch.Generator().manual_seed(1))
    randomize(plain, 0, x)
    trained = build_module(optimize_graph(graph, TRAINING_PASSES))
    trained.load_state_dict(plain.state_dict())  # the same names: checkpoints fit both
    moved = trained.get_submodule("a.0.pool.conv_1x1")
    assert [name for name, _ in moved.named_children()] == ["conv", "avg_pool_3x3", "norm", "act"]
    results = []
    for module in (plain, trained):
        module.double().train()
        torch.manual_seed(5)  # the same units drop out
        output = module(x.double())
        torch.autograd.backward(output.square().sum())
        gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
        results.append((output.detach(), gradients))
    (want, want_gradients), (got, gradients) = results
    check_unit_scale(want)
    assert float((got - want).abs().max() / want.abs().max()) < 1e-9
    assert want_gradients.keys() == gradients.keys() == dict(plain.named_parameters()).keys()
    for name, gradient in want_gradients.items():
        assert float((gradients[name] - gradient).abs().max() / gradient.abs().max()) < 1e-9, name
