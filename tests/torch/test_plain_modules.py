"""Networks with several scales beside the same in plain torch, with the same parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.torch.module import build_module
from compiler.graph import number
from compiler.pipeline import load_graph


def double(c: int, n: int, padding: int) -> nn.Sequential:
    convs = nn.Conv2d(c, n, 3, padding=padding), nn.Conv2d(n, n, 3, padding=padding)
    return nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU())


class UNet(nn.Module):
    """arXiv 1505.04597, Figure 1."""

    def __init__(self, width: int, padding: int) -> None:
        super().__init__()
        c = [width * 2**i for i in range(5)]
        self.down = nn.ModuleList(double(i, o, padding) for i, o in zip([1, *c], c, strict=False))
        self.up, self.after = nn.ModuleList(), nn.ModuleList()
        for wide, narrow in zip(c[:0:-1], c[-2::-1], strict=True):
            self.up.append(nn.ConvTranspose2d(wide, narrow, 2, stride=2))
            self.after.append(double(wide, narrow, padding))
        self.last = nn.Conv2d(width, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            levels.append(x)
        for up, block, skip in zip(self.up, self.after, levels[-2::-1], strict=True):
            x = up(x)
            top, left = ((skip.shape[d] - x.shape[d]) // 2 for d in (2, 3))
            skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = block(torch.cat([skip, x], 1))
        out: Tensor = self.last(x)
        return out


PYRAMID = """\
network: fpn
input: {image: [3, 65, 97]}
layers:
  - {conv: 3x3, filters: 8, stride: 4, padding: 1, activation: relu, name: c2}
  - {conv: 3x3, filters: 12, stride: 2, padding: 1, activation: relu, name: c3}
  - {conv: 3x3, filters: 16, stride: 2, padding: 1, activation: relu, name: c4}
  - {conv: 1x1, filters: 6, name: l4}
  - {conv: 1x1, filters: 6, from: c3, name: l3}
  - {upsample: l3, from: l4, name: u4}
  - {add: [l3, u4], name: m3}
  - {conv: 1x1, filters: 6, from: c2, name: l2}
  - {upsample: l2, from: m3, name: u3}
  - {add: [l2, u3], name: m2}
  - {conv: 3x3, filters: 6, padding: 1, from: m2, name: p2}
  - {conv: 3x3, filters: 6, padding: 1, from: m3, name: p3}
  - {conv: 3x3, filters: 6, padding: 1, from: l4, name: p4}
