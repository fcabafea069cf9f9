"""`meanfield experiment`: verdicts before runs, the same tuning for all, results that are never run twice."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT, data, run
from scipy.stats import norm, spearmanr
from shown_commands import as_printed, examples

import meanfield as mf
from meanfield.cli.experiment.sparse_training import _choices
from meanfield.cli.experiment.tuned_runs import accuracy_table
from meanfield.cli.layout import as_text
from meanfield.training.accuracy_table import accuracies
from meanfield.training.foresight import networks
from meanfield.training.rank_correlation import rank_correlations
from meanfield.training.results import Results
from meanfield.training.setting import Setting
from meanfield.training.sparse_settings import settings_of

SMALL = ("--data", "digits", "--depth", "3", "--width", "20", "--validation", "300", "--epochs", "1", "--jobs", "1")
ASKED = ("experiment", "sparse-training", *SMALL, "--lr", "1e-3,1e-2", "--stages", "1:1", "--repeats", "2")
TWO = ("--act", "relu", "--act", "clipped-relu", "--sparsity", "0.7", "--slope", "0.7", "--weights", "gaussian")


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_verdicts_stand_before_the_first_run_and_each_network_gets_the_same_candidates(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    rows = data(*ASKED, *TWO, "--results", str(path))
    kinds = ["foretold" if "foretold" in line else "run" for line in lines(path)]
    assert kinds == ["foretold"] * 2 + ["run"] * (2 * (2 * 2 + 2))
    tried = [line["run"] for line in lines(path) if "run" in line and line["run"]["validation"]]
    for name in ("relu", "clipped-relu"):
        mine = [setting for setting in tried if setting["activation"].startswith(name)]
        found = {(setting["learning_rate"], setting["clip_gradient"], setting["seed"]) for setting in mine}
        assert found == {(rate, limit, 0) for rate in (1e-3, 1e-2) for limit in (None, 1.0)}
    tested = [line for line in lines(path) if "run" in line and not line["run"]["validation"]]
    assert [line["run"]["seed"] for line in tested] == [1, 2, 1, 2]
    assert {line["result"]["test_on"] for line in tested} == {"test"}
    for row, name in zip(rows, ("relu", "clipped-relu"), strict=True):
        reached = [t["result"]["test_accuracy"] for t in tested if t["run"]["activation"].startswith(name)]
        assert row["test_accuracy"] == pytest.approx(sum(reached) / 2)
        assert row["test_accuracy_sd"] == pytest.approx(abs(reached[0] - reached[1]) / math.sqrt(2))
    assert rows[1]["sparsity"] == pytest.approx(0.7) and rows[1]["V_prime"] == pytest.approx(0.7)
    assert rows[1]["sigma_w"] == pytest.approx(data("design", "--sparsity", "0.7", "--slope", "0.7")[0]["sigma_w"])

    # The best candidate on the examples held out is what is tested.
    best = max(
        (t for t in lines(path) if "run" in t and t["run"]["validation"] and t["run"]["activation"] == "relu"),
        key=lambda line: line["result"]["test_accuracy"],
    )
    assert rows[0]["learning_rate"] == best["run"]["learning_rate"]

    before = path.read_bytes()
    assert data(*ASKED, *TWO, "--results", str(path), "--resume") == rows
    assert path.read_bytes() == before
    assert data("experiment", "table", "--results", str(path)) == rows

    # One of them alone: what the file holds besides is told.
    one = run(*ASKED, *TWO[:2], *TWO[-2:], "--results", str(path), "--resume", "--format", "json")
    assert json.loads(one.stdout) == rows[:1] and path.read_bytes() == before
    assert f"{path} holds 1 other network: 'meanfield experiment table --results {path}' shows all" in one.stderr
    paper = run("experiment", "table", "--results", str(path), "--format", "markdown").stdout.splitlines()[0]
    assert "verdict" in paper and "worse by" in paper


@pytest.mark.parametrize("kind", ["sparse-training", "foresight", "gain", "table"])
def test_every_example_of_a_help_runs_as_printed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    monkeypatch.chdir(tmp_path)
    # Another process would load torch for runs of a few steps.
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert examples(("experiment", kind))
    for line in examples(("experiment", kind)):
        as_printed(line)


def test_results_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    found = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.jsonl"
        asked = [jobs if option == "1" and before == "--jobs" else option for before, option in pairwise(("", *ASKED))]
        assert run(*asked, "--act", "relu", "--weights", "gaussian", "--results", str(path)).exit_code == 0
        ended = [line for line in lines(path) if "run" in line]
        for line in ended:
            del line["result"]["seconds"]
        found.append(sorted(ended, key=lambda line: json.dumps(line["run"])))
    assert found[0] == found[1] and len(found[0]) == 6


def test_networks_side_by_side_are_those_one_by_one(tmp_path: Path) -> None:
    found = []
    for together in ("1", "4"):
        path = tmp_path / f"{together}.jsonl"
        assert run(*ASKED, "--act", "relu", "--together", together, "--results", str(path)).exit_code == 0
        found.append({json.dumps(line["run"]): line["result"] for line in lines(path) if "run" in line})
    alone, beside = found
    assert alone.keys() == beside.keys()
    for asked, result in alone.items():
        assert beside[asked]["test_accuracy"] == pytest.approx(result["test_accuracy"], abs=0.01)
    assert {result["machine"].count("side by side") for result in alone.values()} == {0}
    # What a stage leaves over is trained by itself.
    assert sum("4 side by side" in result["machine"] for result in beside.values()) >= 4


def test_what_is_asked_wrongly_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("")
    for wrong, told in (
        (("--stages", "1"), "EPOCHS:KEEP"),
        (("--stages", "1:0"), "keep = 0"),
        (("--stages", "1:2,0:1"), "epochs = 0 trains nothing"),
        (("--stages", "nan:1"), "epochs = nan trains nothing"),
        (("--stages", "1:2,1e300:1"), "epochs = 1e+300 takes more than"),
        (("--epochs", "1e300"), "epochs = 1e+300 takes more than"),
        (("--batch", "1200"), "batch = 1200 is more than the 1137 examples"),
        (("--jobs", "0"), "jobs = 0"),
        (("--together", "0"), "together = 0"),
        (("--together", "2", "--model", "conv"), "networks of model conv are trained one by one: give dense ones"),
        (("--slope", "0.7"), "--slope sets m, which relu does not leave open"),
        (("--slope", "0.7", "--m", "1"), "--slope and --m both set m"),
        (("--m", "1"), "--m sets m, which relu does not leave open"),
        (("--sparsity", "0.7"), "--sparsity sets tau, which relu does not leave open"),
        (("--validation", "0"), "validation = 0 is out of range: give a whole number from 1"),
        (("--lr", "0"), "learning_rate = 0"),
        (("--chi", "0"), "chi_1 = 0 is no gain"),
        (("--chi", "hot"), "--chi hot is neither a list"),
        (("--weights", "uniform"), "weights = 'uniform'"),
        (("--repeats", "0"), "repeats"),
        (("--validation", "5000"), "validation"),
        (("--columns", "nothing"), "nothing"),
        (("--results", str(path)), "--resume"),
        (("--resume",), "--results"),
    ):
        asked = [*ASKED]
        for option in wrong[:1]:
            if option in asked:
                del asked[asked.index(option) : asked.index(option) + 2]
        kept = () if {"--results", "--resume"} & {*wrong} else ("--results", str(tmp_path / "new.jsonl"))
        found = run(*asked, "--act", "relu", *wrong, *kept)
        assert found.exit_code == 2 and told in found.stderr, (wrong, found.stderr)
        assert found.stderr.count("\n") == 1 and not (tmp_path / "new.jsonl").exists()
    assert path.read_text() == ""
    assert run("experiment", "foresight", "--shape", "30").exit_code == 2
    assert run("experiment", "table", "--results", str(tmp_path / "none.jsonl")).exit_code == 2


def test_results_are_of_the_data_that_had_the_name(tmp_path: Path) -> None:
    path, file = tmp_path / "results.jsonl", tmp_path / "data.npz"
    rng = np.random.default_rng(0)
    images = {f"x_{which}": rng.normal(size=(60, 4)) for which in ("train", "test")}
    asked = ("experiment", "sparse-training", "--act", "relu", "--data", str(file), "--depth", "2", "--width", "5")
    brief = (
        "--lr",
        "1e-3",
        "--weights",
        "gaussian",
        "--stages",
        "1:1",
        "--batch",
        "20",
        "--epochs",
        "1",
        "--jobs",
        "1",
    )
    for labels in (np.arange(60) % 3, np.arange(60) % 3, np.arange(60) % 2):
        np.savez(file, **images, y_train=labels, y_test=labels)
        found = run(*asked, *brief, "--results", str(path), "--resume")
    assert found.exit_code == 2 and found.stderr.count("\n") == 1
    assert f"{path} is of other data, that {file} held before: name another file" in found.stderr.replace("\n", " ")
    # A verdict, two candidates and three runs: none is trained twice.
    assert len(lines(path)) == 1 + 2 + 3


def test_the_table_is_not_written_over_the_results(tmp_path: Path) -> None:
    path = str(tmp_path / "one.json")
    found = run(*ASKED, "--act", "relu", "--results", path, "-o", path)
    assert (found.exit_code, found.stdout) == (2, "") and "two results would go to one file" in found.stderr
    assert not Path(path).exists()


def test_networks_that_have_no_design_are_told_and_left_out() -> None:
    found = run(*ASKED, "--act", "relu", "--act", "clipped-relu", "--sparsity", "0.3", "--slope", "0.7")
    assert found.exit_code == 0 and "left out, clipped-relu" in found.stderr


def test_what_an_activation_says_itself_is_not_asked_of_it() -> None:
    acts = ("clipped-relu(tau=1, m=1)", "clipped-relu(tau=1)", "clipped-relu(m=1)")
    choices = _choices([*acts], "0.7,0.8", "0.5", None, "1", "1")
    assert [{**choice, "act": acts.index(choice["act"])} for choice in choices] == [
        {"act": 0, "q_star": 1.0, "chi_1": 1.0},
        {"act": 1, "q_star": 1.0, "chi_1": 1.0, "slope": 0.5},
        {"act": 2, "q_star": 1.0, "chi_1": 1.0, "sparsity": 0.7},
        {"act": 2, "q_star": 1.0, "chi_1": 1.0, "sparsity": 0.8},
    ]


def test_networks_of_every_gain_are_trained_and_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    asked = ["experiment", "sparse-training", *SMALL, "--lr", "1e-2", "--stages", "1:1", "--repeats", "1"]
    asked += ["--clip-gradient", "inf", "--weights", "gaussian"]
    asked += ["--act", "relu", "--act", "clipped-relu", "--m", "1", "--sparsity", "0.7", "--q-star", "2"]
    result = run(*asked, "--chi", "0.9,1", "--results", str(path))
    assert result.exit_code == 0, result.stderr
    runs = [line["run"] for line in lines(path) if "run" in line and not line["run"]["validation"]]
    found = {(one["activation"], one["sigma_w"], one["sigma_b"], one["q_star"]) for one in runs}
    acts = {one["activation"] for one in runs}
    edges = [(act, mf.edge_of_chaos(mf.activation(act), 2.0, c)) for act in acts for c in (0.9, 1.0)]
    assert len(acts) == 2
    assert found == {(act, edge.sigma_w, edge.sigma_b, 2.0) for act, edge in edges}
    first = result.stdout.split("rate")[0]
    assert "χ₁(q*)" in first
    assert [row["chi_1"] for row in data("experiment", "table", "--results", str(path))] == pytest.approx([0.9, 1] * 2)
    head = run("experiment", "table", "--results", str(path), "--format", "markdown").stdout.splitlines()[0]
    assert "χ₁(q" in head


def test_a_gain_is_shown_where_one_is_not_that_of_the_edge() -> None:
    on, beside = settings_of("clipped-relu(1, 1)"), settings_of("clipped-relu(1, 1)", chi_1=0.88)
    assert "χ₁" not in told(on)[1]
    table = told([*on, *beside])[1]
    upper = [line.split() for line in table.partition("rate")[0].splitlines()]
    place = next(words for words in upper if "verdict" in words).index("χ₁(q*)")
    assert [words[place] for words in upper if len(words) > 1 and words[0].startswith("clip")] == ["1", "0.88"]


def test_a_gain_that_an_activation_cannot_have_is_told_and_left_out() -> None:
    found = run(*ASKED, "--act", "relu", "--chi", "1.1")
    assert found.exit_code == 2
    left, refused = found.stderr.splitlines()
    assert "left out, relu: at q* = 1, χ₁ = 1.1 and" in left and "no network is left to train" in refused


def test_networks_of_foresight_are_of_three_sparsities_and_relu_of_each_shape() -> None:
    found = networks([(40, 8), (30, 5)])
    assert [(s.activation, s.width, s.depth) for s in found[:2]] == [("relu", 40, 8), ("relu", 30, 5)]
    zeros = {round(s.network.sparsity(s.q_star), 9) for s in found[2:]}
    assert zeros == {0.7, 0.85, 0.9} and len(found) == 2 + 2 * 24
    for setting in found:
        assert setting.network.chi1(setting.q_star) == pytest.approx(1)


def rank_rows(shares: Sequence[float], lost: Sequence[float], **others: Sequence[float]) -> list[dict[str, Any]]:
    """Rows of one sparsity, of which the quantities are given."""
    known = {"share_lost": shares, "accuracy_lost": lost}
    known |= {"clipped_share": shares, "one_minus_rho": shares, "V_prime": shares, **others}
    about = {"name": "a", "sparsity": 0.85, "data": "digits", "model": "dense", "width": 9, "depth": 3}
    about |= {"epochs": 1.0, "batch": 64, "optimizer": "adam"}
    return [{**about, **dict(zip(known, values, strict=True))} for values in zip(*known.values(), strict=True)]


def test_ranks_are_those_of_spearman() -> None:
    shares, lost = (0.0, 0.1, 0.3, 0.2, 0.5, 0.6, 0.7, 1.0), [0.1, 0.15, 0.3, 0.2, 0.4, 0.5, 0.6, 0.8]

    def ranks() -> dict[str, float]:
        rows = rank_rows(shares, lost)
        few = [{**rows[0], "sparsity": 0.9}, {**rows[1], "sparsity": 0.9}]
        unknown = {**rows[0], "accuracy_lost": None}
        relu = {**rows[0], "name": "relu", "accuracy_lost": 0.0}
        found = rank_correlations([*rows, *few, unknown, relu])
        assert [(row["sparsity"], row["count"]) for row in found] == [("0.85", 8), ("all", 10)]
        return {row["sparsity"]: row["rank_correlation"] for row in found}

    assert ranks()["0.85"] == pytest.approx(1)
    # 1 − 6 Σ d²/n(n² − 1): the ranks of 0.15 and 0.3 change places.
    lost[1], lost[2] = lost[2], lost[1]
    assert ranks()["0.85"] == pytest.approx(1 - 6 * (2**2 + 2**2) / (8 * 63))


def test_networks_trained_for_as_long_are_compared() -> None:
    rows = rank_rows(np.arange(8.0), np.arange(8.0))
    longer = [{**row, "epochs": 2.0, "share_lost": -row["share_lost"]} for row in rows]
    found = rank_correlations([*rows, *longer])
    assert [(row["epochs"], row["rank_correlation"]) for row in found] == [
        (epochs, pytest.approx(rank)) for epochs, rank in ((1.0, 1), (1.0, 1), (2.0, -1), (2.0, -1))
    ]


def test_a_second_quantity_adds_what_the_first_leaves() -> None:
    """The multiple correlation of ranks, from Spearman's of the three pairs."""
    rng = np.random.default_rng(3)
    x, y, z = rng.normal(size=(3, 30))
    lost = x + y + 0.5 * z
    (found, _) = rank_correlations(rank_rows(x, lost, clipped_share=y, one_minus_rho=2 * x))
    one, other, between = (spearmanr(a, b).statistic for a, b in ((x, lost), (y, lost), (x, y)))
    square = (one**2 + other**2 - 2 * one * other * between) / (1 - between**2)
    assert found["rank_correlation"] == pytest.approx(one)
    assert found["with_clipped_share"] == pytest.approx(math.sqrt(square)) and square > one**2 + 0.1
    assert found["with_one_minus_rho"] == pytest.approx(abs(one))


