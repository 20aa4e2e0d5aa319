"""Spec -> the program that the page runs: layers, formulas as syntax trees, places in the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from compiler.errors import CompileError, Report, Span
from compiler.expr import Expr, ExprError, Term, Value, evaluate
from compiler.fields import read_formula
from compiler.graph import Graph
from compiler.loader import Spec
from compiler.naming import automatic_name
from compiler.network import layer_defaults
from compiler.shapes import Shape, SymbolicDim
from compiler.shipped import shipped_specs
from compiler.source import Mapping as YamlMapping
from compiler.spec import (
    COMMON,
    AddLayer,
    BlockLayer,
    BlockSpec,
    BranchesLayer,
    BrokenLayer,
    CiteSpec,
    ConcatLayer,
    DrawingSpec,
    DropoutLayer,
    Layer,
    LayersLayer,
    MultiplyLayer,
    OutputSpec,
    ParamSpec,
    ResidualLayer,
    SplitLayer,
)
from compiler.values import coerce

Json = dict[str, Any]
JOINS = frozenset(("concat", "add", "multiply"))
NESTED = frozenset(("branches", "split", "layers", "residual", "block", "join", "arguments"))
STRUCTURE = JOINS | NESTED | {"dropout", "word"}
"""Fields of layers that are written in another way than as a value."""


def write_program(graph: Graph, spec: Spec) -> Json:
    """Return what the page needs to build the graph again, for any sizes and widths.

    Args:
        graph: the network as it was built; its parameters and input sizes are the page's first.
        spec: what it was built from.
    """
    return _Writer(graph, spec).program()


class _Writer:
    def __init__(self, graph: Graph, spec: Spec) -> None:
        assert spec.network is not None
        self.graph = graph
        self.spec = spec
        self.network = spec.network
        self.files = {file: i for i, file in enumerate(spec.texts)}
        self.defaults = layer_defaults(spec.network, Report())
        self.count = 0

    def program(self) -> Json:
        """Return the whole network."""
        network, graph = self.network, self.graph
        info = {**self._words(network), "at": self._at(network.span())}
        return {
            "name": graph.name,
            "title": graph.title,
            "doc": network.doc,
            "files": [_display(file, self.spec.path) for file in self.files],
            "info": info,
            "drawing": _drawing(network.drawing),
            "params": [self._setting(n, p) for n, p in network.params.items()],
            "inputs": [self._input(name) for name in graph.inputs],
            "isAsDeclared": self._is_as_declared(),
            "norm": {"affine": self._norm_is_affine()},
            "layers": self._chain(network.layers),
            "outputs": self._outputs(),
            "blocks": {b.name: self._block(b) for b in self._used_blocks()},
            "errata": self._errata(),
        }

    # -- the network ---------------------------------------------------------------------------

    def _setting(self, name: str, param: ParamSpec) -> Json:
        """Return a parameter of the network with the value that the graph was built with."""
        value = self.graph.arguments[name]
        out = self._param(name, param)
        default = out["default"]
        formula = isinstance(default, dict) and "t" in default
        if not formula or _known(param.default, self.graph.arguments) != value:
            out["default"] = _plain(value)
        return out

    def _input(self, name: str) -> Json:
        """Return an input: its sizes as numbers, letters, or names of parameters."""
        declared = self.network.input.get(name, [])
        dims: list[int | str | None] = []
        for place, dim in enumerate(self.graph.nodes[name].shape):
            written = declared[place] if place < len(declared) else None
            is_param = isinstance(written, str) and self.graph.arguments.get(written) == dim
            dims.append(written if is_param else _dim(dim))
        return {"name": name, "dims": dims, "at": self._at(self.network.span("input", name))}

    def _is_as_declared(self) -> bool:
        """True when no size and no parameter was set from outside: the printed sizes hold."""
        shapes = (self.graph.nodes[n].shape for n in self.graph.inputs)
        declared = self.network.input.values()
        arguments = self.graph.arguments
        if not all(map(_is_declared, shapes, declared, repeat(arguments))):
            return False
        params = self.network.params.items()
        return not any(_differs(param, arguments[name]) for name, param in params)

    def _norm_is_affine(self) -> bool:
        """Return whether the norm that follows convolutions has a scale and a shift."""
        layer = self.defaults.get("batch_norm")
        return layer is None or layer.affine is not False  # type: ignore[attr-defined]

    def _outputs(self) -> list[Json] | None:
        if not self.network.outputs:
            return None
        return [self._output(o) for o in self.network.outputs if isinstance(o, OutputSpec)]

    def _output(self, item: OutputSpec) -> Json:
        fields = {} if item.when is None else {"when": encode(item.when)}
        return {
            "id": f"output.{item.name}",
            "what": "`outputs`",
            "name": item.name,
            "from": item.inputs or item.name,
            "trainingOnly": item.training_only,
            "fields": fields,
            "at": self._at(item.span()),
        }

    def _used_blocks(self) -> Iterable[BlockSpec]:
        """Yield the blocks that the network can reach, in the order of their definition."""
        reached: set[str] = set()
        stack = [self.network.layers]
        while stack:
            for layer in _layers_in(stack.pop()):
                if isinstance(layer, BlockLayer) and layer.block not in reached:
                    reached.add(layer.block)
                    if layer.block in self.spec.blocks:
                        stack.append(self.spec.blocks[layer.block].body)
        return [b for b in self.spec.blocks.values() if b.name in reached]

    def _errata(self) -> dict[str, Json]:
        return {
            name: {k: getattr(e, k) for k in ("where", "printed", "built", "why", "severity")}
            for name, e in self.spec.errata.items()
        }

    # -- blocks and layers ---------------------------------------------------------------------

    def _block(self, block: BlockSpec) -> Json:
        return {
            **self._words(block),
            "title": block.title or block.name,
            "doc": block.doc,
            "params": [self._param(n, p) for n, p in block.params.items()],
            "inputs": block.inputs,
            "inputSize": block.input_size,
            "drawing": _drawing(block.drawing),
            "layers": self._chain(block.body),
            "at": self._at(block.span()),
        }

    def _param(self, name: str, param: ParamSpec) -> Json:
        return {
            "name": name,
            "type": param.type,
            "default": _default(param),
            "doc": param.doc,
            "cite": _cite(param.cite),
            "at": self._at(param.span()),
        }

    def _chain(self, layers: Iterable[Layer]) -> list[Json]:
        return [self._layer(layer) for layer in layers]

    def _layer(self, layer: Layer) -> Json:
        self.count += 1
        out: Json = {"id": self.count, "op": layer.op, "at": self._at(layer.span())}
        out["name"] = layer.common.name
        out["auto"] = None if isinstance(layer, BrokenLayer) else _automatic(layer)
        out["fields"], out["places"] = self._fields(layer)
        out["info"] = {**self._words(layer.common), "at": out["at"]}
        for key in ("label", "title", "size", "doc"):
            out["info"][key] = getattr(layer.common, key) or None
        out["info"]["drawn"] = layer.common.drawn
        if layer.common.share is not None:
            out["share"] = layer.common.share
        return {**out, **_reads(layer), **self._inside(layer)}

    def _inside(self, layer: Layer) -> Json:
        """Return the layers that stand inside a layer."""
        if isinstance(layer, BranchesLayer):
            chains = [[n, self._chain(c)] for n, c in layer.branches.items()]
            return {"branches": chains, "join": layer.join}
        if isinstance(layer, SplitLayer):
            return {"branches": [[n, self._chain(c)] for n, c in layer.split.items()]}
        if isinstance(layer, LayersLayer):
            return {"layers": self._chain(layer.layers)}
        if isinstance(layer, ResidualLayer):
            body, shortcut = layer.residual.body or [], layer.residual.shortcut or []
            return {"body": self._chain(body), "shortcut": self._chain(shortcut)}
        return {"block": layer.block} if isinstance(layer, BlockLayer) else {}

    def _fields(self, layer: Layer) -> tuple[Json, dict[str, list[int]]]:
        """Return a layer's own fields, the network's defaults among them, and where they stand."""
        values = dict(_written(layer, self.defaults.get(layer.op)), **self._arguments(layer))
        for key in ("repeat", "when"):
            if getattr(layer.common, key) is not None:
                values[key] = getattr(layer.common, key)
        places: dict[str, list[int]] = {}
        for key in (*values, "join", "size", "share", layer.op):
            steps = tuple(key.split(".", 1)) if key.startswith("with.") else (key,)
            if (place := self._place(layer, steps)) is not None:
                places[key] = place
        return {k: encode(v) for k, v in values.items()}, places

    def _arguments(self, layer: Layer) -> Json:
        """Return a block instance's arguments; whether a text is a formula is up to its type."""
        if not isinstance(layer, BlockLayer) or layer.block not in self.spec.blocks:
            return {}
        params = self.spec.blocks[layer.block].params
        return {
            f"with.{name}": written if name not in params else _argument(params[name].type, written)
            for name, written in layer.arguments.items()
        }

    def _place(self, layer: Layer, steps: tuple[str, ...]) -> list[int] | None:
        """Return the line and column of a key's value, None where the layer does not say it."""
        node = layer._node
        if not isinstance(node, YamlMapping):
            return None
        if isinstance(layer, ResidualLayer) and steps[0] in ("scale", "activation"):
            span = layer.residual.span(*steps)
        elif steps[0] not in node.entries:
            return None
        else:
            is_residual = isinstance(layer, ResidualLayer) and steps == ("residual",)
            span = layer.key_span("residual") if is_residual else layer.span(*steps)
        return [span.line, span.column]

    def _words(self, where: Any) -> Json:
        return {"cite": _cite(where.cite), "errata": where.errata}

    def _at(self, span: Span) -> list[int]:
        return [self.files.get(span.file, 0), span.line, span.column]