outputs: [p2, p3, p4]
"""


class Pyramid(nn.Module):
    """Feature pyramid with lateral adds (arXiv 1612.03144, Figure 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.c2 = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.c3 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.c4 = nn.Conv2d(12, 16, 3, stride=2, padding=1)
        self.l4, self.l3, self.l2 = (nn.Conv2d(c, 6, 1) for c in (16, 12, 8))
        self.p2, self.p3, self.p4 = (nn.Conv2d(6, 6, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        c2 = F.relu(self.c2(x))
        c3 = F.relu(self.c3(c2))
        m4 = self.l4(F.relu(self.c4(c3)))
        m3 = self.l3(c3) + F.interpolate(m4, size=c3.shape[2:])
        m2 = self.l2(c2) + F.interpolate(m3, size=c2.shape[2:])
        return self.p2(m2), self.p3(m3), self.p4(m4)


NECK = """\
network: neck
input: {image: [3, 64, 96]}
defaults: {conv: {norm: batch_norm, activation: silu, padding: half}}
blocks:
  csp:
    params: {n: {type: channels}, count: {type: int, default: 1}}
    layers:
      - branches:
          long:
            - {conv: 1x1, filters: n // 2}
            - layers:
                - residual:
                    body: [{conv: 1x1, filters: n // 2}, {conv: 3x3, filters: n // 2}]
              repeat: count
              name: unit
          short: [{conv: 1x1, filters: n // 2}]
        join: concat
      - {conv: 1x1, filters: n, name: last}
layers:
  - {conv: 3x3, filters: 8, stride: 8, name: c3}
  - {conv: 3x3, filters: 12, stride: 2, name: c4}
  - {conv: 3x3, filters: 16, stride: 2, name: c5}
  - {conv: 1x1, filters: 12, name: t5}
  - {upsample: 2}
  - {concat: [upsample, c4]}
  - {block: csp, name: n4, with: {n: 12}}
  - {conv: 1x1, filters: 8, name: t4}
  - {upsample: 2, name: up}
  - {concat: [up, c3]}
  - {block: csp, name: n3, with: {n: 8, count: 2}}
  - {conv: 3x3, filters: 8, stride: 2, name: d3}
  - {concat: [d3, t4]}
  - {block: csp, name: b4, with: {n: 12}}
  - {conv: 3x3, filters: 12, stride: 2, name: d4}
  - {concat: [d4, t5]}
  - {block: csp, name: b5, with: {n: 16}}
  - {conv: 1x1, filters: 9, linear: true, from: n3, name: small}
  - {conv: 1x1, filters: 9, linear: true, from: b4, name: medium}
  - {conv: 1x1, filters: 9, linear: true, from: b5, name: large}
outputs: [small, medium, large]
"""


def unit(c: int, n: int, k: int, s: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c, n, k, stride=s, padding=k // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n), nn.SiLU())


class Csp(nn.Module):
    def __init__(self, c: int, n: int, count: int = 1) -> None:
        super().__init__()
        half = n // 2
        self.long = unit(c, half, 1)
        self.units = nn.ModuleList(
            nn.Sequential(unit(half, half, 1), unit(half, half, 3)) for _ in range(count)
        )
        self.short = unit(c, half, 1)
        self.last = unit(2 * half, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        long = self.long(x)
        for block in self.units:
            long = long + block(long)
        out: Tensor = self.last(torch.cat([long, self.short(x)], 1))
        return out


class Neck(nn.Module):
    """A path down and one up again between three scales, with a head on each."""

    def __init__(self) -> None:
        super().__init__()
        self.c3, self.c4, self.c5 = unit(3, 8, 3, 8), unit(8, 12, 3, 2), unit(12, 16, 3, 2)
        self.t5, self.n4, self.t4 = unit(16, 12, 1), Csp(24, 12), unit(12, 8, 1)
        self.n3 = Csp(16, 8, 2)
        self.d3, self.b4, self.d4 = unit(8, 8, 3, 2), Csp(16, 12), unit(12, 12, 3, 2)
        self.b5 = Csp(24, 16)
        self.heads = nn.ModuleList(nn.Conv2d(c, 9, 1) for c in (8, 12, 16))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        c3 = self.c3(x)
        c4 = self.c4(c3)
        t5 = self.t5(self.c5(c4))
        t4 = self.t4(self.n4(torch.cat([F.interpolate(t5, scale_factor=2), c4], 1)))
        small = self.n3(torch.cat([F.interpolate(t4, scale_factor=2), c3], 1))
        medium = self.b4(torch.cat([self.d3(small), t4], 1))
        large = self.b5(torch.cat([self.d4(medium), t5], 1))
        maps = small, medium, large
        return tuple(head(m) for head, m in zip(self.heads, maps, strict=True))


def load_same(ours: nn.Module, theirs: nn.Module) -> None:
    """Give a module random parameters, and another one the same in the same order."""
    torch.manual_seed(0)
    for name, value in theirs.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point():
            value.normal_(0, 0.3)
    values = theirs.state_dict()
    if isinstance(theirs, UNet):  # an up-convolution stands before the convolutions after it
        order = [f"{part}.{i}" for i in range(4) for part in ("up", "after")]
        names = [n for key in order for n in values if n.startswith(f"{key}.")]
        rest = [n for n in values if not n.startswith(("up.", "after."))]
        values = {n: values[n] for n in (*rest[:-2], *names, *rest[-2:])}
    pairs = zip(ours.state_dict().values(), values.values(), strict=True)
    with torch.no_grad():
        for mine, other in pairs:
            assert mine.shape == other.shape
            mine.copy_(other)


def largest_difference(ours: nn.Module, theirs: nn.Module, image: Tensor) -> float:
    """Return the largest difference of outputs, relative to the largest element."""
    with torch.no_grad():
        mine, other = (m.double().eval()(image.double()) for m in (ours, theirs))
    mine, other = ([x] if isinstance(x, Tensor) else list(x) for x in (mine, other))
    assert [m.shape for m in mine] == [o.shape for o in other]
    return max(float((m - o).abs().max() / o.abs().max()) for m, o in zip(mine, other, strict=True))


def test_the_published_unet_has_its_numbers() -> None:
    graph = load_graph("zoo/unet")
    assert number(graph.parameters()) == 31_030_658
    assert str(graph.nodes[graph.outputs[0].node].shape) == "(N, 2, 388, 388)"


@pytest.mark.parametrize(("padding", "size"), [("V", (188, 204)), ("half", (48, 64))])
def test_unet_is_the_plain_one(padding: str, size: tuple[int, int]) -> None:
    settings = {"padding": padding, "width": "4"}
    graph = load_graph("zoo/unet", settings, [f"1x{size[0]}x{size[1]}"])
    ours, theirs = build_module(graph), UNet(4, int(padding == "half"))
    load_same(ours, theirs)
    assert largest_difference(ours, theirs, torch.randn(1, 1, *size)) <= 1e-12


@pytest.mark.parametrize(
    ("text", "theirs", "size"), [(PYRAMID, Pyramid, (65, 97)), (NECK, Neck, (64, 96))]
)
def test_several_scales_are_the_plain_ones(
    text: str, theirs: type[nn.Module], size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    ours, plain = build_module(load_graph(path)), theirs()
    load_same(ours, plain)
    assert largest_difference(ours, plain, torch.randn(2, 3, *size)) <= 1e-12
