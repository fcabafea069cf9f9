"""Analytic functions as trees: values and derivatives against mpmath, stable forms where naive ones overflow."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp, mpf

from meanfield.activations import analytic
from meanfield.activations.analytic import X, call, number, power, product, quotient, summed
from meanfield.activations.primitives import PRIMITIVES

ONE = number(1)
EXACT: dict[str, Callable[[mpf], mpf]] = {
    "tanh": mp.tanh,
    "sigmoid": lambda u: 1 / (1 + mp.exp(-u)),
    "softplus": lambda u: mp.log(1 + mp.exp(u)),
    "logsigmoid": lambda u: -mp.log(1 + mp.exp(-u)),
    "tanhshrink": lambda u: u - mp.tanh(u),
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "atan": mp.atan,
    "asinh": mp.asinh,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "logcosh": lambda u: mp.log(mp.cosh(u)),
    "squareplus": lambda u: (u + mp.sqrt(u * u + 4)) / 2,
    "erf": mp.erf,
    "Phi": lambda u: mp.erfc(-u / mp.sqrt(2)) / 2,
}


def jet(tree: analytic.Tree, x: float) -> list[float]:
    with np.errstate(all="ignore"):
        return [float(number) for number in tree.jet(np.array(x))]


def taylor(f: Callable[[mpf], mpf], x: float) -> list[mpf]:
    """f, f' and f'' at x."""
    # Differences of what is 1 but for exp(−400).
    with mp.workdps(500):
        return [f(mpf(x)), *(mp.diff(f, mpf(x), n) for n in (1, 2))]


POINTS = [-30.0, -3.0, -0.26, -0.24, -1e-5, 1e-7, 0.2, 0.7, 2.5, 20.0]
#: Where a primitive begins.
DOMAINS = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}


@pytest.mark.parametrize(("name", "x"), [(n, x) for n in PRIMITIVES for x in POINTS if x > DOMAINS.get(n, -np.inf)])
def test_primitives_and_their_derivatives_are_right_to_the_last_digits(name: str, x: float) -> None:
    for found, exact in zip(jet(call(name, X), x), taylor(EXACT[name], x), strict=True):
        # exp(−x²) has no more digits than x².
        assert abs(mpf(found) - exact) <= (4e-15 + 2e-16 * x * x) * abs(exact) + mpf("1e-300")


COMPOSED = {
    "mish": (product([X, call("tanh", call("softplus", X))]), lambda x: x * mp.tanh(mp.log1p(mp.exp(x)))),
    "gelu": (product([X, call("Phi", X)]), lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2),
    "a bell": (
        product([summed([X, ONE]), call("exp", product([number(-1), X, X]))]),
        lambda x: (x + 1) * mp.exp(-x * x),
    ),
    "bent identity": (
        summed([X, quotient(summed([call("sqrt", summed([power(X, number(2)), ONE])), number(-1)]), number(2))]),
        lambda x: x + (mp.sqrt(x * x + 1) - 1) / 2,
    ),
    "a quotient": (
        quotient(call("sin", X), summed([power(X, number(4)), number(2)])),
        lambda x: mp.sin(x) / (x**4 + 2),
    ),
    "powers of what has either sign": (
        summed([power(summed([X, number(-2)]), number(3)), power(X, number(4)), power(call("sin", X), number(5))]),
        lambda x: (x - 2) ** 3 + x**4 + mp.sin(x) ** 5,
    ),
    "a root": (
        power(summed([power(X, number(2)), number(3)]), number(Fraction(-2, 3))),
        lambda x: (x * x + 3) ** (mpf(-2) / 3),
    ),
    "a power of its own": (power(summed([power(X, number(2)), ONE]), X), lambda x: (x * x + 1) ** x),
}


@pytest.mark.parametrize("x", [-4.0, -0.3, 0.0, 1e-4, 0.9, 3.0])
@pytest.mark.parametrize("name", COMPOSED)
def test_derivatives_of_what_is_composed_are_exact(name: str, x: float) -> None:
    tree, f = COMPOSED[name]
    size = 1.0
    for found, exact in zip(jet(tree, x), taylor(f, x), strict=True):
        size = max(size, float(abs(exact)))
        assert abs(mpf(found) - exact) <= 2e-14 * size


EXP = call("exp", X)
FALLING = call("exp", product([number(-1), X]))
STABLE = {
    "log(1 + exp(x))": (call("log", summed([ONE, EXP])), "softplus(x)"),
    "log1p(exp(x))": (call("log1p", EXP), "softplus(x)"),
    "1/(1 + exp(-x))": (quotient(ONE, summed([ONE, FALLING])), "sigmoid(x)"),
    "x/(1 + exp(-x))": (quotient(X, summed([FALLING, ONE])), "x*sigmoid(x)"),
    "x*exp(x)/(exp(x) + 1)": (quotient(product([X, EXP]), summed([EXP, ONE])), "x*sigmoid(x)"),
    "exp(x) - 1": (summed([EXP, number(-1)]), "expm1(x)"),
    "x - tanh(x)": (summed([X, product([number(-1), call("tanh", X)])]), "tanhshrink(x)"),
    "tanh(x) - x": (summed([call("tanh", X), product([number(-1), X])]), "-tanhshrink(x)"),
    "log(sigmoid(x))": (call("log", call("sigmoid", X)), "logsigmoid(x)"),
    "log(1 + x*x)": (call("log", summed([ONE, product([X, X])])), "log1p(x*x)"),
}


@pytest.mark.parametrize("naive", STABLE)
def test_naive_forms_become_stable_ones(naive: str) -> None:
    tree, stable = STABLE[naive]
    assert str(tree) == stable
    for x in (-1e3, 1e3) if "expm1" not in stable else (-1e3,):
        assert np.isfinite(jet(tree, x)).all()


@pytest.mark.parametrize(("x", "value", "slope"), [(1e3, 1e3, 1.0), (-1e3, 0.0, 0.0)])
def test_mish_at_a_thousand(x: float, value: float, slope: float) -> None:
    f, d1, d2 = jet(COMPOSED["mish"][0], x)
    assert (f, d1, d2) == (value, slope, 0.0)


def test_numbers_are_exact_and_zeros_vanish() -> None:
    third = number(Fraction(1, 3))
    assert summed([third, X, third, third]) == summed([X, ONE])
    assert product([number(0), call("exp", X)]) == number(0)
    assert summed([X, product([number(-1), X])]) == number(0)
    assert quotient(product([number(3), X]), number(3)) == X
    assert power(number(Fraction(2, 3)), number(-2)) == number(Fraction(9, 4))
    with pytest.raises(ZeroDivisionError):
        quotient(X, number(0))
