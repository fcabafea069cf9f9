"""How much a step that learns one input teaches about another: the tangent kernel of the hidden weights, as N → ∞.

A step along the gradient at input y changes the output at input x by the tangent kernel Θ(x, y), the product of the two
gradients. Where Θ hardly depends on how alike x and y are, a network learns every input by itself, or all as one; what
tells classes apart is the difference that likeness makes, the contrast. docs/theory.md, section 19.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation, require_activation
from meanfield.domain import correlations, require_count, require_gain, require_signal
from meanfield.errors import DomainError, shortened
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_loss
from meanfield.infinite_width.moments import bend, second_moment, slope_moment, squared_curvature

__all__ = ["Rule", "contrast", "gain_for_training", "gains_at_depth", "tangent_correlation"]

Array = NDArray[np.float64]
Rule = Literal["adam", "sgd"]

#: Powers of the size of a squared gradient that a layer's part in a step goes with. Adam divides a step by its root.
_POWERS: dict[Rule, float] = {"adam": 0.5, "sgd": 1.0}
#: Correlations of inputs that are alike, and that have nothing to do with each other.
ALIKE, APART = 0.5, 0.0
#: c = −L ln χ₁ of the largest contrast as L → ∞, of a φ with kinks and of one without.
_DEEP: dict[Rule, tuple[float, float]] = {
    "adam": (4.68396729518905, 2.72971276872242),
    "sgd": (3.12562830605959, 1.87621939264824),
}


def tangent_correlation(
    activation: Activation, q_star: float, chi_1: ArrayLike, depth: int, rho: float, optimizer: Rule = "adam"
) -> Array:
    """Θ(ρ)/Θ(1) of inputs of correlation `rho`, for networks with each of the gains `chi_1` at `q_star`.

    Args:
        activation: φ, continuous.
        q_star: q*, the variance of every layer.
        chi_1: χ₁(q*) > 0, of any shape.
        depth: L ≥ 2, layers; the kernel is that of the weights between them.
        rho: correlation of the two inputs at layer 1.
        optimizer: sgd, which follows the gradient; or adam, in whose steps every layer has as large a part.

    Raises:
        DomainError: a number out of range, a φ that jumps, or an optimiser that is not known.
    """
    _require(activation, depth, optimizer)
    require_signal(q_star)
    gains = np.asarray(chi_1, dtype=float)
    for gain in gains.ravel().tolist():
        require_gain(gain)
    slopes, square = (
        float(moment) for moment in (slope_moment(activation, q_star, 2), second_moment(activation, q_star))
    )
    likeness, parts = [], []
    eps = np.full(gains.shape, 1 - correlations(rho))
    for _ in range(depth - 1):
        # φ(u)φ(v) of one layer meets the gradients of the next.
        likeness.append(covariance(activation, 1 - eps, q_star) / square)
        eps = np.clip(gains * covariance_loss(activation, eps, q_star) / (q_star * slopes), 0.0, 2.0)
        parts.append(covariance_d1(activation, 1 - eps, q_star) / (q_star * slopes))
    aligned = np.cumprod(np.array(parts)[::-1], axis=0)[::-1]
    sizes = gains ** (_POWERS[optimizer] * np.arange(depth - 2, -1, -1).reshape(-1, *(1,) * gains.ndim))
    found: Array = (sizes * np.array(likeness) * aligned).sum(axis=0) / sizes.sum(axis=0)
    return found


def contrast(activation: Activation, q_star: float, chi_1: ArrayLike, depth: int, optimizer: Rule = "adam") -> Array:
    """(Θ(ρ) − Θ(0))/Θ(1): what inputs that are alike, ρ = 1/2, teach about one another more than unrelated ones do.

    Arguments and errors are those of `tangent_correlation`.
    """
    alike, apart = (tangent_correlation(activation, q_star, chi_1, depth, rho, optimizer) for rho in (ALIKE, APART))
    return alike - apart


def gain_for_training(activation: Activation, depth: int, optimizer: Rule = "adam") -> float:
    """The gain χ₁ = e^(−c/L) at which a deep network tells inputs apart best by its tangent kernel.

    c is 4.68 under Adam and 3.13 under SGD where φ has kinks, 2.73 and 1.88 where it has none: that of the largest
    `contrast` as L → ∞, whatever φ, q* and inputs are.

    Args:
        activation: φ, continuous and not straight.
        depth: L ≥ 2, layers.
        optimizer: adam or sgd.

    Raises:
        DomainError: as `tangent_correlation`; or a straight φ, whose kernel is that of a line at any depth.

    Source: docs/theory.md, section 19; what it is worth in training: docs/experiments.md.
    """
    _require(activation, depth, optimizer)
    kinked = bool(bend(activation, 1.0))
    if not kinked and not squared_curvature(activation, 1.0):
        raise DomainError(f"{activation.name or 'φ'} is straight: inputs keep their likeness at any depth and gain")
    return gains_at_depth(depth, optimizer)[0 if kinked else 1]


def gains_at_depth(depth: int, optimizer: Rule = "adam") -> tuple[float, float]:
    """The gains for training of a φ with kinks and of one without.

    Raises:
        DomainError: as `gain_for_training`.
    """
    _require_rule(depth, optimizer)
    with_kinks, without = (math.exp(-c / depth) for c in _DEEP[optimizer])
    return with_kinks, without


def _require_rule(depth: int, optimizer: str) -> None:
    require_count("depth", depth, 2)
    if optimizer not in _POWERS:
        raise DomainError(f"optimizer = '{shortened(optimizer)}' is not known: give {', '.join(get_args(Rule))}")


def _require(activation: Activation, depth: int, optimizer: str) -> None:
    require_activation(activation)
    _require_rule(depth, optimizer)
    if not activation.is_continuous:
        raise DomainError(f"{activation.name} jumps, and passes no gradient there: the kernel does not exist")
