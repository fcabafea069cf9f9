"""What to change in a network that loses signal or gradient: initialisation, weights, clip level, width or depth.

The edge of chaos at q*, or at another q*, costs nothing, and orthogonal weights next to nothing. Clipping |φ| at a
level m adds kinks where φ = m > 0, which lower V'(q*) there (Price et al. 2024). The noise of a layer falls as 1/√N.
What would do is searched for by laws, which draw no networks: first by the first order in 1/N, in no time, then by the
law of signal and gradient. What is found is confirmed by networks with random numbers of their own. docs/theory.md,
sections 8 and 17.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np

from meanfield.domain import LARGEST_COUNT
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Escapes, Requirement, escapes
from meanfield.finite_width.fluctuations import variance_path
from meanfield.finite_width.gain_law import GainLaw
from meanfield.finite_width.layer_law import layer_moments
from meanfield.finite_width.loss_law import LossLaw, loss_law
from meanfield.finite_width.variance_law import escape_probability
from meanfield.infinite_width.correlation_path import log_parting
from meanfield.infinite_width.criteria import phases
from meanfield.infinite_width.edge import EdgeOfChaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.operating_point import OperatingPoint, operating_point_of
from meanfield.infinite_width.remedies import (
    Remedy,
    candidate_edges,
    clip_levels,
    clipped_edge,
    edges_tried,
    is_neutral,
)
from meanfield.infinite_width.roots import first_index

__all__ = ["keeps_every_q", "nothing_helps", "remedies_at"]

#: Widths tried are this ratio apart, this many of them: up to a thousand times the one given.
_WIDER, _WIDTHS = 1.25, 32
#: No width is named for less: a thousand networks tell less nothing.
_LEAST_RISK = 4e-4
#: Candidates that the law is asked about, and that networks are asked to confirm, before none is named.
_TRIED, _CONFIRMED = 6, 3
#: Up to this skewness of the sum over a layer it is drawn as one normal number, which tells shares of a per cent to a
#: fifth.
_LARGEST_SKEWNESS = 0.3
#: First estimates of a share that are this many times what may be are worth no closer look.
_HOPELESS = 20.0
#: The same of edges of chaos, of which there are many: a closer look at the nearest would use up all of them.
_LIKELY = 2.0
#: σ_w and σ_b that differ by no more, relative to σ_w, are one initialisation.
_SAME = 1e-3
#: Networks that often show a change to be too little, and those that confirm it: the law, or an estimate, allows half
#: of the risk, and so many would show it to be wrong.
_FEW, _ENOUGH = 128, 1024
#: Every how manyth level of a clip is looked at.
_COARSE = 6


def nothing_helps(requirement: Requirement, q: float) -> str:
    """What was tried of a network asked about at `q`, in a sentence."""
    others = "" if requirement.weights == "orthogonal" else " not orthogonal weights,"
    times = f" no width up to {round(_WIDER ** (_WIDTHS - 1), -2):.0f} times this one,"
    wider = times if requirement.risk >= _LEAST_RISK else ""
    return f"Nothing tried is enough by itself: {edges_tried(q)},{others} no clip,{wider} no smaller depth."


def remedies_at(
    point: OperatingPoint, found: Escapes, start: float | None = None, *, neutral: bool = False
) -> tuple[Remedy, ...]:
    """The changes that are each enough for the requirement of `found`, the networks at `point`, the cheapest first.

    `start` is the variance at layer 0 where one is asked for; by default signals start at the q* judged. A `neutral`
    signal may go where it likes.
    """
    search = _Search(point, found.requirement, start, neutral)
    ways = [search.inputs(), search.initialisation()]
    mends_all = any(way.q_star == point.start for way in ways if way)
    ways.append(search.orthogonal(found))
    # Where the initialisation alone is enough at this q*, a clip changes nothing that matters.
    ways.append(None if mends_all else search.clip())
    ways += [search.width(), search.depth()]
    return tuple(way for way in ways if way)


@dataclass(frozen=True)
class _Search:
    point: OperatingPoint
    requirement: Requirement
    start: float | None
    neutral: bool

    def inputs(self) -> Remedy | None:
        """Inputs of another size, where it is they that are at fault: such that layer 0 has the q* judged."""
        q = self.point.q_star
        if self.start is None or q is None or self.start == q:
            return None
        share = replace(self, start=None)._drawn(self.point.network, q, neutral=self.neutral, required=self._careful)
        return None if share is None else Remedy("inputs", q_star=q, share_lost=share)

    @property
    def _careful(self) -> Requirement:
        return self.requirement.careful

    def initialisation(self) -> Remedy | None:
        """The edge of chaos of φ nearest to the q* asked about that is enough."""
        confirmed = 0
        for edge in self._promising_edges():
            share = self._share(edge)
            if share is None or share > self.requirement.careful.risk:
                continue
            neutral = keeps_every_q(edge)
            if self._drawn(edge.mean_field, edge.q_star, neutral=neutral) is not None:
                remedy = replace(Remedy.at(edge, share_lost=share), verdict="neutral" if neutral else "safe")
                judged = self.point.q_star
                on_edge = judged is not None and phases(self.point.network.chi1(judged)) == "edge of chaos"
                # A start elsewhere may be to blame.
                settled = on_edge and self.start in (None, judged)
                return replace(remedy, instead_of=judged) if settled and edge.q_star != judged else remedy
            confirmed += 1
            if confirmed == _CONFIRMED:
                break
        return None

    def _promising_edges(self) -> Iterator[EdgeOfChaos]:
        """Edges of chaos that a first estimate does not rule out, the nearest first, as many as are looked at."""
        seen = [self.point.network]
        for edge in candidate_edges(self.point.network.activation, self.point.start):
            if len(seen) > _TRIED:
                return
            # Of a homogeneous φ every q* has the same.
            if any(_are_same(edge.mean_field, other) for other in seen):
                continue
            if _estimate(edge, self.requirement) <= _LIKELY * self.requirement.risk:
                seen.append(edge.mean_field)
                yield edge

    def orthogonal(self, found: Escapes) -> Remedy | None:
        """Orthogonal weights instead of Gaussian ones."""
        r, network, q = self.requirement, self.point.network, self.point.variance
        if r.weights == "orthogonal" or (not self.neutral and found.probability > _HOPELESS * r.risk):
            return None
        asked = replace(r, weights="orthogonal")
        if _gradient_estimate(network, q, asked) > _HOPELESS * r.risk:
            return None
        share = self._drawn(network, q, neutral=self.neutral, required=asked.careful)
        return None if share is None else Remedy("weights", weights="orthogonal", share_lost=share)

    def clip(self) -> Remedy | None:
        """The level of a clip, of two digits, at which the share lost is least, if that is enough."""
        phi, q, risk = self.point.network.activation, self.point.start, self.requirement.risk
        levels = clip_levels(phi, q)[::_COARSE]
        edges = [(m, edge) for m in levels if (edge := clipped_edge(phi, m, q))]
        ranked = sorted((_estimate(edge, self.requirement), -m, m, edge) for m, edge in _distinct(edges))
        likely = [(m, edge) for estimate, _, m, edge in ranked[:_TRIED] if estimate <= _HOPELESS * risk]
        shares = [(share, m, edge) for m, edge in likely if (share := self._share(edge)) is not None]
        for share, m, edge in sorted(shares, key=lambda way: way[:2])[:_CONFIRMED]:
            if share <= self.requirement.careful.risk and self._drawn(edge.mean_field, q) is not None:
                return Remedy.clipping(phi, m, edge, share)
        return None

    def width(self) -> Remedy | None:
        """About the least width that is enough, up to a thousand times the given one.

        By the law; orthogonal weights, which have none, are drawn.
        """
        r, network, q = self.requirement, self.point.network, self.point.variance
        if not self.point.q_star or r.risk < _LEAST_RISK:
            return None
        has_law = r.weights == "gaussian"
        widths = [round(r.width * _WIDER**n) for n in range(1, _WIDTHS)]
        asked = [replace(r, width=width) for width in widths if width <= LARGEST_COUNT]

        def seems_enough(n: int) -> bool:
            if _gradient_estimate(network, q, asked[n]) > r.careful.risk:
                return False
            if self.neutral or not has_law:
                return True
            try:
                return escape_probability(network, q, asked[n], self.start) <= r.careful.risk
            except DomainError:
                return False

        @cache
        def share(n: int) -> float:
            if not has_law:
                drawn = self._drawn(network, q, neutral=self.neutral, required=asked[n].careful)
                return 1.0 if drawn is None else drawn
            law = _law(network, q, asked[n], self.start, self.neutral)
            return 1.0 if law is None else float(law.either[-1])

        def is_enough(n: int) -> bool:
            return share(n) <= r.careful.risk

        first = first_index(len(asked), seems_enough)
        if first < len(asked) and not is_enough(first):
            first = next_ = first + 1
            first += first_index(len(asked) - next_, lambda n: is_enough(next_ + n))
        for n in filter(is_enough, range(first, min(first + _CONFIRMED, len(asked)))):
            if not has_law or self._drawn(network, q, neutral=self.neutral, required=asked[n]) is not None:
                return Remedy("width", width=_two_digits_up(asked[n].width), share_lost=share(n))
        return None

    def depth(self) -> Remedy | None:
        """The deepest network that is enough; of orthogonal weights by what Gaussian ones lose, which is more."""
        r, network, q = self.requirement, self.point.network, self.point.variance
        # In fewer layers moments may be doubles that are none in all of them.
        looked = (replace(r, weights="gaussian", depth=r.depth >> n) for n in range(r.depth.bit_length()))
        laws = (_law(network, q, shallow, self.start, self.neutral, r.careful.risk) for shallow in looked)
        law = next(filter(None, laws), None)
        if law is None:
            return None
        enough = law.either <= r.careful.risk
        deepest = len(enough) if enough.all() else int(np.argmin(enough))
        for depth in range(deepest, max(deepest - _CONFIRMED, 0), -1):
            shallow = replace(r, depth=depth)
            if depth < r.depth and self._drawn(network, q, neutral=self.neutral, required=shallow) is not None:
                return Remedy("depth", depth=depth, share_lost=float(law.either[depth - 1]))
        return None

    def _share(self, edge: EdgeOfChaos) -> float | None:
        """What networks lose on an edge, by the law; of orthogonal weights, which have none, by drawing them."""
        r, neutral = self.requirement, keeps_every_q(edge)
        if r.weights == "orthogonal":
            return self._drawn(edge.mean_field, edge.q_star, neutral=neutral, required=self._careful)
        law = _law(edge.mean_field, edge.q_star, r, self.start, neutral)
        return None if law is None else float(law.either[-1])

    def _drawn(
        self, network: MeanField, q: float, *, neutral: bool = False, required: Requirement | None = None
    ) -> float | None:
        """The share lost by networks of another seed than the verdict's.

        None if it is more than the risk, or inputs part or grow alike.
        """
        r = required or self.requirement
        path = variance_path(network, q if self.start is None else self.start, r.depth)
        if not abs(log_parting(network, path)) <= math.log(r.gradient_within):
            return None
        skewness = layer_moments(network, np.array([q]), r.width).skewness.item()
        normal = True if abs(skewness) <= _LARGEST_SKEWNESS else None
        for chains in sorted({min(r.chains, _FEW), min(r.chains, _ENOUGH)}):
            drawn = escapes(network, q, replace(r, seed=r.seed + 1, chains=chains), self.start, normal=normal)
            lost = drawn.lost(neutral=neutral)
            if drawn.interval_of(lost)[0] > r.risk:
                return None
        share = float(lost.mean())
        return share if share <= r.risk else None


def _are_same(a: MeanField, b: MeanField) -> bool:
    return math.hypot(a.sigma_w - b.sigma_w, a.sigma_b - b.sigma_b) <= _SAME * b.sigma_w


def keeps_every_q(edge: EdgeOfChaos) -> bool:
    """Whether V is the identity about q*, so that the signal may go where it likes: V'(q*) near 1 is too little."""
    if not is_neutral(edge):
        return False
    point = operating_point_of(edge).fixed_point
    return point is not None and point.kind == "neutral"


