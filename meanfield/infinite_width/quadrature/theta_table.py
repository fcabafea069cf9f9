"""C, C', C'' and the loss of C of a smooth φ at one variance, for very many correlations.

In θ = arccos |ρ| all are smooth down to θ = 0, for φ with breaks too, but for a power of θ where φ or φ' jumps. Panels
of [0, π/2] are halved until Chebyshev interpolation is exact to rounding. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev
from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.quadrature.graded_panels import edges as panel_edges
from meanfield.infinite_width.quadrature.poles import steps
from meanfield.infinite_width.quadrature.semigroup import losses, products

__all__ = ["ThetaTable", "loss_table", "product_table"]

Array = NDArray[np.float64]

#: Points on a panel, and how many of its last coefficients have to be at most this share of the scale.
_POINTS, _LAST, _RESOLVED = 24, 4, 4e-15
#: Coefficients fall where the last are less than this share of those in the middle. Below so much of the largest, or
#: where either half of a panel keeps this share of them, what does not fall is rounding.
_FALLS, _ROUNDING, _STAYS = 0.2, 2e-14, 0.3
_TINY = np.finfo(float).tiny
#: Below θ at the last double before ρ = 1. A rare break rules there alone, and each octave needs its own digits.
_LEAST = 1e-8
#: A panel is not halved below this width.
_NARROWEST = 1e-9
#: Points interpolated at a time: they stay in cache.
_BLOCK = 2**13


class _Panel:
    """The Chebyshev coefficients of two functions of θ on [low, high]: the size of the last, and whether they fall."""

    def __init__(self, functions: Callable[[Array], Array], low: float, high: float, floor: float) -> None:
        points, from_values = chebyshev(_POINTS)
        self.functions, self.low, self.high, self.floor = functions, low, high, floor
        self.coefficients = functions(low + (high - low) * points) @ from_values.T
        size = np.abs(self.coefficients)
        self.largest = max(float(size.max()), floor)
        self.last = float(size[:, -_LAST:].max())
        self.falls = bool(self.last < _FALLS * size[:, _POINTS // 2 : _POINTS // 2 + _LAST].max())
        share = self.last / max(self.largest, _TINY)
        self.resolved = share <= _RESOLVED or (not self.falls and share <= _ROUNDING) or high - low < _NARROWEST


def _resolved(panel: _Panel) -> Iterator[_Panel]:
    """The panel, or parts of it."""
    if panel.resolved:
        yield panel
        return
    middle = 0.5 * (panel.low + panel.high)
    ends = (panel.low, middle, panel.high)
    halves = [_Panel(panel.functions, low, high, panel.floor) for low, high in pairwise(ends)]
    # Rounding is as large in either half; what is not smooth is in one of them.
    if not panel.falls and all(not half.falls and half.last >= _STAYS * panel.last for half in halves):
        yield from halves
        return
    for half in halves:
        yield from _resolved(half)


class ThetaTable:
    """Two functions of θ in [0, π/2], by Chebyshev interpolation.

    `functions`, of θ of shape (n,), are (2, n). Errors are a few units in the last place of the largest on a panel, or
    of `floor` where that is larger.
    """

    def __init__(self, functions: Callable[[Array], Array], ends: list[float], floor: float = 0.0) -> None:
        done = [part for low, high in pairwise(ends) for part in _resolved(_Panel(functions, low, high, floor))]
        self._starts = np.array([panel.low for panel in done])
        self._scales = np.array([2 / (panel.high - panel.low) for panel in done])
        #: By degree, then by function and panel.
        coefficients = np.stack([panel.coefficients for panel in done], axis=2)
        self._coefficients = coefficients.transpose(1, 0, 2).reshape(_POINTS, -1).copy()

    def __call__(self, second: NDArray[np.bool_], theta: Array) -> Array:
        """The first or the second function, as `second` says, at θ; both of shape (n,)."""
        found = np.empty(theta.size)
        for start in range(0, theta.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            found[part] = self._interpolated(second[part], theta[part])
        return found

    def _interpolated(self, second: NDArray[np.bool_], theta: Array) -> Array:
        panel = np.searchsorted(self._starts, theta, side="right") - 1
        t = (theta - self._starts.take(panel)) * self._scales.take(panel) - 1
        panel += second * self._starts.size
        twice, after, last = 2 * t, np.zeros_like(t), np.zeros_like(t)
        for row in self._coefficients[:0:-1]:
            # Clenshaw's sum, in place.
            np.subtract(row.take(panel), last, out=last)
            last += twice * after
            after, last = last, after
        found: Array = self._coefficients[0].take(panel) + t * after - last
        return found


@lru_cache(maxsize=32)
def product_table(phi: Smooth, order: int, q: float) -> tuple[ThetaTable, int]:
    """C, C' or C'' at ±cos θ times a power of sin θ that makes them smooth, and the power."""
    at = steps(phi)
    power = (2 * order - 1 if at.jumping else 1 if order == 2 and at.bent else 0) if order else 0

    def functions(theta: Array) -> Array:
        half = np.sin(0.5 * theta)
        found: Array = products(phi, order, 2 * half * half, np.full_like(theta, q)) * np.sin(theta) ** power
        return found

    # Of C itself an absolute error is asked.
    floor = 0.0 if order else float(functions(np.array([1e-8]))[0, 0])
    return ThetaTable(functions, _octaves(phi, q, _LEAST if power else math.inf), floor), power


@lru_cache(maxsize=32)
def loss_table(phi: Smooth, q: float) -> tuple[ThetaTable, int]:
    """C(1) − C(cos θ) over a power of θ, and C(cos θ) − C(−cos θ), in one table; and the power."""
    power = 1 if steps(phi).jumping else 2

    def functions(theta: Array) -> Array:
        half = np.sin(0.5 * theta)
        kept, odd = losses(phi, 2 * half * half, np.full_like(theta, q))
        # By Poincaré's inequality the first is not small beside the second.
        return np.stack([kept / theta**power, odd])

    return ThetaTable(functions, _octaves(phi, q, _LEAST if power == 1 else math.inf)), power


def _octaves(phi: Smooth, q: float, least: float) -> list[float]:
    """Ends of panels that double away from 0, from where √q θ is below all lengths of φ and θ below `least`."""
    shortest = np.diff(panel_edges(phi, (math.frexp(q)[1] - 1) // 2)).min()
    count = max(1, math.ceil(math.log2(max(math.sqrt(q) / shortest, 0.5 * math.pi / least))))
    return [0.0, *(0.5 * math.pi * 2.0**-i for i in range(count, -1, -1))]
