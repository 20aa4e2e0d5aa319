"""A known network changed a little keeps the weights that still fit, and says which do not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from backends.state.weights_io import read_weights, save_weights
from compiler.__main__ import main
from compiler.pipeline import load_graph
from compiler.published import published_graph
from compiler.weights.mapping import load_map, map_names
from compiler.weights.match import match_tensors
from compiler.weights.report import WeightsReport
from compiler.weights.sizes import tensor_sizes
from compiler.weights.wiring import wiring_differences
from netdraft import BackendError, build_module, load_weights
from tests.weights.key_lists import key_list

ROOT = Path(__file__).resolve().parents[2]
V4, R2 = "timm:inception_v4", "timm:inception_resnet_v2"
FACENET = "facenet_pytorch:inception_resnet_v1"
V3, GOOGLENET = "torchvision:inception_v3", "torchvision:googlenet"
NO_HEAD = "changes: [{remove: logits}, {remove: softmax}, {remove: dropout}]\noutputs: [pool]"
RENAMED = "changes: [{replace: reduction_b, by: [{block: reduction_b, name: last}]}]"
NO_FC = "changes: [{remove: logits}]\noutputs: [pool]"

# A convolution with its batch norm has 6 tensors, of which one only counts batches and has the
# same shape everywhere. (map, a setting or what a child file says, counts)
CASES = [
    (V4, "classes=10", (894, 2, 0, 0)),
    (V4, NO_HEAD, (894, 0, 0, 2)),
    # The middle 3x3 (its weight and four of its norm) and what the last 3x3 receives.
    (V4, "changes: [{set: reduction_a, with: {l: 200}}]", (890, 6, 0, 0)),
    # Six convolutions under another name.
    (
        V4,
        "changes: [{replace: reduction_b, by: [{block: reduction_b, name: last}]}]",
        (860, 0, 36, 36),
    ),
    (R2, "classes=10", (1304, 2, 0, 0)),
    (R2, NO_HEAD, (1304, 0, 0, 2)),
    (R2, "changes: [{set: reduction_a, with: {l: 200}}]", (1300, 6, 0, 0)),
    # The 20th block: six tensors of each of four convolutions, two of the linear one.
    (R2, "changes: [{set: b, repeat: 19}]", (1280, 0, 0, 26)),
    (FACENET, "classes=10", (714, 2, 0, 0)),
    (FACENET, "params: {classes: 0}", (714, 0, 0, 2)),
    (FACENET, "changes: [{set: reduction_a, with: {l: 200}}]", (708, 6, 0, 2)),
    (V3, "classes=10", (576, 4, 0, 0)),
    (V3, f"params: {{aux: false}}\n{NO_FC}", (564, 0, 0, 16)),
    # Two chains of 1x1 and 7 wide layers: five of each but the last, and its weight.
    (V3, "changes: [{set: mixed_6b, with: {inner: 120}}]", (548, 32, 0, 0)),
    (GOOGLENET, "classes=10", (342, 2, 0, 20)),
    (GOOGLENET, "params: {classes: 10, aux: true}", (358, 6, 0, 0)),
    (GOOGLENET, NO_FC, (342, 0, 0, 22)),
    (GOOGLENET, "changes: [{set: inception_4c, with: {reduce_3: 100}}]", (338, 6, 0, 20)),
]


def child(folder: Path, base: str, says: str) -> Path:
    path = folder / "child.yaml"
    path.write_text(f"extends: {base}.yaml\nnetwork: child\n{says}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "says", "counts"), CASES)
def test_what_is_kept_of_each_published_file(
    tmp_path: Path, name: str, says: str, counts: tuple[int, int, int, int]
) -> None:
    weights = load_map(name)
    graph = (
        load_graph(child(tmp_path, weights.spec, says))
        if ":" in says
        else load_graph(weights.spec, dict([says.split("=")]))
    )
    keys = key_list(name.replace(":", "_"))
    match = match_tensors(weights, tensor_sizes(graph), keys)
    report = WeightsReport("file", graph.name, weights, match, is_partial=True)
    loaded, differing, fresh, dropped = counts
    assert tuple(report.counts.values()) == counts
    assert loaded + differing + fresh == len(tensor_sizes(graph))
    assert loaded + differing + dropped == len(keys)
    assert report.is_accepted


TABLE = {
    cells[0].strip("`"): cells[1:]
    for line in (ROOT / "docs/WEIGHTS.md").read_text(encoding="utf-8").splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5 and ":" in cells[0]
}
"""Map -> spec, tensors, those with ten classes, those without a classifier, as the page has it."""


@pytest.mark.parametrize("name", map_names())
def test_the_page_says_what_is_kept(name: str, tmp_path: Path) -> None:
    spec, tensors, ten, none = TABLE[name]
    weights, keys = load_map(name), key_list(name.replace(":", "_"))
    assert (spec, tensors) == (f"`{weights.spec}`", str(len(keys)))
    match = match_tensors(weights, tensor_sizes(load_graph(weights.spec, {"classes": "10"})), keys)
    counts = WeightsReport("file", "child", weights, match, is_partial=True).counts
    loaded, differing, dropped = (int(re.findall(r"\d+", part)[0]) for part in ten.split(",")[:3])
    assert tuple(counts.values()) == (loaded, differing, 0, dropped)
    if len(weights.heads) == 1:
        assert none == f"{loaded}, {differing}"


SPEC = """
network: mine
input: {image: [3, 8, 8]}
params: {classes: 4, wide: 6}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 5, name: one}
  - {conv: 3x3, filters: wide, name: two}
  - {global_avg_pool: true, name: pool}
  - {linear: classes, name: logits}
