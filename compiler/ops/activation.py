"""Element-wise functions, scaling, dropout, softmax and identity: shape is kept."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from compiler.errors import Diagnostic, by_channel
from compiler.graph import (
    Dim,
    Op,
    Shape,
    ShapeError,
    Shown,
    Words,
    fixed_channels,
    known_vector,
    one,
)
from compiler.ops.layer import Common, Fields, Layer, Parts, WordLayer
from compiler.text import Expr, bad, describe, read_formula, read_word, show_value
from compiler.text.fields import Number, Reader, formula_or, kind, words
from compiler.text.grammar import Formula

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
    "mish": "Mish",
}
"""Word in a spec -> torch.nn class; each with torch's default constants."""

ARGUMENTS: dict[str, tuple[str, float | str]] = {
    "leaky_relu": ("negative_slope", 0.01),
    "elu": ("alpha", 1.0),
    "gelu": ("approximate", "none"),
}
"""Word that may have an argument -> torch's name for that, and what it is by default."""

PRELU = "prelu"
"""The word of the activation with parameters; its argument is `one` or `channels`."""
WORDS_OF = {"gelu": ("none", "tanh"), PRELU: ("channels", "one")}
"""Word whose argument is a word -> those that it may be, the default first."""


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
    "mish": "Mish",
    PRELU: "PReLU",
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
    argument: float | str | None = None
    """One of `ARGUMENTS`; None for the default."""

    @classmethod
    def spellings(cls) -> Mapping[str, Mapping[str, object]]:
        return {name: {"function": word} for word, name in ACTIVATIONS.items()}

    @property
    def constant(self) -> float | str:
        """Its argument, or what that is by default."""
        return ARGUMENTS[self.function][1] if self.argument is None else self.argument

    @property
    def label(self) -> str:
        """The word of a figure, with its argument."""
        return " ".join([LABELS[self.function], *self._details()])

    def words(self, shown: Shown) -> Words:
        if named := shown.named("function", "Activation"):
            return named[0], []
        return f"{LABELS[self.function]} activation", self._details()

    def _details(self) -> list[str]:
        if self.argument is None:
            return []
        argument = self.argument
        return [f"{argument:g}" if isinstance(argument, float) else argument]


@dataclass(frozen=True)
class PReLU(_Elementwise):
    """`x` where it is positive, a learned multiple of it elsewhere (arXiv 1502.01852).

    One slope for each channel, or one for all, 0.25 at first. Shape: kept.
    """

    kind: ClassVar[str] = "PReLU"
    drawn_as = "activation"

    slopes: Literal["channels", "one"] = "channels"

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return {"weight": (channels if self.slopes == "channels" else 1,)}

    def infer_shape(self, *inputs: Shape) -> Shape:
        return fixed_channels(one(inputs, self.kind), "a PReLU")

    def count_params(self, *inputs: Shape) -> Dim:
        return inputs[0].channels if self.slopes == "channels" else 1

    @property
    def label(self) -> str:
        """The word of a figure."""
        return " ".join([LABELS[PRELU], *self._details()])

    def words(self, shown: Shown) -> Words:
        if named := shown.named("function", "Activation"):
            return named[0], []
        return f"{LABELS[PRELU]} activation", self._details()

    def _details(self) -> list[str]:
        return ["one slope"] if self.slopes == "one" else []


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


@dataclass(frozen=True)
class Parametric:
    """An activation with its argument, as it is written: `{leaky_relu: 0.1}`."""

    word: str
    argument: Formula | str

    def __str__(self) -> str:
        return f"{{{self.word}: {self.argument}}}"


def spelled(word: str, argument: float | str) -> str:
    """Return an activation with its argument as the one text that is its value.

    >>> spelled("leaky_relu", 0.2), spelled("leaky_relu", 0.01)
    ('{leaky_relu: 0.2}', 'leaky_relu')
    """
    usual = WORDS_OF[word][0] if word in WORDS_OF else ARGUMENTS[word][1]
    return word if argument == usual else f"{{{word}: {argument}}}"


def activation_of(text: str) -> Activation | PReLU:
    """Return the activation that a text made by `spelled`, or a word alone, is."""
    word, _, argument = text.strip("{}").partition(": ")
    if word == PRELU:
        return PReLU("one" if argument == "one" else "channels")
    is_number = argument and word not in WORDS_OF
    return Activation(word, float(argument) if is_number else argument or None)


