"""Normalisation."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar

from compiler.errors import Diagnostic
from compiler.graph import Dim, Op, Shape, Shown, Words, fixed_channels, one, times
from compiler.ops.layer import Fields, Layer, Parts
from compiler.text.fields import Bare, Flag, Number


@dataclass(frozen=True)
class BatchNorm(Op):
    """Batch normalisation over every dimension but channels, on maps or vectors.

    It learns a scale and a shift, or one of them (TF-Slim's default has no scale), or neither.
    `momentum` has PyTorch's meaning, the weight of the newest batch: TensorFlow's decay of
    0.9997 is a momentum of 0.0003. Shape: kept.
    """

    kind: ClassVar[str] = "BatchNorm"
    drawn_as = "norm"
    keeps_shape = True

    eps: float = 1e-5
    momentum: float = 0.1
    scale: bool = True
    shift: bool = True

    @property
    def learned(self) -> tuple[str, ...]:
        """What it learns, by PyTorch's names: the scale is its weight, the shift its bias."""
        return ("weight",) * self.scale + ("bias",) * self.shift

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys((*self.learned, "running_mean", "running_var"), (channels,))

    def infer_shape(self, *inputs: Shape) -> Shape:
        return fixed_channels(one(inputs, "batch normalisation"), "batch normalisation")

    def words(self, shown: Shown) -> Words:
        details: list[str] = []
        for word, has in (("scale", self.scale), ("shift", self.shift)):
            details += shown.named(word, f"{word} if") or ([] if has else [f"no {word}"])
        return "Batch norm", details

    def count_params(self, *inputs: Shape) -> Dim:
        return times(len(self.learned), inputs[0].channels) if self.learned else 0

    def count_buffers(self, *inputs: Shape) -> Dim:
        return times(2, inputs[0].channels)


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

    def operations(self, fields: Fields) -> Parts:
        return [("", norm_of(fields))]


def norm_of(fields: Fields) -> BatchNorm:
    """Return the batch norm that a layer, or the network's default, describes."""
    eps, momentum, decay = (_optional(fields, f) for f in ("eps", "momentum", "decay"))
    is_twice = momentum is not None and decay is not None
    if is_twice and fields.where("momentum") is not fields.where("decay"):  # the layer's own wins
        is_own = fields.where("momentum") is fields.layer
        momentum, decay = (momentum, None) if is_own else (None, decay)
    if momentum is not None and decay is not None:
        if fields.where("momentum") is fields.where("decay"):
            message = "`momentum` and `decay` are two words for one thing"
            _complain(fields, message, "momentum", "give one")
        elif fields.where("decay") is fields.defaults:  # the layer's own word holds
            decay = None
    if decay is not None:
        momentum = round(1 - decay, 12)
    _check_norm(fields, eps, momentum)
    return BatchNorm(
        eps=1e-5 if eps is None else eps,
        momentum=0.1 if momentum is None else momentum,
        scale=fields.flag("scale"),
        shift=fields.flag("shift"),
    )


def _check_norm(fields: Fields, eps: float | None, momentum: float | None) -> None:
    if eps is not None and eps <= 0:
        _complain(
            fields,
            f"`eps` of {fields.what} = {eps:g} is not positive",
            "eps",
            "1e-3 and 1e-5 are usual",
        )
    if momentum is not None and not 0 <= momentum <= 1:
        text = f"the weight of the newest batch is {momentum:g}, not between 0 and 1"
        _complain(fields, text, "momentum", "PyTorch's momentum is 1 - TensorFlow's decay")
    if momentum == 0:
        fields.report.add(
            Diagnostic(
                "frozen-norm",
                "a momentum of 0 never updates the running statistics",
                fields.where("momentum").span("momentum"),
                help="TensorFlow's decay of 1 - m is a momentum of m here",
                severity="warning",
            )
        )


def _optional(fields: Fields, field: str) -> float | None:
    return None if fields.raw(field) is None else fields.number(field)


def _complain(fields: Fields, message: str, field: str, help: str) -> None:
    span = fields.where(field).span(field)
    fields.report.add(Diagnostic("bad-value", message, span, help=help))
