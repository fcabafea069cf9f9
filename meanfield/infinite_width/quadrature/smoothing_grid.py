"""φ on panels of y, and what is left of it when its argument is a normal variable: E φ(x + bz), Var φ(x + bz).

Panels are short beside b and beside the lengths of φ, so that φ times the normal density is integrated to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache, cached_property

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.gaussian import density, legendre
from meanfield.infinite_width.quadrature.poles import steps

__all__ = ["NODES", "REACH", "SmoothingGrid", "both_sides"]

Array = NDArray[np.float64]

#: Nodes on a panel.
NODES = 16
#: Standard deviations beyond which a normal variable has no weight beside rounding: P(z > 8.5) = 1e-17.
REACH = 8.5
#: Densities worked through at a time; beyond so many, rows are taken together by this many.
_BLOCK, _ROWS = 2**17, 64
_LARGEST = 1e150
_EPS = float(np.finfo(float).eps)


def both_sides(phi: Smooth, y: Array) -> Array:
    """φ, φ' and φ'' at y and at −y: shape (3, 2, *y.shape)."""
    both = np.stack([phi.jet(y), phi.jet(-y)], axis=1)
    # What is beyond the doubles far out has no weight there.
    return np.clip(np.nan_to_num(both, nan=0.0), -_LARGEST, _LARGEST)


class SmoothingGrid:
    """Nodes on panels of y − `anchor`, with ends `edges` (n + 1,): beside it, distances keep their digits.

    What is further from x than `reach` b need not be counted.
    """

    def __init__(self, phi: Smooth, edges: Array, anchor: float, reach: float) -> None:
        nodes, weights = legendre(NODES)
        width = np.diff(edges)[:, np.newaxis]
        self._phi, self._edges, self._anchor, self._reach = phi, edges, anchor, reach
        self._y = (edges[:-1, np.newaxis] + width * nodes).ravel()
        self._weights = (width * weights).ravel()
        self._jets = both_sides(phi, anchor + self._y)

    def means(self, x: Array, b: float, order: int) -> Array:
        """E φ⁽ⁿ⁾(±(anchor + x) + bz), n = `order`, for x (m,), ascending: shape (2, m). Steps of φ are counted too."""
        found = np.empty((2, x.size))
        for rows, columns in self._parts(x, b):
            found[:, rows] = self._jets[order][:, columns] @ self._kernel(x[rows], b, columns).T
        if not order:
            return found
        for side, masses in enumerate(self._masses):
            for place, jump, kink in masses:
                z = (place - x) / b
                # Mirrored, φ' is asked at −y: with respect to y its jump has the other sign.
                mass = kink + jump * z / b if order == 2 else (-jump if side else jump)
                found[side] += mass * density(z) / b
        return found

    def means_and_variances(self, x: Array, b: float) -> tuple[Array, Array]:
        """E φ(±(anchor + x) + bz), and Var, with digits of its own: (2, m) each."""
        means, variances = np.empty((2, x.size)), np.empty((2, x.size))
        for rows, columns in self._parts(x, b):
            kernel, points = self._kernel(x[rows], b, columns), x[rows]
            means[:, rows] = self._jets[0][:, columns] @ kernel.T
            found = variances[:, rows]
            for start in range(0, points.size, _ROWS):
                some = slice(start, start + _ROWS)
                # Less the value in their midst: what is left is no larger than φ varies within reach.
                middle = int(np.searchsorted(self._y, points[some].mean()))
                values = self._changes[:, columns] - self._changes[:, [min(middle, self._y.size - 1)]]
                moments = kernel[some] @ np.concatenate([values, values * values]).T
                total = kernel[some].sum(axis=1)[:, np.newaxis]
                found[:, some] = (moments[:, 2:] / total - (moments[:, :2] / total) ** 2).T
        return means, variances

    def _parts(self, x: Array, b: float) -> Iterator[tuple[slice, slice]]:
        if x.size * self._y.size <= _BLOCK:
            yield slice(None), slice(None)
            return
        for start in range(0, x.size, _ROWS):
            rows = slice(start, start + _ROWS)
            low, high = x[rows][0] - self._reach * b, x[rows][-1] + self._reach * b
            # A panel more, lest none is left.
            first, last = np.searchsorted(self._y, [low, high]).tolist()
            yield rows, slice(max(0, first - NODES), last + NODES)

    def _kernel(self, x: Array, b: float, columns: slice) -> Array:
        z = np.subtract.outer(x / b, self._y[columns] / b)
        np.multiply(z, z, out=z)
        z *= -0.5
        np.exp(z, out=z)
        z *= self._weights[columns] / (b * math.sqrt(2 * math.pi))
        return z

    @cached_property
    def _masses(self) -> tuple[list[tuple[float, float, float]], ...]:
        """Where φ(y), and φ(−y), step beside the anchor, by how much, and by how much their slopes do."""
        at = steps(self._phi)
        sides = []
        for sign in (1, -1):
            places = sign * at.places - self._anchor
            near = (places >= self._edges[0]) & (places <= self._edges[-1]) & ((at.jumps != 0) | (at.kinks != 0))
            heights = zip(places[near], sign * at.jumps[near], at.kinks[near], strict=True)
            sides.append([(float(t), float(jump), float(kink)) for t, jump, kink in heights])
        return tuple(sides)

    @cached_property
    def _changes(self) -> Array:
        """φ(y) and φ(−y) less constants, (2, n): differences of what is close by are right to their last digits."""
        _, weights = legendre(NODES)
        width = np.diff(self._edges)[:, np.newaxis]
        signs = np.array([1.0, -1.0])[:, np.newaxis, np.newaxis]
        values, slopes = (part.reshape(2, -1, NODES) for part in self._jets[:2])
        slopes = signs * slopes
        integral, last = _integration()
        within = width * (slopes @ integral.T)
        # Where φ' is no polynomial to rounding, φ varies enough for its values to be subtracted.
        rough = width[:, 0] * np.abs(slopes @ last.T).max(axis=2) > _EPS * np.abs(values).max(axis=2)
        subtracted = within[:, :, :1] + values - values[:, :, :1]
        within = np.where(rough[:, :, np.newaxis], subtracted, within)
        increments = width[:, 0] * (slopes @ weights)
        for side, masses in enumerate(self._masses):
            for place, jump, _ in masses:
                panel = int(np.searchsorted(self._edges, place))
                if 0 < panel < len(self._edges) - 1 and jump:
                    increments[side, panel - 1] += jump
        before = np.concatenate([np.zeros((2, 1)), np.cumsum(increments, axis=1)[:, :-1]], axis=1)
        changes: Array = (before[:, :, np.newaxis] + within).reshape(2, -1)
        return changes


@cache
def _integration() -> tuple[Array, Array]:
    """Of values at the nodes on [0, 1]: integrals up to each node (n, n), and the last two Legendre coefficients."""
    nodes, weights = legendre(NODES)
    degrees = np.arange(NODES)
    polynomials = legvander(2 * nodes - 1, NODES)
    coefficients = (2 * degrees + 1)[:, np.newaxis] * weights * polynomials[:, :NODES].T
    below = np.concatenate([-np.ones((NODES, 1)), polynomials[:, : NODES - 1]], axis=1)
    integrals = (polynomials[:, 1:] - below) / (2 * (2 * degrees + 1))
    return integrals @ coefficients, coefficients[-2:]