def _distinct(edges: list[tuple[float, EdgeOfChaos]]) -> list[tuple[float, EdgeOfChaos]]:
    """Levels so high that they change nothing give one network: the least of them stands for all."""
    return [
        (m, edge) for n, (m, edge) in enumerate(edges) if n + 1 == len(edges) or edges[n + 1][1].sigma_w != edge.sigma_w
    ]


def _estimate(edge: EdgeOfChaos, r: Requirement) -> float:
    """The share of networks that lose signal or gradient, about, from the first order in 1/N at q*."""
    network, q, V1 = edge.mean_field, edge.q_star, edge.V_prime
    lost = _gradient_estimate(network, q, r)
    if keeps_every_q(edge):
        return lost
    # ln q strays by what the kicks of all layers leave.
    kept = r.depth if abs(V1) >= 1 else min(r.depth, 1 / (1 - V1**2))
    return max(lost, _beyond(0.0, math.sqrt(kept * network.kick_variance(q) / r.width) / q, math.log(r.within)))


def _gradient_estimate(network: MeanField, q: float, r: Requirement) -> float:
    """The share of networks that lose their gradient, about: at least what layers at rest at q make."""
    law = GainLaw(network, np.array([q]), r.width, orthogonal=r.weights == "orthogonal")
    mean = r.depth * (math.log(max(network.gain(q), 1e-300)) + float(law.mean[0]))
    strays = _beyond(mean, math.sqrt(r.depth * float(law.variance[0])), math.log(r.gradient_within))
    return 1 - float(law.passes[0]) ** r.depth * (1 - strays)


def _beyond(mean: float, sd: float, limit: float) -> float:
    """P(|x| > limit) of a normal x."""
    if not sd:
        return float(abs(mean) > limit)
    normal = NormalDist(mean, sd)
    return normal.cdf(-limit) + 1 - normal.cdf(limit)


@lru_cache(maxsize=64)
def _law(
    network: MeanField, q_star: float, r: Requirement, start: float | None, neutral: bool, most: float = 1.0
) -> LossLaw | None:
    """None where moments on the way are no doubles."""
    try:
        return loss_law(network, q_star, r, start, neutral=neutral, most=most)
    except DomainError:
        return None


def _two_digits_up(n: int) -> int:
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit
