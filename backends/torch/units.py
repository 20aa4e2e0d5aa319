"""The helper classes for a convolution with the norm and the activation that follow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from backends.torch.expressions import INDENT, Call, Code, call, laid_out
from backends.torch.node_attributes import NodeAttributes
from backends.torch.ops import (
    activation_module,
    conv_arguments,
    module,
    norm_helpers,
    norm_module,
    transposed_arguments,
)
from backends.torch.scopes import ModuleScope, local_name
from compiler.ops import ACTIVATIONS, Activation, Conv2d, ConvTranspose2d, Linear, Norm, Op

OPTIONS = {
    "stride": "Size = 1",
    "padding": "Size = 0",
    "output_padding": "Size = 0",
    "dilation": "Size = 1",
    "groups": "int = 1",
    "pads": "tuple[int, int, int, int] = (0, 0, 0, 0)",
    "cut": "tuple[int, int, int, int] = (0, 0, 0, 0)",
}
"""Arguments of a unit that are in its signature only where some layer passes them."""

GIVEN = Activation("given")
"""Stands for an activation that is an argument."""

Profile = tuple[str, bool, tuple[tuple[str, Op], ...], bool]
"""Class of the convolution, bias, (local name, operation) of all parts, map or vector."""


@dataclass(slots=True)
class Unit:
    """One kind of unit and the options that its instances use."""

    name: str
    profile: Profile
    options: set[str] = field(default_factory=set)

    def classes(self) -> set[str]:
        """Return the class of the convolution, and what else of the file its parts need."""
        kind, _, parts, is_map = self.profile
        norms = [op for _, op in parts if isinstance(op, Norm)]
        return {kind, *(name for op in norms for name in norm_helpers(op, is_map))}

    def lines(self) -> list[str]:
        """Return the class."""
        first, *rest = self.profile[2]
        is_conv = isinstance(first[1], Conv2d | ConvTranspose2d)
        options = [o for o in OPTIONS if o in self.options]
        width = "out_channels" if is_conv else "out_features"
        narrow = "in_channels" if is_conv else "in_features"
        signature = ["self", f"{narrow}: int", f"{width}: int"]
        args: list[Code] = [narrow, width]
        if is_conv:
            signature.append("kernel_size: Size")
            args.append("kernel_size")
        if self.profile[2][-1][1] == GIVEN:
            signature.append("activation: Activation")
        signature += [f"{o}: {OPTIONS[o]}" for o in options]
        named: dict[str, Code] = {o: o for o in options}
        if not self.profile[1]:
            named["bias"] = "False"
        parts: list[tuple[str, Code]] = [(first[0], call(self.profile[0], *args, **named))]
        parts += [(local, _part(op, width, self.profile[3])) for local, op in rest]
        head = Call("__init__", tuple(("", s) for s in signature))
        out = [
            f"class {self.name}(nn.Sequential):",
            f'{INDENT}"""{_words([op for _, op in self.profile[2]])}."""',
            "",
            *laid_out("def ", head, " -> None:", 1, str),
            f"{INDENT * 2}super().__init__()",
        ]
        for local, code in parts:
            out += laid_out(f"self.{local} = ", code, "", 2, str)
        return out


def _part(op: Op, width: str, is_map: bool) -> Code:
    if isinstance(op, Norm):
        return norm_module(op, width, is_map)
    assert isinstance(op, Activation)
    return call("activation") if op == GIVEN else activation_module(op, is_inplace=True)


def _words(ops: list[Op]) -> str:
    words = {
        "Conv2d": "Convolution",
        "ConvTranspose2d": "Transposed convolution",
        "Linear": "Linear layer",
    }
    parts = [words[ops[0].kind]]
    for op in ops[1:]:
        parts.append(_function(op, "activation") if isinstance(op, Activation) else _name(op))
    return ", ".join(parts)


def _function(op: Activation, given: str) -> str:
    return given if op == GIVEN else ACTIVATIONS[op.function]


def _name(op: Op) -> str:
    assert isinstance(op, Norm)
    return op.name


@dataclass(slots=True)
class Units:
    """The units that a file needs, each once."""

    free_name: Callable[[str], str]
    found: dict[Profile, Unit] = field(default_factory=dict)

    def construct(self, scope: ModuleScope, site: NodeAttributes) -> Code:
        """Return the constructor call of a unit."""
        nodes = list(scope.nodes())
        op = nodes[0].op
        if isinstance(op, Conv2d):
            kind, args = conv_arguments(op, site)
            bias = op.bias
        elif isinstance(op, ConvTranspose2d):
            kind, args = transposed_arguments(op, site)
            bias = op.bias
        else:
            assert isinstance(op, Linear)
            made = module(op, site)
            assert isinstance(made, Call)
            kind, args, bias = made.function, [a for a in made.args if not a[0]], op.bias
        parts = tuple((local_name(n.name, scope.name), n.op) for n in nodes)
        given = site.activation() if isinstance(nodes[-1].op, Activation) else ""
        if given:
            parts = (*parts[:-1], (parts[-1][0], GIVEN))
        # Where only the attributes of the first operation differ, the unit is the same.
        profile = (kind, bias, ((parts[0][0], type(op)), *parts[1:]), site.is_map)
        unit = self._unit(profile, kind, bias, parts, site.is_map)
        unit.options.update(name for name, _ in args if name)
        if given:
            positional = [a for a in args if not a[0]]
            args = [*positional, ("activation", given), *(a for a in args if a[0])]
        return Call(unit.name, tuple(args))

    def _unit(
        self, key: object, kind: str, bias: bool, parts: tuple[tuple[str, Op], ...], is_map: bool
    ) -> Unit:
        for unit in self.found.values():
            if unit_key(unit) == key:
                return unit
        profile = (kind, bias, parts, is_map)
        unit = Unit(self.free_name(_base_name(kind, [op for _, op in parts])), profile)
        self.found[profile] = unit
        return unit


def unit_key(unit: Unit) -> object:
    """Return what makes two layers the same unit: all but the first operation's numbers."""
    kind, bias, parts, is_map = unit.profile
    return (kind, bias, ((parts[0][0], type(parts[0][1])), *parts[1:]), is_map)


def _base_name(kind: str, ops: list[Op]) -> str:
    """Return a class name: ConvNormReLU, SameConvNorm, LinearReLU."""
    parts = [kind.removeprefix("nn.").removesuffix("2d")]
    for op in ops[1:]:
        parts.append(_function(op, "Act") if isinstance(op, Activation) else "Norm")
    return "".join(parts)
