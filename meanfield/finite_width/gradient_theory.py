"""How much of a gradient dense networks of width N carry back: ln |g^l|²/|g^L|², its mean and its spread.

A layer multiplies |g|² by a factor that is χ₁(K) up to a relative noise e of variance O(1/N): its N units share what
they pass unevenly, and its weights are random. So the logarithm is a sum over layers of

    ln χ₁(K_l) + ln(1 + e_l),

K_l strays from q_l around the path of infinite width, e_l and the next kick of K come from the same units, and
ln(1 + e_l) has the mean and the variance of `GainLaw`, of all orders in 1/N. The weights have also seen the signal on
its way, and return what the gradient happens to have in common with it. docs/theory.md, sections 13 and 17.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.differences import differences
from meanfield.finite_width.gain_law import GainLaw
from meanfield.finite_width.layer_noise import held_back, layer_noise
from meanfield.finite_width.overlaps import returned
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import slope_moment, slope_square_d1

__all__ = ["GradientLaw", "gradient_theory", "unknown_gradients"]

Array = NDArray[np.float64]

#: Variance of the noise of a gradient in one layer, relative to its square: beyond it a logarithm is no straight line.
_LARGEST_NOISE = 0.15
#: Change of a layer's gain by what the gradient has in common with the signal, up to which ω grows as without it.
_LARGEST_REUSE = 0.02


class GradientLaw(NamedTuple):
    """Of ln |g^l|²/|g^L|² by layer, shape (depth + 1,): `mean` and `sd`; `correlation` of the whole, l = 0, with q^L.

    NaN where the signal or the gradient is lost at infinite width, a layer is too narrow to pass it evenly, or what
    weights return of it is no small change.
    """

    mean: Array
    sd: Array
    correlation: float


def unknown_gradients(depth: int) -> GradientLaw:
    """Where nothing is said."""
    nothing = np.full(depth + 1, np.nan)
    return GradientLaw(nothing, nothing, math.nan)


def gradient_theory(
    network: MeanField, width: int, path: Array, shift: Array, variance: Array, *, orthogonal: bool = False
) -> GradientLaw:
    """Around the `path` of q at infinite width; `shift` and `variance` are those of q to order 1/N, by layer."""
    q, depth = path[:-1], len(path) - 1
    gains = network.gain(q)
    if not (gains > 0).all() or not (path > 0).all() or not np.isfinite(path).all():
        return unknown_gradients(depth)
    d1, d2, _ = differences(lambda q: slope_square_d1(network.activation, q), q)
    square, V1 = slope_moment(network.activation, q, 2), network.dV(q)
    # What an orthogonal W keeps from straying, of the way there; layer 0 is Gaussian.
    held = np.where(orthogonal & (np.arange(depth) > 0), held_back(network, q, width), 0.0)
    spread = variance[:-1] - held
    noise = layer_noise(network, q, width, orthogonal=orthogonal)
    if not (noise.gain <= _LARGEST_NOISE).all():
        return unknown_gradients(depth)
    gain = GainLaw(network, q, width, orthogonal=orthogonal)
    sensitivity, reuse = d1 / square, returned(network, q, width, orthogonal=orthogonal)
    if not (np.abs(reuse) <= _LARGEST_REUSE).all():
        return unknown_gradients(depth)
    bent = 0.5 * (d2 / square - sensitivity**2) * spread
    steps = np.log(gains) + sensitivity * shift[:-1] + bent + gain.mean + reuse
    means, variances, response, fresh = [0.0], [0.0], 0.0, 0.0
    for layer in reversed(range(depth)):
        stray = noise.kick[layer] - (held[layer + 1] if layer + 1 < depth else 0.0)
        fresh += gain.variance[layer] + response**2 * stray + 2 * response * noise.both[layer]
        # How the sum from this layer on answers to K.
        response = sensitivity[layer] + V1[layer] * response
        means.append(means[-1] + steps[layer])
        variances.append(fresh + response**2 * spread[layer])
    sd = np.sqrt(np.maximum(variances[::-1], 0.0))
    together = 0.0
    for layer in range(depth):
        together = V1[layer] * (together + sensitivity[layer] * spread[layer]) + noise.both[layer]
    with np.errstate(all="ignore"):
        correlation = together / (sd[0] * np.sqrt(variance[-1]))
    return GradientLaw(np.array(means[::-1]), sd, float(np.clip(correlation, -1, 1)))
