"""The site: every page of the repository is in it, and no link of a page leads nowhere."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

import netdraft
from docs.site.build import ROOT, build_site

TOOLS = ("furo", "myst_parser", "sphinx")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, TOOLS)), reason="Sphinx is not here: netdraft[docs]"
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "html"
    build_site(folder)  # a warning is an error: a link to nowhere, a page that no list names
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "specs" / "README.md"]
    pages += ROOT.glob("compiler/errors/pages/*.md")
    built = {str(path.relative_to(site).with_suffix("")) for path in site.rglob("*.html")}
    assert {str(page.relative_to(ROOT).with_suffix("")) for page in pages} <= built
    assert 'url=docs/site/index.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_what_python_gets_is_in_it(site: Path) -> None:
    text = (site / "docs" / "site" / "api.html").read_text(encoding="utf-8")
    names = [name for name in netdraft.__all__ if not name.startswith("_")]
    assert [name for name in names if f'id="netdraft.{name}"' not in text] == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    text = (site / "docs" / "site" / "index.html").read_text(encoding="utf-8")
    assert 'src="http' not in text
    assert 'rel="stylesheet" href="http' not in text


def test_the_notebook_can_be_taken(site: Path) -> None:
    assert [path.name for path in site.rglob("*.ipynb")] == ["TUTORIAL.ipynb"]


def test_a_link_to_nowhere_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "index.md"
    page.write_text("# A page\n\n[nowhere](gone.md)\n", encoding="utf-8")
    configuration = "extensions = ['myst_parser']\n"
    (tmp_path / "conf.py").write_text(configuration, encoding="utf-8")
    monkeypatch.setattr("docs.site.build.HERE", tmp_path)
    monkeypatch.setattr("docs.site.build.ROOT", tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        build_site(tmp_path / "html")
