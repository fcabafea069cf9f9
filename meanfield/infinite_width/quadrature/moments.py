"""Gaussian expectations of a smooth φ in one variable, by quadrature, at one block of q's.

The names and what they mean are those of `infinite_width.moments`. Derivatives in q are those of the density,

    d/dq E g = E[(z² − 1)g]/2q,    d²/dq² E g = E[(z⁴ − 6z² + 3)g]/4q²,

which ask no derivative of g and hold across breaks. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.interpolation import octaves
from meanfield.infinite_width.quadrature.graded_panels import Integrand, Points, average
from meanfield.infinite_width.quadrature.origin import Origin, near_or_far

__all__ = [
    "active_share",
    "bend",
    "curvature_term",
    "fourth_moment",
    "mean",
    "mirrored_moment",
    "mirrored_slopes",
    "piece_share",
    "second_moment",
    "second_moment_d1",
    "second_moment_d2",
    "sixth_moment",
    "slope_moment",
    "slope_square_d1",
    "slope_weighted_product",
    "slope_weighted_square",
    "sloping_share",
    "sparsity",
    "square_cumulants",
    "squared_curvature",
]

Array = NDArray[np.float64]

#: Below this share of the variances of a tangent, panels of their own are not worth their while.
_TINY = 1e-8
#: x so near to 0 that φ is its limit there.
_AT_ZERO = np.array([5e-324])


def _expectation(phi: Smooth, integrand: Integrand, q: Array) -> Array:
    """E of an integrand at q ≥ 0 of shape (n,) or (); its limit at q = 0 is the mean of those on either side of 0."""
    if np.all(q > 0):
        return average(phi, integrand, q)
    sides = [float(integrand(Points(*phi.jet(x), x, x, phi.jet(-x)))[0]) for x in (_AT_ZERO, -_AT_ZERO)]
    found = np.full(np.shape(q), 0.5 * sum(sides))
    if found.ndim:
        found[q > 0] = average(phi, integrand, q[q > 0])
    return found


@cache
def _power(n: int) -> Integrand:
    return lambda at: at.f**n


@cache
def _slope_power(n: int) -> Integrand:
    return lambda at: at.d1**n


@cache
def _weighted_power(n: int, k: int) -> Integrand:
    """zᵏφⁿ, z as `Integrand` has it."""
    return lambda at: at.z**k * at.f**n


@cache
def _weighted_slope_power(n: int, k: int) -> Integrand:
    """zᵏφ'ⁿ."""
    return lambda at: at.z**k * at.d1**n


def _bent(at: Points) -> Array:
    return at.f * at.d2


def _squared_bend(at: Points) -> Array:
    return np.square(at.d2)


def _weighted_square(at: Points) -> Array:
    return np.square(at.f * at.d1)


def _weighted_product(at: Points) -> Array:
    return at.x * at.f * at.d1


def _mirrored_product(at: Points) -> Array:
    return at.f * at.mirrored[0]


def _mirrored_slope_product(at: Points) -> Array:
    return at.d1 * at.mirrored[1]


def mean(phi: Smooth, q: Array) -> Array:
    """E φ."""

    def near(at: Origin, q: Array) -> Array:
        return at.average(lambda c, a, s, r, x, z: c + a * x + r, q)

    return near_or_far(phi, q, near, lambda q: average(phi, _power(1), q), _TINY)


def second_moment(phi: Smooth, q: Array) -> Array:
    """E φ²."""

    def near(at: Origin, q: Array) -> Array:
        return at.squared_slopes * q + at.squares(q, 0)

    return near_or_far(phi, q, near, lambda q: average(phi, _power(2), q), _TINY)


def fourth_moment(phi: Smooth, q: Array) -> Array:
    """E φ⁴."""
    return _expectation(phi, _power(4), q)


def sixth_moment(phi: Smooth, q: Array) -> Array:
    """E φ⁶."""
    return _expectation(phi, _power(6), q)


def slope_moment(phi: Smooth, q: Array, n: int) -> Array:
    """E φ'ⁿ."""
    if n != 2:
        return _expectation(phi, _slope_power(n), q)

    def near(at: Origin, q: Array) -> Array:
        return at.squared_slopes + at.squared_slopes_less_limit(q, 0)

    return near_or_far(phi, q, near, lambda q: average(phi, _slope_power(2), q), _TINY)


def slope_weighted_square(phi: Smooth, q: Array) -> Array:
    """E φ²φ'²."""
    return _expectation(phi, _weighted_square, q)


def slope_weighted_product(phi: Smooth, q: Array) -> Array:
    """E xφφ'."""
    return _expectation(phi, _weighted_product, q)


def mirrored_moment(phi: Smooth, q: Array) -> Array:
    """E φ(x)φ(−x)."""
    return _expectation(phi, _mirrored_product, q)


def mirrored_slopes(phi: Smooth, q: Array) -> Array:
    """E φ'(x)φ'(−x)."""
    return _expectation(phi, _mirrored_slope_product, q)


def second_moment_d1(phi: Smooth, q: Array) -> Array:
    """d/dq E φ²."""
    return near_or_far(
        phi, q, lambda at, q: at.squared_slopes + at.squares(q, 1), lambda q: _derivative(phi, _weighted_power, q)
    )


