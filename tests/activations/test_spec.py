from __future__ import annotations

import doctest
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import meanfield
import meanfield.activations.spec as spec_module
from meanfield.activations.activation import Activation
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.spec import activation, formula_of, read_activation
from meanfield.activations.syntax import LONGEST
from meanfield.errors import ActivationError, ExpressionError

DOCS = Path(__file__).parents[2] / "docs" / "activations.md"

RELU = PiecewiseLinear([0], [0, 1], [0, 0])


def test_every_form_of_the_same_activation_gives_the_same_object(tmp_path):
    (tmp_path / "phi.json").write_text('{"knots": [0], "slopes": [0, 1], "intercepts": [0, 0]}')
    (tmp_path / "phi.toml").write_text("points = [[0, 0]]\nleft = 0\nright = 1\n")
    for spec in (
        RELU,
        lambda x: np.maximum(x, 0),
        "relu",
        " ReLU ",
        "relu()",
        "relu(x)",
        "max(x, 0)",
        "points: (0,0); left=0, right=1",
        str(tmp_path / "phi.json"),
        str(tmp_path / "phi.toml"),
        "shifted-relu(0)",
        "leaky-relu(slope=0)",
        "nn.ReLU()",
    ):
        assert activation(spec) == RELU, spec
    assert activation(RELU) is RELU
    assert meanfield.activation("relu") == RELU


@pytest.mark.parametrize(
    ("spec", "parameters", "same"),
    [
        ("soft-threshold(tau=0.5)", {}, "x - clip(x, -0.5, 0.5)"),
        ("soft-threshold( 5e-1 )", {}, "x - clip(x, -0.5, 0.5)"),
        ("Soft_Threshold", {"tau": 0.5}, "x - clip(x, -0.5, 0.5)"),
        ("clipped-relu(1, 2)", {}, "clip(x - 1, 0, 2)"),
        ("clipped-relu(m=2, tau=1)", {}, "clip(x - 1, 0, 2)"),
        ("clipped-relu(1)", {"m": 2}, "clip(x - 1, 0, 2)"),
        ("softshrink(lambd=0.5)", {}, "x - clip(x, -0.5, 0.5)"),
        ("leaky-relu(-0.1)", {}, "where(x > 0, x, -0.1*x)"),
        ("abs", {}, "where(x > 0, x, -x)"),
        ("abs(x)", {}, "where(x > 0, x, -x)"),
        ("abs(-1)", {}, "1"),
        ("step(x - 1)", {}, "where(x > 1, 1, 0)"),
        ("x-a", {"a": 1}, "x - 1"),
        ("x-abs(x)", {}, "2*min(x, 0)"),
        ("a-max(1,2)", {"a": 3}, "1"),
        ("a", {"a": 3}, "3"),
        ("x", {}, "1*x"),
        ("tau*x", {"tau": -2}, "-2*x"),
        ("relu6(x)", {}, "clip(x, 0, 6)"),
        ("round(-1, 1)", {}, "step(x + 1/2) + step(x - 1/2) - 1"),
        ("round(clip(x, -1, 1))", {}, "step(x + 1/2) + step(x - 1/2) - 1"),
        ("clipped-relu(1/3, 50%)", {}, "clip(x - 1/3, 0, 1/2)"),
    ],
)
def test_a_text_is_read_as_the_form_it_has(spec, parameters, same):
    assert activation(spec, **parameters) == activation(same)


