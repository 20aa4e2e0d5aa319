"""Spec -> YAML text: what was read, with imports and variants resolved."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import yaml

from compiler.loader import Spec
from compiler.shown import shown
from compiler.source import Mapping, plain


def print_spec(spec: Spec) -> str:
    """Return the network that a file comes to, as one YAML document in block style."""
    assert spec.network is not None
    node = spec.network._node
    out: dict[str, Any] = {}
    assert isinstance(node, Mapping)
    for key, entry in node.entries.items():
        if key not in ("import", "extends", "changes", "blocks"):
            out[key] = _tidy(plain(entry.node))
    out["blocks"] = {
        name: _tidy(plain(block._node))
        for name, block in spec.blocks.items()
        if block._node is not None
    }
    text = _dump(out, allow_unicode=True)
    # YAML's escapes are for quoted words, so the text must not leave escaping to the terminal.
    return text if shown(text) == text else _dump(out, allow_unicode=False)


def _dump(value: object, allow_unicode: bool) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=allow_unicode, width=100))


def _tidy(value: Any) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, dict):
        return {k: _tidy(v) for k, v in value.items()}
    return [_tidy(v) for v in value] if isinstance(value, list) else value
