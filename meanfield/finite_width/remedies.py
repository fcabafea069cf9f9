"""What to change in a network that loses its signal: the initialisation, the clip level, the width.

The edge of chaos at q*, or at another q*, costs nothing. Clipping |φ| at a level m adds kinks where φ = m > 0, which
lower V'(q*) there (Price et al. 2024). Kicks at a layer fall as 1/√N. What would do is searched for with the law of the
variance, which draws no networks, and what is found is confirmed by networks with random numbers of their own.
docs/theory.md, sections 6, 8 and 12.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache

from meanfield.activations.activation import Activation
from meanfield.domain import LARGEST_COUNT
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Escapes, Requirement, is_safe
from meanfield.finite_width.fluctuations import fluctuations
from meanfield.finite_width.variance_law import escape_probability
from meanfield.infinite_width.criteria import keeps_gradients
from meanfield.infinite_width.edge import EdgeOfChaos
from meanfield.infinite_width.fixed_points import basin
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.operating_point import OperatingPoint, operating_point_of
from meanfield.infinite_width.remedies import Remedy, candidate_edges, clip_levels, clipped_edge, is_neutral
from meanfield.infinite_width.roots import first_index

__all__ = ["nothing_helps", "remedies_at", "safe_clip", "safe_initialisation", "sufficient_width"]

#: Widths tried are this ratio apart, this many of them: up to a thousand times the one given.
_WIDER, _WIDTHS = 1.25, 32
#: No width is named for less: the chains that would confirm it are too few.
_LEAST_RISK = 4e-4
#: Candidates that networks are asked to confirm, one after the other, before none is named.
_CONFIRMED = 3
#: Layers this wide are drawn as one normal number each: there the skewness of a sum over units is small.
_WIDE = 1000
#: Standard deviations of q from q* to the end of its basin, below which an edge of chaos is not worth a closer look.
_LEAST_MARGIN = 2.5
#: σ_w and σ_b that differ by no more, relative to σ_w, are one initialisation.
_SAME = 1e-3


def nothing_helps(requirement: Requirement) -> str:
    """What was tried."""
    return "Nothing tried helps."


def remedies_at(
    point: OperatingPoint, found: Escapes, start: float | None = None, *, neutral: bool = False
) -> tuple[Remedy, ...]:
    """The changes that are each enough for the requirement of `found`, the cheapest first.

    `judged` has the verdict at that width and depth; `start` is the variance at layer 0 where one is asked for. By
    default signals start at the q* judged.
    """
    requirement = found.requirement
    network = point.network
    ways = []
    edge = safe_initialisation(network, point.start, requirement, start)
    if edge:
        ways.append(Remedy.at(edge, share_lost=_share(edge.mean_field, edge.q_star, requirement, start)))
    if not keeps_gradients(network.chi1(point.variance), requirement.depth):
        # Off the edge of chaos no clip, width or depth asked of the signal would do.
        return tuple(ways)
    # Where the initialisation alone is enough at this q*, a clip changes nothing that matters.
    if not (edge and edge.q_star == point.start) and (
        clip := safe_clip(network.activation, point.start, requirement, start)
    ):
        m, tight = clip
        ways.append(Remedy.at(tight, m, _share(tight.mean_field, tight.q_star, requirement, start)))
    q = point.variance
    if point.q_star and (width := sufficient_width(network, q, requirement, start)):
        share = _share(network, q, replace(requirement, width=width), start)
        ways.append(Remedy("width", width=width, share_lost=share))
    return tuple(ways)


def safe_initialisation(
    network: MeanField, q_star: float, requirement: Requirement, start: float | None = None
) -> EdgeOfChaos | None:
    """The edge of chaos of φ nearest to `q_star` that meets the requirement with half the risk; else a neutral one.

    None where none within a factor 64 does, or the network is at it.
    """
    tried, neutral = 0, None
    for edge in _promising(network, q_star, requirement, start):
        if is_neutral(edge):
            neutral = neutral or edge
            continue
        if not _is_safe_by_law(edge.mean_field, edge.q_star, requirement, start):
            tried += 1
        elif _is_confirmed(edge.mean_field, edge.q_star, requirement, start):
            return edge
        if tried == _CONFIRMED:
            break
    return neutral


def _promising(
    network: MeanField, q_star: float, requirement: Requirement, start: float | None
) -> Iterator[EdgeOfChaos]:
    """Edges of chaos of φ far enough from the end of their basin, the nearest to `q_star` first."""
    for edge in candidate_edges(network.activation, q_star):
        other = edge.mean_field
        if math.hypot(other.sigma_w - network.sigma_w, other.sigma_b - network.sigma_b) <= _SAME * network.sigma_w:
            continue
        if is_neutral(edge):
            yield edge
            continue
        at = operating_point_of(edge)
        point = at.fixed_point
        assert point is not None
        sd = fluctuations(other, point, requirement.width, requirement.depth, start).sd[-1]
        low, high = basin(at.fixed_points, point)
        if min(point.q - low, high - point.q) >= _LEAST_MARGIN * sd:
            yield edge


def safe_clip(
    activation: Activation, q_star: float, requirement: Requirement, start: float | None = None
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
    share = _share(network, q_star, requirement, start)
    return share is not None and share <= requirement.careful.risk


@lru_cache(maxsize=64)
def _share(network: MeanField, q_star: float, requirement: Requirement, start: float | None) -> float | None:
    """The share of networks that escape, by the law; None where moments on the way are no doubles."""
    try:
        return escape_probability(network, q_star, requirement, start)
    except DomainError:
        return None


def _is_confirmed(network: MeanField, q_star: float, requirement: Requirement, start: float | None) -> bool:
    fresh = replace(requirement, seed=requirement.seed + 1)
    return is_safe(network, q_star, fresh, start, normal=True if requirement.width >= _WIDE else None)


def _two_digits_up(n: int) -> int:
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit
