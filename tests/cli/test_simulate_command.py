"""`meanfield simulate` and `verify`, and the figure of an ensemble, as their user meets them."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from command import data, run

import meanfield as mf
from meanfield.finite_width.experiment import Experiment
from meanfield.simulation.comparison import compare
from meanfield.simulation.ensemble import simulate

CRELU = "clipped-relu(tau=1.0364, m=1)"
SMALL = ["--act", CRELU, "--width", "30", "--depth", "6", "--networks", "8", "--jobs", "1"]


def test_simulate_prints_what_the_library_computes() -> None:
    answer = data("simulate", *SMALL, "--backward", "--rho0", "0.2", "--seed", "3")
    network = mf.edge_of_chaos(mf.activation(CRELU)).mean_field
    e = Experiment(network, 30, 6, 8, rho=0.2, backward=True, q_star=1.0, seed=3)
    found = compare(simulate(e))
    assert {key: answer[key] for key in e.as_record()} == e.as_record()
    assert answer["activation"] == CRELU
    assert len(answer["layers"]) == 4 * 7
    for row in answer["layers"]:
        s, p, layer = found.statistics[row["quantity"]], found.predicted[row["quantity"]], row["layer"]
        assert row["ensemble_mean"] == s.mean[layer]
        assert row["q95"] == s.quantiles[-1, layer]
        assert row["infinite_width"] == p.value[layer]
        for key, value in (("theory_mean", p.mean[layer]), ("theory_sd", p.sd[layer]), ("z", s.z[layer])):
            assert row[key] == (None if math.isnan(value) else value)


def test_results_go_to_every_file_asked_for(tmp_path: Path) -> None:
    names = ["run.jsonl", "run.npz", "run.csv", "run.json", "run.txt"]
    result = run("simulate", *SMALL, *(part for name in names for part in ("-o", str(tmp_path / name))))
    assert (result.exit_code, result.stdout) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "run.csv").read_text())))
    assert [row["quantity"] for row in rows] == [name for name in ("q", "rho", "sparsity") for _ in range(7)]
    assert json.loads((tmp_path / "run.json").read_text())["width"] == 30
    assert np.load(tmp_path / "run.npz")["rho"].shape == (8, 7)
    assert "the variance of a pre-activation" in (tmp_path / "run.txt").read_text()
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) == 9


def test_an_ending_says_the_same_in_capitals(tmp_path: Path) -> None:
    networks, numbers = str(tmp_path / "run.JSONL"), str(tmp_path / "run.NPZ")
    for resume in ([], ["--resume"]):
        assert run("simulate", *SMALL, "-o", networks, "-o", numbers, *resume).exit_code == 0
    assert len(Path(networks).read_text().splitlines()) == 9
    assert "--digits has no say" in run("simulate", *SMALL, "-o", numbers, "--digits", "3").stderr
    assert "--networks-from" in run("plot", "variance", "--act", "relu", "--data", numbers).stderr


def test_too_few_networks_to_tell_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meanfield.cli.ensembles.ensemble", lambda *asked, **how: pytest.fail("networks are drawn"))
    result = run("verify", "--act", "relu", "--networks", "9")
    assert (result.exit_code, "at least 10" in result.stderr) == (2, True)


def test_a_file_of_networks_leaves_the_table_on_the_screen(tmp_path: Path) -> None:
    result = run("simulate", *SMALL, "-o", str(tmp_path / "run.jsonl"))
    assert "the variance of a pre-activation" in result.stdout
    again = run("simulate", *SMALL, "-o", str(tmp_path / "run.jsonl"), "--resume")
    assert again.stdout == result.stdout


def test_tables_keep_within_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    exploding = ["--act", "shifted-relu(tau=1.0364)", "--width", "50", "--depth", "100", "--networks", "40"]
    for arguments in ([*SMALL, "--backward"], [*exploding, "--jobs", "1"], [*SMALL, "--conv", "3", "--size", "4"]):
        lines = run("simulate", *arguments).stdout.splitlines()
        assert max(map(len, lines)) <= 80
        # No number goes on in the next line: a row of digits has one under "layer".
        rows = [line for line in lines if set(line) & set("0123456789") and set(line) <= set(" 0123456789.e+-")]
        assert len(rows) >= 15 and all(line[:7].strip().isdigit() for line in rows)
    said = " ".join(run("simulate", *exploding, "--jobs", "1").stdout.split())
    assert "have q outside [0.5, 2] at layer 100 (theory:" in said


def test_networks_that_run_away_are_a_result() -> None:
    result = run("simulate", "--act", "relu", "--sigma-w", "1e6", "--width", "10", "--depth", "60", "--networks", "3")
    assert result.exit_code == 0
    assert "100 % overflow (q > 1e200), the first at layer" in " ".join(result.stdout.split())


def test_a_signal_without_a_fixed_point_has_nowhere_to_escape_from() -> None:
    answer = data("simulate", "--act", "relu", "--sigma-w", "1", "--width", "20", "--depth", "3", "--networks", "3")
    assert answer["q_star"] is None and answer["escaped"] is None and answer["start"] == 1
    assert all(row["escaped"] is None for row in answer["layers"])


def test_verify_says_yes_where_networks_follow_and_no_where_they_run_away() -> None:
    small = ["--width", "200", "--depth", "6", "--networks", "40", "--jobs", "1", "--format", "json"]
    yes = run("verify", "--act", CRELU, *small)
    no = run("verify", "--act", "shifted-relu(tau=1.0364)", "--q0", "2", *small)
    assert (yes.exit_code, no.exit_code) == (0, 1)
    answer = json.loads(yes.stdout)
    assert answer["follows"] is True and answer["departures"] == []
    assert {row["quantity"]: row["follows"] for row in answer["quantities"]} == {
        "q": "yes",
        "rho": "yes",
        "sparsity": "yes",
        "log_gradient": "yes",
    }
    answer = json.loads(no.stdout)
    assert answer["follows"] is False
    assert {"quantity", "layer", "moment", "seen", "predicted", "z"} == set(answer["departures"][0])
    table = run("verify", "--act", "shifted-relu(tau=1.0364)", "--q0", "2", *small[:-2])
    assert table.exit_code == 1
    assert "no: theory and networks part:" in " ".join(table.stdout.split())


def test_verify_says_what_it_did_not_check() -> None:
    result = run(
        "verify", "--act", CRELU, "--width", "20", "--depth", "3", "--networks", "20", "--conv", "3", "--size", "3"
    )
    assert "or a number is beyond what can be squared: ρ, ln |g|²" in " ".join(result.stdout.split())


WRONG = {
    "no width": (["simulate", "--act", "relu", "--depth", "3"], "--width"),
    "no networks": (["simulate", *SMALL[:-4], "--networks", "0"], "networks = 0"),
    "a correlation": (["simulate", *SMALL, "--rho0", "2"], "rho0 = 2"),
    "positions of dense layers": (["simulate", *SMALL, "--size", "8"], "--conv 3"),
    "padding of dense layers": (["simulate", *SMALL, "--padding", "zero"], "--conv 3"),
    "an even kernel": (["simulate", *SMALL, "--conv", "2"], "odd"),
    "a chain of convolutions": (["simulate", *SMALL, "--conv", "3", "--method", "chain"], "draw networks"),
    "biases alone": (["simulate", *SMALL, "--sigma-b", "1"], "--sigma-w"),
    "memory in words": (["simulate", *SMALL, "--memory", "lots"], "1GB, 500MB or 2GiB"),
    "no memory": (["simulate", *SMALL, "--memory", "1kB"], "too little"),
    "no processes": (["simulate", *SMALL[:-2], "--jobs", "0"], "jobs = 0"),
    "nothing to resume": (["simulate", *SMALL, "--resume"], "-o FILE.jsonl"),
    "two files of networks": (["simulate", *SMALL, "-o", "a.jsonl", "-o", "b.jsonl"], "one file"),
    "no folder": (["simulate", *SMALL, "-o", "no/such/a.jsonl"], "no folder"),
    "networks too few to tell": (["verify", "--act", "relu", "--networks", "9", "--width", "9"], "at least 10"),
    "a level": (["verify", "--act", "relu", "--level", "2"], "level = 2"),
    "a figure of nothing": (["plot", "trajectory"], "--act, or --networks-from"),
    "a figure of a missing file": (["plot", "trajectory", "--networks-from", "no.jsonl"], "cannot read no.jsonl"),
    "a figure of two things": (["plot", "trajectory", "--act", "relu", "--networks-from", "x.npz"], "leave --act out"),
    "numbers into a .jsonl": (["plot", "trajectory", "--data", "x.jsonl"], "--networks-from x.jsonl"),
    "numbers into an .npz": (["plot", "variance", "--act", "relu", "--data", "x.npz"], "--networks-from x.npz"),
    "numbers into a text": (["plot", "variance", "--act", "relu", "--data", "x.txt"], "to a .csv"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_in_one_line(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, says = WRONG[wrong]
    result = run(*arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert says in line
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_read_as_people_write_them() -> None:
    from meanfield.cli.options import number_of_bytes

    for text, size in {"1GB": 1e9, "1.5 gb": 1.5e9, "500MB": 5e8, "2GiB": 2**31, "2k": 2000, "100": 100}.items():
        assert number_of_bytes("--memory", text) == size


def test_the_figure_of_an_ensemble_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("simulate", *SMALL, "--backward", "-o", "run.jsonl", "-o", "run.npz").exit_code == 0
    # From a .jsonl the command draws in the tests of figures.
    files = ["--networks-from", "run.npz", "--data", "numbers.csv", "-o", "figure.png", "--dpi", "50"]
    assert run("plot", "trajectory", *files).exit_code == 0
    ensemble = mf.read_ensemble(tmp_path / "run.jsonl")
    axes = mf.plot.trajectory(ensemble, samples=3)
    assert len(axes) == 4
    found = compare(ensemble)
    for ax, name in zip(axes, ("q", "rho", "sparsity", "log_gradient"), strict=True):
        lines = {line.get_label(): line for line in ax.get_lines()}
        np.testing.assert_array_equal(lines["_theory"].get_ydata(), found.predicted[name].value)
        assert sum(line.get_label() == "_sample" for line in ax.get_lines()) == 3
    rows = list(csv.DictReader(io.StringIO((tmp_path / "numbers.csv").read_text())))
    # A row a layer of theory and of eight networks, for each of four quantities.
    assert len(rows) == 4 * 7 * 9


def test_what_leaves_the_figure_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wild = ["--act", "relu", "--sigma-w", "1e6", "--width", "20", "--depth", "60", "--networks", "3", "--jobs", "1"]
    assert run("simulate", *wild, "-o", "run.npz").exit_code == 0
    result = run("plot", "trajectory", "--networks-from", "run.npz", "-o", "figure.pdf")
    assert result.exit_code == 0
    assert "leave the figure" in result.stderr and "overflow" in result.stderr


def test_verify_says_neither_yes_nor_no_where_nothing_is_compared() -> None:
    beyond = ["verify", "--act", "abs", "--sigma-w", "1e6", "--q0", "1e150", "--width", "10", "--depth", "3"]
    result = run(*beyond, "--networks", "10", "--jobs", "1", "--format", "json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["follows"], answer["comparisons"], answer["threshold"]) == (1, None, 0, None)
    said = " ".join(run(*beyond, "--networks", "10", "--jobs", "1").stdout.split())
    assert "no answer: nothing was compared." in said and "yes:" not in said


def test_verify_shows_the_digits_that_differ() -> None:
    from meanfield.cli.verify import told
    from meanfield.simulation.comparison import Departure

    said = told(Departure("rho", 3, "mean", 0.99999999812, 0.99999999845, -11.2))
    assert "0.99999999812, theory 0.99999999845, 11 standard errors" in said


def test_verify_says_what_so_few_networks_could_not_have_shown() -> None:
    visible = {}
    for networks in ("10", "160"):
        asked = ["verify", "--act", CRELU, "--width", "100", "--depth", "3", "--jobs", "1", "--networks", networks]
        rows = {row["quantity"]: row for row in data(*asked)["quantities"]}
        visible[networks] = rows["q"]["visible_mean"]
        assert f"q by {visible[networks]:.2g}" in " ".join(run(*asked).stdout.split())
    # A quarter by the count of networks, and more by Student's law.
    assert visible["160"] < visible["10"] / 4


def test_normal_weights_are_gaussian_ones() -> None:
    assert data("simulate", *SMALL, "--weights", "Normal") == data("simulate", *SMALL, "--weights", "gaussian")
