"""The shipped networks in figures: parameters, multiply-accumulates, convolutions."""

from __future__ import annotations

from functools import cache

import pytest

from compiler.graph import Graph, number
from compiler.ops import BatchNorm, Conv2d
from compiler.pipeline import load_graph

V4, V1, V2 = "inception_v4", "inception_resnet_v1", "inception_resnet_v2"
V4_SLIM, V2_SLIM = "released/inception_v4_slim", "released/inception_resnet_v2_slim"
FACENET = "released/inception_resnet_v1_facenet"
V3, GOOGLENET = "zoo/inception_v3", "zoo/googlenet"


@cache
def graph_of(spec: str, *settings: str, size: str = "") -> Graph:
    pairs = dict(s.split("=") for s in settings)
    return load_graph(spec, pairs, [size] if size else [])


def count_params(graph: Graph, region: str = "") -> int:
    return number(graph.parameters(region))


# published by timm, torchvision, facenet-pytorch and Keras, or added up from the paper's figures
@pytest.mark.parametrize(
    ("spec", "settings", "count"),
    [
        (V4, (), 42_679_816),
        (V1, (), 22_756_328),
        (V2, (), 32_433_928),
        (V4_SLIM, (), 42_679_816),
        (V4_SLIM, ("classes=10",), 41_158_186),
        (V4_SLIM, ("classes=1001",), 42_681_353),
        (V2_SLIM, (), 55_843_464),
        (V2_SLIM, ("classes=10",), 54_321_834),
        (V2_SLIM, ("classes=1001",), 55_845_001),
        (FACENET, (), 23_482_624),
        (FACENET, ("classes=8631",), 27_910_327),
        ("printed/inception_resnet_v1", (), 22_756_328),
        (V3, (), 27_161_264),
        (V3, ("aux=false",), 23_834_568),
        (V3, ("classes=10",), 24_371_444),
        (V3, ("classes=10", "aux=false"), 21_806_058),
        (GOOGLENET, (), 6_624_904),
        (GOOGLENET, ("kernel=5x5",), 7_005_832),
        (GOOGLENET, ("aux=true",), 13_004_888),
        ("zoo/resnet18", (), 11_689_512),
        ("zoo/shufflenet_v2_x1_0", (), 2_278_604),
        ("zoo/resnet50", (), 25_557_032),
        ("zoo/resnext50_32x4d", (), 25_028_904),
        ("zoo/densenet121", (), 7_978_856),
        ("zoo/vgg16_bn", (), 138_365_992),
        ("zoo/squeezenet1_1", (), 1_235_496),
        ("zoo/mobilenet_v2", (), 3_504_872),
        ("zoo/mobilenet_v3_large", (), 5_483_032),
        ("zoo/efficientnet_b0", (), 5_288_548),
        ("zoo/efficientnet_b0", ("width=1.2", "depth=1.4"), 12_233_232),
        ("zoo/convnext_tiny", (), 28_589_128),
        ("zoo/legacy_xception", (), 22_855_952),
        ("zoo/unet", (), 31_030_658),
    ],
)
def test_parameters(spec: str, settings: tuple[str, ...], count: int) -> None:
    assert count_params(graph_of(spec, *settings)) == count


@pytest.mark.parametrize(
    ("spec", "gmac"), [(V4, 12.254), (V1, 6.206), (V2, 9.258), (V4_SLIM, 12.254), (V2_SLIM, 13.156)]
)
def test_multiply_accumulates(spec: str, gmac: float) -> None:
    assert round(number(graph_of(spec).macs()) / 1e9, 3) == gmac


@pytest.mark.parametrize(
    ("network", "gmac"),
    [
        ("resnet18", 1.814), ("resnet50", 4.089), ("resnext50_32x4d", 4.230),
        ("densenet121", 2.834), ("vgg16_bn", 15.47), ("squeezenet1_1", 0.349),
        ("mobilenet_v2", 0.301), ("mobilenet_v3_large", 0.217), ("efficientnet_b0", 0.386),
        ("convnext_tiny", 4.456),
    ],
)  # fmt: skip
def test_multiply_accumulates_as_torchvision_publishes(network: str, gmac: float) -> None:
    digits = len(str(gmac).partition(".")[2])
    assert round(number(graph_of(f"zoo/{network}").macs()) / 1e9, digits) == gmac


