"""Specs as data: written as YAML files, and with imports and variants resolved."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import yaml

from compiler.spec.shipped import shipped_spec
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
    op_last: bool = False
    """True: the op of a layer stands behind its other keys."""

    def __str__(self) -> str:
        return "\n".join(f"# {name}\n{text}" for name, text in self.texts.items())

    __repr__ = __str__

    @property
    def texts(self) -> dict[str, str]:
        """File name -> YAML."""
        return {name: self.yaml(data) for name, data in self.files.items()}

    def yaml(self, data: Any) -> str:
        """Return data as this spec's YAML."""
        data = with_ops_last(data) if self.op_last else data
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
        blocks = copy.deepcopy(_blocks(self.files, name))
        out = copy.deepcopy(_network(self.files, name, blocks))
        out["blocks"] = blocks
        return out


def with_ops_last(data: Any, *, is_layer: bool = False) -> Any:
    """Return data whose layers have their first key at the end."""
    if isinstance(data, list):
        return [with_ops_last(item, is_layer=is_layer) for item in data]
    if not isinstance(data, dict):
        return data
    out = {key: _inside(key, value) for key, value in data.items()}
    return {**dict(list(out.items())[1:]), **dict(list(out.items())[:1])} if is_layer else out


def _inside(key: str, value: Any) -> Any:
    if key in ("branches", "split", "insert") and isinstance(value, dict):
        return {k: with_ops_last(v, is_layer=isinstance(v, list)) for k, v in value.items()}
    is_chain = key in ("layers", "body", "shortcut", "by", "insert") and isinstance(value, list)
    return with_ops_last(value, is_layer=is_chain)


@cache
def shipped(name: str) -> Data:
    """Return a shipped spec by its name."""
    path = shipped_spec(name)
    assert path is not None, name
    data: Data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return data


def _content(files: Mapping[str, Data], name: str) -> Data:
    return files[name] if name in files else shipped(name)


def _beside(files: Mapping[str, Data], name: str, other: str) -> str:
    """Return which file another one means: one beside it, or a shipped one of that name."""
    beside = normpath(str(PurePosixPath(name).parent / other))
    is_there = beside in files or (name not in files and shipped_spec(beside) is not None)
    return beside if is_there else other


def _blocks(files: Mapping[str, Data], name: str) -> Data:
    """Return the blocks that a file can use: a variant's own over its base's."""
    data = _content(files, name)
    out: Data = {}
    if "extends" in data:
        out |= _blocks(files, _beside(files, name, data["extends"]))
    for other in data.get("import", []):
        out |= _blocks(files, _beside(files, name, other))
    return {**out, **data.get("blocks", {})}


def _network(files: Mapping[str, Data], name: str, blocks: Data) -> Data:
    """Return a file's network, over the one that it extends; changes may make blocks of theirs."""
    own = dict(_content(files, name))
    base_name = own.pop("extends", None)
    changes = own.pop("changes", [])
    own.pop("import", None)
    own.pop("blocks", None)
    if base_name is None:
        return own
    out = _network(files, _beside(files, name, base_name), blocks)
    for key, value in own.items():
        is_merged = key in MERGED and key in out
        out[key] = _merge(out[key], value) if is_merged else value
    layers = [_without_size(layer) for layer in out["layers"]]
    for change in changes:
        layers = _changed(layers, change, blocks)
    out["layers"] = layers
    return out


def _without_size(layer: Any) -> Any:
    """Return a layer of a base without the size that is stated of it."""
    return {k: v for k, v in layer.items() if k != "size"} if isinstance(layer, dict) else layer


def _merge(below: Any, above: Any) -> Any:
    if not isinstance(below, dict):
        return above
    if not isinstance(above, dict):
        return {**below, "default": above} if "type" in below else above
    return {**below, **{k: _merge(below[k], v) if k in below else v for k, v in above.items()}}


def _changed(layers: list[Any], change: Data, blocks: Data) -> list[Any]:
    """Return a list of layers with a change made in it, or inside one of its blocks."""
    out = list(layers)
    (action, target), *rest = change.items()
    head, _, inner = target.partition(".")
    at = [layer_name(layer) for layer in out].index(head)
    if inner:
        layer = dict(as_mapping(out[at]))
        name = f"{layer['block']}_in_{head}"
        while name in blocks:
            name += "_"
        blocks[name] = _changed_block(blocks[layer["block"]], {action: inner, **dict(rest)}, blocks)
        out[at] = {**layer, "block": name, "name": head}
        out[at] = {k: out[at][k] for k in ("block", *out[at])}
    elif action == "set":
        out[at] = _set(dict(as_mapping(out[at])), dict(rest))
    elif action == "remove":
        del out[at]
    else:
        span = {"replace": (at, at + 1), "after": (at + 1, at + 1), "before": (at, at)}[action]
        out[slice(*span)] = rest[0][1]
    return out


def _set(layer: Data, values: Data) -> Data:
    for key, value in values.items():
        is_merged = key == "with" and key in layer and value is not None
        layer[key] = _merge(layer[key], value) if is_merged else value
        if value is None:
            del layer[key]
    return layer


def _changed_block(block: Data, change: Data, blocks: Data) -> Data:
    """Return a block of layers with a change in it; sizes were stated of it as it was."""
    out = {k: v for k, v in block.items() if k != "input_size"}
    out["layers"] = _changed(block["layers"], change, blocks)
    return out


def layer_name(layer: Any) -> str:
    """Return the name of a layer, its own or the one that it gets alone in its list."""
    row = as_mapping(layer)
    op, argument = next(iter(row.items()))
    if "name" in row:
        return str(row["name"])
    return str(argument) if op == "block" else automatic_name(op, argument)
