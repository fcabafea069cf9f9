"""Moments of the standard normal on a half-line and an interval, against mpmath."""

from __future__ import annotations

import numpy as np
import pytest
from definitions import normal_moments
from mpmath import mp, mpf

from meanfield.infinite_width import gaussian
from meanfield.infinite_width.gaussian import HIGHEST_MOMENT, interval_moments, tail_moments

HALF_LINE = np.unique(np.concatenate([np.linspace(0, 37, 149), [1e-300, 1e-9, 0.001, 6.0, 29.999, 36.999]]))


def exact_tail_moment(n: int, h: float) -> mpf:
    """n! e^(−h²/4) D₋ₙ₋₁(h)/√(2π), D the parabolic cylinder function."""
    return mp.factorial(n) * mp.exp(-(mpf(h) ** 2) / 4) * mp.pcfd(-n - 1, mpf(h)) / mp.sqrt(2 * mp.pi)


@pytest.fixture(scope="module")
def tail_errors() -> np.ndarray:
    """Relative errors of U₀…U₆, shape (HIGHEST_MOMENT + 1, number of h's)."""
    computed = tail_moments(HALF_LINE, HIGHEST_MOMENT)
    with mp.workdps(40):
        return np.array(
            [
                [float(abs(mpf(u) / exact_tail_moment(n, h) - 1)) for u, h in zip(computed[n], HALF_LINE, strict=True)]
                for n in range(HIGHEST_MOMENT + 1)
            ]
        )


@pytest.mark.parametrize("n", range(HIGHEST_MOMENT + 1))
def test_tail_moments_are_exact_to_1e_14_up_to_h_of_6(tail_errors: np.ndarray, n: int) -> None:
    assert tail_errors[n][HALF_LINE <= 6].max() <= 1e-14


@pytest.mark.parametrize("n", range(HIGHEST_MOMENT + 1))
def test_tail_moments_are_exact_to_1e_12_in_the_whole_normal_range(tail_errors: np.ndarray, n: int) -> None:
    assert tail_errors[n][(HALF_LINE <= 30)].max() <= 1e-12
    normal = np.array([u >= np.finfo(float).tiny for u in tail_moments(HALF_LINE, n)[n]])
    assert tail_errors[n][normal].max() <= 1e-12


def test_tail_moments_vanish_at_infinity() -> None:
    assert [float(u) for u in tail_moments(np.array(np.inf), HIGHEST_MOMENT)] == [0.0] * (HIGHEST_MOMENT + 1)


def test_even_half_line_moments_at_zero_are_exact() -> None:
    assert [float(u) for u in tail_moments(np.zeros(()), HIGHEST_MOMENT)[::2]] == [0.5, 0.5, 1.5, 7.5]


def test_the_stored_polynomial_is_the_chebyshev_interpolant_of_the_seventh_ratio() -> None:
    nodes, kept = 44, len(gaussian._RATIO_7)
    with mp.workdps(60):
        angles = [mp.pi * (k + mpf(1) / 2) / nodes for k in range(nodes)]
        values = []
        for angle in angles:
            t = 7 * (1 - mp.cos(angle)) / 2
            h = (49 - t * t) / (2 * t)
            # U₇/U₆ = 7 D₋₈/D₋₇, the common factors cancelled; D is scaled by e^(h²/4) to stay away from 0.
            ratio = mp.hyperu(4, mpf(1) / 2, h * h / 2) / mp.hyperu(mpf(7) / 2, mpf(1) / 2, h * h / 2)
            values.append(7 * ratio / mp.sqrt(2) / t)
        chebyshev = [
            (2 if j else 1) * mp.fsum(v * mp.cos(j * x) for v, x in zip(values, angles, strict=True)) / nodes
            for j in range(kept)
        ]
        powers = [mpf(0)] * kept
        for j, coefficient in enumerate(chebyshev):
            for k, c in enumerate(mp.taylor(lambda s, j=j: mp.chebyt(j, s), 0, j)):
                powers[k] += coefficient * mp.nint(c)
        for stored, derived in zip(gaussian._RATIO_7, powers, strict=True):
            assert abs(mpf(float(stored)) - derived) <= max(mpf("1e-17"), abs(derived) * mpf(2) ** -53)


@pytest.mark.parametrize(
    ("width", "order"),
    [
        *((width, 2) for width in (1e-6, 0.05, 0.9, 1.5, 20.0)),
        *((width, 6) for width in (1e-3, 0.3, 1.5, 2.6, 4.0, 200.0)),
    ],
)
@pytest.mark.parametrize("h", [0.0, 0.7, 3.0, 6.0, 30.0])
def test_interval_moments_are_those_of_the_textbook(h: float, width: float, order: int) -> None:
    w = np.array([width])
    left = np.array([h]) if h else np.zeros(())
    near, far = tail_moments(left, order), tail_moments(h + w, order)
    moments, short = interval_moments(left, w, order, lambda: (near, far))
    unit = w[0] if np.all(short) else 1.0
    bar = 1e-14 if h <= 6 else 1e-12
    # The textbook forms cancel: with u = z − h, and moments of z by parts.
    with mp.workdps(150):
        of_z = normal_moments(mpf(h), mpf(h) + mpf(width), order)
        for n in range(order + 1):
            exact = mp.fsum(mp.binomial(n, k) * (-mpf(h)) ** (n - k) * of_z[k] for k in range(n + 1)) / mpf(unit) ** n
            assert abs(mpf(float(moments[n][0])) / exact - 1) <= bar, n
