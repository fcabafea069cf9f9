"""Whether a deep network keeps its signal at a fixed point: one word, the mechanism, and the remedy.

Around a fixed point the variance obeys q → q* + V'(q*)(q − q*) + ½V''(q*)(q − q*)², and a finite network kicks q at
every layer. |V'| < 1 contracts the kicks; V' = 1 does not, and V'' ≠ 0 then drives q away on one side. That is the
instability of shifted ReLU and soft threshold, whose kinks lie where φ = 0 and so leave V'(q*) = 1 on the edge of
chaos; clipping them adds kinks where φ = m > 0, and V' < 1 (Price et al. 2024; docs/theory.md, section 6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.clips import stabilising_clip
from meanfield.infinite_width.fixed_points import FixedPoint, fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.operating_point import MARGIN, OperatingPoint, Subject, operating_point_of
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["FAR", "Diagnosis", "Phase", "Verdict", "diagnose", "off_the_edge", "phase", "phases", "verdict", "words"]

Phase = Literal["ordered", "edge of chaos", "chaotic"]

#: Stands for q → ∞, where no fixed point keeps q.
FAR = 1e280


@dataclass(frozen=True)
class Verdict(Shown):
    """`word`, `explanation`: the mechanism in a sentence; `remedy`: what to do, or None.

    For any width and depth the word is stable, neutral or unstable; for a given one safe, fragile, neutral or
    unstable. The explanation and the remedy are sentences for a person.
    """

    word: Literal["stable", "neutral", "unstable", "safe", "fragile"]
    explanation: str
    remedy: str | None = None

    def record(self) -> Record:
        """The word, and the mechanism with the remedy where one is known."""
        remedy = f" Remedy: {self.remedy}" if self.remedy else ""
        return {"verdict": self.word, "explanation": self.explanation + remedy}


@dataclass(frozen=True)
class Diagnosis(Shown):
    """Everything `meanfield check` says of a network.

    `point`: the network and the fixed point judged; `phase`: where gradients and correlations stand there (at q → ∞ if
    there is none); `verdict`: what becomes of the variance.
    """

    point: OperatingPoint
    phase: Phase
    verdict: Verdict

    paper = ("activation", "sigma_w", "sigma_b", "q_star", "V_prime", "phase", "verdict")

    def record(self) -> Record:
        """The network at its fixed point, phase, every fixed point and the verdict."""
        points = [point.record() for point in self.point.fixed_points]
        return {**self.point.record(), "phase": self.phase, "fixed_points": points, **self.verdict.record()}


def diagnose(subject: Subject, near: float = 1.0) -> Diagnosis:
    """Phase and verdict of a network, judged at its operating point: by default the fixed point nearest to `near` > 0.

    Raises:
        DomainError: `near` is not a finite number > 0.
    """
    point = operating_point_of(subject, near)
    network, judged = point.network, point.fixed_point
    if judged is None:
        return Diagnosis(point, phase(network, FAR), verdict(network, None))
    judgement = verdict(network, judged)
    explanation = " ".join([judgement.explanation, *off_the_edge(network, judged.q)])
    return Diagnosis(point, phase(network, judged.q), replace(judgement, explanation=explanation))


def off_the_edge(network: MeanField, q: float) -> list[str]:
    """What the phase does to gradients and correlations, in a sentence; nothing on the edge of chaos."""
    chi = network.chi1(q)
    if chi == math.inf:
        return ["χ₁ = ∞, for φ jumps: nearly equal inputs part at once, and no gradient passes a jump."]
    if phase(network, q) == "edge of chaos":
        return []
    fate = "gradients and differences between inputs die out" if chi < 1 else "gradients explode, near inputs part"
    depth = f" over {1 / abs(math.log(chi)):.3g} layers" if chi else " at once"
    return [f"χ₁(q*) = {chi:.4g}: {fate}{depth}."]


def phase(network: MeanField, q: float) -> Phase:
    """Ordered (χ₁ < 1: correlations and gradients die out), chaotic (χ₁ > 1: they part, explode) or the edge."""
    name: Phase = phases(network.chi1(q)).item()  # type: ignore[assignment]
    return name


def phases(gain: ArrayLike) -> NDArray[np.str_]:
    """The phases of networks with these χ₁, elementwise."""
    gain = np.asarray(gain)
    return np.where(np.abs(gain - 1) <= MARGIN, "edge of chaos", np.where(gain < 1, "ordered", "chaotic"))


def words(slope: ArrayLike, relative_curvature: ArrayLike) -> NDArray[np.str_]:
    """Stable, neutral or unstable by V'(q*) and q*V''(q*) alone, elementwise; empty where they are NaN."""
    slope, bend = np.asarray(slope, dtype=float), np.abs(np.asarray(relative_curvature, dtype=float))
    marginal = np.abs(slope - 1) <= MARGIN
    word = np.where(np.abs(slope) < 1, "stable", "unstable")
    word = np.where(marginal, np.where(bend <= MARGIN, "neutral", "unstable"), word)
    return np.where(np.isnan(slope), "", word)


