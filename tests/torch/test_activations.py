"""Activations with arguments and parameters compute what those of PyTorch do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.facts.labels import label_of
from compiler.pipeline import draft_graph, load_graph
from tests.oracle.ways import module_from

IMAGE = torch.randn(2, 3, 5, 4)

LAYERS: dict[str, Tensor] = {
    "{leaky_relu: 0.1}": F.leaky_relu(IMAGE, 0.1),
    "{leaky_relu: s / 2}": F.leaky_relu(IMAGE, 0.15),
    "leaky_relu": F.leaky_relu(IMAGE),
    "{elu: 0.5}": F.elu(IMAGE, 0.5),
    "{elu: true}": F.elu(IMAGE),
    "{gelu: tanh}": F.gelu(IMAGE, approximate="tanh"),
    "{gelu: none}": F.gelu(IMAGE),
    "mish": F.mish(IMAGE),
    "prelu": F.prelu(IMAGE, torch.tensor([0.25])),
}


def spec_of(folder: Path, layers: str, more: str = "") -> Path:
    spec = folder / "t.yaml"
    head = f"network: t\ninput: {{x: [3, 5, 4]}}\nparams: {{s: 0.3}}\n{more}"
    spec.write_text(f"{head}layers:\n  - {layers}\n")
    return spec


@pytest.mark.parametrize("layer", LAYERS)
def test_layer(tmp_path: Path, layer: str) -> None:
    graph = load_graph(spec_of(tmp_path, layer))
    for module in (build_module(graph), module_from(emit_source(graph))):
        torch.testing.assert_close(module(IMAGE).detach(), LAYERS[layer])


PLACES = {
    "a key": "{conv: 1x1, filters: 3, activation: VALUE}",
    "the defaults": "{conv: 1x1, filters: 3}",
    "a residual": "{residual: {body: [], scale: 0, activation: VALUE}}",
    "a parameter": "{block: b, with: {g: VALUE}}",
    "the default of a parameter": "{block: b}",
}
BLOCK = """\
blocks:
  b: {params: {g: {type: activation, default: VALUE}}, layers: [
    {conv: 1x1, filters: 3, activation: g}]}
"""


def identical(module: nn.Module) -> nn.Module:
    """Make the convolutions of a module pass their input on."""
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                nn.init.dirac_(part.weight)
                part.bias.zero_()
    return module


@pytest.mark.parametrize("value", ["{leaky_relu: 0.1}", "leaky_relu", "{gelu: tanh}", "prelu"])
@pytest.mark.parametrize("place", PLACES)
def test_same_spelling_everywhere(tmp_path: Path, place: str, value: str) -> None:
    more = BLOCK.replace("VALUE", value)
    if place == "the defaults":
        more += f"defaults: {{conv: {{activation: {value}}}}}\n"
    graph = load_graph(spec_of(tmp_path, PLACES[place].replace("VALUE", value), more))
    module = identical(module_from(emit_source(graph)))
    torch.testing.assert_close(module(IMAGE).detach(), LAYERS[value])


def test_formulas_are_those_of_where_they_stand(tmp_path: Path) -> None:
    block = "blocks: {b: {params: {k: 0.5}, layers: [{leaky_relu: k / 5}]}}\n"
    layers = "{block: b, with: {k: s}}\n  - {block: b, name: c}"
    module = build_module(load_graph(spec_of(tmp_path, layers, block)))
    want = F.leaky_relu(F.leaky_relu(IMAGE, 0.06), 0.1)
    torch.testing.assert_close(module(IMAGE), want)


def test_set_from_outside(tmp_path: Path) -> None:
    params = "params: {s: 0.3, a: {type: activation, default: relu}}\n"
    spec = spec_of(tmp_path, "{conv: 1x1, filters: 3, activation: a}")
    spec.write_text(spec.read_text().replace("params: {s: 0.3}\n", params))
    graph = load_graph(spec, {"a": "{elu: 0.5}"})
    assert dict(graph.arguments)["a"] == "{elu: 0.5}"
    torch.testing.assert_close(identical(build_module(graph))(IMAGE), F.elu(IMAGE, 0.5))


@pytest.mark.parametrize(("layer", "count"), [("prelu", 3), ("{prelu: one}", 1)])
def test_slopes_are_learned(tmp_path: Path, layer: str, count: int) -> None:
    graph = load_graph(spec_of(tmp_path, layer))
    module = build_module(graph)
    assert sum(p.numel() for p in module.parameters()) == count
    assert [graph.count_params(node) for node in graph.nodes.values()] == [0, count]
    assert {n: p.tolist() for n, p in module.named_parameters()} == {"prelu.weight": [0.25] * count}
    assert graph.macs() == 0


WRONG = {
    "{leaky_relu: no_such}": (
        "`leaky_relu`: unknown name `no_such`",
        "the parameters here are `s`",
    ),
    "{leaky_relu: tanh}": ("`leaky_relu` = tanh is not a number", ""),
    "{gelu: 0.5}": ("`gelu`: the argument of `gelu` is `none` or `tanh`, found `0.5`", ""),
    "{prelu: 3}": ("`prelu`: the argument of `prelu` is `channels` or `one`, found `3`", ""),
    "{mish: 2}": ("`mish`: expected `true`, found `2`", "write `true` or the word alone"),
    "{conv: 1x1, filters: 3, activation: {relu: 2}}": (
        "`activation` of `conv`: `relu` takes no argument",
        "write `relu` alone",
    ),
    "{conv: 1x1, filters: 3, activation: {gelu: erf}}": (
        "`activation` of `conv`: the argument of `gelu` is `none` or `tanh`, found the text `erf`",
        "",
    ),
    "{conv: 1x1, filters: 3, activation: {leaky_relu: 0.1, elu: 1}}": (
        "`activation` of `conv`: expected an activation, found a mapping",
        "one of none, relu, relu6, leaky_relu, elu, gelu, silu, sigmoid, tanh, softplus, "
        "hard_sigmoid, hard_swish, mish, prelu; or with an argument, `{leaky_relu: 0.1}`",
    ),
    "{conv: 1x1, filters: 3, activation: {leaky_relu: false}}": (
        "`activation` of `conv`: expected a number or an expression, found `false`",
        "",
    ),
}


@pytest.mark.parametrize("layer", WRONG)
def test_refusal(tmp_path: Path, layer: str) -> None:
    (found,) = draft_graph(spec_of(tmp_path, layer))[1].errors
    assert (found.message, found.help) == WRONG[layer]


def test_figure_says_the_argument(tmp_path: Path) -> None:
    layers = "{conv: 1x1, filters: 3, activation: {leaky_relu: 0.1}}\n  - {conv: 1x1, filters: 3}"
    layers += "\n  - {conv: 1x1, filters: 3}\n  - {elu: 0.5}\n  - {prelu: one}\n  - {gelu: tanh}"
    graph = load_graph(spec_of(tmp_path, layers))
    labels = [label_of(graph, name) for name in graph.regions[""].members[1:]]
    assert labels == [
        "1x1 Conv (3 Leaky ReLU 0.1)",
        "1x1 Conv (3 Linear)",
        "1x1 Conv (3 Linear)",
        "ELU activation (0.5)",
        "PReLU activation (one slope)",
        "GELU activation (tanh)",
    ]
