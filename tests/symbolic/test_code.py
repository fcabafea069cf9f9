"""Programs that are written: run as they are, they give the numbers of the core."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sympy
from symbolic.derived import NAMES, VALUES, at, derived, parameters_of
from sympy.parsing.mathematica import parse_mathematica

import meanfield as mf
from meanfield.infinite_width import moments
from meanfield.infinite_width.edge import slope_on_edge
from meanfield.symbolic import Derivation, code, derive
from meanfield.symbolic.names import mathematica_names


def run(text: str) -> dict:
    """The names that a module defines."""
    namespace: dict = {}
    exec(compile(text, "generated", "exec"), namespace)
    return namespace


def python(derivation: Derivation) -> str:
    return code.python(derivation.activation, derivation.formulas.values())


def core(name: str, network: mf.MeanField, q: float, rho: float) -> float:
    """The core's value of a quantity."""
    phi, slopes = network.activation, float(moments.slope_moment(network.activation, q, 2))
    return float(
        {
            "V": lambda: network.V(q),
            "dV": lambda: network.dV(q),
            "d2V": lambda: network.d2V(q),
            "chi1": lambda: network.chi1(q),
            "sparsity": lambda: network.sparsity(q),
            "mean": lambda: moments.mean(phi, q),
            "fourth": lambda: moments.fourth_moment(phi, q),
            "sigma_w2": lambda: 1 / slopes,
            "sigma_b2": lambda: q - moments.second_moment(phi, q) / slopes,
            "dV_eoc": lambda: slope_on_edge(phi, q),
            "d2V_eoc": lambda: moments.second_moment_d2(phi, q) / slopes,
            "R": lambda: network.R(rho, q),
            "dR": lambda: network.dR(rho, q),
            "d2R": lambda: network.d2R(rho, q),
            "kappa": lambda: network.kappa(q),
        }[name]()
    )


@pytest.mark.parametrize(
    ("spec", "notation"),
    [*((name, "Phi") for name in NAMES), ("clipped-soft-threshold(tau, m)", "erf"), ("relu", "erf")],
)
def test_generated_python_is_the_core_to_1e_12(spec: str, notation: str) -> None:
    random = np.random.default_rng(1)
    points = {"q": random.uniform(0.3, 3, 20), "sigma_w": random.uniform(0.5, 2, 20)}
    points |= {"sigma_b": random.uniform(0.1, 1, 20), "rho": random.uniform(-0.95, 0.95, 20)}
    points["q_star"] = points["q"]
    d = derived(spec, notation)
    parameters = parameters_of(d)
    phi = mf.activation(d.activation.formula, **parameters)
    networks = [mf.MeanField(phi, *weights) for weights in zip(points["sigma_w"], points["sigma_b"], strict=True)]
    square = moments.second_moment(phi, points["q"])
    scale = {"dV": square / points["q"], "d2V": square / points["q"] ** 2, "mean": np.sqrt(square)}
    scale |= {"sigma_b2": points["q"], "d2V_eoc": square / points["q"] ** 2, "R": 1, "dR": 1, "d2R": 1}
    generated = run(python(d))
    for name, formula in d.formulas.items():
        found = generated[name](*(points[a] for a in formula.quantity.arguments), **parameters)
        assert np.shape(found) == (20,)
        assert generated[name].__doc__.startswith(formula.quantity.called.symbol)
        want = np.array([core(name, *point) for point in zip(networks, points["q"], points["rho"], strict=True)])
        finite = np.isfinite(want)
        assert np.array_equal(finite, np.isfinite(found))
        allowed = 1e-12 * np.maximum(np.abs(want), scale.get(name, 0))
        assert (np.abs(found[finite] - want[finite]) <= allowed[finite]).all(), name


@pytest.mark.parametrize("spec", NAMES)
def test_generated_R_reaches_the_ends(spec: str) -> None:
    d = derived(spec)
    parameters = parameters_of(d)
    network = mf.MeanField(mf.activation(d.activation.formula, **parameters), 1.1, 0.4)
    R = run(code.python(d.activation, [d.formulas["R"]]))["R"]
    for rho in (-1.0, 1.0, np.array([-1, 1])):
        np.testing.assert_allclose(R(rho, 1.3, 1.1, 0.4, **parameters), network.R(rho, 1.3), rtol=0, atol=1e-14)


def test_generated_python_needs_numpy_and_scipy_alone() -> None:
    text = python(derived("clipped-soft-threshold(tau, m)"))
    assert set(re.findall(r"^(?:import|from) (\S+)", text, re.M)) == {"numpy", "scipy.special"}
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", ["expo", "root", "h", "h1", "s", "p", "w", "r", "idle", "N"])
def test_any_name_will_do_for_a_parameter(name: str) -> None:
    d, reference = derive(f"clip(x - {name}, 0, 2)", ["V", "dR"]), derive("clip(x - tau, 0, 2)", ["V", "dR"])
    for quantity, expression in d.items():
        assert at(expression, **{name: VALUES["tau"]}) == pytest.approx(at(reference[quantity]))
    assert run(python(d))["V"](1.3, 1.1, 0.4, 0.7) == pytest.approx(float(at(reference["V"])))


@pytest.mark.parametrize("key", ["clipped-relu(tau, m)", "leaky-relu(slope)", "two lines"])
def test_sympy_output_builds_the_same_expressions(key: str) -> None:
    d = derived(key)
    built = run(code.sympy(d.formulas.values()))
    for name in d:
        assert at(built[name]) == pytest.approx(at(d[name]), rel=1e-20)


@pytest.mark.parametrize("spec", NAMES)
def test_lambdify_makes_numpy_functions(spec: str) -> None:
    for name in ("V", "R"):
        expression = derived(spec)[name]
        symbols = sorted(expression.free_symbols, key=str)
        found = sympy.lambdify(symbols, expression)(*(VALUES[s.name] for s in symbols))
        assert found == pytest.approx(float(at(expression)), rel=1e-12)


def test_mathematica_output_parses_and_says_the_same() -> None:
    V = derived("soft-threshold(tau)").formulas["V"]
    text = code.mathematica([V])
    head, body = text.strip().split(" := ")
    assert head == "V[q_, sigmaw_, sigmab_, tau_]"
    normal, argument = sympy.Function("normal"), r"\[NormalDistribution\[\], ([^\]]*)\]"
    body = re.sub("CDF" + argument, r"normal[\1]", body)
    parsed = parse_mathematica(re.sub("PDF" + argument, r"(Exp[-(\1)^2/2]/(2*Pi)^(1/2))", body))
    values = {"q": 1.3, "sigmaw": 1.1, "sigmab": 0.4, "tau": 0.7}
    found = parsed.replace(normal, lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2).subs(values).evalf()
    assert float(found) == pytest.approx(float(at(V.expression)))


def test_names_stay_apart_in_mathematica() -> None:
    names = ["q", "sigma_w", "sigmaw", "a_b", "ab", "E", "E0", "PDF"]
    written = mathematica_names(names)
    assert len(set(written.values())) == len(names)
    assert not set(written.values()) & {"E", "PDF"}
