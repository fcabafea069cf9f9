"""The analytic functions at the leaves of a tree, each with its first two derivatives, to the last digits.

A derivative is worked out when it is asked for, of what the function itself has left. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRIMITIVES", "TANHSHRINK", "Derivatives", "Jet"]

Array = NDArray[np.float64]
#: f, f' and f'' at some points.
Jet = tuple[Array, Array, Array]
#: The same, one after the other.
Derivatives = Iterator[Array]

_ROOT_2PI = math.sqrt(2 * math.pi)


def _tanh(u: Array) -> Derivatives:
    t = np.tanh(u)
    yield t
    e = np.exp(-2 * np.abs(u))
    # 1 − tanh² has no digits left where tanh is 1.
    slope = 4 * e / (1 + e) ** 2
    yield slope
    yield -2 * t * slope


def _sigmoid(u: Array) -> Derivatives:
    e = np.exp(-np.abs(u))
    larger = 1 / (1 + e)
    yield np.exp(np.minimum(u, 0.0)) * larger
    slope = e * larger * larger
    yield slope
    yield -slope * np.tanh(0.5 * u)


def _softplus(u: Array) -> Derivatives:
    e = np.exp(-np.abs(u))
    yield np.maximum(u, 0.0) + np.log1p(e)
    larger = 1 / (1 + e)
    yield np.exp(np.minimum(u, 0.0)) * larger
    yield e * larger * larger


def _logsigmoid(u: Array) -> Derivatives:
    mirrored = _softplus(-u)
    yield -next(mirrored)
    yield next(mirrored)
    yield -next(mirrored)


#: u cosh u − sinh u = Σ cₖ u^(2k + 1), for |u| ≤ 1: none of the terms cancel.
TANHSHRINK = tuple(2 * k / math.factorial(2 * k + 1) for k in range(1, 10))
_CLOSE = 1.0


def _tanhshrink(u: Array) -> Derivatives:
    near = np.clip(u, -_CLOSE, _CLOSE)
    square, series = near * near, np.zeros_like(near)
    for coefficient in TANHSHRINK[::-1]:
        series = series * square + coefficient
    tanh = _tanh(u)
    t = next(tanh)
    yield np.where(np.abs(u) <= _CLOSE, series * square * near / np.cosh(near), u - t)
    yield t * t
    yield 2 * t * next(tanh)


def _exp(u: Array) -> Derivatives:
    e = np.exp(u)
    yield from (e, e, e)


def _expm1(u: Array) -> Derivatives:
    yield np.expm1(u)
    e = np.exp(u)
    yield from (e, e)


def _log(u: Array) -> Derivatives:
    yield np.log(u)
    yield 1 / u
    yield -1 / (u * u)


def _log1p(u: Array) -> Derivatives:
    yield np.log1p(u)
    yield 1 / (1 + u)
    yield -1 / (1 + u) ** 2


def _sqrt(u: Array) -> Derivatives:
    root = np.sqrt(u)
    yield root
    yield 0.5 / root
    yield -0.25 / (u * root)


def _sin(u: Array) -> Derivatives:
    s = np.sin(u)
    yield s
    yield np.cos(u)
    yield -s


def _cos(u: Array) -> Derivatives:
    c = np.cos(u)
    yield c
    yield -np.sin(u)
    yield -c


def _atan(u: Array) -> Derivatives:
    yield np.arctan(u)
    slope = 1 / (1 + u * u)
    yield slope
    yield -2 * u * slope * slope


def _asinh(u: Array) -> Derivatives:
    yield np.arcsinh(u)
    slope = 1 / np.hypot(1, u)
    yield slope
    yield -u * slope**3


def _sinh(u: Array) -> Derivatives:
    s = np.sinh(u)
    yield s
    yield np.cosh(u)
    yield s


def _cosh(u: Array) -> Derivatives:
    c = np.cosh(u)
    yield c
    yield np.sinh(u)
    yield c


def _logcosh(u: Array) -> Derivatives:
    a = np.abs(u)
    e = np.exp(-2 * a)
    # Past 1 log 2 is no more than is left.
    far = a + np.log1p(e) - math.log(2)
    near = np.log1p(2 * np.sinh(0.5 * np.minimum(a, 1.0)) ** 2)
    yield np.where(a > 1, far, near)
    yield np.tanh(u)
    yield 4 * e / (1 + e) ** 2


def _squareplus(u: Array) -> Derivatives:
    r = np.hypot(u, 2)
    # Far on the left u + r has no digits left.
    f = np.where(u > 0, 0.5 * (u + r), 2 / (r - np.minimum(u, 0.0)))
    yield f
    yield f / r
    yield 2 / r**3


def _erf(u: Array) -> Derivatives:
    from scipy.special import erf

    yield erf(u)
    slope = 2 / math.sqrt(math.pi) * np.exp(-u * u)
    yield slope
    yield -2 * u * slope


def _normal(u: Array) -> Derivatives:
    from scipy.special import ndtr

    yield ndtr(u)
    density = np.exp(-0.5 * u * u) / _ROOT_2PI
    yield density
    yield -u * density


#: The functions that a tree may call.
PRIMITIVES: dict[str, Callable[[Array], Derivatives]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "logsigmoid": _logsigmoid,
    "tanhshrink": _tanhshrink,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "sin": _sin,
    "cos": _cos,
    "atan": _atan,
    "asinh": _asinh,
    "sinh": _sinh,
    "cosh": _cosh,
    "logcosh": _logcosh,
    "squareplus": _squareplus,
    "erf": _erf,
    "Phi": _normal,
}
