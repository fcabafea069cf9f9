"""What networks do over a grid of initialisations (σ_w, σ_b).

Where a signal settles in each is solved for all of them at once, as `settling.py` tells; fixed points are counted on
the same scan. docs/theory.md, section 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.domain import MOST_NETWORKS, require_cells, require_signal
from meanfield.infinite_width.criteria import MARGIN, phases
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.fixed_points import variance_grid
from meanfield.infinite_width.mean_field import MeanField, layer_map
from meanfield.infinite_width.moments import second_moment, second_moment_d1
from meanfield.infinite_width.operating_point import operating_point_of
from meanfield.infinite_width.roots import ZERO
from meanfield.infinite_width.settling import gain, settled, turning_points
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
    activation: Activation, sigma_w: Sequence[float], sigma_b: Sequence[float], start: float = 1.0
) -> PhaseDiagram:
    """The network with each σ_w > 0 and σ_b ≥ 0, judged where a signal of variance `start` settles.

    Raises:
        DomainError: a scale out of range, or `start` not a finite number > 0.
    """
    require_signal(start, "q0")
    require_cells("pairs of sigma_w and sigma_b", len(sigma_w) * len(sigma_b), MOST_NETWORKS)
    networks = [[MeanField(activation, w, b) for w in sigma_w] for b in sigma_b]
    w, b = np.asarray(sigma_w, dtype=float), np.asarray(sigma_b, dtype=float)[:, None]
    count, marginal = _counted(activation, w**2, b[:, 0] ** 2)
    q_star = settled(activation, w, b, start)
    with np.errstate(over="ignore"):
        growth = layer_map(second_moment(activation, start), w**2, b**2) - start
    faint = (q_star == 0) & (layer_map(second_moment(activation, 0.0), w**2, b**2) > 0)
    lingers = (np.abs(growth) <= MARGIN * start) & (np.abs(w**2 * second_moment_d1(activation, start) - 1) <= MARGIN)
    # Below the scan, or too little to be told from a fixed point without looking closely.
    for i, j in {*marginal, *((int(i), int(j)) for i, j in np.argwhere(faint | lingers))}:
        point = operating_point_of(networks[i][j], start)
        count[i, j] = len(point.fixed_points)
        q_star[i, j] = point.fixed_point.q if point.fixed_point else math.inf
    found = _judged(activation, w, b[:, 0], count, q_star)
    # As given, not as the roots of their squares.
    return replace(found, sigma_w=np.asarray(sigma_w, dtype=float), sigma_b=np.asarray(sigma_b, dtype=float))


def _counted(phi: Activation, weights: Array, biases: Array) -> tuple[NDArray[np.int_], list[tuple[int, int]]]:
    """How many fixed points each network has; and in which V(q) − q vanishes without a sign."""
    grid = variance_grid(phi)[1:]
    # Without biases, and with φ(0) = 0, there is one at 0, where the scan does not look.
    count = np.where(layer_map(second_moment(phi, 0.0), weights, biases[:, None]) == 0, 1, 0)
    marginal: list[tuple[int, int]] = []
    for j, turns in enumerate(turning_points(phi, weights)):
        x = np.unique([*grid, *turns[~np.isnan(turns)]])
        square = second_moment(phi, x)
        for first in range(0, biases.size, _BLOCK):
            with np.errstate(over="ignore"):
                after = layer_map(square, weights[j], biases[first : first + _BLOCK, None])
            growth = after - x
            signs = np.where(np.abs(growth) <= ZERO * np.maximum(after, x), 0, np.sign(growth))
            count[first : first + _BLOCK, j] += (signs[:, :-1] * signs[:, 1:] < 0).sum(axis=1)
            marginal += [(first + int(row), j) for row in np.flatnonzero((signs == 0).any(axis=1))]
    return count, marginal


def _judged(phi: Activation, w: Array, b: Array, count: NDArray[np.int_], q_star: Array) -> PhaseDiagram:
    by_cell = np.broadcast_to(w, q_star.shape)
    chi_1 = gain(phi, by_cell, q_star)
    rho, depth = np.full(q_star.shape, np.nan), np.full(q_star.shape, np.nan)
    signal = (q_star > 0) & (q_star < np.inf)
    rho[signal], depth[signal] = correlation_depth(phi, np.square(by_cell[signal]), q_star[signal])
    return PhaseDiagram(w, b, count, q_star, phases(chi_1), chi_1, rho, depth)
