"""`meanfield design --reshape`, --share and --curvature: what they print, and what they refuse."""

from __future__ import annotations

import json

import pytest
import typer
from command import data, run

from meanfield.cli import app
from meanfield.quantities import QUANTITIES


def test_the_expression_printed_is_an_activation_with_what_was_asked_for() -> None:
    (row,) = data("design", "--act", "tanh", "--reshape", "--depth", "50")
    assert row["network_slope"] == pytest.approx(1.5, abs=1e-9)
    printed = run("design", "--act", "tanh", "--reshape", "--depth", "50").stdout
    assert f"  {row['formula']}\n" in printed
    assert f"phi({row['input_scale']} * x + {row['input_shift']})" in printed
    checked = run("check", "--act", row["formula"], "--sigma-w", "1", "--sigma-b", "0", "--format", "json")
    network = json.loads(checked.stdout)
    assert (network["q_star"], network["V_prime"]) == (pytest.approx(1, abs=1e-12), pytest.approx(1, abs=1e-12))
    assert network["chi_1"] == pytest.approx(row["R_prime"], abs=1e-12)


def test_every_key_is_a_quantity_or_an_option() -> None:
    command = typer.main.get_command(app).get_command(None, "design")
    options = {option.name for option in command.params}
    (row,) = data("design", "--act", "relu", "--reshape", "--depth", "9", "--slope", "free")
    assert {*row} - {*QUANTITIES} <= options


def test_several_depths_have_a_row_each_and_what_fails_is_told() -> None:
    asked = ["--act", "leaky-relu", "--reshape", "--method", "tat", "--depth", "5,20"]
    result = run("design", *asked, "--format", "json")
    assert result.exit_code == 1 and "reaches from 0 to" in result.stderr
    failed, found = json.loads(result.stdout)
    assert "error" in failed and found["network_zero"] == pytest.approx(0.9, abs=1e-10)
    assert found["input_scale"] == 1 and "leaky-relu(slope=" in found["activation"]


def test_the_only_parameter_of_a_smooth_family_is_solved_for() -> None:
    printed = run("design", "--act", "tanh(a*x)", "--curvature", "0.5", "--q-star", "1,2").stdout
    first, second = (line.split() for line in printed.splitlines() if line.endswith(" 0.5"))
    # a x does not change where a is measured in units of 1/√q*.
    assert float(first[0]) / float(second[0]) == pytest.approx(2**0.5, abs=1e-3)
    assert "other units" not in printed


REFUSED = {
    "no depth": (["--act", "tanh", "--reshape"], 2, "give --depth 50"),
    "a depth of words": (["--act", "tanh", "--reshape", "--depth", "deep"], 2, "--depth deep is no number of layers"),
    "no layers": (["--act", "tanh", "--reshape", "--depth", "0"], 2, "whole number from 1"),
    "an option of reshape": (["--zeta", "2"], 2, "--zeta is of --reshape"),
    "a depth without it": (["--depth", "2"], 2, "--depth is of --reshape"),
    "a sparsity": (["--act", "tanh", "--reshape", "--depth", "2", "--sparsity", "0.5"], 2, "--sparsity asks nothing"),
    "eta of tanh": (["--act", "tanh", "--reshape", "--depth", "2", "--eta", "0.5"], 2, "--eta asks nothing of tanh"),
    "a zeta of tat": (
        ["--act", "tanh", "--reshape", "--method", "tat", "--depth", "2", "--zeta", "2"],
        2,
        "--curvature",
    ),
    "a small zeta": (["--act", "tanh", "--reshape", "--depth", "2", "--zeta", "1"], 2, "give zeta > 1"),
    "relu": (["--act", "relu", "--reshape", "--depth", "2"], 2, "--slope free"),
    "parameters": (["--act", "clipped-relu", "--reshape", "--depth", "2"], 2, "needs tau and m"),
    "hard tanh": (["--act", "hard-tanh", "--reshape", "--depth", "9"], 1, "the nearest R'(1) is 1.46694"),
    "below alone": (["--below", "0.2"], 2, "--below says what --share calls near 0"),
    "sparsity of swish": (["--act", "swish"], 1, "exactly 0 nowhere"),
    "two of one": (["--act", "swish", "--share", "0.5", "--curvature", "1"], 2, "beta alone is open"),
    "a share of words": (["--act", "swish", "--share", "half"], 2, "--share half is neither"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    arguments, code, told = REFUSED[case]
    result = run("design", *arguments)
    assert result.exit_code == code
    assert told in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
