"""V(q) − q, χ₁(q) − 1 and their derivatives, without the subtraction where that would cancel.

With x = √q z both are expectations,

    V(q) − q = σ_b² + E[σ_w² φ(x)² − x²],    χ₁(q) − 1 = E[σ_w² φ'(x)² − 1],

and where σ_w|φ| comes close to |x|, as hard tanh does at σ_w = 1 and tanh near 0, the difference is taken before the
expectation. What is then left has all its digits however small. Coefficients that differ by no more than the rounding
of σ_w count as equal: σ_w = 1.4142135623730951 is √2. docs/theory.md, sections 5 and 15.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.rooms import in_blocks, room
from meanfield.infinite_width.roots import Function

__all__ = ["GainGrowth", "VarianceGrowth"]

Array = NDArray[np.float64]


class _Gap(Protocol):
    """E[σ_w² φ² − x²] or E[σ_w² φ'² − 1], at one block of q's.

    `helps`: whether it is anywhere better than the subtraction. `left` and `sizes` are the sums of the sizes of the
    differences and of what they are differences of, each as many times as its rounding is that of V or χ₁.
    """

    helps: bool

    def values(self, q: Array) -> Array: ...
    def left(self, q: Array) -> Array: ...
    def sizes(self, q: Array) -> Array: ...


class _VarianceGap(_Gap, Protocol):
    #: What a constant costs in `left` and `sizes`.
    rounding: float

    def d1(self, q: Array) -> Array: ...
    def d2(self, q: Array) -> Array: ...


@dataclass(frozen=True)
class VarianceGrowth:
    """V(q) − q of a network, at variances q of shape (n,)."""

    network: MeanField

    def __call__(self, q: Array) -> Array:
        """V(q) − q."""
        bias = self.network.sigma_b_squared
        return self._where_it_cancels(q, lambda q: bias + self._gap.values(q), self.network.V(q) - q)

    def d1(self, q: Array) -> Array:
        """V'(q) − 1."""
        return self._where_it_cancels(q, self._gap.d1, self.network.dV(q) - 1)

    def d2(self, q: Array) -> Array:
        """V''(q)."""
        return self._where_it_cancels(q, self._gap.d2, self.network.d2V(q))

    def size(self, q: Array) -> Array:
        """The size of the terms that were added and subtracted, of which a share is the rounding of σ_w and σ_b."""
        return self._at_most_V(self._gap.sizes, q)

    def rounding(self, q: Array) -> Array:
        """The size of the terms that are summed, of which a share is the rounding of V(q) − q itself."""
        return self._at_most_V(self._gap.left, q)

    def _where_it_cancels(self, q: Array, differences: Function, subtracted: Array) -> Array:
        if not self._gap.helps:
            return subtracted
        cancels = self._with_bias(self._gap.left, q) < np.maximum(q, self.network.V(q))
        return np.where(cancels, in_blocks(differences, self._phi, q), subtracted) if cancels.any() else subtracted

    def _at_most_V(self, sizes: Function, q: Array) -> Array:
        size = np.maximum(q, self.network.V(q))
        return np.minimum(self._with_bias(sizes, q), size) if self._gap.helps else size

    def _with_bias(self, sizes: Function, q: Array) -> Array:
        return self._gap.rounding * self.network.sigma_b_squared + in_blocks(sizes, self._phi, q)

    @property
    def _phi(self) -> Activation:
        return self.network.activation

    @cached_property
    def _gap(self) -> _VarianceGap:
        gap: _VarianceGap = room("growth", self._phi).VarianceGap(self._phi, self.network.sigma_w)
        return gap


@dataclass(frozen=True)
class GainGrowth:
    """χ₁(q) − 1 of a continuous φ, at variances q of shape (n,)."""

    activation: Activation
    sigma_w: float

    def __call__(self, q: Array) -> Array:
        """χ₁(q) − 1."""
        gain = self._gain(q)
        cancels = in_blocks(self._gap.left, self.activation, q) < np.maximum(gain, 1)
        return np.where(cancels, in_blocks(self._gap.values, self.activation, q), gain - 1)

    def size(self, q: Array) -> Array:
        """The size of the terms that were added and subtracted, of which a share is the rounding of σ_w."""
        return np.minimum(in_blocks(self._gap.sizes, self.activation, q), np.maximum(self._gain(q), 1))

    def rounding(self, q: Array) -> Array:
        """The size of the terms that are summed, of which a share is the rounding of χ₁(q) − 1 itself."""
        return np.minimum(in_blocks(self._gap.left, self.activation, q), np.maximum(self._gain(q), 1))

    def _gain(self, q: Array) -> Array:
        return MeanField(self.activation, self.sigma_w).gain(q)

    @cached_property
    def _gap(self) -> _Gap:
        gap: _Gap = room("growth", self.activation).GainGap(self.activation, self.sigma_w)
        return gap
