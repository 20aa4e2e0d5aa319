"""One class for the variants of a block: with arguments of its own it is what the spec means."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from backends.torch.module import build_module, load_source
from backends.torch.source import emit_source
from compiler.pipeline import load_graph
from tests.torch.constructors import state

BLOCKS = """\
network: net
input: {image: [8, 12, 12]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  inverted:
    params: {expand: {type: int}, n: {type: channels}, s: {type: int, default: 1}}
    layers:
      - {conv: 1x1, filters: in.channels * expand, when: expand != 1, name: wide}
      - {conv: 3x3, filters: in.channels * expand, stride: s, padding: half, name: deep}
      - {conv: 1x1, filters: n, activation: none, name: narrow}
      - {add: [in, narrow], when: s == 1 and in.channels == n}
  basic:
    params: {n: {type: channels}, s: {type: int, default: 1}}
    residual:
      body: [{conv: 3x3, filters: n, stride: s, padding: 1}]
      shortcut: [{conv: 1x1, filters: n, stride: s, when: s > 1 or in.channels != n}]
      activation: relu
  stage:
    params: {n: {type: channels}, count: {type: int}}
    layers:
      - layers: [{conv: 3x3, filters: n}, {max_pool: 2x2, stride: 2, padding: V, when: index == 0}]
        repeat: count
        name: unit
  two:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {conv: 1x1, filters: 5, when: a > 1}
      - {conv: 1x1, filters: 6, when: b > 1}
      - {conv: 1x1, filters: 8, name: last}
  narrowed:
    params: {k: {type: int}, c: {type: int}}
    layers:
      - {conv: 1x1, filters: c, when: k != 1}
      - {conv: 1x1, filters: 8, name: last}
  chosen:
    params: {k: {type: int}, c: {type: int}}
    layers:
      - {conv: 1x1, filters: c if c > 4 else 2 * c, when: k != 1}
      - {conv: 1x1, filters: 8, name: last}
  called_again:
    params: {k: {type: int}, c: {type: int}}
    layers:
      - {conv: 1x1, filters: 8, name: own}
      - {conv: 1x1, filters: 8, share: own, name: again}
      - {conv: 1x1, filters: 8, share: own, when: k != 1, name: last}
  tail:
    params: {p: {type: int}}
    layers:
      - {conv: 1x1, filters: 7}
      - {conv: 1x1, filters: 6, when: p > 1}
  in_a_chain:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {conv: 1x1, filters: 5, when: a > 1}
      - layers: [{conv: 1x1, filters: 6, when: b > 1}, {conv: 1x1, filters: 8}]
        name: both
  in_a_block:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {conv: 1x1, filters: 5, when: a > 1}
      - {block: tail, with: {p: b}}
      - {conv: 1x1, filters: 8, name: last}
  at_the_end:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {conv: 1x1, filters: 8}
      - {conv: 1x1, filters: 6, when: a > 1}
      - {conv: 1x1, filters: 8, when: b > 1}
  reads_the_end:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {block: at_the_end, with: {a: a, b: b}}
      - {conv: 1x1, filters: 8, name: last}
  one_after_the_other:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {conv: 1x1, filters: 8, name: first}
      - {conv: 3x3, filters: 8, when: a > 1, name: wide}
      - {sigmoid: true, when: b > 1}
      - {conv: 1x1, filters: 8, name: last}
  read_by_name:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {conv: 1x1, filters: 8, name: first}
      - {conv: 3x3, filters: 8, when: a > 1, name: wide}
      - {conv: 1x1, filters: 8, when: b > 1, name: narrow}
      - {conv: 1x1, filters: 8, from: narrow or first, name: last}
  named_in_a_row:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - layers:
          - {conv: 1x1, filters: 8, name: first}
          - {conv: 3x3, filters: 8, when: a > 1, name: wide}
          - {conv: 1x1, filters: 8, when: b > 1, name: narrow}
          - {conv: 1x1, filters: 8, from: narrow or first, name: last}
        name: row
  by_a_kernel:
    params: {a: {type: int}, k: {type: kernel}}
    layers:
      - {conv: 1x1, filters: 8, when: a > 1}
      - {conv: 3x3, filters: 5 if k == 3x3 else 7, name: last}
  by_a_size:
    params: {a: {type: int}}
    layers:
      - {conv: 3x3, filters: 8, stride: 2, when: a > 1}
      - {conv: 3x3, filters: in.height, name: last}
  follows_and_not:
    params: {a: {type: int}, b: {type: int}}
    layers:
      - {conv: 1x1, filters: 8, when: a > 1}
      - {conv: 3x3, filters: b}
      - {conv: 3x3, filters: 8, padding: same if b > 4 else V, name: last}
  activated_first:
    params: {n: {type: channels}, s: {type: int, default: 1}}
    layers:
      - {relu: true, name: pre}
      - {conv: 3x3, filters: n, stride: s, padding: 1, name: body}
      - {conv: 1x1, filters: n, stride: s, from: pre, name: skip, when: s > 1 or in.channels != n}
      - {add: [body, skip or in]}
  two_in_its_place:
    params: {n: {type: channels}, s: {type: int, default: 1}}
    layers:
      - {relu: true, name: pre}
      - {conv: 3x3, filters: n, stride: s, padding: 1, name: body}
      - {conv: 1x1, filters: n, stride: s, from: pre, name: skip, when: s > 1 or in.channels != n}
      - {add: [body, skip or in], name: first}
      - {add: [first, skip or pre]}
  multiplied:
    params: {n: {type: channels}, by: {type: number}}
    let: {hidden: "round_to(n * by, 8)"}
    layers:
      - {conv: 1x1, filters: hidden, name: wide}
      - {scale: by, when: by < 2 and n > 8}
      - {conv: 1x1, filters: n, name: last}
  named_width:
    params: {n: {type: channels}, by: {type: number, default: 1}}
    let: {hidden: "round_to(n * by, 8)"}
    layers: [{conv: 1x1, filters: hidden}]
  padded:
    params: {k: {type: kernel}, p: {type: padding, default: half}}
    layers: [{conv: k, filters: 8, padding: p}]
layers:
"""
INVERTED = "- {block: inverted, name: m, for: {expand: [1, 2, 2], n: [4, 6, 6], s: [1, 2, 1]}}\n"


def emitted(tmp_path: Path, layers: str) -> ModuleType:
    path = tmp_path / "net.yaml"
    path.write_text(BLOCKS + layers, encoding="utf-8")
    return load_source(emit_source(load_graph(path)))


def classes(module: ModuleType) -> set[str]:
    """Return the names of the classes of blocks."""
    found = {n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, nn.Module)}
    return {n for n in found if not n.startswith(("Conv", "Same", "Net"))}


def is_the_block(tmp_path: Path, made: nn.Module, block: str, arguments: str) -> bool:
    """True when a module computes what the spec means by an instance of a block."""
    alone = emitted(tmp_path, f"- {{block: {block}, name: m, with: {{{arguments}}}}}\n")
    network = alone.Net().eval()
    if {f"m.{k}": v for k, v in state(made).items()} != state(network):
        return False
    network.load_state_dict({f"m.{k}": v for k, v in made.state_dict().items()})
    image = torch.randn(2, 8, 12, 12)
    return torch.equal(made.eval()(image), network(image))


@pytest.mark.parametrize(
    "arguments", ["expand: 1, n: 4", "expand: 3, n: 8", "expand: 1, n: 8", "expand: 1, n: 8, s: 2"]
)
def test_an_inverted_residual_is_one_class(arguments: str, tmp_path: Path) -> None:
    module = emitted(tmp_path, INVERTED)
    assert classes(module) == {"Inverted"}
    given = {k: int(v) for k, v in (pair.split(": ") for pair in arguments.split(", "))}
    assert is_the_block(tmp_path, module.Inverted(8, **given), "inverted", arguments)


@pytest.mark.parametrize("arguments", ["n: 4", "n: 8", "n: 8, s: 2"])
def test_a_residual_with_and_without_projection_is_one_class(
    arguments: str, tmp_path: Path
) -> None:
    module = emitted(tmp_path, "- {block: basic, name: m, for: {n: [8, 4], s: [1, 2]}}\n")
    assert classes(module) == {"Basic"}
    given = {k: int(v) for k, v in (pair.split(": ") for pair in arguments.split(", "))}
    assert is_the_block(tmp_path, module.Basic(8, **given), "basic", arguments)


@pytest.mark.parametrize("arguments", ["n: 4", "n: 8", "n: 8, s: 2"])
def test_a_skip_is_a_layer_of_what_was_activated_or_the_input_as_it_came(
    arguments: str, tmp_path: Path
) -> None:
    module = emitted(tmp_path, "- {block: activated_first, name: m, for: {n: [8, 4], s: [1, 2]}}\n")
    assert classes(module) == {"ActivatedFirst"}
    given = {k: int(v) for k, v in (pair.split(": ") for pair in arguments.split(", "))}
    assert is_the_block(tmp_path, module.ActivatedFirst(8, **given), "activated_first", arguments)


def test_a_width_of_another_multiplier_is_another_class(tmp_path: Path) -> None:
    loop = "- {block: named_width, name: m, for: {by: [2, 1]}, with: {n: 24}}\n"
    made = emitted(tmp_path, loop).Net()
    assert [m.out_channels for m in made.modules() if isinstance(m, nn.Conv2d)] == [48, 24]


def test_what_stands_in_for_a_layer_in_two_ways_makes_two_classes(tmp_path: Path) -> None:
    loop = "- {block: two_in_its_place, name: m, for: {n: [8, 4], s: [1, 2]}}\n"
    assert classes(emitted(tmp_path, loop)) == {"TwoInItsPlace", "TwoInItsPlace2"}


@pytest.mark.parametrize("n", [8, 12, 30])
@pytest.mark.parametrize("by", ["0.75", "1", "2"])
def test_widths_are_formulas_beside_a_multiplier_that_is_no_whole_number(
    by: str, n: int, tmp_path: Path
) -> None:
    loop = f"- {{block: multiplied, name: m, for: {{n: [32, 8]}}, with: {{n: n, by: {by}}}}}\n"
    module = emitted(tmp_path, loop)
    assert classes(module) == {"Multiplied"}
    assert is_the_block(tmp_path, module.Multiplied(8, n=n), "multiplied", f"n: {n}, by: {by}")


def test_two_multipliers_are_two_classes(tmp_path: Path) -> None:
    loop = "- {block: multiplied, name: m, for: {n: [32, 40, 24], by: [1, 1, 0.5]}}\n"
    assert classes(emitted(tmp_path, loop)) == {"Multiplied", "Multiplied2"}


@pytest.mark.parametrize(("kernel", "padding"), [((1, 1), 0), ((3, 3), 1), ((5, 5), 1)])
def test_padding_in_numbers_is_an_argument(
    kernel: tuple[int, int], padding: int, tmp_path: Path
) -> None:
    loop = "- {block: padded, name: m, for: {k: [6x6, 3x3, 1x1], p: [2, 1, 0]}}\n"
    module = emitted(tmp_path, loop)
    assert classes(module) == {"Padded"}
    made = module.Padded(8, k=kernel, p=padding)
    given = f"k: {kernel[0]}x{kernel[1]}, p: {padding}"
    assert is_the_block(tmp_path, made, "padded", given)


@pytest.mark.parametrize("arguments", ["k: 1, c: 3", "k: 1, c: 7", "k: 2, c: 3", "k: 2, c: 7"])
@pytest.mark.parametrize("block", ["narrowed", "chosen", "called_again"])
def test_a_number_is_chosen_by_the_condition_of_what_is_left_out(
    block: str, arguments: str, tmp_path: Path
) -> None:
    module = emitted(tmp_path, f"- {{block: {block}, name: m, for: {{k: [1, 2], c: [7, 7]}}}}\n")
    given = {k: int(v) for k, v in (pair.split(": ") for pair in arguments.split(", "))}
    seen = 0
    for name in classes(module):
        accepts = module.__dict__[name].__init__.__annotations__
        try:
            made = module.__dict__[name](8, **{k: v for k, v in given.items() if k in accepts})
        except AssertionError:
            continue
        seen += 1
        assert is_the_block(tmp_path, made, block, arguments)
    assert seen == 1


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_stages_of_other_depths_are_one_class(count: int, tmp_path: Path) -> None:
    module = emitted(tmp_path, "- {block: stage, name: m, for: {n: [8, 4], count: [3, 1]}}\n")
    assert classes(module) == {"Stage"}
    made = module.Stage(8, n=6, count=count)
    assert is_the_block(tmp_path, made, "stage", f"n: 6, count: {count}")


def test_what_a_pattern_nobody_has_would_come_to_is_not_guessed(tmp_path: Path) -> None:
    module = emitted(tmp_path, "- {block: two, name: m, for: {a: [2, 1, 1], b: [2, 2, 1]}}\n")
    assert len(classes(module)) > 1


TOGETHER = [
    *("in_a_chain", "in_a_block", "reads_the_end"),
    *("one_after_the_other", "read_by_name", "named_in_a_row"),
]


@pytest.mark.parametrize("block", TOGETHER)
@pytest.mark.parametrize("a", [1, 2])
@pytest.mark.parametrize("b", [1, 2])
def test_conditions_that_went_together_are_told_apart(
    block: str, a: int, b: int, tmp_path: Path
) -> None:
    module = emitted(tmp_path, f"- {{block: {block}, name: m, for: {{a: [2, 1], b: [2, 1]}}}}\n")
    name = "".join(word.capitalize() for word in block.split("_"))
    assert {name, f"{name}2"} <= classes(module)
    for made in (module.__dict__[name], module.__dict__[f"{name}2"]):
        try:
            instance = made(8, a=a, b=b)
        except AssertionError:
            continue
        assert a == b
        assert is_the_block(tmp_path, instance, block, f"a: {a}, b: {b}")


@pytest.mark.parametrize(
    ("block", "values"), [("by_a_kernel", ", k: [3x3, 5x5]"), ("by_a_size", "")]
)
def test_a_condition_decides_no_number_that_depends_on_something_else(
    block: str, values: str, tmp_path: Path
) -> None:
    module = emitted(tmp_path, f"- {{block: {block}, name: m, for: {{a: [2, 1]{values}}}}}\n")
    assert len(classes(module)) == 2


@pytest.mark.parametrize(("values", "count"), [("5, 5", 1), ("3, 5", 2)])
def test_an_argument_that_one_layer_follows_and_another_does_not(
    values: str, count: int, tmp_path: Path
) -> None:
    module = emitted(
        tmp_path, f"- {{block: follows_and_not, name: m, for: {{a: [2, 1], b: [{values}]}}}}\n"
    )
    assert len(classes(module)) == count


def test_the_file_says_it_as_one_would_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(BLOCKS + INVERTED, encoding="utf-8")
    source = emit_source(load_graph(path))
    assert "        self.has_add = s == 1 and in_channels == n\n" in source
    assert "        add: Tensor = x + narrow if self.has_add else narrow\n" in source
    wide = "ConvNormReLU(in_channels, in_channels * expand, 1) if expand != 1 else nn.Identity()"
    assert f"        self.wide = (\n            {wide}\n        )\n" in source


def test_a_tap_inside_one_copy_gives_that_copy_a_class_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(BLOCKS + "- {block: basic, name: m, repeat: 3, with: {n: 8}}\n")
    graph = load_graph(path)
    image = torch.randn(2, 8, 12, 12)
    plain: Any = build_module(graph)
    tapped: Any = build_module(graph, taps=["m.1.conv_3x3"])
    tapped.load_state_dict(plain.state_dict())
    out, taps = tapped.eval()(image)
    first = plain.eval().m[0](image)
    torch.testing.assert_close(out, plain(image))
    torch.testing.assert_close(taps["m.1.conv_3x3"], plain.m[1].conv_3x3(first))
