"""Two signals layer by layer: the chain of pairs against the single chain, the maps and real networks; its theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import HARD_TANH, IDENTITY, RELU, clipped_relu, clipped_soft_threshold, hard_threshold, shifted_relu
from scipy.stats import ks_2samp

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.finite_width import variance_chain as chain
from meanfield.finite_width.pair_chain import pair_trajectories
from meanfield.finite_width.signal_paths import signal_paths
from meanfield.finite_width.variance_chain import RUNAWAY, trajectories
from meanfield.infinite_width.mean_field import MeanField

EDGE = mf.edge_of_chaos(clipped_relu(1.0364, 1.0)).mean_field
SKEW = MeanField(PiecewiseLinear([-1, 0.5], [-0.5, 2, 0.25], [0, 1, 1.875]), 0.7, 0.1)
JUMPS = MeanField(hard_threshold(0.5), 1.2, 0.3)
NETWORKS = [EDGE, SKEW, JUMPS, MeanField(clipped_soft_threshold(0.5, 1.0), 1.5, 0.2)]


@pytest.mark.parametrize("network", NETWORKS)
def test_either_input_alone_is_the_chain_of_variances(network: MeanField) -> None:
    pairs = pair_trajectories(network, 1.0, 0.6, 30, 8, 1500, seed=1)
    alone = trajectories(network, 1.0, 30, 8, 1500, seed=2)
    for layer in (1, 3, 8):
        assert ks_2samp(pairs.first[layer], alone[layer]).pvalue > 0.001
        assert ks_2samp(pairs.second[layer], alone[layer]).pvalue > 0.001


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("rho", [0.9, -0.3])
def test_in_wide_networks_the_mean_correlation_follows_the_map(network: MeanField, rho: float) -> None:
    width, chains = 2000, 128
    paths = signal_paths(network, width, 6, rho=rho, chains=chains, seed=3)
    assert paths.rho[0] == rho
    assert paths.rho_mean[0] == pytest.approx(rho, rel=1e-12)
    # The first layer has a bias from the square roots alone; further on it adds up.
    assert (np.abs(paths.rho_mean - paths.rho) <= 4 * paths.rho_sd / math.sqrt(chains) + 10 / width)[1:].all()
    # Nor would it have passed had the correlation stayed.
    assert np.abs(paths.rho[1:] - rho).max() > 2 * 10 / width


def real_networks(
    network: MeanField, rho: float, width: int, depth: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both variances and the correlation at the last layer, with whole weight matrices that both inputs pass."""
    random = np.random.default_rng(seed)
    start = np.linalg.cholesky(np.array([[1, rho], [rho, 1]]))
    kernels = np.empty((count, 2, 2))
    for n in range(count):
        h = random.standard_normal((width, 2)) @ start.T
        for layer in range(depth):
            phi = network.activation(h)
            kernels[n] = network.sigma_b**2 + network.sigma_w**2 * (phi.T @ phi) / width
            if layer < depth - 1:
                weights = random.standard_normal((width, width)) * network.sigma_w / math.sqrt(width)
                h = weights @ phi + network.sigma_b * random.standard_normal((width, 1))
    q1, q2 = kernels[:, 0, 0], kernels[:, 1, 1]
    return q1, q2, kernels[:, 0, 1] / np.sqrt(q1 * q2)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_chain_of_pairs_is_a_real_network(network: MeanField) -> None:
    first, second, rho = real_networks(network, 0.5, 50, 5, 300, seed=4)
    pairs = pair_trajectories(network, 1.0, 0.5, 50, 5, 2000, seed=5)
    for real, drawn in (
        (first, pairs.first),
        (second, pairs.second),
        (rho, pairs.rho),
        # Both variances at once: what the correlation of the inputs does to them.
        (first - second, pairs.first - pairs.second),
    ):
        assert ks_2samp(real, drawn[-1]).pvalue > 0.001


@pytest.mark.parametrize("network", [*NETWORKS, MeanField(HARD_TANH, 3.0), MeanField(RELU, math.sqrt(2))])
@pytest.mark.parametrize("width", [1, 40, 9000])
def test_one_input_twice_stays_one_input(network: MeanField, width: int) -> None:
    pairs = pair_trajectories(network, 1.0, 1.0, width, 20 if width < 100 else 3, 30)
    alive = pairs.first > 0
    assert (pairs.first == pairs.second).all()
    assert (pairs.rho[alive] == 1).all()
    assert (pairs.one_minus_rho[alive] == 0).all()
    assert np.isnan(pairs.rho[~alive]).all()


@pytest.mark.parametrize("network", [*NETWORKS, MeanField(HARD_TANH, 3.0), MeanField(shifted_relu(0.5), 5.0)])
@pytest.mark.parametrize("width", [1, 5])
def test_a_correlation_is_one_wherever_there_is_a_signal(network: MeanField, width: int) -> None:
    for rho in (-1.0, -0.5, 0.0, 0.999999):
        pairs = pair_trajectories(network, 1.0, rho, width, 40, 100)
        alive = (pairs.first > 0) & (pairs.second > 0)
        assert (np.abs(pairs.rho[alive]) <= 1).all()
        assert np.isnan(pairs.rho[~alive]).all()
        assert pairs.one_minus_rho[alive] == pytest.approx(1 - pairs.rho[alive], abs=1e-15)


