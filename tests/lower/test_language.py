"""What the language means: names, references, repeats, conditions, sharing, defaults, sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.graph import Graph, number
from compiler.graph.print import print_graph
from compiler.ops import BatchNorm, Conv2d, Dropout
from compiler.pipeline import draft_graph, load_graph


def network(tmp_path: Path, body: str, inputs: str = "{x: [64, 8, 8]}") -> Graph:
    """Return the graph of a network with the given body."""
    path = tmp_path / "net.yaml"
    path.write_text(f"network: net\ninput: {inputs}\n{body}", encoding="utf-8")
    return load_graph(path)


def params(graph: Graph) -> int:
    return number(graph.parameters())


def out(graph: Graph) -> tuple[object, ...]:
    return tuple(graph.nodes[graph.outputs[0].node].shape)


def test_inserting_a_layer_renames_nothing_else(tmp_path: Path) -> None:
    before = network(
        tmp_path,
        (
            "layers:\n"
            "- {conv: 3x3, filters: 8}\n"
            "- {conv: 5x5, filters: 8}\n"
            "- {conv: 1x1, filters: 4, name: end}\n"
        ),
    )
    after = network(
        tmp_path,
        (
            "layers:\n"
            "- {conv: 3x3, filters: 8}\n"
            "- {conv: 1x7, filters: 8}\n"
            "- relu\n"
            "- {conv: 5x5, filters: 8}\n"
            "- {conv: 1x1, filters: 4, name: end}\n"
        ),
    )
    assert set(before.nodes) == {"x", "conv_3x3", "conv_5x5", "end"}
    assert set(after.nodes) - set(before.nodes) == {"conv_1x7", "relu"}


def test_a_changed_width_keeps_the_name(tmp_path: Path) -> None:
    names = [
        list(network(tmp_path, f"layers: [{{conv: 3x3, filters: {n}}}]").nodes) for n in (8, 16)
    ]
    assert names[0] == names[1]


def test_repeats_number_their_copies_and_do_not_share(tmp_path: Path) -> None:
    body = (
        "blocks: {b: {layers: [{conv: 3x3, filters: 128}]}}\n"
        "layers: [{block: b, name: res, repeat: 2}]\n"
    )
    graph = network(tmp_path, body)
    assert [n for n in graph.nodes if "conv" in n] == ["res.0.conv_3x3", "res.1.conv_3x3"]
    assert params(graph) == 128 * 64 * 9 + 128 + 128 * 128 * 9 + 128


@pytest.mark.parametrize("count", [0, 1])
def test_a_repeat_of_none_passes_the_input_on(tmp_path: Path, count: int) -> None:
    graph = network(
        tmp_path,
        f"params: {{n: {count}}}\n"
        "layers: [{conv: 1x1, filters: 4, repeat: n, name: c}, {relu: true, name: r}]\n",
    )
    assert out(graph) == ((4 if count else 64), 8, 8)


def test_index_counts_the_copies(tmp_path: Path) -> None:
    graph = network(
        tmp_path, "layers: [{conv: 1x1, filters: 8 * (index + 1), repeat: 3, name: c}]\n"
    )
    assert [graph.nodes[f"c.{i}"].shape[0] for i in range(3)] == [8, 16, 24]


def test_the_same_operand_twice(tmp_path: Path) -> None:
    graph = network(
        tmp_path,
        (
            "layers:\n"
            "- {relu: true, name: a}\n"
            "- {add: [a, a], name: s}\n"
            "- {concat: [a, s, a], name: c}\n"
        ),
    )
    assert graph.nodes["s"].inputs == ("a", "a")
    assert graph.nodes["c"].inputs == ("a", "s", "a")
    assert out(graph) == (192, 8, 8)
    assert graph.network.number_of_edges("a", "s") == 2


def test_a_layer_may_read_one_that_is_written_later(tmp_path: Path) -> None:
    graph = network(
        tmp_path,
        (
            "layers:\n"
            "- {relu: true, name: a, from: b}\n"
            "- {conv: 1x1, filters: 4, name: b, from: x}\n"
            "- {add: [a, b]}\n"
        ),
    )
    assert list(graph.nodes) == ["x", "b", "a", "add"]


def test_shared_parameters_count_once(tmp_path: Path) -> None:
    graph = network(
        tmp_path,
        (
            "layers:\n"
            "- {conv: 3x3, filters: 1, name: a}\n"
            "- {conv: 3x3, filters: 1, name: b, share: a}\n"
        ),
        "{x: [1, 4, 4]}",
    )
    assert params(graph) == 10
    assert graph.nodes["b"].share == "a"


def test_shared_blocks_share_every_layer(tmp_path: Path) -> None:
    body = (
        "defaults: {conv: {norm: batch_norm}}\n"
        "blocks: {b: {layers: [{conv: 1x1, filters: 64}]}}\n"
        "layers: [{block: b, name: p}, {block: b, name: q, share: p}]\n"
    )
    graph = network(tmp_path, body)
    assert graph.nodes["q.conv_1x1.conv"].share == "p.conv_1x1.conv"
    assert params(graph) == 64 * 64 + 128


def test_a_false_condition_leaves_a_layer_out(tmp_path: Path) -> None:
    body = (
        "blocks:\n  b:\n    params: {out: {type: channels}}\n    residual:\n"
        "      body: [{conv: 3x3, filters: out}]\n"
        "      shortcut: [{conv: 1x1, filters: out, when: in.channels != out}]\n"
        "layers: [{block: b, name: p, with: {out: 64}}, {block: b, name: q, with: {out: 128}}]\n"
    )
    graph = network(tmp_path, body)
    assert "p.shortcut.conv_1x1" not in graph.nodes
    assert graph.nodes["q.add"].inputs == ("q.shortcut.conv_1x1", "q.conv_3x3")


def test_a_residual_adds_the_scaled_body_to_its_input(tmp_path: Path) -> None:
    graph = network(
        tmp_path,
        (
            "layers: [{residual: {body: [{conv: 1x1, filters: 64}], scale: 0.1, "
            "activation: relu}}]\n"
        ),
    )
    assert print_graph(graph, shapes=False).splitlines()[2:-2] == [
        "  residual: transparent residual {",
        "    body: transparent branch {",
        "      %conv_1x1 = Conv2d(%x) {out_channels=64, kernel_size=1x1}",
        "    }",
        "    shortcut: branch -> %x {",
        "    }",
        "    %scale = Scale(%conv_1x1) {factor=0.1}",
        "    %add = Add(%x, %scale)",
        "    %act = ReLU(%add)",
        "  }",
    ]


def test_a_split_ends_in_the_enclosing_concat(tmp_path: Path) -> None:
    body = (
        "layers:\n"
        "- branches:\n"
        "    a: [relu]\n"
        "    b:\n"
        "      - relu\n"
        "      - split: {t: [{conv: 3x1, filters: 2}], w: [{conv: 1x3, "
        "filters: 2}]}\n"
        "  join: concat\n"
    )
    graph = network(tmp_path, body)
    assert graph.nodes["concat"].inputs == ("a.relu", "b.t.conv_3x1", "b.w.conv_1x3")


def test_branches_keep_the_written_order(tmp_path: Path) -> None:
    body = (
        "layers: [{branches: {z: [{conv: 1x1, filters: 1}], a: [{conv: 1x1, "
        "filters: 2}], m: []}, join: concat}]\n"
    )
    graph = network(tmp_path, body)
    assert graph.nodes["concat"].inputs == ("z.conv_1x1", "a.conv_1x1", "x")


def test_defaults_apply_where_a_layer_does_not_say(tmp_path: Path) -> None:
    body = (
        "defaults: {conv: {norm: batch_norm, activation: relu, padding: V}, "
        "batch_norm: {eps: 1e-3, decay: 0.9997}}\n"
        "layers: [{conv: 3x3, filters: 4, name: a}, {conv: 3x3, filters: 4, "
        "norm: none, padding: same, name: b}, {conv: 1x1, filters: 4, linear: "
        "true, name: c}]\n"
    )
    graph = network(tmp_path, body)
    assert [n for n in graph.nodes if n != "x"] == [
        "a.conv",
        "a.norm",
        "a.act",
        "b.conv",
        "b.act",
        "c",
    ]
    norm, conv, linear = (graph.nodes[n].op for n in ("a.norm", "b.conv", "c"))
    assert isinstance(norm, BatchNorm)
    assert isinstance(conv, Conv2d)
    assert isinstance(linear, Conv2d)
    assert (norm.eps, norm.momentum) == (0.001, 0.0003)
    assert (conv.padding, conv.bias, linear.bias) == ("same", True, True)
    assert graph.nodes["a.conv"].shape == (4, 6, 6)


def test_keep_and_drop_are_two_words_for_one_thing(tmp_path: Path) -> None:
    rates = [
        network(tmp_path, f"layers: [{{dropout: {{{w}}}}}]").nodes["dropout"].op
        for w in ("keep: 0.8", "drop: 0.2")
    ]
    assert rates == [Dropout(0.2), Dropout(0.2)]


def test_a_parameter_can_be_a_padding_a_kernel_or_an_activation(tmp_path: Path) -> None:
    body = (
        "params: {pad: V, k: 3x1, act: silu}\n"
        "layers: [{conv: k, filters: 4, padding: pad, activation: act, name: "
        "c}]\n"
    )
    graph = network(tmp_path, body)
    assert out(graph) == (4, 6, 8)
    assert graph.nodes["c.act"].op.function == "silu"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("pad", "grid"), [("[0, 3]", (17, 17)), ("[3, 0]", (23, 11)), ("same", (17, 17))]
)
def test_kernel_and_padding_are_height_first(
    tmp_path: Path, pad: str, grid: tuple[int, int]
) -> None:
    graph = network(
        tmp_path, f"layers: [{{conv: [1, 7], filters: 4, padding: {pad}}}]", "{x: [4, 17, 17]}"
    )
    assert out(graph) == (4, *grid)


def test_depthwise_groups(tmp_path: Path) -> None:
    graph = network(tmp_path, "layers: [{conv: 3x3, filters: 128, groups: depthwise, bias: false}]")
    assert params(graph) == 128 * 9


def test_six_input_channels(tmp_path: Path) -> None:
    graph = network(
        tmp_path, "layers: [{conv: 3x3, filters: 16, norm: batch_norm}]", "{x: [6, 64, 64]}"
    )
    assert params(graph) == 896


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    body = (
        "outputs: [a, {name: aux, from: b.c, training_only: true}]\n"
        "layers:\n"
        "- {add: [x, y], name: a}\n"
        "- {layers: [{conv: 1x1, filters: 2, name: c}], name: b}\n"
    )
    graph = network(tmp_path, body, "{x: [3, 8, 8], y: [3, 8, 8]}")
    assert [(o.name, o.node, o.training_only) for o in graph.outputs] == [
        ("a", "a", False),
        ("aux", "b.c", True),
    ]


def test_a_block_with_two_inputs(tmp_path: Path) -> None:
    body = (
        "blocks: {gate: {inputs: [q, k], layers: [{multiply: [q, k]}]}}\n"
        "layers: [{block: gate, from: {k: y, q: x}}]\n"
    )
    graph = network(tmp_path, body, "{x: [3, 8, 8], y: [3, 1, 1]}")
    assert graph.nodes["gate.multiply"].inputs == ("x", "y")
    assert out(graph) == (3, 8, 8)


def test_three_thousand_layers_in_a_row(tmp_path: Path) -> None:
    graph = network(tmp_path, "layers: [{conv: 1x1, filters: 8, repeat: 3000, name: c}]")
    assert len(graph.nodes) == 3001
    assert print_graph(graph).count("Conv2d") == 3000


def test_blocks_ninety_deep(tmp_path: Path) -> None:
    blocks = "".join(f"  b{i}: {{layers: [{{block: b{i + 1}}}]}}\n" for i in range(90))
    graph = network(
        tmp_path, f"blocks:\n{blocks}  b90: {{layers: [relu]}}\nlayers: [{{block: b0}}]\n"
    )
    assert len(graph.nodes) == 2


def test_width_rounding_does_not_distribute_over_a_concat(tmp_path: Path) -> None:
    body = (
        "params: {w: 1.3}\n"
        "layers:\n"
        "- branches:\n"
        "    a: [{conv: 1x1, filters: int(512*w)}]\n"
        "    b: [{conv: 1x1, filters: int(512*w)}]\n"
        "  join: concat\n- {residual: {body: [{conv: 1x1, filters: int(1024*w)}]}}\n"
    )
    (tmp_path / "net.yaml").write_text(
        f"network: net\ninput: {{x: [64, 8, 8]}}\n{body}", encoding="utf-8"
    )
    _, report, _ = draft_graph(tmp_path / "net.yaml")
    found = report.diagnostics[0]
    assert found.message == "`add` cannot add 8x8x1331 with 8x8x1330"
    assert "set `filters` to 1330 (it is `int(1024*w)` now)" in found.help


def test_only_a_comment_changes_nothing_of_the_digest(tmp_path: Path) -> None:
    plain = network(tmp_path, "layers: [relu]\n").digest
    assert network(tmp_path, "layers: [relu]  # a comment\n").digest == plain
    assert network(tmp_path, "layers: [relu6]\n").digest != plain
