"""The edge of chaos: the weights and biases at which a signal's variance and a gradient's both stay as they are.

At a chosen q*, χ₁ = 1 gives σ_w² = 1/E φ'² and V(q*) = q* gives σ_b² = q* − E φ²/E φ'². Both are closed forms in q*,
a curve in the plane (σ_w, σ_b); the other way round, from σ_b or σ_w to q*, they are equations with any number of
solutions. Beside the edge another gain χ₁ is chosen at the same q*. docs/theory.md, section 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from decimal import ROUND_FLOOR, Context
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation, require_activation
from meanfield.domain import LARGEST_SCALE, require_gain, require_number, require_signal
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.edge_biases import squared_bias, squared_bias_d1, squared_bias_size
from meanfield.infinite_width.edge_range import Scale, active_variances, reached, where_possible
from meanfield.infinite_width.growth import GainGrowth
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import (
    curvature_term,
    second_moment,
    second_moment_d2,
    slope_moment,
    slope_square_d1,
    sparsity,
    squared_curvature,
)
from meanfield.infinite_width.roots import Function, find_roots
from meanfield.tables.records import Record, row_records
from meanfield.tables.shown import Shown, ShownList, ShownRows

__all__ = [
    "EdgeCurve",
    "EdgeOfChaos",
    "edge_curve",
    "edge_of_chaos",
    "edges_of_chaos",
    "gain_in_words",
    "slope_on_edge",
]

#: The square of a smaller σ_b is no double.
_LEAST_BIAS = 1 / LARGEST_SCALE

#: So many jumps are named, the others counted.
_FEW_JUMPS = 6

#: What is left of two biases that cancel is rounding up to this share of q*.
_ROUNDING = 16 * np.finfo(float).eps


@dataclass(frozen=True)
class EdgeOfChaos(Shown):
    """An initialisation with a chosen gain χ₁ at a chosen q*, the edge of chaos at χ₁ = 1, and the maps at q*.

    Attributes:
        activation: φ.
        q_star: q*, the fixed point of V at which χ₁ is as chosen.
        sigma_w_squared, sigma_b_squared: σ_w², σ_b².
        sigma_w, sigma_b: their roots, the numbers to initialise with.
        sparsity: P(φ = 0) at q*.
        chi_1: χ₁(q*), the gain asked for to rounding.
        V_prime: V'(q*), as χ₁ (1 + Σ dᵢ φ(tᵢ) p(tᵢ)/E φ'²), so that an exact 1 is one.
        V_double_prime: V''(q*).
    """

    activation: Activation
    q_star: float
    sigma_w: float
    sigma_b: float
    sigma_w_squared: float
    sigma_b_squared: float
    sparsity: float
    chi_1: float
    V_prime: float
    V_double_prime: float

    paper = ("activation", "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime")

    def record(self) -> Record:
        """The activation's name and every number."""
        numbers = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **numbers,
            "R_double_prime": self.R_double_prime,
            "kappa": self.kappa,
            "activation": self.activation.name,
        }

    @property
    def R_double_prime(self) -> float:
        """R''(1) = σ_w² q* E φ''²: at χ₁ = 1 over l layers 1 − ρ tends to 2/(R''(1) l); ∞ where φ has a kink."""
        return self.sigma_w_squared * self.q_star * squared_curvature(self.activation, self.q_star)

    @property
    def kappa(self) -> float:
        """κ in 1 − R(1 − ε) = χ₁ ε − κ ε^(3/2) + …, 0 where φ has no kink: at χ₁ = 1 else 1 − ρ → 4/(κl)²."""
        return self.mean_field.kappa(self.q_star)

    @property
    def mean_field(self) -> MeanField:
        """The network with these weights and biases."""
        return MeanField(self.activation, self.sigma_w, self.sigma_b)


@dataclass(frozen=True, eq=False, repr=False)
class EdgeCurve(ShownRows):
    """Points of the edge of chaos, or beside it, each field an array of the shape of `q_star`, or a float for a scalar.

    `sigma_w`, `sigma_b`, `V_prime` and `V_double_prime` are NaN at a q* that has no such network.
    """

    q_star: Any
    sigma_w: Any
    sigma_b: Any
    sparsity: Any
    V_prime: Any
    V_double_prime: Any

    def records(self) -> list[Record]:
        """A row for every q*; what is NaN is None."""
        return row_records(vars(self))


