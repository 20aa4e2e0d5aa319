"""torch.export programs: any batch, no trace left in the module, loadable without netdraft."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from backends.state.unit_scale import randomize
from backends.torch.export_program import (
    export_program,
    sample_inputs,
    save_program,
)
from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.ops import AdaptiveAvgPool2d, AvgPool2d, Conv2d, MaxPool2d, Op
from compiler.pipeline import load_graph
from tests.oracle.small_graphs import single

ROOT = Path(__file__).parents[2]

SPEC = """
network: small
input: {image: [3, 16, 16]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  cell:
    branches:
      pool: [{avg_pool: 3x3}, {conv: 1x1, filters: 4}]
      conv: [{conv: 3x3, filters: 4}]
    join: concat
layers:
  - {conv: 3x3, filters: 4, stride: 2, padding: V}
  - {block: cell, name: a, repeat: 2}
  - {global_avg_pool: true, name: pool}
  - {dropout: {keep: 0.8}}
  - {linear: 10, name: logits}
  - softmax
"""

RUN_ALONE = """
import sys, torch
assert not any(name.split('.')[0] in ('compiler', 'backends', 'netdraft') for name in sys.modules)
batches = torch.load(sys.argv[2])
load = {'program': lambda f: torch.export.load(f).module(),
        'package': lambda f: torch._inductor.aoti_load_package(f)}[sys.argv[3]]
import torch._inductor
run = load(sys.argv[1])
for inputs, want in batches:
    torch.testing.assert_close(run(inputs), want, rtol=1e-5, atol=1e-5)
print('ran', len(batches))
"""


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return load_graph(path)


@pytest.fixture
def module(graph: Graph) -> nn.Module:
    module = build_module(graph)
    randomize(module, 0, torch.randn(4, 3, 16, 16))
    return module


def outputs(graph: Graph, module: nn.Module, *batches: int) -> list[tuple[Tensor, Tensor]]:
    module.eval()
    shapes = [graph.nodes[name].shape for name in graph.inputs]
    with torch.no_grad():
        return [
            (x, module(x))
            for batch in batches
            for x in sample_inputs(shapes, batch, torch.device("cpu"))
        ]


def run_alone(file: Path, batches: list[tuple[Tensor, Tensor]], kind: str, tmp_path: Path) -> str:
    torch.save(batches, tmp_path / "batches.pt")
    away = tmp_path / "away"
    away.mkdir()
    command = [sys.executable, "-P", "-c", RUN_ALONE, str(file), str(tmp_path / "batches.pt"), kind]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=away, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_program_runs_any_batch_where_netdraft_is_not(
    graph: Graph, module: nn.Module, tmp_path: Path
) -> None:
    save_program(export_program(graph, module), tmp_path / "net.pt2")
    batches = outputs(graph, module, 1, 2, 5)
    assert run_alone(tmp_path / "net.pt2", batches, "program", tmp_path) == "ran 3\n"


def test_export_leaves_mode_statistics_and_gradients_alone(graph: Graph, module: nn.Module) -> None:
    module.train()
    part = next(m for m in module.modules() if isinstance(m, nn.BatchNorm2d))
    part.eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    export_program(graph, module)
    assert module.training
    assert not part.training
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in before.items())
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert torch.is_grad_enabled()


def test_program_of_a_training_module_is_for_inference(graph: Graph, module: nn.Module) -> None:
    program = export_program(graph, module.train())
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    assert not [c for c in calls if "dropout" in str(c.target) and True in c.args]
    norms = [c for c in calls if "batch_norm" in str(c.target)]
    assert len(norms) == 5
    assert not any(norm.args[5] for norm in norms)
    want = outputs(graph, module, 3)[0]
    torch.testing.assert_close(program.module()(want[0]), want[1])


def test_open_height_and_width(graph: Graph, module: nn.Module) -> None:
    program = export_program(graph, module, dynamic_grid=True)
    module.eval()
    for size in ((16, 16), (9, 31), (40, 12)):
        x = torch.randn(2, 3, *size)
        torch.testing.assert_close(program.module()(x), module(x))


def test_fixed_size_is_kept_where_it_was_not_left_open(graph: Graph, module: nn.Module) -> None:
    with pytest.raises(AssertionError, match="16"):
        export_program(graph, module).module()(torch.randn(2, 3, 18, 18))


@pytest.mark.parametrize(
    "op",
    [
        Conv2d(4, (3, 3), (2, 2)),
        Conv2d(4, (2, 1), (3, 2)),
        Conv2d(4, (3, 3), (2, 3), dilation=(3, 2)),
        MaxPool2d((3, 2), (2, 3)),
        AvgPool2d((3, 3), (2, 2)),
        AvgPool2d((2, 2), (3, 1), count_include_pad=True),
    ],
    ids=str,
)
def test_strided_same_padding_follows_an_open_size(op: Op) -> None:
    graph = single(op, (3, 8, 8))
    module = build_module(graph)
    program = export_program(graph, module, dynamic_grid=True)
    for size in ((8, 8), (7, 10), (1, 2), (13, 9), (24, 31)):
        x = torch.randn(1, 3, *size)
        torch.testing.assert_close(program.module()(x), module(x))


def test_adaptive_pooling_follows_an_open_size() -> None:
    graph = single(AdaptiveAvgPool2d((7, 7)), (2, 12, 12))
    program = export_program(graph, build_module(graph), dynamic_grid=True)
    x = torch.randn(1, 2, 15, 23)
    torch.testing.assert_close(program.module()(x), nn.functional.adaptive_avg_pool2d(x, 7))


def test_departure_is_called_a_fault_of_export(
    graph: Graph, module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace, wrong = torch.export.export, build_module(graph, seed=1)
    monkeypatch.setattr(
        torch.export, "export", lambda _, *args, **keys: trace(wrong.eval(), *args, **keys)
    )
    with pytest.raises(BackendError, match=r"a fault of torch\.export, not of the spec"):
        export_program(graph, module)


def test_file_says_nothing_of_this_machine(graph: Graph, module: nn.Module, tmp_path: Path) -> None:
    save_program(export_program(graph, module), tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "net.pt2") as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    for word in (str(ROOT), sys.prefix, str(tmp_path), "File "):
        assert word.encode() not in text


def test_two_hash_seeds_and_two_names_make_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    script = (
        "import sys; from pathlib import Path\n"
        "from compiler.pipeline import load_graph\n"
        "from backends.torch.module import build_module\n"
        "from backends.torch.export_program import export_program, save_program\n"
        "graph = load_graph(sys.argv[1])\n"
        "save_program(export_program(graph, build_module(graph)), Path(sys.argv[2]))\n"
    )
    files = [tmp_path / "one.pt2", tmp_path / "two.pt2"]
    for seed, path in enumerate(files, start=1):
        subprocess.run(
            [sys.executable, "-c", script, tmp_path / "small.yaml", path],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        )
    assert files[0].read_bytes() == files[1].read_bytes()
