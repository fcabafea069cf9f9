"""Intervals between edges beside a count of the edges that lie below each number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from meanfield.torch.intervals import Intervals

RNG = np.random.default_rng(0)
#: By how many edges at most lie in a cell; none where cells are of no use.
EDGES = {
    "one": ([0.3], 1),
    "equally far apart": (0.1 * np.arange(-40, 41), 1),
    "uneven": (np.sort(RNG.normal(size=200)), 2),
    "in pairs and fours": (np.add.outer(np.arange(8.0), [0, 1e-4, 2e-4, 3e-4]).ravel(), 4),
    "far from 0": (1e4 + np.arange(30.0), 1),
    "close together": (np.append(1e-6 * np.arange(7), 9.0), None),
    "closer than single precision is": (1e-38 * np.arange(1.0, 4.0), None),
    "alike in single precision": (1 + 1e-9 * np.arange(6), None),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_every_edge_below_is_passed(name: str, precision: type[np.floating]) -> None:
    edges, most = np.array(EDGES[name][0]), EDGES[name][1]
    closed = np.arange(len(edges)) % 3 == 1
    intervals = Intervals(edges, closed)
    assert intervals.is_searched == (most is None)
    if most:
        assert len(intervals.edges64) == most
    rounded = edges.astype(precision)
    sides = [np.nextafter(rounded, precision(side)) for side in (-np.inf, np.inf)]
    between = np.linspace(2 * edges[0] - edges[-1], 2 * edges[-1] - edges[0], 4001).astype(precision)
    x = np.concatenate([rounded, *sides, between, np.array([-np.inf, np.inf, -1e30, 1e30, 0.0], precision)])
    passed = np.where(closed, x[:, None] > rounded, x[:, None] >= rounded)
    # Where rounding makes edges one, none is passed before those to its left.
    expected = np.logical_and.accumulate(passed, axis=1).sum(axis=1)
    points = torch.tensor(x)
    assert (intervals(points).numpy() == expected).all()
    place, passed = torch.empty(2, len(x), dtype=torch.int32)
    intervals.put(points, place, passed, torch.empty_like(points))
    assert (intervals.at[place.numpy()] == expected).all()


@pytest.mark.parametrize("name", EDGES)
def test_no_number_lies_in_some_interval(name: str) -> None:
    edges = np.array(EDGES[name][0])
    (found,) = Intervals(edges, np.zeros(len(edges), dtype=bool))(torch.full((1,), math.nan))
    assert 0 <= found <= len(edges)
