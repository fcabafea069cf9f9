"""The share of networks that lose signal, gradient or either, without random networks: the law of (K, ln G).

`variance_law` says where K goes from a node. Carried along with it is the characteristic function of ln G,

    û_l(q; t) = E[exp(it ln G of the layers from l on) | K_l = q],    û_l = ψ e^{it(μ − PB)} · P(e^{itB} û_{l+1}),

P the step of the variance, for as many t as tell the law of ln G apart, and once more with networks left out whose
signal escapes. At a node q one layer brings ln G a mean μ; a part that goes along with the kick of K', by a slope β in
ln K' whose integral is B; and the logarithm of a gamma variable, ψ. docs/theory.md, section 17.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.gain_law import GainLaw
from meanfield.finite_width.layer_noise import layer_noise
from meanfield.finite_width.overlaps import overlap_of
from meanfield.finite_width.variance_law import VarianceLaw, variance_law
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["LossLaw", "loss_law"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: One layer changes ln G by no more than this many times ln f_g: what is lost at once is lost.
_LARGEST_STEP = 3.0
#: The law of ln G is told as far as this many standard deviations from its mean, and blurred by ln f_g over the other
#: at most: by so little none is lost of what strays by less.
_REACH, _DETAIL = 8.0, 10.0
#: Frequencies at most.
_MOST = 512
#: Standard deviations of a normal law beyond which nothing is left of it.
_TAIL = 6.0
#: A gain that can be no smaller.
_SMALLEST = 1e-300
#: Of a gain no more than this share goes through the direction of the activations.
_MOST_SHARED = 0.9


@dataclass(frozen=True, eq=False)
class LossLaw:
    """By depth 1…L, shape (L,) each; fewer where more than was asked about are lost.

    Attributes:
        signal: the share of networks whose variance has escaped.
        gradient: that of networks whose gradient is lost.
        either: that of networks that have lost one or the other.
        mean, sd: of ln G, a single layer counted as no more than three times ln f_g.
    """

    signal: Array
    gradient: Array
    either: Array
    mean: Array
    sd: Array


class _Layer:
    """What one layer brings ln G at each of n + 1 variances, the last of which is the start.

    `mean`, `variance`; `slope`, how it goes along with ln K'; `rest`, the share of its standard deviation that does
    not.
    """

    def __init__(self, network: MeanField, law: VarianceLaw, requirement: Requirement) -> None:
        q, width = law.variances, requirement.width
        self.gain = GainLaw(network, q, width)
        noise = layer_noise(network, q, width)
        most = _LARGEST_STEP * math.log(requirement.gradient_within)
        self.variance = self.gain.variance
        with np.errstate(all="ignore"):
            logs = np.log(np.maximum(network.gain(q), _SMALLEST))
            self.mean = np.clip(logs + self.gain.mean, -most, most)
            # In ln K', whose kick is relative to V.
            slope = np.nan_to_num(noise.both * network.V(q) / noise.kick, posinf=0.0, neginf=0.0)
            strays = np.sqrt(np.nan_to_num(noise.kick, posinf=0.0)) / network.V(q)
            self.slope = np.clip(slope, *(side * np.sqrt(self.variance) / strays for side in (-1, 1)))
            shared = np.nan_to_num(np.square(self.slope * strays))
        self.slope = np.nan_to_num(self.slope)
        self.rest = np.sqrt(np.maximum(self.variance - shared, 0.0) / np.maximum(self.variance, _SMALLEST))

    def characteristic(self, t: Array, *, alone: bool) -> Complex:
        """Of ln G less its mean, times the share that passes; `alone` of what does not go along with K'."""
        scale = self.rest if alone else np.ones_like(self.rest)
        found: Complex = self.gain.characteristic(scale[:, None] * t) * self.gain.passes[:, None]
        return found


def loss_law(
    network: MeanField,
    q_star: float,
    requirement: Requirement,
    start: float | None = None,
    *,
    neutral: bool = False,
    most: float = 1.0,
) -> LossLaw:
    """Of networks whose layer 0 has the variance `start`, by default q*; a `neutral` signal may go where it likes.

    `risk`, `chains` and `seed` of the requirement play no part. The first depth at which more than `most` lose one or
    the other is the last.

    Raises:
        DomainError: as `variance_law`.

    Source: docs/theory.md, section 17.
    """
    depth, limit = requirement.depth, math.log(requirement.gradient_within)
    law = variance_law(network, q_star, requirement, start)
    signal = law.escaped(depth)
    if neutral:
        # Where V keeps every q a gradient does not notice which.
        law = law.at_rest(q_star)
    layer = _Layer(network, law, requirement)
    drifts = _drifts(network, law, layer, requirement)
    mean, variance = _moments(law, layer, drifts)
    reach = abs(mean[-1]) + _REACH * math.sqrt(variance[-1])
    # Where next to nothing comes near the limit, too many frequencies would be needed to say so.
    near = reach > 0.5 * limit or layer.gain.passes.min() < 1
    lost = list[tuple[float, float]]()
    for kept, both in (
        _kept(law, layer, drifts, limit, limit + reach) if near else ((1.0, 1 - share) for share in signal)
    ):
        lost.append((1 - kept, 1 - (kept if neutral else both)))
        if lost[-1][1] > most:
            break
    gradient, either = np.clip(np.transpose(lost), 0.0, 1.0)
    told = slice(len(lost))
    return LossLaw(signal[told], gradient, either, mean[told], np.sqrt(variance[told]))


