"""`meanfield train`: its verdict first, its files, its ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT, data, heeding_signals, run
from shown_commands import as_printed, examples
from small_runs import examples as drawn, setting

import meanfield as mf
from meanfield.cli.train import _faults
from meanfield.quantities import QUANTITIES
from meanfield.training.data import load
from meanfield.training.foretelling import forecast
from meanfield.training.log import read_log
from meanfield.training.run import train
from meanfield.training.sparse_settings import settings_of

PAGE = (ROOT / "docs/training.md").read_text()
SMALL = ["--act", "relu", "--depth", "3", "--width", "10", "--batch", "8", "--warmup", "5", "--device", "cpu"]
ON_FILE = [*SMALL, "--data", "x.npz", "--epochs", "2", "--lr", "0.01"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with examples in it, for the time of a test."""
    monkeypatch.chdir(tmp_path)
    (x, y), (test_x, test_y) = drawn(96), drawn(40, seed=1)
    np.savez(tmp_path / "x.npz", x_train=x, y_train=y, x_test=test_x, y_test=test_y)
    return tmp_path


def untimed(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "seconds"}


def lines(path: str) -> list[Any]:
    return [untimed(json.loads(line)) for line in Path(path).read_text().splitlines()]


def test_json_is_the_verdict_and_the_record_of_every_run() -> None:
    options = ["--sigma-w", "1.5", "--sigma-b", "0.1", "--q-star", "1", "--weights", "orthogonal", "--repeats", "2"]
    more = [
        "--optimizer",
        "adamw",
        "--schedule",
        "constant",
        "--clip-gradient",
        "0.5",
        "--validation",
        "20",
        "--seed",
        "4",
    ]
    printed = data("train", *ON_FILE, *options, *more)
    asked = setting(
        **{"sigma_w": 1.5, "sigma_b": 0.1, "weights": "orthogonal", "optimizer": "adamw", "schedule": "constant"},
        **{"clip_gradient": 0.5, "validation": 20, "seed": 4},
    )
    expected = [train(setting(**{**asked.as_record(), "seed": seed})).record() for seed in (4, 5)]
    assert [*map(untimed, printed["runs"])] == [*map(untimed, expected)]
    assert printed["foretold"]["verdict"] == forecast(asked).verdict.word
    # 18 steps: of 96 examples 20 are held out, once.
    assert [row["steps"] for row in printed["runs"]] == [18, 18]


