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

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from math import comb, pi, sqrt
from typing import Any, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import variances
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
]

Array = NDArray[np.float64]
#: Coefficients by the power that they belong to, ascending.
Polynomial = Mapping[int, Any]

#: Arrays are worked through in blocks of this many numbers, so that the intermediate ones stay in cache.
_BLOCK = 8192
_ORIGIN = np.zeros(())


class Expectation(Protocol):
    """A Gaussian expectation of φ at variances of any shape: a float for a scalar."""

    @overload
    def __call__(self, phi: PiecewiseLinear, q: float, *order: int) -> float: ...
    @overload
    def __call__(self, phi: PiecewiseLinear, q: ArrayLike, *order: int) -> Array: ...
    def __call__(self, phi: PiecewiseLinear, q: ArrayLike, *order: int) -> Any: ...


def _of_any_shape(expectation: Callable[..., Array]) -> Expectation:
    """A function of one block of q's, of shape (n,) or (), as one of variances of any shape, which it checks."""

    @wraps(expectation)
    def of_any_shape(phi: PiecewiseLinear, q: ArrayLike, *order: int) -> Any:
        values = variances(q)
        with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
            if not values.ndim:
                return expectation(phi, values, *order).item()
            flat, result = values.ravel(), np.empty(values.size)
            for start in range(0, flat.size, _BLOCK):
                block = slice(start, start + _BLOCK)
                result[block] = expectation(phi, flat[block], *order)
        return result.reshape(values.shape)

    return of_any_shape


@dataclass(frozen=True)
class _FoldedPiece:
    """φ on left < |x| < right, as two lines in u = |x| − left: φ(x) for x > 0 and φ(−x) for x < 0."""

    left: float
    right: float
    values: tuple[float, float]
    slopes: tuple[float, float]

    def power(self, n: int) -> Polynomial:
        """φ(x)ⁿ + φ(−x)ⁿ as a polynomial in u."""
        sides = list(zip(self.values, self.slopes, strict=True))
        return {k: sum(comb(n, k) * y ** (n - k) * a**k for y, a in sides) for k in range(n + 1)}

    def mirrored(self) -> Polynomial:
        """2φ(x)φ(−x) as a polynomial in u."""
        (y, y_mirror), (a, a_mirror) = self.values, self.slopes
        return {0: 2 * y * y_mirror, 1: 2 * (y * a_mirror + a * y_mirror), 2: 2 * a * a_mirror}


@lru_cache(maxsize=256)
def _folded(phi: PiecewiseLinear) -> tuple[_FoldedPiece, ...]:
    edges = sorted({0.0, *phi.scales})
    pieces = []
    for left, right in zip(edges, [*edges[1:], np.inf], strict=True):
        above = np.searchsorted(phi.knots, left, side="right")
        below = np.searchsorted(phi.knots, -left, side="left")
        values = (phi.limits(left)[1], phi.limits(-left)[0])
        pieces.append(_FoldedPiece(left, right, values, (phi.slopes[above], -phi.slopes[below])))
    return tuple(pieces)


#: A folded piece and what is integrated over it, left out where that is 0.
_Integrands = tuple[tuple[_FoldedPiece, Polynomial], ...]


def _nonzero(phi: PiecewiseLinear, polynomial: Callable[[_FoldedPiece], Polynomial]) -> _Integrands:
    found = ((piece, polynomial(piece)) for piece in _folded(phi))
    # Without what is exactly 0, so that 0·∞ cannot arise.
    kept = ((piece, {k: c for k, c in coefficients.items() if c}) for piece, coefficients in found)
    return tuple((piece, coefficients) for piece, coefficients in kept if coefficients)


@lru_cache(maxsize=1024)
def _powers(phi: PiecewiseLinear, n: int) -> _Integrands:
    return _nonzero(phi, lambda piece: piece.power(n))


@lru_cache(maxsize=256)
def _products(phi: PiecewiseLinear) -> _Integrands:
    return _nonzero(phi, _FoldedPiece.mirrored)


class _Weighted(NamedTuple):
    """A polynomial on a folded piece under the Gaussian of one block of q's.

    z = h + step·s and u = scale·s along the piece; `polynomial` is in s, and `moments[n]` the integral of sⁿ.
    """

    h: Array
    w: Array | float
    short: Any
    polynomial: Polynomial
    moments: list[Array]

    @property
    def z(self) -> Polynomial:
        """z as a polynomial in s."""
        step = _chosen(self.short, self.w, 1.0)
        return {0: self.h, 1: step} if self.h is not _ORIGIN else {1: step}

    def integral(self, polynomial: Polynomial) -> Any:
        """The integral over the piece of a polynomial in s."""
        total: Any = 0.0
        for power, coefficient in polynomial.items():
            total = total + coefficient * self.moments[power]
        return total


