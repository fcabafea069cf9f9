"""What a gradient on its way back has in common with the pre-activations that it meets.

The same weights carry signal and gradient. In the direction of the activations they return the overlap

    ω = E (h·g)² N/(E |h|² E |g|²),

h without biases, 1 where the two know nothing of each other, as at the last layer. It changes the gain of a layer by
(E φ²φ'²/(N E φ² E φ'²))(ω − 1). docs/theory.md, section 13.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import (
    second_moment,
    slope_moment,
    slope_square_d1,
    slope_weighted_product,
    slope_weighted_square,
)

__all__ = ["Overlap", "overlap_of", "returned"]

Array = NDArray[np.float64]


class Overlap(NamedTuple):
    """Of layers at variances q: ω behind a layer is `fresh` + `kept`·(ω in front of it − 1).

    `weight` is N times that of ω − 1 in its gain, with Gaussian weights.
    """

    fresh: Array
    kept: Array
    weight: Array


def overlap_of(network: MeanField, q: Array) -> Overlap:
    """Of the layers whose inputs have variances `q`, any shape."""
    phi, offset = network.activation, network.sigma_b_squared
    with np.errstate(all="ignore"):
        size, square = second_moment(phi, q), slope_moment(phi, q, 2)
        kept, whole = (q - offset) / q, q * square
        # E h²φ'², from E h²f(h) = q E f + 2q² d/dq E f, and the part of h that is not a bias.
        meets = kept * (whole + 2 * q**2 * slope_square_d1(phi, q)) + offset * square
        seen = kept * np.square(slope_weighted_product(phi, q)) / size
        return Overlap(meets / whole, seen / whole, slope_weighted_square(phi, q) / (size * square))


def returned(network: MeanField, q: Array, width: int, *, orthogonal: bool = False) -> Array:
    """How much larger, relative to itself, each layer's gain is for what it returns, of layers at `q`, shape (depth,).

    An orthogonal W passes the whole length, and so has less of it left for other directions.
    """
    of = overlap_of(network, q)
    omega = [1.0]
    for fresh, kept in zip(of.fresh[:0:-1], of.kept[:0:-1], strict=True):
        omega.append(fresh + kept * (omega[-1] - 1))
    return np.asarray((of.weight - orthogonal) * (np.array(omega[::-1]) - 1) / width)
