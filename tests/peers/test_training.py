"""`train` as a user calls it: whole, killed, with processes side by side, with bad pictures."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from compiler.cli.main import main as netdraft
from tests.train.alone import pictures
from tests.train.small import NETWORK, recipe_text

pytestmark = pytest.mark.peers

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("bird", "cat", "dog", "fish")
AUGMENTED = "average: {decay: 0.9}\naugment: [{resized_crop: {area: [0.5, 1]}}, flip]\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, recipes and pictures in folders of classes."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "network.yaml").write_text(NETWORK)
    (folder / "recipe.yaml").write_text(recipe_text(AUGMENTED))
    for part, count, seed in (("train", 42, 0), ("val", 9, 1)):
        found = pictures(count, seed)
        for index, label in enumerate(found.labels):
            path = folder / "data" / part / CLASSES[label] / f"{index:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(found.array[index]).save(path)
    return folder


def training(place: Path, out: Path, *more: str) -> list[str]:
    names = ("--data", str(place / "data"), "--recipe", str(place / "recipe.yaml"), "-o", str(out))
    return ["train", str(place / "network.yaml"), *names, *more]


def command(place: Path, out: Path, *more: str) -> list[str]:
    return ["-m", "compiler", *training(place, out, *more)]


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(arguments: Sequence[str]) -> Done:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = netdraft(arguments)
        except SystemExit as error:
            code = int(str(error.code))
    return Done(code, out.getvalue(), err.getvalue())


def env() -> Mapping[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def call(arguments: Sequence[str]) -> Done:
    found = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=env(),
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(found.returncode, found.stdout, found.stderr)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        clocks = ("seconds", "images_per_second")
        return [{k: v for k, v in row.items() if k not in clocks} for row in csv.DictReader(file)]


def assert_same(one: Path, other: Path, tolerance: float = 0.0) -> None:
    mine, theirs = load_file(one / "weights.safetensors"), load_file(other / "weights.safetensors")
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=tolerance, msg=name)


@pytest.fixture(scope="module")
def unbroken(place: Path) -> Path:
    out = place / "unbroken"
    done = run(training(place, out))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "small  (716 parameters trained, recipe small)\n"
        "pictures: 42 to train, 9 to evaluate, 4 classes\n"
        "input: 1x8x8, bilinear, whole, (x - 0.5) / 0.5 for x from 0 to 1 (the recipe `small`)\n"
        "steps: 5 an epoch, 8 pictures each (cpu)\n"
        "epoch 1/2  loss "
    )
    return out


def test_it_leaves_weights_with_their_preprocessing(unbroken: Path) -> None:
    from backends.state.weights_io import read_metadata

    notes = read_metadata(unbroken / "weights.safetensors")
    assert notes["names"] == '["bird", "cat", "dog", "fish"]'
    assert '"mean": [0.5, 0.5, 0.5]' in notes["preprocessing"]
    assert [row["epoch"] for row in rows(unbroken)] == ["1", "2"]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_killed_inside_an_epoch_it_goes_on_with_the_same_numbers(
    place: Path, unbroken: Path, workers: str, tmp_path: Path
) -> None:
    """With other workers than the unbroken one."""
    kill_and_go_on(place, tmp_path, "--workers", workers)
    assert_same(tmp_path, unbroken)
    assert rows(tmp_path) == rows(unbroken)


def test_in_half_precision_it_goes_on_with_the_scale_of_the_loss(
    place: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(training(place, whole, "--precision", "fp16")).returncode == 0
    kill_and_go_on(place, broken, "--precision", "fp16")
    assert_same(whole, broken)
    scaler = torch.load(broken / "checkpoint.pt", weights_only=True)["scaler"]
    assert scaler["_growth_tracker"] == 10  # steps since the scale was changed: all of them


def kill_and_go_on(place: Path, out: Path, *more: str) -> None:
    """SIGKILL as soon as there is a checkpoint, and then --resume."""
    options = ("--save-every", "1", *more)
    process = subprocess.Popen(
        [sys.executable, *command(place, out, *options)],
        cwd=ROOT, env=env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (out / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = run(training(place, out, "--resume", *options))
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stdout


def test_asked_to_stop_it_saves_and_says_so(place: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *command(place, tmp_path, "--epochs", "2000", "--save-every", "1")],
        cwd=ROOT, env=env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1].endswith("the same command with --resume goes on")


def torchrun(processes: int, arguments: Sequence[str]) -> Done:
    launcher = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}")
    return call([*launcher, *arguments])


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_equal_one_that_accumulates(place: Path, processes: int, tmp_path: Path) -> None:
    """Parts of 2 pictures: N processes take those that one computes one after the other."""
    alone, many = tmp_path / "alone", tmp_path / "many"
    done = run(training(place, alone, "--micro-batch", "2"))
    assert done.returncode == 0, done.stderr
    done = torchrun(processes, command(place, many, "--micro-batch", "2"))
    assert done.returncode == 0, done.stderr
    assert f"(cpu, {processes} processes)" in done.stdout
    mine, theirs = load_file(alone / "weights.safetensors"), load_file(many / "weights.safetensors")
    for name, value in mine.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, theirs[name], rtol=0, atol=1e-5, msg=name)


def test_sharded_over_two_it_learns_the_same(place: Path, tmp_path: Path) -> None:
    """FSDP2 and DDP of two processes; the checkpoint of one fits the other."""
    ddp, sharded = tmp_path / "ddp", tmp_path / "sharded"
    done = torchrun(2, command(place, ddp))
    assert done.returncode == 0, done.stderr
    done = torchrun(2, command(place, sharded, "--sharded"))
    assert done.returncode == 0, done.stderr
    assert_same(ddp, sharded, 1e-5)


def test_sharded_every_process_has_a_picture_to_evaluate(place: Path, tmp_path: Path) -> None:
    for part, name in product(("train", "val"), CLASSES[:2]):
        own = sorted((place / "data" / part / name).iterdir())
        (tmp_path / "data" / part / name).mkdir(parents=True)
        for path in own if part == "train" else own[:1]:
            shutil.copy(path, tmp_path / "data" / part / name)
    options = ("--data", str(tmp_path / "data"), "--set", "classes=2", "--batch", "3")
    done = torchrun(3, command(place, tmp_path / "out", *options, "--sharded"))
    assert done.returncode == 1
    assert (
        "error: --sharded: each of 3 processes takes part in the evaluation, and there are 2 "
        "pictures for it\n"
    ) in done.stderr


def test_a_killed_process_ends_the_training_with_a_reason(place: Path, tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    options = ("--epochs", "2000", "--save-every", "1")
    process = subprocess.Popen(
        [sys.executable, *launcher, *command(place, tmp_path, *options)],
        cwd=ROOT, env=env(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "SIGKILL" in err
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["steps"] > 0


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (
            lambda data: (data / "train" / "cat" / "01.png").write_bytes(b"\x89PNG\r\n"),
            2,
            "data/train/cat/01.png is no",
        ),
        (
            lambda data: [p.unlink() for p in (data / "val" / "dog").iterdir()],
            2,
            "the class `dog` has no pictures: ",
        ),
        (
            lambda data: (data / "val" / "cow").mkdir(),
            2,
            "the class `cow` has no pictures: ",
        ),
        (
            lambda data: Image.new("L", (8, 8)).save(data / "train" / "e.png"),
            0,
            "",
        ),
    ],
    ids=["damaged", "empty class", "unknown class", "file beside classes"],
)  # fmt: skip
def test_bad_pictures_are_a_sentence(
    place: Path, spoil: object, code: int, message: str, tmp_path: Path
) -> None:
    assert callable(spoil)
    shutil.copytree(place / "data", tmp_path / "data")
    spoil(tmp_path / "data")
    out = tmp_path / "out"
    done = run(training(place, out, "--data", str(tmp_path / "data"), "--epochs", "1"))
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--set", "classes=7"), "the output `logits` of `small` has 7; say --set classes=4"),
        (("--batch", "50"), "a step of the recipe takes 50 pictures, and there are 42 for tr"),
        (("--recipe", "papr"), "papr is no recipe and no file (did you mean `paper`?)"),
        (("--data", "nowhere"), "--data nowhere: it does not exist"),
        (("--sharded",), "splits a network over processes, and this is one; use torchrun"),
        (("--resume",), "holds no checkpoint to go on from; leave --resume out to begin"),
        (("-o", ""), "argument -o/--output: '' names no file and no folder"),
        (("--weights", ""), "argument --weights: '' names no file and no folder"),
        (("--head", "x"), "error: --head x: the outputs of `small` are `logits` 4"),
        (("--input", "2x8x8"), "`small` is (N, 2, 8, 8), not an RGB or grey picture"),
    ],
)  # fmt: skip
def test_wrong_usage_is_a_sentence_and_writes_nothing(
    place: Path, more: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = run(training(place, tmp_path / "out", *more))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_second_training_does_not_write_over_the_first(place: Path, unbroken: Path) -> None:
    done = run(training(place, unbroken))
    assert done.returncode == 2
    assert "holds the checkpoint of a training; --resume goes on with it" in done.stderr


def test_pictures_that_become_another_input_are_another_training(
    place: Path, unbroken: Path, tmp_path: Path
) -> None:
    """The weights that it began with said how; going on without them, the recipe would."""
    text = recipe_text().replace("mean: [0.5, 0.5, 0.5]", "mean: [0, 0, 0]")
    (tmp_path / "recipe.yaml").write_text(text)
    arguments = training(place, tmp_path, "--recipe", str(tmp_path / "recipe.yaml"))
    done = run([*arguments, "--weights", str(unbroken / "weights.safetensors")])
    assert done.returncode == 0, done.stderr
    done = run([*arguments, "--resume"])
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {tmp_path / 'checkpoint.pt'} is of another training: its preprocessing is "
        "bilinear, whole, (x - 0.5) / 0.5 for x from 0 to 1, and here it is bilinear, whole, "
        "(x - 0) / 0.5 for x from 0 to 1; go on with the same, or begin in another folder\n"
    )


def test_pictures_smaller_than_the_input_are_moved_too(place: Path, tmp_path: Path) -> None:
    more = "augment: [{random_crop: {padding: 1}}, resized_crop]\n"
    (tmp_path / "recipe.yaml").write_text(recipe_text(more, epochs=1))
    options = ("--recipe", str(tmp_path / "recipe.yaml"), "--input", "1x16x16")
    done = run(training(place, tmp_path / "out", *options))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "more",
    [
        *(("--precision", name) for name in ("bf16", "tf32", "fp16")),
        *(("--forget",), ("--tensorboard",), ("--workers", "1")),
    ],
    ids=" ".join,
)
def test_options_train_too(
    place: Path, unbroken: Path, more: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(training(place, tmp_path, *more))
    assert done.returncode == 0, done.stderr
    if more[0] != "--precision":
        assert_same(tmp_path, unbroken)
    assert (tmp_path / "tensorboard").exists() == (more == ("--tensorboard",))


def test_fine_tuning_keeps_what_is_frozen(place: Path, unbroken: Path, tmp_path: Path) -> None:
    """Other classes, one layer frozen: the weights say how a picture becomes the input."""
    shutil.copytree(place / "data", tmp_path / "data")
    for part in ("train", "val"):
        shutil.rmtree(tmp_path / "data" / part / "fish")
    recipe = tmp_path / "tuning.yaml"
    text = recipe_text("freeze: [stem]\nrates: {logits: 3}\n", batch=4)
    recipe.write_text(text.replace("mean: [0.5, 0.5, 0.5]", "mean: [0, 0, 0]"))
    begin, out = unbroken / "weights.safetensors", tmp_path / "out"
    options = ("--recipe", str(recipe), "--data", str(tmp_path / "data"), "--set", "classes=3")
    arguments = training(place, out, *options, "--weights", str(begin))
    assert run(arguments).returncode == 1  # the last layer does not fit
    done = run([*arguments, "--partial"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("small  (619 of 707 parameters trained, recipe small)\n")
    assert f"(x - 0.5) / 0.5 for x from 0 to 1 ({begin})" in done.stdout
    before, after = load_file(begin), load_file(out / "weights.safetensors")
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert same == {name for name in before if name.startswith("stem.")}


def test_norms_stay_as_they_came(place: Path, unbroken: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tuning.yaml"
    recipe.write_text(recipe_text("norms: frozen\n"))
    begin, out = unbroken / "weights.safetensors", tmp_path / "out"
    options = ("--recipe", str(recipe), "--weights", str(begin))
    done = run(training(place, out, *options))
    assert done.returncode == 0, done.stderr
    before, after = load_file(begin), load_file(out / "weights.safetensors")
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {"stem.conv.weight", "body.conv.weight", "logits.weight", "logits.bias"}


def test_idx_files(tmp_path: Path) -> None:
    (tmp_path / "network.yaml").write_text(NETWORK)
    (tmp_path / "recipe.yaml").write_text(recipe_text())
    (tmp_path / "data").mkdir()
    for stem, count in (("train", 42), ("t10k", 9)):
        found = pictures(count)
        images = struct.pack(">4B3I", 0, 0, 8, 3, count, 8, 8) + found.array.tobytes()
        labels = struct.pack(">4BI", 0, 0, 8, 1, count) + np.array(found.labels, np.uint8).tobytes()
        (tmp_path / "data" / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / "data" / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    done = run(training(tmp_path, tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "pictures: 42 to train, 9 to evaluate, 4 classes" in done.stdout
