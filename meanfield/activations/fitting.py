"""Lines through what was seen of a function, in the shortest numbers that describe it as well as any."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import numpy as np
from numpy.typing import NDArray

__all__ = ["Exact", "Fit", "Line", "fitted", "short"]

Array = NDArray[np.float64]

#: Slope and intercept of a line.
Exact = tuple[Fraction, Fraction]

#: A line fits as well as the best if it leaves no more than this times what that leaves, or than this of the size of φ.
_AS_WELL, _ROUNDING = 2.0, 4 * float(np.finfo(float).eps)

#: What is short: a decimal of so many digits, a fraction up to such a denominator. Decimals have to be so many
#: tolerances apart.
_MOST_DIGITS, _LARGEST_DENOMINATOR, _SPARSE = 9, 60, 100


@dataclass(frozen=True)
class Line:
    """y + slope·(u − x), near the point (x, y) where it is known best; `seen` are the samples it was fitted to."""

    x: float
    y: float
    slope: float
    seen: slice

    def __call__(self, u: Array) -> Array:
        return self.y + self.slope * (u - self.x)

    @property
    def exact(self) -> Exact:
        """Its slope and intercept."""
        slope = Fraction(self.slope)
        return slope, Fraction(self.y) - slope * Fraction(self.x)


def fitted(x: Array, y: Array, seen: slice) -> Line:
    """The line of least squares through some of the samples."""
    x, y = x[seen], y[seen]
    # Rounding grows with |x|, so points near 0 say more.
    weight = 1 / (1 + np.abs(x)) ** 2
    x0, y0 = float(np.average(x, weights=weight)), float(np.average(y, weights=weight))
    return Line(x0, y0, float((weight * (x - x0) * (y - y0)).sum() / (weight * (x - x0) ** 2).sum()), seen)


class Fit:
    """How well lines describe the samples that each was fitted to, and short numbers that do as well.

    Args:
        x, y: the samples, x ascending.
        scale: at each, what rounding is measured against.
        lines: one for each piece, left to right.
    """

    def __init__(self, x: Array, y: Array, scale: Array, lines: Sequence[Line]) -> None:
        self.x, self.y, self.lines = x, y, lines
        left = (
            max(float((np.abs(y - line(x))[line.seen] / scale[line.seen]).max()) for line in lines)
            if scale.all()
            else 0
        )
        self.allowed = max(_AS_WELL * left, _ROUNDING) * scale

    def describes(self, piece: int, line: Exact) -> bool:
        """Whether a line describes a piece as well as the best."""
        seen = self.lines[piece].seen
        off = np.abs(self.y[seen] - (float(line[0]) * self.x[seen] + float(line[1])))
        return bool((off <= self.allowed[seen]).all())

    def short_line(self, piece: int) -> Exact:
        """The line of a piece in short numbers, else with a short slope, else as it was fitted."""
        line = self.lines[piece]
        slope = line.exact[0]
        # What may be off at a point near 0 of the slope, or further off over a piece that is narrow.
        size = self.allowed_at(line.x)
        slope = short(slope, max(size / (1 + abs(line.x)), size / float(np.ptp(self.x[line.seen]))))
        through = Fraction(line.y) - slope * Fraction(line.x)
        for candidate in ((slope, short(through, size * (1 + abs(line.x)))), (slope, through)):
            if self.describes(piece, candidate):
                return candidate
        return line.exact

    def meeting(self, piece: int, left: Exact, right: Exact) -> Exact:
        """The line of a piece, moved to meet the one left of it at a short number, if it describes the piece so."""
        (a, c), (a2, c2) = left, right
        if a == a2:
            return right
        crossing = (c - c2) / (a2 - a)
        knot = short(crossing, self.allowed_at(float(crossing)) / abs(float(a2 - a)))
        moved = a2, c + (a - a2) * knot
        return moved if self.describes(piece, moved) else right

    def allowed_at(self, x: float) -> float:
        """What a line may be off at x."""
        return float(np.interp(x, self.x, self.allowed))


def short(number: Fraction, tolerance: float) -> Fraction:
    """The shortest decimal, or a small fraction, within the tolerance of a number; else the number itself.

    Where short numbers are so dense that one is likely to be near, its being near says nothing.
    """
    if abs(number) <= tolerance:
        return Fraction(0)
    size = 10.0 ** math.floor(math.log10(abs(number)))
    digits = range(sum(size * 10.0**-count >= _SPARSE * tolerance for count in range(_MOST_DIGITS)))
    decimals = (Fraction(f"{float(number):.{count}e}") for count in digits)
    fractions = (number.limit_denominator(_LARGEST_DENOMINATOR),) if digits else ()
    candidates: Iterator[Fraction] = chain(decimals, fractions)
    return next((candidate for candidate in candidates if abs(candidate - number) <= tolerance), number)
