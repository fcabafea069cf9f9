from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf, ndtr

from meanfield.activations.catalogue import ACTIVATIONS, find, nearest
from meanfield.activations.entry import number
from meanfield.activations.spec import activation, read_activation
from meanfield.errors import ActivationError

DOCS = Path(__file__).parents[2] / "docs" / "activations.md"

x = np.random.default_rng(0).uniform(-8, 8, 2000)

#: Each name's definition, written out once more in numpy.
DEFINITIONS = {
    "relu": lambda: np.where(x > 0, x, 0),
    "leaky-relu": lambda slope: np.where(x > 0, x, slope * x),
    "prelu": lambda init: np.maximum(0, x) + init * np.minimum(0, x),
    "rrelu": lambda lower, upper: np.where(x >= 0, x, (lower + upper) / 2 * x),
    "abs": lambda: np.sqrt(x**2),
    "identity": lambda: x,
    "shifted-relu": lambda tau: np.where(x > tau, x - tau, 0),
    "soft-threshold": lambda tau: np.sign(x) * np.maximum(np.abs(x) - tau, 0),
    "clipped-relu": lambda tau, m: np.where(x > tau + m, m, np.where(x > tau, x - tau, 0)),
    "clipped-soft-threshold": lambda tau, m: np.sign(x) * np.clip(np.abs(x) - tau, 0, m),
    "hard-threshold": lambda tau: x * (np.abs(x) > tau),
    "threshold": lambda threshold, value: np.where(x > threshold, x, value),
    "thresholded-relu": lambda theta: x * (x > theta),
    "hard-tanh": lambda min_val, max_val: np.where(x > max_val, max_val, np.where(x < min_val, min_val, x)),
    "hard-sigmoid": lambda: np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "sparse-sigmoid": lambda: np.where(x <= -1, 0, np.where(x >= 1, 1, (x + 1) / 2)),
    "relu6": lambda: np.minimum(np.maximum(x, 0), 6),
    "keras-relu": lambda max_value, negative_slope, threshold: np.where(
        x >= max_value, max_value, np.where(x >= threshold, x, negative_slope * (x - threshold))
    ),
    "sign": lambda: np.sign(x),
    "step": lambda: np.heaviside(x, 0),
    "ternary": lambda tau: np.where(np.abs(x) > tau, np.sign(x), 0),
    "round": lambda low, high: np.round(np.clip(x, low, high)),
    "floor": lambda low, high: np.floor(np.clip(x, low, high)),
    "ceil": lambda low, high: np.ceil(np.clip(x, low, high)),
    "quantize": lambda bits, low, high: (levels := np.linspace(low, high, 2**bits))[
        np.abs(x[:, None] - levels).argmin(axis=1)
    ],
    "tanh": lambda: np.tanh(x),
    "sigmoid": lambda: 1 / (1 + np.exp(-x)),
    "erf": lambda: erf(x),
    "gelu": lambda: x * ndtr(x),
    "gelu-tanh": lambda: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "quick-gelu": lambda: x / (1 + np.exp(-1.702 * x)),
    "silu": lambda: x / (1 + np.exp(-x)),
    "swish": lambda beta: x / (1 + np.exp(-beta * x)),
    "mish": lambda: x * np.tanh(np.log(1 + np.exp(x))),
    "elu": lambda alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1)),
    "selu": lambda: 1.0507009873554804934 * np.where(x > 0, x, 1.6732632423543772848 * (np.exp(x) - 1)),
    "celu": lambda alpha: np.maximum(x, 0) + np.minimum(0, alpha * (np.exp(x / alpha) - 1)),
    "softplus": lambda beta: np.log(1 + np.exp(beta * x)) / beta,
    "softsign": lambda: x / (1 + np.abs(x)),
    "tanhshrink": lambda: x - np.tanh(x),
    "logsigmoid": lambda: np.log(1 / (1 + np.exp(-x))),
    "hard-swish": lambda: np.where(x <= -3, 0, np.where(x >= 3, x, x * (x + 3) / 6)),
    "relu2": lambda: np.where(x > 0, x**2, 0),
    "squareplus": lambda b: (x + np.sqrt(x**2 + b)) / 2,
    "sparse-plus": lambda: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "smelu": lambda beta: np.where(x <= -beta, 0, np.where(x >= beta, x, (x + beta) ** 2 / (4 * beta))),
    "sin": lambda: np.sin(x),
    "cos": lambda: np.cos(x),
    "snake": lambda a: x + (1 - np.cos(2 * a * x)) / (2 * a),
    "gaussian": lambda: np.exp(-(x**2)),
    "exp": lambda: np.exp(x),
    "square": lambda: x * x,
    "atan": lambda: np.arctan(x),
    "asinh": lambda: np.log(x + np.sqrt(x**2 + 1)),
    "bent-identity": lambda: (np.sqrt(x**2 + 1) - 1) / 2 + x,
    "log-cosh": lambda: np.log(np.cosh(x)),
    "isru": lambda alpha: x / np.sqrt(1 + alpha * x**2),
    "isrlu": lambda alpha: np.where(x < 0, x / np.sqrt(1 + alpha * x**2), x),
    "lisht": lambda: x * np.tanh(x),
    "logish": lambda: x * np.log(1 + 1 / (1 + np.exp(-x))),
    "smish": lambda: x * np.tanh(np.log(1 + 1 / (1 + np.exp(-x)))),
    "serf": lambda: x * erf(np.log(1 + np.exp(x))),
    "phish": lambda: x * np.tanh(x * ndtr(x)),
    "tanhexp": lambda: x * np.tanh(np.exp(x)),
    "elish": lambda: np.where(x >= 0, x, np.exp(x) - 1) / (1 + np.exp(-x)),
    "sqnl": lambda: np.where(np.abs(x) > 2, np.sign(x), x - np.sign(x) * x**2 / 4),
}
VALUES = {"tau": 0.7, "m": 1.3, "slope": -0.3, "init": 0.4, "lower": 0.2, "upper": 0.3, "threshold": 0.25, "value": -2}
VALUES |= {"theta": 0.5, "min_val": -0.5, "max_val": 2, "max_value": 3, "negative_slope": 0.2, "bits": 2}
VALUES |= {"low": -2.3, "high": 3.6, "alpha": 0.7, "beta": 1.6, "a": 1.3, "b": 2}


