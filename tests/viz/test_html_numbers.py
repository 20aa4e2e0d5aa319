"""The page's numbers are the compiler's: shapes, parameters, MACs, errors on a grid of settings."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from compiler.errors import Diagnostic, in_file_order
from compiler.graph import Dim
from compiler.graph import show as show_dim
from compiler.pipeline import draft_graph
from compiler.spec import shipped_files, shipped_specs
from tests.lower.test_handed_over import SPEC as HANDED
from viz.html import render_html
from viz.html.program import write_program

Show = Callable[..., Any]
"""Opens a page's text in the browser."""


pytestmark = pytest.mark.browser

Edit = tuple[str, int, str, str]
"""(block or "" for the network, number of the layer in it, field, new text)."""


@dataclass(frozen=True)
class Case:
    """One setting of the page, and the same said to the compiler."""

    size: str = ""
    params: dict[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()


STEM, A, REDUCTION_A, B, C = 0, 1, 2, 3, 5
"""Numbers of layers in the networks of the paper."""
TABLE_1 = (("k", "1"), ("l", "33"), ("m", "7"), ("n", "400"))

V4 = [
    Case(),
    *(Case(size=f"3x{s}x{s}") for s in (74, 75, 76, 96, 139, 224, 300, 331, 512)),
    Case(size="3x75x299"),
    Case(size="3x299x40"),
    Case(size="1x160x256"),
    *(Case(params={"classes": c}) for c in ("1", "10", "1001")),
    *(Case(edits=(("", A, "repeat", r),)) for r in ("0", "1", "9")),
    Case(edits=(("", B, "repeat", "2"), ("", C, "repeat", "0"))),
    *(Case(edits=(("", REDUCTION_A, f"with.{k}", v),)) for k, v in TABLE_1),
    Case(size="3x128x128", edits=(("", REDUCTION_A, "with.n", "1"), ("", A, "repeat", "2"))),
    Case(edits=(("inception_a", 2, "filters", "97"),)),
    Case(edits=(("inception_c", 6, "filters", "10"),)),
    Case(edits=(("inception_b", 2, "conv", "3x5"),)),
    Case(edits=(("reduction_b", 3, "stride", "1"),)),
    Case(edits=(("stem_v4", 0, "stride", "3"),)),
    Case(size="3x20x20", edits=(("stem_v4", 0, "stride", "1"),)),
]
RESNET_V1 = [
    Case(),
    *(Case(size=f"3x{s}x{s}") for s in (60, 74, 75, 160, 299, 400)),
    Case(params={"classes": "512"}),
    Case(edits=(("", A, "repeat", "0"),)),
    Case(edits=(("", B, "repeat", "20"),)),
    Case(edits=(("", REDUCTION_A, "with.m", "250"),)),
    Case(edits=(("inception_resnet_a", 8, "filters", "250"),)),
    Case(edits=(("inception_resnet_c", 6, "filters", "1"),)),
    Case(edits=(("inception_resnet_a", 0, "scale", "0.3"),)),
    Case(edits=(("stem_resnet_v1", 6, "filters", "320"),)),
    Case(size="3x100x100", edits=(("stem_resnet_v1", 3, "max_pool", "5x5"),)),
]

SMALL = """\
network: small
input: {image: [3, 32, 32], mask: [1, 32, 32]}
params:
  width: {type: channels, default: 8}
  half: {type: int, default: width // 2}
  deep: {type: bool, default: true}
  ratio: {type: number, default: 1.5}
  gate: {type: activation, default: sigmoid}
defaults:
  conv: {norm: batch_norm, activation: relu}
  batch_norm: {scale: false}
blocks:
  unit:
    params:
      k: {type: channels}
      kernel: {type: kernel, default: 3x3}
      twice: {type: int, default: k * 2}
    layers:
      - {conv: kernel, filters: k + index_free, name: first}
      - {conv: 1x1, filters: twice, linear: true}
    inputs: [x]
"""
SMALL = (
    SMALL.replace("k + index_free", "k")
    + """\
layers:
  - {conv: 3x3, filters: width, stride: 2, from: image, name: stem}
  - {conv: 3x3, filters: half, stride: 2, from: mask, name: side}
  - {concat: [stem, side], name: both}
  - {block: unit, name: units, repeat: 2, with: {k: floor(prev.channels * ratio) + index}}
  - {conv: 3x3, filters: in.channels * 4, groups: 1, padding: V, name: extra, when: deep}
  - residual:
      body:
        - {conv: 1x1, filters: prev.channels // 2, activation: gate, name: down}
        - {conv: 3x3, filters: in.height - 20 + extra.channels - 12, linear: true, name: up}
      scale: 1 / 4
  - {avg_pool: 3x3, stride: 2, padding: 1, ceil: true}
  - {conv: 3x3, filters: 12, groups: 4, name: grouped}
  - {conv: 3x3, filters: 12, groups: 4, name: again, share: grouped}
  - {max_pool: 3x3, stride: 2}
  - {batch_norm: true, scale: true, shift: deep}
  - batch_norm
  - flatten
  - {linear: 10 * half}
"""
)
SMALL_CASES = [
    Case(),
    *(Case(params={"width": w}) for w in ("1", "2", "7", "30")),
    Case(params={"half": "3"}),
    Case(params={"deep": "false"}),
    Case(params={"ratio": "0.1"}),
    Case(params={"ratio": "2.25", "gate": "relu"}),
    *(Case(size=f"3x{s}x{s}") for s in (1, 8, 31, 33, 48)),
    Case(edits=(("", 9, "groups", "5"),)),
    Case(edits=(("", 10, "filters", "24"), ("", 10, "groups", "2"), ("", 10, "conv", "1x5"))),
    Case(edits=(("", 3, "repeat", "0"),)),
    Case(edits=(("", 3, "repeat", "5"),)),
    Case(edits=(("", 8, "avg_pool", "2x2"),)),
]


def count(number: Dim) -> int | str | None:
    return number if number is None or isinstance(number, int) else str(number)


def layers_in(chain: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a chain's layers, each before those inside it."""
    for layer in chain:
        yield layer
        for _, branch in layer.get("branches", []):
            yield from layers_in(branch)
        for key in ("layers", "body", "shortcut"):
            yield from layers_in(layer.get(key, []))


def layer_of(program: dict[str, Any], edit: Edit) -> dict[str, Any]:
    home = program["blocks"][edit[0]] if edit[0] else program
    return list(layers_in(home["layers"]))[edit[1]]


def page_help(found: Diagnostic) -> str:
    """Return the help as the page has it: it solves no sizes for those that are stated."""
    return found.help.rpartition("; or ")[2] if found.code == "wrong-size" else found.help


class Bench:
    """A spec in a folder of its own, and its page."""

    def __init__(self, spec: Path, show: Any) -> None:
        self.spec = spec
        self.texts = {f: f.read_text() for f in spec.parents[0].rglob("*.yaml")}
        graph, report, loaded = draft_graph(spec)
        self.program = write_program(graph, loaded)
        self.page = show(render_html(graph, loaded, report.diagnostics))

    def by_compiler(self, case: Case) -> dict[str, Any]:
        for edit in case.edits:
            self._edit(edit)
        graph, report, loaded = draft_graph(
            self.spec, case.params, [case.size] if case.size else []
        )
        for file, text in self.texts.items():
            file.write_text(text)
        nodes = graph.nodes.values()
        found = in_file_order(report.errors, loaded.texts)
        return {
            "parameters": count(graph.parameters()),
            "macs": count(graph.macs()),
            "shapes": {n.name: "x".join(map(show_dim, n.shape)) for n in nodes},
            "findings": [[d.code, d.message, page_help(d)] for d in found],
        }

    def _edit(self, edit: Edit) -> None:
        layer = layer_of(self.program, edit)
        line, column = layer["places"][edit[2]]
        file = self.spec.parent / self.program["files"][layer["at"][0]]
        lines = file.read_text().split("\n")
        before, after = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
        lines[line - 1] = before + re.sub(r"^[^,}]+", edit[3], after, count=1)
        file.write_text("\n".join(lines))

    def by_page(self, case: Case) -> dict[str, Any]:
        page = self.page
        page.evaluate("netdraft.reset()")
        for name, value in case.params.items():
            control = page.locator(f"#param-{name}")
            if control.evaluate("e => e.tagName") == "SELECT":
                control.select_option(value)
            else:
                control.fill(value)
        if case.size:
            for axis, value in zip(
                ("channels", "height", "width"), case.size.split("x"), strict=True
            ):
                page.fill(f"#input-image-{axis}", value)
        for edit in case.edits:
            self._change(edit)
        snapshot: dict[str, Any] = page.evaluate("netdraft.snapshot()")
        return snapshot

    def _change(self, edit: Edit) -> None:
        layer = layer_of(self.program, edit)
        control = self.page.locator(f"#layer-{layer['id']}-{edit[2].removeprefix('with.')}")
        if control.count() and re.fullmatch(r"[\d.]+", edit[3]):
            control.fill(edit[3])
            return
        script = """([id, field, text]) => {
            const layer = netdraft.layers.get(id);
            const pair = /^\\d+x\\d+$/.test(text);
            const value = pair ? text.split("x").map(Number) : netdraft.read(text);
            netdraft.change({ kind: "field", layer, field }, value);
        }"""
        self.page.evaluate(script, [layer["id"], edit[2], edit[3]])


@pytest.fixture
def bench_of(show: Show, tmp_path: Path) -> Callable[[str], Bench]:
    def make(name: str) -> Bench:
        folder = tmp_path / "specs"
        if name.endswith(".yaml"):
            shutil.copytree(shipped_specs(), folder)
            return Bench(folder / name, show)
        folder.mkdir()
        (folder / "small.yaml").write_text(name)
        return Bench(folder / "small.yaml", show)

    return make


@pytest.mark.parametrize(
    ("spec", "cases"),
    [("inception_v4.yaml", V4), ("inception_resnet_v1.yaml", RESNET_V1), (SMALL, SMALL_CASES)],
    ids=["inception_v4", "inception_resnet_v1", "small"],
)
def test_page_and_compiler_agree(bench_of: Callable[[str], Bench], spec: str, cases: Any) -> None:
    bench = bench_of(spec)
    broken = 0
    for case in cases:
        wanted = bench.by_compiler(case)
        assert bench.by_page(case) == wanted, case
        broken += any(code != "wrong-size" for code, _, _ in wanted["findings"])
    assert 0 < broken < len(cases), "the grid must hold networks that fit and networks that do not"


OPEN = """\
network: open
input: {x: [3, H, W]}
layers:
  - {conv: 2x2, filters: 4, stride: 2, padding: 1}
  - {upsample: 3}
  - {conv: 3x5, filters: 6, stride: [2, 5], padding: V}
  - {max_pool: 3x3, stride: 2, padding: 1, ceil: true}
  - {conv: 3x3, filters: 6, groups: 3, stride: 5, name: a}
  - {branches: {one: [], two: [identity]}, join: concat}
  - flatten
  - {concat: [flatten, flatten]}
"""


def test_formulas_of_an_open_input_are_the_compiler_s(show: Show, tmp_path: Path) -> None:
    spec = tmp_path / "open.yaml"
    spec.write_text(OPEN)
    graph, report, loaded = draft_graph(spec)
    assert not report.errors
    found = show(render_html(graph, loaded, report.diagnostics)).evaluate("netdraft.snapshot()")
    shapes = {n.name: "x".join(map(show_dim, n.shape)) for n in graph.nodes.values()}
    assert found["shapes"] == shapes
    assert found["macs"] == count(graph.macs())


HALVES = """\
network: halves
input: {image: [3, 19, 24]}
params: {k: {type: kernel, default: 3x4}, d: 2, pad: {type: padding, default: half}}
layers:
  - {conv: k, filters: 4, padding: pad, dilation: d, stride: 2}
  - {conv: 4x5, filters: 4, padding: half}
  - {max_pool: k, padding: half, stride: 2}
  - {avg_pool: 3x3, padding: pad}
"""


def test_half_padding_is_the_compiler_s(bench_of: Callable[[str], Bench]) -> None:
    bench = bench_of(HALVES)
    for params in ({}, {"k": "5x2"}, {"d": "1"}, {"pad": "same"}, {"pad": "valid", "k": "3x3"}):
        case = Case(params=params)
        assert bench.by_page(case) == bench.by_compiler(case), case


DEFAULTS = """\
network: defaults
input: {image: [3, 32, 32]}
params: {n: 4, act: relu, pad: {type: padding, default: 1}, step: 1}
defaults: {conv: {filters: 2 * n, activation: act, padding: pad, stride: step}}
blocks:
  unit:
    params: {n: 3, act: {type: activation, default: tanh}, pad: {type: padding, default: 0}}
    layers: [{conv: 3x3}, {conv: 3x3, filters: n, activation: act, padding: pad, stride: 2}]
layers: [{conv: 1x1}, {block: unit}, flatten, {linear: 10}]
"""


def test_defaults_are_the_network_s_inside_blocks_too(bench_of: Callable[[str], Bench]) -> None:
    bench = bench_of(DEFAULTS)
    for params in ({}, {"n": "7"}, {"act": "elu", "step": "2"}, {"n": "0"}):
        case = Case(params=params)
        assert bench.by_page(case) == bench.by_compiler(case), case


COPIES = Path(__file__).parents[1] / "every_target" / "networks" / "copies_by_values.yaml"


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (COPIES.read_text(encoding="utf-8"), ({}, {"kind": "wide"})),
        (HANDED, ({}, {"unit": "bottleneck"}, {"norm": "none"})),
    ],
    ids=["by values", "by a setting"],
)
def test_what_is_handed_over(bench_of: Callable[[str], Bench], text: str, settings: Any) -> None:
    bench = bench_of(text)
    for params in settings:
        case = Case(params=params)
        assert bench.by_page(case) == bench.by_compiler(case), case


