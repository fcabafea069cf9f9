"""A piecewise-linear activation: knots, slopes and intercepts.

    φ(x) = slopes[j]·x + intercepts[j]   on the j-th of k + 1 pieces, knots[j−1] ≤ x < knots[j].

Nothing downstream knows a name such as "soft threshold". Only the closed forms of `infinite_width` and the draws of
`finite_width.piece_sums` read knots, slopes and intercepts; everything else asks φ what any `Activation` answers.
"""

from __future__ import annotations

import math
from bisect import bisect, bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.errors import ActivationError, printable

__all__ = ["MOST_KNOTS", "PiecewiseLinear", "require_knots"]

Array = NDArray[np.float64]

#: More knots than anyone needs. What is worked out for a pair of pieces takes minutes beyond.
MOST_KNOTS = 4096

#: Two numbers computed as slope·knot + intercept are the same when they differ by less than this many units in
#: the last place of the larger term: the rounding of knots and intercepts typed in decimal.
_LINE_ROUNDING = 8 * np.finfo(float).eps

#: The largest number taken: the fourth power of a slope times a knot is still a double.
_LARGEST_NUMBER = 1e35

#: A knot that is not 0 is no closer to it: its square is still a double.
_CLOSEST_KNOT = 1e-150

#: Up to this many knots φ is evaluated piece by piece, a few passes over x each: two or three times as fast as looking
#: for the piece of every x.
_FEW_KNOTS = 8

#: Knots so many standard deviations out are not seen in any digit.
_UNSEEN = 40.0


