"""Words, and true and false, as arguments of a class: with any it is what the spec means."""

from __future__ import annotations

import itertools
import re
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from backends.torch.module import load_source
from backends.torch.source import emit_source
from compiler.pipeline import load_graph
from tests.oracle.difference import relative_difference
from tests.oracle.small_graphs import random_inputs, random_state
from tests.oracle.ways import by_oracle, by_source
from tests.torch.constructors import state

HEAD = """\
network: net
input: {image: [8, 12, 12]}
defaults: {conv: {norm: batch_norm}}
blocks:
"""
BLOCKS = {
    "left_out": """
    layers:
      - {conv: 1x1, filters: 8, activation: f, name: first}
      - {conv: 3x3, filters: 6, when: g, name: deep}
      - {conv: 1x1, filters: 4, name: last}""",
    "left_out_where_not": """
    layers:
      - {conv: 1x1, filters: 8, activation: f, when: not g, name: first}
      - {conv: 1x1, filters: 4, name: last}""",
    "with_a_number": """
    layers:
      - {conv: 1x1, filters: n, activation: f, when: g or n == 8, name: first}
      - {conv: 1x1, filters: 4, name: last}""",
    "a_number": """
    layers:
      - {conv: 1x1, filters: n if g else 2 * n, activation: f, name: first}
      - {conv: 1x1, filters: 4 if not g and n > 2 else 3, name: last}""",
    "a_name": """
    let: {hidden: "8 if g else n", wide: g and n > 4}
    layers:
      - {conv: 1x1, filters: hidden, activation: f, name: first}
      - {conv: 1x1, filters: 3 if wide else hidden, name: last}""",
    "an_end": """
    residual:
      body: [{conv: 3x3, filters: 8, activation: f}, {conv: 3x3, filters: 8, when: g}]
      activation: f""",
    "alone": """
    layers:
      - {conv: 1x1, filters: 4, norm: none, activation: f, name: first}
      - {global_avg_pool: true}
      - {linear: 5, activation: f, name: fc}""",
    "copies": """
    layers:
      - layers: [{relu: true, when: g or index > 0}, {conv: 1x1, filters: 8, activation: f}]
        repeat: 3
        name: unit""",
    "copies_that_differ": """
    layers:
      - {conv: 1x1, filters: 8, activation: f if index > 0 else relu, repeat: 2}""",
    "handed_on": """
    layers:
      - {block: inner, name: same, with: {h: g, e: f}}
      - {block: inner, name: other, with: {h: not g, e: relu}}
      - {block: inner, name: counted, with: {h: n > 4, e: f}}
      - {block: inner, name: usual}""",
    "shared": """
    layers:
      - {conv: 1x1, filters: 8, activation: f, name: own}
      - {conv: 1x1, filters: 8, activation: f, share: own, name: again}
      - {conv: 1x1, filters: 8, activation: relu, share: own, name: other, when: g}""",
    "shared_where_a_number": """
    layers:
      - {conv: 1x1, filters: 8, name: own}
      - {conv: 1x1, filters: 8, share: own, name: other, when: n == 8}""",
    "compared": """
    layers:
      - {conv: 1x1, filters: 8, activation: f, name: first}
      - {conv: 3x3, filters: 8, when: f == relu, name: last}""",
    "compared_with_true": """
    layers:
      - {conv: 1x1, filters: 8, activation: f, name: first}
      - {conv: 3x3, filters: 8, when: g == true, name: last}""",
    "in_parts": """
    layers:
      - branches:
          a: [{conv: 1x1, filters: n, activation: f}, {sigmoid: true, when: g}]
          b: [{conv: 1x1, filters: n, activation: f}, {max_pool: 3x3, when: g}]
        join: concat
      - {conv: 1x1, filters: 4, name: last}""",
}
INNER = """
  inner:
    params: {h: {type: bool, default: true}, e: {type: activation, default: silu}}
    layers:
      - {conv: 1x1, filters: 8, activation: e, name: first}
      - {conv: 3x3, filters: 8, when: h, name: deep}
"""
PARAMS = "\n    params: {g: {type: bool}, f: {type: activation}, n: {type: int}}"
LOOPS = (
    "g: [true, false], f: [relu, silu], n: [8, 8]",
    "g: [false, true], f: [silu, silu], n: [4, 8]",
    "g: [false, true, true], f: [relu, silu, relu], n: [2, 8, 8]",
    "g: [true, true], f: [relu, {leaky_relu: 0.2}], n: [8, 8]",
    "g: [true, false, true], f: [none, relu, prelu], n: [8, 6, 5]",
    "g: [true, true], f: [{gelu: tanh}, none], n: [8, 8]",
    "g: [false, false, false], f: [none, relu, mish], n: [8, 8, 8]",
)
MAKERS: dict[str, object] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "{leaky_relu: 0.3}": partial(nn.LeakyReLU, 0.3),
}