def values(entry):
    return {parameter.name: VALUES[parameter.name] for parameter in entry.parameters}


def test_every_entry_is_tested_against_its_definition():
    assert {entry.name for entry in ACTIVATIONS} == set(DEFINITIONS)


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_formula_is_the_definition(entry):
    given = values(entry)
    # The textbook form of asinh loses 1e-13 at -8.
    np.testing.assert_allclose(
        activation(entry.name, **given)(x), DEFINITIONS[entry.name](**given), rtol=1e-13, atol=5e-14
    )


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_formula_with_values_put_in_reads_back_as_the_same_activation(entry):
    named = read_activation(entry.name, **values(entry))
    assert activation(named.formula) == named.phi
    assert activation(named.label) == named.phi


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_signature_and_label_name_the_parameters(entry):
    name, _, inside = entry.signature.removesuffix(")").partition("(")
    assert name == entry.name
    assert [part.partition("=")[0] for part in inside.split(", ") if part] == [p.name for p in entry.parameters]


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_a_name_is_found_in_any_case_and_with_any_dashes(entry):
    for name in (entry.name, *entry.aliases):
        for spelling in (name, name.upper(), name.replace("-", "_"), name.replace("-", ""), name.title()):
            assert find(spelling) is entry


def test_the_finest_quantiser_has_its_levels():
    phi = activation("quantize(12)")
    assert len(phi.knots) == 4095 and len(set(phi.intercepts)) == 4096


def test_no_two_entries_share_a_name():
    names = [name for entry in ACTIVATIONS for name in (entry.name, *entry.aliases)]
    assert len({name.replace("-", "") for name in names}) == len(names)


