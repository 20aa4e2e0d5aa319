"""The functions for use from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import netdraft
from compiler import api
from compiler.cli.main import main
from netdraft import (
    CompileError,
    build_module,
    check,
    emit_source,
    graph_of,
    load,
    optimize,
    render,
    show,
    summary,
)

TINY = (
    "network: tiny\ninput: {image: [3, 8, 8]}\n"
    "blocks: {b: {title: B, layers: [{conv: 3x3, filters: 4}]}}\n"
    "layers: [{block: b, name: stem}, global_avg_pool, {linear: 2, name: logits}, softmax]\n"
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def test_a_spec_by_file_name_or_graph(tiny: Path) -> None:
    graph = load(tiny)
    assert load(graph) is graph
    assert summary(graph).parameters == summary(tiny).parameters == 4 * 27 + 4 + 2 * 4 + 2
    assert summary("inception_v4").parameters == 42679816


def test_a_module_carries_the_spec_that_it_was_built_from(tiny: Path) -> None:
    import torch

    module = build_module(tiny)
    assert graph_of(module).digest == load(tiny).digest
    assert module(torch.zeros(2, 3, 8, 8)).shape == (2, 2)
    assert "class B(nn.Module)" in emit_source(graph_of(module))


def test_an_optimized_module_computes_the_same(tiny: Path) -> None:
    import torch

    module = build_module(tiny).eval()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    fast = optimize(module).for_inference(target="eager")
    torch.testing.assert_close(fast(x), module(x).detach())
    trained = optimize(module).for_training()
    assert trained.training
    assert trained.state_dict().keys() == module.state_dict().keys()


def test_a_figure_is_the_contents_of_a_file(tiny: Path) -> None:
    assert render(tiny).startswith(b"<svg") or b"<svg" in render(tiny)[:200]
    assert render(tiny, "png", block="b").startswith(b"\x89PNG")


def test_check_returns_what_load_raises(tiny: Path) -> None:
    tiny.write_text(TINY.replace("linear", "linar"), encoding="utf-8")
    found = check(tiny)
    assert [d.code for d in found] == ["unknown-op"]
    with pytest.raises(CompileError) as caught:
        load(tiny)
    assert caught.value.diagnostics == found


@pytest.mark.parametrize(
    ("spec", "value", "number", "place"),
    [
        ("inception_v4", "parameters", 42_679_816, ""),
        ("inception_v4", "reduction_a.channels", 1024, "specs/blocks/reduction_a.yaml:23:11"),
        ("inception_resnet_v2", "b.0.up.channels", 1152, "specs/blocks/inception_resnet_v2.yaml"),
        ("printed/inception_resnet_v2", "b.0.up.channels", 1154, "specs/printed/blocks/"),  # wrong
    ],
)
def test_where_a_number_comes_from(
    spec: str, value: str, number: int, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    step = netdraft.why(spec, value)
    assert (step.what, step.value) == (value, number)
    assert str(step.span).startswith(place)
    main(["why", spec, value])
    assert f"{step}\n" == capsys.readouterr().out
    main(["why", spec, value, "--format", "json"])
    assert step.as_data() == json.loads(capsys.readouterr().out)


def test_a_number_of_a_graph_and_of_other_settings() -> None:
    step = netdraft.why("inception_v4", "logits.channels", {"classes": 10}, "3x75x75")
    assert (step.value, step.formula, step.terms[0].label) == (10, "classes", "classes")
    graph = load("inception_v4", {"classes": 10})
    assert netdraft.why(graph, "logits.parameters").value == 10 * (1536 + 1)


def test_what_is_different(capsys: pytest.CaptureFixture[str]) -> None:
    found = netdraft.diff("inception_v4", Path("released/inception_v4_slim"))
    assert (found.worst, found.tensors.total, found.tensors.lost) == ("weights", 747, 170)
    assert next((t.what, t.before) for t in found.totals) == ("parameters", 42_679_816)
    main(["diff", "inception_v4", "released/inception_v4_slim"])
    assert f"{found}\n" == capsys.readouterr().out
    main(["diff", "inception_v4", "released/inception_v4_slim", "--format", "json"])
    assert found.as_data() == json.loads(capsys.readouterr().out)


def test_graphs_are_compared_and_settings_are_of_both() -> None:
    ten = {"classes": 10}
    found = netdraft.diff(load("inception_v4"), load("inception_v4", ten))
    assert next(t.more for t in found.totals) == (10 - 1000) * (1536 + 1)
    assert netdraft.diff("inception_v4", "inception_v4", ten).worst is None


def test_what_is_wrong_is_not_compared() -> None:
    with pytest.raises(CompileError) as caught:
        netdraft.diff("inception_v4", "printed/inception_v4")
    assert "shape-mismatch" in {d.code for d in caught.value.diagnostics}


def test_neither_needs_torch() -> None:
    code = (
        "import sys, netdraft; netdraft.why('inception_v4', 'macs'); "
        "netdraft.diff('inception_v4', 'inception_resnet_v2'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_documented() -> None:
    assert set(netdraft.__all__) == {*api.__all__, "__version__"}
    for name in netdraft.__all__:
        assert getattr(netdraft, name).__doc__, name


def test_a_notebook_shows_a_network_and_a_block(tiny: Path) -> None:
    network, block = show(tiny), show(tiny, block="b")
    assert network._repr_svg_() == render(tiny).decode()
    assert block._repr_svg_() == render(tiny, block="b").decode()
    html = block._repr_html_()
    assert html.startswith('<img alt="b" src="data:image/svg+xml;base64,')
    assert "<script" not in html


@pytest.mark.parametrize(
    ("given", "what"),
    [({"weights_from": "nowhere"}, "weights_from"), ({"partial": True}, "partial")],
)
@pytest.mark.parametrize("make", [netdraft.build_module, netdraft.features])
def test_how_a_file_is_loaded_wants_the_file(make: Any, given: dict[str, Any], what: str) -> None:
    with pytest.raises(netdraft.NetdraftError) as caught:
        make("zoo/resnet18", **given)
    assert str(caught.value) == f"`{what}` says how a file is loaded: name the file with `weights`"


API: Any = netdraft
BUILT = "a module that build_module made"
MAP = "give a map, as 'timm:inception_v4', or '{mean: ..., ...}'"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda spec: API.render(spec, 3), "format=3: it is one of svg, pdf, png, tikz, json, dot"),
        (
            lambda spec: API.render(spec, block=3),
            "block=3: give the name of a block, or the path of an instance",
        ),
        (lambda spec: API.show(spec, figure="a"), "figure='a': it takes a whole number from 1"),
        (lambda spec: API.graph_of(3), f"module=3: give {BUILT}"),
        (lambda spec: API.optimize(3), f"network=3: give {BUILT}"),
        (lambda spec: API.load_weights(3, "w"), f"module=3: give {BUILT}"),
        (
            lambda spec: API.predict(3, "p"),
            f"network=3: give a file, a shipped name, a graph or {BUILT}",
        ),
        (lambda spec: API.build_module(spec, weights=3), "weights=3: give a file"),
        (lambda spec: API.build_module(spec, seed="a"), "seed='a': it takes a whole number from 0"),
        (lambda spec: API.build_module(spec, seed=2**64), f"seed={2**64}: it is less than 2**64"),
        (lambda spec: API.build_module(spec, normalize=3), f"normalize=3: {MAP}"),
        (
            lambda spec: API.build_module(spec, device="meta"),
            "device='meta': tensors there have no values; write cpu, cuda or cuda:N",
        ),
        (
            lambda spec: API.features(spec, seed=1.5),
            "seed=1.5: it takes a whole number from 0",
        ),
        (
            lambda spec: API.load(spec, inputs=["x=3x8x8"]),
            "inputs=['x=3x8x8']: there is no input `x`",
        ),
    ],
)
def test_arguments_of_another_kind(tiny: Path, call: Any, message: str) -> None:
    with pytest.raises(netdraft.UsageError) as caught:
        call(tiny)
    assert str(caught.value) == message


def test_a_setting_as_python_has_it() -> None:
    with pytest.raises(netdraft.UsageError) as caught:
        load("zoo/resnet18", {"classes": "a"})
    assert str(caught.value) == "settings={'classes': 'a'}: the value is not a whole number"


def test_passes_by_name(tiny: Path) -> None:
    from compiler.passes.optimizer import PASSES

    module = build_module(tiny)
    with pytest.raises(netdraft.UsageError) as caught:
        optimize(module, passes=["fold_batchnorm"])
    listed = ", ".join(f"`{name}`" for name in PASSES)
    assert str(caught.value) == (
        "there is no pass `fold_batchnorm` (did you mean `fold_batch_norm`?); "
        f"the passes are {listed}"
    )
    assert optimize(module, passes=["fold_batch_norm"]).passes == ("fold_batch_norm",)


def test_a_module_of_somebody_else(tiny: Path) -> None:
    fast = optimize(build_module(tiny)).for_inference(target="eager")
    with pytest.raises(ValueError, match=r"^an InferenceModule carries no graph; build it w"):
        graph_of(fast)
