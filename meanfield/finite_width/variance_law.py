"""The escape probability without random networks: the law of the variance, carried from layer to layer on a grid.

Given the variance q of one layer, that of the next has a mean V(q), a variance S(q)/N and a third cumulant T(q)/N² that
are known exactly. A law with these three moments stands for the sum over N units: the shifted gamma law, whose
distribution function Wilson and Hilferty gave in terms of the normal one, with z = (k − mean)/sd and γ the skewness,

    P(K' ≤ k | q) = Φ((6/γ)((1 + γz/2)^(1/3) − 1) + γ/6),   and 0 for k < σ_b².

ln(q/q*) is cut into cells, q*/f and f q* among their edges. One row of these probabilities takes the start to cells, a
matrix of them takes cells to cells, layer by layer; what lies outside [q*/f, f q*] in the end has escaped. No random
numbers, so the result is smooth in every parameter but for an error that is measured in docs/theory.md, section 12.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["escape_probability"]

Array = NDArray[np.float64]

#: Width of a cell over the standard deviation of ln K' at q*; what halving it changes is in docs/theory.md, section 12.
_SHARE = 0.5
#: Width of a cell at most, in ln q: V and S bend over not much more than that.
_WIDEST = 0.1
#: Cells at most, or nearly: with them a call takes 15 to 50 ms. Reached at widths of 50 000 or so.
_MOST_CELLS = 600
#: How far the cells reach beyond [q*/f, f q*], as a factor: 4 standard deviations of a random walk of this depth, but
#: within these. From further out nothing comes back.
_NEAREST, _FURTHEST = 2.0, 1e6
#: Variances whose sixth moments may be beyond the doubles, or beyond the inverse of this.
_LARGEST = 1e50
#: A spread of nothing, over q*: its cube is still a double.
_NOTHING = 1e-100
#: A skewness too small to matter, put in place of 0.
_STRAIGHT = 1e-9


class _Layer(NamedTuple):
    """Mean, variance and third cumulant of K' for each of some variances q, in units of q*, and the least K' of all."""

    mean: Array
    variance: Array
    third: Array
    least: float

    def probabilities(self, edges: Array) -> Array:
        """P(K' in cell | q), a row for each q; whatever lies beyond an end is in the cell at that end."""
        with np.errstate(all="ignore"):
            sd = np.maximum(np.sqrt(self.variance), _NOTHING)
            skewness = self.third / sd**3
        skewness = np.where(np.abs(skewness) > _STRAIGHT, skewness, _STRAIGHT)
        below = _distribution_function((edges[1:-1] - self.mean[:, None]) / sd[:, None], skewness[:, None])
        return np.diff(np.where(edges[1:-1] < self.least, 0.0, below), axis=1, prepend=0.0, append=1.0)


def escape_probability(
    network: MeanField, q_star: float, requirement: Requirement, start: float | None = None
) -> float:
    """The share of random networks of the required width and depth that have left q*, as `escapes` counts them.

    Its `risk`, `chains` and `seed` play no part. `start` is the variance at layer 0, by default q*. At widths from 30
    to 100 000 it is right to 0.005 or better; narrower or wider, section 12 tells.

    Raises:
        DomainError: q*, `start` or `within` so extreme that the moments on the way are no doubles.

    Source: docs/theory.md, section 12.
    """
    begin = q_star if start is None else start
    edges, inside = _cells(network, q_star, begin, requirement)
    centres = np.sqrt(edges[1:] * edges[:-1])
    layer = _layer(network, q_star, np.append(begin, centres * q_star), requirement.width)
    law = _rows(layer, slice(1)).probabilities(edges)[0]
    if requirement.depth > 1:
        values = network.V(edges * q_star) / q_star
        step = _without_rounding(_rows(layer, slice(1, None)), values).probabilities(edges)
        for _ in range(requirement.depth - 1):
            law = law @ step
    return min(float(law[~inside].sum()), 1.0)


def _cells(
    network: MeanField, q_star: float, start: float, requirement: Requirement
) -> tuple[Array, NDArray[np.bool_]]:
    """Edges of the cells over q*, and which cells lie within [q*/f, f q*]; q* is the centre of one."""
    if not all(1 / _LARGEST <= q <= _LARGEST for q in (q_star, start)):
        raise DomainError(
            f"q* = {q_star:g} or the variance at layer 0, {start:g}, is beyond what the law is worked out for: measure "
            f"x in other units, so that they lie between {1 / _LARGEST:g} and {_LARGEST:g}"
        )
    half = math.log(requirement.within)
    sd = math.sqrt(network.kick_variance(q_star) / requirement.width) / q_star
    walk = 4 * sd * math.sqrt(requirement.depth)
    beyond = min(max(walk, math.log(_NEAREST)), math.log(_FURTHEST))
    beyond = max(beyond, abs(math.log(start / q_star)) + math.log(_NEAREST) - half)
    if half + beyond + abs(math.log(q_star)) > math.log(_LARGEST):
        raise DomainError(
            f"within = {requirement.within:g} around q* = {q_star:g} spans variances beyond {_LARGEST:g} or its inverse"
        )
    most = max(min(_SHARE * sd, _WIDEST), 2 * (half + beyond) / _MOST_CELLS)
    # An odd number: a network in which nothing is random then stays at q*, stable or not.
    count = 2 * math.ceil(half / most - 0.5) + 1
    # The cells beyond are as wide, for where widths change rounding errs; but not needlessly narrow.
    width = max(2 * half / count, most / 2)
    more = math.ceil(beyond / width)
    outer = half + width * np.arange(more + 1)
    logs = np.concatenate([-outer[::-1], np.linspace(-half, half, count + 1)[1:-1], outer])
    inside = np.zeros(logs.size - 1, dtype=bool)
    inside[more : more + count] = True
    return np.exp(logs), inside


def _layer(network: MeanField, q_star: float, q: Array, width: int) -> _Layer:
    mean = network.V(q) / q_star
    variance = network.kick_variance(q) / q_star**2 / width
    third = network.kick_skewness(q) / q_star**3 / width**2
    return _Layer(mean, variance, third, network.sigma_b_squared / q_star)


def _rows(layer: _Layer, rows: slice) -> _Layer:
    return _Layer(layer.mean[rows], layer.variance[rows], layer.third[rows], layer.least)


def _without_rounding(layer: _Layer, values: Array) -> _Layer:
    """The layer from the centres of cells, less what it adds that variances were rounded to them; `values`: V at edges.

    Rounding adds an independent error, uniform over a cell (Sheppard). V makes of it a shift of the mean, V''w²/24, and
    a variance, V'²w²/12, derivatives taken along the axis of the cells. No more than half is taken off.
    """
    low, high = values[:-1], values[1:]
    mean = np.maximum(layer.mean - (high - 2 * layer.mean + low) / 6, layer.mean / 2)
    variance = np.maximum(layer.variance - (high - low) ** 2 / 12, layer.variance / 2)
    return layer._replace(mean=mean, variance=variance)


def _distribution_function(z: Array, skewness: Array) -> Array:
    """Of the shifted gamma law of mean 0, variance 1 and this skewness, by Wilson and Hilferty."""
    from scipy.special import ndtr

    with np.errstate(all="ignore"):
        stretched = skewness * z / 2
        normal = 6 / skewness * np.expm1(np.log1p(stretched) / 3) + skewness / 6
    # Beyond its end the law has nothing: the end is below for a positive skewness and above for a negative one.
    return np.asarray(ndtr(np.where(stretched > -1, normal, np.where(skewness > 0, -np.inf, np.inf))))
