"""How V'(q*), q*V''(q*) and the shares lost change along a family of activations on the edge of chaos.

Each point of a curve or a map is a member of the family with its own edge of chaos, or with another gain χ₁(q*); where
there is no such network, the values are NaN, a gap in a figure. A condition P(φ = 0) = s fixes one quantity more, a
parameter or q*, at every point. docs/theory.md, sections 6, 9 and 17.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.family import Family
from meanfield.activations.spec import parameters_of, read_activation
from meanfield.design.crossings import crossings
from meanfield.design.design import sparse_values
from meanfield.domain import MOST_DESIGNS, MOST_LAWS, require_cells, require_gain, require_share, require_signal
from meanfield.errors import ActivationError, DomainError, NoDesign, NoEdgeOfChaos
from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.loss_law import loss_law
from meanfield.infinite_width.edge import edge_curve, gain_in_words
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import sparsity as share_of_zeros
from meanfield.tables.records import Record, row_records
from meanfield.tables.shown import ShownRows

__all__ = ["DesignMap", "SlopeCurve", "design_map", "slope_curve"]

Array = NDArray[np.float64]

#: A sparsity within this of the one asked for is met.
_MET = 1e-12


@dataclass(frozen=True, eq=False)
class SlopeCurve(ShownRows):
    """V'(q*) and q*V''(q*) on the edge of chaos against one quantity; every field an array, NaN where there is no edge.

    Attributes:
        against: the name of that quantity, a parameter or q_star.
        values: its values.
        q_star: q* at each of them.
        sparsity: P(φ = 0) there.
        V_prime, q_V_double_prime: what the edge has.
        chi_1: χ₁(q*), where it is not the edge but beside it.
    """

    against: str
    values: Array
    q_star: Array
    sparsity: Array
    V_prime: Array
    q_V_double_prime: Array
    chi_1: float = 1.0

    def records(self) -> list[Record]:
        """A row for every value; what is NaN is None."""
        columns = {key: array for key, array in vars(self).items() if key not in ("against", "values", "chi_1")}
        return row_records({self.against: self.values, **columns, self.against: self.values})


@dataclass(frozen=True, eq=False)
class DesignMap(ShownRows):
    """Members of a family over sparsity and a second parameter: entry [i, j] belongs to `sparsity[i]`, `values[j]`.

    Attributes:
        parameter: the name of the second parameter, as a rule the clip level m.
        sparsity, values: the axes.
        V_prime: V'(q*) on the edge of chaos, NaN where there is none.
        signal, gradient, either: the shares of networks that lose it at `requirement`, by their law; NaN likewise.
        requirement: width and depth.
        chi_1: χ₁(q*), where it is not the edge but beside it.
    """

    parameter: str
    sparsity: Array
    values: Array
    V_prime: Array
    signal: Array
    gradient: Array
    either: Array
    requirement: Requirement
    chi_1: float = 1.0

    def records(self) -> list[Record]:
        """A row for every member, `values` running first; what is NaN is None."""
        values, sparsity = np.meshgrid(self.values, self.sparsity)
        cells = {"sparsity": sparsity, self.parameter: values}
        cells |= {"V_prime": self.V_prime, "signal_lost": self.signal}
        cells |= {"gradient_lost": self.gradient, "share_lost": self.either}
        return row_records({key: array.ravel() for key, array in cells.items()})


def slope_curve(
    spec: str,
    against: str,
    values: Sequence[float],
    given: Mapping[str, float] | None = None,
    *,
    sparsity: float | None = None,
    solve: str | None = None,
    q_star: float = 1.0,
    chi_1: float = 1.0,
) -> SlopeCurve:
    """The slope and curvature of V on the edge of chaos along one parameter, or along q*.

    Args:
        spec: a name of the catalogue or an expression, with `against` left open.
        against: a parameter of it, or "q_star".
        values: where.
        given: values of the other parameters.
        sparsity: P(φ = 0) to keep along the curve, by changing `solve`.
        solve: the parameter that the sparsity sets, or "q_star"; by default the one parameter left, or q* if none is.
        q_star: q*, unless it is swept or solved for.
        chi_1: χ₁(q*), another than 1 for networks beside the edge.

    Raises:
        ActivationError: `spec` has no such parameter.
        DomainError: a sparsity, q* or χ₁ out of range.
        NoDesign: no value has the sparsity anywhere.
        NoEdgeOfChaos: there is no such network anywhere.
    """
    require_cells(f"values of {against}", len(values), MOST_DESIGNS)
    given = dict(given or {})
    if against != "q_star" and (against in given or against not in parameters_of(spec)):
        raise ActivationError(f"{spec} has no open parameter {against} to go along: name one, or q_star")
    if sparsity is not None:
        require_share("sparsity", sparsity, "a share of zeros")
    for value in values if against == "q_star" else [q_star]:
        require_signal(value)
    require_gain(chi_1)
    if sparsity is not None and solve is None:
        left = sorted(parameters_of(spec) & {"tau", "m"} - {*given, against})
        solve = left[-1] if left else "q_star"
    if sparsity is not None and solve == against:
        raise DomainError(f"{against} is swept and cannot be solved for: keep the sparsity by another quantity")
    follow = _Follower(spec, against, given, sparsity, solve, q_star, chi_1)
    points = [follow(float(value)) for value in values]
    if sparsity is not None and all(math.isnan(point[0]) for point in points):
        raise NoDesign(follow.refusal or f"no {solve} gives {spec} the sparsity {sparsity:g}")
    if all(math.isnan(point[2]) for point in points):
        raise NoEdgeOfChaos(follow.refusal or f"{spec} has no network {gain_in_words(chi_1)} along {against}")
    stars, shares, slopes, bends = np.array(points).T
    return SlopeCurve(against, np.asarray(values, dtype=float), stars, shares, slopes, bends, chi_1)


class _Follower:
    """One point of a slope curve after another: what met the sparsity last, in the units of the next, mostly does."""

    def __init__(
        self,
        spec: str,
        against: str,
        given: dict[str, float],
        sparsity: float | None,
        solve: str | None,
        q_star: float,
        chi_1: float,
    ) -> None:
        self.spec, self.against, self.given, self.q_star, self.chi_1 = spec, against, given, q_star, chi_1
        self.sparsity, self.solve = sparsity, solve
        self.last: tuple[float, float] | None = None
        self.refusal = ""

    def __call__(self, value: float) -> tuple[float, float, float, float]:
        """q*, sparsity, V' and q*V''."""
        nothing = (math.nan,) * 4
        parameters, q = dict(self.given), self.q_star
        if self.against == "q_star":
            q = value
        else:
            parameters[self.against] = value
        try:
            if self.sparsity is not None:
                solved = self._solved(value, parameters, q)
                if self.solve == "q_star":
                    q = solved
                else:
                    assert self.solve
                    parameters[self.solve] = solved
                self.last = value, solved
            phi = read_activation(self.spec, **parameters).phi
            edge = edge_curve(phi, q, self.chi_1)
        except (NoDesign, NoEdgeOfChaos) as refusal:
            self.refusal = str(refusal)
            return nothing
        except ActivationError as refusal:
            if value != 0:
                raise
            self.refusal = str(refusal)
            return nothing
        return q, float(edge.sparsity), float(edge.V_prime), q * float(edge.V_double_prime)

    def _solved(self, value: float, parameters: Mapping[str, float], q: float) -> float:
        assert self.sparsity is not None and self.solve is not None
        if self.last and self.last[0] > 0:
            ratio = value / self.last[0]
            # Sparsity is kept where parameters go with √q*.
            power = 2.0 if self.solve == "q_star" else 0.5 if self.against == "q_star" else 1.0
            scaled = self.last[1] * ratio**power
            for guess in (self.last[1], scaled):
                if abs(self._share(guess, parameters, q) - self.sparsity) <= _MET:
                    return guess
        if self.solve == "q_star":
            found = crossings(lambda q: self._share(q, parameters, q) if q else math.nan, self.sparsity, 1.0).roots
            if not found:
                raise NoDesign(f"no q* gives {self.spec} the sparsity {self.sparsity:g}")
            return found[0]
        family = Family(self.spec, (self.solve,), tuple(parameters.items()))
        return sparse_values(family, self.solve, (), self.sparsity, q)[0]

    def _share(self, guess: float, parameters: Mapping[str, float], q: float) -> float:
        if self.solve == "q_star":
            return share_of_zeros(read_activation(self.spec, **parameters).phi, guess)
        assert self.solve is not None
        return share_of_zeros(read_activation(self.spec, **parameters, **{self.solve: guess}).phi, q)


