"""Where a name is given: the `name` of a layer, the key of a branch, a block, a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from compiler.edit.span_edits import Edit, slice_of
from compiler.errors import CompileError, Span, UsageError, did_you_mean
from compiler.graph import Graph, Info
from compiler.pipeline import Compilation
from compiler.text import Mapping, Node, Scalar, Sequence, parse_yaml

KINDS = ("layer", "block", "parameter")


@dataclass(frozen=True, slots=True)
class Definition:
    """A name with its place, and what it is to be."""

    old: str
    """The last step of the old name."""
    new: str
    edits: tuple[Edit, ...]
    """Of the definition itself, and of what has its name from it."""
    written: frozenset[Span]
    """Where the layers are written that bear the name; none for a block or a parameter."""
    is_setting: bool = False
    """True for a parameter of the network itself."""
    shared: Callable[[Compilation], Iterable[Edit]] = lambda _: ()
    """Gives the edits of definitions that take the place of this one in another network."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """What finds the old name as a step of a path."""
        return re.compile(rf"(?<!\w){re.escape(self.old)}(?!\w)")

    def renamed(self, name: str, graph: Graph) -> str:
        """Return what a node is called after the rename."""
        if not self.written:
            return name
        steps = name.split(".")
        for at in range(1, len(steps) + 1):
            path = ".".join(name.split(".")[:at])
            known = path in graph.regions or path in graph.nodes
            if known and steps[at - 1] == self.old and place_of(graph, path) in self.written:
                steps[at - 1] = self.new
        return ".".join(steps)


def definition_of(compilation: Compilation, old: str, new: str, kind: str = "") -> Definition:
    """Return where a name of a network is given.

    Raises:
        CompileError: the spec is at fault.
        UsageError: there is no such name, or several, or it is not one that the spec gives.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", new):
        raise UsageError(f"`{new}` is no name: a letter or `_` first, then letters, digits or `_`")
    graph = compilation.graph
    finders: dict[str, Callable[[Compilation, str, str], Definition | None]] = {
        "layer": _layer, "block": _block, "parameter": _parameter,
    }  # fmt: skip
    wanted = [kind] if kind else KINDS
    found = {k: d for k in wanted if (d := finders[k](compilation, old, new)) is not None}
    if not found:
        known = [*graph.regions, *graph.nodes, *graph.definitions, *graph.arguments]
        known += graph.regions[""].names
        guess = did_you_mean(old, known)
        raise UsageError(
            f"`{graph.name}` has no {kind or 'layer, block or parameter'} `{old}`{guess}"
        )
    if len(found) > 1:
        raise UsageError(f"`{old}` is a {' and a '.join(found)}; say which with --kind")
    return next(iter(found.values()))


def place_of(graph: Graph, name: str) -> Span | None:
    """Return where a layer or a branch is written, by which its copies are known."""
    region = graph.regions.get(name)
    if region is not None and region.kind == "branch":
        return graph.regions[name].info.span
    info = graph.info_of(name)
    return info.written.span if info.written else info.span


# -- layers --------------------------------------------------------------------------------------


def _layer(compilation: Compilation, old: str, new: str) -> Definition | None:
    graph, local = compilation.graph, old.rpartition(".")[2]
    if not old or (old not in graph.regions and old not in graph.nodes):
        return None
    region = graph.regions.get(old)
    parent = graph.regions[graph.parents[old]]
    if region is not None and region.kind == "branch":
        edit = _branch_key(parent.info, local, new)
    elif parent.kind == "layer" or _is_made(graph, old):
        raise UsageError(f"`{old}` is made by a layer, which has the name; rename that one")
    elif local.isdigit() and parent.kind == "repeat":
        raise UsageError(f"`{old}` is a copy; rename `{parent.name}`")
    else:
        edit = name_edit(compilation.texts, graph.info_of(old), local, new)
    span = place_of(graph, old)
    return Definition(local, new, (edit,), frozenset((span,)) if span else frozenset())


def _is_made(graph: Graph, name: str) -> bool:
    """True for the join of a structure and the like: its layer is the region around it."""
    if name in graph.regions:
        return False
    parent = graph.regions[graph.parents[name]]
    own, around = graph.nodes[name].info.written, parent.info.written
    return (own is not None and own is around) or parent.kind == "residual"


def _branch_key(info: Info, local: str, new: str) -> Edit:
    for key in ("branches", "split"):
        node = info.written.get(key) if info.written else None
        if isinstance(node, Mapping) and local in node.entries:
            return Edit(node.entries[local].key_span, new)
    raise UsageError(f"`{local}` is no branch that has a name of its own")


def name_edit(texts: dict[str, str], info: Info, local: str, new: str) -> Edit:
    """Return the edit that gives a layer a name: of its `name`, or a key more.

    Raises:
        UsageError: the layer is written over several lines and has no name.
    """
    if info.written is None:
        return Edit(
            info.span, f"{{{slice_of(texts[info.span.file], info.span)}: true, name: {new}}}"
        )
    given = info.written.get("name")
    if isinstance(given, Scalar):
        text = slice_of(texts[given.span.file], given.span)
        return Edit(given.span, text.replace(given.text, new))
    return added(texts, info.written, "name", new)


