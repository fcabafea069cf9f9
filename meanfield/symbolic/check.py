"""Formulas against the numeric core: at random points, to ten digits, before anyone sees them.

The core gets the formula of φ with numbers put in and reads it afresh, so that what is compared shares neither the
order of the knots nor the integrals (an activation that comes as numbers has no formula to read). Where double
precision loses digits in a formula of Φ and ϕ (a rare or narrow active region), the formula is evaluated again in
eighty digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import NDArray
from sympy import Expr, Symbol, lambdify

from meanfield.activations.activation import Activation
from meanfield.errors import ActivationError, DerivationError
from meanfield.infinite_width import moments
from meanfield.infinite_width.edge import slope_on_edge
from meanfield.infinite_width.mean_field import MeanField
from meanfield.symbolic.code import python
from meanfield.symbolic.formula import Formula
from meanfield.symbolic.functions import bivariate_cdf
from meanfield.symbolic.reading import StraightActivation, SymbolicActivation

__all__ = ["POINTS", "TOLERANCE", "check"]

Array = NDArray[np.float64]

#: At how many random points each formula is compared.
POINTS = 50

#: At how many of them where the core has no closed form, and where the formula has none.
SMOOTH_POINTS, INTEGRAL_POINTS = 12, 4

#: On which lengths a φ that is not straight is looked at: where exp(q) is a number.
_SHORTEST, _LONGEST = 0.2, 4.0

#: The largest difference allowed, relative to the value or to what it is a difference of.
TOLERANCE = 1e-10

#: The core has its knots as doubles, and a piece their difference: two or three roundings.
_KNOT_ROUNDING = 8 * np.finfo(float).eps

#: Enough for pieces of a width 1e-20 of where they lie.
_DIGITS = 80


@dataclass(frozen=True)
class _Point:
    """A network, a variance and a correlation; `values` are all of them and the parameters by name, exact."""

    network: MeanField
    q: float
    rho: float
    values: dict[str, Fraction]

    @property
    def phi(self) -> Activation:
        return self.network.activation

    @cached_property
    def square(self) -> float:
        """E φ²."""
        return float(moments.second_moment(self.phi, self.q))

    @cached_property
    def scale(self) -> float:
        """σ_w² E φ²."""
        return self.network.sigma_w**2 * self.square

    @cached_property
    def edge(self) -> float:
        """σ_w² on the edge of chaos."""
        return 1 / float(moments.slope_moment(self.phi, self.q, 2))

    def at(self, on_edge: bool) -> dict[str, Fraction]:
        """The value of every symbol; on the edge of chaos σ_w is not free, and as good as the core's square of it."""
        values = {**self.values, "q_star": self.values["q"]}
        return {**values, "sigma_w": Fraction(math.sqrt(self.edge))} if on_edge else values


#: The value that the core gives, and the size of which the error may be a 1e-10: (value, at least).
_CORE: dict[str, Callable[[_Point], tuple[object, float]]] = {
    "V": lambda p: (p.network.V(p.q), 0.0),
    "dV": lambda p: (p.network.dV(p.q), p.scale / p.q),
    "d2V": lambda p: (p.network.d2V(p.q), p.scale / p.q**2),
    "chi1": lambda p: (p.network.chi1(p.q), 0.0),
    "sparsity": lambda p: (p.network.sparsity(p.q), 0.0),
    "mean": lambda p: (moments.mean(p.phi, p.q), math.sqrt(p.square)),
    "fourth": lambda p: (moments.fourth_moment(p.phi, p.q), 0.0),
    "sigma_w2": lambda p: (p.edge, 0.0),
    "sigma_b2": lambda p: (p.q - p.edge * p.square, p.q),
    "dV_eoc": lambda p: (slope_on_edge(p.phi, p.q), 1.0),
    "d2V_eoc": lambda p: (p.edge * float(moments.second_moment_d2(p.phi, p.q)), p.edge * p.square / p.q**2),
    "R": lambda p: (p.network.R(p.rho, p.q), 1.0),
    "dR": lambda p: (p.network.dR(p.rho, p.q), 1.0),
    "d2R": lambda p: (p.network.d2R(p.rho, p.q), 1.0),
    "kappa": lambda p: (p.network.kappa(p.q), 0.0),
}


def check(activation: SymbolicActivation, formulas: Collection[Formula]) -> None:
    """Compare formulas, and what σ_w² on the edge of chaos is in them, with the numeric core.

    Raises:
        DerivationError: one of them differs.
    """
    points = _points(activation)
    for formula in formulas:
        if formula.is_integral:
            few = INTEGRAL_POINTS // 2 if "rho" in formula.arguments else INTEGRAL_POINTS
            _compare_program(activation, formula, points[:few])
        else:
            _compare(activation.label, formula.quantity.name, formula.expression, points, formula.edge is not None)
    for edge in {formula.edge for formula in formulas if not formula.is_integral} - {None}:
        _compare(activation.label, "sigma_w2", edge, points)


