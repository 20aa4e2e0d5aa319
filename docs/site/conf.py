"""Sphinx: the pages of the repository, where they lie, as one site (`make site`)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import netdraft  # noqa: E402  - the repository's own, from the line above

project = "netdraft"
version = release = netdraft.__version__
author = "the authors of netdraft"

# The sources are the repository itself: a page is the file that GitHub shows, links included.
root_doc = "docs/site/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "specs/README.md",
    "docs/*.md",
    "docs/from/*.md",
    "docs/performance/*.md",
    "compiler/errors/pages/*.md",
    "editors/monaco/README.md",
    "editors/vscode/README.md",
    "backends/state/photographs/README.md",
    "docs/site/*.md",
]
html_extra_path = ["front"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
default_role = "code"  # a docstring's `word`
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
highlight_language = "text"

html_theme = "furo"
html_title = f"netdraft {release}"
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
html_show_sourcelink = False
html_show_copyright = False


LINKED = ("compiler/", "backends/", "editors/", "docs/performance/")
"""What other pages lead to and the list of pages does not name."""


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn the anchors of a page's HTML, which GitHub needs, into targets that links find here."""
    anchor = re.compile(r'^(#+ )<a id="([\w-]+)"></a>', re.MULTILINE)
    source[0] = anchor.sub(r"(\2)=\n\n\1", source[0])
    if page.startswith(LINKED):
        source[0] = f"---\norphan: true\n---\n\n{source[0]}"


def setup(app: Sphinx) -> None:
    """Register what happens to a page before it is read."""
    app.connect("source-read", _read)
