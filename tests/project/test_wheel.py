"""The wheel, installed elsewhere: commands, shipped specs, figures and the photograph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from compiler import VERSION

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with netdraft in it, away from the source tree."""
    folder = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(folder), str(wheel)], check=True)
    return folder


def netdraft(site: Path, cwd: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "compiler", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_spec_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    specs = {str(p.relative_to(ROOT / "specs")) for p in (ROOT / "specs").rglob("*.yaml")}
    assert {n.removeprefix("compiler/_specs/") for n in names if "_specs" in n} >= specs
    assert {n.partition("/")[0] for n in names} == {
        "compiler",
        "backends",
        "viz",
        "netdraft.py",
        f"netdraft-{VERSION}.dist-info",
    }


def python(site: Path, folder: Path, code: str) -> str:
    """Run code with what is installed, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_it_is_the_installed_one(site: Path, tmp_path: Path) -> None:
    code = (
        "import netdraft, compiler; from compiler.spec import shipped_specs; "
        "print(compiler.__file__, shipped_specs())"
    )
    package = site / "compiler"
    assert python(site, tmp_path, code).split() == [
        str(package / "__init__.py"),
        str(package / "_specs"),
    ]


def test_build_by_name(site: Path, tmp_path: Path) -> None:
    report = json.loads(netdraft(site, tmp_path, "build", "inception_v4", "--format", "json"))
    assert report["summary"]["parameters"] == 42_679_816
    assert report["forward"]["input"] == [[1, 3, 299, 299]]
    assert (tmp_path / "build" / "inception_v4" / "inception_v4.py").is_file()


def test_figure_by_number(site: Path, tmp_path: Path) -> None:
    netdraft(site, tmp_path, "render", "inception_v4", "--figure", "3", "-o", "stem.png")
    assert (tmp_path / "stem.png").read_bytes().startswith(b"\x89PNG")


def test_paper_and_maps(site: Path, tmp_path: Path) -> None:
    netdraft(site, tmp_path, "check", "inception_v4", "--against", "paper")
    assert "timm:inception_v4" in netdraft(site, tmp_path, "weights", "--help")


def test_the_schema(site: Path, tmp_path: Path) -> None:
    shipped = site / "compiler" / "_specs" / "schema.json"
    assert netdraft(site, tmp_path, "schema") == shipped.read_text(encoding="utf-8")
    first = (
        (shipped.parent / "zoo" / "googlenet.yaml").read_text(encoding="utf-8").partition("\n")[0]
    )
    assert first == "# yaml-language-server: $schema=../schema.json"


def test_names_of_classes(site: Path, tmp_path: Path) -> None:
    code = "from compiler.weights import mapping; print(mapping.load_map(%r).names[0])"
    assert python(site, tmp_path, code % "timm:inception_v4") == "tench\n"
