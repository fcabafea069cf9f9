"""The difference of two inputs layer by layer, as N → ∞: 1 − ρ, which keeps its digits as ρ nears 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import correlations
from meanfield.errors import UndefinedCorrelation
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["correlation_path", "log_parting"]

Array = NDArray[np.float64]


def log_parting(network: MeanField, variances: Array) -> float:
    """Σ ln R'(1; q_l) along the `variances` of layers 0…L: by what factor nearly equal inputs part, or grow alike."""
    q = variances[:-1]
    with np.errstate(all="ignore"):
        return float(np.log(network.chi1(q) * q / network.V(q)).sum())


def correlation_path(network: MeanField, variances: Array, rho: float) -> Array:
    """1 − ρ in layers 0…L along the `variances` of those layers, from `rho` at layer 0, shape (L + 1,).

    NaN from where no signal is left to correlate, or it overflows.

    Raises:
        DomainError: `rho` is no correlation.
    """
    eps = [1 - float(correlations(rho))]
    for q in variances[:-1].tolist():
        try:
            eps.append(min(max(network.one_minus_R(eps[-1], q), 0.0), 2.0) if math.isfinite(eps[-1]) else math.nan)
        except UndefinedCorrelation:
            eps.append(math.nan)
    return np.array(eps)
