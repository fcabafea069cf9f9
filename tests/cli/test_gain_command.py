"""`meanfield gain`, `check --init`, and the covariance of outputs in `maps --rho`."""

from __future__ import annotations

import csv
import io
import math

import pytest
from command import data, run

import meanfield as mf
from meanfield.cli.gain import FanTold, WeightLaw
from meanfield.infinite_width.framework_code import DISTRIBUTIONS, FANS


def test_gain_of_relu_and_leaky_relu() -> None:
    relu, leaky = data("gain", "--act", "relu", "--act", "leaky-relu", "--slope", "0.2")
    assert relu["gain_sd"] == pytest.approx(1.712859, abs=5e-7)
    assert leaky["gain_sd"] == pytest.approx(1.546460, abs=5e-7)
    assert (leaky["phi_mean"], leaky["phi_variance"]) == pytest.approx((0.319154, 0.418141), abs=5e-7)
    assert relu["gain_rms"] == relu["gain_slope"] == relu["sigma_w_edge"] == pytest.approx(math.sqrt(2), rel=1e-15)
    printed = run("gain", "--act", "relu", "--act", "leaky-relu", "--slope", "0.2").stdout
    for number in ("1.71286", "1.54646", "0.319154", "0.418141"):
        assert number in printed


def test_every_gain_says_what_it_keeps_and_how_it_is_written() -> None:
    gains = data("gain", "--act", "relu")["gains"]
    assert [gain["gain"] for gain in gains] == ["1/rms φ (He)", "1/sd φ", "1/rms φ'", "edge of chaos"]
    printed = " ".join(run("gain", "--act", "relu").stdout.split())
    for gain in gains:
        assert " ".join(gain["keeps"].split()[:4]) in printed
        for framework in ("pytorch", "keras", "jax"):
            assert gain[framework]["weight"] in printed and gain[framework]["bias"] in printed


def test_what_is_printed_runs_as_it_is_broken_into_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = (
        run("gain", "--act", "hard-tanh", "--weights", "truncated", "--fan", "avg")
        .stdout.partition("Code")[2]
        .splitlines()
    )
    code = "\n".join(line.strip() for line in lines if line.startswith("    "))
    compile(code, "printed", "exec")
    assert code.count("torch.nn.init.trunc_normal_(") == code.count("jax.nn.initializers.variance_scaling(") == 3


def test_the_law_and_the_fan_of_a_framework_change_the_code_alone() -> None:
    layer = ["--fan-in", "784", "--fan-out", "196"]
    plain = data("gain", "--act", "relu", *layer)
    other = data("gain", "--act", "relu", *layer, "--weights", "uniform", "--fan", "out")
    for before, after in zip(plain["gains"], other["gains"], strict=True):
        assert (before["sigma_w"], before["weight_sd"]) == (after["sigma_w"], after["weight_sd"])
        assert after["weight_sd"] == pytest.approx(after["sigma_w"] / 28, rel=1e-15)
        assert after["g"] == pytest.approx(before["g"] / 2, rel=1e-15)
        assert 'mode="fan_out", distribution="uniform"' in after["keras"]["weight"]
    assert other["weights"] == "uniform" and other["fan"] == "out"


def test_words_for_laws_and_fans_are_those_of_the_code_and_of_frameworks() -> None:
    assert tuple(law.value for law in WeightLaw) == DISTRIBUTIONS and tuple(fan.value for fan in FanTold) == FANS
    asked = data("gain", "--act", "relu", "--weights", "TRUNCATED_normal", "--fan", "fan_avg")
    assert asked == data("gain", "--act", "relu", "--weights", "truncated", "--fan", "avg")
    shown = run("gain", "--help").stdout
    assert "normal|truncated|uniform" in shown and "in|out|avg" in shown


