"""What the maps say of preprocessing is what the publishers' own packages say."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from compiler.weights.mapping import Preprocessing, load_map

pytestmark = pytest.mark.peers


def said(name: str) -> Preprocessing:
    found = load_map(name).preprocessing
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2"])
def test_timm(name: str) -> None:
    models = pytest.importorskip("timm.models")
    theirs, ours = models.get_pretrained_cfg(f"{name}.tf_in1k"), said(f"timm:{name}")
    assert (ours.mean, ours.deviation, ours.range) == (theirs.mean, theirs.std, 1)
    assert ours.interpolation == theirs.interpolation
    assert float(Fraction(ours.crop)) == theirs.crop_pct


@pytest.mark.parametrize(
    ("name", "weights"),
    [("inception_v3", "Inception_V3_Weights"), ("googlenet", "GoogLeNet_Weights")],
)
def test_torchvision_with_its_transform_input(name: str, weights: str) -> None:
    models = pytest.importorskip("torchvision.models")
    theirs, ours = getattr(models, weights).IMAGENET1K_V1.transforms(), said(f"torchvision:{name}")
    module = getattr(models, name)(weights=None, init_weights=False, transform_input=True)
    x = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (theirs.mean, theirs.std))
    own_mean, own_std = (torch.tensor(v).view(3, 1, 1) for v in (ours.mean, ours.deviation))
    torch.testing.assert_close((x - own_mean) / own_std, module._transform_input((x - mean) / std))
    assert ours.interpolation == theirs.interpolation.value
    assert Fraction(ours.crop) == Fraction(theirs.crop_size[0], theirs.resize_size[0])


def test_facenet() -> None:
    mtcnn = pytest.importorskip("facenet_pytorch.models.mtcnn")
    ours = said("facenet_pytorch:inception_resnet_v1")
    x = torch.arange(0.0, 256.0)
    want = mtcnn.fixed_image_standardization(x)
    torch.testing.assert_close((x - ours.mean[0]) / ours.deviation[0], want)
    assert ours.range == 255
