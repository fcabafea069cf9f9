"""Tuning: every network gets the same candidates, foretold before the first run, and none is trained twice."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import examples, setting

from meanfield.errors import DomainError, OutputError
from meanfield.training import tuning as tried
from meanfield.training.results import Results, subject_of
from meanfield.training.setting import Setting
from meanfield.training.tuning import Stage, Tuning, Workers, tuned

TUNING = Tuning((0.001, 0.01), (math.inf, 1.0), ("gaussian", "orthogonal"), (Stage(1, 3), Stage(2, 1)), validation=20)


@pytest.fixture
def networks(tmp_path: Path) -> list[Setting]:
    """Two networks on a file of examples."""
    (x, y), (test_x, test_y) = examples(96), examples(40, seed=1)
    np.savez(tmp_path / "x.npz", x_train=x, y_train=y, x_test=test_x, y_test=test_y)
    asked = {"data": str(tmp_path / "x.npz"), "epochs": 4}
    return [setting(**asked), setting(activation="tanh", sigma_w=1.1, sigma_b=0.2, depth=2, **asked)]


def test_candidates_are_the_same_for_every_network() -> None:
    kept = ("activation", "sigma_w", "sigma_b", "q_star", "depth", "width", "model", "data", "epochs", "batch", "seed")
    found = []
    for network in (setting(), setting(activation="tanh", depth=5, learning_rate=3.0, weights="orthogonal")):
        candidates = TUNING.candidates(network)
        assert all(getattr(c, name) == getattr(network, name) for c in candidates for name in kept)
        assert all(candidate.validation == 20 for candidate in candidates)
        found.append([(c.learning_rate, c.clip_gradient, c.weights) for c in candidates])
    assert found[0] == found[1] and len(set(found[0])) == 8
    assert {rate for rate, _, _ in found[0]} == {0.001, 0.01}


def test_verdicts_come_first_then_stages_and_a_second_call_trains_nothing(
    networks: list[Setting], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.jsonl"
    epochs: list[float] = []
    best = tuned(networks, TUNING, Results(path), Workers(jobs=1), epochs.append)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    # Two networks of two laws, then in each stage what goes on.
    kinds = ["foretold" if "foretold" in line else "run" for line in lines]
    assert kinds == ["foretold"] * 4 + ["run"] * (2 * 8 + 2 * 3)
    assert {line["foretold"]["verdict"] for line in lines[:4]} <= {"safe", "neutral", "fragile", "unstable"}
    assert [line["run"]["epochs"] for line in lines[4:]] == [1] * 16 + [2] * 6
    assert all(line["result"]["test_on"] == "validation" for line in lines[4:])
    assert sum(epochs) == 16 * 1 + 6 * 2
    held = Results(path)
    assert all(subject_of(run) in held.verdicts for run in held.runs)
    for network, found in zip(networks, best, strict=True):
        assert (found.epochs, found.validation) == (network.epochs, network.validation)
        # No candidate of either stage was left out by a worse one.
        runs = {run: held.runs[run]["test_accuracy"] for run in held.runs if run.activation == network.activation}
        last = {run: score for run, score in runs.items() if run.epochs == 2}
        assert last[replace(found, epochs=2, validation=20)] == max(last.values())
        first = {run: score for run, score in runs.items() if run.epochs == 1}
        went_on = [score for run, score in first.items() if replace(run, epochs=2) in last]
        assert sorted(went_on, reverse=True) == sorted(first.values(), reverse=True)[:3]
    before = path.read_bytes()
    monkeypatch.setattr(tried, "_trained", lambda *_: pytest.fail("a run is trained again"))
    monkeypatch.setattr(tried, "forecast", lambda *_, **__: pytest.fail("a verdict is said again"))
    again: list[float] = []
    assert tuned(networks, TUNING, Results(path), Workers(jobs=1), again.append) == best
    assert path.read_bytes() == before and sum(again) == sum(epochs)


def test_an_interrupted_tuning_goes_on_with_what_is_missing(
    networks: list[Setting], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Setting] = []

    def quick(alone: list[Setting], device: str) -> list[tuple[Setting, dict[str, Any]]]:
        (asked,) = alone
        if len(trained) == 11:
            raise KeyboardInterrupt
        trained.append(asked)
        diverged = asked.learning_rate == 0.001
        accuracy = None if diverged else asked.epochs / 10 + (asked.clip_gradient == 1.0) / 100
        measured = dict.fromkeys(("train_accuracy", "test_accuracy", "train_sparsity", "test_sparsity"), accuracy)
        ended = {"outcome": "diverged" if diverged else "finished", "seconds": 0.1, "machine": "one"}
        return [(asked, {**ended, **measured})]

    monkeypatch.setattr(tried, "_trained", quick)
    path = tmp_path / "results.jsonl"
    with pytest.raises(KeyboardInterrupt):
        tuned(networks, TUNING, Results(path), Workers(jobs=1))
    assert len(Results(path).runs) == 11
    trained.append(networks[0])
    best = tuned(networks, TUNING, Results(path), Workers(jobs=1))
    del trained[11]
    assert len(trained) == len(set(trained)) == 22
    # What diverged is worse than anything else.
    assert [(b.learning_rate, b.clip_gradient, b.weights) for b in best] == [(0.01, 1.0, "gaussian")] * 2


def test_a_candidate_that_is_named_twice_takes_one_place() -> None:
    twice = replace(TUNING, rates=(0.001, 0.01, 0.001))
    assert twice.candidates(setting()) == TUNING.candidates(setting())
    assert twice.epochs(setting(), 1) == TUNING.epochs(setting(), 1) == 8 * 1 + 3 * 2 + 2


def test_nothing_is_chosen_by_the_test_set() -> None:
    for count in (0, -1, 1.5, True):
        with pytest.raises(DomainError, match=r"validation = .* whole number from 1"):
            replace(TUNING, validation=count)  # type: ignore[arg-type]


def test_a_stage_that_keeps_none_is_told() -> None:
    with pytest.raises(DomainError, match="keep = 0"):
        Stage(1.0, 0)


@pytest.mark.parametrize("name", ["rates", "limits", "weights", "stages"])
def test_nothing_to_try_is_told(name: str) -> None:
    with pytest.raises(DomainError, match=f"no {name} are given to try"):
        Tuning(**{name: ()})  # type: ignore[arg-type]


def test_processes_are_counted_from_one(networks: list[Setting]) -> None:
    with pytest.raises(DomainError, match="jobs = 0"):
        Workers(jobs=0).train(networks, Results(None), lambda _: None)


def test_data_that_a_cluster_cannot_have_are_told_in_their_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    # The way to the workers is left out: what they raise comes back all the same.
    monkeypatch.setattr("meanfield.workers.calls._backend", lambda workers, dask: nullcontext({"n_jobs": 1}))
    with pytest.raises(OutputError, match=r"cannot read none\.npz"):
        Workers(dask="local").train([setting(data="none.npz")], Results(None), lambda _: None)
