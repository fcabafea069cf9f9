"""Formulas against the definitions in high precision, textbook forms, and each other."""

from __future__ import annotations

import doctest
import re
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from definitions import covariance, power_moment, probability_of_zero, slope_moment
from examples import activations
from hypothesis import given, settings
from mpmath import mp
from sympy import Integer, Rational, acos, pi, sqrt

import meanfield as mf
from meanfield.activations.catalogue import ACTIVATIONS
from meanfield.errors import ActivationError, DerivationError, DomainError, NoEdgeOfChaos
from meanfield.quantities import FORMULAS
from meanfield.symbolic import Phi, Phi2, derive, phi
from meanfield.symbolic.formula import SYMBOLS

q, q_star, sigma_w, sigma_b, rho = SYMBOLS.values()
tau, m = sympy.symbols("tau m", positive=True)
NAMES = [entry.signature for entry in ACTIVATIONS]
ON_THE_EDGE = ["sigma_w2", "sigma_b2", "dV_eoc", "d2V_eoc", "kappa"]
#: A point with short decimals, away from any special place.
POINT = {
    "q": Rational(7, 5),
    "q_star": Rational(7, 5),
    "sigma_w": Rational(13, 10),
    "sigma_b": Rational(3, 10),
    "rho": Rational(2, 5),
    "tau": Rational(7, 10),
    "m": Rational(11, 10),
    "slope": Rational(-3, 10),
}
WITH_SYMBOLS = {
    **{name: name for name in NAMES},
    "several symbols": "clip(x, a, c) + clip(x, -b, c)/2",
    "symbols and jumps": "where(x > tau, m*x, 0) + step(x + m) - 1/3",
    "a knot at 0": "max(x, 0) + max(x - tau, 0) - step(x)",
    "no zero piece": "max(x, tau - x) + m",
}


@cache
def derived(spec: str, quantities: str = "all") -> mf.symbolic.Derivation:
    return derive(spec, quantities, assume=["a < c", "b < a"] if spec == WITH_SYMBOLS["several symbols"] else [])


def at(expression: sympy.Expr, **values: Rational) -> sympy.Expr:
    """The expression at POINT, to 30 digits."""
    numbers = {**POINT, "a": Rational(1, 2), "b": Rational(1, 5), "c": Rational(9, 5), **values}
    return expression.subs({s: numbers[s.name] for s in expression.free_symbols}).evalf(30)


def exactly(spec: str) -> mf.PiecewiseLinear:
    """The activation at POINT with rational knots, for `definitions`, whose arithmetic takes any exact numbers."""
    subject = derived(spec, "V").activation
    values = {**POINT, "a": Rational(1, 2), "b": Rational(1, 5), "c": Rational(9, 5)}

    def number(x: object) -> object:
        value = subject.parameters.expression(x).subs({s: values[n] for n, s in subject.parameters.symbols.items()})
        return mp.mpf(value.p) / value.q

    pieces = subject.pieces
    rows = {name: [number(x) for x in getattr(pieces, name)] for name in ("knots", "slopes", "intercepts")}
    return SimpleNamespace(**rows)  # type: ignore[return-value]


@pytest.mark.parametrize("spec", WITH_SYMBOLS.values(), ids=WITH_SYMBOLS)
def test_one_variable_formulas_are_the_definitions_to_25_digits(spec: str) -> None:
    with mp.workdps(40):
        formulas, exact = derived(spec), exactly(spec)
        q_, w2, b2 = mp.mpf(7) / 5, (mp.mpf(13) / 10) ** 2, (mp.mpf(3) / 10) ** 2
        square = power_moment(exact, q_, 2)
        expected = {
            "V": w2 * square + b2,
            "mean": power_moment(exact, q_, 1),
            "fourth": power_moment(exact, q_, 4),
            "sparsity": probability_of_zero(exact, q_),
        }
        if "sigma_w2" in formulas:
            slopes = slope_moment(exact, q_, 2)
            expected |= {"chi1": w2 * slopes, "sigma_w2": 1 / slopes, "sigma_b2": q_ - square / slopes}
        for name, value in expected.items():
            assert abs(mp.mpf(str(at(formulas[name]))) - value) <= mp.mpf("1e-25") * (1 + abs(value)), name


