"""What to change in a network that loses its signal: a lower clip, or more units a layer.

Clipping |φ| at a level m adds kinks where φ = m > 0, which lower V'(q*) on the edge of chaos (Price et al. 2024).
Kicks at a layer fall as 1/√N. What would do is searched for with the law of the variance, which draws no networks, and
what is found is confirmed by networks with random numbers of their own. docs/theory.md, sections 6, 8 and 12.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import LARGEST_COUNT
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement, is_safe
from meanfield.finite_width.variance_law import escape_probability
from meanfield.infinite_width.clips import clip_levels, clipped_edge
from meanfield.infinite_width.edge import EdgeOfChaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.roots import first_index

__all__ = ["safe_clip", "sufficient_width"]

#: Widths tried are this ratio apart, this many of them: up to a thousand times the one given.
_WIDER, _WIDTHS = 1.25, 32
#: No width is named for less: the chains that would confirm it are too few.
_LEAST_RISK = 4e-4
#: Candidates that networks are asked to confirm, one after the other, before none is named.
_CONFIRMED = 3
#: Wider layers are drawn as one normal number each: there the skewness of a sum over units is small.
_EXACT_UP_TO = 1000


def safe_clip(
    activation: PiecewiseLinear, q_star: float, requirement: Requirement, start: float | None = None
) -> tuple[float, EdgeOfChaos] | None:
    """The largest level m, to two digits, at which |φ| ≤ m on its edge meets the requirement with half the risk.

    Returns m and the edge of chaos there; None where no level in reach of the signal does it.
    """
    levels = clip_levels(activation, q_star)

    @cache
    def edge_if_safe(n: int) -> EdgeOfChaos | None:
        edge = clipped_edge(activation, levels[n], q_star)
        return edge if edge and _is_safe_by_law(edge.mean_field, q_star, requirement, start) else None

    first = first_index(len(levels), lambda n: edge_if_safe(n) is not None)
    for n in range(first, min(first + _CONFIRMED, len(levels))):
        edge = edge_if_safe(n)
        if edge and _is_confirmed(edge.mean_field, q_star, requirement, start):
            return levels[n], edge
    return None


def sufficient_width(
    network: MeanField, q_star: float, requirement: Requirement, start: float | None = None
) -> int | None:
    """About the least width at which the network meets the requirement with half the risk.

    None if that is beyond a thousand times the given one, or the risk is too small to be told from networks.
    """
    if requirement.risk < _LEAST_RISK:
        return None
    widths = [round(requirement.width * _WIDER**n) for n in range(1, _WIDTHS)]
    asked = [replace(requirement, width=width) for width in widths if width <= LARGEST_COUNT]
    first = first_index(len(asked), lambda n: _is_safe_by_law(network, q_star, asked[n], start))
    for wide in asked[first : first + _CONFIRMED]:
        if _is_confirmed(network, q_star, wide, start):
            return _two_digits_up(wide.width)
    return None


def _is_safe_by_law(network: MeanField, q_star: float, requirement: Requirement, start: float | None) -> bool:
    try:
        return escape_probability(network, q_star, requirement, start) <= requirement.careful.risk
    except DomainError:
        # Moments on the way are no doubles.
        return False


def _is_confirmed(network: MeanField, q_star: float, requirement: Requirement, start: float | None) -> bool:
    fresh = replace(requirement, seed=requirement.seed + 1)
    return is_safe(network, q_star, fresh, start, normal=True if requirement.width > _EXACT_UP_TO else None)


def _two_digits_up(n: int) -> int:
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit
