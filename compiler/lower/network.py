"""A network's own part of the lowering: parameters, inputs, defaults, outputs, what is unused."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from compiler.errors import Diagnostic, Report, Span, UsageError, did_you_mean, guessing, listing
from compiler.graph import (
    Claim,
    Decision,
    Definition,
    Dim,
    Graph,
    Info,
    Output,
    Parameter,
    Shape,
    Symbolic,
    connect,
    letter,
    output_name,
)
from compiler.lower.arguments import parameter_default, setting
from compiler.lower.define import with_drafts
from compiler.lower.lower import new_lowering, try_defaults
from compiler.lower.lowering import Argument, Lowering, cite, drawing
from compiler.lower.references import tensor
from compiler.lower.scope import Frame, Named, Scope
from compiler.ops import COMMON, Input, Layer
from compiler.spec import (
    LAYERS,
    BlockSpec,
    BrokenParam,
    Defaults,
    NetworkSpec,
    OutputSpec,
    ParamSpec,
    Spec,
    plain_default,
    validate,
)
from compiler.text import ExprError, Value, describe, describe_text, name_of, parse, plain
from compiler.text import Mapping as YamlMapping

WITH_DEFAULTS: Mapping[str, dict[str, Any]] = {
    "conv": {"conv": "1x1"},
    "max_pool": {"max_pool": "1x1"},
    "avg_pool": {"avg_pool": "1x1"},
    "batch_norm": {"batch_norm": True},
    "linear": {"linear": 1},
}
"""Ops that a network may give defaults for, with stand-ins for what they require."""
LAYERS_OWN = COMMON - {"inputs", "cite", "doc"} | {"from"}
"""Keys that a layer can say for itself alone."""


def lower_network(
    spec: Spec, report: Report, settings: Mapping[str, object], inputs: Sequence[str]
) -> Graph:
    """Return the graph of a spec's network.

    Raises:
        CompileError: the file holds no network that could be drawn.
        UsageError: a setting or input names what the network does not have.
    """
    network = spec.network
    if network is None:
        report.raise_if_errors()
        raise UsageError(f"{spec.path} is a library of blocks; name a network")
    decisions: list[Decision] = []
    arguments = _parameters(network, report, settings, decisions)
    shapes = _input_shapes(network, report, arguments, inputs, decisions)
    # What a network states of itself holds for its own values, whoever gives them.
    is_as_declared = not (settings or inputs) or (
        _values(arguments) == _values(_parameters(network, Report(), {}, []))
        and shapes == _input_shapes(network, Report(), arguments, (), [])
    )
    return _lower(spec, network, report, arguments, shapes, decisions, is_as_declared)


def _values(arguments: Mapping[str, Argument]) -> list[Value]:
    return [argument.value for argument in arguments.values()]


def _lower(
    spec: Spec,
    network: NetworkSpec,
    report: Report,
    arguments: dict[str, Argument],
    shapes: Mapping[str, Shape],
    decisions: list[Decision],
    is_as_declared: bool,
) -> Graph:
    params = {k: a.value for k, a in arguments.items()}
    frame = Frame(network.network, params, {n: n for n in shapes})
    frame.decisions, frame.sizes_hold = decisions, is_as_declared
    defaults = Defaults(layer_defaults(network, report), params, frame.used, decisions)
    lowering = new_lowering(spec, report, defaults)
    try_defaults(lowering.defaults, lowering.report)
    builder = lowering.builder
    lowering.refuse_all_too_large(network.layers)
    info = Info(network.span(), title=network.title, cite=cite(network.cite), doc=network.doc)
    info = replace(info, errata=lowering.errata(network, network.errata))
    builder.open("", "network", tuple(shapes), info, decisions=decisions)
    for name, shape in shapes.items():
        builder.add(name, Input(tuple(shape)), (), Info(span=network.span("input", name)))
    scope = Scope("", frame)
    for name in shapes:  # a layer of the same name would take the input's place in the graph
        span = network.key_span("input", name)
        scope.names[name] = Named(name, span, is_automatic=False, tensor=name)
    end = lowering.chain(network.layers, scope, next(iter(shapes)))[-1]
    outputs = _outputs(network, lowering, scope, end)
    builder.close(outputs[0].node if outputs else end)
    graph = Graph(
        name=network.network,
        title=network.title or network.network,
        network=connect(builder.nodes.values()),
        regions={n: r for n, r in builder.regions.items() if r is not None},
        inputs=tuple(shapes),
        outputs=outputs,
        params=tuple(_parameter(n, p, arguments[n].value) for n, p in network.params.items()),
        arguments={k: a.value for k, a in arguments.items()},
        definitions=with_drafts(
            {b.name: definition(b, lowering) for b in spec.blocks.values()}, lowering
        ),
        info=info,
        drawing=drawing(network.drawing),
        claims=tuple(
            Claim(c.of, c.source, c.value, c.text, c.erratum)
            for c in network.claims
            if is_as_declared or c.value is None  # a number holds for the sizes it was said of
        ),
        returns="outputs" if network.outputs else "last layer",
        stated=builder.stated if report.errors else {},
    )
    if not report.errors:
        _warn_parameters(spec, lowering, frame, network, report)
    return graph


def _parameter(name: str, spec: ParamSpec, value: Value) -> Parameter:
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
    )
    params = tuple(_parameter(n, p, None) for n, p in block.params.items())
    title = block.title or block.name
    return Definition(block.name, title, tuple(block.inputs), params, info, drawing(block.drawing))


def layer_defaults(network: NetworkSpec, report: Report) -> dict[str, Layer]:
    """Return op -> a layer that says what layers of that op need not say themselves."""
    out: dict[str, Layer] = {}
    node = network._node
    given = node.get("defaults") if isinstance(node, YamlMapping) else None
    if not isinstance(given, YamlMapping):
        return out
    for op, entry in given.entries.items():
        if op not in WITH_DEFAULTS:
            report.add(
                Diagnostic(
                    "bad-defaults",
                    f"`defaults` has no place for `{describe_text(op)}`",
                    entry.key_span,
                ),
                guessing(op, WITH_DEFAULTS, "it takes mappings for {words}"),
            )
            continue
        if not isinstance(entry.node, YamlMapping):
            found = describe(plain(entry.node))
            message = f"`defaults` of `{op}` is {found}, not a mapping"
            help = f"write `{op}: {{KEY: VALUE}}`"
            report.add(Diagnostic("bad-defaults", message, entry.node.span, help=help))
            continue
        for key in entry.node.entries.keys() & {op, *LAYERS_OWN}:
            what = f"what opens a layer, `{op}: ...`" if key == op else f"`{key}`"
            message = f"`defaults` of `{op}` cannot give {what}"
            help = f"every `{op}` says that itself; take the key out"
            span = entry.node.entries[key].key_span
            report.add(Diagnostic("bad-defaults", message, span, help=help))
        kept = entry.node.entries.keys() - {op, *LAYERS_OWN, "cite", "doc"}
        written = {k: v for k, v in plain(entry.node).items() if k in kept}
        model = validate(
            LAYERS[op], entry.node, {**WITH_DEFAULTS[op], **written}, f"`{op}`", report
        )
        if model is not None:
            out[op] = model
    return out


def _parameters(
    network: NetworkSpec,
    report: Report,
    settings: Mapping[str, object],
    decisions: list[Decision],
) -> dict[str, Argument]:
    """Return the network's parameters, with settings from the command line over the defaults."""
    for name in settings:
        if name not in network.params:
            known = listing(network.params)
            raise UsageError(
                f"{network.network} has no parameter `{name}`{did_you_mean(name, network.params)};"
                f" it has {known}"
            )
    out: dict[str, Argument] = {}
    for name, param in network.params.items():
        if name in settings:
            out[name] = Argument(setting(name, param, settings[name], out, decisions))
        elif isinstance(param, BrokenParam):
            out[name] = Argument(None)
        elif param.default is None:
            report.add(
                Diagnostic(
                    "missing-parameter",
                    f"parameter `{name}` of the network has no value",
                    param.span(),
                    help=f"give it a default, or say --set {name}=...",
                )
            )
            out[name] = Argument(None)
        else:
            out[name] = Argument(parameter_default(report, name, param, out, decisions))
    return out


