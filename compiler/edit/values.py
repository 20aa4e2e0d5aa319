"""Values that are changed one at a time: where each is written, and the edit of it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from compiler.edit.span_edits import Edit, apply_edits, slice_of
from compiler.errors import CompileError, Report, Span, UsageError, shortened
from compiler.graph import Graph
from compiler.ops import COMMON_KEYS, WordLayer
from compiler.spec import LAYERS, load_spec, op_of
from compiler.text import Mapping as YamlMapping
from compiler.text import Node, Scalar, Sequence, parse_yaml

LONGEST = 200
"""Characters of a value that is written."""
OF_EVERY_LAYER = ("repeat", "when", "size")
"""What every layer may say and is a value; all else is words, names, or layers."""
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
"""What may stand before a value in YAML: the name that an alias refers to."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value as the spec writes it."""

    key: str
    """`param:NAME`, `input:NAME:AXIS`, `repeat:REGION`, `layer:NAME:FIELD`."""
    what: str
    """`classes`, `image height`, `filters`, `with n`."""
    text: str
    span: Span


def value_of(graph: Graph, texts: Mapping[str, str], key: str) -> Value:
    """Return the value that a key means.

    Raises:
        UsageError: the spec writes no such value.
    """
    kind, _, rest = key.partition(":")
    if kind == "repeat":
        kind, rest = "layer", f"{rest}:repeat"
    found: Iterator[Value] = iter(())
    if kind in ("param", "input"):
        found = network_values(graph, texts)
    elif kind == "layer":
        found = layer_values(graph, texts, rest.rpartition(":")[0])
    wanted = f"{kind}:{rest}"
    for value in found:
        if value.key == wanted:
            return value
    owner, _, field = rest.rpartition(":")
    named = f"`{field}` of `{owner}`" if owner else f"`{rest or key}`"
    raise UsageError(f"the spec writes no {shortened(named)} that could be changed")


def network_values(graph: Graph, texts: Mapping[str, str]) -> Iterator[Value]:
    """Yield the defaults of a network's parameters and the sizes of its inputs."""
    written = graph.info.written
    params = written.get("params") if written else None
    for name, entry in params.entries.items() if isinstance(params, YamlMapping) else ():
        node: Node | None = entry.node
        if isinstance(node, YamlMapping):
            node = node.get("default")
        if node is not None:
            yield from _value(texts, f"param:{name}", name, node)
    inputs = written.get("input") if written else None
    for name, entry in inputs.entries.items() if isinstance(inputs, YamlMapping) else ():
        if isinstance(entry.node, Sequence):
            axes = zip(("channels", "height", "width"), entry.node.items, strict=False)
            for axis, (word, item) in enumerate(axes):
                yield from _value(texts, f"input:{name}:{axis}", f"{name} {word}", item)


def layer_values(graph: Graph, texts: Mapping[str, str], name: str) -> Iterator[Value]:
    """Yield the values of a layer's own fields, those of its block's parameters too."""
    if name not in graph.regions and name not in graph.nodes:
        return
    written = graph.info_of(name).written
    if not name or written is None:
        return
    op = op_of(written.entries)
    model = LAYERS.get(op)
    for key, entry in written.entries.items():
        is_word = key == op and model is not None and issubclass(model, WordLayer)
        if not is_word and (key in OF_EVERY_LAYER or key not in COMMON_KEYS):
            yield from _fields(texts, f"layer:{name}", key, entry.node)


def _fields(texts: Mapping[str, str], layer: str, field: str, node: Node) -> Iterator[Value]:
    """Yield a field, or the fields of a mapping; layers are none."""
    if not isinstance(node, YamlMapping):
        if not (isinstance(node, Scalar) and node.value is True):
            yield from _value(texts, f"{layer}:{field}", field.replace(".", " "), node)
        return
    for key, entry in node.entries.items():
        if not isinstance(entry.node, YamlMapping):
            yield from _fields(texts, layer, f"{field}.{key}", entry.node)


