"""Height and width left open: ONNX and torch.export give what the module gives, at five sizes."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from backends.onnx.files import check_onnx
from backends.onnx.model import build_onnx
from backends.open_grid import open_grid
from backends.run.optimized import optimize
from backends.state.unit_scale import randomize
from backends.torch.export_program import export_program
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.__main__ import main
from compiler.errors import BackendError, CompileError
from compiler.facts.working_sizes import shapes_near
from compiler.graph import Graph
from compiler.pipeline import load_graph, target_graph
from tests.every_target.targets import Run, running, tensors
from tests.oracle.ways import module_from
from tests.torch.known_networks import NETWORKS, known

PAPER = (
    "inception_v4",
    "inception_resnet_v1",
    "inception_resnet_v2",
    "released/inception_v4_slim",
    "released/inception_resnet_v2_slim",
    "released/inception_resnet_v1_facenet",
)
SIZES = ((76, 99), (97, 160), (128, 75), (150, 213), (299, 299))
"""Heights and widths, odd and even, or the next that fit."""
TOLERANCE = 1e-4
"""Of the largest element; the module and the runtimes add up in another order."""


def module_of(graph: Graph) -> nn.Module:
    """Return a module with numbers of unit scale, in evaluation mode."""
    module = build_module(graph)
    (shapes,) = shapes_near(open_grid(graph), (96, 96))
    randomize(module, 0, *(torch.randn(2, *s.numbers) for s in shapes.values()))
    return module.eval()


def onnx_of(graph: Graph, state: dict[str, Tensor]) -> Run:
    """Return a function that runs the open ONNX model."""
    arrays = {name: tensor.detach().numpy() for name, tensor in state.items()}
    model = build_onnx(graph, arrays, dynamic_grid=True)
    check_onnx(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def run(*inputs: Tensor) -> list[Tensor]:
        feed = {i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs, strict=True)}
        return [torch.as_tensor(value) for value in session.run(None, feed)]

    return run


def largest_difference(graph: Graph, module: nn.Module, run: Run) -> float:
    """Return the largest difference at the five sizes, relative to the largest element."""
    worst = 0.0
    for shapes in shapes_near(open_grid(graph), *SIZES):
        inputs = [torch.randn(1, *s.numbers) for s in shapes.values()]
        with torch.no_grad():
            wanted = tensors(module(*inputs))
        for want, have in zip(wanted, run(*inputs), strict=True):
            assert want.shape == have.shape
            worst = max(worst, float((want - have).abs().max() / want.abs().max()))
    return worst


@pytest.mark.parametrize("name", NETWORKS)
def test_five_sizes(name: str, tmp_path: Path) -> None:
    graph = known(name, tmp_path)
    module = module_of(graph)
    assert largest_difference(graph, module, onnx_of(graph, module.state_dict())) < TOLERANCE
    program = export_program(graph, module, dynamic_grid=True)
    assert largest_difference(graph, module, running(program.module())) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPER)
def test_five_sizes_of_the_paper_s_networks(name: str, tmp_path: Path) -> None:
    test_five_sizes(name, tmp_path)


@pytest.mark.parametrize("name", ["strided", "unet"])
def test_five_sizes_after_the_optimiser(name: str, tmp_path: Path) -> None:
    graph = target_graph(open_grid(known(name, tmp_path)))
    module = module_of(graph)
    optimized = optimize(module)
    run = onnx_of(optimized.graph, dict(optimized.state))
    assert largest_difference(graph, module, run) < TOLERANCE
    faster = build_module(optimized.graph)
    faster.load_state_dict(dict(optimized.state), strict=False)
    program = export_program(optimized.graph, faster.eval())
    assert largest_difference(graph, module, running(program.module())) < TOLERANCE


VECTORS = """\
network: t
input: {image: [3, H, W]}
blocks:
  flat: {layers: [{conv: 3x3, filters: 4, norm: batch_norm}, flatten]}
  act: {layers: [relu, {scale: 0.5}, sigmoid]}
  nested: {layers: [{block: act}, normalize]}
