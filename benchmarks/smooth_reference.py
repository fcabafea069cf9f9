"""Smooth activations from their definitions, for benchmarks/smooth.py: by mpmath, and by sums in extended precision.

φ, φ' and φ'' are sympy's. Panels are fractions of a standard deviation wide, end where φ breaks, and shorten towards
what it turns around; nothing here is meanfield's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from itertools import combinations, pairwise
from typing import Any

import mpmath
import numpy as np
import sympy
from mpmath import mp, mpf

__all__ = ["DEFINED", "Defined", "sine_loss", "sine_moments"]

x = sympy.Symbol("x", real=True)
#: Extended precision: 1e-19 on x86, a double elsewhere.
Extended = np.longdouble
#: Nodes of a panel; digits of mpmath, in which the smallest differences keep twenty.
_NODES, _DIGITS = 24, 40
#: Panels are at most so many standard deviations wide, end so many out, and grow by so much from a centre.
_WIDEST, _REACH, _GROWTH = 0.5, 13.0, 1.5
#: The same where two are nested, and 1e-19 is all there is.
_COARSE, _NEAR = 1.0, 10.0


@cache
def _legendre() -> tuple[list[mpf], list[mpf]]:
    """Nodes and weights on [0, 1] with all digits of mpmath."""
    with mp.workdps(_DIGITS):
        roots = [_root(mpf(float(t))) for t in np.polynomial.legendre.leggauss(_NODES)[0]]
        slopes = [mp.diff(lambda t: mp.legendre(_NODES, t), t) for t in roots]
        weights = [2 / ((1 - t * t) * d * d) for t, d in zip(roots, slopes, strict=True)]
        return [(1 + t) / 2 for t in roots], [w / 2 for w in weights]


def _root(start: mpf) -> mpf:
    return mp.findroot(lambda t: mp.legendre(_NODES, t), start)


class Defined:
    """φ as pieces in x, one more than its breaks; what it turns around, and the least length on which it does."""

    def __init__(self, *pieces: str, breaks: tuple[float, ...] = (), centre: float = 0.0, length: float = 1.0) -> None:
        self.breaks, self.length, self._marks = breaks, length, (*breaks, centre)
        read = [sympy.sympify(piece, {"x": x}, rational=True) for piece in pieces]
        self._trees = [[sympy.diff(piece, x, n) for piece in read] for n in range(3)]

    @cached_property
    def by_mpmath(self) -> list[list[Callable[[mpf], mpf]]]:
        """φ, φ', φ'' of every piece."""
        return [[sympy.lambdify(x, tree, "mpmath") for tree in row] for row in self._trees]

    @cached_property
    def _extended(self) -> list[list[Callable[[Any], Any]]]:
        return [[sympy.lambdify(x, tree, "numpy") for tree in row] for row in self._trees[:2]]

    def extended(self, u: Any, n: int = 0) -> Any:
        """φ or φ' of arrays in extended precision."""
        with np.errstate(all="ignore"):
            parts = [np.nan_to_num(piece(u) + 0 * u) for piece in self._extended[n]]
        return np.choose(np.searchsorted(np.array(self.breaks), u, side="right"), parts)

    def _difference(self, m: Any, d: Any) -> Any:
        """φ(m + d) − φ(m − d), of close points by φ' between them."""
        if d > self.length / 100:
            return self.extended(m + d) - self.extended(m - d)
        ends = [m - d, *(np.clip(Extended(t), m - d, m + d) for t in self.breaks), m + d]
        nodes, weights = np.polynomial.legendre.leggauss(5)
        total = np.zeros_like(m)
        for low, high in pairwise(ends):
            half = (high - low) / 2
            for node, weight in zip(nodes, weights, strict=True):
                total += weight * half * self.extended(low + half * (1 + node), 1)
        return total

    def moments(self, q: float) -> dict[str, mpf]:
        """E φ², E φ'², d/dq E φ² = E xφφ'/q and E φ''², kinks left out of the last, with 20 digits or more."""
        nodes, weights = _legendre()
        totals = [mpf(0)] * 4
        with mp.workdps(_DIGITS):
            variance = mpf(q)
            for low, high in pairwise(self._edges(q)):
                piece = sum(low >= t for t in self.breaks)
                f, d1, d2 = (row[piece] for row in self.by_mpmath)
                a, width = mpf(low), mpf(high) - mpf(low)
                for node, weight in zip(nodes, weights, strict=True):
                    at = a + width * node
                    w = weight * width * mpmath.exp(-at * at / (2 * variance))
                    values = f(at), d1(at), d2(at)
                    terms = (values[0] ** 2, values[1] ** 2, at * values[0] * values[1] / variance, values[2] ** 2)
                    totals = [total + w * term for total, term in zip(totals, terms, strict=True)]
            root = mp.sqrt(2 * mp.pi * variance)
            names = ("second_moment", "slope_moment", "second_moment_d1", "squared_curvature")
            return {name: total / root for name, total in zip(names, totals, strict=True)}

    def covariance(self, rho: float, q: float) -> float:
        """E φ(u)φ(v) for |ρ| ≤ 0.99: the density of (u, v) on the products of panels."""
        at, weights = self._points(q)
        weighed = weights * self.extended(at)
        z, rest = at / np.sqrt(Extended(q)), 1 - Extended(rho) ** 2
        shape = np.exp(-(z[:, None] ** 2 - 2 * Extended(rho) * z[:, None] * z + z**2) / (2 * rest))
        return float(weighed @ shape @ weighed / (2 * Extended(np.pi) * np.sqrt(rest) * Extended(q)))

    def loss(self, eps: float, q: float) -> float:
        """C(1) − C(1 − ε) = ½E(φ(m + d) − φ(m − d))², m and d independent, of variance q(1 − ε/2) and qε/2."""
        of_mean, of_difference = Extended(q) * (1 - Extended(eps) / 2), Extended(q) * Extended(eps) / 2
        # Where m − d is at one break while m + d is at another.
        marks = [*self._marks, *((high - low) / 2 for low, high in combinations(self.breaks, 2))]
        at, weights = _on_panels(_edges(float(of_difference), marks, self.length, _COARSE, _NEAR))
        total = Extended(0)
        for d, weight in zip(at[at > 0], weights[at > 0], strict=True):
            shifted = [t + sign * float(d) for t in self._marks for sign in (-1, 1)]
            m, w = _on_panels(_edges(float(of_mean), shifted, self.length, _COARSE, _NEAR))
            squares = self._difference(m, d) ** 2
            total += weight * np.exp(-d * d / (2 * of_difference)) * (w @ (squares * np.exp(-m * m / (2 * of_mean))))
        return float(total / (2 * Extended(np.pi) * np.sqrt(of_mean * of_difference)))

    def _edges(self, q: float) -> list[float]:
        return _edges(q, list(self._marks), self.length)

    def _points(self, q: float) -> tuple[Any, Any]:
        return _on_panels(self._edges(q))