def edge_of_chaos(activation: Activation, q_star: float = 1.0, chi_1: float = 1.0) -> EdgeOfChaos:
    """The (σ_w, σ_b) that puts `activation` on the edge of chaos at the fixed point `q_star` > 0.

    Another gain χ₁(q*) > 0 than 1 puts it beside the edge: `chi_1` < 1 is ordered, `chi_1` > 1 chaotic.

    Raises:
        NoEdgeOfChaos: φ jumps, is constant, or would need σ_b² < 0; the message says which q* or χ₁ would do.
        DomainError: q_star or chi_1 is not a finite number > 0.

    Source: Schoenholz et al. (2017); Price et al. (2024), section 3; docs/theory.md, section 6.
    """
    require_signal(q_star)
    require_gain(chi_1)
    _require_an_edge(activation)
    slopes = slope_moment(activation, q_star, 2)
    if slopes < LARGEST_SCALE**-2:
        raise NoEdgeOfChaos(
            f"at q* = {q_star:g} the sloping part of the activation is out of reach (E φ'² = {slopes:.2g} asks for "
            f"more than sigma_w = {LARGEST_SCALE:g}): χ₁ = {chi_1:g} needs a larger q*, of the order of its knots "
            "squared, or a steeper activation"
        )
    weights = chi_1 / slopes
    bias = _squared_bias_of(activation, np.array([q_star]), chi_1).item()
    if chi_1 != 1 and bias < 0:
        most = q_star / _variance_without_bias(activation, np.array([q_star])).item()
        raise NoEdgeOfChaos(
            f"at q* = {q_star:g}, χ₁ = {chi_1:g} and V(q*) = q* need σ_b² < 0; "
            f"χ₁ <= {float(Context(6, ROUND_FLOOR).create_decimal_from_float(most)):g} would do at this q*"
        )
    if bias < 0:
        raise NoEdgeOfChaos(
            f"at q* = {q_star:g}, χ₁ = 1 needs σ_w² = {weights:.6g}, and V(q*) = q* then σ_b² = {bias:.6g} < 0; "
            + where_possible(activation)
        )
    network = MeanField(activation, math.sqrt(weights), math.sqrt(bias))
    return EdgeOfChaos(
        activation=activation,
        q_star=float(q_star),
        sigma_w=network.sigma_w,
        sigma_b=network.sigma_b,
        sigma_w_squared=weights,
        sigma_b_squared=bias,
        sparsity=network.sparsity(q_star),
        chi_1=network.chi1(q_star),
        V_prime=chi_1 * slope_on_edge(activation, q_star),
        V_double_prime=network.d2V(q_star),
    )


def slope_on_edge(activation: Activation, q_star: float) -> float:
    """V'(q*) on the edge of chaos of a continuous φ, 1 + Σ dᵢ φ(tᵢ) p(tᵢ)/E φ'²; docs/theory.md, section 6."""
    kinks = curvature_term(activation, q_star)
    return 1 + kinks / slope_moment(activation, q_star, 2) if kinks else 1.0


def gain_in_words(chi_1: float) -> str:
    """What is said of a network by its χ₁(q*), after its name."""
    return "on the edge of chaos" if chi_1 == 1 else f"with χ₁ = {chi_1:g}"


def edge_curve(activation: Activation, q_star: ArrayLike, chi_1: float = 1.0) -> EdgeCurve:
    """The point of the edge of chaos at each q* > 0; beside the edge where `chi_1` > 0 is another gain χ₁(q*) than 1.

    Raises:
        NoEdgeOfChaos: φ jumps or is constant.
        DomainError: a q* or `chi_1` that is not a finite number > 0.
    """
    require_gain(chi_1)
    _require_an_edge(activation)
    q = np.asarray(q_star, dtype=float)
    for value in q.flat:
        require_signal(value)
    slopes, bias = slope_moment(activation, q.ravel(), 2), _squared_bias_of(activation, q.ravel(), chi_1)
    exists = (slopes >= LARGEST_SCALE**-2) & (bias >= 0)
    weights = chi_1 / np.where(exists, slopes, np.nan)
    columns = (
        q.ravel(),
        np.sqrt(weights),
        np.sqrt(np.where(exists, bias, np.nan)),
        sparsity(activation, q.ravel()),
        chi_1 + weights * curvature_term(activation, q.ravel()),
        weights * second_moment_d2(activation, q.ravel()),
    )
    return EdgeCurve(*(column.reshape(q.shape) if q.ndim else column.item() for column in columns))


