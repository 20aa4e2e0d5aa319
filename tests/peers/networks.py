"""Networks that others wrote, and what they are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from torch import Tensor, nn

Size = tuple[int, int]
NON_SQUARE: Size = (203, 171)
"""(height, width), odd and unequal, so that a transposed kernel or padding shows."""


@dataclass(frozen=True)
class Peer:
    """One configuration of a published implementation."""

    map: str
    build: Callable[[], nn.Module]
    settings: Mapping[str, str] = field(default_factory=dict)
    full: Size = (299, 299)
    """The size that it is made for."""
    training: Size = (107, 123)
    outputs: Callable[[Any], tuple[Tensor, ...]] = lambda out: tuple(tensors(out))
    """What it returns in training -> tensors in our order."""


def tensors(out: Any) -> list[Tensor]:
    """Return a network's outputs as a list."""
    return [out] if isinstance(out, Tensor) else list(out)


def timm_network(name: str) -> Callable[[], nn.Module]:
    """Return what builds a network of timm."""

    def build() -> nn.Module:
        timm = pytest.importorskip("timm")
        model: nn.Module = timm.create_model(name, pretrained=False)
        return model

    return build


def torchvision_network(name: str, **options: bool) -> Callable[[], nn.Module]:
    """Return what builds a network of torchvision."""

    def build() -> nn.Module:
        models = pytest.importorskip("torchvision.models")
        model: nn.Module = getattr(models, name)(weights=None, **options)
        return model

    return build


def _facenet(**options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        facenet = pytest.importorskip("facenet_pytorch")
        model: nn.Module = facenet.InceptionResnetV1(pretrained=None, **options)
        return model

    return build


RAW = {"init_weights": False, "transform_input": False}
FACENET = "facenet_pytorch:inception_resnet_v1"
PEERS = {
    "timm-inception_v4": Peer("timm:inception_v4", timm_network("inception_v4")),
    "timm-inception_resnet_v2": Peer(
        "timm:inception_resnet_v2", timm_network("inception_resnet_v2")
    ),
    "facenet-embedding": Peer(FACENET, _facenet(), full=(160, 160)),
    "facenet-classifier": Peer(
        FACENET, _facenet(classify=True, num_classes=8631), {"classes": "8631"}, full=(160, 160)
    ),
    "torchvision-inception_v3": Peer(
        "torchvision:inception_v3",
        torchvision_network("inception_v3", aux_logits=False, **RAW),
        {"aux": "false"},
    ),
    "torchvision-inception_v3-aux": Peer(
        "torchvision:inception_v3",
        torchvision_network("inception_v3", aux_logits=True, **RAW),
        {"aux": "true"},
        training=(299, 299),  # the auxiliary head has no room on less
    ),
    "torchvision-googlenet": Peer(
        "torchvision:googlenet",
        torchvision_network("googlenet", aux_logits=False, **RAW),
        {"aux": "false"},
        full=(224, 224),
    ),
    "torchvision-googlenet-aux": Peer(
        "torchvision:googlenet",
        torchvision_network("googlenet", aux_logits=True, **RAW),
        {"aux": "true"},
        full=(224, 224),
        outputs=lambda out: (out.logits, out.aux_logits1, out.aux_logits2),
    ),
    "torchvision-resnet18": Peer(
        "torchvision:resnet18", torchvision_network("resnet18"), full=(224, 224)
    ),
    "torchvision-resnet50": Peer(
        "torchvision:resnet50", torchvision_network("resnet50"), full=(224, 224)
    ),
    "torchvision-shufflenet_v2_x1_0": Peer(
        "torchvision:shufflenet_v2_x1_0", torchvision_network("shufflenet_v2_x1_0"), full=(224, 224)
    ),
}
