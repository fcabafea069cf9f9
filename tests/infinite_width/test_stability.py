"""Verdicts: the word, the mechanism and a remedy that works when it is followed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
from examples import (
    HARD_TANH,
    IDENTITY,
    LEAKY_RELU,
    RELU,
    SIGN,
    activations,
    clipped_relu,
    clipped_soft_threshold,
    shifted_relu,
    soft_threshold,
    variances,
    with_edges,
)
from hypothesis import assume, given, reject, strategies as st

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import ActivationError, DomainError, NoEdgeOfChaos
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.fixed_points import fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import mean
from meanfield.infinite_width.remedies import stabilising_clip
from meanfield.infinite_width.stability import diagnose, phase, verdict


@pytest.mark.parametrize("phi", [RELU, LEAKY_RELU, IDENTITY])
def test_homogeneous_activations_on_the_edge_are_neutral(phi: PiecewiseLinear) -> None:
    edge = edge_of_chaos(phi)
    for found in (diagnose(edge), diagnose(edge.mean_field, 3.0)):
        assert found.verdict.signal.word == "neutral"
        assert found.phase == "edge of chaos"
        assert found.verdict.remedy is None
    assert diagnose(edge.mean_field, 3.0).point.fixed_point.q == 3.0


UNCLIPPED = [shifted_relu(0.5), shifted_relu(1.0364), soft_threshold(0.5), soft_threshold(1.5)]


@pytest.mark.parametrize("q_star", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("phi", UNCLIPPED)
def test_unclipped_thresholds_on_the_edge_are_unstable_and_run_away_above(phi: PiecewiseLinear, q_star: float) -> None:
    found = diagnose(edge_of_chaos(phi, q_star))
    assert found.verdict.signal.word == "unstable"
    assert re.search(r"V'\(q\*\) = 1 and V''\(q\*\) = \S+ > 0: .*runs away above", found.verdict.explanation)


def clipped_by_hand(phi: PiecewiseLinear, m: float) -> PiecewiseLinear:
    """sign(φ)·min(|φ|, m) of a shifted ReLU or soft threshold, from the position of its threshold."""
    family = clipped_relu if len(phi.knots) == 1 else clipped_soft_threshold
    return family(phi.knots[-1], m)


@pytest.mark.parametrize("q_star", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("phi", UNCLIPPED)
def test_the_remedy_for_an_unclipped_threshold_works_as_printed(phi: PiecewiseLinear, q_star: float) -> None:
    remedy = diagnose(edge_of_chaos(phi, q_star)).verdict.remedy
    m, sigma_w, sigma_b, slope = map(
        float, re.search(r"m = (\S+):.* σ_w = (\S+), σ_b = (\S+) has V'\(q\*\) = (\S+) and", remedy).groups()
    )
    network = MeanField(clipped_by_hand(phi, m), sigma_w, sigma_b)
    (point,) = fixed_points(network)
    assert point.q == pytest.approx(q_star, rel=1e-4)
    assert point.slope <= 0.7 + 1e-4
    assert point.slope == pytest.approx(slope, abs=1e-3)
    assert phase(network, point.q) == "edge of chaos"
    assert verdict(network, point).signal.word == "stable"


@pytest.mark.parametrize("phi", UNCLIPPED)
def test_no_larger_two_digit_clip_would_do(phi: PiecewiseLinear) -> None:
    m, _ = stabilising_clip(phi, 1.0)
    decade = 10.0 ** (math.floor(math.log10(m)) - 1)
    for steps in (1, 2, 5):
        larger = clipped_by_hand(phi, m + steps * decade)
        edge = edge_of_chaos(larger)
        assert edge.V_prime > 0.7 or len(fixed_points(edge.mean_field)) > 1


def test_clipped_relu_with_a_tight_clip_is_stable_with_nowhere_else_to_go() -> None:
    found = diagnose(edge_of_chaos(clipped_relu(1.0364, 1.0)))
    assert found.verdict.signal.word == "stable"
    assert found.verdict.remedy is None
    assert len(found.point.fixed_points) == 1
    assert "but" not in found.verdict.explanation


def test_clipped_relu_with_a_wide_clip_is_stable_up_to_the_next_fixed_point() -> None:
    found = diagnose(MeanField(clipped_relu(1.0364, 2.0), 2.592286, 0.737097))
    assert found.verdict.signal.word == "stable"
    assert "1.235" in found.verdict.explanation
    assert "3.47" in found.verdict.explanation
    assert found.phase == "edge of chaos"
    assert [p.kind for p in found.point.fixed_points] == ["stable", "unstable", "stable"]
    assert found.point.fixed_point == found.point.fixed_points[0]


def test_the_fixed_point_to_which_a_signal_goes_is_judged() -> None:
    network = MeanField(clipped_relu(1.0364, 2.0), 2.592286, 0.737097)
    below, middle, above = fixed_points(network)
    assert diagnose(network, 0.01).point.fixed_point == below
    assert diagnose(network, 1.25).point.fixed_point == above
    assert diagnose(network, 1e4).point.fixed_point == above
    assert verdict(network, middle).signal.word == "unstable"


@pytest.mark.parametrize("family", [shifted_relu, soft_threshold])
def test_an_unclipped_edge_typed_with_six_digits_is_still_unstable(family: Callable) -> None:
    called_stable = []
    for tau in (tenths / 10 for tenths in range(1, 30, 4)):
        edge = edge_of_chaos(family(tau))
        rounded = MeanField(edge.activation, float(f"{edge.sigma_w:.6g}"), float(f"{edge.sigma_b:.6g}"))
        if diagnose(rounded).verdict.word != "unstable":
            called_stable.append(tau)
    assert called_stable == []


def test_without_a_fixed_point_the_variance_grows_without_bound() -> None:
    network = MeanField(RELU, 1.5, 0.5)
    found = diagnose(network)
    assert (found.point.fixed_points, found.point.fixed_point) == ((), None)
    assert (found.verdict.signal.word, found.verdict.explanation) == ("unstable", verdict(network, None).explanation)
    # E φ² is q/2, so that q grows by σ_w²/2 in the end.
    assert "no fixed point" in found.verdict.explanation
    assert "by a factor 1.125 a layer" in found.verdict.explanation
    assert found.phase == "chaotic"


def test_a_repelling_fixed_point_is_unstable() -> None:
    (zero,) = fixed_points(MeanField(RELU, 1.5))
    assert verdict(MeanField(RELU, 1.5), zero).signal.word == "unstable"


def test_a_network_whose_signal_dies_out_says_so() -> None:
    for network in (MeanField(RELU, 1.0), MeanField(shifted_relu(1.0), 1.0)):
        found = diagnose(network)
        assert (found.point.fixed_point.q, found.verdict.signal.word) == (0.0, "stable")
        assert "q → 0" in found.verdict.explanation


def test_phases_are_named_by_the_gain_of_a_gradient() -> None:
    for sigma_w, name in ((1.0, "ordered"), (math.sqrt(2), "edge of chaos"), (2.0, "chaotic")):
        assert phase(MeanField(RELU, sigma_w), 1.0) == name
    assert phase(MeanField(SIGN, 0.1), 1.0) == "chaotic"
    assert phase(MeanField(HARD_TANH, 0.9, 0.1), 0.05) == "ordered"


@pytest.mark.parametrize("near", [0.0, -1.0, math.nan, math.inf])
def test_a_number_that_is_no_variance_of_a_signal_is_refused(near: float) -> None:
    with pytest.raises(DomainError, match="is not the variance of a signal"):
        diagnose(MeanField(RELU, 1.0), near)


@given(with_edges())
def test_the_word_for_any_edge_is_that_of_its_slope(case: tuple[PiecewiseLinear, float]) -> None:
    phi, q_star = case
    try:
        edge = edge_of_chaos(phi, q_star)
    except NoEdgeOfChaos:
        reject()
    assume(not phi.is_homogeneous)
    found = diagnose(edge)
    assert found.point.fixed_point.q == q_star
    # A slope within two per cent of 1 may count as 1 or not.
    if abs(edge.V_prime - 1) > 0.02:
        assert found.verdict.signal.word == ("stable" if edge.V_prime < 1 else "unstable")
        assert edge.V_prime >= -0.5
    # Where V stays along q, the rounding of σ_w and σ_b moves the fixed point.
    if abs(edge.V_prime - 1) > 1e-6:
        assert any(abs(p.q / q_star - 1) < 1e-5 for p in found.point.fixed_points)


def test_the_verdict_depends_on_the_fixed_point_it_is_asked_for() -> None:
    network = MeanField(HARD_TANH, 1.5)
    zero, saturated = fixed_points(network)
    assert (verdict(network, zero).signal.word, verdict(network, saturated).signal.word) == ("unstable", "stable")


def test_a_clip_far_out_of_reach_leaves_the_identity() -> None:
    found = diagnose(edge_of_chaos(PiecewiseLinear([0, 6], [0, 1, 0], [0, 0, 6])))
    assert found.verdict.signal.word == "neutral"


@pytest.mark.parametrize("sigma_w", [math.sqrt(2), 1.41421356, 1.414214])
@pytest.mark.parametrize("name", ["relu6", "clip(x, 0, 1)", "clip(x, 0, 20)"])
def test_an_identity_cut_off_far_out_is_neutral_whatever_the_digits_of_its_weights(name: str, sigma_w: float) -> None:
    found = diagnose(MeanField(mf.activation(name), sigma_w))
    assert (found.verdict.signal.word, found.phase) == ("neutral", "edge of chaos")
    scaled = MeanField(mf.activation("clip(0.1*x, 0, 1)"), 10 * sigma_w)
    assert diagnose(scaled).verdict.word == "neutral"


@pytest.mark.parametrize(
    ("sigma_w", "sigma_b"), [(1.0001, 0.0), (1.0003, 0.0), (1.0002483501270718, 0.006), (1.001, 0.0), (1.05, 0.2)]
)
def test_a_slow_pull_on_both_sides_is_stable_and_says_how_slow(sigma_w: float, sigma_b: float) -> None:
    network = MeanField(HARD_TANH, sigma_w, sigma_b)
    found = diagnose(network)
    q_star = found.point.q_star
    assert found.verdict.signal.word == "stable"
    # Both sides come nearer by the factor V'^(layers), or about: that is what attracting means.
    for start in (0.9 * q_star, 1.1 * q_star):
        q, layers = start, 400
        for _ in range(layers):
            q = network.V(q)
        assert abs(q - q_star) < abs(start - q_star) * network.dV(q_star) ** (layers / 2) + 1e-12
    told = float(re.search(r"over ξ_q = (\S+) layers", found.verdict.explanation)[1])
    assert told == pytest.approx(-1 / math.log(network.dV(q_star)), rel=0.01)
    assert diagnose(edge_of_chaos(HARD_TANH, q_star)).verdict.word in ("stable", "neutral")


def test_a_signal_is_judged_where_it_goes_and_the_other_fixed_points_are_named() -> None:
    network = MeanField(clipped_relu(1.0, 1.0), 4.0, 0.2)
    found, q = diagnose(network), 1.0
    for _ in range(10):
        q = network.V(q)
    assert (found.point.q_star, found.phase) == (pytest.approx(q), "ordered")
    assert "a signal of variance 1 settles at 0.04" in found.verdict.explanation
    assert "past q = 1.565 it moves to q = 2.011" in found.verdict.explanation
    assert not found.verdict.is_good


@given(activations(), st.floats(0.1, 3.0), st.floats(0.0, 1.0), variances(1 / 4, 16))
def test_the_slope_of_V_is_at_least_minus_a_half_at_every_fixed_point(
    phi: PiecewiseLinear, sigma_w: float, sigma_b: float, q: float
) -> None:
    # d ln E φ²/d ln q ≥ −½, for the density of √q z falls at most as 1/√q.
    network = MeanField(phi, sigma_w, sigma_b)
    assert q * network.dV(q) >= -0.5 * network.V(q) - 1e-12
    assert all(p.slope >= -0.5 - 1e-9 for p in fixed_points(network) if p.q > 0)


@pytest.mark.parametrize(("chi", "kept"), [(0.93, False), (0.995, True), (1.0, True), (1.005, True), (1.4, False)])
def test_off_its_edge_of_chaos_a_network_keeps_its_signal_alone(chi: float, kept: bool) -> None:
    edge = edge_of_chaos(clipped_relu(1.0, 1.0))
    sigma_w = edge.sigma_w * math.sqrt(chi)
    network = MeanField(edge.activation, sigma_w, math.sqrt(1 - sigma_w**2 * (1 - edge.sigma_b**2) / edge.sigma_w**2))
    found = diagnose(network)
    judged = found.verdict
    assert (judged.signal.word, found.chi_1) == ("stable", pytest.approx(chi))
    word = "stable" if kept else "unstable"
    assert (judged.gradient.word, judged.inputs.word, judged.word, judged.is_good) == (word, word, word, kept)
    if not kept:
        # Of n layers each multiplies a squared gradient by χ₁; the verdict counts those up to a factor 1000.
        counted = int(re.search(r"over at most (\d+) layer", judged.gradient.explanation)[1])
        assert chi**counted < 1000 < chi ** (counted + 1) or chi**counted > 1e-3 > chi ** (counted + 1)
    assert "give a width and depth" in judged.explanation


def test_differences_between_inputs_die_out_or_settle_where_iterating_R_says() -> None:
    for sigma_w, sigma_b in ((1.2, 0.2), (1.8, 0.1)):
        network = MeanField(mf.activation("tanh"), sigma_w, sigma_b)
        found = diagnose(network)
        q = found.point.q_star
        assert q is not None
        rho = 0.5
        for _ in range(3000):
            rho = network.R(rho, q)
        inputs = found.verdict.inputs
        assert inputs.rho == pytest.approx(rho, abs=1e-9)
        assert inputs.xi_c == pytest.approx(-1 / math.log(network.dR(inputs.rho, q)), rel=1e-6)


def test_a_jump_passes_no_gradient_and_parts_inputs_at_once() -> None:
    judged = diagnose(MeanField(mf.activation("sign"), 1.0, 0.5)).verdict
    assert (judged.gradient.word, judged.inputs.word, judged.word) == ("unstable", "unstable", "unstable")
    assert "no gradient passes" in judged.gradient.explanation


@pytest.mark.parametrize("q_star", [1e-300, 1e300])
def test_extreme_variances_get_a_verdict(q_star: float) -> None:
    assert diagnose(edge_of_chaos(HARD_TANH, q_star)).verdict.word in ("stable", "neutral")


@pytest.mark.parametrize("what", ["relu", None, 3])
def test_what_is_not_read_yet_is_refused(what: object) -> None:
    with pytest.raises(ActivationError, match=r"meanfield\.activation"):
        MeanField(what, 1.0)
    with pytest.raises(ActivationError, match=r"meanfield\.activation"):
        edge_of_chaos(what)


def test_on_the_edge_of_tanh_without_biases_a_signal_falls_as_one_over_2l() -> None:
    network = MeanField(mf.activation("tanh"), 1.0)
    found = diagnose(network)
    assert found.point.fixed_point is not None and found.point.fixed_point.q == 0
    assert found.phase == "edge of chaos"
    assert found.verdict.signal.word == "neutral"
    assert "as 0.5/l over l layers" in found.verdict.explanation
    q = 1.0
    for _ in range(4000):
        q = network.V(q)
    assert q == pytest.approx(0.5 / 4000, rel=0.01)


@pytest.mark.parametrize("q_star", [0.1, 1.0, 20.0])
def test_the_edge_of_tanh_is_stable_at_every_other_variance(q_star: float) -> None:
    edge = edge_of_chaos(mf.activation("tanh"), q_star)
    assert diagnose(edge).verdict.word == "stable"
    q = 1.5 * q_star
    for _ in range(200):
        q = edge.mean_field.V(q)
    assert q == pytest.approx(q_star, rel=1e-12)


def test_the_authors_of_selu_chose_a_variance_that_attracts() -> None:
    # Klambauer et al. (2017): mean 0 and variance 1 are a fixed point of the activations, with weights of variance 1/N.
    selu = mf.activation("selu")
    point = diagnose(MeanField(selu, 1.0)).point.fixed_point
    assert point is not None
    assert point.q == pytest.approx(1, abs=1e-14)
    assert mean(selu, 1.0) == pytest.approx(0, abs=1e-15)
    assert point.kind == "stable"


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "hardswish"])
def test_where_gelu_and_its_like_run_away_another_variance_of_the_edge_keeps_the_signal(name: str) -> None:
    found = diagnose(edge_of_chaos(mf.activation(name)))
    assert found.verdict.signal.word == "unstable"
    (remedy,) = found.verdict.remedies
    network = MeanField(mf.activation(name), remedy.sigma_w, remedy.sigma_b)
    q = 1.2 * remedy.q_star
    for _ in range(5000):
        q = network.V(q)
    assert q == pytest.approx(remedy.q_star, rel=1e-6)


def test_a_signal_that_falls_towards_zero_ever_more_slowly_is_neutral_however_V_bends_there() -> None:
    # E softsign² = q − 4√(2/π) q^(3/2) + …, so that V''(0) = −∞; E tanh² = q − 2q² + …
    softsign = diagnose(MeanField(mf.activation("softsign"), 1.0)).verdict
    assert (softsign.word, "falls towards 0, ever more slowly" in softsign.explanation) == ("neutral", True)
    assert "V''(0) = −∞" in softsign.explanation
    tanh = diagnose(MeanField(mf.activation("tanh"), 1.0)).verdict
    assert (tanh.word, "as 0.5/l over l layers" in tanh.explanation) == ("neutral", True)
