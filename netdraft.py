"""Draft a network in YAML: `import netdraft`, then `netdraft.build_module("inception_v4")`."""

from __future__ import annotations

from compiler.api import (
    BackendError,
    CompileError,
    Diagnostic,
    Graph,
    Spec,
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
from compiler.version import VERSION as __version__

__all__ = [
    "BackendError",
    "CompileError",
    "Diagnostic",
    "Graph",
    "Spec",
    "Summary",
    "UsageError",
    "WeightsReport",
    "__version__",
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
