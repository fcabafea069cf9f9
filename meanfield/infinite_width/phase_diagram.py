"""What networks do over a grid of initialisations (σ_w, σ_b).

All of them share E φ² and its derivatives. For each σ_w the turning points of V(q) − q, which σ_b does not move, join a
scan over q; the fixed points between points of opposite sign are then solved for exactly, all networks at once.
docs/theory.md, section 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import MOST_NETWORKS, require_cells, require_signal
from meanfield.infinite_width.criteria import phases
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.fixed_points import fixed_points, variance_grid
from meanfield.infinite_width.mean_field import MeanField, layer_map
from meanfield.infinite_width.moments import second_moment, second_moment_d1, second_moment_d2
from meanfield.infinite_width.operating_point import FAR
from meanfield.infinite_width.roots import ZERO, bracketed, find_roots
from meanfield.tables.records import Record, row_records
from meanfield.tables.shown import ShownRows

__all__ = ["PhaseDiagram", "phase_diagram"]

Array = NDArray[np.float64]

#: Networks of one σ_w that are scanned at once.
_BLOCK = 1000


@dataclass(frozen=True, eq=False, repr=False)
class PhaseDiagram(ShownRows):
    """Networks with each pair of scales: entry [i, j] of the arrays is that of `sigma_b[i]` and `sigma_w[j]`.

    Attributes:
        fixed_points: how many V has.
        q_star: the one towards which V moves the variance asked for; ∞ if there is none.
        phase: ordered, edge of chaos or chaotic, by `chi_1`.
        chi_1: χ₁(q*).
        rho_star: where the correlation of two inputs settles at q*; NaN if q* is 0 or ∞.
        xi_c: layers over which it comes nearer by a factor e, ∞ on the edge of chaos; NaN likewise.
    """

    sigma_w: Array
    sigma_b: Array
    fixed_points: NDArray[np.int_]
    q_star: Array
    phase: NDArray[np.str_]
    chi_1: Array
    rho_star: Array
    xi_c: Array

    paper = ("sigma_w", "sigma_b", "phase", "q_star", "chi_1", "xi_c")

    def records(self) -> list[Record]:
        """A row for every network, σ_w running first; what is NaN is None."""
        sigma_w, sigma_b = np.meshgrid(self.sigma_w, self.sigma_b)
        keys = ("phase", "fixed_points", "q_star", "chi_1", "rho_star", "xi_c")
        cells = {"sigma_w": sigma_w, "sigma_b": sigma_b} | {key: getattr(self, key) for key in keys}
        return row_records({key: array.ravel() for key, array in cells.items()})


def phase_diagram(
    activation: PiecewiseLinear, sigma_w: Sequence[float], sigma_b: Sequence[float], start: float = 1.0
) -> PhaseDiagram:
    """The network with each σ_w > 0 and σ_b ≥ 0, judged where a signal of variance `start` settles.

    Raises:
        DomainError: a scale out of range, or `start` not a finite number > 0.
    """
    require_signal(start, "q0")
    require_cells("pairs of sigma_w and sigma_b", len(sigma_w) * len(sigma_b), MOST_NETWORKS)
    networks = [[MeanField(activation, w, b) for w in sigma_w] for b in sigma_b]
    weights, biases = np.square(np.asarray(sigma_w, dtype=float)), np.square(np.asarray(sigma_b, dtype=float))
    rows, columns, roots, marginal = _fixed_points(activation, weights, biases)
    shape = (biases.size, weights.size)
    # Without biases, and with φ(0) = 0, there is one at 0, where the scan does not look.
    count = np.where(layer_map(second_moment(activation, 0.0), weights, biases[:, None]) == 0, 1, 0)
    below, above = np.where(count > 0, 0.0, np.nan), np.full(shape, np.inf)
    np.add.at(count, (rows, columns), 1)
    lower = roots <= start
    np.fmax.at(below, (rows[lower], columns[lower]), roots[lower])
    np.fmin.at(above, (rows[~lower], columns[~lower]), roots[~lower])
    with np.errstate(over="ignore"):
        growth = layer_map(second_moment(activation, start), weights, biases[:, None]) - start
    q_star = np.where(growth > 0, above, below)
    q_star[np.abs(growth) <= ZERO * start] = start
    # Below the scan, too, is too little to be told from 0 without looking closely.
    for i, j in {*marginal, *((int(i), int(j)) for i, j in np.argwhere(np.isnan(q_star)))}:
        points = fixed_points(networks[i][j])
        count[i, j] = len(points)
        q_star[i, j] = _reached([(p.q, p.until) for p in points], float(growth[i, j]), start)
    found = _judged(activation, weights, biases, count, q_star)
    # As given, not as the roots of their squares.
    return replace(found, sigma_w=np.asarray(sigma_w, dtype=float), sigma_b=np.asarray(sigma_b, dtype=float))


def _fixed_points(
    phi: PiecewiseLinear, weights: Array, biases: Array
) -> tuple[NDArray[np.int_], NDArray[np.int_], Array, list[tuple[int, int]]]:
    """Row, column and place of every fixed point q > 0; and the networks in which V(q) − q vanishes without a sign."""
    grid = variance_grid(phi)[1:]
    rows, columns, lows, highs = [], [], [], []
    marginal: list[tuple[int, int]] = []
    for j, weight in enumerate(weights):
        x = np.unique([*grid, *_turning_points(phi, float(weight), grid)])
        square = second_moment(phi, x)
        for first in range(0, biases.size, _BLOCK):
            with np.errstate(over="ignore"):
                after = layer_map(square, weight, biases[first : first + _BLOCK, None])
            growth = after - x
            signs = np.where(np.abs(growth) <= ZERO * np.maximum(after, x), 0, np.sign(growth))
            i, k = np.nonzero(signs[:, :-1] * signs[:, 1:] < 0)
            flat = (signs == 0).any(axis=1)
            marginal += [(first + int(row), j) for row in np.flatnonzero(flat)]
            known = ~flat[i]
            rows.append(first + i[known])
            columns.append(np.full(known.sum(), j))
            lows.append(x[k[known]])
            highs.append(x[k[known] + 1])
    row, column = np.concatenate(rows), np.concatenate(columns)
    roots = bracketed(
        lambda q, weight, bias: layer_map(second_moment(phi, q), weight, bias) - q,
        np.concatenate(lows),
        np.concatenate(highs),
        weights[column],
        biases[row],
    )
    return row, column, roots, marginal


def _turning_points(phi: PiecewiseLinear, weight: float, grid: Array) -> list[float]:
    """Where V'(q) = 1, whatever σ_b."""

    def slope(q: Array) -> Array:
        with np.errstate(over="ignore"):
            return weight * second_moment_d1(phi, q) - 1

    def curvature(q: Array) -> Array:
        with np.errstate(over="ignore"):
            return weight * second_moment_d2(phi, q)

    return [turn.x for turn in find_roots([slope, curvature], grid, np.ones_like)]


def _reached(points: Sequence[tuple[float, float]], growth: float, start: float) -> float:
    """Towards which of the fixed points, intervals (low, high) with low = high for a point, V moves `start`."""
    if any(low <= start <= high for low, high in points) or abs(growth) <= ZERO * start:
        return start
    if growth > 0:
        return min((low for low, _ in points if low > start), default=math.inf)
    return max((high for _, high in points if high < start), default=0.0)


def _judged(
    phi: PiecewiseLinear, weights: Array, biases: Array, count: NDArray[np.int_], q_star: Array
) -> PhaseDiagram:
    shape = q_star.shape
    by_cell = np.broadcast_to(weights, shape)
    unit = MeanField(phi, 1.0)
    gain = by_cell * unit.chi1(np.minimum(q_star, FAR))
    rho, depth = np.full(shape, np.nan), np.full(shape, np.nan)
    signal = (q_star > 0) & (q_star < np.inf)
    rho[signal], depth[signal] = correlation_depth(phi, by_cell[signal], q_star[signal])
    return PhaseDiagram(np.sqrt(weights), np.sqrt(biases), count, q_star, phases(gain), gain, rho, depth)
