"""A constructor argument of an emitted class is offered where every use of it follows.

`Class(p=v)` is the class emitted from `--set p=v`, for every v that the spec accepts.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backends.torch.source import emit_source
from compiler.graph import Graph
from compiler.passes.optimizer import optimize_graph
from compiler.pipeline import load_graph
from tests.torch.constructors import VALUES, accepted, arguments, emitted, state
from tests.torch.torch_specs import shipped

ROOT = Path(__file__).resolve().parents[2]
SPECS = [ROOT / "specs" / f"{name}.yaml" for name in shipped()]
SHARED = sorted((ROOT / "tests/every_target/networks").glob("*.yaml"))
HEAD = "input: {x: [4, 12, 12]}\n"

NETWORKS = {
    "groups that are 1": """
        params: {g: 1}
        blocks:
          t:
            params: {g: {type: int}}
            layers: [{conv: 1x1, filters: 8 * g}, {conv: 3x3, filters: 8 * g, groups: g}]
        layers: [{block: t, with: {g: g}}]
        offers: [in_channels, g]""",
    "groups that equal the channels": """
        layers: [{conv: 3x3, filters: 8, groups: 4}, {conv: 3x3, filters: 8, groups: depthwise}]
        offers: [in_channels]""",
    "stride, kernel, padding and dilation": """
        params: {k: 3, s: 1, p: 1, d: 1, u: {type: kernel, default: 3x3}}
        layers:
          - {conv: k, filters: 4, stride: s, padding: p, dilation: d}
          - {conv: 1x1, filters: 4, stride: s}
          - {conv: u, filters: 4, padding: k // 2}
          - global_avg_pool
        offers: [in_channels, k, s, p, d, u]""",
    "half padding, of kernels and dilations": """
        params: {k: 3, d: 1, p: {type: padding, default: half}}
        layers:
          - {conv: k, filters: 4, dilation: d, padding: half}
          - {conv: k + 2, filters: 4, dilation: 2, padding: p}
          - {conv: 3x3, filters: 4, dilation: 1 + d, padding: half}
          - {conv: 4x4, filters: 4, dilation: d, padding: half}
          - {max_pool: k, padding: half}
        offers: [in_channels, k, d]""",
    "half padding of a grid that a linear layer reads": """
        params: {k: 3}
        layers: [{conv: k, filters: 4, padding: half}, flatten, {linear: 5}]
        offers: [in_channels]""",
    "factors that channels begin at": """
        params: {f: {type: number, default: 0.1}}
        layers: [{conv: 1x1, filters: 4}, {layer_scale: f}]
        offers: [in_channels, f]""",
    "windows of poolings": """
        params: {k: 3, s: 1, p: 1, u: {type: kernel, default: 3x3}}
        layers:
          - {max_pool: k, stride: s, padding: p}
          - {avg_pool: u, stride: s, padding: half, ceil: true}
        offers: [k, s, p]""",
    "a pooling that SAME padding depends on": """
        params: {k: 3, s: 1, t: 2}
        layers: [{max_pool: k, stride: s}, {avg_pool: 2x2, stride: t, padding: V}]
        offers: [t]""",
    "a stride that SAME padding depends on": """
        params: {s: 1, t: 2}
        layers: [{conv: 3x3, filters: 4, stride: s}, {conv: 3x3, filters: 4, stride: t}]
        offers: [in_channels, t]""",
    "a grid that a linear layer reads": """
        params: {s: 1, k: 3, n: 4, c: 5}
        layers: [{conv: k, filters: n, stride: s, padding: 1}, flatten, {linear: c}]
        offers: [in_channels, n, c]""",
    "a grid that a formula reads": """
        params: {s: 1}
        layers:
          - {conv: 3x3, filters: 4, stride: s, padding: 1, name: a}
          - {conv: 1x1, filters: a.height}
        offers: [in_channels]""",
    "quotients and rounding": """
        params: {a: 8, b: 6, c: 4}
        layers:
          - {conv: 1x1, filters: 3 * a / 4}
          - {conv: 1x1, filters: ceil(b / 4) + int(b / 3) + floor(b / 2) + round(b / 4)}
          - {conv: 1x1, filters: a / 2 * b / 2 + 2}
          - {conv: 1x1, filters: "max(1, c // 3)"}
          - {conv: 1x1, filters: 4 + (c - 3) % 3}
        offers: [in_channels, a, b, c]""",
    "what one or the other is": """
        params: {n: 8, m: 3, wide: false, mode: {type: text, default: basic}}
        layers:
          - {conv: 1x1, filters: n if n > 2 * m else 2 * m}
          - {conv: 1x1, filters: "(4 if wide else 2) * n"}
          - {conv: "3x3 if mode == 'basic' else 1x1", filters: "(m if n == 8 or m < 3 else 1) + 1"}
          - {conv: 1x1, filters: "[m, 2 * n, 5][1] + [m, n][0] ** 2 + max(n, m, 4) + sum([n, m])"}
        offers: [in_channels, n, m]""",
    "names for values": """
        params: {n: 6, m: 4, w: [4, 8, 1]}
        let: {twice: 2 * n, both: "[twice, n, m]", is_wide: twice > m}
        blocks:
          t:
            params: {k: {type: int}, deep: false}
            let: {hidden: "round_to(in.channels * k, 4)", half: hidden // 2 + 1, big: hidden > 20}
            layers:
              - {conv: 1x1, filters: hidden, name: a}
              - {conv: 1x1, filters: "half if big else 2 * half"}
              - layers: [{conv: 1x1, filters: half}, {conv: 1x1, filters: hidden}]
                name: inner
                repeat: 2
              - {conv: 1x1, filters: hidden + half, when: deep}
        layers:
          - {conv: 1x1, filters: "twice if is_wide else m"}
          - {block: t, name: p, with: {k: m}}
          - {block: t, name: q, with: {k: "both[1]", deep: true}}
          - {conv: 1x1, filters: "sum(both) + w[1]"}
        offers: [in_channels, n, m, w]""",
    "entries of a list": """
        params: {w: [4, 8, 3], counts: [2, 1, 2], u: [relu, none, silu]}
        blocks:
          t:
            params: {w: {type: list}, n: {type: int}}
            layers: [{conv: 1x1, filters: "sum(w)"}, {conv: 1x1, filters: "w[n % len(w)] + n"}]
        layers:
          - {conv: 1x1, filters: "w[0] + max(w) * len(w)", repeat: "counts[0]"}
          - {block: t, name: a, repeat: 3, with: {w: "[w[index], 2 * w[-1]]", n: "w[1]"}}
          - {block: t, name: b, with: {w: w, n: 2}}
          - {conv: 1x1, filters: 4, activation: "u[2]"}
        offers: [in_channels, w, counts]""",
    "widths that are multiples": """
        params: {n: 30, by: {type: number, default: 1.4}}
        layers:
          - {conv: 1x1, filters: "round_to(n, 8)"}
          - {conv: 1x1, filters: "round_to(prev.channels * 0.75, 4)"}
          - {conv: 1x1, filters: "round_to(32 * by, 8)"}
        offers: [in_channels, n]""",
    "a number of any kind in whole ones": """
        params: {w: {type: number, default: 1}, n: 4}
        layers: [{conv: 1x1, filters: round(8 * w)}, {conv: 1x1, filters: n * round(8 * w)}]
        offers: [in_channels, n]""",
    "a factor": """
        params: {f: {type: number, default: 2}, k: {type: number, default: 0.5}}
        layers: [{scale: f}, {dropout: {drop: k}}, {scale: 0.5}]
        offers: [f, k]""",
    "a parameter in a condition": """
        params: {n: 4, m: 4, deep: true}
        layers:
          - {conv: 1x1, filters: n}
          - {conv: 1x1, filters: m, when: n > 3}
          - {conv: 3x3, filters: m, when: deep}
        offers: [in_channels, m]""",
    "a channel count in a condition": """
        params: {n: 4}
        layers: [{conv: 1x1, filters: n, name: a}, {conv: 1x1, filters: 4, when: a.channels > 3}]
        offers: [in_channels]""",
    "input channels in a condition": """
        layers: [{conv: 1x1, filters: 8, when: x.channels < 6}]
        offers: []""",
    "a count of copies": """
        params: {n: 2, c: 4}
        layers: [{conv: 1x1, filters: c * (index + 1), repeat: n}]
        offers: [in_channels, c]""",
    "a parameter in the default of another": """
        params: {a: 3, b: {type: int, default: 2 * a}}
        layers: [{conv: 1x1, filters: a}, {conv: 1x1, filters: b}]
        offers: [in_channels, b]""",
    "a parameter in the default of a block's": """
        params: {n: 3}
        blocks:
          u:
            params: {p: {type: int}, q: {type: int, default: 2 * p}}
            layers: [{conv: 1x1, filters: p}, {conv: 1x1, filters: q}]
        layers: [{block: u, with: {p: n}}]
        offers: [in_channels]""",
    "a word, a flag, a padding, half of a kernel": """
        params: {act: relu, b: true, p: {type: padding, default: 1}, n: 3}
        layers:
          - {conv: 3x3, filters: 4, activation: act, bias: b, padding: p}
          - {conv: [1, n], filters: 4}
        offers: [in_channels, p]""",
    "a window of a pooling, a factor of upsampling": """
        params: {k: 3, u: 2, n: 4}
        layers: [{conv: 1x1, filters: n}, {max_pool: k}, {upsample: u}]
        offers: [in_channels, n]""",
    "an input of that size": """
        input: {x: [c, s, 12]}
        params: {c: 4, s: 12}
        layers: [{conv: 1x1, filters: c}]
        offers: [in_channels]""",
    "defaults of the network": """
        params: {f: 4, e: {type: number, default: 0.001}}
        defaults: {conv: {filters: f, norm: batch_norm}, batch_norm: {eps: e}}
        layers: [{conv: 1x1}]
        offers: [in_channels, f]""",
    "defaults of the network inside a block": """
        params: {f: 4}
        defaults: {conv: {filters: f}}
        blocks: {u: {layers: [{conv: 1x1}]}}
        layers: [{block: u}]
        offers: [in_channels]""",
    "conditions of a block that hold for all widths": """
        params: {w: 4, c: 5}
        blocks:
          basic:
            params: {n: {type: int}, s: {type: int, default: 1}}
            residual:
              body: [{conv: 3x3, filters: n, stride: s, padding: 1}, {conv: 1x1, filters: 2 * n}]
              shortcut:
                - {conv: 1x1, filters: 2 * n, stride: s, when: s != 1 or in.channels != 2 * n}
        layers:
          - {conv: 3x3, filters: w}
          - {block: basic, name: a, repeat: 2, with: {n: w}}
          - {block: basic, name: b, with: {n: 2 * w, s: 2}}
          - {block: basic, name: c, with: {n: 2 * w}}
          - global_avg_pool
          - {linear: c}
        offers: [in_channels, w, c]""",
    "a condition of a block that some widths meet": """
        params: {w: 4}
        blocks:
          u:
            params: {n: {type: int}}
            layers: [{conv: 1x1, filters: n}, {conv: 3x3, filters: n, when: n > 5}]
        layers: [{conv: 3x3, filters: w}, {block: u, with: {n: w + 1}}]
        offers: [in_channels]""",
    "a condition that leaves a block without layers": """
        params: {c: 3, d: 2}
        blocks:
          u: {params: {n: {type: int}}, layers: [{conv: 1x1, filters: 4, when: n > 6}]}
          v: {params: {n: {type: int}}, layers: [{block: u, with: {n: n + 1}}]}
        layers: [{conv: 1x1, filters: c}, {conv: 1x1, filters: d}, {block: v, with: {n: c}}]
        offers: [in_channels, d]""",
    "a condition that only its own layer makes sure": """
        params: {b: 2}
        layers: [{conv: 1x1, filters: 4 * b, groups: b, when: 2 * b >= b}]
        offers: [in_channels]""",
    "a condition in a condition, both of which hold": """
        params: {c: 4}
        blocks:
          u:
            params: {n: {type: int}, s: {type: int, default: 1}, p: {type: number, default: 0.5}}
            let: {skip: s == 1 and in.channels == n}
            layers:
              - {conv: 1x1, filters: n, stride: s, name: a}
              - {relu: true, when: skip and p > 0, name: b}
              - {add: [in, b or a], when: skip}
        layers: [{block: u, repeat: 2, with: {n: 4}}, {conv: 1x1, filters: c}]
        offers: [c]""",
    "layers that share": """
        params: {n: 4, m: 4, f: 2, g: 2}
        blocks:
          u:
            params: {n: {type: int}, f: {type: number}}
            layers: [{conv: 1x1, filters: n}, {scale: f}]
        layers:
          - {block: u, with: {n: n, f: f}, name: a}
          - {block: u, with: {n: n, f: g}, from: x, name: b, share: a}
          - {add: [a, b]}
          - {conv: 1x1, filters: m, name: c}
        offers: [in_channels, n, m]""",
    "a block inside a block": """
        params: {a: 4, b: 2, k: {type: kernel, default: 3x3}}
        blocks:
          u:
            params: {n: {type: int}, t: {type: int}, k: {type: kernel}}
            layers: [{conv: k, filters: n, padding: V}, {conv: 1x1, filters: n * t}]
          v:
            params: {n: {type: int}, k: {type: kernel}}
            layers:
              - {block: u, name: m, with: {n: 2 * n, t: 2, k: k}}
              - {conv: 1x1, filters: m.channels + prev.channels + in.channels}
        layers: [{block: v, with: {n: a + b, k: k}}, {conv: 1x1, filters: prev.channels / 2}]
        offers: [a, b, k]""",
    "a DenseNet": """
        params: {g: 4, n: 3}
        blocks:
          dense:
            params: {g: {type: int}}
            branches: {old: [], new: [{conv: 1x1, filters: 2 * g}, {conv: 3x3, filters: g}]}
            join: concat
        layers:
          - {conv: 3x3, filters: 2 * g}
          - {block: dense, repeat: 3, name: d, with: {g: g}}
          - {conv: 1x1, filters: prev.channels // 2}
        offers: [in_channels, g]""",
}


def write(folder: Path, text: str) -> tuple[Path, list[str]]:
    """Write a network of `NETWORKS`; return its file, and the arguments that it should offer."""
    lines = [line[8:] for line in text.strip("\n").splitlines()]
    offers = lines.pop().partition("[")[2].rstrip("]")
    head = "" if any(line.startswith("input") for line in lines) else HEAD
    path = folder / "t.yaml"
    path.write_text("network: t\n" + head + "\n".join(lines) + "\n")
    return path, [name.strip() for name in offers.split(",") if name]


def check_values(spec: Path, graph: Graph, made: type[nn.Module]) -> None:
    """Check that every argument stands for what `--set` or `--input` stands for."""
    for name in arguments(made):
        for value, other in accepted(spec, graph, name):
            with torch.device("meta"):
                mine, theirs = made(**{name: value}), emitted(other)()
            assert state(mine) == state(theirs), f"{name}={value}"


@pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
def test_argument_is_setting(tmp_path: Path, text: str) -> None:
    spec, offers = write(tmp_path, text)
    graph = load_graph(spec)
    made = emitted(graph)
    assert arguments(made) == offers
    for name in offers:
        for value, other in accepted(spec, graph, name):
            mine, theirs = made(**{name: value}).eval(), emitted(other)().eval()
            assert state(mine) == state(theirs), f"{name}={value}"
            theirs.load_state_dict(mine.state_dict())
            x = torch.randn(1, *(int(str(d)) for d in other.nodes["x"].shape))
            with torch.no_grad():
                torch.testing.assert_close(mine(x), theirs(x), msg=f"{name}={value}")


@pytest.mark.parametrize("spec", [*SPECS, *SHARED], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_argument_is_setting_in(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VALUES, "int", (0, 7))
    monkeypatch.setitem(VALUES, "channels", (2,))
    graph = load_graph(spec)
    check_values(spec, graph, emitted(graph))


@pytest.mark.parametrize(
    ("spec", "offers"),
    [
        ("inception_v4", ["in_channels", "classes"]),
        ("inception_resnet_v1", ["in_channels", "classes"]),
        ("inception_resnet_v2", ["in_channels", "classes"]),
        ("released/inception_v4_slim", ["in_channels", "classes"]),
        ("released/inception_resnet_v1_facenet", ["in_channels", "embedding"]),
        ("zoo/inception_v3", ["in_channels", "classes"]),
        ("zoo/googlenet", ["in_channels", "classes"]),
        ("zoo/resnet18", ["in_channels", "classes"]),
        ("zoo/resnet50", ["in_channels", "classes"]),
    ],
)
def test_what_known_networks_offer(spec: str, offers: list[str]) -> None:
    assert arguments(emitted(load_graph(ROOT / "specs" / f"{spec}.yaml"))) == offers


def test_letters_of_table_1() -> None:
    source = emit_source(load_graph("inception_v4"))
    head = "def __init__(self, in_channels: int, *, k: int, l: int, m: int, n: int) -> None:"
    assert head in source
    assert "ReductionA(384, k=192, l=224, m=256, n=384)" in source


def test_rewritten_graph_offers_nothing(tmp_path: Path) -> None:
    spec, _ = write(tmp_path, NETWORKS["defaults of the network"])
    assert arguments(emitted(optimize_graph(load_graph(spec)))) == []
