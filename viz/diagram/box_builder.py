"""Regions -> boxes, columns and frames: the part of arranging that walks the hierarchy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from compiler.facts.labels import Convention, Naming, convention, layer_label
from compiler.graph import Definition, Drawing, Graph, Info, Node, Region, formulas_of
from compiler.ops import Input, Op, Scale
from compiler.text import show_value
from viz.diagram.annotate import BoxSubject
from viz.diagram.faults import Faults
from viz.diagram.fold import Fold, names_in, runs, values_over
from viz.diagram.parts import Box, BoxKind, Group, Item, Parallel, Series
from viz.diagram.shared import shared_words
from viz.diagram.slots import Slots
from viz.diagram.tell_apart import tell_apart

BARE = Convention(norm="", activation=None)
ENTRANCE_KINDS: dict[str, BoxKind] = {
    "filter": "concat",
    "relu": "activation",
    "previous": "concat",
}
"""First word of a figure's bottom box -> what it looks like; `Input` otherwise."""


@dataclass(frozen=True, slots=True)
class View:
    """What of a graph is drawn, and how closely."""

    scope: str = ""
    """The region to draw: the network, or an instance of a block by its path."""
    depth: int = 0
    """How many levels of blocks inside it are opened."""
    opened: frozenset[str] = frozenset()
    """Blocks that are opened whatever the depth, by path; of copies the first."""
    by_name: bool = False
    """Draw the scope as its definition: parameters by name, not the instance's values."""
    show: tuple[str, ...] = ()
    """Annotations in the boxes, of `viz.diagram.annotate.ANNOTATIONS`."""
    heat: str | None = None
    """What the colours say, of `viz.diagram.heat.HEATS`; None: the kinds of the boxes."""
    fold: Fold = "equal"
    """Which copies of a repeat are one box: those that are `equal`, `none`, or all of one whose
    copies differ, too: `loops`."""
    sizes: bool = True
    """False where the sizes at hand are not those of what is drawn."""
    sizes_by_name: bool = False
    """Show what depends on sizes as it is written (`in.channels`), not in numbers."""


@dataclass(frozen=True, slots=True)
class _Context:
    """Where in the hierarchy a thing is drawn."""

    depth: int
    """Levels of blocks that may still be opened."""
    drawing: Drawing
    by_name: bool
    in_branch: bool = False
    is_shared: bool = False
    """The enclosing block already shows whose parameters these are."""
    conditions: tuple[str, ...] = ()
    """Under which all that is drawn here is there; by name only."""
    repeat: str = ""
    """How often the thing itself is there, as a formula; by name only."""


