"""A spec as an editor has it -> findings, sizes at line ends, what a place means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from compiler.collector import paused
from compiler.errors import CompileError, Diagnostic, Span, UsageError, on_one_line
from compiler.facts.labels import label_of
from compiler.graph import Graph, Input, Symbolic, show_count
from compiler.lower import check_library
from compiler.pipeline import Compilation
from compiler.server.outline import Place, place_at
from compiler.spec.file import display
from compiler.text import Mapping as YamlMapping

NAMES = frozenset(("blocks", "branches", "for", "let", "params", "split"))
"""Keys of mappings whose keys are names that a spec gives."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A size that is shown at the end of a line."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Hover:
    """What a layer is, in Markdown, and the place that it is of."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """A path of words that ends with the one at a place: `stem.mixed_3a`."""

    text: str
    begin: int
    """The column of its last step, from 1."""
    before: str
    """What stands on the line before it."""
    after: str

    @property
    def is_key(self) -> bool:
        """True before a colon."""
        return bool(re.match(r"\s*:(\s|$)", self.after))

    def is_after(self, key: str) -> bool:
        """True where it is the value of a key."""
        return self.before.rstrip().endswith(f"{key}:")


@dataclass(frozen=True)
class Analysis:
    """A file with what the compiler makes of it."""

    file: str
    """As spans name it."""
    diagnostics: tuple[Diagnostic, ...]
    """Of every file that it reads."""
    texts: Mapping[str, str]
    graph: Graph | None
    """Of a network, wrong or not; None of what is no YAML, and of a library that nobody reads."""
    reads: frozenset[str] = frozenset()
    """Real paths of the files that it names, whether they are there or not, and of itself."""
    network: str = ""
    """The file of the network, where that is another one, which reads this library."""

    @cached_property
    def layers(self) -> tuple[tuple[Span, str], ...]:
        """The layers that are written in the file: place and name, each place once."""
        found: dict[Span, str] = {}
        for name in self._names():
            info = self.graph.info_of(name) if self.graph else None
            if info is None or info.span.file != self.file:
                continue
            span = info.written.span if info.written else info.span
            found.setdefault(span, name)
        return tuple(found.items())

    def _names(self) -> Iterator[str]:
        """Yield regions before the operations in them, a block's instance before its inside."""
        if self.graph is not None:
            yield from (n for n, r in self.graph.regions.items() if n and r.kind != "branch")
            nodes = self.graph.nodes.values()
            yield from (n.name for n in nodes if not isinstance(n.op, Input))

    def hints(self) -> tuple[Hint, ...]:
        """Return the size that each line's last layer gives, behind its end.

        A layer of several lines has its size on the first one, where no layer is whole.
        """
        ends: dict[int, tuple[Span, str]] = {}
        for span, name in self.layers:
            last = ends.get(span.line, (span, name))[0]
            is_later = (span.end_column, -span.column) >= (last.end_column, -last.column)
            if span.line == span.end_line and is_later:
                ends[span.line] = span, name
        for span, name in self.layers:
            ends.setdefault(span.line, (span, name))
        return tuple(self._hints(sorted(ends.items())))

    def _hints(self, ends: Iterable[tuple[int, tuple[Span, str]]]) -> Iterator[Hint]:
        lines = self.texts.get(self.file, "").splitlines()
        for line, (_, name) in ends:
            if line <= len(lines) and self.graph and self._is_known(name):
                size = self.graph.tensor(name).shape.paper
                yield Hint(line, len(lines[line - 1].rstrip()) + 1, size)

    def _is_known(self, name: str) -> bool:
        """Tell whether there is a size to show: of a layer with an error there is none."""
        return any(dim is not None for dim in (self.graph.tensor(name).shape if self.graph else ()))

    def layer_at(self, line: int, column: int) -> tuple[Span, str] | None:
        """Return the smallest layer around a place."""
        around = [(s, n) for s, n in self.layers if _contains(s, line, column)]
        return min(around, key=lambda found: _extent(found[0]), default=None)

    def hover(self, line: int, column: int) -> Hover | None:
        """Return what the layer at a place is."""
        found = self.layer_at(line, column)
        if found is None or not self._is_known(found[1]):
            return None
        span, name = found
        return Hover(span, "\n\n".join(self._facts(name)))

    def _facts(self, name: str) -> Iterator[str]:
        graph = self.graph
        assert graph is not None
        yield f"**{on_one_line(label_of(graph, name))}** `{name}`"
        region = graph.regions.get(name)
        node = graph.tensor(name)
        sources = region.inputs if region else node.inputs
        read = ", ".join(graph.nodes[i].shape.paper for i in sources)
        yield f"{read} → **{node.shape.paper}**"
        if region:
            counts = graph.parameters(name), graph.macs(name)
        else:
            counts = graph.count_params(node), graph.count_macs(node)
        if any(isinstance(c, Symbolic) or c for c in counts):
            yield f"{show_count(counts[0])} parameters, {show_count(counts[1])} MACs"
        info = graph.info_of(name)
        definition = graph.definitions.get(region.definition or "") if region else None
        for each in (info, definition.info if definition else None):
            if each and each.doc:
                yield on_one_line(each.doc)
            if each and each.cite:
                yield f"*{on_one_line(str(each.cite))}*"
            for erratum in each.errata if each else ():
                text = f"prints {erratum.printed}; built: {erratum.built}. {erratum.why}"
                yield f"**{erratum.id}** {erratum.where}: {on_one_line(text)}"

    def definition(self, line: int, column: int) -> Span | None:
        """Return where the word at a place is defined: a block, a layer, or a value."""
        at, graph = self.word_at(line, column), self.graph
        word = at.text
        if not word or graph is None:
            return None
        if word in graph.definitions and at.is_after("block"):
            return self._key(word, graph.definitions[word].info.span)
        if at.is_key and self._place(at, line).path[-1:] == ("with",):
            block = graph.definitions.get(self._block_of(line, column))
            params = block.params if block else ()
            return next((p.span for p in params if p.name == word), None)
        found = self.layer_at(line, column)
        scope = found[1].rpartition(".")[0] if found else ""
        heads = [word, word.rpartition(".")[0]]  # `a.channels` is of `a`
        for head in filter(None, heads):
            for around in _scopes(scope):
                path = f"{around}.{head}".lstrip(".")
                if path in graph.regions or path in graph.nodes:
                    return graph.info_of(path).span
        return self._value(word, line, column)

    def symbol_at(self, line: int, column: int) -> tuple[str, str] | None:
        """Return the name that a place speaks of, as `rename` takes it, and what it is."""
        at, graph = self.word_at(line, column), self.graph
        word = at.text
        if not word or graph is None:
            return None
        place = self._place(at, line)
        if at.is_key and place.path[-1:] == ("with",):
            block = self._block_of(line, column)
            return (f"{block}.{word}", "parameter") if block else None
        if not (NAMES.intersection(place.path[-1:]) if at.is_key else place.names):
            return None
        if word in graph.definitions and (at.is_key or at.is_after("block")):
            return word, "block"
        found = self.layer_at(line, column)
        names = [n for s, n in self.layers if _contains(s, line, column)]
        local = word.rpartition(".")[2]
        if at.is_after("name"):
            return next(((n, "layer") for n in names if n.rpartition(".")[2] == local), None)
        for around in _scopes(found[1].rpartition(".")[0] if found else ""):
            path = f"{around}.{word}".lstrip(".")
            if path in graph.regions or path in graph.nodes:
                return path, "layer"
        if self._value(word, line, column) is None:
            return None
        return f"{self._block_at(line, column)}.{word}".lstrip("."), "parameter"

    def _place(self, word: Word, line: int) -> Place:
        return place_at(self.texts.get(self.file, ""), line, len(word.before) + 1)

    def _block_of(self, line: int, column: int) -> str:
        """Return the block of the instance at a place, or of the first of its copies."""
        found, regions = self.layer_at(line, column), self.graph.regions if self.graph else {}
        names = (found[1], f"{found[1]}.0") if found else ()
        instances = (regions[name] for name in names if name in regions)
        return next((r.definition for r in instances if r.definition), "")

    def _block_at(self, line: int, column: int) -> str:
        """Return the block whose definition is around a place, "" for the network's own text."""
        for name, block in self.graph.definitions.items() if self.graph else ():
            written, file = block.info.written, block.info.span.file
            if written and file == self.file and _contains(written.span, line, column):
                return name
        return ""

    def _value(self, word: str, line: int, column: int) -> Span | None:
        """Return where a value is named: of a layer or block around a place, of any block."""
        graph = self.graph
        assert graph is not None
        around = [(s, graph.info_of(n)) for s, n in self.layers if _contains(s, line, column)]
        layers = [info for _, info in sorted(around, key=lambda found: _extent(found[0]))]
        blocks = [d.info for d in graph.definitions.values() if d.info.span.file == self.file]
        here = [b for b in blocks if b.written and _contains(b.written.span, line, column)]
        for info in (*layers, *here, graph.info, *blocks):
            for key in ("for", "let", "params"):
                inner = info.written.get(key) if info.written else None
                if isinstance(inner, YamlMapping) and word in inner.entries:
                    return inner.entries[word].node.span
        return None

    def _key(self, name: str, span: Span) -> Span:
        """Return the place of a key of a mapping, which is before it or on the line above."""
        lines = self.texts.get(span.file, "").splitlines()
        for line in (span.line, span.line - 1):
            text = lines[line - 1] if 0 < line <= len(lines) else ""
            found = re.search(rf"(?<!\w){re.escape(name)}(?=\s*:)", text)
            if found:
                return Span(span.file, line, found.start() + 1, line, found.end() + 1)
        return span

    def word_at(self, line: int, column: int) -> Word:
        """Return the path of words that ends with the one at a place."""
        lines = self.texts.get(self.file, "").splitlines()
        text = lines[line - 1] if line <= len(lines) else ""
        end = min(column - 1, len(text))
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
        begin = end
        while begin and (text[begin - 1].isalnum() or text[begin - 1] in "_."):
            begin -= 1
        end -= len(text[begin:end]) - len(text[begin:end].rstrip("."))
        word = text[begin:end].lstrip(".")
        last = end - len(word.rpartition(".")[2]) + 1
        return Word(word, last, text[:begin], text[end:])


