"""Gaussian expectations of φ in one variable: everything the variance map is made of.

With x = √q z and z standard normal, `phi` a `PiecewiseLinear`, q ≥ 0 of any shape:

- `mean` E φ, `second_moment` E φ², `fourth_moment` E φ⁴, `sixth_moment` E φ⁶, `mirrored_moment` E φ(x)φ(−x);
- `second_moment_d1`, `second_moment_d2`: first and second derivative of E φ² in q;
- `slope_moment` E φ'ⁿ of the slopes alone, `slope_square_d1` d/dq E φ'²;
- `kink_term` and `bend`, the sums over kinks that decide stability and how fast correlations grow;
- `sparsity` P(φ(x) = 0), `active_share` P(φ(x) ≠ 0) and `sloping_share` P(φ'(x) ≠ 0).

φ is folded onto the half-line, x and −x together, and each piece is measured from its left end, where the Gaussian
weight is largest. There every power of φ is a polynomial in positive moments. docs/theory.md, sections 2 and 3.

Values at q = 0 are limits q → 0⁺, so each function is continuous on [0, ∞) (a derivative may be infinite there).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from math import comb, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.infinite_width.gaussian import density, interval_moments, tail_moments

__all__ = [
    "active_share",
    "bend",
    "fourth_moment",
    "kink_term",
    "mean",
    "mirrored_moment",
    "second_moment",
    "second_moment_d1",
    "second_moment_d2",
    "sixth_moment",
    "slope_moment",
    "slope_square_d1",
    "sloping_share",
    "sparsity",
    "variances",
]

Array = NDArray[np.float64]
Values = Array | float
Polynomial = list[Array | float]

#: Arrays are worked through in blocks of this many numbers, so that the intermediate ones stay in cache.
_BLOCK = 8192


def variances(q: ArrayLike) -> Array:
    """`q` as an array of finite, non-negative floats.

    Raises:
        DomainError: any q negative, NaN or infinite.
    """
    q = np.asarray(q, dtype=float)
    wrong = ~((q >= 0) & (q < np.inf))
    if wrong.any():
        raise DomainError(f"q = {q[wrong].flat[0]:g} is not a variance: give finite numbers q ≥ 0")
    return q


def _blockwise(
    expectation: Callable[[PiecewiseLinear, Array], Array],
) -> Callable[[PiecewiseLinear, ArrayLike], Values]:
    """A function of one block of q's, as one of arrays of any shape: scalars in, floats out."""

    @wraps(expectation)
    def of_any_shape(phi: PiecewiseLinear, q: ArrayLike) -> Values:
        values = variances(q)
        flat = values.ravel()
        result = np.empty_like(flat)
        with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
            for start in range(0, flat.size, _BLOCK):
                block = slice(start, start + _BLOCK)
                result[block] = expectation(phi, flat[block])
        return result.reshape(values.shape) if values.ndim else result.item()

    return of_any_shape


@dataclass(frozen=True)
class _FoldedPiece:
    """φ on left < |x| < right, as two lines in u = |x| − left: φ(x) for x > 0 and φ(−x) for x < 0."""

    left: float
    right: float
    values: tuple[float, float]
    slopes: tuple[float, float]

    @lru_cache(maxsize=1024)  # noqa: B019 (frozen, small, and shared by every block of q)
    def power(self, n: int) -> list[float]:
        """Coefficients in u of φ(x)ⁿ + φ(−x)ⁿ, constant first."""
        binomials = [
            [comb(n, k) * value ** (n - k) * slope**k for k in range(n + 1)]
            for value, slope in zip(self.values, self.slopes, strict=True)
        ]
        return [above + below for above, below in zip(*binomials, strict=True)]


@lru_cache(maxsize=256)
def _folded(phi: PiecewiseLinear) -> tuple[_FoldedPiece, ...]:
    edges = sorted({0.0, *(abs(t) for t in phi.knots)})
    pieces = []
    for left, right in zip(edges, [*edges[1:], np.inf], strict=True):
        above = np.searchsorted(phi.knots, left, side="right")
        below = np.searchsorted(phi.knots, -left, side="left")
        values = (phi.limits(left)[1], phi.limits(-left)[0])
        pieces.append(_FoldedPiece(left, right, values, (phi.slopes[above], -phi.slopes[below])))
    return tuple(pieces)


