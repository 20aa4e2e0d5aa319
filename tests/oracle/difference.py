"""How far arrays are apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def relative_difference(got: npt.ArrayLike, want: npt.ArrayLike) -> float:
    """Return the largest difference of two arrays as a share of the largest wanted element."""
    a, b = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))
