"""The shipped networks in sizes: every stage, other inputs, and what goes wrong where."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from compiler.errors import CompileError
from compiler.graph import Graph
from compiler.ops import Conv2d, Scale
from compiler.pipeline import draft_graph, load_graph

V4, V1, V2 = "inception_v4", "inception_resnet_v1", "inception_resnet_v2"
V4_SLIM, V2_SLIM = "released/inception_v4_slim", "released/inception_resnet_v2_slim"
FACENET = "released/inception_resnet_v1_facenet"
V3, GOOGLENET = "zoo/inception_v3", "zoo/googlenet"


@cache
def graph_of(spec: str, *settings: str, size: str = "") -> Graph:
    pairs = dict(s.split("=") for s in settings)
    return load_graph(spec, pairs, [size] if size else [])


def stages(graph: Graph) -> Mapping[str, tuple[object, ...]]:
    return {name: tuple(graph.tensor(name).shape) for name in graph.regions[""].members}


def test_stages_of_inception_v4() -> None:
    graph = graph_of(V4)
    inner = {
        k: tuple(graph.tensor(f"stem.{k}").shape)
        for k in ("conv_1a", "conv_2a", "conv_2b", "mixed_3a", "mixed_4a", "mixed_5a")
    }
    assert inner == {
        "conv_1a": (32, 149, 149),
        "conv_2a": (32, 147, 147),
        "conv_2b": (64, 147, 147),
        "mixed_3a": (160, 73, 73),
        "mixed_4a": (192, 71, 71),
        "mixed_5a": (384, 35, 35),
    }
    assert stages(graph) == {
        "image": (3, 299, 299),
        "stem": (384, 35, 35),
        "a": (384, 35, 35),
        "reduction_a": (1024, 17, 17),
        "b": (1024, 17, 17),
        "reduction_b": (1536, 8, 8),
        "c": (1536, 8, 8),
        "pool": (1536,),
        "dropout": (1536,),
        "logits": (1000,),
        "softmax": (1000,),
    }


def test_stages_of_the_released_inception_resnet_v2() -> None:
    graph = graph_of(V2_SLIM)
    inner = [
        tuple(graph.tensor(f"stem.{k}").shape)
        for k in ("conv_1a", "conv_2a", "conv_2b", "pool_3a", "conv_3b", "conv_4a", "pool_5a")
    ]
    assert inner == [
        (32, 149, 149),
        (32, 147, 147),
        (64, 147, 147),
        (64, 73, 73),
        (80, 73, 73),
        (192, 71, 71),
        (192, 35, 35),
    ]
    found = stages(graph)
    assert [
        found[k]
        for k in ("mixed_5b", "a", "reduction_a", "b", "reduction_b", "c", "last", "conv_7b")
    ] == [
        (320, 35, 35),
        (320, 35, 35),
        (1088, 17, 17),
        (1088, 17, 17),
        (2080, 8, 8),
        (2080, 8, 8),
        (2080, 8, 8),
        (1536, 8, 8),
    ]
    assert [len(graph.regions[k].members) for k in ("a", "b", "c")] == [10, 20, 9]


@pytest.mark.parametrize(
    ("spec", "repeats", "widths"),
    [(V1, (5, 10, 5), (256, 896, 1792)), (V2, (5, 10, 5), (384, 1152, 2144))],
)
def test_stages_of_the_printed_residual_networks(
    spec: str, repeats: tuple[int, ...], widths: tuple[int, ...]
) -> None:
    graph = graph_of(spec)
    assert tuple(len(graph.regions[k].members) for k in "abc") == repeats
    assert tuple(graph.tensor(k).shape.channels for k in "abc") == widths


def test_aligned_feature_maps() -> None:
    graph = graph_of(V2_SLIM, "padding=same")
    sizes = [
        graph.tensor(f"stem.{k}").shape[1]
        for k in ("conv_1a", "conv_2a", "conv_2b", "pool_3a", "conv_3b", "conv_4a", "pool_5a")
    ]
    assert sizes == [150, 150, 150, 75, 75, 75, 38]
    assert tuple(graph.tensor("mixed_5b").shape) == (320, 38, 38)
    assert tuple(graph.tensor("reduction_a").shape) == (1088, 19, 19)


def test_output_stride_8_keeps_the_33_grid() -> None:
    graph = graph_of(V2_SLIM, "reduction_stride=1")
    assert tuple(graph.tensor("reduction_a").shape) == (1088, 33, 33)


def test_two_stems_under_one_name() -> None:
    assert tuple(graph_of(V2).tensor("stem").shape) == (384, 35, 35)
    assert tuple(graph_of(V2_SLIM).tensor("mixed_5b").shape) == (320, 35, 35)
    assert graph_of(V2).tensor("reduction_a").shape.channels == 1152
    assert graph_of(V2_SLIM).tensor("reduction_a").shape.channels == 1088


@pytest.mark.parametrize(
    ("spec", "size", "end", "shape"),
    [
        (V4, "3x350x400", "c", (1536, 9, 11)),
        (V2_SLIM, "3x400x600", "conv_7b", (1536, 11, 17)),
        (V4, "3x150x150", "c", (1536, 3, 3)),
        (V2_SLIM, "3x150x150", "conv_7b", (1536, 3, 3)),
        (V4, "3x75x75", "c", (1536, 1, 1)),
        (V2_SLIM, "3x75x75", "conv_7b", (1536, 1, 1)),
        (V4, "3x224x224", "c", (1536, 5, 5)),
        (V1, "3x75x75", "c", (1792, 1, 1)),
        (FACENET, "3x160x160", "last", (1792, 3, 3)),
    ],
)
def test_other_input_sizes(spec: str, size: str, end: str, shape: tuple[int, ...]) -> None:
    assert tuple(graph_of(spec, size=size).tensor(end).shape) == shape


def test_grids_of_facenet() -> None:
    graph = graph_of(FACENET)
    names = ("conv_1a", "conv_2a", "conv_2b", "pool_3a", "conv_3b", "conv_4a", "conv_4b")
    assert [graph.tensor(f"stem.{n}").shape[1] for n in names] == [79, 77, 77, 38, 38, 36, 17]
    assert [graph.tensor(n).shape[1] for n in ("reduction_a", "reduction_b")] == [8, 3]


@pytest.mark.parametrize(
    ("spec", "size", "place"),
    [
        (V4, "3x74x74", "reduction_b"),
        (V2_SLIM, "3x74x74", "reduction_b"),
        (V1, "3x74x74", "reduction_b"),
        (V1, "3x50x50", "reduction_b"),
    ],
)
def test_an_input_too_small_is_refused_where_it_runs_out(spec: str, size: str, place: str) -> None:
    with pytest.raises(CompileError) as caught:
        load_graph(spec, {}, [size])
    errors = caught.value.diagnostics
    assert {d.code for d in errors} == {"empty-output"}
    assert any(place in d.message or "blocks" in d.span.file for d in errors)
    assert "75x75" in errors[0].help


def test_an_auxiliary_head_needs_299_and_the_trunk_75() -> None:
    assert graph_of(V3, "aux=false", size="3x75x75").tensor("mixed_7c").shape[1:] == (1, 1)
    with pytest.raises(CompileError) as caught:
        load_graph(V3, {}, ["3x224x224"])
    (error,) = caught.value.diagnostics
    assert error.code == "empty-output"
    assert "aux.conv_1" in str(error)


def test_an_auxiliary_head_leaves_nothing_when_it_is_off() -> None:
    graph = graph_of(V3, "aux=false")
    assert not [n for n in graph.nodes if n.startswith("aux")]
    assert [o.name for o in graph.outputs] == ["logits"]
    assert [(o.name, o.training_only) for o in graph_of(V3).outputs] == [
        ("logits", False),
        ("aux", True),
    ]


def test_classes_reach_both_heads() -> None:
    graph = graph_of(V3, "classes=10")
    assert [tuple(graph.nodes[o.node].shape) for o in graph.outputs] == [(10,), (10,)]


def test_scaling_is_on_the_residual_and_comes_from_the_code() -> None:
    graph = graph_of(V2_SLIM)
    factors = {n: graph.nodes[f"{n}.scale"].op for n in ("a.0", "b.0", "c.0", "last")}
    assert factors == {
        "a.0": Scale(0.17),
        "b.0": Scale(0.10),
        "c.0": Scale(0.20),
        "last": Scale(1.0),
    }
    for block in factors:
        scale = graph.nodes[f"{block}.scale"]
        shortcut, residual = graph.nodes[f"{block}.add"].inputs
        assert residual == scale.name
        assert scale.inputs == (f"{block}.up",)
        assert shortcut == graph.regions[block].inputs[0]
    assert "last.act" not in graph.nodes
    assert "c.8.act" in graph.nodes


def test_the_linear_convolution_has_a_bias_and_nothing_after_it() -> None:
    graph = graph_of(V2_SLIM)
    op = graph.nodes["b.0.up"].op
    assert isinstance(op, Conv2d)
    assert (op.bias, op.out_channels, op.kernel_size) == (True, 1088, (1, 1))
    assert graph.consumers["b.0.up"] == ("b.0.scale",)


def test_released_branches_stand_as_published_weights_need_them() -> None:
    graph = graph_of(V4_SLIM)
    kernels = [
        graph.nodes[f"b.0.long.{n}.conv"].op.attributes()["kernel_size"]
        for n in ("conv_1x1", "conv_7x1", "conv_1x7", "conv_7x1_2", "conv_1x7_2")
    ]
    assert kernels == [(1, 1), (7, 1), (1, 7), (7, 1), (1, 7)]
    joined = [name.split(".")[1] for name in graph.nodes["reduction_a.concat"].inputs]
    assert joined == ["single", "long", "pool"]
    joined = [
        name.removeprefix("c.0.").removesuffix(".act") for name in graph.nodes["c.0.concat"].inputs
    ]
    assert joined == [
        "single.conv_1x1",
        "short.wide.conv_1x3",
        "short.tall.conv_3x1",
        "long.wide.conv_1x3",
        "long.tall.conv_3x1",
        "pool.conv_1x1",
    ]
    assert [n.split(".")[1] for n in graph_of(V4).nodes["reduction_a.concat"].inputs] == [
        "pool",
        "single",
        "long",
    ]


def test_the_corrected_branch_sees_7x7_and_the_printed_one_1x13() -> None:
    def sees(spec: str) -> tuple[int, int]:
        graph, _, _ = draft_graph(spec)
        kernels = [
            n.op.kernel_size for n in graph.nodes_in("b.0.short") if isinstance(n.op, Conv2d)
        ]
        return 1 + sum(h - 1 for h, _ in kernels), 1 + sum(w - 1 for _, w in kernels)

    assert sees(V4) == (7, 7)
    assert sees("printed/inception_v4") == (1, 13)


def test_the_classifier_of_facenet_is_optional() -> None:
    embedder, classifier = graph_of(FACENET), graph_of(FACENET, "classes=8631")
    assert embedder.nodes[embedder.outputs[0].node].name == "normalize"
    assert tuple(embedder.nodes["normalize"].shape) == (512,)
    assert tuple(classifier.nodes[classifier.outputs[0].node].shape) == (8631,)
    assert "normalize" not in classifier.nodes


def test_average_pools_leave_the_padding_out_but_torchvisions_do_not() -> None:
    def counted(spec: str) -> set[object]:
        ops = [
            n.op
            for n in graph_of(spec).nodes.values()
            if n.op.kind == "AvgPool2d" and n.op.attributes()["stride"] == (1, 1)
        ]
        assert ops
        return {op.attributes()["count_include_pad"] for op in ops}

    assert counted(V4) == {False}
    assert counted(V4_SLIM) == {False}
    assert counted(V3) == {True}


def test_a_residual_block_of_320_does_not_fit_the_papers_stem(tmp_path: Path) -> None:
    spec = tmp_path / "wrong.yaml"
    spec.write_text(
        "network: wrong\n"
        "import: [blocks/stem_v4.yaml]\n"
        "input: {image: [3, 299, 299]}\n"
        "layers:\n"
        "  - {block: stem_v4, name: stem}\n"
        "  - residual: {body: [{conv: 1x1, filters: 320}]}\n",
        encoding="utf-8",
    )
    with pytest.raises(CompileError) as caught:
        load_graph(spec)
    (error,) = caught.value.diagnostics
    assert error.code == "shape-mismatch"
    assert "35x35x320" in error.message
    assert "35x35x384" in error.message


def test_a_head_stated_for_2048_features_is_refused(tmp_path: Path) -> None:
    spec = tmp_path / "wrong.yaml"
    spec.write_text(
        "extends: released/inception_resnet_v2_slim.yaml\n"
        "network: wrong\n"
        "changes:\n"
        '  - {set: pool, size: "2048"}\n',
        encoding="utf-8",
    )
    with pytest.raises(CompileError) as caught:
        load_graph(spec)
    (error,) = caught.value.diagnostics
    assert error.code == "wrong-size"
    assert error.message == "`pool` gives 1536, the size that is stated is 2048"
    assert (Path(error.span.file).name, error.span.line) == ("wrong.yaml", 4)


def test_a_fixed_8x8_pool_is_refused_on_a_5x5_map(tmp_path: Path) -> None:
    spec = tmp_path / "fixed.yaml"
    spec.write_text(
        "extends: inception_v4.yaml\n"
        "network: fixed\n"
        "changes:\n"
        "  - {replace: pool, by: [{avg_pool: 8x8, padding: V, name: pool}, flatten]}\n",
        encoding="utf-8",
    )
    assert tuple(load_graph(spec).tensor("flatten").shape) == (1536,)
    with pytest.raises(CompileError) as caught:
        load_graph(spec, {}, ["3x224x224"])
    error = caught.value.diagnostics[0]
    assert error.code == "empty-output"
    assert "8x8" in error.message
    assert "5x5" in error.message
    assert (Path(error.span.file).name, error.span.line) == ("fixed.yaml", 4)
