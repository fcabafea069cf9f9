"""A smooth φ seen by variances so small that near 0 it is its tangent and little more.

On either side of 0, φ(x) = c + a x + r(x) and φ'(x) = a + s(x) with

    s(x) = x ∫₀¹ φ''(xt) dt,    r(x) = x² ∫₀¹ (1 − t) φ''(xt) dt,

which keep their digits however small x. What is made of c and a alone is integrated in closed form, so that V(q) − q,
σ_b² of the edge and the derivatives of V do not cancel as q → 0. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.typing import NDArray

from meanfield.activations.interpolation import chebyshev
from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.gaussian import legendre

__all__ = ["Origin", "Side", "origin"]

Array = NDArray[np.float64]

#: Nodes in t, and on every panel in z.
_NODES = 16
#: Panels in z end here: what is beyond has a density of 1e-37.
_ENDS = np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 13.0])
#: φ'' is a polynomial on [0, x] where its last coefficients, so many, are at most this share of the largest.
_LAST, _RESOLVED = 3, 1e-14
#: Nor is it one where it is another at these points. The largest radius tried, and how often it is halved.
_NEARER = 2.0 ** -np.arange(1, 60)
_WIDEST, _HALVED = 64.0, 200


@dataclass(frozen=True)
class Side:
    """φ on one side of 0, `sign` ±1: `value` c, `slope` a, and for arrays of x on this side s and r."""

    phi: Smooth
    sign: int

    @cached_property
    def tangent(self) -> tuple[float, float]:
        """c and a."""
        value, slope, _ = self.phi.jet(np.array([self.sign * 5e-324]))
        return float(value[0]), float(slope[0])

    def rest(self, x: Array) -> tuple[Array, Array]:
        """s and r at x."""
        t, weights = legendre(_NODES)
        bend = self.phi.jet(np.multiply.outer(x, t))[2]
        return x * (bend @ weights), x * x * (bend @ (weights * (1 - t)))


@dataclass(frozen=True)
class Origin:
    """φ on either side of 0, for variances up to `largest`."""

    sides: tuple[Side, Side]
    largest: float

    @property
    def squared_slopes(self) -> float:
        """E φ'² as q → 0."""
        return 0.5 * sum(side.tangent[1] ** 2 for side in self.sides)

    def average(self, integrand: Callable[[float, float, Array, Array, Array, Array], Array], q: Array) -> Array:
        """E of an integrand of c, a, s, r, x and z, at variances q of shape (n,)."""
        z, weights = _half_line()
        x = np.multiply.outer(np.sqrt(q), z)
        total = np.zeros(q.size)
        for side in self.sides:
            c, a = side.tangent
            s, r = side.rest(side.sign * x)
            total += integrand(c, a, s, r, side.sign * x, z) @ weights
        return total


@lru_cache(maxsize=1)
def _half_line() -> tuple[Array, Array]:
    """z > 0, and weights times the normal density there."""
    nodes, weights = legendre(_NODES)
    width = np.diff(_ENDS)[:, np.newaxis]
    z = (_ENDS[:-1, np.newaxis] + width * nodes).ravel()
    return z, (width * weights).ravel() * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


@lru_cache(maxsize=256)
def origin(phi: Smooth) -> Origin:
    """φ near 0; `largest` is 0 where φ'' is no polynomial however near."""
    sides, radius = (Side(phi, 1), Side(phi, -1)), min([_WIDEST, *(abs(t) for t in phi.breaks if t)])
    for _ in range(_HALVED):
        if all(_is_resolved(phi, side.sign * radius) for side in sides):
            return Origin(sides, (radius / _ENDS[-1]) ** 2)
        radius /= 2
    return Origin(sides, 0.0)


def _is_resolved(phi: Smooth, end: float) -> bool:
    """Whether φ'' is a polynomial on [0, end], also at points ever nearer to 0."""
    points, from_values = chebyshev(_NODES)
    bend, near = phi.jet(end * points)[2], phi.jet(end * _NEARER)[2]
    coefficients = from_values @ bend
    size = np.abs(coefficients).max()
    last = np.abs(coefficients[-_LAST:]).max()
    return bool(max(last, np.abs(chebval(2 * _NEARER - 1, coefficients) - near).max() / _LAST) <= _RESOLVED * size)