@pytest.mark.parametrize(
    ("spec", "channels", "count"), [(V4_SLIM, 1, 42_679_240), (V2_SLIM, 1, 55_842_888)]
)
def test_parameters_for_grey_images(spec: str, channels: int, count: int) -> None:
    assert count_params(graph_of(spec, size=f"{channels}x299x299")) == count


@pytest.mark.parametrize(
    ("spec", "convolutions", "linear", "norm_channels"),
    [
        (V4, 149, 0, 31_584),
        (V1, 127, 20, 13_520),
        (V2, 132, 20, 16_432),
        (V2_SLIM, 244, 40, 30_272),
    ],
)
def test_convolutions(spec: str, convolutions: int, linear: int, norm_channels: int) -> None:
    ops = [(n.op, n) for n in graph_of(spec).nodes.values()]
    convs = [op for op, _ in ops if isinstance(op, Conv2d)]
    assert len(convs) == convolutions
    assert sum(op.bias for op in convs) == linear
    assert (
        sum(int(str(n.shape.channels)) for op, n in ops if isinstance(op, BatchNorm))
        == norm_channels
    )


@pytest.mark.parametrize(
    ("spec", "region", "count"),
    [
        (V4, "stem.mixed_3a", 55_488),
        (V4, "stem.mixed_4a", 189_312),
        (V4, "stem.mixed_5a", 332_160),
        (V4, "a.0", 317_632),
        (V4, "reduction_a", 2_306_112),
        (V4, "b.6", 2_936_256),
        (V4, "reduction_b", 2_747_392),
        (V4, "c.2", 4_553_088),
        (V2_SLIM, "mixed_5b", 268_320),
        (V2_SLIM, "a.9", 123_168),
        (V2_SLIM, "reduction_a", 2_664_960),
        (V2_SLIM, "b.19", 1_126_784),
        (V2_SLIM, "reduction_b", 3_880_960),
        (V2_SLIM, "c.8", 2_035_424),
        (V2_SLIM, "last", 2_035_424),
        (V2_SLIM, "conv_7b", 3_197_952),
        (FACENET, "a.0", 77_440),
        (FACENET, "b.0", 690_048),
        (FACENET, "c.0", 1_600_768),
        (FACENET, "reduction_a", 1_710_080),
        (FACENET, "reduction_b", 3_346_176),
    ],
)
def test_parameters_of_a_block(spec: str, region: str, count: int) -> None:
    assert count_params(graph_of(spec), region) == count


def gmac_of(spec: str, *settings: str) -> str:
    return f"{number(graph_of(spec, *settings).macs()) / 1e9:.3f}"


@pytest.mark.parametrize("spec", [V2, V2_SLIM])
def test_the_claim_about_cost_holds_the_computed_figures(spec: str) -> None:
    (claim,) = [c for c in graph_of(spec).claims if c.erratum == "E27"]
    for figure in (gmac_of(V4), gmac_of(V2), gmac_of(V2_SLIM), "76%", "107%"):
        assert figure in claim.text


def test_the_cost_of_inception_resnet_v1_is_near_that_of_inception_v3() -> None:
    (claim,) = graph_of(V1).claims
    assert gmac_of(V1) in claim.text
    assert gmac_of(V3, "aux=false") in claim.text


@pytest.mark.parametrize("spec", [V4, V4_SLIM, V2_SLIM, FACENET, V3, GOOGLENET])
def test_published_counts_are_the_computed_ones(spec: str) -> None:
    graph = graph_of(spec)
    published = [c.value for c in graph.claims if c.of == "parameters"]
    assert published == [count_params(graph)]


@pytest.mark.parametrize(("spec", "gmac"), [(V3, "5.713"), (GOOGLENET, "1.498")])
def test_the_zoo_costs_what_torchvision_publishes(spec: str, gmac: str) -> None:
    assert gmac_of(spec, "aux=false") == gmac
