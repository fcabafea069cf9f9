"""What is asked of a run: numbers in range, names that are known, and activations from what they should be."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from small_runs import setting

import meanfield as mf
from meanfield.errors import DomainError, MeanFieldError, NoDesign
from meanfield.training.setting import Setting
from meanfield.training.sparse_settings import settings_of


def test_a_setting_is_read_back_from_its_record() -> None:
    for asked in (setting(), setting(clip_gradient=0.5, model="conv", weights="orthogonal", optimizer="sgd")):
        text = json.dumps(asked.as_record(), allow_nan=False)
        again = Setting.from_record(json.loads(text))
        assert again == asked and hash(again) == hash(asked) and again.as_record() == asked.as_record()
    for wrong in ({}, {"clip_gradient": None}, [], {**setting().as_record(), "more": 1}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Setting.from_record(wrong)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    asked = setting(depth=np.int64(3), sigma_w=np.float32(1.5), epochs=np.int8(2), seed=np.uint16(7))
    assert asked == setting(sigma_w=1.5, seed=7)
    json.dumps(asked.as_record())


@pytest.mark.parametrize(
    "act, rest, said",
    [
        (np.tanh, {}, "act = .* is no text"),
        ("relu", {"lr": 1e-3}, "lr is .* learning_rate"),
        ("relu", {"activation": "relu"}, "activation is"),
    ],
)
def test_what_settings_do_not_have_is_told(act: Any, rest: dict[str, Any], said: str) -> None:
    with pytest.raises(DomainError, match=said):
        settings_of(act, **rest)


WRONG: dict[str, Any] = {
    "depth": (0, 1.5, True, "3", None),
    "width": (0, -1),
    "batch": (0, 10**16),
    "validation": (-1,),
    "warmup": (-1, 0.5),
    "seed": (-1,),
    "epochs": (0, -1, math.nan, math.inf, "2", None),
    "learning_rate": (0, math.nan, math.inf),
    "clip_gradient": (0, -1, math.nan),
    "sigma_w": (0, -1, math.inf),
    "sigma_b": (-1, math.nan),
    "q_star": (0, math.inf),
    "model": ("cnn", None, []),
    "weights": ("uniform",),
    "optimizer": ("lion",),
    "schedule": ("linear",),
    "activation": ("rely", 3, None),
    "data": (None, 3),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_out_of_range_is_told_in_one_line(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(MeanFieldError, match="rely" if value == "rely" else name) as told:
            setting(**{name: value})
        assert "\n" not in str(told.value)


def test_only_convolutions_have_a_centre() -> None:
    assert setting(model="conv", weights="delta-orthogonal").model == "conv"
    with pytest.raises(DomainError, match="delta-orthogonal weights are of convolutions"):
        setting(weights="delta-orthogonal")


def test_steps_are_whole_batches_and_at_least_one() -> None:
    asked = setting(batch=8, epochs=2)
    assert [asked.steps(n) for n in (8, 15, 16, 96)] == [2, 2, 4, 24]
    assert setting(batch=8, epochs=0.01).steps(8) == 1
    assert setting(batch=8, epochs=0.5).steps(96) == 6
    with pytest.raises(DomainError, match="batch = 8 is more than the 7 examples"):
        asked.steps(7)
    for epochs in (1e300, 1.7e308):
        with pytest.raises(DomainError, match="takes more than 1e\\+15 steps"):
            setting(epochs=epochs).steps(96)


@pytest.mark.parametrize("q_star", [1.0, 2.0])
def test_a_sparsity_and_a_slope_give_an_activation_on_its_edge(q_star: float) -> None:
    (found,) = settings_of("clipped-relu", sparsity=0.85, slope=0.7, q_star=q_star, depth=30, width=300)
    numbers = found.phi.knots  # type: ignore[attr-defined]
    tau, end = (knot / math.sqrt(q_star) for knot in numbers)
    # Zeros are what lies below τ, and E φ'² is the mass between τ and the clip.
    assert norm.cdf(tau) == pytest.approx(0.85, rel=1e-9)
    mass = norm.cdf(end) - norm.cdf(tau)
    assert found.sigma_w**2 * mass == pytest.approx(1, rel=1e-9)
    network = mf.MeanField(found.phi, found.sigma_w, found.sigma_b)
    assert network.V(q_star) == pytest.approx(q_star, rel=1e-9)
    assert network.dV(q_star) == pytest.approx(0.7, rel=1e-6)
    assert (found.depth, found.width, found.q_star) == (30, 300, q_star)


def test_a_gain_gives_weights_and_biases_beside_the_edge() -> None:
    (found,) = settings_of("relu", q_star=2.0, chi_1=0.88)
    # σ_w² = 2c and σ_b² = (1 − c)q*.
    assert (found.sigma_w, found.sigma_b) == pytest.approx((math.sqrt(1.76), math.sqrt(0.24)), rel=1e-14)
    (clipped,) = settings_of("clipped-relu", sparsity=0.85, slope=0.7, chi_1=0.88)
    network = mf.MeanField(clipped.phi, clipped.sigma_w, clipped.sigma_b)
    assert (network.V(1.0), network.chi1(1.0)) == pytest.approx((1.0, 0.88), rel=1e-12)
    assert network.dV(1.0) == pytest.approx(0.7, rel=1e-6)
    assert norm.cdf(clipped.phi.knots[0]) == pytest.approx(0.85, rel=1e-9)  # type: ignore[attr-defined]


def test_what_is_given_is_kept_and_what_is_left_open_is_designed() -> None:
    (whole,) = settings_of("clipped-relu", {"m": 1.0}, sparsity=0.7)
    low, high = whole.phi.knots  # type: ignore[attr-defined]
    assert high - low == pytest.approx(1) and norm.cdf(low) == pytest.approx(0.7)
    (plain,) = settings_of("relu", sigma_w=1.3, sigma_b=0.2)
    assert (plain.activation, plain.sigma_w, plain.sigma_b) == ("relu", 1.3, 0.2)
    (named,) = settings_of("clipped-relu", {"tau": 1.0, "m": 1.0})
    for text in ("clipped-relu(tau=1, m=1)", "clipped-relu(1, 1)", "clip(x - 1, 0, 1)"):
        (same,) = settings_of(text)
        assert same.activation == text and same.phi == named.phi == mf.activation("clipped-relu", tau=1, m=1)
    (half,) = settings_of("clipped-relu(m=1)", sparsity=0.7)
    assert half.phi.knots == pytest.approx(whole.phi.knots, rel=1e-9)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("act", "asked", "says"),
    [
        ("clipped-relu", {"slope": 0.7}, "leaves tau open: give --sparsity"),
        ("clipped-relu", {"sparsity": 0.85}, "leaves m open: give --slope"),
        ("relu", {"sparsity": 0.5}, "--sparsity sets tau, which relu does not leave open"),
        ("shifted-relu", {"sparsity": 0.5, "slope": 0.7}, "--slope sets m, which shifted-relu does not leave open"),
        ("clipped-relu(tau=1, m=1)", {"sparsity": 0.85}, "--sparsity sets tau"),
        ("clipped-relu", {"sparsity": 1.5, "slope": 0.7}, "1.5"),
        ("relu", {"sigma_b": 0.5}, "sigma_w"),
        ("relu", {"sigma_w": 1.5, "chi_1": 0.9}, "chi_1 = 0.9 sets sigma_w and sigma_b at q"),
        ("relu", {"chi_1": 1.1}, "χ₁ <= 1 would do"),
        ("relu", {"chi_1": 0.0}, "chi_1 = 0 is no gain"),
        ("rely", {}, "rely"),
    ],
)
def test_more_or_less_than_is_open_is_told(act: str, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(MeanFieldError, match=says) as told:
        settings_of(act, **asked)
    assert "\n" not in str(told.value)


def test_what_no_activation_reaches_has_no_answer() -> None:
    with pytest.raises(NoDesign):
        settings_of("clipped-relu", sparsity=0.85, slope=5.0)
