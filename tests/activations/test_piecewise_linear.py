from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import ActivationError

tenths = st.integers(-50, 50).map(lambda n: n / 10)


@st.composite
def activations(draw: st.DrawFn) -> PiecewiseLinear:
    knots = sorted(draw(st.sets(tenths, max_size=5)))
    slopes = draw(st.lists(tenths, min_size=len(knots) + 1, max_size=len(knots) + 1))
    intercepts = draw(st.lists(tenths, min_size=len(knots) + 1, max_size=len(knots) + 1))
    if not any(slopes) and not any(intercepts):
        slopes[0] = 1.0
    return PiecewiseLinear(tuple(knots), tuple(slopes), tuple(intercepts))


def reflected(phi: PiecewiseLinear, sign: float) -> PiecewiseLinear:
    """x ↦ sign·φ(−x)."""
    return PiecewiseLinear(
        tuple(-t for t in phi.knots[::-1]),
        tuple(-sign * a for a in phi.slopes[::-1]),
        tuple(sign * c for c in phi.intercepts[::-1]),
    )


@given(
    st.lists(tenths, min_size=1, max_size=12, unique=True).map(sorted),
    st.lists(tenths, min_size=13, max_size=13),
    st.lists(tenths, min_size=13, max_size=13),
    st.lists(st.floats(-8, 8), min_size=1),
)
def test_value_and_slope_are_those_of_the_line_that_x_lies_on(knots, slopes, intercepts, points):
    slopes, intercepts = slopes[: len(knots) + 1], [*intercepts[: len(knots)], 1.0]
    phi = PiecewiseLinear(knots, slopes, intercepts)
    # Values are sums over pieces, each as large as slope times knot.
    rounding = 1e-14 * (1 + sum(abs(a) for a in slopes) + max(map(abs, intercepts)))
    for x in points:
        piece = sum(x >= t for t in knots)
        assert phi(x) == pytest.approx(slopes[piece] * x + intercepts[piece], abs=rounding)
        assert phi.slopes_at(phi.marks(np.array(x))) == slopes[piece]
    np.testing.assert_array_equal(phi(points), [phi(x) for x in points])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8, 1e16, 1e30])
@pytest.mark.parametrize(
    "phi",
    [
        PiecewiseLinear([1, 2], [0, 1, 0], [0, -1, 1]),
        PiecewiseLinear([-1, 1], [0, 1, 0], [-1, 0, 1]),
        PiecewiseLinear([-0.5, 0.5], [1, 0, 1], [0.5, 0, -0.5]),
        PiecewiseLinear([-0.5, 0.5], [1, 0, 1], [0, 0, 0]),
        PiecewiseLinear([-1e-15, 1e-15], [0, 1e15, 0], [-1, 0, 1]),
        PiecewiseLinear([-1, 0.5, 3], [-0.5, 2, 0.25, 0], [0, 1, 1.875, 5]),
        PiecewiseLinear([], [2], [1]),
    ],
)
def test_values_are_right_to_rounding_however_far_out(phi, scale):
    x = scale * np.random.default_rng(0).standard_normal(500)
    piece = phi.marks(x)
    line = np.take(phi.slopes, piece) * x + np.take(phi.intercepts, piece)
    size = np.abs(phi.intercepts).max() + np.abs(line)
    assert (np.abs(phi.values(x) - line) <= 1e-14 * size).all()


@pytest.mark.parametrize(
    "phi",
    [
        PiecewiseLinear([-1, 0, 1, 2], [1, 0, 1, 0, -1], [2, 0, 0, 0, 3]),
        # 0.1·3 − 0.3 is not 0 in doubles.
        PiecewiseLinear([-3, 0, 1], [0, 0.1, 0, 1], [-0.3, 0, 0, -1]),
        PiecewiseLinear([-0.5, 0.5], [1, 0, 1], [0.5, 0, -0.5]),
        PiecewiseLinear([1, 1.1, 1.2], [0, 0.7, -0.7, 0], [0, -0.7, 0.84, 0]),
    ],
)
def test_values_are_exactly_zero_where_phi_is(phi):
    x = np.linspace(-5, 5, 4001)
    piece = phi.marks(x)
    zero = (np.take(phi.slopes, piece) == 0) & (np.take(phi.intercepts, piece) == 0)
    assert zero.any()
    assert (phi.values(x)[zero] == 0).all()


def test_small_values_keep_their_digits():
    assert PiecewiseLinear([-1, 1], [0, 1, 0], [-1, 0, 1])(1e-30) == 1e-30


def test_a_graph_joins_its_lines_where_phi_is_continuous_and_leaves_jumps_open():
    phi = PiecewiseLinear([-1, 1], [0, 1, 0], [-1, 0, 3])
    lines = phi.graph(-2, 4)
    assert [x.tolist() for x, _ in lines] == [[-2, -1], [-1, 1], [1, 4]]
    assert [y.tolist() for _, y in lines] == [[-1, -1], [-1, 1], [3, 3]]
    assert [x.tolist() for x, _ in phi.graph(0, 0.5)] == [[0, 0.5]]


