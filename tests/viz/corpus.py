"""Networks of every shape that a picture must hold, written here or shipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

UNET = """\
network: unet
title: U-Net
input: {image: [3, 256, 256]}
defaults: {conv: {norm: batch_norm, activation: relu, padding: half}}
blocks:
  double_conv:
    title: Double conv
    params: {n: {type: channels}}
    layers:
      - {conv: 3x3, filters: n}
      - {conv: 3x3, filters: n}
  up:
    title: Up
    inputs: [low, skip]
    params: {n: {type: channels}}
    layers:
      - {upsample: 2, from: low}
      - {conv: 1x1, filters: n, name: halved}
      - {concat: [skip, halved], name: joined}
      - {block: double_conv, with: {n: n}}
layers:
  - {block: double_conv, with: {n: 64}, name: enc1}
  - {max_pool: 2x2, stride: 2, name: down1}
  - {block: double_conv, with: {n: 128}, name: enc2}
  - {max_pool: 2x2, stride: 2, name: down2}
  - {block: double_conv, with: {n: 256}, name: enc3}
  - {max_pool: 2x2, stride: 2, name: down3}
  - {block: double_conv, with: {n: 512}, name: enc4}
  - {max_pool: 2x2, stride: 2, name: down4}
  - {block: double_conv, with: {n: 1024}, name: floor}
  - {block: up, with: {n: 512}, from: [floor, enc4], name: up4}
  - {block: up, with: {n: 256}, from: [up4, enc3], name: up3}
  - {block: up, with: {n: 128}, from: [up3, enc2], name: up2}
  - {block: up, with: {n: 64}, from: [up2, enc1], name: up1}
  - {conv: 1x1, filters: 2, linear: true, name: logits}
"""

FPN = """\
network: fpn
title: Feature pyramid with heads
input: {image: [3, 256, 256]}
defaults: {conv: {activation: relu, padding: half}}
blocks:
  head:
    title: Head
    layers:
      - {conv: 3x3, filters: 64}
      - branches:
          classes: [{conv: 3x3, filters: 18, linear: true, name: scores}]
          boxes: [{conv: 3x3, filters: 36, linear: true, name: deltas}]
        join: concat
layers:
  - {conv: 7x7, filters: 64, stride: 2, name: stem}
  - {conv: 3x3, filters: 64, stride: 2, name: c2}
  - {conv: 3x3, filters: 128, stride: 2, name: c3}
  - {conv: 3x3, filters: 256, stride: 2, name: c4}
  - {conv: 3x3, filters: 512, stride: 2, name: c5}
  - {conv: 1x1, filters: 64, name: p5}
  - {upsample: 2, name: up5}
  - {conv: 1x1, filters: 64, from: c4, name: l4}
  - {add: [l4, up5], name: p4}
  - {upsample: 2, name: up4}
  - {conv: 1x1, filters: 64, from: c3, name: l3}
  - {add: [l3, up4], name: p3}
  - {upsample: 2, name: up3}
  - {conv: 1x1, filters: 64, from: c2, name: l2}
  - {add: [l2, up3], name: p2}
  - {block: head, from: p2, name: head2}
  - {block: head, from: p3, name: head3}
  - {block: head, from: p4, name: head4}
  - {block: head, from: p5, name: head5}
