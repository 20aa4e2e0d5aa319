"""A comparison as JSON-ready data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from compiler.compare.change import Change, Comparison, Row
from compiler.graph import Dim


def as_data(found: Comparison) -> dict[str, Any]:
    """Return a comparison; sizes are channels first, what is a formula is text."""
    tensors = found.tensors
    return {
        "before": found.before,
        "after": found.after,
        "worst": found.worst,
        "changes": [_change(change) for change in found.changes],
        "totals": {
            total.what: {"before": _dim(total.before), "after": _dim(total.after)}
            for total in found.totals
        },
        "stages": [
            {"name": row.name, "before": _row(row.before), "after": _row(row.after)}
            for row in found.stages
        ],
        "tensors": {
            "total": tensors.total,
            "gone": {name: list(shape) for name, shape in tensors.gone.items()},
            "reshaped": {n: [list(a), list(b)] for n, (a, b) in tensors.reshaped.items()},
            "new": {name: list(shape) for name, shape in tensors.fresh.items()},
        },
        "resized": [
            {"name": name, "before": list(map(_dim, before)), "after": list(map(_dim, after))}
            for name, before, after in found.resized
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    data = asdict(change)
    del data["members"], data["were"]
    return data | {"details": list(data["details"])}


def _row(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    output, parameters, macs, field = row
    return {
        "output": list(map(_dim, output)),
        "parameters": _dim(parameters),
        "macs": _dim(macs),
        "receptive_field": list(field) if field else None,
    }


def _dim(value: Dim) -> int | str | None:
    return value if value is None or isinstance(value, int) else str(value)
