"""Networks trained side by side: each as it would be by itself, whatever becomes of the others."""

from __future__ import annotations

import itertools
import math
import signal
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import data, examples, setting

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.torch.stacked_ramps import StackedRamps
from meanfield.torch.straight import Ramps
from meanfield.training import side_by_side, tuning as tried
from meanfield.training.results import Results
from meanfield.training.run import train
from meanfield.training.setting import Setting
from meanfield.training.side_by_side import kind, train_side_by_side
from meanfield.training.trained import Trained
from meanfield.training.tuning import Workers

DATA = data()
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]
#: One ramp, two, and none but a smooth curve.
KINDS = (
    ("relu", "clipped-relu(tau=0.3, m=1.1)", "shifted-relu(tau=0.4)", "hard-tanh"),
    ("clipped-soft-threshold(tau=0.3, m=1.1)", "leaky-relu(slope=0.2)", "soft-threshold(tau=0.2)"),
    ("tanh",),
    ("sign",),
)
#: Of settings whose losses part by rounding, how far they may come.
NEAR = 1e-4


def of(activations: tuple[str, ...], **changed: Any) -> list[Setting]:
    """Settings of several activations, seeds, rates, limits, laws of weights and initialisations."""
    ways = (
        {"seed": 1},
        {"seed": 2, "clip_gradient": 0.3, "learning_rate": 0.003},
        {"seed": 1, "weights": "orthogonal", "sigma_w": 1.2, "sigma_b": 0.3, "q_star": 2.0},
    )
    return [setting(activation=phi, **{**way, **changed}) for phi, way in product(activations, ways)]


def require_alike(alone: Trained, beside: Trained) -> None:
    """The same but for the order in which numbers were added up."""
    assert (alone.setting, alone.outcome, alone.steps) == (beside.setting, beside.outcome, beside.steps)
    assert (alone.first_layer, alone.test_on) == (beside.first_layer, beside.test_on)
    for name in ("q", "sparsity", "gradient_norm"):
        np.testing.assert_allclose(beside.start[name], alone.start[name], rtol=NEAR, atol=NEAR)
        np.testing.assert_allclose(beside.end[name], alone.end[name], rtol=NEAR, atol=NEAR)
    for one, other in ((alone.train, beside.train), (alone.test, beside.test)):
        if one is None or other is None:
            assert one is other
        else:
            # One example of a hundred may fall on the other side.
            np.testing.assert_allclose(other.accuracy, one.accuracy, atol=0.026)
            np.testing.assert_allclose((other.loss, other.sparsity), (one.loss, one.sparsity), rtol=NEAR, atol=NEAR)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("activations", KINDS)
def test_each_is_trained_as_by_itself(activations: tuple[str, ...], device: str) -> None:
    settings = of(activations)
    ended = train_side_by_side(settings, data=DATA, device=device)
    for asked, beside in zip(settings, ended, strict=True):
        require_alike(train(asked, data=DATA), beside)
        assert beside.machine.endswith(f", {len(settings)} side by side")
    # They do differ.
    assert len({tuple(found.end["q"]) for found in ended}) == len(ended)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_by_every_optimiser(optimizer: Any) -> None:
    settings = of(KINDS[0], optimizer=optimizer, schedule="constant", validation=24, epochs=2.5)
    for asked, beside in zip(settings, train_side_by_side(settings, data=DATA), strict=True):
        require_alike(train(asked, data=DATA), beside)


@pytest.mark.parametrize("device", DEVICES)
def test_one_that_diverges_stops_there_and_the_others_go_on(device: str) -> None:
    long = {"epochs": 20, "sigma_w": 1.0}
    settings = [
        setting(seed=1, **long),
        setting(seed=2, activation="shifted-relu(tau=0.1)", learning_rate=1e4, **long),
        setting(seed=3, sigma_w=1e25, epochs=20),
        setting(seed=4, clip_gradient=0.5, **long),
    ]
    ended = train_side_by_side(settings, data=DATA, device=device)
    assert [found.outcome for found in ended] == ["finished", "diverged", "diverged", "finished"]
    for asked, beside in zip(settings, ended, strict=True):
        alone = train(asked, data=DATA)
        if alone.outcome == "finished":
            require_alike(alone, beside)
        else:
            assert (alone.outcome, alone.steps, alone.first_layer) == (beside.outcome, beside.steps, beside.first_layer)


def test_when_all_have_diverged_no_step_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def counted(stack: Any, really: Any = side_by_side._Stack.take) -> None:
        taken.append(stack.done)
        really(stack)

    monkeypatch.setattr(side_by_side._Stack, "take", counted)
    lost = train_side_by_side([setting(seed=seed, sigma_w=1e25) for seed in (3, 5)], data=DATA)
    assert [(found.outcome, found.steps) for found in lost] == [("diverged", 0)] * 2 and taken == [0]