def _edges(q: float, marks: list[float], length: float, widest: float = _WIDEST, reach: float = _REACH) -> list[float]:
    root = q**0.5
    last = reach * root
    found = {sign * k * widest * root for k in range(int(reach / widest) + 1) for sign in (-1, 1)}
    step = length / 4
    while step < last:
        found |= {t + sign * step for t in marks for sign in (-1, 1)}
        step *= _GROWTH
    found |= set(marks)
    return sorted(t for t in found if abs(t) <= last)


def _on_panels(edges: list[float]) -> tuple[Any, Any]:
    nodes, weights = (np.array([Extended(mp.nstr(t, 25)) for t in row]) for row in _legendre())
    ends = np.array(edges, dtype=Extended)
    width = np.diff(ends)[:, None]
    return (ends[:-1, None] + width * nodes).ravel(), (width * weights).ravel()


def sine_moments(a: int, q: float) -> dict[str, mpf]:
    """The same of sin(ax), in closed form."""
    even = mpmath.exp(-2 * mpf(a) ** 2 * mpf(q))
    return {
        "second_moment": -mpmath.expm1(-2 * mpf(a) ** 2 * mpf(q)) / 2,
        "slope_moment": mpf(a) ** 2 * (1 + even) / 2,
        "second_moment_d1": mpf(a) ** 2 * even,
        "squared_curvature": -(mpf(a) ** 4) * mpmath.expm1(-2 * mpf(a) ** 2 * mpf(q)) / 2,
    }


def sine_loss(a: int, eps: float, q: float) -> float:
    """C(1) − C(1 − ε) of sin(ax): C(ρ) = exp(−a²q) sinh(a²qρ)."""
    with mp.workdps(_DIGITS):
        size = mpf(a) ** 2 * mpf(q)
        return float((-mpmath.expm1(-size * mpf(eps)) - (mp.exp(-2 * size) - mp.exp(-size * (2 - mpf(eps))))) / 2)


#: What meanfield is asked, by how it is asked.
DEFINED: dict[str, Defined] = {
    "tanh": Defined("tanh(x)"),
    "gelu": Defined("x*(1 + erf(x/sqrt(2)))/2"),
    "silu": Defined("x/(1 + exp(-x))"),
    "mish": Defined("x*(1 - 2/(1 + (1 + exp(x))**2))"),
    "elu": Defined("exp(x) - 1", "x", breaks=(0.0,)),
    "selu": Defined("1.0507009873554805*1.6732632423543773*(exp(x) - 1)", "1.0507009873554805*x", breaks=(0.0,)),
    "hardswish": Defined("0", "x*(x + 3)/6", "x", breaks=(-3.0, 3.0)),
    "relu2": Defined("0", "x**2", breaks=(0.0,)),
    "tanh(10*x)": Defined("tanh(10*x)", length=0.1),
    "tanh(x-5)": Defined("tanh(x - 5)", centre=5.0),
    "x*tanh(log(1+exp(x)))": Defined("x*tanh(log(1 + exp(x)))"),
}
