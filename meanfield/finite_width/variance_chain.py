"""The variance of a signal in networks of finite width, layer by layer: an exact Markov chain in one dimension.

Given the activations of one layer, the pre-activations of the next are independent N(0, K): the weights are Gaussian,
so only K is handed on,

    K' = σ_b² + σ_w²/N · Σⱼ φ(√K zⱼ)²,   z standard normal, j = 1…N.

A layer costs N normal numbers instead of the N² weights of a network, and nothing is approximated. For very wide
networks the sum is normal to within a proven bound, and one number stands for N. docs/theory.md, section 8.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import fourth_moment, second_moment, sixth_moment

__all__ = ["RUNAWAY", "normal_step_error", "takes_normal_steps", "trajectories"]

Array = NDArray[np.float64]

#: Chains that share one stream of random numbers, of exact and of normal steps.
_BLOCK, _NORMAL_BLOCK = 256, 1024
#: Units of one chain worked on at once, and numbers of all chains: few calls, and arrays so small that they stay in
#: cache and need no new memory of the system.
_UNITS, _NUMBERS = 8192, 16384
#: A variance this large has run away; its square, and what σ_w² makes of it, are still doubles.
RUNAWAY = 1e200
#: A layer's sum over N units counts as normal when its distribution function is proven to be this close to it. The
#: bound is worst-case: what separates the two in truth, the skewness, is about a seventh of it.
_NORMAL = 0.02
#: Rounding of a moment relative to its size.
_MOMENT_ROUNDING = 1e-13
#: I. G. Shevtsova's constant in the theorem of Berry and Esseen, for equal laws (2011).
_BERRY_ESSEEN = 0.4748


def trajectories(
    network: MeanField,
    start: float,
    width: int,
    depth: int,
    chains: int,
    seed: int = 0,
    *,
    first: int = 0,
    normal: bool = False,
    advance: Callable[[int], object] | None = None,
) -> Array:
    """K in layers 0…depth of `chains` random networks that start at the variance `start`, shape (depth + 1, chains).

    The same numbers for the same seed, however many processors there are. `first` chains of a seed, a multiple of
    1024, may be left out. `normal` steps cost nothing however wide the network, and are close where
    `takes_normal_steps` says so. `advance` is called with the number of chains done since the last call.
    """
    step, most = (_normal_step, _NORMAL_BLOCK) if normal else (_exact_step, _BLOCK)
    sizes = [min(most, chains - done) for done in range(0, chains, most)]

    def block(index: int, size: int) -> Array:
        # A stream of its own, so that the result does not depend on how many threads there are.
        random = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(index,))))
        variances = np.empty((depth + 1, size))
        variances[0] = start
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for layer in range(depth):
                variances[layer + 1] = np.minimum(step(network, variances[layer], width, random), RUNAWAY)
        return variances

    from concurrent.futures import ThreadPoolExecutor

    blocks = []
    with ThreadPoolExecutor(min(_processors(), len(sizes))) as workers:
        try:
            for some in workers.map(block, count(first // most), sizes):
                blocks.append(some)
                if advance:
                    advance(some.shape[1])
        finally:
            workers.shutdown(wait=False, cancel_futures=True)
    return np.concatenate(blocks, axis=1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _exact_step(network: MeanField, variance: Array, width: int, random: np.random.Generator) -> Array:
    root, total = np.sqrt(variance), np.zeros_like(variance)
    for some, units in _parts(len(variance), width):
        inputs = random.standard_normal((len(root[some]), units))
        inputs *= root[some, None]
        activations = network.activation.values(inputs)
        total[some] += np.einsum("ij,ij->i", activations, activations)
    return network.layer(total / width)


def _parts(chains: int, width: int) -> Iterator[tuple[slice, int]]:
    """Which chains to work on at once, and on how many units of each, until all of `width` are done."""
    for first in range(0, width, _UNITS):
        units = min(_UNITS, width - first)
        rows = _NUMBERS // units
        for chain in range(0, chains, rows):
            yield slice(chain, chain + rows), units


def _normal_step(network: MeanField, variance: Array, width: int, random: np.random.Generator) -> Array:
    mean, spread = network.V(variance), np.sqrt(network.kick_variance(variance) / width)
    step = np.maximum(mean + spread * random.standard_normal(len(variance)), network.sigma_b_squared)
    # Where the moments overflow the variance has run away, and stays so.
    return np.where(np.isfinite(spread), step, RUNAWAY)


def normal_step_error(network: MeanField, q: float, width: int) -> float:
    """A bound on the distance between the distribution functions of K' given K = q and of the normal law.

    Berry and Esseen: at most 0.4748 E|Y − EY|³/(√N (Var Y)^(3/2)) with Y = φ². As Y ≥ 0, E|Y − EY|³ is at most the
    third central moment and twice (EY)³. 0 where Y is constant, for then nothing is random; ∞ where the moments are
    beyond the doubles.
    """
    phi = network.activation
    mean = second_moment(phi, q)
    if not mean:
        return 0.0
    second, third = fourth_moment(phi, q) / mean / mean, sixth_moment(phi, q) / mean / mean / mean
    if not (1 - _MOMENT_ROUNDING <= second <= third < math.inf):
        return math.inf
    variance = second - 1
    if variance <= _MOMENT_ROUNDING:
        return 0.0
    return _BERRY_ESSEEN * (third - 3 * second + 4) / (variance * math.sqrt(variance * width))


def takes_normal_steps(network: MeanField, start: float, width: int) -> bool:
    """Whether a layer at the variance `start` is proven normal to two per cent, so that one number may stand for N."""
    return normal_step_error(network, start, width) <= _NORMAL
