"""Which features of the language a shipped spec uses: found in the files as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from compiler.errors import Report
from compiler.ops import JOINS, OP_LAYERS
from compiler.ops.layer import COMMON_KEYS, Common
from compiler.spec import LAYERS, WITH_DEFAULTS, ParamSpec, op_of, shipped_specs
from compiler.spec.file import read_yaml
from compiler.spec.model import BlockSpec, FileSpec, NetworkSpec, ResidualBody
from compiler.spec.model_schema import docs_of
from compiler.spec.shipped import shipped_files
from compiler.text import (
    FUNCTIONS,
    ExprError,
    Located,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Term,
    parse,
)

WORDS = frozenset(("title", "doc", "cite", "errata", "label", "claims", "drawing", "source"))
"""Keys under which words stand, and no formula."""
CHANGES = {
    "set": "keys of a layer",
    "replace": "a layer, `by` others",
    "remove": "a layer",
    "after": "a layer, `insert` others",
    "before": "a layer, `insert` others",
}
FORMULAS = {
    "if": "`2 if index == 0 else 1`: only what is chosen is evaluated",
    "list": "`[64, 128, 256]`: a list",
    "item": "`widths[index]`: an entry of a list",
    "==": "numbers, words or lists compared",
    "<": "numbers compared",
    "and": "both hold",
    "or": "one of them holds",
    "not": "it does not hold",
    "+": "sums and differences",
    "*": "products",
    "/": "quotients, as fractions",
    "//": "quotients rounded down",
    "%": "what is left of a division",
    "**": "powers",
    "size": "`3x3 if wide else 1x1`: a size",
    "text": "`mode == 'basic'`: text in quotes",
    "index": "which copy of a `repeat` or `for` it is, from 0",
    "in.channels": "a size of what enters the block, or the network",
    "prev.channels": "a size of what enters the layer",
    "NAME.channels": "a size of an earlier layer",
}
SAME = {"!=": "==", "<=": "<", ">": "<", ">=": "<", "-": "+"}
VALUES = {
    "padding: same": "TensorFlow's rule, the default",
    "padding: V": "none",
    "padding: half": "PyTorch's habit",
    "padding: 1": "a number, on all sides",
    "padding: 0x3": "height x width, and other numbers by side",
    "groups: depthwise": "a group for each channel",
    "{leaky_relu: 0.1}": "an activation with an argument",
    "{group_norm: 32}": "a norm with an argument, behind a convolution",
    "input: [3, H, W]": "an input whose size is left open",
    "from: a or b": "what is read where a `when` leaves `a` out",
    "from: [a, b]": "a block with several inputs",
    "upsample: NAME": "the size of another layer, for `upsample` and `crop`",
    "`i, j` in `for`": "several lists, one value of each for a copy",
    "formula in `for`": "a list that is a formula or a parameter",
}


Feature = tuple[str, str]
"""Group, and how it is written."""
_BODY = {
    **{"layers": "its body", "branches": "its body", "residual": "its body"},
    "join": "what becomes of the ends of `branches`",
    "extends": "the block that it varies",
    "changes": "what differs in the layers of that",
}


def known_features() -> dict[Feature, str]:
    """Return every feature and what it is, most of them from the models of the language."""
    groups = {
        "in a file": {**_keys(FileSpec), **_keys(NetworkSpec)},
        "in a block": {**_keys(BlockSpec), **_BODY},
        "types of parameters": dict.fromkeys(_types(), ""),
        "in any layer": _keys(Common),
        "structures": {
            **{op: _words(model) for op, model in LAYERS.items() if op not in OP_LAYERS},
            **{f"join: {join}": f"branches joined by `{join}`" for join in JOINS},
            "branches: {NAME: {when, layers}}": "a branch that may be left out of its join",
            **{f"residual: {{{key}}}": words for key, words in _keys(ResidualBody).items()},
        },
        "values": VALUES,
        "formulas": {**FORMULAS, **{f"{name}()": f.doc for name, f in FUNCTIONS.items()}},
        "variants": CHANGES,
        "defaults of a network": dict.fromkeys(WITH_DEFAULTS, "of these layers"),
    }
    return {(group, name): words for group, of in groups.items() for name, words in of.items()}


def _types() -> tuple[str, ...]:
    return get_args(ParamSpec.model_fields["type"].annotation)


def _keys(model: type[Located]) -> dict[str, str]:
    """Return the keys of a model, and the string under each field."""
    words, names = docs_of(model), (n for n in model.model_fields if n not in model.hidden)
    return {model.spelled.get(name, name): words.get(name, "") for name in names}


def _words(model: type[Located]) -> str:
    return (model.__doc__ or "").rstrip(".")


@dataclass(slots=True)
class Walk:
    """What one file uses."""

    found: dict[Feature, int] = field(default_factory=dict)
    """Feature -> the first line that uses it."""
    ops: dict[str, int] = field(default_factory=dict)
    """The same for the words of operations."""

    def note(self, group: str, name: str, node: Node) -> None:
        """Note a use, of what is a feature."""
        self.found.setdefault((group, name), node.span.line)

    def file(self, root: Mapping) -> None:
        """Walk through a network or a library."""
        for key, entry in root.entries.items():
            self.note("in a file", key, entry.node)
        for op, given in _entries(root.get("defaults")):
            self.note("defaults of a network", op, given)
            self.settings(given)
        for _, shape in _entries(root.get("input")):
            if any(isinstance(_plain(size), str) for size in _items(shape)):
                self.note("values", "input: [3, H, W]", shape)
        for _, block in _entries(root.get("blocks")):
            self.block(block)
        for change in _items(root.get("changes")):
            self.change(change)
        self.body(root)

    def block(self, block: Node) -> None:
        """Walk through a block."""
        for key, entry in _entries(block):
            self.note("in a block", key, entry)
            if key == "changes":
                for change in _items(entry):
                    self.change(change)
        if isinstance(block, Mapping):
            self.body(block)

    def body(self, holder: Mapping) -> None:
        """Walk through what networks and blocks have."""
        for _, param in _entries(holder.get("params")):
            types = [node for key, node in _entries(param) if key == "type"]
            for node in types:
                self.note("types of parameters", str(_plain(node)), node)
            self.formulas(
                param if isinstance(param, Scalar) else dict(_entries(param)).get("default")
            )
        for key in ("let", "assert"):
            self.formulas(holder.get(key))
        self.layers(holder.get("layers"))
        self.structure(holder)

    def change(self, change: Node) -> None:
        """Walk through a change of a variant."""
        for key, entry in _entries(change):
            if key in CHANGES:
                self.note("variants", key, entry)
            elif key in ("insert", "by"):
                self.layers(entry)
            else:
                self.setting(key, entry)

    def layers(self, chain: Node | None) -> None:
        """Walk through layers; a mapping of them by name is of branches."""
        for layer in (
            *_items(chain),
            *(n for _, part in _entries(chain) for n in self.branch(part)),
        ):
            op = _plain(layer) if isinstance(layer, Scalar) else op_of(dict(_entries(layer)))
            if isinstance(op, str):
                self.ops.setdefault(op, layer.span.line)
            if isinstance(layer, Mapping):
                self.layer(str(op), layer)

    def branch(self, part: Node) -> tuple[Node, ...]:
        """Return the layers of a branch, which may have a condition."""
        if not isinstance(part, Mapping):
            return _items(part)
        self.note("structures", "branches: {NAME: {when, layers}}", part)
        self.formulas(part.get("when"))
        return _items(part.get("layers"))

    def layer(self, op: str, layer: Mapping) -> None:
        """Walk through one layer."""
        if op not in OP_LAYERS:
            self.note("structures", op, layer)
        argument = layer.get(op)
        if op in ("upsample", "crop") and isinstance(_plain(argument), str):
            self.note("values", "upsample: NAME", layer)
        self.structure(layer)
        for key, entry in layer.entries.items():
            if key in COMMON_KEYS:
                self.note("in any layer", key, entry.node)
            self.setting(key, entry.node)

    def structure(self, layer: Mapping) -> None:
        """Walk through the layers that a layer, or the body of a block, holds."""
        for key in ("branches", "split"):
            self.layers(layer.get(key))
        if layer.entries.keys() & LAYERS.keys() == {"layers"}:
            self.layers(layer.get("layers"))
        join = layer.get("join")
        if join is not None:
            self.note("structures", f"join: {_plain(join)}", join)
        for key, entry in _entries(layer.get("residual")):
            self.note("structures", f"residual: {{{key}}}", entry)
            self.layers(entry)

    def settings(self, node: Node) -> None:
        """Walk through the keys of a layer's defaults."""
        for key, entry in _entries(node):
            self.setting(key, entry)

    def setting(self, key: str, node: Node) -> None:
        """Note how the value of a key is written."""
        for name in _written(key, node):
            self.note("values", name, node)
        if key in ("activation", "norm"):
            for word in (str(_plain(node)), *dict(_entries(node))):
                if word in OP_LAYERS:
                    self.ops.setdefault(word, node.span.line)
        if key not in (*WORDS, "name", "from", "layers", "branches", "split", "residual"):
            self.formulas(node)

    def formulas(self, node: Node | None) -> None:
        """Note what the formulas in a value have."""
        for text, scalar in _texts(node):
            try:
                root = parse(text).root
            except ExprError:
                continue
            for name in filter(None, map(_formula, _terms(root))):
                self.note("formulas", name, scalar)