def _weighted(integrands: _Integrands, q: Array, order: int) -> Iterator[_Weighted]:
    root = np.sqrt(q)
    edge, tail = 0.0, tail_moments(_ORIGIN, order)
    for piece, coefficients in integrands:
        h = piece.left / root if piece.left else _ORIGIN
        if piece.left != edge:
            tail = tail_moments(h, order)
        if piece.right == np.inf:
            yield _Weighted(h, np.inf, False, _in_units(coefficients, root), tail)
            return
        edge, width = piece.right, piece.right - piece.left
        far, w = tail_moments(piece.right / root, order), width / root
        moments, short = interval_moments(h, w, tail, far)
        yield _Weighted(h, w, short, _in_units(coefficients, _chosen(short, width, root)), moments)
        tail = far


def _in_units(coefficients: Polynomial, scale: Array | float) -> Polynomial:
    """A polynomial in u as one in s = u/scale."""
    scaled: dict[int, Any] = {}
    for k, c in coefficients.items():
        scaled[k] = c * np.power(scale, k) if k > 2 else c * (scale * scale) if k == 2 else c * scale if k else c
    return scaled


def _chosen(condition: Any, a: Array | float, b: Array | float) -> Any:
    """a where the condition holds, else b; a condition may be one bool for all."""
    if isinstance(condition, bool):
        return a if condition else b
    return np.where(condition, a, b)


def _product(p: Polynomial, r: Polynomial) -> Polynomial:
    result: dict[int, Any] = {}
    for i, a in p.items():
        for j, b in r.items():
            result[i + j] = result.get(i + j, 0.0) + a * b
    return result


def _expectation_of_power(phi: PiecewiseLinear, q: Array, n: int) -> Array:
    total = 0 * q
    for weighted in _weighted(_powers(phi, n), q, n):
        total += weighted.integral(weighted.polynomial)
    # Terms of both signs that overflow make NaN; an even power then is beyond the doubles.
    return np.fmin(total, np.inf) if n % 2 == 0 else total


@_of_any_shape
def mean(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)."""
    return _expectation_of_power(phi, q, 1)


@_of_any_shape
def second_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)²; V(q) = σ_w² E φ² + σ_b²."""
    return _expectation_of_power(phi, q, 2)


@_of_any_shape
def fourth_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)⁴."""
    return _expectation_of_power(phi, q, 4)


@_of_any_shape
def sixth_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(√q z)⁶."""
    return _expectation_of_power(phi, q, 6)


@_of_any_shape
def mirrored_moment(phi: PiecewiseLinear, q: Array) -> Array:
    """E φ(x)φ(−x), the covariance of two outputs whose inputs have correlation −1."""
    total = 0 * q
    for weighted in _weighted(_products(phi), q, 2):
        total += weighted.integral(weighted.polynomial)
    return total


@lru_cache(maxsize=1024)
def _slope_powers(phi: PiecewiseLinear, n: int) -> _Integrands:
    return _nonzero(phi, lambda piece: {0: piece.slopes[0] ** n + (-piece.slopes[1]) ** n})


@lru_cache(maxsize=1024)
def _indicators(phi: PiecewiseLinear, holds: Callable[[float, float], bool]) -> _Integrands:
    """On either side of a folded piece, whether a condition holds of φ's value and slope there."""
    return _nonzero(phi, lambda piece: {0: float(sum(map(holds, piece.values, piece.slopes)))})


def _probability(integrands: _Integrands, q: Array) -> Array:
    """Σ over pieces of their constant times P(piece)."""
    total = 0 * q
    for weighted in _weighted(integrands, q, 0):
        total += weighted.integral(weighted.polynomial)
    return total


@_of_any_shape
def slope_moment(phi: PiecewiseLinear, q: Array, n: int) -> Array:
    """E φ'(√q z)ⁿ = Σ aⱼⁿ Pⱼ, the slopes of the pieces alone: jumps are left out."""
    return _probability(_slope_powers(phi, n), q)


def _active(value: float, slope: float) -> bool:
    return value != 0 or slope != 0


def _sloping(value: float, slope: float) -> bool:
    return slope != 0


def _zero(value: float, slope: float) -> bool:
    return value == 0 == slope