def design_map(
    family: Family,
    sparsity: Sequence[float],
    values: Sequence[float],
    requirement: Requirement,
    q_star: float = 1.0,
    advance: Callable[[int], object] | None = None,
    *,
    chi_1: float = 1.0,
) -> DesignMap:
    """V'(q*) and the shares lost over sparsities, which set the first open parameter, and values of the second.

    Networks are on the edge of chaos, or beside it with another gain `chi_1` at q*. Where several values of the first
    have the sparsity, the smallest is taken. `advance` is called with the number of designs just done.

    Raises:
        DomainError: the family has not two open parameters, or a sparsity, q* or χ₁ is out of range.
        NoDesign: a sparsity out of reach at every value.
    """
    require_signal(q_star)
    require_gain(chi_1)
    if len(family.open) != 2:
        raise DomainError(f"a map has two axes: leave two parameters of {family.spec} open, not {len(family.open)}")
    require_cells("designs", len(sparsity) * len(values), MOST_LAWS)
    for share in sparsity:
        require_share("sparsity", share, "a share of zeros")
    first, second = family.open
    slope, signal, gradient, either = np.full((4, len(sparsity), len(values)), math.nan)
    refusals: list[NoDesign] = []
    for i, share in enumerate(sparsity):
        try:
            chosen = sparse_values(family, first, ((second, math.sqrt(q_star)),), share, q_star)[0]
        except NoDesign as refusal:
            refusals.append(refusal)
            if advance:
                advance(len(values))
            continue
        for j, value in enumerate(values):
            phi = family.member({first: chosen, second: float(value)}).phi
            edge = edge_curve(phi, q_star, chi_1)
            slope[i, j] = edge.V_prime
            if math.isfinite(slope[i, j]):
                network = MeanField(phi, float(edge.sigma_w), float(edge.sigma_b))
                law = loss_law(network, q_star, requirement)
                signal[i, j], gradient[i, j], either[i, j] = law.signal[-1], law.gradient[-1], law.either[-1]
            if advance:
                advance(1)
    if len(refusals) == len(sparsity):
        raise refusals[0]
    axes = np.asarray(sparsity, dtype=float), np.asarray(values, dtype=float)
    return DesignMap(second, *axes, slope, signal, gradient, either, requirement, chi_1)
