"""Puts the page together: template, style, script, program, and the policy for just these."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from compiler import VERSION
from compiler.errors import Diagnostic
from compiler.graph import Graph, Symbolic
from compiler.spec import Spec
from viz.diagram.faults import find_faults
from viz.html.details import nodes_at, write_details
from viz.html.drawing import write_drawings
from viz.html.numbers import write_numbers
from viz.html.placed import Json
from viz.style.text import visible
from viz.style.theme import THEMES, Theme

FOLDER = Path(__file__).with_name("page")
SCRIPTS = (
    "dom",
    "numbers",
    "drawing",
    "view",
    "controls",
    "panel",
    "app",
    "keys",
    "export",
    "present",
    "main",
)
"""The page's scripts in the order in which they are run; they share one scope."""


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
        findings: what the compiler found.
        depth: how many levels of blocks are open at first.
        live: what a page that `watch` serves is told besides; it may talk to its server alone.
    """
    program = page_program(graph, spec, findings, depth)
    if live is not None:
        program["live"] = live
    is_live = live is not None
    style, script = _style(is_live), _script(is_live)
    return Template(_text("page.html")).substitute(
        policy=_policy(style, script, is_live),
        version=escape(VERSION),
        title=escape(program["title"]),
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
    """Return what the page shows: drawings, numbers as formulas, and what it tells of each box.

    Args:
        graph: the network, or the draft of a broken one.
        spec: what it was built from.
        findings: what the compiler found.
        depth: how many levels of blocks are open at first.
    """
    found = [d for d in findings if d.severity == "error"]
    live: set[tuple[str, str]] = set()
    numbers = write_numbers(graph, spec, live)
    for setting in numbers["settings"]:
        setting |= {key: visible(setting[key]) for key in ("label", "doc", "cite")}
    details = write_details(graph, spec)
    drawings = write_drawings(graph, live, find_faults(graph, found))
    cite = [str(graph.info.cite)] if graph.info.cite is not None else []
    return {
        "name": graph.name,
        "title": visible(graph.title),
        "subtitle": visible(" \u00b7 ".join([*cite, details["files"][0]])),
        "doc": visible(spec.network.doc if spec.network else ""),
        "outputs": [o.node for o in graph.outputs],
        "inputs": list(graph.inputs),
        "depth": depth,
        "findings": list(_findings(graph, found, details["files"], spec)),
        "open": _open_sizes(graph),
        "numbers": numbers,
        "drawings": drawings,
        **details,
    }


def _open_sizes(graph: Graph) -> dict[str, str]:
    """Return the sizes that are formulas, as figures print them, by node."""
    return {
        node.name: node.shape.paper
        for node in graph.nodes.values()
        if any(isinstance(size, Symbolic) for size in node.shape)
    }


def _findings(
    graph: Graph, found: Iterable[Diagnostic], names: Sequence[str], spec: Spec
) -> Iterator[Json]:
    """Yield errors, each with the layer that it is at, if it is at one."""
    files = {file: i for i, file in enumerate(spec.texts)}
    places = nodes_at(graph)
    for error in found:
        at = error.span
        yield {
            "code": error.code,
            "message": visible(error.message),
            "help": visible(error.help),
            "at": f"{names[files.get(at.file, 0)]}:{at.line}:{at.column}" if at.line else "",
            "node": places.get((at.file, at.line)),
        }


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _script(is_live: bool) -> str:
    """Return all scripts as one, in a scope of its own; that of `watch` before the last."""
    names = [*SCRIPTS[:-1], "live", SCRIPTS[-1]] if is_live else SCRIPTS
    parts = "\n".join(_text(f"{name}.js") for name in names)
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
    edges = ("outline", "circle", "line", "frame", "frame_fill", "failed", "failed_fill")
    names = (*edges, "ink", "cold", "hot")
    colours = {name.replace("_", "-"): getattr(theme, name) for name in names} | dict(theme.fills)
    lines = "".join(f"  --{name}: {value};\n" for name, value in colours.items())
    return f":root {{\n{lines}}}\n"


def _policy(style: str, script: str, is_live: bool) -> str:
    """Return a policy under which nothing is loaded, and only this script and style count.

    A picture that the page makes of itself, for PNG, is a blob of its own.
    """
    server = "connect-src 'self'; " if is_live else ""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        f"img-src blob:; {server}"
        "base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")


def _data(program: Json) -> str:
    """Return JSON that cannot end the element that holds it."""
    text = json.dumps(program, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
