"""Feature maps: which, what they are called, and that every target gives them."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest
import torch

import netdraft
from backends.onnx.model import build_onnx
from backends.state.unit_scale import randomize
from backends.torch.export_program import export_program
from backends.torch.module import build_module
from compiler.__main__ import main
from compiler.errors import BackendError, UsageError
from compiler.facts.features import Feature, feature_graph, features_of
from compiler.pipeline import load_graph
from netdraft import features
from tests.torch.known_networks import NETWORKS
from tests.weights.key_lists import key_list


def test_the_last_map_before_each_change_of_stride(tmp_path: Path) -> None:
    assert features_of(load_graph("zoo/resnet18")) == (
        Feature(64, 2, "stem"),
        Feature(64, 4, "layer1"),
        Feature(128, 8, "layer2"),
        Feature(256, 16, "layer3"),
        Feature(512, 32, "layer4"),
    )


def test_where_the_grid_grows_again_a_reduction_has_several_maps(tmp_path: Path) -> None:
    path = tmp_path / "hourglass.yaml"
    path.write_text(
        "network: hourglass\ninput: {image: [3, 16, 16]}\nlayers:\n"
        "  - {conv: 3x3, filters: 4, stride: 2, name: a}\n  - {conv: 3x3, filters: 5, name: b}\n"
        "  - {max_pool: 2x2, stride: 2, name: pool}\n  - {conv: 3x3, filters: 6, name: r}\n"
        "  - branches: {fine: [], coarse: [{max_pool: 2x2, stride: 2}, {upsample: 2}]}\n"
        "    join: add\n    name: sum\n"
        "  - {upsample: 2, name: up}\n  - {conv: 3x3, filters: 7, name: c}\n"
        "  - {upsample: 2, name: whole}\n  - {max_pool: 2x2, stride: 2, name: d}\n"
    )
    assert features_of(load_graph(path)) == (
        Feature(5, 2, "b"),
        Feature(6, 4, "sum"),
        Feature(7, 2, "c"),
        Feature(7, 2, "d"),
    )


def test_named_maps_in_the_order_asked_for(tmp_path: Path) -> None:
    graph = load_graph("zoo/resnet18")
    module = features(graph, ["layer2", "stem"])
    assert module.feature_info == [
        {"num_chs": 128, "reduction": 8, "module": "layer2"},
        {"num_chs": 64, "reduction": 2, "module": "stem"},
    ]
    assert [tuple(m.shape) for m in module(torch.zeros(1, 3, 64, 96))] == [
        (1, 128, 8, 12),
        (1, 64, 32, 48),
    ]


def test_a_text_is_one_name(tmp_path: Path) -> None:
    graph = load_graph("zoo/resnet18")
    assert features_of(graph, "layer2") == (Feature(128, 8, "layer2"),)
    assert features_of(graph, "auto") == features_of(graph)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("layer9", "there is no tensor `layer9` in `resnet18` (did you mean `layer4`?)"),
        ("fc", "`fc` is a vector, (N, 1000), not a computed map"),
        ("image", "`image` is an input of the network, not a computed map"),
    ],
)
def test_what_is_no_map(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        features_of(load_graph("zoo/resnet18"), [name])
    assert str(refused.value) == message


def test_every_target_gives_the_maps(tmp_path: Path) -> None:
    graph = load_graph("zoo/resnet18")
    part = feature_graph(graph, features_of(graph, ["stem", "layer2.first"]))
    module = build_module(part).eval()
    x = torch.randn(2, 3, 64, 96)
    randomize(module, 0, x)
    state = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
    model = build_onnx(part, state, dynamic_grid=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    program = export_program(part, module, dynamic_grid=True)
    with torch.no_grad():
        wanted = module(x)
    assert wanted._fields == ("stem", "layer2_first")
    assert [o.name for o in session.get_outputs()] == ["stem", "layer2_first"]
    for want, have in zip(wanted, program.module()(x), strict=True):
        torch.testing.assert_close(have, want)
    for want, array in zip(wanted, session.run(None, {"image": x.numpy()}), strict=True):
        torch.testing.assert_close(torch.as_tensor(array), want, atol=1e-4, rtol=1e-4)


def test_weights_of_the_whole_network(tmp_path: Path) -> None:
    graph = load_graph("zoo/resnet18")
    whole = build_module(graph, seed=3)
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    module = features(graph, ["layer1"], weights=tmp_path / "whole.pth")
    state = whole.state_dict()
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())


SMALL = """\
network: small
input: {image: [3, 8, 8]}
blocks:
  head: {layers: [{global_avg_pool: true, name: pool}, {linear: 5, name: fc}]}
layers:
  - {conv: 1x1, filters: 3, name: a}
  - {conv: 1x1, filters: 3, from: image, share: a, name: b}
  - {block: head, name: head, from: a}
outputs: [head, b]
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    torch.save(netdraft.build_module(path, seed=3).state_dict(), tmp_path / "whole.pth")
    return path


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_file_of_the_whole_network_fits_a_part(small: Path, name: str) -> None:
    """Where the layer that owns parameters is not built, who shares them gets them."""
    module = features(small, [name])
    report = netdraft.load_weights(module, small.parent / "whole.pth")
    x = torch.ones(1, 3, 8, 8)
    (got,), whole = module(x), netdraft.build_module(small, weights=small.parent / "whole.pth")
    torch.testing.assert_close(got, whole(x)[1])
    assert report.loaded == (f"{name}.weight", f"{name}.bias")
    assert report.not_needed == ("head.fc.weight", "head.fc.bias")
    assert (report.dropped, report.fresh, report.differing) == ((), (), ())
    assert str(report) == (
        f"{small.parent / 'whole.pth'} -> small\n"
        f"    {name}     2 tensors\n"
        "  2 of 2 tensors matched, each of them once\n"
        "  2 tensors belong to layers that are not built and are not needed:\n"
        "    head.fc  weight, bias\n"
    )


