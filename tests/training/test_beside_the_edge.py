"""What gains beside the edge bring: differences, their intervals, and which gain the examples held out choose."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from command import data, run
from scipy.stats import ttest_ind

import meanfield as mf
from meanfield.infinite_width.tangent_kernel import contrast
from meanfield.plot.drawing import draw
from meanfield.plot.training_gains import TrainingGains
from meanfield.training.accuracy_table import accuracies
from meanfield.training.beside_the_edge import contrast_ranks, gained, nearest_to_foretold, nearness_ranks
from meanfield.training.results import Results, read_results
from meanfield.training.setting import Setting
from meanfield.training.sparse_settings import settings_of

#: By χ₁: the accuracy on examples held out, and those of the seeds, None for a run that diverged.
RELU: dict[float, tuple[float, list[float | None]]] = {
    0.8: (0.91, [0.9, 0.93, 0.96]),
    0.9: (0.95, [0.9, 0.91, 0.95]),
    1.0: (0.89, [0.8, 0.81, 0.85]),
}
TANH: dict[float, tuple[float, list[float | None]]] = {
    0.9: (0.5, [0.4, None]),
    1.0: (0.7, [0.6, 0.62]),
    1.05: (0.6, [None, None]),
}


def kept(path: Path | None, **rest: Any) -> Results:
    """Results of these networks, and of one that was trained on its edge alone."""
    results = Results(path)
    for act, ended in (("relu", RELU), ("tanh", TANH), ("gelu", {1.0: (0.9, [0.8])})):
        for chi, (held, accuracies_) in ended.items():
            (setting,) = settings_of(act, chi_1=chi, depth=5, width=40, data="digits", epochs=3, **rest)
            for epochs, accuracy in ((0.5, 0.99), (2.0, held)):
                add(results, replace(setting, validation=100, epochs=epochs), accuracy)
            for seed, accuracy_ in enumerate(accuracies_, 1):
                add(results, replace(setting, seed=seed), accuracy_)
    return results


def add(results: Results, setting: Setting, accuracy: float | None) -> None:
    measured = ("train_accuracy", "train_loss", "train_sparsity", "test_accuracy", "test_loss", "test_sparsity")
    ended = {"outcome": "diverged" if accuracy is None else "finished", "seconds": 1.0, "machine": "here"}
    results.add(setting, {**ended, **dict.fromkeys(measured, accuracy)})


def rows_of(results: Results) -> dict[tuple[str, float], dict[str, Any]]:
    found = gained(accuracies(results, [setting for setting in results.runs if not setting.validation]))
    return {(row["name"], round(row["chi_1"], 9)): row for row in found}


def test_every_network_is_compared_with_its_like_on_the_edge() -> None:
    rows = rows_of(kept(None))
    assert [*rows] == [("relu", 0.8), ("relu", 0.9), ("relu", 1.0), ("tanh", 0.9), ("tanh", 1.0), ("tanh", 1.05)]
    assert rows["relu", 0.8]["accuracy_gained"] == pytest.approx(0.11)
    assert rows["relu", 0.9]["accuracy_gained"] == pytest.approx(0.1)
    # One of its runs ended; of none there is no accuracy, and none lost or gained.
    assert rows["tanh", 0.9]["accuracy_gained"] == pytest.approx(0.4 - 0.61)
    assert rows["tanh", 0.9]["gained_interval"] is None
    assert rows["tanh", 1.05]["accuracy_gained"] is None
    for edge in (rows["relu", 1.0], rows["tanh", 1.0]):
        assert edge["accuracy_gained"] is None and edge["gained_interval"] is None


def test_intervals_are_those_of_welch() -> None:
    rows = rows_of(kept(None))
    for chi in (0.8, 0.9):
        test = ttest_ind(RELU[chi][1], RELU[1.0][1], equal_var=False)
        low, high = test.confidence_interval(0.95)
        assert rows["relu", chi]["gained_interval"] == pytest.approx([low, high], rel=1e-9)


def test_runs_that_are_all_alike_leave_no_interval() -> None:
    results = Results(None)
    for chi, accuracy in ((0.9, 0.75), (1.0, 0.5)):
        (setting,) = settings_of("relu", chi_1=chi, data="digits")
        for seed in (1, 2):
            add(results, replace(setting, seed=seed), accuracy)
    row = rows_of(results)["relu", 0.9]
    assert row["accuracy_gained"] == 0.25 and row["gained_interval"] is None
    # Nothing was held out to choose by.
    assert not any(one["is_best"] for one in rows_of(results).values())


def test_an_edge_that_diverged_has_no_accuracy_in_the_table(tmp_path: Path) -> None:
    path = tmp_path / "gains.jsonl"
    results = Results(path)
    for chi, accuracy in ((0.8501, 0.7), (0.8502, 0.8), (1.0, None)):
        add(results, settings_of("relu", chi_1=chi, data="digits")[0], accuracy)
    shown = run("experiment", "gain", "--results", str(path)).stdout
    head, _, row = shown.splitlines()[2:5]
    # Gains that differ have columns of their own.
    assert head.split() == ["name", "sparsity", "edge", "0.8501", "0.8502"]
    assert row.split() == ["relu", "0.5", "-", "-", "-"]


def test_digits_that_are_asked_for_are_given(tmp_path: Path) -> None:
    path = tmp_path / "gains.jsonl"
    kept(path)
    shown = run("experiment", "gain", "--results", str(path), "--digits", "6").stdout
    assert f"{np.mean(RELU[1.0][1]):.6g}" in shown and "11.0000" not in shown


def test_the_best_gain_is_chosen_by_examples_held_out_when_tried_longest() -> None:
    rows = rows_of(kept(None))
    assert [key for key, row in rows.items() if row["is_best"]] == [("relu", 0.9), ("tanh", 1.0)]
    assert rows["relu", 0.9]["validation_accuracy"] == 0.95


def test_other_data_depths_and_optimisers_are_not_compared() -> None:
    results = Results(None)
    for rest in ({"chi_1": 0.9, "optimizer": "sgd"}, {"depth": 6}, {"width": 7}, {"epochs": 2}, {"data": "mnist"}):
        for setting in settings_of("relu", **{"data": "digits", **rest}):
            add(results, setting, 0.5)
    assert not rows_of(results)


def test_the_command_tells_points_and_how_many_networks_gain(tmp_path: Path) -> None:
    path = tmp_path / "gains.jsonl"
    kept(path)
    asked = ("experiment", "gain", "--results", str(path))
    shown = " ".join(run(*asked).stdout.split())
    assert "digits, 3 epochs in batches of 64, dense, width 40, depth 5" in shown
    assert "name sparsity edge 0.8 0.9 " in shown and "relu 0.5 0.82 11 10" in shown
    assert "of 2 networks the best χ₁ is below 1 in 1. In these the accuracy is above the edge's in 1" in shown
    records = data(*asked)
    assert {row["chi_1"]: row["accuracy_gained"] for row in records if row["name"] == "relu"}[0.9] == pytest.approx(0.1)
    assert "better by" in run(*asked, "--format", "markdown").stdout


def test_results_without_a_pair_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "edge.jsonl"
    results = Results(path)
    add(results, settings_of("relu", data="digits")[0], 0.5)
    found = run("experiment", "gain", "--results", str(path))
    assert found.exit_code == 2 and "train it with --chi 0.9,1" in found.stderr and found.stderr.count("\n") == 1


def test_sparse_training_takes_another_optimiser(tmp_path: Path) -> None:
    path = tmp_path / "sgd.jsonl"
    asked = ("experiment", "sparse-training", "--data", "digits", "--act", "relu", "--depth", "2", "--width", "10")
    brief = ("--epochs", "1", "--stages", "1:1", "--clip-gradient", "1", "--weights", "gaussian", "--jobs", "1")
    found = run(*asked, *brief, "--lr", "0.01", "--repeats", "1", "--optimizer", "sgd", "--results", str(path))
    assert found.exit_code == 0, found.stderr
    assert "batches of 64, dense, sgd, width 10, depth 2" in found.stdout
    assert {setting.optimizer for setting in read_results(path).runs} == {"sgd"}


def test_accuracy_is_drawn_over_the_gain_for_each_depth(tmp_path: Path) -> None:
    path = tmp_path / "gains.jsonl"
    kept(path)
    axes = mf.plot.training_gains(path)
    assert len(axes) == 2
    first = axes[0].containers[0]
    x, y = first[0].get_data()
    assert list(x) == pytest.approx([0.8, 0.9, 1.0])
    assert list(y) == pytest.approx([np.mean(RELU[chi][1]) for chi in (0.8, 0.9, 1.0)])
    ends = [sorted(segment[:, 1]) for segment in first[2][0].get_segments()]
    sd = [np.std(RELU[chi][1], ddof=1) for chi in (0.8, 0.9, 1.0)]
    assert [high - low for low, high in ends] == pytest.approx([2 * one for one in sd])
    # What has no accuracy is told, not drawn.
    assert list(axes[1].containers[0][0].get_data()[0]) == pytest.approx([0.9, 1.0])
    names = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert names == ["$L = 5$", "foretold", "edge of chaos"] and "relu" in axes[0].get_title()


def test_panels_are_named_by_what_tells_them_apart() -> None:
    results = Results(None)
    for epochs in (1.0, 4.0):
        for chi, tau in product((0.9, 1.0), (0.5, 1.0)):
            for act, given in (("clipped-relu", {"tau": tau, "m": 1.0}), ("relu", {})):
                (setting,) = settings_of(act, given, chi_1=chi, depth=10, width=40, data="digits", epochs=epochs)
                add(results, setting, 0.5)
    axes = draw(TrainingGains(gained(accuracies(results, results.runs))), None, None)
    titles = [ax.get_title() for ax in axes]
    share = [f"{100 * NormalDist().cdf(tau):.3g}" for tau in (0.5, 1.0)]
    first = [*(f"clipped-relu, {zeros} % zeros, $N = 40$" for zeros in share), "relu, $N = 40$"]
    assert [title.splitlines()[0].replace("\\", "") for title in titles] == first * 2
    assert [title.splitlines()[1] for title in titles] == ["digits, 1 epoch"] * 3 + ["digits, 4 epochs"] * 3


def test_the_figure_of_gains_comes_with_its_numbers(tmp_path: Path) -> None:
    path, out, numbers = tmp_path / "gains.jsonl", tmp_path / "gains.pdf", tmp_path / "gains.csv"
    kept(path)
    asked = ("plot", "training", "--results", str(path), "--over", "chi", "-o", str(out), "--data", str(numbers))
    found = run(*asked)
    assert found.exit_code == 0, found.stderr
    assert out.read_bytes().startswith(b"%PDF") and "none ended" in found.stderr
    assert len(numbers.read_text().splitlines()) == 1 + 6
    wrong = run("plot", "training", "--log", str(path), "--over", "chi")
    assert wrong.exit_code == 2 and "--over is of --results" in wrong.stderr


def test_nearness_to_the_gain_foretold_ranks_accuracies() -> None:
    results = Results(None)
    foretold = mf.gain_for_training(mf.activation("relu"), 10)
    # From the nearest to the farthest.
    near = [foretold * math.exp(step) for step in (0.01, -0.02, 0.05)] + [1.0]
    for chi, accuracy in zip(near, (0.9, 0.8, 0.6, 0.5), strict=True):
        add(results, settings_of("relu", chi_1=chi, depth=10, data="digits")[0], accuracy)
    rows = gained(accuracies(results, results.runs))
    (row,) = nearness_ranks(rows)
    (nearest,) = nearest_to_foretold(rows)
    assert nearest["chi_1"] == pytest.approx(near[0]) and nearest["accuracy_gained"] == pytest.approx(0.4)
    assert row["chi_1_for_training"] == foretold and row["count"] == 4
    assert row["nearness_rank"] == pytest.approx(1.0)
    (other,) = nearness_ranks([{**one, "test_accuracy": 1 - one["test_accuracy"]} for one in rows])
    assert other["nearness_rank"] == pytest.approx(-1.0)
    # On one side alone nearness is no more than size.
    assert nearness_ranks([one for one in rows if one["chi_1"] > foretold]) == []


def test_what_foretells_no_gain_has_no_rank() -> None:
    results = Results(None)
    for depth, act in ((1, "relu"), (4, "tanh")):
        for chi in (0.7, 0.8, 0.9, 1.0):
            (setting,) = settings_of(act, chi_1=chi, depth=depth, data="digits")
            add(results, setting, chi)
    rows = gained(accuracies(results, results.runs))
    assert len(rows) == 8 and {row["chi_1_for_training"] for row in rows} == {None}
    assert nearness_ranks(rows) == []


def test_gains_are_ranked_by_the_contrast_on_the_edge() -> None:
    acts = ("relu", "tanh", "gelu", "hard-tanh", "silu")
    on_edge = {act: float(contrast(mf.activation(act), 1.0, 1.0, 20)) for act in acts}
    for sign in (1, -1):
        results = Results(None)
        for act in acts:
            for chi, accuracy in ((0.9, 0.5), (1.0, 0.5 + sign * on_edge[act])):
                (setting,) = settings_of(act, chi_1=chi, depth=20, width=40, data="digits", epochs=3)
                add(results, setting, accuracy)
        rows = [*rows_of(results).values()]
        assert {row["name"]: row["contrast_on_edge"] for row in rows} == pytest.approx(on_edge)
        # What the edge has more of is lost beside it.
        (rank,) = contrast_ranks(rows)
        assert (rank["count"], rank["epochs"], rank["data"]) == (5, 3, "digits")
        assert rank["contrast_rank"] == pytest.approx(sign)
        assert not contrast_ranks([row for row in rows if row["name"] not in acts[:2]])
    # A network of few layers has no gain for training, and is left out.
    for chi, accuracy in ((0.9, 0.5), (1.0, 0.6)):
        (setting,) = settings_of("relu", chi_1=chi, depth=3, width=40, data="digits", epochs=3)
        add(results, setting, accuracy)
    rows = gained(accuracies(results, results.runs))
    assert sum(row["contrast_on_edge"] is None for row in rows) == 2 and contrast_ranks(rows)[0]["count"] == 5
