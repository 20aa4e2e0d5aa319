"""Values for the parameters of blocks and networks: by default, in a `with`, by `--set`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from compiler.errors import (
    CompileError,
    Diagnostic,
    Remark,
    Report,
    Span,
    UsageError,
    did_you_mean,
    guessing,
    listing,
    spelled,
)
from compiler.graph import Decision
from compiler.lower.lowering import Lowering
from compiler.lower.operands import Operands
from compiler.lower.scope import Scope
from compiler.spec import BlockLayer, BlockSpec, BrokenParam, ParamSpec, Values, Written, default_of
from compiler.text import Mapping as YamlMapping
from compiler.text import Value, describe_text, name_of, parse_value, plain, resolve

OPENING = ("[", "{", "'", '"')
"""What a list, a mapping or a quoted text begins with."""
NOUNS = {
    **dict.fromkeys(("channels", "int"), "a whole number"),
    "number": "a number",
    "bool": "true or false",
    "kernel": "a size such as 3x3",
    "padding": "a padding",
    "list": "a list such as [64, 128]",
}
"""Type whose values are no words -> what they are."""


@dataclass(slots=True)
class Known:
    """The parameters before one whose default is read, and whether it reads them."""

    arguments: Mapping[str, Value]
    is_read: bool = False

    def __call__(self, name: str) -> Value:
        """Return the value of a parameter; raise `KeyError` where there is none before it."""
        self.is_read = True
        if name not in self.arguments:
            guess = did_you_mean(name, self.arguments)
            raise KeyError(name, f"a default can use the parameters before it{guess}")
        return self.arguments[name]


def block_meant(lowering: Lowering, layer: BlockLayer, scope: Scope) -> BlockSpec | None:
    """Return the block of an instance: that of its name, or the one that a parameter hands over."""
    name = name_meant(layer, scope)
    return None if name is None else lowering.spec.blocks.get(name)


def name_meant(layer: BlockLayer, scope: Scope) -> str | None:
    """Return the name of an instance's block; None where an error made it unknown."""
    frame = scope.frame
    if layer.block not in frame.params:
        return layer.block
    value = frame.params[layer.block]
    frame.used.add(layer.block)
    frame.decisions.append(Decision(name_of(layer.block), value))
    return None if value is None else str(value)


def report_unknown_block(lowering: Lowering, layer: BlockLayer, scope: Scope) -> None:
    """Report a block that is not defined; one whose definition is at fault was reported there."""
    name = name_meant(layer, scope)
    if name is None or name in lowering.spec.faulty_blocks:
        return
    handed = "" if name == layer.block else f", which `{layer.block}` hands over"
    lowering.report.add(
        Diagnostic(
            "unknown-block",
            f"there is no block `{describe_text(name)}`{handed}",
            layer.span("block"),
            help="no block is defined or imported",
        ),
        guessing(name, lowering.spec.blocks, "defined or imported are {words}"),
    )


def bind_inputs(
    lowering: Lowering, layer: BlockLayer, block: BlockSpec, operands: Operands
) -> dict[str, str]:
    """Return a block's inputs with the tensors that they are, by name or in order."""
    wanted, tensors = block.inputs, operands.tensors
    if operands.names:
        given = dict(zip(operands.names, tensors, strict=True))
        unknown = [k for k in given if k not in wanted]
        missing = [k for k in wanted if k not in given]
        for name in unknown:
            message = f"block `{block.name}` has no input `{describe_text(name)}`"
            found = Diagnostic("operand-count", message, layer.key_span("from", name))
            lowering.report.add(found, guessing(name, wanted, "its inputs are {words}"))
        if missing and not unknown:
            message = f"block `{block.name}` needs its input `{missing[0]}`"
            help = f"its inputs are {listing(wanted)}"
            lowering.report_layer(layer, "operand-count", message, help, "from")
        return {name: given.get(name, operands.first) for name in wanted}
    if len(tensors) != len(wanted):
        lowering.report_layer(
            layer,
            "operand-count",
            f"block `{block.name}` reads {len(wanted)} layer{'s' * (len(wanted) != 1)}, "
            f"it is given {len(tensors)}",
            f"name them: `from: {{{', '.join(f'{w}: ...' for w in wanted)}}}`",
            "from",
        )
    return {name: tensors[min(i, len(tensors) - 1)] for i, name in enumerate(wanted)}