@pytest.mark.parametrize(
    ("spec", "parameters", "label", "formula"),
    [
        ("softshrink", {"lambd": 0.5}, "soft-threshold(tau=0.5)", "max(x - 0.5, 0) - max(-x - 0.5, 0)"),
        ("leaky-relu(-0.1)", {}, "leaky-relu(slope=-0.1)", "max(x, 0) + (-0.1)*min(x, 0)"),
        ("leaky-relu(1/3)", {}, "leaky-relu(slope=1/3)", "max(x, 0) + (1/3)*min(x, 0)"),
        ("hardtanh", {}, "hard-tanh", "clip(x, -1, 1)"),
        ("hardtanh(-2, 1)", {}, "hard-tanh(min_val=-2)", "clip(x, -2, 1)"),
        ("max(x,\n  0)", {}, "max(x, 0)", "max(x, 0)"),
        ("a*max(x, a0)", {"a": 2, "a0": 1}, "a*max(x, a0), a=2, a0=1", "2*max(x, 1)"),
        (RELU, {}, "piecewise linear", "max(x, 0)"),
        ("points: (0,0); left=0, right=1", {}, "points: (0,0); left=0, right=1", "max(x, 0)"),
        ("numpy:sign", {}, "numpy:sign", "where(x < 0, -1, 1)"),
        ("numpy:positive", {}, "numpy:positive", "x"),
    ],
)
def test_label_is_what_the_user_said_and_formula_is_phi(spec, parameters, label, formula):
    named = read_activation(spec, **parameters)
    assert (named.label, named.formula) == (label, formula)
    assert activation(named.formula) == named.phi


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("quantize(8)", "256 levels from -1 to 1, 255 knots in [-0.9961, 0.9961]"),
        (
            "points: " + " ".join(f"({n},{n * n})" for n in range(401)) + "; left=0, right=0",
            "402 straight pieces with values from 0 to 1.6e+05, 401 knots in [0, 400]",
        ),
        (
            "+".join(f"max(x - {n}, 0)" for n in range(9)),
            "10 straight pieces with slope 0 on the left and 9 on the right, 9 knots in [0, 8]",
        ),
        (
            "x/4 + " + "+".join(f"step(x - {n})" for n in range(9)),
            "10 straight pieces with slope 0.25 on the left and 0.25 on the right, 9 jumps, 9 knots in [0, 8]",
        ),
    ],
)
def test_a_long_formula_is_one_line_of_words_and_its_expression_is_at_hand(spec, told):
    named = read_activation(spec)
    assert named.formula == told
    assert len(named.label) <= 100
    assert len(formula := formula_of(named.phi)) > LONGEST or activation(formula) == named.phi


quarters = st.integers(-40, 40).map(lambda n: n / 4)


@settings(deadline=None)
@given(
    st.lists(
        st.floats(-1e3, 1e3).filter(lambda t: not 0 < abs(t) < 1e-150), max_size=6, unique_by=lambda t: round(t, 6)
    ).map(sorted),
    st.lists(quarters | st.floats(-1e3, 1e3), min_size=14, max_size=14),
)
def test_a_formula_written_from_the_pieces_reads_back_as_them(knots, numbers):
    phi = PiecewiseLinear(knots, [*numbers[: len(knots)], 1.0], numbers[7 : 8 + len(knots)])
    assert activation(formula_of(phi)) == phi


