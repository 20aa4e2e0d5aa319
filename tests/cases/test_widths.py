"""Parameters, expressions, widths, groups."""

from __future__ import annotations

import pytest

from compiler.facts.summarize import summarize
from tests.cases.conftest import Draft


@pytest.mark.parametrize(("round", "total"), [("int", 1330), ("round", 1332)])
def test_rounding_does_not_distribute(draft: Draft, round: str, total: int) -> None:
    two = (
        f"{{conv: 1x1, filters: {round}(512*w), name: a}}",
        f"{{conv: 1x1, filters: {round}(512*w), name: b, from: x}}",
    )
    head = "params: {w: 1.3}\n"
    assert draft.layers("3x8x8", *two, "{concat: [a, b]}", head=head).out == f"{total}x8x8"
    found = draft.layers("3x8x8", *two, "{concat: [a, b], size: 8x8x1331}", head=head)
    assert f"gives 8x8x{total}, the size that is stated is 8x8x1331" in found.said


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("64*w", "64*w = 22.4 is not a whole number"),
        ("0", "= 0 is less than 1"),
        ("-3", "= -3 is less than 1"),
        ("true", "expected a number or an expression, found `true`"),
        ('"32"', "found the quoted text `32`"),
        ("32.5", "= 32.5 is not a whole number"),
        ("yes", "unknown name `yes`"),
        ("", "is empty"),
        ("1/0", "division by zero"),
        ("k**9", "= k**9 = 40353607 is more than 10,000,000"),
        ("-k", "-k = -7 is less than 1"),
        ("1e999", "1.000e999 is more than 10,000,000"),
        ("64*widht", "unknown name `widht`"),
    ],
)
def test_widths_that_are_none(draft: Draft, filters: str, words: str) -> None:
    head = "params: {w: 0.35, k: 7, width: 1}\n"
    found = draft.layers("3x8x8", f"{{conv: 1x1, filters: {filters}}}", head=head)
    assert len(found.errors) == 1
    assert words in found.said


@pytest.mark.parametrize(
    ("filters", "channels"),
    [("64*w", 32), ("32.0", 32), ("j/2", 192), ("k//2", 3), ("round(2.5)", 2), ("010", 10)],
)
def test_widths_that_come_out_whole(draft: Draft, filters: str, channels: int) -> None:
    head = "params: {w: 0.5, k: 7, j: 384}\n"
    found = draft.layers("3x8x8", f"{{conv: 1x1, filters: {filters}}}", head=head)
    assert found.out == f"{channels}x8x8"


@pytest.mark.parametrize(
    ("inside", "filters", "groups", "words"),
    [
        (30, "64", 4, "30 input channels cannot be split into 4 groups (30 % 4 = 2)"),
        (64, "30", 4, "30 output channels cannot be split into 4 groups (30 % 4 = 2)"),
    ],
)
def test_groups(draft: Draft, inside: int, filters: str, groups: int, words: str) -> None:
    layer = f"{{conv: 3x3, filters: {filters}, groups: {groups}}}"
    assert words in draft.layers(f"{inside}x8x8", layer).said


def test_the_expression_of_the_width_is_shown(draft: Draft) -> None:
    first = "{conv: 1x1, filters: floor(64*w), name: a}"
    second = "{conv: 3x3, filters: 64, groups: 8}"
    found = draft.layers("3x8x8", first, second, head="params: {w: 0.35}\n")
    assert "(22 % 8 = 6)" in found.said
    assert "22 = floor(64*w), the `filters` of `a`" in found.said


def test_depthwise_with_a_multiplier(draft: Draft) -> None:
    found = draft.layers("32x8x8", "{conv: 3x3, filters: 64, groups: 32, bias: false}")
    assert found.graph is not None
    assert summarize(found.graph).parameters == 64 * 1 * 3 * 3


def test_lists_are_no_layers(draft: Draft) -> None:
    found = draft.layers("3x8x8", "[32, 48, 3, 1, 2, 2, 2]")
    assert found.errors == ["bad-layer"]
    assert "name every value" in found.said


@pytest.mark.parametrize("key", ["in", "in_channels"])
def test_input_channels_are_inferred(draft: Draft, key: str) -> None:
    found = draft.layers("16x8x8", f"{{conv: 3x3, filters: 8, {key}: 8}}")
    assert found.errors == ["unknown-field"]
    assert "what a layer receives is inferred" in found.said


