"""`predict` as a user meets it: names and probabilities, or one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

import netdraft
from backends.state.photo import load_photo
from backends.state.weights_io import save_weights
from backends.torch.module import build_module
from compiler.__main__ import main
from compiler.errors import UsageError, variable_of
from compiler.facts.class_output import class_output
from compiler.pipeline import load_graph, target_graph
from compiler.weights.mapping import Preprocessing

HOW = "{mean: [0, 0, 0], deviation: [1, 1, 1], interpolation: bilinear}"
HEADS = {
    "logits": "- {linear: 3, name: fc}",
    "softmax": "- {linear: 3, name: fc}\n  - softmax",
    "sigmoid": "- {linear: 3, name: fc}\n  - sigmoid",
}


def network(folder: Path, tail: str = HEADS["logits"], input: str = "image: [3, 4, 4]") -> Path:
    path = folder / "net.yaml"
    path.write_text(f"network: net\ninput: {{{input}}}\nlayers:\n  - global_avg_pool\n  {tail}\n")
    return path


def weights(folder: Path, notes: dict[str, str] | None = None) -> Path:
    """Return a file in which class i is the mean of colour i, twice for green."""
    rows = torch.tensor([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 1.0]])
    return save_weights({"fc.weight": rows, "fc.bias": torch.zeros(3)}, folder / "w.st", notes)


def picture(folder: Path, colour: tuple[int, int, int] = (255, 255, 51)) -> Path:
    path = folder / "p.png"
    Image.new("RGB", (6, 5), colour).save(path)
    return path


def predict(folder: Path, *options: str, **given: Any) -> int:
    spec = network(folder, **given)
    return main(["predict", str(spec), str(picture(folder)), "--weights", *options])


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def noted(**more: str) -> dict[str, str]:
    how = '{"mean": [0, 0, 0], "deviation": [1, 1, 1], "interpolation": "bilinear"}'
    return {"preprocessing": how, **more}


def test_names_and_probabilities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = weights(tmp_path, noted(names='["red", "green", "blue"]', map="mine:net"))
    assert predict(tmp_path, str(file)) == 0
    # Means 1, 1, 0.2: logits 1, 2, 0.2.
    shares = np.exp([1, 2, 0.2]) / np.exp([1, 2, 0.2]).sum()
    assert capsys.readouterr().out == (
        f"net  ({file}, mine:net)\n"
        "input: 4x4, bilinear, whole, x as it is, from 0 to 1\n"
        "classes: 3\n"
        f"\n{tmp_path / 'p.png'}\n"
        f"   {shares[1]:.2%}  green, class 1\n"
        f"   {shares[0]:.2%}  red, class 0\n"
        f"   {shares[2]:.2%}  blue, class 2\n"
    )


@pytest.mark.parametrize("numbers", ["logits", "softmax", "sigmoid"])
def test_what_the_network_ends_in(
    tmp_path: Path, numbers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = weights(tmp_path)
    options = [str(file), "--preprocessing", HOW, "--format", "json", "--top", "2"]
    assert predict(tmp_path, *options, tail=HEADS[numbers]) == 0
    data = json.loads(capsys.readouterr().out)
    logits = np.array([1, 2, 0.2])
    shares = 1 / (1 + np.exp(-logits)) if numbers == "sigmoid" else np.exp(logits)
    shares = shares if numbers == "sigmoid" else shares / shares.sum()
    (found,) = data["pictures"]
    assert [(row["class"], row["name"]) for row in found["classes"]] == [(1, None), (0, None)]
    got = [row["probability"] for row in found["classes"]]
    np.testing.assert_allclose(got, [shares[1], shares[0]], rtol=1e-6)
    # The softmax that ends a network is left off: its logits leave.
    kind = "independent" if numbers == "sigmoid" else "logits"
    assert data["output"] == {"name": data["output"]["name"], "classes": 3, "values": kind}


def test_a_softmax_that_is_an_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tail = "- {linear: 3, name: fc}\n  - {softmax: true, name: probs}\noutputs: [probs, fc]"
    options = [str(weights(tmp_path)), "--preprocessing", HOW, "--format", "json"]
    assert predict(tmp_path, *options, tail=tail) == 2
    assert told(capsys) == (
        "error: `net` gives several vectors (`probs` 3, `fc` 3); say which with --output\n"
    )
    found = []
    for name in ("probs", "fc"):
        assert predict(tmp_path, *options, "--output", name, tail=tail) == 0
        data = json.loads(capsys.readouterr().out)
        found.append([row["probability"] for row in data["pictures"][0]["classes"]])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    assert predict(tmp_path, *options, "--output", "x", tail=tail) == 2
    assert told(capsys) == "error: --output x: the outputs of `net` are `probs` 3, `fc` 3\n"


def as_data(predictions: tuple[netdraft.Prediction, ...]) -> list[dict[str, Any]]:
    """Return predictions in the keys of `predict --format json`."""
    return [
        {
            "image": p.image,
            "classes": [
                {"class": s.index, "name": s.name, "probability": s.probability, "value": s.value}
                for s in p.classes
            ],
        }
        for p in predictions
    ]


@pytest.mark.parametrize("top", [2, 9])
def test_python_gives_what_the_command_prints(
    tmp_path: Path, top: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file = weights(tmp_path, noted(names='["red", "green", "blue"]'))
    assert predict(tmp_path, str(file), "--format", "json", "--top", str(top)) == 0
    printed = json.loads(capsys.readouterr().out)["pictures"]
    spec, image = tmp_path / "net.yaml", tmp_path / "p.png"
    assert as_data(netdraft.predict(spec, image, weights=file, top=top)) == printed
    module = netdraft.build_module(spec, weights=file)
    assert as_data(netdraft.predict(module, [image], top=top)) == printed
    assert module.training
    graph = netdraft.load(spec)
    twice = netdraft.predict(graph, [image, str(image)], weights=file, top=top)
    assert as_data(twice) == printed * 2
    inside = netdraft.build_module(spec, weights=file, normalize=True)
    assert as_data(netdraft.predict(inside, image, top=top)) == printed


def test_python_with_names_and_preprocessing_said(tmp_path: Path) -> None:
    module = netdraft.build_module(network(tmp_path), weights=weights(tmp_path))
    said: dict[str, Any] = {"names": ["r", "g", "b"], "preprocessing": HOW}
    (found,) = netdraft.predict(module, picture(tmp_path), top=1, **said)
    assert found == netdraft.Prediction(str(tmp_path / "p.png"), found.classes)
    assert [(score.index, score.name) for score in found.classes] == [(1, "g")]
    with pytest.raises(UsageError, match=r"^the module does not say how a picture becomes") as e:
        netdraft.predict(module, picture(tmp_path))
    assert "say it with preprocessing='MAP' or preprocessing='{mean: [0.5, " in str(e.value)
    (tmp_path / "p.png").touch()
    for images in (3, [3]):
        with pytest.raises(UsageError, match=r"^images=3: give (the|a) file of a picture"):
            netdraft.predict(module, images)  # type: ignore[arg-type]
    with pytest.raises(
        UsageError, match=r"^`names` lists names of 2 classes, and the output `fc` has 3$"
    ):
        netdraft.predict(module, picture(tmp_path), names=["r", "g"], preprocessing=HOW)


WANTS_MAP = "weights_from=3: give a file of a map, or the name of one"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "a spec has no weights: give a file of them, weights=..."),
        ({"top": 0}, "top=0: it takes a whole number from 1"),
        ({"top": True}, "top=True: it takes a whole number from 1"),
        ({"weights": 3}, "weights=3: give a file"),
        ({"weights": "w", "weights_from": 3}, WANTS_MAP),
        ({"names": 3}, "names=3: give texts, as in ['tench']"),
        ({"preprocessing": 3}, "preprocessing=3: give a map, or '{mean: ..., ...}'"),
        ({"weights": "w", "output": "x"}, "output='x': the outputs of `net` are `fc` 3"),
    ],
)
def test_python_says_what_is_wrong(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        netdraft.predict(network(tmp_path), picture(tmp_path), **given)


def test_python_with_modules_that_give_something_else(tmp_path: Path) -> None:
    spec, image = network(tmp_path), picture(tmp_path)
    tapped = netdraft.build_module(spec, taps=["fc"])
    with pytest.raises(UsageError, match=r"gives taps or feature maps, not its"):
        netdraft.predict(tapped, image, preprocessing=HOW)
    with pytest.raises(UsageError, match=r"^a module has its weights; `load_weights` gives"):
        netdraft.predict(netdraft.build_module(spec), image, weights=weights(tmp_path))
    with pytest.raises(ValueError, match="carries no graph"):
        netdraft.predict(torch.nn.Identity(), image)


def test_python_warns_of_values_that_no_training_leaves(tmp_path: Path) -> None:
    state = {"fc.weight": torch.zeros(3, 3), "fc.bias": torch.zeros(3)}
    save_file(state, tmp_path / "w.safetensors", noted())
    with pytest.warns(UserWarning, match=r"fc.weight: all 9 values are zero"):
        netdraft.predict(network(tmp_path), picture(tmp_path), weights=tmp_path / "w.safetensors")


def test_names_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("r\ng\nb\n")
    options = ["--preprocessing", HOW, "--names", str(tmp_path / "names.txt"), "--top", "1"]
    assert predict(tmp_path, str(weights(tmp_path)), *options) == 0
    assert "%  g, class 1\n" in capsys.readouterr().out


def test_pictures_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, file = network(tmp_path), weights(tmp_path, noted())
    paths = []
    for i in range(3):
        paths.append(str(picture(tmp_path, tuple(255 * (i == j) for j in range(3)))))  # type: ignore[arg-type]
        paths[-1] = str(Path(paths[-1]).rename(tmp_path / f"{i}.png"))
    assert main(["predict", str(spec), *paths, "--weights", str(file), "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[2] for line in lines if "class " in line] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (
            {"input": "left: [3, 4, 4], right: [3, 4, 4]", "tail": "- {add: [left, right]}"},
            [],
            "`net` takes 2 inputs (`left`, `right`), not one picture",
        ),
        (
            {"input": "image: [2, 4, 4]"},
            [],
            "the input `image` of `net` is (N, 2, 4, 4), not an RGB or grey picture",
        ),
        (
            {"input": "image: [3, H, W]"},
            [],
            "the input `image` is HxWx3, a size is left open; say --input image=3x224x224",
        ),
        (
            {"tail": "- {conv: 1x1, filters: 2, from: image, name: mask}"},
            [],
            "`net` has no output with a number a class: it gives `mask` 4x4x2",
        ),
        (
            {"tail": "- {conv: 1x1, filters: 2, from: image, name: mask}"},
            ["--output", "mask"],
            "the output `mask` of `net` is 4x4x2, no classes",
        ),
        (
            {"tail": "- {linear: 3, name: fc}\n  - normalize"},
            [],
            "the output `normalize` of `net` is an embedding of length 1 with 3 numbers, no "
            "classes",
        ),
        (
            {"tail": "- {linear: 1, name: fc}"},
            [],
            "the output `fc` of `net` is one number, no classes",
        ),
        (
            {"tail": "- {dropout: {drop: 0.2}}\noutputs: [dropout]"},
            [],
            "the output `dropout` of `net` is 3 features of `image` (Input), no classes: "
            "no linear layer or 1x1 convolution ends it; `build` makes the module that gives "
            "them, and a layer {linear: CLASSES} at the end would classify",
        ),
    ],
)
def test_networks_without_classes(
    tmp_path: Path,
    given: dict[str, str],
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert predict(tmp_path, "no.safetensors", *options, **given) == 2
    assert told(capsys).splitlines()[-1] == f"error: {message}"


IN = "from: image"
JOINED = (
    "- {conv: 1x1, filters: 3, from: image, name: a}\n"
    "  - {conv: 1x1, filters: 3, from: image, name: b}\n"
)


@pytest.mark.parametrize(
    ("tail", "made"),
    [
        (f"- {{conv: 3x3, filters: 3, {IN}, name: c}}\n  - global_avg_pool", "`c` (Conv2d)"),
        (JOINED + "  - {concat: [a, b], name: j}\n  - global_avg_pool", "`j` (Concat)"),
        (JOINED + "  - {add: [a, b], name: j}\n  - relu\n  - global_avg_pool", "`j` (Add)"),
        (f"- {{conv: 1x1, filters: 3, {IN}}}\n  - {{flatten: true, name: f}}", "`f` (Flatten)"),
        ("- {linear: 3}\n  - {multiply: [linear, global_avg_pool], name: m}", "`m` (Multiply)"),
    ],
)
def test_features_are_no_classes(
    tmp_path: Path, tail: str, made: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(tmp_path, "no.safetensors", tail=tail) == 2
    assert f" features of {made}, no classes: no linear layer or 1x1 " in told(capsys)


@pytest.mark.parametrize(
    "tail",
    [
        f"- {{conv: 1x1, filters: 3, {IN}, name: c}}\n  - global_avg_pool",
        f"- {{conv: 4x4, filters: 3, padding: V, {IN}, name: c}}\n  - {{flatten: true, name: f}}",
        "- {linear: 3, name: a}\n  - {linear: 3, name: b, from: global_avg_pool}\n"
        "  - {add: [a, b]}\n  - {scale: 0.5}",
        "- {softmax: true, name: s}\n  - {dropout: {drop: 0.5}, name: d}\noutputs: [d]",
        "- softmax",
    ],
)
def test_scores_of_classes(tmp_path: Path, tail: str) -> None:
    graph = target_graph(load_graph(network(tmp_path, tail)))
    found = class_output(graph)
    assert (found.classes, found.doubt) == (3, "")


@pytest.mark.parametrize(("name", "size"), [("zoo/resnet18", 224), ("inception_v4", 299)])
def test_an_open_size_offers_the_one_that_the_spec_declares(
    name: str, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", name, "p.png", "--weights", "w", "--input", "3xHxW"]) == 2
    assert told(capsys) == (
        "error: the input `image` is HxWx3, a size is left open; "
        f"say --input image=3x{size}x{size}\n"
    )


def test_a_layer_that_may_be_hidden_has_classes_where_they_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SqueezeNet rectifies its scores; VGG without its last layer looks the same."""
    tail = "- {linear: 3, name: fc}\n  - {relu: true, name: r}"
    options = [str(weights(tmp_path)), "--preprocessing", HOW]
    assert predict(tmp_path, *options, tail=tail) == 2
    assert told(capsys) == (
        "error: the output `r` of `net` is 3 features of `fc` (Linear), no classes: no "
        "linear layer or 1x1 convolution ends it; `build` makes the module that gives them, and a "
        "layer {linear: CLASSES} at the end would classify; where they are classes after all, "
        "name them with --names\n"
    )
    (tmp_path / "names.txt").write_text("r\ng\nb\n")
    named = ["--names", str(tmp_path / "names.txt"), "--top", "1"]
    assert predict(tmp_path, *options, *named, tail=tail) == 0
    assert "g, class 1" in capsys.readouterr().out


