"""Gaussian expectations in two variables, against two-dimensional integrals, closed forms and identities."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import definitions
import numpy as np
import pytest
from examples import (
    ABS,
    CONSTANT,
    HARD_TANH,
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
    odd_activations,
    shifted_relu,
    soft_threshold,
    variances,
)
from hypothesis import assume, given, settings, strategies as st
from mpmath import mp, mpf

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError, UndefinedCorrelation
from meanfield.infinite_width import moments
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_d2, covariance_loss
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField

#: Correlations that doubles and binary fractions hold exactly.
correlations = st.integers(-1024, 1024).map(lambda n: n / 1024)
moderate_correlations = st.integers(-972, 972).map(lambda n: n / 1024)

by_entry = pytest.mark.parametrize("entry", REFERENCE, ids=label)


@by_entry
def test_covariance_agrees_with_quadrature_of_the_definition(entry: dict) -> None:
    phi, q = activation_of(entry), entry["q"]
    for rho, exact in entry["covariance"].items():
        assert abs(mpf(covariance(phi, float(rho), q)) - mpf(exact)) <= 1e-13 * mpf(entry["second_moment"]), rho


WIDE = {
    "clipped ReLU, piece of 0.1": (clipped_relu(0.5, 0.1), 1.0),
    "clipped soft threshold, pieces of 0.1": (clipped_soft_threshold(1.0, 0.2), 4.0),
    "five pieces": (PiecewiseLinear([-1.5, -0.5, 0.25, 1], [0.5, -1, 2, 0, -0.25], [0, -2.25, -0.75, -0.25, 0]), 1.7),
    "ramp with a jump beside it": (PiecewiseLinear([0.5, 0.75], [0, 1, 0], [0.25, -0.5, 1.0]), 1.0),
}
NARROW = {
    "clipped ReLU, piece of 0.001": (clipped_relu(0.5, 1e-3), 1.0),
    "clipped soft threshold, pieces of 0.001": (clipped_soft_threshold(1.0, 2e-3), 4.0),
    "hat of 0.002": (PiecewiseLinear([0.0, 2.0**-10, 2.0**-9], [0, 1, -1, 0], [0, 0, 2.0**-9, 0]), 1.0),
    "steep ramp": (PiecewiseLinear([0.25, 0.25 + 2.0**-10], [0, 1024, 0], [0, -256, 1]), 1.0),
}
AT = [-0.9, 0.3, 1 - 1e-6]


@pytest.mark.parametrize("rho", AT)
@pytest.mark.parametrize("name", [*WIDE, *NARROW])
def test_covariance_of_narrow_pieces_agrees_with_an_integral_at_20_digits(name: str, rho: float) -> None:
    phi, q = (WIDE | NARROW)[name]
    with mp.workdps(20):
        exact, size = definitions.covariance(phi, rho, q), definitions.power_moment(phi, q, 2)
        assert abs(mpf(covariance(phi, rho, q)) - exact) <= (1e-13 if name in WIDE else 1e-11) * size


@settings(max_examples=20)
@given(activations(), moderate_correlations, variances(0.25, 16))
def test_covariance_of_any_activation_lies_within_its_bar(phi: PiecewiseLinear, rho: float, q: float) -> None:
    with mp.workdps(16):
        exact = definitions.covariance(phi, rho, q)
        narrow = np.diff(phi.knots).min(initial=np.inf) < 0.1 * q**0.5
        size = moments.second_moment(phi, q)
        assert abs(mpf(covariance(phi, rho, q)) - exact) <= (1e-11 if narrow else 1e-13) * size


def arc_cosine_kernel(rho: mpf, q: mpf) -> mpf:
    """E φ(u)φ(v) of the ReLU; Cho and Saul (2009)."""
    return q * (mp.sqrt((1 - rho) * (1 + rho)) + rho * (mp.pi - mp.acos(rho))) / (2 * mp.pi)


ALL_LOSSES = [10.0**-k for k in range(14, 0, -1)] + [0.25, 0.5, 0.75, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("q", [0.01, 1.0, 37.0])
def test_relu_is_the_arc_cosine_kernel(q: float) -> None:
    rho = np.concatenate([np.linspace(-1, 1, 41), 1 - 10.0 ** -np.arange(2, 16), -1 + 10.0 ** -np.arange(2, 16)])
    with mp.workdps(50):
        for r, c in zip(rho, covariance(RELU, rho, q), strict=True):
            assert abs(mpf(c) - arc_cosine_kernel(mpf(r), mpf(q))) <= 1e-13 * q / 2


@pytest.mark.parametrize("eps", ALL_LOSSES)
def test_loss_keeps_ten_digits_however_small_for_relu_absolute_value_and_sign(eps: float) -> None:
    q = 1.7
    with mp.workdps(60):
        e = mpf(eps)
        relu = mpf(q) / 2 - arc_cosine_kernel(1 - e, mpf(q))
        both = 2 * relu - (arc_cosine_kernel(e - 1, mpf(q)) * 2 if eps < 2 else mpf(q))
        sign = 2 / mp.pi * mp.acos(1 - e)
        assert abs(mpf(covariance_loss(RELU, eps, q)) / relu - 1) <= 1e-10
        assert abs(mpf(covariance_loss(SIGN, eps, q)) / sign - 1) <= 1e-10
        if eps < 2:
            assert abs(mpf(covariance_loss(ABS, eps, q)) / both - 1) <= 1e-10


@pytest.mark.parametrize("phi", [RELU, HARD_TANH, SIGN, shifted_relu(0.5)])
def test_what_is_too_small_to_keep_digits_is_lost(phi: PiecewiseLinear) -> None:
    assert covariance_loss(phi, 1e-308, 1.0) == covariance_loss(phi, 5e-324, 1.0) == 0.0
    assert covariance_loss(phi, 2.3e-308, 1.0) > 0


LOSSY = {
    "shifted ReLU": (shifted_relu(0.5), 1.0),
    "soft threshold far out": (soft_threshold(4.0), 1.0),
    "hard tanh": (HARD_TANH, 0.5),
    "hard threshold": (hard_threshold(0.75), 1.3),
    **{name: WIDE[name] for name in ("clipped ReLU, piece of 0.1", "five pieces")},
    "clipped ReLU, piece of 0.001": NARROW["clipped ReLU, piece of 0.001"],
}


@pytest.mark.parametrize("eps", [1e-14, 1e-6, 0.1])
@pytest.mark.parametrize("name", LOSSY)
def test_loss_keeps_ten_digits_however_small_for_any_activation(name: str, eps: float) -> None:
    phi, q = LOSSY[name]
    with mp.workdps(30):
        exact = definitions.power_moment(phi, q, 2) - definitions.covariance(phi, 1 - mpf(eps), q)
        assert abs(mpf(covariance_loss(phi, eps, q)) / exact - 1) <= 1e-10


@given(activations(), variances(), st.integers(1, 2048).map(lambda n: n / 1024))
def test_loss_is_what_the_covariance_lacks_of_the_second_moment(phi: PiecewiseLinear, q: float, eps: float) -> None:
    lacking = moments.second_moment(phi, q) - covariance(phi, 1 - eps, q)
    assert covariance_loss(phi, eps, q) == pytest.approx(lacking, rel=1e-10, abs=2e-11 * moments.second_moment(phi, q))


@given(activations(), variances())
def test_the_ends_are_the_second_moment_and_the_mirrored_one(phi: PiecewiseLinear, q: float) -> None:
    size = moments.second_moment(phi, q)
    assert covariance(phi, 1.0, q) == size
    assert covariance(phi, 0.0, q) == pytest.approx(moments.mean(phi, q) ** 2, rel=1e-13, abs=1e-13 * size)
    assert covariance(phi, -1.0, q) == moments.mirrored_moment(phi, q)


@given(activations(jumps=False), variances(), st.sampled_from([-1, 1]))
def test_covariance_reaches_its_ends_continuously(phi: PiecewiseLinear, q: float, end: int) -> None:
    size = moments.second_moment(phi, q)
    steepest = q * max(a * a for a in phi.slopes)
    beside = covariance(phi, end * (1 - 1e-13), q)
    assert beside == pytest.approx(covariance(phi, float(end), q), abs=1e-13 * steepest + 1e-11 * size)


@given(activations(), correlations, variances())
def test_covariance_never_exceeds_the_second_moment(phi: PiecewiseLinear, rho: float, q: float) -> None:
    assert abs(covariance(phi, rho, q)) <= moments.second_moment(phi, q) * (1 + 1e-11)


@given(odd_activations(), correlations, variances())
def test_covariance_of_an_odd_activation_is_odd(phi: PiecewiseLinear, rho: float, q: float) -> None:
    assert phi.is_odd
    size = moments.second_moment(phi, q)
    assert covariance(phi, -rho, q) == pytest.approx(-covariance(phi, rho, q), rel=1e-13, abs=2e-13 * size)
    assert covariance_d1(phi, -rho, q) == pytest.approx(covariance_d1(phi, rho, q), rel=1e-11, abs=1e-11 * size)


def combined(f: PiecewiseLinear, g: PiecewiseLinear, sign: float) -> PiecewiseLinear | None:
    """f + sign·g, or None where it is zero everywhere."""
    knots = sorted({*f.knots, *g.knots})
    inside = [(low + high) / 2 for low, high in pairwise(knots)]
    inside = [knots[0] - 1, *inside, knots[-1] + 1] if knots else [0.0]

    def line(phi: PiecewiseLinear, x: float) -> np.ndarray:
        piece = np.searchsorted(phi.knots, x, side="right")
        return np.array([phi.slopes[piece], phi.intercepts[piece]])

    slopes, intercepts = np.transpose([line(f, x) + sign * line(g, x) for x in inside])
    return PiecewiseLinear(knots, slopes, intercepts) if slopes.any() or intercepts.any() else None


def combined_covariance(f: PiecewiseLinear, g: PiecewiseLinear, sign: float, rho: float, q: float) -> float:
    both = combined(f, g, sign)
    return covariance(both, rho, q) if both else 0.0


@given(activations(), activations(), correlations, variances(0.25, 64))
def test_covariance_is_bilinear_in_the_activation(f: PiecewiseLinear, g: PiecewiseLinear, rho: float, q: float) -> None:
    around = combined_covariance(f, g, 1.0, rho, q) + combined_covariance(f, g, -1.0, rho, q)
    apart = 2 * covariance(f, rho, q) + 2 * covariance(g, rho, q)
    size = moments.second_moment(f, q) + moments.second_moment(g, q)
    assert around == pytest.approx(apart, abs=1e-12 * size)


def reflected(phi: PiecewiseLinear) -> PiecewiseLinear:
    """φ(−x)."""
    return PiecewiseLinear([-t for t in phi.knots[::-1]], [-a for a in phi.slopes[::-1]], phi.intercepts[::-1])


@given(activations(), correlations, variances(0.25, 64))
def test_even_and_odd_part_of_the_covariance_are_those_of_the_even_and_odd_part(
    phi: PiecewiseLinear, rho: float, q: float
) -> None:
    mirrored, size = reflected(phi), moments.second_moment(phi, q)
    even = combined_covariance(phi, mirrored, 1.0, rho, q) / 4
    odd = combined_covariance(phi, mirrored, -1.0, rho, q) / 4
    c, c_mirrored = covariance(phi, rho, q), covariance(phi, -rho, q)
    assert (c + c_mirrored) / 2 == pytest.approx(even, abs=1e-12 * size)
    assert (c - c_mirrored) / 2 == pytest.approx(odd, abs=1e-12 * size)


def central_difference(f: Callable[[np.ndarray], np.ndarray], x: float, step: float) -> float:
    """f'(x) from eight points, exact up to the eighth power of `step`."""
    weights = np.array([4 / 5, -1 / 5, 4 / 105, -1 / 280])
    k = np.arange(1, 5)
    return float((weights * (f(x + k * step) - f(x - k * step))).sum() / step)


