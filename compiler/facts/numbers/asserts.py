"""`assert:` as formulas over the sizes and counts of a frame."""

from __future__ import annotations

from collections.abc import Callable

from compiler.facts.numbers.sizes import MARK
from compiler.facts.numbers.terms import AXES, Json, term_json
from compiler.graph import Graph, Region
from compiler.ops import WORD_VALUES
from compiler.spec import AssertSpec
from compiler.text import Term

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_LITERALS = ("number", "size", "text")


def assertion_json(
    assertion: AssertSpec,
    graph: Graph,
    region: Region,
    names: frozenset[str],
    tensor: Callable[[str], Json],
) -> Json:
    """Return [formula, message, formulas in the message].

    Besides what other formulas have, `["total", "parameters"]` is a count of the frame.
    """
    that, own = assertion.that, f"{assertion.message}: " if assertion.message else ""
    if isinstance(that, bool):
        return [that, f"{own}`{str(that).lower()}` does not hold", []]
    scope = _Scope(graph, region, names, tensor)
    root = that.root
    terms = root.args if root.kind in COMPARISONS else _names(root)
    sides = {that.text[t.start : t.end]: t for t in terms if t.kind not in _LITERALS}
    told = " and ".join(f"`{text}` is {MARK}{at}{MARK}" for at, text in enumerate(sides))
    message = f"{own}`{that.text}` does not hold{': ' * bool(told)}{told}"
    return [scope.write(root), message, [scope.write(term) for term in sides.values()]]


def _names(term: Term) -> list[Term]:
    own = [term] if term.kind == "name" and term.text not in ("true", "false") else []
    return [*own, *(found for arg in term.args for found in _names(arg))]


class _Scope:
    def __init__(
        self,
        graph: Graph,
        region: Region,
        names: frozenset[str],
        tensor: Callable[[str], Json],
    ) -> None:
        self.graph = graph
        self.region = region
        self.names = names
        self.tensor = tensor

    def write(self, term: Term) -> Json:
        return term_json(term, self._name)

    def _name(self, name: str) -> Json:
        if name in self.names:
            return name
        if (node := self._node(name)) is not None:
            rank = len(self.graph.nodes[node].shape)
            axes = [(axis + 1) % rank for axis in range(rank)]  # as it is printed
            sides = [["#", self.tensor(node), axis] for axis in axes]
            return ["list", *sides] if rank > 1 else sides[0]
        head, _, side = name.rpartition(".")
        if side in AXES and (node := self._node(head)) is not None:
            return ["#", self.tensor(node), AXES.index(side)]
        if name in ("parameters", "macs"):
            return ["total", name]
        return ["'", WORD_VALUES[name]] if name in WORD_VALUES else ["?"]

    def _node(self, name: str) -> str | None:
        if name == "out":
            return self.region.output
        if name == "in":
            return self.region.inputs[0]
        path = f"{self.region.name}.{name}" if self.region.name else name
        if path in self.graph.nodes or path in self.graph.regions:
            return self.graph.tensor(path).name
        definition = self.graph.definitions.get(self.region.definition or "")
        if definition is not None and name in definition.inputs:
            at = min(definition.inputs.index(name), len(self.region.inputs) - 1)
            return self.region.inputs[at]
        return None
