"""The outputs of a network: which they are, and what of the graph they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from compiler.errors import Diagnostic, Span, UsageError, did_you_mean
from compiler.graph import Graph, Node, Output, output_name
from compiler.ops import Dropout, Identity, Input, Softmax


def take_logits(graph: Graph, taps: Iterable[str] = ()) -> Graph:
    """Return the graph as targets get it: its outputs are decided here, once for all of them.

    Applies where the spec lists no outputs and its last layer is a softmax, with nothing but
    identity and dropout after it: the output is then the input of the softmax. Outputs that a spec
    lists are left as they are; a softmax that is drawn after one of them goes. The softmax stays
    where it is tapped. Numbers: the logits are bit for bit the same.

    Before:
        %logits = Linear(%pool) {out_features=1000} : (N, 1000)
        %softmax = Softmax(%logits) : (N, 1000)
        return softmax = %softmax

    After:
        %logits = Linear(%pool) {out_features=1000} : (N, 1000)
        return logits = %logits
    """
    known = (t for t in taps if t in graph.held or t in graph.nodes or t in graph.regions)
    tap_nodes = [graph.held.get(t) or graph.tensor(t).name for t in known]
    softmax = final_softmax(graph)
    if softmax is None:
        kept = keep_only(graph, [*(o.node for o in graph.outputs), *tap_nodes])
        return graph if kept is graph else replace(kept, spec=graph.as_written)
    source = softmax.inputs[0]
    is_computed = not isinstance(graph.nodes[source].op, Input)
    name = output_name(source, graph.nodes) if is_computed else graph.outputs[0].name
    staying = graph.ancestors(tap_nodes)
    while name in staying and name != source:  # a tapped softmax keeps its name
        name += "_"
    regions = {**graph.regions, "": replace(graph.regions[""], output=source)}
    outputs = (Output(name, source),)
    ends = replace(graph, outputs=outputs, regions=regions, returns="logits", spec=graph)
    return keep_only(ends, (source, *tap_nodes))


def tap_nodes(graph: Graph, taps: Iterable[str]) -> dict[str, str]:
    """Return tap -> the node whose tensor it is, the same for every target.

    Raises:
        UsageError: a tap names nothing, or bears the name of an output that is another tensor.
    """
    outputs = {output.name: output.node for output in graph.outputs}
    out: dict[str, str] = {}
    for tap in taps:
        if tap in graph.held:
            out[tap] = graph.held[tap]
            continue
        if tap in outputs and tap not in graph.nodes and tap not in graph.regions:
            out[tap] = outputs[tap]
            continue
        if not tap or (tap not in graph.nodes and tap not in graph.regions):
            known = [n for n in (*graph.regions, *graph.nodes) if n]
            guess = did_you_mean(tap, known)
            raise UsageError(f"tap `{tap}` is no node, block or branch of `{graph.name}`{guess}")
        node = graph.tensor(tap).name
        if outputs.get(tap, node) != node:
            raise UsageError(
                f"tap `{tap}` is the tensor of `{node}`, and the output `{tap}` is that of "
                f"`{outputs[tap]}`; tap `{node}`, or call the output otherwise"
            )
        out[tap] = node
    return out


def trailing_softmaxes(graph: Graph) -> list[str]:
    """Return the softmax layers on listed outputs that nothing reads: drawn, and not computed."""
    output_nodes = {output.node for output in graph.outputs}
    return [
        node.name
        for node in graph.nodes.values()
        if isinstance(node.op, Softmax)
        and node.inputs[0] in output_nodes
        and not graph.consumers[node.name]
    ]


def unused_layers(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a warning for each layer and input that nothing reads and that is no output."""
    output_nodes = {*(o.node for o in graph.outputs), *trailing_softmaxes(graph)}
    reported: set[Span] = set()  # once for all copies of a repeat
    for node in graph.nodes.values():
        if graph.consumers[node.name] or node.name in output_nodes or node.info.span in reported:
            continue
        reported.add(node.info.span)
        what = "input" if isinstance(node.op, Input) else "layer"
        yield Diagnostic(
            f"unused-{what}",
            f"nothing reads the {what} `{node.name}`, and it is no output"
            + (": it is not built" if what == "layer" else ""),
            node.info.span,
            help="take it out, read it with `from`, or list it under `outputs`",
            severity="warning",
        )


def final_softmax(graph: Graph) -> Node | None:
    """Return the softmax that ends a network whose spec lists no outputs, None if none does."""
    if graph.returns != "last layer":
        return None
    node = graph.source(graph.outputs[0].node, Identity, Dropout)
    return node if isinstance(node.op, Softmax) else None


def keep_only(graph: Graph, wanted: Iterable[str]) -> Graph:
    """Take out the nodes that none of `wanted` depends on, but for the network's inputs.

    What inherits parameters has them under its own name: the network never had the others.
    """
    live = graph.ancestors([*graph.inputs, *wanted])
    if len(live) == len(graph.nodes):
        return graph
    from compiler.passes.rewrite import Rewrite  # on use: most graphs have nothing to take out

    rewrite = Rewrite(graph)
    for name in graph.nodes:
        if name not in live:
            rewrite.drop(name, None)
    for node in _new_owners(graph, live):
        rewrite.set(node)
    return replace(rewrite.finish(), is_rewritten=graph.is_rewritten)


def _new_owners(graph: Graph, live: set[str]) -> Iterable[Node]:
    """Yield the live nodes whose parameters a dead node owned, with an owner that lives."""
    heirs: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.name in live and node.share is not None and node.share not in live:
            owner = heirs.setdefault(node.share, node.name)
            yield replace(node, share=None if owner == node.name else owner)
