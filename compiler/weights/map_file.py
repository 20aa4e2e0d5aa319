"""The file of a map: YAML -> `WeightMap`, checked as a spec is, with every fault at its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from compiler.errors import (
    CompileError,
    Diagnostic,
    Remark,
    Report,
    Span,
    UsageError,
    fail,
    guessing,
    in_file_order,
    limit,
    way_out,
)
from compiler.spec import alone, read_yaml, validate
from compiler.text import Located, Mapping, Node, describe, plain, show_value
from compiler.text import Sequence as Items
from compiler.text.fields import Names, Text
from compiler.weights.mapping import Head, Preprocessing, WeightMap
from compiler.weights.pictures import names_beside, parse_preprocessing, read_names

CAPTURE = re.compile(r"\{i(?:\+(\d{1,6}))?\}")


class OptionalSpec(Located):
    """A part that a network may have or not."""

    spelled: ClassVar[dict[str, str]] = {"present": "with", "absent": "without"}
    what: Text
    present: Text
    absent: Text


class SectionSpec(Located):
    """A stretch of both networks: what the names in it begin with, and pairs of what follows."""

    theirs: Text = ""
    ours: Text = ""
    units: dict[str, Text] = Field(default_factory=dict)
    layers: dict[str, Text] = Field(default_factory=dict)
    count: int | None = None
    each: list[Any] | None = None
    optional: OptionalSpec | None = None


class MapSpec(Located):
    """A map."""

    map: Text
    spec: Text = ""
    source: Text = ""
    layout: Text = ""
    classes: Text = ""
    parts: dict[str, Text] = Field(default_factory=dict)
    sections: list[SectionSpec]
    heads: Names = Field(default_factory=list)
    aliases: dict[str, Text] = Field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    names: Text = ""


def read_map(path: Path) -> WeightMap:
    """Return the map in a file.

    Raises:
        CompileError: the file is at fault; it holds every diagnostic of the run.
        UsageError: it cannot be read.
    """
    report, texts = Report(), dict[str, str]()
    try:
        weights = parse_map(read_yaml(path, report, texts), report, path.parent)
        report.raise_if_errors()
    except CompileError as error:
        raise CompileError(in_file_order(error.diagnostics, texts), texts) from None
    assert weights is not None
    return weights


def parse_map(node: Mapping, report: Report, folder: Path) -> WeightMap | None:
    """Return the map that a YAML mapping describes, or None; faults go to `report`."""
    values: dict[str, Any] = {}
    if "sections" in node.entries:
        values["sections"] = _sections(node.get("sections"), report)
    if "preprocessing" in node.entries:
        values["preprocessing"] = parse_preprocessing(node.get("preprocessing"), report)
    spec = validate(MapSpec, node, "a map", report, values)
    if spec is None:
        return None
    pairs = _Pairs(report, spec.parts)
    for section in spec.sections:
        pairs.add(section)
    _check_names(spec, pairs, report)
    return WeightMap(
        name=spec.map,
        spec=spec.spec,
        source=spec.source,
        layout=spec.layout,
        classes=spec.classes,
        layers=pairs.layers,
        heads=tuple(spec.heads),
        optional=pairs.optional,
        aliases=spec.aliases,
        folder=folder,
        preprocessing=spec.preprocessing,
        names=_names(spec, folder, report),
    )


def _names(spec: MapSpec, folder: Path, report: Report) -> tuple[str, ...]:
    """Return the names of the classes, from the text file that the map means."""
    if not spec.names:
        return ()
    try:
        return read_names(names_beside(spec.names, folder))
    except UsageError as error:
        report.add(Diagnostic("bad-map", f"`names`: {error}", spec.span("names")))
        return ()


def _sections(node: Node | None, report: Report) -> list[SectionSpec]:
    """Return the sections without fault; the faults of the others go to `report`."""
    if not isinstance(node, Items):
        if node is not None:
            message = f"`sections` is {describe(plain(node))}, not a list of sections"
            help = "write each as an item: `- {theirs: features, ours: stem, units: {...}}`"
            report.add(Diagnostic("bad-value", message, node.span, help=help))
        return []
    out = []
    for item in node.items:
        read = alone("value", item)
        part = item.get("optional") if isinstance(item, Mapping) else None
        if isinstance(part, Mapping):
            optional = validate(OptionalSpec, part, "`optional`", report)
            nothing = OptionalSpec.model_construct(what="", present="", absent="")
            read["optional"] = optional or nothing
        section = validate(SectionSpec, item, "a section", report, read)
        out += [section] if section is not None else []
    return out


@dataclass(slots=True)
class _Pairs:
    """Collects the pairs of layers, section by section."""

    report: Report
    parts: dict[str, str]
    layers: dict[str, str] = field(default_factory=dict)
    """Their layer -> ours."""
    optional: dict[str, Head] = field(default_factory=dict)
    theirs_of: dict[str, str] = field(default_factory=dict)
    """Our layer -> theirs."""
    places: dict[str, Span] = field(default_factory=dict)
    """Their layer -> where the file has it."""

    def add(self, section: SectionSpec) -> None:
        """Add the pairs of a section, once for each value of its capture."""
        if section.units and not self.parts:
            self._complain("`units` are of the map's `parts`, and there are none", section, "units")
        values = self._values(section)
        size = len(values) * (len(section.units) * len(self.parts) + len(section.layers))
        if len(self.layers) + size > limit("map_layers"):
            message = f"the map has more layers than {limit('map_layers'):,}"
            raise fail("too-large", message, section.span(), help=way_out("map_layers"))
        if not self._check_captures(section, values):
            return
        part = section.optional
        head = Head(part.what, part.present, part.absent) if part else None
        for value in values:
            for theirs, ours, span in self._pairs(section, value):
                self._pair(theirs, ours, span, head)

    def _pair(self, theirs: str, ours: str, span: Span, head: Head | None) -> None:
        twin = theirs if theirs in self.layers else self.theirs_of.get(ours)
        if twin is not None:
            message = (
                f"`{theirs}` goes to `{ours}` and to `{self.layers[theirs]}`"
                if twin == theirs
                else f"both `{twin}` and `{theirs}` go to `{ours}`"
            )
            remark = Remark(self.places[twin], "the other one")
            self.report.add(Diagnostic("bad-map", message, span, remarks=(remark,)))
            return
        self.layers[theirs], self.theirs_of[ours], self.places[theirs] = ours, theirs, span
        if head is not None:
            self.optional[ours] = head

    def _pairs(self, section: SectionSpec, value: int | str) -> Iterator[tuple[str, str, Span]]:
        """Yield (their layer, our layer, place) of a section for one value of its capture."""
        theirs, ours = _filled(section.theirs, value), _filled(section.ours, value)
        for there, here in section.units.items():
            for part_there, part_here in self.parts.items():
                span = section.span("units", there)
                yield _path(theirs, there, part_there), _path(ours, here, part_here), span
        for there, here in section.layers.items():
            yield _path(theirs, there), _path(ours, here), section.span("layers", there)

    def _values(self, section: SectionSpec) -> Sequence[int | str]:
        if section.each is not None and section.count is not None:
            self._complain("`count` and `each` are two ways to say one thing", section, "count")
        if section.each is not None:
            for at, value in enumerate(section.each):
                if value is None or isinstance(value, (list, dict)):
                    message = f"`each` lists names and numbers, found {describe(value)}"
                    self.report.add(Diagnostic("bad-map", message, section.span("each", at)))
            return [show_value(v) if not isinstance(v, str) else v for v in section.each]
        count = 1 if section.count is None else section.count
        if count < 1:
            self._complain(f"`count` is {count}, not 1 or more", section, "count")
        return range(min(count, limit("map_layers") + 1))

    def _check_captures(self, section: SectionSpec, values: Sequence[int | str]) -> bool:
        """Report a pattern that its values cannot fill; true where there is none."""
        is_fine = True
        for key, pattern in (("theirs", section.theirs), ("ours", section.ours)):
            words = [v for v in values if isinstance(v, str) and not re.fullmatch("[0-9]{1,6}", v)]
            counting = [c[0] for c in CAPTURE.finditer(pattern) if c[1] is not None]
            message = ""
            if "{" in CAPTURE.sub("", pattern):
                message = f"`{pattern}` has another capture than `{{i}}` or `{{i+1}}`"
            elif words and counting:
                message = f"`{counting[0]}` counts, and `{words[0]}` is no number"
            if message:
                is_fine = self._complain(message, section, key)
        return is_fine

    def _complain(self, message: str, section: SectionSpec, key: str) -> Literal[False]:
        self.report.add(Diagnostic("bad-map", message, section.span(key)))
        return False


def _check_names(spec: MapSpec, pairs: _Pairs, report: Report) -> None:
    """Report heads and aliases that name no layer of the map."""
    wanted = [("heads", name, pairs.theirs_of) for name in spec.heads]
    wanted += [("aliases", name, pairs.layers) for name in spec.aliases.values()]
    for key, name, known in wanted:
        if name not in known:
            message = f"`{key}` names `{name}`, which no section has"
            report.add(Diagnostic("bad-map", message, spec.span(key)), guessing(name, known))


def _filled(pattern: str, value: int | str) -> str:
    """Return a pattern with its capture filled in: `features.{i+6}` and 1 is `features.7`."""

    def fill(found: re.Match[str]) -> str:
        return str(value) if found[1] is None else str(int(value) + int(found[1]))

    return CAPTURE.sub(fill, pattern)


def _path(*steps: str) -> str:
    return ".".join(step for step in steps if step != "")
