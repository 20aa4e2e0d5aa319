"""Normalisation."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from compiler.errors import Diagnostic
from compiler.graph import (
    Dim,
    Op,
    Reach,
    Shape,
    ShapeError,
    Shown,
    Words,
    fixed_channels,
    one,
    one_map,
    show_sizes,
    times,
)
from compiler.ops.layer import Fields, Layer, Parts
from compiler.text.fields import Bare, Count, Flag, Number, Reader, formula_or, kind, one_of
from compiler.text.grammar import bad, describe, read_word


class Norm(Op):
    """What every norm has: a small number under the root, a scale and a shift if they are learned.

    Shape: kept.
    """

    drawn_as = "norm"
    keeps_shape = True
    name: ClassVar[str]
    """What a message calls it; the words of a figure, with a capital letter."""

    eps: float
    scale: bool
    shift: bool

    @property
    def learned(self) -> tuple[str, ...]:
        """What it learns, by PyTorch's names: the scale is its weight, the shift its bias."""
        return ("weight",) * self.scale + ("bias",) * self.shift

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self.learned, (channels,))

    def infer_shape(self, *inputs: Shape) -> Shape:
        return fixed_channels(one(inputs, self.name), self.name)

    def words(self, shown: Shown) -> Words:
        return self.name.capitalize(), self._switches(shown)

    def _switches(self, shown: Shown) -> list[str]:
        """Return whether it learns a scale and a shift, where that is not what its kind does."""
        details: list[str] = []
        for word, has in (("scale", self.scale), ("shift", self.shift)):
            is_usual = has == getattr(type(self), word)
            said = [word if has else f"no {word}"]
            details += shown.named(word, f"{word} if") or ([] if is_usual else said)
        return details

    def count_params(self, *inputs: Shape) -> Dim:
        return times(len(self.learned), inputs[0].channels) if self.learned else 0


@dataclass(frozen=True)
class BatchNorm(Norm):
    """Batch normalisation over every dimension but channels, on maps or vectors.

    It learns a scale and a shift, or one of them (TF-Slim's default has no scale), or neither.
    `momentum` has PyTorch's meaning, the weight of the newest batch: TensorFlow's decay of
    0.9997 is a momentum of 0.0003. Shape: kept.
    """

    kind: ClassVar[str] = "BatchNorm"
    name = "batch normalisation"

    eps: float = 1e-5
    momentum: float = 0.1
    scale: bool = True
    shift: bool = True

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys((*self.learned, "running_mean", "running_var"), (channels,))

    def words(self, shown: Shown) -> Words:
        return "Batch norm", self._switches(shown)

    def count_buffers(self, *inputs: Shape) -> Dim:
        return times(2, inputs[0].channels)


@dataclass(frozen=True)
class LayerNorm(Norm):
    """Normalise over the channels, at every position of a map; over a vector.

    The mean and the variance (that of the population) are those of the C channels of one position:
    ConvNeXt's LayerNorm2d, not torch.nn.LayerNorm over a whole map (arXiv 1607.06450).
    """

    kind: ClassVar[str] = "LayerNorm"
    name = "layer norm"

    eps: float = 1e-5
    scale: bool = True
    shift: bool = True


@dataclass(frozen=True)
class GroupNorm(Norm):
    """Normalise over groups of channels and the whole map (arXiv 1803.08494)."""

    kind: ClassVar[str] = "GroupNorm"
    name = "group norm"

    groups: int
    eps: float = 1e-5
    scale: bool = True
    shift: bool = True

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = super().infer_shape(*inputs)
        channels = shape.channels
        if not isinstance(channels, int):
            return shape
        if channels % self.groups:
            raise ShapeError(
                f"{channels} channels cannot be split into {self.groups} groups "
                f"({channels} % {self.groups} = {channels % self.groups})",
                "groups-mismatch",
                f"choose groups that divide {channels}",
            )
        if channels == self.groups and all(size == 1 for size in shape.grid):
            raise ShapeError(
                f"{self.groups} groups of {channels} channels are single numbers, "
                "which a norm makes 0",
                help="choose fewer groups",
            )
        return shape

    def sees(self, *inputs: Shape) -> Reach:
        return Reach.ALL

    def words(self, shown: Shown) -> Words:
        return "Group norm", [f"{shown('groups', self.groups)} groups", *self._switches(shown)]


@dataclass(frozen=True)
class InstanceNorm(Norm):
    """Normalise every channel over its whole map, in training and after it (arXiv 1607.08022)."""

    kind: ClassVar[str] = "InstanceNorm"
    name = "instance norm"

    eps: float = 1e-5
    scale: bool = False
    shift: bool = False

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = fixed_channels(one_map(inputs, self.name), self.name)
        if shape.grid == (1, 1):
            raise ShapeError(
                f"instance norm of a {show_sizes(shape.grid)} grid makes every number 0",
                help="normalise before the map is one pixel, or use `layer_norm`",
            )
        return shape

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((inputs[0].channels if inputs else None, None, None))

    def sees(self, *inputs: Shape) -> Reach:
        return Reach.ALL