def test_what_a_part_lacks_or_does_not_know_is_an_error(small: Path) -> None:
    state = torch.load(small.parent / "whole.pth")
    del state["a.bias"]
    state["a.weight"] = torch.zeros(4, 3, 1, 1)
    state["other.weight"] = state.pop("head.fc.weight")
    torch.save(state, small.parent / "bad.pth")
    with pytest.raises(BackendError) as refused:
        netdraft.load_weights(features(small, ["a"]), small.parent / "bad.pth")
    assert str(refused.value) == (
        f"{small.parent / 'bad.pth'} does not fit `small`, nothing was loaded: "
        "0 of 2 tensors match\n"
        "  `a.weight` is 4x3x1x1 where the network has 3x3x1x1\n"
        "  `other.weight` is 4x3 and has no place in the network\n"
        "  `a.bias` is missing; the network needs 3"
    ).replace("4x3 and", "5x3 and")


def test_another_head_is_not_needed(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = torch.load(small.parent / "whole.pth")
    state["head.fc.weight"] = torch.zeros(9, 3)
    torch.save(state, small.parent / "nine.pth")
    options = ["--features", "a", "--weights", str(small.parent / "nine.pth"), "--device", "cpu"]
    options += ["-o", str(small.parent / "out"), "--save-weights"]
    assert main(["build", str(small), *options]) == 0
    assert (
        "  2 of 2 tensors matched, each of them once\n"
        "  2 tensors belong to layers that are not built and are not needed:\n"
        "    head.fc  weight, bias\n"
    ) in capsys.readouterr().out
    saved = netdraft.features(small, ["a"], weights=small.parent / "out" / "small.safetensors")
    torch.testing.assert_close(saved.state_dict()["a.weight"], state["a.weight"])


def test_published_weights_of_the_whole_fit_a_part(tmp_path: Path) -> None:
    keys = key_list("torchvision_googlenet")
    kinds: dict[object, torch.dtype] = {(): torch.int64}
    state = {n: torch.ones(size, dtype=kinds.get(size)) for n, size in keys.items()}
    torch.save(state, tmp_path / "g.pth")
    module = features("zoo/googlenet", ["conv_3"])
    report = netdraft.load_weights(module, tmp_path / "g.pth", "torchvision:googlenet")
    aux = sum(name.startswith("aux") for name in keys)
    assert len(report.loaded) == 18
    assert len(report.not_needed) == len(keys) - 18 - aux
    assert len(report.dropped) == aux


def test_build_says_and_writes_the_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NETWORKS["strided"].replace("outputs: [last, mean, max]\n", ""))
    arguments = ["build", str(path), "--target", "torch,source", "-o", str(tmp_path / "out")]
    assert main([*arguments, "--features", "mixed,max"]) == 0
    said = capsys.readouterr().out
    assert "feature: mixed, 32 channels, stride 8\nfeature: max, 32 channels, stride 24\n" in said
    assert "def forward" in (tmp_path / "out" / "strided.py").read_text()
    assert main([*arguments, "--features", "mixed", "--format", "json", "--optimize"]) == 0
    assert json.loads(capsys.readouterr().out)["features"] == [
        {"num_chs": 32, "reduction": 8, "module": "mixed"}
    ]
    assert main([*arguments, "--features", "mixed", "--taps", "max"]) == 2
    assert "--features gives maps alone: leave out --taps and --probabilities" in (
        capsys.readouterr().err
    )


def test_build_tells_the_numbers_of_what_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One layer of 3*3*3*4 weights is left of the network, and nothing that is claimed of all."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: t\ninput: {image: [3, 8, 8]}\nlayers:\n"
        "  - {conv: 3x3, filters: 4, stride: 2, bias: false, name: c}\n"
        "  - {max_pool: 2x2, stride: 2, name: p}\n  - {global_avg_pool: true}\n  - {linear: 9}\n"
        "claims: [{of: parameters, value: 153, source: arithmetic}]\n"
    )
    arguments = ["build", str(path), "--features", "auto", "--device", "cpu"]
    assert main([*arguments, "-o", str(tmp_path / "out"), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["summary"]["parameters"] == 108
    assert report["forward"]["outputs"] == [[1, 4, 4, 4], [1, 4, 2, 2]]
    assert json.loads((tmp_path / "out" / "t.summary.json").read_text()) == report["summary"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "forward on cpu: 1x3x8x8 -> 1x4x4x4, 1x4x2x2 in " in said
    assert "published" not in said


def test_a_path_around_every_smaller_map_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: u\ninput: {image: [3, 8, 8]}\nlayers:\n"
        "  - {conv: 3x3, filters: 4, name: fine}\n  - {max_pool: 2x2, stride: 2, name: small}\n"
        "  - {upsample: 2, name: up}\n  - {add: [fine, up]}\n"
    )
    with pytest.raises(UsageError) as refused:
        features_of(load_graph(path))
    assert str(refused.value) == (
        "every map of `u` that is smaller than its input has a path around it; "
        "name those that you want, such as `small`"
    )
