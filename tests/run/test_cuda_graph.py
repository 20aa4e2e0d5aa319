"""The CUDA graph of a network, and its branches on streams of their own.

There is no GPU where the tests run: streams and events write down what they order, and recording
is stood for by running again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import networkx as nx
import pytest
import torch
from torch import Tensor, fx, nn

from backends.run import cuda
from backends.run.flat_module import build_flat_module
from backends.run.fused import fuse
from backends.run.optimized import optimize
from backends.run.streams import OnStreams, streams_of
from backends.run.targets import Request, build_runner
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.pipeline import load_graph, target_graph
from tests.passes.random_specs import graph_of

SPEC = """
network: small
input: {image: [3, 19, 17]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 16, stride: 2, padding: V, name: stem}
  - branches:
      one: [{conv: 1x1, filters: 8, name: a}, {conv: 3x3, filters: 12, name: b}]
      two:
        - {conv: 3x3, filters: 8, name: c}
        - branches:
            left: [{conv: 1x7, filters: 8, name: d}]
            right: [{conv: 7x1, filters: 8, name: e}]
          join: concat
      pool: [{max_pool: 3x3, stride: 1, padding: same}]
    join: concat
  - residual:
      body: [{conv: 1x1, filters: 44, norm: none, activation: none, bias: true, name: f}]
      scale: 0.2
      activation: relu
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


class Order:
    """Which computations come before which, by the rules of CUDA's streams and events."""

    def __init__(self) -> None:
        self.graph: nx.DiGraph[object] = nx.DiGraph()
        self.ends: dict[int, object] = {}
        """Stream -> what was put on it last."""
        self.current = 0
        self.streams = 1
        self.made = 0

    def put(self, stream: int, what: object) -> None:
        self.graph.add_node(what)
        if stream in self.ends:
            self.graph.add_edge(self.ends[stream], what)
        self.ends[stream] = what

    def mark(self, stream: int) -> object:
        self.made += 1
        mark = ("mark", self.made)
        self.put(stream, mark)
        return mark


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Order:
    """Let streams and events write down what they order."""
    made = Order()

    class Stream:
        def __init__(self, number: int | None = None) -> None:
            if number is None:
                number = made.streams
                made.streams += 1
            self.number = number

        def wait_event(self, event: Event) -> None:
            mark = made.mark(self.number)
            made.graph.add_edge(event.at, mark)

    class Event:
        at: object = None

        def record(self, stream: Stream) -> None:
            self.at = made.mark(stream.number)

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        before, made.current = made.current, stream.number
        yield
        made.current = before

    run_node = fx.Interpreter.run_node

    def noted(self: fx.Interpreter, n: fx.Node) -> Any:
        if n.op in ("call_function", "call_module"):
            made.put(made.current, n)
        return run_node(self, n)

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: Stream(0))
    monkeypatch.setattr(fx.Interpreter, "run_node", noted)
    return made


def named(network: fx.GraphModule, weight: str) -> fx.Node:
    """Return the convolution with a weight."""
    nodes: list[fx.Node] = [node for node in network.graph.nodes if len(node.args) > 1]
    return next(n for n in nodes if str(getattr(n.args[1], "target", "")).startswith(weight))


def test_values_are_those_of_the_network(network: fx.GraphModule, order: Order) -> None:
    with torch.no_grad():
        assert torch.equal(OnStreams(network)(images(2)), network(images(2)))


def test_what_is_read_comes_first(network: fx.GraphModule, order: Order) -> None:
    with torch.no_grad():
        OnStreams(network)(images(2))
    computed = [node for node in network.graph.nodes if node in order.graph]
    assert len(computed) == len(streams_of(network.graph)) > 12
    for node in computed:
        for operand in node.all_input_nodes:
            assert operand not in order.graph or nx.has_path(order.graph, operand, node)


TWO = """
network: two
input: {left: [3, 9, 9], right: [3, 9, 9]}
layers:
  - {conv: 3x3, filters: 4, from: left, name: a}
  - {conv: 3x3, filters: 4, from: right, name: b}
  - {conv: 3x3, filters: 4, from: a, name: c}
outputs: [a, b, c]
"""


