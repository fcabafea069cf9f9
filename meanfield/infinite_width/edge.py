"""The edge of chaos: the weights and biases at which a signal's variance and a gradient's both stay as they are.

At a chosen q*, χ₁ = 1 gives σ_w² = 1/E φ'² and V(q*) = q* gives σ_b² = q* − E φ²/E φ'². Both are closed forms in q*,
a curve in the plane (σ_w, σ_b); the other way round, from σ_b or σ_w to q*, they are equations with any number of
solutions. docs/theory.md, section 6.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear, require_piecewise_linear
from meanfield.domain import LARGEST_SCALE, require_number, require_signal
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.fixed_points import variance_grid
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import (
    kink_term,
    second_moment,
    second_moment_d1,
    second_moment_d2,
    slope_moment,
    slope_square_d1,
    sparsity,
)
from meanfield.infinite_width.roots import Function, find_roots
from meanfield.tables.records import Record, row_records
from meanfield.tables.shown import Shown, ShownList, ShownRows

__all__ = ["EdgeCurve", "EdgeOfChaos", "edge_curve", "edge_of_chaos", "edges_of_chaos", "slope_on_edge"]

Array = NDArray[np.float64]

#: σ_b² within this many q* of zero is zero: the rounding of the difference that it is.
_BIAS_ROUNDING = 16 * np.finfo(float).eps

#: So many jumps are named, the others counted.
_FEW_JUMPS = 6


@dataclass(frozen=True)
class EdgeOfChaos(Shown):
    """An initialisation on the edge of chaos and the maps at its fixed point.

    Attributes:
        activation: φ.
        q_star: q*, the fixed point of V at which χ₁ = 1.
        sigma_w_squared, sigma_b_squared: σ_w², σ_b².
        sigma_w, sigma_b: their roots, the numbers to initialise with.
        sparsity: P(φ = 0) at q*.
        chi_1: χ₁(q*), 1 to rounding.
        V_prime: V'(q*), as 1 + σ_w² Σ dᵢ φ(tᵢ) p(tᵢ), so that an exact 1 is one.
        V_double_prime: V''(q*).
    """

    activation: PiecewiseLinear
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
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"activation": self.activation.name}

    @property
    def mean_field(self) -> MeanField:
        """The network with these weights and biases."""
        return MeanField(self.activation, self.sigma_w, self.sigma_b)


@dataclass(frozen=True, eq=False, repr=False)
class EdgeCurve(ShownRows):
    """Points of the edge of chaos, each field an array of the shape of `q_star`.

    `sigma_w`, `sigma_b`, `V_prime` and `V_double_prime` are NaN at a q* that has no edge.
    """

    q_star: Array
    sigma_w: Array
    sigma_b: Array
    sparsity: Array
    V_prime: Array
    V_double_prime: Array

    def records(self) -> list[Record]:
        """A row for every q*; what is NaN is None."""
        return row_records(vars(self))


def edge_of_chaos(activation: PiecewiseLinear, q_star: float = 1.0) -> EdgeOfChaos:
    """The (σ_w, σ_b) that puts `activation` on the edge of chaos at the fixed point `q_star` > 0.

    Raises:
        NoEdgeOfChaos: φ jumps, is constant, or would need σ_b² < 0; the message says which q* would do.
        DomainError: q_star is not a finite number > 0.

    Source: Schoenholz et al. (2017); Price et al. (2024), section 3; docs/theory.md, section 6.
    """
    require_signal(q_star)
    _require_an_edge(activation)
    slopes = slope_moment(activation, q_star, 2)
    if slopes < np.finfo(float).tiny:
        raise NoEdgeOfChaos(
            f"at q* = {q_star:g} the sloping part of the activation is out of reach (E φ'² is below the smallest "
            "double): χ₁ = 1 needs a larger q*, of the order of its knots squared, or a steeper activation"
        )
    weights = 1 / slopes
    bias = _squared_bias(activation, np.asarray(q_star)).item()
    if bias < 0:
        raise NoEdgeOfChaos(
            f"at q* = {q_star:g}, χ₁ = 1 needs σ_w² = {weights:.6g}, and V(q*) = q* then σ_b² = {bias:.6g} < 0; "
            + _where_possible(activation)
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
        V_prime=slope_on_edge(activation, q_star),
        V_double_prime=network.d2V(q_star),
    )


def slope_on_edge(activation: PiecewiseLinear, q_star: float) -> float:
    """V'(q*) on the edge of chaos of a continuous φ, 1 + Σ dᵢ φ(tᵢ) p(tᵢ)/E φ'²; docs/theory.md, section 6."""
    kinks = kink_term(activation, q_star)
    return 1 + kinks / slope_moment(activation, q_star, 2) if kinks else 1.0


def edge_curve(activation: PiecewiseLinear, q_star: ArrayLike) -> EdgeCurve:
    """The point of the edge of chaos at each q* > 0.

    Raises:
        NoEdgeOfChaos: φ jumps or is constant.
        DomainError: a q* that is not a finite number > 0.
    """
    _require_an_edge(activation)
    q = np.asarray(q_star, dtype=float)
    for value in q.flat:
        require_signal(value)
    slopes, bias = slope_moment(activation, q, 2), _squared_bias(activation, q)
    exists = (slopes >= LARGEST_SCALE**-2) & (bias >= 0)
    weights = 1 / np.where(exists, slopes, np.nan)
    return EdgeCurve(
        q_star=q,
        sigma_w=np.sqrt(weights),
        sigma_b=np.sqrt(np.where(exists, bias, np.nan)),
        sparsity=sparsity(activation, q),
        V_prime=1 + weights * kink_term(activation, q),
        V_double_prime=weights * second_moment_d2(activation, q),
    )


def edges_of_chaos(
    activation: PiecewiseLinear, *, sigma_w: float | None = None, sigma_b: float | None = None
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
    if sigma_w is not None:
        given, value, lowest = "sigma_w", sigma_w, sys.float_info.min
    else:
        assert sigma_b is not None
        given, value, lowest = "sigma_b", sigma_b, 0.0
    require_number(given, value)
    if not (lowest <= value <= LARGEST_SCALE):
        bound = f"{'<' if lowest else '<='} {given} <= {LARGEST_SCALE:g}"
        raise DomainError(f"{given} = {value:g} is out of range: give 0 {bound}")
    grid = _active_grid(activation)
    if activation.is_homogeneous:
        edge = edge_of_chaos(activation)
        reached = edge.sigma_w if sigma_w is not None else edge.sigma_b
        if abs(reached - value) <= 1e-12 * max(reached, value):
            return ShownList([edge])
        raise NoEdgeOfChaos(
            f"with {given} = {value:g} a homogeneous activation has no edge of chaos: its edge is the one point "
            f"sigma_w = {edge.sigma_w:.10g}, sigma_b = {edge.sigma_b:.10g}, at every q*"
        )
    if sigma_w is not None:
        weight = sigma_w**2
        levels: list[Function] = [
            lambda q: weight * slope_moment(activation, q, 2) - 1,
            lambda q: slope_square_d1(activation, q),
        ]
        roots = find_roots(levels, grid, np.ones_like)
    else:
        bias = value**2
        levels = [
            lambda q: _squared_bias(activation, q) - bias,
            lambda q: _squared_bias_d1(activation, q),
        ]
        roots = find_roots(levels, grid, lambda q: q)
    if roots and roots[0].until > roots[0].x:
        # σ_w does not depend on q*.
        possible = [q for q in (1.0, *grid) if _has_bias(activation, q)][:1]
    else:
        # The ends of the grid stand for the limits q* → 0 and q* → ∞ of the edge, where there is no signal to keep.
        possible = [root.x for root in roots if root.before and root.after and _has_bias(activation, root.x)]
    if not possible:
        raise NoEdgeOfChaos(f"no q* puts {given} = {value:g} on the edge of chaos: {_reached(activation, grid, given)}")
    return ShownList(edge_of_chaos(activation, q) for q in possible)


def _require_an_edge(activation: PiecewiseLinear) -> None:
    """Refuse what has no edge of chaos at any q*, with a `NoEdgeOfChaos`."""
    require_piecewise_linear(activation)
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


def _squared_bias(activation: PiecewiseLinear, q: Array) -> Array:
    """σ_b² = q − E φ²/E φ'² of the edge at q."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bias = q - np.divide(second_moment(activation, q), slope_moment(activation, q, 2))
    return np.where(np.abs(bias) <= _BIAS_ROUNDING * q, 0.0, bias)