def test_the_verdict_is_printed_before_the_first_step_and_written_into_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "--act", "clipped-relu", "--sparsity", "0.85", "--slope", "0.7", *ON_FILE[2:]]
    result = run(*asked, "-o", "run.jsonl")
    assert result.exit_code == 0
    (known,) = settings_of("clipped-relu", sparsity=0.85, slope=0.7, depth=3, width=10)
    word = forecast(known).verdict.word
    told = result.stdout
    assert told.index("at width 10, depth 3") < told.index(word) < told.index("Trained on x.npz")
    _, foretold, rows = read_log(Path("run.jsonl"))
    assert foretold is not None and foretold["verdict"] == word and foretold["share_lost"] is not None
    assert rows[-1]["outcome"] == "finished"

    def fails(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meanfield.training.run.train", fails)
    before = run(*asked)
    assert before.exit_code == 130 and word in before.stdout and "Trained" not in before.stdout
    assert "interrupted in the run of seed 0; nothing is kept to go on from: give --checkpoint FILE" in before.stderr
    # Where a result is all that is printed, stderr has it.
    silent = run(*asked, "--format", "csv")
    assert silent.stdout == "" and f"at width 10, depth 3 is {word}" in silent.stderr.splitlines()[0]


def test_a_gain_gives_the_weights_that_are_trained() -> None:
    edge = mf.edge_of_chaos(mf.activation("relu"), 2.0, 0.88)
    options = ["--q-star", "2", "--chi", "0.88"]
    result = run("train", *ON_FILE, *options, "-o", "run.jsonl")
    assert result.exit_code == 0
    setting, _, _ = read_log(Path("run.jsonl"))
    assert (setting.sigma_w, setting.sigma_b, setting.q_star) == (edge.sigma_w, edge.sigma_b, 2.0)
    weights = ["--q-star", "2", "--sigma-w", repr(edge.sigma_w), "--sigma-b", repr(edge.sigma_b)]
    first, second = (data("train", *ON_FILE, *named)["runs"] for named in (options, weights))
    assert [*map(untimed, first)] == [*map(untimed, second)]


def test_formats_columns_and_files() -> None:
    rows = list(csv.DictReader(io.StringIO(run("train", *ON_FILE, "--format", "csv").stdout)))
    assert {*rows[0]} <= {*QUANTITIES, "model", "seed"} and rows[0]["outcome"] == "finished"
    chosen = run("train", *ON_FILE, "--format", "csv", "--columns", "seed,test_accuracy", "--repeats", "3")
    assert [line.split(",")[0] for line in chosen.stdout.splitlines()] == ["seed", "0", "1", "2"]
    for name in ("run.json", "run.txt", "run.tex", "run.md"):
        assert run("train", *ON_FILE, "-o", name).stdout == ""
    assert "Trained on x.npz" in Path("run.txt").read_text() and "verdict" in Path("run.txt").read_text()
    assert untimed(json.loads(Path("run.json").read_text())["runs"][0])["test_accuracy"] == float(
        rows[0]["test_accuracy"]
    )


def test_tables_keep_within_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for more in ([], ["--model", "conv", "--data", "digits", "--epochs", "0.05"]):
        told = run("train", *ON_FILE, *more) if not more else run("train", *SMALL, *more)
        assert told.exit_code == 0, told.stderr
        assert max(map(len, told.stdout.splitlines())) <= 80
    assert "as many units as there are channels" in " ".join(told.stdout.split())


def test_a_run_that_diverges_is_a_result_that_says_where() -> None:
    asked = ["--optimizer", "sgd", "--lr", "1e6", "--warmup", "0", "--epochs", "50"]
    result = run("train", *SMALL[:-4], *SMALL[-2:], "--data", "x.npz", *asked, "--format", "json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)["runs"]
    assert row["outcome"] == "diverged" and row["test_accuracy"] is None
    told = run("train", *SMALL[:-4], *SMALL[-2:], "--data", "x.npz", *asked).stdout
    assert f"diverged: seed 0 after step {row['steps']}, in layer {row['first_layer']} first." in " ".join(told.split())


def test_a_loss_that_runs_away_behind_the_hidden_layers_is_told_so() -> None:
    ended = replace(train(setting(), data=load("x.npz")), outcome="diverged", first_layer=None, train=None, test=None)
    assert [*_faults([ended])] == [
        ("diverged:", "seed 0 after step 24: the loss ran away, no hidden layer had"),
    ]


def test_a_network_that_is_dead_at_the_end_is_told() -> None:
    """No input is 9 standard deviations out: every φ(h) and φ'(h) is 0."""
    dead = ["train", "--act", "shifted-relu", "--tau", "9", "--sigma-w", "1", *ON_FILE[2:]]
    result = run(*dead)
    assert result.exit_code == 0, result.stderr
    told = "dead: seed 0: no gradient reaches any hidden layer at the end"
    assert " ".join(result.stdout.split()).endswith(f"{told}.")
    silent = run(*dead, "--format", "json")
    assert told in silent.stderr and json.loads(silent.stdout)["runs"][0]["outcome"] == "finished"
    assert "dead" not in run("train", *ON_FILE).stdout


@pytest.mark.parametrize("norms, told", [([0, 2, 3], "layer 1"), ([1, 0, 3], "layers 1 to 2"), ([1, 2, 3], None)])
def test_a_network_whose_first_layers_are_dead_is_told(norms: list[float], told: str | None) -> None:
    ended = train(setting(), data=load("x.npz"))
    ended = replace(ended, end={**ended.end, "gradient_norm": norms})
    found = [("dead:", f"seed 0: no gradient reaches {told} at the end")] if told else []
    assert [*_faults([ended])] == found


def test_the_result_says_on_what_and_over_how_many_steps(folder: Path) -> None:
    told = " ".join(run("train", *ON_FILE).stdout.split())
    # 96 examples in batches of 8.
    assert "Trained on x.npz, 96 + 40 examples of 12 features, 3 classes, 2 epochs of 12 steps, adam at 0.01" in told
    held_out = run("train", *ON_FILE, "--validation", "88").stdout
    assert "2 epochs of 1 step, adam" in " ".join(held_out.split())


@pytest.mark.parametrize("warmup, said", [("13", True), ("12", False)])
def test_a_rate_that_rises_over_most_of_the_steps_is_told(warmup: str, said: bool) -> None:
    found = run("train", *SMALL[:-4], "--warmup", warmup, *ON_FILE[-6:], "--device", "cpu")
    assert found.exit_code == 0 and ("the learning rate rises over 13 of 24 steps" in found.stderr) == said


def test_a_checkpoint_that_is_not_there_is_told_and_one_that_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--checkpoint", "run.pt", "--resume"]
    assert "note: run.pt is not there: the run of seed 0 begins at step 0" in run("train", *ON_FILE, *files).stderr
    assert run("train", *ON_FILE, *files).stderr == ""


def test_a_table_of_several_runs_for_a_paper_holds_their_seeds() -> None:
    found = run("train", *ON_FILE, "--repeats", "2", "--format", "markdown").stdout.splitlines()
    column = [cell.strip() for cell in found[0].split("|")].index("seed")
    assert [line.split("|")[column].strip() for line in found[2:]] == ["0", "1"]


def test_files_of_ones_own_that_look_wrong_are_told() -> None:
    (x, y), (test_x, test_y) = drawn(96, (6, 5, 3)), drawn(40, (6, 5, 3), seed=1)
    np.savez("x.npz", x_train=x, y_train=y, x_test=test_x, y_test=np.where(np.arange(40) < 9, 7, test_y))
    channels, labels = run("train", *ON_FILE).stderr.splitlines()
    assert "x.npz are taken for 6 channels of 5 × 3: channels come first" in channels
    assert "of the labels to test on in x.npz, no training example has 7" in labels


def test_runs_of_several_seeds_have_files_of_their_own_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["-o", "run.jsonl", "--checkpoint", "run.pt", "--repeats", "3"]
    assert run("train", *ON_FILE, *files).exit_code == 0
    names = [f"run-{seed}.{ending}" for seed in range(3) for ending in ("jsonl", "pt")]
    assert sorted(path.name for path in Path().iterdir()) == sorted([*names, "x.npz"])
    whole = {name: lines(name) for name in names if name.endswith("jsonl")}
    # As if it had been interrupted before the third.
    for name in names[4:]:
        Path(name).unlink()
    from meanfield.training.steps import Steps

    taken, take = [], Steps.take

    def counted(steps: Steps) -> bool:
        taken.append(steps.setting.seed)
        return take(steps)

    monkeypatch.setattr(Steps, "take", counted)
    assert run("train", *ON_FILE, *files, "--resume").exit_code == 0
    assert {name: lines(name) for name in whole} == whole and taken == [2] * 24


def interrupted(name: str, log: Path, until: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process that gets a signal once its log has so many lines."""
    command = heeding_signals(sys.executable, "-m", "meanfield", *arguments)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        for _ in range(3000):
            if process.poll() is not None or (log.exists() and log.read_bytes().count(b"\n") >= until):
                break
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def test_a_command_that_is_interrupted_goes_on_to_the_same_bit(folder: Path) -> None:
    asked = ["train", *SMALL, "--data", "digits", "--epochs", "20"]
    assert run(*asked, "-o", "whole.jsonl", "--checkpoint", "whole.pt").exit_code == 0
    files = ["-o", "cut.jsonl", "--checkpoint", "cut.pt"]
    for name, until, more in (("SIGINT", 4, []), ("SIGTERM", 7, ["--resume"])):
        ended = interrupted(name, folder / "cut.jsonl", until, *asked, *files, *more)
        assert (ended.returncode, ended.stderr) == (
            130,
            "meanfield: interrupted in the run of seed 0; the same command with --resume goes on from cut.pt\n",
        )
        assert until <= len(lines("cut.jsonl")) < 13
    assert run(*asked, *files, "--resume").exit_code == 0
    assert lines("cut.jsonl") == lines("whole.jsonl")


WRONG: dict[str, tuple[list[str], str]] = {
    "no data set": (["--data", "imagenet"], "data = imagenet is not known: give fashion-mnist"),
    "no file": (["--data", "none.npz"], "cannot read none.npz: No such file"),
    "no kind of network": (["--model", "cnn"], "--model cnn is not known: give dense or conv"),
    "no optimizer": (["--optimizer", "lion"], "--optimizer lion is not known"),
    "no schedule": (["--schedule", "linear"], "--schedule linear is not known"),
    "no law": (["--weights", "uniform"], "--weights uniform is not known"),
    "a centre of dense layers": (["--weights", "delta-orthogonal"], "delta-orthogonal weights are of convolutions"),
    "no device": (["--device", "tpu"], "--device tpu is not known"),
    "no epochs": (["--epochs", "0"], "epochs = 0 trains nothing"),
    "no rate": (["--lr", "-1"], "learning_rate = -1 trains nothing"),
    "endless": (["--epochs", "1e300"], "epochs = 1e+300 takes more than"),
    "no batch": (["--batch", "0"], "batch = 0"),
    "too large a batch": (["--batch", "97"], "batch = 97 is more than the 96 examples"),
    "all held out": (["--validation", "96"], "validation = 96 leaves none"),
    "no repeats": (["--repeats", "0"], "repeats = 0"),
    "too many repeats": (["--repeats", "1000000"], "repeats = 1000000"),
    "no positions": (["--model", "conv"], "no positions to convolve over"),
    "a limit of nothing": (["--clip-gradient", "0"], "clip_gradient = 0"),
    "nothing to resume": (["--resume"], "--resume goes on from a checkpoint"),
    "a sparsity of nothing": (["--sparsity", "0.8"], "--sparsity sets tau, which relu does not leave open"),
    "biases alone": (["--sigma-b", "1"], "sigma_w"),
    "no column": (["--columns", "accuracy"], "there is no column accuracy"),
    "no folder": (["--checkpoint", "no/such.pt"], "there is no folder"),
    "its own data": (["--checkpoint", "x.npz"], "cannot write x.npz: the result is computed from this file"),
    "one file for two": (["--checkpoint", "a.jsonl", "-o", "a.jsonl"], "two results would go to one file"),
    "a log that is there": (["-o", "there.jsonl"], "there.jsonl is there already"),
    "a log of the last run": (["-o", "last.jsonl", "--repeats", "3"], "last-2.jsonl is there already"),
    "a checkpoint that is there": (["--checkpoint", "there.pt"], "there.pt is there already"),
    "no checkpoint": (["--checkpoint", "there.pt", "--resume"], "there.pt is no checkpoint"),
    "no log": (["--checkpoint", "a.pt", "-o", "there.jsonl", "--resume"], "there.jsonl is no log"),
    "an unknown option": (["--learning-rate", "1"], "--learning-rate is no option of meanfield train"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_in_one_line_before_any_work(
    case: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meanfield.training.foretelling.forecast", lambda *_, **__: pytest.fail("work has begun"))
    for name in ("there.jsonl", "last-2.jsonl", "there.pt"):
        (folder / name).write_text("text\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    more, says = WRONG[case]
    kept = [part for part in ON_FILE if not (set(more) & {"--data", "--epochs", "--lr", "--batch", "--device"})]
    asked = dict(zip(ON_FILE[::2], ON_FILE[1::2], strict=True)) if not kept else {}
    base = kept or [part for option, value in asked.items() if option not in more for part in (option, value)]
    result = run("train", *base, *more)
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("meanfield: ") and says in line
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_checkpoint_of_another_run_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("train", *ON_FILE, "--checkpoint", "run.pt").exit_code == 0
    monkeypatch.setattr("meanfield.training.foretelling.forecast", lambda *_, **__: pytest.fail("work has begun"))
    result = run("train", *ON_FILE, "--checkpoint", "run.pt", "--resume", "--seed", "1")
    assert result.exit_code == 2 and "run.pt is of a run with seed = 0, not 1" in result.stderr


def test_what_no_activation_reaches_has_no_answer() -> None:
    result = run("train", "--act", "clipped-relu", "--sparsity", "0.85", "--slope", "5", *ON_FILE[2:])
    assert (result.exit_code, result.stdout) == (1, "") and len(result.stderr.splitlines()) == 1


def test_every_example_of_the_help_runs_as_printed() -> None:
    # Fashion-MNIST is not everywhere.
    lines = [line for line in examples(("train",)) if "digits" in line]
    assert lines
    for line in lines:
        as_printed(line)


def test_the_page_names_the_defaults_as_they_are() -> None:
    (asked,) = settings_of("relu")
    row = {
        name.strip(): value.strip() for name, value in re.findall(r"^\| `--([\w-]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
    }
    known = {
        **{
            "depth": asked.depth,
            "width": asked.width,
            "model": asked.model,
            "weights": asked.weights,
            "data": asked.data,
        },
        **{"epochs": asked.epochs, "batch": asked.batch, "lr": asked.learning_rate, "optimizer": asked.optimizer},
        **{"schedule": asked.schedule, "warmup": asked.warmup, "validation": asked.validation, "seed": asked.seed},
    }
    for name, value in known.items():
        assert row[name] == (f"{value:g}" if isinstance(value, float) else str(value)), name
    help_text = run("train", "--help").stdout
    assert all(f"--{name}" in help_text for name in row)
