"""The shares of networks that lose signal, gradient or either, without random numbers: against chains, exact laws and
what must always hold."""

from __future__ import annotations

import math
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from examples import ABS, HARD_TANH, RELU, SIGN, clipped_relu, clipped_soft_threshold

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.finite_width import loss_law as module
from meanfield.finite_width.escape import Requirement, escapes, wilson_interval
from meanfield.finite_width.loss_law import LossLaw, loss_law
from meanfield.finite_width.variance_law import escape_probability
from meanfield.infinite_width.mean_field import MeanField

CLIPPED = mf.edge_of_chaos(clipped_relu(1.0364, 1.0)).mean_field
#: Beyond what chance does, where q* pulls back; docs/theory.md, section 17.
BIAS = 0.005
#: With q* = 1, or near it: on the edge of chaos unless σ_w and σ_b are given, width, depth.
CASES = {
    "clipped ReLU": (CLIPPED, 64, 20),
    "clipped ReLU, loose": (mf.edge_of_chaos(clipped_relu(1.0364, 1.5)).mean_field, 100, 20),
    "clipped ReLU, half": (mf.edge_of_chaos(clipped_relu(0.0, 1.0)).mean_field, 40, 40),
    "clipped soft threshold": (mf.edge_of_chaos(clipped_soft_threshold(1.0, 1.0)).mean_field, 40, 20),
    "hard tanh": (mf.edge_of_chaos(HARD_TANH).mean_field, 30, 40),
    "hard tanh, chaos": (MeanField(HARD_TANH, 1.6, 0.64), 60, 20),
    "hard tanh, order": (MeanField(HARD_TANH, 1.1, 0.79), 60, 20),
    "|x| − 0.5": (mf.edge_of_chaos(mf.activation("abs(x)-0.5")).mean_field, 20, 50),
    "tanh": (mf.edge_of_chaos(mf.activation("tanh")).mean_field, 30, 50),
    "erf": (mf.edge_of_chaos(mf.activation("erf")).mean_field, 30, 40),
    "ELU": (mf.edge_of_chaos(mf.activation("elu")).mean_field, 40, 30),
    "SELU": (mf.edge_of_chaos(mf.activation("selu")).mean_field, 40, 40),
}


def shares(law: LossLaw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return law.signal, law.gradient, law.either


def test_it_is_what_chains_lose() -> None:
    outside = comparisons = 0
    for name, (network, width, depth) in CASES.items():
        # A factor at which some are lost in every one of them.
        required = Requirement(width, depth, gradient_within=100, chains=512, seed=1)
        found, drawn = loss_law(network, 1.0, required), escapes(network, 1.0, required, normal=False)
        parts = (drawn.outside[-1], drawn.without_gradient, drawn.lost())
        for share, lost in zip(shares(found), parts, strict=True):
            low, high = wilson_interval(int(lost.sum()), lost.size)
            comparisons += 1
            outside += not low <= share[-1] <= high
            error = math.sqrt(max(share[-1] * (1 - share[-1]), 1 / lost.size) / lost.size)
            assert abs(share[-1] - lost.mean()) < 4 * error + BIAS, name
        logs = drawn.log_gains[np.isfinite(drawn.log_gains)]
        assert abs(found.mean[-1] - logs.mean()) < 4 * logs.std() / math.sqrt(logs.size), name
        assert found.sd[-1] == pytest.approx(logs.std(), rel=0.1), name
    # One in twenty by chance.
    assert outside <= 0.1 * comparisons


def tossed(phi: PiecewiseLinear, width: int, depth: int) -> np.ndarray:
    """ln G of a network without biases, whose units slope this way or that by the toss of a coin."""
    random, total = np.random.default_rng(2), np.zeros(50_000)
    for _ in range(depth):
        n = random.binomial(width, 0.5, total.size) if phi is RELU else np.full(total.size, width)
        with np.errstate(divide="ignore"):
            total += np.log(random.chisquare(np.maximum(n, 1e-300)) * (n > 0) * (2 if phi is RELU else 1) / width)
    return total


@pytest.mark.parametrize(("phi", "weight"), [(RELU, math.sqrt(2)), (ABS, 1.0)])
@pytest.mark.parametrize(("width", "depth", "within"), [(6, 4, 10.0), (30, 20, 10.0)])
def test_homogeneous_networks_lose_what_independent_layers_do(
    phi: PiecewiseLinear, weight: float, width: int, depth: int, within: float
) -> None:
    found = loss_law(MeanField(phi, weight), 1.0, Requirement(width, depth, gradient_within=within), neutral=True)
    logs = tossed(phi, width, depth)
    share = np.mean(~(np.abs(logs) <= math.log(within)))
    assert 0.05 < share < 0.95
    # In so few units K and G go along in ways that no covariance tells.
    bias = 0.06 / width
    assert found.gradient[-1] == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / logs.size) + bias)
    assert (found.either == found.gradient).all()
    passing = logs[np.isfinite(logs)]
    assert found.mean[-1] == pytest.approx(passing.mean(), abs=4 * passing.std() / math.sqrt(passing.size))
    assert found.sd[-1] == pytest.approx(passing.std(), rel=0.01)


