"""Graph -> its numbers as formulas: blocks as frames with names of their own, copies folded.

A frame is the network, an instance of a block, or a copy of a repeated layer. What is written of
one speaks of its tensors by the rest of their names, and of those outside by number, so that equal
frames are written once. In JSON:

    body    {whole, names, members, checks, asserts}
    member  [NAME, OP, [REF], [ATTRIBUTE], {share, also}]    an operation
            [NAME, null, [SIZE]]                             an input; a size that is open is null
            [NAME, [MEMBER]]                                 layers that the spec wrote as one thing
            [NAME, {body, reads, arguments}]                 an instance of a block
            [NAME, {count, was, enters, copies}]             a repeat; its last copy stands for more
    copy    [BODY, [REF], OUTPUT]
    REF     the rest of a name in this frame, the whole behind `/`, the number of a tensor outside,
            or -1 for what enters a copy
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from compiler.facts.copies import settled_from
from compiler.facts.numbers.arguments import Arguments
from compiler.facts.numbers.asserts import assertion_json
from compiler.facts.numbers.frame import Frame, Reading, Repeat, key, rest
from compiler.facts.numbers.operations import OFFSETS, Operations, least_of
from compiler.facts.numbers.terms import Json, value_json
from compiler.graph import (
    Decision,
    Graph,
    Input,
    Node,
    Parameter,
    Region,
    Traced,
    formulas_of,
)
from compiler.ops import Scale
from compiler.spec import AssertSpec, Spec
from compiler.text import Expr, Value, plain


class Frames:
    """Writes the frames of a graph."""

    def __init__(self, graph: Graph, spec: Spec) -> None:
        self.graph = graph
        self.spec = spec
        self.bodies: list[Json] = []
        self.live: set[tuple[str, str]] = set()
        """(node, attribute) that may change."""
        self.operations = Operations()
        self.reading = Reading(graph)
        self.arguments = Arguments(self.reading, spec)
        self._numbers: dict[str, int] = {}
        self._read_inside = frozenset(_read_inside(graph, spec))

    @property
    def repeats(self) -> dict[str, Repeat]:
        """The repeats whose copies are folded."""
        return self.reading.repeats

    def write(self) -> Json:
        """Return `{arguments, root, bodies, ops}`: `root` is the number of the network's body."""
        network = self.spec.network
        assert network is not None
        names = self.arguments.of_network()
        root = self._body(self.reading.root, self.graph.regions[""], names, network.assertions)
        arguments = {name: value_json(v) for name, v in self.graph.arguments.items()}
        ops = self.operations.written
        return {"arguments": arguments, "root": root, "bodies": self.bodies, "ops": ops}

    # -- frames ----------------------------------------------------------------------------------

    def _body(
        self,
        frame: Frame,
        region: Region,
        names: list[Json],
        assertions: Sequence[AssertSpec],
    ) -> int:
        """Write a frame with names of its own, and return its number."""
        reading = self.reading
        params = [p for p in params_of(self.graph, region) if p.type in ("channels", "int")]
        for name, decision in region.names.items():
            formula = reading.formula(frame, decision.formula, decision.value)
            names.append([name, formula])
            if reading.is_live(frame, formula):
                frame.live |= {name}
        members = [self._member(frame, name) for name in region.members]
        return self._number_of(
            whole={p.name: 1 if p.type == "channels" else -(10**7) for p in params},
            names=names,
            members=members,
            checks=reading.checks(frame, region.decisions),
            asserts=[
                assertion_json(a, self.graph, region, frame.names, lambda n: reading.ref(frame, n))
                for a in assertions
            ],
        )

    def _number_of(self, **parts: Json) -> int:
        body = {name: part for name, part in parts.items() if part}
        text = json.dumps(body)
        if text not in self._numbers:
            self._numbers[text] = len(self.bodies)
            self.bodies.append(body)
        return self._numbers[text]

    def _member(self, frame: Frame, name: str) -> Json:
        own = rest(name, frame.prefix)
        if name in self.graph.nodes:
            return self._node(frame, own, self.graph.nodes[name])
        region = self.graph.regions[name]
        if region.kind == "block":
            return [own, self._block(frame, region)]
        if region.kind == "repeat" and (written := self._repeat(frame, region)) is not None:
            return [own, written]
        return [own, [self._member(frame, member) for member in region.members]]

    def _block(self, outer: Frame, region: Region) -> Json:
        block = self.spec.blocks[str(region.definition)]
        arguments, frame, names = self.arguments.of_block(outer, region)
        body = self._body(frame, region, names, block.assertions)
        written = {"body": body, "reads": self._outside(outer, frame), "arguments": arguments}
        return {name: part for name, part in written.items() if part not in ([], {})}

    def _outside(self, outer: Frame, frame: Frame) -> list[Json]:
        return [self.reading.ref(outer, name) for name in frame.outside]

    def _repeat(self, outer: Frame, region: Region) -> Json | None:
        """Write a repeat with the copies that differ, and one for the rest; None where none is."""
        decisions = self.reading.block_around(outer).decisions
        settled = settled_from(self.graph, region.members, decisions)
        if settled is None or self._count_said(outer, region) != len(region.members):
            return None
        restore = self._state(outer)
        count = len(region.members)
        copies = [self._copy(outer, region, at) for at in range(count)]
        alike = next((at for at in range(count) if len(_unlike(copies[at:])) == 1), count)
        kept = max(settled, alike) + 1
        if kept > count:
            restore()
            return None
        formula, written = formulas_of(region.traced).get("repeat"), count
        if formula is not None:
            written = self.reading.formula(outer, formula, count)
            outer.said[key(Decision(formula, count))] += 1
        is_fixed = region.name in self._read_inside
        self.repeats[region.name] = Repeat(region.name, count, kept, is_fixed)
        enters = self.reading.ref(outer, region.inputs[0])
        said = {"count": written, "was": count, "enters": enters, "copies": copies[:kept]}
        return {**said, "fixed": 1} if is_fixed else said

    def _count_said(self, outer: Frame, region: Region) -> Value:
        """Return how many copies the spec says, None for a loop, or where some are not there."""
        written, formula = region.info.written, formulas_of(region.traced).get("repeat")
        if any(rest(name, region.name) != f".{at}" for at, name in enumerate(region.members)):
            return None
        if formula is not None:
            return self.reading.value(outer, formula)
        node = None if written is None else written.get("repeat")
        count: Value = None if node is None else plain(node)
        return count

    def _state(self, outer: Frame) -> Callable[[], None]:
        """Return what takes back that copies are written: they have to be written otherwise."""
        root, repeats, live = self.reading.root, dict(self.repeats), set(self.live)
        said = Counter(root.said), Counter(outer.said)
        outside, bodies, numbers = list(outer.outside), len(self.bodies), dict(self._numbers)

        def restore() -> None:
            self.reading.repeats, self.live, self._numbers = repeats, live, numbers
            root.said, outer.said = said
            outer.outside = outside
            del self.bodies[bodies:]

        return restore

    def _copy(self, outer: Frame, region: Region, at: int) -> Json:
        name = region.members[at]
        before = region.members[at - 1]
        entering = region.inputs[0] if at == 0 else self.graph.tensor(before).name
        frame = Frame(name, name, outer.names, outer.live, entering)
        members = [self._member(frame, name)]
        body = self._number_of(members=members, checks=self.reading.checks(frame, ()))
        outer.said += frame.said
        out = self.reading.ref(frame, self.graph.tensor(name).name)
        return [body, self._outside(outer, frame), out]

    # -- nodes -----------------------------------------------------------------------------------

    def _node(self, frame: Frame, own: str, node: Node) -> Json:
        if isinstance(node.op, Input):
            return [own, None, self._sizes(node)]
        reading = self.reading
        more: dict[str, Json] = {}
        formulas = _formulas(node)
        ranks = tuple(len(shape) for shape in self.graph.input_shapes(node))
        number, names = self.operations.number_of(node.op, ranks, formulas)
        written = {name: self._attribute(frame, node, f) for name, f in formulas.items()}
        live = [name for name, formula in written.items() if reading.is_live(frame, formula)]
        self.live |= {(node.name, name) for name in live}
        known = node.op.attributes()
        attributes = [
            written.get(name, known[name] if known[name] or not least_of(name) else None)
            for name in names
        ]
        if also := {n: written[n] for n in live if isinstance(known.get(n, 0.0), float)}:
            more["also"] = also
        frame.fixed += self._fixed(frame, node, {n: written[n] for n in live}, names)
        if node.share:
            more["share"] = reading.owner(frame, node.share)
        if node.is_stated or None in node.shape:
            more["stated"] = [d if isinstance(d, int) else None for d in node.shape]
        row: list[Json] = [own, number, [reading.ref(frame, name) for name in node.inputs]]
        return [*row, *([attributes, more] if more else [attributes] if attributes else [])]

    def _attribute(self, frame: Frame, node: Node, formula: Expr | None) -> Json:
        if formula is None:  # as many as come in
            return ["#", self.reading.ref(frame, node.inputs[0]), 0]
        return self.reading.formula(frame, formula, self.reading.value(frame, formula))

    def _fixed(
        self, frame: Frame, node: Node, live: dict[str, Json], opened: Sequence[str]
    ) -> Iterator[Json]:
        """Yield what has to stay as it is of attributes that may change."""
        known, formulas = node.op.attributes(), formulas_of(node.traced)
        for name, written in live.items():
            if name in OFFSETS:
                yield [["<", written, 0], False, "an offset below 0"]
            if name in opened or isinstance(node.op, Scale):  # a factor may be any number
                continue
            value = self.reading.value(frame, formulas[name])
            if isinstance(known.get(name, 0.0), float):
                yield [_is_part(written, value), True, name]
            else:
                yield [written, value_json(value), formulas[name].text]

    def _sizes(self, node: Node) -> list[Json]:
        """Return the sizes of an input: a number, the parameter that gives it, or None if open."""
        network = self.spec.network
        assert network is not None
        out: list[Json] = []
        for written, size in zip_longest(network.input[node.name], node.shape):
            if isinstance(written, str) and self.graph.arguments.get(written) == size is not None:
                self.reading.root.said[written, repr(size)] += 1
                out.append(written)
            else:
                out.append(size if isinstance(size, int) else None)
        return out


