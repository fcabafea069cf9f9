"""The two maps of a deep network at given weights and biases, and the law of one of its layers.

What a layer makes of its activations, σ_w² E φφ + σ_b², is written here alone; everything else asks the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation, require_activation
from meanfield.domain import require_scales, variances
from meanfield.errors import UndefinedCorrelation
from meanfield.infinite_width import moments
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_d2, covariance_loss
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["MeanField", "layer_map"]

Array = NDArray[np.float64]


def layer_map(products: Any, sigma_w_squared: Any, sigma_b_squared: Any) -> Any:
    """σ_w² m + σ_b²: the covariances of pre-activations, from the mean products m of the activations before them."""
    return sigma_w_squared * products + sigma_b_squared


@dataclass(frozen=True)
class MeanField(Shown):
    """An infinitely wide random network: pre-activations W φ(h) + b with W_ij ~ N(0, σ_w²/N), b_i ~ N(0, σ_b²).

    Args:
        activation: φ.
        sigma_w: σ_w > 0, the standard deviation of √N·W_ij.
        sigma_b: σ_b ≥ 0, the standard deviation of the biases.

    Every map takes arrays and broadcasts them like a numpy ufunc; scalars in, floats out. Values at q = 0 are limits
    from above. Variances are in squared units of the pre-activation. A value beyond 1.8e308 is ∞, as in numpy.

    Raises:
        ActivationError: the activation is still text: `meanfield.activation` reads it.
        DomainError: a scale or a variance out of range.

    Source: Poole et al. (2016), Schoenholz et al. (2017); docs/theory.md, sections 1, 2 and 4.
    """

    activation: Activation
    sigma_w: float
    sigma_b: float = 0.0

    def __post_init__(self) -> None:
        require_activation(self.activation)
        require_scales(self.sigma_w, self.sigma_b)

    def record(self) -> Record:
        """The activation's name and the scales."""
        return {
            "activation": self.activation.name,
            "sigma_w": self.sigma_w,
            "sigma_b": self.sigma_b,
            "sigma_w_squared": self.sigma_w_squared,
            "sigma_b_squared": self.sigma_b_squared,
        }

    @property
    def sigma_w_squared(self) -> float:
        """σ_w²."""
        return self.sigma_w**2

    @property
    def sigma_b_squared(self) -> float:
        """σ_b²."""
        return self.sigma_b**2

    def layer(self, products: Array) -> Array:
        """σ_w² m + σ_b², elementwise: covariances one layer on, from mean products m of activations."""
        with np.errstate(over="ignore"):
            carried: Array = layer_map(products, self.sigma_w**2, self.sigma_b**2)
        return carried

    @overload
    def V(self, q: float) -> float: ...
    @overload
    def V(self, q: ArrayLike) -> Array: ...
    def V(self, q: ArrayLike) -> Any:
        """Variance map V(q) = σ_w² E φ(√q z)² + σ_b², the variance one layer on."""
        return self.layer(moments.second_moment(self.activation, q))

    @overload
    def dV(self, q: float) -> float: ...
    @overload
    def dV(self, q: ArrayLike) -> Array: ...
    def dV(self, q: ArrayLike) -> Any:
        """V'(q), the slope of the variance map; ±∞ at q = 0 where φ has a kink or jump at 0 with φ(0) ≠ 0."""
        return self._weighted(moments.second_moment_d1(self.activation, q))

    @overload
    def d2V(self, q: float) -> float: ...
    @overload
    def d2V(self, q: ArrayLike) -> Array: ...
    def d2V(self, q: ArrayLike) -> Any:
        """V''(q), the curvature of the variance map."""
        return self._weighted(moments.second_moment_d2(self.activation, q))

    @overload
    def chi1(self, q: float) -> float: ...
    @overload
    def chi1(self, q: ArrayLike) -> Array: ...
    def chi1(self, q: ArrayLike) -> Any:
        """χ₁(q) = σ_w² E φ'(√q z)², the gain of a gradient through one layer; ∞ where φ jumps."""
        if self.activation.is_continuous:
            return self.gain(q)
        q = variances(q)
        return np.full(q.shape, np.inf) if q.ndim else math.inf

    @overload
    def gain(self, q: float) -> float: ...
    @overload
    def gain(self, q: ArrayLike) -> Array: ...
    def gain(self, q: ArrayLike) -> Any:
        """σ_w² E φ'², of the sloping pieces alone: what a layer makes of a gradient, which passes no jump."""
        return self._weighted(moments.slope_moment(self.activation, q, 2))

    @overload
    def dchi1(self, q: float) -> float: ...
    @overload
    def dchi1(self, q: ArrayLike) -> Array: ...
    def dchi1(self, q: ArrayLike) -> Any:
        """χ₁'(q), of the sloping pieces alone."""
        return self._weighted(moments.slope_square_d1(self.activation, q))

    @overload
    def sparsity(self, q: float) -> float: ...
    @overload
    def sparsity(self, q: ArrayLike) -> Array: ...
    def sparsity(self, q: ArrayLike) -> Any:
        """P(φ(√q z) = 0), the fraction of activations that are exactly zero."""
        return moments.sparsity(self.activation, q)

    @overload
    def R(self, rho: float, q: float) -> float: ...
    @overload
    def R(self, rho: ArrayLike, q: ArrayLike) -> Array: ...
    def R(self, rho: ArrayLike, q: ArrayLike) -> Any:
        """Correlation map R(ρ; q) = (σ_w² E φ(u)φ(v) + σ_b²)/V(q), the correlation one layer on.

        Raises:
            UndefinedCorrelation: V(q) is 0, or overflows.
        """
        q, weights, variance = self._signal(q)
        return layer_map(covariance(self.activation, rho, q), weights, self.sigma_b_squared) / variance

    @overload
    def dR(self, rho: float, q: float) -> float: ...
    @overload
    def dR(self, rho: ArrayLike, q: ArrayLike) -> Array: ...
    def dR(self, rho: ArrayLike, q: ArrayLike) -> Any:
        """R'(ρ; q); R'(1) = χ₁(q)·q/V(q), ∞ where φ jumps."""
        q, weights, variance = self._signal(q)
        return weights * covariance_d1(self.activation, rho, q) / variance

    @overload
    def d2R(self, rho: float, q: float) -> float: ...
    @overload
    def d2R(self, rho: ArrayLike, q: ArrayLike) -> Array: ...
    def d2R(self, rho: ArrayLike, q: ArrayLike) -> Any:
        """R''(ρ; q), a sum of bivariate densities; ±∞ at ρ = ±1 where it diverges."""
        q, weights, variance = self._signal(q)
        return weights * covariance_d2(self.activation, rho, q) / variance

    @overload
    def one_minus_R(self, eps: float, q: float) -> float: ...
    @overload
    def one_minus_R(self, eps: ArrayLike, q: ArrayLike) -> Array: ...
    def one_minus_R(self, eps: ArrayLike, q: ArrayLike) -> Any:
        """1 − R(1 − ε; q) for inputs nearly alike, ε in [0, 2], without cancellation however small ε."""
        q, weights, variance = self._signal(q)
        return weights * covariance_loss(self.activation, eps, q) / variance

    @overload
    def kappa(self, q: float) -> float: ...
    @overload
    def kappa(self, q: ArrayLike) -> Array: ...
    def kappa(self, q: ArrayLike) -> Any:
        """κ in 1 − R(1 − ε) = R'(1) ε − κ ε^(3/2) + …; on the edge of chaos 1 − ρ falls as 4/(κl)² over layers l.

        ∞ where φ jumps, for 1 − R then falls as √ε.
        """
        at, weights, variance = self._signal(q)
        if self.activation.is_continuous:
            return weights * moments.bend(self.activation, at) * (at / variance)
        return np.full(at.shape, np.inf) if isinstance(at, np.ndarray) else math.inf

    @overload
    def kick_variance(self, q: float) -> float: ...
    @overload
    def kick_variance(self, q: ArrayLike) -> Array: ...
    def kick_variance(self, q: ArrayLike) -> Any:
        """S(q) = σ_w⁴ Var φ(√q z)²: a layer of N units kicks the variance by √(S/N)."""
        return self._weighted(self._weighted(moments.square_variance(self.activation, q)))

    @overload
    def kick_cumulants(self, q: float) -> tuple[float, float, float]: ...
    @overload
    def kick_cumulants(self, q: ArrayLike) -> tuple[Array, Array, Array]: ...
    def kick_cumulants(self, q: ArrayLike) -> Any:
        """V(q), S(q) and T(q), the third cumulant of σ_w² φ(√q z)²: given q the next variance has V, S/N and T/N²."""
        mean, second, third = moments.square_cumulants(self.activation, q)
        once, twice = self._weighted(third), self._weighted(self._weighted(second))
        return self.layer(mean), twice, self._weighted(self._weighted(once))

    def _weighted(self, values: Any) -> Any:
        with np.errstate(over="ignore"):
            return self.sigma_w**2 * values

    def _signal(self, q: ArrayLike) -> tuple[Any, float, Any]:
        """q, σ_w² and V(q) to divide by.

        Without biases σ_w² does not matter, and is 1; nor does a q so small that φ is homogeneous to all digits:
        then it is the largest of these.
        """
        q, weights = variances(q), self.sigma_w_squared
        if not self.sigma_b:
            weights = 1.0
            if not any(self.activation.limits(0.0)):
                q = np.maximum(q, self.activation.homogeneous_below)
        with np.errstate(over="ignore"):
            square = moments.second_moment(self.activation, q)
            variance = np.asarray(layer_map(square, weights, self.sigma_b_squared))
        for value, says in (
            (0.0, "= 0 at q = {:g}: no signal is left to correlate; give a larger q or sigma_b > 0"),
            (np.inf, "overflows at q = {:g}: give a smaller q or sigma_w"),
        ):
            if value in variance:
                raise UndefinedCorrelation(f"V(q) {says.format(q[variance == value].flat[0])}")
        return (q, weights, variance) if q.ndim else (q.item(), weights, variance.item())
