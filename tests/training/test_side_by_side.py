"""Networks trained side by side: each as it would be by itself, whatever becomes of the others."""

from __future__ import annotations

import math
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
from meanfield.training import tuning as tried
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
            np.testing.assert_allclose(other, one, rtol=NEAR, atol=0.011)


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
    # All that are left having diverged, no step is taken.
    lost = train_side_by_side([settings[2], replace(settings[2], seed=5)], data=DATA, device=device)
    assert [found.steps for found in lost] == [0, 0]


def test_what_cannot_be_side_by_side_is_refused() -> None:
    with pytest.raises(DomainError, match="conv are trained one by one"):
        kind(setting(model="conv"))
    others = [{"width": 11}, {"depth": 4}, {"batch": 9}, {"epochs": 3}, {"optimizer": "sgd"}, {"validation": 5}]
    others += [{"data": "y.npz"}, {"schedule": "constant"}, {"warmup": 6}, {"activation": "leaky-relu"}]
    others += [{"activation": "gelu"}, {"activation": "sign"}]
    kinds = [kind(setting(**changed)) for changed in others]
    assert kind(setting()) not in kinds and len(set(kinds)) == len(kinds)
    for changed in others:
        with pytest.raises(DomainError, match="are alike in shape, data and time"):
            train_side_by_side([setting(), setting(**changed)], data=DATA)
    with pytest.raises(DomainError, match="one kind"):
        train_side_by_side([], data=DATA)
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


def test_what_a_gpu_has_no_room_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")

    monkeypatch.setattr("meanfield.training.side_by_side._Stack.take", full)
    with pytest.raises(DomainError, match=r"^2 networks side by side do not fit in the memory of cpu: give fewer$"):
        train_side_by_side([setting(), setting(seed=1)], data=DATA)
