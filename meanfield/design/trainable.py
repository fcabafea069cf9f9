"""How deep the members of a family can be trained, over sparsity and width: the largest depth that is safe.

Of each width and sparsity the second open parameter is the one with which fewest networks lose signal or gradient.
What is lost falls and then rises along it, so that the best of some values is climbed to from that of the width before.
docs/theory.md, sections 9, 17 and 18.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.family import Family
from meanfield.design.design import sparse_values
from meanfield.domain import (
    MOST_LAWS,
    require_a,
    require_cells,
    require_count,
    require_gain,
    require_share,
    require_signal,
)
from meanfield.errors import NoDesign, NoEdgeOfChaos
from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.loss_law import LossLaw, loss_law
from meanfield.infinite_width.edge import edge_curve, gain_in_words
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.roots import nearest_least
from meanfield.tables.records import Record, row_records
from meanfield.tables.shown import ShownRows

__all__ = ["TrainableDepths", "trainable_depths"]

Array = NDArray[np.float64]

#: Values of the second open parameter over √q*, where none are given.
_LEVELS = np.geomspace(0.4, 2.5, 9)
#: Where the first search begins, in layers.
_FIRST_GUESS = 30
#: Depths that differ by less than this factor have the same best member.
_NEAR = 1.25
#: How often the best member is looked for again at the depth found, and how far beyond that depth the law reaches.
_ROUNDS, _BEYOND = 4, 1.1
#: How far what is lost at a layer tells of deeper ones, in depths.
_FURTHEST = 4.0
#: Shares so near 0 or 1 say no more of where they come from.
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class TrainableDepths(ShownRows):
    """The largest safe depth over sparsity and width: entry [i, j] belongs to `sparsity[i]` and `width[j]`.

    Attributes:
        sparsity, width: the axes.
        depth: the most layers up to which half of the risk at most is lost, signal or gradient; that of `requirement`
            where it is so many or more, NaN where there is no edge of chaos.
        parameter: the name of the second open parameter, as a rule the clip level m; None without one.
        values: the best of those tried, NaN where there is no edge of chaos.
        requirement: the risk, and the depth up to which it is looked; its width plays no part.
        expected: the depth, and where the search ended before it about where it is, by what is lost at the last layer:
            to place it between other cells, no more.
        chi_1: χ₁(q*), where it is not the edge but beside it.
    """

    sparsity: Array
    width: NDArray[np.int_]
    depth: Array
    parameter: str | None
    values: Array
    requirement: Requirement
    expected: Array
    chi_1: float = 1.0

    def records(self) -> list[Record]:
        """A row for every sparsity and width, widths running first; what is NaN is None."""
        width, sparsity = np.meshgrid(self.width, self.sparsity)
        cells = {"sparsity": sparsity, "width": width, "depth": self.depth}
        cells |= {self.parameter: self.values} if self.parameter else {}
        return row_records({key: array.ravel() for key, array in cells.items()})

    @property
    def is_deeper(self) -> NDArray[np.bool_]:
        """Whether the search ended before the depth did."""
        return np.asarray(self.depth == self.requirement.depth)


def trainable_depths(
    family: Family,
    sparsity: Sequence[float],
    width: Sequence[int],
    requirement: Requirement,
    values: Sequence[float] | None = None,
    *,
    q_star: float = 1.0,
    chi_1: float = 1.0,
    advance: Callable[[int], object] | None = None,
) -> TrainableDepths:
    """The largest depth that is safe, on the edge of chaos at q*, by the law of what is lost.

    Args:
        family: one or two parameters are open; the first is found from the sparsity, the smallest where several have
            it, and does not depend on the second.
        sparsity: shares of zeros.
        width: N, ascending.
        requirement: the risk, half of which may be lost, and the depth up to which to look; its width plays no part.
        values: of the second open parameter, ascending, of which the best is taken; by default from 0.4 to 2.5 √q*.
        q_star: q*.
        chi_1: χ₁(q*), another than 1 for networks beside the edge.
        advance: called with the number of cells just done.

    Raises:
        DomainError: a number out of range.
        NoDesign: a sparsity out of reach at every value.
        NoEdgeOfChaos: there is no such network anywhere.
    """
    require_a(Family, "family", family)
    require_a(Requirement, "requirement", requirement)
    require_signal(q_star)
    require_gain(chi_1)
    require_cells("sparsities and widths", len(sparsity) * len(width), MOST_LAWS)
    for share in sparsity:
        require_share("sparsity", share, "a share of zeros")
    for units in width:
        require_count("width", units)
    tried: list[float] = (
        (math.sqrt(q_star) * _LEVELS).tolist() if values is None else [float(value) for value in values]
    )
    depth, best, expected = np.full((3, len(sparsity), len(width)), math.nan)
    refusals: list[NoDesign | NoEdgeOfChaos] = []
    at, guess = len(tried) // 2, _FIRST_GUESS
    for i, share in enumerate(sparsity):
        try:
            members = _members(family, share, tried, q_star, chi_1)
        except (NoDesign, NoEdgeOfChaos) as refusal:
            refusals.append(refusal)
            members = []
        known = guess
        for j, units in enumerate(width):
            if members:
                asked = replace(requirement.careful, width=units)
                place = min(at, len(members) - 1)
                found, beyond, at = _deepest_of([network for _, network in members], q_star, asked, place, known)
                depth[i, j], best[i, j], expected[i, j] = found, members[at][0], beyond
                # What narrow layers do adds up in as many layers as they are wide.
                after = width[min(j + 1, len(width) - 1)]
                guess = max(found, 1) if j == 0 else guess
                known = max(round(found * after / units), 1)
            if advance:
                advance(1)
    if len(refusals) == len(sparsity):
        raise refusals[0]
    second = family.open[1] if len(family.open) == 2 else None
    axes = np.asarray(sparsity, dtype=float), np.asarray(width)
    return TrainableDepths(*axes, depth, second, best, requirement, expected, chi_1)


def _members(
    family: Family, sparsity: float, tried: Sequence[float], q_star: float, chi_1: float
) -> list[tuple[float, MeanField]]:
    """Values of the second parameter with the network of that gain there, of those tried that have one."""
    first, *second = family.open
    chosen = sparse_values(family, first, tuple((name, math.sqrt(q_star)) for name in second), sparsity, q_star)[0]
    found: list[tuple[float, MeanField]] = []
    for value in tried if second else [math.nan]:
        phi = family.member({first: chosen, **dict.fromkeys(second, value)}).phi
        edge = edge_curve(phi, q_star, chi_1)
        if math.isfinite(edge.V_prime):
            found.append((value, MeanField(phi, float(edge.sigma_w), float(edge.sigma_b))))
    if not found:
        raise NoEdgeOfChaos(
            f"{family.spec} has no network {gain_in_words(chi_1)} with sparsity {sparsity:g} at q* = {q_star:g}"
        )
    return found


def _deepest_of(
    networks: Sequence[MeanField], q_star: float, asked: Requirement, at: int, guess: int
) -> tuple[int, float, int]:
    """The largest safe depth, its like in `expected`, and the place of the network that loses least there.

    `at` and `guess` are near them.
    """
    for _ in range(_ROUNDS):
        look = replace(asked, depth=min(guess, asked.depth))
        lost = cache(lambda k, look=look: loss_law(networks[k], q_star, look).either[-1])
        at = nearest_least(len(networks), lost, at)
        depth, expected = _deepest(networks[at], q_star, asked, look.depth)
        if 1 / _NEAR <= max(depth, 1) / look.depth <= _NEAR:
            break
        guess = max(depth, 1)
    return depth, expected, at


def _deepest(network: MeanField, q_star: float, asked: Requirement, guess: int) -> tuple[int, float]:
    """The largest depth of no more than `asked` up to which its risk is kept, and about where it is if that is more."""
    kept, look, expected = 0, guess, 0.0
    while kept < asked.depth:
        law = loss_law(network, q_star, replace(asked, depth=look), most=asked.risk)
        over = np.flatnonzero(law.either > asked.risk)
        if over.size:
            return int(over[0]), float(over[0])
        expected = _expected(law, asked.risk)
        kept, look = look, min(max(math.ceil(_BEYOND * expected) + 1, look + 1), asked.depth)
    return kept, max(expected, float(kept))


def _expected(law: LossLaw, risk: float) -> float:
    """About where the risk is lost: z = (A − bl)/(s√l) standard deviations from where all is lost.

    b and s are what a layer adds to ln G, mean and root of the variance; A follows from the share lost at the last.
    """
    normal, depth = NormalDist(), len(law.either)
    z = -normal.inv_cdf(min(max(float(law.either[-1]), _LEAST), 1 - _LEAST))
    b, s = abs(float(law.mean[-1])) / depth, float(law.sd[-1]) / math.sqrt(depth)
    A = max(s * z * math.sqrt(depth) + b * depth, 0.0)
    falls = -s * normal.inv_cdf(risk)
    root = 2 * A / (falls + math.sqrt(falls**2 + 4 * A * b)) if A else 0.0
    return min(root**2, _FURTHEST * depth)
