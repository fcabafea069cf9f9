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
from meanfield.domain import require_count, require_signal
from meanfield.errors import DomainError, shortened
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_loss
from meanfield.infinite_width.moments import second_moment, slope_moment

__all__ = ["Rule", "contrast", "gain_for_training", "tangent_correlation"]

Array = NDArray[np.float64]
Rule = Literal["adam", "sgd"]

#: Powers of the size of a squared gradient that a layer's part in a step goes with. Adam divides a step by its root.
_POWERS: dict[Rule, float] = {"adam": 0.5, "sgd": 1.0}
#: Correlations of inputs that are alike, and that have nothing to do with each other.
ALIKE, APART = 0.5, 0.0
#: The ends of L ln χ₁ between which the best gain is looked for; in deep networks it is at −2 to −5.
_PLACES = (-10.0, 0.5)
#: Places a round, each between the neighbours of the last round's best.
_EACH, _ROUNDS = 13, 6


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
    _require(activation, q_star, depth, optimizer)
    gains = np.asarray(chi_1, dtype=float)
    slopes, square = (
        float(moment) for moment in (slope_moment(activation, q_star, 2), second_moment(activation, q_star))
    )
    likeness, parts = [], []
    eps = np.full(gains.shape, 1.0 - rho)
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


def gain_for_training(activation: Activation, q_star: float, depth: int, optimizer: Rule = "adam") -> float:
    """The gain χ₁ of the largest `contrast`, among those that leave a σ_b² ≥ 0.

    At large depths it is 1 − c/L, c = 4.68 under Adam and 3.13 under SGD for a φ with kinks, 2.73 and 1.88 for others.

    Raises:
        DomainError: as `tangent_correlation`.
    """
    _require(activation, q_star, depth, optimizer)
    largest = q_star * slope_moment(activation, q_star, 2) / second_moment(activation, q_star)
    low, high = _PLACES[0] / depth, min(_PLACES[1] / depth, math.log(largest))
    for _ in range(_ROUNDS):
        places = np.linspace(low, high, _EACH)
        best = int(np.argmax(contrast(activation, q_star, np.exp(places), depth, optimizer)))
        low, high = places[max(best - 1, 0)], places[min(best + 1, _EACH - 1)]
    return math.exp(0.5 * (low + high))


def _require(activation: Activation, q_star: float, depth: int, optimizer: str) -> None:
    require_activation(activation)
    require_signal(q_star)
    require_count("depth", depth, 2)
    if optimizer not in _POWERS:
        raise DomainError(f"optimizer = '{shortened(optimizer)}' is not known: give {', '.join(get_args(Rule))}")
    if not activation.is_continuous:
        raise DomainError(f"{activation.name} jumps, and passes no gradient there: the kernel does not exist")
