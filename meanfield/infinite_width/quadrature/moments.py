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
from meanfield.infinite_width.quadrature.graded_panels import Integrand, average
from meanfield.infinite_width.quadrature.origin import Origin, origin

__all__ = [
    "active_share",
    "bend",
    "curvature_term",
    "fourth_moment",
    "mean",
    "mirrored_moment",
    "mirrored_slopes",
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
]

Array = NDArray[np.float64]

#: x so near to 0 that φ is its limit there.
_AT_ZERO = np.array([5e-324])


def _expectation(phi: Smooth, integrand: Integrand, q: Array) -> Array:
    """E of an integrand at q ≥ 0 of shape (n,) or (); its limit at q = 0 is the mean of those on either side of 0."""
    if np.all(q > 0):
        return average(phi, integrand, q)
    sides = [float(integrand(*phi.jet(x), x)[0]) for x in (_AT_ZERO, -_AT_ZERO)]
    found = np.full(np.shape(q), 0.5 * sum(sides))
    if found.ndim:
        found[q > 0] = average(phi, integrand, q[q > 0])
    return found


@cache
def _power(n: int) -> Integrand:
    return lambda f, d1, d2, x: f**n


@cache
def _slope_power(n: int) -> Integrand:
    return lambda f, d1, d2, x: d1**n


@cache
def _weighted_power(n: int, k: int) -> Integrand:
    """xᵏφⁿ."""
    return lambda f, d1, d2, x: x**k * f**n


@cache
def _weighted_slope_power(n: int, k: int) -> Integrand:
    """xᵏφ'ⁿ."""
    return lambda f, d1, d2, x: x**k * d1**n


def _bent(f: Array, d1: Array, d2: Array, x: Array) -> Array:
    return f * d2


def _weighted_square(f: Array, d1: Array, d2: Array, x: Array) -> Array:
    return np.square(f * d1)


def _weighted_product(f: Array, d1: Array, d2: Array, x: Array) -> Array:
    return x * f * d1


def mean(phi: Smooth, q: Array) -> Array:
    """E φ."""
    return _expectation(phi, _power(1), q)


def second_moment(phi: Smooth, q: Array) -> Array:
    """E φ²."""
    return _expectation(phi, _power(2), q)


def fourth_moment(phi: Smooth, q: Array) -> Array:
    """E φ⁴."""
    return _expectation(phi, _power(4), q)


def sixth_moment(phi: Smooth, q: Array) -> Array:
    """E φ⁶."""
    return _expectation(phi, _power(6), q)


def slope_moment(phi: Smooth, q: Array, n: int) -> Array:
    """E φ'ⁿ."""
    return _expectation(phi, _slope_power(n), q)


def slope_weighted_square(phi: Smooth, q: Array) -> Array:
    """E φ²φ'²."""
    return _expectation(phi, _weighted_square, q)


def slope_weighted_product(phi: Smooth, q: Array) -> Array:
    """E xφφ'."""
    return _expectation(phi, _weighted_product, q)


def mirrored_moment(phi: Smooth, q: Array) -> Array:
    """E φ(x)φ(−x)."""
    return _expectation(phi, _mirrored(phi, 0), q)


def mirrored_slopes(phi: Smooth, q: Array) -> Array:
    """E φ'(x)φ'(−x)."""
    return _expectation(phi, _mirrored(phi, 1), q)


@cache
def _mirrored(phi: Smooth, order: int) -> Integrand:
    return lambda f, d1, d2, x: (f, d1)[order] * phi.jet(-x)[order]


def second_moment_d1(phi: Smooth, q: Array) -> Array:
    """d/dq E φ²."""
    return _with_origin(phi, q, _squares_near_origin(1), lambda q: _derivative(phi, _weighted_power, q))


def second_moment_d2(phi: Smooth, q: Array) -> Array:
    """d²/dq² E φ²."""
    return _with_origin(phi, q, _squares_near_origin(2), lambda q: _second_derivative(phi, _weighted_power, q))


def slope_square_d1(phi: Smooth, q: Array) -> Array:
    """d/dq E φ'²."""
    return _with_origin(phi, q, _slope_squares_near_origin, lambda q: _derivative(phi, _weighted_slope_power, q))


def _derivative(phi: Smooth, of: Callable[[int, int], Integrand], q: Array) -> Array:
    """d/dq of an average of a square."""
    return (average(phi, of(2, 2), q) / q - average(phi, of(2, 0), q)) / (2 * q)


def _second_derivative(phi: Smooth, of: Callable[[int, int], Integrand], q: Array) -> Array:
    fourth, square, one = (average(phi, of(2, k), q) for k in (4, 2, 0))
    return (fourth / q / q - 6 * square / q + 3 * one) / q / (4 * q)


