"""A name changed wherever it is spoken of: the compiler itself says where the old one is missed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from string import ascii_letters

from compiler.edit.definition import Definition, definition_of, moved_edit
from compiler.edit.span_edits import Edit, SourceFile, apply_edits, slice_of
from compiler.errors import CompileError, Diagnostic, Span, UsageError
from compiler.graph import Graph, without_copies
from compiler.pipeline import NO_SETTINGS, Compilation
from compiler.spec.shipped import is_shipped
from compiler.spec.tree import Tree
from compiler.text import show_value

MISSED = frozenset((
    "unknown-layer", "unknown-block", "unknown-parameter", "bad-change", "unused-parameter",
    "bad-expression", "bad-value",
))  # fmt: skip
"""Codes of findings that a name is missed with."""
WORD = re.compile(r"[A-Za-z_]\w*")
MOST_ROUNDS = 30
MOST_FILES = 300
"""Specs of a folder tree that may use the name."""


@dataclass(slots=True)
class Renamed:
    """The files that change, and who else has the name."""

    files: dict[Path, str] = field(default_factory=dict)
    """File -> its new text."""
    edits: list[Edit] = field(default_factory=list)
    """All that is edited; each place is as it was before, where the new name is as long as the old
    one."""
    networks: list[str] = field(default_factory=list)
    """The networks that were compiled before and after, and are the same but for the name."""


def rename(
    spec: str,
    old: str,
    new: str,
    kind: str = "",
    *,
    moves: bool = False,
    unsaved: Mapping[str, str] = NO_SETTINGS,
) -> Renamed:
    """Return what a new name of a layer, a block or a parameter changes; nothing is written.

    The definition is renamed, and then whatever the compiler misses the old name at, in every spec
    of the folder tree that reads the file. All of them must be the same networks as before, but for
    the name; a layer that had its name from a block keeps it.

    Args:
        spec: a network.
        old: `stem.conv_1a`, a block's name, a parameter or a name of a `let`, `block.parameter`,
            or `layer.variable` of a `for`.
        new: the new name, of the last step alone.
        kind: `layer`, `block` or `parameter`, where `old` could be several.
        moves: say so in `moved` of each network, so that files of weights are followed.
        unsaved: real path of a file -> the text that it has in an editor.

    Raises:
        CompileError: the spec is at fault.
        UsageError: there is no such name, it cannot be changed here, or something would change
            besides.
    """
    before = Compilation(spec, unsaved=unsaved)
    definition = definition_of(before, old, new, kind)
    paths = _users(before, {e.span.file for e in definition.edits})
    users = [user for path in paths for user in _each_way(path, unsaved)]
    edits = {*definition.edits}
    for user in users:  # a variant may define a block anew, and instances may be called by it
        edits |= set(definition.shared(user.before))
    texts: dict[Path, str] = {}
    _apply(texts, edits, unsaved)
    out = Renamed(edits=[*edits])
    for _ in range(MOST_ROUNDS):
        edits = {edit for user in users for edit in user.missed(texts, definition)}
        if not edits:
            break
        _apply(texts, edits, unsaved)
        out.edits += edits
    for path in paths if moves else ():
        own = [user for user in users if user.path == path]
        found = {old: new for user in own for old, new in user.moved(definition).items()}
        if found:
            text = texts.get(path) or own[0].before.texts[str(path)]
            _apply(texts, [moved_edit(text, str(path), found)], unsaved)
    for user in users:
        user.verify(texts, definition)
    out.networks = [str(path) for path in paths]
    out.files = texts
    return out


def find_places(
    spec: str, name: str, kind: str = "", unsaved: Mapping[str, str] = NO_SETTINGS
) -> list[Span]:
    """Return every place where a name is given or spoken of: what a rename would edit.

    `unsaved` is as in `rename`.

    Raises:
        CompileError: the spec is at fault.
        UsageError: there is no such name, or it is none that the spec gives.
    """
    before = Compilation(spec, unsaved=unsaved)
    definition_of(before, name, "x", kind)
    local = name.rpartition(".")[2]
    known = {word for text in before.texts.values() for word in WORD.findall(text)}
    words = map("".join, product(ascii_letters, repeat=len(local)))
    fresh = next((word for word in words if word not in known), None)
    if fresh is None:
        raise UsageError(f"every name as long as `{local}` is taken")
    edits = rename(spec, name, fresh, kind, unsaved=unsaved).edits
    found = {place for edit in edits for place in _words(edit, fresh)}
    return sorted(found, key=lambda span: (span.file, span.line, span.column))


def _words(edit: Edit, word: str) -> Iterator[Span]:
    """Yield the places of a word in the text of an edit, which is as long as the one before it."""
    for found in re.finditer(rf"\b{word}\b", edit.text):
        lines = edit.text[: found.start()].split("\n")
        line = edit.span.line + len(lines) - 1
        column = len(lines[-1]) + (edit.span.column if len(lines) == 1 else 1)
        is_new = (edit.span.line, edit.span.column) == (edit.span.end_line, edit.span.end_column)
        if not is_new:
            yield Span(edit.span.file, line, column, line, column + len(word))


class _User:
    """A network that may speak of the name, as it is written or with one of its switches set."""

    def __init__(
        self, path: Path, unsaved: Mapping[str, str], settings: Mapping[str, str] = NO_SETTINGS
    ) -> None:
        self.path = path
        self.unsaved = unsaved
        self.settings = settings
        self.before = Compilation(path, settings, unsaved=unsaved)
        self.graph = _draft(self.before)
        self.known = set(map(_identity, self.before.diagnostics))

    def _compiled(self, texts: Mapping[Path, str], definition: Definition) -> Compilation:
        edited = {os.path.realpath(path): text for path, text in texts.items()}
        unsaved = {**self.unsaved, **edited}
        old = definition.old if definition.is_setting else ""
        settings = {definition.new if k == old else k: v for k, v in self.settings.items()}
        return Compilation(self.path, settings, unsaved=unsaved)

    def missed(self, texts: Mapping[Path, str], definition: Definition) -> Iterator[Edit]:
        """Yield the edits of places where the compiler misses the old name."""
        after = self._compiled(texts, definition)
        _draft(after)
        for found in after.diagnostics:
            if found.code in MISSED and _identity(found) not in self.known:
                yield from _edits_at(found, after.texts, definition)

    def moved(self, definition: Definition) -> dict[str, str]:
        """Return what its layers were called, and what they are called now."""
        found: dict[str, str] = {}
        if self.graph is None or not definition.written:
            return found
        for name in (*self.graph.regions, *self.graph.nodes):
            new = definition.renamed(name, self.graph)
            is_own = new.rpartition(".")[0] == definition.renamed(
                name.rpartition(".")[0], self.graph
            )
            if name and new != name and is_own and new.rpartition(".")[2] == definition.new:
                found[without_copies(name)] = without_copies(new)
        return found

    def verify(self, texts: Mapping[Path, str], definition: Definition) -> None:
        """Refuse a rename after which this is another network, or more is wrong with it."""
        after = self._compiled(texts, definition)
        graph = _draft(after)
        more = [d for d in after.diagnostics if _identity(d) not in self.known]
        if more:
            first = next((d for d in more if d.code == "duplicate-name"), more[0])
            where = f"{first.span}: {first.message}"
            raise UsageError(f"`{definition.new}` would not do: {where}")
        if (self.graph is None) != (graph is None):
            raise UsageError(f"{self.path} would not be the same network")
        if self.graph is not None and graph is not None:
            _compare(self.path, self.graph, graph, definition)


def _each_way(path: Path, unsaved: Mapping[str, str]) -> Iterator[_User]:
    """Yield a network as it is written, and with each switch set the other way.

    What a `when` leaves out of the one is in the other.
    """
    user = _User(path, unsaved)
    yield user
    for parameter in user.graph.params if user.graph else ():
        value = user.graph.arguments.get(parameter.name) if user.graph else None
        if isinstance(value, bool):
            yield _User(path, unsaved, {parameter.name: show_value(not value)})


def _compare(path: Path, before: Graph, after: Graph, definition: Definition) -> None:
    """Refuse two graphs that differ by more than the name."""
    names = {name: definition.renamed(name, before) for name in before.nodes}
    for (old, new), node in zip(names.items(), after.nodes.values(), strict=False):
        was = before.nodes[old]
        reads = tuple(names[i] for i in was.inputs)
        if (new, was.op, reads) != (node.name, node.op, node.inputs):
            raise UsageError(
                f"{path} would be another network: `{new}` would be `{node.name}`; "
                "give the layers around it names of their own first"
            )
    if len(before.nodes) != len(after.nodes):
        raise UsageError(f"{path} would be another network")


def _draft(compilation: Compilation) -> Graph | None:
    try:
        return compilation.draft
    except (CompileError, UsageError):
        return None


def _identity(found: Diagnostic) -> tuple[str, str, int]:
    return found.code, found.span.file, found.span.line


def _edits_at(
    found: Diagnostic, texts: Mapping[str, str], definition: Definition
) -> Iterator[Edit]:
    """Yield the edits of the old name in the place of a finding, and where it is a key below."""
    text = texts.get(found.span.file)
    if text is None:
        return
    piece = slice_of(text, found.span)
    new = definition.pattern.sub(definition.new, piece)
    if new != piece:
        yield Edit(found.span, new)


def _apply(texts: dict[Path, str], edits: Iterable[Edit], unsaved: Mapping[str, str]) -> None:
    by_file: dict[Path, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(Path(edit.span.file), []).append(edit)
    for path, found in by_file.items():
        if is_shipped(str(path)):
            raise UsageError(f"{path} is installed with netdraft; copy it to change it")
        text = texts.get(path, unsaved.get(os.path.realpath(path)))
        text = SourceFile.read(path).text if text is None else text
        texts[path] = apply_edits(text, _innermost(found))


def _innermost(edits: list[Edit]) -> list[Edit]:
    """Return edits without those around others: a finding about a layer, and one about its key."""
    spans = {edit.span for edit in edits}
    return [e for e in edits if not any(o != e.span and _holds(e.span, o) for o in spans)]


def _holds(outer: Span, inner: Span) -> bool:
    start, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return start <= (inner.line, inner.column) and (inner.end_line, inner.end_column) <= end


def _users(compilation: Compilation, files: Iterable[str]) -> list[Path]:
    """Return the networks of the folder tree that read one of some files, the spec itself first."""
    own = compilation.spec.path
    edited = set(map(os.path.realpath, files))
    out = [own]
    root = Tree(own).roots[0]
    for count, path in enumerate(sorted(root.rglob("*.yaml"))):
        if count >= MOST_FILES or path.resolve() == own.resolve():
            continue
        other = Compilation(os.path.relpath(path), unsaved=compilation.unsaved)
        try:
            is_network = other.spec.network is not None
        except (CompileError, UsageError):
            continue
        if is_network and edited & {os.path.realpath(file) for file in other.texts}:
            out.append(Path(os.path.relpath(path)))
    return out
