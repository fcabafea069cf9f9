"""The biases of the edge of chaos: E G(√q z) = q E φ'² − E φ², for a smooth φ, at one block of q's.

Near 0, where the two are nearly alike, the difference is taken before the expectation. docs/theory.md, section 15.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.quadrature import moments
from meanfield.infinite_width.quadrature.origin import Origin, near_or_far

__all__ = ["gap", "gap_d1", "gap_size", "squared_bias_at_infinity"]

Array = NDArray[np.float64]

#: Stands for q → ∞; q E φ'² − E φ² keeps a few digits there.
_FAR = 1e8


def gap(phi: Smooth, q: Array) -> Array:
    """E G."""
    difference = near_or_far(
        phi,
        q,
        lambda at, q: at.gap(q, 0),
        lambda q: q * moments.slope_moment(phi, q, 2) - moments.second_moment(phi, q),
    )
    # By Cauchy and Schwarz.
    return difference if any(phi.limits(0.0)) else np.maximum(difference, 0.0)


def gap_size(phi: Smooth, q: Array) -> Array:
    """The sum of the sizes of all terms that make E G, of which a share is rounding."""

    def near(at: Origin, q: Array) -> Array:
        return np.abs(at.gap(q, 0)) + 2 * at.squared_values

    return near_or_far(phi, q, near, lambda q: q * moments.slope_moment(phi, q, 2) + moments.second_moment(phi, q))


def gap_d1(phi: Smooth, q: Array) -> Array:
    """d/dq E G."""

    def far(q: Array) -> Array:
        slopes, slopes_d1 = moments.slope_moment(phi, q, 2), moments.slope_square_d1(phi, q)
        derivative: Array = slopes + q * slopes_d1 - moments.second_moment_d1(phi, q)
        return derivative

    return near_or_far(phi, q, lambda at, q: at.gap(q, 1), far)


def squared_bias_at_infinity(phi: Smooth) -> float:
    """The limit of σ_b² as q → ∞, −∞ and ∞ included: told from how it grows far out."""
    q = np.array([0.25, 1.0]) * min(4 * _FAR * max(1.0, *phi.scales) ** 2, phi.largest_variance)
    near, far = gap(phi, q) / moments.slope_moment(phi, q, 2)
    return math.copysign(math.inf, far) if abs(far) > 1.5 * abs(near) else float(far)