def test_a_last_step_that_leaves_no_numbers_is_a_divergence() -> None:
    last = {"epochs": 1 / 12, "warmup": 0, "learning_rate": 1e38}
    settings = [setting(seed=1, **last), setting(seed=2, **last), setting(seed=3, **last | {"learning_rate": 0.01})]
    ended = train_side_by_side(settings, data=DATA)
    assert [found.outcome for found in ended] == ["diverged", "diverged", "finished"]
    for asked, beside in zip(settings, ended, strict=True):
        assert (train(asked, data=DATA).outcome, 1) == (beside.outcome, beside.steps)


def test_a_limit_is_of_its_own_network_alone() -> None:
    # The norm of its gradient is more than single precision holds, each part of it is not.
    free = setting(depth=6, sigma_w=3e4, seed=3)
    limited = setting(depth=6, seed=4, clip_gradient=1.0)
    alone = train(free, data=DATA)
    beside, _ = train_side_by_side([free, limited], data=DATA)
    assert alone.start["gradient_norm"][0] > 1e19 and alone.steps > 1
    assert (alone.outcome, alone.steps, alone.first_layer) == (beside.outcome, beside.steps, beside.first_layer)


def test_time_is_shared_and_a_stack_of_one_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("meanfield.training.side_by_side.time.perf_counter", lambda: next(clock))
    ended = train_side_by_side([setting(seed=seed) for seed in range(4)], data=DATA)
    assert [found.seconds for found in ended] == [24 / 4] * 4
    (one,) = train_side_by_side([setting()], data=DATA)
    assert one.machine == train(setting(), data=DATA).machine


def test_an_interrupt_waits_for_the_step_and_keeps_what_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def interrupted(stack: Any, really: Any = side_by_side._Stack.take) -> None:
        signal.raise_signal(signal.SIGINT)
        really(stack)
        taken.append(stack.done)

    with monkeypatch.context() as during:
        during.setattr(side_by_side._Stack, "take", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_side_by_side([setting(seed=seed) for seed in (1, 2)], data=DATA)
    assert taken == [1]

    # Of a stack that is over each is kept, though Ctrl-C comes as the first is.
    settings = [setting(seed=seed) for seed in range(5)]
    results = Results(tmp_path / "results.jsonl")

    def add(asked: Setting, result: Any, really: Any = results.add) -> None:
        signal.raise_signal(signal.SIGINT)
        really(asked, result)

    monkeypatch.setattr(results, "add", add)
    monkeypatch.setattr(tried, "_data", lambda _: DATA)
    with pytest.raises(KeyboardInterrupt):
        Workers(jobs=1, together=5).train(settings, results, lambda _: None)
    assert len(Results(tmp_path / "results.jsonl").runs) == 5


def test_what_cannot_be_side_by_side_is_refused() -> None:
    with pytest.raises(DomainError, match="conv are trained one by one"):
        kind(setting(model="conv"))
    others = [{"width": 11}, {"depth": 4}, {"batch": 9}, {"epochs": 3}, {"optimizer": "sgd"}, {"validation": 5}]
    others += [{"data": "y.npz"}, {"schedule": "constant"}, {"warmup": 6}, {"activation": "leaky-relu"}]
    others += [{"activation": "gelu"}, {"activation": "sign"}]
    kinds = [kind(setting(**changed)) for changed in others]
    assert kind(setting()) not in kinds and len(set(kinds)) == len(kinds)
    for changed in others:
        ((name, value),) = changed.items()
        both = f"networks of {name} .* and {value} are not" if name != "activation" else f"of relu and {value} are not"
        with pytest.raises(DomainError, match=both):
            train_side_by_side([setting(), setting(**changed)], data=DATA)
    for constants in (("0*x + 2", "0*x - 1"), ("relu(x)-2*relu(x-1)+relu(x-2)", "relu(x)-2*relu(x-2)+relu(x-4)")):
        with pytest.raises(DomainError, match="are not trained side by side: give one φ"):
            train_side_by_side([setting(activation=text, sigma_b=0.1) for text in constants], data=DATA)
    for wrong, told in (
        ([], "no settings are given"),
        (setting(), "is no list of settings"),
        (None, "settings = None is no list"),
        ("abc", "is no list of settings"),
        ({"a": 1}, "is no list of settings"),
        ([setting(), "relu"], "one of the settings"),
    ):
        with pytest.raises(DomainError, match=told):
            train_side_by_side(wrong, data=DATA)  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="device = 'tpu'"):
        train_side_by_side([setting()], device="tpu")
    with pytest.raises(DomainError, match="data = 3"):
        train_side_by_side([setting()], data=3)  # type: ignore[arg-type]
    assert len(train_side_by_side((setting(seed=seed) for seed in range(2)), data=DATA)) == 2
    alike = [{"activation": "relu6"}, {"sigma_w": 2.0}, {"sigma_b": 0.1}, {"q_star": 3.0}, {"weights": "orthogonal"}]
    alike += [{"learning_rate": 1.0}, {"clip_gradient": 1.0}, {"seed": 7}]
    assert {kind(setting(**changed)) for changed in alike} == {kind(setting())}


