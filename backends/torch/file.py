"""The emitted file: header, imports, helpers, classes, network, and what it prints when run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from backends.torch.class_text import ClassText
from backends.torch.docs import clean, docstring
from backends.torch.ops import HELPERS, IMPORTS, closure
from backends.torch.units import Unit
from compiler import VERSION
from compiler.graph import Graph

ALIASES = {"Size": "int | tuple[int, int]", "Activation": "Callable[[], nn.Module]"}
"""Names of types in signatures."""


@dataclass(slots=True)
class File:
    """What goes into an emitted file."""

    graph: Graph
    network: list[str]
    """The network's class and the NamedTuple before it."""
    main: list[str]
    classes: list[ClassText]
    helpers: set[str]
    units: Iterable[Unit]


def assemble(file: File) -> str:
    """Return the text of a file."""
    sections = [HELPERS[name].source.strip().splitlines() for name in closure(_helpers(file))]
    sections += [unit.lines() for unit in file.units]
    sections += [c.lines() for c in file.classes]
    sections.append(file.network)
    body = "\n\n\n".join("\n".join(s) for s in sections)
    main = "\n".join(file.main)
    aliases = "".join(f"{n} = {type}\n" for n, type in ALIASES.items() if _reads(body, n))
    alias = f"{aliases}\n\n" if aliases else "\n"
    imports = _imports(f"{alias}{body}\n{main}")
    return f"{_header(file.graph)}\n\n{imports}\n\n{alias}{body}\n\n\n{main}\n"


def _reads(text: str, word: str) -> bool:
    return re.search(rf": {word}\b", text) is not None


def _helpers(file: File) -> set[str]:
    """Return the requested helpers, those inside units among them."""
    return file.helpers | {c for unit in file.units for c in unit.classes() if c in HELPERS}


def _header(graph: Graph) -> str:
    lines = docstring(graph.title or graph.name, graph.info, graph.info.doc, [], 0)
    if len(lines) == 1:
        lines = [lines[0].removesuffix('"""'), '"""']
    made = (
        f"Emitted by netdraft {VERSION} from the spec `{clean(graph.name)}`, content hash",
        f"{clean(graph.as_written.digest) or 'unknown'}.",
        "Labels in figures: `/2` is stride 2, `V` valid padding; shapes are (N, C, H, W).",
    )
    return "\n".join([*lines[:-1], "", *made, lines[-1]])


def _imports(text: str) -> str:
    standard = sorted(line for word, line in IMPORTS.items() if re.search(rf"\b{word}\b", text))
    standard.sort(key=lambda line: (not line.startswith("import"), line))
    merged = _merge_typing(standard)
    torch = ["import torch"]
    if re.search(r"\bF\.", text):
        torch.append("import torch.nn.functional as F")
    torch.append("from torch import Tensor, nn")
    blocks = ["from __future__ import annotations", "\n".join(merged), "\n".join(torch)]
    return "\n\n".join(b for b in blocks if b)


def _merge_typing(lines: list[str]) -> list[str]:
    words = [line.removeprefix("from typing import ") for line in lines if "typing" in line]
    out = [line for line in lines if "typing" not in line]
    return [*out, f"from typing import {', '.join(words)}"] if words else out
