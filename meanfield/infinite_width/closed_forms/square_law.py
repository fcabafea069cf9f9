"""The law of φ(√q z)²: Φ's between the ends of the pieces.

docs/theory.md, section 12.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear

__all__ = ["flat_squares", "sloping_squares_below"]

Array = NDArray[np.float64]


def flat_squares(phi: PiecewiseLinear, q: Array) -> tuple[Array, Array]:
    """φ² on the flat pieces, each value once, shape (k,); and how likely it is at variances `q`, (n,): shape (k, n)."""
    from scipy.special import ndtr

    root, levels = np.sqrt(q), dict[float, Array]()
    for slope, intercept, left, right in _pieces(phi):
        if slope == 0:
            share = ndtr(right / root) - ndtr(left / root)
            levels[intercept**2] = levels.get(intercept**2, 0.0) + share
    return np.array(list(levels)), np.array(list(levels.values())).reshape(len(levels), len(q))


def sloping_squares_below(phi: PiecewiseLinear, q: Array, y: Array) -> Array:
    """P(√q z lies on a sloping piece, and φ² ≤ y), shape (n, m), at variances `q`, (n,), and values `y`, (n, m)."""
    from scipy.special import ndtr

    root, height, total = np.sqrt(q)[:, None], np.sqrt(y), np.zeros_like(y)
    for slope, intercept, left, right in _pieces(phi):
        if slope == 0:
            continue
        zero = min(max(-intercept / slope, left), right)
        for end in (left, right):
            if end != zero:
                # On this side of its zero |φ| grows towards `end`.
                side = 1.0 if end > zero else -1.0
                x = -intercept / slope + side / abs(slope) * height
                x = np.clip(x, min(zero, end), max(zero, end))
                total += side * (ndtr(x / root) - ndtr(zero / root))
    return total


def _pieces(phi: PiecewiseLinear) -> Iterator[tuple[float, float, float, float]]:
    """Slope, intercept and both ends of each piece, left to right."""
    return zip(phi.slopes, phi.intercepts, (-np.inf, *phi.knots), (*phi.knots, np.inf), strict=True)
