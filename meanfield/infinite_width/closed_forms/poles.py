"""What the covariance's derivatives C' and C'' are at ρ = ±1: 0, or ±∞ where knots of φ make them diverge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear

__all__ = ["crossings_d1", "poles_d1", "poles_d2"]

Array = NDArray[np.float64]


def poles_d1(phi: PiecewiseLinear, q: Array) -> tuple[float, Array]:
    """What the jumps add to C'(1) and to C'(−1): 0 or ±∞. At −1 only jumps at both t and −t count."""
    jumps = phi.jumps
    return _endless(float(jumps @ jumps)), _endless(_mirrored_pairs(phi, jumps, jumps, q))


def poles_d2(phi: PiecewiseLinear, q: Array) -> tuple[float, Array]:
    """C''(1) and C''(−1), 0 or ±∞.

    As r → −1 two jumps at t and −t grow as −(1 − r²)^(−3/2), before all else; two kinks, and a jump with a kink, as
    (1 − r²)^(−1/2).
    """
    jumps, kinks = phi.jumps, phi.kinks
    of_jumps = -_mirrored_pairs(phi, jumps, jumps, q)
    of_kinks = _mirrored_pairs(phi, kinks, kinks, q) + _mirrored_pairs(phi, jumps * phi.knots, kinks, q) / q
    return _endless(float(jumps @ jumps + kinks @ kinks)), _endless(np.where(of_jumps, of_jumps, of_kinks))


def crossings_d1(phi: PiecewiseLinear, q: Array) -> Array:
    """What jumps at t and the slope at −t add to E φ'(x)φ'(−x): 2 Σ J φ'(−t) times the density at t."""
    total = np.zeros_like(q)
    for t, jump in zip(phi.knots, phi.jumps, strict=True):
        if jump:
            slope = 0.5 * sum(phi.slopes[int(np.searchsorted(phi.knots, -t, side))] for side in ("left", "right"))
            total = total + 2 * jump * slope * np.exp(-0.5 * t * t / q) / np.sqrt(2 * np.pi * q)
    return total


def _mirrored_pairs(phi: PiecewiseLinear, a: Array, b: Array, q: Array) -> Array:
    """Σ aᵢ bⱼ exp(−tᵢ²/2q) over the knots with tᵢ = −tⱼ, as a share of the largest exponential."""
    pairs = [(abs(t), a[i] * b[j]) for i, t in enumerate(phi.knots) for j, s in enumerate(phi.knots) if t == -s]
    pairs = [(t, product) for t, product in pairs if product]
    nearest = min((t for t, _ in pairs), default=0.0)
    total = np.zeros_like(q)
    for t, product in pairs:
        total = total + product * np.exp(-0.5 * (t - nearest) * (t + nearest) / q)
    return total


def _endless(sign: Any) -> Any:
    """±∞ with the sign of a number, 0 where it is 0."""
    return np.where(np.asarray(sign) == 0, 0.0, np.copysign(np.inf, sign))[()]
