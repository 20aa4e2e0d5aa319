"""netdraft: YAML specs -> checked graphs, modules, code and figures.

load -> lower (with shapes) -> verify -> optimize -> a backend | viz | summary

source.py    YAML text -> values that know where they stand
read.py      values -> spec models, with all faults of a run
loader.py    files -> Spec: imports and variants
lower.py     Spec -> Graph: blocks expanded, hierarchy kept, shapes proved
verify.py    what must hold after every step
passes/      Graph -> Graph, one function a file
summarize.py Graph -> the stage table
api.py       the functions for use from Python, all of them importable from here
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.api import (
        BackendError,
        CompileError,
        Diagnostic,
        Graph,
        Summary,
        UsageError,
        WeightsReport,
        build_module,
        check,
        emit_source,
        features,
        graph_of,
        load,
        load_weights,
        optimize,
        render,
        show,
        summary,
    )

__all__ = [
    "BackendError",
    "CompileError",
    "Diagnostic",
    "Graph",
    "Summary",
    "UsageError",
    "WeightsReport",
    "build_module",
    "check",
    "emit_source",
    "features",
    "graph_of",
    "load",
    "load_weights",
    "optimize",
    "render",
    "show",
    "summary",
]


def __getattr__(name: str) -> Any:
    """Import the API on first use: every module of the package passes through here."""
    if name not in __all__:
        raise AttributeError(f"module `compiler` has no attribute `{name}`")
    from compiler import api

    return getattr(api, name)