#: What PyTorch 2, JAX and Keras 3 document under each name, as an expression.
ELSEWHERE = {
    "nn.ReLU": "max(x, 0)",
    "torch.nn.ReLU(inplace=True)": "max(x, 0)",
    "relu6": "min(max(x, 0), 6)",
    "F.relu6(x)": "min(max(x, 0), 6)",
    "jax.nn.relu6": "min(max(x, 0), 6)",
    "Hardtanh": "max(min(x, 1), -1)",
    "Hardtanh(min_val=-2, max_val=2)": "max(min(x, 2), -2)",
    "hardtanh(-2, 2)": "max(min(x, 2), -2)",
    "nn.Hardtanh(-2, 2, True)": "max(min(x, 2), -2)",
    "Hardtanh(max_value=3)": "max(min(x, 3), -1)",
    "jax.nn.hard_tanh": "max(min(x, 1), -1)",
    "Threshold(0.1, 20)": "where(x > 0.1, x, 20)",
    "keras.activations.threshold(x, 0.1, default_value=20)": "where(x > 0.1, x, 20)",
    "PReLU": "max(x, 0) + 0.25*min(x, 0)",
    "PReLU(0.25)": "max(x, 0) + 0.25*min(x, 0)",
    "nn.PReLU(num_parameters=64, init=0.1)": "max(x, 0) + 0.1*min(x, 0)",
    "keras.layers.PReLU()": "max(x, 0)",
    "flax.linen.PReLU": "max(x, 0) + 0.01*min(x, 0)",
    "LeakyReLU": "max(x, 0) + 0.01*min(x, 0)",
    "LeakyReLU(negative_slope=0.2)": "max(x, 0) + 0.2*min(x, 0)",
    "F.leaky_relu(x, 0.2)": "max(x, 0) + 0.2*min(x, 0)",
    "jax.nn.leaky_relu": "max(x, 0) + 0.01*min(x, 0)",
    "keras.layers.LeakyReLU": "max(x, 0) + 0.3*min(x, 0)",
    "keras.activations.leaky_relu": "max(x, 0) + 0.2*min(x, 0)",
    "tf.nn.leaky_relu(alpha=1/3)": "max(x, 0) + 1/3*min(x, 0)",
    "RReLU": "max(x, 0) + (1/8 + 1/3)/2*min(x, 0)",
    "RReLU(lower=0.1, upper=0.3)": "max(x, 0) + 0.2*min(x, 0)",
    "Hardsigmoid": "min(max(x + 3, 0), 6)/6",
    "jax.nn.hard_sigmoid": "min(max(x + 3, 0), 6)/6",
    "jax.nn.sparse_sigmoid": "min(max(x + 1, 0), 2)/2",
    "Hardshrink": "where(abs(x) > 0.5, x, 0)",
    "Hardshrink(lambd=0.25)": "where(abs(x) > 0.25, x, 0)",
    "Softshrink(0.3)": "where(x > 0.3, x - 0.3, where(x < -0.3, x + 0.3, 0))",
    "keras.activations.soft_shrink(threshold=1)": "where(x > 1, x - 1, where(x < -1, x + 1, 0))",
    "nn.Identity()": "x",
    "keras.activations.linear": "x",
    "keras.layers.ReLU(max_value=6, negative_slope=0.1, threshold=1)": "where(x < 1, 0.1*(x - 1), min(x, 6))",
    "relu(max_value=6)": "clip(x, 0, 6)",
    "relu(max_value=None)": "max(x, 0)",
    "torch.sign": "sign(x)",
    "nn.Tanh()": "tanh(x)",
    "F.gelu": "0.5*x*(1 + erf(x/sqrt(2)))",
    "GELU(approximate='none')": "x*Phi(x)",
    "GELU(approximate='tanh')": "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))",
    "gelu(approximate=tanh)": "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))",
    "jax.nn.gelu": "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))",
    "jax.nn.gelu(x, False)": "x*Phi(x)",
    "jax.nn.gelu(approximate=True)": "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))",
    "flax.linen.gelu(approximate=False)": "x*Phi(x)",
    "keras.activations.gelu": "x*Phi(x)",
    "keras.activations.gelu(x, approximate=True)": "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))",
    "jax.nn.silu": "x/(1 + exp(-x))",
    "nn.SiLU(inplace=True)": "x/(1 + exp(-x))",
    "keras.activations.swish": "x/(1 + exp(-x))",
    "silu(beta=2)": "x/(1 + exp(-2*x))",
    "nn.ELU(alpha=0.5)": "where(x > 0, x, 0.5*(exp(x) - 1))",
    "F.elu(x, 0)": "max(x, 0)",
    "keras.layers.ELU": "where(x > 0, x, exp(x) - 1)",
    "F.celu(x, alpha=2)": "max(x, 0) + min(2*(exp(x/2) - 1), 0)",
    "nn.Softplus(beta=2, threshold=20)": "log(1 + exp(2*x))/2",
    "softplus(2)": "log(1 + exp(2*x))/2",
    "F.logsigmoid": "log(1/(1 + exp(-x)))",
    "nn.Hardswish": "x*min(max(x/6 + 0.5, 0), 1)",
    "jax.nn.hard_silu": "x*min(max(x/6 + 0.5, 0), 1)",
    "jax.nn.squareplus(x, 0)": "max(x, 0)",
    "jax.nn.sparse_plus": "where(x < -1, 0, where(x < 1, (x + 1)**2/4, x))",
    "keras.activations.exponential": "exp(x)",
    "torch.arctan": "atan(x)",
    "torch.round(-2, 2)": "step(x + 1.5) + step(x + 0.5) + step(x - 0.5) + step(x - 1.5) - 2",
    "quantize(bits=1)": "sign(x)",
    "quantise(2, 0, 3)": "step(x - 0.5) + step(x - 1.5) + step(x - 2.5)",
    "ternarize(5%)": "step(x - 0.05) - step(-x - 0.05)",
    "leaky-relu(1/3)": "max(x, 0) + 1/3*min(x, 0)",
    "leaky-relu(sqrt(4)/10)": "max(x, 0) + 0.2*min(x, 0)",
}


@pytest.mark.parametrize(("name", "definition"), ELSEWHERE.items())
def test_a_name_of_another_library_means_what_it_means_there(name, definition):
    assert activation(name) == activation(definition)
    assert activation(read_activation(name).label) == activation(definition)


