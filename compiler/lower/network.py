"""A network's own part of the lowering: parameters, inputs, defaults, outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compiler.errors import (
    Diagnostic,
    Report,
    UsageError,
    did_you_mean,
    guessing,
    listing,
    spelled,
)
from compiler.graph import (
    Claim,
    Decision,
    Definition,
    Graph,
    Info,
    Output,
    Parameter,
    Shape,
    connect,
    output_name,
    without_copies,
)
from compiler.lower.assertions import check_assertions
from compiler.lower.builder import StatedSizes
from compiler.lower.defaults import layer_defaults, try_defaults
from compiler.lower.define import with_drafts
from compiler.lower.inputs import input_shapes, network_arguments
from compiler.lower.layers import lower_layers
from compiler.lower.local_names import settle_names
from compiler.lower.lowering import Lowering, cite, drawing, written
from compiler.lower.operands import tensor
from compiler.lower.scope import Frame, Named, Scope
from compiler.lower.unused import warn_unused
from compiler.ops import Input
from compiler.spec import (
    BlockSpec,
    Defaults,
    NetworkSpec,
    OutputSpec,
    ParamSpec,
    Spec,
    plain_default,
)
from compiler.text import Mapping as YamlMapping
from compiler.text import Node, Value, describe_text
from compiler.text import Sequence as YamlSequence


def lower_network(
    spec: Spec,
    report: Report,
    settings: Mapping[str, object],
    inputs: Sequence[str],
    stated: StatedSizes | None = None,
) -> Graph:
    """Return the graph of a spec's network.

    Args:
        spec: the loaded files.
        report: gets the findings.
        settings: values for the network's parameters, as text.
        inputs: other input sizes, as text.
        stated: gets the sizes that the network states of its layers.

    Raises:
        CompileError: the file holds no network that could be drawn.
        UsageError: a setting or input names what the network does not have.
    """
    network = spec.network
    if network is None:
        report.raise_if_errors()
        raise UsageError(f"{spec.path} is a library of blocks; name a network")
    decisions: list[Decision] = []
    arguments = network_arguments(network, report, settings, decisions)
    _check_blocks(spec, network, arguments, settings)
    shapes = input_shapes(network, report, arguments, inputs, decisions)
    # What a network states of itself holds for its own values, whoever gives them.
    is_as_declared = not (settings or inputs) or (
        arguments == network_arguments(network, Report(), {}, [])
        and shapes == input_shapes(network, Report(), arguments, (), [])
    )
    frame = Frame(network.network, dict(arguments), {n: n for n in shapes}, decisions=decisions)
    frame.sizes_hold = is_as_declared
    defaults = Defaults(layer_defaults(network, report), frame.params, frame.used, decisions)
    lowering = Lowering(spec, report, defaults)
    if stated is not None:
        lowering.builder.stated = stated
    return _lower(lowering, network, arguments, shapes, frame)


def _check_blocks(
    spec: Spec,
    network: NetworkSpec,
    arguments: Mapping[str, Value],
    settings: Mapping[str, object],
) -> None:
    """Refuse a block from outside that there is none of."""
    for name in settings:
        value = str(arguments[name])
        known = value in spec.blocks or value in spec.faulty_blocks
        if network.params[name].type == "block" and not known:
            shown = describe_text(value)
            raise UsageError(
                f"{spelled('--set', f'{name}={shown}')}: there is no block `{shown}`"
                f"{did_you_mean(value, spec.blocks)}; the blocks are {listing(spec.blocks)}"
            )


def _lower(
    lowering: Lowering,
    network: NetworkSpec,
    arguments: Mapping[str, Value],
    shapes: Mapping[str, Shape],
    frame: Frame,
) -> Graph:
    builder, report, blocks = lowering.builder, lowering.report, lowering.spec.blocks
    lowering.refuse_all_too_large(network.layers)
    info = Info(network.span(), title=network.title, cite=cite(network.cite), doc=network.doc)
    info = replace(info, errata=lowering.errata(network, network.errata), written=written(network))
    builder.open("", "network", tuple(shapes), info, decisions=frame.decisions)
    for name, shape in shapes.items():
        builder.add(name, Input(tuple(shape)), (), Info(span=network.span("input", name)))
    scope = Scope("", frame)
    for name in shapes:  # a layer of the same name would take the input's place in the graph
        span = network.key_span("input", name)
        scope.names[name] = Named(name, span, is_automatic=False, tensor=name)
    settle_names(lowering, network, scope)
    try_defaults(lowering.defaults, blocks, report)
    end = lower_layers(lowering, network.layers, scope, next(iter(shapes)))[-1]
    outputs = _outputs(network, lowering, scope, end)
    builder.close(outputs[0].node)
    graph = Graph(
        name=network.network,
        title=network.title or network.network,
        network=connect(builder.nodes.values()),
        regions={n: r for n, r in builder.regions.items() if r is not None},
        inputs=tuple(shapes),
        outputs=outputs,
        params=tuple(_parameter(n, p) for n, p in network.params.items()),
        arguments=arguments,
        definitions=with_drafts(
            {b.name: definition(b, lowering) for b in blocks.values()}, lowering
        ),
        info=info,
        drawing=drawing(network.drawing),
        claims=tuple(
            Claim(c.of, c.source, c.value, c.text, c.erratum)
            for c in network.claims
            if frame.sizes_hold or c.value is None  # a number holds for the sizes it was said of
        ),
        moved=dict(network.moved),
        returns="outputs" if network.outputs else "last layer",
    )
    _check_moved(network, graph, report)
    live = graph.ancestors([output.node for output in outputs])
    own = (node for node in graph.nodes.values() if node.name in live)
    check_assertions(lowering, network, scope, outputs[0].node, own)
    if not report.errors:
        warn_unused(lowering, network, frame.used)
    return graph


def _check_moved(network: NetworkSpec, graph: Graph, report: Report) -> None:
    """Warn of a layer that is moved and still there, and of a move to where there is none."""
    if not network.moved:
        return
    known = dict.fromkeys(map(without_copies, (*graph.regions, *graph.nodes)))
    for old, new in network.moved.items():
        if without_copies(old) in known:
            message = f"`{old}` is moved to `{new}`, and there is a layer `{old}` too"
            help = "take the line out: names of its tensors are that layer's"
            span = network.key_span("moved", old)
            report.add(Diagnostic("duplicate-name", message, span, help=help, severity="warning"))
        if without_copies(new) not in known:
            message = f"`{old}` is moved to `{new}`, which is no layer"
            span = network.span("moved", old)
            found = Diagnostic("unknown-layer", message, span, severity="warning")
            report.add(found, guessing(new, known, most=12))


def _parameter(name: str, spec: ParamSpec) -> Parameter:
    return Parameter(name, spec.type, plain_default(spec), spec.doc, cite(spec.cite), spec.span())


def definition(block: BlockSpec, lowering: Lowering) -> Definition:
    """Return what the graph's readers need of a block definition."""
    info = Info(
        span=block.span(),
        title=block.title,
        cite=cite(block.cite),
        errata=lowering.errata(block, block.errata),
        size=block.input_size,
        doc=block.doc,
        written=written(block),
    )
    params = tuple(_parameter(n, p) for n, p in block.params.items())
    title = block.title or block.name
    return Definition(block.name, title, tuple(block.inputs), params, info, drawing(block.drawing))


