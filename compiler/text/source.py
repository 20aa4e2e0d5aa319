"""YAML text -> values that remember file:line:column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import yaml

from compiler.errors import Budget, CompileError, Diagnostic, Remark, Report, Span, excess, way_out

MAX_DEPTH = 100
"""Levels of nesting; the deepest shipped spec has 9."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: None, bool, int, Fraction or str."""

    value: Any
    text: str
    span: Span
    quoted: bool
    notes: tuple[str, ...] = ()
    """Where a change put it, for `--emit spec`: `child.yaml:7`."""

    kind = "value"

    def inside(self, start: int, end: int) -> Span:
        """Return the place of characters `start` to `end` of the value.

        That is the whole value where the file writes it otherwise: over several lines, with
        escapes, behind an anchor.
        """
        width = self.span.end_column - self.span.column
        is_as_written = width == len(self.text) + 2 * self.quoted
        if self.span.line != self.span.end_line or not is_as_written:
            return self.span
        return self.span.inside(start + self.quoted, end + self.quoted)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in a mapping, with the place of its key."""

    key_span: Span
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys in the order of the file."""

    entries: dict[str, Entry]
    span: Span
    notes: tuple[str, ...] = ()

    kind = "mapping"

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self.entries.get(key)
        return entry.node if entry else None


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items in order."""

    items: tuple[Node, ...]
    span: Span
    notes: tuple[str, ...] = ()

    kind = "list"


@dataclass(frozen=True, slots=True)
class Doubled(Sequence):
    """A list whose key is given twice: the items of the first, with those of the second beside."""

    again: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class DoubledScalar(Scalar):
    """A value whose key is given twice: the first one, with the others beside."""

    again: tuple[Scalar, ...] = ()


Node = Scalar | Mapping | Sequence


def plain(node: Node) -> Any:
    """Return a node as plain Python data: dict, list, str, int, Fraction, bool, None."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def span_at(node: Node, steps: tuple[int | str, ...]) -> Span:
    """Return the place of the value at the end of a path, or of the last value on the way."""
    return node_at(node, steps).span


def node_at(node: Node, steps: tuple[int | str, ...]) -> Node:
    """Return the value at the end of a path, or the last value on the way."""
    for step in steps:
        if isinstance(node, Mapping) and str(step) in node.entries:
            node = node.entries[str(step)].node
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node


def key_span_at(node: Node, steps: tuple[int | str, ...]) -> Span:
    """Return the place of the key at the end of a path, or of what should hold it."""
    node, last = node_at(node, steps[:-1]), str(steps[-1])
    entry = node.entries.get(last) if isinstance(node, Mapping) else None
    return entry.key_span if entry else node.span


def fail(code: str, message: str, span: Span, **more: Any) -> CompileError:
    """Return an error with one diagnostic, to be raised."""
    return CompileError([Diagnostic(code, message, span, **more)])


