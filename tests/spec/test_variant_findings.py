"""What a variant causes is said at the variant, not at the base's lines alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import Diagnostic
from compiler.pipeline import Compilation

Places = list[tuple[str, str]]
"""Place -> what is said at it; the finding's own place comes first."""
RESNET = "extends: zoo/resnet18\n"
BASE = """\
network: base
input: {image: [3, 8, 8]}
layers:
  - {conv: 3x3, filters: 4, name: a}
  - {conv: 3x3, filters: 4, name: b, activation: none}
  - {add: [a, b], name: sum}
  - {conv: 3x3, filters: 4, name: c}
"""
AT_BASE = "extends: base.yaml\n"
CASES: dict[str, tuple[str, str, Places]] = {
    "a key of a layer in a block": (
        RESNET + "changes: [{set: layer1.first.conv_3x3_2, filters: 63}]\n",
        "`layer1.first.add` cannot add 56x56x63 with 56x56x64",
        [
            ("t.yaml:2:11", "changed here"),
            ("resnet18.yaml:28:11", "this gives 56x56x63"),
            ("resnet18.yaml:25:5", "the add that they enter"),
            ("resnet18.yaml:46:5", "this gives 56x56x64"),
        ],
    ),
    "a smaller input": (
        "extends: inception_v4\ninput: {image: [3, 60, 60]}\n",
        "`reduction_b.pool.max_pool_3x3`: a pooling window of 3x3 has no room on a 2x2 grid",
        [("inception_v4.yaml:79:11", ""), ("t.yaml:2:16", "the variant's input")],
    ),
    "the type of a parameter": (
        RESNET + "params: {classes: {type: bool}}\n",
        "the default of `classes`: expected true or false, found `1000`",
        [("t.yaml:2:10", "changed here"), ("resnet18.yaml:8:33", "it is about this")],
    ),
    "a layer behind one that nothing reads then": (
        RESNET
        + "changes: [{after: stem, insert: [{conv: 1x1, filters: 64, from: image, name: side}]}]\n",
        "nothing reads the layer `stem.act`, and it is no output: it is not built",
        [("t.yaml:2:11", "changed here"), ("resnet18.yaml:45:5", "it is about this")],
    ),
    "another layer than the one that is blamed": (
        AT_BASE + "changes: [{set: a, filters: 5}]\n",
        "`sum` cannot add 8x8x4 with 8x8x5",
        [
            ("t.yaml:2:11", "changed here"),
            ("base.yaml:5:5", "this gives 8x8x4"),
            ("base.yaml:4:5", "this gives 8x8x5"),
            ("base.yaml:6:5", "the add that they enter"),
        ],
    ),
    "a change before what is blamed": (
        AT_BASE
        + "changes: [{after: a, insert: [{max_pool: 2x2, stride: 8, padding: V, name: p}]}]\n",
        "`sum` cannot add 1x1x4 with 8x8x4",
        [
            ("t.yaml:2:11", "changed here"),
            ("base.yaml:5:5", "this gives 1x1x4"),
            ("base.yaml:4:5", "this gives 8x8x4"),
            ("base.yaml:6:5", "the add that they enter"),
        ],
    ),
    "the defaults": (
        AT_BASE + "defaults: {conv: {padding: V}}\n",
        "`sum` cannot add 4x4x4 with 6x6x4",
        [
            ("base.yaml:5:5", "this gives 4x4x4"),
            ("t.yaml:2:28", "the variant's defaults"),
            ("base.yaml:4:5", "this gives 6x6x4"),
            ("base.yaml:6:5", "the add that they enter"),
        ],
    ),
}


def findings(folder: Path, **files: str) -> tuple[Diagnostic, ...]:
    """Return what is found in `t.yaml`, beside the other files."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    compilation = Compilation(folder / "t.yaml")
    assert compilation.draft
    return compilation.diagnostics


def places(found: Diagnostic) -> Places:
    """Return the places of a finding, by the last part of their files' names."""
    spans = [(found.span, found.label), *((r.span, r.text) for r in found.remarks)]
    return [(str(span).rpartition("/")[2], text) for span, text in spans]