def _with_origin(phi: Smooth, q: Array, near: Callable[[Origin, Array], Array], far: Callable[[Array], Array]) -> Array:
    """What `near` gives at variances so small that φ is nearly its tangent, and `far` elsewhere."""
    at, flat = origin(phi), np.atleast_1d(q)
    found, small = np.empty(flat.size), flat <= at.largest
    if small.any():
        # The limit q → 0 is taken at a variance whose root is a double with room to spare.
        found[small] = near(at, np.maximum(flat[small], _LEAST))
    if not small.all():
        found[~small] = far(flat[~small])
    return found.reshape(np.shape(q))


#: Stands for q → 0.
_LEAST = 1e-280


@cache
def _squares_near_origin(order: int) -> Callable[[Origin, Array], Array]:
    """The first or second derivative of E φ² = E[c² + a²x² + 2cax + 2cr + 2axr + r²]."""

    def of(at: Origin, q: Array) -> Array:
        def hermite(c: float, a: float, s: Array, r: Array, x: Array, z: Array) -> Array:
            weight = z * z - 1 if order == 1 else (z * z - 6) * z * z + 3
            return weight * (2 * c * r + (2 * a * x + r) * r)

        (c, a), (c2, a2) = (side.tangent for side in at.sides)
        kinked, rest = (c * a - c2 * a2) * math.sqrt(2 / math.pi), at.average(hermite, q) / (2 * q)
        if order == 1:
            first: Array = at.squared_slopes + 0.5 * kinked / np.sqrt(q) + rest
            return first
        second: Array = 0.5 * rest / q - 0.25 * kinked / q**1.5
        return second

    return of


def _slope_squares_near_origin(at: Origin, q: Array) -> Array:
    """d/dq of E φ'² = E[a² + 2as + s²]."""

    def hermite(c: float, a: float, s: Array, r: Array, x: Array, z: Array) -> Array:
        return (z * z - 1) * (2 * a + s) * s

    return at.average(hermite, q) / (2 * q)


def curvature_term(phi: Smooth, q: Array) -> Array:
    """E φφ'' of a continuous φ, its kinks included."""
    return _expectation(phi, _bent, q) + _over_breaks(phi, q, lambda t, kink: kink * phi.limits(t)[1], 1)


def bend(phi: Smooth, q: Array) -> Array:
    """(4/3) Σ d² exp(−t²/2q)/(2π√2), over the kinks."""
    return _over_breaks(phi, q, lambda t, kink: kink * kink, 0) * (4 / 3 / (2 * math.pi * math.sqrt(2)))


def _over_breaks(phi: Smooth, q: Array, coefficient: Callable[[float, float], float], density: int) -> Array:
    """Σ of a coefficient, of t and the change of φ' there, times exp(−t²/2q), or times the density of √q z at t."""
    total = np.zeros(np.shape(q))
    for t, kink in zip(phi.breaks, phi.kinks, strict=True):
        weight = coefficient(t, kink)
        if weight:
            h2 = t / q * t if t else np.zeros(np.shape(q))
            norm = np.sqrt(2 * math.pi * q) if density else 1.0
            total = total + weight * np.where(np.isinf(h2), 0.0, np.exp(-0.5 * h2) / norm)
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
    from scipy.special import ndtr

    root, ends = np.sqrt(q), (-np.inf, *phi.breaks, np.inf)
    share = np.zeros(np.shape(q))
    for j in range(len(phi.pieces)):
        if holds(j):
            low, high = (np.where(root > 0, t / root, np.copysign(np.inf, t) if t else 0.0) for t in ends[j : j + 2])
            # Of the tail on whose side the piece lies.
            right = np.asarray(low) > 0
            share = share + np.where(right, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    return np.minimum(share, 1.0)


def square_cumulants(phi: Smooth, q: Array, n: int) -> list[Array]:
    """The first n ≤ 3 cumulants of φ².

    Moments about E φ² at a variance near by, so that φ² nearly constant leaves little to subtract.
    """
    flat = np.atleast_1d(q)
    found = np.zeros((n, flat.size))
    found[0] = _expectation(phi, _power(2), flat)
    exponents = np.frexp(flat)[1]
    for k in np.unique(exponents[flat > 0]):
        here = (exponents == k) & (flat > 0)
        centre = float(average(phi, _power(2), np.array([0.75 * 2.0**k]))[0])
        moments = [average(phi, _about(centre, m), flat[here]) for m in range(2, n + 1)]
        shift = average(phi, _about(centre, 1), flat[here])
        found[1, here] = np.maximum(moments[0] - shift**2, 0.0)
        if n == 3:
            found[2, here] = moments[1] - 3 * shift * moments[0] + 2 * shift**3
    return [row.reshape(np.shape(q)) for row in found]


@lru_cache(maxsize=4096)
def _about(centre: float, n: int) -> Integrand:
    return lambda f, d1, d2, x: (f * f - centre) ** n