class BatchNormLayer(Layer):
    """Batch normalisation."""

    op = "batch_norm"
    bare = True
    batch_norm: Bare
    eps: Number | None = None
    """1e-5 where it is not said, as in PyTorch"""
    momentum: Number | None = None
    """weight of the newest batch (PyTorch's meaning)"""
    decay: Number | None = None
    """1 - momentum (TensorFlow's meaning); give one of the two"""
    scale: Flag = True
    """learn a scale"""
    shift: Flag = True
    """learn a shift"""

    def operations(self, fields: Fields) -> Parts:
        return [("", _batch_norm(fields))]


class LayerNormLayer(Layer):
    """Layer normalisation: over the channels, at every position of a map; over a vector."""

    op = "layer_norm"
    bare = True
    layer_norm: Bare
    eps: Number | None = None
    """1e-5 where it is not said, as in PyTorch"""
    scale: Flag = True
    """learn a scale"""
    shift: Flag = True
    """learn a shift"""

    def operations(self, fields: Fields) -> Parts:
        return [("", LayerNorm(*_switches(fields)))]


class GroupNormLayer(Layer):
    """Group normalisation: over groups of channels and the whole map."""

    op = "group_norm"
    group_norm: Count
    """number of groups"""
    eps: Number | None = None
    """1e-5 where it is not said, as in PyTorch"""
    scale: Flag = True
    """learn a scale"""
    shift: Flag = True
    """learn a shift"""

    def operations(self, fields: Fields) -> Parts:
        groups = fields.integer("group_norm", "groups") or 1
        return [("", GroupNorm(groups, *_switches(fields)))]


class InstanceNormLayer(Layer):
    """Instance normalisation: every channel over its map; by default nothing is learned."""

    op = "instance_norm"
    bare = True
    instance_norm: Bare
    eps: Number | None = None
    """1e-5 where it is not said, as in PyTorch"""
    scale: Flag = False
    """learn a scale"""
    shift: Flag = False
    """learn a shift"""

    def operations(self, fields: Fields) -> Parts:
        return [("", InstanceNorm(*_switches(fields)))]


def _switches(fields: Fields) -> tuple[float, bool, bool]:
    """Return the small number under the root, and whether a scale and a shift are learned."""
    eps = _optional(fields, "eps")
    _check_norm(fields, eps, None)
    return 1e-5 if eps is None else eps, fields.flag("scale"), fields.flag("shift")


NORMS: Mapping[str, Op] = {
    "batch_norm": BatchNorm(),
    "layer_norm": LayerNorm(),
    "instance_norm": InstanceNorm(),
    "group_norm": GroupNorm(1),
}
"""Word -> the norm that it means where nothing more is said; the number of groups always is."""
NORM_WORDS = ("none", *(word for word in NORMS if word != "group_norm"))


def read_norm(value: Any) -> Any:
    """Return a norm's word, a parameter's name (checked on use), `{group_norm: 32}`, a formula."""
    if isinstance(value, dict) and list(value) == ["group_norm"]:
        return value
    if not isinstance(value, str):
        help = f"one of {', '.join(NORM_WORDS)}, or `{{group_norm: 32}}`"
        raise bad("bad-value", f"expected a norm, found {describe(value)}", help=help)
    if value == "group_norm":
        help = "write `norm: {group_norm: 32}`"
        raise bad("bad-value", "`group_norm` does not say how many groups it has", help=help)
    return read_word(value)


NormName = Annotated[
    object,
    Reader(read_norm),
    kind(
        "norm",
        "the norm that follows, a parameter or formula that is one, or `{group_norm: 32}`",
        anyOf=[
            *one_of(NORM_WORDS),
            {
                "type": "object",
                "properties": {"group_norm": formula_or("integer", minimum=1)},
                "required": ["group_norm"],
                "additionalProperties": False,
            },
        ],
    ),
]


_GROUPS = re.compile(r"\{group_norm: (\d+)\}")


def grouped(groups: int) -> str:
    """Return a group norm as the one text that is its value: `{group_norm: 32}`."""
    return f"{{group_norm: {groups}}}"


def is_norm(text: object) -> bool:
    """True for the value of a norm: a word, or a text made by `grouped`."""
    return isinstance(text, str) and (text in NORM_WORDS or _GROUPS.fullmatch(text) is not None)


def norm_after(fields: Fields) -> Op | None:
    """Return the norm that the key `norm` of a layer asks for."""
    if isinstance(fields.raw("norm"), dict):
        groups = fields.number_in("norm", "group_norm", "channels") or 1
    else:
        word = fields.word("norm", NORM_WORDS, is_norm)
        found = _GROUPS.fullmatch(word)
        if found is None:
            return None if word == "none" else fields.norms[word]
        groups = int(found[1])
    made: Any = fields.norms["group_norm"]
    return replace(made, groups=groups)  # type: ignore[no-any-return]


def _batch_norm(fields: Fields) -> BatchNorm:
    """Return the batch norm that a layer, or the network's default, describes."""
    eps, momentum, decay = (_optional(fields, f) for f in ("eps", "momentum", "decay"))
    if momentum is not None and decay is not None:
        if fields.where("momentum") is fields.where("decay"):
            message = "`momentum` and `decay` are two words for one thing"
            _complain(fields, message, "momentum", "give one")
        elif fields.where("momentum") is fields.layer:  # the layer's own word holds
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
