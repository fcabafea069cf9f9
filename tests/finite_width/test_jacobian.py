"""The spectrum of the input-output Jacobian, against random matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import (
    HARD_TANH,
    LEAKY_RELU,
    clipped_relu,
)

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.jacobian import squared_singular_values
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField


@pytest.mark.parametrize("q", [0.5, 3.0])
@pytest.mark.parametrize("phi", [LEAKY_RELU, HARD_TANH, clipped_relu(0.5, 1.0)])
def test_singular_values_are_those_of_random_matrices(phi: PiecewiseLinear, q: float) -> None:
    """Products of D W with W Gaussian or orthogonal and φ' at independent pre-activations, wide and few."""
    random, width, depth = np.random.default_rng(3), 600, 3
    network = MeanField(phi, 1.3, 0.2)
    expected = squared_singular_values(network, q, depth)
    slopes = np.array(phi.slopes)
    for orthogonal, variance in ((False, expected.variance_gaussian), (True, expected.variance_orthogonal)):
        product = np.eye(width)
        for _ in range(depth):
            weights = random.standard_normal((width, width))
            weights = np.linalg.qr(weights)[0] if orthogonal else weights / math.sqrt(width)
            h = math.sqrt(q) * random.standard_normal(width)
            d = slopes[np.searchsorted(phi.knots, h)]
            product = d[:, None] * (1.3 * weights) @ product
        squares = np.linalg.svd(product, compute_uv=False) ** 2
        assert squares.mean() == pytest.approx(expected.mean, rel=0.15)
        assert squares.var() == pytest.approx(variance, rel=0.35)


def test_slopes_of_zero_and_one_leave_the_share_of_sloping_units() -> None:
    edge = edge_of_chaos(clipped_relu(1.0, 1.0))
    share = 1 / edge.sigma_w_squared
    found = squared_singular_values(edge.mean_field, 1.0, 50)
    assert found.mean == pytest.approx(1)
    assert found.variance_gaussian == pytest.approx(50 / share)
    assert found.variance_orthogonal == pytest.approx(50 * (1 / share - 1))
