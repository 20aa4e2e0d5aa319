"""Printed graph -> graph. What the text leaves out, such as places in a spec, is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Literal, get_args

from compiler.graph.derivation import Derivation, Folded, Read, Scaled, Stacked, Zeros
from compiler.graph.graph import (
    Graph,
    Node,
    Output,
    Region,
    RegionKind,
    Returns,
    connect,
)
from compiler.graph.op import Input, Op
from compiler.graph.print import usual_inputs
from compiler.graph.reader import ParseError, Reader
from compiler.graph.regions import borders
from compiler.graph.shapes import Shape, ShapeError
from compiler.graph.spelling import QUOTED, fits, read_argument, read_attribute, read_dim
from compiler.text import Value

_ATTRIBUTE = re.compile(r"\[[^\]]*\]|[0-9]+(?:,[0-9]+){3}|[^\s,(){}\[\]\"]+")
_ARGUMENT = re.compile(rf"\[(?:\[[^\]]*\]|{QUOTED}|[^\[\]\"])*\]|[^\s,(){{}}\[\]\"]+")
_SIZES = re.compile(r"\(N((?:, [^,\s]+)+)\)$")


def parse_graph(text: str, ops: Mapping[str, type[Op]]) -> Graph:
    """Return the graph that `print_graph` printed.

    Shapes that the text leaves out are inferred; those that it has are taken as they are, for
    `verify` to judge.

    Args:
        text: a printed graph; empty lines and the depth of indentation do not matter.
        ops: the operations that it may have.

    Raises:
        ParseError: the text is none; its first fault, with line and column.
    """
    return _Parser(text, ops).graph()


@dataclass(slots=True)
class _Open:
    """A region whose lines are being read."""

    region: Region
    copies: int | None = None
    members: list[str] = field(default_factory=list)


class _Parser(Reader):
    def __init__(self, text: str, ops: Mapping[str, type[Op]]) -> None:
        super().__init__(text)
        self.ops = {
            name: (op, said) for op in ops.values() for name, said in op.spellings().items()
        }
        self.nodes: dict[str, Node] = {}
        self.regions: dict[str, Region] = {}
        self.stack: list[_Open] = []
        self.derivations: dict[str, Derivation] = {}
        self.promised: dict[str, ParseError] = {}

    def graph(self) -> Graph:
        """Read everything."""
        self.advance()
        self.expect("network ")
        name, arguments = self.name(), self.arguments() if self.has("(") else {}
        self.expect(" ")
        title = self.quoted()
        self.open(Region("", "network", (), (), self.leaving(), None))
        returned: tuple[tuple[Output, ...], Returns] | None = None
        while self.stack:
            self.advance()
            if self.has("}"):
                self.close()
            elif self.has("return"):
                returned = self.returned()
            elif self.has("$"):
                self.derivation()
            elif self.has("%"):
                self.node()
            else:
                self.region()
            self.end()
        outputs, returns = returned or ((), "outputs")
        if missing := self.promised.keys() - self.nodes.keys():
            raise self.promised[min(missing)]
        inputs = tuple(n.name for n in self.nodes.values() if isinstance(n.op, Input))
        return Graph(
            name=name,
            title=title,
            network=connect(self.nodes.values()),
            regions=self.bordered(inputs, outputs),
            inputs=inputs,
            outputs=outputs,
            arguments=arguments,
            returns=returns,
            is_rewritten=bool(self.derivations),
            derivations=self.derivations,
        )

    def bordered(self, inputs: tuple[str, ...], outputs: tuple[Output, ...]) -> dict[str, Region]:
        """Return the regions with the inputs and outputs that the text leaves out."""
        out = {}
        found = borders(self.regions, self.nodes.values())
        for name, region in self.regions.items():
            border = found[name]
            usual = border.last if name or not outputs else outputs[0].node
            output = region.output or usual
            reads = usual_inputs(border, output) if name else inputs
            out[name] = replace(region, inputs=region.inputs or reads, output=output)
        return out

    # -- regions ----------------------------------------------------------------------------------

    def open(self, region: Region, copies: int | None = None) -> None:
        """Open a region, whose lines follow."""
        self.expect(" {")
        self.regions[region.name] = region
        self.stack.append(_Open(region, copies))

    def close(self) -> None:
        """Close the innermost region."""
        top = self.stack.pop()
        name = top.region.name
        if top.copies not in (None, len(top.members)):
            raise self.error(f"`{name}` repeats {top.copies} times and holds {len(top.members)}", 0)
        if name and not top.members and not top.region.output:
            raise self.error(f"`{name}` is empty: say what leaves it, `-> %NAME`", 0)
        self.regions[name] = replace(top.region, members=tuple(top.members))

    def region(self) -> None:
        """Read the first line of a region."""
        name = self.new(self.name())
        self.expect(": ")
        transparent = self.has("transparent ")
        start = self.at
        word, definition, copies = self.name(), None, None
        arguments: dict[str, Value] = {}
        if self.has("("):
            kind, definition, arguments = "block", word, self.arguments()
        elif word in get_args(RegionKind) and word not in ("network", "block"):
            kind = word
        else:
            raise self.error(f"`{word}` is no kind of region without brackets", start)
        if kind == "repeat":
            self.expect(" x")
            copies = int(self.take(re.compile("[0-9]+"), "a number")[0])
        inputs: list[str] = []
        while self.has(", " if inputs else " reads "):
            inputs.append(self.read())
        region = Region(
            name=name,
            kind=kind,  # type: ignore[arg-type]
            members=(),
            inputs=tuple(inputs),
            output=self.leaving(),
            parent=self.stack[-1].region.name,
            definition=definition,
            arguments=arguments,
            transparent=transparent,
        )
        self.stack[-1].members.append(name)
        self.open(region, copies)

    def leaving(self) -> str:
        """Read which tensor leaves a region, "" where that is not said."""
        return self.later() if self.has(" -> %") else ""

    def later(self) -> str:
        """Read the name of a node that may come later."""
        error = self.error("there is no node of this name")
        name = self.name()
        self.promised.setdefault(name, error)
        return name

    def arguments(self) -> dict[str, Value]:
        """Read the arguments of a block, behind their bracket."""
        out: dict[str, Value] = {}

        def one() -> None:
            name = self.name()
            self.expect("=")
            is_text = self.line[self.at : self.at + 1] == '"'
            out[name] = self.quoted() if is_text else self.value(read_argument, _ARGUMENT)

        self.listed(")", one)
        return out

    # -- nodes ------------------------------------------------------------------------------------

    def node(self) -> None:
        """Read a node behind its `%`."""
        name = self.new(self.name())
        self.expect(" = ")
        start = self.at
        kind = self.name()
        if kind not in self.ops:
            raise self.error(f"there is no operation `{kind}`", start)
        self.expect("(")
        inputs: list[str] = []
        self.listed(")", lambda: inputs.append(self.read()))
        op = self.op(kind, start)
        share = self.later() if self.has(" shares %") else None
        shape = self.shape(op, inputs, start)
        self.nodes[name] = Node(name, op, tuple(inputs), shape, share=share)
        self.stack[-1].members.append(name)

    def new(self, name: str) -> str:
        """Return a name that nothing else has."""
        if name in self.nodes or name in self.regions:
            raise self.error(f"there is a `{name}` already", self.at - len(name))
        return name

    def read(self) -> str:
        """Read a node that is there already."""
        self.expect("%")
        start, name = self.at, self.name()
        if name not in self.nodes:
            raise self.error(f"`{name}` is not computed before it is read here", start)
        return name

    def op(self, kind: str, start: int) -> Op:
        """Read the attributes of an operation."""
        op, said = self.ops[kind]
        known = {f.name: f for f in fields(op) if f.name not in said}
        given: dict[str, object] = {}

        def one() -> None:
            at, name = self.at, self.name()
            if name not in known:
                has = f"it has {', '.join(f'`{n}`' for n in known)}" if known else "it has none"
                raise self.error(f"`{kind}` has no attribute `{name}`: {has}", at)
            self.expect("=")
            at = self.at
            given[name] = self.value(lambda text: read_attribute(name, text), _ATTRIBUTE)
            if not fits(op, name, given[name]):
                raise self.error(f"`{name}` of `{kind}` cannot be `{self.line[at : self.at]}`", at)

        if self.has(" {"):
            self.listed("}", one)
        for name, it in known.items():
            if name not in given and it.default is MISSING:
                raise self.error(f"`{kind}` needs `{name}`", start)
        return op(**said, **given)

    def shape(self, op: Op, inputs: list[str], start: int) -> Shape:
        """Read the shape behind a node, or infer it."""
        if self.has(" : "):
            return self.value(_shape, _SIZES, "shape")
        try:
            return op.infer_shape(*(self.nodes[name].shape for name in inputs))
        except ShapeError as error:
            raise self.error(str(error), start) from None

    # -- what goes out, and how parameters are made -----------------------------------------------

    def returned(self) -> tuple[tuple[Output, ...], Returns]:
        """Read the outputs."""
        outputs: list[Output] = []
        while self.has(", " if outputs else " "):
            name = "" if self.has("= %") else self.name()
            if name:
                self.expect(" = %")
            outputs.append(Output(name, self.later(), self.has(" (training only)")))
        known: tuple[Returns, ...] = get_args(Returns)
        return tuple(outputs), next((r for r in known if self.has(f" ({r})")), known[0])

    def derivation(self) -> None:
        """Read how a parameter is made, behind its `$`."""
        name = self.name()
        part = name.rpartition(".")[2]
        self.expect(" = ")
        self.derivations[name] = self.derived("bias" if part == "bias" else "weight")

    def derived(self, part: Literal["weight", "bias"]) -> Derivation:
        """Read a derivation of a part of a layer."""
        if self.has("$"):
            return Read(self.name())
        start, kind = self.at, self.name()
        self.expect("(")
        if kind == "zeros":
            made: Derivation = Zeros(self.value(int, _ATTRIBUTE))
        elif kind == "scaled":
            value = self.derived(part)
            self.expect(", ")
            made = Scaled(value, self.value(float, _ATTRIBUTE))
        elif kind == "folded":
            value = self.derived(part)
            self.expect(", $")
            norm = self.name()
            self.expect(", ")
            eps, learned = self.value(float, _ATTRIBUTE), list[str]()
            while self.has(", "):
                learned.append(self.name())
            made = Folded(value, norm, eps, tuple(learned), part)
        elif kind == "stacked":
            parts = [self.derived(part)]
            while self.has(", "):
                parts.append(self.derived(part))
            made = Stacked(tuple(parts))
        else:
            raise self.error(f"`{kind}` makes no parameter", start)
        self.expect(")")
        return made


def _shape(text: str) -> Shape:
    return Shape(map(read_dim, text[4:-1].split(", ")))
