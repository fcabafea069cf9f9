"""Functions that rise by steps at the knots of φ, its slope at kinks, itself at jumps; and pairs of steps or pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.infinite_width.gaussian import OUT_OF_REACH

__all__ = ["Indices", "Pairs", "Pieces", "Steps", "any_two", "close"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


class Pairs(NamedTuple):
    """Unordered pairs of knots with a weight each, all of them shape (n,): indices, and what the two add to a sum."""

    first: Indices
    second: Indices
    weight: Array


class Pieces(NamedTuple):
    """Pieces between two knots and how high a function is there, shape (n,) each."""

    height: Array
    left: Indices
    right: Indices


@dataclass(frozen=True, eq=False)
class Steps:
    """A function that rises by steps at knots, from 0: φ' at its kinks, or φ at its jumps.

    `at` which knots, ascending, `rise` by how much and `height` the value from there on, shape (k,) each.
    """

    at: Indices
    rise: Array
    height: Array

    @classmethod
    def of(cls, rises: Array, heights: Array) -> Steps:
        """From the rise at every knot and the height from there on."""
        at = np.flatnonzero(rises)
        return cls(at, rises[at], heights[at])

    @cached_property
    def pairs(self) -> Pairs:
        """Every two steps, each with itself too; their weights are dᵢdⱼ."""
        i, j = np.tril_indices(len(self.at))
        return Pairs(self.at[i], self.at[j], self.rise[i] * self.rise[j] * np.where(i == j, 1, 2))

    @cached_property
    def pieces(self) -> Pieces:
        """The pieces between the steps where the function is not 0."""
        kept = np.flatnonzero(self.height[:-1])
        return Pieces(self.height[kept], self.at[kept], self.at[kept + 1])

    @property
    def endless(self) -> float:
        """The height from the last step on."""
        return float(self.height[-1]) if self.at.size else 0.0


def any_two(pieces: Pieces) -> Pairs:
    """All pairs of pieces; a weight is the product of two heights, twice that of two different pieces."""
    i, j = np.tril_indices(len(pieces.height))
    return Pairs(i, j, pieces.height[i] * pieces.height[j] * np.where(i == j, 1, 2))


def close(pieces: Pieces, knots: Array, reach: float, root: float, mirrored: bool) -> Pairs:
    """Ordered pairs of pieces that have density, within `reach` of each other, the first of each mirrored or not."""
    starts, ends = knots[pieces.left], knots[pieces.right]
    low, high = (-ends, -starts) if mirrored else (starts, ends)
    begin = np.searchsorted(ends, low - reach)
    count = np.maximum(np.searchsorted(starts, high + reach, side="right") - begin, 0)
    count[(ends < -OUT_OF_REACH * root) | (starts > OUT_OF_REACH * root)] = 0
    first = np.repeat(np.arange(len(count)), count)
    second = np.arange(count.sum()) + np.repeat(begin - np.cumsum(count) + count, count)
    return Pairs(first, second, pieces.height[first] * pieces.height[second])
