"""What can be typed at a place in a spec: ops, keys, values, parameters, blocks, tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from compiler.errors import on_one_line
from compiler.graph import Definition, Graph, Parameter
from compiler.ops import JOINS
from compiler.server.outline import ITEM, Place, place_at
from compiler.spec.model import BRANCHES, LAYERS, op_of
from compiler.spec.schema import json_schema
from compiler.spec.shipped import shipped_names
from compiler.text import show_value

Kind = Literal["op", "key", "value", "parameter", "block", "tensor", "network"]
READS = frozenset(("from", "share", "outputs", *JOINS))
"""Keys whose value is the name of a layer, or a list of names."""
SCHEMAS = {
    "blocks": "block_spec",
    "params": "param_spec",
    "residual": "residual_body",
    "cite": "cite_spec",
    "drawing": "drawing_spec",
    "outputs": "output_spec",
    "claims": "claim_spec",
    "assert": "assert_spec",
}
"""Key of a mapping, or one above it, of a list or of a mapping of such -> its schema."""
SIZES = ("in.channels", "prev.channels", "index")


@dataclass(frozen=True, slots=True)
class Completion:
    """Something that can be typed."""

    text: str
    kind: Kind
    doc: str = ""
    insert: str = ""
    """What is put in, where that is more than the text."""


def completions(text: str, line: int, column: int, graph: Graph | None) -> list[Completion]:
    """Return what can be typed at a place.

    Args:
        text: of the file, as it is; it need not be YAML.
        line: from 1.
        column: from 1.
        graph: what the file came to last, for the names in it; None where it never was a network.
    """
    lines = text.splitlines()[:line]
    before = "\n".join([*lines[:-1], lines[-1][: column - 1] if len(lines) == line else ""])
    found = _Found(before, place_at(text, line, column), graph)
    return list({c.text: c for c in found.offered()}.values())


@dataclass(frozen=True, slots=True)
class _Found:
    before: str
    """The text before the cursor."""
    place: Place
    graph: Graph | None

    def offered(self) -> Iterator[Completion]:
        """Yield what fits; an editor leaves out what does not begin as typed."""
        place = self.place
        if place.is_layer:
            yield from self._of_layer()
        elif place.path[-1:] == (ITEM,) and READS.intersection(place.path[-2:-1]):
            yield from self._tensors()
        elif place.key:
            yield from self._values(_schema_at(place.path), place.key)
        elif place.path[-1:] == ("with",):
            yield from (_key(p.name, p.doc) for p in self._parameters_of(self._block_named()))
        elif not place.is_item:
            yield from _keys(_schema_at(place.path), place.keys)

    def _of_layer(self) -> Iterator[Completion]:
        place = self.place
        op = op_of(place.keys)
        if place.key:
            yield from self._values(json_schema_of(op), place.key)
        elif op:
            yield from _keys(json_schema_of(op), place.keys)
        else:
            if place.keys:
                yield from _keys(json_schema_of("common"), place.keys)
            for word, model in LAYERS.items():
                doc = _description(json_schema_of(word))
                yield Completion(word, "op", doc, word if model.bare else f"{word}: ")

    def _values(self, schema: Mapping[str, Any], key: str) -> Iterator[Completion]:
        """Yield values of a key: its words, and names that are in scope."""
        if key == "block":
            yield from self._blocks()
        elif key in READS:
            yield from self._tensors()
        elif key == "extends":
            yield from (Completion(name, "network") for name in shipped_names())
        else:
            values = schema.get("properties", {}).get(key, {})
            yield from (Completion(word, "value") for word in _words(values))
            if key in schema.get("properties", {}) and key not in ("name", "doc", "title", "label"):
                for parameter in self._parameters():
                    yield Completion(parameter.name, "parameter", _about(parameter))
                if self.place.path:
                    yield from (Completion(size, "value") for size in SIZES)

    # -- names -----------------------------------------------------------------------------------

    @property
    def _around(self) -> Definition | None:
        """The block whose body the cursor is in."""
        path = self.place.path
        name = path[1] if path[:1] == ("blocks",) and len(path) > 1 else ""
        return self.graph.definitions.get(name) if self.graph else None

    def _parameters(self) -> tuple[Parameter, ...]:
        if self.graph is None:
            return ()
        return self._around.params if self._around else self.graph.params

    def _parameters_of(self, block: str) -> tuple[Parameter, ...]:
        found = self.graph.definitions.get(block) if self.graph else None
        return found.params if found else ()

    def _block_named(self) -> str:
        """Return the block whose arguments are typed: the last one before the cursor's `with`."""
        head = self.before.rpartition("with:")[0].rpartition("block:")[2]
        return head.split(",")[0].split("\n")[0].strip(" \"'}")

    def _blocks(self) -> Iterator[Completion]:
        for name, block in self.graph.definitions.items() if self.graph else ():
            given = ", ".join(p.name for p in block.params)
            doc = on_one_line(block.info.doc) or block.title
            yield Completion(name, "block", f"{doc} ({given})" if given else doc)

    def _tensors(self) -> Iterator[Completion]:
        """Yield the layers of the network, or of the block around: by name, with their size."""
        graph = self.graph
        if graph is None:
            return
        scope = ""
        if self._around is not None:
            instances = (n for n, r in graph.regions.items() if r.definition == self._around.name)
            scope = next(instances, "")
        prefix = f"{scope}." if scope else ""
        for name in (*graph.regions, *graph.nodes):
            local = name.removeprefix(prefix)
            if local and name.startswith(prefix) and local.count(".") < 2 and name != scope:
                yield Completion(local, "tensor", graph.tensor(name).shape.paper)


