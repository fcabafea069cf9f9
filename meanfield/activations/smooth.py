"""A piecewise analytic activation: breaks, and an analytic function between each two.

On which lengths it varies is found where it is integrated, not asked of the user. docs/theory.md, section 15.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.analytic import Tree
from meanfield.activations.chebyshev_pieces import seams
from meanfield.activations.primitives import Jet
from meanfield.errors import ActivationError

__all__ = ["Smooth"]

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Smooth:
    """A piecewise analytic function of one variable, jumps at its breaks allowed.

    Args:
        breaks: where the pieces meet, k ≥ 0 numbers, ascending.
        pieces: k + 1 analytic functions, left to right.
        name: what it is called, if it has a name.

    At a break the function and its derivatives are those on its right.

    Raises:
        ActivationError: numbers of breaks and pieces that do not fit, or breaks that are not ascending.
    """

    breaks: tuple[float, ...]
    pieces: tuple[Tree, ...]
    name: str | None = field(default=None, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        if len(self.pieces) != len(self.breaks) + 1:
            raise ActivationError(f"{len(self.breaks)} breaks separate {len(self.breaks) + 1} pieces")
        if list(self.breaks) != sorted(set(self.breaks)):
            raise ActivationError(f"breaks {self.breaks} are not ascending: give each once, from left to right")

    def __repr__(self) -> str:
        return self.name or f"Smooth(breaks={self.breaks}, pieces=({', '.join(map(str, self.pieces))}))"

    @cached_property
    def seams(self) -> tuple[float, ...]:
        """Where panels of pieces meet that are known by their values: φ is analytic there, yet its lengths change."""
        return tuple(sorted({t for piece in self.pieces for t in seams(piece)}))

    def jet(self, x: Array) -> Jet:
        """φ, φ' and φ'' at points x, an array of at least one axis, elementwise."""
        piece, found = np.searchsorted(self.breaks, x, side="right"), np.empty((3, *x.shape))
        with np.errstate(all="ignore"):
            for j, tree in enumerate(self.pieces):
                here = piece == j
                found[:, here] = tree.jet(x[here])
        return found[0], found[1], found[2]
