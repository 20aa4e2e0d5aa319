"""Inputs that are too small, not square, or of another size than the network's own."""

from __future__ import annotations

import pytest

from compiler.errors import CompileError, UsageError
from compiler.errors.diagnose import as_text
from compiler.pipeline import draft_graph, load_graph
from tests.cases.conftest import Draft


def said(name: str, size: str, **settings: str) -> str:
    with pytest.raises(CompileError) as caught:
        load_graph(name, settings, [size])
    return " ".join(as_text(caught.value.diagnostics, {}).split())


@pytest.mark.parametrize("name", ["inception_v4", "released/inception_resnet_v2_slim"])
def test_75_is_the_smallest(name: str) -> None:
    assert load_graph(name, {}, ["3x75x75"]).outputs
    assert "the smallest input of this network is 75x75" in said(name, "3x74x74")
    assert "has no room on a 2x2 grid" in said(name, "3x74x74")
    assert "has no room on a 1x1 grid" in said(name, "3x32x32")


def test_the_auxiliary_head_needs_more_than_the_trunk() -> None:
    load_graph("zoo/inception_v3", {"aux": "false"}, ["3x75x75"])
    load_graph("zoo/inception_v3", {"aux": "true"}, ["3x299x299"])
    text = said("zoo/inception_v3", "3x224x224", aux="true")
    assert "`aux" in text
    assert text.endswith(
        "help: the smallest input of this network is 299x299; "
        "or this size fits with `--set aux=false`"
    )
    load_graph("zoo/inception_v3", {"aux": "false"}, ["3x224x224"])
    assert "--set" not in said("zoo/inception_v3", "3x74x74", aux="false")
    assert "--set" not in said("zoo/inception_v3", "3x74x74")  # the trunk has no room, either


def test_a_fixed_pool_on_a_small_map(draft: Draft) -> None:
    found = draft.layers("1536x5x5", "{avg_pool: 8x8, padding: V}")
    assert found.errors == ["empty-output"]
    assert "8x8 has no room on a 5x5 grid" in found.said
    assert "global_avg_pool" in found.said
    assert draft.layers("1536x5x5", "global_avg_pool").out == "1536"


def test_faces_of_50_pixels() -> None:
    assert "has no room on a 1x1 grid" in said("released/inception_resnet_v1_facenet", "3x50x50")
    graph = load_graph("released/inception_resnet_v1_facenet", {}, ["3x160x160"])
    assert (1792, 3, 3) in {n.shape for n in graph.nodes.values()}
    load_graph("released/inception_resnet_v1_facenet", {}, ["3x75x75"])
    said("released/inception_resnet_v1_facenet", "3x74x74")


@pytest.mark.parametrize("kernel", ["6x6", "5x5", "3x3, dilation: 2"])
def test_a_kernel_larger_than_the_map(draft: Draft, kernel: str) -> None:
    found = draft.layers("3x4x4", f"{{conv: {kernel}, filters: 2, padding: V}}")
    assert found.errors == ["empty-output"]
    assert "has no room on a 4x4 grid" in found.said


def test_a_kernel_as_large_as_the_map(draft: Draft) -> None:
    assert draft.layers("3x4x4", "{conv: 4, filters: 2, padding: V}").out == "2x1x1"


@pytest.mark.parametrize(
    ("name", "size", "last"),
    [
        ("inception_v4", "350x400", (1536, 9, 11)),
        ("released/inception_resnet_v2_slim", "400x600", (1536, 11, 17)),
        ("inception_v4", "150x150", (1536, 3, 3)),
        ("released/inception_resnet_v2_slim", "150x150", (1536, 3, 3)),
    ],
)
def test_sizes_other_than_the_published(name: str, size: str, last: tuple[int, int, int]) -> None:
    graph = load_graph(name, {}, [f"3x{size}"])
    maps = [n.shape for n in graph.nodes.values() if len(n.shape) == 3]
    assert maps[-1] == last


@pytest.mark.parametrize(
    "text",
    [*("3x5", "3x5x5x5", "Cx4x4", "3,75,75", "=3x4x4", "³x4x4", "3x9999999x3", "3x0x3", "y=3x4x4")],
)
def test_an_input_option_that_means_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="--input"):
        draft_graph("inception_v4", {}, [text])


def test_open_sizes_meet_in_a_join_exactly_when_they_always_agree(draft: Draft) -> None:
    def two(padding: str) -> str:
        return (
            "network: n\ninput: {x: [3, H, W]}\nlayers:\n  - branches:\n"
            "      a: [{conv: 3x3, filters: 8, stride: 2, padding: 1}]\n"
            f"      b: [{{conv: 3x3, filters: 8, stride: 2, padding: {padding}}}]\n"
            "    join: concat\n"
        )

    assert draft(two("same")).errors == []
    assert draft(two("V")).errors == ["shape-mismatch"]
