"""The torch backend's numbers against values worked out by hand or read from public reports."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from backends.torch.module import build_module
from compiler.graph import Shape, connect
from compiler.ops import Slice
from tests.torch.torch_specs import fill, graph_of_text, module_of, noise, parameters


def layer(text: str, size: str = "[1, 4, 4]") -> nn.Module:
    return module_of(f"network: one\ninput: {{x: {size}}}\nlayers:\n  - {text}\n")


def run(module: nn.Module, x: Tensor) -> list[float]:
    with torch.no_grad():
        out = module(x)
    return [round(float(v), 4) for v in out.flatten()]


def test_same_padding_at_stride_2_puts_the_odd_pixel_last() -> None:
    module = layer("{conv: 3x3, filters: 1, stride: 2, padding: same, name: y, bias: false}")
    fill(module, y__weight=1.0)
    assert run(module, torch.ones(1, 1, 4, 4)) == [9, 6, 6, 4]


def test_explicit_padding_at_stride_2_is_symmetric() -> None:
    module = layer("{conv: 3x3, filters: 1, stride: 2, padding: 1, name: y, bias: false}")
    fill(module, y__weight=1.0)
    assert run(module, torch.ones(1, 1, 4, 4)) == [4, 6, 6, 9]


@pytest.mark.parametrize(
    ("kernel", "size", "out"), [("7x7", 224, 112), ("3x3", 299, 150), ("3x3", 224, 112)]
)
def test_same_padding_follows_the_size_of_the_input(kernel: str, size: int, out: int) -> None:
    module = layer(f"{{conv: {kernel}, filters: 1, stride: 2}}", "[1, 32, 32]")
    assert module(torch.zeros(1, 1, size, size)).shape == (1, 1, out, out)


def test_an_even_kernel_keeps_the_size_where_numbers_do_not() -> None:
    same = layer("{conv: 4x4, filters: 1, padding: same}", "[1, 8, 8]")
    two = layer("{conv: 4x4, filters: 1, padding: 2}", "[1, 8, 8]")
    x = torch.zeros(1, 1, 8, 8)
    assert same(x).shape[2:] == (8, 8)
    assert two(x).shape[2:] == (9, 9)


def test_an_even_kernel_pads_one_before_and_two_after() -> None:
    module = layer("{conv: 4x4, filters: 1, padding: same, name: y, bias: false}", "[1, 4, 4]")
    fill(module, y__weight=1.0)
    # Along one axis the windows hold 3, 4, 3, 2 of the four ones.
    rows = [3.0, 4.0, 3.0, 2.0]
    assert run(module, torch.ones(1, 1, 4, 4)) == [a * b for a in rows for b in rows]


def test_average_pooling_leaves_the_padding_out() -> None:
    module = layer("{avg_pool: 3x3, padding: 1}", "[1, 3, 3]")
    assert run(module, torch.ones(1, 1, 3, 3)) == [1.0] * 9


def test_average_pooling_counts_the_padding_when_told() -> None:
    module = layer("{avg_pool: 3x3, padding: 1, count_include_pad: true}", "[1, 3, 3]")
    corner, edge = 0.4444, 0.6667
    expected = [corner, edge, corner, edge, 1.0, edge, corner, edge, corner]
    assert run(module, torch.ones(1, 1, 3, 3)) == expected


@pytest.mark.parametrize(
    ("text", "size", "out"),
    [
        ("{avg_pool: 4x4, stride: 4, padding: 2, ceil: true}", 9, 3),
        ("{max_pool: 2x2, stride: 2, padding: 1, ceil: true}", 5, 3),
        ("{max_pool: 1x1, stride: 2, padding: V, ceil: true}", 12, 6),
        ("{max_pool: 3x3, stride: 3, padding: 1, ceil: true}", 2, 1),
        ("{avg_pool: 4x4, stride: 2, padding: V, ceil: true}", 9, 4),
        ("{max_pool: 3x3, stride: 2, padding: V}", 112, 55),
        ("{max_pool: 3x3, stride: 2, padding: V, ceil: true}", 112, 56),
        ("{max_pool: 2x2, stride: 2, padding: V}", 75, 37),
        ("{max_pool: 2x2, stride: 2, padding: V, ceil: true}", 75, 38),
        ("{max_pool: 3x3, padding: V}", 112, 110),
    ],
)
def test_pooling_sizes(text: str, size: int, out: int) -> None:
    module = layer(text, f"[1, {size}, {size}]")
    assert module(torch.zeros(1, 1, size, size)).shape == (1, 1, out, out)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("padding: 1, count_include_pad: true", [6, 8, 3.6667, 5, 6, 2.5, 1.1667, 1, 0.25]),
        ("padding: 1", [13.5, 12, 11, 7.5, 6, 5, 3.5, 2, 1]),
        ("padding: V", [11, 9.5, 5, 3.5]),
    ],
)
def test_average_pooling_with_ceil_at_the_edges(more: str, expected: list[float]) -> None:
    module = layer(f"{{avg_pool: 3x3, stride: 2, ceil: true, {more}}}")
    x = torch.arange(16, 0, -1, dtype=torch.float).reshape(1, 1, 4, 4)
    assert run(module, x) == expected


def test_max_pooling_pads_with_minus_infinity() -> None:
    module = layer("{max_pool: 2x2, stride: 2, padding: same}", "[1, 3, 3]")
    x = torch.tensor([[3.0, -4, -1], [-2, 5, -6], [-7, 0, -3]]).reshape(1, 1, 3, 3)
    assert run(module, x) == [5, -1, 0, -3]


def test_input_channels_reach_the_first_convolution() -> None:
    text = "{conv: 3x3, filters: 16, norm: batch_norm}"
    assert parameters(layer(text, "[6, 64, 64]")) == 896
    assert parameters(layer(text, "[3, 64, 64]")) == 464


def test_a_tensor_may_be_an_operand_twice() -> None:
    module = module_of(
        """
        network: twice
        input: {x: [2, 3, 3]}
        layers:
          - {conv: 1x1, filters: 2, name: y}
          - {add: [x, x], name: double}
          - {concat: [x, x], name: pair}
          - {concat: [x, y, x], name: three}
        outputs: [double, pair, three]
        """
    )
    x = noise(1, 2, 3, 3)
    with torch.no_grad():
        out = module(x)
        y = module.get_submodule("y")(x)
    assert torch.equal(out.double, 2 * x)
    assert torch.equal(out.pair, torch.cat([x, x], 1))
    assert torch.equal(out.three, torch.cat([x, y, x], 1))


def test_shared_weights_count_once() -> None:
    text = """
        network: shared
        input: {x: [1, 8, 8]}
        layers:
          - {conv: 3x3, filters: 1, name: a}
          - {conv: 3x3, filters: 1, name: b, share: a}
        """
    module = module_of(text)
    x = noise(1, 1, 8, 8)
    conv = module.get_submodule("a")
    assert parameters(module) == 10
    assert list(module.state_dict()) == ["a.weight", "a.bias"]
    assert torch.equal(module(x), conv(conv(x)))


def test_a_shared_block_is_called_again_on_another_input() -> None:
    module = module_of(
        """
        network: siamese
        input: {left: [3, 8, 8], right: [3, 8, 8]}
        defaults: {conv: {norm: batch_norm, activation: relu}}
        blocks:
          tower:
            layers:
              - {conv: 3x3, filters: 4, stride: 2}
              - {global_avg_pool: true}
        layers:
          - {block: tower, name: one, from: left}
          - {block: tower, name: two, from: right, share: one}
          - {add: [one, two]}
        """
    )
    left, right = noise(2, 3, 8, 8), noise(2, 3, 8, 8, seed=1)
    tower = module.get_submodule("one")
    assert not [name for name in module.state_dict() if name.startswith("two")]
    torch.testing.assert_close(module(left, right), tower(left) + tower(right))


def test_routing_is_followed_where_a_list_of_layers_would_not_do() -> None:
    module = module_of(
        """
        network: routed
        input: {x: [3, 4, 4]}
        layers:
          - {conv: 1x1, filters: 2, name: a}
          - {conv: 1x1, filters: 3, name: b}
          - {concat: [b, a]}
          - {conv: 1x1, filters: 1, name: c}
        """
    )
    x = noise(1, 3, 4, 4)
    a, b, c = (module.get_submodule(n) for n in "abc")
    assert torch.equal(module(x), c(torch.cat([b(a(x)), a(x)], 1)))


def test_the_order_of_a_concat_is_the_written_one() -> None:
    text = """
        network: order
        input: {x: [1, 4, 4]}
        layers:
          - branches: {%s}
            join: concat
        """
    pool, conv = "pool: [{scale: 2.0}]", "conv: [{scale: 3.0}]"
    x = torch.ones(1, 1, 1, 1)
    assert run(module_of(text % f"{pool}, {conv}"), x) == [2, 3]
    assert run(module_of(text % f"{conv}, {pool}"), x) == [3, 2]


def test_residual_scaling_multiplies_the_residual() -> None:
    module = module_of(
        """
        network: scaled
        input: {x: [1, 1, 1]}
        layers:
          - residual:
              body: [{conv: 1x1, filters: 1, name: f, bias: false}]
              scale: 0.1
        """
    )
    fill(module, f__weight=5.0)  # f(2) = 10
    assert run(module, torch.full((1, 1, 1, 1), 2.0)) == [3.0]


def test_overlapping_slices_joined_again_keep_all_channels() -> None:
    # No spec writes a slice, so the graph is changed by hand: 3 + 3 of 4 channels, then 6 + 3.
    graph = graph_of_text(
        """
        network: sliced
        input: {x: [4, 2, 2]}
        layers:
          - {identity: true, name: one}
          - {identity: true, name: two, from: x}
          - {concat: [one, two], name: pair}
          - {concat: [pair, two], name: three}
        """
    )
    nodes = dict(graph.nodes)
    nodes["one"] = replace(nodes["one"], op=Slice(0, 3), shape=Shape((3, 2, 2)))
    nodes["two"] = replace(nodes["two"], op=Slice(1, 4), shape=Shape((3, 2, 2)))
    nodes["pair"] = replace(nodes["pair"], shape=Shape((6, 2, 2)))
    nodes["three"] = replace(nodes["three"], shape=Shape((9, 2, 2)))
    module = build_module(replace(graph, network=connect(nodes.values()))).eval()
    x = noise(1, 4, 2, 2)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    expected = torch.cat([x[:, :3], x[:, 1:], x[:, 1:]], 1)
    assert torch.equal(module(x), expected)
    assert torch.equal(compiled(x), expected)


def test_a_linear_projection_has_a_bias_and_no_norm() -> None:
    module = build_module(graph_of_text(BLOCK_17))
    assert parameters(module) == 1_126_784
    assert "up.bias" in module.state_dict()


BLOCK_17 = """
network: block17
input: {x: [1088, 17, 17]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - residual:
      body:
        - branches:
            single: [{conv: 1x1, filters: 192}]
            long: [{conv: 1x1, filters: 128}, {conv: 1x7, filters: 160}, {conv: 7x1, filters: 192}]
          join: concat
        - {conv: 1x1, filters: 1088, linear: true, name: up}
      scale: 0.1
      activation: relu
"""


def test_fold_of_a_sum_does_not_change_its_operands() -> None:
    module = module_of(
        """
        network: fold
        input: {x: [1, 1, 3]}
        layers:
          - {add: [x, x], name: sum}
          - {relu: true, name: y}
          - {concat: [y, x]}
        """
    )
    x = torch.tensor([[[[-1.0, 0.0, 2.0]]]])
    assert run(module, x.clone()) == [0, 0, 4, -1, 0, 2]
    kept = x.clone()
    module(kept)
    assert torch.equal(kept, x)