_INPUT = re.compile(r"(?:(?P<name>\w+)=)?(?P<dims>[\w*]+(?:x[\w*]+)*)")
_OPEN = re.compile(r"(?:(?P<factor>[1-9][0-9]{0,5})\*)?(?P<letter>[^\W\d]\w*)")
"""A size that is left open: a letter, or a multiple of one, `32*H`."""


def _input_shapes(
    network: NetworkSpec,
    report: Report,
    arguments: Mapping[str, Argument],
    given: Sequence[str],
    decisions: list[Decision],
) -> dict[str, Shape]:
    """Return the input shapes: as declared, with sizes from the command line over them."""
    for dim in (dim for dims in network.input.values() for dim in dims):
        if isinstance(dim, str) and dim in arguments:
            decisions.append(Decision(name_of(dim), arguments[dim].value))
    shapes = {
        name: _declared(network, name, dims, report, arguments)
        for name, dims in network.input.items()
    }
    if not shapes:
        report.add(
            Diagnostic(
                "bad-value", "`input` names no input", network.span("input"), help=_INPUT_HELP
            )
        )
        shapes = {"x": Shape((None, None, None))}
    for text in given:
        match = _INPUT.fullmatch(text)
        if match is None or "" in match["dims"].split("x"):
            raise UsageError(f"--input {text}: write C x H x W, as in 3x299x299 or image=3x299x299")
        name = match["name"] or next(iter(shapes))
        if name not in shapes:
            raise UsageError(
                f"--input {text}: there is no input `{name}`{did_you_mean(name, shapes)}"
            )
        shapes[name] = _given(name, match["dims"], text, shapes[name])
    return shapes


