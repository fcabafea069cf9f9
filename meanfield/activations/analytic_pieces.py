"""A function between two of its breaks: a polynomial where it is one, else Chebyshev polynomials on panels.

Where it is a polynomial to rounding from some |x| on, as tanh is 1 and GELU x, panels end there.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.typing import NDArray

from meanfield.activations.analytic import number, power, product, summed
from meanfield.activations.analytic_breaks import too_fast
from meanfield.activations.chebyshev_pieces import Chebyshev, Panel
from meanfield.activations.chebyshev_points import chebyshev
from meanfield.activations.fitting import short
from meanfield.activations.resolution import NODES, REACH, Resolution
from meanfield.activations.trees import Tree, X

__all__ = ["Polynomial", "fitted_piece", "polynomial_tree"]

Array = NDArray[np.float64]
#: Coefficients, that of 1 first.
Polynomial = tuple[Fraction, ...]

#: Polynomials up to this degree are recognised; so many doublings of |x| are a price for one of lower degree.
_HIGHEST, _FURTHER = 3, 4
#: A panel reaches this share of its width beyond its edges, where the piece does.
_BEYOND = 1 / 8
#: There are no more panels, and none is narrower than this share of 1 + |x|.
_MOST_PANELS, _NARROWEST = 4096, 2.0**-20
#: So many times what a panel's values may be off, departures between them refute it.
_WRONG = 20.0
#: Units in the last place of its size to which a panel is known.
_UNITS = 8 * float(np.finfo(float).eps)
#: The panel at 0 holds up to this power of x.
_MOST_POWERS = 4


def fitted_piece(resolution: Resolution, low: float, high: float) -> Polynomial | Chebyshev:
    """The function from one break to the next; −∞ and ∞ where there is none.

    Raises:
        ActivationError: it varies too fast; the message says where.
    """
    x = _seen(low, high)
    y = resolution.function(x)
    whole = _polynomial(resolution, x, y)
    if whole is not None:
        return whole
    start, left = _tail(resolution, -x[::-1], y[::-1]) if low == -math.inf else (-low, None)
    end, right = _tail(resolution, x, y) if high == math.inf else (high, None)
    if left is not None:
        left = tuple(c * (-1) ** k for k, c in enumerate(left))
    edges, panels = _panels(resolution, (low, high), _edges(-start, end))
    found = Chebyshev(edges, panels, (), ())
    ends = [
        _tangent(found, at) if tail is None else tuple(map(float, tail)) for at, tail in ((-start, left), (end, right))
    ]
    return replace(found, left=ends[0], right=ends[1])


def polynomial_tree(polynomial: Polynomial) -> Tree:
    """The polynomial as a tree."""
    terms = (product([number(c), power(X, number(k))]) for k, c in enumerate(polynomial))
    return summed(list(terms)[::-1])


def _seen(low: float, high: float) -> Array:
    """Points between two breaks, ascending."""
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * chebyshev(2 * NODES)[0]
    # Shifted by a share of a step, as what a person would choose is special.
    offsets = 2.0 ** (np.arange(-159.6, 16 * math.log2(REACH)) / 16)
    left = high - offsets[::-1] if math.isfinite(high) else -offsets[::-1]
    right = low + offsets if math.isfinite(low) else offsets
    if math.isfinite(low):
        return np.unique(right)
    return np.unique(left if math.isfinite(high) else np.concatenate([left, right]))


def _tail(resolution: Resolution, x: Array, y: Array) -> tuple[float, Polynomial | None]:
    """From where on to the right a function is a polynomial, and which; the end of what is looked at, if none."""
    doublings = 2.0 ** np.arange(-1, math.log2(REACH))
    starts = doublings[doublings > x[0]]
    for k, start in enumerate(starts):
        found = _polynomial(resolution, x[x >= start], y[x >= start])
        if found is not None:
            # A little further out fewer terms may do.
            further = starts[min(k + _FURTHER, len(starts) - 1)]
            shorter = _polynomial(resolution, x[x >= further], y[x >= further])
            if shorter is not None and len(shorter) < len(found):
                return float(further), shorter
            return float(start), found
    return REACH, None


def _polynomial(resolution: Resolution, x: Array, y: Array) -> Polynomial | None:
    """The polynomial that a function is to rounding, in short numbers where such describe it as well."""
    allowed = resolution.tolerance / 2 * np.maximum(resolution.size(x), np.abs(y))
    for degree in range(_HIGHEST + 1):
        powers = x[:, np.newaxis] ** np.arange(degree + 1)
        columns = powers / allowed[:, np.newaxis]
        lengths = np.abs(columns).max(axis=0)
        fitted = np.zeros(degree + 1)
        for _ in range(2):
            left = (y - powers @ fitted) / allowed
            fitted += np.linalg.lstsq(columns / lengths, left, rcond=None)[0] / lengths
        loose = 4 * (allowed[:, np.newaxis] / np.abs(powers)).min(axis=0)
        exact = tuple(map(Fraction, fitted.tolist()))
        for candidate in (tuple(map(short, exact, loose.tolist())), exact):
            # As it will be evaluated: where its terms cancel it is no description.
            if (np.abs(y - powers @ np.array(list(map(float, candidate)))) <= allowed).all():
                return candidate
    return None


def _tangent(found: Chebyshev, at: float) -> tuple[float, ...]:
    f, slope = (float(value[0]) for value in found.with_slopes(np.array([at])))
    return f - slope * at, slope


def _edges(low: float, high: float) -> Array:
    """Panels double in width away from 0, and none is a sliver at an end."""
    doublings = 2.0 ** np.arange(-1, math.log2(REACH))
    between = np.concatenate([-doublings[::-1], doublings])
    clear = np.minimum(between - low, high - between) > np.abs(between) / 2
    return np.array([low, *between[clear], high])


def _panels(
    resolution: Resolution, piece: tuple[float, float], edges: Array
) -> tuple[tuple[float, ...], tuple[Panel, ...]]:
    """Panels on which a function is described, and their edges."""
    low, high = edges[:-1], edges[1:]
    order = _order_at_0(resolution, *piece)
    done: dict[float, Panel] = {}
    while len(low):
        room = _BEYOND * (high - low)
        starts, ends = np.maximum(low - room, piece[0]), np.minimum(high + room, piece[1])
        x = resolution.nodes(starts, ends)
        y = resolution.function(x.ravel()).reshape(x.shape)
        panels = [
            _panel(resolution, (float(low[i]), float(high[i])), x[i], y[i], (float(starts[i]), float(ends[i])), order)
            for i in range(len(low))
        ]
        done |= {float(at): panel for at, panel in zip(low, panels, strict=True) if panel is not None}
        rough = np.array([panel is None for panel in panels])
        low, high = low[rough], high[rough]
        if len(done) + len(low) > _MOST_PANELS or (high - low < _NARROWEST * (1 + np.abs(low))).any():
            raise too_fast(resolution, low)
        low, high = _split(low, high)
    ascending = sorted(done)
    return (*ascending, float(edges[-1])), tuple(done[at] for at in ascending)


def _panel(
    resolution: Resolution, own: tuple[float, float], x: Array, y: Array, interval: tuple[float, float], order: int
) -> Panel | None:
    """The description from values on an interval; None if there is none that also describes what was seen before.

    On the panel at 0 as many powers of x are taken out as it bears.
    """
    first, last = np.searchsorted(resolution.x, own)
    seen, expected = resolution.x[first:last], resolution.y[first:last]
    plain = float(resolution.allowed(x[np.newaxis], y[np.newaxis])[0])
    for taken in range(order if own[0] <= 0 <= own[1] else 0, -1, -1):
        g = y / x**taken
        coefficients = chebyshev(NODES)[1] @ g
        allowed = resolution.tolerance * float(np.abs(g).max()) if taken else plain
        if not resolution.ends(coefficients[np.newaxis], np.array([allowed]))[0]:
            continue
        kept = coefficients[: 1 + int(np.flatnonzero(np.abs(coefficients) > allowed / 8).max(initial=0))]
        t = (2 * seen - (interval[0] + interval[1])) / (interval[1] - interval[0])
        if (np.abs(chebval(t, kept) * seen**taken - expected) <= _WRONG * plain).all():
            return Panel(*interval, tuple(kept.tolist()), allowed / _UNITS, taken)
    return None


def _split(low: Array, high: Array) -> tuple[Array, Array]:
    """Halves; around 0 the inner half stays whole."""
    inside = (low < 0) & (high > 0)
    middle = (low + high)[~inside] / 2
    a, b = low[inside], high[inside]
    return (
        np.concatenate([low[~inside], middle, a, a / 2, b / 2]),
        np.concatenate([middle, high[~inside], a / 2, b / 2, b]),
    )


def _order_at_0(resolution: Resolution, low: float, high: float) -> int:
    """The first power of x in the expansion of a function at 0, where that is inside or at an end."""
    if not low <= 0 <= high:
        return 0
    near = np.array([2.0**-10, 2.0**-14]) * (1 if high > 0 else -1)
    y = np.abs(resolution.function(near))
    if not y.all():
        return 0
    order = math.log2(float(y[0] / y[1])) / 4
    whole = round(order)
    return whole if 0 < whole <= _MOST_POWERS and abs(order - whole) < 0.02 else 0
