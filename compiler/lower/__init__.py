"""Spec -> graph: blocks expanded, their hierarchy kept, every shape inferred."""

from __future__ import annotations

from compiler.lower.builder import StatedSizes
from compiler.lower.defaults import default_norms, layer_defaults
from compiler.lower.library import check_library, check_unused
from compiler.lower.network import lower_network

__all__ = [
    "StatedSizes",
    "check_library",
    "check_unused",
    "default_norms",
    "layer_defaults",
    "lower_network",
]
