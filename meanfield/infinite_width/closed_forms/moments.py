"""Gaussian expectations of φ in one variable, each a sum over its folded pieces, at one block of q's.

The names and what they mean are those of `infinite_width.moments`. docs/theory.md, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import pi, sqrt
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.closed_forms.folded import (
    FoldedPiece,
    Integrands,
    Polynomial,
    at_knots,
    expectation,
    nonzero,
    product,
    weighted_pieces,
)

__all__ = [
    "Quadratic",
    "active_share",
    "bend",
    "curvature_term",
    "fourth_moment",
    "mean",
    "mirrored_moment",
    "mirrored_slopes",
    "quadratic_d1",
    "quadratic_d2",
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

#: A variance of φ² is the difference of moments where it is at least this share of the larger, and these are doubles
#: with room to spare: from `_LEAST` to `_MOST`.
_SOUND, _LEAST, _MOST = 0.1, 1e-100, 1e250


@lru_cache(maxsize=1024)
def _powers(phi: PiecewiseLinear, n: int) -> Integrands:
    return nonzero(phi, lambda piece: piece.power(n))


@lru_cache(maxsize=256)
def _products(phi: PiecewiseLinear) -> Integrands:
    return nonzero(phi, FoldedPiece.mirrored)


def _expectation_of_power(phi: PiecewiseLinear, q: Array, n: int) -> Array:
    total = expectation(_powers(phi, n), q, n)
    # Terms of both signs that overflow make NaN; an even power then is beyond the doubles.
    return np.fmin(total, np.inf) if n % 2 == 0 else total


def mean(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)."""
    return _expectation_of_power(phi, q, 1)


def second_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)²; V(q) = σ_w² E φ² + σ_b²."""
    return _expectation_of_power(phi, q, 2)


def fourth_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)⁴."""
    return _expectation_of_power(phi, q, 4)


def sixth_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)⁶."""
    return _expectation_of_power(phi, q, 6)


def mirrored_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(x)φ(−x), the covariance of two outputs whose inputs have correlation −1."""
    return expectation(_products(phi), q, 2)


@lru_cache(maxsize=1024)
def _slope_powers(phi: PiecewiseLinear, n: int) -> Integrands:
    return nonzero(phi, lambda piece: {0: piece.slopes[0] ** n + (-piece.slopes[1]) ** n})


@lru_cache(maxsize=1024)
def _indicators(phi: PiecewiseLinear, holds: Callable[[float, float], bool]) -> Integrands:
    """On either side of a folded piece, whether a condition holds of φ's value and slope there."""
    return nonzero(phi, lambda piece: {0: float(sum(map(holds, piece.values, piece.slopes)))})


def slope_moment(phi: PiecewiseLinear, q: Array, n: int) -> Array:
    """E φ'(√q z)ⁿ = Σ aⱼⁿ Pⱼ, the slopes of the pieces alone: jumps are left out."""
    return expectation(_slope_powers(phi, n), q, 0)


def _slopes(phi: PiecewiseLinear) -> bool:
    """Whether φφ' is anything but 0."""
    return any(a * a for a in phi.slopes)


@lru_cache(maxsize=64)
def _times_slope(phi: PiecewiseLinear) -> PiecewiseLinear:
    """φφ', of the sloping pieces."""
    slopes = tuple(a * a for a in phi.slopes)
    return PiecewiseLinear(phi.knots, slopes, tuple(map(mul, phi.slopes, phi.intercepts)))