layers:
  - {block: flat, name: a}
  - {block: act, name: b}
  - {concat: [a, b], name: c}
  - {block: nested, repeat: 2, name: d}
  - {block: flat, name: e, from: image, share: a}
  - {concat: [d, e], name: f}
outputs: [a, f]
"""


def test_vectors_of_open_length(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(VECTORS)
    graph = load_graph(path)
    module = module_of(graph)
    optimized = optimize(module)
    for made, state in ((graph, module.state_dict()), (optimized.graph, dict(optimized.state))):
        source = module_from(emit_source(made)).eval()
        source.load_state_dict(state, strict=False)
        assert largest_difference(graph, module, running(source)) < TOLERANCE
        assert largest_difference(graph, module, onnx_of(made, state)) < TOLERANCE


def test_blocks_stay_functions_that_know_no_size() -> None:
    graph = load_graph("inception_resnet_v1", inputs=["3xHxW"])
    state = {name: t.numpy() for name, t in build_module(graph).state_dict().items()}
    model, fixed = build_onnx(graph, state), build_onnx(load_graph("inception_resnet_v1"), state)
    assert [f.name for f in model.functions] == [f.name for f in fixed.functions]
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["N", 3, "H", "W"]


def test_open_where_it_fits(tmp_path: Path) -> None:
    graph = open_grid(known("unet", tmp_path))
    assert str(graph.nodes["image"].shape) == "(N, 3, 4*H, 4*W)"
    program = export_program(graph, build_module(graph).eval())
    with pytest.raises(AssertionError, match="Guard failed"):
        program.module()(torch.randn(1, 3, 18, 16))


CANNOT_BE_OPEN = {
    "flatten": (
        "[{conv: 3x3, filters: 4}, flatten, {linear: 10, name: fc}]",
        "3:44: `fc`: a linear layer needs a number of channels, it receives (N, 4*H*W), so height "
        "and width cannot be left open",
    ),
    "stated grid": (
        "[{adaptive_avg_pool: 4x4, name: a}, {max_pool: 2x2, stride: 2, from: image, name: b},"
        " {concat: [a, b], name: c}]",
        "3:95: `c`: concat needs the same height and width from every operand, so height and width "
        "cannot be left open",
    ),
}


@pytest.mark.parametrize(("layers", "message"), CANNOT_BE_OPEN.values(), ids=CANNOT_BE_OPEN)
def test_what_cannot_be_open_is_refused_at_its_layer(
    tmp_path: Path, layers: str, message: str
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"network: t\ninput: {{image: [3, 8, 8]}}\nlayers: {layers}\n")
    graph = load_graph(path)
    for build in (
        lambda: build_onnx(graph, {}, dynamic_grid=True),
        lambda: export_program(graph, build_module(graph), dynamic_grid=True),
    ):
        with pytest.raises(BackendError) as refused:
            build()
        assert str(refused.value) == f"{path}:{message}"
    with pytest.raises(CompileError):
        load_graph(path, inputs=["3xHxW"])


@pytest.mark.parametrize("optimize", [[], ["--optimize"]], ids=["plain", "optimised"])
def test_build_with_open_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], optimize: list[str]
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NETWORKS["unet"])
    files = ["--target", "onnx,export,source", "-o", str(tmp_path / "out")]
    assert main(["build", str(path), "--input", "3x4*Hx4*W", *files, *optimize]) == 0
    said = capsys.readouterr().out
    assert "sizes that fit: heights and widths that are multiples of 4\n" in said
    assert "1x3x224x224 -> 1x8x224x224" in said
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"unet.onnx", "unet.pt2", "unet.py"} <= names


def test_export_says_nothing_of_what_it_cannot_solve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """PyTorch warns with a traceback where a rounded-up pooling leaves a size open."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: t\ninput: {image: [3, H, W]}\nlayers:\n"
        "  - {conv: 3x3, filters: 4, stride: 2, padding: 1}\n"
        "  - {max_pool: 3x3, stride: 2, padding: V, ceil: true}\n"
        "  - {avg_pool: 3x3, stride: 2, padding: 1, ceil: true}\n"
    )
    graph = load_graph(path)
    export_program(graph, build_module(graph))
    assert not [r for r in caplog.records if r.name.startswith("torch.fx")]