@pytest.mark.parametrize("texts", [KINDS[0], KINDS[1], ("hard-tanh", "clip(x + 0.5, -1, 2)")])
def test_ramps_side_by_side_are_the_functions(texts: tuple[str, ...]) -> None:
    functions = [mf.activation(text) for text in texts]
    knots = sorted({knot for phi in functions if isinstance(phi, PiecewiseLinear) for knot in phi.knots})
    points = torch.tensor([*np.linspace(-4, 4, 41), *knots, *(np.nextafter(np.float32(knots), np.float32(9)))])
    x = points.float().expand(len(functions), 1, -1).clone().requires_grad_()
    ramps = [Ramps.of(phi) for phi in functions if isinstance(phi, PiecewiseLinear)]
    stacked = StackedRamps([found for found in ramps if found])
    y = stacked(x)
    slopes = torch.autograd.grad(y.sum(), x)[0] if y.requires_grad else torch.zeros_like(x)
    for number, phi in enumerate(functions):
        alone = points.float().requires_grad_()
        values = mf.torch.Activation(phi)(alone)
        torch.testing.assert_close(y[number, 0], values, rtol=3e-7, atol=3e-7)
        assert torch.equal(y[number, 0] == 0, values == 0)
        expected = torch.autograd.grad(values.sum(), alone)[0] if values.requires_grad else torch.zeros_like(alone)
        torch.testing.assert_close(slopes[number, 0], expected)


def test_workers_train_so_many_at_a_time_and_keep_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), (test_x, test_y) = examples(96), examples(40, seed=1)
    np.savez(tmp_path / "x.npz", x_train=x, y_train=y, x_test=test_x, y_test=test_y)
    settings = [replace(found, data=str(tmp_path / "x.npz")) for found in of(KINDS[0]) + of(KINDS[2])]
    alone = Results(None)
    Workers(jobs=1).train(settings, alone, lambda _: None)
    calls: list[int] = []

    def counted(some: list[Setting], device: str, really: Any = tried._trained) -> Any:
        calls.append(len(some))
        return really(some, device)

    monkeypatch.setattr(tried, "_trained", counted)
    beside, epochs = Results(tmp_path / "results.jsonl"), list[float]()
    beside.add(settings[0], alone.runs[settings[0]])
    Workers(jobs=1, together=5).train(settings, beside, epochs.append)
    assert calls == [5, 5, 1, 3] and sum(epochs) == 2 * len(settings)
    held = Results(tmp_path / "results.jsonl").runs
    assert held.keys() == alone.runs.keys()
    for asked, result in held.items():
        assert math.isclose(result["test_accuracy"], alone.runs[asked]["test_accuracy"], abs_tol=0.03)
        assert result["data_checksum"] == alone.runs[asked]["data_checksum"]
    with pytest.raises(DomainError, match="together = 0"):
        Workers(together=0)
    with pytest.raises(DomainError, match="one by one"):
        Workers(together=2).train([setting(model="conv")], Results(None), lambda _: None)


def test_what_there_is_no_room_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        torch.empty(2**60)

    with monkeypatch.context() as during:
        during.setattr(side_by_side._Stack, "take", full)
        with pytest.raises(DomainError, match=r"^2 networks side by side do not fit in the memory of this machine"):
            train_side_by_side([setting(), setting(seed=1)], data=DATA)
    # Any other fault is none of this.
    monkeypatch.setattr(side_by_side._Stack, "take", lambda _: torch.empty(2) @ torch.empty(3))
    with pytest.raises(RuntimeError, match="size"):
        train_side_by_side([setting(), setting(seed=1)], data=DATA)


def test_what_is_0_at_q_star_is_refused() -> None:
    with pytest.raises(DomainError, match=r"^E φ² = 0 at q\* = 1: give another"):
        train_side_by_side([setting(activation="relu(x - 60)")], data=DATA)
