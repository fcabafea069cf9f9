"""Hermite coefficients of φⁿ and of where φ vanishes, under a Gaussian.

With z standard normal and heₙ = Heₙ/√n! the orthonormal polynomials of Hermite,

    fₙ(q) = E f(√q z) heₙ(z),   E f(u) g(v) = Σₙ fₙ(q_u) gₙ(q_v) ρⁿ

for jointly Gaussian u, v of correlation ρ. docs/theory.md, section 13.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.rooms import room

__all__ = ["HermiteSeries", "power", "vanishing"]

Array = NDArray[np.float64]


class HermiteSeries(Protocol):
    """A function of φ that is expanded."""

    def coefficients(self, q: Array, count: int) -> Array:
        """f₀…f_(count−1), 4 ≤ count ≤ 150, for variances q > 0 of shape (m,): shape (count, m)."""
        ...


def power(phi: Activation, n: int) -> HermiteSeries:
    """φⁿ, n ≤ 3."""
    series: HermiteSeries = room("hermite", phi).power(phi, n)
    return series


def vanishing(phi: Activation) -> HermiteSeries:
    """1 where φ is exactly zero, 0 elsewhere."""
    series: HermiteSeries = room("hermite", phi).vanishing(phi)
    return series
