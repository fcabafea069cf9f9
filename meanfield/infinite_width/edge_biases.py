"""The biases of the edge of chaos at q*, as an expectation in which nothing is subtracted.

By parts q E φ'² = E x∫₀ˣφ'², so that

    σ_b² = q − E φ²/E φ'² = E G(√q z)/E φ'²,    G(x) = x ∫₀ˣ φ'(s)² ds − φ(x)².

docs/theory.md, sections 6 and 15.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.moments import slope_moment, slope_square_d1
from meanfield.infinite_width.rooms import in_blocks, room

__all__ = ["squared_bias", "squared_bias_at_infinity", "squared_bias_d1", "squared_bias_size"]

Array = NDArray[np.float64]

#: Where φ(0) ≠ 0 terms of both signs are summed: this share of their sizes is rounding.
_ROUNDING = 16 * np.finfo(float).eps


def squared_bias(phi: Activation, q: Array) -> Array:
    """σ_b² of the edge of a continuous φ at q > 0: negative where there is none, NaN out of reach of any slope."""
    with np.errstate(all="ignore"):
        gap = in_blocks(lambda q: room("edge_biases", phi).gap(phi, q), phi, q)
        if phi.limits(0.0)[1]:
            gap = np.where(np.abs(gap) <= _ROUNDING * _gap_size(phi, q), 0.0, gap)
        bias: Array = gap / slope_moment(phi, q, 2)
    return bias


def squared_bias_size(phi: Activation, q: Array) -> Array:
    """The sum of the sizes of all terms that make `squared_bias`, of which a share is rounding."""
    with np.errstate(all="ignore"):
        size: Array = _gap_size(phi, q) / slope_moment(phi, q, 2)
    return size


def _gap_size(phi: Activation, q: Array) -> Array:
    return in_blocks(lambda q: room("edge_biases", phi).gap_size(phi, q), phi, q)


def squared_bias_d1(phi: Activation, q: Array) -> Array:
    """dσ_b²/dq."""
    with np.errstate(all="ignore"):
        change = in_blocks(lambda q: room("edge_biases", phi).gap_d1(phi, q), phi, q)
        derivative: Array = (change - squared_bias(phi, q) * slope_square_d1(phi, q)) / slope_moment(phi, q, 2)
    return derivative


def squared_bias_at_infinity(phi: Activation) -> float:
    """The limit of σ_b² as q → ∞, −∞ and ∞ included."""
    limit: float = room("edge_biases", phi).squared_bias_at_infinity(phi)
    return limit
