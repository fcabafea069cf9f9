"""The verdict at a width and depth in words: what holds signal, gradient and inputs, and who loses them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.escape import Escapes, Requirement
from meanfield.finite_width.gain_law import GainLaw
from meanfield.finite_width.layer_noise import held_back
from meanfield.infinite_width.criteria import phases
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.fixed_points import FixedPoint
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.operating_point import OperatingPoint
from meanfield.infinite_width.stability import Diagnosis, decay, parting
from meanfield.infinite_width.verdict import Word
from meanfield.lettering import counted

__all__ = ["gradient_told", "inputs_told", "log_gain", "signal_told"]

Array = NDArray[np.float64]


def signal_told(
    word: Word, diagnosis: Diagnosis, found: Escapes, path: Array, ends: tuple[float, float], sd: float
) -> str:
    """What holds q, and how many networks have left it; `path` is that of infinite width.

    The `ends` of the basin and the `sd` of q at the last layer are NaN if unknown.
    """
    local, network, r = diagnosis.verdict.signal, diagnosis.point.network, found.requirement
    point, q = diagnosis.point.fixed_point, diagnosis.point.variance
    fate = _fate(found, q, float(path[0]))
    if point is None or not point.q:
        fate = f"{fate}; as N → ∞, q = {path[-1]:.3g} there"
    elif point.kind == "neutral" and word == "unstable":
        factor = math.exp(min(r.depth * math.log(network.V(q) / q), 700))
        rate = f"V(q) = {network.V(q) / q:.6g} q: over {counted(r.depth, 'layer')} q changes by a factor {factor:.3g}"
        return f"{rate}, and gradients with it. At width {r.width}, {fate}."
    elif word == "neutral":
        return f"{local.explanation} {_drift(network, q, found)}; {fate}."
    elif local.word != "unstable" and word == "unstable":
        return f"V itself leads q from {path[0]:.4g} to {path[-1]:.4g} by layer {r.depth}: {fate}."
    elif local.word == "stable":
        return f"{_pull(network, point, ends, sd, r)}: {fate}."
    elif local.word == "neutral":
        mean, sd = log_gain(network, found.variances)
        notice = f"gradients notice how q drifts, for ln Πχ₁ strays by {math.hypot(mean, sd):.2g}"
        return f"{local.explanation} At width {r.width}, {fate}; {notice}."
    if word == "safe":
        note = f"The mechanism is unstable all the same, and only this depth saves it: {local.explanation}"
        return f"{_capital(fate)}. {note}"
    return f"{local.explanation} At width {r.width}, {fate}."


def gradient_told(
    word: Word,
    diagnosis: Diagnosis,
    found: Escapes,
    path: Array,
    drift: float,
    mean: float | None,
    sd: float | None,
) -> str:
    """How many networks lose their gradient, and why; `drift` is ln Πχ₁ along the `path` of infinite width."""
    network, r, q = diagnosis.point.network, found.requirement, diagnosis.point.variance
    factor = f"more than a factor {r.gradient_within:g} over {counted(r.depth, 'layer')}"
    who = _share(found.without_gradient.mean(), r.chains)
    change = "changes" if who.startswith("none") else "change"
    lost = _capital(f"{who} {change} the square of a gradient by {factor}")
    if mean is None or sd is None:
        return f"{lost}: no gradient passes{', for φ has no slope' * (not network.activation.has_slope)}."
    told = f"{lost}; ln G has mean {mean:.3g} and standard deviation {round(sd, 9):.2g}."
    some_stray = bool((np.abs(found.log_gains[np.isfinite(found.log_gains)]) > math.log(r.gradient_within)).any())
    reason = _reason(word, diagnosis, r, path, drift) if some_stray or word == "safe" else []
    return " ".join([told, *reason, *_cut(network, q, r)])


def _reason(word: Word, diagnosis: Diagnosis, r: Requirement, path: Array, drift: float) -> list[str]:
    """What changes gradients, in a sentence; nothing where nothing does."""
    network, q = diagnosis.point.network, diagnosis.point.variance
    gain = network.gain(q)
    settled = diagnosis.point.q_star is not None and path[0] == q
    if settled and phases(gain) != "edge of chaos":
        return [decay(gain, r.gradient_within)]
    if abs(drift) > 1 or math.isnan(drift):
        return [f"Along the way of q as N → ∞, ln Πχ₁ = {drift:.3g}."]
    if word == "fragile":
        adds = f"the noise of {counted(r.depth, 'layer')} of width {r.width} adds up"
        return [f"χ₁(q*) = {gain:.4g}: no layer loses it, but {adds}."]
    return ["q leaves q*, and χ₁ with it."] if word == "unstable" else []


def inputs_told(
    word: Word, point: OperatingPoint, r: Requirement, eps: float, rho: float, xi_c: float, drift: float
) -> str:
    """What is left of the difference of two inputs; `drift` is Σ ln R'(1) along the path of infinite width."""
    if math.isnan(eps):
        return "No signal is left at the last layer that could tell inputs apart."
    left = f"Inputs with 1 − ρ = {1 - rho:.3g} at layer 0 have 1 − ρ = {eps:.3g} at layer {r.depth} (N → ∞)."
    network, q = point.network, point.q_star
    if q is not None and (word == "safe" or phases(network.chi1(q)) != "edge of chaos"):
        rho_star = float(correlation_depth(network.activation, network.sigma_w_squared, np.array(q))[0])
        return f"{left} {parting(network, q, rho_star, xi_c)}"
    if word == "safe" or not math.isfinite(drift):
        return left
    fate = "part" if drift > 0 else "grow alike"
    return f"{left} Along the way of q nearly equal inputs {fate}, 1 − ρ by a factor e^{drift:.3g}."