def test_a_call_comes_after_what_was_before_it_and_before_what_is_next(order: Order) -> None:
    own = optimize(build_module(graph_of(TWO)))
    runner = OnStreams(build_flat_module(own.graph, own.state))
    assert runner.count == 2
    order.put(0, "before")
    with torch.no_grad():
        runner(torch.ones(1, 3, 9, 9), torch.ones(1, 3, 9, 9))
    order.put(0, "after")
    for node in runner.placed:
        assert nx.has_path(order.graph, "before", node)
        assert nx.has_path(order.graph, node, "after")


def test_branches_are_not_in_each_other_s_way(network: fx.GraphModule, order: Order) -> None:
    with torch.no_grad():
        OnStreams(network)(images(2))
    apart = [("one·b", "two·c"), ("one·b", "two·left·d"), ("two·left·d", "two·right·e")]
    for names in apart:
        a, b = (named(network, f"{name}·") for name in names)
        assert not nx.has_path(order.graph, a, b)
        assert not nx.has_path(order.graph, b, a)


def test_memory_that_another_stream_reads_is_not_freed(
    network: fx.GraphModule, order: Order
) -> None:
    runner = OnStreams(network)
    crossing = {
        operand
        for node, stream in runner.placed.items()
        for operand in node.all_input_nodes
        if runner.placed.get(operand, stream) != stream
    }
    kept: list[int] = []
    run = runner.run
    runner.run = lambda *x: (run(*x), kept.append(len({id(t) for t in runner.held})))[0]  # type: ignore[method-assign,func-returns-value]
    with torch.no_grad():
        runner(images(2))
    assert kept == [len(crossing)] != [0]
    assert runner.held == []  # joined: the first stream comes after all others


@pytest.mark.parametrize(
    ("spec", "streams"), [("inception_v4", 6), ("inception_resnet_v2", 4), ("zoo/resnet50", 2)]
)
def test_streams_add_no_waiting(spec: str, streams: int) -> None:
    graph = target_graph(load_graph(spec, {}))
    own = optimize(build_module(graph, seed=None))
    network = build_flat_module(own.graph, own.state)
    fuse(network)
    placed = streams_of(network.graph)
    assert 1 + max(placed.values()) == streams
    chain: dict[fx.Node, int] = {}  # of operands alone, and with what is on the stream before
    waiting: dict[fx.Node, int] = {}
    last: dict[int, fx.Node] = {}
    for node, stream in placed.items():
        before = [x for x in node.all_input_nodes if x in placed]
        chain[node] = 1 + max((chain[x] for x in before), default=0)
        before += [last[stream]] if stream in last else []
        waiting[node] = 1 + max((waiting[x] for x in before), default=0)
        last[stream] = node
    assert max(waiting.values()) == max(chain.values()) < len(placed)


def test_a_chain_has_one_stream() -> None:
    own = optimize(build_module(graph_of(SPEC[: SPEC.index("  - branches:")] + "  - relu6\n")))
    network = build_flat_module(own.graph, own.state)
    assert set(streams_of(network.graph).values()) == {0}


def test_more_branches_than_streams_take_turns(order: Order) -> None:
    branches = "".join(f"      b{i}: [{{conv: 3x3, filters: 2}}]\n" for i in range(12))
    spec = SPEC[: SPEC.index("      one:")] + branches + "    join: concat\n"
    own = optimize(build_module(graph_of(spec)))
    network = build_flat_module(own.graph, own.state)
    runner = OnStreams(network)
    assert runner.count <= 8
    with torch.no_grad():
        assert torch.equal(runner(images(1)), network(images(1)))
    for node in runner.placed:
        for operand in node.all_input_nodes:
            assert operand not in order.graph or nx.has_path(order.graph, operand, node)


