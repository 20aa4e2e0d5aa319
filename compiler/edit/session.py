"""A spec that is watched: what it comes to as its files are now, values tried, values written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from compiler.edit.history import Change, History
from compiler.edit.span_edits import Edit, SourceFile, apply_edits
from compiler.edit.values import (
    Value,
    check_reads,
    layer_values,
    network_values,
    value_edit,
    value_of,
)
from compiler.errors import CompileError, Diagnostic, Span, UsageError, shortened
from compiler.graph import Graph
from compiler.pipeline import NO_SETTINGS, Compilation
from compiler.spec import Spec
from compiler.spec.file import find_spec
from compiler.spec.shipped import is_shipped


@dataclass(frozen=True)
class Outcome:
    """What the files of a spec came to."""

    graph: Graph | None
    """The network, with errors or without; None where nothing can be made of the files."""
    spec: Spec | None
    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str]
    """File as spans name it -> what was read."""
    files: frozenset[Path] = frozenset()
    """What was read, and what was looked for and is not there."""
    failure: str = ""
    """Why there is no network, where no diagnostic says it."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Values that cannot be tried -> why."""

    @property
    def has_errors(self) -> bool:
        """True where the files are no right network: they may be half written."""
        return self.graph is None or any(d.severity == "error" for d in self.diagnostics)

    def same_as(self, other: Outcome) -> bool:
        """True for two outcomes of the same texts."""
        mine = (self.texts, self.failure, self.diagnostics)
        return mine == (other.texts, other.failure, other.diagnostics)


class Session:
    """A spec whose files others edit, and this session too.

    Values have the keys of `compiler.edit.values`. What is tried changes no file.
    """

    def __init__(self, source: str, settings: Mapping[str, str], inputs: Sequence[str]) -> None:
        """Find the spec.

        Raises:
            UsageError: there is no such file.
        """
        # Absolute, so that a file that goes away does not become a shipped one of its name.
        self.path = find_spec(source).absolute()
        self.settings = settings
        self.inputs = tuple(inputs)
        self.history = History()
        self.base = self._compile(settings, self.inputs, {})

    @property
    def files(self) -> frozenset[Path]:
        """The files that the spec is read from, and where those may come that it names."""
        return frozenset(p.absolute() for p in (self.path, *self.base.files))

    def refresh(self) -> Outcome:
        """Return what the files come to as they are now."""
        self.base = self._outcome(self.settings, self.inputs)
        return self.base

    def attempt(self, values: Mapping[str, str]) -> Outcome:
        """Return what the files come to with other values; wrong ones are left out.

        Where nothing can be made of the files, nothing is said of values.
        """
        if self.base.graph is None:
            return self.base
        with suppress(UsageError):
            return self._compile(*self._arguments(values))
        held: dict[str, str] = {}
        refused: dict[str, str] = {}
        for key, text in values.items():
            try:
                self._compile(*self._arguments({**held, key: text}))
            except UsageError as error:
                refused[key] = str(error)
            else:
                held[key] = text
        return replace(self._outcome(*self._arguments(held)), refused=refused)

    def _arguments(
        self, values: Mapping[str, str]
    ) -> tuple[Mapping[str, str], Sequence[str], Mapping[str, str]]:
        """Return settings, inputs and texts of files with values in them."""
        tried = _Tried(self)
        for key, text in values.items():
            tried.add(key, text.strip())
        return tried.arguments()

    def _outcome(
        self,
        settings: Mapping[str, str],
        inputs: Sequence[str] = (),
        unsaved: Mapping[str, str] = NO_SETTINGS,
    ) -> Outcome:
        """Return what comes of the files, a sentence where the command's own settings fail."""
        try:
            return self._compile(settings, inputs, unsaved)
        except UsageError as error:
            return Outcome(None, None, (), {}, failure=str(error))

    def _compile(
        self, settings: Mapping[str, str], inputs: Sequence[str], unsaved: Mapping[str, str]
    ) -> Outcome:
        if not self.path.is_file():
            failure = "the file is not there; it may come back"
            return Outcome(None, None, (), {}, failure=failure)
        compilation = Compilation(self.path, settings, inputs, unsaved)
        spec: Spec | None = None
        graph: Graph | None = None
        failure = ""
        with suppress(CompileError):
            spec = compilation.spec
            if spec.network is None:
                failure = "the file is a library of blocks, not a network"
            else:
                graph = compilation.draft
        files = frozenset((*map(Path, compilation.texts), *compilation.looked_for))
        found = compilation.diagnostics
        return Outcome(graph, spec, found, compilation.texts, files, failure)

    # -- values ------------------------------------------------------------------------------------

    def values(self, name: str) -> list[Value]:
        """Return what the spec writes of a layer, or of the network where the name is empty."""
        graph, texts = self.base.graph, self.base.texts
        if graph is None:
            return []
        if not name:
            return list(network_values(graph, texts))
        return list(layer_values(graph, texts, _first_alike(graph, name)))

    def places(self) -> dict[str, str]:
        """Return the values of the network by key, counts of repeats too, as they are written."""
        graph, texts = self.base.graph, self.base.texts
        if graph is None:
            return {}
        found = {value.key: value.text for value in network_values(graph, texts)}
        for region in graph.regions.values():
            if region.kind == "repeat":
                with suppress(UsageError):
                    key = f"repeat:{region.name}"
                    found[key] = value_of(graph, texts, key).text
        return found

    def value(self, key: str) -> Value:
        """Return the value of a key.

        Raises:
            UsageError: there is none, or the files cannot be read as they are now.
        """
        if self.base.graph is None:
            raise UsageError("the files are no network as they are now; mend them first")
        return value_of(self.base.graph, self.base.texts, key)

    def write(self, key: str, text: str, was: str | None = None) -> Change:
        """Put a value into its file.

        Args:
            key: which.
            text: as one types it.
            was: what stands there, as far as the writer knows.

        Raises:
            UsageError: the value cannot be read as one of its field, something else stands there
                by now, or the file cannot be written.
        """
        value, file = self._fresh(key)
        if was is not None and value.text != was:
            raise UsageError(f"{value.span}: `{value.what}` is `{value.text}` now, not `{was}`")
        if is_shipped(str(file.path)):
            raise UsageError(f"{file.path} is installed with netdraft; copy it to change it")
        if value.text == text.strip():
            raise UsageError(f"{value.span}: `{value.what}` is `{value.text}` already")
        edit = self.edit(value, file.text, text)
        return self.history.write(file, edit, value.what)

    def kept_by_command(self, key: str) -> str:
        """Return the option of the command that holds over a value of the file, if one does."""
        kind, _, name = key.partition(":")
        if kind == "param" and name in self.settings:
            return f"--set {name}={self.settings[name]}"
        return f"--input {self.inputs[0]}" if kind == "input" and self.inputs else ""

    def undo(self) -> Change:
        """Take the last edit of this session back; see `History`."""
        return self.history.undo()

    def redo(self) -> Change:
        """Make the edit again that was taken back last."""
        return self.history.redo()

    def _fresh(self, key: str) -> tuple[Value, SourceFile]:
        """Return a value and its file, as the file is now."""
        value = self.value(key)
        file = SourceFile.read(Path(value.span.file))
        if file.text != self.base.texts[value.span.file]:
            self.refresh()
            value = self.value(key)
            file = SourceFile.read(Path(value.span.file))
        if file.text != self.base.texts[value.span.file]:
            raise UsageError(f"{value.span.file} is being written; try again")
        return value, file

    def edit(self, value: Value, before: str, text: str) -> Edit:
        """Return the edit that gives a value another text.

        Raises:
            UsageError: the text cannot be read as a value of its field.
        """
        edit = value_edit(before, value, text)
        path = os.path.realpath(value.span.file)
        check_reads(str(self.path), path, apply_edits(before, [edit]), edit)
        return edit


