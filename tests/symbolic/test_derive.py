"""Formulas against the definitions in high precision, textbook forms, and each other."""

from __future__ import annotations

import doctest
import re
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from definitions import covariance, power_moment, probability_of_zero, slope_moment
from examples import activations
from hypothesis import given, settings
from mpmath import mp
from symbolic.derived import NAMES, POINT, SPECS, at, derived
from sympy import Integer, Rational, acos, pi, sqrt

import meanfield as mf
from meanfield.errors import NoEdgeOfChaos
from meanfield.quantities import FORMULAS
from meanfield.symbolic import Phi, Phi2, derive, phi
from meanfield.symbolic.formula import SYMBOLS

PAGE = Path(__file__).parents[2] / "docs" / "derivations.md"
q, q_star, sigma_w, sigma_b, rho = SYMBOLS.values()
tau, m = sympy.symbols("tau m", positive=True)


def number(name: str) -> mp.mpf:
    """A number of POINT to the working precision."""
    value = Rational(POINT[name])
    return mp.mpf(value.p) / value.q


def exactly(key: str) -> mf.PiecewiseLinear:
    """The activation at POINT with rational knots, for `definitions`, whose arithmetic takes any exact numbers."""
    subject = derived(key).activation

    def value(x: object) -> mp.mpf:
        return mp.mpf(str(at(subject.parameters.expression(x))))

    rows = {name: [value(x) for x in getattr(subject.pieces, name)] for name in ("knots", "slopes", "intercepts")}
    return SimpleNamespace(**rows)  # type: ignore[return-value]


@pytest.mark.parametrize("key", SPECS)
def test_one_variable_formulas_are_the_definitions_to_25_digits(key: str) -> None:
    with mp.workdps(40):
        formulas, exact, q_ = derived(key), exactly(key), number("q")
        w2, b2, square = number("sigma_w") ** 2, number("sigma_b") ** 2, power_moment(exact, q_, 2)
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


@pytest.mark.parametrize("key", ["clipped-soft-threshold(tau, m)", "hard-sigmoid", "hard-threshold(tau)"])
def test_R_is_the_double_integral_that_defines_it(key: str) -> None:
    with mp.workdps(25):
        exact, q_ = exactly(key), number("q")
        w2, b2 = number("sigma_w") ** 2, number("sigma_b") ** 2
        expected = (w2 * covariance(exact, number("rho"), q_) + b2) / (w2 * power_moment(exact, q_, 2) + b2)
        assert abs(mp.mpf(str(at(derived(key)["R"]))) - expected) < mp.mpf("1e-18")


@pytest.mark.parametrize("key", [*NAMES, "three thresholds", "symbols and jumps", "a knot at 0", "no zero piece"])
def test_sympy_differentiates_each_map_into_the_next(key: str) -> None:
    formulas = derived(key)
    for first, second, symbol in (("V", "dV", q), ("dV", "d2V", q), ("R", "dR", rho), ("dR", "d2R", rho)):
        assert abs(at(formulas[first].diff(symbol)) - at(formulas[second])) < 1e-24, (first, second)


@pytest.mark.parametrize("key", SPECS)
def test_unrelated_inputs_share_the_mean_and_the_biases(key: str) -> None:
    formulas = derived(key)
    shared = (at(sigma_w) ** 2 * at(formulas["mean"]) ** 2 + at(sigma_b) ** 2) / at(formulas["V"])
    assert abs(at(formulas["R"], rho=0) - shared) < 1e-25


@pytest.mark.parametrize("spec", ["shifted-relu(tau)", "soft-threshold(tau)"])
def test_sparsifying_activations_have_slope_one_on_the_edge_for_every_threshold(spec: str) -> None:
    slope = derived(spec)["dV_eoc"]
    assert isinstance(slope, Integer) and slope == 1


@pytest.mark.parametrize(("spec", "sides"), [("clipped-relu(tau, m)", 1), ("clipped-soft-threshold(tau, m)", 2)])
def test_each_clipped_side_takes_its_density_off_the_slope(spec: str, sides: int) -> None:
    density = phi((tau + m) / sqrt(q_star)) / sqrt(q_star)
    assert derived(spec)["dV_eoc"] - (1 - sides * sigma_w**2 * m * density) == 0


def test_shifted_relu_is_as_published() -> None:
    """Price et al. (2024), section 3."""
    formulas = derived("shifted-relu(tau)")
    h = tau / sqrt(q)
    published = sigma_w**2 * ((tau**2 + q) * Phi(-h) - tau * sqrt(q) * phi(h)) + sigma_b**2
    assert sympy.expand(formulas["V"] - published) == 0
    assert formulas["d2V_eoc"] == sigma_w**2 * tau * phi(tau / sqrt(q_star)) / (2 * q_star ** Rational(3, 2))


