from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.sampling import sample
from meanfield.activations.spec import activation
from meanfield.errors import ActivationError


def relu(x):
    return np.maximum(x, 0)


@st.composite
def wide_pieces(draw):
    """Knots at least 0.01 apart, kinks and jumps of at least 0.1, all short decimals; and the function they make."""
    knots = sorted(n / 100 for n in draw(st.sets(st.integers(-1500, 1500), min_size=1, max_size=8)))
    tenths = st.integers(-30, 30).map(lambda n: n / 10)
    nonzero = tenths.filter(bool)
    start = draw(st.tuples(nonzero, tenths))
    kinks = draw(st.lists(nonzero, min_size=len(knots), max_size=len(knots)))
    jumps = draw(st.lists(st.just(0.0) | nonzero, min_size=len(knots), max_size=len(knots)))

    def function(x):
        y = start[0] * x + start[1]
        for t, d, jump in zip(knots, kinks, jumps, strict=True):
            y = y + d * relu(x - t) + jump * (x >= t)
        return y

    return knots, jumps, function


@settings(max_examples=60, deadline=None)
@given(wide_pieces(), st.lists(st.floats(-30, 30), min_size=1, max_size=50).map(np.array))
def test_every_knot_of_a_function_with_wide_pieces_is_found_and_nothing_else(made, points):
    knots, jumps, function = made
    phi = sample(function, "f")
    np.testing.assert_allclose(phi.knots, knots, rtol=1e-12, atol=1e-12)
    assert (phi.jumps != 0).tolist() == [jump != 0 for jump in jumps]
    clear = np.abs(points[:, None] - knots).min(axis=1) > 1e-9
    np.testing.assert_allclose(phi(points[clear]), function(points[clear]), rtol=1e-11, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-15, 15), min_size=2, max_size=5)
    .map(sorted)
    .filter(lambda t: all(b - a > 0.02 for a, b in pairwise(t))),
    st.lists(st.floats(0.1, 3), min_size=5, max_size=5),
)
def test_kinks_at_any_double_are_found_to_a_trillionth_and_never_taken_for_jumps(knots, kinks):
    phi = sample(lambda x: sum(d * relu(x - t) for t, d in zip(knots, kinks, strict=False)), "f")
    np.testing.assert_allclose(phi.knots, knots, rtol=1e-12, atol=1e-12)
    assert phi.is_continuous
    assert (phi.slopes[0], phi.intercepts[0]) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(st.floats(-15, 15), st.floats(-5, 5), st.floats(0.1, 3))
def test_a_jump_at_any_double_is_found_to_a_trillionth(at, base, height):
    phi = sample(lambda x: np.where(x >= at, base + height, base), "f")
    np.testing.assert_allclose(phi.knots, [at], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(phi.jumps, height, rtol=1e-11)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (relu, activation("relu")),
        (lambda x: np.clip(x / 6 + 0.5, 0, 1), activation("hard-sigmoid")),
        (lambda x: np.sign(x) * relu(np.abs(x) - 0.5), activation("soft-threshold(0.5)")),
        (lambda x: np.clip(x - 1 / 3, 0, 1.1), activation("clip(x - 1/3, 0, 1.1)")),
        (np.sign, activation("sign")),
        (lambda x: np.heaviside(x - 0.3, 0.5), activation("step(x - 0.3)")),
        (lambda x: np.where(np.abs(x) > 0.7, x, 0.0), activation("hard-threshold(0.7)")),
        (lambda x: np.where(x > 0, x, 0.01 * x), activation("leaky-relu(0.01)")),
        (lambda x: (np.abs(x + 1) - np.abs(x - 1)) / 2, activation("hard-tanh")),
        (lambda x: relu(x - 15.01) - relu(x - 15.02), activation("clip(x - 15.01, 0, 0.01)")),
        (lambda x: relu(x) + 0.1 * relu(x - 5000), activation("relu(x) + 0.1*relu(x - 5000)")),
        (lambda x: 1e6 * relu(x - 0.3), activation("1000000*relu(x - 0.3)")),
        (lambda x: 1e-9 * relu(x - 0.3), activation("1e-9*relu(x - 0.3)")),
        (lambda x: np.ones_like(x), activation("1")),
        (lambda x: x.__imul__(2.0), activation("2*x")),
        (np.vectorize(lambda x: max(x, 0), otypes=[float]), activation("relu")),
        (activation("points: (-1,0) (0,0.2) (1,1); left=0, right=1"),) * 2,
    ],
)
def test_short_decimals_and_fractions_come_back_as_they_were_typed(function, expected):
    phi = sample(function, "f")
    assert phi.knots == expected.knots
    assert phi.slopes == expected.slopes
    assert phi.intercepts == pytest.approx(expected.intercepts, rel=1e-15)


@pytest.mark.parametrize("t", [9.27890625, 1 / 3, math.sqrt(2), 12.345678901, -7.0000001, 3e-5])
@pytest.mark.parametrize("kink", [1, 0.01, 1e-4, -1e-5])
@pytest.mark.parametrize("slope", [0, 0.3, -2])
def test_a_knot_keeps_its_digits_up_to_rounding_over_its_kink(t, kink, slope):
    (knot,) = sample(lambda x: slope * x + kink * relu(x - t), "f").knots
    assert abs(knot - t) <= (1 + abs(t)) * max(1e-13, 4e-15 * (1 + abs(slope)) / abs(kink))


