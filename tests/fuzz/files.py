"""Specs as data: written as YAML files, and with imports and variants resolved."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import yaml

from tests.fuzz.meaning import as_mapping, automatic_name

Data = dict[str, Any]
MERGED = ("params", "defaults", "input")
MAIN = "net.yaml"


@dataclass(frozen=True)
class Written:
    """A spec as files, the main one first; `letters` are sizes for what its inputs leave open."""

    files: dict[str, Data]
    letters: dict[str, int] = field(default_factory=dict)
    flow: bool | None = None
    """How YAML writes its collections: `None`, those of plain values on one line."""

    def __str__(self) -> str:
        return "\n".join(f"# {name}\n{text}" for name, text in self.texts.items())

    __repr__ = __str__

    @property
    def texts(self) -> dict[str, str]:
        """File name -> YAML."""
        return {name: self.yaml(data) for name, data in self.files.items()}

    def yaml(self, data: Any) -> str:
        """Return data as this spec's YAML."""
        return str(
            yaml.safe_dump(
                data, sort_keys=False, default_flow_style=self.flow, width=100, allow_unicode=True
            )
        )

    def write(self, folder: Path) -> Path:
        """Write the files into a folder and return the main one."""
        for name, text in self.texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder / next(iter(self.files))

    @property
    def data(self) -> Data:
        """The whole as one file."""
        name = next(iter(self.files))
        out = copy.deepcopy(_network(self.files, name))
        out["blocks"] = copy.deepcopy(_blocks(self.files, name))
        return out


def _beside(name: str, other: str) -> str:
    return normpath(str(PurePosixPath(name).parent / other))


def _blocks(files: Mapping[str, Data], name: str) -> Data:
    """Return the blocks that a file can use: a variant's own over its base's."""
    data = files[name]
    out: Data = {}
    if "extends" in data:
        out |= _blocks(files, _beside(name, data["extends"]))
    for other in data.get("import", []):
        out |= _blocks(files, _beside(name, other))
    return {**out, **data.get("blocks", {})}


def _network(files: Mapping[str, Data], name: str) -> Data:
    """Return a file's network, over the one that it extends."""
    own = dict(files[name])
    base_name = own.pop("extends", None)
    changes = own.pop("changes", [])
    own.pop("import", None)
    own.pop("blocks", None)
    if base_name is None:
        return own
    out = _network(files, _beside(name, base_name))
    for key, value in own.items():
        is_merged = key in MERGED and key in out
        out[key] = _merge(out[key], value) if is_merged else value
    out["layers"] = _changed(out["layers"], changes)
    return out


def _merge(below: Any, above: Any) -> Any:
    if not isinstance(below, dict):
        return above
    if not isinstance(above, dict):
        return {**below, "default": above} if "type" in below else above
    return {**below, **{k: _merge(below[k], v) if k in below else v for k, v in above.items()}}


def _changed(layers: list[Any], changes: list[Data]) -> list[Any]:
    out = list(layers)
    for change in changes:
        (action, target), *rest = change.items()
        at = [_name(layer) for layer in out].index(target)
        if action == "set":
            layer = dict(as_mapping(out[at]))
            for key, value in rest:
                layer[key] = _merge(layer[key], value) if key in layer and key == "with" else value
            out[at] = layer
        elif action == "remove":
            del out[at]
        else:
            span = {"replace": (at, at + 1), "after": (at + 1, at + 1), "before": (at, at)}[action]
            out[slice(*span)] = rest[0][1]
    return out


def _name(layer: Any) -> str:
    row = as_mapping(layer)
    op, argument = next(iter(row.items()))
    if "name" in row:
        return str(row["name"])
    return str(argument) if op == "block" else automatic_name(op, argument)
