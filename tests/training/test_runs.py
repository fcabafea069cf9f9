"""Runs: the same from the same seed, the same after an interruption to the bit, ended when they diverge."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import data, examples, setting

from meanfield.errors import DomainError, OutputError
from meanfield.training.checkpoint import read_checkpoint
from meanfield.training.data import Data
from meanfield.training.device import device_named
from meanfield.training.log import read_log
from meanfield.training.losses import Losses
from meanfield.training.results import Results, read_results
from meanfield.training.run import train
from meanfield.training.setting import Setting
from meanfield.training.trained import RESULT, Trained

DATA = data()


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, as where tests are not run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_at(step: int) -> Callable[[int], None]:
    """What sends Ctrl-C to this process once so many steps are done."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if done == step:
            signal.raise_signal(signal.SIGINT)

    return advance


def untimed(value: Any) -> Any:
    """Without the seconds that it took."""
    if isinstance(value, dict):
        return {key: untimed(held) for key, held in value.items() if key != "seconds"}
    return value


def lines(path: Path) -> list[Any]:
    return [untimed(json.loads(line)) for line in path.read_text().splitlines()]


def state(path: Path, asked: Setting, held: Data = DATA) -> dict[str, Any]:
    return untimed(read_checkpoint(path, asked, held))


def require_same(one: Any, other: Any) -> None:
    """All that they hold, to the bit."""
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            require_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        for part, same in zip(one, other, strict=True):
            require_same(part, same)
    else:
        assert one == other


def test_files_are_named_by_texts_too(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("run.jsonl", "run.pt")]
    ended = train(setting(), data=DATA, log=names[0], checkpoint=names[1])
    assert read_log(names[0])[0] == setting() and state(Path(names[1]), setting())["losses"]
    held = Results(str(tmp_path / "results.jsonl"))
    held.add(setting(), ended.result())
    assert read_results(str(held.path)).runs == read_results([str(held.path)]).runs == held.runs
    for wrong in ({"log": 3}, {"checkpoint": b"run.pt"}):
        with pytest.raises(DomainError, match="is no name of a file"):
            train(setting(), data=DATA, **wrong)  # type: ignore[arg-type]
    for read in (read_log, read_results):
        with pytest.raises(DomainError, match="is no name of a file"):
            read([3])  # type: ignore[operator]


#: What a run is made of: of each kind one that is interrupted below.
KINDS: dict[str, tuple[dict[str, Any], Data]] = {
    "adam": ({}, DATA),
    "adamw, limited": ({"optimizer": "adamw", "clip_gradient": 0.5, "weights": "orthogonal"}, DATA),
    "sgd, constant": ({"optimizer": "sgd", "schedule": "constant", "warmup": 0}, DATA),
    "conv": ({"model": "conv", "width": 4, "optimizer": "sgd"}, data((2, 5, 4))),
    "held out": ({"validation": 20}, DATA),
}


def test_the_same_seed_gives_the_same_run_and_another_another(tmp_path: Path) -> None:
    asked = setting()
    runs = []
    for number, seed in enumerate((0, 0, 1)):
        torch.manual_seed(number)
        path = tmp_path / f"{number}.jsonl"
        run = train(replace(asked, seed=seed), data=DATA, log=path, checkpoint=tmp_path / f"{number}.pt")
        runs.append((untimed(run.record()), lines(path), state(tmp_path / f"{number}.pt", run.setting)))
    require_same(runs[0], runs[1])
    assert runs[0][2]["losses"] != runs[2][2]["losses"]


