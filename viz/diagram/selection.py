"""What is requested -> what is drawn: a block by name or path, or a figure of the paper."""

from __future__ import annotations

from dataclasses import replace

from compiler.errors import UsageError, did_you_mean, listing, spelled
from compiler.graph import Definition, Graph
from viz.diagram.box_builder import View


def view_of_block(graph: Graph, name: str, view: View) -> View:
    """Return the view of an instance by its path, or of a block by its name, as it is defined.

    Raises:
        UsageError: there is no such thing in the network.
    """
    if name in graph.regions and name:
        return replace(view, scope=name, by_name=False)
    if name in graph.definitions:
        return view_of_definition(graph, name, view)
    known = [*graph.definitions, *(n for n, r in graph.regions.items() if r.kind == "block")]
    blocks = listing(dict.fromkeys(known), 12)
    raise UsageError(
        f"`{graph.name}` has no block `{name}`{did_you_mean(name, known)}; it has {blocks}"
    )


def view_of_figure(graph: Graph, figure: int, view: View) -> View:
    """Return the view of what is cited as a figure, drawn as the paper draws it.

    Raises:
        UsageError: nothing in the network is cited as that figure.
    """
    if graph.info.cite and graph.info.cite.figure == figure:
        return replace(view, scope="", by_name=False)
    for name, definition in graph.definitions.items():
        if _figure(definition) == figure and _instance(graph, name) is not None:
            return view_of_definition(graph, name, view)
    raise UsageError(
        f"nothing in `{graph.name}` is cited as figure {figure}; it has {_figures(graph)}"
    )


def figures_of(graph: Graph) -> dict[int, str]:
    """Return the figures that a network can draw: number -> block name, "" for the network."""
    out = {
        number: name
        for name, definition in reversed(list(graph.definitions.items()))
        if (number := _figure(definition)) is not None and _instance(graph, name) is not None
    }
    if graph.info.cite and graph.info.cite.figure is not None:
        out[graph.info.cite.figure] = ""
    return dict(sorted(out.items()))


def _figures(graph: Graph) -> str:
    return listing(spelled("--figure", number) for number in figures_of(graph))


def _figure(definition: Definition) -> int | None:
    return definition.info.cite.figure if definition.info.cite else None


def view_of_definition(graph: Graph, name: str, view: View) -> View:
    """Return the view of a block as it is defined.

    Raises:
        UsageError: the network does not use it, or its numbers depend on the instance.
    """
    instance = _instance(graph, name)
    if instance is None:
        raise UsageError(
            f"`{graph.name}` does not use its block `{name}`, so it has no size to draw"
        )
    instances = [graph.regions[region] for region in _instances(graph, name)]
    inputs = [[graph.nodes[tensor].shape for tensor in region.inputs] for region in instances]
    one_input = all(shapes == inputs[0] for shapes in inputs)
    alike = all(region.arguments == instances[0].arguments for region in instances)
    holds = graph.definitions[name].draft is None and one_input and alike
    if (view.heat or set(view.show) - {"hidden"}) and not holds:
        raise UsageError(
            f"`{name}` is drawn as it is defined, and its numbers depend on the instance; "
            f"draw one of them: {listing(_instances(graph, name), 5)}"
        )
    return replace(view, scope=instance, by_name=True, sizes=holds, sizes_by_name=not one_input)


def drawn(graph: Graph, view: View) -> tuple[Graph, View]:
    """Return the graph that a view is of, and the view of it: a definition may have its own.

    That is called as the first instance of all, of which nothing may be built.
    """
    definition = graph.definitions.get(graph.regions[view.scope].definition or "")
    if view.by_name and definition is not None and definition.draft is not None:
        return definition.draft, replace(view, scope=definition.draft.name)
    return graph, view


def _instance(graph: Graph, definition: str) -> str | None:
    """Return the first instance of a block, in reading order."""
    return next(iter(_instances(graph, definition)), None)


def _instances(graph: Graph, definition: str) -> list[str]:
    return [n for n, r in graph.regions.items() if r.definition == definition]
