"""Activation functions, with the words that name them. Shape: kept."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from compiler.graph import (
    Dim,
    Shape,
    Shown,
    Words,
    fixed_channels,
    one,
)
from compiler.ops.elementwise import Elementwise
from compiler.ops.layer import Fields, Layer, Parts, WordLayer
from compiler.text import Expr, bad, describe, read_formula, read_word
from compiler.text.fields import Reader, formula_or, kind, words
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
class Activation(Elementwise):
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
class PReLU(Elementwise):
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
