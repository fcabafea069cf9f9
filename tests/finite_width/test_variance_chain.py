"""The exact chain of variances: against the maps, against real networks, and its normal approximation."""

from __future__ import annotations

import math
import os
import signal
import threading

import numpy as np
import pytest
from examples import (
    ABS,
    HARD_TANH,
    RELU,
    SIGN,
    activations,
    clipped_relu,
    hard_threshold,
    shifted_relu,
    soft_threshold,
    variances,
)
from hypothesis import assume, given, settings
from real_networks import both_ways_by_hand
from scipy.special import ndtr

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width import variance_chain
from meanfield.finite_width.variance_chain import normal_step_error, takes_normal_steps, trajectories
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField

NETWORKS = [
    edge_of_chaos(clipped_relu(1.0364, 1.0)).mean_field,
    edge_of_chaos(shifted_relu(1.0)).mean_field,
    MeanField(hard_threshold(0.5), 1.2, 0.3),
    MeanField(PiecewiseLinear([-1, 0.5], [-0.5, 2, 0.25], [0, 1, 1.875]), 0.7, 0.1),
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("q", [0.25, 1.0, 4.0])
def test_one_exact_step_has_the_mean_and_variance_of_the_theory(network: MeanField, q: float) -> None:
    width, chains = 40, 40_000
    _, after = trajectories(network, q, width, 1, chains, seed=1).variances
    spread = math.sqrt(float(network.kick_variance(q)) / width)
    assert abs(after.mean() - network.V(q)) < 4 * spread / math.sqrt(chains)
    assert after.std() == pytest.approx(spread, rel=0.03)


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_chain_is_a_real_network(network: MeanField, orthogonal: bool) -> None:
    width, depth = 12, 4
    real = np.sort(both_ways_by_hand(network, 1.0, width, depth, 2000, seed=2, orthogonal=orthogonal).variances)
    drawn = np.sort(trajectories(network, 1.0, width, depth, 20_000, seed=3, orthogonal=orthogonal).variances[-1])
    both = np.concatenate([real, drawn])
    distance = np.abs(
        np.searchsorted(real, both, side="right") / real.size - np.searchsorted(drawn, both, side="right") / drawn.size
    ).max()
    # Kolmogorov and Smirnov: exceeded by chance once in ten thousand.
    assert distance < 2.23 * math.sqrt(1 / real.size + 1 / drawn.size)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here")
def test_a_seed_is_a_result_whatever_the_number_of_processors() -> None:
    network, all_of_them = NETWORKS[0], os.sched_getaffinity(0)
    whole = trajectories(network, 1.0, 50, 10, 1100, seed=7)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        alone = trajectories(network, 1.0, 50, 10, 1100, seed=7)
    finally:
        os.sched_setaffinity(0, all_of_them)
    assert (whole.variances == alone.variances).all()
    assert (whole.log_gains == alone.log_gains).all()
    assert (whole.variances != trajectories(network, 1.0, 50, 10, 1100, seed=8).variances)[1:].all()


def test_chains_are_independent() -> None:
    last = trajectories(NETWORKS[0], 1.0, 50, 5, 4096, seed=0).variances[-1]
    # Two layers whose sloping units all rest can agree; whole blocks cannot.
    assert len(np.unique(last)) > 0.99 * last.size
    assert abs(np.corrcoef(last[:-1], last[1:])[0, 1]) < 4 / math.sqrt(last.size)


def test_a_wide_layer_is_drawn_in_parts_that_fit_together() -> None:
    network, width = NETWORKS[0], 20_000
    _, after = trajectories(network, 1.0, width, 1, 300, seed=4, normal=False).variances
    assert after.std() == pytest.approx(math.sqrt(float(network.kick_variance(1.0)) / width), rel=0.2)
    assert after.mean() == pytest.approx(1.0, abs=4 * after.std() / math.sqrt(300))


def test_a_runaway_stays_a_number() -> None:
    network = MeanField(shifted_relu(0.5), 5.0, 1.0)
    for normal in (False, True):
        last = trajectories(network, 1.0, 200, 500, 64, normal=normal).variances[-1]
        assert np.isfinite(last).all()
        assert last.min() > 1e150


def test_a_constant_square_makes_no_noise() -> None:
    network = MeanField(SIGN, 1.5, 0.5)
    assert normal_step_error(network, 1.0, 10) == 0
    assert trajectories(network, 1.0, 10, 3, 100).variances[1:] == pytest.approx(np.full((3, 100), 2.5))


@pytest.mark.parametrize("phi", [RELU, ABS, HARD_TANH, clipped_relu(1.0364, 1.0), soft_threshold(1.0)])
@pytest.mark.parametrize("width", [30, 300])
def test_a_layer_is_as_close_to_normal_as_proven(phi: PiecewiseLinear, width: int) -> None:
    network, chains = MeanField(phi, 1.0), 40_000
    after = np.sort(trajectories(network, 1.0, width, 1, chains, seed=5, normal=False).variances[-1])
    z = (after - float(network.V(1.0))) / math.sqrt(float(network.kick_variance(1.0)) / width)
    distance = np.abs(ndtr(z) - (np.arange(chains) + 0.5) / chains).max()
    # 1.95/√n is exceeded by chance once in a thousand.
    assert distance <= normal_step_error(network, 1.0, width) + 1.95 / math.sqrt(chains)


@settings(max_examples=30)
@given(activations(), variances(0.25, 16))
def test_the_bound_on_the_third_moment_is_one(phi: PiecewiseLinear, q: float) -> None:
    # Against a quadrature of E|Y − EY|³ from the definition.
    z = np.linspace(-12, 12, 240_001)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    squares = np.square(phi(math.sqrt(q) * z))
    mean = weight @ squares
    variance = weight @ (squares - mean) ** 2
    assume(variance > 1e-6 * mean**2)
    exact = 0.4748 * (weight @ np.abs(squares - mean) ** 3) / (variance**1.5 * 10)
    assert normal_step_error(MeanField(phi, 1.0), q, 100) >= exact * (1 - 1e-3)


@pytest.mark.parametrize("phi", [clipped_relu(1.0364, 2.0), shifted_relu(1.0364)])
def test_normal_steps_give_the_escapes_of_exact_ones_well_before_they_are_taken(phi: PiecewiseLinear) -> None:
    network, width = edge_of_chaos(phi).mean_field, 1000
    assert not takes_normal_steps(network, 1.0, width)
    assert takes_normal_steps(network, 1.0, 100 * width)
    shares = []
    for normal in (False, True):
        last = trajectories(network, 1.0, width, 40, 2048, seed=6, normal=normal).variances[-1]
        shares.append(((last < 0.5) | (last > 2)).mean())
    noise = math.sqrt(shares[0] * (1 - shares[0]) * 2 / 2048)
    assert shares[0] > 0.02
    assert abs(shares[0] - shares[1]) < 3.3 * noise


@pytest.mark.parametrize("orthogonal", [False, True])
def test_normal_steps_carry_gradients_to_first_order(orthogonal: bool) -> None:
    network = edge_of_chaos(clipped_relu(1.0364, 1.5)).mean_field
    exact, normal = (
        trajectories(network, 1.0, 542, 40, 4096, seed=6, orthogonal=orthogonal, normal=steps).log_gains
        for steps in (False, True)
    )
    # What weights return adds 0.75 to the mean; terms of the second order a fifth of that.
    assert normal.mean() == pytest.approx(exact.mean(), abs=0.25)
    assert normal.std() == pytest.approx(exact.std(), rel=0.05)


def test_threads_end_when_nobody_waits_for_them(monkeypatch):
    drawn = []

    def counted(*arguments, **options):
        drawn.append(1)
        if len(drawn) == 5:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return sums(*arguments, **options)

    sums = variance_chain._sums
    monkeypatch.setattr(variance_chain, "_sums", counted)
    # Ignored by whatever runs in the background of a shell.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trajectories(NETWORKS[0], 1.0, width=100, depth=2000, chains=1024)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(drawn) < 2000
