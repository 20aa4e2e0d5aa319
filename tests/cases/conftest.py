"""Specs as text, for cases that are a few lines long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from compiler.errors import CompileError, Diagnostic, in_file_order
from compiler.errors.diagnose import as_text
from compiler.graph import Graph
from compiler.pipeline import draft_graph


@dataclass
class Drafted:
    """What came of a spec: findings in file order, their text, and the graph if there is one."""

    findings: tuple[Diagnostic, ...]
    text: str
    graph: Graph | None

    @property
    def errors(self) -> list[str]:
        """The codes of the errors."""
        return [d.code for d in self.findings if d.severity == "error"]

    @property
    def said(self) -> str:
        """The text with its lines joined, so that wrapping does not matter."""
        return " ".join(self.text.replace("|", " ").split())

    @property
    def out(self) -> str:
        """The first output's shape, channels first: 64x35x35."""
        assert self.graph is not None
        assert self.errors == [], self.text
        return self.size(self.graph.outputs[0].node)

    def size(self, name: str) -> str:
        """A node's or a region's shape, channels first."""
        assert self.graph is not None
        region = self.graph.regions.get(name)
        return "x".join(map(str, self.graph.nodes[region.output if region else name].shape))


class Draft:
    """Drafts a spec from its text; `layers` is the short way, with one input `x`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        text: str | bytes,
        inputs: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> Drafted:
        path = self.folder / "spec.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        graph = None
        try:
            graph, report, spec = draft_graph(path, settings or {}, inputs)
            found, texts = tuple(report.diagnostics), spec.texts
        except CompileError as error:
            found, texts = error.diagnostics, dict(error.texts)
        ordered = in_file_order(found, texts)
        return Drafted(ordered, as_text(ordered, texts), graph)

    def layers(self, size: str, *layers: str, head: str = "") -> Drafted:
        """Draft a network of these layers on an input `x` of C x H x W."""
        dims = ", ".join(size.split("x"))
        body = "".join(f"  - {layer}\n" for layer in layers)
        return self(f"network: net\ninput: {{x: [{dims}]}}\n{head}layers:\n{body}")


@pytest.fixture
def draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draft:
    """Return the drafter, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Draft(tmp_path)
