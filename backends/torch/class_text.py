"""The text of an emitted class: signature, constructor, forward pass, comments with shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from backends.torch.class_builder import ClassBuilder, input_arguments, literal, parameter_name
from backends.torch.docs import AMBIGUOUS
from backends.torch.expressions import INDENT, WIDTH, Call, laid_out
from backends.torch.forward import Line, Variables, render
from backends.torch.loops import looped
from backends.torch.scopes import ModuleScope
from backends.torch.traced import is_varied
from compiler.graph import Definition, Graph
from compiler.text import Value as SpecValue
from compiler.text import ValueList

PARDON = "noqa: E741, the paper's letter"

OTHERWISE = '"else the block has other layers"'
"""The error of an instance with arguments for another variant of a block."""

Row = tuple[str, str]
"""A line of code and its comment."""


@dataclass(slots=True)
class ClassText:
    """A class as text; `name` is given when it is registered."""

    doc: list[str]
    rows: list[Row]
    arguments: tuple[str, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    base: str = ""
    name: str = ""
    key: str = ""
    """The block, with the arguments that no constructor takes."""

    @property
    def code(self) -> str:
        """The text without comments, by which classes are compared."""
        return "\n".join(code for code, _ in self.rows)

    def merge_comments(self, other: ClassText) -> None:
        """Drop the comments in which two instances differ."""
        self.rows = [
            (code, comment if comment == theirs else "")
            for (code, comment), (_, theirs) in zip(self.rows, other.rows, strict=True)
        ]

    def lines(self) -> list[str]:
        """Return the class."""
        return [f"class {self.name}(nn.Module):", *self.doc, *map(with_comment, self.rows)]


def with_comment(row: Row) -> str:
    """Return a line with its comment, if the line is short enough."""
    code, comment = row
    line = f"{code}  # {comment}" if comment else code
    return line if len(line) <= WIDTH or "noqa" in comment else code


def class_lines(
    graph: Graph, builder: ClassBuilder, scope: ModuleScope, doc: list[str]
) -> ClassText:
    """Return the text of a block's class."""
    definition = graph.definitions.get(scope.region.definition or "")
    for condition in builder.formulas.trace.conditions.values():
        for symbol in condition.symbols:
            builder.write(symbol)
    arguments = _ordered(builder, definition)
    defaults = defaults_of(definition, arguments)
    signature = _signature(builder, definition, arguments, defaults)
    names = input_arguments(graph, scope)
    results = tuple(builder.body.resolved(n) for n in scope.exports)
    made = constructor(builder, signature)
    rows: list[Row] = [("", ""), *made, *([("", "")] if made else [])]
    what = "output" if len(results) == 1 else "output, and tensors inside that are read elsewhere"
    doc_row = (f'{INDENT * 2}"""Return the {what}."""', "")
    rows += [*_forward_signature(names, len(results)), doc_row, *_forward(builder, results)]
    return ClassText(doc, rows, arguments, defaults)


def _ordered(builder: ClassBuilder, definition: Definition | None) -> tuple[str, ...]:
    """Return the arguments that the class reads: channels first, then as the spec lists them."""
    channels = [n for n in builder.formulas.inputs if n in builder.formulas.used]
    declared = [p.name for p in definition.params] if definition else sorted(builder.formulas.used)
    return (*channels, *(n for n in declared if n in builder.formulas.used and n not in channels))


def defaults_of(definition: Definition | None, arguments: tuple[str, ...]) -> dict[str, str]:
    """Return argument -> the text of its default, of those that have one."""
    params = definition.params if definition else ()
    offered = [p for p in params if p.name in arguments and p.default is not None]
    return {
        p.name: literal(p.default, p.type)
        for p in offered
        if p.type != "activation" or is_varied(p.type, p.default)
    }


def _signature(
    builder: ClassBuilder,
    definition: Definition | None,
    arguments: tuple[str, ...],
    defaults: dict[str, str],
) -> list[str]:
    types = {p.name: p.type for p in definition.params} if definition else {}
    out: list[str] = []
    for name in arguments:
        if name in builder.formulas.inputs:
            out.append(f"{name}: int")
            continue
        if "*" not in out:
            out.append("*")
        default = f" = {defaults[name]}" if name in defaults else ""
        kind = annotation(builder.formulas.used[name], types.get(name))
        out.append(f"{parameter_name(name)}: {kind}{default}")
    return out


