"""The law of one layer's gain of a squared gradient, against laws known in full and gradients drawn by hand."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
from examples import ABS, HARD_TANH, IDENTITY, LEAKY_RELU, RELU, SIGN, clipped_relu
from scipy.integrate import quad
from scipy.stats import binom, chi2

import meanfield as mf
from meanfield.activations.activation import Activation
from meanfield.finite_width import gain_law
from meanfield.finite_width.gain_law import GainLaw
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import slope_moment, sloping_share

ONE = np.array([1.0])


def law(phi: Activation, width: int, *, orthogonal: bool = False) -> GainLaw:
    return GainLaw(MeanField(phi, 1.0), ONE, width, orthogonal=orthogonal)


def log_moments(density: object, scale: float) -> tuple[float, float]:
    """E ln(scale·X) and E ln²(scale·X), by quadrature over ln X."""
    first, second = (
        quad(lambda x, k=k: (x + math.log(scale)) ** k * density.pdf(math.exp(x)) * math.exp(x), -50, 8, limit=200)[0]
        for k in (1, 2)
    )
    return first, second


@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("phi", [RELU, HARD_TANH])
def test_where_slopes_are_equal_it_is_a_binomial_mixture_of_chi_squares(phi: Activation, width: int) -> None:
    share = float(sloping_share(phi, 1.0))
    n = np.arange(1, width + 1)
    weights = binom.pmf(n, width, share) / (1 - (1 - share) ** width)
    first, second = weights @ [log_moments(chi2(k), 1 / (width * share)) for k in n]
    found = law(phi, width)
    assert found.passes[0] == pytest.approx(1 - (1 - share) ** width, rel=1e-12)
    assert found.mean[0] == pytest.approx(first, abs=1e-7)
    assert found.variance[0] == pytest.approx(second - first**2, abs=1e-6)


def test_of_an_orthogonal_layer_it_is_a_mixture_of_beta_laws() -> None:
    # Of k units sin²θ is kept, of density ∝ sin^(k−1)θ cos^(N−k−1)θ; of all N everything.
    width = 5
    weights = binom.pmf(np.arange(1, width + 1), width, 0.5) / (1 - 0.5**width)

    def moment(k: int, n: int) -> float:
        def density(angle: float) -> float:
            return math.sin(angle) ** (k - 1) * math.cos(angle) ** (width - k - 1)

        whole = quad(density, 0, math.pi / 2)[0]
        return quad(lambda x: density(x) * math.log(2 * math.sin(x) ** 2) ** n, 0, math.pi / 2, limit=200)[0] / whole

    first, second = (weights @ [*(moment(k, n) for k in range(1, width)), math.log(2) ** n] for n in (1, 2))
    found = law(RELU, width, orthogonal=True)
    assert found.mean[0] == pytest.approx(first, abs=1e-7)
    assert found.variance[0] == pytest.approx(second - first**2, abs=1e-6)


@pytest.mark.parametrize("phi", [IDENTITY, ABS])
@pytest.mark.parametrize("width", [3, 50, 1000])
def test_an_orthogonal_layer_without_a_bend_in_size_changes_nothing(phi: Activation, width: int) -> None:
    found = law(phi, width, orthogonal=True)
    assert found.mean[0] == pytest.approx(0, abs=1e-6)
    assert found.variance[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("phi", [LEAKY_RELU, mf.activation("tanh"), mf.activation("gelu"), clipped_relu(1.0, 1.0)])
def test_it_has_the_mean_and_variance_of_gradients_drawn_by_hand(phi: Activation, orthogonal: bool) -> None:
    width, count = 50, 40_000
    random = np.random.default_rng(1)
    y = random.standard_normal((count, width))
    p = phi.with_slopes(random.standard_normal(y.shape))[1]
    kept = np.sum(np.square(p * y), axis=1) / float(slope_moment(phi, 1.0, 2))
    kept /= np.sum(y * y, axis=1) if orthogonal else width
    logs = np.log(kept[kept > 0])
    found = law(phi, width, orthogonal=orthogonal)
    # A gamma law has not the third cumulant of what it stands for.
    assert found.mean[0] == pytest.approx(logs.mean(), abs=4 * logs.std() / math.sqrt(logs.size) + 0.02 * logs.var())
    assert found.variance[0] == pytest.approx(logs.var(), rel=0.05)
    if width * float(sloping_share(phi, 1.0)) < 40:
        return
    noise = 3 * float(slope_moment(phi, 1.0, 4)) / float(slope_moment(phi, 1.0, 2)) ** 2 - (3 if orthogonal else 1)
    # The first order is right too, and is told from this one.
    assert noise / width == pytest.approx(found.variance[0], rel=0.25)


def test_many_sloping_units_need_no_binomial_law() -> None:
    phi = clipped_relu(0.0, 1.0)
    network = MeanField(phi, 1.0)
    for q in (np.array([1.0]), np.array([20.0])):
        width = math.ceil(62 / float(sloping_share(phi, q)[0]))
        few = GainLaw(network, q, width)
        with patch.object(gain_law, "_MANY", 1e9):
            mixed = GainLaw(network, q, width)
            mixed_mean, mixed_variance = mixed.mean, mixed.variance
        assert few.mean == pytest.approx(mixed_mean, abs=1 / 60**2)
        assert few.variance == pytest.approx(mixed_variance, rel=1 / 60)


@pytest.mark.parametrize(("phi", "width"), [(ABS, 5), (RELU, 3)])
def test_its_characteristic_function_is_the_integral(phi: Activation, width: int) -> None:
    found, share = law(phi, width), float(sloping_share(phi, 1.0))
    n = np.arange(1, width + 1)
    weights = binom.pmf(n, width, share) / (1 - (1 - share) ** width) if share < 1 else (n == width).astype(float)
    shift = math.log(width * share) + found.mean[0]
    t = np.array([[0.0, 0.3, 1.7, 6.0]])

    def density(x: float) -> float:
        return float(weights @ chi2.pdf(math.exp(x + shift), n)) * math.exp(x + shift)

    parts = [
        quad(lambda x, u=u, f=f: f(u * x) * density(x), -40, 6, limit=800)[0]
        for u in t[0]
        for f in (math.cos, math.sin)
    ]
    np.testing.assert_allclose(found.characteristic(t)[0], np.array(parts[::2]) + 1j * np.array(parts[1::2]), atol=1e-6)


def test_where_no_unit_slopes_nothing_passes() -> None:
    found = law(SIGN, 100)
    assert found.passes[0] == 0
    assert np.isfinite(found.mean).all() and np.isfinite(found.variance).all()
