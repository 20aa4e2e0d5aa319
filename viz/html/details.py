"""Graph -> what the page tells of each box and frame: places in the graph, words, citations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compiler.errors import Span
from compiler.facts.labels import convention
from compiler.facts.receptive import receptive_fields
from compiler.graph import Definition, Erratum, Graph, Info
from compiler.spec import Spec, shipped_specs
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.fold import names_in
from viz.diagram.parts import Box, Group, Item, Parallel, Series, walk
from viz.html.placed import Json
from viz.style.text import visible

EVERYTHING = 1000
"""A depth that no spec reaches."""
LONGEST = 2000
"""Letters of a text that somebody wrote; what is longer is cut."""


def write_details(graph: Graph, spec: Spec) -> Json:
    """Return the details of every box and frame by its id, the stages and the errata.

    Args:
        graph: the network.
        spec: what it was built from, for the names of its files.
    """
    return _Details(graph, spec).write()


class _Details:
    def __init__(self, graph: Graph, spec: Spec) -> None:
        self.graph = graph
        self.files = {file: i for i, file in enumerate(spec.texts)}
        self.names = [display_name(file, spec.path) for file in self.files]
        self.fields = receptive_fields(graph)
        self.items: dict[str, Json] = {}
        self.errata: dict[str, Erratum] = {}

    def write(self) -> Json:
        """Return everything."""
        usual = convention(self.graph)
        everything = arrange(self.graph, View(depth=EVERYTHING), default=usual)
        self._visit(everything.content, ())
        overview = arrange(self.graph, View(), default=usual)
        about = self._notes([self.graph.info])
        return {
            "items": self.items,
            "stages": [box.id for box in overview.boxes()],
            "errata": {name: _erratum(e) for name, e in self.errata.items()},
            "about": about,
            "files": self.names,
        }

    def place(self, span: Span) -> list[int]:
        """Return where something stands: the number of the file, line and column."""
        return [self.files.get(span.file, 0), span.line, span.column]

    def _visit(self, series: Series, around: tuple[Group, ...]) -> None:
        for item in series.items:
            if isinstance(item, Parallel):
                for column in item.columns:
                    self._visit(column, around)
                continue
            self.items[item.id] = self._item(item, around)
            if isinstance(item, Group):
                self._visit(item.content, (*around, item))

    def _item(self, item: Box | Group, around: tuple[Group, ...]) -> Json:
        graph, name = self.graph, item.id
        is_known = name in graph.regions or name in graph.nodes
        info = graph.info_of(name) if is_known else Info()
        region = graph.regions.get(name)
        definition = graph.definitions.get((region and region.definition) or "")
        members = self._members(item, around)
        out: Json = {
            "title": visible(item.label)[:LONGEST],
            "out": self._output(name),
            "in": self._reads(name, members),
            "counts": self._counts(item, members),
            "around": [group.id for group in around],
            **self._notes(_infos(graph, item, info, definition)),
            "words": visible(self._words(item, around, definition)),
        }
        if item.times > 1:
            out["times"] = item.times
        if region is not None and region.kind == "block":
            out["arguments"] = {
                argument: _argument(region.traced[argument].text)
                if argument in region.traced
                else ""
                for argument in region.arguments
            }
            out["region"] = name
        if definition is not None:
            out["defined"] = self.place(definition.info.span)
        if info.span.line:
            out["at"] = self.place(info.span)
        if isinstance(item, Box) and item.guests:
            out["holds"] = [visible(guest.name) for guest in item.guests]
        if written := self._written(members):
            out["written"] = written
        if field := self._field(out["out"]):
            out["sees"] = field
        return {key: value for key, value in out.items() if value not in ([], {}, "")}

    def _members(self, item: Box | Group, around: Sequence[Group]) -> list[str]:
        """Return the nodes of a box or frame; inside a frame of copies those of the first one."""
        boxes: list[Item] = list(walk(item.content)) if isinstance(item, Group) else [item]
        members = [m for box in boxes if isinstance(box, Box) for m in box.members]
        if not any(group.times > 1 for group in around):
            return members
        first = set(names_in(self.graph, around[-1].id))
        return [m for m in members if m in first]

    def _counts(self, item: Box | Group, members: Sequence[str]) -> list[str]:
        """Return whose numbers add up to a box's: regions where it is whole ones, else nodes."""
        regions, name = self.graph.regions, item.id
        if name not in regions:
            return list(members)
        whole, copies = [name], regions.get(regions[name].parent or "")
        if item.times > 1 and copies is not None:
            at = copies.members.index(name)
            whole = list(copies.members[at : at + item.times])
        inside = {m for region in whole for m in names_in(self.graph, region)}
        return whole if inside == set(members) else list(members)

    def _output(self, name: str) -> str:
        """Return the node whose tensor leaves a box: its own, or the output that it represents."""
        graph = self.graph
        if name in graph.nodes or name in graph.regions:
            return graph.tensor(name).name
        return next(o.node for o in graph.outputs if f":{o.name}" == name)

    def _reads(self, name: str, members: Sequence[str]) -> list[list[Any]]:
        """Return the tensors that a box, or its first copy, reads, each with how often."""
        graph = self.graph
        own = set(names_in(graph, name)) if name in graph.regions else set(members)
        if not members:
            return [[self._output(name), 1]]
        reads = Counter(
            source
            for node in members
            if node in own
            for source in graph.nodes[node].inputs
            if source not in members
        )
        if name in graph.regions and graph.regions[name].kind == "block":
            reads = Counter(graph.regions[name].inputs)
        return [[source, count] for source, count in reads.items()]

    def _written(self, members: Sequence[str]) -> list[str]:
        """Return the formulas that the attributes of a layer were written as."""
        nodes = [self.graph.nodes[m] for m in members[:4]]
        main = next((n for n in nodes if n.op.parameter_names), None)
        if main is None or len(members) > len(nodes):
            return []
        return [f"{key}: {visible(t.text)}" for key, t in main.traced.items() if t.text]

    def _field(self, node: str) -> str:
        """Return the receptive field with its stride, in words."""
        fields = self.fields.get(node)
        if not fields:
            return ""
        height, width = fields
        size = f"{round(height.size)}x{round(width.size)}"
        return f"{size} pixels, every {height.stride:g}x{width.stride:g}"

    def _notes(self, infos: Sequence[Info]) -> Json:
        """Return what a spec has of a thing besides its computation."""
        errata = {e.id: e for info in infos for e in info.errata}
        self.errata |= errata
        cites = dict.fromkeys(str(info.cite) for info in infos if info.cite)
        docs = dict.fromkeys(visible(info.doc)[:LONGEST] for info in infos if info.doc)
        return {"cites": [*cites], "docs": [*docs], "errata": [*errata]}

    def _words(self, item: Box | Group, around: Sequence[Group], definition: Any) -> str:
        """Return the words that a search looks through."""
        titles = " ".join(group.label for group in around)
        title = definition.title if definition else ""
        return f"{item.label} {item.id} {item.size or ''} {title} {titles}"[:LONGEST].lower()