def _outputs(
    network: NetworkSpec, lowering: Lowering, scope: Scope, end: str
) -> tuple[Output, ...]:
    if network.outputs is None:
        return (Output(output_name(end, lowering.builder.nodes), end),)
    out: list[Output] = []
    is_left_out = False
    for item in network.outputs:
        layer = network.layers[-1] if network.layers else None
        if layer is None:
            continue
        values = lowering.reader(item, "`outputs`", scope, lambda: end)
        if item.when is not None and not values.flag("when"):
            is_left_out = True
            continue
        steps = ("from",) if item.inputs else ("name",)
        proxy = layer.model_copy()
        proxy.locate(item._node)
        reported = len(lowering.report.diagnostics)
        node = tensor(lowering, item.inputs or item.name, proxy, scope, end, steps)
        _say_own_outputs(network, item, lowering.report, reported)
        same = next((o for o in out if o.name == item.name or o.node == node), None)
        if same is not None:
            twice = same.name == item.name
            message = f"the outputs `{same.name}` and `{item.name}` are one tensor"
            if twice:
                message = f"the output `{item.name}` is named twice"
            lowering.report.add(
                Diagnostic(
                    "duplicate-name",
                    message,
                    item.span("name") if twice else item.span(),
                    help="take one out",
                )
            )
            continue
        if item.name in lowering.builder.nodes and item.name != node:
            message = f"the output `{item.name}` bears the name of another tensor than it is"
            help = f"`{item.name}` is a tensor of the network; call the output otherwise"
            lowering.report.add(Diagnostic("bad-name", message, item.span("name"), help=help))
        out.append(Output(item.name, node, item.training_only))
    if out and all(o.training_only for o in out):
        message = "every output is for training only: nothing is left in evaluation"
        help = "list the network's own output too, or take `training_only` from one"
        span = network.span("outputs")
        lowering.report.add(Diagnostic("bad-value", message, span, help=help))
    if not out:
        _report_no_output(network, lowering.report, is_left_out)
    return tuple(out) or (Output("output", end),)


def _say_own_outputs(network: NetworkSpec, item: OutputSpec, report: Report, reported: int) -> None:
    """Say with what is found of an inherited output how a variant has others."""
    if item.span().file == network.span().file:
        return
    for at, found in enumerate(report.diagnostics[reported:], start=reported):
        if found.code == "unknown-layer":
            help = "the outputs are inherited: say those of the variant, `outputs: [NAME, ...]`"
            report.diagnostics[at] = replace(found, help=f"{help}; {found.help}")


def _report_no_output(network: NetworkSpec, report: Report, is_left_out: bool) -> None:
    """Report a list of outputs that is empty, as it is written or by its conditions."""
    message, help = "`outputs` lists nothing", "take the key out: the last layer is the output"
    span = network.span("outputs")
    if is_left_out and network.outputs:
        message = "no output is left: the `when` of every one is false"
        help, span = "list one that is always there", network.outputs[0].span()
    elif not isinstance(written := _written(network, "outputs"), YamlSequence) or written.items:
        return  # what is wrong with them is reported
    report.add(Diagnostic("bad-value", message, span, help=help))


def _written(network: NetworkSpec, key: str) -> Node | None:
    return network._node.get(key) if isinstance(network._node, YamlMapping) else None
