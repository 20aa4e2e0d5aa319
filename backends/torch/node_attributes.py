"""The attributes of a node as source text: numbers, or formulas over the class's arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backends.torch.docs import unused, variable
from backends.torch.scopes import local_name
from backends.torch.symbols import Symbol
from compiler.graph import Node, Pair, Traced, Traces, formulas_of
from compiler.ops import Conv2d, ConvTranspose2d, Linear, Norm
from compiler.text import Expr
from compiler.text.module_names import MODULE_NAMES

if TYPE_CHECKING:
    from backends.torch.class_builder import ClassBuilder

WINDOW = ("kernel_size", "stride", "dilation", "padding", "output_padding")
"""Attributes that the height and width of a result depend on."""


@dataclass(slots=True)
class NodeAttributes:
    """The attributes of a node as text in its class: the `AttributeWriter` of `ops`."""

    builder: ClassBuilder
    node: Node
    followed: set[str] = field(default_factory=lambda: {"out_channels", "out_features"})
    """Attributes whose formulas are in the text; the frame sees to the channels."""

    @property
    def is_map(self) -> bool:
        """True for a map (C, H, W), False for a vector."""
        return len(self.builder.writer.graph.nodes[self.node.inputs[0]].shape) == 3

    @property
    def is_inplace(self) -> bool:
        """A result with no other consumer may be overwritten, if it is not the caller's."""
        graph = self.builder.writer.graph
        source = graph.nodes[self.node.inputs[0]]
        fresh = isinstance(source.op, (Conv2d, ConvTranspose2d, Norm, Linear))
        is_read_once = len(graph.consumers[source.name]) == 1
        return fresh and is_read_once and source.name not in self.builder.writer.exported

    @property
    def is_depthwise(self) -> bool:
        """True when the spec asks for as many groups as channels come in."""
        return self.node.traced.get("groups") == Traced("depthwise")

    def follows(self, attribute: str) -> bool:
        """True when an attribute is written as a formula over arguments."""
        return self.builder.formulas.follows(self._formula(attribute))

    def _formula(self, attribute: str) -> Expr | None:
        """Return the formula that the spec has for an attribute, None where it cannot be used.

        A grid that some number was computed from stays as it is.
        """
        is_steady = self.node.name in self.builder.writer.steady
        return None if is_steady and attribute in WINDOW else self.node.formula(attribute)

    def settle(self) -> None:
        """Note what the text does not follow, when it is written."""
        for attribute, formula in formulas_of(self.node.traced).items():
            if attribute not in self.followed:
                self.builder.formulas.fix(formula)

    def channels(self) -> Symbol:
        """Return the channels of the input."""
        symbol = self.builder.channels_of(self.node.inputs[0])
        self.builder.write(symbol)
        return symbol

    def symbol(self, attribute: str, value: int) -> Symbol:
        """Return an attribute that is a count."""
        symbol = self.builder.formulas.resolve(self._formula(attribute), value)
        if attribute != "padding":
            self.builder.count(self.node, symbol)
        self._follow(attribute)
        self.builder.write(symbol)
        return symbol

    def _follow(self, attribute: str) -> None:
        if self._formula(attribute) is not None:
            self.followed.add(attribute)

    def pair(self, attribute: str, value: Pair) -> str:
        """Return an attribute that is (height, width)."""
        given = self.builder.formulas.alone(self._formula(attribute), value)
        if given is not None:
            self._follow(attribute)
            return self.builder.formulas.hand_on(given)
        if value[0] == value[1]:
            return self.symbol(attribute, value[0]).text
        return f"({value[0]}, {value[1]})"

    def factor(self, attribute: str, value: float) -> str:
        """Return a number where the constructor reads it."""
        name = self._factor_name(attribute, value)
        return variable(name) if name else repr(value)

    def stored_factor(self, attribute: str, value: float) -> str:
        """Return a number where `forward` reads it: the constructor keeps it."""
        builder, name = self.builder, self._factor_name(attribute, value)
        if not name:
            return repr(value)
        if name not in builder.stored:
            layers = {local_name(i.name, builder.scope.name) for i in builder.scope.items}
            used = {*MODULE_NAMES, *layers, *builder.stored.values()}
            builder.stored[name] = unused(variable(name), used)
        return f"self.{builder.stored[name]}"

    def activation(self) -> str:
        """Return the argument that an activation was written as, or nothing.

        What a layer says of the activation behind it is said of its first operation.
        """
        formulas, traced = self.builder.formulas, self.node.traced
        region = self.builder.writer.graph.regions.get(self.node.name.rpartition(".")[0])
        if region is not None and region.kind == "layer":
            traced = self.builder.writer.graph.nodes[region.members[0]].traced
        given = formulas.names.plain.get(activation_text(traced))
        return formulas.hand_on(given) if given is not None and given.kind == "activation" else ""

    def _factor_name(self, attribute: str, value: float) -> str:
        """Return the argument that a number was written as, or nothing."""
        given = self.builder.formulas.number_alone(self.node.formula(attribute), value)
        if given is None:
            return ""
        self._follow(attribute)
        self.builder.formulas.hand_on(given)
        return given.key

    def helper(self, name: str) -> str:
        """Return the name of a helper function, which the file then defines."""
        return self.builder.writer.helper(name)


def activation_text(traced: Traces) -> str:
    """Return how the spec writes an activation, or nothing where that is the word."""
    return (traced.get("function") or traced.get("activation") or Traced()).text
