"""`moved`: weights and comparisons follow a layer to its new name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from compiler.api import build_module
from compiler.cli.main import main
from compiler.compare import compare
from compiler.errors import BackendError
from compiler.graph import now_called
from compiler.pipeline import Compilation, load_graph

OLD = """network: net
input: {image: [3, 8, 8]}
layers:
  - {conv: 3x3, filters: 4, name: first}
  - {layers: [{conv: 1x1, filters: 4, name: one}, relu], name: mid, repeat: 2}
"""
NEW = OLD.replace("first", "stem").replace("name: one", "name: deep")
MOVED = "moved: {first: stem, mid.one: mid.deep}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "moved", "now"),
    [
        ("a.3.first.weight", {"a.first": "a.entry"}, "a.3.entry.weight"),
        ("a.3.first.weight", {"a": "b"}, "b.3.first.weight"),
        ("a.first.x", {"a": "b", "a.first": "a.c"}, "a.c.x"),
        ("a.first", {"a.first": "b.c.d"}, "b.c.d"),
        ("ab.first", {"a": "b"}, "ab.first"),
        ("a.4", {"a": "b"}, "b.4"),
        ("a", {"a.b": "c"}, "a"),
    ],
)
def test_a_path_is_followed_with_its_copies(name: str, moved: dict[str, str], now: str) -> None:
    assert now_called(name, moved) == now


def test_a_file_with_the_old_names_loads(tmp_path: Path) -> None:
    module = build_module(written(tmp_path, OLD), seed=1)
    file = tmp_path / "old.safetensors"
    save_file(module.state_dict(), file)
    with pytest.raises(BackendError):
        build_module(written(tmp_path, NEW), weights=file)
    moved = build_module(written(tmp_path, NEW + MOVED), weights=file)
    assert set(moved.state_dict()) >= {"stem.weight", "mid.1.deep.weight"}
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(moved(image), module(image), rtol=0, atol=0)


def test_a_comparison_follows_what_was_moved(tmp_path: Path) -> None:
    before = load_graph(written(tmp_path, OLD))
    found = compare(before, load_graph(written(tmp_path, NEW + MOVED)))
    assert {(c.kind, c.was, c.name, c.category) for c in found.changes} == {
        ("renamed", "first", "stem", "interface"),
        ("renamed", "mid.*.one", "mid.*.deep", "interface"),
    }
    assert found.tensors.lost == 0
    assert compare(before, load_graph(written(tmp_path, NEW))).worst == "weights"


def test_a_move_to_nowhere_and_from_what_is_there_are_said(tmp_path: Path) -> None:
    compilation = Compilation(written(tmp_path, NEW + "moved: {old: stmm, stem: mid}\n"))
    _ = compilation.graph
    assert [(d.code, d.severity, d.message) for d in compilation.diagnostics] == [
        ("unknown-layer", "warning",
         "`old` is moved to `stmm`, which is no layer (did you mean `stem`?)"),
        ("duplicate-name", "warning",
         "`stem` is moved to `mid`, and there is a layer `stem` too"),
    ]  # fmt: skip


def test_rename_writes_what_it_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, OLD)
    save_file(build_module(file, seed=1).state_dict(), tmp_path / "old.safetensors")
    assert main(["rename", "net.yaml", "first", "stem", "--moved"]) == 0
    assert main(["rename", "net.yaml", "mid.0.one", "deep", "--moved"]) == 0
    assert file.read_text().splitlines()[2:] == [
        "moved: {first: stem, mid.one: mid.deep}",
        *NEW.splitlines()[2:],
    ]
    build_module(file, weights=tmp_path / "old.safetensors")
