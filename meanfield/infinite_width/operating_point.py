"""Which network is meant, and at which fixed point it is judged: asked by every command, figure and verdict.

Without weights it is the network on the edge of chaos at q*, or beside it with another gain χ₁, whose fixed point is
known exactly. With weights it is the fixed point to which V takes a signal of variance q*. Where V keeps every q, as
that of ReLU does with σ_w² = 2, it is q* itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from meanfield.activations.activation import Activation
from meanfield.domain import require_a, require_gain, require_signal
from meanfield.errors import DomainError
from meanfield.infinite_width.criteria import MARGIN
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos
from meanfield.infinite_width.fixed_points import FixedPoint, Kind, fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["LAYERS", "NEAR", "OperatingPoint", "Subject", "farthest", "operating_point", "operating_point_of"]

#: Stands for q → ∞, where no fixed point keeps q.
_FAR = 1e280
#: A variance this near a fixed point, in ln q, is that fixed point: it was typed, with a few of its digits.
_TYPED = 1e-4
#: A signal this near a fixed point, in ln q, has come to it: on which side it stands is rounding.
_THERE = 1e-9
#: A fixed point this near in ln q is where a signal is already.
NEAR = 0.1
#: Layers after which a signal is no longer thrown across fixed points: V falls at most as 1/√q, so that each throw is
#: half as long in ln q as the one before.
LAYERS = 64


@dataclass(frozen=True)
class OperatingPoint(Shown):
    """A network, the variance `start` of the signal asked about, and the fixed point of V to which V takes it.

    `fixed_point` is None where q grows without bound.
    """

    network: MeanField
    fixed_point: FixedPoint | None
    start: float

    def record(self) -> Record:
        """The network, and what its maps are at the fixed point; None where there is none."""
        network, point = self.network, self.fixed_point
        scales = network.record()
        return {
            "activation": scales.pop("activation"),
            "q_star": point.q if point else None,
            **scales,
            "sparsity": network.sparsity(point.q) if point else None,
            "chi_1": network.chi1(point.q) if point else None,
            "V_prime": point.slope if point else None,
            "V_double_prime": point.curvature if point else None,
        }

    @property
    def fixed_points(self) -> tuple[FixedPoint, ...]:
        """All of V's, ascending."""
        return fixed_points(self.network)

    @property
    def q_star(self) -> float | None:
        """The variance q* > 0 of the fixed point, None where no signal is left to judge."""
        return self.fixed_point.q if self.fixed_point and self.fixed_point.q > 0 else None

    @property
    def variance(self) -> float:
        """q*, or where no signal is left the variance it starts from."""
        return self.q_star or self.start


#: What stands for a network, where one is asked for.
Subject = MeanField | EdgeOfChaos | OperatingPoint


def operating_point(
    activation: Activation,
    q_star: float = 1.0,
    sigma_w: float | None = None,
    sigma_b: float = 0.0,
    chi_1: float = 1.0,
) -> OperatingPoint:
    """The network with χ₁ = `chi_1` at `q_star`, at 1 the edge of chaos; or that of the weights that are given.

    This is judged where a signal of variance `q_star` goes.

    Raises:
        DomainError: biases without weights; another gain than 1 beside either; a number out of range.
        NoEdgeOfChaos: no weights are given, and there is no such network at `q_star`.
    """
    require_gain(chi_1)
    if chi_1 != 1 and (sigma_w is not None or sigma_b):
        raise DomainError(f"chi_1 = {chi_1:g} sets sigma_w and sigma_b at q*: give --chi, or weights and biases")
    if sigma_w is not None:
        return operating_point_of(MeanField(activation, sigma_w, sigma_b), q_star)
    if sigma_b:
        raise DomainError(
            f"sigma_b = {sigma_b:g} needs sigma_w (--sigma-w): give both, or neither for an edge of chaos"
        )
    return operating_point_of(edge_of_chaos(activation, q_star, chi_1))


def operating_point_of(subject: Subject, start: float = 1.0) -> OperatingPoint:
    """A network at the fixed point to which V takes a signal of variance `start` > 0; an `EdgeOfChaos` at its own.

    Raises:
        DomainError: `start` is not a finite number > 0.
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
            return OperatingPoint(network, FixedPoint(q, slope, curvature, nearest.kind, until), q)
        return OperatingPoint(network, FixedPoint(q, slope, curvature, "stable" if slope < 1 else "unstable", q), q)
    require_a(MeanField, "network", subject)
    require_signal(start)
    point = _reached(subject, start)
    if point is None or not point.q or abs(math.log(point.q / start)) > NEAR:
        # In many layers nothing comes of where V is the identity, or touches it but for the digits of σ_w and σ_b.
        point = _lingering(subject, start, bool(point and point.q)) or point
    return OperatingPoint(subject, point, start)


def _reached(network: MeanField, start: float) -> FixedPoint | None:
    """The fixed point to which V takes `start`, None where it grows without bound."""
    points = fixed_points(network)
    nearest = _nearest(points, start)
    if nearest and nearest.q and abs(math.log(nearest.q / start)) <= _TYPED:
        return nearest
    kept = [p for p in points if p.kind == "neutral"]
    q, far = start, farthest(network.activation)
    for _ in range(LAYERS):
        if at := next((p for p in kept if p.q <= q <= p.until), None):
            return replace(at, q=q)
        q = min(network.V(q), far)
    if not q:
        return next((p for p in points if not p.q), None)
    nearest = _nearest(points, q)
    if nearest and nearest.q and abs(math.log(nearest.q / q)) <= _THERE:
        return nearest
    after = network.V(q)
    if after > q:
        return min((p for p in points if p.q > q), key=lambda p: p.q, default=None)
    if after < q:
        return max((p for p in points if p.q < q), key=lambda p: p.q, default=None)
    return min(points, key=lambda p: abs(p.q - q), default=None)


def farthest(phi: Activation) -> float:
    """The variance that stands for q → ∞."""
    return min(_FAR, phi.largest_variance)


def _nearest(points: tuple[FixedPoint, ...], q: float) -> FixedPoint | None:
    """The one nearest in ratio; one at 0 is infinitely far, and so the choice only if it is alone."""
    return min(points, key=lambda p: abs(math.log(p.q / q)) if p.q else math.inf, default=None)


def _lingering(network: MeanField, q: float, settles: bool) -> FixedPoint | None:
    """q as a fixed point, if a signal stays about it in a hundred layers; `settles` is whether V holds it elsewhere."""
    ratio, slope, curvature = network.V(q) / q, network.dV(q), network.d2V(q)
    if abs(slope - 1) > MARGIN:
        return None
    # What biases add to every q adds up, however little it is.
    if abs(ratio - 1) <= (_TYPED if network.sigma_b else MARGIN) and abs(q * curvature) <= MARGIN:
        return None if settles else FixedPoint(q, slope, curvature, "neutral", q)
    if abs(ratio - 1) > _TYPED:
        return None
    kind: Kind = "half-stable (from below)" if curvature > 0 else "half-stable (from above)"
    return FixedPoint(q, slope, curvature, kind, q)
