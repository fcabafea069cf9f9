"""Every moment of smooth activations in one variable, against integrals by mpmath and against identities."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import stats

from meanfield.activations.spec import activation
from meanfield.infinite_width import moments
from meanfield.infinite_width.edge_biases import squared_bias, squared_bias_d1
from meanfield.infinite_width.growth import GainGrowth, VarianceGrowth
from meanfield.infinite_width.hermite import power, vanishing
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.square_law import flat_squares, sloping_squares_below

#: φ and φ' as mpmath has them.
Exact = tuple[Callable[[mpf], mpf], Callable[[mpf], mpf]]
CASES: dict[str, Exact] = {
    "tanh(x)": (mp.tanh, lambda x: 1 / mp.cosh(x) ** 2),
    "softplus(x)": (lambda x: mp.log1p(mp.exp(x)), lambda x: 1 / (1 + mp.exp(-x))),
    "where(x > 0, x, 1.7*expm1(x))": (
        lambda x: x if x > 0 else mpf("1.7") * mp.expm1(x),
        lambda x: mpf(1) if x > 0 else mpf("1.7") * mp.exp(x),
    ),
}
CASES |= {
    "tanh(10*x)": (lambda x: mp.tanh(10 * x), lambda x: 10 / mp.cosh(10 * x) ** 2),
    "tanh(x - 5)": (lambda x: mp.tanh(x - 5), lambda x: 1 / mp.cosh(x - 5) ** 2),
}
VARIANCES = [1e-6, 0.3, 50.0, 1e6]


def rule(q: float) -> tuple[list[mpf], list[mpf]]:
    """Points x and weights for E f(√q z): 20 nodes on panels of half a standard deviation, shorter near 0."""
    root = mp.sqrt(q)
    short = {mpf(2) ** k for k in range(-3, 7)} | {mpf(k) for k in range(2, 12)}
    steps = {root * mpf(k) / 2 for k in range(1, 27)} | {step for step in short if step < 13 * root}
    ends = sorted({mpf(0), *steps, *(-s for s in steps)})
    nodes, weights = (list(map(mpf, row)) for row in np.polynomial.legendre.leggauss(20))
    x = [(a + b) / 2 + (b - a) / 2 * t for a, b in pairwise(ends) for t in nodes]
    w = [(b - a) / 2 * w for a, b in pairwise(ends) for w in weights]
    return x, [w * mp.exp(-x * x / (2 * q)) / (root * mp.sqrt(2 * mp.pi)) for x, w in zip(x, w, strict=True)]


@pytest.mark.parametrize("q", VARIANCES)
@pytest.mark.parametrize("text", CASES)
def test_moments_are_those_of_mpmath(text: str, q: float) -> None:
    phi = activation(text)
    with mp.workdps(25):
        points, weights = rule(q)
        at = [(x, *(g(x) for g in CASES[text]), CASES[text][0](-x)) for x in points]

        def expectation(g: Callable[[mpf, mpf, mpf, mpf], mpf]) -> mpf:
            return mp.fsum(w * g(*values) for w, values in zip(weights, at, strict=True))

        square = expectation(lambda x, f, d, m: f * f)
        variance = expectation(lambda x, f, d, m: (f * f - square) ** 2)
        third = expectation(lambda x, f, d, m: (f * f - square) ** 3)
        curved = expectation(lambda x, f, d, m: ((x * x / q - 6) * x * x / q + 3) * f * f) / (4 * mpf(q) ** 2)
        expected = {
            "mean": (expectation(lambda x, f, d, m: f), mp.sqrt(square)),
            "second_moment": (square, square),
            "mirrored_moment": (expectation(lambda x, f, d, m: f * m), square),
            "second_moment_d1": (expectation(lambda x, f, d, m: (x * x / q - 1) * f * f) / (2 * q), square / q),
            "second_moment_d2": (curved, square / mpf(q) ** 2),
            "slope_square_d1": (expectation(lambda x, f, d, m: (x * x / q - 1) * d * d) / (2 * q), 1 / mpf(q)),
            "slope_weighted_square": (expectation(lambda x, f, d, m: (f * d) ** 2), square),
            "slope_weighted_product": (expectation(lambda x, f, d, m: x * f * d), mp.sqrt(square * q)),
        }
        for name, (value, size) in expected.items():
            assert abs(getattr(moments, name)(phi, q) - value) <= 2e-14 * size, name
        assert abs(moments.slope_moment(phi, q, 2) / expectation(lambda x, f, d, m: d * d) - 1) <= 1e-14
        first, second, skewed = moments.square_cumulants(phi, q)
        assert abs(first / square - 1) <= 1e-14
        # What is left where E φ⁴ is nearly (E φ²)², and φ² itself is known to a few units in its last place.
        spread = mp.sqrt(variance)
        rounding = 1e-12 + 1e-15 * square / spread
        assert abs(second / variance - 1) <= rounding
        assert abs(skewed - third) <= rounding * spread**3


@pytest.mark.parametrize("text", ["tanh(x)", "x*Phi(x)", "softplus(x)", "1.7*where(x > 0, x, 2*expm1(x))", "cos(3*x)"])
def test_the_slope_of_the_variance_map_is_the_gain_and_the_curvature_term(text: str) -> None:
    phi, q = activation(text), np.geomspace(1e-12, 1e4, 60)
    size = moments.second_moment(phi, q) / q + moments.slope_moment(phi, q, 2)
    rest = moments.second_moment_d1(phi, q) - moments.slope_moment(phi, q, 2) - moments.curvature_term(phi, q)
    assert (np.abs(rest) <= 2e-13 * size).all()


@pytest.mark.parametrize("text", ["tanh(x)", "x*sigmoid(x)", "expm1(x)*step(-x) + relu(x)"])
def test_many_variances_are_interpolated_to_rounding(text: str) -> None:
    phi, q = activation(text), np.geomspace(1e-9, 1e3, 5000)
    for moment, order in ((moments.second_moment, 0), (moments.second_moment_d1, 1), (moments.second_moment_d2, 2)):
        few = np.array([moment(phi, x) for x in q[::250].tolist()])
        size = moments.second_moment(phi, q[::250]) / q[::250] ** order
        assert (np.abs(moment(phi, q)[::250] - few) <= 2e-14 * size).all()


def test_next_to_no_variance_leaves_every_digit_of_the_difference() -> None:
    # tanh² = x² − (2/3)x⁴ + (17/45)x⁶ − …, so V − q = −2q² + (17/3)q³ − …, and tanh'² − 1 = −2x² + (7/3)x⁴ − ….
    phi, q = activation("tanh(x)"), np.array([1e-30, 1e-12, 1e-7])
    growth = VarianceGrowth(MeanField(phi, 1.0))
    assert growth(q) == pytest.approx(-2 * q**2 + 17 / 3 * q**3, rel=1e-12)
    assert growth.d1(q) == pytest.approx(-4 * q + 17 * q**2, rel=1e-12)
    assert GainGrowth(phi, 1.0)(q) == pytest.approx(-2 * q + 7 * q**2, rel=1e-12)
    # q E φ'² − E φ² = q(1 − 2q + 7q²) − (q − 2q² + 17/3 q³) = 4/3 q³, over E φ'².
    assert squared_bias(phi, q) == pytest.approx(4 / 3 * q**3 / (1 - 2 * q), rel=1e-6)
    assert squared_bias_d1(phi, q) == pytest.approx(4 * q**2, rel=1e-5)


def test_values_at_no_variance_are_limits() -> None:
    selu = activation("where(x > 0, x, 1.7*expm1(x))")
    assert moments.second_moment(selu, 0.0) == 0
    assert moments.second_moment_d1(selu, 0.0) == pytest.approx((1 + 1.7**2) / 2, rel=1e-14)
    assert moments.second_moment_d2(selu, 0.0) == -np.inf
    assert moments.second_moment(activation("cos(x)"), 0.0) == 1
    # cos² = 1 − x² + x⁴/3 − …
    assert moments.second_moment_d1(activation("cos(x)"), 0.0) == pytest.approx(-1, rel=1e-14)
    assert moments.second_moment_d2(activation("cos(x)"), 0.0) == pytest.approx(2, rel=1e-11)


@pytest.mark.parametrize("q", [0.01, 1.0, 100.0])
def test_hermite_coefficients_of_an_exponential_and_of_a_cubic(q: float) -> None:
    # exp(√q z) = e^(q/2) Σ q^(n/2)/n! Heₙ(z)
    n = np.arange(30)
    factorials = np.array([float(mp.factorial(k)) for k in n])
    found = power(activation("exp(x)"), 1).coefficients(np.array([q]), 30)[:, 0]
    expected = np.exp(q / 2) * q ** (n / 2) / np.sqrt(factorials)
    if q < 10:
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    cubic = power(activation("x**3 + 0*tanh(x)"), 1).coefficients(np.array([q]), 6)[:, 0]
    assert cubic == pytest.approx([0, 3 * q**1.5, 0, np.sqrt(6) * q**1.5, 0, 0], rel=1e-13, abs=1e-13 * q**1.5)


def test_hermite_coefficients_sum_to_the_moment() -> None:
    phi, q = activation("tanh(x)"), np.array([0.1, 0.5])
    squares = power(phi, 2).coefficients(q, 100)
    assert (squares[0]) == pytest.approx(moments.second_moment(phi, q), rel=1e-13)
    assert (squares**2).sum(axis=0) == pytest.approx(moments.fourth_moment(phi, q), rel=1e-10)


def test_zeros_of_a_smooth_activation_are_counted_exactly() -> None:
    phi, q = activation("relu(x)**2*step(x - 1)"), np.array([0.3, 4.0])
    assert moments.sparsity(phi, q) == pytest.approx(stats.norm.cdf(1 / np.sqrt(q)), rel=1e-14)
    assert moments.active_share(phi, 0.001) == pytest.approx(stats.norm.sf(1 / np.sqrt(0.001)), rel=1e-13)
    assert moments.sparsity(activation("tanh(x)"), 1.0) == 0
    zero = vanishing(phi).coefficients(q, 60)
    assert zero[0] == pytest.approx(moments.sparsity(phi, q), rel=1e-14)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    z = 1 / np.sqrt(q[1]) + 12 * (nodes + 1) / 2
    third = -(6 * weights * (z**3 - 3 * z) * np.exp(-z * z / 2)).sum() / np.sqrt(2 * np.pi * 6)
    assert zero[3, 1] == pytest.approx(third, rel=1e-12)


def test_the_law_of_a_square_is_that_of_the_inverse() -> None:
    q, y = np.array([0.25, 3.0]), np.linspace(0.01, 1.2, 50) * np.ones((2, 1))
    below = sloping_squares_below(activation("tanh(x)"), q, y)
    # tanh² ≤ y where |x| ≤ artanh √y.
    reach = np.arctanh(np.minimum(np.sqrt(y), 1 - 1e-16)) / np.sqrt(q)[:, None]
    assert np.abs(below - (2 * stats.norm.cdf(reach) - 1)).max() <= 2e-4
    levels, shares = flat_squares(activation("where(x > 1, exp(x), -2)"), q)
    assert levels.tolist() == [4.0]
    assert shares[0] == pytest.approx(stats.norm.cdf(1 / np.sqrt(q)), rel=1e-14)


@pytest.mark.parametrize("q", [0.3, 1.0, 7.0])
def test_what_is_narrow_and_far_from_0_is_no_tangent(q: float) -> None:
    # A bump g of width 0.007 at 3 on the line x: d/dq E(x + g)² = 1 + d/dq E[2xg + g²].
    sharp, centre = 10_000, 3

    def gaussian(power: int, factor: int) -> mpf:
        """d/dq E xⁿ exp(−k·sharp·(x − centre)²)."""
        width = mp.sqrt(1 / mpf(factor * sharp))

        def integrand(x: mpf) -> mpf:
            density = mp.exp(-x * x / (2 * mpf(q))) / mp.sqrt(2 * mp.pi * q)
            return x**power * (x * x / q - 1) / (2 * mpf(q)) * mp.exp(-factor * sharp * (x - centre) ** 2) * density

        return mp.quad(integrand, [centre + k * width for k in range(-9, 10)])

    with mp.workdps(25):
        expected = float(1 + 2 * gaussian(1, 1) + gaussian(0, 2))
    phi = activation(f"x + exp(-{sharp}*(x-{centre})**2)")
    assert moments.second_moment_d1(phi, q) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("q", [1e-10, 1e-8, 1e-6])
@pytest.mark.parametrize("text", ["1 - 1/(1+x**2)", "1/cosh(x) - 1", "x - sin(x)"])
def test_what_larger_terms_leave_near_0_keeps_its_digits(text: str, q: float) -> None:
    exact = {
        "1 - 1/(1+x**2)": lambda x: x * x / (1 + x * x),
        "1/cosh(x) - 1": lambda x: 1 / mp.cosh(x) - 1,
        "x - sin(x)": lambda x: x - mp.sin(x),
    }[text]
    with mp.workdps(50):
        points, weights = rule(q)
        expected = float(mp.fsum(w * exact(x) ** 2 for x, w in zip(points, weights, strict=True)))
    assert moments.second_moment(activation(text), q) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("q", [1e84, 1e156, 1e300])
def test_log_is_averaged_over_any_variance(q: float) -> None:
    # log1p(x²) is 2 log|x| but on a share 1/√q of the line, and E φ'² = ∫ 4x²/(1 + x²)² dx/√(2πq) = √(2π/q).
    phi = activation("log1p(x**2)")
    log_square = float(mp.log(q) - mp.euler - mp.log(2))
    assert moments.second_moment(phi, q) == pytest.approx(log_square**2 + np.pi**2 / 2, rel=1e-13)
    assert moments.slope_moment(phi, q, 2) == pytest.approx(np.sqrt(2 * np.pi / q), rel=1e-13)


def test_a_narrow_bell_far_out_bends_V_however_flat_it_is_near_zero() -> None:
    a, c, q = 5000, 3.0, mpf(1)
    phi = activation(f"exp(-{a}*(x - 3)**2)")
    exact = mp.diff(lambda q: mp.exp(-2 * a * c * c / (1 + 4 * a * q)) / mp.sqrt(1 + 4 * a * q), q, 2)
    assert moments.second_moment_d2(phi, np.array([1.0]))[0] == pytest.approx(float(exact), rel=1e-12)