def test_a_known_network_without_its_classifier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = tmp_path / "child.yaml"
    child.write_text(
        "extends: zoo/inception_v3\nnetwork: child\nchanges: [{remove: logits}]\n"
        "outputs: [dropout]\n"
    )
    image = str(picture(tmp_path))
    assert main(["predict", str(child), image, "--weights", "no.safetensors"]) == 2
    assert told(capsys).splitlines()[-1] == (
        "error: the output `dropout` of `child` is 2,048 features of `mixed_7c.concat` (Concat), "
        "no classes: no linear layer or 1x1 convolution ends it; `build` makes the module that "
        "gives them, and a layer {linear: CLASSES} at the end would classify"
    )


def test_weights_that_say_no_preprocessing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = weights(tmp_path)
    assert predict(tmp_path, str(file)) == 2
    assert told(capsys) == (
        f"error: {file} does not say how a picture becomes the input, and a guess would give wrong "
        "classes; say it with --preprocessing MAP or --preprocessing '{mean: [0.5, 0.5, 0.5], "
        "deviation: [0.5, 0.5, 0.5], interpolation: bicubic, crop: 7/8}'\n"
    )


def test_another_number_of_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = weights(tmp_path, noted(names='["red", "green"]'))
    assert predict(tmp_path, str(file)) == 1
    text = "lists names of 2 classes, and the output `fc` has 3"
    assert told(capsys) == f"error: {file} {text}; name them with --names FILE\n"
    (tmp_path / "names.txt").write_text("r\ng\n")
    assert predict(tmp_path, str(file), "--names", str(tmp_path / "names.txt")) == 2
    assert told(capsys) == f"error: {tmp_path / 'names.txt'} {text}\n"


