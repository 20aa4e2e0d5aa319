"""Scaling, dropout, softmax, normalizing, identity: element by element. Shape: kept."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from compiler.errors import Diagnostic, by_channel
from compiler.graph import (
    Op,
    Shape,
    ShapeError,
    Shown,
    Words,
    known_vector,
    one,
)
from compiler.ops.layer import Common, Fields, Layer, Parts, WordLayer
from compiler.text import show_value
from compiler.text.fields import Number, formula_or, kind


@dataclass(frozen=True)
class Elementwise(Op):
    """An operation on every element, or on the vector of them."""

    keeps_shape = True

    def infer_shape(self, *inputs: Shape) -> Shape:
        return one(inputs, self.kind)


@dataclass(frozen=True)
class Scale(Elementwise):
    """Multiply by a constant: the residual scaling of section 3.3 and Figure 20. Shape: kept."""

    kind: ClassVar[str] = "Scale"
    drawn_as = "scale"

    factor: float

    def is_identity(self, *inputs: Shape) -> bool:
        return self.factor == 1

    def words(self, shown: Shown) -> Words:
        return "Activation Scaling", [shown("factor", self.factor)]


@dataclass(frozen=True)
class Standardize(Elementwise):
    """Take RGB values from 0 to 1 to what weights expect: (x - mean) / deviation. Shape: kept.

    No spec has it: `standardize_input` puts it behind the input where a target is to take
    pictures as they are.
    """

    kind: ClassVar[str] = "Standardize"
    drawn_as = "scale"

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, self.kind)
        if shape.channels != len(self.mean):
            raise ShapeError(f"it standardises {len(self.mean)} channels, it receives {shape}")
        return shape

    def words(self, shown: Shown) -> Words:
        return "Standardize", [f"(x - {by_channel(self.mean)}) / {by_channel(self.deviation)}"]


@dataclass(frozen=True)
class Dropout(Elementwise):
    """Zero elements with probability `drop` while training; `per_sample`, whole samples.

    What is kept is divided by the share that is. Whole samples: stochastic depth (arXiv
    1603.09382), a row of the batch each. Shape: kept.
    """

    kind: ClassVar[str] = "Dropout"
    drawn_as = "dropout"

    drop: float
    per_sample: bool = False

    @classmethod
    def spellings(cls) -> Mapping[str, Mapping[str, object]]:
        return {"Dropout": {"per_sample": False}, "DropPath": {"per_sample": True}}

    def is_identity(self, *inputs: Shape) -> bool:
        return self.drop == 0

    def words(self, shown: Shown) -> Words:
        kept = f"keep {shown('keep', round(1 - self.drop, 12))}"
        words = "Drop path" if self.per_sample else "Dropout"
        return words, shown.named("drop", "drop") or [kept]


@dataclass(frozen=True)
class Softmax(Elementwise):
    """Softmax over channels. Shape: kept."""

    kind: ClassVar[str] = "Softmax"
    drawn_as = "softmax"

    def words(self, shown: Shown) -> Words:
        return "Softmax", []


@dataclass(frozen=True)
class Identity(Elementwise):
    """Pass the input on. Shape: kept."""

    kind: ClassVar[str] = "Identity"
    drawn_as = "reshape"

    def is_identity(self, *inputs: Shape) -> bool:
        return True

    def words(self, shown: Shown) -> Words:
        return "Identity", []


@dataclass(frozen=True)
class Normalize(Elementwise):
    """Divide a vector by its Euclidean length (an embedding's last step). Shape: kept."""

    kind: ClassVar[str] = "Normalize"
    drawn_as = "norm"

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "normalize")
        if len(shape) != 1:
            raise ShapeError(
                f"normalize needs a vector, it receives the map {shape}",
                "not-a-vector",
                "put `global_avg_pool` or `flatten` before it",
            )
        return shape

    def known_shape(self, *inputs: Shape) -> Shape:
        return known_vector(inputs)

    def words(self, shown: Shown) -> Words:
        return "L2 normalization", []


