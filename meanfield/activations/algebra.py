"""Exact algebra of piecewise-linear functions: sums, products, quotients, extremes, comparisons.

What a user writes is worked out in rational numbers and rounded once, at the end. So 0.1x + 0.2x − 0.3x is exactly
zero, two kinks that meet on paper meet here, and no knot is lost or doubled by rounding. A function is known up to
single points, which carry no probability: x == 0 is false everywhere, and at a jump either side will do.

A number here is a `Fraction`, or anything else with exact arithmetic and an order, such as a parameter left as a symbol
(`meanfield.symbolic`). Every question of order (which knot comes first, which sign a line has) is asked of `order`, and
of nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from itertools import chain, pairwise
from typing import Any, TypeVar

from meanfield.activations.piecewise_linear import PiecewiseLinear, require_knots
from meanfield.errors import ActivationError

__all__ = [
    "COMPARISONS",
    "NotPiecewiseLinear",
    "Number",
    "Pieces",
    "absolute",
    "ceil",
    "comparison",
    "constant",
    "exact",
    "floor",
    "in_halves",
    "maximum",
    "meant",
    "minimum",
    "nearest",
    "order",
    "power",
    "sign",
    "step",
    "where",
    "x",
]

#: A Fraction, or an exact number of another kind that mixes with Fractions, equals none and is never zero.
Number = Any

T = TypeVar("T")
Line = tuple[Number, Number]

#: Digits, in bits, of a numerator or denominator: sixteen factors such as 1e-300, and no endless arithmetic.
_MOST_BITS = 2**14

#: Of a power of two numbers.
_LARGEST_POWER = 64

#: Pieces narrower than this, relative to where they lie, are below what a double can tell apart.
_NARROWEST = Fraction(1, 2**50)

#: For each comparison of u with v, the signs of u − v that make it true.
COMPARISONS: dict[str, frozenset[int]] = {
    "<": frozenset({-1}),
    "<=": frozenset({-1, 0}),
    ">": frozenset({1}),
    ">=": frozenset({1, 0}),
    "==": frozenset({0}),
    "!=": frozenset({-1, 1}),
}


class NotPiecewiseLinear(Exception):
    """The result leaves the piecewise-linear functions; the message says how."""


def order(a: Number, b: Number) -> int:
    """−1, 0 or 1 as a < b, a = b or a > b."""
    return int(a > b) - int(a < b)


def exact(value: float) -> Fraction:
    """The number that was typed: 0.1 is 1/10, not the double nearest to it."""
    return Fraction(repr(float(value)))


def meant(value: float) -> Fraction:
    """The number that a double was meant as: 1/3 rather than 0.333…, or what was typed."""
    short = Fraction(value).limit_denominator(1000)
    return short if float(short) == value else exact(value)


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


@dataclass(frozen=True)
class Pieces:
    """slopes[j]·x + intercepts[j] between knots[j−1] and knots[j], in exact numbers; zero everywhere is allowed.

    A knot at which nothing changes is dropped, so equal functions are equal objects.

    Raises:
        ActivationError: the function has grown too many knots, or its numbers too many digits.
    """

    knots: tuple[Number, ...]
    slopes: tuple[Number, ...]
    intercepts: tuple[Number, ...]

    def __post_init__(self) -> None:
        lines = list(zip(self.slopes, self.intercepts, strict=True))
        busy = [i for i, (left, right) in enumerate(pairwise(lines)) if left != right]
        # Nested abs(…) doubles them at each level and would not end by itself.
        require_knots(len(busy))
        kept = [0, *(i + 1 for i in busy)]
        object.__setattr__(self, "knots", tuple(self.knots[i] for i in busy))
        object.__setattr__(self, "slopes", tuple(self.slopes[i] for i in kept))
        object.__setattr__(self, "intercepts", tuple(self.intercepts[i] for i in kept))
        for number in (*self.knots, *self.slopes, *self.intercepts):
            if isinstance(number, Fraction) and _bits(number) > _MOST_BITS:
                raise ActivationError("its numbers are too large or too small to be worked out: rescale them")

    @classmethod
    def of(cls, phi: PiecewiseLinear) -> Pieces:
        """The function that phi's doubles stand for, exactly."""
        knots, slopes, intercepts = (tuple(map(Fraction, row)) for row in (phi.knots, phi.slopes, phi.intercepts))
        return cls(knots, slopes, intercepts)

    @classmethod
    def meant_by(cls, phi: PiecewiseLinear) -> Pieces:
        """What phi's doubles were meant as: 1/3 rather than 0.333…, no jump where the doubles have none."""
        slopes, intercepts = tuple(map(meant, phi.slopes)), tuple(map(meant, phi.intercepts))
        lines = zip(phi.knots, phi.jumps, pairwise(slopes), pairwise(intercepts), strict=True)
        knots = tuple(meant(t) if jump else (c - c2) / (a2 - a) for t, jump, (a, a2), (c, c2) in lines)
        return cls(knots, slopes, intercepts)

    @property
    def lines(self) -> tuple[Line, ...]:
        """(slope, intercept) of each piece, left to right."""
        return tuple(zip(self.slopes, self.intercepts, strict=True))

    def rounded(self) -> PiecewiseLinear:
        """The nearest function in doubles.

        Raises:
            ActivationError: a number beyond the doubles, or a function that is zero everywhere.
        """
        kept = _wide(self)
        try:
            knots, slopes, intercepts = (tuple(map(float, row)) for row in (kept.knots, kept.slopes, kept.intercepts))
        except OverflowError:
            raise ActivationError("it needs numbers larger than 1.8e308: rescale it") from None
        return PiecewiseLinear(knots, slopes, intercepts)

    def __add__(self, other: Pieces) -> Pieces:
        return _combined(lambda f, g: (f[0] + g[0], f[1] + g[1]), self, other)

    def __neg__(self) -> Pieces:
        return self.scaled(Fraction(-1))

    def __sub__(self, other: Pieces) -> Pieces:
        return self + -other

    def __mul__(self, other: Pieces) -> Pieces:
        return _combined(_product, self, other)

    def __truediv__(self, other: Pieces) -> Pieces:
        return _combined(_quotient, self, other)

    def scaled(self, factor: Number) -> Pieces:
        """The function times a number."""
        return Pieces(self.knots, tuple(factor * a for a in self.slopes), tuple(factor * c for c in self.intercepts))


