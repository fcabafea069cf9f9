"""Mean and variance of outputs, and the gains: against 60-digit definitions, closed forms and networks."""

from __future__ import annotations

import math

import definitions
import numpy as np
import pytest
from examples import (
    CONSTANT,
    HARD_TANH,
    LEAKY_RELU,
    RELU,
    SIGN,
    activations,
    clipped_relu,
    hard_threshold,
    shifted_relu,
    soft_threshold,
    variances,
)
from hypothesis import given
from mpmath import mp

import meanfield as mf
from meanfield.errors import DomainError
from meanfield.infinite_width.gains import GAIN_QUANTITIES, gain_quantities

LEAKY = mf.activation("leaky-relu", slope=0.2)


def test_gains_of_normaliser_free_networks() -> None:
    assert mf.gains(RELU).gain_sd == pytest.approx(1.712859, abs=5e-7)
    assert mf.gains(RELU).gain_sd == pytest.approx(math.sqrt(2 / (1 - 1 / math.pi)), rel=1e-15)
    assert mf.gains(LEAKY).gain_sd == pytest.approx(1.546460, abs=5e-7)


def test_mean_and_variance_of_leaky_relu() -> None:
    found = mf.gains(LEAKY, 1.0)
    assert (found.phi_mean, found.phi_variance) == pytest.approx((0.319154, 0.418141), abs=5e-7)
    # PyTorch's calculate_gain("leaky_relu", 0.2).
    assert found.gain_rms == pytest.approx(math.sqrt(2 / (1 + 0.2**2)), rel=1e-15)


def exact(phi: mf.PiecewiseLinear, q: float) -> tuple[float, ...]:
    with mp.workdps(60):
        mean, square = definitions.power_moment(phi, q, 1), definitions.power_moment(phi, q, 2)
        moments = mean, square - mean**2, mp.sqrt(square), mp.sqrt(definitions.slope_moment(phi, q, 2))
        return tuple(map(float, moments))


@given(activations(), variances())
def test_moments_are_those_of_the_definition(phi: mf.PiecewiseLinear, q: float) -> None:
    found = mf.gains(phi, q)
    mean, variance, rms, slope = exact(phi, q)
    assert abs(found.phi_mean - mean) <= 1e-13 * rms
    assert abs(found.phi_variance - variance) <= 1e-12 * variance
    assert (found.phi_rms, found.slope_rms) == pytest.approx((rms, slope), rel=1e-13)


@pytest.mark.parametrize(
    "text", ["x + 1000", "clip(x + 10, 0, 1)", "max(x, 0) + 1e6", "clip(x - 9, 0, 1)", "step(x + 8)"]
)
def test_a_variance_far_below_the_mean_square_keeps_its_digits(text: str) -> None:
    phi = mf.activation(text)
    assert mf.gains(phi).phi_variance == pytest.approx(exact(phi, 1.0)[1], rel=1e-9 if "1e6" in text else 1e-12)


@pytest.mark.parametrize(
    "phi", [RELU, LEAKY_RELU, HARD_TANH, clipped_relu(0.5, 1), soft_threshold(0.5), hard_threshold(1)]
)
@pytest.mark.parametrize("q", [0.25, 1.0, 9.0])
def test_each_gain_keeps_what_it_says(phi: mf.PiecewiseLinear, q: float) -> None:
    forward, centred, backward, edge = mf.gains(phi, q).choices
    assert mf.MeanField(phi, forward.sigma_w).V(q) == pytest.approx(q, rel=1e-14)
    assert centred.sigma_w**2 * exact(phi, q)[1] == pytest.approx(q, rel=1e-13)
    assert mf.MeanField(phi, backward.sigma_w).gain(q) == pytest.approx(1, rel=1e-14)
    if not phi.is_continuous:
        assert (edge.value, edge.sigma_w) == (None, None)
        assert "jumps" in edge.keeps and "χ₁ = ∞" in backward.keeps
        return
    network = mf.MeanField(phi, edge.sigma_w, edge.sigma_b)
    assert (network.V(q), network.chi1(q)) == pytest.approx((q, 1), rel=1e-13)


def test_weights_of_mean_zero_keep_the_variance_with_the_normaliser_free_gain() -> None:
    rng, q, width = np.random.default_rng(5), 2.0, 1000
    choice = mf.gains(RELU, q).choices[1]
    weights = rng.standard_normal((width, width))
    weights -= weights.mean(axis=1, keepdims=True)
    outputs = RELU(math.sqrt(q) * rng.standard_normal((width, 20)))
    found = np.square(choice.sigma_w / math.sqrt(width) * weights @ outputs).mean()
    # 20 inputs, each seen through 1000 outputs and 1000 units: the kurtosis of ReLU about its mean is below 9.
    assert found == pytest.approx(q, abs=4 * q * math.sqrt((8 + 2) / (20 * width)))


