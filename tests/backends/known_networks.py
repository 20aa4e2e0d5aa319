"""Networks that people know, written for tests, and how one is loaded."""

from __future__ import annotations

from pathlib import Path

from compiler.graph import Graph
from compiler.pipeline import load_graph

RESNET = """\
network: NAME
input: {image: [3, 224, 224]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  basic:
    params: {n: {type: channels}, s: {type: int, default: 1}}
    residual:
      body:
        - {conv: 3x3, filters: n, stride: s, padding: 1}
        - {conv: 3x3, filters: n, padding: 1, activation: none}
      shortcut:
        - {conv: 1x1, filters: n, stride: s, activation: none, when: s > 1 or in.channels != n}
      activation: relu
  bottleneck:
    params: {n: {type: channels}, s: {type: int, default: 1}}
    residual:
      body:
        - {conv: 1x1, filters: n}
        - {conv: 3x3, filters: n, stride: s, padding: 1}
        - {conv: 1x1, filters: 4 * n, activation: none}
      shortcut:
        - {conv: 1x1, filters: 4 * n, stride: s, activation: none,
           when: s > 1 or in.channels != 4 * n}
      activation: relu
layers:
  - {conv: 7x7, filters: 64, stride: 2, padding: 3, name: stem}
  - {max_pool: 3x3, stride: 2, padding: 1}
STAGES
  - global_avg_pool
  - {linear: 1000, name: fc}
"""


def resnet(name: str, block: str, counts: tuple[int, ...]) -> str:
    """Return the spec of a residual network of 18 to 152 layers."""
    lines = []
    for i, count in enumerate(counts):
        stride = "" if i == 0 else ", s: 2"
        first = f"{{block: {block}, with: {{n: {64 * 2**i}{stride}}}, name: first}}"
        more = f"{{block: {block}, with: {{n: {64 * 2**i}}}, repeat: {count - 1}, name: more}}"
        lines.append(f"  - {{layers: [{first}, {more}], name: layer{i + 1}}}")
    return RESNET.replace("NAME", name).replace("STAGES", "\n".join(lines))


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
    "resnet18": resnet("resnet18", "basic", (2, 2, 2, 2)),
    "resnet50": resnet("resnet50", "bottleneck", (3, 4, 6, 3)),
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