_INPUT_HELP = "write `input: {image: [3, 299, 299]}`, channels first"


def _given(name: str, dims: str, text: str, declared: Shape) -> Shape:
    """Return a shape from the command line, which must be of the declared kind."""
    shape = Shape(_dim_from_text(d, text) for d in dims.split("x"))
    if len(shape) != len(declared):
        form = "C x H x W, as in 3x299x299" if len(declared) == 3 else "its channels alone"
        raise UsageError(f"--input {text}: `{name}` takes {form}")
    if not isinstance(shape.channels, int):
        raise UsageError(f"--input {text}: the channels come first, as a number")
    return shape


def _dim_from_text(text: str, whole: str) -> Dim:
    if text.isdecimal() and text.isascii():
        if not 1 <= len(text) <= 7 or not 1 <= int(text) <= 10**6:
            raise UsageError(f"--input {whole}: a size is at least 1 and 1,000,000 at most")
        return int(text)
    dim = _open(text)
    if dim is None:
        raise UsageError(f"--input {whole}: `{text}` is neither a size nor a letter")
    return dim


def _open(text: str, taken: Container[str] = ()) -> Symbolic | None:
    """Return a size that is left open, None where the text is none, or its letter is taken."""
    match = _OPEN.fullmatch(text)
    if match is None or match["letter"] in taken:
        return None
    size = letter(match["letter"]) * int(match["factor"] or 1)
    return size if isinstance(size, Symbolic) else None


