"""Outputs φ(x) of a layer about their mean: variance, covariance and correlation, without cancellation.

E φ² − (E φ)² loses the digits that the two share. φ − E φ is an activation too, and of mean 0 but for rounding: next
to nothing is left to subtract. docs/theory.md, section 14.
"""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation
from meanfield.domain import correlations
from meanfield.errors import ActivationError
from meanfield.infinite_width.covariance import covariance
from meanfield.infinite_width.moments import mean, second_moment

__all__ = ["centred", "output_correlation", "output_covariance", "output_variance"]

Array = NDArray[np.float64]


def centred(phi: Activation, q: float) -> Activation | None:
    """φ − E φ(√q z) at one variance q; None where φ is constant, so that nothing is left.

    φ itself where E φ is beyond what an intercept can be: there it is of the size of the slopes, and cancels nothing.
    """
    if not phi.has_slope and phi.is_continuous:
        return None
    try:
        return phi.raised(-mean(phi, q))
    except ActivationError:
        return phi


def output_variance(phi: Activation, q: float) -> float:
    """Var φ(√q z), at one variance q ≥ 0."""
    about_mean = centred(phi, q)
    if not about_mean:
        return 0.0
    square, left = second_moment(about_mean, q), mean(about_mean, q)
    return max(square - left * left, 0.0) if square < math.inf else math.inf


@overload
def output_covariance(phi: Activation, rho: float, q: float) -> float: ...
@overload
def output_covariance(phi: Activation, rho: ArrayLike, q: float) -> Array: ...
def output_covariance(phi: Activation, rho: ArrayLike, q: float) -> Any:
    """Cov(φ(u), φ(v)) = E φ(u)φ(v) − (E φ)², u and v of one variance q ≥ 0 and correlations ρ of any shape."""
    about_mean = centred(phi, q)
    if about_mean:
        left = mean(about_mean, q)
        return covariance(about_mean, rho, q) - left * left
    nothing = 0 * correlations(rho)
    return nothing if nothing.ndim else nothing.item()


@overload
def output_correlation(phi: Activation, rho: float, q: float) -> float: ...
@overload
def output_correlation(phi: Activation, rho: ArrayLike, q: float) -> Array: ...
def output_correlation(phi: Activation, rho: ArrayLike, q: float) -> Any:
    """Cov(φ(u), φ(v))/Var φ, likewise; NaN where φ does not vary."""
    values = correlations(rho)
    # In one array, so that like inputs have exactly the variance.
    variance, *shared = output_covariance(phi, np.append(1.0, values), q)
    found = np.reshape(shared, values.shape) / variance if variance > 0 else np.full(values.shape, math.nan)
    return found if values.ndim else found.item()