@pytest.mark.parametrize(("channels", "parameters"), [(6, 896), (3, 464)])
def test_input_channels_are_counted(draft: Draft, channels: int, parameters: int) -> None:
    layer = "{conv: 3x3, filters: 16, norm: batch_norm}"
    graph = draft.layers(f"{channels}x64x64", layer).graph
    assert graph is not None
    assert summarize(graph).parameters == parameters


@pytest.mark.parametrize(("pad", "words"), [("k/2", "= 3.5 is not a whole number"), ("k//2", "")])
def test_half_a_kernel(draft: Draft, pad: str, words: str) -> None:
    layer = f"{{conv: 7x7, filters: 4, padding: {pad}}}"
    found = draft.layers("3x8x8", layer, head="params: {k: 7}\n")
    assert words in found.said
    assert bool(found.errors) is bool(words)


def test_parameters_in_a_circle_and_unused(draft: Draft) -> None:
    circle = draft.layers("3x8x8", "{conv: 1x1, filters: a}", head="params: {a: b, b: a}\n")
    assert "the default of `a`: unknown name `b`" in circle.said
    unused = draft.layers("3x8x8", "relu", head="params: {a: 3}\n")
    assert [d.code for d in unused.findings] == ["unused-parameter"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        *(("{keep: 0.8}", None), ("{drop: 0.2}", None), ("{drop: 1.0}", "high-dropout")),
        *(("{drop: 0.8}", "high-dropout"), ("{drop: 1.1}", "bad-value")),
        *(("{drop: -0.1}", "bad-value"), ("{keep: 0.8, drop: 0.2}", "bad-value")),
        *(("{keep: 80%}", "bad-expression"), ("{keep: ~}", "bad-value"), ("0.2", "bad-value")),
    ],
)
def test_dropout(draft: Draft, given: str, code: str | None) -> None:
    found = draft.layers("3x8x8", f"{{dropout: {given}}}")
    assert [d.code for d in found.findings] == ([code] if code else [])


@pytest.mark.parametrize(
    ("given", "momentum"), [("decay: 0.9997", 0.0003), ("momentum: 0.0003", 0.0003)]
)
def test_decay_is_one_minus_momentum(draft: Draft, given: str, momentum: float) -> None:
    found = draft.layers("3x8x8", f"{{batch_norm: true, {given}, eps: 1e-3}}")
    assert found.graph is not None
    op = found.graph.nodes["batch_norm"].op
    assert op.attributes()["momentum"] == pytest.approx(momentum)
    assert op.attributes()["eps"] == pytest.approx(0.001)


def test_arguments_of_a_block_are_reported_where_they_stand(draft: Draft) -> None:
    head = (
        "blocks:\n  b:\n    params: {c: {type: channels}, f: {type: bool, default: true},"
        " a: {type: activation, default: relu}}\n"
        "    layers: [{conv: 1x1, filters: c, bias: f, activation: a}]\n"
    )
    layer = "{block: b, with: {c: 2.5, f: no, a: tahn}}"
    found = draft.layers("3x8x8", layer, head=head)
    assert [found.findings[i].message.split(" of ")[0] for i in range(3)] == ["`c`", "`f`", "`a`"]
    assert [d.span.column - 5 for d in found.findings] == [
        layer.index(value) for value in ("2.5", "no", "tahn")
    ]
    assert "did you mean `tanh`?" in found.said


def test_a_comma_in_a_flow_mapping_is_one_mistake(draft: Draft) -> None:
    found = draft.layers("3x8x8", "{conv: 1x1, filters: max(8, in.channels)}")
    assert found.errors == ["bad-expression"]
    assert "put it in quotes" in found.said
    assert draft.layers("3x8x8", '{conv: 1x1, filters: "max(8, in.channels)"}').out == "8x8x8"


def test_a_fault_in_the_defaults_is_reported_once_and_there(draft: Draft) -> None:
    head = "defaults: {conv: {stride: 0}}\n"
    conv = "{conv: 1x1, filters: 4}"
    found = draft.layers("3x8x8", conv, conv, head=head)
    assert found.errors == ["bad-value"]
    assert found.findings[0].span.line == 3
