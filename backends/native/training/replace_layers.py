"""Layers of a module -> the same ones, which train with the native kernels."""

from __future__ import annotations

from collections.abc import Container

from torch import nn

from backends.native.training.conv2d import TunedConv2d, may_be_tuned
from backends.native.training.norm2d import NativeNorm2d, may_be_native


def replace_layers(module: nn.Module, apart: Container[str] = ()) -> None:
    """Replace layers of a module by those that compute with the native kernels, in place.

    Convolutions that may be tuned become `TunedConv2d`, batch normalisations `NativeNorm2d`,
    together with the `nn.ReLU` that directly follows one in an `nn.Sequential`. Parameters, their
    names and hooks of parents stay.

    Args:
        module: changed.
        apart: paths of normalisations that are read elsewhere too, and so take no ReLU.
    """
    for path, parent in list(module.named_modules()):
        children = list(parent.named_children())
        for index, (name, child) in enumerate(children):
            if type(child) is nn.Conv2d and may_be_tuned(child):
                setattr(parent, name, TunedConv2d.of(child))
            if may_be_native(child):
                after, next_ = children[index + 1] if index + 1 < len(children) else ("", None)
                relu = isinstance(parent, nn.Sequential) and type(next_) is nn.ReLU
                relu = relu and f"{path}.{name}".lstrip(".") not in apart
                setattr(parent, name, NativeNorm2d.of(child, relu))
                if relu:
                    setattr(parent, after, nn.Identity())
