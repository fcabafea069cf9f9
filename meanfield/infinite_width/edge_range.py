"""Which q*, σ_w and σ_b the edge of chaos of a φ has, in words for those who asked for others.

Along the edge σ_w² = 1/E φ'² and σ_b², both functions of q*, reach their bounds at turning points, where the edge ends
(σ_b = 0), or in the limits q* → 0 and q* → ∞, which no network has. docs/theory.md, section 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.domain import LARGEST_SCALE
from meanfield.infinite_width.edge_biases import (
    squared_bias,
    squared_bias_at_infinity,
    squared_bias_d1,
    squared_bias_size,
)
from meanfield.infinite_width.fixed_points import variance_grid
from meanfield.infinite_width.moments import slope_moment, slope_square_d1
from meanfield.infinite_width.roots import find_roots

__all__ = ["Scale", "active_variances", "reached", "where_possible"]

Array = NDArray[np.float64]
Scale = Literal["sigma_w", "sigma_b"]

#: A larger σ_w stands for a probability of slopes that has lost digits.
LARGEST_WEIGHTS = 1e145

#: Bounds this near, relative to their size, are one.
_ONE = 1e-12

_NONE = "no q* has an edge: the activation is too far from 0 at 0 (subtract φ(0) from it)"


def active_variances(phi: Activation) -> Array:
    """The variances at which some slope is active with a probability that a double holds, as a grid for roots."""
    grid = variance_grid(phi)
    grid = grid[(grid > 0) & (grid < LARGEST_SCALE**2)]
    return grid[slope_moment(phi, grid, 2) > LARGEST_WEIGHTS**-2]


def where_possible(phi: Activation) -> str:
    """Which q* have an edge, in words."""
    ranges = []
    for low, high in _spans(phi):
        if low == 0 and high == math.inf:
            ranges.append("any other q*")
        elif low == 0:
            ranges.append(f"q* <= {high:.6g}")
        elif high == math.inf:
            ranges.append(f"q* >= {low:.6g}")
        else:
            ranges.append(f"{low:.6g} <= q* <= {high:.6g}")
    return f"{' or '.join(ranges)} would do" if ranges else _NONE


def reached(phi: Activation, scale: Scale) -> str:
    """Which σ_w or σ_b the edge has over all q*, in words: bounds that hold, and what is near those not reached."""
    spans = [_bounds(phi, scale, *span) for span in _spans(phi)]
    if not spans:
        return _NONE
    texts, notes = [], []
    for low, high in spans:
        if math.isclose(low.value, high.value, rel_tol=_ONE):
            texts.append(f"= {low.value:.8g}")
            continue
        if high.value == math.inf:
            texts.append(f"{'>' if low.note else '>='} {low.value:.8g}")
        else:
            texts.append(f"from {low.value:.8g} to {high.value:.8g}")
        notes += [bound.note for bound in (low, high) if bound.note and bound.value < math.inf]
    return "; ".join([f"over all q* > 0, the edge has {scale} {' or '.join(texts)}", *dict.fromkeys(notes)])


@dataclass(frozen=True)
class _Bound:
    """A bound of σ_w or σ_b along the edge; if it is not reached, a note says why."""

    value: float
    note: str = ""


def _spans(phi: Activation) -> list[tuple[float, float]]:
    """The intervals of q* that have an edge, σ_b² ≥ 0; 0 and ∞ stand for limits."""
    grid = active_variances(phi)
    roots = find_roots(
        [lambda q: squared_bias(phi, q), lambda q: squared_bias_d1(phi, q)], grid, lambda q: squared_bias_size(phi, q)
    )
    possible = squared_bias(phi, grid) >= 0
    spans: list[tuple[float, float]] = []
    ends = [0.0, *(root.x for root in roots if root.before and root.after), math.inf]
    for low, high in pairwise(ends):
        inside = possible[(grid > low) & (grid < high)]
        if inside.size and inside[inside.size // 2]:
            joins = spans and spans[-1][1] == low
            spans.append((spans.pop()[0], high) if joins else (low, high))
    return spans


def _bounds(phi: Activation, scale: Scale, low: float, high: float) -> tuple[_Bound, _Bound]:
    """The least and the largest σ_w or σ_b at q* from `low` to `high`."""
    found = []
    if low == 0:
        found.append(_bound_at_zero(phi, scale))
    if high == math.inf:
        outer, bias = (phi.outer_slopes[0] ** 2 + phi.outer_slopes[1] ** 2) / 2, squared_bias_at_infinity(phi)
        found.append(_limit(scale, "∞", 1 / math.sqrt(outer) if outer else math.inf, math.sqrt(max(bias, 0.0))))
    if scale == "sigma_w":
        turns = find_roots([lambda q: slope_square_d1(phi, q)], active_variances(phi), np.zeros_like)
    else:
        turns = find_roots([lambda q: squared_bias_d1(phi, q)], active_variances(phi), np.zeros_like)
    inner = [turn.x for turn in turns if turn.before * turn.after < 0 and low < turn.x < high]
    reached = [q for q in (low, high) if 0 < q < math.inf] + inner
    for q in reached:
        weight = 1 / slope_moment(phi, q, 2)
        square = weight if scale == "sigma_w" else max(squared_bias(phi, np.array([q]))[0], 0.0)
        found.append(_Bound(math.sqrt(square)))
    # What is reached comes before a limit that equals it.
    found.sort(key=lambda bound: bool(bound.note))
    return min(found, key=lambda bound: bound.value), max(found, key=lambda bound: bound.value)


def _bound_at_zero(phi: Activation, scale: Scale) -> _Bound:
    slopes = slope_moment(phi, 0.0, 2)
    if slopes or scale == "sigma_w":
        return _limit(scale, "0", 1 / math.sqrt(slopes) if slopes else math.inf, 0.0)
    # σ_w → ∞, and leaves the doubles before σ_b is 0.
    least = math.sqrt(squared_bias(phi, active_variances(phi)[:1])[0])
    limit = _limit(scale, "0", math.inf, 0.0)
    return _Bound(0.0, f"{limit.note}: below {least:.8g} sigma_w exceeds {LARGEST_WEIGHTS:g}")


def _limit(scale: Scale, end: str, sigma_w: float, sigma_b: float) -> _Bound:
    value, other, name = (sigma_w, sigma_b, "sigma_b") if scale == "sigma_w" else (sigma_b, sigma_w, "sigma_w")
    return _Bound(value, f"{value:.8g} is the limit q* → {end}, where {name} → {other:.8g}".replace("inf", "∞"))
