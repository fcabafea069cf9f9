"""The correlation map: R(ρ) against ρ; or, near ρ = 1, what is left of 1 − ρ on log axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from meanfield.errors import DomainError, NoSignal
from meanfield.infinite_width.fixed_points import CorrelationFixedPoint, correlation_fixed_points
from meanfield.infinite_width.operating_point import OperatingPoint
from meanfield.plot.drawing import Drawing, Networks, Record, draw, named, require_range
from meanfield.plot.labels import GREY, curve_styles, fixed_point_keys, label_text, name_curves, point_style, symbol
from meanfield.plot.page import Page

__all__ = ["CorrelationMaps", "correlation"]

Array = NDArray[np.float64]

_POINTS = 401
#: From here to 1 the distance 1 − ρ is drawn near one.
_NEAREST = 1e-8
#: Dashes of |R − ρ|.
_GAINED = (0, (1.2, 1.2))
_SLOPE_NAMES = {0.5: "1/2", 1.0: "1", 1.5: "3/2"}


def correlation(
    networks: Networks,
    ax: Axes | None = None,
    *,
    rho: ArrayLike | None = None,
    q: float | None = None,
    near_one: bool = False,
    page: Page | None = None,
    **line: Any,
) -> Axes:
    """R(ρ) against ρ with the identity line and its fixed points, at q*.

    Args:
        networks: a `MeanField`, `EdgeOfChaos` or `OperatingPoint`, or several by the labels of their curves.
        ax: where to draw; by default a new figure.
        rho: correlations; by default from −1 to 1.
        q: the variance of the inputs; by default each network's q*.
        near_one: 1 − R, and |R − ρ|, against 1 − ρ on log axes instead, with lines of the slopes 1 and 3/2.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines.

    Raises:
        NoSignal: a network without q* > 0, and no `q` given.
        DomainError: a correlation outside [−1, 1], or fewer than two; near_one with `rho`.
    """
    given = None if rho is None else tuple(np.ravel(np.asarray(rho, dtype=float)))
    return draw(CorrelationMaps(named(networks), given, q, near_one), ax, page, **line)


@dataclass(frozen=True)
class CorrelationMaps(Drawing):
    """See `correlation`."""

    networks: dict[str, OperatingPoint]
    rho: tuple[float, ...] | None = None
    q: float | None = None
    near_one: bool = False

    def __post_init__(self) -> None:
        if self.near_one and self.rho is not None:
            raise DomainError("near one the distances 1 − ρ are chosen already: leave the correlations out")
        for label, point in self.networks.items():
            if self.q is None and point.q_star is None:
                raise NoSignal(f"{label or 'the network'} has no fixed point q* > 0 for R: give other sigma_w, sigma_b")
        if self.rho is not None:
            require_range(self.rho, "rho", "correlations")
        _ = self._curves, self._points

    def _at(self, point: OperatingPoint) -> float:
        q = point.q_star if self.q is None else self.q
        assert q is not None
        return q

    @cached_property
    def _range(self) -> Array:
        if self.near_one:
            return np.geomspace(_NEAREST, 1, _POINTS)
        return np.linspace(-1, 1, _POINTS) if self.rho is None else np.sort(np.array(self.rho))

    @cached_property
    def _curves(self) -> dict[str, Array]:
        curves = {}
        for label, point in self.networks.items():
            field, q = point.network, self._at(point)
            curves[label] = field.one_minus_R(self._range, q) if self.near_one else field.R(self._range, q)
        return curves

    @cached_property
    def _points(self) -> dict[str, list[CorrelationFixedPoint]]:
        return {
            label: [p for p in correlation_fixed_points(point.network, self._at(point)) if p.until == p.rho]
            for label, point in self.networks.items()
        }

    def records(self) -> list[Record]:
        """A row for every point of a curve, and one for every fixed point, whose `kind` is not empty."""
        x, y = ("one_minus_rho", "one_minus_R") if self.near_one else ("rho", "R")
        rows: list[Record] = []
        for label, values in self._curves.items():
            for a, b in zip(self._range, values, strict=True):
                row = {"curve": label, x: float(a), y: float(b)}
                rows.append({**row, "gained": abs(float(a - b))} if self.near_one else {**row, "kind": ""})
            if not self.near_one:
                rows += [{"curve": label, x: p.rho, y: p.rho, "kind": p.kind} for p in self._points[label]]
        return rows

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        (ax,) = axes
        if self.near_one:
            self._paint_near_one(ax, legend, line)
            return
        x = self._range
        low, high = float(x[0]), float(x[-1])
        ax.plot([low, high], [low, high], color=GREY, linestyle="-", linewidth=0.8, label="_identity", zorder=1)
        lines = []
        kinds = []
        for style, (label, values) in zip(curve_styles(len(self._curves)), self._curves.items(), strict=True):
            (curve,) = ax.plot(x, values, **{**style, "label": label_text(label) if label else "_R", **line})
            lines.append(curve)
            for point in self._points[label]:
                if low <= point.rho <= high:
                    kinds.append(point.kind)
                    ax.plot(point.rho, point.rho, **point_style(point.kind, curve.get_color()), label="_fixed point")
        ax.set_xlim(low, high)
        least = min(float(np.min(values)) for values in self._curves.values())
        ax.set_ylim(min(least, low) if least < 0 else min(0.0, least), max(1.0, high))
        ax.set_xlabel(symbol("rho"))
        ax.set_ylabel(symbol("R"))
        name_curves(ax, lines, fixed_point_keys(kinds), legend)

    def _paint_near_one(self, ax: Axes, legend: bool | None, line: dict[str, Any]) -> None:
        x = self._range
        lines = []
        for style, (label, values) in zip(curve_styles(len(self._curves)), self._curves.items(), strict=True):
            gained = np.abs(x - values)
            gained[gained < 1e-13 * x] = np.nan  # equal to rounding
            # Dashes tell what is drawn; whose it is, the colour.
            style["linestyle"] = "-"
            ax.loglog(x, gained, **{**style, "linestyle": _GAINED, "label": "_gained", **line})
            lines += ax.loglog(x, values, **{**style, "label": label_text(label) if label else "_left", **line})
        ax.set_xlim(x[0], x[-1])
        ends = np.concatenate([curve.get_ydata() for curve in ax.get_lines()]).astype(float)
        bottom, top = np.nanmin(ends[ends > 0]), float(np.nanmax(ends))
        ax.set_ylim(bottom / 3, max(top * 3, 3))
        self._guides(ax)
        size = ax.xaxis.label.get_fontsize()
        ax.tick_params(labelsize=size)
        ax.set_xlabel(r"$1 - \rho$")
        ax.set_ylabel(r"$1 - R$,  $|R - \rho|$")
        keys = [
            Line2D([], [], color="0.2", linestyle="-", label=r"$1 - R$"),
            Line2D([], [], color="0.2", linestyle=_GAINED, label=r"$|R - \rho|$"),
        ]
        name_curves(ax, lines, keys, legend)

    def _guides(self, ax: Axes) -> None:
        """A line of the slope that the first curve has near one, and one of that of what it gains, if another."""
        x, values = self._range, next(iter(self._curves.values()))
        middle = x[(x > 1e-6) & (x < 1e-3)]
        powers: list[float] = []
        for y, shift in ((values, 4.0), (np.abs(x - values), 0.25)):
            at = np.interp(middle, x, y)
            if not (at > 0).all():
                continue
            # Slopes near one are multiples of a half.
            power = round(2 * float(np.log(at[-1] / at[0]) / np.log(middle[-1] / middle[0]))) / 2
            if power in powers:
                continue
            powers.append(power)
            reference = shift * at[len(at) // 2] * (middle / middle[len(at) // 2]) ** power
            ax.loglog(middle, reference, color=GREY, linewidth=0.8, linestyle="-", label="_slope")
            above = shift > 1
            ax.annotate(
                f"slope {_SLOPE_NAMES.get(power, f'{power:g}')}",
                (middle[len(middle) // 2], reference[len(middle) // 2]),
                (-4, 3) if above else (4, -4),
                textcoords="offset points",
                ha="right" if above else "left",
                va="bottom" if above else "top",
                color="0.35",
            )
