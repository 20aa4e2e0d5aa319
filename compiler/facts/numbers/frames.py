"""Graph -> its numbers as formulas: blocks as frames with names of their own, copies folded.

A frame is the network, an instance of a block, or a copy of a repeated layer. What is written of
one speaks of its tensors by the rest of their names, and of those outside by number, so that equal
frames are written once. In JSON:

    body    {names, checks, asserts, members}
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
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from pydantic_core import PydanticCustomError

from compiler.errors import Report
from compiler.facts.copies import settled_from
from compiler.facts.numbers.asserts import assertion_json
from compiler.facts.numbers.operations import OFFSETS, TracedOp, key_of, least_of, whole_numbers
from compiler.facts.numbers.terms import AXES, Json, formula_json, value_json
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
from compiler.lower.defaults import layer_defaults
from compiler.ops import Scale, with_words
from compiler.spec import READERS, AssertSpec, BlockLayer, BrokenParam, ParamSpec, Spec
from compiler.text import Expr, ExprError, Unknown, Value, evaluate

LIVE = ("channels", "int", "number")
"""Types of parameters whose values the formulas follow."""
ENTERS = -1
"""Stands for the tensor that enters a copy."""


@dataclass
class Frame:
    """The network, an instance of a block, or a copy of a repeated layer, while it is written."""

    region: str
    """The region, or the node that is a copy."""
    prefix: str
    names: frozenset[str]
    live: frozenset[str]
    """The names whose values may change."""
    entering: str | None = None
    fixed: list[Json] = field(default_factory=list)
    """What attributes that are no whole numbers come to."""
    outside: list[str] = field(default_factory=list)
    """The tensors that it reads from outside."""
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """What was decided in it that something else says already: not to be checked again."""


@dataclass(frozen=True)
class Repeat:
    """A repeated layer whose copies are folded."""

    region: str
    count: int
    kept: int
    """The copies that are written; the last of them stands for those behind it."""
    is_fixed: bool
    """Another count is another network: a copy is read from outside."""


class Frames:
    """Writes the frames of a graph."""

    def __init__(self, graph: Graph, spec: Spec) -> None:
        self.graph = graph
        self.spec = spec
        self.bodies: list[Json] = []
        self.ops: list[Json] = []
        self.repeats: dict[str, Repeat] = {}
        self.live: set[tuple[str, str]] = set()
        """(node, attribute) that may change."""
        self._known: dict[str, int] = {}
        self._ops: dict[Any, int] = {}
        self._read_inside = frozenset(_read_inside(graph, spec))
        network = spec.network
        assert network is not None
        usual = layer_defaults(network, Report()).get("block")
        self._usual = usual.arguments if isinstance(usual, BlockLayer) else {}
        live = frozenset(p.name for p in graph.params if p.type in LIVE)
        root = graph.regions[""]
        self.root = Frame("", "", frozenset((*graph.arguments, *root.names)), live)

    def write(self) -> Json:
        """Return all frames; `root` is the network's."""
        network = self.spec.network
        assert network is not None
        names = [
            [name, formula]
            for name, param in network.params.items()
            if (formula := self._default(self.root, param, self.graph.arguments[name])) is not None
        ]
        root = self._body(self.root, self.graph.regions[""], names, network.assertions)
        arguments = {name: value_json(v) for name, v in self.graph.arguments.items()}
        return {"arguments": arguments, "root": root, "bodies": self.bodies, "ops": self.ops}

    # -- frames ----------------------------------------------------------------------------------

    def _body(
        self,
        frame: Frame,
        region: Region,
        names: list[Json],
        assertions: Sequence[AssertSpec],
    ) -> int:
        """Write a frame with names of its own, and return its number."""
        params = [p for p in params_of(self.graph, region) if p.type in ("channels", "int")]
        for name, decision in region.names.items():
            formula = self._formula(frame, decision.formula, decision.value)
            names.append([name, formula])
            if self._is_live(frame, formula):
                frame.live |= {name}
        members = [self._member(frame, name) for name in region.members]
        body = {
            "whole": {p.name: 1 if p.type == "channels" else -(10**7) for p in params},
            "names": names,
            "members": members,
            "checks": self._checks(frame, region.decisions),
            "asserts": [
                assertion_json(a, self.graph, region, frame.names, lambda n: self._ref(frame, n))
                for a in assertions
            ],
        }
        return self._number_of({key: value for key, value in body.items() if value})

    def _number_of(self, body: Json) -> int:
        text = json.dumps(body)
        if text not in self._known:
            self._known[text] = len(self.bodies)
            self.bodies.append(body)
        return self._known[text]

    def _member(self, frame: Frame, name: str) -> Json:
        own = _rest(name, frame.prefix)
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
        arguments = {name: self._argument(outer, region, name) for name in region.arguments}
        live = frozenset(n for n, a in arguments.items() if self._is_live(outer, a))
        names = frozenset((*region.arguments, *region.names))
        frame = Frame(region.name, region.name, names, live)
        own: list[Json] = []
        for name, param in block.params.items():
            if name in arguments and not self._is_given(region, name):
                formula = self._default(frame, param, region.arguments[name], region)
                if formula is not None:
                    own.append([name, formula])
                    del arguments[name]
                    if self._is_live(frame, formula):
                        frame.live |= {name}
        body = self._body(frame, region, own, block.assertions)
        written = {"body": body, "reads": self._outside(outer, frame), "arguments": arguments}
        return {key: value for key, value in written.items() if value not in ([], {})}

    def _outside(self, outer: Frame, frame: Frame) -> list[Json]:
        return [self._ref(outer, name) for name in frame.outside]

    def _repeat(self, outer: Frame, region: Region) -> Json | None:
        """Write a repeat with the copies that differ, and one for the rest; None where none is."""
        kept = settled_from(self.graph, region, self._block_around(outer).decisions)
        if "for" in (region.info.written.entries if region.info.written else ()) or kept is None:
            return None
        before = self._state(outer)
        count = len(region.members)
        copies = [self._copy(outer, region, at) for at in range(count)]
        kept = max(kept, next((i for i in range(count) if len(_unlike(copies[i:])) == 1), count))
        if kept >= count:
            self.repeats, self.live, self.root.decisions, outer.decisions, outer.outside = before
            return None
        formula = formulas_of(region.traced).get("repeat")
        written: Json = count
        if formula is not None:
            written = self._formula(outer, formula, count)
            outer.decisions[_key(Decision(formula, count))] += 1
        is_fixed = region.name in self._read_inside
        self.repeats[region.name] = Repeat(region.name, count, kept + 1, is_fixed)
        enters = self._ref(outer, region.inputs[0])
        said = {"count": written, "was": count, "enters": enters, "copies": copies[: kept + 1]}
        return {**said, "fixed": 1} if is_fixed else said

    def _state(self, outer: Frame) -> Any:
        """Return what writing copies changes, should they have to be written otherwise."""
        return (
            dict(self.repeats),
            set(self.live),
            Counter(self.root.decisions),
            Counter(outer.decisions),
            list(outer.outside),
        )

    def _copy(self, outer: Frame, region: Region, at: int) -> Json:
        name = region.members[at]
        before = region.members[at - 1]
        entering = region.inputs[0] if at == 0 else self.graph.tensor(before).name
        frame = Frame(name, name, outer.names, outer.live, entering)
        body = self._number_of({"members": [self._member(frame, name)]})
        outer.decisions += frame.decisions
        outer.fixed += frame.fixed
        out = self._ref(frame, self.graph.tensor(name).name)
        return [body, self._outside(outer, frame), out]

    def _block_around(self, frame: Frame) -> Region:
        """Return the block, or the network, whose names a frame has."""
        name: str | None = frame.region
        if frame.entering is not None:  # a copy has the names of what is around it
            name = self.graph.parents.get(frame.region)
        while name and (name not in self.graph.regions or self.graph.regions[name].kind != "block"):
            name = self.graph.parents.get(name)
        return self.graph.regions[name or ""]

    # -- nodes -----------------------------------------------------------------------------------

    def _node(self, frame: Frame, own: str, node: Node) -> Json:
        if isinstance(node.op, Input):
            return [own, None, self._sizes(node)]
        formulas: dict[str, Expr | None] = {**formulas_of(node.traced)}
        if node.traced.get("groups") == Traced("depthwise"):
            formulas["groups"] = None
        op, names = self._op(node, frozenset(formulas))
        written = {name: self._attribute(frame, node, f) for name, f in formulas.items()}
        live = [name for name, formula in written.items() if self._is_live(frame, formula)]
        self.live |= {(node.name, name) for name in live}
        own_values = node.op.attributes()
        known = {n: v if v or not least_of(n) else None for n, v in own_values.items()}
        attributes = [written.get(name, known[name]) for name in names]
        signs = [["<", written[name], 0] for name in live if name in OFFSETS]
        frame.fixed += [[sign, False, "an offset below 0"] for sign in signs]
        more: dict[str, Json] = {"share": self._owner(frame, node)} if node.share else {}
        for name in (n for n in live if n not in names):
            formula = formulas[name]
            assert formula is not None
            value = self._value(frame, formula)
            if isinstance(own_values.get(name, 0.0), float):
                more.setdefault("also", {})[name] = written[name]
                if not isinstance(node.op, Scale):  # others bound theirs
                    frame.fixed.append([_is_part(written[name], value), True, name])
            else:
                frame.fixed.append([written[name], value_json(value), formula.text])
        if node.is_stated or None in node.shape:
            more["stated"] = [d if isinstance(d, int) else None for d in node.shape]
        row: list[Json] = [own, op, [self._ref(frame, name) for name in node.inputs]]
        return [*row, *([attributes, more] if more else [attributes] if attributes else [])]

    def _attribute(self, frame: Frame, node: Node, formula: Expr | None) -> Json:
        if formula is None:  # as many as come in
            return ["#", self._ref(frame, node.inputs[0]), 0]
        return self._formula(frame, formula, self._value(frame, formula))

    def _value(self, frame: Frame, formula: Expr) -> Value:
        """Return what a formula comes to."""
        region = self._block_around(frame)
        names = dict(region.arguments if region.name else self.graph.arguments)
        names |= {name: decision.value for name, decision in region.names.items()}

        def lookup(name: str) -> Value:
            if name not in formula.sizes:
                return names[name]
            node = self.graph.nodes[formula.sizes[name]]
            size = node.shape[AXES.index(name.rpartition(".")[2])]
            return size if isinstance(size, int) else None

        try:
            return evaluate(formula, with_words(lookup))
        except (ExprError, Unknown, KeyError):
            return None

    def _op(self, node: Node, formulas: Collection[str]) -> tuple[int, tuple[str, ...]]:
        """Return the number of an operation, and its attributes that are open in it."""
        names = whole_numbers(node.op, formulas)
        ranks = tuple(len(shape) for shape in self.graph.input_shapes(node))
        for tried in (names, ()):
            key = (replace(node.op, **dict.fromkeys(tried, 1)), tried, ranks)
            if key not in self._ops:
                tree = TracedOp(node.op, tried, ranks).tree()
                if tree is None and tried:
                    self._ops[key] = -1
                    continue
                self._ops[key] = len(self.ops)
                said: Json = {"tree": tree}
                if tried:
                    said["open"] = [[n, least_of(n), key_of(node.op, n)] for n in tried]
                self.ops.append(said)
            if self._ops[key] >= 0:
                return self._ops[key], tried
        raise AssertionError(node.name)

    def _sizes(self, node: Node) -> list[Json]:
        """Return the sizes of an input: a number, the parameter that gives it, or None if open."""
        network = self.spec.network
        assert network is not None
        out: list[Json] = []
        for written, size in zip_longest(network.input[node.name], node.shape):
            if isinstance(written, str) and self.graph.arguments.get(written) == size is not None:
                self.root.decisions[written, repr(size)] += 1
                out.append(written)
            else:
                out.append(size if isinstance(size, int) else None)
        return out

    def _owner(self, frame: Frame, node: Node) -> str:
        assert node.share is not None
        is_own = self._is_in(node.share, frame) and not self._folded(node.share, frame)
        return _rest(node.share, frame.prefix) if is_own else f"/{node.share}"

    # -- what a name or a formula stands for -----------------------------------------------------

    def _ref(self, frame: Frame, name: str) -> Json:
        """Return what stands for a tensor in a frame."""
        if name == frame.entering:
            return ENTERS
        if name not in self.graph.nodes:  # nothing depends on it, so it is not there any more
            return None
        if not self._is_in(name, frame):
            if name not in frame.outside:
                frame.outside.append(name)
            return frame.outside.index(name)
        for region in self._folded(name, frame):
            if self.graph.regions[region].output == name:
                return _rest(region, frame.prefix)
        return _rest(name, frame.prefix)

    def _folded(self, name: str, frame: Frame) -> list[str]:
        """Return the folded repeats of a frame in which a node stands, outermost first."""
        around = self.graph.around[name]
        inside = around[: around.index(frame.region)] if frame.region in around else ()
        return [region for region in reversed(inside) if region in self.repeats]

    def _is_in(self, name: str, frame: Frame) -> bool:
        return name == frame.region or frame.region in self.graph.around[name]

    def _formula(self, frame: Frame, formula: Expr, value: object) -> Json:
        """Return a formula; where it reads what is not known here, with what it comes to."""
        written = formula_json(formula, frame.names, lambda name: self._ref(frame, name))
        if '["?"]' in (text := json.dumps(written)) or '["#", null' in text:
            return ["?", value_json(_plain(value))]
        return written

    def _is_live(self, frame: Frame, written: Json) -> bool:
        """True for a formula that may come to something else."""
        if isinstance(written, str):
            return written in frame.live
        if not isinstance(written, list):
            return False
        if written[0] in ("#", "?", "net"):
            return True
        parts = written[1:] if written[0] not in ("'", "q") else ()
        return any(self._is_live(frame, part) for part in parts)

    def _checks(self, frame: Frame, decisions: Sequence[Decision]) -> list[Json]:
        """Return what was decided by formulas that may come to something else."""
        out: dict[str, Json] = {json.dumps(check): check for check in frame.fixed}
        left = Counter(frame.decisions)
        for decision in decisions:
            if left[_key(decision)]:
                left[_key(decision)] -= 1
                continue
            written = self._formula(frame, decision.formula, decision.value)
            if self._is_live(frame, written):
                check = [written, value_json(decision.value), decision.formula.text]
                out[json.dumps(check)] = check
        return list(out.values())

    # -- arguments -------------------------------------------------------------------------------

    def _argument(self, outer: Frame, region: Region, name: str) -> Json:
        value = region.arguments[name]
        formula = formulas_of(region.traced).get(name)
        if formula is not None:
            return self._formula(outer, formula, value)
        if name in self._usual and not self._is_written(region, name):
            written = self._usual_argument(region, name)
            if written is not None:
                return written
        return value_json(value)

    def _usual_argument(self, region: Region, name: str) -> Json | None:
        """Return what the network's defaults give, as a formula over its own names."""
        param = self.spec.blocks[str(region.definition)].params[name]
        read = _read(param, self._usual[name])
        decision = None if read is None else Decision(read, region.arguments[name])
        if decision is None or _key(decision) not in map(_key, self.graph.regions[""].decisions):
            return None
        self.root.decisions[_key(decision)] += 1
        return ["net", self._formula(self.root, decision.formula, decision.value)]

    def _is_written(self, region: Region, name: str) -> bool:
        """True for an argument that the instance itself gives."""
        written = region.info.written
        if written is None:
            return False
        given = (written.get("with"), written.get("for"))
        return any(name in getattr(node, "entries", ()) for node in given)

    def _is_given(self, region: Region, name: str) -> bool:
        return name in self._usual or self._is_written(region, name)

    def _default(
        self, frame: Frame, param: ParamSpec, value: Value, region: Region | None = None
    ) -> Json | None:
        """Return a default that is a formula over other parameters, None where it is none."""
        read = _read(param, param.default)
        if read is None:
            return None
        decision = Decision(read, value)
        decisions = self.graph.regions[region.name if region else ""].decisions
        if _key(decision) not in map(_key, decisions):
            return None
        frame.decisions[_key(decision)] += 1
        return self._formula(frame, read, value)


