"""Graph -> target. `BACKENDS` names them; nothing is imported before it is used.

The table holds strings because torch takes seconds to import and onnx need not be installed:
`check`, `summary` and `--help` answer without either.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

BACKENDS: dict[str, str] = {
    "torch": "backends.torch.module:build_module",
    "source": "backends.torch.source:emit_source",
    "onnx": "backends.onnx.model:build_onnx",
    "export": "backends.torch.export_program:export_program",
}
"""Target -> "module:function"; each function takes a graph first, then keywords."""


def load_backend(target: str) -> Callable[..., Any]:
    """Import a backend and return its function.

    Raises:
        KeyError: there is no such target.
    """
    module, _, function = BACKENDS[target].partition(":")
    backend: Callable[..., Any] = getattr(import_module(module), function)
    return backend