@dataclass(frozen=True)
class _Weighted:
    """A folded piece under the Gaussian of one block of q's.

    z = h + step·s and u = scale·s along the piece; `moments[n]` is the integral of sⁿ over it.
    """

    piece: _FoldedPiece
    h: Array | float
    w: Array | float
    short: NDArray[np.bool_] | bool
    scale: Array
    moments: list[Array]

    @property
    def step(self) -> Array:
        """dz/ds."""
        return np.where(self.short, self.w, 1.0)

    def power(self, n: int) -> Polynomial:
        """φ(x)ⁿ + φ(−x)ⁿ as a polynomial in s."""
        return self.in_units(self.piece.power(n))

    def in_units(self, coefficients: list[float]) -> Polynomial:
        """A polynomial in u as one in s; exact zeros are left as such, so that 0·∞ cannot arise."""
        return [c * self.scale**k if c and k else c for k, c in enumerate(coefficients)]

    def integral(self, polynomial: Polynomial) -> Values:
        """The integral over the piece of a polynomial in s."""
        total: Values = 0.0
        for coefficient, moment in zip(polynomial, self.moments, strict=False):
            if np.ndim(coefficient) or coefficient:
                total = total + coefficient * moment
        return total


def _weighted(phi: PiecewiseLinear, q: Array, order: int) -> Iterator[_Weighted]:
    root = np.sqrt(q)
    tail = tail_moments(0.0, order)
    h: Array | float = 0.0
    for piece in _folded(phi):
        if piece.right == np.inf:
            yield _Weighted(piece, h, np.inf, False, root, tail)
            return
        h_right = piece.right / root
        far = tail_moments(h_right, order)
        width = piece.right - piece.left
        w = width / root
        moments, short = interval_moments(h, w, tail, far)
        yield _Weighted(piece, h, w, short, np.where(short, width, root), moments)
        h, tail = h_right, far


def _product(p: Polynomial, r: Polynomial) -> Polynomial:
    result: Polynomial = [0.0] * (len(p) + len(r) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(r):
            result[i + j] = result[i + j] + a * b
    return result


def _expectation_of_power(phi: PiecewiseLinear, q: Array, n: int) -> Array:
    total = np.zeros_like(q)
    for weighted in _weighted(phi, q, n):
        total += weighted.integral(weighted.power(n))
    # Terms of both signs that overflow make NaN; an even power then is beyond the doubles.
    return np.where(np.isnan(total), np.inf, total) if n % 2 == 0 else total


@_blockwise
def mean(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)."""
    return _expectation_of_power(phi, q, 1)


@_blockwise
def second_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)²; V(q) = σ_w² E φ² + σ_b²."""
    return _expectation_of_power(phi, q, 2)


@_blockwise
def fourth_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)⁴."""
    return _expectation_of_power(phi, q, 4)


@_blockwise
def sixth_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)⁶."""
    return _expectation_of_power(phi, q, 6)


@_blockwise
def mirrored_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(x)φ(−x), the covariance of two outputs whose inputs have correlation −1."""
    total = np.zeros_like(q)
    for weighted in _weighted(phi, q, 2):
        (y, y_mirror), (a, a_mirror) = weighted.piece.values, weighted.piece.slopes
        constants = [2 * y * y_mirror, 2 * (y * a_mirror + a * y_mirror), 2 * a * a_mirror]
        total += weighted.integral(weighted.in_units(constants))
    return total


def _probability_of(phi: PiecewiseLinear, q: Array, weight: Callable[[float, float, float], float]) -> Array:
    """Σ over both sides of every folded piece of weight(value, slope of the folded line, ±1)·P(piece)."""
    total = np.zeros_like(q)
    for weighted in _weighted(phi, q, 0):
        (y, y_mirror), (a, a_mirror) = weighted.piece.values, weighted.piece.slopes
        total += (weight(y, a, 1.0) + weight(y_mirror, a_mirror, -1.0)) * weighted.moments[0]
    return total


def slope_moment(phi: PiecewiseLinear, q: ArrayLike, n: int) -> Values:
    """E φ'(√q z)ⁿ = Σ aⱼⁿ Pⱼ, the slopes of the pieces alone: jumps are left out."""

    def of_block(phi: PiecewiseLinear, q: Array) -> Array:
        return _probability_of(phi, q, lambda value, slope, side: (side * slope) ** n)

    return _blockwise(of_block)(phi, q)


@_blockwise
def active_share(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ(√q z) ≠ 0), which keeps its digits where 1 − sparsity loses them."""
    return np.minimum(_probability_of(phi, q, lambda value, slope, side: float(value != 0 or slope != 0)), 1.0)


@_blockwise
def sloping_share(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ'(√q z) ≠ 0), the fraction of units that pass a gradient."""
    return np.minimum(_probability_of(phi, q, lambda value, slope, side: float(slope != 0)), 1.0)


