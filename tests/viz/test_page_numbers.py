"""The page's numbers are the compiler's, to the unit, at settings that nobody chose.

What the page says it cannot follow is counted; whatever else it says has to be right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from compiler.errors import CompileError, Diagnostic
from compiler.graph import Graph
from compiler.pipeline import Compilation
from compiler.spec import shipped_files
from compiler.text import show_value
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.slots import Slots
from viz.html.numbers import write_numbers

SCRIPT = Path(__file__).parents[2] / "viz/html/page/numbers.js"
SHIPPED = sorted(p for p in shipped_files() if re.search("^network:", p.read_text("utf-8"), re.M))
ODD = sorted((Path(__file__).parents[1] / "every_target/networks").glob("*.yaml"))
Evaluate = Callable[[Any, list[Any]], list[Any]]
"""Gives what the page says of a program at settings."""

RICH = """\
network: rich
input: {image: [planes, 40, side], mask: [1, 40, 40]}
params:
  planes: {type: channels, default: 3}
  side: {type: int, default: 40}
  width: {type: number, default: 0.75}
  base: {type: channels, default: 32}
  twice: {type: int, default: 2 * base}
  depth: {type: int, default: 3}
  keep: {type: number, default: 0.8}
  rows: {type: list, default: [8, 16, 24]}
