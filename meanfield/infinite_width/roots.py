"""All roots of a smooth function, double ones included.

A tangency shows no sign change, so sampling f alone misses it; and unclipped activations on the edge of chaos *are*
tangencies. `find_roots` therefore takes f with its derivatives and climbs: sign changes of the highest derivative,
found on a grid fine enough for it, split the line into intervals on which the next lower one is monotone, and so on
up to f. A sign change found by mistake only splits an interval once more. docs/theory.md, section 5.

Where a condition begins to hold among numbers that a person would write, `decimals` and `first_index` tell; and where
among some values a function is least, `nearest_least`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ZERO", "Function", "Root", "bracketed", "decimals", "find_roots", "first_index", "nearest_least"]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

#: |f| below this many times its scale is zero: the rounding of the maps and of σ_w, σ_b themselves.
ZERO = 32 * np.finfo(float).eps
#: Steps of the bracketing search; each at worst halves the bracket, and 200 exhaust any that the grids here give.
_STEPS = 200
#: The ends of a bracket are of different magnitudes where they differ by more than this factor.
_WIDE = 16.0
#: Steps for the highest derivative, whose sign changes only split the line: to a small part of a grid interval.
_ROUGH_STEPS = 3


@dataclass(frozen=True)
class Root:
    """A root of f: where (`x`), the sign of f before and after it (−1, 1; 0 at the end of the domain).

    Equal signs mean a tangency. Where f vanishes on a whole interval, `until` is its right end; else it is `x`.
    """

    x: float
    before: int
    after: int
    until: float


def find_roots(
    levels: Sequence[Function], grid: Array, scale: Function, rounding: Function | None = None
) -> list[Root]:
    """Every root of levels[0] on the span of `grid`, ascending.

    Args:
        levels: f and its successive derivatives; the last one must not change sign twice between grid points.
        grid: ascending points, shape (n,), the ends of the domain included. A root at an end has a sign on one side.
        scale: the size against which f is called zero, elementwise and positive where f can vanish.
        rounding: the size of which f itself rounds, `scale` if not given: where that is less, f tells a sign change
            that `scale` calls zero.
    """
    x, critical = grid, np.empty(0)
    for n, derivative in reversed(list(enumerate(levels))[1:]):
        rough = n > 1 and n == len(levels) - 1
        critical = _sign_changes(derivative, x, _ROUGH_STEPS if rough else _STEPS)
        x = np.sort(np.concatenate([x, critical]))
        x = x[np.concatenate([[True], np.diff(x) > 0])]
    f = levels[0]
    values = f(x)
    vanishing = np.isfinite(values) & (np.abs(values) <= ZERO * scale(x))
    signs = np.where(vanishing, 0, np.sign(values)).astype(int)
    rounded = vanishing if rounding is None else vanishing & (np.abs(values) <= ZERO * rounding(x))
    roots = []
    i = 0
    while i < len(x):
        if signs[i] == 0:
            j = i
            while j + 1 < len(x) and signs[j + 1] == 0:
                j += 1
            roots += _flat_root(f, x, signs, i, j, critical, rounded)
            i = j + 1
        else:
            if i + 1 < len(x) and signs[i] * signs[i + 1] < 0:
                roots.append(_crossing(f, x[i], x[i + 1], signs[i], signs[i + 1]))
            i += 1
    return roots


def _flat_root(
    f: Function, x: Array, signs: NDArray[np.int_], i: int, j: int, critical: Array, rounded: NDArray[np.bool_]
) -> list[Root]:
    """The root in a run x[i…j] on which f is zero to rounding."""
    before = int(signs[i - 1]) if i else 0
    after = int(signs[j + 1]) if j + 1 < len(x) else 0
    if not before and not after:
        return [Root(float(x[i]), 0, 0, float(x[j]))]
    if not before:
        return [Root(float(x[i]), 0, after, float(x[i]))]
    if not after:
        return [Root(float(x[j]), before, 0, float(x[j]))]
    if i == j and (before == after or rounded[i]):
        return [Root(float(x[i]), before, after, float(x[i]))]
    if before != after:
        return [_crossing(f, x[i - 1], x[j + 1], before, after)]
    inside = critical[(critical >= x[i]) & (critical <= x[j])]
    candidates = inside if inside.size else x[i : j + 1]
    touch = float(candidates[np.argmin(np.abs(f(candidates)))])
    return [Root(touch, before, after, touch)]


def _crossing(f: Function, low: float, high: float, before: int, after: int) -> Root:
    x = float(bracketed(f, np.array([low]), np.array([high]))[0])
    return Root(x, int(before), int(after), x)


def _sign_changes(f: Function, x: Array, steps: int) -> Array:
    values = f(x)
    known = np.flatnonzero(values)
    x, values = x[known], values[known]
    change = np.flatnonzero(np.sign(values[:-1]) != np.sign(values[1:]))
    return bracketed(f, x[change], x[change + 1], steps=steps) if change.size else np.empty(0)


def bracketed(f: Callable[..., Array], a: Array, b: Array, *parameters: Array, steps: int = _STEPS) -> Array:
    """Roots of f in the brackets [a, b], all at once, to the last bit if `steps` allow: Chandrupatla's method.

    f takes points and, of each array in `parameters` (shaped like a), the entries that belong to them.

    T. R. Chandrupatla, Advances in Engineering Software 28 (1997) 145-149: inverse quadratic interpolation where it
    is safe, else bisection.
    """
    fa, fb = f(a, *parameters), f(b, *parameters)
    roots, index = np.where(np.abs(fa) < np.abs(fb), a, b), np.arange(len(a))
    c, fc = a, fa
    t = np.full_like(a, 0.5)
    for _ in range(steps):
        # Ends of different magnitudes are halved as such.
        apart = (np.minimum(a, b) > 0) & (np.maximum(a, b) > _WIDE * np.minimum(a, b))
        x = np.where(apart, np.sqrt(np.maximum(a, 0.0)) * np.sqrt(np.maximum(b, 0.0)), a + t * (b - a))
        fx = f(x, *parameters)
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        roots[index] = best
        limit = 0.5 * np.spacing(np.abs(best)) / np.maximum(np.abs(b - a), np.finfo(float).tiny)
        going = (limit <= 0.25) & (fa != 0)
        if not going.any():
            break
        with np.errstate(all="ignore"):
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            smooth = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
            t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        t = np.where(smooth & np.isfinite(t), t, 0.5)
        t = np.clip(t, np.minimum(limit, 0.5), np.maximum(1 - limit, 0.5))
        if not going.all():
            index, a, b, c, fa, fb, fc, t = (array[going] for array in (index, a, b, c, fa, fb, fc, t))
            parameters = tuple(array[going] for array in parameters)
    return roots


def decimals(digits: int, low: float, high: float) -> list[float]:
    """The numbers of so many significant digits above `low` > 0 and up to `high`, descending."""
    exponents = range(math.floor(math.log10(high)), math.floor(math.log10(low)) - 1, -1)
    mantissas = range(10**digits - 1, 10 ** (digits - 1) - 1, -1)
    numbers = (float(f"{mantissa}e{exponent - digits + 1}") for exponent in exponents for mantissa in mantissas)
    return [number for number in numbers if low < number <= high]


def first_index(count: int, holds: Callable[[int], bool]) -> int:
    """The least n < count for which `holds`, if it then holds for all above; count if there is none."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def nearest_least(count: int, of: Callable[[int], Any], start: int) -> int:
    """The n < count at which `of`, whose values have an order, is least among its neighbours, downhill from `start`."""
    place = start
    while True:
        around = [place, *(n for n in (place - 1, place + 1) if 0 <= n < count)]
        best = min(around, key=of)
        if best == place:
            return place
        place = best