def slope_weighted_square(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ²φ'²."""
    return second_moment(_times_slope(phi), q) if _slopes(phi) else np.zeros(np.shape(q))


def slope_weighted_product(phi: PiecewiseLinear, q: Array) -> Array:
    """E xφφ'."""
    if not _slopes(phi):
        return np.zeros(np.shape(q))
    from meanfield.infinite_width.closed_forms.hermite import power

    first = power(_times_slope(phi), 1).coefficients(np.atleast_1d(q), 4)[1]
    product: Array = np.sqrt(q) * first.reshape(np.shape(q))
    return product


@lru_cache(maxsize=256)
def _slope_products(phi: PiecewiseLinear) -> Integrands:
    return nonzero(phi, lambda piece: {0: -2 * piece.slopes[0] * piece.slopes[1]})


def mirrored_slopes(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ'(x)φ'(−x), of the sloping pieces alone."""
    return expectation(_slope_products(phi), q, 0)


def _active(value: float, slope: float) -> bool:
    return value != 0 or slope != 0


def _sloping(value: float, slope: float) -> bool:
    return slope != 0


def _zero(value: float, slope: float) -> bool:
    return value == 0 == slope


def active_share(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ(√q z) ≠ 0), which keeps its digits where 1 − sparsity loses them."""
    return np.minimum(expectation(_indicators(phi, _active), q, 0), 1.0)


def sloping_share(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ'(√q z) ≠ 0), the fraction of units that pass a gradient."""
    return np.minimum(expectation(_indicators(phi, _sloping), q, 0), 1.0)


def sparsity(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ(√q z) = 0)."""
    return np.minimum(expectation(_indicators(phi, _zero), q, 0), 1.0)


def curvature_term(phi: PiecewiseLinear, q: Array) -> Array:
    """Σᵢ dᵢ φ(tᵢ) p(tᵢ) = d/dq E φ² − E φ'² of a continuous φ; p the density of √q z."""
    _, p = at_knots(phi, q)
    return _over_knots([(phi.kinks * phi.right_values, p)], q)[0]


def bend(phi: PiecewiseLinear, q: Array) -> Array:
    """(4/3) Σᵢ dᵢ² exp(−tᵢ²/2q)/(2π√2), the coefficient of −q ε^(3/2) in E φ² − C(1 − ε), jumps left out."""
    h2, _ = at_knots(phi, q)
    return _over_knots([(phi.kinks**2, np.exp(-0.5 * h2))], q)[0] * (4 / 3 / (2 * pi * sqrt(2)))


def squared_curvature(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ''²: ∞ where there is a knot."""
    return np.full_like(q, np.inf if phi.knots else 0.0)


def slope_square_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E φ'(√q z)² = Σᵢ Δ(a²)ᵢ tᵢ p(tᵢ)/(2q), jumps left out."""
    _, p = at_knots(phi, q)
    return _over_knots([(0.5 * _changes(phi)[2], np.where(p > 0, p / q, 0.0))], q)[0]


def _over_knots(parts: Iterable[tuple[Array, Array]], q: Array) -> tuple[Array, Array]:
    """The sum over knots of a coefficient of each times what `at_knots` gives there, part by part; and of their sizes.

    A coefficient that is 0 counts as nothing, so that 0·∞ cannot arise.
    """
    total, size = np.zeros_like(q), np.zeros_like(q)
    for coefficients, factors in parts:
        if coefficients.any():
            weights = coefficients.reshape(-1, *[1] * q.ndim)
            terms = np.where(weights, weights * factors, 0.0)
            total, size = total + terms.sum(axis=0), size + abs(terms).sum(axis=0)
    return total, size


@lru_cache(maxsize=256)
def _changes(phi: PiecewiseLinear) -> tuple[Array, Array, Array]:
    """What changes at every knot t: ½tφ², φφ' and tφ'²."""
    left, right, slopes = phi.left_values, phi.right_values, np.array(phi.slopes)
    square, slope_square = right**2 - left**2, np.diff(slopes**2)
    return 0.5 * square * phi.knots, slopes[1:] * right - slopes[:-1] * left, slope_square * phi.knots


class Quadratic(NamedTuple):
    """w φ(x)² and, it may be, a multiple of x²: what is differentiated in q.

    `phi` φ and `weight` w; `slopes`, half its second derivative on the folded pieces; `values`, itself.
    """

    phi: PiecewiseLinear
    weight: float
    slopes: Integrands
    values: Integrands


def _square(phi: PiecewiseLinear) -> Quadratic:
    return Quadratic(phi, 1.0, _slope_powers(phi, 2), _powers(phi, 2))


def _better(direct: Array, direct_size: Array, hermite: Array, hermite_size: Array) -> Array:
    """Of two formulas for one number, elementwise the one whose terms are smaller: it cancels less."""
    return np.where(hermite_size < direct_size, hermite, direct)


def quadratic_d1(quadratic: Quadratic, q: Array) -> Array:
    """d/dq E g(√q z) of a quadratic g at one block of q's.

    Two exact forms (docs/theory.md, section 2): by pieces and knots, which is exact for a homogeneous φ and does
    not cancel as q → 0; and E[(z² − 1)g]/2q, which does not cancel where the active region is rare or narrow.
    """
    (jumps, kinks, _), weight = _changes(quadratic.phi), quadratic.weight
    _, p = at_knots(quadratic.phi, q)
    direct, direct_size = _over_knots([(weight * kinks, p), (weight * jumps, np.where(p > 0, p / q, 0.0))], q)
    for weighted in weighted_pieces(quadratic.slopes, q, 0):
        terms = weighted.integrals(weighted.polynomial)
        direct += weighted.sum(terms)
        direct_size += weighted.sum(abs(terms))
    hermite, size = np.zeros_like(q), np.zeros_like(q)
    for weighted in weighted_pieces(quadratic.values, q, 4):
        value, z = weighted.polynomial, weighted.z
        one, z2 = (weighted.integrals(g) for g in (value, product(product(z, z), value)))
        hermite += weighted.sum(z2 - one)
        size += weighted.sum(abs(z2) + abs(one))
    return _better(direct, direct_size, hermite / (2 * q), size / (2 * q))


def quadratic_d2(quadratic: Quadratic, q: Array) -> Array:
    """d²/dq² E g(√q z): by knots, or E[(z⁴ − 6z² + 3)g]/4q² where that cancels less."""
    (jumps, kinks, slopes), weight = _changes(quadratic.phi), quadratic.weight
    h2, p = at_knots(quadratic.phi, q)
    parts = (slopes, 1.0), (kinks, h2 - 1), (jumps, (h2 - 3) / q)
    direct, direct_size = _over_knots(
        ((weight * changes, np.where(p > 0, factors * p / (2 * q), 0.0)) for changes, factors in parts), q
    )
    hermite, size = np.zeros_like(q), np.zeros_like(q)
    for weighted in weighted_pieces(quadratic.values, q, 6):
        value, z = weighted.polynomial, weighted.z
        z_square = product(z, z)
        one, z2 = (weighted.integrals(g) for g in (value, product(z_square, value)))
        z4 = weighted.integrals(product(product(z_square, z_square), value))
        hermite += weighted.sum(z4 - 6 * z2 + 3 * one)
        size += weighted.sum(abs(z4) + 6 * abs(z2) + 3 * abs(one))
    return _better(direct, direct_size, hermite / q / (4 * q), size / q / (4 * q))


def second_moment_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E φ(√q z)²."""
    return quadratic_d1(_square(phi), q)


def second_moment_d2(phi: PiecewiseLinear, q: Array) -> Array:
    """d²/dq² E φ(√q z)²."""
    return quadratic_d2(_square(phi), q)


def square_cumulants(phi: PiecewiseLinear, q: Array, n: int) -> list[Array]:
    """The first n ≤ 3 cumulants of φ²."""
    raw = [_expectation_of_power(phi, q, 2 * k) for k in range(1, n + 1)]
    found = [raw[0], *_central(raw)]
    sound = (found[1] > _SOUND * raw[1]) & (raw[1] > _LEAST) & (raw[-1] < _MOST)
    if not np.all(sound):
        found = [np.array(cumulant) for cumulant in found]
        for cumulant, careful in zip(found[1:], _careful_cumulants(phi, q[~sound], n), strict=True):
            cumulant[~sound] = careful
    return found


def _central(raw: list[Array]) -> list[Array]:
    """The second and, of three, the third cumulant, from moments."""
    first, second = raw[:2]
    cumulants = [second - first * first]
    if len(raw) == 3:
        cumulants.append(raw[2] - 3 * first * second + 2 * first**3)
    return cumulants


def _careful_cumulants(phi: PiecewiseLinear, q: Array, n: int) -> list[Array]:
    """The second and, if n is 3, the third cumulant of φ², however small or large.

    A cumulant does not change with what is taken off φ². Of a few levels that one is taken off which φ² is nearest to,
    so that little is left to subtract; and all is measured in units of E[φ² | φ ≠ 0]. docs/theory.md, section 8.
    """
    size = _expectation_of_power(phi, q, 2) / expectation(_indicators(phi, _active), q, 0)
    nearest, found = np.full_like(q, np.inf), [np.zeros_like(q) for _ in range(n - 1)]
    for level in _square_levels(phi):
        raw = [np.zeros_like(q) for _ in range(n)]
        for side in (0, 1):
            for weighted in weighted_pieces(_squares_less(phi, level, side), q, 2 * n):
                one = {k: c / size for k, c in weighted.polynomial.items()}
                polynomial: Polynomial = {0: 1.0}
                for moment in raw:
                    polynomial = product(polynomial, one)
                    moment += weighted.sum(weighted.integrals(polynomial))
        nearer = raw[1] < nearest
        nearest = np.where(nearer, raw[1], nearest)
        found = [np.where(nearer, new, old) for new, old in zip(_central(raw), found, strict=True)]
    # Factor by factor, so that no power of a size overflows that is then multiplied with next to nothing.
    sized = [np.maximum(found[0], 0.0) * size * size, *(third * size * size * size for third in found[1:])]
    return [np.where(size < np.inf, cumulant, np.where(size > 0, np.inf, 0.0)) for cumulant in sized]


@lru_cache(maxsize=256)
def _square_levels(phi: PiecewiseLinear) -> tuple[float, ...]:
    """What φ² may be nearly always: 0; what it is next to 0, as q → 0; what it is on flat outer pieces, as q → ∞."""
    outer = (c for a, c in ((phi.slopes[0], phi.intercepts[0]), (phi.slopes[-1], phi.intercepts[-1])) if not a)
    return tuple(sorted({0.0, *(y * y for y in (*phi.limits(0.0), *outer))}))


@lru_cache(maxsize=1024)
def _squares_less(phi: PiecewiseLinear, level: float, side: int) -> Integrands:
    """φ² − level on one side of every folded piece."""

    def square(piece: FoldedPiece) -> Polynomial:
        y, a = piece.values[side], piece.slopes[side]
        return {0: y * y - level, 1: 2 * y * a, 2: a * a}

    return nonzero(phi, square)
