"""E[σ_w² φ² − x²] and E[σ_w² φ'² − 1] over folded pieces: differences of coefficients, taken once, in exact fractions.

docs/theory.md, section 5.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from operator import sub

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.closed_forms.folded import FoldedPiece, Integrands, expectation, folded
from meanfield.infinite_width.closed_forms.moments import Quadratic, quadratic_d1, quadratic_d2

__all__ = ["GainGap", "VarianceGap"]

Array = NDArray[np.float64]

#: Two numbers that differ by less, relative to their size, are one: the rounding of σ_w², a few times over.
_SAME = 64 * Fraction(sys.float_info.epsilon)
#: A sum over pieces rounds so many times as much, relative to its terms, as V does: ∫x²ϕ on a long piece loses a digit.
_PIECES = 16.0


@dataclass(frozen=True)
class VarianceGap:
    """E[σ_w² φ² − x²]."""

    activation: PiecewiseLinear
    sigma_w: float

    rounding = _PIECES

    @cached_property
    def helps(self) -> bool:
        """Whether σ_w|φ| nearly runs along |x| on some piece; else what is subtracted is no larger than the result."""
        slopes = [polynomial[0] for _, polynomial in self._quadratic.slopes.terms]
        return len(slopes) < len(folded(self.activation)) or min(map(abs, slopes)) < 4 / _PIECES

    def values(self, q: Array) -> Array:
        """Itself."""
        return expectation(self._quadratic.values, q, 2)

    def d1(self, q: Array) -> Array:
        """Its derivative in q."""
        return quadratic_d1(self._quadratic, q)

    def d2(self, q: Array) -> Array:
        """Its second derivative."""
        return quadratic_d2(self._quadratic, q)

    def left(self, q: Array) -> Array:
        """The sum of the sizes of all differences."""
        return _PIECES * expectation(self._left, q, 2)

    def sizes(self, q: Array) -> Array:
        """The sum of the sizes of what they are differences of."""
        return _PIECES * expectation(self._sizes, q, 2)

    @cached_property
    def _quadratic(self) -> Quadratic:
        phi, sigma_w = self.activation, self.sigma_w
        return Quadratic(phi, sigma_w**2, _weighed(phi, sigma_w, _slopes, sub), _weighed(phi, sigma_w, _squares, sub))

    @cached_property
    def _left(self) -> Integrands:
        return _weighed(self.activation, self.sigma_w, _squares, _distance)

    @cached_property
    def _sizes(self) -> Integrands:
        return _weighed(self.activation, self.sigma_w, _squares, _size)


@dataclass(frozen=True)
class GainGap:
    """E[σ_w² φ'² − 1]."""

    activation: PiecewiseLinear
    sigma_w: float

    helps = True

    def values(self, q: Array) -> Array:
        """Itself."""
        return expectation(self._differences, q, 0)

    def left(self, q: Array) -> Array:
        """The sum of the sizes of all differences."""
        return _PIECES * expectation(self._left, q, 0)

    def sizes(self, q: Array) -> Array:
        """The sum of the sizes of what they are differences of."""
        return _PIECES * expectation(self._sizes, q, 0)

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
