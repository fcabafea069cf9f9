"""Hermite coefficients of powers of a smooth φ, by quadrature. docs/theory.md, sections 13 and 15."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.interpolation import octaves
from meanfield.infinite_width.quadrature.graded_panels import fine_octave

__all__ = ["PowerSeries", "ZeroSeries", "power", "vanishing"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PowerSeries:
    """φⁿ."""

    phi: Smooth
    n: int

    def coefficients(self, q: Array, count: int) -> Array:
        """f₀…f_(count−1) for variances q > 0 of shape (m,): shape (count, m)."""
        return np.stack([self._at(variance, count) for variance in q.tolist()], axis=1)

    def _at(self, q: float, count: int) -> Array:
        x, weights = fine_octave(self.phi, int(octaves(np.asarray(q))))
        z = x / math.sqrt(q)
        density = weights * np.exp(-0.5 * z * z) / math.sqrt(q)
        right, left = (density * self.phi.values(side) ** self.n for side in (x, -x))
        even, odd = right + left, right - left
        found, before, here = np.empty(count), np.zeros_like(z), np.ones_like(z)
        for n in range(count):
            found[n] = here @ (odd if n % 2 else even)
            before, here = here, (z * here - math.sqrt(n) * before) / math.sqrt(n + 1)
        return found


@dataclass(frozen=True)
class ZeroSeries:
    """1 where φ is exactly zero, 0 elsewhere."""

    phi: Smooth

    def coefficients(self, q: Array, count: int) -> Array:
        """f₀…f_(count−1) for variances q > 0 of shape (m,): shape (count, m)."""
        ends, found = (-np.inf, *self.phi.breaks, np.inf), np.zeros((count, len(q)))
        for j in self.phi.zero_pieces:
            found += _integrals(ends[j] / np.sqrt(q), count) - _integrals(ends[j + 1] / np.sqrt(q), count)
        return found


def _integrals(h: Array, count: int) -> Array:
    """∫_h^∞ heₙϕ, shape (count, m): heₙ₋₁(h)ϕ(h)/√n, for (heₙ₋₁ϕ)' = −√n heₙϕ."""
    from scipy.special import ndtr

    finite = np.isfinite(h)
    h0 = np.where(finite, h, 0.0)
    density = np.where(finite, np.exp(-0.5 * h0 * h0) / math.sqrt(2 * math.pi), 0.0)
    rows, before, here = [ndtr(-h)], np.zeros_like(h0), np.ones_like(h0)
    for n in range(1, count):
        rows.append(here * density / math.sqrt(n))
        before, here = here, (h0 * here - math.sqrt(n - 1) * before) / math.sqrt(n)
    return np.array(rows)


def power(phi: Smooth, n: int) -> PowerSeries:
    """φⁿ."""
    return PowerSeries(phi, n)


def vanishing(phi: Smooth) -> ZeroSeries:
    """1 where φ is exactly zero, 0 elsewhere."""
    return ZeroSeries(phi)