def test_the_knots_of_many_random_functions_come_out_to_1e_12():
    rng = np.random.default_rng(0)
    for _ in range(50):
        while np.diff(at := np.sort(rng.uniform(-15, 15, rng.integers(1, 9)))).min(initial=1) < 0.011:
            pass
        kinks = rng.choice([-1, 1], len(at)) * 10 ** rng.uniform(-2, 0.5, len(at))
        start = rng.uniform(-2, 2, 2)
        slopes = start[0] + np.cumsum([0, *kinks])
        intercepts = start[1] - np.cumsum([0, *(kinks * at)])
        drawn = PiecewiseLinear(at, slopes, intercepts)
        np.testing.assert_allclose(sample(drawn, "f").knots, at, rtol=1e-12, atol=1e-12)


def test_flat_pieces_are_exactly_flat_whatever_the_other_numbers_are():
    phi = sample(lambda x: relu(math.pi - math.e * np.abs(x)), "hat")
    assert phi.is_continuous
    assert (phi.slopes[0], phi.intercepts[0], phi.slopes[3], phi.intercepts[3]) == (0, 0, 0, 0)
    assert phi.knots == pytest.approx([-math.pi / math.e, 0, math.pi / math.e], rel=1e-14, abs=1e-15)


def test_straight_pieces_narrower_or_further_out_than_the_grid_come_out_of_the_smooth_search() -> None:
    assert sample(lambda x: np.clip(x, -5e4, 5e4), "f") == activation("clip(x, -50000, 50000)")
    staircase = sample(lambda x: np.floor(200 * np.clip(x, 0, 1)) / 200, "f")
    assert staircase.knots == tuple(k / 200 for k in range(1, 201))


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (np.sin, -1e4, 1e4),
        (lambda x: relu(x) + 1e-6 * np.sin(x), -1e5, 1e5),
        (np.cbrt, -1e-5, 1e-5),
        (lambda x: np.abs(x) ** 1.5, -1e-5, 1e-5),
        (lambda x: np.sqrt(relu(x - 1)), 1 - 1e-5, 1 + 1e-5),
        (lambda x: 1 / x, -1e-5, 1e-5),
        (np.floor, -math.inf, math.inf),
        (lambda x: np.floor(1000 * np.clip(x, 0, 1)), -0.1, 1.1),
    ],
)
def test_a_function_that_bends_without_end_or_without_bound_is_refused_with_where(function, low, high):
    with pytest.raises(ActivationError, match="f bends too often or too sharply to be followed") as refused:
        sample(function, "f")
    assert "\n" not in str(refused.value)
    where = float(str(refused.value).split("x = ")[1].split(":")[0])
    assert low <= where <= high


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: max(x, 0), "np.vectorize"),
        (lambda x: math.floor(x), "np.vectorize"),
        (lambda x: x[:3], "element by element"),
        (lambda x: 1.0, "not a numpy array"),
        (lambda x: x.sum(), "element by element"),
        (lambda x: x - x.mean() + np.arange(x.size), "f has two values at x = "),
        (lambda x: np.sort(x), "f has two values at x = "),
        (lambda x: np.tanh(x) + np.random.default_rng().random(x.shape), "f has two values at x = "),
        (lambda x: x + 0j, "complex128"),
        (lambda x: x > 0, "bool"),
        (lambda x: np.where(x > 0, 1, 0), "int64"),
        (lambda x: x.astype(np.float32), "float32"),
        (lambda x: x.astype(str), "<U32"),
        (lambda x: list(x), "list"),
        (lambda x: None, "NoneType"),
        (lambda x: np.sqrt(x), "f is nan at x = -0.00"),
        (lambda x: np.where(np.abs(x) > 3, np.inf, x), "f is inf at x = "),
        (lambda x: 1 / 0, "raises ZeroDivisionError: division by zero"),
        (lambda x, y: x, "raises TypeError"),
        (lambda: 0, "raises TypeError"),
        (lambda x: 0 * x, "zero everywhere"),
    ],
)
def test_a_function_that_is_none_of_an_array_is_refused_in_one_line(function, said):
    with pytest.raises(ActivationError) as refused:
        sample(function, "f")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("f")


@pytest.mark.parametrize("fault", [SystemExit(0), GeneratorExit(), type("Own", (BaseException,), {})("no")])
def test_a_function_that_ends_instead_of_returning_is_told_of(fault):
    def f(x):
        raise fault

    with pytest.raises(ActivationError, match=f"f raises {type(fault).__name__}"):
        sample(f, "f")


def test_an_exception_that_cannot_be_printed_is_named():
    class Silent(Exception):
        def __str__(self):
            raise SystemExit

    def f(x):
        raise Silent

    with pytest.raises(ActivationError, match=r"f raises Silent$"):
        sample(f, "f")


def test_ctrl_c_is_not_taken_for_a_fault_of_the_function():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(f, "f")


def test_a_comb_of_thousands_of_knots_is_found():
    period = 0.02
    phi = sample(lambda x: np.where(np.abs(x) < 16, np.abs(x / period - np.round(x / period)), 0), "comb")
    np.testing.assert_allclose(phi.knots, np.arange(-1600, 1601) / 100, atol=1e-12)


def test_a_piecewise_linear_activation_given_as_a_function_is_itself():
    phi = PiecewiseLinear([-1, 2], [1, 0.25, -1], [0.5, 0, 3])
    assert sample(lambda x: phi(x), "f") == phi
