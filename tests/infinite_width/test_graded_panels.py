"""Gaussian expectations of smooth activations in one variable, against 25-digit values and against mpmath."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp, mpf

from meanfield.activations.analytic import X, call, number, product, quotient, summed
from meanfield.activations.smooth import Smooth
from meanfield.activations.spec import activation
from meanfield.errors import ActivationError
from meanfield.infinite_width.quadrature.graded_panels import Integrand, average, octave

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "smooth.json").read_text())

TANH = Smooth((), (call("tanh", X),))
SMOOTH = {
    "tanh": TANH,
    "gelu": Smooth((), (product([X, call("Phi", X)]),)),
    "erf": Smooth((), (call("erf", X),)),
    "softplus": Smooth((), (call("softplus", X),)),
    "elu": Smooth((0.0,), (call("expm1", X), X)),
}


@cache
def integrand(power: int, order: int) -> Integrand:
    return lambda at: at[order] ** power


def expectation(phi: Smooth, q: float, power: int = 2, order: int = 0) -> float:
    """E of a power of φ or of its derivative."""
    return float(average(phi, integrand(power, order), np.array([q]))[0])


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda e: f"{e['activation']} {e['q']}")
def test_moments_are_the_reference_values_to_the_last_digits(entry: dict) -> None:
    phi, q = SMOOTH[entry["activation"]], entry["q"]
    assert abs(mpf(expectation(phi, q)) / mpf(entry["second_moment"]) - 1) <= 2e-15
    assert abs(mpf(expectation(phi, q, order=1)) / mpf(entry["slope_second_moment"]) - 1) <= 2e-15


OTHERS: dict[str, tuple[Smooth, Callable[[mpf], mpf], list[float]]] = {
    "steep": (Smooth((), (call("tanh", product([number(10), X])),)), lambda x: mp.tanh(10 * x), [0]),
    "far": (Smooth((), (call("tanh", summed([X, number(-5)])),)), lambda x: mp.tanh(x - 5), [5]),
    "fast": (Smooth((), (call("sin", product([number(20), X])),)), lambda x: mp.sin(20 * x), []),
    "a pole near by": (
        Smooth((), (quotient(X, summed([product([X, X]), number(Fraction(1, 400))])),)),
        lambda x: x / (x * x + mpf(1) / 400),
        [0],
    ),
    "a jump and a kink": (
        Smooth((-0.5, 1.0), (number(0), call("sigmoid", X), product([X, X]))),
        lambda x: 0 if x < -0.5 else 1 / (1 + mp.exp(-x)) if x < 1 else x * x,
        [-0.5, 1],
    ),
}


def exact(phi: Callable[[mpf], mpf], q: float, power: int, places: list[float]) -> mpf:
    """E φ(√q z)ⁿ with 20 digits, in x, in steps that every length of φ is above."""
    root = mp.sqrt(q)
    near = {mpf(p) + s * mpf(k) / 8 for p in (0, *places) for k in range(0, 9) for s in (-1, 1)}
    far = {s * root * k / 2 for k in range(20) for s in (-1, 1)} | {s * mpf(2) ** k for k in range(8) for s in (-1, 1)}
    ends = sorted(t for t in near | far if abs(t) <= max(10 * root, 5))
    weight = lambda x: mp.exp(-x * x / (2 * q)) / (root * mp.sqrt(2 * mp.pi))  # noqa: E731
    return mp.quad(lambda x: phi(x) ** power * weight(x), ends)


@pytest.mark.parametrize("q", [0.03, 1.0, 40.0])
@pytest.mark.parametrize("name", OTHERS)
def test_scales_are_found_and_not_assumed(name: str, q: float) -> None:
    phi, f, places = OTHERS[name]
    with mp.workdps(22):
        value = exact(f, q, 2, places)
    assert abs(mpf(expectation(phi, q)) / value - 1) <= 1e-13


@pytest.mark.parametrize("q", [1e-3, 0.03, 1.0, 40.0])
def test_a_narrow_bell_far_out_counts_however_rare(q: float) -> None:
    # E exp(−100(x − 3)²)
    beyond = summed([X, number(-3)])
    bell = Smooth((), (call("exp", product([number(-50), beyond, beyond])),))
    value = math.exp(-900 / (1 + 200 * q)) / math.sqrt(1 + 200 * q)
    assert expectation(bell, q) == pytest.approx(value, rel=2e-13, abs=1e-300)


@pytest.mark.parametrize("q", [1e4, 1e6])
def test_what_is_narrow_is_found_from_afar(q: float) -> None:
    # E exp(−2c(x − 3)²), a bell of width 1/√(2c) in units in which the density is flat
    bell = activation("exp(-50000*(x - 3)**2) + 0*x")
    value = math.exp(-9 / (2 * q)) * math.sqrt(math.pi / 1e5) / math.sqrt(2 * math.pi * q)
    assert expectation(bell, q) == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize("q", [1e20, 1e30, 1e100, 1e290])
@pytest.mark.parametrize(
    ("text", "integral"),
    [("tanh(x)", 4 / 3), ("x/(1 + abs(x))", 2 / 3), ("atan(x)", math.pi / 2), ("sigmoid(x)", 1 / 6)],
)
def test_slopes_around_zero_are_found_from_any_distance(text: str, integral: float, q: float) -> None:
    # √(2πq) E φ'² → ∫ φ'² dx, where the density is flat
    slopes = expectation(activation(text), q, order=1)
    assert slopes * math.sqrt(2 * math.pi * q) == pytest.approx(integral, rel=1e-12 + 3 / math.sqrt(q))


@pytest.mark.parametrize("q", [1e27, 1e60])
def test_slopes_beside_a_break_are_found_from_any_distance(q: float) -> None:
    phi = activation("where(x < 3, tanh(x), tanh(3))")
    integral = math.tanh(3) - math.tanh(3) ** 3 / 3 + 2 / 3
    assert expectation(phi, q, order=1) * math.sqrt(2 * math.pi * q) == pytest.approx(integral, rel=1e-13)


@pytest.mark.parametrize("q", [1e-4, 1.0, 90.0])
def test_what_grows_exponentially_has_the_moments_of_a_lognormal_variable(q: float) -> None:
    assert expectation(Smooth((), (call("exp", X),)), q) == pytest.approx(math.exp(2 * q), rel=2e-13)


def test_an_octave_of_variances_shares_its_points() -> None:
    q = np.linspace(1, 2, 300, endpoint=False)
    together = average(TANH, integrand(2, 0), q)
    assert together[::37] == pytest.approx([expectation(TANH, x) for x in q[::37].tolist()], rel=3e-15)


@pytest.mark.parametrize("k", [-60, -3, 4, 40])
def test_the_weights_are_those_of_a_normal_variable(k: int) -> None:
    q = 1.3 * 2.0**k
    assert expectation(Smooth((), (X,)), q, 2) == pytest.approx(q, rel=1e-14)
    assert expectation(Smooth((), (X,)), q, 4) == pytest.approx(3 * q * q, rel=1e-14)
    assert expectation(Smooth((), (number(1),)), q, 2) == pytest.approx(1, rel=1e-14)


def test_what_varies_without_end_is_refused_with_the_place() -> None:
    endless = Smooth((), (call("sin", quotient(number(1), X)),))
    with pytest.raises(ActivationError, match=r"varies too fast near \|x\| = [0-9.e-]+ to be"):
        octave(endless, 0)


def test_breaks_and_pieces_have_to_fit() -> None:
    with pytest.raises(ActivationError, match="1 breaks separate 2 pieces"):
        Smooth((0.0,), (X,))
    with pytest.raises(ActivationError, match="ascending"):
        Smooth((1.0, 0.0), (X, X, X))
