"""The prediction of a network for a picture, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class and its score."""

    index: int
    """Its place among the outputs."""
    name: str | None
    """None where nothing names the classes."""
    probability: float
    value: float
    """The network's own number, a logit or the probability again."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The best classes of a picture, the best one first."""

    image: str
    classes: tuple[ClassScore, ...]
