"""Spec -> Graph. Blocks are expanded and sugar ends here; the hierarchy stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from compiler.builder import MAX_NODES, Builder
from compiler.errors import CompileError, Diagnostic, Remark, Report, Span
from compiler.expansion import Expansion
from compiler.expr import Expr, Value
from compiler.fields import read_formula
from compiler.graph import Cite, Drawing, Erratum, Info
from compiler.load import Spec
from compiler.lower_ops import JOINS, LOWER, Task, default_norm
from compiler.naming import automatic_name, node_name
from compiler.ops import Activation, Op, Scale
from compiler.order import lowering_order
from compiler.scope import Frame, Lookup, Named, Scope
from compiler.shapes import Shape
from compiler.source import Mapping as YamlMapping
from compiler.spec import (
    AddLayer,
    BlockLayer,
    BlockSpec,
    BranchesLayer,
    BrokenLayer,
    CiteSpec,
    ConcatLayer,
    DrawingSpec,
    Layer,
    LayersLayer,
    Located,
    MultiplyLayer,
    ParamSpec,
    ResidualLayer,
    SplitLayer,
)
from compiler.suggest import did_you_mean, listing
from compiler.values import ACTIVATION_WORDS, Values, coerce


@dataclass(slots=True)
class Argument:
    """A value for a block's parameter, and the expression it was written as."""

    value: Value
    expr: Expr | None = None