def test_csv_has_a_row_for_every_variance() -> None:
    result = run("gain", "--act", "relu", "--q", "1,4", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [float(row["gain_rms"]) for row in rows] == pytest.approx([math.sqrt(2), math.sqrt(2) / 2])
    assert [float(row["sigma_w_edge"]) for row in rows] == pytest.approx([math.sqrt(2)] * 2)
    assert "gains" not in rows[0]


@pytest.mark.parametrize("format", ["latex", "markdown"])
def test_a_paper_gets_a_row_of_numbers(format: str) -> None:
    result = run("gain", "--act", "relu", "--act", "sign", "--digits", "4", "--format", format)
    assert result.exit_code == 0 and "torch" not in result.stdout and "1.713" in result.stdout


def test_without_an_edge_the_other_gains_are_told_and_why() -> None:
    result = run("gain", "--act", "hard-sigmoid")
    assert result.exit_code == 0
    assert "edge of chaos: nothing, there is none: at q* = 1" in result.stdout
    answer = data("gain", "--act", "sign")
    assert (answer["gain_rms"], answer["gain_slope"], answer["sigma_w_edge"]) == (1, None, None)


def test_check_and_eoc_have_the_same_numbers() -> None:
    gain = data("gain", "--act", "hard-tanh")
    names = ("phi_mean", "phi_variance", "phi_rms", "slope_rms", "gain_rms", "gain_sd", "gain_slope")
    edge = data("eoc", "--act", "hard-tanh")
    checked = data("check", "--act", "hard-tanh", "--sigma-w", str(edge["sigma_w"]), "--sigma-b", str(edge["sigma_b"]))
    for answer in (edge, checked):
        assert {name: answer[name] for name in names} == pytest.approx({name: gain[name] for name in names}, rel=1e-9)


def test_pytorchs_default_is_judged_by_its_weights_and_biases() -> None:
    answer = data(
        "check", "--act", "relu", "--init", "torch-default", "--fan-in", "256", "--width", "256", "--depth", "50"
    )
    assert answer["sigma_w"] == pytest.approx(0.57735, abs=5e-6)
    assert answer["sigma_b"] == pytest.approx(0.036084, abs=5e-7)
    # q = q/6 + 1/768.
    assert answer["q_star"] == pytest.approx(1 / 640, rel=1e-12)
    assert answer["chi_1"] == pytest.approx(1 / 6, rel=1e-12)
    assert (answer["init"], answer["fan_in"]) == ("torch-default", 256)
    printed = run("check", "--act", "relu", "--init", "torch-default", "--fan-in", "256").stdout
    assert "0.57735" in printed and "0.0360844" in printed and "uniform weights" in printed


def test_an_initialiser_of_weights_leaves_the_biases_to_sigma_b() -> None:
    answer = data("check", "--act", "hard-tanh", "--init", "kaiming_normal", "--sigma-b", "0.2")
    assert (answer["sigma_w"], answer["sigma_b"]) == (math.sqrt(2), 0.2)


def test_a_fan_that_is_not_given_is_the_width() -> None:
    asked = ["check", "--act", "hard-tanh", "--init", "xavier_uniform", "--width", "100", "--depth", "5"]
    assert data(*asked)["sigma_w"] == 1
    assert data(*asked, "--fan-in", "300")["sigma_w"] == pytest.approx(math.sqrt(2 * 300 / 400), rel=1e-15)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--init", "he_normal", "--sigma-w", "1"], "give one of them"),
        ([], "--init"),
        (["--init", "torch-default"], "--fan-in"),
        (["--init", "xavier_normal", "--fan-in", "10"], "--fan-out"),
        (["--init", "torch-default", "--fan-in", "10", "--sigma-b", "0"], "leave out --sigma-b"),
        (["--sigma-w", "1", "--fan-in", "10"], "give --init"),
        (["--sigma-w", "1", "--fan-out", "10"], "give --init"),
        (["--init", "he_norml"], "did you mean he_normal"),
        (["--init", "he_normal", "--fan-in", "0"], "fan_in = 0"),
    ],
)
def test_weights_are_given_once(options: list[str], said: str) -> None:
    result = run("check", "--act", "relu", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *((["--weights", no], "normal or truncated or uniform") for no in ("cauchy", "normal-foo", "fan_uniform")),
        *((["--fan", no], "in or out or avg") for no in ("sideways", "in_bogus", "inputs")),
        (["--fan", "out", "--fan-in", "3"], "--fan-out"),
        (["--q", "0"], "q = 0"),
        (["--q", "1:2:1001"], "at most 1000"),
        (["--q", "x"], "START:STOP:COUNT"),
        (["--fan-in", "0"], "fan_in = 0"),
    ],
)
def test_a_gain_is_refused_in_a_line(options: list[str], said: str) -> None:
    result = run("gain", "--act", "relu", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr and result.stderr.count("\n") == 1


def test_maps_print_the_covariance_of_outputs_centred_and_not() -> None:
    rows = data("maps", "--act", "relu", "--rho", "0,0.5,1")
    kernel = [(math.sqrt(1 - r * r) + r * (math.pi - math.acos(r))) / (2 * math.pi) for r in (0, 0.5, 1)]
    about_mean = [c - 1 / (2 * math.pi) for c in kernel]
    assert [row["phi_product"] for row in rows] == pytest.approx(kernel, abs=1e-14)
    assert [row["phi_covariance"] for row in rows] == pytest.approx(about_mean, abs=1e-14)
    assert [row["phi_correlation"] for row in rows] == pytest.approx([c / about_mean[2] for c in about_mean], abs=1e-14)
    network = mf.operating_point(mf.activation("relu")).network
    # R mixes in the mean: σ_w² E φφ + σ_b² over q.
    assert [row["R"] for row in rows] == pytest.approx([network.layer(c) for c in kernel], abs=1e-14)


def test_maps_at_weights_of_ones_own_keep_the_outputs() -> None:
    edge = data("maps", "--act", "hard-tanh", "--rho", "0.5")
    other = data("maps", "--act", "hard-tanh", "--rho", "0.5", "--sigma-w", "2", "--sigma-b", "0.3")
    assert edge[0]["phi_covariance"] == other[0]["phi_covariance"]
    assert edge[0]["R"] != other[0]["R"]