def _declared(
    network: NetworkSpec,
    name: str,
    dims: list[Any],
    report: Report,
    arguments: Mapping[str, Argument],
) -> Shape:
    out: list[Dim] = []
    if len(dims) not in (1, 3):
        report.add(
            Diagnostic(
                "bad-value",
                f"input `{name}` has {len(dims)} sizes; "
                "it takes channels, height and width, or channels",
                network.span("input", name),
                help=_INPUT_HELP,
            )
        )
        return Shape((None, None, None))
    for place, dim in enumerate(dims):
        value = arguments[dim].value if isinstance(dim, str) and dim in arguments else dim
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**6:
            out.append(value)
        elif place > 0 and (size := _open(str(value), arguments)) is not None:
            out.append(size)
        else:
            report.add(
                Diagnostic(
                    "bad-value",
                    f"size {place + 1} of input `{name}` is {describe(value)}, "
                    "not a whole number from 1 to 1,000,000",
                    network.span("input", name, place),
                    help=_INPUT_HELP,
                )
            )
            out.append(None)
    _warn_channels_last(network, name, out, report)
    return Shape(out)


def _warn_channels_last(network: NetworkSpec, name: str, dims: list[Dim], report: Report) -> None:
    """Warn of an image that is given height x width x channels: it may happen to build."""
    if len(dims) != 3 or dims[2] not in (1, 3, 4):
        return
    channels, height, _ = dims
    if isinstance(channels, int) and isinstance(height, int) and min(channels, height) > 4:
        text = ", ".join(map(str, dims))
        better = f"{dims[2]}, {channels}, {height}"
        message = f"input `{name}` has {channels} channels on a grid of {height}x{dims[2]}"
        help = f"channels come first: write [{better}] if [{text}] is height, width, channels"
        span = network.span("input", name)
        report.add(Diagnostic("channels-last", message, span, help=help, severity="warning"))


def _outputs(
    network: NetworkSpec, lowering: Lowering, scope: Scope, end: str
) -> tuple[Output, ...]:
    if not network.outputs:
        return (Output(output_name(end, lowering.builder.nodes), end),)
    out: list[Output] = []
    for item in network.outputs:
        assert isinstance(item, OutputSpec)
        layer = network.layers[-1] if network.layers else None
        if layer is None:
            continue
        values = lowering.reader(item, "`outputs`", scope, lambda: end)
        if item.when is not None and not values.flag("when"):
            continue
        steps = ("from",) if item.inputs else ("name",)
        proxy = layer.model_copy()
        proxy.locate(item._node)
        node = tensor(lowering, item.inputs or item.name, proxy, scope, end, steps)
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
    return tuple(out) or (Output("output", end),)


def _warn_parameters(
    spec: Spec, lowering: Lowering, frame: Frame, network: NetworkSpec, report: Report
) -> None:
    """Warn of parameters that nothing uses."""
    sizes = {d for dims in network.input.values() for d in dims if isinstance(d, str)}
    read = frame.used | sizes | _read_by_defaults(network.params)
    for name, param in network.params.items():
        if name not in read:
            inherited = [n for n, p in network.params.items() if p.span().file != param.span().file]
            hint = did_you_mean(name, inherited)  # a variant may have meant another of its base's
            is_own = param.span().file == network.span().file
            way_out = "take it out" if is_own else f"take it out with `params: {{{name}: null}}`"
            span = network.key_span("params", name)
            _warn_parameter(report, name, span, "the network", hint, way_out)
    for block in spec.blocks.values():
        if block.name in lowering.instances:
            used = lowering.used_params.get(block.name, set())
            read = used | _read_by_defaults(block.params)
            for name in block.params:
                if name not in read:
                    span = block.key_span("params", name)
                    _warn_parameter(report, name, span, f"block `{block.name}`")


def _read_by_defaults(params: Mapping[str, ParamSpec]) -> set[str]:
    """Return the names that the defaults of parameters speak of."""
    out: set[str] = set()
    for param in params.values():
        if isinstance(param.default, str) and param.type != "text":
            with suppress(ExprError):
                out |= set(parse(param.default).names)
    return out


def _warn_parameter(
    report: Report,
    name: str,
    span: Span,
    where: str,
    hint: str = "",
    way_out: str = "take it out",
) -> None:
    report.add(
        Diagnostic(
            "unused-parameter",
            f"nothing in {where} uses the parameter `{name}`{hint}",
            span,
            help=f"{way_out}, or use it in an expression",
            severity="warning",
        )
    )
