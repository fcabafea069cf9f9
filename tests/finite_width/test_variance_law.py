"""The escape probability from the law of K' alone, against exact chains, closed forms and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import (
    ABS,
    CONSTANT,
    HARD_TANH,
    RELU,
    SIGN,
    STEP,
    activations,
    clipped_relu,
    clipped_soft_threshold,
    hard_threshold,
    shifted_relu,
    soft_threshold,
    variances,
)
from hypothesis import given, settings, strategies as st
from scipy.stats import binom, chi2, norm

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement, escapes
from meanfield.finite_width.layer_law import layer_law
from meanfield.finite_width.variance_law import escape_probability
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import second_moment

ACTIVATIONS = {
    "clipped at 1": clipped_relu(1.0364, 1.0),
    "clipped at 1.5": clipped_relu(1.0364, 1.5),
    "clipped at 2": clipped_relu(1.0364, 2.0),
    "odd, clipped at 1": clipped_soft_threshold(1.0, 1.0),
    "odd, clipped at 1.5": clipped_soft_threshold(1.0, 1.5),
    "bounded": HARD_TANH,
    "random walk": RELU,
    "runaway": shifted_relu(1.0364),
}
STEPS_OF_TWO_HEIGHTS = PiecewiseLinear([-1.0, 0.8], [0, 0, 0], [-0.7, 0, 1.0])
#: Allowed beyond the sampling error: four times the most that finer nodes and a finer grid change; docs/theory.md,
#: section 12.
BIAS = 0.002


def on_edge(phi: PiecewiseLinear) -> MeanField:
    return edge_of_chaos(phi).mean_field


def with_fixed_point(phi: PiecewiseLinear, biases: float) -> MeanField:
    """q* = 1 is a fixed point, and this share of it comes from the biases."""
    return MeanField(phi, math.sqrt((1 - biases) / float(second_moment(phi, 1.0))), math.sqrt(biases))


def assert_close(probability: float, share: float, chains: int) -> None:
    """Within 4 standard errors of a share of so many chains, and the bias."""
    error = math.sqrt(max(probability * (1 - probability), 1 / chains) / chains)
    assert abs(probability - share) < 4 * error + BIAS


#: The narrower, the cheaper and the harder for the law.
CASES = [
    *((name, 30, 3072) for name in ACTIVATIONS),
    *((name, 100, 768) for name in ("clipped at 1.5", "odd, clipped at 1", "bounded", "random walk")),
    *((name, 300, 512) for name in ("clipped at 2", "random walk", "runaway")),
    ("clipped at 2", 1000, 256),
]


@pytest.mark.parametrize(("name", "width", "chains"), CASES)
def test_it_is_the_share_of_random_networks_that_escape_at_every_depth(name: str, width: int, chains: int) -> None:
    network = on_edge(ACTIVATIONS[name])
    shares = escapes(network, 1.0, Requirement(width, 100, chains=chains), normal=False).shares
    for depth in (2, 30, 100):
        assert_close(escape_probability(network, 1.0, Requirement(width, depth)), shares[depth], chains)


#: Few units are active, and many of those are clipped: K' has atoms, and lumps between them.
SPARSE = clipped_relu(1.6449, 1.0)


@pytest.mark.parametrize(
    ("width", "depth", "within", "chains"), [(30, 5, 1.3, 8192), (64, 5, 1.3, 8192), (30, 30, 2, 65536)]
)
def test_few_active_units_are_no_gamma_law(width: int, depth: int, within: float, chains: int) -> None:
    network, required = on_edge(SPARSE), Requirement(width, depth, within=within, chains=chains)
    assert_close(escape_probability(network, 1.0, required), escapes(network, 1.0, required).probability, chains)


@pytest.mark.parametrize(
    ("tau", "width", "start", "within"),
    [(2.0, 37, 3.0, 1.3), (2.0, 64, 1.0, 1.3), (2.5, 30, 3.0, 1.2), (2.5, 50, 1.0, 1.2), (3.0, 30, 3.0, 1.05)],
)
def test_one_or_two_active_units_show_the_law_of_one(tau: float, width: int, start: float, within: float) -> None:
    # φ² of a unit just past its threshold has a density without bound.
    network, required = on_edge(shifted_relu(tau)), Requirement(width, 1, within=within, chains=200_000)
    share = escapes(network, 1.0, required, start, normal=False).probability
    assert_close(escape_probability(network, 1.0, required, start), share, required.chains)


@pytest.mark.parametrize(
    ("phi", "width"),
    [
        *((soft_threshold(1.15), width) for width in (2, 10)),
        *((clipped_soft_threshold(1.96, 0.7), width) for width in (2, 10)),
        (shifted_relu(0.6745), 2),
        (RELU, 10),
    ],
)
def test_very_narrow_networks(phi: PiecewiseLinear, width: int) -> None:
    # What has run away comes back in one step when no unit is active, however far it is.
    network = on_edge(phi)
    shares = escapes(network, 1.0, Requirement(width, 100, chains=8192), normal=False).shares
    for depth in (1, 5, 100):
        assert_close(escape_probability(network, 1.0, Requirement(width, depth)), shares[depth], 8192)


@pytest.mark.parametrize("biases", [0.31, 0.61])
@pytest.mark.parametrize("phi", [hard_threshold(1.15), STEPS_OF_TWO_HEIGHTS], ids=["ramps", "two heights"])
def test_an_activation_may_jump(phi: PiecewiseLinear, biases: float) -> None:
    network = with_fixed_point(phi, biases)
    shares = escapes(network, 1.0, Requirement(10, 30, within=1.4, chains=16384), normal=False).shares
    for depth in (1, 3, 30):
        assert_close(escape_probability(network, 1.0, Requirement(10, depth, within=1.4)), shares[depth], 16384)


@pytest.mark.parametrize("width", [1, 2, 5, 30, 300, 10_000])
@pytest.mark.parametrize("within", [1.05, 1.5, 4.0])
def test_one_layer_of_relu_and_of_abs_is_a_chi_square_law(width: int, within: float) -> None:
    # N K' is a sum of z² over all units for |x|, and of 2z² over as many as are active for ReLU.
    active = np.arange(1, width + 1)
    of_abs, of_relu = (
        lambda k: chi2.cdf(width * k, width),
        lambda k: 0.5**width + binom.pmf(active, width, 0.5) @ chi2.cdf(width * k / 2, active),
    )
    for phi, below in ((ABS, of_abs), (RELU, of_relu)):
        found = escape_probability(on_edge(phi), 1.0, Requirement(width, 1, within=within))
        assert found == pytest.approx(1 - below(within) + below(1 / within), abs=1e-4)


@pytest.mark.parametrize("width", [1, 2, 10, 100, 1000])
@pytest.mark.parametrize(("tau", "biases"), [(0.7, 0.61), (1.6449, 0.61), (1.6449, 0.31)])
def test_active_units_of_a_step_are_a_binomial_chain(width: int, tau: float, biases: float) -> None:
    network = with_fixed_point(PiecewiseLinear([tau], [0, 0], [0, 1]), biases)
    active = np.arange(width + 1)
    variances = network.sigma_b**2 + network.sigma_w**2 * active / width
    step = binom.pmf(active, width, norm.sf(tau / np.sqrt(variances))[:, None])
    law = binom.pmf(active, width, norm.sf(tau))
    for depth in range(1, 21):
        for within in (1.2, 1.5, 3.0) if depth in (1, 2, 20) else ():
            outside = (variances < 1 / within) | (variances > within)
            found = escape_probability(network, 1.0, Requirement(width, depth, within=within))
            assert found == pytest.approx(law[outside].sum(), abs=3e-4), (depth, within)
        law = law @ step


@pytest.mark.parametrize("width", [1, 10, 40, 100, 999])
def test_a_variance_on_a_bound_is_within(width: int) -> None:
    # K' = 2k/N with k active units: f = 1.25 and 1.6 put bounds on multiples of 1/N.
    network, active = MeanField(STEP, math.sqrt(2)), np.arange(width + 1)
    for within in (1.25, 1.6):
        outside = (2 * active < width / within - 1e-9) | (2 * active > width * within + 1e-9)
        found = escape_probability(network, 1.0, Requirement(width, 1, within=within))
        # The grid ends 5 standard deviations from the mean.
        assert found == pytest.approx(binom.pmf(active, width, 0.5)[outside].sum(), abs=2 * norm.sf(5))


@pytest.mark.parametrize("width", [1, 3, 10])
def test_from_far_off_only_those_return_whose_units_all_rest(width: int) -> None:
    network, start = with_fixed_point(PiecewiseLinear([-1], [0, 1], [-1, 0]), 0.3), 1e6
    # One active unit makes a variance beyond 2 unless z is as small as this or smaller.
    nearly = norm.cdf(math.sqrt(2 * width / network.sigma_w_squared / start)) - 0.5
    resting = norm.cdf(-1 / math.sqrt(start)) ** width
    found = escape_probability(network, 1.0, Requirement(width, 1), start)
    assert found == pytest.approx(1 - resting, abs=width * nearly)


@settings(max_examples=60, deadline=None)
@given(
    activations(),
    st.lists(variances(), min_size=1, max_size=3),
    st.sampled_from([1, 3, 40, 1000, 10_000, 10**5, 10**9]),
)
def test_the_law_of_a_layer_has_mass_1_mean_V_and_variance_S_over_N(
    phi: PiecewiseLinear, q: list[float], width: int
) -> None:
    network = MeanField(phi, 1.3, 0.7)
    rows, values, probabilities = layer_law(network, np.array(q), width).points
    moments = np.array([np.bincount(rows, probabilities * values**k, len(q)) for k in range(3)])
    mean, variance = np.asarray(network.V(q)), network.kick_variance(np.array(q)) / width
    assert moments[0] == pytest.approx(np.ones(len(q)), abs=1e-9)
    assert (np.abs(moments[1] - mean) <= 0.01 * np.sqrt(variance) + 1e-9 * mean).all()
    assert moments[2] - moments[1] ** 2 == pytest.approx(variance, rel=0.02, abs=1e-9 * float(mean.max()) ** 2)


@pytest.mark.parametrize("phi", [SPARSE, shifted_relu(1.6449), clipped_soft_threshold(1.96, 1.0)])
def test_nobody_sees_where_the_sum_gives_way_to_the_gamma_law(phi: PiecewiseLinear) -> None:
    for within in (1.05, 1.2, 2.0):
        sum_law, gamma_law = (
            escape_probability(on_edge(phi), 1.0, Requirement(width, 20, within=within)) for width in (10_000, 10_001)
        )
        assert gamma_law == pytest.approx(sum_law, abs=1e-3)


@pytest.mark.parametrize("width", [1, 10, 300])
def test_nothing_escapes_bounds_that_no_variance_can_reach(width: int) -> None:
    network = on_edge(SPARSE)
    most = network.sigma_b**2 + network.sigma_w**2
    beyond = max(most, 1 / network.sigma_b**2)
    assert escape_probability(network, 1.0, Requirement(width, 10, within=1.001 * beyond)) == pytest.approx(0, abs=1e-6)
    assert escape_probability(on_edge(RELU), 1.0, Requirement(width, 10, within=1 + 1e-9)) > 1 - 1e-6


@pytest.mark.parametrize("width", [10_000, 100_000])
@pytest.mark.parametrize("name", ["clipped at 2", "random walk", "runaway"])
def test_it_is_the_share_of_very_wide_networks(name: str, width: int) -> None:
    network = on_edge(ACTIVATIONS[name])
    found = escapes(network, 1.0, Requirement(width, 100, chains=1024), normal=True)
    assert_close(escape_probability(network, 1.0, Requirement(width, 100)), found.probability, 1024)


@pytest.mark.parametrize("start", [1e-3, 0.3, 3.0, 100.0])
@pytest.mark.parametrize("within", [1.1, 2.0, 4.0])
def test_any_start_and_any_bounds(start: float, within: float) -> None:
    network, required = on_edge(ACTIVATIONS["clipped at 2"]), Requirement(50, 10, within=within, chains=2048)
    found = escapes(network, 1.0, required, start)
    assert_close(escape_probability(network, 1.0, required, start), found.probability, 2048)


def test_the_first_layer_starts_from_the_start_itself() -> None:
    network = on_edge(RELU)
    probabilities = [escape_probability(network, 1.0, Requirement(300, 1), 1.9 + 1e-4 * i) for i in range(4)]
    steps = np.diff(probabilities)
    # Many starts lie between the same two nodes: rounded to one, most steps would be 0 and one large.
    assert (steps > 0).all()
    assert steps.max() < 1.1 * steps.min()


@pytest.mark.parametrize("width", [30, 300])
def test_a_random_walk_escapes_the_more_the_deeper(width: int) -> None:
    network = on_edge(RELU)
    probabilities = [escape_probability(network, 1.0, Requirement(width, depth)) for depth in range(1, 31)]
    assert (np.diff(probabilities) > 0).all()
    assert 0 <= probabilities[0] < probabilities[-1] < 1


def test_it_is_smooth_in_the_clip_level() -> None:
    levels = np.linspace(1.95, 2.05, 21)
    required = Requirement(300, 50)
    rises = np.diff([escape_probability(on_edge(clipped_relu(1.0364, m)), 1.0, required) for m in levels])
    # 0.005 apart each rise is nearly the next: random networks that many would be 4096² instead.
    assert (rises > 0).all()
    assert np.abs(np.diff(rises)).max() < 0.3 * rises.mean()


@pytest.mark.parametrize("unit", [1e-8, 0.5, 3.0, 1e8])
def test_units_do_not_matter(unit: float) -> None:
    required = Requirement(100, 50)
    here = escape_probability(on_edge(clipped_relu(1.0364, 2.0)), 1.0, required)
    there = edge_of_chaos(clipped_relu(1.0364 * unit, 2.0 * unit), unit**2).mean_field
    assert escape_probability(there, unit**2, required) == pytest.approx(here, rel=1e-6)


@pytest.mark.parametrize("phi", [CONSTANT, SIGN])
@pytest.mark.parametrize("sigma_b", [0.0, 0.7])
def test_a_network_in_which_nothing_is_random_escapes_only_if_it_starts_outside(
    phi: PiecewiseLinear, sigma_b: float
) -> None:
    network = MeanField(phi, 1.3, sigma_b)
    q = float(network.V(1.0))
    assert escape_probability(network, q, Requirement(10, 30)) == 0
    assert escape_probability(network, q, Requirement(10, 1), start=100 * q) == 0
    assert escape_probability(network, 5 * q, Requirement(10, 1)) == pytest.approx(1, abs=1e-12)


def test_so_wide_a_network_that_nothing_is_random_stays_even_where_it_is_unstable() -> None:
    assert escape_probability(on_edge(ACTIVATIONS["runaway"]), 1.0, Requirement(10**15, 100)) == 0


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(
        [
            *ACTIVATIONS.values(),
            STEP,
            CONSTANT,
            PiecewiseLinear([0.5], [0, 0], [-1, 1]),
            PiecewiseLinear([0.5], [0, 0.5], [-1, -1.25]),
            shifted_relu(30.0),
            clipped_relu(6.0, 0.25),
        ]
    ),
    st.sampled_from([1e-6, 0.3, 1.0, 2.0, 1e6]),
    st.sampled_from([0.0, 1e-6, 1.0]),
    st.sampled_from([8, 10**4, 10**12]),
    st.sampled_from([1 + 1e-9, 2.0, 1e9]),
    st.sampled_from([1e-12, 1.0, 1e12]),
)
def test_anything_gives_a_probability_and_no_warning(
    phi: PiecewiseLinear, sigma_w: float, sigma_b: float, width: int, within: float, start: float
) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    assert 0 <= escape_probability(network, 1.0, Requirement(width, 3, within=within), start) <= 1


@pytest.mark.parametrize(
    ("q_star", "start", "within"), [(1e-60, None, 2), (1.0, 1e60, 2), (1.0, 0.0, 2), (1.0, math.nan, 2), (1, 1, 1e60)]
)
def test_variances_beyond_the_doubles_are_refused(q_star: float, start: float | None, within: float) -> None:
    with pytest.raises(DomainError, match="beyond"):
        escape_probability(on_edge(RELU), q_star, Requirement(100, 10, within=within), start)
