"""How unevenly a layer of N units passes signal and gradient, to order 1/N, at a variance q of its pre-activations.

The gain of a squared gradient is χ₁ up to a relative noise e, of variance (3E φ'⁴/(E φ'²)² − 1)/N: the units share what
they pass unevenly, and the weights are random. It goes along with the kick of K', for both come from the same units.
docs/theory.md, sections 13 and 17.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import second_moment, slope_kurtosis, slope_moment, slope_weighted_square

__all__ = ["LayerNoise", "held_back", "layer_noise"]

Array = NDArray[np.float64]


class LayerNoise(NamedTuple):
    """`kick`, the variance of K'; `gain`, that of e; `both`, their covariance. Each has the shape of q."""

    kick: Array
    gain: Array
    both: Array


def layer_noise(network: MeanField, q: Array, width: int, *, orthogonal: bool = False) -> LayerNoise:
    """Of N Gaussian pre-activations of variance q.

    An orthogonal W does not stretch the gradient, and takes 2/N off its noise; what it keeps the signal from straying
    is `held_back`.
    """
    phi = network.activation
    with np.errstate(all="ignore"):
        gain = 3 * slope_kurtosis(phi, q) - (3 if orthogonal else 1)
        shared = slope_weighted_square(phi, q) / slope_moment(phi, q, 2)
        both = network.sigma_w_squared * (shared - second_moment(phi, q))
        return LayerNoise(network.kick_variance(q) / width, gain / width, both / width)


def held_back(network: MeanField, q: Array, width: int) -> Array:
    """The variance 2(q − σ_b²)²/N of Σt²/N that Gaussian weights make and orthogonal ones do not."""
    return np.asarray(2 * np.square(q - network.sigma_b_squared) / width)
