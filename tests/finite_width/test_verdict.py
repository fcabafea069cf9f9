"""The verdict at a width and depth, what it rests on, and that its remedies work when followed."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from examples import (
    HARD_TANH,
    LEAKY_RELU,
    RELU,
    VERDICTS,
    clipped_relu,
    hard_threshold,
)

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.fluctuations import fluctuations
from meanfield.finite_width.variance_chain import trajectories
from meanfield.finite_width.verdict import FiniteWidth, at_width
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose


def judged(phi: PiecewiseLinear, width: int, depth: int, q_star: float = 1.0, **options: float) -> FiniteWidth:
    found = diagnose(edge_of_chaos(phi, q_star), with_remedies=False)
    return at_width(found, Requirement(width, depth, **options), with_remedies=False)


@pytest.mark.parametrize("word", VERDICTS)
def test_the_four_words(word: str) -> None:
    found = judged(VERDICTS[word], 100, 40, chains=1024).verdict
    assert found.signal.word == word
    # Of those that keep their signal only ReLU passes a gradient through as few units.
    assert (found.gradient.word == "safe") == (word == "neutral") == found.is_good


def test_an_unstable_mechanism_may_be_safe_for_few_layers_and_that_is_said() -> None:
    found = judged(VERDICTS["unstable"], 2000, 3)
    assert found.verdict.word == "safe"
    assert "only this depth saves it" in found.verdict.explanation
    assert "runs away above" in found.verdict.explanation
    assert "only this depth" not in judged(VERDICTS["safe"], 300, 3).verdict.explanation


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
    assert found.gradients.sd[0] == pytest.approx(found.verdict.gradient.sd, rel=0.05)
    assert found.sensitivity == 0


def test_risk_and_reach_are_the_users() -> None:
    assert judged(VERDICTS["fragile"], 100, 10, chains=1024).verdict.word == "fragile"
    assert judged(VERDICTS["fragile"], 100, 10, chains=1024, risk=0.5).verdict.word == "safe"
    assert judged(VERDICTS["fragile"], 100, 10, chains=1024, within=50.0).verdict.signal.word == "safe"
    assert judged(VERDICTS["fragile"], 100, 10, chains=1024, within=50.0, gradient_within=1e9).verdict.word == "safe"


def test_a_start_elsewhere_is_where_the_chain_and_the_theory_begin() -> None:
    diagnosis = diagnose(MeanField(HARD_TANH, 1.5, 0.1))
    found = at_width(diagnosis, Requirement(200, 10), start=4.0, with_remedies=False)
    assert (found.escapes.variances[0] == 4.0).all()
    assert found.fluctuations.mean[0] == 4.0
    assert found.fluctuations.mean[1] == pytest.approx(diagnosis.point.network.V(4.0))
    assert found.fluctuations.mean == pytest.approx(found.escapes.variances.mean(axis=1), rel=0.01)
    assert found.fluctuations.sd[1:] == pytest.approx(found.escapes.variances.std(axis=1)[1:], rel=0.06)


def test_margins_are_in_standard_deviations() -> None:
    found = judged(VERDICTS["fragile"], 3000, 5, chains=64)
    assert found.basin == (0.0, pytest.approx(1.2348, abs=1e-4))
    assert found.margin == pytest.approx((found.basin[1] - 1) / found.fluctuations.sd[-1])
    assert judged(VERDICTS["unstable"], 300, 10, chains=64).margin == 0


def test_a_jump_passes_no_gradient_and_has_no_spectrum() -> None:
    found = at_width(diagnose(MeanField(hard_threshold(0.5), 0.8, 0.3)), Requirement(100, 5, chains=64))
    assert found.jacobian.mean == math.inf
    assert math.isnan(found.sensitivity)
    assert found.xi_c > 0


def test_a_homogeneous_network_off_its_edge_is_told_what_depth_makes_of_it() -> None:
    near = diagnose(MeanField(RELU, 1.409))
    assert at_width(near, Requirement(100, 5, chains=64)).verdict.word == "neutral"
    far = at_width(near, Requirement(1000, 200, chains=64)).verdict
    assert far.word == "unstable"
    cure = far.remedies[0]
    assert (cure.what, cure.verdict, cure.sigma_w, cure.sigma_b) == ("initialisation", "neutral", math.sqrt(2), 0)


def test_a_clip_out_of_reach_leaves_relu_what_it_is() -> None:
    assert judged(PiecewiseLinear([0, 6], [0, 1, 0], [0, 0, 6]), 100, 20).verdict.word == "neutral"


def test_inputs_that_grow_alike_beyond_the_doubles_are_alike() -> None:
    found = diagnose(MeanField(clipped_relu(1.0364, 1.0), 1.5, 0.3), with_remedies=False)
    inputs = at_width(found, Requirement(50, 300, chains=64), with_remedies=False).verdict.inputs
    assert (inputs.word, inputs.rho, inputs.one_minus_rho) == ("unstable", 1.0, 0.0)


def test_networks_cut_by_a_layer_at_rest_are_told_of() -> None:
    phi = clipped_relu(2.5, 0.5)
    found = judged(phi, 100, 10)
    told = float(re.search(r"(\S+) % of networks have a layer without a sloping unit", found.verdict.explanation)[1])
    h = np.sqrt(found.escapes.variances[:-1, :, None]) * np.random.default_rng(0).standard_normal(
        (10, found.requirement.chains, 100)
    )
    cut = ~((h > 2.5) & (h < 3.0)).any(axis=2)
    assert told == pytest.approx(100 * cut.any(axis=0).mean(), rel=0.05)
    assert "sloping" not in judged(VERDICTS["safe"], 300, 10).verdict.explanation


def test_networks_of_few_units_may_die() -> None:
    found = judged(RELU, 4, 20)
    share = np.mean(found.escapes.variances[-1] == 0)
    assert share > 0.5
    assert f"{100 * share:.1f} % of networks have lost it" in found.verdict.explanation


def test_a_neutral_signal_is_lost_nowhere() -> None:
    verdict = judged(RELU, 30, 20).verdict
    assert verdict.signal.word == "neutral"
    assert verdict.signal.share_lost > 0.5 > verdict.share_lost
    record = verdict.record()
    assert record["signal_lost"] is None
    assert record["gradient_lost"] == record["share_lost"] == verdict.share_lost


@pytest.mark.parametrize(("risk", "is_told"), [(0.3, True), (0.9, False), (0.01, False)])
def test_a_risk_that_networks_do_not_tell_from_the_share_lost_is_said(risk: float, is_told: bool) -> None:
    found = at_width(
        diagnose(edge_of_chaos(VERDICTS["fragile"])), Requirement(300, 30, risk=risk, chains=256), with_remedies=False
    )
    low, high = found.verdict.interval
    assert (low <= risk <= high) == is_told
    assert ("another seed" in found.verdict.scope) == is_told
    assert ("another seed" in str(found.verdict)) == is_told


@pytest.mark.parametrize("start", [1e-3, 1e-10, 1e10, 1e35])
def test_a_start_far_away_is_followed_as_exactly(start: float) -> None:
    diagnosis = diagnose(edge_of_chaos(clipped_relu(1.0, 1.0)))
    found = at_width(diagnosis, Requirement(100, 3, chains=512), start=start, with_remedies=False)
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


@pytest.mark.parametrize(
    ("sigma_w", "sigma_b", "fate"),
    [(1.2439778, 0.0, "die out"), (2.0, 0.0, "without bound"), (2.0, 1.0, "without bound")],
)
def test_without_a_fixed_point_there_is_still_an_answer_at_the_last_layer(
    sigma_w: float, sigma_b: float, fate: str
) -> None:
    network = MeanField(RELU, sigma_w, sigma_b)
    found = at_width(diagnose(network), Requirement(512, 50, chains=64))
    q = 1.0
    for _ in range(50):
        q = sigma_w**2 * q / 2 + sigma_b**2
    assert fate in found.verdict.explanation
    assert f"q = {q:.3g} there" in found.verdict.explanation
    assert (found.verdict.word, found.escapes.probability, found.verdict.is_good) == ("unstable", 1.0, False)
    # At a width of 512 a layer's noise takes (3/p − 1)/2N off the mean of ln G, p = ½.
    assert found.verdict.gradient.mean == pytest.approx(50 * (math.log(sigma_w**2 / 2) - 5 / 1024), abs=0.4)
    # The edge of chaos is the remedy, or a few layers: no width changes what V does.
    whats = [cure.what for cure in found.verdict.remedies]
    assert whats in (["initialisation"], ["initialisation", "depth"])


def test_a_signal_that_dies_out_may_last_for_few_layers() -> None:
    found = at_width(diagnose(MeanField(RELU, 1.2439778)), Requirement(10**6, 2, chains=64)).verdict
    assert found.word == "safe"
    assert "only this depth saves it" in found.explanation


def test_a_start_that_is_no_variance_is_refused() -> None:
    with pytest.raises(DomainError):
        at_width(diagnose(edge_of_chaos(RELU)), Requirement(100, 10), start=-1.0)


@pytest.mark.parametrize(("name", "q_star"), [("relu6", 1.0), ("hard-tanh", 0.076348), ("relu6", 4.0)])
def test_where_the_expansion_has_left_its_range_nothing_is_said(name: str, q_star: float) -> None:
    diagnosis = diagnose(edge_of_chaos(mf.activation(name), q_star))
    network = diagnosis.point.network
    strays = fluctuations(network, diagnosis.point.fixed_point, 512, 100)
    assert not strays.stationary_mean < 0
    assert math.isnan(strays.stationary_mean) == math.isnan(strays.stationary_sd)
    told = np.isfinite(strays.mean)
    assert (strays.mean[told] > 0).all()
    # What is said is right: the chains agree.
    drawn = trajectories(network, q_star, 512, 100, 256, seed=0).variances
    noise = drawn.std(axis=1) / math.sqrt(256)
    assert (np.abs(strays.mean - drawn.mean(axis=1))[told] <= 4 * noise[told] + 0.05 * q_star).all()
