"""The rest of what a user may write: structures of layers, blocks and networks."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class, which is a
# third of the time that this file takes to import.
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

from compiler.ops import COMMON_KEYS, OP_LAYERS, ActivationName, CiteSpec, Layer, WordLayer
from compiler.text import Located
from compiler.text.fields import Flag, InputSize, Name, Names, Number, OutputName, Raw, Size, Text

Chain = list[Layer]
"""Layers, one after the other."""


class Branch(Located):
    """A branch: a list of layers, or `{when: EXPR, layers: [...]}`, which may be left out."""

    layers: Chain
    """from what enters the branches to what leaves this one"""
    when: Flag | None = None
    """left out where false: what joins the branches does without it"""

    @property
    def is_certain(self) -> bool:
        """True where it is there whatever the parameters are."""
        return self.when in (None, True)


Branches = dict[str, Branch]
"""Branches by name."""


class BlockLayer(Layer):
    """An instance of a block."""

    op = "block"
    spelled = {"arguments": "with"}
    block: Text
    """the block's name, or a parameter of type `block`"""
    arguments: dict[str, Raw] = {}
    """values for the block's parameters"""


class LayersLayer(Layer):
    """A sequence, for a name or a repeat."""

    op = "layers"
    layers: Chain
    """layers, one after the other"""

    @property
    def inner(self) -> tuple[Chain, ...]:
        return (self.layers,)


class ParallelLayer(Layer):
    """A layer of branches."""

    @property
    def parts(self) -> Branches:
        """The branches, in order."""
        parts: Branches = getattr(self, self.op)
        return parts

    @property
    def inner(self) -> tuple[Chain, ...]:
        return tuple(branch.layers for branch in self.parts.values())


class BranchesLayer(ParallelLayer):
    """Parallel chains on one input and their join."""

    op = "branches"
    branches: Branches
    """name: layers, or `{when, layers}`; left to right as drawn, and in this order in the join"""
    join: Literal["concat", "add", "subtract", "multiply", "maximum"]
    """what becomes of the ends of the branches"""


class SplitLayer(ParallelLayer):
    """Last in a branch: its ends enter the enclosing join."""

    op = "split"
    split: Branches
    """name: layers"""


class ResidualBody(Located):
    """What stands under `residual:`."""

    body: Chain
    """the layers of the residual path"""
    shortcut: Branch | None = None
    """the layers of the shortcut; none passes the input on; `{when, layers}` may be left out"""
    scale: Number | None = None
    """what the body is multiplied by"""
    activation: ActivationName = "none"


class ResidualLayer(Layer):
    """Shortcut + scale * body, then the activation."""

    op = "residual"
    residual: ResidualBody
    """`{body, shortcut, scale, activation}`"""

    @property
    def inner(self) -> tuple[Chain, ...]:
        shortcut = self.residual.shortcut
        return (self.residual.body, shortcut.layers) if shortcut else (self.residual.body,)


