"""Sums over units that were not all drawn: the law of drawing them all, and one unit at a time φ itself."""

from __future__ import annotations

import numpy as np
import pytest
from examples import ABS, HARD_TANH, LEAKY_RELU, RELU, SIGN, clipped_relu, soft_threshold
from scipy.special import ndtr
from scipy.stats import kstest

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.layer_sums import layer_sums
from meanfield.finite_width.piece_sums import piece_sums

ACTIVATIONS = {
    "relu": RELU,
    "leaky-relu": LEAKY_RELU,
    "abs": ABS,
    "hard-tanh": HARD_TANH,
    "sign": SIGN,
    "clipped-relu": clipped_relu(1.0364, 1.0),
    "soft-threshold": soft_threshold(0.5),
    "jumps on both sides": PiecewiseLinear([-1, 0.5], [-0.5, 2, 0.25], [0, 1, 3]),
    "flat at another height": PiecewiseLinear([-0.3, 1.5], [0, 1, 0], [-1, -0.7, 0.8]),
    "one straight line": PiecewiseLinear([], [2], [0.5]),
    "far out": PiecewiseLinear([-3, 2.5], [0.5, 0, 3], [1.5, 0, -7.5]),
}


@pytest.mark.parametrize("phi", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("width", [3, 40])
def test_sums_have_the_law_of_drawing_all_units(phi: PiecewiseLinear, width: int) -> None:
    count = 40_000
    q, random = np.geomspace(0.3, 4, count), np.random.default_rng(width)
    h = np.sqrt(q)[:, None] * random.standard_normal((count, width))
    both = [np.stack(layer_sums(phi, h, h)), np.stack(piece_sums(phi, q, width, random))]
    size = np.abs(both[0]).mean(axis=1, keepdims=True) + 1e-300
    both = [sums / size for sums in both]
    # Means, and with them the mean products of every two, each with its standard error.
    products = [np.concatenate([sums, np.einsum("in,jn->ijn", sums, sums).reshape(-1, count)]) for sums in both]
    means, errors = zip(*((part.mean(axis=1), part.var(axis=1) / count) for part in products), strict=True)
    assert (np.abs(means[0] - means[1]) <= 4.5 * np.sqrt(sum(errors)) + 1e-12).all()


@pytest.mark.parametrize("phi", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_sums_over_one_unit_are_products_at_one_point(phi: PiecewiseLinear) -> None:
    sums = piece_sums(phi, np.full(5000, 1.7), 1, np.random.default_rng(3))
    slopes = sums.pp > 0
    size = np.sqrt(sums.pptt[slopes] / sums.pp[slopes])
    # All sums over one unit are those at h or those at −h.
    at = [np.stack(layer_sums(phi, (sign * size)[:, None], (sign * size)[:, None])) for sign in (1, -1)]
    missed = [np.abs(found - np.stack(sums)[:, slopes]) / (1 + np.abs(found)) for found in at]
    assert np.minimum(*(part.max(axis=0) for part in missed)).max(initial=0.0) < 1e-12
    assert (
        np.isclose(sums.xx[~slopes, None], [phi(knot + side) ** 2 for knot in phi.knots for side in (-1e-9, 1e-9)])
        .any(axis=1)
        .all()
    )


def test_points_on_a_piece_are_normal_between_its_ends() -> None:
    low, high, root = 2.0, 2.01, 0.8
    phi = PiecewiseLinear([low, high], [0, 100, 0], [0, -200, 1])
    sums = piece_sums(phi, np.full(200_000, root**2), 100, np.random.default_rng(1))
    # Where one unit is on it.
    at = np.sqrt(sums.pptt[np.isclose(sums.pp, 1e4)]) / 100

    def beyond(x: np.ndarray | float) -> np.ndarray:
        return ndtr(-x / root)

    assert kstest(at, lambda x: (beyond(low) - beyond(x)) / (beyond(low) - beyond(high))).pvalue > 1e-4


def test_a_signal_that_has_died_gives_numbers() -> None:
    at_rest = np.zeros((1, 20))
    for phi in ACTIVATIONS.values():
        sums = np.stack(piece_sums(phi, np.array([0.0, 1e-290, 1.0]), 20, np.random.default_rng(0)))
        assert np.isfinite(sums).all()
        np.testing.assert_allclose(sums[:, :1], np.stack(layer_sums(phi, at_rest, at_rest)), atol=1e-140)


@pytest.mark.parametrize("knot", np.linspace(0.7, 2, 12))
def test_a_piece_may_be_as_short_as_can_be(knot: float) -> None:
    after = np.nextafter(knot, 9)
    phi = PiecewiseLinear([knot, after], [0, 1, 2], [0, -knot, -knot - after])
    sums = piece_sums(phi, np.ones(512), 300, np.random.default_rng(5))
    plain = piece_sums(PiecewiseLinear([knot], [0, 2], [0, -2 * knot]), np.ones(512), 300, np.random.default_rng(6))
    assert sums.xx.mean() == pytest.approx(plain.xx.mean(), rel=4 * sums.xx.std() / sums.xx.mean() / 16)
