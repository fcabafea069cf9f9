"""Where the two equations that a shape leaves for α and β hold together: looked for over a plane, then solved.

Nothing is known of an activation but the lengths on which it varies. So the plane of α and β is laid out in cells, in
units of these lengths and around what φ is centred on; the equations are solved from every cell in which both may
change sign, from β = 0 outwards. Of a homogeneous φ α is 1, and an open parameter takes its place. docs/theory.md,
section 16.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.activations.family import Family
from meanfield.design.shape import Outer, Shape
from meanfield.design.shape_moments import ShapeMoments, shape_moments
from meanfield.infinite_width.roots import bracketed

__all__ = ["FamilyPlane", "Inner", "Nearest", "Plane", "ScalePlane", "on_line", "search"]

Array = NDArray[np.float64]

#: α from so much of the least length on which φ varies to so many of the largest; steps a decade.
_LEAST, _MOST, _ALPHAS = 1e-3, 32.0, 6
#: β from a centre on, likewise; no length beyond so many of the least, no more centres than these.
_NEAREST, _FARTHEST, _BETAS, _LONGEST, _CENTRES = 1e-2, 10.0, 10, 16.0, 7
#: An open parameter is looked for from 0 to 1 in so many values.
_VALUES = np.linspace(0.0, 1.0, 41)
#: So many cells are tried; αγ|β| that differ by less than this share are alike; αγ is hardly less than 1/_APART.
_TRIED, _ALIKE, _APART = 24, 1e-6, 2.0
#: What misses by less is met, of conditions in units of their distance from a straight line.
_MET = 1e-8
#: A straight line misses R'(1), or R''(1), by −1 of these units.
_STRAIGHT = -0.99


class Inner(NamedTuple):
    """α, β, γ and δ, and the value of an open parameter where α is 1 and it takes its place."""

    alpha: float
    beta: float
    gamma: float
    delta: float
    value: float | None = None

    @property
    def stretch(self) -> float:
        """αγ|β|: how far from 0 it looks at φ, and how much it multiplies up the slope that φ has there."""
        return self.alpha * self.gamma * abs(self.beta)


class Nearest(NamedTuple):
    """`at` this point of the plane one equation is met, and `equation`, 0 or 1, the other, misses by `missed`."""

    at: Array
    equation: int
    missed: float


class Plane(ABC):
    """The plane in which a shape is looked for: `axis`, even steps of one number, and `betas`, ascending."""

    axis: Array
    betas: Array

    @abstractmethod
    def moments(self, axis: Array, betas: Array, *, rough: bool = False) -> ShapeMoments:
        """At points of the plane, arrays of one shape; rough ones tell a sign."""

    @abstractmethod
    def inner(self, axis: float, beta: float, gamma: float, delta: float) -> Inner:
        """What a point of the plane stands for, with its γ and δ."""


class ScalePlane(Plane):
    """ln α and β of one activation."""

    def __init__(self, phi: Activation) -> None:
        self._phi = phi
        low = min(phi.scales, default=1.0)
        high = min(max(phi.scales, default=1.0), _LONGEST * low)
        self.axis = np.log(_spaced(_LEAST * low, _MOST * high, _ALPHAS))
        self.betas = _betas(phi, low, high)

    def moments(self, axis: Array, betas: Array, *, rough: bool = False) -> ShapeMoments:
        return shape_moments(self._phi, np.exp(axis), betas, rough=rough)

    def inner(self, axis: float, beta: float, gamma: float, delta: float) -> Inner:
        return Inner(math.exp(axis), beta, gamma, delta)


class FamilyPlane(Plane):
    """The open parameter of a family of homogeneous activations, and β, with α = 1."""

    axis = _VALUES

    def __init__(self, family: Family) -> None:
        self._family = family
        self.betas = _spaced(_NEAREST, _FARTHEST, _BETAS)
        self.betas = np.concatenate([-self.betas[::-1], [0.0], self.betas])

    def moments(self, axis: Array, betas: Array, *, rough: bool = False) -> ShapeMoments:
        found = np.empty((6, *axis.shape))
        for value in np.unique(axis):
            at = axis == value
            phi = self._family.member({self._family.open[0]: float(value)}).phi
            found[:, at] = shape_moments(phi, np.ones(np.count_nonzero(at)), betas[at], rough=rough)
        return ShapeMoments(*found)

    def inner(self, axis: float, beta: float, gamma: float, delta: float) -> Inner:
        return Inner(1.0, beta, gamma, delta, axis)


def _spaced(low: float, high: float, a_decade: int) -> Array:
    spaced: Array = np.geomspace(low, high, round(a_decade * math.log10(high / low)) + 1)
    return spaced


def _betas(phi: Activation, low: float, high: float) -> Array:
    centres = sorted({0.0, *phi.breaks, *phi.centres}, key=abs)[:_CENTRES]
    steps = _spaced(_NEAREST * low, _FARTHEST * high, _BETAS)
    betas = np.unique(np.add.outer(centres, np.concatenate([-steps[::-1], [0.0], steps])))
    # β and −β are one of an odd or even φ.
    return betas[betas >= -steps[0]] if phi.is_odd or phi.is_even else betas


def search(plane: Plane, shape: Shape, sign: int = 1) -> Inner | Nearest | None:
    """The solution with the least αγ|β|, of β and −β the positive one; where there is none, what comes nearest.

    It sees φ where it is itself; others see a tail that is nearly straight, or nearly flat.
    """
    best: Inner | None = None
    with np.errstate(all="ignore"):
        for start in _cells(plane, shape, sign):
            if best and abs(start[1]) > _APART * best.stretch:
                break
            inner = _solved(plane, shape, sign, start)
            if inner and (best is None or _precedes(inner, best)):
                best = inner
        if best is None and (near := _nearest(plane, shape, sign)):
            return _solved(plane, shape, sign, near.at) or near
    return best


def _solved(plane: Plane, shape: Shape, sign: int, start: Array) -> Inner | None:
    """The solution that a start leads to, if it leads to one."""
    from scipy.optimize import root

    found = root(partial(_misses, plane, shape, sign), start, tol=1e-14)
    if not np.abs(found.fun).max() <= _MET:
        return None
    outer = _outer(plane, shape, sign, found.x)
    return plane.inner(*map(float, (*found.x, outer.gamma[0], outer.delta[0])))


def _precedes(one: Inner, other: Inner) -> bool:
    """Whether one solution is to be taken rather than another."""
    if abs(one.stretch - other.stretch) > _ALIKE * other.stretch:
        return one.stretch < other.stretch
    return one.beta > other.beta


def _cells(plane: Plane, shape: Shape, sign: int) -> Array:
    """Middles of the cells in which both equations may change sign, least |β| first, shape (n, 2)."""
    axis, betas = np.meshgrid(plane.axis, plane.betas, indexing="ij")
    outer = shape.outer(plane.moments(axis, betas, rough=True), sign)
    i, j = np.nonzero(_changes(outer.misses[0]) & _changes(outer.misses[1]))
    middles = np.stack([(plane.axis[i] + plane.axis[i + 1]) / 2, (plane.betas[j] + plane.betas[j + 1]) / 2], axis=1)
    return middles[np.argsort(np.abs(middles[:, 1]), kind="stable")][:_TRIED]


def _changes(f: Array) -> NDArray[np.bool_]:
    """Whether f changes sign between the corners of every cell."""
    corners = np.stack([f[:-1, :-1], f[1:, :-1], f[:-1, 1:], f[1:, 1:]])
    changes: NDArray[np.bool_] = (corners.min(axis=0) <= 0) & (corners.max(axis=0) >= 0)
    return changes


def _outer(plane: Plane, shape: Shape, sign: int, at: Array) -> Outer:
    return shape.outer(plane.moments(at[:1], at[1:]), sign)


def _misses(plane: Plane, shape: Shape, sign: int, at: Array) -> Array:
    low, high = plane.axis[0] - 1, plane.axis[-1] + 1
    missed = np.concatenate(_outer(plane, shape, sign, np.clip(at, [low, -np.inf], [high, np.inf])).misses)
    return np.where(np.isfinite(missed), missed, 1e3)


def _nearest(plane: Plane, shape: Shape, sign: int = 1) -> Nearest | None:
    """Where the second equation misses the least while the first is met, or else the first while the second is.

    None where neither is ever met.
    """
    axis, betas = np.meshgrid(plane.axis, plane.betas, indexing="ij")
    with np.errstate(all="ignore"):
        first, second = shape.outer(plane.moments(axis, betas, rough=True), sign).misses
        i, j = np.nonzero(first[:, :-1] * first[:, 1:] <= 0)
        ends = (plane.axis[i], plane.axis[i], plane.betas[j], plane.betas[j + 1])
        if found := _least(plane, shape, sign, ends, 1):
            return found
        i, j = np.nonzero(second[:-1] * second[1:] <= 0)
        return _least(plane, shape, sign, (plane.axis[i], plane.axis[i + 1], plane.betas[j], plane.betas[j]), 0)


def _least(
    plane: Plane, shape: Shape, sign: int, ends: tuple[Array, Array, Array, Array], equation: int
) -> Nearest | None:
    """The best of the points, each between two ends, at which the other equation is met."""
    if not ends[0].size:
        return None

    def point(t: Array, a: Array, a_end: Array, b: Array, b_end: Array) -> tuple[Array, Array]:
        return (1 - t) * a + t * a_end, (1 - t) * b + t * b_end

    def other(t: Array, *ends: Array) -> Array:
        return shape.outer(plane.moments(*point(t, *ends)), sign).misses[1 - equation]

    at = point(bracketed(other, np.zeros(ends[0].size), np.ones(ends[0].size), *ends), *ends)
    misses = shape.outer(plane.moments(*at), sign).misses
    # Nearly a straight line meets what a straight line does, and is no answer.
    met = (np.abs(misses[1 - equation]) < _MET) & (misses[1] > _STRAIGHT) & np.isfinite(misses[equation])
    if not met.any():
        return None
    best = np.flatnonzero(met)[np.abs(misses[equation][met]).argmin()]
    return Nearest(np.array([at[0][best], at[1][best]]), equation, float(misses[equation][best]))


def on_line(phi: Activation, shape: Shape, sign: int = 1) -> Inner | None:
    """The solution of a homogeneous φ with α = 1 where V'(1) is left as it comes: least γ first."""
    steps = _spaced(1e-3, 1e2, 8 * _BETAS)
    betas = np.concatenate([-steps[::-1], [0.0], steps])

    def outer(betas: Array) -> Outer:
        return shape.outer(shape_moments(phi, np.ones_like(betas), betas), sign)

    with np.errstate(all="ignore"):
        missed = outer(betas).misses[1]
        (at,) = np.nonzero(missed[:-1] * missed[1:] <= 0)
        if not at.size:
            return None
        roots = bracketed(lambda b: outer(b).misses[1], betas[at], betas[at + 1])
        found = outer(roots)
    solutions = [Inner(1.0, *map(float, row)) for row in zip(roots, found.gamma, found.delta, strict=True)]
    return min(solutions, key=lambda inner: (inner.gamma, abs(inner.beta)))