def test_ranks_in_one_shape_are_apart_from_those_of_all() -> None:
    """Narrow networks lose more of both, and in one shape the ranks are opposite; V' knows nothing of width."""
    wide = rank_rows(np.arange(8.0), -np.arange(8.0), V_prime=np.arange(8.0))
    narrow = [
        {**row, "width": 3, "share_lost": row["share_lost"] + 100, "accuracy_lost": row["accuracy_lost"] + 100}
        for row in wide
    ]
    (found, _) = rank_correlations([*wide, *narrow])
    assert found["rank_in_shape"] == pytest.approx(-1) and found["rank_correlation"] > 0.4
    expected = spearmanr([*range(8)] * 2, [row["accuracy_lost"] for row in (*wide, *narrow)]).statistic
    assert found["rank_of_V_prime"] == pytest.approx(expected)


def test_units_that_are_active_and_pass_no_gradient_are_the_clipped() -> None:
    results = Results(None)
    clipped = settings_of("clipped-relu", {"tau": 0.5, "m": 1.0}, q_star=2.0)[0]
    ended = {"outcome": "diverged", "seconds": 1.0, "machine": "here"}
    for setting in (clipped, *settings_of("relu"), *settings_of("tanh")):
        results.add(setting, ended)
    shares = [row["clipped_share"] for row in accuracies(results, results.runs)]
    # P(h > τ + m)/P(h > τ), h ~ N(0, 2).
    assert shares == [pytest.approx(norm.sf(1.5 / math.sqrt(2)) / norm.sf(0.5 / math.sqrt(2))), 0, 0]


