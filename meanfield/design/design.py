"""From what an activation should do to its parameters: sparsity gives τ, stability gives m.

In a family such as clipped-relu(tau, m) the first open parameter is found from the sparsity P(φ = 0) at q*, the second
from the slope V'(q*) on the edge of chaos, or from the escape probability at a given width and depth; in a smooth one,
such as swish(beta), from the slope, from R''(1) or from the share of φ near 0. σ_w and σ_b follow. All solutions are
found, and where there is none the reachable range. docs/theory.md, sections 9 and 16.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from meanfield.activations.family import Family
from meanfield.activations.spec import NamedActivation
from meanfield.design.conditions import Condition, measured
from meanfield.design.crossings import Crossings, crossings
from meanfield.design.near_zero import BELOW
from meanfield.design.pairs import together
from meanfield.domain import require_a, require_gain, require_share, require_signal
from meanfield.errors import ActivationError, DomainError, NoDesign, NoEdgeOfChaos
from meanfield.finite_width.escape import Escapes
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos
from meanfield.infinite_width.fixed_points import basin
from meanfield.infinite_width.operating_point import operating_point_of
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown, ShownList

__all__ = [
    "Design",
    "Margins",
    "are_lengths",
    "branches",
    "designs",
    "require_conditions",
    "sparse_values",
    "sparsities",
]

Values = dict[str, float]

#: A sparsity that changes by less than this does not depend on the parameter.
_MET = 1e-12
#: Of pre-activations, in standard deviations.
_ALL_SCALES = np.geomspace(1e-3, 1e3, 400)


@dataclass(frozen=True)
class Margins:
    """How far a design for a width and depth is from losing what it keeps: by the law of (K, ln G), and by networks.

    Attributes: shares of networks that lose `signal`, `gradient` and `either`; `mean` and `sd` of ln G; `interval` of
    the share that loses either (Wilson, 95 %), by the networks that confirmed the design; `m_range`, the levels around
    the one chosen at which at most half of the risk is lost, up to ∞ where no clip is needed.
    """

    signal: float
    gradient: float
    either: float
    mean: float
    sd: float
    interval: tuple[float, float]
    m_range: tuple[float, float]

    def record(self) -> Record:
        """By the keys of a verdict."""
        return {
            "signal_lost": self.signal,
            "gradient_lost": self.gradient,
            "share_lost": self.either,
            "share_interval": list(self.interval),
            "log_gain_mean": self.mean,
            "log_gain_sd": self.sd,
            "m_range": list(self.m_range),
        }


@dataclass(frozen=True, repr=False)
class Design(Shown):
    """An activation as asked for, with its initialisation.

    Attributes: `values` of the parameters that were open; `activation`, the member of the family; `edge`, its edge of
    chaos at q*, or beside it; `networks`, the random networks that it was designed for, if it was for a width and
    depth, and its `margins` there; `asked`, the conditions that it meets.
    """

    values: Mapping[str, float]
    activation: NamedActivation
    edge: EdgeOfChaos
    networks: Escapes | None = None
    asked: tuple[Condition, ...] = ()
    margins: Margins | None = None

    paper = ("activation", "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime")

    def record(self) -> Record:
        """The activation's name, the parameters found, its edge of chaos and basin; the networks if there are."""
        edge = self.edge
        return {
            "activation": self.activation.label,
            **self.values,
            "q_star": edge.q_star,
            "sigma_w": edge.sigma_w,
            "sigma_b": edge.sigma_b,
            "sparsity": edge.sparsity,
            "chi_1": edge.chi_1,
            "V_prime": edge.V_prime,
            "V_double_prime": edge.V_double_prime,
            "q_V_double_prime": self.q_V_double_prime,
            "q_chi_1_prime": self.q_chi_1_prime,
            **self.beside_the_edge,
            **(self.networks.record() if self.networks else {}),
            **(self.margins.record() if self.margins else {}),
            "basin": list(self.basin),
        }

    @property
    def beside_the_edge(self) -> Record:
        """What was asked for and the edge of chaos does not hold, as it is."""
        phi, q = self.activation.phi, self.edge.q_star
        found = {asked.name: asked.of(phi, q) for asked in self.asked}
        return {name: value for name, value in found.items() if name not in ("sparsity", "V_prime")}

    @property
    def q_V_double_prime(self) -> float:
        """q*V''(q*), which a change of units leaves as it is, unlike V''(q*)."""
        return self.edge.q_star * self.edge.V_double_prime

    @property
    def q_chi_1_prime(self) -> float:
        """q*χ₁'(q*), likewise."""
        return self.edge.q_star * self.edge.mean_field.dchi1(self.edge.q_star)

    @cached_property
    def basin(self) -> tuple[float, float]:
        """The interval of variances that tend to q*."""
        point = operating_point_of(self.edge)
        assert point.fixed_point is not None
        return basin(point.fixed_points, point.fixed_point)

    @property
    def relative_values(self) -> dict[str, float]:
        """The parameters that were open over √q*, their values in units in which q* = 1."""
        return {name: value / math.sqrt(self.edge.q_star) for name, value in self.values.items()}

    @property
    def relative_sigma_b(self) -> float:
        """σ_b/√q*, likewise."""
        return self.edge.sigma_b / math.sqrt(self.edge.q_star)

    @property
    def relative_basin(self) -> tuple[float, float]:
        """The basin over q*, likewise."""
        low, high = self.basin
        return low / self.edge.q_star, high / self.edge.q_star


