"""The one representation of an activation: knots, slopes and intercepts.

    φ(x) = slopes[j]·x + intercepts[j]   on the j-th of k + 1 pieces, knots[j−1] ≤ x < knots[j].

Nothing downstream knows a name such as "soft threshold": all theory is written for this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.errors import ActivationError

__all__ = ["PiecewiseLinear", "require_piecewise_linear"]

Array = NDArray[np.float64]

#: Two numbers computed as slope·knot + intercept are the same when they differ by less than this many units in
#: the last place of the larger term: the rounding of knots and intercepts typed in decimal.
_ROUNDING = 8 * np.finfo(float).eps

#: The largest number taken: the fourth power of a slope times a knot is still a double.
_LARGEST = 1e35


@dataclass(frozen=True)
class PiecewiseLinear:
    """A piecewise-linear function of one variable, jumps allowed.

    Args:
        knots: where the pieces meet, k ≥ 0 numbers, ascending.
        slopes: k + 1 slopes, left to right.
        intercepts: k + 1 intercepts, the value each piece's line takes at x = 0.

    A knot at which nothing changes is dropped, so equal functions are equal objects, with equal hashes. At a jump
    the function takes its right limit; a single point carries no probability. `repr` can be pasted back.

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

    def __post_init__(self) -> None:
        knots = _finite("knots", self.knots)
        slopes = _finite("slopes", self.slopes)
        intercepts = _finite("intercepts", self.intercepts)
        if not len(slopes) == len(intercepts) == len(knots) + 1:
            raise ActivationError(
                f"{len(knots)} knots, {len(slopes)} slopes and {len(intercepts)} intercepts do not fit: "
                f"{len(knots)} knots separate {len(knots) + 1} pieces, each with a slope and an intercept"
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

    def __call__(self, x: ArrayLike) -> Array:
        """φ(x), elementwise, as an array shaped like x (a float for a scalar)."""
        x = np.asarray(x, dtype=float)
        piece = np.searchsorted(self.knots, x, side="right")
        slope = np.take(self.slopes, piece)
        if np.isinf(x).any():
            # 0·∞ would be NaN on a flat piece.
            x = np.where((slope == 0) & np.isinf(x), 0.0, x)
        value: Array = slope * x + np.take(self.intercepts, piece)
        return value if value.ndim else np.float64(value)  # type: ignore[return-value]

    def limits(self, x: float) -> tuple[float, float]:
        """(φ(x−), φ(x+)), free of the rounding in slope·x + intercept: an exact 0 or an exact meeting stays one."""
        left, right = np.searchsorted(self.knots, x, side="left"), np.searchsorted(self.knots, x, side="right")
        below, scale_below = _line(self.slopes[left], self.intercepts[left], x)
        above, scale_above = _line(self.slopes[right], self.intercepts[right], x)
        if abs(above - below) <= _ROUNDING * max(scale_below, scale_above):
            below = above = below if scale_below < scale_above else above
        return below, above

    @cached_property
    def _limits_at_knots(self) -> Array:
        return np.array([self.limits(t) for t in self.knots]).reshape(-1, 2)

    @property
    def left_values(self) -> Array:
        """φ(t−) at each knot t, shape (k,)."""
        return self._limits_at_knots[:, 0]

    @property
    def right_values(self) -> Array:
        """φ(t+) at each knot t, shape (k,)."""
        return self._limits_at_knots[:, 1]

    @property
    def jumps(self) -> Array:
        """Change of value at each knot, φ(t+) − φ(t−), shape (k,); 0 where φ is continuous."""
        return self.right_values - self.left_values

    @property
    def kinks(self) -> Array:
        """Change of slope at each knot, shape (k,); 0 at a pure jump."""
        return np.diff(self.slopes)

    @cached_property
    def is_continuous(self) -> bool:
        """Whether φ has no jump."""
        return not self.jumps.any()

    @cached_property
    def is_odd(self) -> bool:
        """Whether φ(−x) = −φ(x)."""
        return self == PiecewiseLinear(*self._reflected(-1.0))

    @cached_property
    def is_even(self) -> bool:
        """Whether φ(−x) = φ(x)."""
        return self == PiecewiseLinear(*self._reflected(1.0))

    @property
    def is_homogeneous(self) -> bool:
        """Whether φ(cx) = cφ(x) for c > 0: two half-lines from the origin (ReLU, leaky ReLU, |x|, x)."""
        return not any(self.knots) and not any(self.intercepts)

    @property
    def is_bounded(self) -> bool:
        """Whether |φ| stays below a constant: both outer pieces are flat."""
        return self.slopes[0] == 0 == self.slopes[-1]

    @property
    def zero_intervals(self) -> tuple[tuple[float, float], ...]:
        """The intervals (a, b) on which φ is exactly zero, ±∞ included; isolated zeros do not count."""
        ends = (-math.inf, *self.knots, math.inf)
        return tuple(
            (ends[j], ends[j + 1])
            for j, (slope, intercept) in enumerate(zip(self.slopes, self.intercepts, strict=True))
            if slope == 0 == intercept
        )

    def _reflected(self, sign: float) -> tuple[tuple[float, ...], ...]:
        return (
            tuple(-t for t in self.knots[::-1]),
            tuple(-sign * a for a in self.slopes[::-1]),
            tuple(sign * c for c in self.intercepts[::-1]),
        )


def require_piecewise_linear(activation: object) -> None:
    """Refuse what `meanfield.activation` has yet to read, such as a name, with an `ActivationError`."""
    if not isinstance(activation, PiecewiseLinear):
        raise ActivationError(f"{activation!r} is not a PiecewiseLinear: make it one with meanfield.activation(...)")


def _finite(name: str, numbers: Iterable[float]) -> tuple[float, ...]:
    try:
        values = tuple(float(number) + 0.0 for number in numbers)  # + 0.0 turns −0.0 into 0.0
    except (TypeError, ValueError, OverflowError):
        raise ActivationError(f"{name} = {numbers!r} is not a list of numbers") from None
    for value in values:
        if not math.isfinite(value):
            raise ActivationError(f"{name} hold {value}: every number must be finite")
        if abs(value) > _LARGEST:
            raise ActivationError(f"{name} hold {value:g}: measure x or φ in larger units, so that none exceeds 1e35")
    return values


def _line(slope: float, intercept: float, x: float) -> tuple[float, float]:
    """slope·x + intercept, 0 where that is only rounding; and the size of its larger term."""
    value, scale = slope * x + intercept, max(abs(slope * x), abs(intercept))
    return (0.0 if abs(value) <= _ROUNDING * scale else value), scale


def _without_idle_knots(
    knots: tuple[float, ...], slopes: tuple[float, ...], intercepts: tuple[float, ...]
) -> tuple[tuple[float, ...], ...]:
    busy = [
        i
        for i in range(len(knots))
        if slopes[i] != slopes[i + 1]
        or abs(intercepts[i + 1] - intercepts[i]) > _ROUNDING * max(abs(intercepts[i]), abs(slopes[i] * knots[i]))
    ]
    return (
        tuple(knots[i] for i in busy),
        (slopes[0], *(slopes[i + 1] for i in busy)),
        (intercepts[0], *(intercepts[i + 1] for i in busy)),
    )
