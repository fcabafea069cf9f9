"""What is asked of an activation φ, whichever way it is represented.

`PiecewiseLinear` and `Smooth` answer. All theory is written for these questions: only the two rooms that integrate φ,
in closed form and by quadrature, look at what it is made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.errors import ActivationError
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["Activation", "require_activation"]

Array = NDArray[np.float64]


class Activation(Shown, ABC):
    """A function of one number, analytic between its breaks, jumps allowed.

    At a break it takes its right limit, and so do its derivatives; a single point carries no probability. Equal
    functions that are represented alike are equal objects, with equal hashes, whatever they are called.
    """

    #: What it is called, such as soft-threshold(tau=0.5), if it has a name.
    name: str | None
    #: Where φ is not analytic, ascending.
    breaks: tuple[float, ...]

    def named(self, name: str) -> Self:
        """The same function, called so."""
        return replace(self, name=name)  # type: ignore[type-var]

    def record(self) -> Record:
        """What it is called, and what it is made of."""
        return {"activation": self.name, **self.as_record()}

    @overload
    def __call__(self, x: float) -> float: ...
    @overload
    def __call__(self, x: ArrayLike) -> Array: ...
    def __call__(self, x: ArrayLike) -> Any:
        """φ(x), elementwise, as an array shaped like x (a float for a scalar)."""
        try:
            points = np.asarray(x, dtype=float)
        except (TypeError, ValueError):
            raise ActivationError(
                f"φ is asked at {x!r:.40}, which is no number: give numbers, or an array of them"
            ) from None
        values = self.values(points)
        return values if values.ndim else values.item()

    @abstractmethod
    def values(self, x: Array) -> Array:
        """φ(x), elementwise, to rounding; exactly 0 where φ is 0."""

    @abstractmethod
    def marks(self, x: Array) -> NDArray[Any]:
        """What has to be kept of x, elementwise and in as few bytes as will do, to know φ'(x) later."""

    @abstractmethod
    def slopes_at(self, marks: NDArray[Any]) -> Array:
        """φ' where `marks` were made; at a break that on its right, and at a jump that of the piece beside it."""

    def with_slopes(self, x: Array) -> tuple[Array, Array]:
        """φ and φ' at points x, an array of at least one axis, elementwise."""
        return self.values(x), self.slopes_at(self.marks(x))

    def jet(self, x: Array) -> tuple[Array, Array, Array]:
        """φ, φ' and φ'' at points x, an array of at least one axis, elementwise; φ'' of the pieces alone."""
        return *self.with_slopes(x), np.zeros_like(x)

    @abstractmethod
    def limits(self, x: float) -> tuple[float, float]:
        """(φ(x−), φ(x+)); an exact 0 or an exact meeting is one."""

    @abstractmethod
    def raised(self, height: float) -> Activation:
        """φ + a number.

        Raises:
            ActivationError: the number is beyond what a value can be.
        """

    @property
    @abstractmethod
    def discontinuities(self) -> tuple[float, ...]:
        """Where φ jumps, ascending."""

    @property
    @abstractmethod
    def scales(self) -> tuple[float, ...]:
        """The lengths on which φ varies; none where it is homogeneous."""

    @property
    @abstractmethod
    def homogeneous_below(self) -> float:
        """A variance below which φ, if it is 0 at 0, is homogeneous to all digits."""

    @property
    def centres(self) -> tuple[float, ...]:
        """Where something in φ is centred or turns, besides its breaks."""
        return ()

    @property
    def largest_variance(self) -> float:
        """The largest variance of a Gaussian under which φ can be averaged."""
        return np.inf

    @property
    @abstractmethod
    def outer_slopes(self) -> tuple[float, float]:
        """φ' as x → −∞ and as x → ∞; NaN where it has no limit."""

    @property
    @abstractmethod
    def has_slope(self) -> bool:
        """Whether φ' ≠ 0 anywhere."""

    @property
    def slope_size(self) -> float | None:
        """|φ'| where it is not 0, if it is one number."""
        return None

    @property
    def is_continuous(self) -> bool:
        """Whether φ has no jump."""
        return not self.discontinuities

    @property
    @abstractmethod
    def is_odd(self) -> bool:
        """Whether φ(−x) = −φ(x)."""

    @property
    @abstractmethod
    def is_even(self) -> bool:
        """Whether φ(−x) = φ(x)."""

    @property
    @abstractmethod
    def is_homogeneous(self) -> bool:
        """Whether φ(cx) = cφ(x) for c > 0: two half-lines from the origin (ReLU, leaky ReLU, |x|, x)."""

    @property
    @abstractmethod
    def supremum(self) -> float:
        """The supremum of |φ|; ∞ where φ is not bounded."""

    @property
    def is_bounded(self) -> bool:
        """Whether |φ| stays below a constant."""
        return self.supremum < np.inf

    @abstractmethod
    def graph(self, low: float, high: float) -> Sequence[tuple[Array, Array]]:
        """φ over [low, high] as curves to draw, (x, y) each: jumps stay open."""

    @abstractmethod
    def as_record(self) -> dict[str, Any]:
        """What it is made of, as JSON knows it."""


def require_activation(activation: object) -> None:
    """Refuse what `meanfield.activation` has yet to read, such as a name, with an `ActivationError`."""
    if not isinstance(activation, Activation):
        raise ActivationError(f"{activation!r} is not an activation yet: make it one with meanfield.activation(...)")
