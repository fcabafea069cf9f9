"""What to change in a network that does not keep its signal: the initialisation alone, or the clip level of φ.

The edge of chaos at q*, or at another q*, costs nothing. Where no edge keeps q, clipping |φ| ≤ m does: it adds kinks
where φ = m > 0, and those lower V'(q*) on the edge (Price et al. 2024; docs/theory.md, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from meanfield.activations.activation import Activation
from meanfield.activations.clipping import clipped
from meanfield.activations.wording import formula_of
from meanfield.errors import MeanFieldError
from meanfield.infinite_width.criteria import words
from meanfield.infinite_width.edge import EdgeOfChaos, edge_curve, edge_of_chaos
from meanfield.infinite_width.fixed_points import fixed_points
from meanfield.infinite_width.roots import decimals
from meanfield.lettering import counted
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = [
    "Remedy",
    "candidate_edges",
    "clip_levels",
    "clipped_edge",
    "in_words",
    "is_neutral",
    "remedies",
    "stabilising_clip",
]

#: A clip is recommended for any width when V'(q*) is at most this: deviations then fall to 3 % within ten layers.
_CLIPPED_SLOPE = 0.7
#: Of a V'(q*) on the edge that is 1.
_ROUNDING = 1e-9
#: A formula of more characters is no part of a sentence.
_FORMULA = 100
#: Other q* are looked for up to this many factors of two away, four to a factor.
_FACTORS_OF_TWO = 6


@dataclass(frozen=True)
class Remedy(Shown):
    """One change that is enough by itself.

    Attributes:
        what: inputs, scaled so that layer 0 has q*; initialisation, of φ as it is; weights, orthogonal ones; clip, of φ
            at |φ| ≤ m, with its initialisation; width; or depth.
        m: the clip level.
        activation: φ clipped there, as an expression.
        q_star, sigma_w, sigma_b, V_prime, sparsity: the edge of chaos that goes with it.
        instead_of: the variance of the edge judged, where that itself is the trouble: the same φ on its edge at
            `q_star` is none (Dent and Tanner 2026).
        weights: orthogonal, where that is the change.
        width: about the least that is enough.
        depth: the deepest that is safe.
        verdict: what the network is then: stable or neutral at any width, safe or neutral at a given one.
        share_lost: the share of networks that lose signal or gradient then; None where no width and depth were given.

    What does not belong to the change is None.
    """

    what: Literal["inputs", "initialisation", "weights", "clip", "width", "depth"]
    m: float | None = None
    activation: str | None = None
    q_star: float | None = None
    sigma_w: float | None = None
    sigma_b: float | None = None
    V_prime: float | None = None
    sparsity: float | None = None
    instead_of: float | None = None
    weights: Literal["orthogonal"] | None = None
    width: int | None = None
    depth: int | None = None
    verdict: Literal["stable", "neutral", "safe"] = "safe"
    share_lost: float | None = None

    @classmethod
    def at(cls, edge: EdgeOfChaos, share_lost: float | None = None) -> Remedy:
        """The initialisation of this edge of chaos."""
        kept: Literal["stable", "safe"] = "stable" if share_lost is None else "safe"
        return cls(
            "initialisation",
            q_star=edge.q_star,
            sigma_w=edge.sigma_w,
            sigma_b=edge.sigma_b,
            V_prime=edge.V_prime,
            sparsity=edge.sparsity or None,
            verdict="neutral" if is_neutral(edge) else kept,
            share_lost=share_lost,
        )

    @classmethod
    def clipping(cls, phi: Activation, m: float, edge: EdgeOfChaos, share_lost: float | None = None) -> Remedy:
        """`phi` clipped at |φ| ≤ m, with its edge of chaos."""
        formula = f"clip({formula_of(phi)}, {-m:g}, {m:g})"
        return replace(cls.at(edge, share_lost), what="clip", m=m, activation=formula)

    def record(self) -> Record:
        """Every field."""
        return asdict(self)

    def __str__(self) -> str:
        match self.what:
            case "inputs":
                return f"inputs scaled so that layer 0 has the variance {self.q_star:.6g}"
            case "weights":
                return "orthogonal weights"
            case "width":
                return f"a width of about {self.width}"
            case "depth":
                assert self.depth is not None
                return f"at most {counted(self.depth, 'layer')}"
            case "initialisation":
                here = " here" if self.verdict == "safe" else ""
                trouble = "" if self.instead_of is None else f"q* = {self.instead_of:.6g} itself is the trouble: "
                zeros = f" and a sparsity of {self.sparsity:.3g}" if trouble and self.sparsity else ""
                return (
                    f"{trouble}σ_w = {self.sigma_w:.8g}, σ_b = {self.sigma_b:.8g}, the edge of chaos at "
                    f"q* = {self.q_star:.6g}, has V'(q*) = {self.V_prime:.3f}{zeros} and is {self.verdict}{here}"
                )
            case "clip":
                held = "no other fixed point" if self.share_lost is None else "is safe here"
                clip = self.activation
                told = clip if clip and len(clip) <= _FORMULA else f"sign(φ)·min(|φ|, {self.m:g})"
                return (
                    f"clip at m = {self.m:g}: {told} with σ_w = {self.sigma_w:.6g}, "
                    f"σ_b = {self.sigma_b:.6g} has V'(q*) = {self.V_prime:.3f} and {held}"
                )


def is_neutral(edge: EdgeOfChaos) -> bool:
    """Whether nothing pulls q back at q*, nor pushes it away."""
    return bool(words(edge.V_prime, edge.q_star * edge.V_double_prime) == "neutral")


def in_words(remedies: tuple[Remedy, ...]) -> str | None:
    """The remedies as a sentence, None if there are none."""
    return "; or ".join(map(str, remedies)) + "." if remedies else None


def remedies(activation: Activation, q: float) -> tuple[Remedy, ...]:
    """What keeps a signal of variance about `q` at any width: the cheapest of an edge of chaos and a clip."""
    edge = next(candidate_edges(activation, q), None)
    if edge:
        return (Remedy.at(edge),)
    clip = stabilising_clip(activation, q)
    return (Remedy.clipping(activation, *clip),) if clip else ()


def edges_tried(q: float) -> str:
    """Which edges of chaos `candidate_edges` looks at, where none of them will do, as a clause."""
    factor = 2**_FACTORS_OF_TWO
    return f"no edge of chaos of φ at a q* from {q / factor:.3g} to {q * factor:.3g}"


def candidate_edges(activation: Activation, q: float) -> Iterator[EdgeOfChaos]:
    """The edges of chaos of φ that are stable or neutral, at `q` and around it, the nearest first."""
    steps = sorted(range(-4 * _FACTORS_OF_TWO, 4 * _FACTORS_OF_TWO + 1), key=abs)
    try:
        curve = edge_curve(activation, [q * 2 ** (step / 4) for step in steps])
    except MeanFieldError:
        return
    kept = np.isin(words(curve.V_prime, curve.q_star * curve.V_double_prime), ("stable", "neutral"))
    # What is neutral to within a margin may still push q away.
    kept &= curve.V_prime <= 1 + _ROUNDING
    for q_star in curve.q_star[kept].tolist():
        yield edge_of_chaos(activation, q_star)


def clip_levels(activation: Activation, q_star: float) -> list[float]:
    """Levels of two significant digits, descending over two decades from the largest |φ| that a signal reaches.

    All are below the supremum of |φ|, so that each changes φ.
    """
    reach = np.linspace(-6, 6, 241) * math.sqrt(q_star)
    highest = float(np.abs(activation.values(reach)).max())
    levels = decimals(2, 1e-2 * highest, highest) if highest else []
    return [m for m in levels if m < activation.supremum]


def clipped_edge(activation: Activation, m: float, q_star: float) -> EdgeOfChaos | None:
    """The edge of chaos of φ clipped at m, None where it has none."""
    try:
        phi = clipped(activation, -m, m)
        # Which q* would do, as a refusal says it, takes longer than all else.
        return None if math.isnan(edge_curve(phi, q_star).sigma_w) else edge_of_chaos(phi, q_star)
    except MeanFieldError:
        return None


def stabilising_clip(activation: Activation, q_star: float) -> tuple[float, EdgeOfChaos] | None:
    """The largest level m, to two digits, at which clipping |φ| ≤ m makes q* stable; and the clipped edge of chaos.

    Stable here: V'(q*) ≤ 0.7 on the edge of chaos of the clipped activation, and q* is its only fixed point.
    None where no m in reach of the signal does that.
    """

    def stable_edge(m: float) -> EdgeOfChaos | None:
        edge = clipped_edge(activation, m, q_star)
        if edge is None or edge.V_prime > _CLIPPED_SLOPE or len(fixed_points(edge.mean_field)) != 1:
            return None
        return edge

    levels = clip_levels(activation, q_star)
    # V'(q*) falls with m until the clip is tight, so a coarse scan brackets the largest m that will do.
    coarse = next((n for n in range(0, len(levels), 10) if stable_edge(levels[n])), None)
    if coarse is None:
        return None
    for m in levels[max(coarse - 9, 0) : coarse + 1]:
        if edge := stable_edge(m):
            return m, edge
    return None