#: The function x itself, from which every other is made.
x = Pieces((), (Fraction(1),), (Fraction(0),))


def constant(value: Number) -> Pieces:
    """The function that is value everywhere."""
    return Pieces((), (Fraction(0),), (value,))


def sign(f: Pieces) -> Pieces:
    """−1, 0 or 1 as f is below, on or above zero."""
    return _by_sign(f, {-1: -1, 0: 0, 1: 1})


def step(f: Pieces) -> Pieces:
    """1 where f > 0, else 0."""
    return comparison(">", f, constant(Fraction(0)))


def comparison(operator: str, f: Pieces, g: Pieces) -> Pieces:
    """1 where `f operator g` holds, else 0, for an operator of `COMPARISONS`."""
    true = COMPARISONS[operator]
    return _by_sign(f - g, {s: int(s in true) for s in (-1, 0, 1)})


def where(condition: Pieces, f: Pieces, g: Pieces) -> Pieces:
    """f where the condition is not 0, g where it is; the condition is piecewise constant."""
    return _combined(lambda c, f, g: f if c[1] else g, condition, f, g)


def maximum(f: Pieces, *others: Pieces) -> Pieces:
    """The largest at each point."""
    return in_halves(lambda a, b: where(comparison(">=", a, b), a, b), [f, *others])


def minimum(f: Pieces, *others: Pieces) -> Pieces:
    """The smallest at each point."""
    return in_halves(lambda a, b: where(comparison("<=", a, b), a, b), [f, *others])


def absolute(f: Pieces) -> Pieces:
    """|f|."""
    return maximum(f, -f)


def floor(f: Pieces) -> Pieces:
    """The largest whole number that is not above f, for a bounded f.

    Raises:
        NotPiecewiseLinear: f has no bounds, and so no end of steps; or a number in it is a symbol.
        ActivationError: too many steps.
    """
    if not all(isinstance(number, Fraction) for number in (*f.knots, *f.slopes, *f.intercepts)):
        raise NotPiecewiseLinear("where the steps lie depends on a symbol: give it a value")
    if f.slopes[0] or f.slopes[-1]:
        raise NotPiecewiseLinear("a rounded u without bounds has no end of steps: clip it, as in round(clip(u, -8, 8))")
    ends = [(line, left, right) for line, (left, right) in zip(f.lines, pairwise((None, *f.knots, None)), strict=True)]
    require_knots(sum(len(_whole(*end)) for end in ends))
    knots: list[Fraction] = []
    values: list[Fraction] = []
    for (slope, intercept), left, right in ends:
        crossings = sorted((n - intercept) / slope for n in _whole((slope, intercept), left, right))
        knots += [*([left] if left is not None else []), *crossings]
        # Between two crossings, and in the middle of a piece that has none, the value is that of any point.
        inner = [t for t in (left, *crossings, right) if t is not None]
        middles = [(a + b) / 2 for a, b in pairwise(inner)] if slope else [Fraction(0)]
        values += [Fraction(math.floor(slope * t + intercept)) for t in middles]
    return Pieces(tuple(knots), (Fraction(0),) * len(values), tuple(values))