def layers_in(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Yield the layers of a list and those inside them, in order; blocks stay closed."""
    for layer in layers:
        yield layer
        for chain in layer.inner:
            yield from layers_in(chain)


LAYERS: dict[str, type[Layer]] = {
    **OP_LAYERS,
    **{str(m.op): m for m in (BlockLayer, LayersLayer, BranchesLayer, SplitLayer, ResidualLayer)},
}
"""The word that says what a layer is -> its model."""


CHAINS = frozenset(("layers", "body", "shortcut"))
"""Keys whose value is a list of layers, beside the branches of a layer."""
BRANCHES = frozenset(("branches", "split"))
"""Keys whose value is lists of layers by name."""


def op_of(keys: Collection[str]) -> str:
    """Return the op that the keys of a layer name, wherever it stands; "" where none does.

    Of several words that are ops it is the one that takes most of the keys: `scale` beside
    `batch_norm` is a key of that.
    """
    ops = [key for key in keys if key in LAYERS]
    if len(ops) < 2:
        return "".join(ops)
    return max(ops, key=lambda op: sum(key in LAYERS[op].model_fields for key in keys))


WORDS = frozenset(op for op, model in LAYERS.items() if issubclass(model, WordLayer))
"""Ops that take no argument."""


class BrokenLayer(Layer):
    """Stands in for a layer with faults; what leaves it is unknown."""

    op = "broken"


class ParamSpec(Located):
    """A parameter of a block or network."""

    type: Literal[
        "channels",
        "int",
        "number",
        "bool",
        "kernel",
        "padding",
        "activation",
        "norm",
        "block",
        "list",
        "text",
    ]
    """of which kind its values are; `channels` is a whole number from 1"""
    default: Raw = None
    """its value where none is given; it may be a formula of the parameters before"""
    doc: Text = ""
    """what it is, in words"""
    cite: CiteSpec | None = None
    """where it is printed"""


class BrokenParam(ParamSpec):
    """Stands in for a parameter whose declaration is at fault; its value is unknown."""


class DrawingSpec(Located):
    """How a figure is drawn."""

    input: Text | None = None
    """what the box of the input says"""
    sizes: Literal["none", "trunk", "output"] = "none"
    """where sizes are drawn"""


class ErratumSpec(Located):
    """A recorded difference between what is printed and what is built."""

    where: Text
    """the figure, table or section"""
    printed: Text
    """what stands there"""
    built: Text
    """what is built instead; labels and sizes in backquotes"""
    why: Text
    """why it is built so"""
    sources: Names = []
    """what says so"""
    severity: Literal["unbuildable", "differs", "wording"] = "differs"
    """no network comes of it; another network does; only words are wrong"""
    explains: list[Literal["label", "box", "hidden", "arrow", "order", "size"]] | None = None
    """which deviations from a figure it can explain; default: any"""


class ClaimSpec(Located):
    """A published figure or sentence about a network."""

    of: Literal["parameters", "macs", "text"]
    """what it is a figure of"""
    source: Text
    """where it is published"""
    value: int | None = None
    """the published number"""
    text: Text = ""
    """the published sentence"""
    erratum: Text | None = None
    """the record of what is wrong with it"""


class OutputSpec(Located):
    """A tensor that leaves the network."""

    spelled = {"inputs": "from"}
    name: OutputName
    """what the output is called"""
    inputs: Text | None = None
    """the tensor that leaves (`from`); default: that of its name"""
    training_only: bool = False
    """true: it leaves while training alone, as an auxiliary head does"""
    when: Flag | None = None
    """left out where false"""


class AssertSpec(Located):
    """What must hold."""

    that: Flag
    """a formula over parameters, sizes (`out == 8x8x1536`), `parameters` and `macs`"""
    message: Text = ""
    """what is said where it does not hold"""


class BlockSpec(Located):
    """A block definition; exactly one of `layers`, `branches`, `residual` is its body."""

    spelled = {"assertions": "assert"}
    hidden = frozenset(("name", "body"))
    name: str = ""
    title: Text | None = None
    """its name in figures"""
    doc: Text = ""
    """what it is, in words"""
    cite: CiteSpec | None = None
    """where it is printed"""
    errata: Names = []
    """which recorded errata apply"""
    params: dict[str, ParamSpec] = {}
    """`NAME: default`, or `NAME: {type, default, doc, cite}`; without a default it is required"""
    let: dict[str, Raw] = {}
    """names for values, in order: `hidden: 4 * n`; the layers, and later ones, may use them"""
    inputs: list[Name] = ["x"]
    """the names of what it reads"""
    input_size: Size | None = None
    """the input for which the sizes in its figure hold"""
    drawing: DrawingSpec | None = None
    """how its figure is drawn"""
    assertions: list[AssertSpec] = []
    """what must hold of it: formulas, or `{that, message}`"""
    body: Chain = []
    """The layers of the body; `branches` and `residual` bodies are one layer."""


class NetworkSpec(Located):
    """A network."""

    spelled = {"assertions": "assert"}
    network: Name
    """its name"""
    title: Text | None = None
    """its name in figures"""
    doc: Text = ""
    """what it is, in words"""
    cite: CiteSpec | None = None
    """where it is printed"""
    errata: Names = []
    """which recorded errata apply; in a library the records themselves, by name"""
    params: dict[str, ParamSpec] = {}
    """`NAME: default`, or `NAME: {type, default, doc, cite}`; `--set NAME=VALUE` overrides"""
    let: dict[str, Raw] = {}
    """names for values, in order: `hidden: 4 * n`; the layers, and later ones, may use them"""
    input: dict[str, list[InputSize]]
    """`NAME: [C, H, W]`, channels first, or `NAME: [C]`; a letter leaves a size open"""
    defaults: dict[str, Raw] = {}
    """what these ops take where a layer does not say, inside blocks too"""
    drawing: DrawingSpec | None = None
    """how its figure is drawn"""
    claims: list[ClaimSpec] = []
    """published figures that `summary` shows beside the computed ones"""
    outputs: list[OutputSpec] | None = None
    """what leaves: tensors by name; default: the last layer, or the logits before a softmax"""
    moved: dict[str, Text] = {}
    """`OLD: NEW`: paths that layers had in an earlier version; files of weights that have the old
    names load, and `diff` follows them"""
    assertions: list[AssertSpec] = []
    """what must hold of it: formulas, or `{that, message}`"""
    layers: Chain
    """from input to output"""


class FileSpec(Located):
    """What a file may say besides; it is resolved before models are read."""

    spelled = {"imports": "import"}
    netdraft: Literal[1] = 1
    """the version of the language that the file is written in"""
    imports: Names = []
    """libraries: files relative to this one, or shipped ones by name (`blocks/stem_v4`)"""
    blocks: dict[str, BlockSpec] = {}
    """block definitions by name"""
    extends: Text | None = None
    """the network that this one varies: a file, or a shipped name"""
    changes: list[Raw] = []
    """what differs in its layers, one change after the other"""


WITH_DEFAULTS: Mapping[str, dict[str, object]] = {
    "conv": {"conv": "1x1"},
    "conv_transpose": {"conv_transpose": "1x1"},
    "max_pool": {"max_pool": "1x1"},
    "avg_pool": {"avg_pool": "1x1"},
    "batch_norm": {"batch_norm": True},
    "layer_norm": {"layer_norm": True},
    "group_norm": {"group_norm": 1},
    "instance_norm": {"instance_norm": True},
    "linear": {"linear": 1},
    "block": {"block": "block"},
}
"""Ops that a network may give defaults for, with stand-ins for what they require."""
LAYERS_OWN = COMMON_KEYS - {"inputs", "loop", "cite", "doc"}
"""Keys that a layer can say for itself alone."""
