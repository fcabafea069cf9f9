"""Exact V, χ₁ and R of the activations that are compared, from their definitions; nothing here is meanfield's.

V and χ₁ are mpmath's, with twenty digits or more. R is a closed form where the Gaussian smooths φ to one, and elsewhere
a sum over two variables in extended precision (smooth_reference.py).
"""

from __future__ import annotations

from functools import cache

import smooth_reference
from mpmath import mp, mpf
from smooth_reference import Defined

__all__ = ["DEFINED", "exact_R", "exact_V", "exact_chi1"]

#: By the name that meanfield is asked by.
DEFINED: dict[str, Defined] = {
    "relu": Defined("0", "x", breaks=(0.0,)),
    "leaky-relu(0.1)": Defined("x/10", "x", breaks=(0.0,)),
    "soft-threshold(0.5)": Defined("x + 1/2", "0", "x - 1/2", breaks=(-0.5, 0.5)),
    "clipped-relu(1, 1)": Defined("0", "x - 1", "1", breaks=(1.0, 2.0)),
    "hard-tanh": Defined("-1", "x", "1", breaks=(-1.0, 1.0)),
    **{name: smooth_reference.DEFINED[name] for name in ("tanh", "gelu", "silu", "elu")},
    "erf": Defined("erf(x)"),
}


@cache
def _moments(name: str, q: float) -> dict[str, mpf]:
    return DEFINED[name].moments(q)


def exact_V(name: str, q: float) -> mpf:
    """E φ² at variance q."""
    return _moments(name, q)["second_moment"]


def exact_chi1(name: str, q: float) -> mpf:
    """E φ'² at variance q."""
    return _moments(name, q)["slope_moment"]


@cache
def exact_R(name: str, rho: float, q: float) -> mpf:
    """E φ(u)φ(v) / E φ² at variance q and correlation ρ, without biases."""
    with mp.workdps(40):
        if name in _SMOOTHED:
            return _SMOOTHED[name](mpf(rho), mpf(q)) / _SMOOTHED[name](mpf(1), mpf(q))
        if rho > 0.99:
            return 1 - mpf(DEFINED[name].loss(1 - rho, q)) / exact_V(name, q)
        return mpf(DEFINED[name].covariance(rho, q)) / exact_V(name, q)


def _erf(rho: mpf, q: mpf) -> mpf:
    """Williams (1997)."""
    return 2 / mp.pi * mp.asin(2 * q * rho / (1 + 2 * q))


def _gelu(rho: mpf, q: mpf) -> mpf:
    """E uv [s > 0][t > 0], s and t being u and v with noise of variance 1 each; by parts, twice."""
    c, v = q * rho, 1 + q
    quadrant = mpf(1) / 4 + mp.asin(c / v) / (2 * mp.pi)
    return c * quadrant + (q * (q * v - c * c) + c * c) / (2 * mp.pi * v * mp.sqrt(v * v - c * c))


_SMOOTHED = {"erf": _erf, "gelu": _gelu}
