"""The spread of the variance between networks, against that of chains."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import (
    HARD_TANH,
    RELU,
    clipped_relu,
    clipped_soft_threshold,
    shifted_relu,
)

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.fluctuations import fluctuations
from meanfield.finite_width.variance_chain import trajectories
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose


def test_relu_has_five_units_of_variance_a_layer() -> None:
    assert MeanField(RELU, math.sqrt(2)).kick_variance(1.0) == pytest.approx(5, rel=1e-14)


@pytest.mark.parametrize(
    ("phi", "q_star"),
    [
        (clipped_relu(0.0, 1.6), 1.0),
        (clipped_relu(2.0728, 2.0), 4.0),
        (clipped_relu(1.0364, 1.4), 1.0),
        (clipped_soft_threshold(1.2816, 1.26), 1.0),
        (clipped_relu(1.6449, 0.93), 1.0),
        (HARD_TANH, 1.0),
    ],
)
def test_the_predicted_spread_is_the_chains_to_three_per_cent(phi: PiecewiseLinear, q_star: float) -> None:
    edge = edge_of_chaos(phi, q_star)
    assert edge.V_prime <= 0.81
    diagnosis = diagnose(edge)
    # The standard error of a standard deviation is about 1.1 % of it.
    variances_ = trajectories(edge.mean_field, q_star, 300, 40, 4096, seed=12).variances
    predicted = fluctuations(edge.mean_field, diagnosis.point.fixed_point, 300, 40)
    # Layers 20 to 40 all have the stationary spread; together they pin it down.
    assert np.mean(variances_[20:].std(axis=1)) == pytest.approx(predicted.stationary_sd, rel=0.03)
    assert predicted.sd[40] == pytest.approx(predicted.stationary_sd, rel=1e-3)
    assert variances_[1:6].std(axis=1) == pytest.approx(predicted.sd[1:6], rel=0.045)


@pytest.mark.parametrize("phi", [clipped_relu(0.0, 1.6), clipped_relu(0.2, 1.5), clipped_relu(0.5244, 1.2)])
def test_the_predicted_mean_is_the_chains(phi: PiecewiseLinear) -> None:
    edge = edge_of_chaos(phi)
    variances_ = trajectories(edge.mean_field, 1.0, 300, 40, 8192, seed=12).variances
    predicted = fluctuations(edge.mean_field, diagnose(edge).point.fixed_point, 300, 40)
    noise = 4 * predicted.stationary_sd / math.sqrt(8192 * 10)
    assert abs(predicted.stationary_mean - 1) > noise
    assert variances_[20:].mean() == pytest.approx(predicted.stationary_mean, abs=noise)
    assert predicted.mean[40] == pytest.approx(predicted.stationary_mean, abs=1e-4)


def test_without_a_pull_the_spread_grows_as_the_root_of_depth() -> None:
    edge = edge_of_chaos(shifted_relu(1.0))
    predicted = fluctuations(edge.mean_field, diagnose(edge).point.fixed_point, 10**6, 100)
    step = math.sqrt(edge.mean_field.kick_variance(1.0) / 10**6)
    assert predicted.sd[:11] == pytest.approx(step * np.sqrt(np.arange(11)), rel=0.01)
    assert predicted.stationary_sd == math.inf
