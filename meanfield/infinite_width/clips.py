"""Clipping |φ| ≤ m, which holds the variance at q*: the largest level m that does.

A clip adds kinks where φ = m > 0, and those lower V'(q*) on the edge of chaos (Price et al. 2024; docs/theory.md,
section 6).
"""

from __future__ import annotations

import math

import numpy as np

from meanfield.activations.algebra import clipped
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import MeanFieldError
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos
from meanfield.infinite_width.fixed_points import fixed_points
from meanfield.infinite_width.roots import decimals

__all__ = ["clip_levels", "clipped_edge", "stabilising_clip"]

#: A clip is recommended for any width when V'(q*) is at most this: deviations then fall to 3 % within ten layers.
_CLIPPED_SLOPE = 0.7


def clip_levels(activation: PiecewiseLinear, q_star: float) -> list[float]:
    """Levels of two significant digits, descending over two decades from the largest |φ| that a signal reaches."""
    reach = np.linspace(-6, 6, 241) * math.sqrt(q_star)
    highest = float(np.abs(activation.values(reach)).max())
    return decimals(2, 1e-2 * highest, highest) if highest else []


def clipped_edge(activation: PiecewiseLinear, m: float, q_star: float) -> EdgeOfChaos | None:
    """The edge of chaos of φ clipped at m, None where it has none."""
    try:
        return edge_of_chaos(clipped(activation, -m, m), q_star)
    except MeanFieldError:
        return None


def stabilising_clip(activation: PiecewiseLinear, q_star: float) -> tuple[float, EdgeOfChaos] | None:
    """The largest level m, to two digits, at which clipping |φ| ≤ m makes q* stable; and the clipped edge of chaos.

    Stable here: V'(q*) ≤ 0.7 on the edge of chaos of the clipped activation, and q* is its only fixed point.
    None where no m in reach of the signal does that.
    """

    def stable_edge(m: float) -> EdgeOfChaos | None:
        edge = clipped_edge(activation, m, q_star)
        if edge is None or abs(edge.V_prime) > _CLIPPED_SLOPE or len(fixed_points(edge.mean_field)) != 1:
            return None
        return edge

    levels = clip_levels(activation, q_star)
    # V'(q*) falls with m until the clip is tight, so a coarse scan brackets the largest m that will do.
    coarse = next((n for n in range(0, len(levels), 10) if stable_edge(levels[n])), None)
    if coarse is None:
        return None
    for m in levels[max(coarse - 9, 0) : coarse + 1]:
        if edge := stable_edge(m):
            return m, edge
    return None
