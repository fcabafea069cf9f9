"""What to change in a network that loses its signal: a lower clip, or more units a layer.

Clipping |φ| at a level m adds kinks where φ = m > 0, which lower V'(q*) on the edge of chaos (Price et al. 2024).
Kicks at a layer fall as 1/√N. docs/theory.md, sections 6 and 8.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meanfield.activations.algebra import clipped
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import MeanFieldError
from meanfield.infinite_width.bisection import decimals, first_index
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos, slope_on_edge
from meanfield.infinite_width.mean_field import MeanField

if TYPE_CHECKING:
    from meanfield.finite_width.escape import Requirement

__all__ = ["safe_clip", "stabilising_clip", "sufficient_width"]

#: A clip is recommended for any width when V'(q*) is at most this: deviations then fall to 3 % within ten layers.
_CLIPPED_SLOPE = 0.7
#: Widths tried are this ratio apart, this many of them: up to a thousand times the one given.
_WIDER, _WIDTHS = 1.25, 32
#: Random networks drawn at each width, at least and at most: whether none or twenty escape is enough to know.
_BRIEF, _MOST = 1024, 20_000


def stabilising_clip(activation: PiecewiseLinear, q_star: float) -> tuple[float, EdgeOfChaos] | None:
    """The largest level m, to two digits, at which clipping |φ| ≤ m makes q* stable; and the clipped edge of chaos.

    Stable here: V'(q*) ≤ 0.7 on the edge of chaos of the clipped activation, and q* is its only fixed point.
    None where no m in reach of the signal does that.
    """

    def stable_edge(m: float) -> EdgeOfChaos | None:
        try:
            phi = clipped(activation, -m, m)
            if abs(slope_on_edge(phi, q_star)) > _CLIPPED_SLOPE:
                return None
            edge = edge_of_chaos(phi, q_star)
        except MeanFieldError:
            return None
        return edge if len(edge.mean_field.fixed_points()) == 1 else None

    levels = _clip_levels(activation, q_star)
    # V'(q*) falls with m until the clip is tight, so a coarse scan brackets the largest m that will do.
    coarse = next((n for n in range(0, len(levels), 10) if stable_edge(levels[n])), None)
    if coarse is None:
        return None
    for m in levels[max(coarse - 9, 0) : coarse + 1]:
        if edge := stable_edge(m):
            return m, edge
    return None


def safe_clip(
    activation: PiecewiseLinear, q_star: float, requirement: Requirement, start: float | None = None
) -> tuple[float, EdgeOfChaos] | None:
    """The largest level m, to two digits, at which |φ| ≤ m on its edge meets the requirement with half the risk.

    Returns m and the edge of chaos there; None where no level in reach of the signal does it.
    """

    from meanfield.finite_width.escape import is_safe

    def safe_edge(m: float) -> EdgeOfChaos | None:
        try:
            edge = edge_of_chaos(clipped(activation, -m, m), q_star)
        except MeanFieldError:
            return None
        return edge if is_safe(edge.mean_field, q_star, requirement.careful, start) else None

    levels = _clip_levels(activation, q_star)
    first = first_index(len(levels), lambda n: safe_edge(levels[n]) is not None)
    if first == len(levels):
        return None
    m = levels[first]
    return m, edge_of_chaos(clipped(activation, -m, m), q_star)


def sufficient_width(
    network: MeanField, q_star: float, requirement: Requirement, start: float | None = None
) -> int | None:
    """About the least width at which the network keeps its signal.

    None if that is beyond a thousand times the given one, or the risk is too small to look for it in reasonable time.
    Found with normal steps, which is quick at any width, and with a margin: the interval of the escape probability
    lies below the risk.
    """
    from meanfield.finite_width.escape import escapes

    # Enough that, if none of them escapes, the interval lies below the risk.
    chains = max(_BRIEF, math.ceil(8 / requirement.risk))
    if chains > _MOST:
        return None

    def enough(width: int) -> bool:
        found = escapes(network, q_star, replace(requirement, width=width, chains=chains), start, normal=True)
        return found.interval[1] <= requirement.risk

    widths = [round(requirement.width * _WIDER**n) for n in range(1, _WIDTHS)]
    first = first_index(len(widths), lambda n: enough(widths[n]))
    return _two_digits_up(widths[first]) if first < len(widths) else None


def _two_digits_up(n: int) -> int:
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit


def _clip_levels(activation: PiecewiseLinear, q_star: float) -> list[float]:
    """Levels of two significant digits, descending over two decades from the largest |φ| that a signal reaches."""
    reach = np.linspace(-6, 6, 241) * math.sqrt(q_star)
    highest = float(np.abs(activation(reach)).max())
    return decimals(2, 1e-2 * highest, highest) if highest else []
