"""Names that an emitted file, Python or torch uses too: what would clash is kept apart."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pydantic_core import PydanticCustomError
from torch import nn

from backends.torch.docs import USED
from backends.torch.export_program import export_program
from backends.torch.features import build_features
from backends.torch.module import build_module, graph_of
from backends.torch.source import emit_source
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.pipeline import load_graph
from compiler.text.names import read_layer_name
from tests.torch.torch_specs import SPECS, graph_of_text, noise, shipped

FORMS = {
    "layer": "{conv: 3x3, filters: 4, name: NAME}",
    "layer of several parts": "{conv: 3x3, filters: 4, norm: batch_norm, name: NAME}",
    "word": "{relu: true, name: NAME}",
    "sequence": "{layers: [{conv: 3x3, filters: 3}, {conv: 1x1, filters: 4}], name: NAME}",
    "in a sequence": "{layers: [{conv: 3x3, filters: 3, name: NAME}, {conv: 1x1, filters: 3}], "
    "name: inside}",
    "copies": "{conv: 3x3, filters: 3, repeat: 2, name: NAME}",
    "branch": "{branches: {NAME: [{conv: 3x3, filters: 4}, relu], b: []}, join: concat}",
    "in a residual": "{residual: {body: [{conv: 3x3, filters: 3, name: NAME}]}, name: inside}",
    "shared from outside": "{layers: [{conv: 1x1, filters: 3, share: first}, "
    "{conv: 1x1, filters: 4, name: NAME}], name: inside}",
}
"""What a layer of a name may be; around it stand a layer before and one that reads both."""
NAMES = ("items", "append", "graph", "count", "_x", "training_step")


def graph_with(name: str, form: str) -> Graph:
    """Return a small network with a name in one of the places where a layer's stands."""
    return graph_of_text(f"""
        network: t
        input: {{image: [3, 8, 8]}}
        layers:
          - {{conv: 1x1, filters: 3, name: first}}
          - {FORMS[form].replace("NAME", name)}
          - {{concat: [prev, first], name: joined}}
        outputs: [joined, first]
        """)


def state_of(graph: Graph) -> set[str]:
    """Return the names that the parameters of a spec have."""
    nodes = (n for n in graph.nodes.values() if not n.share)
    return {f"{node.name}.{part}" for node in nodes for part in node.op.parameter_names}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_called_so(name: str, form: str) -> None:
    graph = graph_with(name, form)
    module = build_module(graph).eval()
    counters = {k for k in module.state_dict() if k.endswith("num_batches_tracked")}
    assert module.state_dict().keys() - counters == state_of(graph)
    outputs = module.float().double().float()(noise(1, 3, 8, 8))
    assert tuple(outputs.joined.shape[1:]) == graph.nodes["joined"].shape.numbers
    assert graph_of(module) is graph


def test_methods_of_an_emitted_network_are_no_names_of_layers() -> None:
    text = "network: t\ninput: {image: [3, 8, 8]}\nlayers: [flatten, {linear: 4}, softmax]"
    tree = ast.parse(emit_source(graph_of_text(text)))
    classes = {c.name: c for c in tree.body if isinstance(c, ast.ClassDef)}
    methods = [f.name for f in classes["T"].body if isinstance(f, ast.FunctionDef)]
    assert methods == ["__init__", "forward", "probabilities"]
    for name in methods:
        with pytest.raises(PydanticCustomError, match=f"`{name}` is taken"):
            read_layer_name(name)


@pytest.mark.parametrize("name", shipped())
def test_variables_avoid_every_name_that_the_text_reads(name: str) -> None:
    """What a class reads that is neither its own variable nor a class is in `USED`."""
    source = emit_source(load_graph(SPECS / f"{name}.yaml", {}))
    assert sorted(set(free_names(ast.parse(source))) - USED) == []


def free_names(tree: ast.Module) -> Iterator[str]:
    classes = {c.name for c in tree.body if isinstance(c, ast.ClassDef)}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        own = {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)}
        names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
        own |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
        yield from (n.id for n in names if n.id not in own and n.id not in classes)