def test_parameters_go_by_the_names_of_other_libraries_beside_the_name_too():
    assert activation("softshrink", lambd=0.5) == activation("soft-threshold", tau=0.5)
    assert activation("hardtanh", max_val=2) == activation("clip(x, -1, 2)")
    assert activation("relu", max_value=6, negative_slope=None) == activation("relu6")
    assert activation("gelu", approximate="tanh") == activation("jax.nn.gelu", approximate=True)
    with pytest.raises(ActivationError, match="takes no parameter 'lambd'"):
        activation("shifted-relu", lambd=0.5)


@pytest.mark.parametrize("name", "xielu torch.sinh soft_exponential torch.pow gcu HardMish".split())
def test_a_known_function_without_a_line_is_taken_for_no_other(name):
    with pytest.raises(ActivationError, match="has no line in the catalogue: write its formula") as refused:
        activation(name)
    assert "did you mean" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", "tan torch.sqrt torch.log torch.atanh acosh logit".split())
def test_what_is_no_number_for_some_x_is_called_so(name):
    with pytest.raises(ActivationError, match="is not a finite number for every x") as refused:
        activation(name)
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize("name", ["glu", "softmax", "Softmax(dim=-1)", "maxout", "nn.GLU()", "dropout(0.5)", "SwiGLU"])
def test_what_is_no_function_of_one_number_is_called_so(name):
    with pytest.raises(ActivationError, match="is no function of one number") as refused:
        activation(name)
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize("other", ["frelu", "xrelu", "xielu2", "tann", "tf.nn.crelu", "torch.nn.st"])
def test_no_other_function_is_suggested(other):
    with pytest.raises(ActivationError) as refused:
        activation(other)
    assert "did you mean" not in str(refused.value)


def test_label_writes_whole_numbers_without_a_point():
    assert read_activation("crelu", tau=1.0, m=2.5).label == "clipped-relu(tau=1, m=2.5)"
    assert read_activation("relu").label == "relu"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("soft-threshold", {"tau": -1}, "tau = -1 is out of range: give tau >= 0"),
        ("clipped-relu", {"tau": 0, "m": 0}, "m = 0 is out of range: give m > 0"),
        ("soft-threshold", {"tau": math.nan}, "tau = nan is not finite"),
        ("leaky-relu", {"slope": math.inf}, "slope = inf is not finite"),
        ("soft-threshold", {"tau": "0.5"}, "tau = '0.5' is not a number"),
        ("soft-threshold", {"tau": True}, "tau = True is not a number"),
        ("soft-threshold", {}, "needs tau"),
        ("clipped-relu", {"m": 1}, "needs tau: write for instance clipped-relu"),
        ("clipped-relu", {}, "needs tau and m"),
        ("relu", {"tau": 1}, "relu takes no parameter 'tau'"),
        ("hardtanh(2, -2)", {}, "min_val = 2 is not below max_val = -2"),
        ("round", {}, "needs low and high: write for instance round(low=-8, high=8)"),
        ("quantize(2.5)", {}, "bits = 2.5 is out of range: give a whole number from 1 to 12"),
        ("quantize(13)", {}, "from 1 to 12"),
        ("soft-threshold", {"tau": 1, "lambd": 1}, "tau is given twice"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named_with_its_bound(name, given, said):
    with pytest.raises(ActivationError) as refused:
        activation(name, **given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_numbers_of_numpy_are_numbers():
    assert number("a", np.float32(0.5)) == 0.5
    assert number("a", np.int64(2)) == 2
    with pytest.raises(ActivationError):
        number("a", np.True_)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("soft-treshold", "soft-threshold"),
        ("leaky", "leaky-relu"),
        ("Relu-6", "relu6"),
        ("idendity", "identity"),
        ("sellu", "selu"),
        ("hardswich", "hard-swish"),
        ("gellu", "gelu"),
    ],
)
def test_the_nearest_name_is_the_one_meant(misspelt, meant):
    assert nearest(misspelt) == meant


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_the_table_in_the_docs_has_the_line_of_the_catalogue(entry):
    aliases = ", ".join(f"`{alias}`" for alias in entry.aliases)
    cells = [f"`{entry.signature}`", f"`{entry.formula}`", aliases, entry.description]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in DOCS.read_text().splitlines()]
    assert cells in rows


def test_reading_names_loads_no_numpy():
    heavy = {"numpy", "scipy", "fractions", "meanfield.activations.expression"}
    code = f"import sys, meanfield.activations.catalogue; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_reading_an_expression_loads_nothing_that_only_other_forms_need():
    unneeded = {f"meanfield.activations.{name}" for name in ("sampling", "files", "points")}
    code = f"import sys, meanfield; meanfield.activation('max(x, 0)'); print({unneeded} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