def second_moment_d2(phi: Smooth, q: Array) -> Array:
    """d²/dq² E φ²."""

    def far(q: Array) -> Array:
        fourth, square, one = (_by_own_variance(phi, _weighted_power(2, k), k, q) for k in (4, 2, 0))
        return (fourth - 6 * square + 3 * one) / q / (4 * q)

    return near_or_far(phi, q, lambda at, q: at.squares(q, 2), far)


def slope_square_d1(phi: Smooth, q: Array) -> Array:
    """d/dq E φ'²."""
    return near_or_far(
        phi,
        q,
        lambda at, q: at.squared_slopes_less_limit(q, 1),
        lambda q: _derivative(phi, _weighted_slope_power, q),
    )


def _derivative(phi: Smooth, of: Callable[[int, int], Integrand], q: Array) -> Array:
    """d/dq of the average of a square."""
    square, one = (_by_own_variance(phi, of(2, k), k, q) for k in (2, 0))
    derivative: Array = (square - one) / (2 * q)
    return derivative


def _by_own_variance(phi: Smooth, weighted: Integrand, k: int, q: Array) -> Array:
    """The average of what is weighted with zᵏ, k even, z in units of √q itself and not of its octave."""
    averages: Array = average(phi, weighted, q) / np.ldexp(q, -2 * octaves(q)) ** (k // 2)
    return averages


def curvature_term(phi: Smooth, q: Array) -> Array:
    """E φφ'' of a continuous φ, its kinks included."""
    values = np.array([phi.limits(t)[1] for t in phi.breaks])
    return _expectation(phi, _bent, q) + _over_breaks(phi, q, phi.kinks * values, np.sqrt(2 * math.pi * q))


def bend(phi: Smooth, q: Array) -> Array:
    """(4/3) Σ d² exp(−t²/2q)/(2π√2), over the kinks."""
    return _over_breaks(phi, q, np.square(phi.kinks), 3 / 4 * 2 * math.pi * math.sqrt(2))


def squared_curvature(phi: Smooth, q: Array) -> Array:
    """E φ''²."""
    if phi.kinks.any() or phi.jumps.any():
        return np.full_like(q, np.inf)
    return _expectation(phi, _squared_bend, q)


def _over_breaks(phi: Smooth, q: Array, weights: Array, over: Array | float) -> Array:
    """Σ of a weight times exp(−t²/2q)/`over` over the breaks t; one that is 0 counts as nothing."""
    total = np.zeros(np.shape(q))
    for t, weight in zip(phi.breaks, weights, strict=True):
        if weight:
            h2 = t / q * t if t else 0 * q
            total = total + weight * np.where(np.isinf(h2), 0.0, np.exp(-0.5 * h2) / over)
    return total


def active_share(phi: Smooth, q: Array) -> Array:
    """P(φ ≠ 0)."""
    return _share(phi, q, lambda j: j not in phi.zero_pieces)


def sloping_share(phi: Smooth, q: Array) -> Array:
    """P(φ' ≠ 0)."""
    return _share(phi, q, lambda j: j not in phi.flat_pieces)


def sparsity(phi: Smooth, q: Array) -> Array:
    """P(φ = 0)."""
    return _share(phi, q, lambda j: j in phi.zero_pieces)


def _share(phi: Smooth, q: Array, holds: Callable[[int], bool]) -> Array:
    """The probability of the pieces of which something holds."""
    shares = [piece_share(phi, j, q) for j in range(len(phi.pieces)) if holds(j)]
    return np.minimum(sum(shares, start=np.zeros(np.shape(q))), 1.0)


def piece_share(phi: Smooth, j: int, q: Array) -> Array:
    """P(√q z lies on the j-th piece)."""
    from scipy.special import ndtr

    root, ends = np.sqrt(q), (-np.inf, *phi.breaks, np.inf)[j : j + 2]
    low, high = (np.where(root > 0, t / root, np.copysign(np.inf, t) if t else 0.0) for t in ends)
    # By the tails on that side of 0 on which the piece lies.
    share: Array = np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    return share


def square_cumulants(phi: Smooth, q: Array, n: int) -> list[Array]:
    """The first n ≤ 3 cumulants of φ².

    Moments about E φ² at a variance near by, so that φ² nearly constant leaves little to subtract.
    """
    flat = np.atleast_1d(q)
    found = np.zeros((n, flat.size))
    found[0] = _expectation(phi, _power(2), flat)
    for k in np.unique(octaves(flat[flat > 0])):
        here = (octaves(flat) == k) & (flat > 0)
        centre = float(average(phi, _power(2), np.array([2.0 * 4.0**k]))[0])
        moments = [average(phi, _about(centre, m), flat[here]) for m in range(2, n + 1)]
        shift = average(phi, _about(centre, 1), flat[here])
        found[1, here] = np.maximum(moments[0] - shift**2, 0.0)
        if n == 3:
            found[2, here] = moments[1] - 3 * shift * moments[0] + 2 * shift**3
    return [row.reshape(np.shape(q)) for row in found]


@lru_cache(maxsize=4096)
def _about(centre: float, n: int) -> Integrand:
    return lambda at: (at.f * at.f - centre) ** n
