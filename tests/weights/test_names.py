"""Names of classes and preprocessing travel with weights, and come back from the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from backends.state.fit_weights import fit_weights, notes_of
from backends.state.weights_io import read_metadata
from compiler.__main__ import main
from compiler.errors import BackendError, CompileError, UsageError, variable_of
from compiler.pipeline import load_graph
from compiler.weights.mapping import load_map, map_names
from compiler.weights.notes import Notes
from compiler.weights.pictures import EXAMPLE, NAMES, preprocessing_from, read_names
from compiler.weights.sizes import tensor_sizes
from tests.weights.key_lists import key_list

SPEC = """network: mine
params: {classes: 3}
input: {image: [3, 8, 8]}
layers:
  - {conv: 1x1, filters: 4, name: body}
  - global_avg_pool
  - {linear: classes, name: head}
"""
MAP = """map: mine:net
sections:
  - layers: {c: body, fc: head}
heads: [head]
names: classes.txt
preprocessing: {mean: [0, 0, 0], deviation: [1, 1, 1], interpolation: bilinear, crop: 7/8}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a folder with a network, its map, the names of its classes and published weights."""
    (tmp_path / "mine.yaml").write_text(SPEC)
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "classes.txt").write_text("# animals\ncat\ndog\ncow\n")
    save_file(published(3), tmp_path / "theirs.safetensors")
    return tmp_path


def published(classes: int) -> dict[str, Tensor]:
    sizes = {"c.weight": (4, 3, 1, 1), "c.bias": (4,), "fc.weight": (classes, 4), "fc.bias": ()}
    sizes["fc.bias"] = (classes,)
    return {name: torch.ones(size) for name, size in sizes.items()}


def convert(folder: Path, *options: str) -> Path:
    out = folder / "out.safetensors"
    arguments = [str(folder / "mine.yaml"), str(folder / "theirs.safetensors"), "-o", str(out)]
    assert main(["weights", *arguments, "--from", str(folder / "map.yaml"), *options]) == 0
    return out


def notes_in(path: Path, spec: Path, partial: bool = False) -> Notes:
    sizes = tensor_sizes(load_graph(spec))
    return notes_of(fit_weights(path, sizes, partial=partial)[0])


def test_the_classes_of_imagenet() -> None:
    names = read_names(NAMES / "imagenet.txt")
    assert len(names) == len(set(names)) == 1000
    some = {0: "tench", 134: "crane bird", 517: "crane", 652: "military uniform"}
    assert {i: names[i] for i in some} == some
    assert names[999] == "toilet tissue"


def test_which_maps_have_names() -> None:
    counts = {name: len(load_map(name).names) for name in map_names()}
    assert counts == {
        "facenet_pytorch:inception_resnet_v1": 0,
        "timm:inception_resnet_v2": 1000,
        "timm:inception_v4": 1000,
        "timm:legacy_xception": 1000,
        "torchvision:googlenet": 1000,
        "torchvision:inception_v3": 1000,
        "torchvision:resnet18": 1000,
        "torchvision:resnet50": 1000,
        "torchvision:shufflenet_v2_x1_0": 1000,
        "torchvision:resnext50_32x4d": 1000,
        "torchvision:densenet121": 1000,
        "torchvision:vgg16_bn": 1000,
        "torchvision:squeezenet1_1": 1000,
        "torchvision:mobilenet_v2": 1000,
        "torchvision:mobilenet_v3_large": 1000,
        "torchvision:efficientnet_b0": 1000,
        "torchvision:convnext_tiny": 1000,
    }
    assert "the identities have no names here" in load_map(map_names()[0]).classes


def test_names_and_preprocessing_go_into_the_file_and_come_back(mine: Path) -> None:
    out = convert(mine)
    metadata = read_metadata(out)
    assert json.loads(metadata["names"]) == ["cat", "dog", "cow"]
    found = notes_in(out, mine / "mine.yaml")
    assert found == Notes(
        "mine:net", "", load_map(mine / "map.yaml").preprocessing, ("cat", "dog", "cow")
    )
    assert found.preprocessing is not None
    assert (found.preprocessing.crop, found.preprocessing.range) == ("7/8", 1)


def test_a_file_is_converted_again_with_its_notes(mine: Path) -> None:
    first = convert(mine)
    again = mine / "again.safetensors"
    assert main(["weights", str(mine / "mine.yaml"), str(first), "-o", str(again)]) == 0
    assert read_metadata(again) == read_metadata(first)


@pytest.mark.parametrize(
    ("classes", "options", "names"),
    [
        (4, ["--drop-background"], ["cat", "dog", "cow"]),
        (4, ["--set", "classes=4"], ["background", "cat", "dog", "cow"]),
        (5, ["--set", "classes=5"], None),
        (3, ["--set", "classes=7", "--partial"], None),
    ],
)
def test_names_belong_to_the_classifier_that_is_loaded(
    mine: Path, classes: int, options: list[str], names: list[str] | None
) -> None:
    save_file(published(classes), mine / "theirs.safetensors")
    metadata = read_metadata(convert(mine, *options))
    assert (json.loads(metadata["names"]) if "names" in metadata else None) == names
    assert json.loads(metadata["preprocessing"])["crop"] == "7/8"


def test_what_the_user_says_of_own_weights(mine: Path) -> None:
    save_file(
        {"body.weight": torch.ones(4, 3, 1, 1), "body.bias": torch.ones(4)}
        | {"head.weight": torch.ones(3, 4), "head.bias": torch.ones(3)},
        mine / "own.safetensors",
    )
    own, out = str(mine / "own.safetensors"), mine / "noted.safetensors"
    options = ["--preprocessing", "timm:inception_v4", "--names", str(mine / "classes.txt")]
    assert main(["weights", str(mine / "mine.yaml"), own, "-o", str(out), *options]) == 0
    found = notes_in(out, mine / "mine.yaml")
    assert found == Notes(
        "", "", load_map("timm:inception_v4").preprocessing, ("cat", "dog", "cow")
    )


def test_names_of_other_classes(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "two.txt").write_text("a\nb\n")
    arguments = [str(mine / "mine.yaml"), str(mine / "theirs.safetensors")]
    options = ["--from", str(mine / "map.yaml"), "--names", str(mine / "two.txt")]
    out = mine / "out.safetensors"
    assert main(["weights", *arguments, *options, "-o", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"error: {mine / 'two.txt'} names 2 classes, and `mine` gives `head` 3\n"
    )
    assert not out.exists()


@pytest.mark.parametrize("name", [name for name in map_names() if "inception_v3" not in name])
def test_shipped_maps_write_their_names(tmp_path: Path, name: str) -> None:
    weights = load_map(name)
    keys = key_list(name.replace(":", "_"))
    state = {n: torch.zeros(()).expand(s) if s else torch.tensor(0) for n, s in keys.items()}
    torch.save(state, tmp_path / "in.pt")
    graph = load_graph(weights.spec)
    wanted = tensor_sizes(graph)
    report, _ = fit_weights(tmp_path / "in.pt", wanted, weights, graph, partial=True)
    assert notes_of(report).names == weights.names


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "holds no names; each class takes one line, in order"),
        (b"# only\n# words\n", "holds no names; each class takes one line, in order"),
        (b"cat\n\ncow\n", ":2 is empty; each class takes one line, in order"),
        (b"# a\n# b\n\ncat\n", ":3 is empty; each class takes one line, in order"),
        (b"caf\xe9\n", " is no text in UTF-8"),
    ],
)
def test_names_that_cannot_be_read(tmp_path: Path, contents: bytes, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(contents)
    with pytest.raises(UsageError) as caught:
        read_names(path)
    assert str(caught.value) == f"{path}{message if message[0] in ': ' else ' ' + message}"


def test_a_class_may_be_called_by_a_hash(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("\N{ZERO WIDTH NO-BREAK SPACE}# tags\r\ncat\r\n#2\r\n\r\n".encode())
    assert read_names(path) == ("cat", "#2")


def test_too_many_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable_of("bytes"), "10")
    (tmp_path / "names.txt").write_text("a\n" * 6)
    with pytest.raises(UsageError) as caught:
        read_names(tmp_path / "names.txt")
    assert str(caught.value) == (
        f"{tmp_path / 'names.txt'} is too long for names of classes: the limit is 10; "
        "NETDRAFT_LIMIT_BYTES sets another"
    )


def test_a_map_whose_names_are_missing(mine: Path) -> None:
    (mine / "classes.txt").unlink()
    with pytest.raises(CompileError) as caught:
        load_map(mine / "map.yaml")
    (found,) = caught.value.diagnostics
    assert (found.span.line, found.message) == (
        5,
        f"`names`: {mine / 'classes.txt'} does not exist",
    )


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("names", "[1]", "`names` in its metadata is no list of names of classes"),
        ("names", "[" * 100_000, "`names` in its metadata is no list of names of classes"),
        ("names", "cat", "`names` in its metadata is no list of names of classes"),
        (
            "preprocessing",
            "/etc/passwd",
            "`preprocessing` is the text `/etc/passwd`, not a mapping",
        ),
        ("preprocessing", '{"mean": [NaN, 1, 1]}', "`mean` of `preprocessing`"),
    ],
)
def test_metadata_that_is_something_else(mine: Path, key: str, text: str, message: str) -> None:
    path = mine / "bad.safetensors"
    state = {"body.weight": torch.ones(4, 3, 1, 1), "body.bias": torch.ones(4)}
    state |= {"head.weight": torch.ones(3, 4), "head.bias": torch.ones(3)}
    save_file(state, path, {key: text})
    with pytest.raises((BackendError, CompileError)) as caught:
        notes_in(path, mine / "mine.yaml")
    error = caught.value
    if isinstance(error, CompileError):
        assert message in " ".join(d.message for d in error.diagnostics)
        assert {d.span.file for d in error.diagnostics} == {f"{path}, preprocessing"}
    else:
        assert str(error) == f"{path}: {message}; name them with --names FILE"


@pytest.mark.parametrize(
    "text",
    [
        "timm:inception_v4",
        "{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5], interpolation: bicubic, crop: 7/8}",
        '{"mean": [0.5, 0.5, 0.5], "deviation": [0.5, 0.5, 0.5], "interpolation": "bicubic", '
        '"crop": "7/8"}',
        "{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5], interpolation: bicubic, crop: 0.875}",
    ],
)
def test_ways_to_say_the_preprocessing(tmp_path: Path, text: str) -> None:
    found = preprocessing_from(text)
    assert found.words == "bicubic, middle 7/8, (x - 0.5) / 0.5 for x from 0 to 1"
    if text[0] == "{":
        (tmp_path / "p.yaml").write_text(text)
        assert preprocessing_from(str(tmp_path / "p.yaml")) == found


def test_what_says_no_preprocessing(mine: Path) -> None:
    text = (mine / "map.yaml").read_text()
    (mine / "map.yaml").write_text(text.partition("preprocessing")[0])
    with pytest.raises(UsageError) as caught:
        preprocessing_from(str(mine / "map.yaml"))
    assert str(caught.value) == (
        f"--preprocessing: the map {mine / 'map.yaml'} does not say how a picture becomes the input"
    )
    with pytest.raises(UsageError) as caught:
        preprocessing_from("timm:inceptionv4")
    assert str(caught.value).startswith(
        "--preprocessing timm:inceptionv4 is no map and no file (did you mean "
        "`timm:inception_v4`?); the maps are `facenet_pytorch:inception_resnet_v1`"
    )


def test_a_range_of_pixels() -> None:
    text = "{mean: [0, 0, 0], deviation: [1, 1, 1], interpolation: bicubic, range: 0}"
    with pytest.raises(UsageError) as caught:
        preprocessing_from(text)
    assert str(caught.value) == (
        "--preprocessing: `range` is 0, not 1 or 255: the largest value of a pixel; "
        f"write {EXAMPLE}"
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("{mean: [0, 0, 0], interpolation: bicubic}", ["`preprocessing` needs `deviation`"]),
        (
            "{mean: [0, 0, 0], deviation: [1, 1], interpolation: cubic, crp: 1}",
            [
                "`interpolation` of `preprocessing`: expected `bilinear` or `bicubic`, "
                "found the text `cubic` (did you mean `bicubic`?)",
                "`preprocessing` has no key `crp` (did you mean `crop`?)",
            ],
        ),
    ],
)
def test_a_mapping_on_the_command_line_that_is_none(text: str, faults: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        preprocessing_from(text)
    assert str(caught.value) == f"--preprocessing: {'; '.join(faults)}; write {EXAMPLE}"
