"""Depth scales on, beside and off the edge of chaos."""

from __future__ import annotations

import math

import pytest
from examples import (
    HARD_TANH,
    SIGN,
    clipped_relu,
    soft_threshold,
    with_edges,
)
from hypothesis import given, reject

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import NoEdgeOfChaos
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.fixed_points import correlation_fixed_points, fixed_points
from meanfield.infinite_width.mean_field import MeanField


@given(with_edges())
def test_on_the_edge_correlations_take_for_ever_and_gradients_keep_their_size(
    case: tuple[PiecewiseLinear, float],
) -> None:
    phi, q = case
    try:
        edge = edge_of_chaos(phi, q)
    except NoEdgeOfChaos:
        reject()
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
