"""Designs over sparsity and clip level: how often networks lose their signal, and V'(q*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.contour import ContourSet
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from meanfield.design.sweeps import DesignMap
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import in_box, parameter_text, symbol
from meanfield.plot.page import Page, figure_of
from meanfield.quantities import QUANTITIES

__all__ = ["DesignPlane", "design"]

#: Bands of the escape probability, and those of their bounds that are drawn as lines.
_BANDS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
_SLOPES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)


def design(
    designs: DesignMap, ax: Axes | None = None, *, label: str = "", page: Page | None = None, **line: Any
) -> Axes:
    """A heat map of the escape probability of `meanfield.design_map`, with contours of V'(q*).

    Args:
        designs: the map.
        ax: where to draw; by default a new figure. The colour bar takes some of its room.
        label: what the activation is called, above a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's contours of V'(q*).
    """
    return draw(DesignPlane(designs, label), ax, page, **line)


@dataclass(frozen=True)
class DesignPlane(Drawing):
    """See `design`."""

    designs: DesignMap
    label: str = ""  # type: ignore[misc]
    aspect = 0.86

    def records(self) -> list[Record]:
        """A row for every design; empty where there is no edge."""
        d = self.designs
        return [
            {
                "sparsity": float(s),
                d.parameter: float(m),
                "V_prime": float(d.V_prime[i, j]),
                "escape_probability": float(d.escape_probability[i, j]),
            }
            for i, s in enumerate(d.sparsity)
            for j, m in enumerate(d.values)
        ]

    def notes(self) -> list[str]:
        """Where there is no edge of chaos."""
        gaps = int(np.isnan(self.designs.V_prime).sum())
        return (
            [f"{gaps} of {self.designs.V_prime.size} designs have no edge of chaos, a gap in the figure"]
            if gaps
            else []
        )

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        (ax,) = axes
        d = self.designs
        x, y = d.sparsity, d.values
        slope, escape = np.ma.masked_invalid(d.V_prime.T), np.ma.masked_invalid(np.clip(d.escape_probability.T, 0, 1))
        # Light enough that black lines and their numbers are read on every band.
        colours = ListedColormap(colormaps["Blues"](np.linspace(0.0, 0.6, len(_BANDS) - 1)))
        bands = ax.contourf(x, y, escape, levels=_BANDS, cmap=colours, norm=BoundaryNorm(_BANDS, colours.N), zorder=0)
        contours = ax.contour(
            x, y, slope, levels=_SLOPES, **{"colors": "black", "linewidths": 0.8, "linestyles": "-", **line}
        )
        risk = d.requirement.risk
        ax.contour(x, y, escape, levels=[risk, 0.5], colors="black", linewidths=1.6, linestyles=[(0, (3, 1.2))])
        ax.set_xlim(x[0], x[-1])
        ax.set_ylim(y[0], y[-1])
        ax.set_xlabel(symbol("sparsity"))
        ax.set_ylabel(parameter_text(d.parameter))
        bar = figure_of(ax).colorbar(bands, ax=ax, ticks=_BANDS, pad=0.02, aspect=18)
        bar.ax.set_yticklabels([f"{100 * band:g} %" for band in _BANDS])
        r = d.requirement
        n, depth = QUANTITIES["width"].mathematics, QUANTITIES["depth"].mathematics
        bar.set_label(f"escape probability, ${n} = {r.width}$, ${depth} = {r.depth}$")
        bar.outline.set_linewidth(0.8)
        if legend is not False:
            keys = [Line2D([], [], color="black", linewidth=0.8, linestyle="-", label=symbol("V_prime"))]
            reached = [p for p in (risk, 0.5) if escape.min() <= p <= escape.max()]
            if reached:
                shares = ", ".join(f"{100 * p:g} %" for p in reached)
                keys.append(
                    Line2D([], [], color="black", linewidth=1.6, linestyle=(0, (3, 1.2)), label=f"{shares} escape")
                )
            in_box(ax, keys)
            self._number(ax, contours)

    def _number(self, ax: Axes, contours: ContourSet) -> None:
        """Write V' on its contours, where one number does not run into another."""
        numbers = ax.clabel(contours, fmt="%g", fontsize=rcParams["font.size"], inline=True, inline_spacing=2)
        figure_of(ax).draw_without_rendering()
        kept: list[Bbox] = []
        for number in numbers or []:
            box = number.get_window_extent()
            if any(box.overlaps(other) for other in kept):
                number.set_visible(False)
            else:
                kept.append(box)
