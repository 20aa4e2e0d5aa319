"""Networks that common code gets wrong, in every target: the outputs are those of the NumPy oracle.

Which outputs a network has is written here by hand, from the rule: listed outputs are exactly the
tensors that they name; else the last layer, or the logits that enter it where it is a softmax.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.pipeline import load_graph, target_graph
from tests.every_target.targets import TARGETS
from tests.kernels import need_kernels
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.small_graphs import State, random_inputs, random_state
from tests.oracle.ways import Result

FOLDER = Path(__file__).parent / "networks"

LEAVES: dict[str, dict[str, str]] = {
    "activations": {"prelu": "prelu"},
    "dead_copies": {"c": "c"},
    "attention": {"maximum": "most.maximum"},
    "block_of_map_and_vector": {"relu6": "vector.relu6"},
    "blocks_of_nothing": {"last": "last"},
    "channels_moved": {"inner": "inner"},
    "copies_by_values": {"concat": "out.concat"},
    "dead_inside_residual": {"out": "out"},
    "dead_parts": {"last": "last"},
    "empty_parts": {"last": "last"},
    "grouped": {"linear": "linear"},
    "left_out_branches": {"last": "last"},
    "input_leaves": {"c": "c", "same": "image", "scaled": "a.scale"},
    "no_convolution": {"up": "up"},
    "one_output": {"logits": "logits"},
    "only_conv": {"conv_3x3": "conv_3x3"},
    "only_flatten": {"flatten": "flatten"},
    "only_global_avg_pool": {"global_avg_pool": "global_avg_pool"},
    "only_identity": {"identity": "identity"},
    "only_linear": {"normalize": "normalize"},
    "only_normalize": {"normalize": "normalize"},
    "only_relu": {"relu": "relu"},
    "only_softmax": {"softmax": "x"},
    "open_sizes": {"last": "last"},
    "output_like_a_layer": {"a_scale": "a.scale"},
    "owner_is_dead": {"sum": "sum"},
    "projection_shortcut": {"linear": "linear"},
    "several_inputs": {"logits": "logits"},
    "several_outputs": {
        "probs": "probs",
        "fc": "fc",
        "attention": "attention",
        "features": "gated",
    },
    "shared_in_part": {"up": "up.upsample", "up_more": "up_more.upsample"},
    "shared_layers": {"fc": "fc"},
    "softmax_gate_output": {"gate": "gate", "out": "out"},
    "softmax_inside": {"last": "last"},
    "softmax_then_identity": {"scores": "scores"},
    "training_only": {"logits": "logits"},
    "two_lasting_one_training": {"sum": "sum", "a": "a"},
    "unused_input": {"conv_3x3": "conv_3x3"},
    "words": {
        "NoneOutputs": "NoneOutputs",
        "count": "taps.scale",
        "Tensor": "scale_2",
        "super": "a_._items",
    },
}
"""Network -> name of what leaves in evaluation -> the node that makes it."""

KEPT_SOFTMAX = {
    "one_output": ("softmax", "softmax"),
    "softmax_then_identity": ("last", "softmax"),
    "only_softmax": ("softmax", "softmax"),
}
"""Networks whose softmax `probabilities` keeps: name of the output, and the node that makes it."""

TAPS = {
    "one_output": ("softmax", "mixed", "a"),
    "several_outputs": ("body", "pool"),
    "shared_in_part": ("smooth.wide", "same", "fork.p"),
    "shared_layers": ("left", "right.conv_3x3"),
    "training_only": ("a",),
    "projection_shortcut": ("r1", "r2.shortcut"),
    "dead_copies": ("b.1",),
}

NATIVE_LACKS = {
    "activations": "LeakyReLU",
    "attention": "Sigmoid",
    "block_of_map_and_vector": "ReLU6",
    "channels_moved": "PixelUnshuffle",
    "grouped": "Conv2d with groups=2, only with groups=1",
    "no_convolution": "Sigmoid",
    "only_flatten": "Flatten of a map (4x5x3)",
    "only_linear": "BatchNorm",
    "open_sizes": "Upsample",
    "owner_is_dead": "BatchNorm",
    "several_outputs": "Multiply",
    "shared_in_part": "SiLU",
    "shared_layers": "BatchNorm",
    "softmax_gate_output": "Multiply",
    "softmax_inside": "Multiply",
}
"""Networks with an operation that the native kernels lack: the target says so by name."""

OPEN_ONNX_LACKS = {
    "grouped": "`adaptive_avg_pool_2x3`: the windows of adaptive pooling to 2x3 depend on the size "
    "((H+3)//4)x((W+3)//4); fix the input size",
}
"""Networks with an operation that ONNX cannot say of a size that is left open."""


def refusal(name: str, target: str) -> str | None:
    """Return how a target's refusal of a network ends, or None where it runs it."""
    if target.startswith("native") and name in NATIVE_LACKS:
        return f"the native engine has no {NATIVE_LACKS[name]}"
    return OPEN_ONNX_LACKS.get(name) if target == "open ONNX" else None