GRIDS = """\
network: grids
input: {image: [3, 32, 32]}
params: {times: {type: int, default: 1}}
layers:
  - {conv: 3x3, filters: 8, name: a}
  - {max_pool: 2x2, stride: 2, padding: V}
  - {max_pool: 2x3, stride: [2, 3], padding: V, name: small}
  - {conv: 3x3, filters: 8, padding: 1}
  - {upsample: 2}
  - {max_pool: 1x2, stride: [1, 2], padding: V, name: halved}
  - {upsample: 2, name: b}
  - {conv: 1x1, filters: 8, stride: [1, 3], name: c, from: a}
  - {conv: 1x1, filters: 8, stride: [1, 2], name: d, from: b}
  - {upsample: 2, name: up, from: small}
  - {conv: 2x2, filters: 8, stride: 2, padding: 1, name: e, from: a}
  - {upsample: 2, from: e}
  - {conv: 3x3, filters: 8, padding: V, name: f}
  - {conv: 3x3, filters: 8, stride: [2, 1], from: a, name: g}
  - {conv: 3x3, filters: 8 * times, stride: [2, 1], padding: 1, from: g, name: h}
  - {max_pool: 4x1, stride: [4, 1], padding: V, from: a, name: k}
  - {add: [h, k], name: i}
  - {concat: [f, a], name: j}
"""


