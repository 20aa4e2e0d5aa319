"""The page as a file: its policy, what stands in it, and that it is the same every time."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

import compiler.ops
from compiler.graph import Op
from compiler.pipeline import draft_graph
from compiler.spec.model import LAYERS
from viz.html import render_html
from viz.html.document import FOLDER
from viz.html.document import SCRIPTS as ORDER

LIMIT = 600_000
"""Bytes that the page of Inception-v4 may have."""


def page_of(spec: str | Path) -> str:
    graph, report, loaded = draft_graph(spec)
    return render_html(graph, loaded, report.diagnostics)


def element(text: str, tag: str) -> str:
    match = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    assert match is not None
    return match[1]


def digest(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def test_policy_allows_the_page_s_own_script_and_style_only() -> None:
    text = page_of("inception_v4")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'{digest(element(text, 'script'))}'"
    assert rules["style-src"] == f"'{digest(element(text, 'style'))}'"
    assert rules["form-action"] == rules["base-uri"] == "'none'"


def test_nothing_is_fetched_and_nothing_runs_from_an_attribute() -> None:
    text = page_of("inception_v4")
    markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\s(on\w+|style|src)=", markup)
    assert set(re.findall(r'href="([^"]*)"', markup)) == {"#figure"}
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", text)
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}


def test_same_bytes_from_any_folder_and_within_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = page_of("inception_v4")
    monkeypatch.chdir(tmp_path)
    assert page_of("inception_v4") == first
    assert len(first.encode()) < LIMIT
    assert '"specs/inception_v4.yaml"' in first


def test_data_cannot_end_its_element(tmp_path: Path) -> None:
    spec = tmp_path / "hostile.yaml"
    nasty = "</script><script>alert(1)</script><!-- & \u2028 \u202e"
    spec.write_text(
        f"network: hostile\ntitle: {json.dumps(nasty)}\ninput: {{x: [3, 8, 8]}}\n"
        f"layers:\n  - {{conv: 1x1, filters: 4, label: {json.dumps(nasty)}}}\n"
    )
    text = page_of(spec)
    assert len(re.findall(r"</script>", text)) == 2
    assert "<script>alert" not in text
    assert "\u202e" not in text
    data = re.search(r'id="program">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    label = json.loads(data[1])["items"]["conv_1x1"]["title"]
    assert label == "</script><script>alert(1)</script><!-- & \\u2028 \\u202e"


SCRIPTS = sorted(FOLDER.glob("*.js"))
JAVASCRIPT = frozenset(("add", "block", "crop", "layers", "multiply", "scale", "slice", "split"))
"""Words of scripts that are ops too: a set adds, a list is sliced, a view is scaled."""


def test_the_page_knows_no_operation() -> None:
    """Neither a kind nor a rule of one: what an operation is says the compiler alone."""
    ops = [op for op in vars(compiler.ops).values() if isinstance(op, type) and issubclass(op, Op)]
    kinds = {op.__name__ for op in ops} - {"Op", "Input"}  # it has a group of inputs
    assert len(kinds) > 30
    text = "\n".join(file.read_text(encoding="utf-8") for file in SCRIPTS)
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    assert not words & {*kinds, *LAYERS, "padding", "stride", "kernel", "dilation"} - JAVASCRIPT


def test_the_page_has_no_more_script_than_a_view_needs() -> None:
    lines = [line for name in ORDER for line in (FOLDER / f"{name}.js").read_text().splitlines()]
    code = [line for line in lines if not re.match(r"\s*(//|/\*\*|\*|\*/|$)", line)]
    assert len(code) <= 1500


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda f: f.name)
def test_scripts_are_read_by_people(file: Path) -> None:
    assert [line for line in file.read_text(encoding="utf-8").splitlines() if len(line) > 100] == []
