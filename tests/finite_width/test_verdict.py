"""The verdict at a width and depth, what it rests on, and that its remedies work when followed."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from examples import (
    HARD_TANH,
    LEAKY_RELU,
    RELU,
    SIGN,
    activations,
    clipped_relu,
    clipped_soft_threshold,
    hard_threshold,
    shifted_relu,
    soft_threshold,
    variances,
)
from hypothesis import assume, given, strategies as st
from real_networks import networks_by_hand

from meanfield.activations.algebra import clipped
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError, NoEdgeOfChaos, NoSignal
from meanfield.finite_width.escape import Requirement, escapes, is_safe
from meanfield.finite_width.fluctuations import fluctuations
from meanfield.finite_width.jacobian import squared_singular_values
from meanfield.finite_width.remedies import safe_clip
from meanfield.finite_width.variance_chain import trajectories
from meanfield.finite_width.verdict import FiniteWidth, at_width
from meanfield.infinite_width.clips import stabilising_clip
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.fixed_points import basin, correlation_fixed_points, fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose

CASES = {
    "safe": clipped_relu(1.0364, 1.0),
    "fragile": clipped_relu(1.0364, 2.0),
    "unstable": shifted_relu(1.0364),
    "neutral": RELU,
}


def judged(phi: PiecewiseLinear, width: int, depth: int, q_star: float = 1.0, **options: float) -> FiniteWidth:
    return at_width(diagnose(edge_of_chaos(phi, q_star)), Requirement(width, depth, **options))


@pytest.mark.parametrize("word", CASES)
def test_the_four_words(word: str) -> None:
    assert judged(CASES[word], 100, 40, chains=1024).verdict.word == word


def test_the_escape_probability_is_that_of_200_real_networks() -> None:
    width, depth = 150, 50
    edge = edge_of_chaos(CASES["fragile"])
    chains = escapes(edge.mean_field, 1.0, Requirement(width, depth))
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
    outside = np.array([0, count])
    assert replace(found, outside=outside).interval == pytest.approx(wilson(count, 40), abs=1e-12)


def test_escapes_are_counted_on_both_sides_and_at_the_last_layer() -> None:
    found = escapes(edge_of_chaos(RELU).mean_field, 1.0, Requirement(20, 30, within=1.5, chains=500))
    last = found.variances[-1]
    assert found.probability == np.mean((last < 1 / 1.5) | (last > 1.5))
    assert (last < 1 / 1.5).any()
    assert (last > 1.5).any()
    assert found.outside[0] == 0


def test_the_safe_depth_is_safe_with_half_the_risk_and_the_next_is_not() -> None:
    required = Requirement(100, 60)
    network = edge_of_chaos(CASES["fragile"]).mean_field
    depth = escapes(network, 1.0, required).safe_depth
    assert 0 < depth < 60
    assert escapes(network, 1.0, replace(required, depth=depth)).probability <= 0.005
    assert escapes(network, 1.0, replace(required, depth=depth + 1)).probability > 0.005
    assert escapes(edge_of_chaos(CASES["safe"]).mean_field, 1.0, Requirement(300, 20)).safe_depth == 20


@pytest.mark.parametrize("word", ["fragile", "unstable"])
def test_every_remedy_works_when_it_is_followed(word: str) -> None:
    width, depth = 150, 12
    found = judged(CASES[word], width, depth)
    assert found.verdict.word == word
    match = re.fullmatch(
        r"clip at m = (\S+): .* σ_w = (\S+), σ_b = (\S+) has V'\(q\*\) = (\S+) and is safe here; "
        r"or a width of about (\d+); or at most (\d+) layers?\.",
        found.verdict.remedy,
    )
    m, sigma_w, sigma_b, slope, wider, shallower = map(float, match.groups())
    tight = clipped(CASES[word], -m, m)
    again = judged(tight, width, depth)
    assert again.verdict.word == "safe"
    assert again.diagnosis.point.fixed_point.slope == pytest.approx(slope, abs=1e-3)
    typed = at_width(diagnose(MeanField(tight, sigma_w, sigma_b)), Requirement(width, depth))
    assert typed.verdict.word == "safe"
    assert judged(CASES[word], int(wider), depth).verdict.word == "safe"
    assert judged(CASES[word], width, int(shallower)).verdict.word == "safe"


def test_the_clip_recommended_is_the_largest_that_is_safe() -> None:
    required = Requirement(150, 12)
    m, edge = safe_clip(CASES["unstable"], 1.0, required)
    assert is_safe(edge.mean_field, 1.0, required.careful)
    for larger in (m + 0.2, m + 0.5, m + 1):
        assert not is_safe(edge_of_chaos(clipped(CASES["unstable"], -larger, larger)).mean_field, 1.0, required)


def test_an_unstable_mechanism_may_be_safe_for_few_layers_and_that_is_said() -> None:
    found = judged(CASES["unstable"], 2000, 3)
    assert found.verdict.word == "safe"
    assert "only this depth saves it" in found.verdict.explanation
    assert "runs away above" in found.verdict.explanation
    assert "only this depth" not in judged(CASES["safe"], 300, 3).verdict.explanation


@pytest.mark.parametrize("phi", [RELU, LEAKY_RELU])
def test_homogeneous_activations_drift_as_told(phi: PiecewiseLinear) -> None:
    width, depth = 1000, 20
    found = judged(phi, width, depth)
    assert found.verdict.word == "neutral"
    assert found.verdict.remedy is None
    told = float(re.search(r"ln q has standard deviation (\S+) by layer 20", found.verdict.explanation)[1])
    last = np.log(found.escapes.variances[-1])
    assert told == pytest.approx(last.std(), rel=0.01)
    step = edge_of_chaos(phi).mean_field.kick_variance(1.0)
    assert told == pytest.approx(math.sqrt(depth * step / width), rel=0.05)
    assert found.log_gain_sd == pytest.approx(0, abs=1e-9)
    assert found.sensitivity == 0


def test_relu_has_five_units_of_variance_a_layer() -> None:
    assert MeanField(RELU, math.sqrt(2)).kick_variance(1.0) == pytest.approx(5, rel=1e-14)


def test_risk_and_reach_are_the_users() -> None:
    assert judged(CASES["fragile"], 100, 10, chains=1024).verdict.word == "fragile"
    assert judged(CASES["fragile"], 100, 10, chains=1024, risk=0.5).verdict.word == "safe"
    assert judged(CASES["fragile"], 100, 10, chains=1024, within=50.0).verdict.word == "safe"


def test_a_start_elsewhere_is_where_the_chain_and_the_theory_begin() -> None:
    diagnosis = diagnose(MeanField(HARD_TANH, 1.5, 0.1))
    found = at_width(diagnosis, Requirement(200, 10), start=4.0)
    assert (found.escapes.variances[0] == 4.0).all()
    assert found.fluctuations.mean[0] == 4.0
    assert found.fluctuations.mean[1] == pytest.approx(diagnosis.point.network.V(4.0))
    assert found.fluctuations.mean == pytest.approx(found.escapes.variances.mean(axis=1), rel=0.01)
    assert found.fluctuations.sd[1:] == pytest.approx(found.escapes.variances.std(axis=1)[1:], rel=0.06)


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
    variances_ = trajectories(edge.mean_field, q_star, 300, 40, 8192, seed=12)
    predicted = fluctuations(edge.mean_field, diagnosis.point.fixed_point, 300, 40)
    # Layers 20 to 40 all have the stationary spread; together they pin it down.
    assert np.mean(variances_[20:].std(axis=1)) == pytest.approx(predicted.stationary_sd, rel=0.03)
    assert predicted.sd[40] == pytest.approx(predicted.stationary_sd, rel=1e-3)
    assert variances_[1:6].std(axis=1) == pytest.approx(predicted.sd[1:6], rel=0.045)


@pytest.mark.parametrize("phi", [clipped_relu(0.0, 1.6), clipped_relu(0.2, 1.5), clipped_relu(0.5244, 1.2)])
def test_the_predicted_mean_is_the_chains(phi: PiecewiseLinear) -> None:
    edge = edge_of_chaos(phi)
    variances_ = trajectories(edge.mean_field, 1.0, 300, 40, 8192, seed=12)
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


def test_margins_are_in_standard_deviations() -> None:
    found = judged(CASES["fragile"], 300, 100, chains=64)
    assert found.basin == (0.0, pytest.approx(1.2348, abs=1e-4))
    assert found.margin == pytest.approx((found.basin[1] - 1) / found.fluctuations.sd[-1])
    assert judged(CASES["unstable"], 300, 10, chains=64).margin == 0


@given(activations(), st.integers(10, 400).map(lambda n: n / 127), st.integers(0, 300).map(lambda n: n / 127))
def test_basins_contain_their_fixed_point_and_are_kept_by_an_increasing_map(
    phi: PiecewiseLinear, sigma_w: float, sigma_b: float
) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    points = fixed_points(network)
    for point in points:
        low, high = basin(points, point)
        assert low <= point.q <= high
        if point.kind != "stable":
            continue
        inside = np.linspace(low, min(high, max(10 * point.q, 10.0)), 203)[1:-1]
        path = np.asarray(network.V(inside))
        moved = np.abs(path - inside) > 1e-12 * np.maximum(inside, 1e-300)
        # Everything within moves towards the fixed point.
        assert (np.sign(path - inside) == np.sign(point.q - inside))[moved].all()
        if (np.asarray(network.dV(inside)) >= 0).all():
            assert (path >= low * (1 - 1e-12)).all()
            assert (path <= high * (1 + 1e-12)).all()


def test_basins_of_tangencies_are_one_sided_and_of_repelling_points_empty() -> None:
    network = edge_of_chaos(soft_threshold(0.5)).mean_field
    (point,) = fixed_points(network)
    assert basin((point,), point) == (0.0, point.q)
    points = fixed_points(edge_of_chaos(CASES["fragile"]).mean_field)
    assert basin(points, points[1]) == (points[1].q, points[1].q)
    assert basin(points, points[2]) == (points[1].q, math.inf)


@pytest.mark.parametrize("q", [0.5, 3.0])
@pytest.mark.parametrize("phi", [LEAKY_RELU, HARD_TANH, clipped_relu(0.5, 1.0)])
def test_singular_values_are_those_of_random_matrices(phi: PiecewiseLinear, q: float) -> None:
    """Products of D W with W Gaussian or orthogonal and φ' at independent pre-activations, wide and few."""
    random, width, depth = np.random.default_rng(3), 600, 3
    network = MeanField(phi, 1.3, 0.2)
    expected = squared_singular_values(network, q, depth)
    slopes = np.array(phi.slopes)
    for orthogonal, variance in ((False, expected.variance_gaussian), (True, expected.variance_orthogonal)):
        product = np.eye(width)
        for _ in range(depth):
            weights = random.standard_normal((width, width))
            weights = np.linalg.qr(weights)[0] if orthogonal else weights / math.sqrt(width)
            h = math.sqrt(q) * random.standard_normal(width)
            d = slopes[np.searchsorted(phi.knots, h)]
            product = d[:, None] * (1.3 * weights) @ product
        squares = np.linalg.svd(product, compute_uv=False) ** 2
        assert squares.mean() == pytest.approx(expected.mean, rel=0.15)
        assert squares.var() == pytest.approx(variance, rel=0.35)