class BoxBuilder:
    """Makes the boxes of one view.

    After `draw`, `hidden` holds the ids of boxes that belong into the box of their reader,
    `entrances` maps tensors from outside to the boxes that represent them, and `exits` boxes
    that represent outputs to their tensors; `subjects` has what the numbers
    in a box are about.
    """

    def __init__(
        self,
        graph: Graph,
        view: View,
        faults: Faults,
        default: Convention | None = None,
        slots: Slots | None = None,
    ) -> None:
        self.graph = graph
        self.slots = slots
        self.view = view
        self.faults = faults
        self.hidden: set[str] = set()
        self.entrances: dict[str, str] = {}
        self.exits: dict[str, str] = {}
        self.subjects: dict[str, BoxSubject] = {}
        self._shows_hidden = "hidden" in view.show
        # Where norms and activations have their own boxes, no label mentions them.
        self._default = BARE if self._shows_hidden else default or convention(graph)
        self._twins: dict[str, list[str]] = {}
        self._words: dict[str, str] = {}

    def draw(self) -> Series:
        """Return everything in the view, from the bottom up."""
        scope = self.graph.regions[self.view.scope]
        definition = self._definition(scope)
        drawing = definition.drawing if definition else self.graph.drawing
        if not self.view.sizes:
            drawing = replace(drawing, sizes="none")
        context = _Context(self.view.depth, drawing, self.view.by_name)
        self._tell_apart(scope.name)
        items: list[Item] = []
        if scope.kind != "network":
            items += self._entrances(scope, context)
        if scope.kind == "repeat":
            items += self._repeat(scope, context)
        else:
            items += self._items(scope.members, context)
        if scope.kind == "network":
            items += self._exits()
        return Series(tuple(items))

    def title(self, name: str) -> str:
        """Return the words for a region."""
        region = self.graph.regions[name]
        definition = self._definition(region)
        own = region.info.label or region.info.title
        if region.kind == "network":
            return own or self.graph.title
        return own or (definition and definition.title) or region.local_name

    def _definition(self, region: Region) -> Definition | None:
        return self.graph.definitions.get(region.definition or "")

    def _entrances(self, scope: Region, context: _Context) -> Iterator[Box]:
        """Yield the boxes that the data of a block comes from, in the figure's words."""
        definition = self._definition(scope)
        names = definition.inputs if definition else ()
        for i, tensor in enumerate(self._read_outside(scope)):
            words = context.drawing.input if i == 0 else None
            if words is None:
                several = len(scope.inputs) > 1 and len(names) == len(scope.inputs)
                words = names[i] if several else "Input"
                words += "" if context.by_name else f" ({self._paper(tensor)})"
            self.entrances[tensor] = box_id = f"{scope.name}:{i}"
            kind = ENTRANCE_KINDS.get(words.partition(" ")[0].lower(), "input")
            size = None if context.drawing.sizes == "none" else self._paper(tensor)
            self.subjects[box_id] = BoxSubject(tensor, tensor)
            yield Box(box_id, words, kind, size)

    def _read_outside(self, scope: Region) -> list[str]:
        """Return the tensors that enter a scope; layers of a list read others outside by name."""
        members = dict.fromkeys(names_in(self.graph, scope.name))
        read = (source for name in members for source in self.graph.nodes[name].inputs)
        return list(dict.fromkeys((*scope.inputs, *(s for s in read if s not in members))))

    def _exits(self) -> Iterator[Box]:
        """Yield a box for each output where there are several, or one that is read further."""
        outputs = self.graph.outputs
        if len(outputs) == 1 and not self.graph.consumers[outputs[0].node]:
            return
        for output in outputs:
            box_id = f":{output.name}"
            words = f"Output {output.name}" + (" (training only)" if output.training_only else "")
            self.exits[box_id] = output.node
            yield Box(box_id, words, "output")

    def _items(self, names: tuple[str, ...], context: _Context) -> list[Item]:
        return [item for name in names for item in self._member(name, context)]

    def _member(self, name: str, context: _Context) -> list[Item]:
        region = self.graph.regions.get(name)
        when = self.graph.info_of(name).when
        if context.by_name and when and when not in context.conditions:
            context = replace(context, conditions=(*context.conditions, when))
        if region is not None and region.kind == "layer" and self._opens(region):
            return [self._layer(member, context) for member in region.members]
        if region is None or region.kind == "layer":
            return [self._layer(name, context)]
        if not names_in(self.graph, name):
            return []
        if region.kind == "block":
            return [self._block((name,), context)]
        if region.kind == "repeat":
            return self._repeat(region, context)
        if region.kind in ("branches", "residual"):
            return self._parallel(region, context)
        return self._items(region.members, context)

    def _layer(self, name: str, context: _Context, copies: tuple[str, ...] = ()) -> Box:
        """Return the box of a layer, and of the equal copies that follow it."""
        members = names_in(self.graph, name)
        nodes = [self.graph.nodes[m] for m in members]
        info = self.graph.info_of(name)
        label = info.label or self._words_of(nodes, context)
        if isinstance(nodes[0].op, Input):
            label = self._input_words(name, info, context)
        label = (
            _times(1 + len(copies), context) + label + self._shared(name, context) + _if(context)
        )
        if not info.drawn and not self._shows_hidden:
            self.hidden.add(name)
        main = next((n for n in nodes if n.op.parameter_names), nodes[0])
        last = (name, *copies)[-1]
        output = self.graph.tensor(last).name
        self.subjects[name] = BoxSubject(output, last)
        return Box(
            id=name,
            label=label,
            kind=main.op.drawn_as,
            size=self._size(output, context, isinstance(main.op, Input)),
            members=self._all(members),
            times=1 + len(copies),
            failed=not self.faults.nodes.isdisjoint(members),
            optional=bool(context.conditions),
        )

    def _words_of(self, nodes: list[Node], context: _Context) -> str:
        naming = self._naming(context)
        if self.slots is None:
            return layer_label(nodes, self._default, naming)
        return layer_label(nodes, self._default, naming, marks=self.slots.attributes)

    def _paper(self, tensor: str) -> str:
        """Return a size as the paper prints it."""
        return self.slots.size(tensor) if self.slots else self.graph.nodes[tensor].shape.paper

    def _naming(self, context: _Context) -> Naming:
        if not context.by_name:
            return Naming.VALUES
        return Naming.FORMULAS if self.view.sizes_by_name else Naming.PARAMETERS

    def _input_words(self, name: str, info: Info, context: _Context) -> str:
        if info.label or context.drawing.input:
            return info.label or context.drawing.input or ""
        shape = self._paper(name)
        return f"Input ({shape})" if len(self.graph.inputs) == 1 else f"{name} ({shape})"

    def _block(self, copies: tuple[str, ...], context: _Context) -> Item:
        """Return a block, closed or opened, that represents equal copies."""
        region = self.graph.regions[copies[0]]
        definition = self._definition(region)
        drawing = definition.drawing if definition else context.drawing
        times = len(copies)
        title = self.title(region.name)
        shared = self._shared(region.name, context)
        words = self._words.get(region.name, "") + shared
        label = _times(times, context) + title + words + _if(context)
        output = self.graph.tensor(copies[-1]).name
        size = self._size(output, context, False)
        if context.depth > 0 or region.name in self.view.opened:
            inner = _Context(
                max(context.depth - 1, 0), replace(drawing, input=None), context.by_name
            )
            inner = replace(inner, is_shared=context.is_shared or bool(shared))
            label += self._arguments(region) if context.by_name else ""
            self._tell_apart(region.name)
            content = Series(tuple(self._items(region.members, inner)))
            kind = block_kind(region.definition or "", title)
            return Group(region.name, label, kind, content, region.name, times, size)
        members = names_in(self.graph, region.name)
        self.subjects[region.name] = BoxSubject(output, copies[-1])
        if not region.info.drawn and not self._shows_hidden:
            self.hidden.add(region.name)
        return Box(
            id=region.name,
            label=label,
            kind=block_kind(region.definition or "", title),
            size=size,
            members=self._all(members),
            region=region.name,
            times=times,
            failed=not self.faults.nodes.isdisjoint(self._all(members)),
            optional=bool(context.conditions),
        )

    def _tell_apart(self, scope: str) -> None:
        """Find words for the instances in a region that is drawn with its values."""
        if not self.view.by_name:
            self._words |= tell_apart(self.graph, scope, self.title, self.slots)

    def _shared(self, name: str, context: _Context) -> str:
        return "" if context.is_shared else shared_words(self.graph, name)

    def _arguments(self, region: Region) -> str:
        """Return the arguments of a block inside a definition: `(w = 2 * width)`."""
        definition = self._definition(region)
        exprs = formulas_of(region.traced)
        given = [
            f"{p.name} = {exprs[p.name].text if p.name in exprs else show_value(value)}"
            for p in (definition.params if definition else ())
            if (value := region.arguments[p.name]) != p.default or p.name in exprs
        ]
        return f" ({', '.join(given)})" if given else ""

    def _repeat(self, region: Region, context: _Context) -> list[Item]:
        """Return a repeat: runs of equal copies as one box or frame each."""
        out: list[Item] = []
        unfolded = [(m,) for m in region.members]
        fold = unfolded if self.view.fold == "none" else runs(self.graph, region.members)
        if self.view.fold == "loops" and len(fold) > 1:
            return [self._loop(region, context)]
        formula = region.info.repeat if context.by_name and len(fold) == 1 else ""
        if formula and not formula.isidentifier():
            formula = f"({formula})"
        context = replace(context, repeat=formula)
        for copies in fold:
            if self.slots and not formula and len(copies) > 1 and copies is fold[-1]:
                context = replace(context, repeat=self.slots.copies(copies[0], len(copies)))
            self._pair(copies)
            first = self.graph.regions.get(copies[0])
            if len(copies) == 1 and not formula:
                out += self._member(copies[0], context)
            elif first is None or (first.kind == "layer" and not self._opens(first)):
                out.append(self._layer(copies[0], context, copies[1:]))
            elif first.kind == "block":
                out.append(self._block(copies, context))
            else:
                out.append(self._frame(region, copies, context))
        return out

    def _loop(self, region: Region, context: _Context) -> Box:
        """Return one box for copies that differ, with the values in which their blocks do."""
        copies = tuple(m for m in region.members if names_in(self.graph, m))
        words = region.info.label or region.info.title or self._words_of_all(copies, context)
        words = words or region.local_name
        output = self.graph.tensor(copies[-1]).name
        members = names_in(self.graph, region.name)
        self.subjects[region.name] = BoxSubject(output, copies[-1])
        first = self.graph.regions.get(copies[0])
        return Box(
            id=region.name,
            label=f"{len(copies)} x {words}{_if(context)}",
            kind=block_kind((first and first.definition) or "", words),
            size=self._size(output, context, False),
            notes=() if context.by_name else values_over(self.graph, copies),
            members=self._all(members),
            failed=not self.faults.nodes.isdisjoint(members),
            optional=bool(context.conditions),
        )

    def _words_of_all(self, copies: tuple[str, ...], context: _Context) -> str:
        """Return the words that copies have in common, nothing where there are none."""
        found = set()
        for copy in copies:
            region = self.graph.regions.get(copy)
            if region is not None and region.kind == "block":
                found.add(self.title(copy))
            elif region is None or region.kind == "layer":
                nodes = [self.graph.nodes[name] for name in names_in(self.graph, copy)]
                found.add(self._words_of(nodes, context))
        return found.pop() if len(found) == 1 else ""

    def _opens(self, layer: Region) -> bool:
        """True where the operations of a layer have a box each."""
        return self._shows_hidden and len(layer.members) > 1

    def _frame(self, region: Region, copies: tuple[str, ...], context: _Context) -> Group:
        words = region.info.label or region.info.title or ""
        label = (_times(len(copies), context) + words).rstrip() + _if(context)
        content = Series(tuple(self._member(copies[0], replace(context, repeat=""))))
        output = self.graph.tensor(copies[-1]).name
        size = self._size(output, context, False)
        return Group(copies[0], label, "block", content, region.name, len(copies), size)

    def _pair(self, copies: tuple[str, ...]) -> None:
        """Record which nodes of later copies a node of the first represents."""
        first = names_in(self.graph, copies[0])
        for copy in copies[1:]:
            for member, twin in zip(first, names_in(self.graph, copy), strict=True):
                self._twins.setdefault(member, []).append(twin)

    def _all(self, members: tuple[str, ...]) -> tuple[str, ...]:
        """Return nodes and all that they represent, each once."""
        found = dict.fromkeys(members)
        stack = list(reversed(members))
        while stack:
            for twin in self._twins.get(stack.pop(), ()):
                if twin not in found:
                    found[twin] = None
                    stack.append(twin)
        return tuple(found)

    def _parallel(self, region: Region, context: _Context) -> list[Item]:
        """Return columns side by side, and above them what joins them.

        The shortcut of a residual is at the left, in line with what is below and above,
        as Figures 1, 2 and 10 to 20 draw it. A scaling that the residual itself brings along
        belongs to its addition: no figure but 20 gives it a box.
        """
        branches = [m for m in region.members if self._is_branch(m)]
        rest = [m for m in region.members if m not in branches]
        inner = replace(context, in_branch=True)
        scalings: list[str] = []
        if region.kind == "residual":
            branches.reverse()
            scalings = [m for m in rest if isinstance(self._op(m), Scale)]
            rest = [m for m in rest if m not in scalings]
        columns = [self._member(branch, inner) for branch in branches]
        if self._shows_hidden:
            columns[-1] += self._items(tuple(scalings), inner)
        else:
            self.hidden.update(scalings)
            rest = [*scalings, *rest]
        spine = 0 if region.kind == "residual" else None
        parallel = Parallel(tuple(Series(tuple(column)) for column in columns), spine)
        return [parallel, *self._items(tuple(rest), context)]

    def _is_branch(self, name: str) -> bool:
        region = self.graph.regions.get(name)
        return region is not None and region.kind == "branch"

    def _op(self, name: str) -> Op | None:
        node = self.graph.nodes.get(name)
        return node.op if node else None

    def _size(self, output: str, context: _Context, is_input: bool) -> str | None:
        """Return what is printed beside a box: the computed size, `?` where it is unknown."""
        if context.drawing.sizes == "none" or context.in_branch:
            return None
        text = self._paper(output)
        return f"Output: {text}" if context.drawing.sizes == "output" and not is_input else text


def _times(count: int, context: _Context) -> str:
    if context.repeat:
        return f"{context.repeat} x "
    return f"{count} x " if count > 1 else ""


def _if(context: _Context) -> str:
    several = len(context.conditions) > 1
    parts = [f"({c})" if several and " or " in c else c for c in context.conditions]
    return f" if {' and '.join(parts)}" if parts else ""


def block_kind(definition: str, title: str) -> BoxKind:
    """Return what a block looks like: the paper has a colour for each of its kinds of block."""
    words = f"{definition} {title}".lower()
    kinds: tuple[BoxKind, ...] = ("stem", "reduction", "inception")
    return next((kind for kind in kinds if kind in words), "block")
