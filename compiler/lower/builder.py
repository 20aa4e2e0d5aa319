"""The graph under construction: nodes with shapes, regions that are still open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from compiler.errors import Report, Span
from compiler.graph import (
    Decision,
    Info,
    Node,
    Region,
    RegionKind,
    Shape,
    ShapeError,
    Traces,
    check_bounds,
)
from compiler.ops import Identity, Op
from compiler.text import Value

LONG = 200
"""Letters in a name from which on they are counted; the longest of a shipped network has 60."""


StatedSizes = dict[str, tuple[Shape, Span]]
"""Node -> the size that its network states of it, and where."""


@dataclass(slots=True)
class _OpenRegion:
    name: str
    kind: RegionKind
    inputs: tuple[str, ...]
    info: Info
    parent: str | None
    definition: str | None = None
    arguments: Mapping[str, Value] = field(default_factory=dict)
    traced: Traces = field(default_factory=dict)
    transparent: bool = False
    decisions: list[Decision] = field(default_factory=list)
    names: dict[str, Decision] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Builder:
    """Adds nodes one by one, each with its shape; keeps the regions in which they stand."""

    report: Report
    nodes: dict[str, Node] = field(default_factory=dict)
    regions: dict[str, Region | None] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    stack: list[_OpenRegion] = field(default_factory=list)
    stated: StatedSizes = field(default_factory=dict)
    small_grids: set[Shape] = field(default_factory=set)
    """Grids that are known to be too small: what else has no room on them is an echo."""

    def add(
        self,
        name: str,
        op: Op,
        inputs: tuple[str, ...],
        info: Info,
        traced: Traces | None = None,
        share: str | None = None,
        written: Sequence[str] = (),
    ) -> str:
        """Add a node and return its name; a shape that does not fit is reported and recovered.

        `written` are the operands as the layer names them, where it does.
        """
        self._spend("operations", name, len(inputs), info)
        operands = tuple(self.nodes[i] for i in inputs)
        shapes = tuple(o.shape for o in operands)
        try:
            shape = op.infer_shape(*shapes)
            check_bounds(shape)
        except ShapeError as error:
            if not self._is_echo(error, shapes):
                from compiler.lower.blame import blame  # on use, for start-up time

                self.report.add(blame(error, op, name, info, operands, self.nodes, written))
            shape = op.known_shape(*shapes)
        self.nodes[name] = Node(name, op, inputs, shape, info, traced or {}, share)
        self.shapes[name] = shape
        if self.stack:
            self.stack[-1].members.append(name)
        return name

    def _spend(self, limit: str, name: str, operands: int, info: Info) -> None:
        """Count a node or a region before it is made."""
        self.report.spend(limit, 1, info.span, "lower the `repeat` counts")
        if operands > 1:
            self.report.spend("operands", operands, info.span)
        if len(name) > LONG:
            self.report.spend("letters", len(name), info.span, "shorten the names")

    def _is_echo(self, error: ShapeError, shapes: tuple[Shape, ...]) -> bool:
        """True for what follows from an error that is already reported.

        That is a further window on a grid that is known to be too small, and everything about
        an operand of which nothing is known.
        """
        if any(all(d is None for d in s) for s in shapes):
            return True
        if error.code != "empty-output":
            return False
        grid = Shape(shapes[0].grid)
        known = grid in self.small_grids
        self.small_grids.add(grid)
        return known

    def add_unknown(self, name: str, inputs: tuple[str, ...], info: Info) -> str:
        """Add a node for a layer with faults: nothing is known of what it gives."""
        self.add(name, Identity(), inputs, info)
        self.claim(name, Shape((None, None, None)))
        return name

    def claim(self, name: str, shape: Shape) -> None:
        """Set the shape of a node whose sizes an error made unknown."""
        is_stated = None not in shape
        self.nodes[name] = replace(self.nodes[name], shape=shape, is_stated=is_stated)
        self.shapes[name] = shape

    def open(
        self, name: str, kind: RegionKind, inputs: tuple[str, ...], info: Info, **more: object
    ) -> None:
        """Open a region; what is added until `close` belongs to it."""
        self._spend("scopes", name, len(inputs), info)
        parent = self.stack[-1].name if self.stack else None
        if self.stack:
            self.stack[-1].members.append(name)
        self.regions[name] = None  # keeps the regions in the order in which they open
        self.stack.append(_OpenRegion(name, kind, inputs, info, parent, **more))  # type: ignore[arg-type]

    def close(self, output: str) -> str:
        """Close the region opened last and return its output."""
        top = self.stack.pop()
        self.regions[top.name] = Region(
            top.name,
            top.kind,
            tuple(top.members),
            top.inputs,
            output,
            top.parent,
            top.info,
            top.definition,
            top.arguments,
            top.traced,
            top.transparent,
            tuple(top.decisions),
            top.names,
        )
        return output