def test_a_run_in_several_threads_is_that_in_one(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(untimed(train(setting(width=200), data=DATA).record()))
            assert torch.get_num_threads() == threads
        assert found[0] == found[1]
    finally:
        torch.set_num_threads(before)


def test_a_run_without_numbers_below_the_normal_ones_leaves_them_to_others() -> None:
    def are_kept() -> bool:
        return bool(torch.tensor(1e-40).mul(1.0))

    try:
        found = []
        for flushed in (True, False):
            torch.set_flush_denormal(flushed)
            during: list[bool] = []
            found.append(
                untimed(train(setting(), data=DATA, advance=lambda _, d=during: d.append(are_kept())).record())
            )
            assert len(during) > 1 and not any(during)
            assert are_kept() is not flushed
        assert found[0] == found[1]
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cuts", [[1], [3, 9], [12, 13, 23]], ids=str)
def test_an_interrupted_run_goes_on_to_the_same_bit(kind: str, cuts: list[int], tmp_path: Path) -> None:
    changed, held = KINDS[kind]
    asked = setting(**changed)
    whole = train(asked, data=held, log=tmp_path / "whole.jsonl", checkpoint=tmp_path / "whole.pt")
    assert whole.outcome == "finished" and whole.steps == (18 if asked.validation else 24)
    cut, kept = tmp_path / "cut.jsonl", tmp_path / "cut.pt"
    for number, at in enumerate(at for at in cuts if at < whole.steps):
        with pytest.raises(KeyboardInterrupt):
            train(asked, data=held, log=cut, checkpoint=kept, resume=number > 0, advance=interrupt_at(at))
        assert len(state(kept, asked, held)["losses"]) == at
    ended = train(asked, data=held, log=cut, checkpoint=kept, resume=True)
    assert untimed(ended.record()) == untimed(whole.record())
    assert (ended.start, ended.end) == (whole.start, whole.end)
    assert lines(cut) == lines(tmp_path / "whole.jsonl")
    require_same(state(kept, asked, held), state(tmp_path / "whole.pt", asked, held))


def test_a_run_that_was_killed_goes_on_from_an_earlier_checkpoint_and_repairs_its_log(tmp_path: Path) -> None:
    asked, log, kept = setting(), tmp_path / "run.jsonl", tmp_path / "run.pt"
    train(asked, data=DATA, log=log, checkpoint=kept)
    whole = log.read_bytes()
    kept.unlink()
    log.unlink()
    with pytest.raises(KeyboardInterrupt):
        train(asked, data=DATA, log=log, checkpoint=kept, advance=interrupt_at(7))
    early = kept.read_bytes()
    for end in (*range(0, len(whole), 211), len(whole) - 1, len(whole)):
        # The log has gone on, or has less than the checkpoint; its last line may be cut.
        log.write_bytes(whole[:end])
        kept.write_bytes(early)
        train(asked, data=DATA, log=log, checkpoint=kept, resume=True)
        behind = whole[:end].count(b"\n") < 4
        assert lines(log)[-9:] == [untimed(json.loads(line)) for line in whole.splitlines()][-9:]
        assert behind or lines(log) == [untimed(json.loads(line)) for line in whole.splitlines()]


def test_a_run_without_its_checkpoint_begins_again(tmp_path: Path) -> None:
    log, kept = tmp_path / "run.jsonl", tmp_path / "run.pt"
    first = train(setting(), data=DATA, log=log, checkpoint=kept, resume=True)
    whole = lines(log)
    kept.unlink()
    again = train(setting(), data=DATA, log=log, checkpoint=kept, resume=True)
    assert untimed(again.record()) == untimed(first.record()) and lines(log) == whole


def test_what_has_ended_is_not_trained_again(tmp_path: Path) -> None:
    log, kept = tmp_path / "run.jsonl", tmp_path / "run.pt"
    for asked in (setting(), setting(learning_rate=1e30, optimizer="sgd", data="d.npz")):
        train(asked, data=DATA, log=log, checkpoint=kept)
        before, said = lines(log), state(kept, asked)
        steps: list[int] = []
        again = train(asked, data=DATA, log=log, checkpoint=kept, resume=True, advance=steps.append)
        assert steps == [again.steps] and lines(log) == before
        require_same(state(kept, asked), said)
        log.unlink()
        kept.unlink()


def test_an_interrupt_at_the_last_measurement_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Trained:
        raise KeyboardInterrupt

    log, kept = tmp_path / "run.jsonl", tmp_path / "run.pt"
    with monkeypatch.context() as during:
        during.setattr("meanfield.training.run.ended", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(setting(), data=DATA, log=log, checkpoint=kept)
    steps: list[int] = []
    train(setting(), data=DATA, log=log, checkpoint=kept, resume=True, advance=steps.append)
    assert steps == [24]


def test_a_checkpoint_is_written_along_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, sizes = tmp_path / "run.pt", []
    monkeypatch.setattr("meanfield.training.run._BETWEEN", 0.0)

    def advance(more: int) -> None:
        if more == 1:
            sizes.append(len(state(kept, setting())["losses"]))

    train(setting(), data=DATA, checkpoint=kept, advance=advance)
    assert sizes == list(range(1, 25))


def test_the_log_says_what_was_asked_foretold_and_measured(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    asked = setting(validation=20)
    ended = train(asked, data=DATA, log=log, foretold={"verdict": "safe", "share_lost": math.inf})
    again, foretold, rows = read_log(log)
    assert again == asked and foretold == {"verdict": "safe", "share_lost": None}
    assert [row["step"] for row in rows] == [0, *(math.ceil(1.8 * part) for part in range(1, 11)), 18]
    layers = {"q", "sparsity", "gradient_norm"}
    measured = {f"{which}_{what}" for which in ("train", "validation") for what in ("accuracy", "loss", "sparsity")}
    assert set(rows[0]) == {"step", *layers, *measured}
    assert all(set(row) == {"step", "loss", *layers, *measured} for row in rows[1:-1])
    assert set(rows[-1]) == {"step", *layers, *RESULT}
    assert all(len(row[name]) == asked.depth for row in rows for name in layers)
    assert (rows[0]["q"], rows[-1]["q"]) == (ended.start["q"], ended.end["q"])
    assert rows[-1]["outcome"] == "finished" and rows[-1]["test_on"] == "validation"
    # What the last line says of all examples, the one before says of the first thousand.
    assert rows[-1]["train_loss"] == rows[-2]["train_loss"] and rows[-1]["test_loss"] == rows[-2]["validation_loss"]


def test_a_network_learns() -> None:
    ended = train(setting(epochs=20), data=DATA)
    assert ended.train is not None and ended.test is not None
    assert ended.train.accuracy > 0.95 and ended.test.accuracy > 0.8 and ended.train.loss < 0.3


def test_the_log_of_a_run_that_goes_on_can_be_read(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    train(setting(), data=DATA, log=log)
    log.write_bytes(log.read_bytes()[:-40])
    assert [row["step"] for row in read_log(log)[2]][-1] == 24
    for wrong in (
        b"",
        b"{}\n",
        b"[" * 200_000 + b"\n",
        b"[]\n",
        b"1\n",
        b"text\n",
        b'{"format": "meanfield training 1", "setting": {}}\n',
    ):
        log.write_bytes(wrong)
        with pytest.raises(OutputError, match="is no log of 'meanfield train"):
            read_log(log)
    with pytest.raises(OutputError, match="cannot read"):
        read_log(tmp_path / "none.jsonl")


def test_a_run_that_diverges_ends_and_says_where(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    asked = setting(optimizer="sgd", learning_rate=1e6, warmup=0, epochs=50, depth=4)
    ended = train(asked, data=DATA, log=log)
    assert ended.outcome == "diverged" and ended.steps < 600 and ended.first_layer in (1, 2, 3, 4)
    assert ended.train is None and ended.test is None
    last = lines(log)[-1]
    assert (last["outcome"], last["steps"], last["step"]) == ("diverged", ended.steps, ended.steps)
    away = [
        not (now is not None and a / 100 <= now <= a * 100) for a, now in zip(ended.start["q"], last["q"], strict=True)
    ]
    assert away.index(True) + 1 == ended.first_layer
    # No line holds what JSON does not know.
    for name in ("NaN", "Infinity"):
        assert name not in log.read_text()


def test_a_network_that_explodes_where_it_was_drawn_diverges_before_a_step() -> None:
    # σ_w is 1e3 times that of the edge: h grows by as much a layer, and 1e39 is beyond single precision.
    ended = train(setting(sigma_w=1e3 * 2**0.5, depth=20), data=DATA)
    assert (ended.outcome, ended.steps) == ("diverged", 0)
    known = [math.isfinite(q) for q in ended.end["q"]]
    assert ended.first_layer == known.index(False) + 1 and ended.first_layer in (13, 14, 15)


def test_a_loss_far_above_a_guess_ends_a_run_after_a_hundred_steps() -> None:
    # Weights stay numbers, and most losses of 100 steps are more than ten times ln 3.
    asked = setting(learning_rate=100.0, warmup=0, schedule="constant", epochs=100)
    ended = train(asked, data=DATA)
    assert ended.outcome == "diverged" and 100 <= ended.steps < 1200 and ended.first_layer in (1, 2, 3)
    assert all(math.isfinite(q) for q in ended.end["q"])


def test_a_run_that_is_thrown_far_and_comes_back_has_not_diverged() -> None:
    far = 10 * math.log(3)
    # Half of the latest hundred, whatever their mean, is not more than half.
    for beyond, stops in (([1e30] * 50, False), ([far * 1.01] * 51, True), ([far * 0.99] * 100, False)):
        assert Losses(3, [1.0] * (100 - len(beyond)) + beyond).stop(1.0) is stops
        # What came before the latest hundred no longer counts.
        assert not Losses(3, beyond + [1.0] * 100).stop(1e30)
    # A first loss that is larger than a guess is what others are measured by.
    assert Losses(3, [20.0] + [199.0] * 99).stop(1.0) is False and Losses(3, [20.0] + [201.0] * 99).stop(1.0) is True
    # Of fewer nothing is said, but of what is no number.
    assert not Losses(3, [1.0] + [1e30] * 98).stop(1e30)
    assert all(Losses(3, [1.0]).stop(none) for none in (math.inf, -math.inf, math.nan))


def test_a_result_that_is_no_number_is_none() -> None:
    ended = train(setting(), data=DATA)
    assert ended.train is not None
    odd = replace(ended, train=ended.train._replace(loss=math.nan))
    assert odd.result()["train_loss"] is None and odd.result()["train_accuracy"] == ended.train.accuracy
    assert tuple(odd.result()) == RESULT


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    log, kept = tmp_path / "run.jsonl", tmp_path / "run.pt"
    train(setting(), data=DATA, log=log, checkpoint=kept)
    before = log.read_bytes(), kept.read_bytes()
    for files in ({"log": log}, {"checkpoint": kept}):
        with pytest.raises(OutputError, match=r"is there already: go on .* by --resume"):
            train(setting(), data=DATA, **files)
    assert (log.read_bytes(), kept.read_bytes()) == before


def test_files_of_another_run_are_refused_and_left(tmp_path: Path) -> None:
    log, kept, new = tmp_path / "run.jsonl", tmp_path / "run.pt", tmp_path / "new"
    train(setting(), data=DATA, log=log, checkpoint=kept)
    before = log.read_bytes(), kept.read_bytes()
    for other, says in (
        (setting(seed=1), "seed = 0, not 1"),
        (setting(width=11), "width = 10, not 11"),
        (setting(clip_gradient=2.0), "clip_gradient = None, not 2.0"),
    ):
        with pytest.raises(OutputError, match=f"run.jsonl is the log of a run with {says}"):
            train(other, data=DATA, log=log, checkpoint=new, resume=True)
        with pytest.raises(OutputError, match=f"run.pt is of a run with {says}"):
            train(other, data=DATA, checkpoint=kept, resume=True)
    with pytest.raises(OutputError, match=r"on other data than x\.npz holds now"):
        train(setting(), data=data(count=97), checkpoint=kept, resume=True)
    assert (log.read_bytes(), kept.read_bytes()) == before and not new.exists()


def test_damaged_files_are_refused_and_left(tmp_path: Path) -> None:
    log, kept, new = tmp_path / "run.jsonl", tmp_path / "run.pt", tmp_path / "new"
    train(setting(), data=DATA, log=log, checkpoint=kept)
    whole, rows = kept.read_bytes(), log.read_bytes().splitlines(keepends=True)
    wrong = [b"", b"text", whole[:-1], whole[: len(whole) // 2], whole + b"\n", whole[23:]]
    wrong += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), len(whole) // 50)]
    for content in wrong:
        kept.write_bytes(content)
        with pytest.raises(OutputError, match="no checkpoint of 'meanfield train', or is damaged") as told:
            train(setting(), data=DATA, checkpoint=kept, resume=True)
        assert "\n" not in str(told.value) and kept.read_bytes() == content
    for content in (
        [b"text"],
        [b"text\n"],
        [b"[]\n"],
        [b"[" * 200_000, b"\n"],
        [b"null\n"],
        [rows[0], b"{}\n"],
        [rows[0], b"1\n"],
        [rows[0], rows[2], rows[1]],
        [rows[0], rows[-1], rows[1]],
        [rows[0], rows[1][:30], b"\n"],
        [rows[0].replace(b"training 1", b"training 9")],
        [setting_line(setting(seed=1))[:-3]],
    ):
        log.write_bytes(b"".join(content))
        with pytest.raises(OutputError, match=r"run\.jsonl is (no log|the log of)") as told:
            train(setting(), data=DATA, log=log, checkpoint=new, resume=True)
        assert "\n" not in str(told.value) and log.read_bytes() == b"".join(content) and not new.exists()


def setting_line(asked: Setting) -> bytes:
    """The first line of the log of a run."""
    return (
        json.dumps({"format": "meanfield training 1", "setting": asked.as_record(), "foretold": None}) + "\n"
    ).encode()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no setting": ({"setting": {"activation": "relu"}}, "is no Setting"),
    "no data": ({"data": "digits"}, r"data = digits is no Data: give one, such as load\('digits'\)"),
    "nothing to resume": ({"resume": True}, "no checkpoint to resume from"),
    "no device": ({"device": "tpu"}, "device = .tpu. is not known: give cpu, cuda or auto"),
    "too large a batch": ({"setting": setting(batch=97)}, "batch = 97 is more than the 96 examples"),
    "one held out too many": ({"setting": setting(validation=90)}, "batch = 8 is more than the 6 examples"),
    "all held out": ({"setting": setting(validation=96)}, "validation = 96 leaves none of 96"),
    "no positions": ({"setting": setting(model="conv")}, "no positions to convolve over"),
    "no folder": ({"log": Path("no/such/run.jsonl")}, "there is no folder no/such"),
    "one file for two": ({"log": Path("a.jsonl"), "checkpoint": Path("a.jsonl")}, "two results would go to one file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_is_told_before_a_file_is_touched(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    changed, says = REFUSED[case]
    asked = {"setting": setting(), "data": DATA, "log": Path("run.jsonl"), **changed}
    with pytest.raises((DomainError, OutputError), match=says) as told:
        train(asked.pop("setting"), **asked)
    assert "\n" not in str(told.value) and not [*tmp_path.iterdir()]


def test_a_device_is_here_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == device_named("cpu") == torch.device("cpu")
    with pytest.raises(DomainError, match="device = cuda is not here"):
        device_named("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named("auto") == torch.device("cuda") and device_named("cpu") == torch.device("cpu")


def test_labels_that_no_training_example_has_are_tested_on_all_the_same() -> None:
    x, y = examples(40, seed=1)
    y[:5] = 6
    ended = train(setting(), data=Data("x.npz", *examples(96), x, y))
    assert ended.outcome == "finished" and ended.test is not None and ended.test.accuracy <= 35 / 40


def test_a_checkpoint_that_can_no_longer_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()

    def advance(_: int) -> None:
        if folder.exists():
            folder.rmdir()

    with pytest.raises(OutputError, match=r"cannot write .*run\.pt: there is no folder"):
        train(setting(), data=DATA, checkpoint=folder / "run.pt", advance=advance)


def test_what_is_no_file_is_not_read_to_its_end() -> None:
    with pytest.raises(OutputError, match="full is no checkpoint"):
        train(setting(), data=DATA, checkpoint=Path("/dev/full"), resume=True)
    with pytest.raises(OutputError, match="full: it is no file"):
        train(setting(), data=DATA, checkpoint=Path("none.pt"), log=Path("/dev/full"), resume=True)