def _squared_bias_d1(activation: PiecewiseLinear, q: Array) -> Array:
    slopes, square = slope_moment(activation, q, 2), second_moment(activation, q)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        carried = square * slope_square_d1(activation, q) / slopes
        return 1 - (second_moment_d1(activation, q) - carried) / slopes


def _active_grid(activation: PiecewiseLinear) -> Array:
    """The variances at which some slope is active with a probability that a double holds."""
    grid = variance_grid(activation)
    grid = grid[(grid > 0) & (grid < LARGEST_SCALE)]
    return grid[slope_moment(activation, grid, 2) > 1e-290]


def _has_bias(activation: PiecewiseLinear, q: float) -> bool:
    return bool(_squared_bias(activation, np.asarray(q)) >= 0)


def _where_possible(activation: PiecewiseLinear) -> str:
    """Which q* have an edge, in words."""
    grid = _active_grid(activation)
    roots = find_roots(
        [lambda q: _squared_bias(activation, q), lambda q: _squared_bias_d1(activation, q)], grid, lambda q: q
    )
    possible = _squared_bias(activation, grid) >= 0
    ranges = []
    ends = [0.0, *(root.x for root in roots if root.before and root.after), math.inf]
    for low, high in pairwise(ends):
        inside = possible[(grid > low) & (grid < high)]
        if inside.size and inside[inside.size // 2]:
            if low == 0:
                ranges.append(f"q* <= {high:.6g}")
            elif high == math.inf:
                ranges.append(f"q* >= {low:.6g}")
            else:
                ranges.append(f"{low:.6g} <= q* <= {high:.6g}")
    if not ranges:
        return "no q* has an edge: the activation is too far from 0 at 0 (subtract φ(0) from it)"
    return f"{' or '.join(ranges)} would do"


def _reached(activation: PiecewiseLinear, grid: Array, given: str) -> str:
    bias = _squared_bias(activation, grid)
    # Where σ_b² is less than 1e-9 of q* its rounding shows, and the edge is that of a homogeneous activation.
    solid = bias > 1e-9 * grid
    if not solid.any():
        return "no q* has an edge: the activation is too far from 0 at 0 (subtract φ(0) from it)"
    reached = 1 / slope_moment(activation, grid, 2) if given == "sigma_w" else bias
    values = np.sqrt(reached[solid])
    low, last = values.min(), int(np.argmax(values))
    # At an end of the grid, a value that still moves from one point to the next has no bound.
    inner = {0: 1, len(values) - 1: len(values) - 2}.get(last, last)
    grows = values[last] > 1.001 * values[inner]
    span = f"> {low:.6g}" if grows else f"from {low:.6g} to {values[last]:.6g}"
    return f"over all q* > 0, the edge has {given} {span}"