# -- the schema ------------------------------------------------------------------------------------


@cache
def _schema() -> Mapping[str, Any]:
    return json_schema()


def json_schema_of(name: str) -> Mapping[str, Any]:
    """Return the schema of an op, or of another thing with keys; empty where there is none."""
    found: Mapping[str, Any] = _schema()["definitions"].get(name, {})
    return found


def _schema_at(path: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the schema of the mapping at the end of a path of keys."""
    if not path:
        return _schema()
    if path == ("defaults",):
        return {"properties": {op: {} for op in LAYERS}}
    around, last = ("", *path)[-2:]
    if around in BRANCHES:
        return json_schema_of("branch")
    under = last if last in SCHEMAS else around
    return json_schema_of(SCHEMAS.get(under, last))


def _keys(schema: Mapping[str, Any], used: tuple[str, ...]) -> Iterator[Completion]:
    for key, inner in schema.get("properties", {}).items():
        if key not in used:
            yield _key(key, _description(inner))


def _key(name: str, doc: str) -> Completion:
    return Completion(name, "key", doc, f"{name}: ")


def _description(schema: Mapping[str, Any]) -> str:
    return str(_resolved(schema).get("description", ""))


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with what it refers to in its place; its own words come first."""
    reference = schema.get("$ref", "")
    inner: Mapping[str, Any] = _schema()
    for step in reference.removeprefix("#/").split("/") if reference else ():
        inner = inner[step]
    return {**_resolved(inner), **schema} if reference else schema


def _words(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words that a value can be."""
    whole = _resolved(schema)
    words = (*whole.get("enum", ()), *whole.get("examples", ()))
    yield from (word for word in words if isinstance(word, str))
    if isinstance(whole.get("const"), str):
        yield whole["const"]
    if whole.get("type") == "boolean":
        yield from ("true", "false")
    for way in ("anyOf", "oneOf", "allOf"):
        for part in whole.get(way, ()):
            yield from _words(part)


def _about(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f" = {show_value(parameter.default)}"
    return f"{parameter.type}{default} {on_one_line(parameter.doc)}".strip()