@given(activations())
def test_a_record_is_the_activation(phi):
    assert PiecewiseLinear(**phi.as_record()) == phi


def test_value_has_the_shape_of_x():
    phi = PiecewiseLinear([0], [0, 1], [0, 0])
    assert phi(np.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert isinstance(phi(2), float)


def test_flat_pieces_stay_finite_at_infinity():
    phi = PiecewiseLinear([0], [0, 1], [3, 3])
    assert phi(-math.inf) == 3
    assert phi(math.inf) == math.inf


def test_limits_at_a_jump_are_both_sides_and_the_value_is_the_right_one():
    phi = PiecewiseLinear([1], [1, 2], [0, 5])
    assert phi.limits(1) == (1, 7)
    assert phi(1) == 7
    assert phi.jumps.tolist() == [6]
    assert phi.kinks.tolist() == [1]
    assert not phi.is_continuous


def test_lines_that_meet_up_to_rounding_do_not_jump():
    # 0.1·3 − 0.3 is not 0 in doubles.
    phi = PiecewiseLinear([3], [0, 0.1], [0, -0.3])
    assert phi.is_continuous
    assert phi.right_values.tolist() == [0]


@given(activations(), st.sampled_from([-7.0, 0.05, 7.0]))
def test_a_knot_at_which_nothing_changes_makes_no_difference(phi, knot):
    piece = sum(knot >= t for t in phi.knots)
    knots = sorted([*phi.knots, knot])
    slopes = [*phi.slopes[: piece + 1], *phi.slopes[piece:]]
    intercepts = [*phi.intercepts[: piece + 1], *phi.intercepts[piece:]]
    same = PiecewiseLinear(knots, slopes, intercepts)
    assert same == phi
    assert hash(same) == hash(phi)


@given(activations())
def test_repr_can_be_pasted_back(phi):
    assert eval(repr(phi)) == phi


@given(activations())
def test_odd_and_even_are_what_reflection_says(phi):
    assert phi.is_odd == (reflected(phi, -1) == phi)
    assert phi.is_even == (reflected(phi, 1) == phi)


@pytest.mark.parametrize(
    ("phi", "odd", "even", "homogeneous", "bounded"),
    [
        (PiecewiseLinear([0], [0, 1], [0, 0]), False, False, True, False),
        (PiecewiseLinear([0], [-1, 1], [0, 0]), False, True, True, False),
        (PiecewiseLinear([], [1], [0]), True, False, True, False),
        (PiecewiseLinear([-1, 1], [0, 1, 0], [-1, 0, 1]), True, False, False, True),
        (PiecewiseLinear([0], [0, 0], [-1, 1]), True, False, False, True),
        (PiecewiseLinear([], [0], [2]), False, True, False, True),
    ],
)
def test_symmetry_homogeneity_and_boundedness_of_known_activations(phi, odd, even, homogeneous, bounded):
    assert (phi.is_odd, phi.is_even, phi.is_homogeneous, phi.is_bounded) == (odd, even, homogeneous, bounded)


@pytest.mark.parametrize(("knot", "x"), [(-1e6, 1e-11), (-100.0, 1e-9), (3e8, 4e8)])
def test_a_jump_leaves_no_rounding_of_its_size(knot, x):
    assert PiecewiseLinear([knot], [0, 1], [0, 0])(x) == x


def test_what_is_asked_of_phi_is_answered_from_its_pieces():
    phi = PiecewiseLinear([-2, 0, 1], [0, 0, 1, 0], [0, 3, 3, 9])
    assert phi.discontinuities == (-2, 1)
    assert phi.scales == (2, 1)
    assert phi.has_slope
    assert not PiecewiseLinear([0], [0, 0], [-1, 1]).has_slope


@pytest.mark.parametrize(
    ("knots", "slopes", "intercepts", "said"),
    [
        ([0], [0], [0, 0], "1 knots separate 2 pieces"),
        ([0, 0], [0, 1, 0], [0, 0, 0], "repeated"),
        ([1, 0], [0, 1, 0], [0, 0, 0], "not ascending"),
        ([math.nan], [0, 1], [0, 0], "finite"),
        ([0], [0, math.inf], [0, 0], "finite"),
        ([0], [0, 10**400], [0, 0], "not a list of numbers"),
        (["a"], [0, 1], [0, 0], "not a list of numbers"),
        (None, [0, 1], [0, 0], "not a list of numbers"),
        ([0], [0, 0], [0, -0.0], "zero everywhere"),
    ],
)
def test_what_is_no_activation_is_refused_in_one_line(knots, slopes, intercepts, said):
    with pytest.raises(ActivationError, match=said) as refused:
        PiecewiseLinear(knots, slopes, intercepts)
    assert "\n" not in str(refused.value)
