"""Where sizes, attributes and parameters of a graph come from, each found once."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.errors import Span
from compiler.facts.labels import label_of
from compiler.facts.why.letters import OUTPUT, WIDTHS, Lettered, Meaning, Size, in_letters
from compiler.facts.why.step import Known, Step, Term, shown
from compiler.graph import Cite, Graph, Input, Node, Region, Traced, letter
from compiler.text import Mapping, Scalar, node_at

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
            span = _place(node.info.written, "size", node.info.span)
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
        label = self.beside(node, source) if len(node.inputs) > 1 else ""
        if depth >= MOST:
            value = self.graph.nodes[source].shape[meaning.axis]
            return Term(label, Step(source, value, said="further back", span=node.info.span))
        step = self.size(source, meaning.axis, depth + 1)
        return Term(_name_in(step) or label, step)

    def beside(self, node: Node, source: str) -> str:
        """Return what a node's reader calls an operand: its branch, or the layer it is in."""
        around = set(self.graph.around[node.name])
        own = [name for name in self.graph.around[source] if name not in around]
        scope = node.name.rpartition(".")[0]
        branches = [n for n in own if self.graph.regions[n].kind == "branch"]
        outer = branches[-1] if branches else own[-1] if own else source
        ends = [n for n in branches if self.graph.regions[n].output == source]
        name = ends[-1] if ends else outer
        return name.removeprefix(f"{scope}.")

    # -- attributes and parameters ---------------------------------------------------------------

    def attribute(self, node: Node, name: str, depth: int = 0) -> Step:
        """Return where an attribute of an operation comes from."""
        value: Known = getattr(node.op, name)
        key, written = _key(node, name), node.info.written
        what = f"{key} of {self.layer(node)}"
        traced = node.traced.get(name) or node.traced.get(key)
        own = _at(written, key)
        if traced is not None and (traced.formula or traced.text):
            frame = self.frame(node.name) if own else self.graph.regions[""]
            return self._traced(what, value, traced, frame, self.cite(node), depth)
        if own:
            return Step(what, value, said=f"{key}: {own.text}", cite=self.cite(node), span=own.span)
        op = next(iter(written.entries), "") if written else ""
        default = _at(self.graph.regions[""].info.written, "defaults", op, key)
        if default:
            said, cite = f"{key}: {default.text}, of the defaults", ""
            return Step(what, value, said=said, cite=cite, span=default.span)
        return Step(what, value, said=f"{key} is not written", span=node.info.span)

    def parameter(self, region: Region, name: str, depth: int = 0) -> Step:
        """Return where the value of a parameter of a block, or of the network, comes from."""
        if region.kind == "network":
            return self._network_parameter(name)
        value = region.arguments[name]
        definition = self.graph.definitions[region.definition or ""]
        param = next(p for p in definition.params if p.name == name)
        doc = f" ({param.doc})" if param.doc else ""
        what, traced = f"{name} of {region.name}", region.traced.get(name)
        cite = _cited(region.info.cite)
        if traced is not None and (traced.formula or traced.text):
            frame = self.frame(region.parent or "")
            return self._traced(what, value, traced, frame, cite, depth)
        given = _at(region.info.written, "with", name)
        if given is not None:
            said = f"{name}: {given.text}{doc}"
            return Step(what, value, said=said, cite=cite, span=given.span)
        default = _at(definition.info.written, "params", name, "default")
        default = default or _at(definition.info.written, "params", name)
        said = f"{name}: {default.text if default else shown(value)}, the default{doc}"
        cite = _cited(param.cite or definition.info.cite)
        return Step(what, value, said=said, cite=cite, span=default.span if default else param.span)

    def _network_parameter(self, name: str) -> Step:
        value = self.graph.arguments[name]
        param = next(p for p in self.graph.params if p.name == name)
        doc = f" ({param.doc})" if param.doc else ""
        if value != param.default and isinstance(param.default, int):
            return Step(name, value, said=f"--set {name}={shown(value)}{doc}")
        said = f"{name}: {shown(value)}{doc}"
        return Step(name, value, said=said, cite=_cited(param.cite), span=param.span)

    def _traced(
        self, what: str, value: Known, traced: Traced, frame: Region, cite: str, depth: int
    ) -> Step:
        """Return a value that is written as a formula, with the names that it reads."""
        formula = traced.formula
        terms: list[Term] = []
        for name in formula.names if formula is not None and depth < MOST else ():
            head, _, size = name.rpartition(".")
            if formula is not None and name in formula.sizes:
                step = self.size(formula.sizes[name], AXES.index(size), depth + 1)
                terms.append(Term(name, step))
            elif name in frame.arguments or (not head and self._is_network(frame, name)):
                terms.append(Term(name, self.parameter(frame, name, depth + 1)))
        text = traced.text or (formula.text if formula else "")
        return Step(what, value, text, "", cite, traced.span, tuple(terms))

    def _is_network(self, frame: Region, name: str) -> bool:
        return frame.kind == "network" and name in self.graph.arguments

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
        return _cited(definition.info.cite if definition else self.graph.info.cite)

    def members(self, region: str) -> Iterator[str]:
        """Yield the members of a region; those of one that adds no name are its own."""
        for name in self.graph.regions[region].members:
            inner = self.graph.regions.get(name)
            if inner is not None and inner.transparent and inner.kind != "layer":
                yield from self.members(name)
            else:
                yield name


def _key(node: Node, attribute: str) -> str:
    """Return the key of a layer that says an attribute: its own, that of the width, or the op's."""
    if attribute in WIDTHS:
        return node.op.width_key
    written = node.info.written
    if attribute == "kernel_size" and written:
        return next(iter(written.entries))
    return attribute


def _at(written: Mapping | None, *steps: str) -> Scalar | None:
    """Return the plain value at the end of a path, None where there is none."""
    node: object = written
    for step in steps:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node if isinstance(node, Scalar) else None


def _place(written: Mapping | None, key: str, otherwise: Span) -> Span:
    return node_at(written, (key,)).span if written and key in written.entries else otherwise


def _cited(cite: Cite | None) -> str:
    return str(cite) if cite else ""


def _name_in(step: Step) -> str:
    """Return `n, Table 1` for a value that is a parameter's; nothing for others."""
    if len(step.terms) != 1 or step.formula != step.terms[0].label:
        return ""
    term = step.terms[0]
    return ", ".join(filter(None, (term.label, term.step.cite)))
