"""V(q) − q, χ₁(q) − 1 and their derivatives, without the subtraction.

With x = √q z both are expectations over the pieces of φ,

    V(q) − q = σ_b² + E[σ_w² φ(x)² − x²],    χ₁(q) − 1 = E[σ_w² φ'(x)² − 1],

and where σ_w|φ| comes close to |x| on a piece, as hard tanh does at σ_w = 1, the difference of the coefficients is
taken once, in exact fractions. What is then left has all its digits however small. Coefficients that differ by no more
than the rounding of σ_w count as equal: σ_w = 1.4142135623730951 is √2. docs/theory.md, section 5.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from operator import sub

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.folded import FoldedPiece, Integrands, expectation, folded, in_blocks
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import Quadratic, quadratic_d1, quadratic_d2
from meanfield.infinite_width.roots import Function

__all__ = ["GainGrowth", "VarianceGrowth"]

Array = NDArray[np.float64]

#: Two numbers that differ by less, relative to their size, are one: the rounding of σ_w², a few times over.
_SAME = 64 * Fraction(sys.float_info.epsilon)
#: A sum over pieces rounds so many times as much, relative to its terms, as V does: ∫x²ϕ on a long piece loses a digit.
_PIECES = 16.0


@dataclass(frozen=True)
class VarianceGrowth:
    """V(q) − q of a network, at variances q of shape (n,)."""

    network: MeanField

    def __call__(self, q: Array) -> Array:
        """V(q) − q."""
        return self._where_it_cancels(q, self._by_pieces, self.network.V(q) - q)

    def d1(self, q: Array) -> Array:
        """V'(q) − 1."""
        return self._where_it_cancels(q, self._d1_by_pieces, self.network.dV(q) - 1)

    def d2(self, q: Array) -> Array:
        """V''(q)."""
        return self._where_it_cancels(q, self._d2_by_pieces, self.network.d2V(q))

    def size(self, q: Array) -> Array:
        """The size of the terms that were added and subtracted, of which a share is the rounding of σ_w and σ_b."""
        size = np.maximum(q, self.network.V(q))
        return np.minimum(self._sum_of(self._sizes, q), size) if self._runs_along else size

    def rounding(self, q: Array) -> Array:
        """The size of the terms that are summed, of which a share is the rounding of V(q) − q itself."""
        size = np.maximum(q, self.network.V(q))
        return np.minimum(self._sum_of(self._left, q), size) if self._runs_along else size

    def _where_it_cancels(self, q: Array, by_pieces: Function, subtracted: Array) -> Array:
        if not self._runs_along:
            return subtracted
        cancels = self._sum_of(self._left, q) < np.maximum(q, self.network.V(q))
        return np.where(cancels, by_pieces(q), subtracted) if cancels.any() else subtracted

    @cached_property
    def _runs_along(self) -> bool:
        """Whether σ_w|φ| nearly runs along |x| on some piece; else what is subtracted is no larger than the result."""
        slopes = [polynomial[0] for _, polynomial in self._quadratic.slopes.terms]
        return len(slopes) < len(folded(self.network.activation)) or min(map(abs, slopes)) < 4 / _PIECES

    def _sum_of(self, sizes: Integrands, q: Array) -> Array:
        """_PIECES times the sum of all terms, of σ_b² too."""
        return self._in_blocks(lambda q: _PIECES * (self.network.sigma_b_squared + expectation(sizes, q, 2)), q)

    def _by_pieces(self, q: Array) -> Array:
        return self.network.sigma_b_squared + self._in_blocks(partial(expectation, self._quadratic.values, order=2), q)

    def _d1_by_pieces(self, q: Array) -> Array:
        return self._in_blocks(partial(quadratic_d1, self._quadratic), q)

    def _d2_by_pieces(self, q: Array) -> Array:
        return self._in_blocks(partial(quadratic_d2, self._quadratic), q)

    def _in_blocks(self, f: Function, q: Array) -> Array:
        return in_blocks(f, self.network.activation, q)

    @cached_property
    def _quadratic(self) -> Quadratic:
        phi, sigma_w = self.network.activation, self.network.sigma_w
        slopes, values = _weighed(phi, sigma_w, _slopes, sub), _weighed(phi, sigma_w, _squares, sub)
        return Quadratic(phi, self.network.sigma_w_squared, slopes, values)

    @cached_property
    def _left(self) -> Integrands:
        return _weighed(self.network.activation, self.network.sigma_w, _squares, _distance)

    @cached_property
    def _sizes(self) -> Integrands:
        return _weighed(self.network.activation, self.network.sigma_w, _squares, _size)


