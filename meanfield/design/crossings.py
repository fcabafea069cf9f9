"""Where a function of one positive parameter takes a given value, known only by evaluating it.

The functions here are what parameters of a user's activation do to a quantity: nothing is known of them but that they
vary over a unit of the parameter's logarithm, as Gaussian expectations do. So they are sampled, turning points near
the value are refined, and every sign change is bracketed. Where the function has no value (NaN) it is passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from meanfield.infinite_width.roots import bracketed

__all__ = ["Crossings", "crossings"]

Array = NDArray[np.float64]

#: The parameter is looked for at 0 and from 1e-4 to 1e4 times its scale, six values a decade.
_VALUES = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 49)])
#: A sign change at which the function is further than this from the value is a jump.
_MET = 1e-10
#: Differences from the value below this, or this share of it, are rounding.
_VALUE_ROUNDING = 4e-16


@dataclass(frozen=True)
class Crossings:
    """`roots` where the function takes the value, ascending; `low` and `high`, what it reaches (NaN if nothing).

    `flat`: intervals on which it keeps the value, so that no point of them is singled out.
    """

    roots: tuple[float, ...]
    low: float
    high: float
    flat: tuple[tuple[float, float], ...] = ()


def crossings(function: Callable[[float], float], value: float, scale: float) -> Crossings:
    """Every parameter ≥ 0 of the order of `scale` at which `function` takes `value`, to rounding."""

    def excess(parameters: Array) -> Array:
        return np.array([function(float(x)) for x in parameters]) - value

    x = _VALUES * scale
    f = excess(x)
    x, f = x[np.isfinite(f)], f[np.isfinite(f)]
    if not x.size:
        return Crossings((), np.nan, np.nan)
    crossed = bool((f.min() <= 0) & (f.max() >= 0))
    for i in _turning_points(f, only_near_zero=crossed):
        turn = _extremum(excess, x[i - 1], x[i + 1], np.sign(f[i] - f[i - 1]))
        x, f = np.append(x, turn), np.append(f, excess(np.array([turn])))
    order = np.argsort(x)
    x, f = x[order], f[order]
    signs = np.where(np.abs(f) <= _VALUE_ROUNDING * max(abs(value), 1), 0, np.sign(f))
    change = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    runs = [list(run) for zero, run in groupby(range(x.size), lambda i: signs[i] == 0) if zero]
    roots = [x[run[0]] for run in runs if len(run) == 1]
    flat = tuple((float(x[run[0]]), float(x[run[-1]])) for run in runs if len(run) > 1)
    if change.size:
        candidates = bracketed(excess, x[change], x[change + 1])
        roots += [root for root, left in zip(candidates, excess(candidates), strict=True) if abs(left) <= _MET]
    return Crossings(tuple(sorted(map(float, roots))), float(f.min()) + value, float(f.max()) + value, flat)


def _turning_points(f: Array, *, only_near_zero: bool) -> list[int]:
    """Samples higher, or lower, than both neighbours; or those alone between which two roots may hide."""
    steps = np.diff(f)
    turns = 1 + np.flatnonzero((steps[:-1] * steps[1:] < 0) & (np.abs(np.diff(steps)) > _MET))
    if only_near_zero:
        # The parabola through three samples goes beyond the middle one by less than they differ.
        turns = turns[np.abs(f[turns]) <= np.maximum(np.abs(steps[turns - 1]), np.abs(steps[turns]))]
    return [int(i) for i in turns]


def _extremum(f: Callable[[Array], Array], low: float, high: float, side: float) -> float:
    """Where f is largest (`side` 1) or smallest (−1) between two parameters."""
    from scipy.optimize import minimize_scalar

    return float(minimize_scalar(lambda x: -side * f(np.array([x]))[0], bounds=(low, high), method="bounded").x)