def block_arguments(
    lowering: Lowering,
    layer: BlockLayer,
    block: BlockSpec,
    values: Values,
    decisions: list[Decision],
) -> dict[str, Value]:
    """Return a value for each parameter of a block; what defaults read of others is decided.

    `values.traced` has where those come from that the layer gives, as `with.NAME`.
    """
    _report_unknown(lowering, layer, block)
    out: dict[str, Value] = {}
    usual = lowering.defaults.layers.get("block")
    constants = lowering.constants.setdefault(block.name, {})
    lowering.report.spend("operands", len(block.params), layer.span())
    for name, param in block.params.items():
        if isinstance(param, BrokenParam):
            out[name] = None
        elif name in layer.arguments:
            out[name] = _argument(layer, name, param, values, layer.arguments[name], "with")
        elif name in (layer.common.loop or ()):
            out[name] = _argument(layer, name, param, values, name, "for")
        elif isinstance(usual, BlockLayer) and name in usual.arguments:
            out[name] = _argument(usual, name, param, values, usual.arguments[name], "with")
        elif name in constants:
            out[name] = constants[name]
        elif param.default is not None:
            known = Known(out)
            out[name] = parameter_default(lowering.report, name, param, known, decisions)
            if not known.is_read:
                constants[name] = out[name]
        else:
            remark = Remark(param.span(), "it is declared here, without a default")
            about = f" ({param.doc})" if param.doc else ""
            message, help = f"block `{block.name}` needs `{name}`", f"add `with: {{{name}: ...}}`"
            lowering.report.add(
                Diagnostic(
                    "missing-parameter",
                    message + about,
                    layer.span(),
                    remarks=(remark,),
                    help=help,
                )
            )
            out[name] = None
    return out


def _report_unknown(lowering: Lowering, layer: BlockLayer, block: BlockSpec) -> None:
    """Report what an instance gives for parameters that its block does not have."""
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


def _argument_key(layer: BlockLayer, name: str) -> Span:
    node = layer._node
    inner = node.get("with") if isinstance(node, YamlMapping) else None
    return inner.entries[name].key_span if isinstance(inner, YamlMapping) else layer.span()


def _argument(
    layer: BlockLayer, name: str, param: ParamSpec, values: Values, raw: object, key: str
) -> Value:
    """Return what an instance of a block gives for a parameter; a fault is reported."""
    is_own = layer is values.layer
    whose = f"`{name}` of block `{layer.block}`" if is_own else f"`{name}` of `block`"
    if key == "for" and param.type == "text":  # as a formula it would be the name itself
        return values.lookup(name)
    steps: tuple[int | str, ...] = (key, name)
    if key == "for" and isinstance((layer.common.loop or {}).get(name), list):
        steps = (*steps, int(values.lookup("index")))  # type: ignore[arg-type]
    written = Written(raw, whose, layer, steps, f"with.{name}").given_to(param)
    return values.of_type(param.type, written)


def parameter_default(
    report: Report,
    name: str,
    param: ParamSpec,
    known: Known,
    decisions: list[Decision],
) -> Value:
    """Return the default of a parameter; it may be a formula over the ones before it."""
    return _reader(param, known, report, decisions).of_type(param.type, default_of(name, param))


def setting(
    name: str,
    param: ParamSpec,
    given: object,
    known: Mapping[str, Value],
    decisions: list[Decision],
) -> Value:
    """Return the value of a network's parameter that comes from outside, in the place of a default.

    Args:
        name: the parameter.
        param: its declaration.
        given: text as it would stand in YAML (`3x3`, `[0, 1]`, `2 * n`), or a plain value.
        known: the parameters before it.
        decisions: takes what the value read of them.

    Raises:
        UsageError: it is no value of the parameter's type.
    """
    report = Report()
    if isinstance(given, str):  # what a terminal hands over need not be text
        given = given.encode(errors="replace").decode()
    shown = spelled("--set", f"{name}={describe_text(str(given))}")
    try:
        raw = _plain(given, param.type)
    except CompileError as error:
        raise UsageError(f"{shown}: {error.diagnostics[0].message}") from None
    written = replace(default_of(name, param), raw=raw, whose="the value")
    value = _reader(param, Known(known), report, decisions).of_type(param.type, written)
    for found in report.diagnostics:
        if found.code == "unknown-parameter" and str(raw).isidentifier():
            raise UsageError(f"{shown}: the value is not {NOUNS[param.type]}")
        raise UsageError(f"{shown}: {found.message}{'; ' if found.help else ''}{found.help}")
    return value


def _plain(given: object, type: str) -> Any:
    """Return a setting as plain YAML data; on a command line a text needs no quotes."""
    if isinstance(given, (tuple, list)):
        return [_plain(part, type) for part in given]
    if isinstance(given, float):
        given = str(given)
    if not isinstance(given, str) or type in ("text", "block"):
        return given
    text = given.strip()
    return plain(parse_value(text, "--set")) if text[:1] in OPENING else resolve(text)


def _reader(param: ParamSpec, known: Known, report: Report, decisions: list[Decision]) -> Values:
    values = Values(param, "", known, report)
    values.decisions = decisions
    return values
