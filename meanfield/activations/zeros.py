"""Where a smooth function of one variable is zero, to the last digit, on any scale.

The function is looked at on grids that double away from 0 and from whatever point it is centred on, and between two
neighbours wherever the cubic through their values and slopes does not foresee it. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["FARTHEST", "Endless", "zeros"]

Array = NDArray[np.float64]
#: At points x: a function, its slope, and the rounding of its values.
Sample = Callable[[Array], tuple[Array, Array, Array]]

#: So far from 0 a function is looked at, and so near a centre, relative to it.
FARTHEST, _NEAREST = 1e150, 1e-17
#: Points to a factor of ten.
_TO_TEN = 4
#: More pieces than a function with an end of zeros needs.
_MOST_CELLS, _HALVED = 12_000, 70
#: Between two points the cubic has foreseen the function where it errs by no more than this share of its least value.
_FORESEEN = 0.25
#: Within so many roundings of 0 a function is looked at no closer.
_NOISE = 16
_INSIDE = np.array([0.25, 0.5, 0.75])
#: Values and slopes of the ends as they count in the cubic at the points inside: f(a), h f'(a), f(b), h f'(b).
_CUBIC = np.array(
    [[(1 + 2 * t) * (1 - t) ** 2, t * (1 - t) ** 2, t * t * (3 - 2 * t), t * t * (t - 1)] for t in _INSIDE]
)


class Endless(Exception):
    """There is no end of zeros; `at` is one of them."""

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self.at = at


def zeros(sample: Sample, left: float, right: float, centres: Iterable[float] = ()) -> list[float]:
    """Every zero between left and right, which may be ∞, ascending; those where the function only touches 0 too.

    Where all is rounding over a stretch, one point of it is its zero, and none if the stretch has no end.

    Raises:
        Endless: there are more than anything could be done with.
    """
    grid = _grid(left, right, centres)
    found: list[float] = []
    flat: list[tuple[float, float]] = []
    a, b = grid[:-1], grid[1:]
    at, signs = grid, _signs(*sample(grid)[::2])
    for _ in range(_HALVED):
        inside = a[:, np.newaxis] + (b - a)[:, np.newaxis] * _INSIDE
        x = np.column_stack([a, inside, b])
        f, slope, rounding = (part.reshape(x.shape) for part in sample(x.ravel()))
        s = _signs(f, rounding)
        # An exact zero at an end is one; of the rest of the piece it tells nothing.
        ended = f[:, [0, -1]] == 0
        inner = np.where(ended[:, 0], s[:, 1], s[:, 0])[:, np.newaxis]
        steady = (inner == s[:, 1:-1]).all(axis=1) & ((s[:, [0, -1]] == inner) | ended).all(axis=1)
        least = np.abs(f[:, 1:-1]).min(axis=1)
        nothing = np.logical_not((np.abs(f) > _NOISE * rounding).any(axis=1))
        with np.errstate(all="ignore"):
            h = (b - a)[:, np.newaxis]
            ends = np.concatenate([f[:, :1], h * slope[:, :1], f[:, -1:], h * slope[:, -1:]], axis=1)
            missed = np.abs(ends @ _CUBIC.T - f[:, 1:-1]).max(axis=1)
            clear = steady & (missed <= np.maximum(_FORESEEN * least, _NOISE / 4 * rounding.max(axis=1)))
            clear &= ~_dips(s[:, 2] * f[:, 0], s[:, 2] * slope[:, 0], s[:, 2] * f[:, -1], s[:, 2] * slope[:, -1], b - a)
            # What overflows is far from 0.
            clear |= steady & (least > 1e300)
            clear &= ~nothing
            rising = (slope > 0).all(axis=1) | (slope < 0).all(axis=1)
            once = ~nothing & (s[:, 0] * s[:, -1] < 0) & rising & (np.abs(np.diff(s, axis=1)).sum(axis=1) == 2)
            narrow = b - a <= 8 * np.finfo(float).eps * np.maximum(np.abs(a), np.abs(b))
        found += [*a[clear & ended[:, 0]], *b[clear & ended[:, 1]]]
        flat += list(zip(a[nothing], b[nothing], strict=True))
        found += [_bracketed(sample, low, high) for low, high in zip(a[once], b[once], strict=True)]
        cut = ~(clear | nothing | once)
        tiny = cut & (narrow | (np.abs(b) + np.abs(a) < 1e-300))
        crossed = tiny & (s[:, 0] * s[:, -1] < 0)
        found += [_bracketed(sample, low, high) for low, high in zip(a[crossed], b[crossed], strict=True)]
        touched = tiny & ~crossed & (s == 0).any(axis=1)
        flat += list(zip(a[touched], b[touched], strict=True))
        cut &= ~tiny
        if not cut.any():
            break
        if len(found) + 2 * cut.sum() > _MOST_CELLS:
            raise Endless(min(found, key=abs) if found else _change(at, signs, a[cut]))
        middle = a[cut] + 0.5 * (b - a)[cut]
        a, b = np.concatenate([a[cut], middle]), np.concatenate([middle, b[cut]])
    stretches = _merged(flat)
    # Within a stretch of rounding an exact zero is none of its own.
    apart = {t for t in found if not any(low <= t <= high for low, high in stretches)}
    inside = [(low, high) for low, high in stretches if low > grid[0] and high < grid[-1]]
    return sorted(map(float, {*apart, *(_in_stretch(sample, low, high) for low, high in inside)}))


def _signs(f: Array, rounding: Array) -> Array:
    """The sign of each value, 0 where it is no more than rounding, or none."""
    with np.errstate(invalid="ignore"):
        sign: Array = np.where(np.abs(f) > rounding, np.sign(f), 0.0)
    return np.nan_to_num(sign)


def _dips(f: Array, f_slope: Array, g: Array, g_slope: Array, h: Array) -> NDArray[np.bool_]:
    """Whether a positive function falls from the left, and rises to the right, so that its tangents meet below 0."""
    along = (g - f - g_slope * h) / (f_slope - g_slope)
    dips: NDArray[np.bool_] = (f_slope < 0) & (g_slope > 0) & ~(f + f_slope * along > 0)
    return dips


def _change(at: Array, signs: Array, otherwise: Array) -> float:
    changes = at[1:][np.diff(signs) != 0]
    return float(min(changes if len(changes) else otherwise, key=abs))


def _grid(left: float, right: float, centres: Iterable[float]) -> Array:
    away = 10.0 ** np.arange(math.log10(FARTHEST) * -1, math.log10(FARTHEST) + 1e-9, 1 / _TO_TEN)
    points = [np.array([max(left, -FARTHEST), min(right, FARTHEST), 0.0])]
    for centre in {0.0, left, right, *centres} - {math.inf, -math.inf}:
        # Farther from a centre than it is from 0, the grid around 0 is as fine.
        near = away[(away >= abs(centre) * _NEAREST) & (away <= 2 * abs(centre))] if centre else away
        points += [centre - near, centre + near, np.array([centre])]
    grid = np.unique(np.concatenate(points))
    return grid[(grid >= max(left, -FARTHEST)) & (grid <= min(right, FARTHEST))]


def _bracketed(sample: Sample, low: float, high: float) -> float:
    """The zero between two points where the signs differ: Newton's steps, and halving where they lead astray."""
    (f, g), x = sample(np.array([low, high]))[0], 0.5 * (low + high)
    if f == 0 or g == 0:
        return float(low if f == 0 else high)
    for _ in range(200):
        # Far apart, zeros are looked for by their size.
        if low > 0 and high > 4 * low:
            x = math.sqrt(low * high)
        elif high < 0 and low < 4 * high:
            x = -math.sqrt(low * high)
        if not low < x < high:
            x = 0.5 * (low + high)
        if not low < x < high:
            break
        value, slope, _ = (float(part[0]) for part in sample(np.array([x])))
        if value == 0:
            return x
        if (value > 0) == (f > 0):
            low, f = x, value
        else:
            high, g = x, value
        step = x - value / slope if slope else math.nan
        # A step from one side alone never closes the bracket: it goes a little past where it would end.
        x = step + math.copysign(2 * math.ulp(step), step - x) if math.isfinite(step) else math.nan
    return float(low if abs(f) < abs(g) else high)


def _merged(flat: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The stretches, those that touch as one."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(flat):
        if merged and low <= merged[-1][1] + 64 * math.ulp(low):
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _in_stretch(sample: Sample, low: float, high: float) -> float:
    """The zero of a stretch in which all is rounding: where function or slope change sign from side to side."""
    # 0 is what most functions are centred on.
    if low <= 0 <= high and sample(np.array([0.0]))[0][0] == 0:
        return 0.0
    left, right = float(low - (high - low)), float(high + (high - low))
    values, slopes, _ = sample(np.array([left, right]))
    if values[0] * values[1] < 0:
        return _bracketed(sample, left, right)
    if slopes[0] * slopes[1] < 0:
        return _bracketed(lambda x: _slope(sample, x), left, right)
    return float(0.5 * (low + high))


def _slope(sample: Sample, x: Array) -> tuple[Array, Array, Array]:
    _, slope, rounding = sample(x)
    return slope, np.zeros_like(slope), rounding
