"""The rest of what a user may write: structures of layers, blocks and networks."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class, which is a
# third of the time that this file takes to import.
from typing import Literal

from compiler.ops import OP_LAYERS, ActivationName, CiteSpec, Layer, WordLayer
from compiler.text import Located
from compiler.text.fields import Flag, InputSize, Name, Names, Number, OutputName, Raw, Size, Text

Chain = list[Layer]
"""Layers, one after the other."""
Chains = dict[str, Chain]
"""Name -> the layers of a branch."""


class BlockLayer(Layer):
    """An instance of a block."""

    op = "block"
    spelled = {"arguments": "with"}
    block: Text
    """the block's name"""
    arguments: dict[str, Raw] = {}
    """`with` in YAML: values for the block's parameters"""


class LayersLayer(Layer):
    """A sequence, for a name or a repeat."""

    op = "layers"
    layers: Chain


class BranchesLayer(Layer):
    """Parallel chains on one input and their join."""

    op = "branches"
    branches: Chains
    join: Literal["concat", "add", "multiply"]


class SplitLayer(Layer):
    """Last in a branch: its ends enter the enclosing join."""

    op = "split"
    split: Chains


class ResidualBody(Located):
    """What stands under `residual:`."""

    body: Chain
    shortcut: Chain = []
    scale: Number | None = None
    activation: ActivationName = "none"


class ResidualLayer(Layer):
    """Shortcut + scale * body, then the activation."""

    op = "residual"
    residual: ResidualBody


LAYERS: dict[str, type[Layer]] = {
    **OP_LAYERS,
    **{str(m.op): m for m in (BlockLayer, LayersLayer, BranchesLayer, SplitLayer, ResidualLayer)},
}
"""The word that opens a layer -> its model."""

WORDS = frozenset(op for op, model in LAYERS.items() if issubclass(model, WordLayer))
"""Ops that take no argument."""


class BrokenLayer(Layer):
    """Stands in for a layer with faults; what leaves it is unknown."""

    op = "broken"


class ParamSpec(Located):
    """A parameter of a block or network."""

    type: Literal["channels", "int", "number", "bool", "kernel", "padding", "activation", "text"]
    default: Raw = None
    doc: Text = ""
    cite: CiteSpec | None = None


class BrokenParam(ParamSpec):
    """Stands in for a parameter whose declaration is at fault; its value is unknown."""


class DrawingSpec(Located):
    """How a figure is drawn."""

    input: Text | None = None
    sizes: Literal["none", "trunk", "output"] = "none"


class ErratumSpec(Located):
    """A recorded difference between what is printed and what is built."""

    where: Text
    printed: Text
    built: Text
    why: Text
    sources: Names = []
    severity: Literal["unbuildable", "differs", "wording"] = "differs"
    explains: list[Literal["label", "box", "hidden", "arrow", "order", "size"]] | None = None
    """Which deviations from a figure it can explain; default: any."""


class ClaimSpec(Located):
    """A published figure or sentence about a network."""

    of: Literal["parameters", "macs", "text"]
    source: Text
    value: int | None = None
    text: Text = ""
    erratum: Text | None = None


class OutputSpec(Located):
    """A tensor that leaves the network."""

    spelled = {"inputs": "from"}
    name: OutputName
    inputs: Text | None = None
    """`from` in YAML; default: the name."""
    training_only: bool = False
    when: Flag | None = None


class BlockSpec(Located):
    """A block definition; exactly one of `layers`, `branches`, `residual` is its body."""

    hidden = frozenset(("name", "body"))
    name: str = ""
    title: Text | None = None
    doc: Text = ""
    cite: CiteSpec | None = None
    errata: Names = []
    params: dict[str, ParamSpec] = {}
    inputs: list[Name] = ["x"]
    input_size: Size | None = None
    drawing: DrawingSpec | None = None
    body: Chain = []
    """The layers of the body; `branches` and `residual` bodies are one layer."""


class NetworkSpec(Located):
    """A network."""

    network: Name
    title: Text | None = None
    doc: Text = ""
    cite: CiteSpec | None = None
    errata: Names = []
    params: dict[str, ParamSpec] = {}
    input: dict[str, list[InputSize]]
    defaults: dict[str, Raw] = {}
    drawing: DrawingSpec | None = None
    claims: list[ClaimSpec] = []
    outputs: list[OutputSpec] | None = None
    layers: Chain