@given(variances())
def test_a_homogeneous_activation_has_the_same_weights_at_every_variance(q: float) -> None:
    assert [c.sigma_w for c in mf.gains(LEAKY, q).choices] == pytest.approx(
        [c.sigma_w for c in mf.gains(LEAKY).choices], rel=1e-14
    )


def test_what_is_zero_has_no_gain() -> None:
    flat, still = mf.gains(SIGN), mf.gains(CONSTANT)
    assert (flat.gain_slope, still.gain_sd, still.gain_rms) == (math.inf, math.inf, 2.0)
    assert flat.choices[2].sigma_w is None
    assert flat.choices[2].keeps == "nothing: rms φ' is 0"
    assert "E φ" not in still.choices[1].keeps and "sd φ is 0" in still.choices[1].keeps


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("max(x - 40, 0)", 1.0),
        ("max(x - 37.5, 0)", 1.0),
        ("max(x, 0)", 1e-300),
        ("10*x + 3", 1e307),
        ("max(x, 0)", 1e307),
        ("1e30*max(x, 0)", 1e300),
    ],
)
def test_at_the_ends_of_the_doubles_a_gain_is_told_or_none(text: str, q: float) -> None:
    for choice in mf.gains(mf.activation(text), q).choices:
        assert choice.sigma_w is None or 0 < choice.sigma_w <= 1e150
        assert choice.sigma_w is not None or choice.keeps.startswith("nothing")


def test_a_record_has_every_number_or_none_of_them() -> None:
    network = mf.MeanField(RELU, 1.0)
    assert gain_quantities(network, 1.0)["gain_sd"] == mf.gains(RELU).gain_sd
    assert gain_quantities(network, None) == dict.fromkeys(GAIN_QUANTITIES)


@pytest.mark.parametrize("q", [0.0, -1.0, math.nan, math.inf])
def test_a_gain_is_of_a_signal(q: float) -> None:
    with pytest.raises(DomainError, match="variance of a signal"):
        mf.gains(RELU, q)


@pytest.mark.parametrize("rho", [-1.0, -0.3, 0.0, 0.6, 1.0])
def test_covariance_of_relu_is_its_arc_cosine_kernel_about_the_mean(rho: float) -> None:
    q = 3.0
    kernel = q / (2 * math.pi) * (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho)))
    assert mf.output_covariance(RELU, rho, q) == pytest.approx(kernel - q / (2 * math.pi), abs=1e-14)


@pytest.mark.parametrize("phi", [shifted_relu(1.0), mf.activation("x + 1000"), hard_threshold(0.5)])
def test_correlation_of_outputs_is_that_of_the_definition(phi: mf.PiecewiseLinear) -> None:
    rho, q = 0.5, 2.0
    with mp.workdps(30):
        mean = definitions.power_moment(phi, q, 1)
        shared = definitions.covariance(phi, rho, q) - mean**2
        correlation = shared / (definitions.power_moment(phi, q, 2) - mean**2)
    assert mf.output_covariance(phi, rho, q) == pytest.approx(float(shared), rel=1e-11)
    assert mf.output_correlation(phi, rho, q) == pytest.approx(float(correlation), rel=1e-11)


@given(activations(), variances())
def test_correlation_of_outputs_is_one_of_like_and_zero_of_independent_inputs(
    phi: mf.PiecewiseLinear, q: float
) -> None:
    apart, alike = mf.output_correlation(phi, [0.0, 1.0], q)
    if not mf.output_variance(phi, q):
        assert math.isnan(apart) and math.isnan(alike)
        return
    assert abs(apart) <= 1e-12 and alike == 1


@pytest.mark.parametrize("q", [1e-300, 1e-12, 1e-10, 1e-8, 1e-5, 1e-3, 1.0, 50.0])
def test_variance_and_covariance_of_nearly_constant_outputs(q: float) -> None:
    phi, rho = mf.activation("cos(x)"), np.array([-1, -0.3, 0.5])
    assert mf.output_variance(phi, q) == pytest.approx(math.expm1(-q) ** 2 / 2, rel=1e-13, abs=1e-300)
    shared = 2 * math.exp(-q) * np.sinh(rho * q / 2) ** 2
    assert mf.output_covariance(phi, rho, q) == pytest.approx(shared, rel=1e-12, abs=1e-15 * q)