def _formulas(node: Node) -> dict[str, Expr | None]:
    """Return attribute -> formula; None for groups that are as many as the channels."""
    is_depthwise = node.traced.get("groups") == Traced("depthwise")
    return {**formulas_of(node.traced), **({"groups": None} if is_depthwise else {})}


def params_of(graph: Graph, region: Region) -> tuple[Parameter, ...]:
    """Return the parameters that a block, or the network, declares."""
    definition = graph.definitions.get(region.definition or "")
    return definition.params if definition else graph.params


def _is_part(formula: Json, value: Value) -> Json:
    """Return whether a number is what it was, or between 0 and 1, as rates are."""
    is_part = ["if", ["<", 0, formula], ["<", formula, 1], False]
    return ["if", ["==", formula, value_json(value)], True, is_part]


def _unlike(copies: Sequence[Json]) -> set[str]:
    return {json.dumps(copy) for copy in copies}


def _read_inside(graph: Graph, spec: Spec) -> Iterator[str]:
    """Yield the repeats of which a copy is read from outside, by its number perhaps."""
    repeats = {n: r for n, r in graph.regions.items() if r.kind == "repeat"}
    mentioned = set(re.findall(r"\b(\w+)\.\d+\b", "\n".join(spec.texts.values())))
    yield from (name for name, region in repeats.items() if region.local_name in mentioned)
    for reader, name in _reads(graph):
        inside = set(graph.around[reader]) if reader else set()
        for region in set(graph.around[name]) - inside:
            if region in repeats and repeats[region].output != name:
                yield region


def _reads(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield (reader, node), the reader empty for the network's outputs."""
    for node in graph.nodes.values():
        sizes = [s for f in formulas_of(node.traced).values() for s in f.sizes.values()]
        for name in (*node.inputs, *sizes, *([node.share] if node.share else [])):
            if name in graph.nodes:
                yield node.name, name
    for output in graph.outputs:
        yield "", output.node