class SoftmaxLayer(WordLayer):
    """Softmax over the channels."""

    op = "softmax"

    def operations(self, fields: Fields) -> Parts:
        return [("", Softmax())]


class NormalizeLayer(WordLayer):
    """Divide a vector by its Euclidean length."""

    op = "normalize"

    def operations(self, fields: Fields) -> Parts:
        return [("", Normalize())]


class IdentityLayer(WordLayer):
    """Pass the input on."""

    op = "identity"

    def operations(self, fields: Fields) -> Parts:
        return [("", Identity())]


_SHARE = formula_or("number", minimum=0, maximum=1)
Share = Annotated[
    object,
    kind(
        "keep or drop",
        "`{keep: 0.8}` or `{drop: 0.2}`",
        type="object",
        properties={"keep": _SHARE, "drop": _SHARE},
        additionalProperties=False,
        minProperties=1,
        maxProperties=1,
    ),
]
"""Which share of the elements is kept, or dropped; `operations` reads it."""


class ShareLayer(Layer):
    """A layer whose argument is the share that it keeps or drops."""

    per_sample: ClassVar[bool]

    @property
    def share(self) -> object:
        """`{keep: 0.8}` or `{drop: 0.2}`, as it is written."""
        return getattr(self, self.op)

    def operations(self, fields: Fields) -> Parts:
        return [("", Dropout(_drop_rate(self, fields), self.per_sample))]


class DropoutLayer(ShareLayer):
    """Zero a share of the elements while training."""

    op = "dropout"
    per_sample = False
    dropout: Share
    """`{keep: 0.8}` or `{drop: 0.2}`"""


class DropPathLayer(ShareLayer):
    """Zero a share of the samples while training (stochastic depth): the end of a residual body."""

    op = "drop_path"
    per_sample = True
    drop_path: Share
    """`{keep: 0.9}` or `{drop: 0.1}`; `{drop: 0.1 * index / 17}` grows with the depth"""


def _drop_rate(layer: ShareLayer, fields: Fields) -> float:
    op, given, report, span = layer.op, layer.share, fields.report, layer.span(layer.op)
    strange = [k for k in given if k not in ("keep", "drop")] if isinstance(given, dict) else []
    for key in strange:
        message = f"the value of `{op}` has no key `{key}`"
        help = "it is `{keep: 0.8}` or `{drop: 0.2}`"
        if key in Common.model_fields or key == "from":
            help = f"`{key}` stands beside it: `{{{op}: {{keep: 0.8}}, {key}: ...}}`"
        place = layer.key_span(op, key)
        report.add(Diagnostic("unknown-field", message, place, help=help))
    if strange:
        return 0.0
    if not isinstance(given, dict) or len(given) != 1:
        both = isinstance(given, dict) and {"keep", "drop"} <= set(given)
        text = "gives both `keep` and `drop`" if both else "does not say which share it gives"
        report.add(
            Diagnostic(
                "bad-value", f"`{op}` {text}", span, help="write `{keep: 0.8}` or `{drop: 0.2}`"
            )
        )
        return 0.0
    (word,) = given
    span, rate = layer.span(op, word), fields.number_in(op, word)
    if rate is None:
        return 0.0
    if not 0 <= rate <= 1:
        message = f"`{word}` of `{op}` is {show_value(rate)}, not between 0 and 1"
        help = "write a share: `{keep: 0.8}`, or `{drop: 0.2}`"
        report.add(Diagnostic("bad-value", message, span, help=help))
        return 0.0
    drop = float(rate) if word == "drop" else round(1 - float(rate), 12)
    if drop > 0.5:
        report.add(
            Diagnostic(
                "high-dropout",
                f"this drops {drop:.0%} of the elements",
                span,
                help="the paper keeps 0.8; `drop` is what is zeroed, `keep` what is left",
                severity="warning",
            )
        )
    return drop


class ScaleLayer(Layer):
    """Multiply by a constant."""

    op = "scale"
    scale: Number
    """the constant"""

    def operations(self, fields: Fields) -> Parts:
        factor = fields.number("scale", "factor")
        return [("", Scale(1.0 if factor is None else factor))]
