"""The gain of a gradient in random networks, given the sums over units of every layer that the signal met.

A gradient of length 1 comes back through the weights as y + κx̂, in suitable units: y is Gaussian, and in the direction
x̂ of the activations the weights are known from the signal. Of it the slopes p keep

    |p(y + κx̂)|² = Q + (B + κβ)²/β,    B = Σp²x̂y,    β = Σp²x̂²,

where Q is what they keep of y across the direction p²x̂, a weighted χ². What the gradient then has in common with the
pre-activations, from which κ of the layer below follows, is another Gaussian. So a layer costs a few random numbers,
whatever its width. Two components of y are in B or in that Gaussian and also in Q, and drawn. All is exact but the law
of what else is in Q, taken as that scaled χ² which has its mean and variance: where the slopes that are not 0 are equal
in size, it is one. docs/theory.md, section 17.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

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


class _Coefficients(NamedTuple):
    """Of the orthonormal components a, b, c of y along x̂, p²x̂ and pt, each made from those before it.

    B = `beta`·a + `rest`·b and Σpty = `along`·a + `shared`·b + `alone`·c. Q is `bb`·b² + 2`bc`·bc + `cc`·c² and `scale`
    times a χ² of `degrees`.
    """

    beta: Array
    rest: Array
    along: Array
    shared: Array
    alone: Array
    bb: Array
    bc: Array
    cc: Array
    scale: Array
    degrees: Array


def _coefficients(sums: LayerSums) -> _Coefficients:
    size = np.maximum(sums.xx, _SMALLEST)
    root = np.sqrt(size)
    beta, square, cube = sums.ppxx / size, sums.ppppxx / size, sums.ppppppxx / size
    along, pppxt, pppppxt = sums.pxt / root, sums.pppxt / root, sums.pppppxt / root
    inverse = _quotient(1.0, beta)
    rest = _root(square, beta**2)
    shared = _quotient(pppxt - beta * along, rest)
    alone = _root(sums.pptt, along**2 + shared**2)
    # Sums of p² times b̂², b̂pt and ĉ² over units, of the directions b̂ and ĉ.
    across = _quotient(cube - 2 * beta * square + beta**3, rest**2)
    met = _quotient(pppppxt - beta * pppxt, rest)
    fresh = sums.pppptt - 2 * (along * pppxt + shared * met - along * shared * rest)
    fresh += along**2 * beta + shared**2 * across
    bb = np.maximum(across - rest**2 * inverse, 0.0)
    bc = _quotient(met - along * rest - shared * across, alone)
    cc = np.maximum(_quotient(fresh, alone**2), 0.0)
    mean = _positive(sums.pp, square * inverse + bb + cc)
    half_variance = _positive(sums.pppp + (square * inverse) ** 2, 2 * cube * inverse + bb**2 + 2 * bc**2 + cc**2)
    scale = _quotient(half_variance, mean)
    return _Coefficients(beta, rest, along, shared, alone, bb, bc, cc, scale, _quotient(mean, scale))


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
    of = _coefficients(sums)
    a, b, c = random.standard_normal((3, *overlap.shape))
    chi = _chi_squared(random, of.degrees)
    B, D = of.beta * a + of.rest * b, of.along * a + of.shared * b + of.alone * c
    Q = np.maximum(of.bb * b * b + 2 * of.bc * b * c + of.cc * c * c, 0.0) + of.scale * chi
    cosine, stretch = overlap / math.sqrt(width), np.full_like(overlap, 1 / width)
    if orthogonal:
        # Across x̂ the gradient has a fixed length, and y is stretched to it.
        drawn = [of.rest > 0, of.alone > 0]
        others = width - 1 - sum(drawn) - of.degrees
        length = np.where(drawn, [b * b, c * c], 0.0).sum(axis=0) + chi + _chi_squared(random, np.maximum(others, 0.0))
        cosine = np.clip(cosine, -1, 1)
        stretch = _quotient(1 - cosine**2, length)
    # y and κ, both times this.
    root = np.sqrt(stretch)
    kappa = cosine - root * a
    kept = stretch * Q + np.square(root * B + kappa * of.beta) * _quotient(1.0, of.beta)
    return network.sigma_w_squared * kept, _quotient(root * D + kappa * of.along, np.sqrt(kept))


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
