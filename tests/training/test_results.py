"""The file of an experiment: it grows, is read back, and nothing in it is lost."""

from __future__ import annotations

import json
import math
from pathlib import Path
from threading import Thread

import pytest
from small_runs import setting

from meanfield.errors import OutputError
from meanfield.training.results import _SUBJECT, Results, subject_of

RESULT = {
    **{"outcome": "finished", "steps": 24, "first_layer": None, "seconds": 0.5, "machine": "one"},
    **{"train_accuracy": 0.6, "test_accuracy": 0.5, "train_sparsity": 0.5, "test_sparsity": 0.5},
}


def test_what_is_added_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    held = Results(path)
    assert not path.exists()
    held.foretell(setting(), {"verdict": "safe", "share_lost": 0.01})
    for seed in range(3):
        held.add(setting(seed=seed, clip_gradient=1.0 if seed else math.inf), {**RESULT, "steps": seed})
    again = Results(path)
    assert again.runs == held.runs and again.verdicts == held.verdicts
    assert len(path.read_text().splitlines()) == 4 and again.runs[setting()]["steps"] == 0
    alone = Results(None)
    alone.add(setting(), RESULT)
    assert alone.runs == {setting(): RESULT}


def test_a_verdict_is_of_the_network_and_what_was_said_first_stands(tmp_path: Path) -> None:
    held = Results(tmp_path / "results.jsonl")
    held.foretell(setting(), {"verdict": "safe"})
    same = setting(seed=4, epochs=9, optimizer="sgd", learning_rate=1.0, data="digits", batch=5, validation=3)
    held.foretell(same, {"verdict": "unstable"})
    (known,) = held.verdicts.values()
    assert known["verdict"] == "safe" and subject_of(same) == subject_of(setting())
    for other in ({"width": 11}, {"depth": 4}, {"sigma_w": 1.5}, {"q_star": 2.0}, {"weights": "orthogonal"}):
        assert subject_of(setting(**other)) != subject_of(setting())
    assert Results(tmp_path / "results.jsonl").verdicts == held.verdicts


def test_a_line_that_was_cut_short_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    held = Results(path)
    held.add(setting(), RESULT)
    held.add(setting(seed=1), RESULT)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (0, 5, first - 1, first, first + 9, len(whole) - 1):
        path.write_bytes(whole[:end])
        again = Results(path)
        assert len(again.runs) == (1 if end >= first else 0)
        for seed in range(2):
            if setting(seed=seed) not in again.runs:
                again.add(setting(seed=seed), RESULT)
        assert path.read_bytes() == whole


def test_lines_that_others_add_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    here, there = Results(path), Results(path)
    for seed in range(4):
        (here if seed % 2 else there).add(setting(seed=seed), RESULT)
    assert {run.seed for run in Results(path).runs} == {0, 1, 2, 3}
    path.unlink()
    here.add(setting(seed=5), RESULT)
    assert {run.seed for run in Results(path).runs} == {5}


@pytest.mark.parametrize("line", ["text", "{}", "[]", "3", '"run"', '{"run": {}}', '{"foretold": {}}', '{"run": []}'])
def test_a_file_of_something_else_is_refused_and_left(line: str, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    good = json.dumps({"run": setting().as_record(), "result": RESULT})
    path.write_text(f"{good}\n{line}\n")
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"results\.jsonl, line 2, is no result of an experiment"):
        Results(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "odd",
    [
        {"test_accuracy": "0.5"},
        {"train_sparsity": True},
        {"test_accuracy": 10**400},
        {"test_sparsity": math.nan},
        {"test_accuracy": None},
        {"seconds": "1"},
        {"seconds": math.inf},
        {"machine": None},
        {"machine": ["one"]},
        {"outcome": "lost"},
        {"outcome": {}},
    ],
    ids=str,
)
def test_a_result_that_no_table_can_show_is_refused(odd: dict, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps({"run": setting().as_record(), "result": {**RESULT, **odd}}) + "\n")
    with pytest.raises(OutputError, match=r"results\.jsonl, line 1, is no result"):
        Results(path)


@pytest.mark.parametrize("share", ["much", [0.1], math.nan, True, 10**400], ids=lambda share: str(share)[:9])
def test_a_verdict_whose_share_is_no_number_is_refused(share: object, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    subject = {name: getattr(setting(), name) for name in _SUBJECT}
    path.write_text(json.dumps({"foretold": {**subject, "verdict": "safe", "share_lost": share}}) + "\n")
    with pytest.raises(OutputError, match=r"results\.jsonl, line 1, is no result"):
        Results(path)


def test_a_text_of_one_line_is_not_taken_for_a_line_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    good = json.dumps({"run": setting().as_record(), "result": RESULT}) + "\n"
    for before in ("", good):
        for text in ("notes that nobody has twice", "{", '{"run', '{"runs": 3', "\0", "["):
            path.write_text(before + text)
            if text in ("{", '{"run'):
                assert len(Results(path).runs) == bool(before)
                continue
            with pytest.raises(OutputError, match=rf"notes\.txt, line {1 + bool(before)}, is no result"):
                Results(path)
            assert path.read_text() == before + text


def test_brackets_without_end_are_told(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("[" * 200_000 + "\n")
    with pytest.raises(OutputError, match="line 1, is no result"):
        Results(path)


def test_a_line_waits_for_whoever_is_adding_one(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "results.jsonl"
    held = Results(path)
    held.add(setting(), RESULT)
    adding = Thread(target=held.add, args=(setting(seed=1), RESULT))
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        adding.start()
        adding.join(0.2)
        assert adding.is_alive()
        # As long as it is not whole, a line would be taken for one that was cut short.
        line = json.dumps({"run": setting(seed=2).as_record(), "result": RESULT}) + "\n"
        for part in (line[:30], line[30:]):
            other.write(part.encode())
            other.flush()
    adding.join()
    assert [run.seed for run in Results(path).runs] == [0, 2, 1]


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        Results(tmp_path / "none" / "results.jsonl")
    with pytest.raises(OutputError, match="is a folder"):
        Results(tmp_path)
    held = Results(tmp_path / "results.jsonl")
    (tmp_path / "results.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*results\.jsonl"):
        held.add(setting(), RESULT)
    with pytest.raises(OutputError, match="it is no file"):
        Results(Path("/dev/full"))
