"""The law of φ(√q z)² for a smooth φ: flat pieces as they are, the others in short cells on which φ² is linear.

docs/theory.md, sections 12 and 15.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.quadrature.moments import piece_share

__all__ = ["flat_squares", "sloping_squares_below"]

Array = NDArray[np.float64]

#: Cells on a standard deviation, and how many of these there are on either side.
_CELLS, _REACH = 256, 8.5


def flat_squares(phi: Smooth, q: Array) -> tuple[Array, Array]:
    """φ² on the flat pieces, and how likely it is."""
    levels = dict[float, Array]()
    for j in sorted(phi.flat_pieces):
        value = float(phi.pieces[j].values(np.zeros(1))[0])
        levels[value**2] = levels.get(value**2, 0.0) + piece_share(phi, j, q)
    return np.array(list(levels)), np.array(list(levels.values())).reshape(len(levels), len(q))


def sloping_squares_below(phi: Smooth, q: Array, y: Array) -> Array:
    """P(√q z lies on a piece that is not flat, and φ² ≤ y)."""
    from scipy.special import ndtr

    z = np.linspace(-_REACH, _REACH, 1 + round(2 * _REACH * _CELLS))
    x = np.sqrt(q)[:, np.newaxis] * (z[1:] + z[:-1]) / 2
    half = np.sqrt(q)[:, np.newaxis] * (z[1] - z[0]) / 2
    piece = np.searchsorted(phi.breaks, x, side="right")
    flat = np.isin(piece, list(phi.flat_pieces))
    value, slope = phi.with_slopes(x.ravel())
    value, reach = value.reshape(x.shape), np.abs(slope.reshape(x.shape)) * half
    # φ is a line across a cell: its square from the least to the largest |φ| on it.
    size = np.abs(value)
    low, high = np.square(np.maximum(size - reach, 0.0)), np.square(size + reach)
    mass = np.where(flat, 0.0, np.diff(ndtr(z)))
    step = (y[:, 1] - y[:, 0])[:, np.newaxis]
    return _below((low - y[:, :1]) / step, (high - y[:, :1]) / step, mass, y.shape[1])


def _below(low: Array, high: Array, mass: Array, count: int) -> Array:
    """Σ mass·(share of [low, high] below k), for k = 0 … count − 1, along every row: shape (n, count)."""
    rows = len(low)
    low, high = np.clip(low, -1.0, count), np.clip(high, -1.0, count)
    first, last = np.ceil(low), np.floor(high)
    length = high - low
    density = np.divide(mass, length, out=np.zeros_like(mass), where=length > 0)
    inside = (last >= first) & (length > 0)
    # What a step adds: at the first k in the interval, at every further one, and behind the last.
    size = count + 3
    row = np.arange(rows)[:, np.newaxis] * size

    def summed(at: Array, weights: Array) -> Array:
        at_step = (row + at.astype(int) + 1).ravel()
        return np.bincount(at_step, weights.ravel(), rows * size).astype(float).reshape(rows, size)

    steps = summed(first, np.where(inside, density * (first - low), mass))
    steps += summed(last + 1, np.where(inside, mass - density * (last - low), 0.0))
    further = np.where(inside, density, 0.0)
    steps += np.cumsum(summed(first + 1, further) - summed(last + 1, further), axis=1)
    below: Array = np.cumsum(steps, axis=1)[:, 1 : count + 1]
    return below
