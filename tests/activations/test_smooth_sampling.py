"""Smooth functions that can only be called, against the same functions as expressions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.polynomial import chebyshev as series
from numpy.typing import NDArray
from scipy.special import erf, expit, ndtr

from meanfield.activations.activation import Activation
from meanfield.activations.analytic import call, number, power, product, quotient, summed
from meanfield.activations.chebyshev_pieces import Chebyshev, Panel
from meanfield.activations.sampling import sample
from meanfield.activations.smooth import Smooth
from meanfield.activations.trees import Number, Tree, X
from meanfield.errors import ActivationError
from meanfield.infinite_width import moments

Array = NDArray[np.float64]


def times(a: Fraction | int, tree: Tree) -> Tree:
    return product([number(a), tree])


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


NEGATIVE = times(-1, X)
GELU = Smooth((), (product([X, call("Phi", X)]),))
SELU = 1.6732632423543772, 1.0507009873554805
#: A function that can only be called, and the same function as trees.
KNOWN: dict[str, tuple[Callable[[Array], Array], Smooth]] = {
    "tanh": (np.tanh, Smooth((), (call("tanh", X),))),
    "steep": (lambda x: np.tanh(10 * x), Smooth((), (call("tanh", times(10, X)),))),
    "shifted": (lambda x: np.tanh(x - 5), Smooth((), (call("tanh", summed([X, number(-5)])),))),
    "erf": (erf, Smooth((), (call("erf", X),))),
    "gelu": (lambda x: x * ndtr(x), GELU),
    "gelu, as it is typed": (lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))), GELU),
    "silu": (lambda x: x * expit(x), Smooth((), (product([X, call("sigmoid", X)]),))),
    "mish": (
        lambda x: x * np.tanh(np.logaddexp(0, x)),
        Smooth((), (product([X, call("tanh", call("softplus", X))]),)),
    ),
    "softplus": (lambda x: np.logaddexp(0, x), Smooth((), (call("softplus", X),))),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), Smooth((0.0,), (call("expm1", X), X))),
    "selu": (
        lambda x: SELU[1] * np.where(x > 0, x, SELU[0] * np.expm1(np.minimum(x, 0))),
        Smooth(
            (0.0,),
            (times(Fraction(SELU[0]) * Fraction(SELU[1]), call("expm1", X)), times(Fraction(SELU[1]), X)),
        ),
    ),
    "softsign": (
        lambda x: x / (1 + np.abs(x)),
        Smooth((0.0,), (quotient(X, summed([number(1), NEGATIVE])), quotient(X, summed([X, number(1)])))),
    ),
    "hardswish": (
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        Smooth(
            (-3.0, 3.0),
            (number(0), summed([times(Fraction(1, 6), power(X, number(2))), times(Fraction(1, 2), X)]), X),
        ),
    ),
    "relu2": (lambda x: relu(x) ** 2, Smooth((0.0,), (number(0), power(X, number(2))))),
    "atan": (np.arctan, Smooth((), (call("atan", X),))),
    "asinh": (np.arcsinh, Smooth((), (call("asinh", X),))),
    "gaussian": (lambda x: np.exp(-x * x), Smooth((), (call("exp", times(-1, power(X, number(2)))),))),
    "relu times exp": (
        lambda x: relu(x - 0.3) * np.exp(-np.abs(x)),
        Smooth((0.3,), (number(0), product([summed([X, number(Fraction(-3, 10))]), call("exp", NEGATIVE)]))),
    ),
    "a jump": (
        lambda x: np.where(x < 0.7, np.tanh(x), expit(x) + 1),
        Smooth((0.7,), (call("tanh", X), summed([call("sigmoid", X), number(1)]))),
    ),
}
SAMPLED = {name: sample(function, name) for name, (function, _) in KNOWN.items()}


def moments_of(phi: Activation, q: float) -> tuple[float, float]:
    """E φ² and E φ'²."""
    return float(moments.second_moment(phi, np.array([q]))[0]), float(moments.slope_moment(phi, np.array([q]), 2)[0])


