"""The sums over the units of a layer of a piecewise-linear φ, without drawing all units.

How many of N independent Gaussian pre-activations lie on each piece is multinomial. Where φ is flat their number says
all; on a piece with a slope they are drawn, each from a normal law cut off at the ends of the piece. So a layer costs
as many random numbers as it has sloping units, and nothing is approximated. docs/theory.md, section 17.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.layer_sums import NUMBERS_AT_ONCE, UNITS_AT_ONCE, LayerSums

__all__ = ["piece_sums"]

Array = NDArray[np.float64]

#: Put in place of a variance of 0 where something is divided by its root.
_SMALLEST = 1e-300


class _Piece(NamedTuple):
    """φ(x) = value + slope·(x − near) between two ends on the same side of 0."""

    near: float
    far: float
    slope: float
    value: float


def piece_sums(phi: PiecewiseLinear, variance: Array, width: int, random: np.random.Generator) -> LayerSums:
    """Of N = `width` pre-activations without biases in each of n networks, Gaussian of `variance`, shape (n,)."""
    from scipy.special import ndtr

    pieces, root = _pieces(phi), np.sqrt(np.maximum(variance, _SMALLEST))
    ends = np.array([piece[:2] for piece in pieces])
    near, far = ndtr(-np.abs(ends.T[..., None]) / root)
    # At a variance of 0 all units are at 0, which belongs to the piece on its right.
    at_rest = np.array([piece.near == 0 < piece.far for piece in pieces])[:, None]
    shares = np.where(variance > 0, np.maximum(near - far, 0.0), at_rest)
    # Pieces on which φ is 0 are left out; what lies there is what remains.
    shares = np.concatenate([shares, np.maximum(1 - shares.sum(axis=0, keepdims=True), 0.0)])
    shares /= shares.sum(axis=0)
    total = np.zeros((len(LayerSums._fields), len(variance)))
    for done in range(0, width, UNITS_AT_ONCE):
        count = random.multinomial(min(UNITS_AT_ONCE, width - done), shares.T).T[:-1]
        first, second = np.zeros((2, *count.shape))
        for j, piece in enumerate(pieces):
            for some in _networks_at_once(count[j]) if piece.slope else ():
                at = j, some
                first[at], second[at] = _beyond(piece, count[at], far[at], near[at], root[some], random)
        total += _sums(pieces, count, first, second)
    return LayerSums(*total)


@lru_cache(maxsize=64)
def _pieces(phi: PiecewiseLinear) -> tuple[_Piece, ...]:
    """All on which φ is not 0, cut at 0 so that each lies in one tail, where Φ keeps its digits."""
    return tuple(piece for piece in _cut(phi) if piece.slope or piece.value)


def _cut(phi: PiecewiseLinear) -> Iterator[_Piece]:
    for left, right in pairwise([-math.inf, *sorted({0.0, *phi.knots}), math.inf]):
        on = phi.slopes_at(phi.marks(np.array([left, np.nextafter(right, -math.inf)])))
        if left >= 0:
            yield _Piece(left, right, on[0].item(), phi.limits(left)[1])
        else:
            yield _Piece(right, left, on[1].item(), phi.limits(right)[0])


def _networks_at_once(count: NDArray[np.integer]) -> Iterator[slice]:
    """So many that the units to draw stay in cache."""
    rows = max(NUMBERS_AT_ONCE * len(count) // max(count.sum(), 1), 1)
    return (slice(start, start + rows) for start in range(0, len(count), rows))


def _beyond(
    piece: _Piece, count: NDArray[np.integer], far: Array, near: Array, root: Array, random: np.random.Generator
) -> tuple[Array, Array]:
    """Sums of x − near and of its square over the units on a piece; `far` and `near` are Φ at −|x| of its ends."""
    from scipy.special import ndtri

    if piece.near == 0 and math.isinf(piece.far):
        z = np.abs(random.standard_normal(count.sum()))
    else:
        # Of 1 down to above 0, so that Φ⁻¹ is finite.
        z = -ndtri(np.repeat(far, count) + np.repeat(near - far, count) * (1 - random.random(count.sum())))
    beyond = np.repeat(np.copysign(root, piece.far), count) * z - piece.near
    # Nothing stands for the units of the last networks if they have none.
    beyond = np.append(beyond, 0.0)
    starts = np.cumsum(count) - count
    first, second = (np.where(count, np.add.reduceat(part, starts), 0.0) for part in (beyond, beyond * beyond))
    return first, second


def _sums(pieces: tuple[_Piece, ...], count: NDArray[np.integer], first: Array, second: Array) -> Array:
    """Of all units; `first` and `second` are sums of x − near and its square, shape (pieces, n)."""
    near, _, a, value = np.array(pieces).T
    v, at = value[:, None], near[:, None]
    xx = v**2 * count + 2 * (a * value)[:, None] * first + a[:, None] ** 2 * second
    xt = v * at * count + (near * a + value)[:, None] * first + a[:, None] * second
    tt = at**2 * count + 2 * at * first + second
    return np.stack(LayerSums(
        xx.sum(axis=0), a**2 @ count, a**4 @ count, a**2 @ xx, a**4 @ xx, a**6 @ xx,
        a @ xt, a**3 @ xt, a**2 @ tt, a**5 @ xt, a**4 @ tt,
    ))  # fmt: skip
