"""Gaussian expectations in one variable, against brute-force values, 60-digit closed forms and identities."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import definitions
import numpy as np
import pytest
from examples import (
    ABS,
    CONSTANT,
    IDENTITY,
    LEAKY_RELU,
    REFERENCE,
    RELU,
    SIGN,
    STEP,
    activation_of,
    activations,
    clipped_relu,
    clipped_soft_threshold,
    hard_threshold,
    label,
    shifted_relu,
    soft_threshold,
    variances,
)
from hypothesis import assume, given, strategies as st
from mpmath import mp, mpf

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.infinite_width import moments

EVERY_MOMENT = [
    moments.mean,
    moments.second_moment,
    moments.fourth_moment,
    moments.mirrored_moment,
    moments.second_moment_d1,
    moments.second_moment_d2,
    moments.slope_square_d1,
    moments.curvature_term,
    moments.bend,
    moments.sparsity,
]
by_name = pytest.mark.parametrize("moment", EVERY_MOMENT, ids=lambda f: f.__name__)
by_entry = pytest.mark.parametrize("entry", REFERENCE, ids=label)


def error(computed: float, exact: mpf, scale: mpf | None = None) -> float:
    """The error of `computed`, relative to `scale`, or to the exact value where that is larger."""
    difference, size = abs(mpf(computed) - exact), max(abs(exact), scale or mpf(0))
    return float(difference / size) if difference else 0.0


def bar(phi: PiecewiseLinear, q: float) -> float:
    """The bar of relative errors: 1e-13 with every knot within six standard deviations, else 1e-12."""
    return 1e-13 if max(map(abs, phi.knots), default=0) <= 6 * q**0.5 else 1e-12


@by_entry
def test_powers_agree_with_quadrature_of_the_definition(entry: dict) -> None:
    phi, q = activation_of(entry), entry["q"]
    assert error(moments.second_moment(phi, q), mpf(entry["second_moment"])) <= 1e-13
    assert error(moments.fourth_moment(phi, q), mpf(entry["fourth_moment"])) <= 1e-13
    with mp.workdps(40):
        assert error(moments.sixth_moment(phi, q), definitions.power_moment(phi, q, 6)) <= 1e-13


@by_entry
def test_derivatives_agree_with_quadrature_of_the_definition(entry: dict) -> None:
    phi, q = activation_of(entry), entry["q"]
    size = mpf(entry["second_moment"]) / mpf(q)
    assert error(moments.second_moment_d1(phi, q), mpf(entry["second_moment_d1"]), size) <= 1e-13
    assert error(moments.second_moment_d2(phi, q), mpf(entry["second_moment_d2"]), size / mpf(q)) <= 1e-13


@by_entry
def test_probabilities_agree_with_quadrature_of_the_definition(entry: dict) -> None:
    phi, q = activation_of(entry), entry["q"]
    assert error(moments.sparsity(phi, q), mpf(entry["sparsity"])) <= 1e-13
    for name, n in (("slope_second_moment", 2), ("slope_fourth_moment", 4)):
        if name in entry:
            assert error(moments.slope_moment(phi, q, n), mpf(entry[name])) <= 1e-13


TAILS = {"unclipped": None, "m=1": 1.0, "m=1e-3": 1e-3, "m=1e-6": 1e-6}


@pytest.mark.parametrize(("h", "q"), [(6.0, 0.04), (6.0, 1.0), (10.0, 1.0), (20.0, 25.0), (30.0, 0.04), (30.0, 1.0)])
@pytest.mark.parametrize("m", TAILS.values(), ids=TAILS)
@pytest.mark.parametrize("sides", [1, 2])
def test_accuracy_does_not_depend_on_how_rare_or_narrow_the_active_region_is(
    sides: int, m: float | None, h: float, q: float
) -> None:
    tau = h * q**0.5
    if m is None:
        phi = shifted_relu(tau) if sides == 1 else soft_threshold(tau)
    else:
        phi = (clipped_relu if sides == 1 else clipped_soft_threshold)(tau, m * q**0.5)
    rare = 1e-13 if h == 6 else 1e-12
    with mp.workdps(60):
        square = definitions.power_moment(phi, q, 2)
        d1, d2 = (definitions.second_moment_derivative(phi, q, n) for n in (1, 2))
        assert error(moments.second_moment(phi, q), square) <= rare
        assert error(moments.fourth_moment(phi, q), definitions.power_moment(phi, q, 4)) <= rare
        assert error(moments.second_moment_d1(phi, q), d1, square / q) <= rare
        assert error(moments.second_moment_d2(phi, q), d2, square / q**2) <= rare
        assert error(moments.slope_moment(phi, q, 2), definitions.slope_moment(phi, q, 2)) <= rare


@given(activations(), variances())
def test_moments_of_any_activation_agree_with_sixty_digits(phi: PiecewiseLinear, q: float) -> None:
    with mp.workdps(60):
        square = definitions.power_moment(phi, q, 2)
        assert error(moments.second_moment(phi, q), square) <= bar(phi, q)
        assert error(moments.fourth_moment(phi, q), definitions.power_moment(phi, q, 4)) <= bar(phi, q)
        assert error(moments.sparsity(phi, q), definitions.probability_of_zero(phi, q)) <= bar(phi, q)
        assert error(moments.slope_moment(phi, q, 2), definitions.slope_moment(phi, q, 2)) <= bar(phi, q)
        assert error(moments.mean(phi, q), definitions.power_moment(phi, q, 1), mp.sqrt(square)) <= bar(phi, q)


@given(activations(), variances())
def test_derivatives_of_any_activation_are_those_of_its_second_moment(phi: PiecewiseLinear, q: float) -> None:
    with mp.workdps(30):
        square = definitions.power_moment(phi, q, 2)
        d1, d2 = (definitions.second_moment_derivative(phi, q, n) for n in (1, 2))
        assert error(moments.second_moment_d1(phi, q), d1, square / q) <= bar(phi, q)
        assert error(moments.second_moment_d2(phi, q), d2, square / q**2) <= bar(phi, q)


@given(activations(), variances())
def test_slope_square_d1_is_the_derivative_of_the_slopes_second_moment(phi: PiecewiseLinear, q: float) -> None:
    with mp.workdps(30):
        exact = mp.diff(lambda x: definitions.slope_moment(phi, x, 2), mpf(q))
        # A relative error of 1e-12 in each knot's own term: terms of opposite sign may cancel.
        size = definitions.slope_moment(phi, q, 2) / q + mpf(max(phi.slopes, key=abs) ** 2) / q
        assert error(moments.slope_square_d1(phi, q), exact, size) <= 1e-13


def test_moments_weighted_by_the_slope_are_integrals_over_the_pieces() -> None:
    phi, q = PiecewiseLinear([-1, 0.5], [-0.5, 2, 0.25], [0, 1, 1.875]), 1.7
    nodes, weights = np.polynomial.legendre.leggauss(60)
    square = product = 0.0
    for low, high in pairwise([-14.0, -1.0, 0.5, 14.0]):
        x = (low + high) / 2 + (high - low) / 2 * nodes
        share = (high - low) / 2 * weights * np.exp(-(x**2) / (2 * q)) / np.sqrt(2 * np.pi * q)
        y, slope = phi(x), phi.slopes_at(phi.marks(x))
        square, product = square + share @ (y * slope) ** 2, product + share @ (x * y * slope)
    assert moments.slope_weighted_square(phi, q) == pytest.approx(square, rel=1e-13)
    assert moments.slope_weighted_product(phi, q) == pytest.approx(product, rel=1e-13)


@given(activations(jumps=False), variances())
def test_kink_term_is_how_far_the_slope_of_V_is_from_the_gain(phi: PiecewiseLinear, q: float) -> None:
    with mp.workdps(30):
        exact = definitions.second_moment_derivative(phi, q, 1) - definitions.slope_moment(phi, q, 2)
        size = definitions.power_moment(phi, q, 2) / q + definitions.slope_moment(phi, q, 2)
        assert error(moments.curvature_term(phi, q), exact, size) <= 1e-13


@pytest.mark.parametrize("tau", [0.0, 0.1, 0.5, 1 / 3, 2.7, 10.0])
@pytest.mark.parametrize("family", [shifted_relu, soft_threshold])
def test_kink_term_is_exactly_zero_where_every_kink_lies_on_a_zero(
    family: Callable[[float], PiecewiseLinear], tau: float
) -> None:
    if tau or family is shifted_relu:
        assert moments.curvature_term(family(tau), 1.3) == 0.0


def scaled(phi: PiecewiseLinear, c: float) -> PiecewiseLinear:
    """φ_c(x) = c φ(x/c)."""
    return PiecewiseLinear([c * t for t in phi.knots], phi.slopes, [c * y for y in phi.intercepts])


@given(activations(), variances(), st.sampled_from([2.0**-40, 0.25, 3.0, 5.0, 0.375, 2.0**20]))
def test_scaling_phi_by_c_and_q_by_c_squared_is_a_change_of_units(phi: PiecewiseLinear, q: float, c: float) -> None:
    phi_c, q_c, square = scaled(phi, c), c * c * q, moments.second_moment(phi, q)
    assert moments.second_moment(phi_c, q_c) / c**2 == pytest.approx(square, rel=1e-13)
    assert moments.fourth_moment(phi_c, q_c) / c**4 == pytest.approx(moments.fourth_moment(phi, q), rel=1e-13)
    size = 1e-13 * square / q
    assert moments.second_moment_d1(phi_c, q_c) == pytest.approx(moments.second_moment_d1(phi, q), rel=1e-13, abs=size)
    invariant, curvature = q_c * moments.second_moment_d2(phi_c, q_c), q * moments.second_moment_d2(phi, q)
    assert invariant == pytest.approx(curvature, rel=1e-13, abs=size)
    assert moments.sparsity(phi_c, q_c) == pytest.approx(moments.sparsity(phi, q), rel=1e-13)
    assert moments.bend(phi_c, q_c) == pytest.approx(moments.bend(phi, q), rel=1e-13)


@given(activations(), variances())
def test_a_mirrored_activation_has_the_same_variance_map(phi: PiecewiseLinear, q: float) -> None:
    mirrored = PiecewiseLinear([-t for t in phi.knots[::-1]], [-a for a in phi.slopes[::-1]], phi.intercepts[::-1])
    for moment in (moments.second_moment, moments.fourth_moment, moments.sparsity, moments.mirrored_moment):
        assert moment(mirrored, q) == pytest.approx(moment(phi, q), rel=1e-14)


@given(activations(), variances())
def test_mirrored_moment_is_the_even_part_squared_less_the_odd_part_squared(phi: PiecewiseLinear, q: float) -> None:
    with mp.workdps(40):
        edges = sorted({mpf(s * t) / mp.sqrt(mpf(q)) for t in phi.knots for s in (-1, 1)})
        ends = [-mp.inf, *edges, mp.inf]
        total = mpf(0)
        for low, high in pairwise(ends):
            inside = (
                low + 1 if mp.isinf(high) and not mp.isinf(low) else high - 1 if mp.isinf(low) else (low + high) / 2
            )
            inside = mpf(0) if mp.isinf(inside) else inside
            a, c = next((a, c) for left, right, a, c in definitions.pieces(phi, q) if left <= inside <= right)
            b, d = next((a, c) for left, right, a, c in definitions.pieces(phi, q) if left <= -inside <= right)
            zeroth, first, second = definitions.normal_moments(low, high, 2)
            total += c * d * zeroth + (a * d - b * c) * first - a * b * second
        size = definitions.power_moment(phi, q, 2)
        assert error(moments.mirrored_moment(phi, q), total, size) <= bar(phi, q)


@pytest.mark.parametrize("q", [1e-300, 0.3, 1.0, 7.7, 1e290])
def test_homogeneous_activations_are_exact(q: float) -> None:
    for phi, factor in ((RELU, 0.5), (LEAKY_RELU, 0.53125), (ABS, 1.0), (IDENTITY, 1.0)):
        assert moments.second_moment(phi, q) == pytest.approx(factor * q, rel=2.3e-16, abs=0)
        assert moments.second_moment_d1(phi, q) == factor
        assert moments.second_moment_d2(phi, q) == 0.0
        assert moments.slope_moment(phi, q, 2) == factor


def test_at_q_zero_every_moment_is_the_limit_from_above() -> None:
    assert moments.mean(STEP, 0.0) == 0.5
    assert moments.second_moment(STEP, 0.0) == 0.5
    assert moments.mirrored_moment(STEP, 0.0) == 0.0
    assert moments.second_moment(SIGN, 0.0) == 1.0
    assert moments.mirrored_moment(SIGN, 0.0) == -1.0
    assert moments.second_moment_d1(RELU, 0.0) == 0.5
    assert moments.second_moment_d2(RELU, 0.0) == 0.0
    assert moments.sparsity(RELU, 0.0) == 0.5
    assert moments.sparsity(shifted_relu(1.0), 0.0) == 1.0
    assert moments.second_moment_d1(clipped_relu(-0.5, 2.0), 0.0) == 1.0
    assert moments.slope_moment(hard_threshold(1.0), 0.0, 2) == 0.0
    assert moments.second_moment(CONSTANT, 0.0) == 0.25


def test_at_q_zero_a_kink_off_the_axis_has_an_infinite_slope() -> None:
    raised = PiecewiseLinear([0], [0, 1], [1, 1])
    assert moments.second_moment_d1(raised, 0.0) == np.inf


@given(activations())
def test_moments_near_q_zero_approach_their_value_at_zero(phi: PiecewiseLinear) -> None:
    assert moments.second_moment(phi, 1e-24) == pytest.approx(moments.second_moment(phi, 0.0), rel=1e-10, abs=1e-20)
    assert moments.mirrored_moment(phi, 1e-24) == pytest.approx(moments.mirrored_moment(phi, 0.0), rel=1e-10, abs=1e-11)
    assert moments.sparsity(phi, 1e-24) == pytest.approx(moments.sparsity(phi, 0.0), rel=1e-10)


@given(activations(), st.floats(-323, 300).map(lambda e: 10.0**e))
def test_no_variance_gives_nan(phi: PiecewiseLinear, q: float) -> None:
    for moment in EVERY_MOMENT:
        assert not np.isnan(moment(phi, q)), moment.__name__
    assert np.isfinite(moments.second_moment(phi, q))


def test_a_fourth_moment_beyond_the_largest_double_is_infinite() -> None:
    raised_and_lowered = [PiecewiseLinear([0.125], [0, 1.5], [0, c]) for c in (-0.625, -0.1875, 0.625)]
    for phi in (RELU, shifted_relu(0.5), soft_threshold(0.5), *raised_and_lowered):
        for q in (1e155, 1e205, 1e300):
            assert moments.fourth_moment(phi, q) == np.inf


@given(activations(), st.integers(200, 300).map(lambda e: 10.0**e))
def test_large_variances_see_only_the_outer_slopes(phi: PiecewiseLinear, q: float) -> None:
    outer = (phi.slopes[0] ** 2 + phi.slopes[-1] ** 2) / 2
    assume(outer)
    assert moments.second_moment(phi, q) / q == pytest.approx(outer, rel=1e-13)
    assert moments.second_moment_d1(phi, q) == pytest.approx(outer, rel=1e-13)


@pytest.mark.parametrize("q", [-1e-300, -1.0, np.nan, np.inf, -np.inf])
@by_name
def test_a_number_that_is_no_variance_is_refused_by_name(moment: Callable, q: float) -> None:
    with pytest.raises(DomainError, match=r"is not a variance: give finite numbers q ≥ 0"):
        moment(shifted_relu(0.5), [1.0, q])


@by_name
def test_scalars_give_floats(moment: Callable) -> None:
    for q in (2, 2.0, np.float64(2.0), np.array(2.0)):
        assert type(moment(clipped_relu(0.5, 1.0), q)) is float


@by_name
def test_arrays_keep_their_shape_and_every_entry_is_computed_as_if_alone(moment: Callable) -> None:
    phi = clipped_soft_threshold(0.5, 1.0)
    q = np.linspace(0.01, 9, 24).reshape(2, 3, 4)
    result = moment(phi, q)
    assert result.shape == q.shape
    alone = [moment(phi, x) for x in q.ravel()]
    assert np.allclose(result.ravel(), alone, rtol=1e-14, atol=1e-16)
    assert moment(phi, np.empty((0, 3))).shape == (0, 3)


@by_name
def test_integers_count_as_numbers(moment: Callable) -> None:
    phi = clipped_relu(0.5, 1.0)
    assert np.array_equal(moment(phi, np.array([1, 2, 4])), moment(phi, np.array([1.0, 2.0, 4.0])))


def test_long_arrays_agree_with_short_ones() -> None:
    phi = clipped_soft_threshold(0.5, 1.0)
    q = np.linspace(0.01, 9, 20_001)
    assert np.allclose(moments.second_moment(phi, q)[::4000], moments.second_moment(phi, q[::4000]), rtol=1e-14)
