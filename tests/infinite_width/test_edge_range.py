"""Where the edge of chaos ends, and that a refusal names what is in reach."""

from __future__ import annotations

import math
import re

import definitions
import numpy as np
import pytest
from examples import (
    HARD_TANH,
    LEAKY_HARD_TANH,
    LEAKY_SOFT_THRESHOLD,
    RELU6,
    clipped_relu,
    shifted_relu,
    soft_threshold,
)

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.spec import activation
from meanfield.errors import NoEdgeOfChaos
from meanfield.infinite_width.edge import edge_of_chaos, edges_of_chaos

RAISED = {
    "raised ReLU": (PiecewiseLinear([0], [0, 1], [0.5, 0.5]), 1.0),
    "shifted to the left": (PiecewiseLinear([-1], [0, 1], [0, 1]), 0.1),
    "raised identity": (PiecewiseLinear([], [1], [0.5]), 1.0),
    "raised hat": (PiecewiseLinear([-1, 0, 1], [0, 1, -1, 0], [0, 1, 1, 0]), 0.01),
    "raised hard tanh": (PiecewiseLinear([-1, 1], [0, 1, 0], [-0.5, 0.5, 1.5]), 0.05),
}


@pytest.mark.parametrize("name", RAISED)
def test_where_biases_would_be_imaginary_the_message_names_variances_that_do(name: str) -> None:
    phi, q_star = RAISED[name]
    assert definitions.squared_bias(phi, q_star) < 0
    with pytest.raises(NoEdgeOfChaos, match=r"σ_b² = -\S+ < 0") as refusal:
        edge_of_chaos(phi, q_star)
    message = str(refusal.value)
    somewhere = [q for q in np.exp(np.linspace(-12, 12, 200)) if definitions.squared_bias(phi, q) > 1e-12 * q]
    ranges = re.findall(r"(?:(\S+) <= )?q\* (<=|>=) (\S+)", message)
    if not somewhere:
        assert "no q* has an edge" in message
        return
    assert ranges
    for below, sign, bound in ranges:
        low = float(below) if below else float(bound) if sign == ">=" else float(bound) * 0.5
        high = float(bound) if sign == "<=" else float(bound) * 2
        for q in (low * 1.0001, (low + high) / 2, high * 0.9999):
            assert edge_of_chaos(phi, q).q_star == q
    for q in somewhere:
        assert any(
            float(low or 0) * 0.9999 <= q <= (float(bound) * 1.0001 if sign == "<=" else math.inf)
            if low or sign == "<="
            else q >= float(bound) * 0.9999
            for low, sign, bound in ranges
        ), q


@pytest.mark.parametrize(
    ("phi", "sigma_w", "lowest", "highest"),
    [
        (shifted_relu(0.5), 1.2, math.sqrt(2), math.inf),
        (HARD_TANH, 0.9, 1.0, math.inf),
        (LEAKY_SOFT_THRESHOLD, 5.0, 1.0, 4.0),
        (LEAKY_SOFT_THRESHOLD, 0.9, 1.0, 4.0),
        (LEAKY_HARD_TANH, 5.0, 1.0, 4.0),
    ],
)
def test_weights_that_no_edge_has_are_refused_with_the_range_that_edges_have(
    phi: PiecewiseLinear, sigma_w: float, lowest: float, highest: float
) -> None:
    with pytest.raises(NoEdgeOfChaos) as refusal:
        edges_of_chaos(phi, sigma_w=sigma_w)
    low, high = re.search(r"the edge has sigma_w (?:> |from )([\d.]+)(?: to ([\d.]+))?;", str(refusal.value)).groups()
    assert float(low) == pytest.approx(lowest, rel=1e-7)
    assert float(high or math.inf) == pytest.approx(highest, rel=1e-7)


