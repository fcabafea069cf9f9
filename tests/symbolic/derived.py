"""Derivations to test with, each derived once in a process, and a point to evaluate them at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sympy
from sympy import Rational

from meanfield.activations.catalogue import STRAIGHT
from meanfield.symbolic import Derivation, derive

#: Another activation's formula with other letters or numbers, or steps that numbers put in place.
_NOT_ITS_OWN = {
    "prelu",
    "rrelu",
    "thresholded-relu",
    "keras-relu",
    "sparse-sigmoid",
    "round",
    "floor",
    "ceil",
    "quantize",
}

NAMES = [entry.signature for entry in STRAIGHT if entry.name not in _NOT_ITS_OWN]

#: Expressions of several kinds and what they assume, the long ones first.
EXPRESSIONS = {
    "four symbols": ("clip(x, a, b) + c*max(x - d, 0)", ["a < b", "b < d"]),
    "two lines": ("where(x < 0, a_1*x + b_1, a_2*x + b_2)", []),
    "slopes and jumps": ("5*where(x < m, 2*(x - m), m*(x - m) + d)", []),
    "no sign known": ("max(x - a + b, 0)", []),
    "a sum below the line": ("clip(x, -a, b) + c*abs(x - 1/2)", ["b > 1/2"]),
    "three thresholds": ("clip(x, a, c) + clip(x, -b, c)/2", ["a < b < c"]),
    "symbols and jumps": ("where(x > tau, m*x, 0) + step(x + m) - 1/3", []),
    "a knot at 0": ("max(x, 0) + max(x - tau, 0) - step(x)", []),
    "no zero piece": ("max(x, tau - x) + m", []),
}
SPECS = {**{name: (name, []) for name in NAMES}, **EXPRESSIONS}

#: A point with short decimals, away from any special place, where everything assumed above holds.
POINT = {"q": "13/10", "q_star": "13/10", "sigma_w": "11/10", "sigma_b": "2/5", "rho": "7/20", "tau": "7/10"}
POINT |= {
    "m": "6/5",
    "slope": "-3/10",
    "threshold": "1/5",
    "value": "-1/4",
    "a": "3/10",
    "b": "4/5",
    "c": "17/10",
    "d": "21/10",
}
POINT |= {"a_1": "1/5", "b_1": "1/2", "a_2": "7/5", "b_2": "9/10"}
VALUES = {name: float(Rational(value)) for name, value in POINT.items()}


@cache
def derived(key: str, notation: str = "Phi") -> Derivation:
    """Every formula of an activation."""
    spec, assume = SPECS[key]
    return derive(spec, "all", assume=assume, notation=notation)  # type: ignore[arg-type]


def at(expression: sympy.Expr, **values: object) -> sympy.Expr:
    """The expression at POINT, or where it is told otherwise, to 30 digits."""
    numbers = {name: Rational(value) for name, value in {**POINT, **values}.items()}
    return expression.subs({s: numbers[s.name] for s in expression.free_symbols}).evalf(30)


def parameters_of(derivation: Derivation) -> Mapping[str, float]:
    """The activation's parameters at POINT."""
    return {name: VALUES[name] for name in derivation.activation.parameters.symbols}
