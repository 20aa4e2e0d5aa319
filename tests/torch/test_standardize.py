"""Networks that take pictures as they are: mean and deviation inside, in every target."""

from __future__ import annotations

import inspect
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.distributed as dist
from PIL import Image

from backends.state.photo import load_photo
from backends.state.weights_io import read_metadata, save_weights
from backends.torch.module import graph_of, load_source, network_class
from backends.torch.source import emit_source
from compiler import api
from compiler.__main__ import main
from compiler.errors import BackendError, UsageError
from compiler.graph import Graph
from compiler.graph.print import print_graph
from compiler.pipeline import load_graph, target_graph
from compiler.weights.mapping import Preprocessing
from compiler.weights.standardize import standardize_input
from tests.every_target.targets import TARGETS
from tests.kernels import need_kernels
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.small_graphs import random_state
from tests.oracle.ways import module_from

SPEC = """network: net
input: {image: [3, 9, 8]}
layers:
  - {conv: 3x3, filters: 4, padding: 1, name: c, norm: batch_norm, activation: relu}
  - {conv: 1x1, filters: 3, name: d}
  - {add: [d, image], name: sum}
  - global_avg_pool
  - {linear: 3, name: fc}
  - softmax
"""
HOW = Preprocessing("", 1, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear", "1")
BYTES = Preprocessing("", 255, (127.5, 127.5, 127.5), (128.0, 64.0, 51.0), "bilinear", "1")
TEXT = "{mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225], interpolation: bilinear}"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def process_group() -> Iterator[None]:
    """A process group of one, for DistributedDataParallel."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
    dist.init_process_group("gloo", f"tcp://localhost:{port}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def pictures() -> torch.Tensor:
    return torch.rand(2, 3, 9, 8, generator=torch.Generator().manual_seed(3))


def standardized(x: torch.Tensor, how: Preprocessing) -> torch.Tensor:
    """Return what another pipeline would hand to the network."""
    mean, deviation = (np.array(v)[:, None, None] for v in (how.mean, how.deviation))
    return torch.as_tensor((x.numpy() * how.range - mean) / deviation)


def expected(graph: Graph, state: Mapping[str, np.ndarray], how: Preprocessing) -> np.ndarray:
    """Return what the oracle gives for the network as it is written, fed standardised pictures."""
    result = evaluate(graph, state, {"image": standardized(pictures(), how).numpy()})
    return np.asarray(result["fc"])


@pytest.mark.parametrize("name", list(TARGETS))
@pytest.mark.parametrize("how", [HOW, BYTES], ids=["to 1", "to 255"])
def test_every_target(spec: Path, name: str, how: Preprocessing, process_group: None) -> None:
    written = target_graph(load_graph(spec))
    graph = standardize_input(written, how)
    state = random_state(written, 1)
    need_kernels(name)
    if name.startswith("native"):
        with pytest.raises(BackendError) as caught:
            TARGETS[name](graph, state, (), (pictures(),))
        assert str(caught.value) == "`standardize`: the native engine has no Standardize"
        return
    run = TARGETS[name](graph, state, (), (pictures(),))
    (got,) = run(pictures())
    want = expected(written, state, how)
    tolerance = 0.05 if name == "autocast" else 2e-4
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=tolerance, atol=tolerance)


def test_the_graph(spec: Path) -> None:
    written = load_graph(spec)
    graph = standardize_input(target_graph(written), HOW)
    lines = print_graph(graph).splitlines()
    assert [line.strip() for line in lines if "%image" in line or "tandardize" in line][1:] == [
        "%standardize = Standardize(%image) {mean=[0.485, 0.456, 0.406], "
        "deviation=[0.229, 0.224, 0.225]} : (N, 3, 9, 8)",
        "%c.conv = Conv2d(%standardize) {out_channels=4, kernel_size=3x3, padding=1, bias=false} "
        ": (N, 4, 9, 8)",
        "%sum = Add(%d, %standardize) : (N, 3, 9, 8)",
    ]
    assert (graph.parameters(), graph.macs()) == (written.parameters(), written.macs())
    assert graph.as_written is written


def test_names_that_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace("name: sum", "name: standardize"))
    graph = standardize_input(target_graph(load_graph(path)), HOW)
    assert "standardize_2" in graph.nodes


def test_the_source_says_the_range_and_keeps_the_names(spec: Path) -> None:
    source = emit_source(standardize_input(target_graph(load_graph(spec)), HOW))
    assert "Take RGB values from 0 to 1 to what the weights expect: (x - mean) / dev" in source
    assert "Standardize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))" in source
    plain = module_from(emit_source(target_graph(load_graph(spec))))
    assert list(module_from(source).state_dict()) == list(plain.state_dict())


def test_the_constants_move_with_the_module(spec: Path) -> None:
    module = api.build_module(spec, normalize=TEXT)
    x = pictures()
    out = module.eval()(x)
    halved = module.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert halved.dtype == torch.bfloat16
    torch.testing.assert_close(halved.float(), out, rtol=0.1, atol=0.1)


def test_a_module_from_python(spec: Path, tmp_path: Path) -> None:
    plain = api.build_module(spec).eval()
    notes = {"preprocessing": json.dumps(HOW.as_data())}
    file = save_weights(plain.state_dict(), tmp_path / "w.safetensors", notes)
    want = plain(standardized(pictures(), HOW).float())
    for module in (
        api.build_module(spec, weights=file, normalize=True),
        api.build_module(spec, weights=file, normalize=TEXT),
    ):
        torch.testing.assert_close(module.eval()(pictures()), want)
        assert graph_of(module).nodes.keys() == load_graph(spec).nodes.keys()
    assert "Standardize(" in api.emit_source(spec, normalize=TEXT)


def test_what_python_cannot_know(spec: Path, tmp_path: Path) -> None:
    file = save_weights(api.build_module(spec).state_dict(), tmp_path / "w.safetensors")
    for weights in (None, file):
        with pytest.raises(UsageError) as caught:
            api.build_module(spec, normalize=True, weights=weights)
        assert str(caught.value) == (
            "normalize=True: the weights do not say mean and deviation; give a map, as "
            "normalize='timm:inception_v4', or '{mean: ..., deviation: ..., interpolation: ...}'"
        )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            "left: [3, 4, 4], right: [3, 4, 4]",
            "`net` takes `left` 4x4x3, `right` 4x4x3, not one RGB picture to be normalised",
        ),
        ("image: [1, 4, 4]", "`net` takes `image` 4x4x1, not one RGB picture to be normalised"),
        ("image: [3]", "`net` takes `image` 3, not one RGB picture to be normalised"),
    ],
)
def test_networks_that_take_no_picture(tmp_path: Path, inputs: str, message: str) -> None:
    path = tmp_path / "net.yaml"
    names = ["left", "right"] if "left" in inputs else ["image"]
    path.write_text(f"network: net\ninput: {{{inputs}}}\nlayers: [{{add: {names}}}]\n")
    with pytest.raises(UsageError) as caught:
        standardize_input(load_graph(path), HOW)
    assert str(caught.value) == message


def build(folder: Path, *options: str) -> int:
    out = str(folder / "out")
    return main(["build", str(folder / "net.yaml"), "-o", out, "--device", "cpu", *options])


def test_build(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = api.build_module(spec, seed=5).eval()
    notes = {"preprocessing": json.dumps(BYTES.as_data()), "names": '["a", "b", "c"]'}
    file = save_weights(plain.state_dict(), tmp_path / "w.safetensors", notes)
    picture = tmp_path / "p.png"
    Image.effect_noise((11, 12), 90).convert("RGB").save(picture)
    options = ["--weights", str(file), "--target", "source,onnx,export", "--image", str(picture)]
    assert build(tmp_path, *options, "--normalize", "--save-weights") == 0
    out = capsys.readouterr().out
    assert "the network takes RGB values from 0 to 1; mean and deviation are inside\n" in out
    assert any(line.startswith("Standardize ((x - 0.5) / ") for line in out.splitlines())
    assert f"image: {picture} (bilinear, whole, x as it is, from 0 to 1)\n" in out
    with torch.no_grad():
        want = plain(load_photo(picture, 9, 8, BYTES)).numpy()
    x = load_photo(picture, 9, 8, Preprocessing("", 1, (0,) * 3, (1,) * 3, "bilinear", "1"))
    assert 0 <= x.min() < x.max() <= 1
    session = onnxruntime.InferenceSession(tmp_path / "out" / "net.onnx")
    np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], want, atol=1e-5)
    program = torch.export.load(tmp_path / "out" / "net.pt2").module()
    np.testing.assert_allclose(program(x).detach().numpy(), want, atol=1e-5)
    assert "Standardize" in (tmp_path / "out" / "net.graph.txt").read_text()
    saved = read_metadata(tmp_path / "out" / "net.safetensors")
    assert (json.loads(saved["names"]), saved["spec"]) == (["a", "b", "c"], "net")
    assert json.loads(saved["preprocessing"])["range"] == 255


def test_weights_of_a_normalised_build_predict_the_same(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save_weights(api.build_module(spec, seed=5).state_dict(), tmp_path / "w.safetensors")
    picture = tmp_path / "p.png"
    Image.effect_noise((9, 9), 90).convert("RGB").save(picture)
    options = ["--weights", str(file), "--preprocessing", TEXT]
    assert build(tmp_path, *options, "--normalize", "--save-weights") == 0
    capsys.readouterr()
    found = []
    for weights in (options, ["--weights", str(tmp_path / "out" / "net.safetensors")]):
        assert main(["predict", str(spec), str(picture), *weights, "--format", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["pictures"])
    assert found[0] == found[1]


def test_a_run_after_build_uses_what_the_weights_say(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = {"preprocessing": json.dumps(HOW.as_data())}
    state = api.build_module(spec).state_dict()
    file = save_weights(state, tmp_path / "w.safetensors", notes)
    assert build(tmp_path, "--weights", str(file)) == 0
    assert (
        "image: the photograph that netdraft ships with (bilinear, whole, "
        "(x - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225) for x from 0 to 1)\n"
    ) in capsys.readouterr().out


def test_sizes_that_are_left_open(spec: Path, tmp_path: Path) -> None:
    options = ["--input", "3xHxW", "--target", "onnx", "--preprocessing", TEXT, "--save-weights"]
    assert build(tmp_path, *options, "--normalize", "--seed", "4") == 0
    plain = api.build_module(spec, seed=4).eval()
    session = onnxruntime.InferenceSession(tmp_path / "out" / "net.onnx")
    for height, width in ((9, 8), (13, 21)):
        x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))
        with torch.no_grad():
            want = plain(standardized(x, HOW).float()).numpy()
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], want, atol=1e-5)


def test_build_without_mean_and_deviation(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path, "--normalize") == 2
    assert capsys.readouterr().err == (
        "error: --normalize needs mean and deviation, and nothing says them; say it with "
        "--preprocessing MAP or --preprocessing '{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, "
        "0.5], interpolation: bicubic, crop: 7/8}'\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("run", [[], ["--run"]])
def test_verify(
    spec: Path, tmp_path: Path, run: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path, "--normalize", "--preprocessing", TEXT) == 0
    source = str(tmp_path / "out" / "net.py")
    assert main(["verify", source, str(spec), "--normalize", TEXT, *run]) == 0
    assert main(["verify", source, str(spec), "--normalize", TEXT.replace("229", "2"), *run]) == 1
    assert main(["verify", source, str(spec), *run]) == 1


@pytest.mark.parametrize(
    ("spec", "offers"),
    [("zoo/googlenet", ["classes"]), ("inception_v4", ["classes"]), ("zoo/resnet18", ["classes"])],
)
def test_the_emitted_class_takes_the_parameters(spec: str, offers: list[str]) -> None:
    """All but the channels, of which mean and deviation are: what `--set` gives is `Class(p=v)`."""
    graph = standardize_input(target_graph(load_graph(spec)), HOW)
    made = network_class(load_source(emit_source(graph)))
    assert list(inspect.signature(made.__init__).parameters) == ["self", *offers]
    other = standardize_input(target_graph(load_graph(spec, {"classes": "7"})), HOW)
    theirs = network_class(load_source(emit_source(other)))
    with torch.device("meta"):
        mine, wanted = made(classes=7).state_dict(), theirs().state_dict()
    assert {n: t.shape for n, t in mine.items()} == {n: t.shape for n, t in wanted.items()}


def test_formulas_behind_mean_and_deviation(tmp_path: Path) -> None:
    """What reads the input's channels by name reads a number."""
    path = tmp_path / "t.yaml"
    path.write_text(
        "network: t\ninput: {image: [3, 8, 8]}\nparams: {n: 4}\n"
        "blocks: {b: {params: {n: {type: int}}, layers: [{conv: 1x1, filters: n * in.channels}]}}\n"
        "layers:\n  - {block: b, name: b, with: {n: n}}\n"
        "  - {conv: 3x3, filters: image.channels + n, name: c}\n  - {add: [c, c]}\n"
    )
    made = network_class(
        load_source(emit_source(standardize_input(target_graph(load_graph(path)), HOW)))
    )
    assert list(inspect.signature(made.__init__).parameters) == ["self", "n"]
    for n in (1, 6):
        graph = standardize_input(target_graph(load_graph(path, {"n": str(n)})), HOW)
        wanted = network_class(load_source(emit_source(graph)))()
        mine = made(n=n)
        mine.load_state_dict(wanted.state_dict())
        torch.testing.assert_close(mine(pictures()), wanted(pictures()))