@pytest.mark.parametrize(
    ("phi", "limit"),
    [
        (RELU6, r"sigma_w → 1\.4142136"),
        (HARD_TANH, "sigma_w → 1"),
        (LEAKY_HARD_TANH, "sigma_w → 1"),
        (LEAKY_SOFT_THRESHOLD, "sigma_w → 4"),
    ],
)
def test_no_bias_at_all_is_the_limit_of_a_signal_that_vanishes_and_every_bias_above_it_is_had(
    phi: PiecewiseLinear, limit: str
) -> None:
    with pytest.raises(NoEdgeOfChaos, match=f"the edge has sigma_b > 0; 0 is the limit q\\* → 0, where {limit}$"):
        edges_of_chaos(phi, sigma_b=0.0)
    for sigma_b in (1e-140, 1e-30, 1e-6, 1.0):
        assert edges_of_chaos(phi, sigma_b=sigma_b)[0].sigma_b == pytest.approx(sigma_b, rel=1e-12)


@pytest.mark.parametrize("phi", [soft_threshold(1.0), clipped_relu(1.0, 1.0), shifted_relu(3.0)])
def test_biases_that_need_weights_beyond_the_doubles_are_refused_with_the_least_that_do_not(
    phi: PiecewiseLinear,
) -> None:
    with pytest.raises(NoEdgeOfChaos, match=r"the edge has sigma_b > 0; .*q\* → 0, where sigma_w → ∞") as refusal:
        edges_of_chaos(phi, sigma_b=0.0)
    least = float(re.search(r"below (\S+) sigma_w exceeds", str(refusal.value))[1])
    assert edges_of_chaos(phi, sigma_b=least * 1.001)[0].sigma_w > 1e140
    with pytest.raises(NoEdgeOfChaos, match=r"below \S+ sigma_w exceeds"):
        edges_of_chaos(phi, sigma_b=least * 0.999)


def test_a_bias_beyond_the_bounds_of_the_edge_is_refused_with_them() -> None:
    # The edge begins where E φ² = q* E φ'², and there σ_b = 0; it ends likewise.
    phi = PiecewiseLinear([-1, 0, 1], [0, 1, -1, 0], [-0.25, 0.75, 0.75, -0.25])
    with pytest.raises(NoEdgeOfChaos, match=r"σ_b² = \S+ < 0; .*q\* >= (\S+) would do") as refusal:
        edge_of_chaos(phi, 0.01)
    first = float(re.search(r"q\* >= (\S+) would do", str(refusal.value))[1])
    assert edges_of_chaos(phi, sigma_b=0.0)[0].q_star == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize(
    "phi",
    [
        PiecewiseLinear([], [1], [1e-3]),
        PiecewiseLinear([], [1], [1]),
        PiecewiseLinear([], [2], [-3]),
        PiecewiseLinear([], [1], [-1e-9]),
        PiecewiseLinear([0], [-1, 1], [1, 1]),
        PiecewiseLinear([1], [-1, 1], [1, -1]),
        PiecewiseLinear([-1], [0, 1], [0, 1]),
    ],
)
def test_what_adds_to_every_variance_has_no_edge_however_little_it_adds(phi: PiecewiseLinear) -> None:
    # E φ² = q E φ'² + more, at every q.
    sigma_w = 1 / abs(phi.slopes[-1])
    for scale in ({"sigma_w": sigma_w}, {"sigma_b": 0.0}, {"sigma_b": 1e-6}, {"sigma_b": 1.0}):
        with pytest.raises(NoEdgeOfChaos, match="no q\\* has an edge: the activation is too far from 0 at 0"):
            edges_of_chaos(phi, **scale)
    for q_star in (1e-6, 1.0, 1e12, 1e30):
        with pytest.raises(NoEdgeOfChaos):
            edge_of_chaos(phi, q_star)


def test_an_edge_is_found_where_the_second_moment_leaves_the_doubles_far_out() -> None:
    # relu2: E φ² = 3q²/2 and E φ'² = 2q, so that σ_b² = q − 3q/4
    (edge,) = edges_of_chaos(activation("relu2"), sigma_b=0.1)
    assert edge.q_star == pytest.approx(0.04, rel=1e-12)


def test_the_edge_of_what_turns_without_end_on_one_side_is_told_as_far_as_it_can_be_averaged() -> None:
    # E φ'² = 1/2 + (1 + exp(−2q))/4
    with pytest.raises(NoEdgeOfChaos, match=r"from 1 to 1\.1547005"):
        edges_of_chaos(activation("where(x > 0, x, sin(x))"), sigma_w=1.2)
