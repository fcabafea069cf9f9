"""Expressions that are not piecewise linear: where they break, to the last digit, and why some are no activation."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from mpmath import mp, mpf

from meanfield.activations.expression import parse_exactly, parse_expression
from meanfield.activations.records import from_record
from meanfield.activations.smooth import Smooth
from meanfield.activations.spec import activation, formula_of
from meanfield.errors import ActivationError, ExpressionError


def breaks(text: str, **parameters: float) -> tuple[float, ...]:
    return activation(text, **parameters).breaks


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("max(exp(x) - 1, 0)", [0]),
        ("where(x > 0, x, exp(x) - 1)", [0]),
        ("min(x**2, 1)", [-1, 1]),
        ("relu(x)**2", [0]),
        ("x*relu(x + 3)/6", [-3]),
        ("x*clip(x + 3, 0, 6)/6", [-3, 3]),
        ("abs(tanh(x - 5))", [5]),
        ("abs(tanh(x/3 - 1))", [3]),
        ("relu(tanh(a*x - b))", [4]),
        ("max(x**3 - x, 0)", [-1, 0, 1]),
        ("min(abs(x)**1.5, 8)", [-4, 0, 4]),
        ("step(x**2 - 1/9)*cos(x)", [-1 / 3, 1 / 3]),
        ("where(exp(x) > 1, cos(x), x**2)", [0]),
        ("where(abs(x**2 - 5) < 4, x**3, 0)", [-3, -1, 1, 3]),
        ("max(x, sin(x))", [0]),
        ("where(x > 1/3 and sinh(x - 1/3) > 0, x**2, 0)", [1 / 3]),
        ("max((x - 1)**2*(x + 2), 0)", [-2]),
        ("max(x**4 - 4*x**2 + 4, 0)", []),
        ("max(exp(x), 0)", []),
        ("max(x*sigmoid(x), x)", [0]),
        ("relu(1e-9 - abs(x))*tanh(x)", [-1e-9, 0, 1e-9]),
    ],
)
def test_breaks_that_are_rational_are_exact(text: str, exact: list[float]) -> None:
    parameters = {"a": 0.1, "b": 0.4} if "a*x" in text else {}
    assert breaks(text, **parameters) == tuple(exact)


@pytest.mark.parametrize(
    ("text", "difference", "near"),
    [
        ("max(tanh(x), x/2)", lambda x: mp.tanh(x) - x / 2, [-1.9, 0, 1.9]),
        ("min(x**2, 2)", lambda x: x * x - 2, [-1.4, 1.4]),
        ("min(exp(x), 2)", lambda x: mp.exp(x) - 2, [0.7]),
        ("max(x**3 - 2*x - 5, 0)", lambda x: x**3 - 2 * x - 5, [2.1]),
        ("max(sin(x), x/10)", lambda x: mp.sin(x) - x / 10, [-8.4, -7.1, -2.9, 0, 2.9, 7.1, 8.4]),
        ("relu(exp(-10000*(x - 50)**2) - 1/2)", lambda x: 10000 * (x - 50) ** 2 - mp.log(2), [49.992, 50.008]),
        ("step(tanh(1e9*x) - 0.5)*x**2", lambda x: 10**9 * x - mp.atanh(0.5), [5.5e-10]),
        ("abs(x*Phi(x) + 0.1)", lambda x: x * mp.ncdf(x) + mpf("0.1"), [-1.5, -0.25]),
        ("max(log1p(x**2), 30)", lambda x: mp.log(1 + x * x) - 30, [-3.3e6, 3.3e6]),
        ("min(exp(x), 1e200)", lambda x: x - 200 * mp.log(10), [460]),
        pytest.param(
            "abs(atan(x) - 1.57)",
            lambda x: mp.atan(x) - mpf("1.57"),
            [1256],
            marks=pytest.mark.skipif(np.__version__ < "2", reason="its arctan is off in the last digit there"),
        ),
        ("max(tanh(x), tanh(2*x - 1))", lambda x: mp.tanh(x) - mp.tanh(2 * x - 1), [1]),
        ("abs(sin(clip(x, -7, 7)))", mp.sin, [-7, -6.28, -3.14, 0, 3.14, 6.28, 7]),
        ("relu(2*x**2 - 1e-30)", lambda x: 2 * x * x - mpf(10) ** -30, [-7.1e-16, 7.1e-16]),
    ],
)
def test_breaks_are_where_functions_cross_to_the_last_digit(text, difference, near) -> None:
    found = breaks(text)
    assert len(found) == len(near)
    with mp.workdps(60):
        for t, guess in zip(found, near, strict=True):
            exact = mpf(guess) if guess in (0, 1, 7, -7) else mp.findroot(difference, mpf(guess))
            assert abs(mpf(t) - exact) <= mpf("2.3e-16") * abs(exact)
            assert abs(exact - guess) <= 0.06 * abs(guess)


lines = st.tuples(st.integers(-20, 20), st.integers(1, 12)).map(lambda p: f"(x/{p[1]} - {p[0]}/7)")
curved = st.sampled_from(["tanh(u)", "u*sigmoid(u)", "exp(-u**2)", "atan(u)", "u**3/9", "erf(u)", "asinh(u)"])
trees = st.tuples(curved, lines).map(lambda p: p[0].replace("u", p[1]))


@settings(max_examples=20, deadline=None)
@given(trees, trees, st.lists(st.floats(-30, 30), min_size=5, max_size=10))
def test_the_larger_is_the_larger_everywhere(f: str, g: str, points: list[float]) -> None:
    x = np.array(points)
    left, right = activation(f"{f} + 0*x")(x), activation(f"{g} + 0*x")(x)
    for text, expected in ((f"max({f}, {g})", np.maximum(left, right)), (f"abs({f} - {g})", np.abs(left - right))):
        try:
            found = activation(text)(x)
        except ActivationError as fault:
            # Of the same function twice nothing is left.
            assert "zero everywhere" in str(fault)
            continue
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("text", "stable"),
    [
        ("(exp(x)-exp(-x))/(exp(x)+exp(-x))", "tanh(x)"),
        ("(1-exp(-2*x))/(1+exp(-2*x))", "tanh(x)"),
        ("sinh(x)/cosh(x)", "tanh(x)"),
        ("1 - tanh(x)**2", "4*sigmoid(2*x)*sigmoid(-2*x)"),
        ("exp(x)/(1+exp(x))**2", "sigmoid(x)*sigmoid(-x)"),
        ("sigmoid(x)*(1 - sigmoid(x))", "sigmoid(x)*sigmoid(-x)"),
        ("0.5*x*(1 + erf(x/sqrt(2)))", "x*Phi(x)"),
        ("0.5*x*(1 + tanh(x))", "x*sigmoid(2*x)"),
        ("1 - Phi(x)", "Phi(-x)"),
        ("1 - erf(x/sqrt(2))", "2*Phi(-x)"),
        ("1/(3 + 3*exp(-x))", "(1/3)*sigmoid(x)"),
        ("log(1 + exp(x))", "softplus(x)"),
        ("log(exp(x) + exp(-x)) - log(2)", "logcosh(x)"),
        ("sqrt(1 + x**2) - 1", "x**2/(sqrt(x**2 + 1) + 1)"),
        ("x + sqrt(x**2 + 1)", "squareplus(2*x)"),
        ("cos(x) - 1", "-2*sin((1/2)*x)**2"),
        ("exp(x)*exp(-x**2)", "exp(x - x**2)"),
        ("exp(x)**2*x", "exp(2*x)*x"),
        ("1/exp(x)", "exp(-x)"),
        ("2*x + tanh(x) - x - tanh(x) + x**2", "x + x**2"),
    ],
)
def test_naive_forms_are_read_as_stable_ones(text: str, stable: str) -> None:
    phi = activation(text)
    assert isinstance(phi, Smooth)
    assert phi.expression == stable


@pytest.mark.parametrize(
    ("text", "part", "said"),
    [
        ("3 - 1/x", "1/x", "a pole at x = 0: the divisor is 0 there"),
        ("1/(x - 2)", "1/(x - 2)", "a pole at x = 2"),
        ("x + x**-2", "x**-2", "a pole at x = 0"),
        ("2/(x**2 - 2) + x", "2/(x**2 - 2)", r"a pole at x = -1\.41421"),
        ("1/(x*x*x - x)", "1/(x*x*x - x)", "a pole at x = "),
        ("1/(1 - 2*x + x**2)", "1/(1 - 2*x + x**2)", "a pole at x = 1:"),
        ("1/(2 + exp(x) - exp(-x))", "1/(2 + exp(x) - exp(-x))", r"a pole at x = -0\.881374"),
        ("where(x > 0, 1/x, 0)", "1/x", "a pole at x = 0"),
        ("1/sin(x)", "1/sin(x)", "a pole at x = 0"),
        ("1 + sin(x)/x", "sin(x)/x", "0/0 at x = 0"),
        ("tanh(x)/0", "tanh(x)/0", "division by zero"),
        ("x*tan(x)", "tan", "tan has poles, at x = pi/2"),
        ("atanh(x)", "atanh", "values between -1 and 1 alone"),
        ("log(x)", "log(x)", "log has no value at x = -1, where its argument is -1"),
        ("max(log(x), 0)", "log(x)", "log has no value at x = -1"),
        ("1 + log(abs(x))", "log(abs(x))", "log is -inf at x = 0"),
        ("log(1 + x)", "log(1 + x)", "log has no value at x = -2"),
        ("log(0) + tanh(x)", "log(0)", "log of 0 is no number"),
        ("sqrt(x)", "sqrt(x)", "sqrt has no value at x = -1"),
        ("sqrt(1 - x**2)", "sqrt(1 - x**2)", "sqrt has no value at x = -2"),
        ("x**0.5", "x**0.5", r"the power 0\.5 has no value at x = -1"),
        ("where(x > 0, sqrt(x), 0)", "sqrt(x)", "infinitely steep at x = 0.*no mean"),
        ("where(x > 0, x**0.75, 0)", "x**0.75", "infinitely steep at x = 0"),
        ("x**x", "x**x", "exponent varies has no value at x = -1"),
        ("(-8)**(1/3) + tanh(x)", "(-8)**(1/3)", "power of a negative number"),
        ("x**65", "x**65", "no whole number from 0 to 64"),
        ("x + exp(x**2)", "exp(x**2)", r"grows too fast for Gaussian means to exist.*at x = (-?)26"),
        ("exp(x**2/50)", "exp(x**2/50)", "grows too fast"),
        ("exp(x**3)", "exp(x**3)", "grows too fast"),
        ("tanh(x) + exp(exp(x))/9", "exp(exp(x))", r"grows too fast.*at x = 6\.5"),
        ("where(x > 3, exp(x*x), 0)", "exp(x*x)", "grows too fast"),
        ("x*abs(sin(x))", "abs(sin(x))", "no end of breaks, one of them at x = 0: clip x first"),
        ("sign(cos(x) - 0.1)", "sign(cos(x) - 0.1)", "no end of breaks"),
        ("max(x, x + cos(x))", "max(x, x + cos(x))", "no end of breaks"),
        ("round(tanh(x))", "round(tanh(x))", "only what is made of straight pieces is rounded"),
        ("sinh(x)/(1 + cosh(x)**2)", "sinh(x)/(1 + cosh(x)**2)", "no number at x = .*its parts overflow"),
        ("clip(tanh(x), 1, exp(-x**2))", "clip(tanh(x), 1, exp(-x**2))", "swap the bounds"),
        ("1 + glu(x)", "glu", "no function of one number"),
        ("softmax(x)", "softmax", "no function of one number .it mixes"),
        ("1e300*tanh(x)*1e300", "1e300*tanh(x)*1e300", "larger than 1.8e308"),
    ],
)
def test_what_is_no_activation_is_refused_with_the_place(text: str, part: str, said: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_expression(text, {})
    error = refused.value
    assert error.expression[error.column : error.column + error.width] == part
    assert re.search(said, error.reason)


@pytest.mark.parametrize(
    "text",
    [
        "exp(x)",
        "sinh(x)",
        "exp(abs(x)**1.9)",
        "where(x > 0, log(1 + x), 0)",
        "where(x > 2, 1/x, 0)",
        "where(abs(x) > 1, log(abs(x)), 0)",
        "where(x < 0, x, where(x > 1, sqrt(x), x))",
        "x/(1 + abs(x)**3)",
        "abs(x)**1.5",
        "2**x - 1",
        "(1 + x**2)**-0.5",
        "(x**2 + 1)**tanh(x)",
        "exp(x)*sin(x)",
        "1/cosh(x)**2",
        "max(log(1 + x**2), -1)",
        "x**64",
    ],
)
def test_what_is_one_is_finite_where_it_is_not_too_large(text: str) -> None:
    phi = activation(text)
    x = np.concatenate([-(10.0 ** np.linspace(3, -8, 99)), 10.0 ** np.linspace(-8, 3, 99)])
    assert not np.isnan(phi(x)).any()
    assert not np.isnan(phi.slopes_at(phi.marks(x))[np.isfinite(phi(x))]).any()


def test_zero_everywhere_is_no_activation() -> None:
    for text in ("tanh(x) - tanh(x)", "0*exp(x)", "relu(-softplus(x))", "where(x**2 < 0, 1, 0)"):
        with pytest.raises(ActivationError, match="zero everywhere"):
            activation(text)


def test_pi_is_a_number_and_no_parameter() -> None:
    assert activation("sin(pi*x)")(0.5) == 1
    with pytest.raises(ActivationError, match="pi is a number of expressions"):
        parse_expression("pi*x", {"pi": 3.0})


def test_formulas_are_of_straight_pieces_alone() -> None:
    for text, said in (
        ("x + tanh(x)", "tanh is not piecewise linear"),
        ("x*x", "vary with x"),
        ("x**2", "power"),
        ("pi*max(x, 0)", "pi has no exact value"),
    ):
        with pytest.raises(ExpressionError, match=said):
            parse_exactly(text, {})


_names = st.sampled_from("tanh sigmoid exp expm1 sin cos atan asinh erf Phi abs relu step sinh softplus".split())
_leaves = st.sampled_from(["x", "x", "2", "1/3", "-0.1", "10"])


def _grown(u: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(_names, u).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(u, st.sampled_from("+-*/"), u).map(lambda p: f"(({p[0]}) {p[1]} ({p[2]}))"),
        st.tuples(u, st.sampled_from(["2", "3", "-1", "0.5"])).map(lambda p: f"({p[0]})**{p[1]}"),
        st.tuples(u, u).map(lambda p: f"max({p[0]}, {p[1]})"),
        st.tuples(u, u, u).map(lambda p: f"where({p[0]} > {p[1]}, {p[1]}, {p[2]})"),
    )


@settings(max_examples=60, deadline=None)
@given(st.recursive(_leaves, _grown, max_leaves=6))
def test_any_expression_is_refused_in_words_or_read_back_from_its_record(text: str) -> None:
    try:
        phi = activation(text)
    except ActivationError as fault:
        assert str(fault).encode()
        return
    assert from_record(phi.as_record()) == phi
    assert activation(formula_of(phi)) == phi
    x = np.linspace(-4, 4, 50)
    assert not np.isnan(phi(x)).any()
    assert phi.supremum >= np.abs(phi(x)).max() * (1 - 1e-12)
