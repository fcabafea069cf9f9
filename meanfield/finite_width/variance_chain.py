"""Random networks of finite width without their weights: the variance of the signal layer by layer, and the gradient.

Given the activations of one layer, the pre-activations of the next are independent N(0, K): the weights are Gaussian,
so only K is handed on,

    K' = σ_b² + σ_w²/N · Σⱼ φ(√K zⱼ)²,   z standard normal, j = 1…N.

Orthogonal weights make of the activations a vector of known length, W x = √N·√(K − σ_b²) z/|z|, to which biases are
added. A layer costs N normal numbers instead of the N² weights of a network, or as many as it has units with a slope
(`piece_sums`), or twice as many with orthogonal weights and biases. Nothing is approximated. `gradient_chain` makes
the way back of a few sums over the same units. For very wide networks the sum is normal to within a proven bound, and
two numbers stand for N. docs/theory.md, sections 8 and 17.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from threading import Event
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.gradient_chain import log_gains
from meanfield.finite_width.layer_noise import held_back, layer_noise
from meanfield.finite_width.layer_sums import NUMBERS_AT_ONCE, UNITS_AT_ONCE, LayerSums, layer_sums
from meanfield.finite_width.overlaps import returned
from meanfield.finite_width.piece_sums import piece_sums
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import fourth_moment, second_moment, sixth_moment, slope_moment, slope_square_d1

__all__ = ["RUNAWAY", "Trajectories", "normal_step_error", "takes_normal_steps", "trajectories"]

Array = NDArray[np.float64]

#: Chains that share one stream of random numbers, of exact and of normal steps; fewer exact ones where they are deep.
_BLOCK, _NORMAL_BLOCK = 512, 1024
#: From so many units on, and with no more knots, units on flat pieces of φ are counted and not drawn: it is quicker.
_MANY, _FEW_KNOTS = 150, 8
#: Sums over units that are kept at once, until their chains have come back: 0.4 GB.
_MOST_SUMS = 50_000_000
#: A variance this large has run away; its square, and what σ_w² makes of it, are still doubles.
RUNAWAY = 1e200
#: A layer's sum over N units counts as normal when its distribution function is proven to be this close to it. The
#: bound is worst-case: what separates the two in truth, the skewness, is about a seventh of it.
_NORMAL = 0.02
#: Relative variance of the gain of a gradient up to which its logarithm counts as normal too.
_NORMAL_GAIN = 0.01
#: Rounding of a moment relative to its size.
_MOMENT_ROUNDING = 1e-13
#: I. G. Shevtsova's constant in the theorem of Berry and Esseen, for equal laws (2011).
_BERRY_ESSEEN = 0.4748


class Trajectories(NamedTuple):
    """What became of random networks.

    `variances`: K in layers 0…L, shape (L + 1, chains). `log_gains`: ln G, G = |g⁰|²/|g^L|² the gain of a squared
    gradient over all layers, shape (chains,); −∞ where none passes.
    """

    variances: Array
    log_gains: Array


def trajectories(
    network: MeanField,
    start: float,
    width: int,
    depth: int,
    chains: int,
    seed: int = 0,
    *,
    orthogonal: bool = False,
    normal: bool = False,
    advance: Callable[[int], object] | None = None,
) -> Trajectories:
    """`chains` random networks whose layer 0 is Gaussian of variance `start`.

    The same numbers for the same seed, however many processors there are. `normal` steps cost nothing however
    wide the network, and are close where `takes_normal_steps` says so. `advance` is called with the number of chains
    done since the last call.
    """
    most_kept = _MOST_SUMS // (len(LayerSums._fields) * depth)
    block, most = (_normal_steps, _NORMAL_BLOCK) if normal else (_exact_steps, min(_BLOCK, max(most_kept, 1)))
    sizes = [min(most, chains - done) for done in range(0, chains, most)]

    def drawn(index: int, size: int) -> Trajectories:
        # A stream of its own, so that the result does not depend on how many threads there are.
        random = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(index,))))
        variances = np.empty((depth + 1, size))
        variances[0] = start
        with np.errstate(all="ignore"):
            return Trajectories(variances, block(network, variances, layers(), width, random, orthogonal=orthogonal))

    def layers() -> Iterator[int]:
        """0…L − 1, as long as somebody waits for them: a thread ends by itself alone."""
        for layer in range(depth):
            if abandoned.is_set():
                raise CancelledError
            yield layer

    from concurrent.futures import CancelledError, ThreadPoolExecutor

    blocks: list[Trajectories] = []
    abandoned = Event()
    at_once = len(sizes) if normal else max(most_kept // most, 1)
    with ThreadPoolExecutor(min(_processors(), len(sizes), at_once)) as workers:
        try:
            for some in workers.map(drawn, range(len(sizes)), sizes):
                blocks.append(some)
                if advance:
                    advance(len(some.log_gains))
        finally:
            abandoned.set()
            workers.shutdown(wait=False, cancel_futures=True)
    variances, gains = zip(*blocks, strict=True)
    return Trajectories(np.concatenate(variances, axis=1), np.concatenate(gains))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _exact_steps(
    network: MeanField,
    variances: Array,
    layers: Iterator[int],
    width: int,
    random: np.random.Generator,
    *,
    orthogonal: bool,
) -> Array:
    """Fills in the variances of all layers but the first; returns ln G."""
    kept = []
    for layer in layers:
        sums = _sums(network, variances[layer], width, random, orthogonal=orthogonal and layer > 0)
        variances[layer + 1] = np.minimum(network.layer(sums.xx / width), RUNAWAY)
        kept.append(sums)
    return log_gains(network, variances, kept, width, random, orthogonal=orthogonal)


def _sums(
    network: MeanField, variance: Array, width: int, random: np.random.Generator, *, orthogonal: bool
) -> LayerSums:
    """Over the units of a layer, for each of n chains; on the sphere that orthogonal weights lead to, or Gaussian."""
    phi = network.activation
    if width >= _MANY and not orthogonal and isinstance(phi, PiecewiseLinear) and len(phi.knots) <= _FEW_KNOTS:
        return piece_sums(phi, variance, width, random)
    total = np.zeros((len(LayerSums._fields), len(variance)))
    root = np.sqrt(np.maximum(variance - network.sigma_b_squared, 0.0) if orthogonal else variance)
    for some, units in _parts(len(variance), width, whole=orthogonal):
        t = random.standard_normal((len(root[some]), units))
        if orthogonal:
            t *= (root[some] * math.sqrt(width) / np.linalg.norm(t, axis=1))[:, None]
        else:
            t *= root[some, None]
        biased = orthogonal and network.sigma_b
        h = t + network.sigma_b * random.standard_normal(t.shape) if biased else t
        total[:, some] += layer_sums(phi, h, t)
    return LayerSums(*total)


def _parts(chains: int, width: int, *, whole: bool) -> Iterator[tuple[slice, int]]:
    """Which chains to work on at once, and on how many units of each (or on all), until all of `width` are done."""
    most = width if whole else UNITS_AT_ONCE
    for first in range(0, width, most):
        units = min(most, width - first)
        rows = max(NUMBERS_AT_ONCE // units, 1)
        for chain in range(0, chains, rows):
            yield slice(chain, chain + rows), units


def _normal_steps(
    network: MeanField,
    variances: Array,
    layers: Iterator[int],
    width: int,
    random: np.random.Generator,
    *,
    orthogonal: bool,
) -> Array:
    """The same where a layer is so wide that its sums are normal, to leading order in 1/N."""
    total = np.zeros(variances.shape[1])
    for layer in layers:
        q = variances[layer]
        kick, gain, both = layer_noise(network, q, width, orthogonal=orthogonal)
        if orthogonal and layer:
            held, slope = held_back(network, q, width), network.dV(q)
            sensitivity = slope_square_d1(network.activation, q) / slope_moment(network.activation, q, 2)
            kick, gain, both = kick - slope**2 * held, gain - sensitivity**2 * held, both - slope * sensitivity * held
        spread, first, second = np.sqrt(np.maximum(kick, 0.0)), *random.standard_normal((2, len(q)))
        shared = np.where(spread > 0, both / spread, 0.0)
        noise = shared * first + np.sqrt(np.maximum(gain - shared**2, 0.0)) * second
        total += np.log(network.gain(q)) + np.nan_to_num(noise - 0.5 * gain)
        step = np.maximum(network.V(q) + spread * first, network.sigma_b_squared)
        # Where the moments overflow the variance has run away, and stays so.
        variances[layer + 1] = np.minimum(np.where(np.isfinite(spread), step, RUNAWAY), RUNAWAY)
    reuse = returned(network, np.median(variances[:-1], axis=1), width, orthogonal=orthogonal)
    return np.asarray(total + np.nan_to_num(reuse).sum())


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
    gain = layer_noise(network, np.array([start]), width).gain.item()
    return normal_step_error(network, start, width) <= _NORMAL and not gain > _NORMAL_GAIN
