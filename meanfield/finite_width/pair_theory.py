"""The correlation of two inputs in dense networks of width N: its mean to order 1/N, its spread to leading order.

The covariances K = (K₁₁, K₁₂, K₂₂) of two inputs are a Markov chain. Around its path at infinite width, where K₁₁ = K₂₂
= q and K₁₂ = ρq, the covariances C of K and its mean shift obey

    C' = J C Jᵀ + Σ/N,   shift' = J shift + ½ H : C,

J and H the first and second derivatives of the map and Σ the covariance of a unit's products σ_w² φ_a φ_b. An
orthogonal W takes W = Cov(t_a t_b, t_c t_d)/N off C first, t Gaussian of covariance K − σ_b². By Price's theorem the
map c(K) = σ_w² E φ(u)φ(v) has ∂²c/∂K₁₁∂K₂₂ = ¼ ∂²c/∂K₁₂², so that all of H follows from variances that are equal.
docs/theory.md, section 13.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.differences import differences
from meanfield.finite_width.experiment import Experiment
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_d2
from meanfield.infinite_width.hermite import power
from meanfield.infinite_width.moments import fourth_moment, second_moment

__all__ = ["pair_theory"]

Array = NDArray[np.float64]

#: Terms of a series in ρ; the rest is put in one more.
_TERMS = 100
#: |ρ| within this of 1 is 1.
_RHO_ROUNDING = 1e-12


class _Spread(NamedTuple):
    """Covariances of K: of K₁₁ with itself, with K₂₂ and with K₁₂, and of K₁₂ with itself. The inputs are alike."""

    same: Array
    other: Array
    mixed: Array
    product: Array


def pair_theory(experiment: Experiment, q: Array, rho: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of ρ by layer, from the path at infinite width; NaN where that is undefined."""
    e = experiment
    with np.errstate(all="ignore"):
        layers = _derivatives(e, q, rho)
        spread, shifts = _Spread(*np.zeros(4)), np.zeros(2)
        means, variances = [rho[0]], [0.0]
        for layer in range(e.depth):
            d = layers[layer]
            kept = d.less_orthogonal(spread) if layer and e.weights == "orthogonal" else spread
            shifts = d.shifted(shifts, kept)
            spread = d.carried(kept)
            mean, variance = _correlation(q[layer + 1], rho[layer + 1], shifts, spread)
            means.append(mean)
            variances.append(variance)
        # Inputs that are one stay one, and of their spread only rounding is left.
        one = 1 - np.abs(rho) <= _RHO_ROUNDING
        return np.array(means), np.where(one, 0.0, np.sqrt(np.maximum(variances, 0.0)))


class _Derivatives(NamedTuple):
    """Of V and of c = σ_w² E φφ at one layer, with the noise of its units and what an orthogonal W takes away."""

    noise: _Spread
    orthogonal: _Spread
    V1: float
    V2: float
    c_q: float
    c_k: float
    c_11_11: float
    c_11_22: float
    c_11_12: float
    c_12_12: float

    def less_orthogonal(self, spread: _Spread) -> _Spread:
        return _Spread(*(a - b for a, b in zip(spread, self.orthogonal, strict=True)))

    def shifted(self, shifts: Array, s: _Spread) -> Array:
        """The mean shifts of K₁₁ and K₁₂ one layer on."""
        bent = self.c_11_11 * s.same + self.c_11_22 * s.other + 2 * self.c_11_12 * s.mixed
        return np.array(
            [
                self.V1 * shifts[0] + 0.5 * self.V2 * s.same,
                self.c_q * shifts[0] + self.c_k * shifts[1] + bent + 0.5 * self.c_12_12 * s.product,
            ]
        )

    def carried(self, s: _Spread) -> _Spread:
        """The covariances one layer on; c_q is the sum of the derivatives by K₁₁ and K₂₂."""
        one, both = 0.5 * self.c_q, s.same + s.other
        return _Spread(
            self.V1**2 * s.same + self.noise.same,
            self.V1**2 * s.other + self.noise.other,
            self.V1 * (one * both + self.c_k * s.mixed) + self.noise.mixed,
            2 * one**2 * both + 4 * one * self.c_k * s.mixed + self.c_k**2 * s.product + self.noise.product,
        )