def params_of(graph: Graph, region: Region) -> tuple[Parameter, ...]:
    """Return the parameters that a block, or the network, declares."""
    definition = graph.definitions.get(region.definition or "")
    return definition.params if definition else graph.params


def _read(param: ParamSpec, written: object) -> Expr | None:
    """Return a value of a parameter that is a formula over names."""
    if isinstance(param, BrokenParam) or param.type not in LIVE or written is None:
        return None
    with suppress(PydanticCustomError):
        read = READERS[param.type](written)
        if isinstance(read, Expr) and read.names:
            return read
    return None


def _is_part(formula: Json, value: Value) -> Json:
    """Return whether a number is what it was, or between 0 and 1, as rates are."""
    is_part = ["if", ["<", 0, formula], ["<", formula, 1], False]
    return ["if", ["==", formula, value_json(value)], True, is_part]


def _key(decision: Decision) -> tuple[str, str]:
    return decision.formula.text, repr(decision.value)


def _plain(value: object) -> Any:
    return str(value) if isinstance(value, float) else value


def _rest(name: str, prefix: str) -> str:
    return name[len(prefix) :] if name.startswith(prefix) else f"/{name}"


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


def live_attributes(frames: Frames) -> frozenset[tuple[str, str]]:
    """Return the attributes that may change, as (node, attribute)."""
    return frozenset(frames.live)