@pytest.mark.parametrize("spec", ["clipped-soft-threshold(tau, m)", "hard-sigmoid", "hard-threshold(tau)"])
def test_R_is_the_double_integral_that_defines_it(spec: str) -> None:
    with mp.workdps(25):
        exact = exactly(spec)
        w2, b2, q_ = (mp.mpf(13) / 10) ** 2, (mp.mpf(3) / 10) ** 2, mp.mpf(7) / 5
        expected = (w2 * covariance(exact, mp.mpf(2) / 5, q_) + b2) / (w2 * power_moment(exact, q_, 2) + b2)
        assert abs(mp.mpf(str(at(derived(spec, "R")["R"]))) - expected) < mp.mpf("1e-18")


@pytest.mark.parametrize("spec", WITH_SYMBOLS.values(), ids=WITH_SYMBOLS)
def test_sympy_differentiates_each_map_into_the_next(spec: str) -> None:
    formulas = derived(spec)
    for first, second, symbol in (("V", "dV", q), ("dV", "d2V", q), ("R", "dR", rho), ("dR", "d2R", rho)):
        assert abs(at(formulas[first].diff(symbol)) - at(formulas[second])) < 1e-24, (first, second)


@pytest.mark.parametrize("spec", [name for name in NAMES if "sign" != name and "step" != name])
def test_correlation_map_is_one_at_one_and_starts_from_the_mean(spec: str) -> None:
    formulas = derived(spec)
    numbers = at(formulas["R"], rho=Integer(0)), at(formulas["mean"]), at(formulas["V"])
    assert abs(numbers[0] - (POINT["sigma_w"] ** 2 * numbers[1] ** 2 + POINT["sigma_b"] ** 2) / numbers[2]) < 1e-25
    assert abs(at(formulas["R"], rho=1 - Rational(1, 10**6)) - 1) < 1e-2


@pytest.mark.parametrize("spec", ["shifted-relu(tau)", "soft-threshold(tau)"])
def test_sparsifying_activations_have_slope_one_on_the_edge_for_every_threshold(spec: str) -> None:
    slope = derive(spec, "dV_eoc")["dV_eoc"]
    assert isinstance(slope, Integer) and slope == 1


@pytest.mark.parametrize(("spec", "sides"), [("clipped-relu(tau, m)", 1), ("clipped-soft-threshold(tau, m)", 2)])
def test_each_clipped_side_takes_its_density_off_the_slope(spec: str, sides: int) -> None:
    density = phi((tau + m) / sqrt(q_star)) / sqrt(q_star)
    assert derive(spec, "dV_eoc")["dV_eoc"] - (1 - sides * sigma_w**2 * m * density) == 0


def test_shifted_relu_is_as_published() -> None:
    """Price et al. (2024), section 3."""
    formulas = derive("shifted-relu(tau)", ["V", "d2V_eoc"])
    h = tau / sqrt(q)
    published = sigma_w**2 * ((tau**2 + q) * Phi(-h) - tau * sqrt(q) * phi(h)) + sigma_b**2
    assert sympy.expand(formulas["V"] - published) == 0
    assert formulas["d2V_eoc"] == sigma_w**2 * tau * phi(tau / sqrt(q_star)) / (2 * q_star ** Rational(3, 2))


def test_relu_has_the_arc_cosine_kernel() -> None:
    """Cho and Saul (2009), degrees 1 and 0."""
    formulas = derive("relu", ["R", "dR"])
    V = sigma_w**2 * q / 2 + sigma_b**2
    kernel = (sqrt(1 - rho**2) + rho * (pi - acos(rho))) / (2 * pi)
    assert sympy.simplify(formulas["R"].rewrite(acos) - (sigma_w**2 * q * kernel + sigma_b**2) / V) == 0
    assert sympy.simplify(formulas["dR"].rewrite(acos) - sigma_w**2 * q * (pi - acos(rho)) / (2 * pi) / V) == 0


def test_kappa_of_relu_on_the_edge_is_the_known_constant() -> None:
    on_edge = derive("relu", "kappa")["kappa"].subs({sigma_w: sqrt(2), sigma_b: 0})
    assert sympy.simplify(on_edge - 2 * sqrt(2) / (3 * pi)) == 0


@pytest.mark.parametrize("spec", ["soft-threshold(tau)", "clipped-soft-threshold(tau, m)", "hard-threshold(tau)"])
def test_symmetry_halves_the_functions(spec: str) -> None:
    knots = 2 if "m" in spec else 1
    formulas = derive(spec, "all")
    assert len(formulas["V"].atoms(Phi)) == knots
    assert len(formulas["dR"].atoms(Phi2)) <= 2 * knots * (knots + 1) / 2
    assert formulas["mean"] == 0


