"""Warnings of what nothing uses: parameters, and the names of a `let`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from compiler.errors import Diagnostic, Remark, Report, Span, did_you_mean
from compiler.lower.lowering import Lowering
from compiler.spec import BlockSpec, NetworkSpec, ParamSpec, Spec, mentions
from compiler.text import ExprError, parse


def warn_unused(lowering: Lowering, network: NetworkSpec, used: Collection[str]) -> None:
    """Warn of what neither the network nor a block of it uses; `used` are its own parameters."""
    spec, report = lowering.spec, lowering.report
    _warn_parameters(spec, used, network, report)
    _warn_block_parameters(spec, lowering, report)
    _warn_names(network, used, "the network", report)
    for name in lowering.instances:
        _warn_names(spec.blocks[name], lowering.used_params[name], f"block `{name}`", report)


def _warn_parameters(
    spec: Spec, used: Collection[str], network: NetworkSpec, report: Report
) -> None:
    """Warn of the network's parameters that nothing uses."""
    sizes = {d for dims in network.input.values() for d in dims if isinstance(d, str)}
    read = {*used, *sizes} | _read_by_defaults(network.params)
    if read.issuperset(network.params):
        return
    read |= {name for name, _ in mentions(network._node)}  # by layers that are left out too
    for name, param in network.params.items():
        if name not in read:
            inherited = [n for n, p in network.params.items() if p.span().file != param.span().file]
            hint = did_you_mean(name, inherited)  # a variant may have meant another of its base's
            is_own = param.span().file == network.span().file
            way_out = "take it out" if is_own else f"take it out with `params: {{{name}: null}}`"
            span, use = network.key_span("params", name), spec.use_in_base(name)
            if use is not None and not is_own:
                way_out = f"the variant changes what reads it; {way_out}"
            _warn_parameter(report, name, span, "the network", hint, way_out, use)


def _warn_block_parameters(spec: Spec, lowering: Lowering, report: Report) -> None:
    """Warn of the parameters of the blocks at hand, unless another that inherits one uses it."""
    unread = [
        (block.key_span("params", name), name, block)
        for block in spec.blocks.values()
        if block.name in lowering.instances
        for name in block.params
        if name not in lowering.used_params[block.name]
        if name not in _read_by_defaults(block.params)
    ]
    if not unread:
        return
    used = {
        block.key_span("params", name)
        for block in spec.blocks.values()
        for name, _ in mentions(block._node)  # by layers that are left out too
        if name in block.params
    }
    for span, name, block in unread:
        if span not in used:
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
    use: Span | None = None,
) -> None:
    report.add(
        Diagnostic(
            "unused-parameter",
            f"nothing in {where} uses the parameter `{name}`{hint}",
            span,
            remarks=() if use is None else (Remark(use, "its base reads it here"),),
            help=f"{way_out}, or use it in an expression",
            severity="warning",
        )
    )


def _warn_names(
    where: BlockSpec | NetworkSpec, used: Collection[str], whose: str, report: Report
) -> None:
    """Warn of the names of a `let` that nothing reads, in layers that are left out neither."""
    read = {*used, *(name for name, _ in mentions(where._node))} if where.let else ()
    for name in where.let:
        if name not in read:
            message = f"nothing in {whose} uses `{name}`, which its `let` names"
            span, help = where.key_span("let", name), "take it out, or use it in an expression"
            found = Diagnostic("unused-parameter", message, span, help=help, severity="warning")
            report.add(found)
