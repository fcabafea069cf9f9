"""Integrals over the standard normal density, with φ, φ' and φ'' as functions that stand for themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sympy import Expr, Function, Integer, Integral, Symbol, oo, sqrt
from sympy.core.function import AppliedUndef

from meanfield.symbolic.formula import SYMBOLS
from meanfield.symbolic.functions import phi

__all__ = ["ACTIVATION", "W", "Z", "edges_of", "expectation", "pair_expectation", "pulled"]

#: The variables of integration.
Z, W = Symbol("z", real=True), Symbol("w", real=True)

#: φ, φ' and φ''.
ACTIVATION = (Function("φ"), Function("φ'"), Function("φ''"))


def pulled(order: int, q: Expr, z: Expr = Z) -> Expr:
    """φ, φ' or φ'' at √q z."""
    return ACTIVATION[order](sqrt(q) * z)


def expectation(integrand: Expr) -> Expr:
    """E of what stands under the integral, z standard normal."""
    return Integral(integrand * phi(Z), (Z, -oo, oo))


def pair_expectation(order: int, q: Expr, weight: Expr = Integer(1)) -> Expr:
    """E weight·f(√q z)f(√q(ρz + √(1 − ρ²)w)), f being φ or a derivative, z and w independent."""
    rho = SYMBOLS["rho"]
    second = pulled(order, q, rho * Z + sqrt(1 - rho**2) * W)
    return Integral(weight * pulled(order, q) * second * phi(Z) * phi(W), (W, -oo, oo), (Z, -oo, oo))


def edges_of(integrand: Expr, variable: Symbol, knots: Mapping[AppliedUndef, object] | tuple[Expr, ...]) -> list[Expr]:
    """The values of a variable at which some φ in an integrand is at a knot."""
    return list(dict.fromkeys(_edges(integrand, variable, tuple(knots))))


def _edges(integrand: Expr, variable: Symbol, knots: tuple[Expr, ...]) -> Iterator[Expr]:
    applied = sorted((f for f in integrand.atoms(AppliedUndef) if f.func in ACTIVATION), key=str)
    for argument in dict.fromkeys(f.args[0] for f in applied if f.args[0].has(variable)):
        slope, offset = argument.coeff(variable) or argument.diff(variable), argument.subs(variable, 0)
        yield from ((t - offset) / slope for t in knots)