def _infos(
    graph: Graph, item: Box | Group, info: Info, definition: Definition | None
) -> list[Info]:
    """Return whose citations, words and errata a box shows: its own, its block's, its guests'."""
    guests = item.guests if isinstance(item, Box) else ()
    known = [g.name for g in guests if g.name in graph.nodes or g.name in graph.regions]
    own = [info] if definition is None else [info, definition.info]
    return [*own, *map(graph.info_of, known)]


def _argument(text: str) -> str:
    return visible(text)[:200]


def _erratum(erratum: Erratum) -> Json:
    return {key: getattr(erratum, key) for key in ("where", "printed", "built", "why", "severity")}


def nodes_at(graph: Graph) -> dict[tuple[str, int], str]:
    """Return file and line -> the node that is written there, the first of several."""
    out: dict[tuple[str, int], str] = {}
    for node in graph.nodes.values():
        out.setdefault((node.info.span.file, node.info.span.line), node.name)
    return out


def display_name(file: str, root: Path) -> str:
    """Return a file's name as the page shows it: the same from whatever folder it is built."""
    path, shipped = Path(file).resolve(), shipped_specs().resolve()
    if path.is_relative_to(shipped):
        return f"specs/{path.relative_to(shipped).as_posix()}"
    folder = root.resolve().parent
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
