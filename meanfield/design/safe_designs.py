"""Designs for a width and depth: of all clip levels that where fewest random networks lose signal or gradient.

A loose clip lets the signal escape, a tight one leaves few units with a slope, whose noise adds up in gradients. In
between the share that loses either has a minimum, and around it a range of levels that are safe. Shares are those of
the law of (K, ln G), which draws no networks; what is found is confirmed by networks. docs/theory.md, section 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from meanfield.activations.family import Family
from meanfield.design.design import Design, Margins, branches, require_conditions
from meanfield.errors import MeanFieldError, NoDesign
from meanfield.finite_width.escape import Requirement, escapes
from meanfield.finite_width.loss_law import LossLaw, loss_law
from meanfield.finite_width.remedies import keeps_every_q
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos
from meanfield.infinite_width.roots import decimals, first_index
from meanfield.tables.shown import ShownList

__all__ = ["largest_safe_sparsity", "safe_designs"]

#: Levels looked at first, in standard deviations of a pre-activation, this ratio apart; nothing reaches the highest.
_LOWEST, _HIGHEST, _RATIO = 0.05, 10.0, 1.3
#: Shares that differ by less are one: the law tells them no better.
_TOLD = 1e-6
#: A share that many times the risk at the best of the first levels is above it at all others too.
_NEAR = 4.0
#: Sparsities tried below one that networks do not confirm.
_CONFIRMED = 5


@dataclass(frozen=True)
class _Level:
    """A clip level, its edge of chaos and what is lost there."""

    m: float
    edge: EdgeOfChaos
    law: LossLaw

    @property
    def share(self) -> float:
        """Of networks that lose signal or gradient."""
        return float(self.law.either[-1])

    @property
    def rank(self) -> tuple[float, float]:
        """What is to be least: the share, and where that is nothing how far ln G strays."""
        return round(self.share / _TOLD) * _TOLD, math.hypot(self.law.mean[-1], self.law.sd[-1])


class _Levels:
    """The levels of one member of a family, whose other parameters are `chosen`, worked out as they are asked for."""

    def __init__(self, family: Family, chosen: dict[str, float], requirement: Requirement, q_star: float) -> None:
        self._family, self._chosen, self._requirement, self._q_star = family, chosen, requirement, q_star
        self._clip = family.open[-1]
        self.at: Callable[[float], _Level | None] = lru_cache(maxsize=None)(self._at)

    def _at(self, m: float) -> _Level | None:
        try:
            edge = edge_of_chaos(self._family.member({**self._chosen, self._clip: m}).phi, self._q_star)
            law = loss_law(edge.mean_field, self._q_star, self._requirement, neutral=keeps_every_q(edge))
        except MeanFieldError:
            return None
        return _Level(m, edge, law)

    def is_safe(self, m: float) -> bool:
        """Whether at most half of the risk is lost."""
        level = self.at(m)
        return level is not None and level.share <= self._requirement.careful.risk

    @cached_property
    def coarse(self) -> list[float]:
        """Levels to look at first, descending."""
        count = math.ceil(math.log(_HIGHEST / _LOWEST) / math.log(_RATIO))
        return [_HIGHEST * math.sqrt(self._q_star) / _RATIO**n for n in range(count + 1)]

    def rough(self) -> _Level | None:
        """The best of the first levels, followed downhill from that of one standard deviation; None without an edge."""
        levels = self.coarse
        place = min(range(len(levels)), key=lambda n: abs(math.log(levels[n] / math.sqrt(self._q_star))))
        while True:
            near = [n for n in (place, place - 1, place + 1) if 0 <= n < len(levels) and self.at(levels[n])]
            if not near:
                return None
            best = min(near, key=lambda n: self._rank(levels[n]))
            if best == place:
                return self.at(levels[place])
            place = best

    def best(self) -> _Level | None:
        """The level, of three digits, at which least is lost; None where no level has an edge of chaos."""
        rough = self.rough()
        if rough is None:
            return None
        levels = decimals(3, rough.m / _RATIO, rough.m * _RATIO)
        low, high = 0, len(levels) - 1
        # Of two within, the least is not beyond the worse.
        while high - low > 2:
            third = (high - low) // 3
            if self._rank(levels[low + third]) <= self._rank(levels[high - third]):
                high -= third
            else:
                low += third
        return self.at(min(levels[low : high + 1], key=self._rank))

    def _rank(self, m: float) -> tuple[float, float]:
        level = self.at(m)
        return level.rank if level else (math.inf, math.inf)

    def safe_range(self, m: float) -> tuple[float, float]:
        """The least and the largest level, of three digits, around the safe level `m` up to which all are safe."""
        tighter, looser = [c for c in self.coarse if c < m], [c for c in self.coarse[::-1] if c > m]
        return self._end(m, tighter), self._end(m, looser)

    def _end(self, m: float, outwards: list[float]) -> float:
        inside = m
        for level in outwards:
            if self.is_safe(level):
                inside = level
                continue
            between = decimals(3, min(inside, level), max(inside, level))
            return self._last_safe(between[::-1] if level > inside else between)
        return inside

    def _last_safe(self, outwards: list[float]) -> float:
        return outwards[max(first_index(len(outwards), lambda n: not self.is_safe(outwards[n])) - 1, 0)]


def safe_designs(
    family: Family, requirement: Requirement, *, sparsity: float | None = None, q_star: float = 1.0
) -> list[Design]:
    """With this sparsity, the members with the clip level at which fewest networks lose signal or gradient.

    At most half of the risk may be lost, so that the design is safe with other random networks too. The last open
    parameter is the clip level, found to three digits, with the range of levels that are safe; one before it is found
    from `sparsity`. Networks confirm what is found.

    Raises:
        NoDesign: no level is safe, or none is needed; the message names the largest sparsity that can be had safely.
        DomainError: q_star or sparsity is out of range, or the conditions are not as many as open parameters.
    """
    require_conditions(family, sparsity, q_star)
    found = _found(family, requirement, sparsity, q_star)
    if not found:
        raise NoDesign(_nothing(family, requirement, sparsity, q_star))
    return found


def largest_safe_sparsity(
    family: Family,
    requirement: Requirement,
    *,
    q_star: float = 1.0,
    advance: Callable[[int], object] | None = None,
) -> list[Design]:
    """The designs with the largest sparsity, to three digits, that can be had safely at this width and depth.

    `advance` is called with 1 for every sparsity looked at, about ten of them.

    Raises:
        NoDesign: none can.
        DomainError: q_star is out of range, or the family has not two open parameters.
    """
    require_conditions(family, 0.5, q_star)
    thousandths = _largest(family, requirement, q_star, advance)
    for n in range(thousandths, max(thousandths - _CONFIRMED, 0), -1):
        if designs := _found(family, requirement, n / 1000, q_star):
            return designs
    r = requirement
    raise NoDesign(
        f"{family.spec} is safe at no sparsity at width {r.width}, depth {r.depth} with a risk of {r.risk:g}: give "
        "more width, less depth or a higher risk"
    )


def _found(family: Family, requirement: Requirement, sparsity: float | None, q_star: float) -> list[Design]:
    results = []
    for chosen in branches(family, sparsity, q_star):
        levels = _Levels(family, chosen, requirement, q_star)
        if levels.is_safe(levels.coarse[0]):
            raise NoDesign(
                f"at width {requirement.width}, depth {requirement.depth} it is safe without a clip: none is needed"
            )
        best = levels.best()
        if best is None or not levels.is_safe(best.m):
            continue
        networks = escapes(best.edge.mean_field, q_star, requirement)
        if networks.lost(neutral=keeps_every_q(best.edge)).mean() <= requirement.risk:
            values = {**chosen, family.open[-1]: best.m}
            law, safe = best.law, levels.safe_range(best.m)
            last = [float(column[-1]) for column in (law.signal, law.gradient, law.either, law.mean, law.sd)]
            signal, gradient, either, mean, sd = last
            margins = Margins(signal, gradient, either, mean, sd, safe)
            results.append(Design(values, family.member(values), best.edge, networks, margins=margins))
    return ShownList(results)


def _largest(
    family: Family, requirement: Requirement, q_star: float, advance: Callable[[int], object] | None = None
) -> int:
    """The largest sparsity at which some level is safe, in thousandths; 0 if there is none."""

    def unsafe(n: int) -> bool:
        if advance:
            advance(1)
        try:
            members = branches(family, n / 1000, q_star)
            return not any(_some_safe(_Levels(family, chosen, requirement, q_star), requirement) for chosen in members)
        except NoDesign:
            return True

    return first_index(999, lambda n: unsafe(n + 1))


def _some_safe(levels: _Levels, requirement: Requirement) -> bool:
    rough = levels.rough()
    if rough is None or rough.share > _NEAR * requirement.risk:
        return False
    if levels.is_safe(rough.m):
        return True
    best = levels.best()
    return best is not None and levels.is_safe(best.m)


def _nothing(family: Family, r: Requirement, sparsity: float | None, q_star: float) -> str:
    what = f"no {family.open[-1]} keeps signal and gradient of {family.spec}"
    at = f"at width {r.width}, depth {r.depth} with a risk of {r.risk:g}"
    if sparsity is None:
        return f"{what} {at}: give more width, less depth or a higher risk"
    most = _largest(family, r, q_star)
    had = f"up to a sparsity of {most / 1000:g} it can be had" if most else "it can be had at no sparsity"
    return f"{what} with a sparsity of {sparsity:g} {at}; {had}: give that, more width, less depth or a higher risk"
