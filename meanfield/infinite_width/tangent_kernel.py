"""How much a step that learns one input teaches about another: the tangent kernel of the hidden weights, as N → ∞.

A step along the gradient at input y changes the output at input x by the tangent kernel Θ(x, y), the product of the two
gradients. Where Θ hardly depends on how alike x and y are, a network learns every input by itself, or all as one; what
tells inputs apart is the difference that likeness makes, the contrast. docs/theory.md, section 19.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation, require_activation
from meanfield.domain import correlations, require_count, require_gain, require_signal
from meanfield.errors import DomainError, shortened
from meanfield.infinite_width.covariance import covariance_d1, covariance_loss
from meanfield.infinite_width.moments import second_moment, slope_moment

__all__ = ["Rule", "contrast", "gain_for_training", "tangent_correlation"]

Array = NDArray[np.float64]
Rule = Literal["adam", "sgd"]

#: Powers of the size of a squared gradient that a layer's part in a step goes with. Adam divides a step by its root.
_POWERS: dict[Rule, float] = {"adam": 0.5, "sgd": 1.0}
#: Correlations of inputs that are alike, and that have nothing to do with each other.
_ALIKE, _APART = 0.5, 0.0
#: Values of −L ln χ₁ among which the best gain is looked for, first, and how often then between the neighbours of the
#: best; in deep networks it is 1.9 to 4.7.
_PLACES, _ROUNDS = np.linspace(0.0, 10.0, 41), 6
#: Of networks with fewer layers the weights between them are not what counts.
_SHALLOWEST = 5
#: Points in ln(1 − ρ) between which a layer is interpolated in the search, and the smallest 1 − ρ.
_POINTS, _SMALLEST = 400, 1e-16


def tangent_correlation(
    activation: Activation, q_star: float, chi_1: ArrayLike, depth: int, rho: float, optimizer: Rule = "adam"
) -> Array:
    """Θ(ρ)/Θ(1) of inputs of correlation `rho`, for networks with each of the gains `chi_1` at `q_star`.

    Args:
        activation: φ, continuous.
        q_star: q*, the variance of every layer.
        chi_1: χ₁(q*) > 0, of any shape, which the result has.
        depth: L ≥ 2, layers; the kernel is that of the weights between them.
        rho: correlation of the two inputs at layer 1.
        optimizer: sgd, which follows the gradient; or adam, which divides the steps of a layer by the size of its
            gradients.

    The absolute error is about 1e-13 a layer, and up to 1e-8 where 1 − ρ falls below 1e-8.

    Raises:
        DomainError: a number out of range, a φ that jumps, or an optimiser that is not known.
    """
    _require(activation, q_star, depth, optimizer)
    gains = np.asarray(chi_1, dtype=float)
    for gain in gains.ravel().tolist():
        require_gain(gain)
    return _correlation(_Layer(activation, q_star), gains, depth, float(correlations(rho)), _POWERS[optimizer])


def contrast(activation: Activation, q_star: float, chi_1: ArrayLike, depth: int, optimizer: Rule = "adam") -> Array:
    """(Θ(½) − Θ(0))/Θ(1): what inputs that are alike teach about one another more than unrelated ones do.

    Arguments and errors are those of `tangent_correlation`.
    """
    alike, apart = (tangent_correlation(activation, q_star, chi_1, depth, rho, optimizer) for rho in (_ALIKE, _APART))
    return alike - apart


def gain_for_training(activation: Activation, depth: int, optimizer: Rule = "adam", q_star: float = 1.0) -> float:
    """The gain χ₁ ≤ 1 of the largest `contrast` at this depth, among those that leave a σ_b² ≥ 0; to six digits.

    It is nearer to 1 the deeper the network: e^(−c/L) as L → ∞, with c = 4.68 under Adam and 3.13 under SGD where φ has
    kinks, 2.73 and 1.88 where it has none. Of a φ that hardly bends it is 1, the edge of chaos.

    Args:
        activation: φ, continuous.
        depth: L ≥ 5, layers.
        optimizer: adam or sgd.
        q_star: q*.

    Raises:
        DomainError: as `tangent_correlation`.

    Source: docs/theory.md, section 19; what it is worth in training: docs/experiments.md.
    """
    _require(activation, q_star, depth, optimizer, _SHALLOWEST)
    layer = _Layer(activation, q_star, is_tabulated=True)
    least = max(-depth * math.log(layer.largest_gain), 0.0)
    places = np.maximum(_PLACES, least)
    for _ in range(_ROUNDS):
        alike, apart = (
            _correlation(layer, np.exp(-places / depth), depth, rho, _POWERS[optimizer]) for rho in (_ALIKE, _APART)
        )
        best = int(np.argmax(alike - apart))
        places = np.linspace(places[max(best - 1, 0)], places[min(best + 1, len(places) - 1)], len(places))
    return math.exp(-float(places[len(places) // 2] if best else places[0]) / depth)


class _Layer:
    """What a layer makes of 1 − ρ: 1 − C(ρ)/C(1), and C'(ρ)/C'(1), C(ρ) = E φ(u)φ(v); tabulated where that will do."""

    def __init__(self, activation: Activation, q_star: float, *, is_tabulated: bool = False) -> None:
        self._phi, self._q = activation, q_star
        self._square, slopes = (
            float(f) for f in (second_moment(activation, q_star), slope_moment(activation, q_star, 2))
        )
        self._steepest = q_star * slopes
        if not self._steepest >= np.finfo(float).tiny:
            raise DomainError(f"{activation.name or 'φ'} has no slope in reach of q* = {q_star:g}: no gradient passes")
        #: At which no bias is left.
        self.largest_gain = self._steepest / self._square if self._square else math.inf
        self._table: Any = None
        if is_tabulated:
            from scipy.interpolate import CubicSpline

            at = np.concatenate([[0.0], np.geomspace(_SMALLEST, 2.0, _POINTS)])
            lost, alike = self.lost(at)[1:], self.alike(at)
            # In logarithms what is lost is nearly straight.
            self._table = CubicSpline(np.log(at[1:]), np.column_stack([np.log(lost / at[1:]), alike[1:]]))

    def lost(self, eps: Array) -> Array:
        """(C(1) − C(1 − ε))/C'(1)."""
        if self._table is None:
            found: Array = covariance_loss(self._phi, eps, self._q) / self._steepest
            return found
        shared: Array = eps * np.exp(self._table(np.log(np.maximum(eps, _SMALLEST)))[..., 0])
        return shared

    def alike(self, eps: Array) -> Array:
        """C'(1 − ε)/C'(1)."""
        if self._table is None:
            found: Array = covariance_d1(self._phi, 1 - eps, self._q) / self._steepest
            return found
        at: Array = self._table(np.log(np.maximum(eps, _SMALLEST)))[..., 1]
        return at

    def outputs(self, eps: Array) -> Array:
        """C(1 − ε)/C(1)."""
        return 1 - self.lost(eps) * (self._steepest / self._square)


