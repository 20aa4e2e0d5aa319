"""Copies that differ in values are a loop over these in the emitted file, where that is shorter."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.torch.expressions import Call, Code, call, laid_out
from backends.torch.loops import looped
from backends.torch.source import emit_source
from compiler.pipeline import load_graph
from tests.oracle.difference import relative_difference
from tests.oracle.small_graphs import random_inputs, random_state
from tests.oracle.ways import by_oracle, by_source


def block(channels: str, **named: str) -> Code:
    return Call("Block", (("", channels), *named.items()))


def row(*copies: Code) -> str:
    made = looped(call("nn.Sequential", *copies))
    return " ".join("\n".join(laid_out("self.a = ", made, "", 2, str)).split())


STEPS = [block(str(64 + 32 * i), n="32") for i in range(6)]
WORDS = [
    block(str(2 * i + i % 3), n=str(i * i), deep=str(i < 9), f="nn.ReLU" if i % 9 else "nn.SiLU")
    for i in range(16)
]


def test_equal_steps_are_a_range() -> None:
    assert row(*STEPS) == (
        "self.a = nn.Sequential(*(Block(channels, n=32) for channels in range(64, 256, 32)))"
    )


def test_steps_from_an_argument() -> None:
    copies = [block(f"in_channels + {8 * i}" if i else "in_channels", n="8") for i in range(8)]
    assert "for channels in range(in_channels, in_channels + 64, 8))" in row(*copies)


def test_long_lists_are_written_by_their_runs() -> None:
    text = row(*WORDS)
    assert "Block(channels, n=n, deep=deep, f=f) for channels, n, deep, f in zip(" in text
    assert "(True,) * 9 + (False,) * 7," in text
    assert "(nn.SiLU,) + (nn.ReLU,) * 8 + (nn.SiLU,) + (nn.ReLU,) * 6, strict=True," in text


def test_a_variable_hides_no_argument() -> None:
    """`n` is an argument of the class, which every copy reads."""
    copies = [Call("Block", (("n", str(i**2)), ("m", "n + 1"))) for i in range(9)]
    assert "Block(n=n_, m=n + 1) for n_ in (0, 1, 4, 9," in row(*copies)


@pytest.mark.parametrize(
    "copies",
    [
        STEPS[:2],
        [*STEPS[:4], call("Other", "192")],
        [*STEPS[:4], block("192")],
        [block("64", n="1"), block("1", n="3"), block("3", n="9")],
    ],
)
def test_what_is_listed(copies: list[Code]) -> None:
    assert " for " not in row(*copies)


SPEC = """\
network: net
input: {image: [4, 6, 6]}
blocks:
  b:
    params: {n: {type: channels}, k: {type: int}, g: {type: bool}, f: {type: activation}}
    layers:
      - {conv: k, filters: n, padding: k // 2, activation: f, name: c}
      - {conv: 1x1, filters: n, when: g, name: d}
layers:
  - block: b
    name: a
    for:
      n: [2, 3, 3, 5, 2, 2, 4, 4, 3, 3, 6, 2]
      k: [1, 3, 1, 1, 3, 3, 3, 1, 1, 1, 3, 1]
      g: [true, false, false, true, true, true, true, false, false, false, false, true]
      f: [relu, relu, relu, relu, silu, silu, silu, silu, silu, silu, silu, silu]
  - {branches: {same: [], new: [{conv: 3x3, filters: 2}]}, join: concat, repeat: 5, name: wider}
"""


def test_a_network_of_loops_is_the_oracles(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")
    graph = load_graph(path)
    assert "for channels, n, k, g, f in zip(" in emit_source(graph)
    weights, inputs = random_state(graph), random_inputs(graph)
    got, want = by_source(graph, weights, inputs), by_oracle(graph, weights, inputs)
    assert relative_difference(got, want) < 1e-5
