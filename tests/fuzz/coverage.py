"""What of the language random specs say, beside what there is to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from compiler.ops import COMMON_KEYS, Common
from compiler.spec import LAYERS, BlockSpec, NetworkSpec, OutputSpec, ParamSpec
from compiler.spec.model import ResidualBody
from compiler.text import Located
from tests.fuzz.files import Written
from tests.fuzz.meaning import as_mapping

NOT_DATA = frozenset(("body", "name"))
BODIES = ("layers", "branches", "residual", "join")
TYPES = get_args(ParamSpec.model_fields["type"].annotation)


def language() -> frozenset[str]:
    """Return everything that a spec can say: ops, their keys, keys of files, types."""
    out = {f"layer {key}" for key in _keys(Common)}
    for op, model in LAYERS.items():
        out |= {op, *(f"{op} {key}" for key in _keys(model) if key != op and not model.bare)}
        out |= {f"{op} {key}" for key in _keys(model) if model.bare and key not in (op, "word")}
    out |= {
        f"network {key}" for key in (*_keys(NetworkSpec), "import", "extends", "changes", "blocks")
    }
    out |= {f"block {key}" for key in (*_keys(BlockSpec), *BODIES) if key not in NOT_DATA}
    out |= {f"output {key}" for key in _keys(OutputSpec)}
    out |= {f"residual {key}" for key in _keys(ResidualBody)}
    out |= {f"parameter of type {kind}" for kind in TYPES}
    out |= {f"change {action}" for action in ("set", "after", "before", "replace", "remove")}
    return frozenset(
        out
        | {"open sizes", "a vector as input", "several inputs", "a library", "a branch with a when"}
    )


def _keys(model: type[Located]) -> Iterator[str]:
    for name in model.model_fields:
        yield model.spelled.get(name, name)


def said(written: Written) -> Counter[str]:
    """Count what a spec says."""
    out: Counter[str] = Counter(_said(written))
    return out


def _said(written: Written) -> Iterator[str]:
    if written.letters:
        yield "open sizes"
    for data in written.files.values():
        yield from _of_file(data)


def _of_file(data: Mapping[str, Any]) -> Iterator[str]:
    if "network" not in data and "extends" not in data:
        yield "a library"
    else:
        yield from (f"network {key}" for key in data)
    inputs = data.get("input", {})
    yield from ["several inputs"] * (len(inputs) > 1)
    yield from ["a vector as input"] * any(len(sizes) == 1 for sizes in inputs.values())
    yield from _params(data.get("params", {}))
    for output in data.get("outputs", []):
        yield from (f"output {key}" for key in (output if isinstance(output, dict) else ["name"]))
    for change in data.get("changes", []):
        yield f"change {next(iter(change))}"
    for block in data.get("blocks", {}).values():
        yield from (f"block {key}" for key in block)
        yield from _params(block.get("params", {}))
        yield from _layers(block.get("layers", [{k: block[k] for k in BODIES if k in block}]))
    yield from _layers(data.get("layers", []))


def _params(params: Mapping[str, Any]) -> Iterator[str]:
    for declared in params.values():
        if isinstance(declared, dict):
            yield f"parameter of type {declared['type']}"


def _layers(layers: Iterable[Any]) -> Iterator[str]:
    for row in map(as_mapping, layers):
        op = next(iter(row))
        yield op
        for key in list(row)[1:]:
            yield f"layer {key}" if key in COMMON_KEYS else f"{op} {key}"
        if op == "residual":
            yield from (f"residual {key}" for key in row[op])
            yield from _layers(row[op]["body"])
            yield from _branches([row[op].get("shortcut", [])])
        elif op in ("branches", "split"):
            yield from _branches(row[op].values())
        elif op == "layers":
            yield from _layers(row[op])


def _branches(branches: Iterable[Any]) -> Iterator[str]:
    for branch in branches:
        yield from ["a branch with a when"] * isinstance(branch, dict)
        yield from _layers(branch["layers"] if isinstance(branch, dict) else branch)
