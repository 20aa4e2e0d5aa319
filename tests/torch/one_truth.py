"""Every target of a shipped spec against the NumPy oracle, and the table of the differences.

`python -m tests.torch.one_truth [SPEC ...]` prints the table.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn

from backends.onnx.model import build_onnx
from backends.state.unit_scale import randomize
from backends.torch.export_program import export_program
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.graph import Graph
from compiler.ops import Softmax
from compiler.pipeline import load_graph
from compiler.spec import shipped_specs
from tests.oracle.difference import relative_difference
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.small_graphs import State, random_inputs
from tests.oracle.ways import module_from

Result = npt.NDArray[np.generic]

IMAGES = ("75x75", "107x139")
"""The least input of the Inception networks, and one with a non-square final grid."""
MAPS = ("14x14", "9x11")
BATCHES = (1, 3)


@dataclass(frozen=True)
class Subject:
    """A shipped spec at one input size."""

    spec: str
    grid: str
    channels: int = 3
    settings: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.spec} at {self.grid}"

    @property
    def graph(self) -> Graph:
        """The checked graph."""
        path = shipped_specs() / f"{self.spec}.yaml"
        return load_graph(path, dict(self.settings), [f"{self.channels}x{self.grid}"])


SPECS: Mapping[str, int] = {
    "inception_v4": 3,
    "inception_resnet_v1": 3,
    "inception_resnet_v2": 3,
    "printed/inception_resnet_v1": 3,
    "released/inception_v4_slim": 3,
    "released/inception_resnet_v1_facenet": 3,
    "released/inception_resnet_v2_slim": 3,
    "teaching/attention": 3,
    "teaching/bottleneck": 256,
    "teaching/feature_pyramid": 3,
    "teaching/inception_resnet_small": 1,
    "teaching/inception_small": 1,
    "teaching/residual": 64,
    "teaching/residual_scaling": 256,
    "zoo/googlenet": 3,
    "zoo/inception_v3": 3,
    "zoo/resnet18": 3,
    "zoo/resnet50": 3,
    "zoo/shufflenet_v2_x1_0": 3,
    "zoo/squeezenet1_1": 3,
    "zoo/mobilenet_v2": 3,
    "zoo/mobilenet_v3_large": 3,
}
"""Every shipped spec that passes `check`, with the channels of its input."""

ELSEWHERE = frozenset((
    "zoo/convnext_tiny", "zoo/densenet121", "zoo/efficientnet_b0", "zoo/legacy_xception",
    "zoo/resnext50_32x4d", "zoo/unet", "zoo/vgg16_bn",
))  # fmt: skip
"""Those that are compared with what others wrote, module and ONNX: `tests/peers/test_zoo.py`, and
`test_plain_modules.py` for U-Net. The oracle would take minutes for them."""

SETTINGS = {"zoo/inception_v3": (("aux", "false"),)}
"""The auxiliary head of Inception-v3 has no room below 299x299."""

SUBJECTS = tuple(
    Subject(spec, grid, channels, SETTINGS.get(spec, ()))
    for spec, channels in SPECS.items()
    for grid in (IMAGES if channels == 3 else MAPS)
)
LARGE = (Subject("inception_v4", "299x299"), Subject("zoo/inception_v3", "299x299"))
TARGETS = ("module", "source", "onnx", "export")


@lru_cache(maxsize=1)
def prepared(subject: Subject) -> tuple[Graph, nn.Module, State]:
    """Return a subject's graph, its live module with unit-scale weights, and its state."""
    graph = subject.graph
    module = build_module(graph)
    example = random_inputs(graph, batch=16, seed=7)
    randomize(module, 0, *(torch.from_numpy(x) for x in example.values()))
    state = {name: tensor.numpy() for name, tensor in module.eval().state_dict().items()}
    return graph, module, state


@lru_cache(maxsize=4)
def wanted(subject: Subject, batch: int, training: bool = False) -> list[Result]:
    """Return the outputs of the oracle for the random inputs of a batch size."""
    graph, _, state = prepared(subject)
    values = evaluate(graph, state, random_inputs(graph, batch), training=training)
    return [values[name] for name in result_nodes(graph, training=training)]


def result_nodes(graph: Graph, *, training: bool = False) -> list[str]:
    """Return the nodes whose tensors a module returns: logits where a softmax ends it."""
    ends = [graph.nodes[o.node] for o in graph.outputs if training or not o.training_only]
    return [end.inputs[0] if isinstance(end.op, Softmax) else end.name for end in ends]


@lru_cache(maxsize=1)
def runnable(subject: Subject, target: str) -> nn.Module | onnxruntime.InferenceSession:
    """Return a target of a subject, ready to run."""
    graph, module, state = prepared(subject)
    if target == "module":
        return module
    if target == "source":
        source = module_from(emit_source(graph))
        source.load_state_dict(module.state_dict(), strict=True)
        return source.eval()
    if target == "export":
        return export_program(graph, module).module()
    model = build_onnx(graph, state)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def measure(subject: Subject, target: str, batch: int) -> float:
    """Return the largest difference of a target from the oracle, relative to the largest output."""
    graph, _, _ = prepared(subject)
    inputs = random_inputs(graph, batch)
    run = runnable(subject, target)
    if isinstance(run, nn.Module):
        with torch.no_grad():
            got = arrays(run(*map(torch.from_numpy, inputs.values())))
    else:
        got = list(run.run(None, inputs))
    return worst(got, wanted(subject, batch))


def measure_training(subject: Subject, target: str, batch: int) -> float:
    """Return the same for training mode with dropout off; outputs for training only included.

    Both compute in float64: where batch normalisation has three samples of a 1x1 grid, their
    spread can be so small that float32's rounding is all that is left of it.
    """
    graph, _, _ = prepared(subject)
    runs = copy.deepcopy(runnable(subject, target))
    assert isinstance(runs, nn.Module)
    runs.double().train()
    for part in runs.modules():
        if isinstance(part, nn.Dropout):
            part.eval()
    inputs = random_inputs(graph, batch)
    with torch.no_grad():
        got = arrays(runs(*(torch.from_numpy(x).double() for x in inputs.values())))
    return worst(got, wanted(subject, batch, training=True))


def worst(got: Sequence[Result], want: Sequence[Result]) -> float:
    """Return the largest relative difference of several outputs, shapes being equal."""
    assert [g.shape for g in got] == [w.shape for w in want]
    assert all(w.std() > 0.01 for w in want), "an output that hardly varies proves nothing"
    return max(relative_difference(g, w) for g, w in zip(got, want, strict=True))


def arrays(outputs: Tensor | Sequence[Tensor]) -> list[Result]:
    """Return what a module returned as a list of arrays."""
    tensors = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return [tensor.detach().numpy() for tensor in tensors]


def main(specs: Sequence[str]) -> None:
    """Print the largest difference over sizes and batches for each spec and target."""
    print(f"| spec | {' | '.join(TARGETS)} | module, training |\n|{'---|' * (len(TARGETS) + 2)}")
    for spec in specs or SPECS:
        subjects = [s for s in (*SUBJECTS, *LARGE) if s.spec == spec]
        row = dict.fromkeys((*TARGETS, "training"), 0.0)
        for subject in subjects:
            for target in TARGETS:
                found = [measure(subject, target, batch) for batch in BATCHES]
                row[target] = max(row[target], *found)
            row["training"] = max(row["training"], measure_training(subject, "module", 3))
        print(f"| {spec} | {' | '.join(f'{value:.1e}' for value in row.values())} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
