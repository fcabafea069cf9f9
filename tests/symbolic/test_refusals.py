"""What has no formula is refused, in words that say why."""

from __future__ import annotations

import re

import pytest
import sympy
from symbolic.derived import VALUES

import meanfield as mf
from meanfield.errors import ActivationError, DomainError, NoEdgeOfChaos
from meanfield.quantities import FORMULAS
from meanfield.symbolic import derive


@pytest.mark.parametrize("quantity", [name for name, quantity in FORMULAS.items() if quantity.on_edge])
def test_what_needs_an_edge_of_chaos_is_refused_where_there_is_none(quantity: str) -> None:
    with pytest.raises(NoEdgeOfChaos, match="jumps at x = -tau, tau"):
        derive("hard-threshold(tau)", quantity)
    with pytest.raises(NoEdgeOfChaos, match="constant"):
        derive("x - x + tau", quantity)


def test_a_gradient_has_an_infinite_gain_at_a_jump() -> None:
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
    phi = mf.activation(spec, **{name: VALUES[name] for name in "ab" if re.search(rf"\b{name}\b", spec)})
    for variance in (1e-4, 0.1, 1, 10, 1e4):
        with pytest.raises(NoEdgeOfChaos):
            mf.edge_of_chaos(phi, variance)


def test_what_is_unknown_is_said() -> None:
    with pytest.raises(DomainError, match="'W' has no formula"):
        derive("max(x - tau, 0)", "W")
    with pytest.raises(DomainError, match="notation 'phi' is unknown"):
        derive("max(x - tau, 0)", notation="phi")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("1/(x - tau)", {}, "a pole at x"),
        ("exp(tau*x**2)", {}, "grows"),
        ("log(x - tau)", {}, "log has no value"),
        ("max(tanh(x), tau*x)", {}, "give every parameter a number"),
        ("where(x < a, tanh(x), where(x < b, 1, x))", {}, "which of a and b is larger"),
        ("tanh(z*x)", {}, "z is a variable of integration"),
        ("tanh(slope*x)", {}, "slope is a function of generated code"),
        ("tanh(q*x)", {}, "q is the variance in every formula"),
        ("tau(x)", {}, "unknown function tau"),
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
        ("max(x - erf, 0)", {}, "erf is a function"),
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
    with pytest.raises(ActivationError) as refused:
        derive(spec, **options)
    assert said in str(refused.value)
