"""How far the variance of a signal strays in a network of finite width N.

Each layer kicks q by √(S(q)/N), and the variance map carries deviations on. Along the path q_l = V(q_{l−1}), to first
order in 1/N,

    Var_{l+1} = V'² Var_l + S/N,    mean_{l+1} − q_{l+1} = V' (mean_l − q_l) + ½V'' Var_l,

which settle at S/(N(1 − V'²)) and ½V'' Var/(1 − V') where |V'| < 1. V' near 1 makes the second order of the variance,
which takes the skewness of q as well, matter at widths of hundreds. Nothing is said where it exceeds the first, or the
mean has moved by a fifth: there the expansion has left its range. docs/theory.md, section 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.finite_width.differences import differences
from meanfield.finite_width.layer_noise import held_back
from meanfield.finite_width.variance_chain import RUNAWAY
from meanfield.infinite_width.fixed_points import FixedPoint
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["LARGEST_SHIFT", "Fluctuations", "fluctuations", "strays", "variance_path"]

Array = NDArray[np.float64]

#: Of q, over q itself, up to which the correction of order 1/N to its mean is one.
LARGEST_SHIFT = 0.2


@dataclass(frozen=True, eq=False)
class Fluctuations:
    """Mean and standard deviation of q^l over random networks of one width, to order 1/N and 1/N².

    `mean` and `sd` by layer, shape (depth + 1,), NaN from the layer on where the expansion has left its range;
    `stationary_mean` and `stationary_sd` after many layers, ∞ where nothing holds q, NaN out of range.
    """

    mean: Array
    sd: Array
    stationary_mean: float
    stationary_sd: float


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
    network: MeanField, point: FixedPoint | None, width: int, depth: int, start: float | None = None
) -> Fluctuations:
    """Around the fixed point `point`, from the variance `start` at layer 0 (by default the fixed point itself).

    Without a point nothing settles, and a start is needed.
    """
    if point is None or (start is not None and start != point.q):
        assert start is not None
        path = variance_path(network, start, depth)
        layers = _layers(network, path[:-1], width)
    else:
        path, layers = np.full(depth + 1, point.q), [_rest(network, point, width)] * depth
    shift = variance = skewness = correction = 0.0
    rows = [(0.0, 0.0, 0.0)]
    for layer in layers:
        s = layer.slope
        # Products, where powers of large numbers would raise: what is driven off without bound ends as ∞ or NaN.
        correction = s * s * correction + layer.added_correction(shift, variance, skewness)
        skewness = s * s * s * skewness + layer.added_skewness(variance)
        shift = s * shift + layer.added_shift(variance)
        variance = s * s * variance + layer.kick
        rows.append((shift, variance, correction))
    shifts, variances, corrections = np.array(rows).T
    holds = np.logical_and.accumulate(_in_range(path, shifts, variances, corrections))
    with np.errstate(invalid="ignore"):
        mean, sd = np.where(holds, path + shifts, np.nan), np.where(holds, _spread(variances, corrections), np.nan)
    return Fluctuations(mean, sd, *_settled(network, point, width))


def _rest(network: MeanField, point: FixedPoint, width: int) -> _Layer:
    (rest,) = _layers(network, np.array([point.q]), width)
    return rest._replace(slope=point.slope, curvature=point.curvature)


def _in_range(q: ArrayLike, shift: ArrayLike, variance: ArrayLike, correction: ArrayLike) -> NDArray[np.bool_]:
    """Where the second order is a correction to the first, elementwise."""
    holds: NDArray[np.bool_] = (np.abs(correction) <= variance) & (np.abs(shift) <= LARGEST_SHIFT * np.asarray(q))
    return holds


def _settled(network: MeanField, point: FixedPoint | None, width: int) -> tuple[float, float]:
    """Mean and standard deviation after many layers."""
    if point is None or point.slope >= 1:
        return math.inf, math.inf
    layer = _rest(network, point, width)
    s = layer.slope
    variance = layer.kick / (1 - s**2)
    shift = layer.added_shift(variance) / (1 - s)
    skewness = layer.added_skewness(variance) / (1 - s**3)
    correction = layer.added_correction(shift, variance, skewness) / (1 - s**2)
    if not _in_range(point.q, shift, variance, correction):
        return math.nan, math.nan
    return point.q + shift, float(_spread(variance, correction))


def _spread(variance: ArrayLike, correction: ArrayLike) -> Array:
    """√(variance + correction), a negative correction written so that the sum stays positive: the same to its order."""
    first, second = np.asarray(variance, dtype=float), np.asarray(correction, dtype=float)
    with np.errstate(all="ignore"):
        spread: Array = np.where(second < 0, first / np.sqrt(first - second), np.sqrt(first + second))
    return spread


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


def strays(network: MeanField, path: Array, width: int, *, orthogonal: bool = False) -> tuple[Array, Array]:
    """The mean of q less q, and its variance, to order 1/N along a `path` of q at infinite width; of its shape."""
    q = path[:-1]
    with np.errstate(all="ignore"):
        slope, curvature, kick = network.dV(q), network.d2V(q), network.kick_variance(q) / width
        held = held_back(network, q, width) if orthogonal else np.zeros_like(q)
        held[:1] = 0.0
        shifts, variances = [0.0], [0.0]
        for layer in range(len(q)):
            spread = variances[-1] - held[layer]
            shifts.append(slope[layer] * shifts[-1] + 0.5 * curvature[layer] * spread)
            variances.append(slope[layer] ** 2 * spread + kick[layer])
    return np.array(shifts), np.array(variances)


def variance_path(network: MeanField, start: float, depth: int) -> Array:
    """q_{l+1} = V(q_l) in layers 0…depth from q_0 = `start`, at most RUNAWAY; shape (depth + 1,)."""
    path = [start]
    for _ in range(depth):
        path.append(min(network.V(path[-1]), RUNAWAY))
    return np.array(path)