@given(activations(), moderate_correlations, variances(1, 16))
def test_d1_is_the_derivative_of_the_covariance(phi: PiecewiseLinear, rho: float, q: float) -> None:
    assume(np.diff(phi.knots).min(initial=np.inf) > 0.2 * q**0.5)
    difference = central_difference(lambda r: covariance(phi, r, q), rho * 0.8, 2e-3)
    assert covariance_d1(phi, rho * 0.8, q) == pytest.approx(difference, abs=1e-9 * moments.second_moment(phi, q))


@given(activations(), moderate_correlations, variances(1, 16))
def test_d2_is_the_derivative_of_d1(phi: PiecewiseLinear, rho: float, q: float) -> None:
    assume(np.diff(phi.knots).min(initial=np.inf) > 0.2 * q**0.5)
    difference = central_difference(lambda r: covariance_d1(phi, r, q), rho * 0.8, 2e-3)
    size = moments.second_moment(phi, q) + abs(covariance_d1(phi, rho * 0.8, q))
    assert covariance_d2(phi, rho * 0.8, q) == pytest.approx(difference, abs=1e-8 * size)


@pytest.mark.parametrize("rho", [-0.75, 0.5, 1 - 2.0**-20])
@pytest.mark.parametrize("name", ["clipped ReLU, piece of 0.1", "ramp with a jump beside it"])
def test_d1_and_d2_agree_with_differences_of_an_integral_at_30_digits(name: str, rho: float) -> None:
    phi, q = WIDE[name]
    with mp.workdps(30):
        step = mpf(1 - abs(rho)) * mpf(2) ** -20
        below, here, above = (definitions.covariance(phi, rho + k * step, q) for k in (-1, 0, 1))
        d1, d2 = (above - below) / (2 * step), (above - 2 * here + below) / step**2
        size = definitions.power_moment(phi, q, 2)
        assert abs(mpf(covariance_d1(phi, rho, q)) - d1) <= 1e-10 * max(abs(d1), size)
        assert abs(mpf(covariance_d2(phi, rho, q)) - d2) <= 1e-10 * max(abs(d2), size)


