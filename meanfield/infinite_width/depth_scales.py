"""Where the correlation of two inputs settles, and over how many layers, for many networks at once.

R is a power series in ρ with coefficients ≥ 0, hence convex on [0, 1], and R(1) = 1: with R'(1) ≤ 1 correlations
tend to ρ* = 1; with R'(1) > 1 there is exactly one other fixed point ρ* in [0, 1), and they tend to that. Source:
Schoenholz et al. (2017), section 3; docs/theory.md, section 10.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.covariance import covariance_d1, covariance_loss
from meanfield.infinite_width.moments import slope_moment
from meanfield.infinite_width.roots import ZERO, bracketed

__all__ = ["correlation_depth"]

Array = NDArray[np.float64]

#: R'(1) within this of 1 is 1, the rounding of σ_w² and q*: correlations then settle more slowly than exponentially.
_SLOPE_ROUNDING = 1e-12
#: Below any √(1 − ρ*) that such an R'(1) has: 1 − R = R'(1)(1 − ρ) − κ(1 − ρ)^(3/2) gives (R'(1) − 1)/κ.
_LEAST_ROOT = 1e-16
#: √(1 − ρ*) below which R'(ρ*) is taken from R'(1).
_SMALL_ROOT = 1e-5


def correlation_depth(phi: Activation, sigma_w_squared: ArrayLike, q_star: ArrayLike) -> tuple[Array, Array]:
    """ρ* and the depth scale ξ_c = −1/ln R'(ρ*) at fixed points q* > 0 of V, all of one shape.

    ξ_c is the number of layers over which the distance from ρ* falls by a factor e; ∞ on the edge of chaos.
    """
    weights, q = np.broadcast_arrays(np.asarray(sigma_w_squared, dtype=float), np.asarray(q_star, dtype=float))
    gain = weights * slope_moment(phi, q, 2) if phi.is_continuous else np.full(q.shape, np.inf)
    rho, slope = np.ones(q.shape), np.where(np.abs(gain - 1) <= _SLOPE_ROUNDING, 1.0, gain)
    parting = slope > 1
    if parting.any():
        share, variance = (weights / q)[parting], q[parting]

        def growth(root: Array, share: Array, variance: Array) -> Array:
            # In √(1 − ρ) the curve is nearly a line where R'(1) is near 1, and keeps its digits.
            eps = root**2
            ratio: Array = share * covariance_loss(phi, eps, variance) / eps - 1
            return ratio

        nearest = np.full(share.shape, _LEAST_ROOT)
        # A jump far out parts inputs too near for a double to tell apart, and leaves all others to come together.
        told = growth(nearest, share, variance) > 0
        root = nearest.copy()
        root[told] = bracketed(growth, nearest[told], np.ones(told.sum()), share[told], variance[told])
        # Below the rounding of 1 it is 0, as for an odd φ without biases.
        rho[parting] = np.where(root < 1 - ZERO, 1 - root**2, 0.0)
        away = share * covariance_d1(phi, 1 - np.maximum(root, _SMALL_ROOT) ** 2, variance)
        excess = (slope - 1)[parting]
        # 1 − R' is half of R'(1) − 1 near ρ* = 1, where ρ* itself has no digits left to tell it.
        near = (root < _SMALL_ROOT) & np.isfinite(excess)
        slope[parting] = np.where(near, 1 - 0.5 * np.where(near, excess, 0.0), away)
    with np.errstate(divide="ignore"):
        depth = np.where(slope >= 1, np.inf, -1 / np.log(np.minimum(slope, 1)))
    return rho, np.where(slope == 0, 0.0, depth)