def verdict(network: MeanField, fixed_point: FixedPoint | None) -> Verdict:
    """What becomes of the variance of a signal at `fixed_point`, one of `fixed_points(network)`.

    With None, the verdict of a network that has no fixed point. Local, for any width: V', V'' and the other fixed
    points of V around it.
    """
    if fixed_point is None:
        return Verdict("unstable", "V(q) > q for every q: no fixed point, q grows without bound from layer to layer.")
    if fixed_point.kind == "neutral":
        factor = "" if _is_one(fixed_point.slope) else f"{fixed_point.slope:.6g} q ≈ "
        return Verdict(
            "neutral",
            f"V(q) = {factor}q for every q: nothing pulls q back, so at finite width it drifts in a random walk, "
            "but χ₁ does not depend on q and gradients keep their size.",
        )
    slope, curvature, q = fixed_point.slope, fixed_point.curvature, fixed_point.q
    marginal = abs(slope - 1) <= MARGIN and q > 0
    if marginal and abs(q * curvature) <= MARGIN:
        return Verdict(
            "neutral",
            f"V'(q*) = {slope:.4g} and q*V''(q*) = {q * curvature:.2g}: around q* the variance map is the identity to "
            "within one per cent, so at finite width q drifts in a random walk.",
        )
    if marginal:
        return Verdict("unstable", _marginal(slope, curvature), _remedy(network.activation, q))
    if slope > 1:
        explanation = f"V'(q*) = {slope:.4g} > 1: any deviation from q* grows by this factor each layer."
        return Verdict("unstable", explanation, _remedy(network.activation, q))
    if slope <= -1:
        explanation = f"V'(q*) = {slope:.4g} <= -1: q overshoots q* and swings ever further from layer to layer."
        return Verdict("unstable", explanation)
    return Verdict("stable", _contracting(network, fixed_point))


def _is_one(slope: float) -> bool:
    """Whether a slope is 1 up to the rounding of σ_w and q*."""
    return abs(slope - 1) < 1e-6


def _marginal(slope: float, curvature: float) -> str:
    one = "1" if _is_one(slope) else f"{slope:.4g} ≈ 1"
    if curvature > 0:
        return f"V'(q*) = {one} and V''(q*) = {curvature:.4g} > 0: q returns from below but runs away above q*."
    return f"V'(q*) = {one} and V''(q*) = {curvature:.4g} < 0: q runs away below q* and returns from above."


def _contracting(network: MeanField, fixed_point: FixedPoint) -> str:
    slope, q = fixed_point.slope, fixed_point.q
    if q == 0:
        return f"V'(0) = {slope:.4g}: small signals die out, q → 0."
    depth = fixed_point.depth_scale
    text = f"|V'(q*)| = {abs(slope):.4g} < 1: deviations shrink back over ξ_q = {depth:.3g} layers"
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
    return f"{text}; but {', and '.join(limits)}." if limits else f"{text}."


def _remedy(activation: PiecewiseLinear, q: float) -> str | None:
    clip = stabilising_clip(activation, q)
    if clip is None:
        return None
    m, edge = clip
    return (
        f"clip at m = {m:g}: sign(φ)·min(|φ|, {m:g}) with σ_w = {edge.sigma_w:.6g}, σ_b = {edge.sigma_b:.6g} "
        f"has V'(q*) = {edge.V_prime:.3f} and no other fixed point."
    )
