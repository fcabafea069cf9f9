"""From the slope and curvature of V, and from χ₁, to words: one rule for a network, a curve and a plane of them.

docs/theory.md, section 6.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MARGIN", "Phase", "is_tangency", "phases", "words"]

Phase = Literal["ordered", "edge of chaos", "chaotic"]

#: V' this close to 1 counts as 1, and χ₁ likewise: the pull back (or push away) would take over 100 layers to show,
#: so the curvature decides. It also makes an edge of chaos typed with five digits, whose tangency they split into
#: two fixed points or none, what it is meant to be.
MARGIN = 1e-2
#: Two fixed points this near in ln q, one of which repels, are one tangency, split by the digits of σ_w and σ_b.
_TANGENCY = 0.1


def words(slope: ArrayLike, relative_curvature: ArrayLike) -> NDArray[np.str_]:
    """Stable, neutral or unstable by V'(q*) and q*V''(q*) alone, elementwise; empty where they are NaN.

    V' < 1 attracts from both sides, however slowly, unless the parabola that V is around q* crosses q again close by.
    """
    slope, bend = np.asarray(slope, dtype=float), np.asarray(relative_curvature, dtype=float)
    word = np.where((slope < 1) & ~is_tangency(slope, bend), "stable", "unstable")
    word = np.where((np.abs(slope - 1) <= MARGIN) & (np.abs(bend) <= MARGIN), "neutral", word)
    return np.where(np.isnan(slope), "", word)


def is_tangency(slope: ArrayLike, relative_curvature: ArrayLike) -> NDArray[np.bool_]:
    """Whether V touches the identity at q* by V'(q*) and q*V''(q*), up to the digits of σ_w and σ_b, elementwise."""
    off = np.abs(np.asarray(slope) - 1)
    found: NDArray[np.bool_] = (off <= MARGIN) & (2 * off <= _TANGENCY * np.abs(relative_curvature))
    return found


def phases(gain: ArrayLike) -> NDArray[np.str_]:
    """The phases of networks with these χ₁, elementwise.

    Ordered, χ₁ < 1: correlations and gradients die out. Chaotic, χ₁ > 1: they part and explode.
    """
    gain = np.asarray(gain)
    return np.where(np.abs(gain - 1) <= MARGIN, "edge of chaos", np.where(gain < 1, "ordered", "chaotic"))