@pytest.mark.parametrize(("text", "message", "expected"), CASES.values(), ids=CASES)
def test_what_a_variant_causes_names_its_line(
    text: str, message: str, expected: Places, tmp_path: Path
) -> None:
    (found,) = findings(tmp_path, base=BASE, t=text)
    assert found.message == message
    assert places(found) == expected


def test_what_the_base_alone_has_stays_where_it_is(tmp_path: Path) -> None:
    base = BASE + "  - {conv: 3x3, filters: 4, name: side, from: a}\noutputs: [c]\n"
    (found,) = findings(tmp_path, base=base, t=AT_BASE + "input: {image: [3, 9, 9]}\n")
    assert places(found) == [("base.yaml:8:5", "")]


def test_a_variant_of_a_variant_is_blamed_for_its_own_changes_alone(tmp_path: Path) -> None:
    middle = AT_BASE + "changes: [{set: a, filters: 5}]\n"
    top = "extends: middle.yaml\ninput: {image: [3, 9, 9]}\n"
    (found,) = findings(tmp_path, base=BASE, middle=middle, t=top)
    assert places(found) == [
        ("middle.yaml:2:11", "changed here"),
        ("base.yaml:5:5", "this gives 9x9x4"),
        ("base.yaml:4:5", "this gives 9x9x5"),
        ("base.yaml:6:5", "the add that they enter"),
    ]


def test_a_setting_of_the_variant_alone_does_not_blame_it(tmp_path: Path) -> None:
    base = BASE + "  - {conv: 3x3, filters: 4, name: side, from: a}\noutputs: [c]\n"
    (tmp_path / "base.yaml").write_text(base)
    top = AT_BASE + "params: {more: 3}\nchanges: [{set: c, filters: more}]\n"
    (tmp_path / "t.yaml").write_text(top)
    compilation = Compilation(tmp_path / "t.yaml", {"more": "4"})
    assert compilation.draft
    (found,) = compilation.diagnostics
    assert places(found) == [("base.yaml:8:5", "")]


def test_of_several_values_the_one_that_is_the_cause(tmp_path: Path) -> None:
    base = BASE.replace("layers:", "params: {m: 1, n: 1}\nlayers:")
    base = base.replace("name: c}", "padding: V, stride: m, dilation: n, name: c}")
    top = AT_BASE + "network: t\nparams:\n  m: 2\n  n: 4\n"
    (found,) = findings(tmp_path, base=base, t=top)
    assert found.code == "empty-output"
    assert places(found) == [("base.yaml:8:5", ""), ("t.yaml:5:6", "the variant's parameters")]


def test_a_change_of_a_block_in_a_library_is_found_there(tmp_path: Path) -> None:
    body = "{conv: 3x3, filters: 4, name: x}, {conv: 3x3, filters: 4, name: y}, {add: [x, y]}"
    first = f"blocks: {{a: {{layers: [{body}]}}}}\n"
    second = "import: [first.yaml]\nblocks:\n  b: {extends: a, changes: [{set: x, filters: 5}]}\n"
    top = (
        "network: t\ninput: {image: [3, 8, 8]}\nimport: [second.yaml]\n"
        "layers: [{block: a}, {block: b}]\n"
    )
    (found,) = findings(tmp_path, first=first, second=second, t=top)
    assert places(found)[0] == ("second.yaml:3:29", "changed here")
    assert "first.yaml" in places(found)[1][0]


def test_what_a_block_has_without_the_change_stays(tmp_path: Path) -> None:
    first = "blocks: {a: {layers: [{conv: 3x3, filters: gone, name: x}]}}\n"
    second = "import: [first.yaml]\nblocks:\n  b: {extends: a, changes: [{set: x, stride: 2}]}\n"
    top = "network: t\ninput: {image: [3, 8, 8]}\nimport: [second.yaml]\nlayers: [{block: b}]\n"
    (found,) = findings(tmp_path, first=first, second=second, t=top)
    assert places(found) == [("first.yaml:1:44", "")]
