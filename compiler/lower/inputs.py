"""What a network is given: values for its parameters, sizes for its inputs."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any

from compiler.errors import Diagnostic, Remark, Report, UsageError, did_you_mean, listing, spelled
from compiler.graph import Decision, Dim, Shape, Symbolic, letter
from compiler.lower.arguments import Known, parameter_default, setting
from compiler.spec import BrokenParam, NetworkSpec
from compiler.text import OPEN_SIZE, Value, describe, name_of, show_value


def network_arguments(
    network: NetworkSpec,
    report: Report,
    settings: Mapping[str, object],
    decisions: list[Decision],
) -> dict[str, Value]:
    """Return the network's parameters, with settings from the command line over the defaults."""
    for name in settings:
        if name not in network.params:
            known = listing(network.params)
            raise UsageError(
                f"{network.network} has no parameter `{name}`{did_you_mean(name, network.params)};"
                f" it has {known}"
            )
    out: dict[str, Value] = {}
    for name, param in network.params.items():
        if name in settings:
            out[name] = setting(name, param, settings[name], out, decisions)
        elif isinstance(param, BrokenParam):
            out[name] = None
        elif param.default is None:
            report.add(
                Diagnostic(
                    "missing-parameter",
                    f"parameter `{name}` of the network has no value",
                    param.span(),
                    help=f"give it a default, or say {spelled('--set', f'{name}=...')}",
                )
            )
            out[name] = None
        else:
            out[name] = parameter_default(report, name, param, Known(out), decisions)
    return out


_INPUT = re.compile(r"(?:(?P<name>\w+)=)?(?P<dims>[\w*]+(?:x[\w*]+)*)")


def input_shapes(
    network: NetworkSpec,
    report: Report,
    arguments: Mapping[str, Value],
    given: Sequence[str],
    decisions: list[Decision],
) -> dict[str, Shape]:
    """Return the input shapes: as declared, with sizes from the command line over them.

    Sizes that others take the place of are not checked.
    """
    for dim in (dim for dims in network.input.values() for dim in dims):
        if isinstance(dim, str) and dim in arguments:
            decisions.append(Decision(name_of(dim), arguments[dim]))
    names = [text.rpartition("=")[0] or next(iter(network.input), "") for text in given]
    shapes = {
        name: _declared(network, name, dims, Report() if name in names else report, arguments)
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
            help = "write C x H x W, as in 3x299x299 or image=3x299x299"
            raise UsageError(f"{spelled('--input', text)}: {help}")
        name = match["name"] or next(iter(shapes))
        if name not in shapes:
            guess = did_you_mean(name, shapes)
            raise UsageError(f"{spelled('--input', text)}: there is no input `{name}`{guess}")
        taken = next((dim for dim in match["dims"].split("x") if dim in arguments), None)
        if taken is not None:
            why = f"`{taken}` is a parameter of the network, no letter for an open size"
            raise UsageError(f"{spelled('--input', text)}: {why}; write another letter")
        shapes[name] = _given(name, match["dims"], text, shapes[name])
    return shapes


_INPUT_HELP = "write `input: {image: [3, 299, 299]}`, channels first"


def _given(name: str, dims: str, text: str, declared: Shape) -> Shape:
    """Return a shape from the command line, which must be of the declared kind."""
    shape = Shape(_dim_from_text(d, text) for d in dims.split("x"))
    if len(shape) != len(declared):
        form = "C x H x W, as in 3x299x299" if len(declared) == 3 else "its channels alone"
        raise UsageError(f"{spelled('--input', text)}: `{name}` takes {form}")
    if not isinstance(shape.channels, int):
        raise UsageError(f"{spelled('--input', text)}: the channels come first, as a number")
    return shape


def _dim_from_text(text: str, whole: str) -> Dim:
    if text.isdecimal() and text.isascii():
        if not 1 <= len(text) <= 7 or not 1 <= int(text) <= 10**6:
            bounds = "a size is at least 1 and 1,000,000 at most"
            raise UsageError(f"{spelled('--input', whole)}: {bounds}")
        return int(text)
    dim = _open(text)
    if dim is None:
        raise UsageError(f"{spelled('--input', whole)}: `{text}` is neither a size nor a letter")
    return dim


def _open(text: str, taken: Container[str] = ()) -> Symbolic | None:
    """Return a size that is left open, None where the text is none, or its letter is taken."""
    match = OPEN_SIZE.fullmatch(text)
    if match is None or match[2] in taken:
        return None
    size = letter(match[2]) * int(match[1] or 1)
    return size if isinstance(size, Symbolic) else None


def _declared(
    network: NetworkSpec,
    name: str,
    dims: list[Any],
    report: Report,
    arguments: Mapping[str, Value],
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
        value = arguments[dim] if isinstance(dim, str) and dim in arguments else dim
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**6:
            out.append(value)
        elif place > 0 and (size := _open(str(value), arguments)) is not None:
            out.append(size)
        else:
            if value is not None:  # what is wrong with the parameter is said of it
                report.add(_no_size(network, name, place, dim, value))
            out.append(None)
    _warn_channels_last(network, name, out, report)
    return Shape(out)


def _no_size(network: NetworkSpec, name: str, place: int, dim: object, value: Any) -> Diagnostic:
    """Say that a size of an input is none, and where its parameter is declared."""
    what, span = f"size {place + 1} of input `{name}`", network.span("input", name, place)
    if isinstance(dim, str) and place == 0 and dim.isidentifier() and dim not in network.params:
        guess = did_you_mean(dim, network.params)
        message = f"{what}: unknown name `{dim}`{guess}"
        help = f"channels are a number or a parameter; the parameters are {listing(network.params)}"
        return Diagnostic("unknown-parameter", message, span, help=help)
    said = describe(value)
    remarks: tuple[Remark, ...] = ()
    if isinstance(dim, str) and dim in network.params:
        said = f"`{show_value(value)}`"
        remarks = (Remark(network.key_span("params", dim), f"`{dim}` is declared here"),)
    return Diagnostic(
        "bad-value",
        f"{what} is {said}, not a whole number from 1 to 1,000,000",
        span,
        remarks=remarks,
        help=_INPUT_HELP,
    )


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