COLLISIONS = {
    "two parameters": """
        network: t
        params: {float: 4, float_: 5}
        input: {image: [3, 8, 8]}
        layers: [{conv: 3x3, filters: float}, {conv: 3x3, filters: float_, name: c_2}]
        """,
    "parameter and channels of the input": """
        network: t
        params: {in_channels: 7}
        input: {image: [3, 8, 8]}
        blocks:
          b:
            params: {in_channels: {type: int}}
            layers: [{conv: 3x3, filters: in_channels}, {conv: 1x1, filters: 2 * in.channels}]
        layers: [{block: b, with: {in_channels: in_channels}}]
        """,
    "parameter and channels of one of two inputs": """
        network: t
        input: {image: [3, 8, 8], mask: [2, 8, 8]}
        params: {image_channels: 4}
        blocks:
          b:
            inputs: [a, x]
            params: {a_channels: {type: int}, a_channels_: {type: int}}
            layers:
              - {conv: 3x3, filters: a_channels, from: x, name: one}
              - {conv: 1x1, filters: a_channels_, from: a, name: two}
              - {concat: [one, two]}
        layers:
          - {block: b, with: {a_channels: image_channels, a_channels_: 9}, from: [image, mask]}
        """,
    "parameter and class": """
        network: t
        input: {image: [3, 8, 8]}
        params: {K: 3, Stem: 5, ConvNormReLU: 2, chain: 6}
        defaults: {conv: {norm: batch_norm, activation: relu}}
        blocks:
          k: {params: {K: {type: int}}, layers: [{conv: 3x3, filters: K}, {block: stem}]}
          stem: {layers: [{conv: 3x3, filters: 4}, {conv: 3x3, filters: 2}]}
        layers:
          - {block: k, with: {K: K}}
          - {conv: 1x1, filters: Stem}
          - {layers: [{conv: 1x1, filters: ConvNormReLU}, {conv: 1x1, filters: chain}], name: q}
        """,
    "classes": """
        network: ab
        input: {image: [3, 8, 8]}
        blocks:
          a_b: {layers: [{conv: 3x3, filters: 3}, {conv: 3x3, filters: 4}]}
          aB: {layers: [{conv: 1x1, filters: 3}, {conv: 3x3, filters: 4}]}
          AB: {layers: [{conv: 1x1, filters: 5}, {conv: 3x3, filters: 4}]}
          ab_outputs: {layers: [{conv: 3x3, filters: 3}, relu]}
          none: {layers: [{conv: 3x3, filters: 3}, softmax]}
          conv_norm: {layers: [{conv: 3x3, filters: 3, norm: batch_norm}, relu]}
        layers:
          - {block: a_b}
          - {block: aB}
          - {block: AB}
          - {block: ab_outputs}
          - {block: none}
          - {block: conv_norm}
        outputs: [conv_norm, a_b]
        """,
    "network called as a helper": """
        network: scale
        input: {image: [3, 8, 8]}
        blocks: {b: {layers: [{conv: 3x3, filters: 3}, {scale: 0.5}]}}
        layers: [{layers: [{block: b}, {scale: 2.0}], name: q}]
        """,
    "factors kept for the forward pass": """
        network: t
        params: {training: .5, half: .25, a: 3.5, a_: 4.5, _modules: 1.5, forward: .5, graph: 2.5}
        input: {image: [3, 8, 8]}
        layers:
          - {conv: 3x3, filters: 3, name: a}
          - {scale: training}
          - {add: [prev, image]}
          - {scale: half}
          - {add: [prev, image]}
          - {scale: a}
          - {add: [prev, image]}
          - {scale: a_}
          - {add: [prev, image]}
          - {scale: _modules}
          - {add: [prev, image]}
          - {scale: forward}
          - {add: [prev, image]}
          - {scale: graph}
          - {add: [prev, image]}
        """,
}
"""Two things of which Python wants to know which is meant."""


@pytest.mark.parametrize("case", COLLISIONS)
def test_what_would_be_called_alike_is_kept_apart(case: str) -> None:
    graph = graph_of_text(COLLISIONS[case])
    module = build_module(graph)
    counters = {k for k in module.state_dict() if k.endswith("num_batches_tracked")}
    assert module.state_dict().keys() - counters == state_of(graph)
    module(*(noise(2, *graph.nodes[name].shape.numbers) for name in graph.inputs))
    assert module.double().train(False).training is False


def test_a_class_takes_parameters_as_far_as_its_text_does_not_read_the_name() -> None:
    graph = graph_of_text(COLLISIONS["parameter and class"])
    cls = type(build_module(graph))
    state = cls(K=7, Stem=6, ConvNormReLU=4, chain_=8).state_dict()
    assert state["q.conv_1x1_2.conv.weight"].shape == (8, 4, 1, 1)


def test_outputs_are_fields_under_their_names() -> None:
    graph = graph_of_text("""
        network: t
        input: {image: [3, 8, 8]}
        layers: [{conv: 3x3, filters: 3, name: a}, {relu: true, name: _b}]
        outputs: [{name: count, from: a}, {name: float, from: _b}, {name: Tensor, from: image}]
        """)
    out = build_module(graph).eval()(noise(1, 3, 8, 8))
    assert out._fields == ("count", "float", "Tensor")
    torch.testing.assert_close(out.float, out.count.relu())


def test_a_module_lends_its_name_to_a_layer() -> None:
    """`module.graph` and `feature_info` are ours unless the spec has a layer called so."""
    graph = graph_of_text("""
        network: t
        input: {image: [3, 8, 8]}
        layers:
          - {conv: 3x3, filters: 3, stride: 2, name: feature_info}
          - {conv: 3x3, filters: 3, stride: 2, name: graph}
        """)
    module = build_features(graph)
    assert isinstance(module.graph, nn.Conv2d)
    assert isinstance(module.feature_info, nn.Conv2d)
    assert [m.shape[2] for m in module(noise(1, 3, 8, 8))] == [4, 2]


def test_a_program_has_attributes_of_its_own() -> None:
    graph = graph_with("code", "layer")
    with pytest.raises(BackendError) as refusal:
        export_program(graph, build_module(graph))
    assert str(refusal.value) == (
        "torch.export cannot hold a layer called `code`: its programs have an attribute of that "
        "name; give the layer another one"
    )


def test_emitted_text_with_such_names_has_types(tmp_path: Path) -> None:
    graph = graph_of_text(COLLISIONS["classes"].replace("[conv_norm, a_b]", "[conv_norm, "
                          "{name: count, from: a_b}]"))  # fmt: skip
    file = tmp_path / "emitted.py"
    file.write_text(emit_source(graph), encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(file)], capture_output=True, text=True
    )
    assert found.stdout == "Success: no issues found in 1 source file\n"
