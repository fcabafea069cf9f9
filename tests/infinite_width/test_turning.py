"""Activations that turn with x, at variances that see their phase and at those that do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meanfield.activations.spec import activation
from meanfield.errors import ActivationError
from meanfield.infinite_width import moments
from meanfield.infinite_width.covariance import covariance, covariance_d1, covariance_d2, covariance_loss
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose

#: On both sides of where the phase of sin(20x) goes out of sight, q = 4, and of that of sin(x), q = 1600.
FAST, SLOW = [1e-6, 0.01, 3.9, 4.1, 1e6], [0.1, 30.0, 1599.0, 1601.0, 1e5]
APART = np.array([1e-15, 1e-9, 1e-4, 0.02, 0.5, 1.0, 1.7])


@pytest.mark.parametrize("q", FAST)
def test_moments_of_a_fast_sine(q: float) -> None:
    phi = activation("sin(20*x)")
    assert moments.second_moment(phi, q) == pytest.approx(-math.expm1(-800 * q) / 2, rel=1e-14)
    assert moments.slope_moment(phi, q, 2) == pytest.approx(200 * (1 + math.exp(-800 * q)), rel=1e-14)
    fourth = 3 / 8 - math.exp(-800 * q) / 2 + math.exp(-3200 * q) / 8
    assert moments.fourth_moment(phi, q) == pytest.approx(fourth, rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("q", FAST)
def test_covariance_of_a_fast_sine(q: float) -> None:
    phi, rho = activation("sin(20*x)"), 1 - APART
    # E e^(i(u ± v)) of 20 times two variables with variance q, and their difference.
    near, far = np.exp(-400 * q * (1 - rho)), np.exp(-400 * q * (1 + rho))
    apart = -np.sign(rho) * np.exp(-400 * q * (1 - np.abs(rho))) * np.expm1(-800 * q * np.abs(rho))
    square = moments.second_moment(phi, q)
    assert np.abs(covariance(phi, rho, q) - apart / 2).max() <= 1e-13 * square
    assert np.abs(covariance_d1(phi, rho, q) - 200 * q * (near + far)).max() <= 1e-13 * 400 * q
    assert np.abs(covariance_d2(phi, rho, q) - 8e4 * q * q * apart).max() <= 1e-12 * 8e4 * q * q
    # sinh(400qρ) as 1 − 2e^(−…)sinh² would have it: no two close numbers are subtracted.
    lost = -np.expm1(-400 * q * APART) / 2 + np.exp(-800 * q) * np.expm1(400 * q * np.minimum(APART, 700 / 400 / q)) / 2
    some = 400 * q * APART < 700
    assert covariance_loss(phi, APART[some], q) == pytest.approx(lost[some], rel=1e-10)


@pytest.mark.parametrize("q", SLOW)
def test_a_line_with_a_sine(q: float) -> None:
    phi, rho = activation("x + sin(x)"), 1 - APART
    assert moments.mean(phi, q) == pytest.approx(0, abs=1e-13 * math.sqrt(q))
    # E u sin v = ρ q e^(−q/2)
    crossed, near, far = math.exp(-q / 2), np.exp(-q * (1 - rho)), np.exp(-q * (1 + rho))
    assert moments.second_moment(phi, q) == pytest.approx(q + 2 * q * crossed - math.expm1(-2 * q) / 2, rel=1e-14)
    exact = rho * q * (1 + 2 * crossed) + (near - far) / 2
    assert np.abs(covariance(phi, rho, q) - exact).max() <= 1e-13 * q
    slope = q * (1 + 2 * crossed + (near + far) / 2)
    assert np.abs(covariance_d1(phi, rho, q) - slope).max() <= 1e-13 * 2 * q


@pytest.mark.parametrize("name", ["snake(a=0.7)", "x*sin(x)", "x*cos(2*x) + sin(x)**2"])
def test_nothing_jumps_where_the_phase_goes_out_of_sight(name: str) -> None:
    phi = activation(name)
    assert phi.oscillation is not None
    q = (40 / float(phi.oscillation.frequency)) ** 2
    below, above = q * (1 - 1e-9), q * (1 + 1e-9)
    for moment in (moments.second_moment, moments.second_moment_d1, moments.mean, moments.mirrored_moment):
        size = max(1.0, abs(moment(phi, below)))
        assert moment(phi, above) == pytest.approx(moment(phi, below), rel=1e-8, abs=1e-8 * size)
    rho, eps = np.array([-0.999, -0.3, 0.2, 0.9999]), np.array([1e-12, 1e-5, 1e-3, 0.1])
    for f in (covariance, covariance_d1):
        before = f(phi, rho, below)
        assert np.abs(f(phi, rho, above) - before).max() <= 1e-7 * np.abs(before).max()
    assert covariance_loss(phi, eps, above) == pytest.approx(covariance_loss(phi, eps, below), rel=1e-6)


def test_every_fixed_point_of_a_sine_is_found() -> None:
    # V = σ_w²(1 − e^(−2q))/2, to any q.
    point = diagnose(MeanField(activation("sin"), 100.0)).point.fixed_point
    assert point is not None
    assert point.q == pytest.approx(5000, rel=1e-14)


def test_what_turns_otherwise_is_refused_from_where_on() -> None:
    phi = activation("tanh(x)*sin(x)")
    assert moments.second_moment(phi, 100.0) == pytest.approx(0.5, rel=0.2)
    with pytest.raises(ActivationError, match="turns without end, and is not averaged over variances beyond"):
        moments.second_moment(phi, 1e9)
