"""The language as JSON Schema, for editors: made from the models, when somebody asks for it.

What an editor marks are errors of the op that is written: a layer is told by its key (`if` and
`then`), and not tried against every form that a layer may have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from compiler.ops import Layer
from compiler.ops.layer import Common, CommonOfJoin
from compiler.spec.changes import ACTIONS, LISTS
from compiler.spec.loader import TOP_KEYS
from compiler.spec.model import (
    LAYERS,
    LAYERS_OWN,
    WITH_DEFAULTS,
    BlockSpec,
    ErratumSpec,
    FileSpec,
    NetworkSpec,
)
from compiler.spec.model_schema import Json, hoisted, name_of, reference, schema_of, schemas_of
from compiler.spec.params import KINDS
from compiler.spec.read import BODIES
from compiler.spec.variant import NEEDED
from compiler.text import Located
from compiler.text.fields import Bare, Flag, Raw, Text

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest draft that every editor reads; nothing here needs what came after it."""
ALWAYS = frozenset((*NEEDED, *BODIES, "import", "blocks", "extends", "changes"))
"""Keys that a variant cannot take away with `null`."""
NULL: Json = {"type": "null"}
BRANCH: Json = reference("branch")
CHAIN: Json = {"type": "array", "items": reference("layer")}


def json_schema() -> Json:
    """Return the JSON Schema of a spec file: a network, a variant of one, or a library."""
    files: list[type[Located]] = [FileSpec, NetworkSpec, BlockSpec]
    models = schemas_of([*LAYERS.values(), Common, CommonOfJoin, ErratumSpec, *files])
    layers = {op: _layer(op, model, models) for op, model in LAYERS.items()}
    own = {name_of(model) for model in (*LAYERS.values(), *files)}
    definitions = {k: s for k, s in models.items() if k not in own}
    definitions |= layers
    definitions["layer"] = _any_layer(layers)
    definitions["branch"] |= {"type": ["array", "object"], "items": CHAIN["items"]}
    definitions["change"] = _change(layers, models["residual_body"])
    definitions["param_spec"] = {**models["param_spec"], **_by_type()}
    definitions["param_of_variant"] = _relaxed(definitions["param_spec"])
    definitions["block_spec"] = _block(models, layers)
    whole = {
        "$schema": DRAFT,
        "description": "A spec of netdraft: a network, a variant of one, or a library of blocks.",
        **_file(models, layers),
        "definitions": definitions,
    }
    return hoisted(whole)