@pytest.mark.parametrize("name", KNOWN)
def test_a_sampled_function_is_the_function_with_its_breaks_and_derivatives(name: str) -> None:
    phi, expected = SAMPLED[name], KNOWN[name][1]
    assert phi.breaks == expected.breaks
    rng = np.random.default_rng(1)
    x = np.concatenate([scale * rng.standard_normal(4000) for scale in (1e-6, 1e-3, 0.1, 1, 10, 1e3, 1e6)])
    x = x[np.argsort(np.abs(x))]
    size = np.zeros_like(x)
    # What is known of a derivative is what is known of the function, over a length of the order of 1.
    for found, exact, share in zip(phi.jet(x), expected.jet(x), (3e-15, 5e-13, 2e-10), strict=True):
        size = np.maximum(size, np.maximum.accumulate(np.abs(exact)))
        assert (np.abs(found - exact) <= share * np.maximum(size, size[np.abs(x) < 0.5].max())).all()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("q", [1e-6, 1.0, 1e6])
def test_moments_of_a_sampled_function_are_those_of_its_expression(name: str, q: float) -> None:
    phi, expected = SAMPLED[name], KNOWN[name][1]
    (found, found_slope), (square, slope_square) = moments_of(phi, q), moments_of(expected, q)
    assert abs(found - square) <= 5e-15 * square
    known = 5e-14 * math.sqrt(square * slope_square / max(1, q))
    assert abs(found_slope - slope_square) <= 5e-14 * slope_square + known


@pytest.mark.parametrize("q", [1e-3, 1.0, 30.0, 1e6])
def test_a_narrow_bell_that_is_0_to_the_last_bit_elsewhere_is_not_overlooked(q: float) -> None:
    a, c = 1e4, 3.0
    phi = sample(lambda x: np.exp(-a * (x - c) ** 2), "bell")
    assert isinstance(phi, Smooth)
    # A Gaussian integral of a Gaussian.
    expected = math.exp(-2 * a * c * c / (1 + 4 * a * q)) / math.sqrt(1 + 4 * a * q)
    assert moments_of(phi, q)[0] == pytest.approx(expected, rel=1e-13)


def test_what_is_constant_a_line_or_a_polynomial_is_so_exactly() -> None:
    assert SAMPLED["hardswish"] == KNOWN["hardswish"][1]
    assert SAMPLED["relu2"] == KNOWN["relu2"][1]
    assert SAMPLED["relu times exp"].pieces[0] == Number(Fraction(0))
    far = np.array([-1e30, -1e9, -100.0, 100.0, 1e9, 1e30])
    assert (SAMPLED["tanh"].values(far) == np.sign(far)).all()
    assert (SAMPLED["gelu"].values(far) == relu(far)).all()
    assert (SAMPLED["softplus"].jet(far)[1] == (far > 0)).all()


#: Of x − t: continuous, and with a first derivative that differs from that on the left, 0.
ONSETS: dict[int, Callable[[Array], Array]] = {
    0: lambda u: np.cos(u) * (u >= 0) * np.exp(-u * u / 8),
    1: lambda u: np.tanh(relu(u)),
    2: lambda u: relu(u) * np.tanh(relu(u)),
    3: lambda u: relu(u) ** 3 * np.exp(-relu(u)),
}


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(list(ONSETS)),
    st.floats(-15, 15).filter(lambda t: abs(t) > 1e-3),
    st.floats(0.1, 3) | st.floats(-3, -0.1),
    st.sampled_from([np.tanh, expit, lambda x: x * expit(x), lambda x: 1 / (1 + x * x), lambda x: 0 * x]),
)
def test_a_break_at_any_double_is_found_to_the_rounding_of_what_differs_there(
    order: int, t: float, a: float, smooth: Callable[[Array], Array]
) -> None:
    phi = sample(lambda x: smooth(x) + a * ONSETS[order](x - t), "f")
    (found,) = phi.breaks
    # So much of t goes unnoticed in the values of the derivative below, which are known to fewer digits the higher.
    assert abs(found - t) <= {0: 1e-12, 1: 1e-12, 2: 1e-10, 3: 1e-7}[order] * (1 + abs(t))
    assert phi.discontinuities == ((found,) if order == 0 else ())