@_blockwise
def sparsity(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ(√q z) = 0)."""
    return np.minimum(_probability_of(phi, q, lambda value, slope, side: float(value == 0 == slope)), 1.0)


def _at_knots(phi: PiecewiseLinear, q: Array) -> Iterator[tuple[int, float, Array, Array]]:
    """Index, knot t, t²/q and density p(t) = ϕ(t/√q)/√q, knot by knot."""
    root = np.sqrt(q)
    for i, t in enumerate(phi.knots):
        h = t / root if t else np.zeros_like(q)
        # At q = 0 the density of a knot t ≠ 0 is 0, not 0/0.
        yield i, t, h * h, np.where(np.isinf(h), 0.0, density(h) / root)


@_blockwise
def kink_term(phi: PiecewiseLinear, q: Array) -> Array:
    """Σᵢ dᵢ φ(tᵢ) p(tᵢ) = d/dq E φ² − E φ'² of a continuous φ; p the density of √q z."""
    total = np.zeros_like(q)
    for i, _, _, p in _at_knots(phi, q):
        weight = phi.kinks[i] * phi.right_values[i]
        if weight:
            total += weight * p
    return total


@_blockwise
def bend(phi: PiecewiseLinear, q: Array) -> Array:
    """(4/3) Σᵢ dᵢ² exp(−tᵢ²/2q)/(2π√2), the coefficient of −q ε^(3/2) in E φ² − C(1 − ε), jumps left out."""
    total = np.zeros_like(q)
    for i, _, h2, _ in _at_knots(phi, q):
        total += phi.kinks[i] ** 2 * np.exp(-0.5 * h2)
    return total * (4 / 3 / (2 * pi * sqrt(2)))


@_blockwise
def slope_square_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E φ'(√q z)² = Σᵢ Δ(a²)ᵢ tᵢ p(tᵢ)/(2q), jumps left out."""
    squares = np.diff(np.square(phi.slopes))
    total = np.zeros_like(q)
    for i, t, _, p in _at_knots(phi, q):
        if t and squares[i]:
            total += np.where(p > 0, 0.5 * squares[i] * t * p / q, 0.0)
    return total


def _better(direct: Array, direct_size: Array, hermite: Array, hermite_size: Array) -> Array:
    """Of two formulas for one number, elementwise the one whose terms are smaller: it cancels less."""
    return np.where(hermite_size < direct_size, hermite, direct)


@_blockwise
def second_moment_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E φ(√q z)².

    Two exact forms (docs/theory.md, section 2): by pieces and knots, which is exact for a homogeneous φ and does
    not cancel as q → 0; and E[(z² − 1)φ²]/2q, which does not cancel where the active region is rare or narrow.
    """
    left, right, slopes = phi.left_values, phi.right_values, phi.slopes
    direct = _probability_of(phi, q, lambda value, slope, side: slope * slope)
    direct_size = direct.copy()
    for i, t, _, p in _at_knots(phi, q):
        kink = slopes[i + 1] * right[i] - slopes[i] * left[i]
        jump = 0.5 * t * (right[i] ** 2 - left[i] ** 2)
        for term in ([kink * p] if kink else []) + ([np.where(p > 0, jump * p / q, 0.0)] if jump else []):
            direct += term
            direct_size += np.abs(term)
    z2, one = np.zeros_like(q), np.zeros_like(q)
    for weighted in _weighted(phi, q, 4):
        square, z = weighted.power(2), [weighted.h, weighted.step]
        one += weighted.integral(square)
        z2 += weighted.integral(_product(_product(z, z), square))
    return _better(direct, direct_size, (z2 - one) / (2 * q), (z2 + one) / (2 * q))


@_blockwise
def second_moment_d2(phi: PiecewiseLinear, q: Array) -> Array:
    """d²/dq² E φ(√q z)²: by knots, or E[(z⁴ − 6z² + 3)φ²]/4q² where that cancels less."""
    left, right, slopes = phi.left_values, phi.right_values, phi.slopes
    direct, direct_size = np.zeros_like(q), np.zeros_like(q)
    for i, t, h2, p in _at_knots(phi, q):
        slope = (slopes[i + 1] ** 2 - slopes[i] ** 2) * t
        kink = slopes[i + 1] * right[i] - slopes[i] * left[i]
        jump = 0.5 * t * (right[i] ** 2 - left[i] ** 2)
        for coefficient, factor in ((slope, 1.0), (kink, h2 - 1), (jump, (h2 - 3) / q)):
            if coefficient:
                term = np.where(p > 0, coefficient * factor * p / (2 * q), 0.0)
                direct += term
                direct_size += np.abs(term)
    z4, z2, one = np.zeros_like(q), np.zeros_like(q), np.zeros_like(q)
    for weighted in _weighted(phi, q, 6):
        square, z = weighted.power(2), [weighted.h, weighted.step]
        z_square = _product(z, z)
        one += weighted.integral(square)
        z2 += weighted.integral(_product(z_square, square))
        z4 += weighted.integral(_product(_product(z_square, z_square), square))
    hermite, size = z4 - 6 * z2 + 3 * one, z4 + 6 * z2 + 3 * one
    return _better(direct, direct_size, hermite / q / (4 * q), size / q / (4 * q))
