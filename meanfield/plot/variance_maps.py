"""The variance map: V(q) against q with the identity line, and its fixed points by kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from meanfield.domain import variances
from meanfield.infinite_width.fixed_points import FixedPoint
from meanfield.infinite_width.operating_point import OperatingPoint
from meanfield.plot.drawing import Drawing, Networks, Record, draw, named, require_range
from meanfield.plot.labels import GREY, curve_styles, fixed_point_keys, label_text, name_curves, point_style, symbol
from meanfield.plot.page import Page

__all__ = ["VarianceMaps", "variance"]

Array = NDArray[np.float64]

#: Points of a curve, and how far past the last fixed point it goes.
_POINTS, _BEYOND = 401, 1.6
#: The inset shows V(q) − q from q*/f to f q*.
_INSET = 1.6
#: V(q) − q below this share of q is rounding.
_GROWTH_ROUNDING = 1e-13
#: A fixed point on top of others is drawn this much larger than the one before.
_RING = 0.4


def variance(
    networks: Networks,
    ax: Axes | None = None,
    *,
    q: ArrayLike | None = None,
    inset: bool = False,
    page: Page | None = None,
    **line: Any,
) -> Axes:
    """V(q) against q, fixed points filled (stable), open (unstable) or half-filled (half-stable).

    Args:
        networks: a `MeanField`, `EdgeOfChaos` or `OperatingPoint`, or several by the labels of their curves.
        ax: where to draw; by default a new figure.
        q: variances at which V is drawn; by default from 0 to past the last fixed point.
        inset: add V(q) − q around q*.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines.

    Raises:
        DomainError: a q that is negative or not finite, or fewer than two.
    """
    drawing = VarianceMaps(named(networks), None if q is None else tuple(np.ravel(np.asarray(q, dtype=float))), inset)
    return draw(drawing, ax, page, **line)


@dataclass(frozen=True)
class VarianceMaps(Drawing):
    """See `variance`."""

    networks: dict[str, OperatingPoint]
    q: tuple[float, ...] | None = None
    inset: bool = False

    def __post_init__(self) -> None:
        _ = self._curves, self._growth

    @cached_property
    def _points(self) -> dict[str, list[FixedPoint]]:
        return {label: [p for p in point.fixed_points if p.until == p.q] for label, point in self.networks.items()}

    @cached_property
    def _range(self) -> Array:
        if self.q is not None:
            require_range(self.q, "q", "variances")
            return np.unique(variances(np.array(self.q)))
        last = max((p.q for points in self._points.values() for p in points), default=0.0)
        lengths = [length for point in self.networks.values() for length in point.network.activation.scales]
        return np.linspace(0, _BEYOND * max(last, *self._stars, 0.0) or max(*(t * t for t in lengths), 1.0), _POINTS)

    @property
    def _stars(self) -> list[float]:
        """The q* > 0 that there are."""
        return [q for point in self.networks.values() if (q := point.q_star)]

    @cached_property
    def _curves(self) -> dict[str, Array]:
        return {label: point.network.V(self._range) for label, point in self.networks.items()}

    @cached_property
    def _growth(self) -> tuple[Array, list[Array]]:
        """V(q) − q of each network around q*, for the inset; empty where none is drawn."""
        if not (self.inset and self._stars):
            return np.empty(0), []
        x = np.linspace(min(self._stars) / _INSET, max(self._stars) * _INSET, _POINTS)
        growths = [point.network.V(x) - x for point in self.networks.values()]
        return x, [np.where(np.abs(growth) < _GROWTH_ROUNDING * x, 0.0, growth) for growth in growths]

    def records(self) -> list[Record]:
        """A row for every point of a curve, and one for every fixed point, whose `kind` is not empty."""
        rows: list[Record] = []
        for label, values in self._curves.items():
            rows += [
                {"curve": label, "q": float(x), "V": float(y), "kind": ""}
                for x, y in zip(self._range, values, strict=True)
            ]
            rows += [{"curve": label, "q": p.q, "V": p.q, "kind": p.kind} for p in self._points[label]]
        return rows

    def notes(self) -> list[str]:
        """Networks whose fixed points are no points."""
        return [
            f"{label + ': ' if label else ''}V(q) = q for every q from {p.q:g}, fixed points that no marker shows"
            for label, point in self.networks.items()
            for p in point.fixed_points
            if p.until > p.q
        ]

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        (ax,) = axes
        x = self._range
        low, high = float(x[0]), float(x[-1])
        ax.plot([low, high], [low, high], color=GREY, linestyle="-", linewidth=0.8, label="_identity", zorder=1)
        lines = []
        styles = curve_styles(len(self._curves))
        shown: list[str] = []
        for style, (label, values) in zip(styles, self._curves.items(), strict=True):
            lines += ax.plot(x, values, **{**style, "label": label_text(label) if label else "_V", **line})
        marked: list[tuple[str, float]] = []
        for curve, label in reversed(list(zip(lines, self._curves, strict=True))):
            for point in self._points[label]:
                here = [kind for kind, q in marked if math.isclose(point.q, q, rel_tol=0.02)]
                # One of a kind is enough at one place.
                if low <= point.q <= high and point.kind not in here:
                    shown.append(point.kind)
                    self._mark(ax, curve, point, len(here))
                    marked.append((point.kind, point.q))
        top = max(float(np.max(values)) for values in self._curves.values())
        ax.set_xlim(low, high)
        ax.set_ylim(min(0.0, low), max(high, min(1.04 * top, 1.4 * high)))
        ax.set_xlabel(symbol("q"))
        ax.set_ylabel(symbol("V"))
        if self._growth[1]:
            self._inset(ax, styles)
        name_curves(ax, lines, fixed_point_keys(shown), legend)

    def _mark(self, ax: Axes, curve: Line2D, point: FixedPoint, below: int) -> None:
        style = point_style(point.kind, curve.get_color())
        size = float(curve.get_markersize())
        # Those at one place are rings around one another, the first curve's on top.
        scale = 1 + _RING * below
        ax.plot(
            point.q, point.q, **{**style, "zorder": 4 - 0.01 * below}, markersize=size * scale, label="_fixed point"
        )

    def _inset(self, ax: Axes, styles: Sequence[dict[str, Any]]) -> None:
        x, growths = self._growth
        panel = ax.inset_axes(self._corner(ax))
        panel.axhline(0, color=GREY, linewidth=0.8)
        for style, growth in zip(styles, growths, strict=True):
            panel.plot(x, growth, **style)
        panel.set_xlim(x[0], x[-1])
        panel.locator_params(nbins=3)
        small = 7 / 8 * rcParams["xtick.labelsize"]
        panel.tick_params(labelsize=small, pad=2)
        panel.set_title(r"$V(q) - q$", fontsize=7 / 8 * rcParams["axes.labelsize"], pad=2)

    def _corner(self, ax: Axes) -> tuple[float, float, float, float]:
        """Upper left or lower right, whichever the curves leave emptier."""
        places = [(0.12, 0.62, 0.34, 0.27), (0.62, 0.14, 0.35, 0.27)]
        (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()

        def crowd(place: tuple[float, float, float, float]) -> int:
            left, bottom, width, height = place
            x = (self._range - x0) / (x1 - x0)
            return sum(
                int(((x > left) & (x < left + width) & (y > bottom) & (y < bottom + height)).sum())
                for y in ((values - y0) / (y1 - y0) for values in self._curves.values())
            )

        return min(places, key=crowd)