def test_sizes_that_fit_are_the_compiler_s(bench_of: Callable[[str], Bench]) -> None:
    bench = bench_of(GRIDS)
    helps = set()
    for size in ("3x32x32", "3x17x32", "3x30x31", "3x1x1", "3x2x7", "3x64x64"):
        for params in ({}, {"times": "2"}):
            case = Case(size=size, params=params)
            wanted = bench.by_compiler(case)
            assert bench.by_page(case) == wanted, case
            helps |= {help for _, _, help in wanted["findings"]}
    assert any("these sizes fit" in help for help in helps)


TWO_INPUTS = """\
network: two
input: {a: [3, FIRST], b: [3, SECOND]}
layers:
  - {conv: 3x3, filters: 8, stride: 2, padding: V, from: a, name: x}
  - {conv: 3x3, filters: 8, stride: 2, from: x, name: y}
  - {conv: 3x3, filters: 8, stride: 2, from: b, name: z}
  - {add: [y, z], name: sum}
"""


LETTERS = "use the same letters in the inputs: `H`, `W` and `A`, `B` are open on their own"
PROJECT = "project `y` with a 1x1 convolution to 8 that has the same total stride"


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ("H, W", "A, B", LETTERS),
        ("2*H, 2*W", "H, W", PROJECT),
        ("64, 64", "H, W", PROJECT),
        ("64, 64", "40, 40", PROJECT),
    ],
)
def test_sizes_of_inputs_that_depend_on_one_another_are_left_to_the_compiler(
    show: Show, tmp_path: Path, first: str, second: str, wanted: str
) -> None:
    spec = tmp_path / "two.yaml"
    spec.write_text(TWO_INPUTS.replace("FIRST", first).replace("SECOND", second))
    graph, report, loaded = draft_graph(spec)
    found = show(render_html(graph, loaded, report.diagnostics)).evaluate("netdraft.snapshot()")
    ((code, message, help),) = found["findings"]
    assert [(d.code, d.message) for d in report.errors] == [(code, message)]
    assert help == wanted
    assert "these sizes fit" in report.errors[0].help