def _correlation(layer: _Layer, gains: Array, depth: int, rho: float, power: float) -> Array:
    eps = np.full(gains.shape, 1 - rho)
    outputs, parts = [], []
    for _ in range(depth - 1):
        # φ(u)φ(v) of one layer meets the gradients of the next.
        outputs.append(layer.outputs(eps))
        eps = np.clip(gains * layer.lost(eps), 0.0, 2.0)
        parts.append(layer.alike(eps))
    aligned = np.cumprod(np.array(parts)[::-1], axis=0)[::-1]
    above = np.arange(depth - 2, -1, -1).reshape(-1, *(1,) * gains.ndim)
    # In units of the largest, whichever end has it.
    sizes = np.exp(power * np.log(gains) * np.where(gains > 1, above - (depth - 2), above))
    found: Array = (sizes * np.array(outputs) * aligned).sum(axis=0) / sizes.sum(axis=0)
    return found


def _require(activation: Activation, q_star: float, depth: int, optimizer: str, shallowest: int = 2) -> None:
    require_activation(activation)
    require_signal(q_star)
    require_count("depth", depth, shallowest)
    if not isinstance(optimizer, str) or optimizer not in _POWERS:
        raise DomainError(f"optimizer = {shortened(optimizer)} is not known: give {', '.join(get_args(Rule))}")
    if not activation.is_continuous:
        raise DomainError(f"{activation.name} jumps, and passes no gradient there: the kernel does not exist")