"""
OTHER = SPEC.replace("name: two", "name: too").replace("mine", "other")
MAP = """
map: mine:net
source: a checkpoint of mine
parts: {c: conv, n: norm}
sections:
  - units: {a: one, b: two}
  - layers: {fc: logits}
heads: [logits]
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(SPEC, encoding="utf-8")
    (tmp_path / "other.yaml").write_text(OTHER, encoding="utf-8")
    (tmp_path / "mine.map.yaml").write_text(MAP, encoding="utf-8")
    return path


def trained(spec: Path) -> dict[str, Tensor]:
    """Return weights of a network in which every element is another number."""
    state = build_module(spec).state_dict()
    start = 1.0
    for name, value in state.items():
        if value.dim():
            state[name] = torch.arange(start, start + value.numel()).view(value.shape)
            start += value.numel()
        else:
            state[name] = torch.tensor(7)
    return state


def theirs(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the same under the names that the map is for."""
    steps = {"one": "a", "two": "b", "conv": "c", "norm": "n", "logits": "fc"}
    return {".".join(steps.get(s, s) for s in name.split(".")): v for name, v in state.items()}


@pytest.mark.parametrize("by_map", [True, False])
def test_the_file_holds_what_is_loaded_and_nothing_else(
    tmp_path: Path, mine: Path, by_map: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    state = trained(mine)
    torch.save(theirs(state) if by_map else state, tmp_path / "in.pt")
    names = ["--from", str(tmp_path / "mine.map.yaml")] if by_map else []
    out = tmp_path / "out.safetensors"
    arguments = [str(mine), str(tmp_path / "in.pt"), *names, "--set", "classes=2", "-o", str(out)]
    assert main(["weights", *arguments]) == 1
    assert "nothing was written: 12 of 14 tensors match" in capsys.readouterr().err
    assert not out.exists()
    assert main(["weights", *arguments, "--partial"]) == 0
    written = read_weights(out)
    assert written.keys() == state.keys() - {"logits.weight", "logits.bias"}
    assert all(torch.equal(written[name], state[name]) for name in written)
    assert capsys.readouterr().out == (
        ("mine:net -> mine\n  from a checkpoint of mine\n" if by_map else "")
        + ("" if by_map else f"{tmp_path / 'in.pt'} -> mine\n")
        + "    one     6 tensors\n"
        "    two     6 tensors\n"
        "  loaded 12 tensors, of 14 in the network and 14 in the file\n"
        "  2 tensors differ (file -> network) and begin fresh:\n"
        "    logits  weight 4x6 -> 2x6, bias 4 -> 2\n"
        f"wrote {out}, {out.stat().st_size / 1000:.1f} kB\n"
    )


def test_a_layer_that_the_map_misspells(
    tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = theirs(trained(mine))
    wrong = tmp_path / "wrong.map.yaml"
    wrong.write_text(MAP.replace("fc: logits", "fc: logit").replace("[logits]", "[logit]"))
    kept = {name: value for name, value in state.items() if not name.startswith("fc")}
    torch.save(kept, tmp_path / "in.pt")
    out = str(tmp_path / "out.safetensors")
    options = [str(mine), str(tmp_path / "in.pt"), "--from", str(wrong), "-o", out]
    unknown = "`fc` goes to `logit`, which the network does not have (did you mean `logits`?)"
    assert main(["weights", *options, "--partial"]) == 0
    assert capsys.readouterr().out.endswith(
        f"  warning: the map is of another network:\n    {unknown}\nwrote {out}, 2.8 kB\n"
    )
    assert main(["weights", *options, "--partial", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["unknown"] == [unknown]
    assert main(["weights", *options]) == 1
    assert f"\n  help: in the map {unknown}\n" in capsys.readouterr().err


def test_every_state_in_the_report(
    tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(trained(mine), tmp_path / "in.pt")
    arguments = [str(tmp_path / "other.yaml"), str(tmp_path / "in.pt"), "--partial"]
    arguments += ["-o", str(tmp_path / "out.safetensors"), "--set", "classes=2"]
    assert main(["weights", *arguments, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {k: report[k] for k in ("partial", "loaded", "differing", "fresh", "dropped")} == {
        "partial": True,
        "loaded": 6,
        "differing": 2,
        "fresh": 6,
        "dropped": 6,
    }
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert report["layers"] == [
        {"name": "one.conv", "state": "loaded", "tensors": ["weight"]},
        {"name": "one.norm", "state": "loaded", "tensors": norm},
        {"name": "logits", "state": "differing", "tensors": ["weight 4x6 -> 2x6", "bias 4 -> 2"]},
        {"name": "too.conv", "state": "fresh", "tensors": ["weight"]},
        {"name": "too.norm", "state": "fresh", "tensors": norm},
        {"name": "two.conv", "state": "dropped", "tensors": ["weight"]},
        {"name": "two.norm", "state": "dropped", "tensors": norm},
    ]


def test_a_module_keeps_its_own_numbers_where_the_file_has_none(tmp_path: Path, mine: Path) -> None:
    state = trained(mine)
    save_weights(state, tmp_path / "w.safetensors")
    module = build_module(tmp_path / "other.yaml")
    before = {name: value.clone() for name, value in module.state_dict().items()}
    report = load_weights(module, tmp_path / "w.safetensors", partial=True)
    assert report.loaded == tuple(n for n in before if n.startswith(("one", "logits")))
    assert report.fresh == tuple(n for n in before if n.startswith("too"))
    assert set(report.dropped) == {n for n in state if n.startswith("two")}
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name] if name in report.loaded else before[name])


def test_what_begins_fresh_is_drawn_from_the_seed(tmp_path: Path, mine: Path) -> None:
    state = {n: v for n, v in trained(mine).items() if n not in ("one.conv.weight", "logits.bias")}
    save_weights(state, tmp_path / "w.safetensors")
    fresh = build_module(mine, seed=5).state_dict()
    module = build_module(mine, seed=5, weights=tmp_path / "w.safetensors", partial=True)
    for name, value in module.state_dict().items():
        assert torch.equal(value, state.get(name, fresh[name])), name
    other = build_module(mine, seed=6).state_dict()
    assert not torch.equal(fresh["one.conv.weight"], other["one.conv.weight"])


@pytest.mark.parametrize("partial", [True, False])
def test_building_with_a_map(tmp_path: Path, mine: Path, partial: bool) -> None:
    state = trained(mine)
    file = save_weights(theirs(state), tmp_path / "w.safetensors")
    module = build_module(
        mine, weights=file, weights_from=tmp_path / "mine.map.yaml", partial=partial
    )
    assert all(torch.equal(v, state[n]) for n, v in module.state_dict().items())


def test_the_command_builds_with_a_part(
    tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = trained(mine)
    file = save_weights(state, tmp_path / "w.safetensors")
    folder = tmp_path / "out"
    arguments = ["build", str(tmp_path / "other.yaml"), "--weights", str(file), "-o", str(folder)]
    arguments += ["--save-weights", "--target", "torch", "--device", "cpu"]
    assert main(arguments) == 1
    assert "nothing was loaded: 8 of 14 tensors match" in capsys.readouterr().err
    assert not folder.exists()
    assert main([*arguments, "--partial"]) == 0
    assert "  loaded 8 tensors, of 14 in the network and 14 in the file\n" in (
        capsys.readouterr().out
    )
    built = read_weights(folder / "other.safetensors")
    assert len(built) == 14
    assert torch.equal(built["logits.weight"], state["logits.weight"])


@pytest.mark.parametrize("partial", [True, False])
def test_nothing_that_fits_is_an_error(
    tmp_path: Path, mine: Path, partial: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {name: value for name, value in trained(mine).items() if name.startswith("two")}
    torch.save({n: v if v.dim() == 0 else v[None] for n, v in state.items()}, tmp_path / "in.pt")
    out = str(tmp_path / "out.safetensors")
    more = ["--partial"] if partial else []
    before = sorted(p.name for p in tmp_path.iterdir())
    assert main(["weights", str(mine), str(tmp_path / "in.pt"), "-o", out, *more]) == 1
    text = capsys.readouterr().err
    assert "does not fit `mine`, nothing was written: 1 of 14 tensors match" in text
    assert "--partial takes" not in text
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    with pytest.raises(BackendError, match="nothing was loaded"):
        load_weights(build_module(mine), tmp_path / "in.pt", partial=partial)


def test_published_names_without_a_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = key_list("torchvision_googlenet")
    state = {n: torch.zeros(()).expand(s) if s else torch.tensor(0) for n, s in keys.items()}
    torch.save(state, tmp_path / "in.pt")
    assert main(["weights", "zoo/googlenet", str(tmp_path / "in.pt")]) == 1
    assert (
        "help: the file's names are those of torchvision:googlenet, for `zoo/googlenet`: "
        "--from torchvision:googlenet takes them" in capsys.readouterr().err
    )


def test_published_names_of_which_few_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`fc` is called so in torchvision's ResNets and in ours; the map of this network is named."""
    keys = key_list("torchvision_resnet18")
    state = {n: torch.zeros(()).expand(s) if s else torch.tensor(0) for n, s in keys.items()}
    torch.save(state, tmp_path / "in.pt")
    assert main(["weights", "zoo/resnet18", str(tmp_path / "in.pt")]) == 1
    text = capsys.readouterr().err
    assert "2 of 122 tensors match" in text
    assert (
        "help: the file's names are those of torchvision:resnet18, for `zoo/resnet18`: "
        "--from torchvision:resnet18 takes them" in text
    )
    assert "torchvision:resnet50" not in text


def test_counters_of_layers_that_are_dropped(tmp_path: Path, mine: Path) -> None:
    state = trained(mine)
    moved = {n.replace("one.norm", "other.norm"): v for n, v in state.items()}
    torch.save(moved, tmp_path / "w.pt")
    report = load_weights(build_module(mine), tmp_path / "w.pt", partial=True)
    assert "  1 batch counter: the file has them for other layers alone\n" in str(report)


def test_a_changed_tensor_shows_in_the_report(tmp_path: Path, mine: Path) -> None:
    state = trained(mine)
    for name in [n for n, v in state.items() if v.dim()]:
        spoiled = {**state, name: torch.zeros(9, 9, 9)}
        torch.save(spoiled, tmp_path / "w.pt")
        report = load_weights(build_module(mine), tmp_path / "w.pt", partial=True)
        assert report.differing == (name,)
        (layer,) = [layer for layer in report.layers if layer.state != "loaded"]
        assert layer.name == name.rpartition(".")[0]
        assert "9x9x9 -> " in " ".join(layer.tensors)


NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize(
    ("name", "value", "layer", "state", "words"),
    [
        ("two.conv.weight", torch.ones(5, 6, 3, 3), "two.conv", "differing",
         ("weight 5x6x3x3 -> 6x5x3x3 (transposed)",)),
        ("two.conv.weight", torch.ones(6, 5, 3, 3, dtype=torch.int32), "two.conv", "differing",
         ("weight int32",)),
        ("two.norm.bias", torch.ones(7), "two.norm", "differing",
         ("bias 7 -> 6", *(f"{part} loaded" for part in NORM if part != "bias"))),
        ("two.norm.num_batches_tracked", torch.ones(()), "two.norm", "differing",
         ("num_batches_tracked float32", *(f"{part} loaded" for part in NORM[:4]))),
        ("logits.bias", None, "logits", "fresh", ("weight loaded", "bias")),
        ("logits.extra", torch.ones(2), "logits", "dropped", ("extra",)),
    ],
)  # fmt: skip
def test_each_kind_of_misfit_shows_at_its_layer(
    tmp_path: Path,
    mine: Path,
    name: str,
    value: Tensor | None,
    layer: str,
    state: str,
    words: tuple[str, ...],
) -> None:
    spoiled = {n: v for n, v in (trained(mine) | {name: value}).items() if v is not None}
    torch.save(spoiled, tmp_path / "w.pt")
    report = load_weights(build_module(mine), tmp_path / "w.pt", partial=True)
    (found,) = [layer for layer in report.layers if layer.state != "loaded"]
    assert (found.name, found.state, sorted(found.tensors)) == (layer, state, sorted(words))
    assert f"    {layer}  {', '.join(found.tensors)}\n" in str(report)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("one.conv.weight", torch.nan, "1 of 135 values is not finite"),
        ("logits.bias", -torch.inf, "1 of 4 values is not finite"),
        ("two.norm.running_var", -0.5, "a running variance is below zero (-0.5)"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_values_that_no_training_leaves(
    tmp_path: Path, mine: Path, name: str, value: float, said: str, dtype: torch.dtype
) -> None:
    state = {n: v.to(dtype) if v.dim() else v for n, v in trained(mine).items()}
    save_weights(state, tmp_path / "fine.safetensors")
    state[name].view(-1)[1] = value
    save_weights(state, tmp_path / "odd.safetensors")
    module = build_module(mine)
    assert load_weights(module, tmp_path / "fine.safetensors").warnings == []
    assert load_weights(module, tmp_path / "odd.safetensors").warnings == [
        "  warning: values that no training leaves behind:",
        f"    {name}: {said}",
    ]


def test_kernels_of_zeros(tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = trained(mine)
    zeros = {n: torch.zeros_like(v) for n, v in state.items()}
    save_weights(zeros, tmp_path / "w.safetensors")
    out = str(tmp_path / "out.safetensors")
    arguments = ["weights", str(mine), str(tmp_path / "w.safetensors"), "-o", out]
    assert main([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == [
        "one.conv.weight: all 135 values are zero",
        "two.conv.weight: all 270 values are zero",
        "logits.weight: all 24 values are zero",
    ]


def test_batch_counters_that_the_file_lacks_are_counted(tmp_path: Path, mine: Path) -> None:
    state = {n: v for n, v in trained(mine).items() if v.dim() and n != "logits.bias"}
    torch.save(state, tmp_path / "w.pt")
    report = load_weights(build_module(mine), tmp_path / "w.pt", partial=True)
    assert "  2 batch counters: the file has none\n" in str(report)
    assert [(layer.name, layer.state) for layer in report.layers if layer.state != "loaded"] == [
        ("logits", "fresh")
    ]


def test_wiring_is_compared_for_what_is_loaded(tmp_path: Path) -> None:
    says = (
        "changes: [{set: mixed_6b, with: {inner: 120}}, {replace: mixed_7c, by: [{block: twin}]}]"
    )
    block = (
        "blocks: {twin: {branches: {single: [{conv: 1x1, filters: 2048}], "
        "pool: [{avg_pool: 3x3}]}, join: concat}}"
    )
    graph = load_graph(child(tmp_path, "zoo/inception_v3", f"{says}\n{block}"))
    weights = load_map(V3)
    published = published_graph(weights, graph)
    assert published is not None
    match = match_tensors(weights, tensor_sizes(graph), key_list("torchvision_inception_v3"))
    assert wiring_differences(graph, published, {m.name for m in match.moves}) == (
        "`pool` reads (twin.concat) where the weights are for (mixed_7c.concat)",
    )
    assert len(wiring_differences(graph, published)) > 1


@pytest.mark.parametrize("option", [["--partial"], ["--from", V3], ["--drop-background"]])
def test_options_of_a_file_without_a_file(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "zoo/inception_v3", *option]) == 2
    assert capsys.readouterr().err == (
        f"error: {option[0]} says how a file is loaded; name the file with --weights\n"
    )


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (
            "{linear: 2, bias: false}",
            "1 tensor differs (file -> network) and begins fresh:\n    linear  weight 3x4 -> 2x4",
        ),
        (
            "{linear: 2, bias: false, name: other}",
            "1 tensor is not in the file and begins fresh:\n    other  weight\n"
            "  1 tensor has no place in the network and is dropped:\n    linear  weight",
        ),
    ],
)
def test_one_tensor_is_told_of_in_the_singular(tmp_path: Path, layer: str, line: str) -> None:
    path, state = tmp_path / "t.yaml", tmp_path / "in.pt"
    path.write_text(
        "network: t\ninput: {x: [3, 4, 4]}\n"
        f"layers: [{{conv: 1x1, filters: 4}}, {{global_avg_pool: true}}, {layer}]\n"
    )
    kept = {"conv_1x1.weight": torch.zeros(4, 3, 1, 1), "conv_1x1.bias": torch.zeros(4)}
    torch.save({**kept, "linear.weight": torch.zeros(3, 4)}, state)
    report = load_weights(build_module(load_graph(path)), state, partial=True)
    assert line in str(report)
