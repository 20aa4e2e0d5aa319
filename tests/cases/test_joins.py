"""Branches that do not meet in a concat or an add."""

from __future__ import annotations

import pytest

from tests.cases.conftest import Draft

STEM = (
    "{conv: 3x3, filters: 8, stride: 2, padding: V}",
    "{conv: 3x3, filters: 8, padding: V}",
    "{conv: 3x3, filters: 8, padding: 1}",
    "{max_pool: 3x3, stride: 2, padding: V, ceil: CEIL}",
    "{conv: 3x3, filters: 8, padding: V}",
    "{max_pool: 3x3, stride: 2, padding: V, ceil: CEIL}",
    "{branches: {conv: [{conv: 3x3, filters: 8, stride: 2, padding: V}],"
    " pool: [{max_pool: 3x3, stride: 2, padding: V, ceil: CEIL}]}, join: concat, name: red}",
)


def stem(ceil: str) -> tuple[str, ...]:
    return tuple(layer.replace("CEIL", ceil) for layer in STEM)


@pytest.mark.parametrize(
    ("size", "conv", "pool"), [(224, 12, 13), (192, 10, 11), (160, 8, 9), (256, 14, 15)]
)
def test_ceil_pooling_misses_the_convolution(draft: Draft, size: int, conv: int, pool: int) -> None:
    found = draft.layers(f"3x{size}x{size}", *stem("true"))
    assert found.errors == ["shape-mismatch"]
    assert f"{conv}x{conv}x8 from `red.conv.conv_3x3`" in found.said
    assert f"{pool}x{pool}x8 from `red.pool.max_pool_3x3`" in found.said


@pytest.mark.parametrize(
    ("size", "ceil", "grid"), [(224, "false", 12), (331, "true", 19), (299, "true", 17)]
)
def test_ceil_pooling_meets_the_convolution(draft: Draft, size: int, ceil: str, grid: int) -> None:
    assert draft.layers(f"3x{size}x{size}", *stem(ceil)).out == f"16x{grid}x{grid}"


@pytest.mark.parametrize(("size", "pad", "conv", "rounded_up"), [(10, 0, 4, 5), (28, 1, 14, 15)])
def test_two_rounding_rules(draft: Draft, size: int, pad: int, conv: int, rounded_up: int) -> None:
    def both(ceil: str) -> str:
        return (
            f"{{branches: {{a: [{{conv: 3x3, filters: 2, stride: 2, padding: {pad}}}],"
            f" b: [{{max_pool: 3x3, stride: 2, padding: {pad}, ceil: {ceil}}}]}}, join: concat}}"
        )

    found = draft.layers(f"3x{size}x{size}", both("true"))
    assert found.errors == ["shape-mismatch"]
    assert f"{rounded_up}x{rounded_up}x3" in found.said
    assert f"{conv}x{conv}x2" in found.said
    assert draft.layers(f"3x{size}x{size}", both("false")).out == f"5x{conv}x{conv}"


def test_the_branch_that_differs_is_named(draft: Draft) -> None:
    def three(first: str, rest: str) -> str:
        return (
            f"{{branches: {{a: [{{conv: 3x3, filters: 2, stride: 2, padding: {first}}}],"
            f" b: [{{conv: 3x3, filters: 2, stride: 2, padding: {rest}}}],"
            f" c: [{{max_pool: 3x3, stride: 2, padding: {rest}}}]}}, join: concat}}"
        )

    found = draft.layers("3x17x17", three("same", "V"))
    assert "cannot concat 9x9x2 with 8x8x2 and 8x8x3" in found.said
    assert found.findings[0].span.column == draft_column(three("same", "V"), "{conv")
    assert draft.layers("3x17x17", three("same", "same")).out == "7x9x9"


def draft_column(layer: str, what: str) -> int:
    return len("  - ") + layer.index(what) + 1


def test_grids_differ_and_channels_agree(draft: Draft) -> None:
    found = draft(
        "network: n\ninput: {a: [256, 17, 17], b: [256, 15, 15]}\nlayers:\n"
        "  - {upsample: 2, from: a, name: up}\n  - {relu: true, name: act}\n"
        "  - {concat: [act, b]}\n"
    )
    assert "the channels agree" in found.said
    assert "34x34x256 from `act`, on a grid that `up` made 34x34 of 17x17" in found.said
    assert "15x15x256 from `b`" in found.said


