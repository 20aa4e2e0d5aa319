"""Puts the page together: template, style, script, program, and the policy for just these."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from compiler.errors import Diagnostic
from compiler.graph import Graph
from compiler.spec import Spec
from compiler.version import VERSION
from viz.html.layers import Json
from viz.html.program import write_program
from viz.style.text import visible
from viz.style.theme import THEMES, Theme

FOLDER = Path(__file__).with_name("page")
SCRIPTS = (
    "expressions",
    "symbolic",
    "residues",
    "shapes",
    "traced",
    "operations",
    "values",
    "report",
    "labels",
    "lower",
    "blocks",
    "layers",
    "arrange",
    "measure",
    "aside",
    "layout",
    "straighten",
    "lift",
    "draw",
    "view",
    "panel",
    "controls",
    "app",
    "show",
    "live",
    "main",
)
"""The page's scripts in the order in which they are run; they share one scope."""
COMPUTED = frozenset(
    (
        "shape-mismatch",
        "empty-output",
        "wrong-size",
        "groups-mismatch",
        "pool-padding",
        "not-a-map",
        "not-a-vector",
        "symbolic-size",
        "share-mismatch",
    )
)
"""Codes of findings that the page makes itself, for whatever sizes are set."""


def render_html(
    graph: Graph,
    spec: Spec,
    findings: Iterable[Diagnostic] = (),
    depth: int = 0,
    live: Json | None = None,
) -> str:
    """Return the page for a network; the same bytes for the same spec.

    Args:
        graph: the network, or the draft of a broken one.
        spec: what it was built from.
        findings: what the compiler found; what depends on sizes the page finds again.
        depth: how many levels of blocks are open at first.
        live: what a page that `watch` serves is told besides; it may talk to its server alone.
    """
    program = page_program(graph, spec, findings, depth)
    if live is not None:
        program["live"] = live
    style, script = _style(is_live=live is not None), _script()
    return Template(_text("page.html")).substitute(
        policy=_policy(style, script, is_live=live is not None),
        version=escape(VERSION),
        title=escape(visible(graph.title)),
        subtitle=escape(visible(" · ".join(_subtitle(graph, program)))),
        style=style,
        script=script,
        program=_data(program),
    )


def waiting_page() -> str:
    """Return the page that `watch` serves until there is a network to show."""
    script = _text("waiting.js")
    policy = f"default-src 'none'; script-src '{_hash(script)}'; connect-src 'self'"
    return Template(_text("waiting.html")).substitute(policy=policy, script=script)


def page_program(
    graph: Graph, spec: Spec, findings: Iterable[Diagnostic] = (), depth: int = 0
) -> Json:
    """Return what the page shows.

    Args:
        graph: the network, or the draft of a broken one.
        spec: what it was built from.
        findings: what the compiler found; what depends on sizes the page finds again.
        depth: how many levels of blocks are open at first.
    """
    program = write_program(graph, spec)
    program["depth"] = depth
    files = {file: i for i, file in enumerate(spec.texts)}
    computed = COMPUTED.union(program.pop("codes"))
    program["findings"] = [
        _finding(found, files)
        for found in findings
        if found.severity == "error" and found.code not in computed
    ]
    return program


def _finding(found: Diagnostic, files: Mapping[str, int]) -> Json:
    at = [files.get(found.span.file, 0), found.span.line, found.span.column]
    return {"code": found.code, "message": found.message, "help": found.help, "at": at}


def _subtitle(graph: Graph, program: Json) -> Iterator[str]:
    if graph.info.cite is not None:
        yield str(graph.info.cite)
    yield program["files"][0]


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _script() -> str:
    """Return all scripts as one, in a scope of its own."""
    parts = "\n".join(_text(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _style(is_live: bool) -> str:
    """Return the style sheet with the colours of the themes `paper` and `dark`."""
    fills = THEMES["paper"].fills
    kinds = "".join(f".kind-{kind} > .shape {{ fill: var(--{kind}); }}\n" for kind in fills)
    dark = "@media screen and (prefers-color-scheme: dark)"
    dark = f"{dark} {{\n{_colours(THEMES['dark'])}}}\n"
    live = _text("live.css") if is_live else ""
    return _text("page.css") + live + _colours(THEMES["paper"]) + dark + kinds


def _colours(theme: Theme) -> str:
    names = ("outline", "circle", "ink", "line", "frame", "frame_fill", "failed", "failed_fill")
    colours = {name.replace("_", "-"): getattr(theme, name) for name in names} | dict(theme.fills)
    lines = "".join(f"  --{name}: {value};\n" for name, value in colours.items())
    return f":root {{\n{lines}}}\n"


def _policy(style: str, script: str, is_live: bool) -> str:
    """Return a policy under which nothing is loaded, and only this script and style count."""
    server = "connect-src 'self'; " if is_live else ""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        f"{server}base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")


def _data(program: Json) -> str:
    """Return JSON that cannot end the element that holds it."""
    text = json.dumps(program, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
