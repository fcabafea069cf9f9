"""Whether a network of a given width and depth keeps its signal: what an infinitely wide one cannot tell.

V'(q*) < 1 is local. Another fixed point may stand close by, the kicks of a narrow layer may be large, or an unstable
mechanism too slow for the layers there are. The verdict rests on the escape probability of random networks of this
width and depth; basin, fluctuations and Jacobian tell why. docs/theory.md, section 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_a, require_signal
from meanfield.errors import NoSignal
from meanfield.finite_width.escape import Escapes, Requirement, escapes
from meanfield.finite_width.fluctuations import Fluctuations, fluctuations
from meanfield.finite_width.jacobian import SquaredSingularValues, squared_singular_values
from meanfield.finite_width.remedies import safe_clip, sufficient_width
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.fixed_points import FixedPoint, basin
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import sloping_share
from meanfield.infinite_width.stability import Diagnosis, Verdict, off_the_edge

__all__ = ["FiniteWidth", "at_width"]

Array = NDArray[np.float64]

#: Mean and standard deviation of ln Π χ₁ up to which a drift of q does nothing to gradients.
_HARMLESS = 0.1


@dataclass(frozen=True, eq=False)
class FiniteWidth:
    """Everything `meanfield stability` says of a network.

    Attributes:
        diagnosis: what holds at any width; its operating point is q*.
        requirement: width, depth, and which share of networks may escape.
        start: variance at layer 0.
        verdict: safe, fragile, neutral or unstable, with the mechanism and what would be safe.
        basin: the interval of variances that tend to q*.
        margin: the distance from q* to the nearer end of the basin, in standard deviations of q at the last layer.
        xi_q, xi_c: layers over which a deviation of q, and of the correlation from its fixed point, falls by e.
        fluctuations: mean and standard deviation of q by layer, predicted.
        escapes: the random networks themselves, and how many have escaped.
        sensitivity: q*χ₁'(q*), the relative change of a gradient's gain with a relative change of q.
        log_gain_mean, log_gain_sd: over the random networks, of ln Π χ₁(q^l) over the layers.
        jacobian: squared singular values of the Jacobian of all layers.
    """

    diagnosis: Diagnosis
    requirement: Requirement
    start: float
    verdict: Verdict
    basin: tuple[float, float]
    margin: float
    xi_q: float
    xi_c: float
    fluctuations: Fluctuations
    escapes: Escapes
    sensitivity: float
    log_gain_mean: float
    log_gain_sd: float
    jacobian: SquaredSingularValues


def at_width(
    diagnosis: Diagnosis,
    requirement: Requirement,
    start: float | None = None,
    advance: Callable[[int], object] | None = None,
) -> FiniteWidth:
    """What becomes of a signal in random networks of the required width and depth.

    Args:
        diagnosis: of the network at any width, by `diagnose`.
        requirement: width, depth, risk; chains and seed of the random numbers.
        start: the variance at layer 0, by default q*.
        advance: called with the number of random networks just done.

    Raises:
        NoSignal: the network has no fixed point q* > 0.
        DomainError: `start` is not a finite number > 0.
    """
    require_a(Diagnosis, "diagnosis", diagnosis)
    require_a(Requirement, "requirement", requirement)
    network, point = diagnosis.point.network, diagnosis.point.fixed_point
    if point is None or point.q == 0:
        fate = "dies out" if point and point.slope <= 1 else "grows without bound"
        raise NoSignal(f"the network has no fixed point q* > 0 to stay at: q {fate}; give other sigma_w and sigma_b")
    begin = point.q if start is None else start
    require_signal(begin, "q0")
    found = escapes(network, point.q, requirement, begin, advance=advance)
    ends = basin(diagnosis.point.fixed_points, point)
    strays = fluctuations(network, point, requirement.width, requirement.depth, begin)
    sd = float(strays.sd[-1])
    distance = min(point.q - ends[0], ends[1] - point.q)
    mean_gain, sd_gain = _log_gain(network, found.variances)
    gain = network.chi1(point.q)
    return FiniteWidth(
        diagnosis=diagnosis,
        requirement=requirement,
        start=begin,
        verdict=_judge(diagnosis, point, found, begin, ends, sd, (mean_gain, sd_gain)),
        basin=ends,
        margin=distance / sd if sd else math.inf,
        xi_q=point.depth_scale,
        xi_c=float(correlation_depth(network.activation, network.sigma_w_squared, point.q)[1]),
        fluctuations=strays,
        escapes=found,
        sensitivity=point.q * network.dchi1(point.q) if gain < math.inf else math.nan,
        log_gain_mean=mean_gain,
        log_gain_sd=sd_gain,
        jacobian=squared_singular_values(network, point.q, requirement.depth),
    )


def _log_gain(network: MeanField, variances: Array) -> tuple[float, float]:
    """Mean and standard deviation over the chains of ln Π χ₁(q^l), l = 0…L − 1; NaN where φ jumps."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(network.chi1(variances[:-1])).sum(axis=0)
        return float(logs.mean()), float(logs.std())


