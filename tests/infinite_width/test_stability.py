"""Verdicts: the word, the mechanism and a remedy that works when it is followed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from examples import (
    HARD_TANH,
    IDENTITY,
    LEAKY_RELU,
    RELU,
    SIGN,
    clipped_relu,
    clipped_soft_threshold,
    shifted_relu,
    soft_threshold,
    with_edges,
)
from hypothesis import assume, given, reject

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import ActivationError, DomainError, NoEdgeOfChaos
from meanfield.infinite_width.clips import stabilising_clip
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.fixed_points import fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose, phase, verdict


@pytest.mark.parametrize("phi", [RELU, LEAKY_RELU, IDENTITY])
def test_homogeneous_activations_on_the_edge_are_neutral(phi: PiecewiseLinear) -> None:
    edge = edge_of_chaos(phi)
    for found in (diagnose(edge), diagnose(edge.mean_field, 3.0)):
        assert found.verdict.word == "neutral"
        assert found.phase == "edge of chaos"
        assert found.verdict.remedy is None
    assert diagnose(edge.mean_field, 3.0).point.fixed_point.q == 3.0


UNCLIPPED = [shifted_relu(0.5), shifted_relu(1.0364), soft_threshold(0.5), soft_threshold(1.5)]


@pytest.mark.parametrize("q_star", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("phi", UNCLIPPED)
def test_unclipped_thresholds_on_the_edge_are_unstable_and_run_away_above(phi: PiecewiseLinear, q_star: float) -> None:
    found = diagnose(edge_of_chaos(phi, q_star))
    assert found.verdict.word == "unstable"
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
    assert verdict(network, point).word == "stable"


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
    assert found.verdict.word == "stable"
    assert found.verdict.remedy is None
    assert len(found.point.fixed_points) == 1
    assert "but" not in found.verdict.explanation


def test_clipped_relu_with_a_wide_clip_is_stable_up_to_the_next_fixed_point() -> None:
    found = diagnose(MeanField(clipped_relu(1.0364, 2.0), 2.592286, 0.737097))
    assert found.verdict.word == "stable"
    assert "1.235" in found.verdict.explanation
    assert "3.47" in found.verdict.explanation
    assert found.phase == "edge of chaos"
    assert [p.kind for p in found.point.fixed_points] == ["stable", "unstable", "stable"]
    assert found.point.fixed_point == found.point.fixed_points[0]


def test_the_fixed_point_nearest_in_ratio_is_judged() -> None:
    network = MeanField(clipped_relu(1.0364, 2.0), 2.592286, 0.737097)
    below, middle, above = fixed_points(network)
    assert diagnose(network, 0.01).point.fixed_point == below
    assert diagnose(network, 1.25).point.fixed_point == middle
    assert diagnose(network, 1e4).point.fixed_point == above
    assert diagnose(network, 1.25).verdict.word == "unstable"


@pytest.mark.parametrize("family", [shifted_relu, soft_threshold])
def test_an_unclipped_edge_typed_with_six_digits_is_still_unstable(family: Callable) -> None:
    called_stable = []
    for tau in (tenths / 10 for tenths in range(1, 30)):
        edge = edge_of_chaos(family(tau))
        rounded = MeanField(edge.activation, float(f"{edge.sigma_w:.6g}"), float(f"{edge.sigma_b:.6g}"))
        if diagnose(rounded).verdict.word != "unstable":
            called_stable.append(tau)
    assert called_stable == []


def test_without_a_fixed_point_the_variance_grows_without_bound() -> None:
    network = MeanField(RELU, 1.5, 0.5)
    found = diagnose(network)
    assert (found.point.fixed_points, found.point.fixed_point) == ((), None)
    assert found.verdict == verdict(network, None)
    assert found.verdict.word == "unstable"
    assert "no fixed point" in found.verdict.explanation
    assert found.phase == "chaotic"


def test_a_repelling_fixed_point_is_unstable() -> None:
    (zero,) = fixed_points(MeanField(RELU, 1.5))
    assert verdict(MeanField(RELU, 1.5), zero).word == "unstable"


def test_a_network_whose_signal_dies_out_says_so() -> None:
    for network in (MeanField(RELU, 1.0), MeanField(shifted_relu(1.0), 1.0)):
        found = diagnose(network)
        assert (found.point.fixed_point.q, found.verdict.word) == (0.0, "stable")
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
    if not 0.98 < edge.V_prime < 1:
        assert found.verdict.word == ("stable" if -1 < edge.V_prime < 1 else "unstable")
    # Where V stays along q, the rounding of σ_w and σ_b moves the fixed point.
    if abs(edge.V_prime - 1) > 1e-6:
        assert any(abs(p.q / q_star - 1) < 1e-5 for p in found.point.fixed_points)


def test_the_verdict_depends_on_the_fixed_point_it_is_asked_for() -> None:
    network = MeanField(HARD_TANH, 1.5)
    zero, saturated = fixed_points(network)
    assert (verdict(network, zero).word, verdict(network, saturated).word) == ("unstable", "stable")
    assert verdict(network, replace(saturated, slope=-1.5)).word == "unstable"


def test_a_clip_far_out_of_reach_leaves_the_identity() -> None:
    found = diagnose(edge_of_chaos(PiecewiseLinear([0, 6], [0, 1, 0], [0, 0, 6])))
    assert found.verdict.word == "neutral"


@pytest.mark.parametrize("q_star", [1e-300, 1e300])
def test_extreme_variances_get_a_verdict(q_star: float) -> None:
    assert diagnose(edge_of_chaos(HARD_TANH, q_star)).verdict.word in ("stable", "neutral")


@pytest.mark.parametrize("what", ["relu", None, 3])
def test_what_is_not_read_yet_is_refused(what: object) -> None:
    with pytest.raises(ActivationError, match=r"meanfield\.activation"):
        MeanField(what, 1.0)
    with pytest.raises(ActivationError, match=r"meanfield\.activation"):
        edge_of_chaos(what)
