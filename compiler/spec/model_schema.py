"""Models -> JSON Schema: keys as YAML has them, with what stands under a field as its words."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from compiler.text import Located

Json = dict[str, Any]

PREFIX = "#/definitions/"
_UNTOLD: tuple[Any, ...] = (None, "", [], {})
"""Defaults that say no more than that a key was left out."""


class _Generator(GenerateJsonSchema):
    """Writes what a key holds; none holds null, for what is left out is not written."""

    def nullable_schema(self, schema: Any) -> Json:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Json:
        out = super().default_schema(schema)
        if "default" in out and out["default"] in _UNTOLD:
            del out["default"]
        return out

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: Any) -> Json:
        out = super().model_schema(schema)
        del out["title"]
        model: type[Located] = schema["cls"]
        docs = docs_of(model)
        out["description"] = docs[""]  # which `python -OO` keeps, unlike `__doc__`
        keys = {f: model.spelled.get(f, f) for f in model.model_fields if f not in model.hidden}
        fields = out.get("properties", {})
        out["properties"] = {k: _described(fields[f], docs.get(f, "")) for f, k in keys.items()}
        required = [keys[field] for field in out.pop("required", ()) if field in keys]
        return {**out, "required": required} if required else out


def schemas_of(models: Iterable[type[Located]]) -> dict[str, Json]:
    """Return the name of a model -> its JSON Schema, for these and all that they hold."""
    pairs: list[Any] = [(model, "validation") for model in models]
    _, out = models_json_schema(pairs, schema_generator=_Generator)
    return {_name(name): _renamed(schema) for name, schema in out["$defs"].items()}


def schema_of(kind: Any) -> Json:
    """Return the JSON Schema of a kind of value."""
    return TypeAdapter[Any](kind).json_schema(schema_generator=_Generator)


def hoisted(whole: Json) -> Json:
    """Return a schema with every kind of value in `definitions`, once."""
    kinds: Json = {}

    def hoist(node: Any, path: tuple[str, ...] = ()) -> Any:
        if isinstance(node, list):
            return [hoist(item) for item in node]
        if not isinstance(node, dict):
            return node
        out = {key: hoist(value, (*path, key)) for key, value in node.items()}
        if path and isinstance(out.get("title"), str):
            name = out["title"].replace(" ", "_")
            told = {key: out.pop(key) for key in ("default", "words") if key in out}
            kinds.setdefault(name, _with_words(out))
            return _with_words({**reference(name), **told}, out.get("description", ""))
        return _with_words(out)

    out: Json = hoist(whole)
    definitions = {**out["definitions"], **dict(sorted(kinds.items()))}
    used = _used({**out, "definitions": None}, definitions)
    return {**out, "definitions": {k: s for k, s in definitions.items() if k in used}}


def _used(node: Any, definitions: Json) -> set[str]:
    """Return the definitions that something refers to, directly or by another one."""
    found: set[str] = set()
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            stack += top.values()
            name = str(top.get("$ref", "")).removeprefix(PREFIX).partition("/")[0]
            if name in definitions and name not in found:
                found.add(name)
                stack.append(definitions[name])
        elif isinstance(top, list):
            stack += top
    return found


def _with_words(schema: Json, kind: str = "") -> Json:
    """Return a schema whose description is its field's words, then those of its kind."""
    words = schema.pop("words", None)
    if isinstance(words, str):
        schema["description"] = f"{words}\n\n{kind}" if kind else words
    told = schema.get("description")
    if isinstance(told, str) and "`" in told:  # else an editor shows the backquotes themselves
        schema["markdownDescription"] = told
    return schema


def _described(schema: Json, words: str) -> Json:
    """Return the schema of a key with the words of its field; those of its kind stay apart."""
    return {**schema, "words": words} if words else schema


def reference(name: str) -> Json:
    """Return a reference to a definition."""
    return {"$ref": PREFIX + name}


def name_of(model: type[Located]) -> str:
    """Return what the definition of a model is called."""
    return _name(model.__name__)


def _name(model: str) -> str:
    """Return what a definition is called: `CiteSpec` is `cite_spec`, `MaxPoolLayer` `max_pool`."""
    short = re.sub(r"(?<=.)Layer$", "", model)
    return re.sub(r"(?<=.)(?=[A-Z])", "_", short).lower()


def _renamed(node: Any) -> Any:
    if isinstance(node, list):
        return [_renamed(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _renamed(value) for key, value in node.items()}
    if isinstance(out.get("$ref"), str):
        out["$ref"] = PREFIX + _name(out["$ref"].rpartition("/")[2])
    return out


def docs_of(model: type[Located]) -> dict[str, str]:
    """Return field -> the string that stands under it; that of the model itself has no name."""
    bases = [base for base in reversed(model.__mro__) if issubclass(base, Located)]
    found = (_docs_in(base.__module__).get(base.__name__, {}) for base in bases)
    return {field: doc for docs in found for field, doc in docs.items()}


@cache
def _docs_in(module: str) -> dict[str, dict[str, str]]:
    """Return class -> field -> the string that stands under it in a module."""
    out: dict[str, dict[str, str]] = {}
    for item in ast.parse(inspect.getsource(sys.modules[module])).body:
        if not isinstance(item, ast.ClassDef):
            continue
        fields = out.setdefault(item.name, {"": ast.get_docstring(item) or ""})
        for before, after in zip(item.body, item.body[1:], strict=False):
            match before, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(doc))),
                ):
                    fields[name] = " ".join(doc.split())
    return out
