"""The two maps of a deep network at given weights and biases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear, require_piecewise_linear
from meanfield.errors import DomainError, UndefinedCorrelation
from meanfield.infinite_width import moments
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_d2, covariance_loss

if TYPE_CHECKING:
    from meanfield.infinite_width.fixed_points import CorrelationFixedPoint, FixedPoint

__all__ = ["LARGEST_SCALE", "MeanField"]

Values = NDArray[np.float64] | float

#: Above this a scale's square is no double.
LARGEST_SCALE = 1e150


@dataclass(frozen=True)
class MeanField:
    """An infinitely wide random network: pre-activations W φ(h) + b with W_ij ~ N(0, σ_w²/N), b_i ~ N(0, σ_b²).

    Args:
        activation: φ.
        sigma_w: σ_w > 0, the standard deviation of √N·W_ij.
        sigma_b: σ_b ≥ 0, the standard deviation of the biases.

    Every map takes arrays and broadcasts them like a numpy ufunc; scalars in, floats out. Values at q = 0 are limits
    from above. Variances are in squared units of the pre-activation. A value beyond 1.8e308 is ∞, as in numpy.

    Raises:
        DomainError: σ_w or σ_b out of range; in the maps, q negative or not finite, ρ outside [−1, 1].

    Source: Poole et al. (2016), Schoenholz et al. (2017); docs/theory.md, sections 1, 2 and 4.
    """

    activation: PiecewiseLinear
    sigma_w: float
    sigma_b: float = 0.0

    def __post_init__(self) -> None:
        require_piecewise_linear(self.activation)
        if not (0 < self.sigma_w <= LARGEST_SCALE):
            raise DomainError(
                f"sigma_w = {self.sigma_w:g} is not a scale of weights: give 0 < sigma_w <= {LARGEST_SCALE:g}"
            )
        if not (0 <= self.sigma_b <= LARGEST_SCALE):
            raise DomainError(
                f"sigma_b = {self.sigma_b:g} is not a scale of biases: give 0 <= sigma_b <= {LARGEST_SCALE:g}"
            )

    def V(self, q: ArrayLike) -> Values:
        """Variance map V(q) = σ_w² E φ(√q z)² + σ_b², the variance one layer on."""
        with np.errstate(over="ignore"):
            return self.sigma_w**2 * moments.second_moment(self.activation, q) + self.sigma_b**2

    def dV(self, q: ArrayLike) -> Values:
        """V'(q), the slope of the variance map; ±∞ at q = 0 where φ has a kink or jump at 0 with φ(0) ≠ 0."""
        with np.errstate(over="ignore"):
            return self.sigma_w**2 * moments.second_moment_d1(self.activation, q)

    def d2V(self, q: ArrayLike) -> Values:
        """V''(q), the curvature of the variance map."""
        with np.errstate(over="ignore"):
            return self.sigma_w**2 * moments.second_moment_d2(self.activation, q)

    def chi1(self, q: ArrayLike) -> Values:
        """χ₁(q) = σ_w² E φ'(√q z)², the gain of a gradient through one layer; ∞ where φ jumps."""
        if not self.activation.is_continuous:
            infinite = np.full(moments.variances(q).shape, np.inf)
            return infinite if infinite.ndim else math.inf
        return self.sigma_w**2 * moments.slope_moment(self.activation, q, 2)

    def dchi1(self, q: ArrayLike) -> Values:
        """χ₁'(q), of the sloping pieces alone."""
        return self.sigma_w**2 * moments.slope_square_d1(self.activation, q)

    def sparsity(self, q: ArrayLike) -> Values:
        """P(φ(√q z) = 0), the fraction of activations that are exactly zero."""
        return moments.sparsity(self.activation, q)

    def R(self, rho: ArrayLike, q: ArrayLike) -> Values:
        """Correlation map R(ρ; q) = (σ_w² E φ(u)φ(v) + σ_b²)/V(q), the correlation one layer on.

        Raises:
            UndefinedCorrelation: V(q) is 0, or overflows.
        """
        q = self._with_signal(q)
        return (self.sigma_w**2 * covariance(self.activation, rho, q) + self.sigma_b**2) / self.V(q)

    def dR(self, rho: ArrayLike, q: ArrayLike) -> Values:
        """R'(ρ; q); R'(1) = χ₁(q)·q/V(q), ∞ where φ jumps."""
        q = self._with_signal(q)
        return self.sigma_w**2 * covariance_d1(self.activation, rho, q) / self.V(q)

    def d2R(self, rho: ArrayLike, q: ArrayLike) -> Values:
        """R''(ρ; q), a sum of bivariate densities; ±∞ at ρ = ±1 where it diverges."""
        q = self._with_signal(q)
        return self.sigma_w**2 * covariance_d2(self.activation, rho, q) / self.V(q)

    def one_minus_R(self, eps: ArrayLike, q: ArrayLike) -> Values:
        """1 − R(1 − ε; q) for inputs nearly alike, ε in [0, 2], without cancellation however small ε."""
        q = self._with_signal(q)
        return self.sigma_w**2 * covariance_loss(self.activation, eps, q) / self.V(q)

    def kappa(self, q: ArrayLike) -> Values:
        """κ in 1 − R(1 − ε) = R'(1) ε − κ ε^(3/2) + …; on the edge of chaos 1 − ρ falls as 4/(κl)² over layers l."""
        q = self._with_signal(q)
        return self.sigma_w**2 * moments.bend(self.activation, q) * np.asarray(q)[()] / self.V(q)

    def fixed_points(self) -> tuple[FixedPoint, ...]:
        """Every fixed point of V on [0, ∞), ascending, tangencies included; see `FixedPoint`."""
        from meanfield.infinite_width.fixed_points import variance_fixed_points

        return variance_fixed_points(self)

    def correlation_fixed_points(self, q: float) -> tuple[CorrelationFixedPoint, ...]:
        """Every fixed point of R(·; q) on [−1, 1], ascending; see `CorrelationFixedPoint`."""
        from meanfield.infinite_width.fixed_points import correlation_fixed_points

        return correlation_fixed_points(self, q)

    def _with_signal(self, q: ArrayLike) -> Values:
        """q with 0 replaced, where V(0) = 0, by a variance so small that φ is homogeneous to all digits."""
        q = moments.variances(q)
        if self.sigma_b == 0 and not q.all():
            nearest = min((abs(t) for t in self.activation.knots if t), default=40.0)
            q = np.where(q == 0, (nearest / 40) ** 2, q)
        variance = np.asarray(self.V(q))
        for wrong, says in (
            (variance == 0, "= 0 at q = {:g}: no signal is left to correlate; give a larger q or sigma_b > 0"),
            (np.isinf(variance), "overflows at q = {:g}: give a smaller q or sigma_w"),
        ):
            if wrong.any():
                raise UndefinedCorrelation(f"V(q) {says.format(q[wrong].flat[0])}")
        return q[()]
