"""The zoo against torchvision and timm: their state_dict through the map, random live weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from backends.onnx.model import build_onnx
from backends.run.optimized import optimize
from backends.state.unit_scale import check_telling, randomize
from backends.state.weights_io import sizes_of
from backends.torch import module as torch_module
from compiler.graph import Graph
from compiler.pipeline import load_graph
from compiler.weights.mapping import load_map
from compiler.weights.match import match_tensors
from compiler.weights.sizes import tensor_sizes
from tests.peers.networks import timm_network, torchvision_network
from tests.peers.pairs import Differences, difference, image

pytestmark = pytest.mark.peers

SIZE = (96, 128)
FLOAT64, FLOAT32 = 1e-9, 1e-5
ZOO = {
    "resnext50_32x4d": torchvision_network("resnext50_32x4d"),
    "densenet121": torchvision_network("densenet121"),
    "vgg16_bn": torchvision_network("vgg16_bn"),
    "squeezenet1_1": torchvision_network("squeezenet1_1"),
    "mobilenet_v2": torchvision_network("mobilenet_v2"),
    "mobilenet_v3_large": torchvision_network("mobilenet_v3_large"),
    "efficientnet_b0": torchvision_network("efficientnet_b0"),
    "convnext_tiny": torchvision_network("convnext_tiny"),
    "legacy_xception": timm_network("legacy_xception"),
}


@dataclass(frozen=True)
class Known:
    """Their network and ours with the same random weights, in evaluation mode."""

    name: str
    graph: Graph
    theirs: nn.Module
    ours: nn.Module


@pytest.fixture(scope="module", params=list(ZOO))
def known(request: pytest.FixtureRequest) -> Known:
    name = request.param
    theirs = ZOO[name]()
    randomize(theirs, 1, image(SIZE).float())
    maker = "timm" if name == "legacy_xception" else "torchvision"
    weights = load_map(f"{maker}:{name}")
    graph = load_graph(weights.spec)
    with pytest.MonkeyPatch.context() as patch:  # every weight is replaced at once
        patch.setattr(torch_module, "initialize", lambda module, seed: None)
        ours = torch_module.build_module(graph)
    state = theirs.state_dict()
    match = match_tensors(weights, tensor_sizes(graph), sizes_of(state))
    assert match.is_complete, [misfit.sentence for misfit in match.misfits]
    own = {m.name: state[m.source].reshape(m.size) for m in match.moves}
    ours.load_state_dict(own, strict=True)
    return Known(name, graph, theirs.eval(), ours.eval())


def run(module: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        out: Tensor = module(x)
    return out


@contextmanager
def in_double(*modules: nn.Module) -> Iterator[None]:
    for module in modules:
        module.double()
    yield
    for module in modules:
        module.float()


def test_outputs(known: Known, differences: Differences) -> None:
    x = image(SIZE)
    with in_double(known.theirs, known.ours):
        theirs, ours = run(known.theirs, x), run(known.ours, x)
    check_telling(theirs)
    found = differences[known.name, "zoo, module, float64"] = difference(ours, theirs)
    assert found <= FLOAT64


def test_outputs_of_onnx_and_the_optimised(known: Known, differences: Differences) -> None:
    x = image(SIZE, count=1).float()
    theirs = run(known.theirs, x)
    state = {name: value.numpy() for name, value in known.ours.state_dict().items()}
    graph = load_graph(f"zoo/{known.name}", {}, [f"3x{SIZE[0]}x{SIZE[1]}"])
    model = build_onnx(graph, state).SerializeToString()
    (out,) = onnxruntime.InferenceSession(model).run(None, {graph.inputs[0]: x.numpy()})
    found = differences[known.name, "zoo, ONNX, float32"] = difference(torch.tensor(out), theirs)
    assert found <= FLOAT32
    runner = optimize(known.ours).for_inference("cpu", target="eager")
    found = differences[known.name, "zoo, optimised, float32"] = difference(runner(x), theirs)
    assert found <= FLOAT32


def test_a_perturbed_tensor_shows(known: Known) -> None:
    x = image(SIZE, count=1).float()
    theirs = run(known.theirs, x)
    weight = [p for p in known.ours.parameters() if p.dim() == 4][-1]
    with torch.no_grad():
        weight[0] += 1.0
        found = difference(run(known.ours, x), theirs)
        weight[0] -= 1.0
    assert found > 1e-4