def _written(layer: Layer, default: Layer | None) -> Iterable[tuple[str, Any]]:
    """Yield the fields of a layer that are no structure: its own, else the network's."""
    if isinstance(layer, DropoutLayer) and isinstance(layer.dropout, dict):
        yield from ((word, _formula(rate)) for word, rate in layer.dropout.items())
    if isinstance(layer, ResidualLayer):
        yield "activation", layer.residual.activation
        if layer.residual.scale is not None:
            yield "scale", layer.residual.scale
    for field in type(layer).model_fields:
        if field in STRUCTURE or field in COMMON:
            continue
        value = getattr(layer, field)
        if default is not None and not layer.says(field) and default.says(field):
            value = getattr(default, field)
        if value is not None:
            yield field, value


def _differs(param: ParamSpec, value: Value) -> bool:
    """True where a value is not the default; a formula's value is not known here."""
    default, complaint = coerce(param.type, param.default)
    return not complaint and default != value


def _formula(written: Any) -> Any:
    """Return an argument as an expression where it is one, else as it is written."""
    if not isinstance(written, str):
        return written
    try:
        return read_formula(written)
    except PydanticCustomError:
        return written


def _argument(type: str, written: Any) -> Any:
    """Return an argument as a word of its type where it is one, else as a formula."""
    is_word = type in ("padding", "activation", "kernel") and not coerce(type, written)[1]
    return written if type == "text" or is_word else _formula(written)


