"""A piecewise analytic activation: breaks, and an analytic function between each two.

On which lengths it varies is found, not asked of the user. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.activations.algebra import exact
from meanfield.activations.analytic import number, summed
from meanfield.activations.chebyshev_pieces import Chebyshev, seams
from meanfield.activations.crossings import turning_places
from meanfield.activations.extent import is_bounded, largest, lengths, limiting_slope
from meanfield.activations.oscillation import Oscillation, oscillation
from meanfield.activations.primitives import Jet
from meanfield.activations.trees import Number, Tree, with_doubles
from meanfield.errors import ActivationError, printable

__all__ = ["Smooth"]

Array = NDArray[np.float64]

#: Values on two sides of a break are the same when they differ by less than this share of what is added up in them.
_ROUNDING = 16 * np.finfo(float).eps
#: Where a symmetry is looked for, and how far in units of what is added up values may miss it.
_LOOKED_AT = np.concatenate([10.0 ** np.linspace(-6, 3, 181), np.linspace(0.01, 12, 240)])
_MISSED = 64 * np.finfo(float).eps
#: What turns without end is averaged over so many of its lengths in a standard deviation.
_TURNS = 300.0
#: In so small a part of the lengths on which it varies φ does not bend in any digit.
_NOT_BENT = 1e-17
#: Doubles with room to spare are below.
_HUGE = 1e290
#: Points of a curve to draw.
_DRAWN = 513


@dataclass(frozen=True, repr=False)
class Smooth(Activation):
    """A piecewise analytic function of one variable, jumps at its breaks allowed.

    Args:
        breaks: where the pieces meet, k ≥ 0 numbers, ascending.
        pieces: k + 1 analytic functions, left to right.
        name: what it is called, if it has a name.

    At a break the function and its derivatives are those on its right. `repr` is the name; without one an expression
    that `meanfield.activation` reads.

    Raises:
        ActivationError: numbers of breaks and pieces that do not fit, breaks that are not ascending, or a function that
            is zero everywhere.
    """

    breaks: tuple[float, ...]
    pieces: tuple[Tree, ...]
    name: str | None = field(default=None, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        if len(self.pieces) != len(self.breaks) + 1:
            raise ActivationError(f"{len(self.breaks)} breaks separate {len(self.breaks) + 1} pieces")
        if list(self.breaks) != sorted(set(self.breaks)):
            raise ActivationError(f"breaks {self.breaks} are not ascending: give each once, from left to right")
        if all(_is_zero(tree) for tree in self.pieces):
            raise ActivationError(
                "the activation is zero everywhere: it carries no signal; give it one piece that is not 0"
            )
        object.__setattr__(self, "breaks", tuple(float(t) + 0.0 for t in self.breaks))
        object.__setattr__(self, "pieces", tuple(map(with_doubles, self.pieces)))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.breaks, self.pieces))

    def __repr__(self) -> str:
        return printable(self.name) if self.name else self.expression

    @property
    def expression(self) -> str:
        """φ as an expression in x: where(x < 0, expm1(x), x)."""
        return _nested(self.breaks, self.pieces)

    @cached_property
    def seams(self) -> tuple[float, ...]:
        """Where panels of pieces meet that are known by their values: φ is analytic there, yet its lengths change."""
        return tuple(sorted({t for piece in self.pieces for t in seams(piece)}))

    def jet(self, x: Array) -> Jet:
        if not self.breaks:
            with np.errstate(all="ignore"):
                return self.pieces[0].jet(x)
        f, d1, d2 = self._by_pieces(x, 3)
        return f, d1, d2

    def with_slopes(self, x: Array) -> tuple[Array, Array]:
        if not self.breaks:
            with np.errstate(all="ignore"):
                return self.pieces[0].with_slopes(x)
        f, d1 = self._by_pieces(x, 2)
        return f, d1

    def values(self, x: Array) -> Array:
        if not self.breaks:
            with np.errstate(all="ignore"):
                return self.pieces[0].values(x)
        (f,) = self._by_pieces(x, 1)
        return f

    def _by_pieces(self, x: Array, count: int) -> Iterator[Array]:
        """So many of φ, φ' and φ''."""
        flat, found = x.reshape(-1), np.empty((count, x.size))
        with np.errstate(all="ignore"):
            for tree, here in zip(self.pieces, self._places(flat), strict=True):
                for row, d in zip(found, tree.derivatives(flat.take(here)), strict=False):
                    row[here] = d
        return iter(found.reshape(count, *x.shape))

    def _places(self, x: Array) -> Iterator[NDArray[np.intp]]:
        """Which points lie on each piece, from the left, by number: a mask takes longer. NaN is on the last."""
        right = np.ones(x.shape, dtype=bool)
        for t in self.breaks:
            beyond = ~(x < t)
            yield np.flatnonzero(right & ~beyond)
            right = beyond
        yield np.flatnonzero(right)

    def marks(self, x: Array) -> Array:
        """φ'(x) itself."""
        return self.with_slopes(x)[1]

    def slopes_at(self, marks: Array) -> Array:
        """The slopes that were kept."""
        return marks

    def raised(self, height: float) -> Smooth:
        try:
            added = number(exact(height))
        except ValueError:
            raise ActivationError(f"φ cannot be raised by {height}: give a finite number") from None
        return Smooth(self.breaks, tuple(summed([tree, added]) for tree in self.pieces))

    def limits(self, x: float) -> tuple[float, float]:
        right = int(np.searchsorted(self.breaks, x, side="right"))
        left = int(np.searchsorted(self.breaks, x, side="left"))
        return self._limits(x, self.pieces[left], self.pieces[right])

    @staticmethod
    def _limits(x: float, left: Tree, right: Tree) -> tuple[float, float]:
        """The values of two pieces at x, equal where they are but for rounding."""
        at = np.array([x])
        with np.errstate(all="ignore"):
            (below, low_slope, _), (above, high_slope, _) = left.jet(at), right.jet(at)
            sizes = np.concatenate([left.size(at), right.size(at)])
            moved = math.ulp(x) * (abs(low_slope[0]) + abs(high_slope[0]))
        f, g = float(below[0]), float(above[0])
        if f == g or not abs(f - g) <= _ROUNDING * np.nanmax(sizes) + 2 * moved:
            return f, g
        # A number is exact, and so is what has the smaller terms, more or less.
        kept = f if isinstance(left, Number) or (sizes[0] < sizes[1] and not isinstance(right, Number)) else g
        return kept, kept

    @cached_property
    def _limits_at_breaks(self) -> list[tuple[float, float]]:
        return [self._limits(t, *pair) for t, pair in zip(self.breaks, pairwise(self.pieces), strict=True)]

    @cached_property
    def jumps(self) -> Array:
        """Change of value at each break, shape (k,); 0 where φ is continuous."""
        return np.array([above - below for below, above in self._limits_at_breaks])

    @cached_property
    def kinks(self) -> Array:
        """Change of slope at each break, shape (k,); 0 where φ' is continuous."""
        found = np.zeros(len(self.breaks))
        for i, (t, pair) in enumerate(zip(self.breaks, pairwise(self.pieces), strict=True)):
            at = np.array([t])
            with np.errstate(all="ignore"):
                (_, left, left_bend), (_, right, right_bend) = (tree.jet(at) for tree in pair)
            turned = float(right[0] - left[0])
            moved = math.ulp(t) * (abs(left_bend[0]) + abs(right_bend[0]))
            least = _ROUNDING * (abs(left[0]) + abs(right[0])) + 2 * (moved if math.isfinite(moved) else 0.0)
            found[i] = turned if abs(turned) > least else 0.0
        return found

    @property
    def discontinuities(self) -> tuple[float, ...]:
        return tuple(t for t, jump in zip(self.breaks, self.jumps, strict=True) if jump)

    @cached_property
    def zero_pieces(self) -> frozenset[int]:
        """The pieces on which φ is 0, by number from the left."""
        return frozenset(j for j, tree in enumerate(self.pieces) if _is_zero(tree))

    @cached_property
    def flat_pieces(self) -> frozenset[int]:
        """The pieces on which φ is constant, by number from the left."""
        return frozenset(j for j, tree in enumerate(self.pieces) if isinstance(tree, Number))

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """The least and the largest length on which φ varies, and how far its breaks are from 0."""
        return tuple(sorted({*lengths(self.with_slopes, self.breaks), *(abs(t) for t in self.breaks if t)}))

    @property
    def homogeneous_below(self) -> float:
        return (min(self.scales, default=1 / _NOT_BENT) * _NOT_BENT) ** 2

    @cached_property
    def centres(self) -> tuple[float, ...]:
        """Where something in φ is centred or turns: there narrow features are to be looked for."""
        return tuple(sorted(set().union(*map(turning_places, self.pieces))))

    @cached_property
    def outer_slopes(self) -> tuple[float, float]:
        return limiting_slope(self.pieces[0], -1), limiting_slope(self.pieces[-1], 1)

    @cached_property
    def oscillation(self) -> Oscillation | None:
        """φ with its phase apart, where it is made of powers of x and of what turns with x."""
        return None if self.breaks else oscillation(self.pieces[0])

    @cached_property
    def largest_variance(self) -> float:
        """Finite where φ turns without end, other than as an `Oscillation`."""
        if self.oscillation or not any(map(math.isnan, self.outer_slopes)):
            return math.inf
        return (_TURNS * min(self.scales)) ** 2

    @cached_property
    def reach(self) -> float:
        """How far out |φ| is a double with room to spare; ∞ where it is one everywhere."""
        x = 2.0 ** np.arange(-10.0, 500.0, 0.25)
        beyond = [np.abs(self.values(side * x)) > _HUGE for side in (1, -1)]
        far = beyond[0] | beyond[1]
        return float(x[far.argmax()]) if far.any() else math.inf

    @property
    def has_slope(self) -> bool:
        return not all(isinstance(tree, Number) for tree in self.pieces)

    @cached_property
    def is_odd(self) -> bool:
        """Whether φ(−x) = φ(x) · (−1), to rounding, wherever it was looked at."""
        return self._mirrored(-1.0)

    @cached_property
    def is_even(self) -> bool:
        """Whether φ(−x) = φ(x), to rounding, wherever it was looked at."""
        return self._mirrored(1.0)

    def _mirrored(self, sign: float) -> bool:
        if tuple(-t for t in self.breaks[::-1]) != self.breaks:
            return False
        x = np.setdiff1d(_LOOKED_AT, np.abs(self.breaks))
        f, g = self.values(x), sign * self.values(-x)
        with np.errstate(all="ignore"):
            size = np.maximum(self.size(x), self.size(-x))
            return bool(((np.abs(f - g) <= _MISSED * size) | (f == g)).all())

    def size(self, x: Array) -> Array:
        """The sum of the sizes of the terms of φ(x), elementwise: φ rounds to a few units in the last place of that."""
        piece, size = np.searchsorted(self.breaks, x, side="right"), np.empty(x.shape)
        with np.errstate(all="ignore"):
            for j, tree in enumerate(self.pieces):
                size[piece == j] = tree.size(x[piece == j])
        return size

    @property
    def is_homogeneous(self) -> bool:
        """Never: what is homogeneous is made of straight pieces."""
        return False

    @cached_property
    def supremum(self) -> float:
        at_breaks = max((abs(value) for pair in self._limits_at_breaks for value in pair), default=0.0)
        ends = pairwise((-math.inf, *self.breaks, math.inf))
        return max(at_breaks, *(largest(tree, *end) for tree, end in zip(self.pieces, ends, strict=True)))

    @cached_property
    def is_bounded(self) -> bool:
        ends = pairwise((-math.inf, *self.breaks, math.inf))
        return all(is_bounded(tree, *end) for tree, end in zip(self.pieces, ends, strict=True))

    def graph(self, low: float, high: float) -> list[tuple[Array, Array]]:
        ends = [low, *(t for t in self.breaks if low < t < high), high]
        first = int(np.searchsorted(self.breaks, low, side="right"))
        curves = []
        for j, (left, right) in enumerate(pairwise(ends)):
            x = np.linspace(left, right, _DRAWN)
            with np.errstate(all="ignore"):
                curves.append((x, self.pieces[first + j].values(x)))
        return curves

    def as_record(self) -> dict[str, Any]:
        """Breaks, and pieces as JSON knows them: expressions in x, and panels where no more is known than values."""
        pieces = [tree.as_record() if isinstance(tree, Chebyshev) else str(tree) for tree in self.pieces]
        return {"breaks": list(self.breaks), "pieces": pieces}


def _is_zero(tree: Tree) -> bool:
    return isinstance(tree, Number) and not tree.value


def _nested(breaks: tuple[float, ...], pieces: Iterable[Tree]) -> str:
    """where(x < t, …, …), of either half of the breaks: the parentheses of a thousand pieces are ten deep."""
    trees = list(pieces)
    if not breaks:
        return str(trees[0])
    middle = len(breaks) // 2
    left, right = _nested(breaks[:middle], trees[: middle + 1]), _nested(breaks[middle + 1 :], trees[middle + 1 :])
    return f"where(x < {_written(breaks[middle])}, {left}, {right})"


def _written(t: float) -> str:
    return repr(t).removesuffix(".0")
