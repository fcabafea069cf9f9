"""The border between the ordered and the chaotic phase in the plane (σ_w, σ_b), solved for.

A net of networks is judged where a signal of the given variance settles. Between two neighbours of different phases
the border is found by halving; it crosses every mesh at solved points, which are joined to lines. χ₁ is 1 along an
edge of chaos. Elsewhere the fixed point that the signal settles at jumps from one side of the border to the other, and
χ₁ with it past 1. docs/theory.md, section 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.settling import gain, settled

__all__ = ["BorderLine", "PhaseBorder", "phase_border"]

Array = NDArray[np.float64]
Point = tuple[float, float]

#: Halvings of a mesh, to 1e-9 of it.
_HALVINGS = 30
#: χ₁ on a side of an edge of chaos is 1 to this; at a tangency it changes as the root of the halved mesh.
_ONE = 1e-3


@dataclass(frozen=True, eq=False)
class BorderLine:
    """A line of the border, the chaotic phase on its left, arrays of shape (n,).

    Attributes:
        sigma_w, sigma_b: its points.
        q_star: of the edge of chaos, on which χ₁(q*) = 1, ∞ if a signal grows without bound; NaN where q* and χ₁ jump.
    """

    sigma_w: Array
    sigma_b: Array
    q_star: Array


@dataclass(frozen=True, eq=False)
class PhaseBorder:
    """A rectangle of initialisations and the border of its phases.

    Attributes:
        sigma_w, sigma_b: of the net of networks, shape (n,) each.
        q_star, chi_1: of each of them, entry [i, j] that of `sigma_b[i]` and `sigma_w[j]`.
        lines: the border.
        chaotic: outlines (n, 2) of the chaotic phase, which lies on their left.
    """

    sigma_w: Array
    sigma_b: Array
    q_star: Array
    chi_1: Array
    lines: tuple[BorderLine, ...]
    chaotic: tuple[Array, ...]


def phase_border(
    activation: Activation,
    sigma_w: tuple[float, float],
    sigma_b: tuple[float, float],
    start: float = 1.0,
    networks: int = 129,
) -> PhaseBorder:
    """The border in the rectangle between the ends given, σ_w > 0, for a signal of variance `start` > 0.

    `networks` of the net stand along either axis; what is smaller than a mesh may be missed.
    """
    w, b = np.linspace(*sigma_w, networks), np.linspace(*sigma_b, networks)
    q_star = settled(activation, w, b[:, None], start)
    chi_1 = gain(activation, np.broadcast_to(w, q_star.shape), q_star)
    crossings, chains = _chains(chi_1 > 1)
    # A crossing lies between the networks [i, j] of its ends, the ordered one first.
    ends = np.array(crossings, dtype=int).reshape(-1, 2, 2)
    low = np.stack([w[ends[:, 0, 1]], b[ends[:, 0, 0]]])
    high = np.stack([w[ends[:, 1, 1]], b[ends[:, 1, 0]]])
    q = [q_star[tuple(ends[:, side].T)] for side in (0, 1)]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = settled(activation, middle[0], middle[1], start)
        beyond = gain(activation, middle[0], reached) > 1
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        q = [np.where(beyond, q[0], reached), np.where(beyond, reached, q[1])]
    sides = [gain(activation, low[0], q[0]), gain(activation, high[0], q[1])]
    is_edge = np.minimum(abs(sides[0] - 1), abs(sides[1] - 1)) < _ONE
    q_edge = np.where(abs(sides[0] - 1) <= abs(sides[1] - 1), *q)
    q_edge[(q[1] == np.inf) & (abs(sides[1] - 1) < _ONE)] = np.inf
    w_of, b_of = (low + high) / 2
    lines = tuple(BorderLine(w_of[c], b_of[c], np.where(is_edge[c], q_edge[c], np.nan)) for c in map(list, chains))
    frame = (float(w[0]), float(b[0]), float(w[-1]), float(b[-1]))
    outlines = _outlines([np.column_stack([line.sigma_w, line.sigma_b]) for line in lines], frame, chi_1[0, 0] > 1)
    return PhaseBorder(w, b, q_star, chi_1, lines, tuple(outlines))


Crossing = tuple[tuple[int, int], tuple[int, int]]


def _chains(chaotic: NDArray[np.bool_]) -> tuple[list[Crossing], list[list[int]]]:
    """Pairs of neighbours in different phases, the ordered one first, and how they follow along the border."""
    index: dict[Crossing, int] = {}
    following: dict[int, int] = {}
    mixed = chaotic[:-1, :-1].astype(int) + chaotic[:-1, 1:] + chaotic[1:, 1:] + chaotic[1:, :-1]
    for i, j in np.argwhere((mixed > 0) & (mixed < 4)).tolist():
        corners = [(i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j)]
        leaves, enters = [], []
        for k, (one, other) in enumerate(zip(corners, corners[1:] + corners[:1], strict=True)):
            if chaotic[one] and not chaotic[other]:
                leaves.append((k, index.setdefault((other, one), len(index))))
            elif chaotic[other] and not chaotic[one]:
                enters.append((k, index.setdefault((one, other), len(index))))
        for k, crossing in leaves:
            # Around the mesh, the next place where the chaotic phase begins again.
            following[crossing] = min(enters, key=lambda enter: (enter[0] - k) % 4)[1]
    chains = []
    first = [*(following.keys() - {*following.values()}), *following]
    for crossing in first:
        chain = [crossing]
        while (after := following.pop(chain[-1], None)) is not None:
            chain.append(after)
        if len(chain) > 1:
            chains.append(chain)
    return list(index), chains


def _outlines(lines: Sequence[Array], frame: tuple[float, float, float, float], all_chaotic: bool) -> list[Array]:
    """Lines closed along the frame (left, low, right, high), counter-clockwise, on which what is inside lies left."""
    left, low, right, high = frame
    corners = [(right, low), (right, high), (left, high), (left, low)]

    def along(point: Array) -> float:
        """How far along the frame a point lies, from the lower left, a side being 1 long."""
        x, y = (point[0] - left) / (right - left), (point[1] - low) / (high - low)
        nearest = int(np.argmin([y, 1 - x, 1 - y, x]))
        return float(nearest + (x, y, 1 - x, 1 - y)[nearest])

    closed = [line for line in lines if np.array_equal(line[0], line[-1])]
    open_ones = [line for line in lines if not np.array_equal(line[0], line[-1])]
    if not open_ones:
        whole = [np.array([(left, low), *corners[:3]])] if all_chaotic else []
        return [*whole, *closed]
    starts = [along(line[0]) for line in open_ones]
    outlines, left_over = [], set(range(len(open_ones)))
    while left_over:
        begin = current = min(left_over)
        parts: list[Array] = []
        while current in left_over:
            left_over.remove(current)
            parts.append(open_ones[current])
            here = along(open_ones[current][-1])
            current = min(range(len(starts)), key=lambda k: (starts[k] - here) % 4)
            end = here + (starts[current] - here) % 4
            passed = [corners[k % 4] for k in range(int(here), int(end))]
            parts += [np.array(passed)] if passed else []
        assert current == begin
        outlines.append(np.concatenate(parts))
    return [*outlines, *closed]
