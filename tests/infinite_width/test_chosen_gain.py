"""Networks beside the edge of chaos: a gain χ₁ chosen at q*. docs/theory.md, section 6."""

from __future__ import annotations

import math

import definitions
import numpy as np
import pytest
from examples import CONSTANT, HARD_TANH, RELU, SIGN, clipped_relu, soft_threshold
from hypothesis import assume, given, strategies as st
from mpmath import mp, mpf

import meanfield as mf
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.depth_scales import correlation_depth
from meanfield.infinite_width.edge import edge_curve, edge_of_chaos
from meanfield.infinite_width.operating_point import operating_point

ACTS = ["relu", "clipped-relu(tau=1, m=1)", "soft-threshold(tau=0.5)", "tanh", "gelu", "elu"]
#: Those that have an edge of chaos at q* = 1 with biases, and so a network with a gain a little above 1.
BIASED = ["clipped-relu(tau=1, m=1)", "soft-threshold(tau=0.5)", "tanh"]
NEAR = {"rel": 1e-14}


def largest_gain(phi: mf.Activation, q_star: float) -> float:
    """At which nothing is left for biases: E φ² of a layer with this gain is q* itself."""
    network = mf.MeanField(phi, 1.0)
    return q_star * network.chi1(q_star) / network.V(q_star)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("q_star", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("c", [1e-3, 0.5, 0.88, 0.999])
def test_the_variance_stays_and_a_gradient_changes_by_the_gain_asked_for(act: str, q_star: float, c: float) -> None:
    found = edge_of_chaos(mf.activation(act), q_star, c)
    network = found.mean_field
    assert network.V(q_star) == pytest.approx(q_star, **NEAR)
    assert network.chi1(q_star) == pytest.approx(c, **NEAR)
    assert found.chi_1 == network.chi1(q_star)
    assert network.dR(1.0, q_star) == pytest.approx(c, rel=1e-12)
    assert found.V_prime == pytest.approx(network.dV(q_star), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("c", [0.5, 0.88])
def test_all_that_goes_with_the_weights_is_as_many_times_what_it_is_on_the_edge(act: str, c: float) -> None:
    phi = mf.activation(act)
    # GELU has its edge there too.
    edge, found = edge_of_chaos(phi, 2.0), edge_of_chaos(phi, 2.0, c)
    for name in ("sigma_w_squared", "V_prime", "V_double_prime", "R_double_prime", "kappa"):
        assert getattr(found, name) == pytest.approx(c * getattr(edge, name), rel=1e-14, abs=1e-15), name
    assert found.sigma_b_squared == pytest.approx(c * edge.sigma_b_squared + (1 - c) * 2.0, **NEAR)
    assert found.sparsity == edge.sparsity


@pytest.mark.parametrize("c", [1e-6, 0.88, 1 - 2**-53])
def test_what_relu_lacks_of_the_variance_its_biases_give_exactly(c: float) -> None:
    found = edge_of_chaos(RELU, 3.0, c)
    assert found.sigma_b_squared == (1 - c) * 3.0
    assert found.sigma_w_squared == 2 * c
    assert found.V_prime == c


@pytest.mark.parametrize("q_star", [0.3, 1.0, 7.0])
@pytest.mark.parametrize("c", [0.88, 1.0, 1.02])
def test_clipped_relu_agrees_with_the_definition(q_star: float, c: float) -> None:
    phi = clipped_relu(1.0, 1.0)
    found = edge_of_chaos(phi, q_star, c)
    with mp.workdps(40):
        weights = c / definitions.slope_moment(phi, q_star, 2)
        bias = mpf(q_star) - weights * definitions.power_moment(phi, q_star, 2)
        assert abs(found.sigma_w_squared / weights - 1) <= 1e-14
        assert abs(found.sigma_b_squared / bias - 1) <= 1e-13


@pytest.mark.parametrize("c", [0.88, 1.05])
def test_tanh_agrees_with_quadrature_of_the_definition(c: float) -> None:
    found = edge_of_chaos(mf.activation("tanh"), 2.0, c)
    with mp.workdps(30):

        def expected(f: object) -> mpf:
            return mp.quad(lambda z: f(mp.sqrt(2) * z) * mp.npdf(z), [*range(-12, 13, 2)])

        weights = mpf(c) / expected(lambda x: mp.sech(x) ** 4)
        bias = 2 - weights * expected(lambda x: mp.tanh(x) ** 2)
        assert abs(found.sigma_w_squared / weights - 1) <= 1e-14
        assert abs(found.sigma_b_squared / bias - 1) <= 1e-13


@pytest.mark.parametrize("act", [*ACTS, "hard-tanh", "abs", "leaky-relu"])
def test_a_gain_of_one_is_the_edge_itself_digit_for_digit(act: str) -> None:
    phi = mf.activation(act)
    network = mf.MeanField(phi, 1.0)
    edge = edge_of_chaos(phi, 2.0, 1.0)
    assert edge == edge_of_chaos(phi, 2.0)
    assert edge.sigma_w_squared == 1 / network.chi1(2.0)
    assert (edge.sigma_b == 0) == (act in ("relu", "abs", "leaky-relu"))


@pytest.mark.parametrize("act", BIASED)
@pytest.mark.parametrize("q_star", [0.5, 1.0, 4.0])
def test_up_to_the_gain_that_leaves_nothing_for_biases_there_are_networks(act: str, q_star: float) -> None:
    phi = mf.activation(act)
    most = largest_gain(phi, q_star)
    assert most > 1
    assert edge_of_chaos(phi, q_star, most).sigma_b == pytest.approx(0, abs=1e-7 * math.sqrt(q_star))
    assert edge_of_chaos(phi, q_star, 1 + 0.99 * (most - 1)).sigma_b > 0
    for beyond in (most * (1 + 1e-12), most + 1, 1e300):
        with pytest.raises(NoEdgeOfChaos, match=r"need σ_b² < 0; χ₁ <= \S+ would do at this q\*$") as refusal:
            edge_of_chaos(phi, q_star, beyond)
        told = float(str(refusal.value).split("χ₁ <= ")[1].split()[0])
        # What is told is there.
        assert told <= most
        assert told == pytest.approx(most, rel=1e-5)
        edge_of_chaos(phi, q_star, told)


@pytest.mark.parametrize("q_star", [0.1, 2.0, 100.0])
def test_no_biases_are_left_at_the_largest_gain_that_theory_gives(q_star: float) -> None:
    phi = mf.activation("tanh")
    most = q_star / (q_star - edge_of_chaos(phi, q_star).sigma_b_squared)
    assert most == pytest.approx(largest_gain(phi, q_star), rel=1e-13)
    assert edge_of_chaos(phi, q_star, most).sigma_b == 0


@pytest.mark.parametrize("q_star", [1.0, 1e10, 1e200])
def test_a_large_gain_keeps_the_variance_to_its_digits(q_star: float) -> None:
    # E φ² = 1/2 and E φ'² = 1250, but for e^(−5000).
    phi = mf.activation("sin(50*x)")
    found = edge_of_chaos(phi, q_star, 2000 * q_star)
    assert found.sigma_b_squared == pytest.approx(0.2 * q_star, rel=1e-11)
    assert found.mean_field.V(q_star) == pytest.approx(q_star, rel=1e-14)
    with pytest.raises(NoEdgeOfChaos, match=r"χ₁ <= \S+ would do"):
        edge_of_chaos(phi, q_star, 3000 * q_star)


@pytest.mark.parametrize("act", ["relu", "abs", "x"])
def test_what_is_homogeneous_has_no_gain_above_one(act: str) -> None:
    for c in (1 + 2**-52, 1.1):
        with pytest.raises(NoEdgeOfChaos, match=r"χ₁ <= 1 would do at this q\*"):
            edge_of_chaos(mf.activation(act), 1.0, c)


def test_a_small_gain_has_a_network_where_there_is_no_edge() -> None:
    # φ(0) = 1: E φ² = 1.5 + √(2/π), E φ'² = 1/2, and with weights alone V(1) = 1 has χ₁ = E φ'²/E φ².
    phi = mf.activation("max(0, x) + 1")
    most = 0.5 / (1.5 + math.sqrt(2 / math.pi))
    with pytest.raises(NoEdgeOfChaos):
        edge_of_chaos(phi)
    found = edge_of_chaos(phi, 1.0, 0.9 * most)
    assert found.mean_field.V(1.0) == pytest.approx(1.0, **NEAR)
    assert found.sigma_b_squared == pytest.approx(0.1, rel=1e-13)
    with pytest.raises(NoEdgeOfChaos, match=f"χ₁ <= {math.floor(most * 1e6) / 1e6:g} would do"):
        edge_of_chaos(phi, 1.0, 1.1 * most)


@given(st.floats(0.05, 20.0), st.floats(0.01, 1.2))
def test_a_curve_has_the_points_one_by_one(q_star: float, c: float) -> None:
    for phi in (HARD_TANH, soft_threshold(0.5)):
        curve = edge_curve(phi, q_star, c)
        if math.isnan(curve.sigma_w):
            with pytest.raises(NoEdgeOfChaos):
                edge_of_chaos(phi, q_star, c)
            continue
        found = edge_of_chaos(phi, q_star, c)
        for name in ("sigma_w", "sigma_b", "V_prime", "V_double_prime", "sparsity"):
            assert getattr(curve, name) == pytest.approx(getattr(found, name), rel=1e-13, abs=1e-13), name


def test_a_curve_has_gaps_where_no_network_has_the_gain() -> None:
    most = largest_gain(HARD_TANH, 1.0)
    # Hard tanh allows more the larger q* is.
    curve = edge_curve(HARD_TANH, [0.5, 1.0, 2.0], most * (1 + 1e-9))
    assert np.isnan(curve.sigma_b).tolist() == [True, True, False]


@given(st.floats(0.1, 5.0), st.floats(0.3, 0.97))
def test_correlations_settle_over_the_scale_that_the_gain_gives(q_star: float, c: float) -> None:
    found = edge_of_chaos(mf.activation("tanh"), q_star, c)
    rho, depth = correlation_depth(found.activation, found.sigma_w_squared, np.array(q_star))
    assert rho == 1
    assert depth == pytest.approx(-1 / math.log(c), rel=1e-11)


def test_above_one_correlations_settle_below_one() -> None:
    found = edge_of_chaos(mf.activation("tanh"), 2.0, 1.1)
    rho, _ = correlation_depth(found.activation, found.sigma_w_squared, np.array(2.0))
    assert rho < 1
    assert found.mean_field.R(float(rho), 2.0) == pytest.approx(float(rho), rel=1e-12)


@pytest.mark.parametrize("c", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_number_that_is_no_gain_is_refused(c: float) -> None:
    for ask in (edge_of_chaos, edge_curve):
        with pytest.raises(DomainError, match=r"^chi_1 = \S+ is no gain of a layer: give a finite number > 0, 1 for"):
            ask(RELU, 1.0, c)


@pytest.mark.parametrize("c", ["0.9", None, [0.9], True])
def test_what_is_no_number_is_no_gain(c: object) -> None:
    with pytest.raises(DomainError, match=r"^chi_1 = .* is not a number"):
        edge_of_chaos(RELU, 1.0, c)  # type: ignore[arg-type]


def test_what_has_no_edge_at_any_q_has_no_gain_to_choose() -> None:
    for phi, why in ((SIGN, "jumps"), (CONSTANT, "constant")):
        with pytest.raises(NoEdgeOfChaos, match=why):
            edge_of_chaos(phi, 1.0, 0.9)


@given(st.floats(0.05, 10.0), st.floats(0.05, 1.5))
def test_a_network_named_by_its_gain_is_judged_at_its_q(q_star: float, c: float) -> None:
    phi = mf.activation("tanh")
    assume(c <= largest_gain(phi, q_star))
    found, point = edge_of_chaos(phi, q_star, c), operating_point(phi, q_star, chi_1=c)
    assert point.network == found.mean_field
    assert point.q_star == q_star
    assert point.fixed_point is not None
    assert (point.fixed_point.slope, point.fixed_point.curvature) == (found.V_prime, found.V_double_prime)


@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(1.2, 0.0), (1.2, 0.1), (None, 0.1)])
def test_a_gain_and_weights_are_not_given_together(sigma_w: float | None, sigma_b: float) -> None:
    with pytest.raises(DomainError, match=r"chi_1 = 0.9 sets sigma_w and sigma_b at q\*: give --chi, or weights"):
        operating_point(RELU, 1.0, sigma_w, sigma_b, 0.9)
