"""C, C', C'' and the loss of C of a smooth φ at one variance, for very many correlations.

In θ = arccos |ρ| all are smooth down to θ = 0, for φ with breaks too, but for a power of θ where φ or φ' jumps. Panels
of [0, π/2] are halved until Chebyshev interpolation is exact to rounding. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
#: Coefficients that fall no longer, below this share, are rounding.
_ROUNDING, _FALLS = 2e-14, 0.2
#: The first panel ends where √q θ is so many octaves below the shortest panel of φ.
_ENOUGH = 0
#: A panel is not halved below this width.
_NARROWEST = 1e-9
#: Points interpolated at a time: they stay in cache.
_BLOCK = 2**13


class ThetaTable:
    """Two functions of θ in [0, π/2], by Chebyshev interpolation.

    `functions`, of θ of shape (n,), are (2, n). Errors are a few units in the last place of the largest on a panel.
    """

    def __init__(self, functions: Callable[[Array], Array], ends: list[float]) -> None:
        points, from_values = chebyshev(_POINTS)
        done, todo = list[tuple[float, float, Array]](), list(pairwise(ends))
        while todo:
            low, high = todo.pop()
            coefficients = functions(low + (high - low) * points) @ from_values.T
            size = np.abs(coefficients)
            last, middle = size[:, -_LAST:].max(), size[:, _POINTS // 2 : _POINTS // 2 + _LAST].max()
            largest = size.max()
            rounding = last <= _ROUNDING * largest and last >= _FALLS * middle
            if last <= _RESOLVED * largest or rounding or high - low < _NARROWEST:
                done.append((low, high, coefficients))
            else:
                todo += [(0.5 * (low + high), high), (low, 0.5 * (low + high))]
        done.sort(key=lambda panel: panel[0])
        self._starts = np.array([low for low, _, _ in done])
        self._scales = np.array([2 / (high - low) for low, high, _ in done])
        #: By degree, then by function and panel.
        self._coefficients = np.stack([c for _, _, c in done], axis=2).transpose(1, 0, 2).reshape(_POINTS, -1).copy()

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
        return products(phi, order, 2 * half * half, np.full_like(theta, q)) * np.sin(theta) ** power

    return ThetaTable(functions, _octaves(phi, q)), power


@lru_cache(maxsize=32)
def loss_table(phi: Smooth, q: float) -> tuple[ThetaTable, int]:
    """C(1) − C(cos θ) over a power of θ, and C(cos θ) − C(−cos θ), in one table; and the power."""
    power = 1 if steps(phi).jumping else 2

    def functions(theta: Array) -> Array:
        half = np.sin(0.5 * theta)
        kept, odd = losses(phi, 2 * half * half, np.full_like(theta, q))
        # By Poincaré's inequality the first is not small beside the second.
        return np.stack([kept / theta**power, odd])

    return ThetaTable(functions, _octaves(phi, q)), power


def _octaves(phi: Smooth, q: float) -> list[float]:
    """Ends of panels that double away from 0, from where √q θ is below all lengths of φ."""
    shortest = np.diff(panel_edges(phi, math.frexp(q)[1] - 1)).min()
    count = max(1, math.ceil(math.log2(math.sqrt(q) / shortest) + _ENOUGH))
    return [0.0, *(0.5 * math.pi * 2.0**-i for i in range(count, -1, -1))]