@pytest.mark.parametrize("start", [None, 0.7])
def test_the_signal_is_that_of_the_law_of_the_variance(start: float | None) -> None:
    network = mf.edge_of_chaos(clipped_relu(1.0364, 1.5)).mean_field
    found = loss_law(network, 1.0, Requirement(50, 12), start)
    for depth in (1, 2, 12):
        assert found.signal[depth - 1] == pytest.approx(
            escape_probability(network, 1.0, Requirement(50, depth), start), abs=1e-4
        )


def test_it_knows_where_a_network_starts() -> None:
    network, required = MeanField(HARD_TANH, 1.5, 0.3), Requirement(50, 6, gradient_within=3, chains=2048, seed=3)
    q_star = float(mf.operating_point_of(network, 1.0).fixed_point.q)
    start = 6 * q_star
    found, drawn = loss_law(network, q_star, required, start), escapes(network, q_star, required, start)
    assert abs(found.mean[-1] - drawn.log_gains.mean()) < 4 * drawn.log_gains.std() / math.sqrt(2048)
    for share, lost in zip(shares(found), (drawn.outside[-1], drawn.without_gradient, drawn.lost()), strict=True):
        assert share[-1] == pytest.approx(lost.mean(), abs=4 * math.sqrt(0.25 / 2048))


@pytest.mark.parametrize("name", ["clipped ReLU", "|x| − 0.5"])
def test_a_layer_on_the_way_is_as_good_as_the_last(name: str) -> None:
    network, width, _ = CASES[name]
    whole = loss_law(network, 1.0, Requirement(width, 40, gradient_within=100))
    part = loss_law(network, 1.0, Requirement(width, 15, gradient_within=100))
    for a, b in zip((*shares(whole), whole.mean, whole.sd), (*shares(part), part.mean, part.sd), strict=True):
        np.testing.assert_allclose(a[:15], b, atol=1e-3)


@pytest.mark.parametrize("name", ["clipped ReLU", "hard tanh", "tanh"])
def test_more_frequencies_and_a_longer_period_change_nothing(name: str) -> None:
    network, width, depth = CASES[name]
    required = Requirement(width, depth, gradient_within=100)
    found = loss_law(network, 1.0, required)
    with patch.multiple(module, _REACH=12.0, _DETAIL=14.0, _MOST=2048):
        finer = loss_law(network, 1.0, required)
    for a, b in zip(shares(found), shares(finer), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


NETWORKS = [
    MeanField(RELU, 2.0),
    MeanField(HARD_TANH, 0.5, 0.1),
    MeanField(PiecewiseLinear([-1, 0.25], [0.5, 0, 2], [1, 0, -0.25]), 1.0, 0.5),
    MeanField(clipped_relu(2.0, 0.1), 4.0, 0.9),
    MeanField(mf.activation("sin(3*x)"), 0.6, 0.8),
]


@pytest.mark.parametrize("network", NETWORKS)
def test_shares_are_shares_whatever_the_network(network: MeanField) -> None:
    required = Requirement(20, 6, gradient_within=10)
    found = loss_law(network, 1.0, required)
    for share in shares(found):
        assert ((share >= 0) & (share <= 1)).all()
    assert (found.either >= np.maximum(found.signal, found.gradient) - 2e-3).all()
    assert (found.either <= found.signal + found.gradient + 2e-3).all()
    stricter = loss_law(network, 1.0, replace(required, gradient_within=3.0))
    assert (stricter.gradient >= found.gradient - 2e-3).all()


def test_a_quantiser_loses_every_gradient() -> None:
    found = loss_law(MeanField(SIGN, 0.9, 0.4359), 1.0, Requirement(30, 5))
    np.testing.assert_allclose(found.gradient, 1, atol=1e-9)
    np.testing.assert_allclose(found.either, 1, atol=1e-9)


def test_it_is_of_gaussian_weights() -> None:
    with pytest.raises(DomainError, match="orthogonal"):
        loss_law(CLIPPED, 1.0, Requirement(30, 5, weights="orthogonal"))


@pytest.mark.parametrize("neutral", [False, True])
@pytest.mark.parametrize("name", ["clipped ReLU, loose", "hard tanh"])
def test_it_ends_with_the_first_depth_that_loses_more_than_is_asked_about(name: str, neutral: bool) -> None:
    network, width, depth = CASES[name]
    required = Requirement(width, depth, within=3, gradient_within=30)
    whole = loss_law(network, 1.0, required, neutral=neutral)
    most = whole.either[depth // 2]
    asked = loss_law(network, 1.0, required, neutral=neutral, most=most)
    told = len(asked.either)
    assert depth // 2 < told - 1 < depth - 1
    assert asked.either[-1] > most >= asked.either[:-1].max()
    for part in (*shares(asked), asked.mean, asked.sd):
        assert part.shape == (told,)
    np.testing.assert_array_equal(shares(asked), [share[:told] for share in shares(whole)])
    np.testing.assert_array_equal([asked.mean, asked.sd], [whole.mean[:told], whole.sd[:told]])
