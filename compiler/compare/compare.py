"""Two graphs -> their changes, totals, stages and tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from compiler.compare.change import (
    CATEGORIES,
    Category,
    Change,
    Comparison,
    Detail,
    Row,
    StageRow,
    Tensors,
    Total,
)
from compiler.compare.details import Differ, drawn
from compiler.compare.interface import interface_changes
from compiler.compare.layers import Layers
from compiler.compare.match import match
from compiler.facts.labels import label_of
from compiler.facts.summarize import Stage, summarize
from compiler.graph import Dim, Graph, Shape, now_called, tally


def compare(before: Graph, after: Graph, names: tuple[str, str] = ("", "")) -> Comparison:
    """Return what is different between two networks.

    Args:
        before: a checked graph.
        after: another one.
        names: what they are called; default: by their networks.
    """
    old, new = Layers(before), Layers(after)
    pairs = match(old, new)
    differ = Differ(old, new, pairs)
    gone = [name for name in old.nodes if name not in pairs]
    fresh = [name for name in new.nodes if name not in differ.known]
    changes = [
        *interface_changes(before, after, pairs),
        *_alone(old, gone, "removed"),
        *_alone(new, fresh, "added"),
        *_renamed(old, new, pairs),
        *_changed(differ),
        *_titles(before, after),
    ]
    changes.sort(key=lambda change: -CATEGORIES.index(change.category))
    return Comparison(
        names[0] or before.name,
        names[1] or after.name,
        tuple(changes),
        _totals(before, after),
        _stages(before, after),
        _tensors(old, new),
        _resized(old, new, pairs),
    )


# -- layers --------------------------------------------------------------------------------------


def _alone(layers: Layers, names: list[str], kind: str) -> Iterator[Change]:
    """Yield layers that one network alone has: the outermost regions of which all is so."""
    missing = set(names)
    whole = _whole(layers, missing)
    groups: dict[str, list[str]] = {}
    for name in names:
        outer = [region for region in layers.around(name) if whole.get(region, 0) > 1]
        groups.setdefault(outer[-1] if outer else name, []).append(name)
    folded: dict[tuple[str, str], list[str]] = {}
    for name in groups:
        folded.setdefault((layers.pattern(name), _words(layers.graph, name)), []).append(name)
    sign = 1 if kind == "added" else -1
    for (pattern, words), copies in folded.items():
        members = [layer for name in copies for layer in groups[name]]
        has_tensors = any(layers.tensors(layer) for layer in members)
        category: Category = "weights" if has_tensors else "numerics"
        name = pattern if len(copies) > 1 else copies[0]
        count, of = (len(copies), len(members) // len(copies))
        parameters, macs = (sign * _number(total) for total in _costs(layers, members))
        yield Change(
            kind, category, name, words, copies=count, layers=of,  # type: ignore[arg-type]
            parameters=parameters, macs=macs, members=tuple(members) if sign > 0 else (),
            were=() if sign > 0 else tuple(members),
        )  # fmt: skip


def _whole(layers: Layers, names: set[str]) -> dict[str, int]:
    """Return the regions of which all layers are among some, and how many each has."""
    out = {}
    for name, region in layers.graph.regions.items():
        inside = {layers.of_node[node.name] for node in layers.graph.nodes_in(name)}
        if name and region.kind != "layer" and inside and inside <= names:
            out[name] = len(inside)
    return out


def _renamed(old: Layers, new: Layers, pairs: Mapping[str, str]) -> Iterator[Change]:
    """Yield layers that have another name, all in one region together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for before, after in pairs.items():
        if before != after:
            groups.setdefault(_prefixes(before, after), []).append(before)
    folded: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for key in groups:
        folded.setdefault((old.pattern(key[0]), new.pattern(key[1])), []).append(key)
    for (was, name), keys in folded.items():
        members = [layer for key in keys for layer in groups[key]]
        category: Category = "numerics"
        if any(old.tensors(layer) for layer in members):
            is_moved = all(now_called(n, new.graph.moved) == pairs[n] for n in members)
            category = "interface" if is_moved else "weights"
        if len(keys) == 1:
            was, name = keys[0]
        words = _words(new.graph, keys[0][1])
        yield Change(
            "renamed", category, name, words, was,
            copies=len(keys), layers=len(members) // len(keys),
            members=tuple(pairs[layer] for layer in members), were=tuple(members),
        )  # fmt: skip


def _prefixes(before: str, after: str) -> tuple[str, str]:
    """Return two paths without the last steps that they have in common."""
    ours, theirs = before.split("."), after.split(".")
    while len(ours) > 1 and len(theirs) > 1 and ours[-1] == theirs[-1]:
        ours.pop()
        theirs.pop()
    return ".".join(ours), ".".join(theirs)


