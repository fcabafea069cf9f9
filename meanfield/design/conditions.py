"""What a member of a family can be asked for on its edge of chaos or beside it: one number at q*, whatever the family.

docs/theory.md, sections 9 and 16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from meanfield.activations.activation import Activation
from meanfield.activations.family import Family
from meanfield.design.near_zero import BELOW, near_zero_share
from meanfield.domain import require_number, require_share
from meanfield.errors import ActivationError, DomainError
from meanfield.infinite_width.edge import slope_on_edge
from meanfield.infinite_width.moments import slope_moment, sparsity, squared_curvature

__all__ = ["Condition", "curvature_on_edge", "measured"]


@dataclass(frozen=True)
class Condition:
    """One quantity and the value it should have.

    Args:
        name: sparsity, near_zero_share, V_prime or R_double_prime.
        value: what it should be.
        below: of near_zero_share, what is nearly zero, in units of rms φ.
        chi_1: of V_prime and R_double_prime, χ₁(q*).

    Raises:
        DomainError: a value that it can never have.
    """

    name: str
    value: float
    below: float = BELOW
    chi_1: float = 1.0

    def __post_init__(self) -> None:
        if self.name == "sparsity":
            require_share("sparsity", self.value, "a share of zeros")
        elif self.name == "near_zero_share":
            require_share("share", self.value, "a share of activations near 0")
        else:
            option = "slope" if self.name == "V_prime" else "curvature"
            require_number(option, self.value)
            if not math.isfinite(self.value):
                raise DomainError(
                    f"{option} = {self.value:g} is no value of {self.told}: give a finite number{_HINT[option]}"
                )
            if option == "curvature" and self.value <= 0:
                raise DomainError(
                    f"curvature = {self.value:g} is no value of R''(1), which is a mean square: give one > 0"
                )

    @property
    def told(self) -> str:
        """What it is called in a sentence."""
        near = f"the share of |φ| up to {self.below:g} rms φ"
        names = {"sparsity": "the sparsity", "near_zero_share": near, "V_prime": "V'(q*)", "R_double_prime": "R''(1)"}
        return names[self.name]

    @property
    def unit(self) -> float:
        """What differences from the value are measured in."""
        return self.value if self.name == "R_double_prime" else 1.0

    def of(self, phi: Activation, q_star: float) -> float:
        """The quantity of one activation at q*, NaN where it has none."""
        try:
            match self.name:
                case "sparsity":
                    return sparsity(phi, q_star)
                case "near_zero_share":
                    return near_zero_share(phi, q_star, self.below)
                case "V_prime":
                    return self.chi_1 * slope_on_edge(phi, q_star) if phi.is_continuous else math.nan
            return self.chi_1 * curvature_on_edge(phi, q_star)
        except ZeroDivisionError:
            return math.nan


_HINT = {"slope": ", below 1 for a stable q*", "curvature": " > 0"}


def curvature_on_edge(phi: Activation, q_star: float) -> float:
    """R''(1) on the edge of chaos, q* E φ''²/E φ'²: ∞ where φ has kinks; needs no σ_w and no σ_b.

    Raises:
        ZeroDivisionError: φ has no slope in reach of q*.
    """
    return q_star * squared_curvature(phi, q_star) / slope_moment(phi, q_star, 2)


@lru_cache(maxsize=8192)
def measured(family: Family, values: tuple[tuple[str, float], ...], condition: Condition, q_star: float) -> float:
    """The quantity of a member of the family; NaN where there is no such member, or it has none."""
    try:
        return condition.of(family.member(dict(values)).phi, q_star)
    except ActivationError:
        # Beyond the range of the parameter, or beyond what can be integrated.
        return math.nan