@given(activations(jumps=False), variances(), st.floats(0.125, 3), st.floats(0, 2))
def test_R_at_one_is_one_with_slope_chi1_q_over_V(
    phi: PiecewiseLinear, q: float, sigma_w: float, sigma_b: float
) -> None:
    network = MeanField(phi, sigma_w, sigma_b)
    assert network.R(1.0, q) == pytest.approx(1.0, abs=1e-15)
    assert network.dR(1.0, q) == pytest.approx(network.chi1(q) * q / network.V(q), rel=1e-13)


@pytest.mark.parametrize("phi", [SIGN, STEP, hard_threshold(0.5)])
def test_a_jump_makes_the_slope_of_R_at_one_infinite(phi: PiecewiseLinear) -> None:
    network = MeanField(phi, 1.0, 0.1)
    assert network.dR(1.0, 1.0) == np.inf
    assert network.chi1(1.0) == np.inf


@pytest.mark.parametrize(
    "phi", [RELU, LEAKY_RELU, shifted_relu(1.0), soft_threshold(0.5), clipped_relu(1.0, 1.0), HARD_TANH]
)
def test_kappa_is_the_limit_of_the_three_halves_term(phi: PiecewiseLinear) -> None:
    q, network = 1.3, MeanField(phi, 1.2, 0.3)
    for eps in (1e-5, 1e-7):
        bend = (network.dR(1.0, q) * eps - network.one_minus_R(eps, q)) / eps**1.5
        # The next term is of order ε^(5/2).
        assert bend == pytest.approx(network.kappa(q), rel=10 * eps)


