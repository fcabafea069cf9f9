"""What can be derived: names, heads of formulas, arguments and meanings. Loads nothing, for the command line's sake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meanfield.errors import DomainError

__all__ = ["QUANTITIES", "Quantity", "chosen"]


@dataclass(frozen=True)
class Quantity:
    """A quantity that has a formula.

    Attributes:
        name: what it is asked for by.
        symbol, latex: the left-hand side of its formula.
        arguments: what it depends on besides the activation's parameters, in order.
        meaning: in words.
        continuous: whether it exists only for an activation without jumps, on its edge of chaos.
    """

    name: str
    symbol: str
    latex: str
    arguments: tuple[str, ...]
    meaning: str
    continuous: bool = False


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("V", "V(q)", "V(q)", ("q", "sigma_w", "sigma_b"), "variance map, the variance one layer on"),
        Quantity("dV", "V'(q)", "V'(q)", ("q", "sigma_w"), "slope of the variance map"),
        Quantity("d2V", "V''(q)", "V''(q)", ("q", "sigma_w"), "curvature of the variance map"),
        Quantity("chi1", "χ₁(q)", r"\chi_1(q)", ("q", "sigma_w"), "gain of a squared gradient per layer"),
        Quantity("sparsity", "P(φ = 0)", r"P(\phi = 0)", ("q",), "fraction of activations exactly 0"),
        Quantity("mean", "E φ", r"\mathbb{E}\,\phi", ("q",), "mean of an activation"),
        Quantity("fourth", "E φ⁴", r"\mathbb{E}\,\phi^4", ("q",), "fourth moment of an activation"),
        Quantity(
            "sigma_w2",
            "σ_w²",
            r"\sigma_w^2",
            ("q_star",),
            "N times the variance of a weight, on the edge of chaos",
            continuous=True,
        ),
        Quantity(
            "sigma_b2", "σ_b²", r"\sigma_b^2", ("q_star",), "variance of a bias, on the edge of chaos", continuous=True
        ),
        Quantity(
            "dV_eoc",
            "V'(q*)",
            "V'(q^*)",
            ("q_star",),
            "slope of the variance map on the edge of chaos",
            continuous=True,
        ),
        Quantity(
            "d2V_eoc",
            "V''(q*)",
            "V''(q^*)",
            ("q_star",),
            "curvature of the variance map on the edge of chaos",
            continuous=True,
        ),
        Quantity(
            "R", "R(ρ)", r"R(\rho)", ("rho", "q", "sigma_w", "sigma_b"), "correlation map, the correlation one layer on"
        ),
        Quantity("dR", "R'(ρ)", r"R'(\rho)", ("rho", "q", "sigma_w", "sigma_b"), "slope of the correlation map"),
        Quantity("d2R", "R''(ρ)", r"R''(\rho)", ("rho", "q", "sigma_w", "sigma_b"), "curvature of the correlation map"),
        Quantity(
            "kappa",
            "κ(q)",
            r"\kappa(q)",
            ("q", "sigma_w", "sigma_b"),
            "how fast nearly equal inputs converge on the edge of chaos",
            continuous=True,
        ),
    )
}


def chosen(names: Sequence[str]) -> list[Quantity]:
    """The quantities of those names, each once; "all" is every one.

    Raises:
        DomainError: a name that none has.
    """
    for name in names:
        if name != "all" and name not in QUANTITIES:
            raise DomainError(f"{name!a} has no formula: give one of {', '.join(QUANTITIES)}, or all")
    if "all" in names:
        return list(QUANTITIES.values())
    return [QUANTITIES[name] for name in dict.fromkeys(names)]
