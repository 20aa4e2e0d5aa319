"""Spec -> the program that the page runs: layers, formulas as syntax trees, places in the files."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

from compiler.errors import Report, Span
from compiler.graph import Graph, Shape, Symbolic
from compiler.lower import default_norms, layer_defaults
from compiler.lower.order import lowering_order
from compiler.ops import CiteSpec, Layer, Op
from compiler.spec import (
    BlockLayer,
    BlockSpec,
    BranchesLayer,
    BrokenParam,
    Defaults,
    DrawingSpec,
    LayersLayer,
    NetworkSpec,
    OutputSpec,
    ParamSpec,
    ResidualLayer,
    Spec,
    SplitLayer,
    guess_type,
    layers_in,
    shipped_specs,
)
from compiler.text import Expr, Value, name_of
from compiler.text import Mapping as YamlMapping
from viz.html.formulas import argument_of, default_of, differs, encode, plain, value_of
from viz.html.layers import (
    Json,
    automatic_name_of,
    defaulted_fields,
    fields_of,
    reads_of,
)
from viz.html.traced import Tracer


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
        self.tracer = Tracer(graph, self.defaults, self._norms())
        self.block = ""
        """The block whose layers are written."""

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
            "let": self._names(network),
            "inputs": [self._input(name) for name in graph.inputs],
            "isAsDeclared": self._is_as_declared(),
            "norm": self._norm(),
            "layers": self._chain(network.layers),
            "outputs": self._outputs(),
            "blocks": {b.name: self._block(b) for b in self._used_blocks()},
            "errata": self._errata(),
            "codes": sorted(self.tracer.codes),
        }

    # -- the network ---------------------------------------------------------------------------

    def _setting(self, name: str, param: ParamSpec) -> Json:
        """Return a parameter of the network with the value that the graph was built with."""
        value = self.graph.arguments[name]
        out = self._param(name, param)
        if isinstance(param, BrokenParam):
            return out
        default = out["default"]
        formula = isinstance(default, dict) and "t" in default
        if not formula or value_of(param.default, self.graph.arguments) != value:
            out["default"] = plain(value)
        return out

    def _input(self, name: str) -> Json:
        """Return an input: its sizes as numbers, letters, or names of parameters."""
        declared = self.network.input.get(name, [])
        dims: list[int | str | None] = []
        for place, dim in enumerate(self.graph.nodes[name].shape):
            written = declared[place] if place < len(declared) else None
            if isinstance(written, str) and self.graph.arguments.get(written) == dim:
                dims.append(written)  # a parameter's name
            else:
                dims.append(_dim(dim))
        return {"name": name, "dims": dims, "at": self._at(self.network.span("input", name))}

    def _is_as_declared(self) -> bool:
        """True when no size and no parameter was set from outside: the printed sizes hold."""
        shapes = (self.graph.nodes[n].shape for n in self.graph.inputs)
        declared = self.network.input.values()
        arguments = self.graph.arguments
        if not all(map(_is_declared, shapes, declared, repeat(arguments))):
            return False
        params = self.network.params.items()
        return not any(differs(param, arguments[name]) for name, param in params)

    def _norm(self) -> Json:
        """Return what the norm that follows convolutions learns."""
        layer = self.defaults.get("batch_norm")
        return {word: getattr(layer, word, True) is not False for word in ("scale", "shift")}

    def _norms(self) -> Mapping[str, Op]:
        """Return word -> the norm that follows convolutions, by the network's defaults."""
        given = Defaults(self.defaults, self.graph.arguments, set())
        return default_norms(given, Report())

    def _outputs(self) -> list[Json] | None:
        if not self.network.outputs:
            return None
        return [self._output(o) for o in self.network.outputs]

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
        for region in self.graph.regions.values():  # those that parameters hand over
            if region.definition is not None and region.definition not in reached:
                reached.add(region.definition)
                stack.append(self.spec.blocks[region.definition].body)
        while stack:
            for layer in layers_in(stack.pop()):
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
        self.block = block.name
        return {
            **self._words(block),
            "name": block.name,
            "title": block.title or block.name,
            "doc": block.doc,
            "params": [self._param(n, p) for n, p in block.params.items()],
            "let": self._names(block),
            "inputs": block.inputs,
            "inputSize": block.input_size,
            "drawing": _drawing(block.drawing),
            "layers": self._chain(block.body),
            "at": self._at(block.span()),
        }

    def _names(self, where: BlockSpec | NetworkSpec) -> list[Json]:
        """Return the names that a `let` gives, each with its value."""
        return [
            {
                "id": f"let.{name}",
                "what": "`let`",
                "name": name,
                "fields": {name: encode(argument_of(guess_type(value), value))},
                "at": self._at(where.span("let", name)),
            }
            for name, value in where.let.items()
        ]

    def _param(self, name: str, param: ParamSpec) -> Json:
        if isinstance(param, BrokenParam):
            return {"name": name, "type": "broken", "default": None, "at": self._at(param.span())}
        return {
            "name": name,
            "type": param.type,
            "default": default_of(param),
            "doc": param.doc,
            "cite": _cite(param.cite),
            "at": self._at(param.span()),
        }

    def _chain(self, layers: list[Layer]) -> list[Json]:
        out = [self._layer(layer) for layer in layers]
        names = [layer.name or automatic_name_of(layer) or layer.op for layer in layers]
        order, circles = lowering_order(layers, names, Report(), self._params())
        if order != sorted(order) or circles:
            for turn, index in enumerate(order):
                out[index] |= {"turn": turn, "isInCircle": index in circles}
        return out

    def _layer(self, layer: Layer) -> Json:
        self.count += 1
        out: Json = {"id": self.count, "op": layer.op, "at": self._at(layer.span())}
        out["name"] = layer.common.name or None
        out["auto"] = automatic_name_of(layer)
        out["fields"], out["places"] = self._fields(layer)
        default = self.defaults.get(layer.op)
        if default is not None and (taken := defaulted_fields(layer, default)):
            out["taken"] = {field: self._at(default.span(field)) for field in taken}
        if isinstance(layer, BlockLayer) and (
            given := self._defaults_of(layer, self._types(layer))
        ):
            spans = {name: self.defaults["block"].span("with", name) for name, _ in given}
            out["taken"] = {f"with.{name}": self._at(span) for name, span in spans.items()}
        out["info"] = {**self._words(layer.common), "at": out["at"]}
        for key in ("label", "title", "size", "doc"):
            out["info"][key] = getattr(layer.common, key) or None
        out["info"]["drawn"] = layer.common.drawn
        if layer.common.share is not None:
            out["share"] = layer.common.share
        if layer.common.loop is not None:
            types = self._types(layer)
            loop = layer.common.loop.items()
            out["loop"] = [[name, _series(values, types.get(name))] for name, values in loop]
        out |= self.tracer.variants(layer, self.block)
        return {**out, **reads_of(layer, self._params()), **self._inside(layer)}

    def _params(self) -> Container[str]:
        """Return the parameters where the layers at hand stand."""
        return self.spec.blocks[self.block].params if self.block else self.network.params

    def _inside(self, layer: Layer) -> Json:
        """Return the layers inside a layer."""
        if isinstance(layer, BranchesLayer):
            chains = [[n, self._chain(c)] for n, c in layer.branches.items()]
            return {"branches": chains, "join": layer.join}
        if isinstance(layer, SplitLayer):
            return {"branches": [[n, self._chain(c)] for n, c in layer.split.items()]}
        if isinstance(layer, LayersLayer):
            return {"layers": self._chain(layer.layers)}
        if isinstance(layer, ResidualLayer):
            body, shortcut = layer.residual.body, layer.residual.shortcut
            return {"body": self._chain(body), "shortcut": self._chain(shortcut)}
        return {"block": layer.block} if isinstance(layer, BlockLayer) else {}

    def _fields(self, layer: Layer) -> tuple[Json, dict[str, list[int]]]:
        """Return a layer's own fields, the network's defaults among them, and their places."""
        values = dict(fields_of(layer, self.defaults.get(layer.op)), **self._arguments(layer))
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
        if not isinstance(layer, BlockLayer):
            return {}
        types, here = self._types(layer), self._params()
        usual, own = self._defaults_of(layer, types), layer.arguments
        out = {n: argument_of(types.get(n, "text"), v, self.network.params) for n, v in usual}
        out |= {n: name_of(n) for n in layer.common.loop or () if n in types}
        out |= {n: argument_of(types.get(n, "text"), v, here) for n, v in own.items()}
        return {f"with.{n}": value for n, value in out.items()}

    def _types(self, layer: Layer) -> dict[str, str]:
        """Return the types of the parameters of an instance's block, none for other layers.

        Of a block that a parameter hands over they are those that any block gives them.
        """
        if not isinstance(layer, BlockLayer):
            return {}
        known, is_handed = self.spec.blocks, layer.block in self._params()
        blocks = known.values() if is_handed else filter(None, [known.get(layer.block)])
        return {n: p.type for block in blocks for n, p in block.params.items()}

    def _defaults_of(self, layer: BlockLayer, types: Container[str]) -> list[tuple[str, Any]]:
        """Return what a block's instance takes from the network's defaults."""
        usual = self.defaults.get("block")
        if not isinstance(usual, BlockLayer):
            return []
        own = {*layer.arguments, *(layer.common.loop or ())}
        return [(n, v) for n, v in usual.arguments.items() if n in types and n not in own]

    def _place(self, layer: Layer, steps: tuple[str, ...]) -> list[int] | None:
        """Return the line and column of a key's value, None where the layer does not set it."""
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


def _is_declared(shape: Shape, declared: list[Any], arguments: Mapping[str, Value]) -> bool:
    values = [arguments.get(d, d) if isinstance(d, str) else d for d in declared]
    return [_dim(d) for d in shape] == values


def _series(values: Any, type: str | None) -> Any:
    """Return the values that a loop goes over, of a parameter's type, or the formula of them."""
    if isinstance(values, Expr):
        return encode(values)
    return [encode(argument_of(type or guess_type(value), value)) for value in values]


def _dim(dim: Any) -> int | str | None:
    return str(dim) if isinstance(dim, Symbolic) else dim


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
