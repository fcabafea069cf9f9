"""The edge as a curve, and the grid of phases, against the solvers for one network."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import (
    CONSTANT,
    HARD_TANH,
    RELU,
    STEP,
    activations,
    clipped_relu,
    clipped_soft_threshold,
    hard_threshold,
    shifted_relu,
    soft_threshold,
)
from hypothesis import given, settings, strategies as st

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.spec import activation
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.edge import edge_curve, edge_of_chaos
from meanfield.infinite_width.fixed_points import correlation_fixed_points, fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.phase_diagram import PhaseDiagram, phase_diagram
from meanfield.infinite_width.stability import diagnose, phase

PHIS = [
    HARD_TANH,
    RELU,
    clipped_relu(1.0364, 2.0),
    shifted_relu(1.0),
    soft_threshold(0.5),
    clipped_soft_threshold(1.0, 1.0),
    hard_threshold(1.0),
    STEP,
]


@pytest.mark.parametrize("phi", [HARD_TANH, RELU, clipped_relu(1.0, 1.0), soft_threshold(0.5)])
def test_the_curve_is_made_of_edges(phi: PiecewiseLinear) -> None:
    q_star = [0.1, 0.5, 1.0, 3.0, 20.0]
    curve = edge_curve(phi, q_star)
    for i, q in enumerate(q_star):
        edge = edge_of_chaos(phi, q)
        for name in ("sigma_w", "sigma_b", "sparsity", "V_prime", "V_double_prime"):
            assert getattr(curve, name)[i] == pytest.approx(getattr(edge, name), rel=1e-13, abs=1e-14)


def test_the_curve_has_gaps_where_there_is_no_edge() -> None:
    phi = PiecewiseLinear([0], [0, 1], [1, 1])  # 1 + ReLU: too far from 0 for small q
    curve = edge_curve(phi, [0.1, 1.0, 100.0])
    for i, q in enumerate([0.1, 1.0, 100.0]):
        if math.isnan(curve.sigma_w[i]):
            with pytest.raises(NoEdgeOfChaos):
                edge_of_chaos(phi, q)
    assert np.isnan(curve.sigma_b[0])
    with pytest.raises(NoEdgeOfChaos):
        edge_curve(STEP, [1.0])
    with pytest.raises(NoEdgeOfChaos):
        edge_curve(CONSTANT, [1.0])
    with pytest.raises(DomainError):
        edge_curve(RELU, [1.0, 0.0])


def settles(network: MeanField, start: float) -> float:
    """Where V moves a variance, by iterating it."""
    q = start
    for _ in range(200_000):
        after = float(network.V(q))
        if after > 1e30:
            return math.inf
        if abs(after - q) <= 1e-15 * q or after < 1e-30:
            return after if after >= 1e-30 else 0.0
        q = after
    return q


def agrees(found: PhaseDiagram, phi: PiecewiseLinear, i: int, j: int) -> None:
    network = MeanField(phi, float(found.sigma_w[j]), float(found.sigma_b[i]))
    points, q = fixed_points(network), float(found.q_star[i, j])
    assert found.fixed_points[i, j] == len(points)
    if q == math.inf:
        assert not any(p.q > 1.0 for p in points)
        assert math.isnan(found.rho_star[i, j])
        return
    assert any(p.q * (1 - 1e-12) <= q <= p.until * (1 + 1e-12) for p in points)
    assert found.phase[i, j] == phase(network, q)
    if phi.is_continuous:
        assert found.chi_1[i, j] == pytest.approx(float(network.chi1(q)), rel=1e-9)
    if q:
        assert network.V(q) == pytest.approx(q, rel=1e-12)
        attracting = ("stable", "half", "neutral")
        (stable,) = (p for p in correlation_fixed_points(network, q) if p.kind.startswith(attracting))
        assert found.rho_star[i, j] == pytest.approx(stable.rho, abs=1e-7)


@pytest.mark.parametrize("phi", PHIS)
def test_every_cell_is_what_the_solvers_for_one_network_say(phi: PiecewiseLinear) -> None:
    found = phase_diagram(phi, np.linspace(0.55, 3.1, 6), [0.0, 0.2, 0.71, 1.5])
    for i in range(4):
        for j in range(6):
            agrees(found, phi, i, j)


@pytest.mark.parametrize("phi", [HARD_TANH, clipped_relu(1.0364, 2.0), soft_threshold(0.5)])
@pytest.mark.parametrize("start", [0.05, 1.0, 30.0])
def test_a_network_is_judged_where_its_signal_settles(phi: PiecewiseLinear, start: float) -> None:
    found = phase_diagram(phi, [0.9, 1.7, 2.6, 3.4], [0.0, 0.3, 0.73], start)
    for i in range(3):
        for j in range(4):
            network = MeanField(phi, float(found.sigma_w[j]), float(found.sigma_b[i]))
            assert found.q_star[i, j] == pytest.approx(settles(network, start), rel=1e-6, abs=1e-20)


@settings(max_examples=20)
@given(activations(), st.integers(20, 400).map(lambda n: n / 127), st.integers(0, 300).map(lambda n: n / 127))
def test_any_network_is_found_in_its_cell(phi: PiecewiseLinear, sigma_w: float, sigma_b: float) -> None:
    found = phase_diagram(phi, [sigma_w], [sigma_b])
    assert found.fixed_points[0, 0] == len(fixed_points(MeanField(phi, sigma_w, sigma_b)))


def test_networks_on_the_edge_and_with_every_q_fixed_are_told_from_their_neighbours() -> None:
    edge = edge_of_chaos(shifted_relu(1.0))
    found = phase_diagram(shifted_relu(1.0), [edge.sigma_w], [edge.sigma_b * (1 - 1e-6), edge.sigma_b, 1.0])
    assert found.fixed_points[:, 0].tolist() == [2, 1, 0]
    relu = phase_diagram(RELU, [math.sqrt(2)], [0.0, 0.1], start=3.0)
    assert relu.q_star[:, 0].tolist() == [3.0, math.inf]
    assert relu.phase[0, 0] == "edge of chaos"


def test_an_odd_activation_without_biases_forgets_all_correlation() -> None:
    found = phase_diagram(HARD_TANH, [1.5, 2.5], [0.0])
    assert found.rho_star.tolist() == [[0.0, 0.0]]


def test_an_edge_typed_with_ten_digits_keeps_correlations_near_one() -> None:
    edge = edge_of_chaos(HARD_TANH, 2.0)
    found = phase_diagram(HARD_TANH, [float(f"{edge.sigma_w:.10g}")], [float(f"{edge.sigma_b:.10g}")])
    assert found.rho_star[0, 0] > 1 - 1e-15
    assert found.xi_c[0, 0] > 1e8


def test_a_jump_out_of_reach_leaves_correlations_at_one() -> None:
    found = phase_diagram(hard_threshold(1.0), [0.5], [0.12])
    assert found.rho_star[0, 0] == 1
    assert 0 <= found.xi_c[0, 0] < 0.1


def test_signals_too_faint_and_too_strong_for_the_scan_are_judged_all_the_same() -> None:
    assert 0 < phase_diagram(HARD_TANH, [0.5], [1e-155]).q_star[0, 0] < 1e-300
    assert phase_diagram(RELU, [100.0], [0.1], start=1e308).q_star[0, 0] == math.inf
    bend = PiecewiseLinear([0, 2], [-1.5, 1.5, 1], [-1.3, -1.3, -0.3])
    assert phase_diagram(bend, [3.1], [0.1]).fixed_points[0, 0] == len(fixed_points(MeanField(bend, 3.1, 0.1)))


def test_diagrams_of_nothing_or_of_too_much_are_refused() -> None:
    with pytest.raises(DomainError):
        phase_diagram(RELU, [], [])
    with pytest.raises(DomainError, match="give from 1 to 1000000"):
        phase_diagram(RELU, np.ones(2000), np.ones(2000))


def test_scales_that_make_no_sense_are_refused() -> None:
    for sigma_w, sigma_b, start in (([0.0], [1.0], 1.0), ([1.0], [-1.0], 1.0), ([1.0], [1.0], 0.0)):
        with pytest.raises(DomainError):
            phase_diagram(RELU, sigma_w, sigma_b, start)


@pytest.mark.parametrize(
    ("text", "kept", "lost"),
    # relu2: V(q) = 3σ_w²q²/2 has the repelling fixed point 2/(3σ_w²); half a sine: V(q) → 3σ_w²q/4
    [("relu2", 0.5, 1.0), ("where(x > 0, x, sin(x))", 0.9, 1.9)],
)
def test_signals_that_leave_all_variances_that_can_be_averaged_grow(text: str, kept: float, lost: float) -> None:
    phi = activation(text)
    plane = phase_diagram(phi, [kept, lost], [0.0])
    assert plane.q_star.ravel().tolist() == pytest.approx([0, math.inf], abs=1e-9)
    assert "grows without bound" in diagnose(MeanField(phi, lost)).verdict.explanation