def _drifts(network: MeanField, law: VarianceLaw, layer: _Layer, r: Requirement) -> list[Array]:
    """The mean that a layer brings, by how many layers there are from it on, shape (n + 1,) each.

    ω in front of a layer is expected from where the variance goes.
    """
    at = overlap_of(network, law.variances)
    fresh, kept, weight = (np.nan_to_num(part, posinf=0.0, neginf=0.0) for part in at)
    shared = np.clip(weight / r.width, 0.0, _MOST_SHARED)
    omega, found = np.ones_like(layer.mean), list[Array]()
    for _ in range(r.depth):
        ahead = law.step @ omega[:-1] if found else omega
        excess = np.maximum(ahead - 1, -1.0)
        longer = 1 + shared * excess
        found.append(layer.mean + np.log(longer))
        omega = np.clip((fresh + kept * excess) / longer, 0.0, r.width)
    return found


def _moments(law: VarianceLaw, layer: _Layer, drifts: list[Array]) -> tuple[Array, Array]:
    """Mean and variance of ln G from the start, by depth."""
    first, second = np.zeros((2, len(law.nodes)))
    found = []
    x = law.step @ law.nodes
    for drift in drifts:
        after, square = law.step @ first, law.step @ second
        together = layer.slope * (law.step @ (law.nodes * first) - x * after)
        whole = drift + after
        whole_square = drift**2 + layer.variance + 2 * (drift * after + together) + square
        found.append((whole[-1], max(whole_square[-1] - whole[-1] ** 2, 0.0)))
        first, second = whole[:-1], whole_square[:-1]
    mean, variance = np.transpose(found)
    return mean, variance


def _kept(
    law: VarianceLaw, layer: _Layer, drifts: list[Array], limit: float, period: float
) -> Iterator[tuple[float, float]]:
    """The share of networks with |ln G| up to `limit`, and of those among them with their signal, by depth.

    What is further from 0 than `period` − `limit` is too little to matter.
    """
    count = len(law.nodes)
    number = math.ceil(min(period * _TAIL * _DETAIL / (2 * math.pi * limit), _MOST))
    t = np.arange(number + 1.0) * (2 * math.pi / period)
    # Integral of B, the slope of ln G in ln K'.
    B = np.concatenate([[0.0], np.cumsum((layer.slope[1:count] + layer.slope[: count - 1]) / 2 * np.diff(law.nodes))])
    turned = np.exp(1j * t * B[:, None])
    middle, noise = law.step @ B, layer.characteristic(t, alone=True)
    u = layer.characteristic(t, alone=False) * np.exp(1j * t * drifts[0][:, None])
    u = np.stack([u, u * (1 - law.outside)[:, None]], axis=1)
    of_one = float(layer.variance[-1] * layer.rest[-1] ** 2)
    yield _within(u[-1], t, limit, period, of_one)
    for k, drift in enumerate(drifts[1:], 2):
        ahead = (turned[:, None] * u[:count]).reshape(count, -1)
        carried = (law.step @ ahead.view(float)).view(complex).reshape(u.shape)
        phase = noise * np.exp(1j * t * (drift - middle)[:, None])
        u = phase[:, None] * carried
        yield _within(u[-1], t, limit, period, k * of_one)


def _within(u: Complex, t: Array, limit: float, period: float, variance: float) -> tuple[float, float]:
    """P(|ln G| ≤ limit) twice, from characteristic functions at the frequencies t, a row each of `u`.

    Where ln G strays, with this `variance`, by less than the frequencies can tell it is blurred to that.
    """
    blur = max((_TAIL / t[-1]) ** 2 - variance, 0.0)
    weights = np.exp(-0.5 * blur * t**2) * (4 / period) * np.sin(t * limit) / np.maximum(t, _SMALLEST)
    weights[0] = 2 * limit / period
    kept, both = (u.real @ weights).tolist()
    return kept, both
