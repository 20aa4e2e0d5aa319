"""Networks with several scales beside the same in plain torch, with the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.state.parameters import convert_state
from backends.torch.export_program import export_program
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.graph import Graph, number
from compiler.passes.optimizer import optimize_graph
from compiler.pipeline import load_graph
from tests.oracle.ways import module_from


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


ATTENTION = """\
network: attention
input: {image: [3, 17, 21]}
blocks:
  mlp:
    layers:
      - {conv: 1x1, filters: in.channels // 4, bias: false, activation: relu, name: down}
      - {conv: 1x1, filters: 4 * prev.channels, bias: false, name: up}
  cbam:
    title: Convolutional block attention
    layers:
      - {global_avg_pool: true, keep_grid: true, name: mean}
      - {block: mlp}
      - {global_max_pool: true, keep_grid: true, from: in, name: most}
      - {block: mlp, name: mlp_of_most, share: mlp}
      - {add: [mlp, mlp_of_most]}
      - {sigmoid: true, name: channels}
      - {multiply: [in, channels], name: refined}
      - {branches: {mean: [channel_mean], most: [channel_max]}, join: concat, name: maps}
      - {conv: 7x7, filters: 1, padding: half, norm: batch_norm, name: conv}
      - {sigmoid: true, name: places}
      - {multiply: [refined, places]}
layers:
  - {conv: 3x3, filters: 16, padding: 1, activation: relu, name: a}
  - residual: {body: [{conv: 3x3, filters: 16, padding: 1}, {block: cbam}], activation: relu}
    name: r
  - {conv: 3x3, filters: 32, stride: 2, padding: 1, name: b}
  - {block: cbam}
"""


class Attention(nn.Module):
    """CBAM (arXiv 1807.06521, equations 2 and 3): which channels matter, then which places."""

    def __init__(self, c: int) -> None:
        super().__init__()
        down, up = nn.Conv2d(c, c // 4, 1, bias=False), nn.Conv2d(c // 4, c, 1, bias=False)
        self.mlp = nn.Sequential(down, nn.ReLU(), up)
        conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.places = nn.Sequential(conv, nn.BatchNorm2d(1))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        x = x * torch.sigmoid(sum(map(self.mlp, pooled)))
        maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.places(maps))


class WithAttention(nn.Module):
    """A residual block and a convolution, with CBAM behind each."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.inner = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.first = Attention(16)
        self.b, self.second = nn.Conv2d(16, 32, 3, 2, padding=1), Attention(32)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        x = F.relu(x + self.first(self.inner(x)))
        out: Tensor = self.second(self.b(x))
        return out


def load_same(ours: nn.Module, theirs: nn.Module) -> None:
    """Give a module random parameters, another one the same in the same order; both evaluate."""
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
    for module in (ours, theirs):
        module.eval()


def largest_difference(ours: nn.Module, theirs: nn.Module, image: Tensor) -> float:
    """Return the largest difference of outputs, relative to the largest element."""
    with torch.no_grad():
        mine, other = (m.double()(image.double()) for m in (ours, theirs))
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


NETWORKS: dict[str, tuple[str, type[nn.Module], tuple[int, int]]] = {
    "pyramid": (PYRAMID, Pyramid, (65, 97)),
    "neck": (NECK, Neck, (64, 96)),
    "attention": (ATTENTION, WithAttention, (17, 21)),
}


def exported(graph: Graph, module: nn.Module) -> nn.Module:
    return export_program(graph, module).module()


def optimized(graph: Graph, module: nn.Module) -> nn.Module:
    graph_of_it = optimize_graph(graph)
    made = module_from(emit_source(graph_of_it)).double()
    made.load_state_dict(convert_state(graph_of_it, dict(module.double().state_dict())))
    return made.eval()


def emitted(graph: Graph, module: nn.Module) -> nn.Module:
    made = module_from(emit_source(graph))
    made.load_state_dict(module.state_dict())
    return made.eval()


WAYS: dict[str, Callable[[Graph, nn.Module], nn.Module]] = {
    "module": lambda _, module: module,
    "source": emitted,
    "optimised": optimized,
    "export": exported,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_the_plain_one(name: str, way: str, tmp_path: Path) -> None:
    text, plain, size = NETWORKS[name]
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    graph, theirs = load_graph(path), plain()
    ours = build_module(graph)
    load_same(ours, theirs)
    made = WAYS[way](graph, ours)
    assert largest_difference(made, theirs, torch.randn(2, 3, *size)) <= 1e-12


def test_attention_of_other_channels_is_one_class(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(ATTENTION, encoding="utf-8")
    source = emit_source(load_graph(path))
    assert (source.count("\nclass Cbam"), source.count("= Cbam(32)")) == (1, 1)