def test_kappa_of_relu_on_the_edge() -> None:
    assert MeanField(RELU, math.sqrt(2)).kappa(3.0) == pytest.approx(2 * math.sqrt(2) / (3 * math.pi), rel=1e-14)


def test_on_the_edge_correlations_grow_as_four_over_kappa_squared_l_squared() -> None:
    edge = edge_of_chaos(clipped_relu(1.0, 1.0))
    network, eps, layers = edge.mean_field, 0.01, 2000
    for _ in range(layers):
        eps = network.one_minus_R(eps, edge.q_star)
    assert eps * (network.kappa(edge.q_star) * layers / 2) ** 2 == pytest.approx(1, rel=0.04)


def test_R_is_refused_where_no_signal_is_left() -> None:
    # Beyond h = 38 the probability of being active is below the smallest double.
    network = MeanField(shifted_relu(40.0), 1.0)
    for map_ in (network.R, network.dR, network.d2R, network.one_minus_R):
        with pytest.raises(UndefinedCorrelation, match="no signal is left"):
            map_(0.5, [100.0, 1.0])
    with pytest.raises(UndefinedCorrelation):
        network.kappa(1.0)


def test_R_at_q_zero_is_the_limit_from_above_wherever_it_exists() -> None:
    assert MeanField(RELU, 1.0).R(0.5, 0.0) == pytest.approx(MeanField(RELU, 1.0).R(0.5, 1.0), rel=1e-13)
    assert MeanField(HARD_TANH, 1.0).R(0.5, 0.0) == pytest.approx(0.5, rel=1e-13)
    assert MeanField(shifted_relu(1.0), 1.0, 0.5).R(0.5, 0.0) == 1.0
    assert MeanField(SIGN, 1.0).R(0.5, 0.0) == pytest.approx(1 / 3, rel=1e-13)