def annotation(value: SpecValue, declared: str | None = None) -> str:
    """Return the type of a constructor argument."""
    if declared == "number" or isinstance(value, Fraction):
        return "float"
    if declared == "activation":
        return "Activation"
    if isinstance(value, ValueList):
        kinds = sorted({annotation(entry) for entry in value})
        return f"tuple[{' | '.join(kinds) or 'int'}, ...]"
    if isinstance(value, tuple):
        return "tuple[int, int]"
    return type(value).__name__


def constructor(builder: ClassBuilder, signature: list[str]) -> list[Row]:
    """Return `__init__`, or nothing where there is nothing to hold."""
    conditions = builder.formulas.trace.conditions if builder.scope.name else {}
    if not (builder.fields or builder.stored or builder.flags or conditions):
        return []
    rows = _init_head(["self", *signature])
    for text in conditions:
        line = f"{INDENT * 2}assert {text}, {OTHERWISE}"
        opened = [f"{INDENT * 2}assert {text}, (", f"{INDENT * 3}{OTHERWISE}", f"{INDENT * 2})"]
        rows += [(part, "") for part in ([line] if len(line) <= WIDTH else opened)]
    rows.append((f"{INDENT * 2}super().__init__()", ""))
    for name, symbol in builder.formulas.locals.items():
        if name in builder.formulas.written:
            rows += [(line, "") for line in laid_out(f"{name} = ", symbol.text, "", 2, str)]
    for name, attribute in builder.stored.items():
        rows.append((f"{INDENT * 2}self.{attribute} = {parameter_name(name)}", ""))
    for attribute, condition in builder.flags.items():
        rows.append((f"{INDENT * 2}self.{attribute} = {condition}", ""))
    for local, code in builder.fields:
        rows += [(line, "") for line in laid_out(f"self.{local} = ", looped(code), "", 2, str)]
    return rows


def _init_head(args: list[str]) -> list[Row]:
    """Return the head of `__init__`, exempt from lint where the paper's letters are arguments."""
    head = Call("__init__", tuple(("", a) for a in args))
    lines = laid_out("def ", head, " -> None:", 1, str)
    if not any(_is_ambiguous(a) for a in args):
        return [(line, "") for line in lines]
    if len(lines) == 1:
        return [(lines[0], PARDON)]
    opened = [(f"{INDENT * 2}{a},", PARDON if _is_ambiguous(a) else "") for a in args]
    return [(f"{INDENT}def __init__(", ""), *opened, (f"{INDENT}) -> None:", "")]


def _is_ambiguous(arg: str) -> bool:
    return arg.partition(":")[0] in AMBIGUOUS


def _forward_signature(names: list[str], results: int) -> list[Row]:
    returns = "Tensor" if results == 1 else f"tuple[{', '.join(['Tensor'] * results)}]"
    args = ("self", *(f"{n}: Tensor" for n in names))
    head = Call("forward", tuple(("", a) for a in args))
    return [(line, "") for line in laid_out("def ", head, f" -> {returns}:", 1, str)]


def _forward(builder: ClassBuilder, results: tuple[str, ...]) -> list[Row]:
    body = builder.body
    body.results = results
    lines = body.folded()
    alone = results[0] if len(results) == 1 else None
    names = Variables(lines, results, dict(body.inputs), alone).choose()
    rows: list[Row] = []
    for line in lines:
        if line is lines[-1] and returns_directly(line, results):
            return rows + as_rows(laid_out("return ", line.code, "", 2, names.__getitem__), line)
        rows += as_rows(render(line, names, alone, 2), line)
    return [*rows, (f"{INDENT * 2}return {', '.join(names[r] for r in results)}", "")]


def returns_directly(line: Line, results: tuple[str, ...]) -> bool:
    """True when a last line is the whole result and mypy infers that it is a tensor."""
    return line.targets == results and line.is_typed


def as_rows(text: list[str], line: Line) -> list[Row]:
    """Return the text of a computation with the shapes of what it makes at its end."""
    return [*((t, "") for t in text[:-1]), (text[-1], line.comment)]