outputs: [head2, head3, head4, head5]
"""

DENSENET = """\
network: dense
title: DenseNet-121
input: {image: [3, 224, 224]}
params: {growth: 32}
blocks:
  dense_layer:
    title: Dense layer
    params: {growth: {type: channels}}
    branches:
      old: []
      new:
        - {batch_norm: true}
        - relu
        - {conv: 1x1, filters: 4 * growth}
        - {batch_norm: true}
        - relu
        - {conv: 3x3, filters: growth, padding: 1}
    join: concat
  transition:
    title: Transition
    layers:
      - {batch_norm: true}
      - relu
      - {conv: 1x1, filters: in.channels // 2}
      - {avg_pool: 2x2, stride: 2}
layers:
  - {conv: 7x7, filters: 64, stride: 2, padding: 3, norm: batch_norm, activation: relu, name: stem}
  - {max_pool: 3x3, stride: 2, padding: 1, name: pool}
  - {block: dense_layer, with: {growth: growth}, repeat: 6, name: dense1}
  - {block: transition, name: transition1}
  - {block: dense_layer, with: {growth: growth}, repeat: 12, name: dense2}
  - {block: transition, name: transition2}
  - {block: dense_layer, with: {growth: growth}, repeat: 24, name: dense3}
  - {block: transition, name: transition3}
  - {block: dense_layer, with: {growth: growth}, repeat: 16, name: dense4}
  - {batch_norm: true, name: norm}
  - {relu: true, name: act}
  - {global_avg_pool: true, name: mean}
  - {linear: 1000, name: logits}
"""

SIAMESE = """\
network: siamese
title: Siamese
input: {left: [1, 28, 28], right: [1, 28, 28]}
defaults: {conv: {activation: relu}}
blocks:
  embed:
    title: Embedding
    layers:
      - {conv: 3x3, filters: 16, stride: 2}
      - {conv: 3x3, filters: 32, stride: 2}
      - {global_avg_pool: true}
      - {linear: 32}
layers:
  - {block: embed, from: left, name: a}
  - {block: embed, from: right, name: b, share: a}
  - {concat: [a, b], name: both}
  - {linear: 1, name: score}
"""

PLUS_PLUS = """\
network: plus_plus
title: Nested skips
input: {image: [3, 64, 64]}
defaults: {conv: {activation: relu}}
layers:
  - {conv: 3x3, filters: 8, name: x00}
  - {conv: 3x3, filters: 16, stride: 2, name: x10}
  - {upsample: 2, name: u10}
  - {concat: [x00, u10], name: j01}
  - {conv: 3x3, filters: 8, name: x01}
  - {conv: 3x3, filters: 32, stride: 2, from: x10, name: x20}
  - {upsample: 2, name: u20}
  - {concat: [x10, u20], name: j11}
  - {conv: 3x3, filters: 16, name: x11}
  - {upsample: 2, name: u11}
  - {concat: [x00, x01, u11], name: j02}
  - {conv: 3x3, filters: 8, name: x02}
  - {conv: 3x3, filters: 64, stride: 2, from: x20, name: x30}
  - {upsample: 2, name: u30}
  - {concat: [x20, u30], name: j21}
  - {conv: 3x3, filters: 32, name: x21}
  - {upsample: 2, name: u21}
  - {concat: [x10, x11, u21], name: j12}
  - {conv: 3x3, filters: 16, name: x12}
  - {upsample: 2, name: u12}
  - {concat: [x00, x01, x02, u12], name: j03}
  - {conv: 3x3, filters: 8, name: x03}
"""

MULTI = """\
network: multi
title: Two inputs, three heads
input: {image: [3, 64, 64], depth: [1, 64, 64]}
defaults: {conv: {activation: relu}}
layers:
  - {conv: 3x3, filters: 16, from: image, name: rgb_1}
  - {conv: 3x3, filters: 16, stride: 2, name: rgb_2}
  - {conv: 3x3, filters: 16, stride: 2, from: depth, name: depth_1}
  - {concat: [rgb_2, depth_1], name: fused}
  - {conv: 3x3, filters: 32, name: trunk_1}
  - {conv: 3x3, filters: 32, name: trunk_2}
  - {conv: 3x3, filters: 32, name: trunk_3}
  - {conv: 1x1, filters: 2, from: trunk_1, name: edges}
  - {conv: 3x3, filters: 16, from: trunk_3, name: seg_1}
  - {conv: 1x1, filters: 21, name: seg}
  - {global_avg_pool: true, from: trunk_3, name: mean}
  - {linear: 10, name: label}
  - {linear: 4, from: mean, name: box}
outputs: [edges, seg, label, box]
"""


def plain(count: int) -> str:
    """Return a chain of so many convolutions."""
    rows = (f"  - {{conv: 3x3, filters: 8, name: c{i}}}\n" for i in range(count))
    return "layers:\n" + "".join(rows)


def skips(count: int) -> str:
    """Return a chain in which every fourth layer adds one from before."""
    lines = ["layers:", "  - {conv: 3x3, filters: 8, name: c0}"]
    for i in range(1, count):
        if i % 4 == 3:
            lines.append(f"  - {{add: [c{i - 1}, c{i - 3}], name: c{i}}}")
        else:
            lines.append(f"  - {{conv: 3x3, filters: 8, name: c{i}}}")
    return "\n".join(lines) + "\n"


def dense(count: int) -> str:
    """Return so many convolutions, each of which reads a concat of all before it."""
    lines = ["layers:", "  - {conv: 3x3, filters: 4, name: c0}"]
    for i in range(1, count):
        source = "c0"
        if i > 1:
            source = f"j{i}"
            names = ", ".join(f"c{k}" for k in range(i))
            lines.append(f"  - {{concat: [{names}], name: {source}}}")
        lines.append(f"  - {{conv: 3x3, filters: 4, name: c{i}, from: {source}}}")
    return "\n".join(lines) + "\n"


WRITTEN: Mapping[str, str] = {
    "unet": UNET,
    "fpn": FPN,
    "densenet": DENSENET,
    "siamese": SIAMESE,
    "plus_plus": PLUS_PLUS,
    "multi": MULTI,
    "dense_8": dense(8),
    "dense_24": dense(24),
    "skips_60": skips(60),
}
"""Name -> spec."""
SHIPPED = (
    "inception_v4",
    "inception_resnet_v1",
    "zoo/googlenet",
    "zoo/inception_v3",
    "zoo/resnet18",
    "zoo/resnet50",
)
GROWING: Mapping[str, Callable[[int], str]] = {"plain": plain, "skips": skips, "dense": dense}
"""Kinds of networks of any size."""
