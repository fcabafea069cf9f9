"""Whether a network of a given width and depth keeps its signal: what an infinitely wide one cannot tell.

V'(q*) < 1 is local. Another fixed point may stand close by, the kicks of a narrow layer may be large, or an unstable
mechanism too slow for the layers there are. The verdict rests on the escape probability of random networks of this
width and depth; basin, fluctuations and Jacobian tell why. docs/theory.md, section 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_a, require_signal
from meanfield.finite_width.escape import Escapes, Requirement, escapes
from meanfield.finite_width.fluctuations import Fluctuations, fluctuations, variance_path
from meanfield.finite_width.jacobian import SquaredSingularValues, squared_singular_values
from meanfield.finite_width.remedies import remedies_at
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.fixed_points import FixedPoint, basin
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import sloping_share
from meanfield.infinite_width.operating_point import OperatingPoint
from meanfield.infinite_width.stability import Diagnosis, Verdict, Word, off_the_edge
from meanfield.tables.records import Record, few_layers
from meanfield.tables.shown import Shown

__all__ = ["FiniteWidth", "at_width"]

Array = NDArray[np.float64]

#: Mean and standard deviation of ln Π χ₁ up to which a drift of q does nothing to gradients.
_HARMLESS = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class FiniteWidth(Shown):
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

    Where no signal q* > 0 is left, networks have escaped when they leave the variance asked about, and what is said of
    q* is NaN.
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

    @property
    def judged(self) -> Diagnosis:
        """The diagnosis, with the verdict at this width and depth."""
        return replace(self.diagnosis, verdict=self.verdict)

    paper = ("activation", "width", "depth", "V_prime", "escape_probability", "verdict")

    def record(self) -> Record:
        """Every number, what was asked, and some layers with a row each; None where there is nothing to say."""
        point, required = self.diagnosis.point, self.requirement
        at = point.fixed_point if point.q_star else None
        return {
            "activation": point.network.activation.name,
            "q_star": point.q_star,
            "sigma_w": point.network.sigma_w,
            "sigma_b": point.network.sigma_b,
            "width": required.width,
            "depth": required.depth,
            **self.verdict.record(),
            "V_prime": at.slope if at else None,
            "basin": list(self.basin) if at else None,
            "sd": _finite(self.fluctuations.sd[-1]),
            "margin": _known(self.margin),
            "escape_probability": self.escapes.probability,
            "escape_interval": list(self.escapes.interval),
            "xi_q": _known(self.xi_q),
            "xi_c": _known(self.xi_c),
            "jacobian_variance_gaussian": _known(self.jacobian.variance_gaussian),
            "jacobian_variance_orthogonal": _known(self.jacobian.variance_orthogonal),
            "jacobian_mean": _known(self.jacobian.mean),
            "V_double_prime": at.curvature if at else None,
            "stationary_mean": _finite(self.fluctuations.stationary_mean),
            "stationary_sd": _finite(self.fluctuations.stationary_sd),
            "q_chi_1_prime": _finite(self.sensitivity),
            "log_gain_mean": _finite(self.log_gain_mean),
            "log_gain_sd": _finite(self.log_gain_sd),
            "q0": self.start,
            "within": required.within,
            "risk": required.risk,
            "escapes": required.chains,
            "seed": required.seed,
            "layers": [self._layer(layer) for layer in few_layers(required.depth)],
        }

    def _layer(self, layer: int) -> Record:
        return {
            "layer": layer,
            "mean": _finite(self.fluctuations.mean[layer]),
            "layer_sd": _finite(self.fluctuations.sd[layer]),
            "networks_mean": float(self.escapes.mean[layer]),
            "networks_sd": float(self.escapes.sd[layer]),
            "escaped": float(self.escapes.shares[layer]),
        }


def _finite(value: float) -> float | None:
    """What there is nothing to say of is left out."""
    return float(value) if math.isfinite(value) else None


def _known(value: float) -> float | None:
    """Likewise, where ∞ says something."""
    return None if math.isnan(value) else value


def at_width(
    diagnosis: Diagnosis,
    requirement: Requirement,
    start: float | None = None,
    advance: Callable[[int], object] | None = None,
    *,
    with_remedies: bool = True,
) -> FiniteWidth:
    """What becomes of a signal in random networks of the required width and depth.

    Args:
        diagnosis: of the network at any width, by `diagnose`, whose own remedies are not looked at.
        requirement: width, depth, risk; chains and seed of the random numbers.
        start: the variance at layer 0, by default q*, or the one asked about where no signal is left.
        advance: called with the number of random networks just done.
        with_remedies: whether to search for remedies, which takes longest.

    Raises:
        DomainError: `start` is not a finite number > 0.
    """
    require_a(Diagnosis, "diagnosis", diagnosis)
    require_a(Requirement, "requirement", requirement)
    network, q = diagnosis.point.network, diagnosis.point.variance
    begin = q if start is None else start
    require_signal(begin, "q0")
    found = escapes(network, q, requirement, begin, advance=advance)
    point = diagnosis.point.fixed_point if diagnosis.point.q_star else None
    strays = fluctuations(network, point, requirement.width, requirement.depth, begin)
    log_gain = _log_gain(network, found.variances)
    ends, margin, xi_q, xi_c, sensitivity, jacobian = _around(diagnosis.point, point, strays, requirement.depth)
    word, explanation = _judge(diagnosis, found, begin, ends, float(strays.sd[-1]), log_gain)
    judged = replace(diagnosis, verdict=Verdict(word, explanation))
    ways = remedies_at(judged, found, start) if with_remedies and not judged.passes(requirement.depth) else ()
    return FiniteWidth(
        diagnosis=diagnosis,
        requirement=requirement,
        start=begin,
        verdict=Verdict(word, explanation, ways),
        basin=ends,
        margin=margin,
        xi_q=xi_q,
        xi_c=xi_c,
        fluctuations=strays,
        escapes=found,
        sensitivity=sensitivity,
        log_gain_mean=log_gain[0],
        log_gain_sd=log_gain[1],
        jacobian=jacobian,
    )


def _log_gain(network: MeanField, variances: Array) -> tuple[float, float]:
    """Mean and standard deviation over the chains of ln Π χ₁(q^l), l = 0…L − 1; NaN where φ jumps."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(network.chi1(variances[:-1])).sum(axis=0)
        return float(logs.mean()), float(logs.std())


