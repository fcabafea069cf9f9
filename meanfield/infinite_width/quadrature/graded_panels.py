"""Gaussian expectations of a smooth φ in one variable, to rounding, for many variances at once.

E g(√q z) is an integral over x = √q z. Gauss-Legendre panels, short beside √q and halved until φ under the weight is a
polynomial to rounding on each, serve a whole octave of √q: φ is evaluated once, and for each q only exp(−x²/2q). x and
−x are taken together. Many variances of one octave are interpolated between few. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev
from meanfield.activations.oscillation import Oscillation
from meanfield.activations.primitives import Jet
from meanfield.activations.smooth import Smooth
from meanfield.errors import ActivationError
from meanfield.infinite_width.gaussian import legendre
from meanfield.infinite_width.interpolation import MANY, in_octave, interpolated, octaves

__all__ = ["AFAR", "Integrand", "Octave", "Points", "average", "edges", "fine_octave", "octave"]

Array = NDArray[np.float64]


class Points(NamedTuple):
    """φ, φ' and φ'' at points x; x in units of the least √q of an octave, z; φ, φ' and φ'' at the points −x."""

    f: Array
    d1: Array
    d2: Array
    x: Array
    z: Array
    mirrored: Jet


#: What is averaged.
Integrand = Callable[[Points], Array]

#: Nodes on a panel; a polynomial of twice the degree is integrated exactly.
_NODES = 16
#: So many standard deviations out φ is looked at: the normal density is 0 from 38 on, and exp(2x) weighs most at 2q.
_REACH = 50.0
#: Where φ is beyond the doubles so many standard deviations out, so are its moments: exp(2x) weighs most at 2q.
_SURE = 45.0
#: A panel is at most so many standard deviations wide.
_WIDEST = 2.0
#: On a panel φ exp(−x²/4q) is resolved where its last coefficients, so many, are at most this share of its largest
#: anywhere: what is left out of its square is then below rounding.
_LAST, _RESOLVED = 4, 1e-8
#: Nor is it where φ is something else at points ever nearer to a mark.
_NEARER: Array = 2.0 ** -np.arange(4.0, 41.0)
#: Points of panels so many times longer than φ varies pass it over. Those outlined then double from their ends until φ
#: has varied, and so often beyond; where it only grows or falls they grow by 2 to this.
_LONG, _MORE, _GROWING = 2.0**24, 3, 6
#: Rounding is looked for after so many halvings, and is no more than this share of what is added up in φ.
_PATIENT, _ROUNDING = 8, 16 * np.finfo(float).eps
#: A panel is not halved more often, and there are no more than this many.
_HALVED, _MOST_PANELS = 80, 20_000
#: Variances that stand for all of an octave, over its least: what matters at one of them is where a growing φ leads.
_ACROSS = 4.0 ** (np.arange(4) / 3)
#: A panel is left out where the logarithm of all that is averaged is so far below its largest.
_NOTHING = math.log(1e-20)
_LARGEST = np.finfo(float).max
#: What turns by so many radians in a standard deviation has turned out of sight: exp(−AFAR²/2) is 0. Phases of a turn.
AFAR, _PHASES = 40.0, 64
#: Panels for Hermite polynomials are at most so many standard deviations wide, and reach so far.
_FINE, _SEEN = 0.5, 20.0
#: q·x numbers worked through at a time.
_BLOCK = 2**17
#: Where the size of what is averaged changes by more than a factor over an octave, the least of it is not interpolated.
_STEEP = 1e3


class Octave:
    """Points and weights for variances from 4^k to 4^(k + 1), an octave of √q."""

    def __init__(self, phi: Smooth, k: int) -> None:
        sd = 2.0**k
        turning = phi.oscillation
        if turning and turning.frequency * sd > AFAR:
            x, weights, right, left = _over_phases(turning, sd)
        else:
            x, weights = _on_panels(phi, k)
            right, left = phi.jet(x), phi.jet(-x)
        self._half_squares = -0.5 * np.square(x / sd)
        # Every point has as many phases.
        x = np.repeat(x, right[0].size // max(1, x.size))
        self._weights = weights / math.sqrt(2 * math.pi)
        self._sides = [Points(*right, x, x / sd, left), Points(*left, -x, -x / sd, right)]
        self._k, self._known, self._tables = k, dict[Integrand, Array](), dict[Integrand, Array | None]()

    def average(self, integrand: Integrand, q: Array) -> Array:
        """E of the integrand at variances q of shape (n,) of this octave."""
        if q.size >= MANY:
            known = self._known_in_octave(integrand)
            if known is not None:
                return interpolated(known, q, self._k)
        return self._averaged(self._weighed(integrand), q)

    def _weighed(self, integrand: Integrand) -> Array:
        """The integrand of x and −x together, times the weights."""
        if integrand not in self._known:
            with np.errstate(over="ignore", invalid="ignore"):
                both = self._weights * (integrand(self._sides[0]) + integrand(self._sides[1]))
            # A power beyond the doubles where the density is 0 leaves nothing there.
            both = np.clip(both, -_LARGEST, _LARGEST)
            self._known[integrand] = both.reshape(self._half_squares.size, -1).sum(axis=1) if both.size else both
        return self._known[integrand]

    def _averaged(self, weighed: Array, q: Array) -> Array:
        found, several, shares = np.empty(q.size), max(1, _BLOCK // max(1, weighed.size)), np.ldexp(q, -2 * self._k)
        for start in range(0, q.size, several):
            part = slice(start, start + several)
            found[part] = np.exp(np.multiply.outer(1 / shares[part], self._half_squares)) @ weighed
        averages: Array = found / np.sqrt(shares)
        return averages

    def _known_in_octave(self, integrand: Integrand) -> Array | None:
        """Its averages to interpolate between, None where that does not keep the digits of the least."""
        if integrand not in self._tables:
            weighed, q = self._weighed(integrand), in_octave(self._k)
            size = self._averaged(np.abs(weighed), q)
            steep = size.max() > _STEEP * size.min()
            self._tables[integrand] = None if steep else self._averaged(weighed, q)
        return self._tables[integrand]


def _on_panels(phi: Smooth, k: int) -> tuple[Array, Array]:
    """Points, and weights over 2^k, of the panels that matter."""
    ends, counts = _panels(phi, k)
    x, shares = _nodes(ends[counts], 2.0**k)
    return x.ravel(), shares.ravel()


def _nodes(ends: Array, sd: float) -> tuple[Array, Array]:
    """Points and weights over `sd` on panels, a row for each."""
    nodes, weights = legendre(_NODES)
    width = np.diff(ends, axis=1)
    return ends[:, :1] + width * nodes, width / sd * weights


@lru_cache(maxsize=512)
def _panels(phi: Smooth, k: int) -> tuple[Array, NDArray[np.bool_]]:
    """The ends of all panels of |x| for variances from 4^k on, shape (n, 2), and which of them matter."""
    sd = 2.0**k
    ends = _resolved(phi, _outline(phi, sd), 4.0**k)
    return ends, _counting(phi, *_nodes(ends, sd), 4.0**k)


def edges(phi: Smooth, k: int) -> Array:
    """The ends of the panels of |x| up to the last that matters for variances from 4^k on, ascending from 0.

    Raises:
        ActivationError: φ varies too fast to be integrated.
    """
    ends, counts = _panels(phi, k)
    return np.concatenate([[0.0], np.sort(ends[ends[:, 1] <= ends[counts, 1].max(initial=0), 1])])


def _over_phases(turning: Oscillation, sd: float) -> tuple[Array, Array, Jet, Jet]:
    """Points; for every phase at each of them, weights over `sd`, and the jets there and at the points −x."""
    nodes, weights = legendre(_NODES)
    starts = np.arange(0.0, _SEEN, _WIDEST)[:, np.newaxis] * sd
    x = (starts + _WIDEST * sd * nodes).ravel()
    count = _PHASES * turning.harmonics
    phase = np.tile(2 * np.pi / count * np.arange(count), x.size)
    shares, everywhere = np.repeat(np.tile(_WIDEST * weights, len(starts)) / count, count), np.repeat(x, count)
    return x, shares, turning.jet(everywhere, phase), turning.jet(-everywhere, -phase)


def _counting(phi: Smooth, x: Array, weights: Array, q: float) -> NDArray[np.bool_]:
    """Which panels matter to any moment of φ and φ' up to the sixth, or to E z⁴φ², anywhere in the octave."""
    # In logarithms, for a sixth power may overflow where its product with the density does not.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        densities = np.array([np.log(weights) - 0.5 * x * (x / some) for some in q * _ACROSS])
        counts = np.zeros(len(x), dtype=bool)
        for side in (x, -x):
            f, d1 = (np.log(np.abs(g)) for g in phi.with_slopes(side))
            powers = np.array([f, 2 * f, 6 * f, 4 * np.log(x) + 2 * f, d1, 4 * d1])
            powers[powers == np.inf] = -np.inf
            largest = np.fmax.reduce(powers[:, np.newaxis] + densities, axis=-1)
            counts |= (largest > _NOTHING + np.fmax.reduce(largest, axis=-1)[..., np.newaxis]).any(axis=(0, 1))
    return counts