def analyse(path: str | Path, unsaved: Mapping[str, str]) -> Analysis:
    """Return what the compiler makes of a file.

    Args:
        path: the file; it need not be a network, nor right.
        unsaved: real path of a file -> the text that it has in an editor.
    """
    compilation = Compilation(path, unsaved=unsaved)
    graph: Graph | None = None
    with paused():
        try:
            if compilation.spec.network is None:
                with compilation.reporting():
                    check_library(compilation.spec, compilation.report)
            else:
                graph = compilation.draft
        except CompileError:
            pass  # its diagnostics are in the report
        except UsageError as error:
            found = Diagnostic("not-a-spec", str(error), Span(display(Path(path)), 1, 1))
            return Analysis(display(Path(path)), (found,), compilation.texts, None)
    files = (*compilation.texts, *map(str, compilation.looked_for))
    reads = frozenset(os.path.realpath(file) for file in files)
    return Analysis(display(Path(path)), compilation.diagnostics, compilation.texts, graph, reads)


def real(path: str) -> str:
    """Return the key of a file in `unsaved`."""
    return os.path.realpath(path)


def _scopes(scope: str) -> Iterator[str]:
    """Yield a path and those around it, the network last."""
    while scope:
        yield scope
        scope = scope.rpartition(".")[0]
    yield ""


def _contains(span: Span, line: int, column: int) -> bool:
    return (span.line, span.column) <= (line, column) < (span.end_line, span.end_column)


def _extent(span: Span) -> tuple[int, int]:
    return span.end_line - span.line, span.end_column - span.column
