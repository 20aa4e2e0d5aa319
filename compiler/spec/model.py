"""Everything a user may write, as pydantic models: layers, blocks, networks."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class, which is a
# third of the time that this file takes to import.
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from compiler.errors import Span
from compiler.ops import ACTIVATIONS
from compiler.spec.fields import (
    ActivationName,
    Bare,
    Flag,
    Groups,
    Kernel,
    Names,
    Number,
    Padding,
    Size,
    Text,
)
from compiler.spec.names import LayerName, Name, OutputName
from compiler.text import Mapping, Node, Scalar, node_at, span_at

Chain = list["Layer"]


class Located(BaseModel):
    """A model that knows the YAML it was read from."""

    model_config = ConfigDict(
        strict=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )
    _node: ClassVar[Node | None] = None
    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no keys of the language."""
    spelled: ClassVar[dict[str, str]] = {}
    """Field -> its key in YAML, where they differ."""

    def locate(self, node: Node | None) -> None:
        """Remember the YAML that the model was read from (past pydantic: it is read often)."""
        object.__setattr__(self, "_node", node)

    def span(self, *steps: int | str) -> Span:
        """Return the place of a value, or of the whole where the value was not written."""
        assert self._node is not None
        return span_at(self._node, steps)

    def inside(self, steps: tuple[int | str, ...], start: int, end: int) -> Span:
        """Return the place of characters `start` to `end` of a value."""
        assert self._node is not None
        node = node_at(self._node, steps)
        return node.inside(start, end) if isinstance(node, Scalar) else node.span

    def key_span(self, key: str) -> Span:
        """Return the place of a key."""
        assert isinstance(self._node, Mapping)
        entry = self._node.entries.get(key)
        return entry.key_span if entry else self._node.span

    def says(self, field: str) -> bool:
        """True when the spec itself gives the field, rather than its default."""
        return field in self.model_fields_set


class CiteSpec(Located):
    """Where it is printed."""

    figure: int | None = None
    table: int | None = None
    section: Text | None = None
    code: Text | None = None


class Common(Located):
    """What every layer may say."""

    spelled = {"inputs": "from"}

    name: LayerName | None = None
    repeat: Number | None = None
    when: Flag | None = None
    share: Text | None = None
    size: Size | None = None
    label: Text | None = None
    title: Text | None = None
    drawn: bool = True
    cite: CiteSpec | None = None
    errata: Names = []
    doc: Text = ""
    inputs: Any = None
    """`from` in YAML: a name, a list of names, or (for a block) a mapping."""


class CommonOfJoin(Common):
    """The same for a layer that is a line of `forward` and no attribute of a module."""

    name: Name | None = None


COMMON = frozenset(Common.model_fields)
NOTHING = Common.model_construct()


class Layer(Located):
    """A layer: the op's own fields are in its subclass, what every layer may say in `common`.

    They are apart so that pydantic builds the rules for the common fields once.
    """

    op: ClassVar[str] = ""
    bare: ClassVar[bool] = False
    """True: the word alone is a layer."""
    mostly: ClassVar[tuple[str, ...]] = ()
    """Keys that a layer needs unless the network's `defaults` give them."""
    rules: ClassVar[type[Common]] = Common
    """What reads the common fields."""
    common: ClassVar[Common] = NOTHING
    """What the layer says besides its op's own fields."""

    def attach(self, common: Common) -> None:
        """Add what the layer says besides its op's own fields."""
        object.__setattr__(self, "common", common)

    @property
    def name(self) -> str | None:
        """The name that the spec gives."""
        return self.common.name


class ConvLayer(Layer):
    """2-D convolution."""

    op = "conv"
    mostly = ("filters",)
    conv: Kernel
    """kernel, height x width"""
    filters: Number | None = None
    """number of output channels; needed here or in the network's `defaults`"""
    stride: Kernel = 1
    padding: Padding = "same"
    dilation: Kernel = 1
    groups: Groups = 1
    """groups, or `depthwise`: one for each input channel"""
    bias: Flag | None = None
    """default: true exactly where no norm follows"""
    norm: Text = "none"
    """`batch_norm` or `none`"""
    activation: ActivationName = "none"
    linear: Flag = False
    """true: no norm and no activation whatever the defaults say, and a bias"""


class MaxPoolLayer(Layer):
    """Maximum over a window; padding counts as minus infinity."""

    op = "max_pool"
    max_pool: Kernel
    """kernel, height x width"""
    stride: Kernel = 1
    padding: Padding = "same"
    ceil: Flag = False
    """round the output size up (a window that would start in the padding is dropped)"""


class AvgPoolLayer(Layer):
    """Mean over a window."""

    op = "avg_pool"
    avg_pool: Kernel
    """kernel, height x width"""
    stride: Kernel = 1
    padding: Padding = "same"
    ceil: Flag = False
    """round the output size up (a window that would start in the padding is dropped)"""
    count_include_pad: Flag = False
    """true: padding counts as zeros in the mean"""


class GlobalAvgPoolLayer(Layer):
    """Mean over the whole map, whatever its size."""

    op = "global_avg_pool"
    bare = True
    global_avg_pool: Bare
    keep_grid: Flag = False
    """true: keep a 1x1 map instead of a vector"""