@given(activations(), correlations, st.floats(-320, 300).map(lambda e: 10.0**e))
def test_no_map_is_silently_nan(phi: PiecewiseLinear, rho: float, q: float) -> None:
    network = MeanField(phi, 1.0, 0.5)
    for map_ in (network.R, network.dR, network.d2R):
        assert not np.isnan(map_(rho, q)), map_.__name__
    assert not np.isnan(network.one_minus_R(1 - rho, q))
    assert abs(network.R(rho, q)) <= 1 + 1e-11


@pytest.mark.parametrize("rho", [1 + 1e-15, -1.5, np.nan, np.inf])
@pytest.mark.parametrize("of", [covariance, covariance_d1, covariance_d2])
def test_a_number_that_is_no_correlation_is_refused(of: Callable, rho: float) -> None:
    with pytest.raises(DomainError, match="is not a correlation"):
        of(RELU, [0.5, rho], 1.0)


@pytest.mark.parametrize("eps", [-1e-300, 2.1, np.nan])
def test_a_number_that_is_no_loss_of_correlation_is_refused(eps: float) -> None:
    with pytest.raises(DomainError, match="is not 1 − ρ"):
        covariance_loss(RELU, eps, 1.0)


@pytest.mark.parametrize("q", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("of", [covariance, covariance_d1, covariance_d2, covariance_loss])
def test_a_number_that_is_no_variance_is_refused(of: Callable, q: float) -> None:
    with pytest.raises(DomainError, match="is not a variance"):
        of(RELU, 0.5, [1.0, q])


@pytest.mark.parametrize("phi", [clipped_soft_threshold(0.5, 0.01), hard_threshold(0.5), IDENTITY, CONSTANT])
@pytest.mark.parametrize("of", [covariance, covariance_d1, covariance_d2, covariance_loss])
def test_correlations_broadcast_against_variances(of: Callable, phi: PiecewiseLinear) -> None:
    rho, q = np.linspace(0.0, 0.99, 5)[:, None], np.array([0.1, 1.0, 7.0])
    grid = of(phi, rho, q)
    assert grid.shape == (5, 3)
    alone = [[of(phi, r, x) for x in q] for r in rho[:, 0]]
    assert np.allclose(grid, alone, rtol=1e-12, atol=1e-15)
    assert type(of(phi, 1, 2)) is float


def test_a_long_grid_agrees_with_its_points_alone() -> None:
    phi, rho = clipped_soft_threshold(0.5, 1.0), np.linspace(-1, 1, 5001)
    grid = covariance(phi, rho, 1.0)
    assert np.allclose(grid[::500], [covariance(phi, r, 1.0) for r in rho[::500]], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("q", [1e16, 1e30, 1e100, 1e300])
def test_a_clip_far_narrower_than_the_signal_is_a_sign(q: float) -> None:
    # 1 − R of sign(x) is (4/π) asin √(ε/2); hard tanh differs from it by its width, 1/√q, over √ε.
    network = MeanField(HARD_TANH, 1.0)
    for eps in (1e-6, 1e-3, 0.1, 1.0, 1.9):
        expected = 4 / math.pi * math.asin(math.sqrt(eps / 2))
        assert network.one_minus_R(eps, q) == pytest.approx(expected, rel=1e-10 + 1 / math.sqrt(q * eps))
