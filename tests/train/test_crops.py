"""Crops of a picture: how many, from where, and what an ensemble makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from backends.state.weights_io import save_weights
from backends.torch.module import build_module
from backends.train.crops import crops_of, six, three_squares
from backends.train.evaluation import counts_of_probabilities, evaluate_members, load_member
from backends.train.transforms import Frame
from compiler.cli.main import main as netdraft
from compiler.errors import UsageError
from compiler.pipeline import load_graph, target_graph
from compiler.weights.mapping import Preprocessing
from compiler.weights.notes import Notes
from tests.train.alone import pictures
from tests.train.small import NETWORK

HOW = Preprocessing("", 255, (0.0,) * 3, (1.0,) * 3, "bilinear", "1")
FRAME = Frame(1, 224, 224, HOW)


def gradient(width: int, height: int) -> Image.Image:
    """Return a picture whose value is its column."""
    return Image.linear_gradient("L").rotate(90).resize((width, height))


@pytest.mark.parametrize("count", [1, 12, 144])
def test_as_many_crops_as_are_said(count: int) -> None:
    assert crops_of(FRAME, count)(gradient(500, 375)).shape == (count, 1, 224, 224)


def test_squares_of_a_landscape_are_left_middle_and_right() -> None:
    picture = Image.new("L", (30, 10))
    for x in range(30):
        picture.paste(x, (x, 0, x + 1, 10))
    assert [s.getpixel((0, 0)) for s in three_squares(picture)] == [0, 10, 20]
    turned = picture.transpose(Image.Transpose.ROTATE_270)
    assert [s.getpixel((0, 0)) for s in three_squares(turned)] == [0, 10, 20]


def test_six_of_a_square_and_their_mirror_images() -> None:
    """By hand: an input of 4 from a square of 10 whose value is 10 * row + column."""
    square = Image.new("L", (10, 10))
    for y in range(10):
        for x in range(10):
            square.putpixel((x, y), 10 * y + x)
    frame = Frame(1, 4, 4, HOW)
    found = list(six(square, frame))
    assert [crop.getpixel((0, 0)) for crop in found[:10:2]] == [0, 6, 60, 66, 33]
    assert [crop.getpixel((0, 0)) for crop in found[1:10:2]] == [3, 9, 63, 69, 36]
    assert len(found) == 12


def test_sides_are_in_proportion_to_the_input() -> None:
    """For 224 the shorter side of 12 crops is 256: a corner is 32 from the other."""
    picture = Image.new("L", (256, 256))
    for x in range(256):
        picture.paste(x, (x, 0, x + 1, 256))
    found = crops_of(FRAME, 12)(picture)
    assert found[0, 0, 0, 0] == 0
    assert found[2, 0, 0, 0] == 32
    assert found[8, 0, 0, 0] == 16


def test_inputs_that_are_no_squares_have_one() -> None:
    with pytest.raises(UsageError) as caught:
        crops_of(Frame(1, 8, 16, HOW), 12)
    assert str(caught.value) == (
        "12 crops are of square inputs, and this one is 8x16; say --crops 1"
    )


def test_counts_by_hand() -> None:
    first, second = [0.1, 0.2, 0.3, 0.4, 0.0, 0.0, 0.0], [0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0]
    values = torch.tensor([first, second])
    pictures, top1, top5, loss = counts_of_probabilities(values, torch.tensor([0, 0])).tolist()
    assert (pictures, top1, top5) == (2, 1, 2)
    assert loss == pytest.approx(2.302585 + 0.693147)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, list[Path]]:
    path = tmp_path / "network.yaml"
    path.write_text(NETWORK)
    how = Preprocessing("", 1, (0.5,) * 3, (0.5,) * 3, "bilinear", "1")
    notes = Notes("", "", how, ("0", "1", "2", "3")).as_metadata()
    made = []
    for seed in (0, 1):
        module = build_module(load_graph(path), seed=seed)
        made.append(save_weights(module.state_dict(), tmp_path / f"{seed}.safetensors", notes))
    return path, made


@torch.no_grad()
def test_an_ensemble_is_the_mean_of_probabilities(files: tuple[Path, list[Path]]) -> None:
    spec, weights = files
    graph = target_graph(load_graph(spec))
    members = [load_member(graph, file) for file in weights]
    found, own = evaluate_members(members, pictures(10), batch=4), pictures(10)
    total = torch.zeros(10, 4)
    for member in members:
        for index in range(10):
            total[index] += member.probabilities(member.frame.evaluated(own.read(index))[None])[0]
    right = (total.argmax(1) == torch.tensor(own.labels)).double().mean()
    assert found.top1 == pytest.approx(float(right))
    assert found.pictures == 10
    picked = (total / 2).gather(1, torch.tensor(own.labels)[:, None])
    assert found.loss == pytest.approx(float(-picked.log().mean()), rel=1e-5)


def test_the_command_prints_both(
    files: tuple[Path, list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, weights = files
    found = pictures(8)
    for index, label in enumerate(found.labels):
        place = tmp_path / "data" / str(label) / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(found.array[index]).save(place)
    arguments = ["evaluate", str(spec), "--data", str(tmp_path / "data"), "--device", "cpu"]
    arguments += ["--weights", str(weights[0]), "--with", f"{spec}={weights[1]}"]
    assert netdraft([*arguments, "--crops", "12"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        f"small  ({weights[0]})",
        "  bilinear, whole, (x - 0.5) / 0.5 for x from 0 to 1",
        f"small  ({weights[1]})",
        "  bilinear, whole, (x - 0.5) / 0.5 for x from 0 to 1",
        "8 pictures, 12 crops each",
    ]
    assert netdraft([*arguments, "--set", "classes=5"]) == 1


def test_another_number_of_classes_is_said(
    files: tuple[Path, list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, weights = files
    Path(tmp_path / "data" / "one").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "data" / "one" / "a.png")
    arguments = ["evaluate", str(spec), "--data", str(tmp_path / "data"), "--device", "cpu"]
    assert netdraft([*arguments, "--weights", str(weights[0])]) == 2
    assert capsys.readouterr().err == (
        "error: the pictures have 1 classes, and the output `logits` of `small` has 4\n"
    )