def added(texts: dict[str, str], node: Mapping, key: str, value: str) -> Edit:
    """Return the edit that adds a key at the end of a layer."""
    span = node.span
    text = slice_of(texts[span.file], span)
    end = Span(span.file, span.end_line, span.end_column - 1, span.end_line, span.end_column - 1)
    if text.startswith("{"):
        return Edit(end, f", {key}: {value}")
    first = next(iter(node.entries.values()))
    if isinstance(first.node, Scalar) and first.node.span.line == first.node.span.end_line:
        at = first.node.span
        place = Span(at.file, at.end_line, at.end_column, at.end_line, at.end_column)
        return Edit(place, f"\n{' ' * (first.key_span.column - 1)}{key}: {value}")
    raise UsageError(f"the layer at {span} has no `{key}`; give it one first")


def moved_edit(text: str, file: str, moves: dict[str, str]) -> Edit:
    """Return the edit that adds to a network's `moved`, or that writes it before the layers."""
    root = parse_yaml(text, file)
    pairs = [f"{old}: {new}" for old, new in moves.items()]
    node = root.get("moved")
    if isinstance(node, Mapping) and node.entries:
        last = list(node.entries.values())[-1]
        at, indent = last.node.span, " " * (last.key_span.column - 1)
        is_flow = slice_of(text, node.span).startswith("{")
        more = "".join(f", {pair}" if is_flow else f"\n{indent}{pair}" for pair in pairs)
        return Edit(Span(file, at.end_line, at.end_column, at.end_line, at.end_column), more)
    wanted = [entry for key, entry in root.entries.items() if key in ("layers", "changes")]
    key = wanted[0].key_span if wanted else next(iter(root.entries.values())).key_span
    return Edit(Span(file, key.line, 1, key.line, 1), f"moved: {{{', '.join(pairs)}}}\n")


# -- blocks and values ---------------------------------------------------------------------------


def _block(compilation: Compilation, old: str, new: str) -> Definition | None:
    if old not in compilation.graph.definitions:
        return None
    edits = tuple(dict.fromkeys(block_edits(compilation, old, new)))
    return Definition(old, new, edits, frozenset(), shared=lambda user: block_edits(user, old, new))


def block_edits(compilation: Compilation, old: str, new: str) -> Iterator[Edit]:
    """Yield the edits of a block's definitions; instances called by it get a name of their own."""
    with suppress(CompileError):
        graph = compilation.draft
        yield from (Edit(key, new) for key in _keys(compilation.texts, "blocks", old))
        yield from _handed_over(compilation, old, new)
        for region in graph.regions.values():
            written = region.info.written
            if region.definition == old and written and "name" not in written.entries:
                yield added(compilation.texts, written, "name", old)


def _parameter(compilation: Compilation, old: str, new: str) -> Definition | None:
    """Find a parameter, a name of a `let`, or what a `for` goes over."""
    owner, _, name = old.rpartition(".")

    def edits(user: Compilation) -> Iterator[Edit]:
        with suppress(CompileError):
            for under, spans in _declared(user.draft, owner, name).items():
                yield from (Edit(key, new) for key in _keys(user.texts, under, name, spans))
            yield from _handed_over(user, name, new)

    declared = _declared(compilation.draft, owner, name)
    if not declared:
        return None
    shared = edits if owner and "for" not in declared else lambda _: ()
    is_setting = not owner and "params" in declared
    return Definition(name, new, tuple(edits(compilation)), frozenset(), is_setting, shared)


def _declared(graph: Graph, owner: str, name: str) -> dict[str, list[Span]]:
    """Return where a value is named, by the key that it is under: the places of what it is."""
    block, region = graph.definitions.get(owner), graph.regions.get(owner)
    params = graph.params if not owner else block.params if block else ()
    out = {"params": [p.span for p in params if p.name == name]}
    for under, around in (("let", block or region), ("for", region)):
        inner = around.info.written.get(under) if around and around.info.written else None
        if isinstance(inner, Mapping) and name in inner.entries:
            out[under] = [inner.entries[name].node.span]
    return {under: spans for under, spans in out.items() if spans}


def _handed_over(compilation: Compilation, old: str, new: str) -> Iterator[Edit]:
    """Yield the edits of a name where it is the value of a parameter of type `block`."""
    graph = compilation.draft
    declared = [*graph.params, *(p for d in graph.definitions.values() for p in d.params)]
    takes = {param.name for param in declared if param.type == "block"}
    for inner in _mappings(compilation.texts, "with", "params"):
        for node in (inner.entries[name].node for name in takes & inner.entries.keys()):
            given = node.get("default") if isinstance(node, Mapping) else node
            if isinstance(given, Scalar) and given.text == old:
                written = slice_of(compilation.texts[given.span.file], given.span)
                yield Edit(given.span, written.replace(old, new))


def _keys(
    texts: dict[str, str], under: str, name: str, spans: list[Span] | None = None
) -> Iterator[Span]:
    """Yield where a name is a key of mappings under a key; of values at certain places alone."""
    for inner in _mappings(texts, under):
        entry = inner.entries.get(name)
        if entry and (spans is None or entry.node.span in spans):
            yield entry.key_span


def _mappings(texts: dict[str, str], *keys: str) -> Iterator[Mapping]:
    """Yield the mappings that are values of certain keys, wherever these are."""
    for file, text in texts.items():
        stack: list[Node] = [parse_yaml(text, file)]
        while stack:
            node = stack.pop()
            if isinstance(node, Sequence):
                stack += node.items
            elif isinstance(node, Mapping):
                stack += [e.node for e in node.entries.values()]
                inner = (node.get(key) for key in keys)
                yield from (found for found in inner if isinstance(found, Mapping))