class _Tried:
    """Values on their way into a compilation."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.settings = dict(session.settings)
        self.dims: dict[str, list[str]] = {}
        self.edits: dict[Span, Edit] = {}

    def add(self, key: str, text: str) -> None:
        """Take a value in.

        Raises:
            UsageError: there is none of this key, or the text is none.
        """
        kind, _, name = key.partition(":")
        if kind == "param":
            self.settings[name] = text
        elif kind == "input":
            self._resize(*name.rpartition(":")[::2], text)
        else:
            value = self.session.value(key)
            before = self.session.base.texts[value.span.file]
            self.edits[value.span] = self.session.edit(value, before, text)

    def _resize(self, name: str, axis: str, text: str) -> None:
        graph = self.session.base.graph
        if graph is None or name not in graph.inputs:
            raise UsageError(f"there is no input `{shortened(name)}`")
        dims = self.dims.setdefault(name, [str(d) for d in graph.nodes[name].shape])
        if axis not in map(str, range(len(dims))):
            raise UsageError(f"input `{name}` has {len(dims)} sizes, counted from 0")
        dims[int(axis)] = text

    def arguments(self) -> tuple[Mapping[str, str], Sequence[str], Mapping[str, str]]:
        """Return settings, inputs, and real path of a file -> its text with the edits."""
        inputs = [*self.session.inputs, *(f"{n}={'x'.join(d)}" for n, d in self.dims.items())]
        unsaved = {}
        for file in {span.file for span in self.edits}:
            edits = [edit for span, edit in self.edits.items() if span.file == file]
            text = apply_edits(self.session.base.texts[file], edits)
            unsaved[os.path.realpath(file)] = text
        return self.settings, inputs, unsaved


def _first_alike(graph: Graph, name: str) -> str:
    """Return the first layer that is written at the same place: a copy's original."""
    if name not in graph.regions and name not in graph.nodes:
        return name
    written = graph.info_of(name).written
    if written is None:
        return name
    for other in (*graph.regions, *graph.nodes):
        found = graph.info_of(other).written
        if other and found is not None and found.span == written.span:
            return other
    return name
