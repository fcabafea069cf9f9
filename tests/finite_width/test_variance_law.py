"""The escape probability from the law of K' alone, against exact chains and what must hold whatever the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import CONSTANT, HARD_TANH, RELU, SIGN, STEP, clipped_relu, clipped_soft_threshold, shifted_relu
from hypothesis import given, settings, strategies as st

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.finite_width import variance_law as escape_law
from meanfield.finite_width.escape import Requirement, escapes
from meanfield.finite_width.variance_law import escape_probability
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField

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
#: Allowed beyond the sampling error. With 32768 chains none was found at widths from 30 that is larger than that of
#: those: 0.0015 to 0.005, docs/theory.md, section 12.
BIAS = 0.002


def on_edge(phi: PiecewiseLinear) -> MeanField:
    return edge_of_chaos(phi).mean_field


def assert_close(probability: float, share: float, chains: int) -> None:
    """Within 4 standard errors of a share of so many chains, and the bias."""
    error = math.sqrt(max(probability * (1 - probability), 1 / chains) / chains)
    assert abs(probability - share) < 4 * error + BIAS


#: The narrower, the cheaper and the harder for the law.
CASES = [
    *((name, 30, 3072) for name in ACTIVATIONS),
    *((name, 100, 768) for name in ACTIVATIONS),
    *((name, 300, 512) for name in ("clipped at 2", "random walk", "runaway")),
    ("clipped at 2", 1000, 256),
]


@pytest.mark.parametrize(("name", "width", "chains"), CASES)
def test_it_is_the_share_of_random_networks_that_escape_at_every_depth(name: str, width: int, chains: int) -> None:
    network = on_edge(ACTIVATIONS[name])
    shares = escapes(network, 1.0, Requirement(width, 100, chains=chains), normal=False).shares
    for depth in (2, 30, 100):
        assert_close(escape_probability(network, 1.0, Requirement(width, depth)), shares[depth], chains)


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
    # Many starts share a cell: rounded to it, most steps would be 0 and one large.
    assert (steps > 0).all()
    assert steps.max() < 1.1 * steps.min()


@pytest.mark.parametrize("name", ["clipped at 2", "random walk", "runaway"])
@pytest.mark.parametrize("width", [100, 1000])
def test_halving_the_cells_changes_next_to_nothing(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, required = on_edge(ACTIVATIONS[name]), Requirement(width, 100)
    whole = escape_probability(network, 1.0, required)
    monkeypatch.setattr(escape_law, "_SHARE", escape_law._SHARE / 2)
    monkeypatch.setattr(escape_law, "_WIDEST", escape_law._WIDEST / 2)
    assert escape_probability(network, 1.0, required) == pytest.approx(whole, abs=5e-4)


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


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([*ACTIVATIONS.values(), STEP, CONSTANT, shifted_relu(30.0), clipped_relu(6.0, 0.25)]),
    st.sampled_from([1e-6, 0.3, 1.0, 2.0, 1e6]),
    st.sampled_from([0.0, 1e-6, 1.0]),
    st.sampled_from([1, 3, 10**4, 10**12]),
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
