"""Names that torch or Python uses: refused by the check, or built under exactly that name."""

from __future__ import annotations

import sys
from types import ModuleType

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from backends.onnx.files import check_onnx
from backends.onnx.model import build_onnx
from backends.torch.module import build_module
from backends.torch.module_names import FILE, page
from backends.torch.source import emit_source
from compiler.graph import Graph
from tests.cases.conftest import Draft, Drafted, draft

__all__ = ["draft"]

EXPLICIT = [
    *("double", "half", "float", "_apply", "_call_impl", "_modules", "_parameters", "_buffers"),
    *("_version", "_netdraft_graph", "graph", "feature_info", "Tensor", "torch", "nn", "self"),
    *("taps", "in_channels", "group", "Group", "chain", "super", "len", "int", "math", "match"),
    *("predict", "probabilities", "t_outputs", "tOutputs", "count", "_fields", "main", "type"),
    *("__class__", "__debug__", "_"),
]
KIN = (nn.Module(), nn.Sequential(), nn.ModuleDict(), nn.ModuleList(), nn.Conv2d(1, 1, 1))
NAMES = sorted({*EXPLICIT, *(name for module in KIN for name in dir(module))})

LAYER = """network: t
input: {{x: [2, 4, 4]}}
layers: [{{conv: 1x1, filters: 3, name: {0}}}, {{layers: [{{conv: 1x1, filters: 2, name: {0}}}],
  name: inner}}, {{branches: {{{0}: [{{conv: 1x1, filters: 2}}], other: []}},
  join: concat, name: m}}]
"""
JOIN = """network: t
input: {{x: [2, 4, 4]}}
layers: [{{conv: 1x1, filters: 2, name: c}}, {{concat: [c, x], name: {0}}}]
"""
BLOCK = """network: t
input: {{x: [2, 4, 4]}}
blocks:
  {0}: {{layers: [{{conv: 1x1, filters: 2, name: c}}, relu]}}
layers: [{{block: {0}, name: a}}, {{block: {0}, name: b}}]
outputs: [a, b]
"""
OUTPUT = """network: t
input: {{x: [2, 4, 4]}}
layers: [{{conv: 1x1, filters: 2, name: c}}, {{relu: true, name: r}}]
outputs: [{{name: {0}, from: c}}, r]
"""
INPUT = """network: t
input: {{{0}: [2, 4, 4]}}
layers: [{{conv: 1x1, filters: 2, name: c}}, {{add: [c, {0}], name: r}}]
"""
PARAMETER = """network: t
input: {{x: [2, 4, 4]}}
params: {{{0}: 2}}
blocks:
  b: {{params: {{{0}: 1}}, layers: [{{conv: 1x1, filters: {0}, name: c}}]}}
layers: [{{block: b, with: {{{0}: "{0} * 3"}}, name: a}}]
"""
NETWORK = """network: {0}
input: {{x: [2, 4, 4]}}
layers: [{{conv: 1x1, filters: 2, name: c}}, {{relu: true, name: r}}]
outputs: [c, r]
"""
KEYS = {
    LAYER: ["{0}", "inner.{0}", "m.{0}.conv_1x1"],
    JOIN: ["c"],
    BLOCK: ["a.c", "b.c"],
    OUTPUT: ["c"],
    INPUT: ["c"],
    PARAMETER: ["a.c"],
    NETWORK: ["c"],
}
PLACES = dict(
    zip(("layer", "join", "block", "output", "input", "parameter", "network"), KEYS, strict=True)
)


def run_everywhere(graph: Graph) -> list[str]:
    """Return the layers with parameters, once every target has run and agrees."""
    module = build_module(graph).eval()
    inputs = [torch.randn(1, *graph.nodes[i].shape.numbers) for i in graph.inputs]
    expected = flat(module(*inputs))
    emitted = ModuleType("emitted_names")
    sys.modules[emitted.__name__] = emitted
    exec(emit_source(graph), vars(emitted))
    classes = [
        c for c in vars(emitted).values() if isinstance(c, type) and issubclass(c, nn.Module)
    ]
    again = next(c for c in classes if c.__name__ == type(module).__name__)().eval()
    again.load_state_dict(module.state_dict())
    state = {key: value.numpy() for key, value in module.state_dict().items()}
    model = build_onnx(graph, state)
    check_onnx(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = {n: x.numpy() for n, x in zip(graph.inputs, inputs, strict=True)}
    found = [torch.as_tensor(y) for y in session.run(None, feed)]
    for a, b, c in zip(expected, flat(again(*inputs)), found, strict=True):
        torch.testing.assert_close(a, b)
        torch.testing.assert_close(a, c, rtol=1e-4, atol=1e-5)
    return [key.removesuffix(".weight") for key in state if key.endswith(".weight")]


def flat(result: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    """Return the tensors of a result."""
    return [result] if isinstance(result, Tensor) else list(result)


def drafted(draft: Draft, place: str, name: str) -> Drafted:
    """Return what came of the spec of a place with a name in it."""
    return draft(PLACES[place].format(name))


@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_refused_or_built(draft: Draft, place: str) -> None:
    wrong = {}
    for name in NAMES:
        found = drafted(draft, place, name)
        if found.errors:
            if set(found.errors) != {"bad-name"}:
                wrong[name] = found.text
            continue
        assert found.graph is not None
        try:
            keys = run_everywhere(found.graph)
        except Exception as error:
            wrong[name] = repr(error)[:300]
            continue
        expected = [key.format(name) for key in KEYS[PLACES[place]]]
        if keys != expected:
            wrong[name] = f"{keys} for {expected}"
    assert wrong == {}


@pytest.mark.parametrize("name", EXPLICIT[:9])
def test_attributes_of_modules_are_no_names_of_layers(draft: Draft, name: str) -> None:
    found = drafted(draft, "layer", name)
    assert found.errors == ["bad-name"] * 3
    assert f"`{name}` is taken: every torch module has an attribute of that name" in found.said


@pytest.mark.parametrize(
    ("place", "name"),
    [("layer", "_netdraft_graph"), ("join", "double"), ("layer", "keys"), ("block", "t_outputs")],
)
def test_names_that_nothing_uses_are_built(draft: Draft, place: str, name: str) -> None:
    assert drafted(draft, place, name).errors == []


def test_an_output_starts_with_a_letter(draft: Draft) -> None:
    found = drafted(draft, "output", "_x")
    assert found.errors == ["bad-name"]
    assert "a field of a named tuple starts with a letter" in found.said
    assert "write `{name: x, from: _x}`" in found.said


@pytest.mark.parametrize("name", ["__class__", "__debug__"])
def test_a_parameter_is_no_name_of_python(draft: Draft, name: str) -> None:
    found = drafted(draft, "parameter", name)
    assert f"`{name}` is taken: Python keeps such names for itself" in found.said


def test_the_list_is_that_of_the_installed_torch() -> None:
    assert FILE.read_text(encoding="utf-8") == page()
