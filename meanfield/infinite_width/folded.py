"""Gaussian integrals of polynomials on the pieces of φ, folded onto the half-line.

With x = √q z and z standard normal, x and −x are taken together: between neighbouring |tᵢ| both φ(x) and φ(−x) are
lines in the distance from the end nearest to 0, where the Gaussian weight is largest. Whatever is a polynomial in
that distance on every piece is then a sum of the positive moments of `gaussian`. docs/theory.md, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from math import comb
from typing import Any, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import variances
from meanfield.infinite_width.gaussian import density, interval_moments, tail_moments

__all__ = [
    "Expectation",
    "FoldedPiece",
    "Integrands",
    "Polynomial",
    "Weighted",
    "at_knots",
    "folded",
    "nonzero",
    "of_any_shape",
    "probability",
    "product",
    "weighted_pieces",
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


def of_any_shape(expectation: Callable[..., Array]) -> Expectation:
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
class FoldedPiece:
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
def folded(phi: PiecewiseLinear) -> tuple[FoldedPiece, ...]:
    """The pieces of φ folded onto the half-line, outwards; the last one has no end."""
    edges = sorted({0.0, *phi.scales})
    pieces = []
    for left, right in zip(edges, [*edges[1:], np.inf], strict=True):
        above = np.searchsorted(phi.knots, left, side="right")
        below = np.searchsorted(phi.knots, -left, side="left")
        values = (phi.limits(left)[1], phi.limits(-left)[0])
        pieces.append(FoldedPiece(left, right, values, (phi.slopes[above], -phi.slopes[below])))
    return tuple(pieces)


#: A folded piece and what is integrated over it, left out where that is 0.
Integrands = tuple[tuple[FoldedPiece, Polynomial], ...]


def nonzero(phi: PiecewiseLinear, polynomial: Callable[[FoldedPiece], Polynomial]) -> Integrands:
    """What `polynomial` makes of every folded piece of φ."""
    found = ((piece, polynomial(piece)) for piece in folded(phi))
    # Without what is exactly 0, so that 0·∞ cannot arise.
    kept = ((piece, {k: c for k, c in coefficients.items() if c}) for piece, coefficients in found)
    return tuple((piece, coefficients) for piece, coefficients in kept if coefficients)


class Weighted(NamedTuple):
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


def weighted_pieces(integrands: Integrands, q: Array, order: int) -> Iterator[Weighted]:
    """Every piece at one block of q's, with its moments up to `order`."""
    root = np.sqrt(q)
    edge, tail = 0.0, tail_moments(_ORIGIN, order)
    for piece, coefficients in integrands:
        h = piece.left / root if piece.left else _ORIGIN
        if piece.left != edge:
            tail = tail_moments(h, order)
        if piece.right == np.inf:
            yield Weighted(h, np.inf, False, _in_units(coefficients, root), tail)
            return
        edge, width = piece.right, piece.right - piece.left
        far, w = tail_moments(piece.right / root, order), width / root
        moments, short = interval_moments(h, w, tail, far)
        yield Weighted(h, w, short, _in_units(coefficients, _chosen(short, width, root)), moments)
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


def product(p: Polynomial, r: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    result: dict[int, Any] = {}
    for i, a in p.items():
        for j, b in r.items():
            result[i + j] = result.get(i + j, 0.0) + a * b
    return result


def probability(integrands: Integrands, q: Array) -> Array:
    """Σ over pieces of their constant times P(piece)."""
    total = 0 * q
    for weighted in weighted_pieces(integrands, q, 0):
        total += weighted.integral(weighted.polynomial)
    return total


def at_knots(phi: PiecewiseLinear, q: Array) -> Iterator[tuple[int, float, Array, Array]]:
    """Index, knot t, t²/q and density p(t) = ϕ(t/√q)/√q, knot by knot."""
    root = np.sqrt(q)
    for i, t in enumerate(phi.knots):
        h = t / root if t else np.zeros_like(q)
        # At q = 0 the density of a knot t ≠ 0 is 0, not 0/0.
        yield i, t, h * h, np.where(np.isinf(h), 0.0, density(h) / root)
