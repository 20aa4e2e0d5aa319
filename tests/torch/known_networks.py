"""Networks that people know, written for tests, and how one is loaded."""

from __future__ import annotations

from pathlib import Path

from compiler.graph import Graph
from compiler.pipeline import load_graph

UNET = """\
network: unet
input: {image: [3, 64, 64]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 8, name: a}
  - {max_pool: 2x2, stride: 2, padding: V}
  - {conv: 3x3, filters: 8, name: b}
  - {max_pool: 2x2, stride: 2, padding: V}
  - {conv: 3x3, filters: 8}
  - {upsample: 2, name: up1}
  - {concat: [up1, b]}
  - {conv: 3x3, filters: 8}
  - {upsample: 2, name: up2}
  - {concat: [up2, a]}
  - {conv: 3x3, filters: 8}
"""

PYRAMID = """\
network: pyramid
input: {image: [3, 256, 256]}
layers:
  - {conv: 7x7, filters: 8, stride: 2, padding: 3}
  - {max_pool: 3x3, stride: 2, padding: 1}
  - {conv: 3x3, filters: 16, stride: 2, name: c3}
  - {conv: 3x3, filters: 16, stride: 2, name: c4}
  - {upsample: 2, name: up}
  - {add: [up, c3], name: p3}
outputs: [p3, c4]
"""

STRIDED_SAME = """\
network: strided
input: {image: [3, 64, 64]}
layers:
  - {conv: 3x3, filters: 8, stride: 2, activation: relu}
  - {conv: 3x3, filters: 8, groups: depthwise, stride: 2}
  - {branches: {max: [{max_pool: 3x3, stride: 2}], mean: [{avg_pool: 2x2, stride: 2}],
      dilated: [{conv: 3x2, filters: 4, stride: 2, dilation: 3}],
      counted: [{avg_pool: 3x3, stride: 2, count_include_pad: true}],
      thin: [{conv: 1x1, filters: 4, stride: 2}]}, join: concat, name: mixed}
  - {conv: 2x2, filters: 8, stride: 3, name: last}
  - {avg_pool: 2x2, stride: 3, name: mean, from: mixed}
  - {max_pool: 2x2, stride: 3, name: max, from: mixed}
outputs: [last, mean, max]
"""

DILATED = """\
network: dilated
input: {image: [3, 64, 64]}
layers:
  - {conv: 3x3, filters: 8, padding: V, stride: 2, activation: relu}
  - {conv: 3x3, filters: 8, dilation: 2, padding: 2, activation: relu}
  - {branches: {a: [{conv: 3x3, filters: 4, dilation: 4}], b: [{conv: 1x3, filters: 4}],
      c: [{max_pool: 3x3}]}, join: concat, name: mixed}
  - {conv: 1x1, filters: 5, name: scores}
outputs: [scores, mixed]
"""

NETWORKS = {
    "unet": UNET,
    "pyramid": PYRAMID,
    "strided": STRIDED_SAME,
    "dilated": DILATED,
}


def known(name: str, folder: Path) -> Graph:
    """Return the graph of one of `NETWORKS`, or of a shipped spec."""
    if name not in NETWORKS:
        return load_graph(name)
    path = folder / f"{name}.yaml"
    path.write_text(NETWORKS[name], encoding="utf-8")
    return load_graph(path)