def told(settings: Sequence[Setting], width: int = 80) -> tuple[list[dict[str, Any]], str]:
    """Rows and the table of networks that were all trained to the same."""
    results = Results(None)
    measured = ("test_accuracy", "train_accuracy", "train_sparsity", "test_sparsity")
    for setting in settings:
        results.add(setting, {"outcome": "finished", "seconds": 1.0, "machine": "here", **dict.fromkeys(measured, 0.5)})
    rows = accuracies(results, settings)
    return rows, as_text(accuracy_table(rows, None), width)


def test_rows_that_differ_in_the_clip_level_alone_show_it_where_there_is_room() -> None:
    alike = [settings_of("clipped-relu", {"tau": 0.5, "m": m})[0] for m in (30.0, 40.0)]
    expression = settings_of("max(x, 0.25*x)")
    rows, table = told([*alike, *expression])
    assert [(row["tau"], row["m"]) for row in rows] == [(0.5, 30.0), (0.5, 40.0), (None, None)]
    head, *below = table.partition("rate")[0].splitlines()[-1:] + table.partition("rate")[2].splitlines()
    assert head.split() == ["name", "m"] and [line.split()[1] for line in below[2:4]] == ["30", "40"]
    before, _, after = told([*alike, *expression], 45)[1].partition("rate")
    assert before.splitlines()[-1].split() == ["name"] and "─" in after
    # One level, or rows that something else tells apart.
    for others in (alike[:1], [*alike[:1], replace(alike[1], q_star=2.0)]):
        assert told(others)[1].partition("rate")[0].splitlines()[-1].split() == ["name"]


