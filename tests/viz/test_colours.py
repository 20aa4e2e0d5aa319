"""Colours: who sees them differently can still tell them apart, and read the words on them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from viz.diagram.parts import BoxKind
from viz.style.theme import THEMES, Theme

Colour = np.ndarray[tuple[int], np.dtype[np.float64]]

SEEN_BY = {
    "all cones": np.eye(3),
    "no long": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no middle": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no short": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
"""Readers by the cones that they lack: Machado, Oliveira and Fernandes 2009, severity 1.0."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ @ np.ones(3)
FAMILIES: tuple[BoxKind, ...] = (
    "conv",
    "concat",
    "input",
    "inception",
    "reduction",
    "stem",
    "block",
    "dropout",
)


def linear(code: str) -> Colour:
    """Return linear red, green and blue of `#rrggbb` (IEC 61966-2-1)."""
    srgb = np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: Colour) -> Colour:
    """Return CIE L*a*b*, in which a distance of 2 is just seen."""
    ratio = TO_XYZ @ rgb / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(a: str, b: str) -> float:
    """Return the contrast of WCAG 2, from 1 to 21."""
    low, high = sorted(float(TO_XYZ[1] @ linear(code)) for code in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("reader", SEEN_BY)
def test_the_safe_theme_keeps_kinds_apart_for_everybody(reader: str) -> None:
    fills = THEMES["safe"].fills
    seen = {k: lab(np.clip(SEEN_BY[reader] @ linear(fills[k]), 0, 1)) for k in FAMILIES}

    for a, b in combinations(FAMILIES, 2):
        assert float(np.linalg.norm(seen[a] - seen[b])) > 15, (a, b)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_words_can_be_read_on_every_colour(theme: Theme) -> None:
    """WCAG 2 asks for 7 at its highest level, and 4.5 at the usual one."""
    page = theme.background or "#ffffff"

    assert min(contrast(theme.ink, fill) for fill in theme.fills.values()) > 7
    assert contrast(theme.ink, theme.failed_fill) > 7
    assert contrast(theme.failed, page) > 4.5


def test_the_safe_theme_has_outlines_that_can_be_seen() -> None:
    """WCAG 2.2 asks 3:1 of what must be seen to understand a picture."""
    theme = THEMES["safe"]
    around = [*theme.fills.values(), theme.background or "#ffffff", theme.failed_fill]

    assert min(contrast(theme.outline, colour) for colour in around) >= 3
    assert min(contrast(theme.marked, colour) for colour in around) >= 3


@pytest.mark.parametrize("theme", list(THEMES.values()), ids=list(THEMES))
def test_type_can_be_read_on_every_colour_of_a_heat_map(theme: Theme) -> None:
    assert min(contrast(theme.ink, theme.warmth(i / 10)) for i in range(11)) > 7
