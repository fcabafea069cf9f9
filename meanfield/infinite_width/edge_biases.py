"""The biases of the edge of chaos at q*, as an expectation in which nothing is subtracted.

By parts q E φ'² = E x∫₀ˣφ'², so that

    σ_b² = q − E φ²/E φ'² = E G(√q z)/E φ'²,    G(x) = x ∫₀ˣ φ'(s)² ds − φ(x)².

G is continuous and piecewise linear, with G(0) = −φ(0)² and, for x > 0,

    G'(x) = ∫₀ˣ (φ'(s) − φ'(x))² ds − 2φ(0)φ'(x),

and likewise for x < 0. If φ(0) = 0 it is nowhere negative (Cauchy and Schwarz), and 0 throughout only for a homogeneous
φ. Hard tanh has G = max(|x| − 1, 0), and ReLU6 6 max(x − 6, 0). docs/theory.md, section 6.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.folded import Integrands, expectation, folded, in_blocks, nonzero
from meanfield.infinite_width.gaussian import density
from meanfield.infinite_width.moments import slope_moment, slope_square_d1

__all__ = ["squared_bias", "squared_bias_at_infinity", "squared_bias_d1", "squared_bias_size"]

Array = NDArray[np.float64]

#: Where φ(0) ≠ 0 terms of both signs are summed: this share of their sizes is rounding.
_ROUNDING = 16 * np.finfo(float).eps


@lru_cache(maxsize=256)
def _gap(phi: PiecewiseLinear) -> Integrands:
    """G(x) + G(−x) on the folded pieces, a line each: summed in fractions, so that what cancels leaves nothing."""
    origin, lines = Fraction(phi.limits(0.0)[1]), {}
    left, height, energy = Fraction(0), [Fraction(0)] * 2, [Fraction(0)] * 2
    value = -2 * origin**2
    for piece in folded(phi):
        slopes = [Fraction(a) for a in piece.slopes]
        # ∫₀ˣ(φ' − a)² = ∫φ'² − 2a∫φ' + a²x
        turned = sum(e - 2 * a * (h + origin) + a * a * left for a, h, e in zip(slopes, height, energy, strict=True))
        lines[piece] = {0: float(value), 1: float(turned)}
        if piece.right < math.inf:
            width = Fraction(piece.right) - left
            value += turned * width
            height = [h + a * width for a, h in zip(slopes, height, strict=True)]
            energy = [e + a * a * width for a, e in zip(slopes, energy, strict=True)]
            left += width
    return nonzero(phi, lines.__getitem__)


@lru_cache(maxsize=256)
def _gap_sizes(phi: PiecewiseLinear) -> Integrands:
    return Integrands(tuple((piece, {k: abs(c) for k, c in line.items()}) for piece, line in _gap(phi).terms))


def _expectation(phi: PiecewiseLinear, lines: Integrands, q: Array) -> Array:
    return in_blocks(partial(expectation, lines, order=1), phi, q)


def squared_bias(phi: PiecewiseLinear, q: Array) -> Array:
    """σ_b² of the edge of a continuous φ at q > 0: negative where there is none, NaN out of reach of any slope."""
    with np.errstate(all="ignore"):
        gap = _expectation(phi, _gap(phi), q)
        if phi.limits(0.0)[1]:
            gap = np.where(np.abs(gap) <= _ROUNDING * _expectation(phi, _gap_sizes(phi), q), 0.0, gap)
        bias: Array = gap / slope_moment(phi, q, 2)
    return bias


def squared_bias_size(phi: PiecewiseLinear, q: Array) -> Array:
    """The sum of the sizes of all terms that make `squared_bias`, of which a share is rounding."""
    with np.errstate(all="ignore"):
        size: Array = _expectation(phi, _gap_sizes(phi), q) / slope_moment(phi, q, 2)
    return size


@lru_cache(maxsize=256)
def _gap_bends(phi: PiecewiseLinear) -> tuple[Array, Array]:
    """Where the slope of G(x) + G(−x) changes on the half-line, and by how much."""
    pieces, lines = folded(phi), dict(_gap(phi).terms)
    changes = np.diff([lines.get(piece, {}).get(1, 0.0) for piece in pieces], prepend=0.0)
    bent = np.flatnonzero(changes)
    return np.array([piece.left for piece in pieces])[bent], changes[bent]


def _gap_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E G(√q z) at one block of q's, of shape (n,)."""
    root, (ends, changes) = np.sqrt(q), _gap_bends(phi)
    return 0.5 * changes @ density(ends[:, np.newaxis] / root) / root


def squared_bias_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """dσ_b²/dq: as E G changes by ½ Σ ΔG' p, p the density of √q z."""
    with np.errstate(all="ignore"):
        change = in_blocks(partial(_gap_d1, phi), phi, q)
        derivative: Array = (change - squared_bias(phi, q) * slope_square_d1(phi, q)) / slope_moment(phi, q, 2)
    return derivative


def squared_bias_at_infinity(phi: PiecewiseLinear) -> float:
    """The limit of σ_b² as q → ∞, −∞ and ∞ included."""
    last = folded(phi)[-1]
    line = dict(_gap(phi).terms).get(last, {})
    slopes = last.slopes[0] ** 2 + last.slopes[1] ** 2
    if line.get(1, 0.0):
        return math.copysign(math.inf, line[1])
    return line.get(0, 0.0) / slopes if slopes else math.inf