def _marks(phi: Smooth) -> set[float]:
    """Where panels of |x| end: at breaks, and where something narrow may be centred."""
    return {0.0, *map(abs, phi.breaks), *map(abs, phi.centres)}


def _outline(phi: Smooth, sd: float) -> Array:
    """Panels of |x| before any is halved, shape (n, 2): none contains a mark or a seam, or is wide beside `sd`."""
    reach = min(_REACH * sd, phi.reach)
    marks = sorted({reach, *(t for t in (*_marks(phi), *map(abs, phi.seams)) if t < reach)})
    shortest, longest = (phi.scales[0], phi.scales[-1]) if phi.scales else (math.inf, math.inf)
    far = reach > _LONG * shortest
    if far:
        gaps = [(a, b, _away(b - a, shortest, longest)) for a, b in pairwise(marks)]
        inside = [part for a, b, steps in gaps for part in (a + steps, b - steps if b < reach else steps[:0])]
        marks = sorted({*marks, *np.concatenate(inside).tolist()})
    parts = [np.linspace(a, b, 1 + math.ceil((b - a) / (_WIDEST * sd))) for a, b in pairwise(marks)]
    first = parts[0][1]
    if shortest < first and not far:
        # φ is likely to need it that panels double away from 0.
        parts.insert(0, first * 2.0 ** -np.arange(math.ceil(math.log2(first / shortest)), 0, -1.0))
    ends = np.array(sorted({end for part in parts for end in part.tolist()}))
    return np.stack([ends[:-1], ends[1:]], axis=1)


