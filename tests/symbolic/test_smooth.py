"""Smooth activations: closed forms against integrals in high precision, integrals by the programs that are printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
from mpmath import mp
from symbolic.derived import at
from sympy import Piecewise, asin, cos, exp, pi, sqrt

import meanfield as mf
from meanfield.errors import ActivationError, DerivationError, NoEdgeOfChaos
from meanfield.symbolic import analytic_maps, code, derive, integrals
from meanfield.symbolic.document import document
from meanfield.symbolic.formula import SYMBOLS
from meanfield.symbolic.record import record

q, q_star, sigma_w, sigma_b, rho = SYMBOLS.values()
a, b = sympy.symbols("a b", positive=True)

#: Activations with closed forms, φ in numbers (of symbols.derived.POINT) and where it is not smooth.
CLOSED: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "erf(a*x)": (lambda x: mp.erf(mp.mpf(3) / 10 * x), []),
    "Phi(a*x + b)": (lambda x: mp.ncdf(mp.mpf(3) / 10 * x + mp.mpf(4) / 5), []),
    "sin(a*x + b)": (lambda x: mp.sin(mp.mpf(3) / 10 * x + mp.mpf(4) / 5), []),
    "2*cos(3*x) - 1/2": (lambda x: 2 * mp.cos(3 * x) - mp.mpf(1) / 2, []),
    "b*exp(-a*x**2)": (lambda x: mp.mpf(4) / 5 * mp.exp(-mp.mpf(3) / 10 * x**2), []),
    "exp(a*x)": (lambda x: mp.exp(mp.mpf(3) / 10 * x), []),
    "x*exp(-x**2/2)": (lambda x: x * mp.exp(-(x**2) / 2), []),
    "gelu": (lambda x: x * mp.ncdf(x), []),
    "x*Phi(a*x)": (lambda x: x * mp.ncdf(mp.mpf(3) / 10 * x), []),
    "snake(a)": (lambda x: x + mp.sin(mp.mpf(3) / 10 * x) ** 2 * 10 / 3, []),
    "sinh(a*x)": (lambda x: mp.sinh(mp.mpf(3) / 10 * x), []),
    "x**3": (lambda x: x**3, []),
    "relu2": (lambda x: x**2 if x > 0 else mp.mpf(0), [0]),
    "relu(x)**3": (lambda x: x**3 if x > 0 else mp.mpf(0), [0]),
    "relu(x - tau)**2": (lambda x: (x - mp.mpf(7) / 10) ** 2 if x > mp.mpf(7) / 10 else mp.mpf(0), [0.7]),
    "hard-swish": (lambda x: x * min(max(x / 6 + mp.mpf(1) / 2, 0), 1), [-3, 3]),
    "where(abs(x) < 1, x**3, sign(x))": (lambda x: x**3 if abs(x) < 1 else mp.sign(x), [-1, 1]),
    "elu(a)": (lambda x: x if x > 0 else mp.mpf(3) / 10 * mp.expm1(x), [0]),
}


def expected_mean(f: Callable[[Any], Any], breaks: list[float], variance: Any) -> Any:
    """E f(√q z) to the working precision."""
    s = mp.sqrt(variance)
    edges = sorted({-30, -8, -2, 0, 2, 8, 30, *(t / s for t in map(mp.mpf, map(str, breaks)))})
    return mp.quad(lambda z: f(s * z) * mp.npdf(z), edges)


def expected_covariance(f: Callable[[Any], Any], breaks: list[float], variance: Any, r: Any) -> Any:
    """E f(u)f(v) to twelve digits, by Gauss-Legendre between the breaks of either factor."""
    s, root = mp.sqrt(variance), mp.sqrt(1 - r * r)
    knots = [mp.mpf(str(t)) / s for t in breaks]

    def rule(g: Callable[[Any], Any], inside: list[Any]) -> Any:
        edges = sorted({-9, -4, 0, 4, 9, *(t for t in inside if abs(t) < 9)})
        return mp.quad(g, edges, method="gauss-legendre", maxdegree=3)

    def inner(z: Any) -> Any:
        return rule(lambda w: f(s * (r * z + root * w)) * mp.npdf(w), [(t - r * z) / root for t in knots])

    return rule(lambda z: f(s * z) * mp.npdf(z) * inner(z), knots)


@pytest.mark.parametrize("spec", CLOSED)
def test_closed_forms_are_the_means_that_define_them(spec: str) -> None:
    f, breaks = CLOSED[spec]
    formulas = derive(spec, ["V", "chi1", "mean", "dV"])
    assert not any(formula.is_integral for formula in formulas.formulas.values())
    for variance in ("1/5", "6"):
        with mp.workdps(18):
            v = mp.mpf(sympy.Rational(variance).p) / sympy.Rational(variance).q

            def square(x: Any) -> Any:
                return f(x) ** 2

            w2, b2 = mp.mpf("1.21"), mp.mpf("0.16")
            z2 = expected_mean(lambda x, v=v: (x * x / v - 1) * f(x) ** 2, breaks, v)
            want = {
                "V": w2 * expected_mean(square, breaks, v) + b2,
                "mean": expected_mean(f, breaks, v),
                "dV": w2 * z2 / (2 * v),
            }
            for name, value in want.items():
                found = mp.mpf(str(at(formulas[name], q=variance)))
                assert abs(found - value) <= mp.mpf("1e-13") * (1 + abs(value)), (name, variance)


@pytest.mark.parametrize("spec", ["x*Phi(a*x)", "elu(a)", "hard-swish"])
def test_closed_R_is_the_double_integral_that_defines_it(spec: str) -> None:
    f, breaks = CLOSED[spec]
    formulas = derive(spec, "R")
    assert not formulas.formulas["R"].is_integral
    with mp.workdps(15):
        v, r, w2, b2 = mp.mpf("1.3"), mp.mpf("0.35"), mp.mpf("1.21"), mp.mpf("0.16")
        square = expected_mean(lambda x: f(x) ** 2, breaks, v)
        want = (w2 * expected_covariance(f, breaks, v, r) + b2) / (w2 * square + b2)
        assert abs(mp.mpf(str(at(formulas["R"]))) - want) < mp.mpf("1e-10")


@pytest.mark.parametrize(
    ("spec", "quantity", "textbook"),
    [
        ("erf(a*x)", "V", 2 / pi * asin(2 * a**2 * q / (1 + 2 * a**2 * q))),
        ("sin(x)", "V", (1 - exp(-2 * q)) / 2),
        ("cos(a*x)", "V", (1 + exp(-2 * a**2 * q)) / 2),
        ("exp(-a*x**2)", "V", 1 / sqrt(1 + 4 * a * q)),
        ("relu2", "V", 3 * q**2 / 2),
        ("gelu", "V", q / 4 + q / (2 * pi) * (asin(q / (1 + q)) + 2 * q / ((1 + q) * sqrt(1 + 2 * q)))),
        ("sin(a*x + b)", "chi1", a**2 / 2 * (1 + exp(-2 * a**2 * q) * cos(2 * b))),
        ("erf(a*x)", "chi1", 4 * a**2 / (pi * sqrt(1 + 4 * a**2 * q))),
    ],
)
def test_textbook_forms(spec: str, quantity: str, textbook: sympy.Expr) -> None:
    found = derive(spec, quantity)[quantity]
    biases = sigma_b**2 if quantity == "V" else 0
    assert abs(at(found) - at(sigma_w**2 * textbook + biases)) < 1e-25


def test_erf_has_the_arcsine_law_and_relu2_the_arc_cosine_kernel() -> None:
    """Williams 1998; Cho and Saul 2009, J₂(θ) = 3 sin θ cos θ + (π − θ)(1 + 2 cos² θ), half of it over 2π."""
    erf_R, relu2_R = derive("erf(a*x)", "R")["R"], derive("relu2", "R")["R"]
    s = 2 * a**2 * q
    V = sigma_w**2 * 2 / pi * asin(s / (1 + s)) + sigma_b**2
    assert abs(at(erf_R) - at((sigma_w**2 * 2 / pi * asin(s * rho / (1 + s)) + sigma_b**2) / V)) < 1e-25
    theta = sympy.acos(rho)
    J = 3 * sympy.sin(theta) * rho + (pi - theta) * (1 + 2 * rho**2)
    V = sigma_w**2 * 3 * q**2 / 2 + sigma_b**2
    assert abs(at(relu2_R) - at((sigma_w**2 * q**2 * J / (2 * pi) + sigma_b**2) / V)) < 1e-25


@pytest.mark.parametrize("spec", ["gelu", "elu(a)", "sin(a*x + b)", "hard-swish"])
def test_sympy_differentiates_each_closed_map_into_the_next(spec: str) -> None:
    formulas = derive(spec, ["V", "dV", "d2V", "R", "dR"])
    for first, second, symbol in (("V", "dV", q), ("dV", "d2V", q), ("R", "dR", rho)):
        assert abs(at(formulas[first].diff(symbol)) - at(formulas[second])) < 1e-22, (first, second)


@pytest.mark.parametrize("spec", ["tanh", "x*tanh(log(1+exp(x)))", "where(x < 1/2, tanh(x), x - 1/2 + tanh(1/2))"])
def test_programs_of_integrals_are_the_core(spec: str) -> None:
    names = ["V", "dV", "d2V", "chi1", "mean", "fourth", "sigma_w2", "sigma_b2", "dV_eoc", "d2V_eoc", "R", "dR", "d2R"]
    formulas = derive(spec, names)
    namespace: dict[str, Any] = {}
    text = code.python(formulas.activation, formulas.formulas.values())
    assert "meanfield" not in text and max(map(len, text.splitlines())) <= 120
    exec(compile(text, "generated", "exec"), namespace)
    network = mf.MeanField(mf.activation(spec), 1.1, 0.4)
    assert namespace["V"]([0.3, 5.0], 1.1, 0.4) == pytest.approx(network.V([0.3, 5.0]), rel=1e-12)
    assert namespace["chi1"](2.3, 1.1) == pytest.approx(network.chi1(2.3), rel=1e-12)
    for name in ("R", "dR", "d2R"):
        assert namespace[name](0.35, 1.3, 1.1, 0.4) == pytest.approx(getattr(network, name)(0.35, 1.3), abs=1e-11)
    edge = mf.edge_of_chaos(mf.activation(spec), 1.3)
    assert namespace["sigma_w2"](1.3) == pytest.approx(edge.sigma_w**2, rel=1e-11)
    assert namespace["sigma_b2"](1.3) == pytest.approx(edge.sigma_b**2, rel=1e-10)


def test_an_integral_stands_in_every_notation() -> None:
    formulas = derive("alpha*tanh(x)", ["V", "sigma_w2"])
    assert "  V(q) ={}& \\sigma_w^{2} \\int_{-\\infty}^{\\infty}" in formulas.displays()["V"]
    assert "\\phi(x) ={}& \\alpha \\tanh(x)" in formulas.displays()["V"]
    V, edge = record(formulas)["quantities"]
    assert V["text"] == "σ_w²·∫ φ(√q·z)²·ϕ(z) dz + σ_b²" and not V["closed_form"]
    assert V["where"] == {"φ(x)": "α·tanh(x)"} and edge["where"] == {"φ'(x)": "α·(1 − tanh(x)²)"}
    assert "NIntegrate[alpha^2*Tanh[q^(1/2)*z]^2" in V["mathematica"]
    built: dict[str, Any] = {}
    exec(code.sympy(formulas.formulas.values()), built)
    assert built["V"] == formulas["V"]
    assert "\\int" in document(formulas) and "\\alpha \\tanh(x)" in document(formulas)


def test_a_definition_with_breaks_is_written_by_cases() -> None:
    formulas = derive("where(x < a, tanh(x), x)", "V")
    ((name, value),) = formulas.formulas["V"].definitions.items()
    assert isinstance(value, Piecewise) and str(name) == "φ(x)"
    assert "\\begin{cases} \\tanh(x) & x < a \\\\ x & \\text{else} \\end{cases}" in formulas.displays()["V"]


def test_numbers_place_the_breaks_that_symbols_cannot() -> None:
    assert derive("max(tanh(x), x/2)", "V").formulas["V"].is_integral
    with pytest.raises(ActivationError, match="give every parameter a number"):
        derive("max(tanh(x), a*x)", "V")


def test_a_smooth_jump_has_no_edge() -> None:
    with pytest.raises(NoEdgeOfChaos, match="jumps at x = a"):
        derive("where(x < a, tanh(x), 2)", "dV_eoc")
    assert derive("where(x < a, tanh(x), 2)", "chi1")["chi1"] == sympy.oo


@pytest.mark.parametrize(("part", "quantity"), [("square", "V"), ("slope_square", "chi1"), ("covariance", "R")])
def test_a_wrong_closed_form_is_withheld(monkeypatch: pytest.MonkeyPatch, part: str, quantity: str) -> None:
    right = getattr(analytic_maps.AnalyticMaps, part).func
    wrong = property(lambda self: right(self) * sympy.Rational(1001, 1000))
    monkeypatch.setattr(analytic_maps.AnalyticMaps, part, wrong)
    with pytest.raises(DerivationError, match=f"formula of {quantity} gives .* where the numbers say"):
        derive("erf(a*x)", quantity)


def test_a_wrong_integral_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytic_maps, "expectation", lambda integrand: integrals.expectation(integrand * 1.001))
    with pytest.raises(DerivationError, match="formula of V gives"):
        derive("tanh", "V")
