"""How far an analytic function reaches: on which lengths it varies, where it ends, how large it becomes.

All of it is found by looking at the function, on every scale. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.crossings import centres
from meanfield.activations.trees import Number, Tree
from meanfield.activations.zeros import Endless, zeros

__all__ = ["grows_too_fast", "is_bounded", "largest", "lengths", "limiting_slope", "undefined_at"]

Array = NDArray[np.float64]
#: A function that gives its values and slopes.
Slopes = Callable[[Array], tuple[Array, Array]]

#: Far away, in powers of ten: what a function tends to is seen at the last two where it is finite.
_FAR = 10.0 ** np.array([2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128])
#: A limit is one where the two differ by so little, and 0 where the last is so small.
_SETTLED, _GONE = 1e-6, 1e-4
#: A magnitude is looked at in so many points.
_SPREAD = np.linspace(1.0, 2.0, 65)
#: Bounded is what grows by less than this from one magnitude to the next.
_BOUNDED = 1.001
#: Of an oscillation without end the largest values are looked for so far out.
_OSCILLATION = 300.0
#: Coefficients of an analytic function, and what the last of them are beside the largest where it is resolved.
_NODES, _LAST, _RESOLVED = 16, 2, 1e-13
#: Doublings up or down from 1.
_DOUBLINGS = 150
_NOTHING = 1e-17
#: Far out x φ'/φ changes by no more than this, on lengths no longer than this many of the least.
_STEADY, _LONGEST = 1e-3, 1e4


def limiting_slope(tree: Tree, way: int) -> float:
    """f' as x goes to ±∞; NaN where it has no limit."""
    if isinstance(tree, Number):
        return 0.0
    with np.errstate(all="ignore"):
        f, slope = tree.with_slopes(way * _FAR)
        slope = np.where(np.isinf(f), way * np.sign(f) * np.inf, slope)[~np.isnan(slope)]
    if len(slope) < 2 or np.isinf(slope[-1]):
        return float(slope[-1]) if len(slope) else math.nan
    before, last = float(slope[-2]), float(slope[-1])
    if abs(last - before) <= _SETTLED * abs(last):
        return last
    if abs(last) <= _GONE and abs(last) <= abs(before):
        return 0.0
    steps = np.diff(slope[-5:])
    if (steps > 0).all() or (steps < 0).all():
        return math.copysign(math.inf, last) if abs(last) > abs(before) else math.nan
    return math.nan


def is_bounded(tree: Tree, left: float, right: float) -> bool:
    """Whether a function that has no pole stays below a constant between two ends."""
    ways = [way for end, way in ((left, -1), (right, 1)) if math.isinf(end)]
    return isinstance(tree, Number) or all(_far_out(tree, way) < math.inf for way in ways)


def largest(tree: Tree, left: float, right: float) -> float:
    """The supremum of |f| strictly between two ends, which may be ∞; ∞ where f is not bounded."""
    if isinstance(tree, Number):
        return abs(float(tree.value))
    found = 0.0
    for end, way in ((left, -1), (right, 1)):
        if math.isinf(end):
            at_end = _far_out(tree, way)
            if math.isinf(at_end):
                return math.inf
            found = max(found, at_end)
        else:
            found = max(found, _at(tree, [end]))

    def slopes(x: Array) -> tuple[Array, Array, Array]:
        with np.errstate(all="ignore"):
            f, slope, bend = tree.jet(x)
            small = np.abs(f) + np.abs(slope) + np.abs(bend)
        return slope, bend, 1e-15 * np.minimum(small, np.abs(slope) + np.abs(bend)) + 1e-290

    try:
        extremes = zeros(slopes, left, right, centres(tree))
    except Endless:
        x = np.linspace(max(left, -_OSCILLATION), min(right, _OSCILLATION), 200_001)
        rough = float(x[np.abs(_finite(tree, x)).argmax()])
        step = x[1] - x[0]
        extremes = [rough]
        for _ in range(8):
            with np.errstate(all="ignore"):
                _, slope, bend = (float(part[0]) for part in tree.jet(np.array([rough])))
            rough -= float(np.clip(slope / bend, -step, step)) if bend else 0.0
            extremes.append(rough)
    return max(found, _at(tree, extremes))


def _far_out(tree: Tree, way: int) -> float:
    """What |f| comes up to as x goes to ±∞."""
    x = way * np.multiply.outer(_FAR, _SPREAD)
    f = np.abs(_finite(tree, x.ravel(), math.inf)).reshape(x.shape)
    # Where parts overflow nothing is told.
    told = np.array([row.max() for row in f if not np.isnan(row).any()])
    if not len(told):
        return 0.0
    if np.isinf(told[-1]) or (len(told) > 1 and told[-1] > _BOUNDED * told[-2]):
        return math.inf
    return float(told[-1])


def _finite(tree: Tree, x: Array, beyond: float = 0.0) -> Array:
    with np.errstate(all="ignore"):
        f = tree.values(x)
    return np.where(np.isinf(f), beyond, f) if beyond else np.nan_to_num(f, posinf=0.0, neginf=0.0)


