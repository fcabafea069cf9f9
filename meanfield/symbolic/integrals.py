"""Integrals over the standard normal density, with φ, φ' and φ'' as functions that stand for themselves."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Function, Integral, S, Symbol, oo, sqrt
from sympy.core.function import AppliedUndef

from meanfield.symbolic.formula import SYMBOLS
from meanfield.symbolic.functions import phi

__all__ = ["ACTIVATION", "WEIGHT", "W", "Z", "edges", "expectation", "pair_expectation", "pulled"]

#: The variables of integration.
Z, W = Symbol("z", real=True), Symbol("w", real=True)

#: φ, φ' and φ''.
ACTIVATION = (Function("φ"), Function("φ'"), Function("φ''"))

_rho = SYMBOLS["rho"]
_root = sqrt(1 - _rho**2)

#: d²/dudv of the density of u = z and v = ρz + √(1 − ρ²)w, over it.
WEIGHT: Expr = (Z * W * _root + _rho * (1 - W**2)) / (1 - _rho**2)


def pulled(order: int, q: Expr, z: Expr = Z) -> Expr:
    """φ, φ' or φ'' at √q z."""
    return ACTIVATION[order](sqrt(q) * z)


def expectation(integrand: Expr) -> Expr:
    """E of what stands under the integral, z standard normal."""
    return Integral(integrand * phi(Z), (Z, -oo, oo))


def pair_expectation(order: int, q: Expr, weight: Expr = S.One) -> Expr:
    """E weight·f(√q z)f(√q(ρz + √(1 − ρ²)w)), f being φ or a derivative, z and w independent."""
    second = pulled(order, q, _rho * Z + _root * W)
    return Integral(weight * pulled(order, q) * second * phi(Z) * phi(W), (W, -oo, oo), (Z, -oo, oo))


def edges(integrand: Expr, variable: Symbol, knots: Sequence[Expr], inner: Sequence[Symbol]) -> list[Expr]:
    """The values of a variable at which some φ in an integrand, of no inner variable, is at a knot."""
    applied = sorted((f for f in integrand.atoms(AppliedUndef) if f.func in ACTIVATION), key=str)
    arguments = [f.args[0] for f in applied if f.args[0].has(variable) and not f.args[0].has(*inner)]
    found = [(t - u.subs(variable, 0)) / u.diff(variable) for u in dict.fromkeys(arguments) for t in knots]
    return list(dict.fromkeys(found))
