"""Element-wise functions, scaling, dropout, softmax and identity: shape is kept."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator

from compiler.errors import Diagnostic, by_channel
from compiler.graph import Op, Shape, ShapeError, Shown, Words, known_vector, one, value_text
from compiler.ops.layer import Common, Fields, Layer, Parts, WordLayer
from compiler.text import bad, describe, show_value
from compiler.text.fields import Number, formula_or, kind, words

ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "hard_sigmoid": "Hardsigmoid",
    "hard_swish": "Hardswish",
}
"""Word in a spec -> torch.nn class; each with torch's default constants."""


LABELS = {
    "relu": "Relu",
    "relu6": "ReLU6",
    "leaky_relu": "Leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "hard_sigmoid": "Hard sigmoid",
    "hard_swish": "Hard swish",
}
"""Word in a spec -> the word of a figure; `Relu` is the paper's spelling."""


@dataclass(frozen=True)
class _Elementwise(Op):
    keeps_shape = True

    def infer_shape(self, *inputs: Shape) -> Shape:
        return one(inputs, self.kind)


@dataclass(frozen=True)
class Activation(_Elementwise):
    """One of `ACTIVATIONS`, applied to every element. Shape: kept."""

    kind: ClassVar[str] = "Activation"
    drawn_as = "activation"

    function: str = "relu"

    @classmethod
    def spellings(cls) -> Mapping[str, Mapping[str, object]]:
        return {name: {"function": word} for word, name in ACTIVATIONS.items()}

    def words(self, shown: Shown) -> Words:
        if named := shown.named("function", "Activation"):
            return named[0], []
        return f"{LABELS[self.function]} activation", []


@dataclass(frozen=True)
class Scale(_Elementwise):
    """Multiply by a constant: the residual scaling of section 3.3 and Figure 20. Shape: kept."""

    kind: ClassVar[str] = "Scale"
    drawn_as = "scale"

    factor: float

    def is_identity(self, *inputs: Shape) -> bool:
        return self.factor == 1

    def words(self, shown: Shown) -> Words:
        return "Activation Scaling", [shown("factor", self.factor)]


@dataclass(frozen=True)
class Standardize(_Elementwise):
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
class Dropout(_Elementwise):
    """Zero elements with probability `drop` while training. Shape: kept."""

    kind: ClassVar[str] = "Dropout"
    drawn_as = "dropout"

    drop: float

    def is_identity(self, *inputs: Shape) -> bool:
        return self.drop == 0

    def words(self, shown: Shown) -> Words:
        by_name = shown.named("keep", "keep") or shown.named("drop", "drop")
        return "Dropout", by_name or [f"keep {value_text(round(1 - self.drop, 12))}"]


@dataclass(frozen=True)
class Softmax(_Elementwise):
    """Softmax over channels. Shape: kept."""

    kind: ClassVar[str] = "Softmax"
    drawn_as = "softmax"

    def words(self, shown: Shown) -> Words:
        return "Softmax", []


@dataclass(frozen=True)
class Identity(_Elementwise):
    """Pass the input on. Shape: kept."""

    kind: ClassVar[str] = "Identity"
    drawn_as = "reshape"

    def is_identity(self, *inputs: Shape) -> bool:
        return True

    def words(self, shown: Shown) -> Words:
        return "Identity", []


@dataclass(frozen=True)
class Normalize(_Elementwise):
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


def then(function: str) -> Parts:
    """Return the activation that follows an operation, if any does."""
    return [] if function == "none" else [("act", Activation(function))]


def read_activation(value: Any) -> str:
    """Return the name of an activation, `none`, or a parameter's name (checked on use)."""
    if not isinstance(value, str):
        raise bad("bad-value", f"expected an activation, found {describe(value)}", help=_ONE_OF)
    return value


_ONE_OF = "one of none, " + ", ".join(ACTIVATIONS)


ACTIVATION_WORDS = ("none", *ACTIVATIONS)
ActivationName = Annotated[
    str,
    PlainValidator(read_activation),
    words("activation", "the function that follows", ACTIVATION_WORDS),
]


class ActivationLayer(WordLayer):
    """Activation."""

    def call(self, word: str) -> None:
        """Say which activation it is."""
        object.__setattr__(self, "op", word)

    def operations(self, fields: Fields) -> Parts:
        return [("", Activation(self.op))]


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


class DropoutLayer(Layer):
    """Zero a share of the elements while training."""

    op = "dropout"
    dropout: Share
    """`{keep: 0.8}` or `{drop: 0.2}`"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Dropout(_drop_rate(self, fields)))]


def _drop_rate(layer: DropoutLayer, fields: Fields) -> float:
    given, report, span = layer.dropout, fields.report, layer.span("dropout")
    strange = [k for k in given if k not in ("keep", "drop")] if isinstance(given, dict) else []
    for key in strange:
        message = f"the value of `dropout` has no key `{key}`"
        help = "it is `{keep: 0.8}` or `{drop: 0.2}`"
        if key in Common.model_fields or key == "from":
            help = f"`{key}` stands beside it: `{{dropout: {{keep: 0.8}}, {key}: ...}}`"
        place = layer.key_span("dropout", key)
        report.add(Diagnostic("unknown-field", message, place, help=help))
    if strange:
        return 0.0
    if not isinstance(given, dict) or len(given) != 1:
        both = isinstance(given, dict) and {"keep", "drop"} <= set(given)
        text = "gives both `keep` and `drop`" if both else "does not say which share it gives"
        report.add(
            Diagnostic(
                "bad-value", f"`dropout` {text}", span, help="write `{keep: 0.8}` or `{drop: 0.2}`"
            )
        )
        return 0.0
    (word,) = given
    span, rate = layer.span("dropout", word), fields.number_in("dropout", word)
    if rate is None:
        return 0.0
    if not 0 <= rate <= 1:
        message = f"`{word}` of `dropout` is {show_value(rate)}, not between 0 and 1"
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