WRONG_NOTES = {"names": "cat", "preprocessing": "cat"}


def test_wrong_metadata_has_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = weights(tmp_path, noted(names="cat"))
    assert predict(tmp_path, str(file)) == 1
    assert told(capsys) == (
        f"error: {file}: `names` in its metadata is no list of names of classes; name them with "
        "--names FILE\n"
    )
    file = weights(tmp_path, {"preprocessing": "cat"})
    assert predict(tmp_path, str(file)) == 1
    assert " ".join(told(capsys).partition("= help: ")[2].split()).startswith(
        "this is in the metadata of the weights; say it with --preprocessing MAP or "
        "--preprocessing '{mean: [0.5, 0.5, 0.5],"
    )


def test_what_a_user_says_takes_the_place_of_wrong_metadata(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = weights(tmp_path, WRONG_NOTES)
    (tmp_path / "names.txt").write_text("r\ng\nb\n")
    said = ["--names", str(tmp_path / "names.txt"), "--preprocessing", HOW]
    assert predict(tmp_path, str(file), "--top", "1", *said) == 0
    assert "g, class 1" in capsys.readouterr().out
    given: dict[str, Any] = {"weights": file, "names": ["r", "g", "b"], "preprocessing": HOW}
    (found,) = netdraft.predict(network(tmp_path), picture(tmp_path), top=1, **given)
    assert found.classes[0].name == "g"
    out = tmp_path / "again.safetensors"
    assert main(["weights", str(network(tmp_path)), str(file), "-o", str(out), *said]) == 0
    assert predict(tmp_path, str(out), "--top", "1") == 0
    assert "g, class 1" in capsys.readouterr().out


def test_weights_that_fit_in_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = weights(tmp_path, noted())
    assert (
        predict(tmp_path, str(file), tail="- {linear: 3, name: fc}\n  - {linear: 2, name: x}") == 1
    )
    assert told(capsys) == (
        f"error: {file} does not fit `net`, nothing was predicted: 2 of 4 tensors match\n"
        "  `x.weight` is missing; the network needs 2x3\n"
        "  `x.bias` is missing; the network needs 2\n"
    )


def test_weights_that_are_not_finite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = {"fc.weight": torch.full((3, 3), torch.inf), "fc.bias": torch.zeros(3)}
    save_file(state, tmp_path / "w.safetensors", noted())
    assert predict(tmp_path, str(tmp_path / "w.safetensors")) == 1
    assert told(capsys) == (
        "  warning: values that no training leaves behind:\n"
        "    fc.weight: 9 of 9 values are not finite\n"
        "error: the output `fc` has values that are not finite; look at the weights\n"
    )


def test_a_picture_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, file = network(tmp_path), weights(tmp_path, noted())
    missing = tmp_path / "no.png"
    assert main(["predict", str(spec), str(missing), "--weights", str(file)]) == 2
    assert told(capsys) == f"error: {missing}: there is no such file\n"


def how(interpolation: str = "bilinear", crop: str = "1", range: int = 1) -> Preprocessing:
    return Preprocessing("", range, (0.0,) * 3, (1.0,) * 3, interpolation, crop)


def gradient(path: Path, width: int, height: int) -> Path:
    columns = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (height, width, 3))
    Image.fromarray(np.array(columns)).save(path)
    return path