def is_activation(text: object) -> bool:
    """True for the value of an activation: a word, or a text made by `spelled`."""
    if not isinstance(text, str) or text in ACTIVATION_WORDS:
        return isinstance(text, str)
    return text.startswith("{") and text[1:].partition(":")[0] in ACTIVATION_WORDS


def then(text: str) -> Parts:
    """Return the activation that follows an operation, if any does."""
    return [] if text == "none" else [("act", activation_of(text))]


def read_activation(value: Any) -> str | Parametric | Expr:
    """Return an activation's name, `none`, a parameter's name (checked on use), or with argument.

    `relu`, `act`, `{leaky_relu: 0.1}`; a formula of one, `relu if index == 0 else none`.
    """
    if isinstance(value, dict) and len(value) == 1:
        ((word, argument),) = value.items()
        if word in ARGUMENTS or word == PRELU:
            return Parametric(word, _read_argument(word, argument))
        if word in ACTIVATION_WORDS:
            raise bad("bad-value", f"`{word}` takes no argument", help=f"write `{word}` alone")
    if not isinstance(value, str):
        raise bad("bad-value", f"expected an activation, found {describe(value)}", help=_ONE_OF)
    return read_word(value)


def _read_argument(word: str, value: Any) -> Formula | str:
    """Return the argument of an activation: a word of its own, or a number or a formula."""
    if word not in WORDS_OF:
        return read_formula(value)
    if value not in WORDS_OF[word]:
        known = " or ".join(f"`{w}`" for w in WORDS_OF[word])
        raise bad("bad-value", f"the argument of `{word}` is {known}, found {describe(value)}")
    return str(value)


ACTIVATION_WORDS = ("none", *ACTIVATIONS, PRELU)
_ONE_OF = f"one of {', '.join(ACTIVATION_WORDS)}; or with an argument, `{{leaky_relu: 0.1}}`"
_SCHEMAS = {
    **dict.fromkeys(ARGUMENTS, formula_or("number")),
    **{word: {"enum": list(known)} for word, known in WORDS_OF.items()},
}
"""Word that may have an argument -> what an editor knows of that."""
ActivationName = Annotated[
    str | Parametric | Expr,
    Reader(read_activation),
    words(
        "activation",
        "the function that follows, `{leaky_relu: 0.1}` with an argument",
        ACTIVATION_WORDS,
        {
            "type": "object",
            "properties": _SCHEMAS,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ),
]


class ActivationLayer(WordLayer):
    """Activation."""

    def call(self, word: str) -> None:
        """Say which activation it is."""
        object.__setattr__(self, "op", word)

    def operations(self, fields: Fields) -> Parts:
        return [("", activation_of(self.op))]


def _with_argument(word: str, what: str) -> Any:
    """Return the kind of the argument of a word; `true` stands for the word alone."""

    def read(value: Any) -> str | Parametric:
        return word if value is True else Parametric(word, _read_argument(word, value))

    either = [{"const": True}, _SCHEMAS[word]]
    return Annotated[object, Reader(read), kind(f"{word} argument", what, anyOf=either)]


class _ParametricLayer(Layer):
    bare = True

    def operations(self, fields: Fields) -> Parts:
        return [("", activation_of(fields.activation(self.op)))]


class LeakyReLULayer(_ParametricLayer):
    """`x` where it is positive, a small multiple of it elsewhere."""

    op = "leaky_relu"
    leaky_relu: _with_argument("leaky_relu", "the factor below 0, or `true`: 0.01")  # type: ignore[valid-type]
    """the factor below 0; the word alone: 0.01"""


class EluLayer(_ParametricLayer):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere."""

    op = "elu"
    elu: _with_argument("elu", "alpha, or `true`: 1")  # type: ignore[valid-type]
    """alpha; the word alone: 1"""


class GeluLayer(_ParametricLayer):
    """`x` times the normal distribution at `x`."""

    op = "gelu"
    gelu: _with_argument("gelu", "`none`, or `tanh`: an approximation")  # type: ignore[valid-type]
    """`tanh`: its approximation; the word alone, or `none`: exactly"""


class PReLULayer(_ParametricLayer):
    """`x` where it is positive, a learned multiple of it elsewhere, 0.25 at first."""

    op = PRELU
    prelu: _with_argument(PRELU, "`channels`: a slope for each channel, `one` for all")  # type: ignore[valid-type]
    """`one` slope for all channels; the word alone, or `channels`: one for each"""


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
