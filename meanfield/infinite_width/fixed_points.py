"""Fixed points of the variance map and of the correlation map, all of them, and what each does to a signal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.domain import LARGEST_SCALE, require_a
from meanfield.infinite_width.growth import VarianceGrowth
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import second_moment
from meanfield.infinite_width.roots import Function, Root, find_roots
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown, ShownTuple

__all__ = [
    "CorrelationFixedPoint",
    "FixedPoint",
    "Kind",
    "basin",
    "correlation_fixed_points",
    "fixed_points",
    "variance_grid",
]

Array = NDArray[np.float64]

#: What a fixed point does: attracts, repels, attracts from one side only, or leaves everything where it is.
Kind = Literal["stable", "unstable", "half-stable (from below)", "half-stable (from above)", "neutral"]

#: Points per unit of ln q where scales matter: exp(−t²/2q) of a knot t changes over one unit, and two such terms of
#: opposite sign cross once in it.
_DENSITY = 32
#: Points below and above, where V is a power of q; they keep the brackets short.
_SPARSE = 5


@dataclass(frozen=True)
class FixedPoint(Shown):
    """A q with V(q) = q.

    `slope` V'(q), `curvature` V''(q), `kind` what a nearby q does over layers. Where V is the identity on a whole
    interval, that interval is [q, until] and the kind is neutral; elsewhere `until` equals `q`.
    """

    q: float
    slope: float
    curvature: float
    kind: Kind
    until: float

    def record(self) -> Record:
        """Where it is, slope and curvature of V there, and what it does."""
        return {"q": self.q, "slope": self.slope, "curvature": self.curvature, "kind": self.kind}

    @property
    def depth_scale(self) -> float:
        """ξ_q = −1/ln|V'(q)|, the layers over which a deviation falls by a factor e; ∞ where it does not."""
        if abs(self.slope) >= 1:
            return math.inf
        return -1 / math.log(abs(self.slope)) if self.slope else 0.0


@dataclass(frozen=True)
class CorrelationFixedPoint(Shown):
    """A ρ with R(ρ) = ρ; the fields are those of `FixedPoint`."""

    rho: float
    slope: float
    curvature: float
    kind: Kind
    until: float

    def record(self) -> Record:
        """Where it is, slope and curvature of R there, and what it does."""
        return {"rho": self.rho, "slope_of_R": self.slope, "curvature_of_R": self.curvature, "kind": self.kind}


def variance_grid(phi: Activation) -> Array:
    """Variances at which to look for roots of what φ makes of them: 0, then to 1e300, fine where its scales matter."""
    scales = [2 * math.log(length) for length in phi.scales] or [0.0]
    first, last = math.log(1e-306), math.log(min(1e300, phi.largest_variance))
    low, high = max(min(scales) - math.log(2000), first), min(max(scales) + math.log(1e4), last)
    fine = np.linspace(low, high, math.ceil((high - low) * _DENSITY))
    below = np.linspace(first, low, _SPARSE, endpoint=False)
    above = np.linspace(high, last, _SPARSE + 1)[1:] if high < last else np.empty(0)
    grid = np.concatenate([[0.0], np.exp(below), np.exp(fine), np.exp(above)])
    if any(map(math.isinf, phi.outer_slopes)):
        # Past the doubles E φ² tells nothing.
        grid = grid[second_moment(phi, grid) < LARGEST_SCALE**2]
    return grid


@lru_cache(maxsize=256)
def fixed_points(network: MeanField) -> tuple[FixedPoint, ...]:
    """Every fixed point of V on [0, ∞), ascending; none if V(q) > q throughout. docs/theory.md, section 5.

    A fixed point whose V(q) − q stays below rounding on both sides is reported once, as a tangency.
    """
    require_a(MeanField, "network", network, "edge.mean_field")
    growth = VarianceGrowth(network)
    roots = find_roots([growth, growth.d1, growth.d2], variance_grid(network.activation), growth.size, growth.rounding)
    points = []
    for root in roots:
        if root.before and not root.after:
            continue  # at the end of the grid, which stands for infinity, V(q)/q has only come close to 1
        until = math.inf if root.until > root.x else root.x
        slope = network.dV(root.x)
        points.append(FixedPoint(root.x, slope, network.d2V(root.x), _kind(root, slope), until))
    return ShownTuple(points)


def basin(points: Sequence[FixedPoint], point: FixedPoint) -> tuple[float, float]:
    """The ends of the interval of variances that tend to `point`, one of all fixed points `points` of a network.

    The nearest fixed points on either side, 0 and ∞ where there is none; the point itself on a side that it repels.
    Where V falls between them the ends are those of the region that V moves towards `point`, which a single step may
    still overshoot.
    """
    if point.kind in ("unstable", "neutral"):
        return point.q, point.q
    others = sorted(p.q for p in points)
    if others:
        others.remove(min(others, key=lambda q: abs(q - point.q)))
    below = max((q for q in others if q < point.q), default=0.0)
    above = min((q for q in others if q > point.q), default=math.inf)
    return (
        point.q if point.kind == "half-stable (from above)" else below,
        point.q if point.kind == "half-stable (from below)" else above,
    )


def correlation_fixed_points(network: MeanField, q: float) -> tuple[CorrelationFixedPoint, ...]:
    """Every fixed point of R(·; q) on [−1, 1], ascending. ρ = 1 is always one.

    Solved in ε = 1 − ρ, so that a fixed point close to 1 keeps its digits.

    Raises:
        UndefinedCorrelation: V(q) = 0.
    """
    levels: list[Function] = [
        lambda eps: network.one_minus_R(eps, q) - eps,
        lambda eps: network.dR(1 - eps, q) - 1,
        lambda eps: -network.d2R(1 - eps, q),
    ]

    near_one = np.exp(np.linspace(math.log(1e-16), 0, 37 * 8))
    near_minus_one = 2 - near_one[near_one > 1e-10]
    grid = np.concatenate([[0.0], near_one, near_minus_one[::-1], [2.0]])
    roots = find_roots(levels, grid, lambda eps: eps)
    points = []
    for root in roots:
        rho, until = 1 - root.until, 1 - root.x
        slope = network.dR(until, q)
        # ε runs against ρ: its "above" is ρ's "below".
        turned = Root(rho, -root.after, -root.before, until)
        points.append(CorrelationFixedPoint(rho, slope, network.d2R(until, q), _kind(turned, slope), until))
    return ShownTuple(points[::-1])


def _kind(root: Root, slope: float) -> Kind:
    if not root.before and not root.after:
        return "neutral"
    attracts_below, attracts_above = root.before > 0 or not root.before, root.after < 0 or not root.after
    if attracts_below and attracts_above:
        return "stable" if slope > -1 else "unstable"
    if not root.before or not root.after or root.before != root.after:
        return "unstable"
    return "half-stable (from below)" if attracts_below else "half-stable (from above)"