def _away(until: float, shortest: float, longest: float) -> Array:
    """Distances up to half of one, from the shortest length of φ on, doubled up to the longest."""
    doublings = math.ceil(math.log2(longest / shortest)) + _MORE
    steps = shortest * 2.0 ** np.concatenate([np.arange(doublings), np.arange(doublings, 1024, _GROWING)])
    return steps[steps < 0.5 * until]


def _resolved(phi: Smooth, panels: Array, q: float) -> Array:
    """The panels, halved until φ and φ' are resolved on each, on either side of 0 and all over the octave.

    Raises:
        ActivationError: φ varies too fast to be integrated.
    """
    points, from_values = chebyshev(_NODES)
    marks, done = list(_marks(phi)), []
    largest, rounding = np.zeros(4 * len(_ACROSS)), np.zeros((4 * len(_ACROSS), 1))
    for halved in range(_HALVED):
        coefficients = _weighed_jets(phi, panels, points, q) @ from_values.T
        largest = np.maximum(largest, np.abs(coefficients).max(axis=(1, 2)))
        if halved == _PATIENT:
            # Where φ is a difference of larger numbers its rounding is all that is left to resolve.
            rounding[:, 0] = _ROUNDING * np.repeat(_weighed_sizes(phi, panels, q), len(_ACROSS))
        least = np.maximum(_RESOLVED * largest[:, np.newaxis], rounding)
        rough = (np.abs(coefficients[:, :, -_LAST:]).max(axis=2) > least).any(axis=0)
        for end, near in ((0, _NEARER), (1, 1 - _NEARER)):
            # What is narrow and stands at the end of a panel may fall between its points.
            looked_at = np.flatnonzero(np.isin(panels[:, end], marks) & ~rough)
            if not looked_at.size:
                continue
            expected = coefficients[:, looked_at] @ chebvander(2 * near - 1, _NODES - 1).T
            found = _weighed_jets(phi, panels[looked_at], near, q)
            rough[looked_at] = (np.abs(found - expected).max(axis=2) > _LAST * least).any(axis=0)
        done.append(panels[~rough])
        if not rough.any():
            return np.concatenate(done)
        middle = panels[rough].mean(axis=1)
        panels = np.concatenate([np.stack([panels[rough, 0], middle], 1), np.stack([middle, panels[rough, 1]], 1)])
        if len(panels) > _MOST_PANELS:
            break
    raise ActivationError(f"the activation varies too fast near |x| = {panels[0, 0]:.6g} to be integrated")


