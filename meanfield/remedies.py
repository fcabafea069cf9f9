"""What to change in a network that loses its signal: a lower clip, or more units a layer.

Clipping |φ| at a level m adds kinks where φ = m > 0, which lower V'(q*) on the edge of chaos (Price et al. 2024).
Kicks at a layer fall as 1/√N. docs/theory.md, sections 6 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from meanfield.activations.algebra import clipped
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.edge import EdgeOfChaos, edge_of_chaos, slope_on_edge
from meanfield.errors import MeanFieldError
from meanfield.escape import Requirement, escapes, is_safe
from meanfield.mean_field import MeanField

__all__ = ["safe_clip", "stabilising_clip", "sufficient_width"]

#: A clip is recommended for any width when V'(q*) is at most this: deviations then fall to 3 % within ten layers.
_CLIPPED_SLOPE = 0.7
#: Widths are looked for up to this many times the one given.
_WIDEST = 1000


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


def safe_clip(activation: PiecewiseLinear, q_star: float, requirement: Requirement) -> tuple[float, EdgeOfChaos] | None:
    """The largest level m, to two digits and but for chance, at which |φ| ≤ m on its edge meets the requirement.

    Returns m and the edge of chaos there; None where no level in reach of the signal does it.
    """

    def edge_at(m: float) -> EdgeOfChaos | None:
        try:
            return edge_of_chaos(clipped(activation, -m, m), q_star)
        except MeanFieldError:
            return None

    def safe(m: float) -> bool:
        edge = edge_at(m)
        return edge is not None and is_safe(edge.mean_field, q_star, _in_brief(requirement))

    levels = _clip_levels(activation, q_star)
    for m in levels[_first(len(levels), lambda n: safe(levels[n])) :][:5]:
        # The brief search may err by a level or two.
        if (edge := edge_at(m)) and is_safe(edge.mean_field, q_star, requirement):
            return m, edge
    return None


def sufficient_width(network: MeanField, q_star: float, requirement: Requirement) -> int | None:
    """The least width, to two digits, at which the network keeps its signal; None beyond a thousand times the given.

    Found with normal steps, which is quick at any width, and with a margin: the interval of the escape probability
    lies below the risk.
    """
    widths = _two_digit_numbers(requirement.width, _WIDEST * requirement.width)

    def enough(n: int) -> bool:
        wide = replace(_in_brief(requirement), width=widths[n])
        return escapes(network, q_star, wide, normal=True).interval[1] <= requirement.risk

    first = _first(len(widths), enough)
    return widths[first] if first < len(widths) else None


def _in_brief(requirement: Requirement) -> Requirement:
    return replace(requirement, chains=min(requirement.chains, 1024))


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The least n < count for which `holds`, which then holds for all above; count if there is none. By bisection."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _clip_levels(activation: PiecewiseLinear, q_star: float) -> list[float]:
    """Levels of two significant digits, descending over two decades from the largest |φ| that a signal reaches."""
    reach = np.linspace(-6, 6, 241) * math.sqrt(q_star)
    highest = float(np.abs(activation(reach)).max())
    decade = math.floor(math.log10(highest)) if highest > 0 else 0
    exponents = range(decade - 1, decade - 4, -1)
    numbers = (float(f"{digits}e{exponent}") for exponent in exponents for digits in range(99, 9, -1))
    return [number for number in numbers if 1e-2 * highest < number <= highest]


def _two_digit_numbers(lowest: int, highest: int) -> list[int]:
    """Whole numbers of two significant digits, ascending between two bounds that are left out."""
    decades = range(max(math.floor(math.log10(lowest)) - 1, 0), math.ceil(math.log10(highest)))
    return [n for k in decades for n in range(10 * 10**k, 100 * 10**k, 10**k) if lowest < n <= highest]
