"""The gradient that the chain carries back, against real networks, forward and backward through the same weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import ABS, HARD_TANH, IDENTITY, LEAKY_RELU, RELU, SIGN, clipped_relu, hard_threshold
from real_networks import both_ways_by_hand
from scipy.stats import beta, binom, chi2, kstest

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.field_theory import field_theory
from meanfield.finite_width.gradient_theory import gradient_theory
from meanfield.finite_width.overlaps import overlap_of
from meanfield.finite_width.variance_chain import trajectories
from meanfield.infinite_width.mean_field import MeanField

#: Slopes of 0.8 and −0.8, and values that are not small next to the kinks.
ZIGZAG = PiecewiseLinear([-1, 0.5], [0.8, -0.8, 0.8], [0.9, -0.7, -1.5])
EQUAL_SLOPES = {
    "relu": MeanField(RELU, math.sqrt(2), 0.2),
    "hard-tanh": MeanField(HARD_TANH, 1.3, 0.3),
    "clipped-relu": MeanField(clipped_relu(0.5, 1.5), 1.8, 0.4),
    "abs(x)-0.5": mf.edge_of_chaos(mf.activation("abs(x)-0.5")).mean_field,
    "zigzag": MeanField(ZIGZAG, 1.1, 0.3),
}
#: With an orthogonal W a layer multiplies every squared gradient by this.
ISOMETRIES = {"abs(x)-0.5": 1.0, "zigzag": (0.8 * 1.1) ** 2}
OTHER_SLOPES = {
    "leaky-relu": MeanField(LEAKY_RELU, 1.4, 0.2),
    "tanh": mf.edge_of_chaos(mf.activation("tanh")).mean_field,
    "gelu": MeanField(mf.activation("gelu"), 1.4, 0.3),
}


def moments(values: np.ndarray) -> tuple[float, float, float, float]:
    """Mean and standard deviation, with their standard errors."""
    mean, sd, count = values.mean(), values.std(), len(values)
    kurtosis = np.mean((values - mean) ** 4) / sd**4
    return mean, sd / math.sqrt(count), sd, sd / 2 * math.sqrt((kurtosis - 1) / count)


def assert_alike(found: np.ndarray, real: np.ndarray, bias: float = 0.0) -> None:
    """Mean, spread and shares that lie far out, within four standard errors and a share `bias` of the spread."""
    passing, really = found[np.isfinite(found)], real[np.isfinite(real)]
    mean, error, sd, sd_error = moments(passing)
    other, other_error, other_sd, other_sd_error = moments(really)
    assert abs(mean - other) < 4 * math.hypot(error, other_error) + bias * sd
    assert abs(sd - other_sd) < 4 * math.hypot(sd_error, other_sd_error) + bias * sd
    for limit in (2.0, 10.0, np.inf):
        lost, really_lost = (~(np.abs(x) <= math.log(limit)) if limit < np.inf else np.isinf(x) for x in (found, real))
        share = (lost.sum() + really_lost.sum() + 1) / (lost.size + really_lost.size)
        noise = math.sqrt(share * (1 - share) * (1 / lost.size + 1 / really_lost.size))
        assert abs(lost.mean() - really_lost.mean()) < 4 * noise + bias


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    finite = np.isfinite(a)
    return math.atanh(np.corrcoef(a[finite], b[finite])[0, 1])


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("name", EQUAL_SLOPES)
def test_it_is_the_gradient_of_real_networks_exactly_where_slopes_are_equal(name: str, orthogonal: bool) -> None:
    # So narrow that whatever is not exact would show.
    network, width, depth = EQUAL_SLOPES[name], 8, 4
    real = both_ways_by_hand(network, 1.0, width, depth, 4000, seed=1, orthogonal=orthogonal)
    drawn = trajectories(network, 1.0, width, depth, 6000, seed=2, orthogonal=orthogonal)
    if orthogonal and name in ISOMETRIES:
        for logs in (real.log_gains, drawn.log_gains):
            np.testing.assert_allclose(logs, depth * math.log(ISOMETRIES[name]), atol=1e-9)
        return
    assert_alike(drawn.log_gains, real.log_gains)
    ours, theirs = correlation(drawn.log_gains, drawn.variances[-1]), correlation(real.log_gains, real.variances)
    assert abs(ours - theirs) < 4 * math.sqrt(1 / 2000 + 1 / 3000)


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("name", OTHER_SLOPES)
def test_it_is_nearly_that_of_real_networks_where_slopes_differ(name: str, orthogonal: bool) -> None:
    width, depth = 24, 3
    real = both_ways_by_hand(OTHER_SLOPES[name], 1.0, width, depth, 1200, seed=3, orthogonal=orthogonal)
    drawn = trajectories(OTHER_SLOPES[name], 1.0, width, depth, 6000, seed=4, orthogonal=orthogonal)
    # What is left out is of order L/N².
    assert_alike(drawn.log_gains, real.log_gains, bias=0.02)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_single_unit_is_exact_whatever_its_slope(orthogonal: bool) -> None:
    network = OTHER_SLOPES["tanh"]
    real = both_ways_by_hand(network, 1.0, 1, 3, 10_000, seed=5, orthogonal=orthogonal)
    drawn = trajectories(network, 1.0, 1, 3, 10_000, seed=6, orthogonal=orthogonal)
    assert_alike(drawn.log_gains, real.log_gains)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_one_layer_of_relu_passes_a_binomial_mixture_of_chi_squares_or_of_beta_laws(orthogonal: bool) -> None:
    width, chains = 6, 4000
    logs = trajectories(MeanField(RELU, math.sqrt(2)), 1.0, width, 1, chains, seed=7, orthogonal=orthogonal).log_gains
    n = np.arange(1, width + 1)
    weights = binom.pmf(n, width, 0.5) / (1 - 0.5**width)

    def below(logarithm: np.ndarray) -> np.ndarray:
        kept = np.exp(logarithm)[:, None] / 2
        if not orthogonal:
            return chi2.cdf(width * kept, n) @ weights
        some = beta.cdf(np.minimum(kept, 1.0), n[:-1] / 2, (width - n[:-1]) / 2)
        # Where every unit slopes nothing is lost, up to rounding.
        return np.concatenate([some, kept >= 1 - 1e-9], axis=1) @ weights

    passing = logs[np.isfinite(logs)]
    assert binom.sf(np.isinf(logs).sum(), chains, 0.5**width) > 1e-3
    if orthogonal:
        whole = passing > math.log(2) - 1e-6
        assert abs(whole.mean() - weights[-1]) < 4 * math.sqrt(weights[-1] / chains)
        passing, weights = passing[~whole], np.append(weights[:-1] / weights[:-1].sum(), 0.0)
    assert kstest(passing, below).pvalue > 1e-3


@pytest.mark.parametrize("phi", [RELU, LEAKY_RELU, ABS, IDENTITY])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_homogeneous_networks_pass_as_if_units_were_on_by_the_toss_of_a_coin(
    phi: PiecewiseLinear, orthogonal: bool
) -> None:
    # Without biases the signs of h are fair and independent of all else: rows of W may change sign. So layers are
    # independent, at any depth, and what the gradient has in common with the signal makes no difference.
    width, depth, count = 5, 5, 8000
    drawn = trajectories(MeanField(phi, 1.0), 1.0, width, depth, count, seed=8, orthogonal=orthogonal).log_gains
    random = np.random.default_rng(9)
    y = random.standard_normal((depth, count, width))
    slopes = phi.with_slopes(random.standard_normal(y.shape))[1]
    length = np.sum(y * y, axis=2) if orthogonal else width
    with np.errstate(divide="ignore"):
        tossed = np.log(np.sum(np.square(slopes * y), axis=2) / length).sum(axis=0)
    if orthogonal and phi in (ABS, IDENTITY):
        np.testing.assert_allclose(drawn, 0, atol=1e-9)
    else:
        # With slopes of two sizes all of the law of what is kept shows in so few units.
        assert_alike(drawn, tossed, bias=0.08 if phi is LEAKY_RELU else 0.0)


@pytest.mark.parametrize("phi", [SIGN, hard_threshold(0.5)])
def test_no_gradient_passes_a_jump(phi: PiecewiseLinear) -> None:
    passing = np.isfinite(trajectories(MeanField(phi, 1.0, 0.5), 1.0, 4, 3, 200, seed=10).log_gains)
    assert passing.any() == bool(np.any(phi.slopes))
    if phi is SIGN:
        assert not passing.any()


@pytest.mark.parametrize("orthogonal", [False, True])
def test_normal_steps_carry_the_gradient_of_exact_ones(orthogonal: bool) -> None:
    network, width, depth = EQUAL_SLOPES["hard-tanh"], 2000, 2
    exact, normal = (
        trajectories(network, 1.0, width, depth, 800 * times, 11, orthogonal=orthogonal, normal=times > 1)
        for times in (1, 10)
    )
    assert_alike(normal.log_gains, exact.log_gains)
    ours, theirs = (correlation(t.log_gains, t.variances[-1]) for t in (normal, exact))
    assert abs(ours - theirs) < 4 * math.sqrt(1 / 800 + 1 / 8000)


@pytest.mark.parametrize("name", ["hard-tanh", "gelu"])
def test_the_overlap_with_the_signal_is_that_of_real_networks(name: str) -> None:
    network = {**EQUAL_SLOPES, **OTHER_SLOPES}[name]
    width, depth, count = 32, 3, 1500
    real = both_ways_by_hand(network, 1.0, width, depth, count, seed=12)
    path = [1.0]
    for _ in range(depth):
        path.append(float(network.V(path[-1])))
    omega = 1.0
    for layer in range(depth - 1, 0, -1):
        met = overlap_of(network, np.array(path[layer]))
        omega = float(met.fresh + met.kept * (omega - 1))
    squares = np.square(real.overlaps)
    expected = omega * (path[1] - network.sigma_b**2) * real.gains.mean()
    error = squares.std() / math.sqrt(count)
    assert abs(squares.mean() - expected) < 4 * error
    # Without an overlap of its own the gradient would have been found out.
    assert abs(squares.mean() - expected / omega) > 4 * error


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("name", ["hard-tanh", "tanh"])
def test_mean_spread_and_correlation_are_those_of_theory(name: str, orthogonal: bool) -> None:
    network, width, depth, count = {**EQUAL_SLOPES, **OTHER_SLOPES}[name], 100, 6, 1500
    drawn = trajectories(network, 1.0, width, depth, count, seed=13, orthogonal=orthogonal)
    weights = "orthogonal" if orthogonal else "gaussian"
    theory = field_theory(Experiment(network, width, depth, 1, backward=True, weights=weights))
    law = gradient_theory(network, width, theory.q, theory.q_shift, theory.q_variance, orthogonal=orthogonal)
    mean, error, sd, sd_error = moments(drawn.log_gains)
    assert abs(mean - law.mean[0]) < 4 * error
    assert abs(sd - law.sd[0]) < 4 * sd_error + 0.01 * sd
    found = correlation(drawn.log_gains, drawn.variances[-1])
    assert abs(found - math.atanh(law.correlation)) < 4 / math.sqrt(count) + 0.02
