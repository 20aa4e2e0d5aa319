"""`rename`: one name, wherever it is spoken of, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from compiler.cli.main import main
from compiler.edit.rename import rename
from compiler.errors import UsageError
from compiler.pipeline import load_graph

NET = """network: net
import: [blocks.yaml]
input: {image: [3, 32, 32]}
params: {width: 16}   # wide
layers:
  - {conv: 3x3, filters: width, name: "first"}  # the first
  - {block: pair, name: body, with: {n: 2 * width}}
  - {concat: [first, body], name: both}
  - {conv: 1x1, filters: first.channels + body.channels, from: body.first}
  - relu
  - {block: pair, with: {n: 4}}
outputs: [both, body.second, pair]
"""
BLOCKS = """blocks:
  pair:
    params: {n: {type: channels}}
    layers:
      - conv: 3x3
        filters: n
        name: first
      - {conv: 3x3, filters: "first.channels", name: second}
"""
VARIANT = """extends: net.yaml
network: other
changes:
  - {set: body.first, filters: 2 * n}
  - {after: first, insert: [tanh]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("net", NET), ("blocks", BLOCKS), ("other", VARIANT)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def changed(folder: Path, *arguments: str) -> dict[str, list[str]]:
    """Rename, and return the lines of each file that are new."""
    before = {p.name: p.read_text(encoding="utf-8").splitlines() for p in folder.glob("*.yaml")}
    assert main(["rename", "net.yaml", *arguments]) == 0
    out = {}
    for path in sorted(folder.glob("*.yaml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(before[path.name]), path
        new = [b for a, b in zip(before[path.name], lines, strict=True) if a != b]
        if new:
            out[path.name] = new
    return out


VALUES = """network: values
input: {image: [3, 32, 32]}
params: {kind: {type: block, default: plain}, norm_word: {type: norm, default: batch_norm}}
let: {base: 8, wide: 2 * base}
defaults: {conv: {norm: norm_word, activation: relu}}
blocks:
  plain:
    params: {n: {type: channels}}
    let: {hidden: 2 * n}
    assert: [out.channels == n]
    layers: [{conv: 3x3, filters: hidden}, {conv: 1x1, filters: n}]
  stage:
    params: {n: {type: channels}, unit: {type: block, default: plain}}
    layers: [{block: unit, with: {n: n}, name: one}]
layers:
  - {conv: 1x1, filters: k, for: {k: [base, wide]}, name: loop}
  - {block: stage, for: {n: [wide, 24]}, with: {unit: kind}, name: stages}
"""


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("base", "b", {4: "{b: 8, wide: 2 * b}", 16: "{k: [b, wide]}"}),
        ("plain.hidden", "h", {9: "{h: 2 * n}", 11: "filters: h}"}),
        ("loop.k", "c", {16: "filters: c, for: {c: [base, wide]}"}),
        ("kind", "q", {3: "{q: {type: block, default: plain}", 17: "{unit: q}"}),
        ("norm_word", "w", {3: "w: {type: norm", 5: "{norm: w, "}),
        ("plain", "p", {
            3: "default: p}", 7: "p:", 13: "default: p}",
        }),
        ("stage.n", "m", {13: "{m: {type", 14: "with: {n: m}", 17: "for: {m: [wide"}),
    ],
)  # fmt: skip
def test_values_are_followed(
    old: str, new: str, lines: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(VALUES)
    assert main(["rename", "net.yaml", old, new]) == 0
    pairs = zip(VALUES.splitlines(), Path("net.yaml").read_text().splitlines(), strict=True)
    changed = {at: after for at, (before, after) in enumerate(pairs, 1) if before != after}
    assert changed.keys() == lines.keys()
    assert [at for at, line in lines.items() if line not in changed[at]] == []


def test_a_variable_that_is_a_parameter_of_a_block_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(VALUES)
    with pytest.raises(UsageError) as refused:
        rename("net.yaml", "stages.n", "m")
    assert str(refused.value) == "`m` would not do: net.yaml:17:5: block `stage` needs `n`"


def test_a_layer_is_followed_in_its_own_list_and_into_variants(folder: Path) -> None:
    assert changed(folder, "first", "stem") == {
        "net.yaml": [
            '  - {conv: 3x3, filters: width, name: "stem"}  # the first',
            "  - {concat: [stem, body], name: both}",
            "  - {conv: 1x1, filters: stem.channels + body.channels, from: body.first}",
        ],
        "other.yaml": ["  - {after: stem, insert: [tanh]}"],
    }
    assert {"stem", "body.first"} <= set(load_graph("net.yaml").nodes)


def test_a_layer_of_a_block_is_followed_by_path(folder: Path) -> None:
    assert changed(folder, "body.first", "entry") == {
        "blocks.yaml": [
            "        name: entry",
            '      - {conv: 3x3, filters: "entry.channels", name: second}',
        ],
        "net.yaml": ["  - {conv: 1x1, filters: first.channels + body.channels, from: body.entry}"],
        "other.yaml": ["  - {set: body.entry, filters: 2 * n}"],
    }


def test_a_block_keeps_the_names_of_its_instances(folder: Path) -> None:
    assert changed(folder, "pair", "two", "--kind", "block") == {
        "blocks.yaml": ["  two:"],
        "net.yaml": [
            "  - {block: two, name: body, with: {n: 2 * width}}",
            "  - {block: two, with: {n: 4}, name: pair}",
        ],
    }


def test_parameters_are_followed_into_formulas_and_instances(folder: Path) -> None:
    assert changed(folder, "pair.n", "filters_out") == {
        "blocks.yaml": [
            "    params: {filters_out: {type: channels}}",
            "        filters: filters_out",
        ],
        "net.yaml": [
            "  - {block: pair, name: body, with: {filters_out: 2 * width}}",
            "  - {block: pair, with: {filters_out: 4}}",
        ],
        "other.yaml": ["  - {set: body.first, filters: 2 * filters_out}"],
    }
    assert changed(folder, "width", "w")["net.yaml"][0] == "params: {w: 16}   # wide"


def test_a_layer_without_a_name_gets_one(folder: Path) -> None:
    assert changed(folder, "relu", "act") == {"net.yaml": ["  - {relu: true, name: act}"]}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pair", "two", "`pair` is a layer and a block; say which with --kind"),
        ("frist", "x", "`net` has no layer, block or parameter `frist` (did you mean `first`?)"),
        ("first", "1x", "`1x` is no name: a letter or `_` first, then letters, digits or `_`"),
    ],
)
def test_what_cannot_be_renamed_is_said(folder: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        rename("net.yaml", old, new)
    assert str(error.value) == message


def test_a_name_that_is_taken_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [path.read_bytes() for path in sorted(folder.glob("*.yaml"))]
    assert main(["rename", "net.yaml", "first", "both"]) == 2
    assert "`both` would not do" in capsys.readouterr().err
    assert [path.read_bytes() for path in sorted(folder.glob("*.yaml"))] == before


def test_a_name_that_is_taken_is_said_before_what_comes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.yaml").write_text("""network: t
input: {x: [4, 8, 8]}
blocks: {u: {layers: [{conv: 3x3, filters: 4, stride: 2}]}}
layers:
  - {block: u, name: a}
  - {upsample: 2}
  - {conv: 3x3, filters: 4, name: b}
  - {conv: 3x3, filters: 4, name: c}
  - {add: [c, b]}
""")
    with pytest.raises(UsageError) as refused:
        rename("t.yaml", "a", "b")
    assert str(refused.value) == "`b` would not do: t.yaml:7:35: two layers are called `b`"
    assert main(["rename", "t.yaml", "b", "d", "--dry-run"]) == 0


def test_a_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert changed(folder, "first", "stem", "--dry-run") == {}
    assert capsys.readouterr().out.splitlines()[-1] == (
        "4 places in 2 files would change; 2 networks are the same but for the name"
    )


@pytest.mark.slow
@pytest.mark.parametrize("old", ["reduction_a.n", "stem.conv_1a", "inception_a", "classes"])
def test_shipped_networks_stay_the_same(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[2]
    shutil.copytree(root / "specs", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    found = rename("specs/inception_v4.yaml", old, "another")
    assert found.files
    assert len(found.networks) >= 3


SWITCHED = """network: switched
params:
  aux: {type: bool, default: false}
  width: {type: channels, default: 8}
input: {image: [3, 8, 8]}
layers:
  - {conv: 3x3, filters: 8, name: stem}
  - {conv: 3x3, filters: width, from: stem, name: head, when: aux}
  - {relu: true, from: stem}
outputs:
  - relu
  - {name: head, from: head, when: aux}
"""


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("stem", "root", {6: "name: root", 7: "from: root", 8: "from: root"}),
        ("width", "wide", {3: "  wide: ", 7: "filters: wide"}),
        ("aux", "more", {2: "  more: ", 7: "when: more", 11: "when: more"}),
    ],
)
def test_what_a_switch_leaves_out_is_renamed_too(
    old: str, new: str, lines: dict[int, str], tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SWITCHED, encoding="utf-8")
    (text,) = rename(str(path), old, new).files.values()
    changed = {
        number: after
        for number, (before, after) in enumerate(
            zip(SWITCHED.splitlines(), text.splitlines(), strict=True)
        )
        if before != after
    }
    assert changed.keys() == lines.keys()
    assert all(words in changed[number] for number, words in lines.items())
