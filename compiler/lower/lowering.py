"""What is shared while a network is lowered: names, values, regions, findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import count
from typing import TypeVar

from compiler.errors import CompileError, Diagnostic, Remark, Report, Span, guessing, limit, way_out
from compiler.graph import Cite, Drawing, Erratum, Info
from compiler.lower.builder import Builder
from compiler.lower.defaults import default_norms
from compiler.lower.scope import Condition, Lookup, Named, Scope
from compiler.ops import CiteSpec, Layer, Op
from compiler.spec import (
    Branch,
    BrokenLayer,
    Defaults,
    DrawingSpec,
    Expansion,
    LayerValues,
    Spec,
    Values,
    copies_of,
)
from compiler.spec.naming import automatic_name, node_name
from compiler.text import Expr, Located, Value
from compiler.text import Mapping as YamlMapping

V = TypeVar("V", bound=Values)


class Lowering:
    """The state of lowering one network: the graph under construction, and what goes with it."""

    def __init__(self, spec: Spec, report: Report, defaults: Defaults) -> None:
        self.spec = spec
        self.report = report
        self.defaults = defaults
        self.builder = Builder(report)
        self.unknown = count(1)
        """Numbers the nodes that stand in for what a wrong reference means."""
        self.open_blocks: list[str] = []
        self.used_params: dict[str, set[str]] = {}
        self.instances: set[str] = set()
        self.left_out: dict[str, Condition] = {}
        """Path of a layer that is not built -> the condition."""
        self.stand_ins: set[str] = set()
        """Paths that layers with faults are given in place of a name: nobody wrote them."""
        self.sizes = Expansion(spec.blocks)
        self._infos: dict[int, tuple[Layer, Info]] = {}
        """A layer by its identity, and its info: made once for all copies."""
        self._conditions: dict[int, tuple[Located, Condition]] = {}
        """The same for its `when`."""
        self.constants: dict[str, dict[str, Value]] = {}
        """Block -> the defaults of its parameters that read nothing: one for all instances."""

    @cached_property
    def norms(self) -> Mapping[str, Op]:
        """Word -> the norm that follows a convolution: the network's default, or the usual."""
        return default_norms(self.defaults, self.report)

    def condition(self, where: Layer | Branch) -> Condition:
        """Return the condition of a layer or a branch, for what is said where it leaves it out."""
        known = self._conditions.get(id(where))
        if known is None:
            when = where.when if isinstance(where, Branch) else where.common.when
            known = where, Condition(text_of(when), where.span("when"))
            self._conditions[id(where)] = known
        return known[1]

    def declare(self, layer: Layer, scope: Scope) -> str:
        """Give a layer its local name; a name that stands twice is reported."""
        node = layer._node
        assert node is not None
        name: str | None
        if isinstance(layer, BrokenLayer):
            written = layer.name or node_name(node)
            name = layer.name or scope.automatic(written or "broken")
            if not written:
                self.stand_ins.add(scope.prefix + name)
        else:
            principal = node.get(layer.op) if isinstance(node, YamlMapping) else None
            name = layer.name or automatic_name(layer.op, principal)
        if name is None:
            name = scope.automatic(layer.op)
            is_automatic = not layer.is_copied
            scope.names[name] = Named(scope.prefix + name, layer.span(), is_automatic)
            return name
        if layer.name is None and layer.op not in ("block", "broken"):
            name = scope.automatic(name)
        span = layer.span("name") if layer.name else layer.span()
        name = self.free(name, span, scope, layer.name is None)
        scope.names[name] = Named(scope.prefix + name, span, layer.name is None)
        return name

    def free(self, name: str, span: Span, scope: Scope, is_automatic: bool) -> str:
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
        stand_in = scope.automatic(name)
        self.stand_ins.add(scope.prefix + stand_in)
        return stand_in

    def values(self, layer: Layer, scope: Scope, entering: Callable[[], str]) -> LayerValues:
        """Return the reader of a layer's formulas; `entering` gives what `prev` means."""
        lookup = Lookup(scope, self.builder.shapes, entering)
        values = LayerValues(layer, f"`{layer.op}`", lookup, self.report, self.defaults)
        return self._in_scope(values, scope, lookup)

    def reader(
        self, where: Located, what: str, scope: Scope, entering: Callable[[], str]
    ) -> Values:
        """Return the reader of the formulas of anything that stands in a scope."""
        lookup = Lookup(scope, self.builder.shapes, entering)
        return self._in_scope(Values(where, what, lookup, self.report), scope, lookup)

    def _in_scope(self, values: V, scope: Scope, lookup: Lookup) -> V:
        values.is_inside = scope.frame.params is not self.defaults.params
        values.bind, values.decisions = lookup.bind, scope.frame.decisions
        values.usual = scope.frame.defaults
        return values

    def report_layer(self, layer: Layer, code: str, message: str, help: str, key: str = "") -> None:
        """Report a fault at a key of a layer, or at the layer itself."""
        span = layer.span(key) if key else layer.span()
        self.report.add(Diagnostic(code, message, span, help=help))

    def refuse_all_too_large(self, layers: list[Layer]) -> None:
        """Refuse a list of layers that come to too many operations, at the first that does.

        Raises:
            CompileError: `too-large`, with all findings so far.
        """
        total = 0
        for layer in layers:
            total += self.sizes.of_copies(layer)
            copies = copies_of(layer)
            self.refuse_too_large(layer, total, copies or 1)

    def refuse_too_large(self, layer: Layer, size: int, copies: int = 1) -> None:
        """Refuse a layer of at least `size` operations if there is no room, before any is made.

        Raises:
            CompileError: `too-large`, with all findings so far.
        """
        room = self.report.budget.remaining("operations")
        if size <= room:
            return
        most = limit("operations")
        what, key = (f"`repeat: {copies}`", "repeat") if copies > 1 else ("this layer", "")
        if copies > 1 and layer.common.loop is not None:
            what, key = f"`for` with {copies:,} copies", "for"
        help = "lower the `repeat`, here or inside"
        if copies == 1:
            help = "blocks of blocks multiply: write fewer levels of them"
        self.report_layer(
            layer,
            "too-large",
            f"{what} makes {most - room + size:,} operations or more, {most:,} at most",
            f"{help}; {way_out('operations')}",
            key,
        )
        raise CompileError(self.report.diagnostics)

    def info(self, layer: Layer) -> Info:
        """Return what a layer says besides its computation."""
        known = self._infos.get(id(layer))
        if known is None:
            known = self._infos[id(layer)] = (layer, self._info(layer))
        return known[1]

    def _info(self, layer: Layer) -> Info:
        return Info(
            span=layer.span(),
            title=layer.common.title,
            label=layer.common.label,
            cite=cite(layer.common.cite),
            errata=self.errata(layer, layer.common.errata),
            drawn=layer.common.drawn,
            size=layer.common.size,
            doc=layer.common.doc,
            when=text_of(layer.common.when),
            repeat=text_of(layer.common.repeat) if isinstance(layer.common.repeat, Expr) else "",
            written=written(layer),
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
                        f"no erratum `{name}` is recorded",
                        where.word_span("errata", name),
                        help="import the file that records it, such as errata.yaml",
                    ),
                    guessing(name, self.spec.errata),
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


def text_of(written: object) -> str:
    """Return a value as the spec writes it; "" for one that it does not write."""
    if written is None:
        return ""
    return written.text if isinstance(written, Expr) else str(written).lower()


def cite(spec: CiteSpec | None) -> Cite | None:
    """Return a citation."""
    return Cite(spec.figure, spec.table, spec.section, spec.code) if spec else None


def drawing(spec: DrawingSpec | None) -> Drawing:
    """Return drawing hints."""
    return Drawing(spec.input, spec.sizes) if spec else Drawing()


def written(where: Located) -> YamlMapping | None:
    """Return the YAML that a model was read from; None where that is a word alone."""
    return where._node if isinstance(where._node, YamlMapping) else None
