"""How many chains leave q*, against networks drawn by hand, and what is asked of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from examples import (
    RELU,
    VERDICTS,
)
from hypothesis import given, strategies as st
from real_networks import networks_by_hand

from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement, escapes
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField


def test_the_escape_probability_is_that_of_200_real_networks() -> None:
    width, depth = 100, 30
    edge = edge_of_chaos(VERDICTS["fragile"])
    chains = escapes(edge.mean_field, 1.0, Requirement(width, depth, chains=2048))
    real = networks_by_hand(edge.mean_field, 1.0, width, depth, 200, seed=11)
    outside = np.count_nonzero((real < 0.5) | (real > 2))
    low, high = wilson(outside, 200)
    assert low <= chains.probability <= high


def wilson(count: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The two p with |count − np| = z √(np(1 − p)), as a quadratic equation."""
    a, b, c = total**2 + z**2 * total, -(2 * total * count + z**2 * total), count**2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


@given(st.integers(0, 40))
def test_the_interval_is_wilsons(count: int) -> None:
    found = escapes(MeanField(RELU, 1.0), 1.0, Requirement(2, 1, chains=40))
    outside = np.array([0, count])
    assert replace(found, outside=outside).interval == pytest.approx(wilson(count, 40), abs=1e-12)


def test_escapes_are_counted_on_both_sides_and_at_the_last_layer() -> None:
    found = escapes(edge_of_chaos(RELU).mean_field, 1.0, Requirement(20, 30, within=1.5, chains=500))
    last = found.variances[-1]
    assert found.probability == np.mean((last < 1 / 1.5) | (last > 1.5))
    assert (last < 1 / 1.5).any()
    assert (last > 1.5).any()
    assert found.outside[0] == 0


def test_the_safe_depth_is_safe_with_half_the_risk_and_the_next_is_not() -> None:
    required = Requirement(100, 60)
    network = edge_of_chaos(VERDICTS["fragile"]).mean_field
    depth = escapes(network, 1.0, required).safe_depth
    assert 0 < depth < 60
    assert escapes(network, 1.0, replace(required, depth=depth)).probability <= 0.005
    assert escapes(network, 1.0, replace(required, depth=depth + 1)).probability > 0.005
    assert escapes(edge_of_chaos(VERDICTS["safe"]).mean_field, 1.0, Requirement(300, 20)).safe_depth == 20


def test_counts_may_be_numpys() -> None:
    assert Requirement(np.int64(100), np.int32(10)).width == 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"width": 2.5},
        {"depth": 0},
        {"chains": 0},
        {"seed": -1},
        {"risk": 0.0},
        {"risk": 1.0},
        {"within": 1.0},
        {"within": math.nan},
        {"depth": 10**6, "chains": 10**4},
    ],
)
def test_requirements_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(DomainError, match=r"give|do not fit"):
        Requirement(**{"width": 100, "depth": 10, **wrong})
