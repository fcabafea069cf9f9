"""Figures of training: accuracies and verdicts as the results hold them, layers and steps as the log does."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import ROOT, run
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from trained import SETTING, header, lines, write_log, write_results

import meanfield as mf
from meanfield.plot.drawing import new_figure
from meanfield.plot.page import Page, figure_of
from meanfield.plot.training_log import TrainingLog
from meanfield.plot.training_results import TrainingResults
from meanfield.quantities import QUANTITIES

#: Mean accuracy, its standard deviation and mean sparsity of two runs that are given by hand.
RELU, SAFE, FRAGILE = (0.96, 0.02 / math.sqrt(2), 0.51), (0.92, 0.04 / math.sqrt(2), 0.85), (0.8, None, 0.7)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_results(tmp_path / "sparse.jsonl")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "run.jsonl")


def labelled(ax: Axes, label: str) -> list[Line2D]:
    return [one for one in ax.get_lines() if one.get_label() == label]


def points(ax: Axes) -> dict[tuple[float, float], Line2D]:
    """The markers of networks by where they stand."""
    drawn = [container[0] for container in ax.containers]
    return {(round(float(one.get_xdata()[0]), 9), round(float(one.get_ydata()[0]), 9)): one for one in drawn}


def look(line: Line2D) -> tuple[bool, object]:
    return line.get_markerfacecolor() == "white", line.get_fillstyle()


def test_every_network_that_was_tested_is_a_point_with_its_spread(results: Path) -> None:
    ax = mf.plot.training_results(results)
    drawn = points(ax)
    for accuracy, sd, sparsity in (RELU, SAFE, FRAGILE):
        assert (round(sparsity, 9), round(accuracy, 9)) in drawn
        bars = [bar for container in ax.containers for bar in container[2]]
        ends = [sorted(bar.get_segments()[0][:, 1]) for bar in bars if bar.get_segments()[0][0, 0] == sparsity]
        assert ends == ([] if sd is None else [pytest.approx([accuracy - sd, accuracy + sd])])
    # Those that were tried on validation examples are not there.
    assert not any(y == 0.01 for _, y in drawn)


def test_markers_tell_activations_apart_and_their_filling_the_verdicts(results: Path) -> None:
    ax = mf.plot.training_results(results)
    drawn = points(ax)
    relu, safe, fragile = (drawn[round(sparsity, 9), round(y, 9)] for y, _, sparsity in (RELU, SAFE, FRAGILE))
    (unstable,) = [one for (_, y), one in drawn.items() if y < ax.get_ylim()[1] and one.get_marker() == "^"]
    assert [look(one) for one in (safe, fragile, unstable, relu)] == [
        *((False, "full"), (False, "left"), (True, "full"), (True, "full"))
    ]
    (dot,) = labelled(ax, "_dot")
    assert dot.get_xdata()[0] == relu.get_xdata()[0]
    assert safe.get_marker() == fragile.get_marker() and safe.get_color() == fragile.get_color()
    assert len({one.get_marker() for one in (relu, safe, unstable)}) == 3
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    words = ["safe", "neutral", "fragile", "unstable"]
    assert named == ["relu", "clipped-relu", "shifted-relu", *words, "level of ReLU"]


def test_what_diverged_stands_below_at_its_sparsity_and_never_at_an_accuracy(results: Path) -> None:
    ax = mf.plot.training_results(results)
    (border,) = labelled(ax, "_strip")
    below = {x: one for (x, y), one in points(ax).items() if y < border.get_ydata()[0]}
    # Of one run of two the sparsity is known; of none of two, P(z < 1) in theory.
    assert sorted(below) == pytest.approx([0.7, 0.5 * math.erfc(-1 / math.sqrt(2))])
    tick, name = ax.get_yticks()[0], ax.get_yticklabels()[0].get_text()
    assert name == "diverged" and {round(one.get_ydata()[0], 9) for one in below.values()} == {round(tick, 9)}
    assert border.get_ydata()[0] < min(y for _, y in points(ax) if y > border.get_ydata()[0])
    told = TrainingResults.read([results]).notes()
    assert [note.partition(": ")[2] for note in told] == ["1 of 2 runs diverged", "2 of 2 runs diverged"]


def test_where_none_diverged_there_is_no_strip_and_where_all_did_no_accuracy(results: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in results.read_text().splitlines()]
    split = tmp_path / "some.jsonl"
    for activation, strips in (("relu", 0), ("shifted-relu(1)", 1)):
        kept = [r for r in records if (r.get("foretold") or r.get("run"))["activation"] == activation]
        split.write_text("".join(f"{json.dumps(record)}\n" for record in kept))
        ax = mf.plot.training_results(split)
        assert len(labelled(ax, "_strip")) == strips and len(labelled(ax, "_relu")) == 1 - strips
    assert all(y < 0 for _, y in points(ax))


def test_networks_that_diverged_at_one_sparsity_stand_side_by_side(results: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in results.read_text().splitlines()]
    others = [{**r, "run": {**r["run"], "sigma_w": 2.4}} for r in records if "shifted" in str(r.get("run"))]
    more = tmp_path / "more.jsonl"
    more.write_text("".join(f"{json.dumps(record)}\n" for record in others))
    ax = mf.plot.training_results([results, more])
    (border,) = labelled(ax, "_strip")
    figure_of(ax).draw_without_rendering()
    below = [one for (_, y), one in points(ax).items() if y < border.get_ydata()[0]]
    at = sorted(ax.transData.transform(np.ravel(one.get_xydata()))[0] for one in below)
    size = max(one.get_markersize() for one in below) * figure_of(ax).dpi / 72
    assert len(at) == 3 and min(np.diff(at)) > size


def test_the_level_of_relu_is_that_of_its_panel(tmp_path: Path) -> None:
    files = [write_results(tmp_path / f"{depth}.jsonl", depth=depth) for depth in (5, 9)]
    shallow, deep = mf.plot.training_results(files)
    for ax, depth in ((shallow, 5), (deep, 9)):
        (level,) = labelled(ax, "_relu")
        assert level.get_ydata()[0] == pytest.approx(RELU[0]) and level.get_linewidth() == 0.8
        assert [text.get_text() for text in ax.texts] == [f"digits, $N = 40$, $L = {depth}$"]


def test_lengths_of_training_are_not_mixed(tmp_path: Path) -> None:
    files = [write_results(tmp_path / "short.jsonl", epochs=1.0), write_results(tmp_path / "long.jsonl", epochs=10.0)]
    axes = mf.plot.training_results(files)
    told = [[text.get_text() for text in ax.texts] for ax in axes]
    assert told == [["digits, $N = 40$, $L = 5$\n1 epoch"], ["digits, $N = 40$, $L = 5$\n10 epochs"]]


def test_relu_by_another_name_has_its_level(tmp_path: Path) -> None:
    path = write_results(tmp_path / "named.jsonl")
    path.write_text(path.read_text().replace('"activation": "relu"', '"activation": "ReLU"'))
    (level,) = labelled(mf.plot.training_results(path), "_relu")
    assert level.get_ydata()[0] == pytest.approx(RELU[0])


def test_shapes_models_and_data_have_panels_of_their_own_and_files_are_taken_together(tmp_path: Path) -> None:
    changes = [{}, {"width": 50}, {"model": "conv"}, {"data": "mnist"}]
    files = [write_results(tmp_path / f"{i}.jsonl", **change) for i, change in enumerate(changes)]
    assert TrainingResults.read(files).panels == 4
    # The same file twice says nothing new.
    assert TrainingResults.read([files[0]] * 2).records() == TrainingResults.read(files[:1]).records()


@pytest.mark.parametrize("verdict", [None, "$x^$"])
def test_a_network_without_a_verdict_is_shown_as_such(results: Path, verdict: str | None) -> None:
    records = [json.loads(line) for line in results.read_text().splitlines()]
    kept = [{"foretold": {**r["foretold"], "verdict": verdict}} if "foretold" in r else r for r in records]
    results.write_text("".join(f"{json.dumps(record)}\n" for record in kept))
    ax = mf.plot.training_results(results)
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "no verdict" in named and not {"safe", "neutral", "fragile", "unstable"} & {*named}
    assert {one.get_fillstyle() for one in points(ax).values()} == {"bottom"}


def test_layers_are_drawn_as_the_log_holds_them_from_the_first_step_to_the_last(log: Path) -> None:
    q, gradient, sparsity, _ = mf.plot.training_log(log)
    for ax, name, of in ((q, "q", float), (gradient, "gradient_norm", math.log), (sparsity, "sparsity", float)):
        for one in lines()[:3]:
            (drawn,) = labelled(ax, f"_step {one['step']}")
            np.testing.assert_allclose(drawn.get_xydata(), [(i, of(v)) for i, v in enumerate(one[name], 1)], rtol=1e-15)
    (star,) = labelled(q, "_q_star")
    assert {*star.get_ydata()} == {1.0}
    # From light to dark: luma falls with the step.
    colours = [labelled(q, f"_step {step}")[0].get_color() for step in (0, 20, 40)]
    luma = [float(np.dot(colour[:3], (0.299, 0.587, 0.114))) for colour in colours]
    assert luma[0] > luma[1] + 0.1 > luma[2] + 0.2
    assert [text.get_text() for text in q.get_legend().get_texts()][:3] == ["step 0", "on the way", "step 40"]


def test_loss_and_accuracy_are_drawn_over_steps(log: Path) -> None:
    *_, ax = mf.plot.training_log(log)
    (right,) = [other for other in figure_of(ax).axes if other.bbox.bounds == ax.bbox.bounds and other is not ax]
    assert (ax.get_ylabel(), right.get_ylabel(), ax.get_xlabel()) == ("loss", "accuracy", "step")
    for axis, what in ((ax, "loss"), (right, "accuracy")):
        drawn = [[*map(tuple, one.get_xydata())] for one in labelled(axis, "_run")]
        assert drawn == [[(one["step"], one[f"{on}_{what}"]) for one in lines()[:3]] for on in ("train", "test")]
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == ["loss, train", "loss, test", "accuracy, train", "accuracy, test"]


def test_the_loss_by_which_a_run_diverged_is_drawn() -> None:
    *_, ax = new_figure(TrainingLog(SETTING, lines("diverged")), Page())
    (drawn,) = labelled(ax, "_mean")
    assert drawn.get_xydata()[1:].tolist() == [[20, lines()[1]["loss"]]] and math.isnan(drawn.get_ydata()[0])
    assert "loss, 100 steps" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert [row["loss"] for row in TrainingLog(SETTING, lines("diverged")).records() if row["train_loss"]][1:] == [
        lines()[1]["loss"]
    ]
    *_, ax = new_figure(TrainingLog(SETTING, lines()), Page())
    assert not labelled(ax, "_mean")


@pytest.mark.parametrize("largest", [90.0, 99.0, 100.0, 101.0, 110.0])
def test_no_number_of_a_tick_stands_in_the_legend(largest: float) -> None:
    looks = [{**one, "train_loss": value} for one, value in zip(lines(None), (largest, 5.0, 0.9), strict=True)]
    *_, ax = new_figure(TrainingLog(SETTING, looks), Page())
    figure_of(ax).draw_without_rendering()
    legend, numbers = ax.get_legend().get_window_extent(), ax.yaxis.get_tightbbox()
    assert legend.x0 < numbers.x1 and numbers.y1 <= legend.y0 + 0.5


def test_what_was_tested_on_held_out_examples_is_called_so(tmp_path: Path) -> None:
    held_out = TrainingLog.read(write_log(tmp_path / "held.jsonl", setting=replace(SETTING, validation=100)))
    *_, ax = new_figure(held_out, Page())
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "accuracy, validation" in named and "validation accuracy 0.81" in held_out.label
    assert len([row for row in held_out.records() if row["test_loss"] is not None]) == 4


def test_the_title_says_how_a_run_ended(tmp_path: Path) -> None:
    told = {
        "finished": "test accuracy 0.812",
        "diverged": "diverged after step 27, in layer 4 first",
        None: "unfinished, as far as step 40",
    }
    for outcome, said in told.items():
        path = write_log(tmp_path / "run.jsonl", outcome)
        title = figure_of(mf.plot.training_log(path)).get_suptitle()
        assert title == f"clipped-relu, N = 40, L = 5, digits\n{said}"
        notes = " ".join(TrainingLog.read(path).notes())
        assert (said in notes) == (outcome != "finished")


def test_a_loss_that_ran_away_alone_is_told_so() -> None:
    *looks, end = lines("diverged")
    assert TrainingLog(SETTING, [*looks, {**end, "first_layer": None}]).notes()[0] == (
        "the run diverged after step 27: the loss, no hidden layer"
    )


def test_layers_that_overflowed_are_a_gap_and_have_no_sparsity(tmp_path: Path) -> None:
    path = write_log(tmp_path / "run.jsonl", "diverged")
    q, gradient, sparsity, _ = mf.plot.training_log(path)
    assert q.get_yscale() == "log" and gradient.get_yscale() == "linear"
    known = {"q": [True] * 4 + [False], "gradient": [False, False, True, True, False]}
    for ax, name in ((q, "q"), (gradient, "gradient"), (sparsity, "q")):
        (end,) = labelled(ax, "_step 27")
        assert np.isfinite(np.asarray(end.get_ydata(), dtype=float)).tolist() == known[name]
    assert "gradients are 0 or overflow in 3 places, a gap in the figure" in TrainingLog.read(path).notes()


def test_the_numbers_drawn_are_written(log: Path, results: Path, tmp_path: Path) -> None:
    table = tmp_path / "numbers.csv"
    files = ["-o", str(tmp_path / "figure.svg"), "--data", str(table), "--figure-width", "page"]
    read = {}
    for option, path in (("--log", log), ("--results", results)):
        done = run("plot", "training", option, str(path), *files)
        assert done.exit_code == 0, done.stderr
        read[option] = [*csv.DictReader(table.read_text().splitlines())]
        assert {*read[option][0]} <= {*QUANTITIES}
    layers = [row for row in read["--log"] if row["layer"]]
    assert [float(row["q"]) for row in layers] == [value for one in lines()[:3] for value in one["q"]]
    (end,) = [row for row in read["--log"] if row["outcome"]]
    assert (end["step"], float(end["test_accuracy"])) == ("40", 0.8125)
    accuracies = [float(row["test_accuracy"] or "nan") for row in read["--results"]]
    assert accuracies == pytest.approx([RELU[0], SAFE[0], FRAGILE[0], math.nan], nan_ok=True)


REFUSED = {
    "nothing": ([], "there is nothing to draw: give --results FILE.jsonl"),
    "both": (["--results", "sparse.jsonl", "--log", "run.jsonl"], "leave one of them out"),
    "no such log": (["--log", "none.jsonl"], "cannot read none.jsonl: No such file"),
    "no such results": (["--results", "none.jsonl"], "cannot read none.jsonl: No such file"),
    "results for a log": (["--log", "sparse.jsonl"], "sparse.jsonl is no log of 'meanfield train"),
    "a log for results": (["--results", "run.jsonl"], "run.jsonl, line 1, is no result of an experiment"),
    "text": (["--log", "text.jsonl"], "text.jsonl is no log"),
    "text for results": (["--results", "text.jsonl"], "text.jsonl, line 1, is no result"),
    "a look without layers": (["--log", "bare.jsonl"], "bare.jsonl is no log"),
    "a run without accuracy": (["--results", "hollow.jsonl"], "hollow.jsonl, line 1, is no result"),
    "a look of words": (["--log", "words.jsonl"], "words.jsonl is no log"),
    "an end without accuracy": (["--log", "unsaid.jsonl"], "unsaid.jsonl is no log"),
    "an accuracy of words": (["--results", "high.jsonl"], "high.jsonl, line 1, is no result"),
    "another outcome": (["--results", "lost.jsonl"], "lost.jsonl, line 1, is no result"),
    "not begun": (["--log", "header.jsonl"], "nothing is logged of this run yet"),
    "only tuned": (["--results", "tuned.jsonl"], "no network was tested in these results"),
    "onto itself": (["--log", "run.jsonl", "--data", "run.jsonl"], "run.jsonl"),
}


@pytest.mark.parametrize("options, said", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_drawn_is_refused_in_a_line(
    options: list[str], said: str, log: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [json.loads(line) for line in results.read_text().splitlines()]
    ended = next(record for record in records if record.get("run", {}).get("seed") == 1)
    made = {
        "words.jsonl": [json.dumps(header()), json.dumps({**lines()[0], "train_loss": "low"})],
        "unsaid.jsonl": [json.dumps(header()), json.dumps({**lines()[-1], "test_accuracy": None})],
        "high.jsonl": [json.dumps({**ended, "result": {**ended["result"], "test_accuracy": "high"}})],
        "lost.jsonl": [json.dumps({**ended, "result": {**ended["result"], "outcome": "lost"}})],
        "text.jsonl": ["no JSON"],
        "bare.jsonl": [json.dumps(header()), json.dumps({"step": 0, "q": [1.0]})],
        "hollow.jsonl": [json.dumps({"run": SETTING.as_record(), "result": {}})],
        "header.jsonl": [json.dumps(header())],
        "tuned.jsonl": [json.dumps(record) for record in records if record.get("run", {}).get("validation")],
    }
    for name, held in made.items():
        Path(name).write_text("".join(f"{line}\n" for line in held))
    before = log.read_bytes()
    done = run("plot", "training", *options, *([] if "--data" in options else ["-o", "figure.png"]))
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert not Path("figure.png").exists() and log.read_bytes() == before


def test_results_that_are_read_only_are_drawn(results: Path) -> None:
    results.chmod(0o444)
    assert TrainingResults.read([results]).rows


def test_to_read_and_draw_no_torch_is_loaded(log: Path, results: Path) -> None:
    code = (
        "import sys, meanfield.training.results, meanfield.training.log, meanfield.training.accuracy_table, "
        "meanfield.training.setting, meanfield as mf; mf.plot.training_log(sys.argv[1]); "
        "mf.plot.training_results(sys.argv[2]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(log), str(results)], check=True, cwd=ROOT)


def test_an_expression_is_called_as_it_is_and_a_long_one_is_shortened(tmp_path: Path) -> None:
    expressions = ["max(0, x - 0.5)", "max(0, x - 0.25)", "max(0, x - 0.5) + 0.125*max(0, x - 1) + 0.0625*x"]
    names = [replace(SETTING, activation=one).name for one in (*expressions, "shifted-relu(1)", "relu")]
    assert names == [*expressions, "shifted-relu", "relu"]
    axes = mf.plot.training_log(write_log(tmp_path / "1", setting=replace(SETTING, activation=names[2])))
    shown, shape, _ = figure_of(axes).get_suptitle().partition(", N = 40")
    head, _, tail = shown.partition("…")
    assert len(shown) <= 28 and shape and tail and names[2].startswith(head) and names[2].endswith(tail)
