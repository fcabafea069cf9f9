"""How deep networks can be trained: the largest safe depth over sparsity and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from meanfield.design.trainable import TrainableDepths
from meanfield.errors import DomainError
from meanfield.infinite_width.edge import gain_in_words
from meanfield.plot.contours import number_contours, percent
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import symbol
from meanfield.plot.page import Page, figure_of

__all__ = ["TrainablePlane", "trainable"]

Array = NDArray[np.float64]

#: Depths at which bands end, as far as they are less than the largest looked at.
_BANDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
#: Widths between the least and the largest, evenly in ln N, that depths are interpolated at.
_FINE = 200


def trainable(
    depths: TrainableDepths, ax: Axes | None = None, *, label: str = "", page: Page | None = None, **line: Any
) -> Axes:
    """Bands and contours of `meanfield.trainable_depths` over sparsity and width, this on a log axis.

    Args:
        depths: the depths.
        ax: where to draw; by default a new figure. The colour bar takes some of its room.
        label: what the activation is called, above a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's contours.

    Raises:
        DomainError: fewer than two sparsities or widths.
    """
    return draw(TrainablePlane(depths, label), ax, page, **line)


@dataclass(frozen=True)
class TrainablePlane(Drawing):
    """See `trainable`."""

    depths: TrainableDepths
    label: str = ""  # type: ignore[misc]
    aspect = 0.86

    def __post_init__(self) -> None:
        for name in ("sparsity", "width"):
            if len(getattr(self.depths, name)) < 2:
                raise DomainError(f"one {name} makes no axis: give two or more values")
        if self.depths.requirement.depth == 1:
            raise DomainError("depth = 1 makes no bands of depths: look up to 2 layers or more")

    def records(self) -> list[Record]:
        """A row for every sparsity and width; empty where there is no edge."""
        return self.depths.records()

    def notes(self) -> list[str]:
        """Where the depth is not known, or nothing is safe."""
        d, most = self.depths, self.depths.requirement.depth
        gaps, deeper, none = np.isnan(d.depth).sum(), d.is_deeper.sum(), (d.depth == 0).sum()
        told = {
            f"do not exist {gain_in_words(d.chi_1)}, or not with the sparsity, a gap in the figure": gaps,
            f"are safe in all {most} layers looked at, and may be in more": deeper,
            "are safe in no layer": none,
        }
        return [f"{count} of {d.depth.size} designs {what}" for what, count in told.items() if count]

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        (ax,) = axes
        d, most = self.depths, self.depths.requirement.depth
        bands = [*(band for band in _BANDS if band < most), most]
        levels = np.log(bands)
        width, depth = self._between()
        shades = colormaps["Blues"](np.linspace(0.0, 0.65, len(bands) + 1))
        filled = ax.contourf(d.sparsity, width, depth, levels=levels, colors=shades, extend="both", zorder=0)
        style = {"colors": "black", "linewidths": 0.8, "linestyles": "-", **line}
        crossed = levels[(depth.min() < levels) & (levels < depth.max())]
        contours = ax.contour(d.sparsity, width, depth, levels=crossed, **style) if crossed.size else None
        ax.set_xlim(d.sparsity[0], d.sparsity[-1])
        ax.set_yscale("log")
        ax.set_ylim(d.width[0], d.width[-1])
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda units, _: f"{units:g}"))
        ax.set_xlabel(symbol("sparsity"))
        ax.set_ylabel(symbol("width"))
        bar = figure_of(ax).colorbar(filled, ax=ax, ticks=levels, pad=0.02, aspect=18)
        bar.ax.set_yticklabels([*map(str, bands[:-1]), rf"$\geq {most}$"])
        bar.set_label(f"largest depth at which {percent(d.requirement.careful.risk)} are lost")
        bar.outline.set_linewidth(0.8)
        if legend is not False and contours:
            number_contours(ax, contours, dict(zip(levels.tolist(), map(str, bands), strict=True)))

    def _between(self) -> tuple[Array, Array]:
        """Widths, and ln L at each of them by sparsity, along ln N; beyond the cap as far as the law tells."""
        # A signal gets lost between the last safe layer and the next: no depth lies on the border of two bands.
        known, depth = np.log(self.depths.width), np.log(self.depths.expected + 0.5)
        fine = np.union1d(known, np.linspace(known[0], known[-1], _FINE))
        rows = [np.interp(fine, known, row) for row in depth]
        return np.exp(fine), np.ma.masked_invalid(np.transpose(rows))
