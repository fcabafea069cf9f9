"""Whether a deep network keeps signal, gradient and inputs at a fixed point, at any width: the mechanism of each.

Around a fixed point the variance obeys q → q* + V'(q*)(q − q*) + ½V''(q*)(q − q*)², and a finite network kicks q at
every layer. V' < 1 contracts the kicks (V' ≥ −½ there); V' = 1 does not, and V'' ≠ 0 then drives q away on one side.
That is the instability of shifted ReLU and soft threshold, whose kinks lie where φ = 0 and so leave V'(q*) = 1 on the
edge of chaos; clipping them adds kinks where φ = m > 0, and V' < 1 (Price et al. 2024; docs/theory.md, section 6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from meanfield.errors import UndefinedCorrelation
from meanfield.infinite_width.criteria import MARGIN, Phase, is_tangency, phases, words
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.fixed_points import FixedPoint, fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.operating_point import NEAR, OperatingPoint, Subject, farthest, operating_point_of
from meanfield.infinite_width.remedies import edges_tried, remedies
from meanfield.infinite_width.verdict import Gradient, Inputs, Signal, Verdict, Word
from meanfield.lettering import counted
from meanfield.quantities import GRADIENT_WITHIN
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["Diagnosis", "decay", "diagnose", "parting", "phase", "verdict"]

#: κ and R''(1) below which inputs keep their difference.
_UNSEEN = 1e-9
#: What holds for any width and depth does not say how far narrow layers stray.
_SCOPE = "This is the limit N → ∞: give a width and depth for the share of networks that lose signal or gradient."


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
    """Everything `meanfield check` says of a network.

    `point`: the network and the fixed point judged; `phase`: where gradients and correlations stand there (at q → ∞ if
    there is none); `verdict`: what becomes of signal, gradient and inputs.
    """

    point: OperatingPoint
    phase: Phase
    verdict: Verdict

    paper = ("activation", "sigma_w", "sigma_b", "q_star", "V_prime", "phase", "verdict")

    def record(self) -> Record:
        """The network at its fixed point, phase, every fixed point and the verdict."""
        points = [point.record() for point in self.point.fixed_points]
        at = {**self.point.record(), "chi_1": self.chi_1}
        return {**at, "phase": self.phase, "fixed_points": points, **self.verdict.record()}

    @property
    def chi_1(self) -> float:
        """χ₁ where the network is judged, the gain of a squared gradient."""
        return self.point.network.chi1(_judged_at(self.point))


def diagnose(subject: Subject, start: float = 1.0, *, with_remedies: bool = True) -> Diagnosis:
    """Phase and verdict of a network, judged where V takes a signal of variance `start` > 0.

    The search for remedies takes longest, and may be left out.

    Raises:
        DomainError: `start` is not a finite number > 0.
    """
    point = operating_point_of(subject, start)
    network = point.network
    judged = verdict(network, point.fixed_point, point.start)
    looked = with_remedies and not judged.is_good
    ways = remedies(network.activation, point.start) if looked else ()
    tried = f"Nothing tried is enough by itself: {edges_tried(point.start)}, no clip." if looked and not ways else ""
    return Diagnosis(point, phase(network, _judged_at(point)), replace(judged, remedies=ways, tried=tried))


def _judged_at(point: OperatingPoint) -> float:
    return point.fixed_point.q if point.fixed_point else farthest(point.network.activation)


def phase(network: MeanField, q: float) -> Phase:
    """The phase at variance q: ordered, chaotic or the edge of chaos."""
    name: Phase = phases(network.chi1(q)).item()  # type: ignore[assignment]
    return name


def verdict(network: MeanField, fixed_point: FixedPoint | None, start: float = 1.0) -> Verdict:
    """What becomes of signals of variance `start` at `fixed_point`, one of `fixed_points(network)`, without remedies.

    With None, the verdict of a network in which q grows without bound. Local, for any width: V', V'' and the other
    fixed points of V around it, χ₁ and R there.
    """
    q = fixed_point.q if fixed_point else farthest(network.activation)
    signal, inputs = _signal(network, fixed_point, start), _inputs(network, q, settled=fixed_point is not None)
    return Verdict(signal, _gradient(network, q), inputs, scope=_SCOPE)


def _gradient(network: MeanField, q: float) -> Gradient:
    gain = network.gain(q)
    if phases(gain) == "edge of chaos":
        return Gradient("stable", f"χ₁(q*) = {gain:.4g}: gradients keep their size.")
    return Gradient("unstable", decay(gain))


def decay(gain: float, within: float = GRADIENT_WITHIN) -> str:
    """What a gain other than 1 makes of gradients, in a sentence."""
    if not gain:
        return "χ₁ = 0: no gradient passes a layer."
    layers = 1 / abs(math.log(gain))
    fate = "die out" if gain < 1 else "explode"
    most = math.floor(layers * math.log(within))
    return (
        f"χ₁(q*) = {gain:.4g}: gradients {fate}, their square by a factor e in {layers:.3g} layers, and by less than "
        f"{within:g} over at most {counted(most, 'layer')}."
    )


def _inputs(network: MeanField, q: float, *, settled: bool) -> Inputs:
    if not q and phases(network.dV(0.0)) != "edge of chaos":
        return Inputs("unstable", "No signal is left that could tell inputs apart.")
    try:
        # As q → 0 the slope of R is what it is at a q of that kind.
        slope = network.dR(1.0, q)
    except UndefinedCorrelation:
        return Inputs("unstable", "As q grows no correlation is left that is a number.")
    word: Word = "stable" if phases(slope) == "edge of chaos" else "unstable"
    if not settled or not q:
        return Inputs(word, f"As q {'falls' if settled else 'grows'}, R'(1) tends to {slope:.4g}.")
    rho, depth = (float(found) for found in correlation_depth(network.activation, network.sigma_w_squared, np.array(q)))
    return Inputs(word, parting(network, q, rho, depth), rho=rho, xi_c=depth)


def parting(network: MeanField, q: float, rho_star: float, depth: float) -> str:
    """What becomes of differences between inputs at a fixed point q, in a sentence: to which ρ*, over which ξ_c."""
    chi = network.chi1(q)
    if chi == math.inf:
        return f"χ₁ = ∞, for φ jumps: nearly equal inputs part at once, and correlations settle at ρ* = {rho_star:.4g}."
    if phases(chi) == "edge of chaos":
        kappa, bend = network.kappa(q), network.d2R(1.0, q)
        # What is left of kinks out of sight is rounding.
        if kappa < _UNSEEN and abs(bend) < _UNSEEN:
            return "Inputs keep their difference."
        rate = f"4/({kappa:.3g} l)²" if kappa >= _UNSEEN else f"2/({bend:.3g} l)"
        return f"Inputs grow alike slowly, 1 − ρ as {rate} over l layers."
    if not chi:
        return "Nearly equal inputs are one after a layer."
    if chi < 1:
        return f"Differences between inputs die out, by a factor e in ξ_c = {depth:.3g} layers."
    return (
        f"Near inputs part, by a factor e in {1 / math.log(chi):.3g} layers, until their correlation is "
        f"ρ* = {rho_star:.4g} (ξ_c = {depth:.3g} layers)."
    )


def _signal(network: MeanField, fixed_point: FixedPoint | None, start: float) -> Signal:
    if fixed_point is None:
        return Signal("unstable", _growing(network, start))
    slope, q = fixed_point.slope, fixed_point.q
    # At 0 the curvature may be endless: V falls away from the identity, or leaves it, more slowly than any factor.
    bend = q * fixed_point.curvature if q else 0.0
    word = "neutral" if fixed_point.kind == "neutral" else str(words(slope, bend))
    if word == "neutral":
        return Signal("neutral", _neutral(network, fixed_point, start))
    if word == "stable":
        return Signal("stable", _contracting(network, fixed_point, start))
    if is_tangency(slope, bend):
        return Signal("unstable", _marginal(slope, fixed_point.curvature))
    return Signal("unstable", f"V'(q*) = {slope:.4g} > 1: any deviation from q* grows by this factor each layer.")


def _growing(network: MeanField, start: float) -> str:
    rate = network.dV(farthest(network.activation))
    pace = f", in the end by a factor {rate:.4g} a layer" if rate > 1 + MARGIN else ""
    every = "for every q" if not fixed_points(network) else f"for every q from {start:.4g} on"
    return f"V(q) > q {every}: no fixed point holds q, and it grows without bound{pace}."


def _neutral(network: MeanField, point: FixedPoint, start: float) -> str:
    walk = "so what layers of finite width add to it stays"
    if network.activation.is_homogeneous and not network.sigma_b:
        off = "" if _is_one(point.slope) else f"{point.slope:.6g} q ≈ "
        slow = "" if _is_one(point.slope) else f" (a factor e in {1 / abs(math.log(point.slope)):.3g} layers)"
        return f"V(q) = {off}q for every q{slow}: nothing pulls q back, {walk}; but χ₁ does not depend on q."
    if point.kind == "neutral":
        gap = network.V(point.q) / point.q - 1
        return f"V(q)/q − 1 = {gap:.2g} at q = {point.q:.4g}: around there the variance map is the identity, {walk}."
    if point.q == 0:
        falls = f"from q = {start:.4g} a signal falls towards 0, ever more slowly"
        if -math.inf < point.curvature < 0:
            # Of q → q + ½V''(0)q².
            rate = f"V''(0) = {point.curvature:.4g} < 0"
            return f"V'(0) = {point.slope:.6g} and {rate}: {falls}, as {-2 / point.curvature:.4g}/l over l layers."
        if point.curvature == -math.inf:
            return f"V'(0) = {point.slope:.6g} and V''(0) = −∞: {falls}."
        return f"V'(0) = {point.slope:.6g}: {falls}, for near 0 the variance map is the identity."
    slow = f" (V' pulls q back over ξ_q = {point.depth_scale:.3g} layers)" if point.slope < 1 else ""
    return (
        f"V'(q*) = {point.slope:.4g} and q*V''(q*) = {point.q * point.curvature:.2g}: around q* the variance map is "
        f"the identity to within one per cent{slow}, {walk}."
    )


def _is_one(slope: float) -> bool:
    """Whether a slope is 1 up to the rounding of σ_w and q*."""
    return abs(slope - 1) < 1e-6


def _marginal(slope: float, curvature: float) -> str:
    one = f"{slope:.4g}" if f"{slope:.4g}" == "1" else f"{slope:.4g} ≈ 1"
    if curvature > 0:
        return f"V'(q*) = {one} and V''(q*) = {curvature:.4g} > 0: q returns from below but runs away above q*."
    return f"V'(q*) = {one} and V''(q*) = {curvature:.4g} < 0: q runs away below q* and returns from above."


def _contracting(network: MeanField, fixed_point: FixedPoint, start: float) -> str:
    slope, q = fixed_point.slope, fixed_point.q
    limits = _limits(network, q)
    if q == 0:
        scale = f" over {fixed_point.depth_scale:.3g} layers" if slope else ""
        return f"V'(0) = {slope:.4g}: small signals die out{scale}, q → 0{limits}."
    pull = "deviations shrink back" if abs(slope - 1) > MARGIN else "deviations shrink back, but slowly,"
    settles = "" if abs(math.log(q / start)) <= NEAR else f"a signal of variance {start:.4g} settles at {q:.4g}: "
    text = f"{settles}|V'(q*)| = {abs(slope):.4g} < 1: {pull} over ξ_q = {fixed_point.depth_scale:.3g} layers"
    return f"{text}{limits}."


def _limits(network: MeanField, q: float) -> str:
    """How far the pull of a stable q reaches, and what is beyond, as the end of a sentence."""
    # A repelling fixed point at 0 only says that no signal dies out.
    others = [p for p in fixed_points(network) if p.q > 0 and p.kind != "neutral"]
    below = [p for p in others if p.q < q and p.kind != "stable"]
    above = [p for p in others if p.q > q and p.kind != "stable"]
    limits = []
    if below:
        lower = [p.q for p in others if p.q < below[-1].q]
        limits.append(f"below q = {below[-1].q:.4g} it falls to {f'q = {lower[-1]:.4g}' if lower else '0'}")
    if above:
        higher = [p.q for p in others if p.q > above[0].q]
        limits.append(f"past q = {above[0].q:.4g} it {f'moves to q = {higher[0]:.4g}' if higher else 'runs away'}")
    return f"; but {', and '.join(limits)}" if limits else ""