def tolerance(target: str) -> float:
    """Return the largest difference, as a share of the largest value, that is rounding."""
    return 0.05 if target == "autocast" else 1e-4


@lru_cache
def prepared(name: str) -> tuple[Graph, State, State, Mapping[str, Result]]:
    """Return a network's checked graph, weights for it, inputs, and the oracle's tensors."""
    sizes = ["3x8x12"] if name == "open_sizes" else []
    graph = load_graph(FOLDER / f"{name}.yaml", {}, sizes)
    state, inputs = random_state(graph), random_inputs(graph)
    return graph, state, inputs, evaluate(graph, state, inputs)


@pytest.fixture(scope="module", autouse=True)
def _process_group() -> Iterator[None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def compare(name: str, target: str, graph: Graph, want: list[str], taps: tuple[str, ...]) -> None:
    _, state, inputs, values = prepared(name)
    images = [torch.from_numpy(x) for x in inputs.values()]
    run = TARGETS[target](graph, state, taps, images)
    got = run(*images)
    assert len(got) == len(want)
    for tensor, node in zip(got, want, strict=True):
        wanted = values[node]
        assert tuple(tensor.shape) == wanted.shape
        scale = max(float(np.abs(wanted).max()), 1e-9)
        assert float(np.abs(tensor.numpy() - wanted).max()) / scale < tolerance(target), node


def test_every_network_is_in_the_matrix() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(LEAVES)


@pytest.mark.parametrize("name", LEAVES)
def test_outputs_are_named_as_the_rule_says(name: str) -> None:
    graph = target_graph(prepared(name)[0])
    assert {o.name: o.node for o in graph.outputs if not o.training_only} == LEAVES[name]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", LEAVES)
def test_target_gives_what_leaves(name: str, target: str) -> None:
    graph, want = prepared(name)[0], list(LEAVES[name].values())
    need_kernels(target)
    if sentence := refusal(name, target):
        with pytest.raises(BackendError) as refused:
            compare(name, target, graph, want, ())
        assert str(refused.value).endswith(sentence)
        return
    compare(name, target, graph, want, ())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", KEPT_SOFTMAX)
def test_probabilities_keep_the_softmax(name: str, target: str) -> None:
    need_kernels(target)
    graph = target_graph(prepared(name)[0], probabilities=True)
    output, node = KEPT_SOFTMAX[name]
    assert [o.name for o in graph.outputs] == [output]
    compare(name, target, graph, [node], ())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", TAPS)
def test_taps_leave_too(name: str, target: str) -> None:
    need_kernels(target)
    graph, taps = prepared(name)[0], TAPS[name]
    want = [*LEAVES[name].values(), *(graph.tensor(tap).name for tap in taps)]
    if sentence := refusal(name, target):
        with pytest.raises(BackendError) as refused:
            compare(name, target, graph, want, taps)
        assert str(refused.value).endswith(sentence)
        return
    compare(name, target, graph, want, taps)