def test_slopes_of_zero_and_one_leave_the_share_of_sloping_units() -> None:
    edge = edge_of_chaos(clipped_relu(1.0, 1.0))
    share = 1 / edge.sigma_w_squared
    found = squared_singular_values(edge.mean_field, 1.0, 50)
    assert found.mean == pytest.approx(1)
    assert found.variance_gaussian == pytest.approx(50 / share)
    assert found.variance_orthogonal == pytest.approx(50 * (1 / share - 1))


def test_a_jump_passes_no_gradient_and_has_no_spectrum() -> None:
    found = at_width(diagnose(MeanField(hard_threshold(0.5), 0.8, 0.3)), Requirement(100, 5, chains=64))
    assert found.jacobian.mean == math.inf
    assert math.isnan(found.sensitivity)
    assert found.xi_c > 0


@given(activations(jumps=False), variances(0.25, 9))
def test_on_the_edge_correlations_take_for_ever_and_gradients_keep_their_size(phi: PiecewiseLinear, q: float) -> None:
    try:
        edge = edge_of_chaos(phi, q)
    except NoEdgeOfChaos:
        assume(False)
    rho, depth = correlation_depth(phi, edge.sigma_w_squared, q)
    assert (rho, depth) == (1, math.inf)


@pytest.mark.parametrize("sigmas", [(1.5, 0.1), (2.5, 0.0), (0.8, 0.3), (1.1, 0.5)])
@pytest.mark.parametrize("phi", [HARD_TANH, SIGN, clipped_relu(0.5, 1.0), soft_threshold(0.3)])
def test_correlations_settle_at_the_stable_fixed_point_of_r(phi: PiecewiseLinear, sigmas: tuple[float, float]) -> None:
    network = MeanField(phi, *sigmas)
    for point in fixed_points(network):
        if not point.q:
            continue
        (stable,) = (p for p in correlation_fixed_points(network, point.q) if p.kind.startswith("stable"))
        rho, depth = correlation_depth(phi, sigmas[0] ** 2, point.q)
        assert rho == pytest.approx(stable.rho, abs=1e-10)
        assert depth == pytest.approx(-1 / math.log(stable.slope), rel=1e-8)


