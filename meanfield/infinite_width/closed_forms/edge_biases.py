"""The biases of the edge of chaos: E G(√q z), G(x) = x∫₀ˣφ'² − φ(x)², by folded pieces, at one block of q's.

G is continuous and piecewise linear, with G(0) = −φ(0)² and, for x > 0,

    G'(x) = ∫₀ˣ (φ'(s) − φ'(x))² ds − 2φ(0)φ'(x),

and likewise for x < 0. If φ(0) = 0 it is nowhere negative (Cauchy and Schwarz), and 0 throughout only for a homogeneous
φ. Hard tanh has G = max(|x| − 1, 0), and ReLU6 6 max(x − 6, 0). docs/theory.md, section 6.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.closed_forms.folded import Integrands, expectation, folded, nonzero
from meanfield.infinite_width.gaussian import density

__all__ = ["gap", "gap_d1", "gap_size", "squared_bias_at_infinity"]

Array = NDArray[np.float64]


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


def gap(phi: PiecewiseLinear, q: Array) -> Array:
    """E G."""
    return expectation(_gap(phi), q, 1)


def gap_size(phi: PiecewiseLinear, q: Array) -> Array:
    """The sum of the sizes of all terms that make E G, of which a share is rounding."""
    return expectation(_gap_sizes(phi), q, 1)


@lru_cache(maxsize=256)
def _gap_bends(phi: PiecewiseLinear) -> tuple[Array, Array]:
    """Where the slope of G(x) + G(−x) changes on the half-line, and by how much."""
    pieces, lines = folded(phi), dict(_gap(phi).terms)
    changes = np.diff([lines.get(piece, {}).get(1, 0.0) for piece in pieces], prepend=0.0)
    bent = np.flatnonzero(changes)
    return np.array([piece.left for piece in pieces])[bent], changes[bent]


def gap_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """d/dq E G = ½ Σ ΔG' p, p the density of √q z."""
    root, (ends, changes) = np.sqrt(q), _gap_bends(phi)
    derivative: Array = 0.5 * changes @ density(ends[:, np.newaxis] / root) / root
    return derivative


def squared_bias_at_infinity(phi: PiecewiseLinear) -> float:
    """The limit of σ_b² as q → ∞, −∞ and ∞ included."""
    last = folded(phi)[-1]
    line = dict(_gap(phi).terms).get(last, {})
    slopes = last.slopes[0] ** 2 + last.slopes[1] ** 2
    if line.get(1, 0.0):
        return math.copysign(math.inf, line[1])
    return line.get(0, 0.0) / slopes if slopes else math.inf
