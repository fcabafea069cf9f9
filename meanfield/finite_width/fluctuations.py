"""How far the variance of a signal strays in a network of finite width N.

Each layer kicks q by √(S(q)/N), and the variance map carries deviations on. Along the path q_l = V(q_{l−1}), to first
order in 1/N,

    Var_{l+1} = V'² Var_l + S/N,    mean_{l+1} − q_{l+1} = V' (mean_l − q_l) + ½V'' Var_l,

which settle at S/(N(1 − V'²)) and ½V'' Var/(1 − V') where |V'| < 1. V' near 1 makes the second order of the variance,
which takes the skewness of q as well, matter at widths of hundreds; it is added as long as it is a correction, smaller
than what it corrects. docs/theory.md, section 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.differences import differences
from meanfield.finite_width.variance_chain import RUNAWAY
from meanfield.infinite_width.fixed_points import FixedPoint
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["Fluctuations", "fluctuations", "variance_path"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fluctuations:
    """Mean and standard deviation of q^l over random networks of one width.

    `mean` and `sd` by layer, shape (depth + 1,); `stationary_mean` and `stationary_sd` after many layers, ∞ where
    nothing holds q. `order`: that of the variance in 1/N, 2 as a rule, 1 where the second would exceed the first. The
    mean is of order 1.
    """

    mean: Array
    sd: Array
    stationary_mean: float
    stationary_sd: float
    order: int


class _Layer(NamedTuple):
    """What a layer does near one q: three derivatives of V; S with two derivatives and a kick's third cumulant, by N.

    A deviation is multiplied by V', a variance by V'² and a third cumulant by V'³; the methods give what is added.
    """

    slope: float
    curvature: float
    third: float
    kick: float
    kick_d1: float
    kick_d2: float
    kick_skewness: float

    def added_shift(self, variance: float) -> float:
        """To the deviation of the mean."""
        return 0.5 * self.curvature * variance

    def added_skewness(self, variance: float) -> float:
        """To the third cumulant."""
        return 3 * self.slope * variance * (self.slope * self.curvature * variance + self.kick_d1) + self.kick_skewness

    def added_correction(self, shift: float, variance: float, skewness: float) -> float:
        """To the part of the variance that is of second order."""
        carried = self.slope * self.curvature * (skewness + 2 * shift * variance)
        bent = (0.5 * self.curvature * self.curvature + self.slope * self.third) * variance * variance
        return carried + bent + self.kick_d1 * shift + 0.5 * self.kick_d2 * variance


def fluctuations(
    network: MeanField, point: FixedPoint, width: int, depth: int, start: float | None = None
) -> Fluctuations:
    """Around the fixed point `point`, from the variance `start` at layer 0 (by default the fixed point itself)."""
    (rest,) = _layers(network, np.array([point.q]), width)
    rest = rest._replace(slope=point.slope, curvature=point.curvature)
    if start is None or start == point.q:
        path, layers = np.full(depth + 1, point.q), [rest] * depth
    else:
        path = variance_path(network, start, depth)
        layers = _layers(network, path[:-1], width)
    shift = variance = skewness = correction = 0.0
    shifts, variances, corrections = [0.0], [0.0], [0.0]
    for layer in layers:
        s = layer.slope
        # Products, where powers of large numbers would raise: what is driven off without bound ends as ∞ or NaN.
        correction = s * s * correction + layer.added_correction(shift, variance, skewness)
        skewness = s * s * s * skewness + layer.added_skewness(variance)
        shift = s * shift + layer.added_shift(variance)
        variance = s * s * variance + layer.kick
        shifts.append(shift)
        variances.append(variance)
        corrections.append(correction)
    end = _settled(rest) if abs(rest.slope) < 1 else (math.inf, math.inf, 0.0)
    order = 2 if abs(correction) <= variance and abs(end[2]) <= end[1] else 1
    sd = [_spread(*parts, order) for parts in zip(variances, corrections, strict=True)]
    return Fluctuations(path + shifts, np.array(sd), point.q + end[0], _spread(*end[1:], order), order)


def _settled(layer: _Layer) -> tuple[float, float, float]:
    """Deviation of the mean, variance and its correction after many layers, |V'| < 1."""
    s = layer.slope
    variance = layer.kick / (1 - s**2)
    shift = layer.added_shift(variance) / (1 - s)
    skewness = layer.added_skewness(variance) / (1 - s**3)
    return shift, variance, layer.added_correction(shift, variance, skewness) / (1 - s**2)


def _spread(variance: float, correction: float, order: int) -> float:
    """√(variance + correction), a negative correction written so that the sum stays positive: the same to its order."""
    if order == 1 or not correction:
        return math.sqrt(variance)
    if correction < 0:
        return variance / math.sqrt(variance - correction)
    return math.sqrt(variance + correction)


def _layers(network: MeanField, q: Array, width: int) -> list[_Layer]:
    # A path may end at 0, where differences are NaN and only the first order is left, or run away.
    with np.errstate(all="ignore"):
        bend, bend_d1, _ = differences(network.d2V, q)
        columns = (
            network.dV(q),
            bend,
            bend_d1,
            *differences(lambda q: network.kick_variance(q) / width, q),
            network.kick_cumulants(q)[2] / width**2,
        )
    return [_Layer(*row) for row in np.transpose(columns).tolist()]


def variance_path(network: MeanField, start: float, depth: int) -> Array:
    """q_{l+1} = V(q_l) in layers 0…depth from q_0 = `start`, at most RUNAWAY; shape (depth + 1,)."""
    path = [start]
    for _ in range(depth):
        path.append(min(network.V(path[-1]), RUNAWAY))
    return np.array(path)
