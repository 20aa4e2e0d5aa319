"""Frames while they are written, and what a name or a formula stands for in one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from compiler.facts.numbers.terms import AXES, Json, formula_json, value_json
from compiler.graph import Decision, Graph, Region
from compiler.ops import with_words
from compiler.text import Expr, ExprError, Unknown, Value, evaluate

LIVE = ("channels", "int", "number")
"""Types of parameters whose values the formulas follow."""
ENTERS = -1
"""Stands for the tensor that enters a copy."""
Decided = tuple[str, str]
"""What is the same decision: the text of its formula, and its value."""


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
    """What enters a copy."""
    fixed: list[Json] = field(default_factory=list)
    """What has to stay as it is, as checks: attributes that are no whole numbers."""
    outside: list[str] = field(default_factory=list)
    """The tensors that it reads from outside."""
    said: Counter[Decided] = field(default_factory=Counter)
    """What was decided in it that other formulas say: not to be checked again."""


@dataclass(frozen=True)
class Repeat:
    """A repeated layer whose copies are folded."""

    region: str
    count: int
    kept: int
    """The copies that are written; the last of them stands for those behind it."""
    is_fixed: bool
    """Another count is another network: a copy is read from outside."""


class Reading:
    """Finds what the names and formulas of a graph stand for."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.repeats: dict[str, Repeat] = {}
        live = frozenset(p.name for p in graph.params if p.type in LIVE)
        names = frozenset((*graph.arguments, *graph.regions[""].names))
        self.root = Frame("", "", names, live)

    # -- tensors ---------------------------------------------------------------------------------

    def ref(self, frame: Frame, name: str) -> Json:
        """Return what stands for a tensor in a frame; None where there is no such tensor."""
        if name == frame.entering:
            return ENTERS
        if name not in self.graph.nodes:  # nothing depends on it, so it is not there any more
            return None
        if not self.is_in(name, frame):
            if name not in frame.outside:
                frame.outside.append(name)
            return frame.outside.index(name)
        for region in self._folded(name, frame):
            if self.graph.regions[region].output == name:
                return rest(region, frame.prefix)
        return rest(name, frame.prefix)

    def owner(self, frame: Frame, name: str) -> str:
        """Return what stands for a node whose parameters another one uses."""
        is_own = self.is_in(name, frame) and not self._folded(name, frame)
        return rest(name, frame.prefix) if is_own else f"/{name}"

    def is_in(self, name: str, frame: Frame) -> bool:
        """True for a node that stands in a frame, or is one."""
        return name == frame.region or frame.region in self.graph.around[name]

    def _folded(self, name: str, frame: Frame) -> list[str]:
        """Return the folded repeats of a frame in which a node stands, outermost first."""
        around = self.graph.around[name]
        inside = around[: around.index(frame.region)] if frame.region in around else ()
        return [region for region in reversed(inside) if region in self.repeats]

    # -- formulas --------------------------------------------------------------------------------

    def formula(self, frame: Frame, formula: Expr, value: Value) -> Json:
        """Return a formula; where it reads what is not known here, what it comes to."""
        written = formula_json(formula, frame.names, lambda name: self.ref(frame, name))
        if '["?"]' not in (text := json.dumps(written)) and '["#", null' not in text:
            return written
        # A variable of a loop over lists or sizes is a name, and always the same.
        reads = frame.names.intersection(formula.names) or formula.sizes
        return ["?", value_json(value)] if reads else value_json(value)

    def value(self, frame: Frame, formula: Expr) -> Value:
        """Return what a formula comes to, None where that is not known."""
        region = self.block_around(frame)
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

    def is_live(self, frame: Frame, written: Json) -> bool:
        """True for a formula that may come to something else."""
        if isinstance(written, str):
            return written in frame.live
        if not isinstance(written, list):
            return False
        if written[0] in ("#", "?", "net"):
            return True
        parts = written[1:] if written[0] not in ("'", "q") else ()
        return any(self.is_live(frame, part) for part in parts)

    def block_around(self, frame: Frame) -> Region:
        """Return the block, or the network, whose names a frame has."""
        name: str | None = frame.region
        if frame.entering is not None:  # a copy has the names of what is around it
            name = self.graph.parents.get(frame.region)
        while name and (name not in self.graph.regions or self.graph.regions[name].kind != "block"):
            name = self.graph.parents.get(name)
        return self.graph.regions[name or ""]

    def checks(self, frame: Frame, decisions: Sequence[Decision]) -> list[Json]:
        """Return what was decided by formulas that may come to something else.

        A check is `[formula, value, text]`: at another value this is another network.
        """
        out: dict[str, Json] = {json.dumps(check): check for check in frame.fixed}
        left = Counter(frame.said)
        for decision in decisions:
            if left[key(decision)]:
                left[key(decision)] -= 1
                continue
            written = self.formula(frame, decision.formula, decision.value)
            if self.is_live(frame, written):
                check = [written, value_json(decision.value), decision.formula.text]
                out[json.dumps(check)] = check
        return list(out.values())


def key(decision: Decision) -> Decided:
    """Return what a decision is told by."""
    return decision.formula.text, repr(decision.value)


def rest(name: str, prefix: str) -> str:
    """Return a name behind a prefix, the whole behind `/` where it has another."""
    return name[len(prefix) :] if name.startswith(prefix) else f"/{name}"
