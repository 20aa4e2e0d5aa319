"""ONNX files: one by default, two past the limit, nothing stale, the same bytes every time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

from backends.onnx.files import PROTOBUF_LIMIT, STRUCTURE_MARGIN, remove_stale, write_onnx
from backends.onnx.model import build_onnx
from compiler.errors import BackendError
from compiler.files import write_folder
from compiler.graph import Graph
from compiler.ops import Conv2d
from tests.oracle.difference import relative_difference
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.small_graphs import random_inputs, random_state, single

ROOT = Path(__file__).parents[2]
SMALL_LIMIT = STRUCTURE_MARGIN + 4


@pytest.fixture
def conv() -> Graph:
    return single(Conv2d(4, (3, 3)), (3, 8, 8))


def save(model: onnx.ModelProto, path: Path, limit: int = PROTOBUF_LIMIT) -> tuple[Path, ...]:
    """Write a model as `build` does; return its files, the one to load first."""
    files = write_folder(path.parent, {path.name: lambda place: write_onnx(model, place, limit)})
    remove_stale(files)
    return files[::-1]


def check_loads(path: Path, graph: Graph) -> None:
    inputs = random_inputs(graph)
    want = evaluate(graph, random_state(graph), inputs)["y"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, inputs)
    assert relative_difference(got, want) < 1e-6


def test_one_file_that_can_be_moved(tmp_path: Path, conv: Graph) -> None:
    assert save(build_onnx(conv, random_state(conv)), tmp_path / "net.onnx") == (
        tmp_path / "net.onnx",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    moved = shutil.move(tmp_path / "net.onnx", tmp_path / "moved.onnx")
    check_loads(Path(moved), conv)


def test_two_files_past_the_limit_and_both_are_told(tmp_path: Path, conv: Graph) -> None:
    model = build_onnx(conv, random_state(conv))
    files = save(model, tmp_path / "net.onnx", limit=SMALL_LIMIT)
    assert [f.name for f in files] == ["net.onnx", "net.onnx.data"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert files[1].stat().st_size >= 4 * 3 * 9 * 4
    check_loads(files[0], conv)


def test_stale_data_file_does_not_survive(tmp_path: Path, conv: Graph) -> None:
    path = tmp_path / "net.onnx"
    save(build_onnx(conv, random_state(conv)), path, limit=SMALL_LIMIT)
    save(build_onnx(conv, random_state(conv)), path)
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    check_loads(path, conv)


def test_invalid_model_is_not_written(tmp_path: Path, conv: Graph) -> None:
    model = build_onnx(conv, random_state(conv))
    model.graph.node[0].op_type = "Convolve"
    with pytest.raises(BackendError, match=r"the ONNX model is not valid: .*Convolve"):
        save(model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_two_hash_seeds_make_the_same_bytes(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from compiler.pipeline import load_graph\n"
        "from backends.onnx.model import build_onnx\n"
        "from backends.onnx.files import write_onnx\n"
        "from tests.oracle.small_graphs import random_state\n"
        "graph = load_graph('inception_v4', inputs=['3x75x75'])\n"
        "write_onnx(build_onnx(graph, random_state(graph)), Path(sys.argv[1]))\n"
    )
    files = [tmp_path / "1.onnx", tmp_path / "2.onnx"]
    for seed, path in enumerate(files, start=1):
        env = {**os.environ, "PYTHONHASHSEED": str(seed)}
        subprocess.run([sys.executable, "-c", script, path], check=True, cwd=ROOT, env=env)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_external_data_model_loads_in_runtime_by_path_alone(tmp_path: Path, conv: Graph) -> None:
    path = save(build_onnx(conv, random_state(conv)), tmp_path / "n.onnx", limit=SMALL_LIMIT)[0]
    assert onnx.load(path, load_external_data=False).graph.initializer[0].external_data
    assert onnxruntime.InferenceSession(path).get_inputs()[0].name == "x0"