@dataclass(frozen=True, repr=False)
class PiecewiseLinear(Activation):
    """A piecewise-linear function of one variable, jumps allowed.

    Args:
        knots: where the pieces meet, k ≥ 0 numbers, ascending.
        slopes: k + 1 slopes, left to right.
        intercepts: k + 1 intercepts, the value each piece's line takes at x = 0.
        name: what it is called, such as soft-threshold(tau=0.5), if it has a name.

    A knot at which nothing changes is dropped, so equal functions are equal objects. `repr` is the name; without one it
    can be pasted back.

    Raises:
        ActivationError: numbers missing, not finite or not ascending, or a function that is zero everywhere.

    Example:
        >>> from meanfield import PiecewiseLinear
        >>> PiecewiseLinear(knots=[0.5], slopes=[0, 1], intercepts=[0, -0.5])([0, 1, 2])
        array([0. , 0.5, 1.5])
    """

    knots: tuple[float, ...]
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    name: str | None = field(default=None, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        knots = _finite("knots", self.knots)
        require_knots(len(knots))
        slopes = _finite("slopes", self.slopes)
        intercepts = _finite("intercepts", self.intercepts)
        if not len(slopes) == len(intercepts) == len(knots) + 1:
            raise ActivationError(
                f"{len(knots)} knots, {len(slopes)} slopes and {len(intercepts)} intercepts do not fit: "
                f"{len(knots)} knots separate {len(knots) + 1} pieces, each with a slope and an intercept"
            )
        for knot in knots:
            if 0 < abs(knot) < _CLOSEST_KNOT:
                raise ActivationError(
                    f"knots hold {knot:g}: measure x in smaller units, or take 0; none but 0 may be below "
                    f"{_CLOSEST_KNOT:g}"
                )
        for left, right in pairwise(knots):
            if left >= right:
                fault = "repeated" if left == right else "not ascending"
                raise ActivationError(
                    f"knots {left:g}, {right:g} are {fault}: give each knot once, from left to right "
                    "(a jump needs one knot and two lines that do not meet there)"
                )
        knots, slopes, intercepts = _without_idle_knots(knots, slopes, intercepts)
        if not any(slopes) and not any(intercepts):
            raise ActivationError(
                "the activation is zero everywhere: it carries no signal; give it one piece that is not 0"
            )
        object.__setattr__(self, "knots", knots)
        object.__setattr__(self, "slopes", slopes)
        object.__setattr__(self, "intercepts", intercepts)

    def __repr__(self) -> str:
        if self.name:
            return printable(self.name)
        return f"PiecewiseLinear(knots={self.knots}, slopes={self.slopes}, intercepts={self.intercepts})"

    def values(self, x: Array) -> Array:
        if len(self.knots) > _FEW_KNOTS:
            return self._looked_up(x)
        # A jump, or a way back to 0, that is added to what was summed before it would leave rounding of its size.
        return self._summed(x) if self.is_continuous and self._zero_pieces <= 1 else self._chosen(x)

    def _summed(self, x: Array) -> Array:
        base, knots = self._base, self.knots
        total: Array | float = np.full_like(x, self.intercepts[base]) if self.intercepts[base] else 0.0
        for j, a in enumerate(self.slopes):
            if a:
                # NumPy before 2 refuses to clip by nothing.
                part = np.clip(x, knots[j - 1] if j else None, knots[j] if j < len(knots) else None) if knots else +x
                # How far x goes into the piece, counted from its end towards the base; on the base from 0.
                if j != base:
                    part -= knots[j - 1] if j > base else knots[j]
                if a != 1:
                    part *= a
                total += part
        return np.asarray(total)

    def _chosen(self, x: Array) -> Array:
        # 0·∞ would be NaN on a flat piece.
        first, *others = (a * x + c if a else c for a, c in zip(self.slopes, self.intercepts, strict=True))
        total = np.full_like(x, first)
        for knot, line in zip(self.knots, others, strict=True):
            total = np.where(x < knot, total, line)
        return total

    def _looked_up(self, x: Array) -> Array:
        knots, slopes, intercepts = self._arrays
        piece = np.searchsorted(knots, x, side="right")
        slope = np.take(slopes, piece)
        value: Array = slope * np.where(slope == 0, 0.0, x) + np.take(intercepts, piece)
        return value

    @cached_property
    def _arrays(self) -> tuple[Array, Array, Array]:
        """Knots, slopes and intercepts as arrays: a tuple would be made one at every look-up."""
        return np.array(self.knots, dtype=float), np.array(self.slopes), np.array(self.intercepts)

    @cached_property
    def _zero_pieces(self) -> int:
        return sum(a == 0 == c for a, c in zip(self.slopes, self.intercepts, strict=True))

    @cached_property
    def _base(self) -> int:
        """The piece that values are summed from: one that is zero, else the one at x = 0."""
        lines = list(zip(self.slopes, self.intercepts, strict=True))
        return lines.index((0.0, 0.0)) if (0.0, 0.0) in lines else int(np.searchsorted(self.knots, 0.0, side="right"))

    def with_slopes(self, x: Array) -> tuple[Array, Array]:
        if len(self.knots) > _FEW_KNOTS:
            return super().with_slopes(x)
        # Comparisons are quicker than a search.
        slopes = np.zeros_like(x)
        for j, slope in enumerate(self.slopes):
            if slope:
                beyond = x >= self.knots[j - 1] if j else np.ones(x.shape, dtype=bool)
                slopes += slope * (beyond & (x < self.knots[j]) if j < len(self.knots) else beyond)
        return self.values(x), slopes

    def marks(self, x: Array) -> NDArray[np.integer]:
        """The piece that every x lies on."""
        return np.searchsorted(self._arrays[0], x, side="right").astype(np.min_scalar_type(len(self.knots)))

    def slopes_at(self, marks: NDArray[np.integer]) -> Array:
        """The slopes of the pieces."""
        return np.take(self._arrays[1], marks)

    def raised(self, height: float) -> PiecewiseLinear:
        """φ + a number, which has to be one that an intercept can be."""
        return PiecewiseLinear(self.knots, self.slopes, tuple(c + height for c in self.intercepts))

    def graph(self, low: float, high: float) -> list[tuple[Array, Array]]:
        ends = np.array([low, *(t for t in self.knots if low < t < high), high])
        pieces = self.marks((ends[:-1] + ends[1:]) / 2)
        return [
            (x, self.slopes[j] * x + self.intercepts[j])
            for x, j in zip(map(np.array, pairwise(ends)), pieces, strict=True)
        ]

    def limits(self, x: float) -> tuple[float, float]:
        below, above = self._limits(
            np.array([x]), np.array([bisect_left(self.knots, x)]), np.array([bisect(self.knots, x)])
        )
        return float(below[0]), float(above[0])

    def _limits(self, x: Array, left: NDArray[np.integer], right: NDArray[np.integer]) -> tuple[Array, Array]:
        """The values at x of the lines of two pieces, equal where they are but for rounding."""
        _, slopes, intercepts = self._arrays
        below, scale_below = _line(slopes[left], intercepts[left], x)
        above, scale_above = _line(slopes[right], intercepts[right], x)
        meet = np.abs(above - below) <= _LINE_ROUNDING * np.maximum(scale_below, scale_above)
        value = np.where(scale_below < scale_above, below, above)
        return np.where(meet, value, below), np.where(meet, value, above)

    @cached_property
    def _limits_at_knots(self) -> Array:
        piece = np.arange(len(self.knots))
        return np.stack(self._limits(self._arrays[0], piece, piece + 1), axis=1)

    @property
    def left_values(self) -> Array:
        """φ(t−) at each knot t, shape (k,)."""
        return self._limits_at_knots[:, 0]

    @property
    def right_values(self) -> Array:
        """φ(t+) at each knot t, shape (k,)."""
        return self._limits_at_knots[:, 1]

    @cached_property
    def jumps(self) -> Array:
        """Change of value at each knot, φ(t+) − φ(t−), shape (k,); 0 where φ is continuous."""
        return self.right_values - self.left_values

    @cached_property
    def kinks(self) -> Array:
        """Change of slope at each knot, shape (k,); 0 at a pure jump."""
        return np.diff(self.slopes)

    @property
    def discontinuities(self) -> tuple[float, ...]:
        return tuple(t for t, jump in zip(self.knots, self.jumps, strict=True) if jump)

    @property
    def breaks(self) -> tuple[float, ...]:  # type: ignore[override]
        """The knots."""
        return self.knots

    @property
    def scales(self) -> tuple[float, ...]:
        """How far each knot is from 0, those at 0 left out."""
        return tuple(abs(t) for t in self.knots if t)

    @property
    def homogeneous_below(self) -> float:
        return (min(self.scales, default=_UNSEEN) / _UNSEEN) ** 2

    @property
    def outer_slopes(self) -> tuple[float, float]:
        return self.slopes[0], self.slopes[-1]

    @property
    def has_slope(self) -> bool:
        return any(self.slopes)

    @cached_property
    def slope_size(self) -> float | None:
        sizes = {abs(slope) for slope in self.slopes} - {0.0}
        return sizes.pop() if len(sizes) == 1 else None

    @cached_property
    def is_continuous(self) -> bool:
        return not self.jumps.any()

    @cached_property
    def is_odd(self) -> bool:
        return self == PiecewiseLinear(*self._reflected(-1.0))

    @cached_property
    def is_even(self) -> bool:
        return self == PiecewiseLinear(*self._reflected(1.0))

    @property
    def is_homogeneous(self) -> bool:
        return not any(self.knots) and not any(self.intercepts)

    @property
    def is_bounded(self) -> bool:
        return self.slopes[0] == 0 == self.slopes[-1]

    @property
    def supremum(self) -> float:
        if not self.is_bounded:
            return math.inf
        outer = abs(self.intercepts[0]), abs(self.intercepts[-1])
        return max(*outer, float(np.abs(self._limits_at_knots).max(initial=0.0)))

    def as_record(self) -> dict[str, list[float]]:
        """Knots, slopes and intercepts, as JSON knows them; the arguments of this class."""
        return {"knots": list(self.knots), "slopes": list(self.slopes), "intercepts": list(self.intercepts)}

    def _reflected(self, sign: float) -> tuple[tuple[float, ...], ...]:
        return (
            tuple(-t for t in self.knots[::-1]),
            tuple(-sign * a for a in self.slopes[::-1]),
            tuple(sign * c for c in self.intercepts[::-1]),
        )


def require_knots(count: int) -> None:
    """Refuse more than `MOST_KNOTS` knots, with an `ActivationError`."""
    if count > MOST_KNOTS:
        raise ActivationError(f"{count} knots are too many: write it with at most {MOST_KNOTS}")


def _finite(name: str, numbers: Iterable[float]) -> tuple[float, ...]:
    try:
        if isinstance(numbers, str):
            raise TypeError
        values = tuple(float(number) + 0.0 for number in numbers)  # + 0.0 turns −0.0 into 0.0
    except (TypeError, ValueError, OverflowError):
        shown = " ".join(repr(numbers).split())
        raise ActivationError(f"{name} = {shown:.80} is not a list of numbers: give one, such as [0, 1]") from None
    for value in values:
        if not math.isfinite(value):
            raise ActivationError(f"{name} hold {value}: every number must be finite")
        if abs(value) > _LARGEST_NUMBER:
            raise ActivationError(f"{name} hold {value:g}: measure x or φ in larger units, so that none exceeds 1e35")
    return values


def _line(slope: Array, intercept: Array, x: Array) -> tuple[Array, Array]:
    """slope·x + intercept, 0 where that is only rounding; and the size of its larger term."""
    value, scale = slope * x + intercept, np.maximum(np.abs(slope * x), np.abs(intercept))
    return np.where(np.abs(value) <= _LINE_ROUNDING * scale, 0.0, value), scale


def _without_idle_knots(
    knots: tuple[float, ...], slopes: tuple[float, ...], intercepts: tuple[float, ...]
) -> tuple[tuple[float, ...], ...]:
    busy = [
        i
        for i in range(len(knots))
        if slopes[i] != slopes[i + 1]
        or abs(intercepts[i + 1] - intercepts[i]) > _LINE_ROUNDING * max(abs(intercepts[i]), abs(slopes[i] * knots[i]))
    ]
    return (
        tuple(knots[i] for i in busy),
        (slopes[0], *(slopes[i + 1] for i in busy)),
        (intercepts[0], *(intercepts[i + 1] for i in busy)),
    )