def _formula(term: Term) -> str:
    """Return how a part of a formula is called in the table; numbers and names are in no row."""
    if term.kind == "call":
        return f"{term.text}()"
    if term.kind != "name":
        name = SAME.get(term.kind, term.kind)
        return name if name in FORMULAS else ""
    head, _, size = term.text.rpartition(".")
    if not head or size not in ("channels", "height", "width"):
        return term.text if term.text == "index" else ""
    return f"{head}.channels" if head in ("in", "prev") else "NAME.channels"


def _terms(term: Term) -> Iterator[Term]:
    yield term
    for arg in term.args:
        yield from _terms(arg)


def _written(key: str, node: Node) -> Iterator[str]:
    """Yield what is special in the value of a key."""
    value, entries = _plain(node), _entries(node)
    match key:
        case "padding":
            yield _padding(node)
        case "groups" if value == "depthwise":
            yield "groups: depthwise"
        case "activation" if entries:
            yield "{leaky_relu: 0.1}"
        case "norm" if entries:
            yield "{group_norm: 32}"
        case "from" if isinstance(node, Sequence):
            yield "from: [a, b]"
        case "from" if " or " in str(value):
            yield "from: a or b"
        case "for":
            yield from ["`i, j` in `for`"] * (len(entries) > 1)
            yield from ("formula in `for`" for _, e in entries if isinstance(e, Scalar))


def _padding(node: Node) -> str:
    value = _plain(node)
    if value in ("same", "half"):
        return f"padding: {value}"
    if value in ("V", "valid"):
        return "padding: V"
    is_number = isinstance(value, int) or (isinstance(value, str) and "x" not in value)
    return "padding: 1" if is_number else "padding: 0x3"


def _plain(node: Node | None) -> object:
    return node.value if isinstance(node, Scalar) else None


def _entries(node: Node | None) -> list[tuple[str, Node]]:
    if not isinstance(node, Mapping):
        return []
    return [(key, entry.node) for key, entry in node.entries.items()]


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else ()


def _texts(node: Node | None) -> Iterator[tuple[str, Scalar]]:
    """Yield the texts of a value that may be formulas."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        yield node.value, node
    for item in _items(node):
        yield from _texts(item)
    for key, entry in _entries(node):
        if key not in WORDS:
            yield from _texts(entry)


def walk_shipped() -> dict[str, Walk]:
    """Return what each shipped file uses."""
    out: dict[str, Walk] = {}
    for path in shipped_files():
        name = str(path.relative_to(shipped_specs()))
        out[name] = Walk()
        out[name].file(read_yaml(path, Report(), {}))
    return out