def _compare_program(activation: SymbolicActivation, formula: Formula, points: Sequence[_Point]) -> None:
    """Compare what the program of an integral computes with the core."""
    name = formula.quantity.name
    namespace: dict[str, Any] = {}
    exec(python(activation, [formula]), namespace)
    for point in points:
        values = point.at(on_edge=False)
        value, least = _CORE[name](point)
        expected = float(value)  # type: ignore[arg-type]
        found = float(namespace[name](*(float(values[argument]) for argument in formula.arguments)))
        size = max(abs(expected), least)
        if not (abs(found - expected) <= TOLERANCE * size or found == expected):
            raise _fault(activation.label, name, found, expected, point)


def _fault(label: str, name: str, found: float, expected: float, point: _Point) -> DerivationError:
    told = ", ".join(f"{name} = {float(value):.6g}" for name, value in point.values.items())
    return DerivationError(
        f"{label}: the formula of {name} gives {found:.12g} where the numbers say {expected:.12g}, at {told}; this is "
        "a fault in meanfield, please report it"
    )


def _compare(label: str, name: str, expression: Expr, points: Sequence[_Point], on_edge: bool = False) -> None:
    """Compare the formula of a quantity with the core at points, moved onto the edge of chaos if so wanted."""
    core = [_CORE[name](point) for point in points]
    expected = np.array([float(value) for value, _ in core])  # type: ignore[arg-type]
    sizes = np.maximum(np.abs(expected), [least for _, least in core])
    allowed = np.array([_tolerance(point) for point in points]) * sizes
    values = [point.at(on_edge) for point in points]
    found = _in_doubles(expression, values)
    doubtful = np.flatnonzero(~_close(found, expected, allowed))
    if not doubtful.size:
        return
    exact = np.array(_in_digits(expression, [values[i] for i in doubtful]))
    wrong = np.flatnonzero(~_close(exact, expected[doubtful], allowed[doubtful]))
    if wrong.size:
        first = doubtful[wrong[0]]
        raise _fault(label, name, exact[wrong[0]], expected[first], points[first])


def _tolerance(point: _Point) -> float:
    """1e-10, or what the rounding of the knots alone does to the width of the narrowest piece."""
    breaks = np.array(point.phi.breaks)
    if len(breaks) < 2:
        return TOLERANCE
    return max(TOLERANCE, float(_KNOT_ROUNDING * np.abs(breaks).max() / np.diff(breaks).min()))


def _close(found: Array, expected: Array, allowed: Array) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        close: NDArray[np.bool_] = (np.abs(found - expected) <= allowed) | (found == expected)
    return close


def _points(activation: SymbolicActivation) -> list[_Point]:
    random = np.random.default_rng(0)
    points = []
    straight = isinstance(activation, StraightActivation)
    for parameters in activation.parameters.points(POINTS if straight else SMOOTH_POINTS, random):
        phi = activation.at(parameters)
        if straight and len(phi.breaks) != len(activation.knots):
            raise ActivationError(
                f"{activation.label} has pieces narrower than a double resolves, so that no formula can be checked: "
                "make them wider, or leave their width as a symbol"
            )
        sizes = phi.scales or (1.0,)
        # √q between a third of a knot, or of the least length on which φ varies, and three times it.
        size = random.choice(sizes) if straight else min(max(sizes[0], _SHORTEST), _LONGEST)
        q = float(size) ** 2 * 10 ** random.uniform(-1, 1)
        weights = random.uniform(0.5, 2), random.uniform(0, 2) * math.sqrt(float(moments.second_moment(phi, q)))
        rho = random.uniform(-0.98, 0.98)
        numbers = {"q": q, "sigma_w": weights[0], "sigma_b": weights[1], "rho": rho}
        values = {**parameters, **{name: Fraction(value) for name, value in numbers.items()}}
        points.append(_Point(MeanField(phi, *weights), q, rho, values))
    return points


def _in_doubles(expression: Expr, values: list[dict[str, Fraction]]) -> Array:
    names, function = _function(expression, ["scipy", "numpy"])
    columns = [np.array([float(row[name]) for row in values]) for name in names]
    try:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(function(*columns), dtype=float), (len(values),))
    except (OverflowError, ZeroDivisionError):
        # A number in the formula is no double.
        return np.full(len(values), np.nan)


def _in_digits(expression: Expr, values: list[dict[str, Fraction]]) -> list[float]:
    names, function = _function(expression, [_IN_DIGITS, "mpmath"])
    with mp.workdps(_DIGITS):
        rows = [[mp.mpf(row[name].numerator) / row[name].denominator for name in names] for row in values]
        return [float(function(*row)) for row in rows]


def _function(expression: Expr, modules: list[object]) -> tuple[list[str], Callable[..., Any]]:
    """The names of the symbols in an expression, and it as a function of them; a parameter may be called exp."""
    symbols = sorted(expression.free_symbols, key=str)
    plain = [Symbol(f"x_{i}", positive=True) for i in range(len(symbols))]
    renamed = expression.xreplace(dict(zip(symbols, plain, strict=True)))
    return [symbol.name for symbol in symbols], lambdify(plain, renamed, modules)


#: What stands for the functions of formulas in more digits than a double has.
_IN_DIGITS = {"Phi": mp.ncdf, "phi": mp.npdf, "Phi2": bivariate_cdf}