def edges_of_chaos(
    activation: Activation, *, sigma_w: float | None = None, sigma_b: float | None = None
) -> list[EdgeOfChaos]:
    """Every point of the edge of chaos with the given σ_w, or with the given σ_b, by ascending q*.

    Give one of the two. Where every q* will do, as for a homogeneous φ (ReLU, |x|), the edge is reported at q* = 1, or
    at the least q* that has one.

    Raises:
        NoEdgeOfChaos: there is none; the message gives the values that the edge does reach.
        DomainError: neither or both given, or not a finite number in range.
    """
    if (sigma_w is None) == (sigma_b is None):
        raise DomainError("the edge of chaos is found from one of sigma_w and sigma_b: give one of them")
    _require_an_edge(activation)
    given: Scale = "sigma_b" if sigma_w is None else "sigma_w"
    value = sigma_b if sigma_w is None else sigma_w
    require_number(given, value)
    assert value is not None
    if not (_LEAST_BIAS <= value <= LARGEST_SCALE or (value == 0 and given == "sigma_b")):
        zero = "0 or " if given == "sigma_b" else ""
        raise DomainError(
            f"{given} = {value:g} is out of range: give {zero}{_LEAST_BIAS:g} <= {given} <= {LARGEST_SCALE:g}"
        )
    grid = active_variances(activation)
    if activation.is_homogeneous:
        edge = edge_of_chaos(activation)
        has = edge.sigma_w if sigma_w is not None else edge.sigma_b
        if abs(has - value) <= 1e-12 * max(has, value):
            return ShownList([edge])
        raise NoEdgeOfChaos(
            f"with {given} = {value:g} a homogeneous activation has no edge of chaos: its edge is the one point "
            f"sigma_w = {edge.sigma_w:.10g}, sigma_b = {edge.sigma_b:.10g}, at every q*"
        )
    if sigma_w is not None:
        growth = GainGrowth(activation, sigma_w)
        roots = find_roots([growth, lambda q: slope_square_d1(activation, q)], grid, growth.size, growth.rounding)
    else:
        levels: list[Function] = [
            lambda q: squared_bias(activation, q) - value**2,
            lambda q: squared_bias_d1(activation, q),
        ]
        roots = find_roots(levels, grid, lambda q: squared_bias_size(activation, q) + value**2)
    if roots and roots[0].until > roots[0].x:
        # σ_w does not depend on q*.
        possible = [q for q in (1.0, *grid) if _has_bias(activation, q)][:1]
    else:
        # The ends of the grid stand for the limits q* → 0 and q* → ∞ of the edge, where there is no signal to keep.
        possible = [root.x for root in roots if root.before and root.after and _has_bias(activation, root.x)]
    if not possible:
        raise NoEdgeOfChaos(f"no q* puts {given} = {value:g} on the edge of chaos: {reached(activation, given)}")
    return ShownList(edge_of_chaos(activation, q) for q in possible)


def _require_an_edge(activation: Activation) -> None:
    """Refuse what has no edge of chaos at any q*, with a `NoEdgeOfChaos`."""
    require_activation(activation)
    if not activation.is_continuous:
        jumps = activation.discontinuities
        more = f" and {len(jumps) - _FEW_JUMPS} more" if len(jumps) > _FEW_JUMPS else ""
        at = ", ".join(f"{t:g}" for t in jumps[:_FEW_JUMPS]) + more
        raise NoEdgeOfChaos(
            f"the activation jumps at x = {at}, so χ₁ = ∞ and nearly equal inputs part at once whatever σ_w: "
            "the edge of chaos needs a continuous activation (replace the jump by a steep slope)"
        )
    if not activation.has_slope:
        raise NoEdgeOfChaos(
            "the activation is constant, so χ₁ = 0 whatever σ_w: the edge of chaos needs a slope somewhere"
        )


def _squared_bias_of(activation: Activation, q: NDArray[np.float64], chi_1: float) -> NDArray[np.float64]:
    """σ_b² = q* − χ₁ E φ²/E φ'² as χ₁ σ_b²(edge) + (1 − χ₁) q*: negative where there is no such network."""
    with np.errstate(all="ignore"):
        edge, rest = chi_1 * squared_bias(activation, q), (1 - chi_1) * q
        bias = edge + rest
        if chi_1 > 2:
            # Both may be large beside their sum.
            bias = q - chi_1 * _variance_without_bias(activation, q)
        cancels = (np.sign(edge) == -np.sign(rest)) & (np.abs(bias) <= _ROUNDING * q)
    return np.where(cancels, 0.0, bias)


def _variance_without_bias(activation: Activation, q: NDArray[np.float64]) -> NDArray[np.float64]:
    """E φ²/E φ'², what weights alone make of q at χ₁ = 1, as q − σ_b²(edge) where that keeps its digits."""
    edge = squared_bias(activation, q)
    return np.where(edge > q / 2, second_moment(activation, q) / slope_moment(activation, q, 2), q - edge)


def _has_bias(activation: Activation, q: float) -> bool:
    return bool(squared_bias(activation, np.array([q])) >= 0)