@pytest.mark.parametrize("excess", [1e-11, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("phi", [HARD_TANH, clipped_relu(0.5, 1.0)])
def test_just_above_the_edge_correlations_settle_just_below_one(phi: PiecewiseLinear, excess: float) -> None:
    edge = edge_of_chaos(phi)
    kappa = float(edge.mean_field.kappa(1.0))
    rho, depth = correlation_depth(phi, edge.sigma_w_squared * (1 + excess), 1.0)
    # 1 − R = χ₁(1 − ρ) − κ(1 − ρ)^(3/2) has √(1 − ρ*) = (χ₁ − 1)/κ, and R' = 1 − (χ₁ − 1)/2 there.
    assert 1 - rho == pytest.approx((excess / kappa) ** 2, rel=10 * excess + 1e-3, abs=2e-16)
    assert depth == pytest.approx(2 / excess, rel=10 * excess + 1e-3)


def test_remedies_hold_for_the_start_that_was_asked_for() -> None:
    network = diagnose(edge_of_chaos(CASES["fragile"]))
    required = Requirement(300, 20)
    found = at_width(network, required, start=1.5)
    assert found.verdict.word == "fragile"
    # Outside the basin no width brings it back.
    assert "width" not in found.verdict.remedy
    m = float(re.search(r"clip at m = (\S+):", found.verdict.remedy)[1])
    tight = diagnose(edge_of_chaos(clipped(CASES["fragile"], -m, m)))
    assert at_width(tight, required, start=1.5).verdict.word == "safe"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_clip_recommended_is_safe_for_other_random_networks_too(seed: int) -> None:
    m, _ = safe_clip(CASES["unstable"], 1.0, Requirement(150, 12))
    assert judged(clipped(CASES["unstable"], -m, m), 150, 12, seed=seed).verdict.word == "safe"


def test_a_homogeneous_network_off_its_edge_is_told_what_depth_makes_of_it() -> None:
    near = diagnose(MeanField(RELU, 1.409))
    assert at_width(near, Requirement(100, 5, chains=64)).verdict.word == "neutral"
    far = at_width(near, Requirement(1000, 1000, chains=64)).verdict
    assert far.word == "unstable"
    assert far.remedy == "σ_w = 1.4142136, σ_b = 0, the edge of chaos."


def test_a_clip_out_of_reach_leaves_relu_what_it_is() -> None:
    assert judged(PiecewiseLinear([0, 6], [0, 1, 0], [0, 0, 6]), 100, 20).verdict.word == "neutral"


def test_networks_cut_by_a_layer_at_rest_are_told_of() -> None:
    phi = clipped_relu(2.5, 0.5)
    found = judged(phi, 100, 10)
    told = float(
        re.search(r"But (\S+) % of networks have a layer without a sloping unit", found.verdict.explanation)[1]
    )
    h = np.sqrt(found.escapes.variances[:-1, :, None]) * np.random.default_rng(0).standard_normal((10, 4096, 100))
    cut = ~((h > 2.5) & (h < 3.0)).any(axis=2)
    assert told == pytest.approx(100 * cut.any(axis=0).mean(), rel=0.05)
    assert "sloping" not in judged(CASES["safe"], 300, 10).verdict.explanation


def test_networks_of_few_units_may_die() -> None:
    found = judged(RELU, 4, 20)
    share = np.mean(found.escapes.variances[-1] == 0)
    assert share > 0.5
    assert f"{share:.2%} have lost it" in found.verdict.explanation


@pytest.mark.parametrize("start", [1e-3, 1e-10, 1e10, 1e35])
def test_a_start_far_away_is_followed_as_exactly(start: float) -> None:
    diagnosis = diagnose(edge_of_chaos(clipped_relu(1.0, 1.0)))
    found = at_width(diagnosis, Requirement(100, 3, chains=512), start=start)
    first = found.escapes.variances[1]
    spread = math.sqrt(diagnosis.point.network.kick_variance(start) / 100)
    assert abs(first.mean() - diagnosis.point.network.V(start)) <= 4 * spread / math.sqrt(512) + 1e-12
    assert found.fluctuations.sd[1] == pytest.approx(spread, rel=1e-9)


def test_variances_without_a_sixth_moment_are_refused() -> None:
    for q in (1e-110, 1e105, 1e300):
        with pytest.raises(DomainError, match="other units"):
            judged(RELU, 10, 2, q)
    tiny = PiecewiseLinear([-1, 1], [0, 1e-100, 0], [-1e-100, 0, 1e-100])
    with pytest.raises(DomainError, match="other units"):
        at_width(diagnose(edge_of_chaos(tiny)), Requirement(10, 2))


def test_counts_may_be_numpys() -> None:
    assert Requirement(np.int64(100), np.int32(10)).width == 100


def test_the_verdict_rests_on_the_fixed_point_and_the_network_it_is_given() -> None:
    with pytest.raises(NoSignal, match="dies out"):
        at_width(diagnose(MeanField(RELU, 1.0)), Requirement(100, 10))
    for sigma_b in (0.0, 1.0):
        with pytest.raises(NoSignal, match="without bound"):
            at_width(diagnose(MeanField(RELU, 2.0, sigma_b)), Requirement(100, 10))
    with pytest.raises(NoSignal, match="without bound"):
        at_width(diagnose(MeanField(RELU, 2.0, 1.0)), Requirement(100, 10))
    with pytest.raises(DomainError):
        at_width(diagnose(edge_of_chaos(RELU)), Requirement(100, 10), start=-1.0)


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
        {"depth": 10**6, "chains": 10**4},
    ],
)
def test_requirements_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(DomainError, match=r"give|do not fit"):
        Requirement(**{"width": 100, "depth": 10, **wrong})


def test_the_clip_for_a_width_can_be_looser_than_that_for_any() -> None:
    for_any, _ = stabilising_clip(CASES["unstable"], 1.0)
    for_width, _ = safe_clip(CASES["unstable"], 1.0, Requirement(300, 20))
    assert for_width > for_any
