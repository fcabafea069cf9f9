"""How much of a gradient dense networks of width N carry back: ln |g^l|²/|g^L|², its mean and its spread.

A layer multiplies |g|² by a factor that is χ₁(K) up to a relative noise e of variance O(1/N): its N units share what
they pass unevenly, and its weights are random. So the logarithm is a sum over layers of

    ln χ₁(K_l) + e_l − ½ E e_l²,

K_l strays from q_l as `field_theory` says, and e_l and the next kick of K come from the same units. A Gaussian W has
also seen the signal on its way: W meets the gradient in that direction with what the gradient happens to have in common
with the pre-activations, ω, and a share E φ²φ'²/(N E φ² E φ'²) of the factor is multiplied by ω instead of 1.
docs/theory.md, section 13.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.differences import differences
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.field_theory import FieldTheory
from meanfield.infinite_width.moments import (
    second_moment,
    slope_moment,
    slope_square_d1,
    slope_weighted_product,
    slope_weighted_square,
)

__all__ = ["gradient_noise", "gradient_theory"]

Array = NDArray[np.float64]


def gradient_theory(experiment: Experiment, field: FieldTheory) -> tuple[Array, Array]:
    """Mean and standard deviation by layer; NaN where the signal or the gradient is lost at infinite width."""
    e, network = experiment, experiment.network
    nothing = np.full(e.depth + 1, np.nan)
    if not np.isfinite(field.log_gradient).all() or not (field.q > 0).all():
        return nothing, nothing
    phi, q, N = network.activation, field.q[:-1], e.width
    orthogonal = e.weights == "orthogonal"
    weight, offset = network.sigma_w_squared, network.sigma_b_squared
    square, (d1, d2, _) = slope_moment(phi, q, 2), differences(lambda q: slope_square_d1(phi, q), q)
    size, V1 = second_moment(phi, q), network.dV(q)
    through, along = slope_weighted_square(phi, q), slope_weighted_product(phi, q)
    # What an orthogonal W keeps from straying, of the way there; layer 0 is Gaussian.
    kept = np.where(orthogonal & (np.arange(e.depth) > 0), 2 * (q - offset) ** 2 / N, 0.0)
    spread = field.q_variance[:-1] - kept
    sensitivity = d1 / square
    noise = gradient_noise(e, field)
    with_kick = weight * (through / square - size) / N
    kick = network.kick_variance(q) / N
    overlaps = _overlaps(q, offset, size, square, d1, along)
    # An orthogonal W passes the whole length, and so has less of it left for other directions.
    reuse = (through / (size * square) - orthogonal) * (overlaps - 1) / N
    steps = (
        np.log(network.gain(q))
        + sensitivity * field.q_shift[:-1]
        + 0.5 * (d2 / square - sensitivity**2) * spread
        - 0.5 * noise
        + reuse
    )
    means, variances, response, fresh = [0.0], [0.0], 0.0, 0.0
    for layer in reversed(range(e.depth)):
        stray = kick[layer] - (kept[layer + 1] if layer + 1 < e.depth else 0.0)
        fresh += noise[layer] + response**2 * stray + 2 * response * with_kick[layer]
        # How the sum from this layer on answers to K.
        response = sensitivity[layer] + V1[layer] * response
        means.append(means[-1] + steps[layer])
        variances.append(fresh + response**2 * spread[layer])
    return np.array(means[::-1]), np.sqrt(np.maximum(variances[::-1], 0.0))


def gradient_noise(experiment: Experiment, field: FieldTheory) -> Array:
    """E e² by layer 0…depth − 1: of the units' slopes, and of the gradient, which an orthogonal W does not stretch."""
    e, q = experiment, field.q[:-1]
    phi = e.network.activation
    with np.errstate(all="ignore"):
        ratio = slope_moment(phi, q, 4) / np.square(slope_moment(phi, q, 2))
    return np.asarray((3 * ratio - (3 if e.weights == "orthogonal" else 1)) / e.width)


def _overlaps(q: Array, offset: float, size: Array, square: Array, d1: Array, along: Array) -> Array:
    """ω of layers 1…depth: E (h·g)² over E |h|² E |g|²/N, h without biases; 1 where they know nothing of each other."""
    kept = (q - offset) / q
    # E h²φ'², from E h²f(h) = q E f + 2q² d/dq E f, and the part of h that is not a bias.
    meets = kept**2 * (q * square + 2 * q**2 * d1) + kept * offset * square
    seen = np.square(kept * along) / size
    found = [1.0]
    for layer in range(len(q) - 1, 0, -1):
        found.append((meets[layer] + (found[-1] - 1) * seen[layer]) / (kept[layer] * q[layer] * square[layer]))
    return np.array(found[::-1])