@pytest.mark.parametrize("spec", ["relu", "abs", "leaky-relu(a)", "identity"])
def test_homogeneous_activations_need_no_normal_distribution(spec: str) -> None:
    for expression in derive(spec, "all").values():
        assert not expression.atoms(Phi, phi, Phi2)


def test_second_derivative_of_R_is_elementary() -> None:
    for spec in WITH_SYMBOLS.values():
        assert not derived(spec, "d2R")["d2R"].subs(derived(spec, "V")["V"], 1).atoms(Phi2)


@pytest.mark.parametrize("spec", NAMES)
def test_numbers_stay_exact(spec: str) -> None:
    for expression in derive(re.sub(r"\bm\b", "0.1", spec.replace("tau", "1/3")), "all").values():
        assert not expression.atoms(sympy.Float)


def test_a_symbol_and_a_number_mix() -> None:
    mixed = derive("clipped-relu(1/3, m)", "V")["V"]
    assert mixed.free_symbols == {q, sigma_w, sigma_b, m}
    assert sympy.expand(mixed - derive("clipped-relu(tau, m)", "V")["V"].subs(tau, Rational(1, 3))) == 0


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        ("clipped-relu(tau, 2*tau)", {}),
        ("clipped-relu", {"m": "2*tau"}),
        ("clipped-relu(m=2*tau)", {}),
        ("clip(x - tau, 0, 2*tau)", {}),
        ("clip(x - tau, 0, m)", {"m": "2*tau"}),
        ("clip(x - tau, 0, m)", {"m": 2 * tau}),
    ],
)
def test_a_parameter_may_be_an_expression(spec: str, given: dict) -> None:
    assert derive(spec, "V", **given)["V"] == derive("clip(x - tau, 0, tau + tau)", "V")["V"]


@pytest.mark.parametrize("value", [0.5, "0.5", "1/2", Fraction(1, 2), Rational(1, 2), np.float64(0.5)])
def test_a_parameter_may_be_a_number_of_any_kind(value: object) -> None:
    assert derive("soft-threshold", "V", tau=value)["V"] == derive("soft-threshold(1/2)", "V")["V"]


def test_points_files_and_functions_are_derived_in_exact_numbers(tmp_path) -> None:
    points = derive("points: (0,0) (3,1); left=0, right=0", "dV")["dV"]
    assert points == derive("clip(x/3, 0, 1)", "dV")["dV"]
    file = tmp_path / "phi.json"
    file.write_text('{"knots": [0, 3], "slopes": [0, 0.3333333333333333, 0], "intercepts": [0, 0, 1]}')
    assert derive(str(file), "dV")["dV"] == points
    assert derive(mf.activation("clip(x/3, 0, 1)"), "dV")["dV"] == points
    assert derive(lambda x: np.clip(x / 3, 0, 1), "dV")["dV"] == points


@given(phi=activations())
@settings(max_examples=2)
def test_any_activation_has_every_formula_that_its_jumps_allow(phi: mf.PiecewiseLinear) -> None:
    formulas = derive(phi, "all")
    assert set(formulas.missing) in (set(), set(ON_THE_EDGE))
    assert set(formulas) == set(FORMULAS) - set(formulas.missing)
    if formulas.missing:
        for variance in (1e-4, 0.1, 1, 10, 1e4):
            with pytest.raises(NoEdgeOfChaos):
                mf.edge_of_chaos(phi, variance)


@pytest.mark.parametrize("spec", ["clip(x - 1000, 0, 1/1000)", "max(x - 10**0, 0)*1e-30", "clip(x, 1e-9, 2e-9)"])
def test_the_check_does_not_mistake_cancellation_for_a_fault(spec: str) -> None:
    assert derive(spec.replace("10**0", "1e9"), "all")


def test_erf_notation_says_the_same_in_elementary_functions() -> None:
    for spec in NAMES:
        normal, error = derived(spec), derive(spec, ["V", "d2V", "mean", "sparsity", "R"], notation="erf")
        for name in error:
            assert not error[name].atoms(Phi, phi)
        for name in ("V", "d2V", "mean", "sparsity"):
            assert abs(at(normal[name]) - at(error[name])) < 1e-24
    assert derive("soft-threshold", "sparsity", notation="erf")["sparsity"] == sympy.erf(tau / sqrt(2 * q))