def designs(
    family: Family,
    *,
    sparsity: float | None = None,
    near_zero_share: float | None = None,
    slope: float | None = None,
    curvature: float | None = None,
    below: float = BELOW,
    q_star: float = 1.0,
    chi_1: float = 1.0,
) -> list[Design]:
    """Every member of the family that has what is asked for at q* on its edge of chaos, or with another gain χ₁ there.

    As many conditions are given as parameters are open. The first open parameter meets the sparsity where there is one;
    else two parameters meet two conditions together.

    Args:
        family: the activations.
        sparsity: P(φ = 0).
        near_zero_share: P(|φ| ≤ `below`·rms φ), for a smooth φ, which is exactly 0 nowhere.
        slope: V'(q*).
        curvature: R''(1), for a φ without kinks.
        below: what is nearly zero, in units of rms φ.
        q_star: q*.
        chi_1: χ₁(q*), at which slope and curvature are asked for.

    Raises:
        NoDesign: there is none; the message gives the range that the family reaches.
        DomainError: a number is out of range, or the conditions are not as many as open parameters.
    """
    require_a(Family, "family", family)
    require_signal(q_star)
    require_gain(chi_1)
    given = {"sparsity": sparsity, "near_zero_share": near_zero_share, "V_prime": slope, "R_double_prime": curvature}
    conditions = [Condition(name, value, below, chi_1) for name, value in given.items() if value is not None]
    _require_as_many(family, [condition.name for condition in conditions])
    solutions = _solutions(family, conditions, q_star)
    results, refusals = [], []
    for values in solutions:
        member = family.member(values)
        try:
            results.append(Design(values, member, edge_of_chaos(member.phi, q_star, chi_1), asked=tuple(conditions)))
        except (NoEdgeOfChaos, ActivationError) as refusal:
            refusals.append(f"{member.label}: {refusal}")
    if not results:
        raise NoDesign(*refusals)
    return ShownList(results)


def _solutions(family: Family, conditions: list[Condition], q_star: float) -> list[Values]:
    last, name = conditions[-1], family.open[-1]
    if len(conditions) == 2 and conditions[0].name != "sparsity":
        return together(family, conditions[0], last, q_star)
    solutions: list[Values] = []
    chosen_values = branches(family, conditions[0].value if len(conditions) == 2 else None, q_star)
    for chosen in chosen_values:
        found = _crossings(family, name, tuple(chosen.items()), last, q_star)
        solutions += [{**chosen, name: root} for root in found.roots]
    if not solutions:
        raise _no_roots(family, found, last, name, chosen, q_star)
    return solutions


def _crossings(
    family: Family, name: str, others: tuple[tuple[str, float], ...], condition: Condition, q_star: float
) -> Crossings:
    unit = condition.unit
    found = crossings(
        lambda value: measured(family, (*others, (name, value)), condition, q_star) / unit,
        condition.value / unit,
        math.sqrt(q_star),
    )
    return replace(found, low=found.low * unit, high=found.high * unit)


def require_conditions(family: Family, sparsity: float | None, q_star: float, chi_1: float) -> None:
    """Of a design for a width and depth."""
    require_signal(q_star)
    require_gain(chi_1)
    if sparsity is not None:
        require_share("sparsity", sparsity, "a share of zeros")
    if (sparsity is not None) + 1 != len(family.open):
        _require_as_many(family, ["sparsity"] * (sparsity is not None) + ["a width and depth"])


