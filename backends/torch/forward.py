"""Lines of a forward pass: which variable holds what, and how the text reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backends.torch.docs import AMBIGUOUS, variable
from backends.torch.expressions import (
    Call,
    Code,
    Conditional,
    Joined,
    Listing,
    LocalVariable,
    flat,
    laid_out,
    values_in,
)

TRUNK = "x"
"""The variable of whatever flows down the trunk."""
RESULT = "out"
"""The variable of a result that has no better name."""


@dataclass(slots=True)
class Line:
    """One computation: the nodes whose tensors it makes, and the expression."""

    targets: tuple[str, ...]
    code: Code
    comment: str = ""
    """The shapes of the targets."""
    trunk: str = TRUNK
    """The variable of the flow that the line belongs to: `x`, or the name of a branch."""
    own: str = ""
    """The variable where the flow's is still needed, and for branches."""
    is_branch: bool = False
    folds: bool = False
    """The expression may be inlined into the one that reads it."""
    hosts: bool = False
    """Other expressions may be inlined into this one."""
    is_typed: bool = False
    """mypy infers that the result is a tensor."""
    training_only: bool = False


@dataclass(slots=True)
class ForwardBody:
    """A forward pass under construction."""

    inputs: dict[str, str]
    """Node -> argument name."""
    results: tuple[str, ...]
    """Nodes whose tensors are returned."""
    lines: list[Line] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    """Node that computes nothing -> the node whose tensor it passes on."""

    def resolved(self, node: str) -> str:
        """Return the node that really makes a tensor."""
        return self.aliases.get(node, node)

    def folded(self) -> list[Line]:
        """Return the lines with small expressions moved into the one place that reads them."""
        uses = self._drop_unread()
        readers = {name: line for line in self.lines for name in values_in(line.code)}
        pending: dict[str, Line] = {}
        out: list[Line] = []
        for line in self.lines:
            if line.hosts:
                line.code = _filled(line.code, pending)
            if line.folds and uses[line.targets[0]] == 1 and _is_hosted(line, readers):
                pending[line.targets[0]] = line
            else:
                out.append(line)
        return out

    def _drop_unread(self) -> Counter[str]:
        """Drop lines that nothing reads; return how often every value is read."""
        uses = Counter(self.results)
        kept: list[Line] = []
        for line in reversed(self.lines):
            if any(uses[t] for t in line.targets):
                kept.append(line)
                uses.update(values_in(line.code))
        self.lines = kept[::-1]
        return uses


def _is_hosted(line: Line, readers: Mapping[str, Line]) -> bool:
    reader = readers.get(line.targets[0])
    return reader is not None and reader.hosts and reader.training_only == line.training_only


def _filled(code: Code, pending: dict[str, Line]) -> Code:
    """Replace values by the expressions that make them, with parentheses where they bind less."""
    if isinstance(code, LocalVariable):
        return pending.pop(code.node).code if code.node in pending else code
    if isinstance(code, Call):
        return Call(code.function, tuple((n, _filled(a, pending)) for n, a in code.args))
    if isinstance(code, Listing):
        return Listing(tuple(_filled(i, pending) for i in code.items))
    if isinstance(code, Conditional):
        return Conditional(_filled(code.code, pending), code.condition, code.other)
    if isinstance(code, Joined):
        return Joined(tuple(_operand(code, p, pending) for p in code.parts), code.tight)
    return code


def _operand(host: Joined, part: str | Code, pending: dict[str, Line]) -> str | Code:
    if not isinstance(part, LocalVariable) or part.node not in pending:
        return part if isinstance(part, str) else _filled(part, pending)
    code = pending.pop(part.node).code
    is_sum = " + " in host.parts
    if isinstance(code, Joined) and not code.tight and not (is_sum and " * " in code.parts):
        return Joined(("(", code, ")"), tight=True)
    return code


@dataclass(slots=True)
class Variables:
    """Chooses a variable for every value, so that a flow keeps its name while it can."""

    lines: Sequence[Line]
    results: tuple[str, ...]
    names: dict[str, str]
    """Node -> variable; starts with the arguments."""
    alone: str | None = None
    """The result that is returned by itself, which must be declared where mypy cannot type it."""
    last_use: dict[str, int] = field(default_factory=dict)
    holder: dict[str, str] = field(default_factory=dict)
    """Variable -> the node that it holds now."""
    following: list[int] = field(default_factory=list)
    """Line -> the next one of its flow."""

    def choose(self) -> dict[str, str]:
        """Return node -> variable for all lines."""
        for i, line in enumerate(self.lines):
            for name in values_in(line.code):
                self.last_use[name] = i
        for name in self.results:
            self.last_use[name] = len(self.lines)
        self._find_following()
        self.holder = {variable: node for node, variable in self.names.items()}
        for i, line in enumerate(self.lines):
            for target in line.targets:
                self._assign(i, line, target)
        return self.names

    def _find_following(self) -> None:
        first: dict[str, int] = {}
        self.following = [len(self.lines)] * len(self.lines)
        for i, line in reversed(list(enumerate(self.lines))):
            self.following[i] = first.get(line.trunk, len(self.lines))
            if not (line.is_branch or line.training_only):
                first[line.trunk] = i

    def _assign(self, at: int, line: Line, target: str) -> None:
        flow = variable(line.trunk)
        own = variable(line.own or line.trunk)
        if len(line.targets) > 1:
            own = variable(target.replace(".", "_"))
        elif self._is_only_result(line):
            own = self._unused(own if own != flow else RESULT)
        elif not (line.is_branch or line.training_only or self._is_kept(at, target)):
            own = flow if self._is_free(flow, at) else own
        while own in AMBIGUOUS or not self._is_free(own, at):
            own += "_"
        self.names[target] = own
        self.holder[own] = target

    def _is_kept(self, at: int, target: str) -> bool:
        """True when the flow goes on before the last reader of this value has come."""
        return self.following[at] < self.last_use.get(target, 0)

    def _is_only_result(self, line: Line) -> bool:
        """True for what is returned alone and comes from a module, which mypy cannot type."""
        return line.targets == (self.alone,) and not line.is_typed

    def _unused(self, name: str) -> str:
        return RESULT if name in self.holder else name

    def _is_free(self, name: str, at: int) -> bool:
        node = self.holder.get(name)
        return node is None or self.last_use.get(node, -1) <= at


def render(line: Line, names: dict[str, str], alone: str | None, depth: int) -> list[str]:
    """Return the text of a line; what is returned alone is declared a tensor."""
    targets = ", ".join(names[t] for t in line.targets)
    declared = ": Tensor" if line.targets == (alone,) and not line.is_typed else ""
    return laid_out(f"{targets}{declared} = ", line.code, "", depth, names.__getitem__)


def one_line(code: Code) -> str:
    """Return an expression that reads no values as text."""
    return flat(code, lambda name: name)