let:
  stem: round_to(width * base, 8)
  most: max(stem, twice // 3, 5)
defaults:
  conv: {norm: batch_norm, activation: relu}
  block: {with: {growth: base // 4}}
assert:
  - {that: out.channels > 2, message: classes}
  - parameters < 1000000
blocks:
  dense:
    params: {growth: {type: channels}, more: {type: int, default: growth + 1}}
    assert: ["out.channels == in.channels + more"]
    layers:
      - {conv: 1x1, filters: 4 * growth}
      - {conv: 3x3, filters: more, name: new}
      - {concat: [in, new]}
  unit:
    params: {n: {type: channels}, s: {type: int, default: 1}, shrink: {type: number, default: 1/2}}
    residual:
      body:
        - {conv: 1x1, filters: ceil(n * shrink), when: shrink != 1}
        - {conv: 3x3, filters: prev.channels, groups: depthwise, stride: s}
        - {conv: 1x1, filters: n, activation: none}
      shortcut:
        - {conv: 1x1, filters: n, stride: s, when: s > 1 or in.channels != n}
      scale: 1 / s
      activation: relu
layers:
  - {conv: 3x3, filters: stem, stride: 2, from: image, name: stem_conv}
  - {block: dense, name: dense, repeat: 3}
  - {block: unit, name: unit, repeat: depth, with: {n: most, s: 2 if index == 0 else 1}}
  - {block: unit, name: again, repeat: 2, with: {n: "prev.channels", shrink: 0.3}}
  - {conv: 1x1, filters: "sum(rows) + rows[1] - len(rows) + int(width * 7) % 5", name: flat}
  - {conv: 1x1, filters: "4 * (round(base / 8) + 2 ** 3 - round_to(base / 3, 4) // 4)", name: odd}
  - {conv: 3x3, filters: min(rows) if base > 20 else max(rows), groups: 4, name: grouped}
  - {conv: 3x3, stride: 4, filters: grouped.channels, from: mask, name: side_conv}
  - {add: [grouped, side_conv], name: both}
  - {global_avg_pool: true}
  - {dropout: {keep: keep}}
  - {linear: out_of}
"""
RICH = RICH.replace("out_of", "twice - base + in.channels")


@dataclass(frozen=True)
class Case:
    """Settings of the page, and what the compiler makes of them."""

    changes: Mapping[str, Any]
    graph: Graph | None
    errors: tuple[Diagnostic, ...]
    nodes: list[str] = field(default_factory=list)

    @property
    def sent(self) -> Any:
        changes = [[key, _json(value)] for key, value in self.changes.items()]
        return {"changes": changes, "nodes": self.nodes}


def _json(value: Any) -> Any:
    if isinstance(value, Fraction) and value.denominator != 1:
        return {"n": value.numerator, "d": value.denominator}
    return int(value)


@pytest.fixture
def evaluate(show: Callable[..., Any]) -> Evaluate:
    """The page's script, in a page of its own."""
    script = f"<!doctype html><meta charset=utf-8><script>{SCRIPT.read_text('utf-8')}</script>"
    page = show(script)

    def run(program: Any, cases: list[Any]) -> list[Any]:
        asked = {"program": json.loads(json.dumps(program)), "cases": cases}
        found: list[Any] = page.evaluate(_ASK, asked)
        return found

    return run


_ASK = """({program, cases}) => {
  const numbers = new Numbers(program);
  return cases.map(({changes, nodes}) => {
    const values = numbers.evaluate(new Map(changes));
    const {beyond, findings} = values;
    const shapes = Object.fromEntries(nodes.map((node) => [node, values.shape(node)]));
    const counts = [[""], nodes].map((of) => [values.parameters(of), values.macs(of)]);
    return {beyond, findings, shapes, counts};
  });
}"""


def compiled(
    path: Path, settings: dict[str, str], inputs: list[str]
) -> tuple[Graph | None, tuple[Diagnostic, ...]]:
    """Return the graph, where there is one, and the errors in the order in which they are met."""
    compilation = Compilation(path, settings, inputs)
    try:
        return compilation.draft, compilation.report.errors
    except CompileError as error:
        return None, tuple(d for d in error.diagnostics if d.severity == "error")


def random_value(setting: Any, random: Random) -> Any:
    """Return a value that the setting may have: near what it is, or far."""
    value = setting["value"]
    if setting["type"] == "number":
        return random.choice(
            [Fraction(random.randint(1, 200), 100), Fraction(35, 100), Fraction(2)]
        )
    if setting["key"].startswith("input"):
        is_grid = setting["type"] == "int"
        return random.choice(
            [1, 7, 33, 64, 97, 224, 299, random.randint(1, 400)] if is_grid else [1, 4]
        )
    near = [value + 1, value - 1, 2 * value, value // 2, random.randint(1, 2 * value + 4), 16, 100]
    return max(random.choice(near), setting["least"] if setting["type"] == "channels" else 0)


def random_cases(path: Path, program: Any, graph: Graph, count: int) -> Iterator[Case]:
    random = Random(path.name)
    live = [s for s in program["settings"] if s.get("live", True)]
    live = [s for s in live if not s["key"].startswith("repeat")]
    for number in range(count):
        chosen = random.sample(live, min(len(live), (0, 1, 1, 2, len(live))[number % 5]))
        changes = {s["key"]: random_value(s, random) for s in chosen}
        settings = {k[6:]: show_value(v) for k, v in changes.items() if k.startswith("param:")}
        found, errors = compiled(path, settings, list(_inputs(graph, path, changes)))
        yield Case(changes, found, errors, list((found or graph).nodes))


def _inputs(graph: Graph, path: Path, changes: Mapping[str, Any]) -> Iterator[str]:
    spec = Compilation(path).spec
    assert spec.network is not None
    for name in graph.inputs:
        keys = [f"input:{name}:{axis}" for axis in range(len(graph.nodes[name].shape))]
        if changes.keys().isdisjoint(keys):
            continue
        dims = zip(keys, spec.network.input[name], graph.nodes[name].shape, strict=True)
        said = [changes.get(key, changes.get(f"param:{by}", size)) for key, by, size in dims]
        yield f"{name}={'x'.join(map(str, said))}"


def differences(case: Case, got: Any) -> Any:
    """Return what the page says otherwise than the compiler, nothing where it says the same."""
    if got["beyond"]:
        return None
    if case.errors or got["findings"]:
        codes = [_code(d.code) for d in case.errors[:1]], [f["code"] for f in got["findings"][:1]]
        return None if codes[0] == codes[1] else (codes, case.errors[:1], got["findings"][:1])
    assert case.graph is not None
    counts = [case.graph.parameters(), case.graph.macs()]
    wanted = [_number(count) for count in counts]
    shapes = {n: list(map(_number, node.shape)) for n, node in case.graph.nodes.items()}
    wrong = {n: (s, got["shapes"][n]) for n, s in shapes.items() if s != got["shapes"][n]}
    return (
        None if not wrong and got["counts"] == [wanted, wanted] else (wanted, got["counts"], wrong)
    )


def _code(code: str) -> str:
    """Return the code of an error; that of a product whose operands stand in a wrong order."""
    return "shape-mismatch" if code == "operand-order" else code


def _number(size: Any) -> int | None:
    return size if isinstance(size, int) else None


def compare(path: Path, evaluate: Evaluate, count: int) -> list[Any]:
    """Compare at random settings, and return what the page says."""
    compilation = Compilation(path)
    program = write_numbers(compilation.draft, compilation.spec)
    cases = list(random_cases(path, program, compilation.draft, count))
    found = evaluate(program, [case.sent for case in cases])
    for case, got in zip(cases, found, strict=True):
        assert differences(case, got) is None, case.changes
    return found


@pytest.mark.browser
@pytest.mark.parametrize("path", [*SHIPPED, *ODD], ids=lambda p: p.stem)
def test_every_network_has_the_compilers_numbers_at_random_settings(
    path: Path, evaluate: Evaluate
) -> None:
    compare(path, evaluate, 5)


@pytest.mark.browser
def test_every_formula_of_the_language_is_followed(evaluate: Evaluate, tmp_path: Path) -> None:
    path = tmp_path / "rich.yaml"
    path.write_text(RICH)
    found = compare(path, evaluate, 60)
    beyond = [got["beyond"] for got in found if got["beyond"]]
    assert len(beyond) < 15, beyond


# -- single settings -------------------------------------------------------------------------------

COPIES = """\
network: copies
input: {image: [3, 40, 40]}
params: {depth: {type: int, default: 4}, n: {type: channels, default: 16}}
blocks:
  unit:
    residual:
      body:
        - {conv: 1x1, filters: in.channels // 2}
        - {conv: 3x3, filters: in.channels, name: up}
  stage:
    params: {count: {type: int}}
    layers:
      - {block: unit, name: more, repeat: count - 1}
layers:
  - {conv: 3x3, filters: n, name: first, stride: 2}
  - {block: unit, name: plain, repeat: 3}
  - {block: unit, name: known, repeat: depth}
  - {block: stage, name: stage, with: {count: 5}}
  - {conv: 3x3, filters: 24, name: wide, repeat: 3}
  - {linear: 10, name: last, from: pooled}
"""
COPIES = COPIES.replace("  - {linear", "  - {global_avg_pool: true, name: pooled}\n  - {linear")


@dataclass(frozen=True)
class Copied:
    """Counts of copies in the page, and the text of a spec that has these."""

    changes: dict[str, int]
    text: str


def _copied(plain: int, depth: int, more: int, wide: int) -> Copied:
    text = COPIES.replace("name: plain, repeat: 3", f"name: plain, repeat: {plain}")
    text = text.replace("count: 5", f"count: {more + 1}").replace(
        "name: wide, repeat: 3", f"name: wide, repeat: {wide}"
    )
    changes = {"repeat:plain": plain, "param:depth": depth, "repeat:stage.more": more}
    return Copied({**changes, "repeat:wide": wide}, text.replace("default: 4", f"default: {depth}"))


@pytest.mark.browser
def test_counts_of_copies_are_those_of_a_spec_that_says_them(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    path = tmp_path / "copies.yaml"
    path.write_text(COPIES)
    compilation = Compilation(path)
    program, nodes = write_numbers(compilation.draft, compilation.spec), compilation.draft.nodes
    wanted = [
        _copied(*counts)
        for counts in ((3, 4, 4, 3), (0, 4, 4, 3), (7, 1, 9, 5), (1, 0, 0, 1), (20, 30, 2, 2))
    ]
    sent = [{"changes": list(w.changes.items()), "nodes": list(nodes)} for w in wanted]
    for case, got in zip(wanted, evaluate(program, sent), strict=True):
        path.write_text(case.text)
        graph = Compilation(path).draft
        counts = [graph.parameters(), graph.macs()]
        assert got["beyond"] is None
        assert got["counts"] == [counts, counts], case.changes  # copies that came count too
        there = {name: list(graph.nodes[name].shape) for name in nodes if name in graph.nodes}
        assert {name: got["shapes"][name] for name in there} == there
        assert all(got["shapes"][name] is None for name in nodes.keys() - there)


NESTED = """\
network: nested
input: {image: [8, 20, 20]}
blocks:
  unit: {layers: [{conv: 3x3, filters: prev.channels, name: c, repeat: 2}, relu]}
layers:
  - {block: unit, name: u, repeat: 3}
  - {conv: "[1, prev.channels // 4]", filters: 8, name: k, repeat: 2}
"""


@pytest.mark.browser
def test_counts_inside_copies_are_those_of_every_copy(evaluate: Evaluate, tmp_path: Path) -> None:
    program = program_of(NESTED, tmp_path)
    keys = [s["key"] for s in program["settings"] if s["key"].startswith("repeat:")]
    assert keys == ["repeat:u.0.c", "repeat:u", "repeat:k"]
    nodes = Compilation(tmp_path / "net.yaml").draft.nodes
    changes = [["repeat:u.0.c", 5], ["repeat:u", 4]]
    (got,) = evaluate(program, [{"changes": changes, "nodes": list(nodes)}])
    text = NESTED.replace("repeat: 2}, relu", "repeat: 5}, relu").replace("repeat: 3", "repeat: 4")
    (tmp_path / "net.yaml").write_text(text)
    graph = Compilation(tmp_path / "net.yaml").draft
    assert got["counts"] == [[graph.parameters(), graph.macs()]] * 2


@pytest.mark.browser
def test_kernel_of_a_copy_that_comes_to_something_else_is_beyond_the_page(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    program = program_of(NESTED, tmp_path)
    cases = [{"changes": [["input:image:0", value]], "nodes": []} for value in (9, 16)]
    same, other = evaluate(program, cases)
    assert same["beyond"] is None
    assert str(other["beyond"]).endswith("makes another network; `netdraft watch` can follow it")


def program_of(text: str, folder: Path) -> Any:
    path = folder / "net.yaml"
    path.write_text(text)
    compilation = Compilation(path)
    return write_numbers(compilation.draft, compilation.spec)


def test_settings_are_parameters_inputs_and_counts_of_folded_copies(tmp_path: Path) -> None:
    text = RICH.replace("type: int, default: 3}", "type: int, default: 3, cite: {table: 1}}")
    settings = {s["key"]: s for s in program_of(text, tmp_path)["settings"]}
    assert list(settings) == [
        *(f"param:{name}" for name in ("planes", "side", "width", "base", "twice", "depth")),
        *("param:keep", "param:rows"),
        *(f"input:image:{axis}" for axis in range(3)),
        *(f"input:mask:{axis}" for axis in range(3)),
        *("repeat:unit", "repeat:again"),
    ]
    assert settings["param:width"] == {
        "key": "param:width",
        "label": "width",
        "type": "number",
        "value": {"n": 3, "d": 4},
        "least": None,
        "most": None,
        "doc": "",
        "cite": "",
    }
    assert settings["param:depth"]["cite"] == "Table 1"
    rows = settings["param:rows"]
    assert (rows["live"], rows["value"], rows["type"]) == (False, "[8, 16, 24]", "list")
    assert settings["input:mask:1"]["label"] == "height of mask"
    assert [settings["repeat:unit"][key] for key in ("value", "least")] == [3, 1]


def test_size_that_is_left_open_has_no_value(tmp_path: Path) -> None:
    text = "network: n\ninput: {image: [3, 32*H, W]}\nlayers: [{conv: 3x3, filters: 4}]\n"
    settings = program_of(text, tmp_path)["settings"]
    assert [(s["value"], s["doc"]) for s in settings] == [
        (3, ""),
        (None, "left open: 32*H"),
        (None, "left open: W"),
    ]


def test_program_of_a_large_network_is_small() -> None:
    for name in ("inception_v4", "zoo/densenet121"):
        compilation = Compilation(name)
        program = write_numbers(compilation.draft, compilation.spec)
        assert len(json.dumps(program, separators=(",", ":"))) < 30_000


@pytest.mark.parametrize("name", ["inception_v4", "zoo/vgg16_bn", "zoo/efficientnet_b0"])
def test_counts_that_may_be_set_are_those_that_figures_show(name: str) -> None:
    compilation = Compilation(name)
    graph = compilation.draft
    slots = Slots(graph, frozenset())
    for depth in range(4):
        arrange(graph, View(depth=depth), slots=slots)
    drawn = {s.subject[0] for s in slots.found.values() if s.kind == "copies"}
    settings = write_numbers(graph, compilation.spec)["settings"]
    counts = [(s["key"][7:], s["least"]) for s in settings if s["key"].startswith("repeat:")]
    assert counts
    assert {f"{region}.{first}" for region, first in counts} == drawn


@pytest.mark.browser
def test_value_that_is_refused_is_refused_with_a_sentence(show: Callable[..., Any]) -> None:
    page = show(f"<!doctype html><meta charset=utf-8><script>{SCRIPT.read_text('utf-8')}</script>")
    count = {"type": "int", "least": 0, "most": 1000}
    number = {"type": "number", "least": None, "most": None}
    asked = [
        (count, " 12 ", {"value": 12}),
        (count, "12.5", {"why": "`12.5` is no whole number"}),
        (count, "1e3", {"why": "`1e3` is no whole number"}),
        (count, "", {"why": "an empty field is no whole number"}),
        (count, "5000", {"why": "5000 is more than 1000"}),
        (count, "-1", {"why": "-1 is less than 0"}),
        (number, "0.35", {"value": {"n": 7, "d": 20}}),
        (number, "-2.0", {"value": -2}),
        (number, "a", {"why": "`a` is no number such as 0.5"}),
        ({**count, "most": 10**7}, "20000000", {"why": "20,000,000 is more than 10,000,000"}),
    ]
    for setting, text, wanted in asked:
        assert page.evaluate("([s, t]) => readSetting(s, t)", [setting, text]) == wanted


MISFIT = """\
network: misfit
input: {image: [3, 32, 32]}
params:
  n: {type: channels, default: 8}
  s: {type: int, default: 2}
  w: 1.5
  deep: {type: int, default: 1}
assert: [{that: last.channels * 2 <= 40, message: head}]
layers:
  - {conv: 3x3, filters: n, name: a}
  - {conv: 3x3, filters: 8, from: image, name: b}
  - {add: [a, b], name: sum}
  - {conv: 3x3, filters: n * w, padding: V, name: c}
  - {max_pool: 3x3, stride: 4, padding: V, name: p, when: deep > 0}
  - {linear: 2 * n // s, name: last, from: pooled}
"""
MISFIT = MISFIT.replace("  - {linear", "  - {global_avg_pool: true, name: pooled}\n  - {linear")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"param:n": 12}, [
            "shape-mismatch", "`sum` cannot add 32x32x8 with 32x32x12",
            "project one of them with a 1x1 convolution that has the same total stride",
        ]),
        ({"param:n": 9}, ["shape-mismatch", "`sum` cannot add 32x32x8 with 32x32x9", None]),
        ({"param:w": {"n": 27, "d": 16}}, [
            "bad-value", "`filters` of `c` = 13.5 is not a whole number", "",
        ]),
        ({"input:image:1": 4}, [
            "empty-output", "`p`: a pooling window of 3x3 has no room on a 2x30 grid", "",
        ]),
        ({"param:s": 0}, ["bad-expression", "`last`: division by zero", ""]),
        ({"param:s": -1}, ["bad-value", "`linear` of `last` = -16 is less than 1", ""]),
    ],
)  # fmt: skip
def test_mismatch_shows_where_it_arises_with_both_numbers(
    changes: dict[str, Any], wanted: list[Any], evaluate: Evaluate, tmp_path: Path
) -> None:
    program = program_of(MISFIT, tmp_path)
    (got,) = evaluate(program, [{"changes": list(changes.items()), "nodes": ["last"]}])
    first = got["findings"][0]
    found = [first["code"], first["message"], first["help"]]
    assert found[: 2 if wanted[2] is None else 3] == [w for w in wanted if w is not None]


@pytest.mark.browser
def test_what_is_decided_otherwise_is_beyond_the_page(evaluate: Evaluate, tmp_path: Path) -> None:
    program = program_of(MISFIT, tmp_path)
    cases = [{"changes": [["param:deep", value]], "nodes": ["last"]} for value in (3, 0)]
    more, none = evaluate(program, cases)
    assert (more["beyond"], more["shapes"]) == (None, {"last": [8]})
    assert none["beyond"] == (
        "`deep > 0` in the network makes another network; `netdraft watch` can follow it"
    )
    assert none["shapes"] == {"last": None}
    assert none["counts"] == [[None, None], [None, None]]


@pytest.mark.browser
def test_assertion_that_fails_shows_its_sides(evaluate: Evaluate, tmp_path: Path) -> None:
    program = program_of(MISFIT.replace("filters: 8, from", "filters: n, from"), tmp_path)
    (got,) = evaluate(program, [{"changes": [["param:n", 40]], "nodes": []}])
    assert [f["message"] for f in got["findings"]] == [
        "head: `last.channels * 2 <= 40` does not hold: `last.channels * 2` is 80"
    ]


@pytest.mark.browser
def test_so_many_copies_are_beyond_the_page(evaluate: Evaluate, tmp_path: Path) -> None:
    program = program_of(COPIES, tmp_path)
    cases = [{"changes": [["param:depth", count]], "nodes": []} for count in (1000, 10**6)]
    some, many = evaluate(program, cases)
    assert some["beyond"] is None
    assert many["beyond"] == (
        "a number of copies so large makes another network; `netdraft watch` can follow it"
    )
