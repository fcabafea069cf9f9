"""The edge of chaos from q*, from σ_b and from σ_w, to every digit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import definitions
import numpy as np
import pytest
from examples import (
    ABS,
    CONSTANT,
    HARD_TANH,
    IDENTITY,
    LEAKY_HARD_TANH,
    LEAKY_RELU,
    REFERENCE,
    RELU,
    RELU6,
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
    with_edges,
)
from hypothesis import assume, given, reject, strategies as st
from mpmath import mp, mpf

import meanfield as mf
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.edge import edge_curve, edge_of_chaos, edges_of_chaos

ON_AN_EDGE = [entry for entry in REFERENCE if "eoc_sigma_w2" in entry and mpf(entry["eoc_sigma_b2"]) > -1e-30]


@pytest.mark.parametrize("entry", ON_AN_EDGE, ids=label)
def test_weights_and_biases_agree_with_quadrature_of_the_definition(entry: dict) -> None:
    edge = edge_of_chaos(activation_of(entry), entry["q"])
    assert edge.sigma_w_squared == pytest.approx(float(entry["eoc_sigma_w2"]), rel=1e-13)
    assert edge.sigma_b_squared == pytest.approx(float(entry["eoc_sigma_b2"]), rel=1e-12, abs=1e-14 * entry["q"])
    assert edge.sigma_w == pytest.approx(math.sqrt(edge.sigma_w_squared), rel=1e-15)
    assert edge.sigma_b == pytest.approx(math.sqrt(edge.sigma_b_squared), rel=1e-15)


@given(activations(jumps=False), variances())
def test_there_is_an_edge_where_its_biases_have_a_variance(phi: PiecewiseLinear, q_star: float) -> None:
    bias = definitions.squared_bias(phi, q_star)
    assume(abs(bias) > 1e-14 * q_star)
    if bias > 0:
        edge_of_chaos(phi, q_star)
    else:
        with pytest.raises(NoEdgeOfChaos):
            edge_of_chaos(phi, q_star)


@given(with_edges())
def test_on_the_edge_variance_and_gradient_keep_their_size(drawn: tuple[PiecewiseLinear, float]) -> None:
    phi, q_star = drawn
    assume(definitions.squared_bias(phi, q_star) > 1e-14 * q_star)
    edge = edge_of_chaos(phi, q_star)
    network = edge.mean_field
    assert network.V(q_star) == pytest.approx(q_star, rel=1e-12)
    assert network.chi1(q_star) == pytest.approx(1.0, rel=1e-12)
    assert edge.chi_1 == pytest.approx(1.0, rel=1e-12)
    assert edge.V_prime == pytest.approx(network.dV(q_star), abs=1e-12)
    assert edge.V_double_prime == pytest.approx(network.d2V(q_star), rel=1e-12)
    assert edge.sparsity == network.sparsity(q_star)


@pytest.mark.parametrize("q_star", [1e-3, 0.3, 1.0, 17.0, 1e6])
@pytest.mark.parametrize("tau", [1e-6, 0.1, 1 / 3, 0.5, 1.0, math.pi, 7.7])
@pytest.mark.parametrize("family", [shifted_relu, soft_threshold])
def test_unclipped_thresholds_have_a_slope_of_exactly_one_at_any_threshold(
    family: Callable, tau: float, q_star: float
) -> None:
    if tau <= 30 * math.sqrt(q_star):
        assert edge_of_chaos(family(tau), q_star).V_prime == 1.0


@pytest.mark.parametrize(("tau", "m"), [(0.5, 0.3), (1.0, 1.0), (1.0, 2.0), (2.5, 0.1), (4.0, 2.0)])
@pytest.mark.parametrize(("family", "sides"), [(clipped_relu, 1), (clipped_soft_threshold, 2)])
@pytest.mark.parametrize("q_star", [0.5, 1.0, 3.0])
def test_a_clip_lowers_the_slope_by_its_height_times_the_density_there(
    family: Callable, sides: int, tau: float, m: float, q_star: float
) -> None:
    phi = family(tau, m)
    edge = edge_of_chaos(phi, q_star)
    with mp.workdps(30):
        top, height = mpf(phi.knots[-1]), mpf(phi.intercepts[-1])
        density = mp.npdf(top / mp.sqrt(q_star)) / mp.sqrt(q_star)
        weights = 1 / definitions.slope_moment(phi, q_star, 2)
        assert abs(mpf(edge.V_prime) - (1 - weights * sides * height * density)) <= 1e-13
    assert edge.V_prime < 1


CONTINUOUS = [
    shifted_relu(0.5),
    soft_threshold(1.0),
    clipped_relu(1.0, 1.0),
    clipped_soft_threshold(0.5, 2.0),
    HARD_TANH,
]


@pytest.mark.parametrize("phi", CONTINUOUS)
@pytest.mark.parametrize("q_star", [0.2, 1.0, 2.3, 9.0])
def test_an_edge_is_found_again_from_its_biases_and_from_its_weights(phi: PiecewiseLinear, q_star: float) -> None:
    edge = edge_of_chaos(phi, q_star)
    for found in (edges_of_chaos(phi, sigma_b=edge.sigma_b), edges_of_chaos(phi, sigma_w=edge.sigma_w)):
        nearest = min(found, key=lambda e: abs(e.q_star - q_star))
        # Where d σ/d q* is small, q* is as uncertain as the σ asked for.
        assert nearest.sigma_w == pytest.approx(edge.sigma_w, rel=1e-9)
        assert nearest.q_star == pytest.approx(q_star, rel=1e-9)


@given(with_edges())
def test_every_edge_with_a_given_sigma_b_has_it_and_none_is_missed(case: tuple[PiecewiseLinear, float]) -> None:
    phi, q_star = case
    try:
        edge = edge_of_chaos(phi, q_star)
    except NoEdgeOfChaos:
        reject()
    assume(edge.sigma_b_squared >= 1e-6 * q_star and edge.sigma_w <= 1e6)
    found = edges_of_chaos(phi, sigma_b=edge.sigma_b)
    for other in found:
        assert other.sigma_b == pytest.approx(edge.sigma_b, rel=1e-11, abs=1e-11 * math.sqrt(other.q_star))
        assert other.mean_field.V(other.q_star) == pytest.approx(other.q_star, rel=1e-12)
    assert [e.q_star for e in found] == sorted(e.q_star for e in found)
    # The same q* comes back, unless σ_b² is flat in q* there.
    beside = definitions.squared_bias(phi, q_star * (1 + 1e-5)) - definitions.squared_bias(phi, q_star * (1 - 1e-5))
    if abs(beside) > 1e-7 * q_star:
        assert min(abs(e.q_star / q_star - 1) for e in found) < 1e-6


@given(with_edges())
def test_every_edge_with_a_given_sigma_w_has_it_and_none_is_missed(case: tuple[PiecewiseLinear, float]) -> None:
    phi, q_star = case
    try:
        edge = edge_of_chaos(phi, q_star)
    except NoEdgeOfChaos:
        reject()
    with mp.workdps(30):
        steepness = mp.diff(lambda x: mp.log(definitions.slope_moment(phi, x, 2)), mpf(q_star)) * q_star
    assume(abs(steepness) >= 1e-4 and edge.sigma_w <= 1e6)
    found = edges_of_chaos(phi, sigma_w=edge.sigma_w)
    for other in found:
        assert other.sigma_w == pytest.approx(edge.sigma_w, rel=1e-12)
    assert min(abs(e.q_star / q_star - 1) for e in found) < 1e-9


@pytest.mark.parametrize(
    ("phi", "sigma_w"), [(RELU, math.sqrt(2)), (LEAKY_RELU, math.sqrt(32 / 17)), (ABS, 1.0), (IDENTITY, 1.0)]
)
def test_homogeneous_activations_have_one_edge_at_every_variance(phi: PiecewiseLinear, sigma_w: float) -> None:
    for q_star in (1e-5, 1.0, 300.0):
        edge = edge_of_chaos(phi, q_star)
        assert (edge.sigma_w, edge.sigma_b, edge.V_prime) == (pytest.approx(sigma_w, rel=1e-15), 0.0, 1.0)
    assert edges_of_chaos(phi, sigma_b=0.0)[0].q_star == 1.0
    assert edges_of_chaos(phi, sigma_w=sigma_w)[0].sigma_w == pytest.approx(sigma_w, rel=1e-15)
    with pytest.raises(NoEdgeOfChaos, match="one point"):
        edges_of_chaos(phi, sigma_b=0.1)
    with pytest.raises(NoEdgeOfChaos, match="one point"):
        edges_of_chaos(phi, sigma_w=1.7)


@pytest.mark.parametrize(("phi", "where"), [(SIGN, "x = 0"), (STEP, "x = 0"), (hard_threshold(0.5), "x = -0.5, 0.5")])
def test_a_jump_has_no_edge_and_the_message_says_where_it_is(phi: PiecewiseLinear, where: str) -> None:
    for ask in (
        lambda: edge_of_chaos(phi),
        lambda: edges_of_chaos(phi, sigma_b=0.1),
        lambda: edges_of_chaos(phi, sigma_w=1),
    ):
        with pytest.raises(NoEdgeOfChaos, match=re.escape(where)):
            ask()


def test_a_constant_has_no_edge() -> None:
    for ask in (lambda: edge_of_chaos(CONSTANT), lambda: edges_of_chaos(CONSTANT, sigma_b=0.1)):
        with pytest.raises(NoEdgeOfChaos, match="constant"):
            ask()


def test_a_sloping_part_out_of_reach_of_the_signal_has_no_edge() -> None:
    with pytest.raises(NoEdgeOfChaos, match="out of reach"):
        edge_of_chaos(shifted_relu(50.0), 1.0)
    assert edge_of_chaos(shifted_relu(50.0), 2500.0).V_prime == 1.0


CURVED = {
    "hard tanh": HARD_TANH,
    "ReLU6": RELU6,
    "soft threshold": soft_threshold(0.5),
    "clipped soft threshold": clipped_soft_threshold(0.5, 1.0),
    "leaky hard tanh": LEAKY_HARD_TANH,
    "bent a little": PiecewiseLinear([2.0], [1, 1.0009765625], [0, -0.001953125]),
}


#: Where φ is flat around 0 smaller ones need a σ_w that is no double.
BIASES = {
    name: [0.1, 1.0, 100.0] if "threshold" in name else [1e-12, 1e-7, 1e-6, 1e-4, 1e-2, 1.0, 100.0] for name in CURVED
}


@pytest.mark.parametrize(("name", "sigma_b"), [(name, sigma_b) for name in CURVED for sigma_b in BIASES[name]])
def test_the_variance_of_an_edge_keeps_its_digits_however_small_its_biases(name: str, sigma_b: float) -> None:
    phi = CURVED[name]
    (edge,) = edges_of_chaos(phi, sigma_b=sigma_b)
    with mp.workdps(60):
        # ln σ_b² against ln q* is nearly straight over so short a step.
        def excess(ln_q: mpf) -> mpf:
            q = mp.exp(ln_q)
            slopes = definitions.slope_moment(phi, q, 2)
            return mp.log((q - definitions.power_moment(phi, q, 2) / slopes) / mpf(sigma_b) ** 2)

        start = mp.log(edge.q_star)
        step = mpf(10) ** -9
        newton = -excess(start) * step / (excess(start + step) - excess(start))
        assert abs(newton) <= 2e-14
    assert edge.sigma_b == pytest.approx(sigma_b, rel=1e-13)


@pytest.mark.parametrize("above", [1e-13, 1e-10, 1e-6, 1e-3])
def test_the_variance_of_an_edge_keeps_its_digits_however_near_its_weights_are_to_the_least(above: float) -> None:
    # Hard tanh: P(|x| > 1) = 1 − 1/σ_w².
    sigma_w = 1 + above
    (edge,) = edges_of_chaos(HARD_TANH, sigma_w=sigma_w)
    with mp.workdps(40):
        exact = 1 / (2 * mp.erfinv(1 / mpf(sigma_w) ** 2) ** 2)
        assert abs(edge.q_star / exact - 1) <= 1e-13


def test_biases_whose_square_is_no_double_are_refused() -> None:
    with pytest.raises(DomainError, match="sigma_b = 1e-200 is out of range: give 0 or 1e-150 <= sigma_b"):
        edges_of_chaos(HARD_TANH, sigma_b=1e-200)


def test_a_curve_of_one_variance_is_made_of_floats_and_of_none_empty() -> None:
    edge, curve = edge_of_chaos(HARD_TANH, 2.0), edge_curve(HARD_TANH, 2.0)
    for name in ("q_star", "sigma_w", "sigma_b", "sparsity", "V_prime", "V_double_prime"):
        assert type(getattr(curve, name)) is float
        assert getattr(curve, name) == pytest.approx(getattr(edge, name), rel=1e-14)
        assert getattr(edge_curve(HARD_TANH, np.empty((0, 2))), name).shape == (0, 2)
        assert getattr(edge_curve(HARD_TANH, [[2.0, 3.0]]), name).shape == (1, 2)


@pytest.mark.parametrize("q_star", [0.0, -1.0, math.nan, math.inf])
def test_a_number_that_is_no_variance_of_a_signal_is_refused(q_star: float) -> None:
    with pytest.raises(DomainError, match="is not the variance of a signal"):
        edge_of_chaos(RELU, q_star)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"sigma_w": 1.0, "sigma_b": 0.1},
        {"sigma_w": 0.0},
        {"sigma_w": math.nan},
        {"sigma_b": -1.0},
        {"sigma_b": math.inf},
    ],
)
def test_anything_but_one_scale_in_range_is_refused(given: dict) -> None:
    with pytest.raises(DomainError):
        edges_of_chaos(shifted_relu(0.5), **given)


@given(st.floats(-30, 30).map(lambda e: 10.0**e))
def test_the_edge_scales_with_the_unit_of_the_activation(c: float) -> None:
    unit = edge_of_chaos(soft_threshold(0.5), 1.0)
    scaled = edge_of_chaos(soft_threshold(0.5 * c), c * c)
    assert scaled.sigma_w == pytest.approx(unit.sigma_w, rel=1e-13)
    assert scaled.sigma_b / c == pytest.approx(unit.sigma_b, rel=1e-12)


def test_a_sigma_w_that_does_not_depend_on_the_variance_is_found() -> None:
    # |φ'| = 1 everywhere: χ₁ = σ_w² at every q.
    phi = PiecewiseLinear([1.0], [-1, 1], [0, -2])
    (edge,) = edges_of_chaos(phi, sigma_w=1.0)
    assert edge.mean_field.V(edge.q_star) == pytest.approx(edge.q_star, rel=1e-12)


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu"])
def test_on_the_edge_of_a_smooth_activation_correlations_grow_by_its_curvature_at_one(name: str) -> None:
    edge = edge_of_chaos(mf.activation(name))
    assert edge.kappa == 0
    assert edge.R_double_prime == pytest.approx(edge.mean_field.d2R(1.0, 1.0), rel=1e-12)
    start, depth = 1e-6, 50
    left = start
    for _ in range(depth):
        left = edge.mean_field.one_minus_R(left, 1.0)
    # 1/(1 − ρ) grows by R''(1)/2 a layer, up to √(1 − ρ).
    assert (1 / left - 1 / start) / depth == pytest.approx(edge.R_double_prime / 2, rel=2e-3)


def test_a_kink_makes_correlations_grow_by_kappa() -> None:
    edge = edge_of_chaos(mf.activation("elu(alpha=0.5)"))
    assert edge.R_double_prime == math.inf
    assert edge.kappa > 0
    eps = 1e-10
    # 1 − R(1 − ε) = ε − κ ε^(3/2)
    lost = 1 - edge.mean_field.one_minus_R(eps, 1.0) / eps
    assert lost == pytest.approx(edge.kappa * math.sqrt(eps), rel=1e-3)