class Recorded:
    """In the place of a CUDA graph: what was recorded runs again, into the same results."""

    def __init__(self, run: Callable[[], Tensor], result: Tensor) -> None:
        self.run = run
        self.result = result

    def replay(self) -> None:
        self.result.copy_(self.run())


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, order: Order) -> list[float]:
    """Let the CPU pass for a GPU; what is recorded takes the milliseconds that are put in."""
    milliseconds: list[float] = []

    def record(run: Callable[[], Tensor]) -> tuple[Recorded, Tensor]:
        result = run()
        return Recorded(run, result), result

    monkeypatch.setattr(cuda, "_need_cuda", lambda *_: None)
    monkeypatch.setattr(cuda, "_record", record)
    monkeypatch.setattr(cuda, "measure", lambda run: run() is None)
    monkeypatch.setattr(cuda, "_replay_milliseconds", lambda _: milliseconds.pop(0))
    monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())
    return milliseconds


def close(made: object, wanted: Tensor) -> bool:
    assert isinstance(made, Tensor)
    assert float(wanted.std()) > 0.05
    return float((made - wanted).abs().max() / wanted.abs().max()) < 1e-5


@pytest.mark.parametrize("milliseconds", [[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0]])
def test_a_recording_runs_on_new_inputs_and_keeps_results_apart(
    milliseconds: list[float], request_: Request, gpu: list[float]
) -> None:
    gpu[:] = milliseconds
    run = build_runner("cuda_graph", request_)
    network = build_flat_module(request_.graph, request_.state)
    other = torch.randn(2, 3, 19, 17, generator=torch.Generator().manual_seed(9))
    first, second = run(images(2)), run(other)
    with torch.no_grad():
        assert close(first, network(images(2)))
        assert close(second, network(other))


@pytest.mark.parametrize(
    ("milliseconds", "siblings", "branches"),
    [  # merged in turn and side by side, apart in turn and side by side
        ([1.0, 2.0, 3.0, 4.0], "merged", "in turn"),
        ([2.0, 1.0, 3.0, 4.0], "merged", "side by side"),
        ([4.0, 5.0, 1.0, 2.0], "apart", "in turn"),
        ([2.0, 4.0, 3.0, 1.0], "apart", "side by side"),
    ],
)
def test_the_quickest_recording_is_kept(
    milliseconds: list[float], siblings: str, branches: str, request_: Request, gpu: list[float]
) -> None:
    gpu[:] = milliseconds
    run: Any = build_runner("cuda_graph", request_)
    assert (run.choices["siblings"], run.choices["branches"]) == (siblings, branches)
    assert run.milliseconds == 1.0
    gpu[:] = [1.0, 2.0]  # what is known is recorded alone, whatever would be measured now
    again: Any = build_runner("cuda_graph", replace(request_, known=run.choices))
    assert again.choices == run.choices
    assert len(gpu) == (branches == "in turn")


def test_branches_that_do_not_fit_into_memory_run_in_turn(
    request_: Request, gpu: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu[:] = [2.0, 2.0]
    record, count = cuda._record, iter(range(9))

    def fail_every_other_time(run: Callable[[], Any]) -> tuple[Any, Any]:
        if next(count) % 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return record(run)

    monkeypatch.setattr(cuda, "_record", fail_every_other_time)
    run: Any = build_runner("cuda_graph", request_)
    assert run.choices["branches"] == "in turn"


def test_branches_that_compute_something_else_run_in_turn(
    request_: Request, gpu: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu[:] = [2.0, 1.0, 2.0, 1.0]
    call = OnStreams.__call__
    monkeypatch.setattr(OnStreams, "__call__", lambda self, *x: call(self, *x) * 1.1)
    run: Any = build_runner("cuda_graph", request_)
    assert (run.choices["branches"], run.milliseconds) == ("in turn", 2.0)


def test_what_a_driver_says_is_the_reason(
    request_: Request, gpu: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> tuple[Recorded, Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore lines")

    monkeypatch.setattr(cuda, "_record", fail)
    with pytest.raises(BackendError, match=r"^the target `cuda_graph` failed: CUDA out .*GiB\.$"):
        build_runner("cuda_graph", request_)
