"""What the published networks are, in sizes and counts."""

from __future__ import annotations

import pytest

from compiler.facts.summarize import summarize
from compiler.graph.print import print_graph
from compiler.pipeline import load_graph
from tests.cases.conftest import Draft

V4, R2 = "inception_v4", "released/inception_resnet_v2_slim"


@pytest.mark.parametrize(
    ("name", "settings", "inputs", "parameters"),
    [
        (V4, {}, [], 42679816),
        (V4, {"classes": "10"}, [], 41158186),
        (V4, {"classes": "1001"}, [], 42681353),
        (V4, {}, ["1x299x299"], 42679240),
        (R2, {"classes": "1000"}, [], 55843464),
        (R2, {"classes": "10"}, [], 54321834),
        (R2, {"classes": "1001"}, [], 55845001),
        (R2, {"classes": "1000"}, ["1x299x299"], 55842888),
        ("released/inception_resnet_v1_facenet", {}, [], 23482624),
        ("zoo/inception_v3", {"aux": "false"}, [], 23834568),
        ("zoo/inception_v3", {"aux": "true"}, [], 27161264),
        ("zoo/inception_v3", {"aux": "true", "classes": "10"}, [], 24371444),
        ("zoo/inception_v3", {"aux": "false", "classes": "10"}, [], 21806058),
    ],
)
def test_totals_of_the_published_networks(
    name: str, settings: dict[str, str], inputs: list[str], parameters: int
) -> None:
    assert summarize(load_graph(name, settings, inputs)).parameters == parameters


def test_the_named_stages_of_inception_v4() -> None:
    graph = load_graph(V4)
    shapes = [n.shape for n in graph.nodes.values() if n.op.kind in ("Conv2d", "Concat")]
    for want in [
        (32, 149, 149),
        (32, 147, 147),
        (64, 147, 147),
        (160, 73, 73),
        (192, 71, 71),
        (384, 35, 35),
        (1024, 17, 17),
        (1536, 8, 8),
    ]:
        assert want in shapes
    assert graph.nodes[graph.outputs[0].node].shape == (1000,)


def test_the_named_stages_of_inception_resnet_v2() -> None:
    shapes = [n.shape for n in load_graph(R2).nodes.values()]
    for want in [
        (64, 73, 73),
        (80, 73, 73),
        (192, 71, 71),
        (192, 35, 35),
        (320, 35, 35),
        (1088, 17, 17),
        (2080, 8, 8),
        (1536, 8, 8),
    ]:
        assert want in shapes


@pytest.mark.parametrize(("stride", "out"), [("1", None), ("2", "384x35x35")])
def test_the_stride_that_the_figure_leaves_out(draft: Draft, stride: str, out: str | None) -> None:
    found = draft.layers(
        "192x71x71",
        f"{{branches: {{a: [{{conv: 3x3, filters: 192, padding: V, stride: {stride}}}],"
        " b: [{max_pool: 3x3, stride: 2, padding: V}]}, join: concat}",
    )
    if out is None:
        assert "cannot concat 35x35x192 with 69x69x192" in found.said
    else:
        assert found.out == out


def test_the_written_order_is_kept(draft: Draft) -> None:
    def two(first: str, second: str) -> str:
        a = f"[{{conv: {first}, filters: 4, name: p}}, {{conv: {second}, filters: 4, name: q}}]"
        found = draft.layers("4x9x9", f"{{branches: {{z: {a}, b: []}}, join: concat}}")
        assert found.graph is not None
        return print_graph(found.graph, shapes=True)

    assert two("1x7", "7x1") != two("7x1", "1x7")
    assert two("1x7", "7x1") == two("1x7", "7x1")
    assert two("1x7", "7x1").index("%z.p") < two("1x7", "7x1").index("%z.q")


def test_a_width_of_the_other_stem(draft: Draft) -> None:
    body = "{residual: {body: [{conv: 1x1, filters: 320, linear: true}]}}"
    assert "384 against 320" in draft.layers("384x35x35", body).said
