"""C and its derivatives at ±ρ from the Gaussian that two inputs share.

With r = |ρ|, a² = qr, b² = q(1 − r) and independent normal variables, u = a g + b z₁ and v = ±a g + b z₂, so that

    C⁽ⁿ⁾(±r) = qⁿ E ψₙ(ag) ψₙ(±ag),    C(1) − C(r) = E Var(φ(ag + bz) | g),    ψₙ(x) = E φ⁽ⁿ⁾(x + bz),

sums of squares at ρ > 0. Points x = ag are laid once for all b within a factor √2: where φ breaks, or has lengths
shorter than b, close beside b; elsewhere on the panels of φ itself. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.polynomial.hermite_e import hermevander
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.gaussian import density, legendre
from meanfield.infinite_width.quadrature.graded_panels import edges as panel_edges
from meanfield.infinite_width.quadrature.smoothing_grid import NODES, REACH, SmoothingGrid, both_sides

__all__ = ["losses", "products"]

Array = NDArray[np.float64]

#: b grows by this factor while points stay the same.
_BUCKET = math.sqrt(2)
#: A panel of φ is narrow beside b if it is at most so many b wide.
_NARROW = 6.0
#: Panels in units of b, where φ is smoothed.
_FINE = 2.5
#: Steps of the trapezoidal rule in z where φ is analytic for |z| < REACH, and in g where b > a.
_STEP_Z, _STEP_G = 0.5, 0.37
#: Hermite coefficients of φ' that make its variance there.
_HERMITE = 32
_FACTORIALS = 1 / np.cumprod(np.arange(1.0, _HERMITE + 1))


class _Apart:
    """Points where b > a: x = ag, equal steps in g."""

    def __init__(self, phi: Smooth, k: int) -> None:
        edges = panel_edges(phi, k // 2)
        self._furthest = float(edges[-1])
        self._grid = SmoothingGrid(phi, np.concatenate([-edges[:0:-1], edges]), 0.0, np.inf)

    def means(self, a: float, b: float, order: int) -> Array:
        """ψₙ(±x), shape (2, m)."""
        return self._grid.means(a * self._g(a, b), b, order)

    def means_and_variances(self, a: float, b: float) -> tuple[Array, Array]:
        """ψ₀(±x) and Var φ(±x + bz), shape (2, m) each."""
        return self._grid.means_and_variances(a * self._g(a, b), b)

    def weights(self, a: float, b: float) -> Array:
        """Of the points on one half-line, (m,)."""
        g = self._g(a, b)
        weights: Array = np.where(g > 0, _STEP_G, 0.5 * _STEP_G) * density(g)
        return weights

    def _g(self, a: float, b: float) -> Array:
        last = max(REACH, self._furthest / math.hypot(a, b))
        g: Array = _STEP_G * np.arange(1.0 + math.ceil(last / _STEP_G))
        return g


class _Close:
    """Points where b ≤ a, b from `least` to √2 `least`: zones where φ is not smooth beside b, and what is between."""

    def __init__(self, phi: Smooth, k: int, least: float) -> None:
        edges, sd, most = panel_edges(phi, k // 2), 2.0 ** (0.5 * k), _BUCKET * least
        furthest = float(edges[-1])
        # A growing φ, or one that is 0 but for rare events, weighs z beyond the reach of the density alone.
        reach = REACH + max(0.0, furthest / sd - REACH) * min(1.0, least / sd)
        # Of a φ that is 0 far out something is left where E φ(x + bz) is not.
        last = max(furthest, REACH * _BUCKET * sd)
        both = np.concatenate([-edges[:0:-1], edges])
        breaks = {abs(t) for t in phi.breaks if abs(t) < furthest}
        self._zones: list[tuple[Array, SmoothingGrid]] = []
        points, starts, stops = [], [], [0.0]
        for anchor, low, high in _rough_zones(edges, breaks, least, reach * most):
            start, stop = max(low, -anchor), min(high, last - anchor)
            beside, weights = _on_panels(np.linspace(start, stop, 1 + math.ceil((stop - start) / (_FINE * least))))
            fine = _split(both - anchor, start - reach * most, stop + reach * most, _FINE * least)
            self._zones.append((beside, SmoothingGrid(phi, fine, anchor, reach)))
            points.append((anchor + beside, weights))
            starts.append(anchor + start)
            stops.append(anchor + stop)
        gaps = [
            _on_panels(np.concatenate([[low], edges[(edges > low) & (edges < high)], [high]]))
            for low, high in zip(stops, [*starts, furthest], strict=True)
            if high > low
        ]
        points += gaps
        self._squares, self._weights = (np.concatenate([part[i] for part in points]) for i in (0, 1))
        self._squares *= self._squares
        quiet = np.concatenate([np.zeros(0), *(x for x, _ in gaps)])
        count = math.ceil(reach * _BUCKET / _STEP_Z)
        self._steps = least * _STEP_Z * np.arange(-count, count + 1)
        self._jets = both_sides(phi, np.add.outer(quiet, self._steps))

    def means(self, a: float, b: float, order: int) -> Array:
        """ψₙ(±x), shape (2, m)."""
        quiet = self._jets[order] @ self._normal(b)
        return np.concatenate([*(grid.means(x, b, order) for x, grid in self._zones), quiet], axis=1)

    def means_and_variances(self, a: float, b: float) -> tuple[Array, Array]:
        """ψ₀(±x) and Var φ(±x + bz), shape (2, m) each."""
        normal = self._normal(b)
        # Σ (E φ' Heₖ)² b²/(k + 1)!, in which nothing is subtracted.
        polynomials = hermevander(self._steps / b, _HERMITE - 1) * normal[:, np.newaxis]
        quiet = self._jets[0] @ normal, b * b * ((self._jets[1] @ polynomials) ** 2 @ _FACTORIALS)
        zones = [grid.means_and_variances(x, b) for x, grid in self._zones]
        means, variances = (np.concatenate(parts, axis=1) for parts in zip(*zones, quiet, strict=True))
        return means, variances

    def weights(self, a: float, b: float) -> Array:
        """Of the points on one half-line, (m,)."""
        weights: Array = self._weights * np.exp(-0.5 * self._squares / (a * a)) / (a * math.sqrt(2 * math.pi))
        return weights

    def _normal(self, b: float) -> Array:
        weights = density(self._steps / b)
        normal: Array = weights / weights.sum()
        return normal


def _rough_zones(edges: Array, breaks: set[float], least: float, margin: float) -> list[tuple[float, float, float]]:
    """Where |x| is so close to a break or to a narrow panel that φ(x + bz) is not smooth: (anchor, low, high).

    Both ends are distances from the anchor. Zones are ascending and apart.
    """
    narrow = np.nonzero(np.diff(edges) < _NARROW * least)[0]
    rough = sorted([*zip(edges[narrow].tolist(), edges[narrow + 1].tolist(), strict=True), *((t, t) for t in breaks)])
    zones = list[tuple[float, float, float]]()
    for low, high in rough:
        if zones and low - zones[-1][0] - margin <= zones[-1][2]:
            anchor, start, stop = zones[-1]
            zones[-1] = anchor, start, max(stop, high - anchor + margin)
        else:
            zones.append((low, -margin, high - low + margin))
    return zones


def _on_panels(ends: Array) -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Legendre panels."""
    nodes, weights = legendre(NODES)
    width = np.diff(ends)[:, np.newaxis]
    return (ends[:-1, np.newaxis] + width * nodes).ravel(), (width * weights).ravel()


