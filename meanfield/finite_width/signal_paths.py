"""What a signal does layer by layer: the theory of infinite width beside networks of finite width.

Two inputs of variance q and correlation ρ follow the maps in an infinitely wide network,

    q_{l+1} = V(q_l),   1 − ρ_{l+1} = 1 − R(ρ_l; q_l),

the latter in the form that keeps its digits where ρ tends to 1, as on the edge of chaos. At width N each network has a
path of its own: how far the variances stray is predicted around the fixed point, and both variances and correlations
are drawn exactly. docs/theory.md, sections 1 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_count
from meanfield.errors import DomainError, UndefinedCorrelation
from meanfield.finite_width.fluctuations import fluctuations, variance_path
from meanfield.finite_width.pair_chain import PairTrajectories, pair_trajectories
from meanfield.infinite_width.covariance import correlations
from meanfield.infinite_width.edge import require_signal
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose

__all__ = ["SignalPaths", "signal_paths"]

Array = NDArray[np.float64]

#: Pairs kept, over layers and networks: four numbers each fill 0.4 GB, and as much again while blocks are joined.
_MOST_PAIRS = 12_500_000


@dataclass(frozen=True, eq=False)
class SignalPaths:
    """Two inputs in one kind of random network; every array is by layer, shape (depth + 1,).

    Attributes:
        width: N, of the networks drawn and of the prediction.
        layers: 0…depth.
        q: the variance of either input at infinite width, at most `chain.RUNAWAY`.
        rho: their correlation at infinite width; NaN from where V(q) is 0 or overflows.
        one_minus_rho: 1 − ρ, with digits that ρ near 1 has no room for.
        q_mean: the mean of q over random networks, predicted; NaN where no fixed point q* > 0 is there to predict from.
        q_sd: its standard deviation, likewise.
        rho_mean: the mean of ρ over the chains in which it is defined; NaN if it is in none.
        rho_sd: its standard deviation, likewise.
        chains: the random networks themselves.
    """

    width: int
    layers: NDArray[np.int_]
    q: Array
    rho: Array
    one_minus_rho: Array
    q_mean: Array
    q_sd: Array
    rho_mean: Array
    rho_sd: Array
    chains: PairTrajectories


def signal_paths(
    network: MeanField,
    width: int,
    depth: int,
    *,
    start: float = 1.0,
    rho: float = 0.5,
    chains: int = 512,
    seed: int = 0,
) -> SignalPaths:
    """Two inputs of variance `start` and correlation `rho` at layer 0, in layers 0…depth.

    Args:
        network: activation and scales of weights and biases.
        width: N ≥ 1, units in each layer.
        depth: L ≥ 1, layers.
        start: the variance of both inputs, > 0.
        rho: their correlation, in [−1, 1].
        chains: random networks drawn, ≥ 1.
        seed: of the random numbers, ≥ 0.

    Raises:
        DomainError: a number out of range, or more layers and chains than fit in memory.
    """
    for name, value, lowest in (("width", width, 1), ("depth", depth, 1), ("chains", chains, 1), ("seed", seed, 0)):
        require_count(name, value, lowest)
    require_signal(start, "start")
    correlations(rho)
    if chains * (depth + 1) > _MOST_PAIRS:
        raise DomainError(
            f"{chains} chains of {depth} layers do not fit in memory: give chains times depth <= {_MOST_PAIRS:g}"
        )
    q = variance_path(network, start, depth)
    one_minus_rho = _one_minus_rho_path(network, q, 1 - rho)
    q_mean, q_sd = _predicted(network, start, width, depth)
    drawn = pair_trajectories(network, start, rho, width, depth, chains, seed)
    rho_mean, rho_sd = _mean_and_sd(drawn.rho)
    return SignalPaths(
        width=width,
        layers=np.arange(depth + 1),
        q=q,
        rho=np.append(rho, 1 - one_minus_rho[1:]),
        one_minus_rho=one_minus_rho,
        q_mean=q_mean,
        q_sd=q_sd,
        rho_mean=rho_mean,
        rho_sd=rho_sd,
        chains=drawn,
    )


def _one_minus_rho_path(network: MeanField, q: Array, start: float) -> Array:
    path = np.full(len(q), np.nan)
    path[0] = start
    for layer in range(len(q) - 1):
        try:
            # Rounding may lead out of the domain by a digit.
            path[layer + 1] = np.clip(network.one_minus_R(path[layer], q[layer]), 0, 2)
        except UndefinedCorrelation:
            break
    return path


def _predicted(network: MeanField, start: float, width: int, depth: int) -> tuple[Array, Array]:
    """Mean and standard deviation of q by layer, NaN where there is no prediction."""
    point = diagnose(network, start).fixed_point
    if point is None or point.q == 0:
        return np.full(depth + 1, np.nan), np.full(depth + 1, np.nan)
    predicted = fluctuations(network, point, width, depth, start)
    finite = np.isfinite(predicted.mean) & np.isfinite(predicted.sd)
    return np.where(finite, predicted.mean, np.nan), np.where(finite, predicted.sd, np.nan)


def _mean_and_sd(values: Array) -> tuple[Array, Array]:
    """Along the last axis, of what is not NaN; NaN where everything is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = values.sum(axis=1, where=defined) / count
        sd = np.sqrt(np.square(values - mean[:, None]).sum(axis=1, where=defined) / count)
    return mean, sd
