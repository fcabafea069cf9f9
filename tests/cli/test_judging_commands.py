"""The commands that judge at a width and depth, and that all of them judge the same fixed point."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
from command import data, run
from matplotlib.figure import Figure

import meanfield as mf
from meanfield.plot import drawing

CRELU = "clipped-relu(tau=1.0364, m=2)"
SMALL = ["--width", "60", "--depth", "20", "--escapes", "512"]
#: Every answer but remedies, which take long to find.
SAFE = [*SMALL, "--risk", "0.9"]


def test_stability_answers_with_every_quantity() -> None:
    answer = data("stability", "--act", CRELU, *SAFE)
    assert list(answer)[:27] == [
        "activation",
        "q_star",
        "sigma_w",
        "sigma_b",
        "width",
        "depth",
        "verdict",
        "explanation",
        "share_lost",
        "share_interval",
        "signal_lost",
        "gradient_lost",
        "one_minus_rho",
        "signal",
        "gradient",
        "inputs",
        "remedies",
        "V_prime",
        "basin",
        "sd",
        "margin",
        "escape_probability",
        "escape_interval",
        "xi_q",
        "xi_c",
        "jacobian_variance_gaussian",
        "jacobian_variance_orthogonal",
    ]
    assert (answer["verdict"], answer["remedies"]) == ("safe", [])
    assert answer["basin"] == [0.0, pytest.approx(1.2348, abs=1e-4)]
    assert answer["xi_c"] is None
    assert answer["xi_q"] == pytest.approx(-1 / math.log(answer["V_prime"]))
    low, high = answer["escape_interval"]
    assert low < answer["escape_probability"] < high
    assert answer["layers"][-1]["layer"] == 20
    assert answer["layers"][-1]["escaped"] == answer["escape_probability"]
    assert data("stability", "--act", "clipped-relu(1, 1)", *SMALL)["basin"] == [0.0, None]


def test_a_seed_decides_and_is_told() -> None:
    first, again, other = (
        data("stability", "--act", CRELU, *SAFE, "--seed", seed)["escape_probability"] for seed in ("1", "1", "2")
    )
    assert first == again != other
    assert "seed 1" in run("stability", "--act", CRELU, *SAFE, "--seed", "1", "--verbose").stdout


@pytest.mark.parametrize("act", [CRELU, "clipped-relu(tau=1.0364, m=1)", "shifted-relu(1.0364)", "relu"])
def test_eoc_check_and_stability_agree_at_a_width_and_depth(act: str) -> None:
    size = ["--width", "40", "--depth", "6"]
    full = data("stability", "--act", act, *size)
    edge = data("eoc", "--act", act, *size)
    check = data("check", "--act", act, "--sigma-w", str(edge["sigma_w"]), "--sigma-b", str(edge["sigma_b"]), *size)
    assert full["verdict"] == edge["verdict"] == check["verdict"]
    assert (edge["explanation"], edge["remedies"]) == (full["explanation"], full["remedies"])


@pytest.mark.parametrize("command", ["check", "stability"])
def test_a_width_and_depth_are_answered_where_no_signal_is_left(command: str) -> None:
    arguments = [command, "--act", "relu", "--sigma-w", "1.2439778", "--width", "100", "--depth", "20"]
    answer = data(*arguments)
    # E φ² is q/2.
    assert f"q = {(1.2439778**2 / 2) ** 20:.3g} there" in answer["explanation"]
    assert answer["verdict"] == "unstable"
    assert answer["remedies"][0]["sigma_w"] == pytest.approx(math.sqrt(2))
    strict = run(*arguments, "--strict")
    assert strict.exit_code == 1
    assert "layer 20" in " ".join(strict.stdout.split())


def test_strict_fails_a_fragile_network_and_passes_a_safe_one() -> None:
    arguments = ["check", "--act", CRELU, "--sigma-w", "2.592286", "--sigma-b", "0.737097", "--strict"]
    assert run(*arguments).exit_code == 0
    assert run(*arguments, "--width", "60", "--depth", "15").exit_code == 1
    assert run(*arguments, "--width", "3000", "--depth", "2").exit_code == 0


def test_stability_at_given_weights_starts_where_it_is_told() -> None:
    answer = data(
        "stability", "--act", "hard-tanh", "--sigma-w", "1.5", "--sigma-b", "0.1", *SMALL, "--q0", "4", "--within", "3"
    )
    assert (answer["q0"], answer["within"]) == (4.0, 3.0)
    assert answer["q_star"] == pytest.approx(1.2775, abs=1e-4)
    assert "from q = 4" in answer["explanation"]


@pytest.mark.parametrize(("near", "q_star"), [("1", 0.99999715), ("3.4", 3.47608098)])
def test_every_command_judges_the_same_fixed_point(
    near: str, q_star: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the figures the numbers are read, and nothing is painted.
    monkeypatch.setattr(drawing, "new_figure", lambda *_: [Figure().subplots()])
    network = ["--act", CRELU, "--sigma-w", "2.592286", "--sigma-b", "0.737097", "--q-star", near]
    # Of one layer, which is safe: no remedies are sought.
    small = ["--width", "200", "--depth", "1", "--networks", "10"]
    for command in (
        ["check"],
        ["stability", *small[:-2]],
        ["simulate", *small],
        ["verify", *small],
    ):
        assert data(*command, *network)["q_star"] == pytest.approx(q_star, rel=1e-8)

    def drawn(*command: str) -> list[dict[str, str]]:
        numbers = tmp_path / f"{command[0]}.csv"
        assert (
            run("plot", *command, *network, "--data", str(numbers), "-o", str(tmp_path / "figure.svg")).exit_code == 0
        )
        return list(csv.DictReader(io.StringIO(numbers.read_text())))

    trajectory, summary = drawn("trajectory", *small), drawn("summary", *small)
    for rows in (trajectory, summary):
        start = next(row for row in rows if row["quantity"] == "q" and row["layer"] == "0")
        assert float(start["infinite_width"]) == pytest.approx(q_star, rel=1e-8)
    # R is that at q*, and so are the correlations it keeps.
    kept = {p.rho for p in mf.correlation_fixed_points(mf.MeanField(mf.activation(CRELU), 2.592286, 0.737097), q_star)}
    for rows in (drawn("correlation"), summary):
        rhos = [float(row["rho"]) for row in rows if "stable" in row["kind"] and row["rho"]]
        assert sorted(rhos) == pytest.approx(sorted(kept), rel=1e-6)
