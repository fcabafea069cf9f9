"""Whether a network of a given width and depth can be trained: what an infinitely wide one cannot tell.

V'(q*) < 1 and χ₁ = 1 are local, and of infinite width. Another fixed point may stand close by, the kicks of narrow
layers may be large, what they do to a gradient may add up; or an unstable mechanism may be too slow for so few layers.
The verdict rests on random networks of this width and depth; basin, fluctuations and depth scales tell why.
docs/theory.md, sections 8, 17 and 18.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_a, require_number, require_signal
from meanfield.errors import DomainError
from meanfield.finite_width.escape import MOST_NUMBERS, Escapes, Requirement, escapes, is_outside
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.explanations import gradient_told, inputs_told, log_gain, signal_told
from meanfield.finite_width.fluctuations import Fluctuations, fluctuations, strays, variance_path
from meanfield.finite_width.gradient_theory import GradientLaw, gradient_theory, unknown_gradients
from meanfield.finite_width.jacobian import SquaredSingularValues, squared_singular_values
from meanfield.finite_width.remedies import nothing_helps, remedies_at
from meanfield.infinite_width.correlation_path import correlation_path, log_parting
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.fixed_points import FixedPoint, basin
from meanfield.infinite_width.operating_point import OperatingPoint
from meanfield.infinite_width.stability import Diagnosis, diagnose
from meanfield.infinite_width.verdict import Gradient, Inputs, Signal, Verdict, Word
from meanfield.lettering import counted
from meanfield.quantities import CHAINS
from meanfield.tables.records import Record, few_layers
from meanfield.tables.shown import Shown

__all__ = ["FiniteWidth", "at_width", "foretold"]

Array = NDArray[np.float64]

#: Mean and standard deviation of ln Π χ₁ up to which a drift of q does nothing to gradients.
_HARMLESS = 0.1
#: Units of all layers of all chains that a verdict beside an ensemble may cost; and the least chains that it takes.
_UNITS, _FEWEST = 200_000_000, 64
#: Correlation at layer 0 where none is asked for.
_RHO = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class FiniteWidth(Shown):
    """Everything `meanfield stability` says of a network.

    Attributes:
        diagnosis: what holds at any width; its operating point is q*.
        requirement: width, depth, and which share of networks may lose signal or gradient.
        start: variance at layer 0.
        verdict: of signal, gradient and inputs, with their mechanisms and what would be safe.
        basin: the interval of variances that tend to q*.
        margin: the distance from q* to the nearer end of the basin, in standard deviations of q at the last layer.
        xi_q, xi_c: layers over which a deviation of q, and of the correlation from its fixed point, falls by e.
        fluctuations: mean and standard deviation of q by layer, predicted.
        escapes: the random networks themselves, and which have lost signal or gradient.
        sensitivity: q*χ₁'(q*), the relative change of a gradient's gain with a relative change of q.
        gradients: mean and standard deviation of ln G, and its correlation with q^L, predicted to order 1/N.
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
    gradients: GradientLaw
    jacobian: SquaredSingularValues

    @property
    def judged(self) -> Diagnosis:
        """The diagnosis, with the verdict at this width and depth."""
        return replace(self.diagnosis, verdict=self.verdict)

    paper = ("activation", "width", "depth", "V_prime", "share_lost", "verdict")

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
            "log_gain_mean": _finite(self.gradients.mean[0]),
            "log_gain_sd": _finite(self.gradients.sd[0]),
            "log_gain_correlation": _finite(self.gradients.correlation),
            "q0": self.start,
            "within": required.within,
            "gradient_within": required.gradient_within,
            "risk": required.risk,
            "escapes": required.chains,
            "seed": required.seed,
            "weights": required.weights,
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
    rho: float = _RHO,
    with_remedies: bool = True,
) -> FiniteWidth:
    """What becomes of signals, gradients and inputs in random networks of the required width and depth.

    Args:
        diagnosis: of the network at any width, by `diagnose`, whose own remedies are not looked at.
        requirement: width, depth, risk; chains and seed of the random numbers.
        start: the variance at layer 0, by default q*, or the one asked about where no signal is left.
        advance: called with the number of random networks just done.
        rho: the correlation of two inputs at layer 0.
        with_remedies: whether to search for remedies, which takes longest.

    Raises:
        DomainError: `start` is not a finite number > 0, or `rho` no correlation.
    """
    require_a(Diagnosis, "diagnosis", diagnosis, "diagnose(edge)")
    require_a(Requirement, "requirement", requirement, "Requirement(width=300, depth=30)")
    require_number("rho0", rho)
    if not -1 <= rho < 1:
        raise DomainError(f"rho0 = {rho:g} is no correlation of two inputs that differ: give -1 <= rho0 < 1")
    point = diagnosis.point
    network, q = point.network, point.variance
    begin = q if start is None else start
    require_signal(begin, "q0")
    found = escapes(network, q, requirement, begin, advance=advance)
    at = point.fixed_point if point.q_star else None
    path = variance_path(network, begin, requirement.depth)
    orthogonal = requirement.weights == "orthogonal"
    shift, variance = strays(network, path, requirement.width, orthogonal=orthogonal)
    spread = fluctuations(network, at, requirement.width, requirement.depth, begin)
    if orthogonal:
        spread = _held(spread, path + shift, variance)
    gradients = unknown_gradients(requirement.depth)
    if np.isfinite(spread.mean).all():
        gradients = gradient_theory(network, requirement.width, path, shift, variance, orthogonal=orthogonal)
    ends, margin, xi_q, xi_c, sensitivity, jacobian = _around(point, at, spread, requirement.depth)
    signal = _signal(diagnosis, found, path, ends, float(spread.sd[-1]))
    neutral = signal.word == "neutral"
    lost = found.lost(neutral=neutral)
    verdict = Verdict(
        signal,
        _gradient(diagnosis, found, path),
        _inputs(point, requirement, path, rho, xi_c),
        share_lost=float(lost.mean()),
        interval=found.interval_of(lost),
        together="stable" if lost.mean() <= requirement.risk else "fragile",
        scope=_close_call(found.interval_of(lost), requirement),
    )
    if with_remedies and not verdict.is_good:
        ways = remedies_at(point, found, start, neutral=neutral)
        verdict = replace(verdict, remedies=ways, tried="" if ways else nothing_helps(requirement, point.start))
    return FiniteWidth(
        diagnosis=diagnosis,
        requirement=requirement,
        start=begin,
        verdict=verdict,
        basin=ends,
        margin=margin,
        xi_q=xi_q,
        xi_c=xi_c,
        fluctuations=spread,
        escapes=found,
        sensitivity=sensitivity,
        gradients=gradients,
        jacobian=jacobian,
    )