def test_the_words_below_a_table_are_of_columns_that_are_there() -> None:
    # No ReLU, against which accuracy would be lost.
    table = told(settings_of("tanh"))[1]
    assert "zeros are those" in table and "worse by" not in table


def test_accuracy_is_lost_against_relu_of_the_same_shape() -> None:
    results = Results(None)
    relu, other = settings_of("relu", depth=5, width=10)[0], settings_of("tanh", depth=5, width=10)[0]

    def ended(accuracy: float | None) -> dict:
        told = {"outcome": "diverged" if accuracy is None else "finished", "seconds": 1.0, "machine": "here"}
        return told | dict.fromkeys(("test_accuracy", "train_accuracy", "train_sparsity", "test_sparsity"), accuracy)

    # ReLU by another name, and what bears its name and is another.
    named, clipped = replace(relu, activation="ReLU", width=30), replace(relu, activation="relu(max_value=6)", width=30)
    lost = replace(other, width=20)
    asked = [relu, replace(relu, seed=1), other, lost, replace(relu, width=20), named, clipped]
    for setting, accuracy in zip(asked, (0.8, 0.9, 0.6, None, 0.7, 0.5, 0.9), strict=True):
        results.add(setting, ended(accuracy))
    found = {(row["name"], row["width"]): row["accuracy_lost"] for row in accuracies(results, asked)}
    assert found == {
        ("relu", 10): pytest.approx(0),
        ("tanh", 10): pytest.approx(0.85 - 0.6),
        ("tanh", 20): pytest.approx(0.7),
        ("relu", 20): pytest.approx(0),
        ("relu", 30): pytest.approx(0),
        ("relu(max_value=6)", 30): pytest.approx(0.5 - 0.9),
    }


def test_ranks_of_runs_of_another_length_are_not_mixed() -> None:
    files = ("experiments/fashion-mnist-foresight.jsonl", "experiments/fashion-mnist-dense-30.jsonl")
    alone, both = (
        run("experiment", "table", *(part for name in names for part in ("--results", str(ROOT / name)))).stdout
        for names in (files[:1], files)
    )
    title = "Rank correlation of the share lost with the accuracy lost, by sparsity"
    ranks = alone.split(title)[1].split()
    # Two clipped networks were trained for ten epochs, too few for ranks.
    assert both.split(title)[1].split() == [*": fashion-mnist, 1 epoch in batches of 64, dense".split(), *ranks]