@dataclass(frozen=True)
class GainGrowth:
    """χ₁(q) − 1 of a continuous φ, at variances q of shape (n,)."""

    activation: PiecewiseLinear
    sigma_w: float

    def __call__(self, q: Array) -> Array:
        """χ₁(q) − 1."""
        gain = self._gain(q)
        cancels = _PIECES * self._share(self._left, q) < np.maximum(gain, 1)
        return np.where(cancels, self._share(self._differences, q), gain - 1)

    def size(self, q: Array) -> Array:
        """The size of the terms that were added and subtracted, of which a share is the rounding of σ_w."""
        return np.minimum(_PIECES * self._share(self._sizes, q), np.maximum(self._gain(q), 1))

    def rounding(self, q: Array) -> Array:
        """The size of the terms that are summed, of which a share is the rounding of χ₁(q) − 1 itself."""
        return np.minimum(_PIECES * self._share(self._left, q), np.maximum(self._gain(q), 1))

    def _share(self, integrands: Integrands, q: Array) -> Array:
        return in_blocks(partial(expectation, integrands, order=0), self.activation, q)

    def _gain(self, q: Array) -> Array:
        return MeanField(self.activation, self.sigma_w).gain(q)

    @cached_property
    def _differences(self) -> Integrands:
        return _weighed(self.activation, self.sigma_w, _slopes, sub)

    @cached_property
    def _left(self) -> Integrands:
        return _weighed(self.activation, self.sigma_w, _slopes, _distance)

    @cached_property
    def _sizes(self) -> Integrands:
        return _weighed(self.activation, self.sigma_w, _slopes, _size)


#: What σ_w² weighs, and what is taken off it, of x and −x together: the coefficients of 1, u, u².
_Sums = list[tuple[Fraction, Fraction]]


def _squares(piece: FoldedPiece) -> _Sums:
    """φ² and x²."""
    sides = [(Fraction(y), Fraction(a)) for y, a in zip(piece.values, piece.slopes, strict=True)]
    left, zero = Fraction(piece.left), Fraction(0)
    return [
        (sum((y * y for y, _ in sides), zero), 2 * left * left),
        (sum((2 * y * a for y, a in sides), zero), 4 * left),
        (sum((a * a for _, a in sides), zero), Fraction(2)),
    ]


def _slopes(piece: FoldedPiece) -> _Sums:
    """φ'² and 1."""
    return _squares(piece)[2:]


def _distance(a: Fraction, b: Fraction) -> Fraction:
    return abs(a - b)


def _size(a: Fraction, b: Fraction) -> Fraction:
    return abs(a) + abs(b)


def _weighed(
    phi: PiecewiseLinear,
    sigma_w: float,
    sums: Callable[[FoldedPiece], _Sums],
    combined: Callable[[Fraction, Fraction], Fraction],
) -> Integrands:
    """What `combined` makes of σ_w² times the first and the second of each pair, left out where these are the same."""
    weight, found = Fraction(sigma_w) ** 2, []
    for piece in folded(phi):
        pairs = [(k, weight * a, b) for k, (a, b) in enumerate(sums(piece))]
        kept = {k: _double(combined(a, b)) for k, a, b in pairs if abs(a - b) > _SAME * max(abs(a), abs(b))}
        if kept:
            found.append((piece, kept))
    return Integrands(tuple(found))


def _double(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)
