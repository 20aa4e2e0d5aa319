"""What a comparison consists of: changes by category, totals, stages, tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from compiler.graph import Dim, Shape

Category = Literal["drawing", "numerics", "interface", "weights"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""What a change breaks, the least first: a picture, the numbers that come out, code that calls the
network, files of weights."""
Kind = Literal["added", "removed", "changed", "renamed"]


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is not what it was: an attribute, an input, a title."""

    what: str
    before: str
    after: str
    category: Category

    def __str__(self) -> str:
        return f"{self.what}: {self.before or 'none'} -> {self.after or 'none'}"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a layer, a block, or what enters and leaves the network.

    `name` is its path, that of the second network where it is there, with `*` for the number of a
    copy where `copies` are alike; `was` its path in the first one. `members` are the layers of the
    second network that it is about, and `were` those of the first, for a figure.
    """

    kind: Kind
    category: Category
    name: str
    words: str = ""
    was: str = ""
    details: tuple[Detail, ...] = ()
    copies: int = 1
    layers: int = 1
    parameters: int = 0
    """How many more there are, of all copies; 0 where that depends on open sizes."""
    macs: int = 0
    members: tuple[str, ...] = ()
    were: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Total:
    """A number of both networks."""

    what: str
    before: Dim
    after: Dim

    @property
    def more(self) -> int | None:
        """By how much the second is more; None where one is no number."""
        if not isinstance(self.before, int) or not isinstance(self.after, int):
            return None
        return self.after - self.before


Row = tuple[Shape, Dim, Dim, tuple[int, int] | None]
"""Output size, parameters, MACs, and what is seen (height, width); None: everything."""


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage whose numbers differ; None where a network does not have it."""

    name: str
    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True)
class Tensors:
    """What of the first network's parameters and running statistics the second one has no use for.

    Names are those of a state dict without the counters of batches.
    """

    total: int
    gone: Mapping[str, tuple[int, ...]]
    """Name -> shape, of those that have no place."""
    reshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """Name -> the shapes before and after."""
    fresh: Mapping[str, tuple[int, ...]]
    """Those that the second one alone has."""

    @property
    def lost(self) -> int:
        """How many no longer load."""
        return len(self.gone) + len(self.reshaped)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is different between two networks; `print` shows what `diff` shows."""

    before: str
    after: str
    changes: tuple[Change, ...]
    totals: tuple[Total, ...]
    stages: tuple[StageRow, ...]
    tensors: Tensors
    resized: tuple[tuple[str, Shape, Shape], ...]
    """Layers that are alike and give another size: name, size before and after."""

    @property
    def worst(self) -> Category | None:
        """The category of the gravest change; None where there is none."""
        return max((c.category for c in self.changes), key=CATEGORIES.index, default=None)

    def reaches(self, category: Category) -> bool:
        """True where a change is of a category, or of a graver one."""
        worst = self.worst
        return worst is not None and CATEGORIES.index(worst) >= CATEGORIES.index(category)

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON-ready data; sizes are channels first, what is a formula is text."""
        from compiler.compare.data import as_data

        return as_data(self)

    def __str__(self) -> str:
        from compiler.compare.text import as_text

        return as_text(self).rstrip("\n")
