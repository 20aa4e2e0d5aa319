"""Where a package is not installed, a command says which one it needs and how to get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.commands import shell

BLOCKER = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {names!r} else find(name, path, target)

PathFinder.find_spec = find_spec
"""
NEEDS = [
    ("build t.yaml -o out --device cpu", "torch", "torch"),
    ("build t.yaml -o out --device cpu --optimize", "torch", "torch"),
    ("build t.yaml -o out --device cpu --target onnx", "torch", "torch"),
    ("bench t.yaml -o out", "torch", "torch"),
    ("verify t.py t.yaml", "torch", "torch"),
    ("verify t.py t.yaml --run", "torch", "torch"),
    ("weights t.yaml w.safetensors -o out/w.safetensors", "torch", "torch"),
    ("build t.yaml -o out --device cpu", "PIL", "pillow"),
    ("build t.yaml -o out --device cpu --image x.png", "PIL", "pillow"),
    ("build t.yaml -o out --device cpu --save-weights", "safetensors", "safetensors"),
    ("build t.yaml -o out --device cpu --weights w.safetensors", "safetensors", "safetensors"),
    ("weights t.yaml w.safetensors -o out/w.safetensors", "safetensors", "safetensors"),
    ("build t.yaml -o out --device cpu --target source,onnx", "onnx", "netdraft[onnx]"),
    ("render t.yaml --format dot", "graphviz", "graphviz"),
    ("predict t.yaml x.png --weights w.safetensors", "torch", "torch"),
    ("lsp", "pygls", "netdraft[lsp]"),
    ("lsp --ws 0", "websockets", "netdraft[lsp]"),
    ("watch t.yaml", "starlette", "netdraft[watch]"),
    ("watch t.yaml", "uvicorn", "netdraft[watch]"),
    ("watch t.yaml", "watchfiles", "netdraft[watch]"),
    ("check t.yaml", "yaml", "pyyaml"),
    ("check t.yaml", "pydantic", "pydantic"),
]
WITHOUT = [
    ("check t.yaml", "torch", "numpy", "PIL", "onnx", "safetensors", "graphviz", "fontTools"),
    ("check t.yaml --emit graph", "torch", "numpy", "PIL", "onnx", "safetensors"),
    ("summary t.yaml", "torch", "numpy", "PIL", "onnx", "safetensors", "graphviz"),
    ("build t.yaml --emit optimized", "torch", "numpy", "PIL", "onnx", "safetensors"),
    ("render t.yaml --format svg", "torch", "numpy", "PIL", "onnx", "fontTools", "resvg_py"),
    ("render t.yaml --format dot", "torch", "numpy", "PIL", "onnx", "fontTools"),
    ("build t.yaml -o out --device cpu", "onnx", "onnxruntime", "safetensors", "resvg_py"),
    ("build t.yaml -o out --device cpu --target onnx", "onnxruntime", "safetensors"),
    ("build t.yaml -o out --device cpu --target export", "onnx", "onnxruntime", "timm"),
]


FIGURES = [
    ("png", "resvg_py", "PNG needs the package resvg-py: pip install resvg-py"),
    ("pdf", "fontTools", "PDF needs the package fonttools: pip install fonttools"),
]


def without(folder: Path, *names: str) -> str:
    """Write a start-up file under which these packages are missing; return how it is used."""
    (folder / "start").mkdir()
    (folder / "start" / "sitecustomize.py").write_text(BLOCKER.format(names=names))
    return f'export PYTHONPATH="{folder}/start"; '


@pytest.mark.parametrize(("command", "package", "project"), NEEDS)
def test_it_is_named(command: str, package: str, project: str, tmp_path: Path) -> None:
    for name in ("t.py", "w.safetensors", "x.png"):
        (tmp_path / name).touch()
    done = shell(without(tmp_path, package) + f"netdraft {command}", tmp_path)
    assert done.stderr == (
        f"error: this needs the package `{package}`, which is not installed here\n"
        f'  help: python -m pip install "{project}"\n'
    )
    assert done.returncode == 2
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(("form", "package", "words"), FIGURES)
def test_it_is_named_by_a_figure(form: str, package: str, words: str, tmp_path: Path) -> None:
    done = shell(without(tmp_path, package) + f"netdraft render t.yaml -o out.{form}", tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: {words}\n")
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("case", WITHOUT, ids=lambda case: case[0])
def test_what_is_not_needed_is_not_missed(case: tuple[str, ...], tmp_path: Path) -> None:
    done = shell(without(tmp_path, *case[1:]) + f"netdraft {case[0]}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