def _whole(line: Line, left: Number | None, right: Number | None) -> range:
    """The whole numbers that the line takes strictly between left and right."""
    slope, intercept = line
    if not slope:
        return range(0)
    low, high = sorted((slope * left + intercept, slope * right + intercept))
    return range(math.floor(low) + 1, math.ceil(high))


def ceil(f: Pieces) -> Pieces:
    """The smallest whole number that is not below f; as `floor`."""
    return -floor(-f)


def nearest(f: Pieces) -> Pieces:
    """The whole number nearest to f; as `floor`. Which of two equally near it is makes no difference."""
    return floor(f + constant(Fraction(1, 2)))


def power(f: Pieces, exponent: Pieces) -> Pieces:
    """A number to the power of a whole number.

    Raises:
        NotPiecewiseLinear: either varies with x, or the exponent is none.
    """
    if f.knots or exponent.knots or f.slopes[0] or exponent.slopes[0]:
        raise NotPiecewiseLinear("a power is not piecewise linear: ** is for numbers alone, as in 2**4")
    base, n = f.intercepts[0], exponent.intercepts[0]
    if not (isinstance(n, Fraction) and n.denominator == 1 and 0 <= n <= _LARGEST_POWER):
        raise NotPiecewiseLinear(f"the exponent of ** is no whole number from 0 to {_LARGEST_POWER}")
    return constant(base ** int(n))


def in_halves(operation: Callable[[T, T], T], items: Sequence[T]) -> T:
    """a ∘ b ∘ c ∘ … of an associative operation, of either half first: what grows is copied log n times and not n."""
    if len(items) == 1:
        return items[0]
    middle = len(items) // 2
    return operation(in_halves(operation, items[:middle]), in_halves(operation, items[middle:]))


def _wide(f: Pieces) -> Pieces:
    """f without the pieces too narrow for doubles: the knots at their two ends become one."""
    kept: list[int] = []
    for i, knot in enumerate(f.knots):
        if not kept or order(knot - f.knots[kept[-1]], _NARROWEST * abs(knot)) > 0:
            kept.append(i)
    # Piece i ends at knot i: right of a kept knot the line that reaches the next kept one takes over.
    lines = [0, *kept[1:], len(f.knots)] if kept else [0]
    return Pieces(
        tuple(f.knots[i] for i in kept),
        tuple(f.slopes[i] for i in lines),
        tuple(f.intercepts[i] for i in lines),
    )


def _product(f: Line, g: Line) -> Line:
    if f[0] and g[0]:
        raise NotPiecewiseLinear("a product of two factors that both vary with x is not piecewise linear")
    return f[0] * g[1] + g[0] * f[1], f[1] * g[1]


def _quotient(f: Line, g: Line) -> Line:
    if g[0]:
        raise NotPiecewiseLinear("a quotient whose divisor varies with x is not piecewise linear")
    if not g[1]:
        raise NotPiecewiseLinear("a division by zero")
    return f[0] / g[1], f[1] / g[1]


def _by_sign(f: Pieces, values: dict[int, int]) -> Pieces:
    knots: list[Number] = []
    signs: list[int] = []
    ends = (None, *f.knots, None)
    for line, left, right in zip(f.lines, ends[:-1], ends[1:], strict=True):
        crossing, found = _signs(line, left, right)
        if left is not None:
            knots.append(left)
        knots.extend(crossing)
        signs.extend(found)
    zeros = (Fraction(0),) * len(signs)
    return Pieces(tuple(knots), zeros, tuple(Fraction(values[s]) for s in signs))


def _signs(line: Line, left: Number | None, right: Number | None) -> tuple[list[Number], list[int]]:
    """Where the line crosses zero inside (left, right), and its signs from left to right."""
    slope, intercept = line
    rising = order(slope, Fraction(0))
    if not rising:
        return [], [order(intercept, Fraction(0))]
    crossing = -intercept / slope
    if left is not None and order(crossing, left) <= 0:
        return [], [rising]
    if right is not None and order(crossing, right) >= 0:
        return [], [-rising]
    return [crossing], [-rising, rising]


def _combined(operation: Callable[..., Line], *functions: Pieces) -> Pieces:
    """The function whose line on each piece is the operation on the lines of the functions there."""
    # Each function's knots are in order already, which sorting makes use of.
    knots = sorted(dict.fromkeys(chain(*(f.knots for f in functions))), key=cmp_to_key(order))
    rows = [f.lines for f in functions]
    at = [0] * len(functions)
    lines = [operation(*(row[0] for row in rows))]
    for knot in knots:
        at = [i + (i < len(f.knots) and order(f.knots[i], knot) <= 0) for i, f in zip(at, functions, strict=True)]
        lines.append(operation(*(row[i] for row, i in zip(rows, at, strict=True))))
    return Pieces(tuple(knots), tuple(a for a, _ in lines), tuple(c for _, c in lines))
