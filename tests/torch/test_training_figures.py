"""What is really trained is drawn: the files that training writes are those that figures read."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from command import run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes that the sign of the first input tells apart."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 8))
    labels = (x[:, 0] > 0).astype(int)
    path = tmp_path / "signs.npz"
    np.savez(path, x_train=x[:200], y_train=labels[:200], x_test=x[200:], y_test=labels[200:])
    return path


def drawn(option: str, path: Path) -> list[dict[str, str]]:
    """The numbers of the figure of a file."""
    table = path.with_suffix(".csv")
    done = run("plot", "training", option, str(path), "-o", str(path.with_suffix(".svg")), "--data", str(table))
    assert done.exit_code == 0, done.stderr
    return [*csv.DictReader(table.read_text().splitlines())]


NETWORK = ["--act", "relu", "--depth", "3", "--width", "10", "--batch", "20"]


def test_the_log_of_a_run_is_drawn(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    done = run("train", *NETWORK, "--data", str(data), "--epochs", "2", "--warmup", "1", "-o", str(log))
    assert done.exit_code == 0, done.stderr
    rows = drawn("--log", log)
    # 2 epochs of 10 batches, looked at ten times and before the first.
    assert [int(row["step"]) for row in rows if row["layer"] == "3"] == [*range(0, 21, 2)]
    assert [row["step"] for row in rows if row["outcome"] == "finished"] == ["20"]


def test_the_results_of_an_experiment_are_drawn(data: Path, tmp_path: Path) -> None:
    results = tmp_path / "sparse.jsonl"
    asked = ["--lr", "1e-3", "--clip-gradient", "inf", "--weights", "gaussian", "--stages", "1:1", "--validation", "50"]
    asked += ["--epochs", "1", "--repeats", "2", "--jobs", "1", "--results", str(results)]
    done = run("experiment", "sparse-training", *NETWORK, "--data", str(data), *asked)
    assert done.exit_code == 0, done.stderr
    (row,) = drawn("--results", results)
    assert (row["name"], row["runs"], row["diverged"]) == ("relu", "2", "0.0")
    assert 0 <= float(row["test_accuracy"]) <= 1 and row["verdict"]
