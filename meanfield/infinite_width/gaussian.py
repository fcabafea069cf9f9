"""Moments of the standard normal on a half-line and on an interval, to nearly the last digit.

Every expectation in the package is a sum of these two, so their relative accuracy is the package's:

- `tail_moments(h)`: Uₙ(h) = ∫₀^∞ uⁿ ϕ(h + u) du, for h ≥ 0;
- `interval_moments(h, w)`: ∫₀^w uⁿ ϕ(h + u) du, for h ≥ 0, in a unit that the function chooses.

The textbook forms of Uₙ in Φ and ϕ cancel (U₂ = (1 + h²)(1 − Φ) − hϕ loses 8 digits at h = 30). Here no two
close numbers are subtracted. The ratios rₙ = Uₙ/Uₙ₋₁ obey rₙ = n/(h + rₙ₊₁), from integration by parts. Read
from a high n downwards, that is a sum of positive numbers which shrinks the error at every step, and it ends in
U₀ = ϕ/(h + r₁). r₇ starts it, from one polynomial valid on the whole half-line. An interval over which ϕ
falls little is short enough for Gauss-Legendre, whose terms are all positive; a long one is a difference of
tails that does not cancel. docs/theory.md, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from math import comb, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HIGHEST_MOMENT", "OUT_OF_REACH", "density", "interval_moments", "legendre", "tail_moments"]

Array = NDArray[np.float64]

#: Moments are available up to this order: V'' needs z⁴φ², of degree 6 on a piece.
HIGHEST_MOMENT = 6

#: The density is 0 there, in doubles.
OUT_OF_REACH = 39.0

#: r₇(h)/t as a polynomial in s = 1 − 2t/7, where t = √(h² + 49) − h runs from 7 (h = 0) to 0 (h = ∞): its Chebyshev
#: interpolant of degree 23, written in powers of s. The constant 49 is the one for which the series falls fastest.
#: tests/infinite_width/test_gaussian.py derives the coefficients again with mpmath.
_RATIO_7 = (
    0.3094129620483925,
    -0.04500242316955259,
    0.01734247243736786,
    0.0057228611150615645,
    -0.0018049416481523283,
    -0.00020148881199461724,
    0.00032436624656764676,
    -4.963718665309672e-05,
    -4.811285290931633e-05,
    1.7649914462440535e-05,
    3.899434060498126e-06,
    -4.04176367247575e-06,
    2.572045592210519e-07,
    6.796197221895829e-07,
    -1.8723994860491332e-07,
    -7.190553518054553e-08,
    4.966751973033207e-08,
    -4.703104482279401e-10,
    -9.920709358961446e-09,
    1.969575697127695e-09,
    1.5059946934534864e-09,
    -3.8073875322743876e-10,
    -1.278018895950938e-10,
    2.8980329202752087e-11,
)

_ROOT_2PI = sqrt(2 * pi)

#: Uₙ(0) = E|z|ⁿ/2, n = 0…6. The even ones are exact, so that homogeneous activations come out exact.
_HALF_MOMENTS = list(map(np.array, (0.5, 1 / _ROOT_2PI, 0.5, 2 / _ROOT_2PI, 1.5, 8 / _ROOT_2PI, 7.5)))

#: An interval is short when ln ϕ falls by at most the last `drop` along it; with each drop so many Gauss-Legendre nodes
#: are exact to rounding. Beyond it, the difference of two tails loses about one digit in the highest moment asked for:
#: the first rules serve moments up to the second, the others those up to the sixth.
_SHORT = {False: ((1 / 32, 6), (1.0, 8)), True: ((1 / 16, 8), (4.0, 16))}


@cache
def legendre(n: int) -> tuple[Array, Array]:
    """Nodes and weights of the n-point Gauss-Legendre rule on [0, 1], each of shape (n,)."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / 2


def density(h: Array) -> Array:
    """ϕ(h) = exp(−h²/2)/√(2π), elementwise."""
    return np.exp(-0.5 * h * h) / _ROOT_2PI