def _words(graph: Graph, name: str) -> str:
    """Return the words in a box; nothing where they are its name, or there is no such box."""
    label = label_of(graph, name) if name in graph.nodes or name in graph.regions else ""
    return "" if label == name.rpartition(".")[2] else label


def _changed(differ: Differ) -> Iterator[Change]:
    """Yield layers that both networks have and that differ, copies that differ alike together."""
    old, new = differ.before, differ.after
    groups: dict[tuple[str, tuple[Detail, ...]], list[tuple[str, str]]] = {}
    for before, after in differ.pairs.items():
        details = differ.details(before, after)
        if details:
            groups.setdefault((new.pattern(after), details), []).append((before, after))
    for (pattern, details), both in groups.items():
        ours, theirs = [pair[0] for pair in both], [pair[1] for pair in both]
        costs = zip(_costs(old, ours), _costs(new, theirs), strict=True)
        parameters, macs = (_number(b) - _number(a) if a and b else 0 for a, b in costs)
        name = pattern if len(both) > 1 else theirs[0]
        yield Change(
            "changed", _worst(details), name, _words(new.graph, theirs[0]), ours[0]
            if ours[0] != theirs[0] else "", details, len(both), 1, parameters, macs, tuple(theirs),
            tuple(ours),
        )  # fmt: skip


def _worst(details: Iterable[Detail]) -> Category:
    return max((d.category for d in details), key=CATEGORIES.index)


def _titles(before: Graph, after: Graph) -> Iterator[Change]:
    """Yield regions whose words or boxes differ, and the title of the whole."""
    new = Layers(after)
    groups: dict[tuple[str, tuple[Detail, ...]], list[str]] = {}
    for name, region in after.regions.items():
        if name not in before.regions or region.kind == "layer":
            continue
        details = [*drawn(before.regions[name].info, region.info)]
        kinds = before.regions[name].kind, region.kind
        if kinds[0] != kinds[1]:
            details.append(Detail("is a", *kinds, "drawing"))
        if details:
            groups.setdefault((new.pattern(name), tuple(details)), []).append(name)
    for (pattern, found), names in groups.items():
        name = pattern if len(names) > 1 else names[0] or "the network"
        words = _words(after, names[0])
        yield Change("changed", "drawing", name, words, details=found, copies=len(names))


# -- numbers -------------------------------------------------------------------------------------


def _costs(layers: Layers, names: Iterable[str]) -> tuple[Dim, Dim]:
    nodes = [node for name in names for node in layers.nodes[name]]
    graph = layers.graph
    return tally(map(graph.count_params, nodes)), tally(map(graph.count_macs, nodes))


def _number(count: Dim) -> int:
    return count if isinstance(count, int) else 0


def _totals(before: Graph, after: Graph) -> tuple[Total, ...]:
    return (
        Total("parameters", before.parameters(), after.parameters()),
        Total("macs", before.macs(), after.macs()),
        Total("buffers", before.buffers(), after.buffers()),
        Total("operations", len(before.nodes), len(after.nodes)),
    )


def _stages(before: Graph, after: Graph) -> tuple[StageRow, ...]:
    """Return the stages whose numbers differ, in the order of the second network."""
    old, new = ({s.name: _row(s) for s in summarize(g).stages} for g in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    rows = [StageRow(name, old.get(name), new.get(name)) for name in names]
    return tuple(row for row in rows if row.before != row.after)


def _row(stage: Stage) -> Row:
    return stage.output, stage.parameters, stage.macs, stage.receptive_field


def _tensors(old: Layers, new: Layers) -> Tensors:
    """Return which tensors of the first network find no place of their shape in the second one."""
    before, after = (
        {key: shape for name in layers.nodes for key, shape in layers.tensors(name).items()}
        for layers in (old, new)
    )
    moved = new.graph.moved
    before = {n if n in after else now_called(n, moved): shape for n, shape in before.items()}
    gone = {name: shape for name, shape in before.items() if name not in after}
    reshaped = {
        name: (shape, after[name])
        for name, shape in before.items()
        if name in after and after[name] != shape
    }
    fresh = {name: shape for name, shape in after.items() if name not in before}
    return Tensors(len(before), gone, reshaped, fresh)


def _resized(
    old: Layers, new: Layers, pairs: Mapping[str, str]
) -> tuple[tuple[str, Shape, Shape], ...]:
    """Return the layers that compute the same and give another size."""
    out = []
    for before, after in pairs.items():
        shapes = old.nodes[before][-1].shape, new.nodes[after][-1].shape
        if shapes[0] != shapes[1] and old.alike[before] == new.alike[after]:
            out.append((after, *shapes))
    return tuple(out)
