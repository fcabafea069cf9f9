"""Two signals in the same random network of finite width, layer by layer: an exact Markov chain of 2×2 matrices.

Given the activations of one layer, the next pre-activations of two inputs are independent pairs (h_j1, h_j2) ~ N(0, K):
both inputs meet the same Gaussian weights, so only their covariances are handed on,

    K'_ab = σ_b² + σ_w²/N · Σⱼ φ(h_ja) φ(h_jb),   a, b = 1, 2,   j = 1…N.

A layer costs 2N normal numbers, and nothing is approximated; K_11 alone is the chain of `variance_chain`. What is
carried is K_11, K_22 and 1 − ρ, for inputs that grow alike would lose the digits of 1 − ρ in K_12. They come from

    K_11 + K_22 − 2K_12 = σ_w²/N · Σⱼ (φ(h_j1) − φ(h_j2))² = 2√(K_11 K_22) (1 − ρ) + (√K_11 − √K_22)²,

a sum of squares: ρ = 1 stays 1, and 1 − ρ means something down to 1e-30.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.variance_chain import RUNAWAY, in_blocks, outputs, parts
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["PairTrajectories", "pair_trajectories"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PairTrajectories:
    """Two inputs in random networks of one width, by layer and network; every shape is (depth + 1, chains).

    Attributes:
        first: K_11, the variance of the first input's pre-activations.
        second: K_22, that of the second's.
        rho: their correlation K_12/√(K_11 K_22), in [−1, 1]; NaN where a variance is 0, or a sum beyond the doubles.
        one_minus_rho: 1 − ρ, with digits that ρ near 1 has no room for.
    """

    first: Array
    second: Array
    rho: Array
    one_minus_rho: Array


def pair_trajectories(
    network: MeanField, start: float, rho: float, width: int, depth: int, chains: int, seed: int = 0
) -> PairTrajectories:
    """Two inputs in layers 0…depth of `chains` random networks, both of variance `start` > 0, of correlation `rho`.

    The same numbers for the same seed, however many processors there are. Variances stop at `RUNAWAY`.
    """

    def block(random: np.random.Generator, size: int) -> Array:
        layers = np.empty((4, depth + 1, size))
        layers[:, 0] = np.array([start, start, rho, 1 - rho])[:, None]
        for layer in range(depth):
            layers[:, layer + 1] = _step(network, layers[:, layer], width, random)
        return layers

    return PairTrajectories(*in_blocks(block, chains, seed))


def _step(network: MeanField, before: Array, width: int, random: np.random.Generator) -> Array:
    """K_11, K_22, ρ and 1 − ρ one layer on, as rows."""
    roots, (rho, one_minus_rho) = np.sqrt(before[:2]), before[2:]
    # Where a variance is 0 any correlation gives the same pair.
    along, lost = np.nan_to_num(rho), np.nan_to_num(one_minus_rho, nan=1.0)
    # √((1 − ρ)(1 + ρ)), the share of the second input that the first does not have.
    across = np.sqrt(lost * (2 - lost))
    squares, product, distance = np.zeros_like(roots), np.zeros_like(rho), np.zeros_like(rho)
    for some, units in parts(len(rho), width):
        pairs = random.standard_normal((2, len(rho[some]), units))
        pairs[1] *= across[some, None]
        pairs[1] += along[some, None] * pairs[0]
        pairs *= roots[:, some, None]
        phi = outputs(network.activation, pairs)
        squares[:, some] += np.einsum("aij,aij->ai", phi, phi)
        product[some] += np.einsum("ij,ij->i", phi[0], phi[1])
        phi[1] -= phi[0]
        distance[some] += np.einsum("ij,ij->i", phi[1], phi[1])
    bias, weight = network.sigma_b**2, network.sigma_w**2
    after = bias + weight * (squares / width)
    correlation = _correlation(np.sqrt(after), bias + weight * (product / width), weight * (distance / width))
    return np.concatenate([np.minimum(after, RUNAWAY), correlation])


def _correlation(roots: Array, product: Array, distance: Array) -> Array:
    """ρ and 1 − ρ, as rows, from √K_11 and √K_22, K_12, and K_11 + K_22 − 2K_12."""
    first, second = roots
    with np.errstate(divide="ignore"):
        rho = np.clip(product / first / second, -1, 1)
        lost = np.clip((distance / first - np.square(second - first) / first) / (2 * second), 0, 2)
    # For inputs far apart the difference of two large numbers is the worse way.
    near = distance <= first * second
    return np.where(near, [1 - lost, lost], [rho, 1 - rho])
