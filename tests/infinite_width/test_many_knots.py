"""Activations with hundreds of knots: moments and covariances by other routes than the package's own."""

from __future__ import annotations

import math

import definitions
import numpy as np
import pytest
from mpmath import mp, mpf

from meanfield import MeanField, PiecewiseLinear, fixed_points
from meanfield.infinite_width import moments
from meanfield.infinite_width.closed_forms import price_kernel
from meanfield.infinite_width.closed_forms.price_kernel import PriceKernel
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_d2, covariance_loss


def table(count: int, seed: int) -> PiecewiseLinear:
    """Lines through random points: steep pieces of every width, a few flat ones among them."""
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.uniform(-3, 3, count))
    heights = rng.standard_normal(count)
    heights[1::7] = heights[::7][: len(heights[1::7])]
    slopes = np.concatenate([[0.25], np.diff(heights) / np.diff(knots), [-0.5]])
    intercepts = np.concatenate([heights[:1], heights]) - slopes * np.concatenate([knots[:1], knots])
    return PiecewiseLinear(tuple(knots.tolist()), tuple(slopes.tolist()), tuple(intercepts.tolist()))


def staircase(count: int, seed: int) -> PiecewiseLinear:
    """Random levels."""
    rng = np.random.default_rng(seed)
    levels = (0.0, *rng.standard_normal(count).tolist())
    return PiecewiseLinear(tuple(np.sort(rng.uniform(-3, 3, count)).tolist()), (0.0,) * (count + 1), levels)


TABLE, STAIRS = table(48, 1), staircase(48, 2)
MANY = pytest.mark.parametrize("phi", [TABLE, STAIRS], ids=["table", "staircase"])