def _cut(network: MeanField, q: float, r: Requirement) -> list[str]:
    """A sentence on networks in which a whole layer rests, so that no signal and no gradient passes; if there are."""
    if not network.activation.is_continuous:
        return []
    share = 1 - float(GainLaw(network, np.array([q]), r.width).passes[0]) ** r.depth
    if share <= r.risk:
        return []
    return [f"{100 * share:.3g} % of networks have a layer without a sloping unit, and are cut there: give more width."]


def _drift(network: MeanField, q: float, found: Escapes) -> str:
    """How far a random walk has led ln q, in the networks and by leading order, as a sentence without its stop."""
    r, last = found.requirement, found.variances[-1]
    alive = last[last > 0]
    if not alive.size:
        return f"At width {r.width} every network has lost its signal, q = 0, by layer {r.depth}"
    leading = math.sqrt(r.depth * _kick(network, q, r)) / q
    died = f" and {_share(1 - alive.size / last.size, last.size)} have lost it, q = 0" if alive.size < last.size else ""
    return (
        f"At width {r.width}, ln q has standard deviation {np.log(alive).std():.3g} by layer {r.depth} "
        f"(√(L S/N)/q* = {leading:.3g} to leading order){died}"
    )


def _kick(network: MeanField, q: float, r: Requirement) -> float:
    """The variance of what a layer adds to q."""
    kick = network.kick_variance(q) / r.width
    if r.weights == "orthogonal":
        kick -= network.dV(q) ** 2 * float(held_back(network, np.array(q), r.width))
    return max(kick, 0.0)


def log_gain(network: MeanField, variances: Array) -> tuple[float, float]:
    """Mean and standard deviation over the chains of ln Π χ₁(q^l), l = 0…L − 1; NaN where φ jumps."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(network.chi1(variances[:-1])).sum(axis=0)
        return float(logs.mean()), float(logs.std())


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _share(share: float, of: int) -> str:
    """So many networks, in words."""
    percent = 100 * float(share)
    return (
        f"{percent:{'.2g' if percent < 1 else '.1f'}} % of networks" if percent else f"none of {counted(of, 'network')}"
    )


def _fate(found: Escapes, q: float, start: float) -> str:
    """How many networks have escaped, as a clause."""
    r = found.requirement
    who = _share(found.probability, r.chains)
    have = "has" if who.startswith("none") else "have"
    begin = "" if start == q else f" from q = {start:.4g}"
    return f"{who} {have} q outside [{q / r.within:.4g}, {q * r.within:.4g}] at layer {r.depth}{begin}"


def _pull(network: MeanField, point: FixedPoint, ends: tuple[float, float], sd: float, r: Requirement) -> str:
    """What holds q, how far it strays, and where its basin ends, as a clause."""
    held, scale = f"V'(q*) = {point.slope:.4g}", point.depth_scale
    pull = f"{held} pulls q back over ξ_q = {scale:.3g} layers" if scale < 1e4 else f"{held} hardly pulls q back"
    strays = f"q strays by {sd:.3g} (one standard deviation at width {r.width})"
    if math.isnan(sd):
        # How far many kicks lead is beyond a formula here; what one does is not.
        sd = math.sqrt(_kick(network, point.q, r))
        strays = f"a layer kicks it by {sd:.3g} (one standard deviation at width {r.width})"
    walls = [(abs(end - point.q), end) for end in ends if 0 < end < math.inf]
    if not walls:
        return f"{pull}, and {strays}"
    distance, end = min(walls)
    beyond = (
        f"its basin ends at q = {end:.4g}, {distance / sd:.2g} of them away" if sd else f"its basin ends at {end:.4g}"
    )
    return f"{pull}, {strays}, and {beyond}"
