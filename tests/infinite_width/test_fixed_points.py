"""Fixed points of both maps: all of them, where they are and what they do, against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import (
    CONSTANT,
    HARD_TANH,
    IDENTITY,
    LEAKY_RELU,
    RELU,
    STEP,
    VERDICTS,
    activations,
    clipped_relu,
    clipped_soft_threshold,
    odd_activations,
    shifted_relu,
    soft_threshold,
    variances,
)
from hypothesis import assume, given, settings, strategies as st
from numpy.polynomial import Polynomial

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.fixed_points import FixedPoint, basin, correlation_fixed_points, fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.roots import find_roots

#: Numbers that no activation here is tuned to, so that no map is the identity by chance.
sigmas = st.integers(1, 400).map(lambda n: n / 127)


def test_clipped_relu_with_a_wide_clip_has_three_fixed_points() -> None:
    points = fixed_points(MeanField(clipped_relu(1.0364, 2.0), 2.592286, 0.737097))
    assert [p.q for p in points] == pytest.approx([1.0, 1.235, 3.476], rel=1e-3)
    assert [p.kind for p in points] == ["stable", "unstable", "stable"]


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("q_star", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("family", [shifted_relu, soft_threshold])
def test_unclipped_edges_of_chaos_are_tangencies_that_attract_from_below(family, tau: float, q_star: float) -> None:
    phi = family(tau)
    (point,) = fixed_points(edge_of_chaos(phi, q_star).mean_field)
    # A double root is found to half the digits, and V(q) − q is zero to all of them there.
    assert point.q == pytest.approx(q_star, rel=1e-6)
    assert point.kind == "half-stable (from below)"
    assert point.slope == pytest.approx(1.0, abs=1e-6)
    assert point.curvature > 0


def test_a_little_more_bias_than_on_the_edge_leaves_no_fixed_point() -> None:
    edge = edge_of_chaos(soft_threshold(0.5))
    assert len(fixed_points(MeanField(edge.activation, edge.sigma_w, edge.sigma_b * (1 + 1e-9)))) == 0


def test_a_little_less_bias_than_on_the_edge_leaves_one_that_attracts_and_one_that_repels() -> None:
    edge = edge_of_chaos(soft_threshold(0.5))
    below, above = fixed_points(MeanField(edge.activation, edge.sigma_w, edge.sigma_b * (1 - 1e-9)))
    assert below.q < 1 < above.q
    assert (below.kind, above.kind) == ("stable", "unstable")


@pytest.mark.parametrize(("phi", "sigma_w"), [(RELU, math.sqrt(2)), (LEAKY_RELU, math.sqrt(32 / 17)), (IDENTITY, 1.0)])
def test_homogeneous_activations_on_the_edge_fix_every_variance(phi: PiecewiseLinear, sigma_w: float) -> None:
    (point,) = fixed_points(MeanField(phi, sigma_w))
    assert (point.q, point.until, point.kind) == (0.0, math.inf, "neutral")


def test_homogeneous_activations_off_the_edge_fix_zero_alone() -> None:
    (dying,) = fixed_points(MeanField(RELU, 1.4))
    (growing,) = fixed_points(MeanField(RELU, 1.5))
    assert (dying.q, dying.kind) == (0.0, "stable")
    assert (growing.q, growing.kind) == (0.0, "unstable")


def test_relu_with_biases_settles_at_sigma_b_squared_over_one_minus_half_sigma_w_squared() -> None:
    (point,) = fixed_points(MeanField(RELU, 1.25, 0.5))
    assert point.q == pytest.approx(0.25 / (1 - 1.25**2 / 2), rel=1e-14)
    assert point.kind == "stable"


def test_relu_with_biases_and_too_large_weights_has_no_fixed_point() -> None:
    assert len(fixed_points(MeanField(RELU, 1.5, 0.5))) == 0
    assert len(fixed_points(MeanField(IDENTITY, 1.0, 0.5))) == 0


def test_hard_tanh_with_unit_weights_dies_out_slowly() -> None:
    (point,) = fixed_points(MeanField(HARD_TANH, 1.0))
    assert (point.q, point.slope, point.kind) == (0.0, 1.0, "stable")


def test_hard_tanh_with_larger_weights_leaves_zero_for_one_fixed_point() -> None:
    zero, saturated = fixed_points(MeanField(HARD_TANH, 1.5))
    assert (zero.q, zero.kind, saturated.kind) == (0.0, "unstable", "stable")


@pytest.mark.parametrize(("phi", "q"), [(STEP, 2.0), (CONSTANT, 1.0)])
def test_a_constant_variance_map_has_the_one_fixed_point_of_its_value(phi: PiecewiseLinear, q: float) -> None:
    (point,) = fixed_points(MeanField(phi, 2.0))
    assert (point.q, point.slope, point.kind) == (pytest.approx(q, rel=1e-15), 0.0, "stable")


def test_fixed_points_scale_with_the_square_of_the_activations_unit() -> None:
    c, narrow, wide = (
        1e-70,
        clipped_relu(0.5, 0.125),
        PiecewiseLinear([0.5e-70, 0.625e-70], [0, 1, 0], [0, -0.5e-70, 0.125e-70]),
    )
    unit, tiny = fixed_points(MeanField(narrow, 6.0, 0.1)), fixed_points(MeanField(wide, 6.0, 0.1 * c))
    assert [p.q / c**2 for p in tiny] == pytest.approx([p.q for p in unit], rel=1e-10)
    assert [p.kind for p in tiny] == [p.kind for p in unit]


@given(activations(), sigmas, st.just(0.0) | sigmas)
def test_each_fixed_point_is_one_to_the_last_digits(phi: PiecewiseLinear, sigma_w: float, sigma_b: float) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    for point in fixed_points(network):
        assert abs(network.V(point.q) - point.q) <= 1e-12 * point.q
        assert point.slope == network.dV(point.q)
        assert point.curvature == network.d2V(point.q)


SCAN = np.exp(np.linspace(math.log(1e-7), math.log(1e7), 6001))


@given(activations(), sigmas, st.just(0.0) | sigmas)
def test_between_two_neighbours_of_a_dense_scan_a_sign_change_means_a_fixed_point(
    phi: PiecewiseLinear, sigma_w: float, sigma_b: float
) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    growth = network.V(SCAN) - SCAN
    clear = np.abs(growth) > 1e-13 * SCAN
    q, sign = SCAN[clear], np.sign(growth[clear])
    crossings = [p.q for p in fixed_points(network) if not p.kind.startswith(("half", "neutral")) and p.q > 0]
    found = np.histogram(crossings, bins=q)[0] if len(q) > 1 else np.zeros(0)
    assert (found % 2 == (sign[:-1] != sign[1:])).all()


def distance_after(network: MeanField, point: FixedPoint, start: float, layers: int) -> float:
    q = start
    for _ in range(layers):
        q = network.V(min(q, 1e200))
    return abs(q - point.q)


@given(activations(), sigmas, st.just(0.0) | sigmas)
def test_kinds_say_what_iterating_the_map_does(phi: PiecewiseLinear, sigma_w: float, sigma_b: float) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    points = fixed_points(network)
    for point in points:
        if point.kind == "neutral" or abs(abs(point.slope) - 1) < 1e-3 or not math.isfinite(point.curvature):
            continue
        neighbours = [abs(other.q - point.q) for other in points if other is not point]
        # Near enough for the slope to speak: the curvature changes V' by less than a quarter of |V'| − 1.
        room = abs(abs(point.slope) - 1) / (4 * abs(point.curvature) + 1e-9)
        step = min([1e-5 * (point.q or 1.0), room, *(n / 4 for n in neighbours)])
        for side in (-1, 1) if point.q else (1,):
            moved = distance_after(network, point, point.q + side * step, 3)
            if point.kind == "stable":
                assert moved < step * (1 - 1e-4)
            elif point.kind == "unstable":
                assert moved > step * (1 + 1e-4)


@settings(max_examples=25)
@given(odd_activations(jumps=False), variances(), st.integers(1, 3))
def test_odd_activations_without_biases_fix_zero_and_both_ends(phi: PiecewiseLinear, q: float, sigma_w: int) -> None:
    points = correlation_fixed_points(MeanField(phi, float(sigma_w)), q)
    assert (points[0].rho, points[-1].until) == (-1.0, 1.0)
    # A signal that next to never meets a knot sees a linear φ, which keeps every ρ but for rounding.
    if abs(points[-1].slope - 1) > 1e-11:
        assert min(abs(p.rho) for p in points) < 1e-12


def test_minus_one_stays_a_fixed_point_of_a_nearly_linear_odd_activation() -> None:
    # Four standard deviations fit between the kinks: R(ρ) − ρ is small everywhere, but −1, 0 and 1 alone are fixed.
    network = MeanField(HARD_TANH, 1.0)
    for q in (1 / 4, 1 / 9, 1 / 16):
        points = correlation_fixed_points(network, q)
        assert [p.rho for p in points] == pytest.approx([-1.0, 0.0, 1.0], abs=1e-9)
        assert [p.kind for p in points] == ["unstable", "stable", "unstable"]


def test_chaos_repels_at_the_ends_and_attracts_at_zero() -> None:
    # Hard tanh with large weights: χ₁q/V > 1 at its fixed point.
    network = MeanField(HARD_TANH, 3.0)
    q = fixed_points(network)[-1].q
    assert network.chi1(q) > 1
    points = correlation_fixed_points(network, q)
    assert [p.rho for p in points] == pytest.approx([-1.0, 0.0, 1.0], abs=1e-13)
    assert [p.kind for p in points] == ["unstable", "stable", "unstable"]


@pytest.mark.parametrize(("excess", "order"), [(1e-2, 1e-2), (1e-4, 1e-4), (1e-6, 1e-6)])
def test_just_inside_the_chaotic_phase_a_stable_correlation_lies_close_to_one(excess: float, order: float) -> None:
    phi, q = clipped_relu(1.0, 1.0), 1.0
    edge = edge_of_chaos(phi, q)
    # χ₁ = 1 + δ with q kept by a smaller bias: 1 − ρ* = (δ/κ)² to leading order.
    sigma_w = edge.sigma_w * math.sqrt(1 + excess)
    sigma_b = math.sqrt(q - MeanField(phi, sigma_w).V(q))
    network = MeanField(phi, sigma_w, sigma_b)
    *_, near, one = correlation_fixed_points(network, q)
    assert (near.kind, one.kind, one.rho) == ("stable", "unstable", 1.0)
    assert 1 - near.rho == pytest.approx((excess / network.kappa(q)) ** 2, rel=10 * order + 2e-16 / excess**2)
    assert network.one_minus_R(1 - near.rho, q) == pytest.approx(1 - near.rho, rel=1e-8 + 2e-16 / excess**2)


def test_the_ordered_phase_attracts_at_one() -> None:
    network = MeanField(RELU, 1.0, 0.5)
    (point,) = correlation_fixed_points(network, fixed_points(network)[0].q)
    assert (point.rho, point.kind) == (1.0, "stable")


@settings(max_examples=15)
@given(activations(), variances(), sigmas, st.just(0.0) | sigmas)
def test_one_is_always_a_fixed_correlation_and_the_others_are_fixed_too(
    phi: PiecewiseLinear, q: float, sigma_w: float, sigma_b: float
) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    assume(network.V(q))
    points = correlation_fixed_points(network, q)
    assert points[-1].until == 1.0
    for point in points:
        assert network.R(point.rho, q) == pytest.approx(point.rho, abs=2e-12)


@settings(max_examples=25)
@given(activations(), variances(), sigmas, st.just(0.0) | sigmas)
def test_no_sign_change_of_R_less_rho_is_missed(phi: PiecewiseLinear, q: float, sigma_w: float, sigma_b: float) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    rho = np.linspace(-1, 1, 3002)[1:-1]
    growth = network.R(rho, q) - rho
    clear = np.abs(growth) > 1e-12
    rho, sign = rho[clear], np.sign(growth[clear])
    points = correlation_fixed_points(network, q)
    crossings = [p.rho for p in points if not p.kind.startswith(("half", "neutral")) and abs(p.rho) < 1]
    found = np.histogram(crossings, bins=rho)[0] if len(rho) > 1 else np.zeros(0)
    assert (found % 2 == (sign[:-1] != sign[1:])).all()


def roots_of(polynomial: Polynomial, low: float = -10.0, high: float = 10.0) -> list:
    levels = [polynomial.deriv(n) if n else polynomial for n in range(3)]
    size = Polynomial(np.abs(polynomial.coef))
    return find_roots(levels, np.linspace(low, high, 100), lambda x: size(np.abs(x)))


def test_simple_roots_are_found_to_the_last_bits() -> None:
    roots = roots_of(Polynomial.fromroots([-3.3, 0.1, 7.0]))
    assert [r.x for r in roots] == pytest.approx([-3.3, 0.1, 7.0], rel=1e-13)
    assert [(r.before, r.after) for r in roots] == [(-1, 1), (1, -1), (-1, 1)]


def test_a_double_root_is_found_once_without_a_change_of_sign() -> None:
    touch, cross = roots_of(Polynomial.fromroots([1.3, 1.3, 4.0]))
    assert touch.x == pytest.approx(1.3, rel=1e-7)
    assert (touch.before, touch.after, touch.until) == (-1, -1, touch.x)
    assert cross.x == pytest.approx(4.0, rel=1e-13)


def test_a_triple_root_is_found_once_with_a_change_of_sign() -> None:
    (root,) = roots_of(Polynomial.fromroots([0.7, 0.7, 0.7]))
    # Zero to rounding means within the cube root of rounding.
    assert root.x == pytest.approx(0.7, abs=3e-5)
    assert (root.before, root.after) == (-1, 1)


def test_two_roots_closer_than_the_grid_are_told_apart() -> None:
    roots = roots_of(Polynomial.fromroots([2.0, 2.0001]))
    assert [r.x for r in roots] == pytest.approx([2.0, 2.0001], rel=1e-9)


def test_a_function_without_roots_has_none() -> None:
    assert roots_of(Polynomial([1.0, 0.0, 1.0])) == []
    assert roots_of(Polynomial([1e-9, 0.0, 1.0])) == []


def test_a_root_at_an_end_of_the_domain_knows_one_side_only() -> None:
    first, last = roots_of(Polynomial.fromroots([-10.0, 10.0]))
    assert (first.x, first.before, first.after) == (-10.0, 0, -1)
    assert (last.x, last.before, last.after) == (10.0, -1, 0)


def test_a_function_that_vanishes_everywhere_is_one_root_with_an_extent() -> None:
    (root,) = find_roots([np.zeros_like, np.zeros_like], np.linspace(0, 5, 11), np.ones_like)
    assert (root.x, root.until, root.before, root.after) == (0.0, 5.0, 0, 0)


def test_fixed_points_of_two_sided_clips_come_in_odd_number_where_biases_push_from_zero() -> None:
    for sigma_b in (0.05, 0.2, 0.5, 1.0):
        kinds = [p.kind for p in fixed_points(MeanField(clipped_soft_threshold(1.0, 1.5), 2.4, sigma_b))]
        assert kinds[::2] == ["stable"] * (len(kinds) // 2 + 1)
        assert kinds[1::2] == ["unstable"] * (len(kinds) // 2)


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
    points = fixed_points(edge_of_chaos(VERDICTS["fragile"]).mean_field)
    assert basin(points, points[1]) == (points[1].q, points[1].q)
    assert basin(points, points[2]) == (points[1].q, math.inf)
