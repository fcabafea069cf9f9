"""E[σ_w² φ² − x²] and E[σ_w² φ'² − 1] of a smooth φ near 0, where V(q) − q and χ₁ − 1 would cancel.

With φ(x) = c + a x + r(x) the first is (σ_w² a² − 1) q and what r and c make of it. Elsewhere what is subtracted is no
larger than the result. docs/theory.md, section 15.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.quadrature.origin import Origin, near_or_far

__all__ = ["GainGap", "VarianceGap"]

Array = NDArray[np.float64]

#: σ_w² a² this near to 1 is 1: the rounding of σ_w, a few times over.
_SAME = 64 * sys.float_info.epsilon


@dataclass(frozen=True)
class _Gap:
    activation: Smooth
    sigma_w: float

    helps = True
    rounding = 1.0

    def _near(self, near: Callable[[Origin, Array], Array], q: Array) -> Array:
        """∞ where φ is not nearly its tangent."""
        return near_or_far(self.activation, q, near, lambda q: np.full_like(q, np.inf))

    def _excess(self, at: Origin) -> float:
        """σ_w² a² − 1."""
        gain = self.sigma_w**2 * at.squared_slopes
        return 0.0 if abs(gain - 1) <= _SAME else gain - 1


@dataclass(frozen=True)
class VarianceGap(_Gap):
    """E[σ_w² φ² − x²]."""

    def values(self, q: Array) -> Array:
        """Itself."""
        return self._near(lambda at, q: self._excess(at) * q + self.sigma_w**2 * at.squares(q, 0), q)

    def d1(self, q: Array) -> Array:
        """Its derivative in q."""
        return self._near(lambda at, q: self._excess(at) + self.sigma_w**2 * at.squares(q, 1), q)

    def d2(self, q: Array) -> Array:
        """Its second derivative."""
        return self._near(lambda at, q: self.sigma_w**2 * at.squares(q, 2), q)

    def left(self, q: Array) -> Array:
        """The sum of the sizes of all differences."""
        return self._near(lambda at, q: abs(self._excess(at)) * q + self.sigma_w**2 * at.squares_size(q), q)

    def sizes(self, q: Array) -> Array:
        """The sum of the sizes of what they are differences of."""
        return self._near(lambda at, q: self._size(at) * q + self.sigma_w**2 * at.squares_size(q), q)

    def _size(self, at: Origin) -> float:
        """Of σ_w² a² and 1, where they differ."""
        return 1 + self.sigma_w**2 * at.squared_slopes if self._excess(at) else 0.0


@dataclass(frozen=True)
class GainGap(_Gap):
    """E[σ_w² φ'² − 1]."""

    def values(self, q: Array) -> Array:
        """Itself."""
        return self._near(lambda at, q: self._excess(at) + self.sigma_w**2 * at.squared_slopes_less_limit(q, 0), q)

    def left(self, q: Array) -> Array:
        """The sum of the sizes of all differences."""
        return self._near(
            lambda at, q: abs(self._excess(at)) + self.sigma_w**2 * np.abs(at.squared_slopes_less_limit(q, 0)), q
        )

    def sizes(self, q: Array) -> Array:
        """The sum of the sizes of what they are differences of."""
        return self.left(q)
