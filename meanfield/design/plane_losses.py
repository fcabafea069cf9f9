"""Which initialisations (σ_w, σ_b) lose signal or gradient at a width and depth.

A network is known by q* and χ₁(q*), as σ_w² = χ₁/E φ'² and σ_b² = q* − σ_w² E φ². What it loses changes smoothly with
both, whatever bends or jumps in the plane. The law is worked out for some networks near an edge of chaos, and for their
signal alone farther off; in between, the standard deviations of a normal law that stand for a share are interpolated.
docs/theory.md, sections 10 and 17.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.loss_law import LossLaw, loss_law
from meanfield.finite_width.variance_law import variance_law
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import second_moment, slope_moment
from meanfield.infinite_width.phase_border import PhaseBorder

__all__ = ["LOOKED_AT", "PlaneLosses", "plane_losses", "require_plane"]

Array = NDArray[np.float64]

#: Layers that the law is worked out for in so many networks, a minute's work.
_DEEPEST = 1000
#: Variances q* of networks near an edge; networks along either axis of those farther off.
_VARIANCES, _ALONG = 10, 6
#: Where near an edge: standard deviations of ln G from f_g or 1/f_g to its mean.
_STEPS = (-4.0, -2.3, -1.0, 0.0, 1.0, 3.0)
#: Where two of them are farther apart than this, in ln Πχ₁ over ln f_g, there is one between.
_WIDEST = 0.5
#: As many networks, or nearly.
LOOKED_AT = _VARIANCES * (2 * len(_STEPS) + 1) + _ALONG**2
#: Shares are told from 0 and 1 as far as this many standard deviations; every gradient is lost at so many.
_TOLD, _ALL = 4.0, 5.0
#: A gain that can be no smaller.
_SMALLEST = 1e-300
#: Variances up to this are worked with.
_LARGEST = 1e40


@dataclass(frozen=True, eq=False)
class PlaneLosses:
    """Shares lost by the networks of a net, from q* on: entry [i, j] belongs to `sigma_b[i]` and `sigma_w[j]`.

    Attributes:
        sigma_w, sigma_b: the axes.
        signal, gradient, either: the shares of random networks; NaN where there is no q* > 0 to lose.
        requirement: width and depth.
    """

    sigma_w: Array
    sigma_b: Array
    signal: Array
    gradient: Array
    either: Array
    requirement: Requirement


def require_plane(requirement: Requirement) -> None:
    """Refuse, with a `DomainError`, what the law of a plane of networks is not worked out for."""
    if requirement.depth > _DEEPEST:
        raise DomainError(
            f"depth = {requirement.depth} layers are too many for a plane of networks: give up to {_DEEPEST}"
        )


def plane_losses(
    activation: Activation,
    border: PhaseBorder,
    requirement: Requirement,
    advance: Callable[[int], object] | None = None,
) -> PlaneLosses:
    """What is lost by the networks of the net that a border was found on.

    `advance` is called with the number of networks just looked at, in all about `LOOKED_AT`.

    Raises:
        DomainError: more layers than the law is worked out for in so many networks; weights that are not Gaussian.
    """
    require_plane(requirement)
    w, b = np.meshgrid(border.sigma_w, border.sigma_b)
    known = (border.q_star > 0) & (border.q_star <= _LARGEST)
    q, y = border.q_star[known], np.empty(border.q_star.shape)
    # ln Πχ₁ in units of ln f_g; ±1 is where gradients are lost as N → ∞.
    scale = requirement.depth / math.log(requirement.gradient_within)
    y[known] = scale * np.log(np.maximum(np.square(w[known]) * slope_moment(activation, q, 2), _SMALLEST))
    samples: list[_Sample] = []
    for sample in _samples(activation, (w, b, border.q_star, y), known, requirement, scale):
        samples.append(sample)
        if advance:
            advance(1)
    found = np.full((3, *known.shape), math.nan)
    if samples:
        found[:, known] = _interpolated(samples, np.log(q), y[known])
    signal, gradient, either = found
    return PlaneLosses(border.sigma_w, border.sigma_b, signal, gradient, either, requirement)


@dataclass(frozen=True)
class _Sample:
    """What is lost by one network: ln q*, ln Πχ₁ in units of ln f_g, and the shares."""

    x: float
    y: float
    signal: float
    gradient: float = 1.0
    either: float = 1.0


def _samples(
    activation: Activation, net: tuple[Array, ...], known: NDArray[np.bool_], requirement: Requirement, scale: float
) -> Iterator[_Sample]:
    """Of networks near an edge, and of some of the net that are farther off."""
    w, b, q, y = net
    if not known.any():
        return
    nearest = np.unravel_index(np.argmin(np.where(known, np.abs(y), math.inf)), known.shape)
    limit = math.log(requirement.gradient_within)
    law = loss_law(MeanField(activation, float(w[nearest]), float(b[nearest])), float(q[nearest]), requirement)
    shift = float(law.mean[-1]) / limit - float(y[nearest])
    far = 1 + abs(shift) + _ALL * float(law.sd[-1]) / limit
    near = known & (np.abs(y) <= far)
    if near.any():
        for level in _variances(q[near]):
            yield from _at_variance(activation, float(level), far, requirement, scale)
    rows, columns = (np.unique(np.linspace(0, n - 1, _ALONG).astype(int)) for n in known.shape)
    for i, j in np.argwhere((known & ~near)[np.ix_(rows, columns)]):
        at = rows[i], columns[j]
        network, variance = MeanField(activation, float(w[at]), float(b[at])), float(q[at])
        signal = variance_law(network, variance, requirement).escaped(requirement.depth)[-1]
        yield _Sample(math.log(variance), float(y[at]), float(signal))


def _variances(q: Array) -> Array:
    """Where most of them are, and evenly over all."""
    half = np.linspace(0, 1, _VARIANCES // 2 + 1)
    return np.unique([*np.quantile(q, half), *np.geomspace(q.min(), q.max(), half.size)[1:-1]])


def _at_variance(
    activation: Activation, q: float, far: float, requirement: Requirement, scale: float
) -> Iterator[_Sample]:
    """Of networks with this q*, those of them with σ_b ≥ 0, whose gradients are lost and are not."""
    at = np.array([q])
    square, slope = second_moment(activation, at).item(), slope_moment(activation, at, 2).item()
    if not (square > 0 and slope > 0):
        return
    # There σ_b is 0.
    highest = scale * math.log(q * slope / square)
    limit = math.log(requirement.gradient_within)

    def law_at(y: float) -> LossLaw:
        weights = math.exp(y / scale) / slope
        network = MeanField(activation, math.sqrt(weights), math.sqrt(max(q - weights * square, 0.0)))
        return loss_law(network, q, requirement)

    middle = min(0.0, highest)
    if middle < -far:
        return
    there = law_at(middle)
    shift, sd = float(there.mean[-1]) / limit - middle, float(there.sd[-1]) / limit
    places = {side * (1 + z * sd) - shift for side in (-1, 1) for z in _STEPS if 1 + z * sd > 0}
    places = {place for place in places if place < highest} | {middle, min(highest, far)}
    ascending = sorted(places)
    # The signal may change where the gradient does not.
    places |= {(low + high) / 2 for low, high in pairwise(ascending) if high - low > _WIDEST}
    for y in sorted(places):
        law = there if y == middle else law_at(y)
        yield _Sample(math.log(q), y, float(law.signal[-1]), float(law.gradient[-1]), float(law.either[-1]))


def _interpolated(samples: list[_Sample], x: Array, y: Array) -> Array:
    """The three shares at ln q* = `x` and ln Πχ₁ = `y` ln f_g, shape (3, n)."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
    from scipy.special import ndtr, ndtri

    table = np.array([[s.x, s.y, s.signal, s.gradient, s.either] for s in samples])
    spread = max(float(np.ptp(table[:, 0])), 1.0)

    def places(x: Array, y: Array) -> Array:
        # Near the edge and far from it on one scale.
        return np.column_stack([x / spread, np.arcsinh(y)])

    known, asked = places(table[:, 0], table[:, 1]), places(x, y)
    z = np.clip(ndtri(np.clip(table[:, 2:], 0.0, 1.0)), -_TOLD, _TOLD)
    found = NearestNDInterpolator(known, z)(asked)
    if len(known) > 3:
        inside = LinearNDInterpolator(known, z)(asked)
        found = np.where(np.isnan(inside), found, inside)
    return np.asarray(ndtr(found)).T
