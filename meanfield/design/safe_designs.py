"""Designs for a width and depth: of all clip levels that where fewest random networks lose signal or gradient.

A loose clip lets the signal escape, a tight one leaves few units with a slope, whose noise adds up in gradients. In
between the share that loses either has a minimum, and around it a range of levels that are safe. Shares are those of
the law of (K, ln G), which draws no networks; what is found is confirmed by networks. docs/theory.md, section 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from meanfield.activations.family import Family
from meanfield.design.design import Design, Margins, branches, require_conditions, sparsities
from meanfield.errors import DomainError, MeanFieldError, NoDesign
from meanfield.finite_width.escape import Requirement, escapes
from meanfield.finite_width.loss_law import LossLaw, loss_law
from meanfield.finite_width.remedies import keeps_every_q
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos
from meanfield.infinite_width.roots import decimals, first_index, nearest_least
from meanfield.tables.shown import ShownList

__all__ = ["largest_safe_sparsity", "safe_designs"]

Advance = Callable[[int], object] | None

#: Levels looked at first, in standard deviations of a pre-activation, this ratio apart; nothing reaches the highest.
_LOWEST, _HIGHEST, _RATIO = 1e-3, 10.0, 1.3
#: Shares that differ by less are one: the law tells them no better.
_TOLD = 1e-6
#: Thousandths this near a whole one are one.
_MET = 1e-9
#: Sparsities tried below one that networks do not confirm.
_CONFIRMED = 5


@dataclass(frozen=True)
class _Level:
    """A clip level, its edge of chaos or a network beside it, and what is lost there."""

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

    def margins(self, interval: tuple[float, float], m_range: tuple[float, float]) -> Margins:
        """What the law says of the last layer, with what networks and other levels do."""
        law = self.law
        signal, gradient, either = float(law.signal[-1]), float(law.gradient[-1]), self.share
        return Margins(signal, gradient, either, float(law.mean[-1]), float(law.sd[-1]), interval, m_range)


class _Levels:
    """The levels of one member of a family, whose other parameters are `chosen`, worked out as they are asked for."""

    def __init__(
        self,
        family: Family,
        chosen: dict[str, float],
        requirement: Requirement,
        q_star: float,
        chi_1: float,
        advance: Advance = None,
    ) -> None:
        self._family, self._chosen, self._requirement = family, chosen, requirement
        self._q_star, self._chi_1 = q_star, chi_1
        self._clip, self._advance = family.open[-1], advance
        self.at: Callable[[float], _Level | None] = lru_cache(maxsize=None)(self._at)

    def _at(self, m: float) -> _Level | None:
        if self._advance:
            self._advance(1)
        try:
            edge = edge_of_chaos(self._family.member({**self._chosen, self._clip: m}).phi, self._q_star, self._chi_1)
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
        """Levels of three digits to look at first, descending."""
        count = math.ceil(math.log(_HIGHEST / _LOWEST) / math.log(_RATIO))
        return [float(f"{_HIGHEST * math.sqrt(self._q_star) / _RATIO**n:.3g}") for n in range(count + 1)]

    def rough(self) -> _Level | None:
        """The best of the first levels, downhill from that of one standard deviation; None where none has an edge."""
        levels = self.coarse
        nearest = sorted(range(len(levels)), key=lambda n: abs(math.log(levels[n] / math.sqrt(self._q_star))))
        place = next((n for n in nearest if self.at(levels[n])), None)
        if place is None:
            return None
        return self.at(levels[nearest_least(len(levels), lambda n: self._rank(levels[n]), place)])

    def best(self) -> _Level | None:
        """The level, of three digits, at which least is lost; None where no level has an edge of chaos."""
        rough = self.rough()
        if rough is None or rough.m == self.coarse[0]:
            return rough
        return self.at(min(self._finer(rough), key=self._rank))

    def some_safe(self) -> bool:
        """Whether some level is safe, from no more of them than it takes to tell."""
        rough = self.rough()
        # Above the risk at the best of the first levels is above half of it at all others too.
        if rough is None or rough.share > self._requirement.risk:
            return False
        return any(map(self.is_safe, self._finer(rough)))

    def _finer(self, rough: _Level) -> Iterator[float]:
        """Levels of three digits on the way to the best, which is among them; one on either side of `rough` is worse.

        A Fibonacci search: of two levels within, the best is not beyond the worse.
        """
        yield rough.m
        levels = decimals(3, rough.m / _RATIO, rough.m * _RATIO)
        short, long, outside = 1, 2, -1
        while short + long <= len(levels):
            short, long = long, short + long
        while long > 1:
            near, far = (levels[n] if n < len(levels) else 0.0 for n in (outside + short, outside + long))
            yield near
            if far and self._rank(far) < self._rank(near):
                yield far
                outside += short
            short, long = long - short, short

    def _rank(self, m: float) -> tuple[float, float]:
        level = self.at(m)
        return level.rank if level else (math.inf, math.inf)

    def safe_range(self, m: float) -> tuple[float, float]:
        """The least and the largest level, of three digits, around the safe level `m` up to which all are safe.

        ∞ where a clip that nothing reaches is safe.
        """
        tighter, looser = [c for c in self.coarse if c < m], [c for c in self.coarse[::-1] if c > m]
        loosest = self._end(m, looser)
        return self._end(m, tighter), math.inf if loosest == self.coarse[0] else loosest

    def _end(self, m: float, outwards: list[float]) -> float:
        inside = m
        for level in outwards:
            if self.is_safe(level):
                inside = level
                continue
            if level < inside:
                return self._last_safe(decimals(3, level, inside))
            return self._last_safe([inside, *decimals(3, inside, level)[::-1]])
        return inside

    def _last_safe(self, outwards: list[float]) -> float:
        """Of levels the first of which is safe."""
        return outwards[first_index(len(outwards), lambda n: not self.is_safe(outwards[n])) - 1]


def safe_designs(
    family: Family,
    requirement: Requirement,
    *,
    sparsity: float | None = None,
    q_star: float = 1.0,
    chi_1: float = 1.0,
    advance: Advance = None,
) -> list[Design]:
    """With this sparsity, the members with the clip level at which fewest networks lose signal or gradient.

    At most half of the risk may be lost, so that the design is safe with other random networks too. The last open
    parameter is the clip level, found to three digits, with the range of levels that are safe; one before it is found
    from `sparsity`. All have the gain χ₁(q*) = `chi_1`. Networks confirm what is found. `advance` is called with 1 for
    every level looked at, some thirty, and where none is safe for every sparsity, some ten.

    Raises:
        NoDesign: no level is safe; the message names the largest sparsity that can be had safely.
        DomainError: q_star, chi_1 or sparsity is out of range, or the conditions are not as many as open parameters.
    """
    require_conditions(family, sparsity, q_star, chi_1)
    found = _found(family, requirement, sparsity, q_star, chi_1, advance)
    if not found:
        raise NoDesign(_nothing(family, requirement, sparsity, q_star, chi_1, advance))
    return ShownList(found)


def largest_safe_sparsity(
    family: Family,
    requirement: Requirement,
    *,
    q_star: float = 1.0,
    chi_1: float = 1.0,
    advance: Advance = None,
) -> list[Design]:
    """The designs with the largest sparsity, to three digits, that can be had safely at this width and depth.

    `advance` is called with 1 for every sparsity looked at, ten of them or fewer.

    Raises:
        NoDesign: none can.
        DomainError: q_star or chi_1 is out of range, or the family has not two open parameters.
    """
    if len(family.open) == 1:
        raise DomainError(
            f"{family.open[0]} alone is open: the largest sparsity is looked for over two parameters, one for the "
            "sparsity and one for the clip level; leave both open"
        )
    require_conditions(family, 0.5, q_star, chi_1)
    found = _largest(family, requirement, q_star, chi_1, advance)
    if not found:
        r = requirement
        raise NoDesign(
            f"{family.spec} is safe at no sparsity at width {r.width}, depth {r.depth} with a risk of {r.risk:g}: give "
            "more width, less depth or a higher risk"
        )
    return ShownList(found)


def _largest(
    family: Family, requirement: Requirement, q_star: float, chi_1: float, advance: Advance = None
) -> tuple[Design, ...]:
    """The designs with the largest sparsity in thousandths at which networks confirm that some level is safe."""
    low, high = sparsities(family, q_star)
    within = range(max(math.ceil(1000 * low - _MET), 1), min(math.floor(1000 * high + _MET), 999) + 1)

    def unsafe(n: int) -> bool:
        if advance:
            advance(1)
        return not _can_be_had(family, requirement, within[n] / 1000, q_star, chi_1)

    most = first_index(len(within), unsafe)
    nearest = [n / 1000 for n in within[max(most - _CONFIRMED, 0) : most][::-1]]
    confirmed = (
        _found(family, requirement, sparsity, q_star, chi_1)
        for sparsity in nearest
        if _can_be_had(family, requirement, sparsity, q_star, chi_1)
    )
    return next(filter(None, confirmed), ())


@lru_cache(maxsize=1024)
def _can_be_had(family: Family, requirement: Requirement, sparsity: float, q_star: float, chi_1: float) -> bool:
    """By the law."""
    try:
        members = branches(family, sparsity, q_star)
    except NoDesign:
        return False
    return any(_Levels(family, chosen, requirement, q_star, chi_1).some_safe() for chosen in members)


# A design holds its networks.
@lru_cache(maxsize=8)
def _found(
    family: Family,
    requirement: Requirement,
    sparsity: float | None,
    q_star: float,
    chi_1: float,
    advance: Advance = None,
) -> tuple[Design, ...]:
    results = []
    for chosen in branches(family, sparsity, q_star):
        levels = _Levels(family, chosen, requirement, q_star, chi_1, advance)
        best = levels.best()
        if best is None or not levels.is_safe(best.m):
            continue
        networks = escapes(best.edge.mean_field, q_star, requirement)
        lost = networks.lost(neutral=keeps_every_q(best.edge))
        if lost.mean() <= requirement.risk:
            margins = best.margins(networks.interval_of(lost), levels.safe_range(best.m))
            values = {**chosen, family.open[-1]: best.m}
            results.append(Design(values, family.member(values), best.edge, networks, margins=margins))
    return tuple(results)


def _nothing(
    family: Family, r: Requirement, sparsity: float | None, q_star: float, chi_1: float, advance: Advance
) -> str:
    what = f"no {family.open[-1]} keeps signal and gradient of {family.spec}"
    at = f"at width {r.width}, depth {r.depth} with a risk of {r.risk:g}"
    if sparsity is None:
        return f"{what} {at}: give more width, less depth or a higher risk"
    most = _largest(family, r, q_star, chi_1, advance)
    had = (
        f"up to a sparsity of {most[0].edge.sparsity:.3g} it can be had: give that,"
        if most
        else "nor with any other: give"
    )
    return f"{what} with a sparsity of {sparsity:g} {at}; {had} more width, less depth or a higher risk"