def _weighed_jets(phi: Smooth, panels: Array, points: Array, q: float) -> Array:
    """φ and φ' at x and −x under exp(−x²/4q), for q's across the octave, at points of [0, 1] on every panel."""
    # At an end itself φ may be that of the next panel.
    inside = np.nextafter(panels, panels[:, ::-1])
    x = np.clip(panels[:, :1] + np.diff(panels, axis=1) * points, inside[:, :1], inside[:, 1:])
    with np.errstate(all="ignore"):
        jets = np.nan_to_num(np.array([*phi.with_slopes(x), *phi.with_slopes(-x)]))
        weights = np.exp(np.multiply.outer(-0.25 / (q * _ACROSS), x * x))
    weighed: Array = (jets[:, np.newaxis] * weights).reshape(-1, *x.shape)
    return weighed


def _weighed_sizes(phi: Smooth, x: Array, q: float) -> list[float]:
    """The largest sizes of the terms of φ, 0, of those of φ(−x), and 0, under what is no less than those weights."""
    weights = np.exp(-0.125 * x * x / q)
    right, left = (np.nan_to_num(phi.size(side), posinf=0.0) * weights for side in (x, -x))
    return [right.max(), 0.0, left.max(), 0.0]


@lru_cache(maxsize=256)
def fine_octave(phi: Smooth, k: int) -> tuple[Array, Array]:
    """Points x > 0 and weights (over √q) for variances from 4^k on, close enough for Hermite polynomials to n = 150."""
    sd = 2.0**k
    panels = _panels(phi, k)[0]
    panels = panels[panels[:, 0] < _SEEN * sd]
    parts = [np.linspace(a, b, 1 + math.ceil((b - a) / (_FINE * sd))) for a, b in panels]
    ends = np.concatenate([np.stack([part[:-1], part[1:]], axis=1) for part in parts])
    x, weights = _nodes(ends, 1.0)
    return x.ravel(), weights.ravel() / math.sqrt(2 * math.pi)


@lru_cache(maxsize=2048)
def octave(phi: Smooth, k: int) -> Octave:
    """The points of φ for variances from 4^k on."""
    return Octave(phi, k)


def average(phi: Smooth, integrand: Integrand, q: Array) -> Array:
    """E of an integrand at variances q > 0 of shape (n,) or ().

    What is made of an integrand is kept: it has to be one function and not a new one at every call.

    Raises:
        ActivationError: φ varies too fast to be integrated.
    """
    k = octaves(q)
    if not k.ndim:
        return _average(phi, integrand, np.atleast_1d(q), int(k)).reshape(())
    found = np.empty(q.size)
    for here in sorted(set(k.tolist())):
        found[k == here] = _average(phi, integrand, q[k == here], here)
    return found


def _average(phi: Smooth, integrand: Integrand, q: Array, k: int) -> Array:
    """E of an integrand at variances of one octave, shape (n,)."""
    if phi.reach < _SURE * 2.0**k:
        return np.full(q.size, np.inf)
    if 4.0**k > phi.largest_variance:
        raise ActivationError(
            f"the activation turns without end, and is not averaged over variances beyond {phi.largest_variance:.3g}: "
            "give a smaller q or weights, or clip it"
        )
    return octave(phi, k).average(integrand, q)
