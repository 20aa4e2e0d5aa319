"""Instances of blocks: arguments, inputs, body."""

from __future__ import annotations

from dataclasses import replace

from compiler.errors import CompileError, Diagnostic, Remark, Span, guessing, listing
from compiler.graph import Decision
from compiler.lower.arguments import argument, parameter_default
from compiler.lower.lowering import Argument, Lowering
from compiler.lower.references import flat
from compiler.lower.scope import Frame, Scope
from compiler.spec import BlockLayer, BlockSpec, BrokenParam, Values
from compiler.text import Mapping as YamlMapping
from compiler.text import describe_text


def lower_block(
    lowering: Lowering,
    layer: BlockLayer,
    path: str,
    scope: Scope,
    inputs: dict[str, str] | list[str],
    values: Values,
) -> str:
    """Lower an instance of a block."""
    tensors = flat(inputs)
    block = lowering.spec.blocks.get(layer.block)
    if block is None:
        _unknown_block(lowering, layer)
        return lowering.builder.add_unknown(path, tuple(tensors[:1]), lowering.info(layer))
    if block.name in lowering.open_blocks:
        cycle = [*lowering.open_blocks[lowering.open_blocks.index(block.name) :], block.name]
        raise CompileError(
            [
                *lowering.report.diagnostics,
                Diagnostic(
                    "block-cycle",
                    f"blocks contain each other: {' -> '.join(cycle)}",
                    layer.span("block"),
                    help="a block cannot contain itself; use `repeat`",
                ),
            ]
        )
    decisions: list[Decision] = []
    arguments = _arguments(lowering, layer, block, values, decisions)
    bound = _bind_inputs(lowering, layer, block, inputs)
    info = lowering.info(layer)
    if info.title is None:
        info = replace(info, title=block.title or block.name)
    lowering.builder.open(
        path,
        "block",
        tuple(tensors),
        info,
        definition=block.name,
        arguments={k: a.value for k, a in arguments.items()},
        argument_exprs={k: a.expr for k, a in arguments.items() if a.expr},
        decisions=decisions,
    )
    is_definition = scope.frame.is_definition
    end = lower_body(lowering, block, path + ".", bound, arguments, decisions, is_definition)
    return lowering.builder.close(end)


def lower_body(
    lowering: Lowering,
    block: BlockSpec,
    prefix: str,
    inputs: dict[str, str],
    arguments: dict[str, Argument],
    decisions: list[Decision] | None = None,
    is_definition: bool = False,
) -> str:
    """Lower a block's layers under a prefix; as a definition with all that `when` may leave out."""
    lowering.open_blocks.append(block.name)
    lowering.instances.add(block.name)
    frame = Frame(block.name, {k: a.value for k, a in arguments.items()}, inputs)
    frame.decisions = [] if decisions is None else decisions
    frame.is_definition = is_definition
    frame.defaults = {k: p.default for k, p in block.params.items() if p.type == "activation"}
    frame.used = lowering.used_params.setdefault(block.name, set())
    first = next(iter(inputs.values()))
    frame.sizes_hold = lowering.builder.shapes[first].paper == block.input_size
    end = lowering.chain(block.body, Scope(prefix, frame), first)[-1]
    lowering.open_blocks.pop()
    return end


def _unknown_block(lowering: Lowering, layer: BlockLayer) -> None:
    if layer.block in lowering.spec.faulty_blocks:
        return
    lowering.report.add(
        Diagnostic(
            "unknown-block",
            f"there is no block `{describe_text(layer.block)}`",
            layer.span("block"),
            help="no block is defined or imported",
        ),
        guessing(layer.block, lowering.spec.blocks, "defined or imported are {words}"),
    )


def _bind_inputs(
    lowering: Lowering, layer: BlockLayer, block: BlockSpec, inputs: dict[str, str] | list[str]
) -> dict[str, str]:
    wanted = block.inputs
    if isinstance(inputs, dict):
        unknown = [k for k in inputs if k not in wanted]
        missing = [k for k in wanted if k not in inputs]
        for name in unknown:
            message = f"block `{block.name}` has no input `{describe_text(name)}`"
            found = Diagnostic("operand-count", message, layer.key_span("from", name))
            lowering.report.add(found, guessing(name, wanted, "its inputs are {words}"))
        if missing and not unknown:
            message = f"block `{block.name}` needs its input `{missing[0]}`"
            help = f"its inputs are {listing(wanted)}"
            lowering.report_layer(layer, "operand-count", message, help, "from")
        fallback = next(iter(inputs.values()))
        return {name: inputs.get(name, fallback) for name in wanted}
    if len(inputs) != len(wanted):
        lowering.report_layer(
            layer,
            "operand-count",
            f"block `{block.name}` reads {len(wanted)} layer{'s' * (len(wanted) != 1)}, "
            f"it is given {len(inputs)}",
            f"name them: `from: {{{', '.join(f'{w}: ...' for w in wanted)}}}`",
            "from",
        )
    return {name: inputs[min(i, len(inputs) - 1)] for i, name in enumerate(wanted)}


def _arguments(
    lowering: Lowering,
    layer: BlockLayer,
    block: BlockSpec,
    values: Values,
    decisions: list[Decision],
) -> dict[str, Argument]:
    """Return a value for each parameter of a block; what defaults read of others is decided."""
    for name in layer.arguments:
        if name not in block.params:
            lowering.report.add(
                Diagnostic(
                    "unknown-parameter",
                    f"block `{block.name}` has no parameter `{name}`",
                    _argument_key(layer, name),
                    help="it has no parameters",
                ),
                guessing(name, block.params, "its parameters are {words}"),
            )
    out: dict[str, Argument] = {}
    lowering.report.spend("operands", len(block.params), layer.span())
    for name, param in block.params.items():
        if isinstance(param, BrokenParam):
            out[name] = Argument(None)
        elif name in layer.arguments:
            out[name] = argument(layer, name, param, values)
        elif param.default is not None:
            out[name] = Argument(parameter_default(lowering.report, name, param, out, decisions))
        else:
            lowering.report.add(
                Diagnostic(
                    "missing-parameter",
                    f"block `{block.name}` needs `{name}`"
                    + (f" ({param.doc})" if param.doc else ""),
                    layer.span(),
                    remarks=(Remark(param.span(), "it is declared here, without a default"),),
                    help=f"add `with: {{{name}: ...}}`",
                )
            )
            out[name] = Argument(None)
    return out


def _argument_key(layer: BlockLayer, name: str) -> Span:
    node = layer._node
    inner = node.get("with") if isinstance(node, YamlMapping) else None
    return inner.entries[name].key_span if isinstance(inner, YamlMapping) else layer.span()