def networks() -> list[str]:
    named = [f for f in shipped_files() if re.search(r"^network:", f.read_text(), re.MULTILINE)]
    return [f.relative_to(shipped_specs()).as_posix() for f in named]


@pytest.mark.parametrize("path", networks())
def test_every_shipped_network_is_the_compiler_s(show: Show, path: str) -> None:
    graph, report, loaded = draft_graph(shipped_specs() / path)
    page = show(render_html(graph, loaded, report.diagnostics))
    found = page.evaluate("netdraft.snapshot()")
    assert found["parameters"] == graph.parameters()
    assert found["macs"] == graph.macs()
    shapes = {n.name: "x".join(map(show_dim, n.shape)) for n in graph.nodes.values()}
    assert found["shapes"] == shapes
    assert [m for _, m, _ in found["findings"]] == [e.message for e in report.errors]


BROKEN = {
    "unknown-op": ("{maxpool: 3x3}", "{conv: 1x1, filters: 4}"),
    "unknown-parameter": ("{conv: 1x1, filters: wdth}",),
    "groups": ("{conv: 1x1, filters: 4, groups: 3}", "{conv: 1x1, filters: 6, groups: 3}"),
    "cycle": ("{conv: 1x1, filters: 4, name: a, from: b}", "{conv: 1x1, filters: 4, name: b}"),
    "unknown-block": ("{block: nothing}", "{linear: 10}"),
    "not-a-vector": ("{conv: 3x3, filters: 4, dilation: 9, padding: V}", "{linear: 10}"),
    "bad-value": ("{conv: 3x3, filters: 7 / 2}", "{conv: 3x3, filters: 0}"),
    "dropout": ("{dropout: {keep: 2}}", "{dropout: {drop: 1 / 0}}"),
    "open-size": ("{conv: 3x3, filters: in.height}",),
    "sums": (
        "{conv: 3x2, filters: 4, stride: 2, name: a}",
        "{conv: 3x1, filters: 4, dilation: 2, padding: V, name: b}",
        "{add: [a, b]}",
    ),
}


@pytest.mark.parametrize("layers", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    "size", ["9, 9", "H, W", "2*H, 3*W"], ids=["numbers", "letters", "multiples"]
)
def test_broken_spec_says_what_the_compiler_says(
    show: Show, tmp_path: Path, layers: str, size: str
) -> None:
    spec = tmp_path / "broken.yaml"
    lines = "".join(f"  - {layer}\n" for layer in layers)
    spec.write_text(f"network: broken\ninput: {{x: [3, {size}]}}\nlayers:\n{lines}")
    graph, report, loaded = draft_graph(spec)
    page = show(render_html(graph, loaded, report.diagnostics))
    wanted = [e.message for e in in_file_order(report.errors, loaded.texts)]
    assert page.locator("#problems .message").all_text_contents() == wanted
    found = page.evaluate("netdraft.snapshot()")
    shapes = {n.name: "x".join(map(show_dim, n.shape)) for n in graph.nodes.values()}
    assert found["shapes"] == shapes
    assert found["parameters"] == count(graph.parameters())
    assert found["macs"] == count(graph.macs())


def test_grid_is_large_enough() -> None:
    assert len(V4) + len(RESNET_V1) + len(SMALL_CASES) >= 40
