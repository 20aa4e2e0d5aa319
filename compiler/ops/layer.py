"""A layer as the spec writes it: what every one may say, and how it becomes operations."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, ClassVar, Literal, Protocol

from compiler.errors import Report
from compiler.graph import Op, Pads, Pair, Traced
from compiler.text import Located
from compiler.text.fields import (
    Bare,
    Flag,
    LayerName,
    Name,
    Names,
    Operands,
    Series,
    Size,
    Text,
    Times,
)

Parts = list[tuple[str, Op]]
"""The operations of a layer, one after the other, each with the last step of its name; the only
operation of a layer bears the layer's own name."""


class Fields(Protocol):
    """Reads the fields of a layer: a wrong one is reported and gives None."""

    layer: Located
    what: str
    """What a message calls the layer."""
    report: Report
    defaults: Located | None
    """What the network's defaults say for layers of this op."""
    traced: dict[str, Traced]
    """Attribute or key -> where it comes from, unless it is a plain value."""
    is_sized_by_layer: bool
    """True where the layer reads another one for its size."""
    channels: int | None
    """Channels that enter the layer, None where they are not a number."""
    norms: Mapping[str, Op]
    """Word -> the norm that follows convolutions, as the network's defaults have it."""

    def raw(self, field: str) -> Any:
        """Return a field as written: the layer's own, else the network's default."""

    def where(self, field: str) -> Located:
        """Return what says a field."""

    def integer(self, field: str, attribute: str = "", least: int = 1) -> int | None:
        """Return a whole number that is at least `least`; one that is not there is reported."""

    def number(self, field: str, attribute: str = "") -> float | None:
        """Return a number."""

    def number_in(self, field: str, key: str, type: str = "number") -> Fraction | int | None:
        """Return a number of a field that is a mapping, of a parameter's type."""

    def pair(self, field: str, attribute: str = "", least: int = 1) -> Pair | None:
        """Return (height, width)."""

    def factor_or_size(self, field: str) -> int | Pair | None:
        """Return one number, or (height, width); the graph knows it as `factor` or `size`."""

    def padding(
        self, op: str, kernel: Pair, dilation: Pair = (1, 1)
    ) -> Pads | Literal["same"] | None:
        """Return `same`, or ((top, bottom), (left, right)); the kernel is that of the key `op`."""

    def sides(self, field: str, attribute: str = "") -> Pads | None:
        """Return ((top, bottom), (left, right))."""

    def range(self, field: str) -> Pair | None:
        """Return (start, stop) of channels, both counted from 0."""

    def flag(self, field: str) -> bool:
        """Return true or false."""

    def activation(self, field: str) -> str:
        """Return the value of an activation: `relu`, `{leaky_relu: 0.1}`, `none`."""

    def word(
        self,
        field: str,
        known: tuple[str, ...],
        is_one: Callable[[object], bool] = lambda value: False,
    ) -> str:
        """Return a word of a closed set, or what else is one; `none` if it is wrong."""


class CiteSpec(Located):
    """Where it is printed."""

    figure: int | None = None
    """the number of a figure"""
    table: int | None = None
    """the number of a table"""
    section: Text | None = None
    """a section, in words"""
    code: Text | None = None
    """published code, in words"""


class Common(Located):
    """What every layer may say."""

    spelled = {"inputs": "from", "loop": "for"}

    name: LayerName | None = None
    """default: op and kernel (`conv_3x3`, the second one `conv_3x3_2`)"""
    repeat: Times | None = None
    """so many copies one after the other; `index` counts from 0 in formulas"""
    loop: dict[str, Series] | None = None
    """`{NAME: [VALUE, ...]}`: a copy for each value, one after the other; formulas read the name"""
    when: Flag | None = None
    """left out where false: the layer after it reads what it would have read"""
    share: Text | None = None
    """the layer whose parameters it uses"""
    size: Size | None = None
    """the printed size of its output, which is checked"""
    label: Text | None = None
    """the words of its box in a figure"""
    title: Text | None = None
    """its name in figures"""
    drawn: bool = True
    """false: no box of its own, it belongs to the box that reads it"""
    cite: CiteSpec | None = None
    """where it is printed"""
    errata: Names = []
    """which recorded errata apply"""
    doc: Text = ""
    """what it is, in words"""
    inputs: Operands = None
    """the layer or layers that it reads (`from`); default: the one before"""


class CommonOfJoin(Common):
    """The same for a layer that is a line of `forward` and no attribute of a module."""

    name: Name | None = None
    """default: the op (`concat`, the second one `concat_2`)"""


COMMON = frozenset(Common.model_fields)
COMMON_KEYS = COMMON | frozenset(Common.spelled.values())
"""What every layer may say, by its field or by its key."""
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
    takes_size: ClassVar[bool] = False
    """True: in the place of its argument a layer may be named, whose size it takes."""
    rules: ClassVar[type[Common]] = Common
    """What reads the common fields."""
    common: ClassVar[Common] = NOTHING
    """What the layer says besides its op's own fields."""

    def attach(self, common: Common) -> None:
        """Add what the layer says besides its op's own fields."""
        object.__setattr__(self, "common", common)

    @property
    def inner(self) -> tuple[list["Layer"], ...]:
        """The lists of layers that a structure holds; an operation holds none."""
        return ()

    @property
    def name(self) -> str | None:
        """The name that the spec gives."""
        return self.common.name

    @property
    def is_copied(self) -> bool:
        """True for what makes copies of a layer: `repeat` and `for`."""
        return self.common.repeat is not None or self.common.loop is not None

    def operations(self, fields: Fields) -> Parts:
        """Return what the layer computes, in order; a structure of other layers has no own."""
        raise NotImplementedError(f"`{self.op}` is no operation")


class WordLayer(Layer):
    """A layer that its word says whole: an activation, softmax, flatten, ..."""

    bare = True
    hidden = frozenset(("word",))
    word: Bare
    """the op's own key"""


class JoinLayer(Layer):
    """A layer that joins the layers it names."""

    rules = CommonOfJoin

    @property
    def joined(self) -> list[str]:
        """The names of what it joins."""
        names: list[str] = getattr(self, self.op)
        return names