def test_joins_have_no_axis(draft: Draft) -> None:
    two = ("{conv: 1x1, filters: 64, name: p}", "{conv: 1x1, filters: 96, name: q, from: x}")
    assert draft.layers("3x73x73", *two, "{concat: [p, q]}").out == "160x73x73"
    found = draft.layers("3x73x73", *two, "{concat: [p, q], axis: 2}")
    assert found.errors == ["unknown-field"]
    assert "`concat` has no key `axis`" in found.said


@pytest.mark.parametrize(("given", "wide"), [(1152, 1154), (2144, 2048)])
def test_a_residual_that_cannot_close(draft: Draft, given: int, wide: int) -> None:
    body = f"{{residual: {{body: [{{conv: 1x1, filters: {wide}, linear: true}}]}}}}"
    found = draft.layers(f"{given}x8x8", body)
    assert found.errors == ["shape-mismatch"]
    assert f"channels {given} against {wide}" in found.said
    assert f"set `filters` to {given}" in found.said
    inferred = "{residual: {body: [{conv: 1x1, filters: in.channels, linear: true}]}}"
    assert draft.layers(f"{given}x8x8", inferred).out == f"{given}x8x8"


def test_a_vector_is_projected_by_a_linear_layer(draft: Draft) -> None:
    ends = (
        "{linear: 4, name: a}",
        "{linear: 5, from: pool, name: b}",
        "{scale: 0.5, name: scaled}",
    )
    body = ("{global_avg_pool: true, name: pool}", *ends)
    found = draft.layers("3x8x8", *body, "{add: [a, scaled]}")
    assert [d.help for d in found.findings] == [
        "set `linear` to 4, or project `scaled` with a `linear` to 4"
    ]
    fixed = (*body, "{linear: 4, name: p}", "{add: [a, p]}")
    assert draft.layers("3x8x8", *fixed).out == "4"


def test_a_shortcut_is_not_cut_to_fit(draft: Draft) -> None:
    body = ("{conv: 1x1, filters: 64}", "{conv: 3x3, filters: 64}", "{conv: 1x1, filters: 256}")
    found = draft.layers("64x64x64", *body, "{add: [conv_1x1_2, x]}")
    assert "channels 256 against 64" in found.said
    assert "project `x` with a 1x1 convolution to 256" in found.said
    fixed = (*body, "{conv: 1x1, filters: 256, from: x, name: p}", "{add: [conv_1x1_2, p]}")
    assert draft.layers("64x64x64", *fixed).out == "256x64x64"


def test_both_differences_at_once(draft: Draft) -> None:
    body = "{conv: 3x3, filters: 128, stride: 2, padding: 1}, {conv: 3x3, filters: 128}"
    found = draft.layers("64x56x56", f"{{residual: {{body: [{body}]}}}}")
    assert "channels 64 against 128 and in grids 56x56 against 28x28" in found.said
    shortcut = "shortcut: [{conv: 1x1, filters: 128, stride: 2}]"
    fixed = f"{{residual: {{body: [{body}], {shortcut}}}}}"
    assert draft.layers("64x56x56", fixed).out == "128x28x28"


def test_three_levels_in_one_error(draft: Draft) -> None:
    found = draft(
        "network: n\ninput: {a: [64, 128, 128], b: [128, 64, 64], c: [256, 32, 32]}\n"
        "layers: [{concat: [a, b, c]}]\n"
    )
    assert found.errors == ["shape-mismatch"]
    for size in ("128x128x64 from `a`", "64x64x128 from `b`", "32x32x256 from `c`"):
        assert size in found.said


def test_two_joins_of_one_input_are_two_errors(draft: Draft) -> None:
    found = draft(
        "network: n\ninput: {x: [64, 8, 8], v: [64]}\nlayers:\n"
        "  - {add: [x, v], name: a}\n  - {multiply: [x, v], name: b}\n  - {concat: [x, v]}\n"
        "outputs: [a, b, concat]\n"
    )
    assert found.errors == ["shape-mismatch"] * 3


@pytest.mark.parametrize("other", ["[64, 1, 1]", "[1, 8, 8]", "[64]"])
def test_a_sum_never_broadcasts(draft: Draft, other: str) -> None:
    found = draft(f"network: n\ninput: {{x: [64, 8, 8], w: {other}}}\nlayers: [{{add: [x, w]}}]\n")
    assert found.errors == ["shape-mismatch"]
