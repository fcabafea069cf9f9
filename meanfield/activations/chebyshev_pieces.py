"""An analytic function known by its values: Chebyshev polynomials on panels, with the derivatives of those.

A panel's polynomial interpolates on an interval that is wider than the panel where there is room, since derivatives of
an interpolant are worst at its ends. The panel at 0 may hold xᵐ times a polynomial, whose values keep their digits
however small x is. docs/theory.md, section 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any, Self

import numpy as np
from numpy.polynomial.chebyshev import chebder
from numpy.typing import NDArray

from meanfield.activations.primitives import Derivatives, Jet
from meanfield.activations.trees import Call, Power, Product, Quotient, Sum, Tree, leibniz
from meanfield.errors import ActivationError

__all__ = ["Chebyshev", "Panel", "seams"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """x^power Σ cₖ Tₖ(t), t from −1 to 1 as x goes from `start` to `end`.

    The sum is known to a few units in the last place of `size`.
    """

    start: float
    end: float
    coefficients: tuple[float, ...]
    size: float
    power: int = 0


@dataclass(frozen=True)
class Chebyshev(Tree):
    """A function on panels.

    Args:
        edges: where the panels meet, one number more than there are panels, ascending.
        panels: left to right.
        left, right: the coefficients, that of 1 first, of polynomials that continue it beyond the outer edges.

    Raises:
        ActivationError: numbers of edges and panels that do not fit, or edges that are not ascending.
    """

    edges: tuple[float, ...]
    panels: tuple[Panel, ...]
    left: tuple[float, ...]
    right: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.panels) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise ActivationError(f"{len(self.panels)} panels lie between {len(self.panels) + 1} ascending edges")

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.edges, self.panels, self.left, self.right))

    @cached_property
    def _rows(self) -> tuple[Array, Array, Array]:
        """Coefficients of the panels and of their first two derivatives, shape (degree + 1, panels)."""
        several = np.array(list(zip_longest(*(p.coefficients for p in self.panels), fillvalue=0.0)))
        per_x = 2 / np.array([p.end - p.start for p in self.panels])
        first = chebder(several) * per_x
        return several, first, chebder(first) * per_x

    @cached_property
    def _frames(self) -> tuple[Array, Array, NDArray[np.int64]]:
        middles = np.array([(p.start + p.end) / 2 for p in self.panels])
        return middles, np.array([(p.end - p.start) / 2 for p in self.panels]), np.array([p.power for p in self.panels])

    @property
    def centres(self) -> tuple[float, ...]:
        """The middles of the panels that are narrowest among their neighbours."""
        width = np.diff(self.edges)
        beside = np.concatenate([[np.inf], width, [np.inf]])
        narrowest = (width <= beside[:-2]) & (width <= beside[2:])
        return tuple(self._frames[0][narrowest].tolist())

    def derivatives(self, x: Array) -> Derivatives:
        panel, t, powers = self._placed(x)
        inside: Derivatives = (_clenshaw(rows, panel, t) for rows in self._rows)
        if powers.any():
            inside = leibniz((_monomial(x, powers, order) for order in range(3)), inside)
        sides = [(beyond, _polynomial(coefficients, x[beyond])) for beyond, coefficients in self._beyond(x)]
        for order, g in enumerate(inside):
            for beyond, continued in sides:
                g[beyond] = continued[order]
            yield g

    def _placed(self, x: Array) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
        """The panel of each x, where on it from −1 to 1, and the power of x that its polynomial is multiplied by."""
        panel = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.panels) - 1)
        middles, halves, powers = self._frames
        t = (np.clip(x, self.edges[0], self.edges[-1]) - middles[panel]) / halves[panel]
        return panel, t, powers[panel]

    def _beyond(self, x: Array) -> list[tuple[NDArray[np.bool_], tuple[float, ...]]]:
        """Which x lie beyond an outer edge, and the polynomial there."""
        sides = ((x < self.edges[0], self.left), (x > self.edges[-1], self.right))
        return [(beyond, coefficients) for beyond, coefficients in sides if beyond.any()]

    def size(self, x: Array) -> Array:
        """How large what is added up in it is at x: its rounding is a few units in the last place of that."""
        panel, _, powers = self._placed(x)
        sizes = np.array([p.size for p in self.panels])
        size: Array = np.maximum(sizes[panel] * np.abs(x) ** powers, np.abs(self.values(x)))
        return size

    def __str__(self) -> str:
        return f"values on {len(self.panels)} panels in [{self.edges[0]:.4g}, {self.edges[-1]:.4g}]"

    def as_record(self) -> dict[str, Any]:
        """What it is made of, as JSON knows it."""
        return {
            "edges": list(self.edges),
            "panels": [
                {"interval": [p.start, p.end], "coefficients": list(p.coefficients), "size": p.size, "power": p.power}
                for p in self.panels
            ],
            "left": list(self.left),
            "right": list(self.right),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The function of which `as_record` made that.

        Raises:
            LookupError, TypeError or ValueError: none has such a record.
        """
        panels = []
        for panel in record["panels"]:
            start, end = _numbers(panel["interval"], 2)
            coefficients = _numbers(panel["coefficients"])
            panels.append(Panel(start, end, coefficients, float(panel["size"]), int(panel["power"])))
        left, right = (_numbers(record[side]) for side in ("left", "right"))
        return cls(_numbers(record["edges"], len(panels) + 1), tuple(panels), left, right)


def _numbers(values: Iterable[Any], count: int = 0) -> tuple[float, ...]:
    """Numbers, so many of them if a count is given, else one or more."""
    found = tuple(float(value) for value in values)
    if len(found) != count if count else not found:
        raise ValueError
    return found


def seams(tree: Tree) -> tuple[float, ...]:
    """Where panels of a function known by its values meet.

    Off the panels that are finest it may be 0 to the last bit: what integrates it has to look at each.
    """
    match tree:
        case Chebyshev(edges=edges):
            return edges
        case Sum(parts=parts) | Product(parts=parts):
            return tuple(t for part in parts for t in seams(part))
        case Quotient(over=over, under=under):
            return seams(over) + seams(under)
        case Power(base=inner) | Call(argument=inner):
            return seams(inner)
    return ()


def _clenshaw(rows: Array, panel: NDArray[np.int64], t: Array) -> Array:
    """Σ cₖ Tₖ(t) of the panel that each t lies on."""
    last, before = np.zeros_like(t), np.zeros_like(t)
    for row in rows[:0:-1]:
        last, before = row[panel] + 2 * t * last - before, last
    value: Array = rows[0][panel] + t * last - before
    return value


def _monomial(x: Array, powers: NDArray[np.int64], order: int) -> Array:
    """A derivative of xᵐ."""
    factor = np.ones_like(x)
    for k in range(order):
        factor = factor * (powers - k)
    value: Array = factor * x ** np.maximum(powers - order, 0)
    return value


def _polynomial(coefficients: Sequence[float], x: Array) -> Jet:
    f, d1, d2 = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for c in coefficients[::-1]:
        f, d1, d2 = f * x + c, d1 * x + f, d2 * x + 2 * d1
    return f, d1, d2
