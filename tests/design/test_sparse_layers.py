"""Active units of a layer, what they cost and what they buy, against counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import RELU, activations, clipped_relu, shifted_relu, soft_threshold, variances
from hypothesis import given, strategies as st

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.design.sparse_layers import active_units, capacity_bounds
from meanfield.errors import DomainError
from meanfield.infinite_width.moments import active_share, sloping_share, sparsity


def binomial(count: int, total: int, p: float) -> float:
    return math.comb(total, count) * p**count * (1 - p) ** (total - count)


@pytest.mark.parametrize("width", [1, 30, 300])
@pytest.mark.parametrize("phi", [RELU, clipped_relu(1.0364, 1.0), soft_threshold(2.0)])
def test_the_bound_is_the_least_count_that_999_of_1000_layers_keep(phi: PiecewiseLinear, width: int) -> None:
    found = active_units(phi, width)
    below = math.fsum(binomial(n, width, found.share) for n in range(found.bound))
    assert below < 0.999 <= below + binomial(found.bound, width, found.share) + 1e-12
    assert found.mean == pytest.approx(
        math.fsum(n * binomial(n, width, found.share) for n in range(width + 1)), rel=1e-9
    )


def test_costs_are_those_of_counting_in_a_layer_drawn_at_random() -> None:
    phi, width, q = clipped_relu(0.8, 0.7), 400, 1.7
    found = active_units(phi, width, q)
    h = math.sqrt(q) * np.random.default_rng(0).standard_normal((2000, width))
    active = np.count_nonzero(phi(h), axis=1)
    sloping = np.count_nonzero((h > 0.8) & (h < 1.5), axis=1)
    assert found.mean == pytest.approx(active.mean(), rel=5e-3)
    assert found.sd == pytest.approx(active.std(), rel=0.05)
    assert np.mean(active <= found.bound) >= 0.997
    assert found.forward == pytest.approx(active.mean() * width, rel=5e-3)
    assert found.backward == pytest.approx((active + sloping).mean() * width, rel=5e-3)
    assert (found.forward_dense, found.backward_dense) == (width**2, 2 * width**2)
    assert found.memory_dense == 4 * width
    assert found.memory == pytest.approx(4 * active.mean() + width / 8, rel=5e-3)


@given(activations(), variances())
def test_shares_add_up(phi: PiecewiseLinear, q: float) -> None:
    assert active_share(phi, q) + sparsity(phi, q) == pytest.approx(1, abs=1e-14)
    inside = np.linspace(-60, 60, 480_001) / 7
    slopes = np.array(phi.slopes)[np.searchsorted(phi.knots, math.sqrt(q) * inside)]
    weight = np.exp(-(inside**2) / 2)
    assert sloping_share(phi, q) == pytest.approx(weight[slopes != 0].sum() / weight.sum(), abs=1e-4)


@given(activations(), variances(), st.integers(1, 500))
def test_any_activation_has_a_count(phi: PiecewiseLinear, q: float, width: int) -> None:
    found = active_units(phi, width, q)
    assert 0 <= found.share <= 1
    assert 0 <= found.sloping <= 1
    assert found.mean <= width
    assert 0 <= found.bound <= width


def test_a_rare_active_unit_keeps_its_digits() -> None:
    # Φ(−10) to 16 digits, from the asymptotic series of the tail.
    assert active_share(shifted_relu(10.0), 1.0) == pytest.approx(7.619853024160527e-24, rel=1e-14)


def test_capacity_falls_with_the_root_of_the_active_share_and_samples_with_the_share() -> None:
    found = active_units(clipped_relu(1.0364, 1.0), 300)
    assert found.bound == 65
    assert found.capacity == pytest.approx(math.sqrt(65 / 300))
    assert found.samples == pytest.approx(65 / 300)
    first, refined = capacity_bounds(300, 65, 784, 60_000)
    assert first == pytest.approx(math.sqrt(300 * 784 * 65 / 60_000))
    assert refined == pytest.approx(math.sqrt(300 * 65 / 60_000))
    # With k/s of the samples the sparse class has the bounds of the dense one.
    dense = capacity_bounds(300, 300, 784, 60_000)
    assert capacity_bounds(300, 65, 784, round(60_000 * found.samples)) == pytest.approx(dense, rel=1e-4)


def test_numbers_out_of_range_are_refused() -> None:
    for wrong in ({"width": 0}, {"width": 1.5}, {"width": 10, "q": 0.0}):
        with pytest.raises(DomainError):
            active_units(RELU, **wrong)
    for inputs, samples in ((0, 10), (10, 0)):
        with pytest.raises(DomainError):
            capacity_bounds(10, 5, inputs, samples)