def test_many_breaks_are_told_apart() -> None:
    phi = sample(lambda x: np.abs(np.sin(np.clip(x, -20, 20))), "f")
    expected = [-20, *(math.pi * k for k in range(-6, 7)), 20]
    np.testing.assert_allclose(phi.breaks, expected, rtol=0, atol=1e-13)
    close = sample(lambda x: np.tanh(relu(x - 0.3)) + relu(x - 0.301), "f")
    assert close.breaks == (0.3, 0.301)


def test_the_knots_of_a_spline_are_its_breaks() -> None:
    from scipy.interpolate import CubicSpline

    knots = np.array([-3, -1.5, -0.25, 0.5, 1, 2.75])
    spline = CubicSpline(knots, np.tanh(2 * knots), bc_type="clamped")
    phi = sample(lambda x: spline(np.clip(x, knots[0], knots[-1])), "spline")
    assert phi.breaks == tuple(knots)
    x = np.linspace(-4, 4, 1001)
    np.testing.assert_allclose(phi.values(x), spline(np.clip(x, knots[0], knots[-1])), rtol=0, atol=2e-14)


def test_an_analytic_function_has_no_break_however_steep() -> None:
    for steepness in (1, 100, 1e5):
        assert sample(lambda x, a=steepness: np.tanh(a * x), "f").breaks == ()
        assert sample(lambda x, a=steepness: (x + np.sqrt(x * x + 1 / a**2)) / 2, "f").breaks == ()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: np.tanh(x.astype(np.float32)).astype(float), r"accurate to \de-08 of its size only, near x = "),
        (lambda x: np.tanh(x) + 1e-12 * np.sin(1e9 * x), r"accurate to \de-1\d of its size only, near x = "),
        (lambda x: np.log1p(np.exp(x)), "f is inf at x = 7"),
        (np.log, "f is nan at x = -"),
        (lambda x: np.where(x > 2, np.random.default_rng().random(x.shape), np.tanh(x)), "f has two values at x = "),
        (lambda x: np.tanh(x) + x[::-1], "f has two values at x = "),
    ],
)
def test_a_function_that_rounds_coarsely_or_is_none_is_refused_with_where(
    function: Callable[[Array], Array], said: str
) -> None:
    with pytest.raises(ActivationError, match=said) as refused:
        sample(function, "f")
    assert "\n" not in str(refused.value)


def test_panels_add_up_series_and_take_out_powers() -> None:
    rng = np.random.default_rng(2)
    rows = [rng.standard_normal(n) for n in (5, 3)]
    panels = (Panel(-1.25, 0.5, tuple(rows[0]), size=1.0), Panel(0.0, 2.0, tuple(rows[1]), size=1.0, power=2))
    tree = Chebyshev((-1.0, 0.0, 2.0), panels, (1.0,), (0.0, 3.0))
    left = series.Chebyshev(rows[0], domain=[-1.25, 0.5])
    right = series.Chebyshev(rows[1], domain=[0, 2]).convert(kind=np.polynomial.Polynomial) * np.polynomial.Polynomial(
        [0, 0, 1]
    )
    x, y = np.linspace(-1, -0.01, 7), np.linspace(0, 2, 7)
    for k, found in enumerate(tree.jet(np.concatenate([x, y]))):
        np.testing.assert_allclose(found, np.concatenate([left.deriv(k)(x), right.deriv(k)(y)]), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(tree.jet(np.array([-7.0, 5.0])), [[1, 15], [0, 3], [0, 0]])
    again = Chebyshev.from_record(json.loads(json.dumps(tree.as_record())))
    assert again == tree and hash(again) == hash(tree)
