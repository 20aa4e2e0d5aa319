"""The file of a map: read as data, and every fault of it told at its place."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from compiler.__main__ import main
from compiler.errors import CompileError, UsageError
from compiler.weights.mapping import load_map

GOOD = """map: a:b
parts: {conv: conv, bn: norm}
sections:
  - {theirs: "f.{i+6}", ours: "a.{i}", count: 2, units: {x.0: y, 1: z}}
  - {theirs: "m{i}", ours: "m_{i}", each: [3a, 4], layers: {up: up}}
  - {layers: {fc: head}, optional: {what: the head, with: "classes={classes}", without: classes=0}}
heads: [head]
aliases: {last: fc}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_captures_count_on_both_sides(tmp_path: Path) -> None:
    weights = load_map(written(tmp_path, GOOD))
    assert weights.layers == {
        "f.6.x.0.conv": "a.0.y.conv",
        "f.6.x.0.bn": "a.0.y.norm",
        "f.6.1.conv": "a.0.z.conv",
        "f.6.1.bn": "a.0.z.norm",
        "f.7.x.0.conv": "a.1.y.conv",
        "f.7.x.0.bn": "a.1.y.norm",
        "f.7.1.conv": "a.1.z.conv",
        "f.7.1.bn": "a.1.z.norm",
        "m3a.up": "m_3a.up",
        "m4.up": "m_4.up",
        "fc": "head",
    }
    assert weights.ours("last.bias") == "head.bias"
    assert weights.optional["head"].absent == "classes=0"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            "map: a:b",
            "mop: a:b",
            ["1:1: unknown-field: a map has no key `mop` (did you mean `map`?)"],
        ),
        (
            "sections:\n",
            "sections: {}\nrest:\n",
            [
                "3:11: bad-value: `sections` is a mapping, not a list of sections",
                "4:1: unknown-field: a map has no key `rest`",
            ],
        ),
        (
            "count: 2",
            "count: two",
            [
                "4:47: bad-value: `count` of a section: expected a whole number, "
                "found the text `two`"
            ],
        ),
        (
            "heads: [head]",
            "heads: [head]\npreprocessing: {mean: [1], deviation: [1, 1, 0], "
            "interpolation: bilinear, crop: 8/7}",
            [
                "8:23: bad-map: `mean` takes three numbers, one for each of red, green and blue",
                "8:39: bad-map: `deviation` takes three numbers, one for each of red, green and "
                "blue",
                "8:81: bad-map: `crop` is `8/7`, not a share such as `7/8` or `1`",
            ],
        ),
        (
            "heads: [head]",
            "heads: [head]\npreprocessing: {mean: [1, 1, 1], interpolation: bilinear}",
            ["8:16: missing-field: `preprocessing` needs `deviation`"],
        ),
        ("count: 2", "count: 0", ["4:47: bad-map: `count` is 0, not 1 or more"]),
        (
            "count: 2",
            "count: 2, each: [3]",
            ["4:47: bad-map: `count` and `each` are two ways to say one thing"],
        ),
        (
            "count: 2",
            "each: [x]",
            ["4:14: bad-map: `{i+6}` counts, and `x` is no number"],
        ),
        (
            "each: [3a, 4]",
            "each: [3a, {}]",
            ["5:48: bad-map: `each` lists names and numbers, found a mapping"],
        ),
        (
            '"m{i}"',
            '"m{j}"',
            ["5:14: bad-map: `m{j}` has another capture than `{i}` or `{i+1}`"],
        ),
        (
            "{fc: head}",
            "{fc: head, gc: head}",
            ["6:29: bad-map: both `fc` and `gc` go to `head`"],
        ),
        (
            "{fc: head}",
            "{fc: head, m4.up: up}",
            ["6:32: bad-map: `m4.up` goes to `up` and to `m_4.up`"],
        ),
        (
            "heads: [head]",
            "heads: [heat]",
            ["7:8: bad-map: `heads` names `heat`, which no section has (did you mean `head`?)"],
        ),
        (
            "last: fc",
            "last: fd",
            ["8:10: bad-map: `aliases` names `fd`, which no section has"],
        ),
        (
            "what: the head, ",
            "",
            ["6:36: missing-field: `optional` needs `what`"],
        ),
        (
            "parts: {conv: conv, bn: norm}\n",
            "",
            ["3:57: bad-map: `units` are of the map's `parts`, and there are none"],
        ),
        ("count: 2", "count: 99999", ["4:5: too-large: the map has more layers than 100,000"]),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, found: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(CompileError) as caught:
        load_map(written(tmp_path, GOOD.replace(old, new)))
    place = os.path.relpath(tmp_path / "map.yaml")
    place = str(tmp_path / "map.yaml") if place.startswith("..") else place
    texts = [f"{d.span}: {d.code}: {d.message}" for d in caught.value.diagnostics]
    assert [text.removeprefix(f"{place}:") for text in texts] == found
    assert caught.value.texts


def test_a_tag_makes_no_object(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = f"map: !!python/object/apply:os.system ['touch {mark}']\nsections: []\n"
    with pytest.raises(CompileError):
        load_map(written(tmp_path, text))
    assert not mark.exists()


def test_a_fault_in_a_map_is_shown_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, GOOD.replace("{fc: head}", "{fc: head, gc: head}"))
    assert main(["weights", "zoo/googlenet", "none.pt", "--from", "map.yaml"]) == 1
    assert (
        capsys.readouterr().err
        == """\
error[bad-map]: both `fc` and `gc` go to `head`
 --> map.yaml:6:29
  |
6 | ...ad, gc: head}, optional: {what: the head, with: "classes={classes}", ...
  |            ^^^^
6 | ...s: {fc: head, gc: head}, optional: {what: the head, with: "classes={c...
  |            ---- the other one

"""
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:inceptionv4", "is no map and no file (did you mean `timm:inception_v4`?); the maps"),
        (".", ". is a folder, not the file of a map; the maps are `facenet_pytorch:inception_res"),
        ("none.yaml", "none.yaml is no map and no file; the maps are `facenet_pytorch:inception_r"),
        ("../maps/timm/inception_v4", "../maps/timm/inception_v4 is no map and no file"),
    ],
)
def test_no_such_map(name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_map(name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "range", "mean", "deviation", "interpolation", "crop"),
    [
        ("timm:inception_v4", 1, 0.5, 0.5, "bicubic", 0.875),
        ("timm:inception_resnet_v2", 1, 0.5, 0.5, "bicubic", 0.8975),
        ("torchvision:inception_v3", 1, 0.5, 0.5, "bilinear", 299 / 342),
        ("torchvision:googlenet", 1, 0.5, 0.5, "bilinear", 224 / 256),
        ("facenet_pytorch:inception_resnet_v1", 255, 127.5, 128, "bilinear", 1),
    ],
)
def test_what_weights_were_trained_on(
    name: str, range: int, mean: float, deviation: float, interpolation: str, crop: float
) -> None:
    found = load_map(name).preprocessing
    assert found is not None
    assert (found.range, found.mean, found.deviation) == (range, (mean,) * 3, (deviation,) * 3)
    assert (found.interpolation, float(Fraction(found.crop))) == (interpolation, crop)
