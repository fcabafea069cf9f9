"""What a reshaped activation φ̂(x) = γ(φ(αx + β) + δ) should do at q = 1, and the γ and δ that do their part of it.

V(1) = 1, and so q* = 1 with σ_w = 1 and σ_b = 0, holds always. R(0), or else R''(1), then fixes γ and δ in closed form,
and two equations are left for α and β. docs/theory.md, section 16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.design.shape_moments import ShapeMoments
from meanfield.domain import require_number
from meanfield.errors import DomainError

__all__ = ["Outer", "Shape"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outer:
    """γ > 0 and δ, arrays, with by how much each of the two equations left misses, in units of 1 on a small scale."""

    gamma: Array
    delta: Array
    misses: tuple[Array, Array]


@dataclass(frozen=True)
class Shape:
    """The conditions on φ̂ at q = 1, σ_w = 1 and σ_b = 0, besides V(1) = 1.

    Args:
        V_prime: V'(1); None where it is left as it comes.
        R_prime: R'(1) = χ₁(1).
        R_zero: R(0), the correlation that two inputs without any have one layer on; None where R''(1) is given.
        R_double_prime: R''(1); None where R(0) is given.

    Raises:
        DomainError: a number out of range, or not one of R(0) and R''(1).
    """

    V_prime: float | None = 1.0
    R_prime: float = 1.0
    R_zero: float | None = 0.0
    R_double_prime: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.asked.items():
            require_number(name, value)
            if not math.isfinite(value):
                raise DomainError(f"{name} = {value:g} cannot be met: give a finite number")
        if (self.R_zero is None) == (self.R_double_prime is None):
            raise DomainError(
                "a shape has one of R(0) and R''(1), which sets δ: give one of them, and None for the other"
            )
        if self.R_zero is not None:
            if not 0 <= self.R_zero < 1:
                raise DomainError(f"R(0) = {self.R_zero:g} is out of range: give 0 <= R(0) < 1")
            if self.R_prime <= 1 - self.R_zero:
                raise DomainError(
                    f"R'(1) = {self.R_prime:.12g} with R(0) = {self.R_zero:g} is that of a straight line, or beyond: "
                    f"give more than {1 - self.R_zero:g}"
                )
        elif self.V_prime is None:
            raise DomainError("with R''(1), V'(1) sets δ: give V'(1) too")
        elif self.R_double_prime is not None and not (self.R_double_prime > 0 and self.R_prime > 0):
            raise DomainError(
                f"R''(1) = {self.R_double_prime:g} with R'(1) = {self.R_prime:g} cannot be met: give numbers > 0"
            )

    @property
    def equations(self) -> tuple[tuple[str, float, float], tuple[str, float, float]]:
        """The two that are left for α and β: what each asks for, its value, and the unit in which it is missed."""
        if self.R_zero is None:
            assert self.R_double_prime is not None
            unit = self.R_double_prime
            return ("R'(1)", self.R_prime, unit), ("R''(1)", unit, unit)
        unit = self.R_prime - (1 - self.R_zero)
        return ("V'(1)", self.V_prime or 0.0, unit), ("R'(1)", self.R_prime, unit)

    @property
    def asked(self) -> dict[str, float]:
        """Every condition by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def outer(self, of: ShapeMoments, sign: int = 1) -> Outer:
        """γ and δ at every point of the moments, E φ̂ of that sign where R(0) leaves it open."""
        if self.R_zero is not None:
            gamma = np.sqrt((1 - self.R_zero) / of.variance)
            mean = sign * math.sqrt(self.R_zero) / gamma
            reached = (of.growth + mean * of.bent) * gamma**2, of.slopes * gamma**2
        else:
            assert self.V_prime is not None and self.R_double_prime is not None
            # V'(1)/R'(1) does not know γ.
            mean = (self.V_prime / self.R_prime * of.slopes - of.growth) / of.bent
            gamma = 1 / np.sqrt(of.variance + mean**2)
            reached = of.slopes * gamma**2, of.bends * gamma**2
        first, second = (
            (value - asked) / unit for value, (_, asked, unit) in zip(reached, self.equations, strict=True)
        )
        if self.V_prime is None:
            first = np.zeros_like(second)
        return Outer(gamma, mean - of.mean, (first, second))
