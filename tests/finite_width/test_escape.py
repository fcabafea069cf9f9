"""How many chains leave q*, against networks drawn by hand, and what is asked of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from examples import HARD_TANH, RELU, SIGN, VERDICTS
from hypothesis import given, strategies as st
from real_networks import networks_by_hand

from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement, escapes
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField


def test_the_escape_probability_is_that_of_200_real_networks() -> None:
    width, depth = 100, 30
    edge = edge_of_chaos(VERDICTS["fragile"])
    chains = escapes(edge.mean_field, 1.0, Requirement(width, depth, chains=2048))
    real = networks_by_hand(edge.mean_field, 1.0, width, depth, 200, seed=11)
    outside = np.count_nonzero((real < 0.5) | (real > 2))
    low, high = wilson(outside, 200)
    assert low <= chains.probability <= high


def wilson(count: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The two p with |count − np| = z √(np(1 − p)), as a quadratic equation."""
    a, b, c = total**2 + z**2 * total, -(2 * total * count + z**2 * total), count**2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


@given(st.integers(0, 40))
def test_the_interval_is_wilsons(count: int) -> None:
    found = escapes(MeanField(RELU, 1.0), 1.0, Requirement(2, 1, chains=40))
    outside = np.arange(40) < count
    interval = replace(found, outside=np.array([np.zeros(40, bool), outside])).interval
    assert interval == pytest.approx(wilson(count, 40), abs=1e-12)


def test_escapes_are_counted_on_both_sides_and_at_the_last_layer() -> None:
    found = escapes(edge_of_chaos(RELU).mean_field, 1.0, Requirement(20, 30, within=1.5, chains=500))
    last = found.variances[-1]
    assert found.probability == np.mean((last < 1 / 1.5) | (last > 1.5))
    assert (last < 1 / 1.5).any()
    assert (last > 1.5).any()
    assert not found.outside[0].any()
    np.testing.assert_array_equal(found.shares, np.mean((found.variances < 1 / 1.5) | (found.variances > 1.5), axis=1))


def test_a_gradient_is_lost_when_it_changes_by_more_than_is_allowed_either_way() -> None:
    # Chaos and order: gradients grow, and vanish.
    for weight, sign in ((2.0, 1), (0.7, -1)):
        network = MeanField(HARD_TANH, weight, 0.3)
        found = escapes(network, 1.0, Requirement(40, 12, within=1.5, gradient_within=20, chains=300))
        beyond = np.abs(found.log_gains) > math.log(20)
        np.testing.assert_array_equal(found.without_gradient, beyond)
        assert (sign * found.log_gains[beyond] > 0).all() and 0 < np.count_nonzero(beyond)
        np.testing.assert_array_equal(found.lost(), beyond | found.outside[-1])
        np.testing.assert_array_equal(found.lost(neutral=True), beyond)
        assert found.interval_of(found.lost())[0] <= found.lost().mean() <= found.interval_of(found.lost())[1]


def test_a_gradient_that_does_not_pass_is_lost() -> None:
    assert escapes(MeanField(SIGN, 0.9, 0.4), 1.0, Requirement(10, 2, chains=50)).without_gradient.all()
    # One unit sloping or not: half of all layers pass nothing.
    found = escapes(MeanField(RELU, 1.0), 1.0, Requirement(1, 3, gradient_within=1e30, chains=2000))
    assert np.mean(found.without_gradient) == pytest.approx(7 / 8, abs=4 * math.sqrt(7 / 64 / 2000))


def test_a_neutral_signal_may_drift() -> None:
    found = escapes(edge_of_chaos(RELU).mean_field, 1.0, Requirement(100, 30, chains=1024))
    assert found.lost(neutral=True).mean() < found.requirement.risk < found.lost().mean()


def test_orthogonal_weights_lose_fewer_gradients() -> None:
    network, required = edge_of_chaos(HARD_TANH).mean_field, Requirement(30, 20, gradient_within=10, chains=1024)
    gaussian = escapes(network, 1.0, required).without_gradient.mean()
    orthogonal = escapes(network, 1.0, replace(required, weights="orthogonal")).without_gradient.mean()
    assert 0.05 < gaussian
    assert orthogonal < gaussian / 2


def test_counts_may_be_numpys() -> None:
    assert Requirement(np.int64(100), np.int32(10)).width == 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"width": 2.5},
        {"depth": 0},
        {"chains": 0},
        {"seed": -1},
        {"risk": 0.0},
        {"risk": 1.0},
        {"within": 1.0},
        {"within": math.nan},
        {"gradient_within": 1.0},
        {"weights": "uniform"},
        {"depth": 10**6, "chains": 10**4},
    ],
)
def test_requirements_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(DomainError, match=r"give|do not fit"):
        Requirement(**{"width": 100, "depth": 10, **wrong})
