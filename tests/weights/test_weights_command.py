"""`weights` as a user meets it: a file or nothing, and words that lead on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from backends.state.weights_io import read_weights
from compiler.__main__ import main
from tests.weights.key_lists import key_list, without

GOOGLENET = ("zoo/googlenet", "--from", "torchvision:googlenet")


def published(name: str, *left: str) -> dict[str, Tensor]:
    """Return tensors of a published network: one number each, so that files are small."""
    keys = without(key_list(name), *left) if left else key_list(name)
    return {
        key: torch.tensor(float(i)).expand(size) if size else torch.tensor(i)
        for i, (key, size) in enumerate(keys.items())
    }


@pytest.fixture
def googlenet() -> dict[str, Tensor]:
    return published("torchvision_googlenet", "aux")


def convert(folder: Path, state: dict[str, Tensor], *arguments: str) -> int:
    torch.save(state, folder / "in.pt")
    out = str(folder / "out.safetensors")
    return main(["weights", *arguments, str(folder / "in.pt"), "-o", out])


def test_every_value_arrives_at_its_place(
    tmp_path: Path, googlenet: dict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(tmp_path, googlenet, *GOOGLENET, "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["loaded"], report["misfits"], report["wiring"]) == (344, 0, [])
    out = read_weights(tmp_path / "out.safetensors")
    assert len(out) == len(report["tensors"]) == 344
    for row in report["tensors"]:
        assert torch.equal(out[row["name"]], googlenet[row["source"]])
    assert torch.equal(
        out["inception_4e.third.conv.norm.running_var"],
        googlenet["inception4e.branch3.1.bn.running_var"],
    )


def test_the_report_says_what_was_left_out_and_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = published("torchvision_googlenet")
    state = {n: v for n, v in state.items() if "num_batches" not in n}
    assert convert(tmp_path, state, *GOOGLENET) == 0
    text = capsys.readouterr().out
    assert "  287 of 344 tensors matched, each of them once\n" in text
    assert "  57 batch counters begin at 0, the file has none\n" in text
    assert "  left out: the auxiliary heads, 18 tensors (--set aux=true to have them)\n" in text
    counter = read_weights(tmp_path / "out.safetensors")["conv_1.norm.num_batches_tracked"]
    assert (counter.dtype, int(counter)) == (torch.int64, 0)


def spoiled(state: dict[str, Tensor], fault: str) -> dict[str, Tensor]:
    match fault:
        case "missing":
            return {n: v for n, v in state.items() if n != "conv2.conv.weight"}
        case "extra":
            return {**state, "conv9.weight": torch.zeros(2)}
        case "transposed":
            return {**state, "fc.weight": state["fc.weight"].t()}
        case "shape":
            return {**state, "conv1.conv.weight": torch.zeros(64, 3, 5, 5)}
        case "type":
            return {**state, "fc.bias": torch.zeros(1000, dtype=torch.int64)}
    return {**state, "fc.weight": torch.zeros(1001, 1024), "fc.bias": torch.zeros(1001)}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            "missing",
            "`conv_2.conv.weight` (in the file `conv2.conv.weight`) is missing; "
            "the network needs 64x64x1x1",
        ),
        ("extra", "`conv9.weight` is 2 and has no place in the network"),
        (
            "transposed",
            "`logits.weight` (in the file `fc.weight`) is 1024x1000 where the network has "
            "1000x1024: transposed (inputs x outputs)",
        ),
        (
            "shape",
            "`conv_1.conv.weight` (in the file `conv1.conv.weight`) is 64x3x5x5 where the "
            "network has 64x3x7x7\n",
        ),
        (
            "type",
            "`logits.bias` (in the file `fc.bias`) is of int64 where the network has "
            "floating-point numbers",
        ),
        ("1001 classes", "1001 classes, the first of them TensorFlow's background class"),
        (
            "1001 classes",
            "help: keep the file's classes with --set classes=1001, or drop the first row with "
            "--drop-background",
        ),
    ],
)
def test_a_file_that_does_not_fit(
    tmp_path: Path,
    googlenet: dict[str, Tensor],
    capsys: pytest.CaptureFixture[str],
    fault: str,
    words: str,
) -> None:
    assert convert(tmp_path, spoiled(googlenet, fault), *GOOGLENET) == 1
    assert words in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["in.pt"]


def test_the_background_class_is_dropped_or_kept(
    tmp_path: Path, googlenet: dict[str, Tensor]
) -> None:
    bias = torch.arange(1001.0)
    state = {**googlenet, "fc.weight": torch.zeros(1001, 1024), "fc.bias": bias}
    assert convert(tmp_path, state, *GOOGLENET, "--drop-background") == 0
    assert torch.equal(read_weights(tmp_path / "out.safetensors")["logits.bias"], bias[1:])
    assert convert(tmp_path, state, *GOOGLENET, "--set", "classes=1001") == 0
    assert torch.equal(read_weights(tmp_path / "out.safetensors")["logits.bias"], bias)


@pytest.mark.parametrize(
    ("spec", "keys", "name", "words"),
    [
        (
            "inception_resnet_v2",
            "timm_inception_resnet_v2",
            "timm:inception_resnet_v2",
            "help: the map is for `released/inception_resnet_v2_slim`, not for "
            "`inception_resnet_v2`",
        ),
        (
            "inception_v4",
            "timm_inception_v4",
            "timm:inception_v4",
            "`b.0.long.conv_7x1.conv.weight` (in the file `features.11.branch2.1.conv.weight`) is "
            "192x192x7x1 where the network has 224x192x7x1",
        ),
        (
            "released/inception_v4_slim",
            "timm_inception_resnet_v2",
            "timm:inception_v4",
            "help: the file's names are those of timm:inception_resnet_v2, for "
            "`released/inception_resnet_v2_slim`",
        ),
    ],
)
def test_a_spec_that_the_map_does_not_fit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spec: str,
    keys: str,
    name: str,
    words: str,
) -> None:
    assert convert(tmp_path, published(keys), spec, "--from", name) == 1
    text = capsys.readouterr().err
    assert words in text
    assert "nothing was written" in text
    assert len(text.splitlines()) < 30
    assert [p.name for p in tmp_path.iterdir()] == ["in.pt"]


def test_a_head_that_the_file_has_not(
    tmp_path: Path, googlenet: dict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(tmp_path, googlenet, *GOOGLENET, "--set", "aux=true", "--format", "json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["written"] is None
    assert {row["status"] for row in report["tensors"]} == {"loaded", "missing", "made"}
    assert report["help"] == [
        "a file without the auxiliary heads needs --set aux=false",
        "--partial takes the 344 tensors that fit",
    ]


def test_another_wiring_is_said(
    tmp_path: Path, googlenet: dict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "mine" / "other.yaml"
    spec.parent.mkdir()
    shipped = Path(__file__).parents[2] / "specs" / "zoo" / "googlenet.yaml"
    text = shipped.read_text()
    spec.write_text(text.replace("eps: 1.0e-3, momentum: 0.1", "eps: 1.0e-5, momentum: 0.01"))
    assert convert(tmp_path, googlenet, str(spec), "--from", "torchvision:googlenet") == 0
    out = capsys.readouterr().out
    assert "warning: every tensor fits, but the network is not wired as `zoo/googlenet`" in out
    assert "`conv_1.norm` has eps 1e-05 where the weights are for 0.001" in out
    assert "momentum" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "timm:inceptionv4"), "(did you mean `timm:inception_v4`?); the maps are"),
        (
            ("--from", "torchvision:googlenet", "-o", "x.pt"),
            "-o x.pt: weights are written as safetensors",
        ),
        (("--from", "torchvision:googlenet"), "missing.pt does not exist"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert main(["weights", "zoo/googlenet", "missing.pt", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_background_that_is_not_there(
    tmp_path: Path, googlenet: dict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(tmp_path, googlenet, *GOOGLENET, "--drop-background") == 2
    assert "has no class more than the network; leave it out" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["in.pt"]