def _close_call(interval: tuple[float, float], r: Requirement) -> str:
    """What to know where other random numbers may change the word, in a sentence."""
    low, high = interval
    if not low <= r.risk <= high:
        return ""
    return (
        f"The share lost is {low:.2g} to {high:.2g} (95 %), and the risk of {r.risk:g} lies within: another seed may "
        f"say otherwise. Draw more than {counted(r.chains, 'network')} to tell."
    )


def foretold(point: OperatingPoint, experiment: Experiment, *, with_remedies: bool = False) -> Diagnosis | FiniteWidth:
    """The verdict on the networks of an experiment, of as many as cost some seconds; remedies cost as much again.

    That of infinite width on convolutional networks, and where variances are beyond what networks are drawn for.
    """
    e, diagnosis = experiment, diagnose(point, with_remedies=False)
    if not e.is_dense:
        return diagnosis
    affordable = min(_UNITS // (e.width * e.depth), MOST_NUMBERS // (e.depth + 1), CHAINS)
    try:
        required = Requirement(
            e.width, e.depth, e.within, chains=max(affordable, _FEWEST), seed=e.seed, weights=e.weights
        )
        # A remedy with another q* starts there, unless another start is asked for.
        start = None if e.start == point.variance else e.start
        return at_width(diagnosis, required, start, rho=e.rho, with_remedies=with_remedies)
    except DomainError:
        return diagnosis


def _held(gaussian: Fluctuations, mean: Array, variance: Array) -> Fluctuations:
    """The mean and spread of q that orthogonal weights leave, where the expansion holds of Gaussian ones."""
    known = np.isfinite(gaussian.mean)
    mean, sd = np.where(known, mean, np.nan), np.where(known, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    return Fluctuations(mean, sd, math.nan, math.nan)


def _signal(diagnosis: Diagnosis, found: Escapes, path: Array, ends: tuple[float, float], sd: float) -> Signal:
    """The `ends` of the basin and the `sd` of q at the last layer are NaN if unknown."""
    word = _signal_word(diagnosis, found, path)
    return Signal(word, signal_told(word, diagnosis, found, path, ends, sd), found.probability, found.interval)


def _signal_word(diagnosis: Diagnosis, found: Escapes, path: Array) -> Word:
    network, point, r = diagnosis.point.network, diagnosis.point.fixed_point, found.requirement
    local, safe = diagnosis.verdict.signal.word, found.probability <= r.risk
    if point is not None and point.q:
        if point.kind == "neutral":
            drift = r.depth * math.log(network.V(point.q) / point.q)
            return "neutral" if abs(drift) <= 0.5 * math.log(r.within) else "unstable"
        if local == "neutral" and max(map(abs, log_gain(network, found.variances))) <= _HARMLESS:
            return "neutral"
        # Where V itself has led the start away no width helps.
        if local != "unstable" and (safe or not is_outside(path[-1], point.q, r.within)):
            return "safe" if safe else "fragile"
    return "safe" if safe else "unstable"


def _gradient(diagnosis: Diagnosis, found: Escapes, path: Array) -> Gradient:
    r, lost = found.requirement, found.without_gradient
    share = float(lost.mean())
    with np.errstate(divide="ignore"):
        drift = float(np.log(diagnosis.point.network.gain(path[:-1])).sum())
    runs_away = not abs(drift) <= math.log(r.gradient_within) or diagnosis.verdict.signal.word == "unstable"
    word: Word = "safe" if share <= r.risk else "unstable" if runs_away else "fragile"
    passing = found.log_gains[np.isfinite(found.log_gains)]
    mean, sd = (float(passing.mean()), float(passing.std())) if passing.size else (None, None)
    told = gradient_told(word, diagnosis, found, path, drift, mean, sd)
    return Gradient(word, told, share, found.interval_of(lost), mean, sd)


def _inputs(point: OperatingPoint, r: Requirement, path: Array, rho: float, xi_c: float) -> Inputs:
    network = point.network
    eps = float(correlation_path(network, path, rho)[-1])
    drift = log_parting(network, path)
    word: Word = "safe" if abs(drift) <= math.log(r.gradient_within) else "unstable"
    known = math.isfinite(eps)
    return Inputs(
        word,
        inputs_told(word, point, r, eps, rho, xi_c, drift),
        rho=1 - eps if known else None,
        one_minus_rho=eps if known else None,
        rho0=rho,
        xi_c=None if math.isnan(xi_c) else xi_c,
    )


def _around(
    point: OperatingPoint, at: FixedPoint | None, spread: Fluctuations, depth: int
) -> tuple[tuple[float, float], float, float, float, float, SquaredSingularValues]:
    """Basin, margin, ξ_q, ξ_c, sensitivity and spectrum at the fixed point `at`; NaN where there is none."""
    nan = math.nan
    if at is None:
        return (nan, nan), nan, nan, nan, nan, SquaredSingularValues(nan, nan, nan)
    network, q = point.network, at.q
    ends, sd = basin(point.fixed_points, at), float(spread.sd[-1])
    distance = min(q - ends[0], ends[1] - q)
    return (
        ends,
        (distance / sd if sd else math.inf) if distance else 0.0,
        at.depth_scale,
        float(correlation_depth(network.activation, network.sigma_w_squared, q)[1]),
        q * network.dchi1(q) if network.chi1(q) < math.inf else nan,
        squared_singular_values(network, q, depth),
    )
