"""Every published tensor has one place in our network, and every place one tensor."""

from __future__ import annotations

from math import prod

import pytest

from compiler.pipeline import load_graph
from compiler.weights.mapping import load_map, map_names
from compiler.weights.match import match_tensors
from compiler.weights.sizes import tensor_sizes
from tests.weights.key_lists import key_list, without

FACENET = "facenet_pytorch:inception_resnet_v1"
SHUFFLENET = "torchvision:shufflenet_v2_x1_0"
V3_AUX, GOOGLENET_AUX = ("AuxLogits.",), ("aux1.", "aux2.")

# (map, key list, settings, layers to leave out of the list, tensors, learnable elements): the
# counts are those of timm 1.0.31, facenet-pytorch 2.5.3 and torchvision 0.29.1.
CASES = [
    ("timm:inception_v4", "timm_inception_v4", {}, (), 896, 42_679_816),
    ("timm:inception_resnet_v2", "timm_inception_resnet_v2", {}, (), 1306, 55_843_464),
    (FACENET, "facenet_pytorch_inception_resnet_v1", {}, ("logits.",), 714, 23_482_624),
    (
        FACENET,
        "facenet_pytorch_inception_resnet_v1",
        {"classes": "8631"},
        (),
        716,
        27_910_327,
    ),
    ("torchvision:inception_v3", "torchvision_inception_v3", {}, (), 580, 27_161_264),
    (
        "torchvision:inception_v3",
        "torchvision_inception_v3",
        {"aux": "false"},
        V3_AUX,
        566,
        23_834_568,
    ),
    ("torchvision:googlenet", "torchvision_googlenet", {}, GOOGLENET_AUX, 344, 6_624_904),
    ("torchvision:googlenet", "torchvision_googlenet", {"aux": "true"}, (), 364, 13_004_888),
    ("torchvision:resnet18", "torchvision_resnet18", {}, (), 122, 11_689_512),
    ("torchvision:resnet50", "torchvision_resnet50", {}, (), 320, 25_557_032),
    (SHUFFLENET, "torchvision_shufflenet_v2_x1_0", {}, (), 338, 2_278_604),
    ("torchvision:resnext50_32x4d", "torchvision_resnext50_32x4d", {}, (), 320, 25_028_904),
    ("torchvision:densenet121", "torchvision_densenet121", {}, (), 727, 7_978_856),
    ("torchvision:vgg16_bn", "torchvision_vgg16_bn", {}, (), 97, 138_365_992),
    ("torchvision:squeezenet1_1", "torchvision_squeezenet1_1", {}, (), 52, 1_235_496),
    ("torchvision:mobilenet_v2", "torchvision_mobilenet_v2", {}, (), 314, 3_504_872),
    ("torchvision:mobilenet_v3_large", "torchvision_mobilenet_v3_large", {}, (), 312, 5_483_032),
    ("torchvision:efficientnet_b0", "torchvision_efficientnet_b0", {}, (), 360, 5_288_548),
    ("torchvision:convnext_tiny", "torchvision_convnext_tiny", {}, (), 182, 28_589_128),
    ("timm:legacy_xception", "timm_legacy_xception", {}, (), 276, 22_855_952),
]


LEARNED = ("weight", "bias", "layer_scale")


@pytest.mark.parametrize(("name", "keys", "settings", "left", "tensors", "elements"), CASES)
def test_every_tensor_matches_once(
    name: str,
    keys: str,
    settings: dict[str, str],
    left: tuple[str, ...],
    tensors: int,
    elements: int,
) -> None:
    weights = load_map(name)
    wanted = tensor_sizes(load_graph(weights.spec, settings))
    found = without(key_list(keys), *left) if left else key_list(keys)
    match = match_tensors(weights, wanted, found)
    assert match.misfits == ()
    assert (match.made, match.left_out) == ((), ())
    assert len(found) == len(wanted) == len(match.moves) == tensors
    assert len({move.source for move in match.moves}) == tensors
    learnable = [s for n, s in found.items() if n.rpartition(".")[2] in LEARNED]
    assert sum(map(prod, learnable)) == elements


@pytest.mark.parametrize("name", map_names())
def test_names_go_there_and_back(name: str) -> None:
    weights = load_map(name)
    assert weights.name == name
    assert set(weights.heads) <= set(weights.back)
    for theirs, ours in weights.layers.items():
        assert weights.theirs(f"{ours}.weight") == f"{theirs}.weight"
        assert weights.ours(f"{theirs}.weight") == f"{ours}.weight"


@pytest.mark.parametrize(
    ("name", "keys", "setting", "what", "count"),
    [
        (FACENET, "facenet_pytorch_inception_resnet_v1", "classes=8631", "the classifier", 2),
        (
            "torchvision:googlenet",
            "torchvision_googlenet",
            "aux=true",
            "the auxiliary heads",
            20,
        ),
    ],
)
def test_a_part_that_the_spec_has_not_is_left_out(
    name: str, keys: str, setting: str, what: str, count: int
) -> None:
    weights = load_map(name)
    match = match_tensors(weights, tensor_sizes(load_graph(weights.spec)), key_list(keys))
    assert match.misfits == ()
    assert len(match.left_out) == count
    assert {spare.what for spare in match.left_out} == {what}
    assert match.left_out[0].setting == setting


@pytest.mark.parametrize(
    ("spec", "name", "keys"),
    [
        ("inception_v4", "timm:inception_v4", "timm_inception_v4"),
        ("inception_resnet_v2", "timm:inception_resnet_v2", "timm_inception_resnet_v2"),
        ("inception_resnet_v1", FACENET, "facenet_pytorch_inception_resnet_v1"),
    ],
)
def test_the_papers_networks_are_not_the_published_ones(spec: str, name: str, keys: str) -> None:
    match = match_tensors(load_map(name), tensor_sizes(load_graph(spec)), key_list(keys))
    assert not match.is_complete


def test_cadenes_name_of_the_classifier() -> None:
    keys = key_list("timm_inception_resnet_v2")
    renamed = {n.replace("classif.", "last_linear."): size for n, size in keys.items()}
    weights = load_map("timm:inception_resnet_v2")
    match = match_tensors(weights, tensor_sizes(load_graph(weights.spec)), renamed)
    assert match.is_complete
    assert match.moves[-1].source == "last_linear.bias"


def test_facenets_repeats_are_shifted_against_timms() -> None:
    facenet, timm = load_map(FACENET), load_map("timm:inception_resnet_v2")
    assert facenet.ours("repeat_1.0.conv2d.weight") == "a.0.up.weight"
    assert timm.ours("repeat_1.0.conv2d.weight") == "b.0.up.weight"