def _require_as_many(family: Family, conditions: list[str]) -> None:
    if len(conditions) == len(family.open):
        return
    if len(family.open) == 2:
        first, last = family.open
        raise DomainError(
            f"{first} and {last} are open: give a sparsity, which sets {first}, and a slope, a curvature or a width "
            f"and depth, which sets {last}; or two of a share near 0, a slope and a curvature, which set both"
        )
    raise DomainError(
        f"{family.open[0]} alone is open: it can meet a sparsity, or a share near 0, or a slope, or a curvature, or a "
        "width and depth; give one of them"
    )


def branches(family: Family, sparsity: float | None, q_star: float) -> list[Values]:
    """The values of the first open parameter that meet the sparsity; one empty choice where there is none to make."""
    if len(family.open) == 1:
        return [{}]
    assert sparsity is not None
    first, last = family.open
    scale = math.sqrt(q_star)
    roots = sparse_values(family, first, ((last, scale),), sparsity, q_star)
    for factor in (0.1, 0.5, 2.0, 10.0):
        share = measured(family, ((first, roots[0]), (last, factor * scale)), Condition("sparsity", sparsity), q_star)
        if abs(share - sparsity) > _MET:
            raise ActivationError(
                f"the sparsity of {family.spec} changes with {last} as well as {first}: give one of them a value and "
                "solve for the other"
            )
    return [{first: root} for root in roots]


@lru_cache(maxsize=1024)
def sparse_values(
    family: Family, name: str, others: tuple[tuple[str, float], ...], sparsity: float, q_star: float
) -> tuple[float, ...]:
    """Every value ≥ 0 of one parameter at which P(φ = 0) at q* is `sparsity`; `others` are values of other open ones.

    Raises:
        NoDesign: there is none.
    """
    condition = Condition("sparsity", sparsity)
    found = _crossings(family, name, others, condition, q_star)
    if not found.roots:
        raise _no_roots(family, found, condition, name, dict(others), q_star)
    return found.roots


def sparsities(family: Family, q_star: float) -> tuple[float, float]:
    """The least and the largest sparsity at q* that the first of two open parameters brings about.

    Raises:
        NoDesign: every value brings about the same.
    """
    (name, last), scale = family.open, math.sqrt(q_star)
    condition = Condition("sparsity", 0.5)
    found = _crossings(family, name, ((last, scale),), condition, q_star)
    if not found.high - found.low > _MET:
        raise _no_roots(family, found, condition, name, {last: scale}, q_star)
    return found.low, found.high


def are_lengths(family: Family, values: Mapping[str, float], q_star: float) -> bool:
    """Whether the open parameters are lengths in x, and the only ones: c times as large they make φ(cx) = cφ(x).

    Then a change of q* at fixed values is one of the values at fixed q*.
    """
    scale = math.sqrt(q_star)
    x = scale * np.concatenate([-_ALL_SCALES, _ALL_SCALES])
    # 0 times c is no test of c.
    once, twice = (family.member({name: c * (value or scale) for name, value in values.items()}).phi for c in (1, 2))
    return bool(np.allclose(twice(2 * x), 2 * once(x), rtol=1e-9, atol=1e-12 * scale))


def _no_roots(
    family: Family, found: Crossings, condition: Condition, name: str, others: Values, q_star: float
) -> NoDesign:
    """What to say of a condition without solutions: what is in reach."""
    told, value = condition.told, condition.value
    beside = [((name, factor * math.sqrt(q_star)), *others.items()) for factor in (0.5, 2.0)]
    if any(math.isinf(measured(family, values, condition, q_star)) for values in beside):
        return NoDesign(f"{told} is ∞, for the activation has kinks whatever {name}: ask for another condition")
    if math.isnan(found.low):
        # Where the activation itself is at fault, that is what there is to say.
        family.member({name: math.sqrt(q_star), **others})
        return NoDesign(f"no {name} gives {told} a value: the activation has jumps, or no slope in reach of q*")
    if found.flat:
        low, high = found.flat[0]
        return NoDesign(f"{told} is {value:g} for every {name} from {low:g} to {high:g}: none is singled out")
    if condition.name == "sparsity" and found.high == 0:
        return NoDesign(
            f"{told} is 0 whatever {name}, for the activation is exactly 0 nowhere: ask for a share near 0, V'(q*) or "
            "R''(1)"
        )
    if found.high - found.low <= _MET:
        return NoDesign(f"{told} is {found.low:g} whatever {name}: ask for another condition")
    return NoDesign(
        f"no {name} makes {told} {value:g}: over {name} >= 0 it reaches from {found.low:.6g} to {found.high:.6g}"
    )
