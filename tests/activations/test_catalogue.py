from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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
    "abs": lambda: np.sqrt(x**2),
    "identity": lambda: x,
    "shifted-relu": lambda tau: np.where(x > tau, x - tau, 0),
    "soft-threshold": lambda tau: np.sign(x) * np.maximum(np.abs(x) - tau, 0),
    "clipped-relu": lambda tau, m: np.where(x > tau + m, m, np.where(x > tau, x - tau, 0)),
    "clipped-soft-threshold": lambda tau, m: np.sign(x) * np.clip(np.abs(x) - tau, 0, m),
    "hard-threshold": lambda tau: x * (np.abs(x) > tau),
    "hard-tanh": lambda: np.clip(x, -1, 1),
    "hard-sigmoid": lambda: np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "relu6": lambda: np.minimum(np.maximum(x, 0), 6),
    "sign": lambda: np.sign(x),
    "step": lambda: np.heaviside(x, 0),
    "ternary": lambda tau: np.where(np.abs(x) > tau, np.sign(x), 0),
}
VALUES = {"tau": 0.7, "m": 1.3, "slope": -0.3}


def values(entry):
    return {parameter.name: VALUES[parameter.name] for parameter in entry.parameters}


def test_every_entry_is_tested_against_its_definition():
    assert {entry.name for entry in ACTIVATIONS} == set(DEFINITIONS)


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_formula_is_the_definition(entry):
    given = values(entry)
    np.testing.assert_allclose(activation(entry.name, **given)(x), DEFINITIONS[entry.name](**given), atol=1e-14)


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_formula_with_values_put_in_reads_back_as_the_same_activation(entry):
    named = read_activation(entry.name, **values(entry))
    assert activation(named.formula) == named.phi
    assert activation(named.label) == named.phi


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_signature_and_label_name_the_parameters(entry):
    names = [parameter.name for parameter in entry.parameters]
    assert entry.signature == (f"{entry.name}({', '.join(names)})" if names else entry.name)


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=lambda entry: entry.name)
def test_a_name_is_found_in_any_case_and_with_any_dashes(entry):
    for name in (entry.name, *entry.aliases):
        for spelling in (name, name.upper(), name.replace("-", "_"), name.replace("-", ""), name.title()):
            assert find(spelling) is entry


def test_no_two_entries_share_a_name():
    names = [name for entry in ACTIVATIONS for name in (entry.name, *entry.aliases)]
    assert len({name.replace("-", "") for name in names}) == len(names)


def test_names_of_pytorch_are_known():
    for name, ours in {
        "softshrink": "soft-threshold",
        "hardshrink": "hard-threshold",
        "hardtanh": "hard-tanh",
        "hardsigmoid": "hard-sigmoid",
        "leaky_relu": "leaky-relu",
        "relu6": "relu6",
    }.items():
        assert find(name).name == ours
    assert activation("softshrink", lambd=0.5) == activation("soft-threshold", tau=0.5)
    assert activation("hardshrink", lambd=0.5) == activation("hard-threshold", tau=0.5)
    assert activation("leaky_relu", negative_slope=0.1) == activation("leaky-relu", slope=0.1)
    with pytest.raises(ActivationError, match="takes no parameter 'lambd'"):
        activation("shifted-relu", lambd=0.5)


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
    [("soft-treshold", "soft-threshold"), ("leakyrelu_", "leaky-relu"), ("Relu-6", "relu6"), ("idendity", "identity")],
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
