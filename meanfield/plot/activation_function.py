"""The activation, and below it the density of the pre-activations that it meets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.domain import require_signal
from meanfield.infinite_width.moments import sparsity
from meanfield.plot.drawing import Drawing, Record, draw, labelled
from meanfield.plot.labels import GREY, curve_styles, label_text, name_curves, symbol
from meanfield.plot.page import Page
from meanfield.quantities import FORMULAS

__all__ = ["ActivationFunction", "activation"]

Array = NDArray[np.float64]

_ZERO, _ACTIVE = "#d9d9d9", "#9bbbd9"
#: Standard deviations of a pre-activation shown, and points of the density.
_REACH, _POINTS = 3.5, 701


def activation(
    activations: Activation | Mapping[str, Activation],
    ax: Sequence[Axes] | None = None,
    *,
    q: float = 1.0,
    page: Page | None = None,
    **line: Any,
) -> tuple[Axes, ...]:
    """φ above the density of a pre-activation of variance q, the part that φ makes 0 in another shade.

    Args:
        activations: φ, or several by the labels of their curves; the shading is that of the first.
        ax: two Axes; by default those of a new figure.
        q: the variance.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines.

    Raises:
        DomainError: `q` is not a finite number > 0, or no activation is given.
    """
    several = labelled(activations, Activation, "φ needs activations: give one, such as mf.activation('relu')")
    return draw(ActivationFunction(several, q), ax, page, **line)


@dataclass(frozen=True)
class ActivationFunction(Drawing):
    """See `activation`."""

    activations: dict[str, Activation]
    q: float = 1.0
    panels = 2
    aspect = 0.95

    def __post_init__(self) -> None:
        require_signal(self.q, "q")
        _ = self._density, self._share

    def arrange(self, figure: Figure) -> list[Axes]:
        """The density is lower than φ."""
        return list(figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1)))

    @cached_property
    def _ends(self) -> tuple[float, float]:
        reach = _REACH * math.sqrt(self.q)
        near = [t for t in self._breaks if abs(t) < 3 * reach]
        return min([-reach, *(1.15 * t for t in near)]), max([reach, *(1.15 * t for t in near)])

    @property
    def _breaks(self) -> list[float]:
        return [t for phi in self.activations.values() for t in phi.breaks]

    @cached_property
    def _density(self) -> tuple[Array, Array]:
        x = np.linspace(*self._ends, _POINTS)
        inside = [t for t in self._breaks if self._ends[0] < t < self._ends[1]]
        x = np.unique(np.concatenate([x, inside]))
        return x, np.exp(-(x**2) / (2 * self.q)) / math.sqrt(2 * math.pi * self.q)

    @cached_property
    def _share(self) -> float:
        """P(φ = 0) of the first."""
        return sparsity(next(iter(self.activations.values())), self.q)

    def records(self) -> list[Record]:
        """The ends of φ's pieces, and the density; what a row is of stands under `series`."""
        rows: list[Record] = [
            {"series": label or "phi", "x": float(a), "y": float(b)}
            for label, phi in self.activations.items()
            for x, y in phi.graph(*self._ends)
            for a, b in zip(x, y, strict=True)
        ]
        return rows + [{"series": "density", "x": float(a), "y": float(b)} for a, b in zip(*self._density, strict=True)]

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        upper, lower = axes
        upper.axhline(0, color=GREY, linewidth=0.8, zorder=1, label="_zero")
        lines = []
        for style, (label, phi) in zip(curve_styles(len(self.activations)), self.activations.items(), strict=True):
            pieces = phi.graph(*self._ends)
            x = np.concatenate([part for piece, _ in pieces for part in (piece, [np.nan])])
            y = np.concatenate([part for _, piece in pieces for part in (piece, [np.nan])])
            if phi.is_continuous:
                known = np.isfinite(x)
                x, y = x[known], y[known]
            lines += upper.plot(
                x, y, **{**style, "linewidth": 1.6, "label": label_text(label) if label else "_phi", **line}
            )
        self._paint_density(lower, legend)
        upper.set_xlim(*self._ends)
        upper.set_ylabel(symbol("formula"))
        lower.set_xlabel(r"$x$")
        lower.set_ylabel("density")
        upper.label_outer()
        name_curves(upper, lines, [], legend)

    def _paint_density(self, ax: Axes, legend: bool | None) -> None:
        x, density = self._density
        phi = next(iter(self.activations.values()))
        middle = (x[1:] + x[:-1]) / 2
        zero = phi(middle) == 0
        for part, colour in ((zero, _ZERO), (~zero, _ACTIVE)):
            inside = np.append(part, False) | np.insert(part, 0, False)
            ax.fill_between(x, density, where=inside.tolist(), color=colour, linewidth=0, zorder=0)
        ax.plot(x, density, color="black", linestyle="-", linewidth=0.8, label="_density")
        ax.set_ylim(0, 1.15 * float(density.max()))
        if legend is not False and self._share:
            share = f"${FORMULAS['sparsity'].called.mathematics} = {self._share:.3g}$"
            ax.text(0.01, 0.96, share, transform=ax.transAxes, ha="left", va="top")