def test_relu_has_the_arc_cosine_kernel() -> None:
    """Cho and Saul (2009), degrees 1 and 0."""
    formulas = derived("relu")
    V = sigma_w**2 * q / 2 + sigma_b**2
    kernel = (sqrt(1 - rho**2) + rho * (pi - acos(rho))) / (2 * pi)
    assert sympy.simplify(formulas["R"].rewrite(acos) - (sigma_w**2 * q * kernel + sigma_b**2) / V) == 0
    assert sympy.simplify(formulas["dR"].rewrite(acos) - sigma_w**2 * q * (pi - acos(rho)) / (2 * pi) / V) == 0


def test_kappa_of_relu_on_the_edge_is_the_known_constant() -> None:
    on_edge = derived("relu")["kappa"].subs({sigma_w: sqrt(2), sigma_b: 0})
    assert sympy.simplify(on_edge - 2 * sqrt(2) / (3 * pi)) == 0


@pytest.mark.parametrize("spec", ["soft-threshold(tau)", "clipped-soft-threshold(tau, m)", "hard-threshold(tau)"])
def test_symmetry_halves_the_functions(spec: str) -> None:
    knots = 2 if "m" in spec else 1
    formulas = derived(spec)
    assert len(formulas["V"].atoms(Phi)) == knots
    assert len(formulas["dR"].atoms(Phi2)) <= knots * (knots + 1)
    assert formulas["mean"] == 0


@pytest.mark.parametrize("spec", ["relu", "abs", "leaky-relu(slope)", "identity"])
def test_homogeneous_activations_need_no_normal_distribution(spec: str) -> None:
    for expression in derived(spec).values():
        assert not expression.atoms(Phi, phi, Phi2)


@pytest.mark.parametrize("key", SPECS)
def test_second_derivative_of_R_is_elementary_over_V(key: str) -> None:
    assert not derived(key).formulas["d2R"].short.atoms(Phi, Phi2)


@pytest.mark.parametrize("spec", [name for name in NAMES if "(" in name])
def test_numbers_stay_exact(spec: str) -> None:
    spec = re.sub(r"\b(m|slope|threshold|value)\b(?=[,)])", "0.1", spec.replace("tau", "1/3"))
    for expression in derive(spec, ["V", "d2V", "mean", "fourth", "R"]).values():
        assert not expression.atoms(sympy.Float)
        assert expression.free_symbols <= {*SYMBOLS.values()}


def test_a_symbol_and_a_number_mix() -> None:
    mixed = derive("clipped-relu(1/3, m)", "V")["V"]
    assert mixed.free_symbols == {q, sigma_w, sigma_b, m}
    assert sympy.expand(mixed - derived("clipped-relu(tau, m)")["V"].subs(tau, Rational(1, 3))) == 0


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
    on_edge = {name for name, quantity in FORMULAS.items() if quantity.on_edge}
    assert set(formulas.missing) in (set(), on_edge)
    assert set(formulas) == set(FORMULAS) - set(formulas.missing)
    for variance in (1e-4, 0.1, 1, 10, 1e4) if formulas.missing else ():
        with pytest.raises(NoEdgeOfChaos):
            mf.edge_of_chaos(phi, variance)


def test_erf_notation_says_the_same_in_elementary_functions() -> None:
    for spec in NAMES:
        for name, expression in derive(spec, ["V", "d2V", "mean", "sparsity"], notation="erf").items():
            assert not expression.atoms(Phi, phi)
            assert abs(at(expression) - at(derived(spec)[name])) < 1e-24
    assert derive("soft-threshold", "sparsity", notation="erf")["sparsity"] == sympy.erf(tau / sqrt(2 * q))


def test_a_notebook_shows_latex() -> None:
    shown = derive("clipped-relu(tau, m)", ["V", "dV_eoc"])._repr_latex_()
    assert shown.count(r"\[") == 2 and r"\Phi" in shown and r"\sigma_w" in shown
    assert derived("relu")["V"]._repr_latex_().startswith("$")


def test_a_derivation_is_a_mapping_in_the_order_asked_for() -> None:
    formulas = derive("relu", ["dV", "V"])
    assert list(formulas) == ["dV", "V"] and len(formulas) == 2
    assert formulas.symbols["q"] == q
    with pytest.raises(KeyError):
        formulas["R"]


def test_the_examples_of_docstrings_run_as_printed() -> None:
    assert not doctest.testmod(mf.symbolic).failed


def test_the_page_lists_every_quantity() -> None:
    assert all(f"`{name}`" in PAGE.read_text() for name in FORMULAS)