def text_of(block: str, layers: str) -> str:
    return f"{HEAD}  t:{PARAMS}{BLOCKS[block]}\n{INNER}layers:\n{layers}"


def emitted(folder: Path, block: str, layers: str) -> ModuleType:
    path = folder / "net.yaml"
    path.write_text(text_of(block, layers), encoding="utf-8")
    return load_source(emit_source(load_graph(path)))


def instances(loop: str) -> str:
    """Return the instances, each on the image, and a sum of what they are worth."""
    lists = re.findall(r"(\w): \[(.*?)\]", loop)
    split = [(n, re.findall(r"\{.*?\}|[^, {}]+", values)) for n, values in lists]
    rows = zip(*([f"{n}: {value}" for value in values] for n, values in split), strict=True)
    return "".join(
        f"  - {{block: t, name: m{i}, from: image, with: {{{', '.join(row)}}}}}\n"
        f"  - {{{'global_avg_pool: true, name: p' + str(i)}}}\n"
        f"  - {{linear: 3, name: l{i}}}\n"
        for i, row in enumerate(rows)
    )


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_network_of_them_is_the_oracles(block: str, loop: str, tmp_path: Path) -> None:
    layers = instances(loop)
    if block == "alone":
        layers = re.sub(r"  - \{global_avg_pool.*\n", "", layers)
    names = ", ".join(re.findall(r"name: (l\d)", layers))
    path = tmp_path / "net.yaml"
    path.write_text(f"{text_of(block, layers)}  - {{concat: [{names}], name: out}}\n")
    graph = load_graph(path)
    weights, inputs = random_state(graph), random_inputs(graph)
    want, got = by_oracle(graph, weights, inputs), by_source(graph, weights, inputs)
    assert relative_difference(got, want) < 1e-5


ONE = [
    "left_out",
    "left_out_where_not",
    "with_a_number",
    "a_number",
    "an_end",
    "copies",
    "in_parts",
]
BOTH = "  - {block: t, name: a, with: {g: true, f: relu, n: 8}}\n" + (
    "  - {block: t, name: b, with: {g: false, f: silu, n: 6}}\n"
)


@pytest.mark.parametrize("n", [8, 5])
@pytest.mark.parametrize("block", ONE)
def test_a_class_with_arguments_is_the_block(block: str, n: int, tmp_path: Path) -> None:
    module = emitted(tmp_path, block, BOTH)
    classes = [made for name, made in vars(module).items() if re.fullmatch(r"T\d*", name)]
    seen = 0
    for g, f in itertools.product((True, False), MAKERS):
        given = f"g: {str(g).lower()}, f: {f}, n: {n}"
        alone = emitted(tmp_path, block, f"  - {{block: t, name: m, with: {{{given}}}}}\n")
        network = alone.Net().eval()
        for made in classes:
            accepts = made.__init__.__annotations__
            arguments = {k: v for k, v in (("g", g), ("f", MAKERS[f]), ("n", n)) if k in accepts}
            try:
                instance = made(8, **arguments)
            except AssertionError:
                continue
            seen += 1
            assert {f"m.{k}": v for k, v in state(instance).items()} == state(network)
            network.load_state_dict({f"m.{k}": v for k, v in instance.state_dict().items()})
            image = torch.randn(2, 8, 12, 12)
            torch.testing.assert_close(instance.eval()(image), network(image))
    assert seen


@pytest.mark.parametrize("block", ["left_out", "an_end", "copies", "in_parts"])
def test_instances_are_one_class(block: str, tmp_path: Path) -> None:
    module = emitted(tmp_path, block, BOTH)
    assert [n for n in vars(module) if re.fullmatch(r"T\d*", n)] == ["T"]


def test_no_activation_is_a_class_of_its_own(tmp_path: Path) -> None:
    """Without one the layers have other names: `first.weight`, not `first.conv.weight`."""
    layers = BOTH + "  - {block: t, name: c, with: {g: false, f: none, n: 6}}\n"
    module = emitted(tmp_path, "left_out", layers)
    assert [n for n in vars(module) if re.fullmatch(r"T\d*", n)] == ["T", "T2"]


def test_the_file_says_it_as_one_would_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text_of("left_out", BOTH), encoding="utf-8")
    source = emit_source(load_graph(path))
    assert "\nActivation = Callable[[], nn.Module]\n" in source
    assert "def __init__(self, in_channels: int, *, g: bool, f: Activation) -> None:" in source
    assert "self.first = ConvNormAct(in_channels, 8, 1, activation=f)" in source
    assert "self.deep = ConvNorm(8, 6, 3, padding=1) if g else nn.Identity()" in source
    assert "self.a = T(in_channels, g=True, f=nn.ReLU)" in source


def test_where_all_agree_nothing_is_an_argument(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text_of("left_out", BOTH.replace("g: false, f: silu", "g: true, f: relu")))
    source = emit_source(load_graph(path))
    assert "Activation" not in source
    assert "g: bool" not in source