def values(photo: Tensor) -> list[float]:
    return [round(float(v)) for v in photo[0, 0, 0]]


def test_the_middle_is_cut_out_at_the_size_that_the_share_says(tmp_path: Path) -> None:
    path = gradient(tmp_path / "x.png", 16, 16)
    # 14 / (7/8) = 16: nothing is scaled, and a column goes on either side.
    assert values(load_photo(path, 14, 14, how(crop="7/8", range=255))) == list(range(1, 15))
    wide = gradient(tmp_path / "y.png", 20, 16)
    assert values(load_photo(wide, 14, 14, how(crop="7/8", range=255))) == list(range(3, 17))


def test_a_picture_covers_an_input_that_is_no_square(tmp_path: Path) -> None:
    path = gradient(tmp_path / "x.png", 20, 16)
    assert load_photo(path, 16, 4, how()).shape == (1, 3, 16, 4)
    assert values(load_photo(path, 16, 4, how(range=255))) == [8, 9, 10, 11]
    assert values(load_photo(path, 4, 20, how(range=255))) == list(range(20))


def test_a_network_of_one_channel_sees_a_picture_in_grey(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = network(tmp_path, input="image: [1, 4, 4]")
    state = {"fc.weight": torch.tensor([[1.0], [2.0], [0.0]]), "fc.bias": torch.zeros(3)}
    half = HOW.replace("[0, 0, 0]", "[0.5, 0.5, 0.5]").replace("[1, 1, 1]", "[0.25, 0.25, 0.25]")
    file, image = save_weights(state, tmp_path / "w.st"), picture(tmp_path)
    options = ["predict", str(spec), str(image), "--weights", str(file), "--preprocessing"]
    assert main([*options, half, "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["pictures"]
    # ITU-R 601-2 luma of 255, 255, 51 in whole numbers, as Pillow says it: 231.7.
    grey = (232 / 255 - 0.5) / 0.25
    got = {row["class"]: row["value"] for row in found["classes"]}
    assert got == pytest.approx({0: grey, 1: 2 * grey, 2: 0}, abs=1e-6)
    assert main([*options, half.replace("[0.5, 0.5, 0.5]", "[0.4, 0.5, 0.6]")]) == 2
    assert told(capsys) == (
        "error: the network takes grey pictures, and the preprocessing has a number for each "
        "colour (0.4, 0.5, 0.6); give one number three times\n"
    )


def test_mean_and_deviation_by_channel(tmp_path: Path) -> None:
    path = picture(tmp_path, (255, 102, 51))
    said = Preprocessing("", 1, (0.5, 0.2, 0.1), (0.25, 0.5, 1.0), "bicubic", "1")
    photo = load_photo(path, 2, 2, said)
    torch.testing.assert_close(photo[0, :, 0, 0], torch.tensor([2.0, 0.4, 0.1]))


def test_a_picture_that_would_be_scaled_beyond_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable_of("scaled_pixels"), "1000")
    Image.new("RGB", (100, 1)).save(tmp_path / "p.png")
    spec, file = network(tmp_path), weights(tmp_path, noted())
    assert main(["predict", str(spec), str(tmp_path / "p.png"), "--weights", str(file)]) == 2
    assert told(capsys) == (
        f"error: {tmp_path / 'p.png'} is 100x1, and scaled to cover 4x4 it is 400x4: the limit is "
        "1,000; NETDRAFT_LIMIT_SCALED_PIXELS sets another\n"
    )


def test_a_shipped_network_without_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = build_module(load_graph("zoo/googlenet"))
    out = save_weights(module.state_dict(), tmp_path / "own.safetensors")
    noted = tmp_path / "noted.safetensors"
    options = ["--preprocessing", "torchvision:googlenet", "-o", str(noted)]
    assert main(["weights", "zoo/googlenet", str(out), *options]) == 0
    path = picture(tmp_path)
    assert main(["predict", "zoo/googlenet", str(path), "--weights", str(noted)]) == 0
    assert "classes: 1,000, without names\n" in capsys.readouterr().out
