"""`weights --dry-run`: what would load, by the file or by the map alone; nothing is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from compiler.__main__ import main
from compiler.published import published_tensors
from compiler.weights.mapping import load_map, map_names
from compiler.weights.misfits import Size
from tests.weights.key_lists import key_list

OLD = """network: net
input: {image: [3, 8, 8]}
params: {classes: 4}
layers:
  - {conv: 3x3, filters: 5, name: first}
  - {conv: 1x1, filters: 6, name: middle}
  - {conv: 1x1, filters: 7, name: last}
  - {global_avg_pool: true}
  - {linear: classes, name: logits}
"""
NEW = OLD.replace("name: first", "name: stem").replace("name: last", "name: top")
NEW += "moved: {first: stem}\n"
SIZES: dict[str, Size] = {
    "first": (5, 3, 3, 3),
    "middle": (6, 5, 1, 1),
    "last": (7, 6, 1, 1),
    "logits": (4, 7),
}
STATE: dict[str, Tensor] = {f"{name}.weight": torch.ones(size) for name, size in SIZES.items()} | {
    f"{name}.bias": torch.ones(size[0]) for name, size in SIZES.items()
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.yaml").write_text(NEW, encoding="utf-8")
    torch.save(STATE, "old.pt")
    return tmp_path


def dry_run(*arguments: str) -> int:
    return main(["weights", *arguments, "--dry-run"])


@pytest.mark.parametrize(("more", "code"), [((), 1), (("--partial",), 0)])
def test_every_layer_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: int
) -> None:
    before = sorted(folder.iterdir())
    assert dry_run("new.yaml", "old.pt", "--set", "classes=3", "-o", "x.safetensors", *more) == code
    told = capsys.readouterr().out.splitlines()
    assert told[:15] == [
        "old.pt -> net",
        "    stem       2 tensors",
        "    middle     2 tensors",
        "  loaded 4 tensors, of 8 in the network and 8 in the file",
        "  2 tensors differ (file -> network) and begin fresh:",
        "    logits  weight 4x7 -> 3x7, bias 4 -> 3",
        "  2 tensors are not in the file and begin fresh:",
        "    top  weight, bias",
        "  2 tensors have no place in the network and are dropped:",
        "    last  weight, bias",
        "  of the loaded, 2 tensors moved (`moved:` of the spec):",
        "    stem  was first",
        *(["  help: --partial takes the 4 tensors that fit"] if code else []),
        "nothing was written: the file would load in part"
        + (", with --partial alone" if code else ""),
    ]
    assert sorted(folder.iterdir()) == before


def test_what_fits_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run("old.yaml", "old.pt") == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "  8 of 8 tensors matched, each of them once",
        "nothing was written: the file would load whole",
    ]
    assert not (folder / "build").exists()


def test_the_same_as_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run("new.yaml", "old.pt", "--format", "json") == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["written"], data["accepted"], data["moved"]) == (None, False, 2)
    assert [(row["name"], row["state"], row.get("was")) for row in data["layers"]] == [
        ("stem", "loaded", "first"),
        ("middle", "loaded", None),
        ("logits", "loaded", None),
        ("top", "fresh", None),
        ("last", "dropped", None),
    ]
    (stem,) = [row for row in data["tensors"] if row.get("name") == "stem.weight"]
    assert (stem["source"], stem["was"], stem["shape"]) == (
        "first.weight",
        "first.weight",
        [5, 3, 3, 3],
    )


def test_nothing_of_a_file_fits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"other.weight": torch.ones(2)}, "other.pt")
    assert dry_run("old.yaml", "other.pt", "--partial") == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "nothing was written: nothing of the file would load"


# -- without a file --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", map_names())
def test_a_map_knows_the_tensors_of_its_file(name: str) -> None:
    published = key_list(name.replace(":", "_"))
    found = published_tensors(load_map(name))
    assert found.keys() == published.keys()
    differing = {n for n, size in found.items() if _squeezed(size) != _squeezed(published[n])}
    assert differing == set()


def _squeezed(size: Size) -> Size:
    """Return a shape without dimensions of 1, which the file of a map may spell otherwise."""
    return tuple(n for n in size if n != 1)


V4 = """network: mine
extends: released/inception_v4_slim
params: {classes: 10}
changes: [{set: stem.conv_1a, name: first}, {set: reduction_a, with: {l: 200}}]
moved: {stem.conv_1a: stem.first}
"""


def test_a_changed_network_beside_the_map_of_its_base(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # l: the middle 3x3 (weight, four of its norm) and what the last receives; the classifier: two.
    (folder / "mine.yaml").write_text(V4, encoding="utf-8")
    assert dry_run("mine.yaml", "--from", "timm:inception_v4") == 1
    out = capsys.readouterr().out
    assert "  loaded 888 tensors, of 896 in the network and 896 in the file\n" in out
    assert "    stem.first.conv  was stem.conv_1a.conv\n" in out
    assert "warning" not in out  # what reads a moved layer is wired as before
    assert "  help: --partial takes the 888 tensors that fit\n" in out


def test_optional_parts_are_in_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run("zoo/googlenet", "--from", "torchvision:googlenet") == 0
    out = capsys.readouterr().out
    assert "  left out: the auxiliary heads, 20 tensors (--set aux=true to have them)\n" in out


@pytest.fixture
def few_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave few maps, so that not every published network is built."""
    names = ("timm:inception_v4", "torchvision:resnet18", "torchvision:vgg16_bn")
    monkeypatch.setattr("compiler.cli.weights.map_names", lambda: names)


@pytest.mark.usefixtures("few_maps")
def test_every_published_file_beside_a_network(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.yaml").write_text(V4, encoding="utf-8")
    assert dry_run("mine.yaml") == 1
    assert capsys.readouterr().out.splitlines() == [
        "published file     loaded  moved  differing  fresh  dropped",
        "timm:inception_v4     888      6          8      0        0",
        "of 2 others nothing fits",
        "nothing was written: none would load whole",
    ]
    assert dry_run("zoo/resnet18", "--format", "json") == 0
    maps = json.loads(capsys.readouterr().out)["maps"]
    assert len(maps) == 3
    assert (maps[0]["map"], maps[0]["loaded"], maps[0]["misfits"]) == (
        "torchvision:resnet18",
        122,
        0,
    )


@pytest.mark.usefixtures("few_maps")
def test_a_network_of_ones_own_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run("old.yaml") == 1
    none = "nothing was written: of the 3 published files nothing fits\n"
    assert capsys.readouterr().out == none


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the weights' FILE is missing; without one, --dry-run says what would fit"),
        (
            ("--dry-run", "--names", "x.txt"),
            "--names goes into a file of weights, and there is no FILE",
        ),
        (("--dry-run", "--from", "mine.yaml"), "the map mine:map names no network (`spec`)"),
        (
            ("--dry-run", "--from", "timm:inception_v4", "--drop-background", "--partial"),
            "timm:inception_v4's file has no class more than the network; leave it out",
        ),
    ],
)
def test_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    text = "map: mine:map\nsource: words\nsections: [{layers: {a: first}}]\nheads: []\n"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    spec = "released/inception_v4_slim" if "--drop-background" in arguments else "old.yaml"
    assert main(["weights", spec, *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_page_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "WEIGHTS.md").read_text(encoding="utf-8")
    (shown,) = re.findall(
        r"```console\n\$ netdraft weights inception_v4 --dry-run\n(.*?)```", page, re.S
    )
    assert dry_run("inception_v4") == 1
    assert capsys.readouterr().out == shown
