"""Which network is meant, and at which fixed point it is judged: asked by every command, figure and verdict.

Without weights it is the network on the edge of chaos at q*, whose fixed point is known exactly. With weights it is the
fixed point nearest to q*, in ratio; where V keeps every q, as that of ReLU does with σ_w² = 2, it is q* itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import require_a, require_signal
from meanfield.errors import DomainError
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos
from meanfield.infinite_width.fixed_points import FixedPoint, fixed_points
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["MARGIN", "OperatingPoint", "Subject", "operating_point", "operating_point_of"]

#: V' this close to 1 counts as 1, and χ₁ likewise: the pull back (or push away) would take over 100 layers to show,
#: so the curvature decides. It also makes an edge of chaos typed with five digits, whose tangency they split into
#: two fixed points or none, what it is meant to be.
MARGIN = 1e-2


@dataclass(frozen=True)
class OperatingPoint:
    """A network and the fixed point of V at which it is judged, None if there is none."""

    network: MeanField
    fixed_point: FixedPoint | None

    @property
    def fixed_points(self) -> tuple[FixedPoint, ...]:
        """All of V's, ascending."""
        return fixed_points(self.network)

    @property
    def q_star(self) -> float | None:
        """The variance q* > 0 of the fixed point, None where no signal is left to judge."""
        return self.fixed_point.q if self.fixed_point and self.fixed_point.q > 0 else None


#: What stands for a network, where one is asked for.
Subject = MeanField | EdgeOfChaos | OperatingPoint


def operating_point(
    activation: PiecewiseLinear, q_star: float = 1.0, sigma_w: float | None = None, sigma_b: float = 0.0
) -> OperatingPoint:
    """The edge of chaos at `q_star`; or, with weights given, their network at its fixed point nearest to `q_star`.

    Raises:
        DomainError: biases without weights; a number out of range.
        NoEdgeOfChaos: no weights are given, and there is no edge at `q_star`.
    """
    if sigma_w is not None:
        return operating_point_of(MeanField(activation, sigma_w, sigma_b), q_star)
    if sigma_b:
        raise DomainError(
            f"sigma_b = {sigma_b:g} needs sigma_w (--sigma-w): give both, or neither for an edge of chaos"
        )
    return operating_point_of(edge_of_chaos(activation, q_star))


def operating_point_of(subject: Subject, near: float = 1.0) -> OperatingPoint:
    """A network at its fixed point nearest to the variance `near` > 0; an edge of chaos at its own.

    Raises:
        DomainError: `near` is not a finite number > 0.
    """
    if isinstance(subject, OperatingPoint):
        return subject
    if isinstance(subject, EdgeOfChaos):
        network = subject.mean_field
        q, slope, curvature = subject.q_star, subject.V_prime, subject.V_double_prime
        nearest = _nearest(fixed_points(network), q)
        if nearest and (nearest.q or nearest.kind == "neutral"):
            # What was found is this point but for rounding, and knows what V does on either side.
            until = nearest.until if nearest.kind == "neutral" else q
            return OperatingPoint(network, FixedPoint(q, slope, curvature, nearest.kind, until))
        return OperatingPoint(network, FixedPoint(q, slope, curvature, "stable" if slope < 1 else "unstable", q))
    require_a(MeanField, "network", subject)
    require_signal(near)
    nearest = _nearest(fixed_points(subject), near)
    if nearest and _keeps_every_q(subject, nearest):
        nearest = replace(nearest, q=near, kind="neutral")
    return OperatingPoint(subject, nearest)


def _nearest(points: tuple[FixedPoint, ...], q: float) -> FixedPoint | None:
    """The one nearest in ratio; one at 0 is infinitely far, and so the choice only if it is alone."""
    return min(points, key=lambda p: abs(math.log(p.q / q)) if p.q else math.inf, default=None)


def _keeps_every_q(network: MeanField, fixed_point: FixedPoint) -> bool:
    """Whether V(q) = q for every q, or V(q) = cq with c within the margin of 1."""
    proportional = network.activation.is_homogeneous and network.sigma_b == 0
    return fixed_point.kind == "neutral" or (proportional and abs(fixed_point.slope - 1) <= MARGIN)