def _split(edges: Array, low: float, high: float, widest: float) -> Array:
    """The edges between low and high, and more where two of them are further apart than `widest`."""
    low, high = max(low, float(edges[0])), min(high, float(edges[-1]))
    ends = np.concatenate([[low], edges[(edges > low) & (edges < high)], [high]])
    pieces = np.ceil(np.diff(ends) / widest).astype(int)
    which = np.repeat(np.arange(pieces.size), pieces)
    within = np.arange(which.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    inner = ends[which] + (ends[which + 1] - ends[which]) * (within / pieces[which])
    return np.append(inner, high)


@lru_cache(maxsize=16)
def _apart(phi: Smooth, k: int) -> _Apart:
    return _Apart(phi, k)


@lru_cache(maxsize=16)
def _close(phi: Smooth, k: int, j: int) -> _Close:
    return _Close(phi, k, 2.0 ** (0.5 * (k - j)))


def products(phi: Smooth, order: int, eps: Array, q: Array) -> Array:
    """C, C' or C'' at ρ = 1 − ε and at ρ = ε − 1, shape (2, n), for 0 < ε ≤ 1 and q of shape (n,)."""
    found = np.empty((2, eps.size))
    for i, points, a, b in _at(phi, eps, q):
        smoothed, weights = points.means(a, b, order), points.weights(a, b)
        found[0, i] = weights @ (smoothed[0] ** 2 + smoothed[1] ** 2)
        found[1, i] = 2 * (weights @ (smoothed[0] * smoothed[1]))
    return found * q**order


def losses(phi: Smooth, eps: Array, q: Array) -> Array:
    """C(1) − C(1 − ε), and C(1 − ε) − C(ε − 1), which is of the odd part of φ: shape (2, n), for 0 < ε ≤ 1."""
    found = np.empty((2, eps.size))
    for i, points, a, b in _at(phi, eps, q):
        weights, (smoothed, variances) = points.weights(a, b), points.means_and_variances(a, b)
        found[0, i] = weights @ variances.sum(axis=0)
        found[1, i] = weights @ (smoothed[0] - smoothed[1]) ** 2
    return found


def _at(phi: Smooth, eps: Array, q: Array) -> Iterator[tuple[int, _Apart | _Close, float, float]]:
    """Each index with its points, a and b; those with the same points follow each other."""
    ks = np.frexp(q)[1] - 1
    b = np.sqrt(q * eps)
    # b = √(2^k) is the largest where b ≤ a.
    js = np.where(eps > 0.5, -1, np.maximum(0, np.ceil(ks - 2 * np.log2(b)))).astype(int)
    for i in np.lexsort([js, ks]).tolist():
        k, j = int(ks[i]), int(js[i])
        points = _apart(phi, k) if j < 0 else _close(phi, k, j)
        yield i, points, math.sqrt(q[i] * (1 - eps[i])), float(b[i])
