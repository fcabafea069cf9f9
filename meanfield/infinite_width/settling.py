"""Where a signal settles: towards which fixed point of V the variance moves that it starts with, in many networks.

With V(q) > q the variance grows to the next fixed point above, with V(q) < q it falls to the next below. Where V itself
falls with q, some layers are followed first, as for an operating point. All networks share E φ². Its slope equals
1/σ_w² where V(q) − q turns; these points join a scan over q, so that no pair of fixed points falls between two places
of the scan. docs/theory.md, section 10.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.fixed_points import variance_grid
from meanfield.infinite_width.mean_field import layer_map
from meanfield.infinite_width.moments import second_moment, second_moment_d1, second_moment_d2, slope_moment
from meanfield.infinite_width.operating_point import LAYERS, farthest
from meanfield.infinite_width.roots import ZERO, bracketed, find_roots

__all__ = ["gain", "settled", "turning_points"]

Array = NDArray[np.float64]

#: Networks scanned at once.
_BLOCK = 1000
#: V(q) − q is flat where it turns: a place known to eight digits tells its sign.
_TURNING_STEPS = 8


def settled(activation: Activation, sigma_w: ArrayLike, sigma_b: ArrayLike, start: float) -> Array:
    """q* of the fixed point that variance `start` > 0 moves to, elementwise in σ_w > 0 and σ_b ≥ 0.

    0 where no signal is left, ∞ where q grows without bound. A fixed point that V(q) − q touches to rounding alone may
    be passed over.
    """
    weights, biases = np.broadcast_arrays(np.square(sigma_w, dtype=float), np.square(sigma_b, dtype=float))
    w, b = weights.ravel(), biases.ravel()

    def growth(q: Array, weight: Array, bias: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(layer_map(second_moment(activation, q), weight, bias) - q)

    q = np.full(w.shape, float(start))
    if (_scan(activation)[2] < 0).any():
        # Where V falls, a layer may throw q across fixed points.
        for _ in range(LAYERS):
            q = np.minimum(growth(q, w, b) + q, farthest(activation))
    first = growth(q, w, b)
    moving = np.abs(first) > ZERO * q
    near, far = q.copy(), q.copy()
    for outwards, nowhere in ((1, np.inf), (-1, 0.0)):
        rows = np.flatnonzero(moving & (np.sign(first) == outwards))
        for part in (rows[k : k + _BLOCK] for k in range(0, rows.size, _BLOCK)):
            near[part], far[part] = _bracket(activation, w[part], b[part], q[part], outwards)
        far[rows[np.isinf(far[rows])]] = nowhere
    q_star, solve = far.copy(), np.flatnonzero((near != far) & (far > 0) & (far < np.inf))
    low, high = np.minimum(near, far)[solve], np.maximum(near, far)[solve]
    q_star[solve] = bracketed(growth, low, high, w[solve], b[solve])
    return q_star.reshape(weights.shape)


def _bracket(phi: Activation, weights: Array, biases: Array, start: Array, outwards: int) -> tuple[Array, Array]:
    """Neighbours in the scan, from each start outwards, between which V(q) − q changes its sign first.

    Without a change the second is infinite.
    """

    def passed(square: Array, q: Array) -> NDArray[np.bool_]:
        with np.errstate(over="ignore"):
            return np.asarray(outwards * (layer_map(square, weights[:, None], biases[:, None]) - q) <= 0)

    # In y = ±q, ascending, both directions are one.
    places, square, _ = _scan(phi)
    ahead = outwards * places > outwards * (start.min() if outwards > 0 else start.max())
    places, square = places[ahead][::outwards], square[ahead][::outwards]
    y, begin = outwards * places, outwards * start
    beyond = passed(square, places) & (y > begin[:, None])
    far = np.where(beyond.any(axis=1), np.append(y, np.inf)[beyond.argmax(axis=1) if y.size else -1], np.inf)
    apart, which = np.unique(weights, return_inverse=True)
    turns = turning_points(phi, apart)[which]
    turns = np.where(outwards * turns > begin[:, None], turns, start[:, None])
    turned = (turns != start[:, None]) & passed(second_moment(phi, turns), turns)
    far = np.minimum(far, np.where(turned, outwards * turns, np.inf).min(axis=1, initial=np.inf))
    before = np.maximum(np.append(-np.inf, y)[np.searchsorted(y, far)], begin)
    inside = np.where(outwards * turns < far[:, None], outwards * turns, begin[:, None])
    near = np.maximum(before, inside.max(axis=1, initial=-np.inf))
    return outwards * near, outwards * far


def gain(activation: Activation, sigma_w: ArrayLike, q: ArrayLike) -> Array:
    """χ₁(q) = σ_w² E φ'², elementwise, q = ∞ included; ∞ where φ jumps."""
    if not activation.is_continuous:
        return np.full(np.broadcast_shapes(np.shape(sigma_w), np.shape(q)), np.inf)
    return np.asarray(
        np.square(sigma_w, dtype=float) * slope_moment(activation, np.minimum(q, farthest(activation)), 2)
    )


def turning_points(activation: Activation, weights: Array) -> Array:
    """Where V(q) − q turns, V'(q) = 1, for each of the n σ_w²: shape (n, m), NaN where there are fewer than m."""
    x, _, steepness = _scan(activation)

    def slope(q: Array, weight: Array) -> Array:
        with np.errstate(over="ignore"):
            return weight * second_moment_d1(activation, q) - 1

    with np.errstate(over="ignore"):
        steep = weights[:, None] * steepness > 1
    i, k = np.nonzero(steep[:, :-1] != steep[:, 1:])
    # Of each network the first turn stands in column 0, and so on.
    column = np.arange(i.size) - np.searchsorted(i, i)
    found = np.full((weights.size, column.max(initial=-1) + 1), np.nan)
    found[i, column] = bracketed(slope, x[k], x[k + 1], weights[i], steps=_TURNING_STEPS)
    return found


@lru_cache(maxsize=32)
def _scan(phi: Activation) -> tuple[Array, Array, Array]:
    """Variances between which V' is monotone, whatever σ_w; E φ² and its slope there."""
    grid = variance_grid(phi)[1:]
    bends = [turn.x for turn in find_roots([lambda q: second_moment_d2(phi, q)], grid, np.ones_like)]
    x = np.unique([*grid, *bends])
    with np.errstate(over="ignore"):
        return x, second_moment(phi, x), second_moment_d1(phi, x)