def _derivatives(e: Experiment, q: Array, rho: Array) -> list[_Derivatives]:
    """For every layer of a path; NaN where it is undefined."""
    known = np.isfinite(q) & np.isfinite(rho) & (q > 0)
    q, rho = np.where(known, q, 1.0), np.where(known, rho, 0.0)
    phi, weight = e.network.activation, e.network.sigma_w_squared
    # At ρ = ±1 the curvature in ρ diverges, and inputs that are one have nothing to tell apart.
    inside = np.where(np.abs(rho) < 1, rho, 0.0)
    _, C_q, C_qq = differences(lambda q: covariance(phi, rho, q), q)
    C_r, C_rq, _ = differences(lambda q: covariance_d1(phi, rho, q), q)
    C_rr = covariance_d2(phi, inside, q)
    # From variance and correlation to variance and covariance k = ρq.
    slant = rho / q
    c_kk = C_rr / q**2
    c_qk = (C_rq - slant * C_rr) / q - C_r / q**2
    c_qq = C_qq - 2 * slant * C_rq + 2 * slant * C_r / q + slant**2 * C_rr
    of_c = (C_q - slant * C_r, C_r / q, 0.5 * c_qq - 0.25 * c_kk, 0.25 * c_kk, 0.5 * c_qk, c_kk)
    columns = np.array([e.network.dV(q), e.network.d2V(q), *(weight * c for c in of_c)])
    columns[:, ~known] = np.nan
    noise, orthogonal = np.transpose(_noise(e, q, rho)), np.transpose(_wick(e, q, rho))
    return [
        _Derivatives(_Spread(*some), _Spread(*kept), *column)
        for some, kept, column in zip(noise, orthogonal, columns.T, strict=True)
    ]


def _noise(e: Experiment, q: Array, rho: Array) -> _Spread:
    """Of the mean of N units' products, σ_w⁴/N times the covariances of φ_a φ_b."""
    phi = e.network.activation
    first, second, third = (power(phi, n).coefficients(q, _TERMS) for n in (1, 2, 3))
    mean, fourth = second_moment(phi, q), fourth_moment(phi, q)
    squares, cubes = _series(second * second, fourth, rho), _series(third * first, fourth, rho)
    product = covariance(phi, rho, q)
    scale = np.square(e.network.sigma_w_squared) / e.width
    parts = (fourth - mean**2, squares - mean**2, cubes - mean * product, squares - product**2)
    return _Spread(*(scale * part for part in parts))


def _series(coefficients: Array, total: Array, rho: Array) -> Array:
    """Σ cₙ ρⁿ, whose sum at ρ = 1 is `total`."""
    value = total - coefficients.sum(axis=0)
    for c in coefficients[::-1]:
        value = rho * value + c
    return np.asarray(value)


def _wick(e: Experiment, q: Array, rho: Array) -> _Spread:
    """Covariances of products t_a t_b over N, t Gaussian of variance q − σ_b² and covariance ρq − σ_b²."""
    a, b = q - e.network.sigma_b_squared, rho * q - e.network.sigma_b_squared
    return _Spread(*(part / e.fan_in for part in (2 * a * a, 2 * b * b, 2 * a * b, a * a + b * b)))


def _correlation(q: float, rho: float, shifts: Array, s: _Spread) -> tuple[float, float]:
    """Mean and variance of K₁₂/√(K₁₁K₂₂)."""
    mean = rho + (shifts[1] - rho * shifts[0]) / q + (0.75 * rho * s.same + 0.25 * rho * s.other - s.mixed) / q**2
    variance = s.product + 0.5 * rho**2 * (s.same + s.other) - 2 * rho * s.mixed
    return float(mean), float(variance / q**2)
