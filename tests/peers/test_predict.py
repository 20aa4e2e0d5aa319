"""The whole way of a picture: our preprocessing, network and names beside the publishers' own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from backends.state.photo import PHOTOGRAPH, load_photo
from backends.state.unit_scale import randomize
from compiler.__main__ import main
from compiler.weights.mapping import load_map
from tests.peers.networks import PEERS, Peer
from tests.peers.pairs import Differences

pytestmark = pytest.mark.peers

Way = tuple[Peer, nn.Module, Callable[[Image.Image], Tensor]]


def timm_way(name: str) -> Way:
    """Return a network of timm and the transforms that timm makes for its published weights."""
    timm = pytest.importorskip("timm")
    peer = PEERS[f"timm-{name}"]
    config: dict[str, Any] = timm.models.get_pretrained_cfg(f"{name}.tf_in1k").to_dict()
    resolved = timm.data.resolve_data_config({}, pretrained_cfg=config)
    return peer, peer.build(), timm.data.create_transform(**resolved, is_training=False)


def torchvision_way(name: str, weights: str) -> Way:
    """Return a network as torchvision builds it for its weights, and the weights' transforms."""
    models = pytest.importorskip("torchvision.models")
    aux = {"aux_logits": False, "init_weights": False}
    module = getattr(models, name)(weights=None, transform_input=True, **aux)
    transforms = getattr(models, weights).IMAGENET1K_V1.transforms()
    return PEERS[f"torchvision-{name}"], module, transforms


def facenet_way(name: str) -> Way:
    """Return facenet-pytorch's classifier and what it does to a face that is cut out."""
    mtcnn = pytest.importorskip("facenet_pytorch.models.mtcnn")
    functional = pytest.importorskip("torchvision.transforms.functional")
    peer = PEERS[name]

    def transform(picture: Image.Image) -> Tensor:
        crop = functional.resize(picture, 160)
        pixels: Tensor = functional.pil_to_tensor(functional.center_crop(crop, 160)).float()
        standard: Tensor = mtcnn.fixed_image_standardization(pixels)
        return standard

    return peer, peer.build(), transform


WAYS: dict[str, Callable[[], Way]] = {
    "timm-inception_v4": lambda: timm_way("inception_v4"),
    "timm-inception_resnet_v2": lambda: timm_way("inception_resnet_v2"),
    "torchvision-inception_v3": lambda: torchvision_way("inception_v3", "Inception_V3_Weights"),
    "torchvision-googlenet": lambda: torchvision_way("googlenet", "GoogLeNet_Weights"),
    "facenet-classifier": lambda: facenet_way("facenet-classifier"),
}


@pytest.mark.parametrize("name", list(WAYS))
def test_the_five_best_of_the_photograph(
    tmp_path: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
    differences: Differences,
) -> None:
    peer, theirs, transform = WAYS[name]()
    with Image.open(PHOTOGRAPH) as opened:
        x = transform(opened.convert("RGB"))[None]
    randomize(theirs, 7, x)
    file = tmp_path / "published.safetensors"
    save_file({n: v.contiguous() for n, v in theirs.state_dict().items()}, file)
    with torch.inference_mode():
        values = theirs.eval()(x)[0].double()
    settings = [part for n, v in peer.settings.items() for part in ("--set", f"{n}={v}")]
    weights = ["--weights", str(file), "--from", peer.map, "--device", "cpu", "--format", "json"]
    spec = load_map(peer.map).spec
    assert main(["predict", spec, str(PHOTOGRAPH), *weights, *settings]) == 0
    (found,) = json.loads(capsys.readouterr().out)["pictures"]
    best = values.topk(5)
    rows = found["classes"]
    assert [row["class"] for row in rows] == best.indices.tolist()
    got = torch.tensor([row["value"] for row in rows], dtype=torch.float64)
    largest = float((got - best.values).abs().max() / values.abs().max())
    differences[name, "a photograph, five best"] = largest
    assert largest < 1e-5
    shares = torch.tensor([row["probability"] for row in rows], dtype=torch.float64)
    torch.testing.assert_close(shares, values.softmax(0)[best.indices], rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", list(WAYS))
def test_the_input_is_theirs(name: str) -> None:
    peer, _, transform = WAYS[name]()
    how = load_map(peer.map).preprocessing
    assert how is not None
    with Image.open(PHOTOGRAPH) as opened:
        want = transform(opened.convert("RGB"))[None]
    if name.startswith("torchvision"):  # its network itself goes from there to [-1, 1]
        mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        want = want * torch.tensor(deviation).view(3, 1, 1) + torch.tensor(mean).view(3, 1, 1)
        want = (want - 0.5) / 0.5
    torch.testing.assert_close(load_photo(PHOTOGRAPH, *peer.full, how), want, rtol=0, atol=1e-6)


def test_names_are_torchvisions() -> None:
    models = pytest.importorskip("torchvision.models")
    theirs = models.Inception_V3_Weights.IMAGENET1K_V1.meta["categories"]
    for name in ("torchvision:inception_v3", "torchvision:googlenet"):
        assert list(load_map(name).names) == theirs


def test_names_are_in_timms_order() -> None:
    data = pytest.importorskip("timm.data")
    info = data.ImageNetInfo()
    alike = {134: "crane bird", 639: "maillot tank suit"}  # told apart by torchvision
    for name in ("timm:inception_v4", "timm:inception_resnet_v2"):
        for i, ours in enumerate(load_map(name).names):
            theirs = info.index_to_description(i).split(",")[0]
            assert alike.get(i, theirs) == ours, i
