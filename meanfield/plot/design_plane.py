"""Designs over sparsity and clip level: how often networks lose their signal and their gradient, and V'(q*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.lines import Line2D

from meanfield.design.sweeps import DesignMap
from meanfield.infinite_width.edge import gain_in_words
from meanfield.plot.contours import deviates, number_contours, percent
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import in_box, name_panel, parameter_text, symbol
from meanfield.plot.page import Page, figure_of
from meanfield.quantities import QUANTITIES

__all__ = ["DesignPlane", "design"]

#: Bands of a share, and the slopes that are drawn as lines.
_BANDS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
_SLOPES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
#: The line within which designs are recommended.
_SAFE: dict[str, Any] = {"linewidth": 1.6, "linestyle": (0, (3, 1.2))}


def design(
    designs: DesignMap, ax: Sequence[Axes] | None = None, *, label: str = "", page: Page | None = None, **line: Any
) -> tuple[Axes, ...]:
    """Heat maps of `meanfield.design_map`: the share of networks that lose their signal, and below their gradient.

    On both lie contours of V'(q*), and the line within which designs are recommended: no more than half of the risk is
    lost, of one or the other.

    Args:
        designs: the map.
        ax: two Axes; by default those of a new figure. The colour bar takes some of their room.
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
    panels = 2
    aspect = 1.5

    def records(self) -> list[Record]:
        """A row for every design; empty where there is no edge."""
        return self.designs.records()

    def notes(self) -> list[str]:
        """Where there is no edge of chaos, or no network of the gain asked for."""
        d = self.designs
        gaps = int(np.isnan(d.V_prime).sum())
        return (
            [f"{gaps} of {d.V_prime.size} designs do not exist {gain_in_words(d.chi_1)}, a gap in the figure"]
            if gaps
            else []
        )

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        d, r = self.designs, self.designs.requirement.careful
        # Light enough that black lines and their numbers are read on every band.
        colours = ListedColormap(colormaps["Blues"](np.linspace(0.0, 0.6, len(_BANDS) - 1)))
        levels = deviates(_BANDS)
        place = d.sparsity, d.values
        style = {"colors": "black", "linewidths": 0.8, "linestyles": "-", **line}
        safe = {"colors": "black", **{f"{key}s": value for key, value in _SAFE.items()}}
        safe["linestyles"] = [_SAFE["linestyle"]]
        slopes = []
        for ax, share in zip(axes, (d.signal, d.gradient), strict=True):
            norm = BoundaryNorm(levels, colours.N)
            bands = ax.contourf(*place, deviates(share.T), levels=levels, cmap=colours, norm=norm, zorder=0)
            slopes.append(ax.contour(*place, np.ma.masked_invalid(d.V_prime.T), levels=_SLOPES, **style))
            ax.contour(*place, deviates(d.either.T), levels=deviates([r.risk]), **safe)
            ax.set_xlim(d.sparsity[0], d.sparsity[-1])
            ax.set_ylim(d.values[0], d.values[-1])
            ax.set_ylabel(parameter_text(d.parameter))
        axes[-1].set_xlabel(symbol("sparsity"))
        bar = figure_of(axes[0]).colorbar(bands, ax=list(axes), ticks=levels, pad=0.02, aspect=36)
        bar.ax.set_yticklabels([percent(band) for band in _BANDS])
        n, depth = QUANTITIES["width"].mathematics, QUANTITIES["depth"].mathematics
        bar.set_label(f"share of networks, ${n} = {r.width}$, ${depth} = {r.depth}$")
        bar.outline.set_linewidth(0.8)
        if legend is not False:
            keys = [Line2D([], [], color="black", linewidth=0.8, linestyle="-", label=symbol("V_prime"))]
            if np.nanmin(d.either) <= r.risk <= np.nanmax(d.either):
                keys.append(Line2D([], [], color="black", **_SAFE, label=f"at most {percent(r.risk)} lose either"))
            in_box(axes[0], keys)
            for ax, key, contours in zip(axes, ("signal_lost", "gradient_lost"), slopes, strict=True):
                name_panel(ax, symbol(key))
                number_contours(ax, contours)
