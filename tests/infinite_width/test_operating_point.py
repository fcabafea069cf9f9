"""One way to say which network is meant, and at which fixed point it is judged."""

from __future__ import annotations

import math

import pytest
from examples import HARD_TANH, RELU, SIGN, clipped_relu, shifted_relu

import meanfield as mf
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.fixed_points import fixed_points
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.operating_point import operating_point, operating_point_of

#: Clipped ReLU near its edge of chaos, typed with seven digits: V has three fixed points.
LOOSE = clipped_relu(1.0364, 2.0)
SIGMA_W, SIGMA_B = 2.592286, 0.737097


@pytest.mark.parametrize("phi", [shifted_relu(0.5), LOOSE, HARD_TANH])
@pytest.mark.parametrize("q_star", [0.25, 1.0, 9.0])
def test_without_weights_it_is_the_edge_of_chaos_with_its_exact_slope(phi: mf.PiecewiseLinear, q_star: float) -> None:
    edge, point = edge_of_chaos(phi, q_star), operating_point(phi, q_star)
    assert point.network == edge.mean_field
    assert point.q_star == q_star
    assert point.fixed_point is not None
    assert (point.fixed_point.slope, point.fixed_point.curvature) == (edge.V_prime, edge.V_double_prime)
    assert operating_point_of(edge) == point


def iterated(network: MeanField, q: float) -> float:
    """Where V takes q in many layers."""
    for _ in range(2000):
        q = network.V(q)
    return q


@pytest.mark.parametrize(
    ("asked", "start"), [(3.4, 3.0), (1.25, 3.0), (100.0, 3.0), (1.2, 0.7), (0.9, 0.7), (0.01, 0.7)]
)
def test_with_weights_it_is_where_a_signal_of_that_variance_goes(asked: float, start: float) -> None:
    point = operating_point(LOOSE, asked, SIGMA_W, SIGMA_B)
    assert len(point.fixed_points) == 3
    # These two attract, so that V itself finds them.
    assert point.q_star == pytest.approx(iterated(point.network, start), rel=1e-9)
    assert operating_point_of(point.network, asked) == point


def test_the_one_that_repels_is_judged_where_it_is_asked_for_by_its_digits() -> None:
    point = operating_point(LOOSE, 1.2348, SIGMA_W, SIGMA_B)
    assert point.fixed_point == fixed_points(point.network)[1]
    assert point.fixed_point.kind == "unstable"


def test_where_every_variance_is_kept_it_is_the_one_asked_for() -> None:
    for point in (operating_point(RELU, 3.0, math.sqrt(2)), operating_point(RELU, 3.0)):
        assert point.q_star == 3.0
        assert point.fixed_point is not None
        assert (point.fixed_point.kind, point.fixed_point.until) == ("neutral", math.inf)
        assert "for every q" in mf.diagnose(point).verdict.explanation


def test_an_edge_takes_nothing_from_a_fixed_point_that_is_not_its_own() -> None:
    # V'(q*) is 1 and V'' next to nothing, so that none above 0 is found.
    phi = mf.activation("where(x > 0, x, 0.5*x) + min(max(x - 1, 0), 1)")
    point = operating_point(phi, 0.01)
    assert not any(p.q for p in point.fixed_points)
    assert point.fixed_point is not None and point.fixed_point.until == 0.01
    assert mf.diagnose(point).verdict.word == "neutral"


@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(1.5, 0.5), (1.3, 0.0)])
def test_without_a_signal_left_there_is_no_variance_to_judge(sigma_w: float, sigma_b: float) -> None:
    # The one grows without bound, the other dies out.
    point = operating_point(RELU, 1.0, sigma_w, sigma_b)
    assert point.q_star is None
    assert (point.fixed_point is None) == bool(sigma_b)


def test_biases_without_weights_and_what_has_no_edge_are_refused() -> None:
    with pytest.raises(DomainError, match=r"sigma_b = 0.3 needs sigma_w"):
        operating_point(RELU, 1.0, None, 0.3)
    with pytest.raises(NoEdgeOfChaos):
        operating_point(SIGN, 1.0)
    with pytest.raises(DomainError, match="q_star = 0"):
        operating_point(RELU, 0.0, 1.4)


def test_a_diagnosis_of_a_network_an_edge_and_their_point_is_one() -> None:
    edge = edge_of_chaos(LOOSE)
    assert mf.diagnose(edge) == mf.diagnose(operating_point(LOOSE)) == mf.diagnose(mf.operating_point_of(edge))
    network = MeanField(LOOSE, SIGMA_W, SIGMA_B)
    assert mf.diagnose(network, 3.4) == mf.diagnose(operating_point(LOOSE, 3.4, SIGMA_W, SIGMA_B))


@pytest.mark.parametrize(
    "weights", [(7.6930823202308165, 0.9782657138401457), (7.9618801112068835, 0.4603553288673248)]
)
def test_a_signal_that_has_come_to_a_fixed_point_is_judged_there(weights: tuple[float, float]) -> None:
    # V leaves it a last bit beside the fixed point found.
    network = MeanField(clipped_relu(1.0, 2.0), *weights)
    q = 1.0
    for _ in range(100):
        q = network.V(q)
    assert operating_point_of(network).q_star == pytest.approx(q, rel=1e-12)


@pytest.mark.parametrize("sigma_b", [0.0, 0.05, 0.1, 0.3])
def test_a_bounded_activation_never_grows_without_bound(sigma_b: float) -> None:
    # Half an ulp decides on which side of its fixed point a settled signal stands.
    for sigma_w in (hundredths / 100 for hundredths in range(110, 205, 5)):
        point, q = operating_point(HARD_TANH, 1.0, sigma_w, sigma_b), 1.0
        for _ in range(200):
            q = point.network.V(q)
        assert point.q_star == pytest.approx(q, rel=1e-9)


@pytest.mark.parametrize(
    "spec", ["shifted-relu(1)", "soft-threshold(0.5)", "hard-threshold(0.8)", "clipped-relu(1, 1)"]
)
@pytest.mark.parametrize("q_star", [1e-2, 0.3])
def test_a_signal_that_has_died_out_is_at_zero(spec: str, q_star: float) -> None:
    point = operating_point(mf.activation(spec), q_star, 1.2, 0.0)
    assert iterated(point.network, q_star) == 0
    assert point.fixed_point is not None and point.fixed_point.q == 0
    assert "die out" in mf.diagnose(point).verdict.explanation


@pytest.mark.parametrize(
    ("spec", "sigma_w", "sigma_b"),
    [
        ("soft-threshold(0.5)", 1.27301, 0.566162),
        ("relu", 1.41, 0.0),
        ("relu", 1.5, 0.0),
        ("relu6", 1.4142135623730951, 0.0),
        ("clipped-relu(1, 1)", 4.0, 0.2),
        ("hard-tanh", 1.5, 0.1),
        ("shifted-relu(1)", 2.5, 0.0),
    ],
)
def test_a_plane_of_networks_is_judged_as_each_of_them_is(spec: str, sigma_w: float, sigma_b: float) -> None:
    phi = mf.activation(spec)
    plane, one = mf.phase_diagram(phi, [sigma_w], [sigma_b]), mf.diagnose(mf.MeanField(phi, sigma_w, sigma_b))
    at = one.point.fixed_point
    assert plane.q_star.item() == pytest.approx(at.q if at else math.inf, rel=1e-9)
    assert plane.phase.item() == one.phase