def tail_moments(h: Array, order: int) -> list[Array]:
    """Uₙ(h) = ∫₀^∞ uⁿ ϕ(h + u) du for n = 0…order, each with a relative error of a few units in the last place.

    `h`: h ≥ 0, any shape, infinity included; the scalar 0 gives the exact constants. `order` ≤ HIGHEST_MOMENT.
    Below the smallest normal double (h > 37.5) the result loses digits and then is 0, as ϕ(h) does.
    """
    return _tails(h, order) if h.ndim else _tails_from(h.item())[: order + 1]


@lru_cache(maxsize=256)
def _tails_from(h: float) -> list[Any]:
    """All moments from one h: every expectation at the same q asks for those of the same knots."""
    return _tails(h, HIGHEST_MOMENT) if h else _HALF_MOMENTS


def _tails(h: Any, order: int) -> list[Any]:
    t = 49 / (np.sqrt(h * h + 49) + h)
    s = 1 - (2 / 7) * t
    ratio = s * _RATIO_7[-1]
    for coefficient in _RATIO_7[-2:0:-1]:
        ratio += coefficient
        ratio *= s
    ratio += _RATIO_7[0]
    ratio *= t
    ratios = []
    for n in range(HIGHEST_MOMENT, 0, -1):
        ratio = n / (h + ratio)
        ratios.append(ratio)
    moments = [density(h) / (h + ratio)]
    for ratio in ratios[::-1][:order]:
        moments.append(moments[-1] * ratio)
    return moments


def _quick(number: Array) -> Any:
    """A scalar as Python's own, with which arithmetic is quicker than with numpy's; arrays as they are."""
    return number if number.ndim else number.item()


def interval_moments(
    h: Array, w: Array, order: int, tails: Callable[[], tuple[list[Array], list[Array]]]
) -> tuple[list[Array], NDArray[np.bool_] | bool]:
    """∫₀^w (u/unit)ⁿ ϕ(h + u) du for n = 0…order, and where the interval is short.

    `h` ≥ 0 and `w` > 0 are the left end and the width; `tails`, asked where an interval is long, gives `tail_moments`
    at h and at h + w. The unit is w where the interval is short and 1 elsewhere, so that neither a narrow nor a wide
    one over- or underflows. Returns the moments (list of arrays shaped like w) and where the interval is short (a
    mask of that shape, or one bool for all).
    """
    rules = _SHORT[order > 2]
    drop, nodes = rules[-1]
    drops = w * (h + 0.5 * w)
    short = drops <= drop
    if not short.ndim:
        # One bool is quicker to ask than numpy's.
        return (_short_interval(h, w, order, nodes), True) if short else (_long_interval(w, *tails()), False)
    if short.all():
        fewest = next(nodes for drop, nodes in rules if drops.max(initial=0.0) <= drop)
        return _short_interval(h, w, order, fewest), True
    moments = _long_interval(w, *tails())
    if not short.any():
        return moments, False
    some_h = h[short] if h.ndim else h
    for moment, positive in zip(moments, _short_interval(some_h, w[short], order, nodes), strict=True):
        moment[short] = positive
    return moments, short


def _long_interval(w: Array, near: list[Array], far: list[Array]) -> list[Array]:
    # Where w exceeds 50 the far tail is exactly 0, and its factor need not overflow.
    width = np.minimum(w, 50.0)
    powers = [width]
    while len(powers) < len(near) - 1:
        powers.append(powers[-1] * width)
    moments = []
    for n in range(len(near)):
        moment = near[n] - far[n]
        for k in range(n):
            moment -= (comb(n, k) * far[k]) * powers[n - k - 1] if k else far[0] * powers[n - 1]
        moments.append(moment)
    return moments


def _short_interval(h: Array, w: Array, order: int, nodes: int) -> list[Array]:
    moments: list[Any] = [0.0] * (order + 1)
    h, w = _quick(h), _quick(w)
    for node, weight in zip(*(numbers.tolist() for numbers in legendre(nodes)), strict=True):
        # In place where there are arrays: they stay in cache.
        term = w * node
        term += h
        term *= term
        term *= -0.5
        term = np.exp(term)
        term *= weight / _ROOT_2PI
        moments[0] += term
        for n in range(1, order + 1):
            term *= node
            moments[n] += term
    for n in range(order + 1):
        moments[n] *= w
    return moments