@pytest.fixture(autouse=True)
def forty_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums over pairs that these are tested against take long."""
    monkeypatch.setattr(price_kernel, "_MANY", 40)


@MANY
@pytest.mark.parametrize("q", [1e-4, 0.3, 1.0, 200.0])
def test_moments_are_those_of_the_definition(phi: PiecewiseLinear, q: float) -> None:
    with mp.workdps(60):
        exact = [definitions.power_moment(phi, q, n) for n in (1, 2, 4)]
    found = [moments.mean(phi, q), moments.second_moment(phi, q), moments.fourth_moment(phi, q)]
    size = [float(e) ** (1 / n) for n, e in ((2, exact[1]), (2, exact[1]), (4, exact[2]))]
    for n, here, value, scale in zip((1, 2, 4), found, exact, size, strict=True):
        assert abs(here - value) <= 1e-13 * scale**n


@pytest.mark.parametrize("q", [1e-3, 0.7, 50.0])
def test_derivatives_of_the_second_moment_are_those_of_the_definition(q: float) -> None:
    with mp.workdps(60):
        first, second = (definitions.second_moment_derivative(TABLE, q, n) for n in (1, 2))
        scale = float(definitions.slope_moment(TABLE, q, 2))
    assert abs(moments.second_moment_d1(TABLE, q) - first) <= 1e-12 * scale
    assert abs(moments.second_moment_d2(TABLE, q) - second) <= 1e-11 * scale / q


@MANY
def test_variances_of_any_number_have_the_same_moments(phi: PiecewiseLinear) -> None:
    network, q = MeanField(phi, 1.3, 0.2), np.exp(np.linspace(math.log(1e-8), math.log(1e6), 700))
    for map_ in (network.V, network.dV, network.d2V, network.gain, network.sparsity):
        one_by_one = np.array([map_(x) for x in q[::60].tolist()])
        np.testing.assert_allclose(map_(q)[::60], one_by_one, rtol=1e-12, atol=1e-300)


def double_sum(knots: list[float], steps: list[float], q: float, y: float) -> tuple[float, float]:
    """Σᵢⱼ dᵢdⱼ ϕ₂(hᵢ, hⱼ; r) dr/dy by its definition, and the same with all signs alike."""
    h, d = [mpf(t) / mp.sqrt(mpf(q)) for t in knots], [mpf(step) for step in steps]
    near, far = 1 + mp.exp(-2 * mpf(y)), 1 + mp.exp(2 * mpf(y))
    terms = [
        (1 if i == j else 2) * d[i] * d[j] * mp.exp(-((h[i] + h[j]) ** 2 * near + (h[i] - h[j]) ** 2 * far) / 8)
        for i in range(len(h))
        for j in range(i + 1)
    ]
    norm = 2 * mp.pi * mp.cosh(mpf(y))
    return float(mp.fsum(terms) / norm), float(mp.fsum(map(abs, terms)) / norm)


@MANY
@pytest.mark.parametrize("y", [-4.0, -2.6, -0.8, 0.0, 1.3, 2.4, 2.6, 7.0, 12.0])
def test_the_sum_over_pairs_is_that_of_its_definition(phi: PiecewiseLinear, y: float) -> None:
    q = 0.8
    kernel = PriceKernel(phi, np.asarray(q))
    steps, rises = (kernel.knots.jumps, phi.jumps) if phi is STAIRS else (kernel.knots.bends, phi.kinks)
    assert len(steps.at) > price_kernel._MANY
    with mp.workdps(40):
        exact, size = double_sum(list(phi.knots), rises.tolist(), q, y)
    density = kernel.jump_density if phi is STAIRS else kernel.bend_density
    assert abs(float(density(np.asarray(y))) - exact) <= 1e-14 * size
    # At the nodes of a quadrature it comes from a table.
    assert abs(float(density(np.array([y]))[0]) - exact) <= 1e-13 * size


@MANY
def test_covariances_by_a_table_are_those_by_pairs(phi: PiecewiseLinear, monkeypatch: pytest.MonkeyPatch) -> None:
    rho = np.array([-0.99, 0.3, 0.95, 1 - 1e-9])
    q = np.array([0.05, 30.0])[:, np.newaxis]

    def all_of_them() -> list[np.ndarray]:
        loss = covariance_loss(phi, 1 - rho, q)
        return [covariance(phi, rho, q), loss, covariance_d1(phi, rho, q), covariance_d2(phi, rho, q)]

    by_table = all_of_them()
    monkeypatch.setattr(price_kernel, "_MANY", len(phi.knots))
    c, loss, d1, d2 = zip(by_table, all_of_them(), strict=True)
    square = moments.second_moment(phi, q)
    # What covariances are right to where pieces are this narrow.
    assert np.all(np.abs(c[0] - c[1]) <= 1e-11 * square)
    np.testing.assert_allclose(*loss, rtol=1e-11)
    steep = q * moments.slope_moment(phi, q, 2)
    assert np.all((np.abs(d1[0] - d1[1]) <= 1e-12 * np.maximum(steep, np.abs(d1[1]))) | (d1[0] == d1[1]))
    np.testing.assert_allclose(*d2, rtol=1e-9, atol=1e-9 * float(square.max()))


def test_fixed_points_of_a_thousand_pieces_are_those_of_the_function_they_are_cut_from() -> None:
    x = np.linspace(-4, 4, 1001)
    y = np.tanh(x)
    slopes = np.concatenate([[0.0], np.diff(y) / np.diff(x), [0.0]])
    intercepts = np.concatenate([y[:1], y]) - slopes * np.concatenate([x[:1], x])
    phi = PiecewiseLinear(tuple(x.tolist()), tuple(slopes.tolist()), tuple(intercepts.tolist()))
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)

    def moved(q: float) -> float:
        return float(1.5**2 * weights @ np.tanh(math.sqrt(q) * nodes) ** 2 / weights.sum() + 0.1**2 - q)

    low, high = 0.1, 3.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if moved(middle) > 0 else (low, middle)
    (point,) = fixed_points(MeanField(phi, 1.5, 0.1))
    # A chord is below tanh by up to (8/1000)²/8 max|tanh''| = 6e-6.
    assert abs(point.q - low) <= 2e-5 and point.kind == "stable"


def test_the_ends_of_a_narrow_piece_are_told_apart_at_any_variance() -> None:
    rng = np.random.default_rng(5)
    knots = np.sort(np.concatenate([rng.uniform(-2, 2, 50), [0.5, 0.5 + 2.0**-30]]))
    slopes = np.zeros(53)
    # Kinks of both signs, as large as the piece is narrow.
    slopes[1:-1] = rng.standard_normal(51)
    slopes[np.searchsorted(knots, 0.5) + 1] = 2.0**20
    intercepts = np.concatenate([[0.0], -np.cumsum(np.diff(slopes) * knots)])
    phi = PiecewiseLinear(tuple(knots.tolist()), tuple(slopes.tolist()), tuple(intercepts.tolist()))
    for q, y in ((0.3, 0.5), (0.3, 2.4), (7.0, -1.0)):
        with mp.workdps(50):
            exact, _ = double_sum(list(phi.knots), phi.kinks.tolist(), q, y)
        assert float(PriceKernel(phi, np.asarray(q)).bend_density(np.asarray(y))) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("q", [0.0, 1e-300, 1e-12, 1e-5, 1.0])
def test_knots_out_of_reach_take_no_time_and_change_nothing(q: float, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = TABLE
    knots = (-1e6, *inner.knots, 1e6)
    slopes = (0.0, *inner.slopes, 1.0)
    ends = (inner(-1e6), *inner.intercepts, inner(1e6) - 1e6)
    phi, rho = PiecewiseLinear(knots, slopes, ends), np.array([-0.9, 0.2, 0.999])
    by_table = covariance(phi, rho, q)
    monkeypatch.setattr(price_kernel, "_MANY", 1000)
    assert np.abs(by_table - covariance(phi, rho, q)).max() <= 1e-13 * moments.second_moment(phi, q)


def test_flat_and_sloping_pieces_in_turn_are_summed_like_others() -> None:
    knots = np.linspace(0.1, 3, 40)
    slopes = np.arange(41) % 2 * 1.0
    intercepts = np.concatenate([[0.0], -np.cumsum(np.diff(slopes) * knots)])
    phi = PiecewiseLinear(tuple(knots.tolist()), tuple(slopes.tolist()), tuple(intercepts.tolist()))
    for q in (1e-3, 0.5, 1e150):
        with mp.workdps(400):
            exact = [definitions.power_moment(phi, q, n) for n in (2, 4)]
        assert [moments.second_moment(phi, q), moments.fourth_moment(phi, q)] == pytest.approx(
            [float(value) for value in exact], rel=1e-13
        )


def test_no_variances_have_no_moments() -> None:
    for map_ in (moments.second_moment, moments.second_moment_d2, moments.slope_moment):
        assert map_(TABLE, np.zeros((0, 3)), *([2] if map_ is moments.slope_moment else [])).shape == (0, 3)
    assert [cumulant.shape for cumulant in moments.square_cumulants(TABLE, [])] == [(0,)] * 3
