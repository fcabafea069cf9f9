"""Parameters of smooth families have what was asked for, by sampling, differences and the law of correlations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import ndtri

import meanfield as mf
from meanfield import DomainError, NoDesign
from meanfield.design.conditions import curvature_on_edge

SWISH = mf.Family("swish", ("beta",))


def test_both_swishes_of_a_slope_are_found() -> None:
    found = mf.designs(SWISH, slope=1.05)
    assert len(found) == 2
    for design in found:
        network, step = design.edge.mean_field, 1e-4
        assert (network.V(1 + step) - network.V(1 - step)) / (2 * step) == pytest.approx(1.05, abs=1e-8)
        assert network.V(1.0) == pytest.approx(1, rel=1e-13)
        assert network.chi1(1.0) == pytest.approx(1, rel=1e-13)


def test_correlations_on_the_edge_grow_at_the_rate_of_the_curvature_asked_for() -> None:
    (design,) = mf.designs(mf.Family("tanh(a*x)", ("a",)), curvature=0.8)
    network, eps, inverse = design.edge.mean_field, 1e-2, []
    for _ in range(150):
        eps = network.one_minus_R(eps, 1.0)
        inverse.append(1 / eps)
    # 1/(1 − ρ) grows by R''(1)/2 a layer, but for a logarithm.
    assert (inverse[-1] - inverse[-51]) / 50 == pytest.approx(0.4, rel=0.02)
    assert network.d2R(1.0, 1.0) == pytest.approx(0.8, rel=1e-12)


@pytest.mark.parametrize(("q_star", "scale"), [(0.25, 3.0), (4.0, 0.1)])
def test_the_curvature_on_the_edge_has_no_units(q_star: float, scale: float) -> None:
    one = curvature_on_edge(mf.activation("tanh(x)"), 1.0)
    other = curvature_on_edge(mf.activation(f"{scale}*tanh(x/sqrt({q_star}))"), q_star)
    assert other == pytest.approx(one, rel=1e-12)
    assert math.isinf(curvature_on_edge(mf.activation("selu"), q_star))


@pytest.mark.parametrize("spec", ["swish", "softplus(x) - 0.5", "sin(9*x)"])
@pytest.mark.parametrize("below", [0.02, 0.5])
def test_the_share_near_zero_is_that_of_a_sample(spec: str, below: float) -> None:
    phi, n = mf.activation(spec), 200_000
    # Every quantile once: the error is a few times 1/n, not 1/√n.
    sample = phi(math.sqrt(2.0) * ndtri((np.arange(n) + 0.5) / n))
    level = below * math.sqrt(float(np.mean(sample**2)))
    assert mf.near_zero_share(phi, 2.0, below) == pytest.approx(float(np.mean(np.abs(sample) <= level)), abs=2e-4)


@settings(max_examples=10)
@given(st.floats(0.01, 3), st.sampled_from([0.1, 1.0, 7.0]))
def test_the_share_near_zero_of_a_line_is_a_normal_probability(below: float, q: float) -> None:
    assert mf.near_zero_share(mf.activation("5*x"), q, below) == pytest.approx(
        math.erf(below / math.sqrt(2)), rel=1e-12
    )


def test_with_nothing_below_the_share_is_the_sparsity() -> None:
    phi = mf.activation("clipped-soft-threshold", tau=1.0, m=0.5)
    assert mf.near_zero_share(phi, 1.3, 0.0) == pytest.approx(mf.MeanField(phi, 1.0).sparsity(1.3), rel=1e-12)


def test_a_member_of_a_share_has_it() -> None:
    (design,) = mf.designs(mf.Family("clipped-relu", ("tau",), (("m", 1.0),)), near_zero_share=0.8, below=0.2)
    assert mf.near_zero_share(design.activation.phi, 1.0, 0.2) == pytest.approx(0.8, abs=1e-10)
    assert design.record()["near_zero_share"] == pytest.approx(0.8, abs=1e-10)


def test_two_parameters_meet_two_conditions_together() -> None:
    family = mf.Family("clipped-relu", ("tau", "m"))
    (design,) = mf.designs(family, near_zero_share=0.85, slope=0.7)
    assert mf.near_zero_share(design.activation.phi, 1.0) == pytest.approx(0.85, abs=1e-9)
    assert design.edge.V_prime == pytest.approx(0.7, abs=1e-9)


def test_what_a_smooth_family_cannot_have_is_told() -> None:
    with pytest.raises(NoDesign, match="exactly 0 nowhere: ask for a share near 0"):
        mf.designs(SWISH, sparsity=0.8)
    with pytest.raises(NoDesign, match=r"no a makes V'\(q\*\) 1.2: over a >= 0 it reaches from \S+ to 1$"):
        mf.designs(mf.Family("tanh(a*x)", ("a",)), slope=1.2)
    with pytest.raises(NoDesign, match=r"R''\(1\) is ∞, for the activation has kinks"):
        mf.designs(mf.Family("leaky-relu", ("slope",)), curvature=1.0)


@pytest.mark.parametrize(
    "asked",
    [
        {"curvature": 0.0},
        {"curvature": math.inf},
        {"near_zero_share": 1.0},
        {"near_zero_share": 0.5, "below": -1.0},
        {"slope": 0.9, "curvature": 1.0},
        {},
    ],
)
def test_conditions_of_smooth_families_that_do_not_fit_are_refused(asked: dict[str, float]) -> None:
    with pytest.raises(DomainError):
        mf.designs(SWISH, **asked)  # type: ignore[arg-type]
