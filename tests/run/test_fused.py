"""Convolutions with what follows them in one call, and the CUDA graph that is made of them.

There is no GPU where the tests run. cuDNN's two functions are stood for by what their
documentation says, under their own names and schemas; recording by running again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from backends.run.flat_module import build_flat_module
from backends.run.fused import WAYS, choose_ways, fuse, separate
from backends.run.optimized import optimize
from backends.run.targets import Request
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from tests.passes.random_specs import graph_of

SPEC = """
network: small
input: {image: [3, 19, 17]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 16, stride: 2, padding: V}
  - branches:
      one: [{conv: 1x1, filters: 8}, {conv: 3x3, filters: 12}]
      two: [{conv: 1x1, filters: 8}, {conv: 1x7, filters: 8}, {conv: 7x1, filters: 16}]
    join: concat
  - residual:
      body: [{conv: 1x1, filters: 28, norm: none, activation: none, bias: true}]
      scale: 0.2
      activation: relu
  - {conv: 1x1, filters: 10, norm: none, activation: none, bias: false}
  - {conv: 1x1, filters: 10, activation: elu}
  - global_avg_pool
  - {linear: 5}
"""

pytestmark = pytest.mark.usefixtures("one_thread")


def images(count: int) -> Tensor:
    return torch.randn(count, 3, 19, 17, generator=torch.Generator().manual_seed(count))


@pytest.fixture(scope="module")
def request_() -> Request:
    module: nn.Module = build_module(graph_of(SPEC))
    randomize(module, 0, images(4))
    own = optimize(module)
    return Request(
        own.graph, own.state, (own.plain, own.plain_state), (images(2),), torch.float32, own.passes
    )


@pytest.fixture
def network(request_: Request) -> fx.GraphModule:
    return build_flat_module(request_.graph, request_.state)


@pytest.fixture
def cudnn() -> Iterator[dict[str, Callable[..., Tensor]]]:
    """Let the CPU have cuDNN's functions; a test may put others in their place."""

    def relu(x: Tensor, weight: Tensor, bias: Tensor | None, *window: Any) -> Tensor:
        return F.conv2d(x, weight, bias, *window).relu()

    def add_relu(
        x: Tensor, weight: Tensor, z: Tensor, alpha: float, bias: Tensor | None, *window: Any
    ) -> Tensor:
        return (F.conv2d(x, weight, bias, *window) + alpha * z).relu()

    functions: dict[str, Callable[..., Tensor]] = {"relu": relu, "add_relu": add_relu}
    make: Any = torch.library.Library
    library = make("aten", "IMPL")
    for name in functions:
        library.impl(f"cudnn_convolution_{name}", lambda *a, name=name: functions[name](*a), "CPU")
    yield functions
    library._destroy()


def quickest(*names: str) -> Callable[[Callable[[], Tensor]], float]:
    """Return a clock by which these ways are the quicker, the earlier they are named."""

    def clock(run: Callable[[], Tensor]) -> float:
        called: list[str] = []

        def watched(name: str, way: Callable[..., Tensor]) -> Callable[..., Tensor]:
            def call(*operands: Any) -> Tensor:
                called.append(name)
                return way(*operands)

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name, way in list(WAYS.items()):
                patch.setitem(WAYS, name, watched(name, way))
            run()
        return float([*names, *called].index(called[0])) if called else len(names)

    return clock


def close(made: object, wanted: Tensor) -> bool:
    assert isinstance(made, Tensor)
    assert float(wanted.std()) > 0.05
    return float((made - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_every_convolution_takes_the_sum_and_relu_that_alone_read_it(
    network: fx.GraphModule,
) -> None:
    with torch.no_grad():
        wanted = network(images(2))
    fuse(network)
    left = [node.target for node in network.graph.nodes if node.op == "call_function"]
    assert left.count(separate) == 8
    assert not {F.conv2d, torch.relu}.intersection(left)
    found = {
        str(n.args[1].target): (n.args[3] is not None, n.args[4])
        for n in network.graph.nodes
        if n.target is separate
    }
    assert sorted(found.values()) == [(False, False)] * 2 + [(False, True)] * 5 + [(True, True)]
    with torch.no_grad():
        assert close(network(images(2)), wanted)


NOT_FUSED = """
network: kept
input: {image: [4, 6, 6]}
layers:
  - {conv: 3x3, filters: 4, bias: true, name: a}
  - {relu: true, name: b}
  - {add: [a, b], name: sum}
outputs: [sum]
"""


def test_what_others_read_too_stays() -> None:
    module = build_module(graph_of(NOT_FUSED))
    own = optimize(module)
    network = build_flat_module(own.graph, own.state)
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network(x)
        fuse(network)
        torch.testing.assert_close(network(x), wanted)
    targets = [node.target for node in network.graph.nodes]
    assert torch.relu in targets
    assert [n.args[3:5] for n in network.graph.nodes if n.target is separate] == [(None, False)]


@pytest.mark.parametrize(
    ("names", "count"), [(("cudnn",), 6), (("product",), 4), (("product", "cudnn"), 8)]
)
def test_the_quickest_way_is_taken_and_computes_the_same(
    names: tuple[str, ...],
    count: int,
    network: fx.GraphModule,
    cudnn: dict[str, Callable[..., Tensor]],
) -> None:
    with torch.no_grad():
        wanted = network(images(2))
        fuse(network)
        chosen = choose_ways(network, (images(2),), quickest(*names), {})
        made = network(images(2))
    assert sum(way in names for way in chosen.values()) == count
    used = [node.target for node in network.graph.nodes]
    assert sum(used.count(WAYS[name]) for name in names) == count
    assert close(made, wanted)


def nothing(*_: Any) -> Tensor:
    raise RuntimeError("CUDNN_STATUS_NOT_SUPPORTED")


@pytest.mark.parametrize(
    "wrong",
    [
        nothing,
        lambda x, w, b, *window: F.conv2d(x, w, b, *window),  # no ReLU
        lambda x, w, b, *window: F.conv2d(x, w, None, *window).relu(),  # no bias
        lambda x, w, b, *window: F.conv2d(x, w, b, *window).relu() * float("nan"),
    ],
)
def test_a_way_that_fails_or_is_wrong_is_not_taken(
    wrong: Callable[..., Tensor],
    network: fx.GraphModule,
    cudnn: dict[str, Callable[..., Tensor]],
) -> None:
    cudnn["relu"] = wrong
    fuse(network)
    with torch.no_grad():
        chosen = choose_ways(network, (images(2),), quickest("cudnn"), {})
    assert list(chosen.values()).count("cudnn") == 1  # the sum of the residual


def test_without_cudnn_there_are_the_other_ways(network: fx.GraphModule) -> None:
    fuse(network)
    with torch.no_grad():
        chosen = choose_ways(network, (images(2),), quickest("cudnn", "product"), {})
    assert set(chosen.values()) == {"separate", "product"}


def test_what_is_known_is_not_measured_again(request_: Request) -> None:
    def refuse(_: object) -> float:
        raise AssertionError("measured")

    def chosen(clock: Callable[..., float], known: dict[str, str]) -> dict[str, str]:
        network = build_flat_module(request_.graph, request_.state)
        fuse(network)
        with torch.no_grad():
            return choose_ways(network, (images(2),), clock, known)

    first = chosen(quickest("product"), {})
    assert chosen(refuse, first) == first
    assert chosen(quickest("product"), dict.fromkeys(first, "of an older release")) == first