_KINDS: tuple[tuple[bytes, str], ...] = (
    (rb".{7}\0\{", "holds weights (safetensors)"),
    (rb"PK\x03\x04", "is an archive, as torch's checkpoints are"),
    (rb"\x80[\x02-\x05]", "holds a pickle, as torch's checkpoints do"),
    (rb"\x89HDF\r\n", "holds HDF5 data, as Keras' weights are"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|%PDF", "is a picture or a document"),
)
"""How files begin that are named where YAML is meant -> what each is."""


def check_is_text(data: bytes, file: str) -> None:
    """Refuse what is no text but a file of weights, or another that is known by its first bytes.

    Raises:
        CompileError: `not-utf8`.
    """
    for start, what in _KINDS:
        if re.match(start, data[:16], re.DOTALL):
            raise fail(
                "not-utf8",
                f"the file is no YAML: it {what}",
                Span(file, 1, 1),
                help="name the YAML file that is meant: a spec, or with `weights` a map of names",
            )


def decode(data: bytes, file: str) -> str:
    """Return the text of a spec file: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        CompileError: `not-utf8`, at the first byte that is not.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise fail(
            "not-utf8",
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            Span(file, line, column),
            help="save it as UTF-8",
        ) from None


def parse_yaml(text: str, file: str, report: Report | None = None) -> Mapping:
    """Parse one YAML document whose root is a mapping.

    Scalars follow YAML 1.2: `no` is text, `010` is ten, `1e-3` is a number. Keys are text.
    What is wrong without making the rest unreadable, such as a duplicate key, goes to
    `report` where there is one.

    Raises:
        CompileError: the text is not YAML, or is YAML that no spec can be.
    """
    builder = _Builder(file, text, report.budget if report else Budget())
    root = builder.build()
    lost = any(d.code == "bad-key" for d in builder.found)  # and what is under the key
    if builder.found and (report is None or lost):
        raise CompileError(builder.found)
    if report is not None:
        report.add_all(builder.found)
        report.is_partial |= builder.is_partial
    if root is None:
        raise fail("empty-file", "the file is empty", Span(file, 1, 1), help=_ROOT_HELP)
    if not isinstance(root, Mapping):
        what = "a list" if isinstance(root, Sequence) else f"the text `{_short(root.text)}`"
        raise fail(
            "not-a-spec", f"the file holds {what}, not a mapping", root.span, help=_ROOT_HELP
        )
    return root


def parse_value(text: str, file: str) -> Node:
    """Parse one YAML value, as a key of a spec may have it.

    Raises:
        CompileError: the text is not YAML, or is YAML that no spec can hold.
    """
    builder = _Builder(file, text, Budget())
    root = builder.build()
    if builder.found:
        raise CompileError(builder.found)
    return root or Scalar(None, "", Span(file, 1, 1), quoted=False)


_KEY_HELP = "a key is one word before `: `; a `?` before it, or a bracket, makes more of it"
_ROOT_HELP = "a spec begins with `network: NAME`, a library with `blocks:`"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    event: Any
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    keys: list[Scalar] = field(default_factory=list)
    key: Scalar | None = None
    size: int = 1
    """Values in it, itself too; what an alias repeats counts each time."""
    height: int = 1
    """Levels in it, its own too."""


class _Builder:
    """Builds nodes from libyaml's events, without recursion."""

    def __init__(self, file: str, text: str, budget: Budget) -> None:
        self.file = file
        self.text = text
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}
        """Name -> a value, its size and its height."""
        self.open_anchors: set[str] = set()
        self.budget = budget
        self.size = 0
        self.remaining = budget.remaining("values")
        self.root: Node | None = None
        self.documents = 0
        self.found: list[Diagnostic] = []
        """Faults that leave the rest readable."""
        self.is_partial = False
        """True where something is left out that may define names."""

    def build(self) -> Node | None:
        steps: dict[type, Callable[[Any], None]] = {
            yaml.DocumentStartEvent: self._begin,
            yaml.ScalarEvent: self._put_scalar,
            yaml.AliasEvent: self._put_alias,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
        }
        for event in self._events():
            if step := steps.get(type(event)):
                step(event)
        self.budget.spend("values", self.size)
        empty = isinstance(self.root, Scalar) and self.root.value is None
        return None if empty else self.root

    def _begin(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise fail(
                "several-documents",
                "the file holds more than one document",
                self._span(event),
                help="keep one spec per file; take the second `---` out",
            )

    def _put_scalar(self, event: Any) -> None:
        self._check_tag(event)
        self._count("too-large", 1, event)
        self._put_new(self._scalar(event), event, 1, 0)

    def _events(self) -> Iterator[Any]:
        try:
            yield from yaml.parse(self.text, Loader=yaml.CBaseLoader)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except yaml.reader.ReaderError as error:
            at = self.text[: error.position] if isinstance(error.position, int) else ""
            code = f"{_code_point(error.character):04X}"
            raise fail(
                "yaml-syntax",
                f"the character U+{code} may not stand in YAML",
                Span(self.file, at.count("\n") + 1, len(at) - (at.rfind("\n") + 1) + 1),
                help=f"take it out; in double quotes it can be written as an escape, `\\u{code}`",
            ) from None

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> CompileError:
        if error.problem_mark and "maximum nesting depth" in (error.problem or ""):
            mark = error.problem_mark
            return _too_deep(Span(self.file, mark.line + 1, mark.column + 1))
        from compiler.text.syntax import explain  # for a text that is wrong alone

        fault = explain(self.text, self.file, error)
        before = [d for d in self.found if d.span.line < fault.span.line]  # the rest may be echoes
        return CompileError([*before, fault])

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _fault(self, code: str, message: str, span: Span, **more: Any) -> None:
        self.found.append(Diagnostic(code, message, span, **more))

    def _check_tag(self, event: Any) -> None:
        if event.tag and event.tag != "!":
            self._fault(
                "yaml-tag",
                f"the tag `{_short(event.tag)}` is not allowed",
                self._span(event),
                help="a spec is plain data; take the tag out",
            )

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        is_plain = event.style in (None, "") and event.tag != "!"
        value = resolve(event.value) if is_plain else event.value
        return Scalar(value, event.value, self._span(event), not is_plain)

    def _put_alias(self, event: Any) -> None:
        name = event.anchor
        if name in self.open_anchors:
            raise fail(
                "recursive-alias",
                f"`*{name}` stands inside the value that it names",
                self._span(event),
                help="an alias can only repeat a value that is already complete",
            )
        if name not in self.anchors:
            raise fail(
                "yaml-syntax",
                f"`*{name}` has no `&{name}` before it",
                self._span(event),
                help="`*` repeats what `&` has named; a text that begins with it stands in quotes",
            )
        node, size, height = self.anchors[name]
        self._check_depth(height, event)
        self._count("alias-bomb", size, event)
        self._put(node, size, height)

    def _open(self, event: Any) -> None:
        self._check_tag(event)
        self._check_depth(1, event)
        self._count("too-large", 1, event)
        if event.anchor:
            self.open_anchors.add(event.anchor)
        self.stack.append(_Open(event, type(event) is yaml.MappingStartEvent))

    def _check_depth(self, height: int, event: Any) -> None:
        if len(self.stack) + height > MAX_DEPTH:
            raise _too_deep(self._span(event))

    def _count(self, code: str, size: int, event: Any) -> None:
        """Count values before anything is made of them."""
        self.size += size
        if self.size <= self.remaining:
            return
        helps = {"alias-bomb": "use a block with `repeat` instead of aliases of aliases; "}
        help = helps.get(code, "") + way_out("values")
        raise fail(code, excess("values"), self._span(event), help=help)

    def _close(self, event: Any) -> None:
        top = self.stack.pop()
        start, end = top.event.start_mark, event.end_mark
        span = Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
        node = self._mapping(top, span) if top.is_mapping else Sequence(tuple(top.items), span)
        if top.event.anchor:
            self.open_anchors.discard(top.event.anchor)
        self._put_new(node, top.event, top.size, top.height)

    def _put_new(self, node: Node, event: Any, size: int, height: int) -> None:
        if event.anchor:
            self.anchors[event.anchor] = (node, size, height)
        self._put(node, size, height)

    def _put(self, node: Node, size: int, height: int) -> None:
        """Hand a finished node to the collection that is open, or make it the root."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.size += size
        if height >= top.height:
            top.height = height + 1
        if top.is_mapping and top.key is None:
            top.key = self._key(node)
            return
        if top.key is not None:
            top.keys.append(top.key)
            top.key = None
        top.items.append(node)

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            self._fault("bad-key", f"a {node.kind} cannot be a key", node.span, help=_KEY_HELP)
            return Scalar(None, "", node.span, quoted=False)
        if node.value is None and not node.quoted:
            self._fault("bad-key", "a key is empty", node.span, help="name it, or take it out")
        return node

    def _mapping(self, top: _Open, span: Span) -> Mapping:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}  # the first base that has a key wins
        before: list[str] | None = None
        for key, node in zip(top.keys, top.items, strict=True):
            if key.value is None:
                continue
            if key.text == "<<" and not key.quoted:
                before = list(own) if before is None else before
                for base in self._merged(node):
                    for name, entry in base.entries.items():
                        merged.setdefault(name, entry)
                continue
            if key.text in own:
                self._fault(
                    "duplicate-key",
                    f"the key `{_short(key.text)}` stands twice in one mapping "
                    f"(lines {own[key.text].key_span.line} and {key.span.line})",
                    key.span,
                    remarks=(Remark(own[key.text].key_span, "it stands here first"),),
                    help="keep one of the two",
                )
                first = own[key.text]
                own[key.text] = Entry(first.key_span, self._first_of(first.node, node))
                continue
            own[key.text] = Entry(key.span, node)
        if before is None:
            return Mapping(own, span)
        # What is merged takes the position of `<<`: a layer's op comes first, as in its base.
        order = dict.fromkeys([*before, *merged, *own])
        return Mapping({name: own.get(name) or merged[name] for name in order}, span)

    def _first_of(self, first: Node, second: Node) -> Node:
        """Return the value of a duplicate key: the first, with what the second adds."""
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            both = {**second.entries, **first.entries}
            for name in second.entries.keys() & first.entries.keys():
                self.is_partial = True
                one = first.entries[name]
                node = self._first_of(one.node, second.entries[name].node)
                both[name] = Entry(one.key_span, node)
            order = dict.fromkeys([*first.entries, *second.entries])
            return Mapping({name: both[name] for name in order}, first.span)
        if isinstance(second, Sequence):
            self.is_partial |= not all(isinstance(plain(item), int) for item in second.items)
            if isinstance(first, Sequence):
                again = first.again if isinstance(first, Doubled) else ()
                return Doubled(first.items, first.span, first.notes, (*again, *second.items))
        if isinstance(first, Scalar) and isinstance(second, Scalar):
            others = first.again if isinstance(first, DoubledScalar) else ()
            head = first.value, first.text, first.span, first.quoted, first.notes
            return DoubledScalar(*head, (*others, second))
        return first

    def _merged(self, node: Node) -> list[Mapping]:
        items = node.items if isinstance(node, Sequence) else (node,)
        out = [item for item in items if isinstance(item, Mapping)]
        if len(out) != len(items):
            self._fault("bad-merge", "`<<` takes a mapping or a list of mappings", node.span)
        return out


def _too_deep(span: Span) -> CompileError:
    return fail(
        "too-deep",
        f"the file nests deeper than {MAX_DEPTH} levels",
        span,
        help="move the inner part into a block of its own",
    )


def _code_point(character: Any) -> int:
    if isinstance(character, int):
        return character
    return ord(character[:1]) if character else 0


_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def resolve(text: str) -> Any:
    """Return the value of a plain scalar under the YAML 1.2 core schema; fractions are exact.

    But `0x3` is no hexadecimal number: it is text, for it is a size, as the padding of a 1x7.
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 40 or text[0] not in "0123456789+-.":
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = Fraction(text)
        return value.numerator if value.denominator == 1 else value
    return text