class Lowering:
    """Expands the layers of one network into a graph under construction."""

    def __init__(self, spec: Spec, report: Report, defaults: Mapping[str, Layer]) -> None:
        self.spec = spec
        self.report = report
        self.defaults = defaults
        self.norm = default_norm(defaults, report)
        self.builder = Builder(report)
        self.open_blocks: list[str] = []
        self.used_params: dict[str, set[str]] = {}
        self.instances: set[str] = set()
        self.sizes = Expansion(spec.blocks)

    # -- lists of layers ---------------------------------------------------------------------

    def chain(self, layers: list[Layer], scope: Scope, incoming: str) -> list[str]:
        """Lower a list of layers and return what leaves it: one tensor, or a split's ends."""
        names = [self._declare(layer, scope) for layer in layers]
        order = lowering_order(layers, names, self.report)
        outputs: dict[int, list[str]] = {}
        for i in order:
            before = incoming if i == 0 else outputs.get(i - 1, [incoming])[-1]
            is_last = i == len(layers) - 1
            outputs[i] = self._layer(layers[i], names[i], scope, before, is_last)
            if names[i] in scope.names:
                scope.names[names[i]].tensor = outputs[i][-1]
        return outputs[len(layers) - 1] if layers else [incoming]

    def _declare(self, layer: Layer, scope: Scope) -> str:
        """Give a layer its local name; a name that stands twice is reported."""
        node = layer._node
        assert node is not None
        name: str | None
        if isinstance(layer, BrokenLayer):
            name = layer.name or scope.automatic(node_name(node) or "broken")
        else:
            principal = node.get(layer.op) if isinstance(node, YamlMapping) else None
            name = layer.name or automatic_name(layer.op, principal)
        if name is None:
            named = layer.common.repeat is not None
            name = scope.automatic(layer.op)
            scope.names[name] = Named(scope.prefix + name, layer.span(), is_automatic=not named)
            return name
        if layer.name is None and layer.op not in ("block", "broken"):
            name = scope.automatic(name)
        span = layer.span("name") if layer.name else layer.span()
        name = self._free(name, span, scope, layer.name is None)
        scope.names[name] = Named(scope.prefix + name, span, layer.name is None)
        return name

    def _free(self, name: str, span: Span, scope: Scope, is_automatic: bool) -> str:
        """Return the name, or another one after reporting that it is taken."""
        before = scope.names.get(name)
        if before is None:
            return name
        generated = is_automatic or before.is_automatic
        why = (
            " (one of them is the name that a layer gets when it is given none)"
            if generated
            else ""
        )
        self.report.add(
            Diagnostic(
                "duplicate-name",
                f"two layers are called `{name}`{why}",
                span,
                remarks=(Remark(before.span, "it is called so here too"),),
                help="give one of them another `name`",
            )
        )
        return scope.automatic(name)

    def _layer(
        self, layer: Layer, name: str, scope: Scope, before: str, is_last: bool
    ) -> list[str]:
        """Lower one layer, with its condition, operands and repeat."""
        values = self._values(layer, scope, before)
        if layer.common.when is not None and not values.flag("when"):
            return [before]
        inputs = self._operands(layer, scope, before)
        path = scope.prefix + name
        if isinstance(layer, SplitLayer):
            if layer.common.repeat is not None or not is_last:
                self._report_layer(
                    layer,
                    "bad-split",
                    "`split` is the last layer of a branch",
                    "give it a `join` of its own: `{branches: ..., join: concat}`",
                )
            return self._branches(layer, path, scope, inputs[0], transparent=layer.name is None)[1]
        if layer.common.repeat is None:
            return [self._one(layer, path, scope, inputs, values)]
        return [self._repeat(layer, path, scope, inputs, values)]

    def _repeat(
        self,
        layer: Layer,
        path: str,
        scope: Scope,
        inputs: dict[str, str] | list[str],
        values: Values,
    ) -> str:
        """Lower N copies one after the other; none passes the input on."""
        count = values.integer("repeat", "repeat", least=0)
        first = next(iter(inputs.values())) if isinstance(inputs, dict) else inputs[0]
        if count is None:
            count = 1
        size = len(self.builder.nodes) + count * self.sizes.of_layer(layer)
        if size > MAX_NODES:
            self._report_layer(
                layer,
                "too-large",
                f"`repeat: {count}` makes {size:,} operations or more, {MAX_NODES:,} at most",
                "lower the `repeat`, here or inside",
                "repeat",
            )
            count = 1
        self.builder.open(path, "repeat", tuple(_flat(inputs)), self.info(layer))
        tensor = first
        for index in range(count):
            inner = scope.child(scope.prefix, index)
            inner.names, inner.ordinals = scope.names, scope.ordinals
            values = self._values(layer, inner, tensor)
            copied = (
                [tensor, *inputs[1:]]
                if isinstance(inputs, list)
                else {**inputs, next(iter(inputs)): tensor}
            )
            tensor = self._one(layer, f"{path}.{index}", inner, copied, values)
        return self.builder.close(tensor)

    def _one(
        self,
        layer: Layer,
        path: str,
        scope: Scope,
        inputs: dict[str, str] | list[str],
        values: Values,
    ) -> str:
        """Lower one copy of a layer at `path`."""
        if layer.common.share is not None:
            return self._shared(layer, path, scope, inputs, values)
        return self._plain(layer, path, scope, inputs, values)

    def _plain(
        self,
        layer: Layer,
        path: str,
        scope: Scope,
        inputs: dict[str, str] | list[str],
        values: Values,
    ) -> str:
        flat = tuple(_flat(inputs))
        if isinstance(layer, BlockLayer):
            tensor = self.block(layer, path, scope, inputs, values)
        elif isinstance(layer, BranchesLayer):
            tensor = self._branches(layer, path, scope, flat[0], _is_transparent(layer))[0]
        elif isinstance(layer, ResidualLayer):
            tensor = self._residual(layer, path, scope, flat[0], values)
        elif isinstance(layer, LayersLayer):
            tensor = self._sequence(layer, path, scope, flat[0])
        elif isinstance(layer, BrokenLayer):
            tensor = self.builder.add_unknown(path, flat[:1], self.info(layer))
        elif isinstance(layer, (ConcatLayer, AddLayer, MultiplyLayer)):
            tensor = self.builder.add(path, JOINS[layer.op](), flat, self.info(layer))
        else:
            task = Task(
                layer,
                path,
                flat,
                self.info(layer),
                values,
                self.builder,
                scope.frame.params,
                self.norm,
            )
            tensor = LOWER[layer.op](task)
        self._check_size(layer, tensor, scope)
        return tensor

    # -- operands ----------------------------------------------------------------------------

    def _operands(self, layer: Layer, scope: Scope, before: str) -> Any:
        """Return the operands: a list of tensors, or input name -> tensor for a block's mapping."""
        if isinstance(layer, (ConcatLayer, AddLayer, MultiplyLayer)):
            refs = getattr(layer, layer.op)
            return [
                self.tensor(r, layer, scope, before, (layer.op, i)) for i, r in enumerate(refs)
            ] or [before]
        given = layer.common.inputs
        if given is None:
            return [before]
        if isinstance(given, str):
            return [self.tensor(given, layer, scope, before, ("from",))]
        if isinstance(given, list) and given and all(isinstance(r, str) for r in given):
            tensors = [
                self.tensor(r, layer, scope, before, ("from", i)) for i, r in enumerate(given)
            ]
            if len(tensors) > 1 and not isinstance(layer, BlockLayer):
                self._report_layer(
                    layer,
                    "operand-count",
                    f"`{layer.op}` reads one layer, `from` names {len(tensors)}",
                    "join them first: `{concat: [a, b]}` or `{add: [a, b]}`",
                    "from",
                )
                return tensors[:1]
            return tensors
        if isinstance(given, dict) and isinstance(layer, BlockLayer) and given:
            return {
                str(k): self.tensor(str(r), layer, scope, before, ("from", str(k)))
                for k, r in given.items()
            }
        self._report_layer(
            layer,
            "bad-value",
            "`from` takes the name of a layer or a list of names",
            "layers are named, not counted",
            "from",
        )
        return [before]

    def tensor(
        self, ref: str, layer: Layer, scope: Scope, before: str, steps: tuple[int | str, ...]
    ) -> str:
        """Return the node that a reference means; an unknown one is reported."""
        head, _, rest = ref.partition(".")
        found: str | None = None
        if head == "in" and not rest:
            found = next(iter(scope.frame.inputs.values()))
        elif head == "prev" and not rest:
            found = before
        elif named := scope.find(head):
            found = self._inside(named, rest) if rest else named.tensor
        elif head in scope.frame.inputs and not rest:
            found = scope.frame.inputs[head]
        if found is None:
            names = [n for n in scope.visible() if n != "in"]
            self.report.add(
                Diagnostic(
                    "unknown-layer",
                    f"there is no layer `{ref}` to read here{did_you_mean(ref, names)}",
                    layer.span(*steps),
                    help=f"in reach are {listing(names, 12)}",
                )
            )
            return before
        return found

    def _inside(self, named: Named, rest: str) -> str | None:
        path = f"{named.path}.{rest}"
        region = self.builder.regions.get(path)
        if region is not None:
            return region.output
        return path if path in self.builder.nodes else None

    # -- structure ---------------------------------------------------------------------------

    def _sequence(self, layer: LayersLayer, path: str, scope: Scope, incoming: str) -> str:
        transparent = _is_transparent(layer)
        self.builder.open(path, "chain", (incoming,), self.info(layer), transparent=transparent)
        inner = self._inner(scope, path, transparent)
        return self.builder.close(self.chain(layer.layers, inner, incoming)[-1])

    def _inner(self, scope: Scope, path: str, transparent: bool) -> Scope:
        """Return the scope for what stands inside a layer: the same one if it adds no name."""
        return scope if transparent else scope.child(path + ".")

    def _branches(
        self,
        layer: BranchesLayer | SplitLayer,
        path: str,
        scope: Scope,
        incoming: str,
        transparent: bool,
    ) -> tuple[str, list[str]]:
        """Lower parallel chains; a `branches` is joined, a `split` gives all its ends."""
        info = self.info(layer)
        self.builder.open(path, "branches", (incoming,), info, transparent=transparent)
        inner = self._inner(scope, path, transparent)
        ends: list[str] = []
        branches = layer.branches if isinstance(layer, BranchesLayer) else layer.split
        for name, layers in branches.items():
            ends.extend(self._branch(name, layers, layer, inner, incoming))
        if isinstance(layer, SplitLayer):
            return self.builder.close(ends[-1] if ends else incoming), ends or [incoming]
        name = inner.automatic(layer.join)
        inner.names[name] = Named(inner.prefix + name, layer.span("join"), is_automatic=True)
        span = layer.span("join") if layer.says("join") else info.span
        join = self.builder.add(
            inner.prefix + name,
            JOINS[layer.join](),
            tuple(ends or [incoming]),
            replace(info, span=span, title=None),
        )
        inner.names[name].tensor = join
        return self.builder.close(join), [join]

    def _branch(
        self, name: str, layers: list[Layer], layer: Layer, scope: Scope, incoming: str
    ) -> list[str]:
        span = layer.span(layer.op, name)
        self._check_name(name, layer.span(layer.op, name))
        name = self._free(name, span, scope, is_automatic=False)
        path = scope.prefix + name
        scope.names[name] = Named(path, span, is_automatic=False)
        self.builder.open(path, "branch", (incoming,), Info(span=span))
        ends = self.chain(layers, scope.child(path + "."), incoming)
        self.builder.close(ends[-1])
        scope.names[name].tensor = ends[-1]
        return ends

    def _check_name(self, name: str, span: Span) -> None:
        from pydantic_core import PydanticCustomError

        from compiler.fields import read_name

        try:
            read_name(name)
        except PydanticCustomError as error:
            context: dict[str, Any] = error.context or {}
            self.report.add(
                Diagnostic("bad-name", error.message(), span, help=str(context.get("help", "")))
            )

    def _residual(
        self, layer: ResidualLayer, path: str, scope: Scope, incoming: str, values: Values
    ) -> str:
        """Shortcut + scale * body, then the activation (Figures 10 and 20)."""
        transparent = _is_transparent(layer)
        info = self.info(layer)
        self.builder.open(path, "residual", (incoming,), info, transparent=transparent)
        inner = self._inner(scope, path, transparent)
        part = layer.residual
        if part._node is None:
            part.locate(layer._node)
        body = self._part("body", part.body or [], inner, incoming, part, transparent=True)
        shortcut = self._part(
            "shortcut", part.shortcut or [], inner, incoming, part, transparent=False
        )
        reader = Values(
            part, "`residual`", Lookup(scope, self.builder.shapes, incoming), self.report
        )
        where = Info(span=part.span())
        if part.scale is not None:
            factor = reader.number("scale", "factor")
            op: Op = Scale(1.0 if factor is None else factor)
            body = self._named_node(
                inner, "scale", op, (body,), replace(where, span=part.span("scale")), reader.exprs
            )
        function = reader.word("activation", scope.frame.params, ACTIVATION_WORDS)
        join = replace(info, span=layer.key_span("residual"), title=None, drawn=True, errata=())
        out = self._named_node(
            inner, "add", JOINS["add"](), (shortcut, body), replace(join, label=None)
        )
        if function != "none":
            out = self._named_node(
                inner,
                "act",
                Activation(function),
                (out,),
                replace(where, span=part.span("activation")),
            )
        return self.builder.close(out)

    def _part(
        self,
        name: str,
        layers: list[Layer],
        scope: Scope,
        incoming: str,
        part: Located,
        transparent: bool,
    ) -> str:
        """Lower the body (its layers stand in the residual's own scope) or the shortcut."""
        local = scope.automatic(name)
        path = scope.prefix + local
        scope.names[local] = Named(path, part.span(name), is_automatic=True)
        info = Info(span=part.span(name))
        self.builder.open(path, "branch", (incoming,), info, transparent=transparent)
        inner = scope if transparent else scope.child(path + ".")
        end = self.builder.close(self.chain(layers, inner, incoming)[-1])
        scope.names[local].tensor = end
        return end

    def _named_node(
        self,
        scope: Scope,
        base: str,
        op: Op,
        inputs: tuple[str, ...],
        info: Info,
        exprs: Mapping[str, Expr] | None = None,
    ) -> str:
        name = scope.automatic(base)
        scope.names[name] = Named(scope.prefix + name, info.span, is_automatic=True)
        node = self.builder.add(scope.prefix + name, op, inputs, info, exprs)
        scope.names[name].tensor = node
        return node

    # -- blocks ------------------------------------------------------------------------------

    def block(
        self,
        layer: BlockLayer,
        path: str,
        scope: Scope,
        inputs: dict[str, str] | list[str],
        values: Values,
    ) -> str:
        """Lower an instance of a block."""
        flat = _flat(inputs)
        block = self.spec.blocks.get(layer.block)
        if block is None:
            self._unknown_block(layer)
            return flat[0]
        if block.name in self.open_blocks:
            cycle = [*self.open_blocks[self.open_blocks.index(block.name) :], block.name]
            raise CompileError(
                [
                    *self.report.diagnostics,
                    Diagnostic(
                        "block-cycle",
                        f"blocks contain each other: {' -> '.join(cycle)}",
                        layer.span("block"),
                        help="a block cannot contain itself; use `repeat`",
                    ),
                ]
            )
        arguments = self._arguments(layer, block, values)
        bound = self._bind_inputs(layer, block, inputs)
        info = self.info(layer)
        if info.title is None:
            info = replace(info, title=block.title or block.name)
        self.builder.open(
            path,
            "block",
            tuple(flat),
            info,
            definition=block.name,
            arguments={k: a.value for k, a in arguments.items()},
            argument_exprs={k: a.expr for k, a in arguments.items() if a.expr},
        )
        return self.builder.close(self.body(block, path + ".", bound, arguments))

    def body(
        self, block: BlockSpec, prefix: str, inputs: dict[str, str], arguments: dict[str, Argument]
    ) -> str:
        """Lower a block's layers under a prefix."""
        self.open_blocks.append(block.name)
        self.instances.add(block.name)
        frame = Frame(block.name, {k: a.value for k, a in arguments.items()}, inputs)
        frame.used = self.used_params.setdefault(block.name, set())
        first = next(iter(inputs.values()))
        frame.sizes_hold = self.builder.shapes[first].paper == block.input_size
        end = self.chain(block.body, Scope(prefix, frame), first)[-1]
        self.open_blocks.pop()
        return end

    def _unknown_block(self, layer: BlockLayer) -> None:
        names = list(self.spec.blocks)
        if layer.block in self.spec.faulty_blocks:
            return
        self.report.add(
            Diagnostic(
                "unknown-block",
                f"there is no block `{layer.block}`{did_you_mean(layer.block, names)}",
                layer.span("block"),
                help=f"defined or imported are {listing(names)}"
                if names
                else "no block is defined or imported",
            )
        )

    def _bind_inputs(
        self, layer: BlockLayer, block: BlockSpec, inputs: dict[str, str] | list[str]
    ) -> dict[str, str]:
        wanted = block.inputs
        if isinstance(inputs, dict):
            unknown = [k for k in inputs if k not in wanted]
            missing = [k for k in wanted if k not in inputs]
            if unknown or missing:
                what = (
                    f"has no input `{unknown[0]}`" if unknown else f"needs its input `{missing[0]}`"
                )
                self._report_layer(
                    layer,
                    "operand-count",
                    f"block `{block.name}` {what}",
                    f"its inputs are {listing(wanted)}",
                    "from",
                )
            fallback = next(iter(inputs.values()))
            return {name: inputs.get(name, fallback) for name in wanted}
        if len(inputs) != len(wanted):
            self._report_layer(
                layer,
                "operand-count",
                f"block `{block.name}` reads {len(wanted)} layer{'s' * (len(wanted) != 1)}, it is given {len(inputs)}",
                f"name them: `from: {{{', '.join(f'{w}: ...' for w in wanted)}}}`",
                "from",
            )
        return {name: inputs[min(i, len(inputs) - 1)] for i, name in enumerate(wanted)}

    def _arguments(
        self, layer: BlockLayer, block: BlockSpec, values: Values
    ) -> dict[str, Argument]:
        """Return a value for each parameter of a block."""
        for name in layer.arguments:
            if name not in block.params:
                self.report.add(
                    Diagnostic(
                        "unknown-parameter",
                        f"block `{block.name}` has no parameter `{name}`{did_you_mean(name, block.params)}",
                        _argument_key(layer, name),
                        help=f"its parameters are {listing(block.params)}",
                    )
                )
        out: dict[str, Argument] = {}
        for name, param in block.params.items():
            if name in layer.arguments:
                out[name] = self._argument(layer, name, param, values)
            elif param.default is not None:
                out[name] = Argument(self.default(name, param, out))
            else:
                self.report.add(
                    Diagnostic(
                        "missing-parameter",
                        f"block `{block.name}` needs `{name}`"
                        + (f" ({param.doc})" if param.doc else ""),
                        layer.span(),
                        remarks=(Remark(param.span(), "it is declared here, without a default"),),
                        help=f"add `with: {{{name}: ...}}`",
                    )
                )
                out[name] = Argument(None)
        return out

    def _argument(self, layer: BlockLayer, name: str, param: ParamSpec, values: Values) -> Argument:
        written = layer.arguments[name]
        expr = self._formula(written, param.type, layer, name)
        value = values.evaluate(expr, "with") if isinstance(expr, Expr) else written
        if value is None and isinstance(expr, Expr):
            return Argument(None, expr)
        coerced, complaint = coerce(param.type, value)
        if complaint:
            shown = written if not isinstance(written, list) else "a list"
            self.report.add(
                Diagnostic(
                    "bad-value",
                    f"`{name}` = {shown} {complaint}; it is of type {param.type}",
                    layer.span("with", name),
                    remarks=(Remark(param.span(), "it is declared here"),),
                )
            )
        return Argument(coerced, expr if isinstance(expr, Expr) else None)

    def _formula(self, written: Any, type: str, layer: Located, name: str) -> Any:
        """Return a written argument as an expression where its type allows one."""
        if not isinstance(written, str) or type in ("text",):
            return written
        if type in ("padding", "activation", "kernel") and coerce(type, written)[1] == "":
            return written
        from pydantic_core import PydanticCustomError

        try:
            return read_formula(written)
        except PydanticCustomError as error:
            self.report.add(
                Diagnostic(
                    "bad-expression", f"`{name}`: {error.message()}", layer.span("with", name)
                )
            )
            return None

    def default(self, name: str, param: ParamSpec, known: Mapping[str, Argument]) -> Value:
        """Return the default of a parameter; it may be a formula over the ones before it."""
        written = param.default
        if isinstance(written, str) and coerce(param.type, written)[1]:
            formula = self._formula(written, param.type, param, name)
            if isinstance(formula, Expr):
                reader = Values(
                    param, f"parameter `{name}`", lambda n: _known(n, known), self.report
                )
                written = reader.evaluate(formula, "default")
                if written is None:
                    return None
        value, complaint = coerce(param.type, written)
        if complaint and isinstance(param.default, str):
            self.report.add(
                Diagnostic(
                    "bad-value",
                    f"the default of `{name}`, {written}, {complaint}; it is of type {param.type}",
                    param.span("default"),
                )
            )
        return value

    # -- sizes, sharing, words ---------------------------------------------------------------

    def _check_size(self, layer: Layer, tensor: str, scope: Scope) -> None:
        """Compare a printed size with the computed one, or fall back on it after an error."""
        if layer.common.size is None or not scope.frame.sizes_hold:
            return
        shape = self.builder.shapes[tensor]
        if None in shape:
            self.builder.claim(tensor, _printed(layer.common.size))
        elif shape.is_known and shape.paper != layer.common.size:
            self.report.add(
                Diagnostic(
                    "wrong-size",
                    f"`{tensor}` gives {shape.paper}, the size that is stated is {layer.common.size}",
                    layer.span("size"),
                    help="correct the layers, or the stated size",
                )
            )

    def _shared(
        self,
        layer: Layer,
        path: str,
        scope: Scope,
        inputs: dict[str, str] | list[str],
        values: Values,
    ) -> str:
        """Lower a layer that uses the parameters of another one."""
        named = scope.find(str(layer.common.share).partition(".")[0])
        before = len(self.builder.nodes)
        tensor = self._plain(layer, path, scope, inputs, values)
        owner = (
            f"{named.path}{str(layer.common.share)[len(str(layer.common.share).partition('.')[0]) :]}"
            if named
            else None
        )
        if owner is None or owner == path:
            names = [n for n in scope.visible() if n != "in"]
            self._report_layer(
                layer,
                "unknown-layer",
                f"there is no layer `{layer.common.share}` to share with{did_you_mean(str(layer.common.share), names)}",
                "",
                "share",
            )
            return tensor
        for name in list(self.builder.nodes)[before:]:
            node = self.builder.nodes[name]
            twin = self.builder.nodes.get(owner + name[len(path) :])
            if not node.op.has_parameters:
                continue
            same_inputs = twin is not None and [
                self.builder.shapes[i][:1] for i in node.inputs
            ] == [self.builder.shapes[i][:1] for i in twin.inputs]
            if twin is None or twin.op != node.op or not same_inputs:
                self._report_layer(
                    layer,
                    "share-mismatch",
                    f"`{name}` cannot use the parameters of `{owner + name[len(path) :]}`: they are not alike",
                    "sharing layers need the same op, attributes and input channels",
                    "share",
                )
                break
            self.builder.nodes[name] = replace(node, share=twin.share or twin.name)
        return tensor

    def _values(self, layer: Layer, scope: Scope, before: str) -> Values:
        lookup = Lookup(scope, self.builder.shapes, before)
        return Values(layer, f"`{layer.op}`", lookup, self.report, self.defaults.get(layer.op))

    def _report_layer(
        self, layer: Layer, code: str, message: str, help: str, key: str = ""
    ) -> None:
        span = layer.span(key) if key else layer.span()
        self.report.add(Diagnostic(code, message, span, help=help))

    def info(self, layer: Layer) -> Info:
        """Return what a layer says besides its computation."""
        return Info(
            span=layer.span(),
            title=layer.common.title,
            label=layer.common.label,
            cite=cite(layer.common.cite),
            errata=self.errata(layer, layer.common.errata),
            drawn=layer.common.drawn,
            size=layer.common.size,
            doc=layer.common.doc,
        )

    def errata(self, where: Located, ids: list[str]) -> tuple[Erratum, ...]:
        """Return the recorded errata with these ids; an unknown id is reported."""
        out = []
        for name in ids:
            record = self.spec.errata.get(name)
            if record is None:
                self.report.add(
                    Diagnostic(
                        "unknown-erratum",
                        f"no erratum `{name}` is recorded{did_you_mean(name, self.spec.errata)}",
                        where.span("errata"),
                        help="import the file that records it, such as errata.yaml",
                    )
                )
                continue
            out.append(
                Erratum(
                    name,
                    record.where,
                    record.printed,
                    record.built,
                    record.why,
                    tuple(record.sources),
                    record.severity,
                    where.span(),
                    None if record.explains is None else tuple(record.explains),
                )
            )
        return tuple(out)


def _known(name: str, known: Mapping[str, Argument]) -> Value:
    if name not in known:
        raise KeyError(name, "a default can use the parameters before it")
    return known[name].value


def _is_transparent(layer: Layer) -> bool:
    return layer.name is None and layer.common.repeat is None


def _flat(inputs: dict[str, str] | list[str]) -> list[str]:
    return list(inputs.values()) if isinstance(inputs, dict) else inputs


def _argument_key(layer: BlockLayer, name: str) -> Span:
    node = layer._node
    inner = node.get("with") if isinstance(node, YamlMapping) else None
    return inner.entries[name].key_span if isinstance(inner, YamlMapping) else layer.span()


def _printed(size: str) -> Shape:
    numbers = [int(n) for n in size.split("x")]
    return Shape((numbers[-1], *numbers[:-1]))


def cite(spec: CiteSpec | None) -> Cite | None:
    """Return a citation."""
    return Cite(spec.figure, spec.table, spec.section, spec.code) if spec else None


def drawing(spec: DrawingSpec | None) -> Drawing:
    """Return drawing hints."""
    return Drawing(spec.input, spec.sizes) if spec else Drawing()