@_of_any_shape
def active_share(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ(√q z) ≠ 0), which keeps its digits where 1 − sparsity loses them."""
    return np.minimum(_probability(_indicators(phi, _active), q), 1.0)


@_of_any_shape
def sloping_share(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ'(√q z) ≠ 0), the fraction of units that pass a gradient."""
    return np.minimum(_probability(_indicators(phi, _sloping), q), 1.0)


@_of_any_shape
def sparsity(phi: PiecewiseLinear, q: Array) -> Array:
    """P(φ(√q z) = 0)."""
    return np.minimum(_probability(_indicators(phi, _zero), q), 1.0)


def _at_knots(phi: PiecewiseLinear, q: Array) -> Iterator[tuple[int, float, Array, Array]]:
    """Index, knot t, t²/q and density p(t) = ϕ(t/√q)/√q, knot by knot."""
    root = np.sqrt(q)
    for i, t in enumerate(phi.knots):
        h = t / root if t else np.zeros_like(q)
        # At q = 0 the density of a knot t ≠ 0 is 0, not 0/0.
        yield i, t, h * h, np.where(np.isinf(h), 0.0, density(h) / root)


@_of_any_shape
def kink_term(phi: PiecewiseLinear, q: Array) -> Array:
    """Σᵢ dᵢ φ(tᵢ) p(tᵢ) = d/dq E φ² − E φ'² of a continuous φ; p the density of √q z."""
    total = 0 * q
    for i, _, _, p in _at_knots(phi, q):
        weight = phi.kinks[i] * phi.right_values[i]
        if weight:
            total += weight * p
    return total


@_of_any_shape
def bend(phi: PiecewiseLinear, q: Array) -> Array:
    """(4/3) Σᵢ dᵢ² exp(−tᵢ²/2q)/(2π√2), the coefficient of −q ε^(3/2) in E φ² − C(1 − ε), jumps left out."""
    total = 0 * q
    for i, _, h2, _ in _at_knots(phi, q):
        total += phi.kinks[i] ** 2 * np.exp(-0.5 * h2)
    return total * (4 / 3 / (2 * pi * sqrt(2)))


@_of_any_shape
def slope_square_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E φ'(√q z)² = Σᵢ Δ(a²)ᵢ tᵢ p(tᵢ)/(2q), jumps left out."""
    squares = np.diff(np.square(phi.slopes))
    total = 0 * q
    for i, t, _, p in _at_knots(phi, q):
        if t and squares[i]:
            total += np.where(p > 0, 0.5 * squares[i] * t * p / q, 0.0)
    return total


def _better(direct: Array, direct_size: Array, hermite: Array, hermite_size: Array) -> Array:
    """Of two formulas for one number, elementwise the one whose terms are smaller: it cancels less."""
    return np.where(hermite_size < direct_size, hermite, direct)


@_of_any_shape
def second_moment_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E φ(√q z)².

    Two exact forms (docs/theory.md, section 2): by pieces and knots, which is exact for a homogeneous φ and does
    not cancel as q → 0; and E[(z² − 1)φ²]/2q, which does not cancel where the active region is rare or narrow.
    """
    left, right, slopes = phi.left_values, phi.right_values, phi.slopes
    direct = _probability(_slope_powers(phi, 2), q)
    direct_size = direct.copy()
    for i, t, _, p in _at_knots(phi, q):
        kink = slopes[i + 1] * right[i] - slopes[i] * left[i]
        jump = 0.5 * t * (right[i] ** 2 - left[i] ** 2)
        for term in ([kink * p] if kink else []) + ([np.where(p > 0, jump * p / q, 0.0)] if jump else []):
            direct += term
            direct_size += np.abs(term)
    z2, one = np.zeros_like(q), np.zeros_like(q)
    for weighted in _weighted(_powers(phi, 2), q, 4):
        square, z = weighted.polynomial, weighted.z
        one += weighted.integral(square)
        z2 += weighted.integral(_product(_product(z, z), square))
    return _better(direct, direct_size, (z2 - one) / (2 * q), (z2 + one) / (2 * q))


@_of_any_shape
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
    for weighted in _weighted(_powers(phi, 2), q, 6):
        square, z = weighted.polynomial, weighted.z
        z_square = _product(z, z)
        one += weighted.integral(square)
        z2 += weighted.integral(_product(z_square, square))
        z4 += weighted.integral(_product(_product(z_square, z_square), square))
    hermite, size = z4 - 6 * z2 + 3 * one, z4 + 6 * z2 + 3 * one
    return _better(direct, direct_size, hermite / q / (4 * q), size / q / (4 * q))