def print_schema() -> str:
    """Return the JSON Schema as text."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


# -- layers ----------------------------------------------------------------------------------------


def _layer(op: str, model: type[Layer], models: Mapping[str, Json]) -> Json:
    """Return the schema of a layer: its op's keys, then those that every layer may have."""
    own = models[name_of(model)]
    common = name_of(model.rules)
    shared = {k: reference(f"{common}/properties/{k}") for k in models[common]["properties"]}
    principal = own["properties"].get(op) or schema_of(Bare)
    properties = {op: principal, **own["properties"], **shared}
    required = [op, *(key for key in own.get("required", ()) if key != op)]
    return {
        "description": own["description"],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _any_layer(layers: Mapping[str, Json]) -> Json:
    """Return the schema of a layer of any op: the one that its key tells."""
    words = [op for op, model in LAYERS.items() if model.bare]
    told = [{"if": _opens(op, layers), "then": reference(op)} for op in layers]
    offered = {op: _as(layers[op]["description"], s["properties"][op]) for op, s in layers.items()}
    fresh = {"properties": offered, "additionalProperties": False, "minProperties": 1}
    return {
        "description": "A layer: a mapping one of whose keys is the op, or the op's word alone.",
        "type": ["object", "string"],
        "if": {"type": "string"},
        "then": {"enum": words},
        "else": {"allOf": [*told, {"if": {"not": _any_of(layers)}, "then": fresh}]},
    }


def _opens(op: str, layers: Mapping[str, Json]) -> Json:
    """Return what tells an op: its key, where that is no key of another op that is there."""
    rivals = [other for other, s in layers.items() if other != op and op in s["properties"]]
    return {"type": "object", "required": [op], **({"not": _any_of(rivals)} if rivals else {})}


def _any_of(keys: Iterable[str]) -> Json:
    return {"anyOf": [{"type": "object", "required": [key]} for key in keys]}


def _as(description: str, schema: Json) -> Json:
    """Return a schema with other words and no default."""
    kept = {k: v for k, v in schema.items() if k not in ("words", "default")}
    return {**kept, "words" if "title" in schema else "description": description}


# -- changes ---------------------------------------------------------------------------------------


def _change(layers: Mapping[str, Json], residual: Json) -> Json:
    """Return the schema of a change: the one that its key tells."""
    target = {**schema_of(Text), "description": "a layer of the base, by its path"}
    some = {"type": ["array", "object"], "items": CHAIN["items"], "additionalProperties": BRANCH}
    lists = {"replace": CHAIN, "after": some, "before": some}
    keys = {a: {a: target, **({LISTS[a]: lists[a]} if a in LISTS else {})} for a in ACTIONS}
    forms = {a: _object(k, required=list(k)) for a, k in keys.items()}
    forms["set"] = _object({"set": target, **_settable(layers, residual)}, ["set"], minProperties=2)
    told: list[Json] = [{"if": _any_of([a]), "then": form} for a, form in forms.items()]
    fresh = _object(dict.fromkeys(ACTIONS, target), minProperties=1)
    told.append({"if": {"not": _any_of(ACTIONS)}, "then": fresh})
    return {"description": "A change of the base's layers.", "type": "object", "allOf": told}


def _settable(layers: Mapping[str, Json], residual: Json) -> dict[str, Json]:
    """Return the keys of all layers as a change sets them; `null` takes one away."""
    found: dict[str, list[Json]] = {}
    for schema in layers.values():
        for key, value in schema["properties"].items():
            plain = {k: v for k, v in value.items() if k not in ("default", "words")}
            if plain not in (seen := found.setdefault(key, [])):
                seen.append(plain)
    found["residual"] = [_relaxed(residual)]
    found["with"] = [{"type": "object", "additionalProperties": _nullable(schema_of(Raw))}]
    return {key: _nullable(*kinds) for key, kinds in found.items()}


# -- what may be null in a variant -----------------------------------------------------------------


def _nullable(*schemas: Json) -> Json:
    """Return the schema of a value of one of these kinds, or of one that is taken away."""
    return {"anyOf": [*schemas, NULL]}


def _relaxed(schema: Json) -> Json:
    """Return the schema of a mapping laid over another: nothing is needed, all may be null."""
    properties = {key: _nullable(value) for key, value in schema["properties"].items()}
    return {**{k: v for k, v in schema.items() if k != "required"}, "properties": properties}


def _object(properties: Mapping[str, Json], required: Iterable[str] = (), **more: object) -> Json:
    out = {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}
    return {**out, "required": list(required)} if required else out


# -- files and blocks ------------------------------------------------------------------------------


def _extensible(plain: Mapping[str, Json], variant: Mapping[str, Json], *rules: Json) -> Json:
    """Return the schema of what may extend another of its kind, or stand alone by these rules.

    The keys are listed outside too: there an editor finds them, and what they are in a word.
    """
    outline = {}
    for key, schema in variant.items():
        types = schema.get("type", "object")
        nulls = [] if key in ALWAYS else ["null"]
        told = {"type": [*([types] if isinstance(types, str) else types), *nulls]}
        told = told if len(told["type"]) > 1 else {"type": types}
        outline[key] = {**told, "description": schema.get("words") or schema["description"]}
    laid = {k: s if k in ALWAYS else {"if": NULL, "else": s} for k, s in variant.items()}
    return {
        **_object(outline),
        "if": {"required": ["extends"]},
        "then": {"properties": laid},
        "else": {"properties": {**plain, "changes": False}, "allOf": list(rules)},
    }


def _file(models: Mapping[str, Json], layers: Mapping[str, Json]) -> Json:
    """Return the schema of a file: a network has layers, a library blocks or errata."""
    network = {"required": list(NEEDED)}
    nothing = {"if": {"not": _any_of(("blocks", "errata"))}, "then": {"required": ["network"]}}
    rule = {"if": _any_of(("network", "layers")), "then": network, "else": nothing}
    plain, variant = (_file_keys(models, layers, variant=v) for v in (False, True))
    return _extensible(plain, variant, rule)


def _file_keys(
    models: Mapping[str, Json], layers: Mapping[str, Json], *, variant: bool
) -> dict[str, Json]:
    keys = {**models["network_spec"]["properties"], **models["file_spec"]["properties"]}
    records = {"additionalProperties": reference("erratum_spec")}
    ids = {"type": ["string", "object"], **records}
    output = reference("output_spec")
    own = {
        "params": _params(variant=variant),
        "defaults": _defaults(layers, variant=variant),
        "input": _inputs(keys["input"], variant=variant),
        "outputs": {"items": {"type": ids["type"], "if": {"type": "object"}, "then": output}},
        "assert": {"items": _assertion()},
        "changes": {"items": reference("change")},
    }
    keys |= {key: {**keys[key], **schema} for key, schema in own.items()}
    errata = {"type": ["array", "object", "string"], "items": ids, **records}
    keys["errata"] = {**errata, "words": keys["errata"]["words"]}
    return {key: keys[key] for key in TOP_KEYS}


def _block(models: Mapping[str, Json], layers: Mapping[str, Json]) -> Json:
    """Return the schema of a block: exactly one of the bodies, unless it extends another."""
    bodies = {key: layers[op]["properties"][key] for key, op in _BODY_KEYS.items()}
    own = {**models["block_spec"]["properties"], **bodies}
    own |= {k: models["file_spec"]["properties"][k] for k in ("extends", "changes")}
    own["extends"] = {**own["extends"], "words": "the block that this one varies"}
    own["changes"] = {**own["changes"], "items": reference("change")}
    own["assert"] = {**own["assert"], "items": _assertion()}
    plain = {**own, "params": {**own["params"], **_params(variant=False)}}
    variant = {**own, "params": {**own["params"], **_params(variant=True)}}
    others = {body: [k for k in (*BODIES, "join") if k != body] for body in BODIES}
    others["branches"].remove("join")
    alone = [
        {"if": {"required": [body]}, "then": {"properties": dict.fromkeys(keys, False)}}
        for body, keys in others.items()
    ]
    joined = {"if": {"required": ["branches"]}, "then": {"required": ["join"]}}
    needs = {"if": {"not": _any_of(BODIES)}, "then": {"required": ["layers"]}}
    out = {"description": models["block_spec"]["description"]}
    return {**out, **_extensible(plain, variant, needs), "allOf": [*alone, joined]}


def _assertion() -> Json:
    """Return the schema of what must hold: a formula, or one with a message."""
    whole, alone = reference("assert_spec"), schema_of(Flag)
    told = {"if": {"type": "object"}, "then": whole, "else": alone}
    return {"type": ["string", "boolean", "object"], **told}


_BODY_KEYS = {
    "layers": "layers",
    "branches": "branches",
    "join": "branches",
    "residual": "residual",
}
"""Key of a block's body -> the op that has it too."""


def _params(*, variant: bool) -> Json:
    """Return the schema of `params`: a plain value is a default, and tells the type."""
    plain = schema_of(Raw)
    declared = reference("param_of_variant" if variant else "param_spec")
    types = [*plain["type"], *(["null"] if variant else [])]
    value = {"if": NULL, "else": plain} if variant else plain
    one = {"type": types, "if": {"type": "object"}, "then": declared, "else": value}
    return {"type": "object", "additionalProperties": one}


def _by_type() -> Json:
    """Return what a parameter's default may be, type by type."""
    told = ({"properties": {"type": {"const": t}}, "required": ["type"]} for t in KINDS)
    then = ({"properties": {"default": schema_of(kind)}} for kind in KINDS.values())
    return {"allOf": [{"if": i, "then": t} for i, t in zip(told, then, strict=True)]}


def _defaults(layers: Mapping[str, Json], *, variant: bool) -> Json:
    """Return the schema of `defaults`: for some ops, the keys that a layer need not say itself."""
    out: dict[str, Json] = {}
    for op in WITH_DEFAULTS:
        properties = layers[op]["properties"]
        own = _object({k: s for k, s in properties.items() if k not in (op, *LAYERS_OWN)})
        out[op] = _nullable(_relaxed(own)) if variant else own
    return _object(out)


def _inputs(schema: Json, *, variant: bool) -> Json:
    """Return the schema of `input`: one size or three."""
    sizes = {**schema["additionalProperties"], "minItems": 1, "maxItems": 3}
    sizes |= {"if": {"minItems": 2}, "then": {"minItems": 3}}
    return {"additionalProperties": _nullable(sizes) if variant else sizes}