def _at(tree: Tree, points: Sequence[float]) -> float:
    return float(np.abs(_finite(tree, np.array(points, dtype=float))).max(initial=0.0))


def lengths(phi: Slopes, breaks: Sequence[float]) -> set[float]:
    """The least and the largest length on which a function varies, those that it has."""
    nearest = min((abs(t) for t in breaks if t), default=math.inf)
    least = _least(phi, nearest)
    largest = _largest(phi, least or 1.0)
    return {length for length in (least, largest) if length}


def _least(phi: Slopes, nearest: float) -> float | None:
    """The largest 2^k up to which the function is resolved on either side of 0; None where it is on every scale."""
    angles = math.pi * (np.arange(_NODES) + 0.5) / _NODES
    transform = 2 / _NODES * np.cos(np.outer(np.arange(_NODES), angles))
    r = 2.0 ** np.arange(-_DOUBLINGS, _DOUBLINGS)
    r = r[r <= nearest]
    resolved = np.ones(len(r), dtype=bool)
    for way in (1.0, -1.0):
        with np.errstate(all="ignore"):
            f, _ = phi(way * np.outer(r, 0.5 + 0.5 * np.cos(angles)))
            coefficients = np.abs(f @ transform.T)
            # From small to large: where all nodes lie past what the function does, it looks resolved again.
            resolved &= coefficients[:, -_LAST:].max(axis=1) <= _RESOLVED * coefficients.max(axis=1)
    if resolved.all() or not resolved[0]:
        return None
    return float(r[int(np.argmin(resolved)) - 1])


def _largest(phi: Slopes, least: float) -> float | None:
    """The length beyond which x φ'/φ has settled on either side, at most `_LONGEST` times the least; None for 0."""
    r = least * 2.0 ** np.arange(-40, math.log2(_LONGEST) + 1, 0.5)
    far = r[-1] * np.array([2.0, 8.0, 64.0])
    end = None
    for way in (1.0, -1.0):
        x = way * np.concatenate([r, far])
        f, slope = phi(x)
        with np.errstate(all="ignore"):
            # A tail of which nothing is left has no scale.
            size = np.nan_to_num(np.abs(f), nan=0.0, posinf=np.inf)
            gone = (size <= _NOTHING * size.max()) & (np.arange(len(f)) > size.argmax())
            order = np.where(gone | (f == 0), 0.0, x * slope / f)
        order = np.where(np.isfinite(order), order, np.inf)
        with np.errstate(all="ignore"):
            moving = np.nonzero(~(np.abs(order - order[-1]) <= _STEADY))[0]
        if len(moving):
            end = max(end or 0.0, float(r[min(moving[-1] + 1, len(r) - 1)]))
    return end


def undefined_at(tree: Tree, left: float, right: float) -> float | None:
    """A point between two ends, up to 1000 from 0, where function or slope is no number; None if there is none."""
    away = np.concatenate([10.0 ** np.linspace(-8, 3, 221), np.linspace(0.5, 1000, 2000)])
    x = np.concatenate([-away[::-1], away])
    ends = [end for end in (left, right) if math.isfinite(end)]
    x = np.unique(np.concatenate([x, *(end + way * away for end in ends for way in (1, -1))]))
    x = x[(x > left) & (x < right)]
    with np.errstate(all="ignore"):
        f, slope = tree.with_slopes(x)
    # Beyond the doubles a value may be, if it does not grow too fast.
    wrong = x[np.isnan(f) | (np.isnan(slope) & np.isfinite(f))]
    return float(wrong[np.abs(wrong).argmin()]) if len(wrong) else None


#: Of growth like exp(x^p), p − 1 from which Gaussian means are endless, a little less than 1 for factors beside it.
_TOO_FAST = 0.97


def grows_too_fast(tree: Tree, way: int) -> float | None:
    """Where the function leaves the doubles, if it grows like exp(x²) or faster as x goes to ±∞; else None."""
    x = 10.0 ** np.arange(-1, 150, 0.02)

    def finite(r: Array) -> NDArray[np.bool_]:
        with np.errstate(all="ignore"):
            found: NDArray[np.bool_] = np.isfinite(tree.values(way * r))
        return found

    within = finite(x)
    if within.all() or not within.any():
        return None
    edge = int(np.argmin(within[np.argmax(within) :])) + int(np.argmax(within))
    low, high = x[edge - 1], x[edge]
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if finite(np.array([middle]))[0] else (low, middle)
    r = low * np.linspace(0.75, 0.99, 25)
    with np.errstate(all="ignore"):
        f, slope, bend = tree.jet(way * r)
        first = slope / f
        growth = way * r * (bend / f - first * first) / first
        grown = np.abs(f[-1]) > 1e100 and np.isfinite(growth).any()
    return float(way * low) if grown and np.nanmedian(growth) > _TOO_FAST else None
