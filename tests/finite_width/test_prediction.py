"""What theory says of ensembles, against quadrature, against the theory of other modules, and against ensembles."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from examples import HARD_TANH, RELU, clipped_relu, clipped_soft_threshold, hard_threshold, shifted_relu, soft_threshold
from scipy.integrate import quad
from scipy.special import digamma, polygamma
from scipy.stats import binom

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.prediction import predict
from meanfield.finite_width.variance_chain import trajectories
from meanfield.infinite_width.hermite import power, vanishing
from meanfield.infinite_width.mean_field import MeanField
from meanfield.simulation.comparison import compare, departures
from meanfield.simulation.ensemble import Ensemble, simulate
from meanfield.simulation.gaussian_chain import chains

EDGE = mf.edge_of_chaos(clipped_relu(1.0364, 1.0)).mean_field
SKEW = MeanField(PiecewiseLinear([-1, 0.5], [-0.5, 2, 0.25], [0, 1, 1.875]), 0.7, 0.4)
JUMPS = PiecewiseLinear([-1, 0.25], [0.5, 0, 2], [1, 0, -0.25])


@pytest.mark.parametrize("phi", [SKEW.activation, JUMPS, shifted_relu(2.0)])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_hermite_coefficients_are_the_integrals_that_they_stand_for(phi: PiecewiseLinear, n: int) -> None:
    q, count = 1.7, 9
    ours = power(phi, n).coefficients(np.array([0.3, q]), count)[:, 1]
    ends = [-14.0, *(t / math.sqrt(q) for t in phi.knots), 14.0]

    def weighted(z: float, k: int) -> float:
        he = np.polynomial.hermite_e.HermiteE.basis(k)(z)
        return float(phi(math.sqrt(q) * z)) ** n * he * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    for k in range(count):
        whole = sum(quad(weighted, a, b, (k,), epsabs=1e-13, epsrel=1e-12)[0] for a, b in pairwise(ends))
        assert ours[k] == pytest.approx(whole / math.sqrt(math.factorial(k)), abs=1e-11)


def test_the_series_of_the_zeros_is_the_chance_that_both_are_zero() -> None:
    # Two quadrants: P(u < 0, v < 0) = 1/4 + arcsin(ρ)/2π.
    coefficients = vanishing(RELU).coefficients(np.array([2.0]), 140)[:, 0]
    rho = 0.6
    series = float(np.sum(np.square(coefficients) * rho ** np.arange(140)))
    assert series == pytest.approx(0.25 + math.asin(rho) / (2 * math.pi), abs=1e-12)


@pytest.mark.parametrize("network", [EDGE, SKEW, MeanField(clipped_soft_threshold(0.5, 1.0), 1.5, 0.2)])
def test_at_infinite_width_the_maps_are_applied_layer_by_layer(network: MeanField) -> None:
    found = predict(Experiment(network, 20, 12, 1, start=1.5, rho=0.4))
    q, rho = 1.5, 0.4
    for layer in range(13):
        assert found["q"].value[layer] == pytest.approx(q, rel=1e-12)
        assert found["rho"].value[layer] == pytest.approx(rho, abs=1e-12)
        assert found["sparsity"].value[layer] == pytest.approx(network.sparsity(q), abs=1e-12)
        q, rho = network.V(q), network.R(rho, q)


@pytest.mark.parametrize(
    ("network", "start", "layers"), [(EDGE, 1.0, (5, 20, 60)), (MeanField(HARD_TANH, 1.5, 0.3), 4.0, (1, 5, 20))]
)
def test_q_strays_as_predicted_at_the_fixed_point_and_on_the_way_to_it(
    network: MeanField, start: float, layers: tuple[int, ...]
) -> None:
    width, count = 300, 1500
    p = predict(Experiment(network, width, max(layers), 1, start=start))["q"]
    drawn = trajectories(network, start, width, max(layers), count, seed=9).variances
    for layer in layers:
        assert drawn[layer].std() == pytest.approx(p.sd[layer], rel=0.08)
        assert drawn[layer].mean() == pytest.approx(p.mean[layer], abs=4 * p.sd[layer] / math.sqrt(count))


def test_the_mean_of_q_is_shifted_as_by_hand() -> None:
    # shift' = V' shift + ½V'' Var, Var' = V'² Var + S/N, the derivatives as differences of V alone.
    network, width, h = SKEW, 200, 1e-4
    p = predict(Experiment(network, width, 12, 1, start=1.1))["q"]
    q, shift, variance = 1.1, 0.0, 0.0
    for layer in range(13):
        assert p.mean[layer] == pytest.approx(q + shift, rel=1e-7)
        below, here, above = (network.V(q + d) for d in (-h, 0, h))
        slope, bend = (above - below) / (2 * h), (above - 2 * here + below) / h**2
        z = np.linspace(-9, 9, 100_001)
        weight = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
        square = np.square(network.activation(math.sqrt(q) * z))
        kick = network.sigma_w**4 * (weight @ square**2 - (weight @ square) ** 2)
        q, shift, variance = here, slope * shift + 0.5 * bend * variance, slope**2 * variance + kick / width


def test_a_convolution_of_one_position_is_dense() -> None:
    # Positions that never meet: the mean over four of them has a quarter of the variance.
    one, four = (predict(Experiment(EDGE, 100, 6, 1, size=size)) for size in (1, 2))
    np.testing.assert_allclose(four["q"].value, one["q"].value, rtol=1e-12)
    assert four["q"].sd[1] == pytest.approx(one["q"].sd[1] / 2, rel=1e-6)


def test_homogeneous_networks_have_the_moments_of_a_product() -> None:
    # ReLU at σ_w² = 2: q is multiplied by (2/N) Σ max(z, 0)², of mean 1 and variance 5/N; |g|² likewise by 2/N times a
    # χ² of the n units that are on, n binomial. An orthogonal W takes its length from |g|²: a χ² of N.
    width, layers = 400, np.arange(9)
    e = Experiment(MeanField(RELU, math.sqrt(2)), width, 8, 1, backward=True)
    found = predict(e)
    n = np.arange(1, width + 1)
    weights = binom.pmf(n, width, 0.5)
    given = digamma(n / 2) + math.log(4 / width)
    mean = weights @ given
    variance = weights @ (polygamma(1, n / 2) + (given - mean) ** 2)
    np.testing.assert_allclose(found["q"].mean, 1, rtol=1e-12)
    np.testing.assert_allclose(found["q"].sd ** 2, 5 * layers / width, rtol=0.05)
    orthogonal = predict(replace(e, weights="orthogonal"))
    less, of_length = digamma(width / 2) - math.log(width / 2), polygamma(1, width / 2)
    # The gamma law of the gain has the third cumulant 50/N² where this has 44/N²: 2/N² of the mean, 6/N² of the spread.
    for p, first, second in ((found, mean, variance), (orthogonal, mean - less, variance - of_length)):
        off = np.abs(p["log_gradient"].mean - first * (8 - layers))
        assert (off <= 2.2 / width**2 * (8 - layers)).all()
        off = np.abs(p["log_gradient"].sd ** 2 - second * (8 - layers))
        assert (off <= 6.6 / width**2 * (8 - layers) + 1e-15).all()


def test_an_orthogonal_linear_network_changes_nothing() -> None:
    found = predict(
        Experiment(MeanField(PiecewiseLinear([], [1], [0]), 1.0), 50, 5, 1, weights="orthogonal", backward=True)
    )
    # Layer 0 is Gaussian, and its spread is all that there ever is.
    np.testing.assert_allclose(found["q"].sd[1:], math.sqrt(2 / 50), rtol=1e-9)
    np.testing.assert_allclose(found["log_gradient"].sd, 0, atol=1e-7)
    np.testing.assert_allclose(found["rho"].sd[2:], found["rho"].sd[1], rtol=1e-6)


@cache
def chain_ensemble(e: Experiment, count: int) -> Ensemble:
    """Many networks at once, of dense Gaussian weights."""
    return Ensemble("", e.of(count), chains(replace(e, method="chain"), 0, count))


@pytest.mark.parametrize(
    "network",
    [
        EDGE,
        SKEW,
        MeanField(HARD_TANH, 1.4, 0.2),
        MeanField(hard_threshold(0.5), 1.1, 0.3),
        mf.edge_of_chaos(RELU).mean_field,
    ],
)
def test_theory_is_right_to_first_order(network: MeanField) -> None:
    # Wide enough for the second order to be nothing, and many enough for the first to show.
    e = Experiment(network, 600, 6, 1, start=1.2, rho=0.3, backward=network.activation.is_continuous, seed=4)
    found = compare(chain_ensemble(e, 1000))
    assert departures(found)[0] == []
    value = found.predicted["rho"].value
    shift = np.abs(found.predicted["rho"].mean - value)[1:]
    assert (shift > 0).all() and (shift < 0.02).all()


@pytest.mark.parametrize("quantity", ["q", "rho", "sparsity", "log_gradient"])
def test_without_its_correction_theory_would_be_found_out(quantity: str) -> None:
    # Networks whose mean is not that of infinite width by many standard errors.
    network, width = {"q": (mf.edge_of_chaos(shifted_relu(1.0)).mean_field, 300), "log_gradient": (SKEW, 60)}.get(
        quantity, (EDGE, 200)
    )
    # Two inputs where both are asked of.
    inputs = 2 if network is EDGE else 1
    e = Experiment(network, width, 6, 1, inputs=inputs, rho=0.3, backward=quantity == "log_gradient", seed=4)
    count = 10000 if network is EDGE else 4000
    found = compare(chain_ensemble(e, count))
    s, p = found.statistics[quantity], found.predicted[quantity]
    error = s.sd / math.sqrt(count)
    at = [layer for layer in range(1, 6) if abs(s.mean[layer] - p.value[layer]) > 6 * error[layer]]
    if quantity != "sparsity":
        assert at
        for layer in at:
            assert abs(s.mean[layer] - p.mean[layer]) < 0.35 * abs(s.mean[layer] - p.value[layer])
    # The spread is of the first order too: a fifth off would show. What runs away soon spreads more.
    near = slice(1, 3) if quantity == "q" else slice(1, 6)
    np.testing.assert_allclose(s.sd[near], p.sd[near], rtol=0.1)


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("padding", ["circular", "zero"])
def test_fields_follow_theory(weights: str, padding: str) -> None:
    e = Experiment(EDGE, 40, 6, 120, kernel=3, size=5, padding=padding, weights=weights, inputs=1, seed=2)
    found = compare(simulate(e))
    assert departures(found)[0] == []
    # Positions see one another: the spread is more than that of independent ones, and less than that of one.
    alone = predict(replace(e, kernel=1, size=1))["q"].sd[-1]
    assert alone / 5 * 1.2 < found.predicted["q"].sd[-1] < alone
    if padding == "zero":
        assert found.predicted["q"].value[-1] < 0.97


@pytest.mark.parametrize("network", [EDGE, SKEW])
def test_orthogonal_weights_follow_their_own_theory(network: MeanField) -> None:
    e = Experiment(network, 100, 6, 300, rho=0.3, weights="orthogonal", backward=True, seed=3)
    assert departures(compare(simulate(e)))[0] == []


def test_under_orthogonal_weights_gradients_spread_less_than_under_gaussian_ones() -> None:
    # Not with EDGE: where few units slope, they hide what the weights do.
    e = Experiment(SKEW, 100, 6, 300, rho=0.3, weights="orthogonal", backward=True, seed=3)
    as_gaussian = compare(Ensemble("", replace(e, weights="gaussian"), simulate(e).measured))
    assert any(d.quantity == "log_gradient" and d.moment == "sd" for d in departures(as_gaussian)[0])


def test_wrong_weights_are_found_out() -> None:
    e = Experiment(EDGE, 200, 10, 200, seed=5, backward=True)
    other = MeanField(EDGE.activation, 1.02 * EDGE.sigma_w, EDGE.sigma_b)
    drawn = chain_ensemble(replace(e, network=other), 200)
    found, count, threshold = departures(compare(Ensemble("", e.of(200), drawn.measured)))
    assert "q" in {d.quantity for d in found}
    assert 70 <= count <= 2 * (10 + 10 + 11 + 10)
    assert 3.5 < threshold < 5
    assert all(abs(d.z) > threshold for d in found)


def test_networks_that_run_away_do_not_follow() -> None:
    network = mf.edge_of_chaos(shifted_relu(1.0364)).mean_field
    e = Experiment(network, 300, 20, 1, q_star=1.0, seed=5)
    found = compare(chain_ensemble(e, 200))
    assert "q" in {d.quantity for d in departures(found)[0]}
    # Corrections that are none any more are withheld rather than wrong.
    for p in found.predicted.values():
        known = np.isfinite(p.mean)
        assert known[:5].all() and not known[-1]


def test_what_is_too_rare_to_tell_is_no_departure() -> None:
    # From q = 0.05 one unit in a million is active at layer 0, and theory's spread is that of the networks not drawn.
    e = Experiment(EDGE, 300, 10, 1, start=0.05, seed=0)
    assert departures(compare(chain_ensemble(e, 100)))[0] == []


def test_corrections_of_narrow_layers_are_withheld() -> None:
    narrow, wide = (predict(Experiment(EDGE, width, 20, 1, backward=True)) for width in (100, 300))
    assert np.isnan(narrow["log_gradient"].mean).all() and np.isfinite(wide["log_gradient"].mean).all()
    few = predict(Experiment(MeanField(hard_threshold(1.0), 1.2), 1, 5, 1))
    known = np.isfinite(few["sparsity"].mean)
    assert (few["sparsity"].mean[known] <= 1).all()


def test_inputs_that_are_one_are_predicted_to_stay_one() -> None:
    found = predict(Experiment(EDGE, 100, 5, 1, rho=1.0))["rho"]
    np.testing.assert_allclose(found.mean, 1, atol=1e-12)
    assert (found.sd == 0).all()


def test_scales_whose_powers_are_no_doubles_are_no_obstacle() -> None:
    found = predict(Experiment(MeanField(RELU, 1e80), 10, 5, 1, backward=True))
    assert math.isinf(found["q"].value[-1])


def test_false_alarms_are_as_rare_as_asked() -> None:
    alarms = 0
    for seed in range(40):
        e = Experiment(MeanField(HARD_TANH, 1.4, 0.2), 1000, 3, 1, seed=seed)
        alarms += bool(departures(compare(chain_ensemble(e, 40)), level=0.05)[0])
    assert alarms <= 6


def test_escapes_are_counted_as_stability_counts_them() -> None:
    network = mf.edge_of_chaos(clipped_relu(1.0364, 2.0)).mean_field
    e = Experiment(network, 100, 30, 1, q_star=1.0, seed=6)
    found = compare(chain_ensemble(e, 1500))
    theirs = mf.escapes(network, 1.0, mf.Requirement(100, 30, chains=1500))
    ours = found.ensemble.escaped
    assert ours[-1] == pytest.approx(theirs.probability, abs=0.05)
    assert found.escape_probability == pytest.approx(ours[-1], abs=0.05)
    q = found.ensemble["q"][:, -1]
    assert ours[-1] == np.mean((q < 0.5) | (q > 2))


def test_where_theory_has_nothing_to_say_it_says_nothing() -> None:
    conv = compare(simulate(Experiment(EDGE, 10, 3, 3, kernel=3, size=3, backward=True)))
    assert np.isnan(conv.predicted["rho"].mean).all() and np.isfinite(conv.predicted["rho"].value).all()
    assert np.isnan(conv.statistics["rho"].z).all()
    assert math.isnan(conv.escape_probability)
    over = compare(simulate(Experiment(MeanField(RELU, 1e6), 100, 60, 10)))
    assert math.isinf(over.predicted["q"].value[-1])
    assert math.isinf(over.statistics["q"].quantiles[0, -1])
    assert departures(over)[0] == []
    assert predict(Experiment(MeanField(soft_threshold(1.0), 0.3), 10, 40, 1, backward=True))["q"].value[-1] < 1e-6


def test_a_spread_is_of_one_order_as_far_as_there_is_one() -> None:
    """ReLU's is √((1 + 5/N)^L − 1): two orders of it, and nothing where they no longer add up."""
    width, depth = 300, 200
    sd = predict(Experiment(mf.edge_of_chaos(RELU).mean_field, width, depth, 1, start=1.0))["q"].sd
    known = np.isfinite(sd)
    layers = np.arange(depth + 1)[known]
    assert layers[-1] == len(layers) - 1 and 50 < len(layers) <= depth
    exact = np.sqrt((1 + 5 / width) ** layers - 1)
    # What is left out of the variance is of third order and more.
    x = 5 * layers[1:] / width
    left_out = np.expm1(x) - x - x**2 / 2
    assert (np.abs(sd[known] - exact)[1:] <= left_out / (2 * np.sqrt(x)) + 1e-12).all()
