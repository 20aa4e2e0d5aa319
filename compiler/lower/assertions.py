"""`assert:`: what a block or the network says of its sizes and counts, checked when it is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from compiler.errors import Diagnostic, helping
from compiler.graph import Dim, Node, Shape, Symbolic, show_sizes, tally
from compiler.graph.residues import equal, where_zero
from compiler.lower.lowering import Lowering
from compiler.lower.scope import SIZES, Lookup, Scope
from compiler.ops import with_words
from compiler.spec import AssertSpec, BlockSpec, NetworkSpec
from compiler.text import Expr, ExprError, Term, Unknown, Value, evaluate, show_value

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_LITERALS = ("number", "size", "text")


def check_assertions(
    lowering: Lowering,
    where: BlockSpec | NetworkSpec,
    scope: Scope,
    out: str,
    nodes: Iterable[Node],
) -> None:
    """Report what a block or the network asserts, and what does not hold.

    Args:
        lowering: takes the findings.
        where: what asserts.
        scope: its layers by name, and its parameters.
        out: the node whose tensor leaves it.
        nodes: its own, for the counts.
    """
    if not where.assertions or scope.frame.is_definition:
        return
    quantities = _Quantities(lowering, scope, out, tuple(nodes))
    for assertion in where.assertions:
        found = _Check(assertion, quantities).finding()
        if found is not None:
            lowering.report.add(*found)


class _Open(Exception):
    """A size or a count is a formula in the letters of the input."""

    def __init__(self, dims: tuple[Dim, ...]) -> None:
        super().__init__()
        self.dims = dims


@dataclass(slots=True)
class _Quantities:
    """What names are worth in an assertion: use as a function."""

    lowering: Lowering
    scope: Scope
    out: str
    nodes: tuple[Node, ...]

    def __call__(self, name: str) -> Value:
        """Return the value of a name.

        Raises:
            KeyError: it is not in scope.
            _Open: it is left open.
        """
        dims = self._dims(name)
        if dims is None:
            shapes = self.lowering.builder.shapes
            return Lookup(self.scope, shapes, lambda: self.out)(name)
        if None in dims:
            raise Unknown(name)
        sizes = tuple(dim for dim in dims if isinstance(dim, int))
        if len(sizes) != len(dims):
            raise _Open(dims)
        is_size = self._node(name) is not None and len(sizes) > 1
        return sizes if is_size else sizes[0]

    def _dims(self, name: str) -> tuple[Dim, ...] | None:
        """Return a size as it is printed, one side of it, or a count; None for any other name."""
        if name in self.scope.frame.params:
            return None
        if (node := self._node(name)) is not None:
            shape = self.lowering.builder.shapes[node]
            return (*shape.grid, shape.channels)
        head, _, side = name.rpartition(".")
        if side in SIZES and (node := self._node(head)) is not None:
            shape = self.lowering.builder.shapes[node]
            at = SIZES.index(side)
            return (shape[at],) if at < len(shape) else None
        counts: Mapping[str, Callable[[Node], Dim]] = {
            "parameters": self._parameters,
            "macs": lambda node: node.op.count_macs(self._incoming(node), node.shape),
        }
        return (tally(map(counts[name], self.nodes)),) if name in counts else None

    def _parameters(self, node: Node) -> Dim:
        return 0 if node.share else node.op.count_params(*self._incoming(node))

    def _incoming(self, node: Node) -> tuple[Shape, ...]:
        return tuple(self.lowering.builder.shapes[name] for name in node.inputs)

    def _node(self, name: str) -> str | None:
        """Return the node whose tensor a name means."""
        if name == "out":
            return self.out
        if name == "in":
            return next(iter(self.scope.frame.inputs.values()))
        head, *rest = name.split(".")
        named = self.scope.find(head)
        if named is None:
            return self.scope.frame.inputs.get(name)
        path = ".".join([named.path, *rest])
        builder = self.lowering.builder
        if rest and path in builder.nodes:
            return path
        region = builder.regions.get(path) if rest else None
        return region.output if region is not None else None if rest else named.tensor


@dataclass(slots=True)
class _Check:
    """One assertion, checked."""

    assertion: AssertSpec
    quantities: _Quantities

    def finding(self) -> tuple[Diagnostic, Callable[[Diagnostic], Diagnostic] | None] | None:
        """Return what is wrong with an assertion, and what its help is: nothing where it holds."""
        that, span = self.assertion.that, self.assertion.span("that")
        if isinstance(that, bool):
            return None if that else (self._failed(""), None)
        try:
            holds = evaluate(that, with_words(self.quantities))
        except Unknown:
            return None
        except _Open:
            return self._open(that)
        except ExprError as error:
            code = "unknown-parameter" if "unknown name" in str(error) else "bad-expression"
            inside = self.assertion.inside(("that",), error.start, error.end)
            return Diagnostic(code, f"`assert`: {error}", inside), helping(error.help)
        if not isinstance(holds, bool):
            message = f"`assert` {that.text} is {show_value(holds)}, neither true nor false"
            return Diagnostic(
                "bad-value", message, span, help="compare it: `out == 8x8x1536`"
            ), None
        return None if holds else (self._failed(self._values(that)), None)

    def _failed(self, said: str, help: str = "") -> Diagnostic:
        that = self.assertion.that
        text = that.text if isinstance(that, Expr) else str(that).lower()
        own = f"{self.assertion.message}: " if self.assertion.message else ""
        return Diagnostic(
            "assertion-failed",
            f"{own}`{text}` does not hold{': ' * bool(said)}{said}",
            self.assertion.span("that"),
            help=help or "correct the layers, or what is asserted of them",
        )

    def _values(self, that: Expr) -> str:
        """Return what the sides of a comparison come to, else what the names do."""
        terms = that.root.args if that.root.kind in COMPARISONS else _names(that.root)
        told = {
            that.text[t.start : t.end]: self._shown(t) for t in terms if t.kind not in _LITERALS
        }
        return " and ".join(f"`{text}` is {value}" for text, value in told.items())

    def _shown(self, term: Term) -> str:
        try:
            value = evaluate(Expr("", term), with_words(self.quantities))
        except (ExprError, Unknown):
            return "unknown"
        except _Open:
            return show_sizes(self._sides(term) or ())
        if isinstance(value, (int, Fraction)) and not isinstance(value, bool) and value >= 10**4:
            return f"{float(value) if isinstance(value, Fraction) else value:,}"
        return show_value(value)

    # -- sizes that are left open ----------------------------------------------------------------

    def _open(self, that: Expr) -> tuple[Diagnostic, None] | None:
        """Decide an equality of formulas; of anything else say that it is not decided."""
        root = that.root
        if (
            root.kind == "=="
            and (sides := [self._sides(t) for t in root.args])
            and None not in sides
        ):
            first, second = (side or () for side in sides)
            return self._equal(first, second)
        text, span = that.text, self.assertion.span("that")
        message = f"`{text}` is not checked: it depends on sizes that are left open"
        help = "give the input a size: `--input 3x224x224`"
        return Diagnostic("unchecked-assertion", message, span, help=help, severity="warning"), None

    def _equal(
        self, first: tuple[Dim, ...], second: tuple[Dim, ...]
    ) -> tuple[Diagnostic, None] | None:
        pairs = list(zip(first, second, strict=False))
        apart = [(a, b) for a, b in pairs if not _same(a, b)]
        if len(first) == len(second) and not apart:
            return None
        that = self.assertion.that
        assert isinstance(that, Expr)
        sizes = [_where(a, b) for a, b in apart]
        help = f"it holds where {' and '.join(s for s in sizes if s)}" if all(sizes) else ""
        is_unlike = len(first) != len(second)
        return self._failed(self._values(that), "" if is_unlike else help), None

    def _sides(self, term: Term) -> tuple[Dim, ...] | None:
        """Return a size, or a number alone, perhaps as formulas; None where it is neither."""
        try:
            value = evaluate(Expr("", term), with_words(self.quantities))
        except _Open as found:
            if term.kind == "name":
                return found.dims
            return self._calculated(term)
        except (ExprError, Unknown):
            return None
        if isinstance(value, tuple):
            return tuple(dim for dim in value if isinstance(dim, int))
        return (value,) if isinstance(value, int) else None

    def _calculated(self, term: Term) -> tuple[Dim, ...] | None:
        sides = [self._sides(a) for a in term.args]
        numbers = [s[0] for s in sides if s is not None and len(s) == 1 and s[0] is not None]
        if len(numbers) != 2 or len(sides) != 2:
            return None
        first, second = numbers
        if term.kind == "//" and isinstance(second, int) and second > 0:
            return (first // second,)
        made = {"+": first + second, "-": first - second, "*": first * second}
        return (made[term.kind],) if term.kind in made else None


def _same(first: Dim, second: Dim) -> bool:
    return first is not None and second is not None and equal(first, second)


def _where(first: Dim, second: Dim) -> str:
    """Return for which values of a letter two sizes are equal, nothing where that is undecided."""
    if first is None or second is None:
        return ""
    difference = first - second
    if not isinstance(difference, Symbolic) or not (sizes := where_zero(difference)):
        return ""
    return f"{difference.letters[0]} is {sizes.words()}"


def _names(term: Term) -> list[Term]:
    own = [term] if term.kind == "name" and term.text not in ("true", "false") else []
    return [*own, *(found for arg in term.args for found in _names(arg))]
