"""Where a smooth φ breaks, by how much φ, φ' and φ'' step there, and what that makes of C' and C'' at ρ = ±1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebder, chebval
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev
from meanfield.activations.smooth import Smooth

__all__ = ["Steps", "crossings_d1", "crossings_d2", "poles_d1", "poles_d2", "steps"]

Array = NDArray[np.float64]

#: A step of φ'' is none if it is so small a share of what it is the difference of.
_MEETING = 16 * np.finfo(float).eps
#: φ'' is a polynomial near x where its last coefficients of so many are at most this share of the largest; it is looked
#: at ever nearer, so often.
_POINTS, _LAST, _RESOLVED, _HALVED = 16, 3, 1e-14, 50


@dataclass(frozen=True)
class Steps:
    """Breaks of φ, and its steps there from left to right, shape (n,) each."""

    places: Array
    #: Of φ, of φ' and of φ''.
    jumps: Array
    kinks: Array
    bends: Array

    @property
    def jumping(self) -> bool:
        """Whether φ jumps."""
        return bool(self.jumps.any())

    @property
    def bent(self) -> bool:
        """Whether φ or φ' steps, so that φ'' is no function."""
        return self.jumping or bool(self.kinks.any())


@lru_cache(maxsize=64)
def steps(phi: Smooth) -> Steps:
    """The steps of φ, exact zeros where its pieces meet."""
    places = np.array(phi.breaks, dtype=float)
    sides = np.empty((2, places.size))
    with np.errstate(all="ignore"):
        for i, place in enumerate(phi.breaks):
            for side in (0, 1):
                sides[side, i] = phi.pieces[i + side].jet(np.array([place]))[2][0]
    sides = np.nan_to_num(sides, nan=0.0, posinf=0.0, neginf=0.0)
    bends = sides[1] - sides[0]
    bends[np.abs(bends) <= _MEETING * np.abs(sides).max(axis=0, initial=0.0)] = 0.0
    return Steps(places, phi.jumps, phi.kinks, bends)


def poles_d1(phi: Smooth, q: Array) -> tuple[float, Array]:
    """What the jumps add to C'(1) and to C'(−1): 0 or ±∞. At −1 only jumps at both t and −t count."""
    at = steps(phi)
    return _endless(float(at.jumps @ at.jumps)), _endless(_mirrored_pairs(at.places, at.jumps, at.jumps, q))


def poles_d2(phi: Smooth, q: Array) -> tuple[float, Array]:
    """The same of jumps and kinks for C''(1) and C''(−1).

    As r → −1 two jumps at t and −t grow as −(1 − r²)^(−3/2), before all else; as (1 − r²)^(−1/2) two kinks, a jump with
    a kink, and a jump with a step of φ''.
    """
    at = steps(phi)
    of_jumps = -_mirrored_pairs(at.places, at.jumps, at.jumps, q)
    of_kinks = (
        _mirrored_pairs(at.places, at.kinks, at.kinks, q)
        + _mirrored_pairs(at.places, at.jumps * at.places, at.kinks, q) / q
        + 2 * _mirrored_pairs(at.places, at.jumps, at.bends, q)
    )
    steepest = float(at.jumps @ at.jumps + at.kinks @ at.kinks)
    return _endless(steepest), _endless(np.where(of_jumps, of_jumps, of_kinks))


def crossings_d1(phi: Smooth, q: Array) -> Array:
    """What jumps at t and the slope at −t add to E φ'(x)φ'(−x): 2 Σ J φ'(−t) times the density at t."""
    at = steps(phi)
    return 2 * _at_breaks(at, at.jumps * _either_side(phi, -at.places, 1), q)


def crossings_d2(phi: Smooth, q: Array) -> Array:
    """What kinks d and jumps J at t add to E φ''(x)φ''(−x), where that is finite.

    2 Σ [d φ''(−t) + J t φ''(−t)/q + J φ'''(−t)] times the density at t.
    """
    at = steps(phi)
    bend = _either_side(phi, -at.places, 2)
    third = np.zeros_like(at.places)
    for i in np.flatnonzero(at.jumps):
        # With a break there, what diverges is in the poles.
        if -at.places[i] not in phi.breaks:
            third[i] = _third_derivative(phi, -float(at.places[i]))
    return (
        2 * _at_breaks(at, at.kinks * bend + at.jumps * third, q)
        + 2 * _at_breaks(at, at.jumps * at.places * bend, q) / q
    )


def _at_breaks(at: Steps, heights: Array, q: Array) -> Array:
    """Σ heights times the density of a normal variable of variance q at the breaks; shaped like q."""
    densities = np.exp(np.multiply.outer(1 / q, -0.5 * at.places**2))
    total: Array = densities @ heights / np.sqrt(2 * np.pi * q)
    return total


def _either_side(phi: Smooth, x: Array, order: int) -> Array:
    """The mean of φ⁽ⁿ⁾ just below x and just above."""
    below, above = (phi.jet(np.nextafter(x, end))[order] for end in (-np.inf, np.inf))
    mean: Array = 0.5 * (below + above)
    return mean


def _third_derivative(phi: Smooth, x: float) -> float:
    """φ''' at x, no break."""
    points, from_values = chebyshev(_POINTS)
    radius = min([1.0, *(0.5 * abs(x - t) for t in phi.breaks)])
    for _ in range(_HALVED):
        coefficients = from_values @ phi.jet(x + radius * (2 * points - 1))[2]
        if np.abs(coefficients[-_LAST:]).max() <= _RESOLVED * np.abs(coefficients).max():
            break
        radius /= 2
    return float(chebval(0.0, chebder(coefficients))) / radius


def _mirrored_pairs(places: Array, a: Array, b: Array, q: Array) -> Array:
    """Σ aᵢ bⱼ exp(−tᵢ²/2q) over the places with tᵢ = −tⱼ, as a share of the largest exponential; shaped like q."""
    i, j = np.nonzero((places[:, np.newaxis] == -places) & (np.outer(a, b) != 0))
    squares = places[i] ** 2
    exponents = np.multiply.outer(1 / q, -0.5 * (squares - squares.min(initial=np.inf)))
    total: Array = np.exp(exponents) @ (a[i] * b[j])
    return total


def _endless(sign: Any) -> Any:
    """±∞ with the sign of a number, 0 where it is 0."""
    return np.where(np.asarray(sign) == 0, 0.0, np.copysign(np.inf, sign))[()]
