"""The analytic functions at the leaves of a tree, each with its first two derivatives, to the last digits.

docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRIMITIVES", "TANHSHRINK", "VALUES", "Jet"]

Array = NDArray[np.float64]
#: f, f' and f'' at some points.
Jet = tuple[Array, Array, Array]

_ROOT_2PI = math.sqrt(2 * math.pi)


def _tanh(u: Array) -> Jet:
    t, e = np.tanh(u), np.exp(-2 * np.abs(u))
    # 1 − tanh² has no digits left where tanh is 1.
    slope = 4 * e / (1 + e) ** 2
    return t, slope, -2 * t * slope


def _logistic(u: Array) -> Array:
    e = np.exp(-np.abs(u))
    value: Array = np.exp(np.minimum(u, 0.0)) / (1 + e)
    return value


def _logistic_slope(u: Array) -> Array:
    e = np.exp(-np.abs(u))
    slope: Array = e / (1 + e) ** 2
    return slope


def _sigmoid(u: Array) -> Jet:
    e = np.exp(-np.abs(u))
    larger = 1 / (1 + e)
    slope = e * larger * larger
    return np.exp(np.minimum(u, 0.0)) * larger, slope, -slope * np.tanh(0.5 * u)


def _softplus(u: Array) -> Jet:
    return np.logaddexp(0, u), _logistic(u), _logistic_slope(u)


def _logsigmoid(u: Array) -> Jet:
    return -np.logaddexp(0, -u), _logistic(-u), -_logistic_slope(u)


#: u cosh u − sinh u = Σ cₖ u^(2k + 1), for |u| ≤ 1: none of the terms cancel.
TANHSHRINK = tuple(2 * k / math.factorial(2 * k + 1) for k in range(1, 10))
_CLOSE = 1.0


def _shrunk(u: Array) -> Array:
    """u − tanh(u)."""
    near = np.clip(u, -_CLOSE, _CLOSE)
    square, series = near * near, np.zeros_like(near)
    for coefficient in TANHSHRINK[::-1]:
        series = series * square + coefficient
    return np.where(np.abs(u) <= _CLOSE, series * square * near / np.cosh(near), u - np.tanh(u))


def _tanhshrink(u: Array) -> Jet:
    t, slope, _ = _tanh(u)
    return _shrunk(u), t * t, 2 * t * slope


def _exp(u: Array) -> Jet:
    e = np.exp(u)
    return e, e, e


def _expm1(u: Array) -> Jet:
    e = np.exp(u)
    return np.expm1(u), e, e


def _log(u: Array) -> Jet:
    return np.log(u), 1 / u, -1 / (u * u)


def _log1p(u: Array) -> Jet:
    return np.log1p(u), 1 / (1 + u), -1 / (1 + u) ** 2


def _sqrt(u: Array) -> Jet:
    root = np.sqrt(u)
    return root, 0.5 / root, -0.25 / (u * root)


def _sin(u: Array) -> Jet:
    s = np.sin(u)
    return s, np.cos(u), -s


def _cos(u: Array) -> Jet:
    c = np.cos(u)
    return c, -np.sin(u), -c


def _atan(u: Array) -> Jet:
    slope = 1 / (1 + u * u)
    return np.arctan(u), slope, -2 * u * slope * slope


def _asinh(u: Array) -> Jet:
    slope = 1 / np.hypot(1, u)
    return np.arcsinh(u), slope, -u * slope**3


def _sinh(u: Array) -> Jet:
    s = np.sinh(u)
    return s, np.cosh(u), s


def _cosh(u: Array) -> Jet:
    c = np.cosh(u)
    return c, np.sinh(u), c


def _log_of_cosh(u: Array) -> Array:
    e = np.abs(u)
    # Past 1 log 2 is no more than is left.
    far = e + np.log1p(np.exp(-2 * e)) - math.log(2)
    near = np.log1p(2 * np.sinh(0.5 * np.minimum(e, 1.0)) ** 2)
    value: Array = np.where(e > 1, far, near)
    return value


def _logcosh(u: Array) -> Jet:
    return _log_of_cosh(u), np.tanh(u), 4 * _logistic_slope(2 * u)


def _hyperbola(u: Array) -> Array:
    r = np.hypot(u, 2)
    # Far on the left u + r has no digits left.
    value: Array = np.where(u > 0, 0.5 * (u + r), 2 / (r - np.minimum(u, 0.0)))
    return value


def _squareplus(u: Array) -> Jet:
    f, r = _hyperbola(u), np.hypot(u, 2)
    return f, f / r, 2 / r**3


def _error_function(u: Array) -> Array:
    from scipy.special import erf

    value: Array = erf(u)
    return value


def _distribution(u: Array) -> Array:
    from scipy.special import ndtr

    value: Array = ndtr(u)
    return value


def _erf(u: Array) -> Jet:
    slope = 2 / math.sqrt(math.pi) * np.exp(-u * u)
    return _error_function(u), slope, -2 * u * slope


def _normal(u: Array) -> Jet:
    density = np.exp(-0.5 * u * u) / _ROOT_2PI
    return _distribution(u), density, -u * density


#: The functions that a tree may call.
PRIMITIVES: dict[str, Callable[[Array], Jet]] = {
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

#: The same functions without derivatives.
VALUES: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": _logistic,
    "softplus": lambda u: np.logaddexp(0, u),
    "logsigmoid": lambda u: -np.logaddexp(0, -u),
    "tanhshrink": _shrunk,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "logcosh": _log_of_cosh,
    "squareplus": _hyperbola,
    "erf": _error_function,
    "Phi": _distribution,
}