def _judge(
    diagnosis: Diagnosis,
    point: FixedPoint,
    found: Escapes,
    start: float,
    ends: tuple[float, float],
    sd: float,
    log_gain: tuple[float, float],
) -> Verdict:
    local, network, r = diagnosis.verdict, diagnosis.point.network, found.requirement
    fate = _fate(found, point.q, start)
    drift = r.depth * math.log(point.slope) if point.kind == "neutral" else 0.0
    if abs(drift) > 0.5 * math.log(r.within):
        explanation = (
            f"V(q) = {point.slope:.6g} q for every q: over {r.depth} layers q changes by a factor "
            f"{math.exp(min(drift, 700)):.3g}, and gradients with it. At width {r.width}, {fate}."
        )
        edge = edge_of_chaos(network.activation, point.q)
        return Verdict("unstable", explanation, f"σ_w = {edge.sigma_w:.8g}, σ_b = 0, the edge of chaos.")
    if point.kind == "neutral" or (local.word == "neutral" and max(map(abs, log_gain)) <= _HARMLESS):
        return Verdict("neutral", f"{local.explanation} {_drift(network, point.q, found)}; {fate}.")
    asides = " ".join(["", *off_the_edge(network, point.q), *_cut(network, point.q, r)])
    pulled = f"{_pull(point, ends, sd, r.width)}: {fate}.{asides}"
    if found.probability <= r.risk and local.word != "unstable":
        return Verdict("safe", pulled)
    if found.probability <= r.risk:
        note = f"The mechanism is unstable all the same, and only this depth saves it: {local.explanation}"
        return Verdict("safe", f"{_capital(fate)}. {note}{asides}")
    remedy = _remedy(network, point.q, found, start)
    if local.word != "unstable":
        return Verdict("fragile", pulled, remedy)
    return Verdict("unstable", f"{local.explanation} At width {r.width}, {fate}.{asides}", remedy)


def _cut(network: MeanField, q: float, r: Requirement) -> list[str]:
    """A sentence on networks in which a whole layer rests, so that no signal and no gradient passes; if there are."""
    if not network.activation.is_continuous:
        return []
    resting = (1 - sloping_share(network.activation, q)) ** r.width
    share = 1 - (1 - resting) ** r.depth
    if share <= r.risk:
        return []
    return [
        f"But {100 * share:.3g} % of networks have a layer without a sloping unit, and are cut there: give more width."
    ]


def _drift(network: MeanField, q: float, found: Escapes) -> str:
    """How far a random walk has led ln q, in the networks and by leading order, as a sentence without its stop."""
    r, last = found.requirement, found.variances[-1]
    alive = last[last > 0]
    if not alive.size:
        return f"At width {r.width} every network has lost its signal, q = 0, by layer {r.depth}"
    leading = math.sqrt(r.depth * network.kick_variance(q) / r.width) / q
    died = f" and {1 - alive.size / last.size:.2%} have lost it, q = 0" if alive.size < last.size else ""
    return (
        f"At width {r.width}, ln q has standard deviation {np.log(alive).std():.3g} by layer {r.depth} "
        f"(√(L S/N)/q* = {leading:.3g} to leading order){died}"
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _fate(found: Escapes, q: float, start: float) -> str:
    """How many networks have escaped, as a clause."""
    r = found.requirement
    count = int(found.outside[-1])
    share = 100 * found.probability
    who = f"{share:{'.2g' if share < 1 else '.1f'}} % of networks have" if count else f"none of {r.chains} networks has"
    begin = "" if start == q else f" from q = {start:.4g}"
    return f"{who} q outside [{q / r.within:.4g}, {q * r.within:.4g}] at layer {r.depth}{begin}"


def _pull(point: FixedPoint, ends: tuple[float, float], sd: float, width: int) -> str:
    """What holds q, how far it strays, and where its basin ends, as a clause."""
    held, scale = f"V'(q*) = {point.slope:.4g}", point.depth_scale
    pull = f"{held} pulls q back over ξ_q = {scale:.3g} layers" if scale < 1e4 else f"{held} hardly pulls q back"
    strays = f"q strays by {sd:.3g} (one standard deviation at width {width})"
    walls = [(abs(end - point.q), end) for end in ends if 0 < end < math.inf]
    if not walls:
        return f"{pull}, and {strays}"
    distance, end = min(walls)
    beyond = (
        f"its basin ends at q = {end:.4g}, {distance / sd:.2g} of them away" if sd else f"its basin ends at {end:.4g}"
    )
    return f"{pull}, {strays}, and {beyond}"


def _remedy(network: MeanField, q: float, found: Escapes, start: float) -> str | None:
    """The smallest changes that are each enough: a clip, a width, a depth."""
    requirement = found.requirement
    ways = []
    if clip := safe_clip(network.activation, q, requirement, start):
        m, edge = clip
        ways.append(
            f"clip at m = {m:g}: sign(φ)·min(|φ|, {m:g}) with σ_w = {edge.sigma_w:.6g}, σ_b = {edge.sigma_b:.6g} "
            f"has V'(q*) = {edge.V_prime:.3f} and is safe here"
        )
    if width := sufficient_width(network, q, requirement, start):
        ways.append(f"a width of about {width}")
    if found.safe_depth > 0:
        ways.append(f"at most {found.safe_depth} layer{'s' if found.safe_depth > 1 else ''}")
    return "; or ".join(ways) + "." if ways else None