@pytest.mark.parametrize(
    ("method", "quantity"), [("sparsity", "sparsity"), ("slope_square", "chi1"), ("kink_squares", "kappa")]
)
def test_a_wrong_formula_is_withheld(monkeypatch, method: str, quantity: str) -> None:
    from meanfield.symbolic.combination import ONE, Combination
    from meanfield.symbolic.one_variable import OneVariable

    monkeypatch.setattr(OneVariable, method, property(lambda self: Combination({ONE: self.field(1) / 7})))
    with pytest.raises(DerivationError, match=f"formula of {quantity} gives .* where the numbers say"):
        derive("shifted-relu(tau)", quantity)


def test_a_wrong_order_of_knots_is_found_out(monkeypatch) -> None:
    from meanfield.symbolic.parameters import Parameters

    right = Parameters.sign
    monkeypatch.setattr(Parameters, "sign", lambda self, element: -right(self, element))
    with pytest.raises((DerivationError, ActivationError)):
        derive("clip(x - tau, 0, m)", "V")


def test_prices_theorem_is_asked(monkeypatch) -> None:
    from meanfield.symbolic.two_variables import TwoVariables

    right = TwoVariables.price
    monkeypatch.setattr(TwoVariables, "price", lambda self: right(self).scaled(2))
    with pytest.raises(DerivationError, match="Price"):
        derive("shifted-relu(tau)", "R")


def test_a_wrong_correlation_map_that_price_cannot_see_is_withheld(monkeypatch) -> None:
    from meanfield.symbolic.combination import ONE, Combination
    from meanfield.symbolic.two_variables import TwoVariables

    right = TwoVariables.covariance.func
    wrong = property(lambda self: right(self) + Combination({ONE: self.rho / 1000}))
    monkeypatch.setattr(TwoVariables, "covariance", wrong)
    with pytest.raises(DerivationError, match="formula of R"):
        derive("shifted-relu(tau)", "R")


def test_what_needs_an_edge_of_chaos_is_refused_where_there_is_none() -> None:
    for quantity in ON_THE_EDGE:
        with pytest.raises(NoEdgeOfChaos, match="jumps at x = -tau, tau"):
            derive("hard-threshold(tau)", quantity)
        with pytest.raises(NoEdgeOfChaos, match="constant"):
            derive("x - x + tau", quantity)
    assert derive("hard-threshold(tau)", "chi1")["chi1"] == sympy.oo