@pytest.mark.parametrize(
    ("spec", "parameters", "said"),
    [
        ("soft-treshold", {"tau": 0.5}, "did you mean soft-threshold?"),
        ("soft-treshold(tau=0.5)", {}, "did you mean soft-threshold?"),
        ("soft-treshold(0.5)", {}, "did you mean soft-threshold?"),
        ("rellu", {}, "did you mean relu?"),
        ("clipped-relu(1)", {"tau": 1}, "tau is given twice"),
        ("clipped-relu(1, tau=1)", {}, "tau is given twice"),
        ("clipped-relu(tau=1, tau=1)", {}, "tau is given twice"),
        ("clipped-relu(1, 2, 3)", {}, "takes 2 parameters, not 3"),
        ("clipped-relu(tau=1, 2)", {}, "name it too"),
        ("clipped-relu(tau=1, m=x)", {}, "m=x does not give"),
        ("clipped-relu(tau=1,)", {}, "does not give"),
        ("clipped-relu(tau=1, m=__import__)", {}, "does not give"),
        ("soft-threshold(tau=nan)", {}, "tau = nan is not finite"),
        ("soft-threshold(-inf)", {}, "tau = -inf is not finite"),
        ("soft-threshold(tau=-0.5)", {}, "tau = -0.5 is out of range: give tau >= 0"),
        ("clipped-relu(0, 0)", {}, "m = 0 is out of range: give m > 0"),
        ("soft-threshold", {}, "needs tau"),
        ("soft-threshold", {"tau": 1, "m": 2}, "takes no parameter 'm'"),
        ("relu6(1)", {}, "write relu6 alone"),
        ("relu6(x - 1)", {}, "relu6: x - 1 does not give"),
        ("points: (0,0); left=0, right=1", {"a": 1}, "a list of points takes no parameters"),
        ("phi.json", {"a": 1}, "a file takes no parameters"),
        ("numpy:sign", {"a": 1}, "a function takes no parameters"),
        (RELU, {"a": 1}, "a PiecewiseLinear takes no parameters"),
        (np.sign, {"a": 1}, "a function takes no parameters"),
        ("x", {"a": 1}, "'a' does not occur in 'x'"),
        ("x - x", {}, "x - x: the activation is zero everywhere"),
        ("clip(x, 0, m)", {"m": 0}, "clip(x, 0, m), m=0: the activation is zero everywhere"),
        ("1e300*x*1e300", {}, "larger than 1.8e308"),
        (3, {}, "3 is no activation: give a name"),
        (None, {}, "None is no activation"),
        (int, {}, "<class 'int'> is no activation"),
        ("max(x - 1e-300, 0)", {}, "none but 0 may be below 1e-150"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(spec, parameters, said):
    with pytest.raises(ActivationError) as refused:
        activation(spec, **parameters)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("spec", ["", "max(0,x", "clipped-relu(1", "tan(x)", "max", "max(tau=1)", "x-y", "__import__"])
def test_a_broken_expression_is_pointed_at_and_not_taken_for_a_name(spec):
    if spec == "__import__":
        with pytest.raises(ActivationError, match="unknown name"):
            activation(spec)
    else:
        with pytest.raises(ExpressionError):
            activation(spec)


def test_the_examples_of_docstrings_run_as_printed():
    assert not doctest.testmod(spec_module).failed


def test_the_examples_of_files_in_the_docs_are_activations(tmp_path):
    blocks = re.findall(r"^```(json|toml)\n(.*?)^```", DOCS.read_text(), flags=re.DOTALL | re.MULTILINE)
    held = []
    for n, (suffix, text) in enumerate(blocks):
        path = tmp_path / f"phi{n}.{suffix}"
        path.write_text(text)
        held.append((suffix, activation(str(path))))
    assert held == [
        ("json", activation("clip(x, 0, 1)")),
        ("toml", activation("points: (-1,0) (0,0.2) (1,1); left=0, right=1")),
        ("json", activation("elu")),
    ]


def only_activation_errors(spec, **parameters):
    try:
        phi = activation(spec, **parameters)
    except ExpressionError as error:
        assert len(str(error).splitlines()) == 3
        assert str(error).encode()
        assert 0 <= error.column <= len(error.expression)
    except ActivationError as error:
        assert len(str(error).splitlines()) == 1
        assert str(error).encode()
    else:
        assert isinstance(phi, Activation)
        assert all(map(math.isfinite, (*phi.breaks, *phi.limits(0.5))))


VALID = [
    "soft-threshold(tau=0.5)",
    "clipped-relu(1, 2)",
    "max(x - 0.5, 0) - max(-x - 0.5, 0)",
    "where((x > 0) & ~(x >= 1) or x == 2, clip(x/6 + 1/2, 0, 1), abs(x))",
    "points: (-1,0) (0,0.2) (1,1); left=0, right=1",
    "phi.json",
    "leaky_relu",
    "x*tanh(log(1 + exp(x))) + where(x > 1, sqrt(x)**3/x, erf(2*x)/(1 + x**2))",
]
# No colon but in `points:`, so that nothing is imported.
symbols = st.sampled_from(
    [
        *"x0159.,;()[]{}+-*/%&|~^<>=!@#$'\"\\ \t\n\0ae_τµ\u200b\ud800",
        "**",
        "e9",
        "max(",
        "tanh(",
        "exp(",
        "log(",
        " and ",
        "not ",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=30) | st.lists(symbols, max_size=15).map("".join))
def test_any_text_is_an_activation_or_an_activation_error(text):
    only_activation_errors(text)
    only_activation_errors(text, a=0.5)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(VALID), st.lists(st.tuples(st.integers(0, 70), st.integers(0, 3), symbols), min_size=1, max_size=4)
)
def test_a_valid_text_with_slips_is_an_activation_or_an_activation_error(text, slips):
    for at, deleted, inserted in slips:
        text = text[:at] + inserted + text[at + deleted :]
    only_activation_errors(text)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers())
)
def test_any_parameters_are_taken_or_refused(parameters):
    only_activation_errors("soft-threshold", **parameters)
    only_activation_errors("x + a", **parameters)
