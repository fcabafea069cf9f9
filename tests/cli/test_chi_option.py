"""`--chi`: wherever a network is named by its q*, its gain χ₁ there may be chosen."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from command import data, run

import meanfield as mf

CRELU = "clipped-relu(tau=1, m=1)"
C, Q = 0.88, 2.0
NETWORK = mf.edge_of_chaos(mf.activation(CRELU), Q, C).mean_field
BY_GAIN = ["--q-star", str(Q), "--chi", str(C)]
BY_WEIGHTS = ["--q-star", str(Q), "--sigma-w", repr(NETWORK.sigma_w), "--sigma-b", repr(NETWORK.sigma_b)]

#: Every command that names its network by q* or by σ_w and σ_b.
JUDGED: dict[str, list[str]] = {
    "stability": ["--width", "50", "--depth", "10", "--escapes", "64", "--risk", "0.99"],
    "verify": ["--width", "20", "--depth", "3", "--networks", "20", "--jobs", "1"],
    "maps": ["--rho", "0.2,0.9"],
    "simulate": ["--width", "20", "--depth", "3", "--networks", "4", "--jobs", "1", "--backward"],
}


def close(found: Any, expected: Any) -> None:
    """The same record, but for the rounding of a fixed point that is known and of one that is found."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected.keys() - {"command", "explanation"}:
            close(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    else:
        assert found == expected


@pytest.mark.parametrize("command", JUDGED)
def test_a_gain_names_the_network_of_its_weights(command: str) -> None:
    answers = []
    for named in (BY_GAIN, BY_WEIGHTS):
        result = run(command, "--act", CRELU, *JUDGED[command], *named, "--format", "json")
        # verify may answer no.
        assert result.exit_code in (0, 1), result.stderr
        answers.append(json.loads(result.stdout))
    close(*answers)


def test_eoc_has_the_network_that_check_has() -> None:
    found, checked = data("eoc", "--act", CRELU, *BY_GAIN), data("check", "--act", CRELU, *BY_WEIGHTS)
    for key in ("sigma_w", "sigma_b", "q_star", "sparsity", "chi_1", "V_prime", "V_double_prime", "verdict"):
        close(found[key], checked[key])
    assert found["chi_1"] == pytest.approx(C, rel=1e-14)
    assert found["sigma_w"] == NETWORK.sigma_w


@pytest.mark.parametrize(("act", "c"), [("relu", 0.88), ("tanh", 1.05)])
def test_eoc_says_over_how_many_layers_correlations_settle(act: str, c: float) -> None:
    found = data("eoc", "--act", act, "--chi", str(c))
    assert found["xi_c"] == found["inputs"]["xi_c"]
    if c < 1:
        assert found["xi_c"] == pytest.approx(-1 / math.log(c), rel=1e-12)
    printed = run("eoc", "--act", act, "--chi", str(c)).stdout
    assert printed.startswith(f"{act} with χ₁ = {c}\n")
    assert "ξ_c" in printed
    # These are the rates of χ₁ = 1.
    assert "κ" not in printed and "R''(1)" not in printed and "edge of chaos\n" not in printed
    several = run("eoc", "--act", act, "--act", "hard-tanh", "--chi", str(c)).stdout
    assert several.startswith(f"Networks with χ₁ = {c}\n")


def test_without_a_gain_or_with_one_of_1_eoc_is_what_it_was() -> None:
    for form in ("table", "json"):
        plain, one = (run("eoc", "--act", CRELU, *more, "--format", form).stdout for more in ([], ["--chi", "1"]))
        assert plain == one
    assert "on the edge of chaos" in run("eoc", "--act", CRELU, "--chi", "1").stdout
    assert "xi_c" not in data("eoc", "--act", CRELU)


def test_the_code_that_is_exported_has_the_weights_of_the_gain() -> None:
    asked = ["export", "--act", CRELU]
    found, expected = (json.loads(run(*asked, "--to", "json", *named).stdout) for named in (BY_GAIN, BY_WEIGHTS))
    close(found, expected)
    code = run(*asked, "--to", "numpy", *BY_GAIN).stdout
    assert repr(NETWORK.sigma_w) in code and "Ordered." in code and "--chi 0.88" in code


def test_a_design_has_the_slope_that_is_asked_for_at_its_gain() -> None:
    (found,) = data("design", "--sparsity", "0.8", "--slope", "0.6", "--chi", "0.9")
    network = mf.MeanField(mf.activation(found["activation"]), found["sigma_w"], found["sigma_b"])
    assert network.chi1(1.0) == pytest.approx(0.9, rel=1e-13)
    assert network.V(1.0) == pytest.approx(1.0, rel=1e-13)
    assert network.dV(1.0) == pytest.approx(0.6, rel=1e-9)
    assert run("design", "--sparsity", "0.8", "--chi", "0.9").stdout.startswith("clipped-relu with χ₁ = 0.9\n")
    (curved,) = data("design", "--act", "tanh(a*x)", "--curvature", "0.5", "--chi", "0.9")
    network = mf.MeanField(mf.activation("tanh(a*x)", a=curved["a"]), curved["sigma_w"], curved["sigma_b"])
    assert curved["R_double_prime"] == pytest.approx(0.5, rel=1e-9)
    assert network.d2R(1.0, 1.0) == pytest.approx(0.5, rel=1e-9)


def test_a_design_for_a_width_and_depth_is_safe_at_its_gain() -> None:
    size = ["--safe-for", "width=100,depth=5", "--sparsity", "0.8", "--escapes", "512"]
    (found,) = data("design", *size, "--chi", "0.9")
    network = mf.MeanField(mf.activation(found["activation"]), found["sigma_w"], found["sigma_b"])
    assert network.chi1(1.0) == pytest.approx(0.9, rel=1e-13)
    judged = data(
        *("stability", "--act", found["activation"], "--chi", "0.9", "--width", "100", "--depth", "5"),
        *("--escapes", "512"),
    )
    assert judged["verdict"] == "safe"
    assert found["log_gain_mean"] < data("design", *size)[0]["log_gain_mean"]


def test_random_networks_beside_the_edge_follow_theory() -> None:
    asked = ["--act", CRELU, "--width", "100", "--depth", "8", "--networks", "200", "--jobs", "1", "--chi", "0.88"]
    answer = data("simulate", *asked, "--backward", "--seed", "5")
    rows = [row for row in answer["layers"] if row["layer"] and row["z"] is not None]
    assert len(rows) > 20
    assert max(abs(row["z"]) for row in rows) < 4.5
    # The square of a gradient falls by the gain in every layer.
    first = next(row for row in answer["layers"] if row["quantity"] == "log_gradient" and row["layer"] == 0)
    assert first["infinite_width"] == pytest.approx(8 * math.log(0.88), rel=1e-12)


TAKING = [
    ["eoc"],
    ["stability", "--width", "20", "--depth", "4"],
    ["verify"],
    ["maps"],
    ["simulate", "--width", "20", "--depth", "4"],
    ["export", "--to", "numpy"],
    ["train", "--data", "digits"],
    *(["plot", kind] for kind in ("variance", "correlation", "trajectory", "summary")),
]


@pytest.mark.parametrize("command", TAKING, ids=lambda command: command[0] + command[-1])
@pytest.mark.parametrize("weights", [["--sigma-w", "1.2"], ["--sigma-b", "0.1"], ["--sigma-w", "1", "--sigma-b", "1"]])
@pytest.mark.parametrize("chi", ["0.9", "1"])
def test_a_gain_beside_weights_or_biases_is_refused_in_a_line(command: list[str], weights: list[str], chi: str) -> None:
    if command[0] == "eoc":
        weights = weights[:2]
    result = run(*command, "--act", "tanh", "--chi", chi, *weights)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "chi" in line and "sigma" in line and ("give" in line or "leave" in line)


@pytest.mark.parametrize("command", [*TAKING, ["design"]], ids=lambda command: command[0] + command[-1])
@pytest.mark.parametrize("chi", ["0", "-1", "nan", "inf", "hot"])
def test_what_is_no_gain_is_refused_in_a_line(command: list[str], chi: str) -> None:
    act = "clipped-relu" if command == ["design"] else "tanh"
    result = run(*command, "--act", act, f"--chi={chi}")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "chi" in line and "give" in line


@pytest.mark.parametrize("command", TAKING[:6], ids=lambda command: command[0])
def test_a_gain_that_leaves_no_biases_is_refused_with_the_largest_that_does(command: list[str]) -> None:
    result = run(*command, "--act", "relu", "--chi", "1.1")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.endswith("at q* = 1, χ₁ = 1.1 and V(q*) = q* need σ_b² < 0; χ₁ <= 1 would do at this q*")


@pytest.mark.parametrize("command", [["phase"], ["gain"], ["derive"], ["check", "--sigma-w", "1"], ["plot", "phase"]])
def test_what_names_no_network_by_its_q_takes_no_gain(command: list[str]) -> None:
    result = run(*command, "--act", "tanh", "--chi", "0.9")
    assert result.exit_code == 2
    assert "--chi" in result.stderr


def test_a_reshaped_activation_takes_no_gain() -> None:
    result = run("design", "--act", "tanh", "--reshape", "--chi", "1")
    assert result.exit_code == 2
    assert "--chi asks nothing of a reshaped activation" in result.stderr
