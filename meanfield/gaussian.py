"""Moments of the standard normal on a half-line and on an interval, to nearly the last digit.

Every expectation in the package is a sum of these two, so their relative accuracy is the package's:

- `tail_moments(h)`: Uₙ(h) = ∫₀^∞ uⁿ ϕ(h + u) du, for h ≥ 0;
- `interval_moments(h, w)`: ∫₀^w uⁿ ϕ(h + u) du, for h ≥ 0, in a unit that the function chooses.

The textbook forms of Uₙ in Φ and ϕ cancel (U₂ = (1 + h²)(1 − Φ) − hϕ loses 8 digits at h = 30). Here no two
close numbers are subtracted. The ratios rₙ = Uₙ/Uₙ₋₁ obey rₙ = n/(h + rₙ₊₁), from integration by parts. Read
from a high n downwards, that is a sum of positive numbers which shrinks the error at every step, and it ends in
U₀ = ϕ/(h + r₁). r₇ starts it, from one Chebyshev series valid on the whole half-line. An interval over which ϕ
falls little is short enough for Gauss-Legendre, whose terms are all positive; a long one is a difference of
tails that does not cancel. docs/theory.md, section 3.
"""

from __future__ import annotations

from functools import cache
from math import comb, pi, sqrt

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.typing import NDArray

__all__ = ["HIGHEST_MOMENT", "density", "interval_moments", "legendre", "tail_moments"]

Array = NDArray[np.float64]

#: Moments are available up to this order: V'' needs z⁴φ², of degree 6 on a piece.
HIGHEST_MOMENT = 6

#: Chebyshev series of r₇(h)/t in s = 1 − 2t/7, where t = √(h² + 49) − h runs from 7 (h = 0) to 0 (h = ∞). The
#: constant 49 makes the coefficients fall fastest. tests/test_gaussian.py computes them again with mpmath.
_RATIO_7 = np.array(
    [
        0.3174965403268828,
        -0.04085623275735346,
        0.007901407375759213,
        0.0013561435861700099,
        -0.0001743833231649934,
        -1.60856827130682e-05,
        7.4822845099989635e-06,
        -3.305792901142554e-07,
        -2.9754069391405033e-07,
        3.65249598670067e-08,
        7.700393559574963e-09,
        -2.233308526245472e-09,
        -6.196408024824674e-11,
        1.0445507365246019e-10,
        -7.356318554866601e-12,
        -3.647724394471618e-12,
        6.052484628718193e-13,
        7.156246985131658e-14,
        -3.2317166692529144e-14,
        1.6363094261251792e-15,
        1.5317617429360781e-15,
        -2.0418344527398517e-16,
        -6.094068984751406e-17,
        6.90944891041567e-18,
    ]
)

#: Uₙ(0) = E|z|ⁿ/2, n = 0…6. The even ones are exact, so that homogeneous activations come out exact.
_HALF_MOMENTS = [0.5, 1 / sqrt(2 * pi), 0.5, 2 / sqrt(2 * pi), 1.5, 8 / sqrt(2 * pi), 7.5]

#: An interval is short when ln ϕ falls by at most this much along it. Up to there 16 nodes are exact to rounding;
#: beyond, the difference of two tails loses less than one digit in the sixth moment and nothing in the second.
_SHORT_DROP = 4.0
_SHORT_NODES = 16


@cache
def legendre(n: int) -> tuple[Array, Array]:
    """Nodes and weights of the n-point Gauss-Legendre rule on [0, 1], each of shape (n,)."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / 2


def density(h: Array) -> Array:
    """ϕ(h) = exp(−h²/2)/√(2π), elementwise."""
    return np.exp(-0.5 * h * h) / sqrt(2 * pi)


def tail_moments(h: Array | float, order: int) -> list[Array]:
    """Uₙ(h) = ∫₀^∞ uⁿ ϕ(h + u) du for n = 0…order, each with a relative error of a few units in the last place.

    `h`: h ≥ 0, any shape, infinity included; the scalar 0 gives the exact constants. `order` ≤ HIGHEST_MOMENT.
    Below the smallest normal double (h > 37.5) the result loses digits and then is 0, as ϕ(h) does.
    """
    if isinstance(h, float) and h == 0:
        return [np.asarray(moment) for moment in _HALF_MOMENTS[: order + 1]]
    h = np.asarray(h)
    t = 49 / (np.sqrt(h * h + 49) + h)
    ratio = t * chebval(1 - (2 / 7) * t, _RATIO_7)
    ratios = []
    for n in range(HIGHEST_MOMENT, 0, -1):
        ratio = n / (h + ratio)
        ratios.append(ratio)
    moments = [density(h) / (h + ratio)]
    for ratio in ratios[::-1][:order]:
        moments.append(moments[-1] * ratio)
    return moments


def interval_moments(
    h: Array | float, w: Array, near: list[Array], far: list[Array]
) -> tuple[list[Array], NDArray[np.bool_]]:
    """∫₀^w (u/unit)ⁿ ϕ(h + u) du for every n in `near`, and where the interval is short.

    `h` ≥ 0 and `w` > 0 are the left end and the width; `near` and `far` are `tail_moments` at h and at h + w. The
    unit is w where the interval is short and 1 elsewhere, so that neither a narrow nor a wide one over- or
    underflows. Returns the moments (list of arrays shaped like w) and the mask (same shape) of short intervals.
    """
    short = w * (h + 0.5 * w) <= _SHORT_DROP
    order = len(near) - 1
    if short.all():
        return _short_interval(h, w, order), short
    # Where w exceeds 50 the far tail is exactly 0, and its factor need not overflow.
    width = np.minimum(w, 50.0)
    moments = []
    for n in range(order + 1):
        beyond = far[0] * width**n
        for k in range(1, n + 1):
            beyond = beyond + comb(n, k) * width ** (n - k) * far[k]
        moments.append(near[n] - beyond)
    if short.any():
        some_h = h if isinstance(h, float) else h[short]
        for moment, positive in zip(moments, _short_interval(some_h, w[short], order), strict=True):
            moment[short] = positive
    return moments, short


def _short_interval(h: Array | float, w: Array, order: int) -> list[Array]:
    nodes, weights = legendre(_SHORT_NODES)
    moments = [np.zeros_like(w) for _ in range(order + 1)]
    for node, weight in zip(nodes, weights, strict=True):
        z = h + w * node
        term = weight * np.exp(-0.5 * z * z)
        for n in range(order + 1):
            moments[n] += term
            term = term * node
    scale = w / sqrt(2 * pi)
    return [moment * scale for moment in moments]
