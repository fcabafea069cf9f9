"""How far the variance of a signal strays in a network of finite width, to first order in 1/N.

Each layer kicks q by √(S(q)/N) and the variance map carries deviations on, so along the path q_l = V(q_{l−1})

    Var_{l+1} = V'(q_l)² Var_l + S(q_l)/N,    mean_{l+1} − q_{l+1} = V'(q_l) (mean_l − q_l) + ½V''(q_l) Var_l.

At a fixed point with |V'| < 1 they settle at S/(N(1 − V'²)) and ½V'' Var/(1 − V'). docs/theory.md, section 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.chain import step_variance
from meanfield.fixed_points import FixedPoint
from meanfield.mean_field import MeanField

__all__ = ["Fluctuations", "fluctuations"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fluctuations:
    """Mean and standard deviation of q^l over random networks of one width.

    `mean` and `sd` by layer, shape (depth + 1,); `stationary_mean` and `stationary_sd` after many layers, ∞ where
    nothing holds q.
    """

    mean: Array
    sd: Array
    stationary_mean: float
    stationary_sd: float


def fluctuations(
    network: MeanField, point: FixedPoint, width: int, depth: int, start: float | None = None
) -> Fluctuations:
    """Around the fixed point `point`, from the variance `start` at layer 0 (by default the fixed point itself)."""
    at_rest = start is None or start == point.q
    path = np.full(depth + 1, point.q) if at_rest else _path(network, float(start or 0.0), depth)
    slopes = np.full(depth + 1, point.slope) if at_rest else np.asarray(network.dV(path))
    curvatures = np.full(depth + 1, point.curvature) if at_rest else np.asarray(network.d2V(path))
    kicks = np.broadcast_to(step_variance(network, point.q if at_rest else path), path.shape) / width
    shift, variance = np.zeros(depth + 1), np.zeros(depth + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in range(depth):
            shift[layer + 1] = slopes[layer] * shift[layer] + 0.5 * curvatures[layer] * variance[layer]
            variance[layer + 1] = slopes[layer] ** 2 * variance[layer] + kicks[layer]
        mean, sd = path + shift, np.sqrt(variance)
    if abs(point.slope) >= 1:
        return Fluctuations(mean, sd, math.inf, math.inf)
    settled = float(step_variance(network, point.q)) / (width * (1 - point.slope**2))
    return Fluctuations(mean, sd, point.q + 0.5 * point.curvature * settled / (1 - point.slope), math.sqrt(settled))


def _path(network: MeanField, start: float, depth: int) -> Array:
    path = np.empty(depth + 1)
    path[0] = start
    for layer in range(depth):
        path[layer + 1] = min(float(network.V(path[layer])), 1e200)
    return path