@pytest.mark.parametrize(
    ("spec", "assume"),
    [
        ("x + 1", []),
        ("max(x, 0) + 1", []),
        ("max(x, 1)", []),
        ("max(x, b)", []),
        ("abs(x - a)", []),
        ("max(x, a*x) + 1", ["a < 1"]),
    ],
)
def test_an_edge_that_would_need_a_negative_variance_of_the_biases_is_refused(spec: str, assume: list[str]) -> None:
    with pytest.raises(NoEdgeOfChaos, match="σ_b² < 0 at every"):
        derive(spec, "sigma_b2", assume=assume)
    numbers = {"a": 0.5, "b": 0.7}
    phi = mf.activation(spec, **{name: value for name, value in numbers.items() if re.search(rf"\b{name}\b", spec)})
    for variance in (1e-4, 0.1, 1, 10, 1e4):
        with pytest.raises(NoEdgeOfChaos):
            mf.edge_of_chaos(phi, variance)


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("x**2", {}, "piecewise linear"),
        ("tau*x*x", {}, "both vary with x"),
        ("tanh(x - tau)", {}, "tanh is not piecewise linear"),
        ("tau(x)", {}, "unknown function tau"),
        ("max(x - tau, 0)", {"quantities": "W"}, "'W' has no formula"),
        ("max(x - tau, 0)", {"notation": "phi"}, "notation 'phi' is unknown"),
        ("max(x - q, 0)", {}, "q is the variance in every formula"),
        ("max(x - σ_w, 0)", {}, "σ_w is the scale of the weights"),
        ("max(x - ρ, 0)", {}, "ρ is the correlation"),
        ("max(x - é, 0)", {}, "a to z, Greek ones"),
        ("max(x - t1, t_1)", {"assume": ["t1 < t_1"]}, "look the same"),
        ("max(x - tau, 0)", {"m": 1}, "'m' does not occur"),
        ("max(x - tau, 0)", {"tau": "x/2"}, "varies with x"),
        ("max(x - tau, 0)", {"tau": True}, "not a number"),
        ("max(x - tau, 0)", {"tau": float("nan")}, "not finite"),
        ("clipped-relu(tau=a, m=tau)", {}, "tau is also a parameter of clipped-relu"),
        ("clipped-relu(1, tau)", {}, "stands for 1"),
        ("max(x - a, b)", {"a": "b", "b": 2}, "b is also a parameter"),
        ("clipped-relu(tau, -k)", {}, "m = -k is out of range"),
        ("clipped-relu(tau, 2*m)", {}, "m is also a parameter"),
        ("clipped-relu(tau, 0)", {}, "m = 0 is out of range"),
        ("clipped-relu(tau, m, 3)", {}, "takes 2 parameters"),
        ("clipped-relu(1, m)", {"tau": 2}, "tau is given twice"),
        ("clipped-relu", {"m": -1}, "m = -1 is out of range"),
        ("clip(x, 0, inf)", {}, "inf is not a finite number"),
        ("soft-threshold", {"tau": "nan"}, "nan is not a finite number"),
        ("soft-threshold", {"tau": sympy.oo}, "oo is not a finite number"),
        ("soft-threshold", {"tau": sympy.Symbol("a", negative=True)}, "not positive"),
        ("soft-threshold(lambda)", {}, "lambda is a word of Python"),
        ("max(x - chi_1, 0)", {}, "chi_1 is the gain of gradients"),
        ("max(x - q_, 0)", {}, "q_ is the variance"),
        ("clip(x, -A, Alpha)", {}, "look the same"),
        ("max(x - erf, 0)", {}, "generated code"),
        ("clip(x, 1, 1 + 1e-17)", {}, "narrower than a double resolves"),
        ("clipped-relu(tau, kappa=3)", {}, "no parameter 'kappa'"),
        ("clipped-rleu(tau, m)", {}, "did you mean clipped-relu"),
        ("clip(x, a, b)", {}, "which of a and b is larger"),
        ("max(x, a*x)", {}, "which of a and 1 is larger"),
        ("clip(x, a, b)", {"assume": ["a < b", "b < a"]}, "contradicts"),
        ("clip(x, a, b)", {"assume": ["a < c"]}, "c is no parameter"),
        ("clip(x, a, b)", {"assume": ["a = b"]}, "not an assumption"),
        ("clip(x, a, b)", {"assume": ["a < 0"]}, "names are positive"),
        ("clip(x, a, b)", {"assume": ["a < x"]}, "is about x"),
        ("clip(x, a, b)", {"assume": ["a <"]}, "'a <' is not an assumption"),
        ("relu", {"assume": ["a < b"]}, "no parameter"),
        ("tau*x - tau*x", {}, "zero everywhere"),
    ],
)
def test_what_is_wrong_is_said(spec: str, options: dict, said: str) -> None:
    with pytest.raises((ActivationError, DomainError)) as refused:
        derive(spec, options.pop("quantities", "V"), **options)
    assert said in str(refused.value)


def test_a_notebook_shows_latex() -> None:
    shown = derive("clipped-relu(tau, m)", ["V", "dV_eoc"])._repr_latex_()
    assert shown.count(r"\[") == 2 and r"\Phi" in shown and r"\sigma_w" in shown
    assert derive("relu", "V")["V"]._repr_latex_().startswith("$")


def test_a_derivation_is_a_mapping_in_the_order_asked_for() -> None:
    formulas = derive("relu", ["dV", "V"])
    assert list(formulas) == ["dV", "V"] and len(formulas) == 2
    assert formulas.symbols["q"] == q
    with pytest.raises(KeyError):
        formulas["R"]


def test_the_python_examples_of_the_page_run_as_printed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "derivations.md").read_text()
    text = "\n".join(re.findall(r"^```pycon\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE))
    examples = doctest.DocTestParser().get_doctest(text, {}, "derivations.md", None, 0)
    ran = doctest.DocTestRunner().run(examples)
    assert ran.attempted > 4
    assert not ran.failed
    assert not doctest.testmod(mf.symbolic).failed


def test_the_page_lists_every_quantity() -> None:
    page = (Path(__file__).parents[2] / "docs" / "derivations.md").read_text()
    assert all(f"`{name}`" in page for name in FORMULAS)