def test_correlations_too_near_one_for_a_double_keep_the_digits_of_their_complement() -> None:
    paths = signal_paths(MeanField(RELU, 0.7, 0.5), 1000, 15, rho=1 - 1e-12, chains=100, seed=6)
    assert paths.one_minus_rho[-1] < 1e-20
    share = paths.chains.one_minus_rho[-1] / paths.one_minus_rho[-1]
    # Each of 15 layers adds 5/N to the variance of its logarithm, less what the bias damps.
    assert np.log(share).mean() == pytest.approx(0, abs=0.1)
    # Where φ is linear and there is no bias, R(ρ) = ρ.
    linear = signal_paths(MeanField(IDENTITY, 1.0), 10, 30, rho=1 - 2**-52)
    assert linear.one_minus_rho == pytest.approx(np.full(31, 2.0**-52), rel=1e-11)


def test_one_unit_has_no_room_for_an_angle() -> None:
    pairs = pair_trajectories(MeanField(IDENTITY, 1.0), 1.0, 0.3, 1, 30, 50)
    assert np.abs(pairs.rho[1:]) == pytest.approx(np.ones((30, 50)))
    assert len(np.unique(np.sign(pairs.rho[1]))) == 2


def test_a_seed_is_a_result_whatever_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for workers in (1, 2):
        monkeypatch.setattr(chain, "_processors", lambda workers=workers: workers)
        results.append(pair_trajectories(EDGE, 1.0, 0.5, 50, 10, 700, seed=7))
    for name in ("first", "second", "rho", "one_minus_rho"):
        one, two = (getattr(pairs, name) for pairs in results)
        assert one.shape == (11, 700)
        assert (one == two).all()
    other = pair_trajectories(EDGE, 1.0, 0.5, 50, 10, 700, seed=8)
    assert (other.rho != results[0].rho)[1:].all()
    # Blocks have streams of their own.
    assert len(np.unique(other.rho[-1])) > 0.99 * 700


def test_the_theory_is_the_maps_applied_layer_by_layer() -> None:
    for network in NETWORKS:
        paths = signal_paths(network, 20, 12, start=1.5, rho=0.4, chains=2)
        assert (paths.layers == np.arange(13)).all()
        q, rho = 1.5, 0.4
        for layer in range(13):
            assert paths.q[layer] == pytest.approx(q, rel=1e-12)
            assert paths.rho[layer] == pytest.approx(rho, abs=1e-12)
            assert paths.one_minus_rho[layer] == pytest.approx(1 - rho, abs=1e-12)
            q, rho = float(network.V(q)), float(network.R(rho, q))


def test_the_variance_strays_as_predicted() -> None:
    paths = signal_paths(EDGE, 300, 100, chains=640, seed=9)
    both = np.concatenate([paths.chains.first, paths.chains.second], axis=1)
    for layer in (5, 20, 100):
        assert both[layer].std() == pytest.approx(paths.q_sd[layer], rel=0.05)
        assert both[layer].mean() == pytest.approx(paths.q_mean[layer], abs=4 * paths.q_sd[layer] / math.sqrt(640))


def test_from_elsewhere_the_prediction_follows_the_path_to_the_fixed_point() -> None:
    network = MeanField(HARD_TANH, 1.5, 0.3)
    paths = signal_paths(network, 400, 20, start=4.0, chains=768, seed=10)
    assert paths.q_mean[0] == paths.q[0] == 4
    assert paths.chains.first[1:].std(axis=1) == pytest.approx(paths.q_sd[1:], rel=0.08)
    assert (np.abs(paths.q_mean - paths.q) < 0.05 * paths.q).all()


def test_without_a_fixed_point_nothing_is_predicted_and_a_runaway_stays_a_number() -> None:
    paths = signal_paths(MeanField(shifted_relu(0.5), 5.0, 1.0), 50, 250, chains=20)
    assert np.isnan(paths.q_mean).all()
    assert np.isnan(paths.q_sd).all()
    assert paths.q[-1] == RUNAWAY
    assert np.isfinite(paths.rho).all()
    assert np.isfinite(paths.rho_mean).all()
    assert (paths.chains.first[-1] == RUNAWAY).all()


def test_where_the_signal_dies_there_is_no_correlation() -> None:
    dies = MeanField(shifted_relu(1.0), 0.5)
    paths = signal_paths(dies, 10, 60, chains=20)
    assert paths.q[-1] == 0
    assert np.isnan(paths.q_sd).all()
    for path in (paths.rho, paths.one_minus_rho, paths.rho_mean, paths.rho_sd):
        assert np.isfinite(path[0])
        assert np.isnan(path[-1])
    # Once undefined, always: V(q) = 0 stays so.
    assert (np.diff(np.isnan(paths.rho).astype(int)) >= 0).all()


@pytest.mark.parametrize("start", [1e-300, 0.5, 3.0, 1e150, 1e300])
def test_a_prediction_that_is_beyond_the_doubles_is_none(start: float) -> None:
    # An unstable fixed point: what starts elsewhere dies or runs away.
    paths = signal_paths(MeanField(shifted_relu(0.5), 5.0), 20, 120, start=start, chains=2)
    assert (np.isnan(paths.q_mean) == np.isnan(paths.q_sd)).all()
    assert not np.isinf(paths.q_sd).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"depth": 0},
        {"depth": 2.5},
        {"chains": 0},
        {"seed": -1},
        {"start": 0.0},
        {"start": math.inf},
        {"rho": 1.5},
        {"rho": math.nan},
        {"chains": 10**9},
    ],
)
def test_what_is_no_network_or_signal_is_refused(wrong: dict) -> None:
    with pytest.raises(DomainError, match=next(iter(wrong))):
        signal_paths(**{"network": EDGE, "width": 10, "depth": 3, **wrong})
