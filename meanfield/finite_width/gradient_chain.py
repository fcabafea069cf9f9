"""The gain of a gradient in random networks, given the sums over units of every layer that the signal met.

A gradient of length 1 comes back through the weights as y + κx̂, in suitable units: y is Gaussian, and in the direction
x̂ of the activations the weights are known from the signal. Of it the slopes p keep

    |p(y + κx̂)|² = Q + (B + κβ)²/β,    B = Σp²x̂y,    β = Σp²x̂²,

where Q is what they keep of y across the direction p²x̂, a weighted χ². What the gradient then has in common with the
pre-activations, from which κ of the layer below follows, is another Gaussian. So a layer costs a few random numbers,
whatever its width. All is exact but the law of Q, taken as that scaled χ² which has its mean and variance: where the
slopes that are not 0 are equal in size, it is one. docs/theory.md, section 17.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.layer_sums import LayerSums
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["log_gains"]

Array = NDArray[np.float64]

#: Relative to what it is subtracted from, less than this is rounding.
_ROUNDING = 1e-12
#: Put in place of 0 where something is divided by it.
_SMALLEST = 1e-300


def log_gains(
    network: MeanField,
    variances: Array,
    layers: Sequence[LayerSums],
    width: int,
    random: np.random.Generator,
    *,
    orthogonal: bool,
) -> Array:
    """ln |g⁰|²/|g^L|² of n networks whose gradient at layer L is Gaussian, −∞ where none passes.

    `layers` are the sums of layers 0…L − 1 and `variances`, shape (L + 1, n), their K.
    """
    total = np.zeros(variances.shape[1])
    overlap = random.standard_normal(total.shape)
    if orthogonal:
        # Of a direction among N with another.
        others = _chi_squared(random, np.full_like(total, width - 1.0))
        overlap *= math.sqrt(width) / np.sqrt(overlap**2 + others)
    for variance, sums in zip(variances[-2::-1], layers[::-1], strict=True):
        gain, common = _carried(network, sums, width, overlap, random, orthogonal=orthogonal)
        total += np.log(gain)
        signal = np.maximum(variance - network.sigma_b_squared, _SMALLEST)
        if orthogonal:
            overlap = common / np.sqrt(signal)
        else:
            # Of h a known share is a bias, and the rest of the bias is fresh.
            spread = network.sigma_b / np.sqrt(np.maximum(variance, _SMALLEST))
            overlap = common * np.sqrt(signal) / np.maximum(variance, _SMALLEST)
            overlap += spread * random.standard_normal(total.shape)
    return total


def _carried(
    network: MeanField,
    sums: LayerSums,
    width: int,
    overlap: Array,
    random: np.random.Generator,
    *,
    orthogonal: bool,
) -> tuple[Array, Array]:
    """What a layer makes of |g|² = 1, and ĝ·t behind it, given the `overlap` ĝ·t/√(t²/N) of the layer above."""
    size = np.maximum(sums.xx, _SMALLEST)
    beta, square = sums.ppxx / size, sums.ppppxx / size
    along = sums.pxt / np.sqrt(size)
    # Components of y along x̂, p²x̂ and pt, one made from those before it.
    a, b, c = random.standard_normal((3, *overlap.shape))
    rest = _root(square, beta**2)
    A, B = a, beta * a + rest * b
    shared = _quotient(sums.pppxt / np.sqrt(size) - beta * along, rest)
    D = along * a + shared * b + _root(sums.pptt, along**2 + shared**2) * c
    # Across p²x̂ the slopes keep m·χ²_ν.
    inverse = _quotient(1.0, beta)
    mean = _positive(sums.pp, square * inverse)
    half_variance = _positive(sums.pppp + (square * inverse) ** 2, 2 * sums.ppppppxx / size * inverse)
    m = _quotient(half_variance, mean)
    nu = _quotient(mean, m)
    chi = _chi_squared(random, nu)
    if orthogonal:
        # Across x̂ the gradient has a fixed length, and y is stretched to it.
        fresh = rest > 0
        length = np.where(fresh, b * b, 0.0) + chi + _chi_squared(random, np.maximum(width - 1 - fresh - nu, 0.0))
        cosine = np.clip(overlap / math.sqrt(width), -1, 1)
        scale = _quotient(1 - cosine**2, length)
        kappa = _quotient(cosine, np.sqrt(scale)) - A
    else:
        scale = np.full_like(overlap, 1 / width)
        kappa = overlap - A
    kept = m * chi + np.square(B + kappa * beta) * inverse
    return network.sigma_w_squared * scale * kept, _quotient(D + kappa * along, np.sqrt(kept))


def _chi_squared(random: np.random.Generator, degrees: Array) -> Array:
    return 2 * random.standard_gamma(degrees / 2)


def _positive(whole: Array, part: Array) -> Array:
    """whole − part ≥ 0, 0 where it is rounding."""
    left = whole - part
    return np.where(left > _ROUNDING * whole, left, 0.0)


def _root(whole: Array, part: Array) -> Array:
    return np.sqrt(_positive(whole, part))


def _quotient(a: Array | float, b: Array) -> Array:
    """a/b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros_like(b), where=b > 0)