def _around(
    point: OperatingPoint, at: FixedPoint | None, strays: Fluctuations, depth: int
) -> tuple[tuple[float, float], float, float, float, float, SquaredSingularValues]:
    """Basin, margin, ξ_q, ξ_c, sensitivity and spectrum at the fixed point `at`; NaN where there is none."""
    nan = math.nan
    if at is None:
        return (nan, nan), nan, nan, nan, nan, SquaredSingularValues(nan, nan, nan)
    network, q = point.network, at.q
    ends, sd = basin(point.fixed_points, at), float(strays.sd[-1])
    distance = min(q - ends[0], ends[1] - q)
    return (
        ends,
        (distance / sd if sd else math.inf) if distance else 0.0,
        at.depth_scale,
        float(correlation_depth(network.activation, network.sigma_w_squared, q)[1]),
        q * network.dchi1(q) if network.chi1(q) < math.inf else nan,
        squared_singular_values(network, q, depth),
    )


def _judge(
    diagnosis: Diagnosis,
    found: Escapes,
    start: float,
    ends: tuple[float, float],
    sd: float,
    log_gain: tuple[float, float],
) -> tuple[Word, str]:
    """The word and the explanation; the `ends` of the basin and the `sd` of q at the last layer are NaN if unknown."""
    local, network, r = diagnosis.verdict, diagnosis.point.network, found.requirement
    point, q = diagnosis.point.fixed_point, diagnosis.point.variance
    fate = _fate(found, q, start)
    safe = found.probability <= r.risk
    cut = " ".join(["", *_cut(network, q, r)])
    if point is not None and point.q:
        drift = r.depth * math.log(network.V(q) / q) if point.kind == "neutral" else 0.0
        if abs(drift) > 0.5 * math.log(r.within):
            factor = f"q changes by a factor {math.exp(min(drift, 700)):.3g}, and gradients with it"
            rate = f"V(q) = {network.V(q) / q:.6g} q: over {r.depth} layers {factor}"
            return "unstable", f"{rate}. At width {r.width}, {fate}."
        if point.kind == "neutral" or (local.word == "neutral" and max(map(abs, log_gain)) <= _HARMLESS):
            return "neutral", f"{local.explanation} {_drift(network, q, found)}; {fate}."
        if local.word != "unstable":
            pull = _pull(network, point, ends, sd, r.width)
            asides = " ".join(["", *off_the_edge(network, q)]) + cut
            return ("safe" if safe else "fragile"), f"{pull}: {fate}.{asides}"
    else:
        last = variance_path(network, start, r.depth)[-1]
        fate = f"{fate}; as N → ∞, q = {last:.3g} there"
    if safe:
        note = f"The mechanism is unstable all the same, and only this depth saves it: {local.explanation}"
        return "safe", f"{_capital(fate)}. {note}{cut}"
    return "unstable", f"{local.explanation} At width {r.width}, {fate}.{cut}"


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


def _pull(network: MeanField, point: FixedPoint, ends: tuple[float, float], sd: float, width: int) -> str:
    """What holds q, how far it strays, and where its basin ends, as a clause."""
    held, scale = f"V'(q*) = {point.slope:.4g}", point.depth_scale
    pull = f"{held} pulls q back over ξ_q = {scale:.3g} layers" if scale < 1e4 else f"{held} hardly pulls q back"
    strays = f"q strays by {sd:.3g} (one standard deviation at width {width})"
    if math.isnan(sd):
        # How far many kicks lead is beyond a formula here; what one does is not.
        sd = math.sqrt(network.kick_variance(point.q) / width)
        strays = f"a layer kicks it by {sd:.3g} (one standard deviation at width {width})"
    walls = [(abs(end - point.q), end) for end in ends if 0 < end < math.inf]
    if not walls:
        return f"{pull}, and {strays}"
    distance, end = min(walls)
    beyond = (
        f"its basin ends at q = {end:.4g}, {distance / sd:.2g} of them away" if sd else f"its basin ends at {end:.4g}"
    )
    return f"{pull}, {strays}, and {beyond}"