def _default(param: ParamSpec) -> Any:
    """Return a parameter's default: a value of its type, or a formula over those before it."""
    value, complaint = coerce(param.type, param.default)
    if complaint and isinstance(param.default, str):
        return encode(_formula(param.default))
    return _plain(value)


def _known(written: Any, arguments: Mapping[str, Value]) -> Value:
    formula = _formula(written)
    if not isinstance(formula, Expr):
        return None
    try:
        return evaluate(formula, lambda name: arguments[name])
    except (ExprError, CompileError):
        return None


def encode(value: Any) -> Any:
    """Return a field's value as JSON: fractions as {q}, formulas as {x: text, t: tree}."""
    if isinstance(value, Expr):
        return {"x": value.text, "t": _tree(value.root)}
    if isinstance(value, tuple | list):
        return [encode(v) for v in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return {"q": [str(value.numerator), str(value.denominator)]}
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | int | str) else None


def _tree(term: Term) -> list[Any]:
    if term.kind in ("number", "name"):
        return [term.kind, term.text]
    head = ["call", term.text] if term.kind == "call" else [term.kind]
    return [*head, *map(_tree, term.args)]


def _reads(layer: Layer) -> Json:
    """Return the names that a layer reads; for a block's mapping also the inputs they are for."""
    if isinstance(layer, ConcatLayer | AddLayer | MultiplyLayer):
        return {"from": list(getattr(layer, layer.op))}
    given = layer.common.inputs
    if given is None:
        return {}
    if isinstance(given, dict):
        return {"from": [str(r) for r in given.values()], "fromNames": [str(k) for k in given]}
    return {"from": [str(r) for r in (given if isinstance(given, list) else [given])]}


def _automatic(layer: Layer) -> str | None:
    node = layer._node
    principal = node.get(layer.op) if isinstance(node, YamlMapping) else None
    return automatic_name(layer.op, principal)


def _layers_in(layers: Iterable[Layer]) -> Iterable[Layer]:
    """Yield the layers of a list and of the structure inside it, without the blocks' own."""
    for layer in layers:
        yield layer
        if isinstance(layer, BranchesLayer | SplitLayer):
            chains = layer.branches if isinstance(layer, BranchesLayer) else layer.split
            for chain in chains.values():
                yield from _layers_in(chain)
        elif isinstance(layer, LayersLayer):
            yield from _layers_in(layer.layers)
        elif isinstance(layer, ResidualLayer):
            yield from _layers_in([*(layer.residual.body or []), *(layer.residual.shortcut or [])])


def _is_declared(shape: Shape, declared: list[Any], arguments: Mapping[str, Value]) -> bool:
    values = [arguments.get(d, d) if isinstance(d, str) else d for d in declared]
    return [_dim(d) for d in shape] == values


def _dim(dim: Any) -> int | str | None:
    return dim.symbol if isinstance(dim, SymbolicDim) else dim


def _cite(cite: CiteSpec | None) -> Json | None:
    if cite is None:
        return None
    found = {k: getattr(cite, k) for k in ("figure", "table", "section", "code")}
    return {k: v for k, v in found.items() if v is not None}


def _drawing(drawing: DrawingSpec | None) -> Json:
    drawing = drawing or DrawingSpec()
    return {"input": drawing.input, "sizes": drawing.sizes}


def _display(file: str, root: Path) -> str:
    """Return a file's name as the page shows it: the same from whatever folder it is built."""
    path, shipped = Path(file).resolve(), shipped_specs().resolve()
    if path.is_relative_to(shipped):
        return f"specs/{path.relative_to(shipped).as_posix()}"
    folder = root.resolve().parent
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