def _value(texts: Mapping[str, str], key: str, what: str, node: Node) -> Iterator[Value]:
    """Yield a value that is written on one line: a scalar, or a list of them."""
    if isinstance(node, YamlMapping) or node.span.line != node.span.end_line:
        return
    if isinstance(node, Sequence) and not all(isinstance(i, Scalar) for i in node.items):
        return
    if node.span.file not in texts:
        return
    written = slice_of(texts[node.span.file], node.span)
    before = _PROPERTIES.match(written)
    start = before.end() if before else 0
    span = replace(node.span, column=node.span.column + start)
    text = node.text if isinstance(node, Scalar) else written[start:]
    yield Value(key, what, text, span)


# -- the edit ------------------------------------------------------------------------------------


def value_edit(text: str, value: Value, new: str) -> Edit:
    """Return the edit that gives a value another text, and changes nothing else of its file.

    Args:
        text: the file.
        value: a value in it.
        new: the value as one types it; it is put into quotes where YAML needs them.

    Raises:
        UsageError: no edit of the value alone has that text.
    """
    new = new.strip()
    if not new or len(new) > LONGEST or not new.isprintable():
        raise UsageError(f"write a value of 1 to {LONGEST} characters on one line")
    before = parse_yaml(text, value.span.file, Report())
    mark = slice_of(text, value.span)[:1]
    spellings = [new, "'" + new.replace("'", "''") + "'"]
    if mark == "'" or (mark == '"' and not set(new) & {'"', "\\"}):
        spellings.insert(0, f"{mark}{new}{mark}")  # as it was written
    for spelling in spellings:
        edit = Edit(value.span, spelling)
        try:
            after = parse_yaml(apply_edits(text, [edit]), value.span.file, Report())
        except CompileError:
            continue
        if _differ_there_alone(before, after, value.span, new):
            return edit
    raise UsageError(f"`{shortened(new)}` is no single value")


def _differ_there_alone(before: Node, after: Node, span: Span, new: str) -> bool:
    """True where two texts hold the same but for a value at a place, which is the new one."""
    stack = [(before, after)]
    while stack:
        old, now = stack.pop()
        if _end(old.span) == _end(span) and not isinstance(old, YamlMapping):
            if not _is(now, new):
                return False
        elif isinstance(old, Scalar) and isinstance(now, Scalar):
            if (old.text, old.quoted) != (now.text, now.quoted):
                return False
        elif isinstance(old, Sequence) and isinstance(now, Sequence):
            if len(old.items) != len(now.items):
                return False
            stack += zip(old.items, now.items, strict=True)
        elif isinstance(old, YamlMapping) and isinstance(now, YamlMapping):
            if list(old.entries) != list(now.entries):
                return False
            stack += [(e.node, now.entries[key].node) for key, e in old.entries.items()]
        else:
            return False
    return True


def _end(span: Span) -> tuple[int, int]:
    return span.end_line, span.end_column


def _is(node: Node, new: str) -> bool:
    """True for the node that a text makes: a scalar of these characters, or a flat list."""
    if isinstance(node, Sequence):
        is_flow = new.startswith("[") and new.endswith("]")
        return is_flow and all(isinstance(item, Scalar) for item in node.items)
    return isinstance(node, Scalar) and node.text == new


def check_reads(source: str, path: str, text: str, edit: Edit) -> None:
    """Refuse an edit after which the value cannot be read as one of its field.

    What the network comes to with it is not asked: that shows, as with any other edit.

    Args:
        source: the spec.
        path: the real path of the file that changes.
        text: that file with the edit.
        edit: the edit.

    Raises:
        UsageError: with the compiler's words.
    """
    report = Report()
    try:
        load_spec(source, report, unsaved={path: text})
    except CompileError as error:
        report.add_all(error.diagnostics)
    at, length = edit.span, len(edit.text)
    for found in report.errors:
        span = found.span
        is_there = (span.file, span.line) == (at.file, at.line)
        if is_there and at.column <= span.column <= at.column + length:
            help = f"; {found.help}" if found.help else ""
            raise UsageError(f"{found.message}{help}")