class GlobalMaxPoolLayer(Layer):
    """Maximum over the whole map."""

    op = "global_max_pool"
    bare = True
    global_max_pool: Bare
    keep_grid: Flag = False
    """true: keep a 1x1 map instead of a vector"""


class AdaptiveAvgPoolLayer(Layer):
    """Mean over the cells of a fixed grid."""

    op = "adaptive_avg_pool"
    adaptive_avg_pool: Kernel
    """output grid, height x width"""


class UpsampleLayer(Layer):
    """Nearest-neighbour upsampling."""

    op = "upsample"
    upsample: Number
    """whole factor"""


class BatchNormLayer(Layer):
    """Batch normalisation."""

    op = "batch_norm"
    bare = True
    batch_norm: Bare
    eps: Number | None = None
    momentum: Number | None = None
    """weight of the newest batch (PyTorch's meaning)"""
    decay: Number | None = None
    """1 - momentum (TensorFlow's meaning); give one of the two"""
    scale: Flag = True
    """learn a scale"""
    shift: Flag = True
    """learn a shift"""


class LinearLayer(Layer):
    """Fully connected layer."""

    op = "linear"
    linear: Number
    """number of outputs"""
    bias: Flag = True
    activation: ActivationName = "none"


class DropoutLayer(Layer):
    """Zero a share of the elements while training."""

    op = "dropout"
    dropout: Any
    """`{keep: 0.8}` or `{drop: 0.2}`"""


class ScaleLayer(Layer):
    """Multiply by a constant."""

    op = "scale"
    scale: Number


class ConcatLayer(Layer):
    """Stack the channels of named layers, in this order."""

    op = "concat"
    rules = CommonOfJoin
    concat: list[str]


class AddLayer(Layer):
    """Add named layers of one shape."""

    op = "add"
    rules = CommonOfJoin
    add: list[str]


class MultiplyLayer(Layer):
    """Multiply named layers; a 1x1 map is spread over the grid."""

    op = "multiply"
    rules = CommonOfJoin
    multiply: list[str]


class BlockLayer(Layer):
    """An instance of a block."""

    op = "block"
    spelled = {"arguments": "with"}
    block: Text
    """the block's name"""
    arguments: dict[str, Any] = {}
    """`with` in YAML: values for the block's parameters"""


class LayersLayer(Layer):
    """A sequence, for a name or a repeat."""

    op = "layers"
    layers: Any


class BranchesLayer(Layer):
    """Parallel chains on one input and their join."""

    op = "branches"
    branches: dict[str, Any]
    join: Literal["concat", "add", "multiply"]


class SplitLayer(Layer):
    """Last in a branch: its ends enter the enclosing join."""

    op = "split"
    split: dict[str, Any]


class ResidualBody(Located):
    """What stands under `residual:`."""

    body: Any
    shortcut: Any = None
    scale: Number | None = None
    activation: ActivationName = "none"


class ResidualLayer(Layer):
    """Shortcut + scale * body, then the activation."""

    op = "residual"
    residual: ResidualBody


class WordLayer(Layer):
    """A layer that its word says whole: an activation, softmax, flatten, ..."""

    bare = True
    hidden = frozenset(("word",))
    word: Bare
    """the op's own key"""

    def call(self, word: str) -> None:
        """Say which word it is."""
        object.__setattr__(self, "op", word)


WORDS = {
    "flatten": "join height, width and channels into a vector",
    "softmax": "softmax over the channels",
    "normalize": "divide a vector by its Euclidean length",
    "identity": "pass the input on",
    **dict.fromkeys(ACTIVATIONS, "activation"),
}
"""Ops that take no argument, with what they do."""

LAYERS: dict[str, type[Layer]] = dict.fromkeys(WORDS, WordLayer) | {
    str(model.op): model
    for model in (
        ConvLayer,
        MaxPoolLayer,
        AvgPoolLayer,
        GlobalAvgPoolLayer,
        GlobalMaxPoolLayer,
        AdaptiveAvgPoolLayer,
        UpsampleLayer,
        BatchNormLayer,
        LinearLayer,
        DropoutLayer,
        ScaleLayer,
        ConcatLayer,
        AddLayer,
        MultiplyLayer,
        BlockLayer,
        LayersLayer,
        BranchesLayer,
        SplitLayer,
        ResidualLayer,
    )
}
"""The word that opens a layer -> its model."""


class BrokenLayer(Layer):
    """Stands in for a layer with faults; what leaves it is unknown."""

    op = "broken"


class ParamSpec(Located):
    """A parameter of a block or network."""

    type: Literal["channels", "int", "number", "bool", "kernel", "padding", "activation", "text"]
    default: Any = None
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
    body: Any = None
    """The layers of the body; `branches` and `residual` bodies are one layer."""


class NetworkSpec(Located):
    """A network."""

    network: Name
    title: Text | None = None
    doc: Text = ""
    cite: CiteSpec | None = None
    errata: Names = []
    params: dict[str, ParamSpec] = {}
    input: dict[str, list[Any]]
    defaults: dict[str, Any] = {}
    drawing: DrawingSpec | None = None
    claims: list[ClaimSpec] = []
    outputs: list[Any] | None = None
    layers: Any
