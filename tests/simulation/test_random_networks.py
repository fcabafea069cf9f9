"""Random networks: their weights, what a network measures, and the chain that has the same law."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from examples import HARD_TANH, RELU, clipped_relu, clipped_soft_threshold, hard_threshold, shifted_relu
from scipy.signal import correlate2d
from scipy.stats import ks_2samp, kstest

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.positions import coverage, fold, neighbours, patches
from meanfield.infinite_width.mean_field import MeanField
from meanfield.simulation.gaussian_chain import chains
from meanfield.simulation.random_network import RandomNetworks
from meanfield.simulation.weights import weight_matrix

EDGE = mf.edge_of_chaos(clipped_relu(1.0364, 1.0)).mean_field
SKEW = MeanField(PiecewiseLinear([-1, 0.5], [-0.5, 2, 0.25], [0, 1, 1.875]), 0.7, 0.4)


def matrix(kind: str, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """The whole of a random matrix."""
    drawn = weight_matrix(kind, np.random.default_rng(seed), np.empty((rows, columns)))
    return drawn.times(np.eye(columns))


@pytest.mark.parametrize("kind", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (7, 63), (64, 64)])
def test_the_way_back_is_the_transpose(kind: str, shape: tuple[int, int]) -> None:
    drawn = weight_matrix(kind, np.random.default_rng(1), np.empty(shape))
    whole, transposed = drawn.times(np.eye(shape[1])), drawn.transposed_times(np.eye(shape[0]))
    np.testing.assert_allclose(transposed, whole.T, atol=1e-14)


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (7, 63), (64, 64)])
def test_rows_of_orthogonal_weights_are_orthonormal(shape: tuple[int, int]) -> None:
    weights = matrix("orthogonal", *shape)
    np.testing.assert_allclose(weights @ weights.T, np.eye(shape[0]), atol=1e-13)


def test_orthogonal_weights_are_uniform() -> None:
    # The entries of a uniform unit vector squared are beta-distributed; rows and columns are alike, signs too.
    drawn = np.array([matrix("orthogonal", 3, 8, seed) for seed in range(800)])
    for i, j in ((0, 0), (0, 7), (2, 0), (2, 5)):
        assert kstest(np.square(drawn[:, i, j]), "beta", (0.5, 3.5)).pvalue > 0.001
        assert abs(np.mean(drawn[:, i, j] > 0) - 0.5) < 0.07
    # E O₁ᵢ²O₂ᵢ² = 1/(D(D + 2)) of uniform vectors at right angles, 1/D² of independent ones.
    square = np.array([matrix("orthogonal", 2, 2, seed) for seed in range(800)])
    assert np.mean(np.linalg.det(square) > 0) == pytest.approx(0.5, abs=0.07)
    assert np.mean(square[:, 0, 0] ** 2 * square[:, 1, 0] ** 2) == pytest.approx(1 / 8, abs=0.006)


@pytest.mark.parametrize(("padding", "boundary"), [("circular", "wrap"), ("zero", "fill")])
def test_a_convolution_is_the_one_that_scipy_computes(padding: str, boundary: str) -> None:
    random = np.random.default_rng(2)
    channels, kernel, size = 3, 3, 5
    weights, x = random.standard_normal((channels, channels, kernel, kernel)), random.standard_normal((channels, 25, 2))
    seen = neighbours(kernel, size, padding)
    ours = (weights.reshape(channels, -1) @ patches(x, seen)).reshape(channels, 25, 2)
    for out in range(channels):
        for i in range(2):
            images = x[..., i].reshape(channels, size, size)
            theirs = sum(correlate2d(images[c], weights[out, c], "same", boundary) for c in range(channels))
            np.testing.assert_allclose(ours[out, :, i], theirs.ravel(), atol=1e-12)


@pytest.mark.parametrize("padding", ["circular", "zero"])
def test_folding_is_the_transpose_of_taking_patches(padding: str) -> None:
    random = np.random.default_rng(3)
    seen = neighbours(3, 4, padding)
    x, y = random.standard_normal((2, 16, 1)), random.standard_normal((18, 16))
    assert np.vdot(patches(x, seen), y) == pytest.approx(np.vdot(x[..., 0], fold(y, seen)), rel=1e-12)
    assert coverage(seen).reshape(4, 4)[0].tolist() == pytest.approx(
        [1] * 4 if padding == "circular" else [4 / 9, 2 / 3, 2 / 3, 4 / 9]
    )


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("shape", [{}, {"kernel": 3, "size": 3, "padding": "zero"}, {"kernel": 1, "size": 2}])
def test_a_network_measures_what_a_plain_one_with_its_weights_does(weights: str, shape: dict) -> None:
    e = Experiment(SKEW, 6, 4, 3, start=1.3, rho=-0.2, weights=weights, backward=True, seed=5, **shape)
    index = 2
    measured = dict(zip(e.quantities, RandomNetworks(e).measured(index), strict=True))
    source, *streams = (
        np.random.Generator(np.random.SFC64(np.random.SeedSequence(5, spawn_key=(index, layer)))) for layer in range(5)
    )
    first, second = source.standard_normal((2, 6, e.positions))
    common, apart = (first + second) / 2, (first - second) / 2
    # Of variance 1 and covariance ρ: (1 + ρ) and (1 − ρ) times the variance ½ of half a sum and of half a difference.
    inputs = [math.sqrt(1.3) * (math.sqrt(0.8) * common + sign * math.sqrt(1.2) * apart) for sign in (1, -1)]
    seen = neighbours(e.kernel, e.size, e.padding)
    jacobians = [np.eye(6 * e.positions)]
    for layer, stream in enumerate(streams, 1):
        whole = SKEW.sigma_w * weight_matrix(weights, stream, np.empty((6, e.fan_in))).times(np.eye(e.fan_in))
        bias = SKEW.sigma_b * stream.standard_normal(6)[:, None]
        x = [SKEW.activation(h) for h in inputs]
        taken = [patches(one[..., None], seen) for one in x]
        products = [[SKEW.sigma_b**2 + SKEW.sigma_w**2 * np.sum(a * b) / a.size for b in taken] for a in taken]
        assert measured["q"][layer] == pytest.approx(products[0][0], rel=1e-12)
        rho = products[0][1] / math.sqrt(products[0][0] * products[1][1])
        assert measured["rho"][layer] == pytest.approx(rho, rel=1e-12)
        assert measured["sparsity"][layer - 1] == np.mean(x[0] == 0)
        # The layer as a matrix on everything that comes in, by unit vectors.
        step = np.array([(whole @ patches(unit.reshape(6, -1, 1), seen)).ravel() for unit in np.eye(6 * e.positions)]).T
        slopes = np.take(SKEW.activation.slopes, np.searchsorted(SKEW.activation.knots, inputs[0].ravel()))
        jacobians = [step * slopes @ earlier for earlier in jacobians]
        jacobians.append(np.eye(6 * e.positions))
        inputs = [whole @ t + bias for t in taken]
    gradient = source.standard_normal((6, e.positions)).ravel()
    lengths = [2 * math.log(np.linalg.norm(j.T @ gradient) / np.linalg.norm(gradient)) for j in jacobians]
    assert measured["log_gradient"] == pytest.approx(lengths, abs=1e-11)


@pytest.mark.parametrize(
    ("network", "width"),
    [
        (EDGE, 20),
        (SKEW, 20),
        (MeanField(hard_threshold(0.5), 1.2, 0.3), 20),
        (mf.edge_of_chaos(shifted_relu(0.5)).mean_field, 20),
        # Most of these die, on a knot.
        (MeanField(RELU, 1.4), 2),
    ],
)
def test_chain_and_networks_have_the_same_law(network: MeanField, width: int) -> None:
    # Narrow, so that what is of order 1/N shows.
    e = Experiment(network, width, 8, 800, rho=0.4, backward=True, seed=7)
    drawn = np.array([RandomNetworks(e).measured(index) for index in range(e.networks)])
    alike = chains(replace(e, method="chain", seed=8), 0, 4000)
    for k in range(len(e.quantities)):
        for layer in (1, 4, 7):
            ours, theirs = drawn[:, k, layer], alike[:, k, layer]
            assert abs(np.isnan(ours).mean() - np.isnan(theirs).mean()) < 0.03
            assert ks_2samp(ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]).pvalue > 0.001


def test_at_width_300_they_agree_on_q_at_three_depths() -> None:
    e = Experiment(EDGE, 300, 15, 80, inputs=1, seed=1)
    drawn = np.array([RandomNetworks(e).measured(index) for index in range(e.networks)])
    alike = chains(replace(e, method="chain"), 0, 1024)
    for layer in (1, 5, 15):
        assert ks_2samp(drawn[:, 0, layer], alike[:, 0, layer]).pvalue > 0.001


def test_the_way_back_changes_nothing_on_the_way_there() -> None:
    e = Experiment(EDGE, 15, 6, 4, seed=3)
    for one in (e, replace(e, weights="orthogonal"), replace(e, kernel=3, size=3)):
        there, back = RandomNetworks(one).measured(1), RandomNetworks(replace(one, backward=True)).measured(1)
        np.testing.assert_array_equal(there, back[:3])


def test_more_inputs_and_layers_leave_the_first_as_they_are() -> None:
    e = Experiment(EDGE, 15, 4, 1, seed=3)
    np.testing.assert_array_equal(RandomNetworks(e).measured(0), RandomNetworks(replace(e, depth=7)).measured(0)[:, :5])


@pytest.mark.parametrize("method", ["networks", "chain"])
def test_inputs_that_are_one_stay_one(method: str) -> None:
    e = Experiment(EDGE, 12, 6, 5, inputs=3, rho=1.0, method=method, backward=True)
    measured = chains(e, 0, 5) if method == "chain" else np.array([RandomNetworks(e).measured(i) for i in range(5)])
    np.testing.assert_allclose(measured[:, 1], 1.0, rtol=1e-12)


@pytest.mark.parametrize("method", ["networks", "chain"])
def test_an_overflow_is_a_result(method: str) -> None:
    e = Experiment(MeanField(RELU, 1e6), 10, 60, 3, backward=True, method=method)
    measured = chains(e, 0, 3) if method == "chain" else np.array([RandomNetworks(e).measured(i) for i in range(3)])
    q, rho, sparsity, gradient = np.moveaxis(measured, 1, 0)
    assert np.isinf(q[:, -1]).all() and np.isfinite(q[:, 10]).all()
    assert (np.isinf(q) == np.isnan(rho)).all() and (np.isinf(q) == np.isnan(sparsity)).all()
    assert np.isnan(gradient).all()


@pytest.mark.parametrize("method", ["networks", "chain"])
def test_a_signal_that_dies_is_a_result(method: str) -> None:
    # Three units past a threshold of 3: hardly one ever is.
    e = Experiment(MeanField(shifted_relu(3.0), 1.0), 3, 5, 4, backward=True, method=method)
    measured = chains(e, 0, 4) if method == "chain" else np.array([RandomNetworks(e).measured(i) for i in range(4)])
    q, rho, sparsity, gradient = np.moveaxis(measured, 1, 0)
    assert (q[:, -1] == 0).all() and (sparsity[:, -1] == 1).all()
    assert np.isnan(rho[:, -1]).all() and np.isnan(gradient[:, 0]).all()
    assert (gradient[:, -1] == 0).all()


@pytest.mark.parametrize("inputs", [1, 2, 4])
@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.8])
def test_inputs_have_the_correlation_asked_for(inputs: int, rho: float) -> None:
    # At layer 0, seen through a linear network of one layer.
    linear = MeanField(PiecewiseLinear([], [1], [0]), 1.0)
    e = Experiment(linear, 4000, 1, 1, start=2.0, inputs=inputs, rho=rho, method="chain")
    measured = dict(zip(e.quantities, chains(e, 0, 1)[0], strict=True))
    assert measured["q"][1] == pytest.approx(2.0, abs=0.2)
    assert ("rho" in measured) == (inputs > 1)
    if inputs > 1:
        assert measured["rho"][1] == pytest.approx(rho, abs=0.05)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"width": 0}, "width"),
        ({"networks": 1.5}, "networks"),
        ({"rho": 1.1}, "rho0 = 1.1"),
        ({"inputs": 3, "rho": -0.6}, "-0.5 <= rho0"),
        ({"kernel": 2, "size": 4}, "odd"),
        ({"kernel": 5, "size": 3}, "size >= 5"),
        ({"padding": "mirror"}, "circular or zero"),
        ({"weights": "uniform"}, "gaussian or orthogonal"),
        ({"method": "chain", "weights": "orthogonal"}, "draw networks instead"),
        ({"method": "chain", "kernel": 3, "size": 4}, "convolutions"),
        ({"start": 0.0}, "q0"),
        ({"within": 1.0}, "within"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict, says: str) -> None:
    with pytest.raises(DomainError, match=says):
        Experiment(EDGE, **{"width": 10, "depth": 5, "networks": 3, **change})


def test_an_experiment_is_what_its_record_says() -> None:
    e = Experiment(MeanField(clipped_soft_threshold(0.5, 1), 1.1, 0.2), 10, 5, 3, kernel=3, size=4, q_star=1.5)
    assert Experiment.from_record(e.as_record()) == e
    assert Experiment(MeanField(HARD_TANH, 1.1, 0.2), 10, 5, 3) != e
