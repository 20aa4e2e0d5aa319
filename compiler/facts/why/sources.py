"""Where sizes, attributes and parameters of a graph come from, each found once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from compiler.facts.labels import label_of
from compiler.facts.why.around import (
    Place,
    beside,
    cited,
    key_of,
    names_in,
    place_of,
    scalar_at,
    values_of,
)
from compiler.facts.why.letters import OUTPUT, Lettered, Meaning, Size, in_letters
from compiler.facts.why.step import Known, Step, Term, shown
from compiler.graph import Graph, Input, Node, Region, Traced, letter
from compiler.spec.model import op_of
from compiler.text import (
    ExprError,
    Mapping,
    Scalar,
    Unknown,
    evaluate,
    node_at,
    parse,
)
from compiler.text import Node as YamlNode

AXES = ("channels", "height", "width")
MOST = 40
"""Steps behind one another; deeper is said to be cut off."""


class Sources:
    """Finds where the values of one graph come from."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[tuple[str, int], Step] = {}

    # -- sizes -----------------------------------------------------------------------------------

    def size(self, name: str, axis: int, depth: int = 0) -> Step:
        """Return where a size of a tensor comes from, looking past what passes it on."""
        node = self.graph.nodes[name]
        found = self._in_letters(node, axis)
        while isinstance(found.only, Size):
            node, axis = self.graph.nodes[node.inputs[found.only.operand]], found.only.axis
            found = self._in_letters(node, axis)
        key = node.name, axis
        if key not in self.known:
            self.known[key] = (
                self.attribute(node, found.only, depth)
                if isinstance(found.only, str)
                else self._size(node, axis, found, depth)
            )
        return self.known[key]

    def _in_letters(self, node: Node, axis: int) -> Lettered:
        if node.is_stated:
            return Lettered(node.shape[axis], {})
        if node.op.keeps_shape:  # it may need numbers to say so
            return Lettered(letter("_"), {"_": Size(0, axis)})
        found = in_letters(self.graph, node, lambda op, inputs, _: op.infer_shape(*inputs)[axis])
        if found.formula is None:  # the operands do not fit: what is known all the same
            known = in_letters(
                self.graph, node, lambda op, inputs, _: op.known_shape(*inputs)[axis]
            )
            return known if known.formula == node.shape[axis] or known.meaning else found
        return found

    def _size(self, node: Node, axis: int, found: Lettered, depth: int) -> Step:
        what, value = f"{AXES[axis]} of {node.name}", node.shape[axis]
        if isinstance(node.op, Input):
            return Step(what, value, said="the input", span=node.info.span)
        if node.is_stated:
            span = place_of(node.info.written, "size", node.info.span)
            return Step(what, value, said="stated, for an error made it unknown", span=span)
        formula, terms = self.formula(node, found, depth)
        if not terms:
            formula = ""
        return Step(
            what,
            value,
            formula,
            self.words(self.layer(node)),
            self.cite(node),
            node.info.span,
            terms,
        )

    def formula(self, node: Node, found: Lettered, depth: int) -> tuple[str, tuple[Term, ...]]:
        """Return a formula of a node in numbers with labels, and its terms."""
        terms: dict[Meaning, Term] = {}

        def show(meaning: Meaning) -> str:
            if meaning not in terms:
                terms[meaning] = self._term(node, meaning, depth)
            term = terms[meaning]
            return shown(term.step.value) + (f" ({term.label})" if term.label else "")

        return found.text(show), tuple(terms.values())

    def _term(self, node: Node, meaning: Meaning, depth: int) -> Term:
        if isinstance(meaning, str):
            step = self.attribute(node, meaning, depth + 1)
            return Term(_name_in(step), step)
        if meaning.operand == OUTPUT:
            size = Step(AXES[meaning.axis], node.shape[meaning.axis])
            return Term(AXES[meaning.axis], size)
        source = node.inputs[meaning.operand]
        label = beside(self.graph, node, source) if len(node.inputs) > 1 else ""
        if depth >= MOST:
            value = self.graph.nodes[source].shape[meaning.axis]
            return Term(label, Step(source, value, said="further back", span=node.info.span))
        step = self.size(source, meaning.axis, depth + 1)
        return Term(_name_in(step) or label, step)

    # -- attributes and parameters ---------------------------------------------------------------

    def attribute(self, node: Node, name: str, depth: int = 0) -> Step:
        """Return where an attribute of an operation comes from."""
        value: Known = getattr(node.op, name)
        key, written = key_of(node, name), node.info.written
        what = f"{key} of {self.layer(node)}"
        traced = node.traced.get(name) or node.traced.get(key)
        network, own = self.graph.regions[""], scalar_at(written, key)
        at = Place(self.frame(node.name) if own else network, node.name)
        if traced is not None and (traced.formula or traced.text):
            return self._traced(what, value, traced, at, self.cite(node), depth)
        if own:
            said = f"{key}: {own.text}"
            return self._written(what, value, own, said, at, self.cite(node), depth)
        op = op_of(written.entries) if written else ""
        default = scalar_at(network.info.written, "defaults", op, key)
        if default:
            said = f"{key}: {default.text}, of the defaults"
            return self._written(what, value, default, said, at, "", depth)
        return Step(what, value, said=f"{key} is not written", span=node.info.span)

    def parameter(self, region: Region, name: str, depth: int = 0) -> Step:
        """Return where a parameter of a block or the network comes from, or a name of its `let`."""
        if name in region.names:
            return self._named(region, name, depth)
        if region.kind == "network":
            return self._network_parameter(name)
        value, network = region.arguments[name], self.graph.regions[""]
        definition = self.graph.definitions[region.definition or ""]
        param = next(p for p in definition.params if p.name == name)
        doc = f" ({param.doc})" if param.doc else ""
        what, traced = f"{name} of {region.name}", region.traced.get(name)
        cite, at = cited(region.info.cite), Place(self.frame(region.parent or ""), region.name)
        given = scalar_at(region.info.written, "with", name)
        if given is None and (looped := self._variable(at, name, depth)):
            return replace(looped, value=value)
        if traced is not None and (traced.formula or traced.text):
            return self._traced(what, value, traced, at, cite, depth)
        if given is not None:
            return self._written(what, value, given, f"{name}: {given.text}{doc}", at, cite, depth)
        usual = scalar_at(network.info.written, "defaults", "block", "with", name)
        if usual is not None:
            said, at = f"{name}: {usual.text}, of the defaults{doc}", Place(network, "")
            return self._written(what, value, usual, said, at, "", depth)
        default = scalar_at(definition.info.written, "params", name, "default")
        default = default or scalar_at(definition.info.written, "params", name)
        said = f"{name}: {default.text if default else shown(value)}, the default{doc}"
        cite = cited(param.cite or definition.info.cite)
        return Step(what, value, said=said, cite=cite, span=default.span if default else param.span)

    def _network_parameter(self, name: str) -> Step:
        value = self.graph.arguments[name]
        param = next(p for p in self.graph.params if p.name == name)
        doc = f" ({param.doc})" if param.doc else ""
        if value != param.default and isinstance(param.default, int):
            return Step(name, value, said=f"--set {name}={shown(value)}{doc}")
        said = f"{name}: {shown(value)}{doc}"
        return Step(name, value, said=said, cite=cited(param.cite), span=param.span)

    def _named(self, frame: Region, name: str, depth: int) -> Step:
        """Return where the value of a name of a `let` comes from."""
        decision, definition = frame.names[name], self.graph.definitions.get(frame.definition or "")
        written = (definition or frame).info.written
        span = node_at(written, ("let", name)).span if written else frame.info.span
        what = f"{name} of {frame.name}" if frame.name else name
        formula, at = decision.formula, Place(frame, frame.name)
        if formula.names:
            traced = Traced(formula.text, formula, span)
            return self._traced(what, decision.value, traced, at, "", depth)
        return Step(what, decision.value, said=f"{name}: {formula.text}", span=span)

    def _variable(self, at: Place, name: str, depth: int) -> Step | None:
        """Return where `index`, or what a `for` goes over, has its value in the copy at hand."""
        inner = at.name
        while inner not in ("", at.frame.name):
            outer = self.graph.regions[self.graph.parents[inner]]
            if outer.kind == "repeat":
                index = int(inner.rpartition(".")[2])
                if name == "index":
                    said = f"copy {index} of {outer.name}, counted from 0"
                    return Step(name, index, said=said, span=outer.info.span)
                loop = outer.info.written.get("for") if outer.info.written else None
                if isinstance(loop, Mapping) and name in loop.entries:
                    place = Place(at.frame, outer.name)
                    return self._looped(place, name, loop.entries[name].node, index, depth)
            inner = outer.name
        return None

    def _looped(self, at: Place, name: str, series: YamlNode, index: int, depth: int) -> Step:
        """Return where a variable of a `for` has its value in one copy."""
        entry = node_at(series, (index,))
        text = entry.text if isinstance(entry, Scalar) else ""
        if entry is series:  # a formula of a list
            text = f"{text}[{index}]" if text.isidentifier() else f"({text})[{index}]"
        value: Known = None
        with suppress(ExprError, Unknown):
            value = evaluate(parse(text), lambda n: values_of(self.graph, at.frame)[n])
        said, written = f"{name}: {text}", Traced(text, None, entry.span)
        return self._written(f"{name} of {at.name}.{index}", value, written, said, at, "", depth)

    def _written(
        self,
        what: str,
        value: Known,
        written: Scalar | Traced,
        said: str,
        at: Place,
        cite: str,
        depth: int,
    ) -> Step:
        """Return a value that the graph has no formula of: a word, or the name of one."""
        step = self._traced(what, value, Traced(written.text, None, written.span), at, cite, depth)
        return step if step.terms else replace(step, formula="", said=said)

    def _traced(
        self, what: str, value: Known, traced: Traced, at: Place, cite: str, depth: int
    ) -> Step:
        """Return a value that is written as a formula, with the names that it reads."""
        formula = traced.formula
        text = traced.text or (formula.text if formula else "")
        terms: list[Term] = []
        for name in names_in(formula.text if formula else text) if depth < MOST else ():
            if formula is not None and name in formula.sizes:
                axis = AXES.index(name.rpartition(".")[2])
                terms.append(Term(name, self.size(formula.sizes[name], axis, depth + 1)))
            elif name in values_of(self.graph, at.frame):
                terms.append(Term(name, self.parameter(at.frame, name, depth + 1)))
            elif step := self._variable(at, name, depth + 1):
                terms.append(Term(name, step))
        return Step(what, value, text, "", cite, traced.span, tuple(terms))

    # -- the spec around a node ------------------------------------------------------------------

    def frame(self, name: str) -> Region:
        """Return the block around a node or a region, itself too, whose parameters hold there."""
        while name:
            region = self.graph.regions.get(name)
            if region is not None and region.kind == "block":
                return region
            name = self.graph.parents[name]
        return self.graph.regions[""]

    def layer(self, node: Node) -> str:
        """Return the name of the layer that a node is of."""
        parent = self.graph.parents[node.name]
        return parent if self.graph.regions[parent].kind == "layer" else node.name

    def words(self, name: str) -> str:
        """Return the words of the box of a layer or region, and its name."""
        label = label_of(self.graph, name)
        return name if label == name.rpartition(".")[2] else f"{label}, {name}"

    def cite(self, node: Node) -> str:
        """Return where what a layer says is printed: as it says itself, or its block."""
        if node.info.cite:
            return str(node.info.cite)
        region = self.frame(node.name)
        definition = self.graph.definitions.get(region.definition or "")
        return cited(definition.info.cite if definition else self.graph.info.cite)

    def members(self, region: str) -> Iterator[str]:
        """Yield the members of a region; those of one that adds no name are its own."""
        for name in self.graph.regions[region].members:
            inner = self.graph.regions.get(name)
            if inner is not None and inner.transparent and inner.kind != "layer":
                yield from self.members(name)
            else:
                yield name


def _name_in(step: Step) -> str:
    """Return `n, Table 1` for a value that is a parameter's; nothing for others."""
    if len(step.terms) != 1 or step.formula != step.terms[0].label:
        return ""
    term = step.terms[0]
    return ", ".join(filter(None, (term.label, term.step.cite)))
