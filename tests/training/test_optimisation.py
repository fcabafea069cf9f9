"""Learning rates by step, and one step of each optimiser, against their formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import data, setting

from meanfield.training.examples import Examples
from meanfield.training.optimisation import optimizer, rate
from meanfield.training.steps import Steps


@pytest.mark.parametrize("warmup", [0, 1, 7, 40])
def test_the_rate_rises_linearly_and_falls_as_a_cosine(warmup: int) -> None:
    total, top = 24, 0.03
    steps = np.arange(total)
    rising = np.minimum(1, (steps + 1) / warmup) if warmup else np.ones(total)
    # cos² of half the angle.
    falling = np.cos(math.pi * steps / total / 2) ** 2
    for schedule, expected in (("cosine", top * rising * falling), ("constant", top * rising)):
        asked = setting(warmup=warmup, schedule=schedule, learning_rate=top)
        assert [rate(asked, step, total) for step in steps] == pytest.approx(expected, rel=1e-12)


def updates(name: str, gradients: list[float]) -> list[float]:
    """Where a weight of 1 goes at rate 0.1."""
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    by = optimizer(setting(optimizer=name, learning_rate=0.1), [weight])
    found = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        by.step()
        found.append(float(weight.detach()))
    return found


def test_sgd_has_momentum() -> None:
    velocity, weight, expected = 0.0, 1.0, []
    for gradient in (2.0, -1.0, 0.5):
        velocity = 0.9 * velocity + gradient
        weight -= 0.1 * velocity
        expected.append(weight)
    assert updates("sgd", [2.0, -1.0, 0.5]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "decay"), [("adam", 0.0), ("adamw", 0.01)])
def test_adam_divides_by_the_root_of_the_mean_square(name: str, decay: float) -> None:
    weight, expected, first, second = 1.0, [], 0.0, 0.0
    for t, gradient in enumerate((2.0, -1.0, 0.5), 1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weight -= 0.1 * decay * weight
        weight -= 0.1 * first / (1 - 0.9**t) / (math.sqrt(second / (1 - 0.999**t)) + 1e-8)
        expected.append(weight)
    assert updates(name, [2.0, -1.0, 0.5]) == pytest.approx(expected, rel=1e-9)


def moved(**changed: Any) -> float:
    """How far all weights together move in the first step of sgd, divided by its rate."""
    asked = setting(optimizer="sgd", schedule="constant", warmup=0, learning_rate=0.5, **changed)
    steps = Steps(asked, Examples(data(), torch.device("cpu")))
    before = [parameter.detach().clone() for parameter in steps.network.parameters()]
    assert steps.take()
    pairs = zip(before, steps.network.parameters(), strict=True)
    return math.sqrt(sum(float((old - new.detach()).double().square().sum()) for old, new in pairs)) / 0.5


def test_gradients_beyond_the_limit_are_scaled_down_to_it_and_others_are_not() -> None:
    free = moved()
    assert moved(clip_gradient=free / 3) == pytest.approx(free / 3, rel=1e-4)
    assert moved(clip_gradient=free * 3) == pytest.approx(free, rel=1e-4)


def test_each_epoch_sees_whole_batches_of_the_examples_in_an_order_of_its_own() -> None:
    steps = Steps(setting(batch=9, epochs=3), Examples(data(count=48), torch.device("cpu")))
    assert steps.total == 15
    epochs = []
    for _ in range(3):
        seen: list[int] = []
        for _ in range(5):
            seen += steps._batch().tolist()
            assert steps.take()
        assert len(set(seen)) == 45 and set(seen) <= set(range(48))
        epochs.append(seen)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_order_of_examples_is_that_of_the_seed() -> None:
    orders = [Steps(setting(seed=seed), Examples(data(), torch.device("cpu")))._batch().tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
