"""YAML text -> values that remember file:line:column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from compiler.errors import (
    Budget,
    CompileError,
    Diagnostic,
    Remark,
    Report,
    Span,
    excess,
    fail,
    way_out,
)
from compiler.text.nodes import (
    Doubled,
    DoubledScalar,
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    plain,
    resolve,
)

MAX_DEPTH = 100
"""Levels of nesting; the deepest shipped spec has 9."""


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
