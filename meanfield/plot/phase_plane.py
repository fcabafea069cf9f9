"""The plane of initialisations: ordered and chaotic phases, and the edge of chaos between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import require_scales
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.criteria import MARGIN, words
from meanfield.infinite_width.edge import EdgeCurve, edge_curve, edge_of_chaos
from meanfield.infinite_width.phase_diagram import PhaseDiagram, phase_diagram
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import in_box, symbol
from meanfield.plot.page import Page

__all__ = ["PhasePlane", "phase"]

Array = NDArray[np.float64]

#: Networks along either axis, and points of the edge for q* from 1/f² to f² of the one marked.
_CELLS, _EDGE_POINTS, _FURTHEST = 65, 2001, 100.0
_ORDERED, _CHAOTIC = "#bfd4e8", "#fdf0da"
#: How each part of the edge is drawn.
_PARTS: dict[str, dict[str, Any]] = {
    "stable": {"linewidth_factor": 1.6, "linestyle": "-"},
    "neutral": {"linewidth_factor": 1.0, "linestyle": (0, (5, 1.5, 1, 1.5))},
    "unstable": {"linewidth_factor": 1.0, "linestyle": (0, (2.5, 1.2))},
}


def phase(
    activation: PiecewiseLinear,
    ax: Axes | None = None,
    *,
    point: tuple[float, float] | None = None,
    q_star: float = 1.0,
    sigma_w: tuple[float, float] | None = None,
    sigma_b: tuple[float, float] | None = None,
    page: Page | None = None,
    **line: Any,
) -> Axes:
    """Ordered and chaotic initialisations (σ_w, σ_b), and the edge of chaos, its stable part set off.

    Args:
        activation: φ.
        ax: where to draw; by default a new figure.
        point: the initialisation (σ_w, σ_b) to mark; by default the edge of chaos at `q_star`.
        q_star: the variance from which the signal in each network is followed, and q* of the default point.
        sigma_w, sigma_b: the ends of the axes; by default around the point.
        page: size and style of a new figure.
        line: passed on to matplotlib for the edge.

    Raises:
        NoEdgeOfChaos: φ has no edge at `q_star`, and no `point` or ends are given.
        DomainError: a scale out of range.
    """
    return draw(PhasePlane(activation, point, q_star, sigma_w, sigma_b), ax, page, **line)


@dataclass(frozen=True)
class PhasePlane(Drawing):
    """See `phase`."""

    activation: PiecewiseLinear
    point: tuple[float, float] | None = None
    q_star: float = 1.0
    sigma_w: tuple[float, float] | None = None
    sigma_b: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.point is not None:
            require_scales(*self.point)
        for name, ends in (("sigma_w", self.sigma_w), ("sigma_b", self.sigma_b)):
            if ends is not None and not (0 <= ends[0] < ends[1] < math.inf):
                raise DomainError(
                    f"{name} from {ends[0]:g} to {ends[1]:g} is no range: give two ends, 0 or more, ascending"
                )
        _ = self._diagram, self._words

    @cached_property
    def _marked(self) -> tuple[float, float] | None:
        if self.point is not None:
            return self.point
        try:
            edge = edge_of_chaos(self.activation, self.q_star)
        except NoEdgeOfChaos:
            if self.sigma_w is None or self.sigma_b is None:
                raise
            return None
        return edge.sigma_w, edge.sigma_b

    @cached_property
    def _ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        w, b = self._marked or (1.0, 0.5)
        return (
            self.sigma_w or (0.25 * w, 2.0 * w),
            self.sigma_b or (0.0, 2.2 * b if b else 0.8 * math.sqrt(self.q_star)),
        )

    @property
    def _shows_mark(self) -> bool:
        return bool(self._marked) and all(a <= x <= b for x, (a, b) in zip(self._marked or (), self._ends, strict=True))

    @cached_property
    def _edge(self) -> EdgeCurve | None:
        q = np.geomspace(self.q_star / _FURTHEST**2, self.q_star * _FURTHEST**2, _EDGE_POINTS)
        try:
            return edge_curve(self.activation, q)
        except NoEdgeOfChaos:
            return None

    @cached_property
    def _diagram(self) -> PhaseDiagram:
        (w0, w1), (b0, b1) = self._ends
        w = np.linspace(w0, w1, _CELLS)
        # A network needs weights.
        w[0] = max(w[0], 1e-3 * w1)
        return phase_diagram(self.activation, w.tolist(), np.linspace(b0, b1, _CELLS).tolist(), self.q_star)

    @cached_property
    def _words(self) -> NDArray[np.str_]:
        e = self._edge
        return np.empty(0, str) if e is None else words(e.V_prime, e.q_star * e.V_double_prime)

    def records(self) -> list[Record]:
        """The networks of the plane, with χ₁ and phase; the points of the edge, with q* and its stability; the mark."""
        d, e = self._diagram, self._edge
        keys = ("series", "sigma_w", "sigma_b", "q_star", "chi_1", "V_prime", "word")
        rows: list[tuple[Any, ...]] = [
            ("plane", float(w), float(b), float(d.q_star[i, j]), float(d.chi_1[i, j]), None, str(d.phase[i, j]))
            for i, b in enumerate(d.sigma_b)
            for j, w in enumerate(d.sigma_w)
        ]
        if e is not None:
            points = zip(*(x.tolist() for x in (e.sigma_w, e.sigma_b, e.q_star, e.V_prime, self._words)), strict=True)
            rows += [("edge", w, b, q, 1.0, slope, word) for w, b, q, slope, word in points if word]
        if self._marked:
            rows.append(("point", *self._marked, None, None, None, ""))
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def notes(self) -> list[str]:
        """What is missing."""
        if not self._words.any():
            return ["the activation has no edge of chaos"]
        if self._marked and not self._shows_mark:
            return ["the initialisation ({:.4g}, {:.4g}) lies outside the axes".format(*self._marked)]
        return []

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        (ax,) = axes
        d = self._diagram
        gain = np.clip(np.nan_to_num(d.chi_1, nan=1e6), 0, 1e6)
        ax.contourf(d.sigma_w, d.sigma_b, gain, levels=[-1, 1, 2e6], colors=[_ORDERED, _CHAOTIC], zorder=0)
        (w0, w1), (b0, b1) = self._ends
        lines = self._paint_edge(ax, line)
        if self._marked and self._shows_mark:
            ax.plot(
                *self._marked,
                marker="*",
                markersize=9,
                color="black",
                markeredgecolor="white",
                linestyle="none",
                zorder=5,
                clip_on=False,
                label="_point",
            )
            lines.append(
                Line2D([], [], marker="*", markersize=9, color="black", linestyle="none", label="initialisation")
            )
        ax.set_xlim(w0, w1)
        ax.set_ylim(b0, b1)
        ax.set_xlabel(symbol("sigma_w"))
        ax.set_ylabel(symbol("sigma_b"))
        if legend is not False:
            if lines:
                in_box(ax, lines)
            self._name_phases(ax, gain)

    def _paint_edge(self, ax: Axes, line: dict[str, Any]) -> list[Line2D]:
        e = self._edge
        if e is None or not self._words.any():
            return []
        w, b = e.sigma_w, e.sigma_b
        (w0, w1), (b0, b1) = self._ends
        if self.activation.is_homogeneous:
            # The edge is one point, at every q*; between the phases lies the line of its σ_w.
            return []
        keys = {}
        change = [0, *(np.flatnonzero(self._words[1:] != self._words[:-1]) + 1), len(self._words)]
        for first, last in pairwise(change):
            word = str(self._words[first])
            x, y = (w[first:last] - w0) / (w1 - w0), (b[first:last] - b0) / (b1 - b0)
            seen = (x > 0.01) & (x < 0.99) & (y > 0.01) & (y < 0.99)
            if not word or not seen.any():
                continue
            part = dict(_PARTS[word])
            factor = part.pop("linewidth_factor")
            end = min(last + 1, len(w))
            (drawn,) = ax.plot(
                w[first:end], b[first:end], **{"color": "black", **part, "zorder": 3, "label": f"_{word}", **line}
            )
            if "linewidth" not in line:
                drawn.set_linewidth(factor * drawn.get_linewidth())
            keys[word] = Line2D(
                [],
                [],
                color=drawn.get_color(),
                linestyle=part["linestyle"],
                linewidth=drawn.get_linewidth(),
                label=f"edge, {word}",
            )
        return list(keys.values())

    def _name_phases(self, ax: Axes, gain: Array) -> None:
        """Each phase by name where it is widest."""
        d = self._diagram
        for name, inside in (("ordered", gain < 1 - MARGIN), ("chaotic", gain > 1 + MARGIN)):
            room = _room(inside)
            # Two margins of a name's width must lie within.
            if room.max() * 2 > 0.22 * _CELLS:
                i, j = np.unravel_index(int(np.argmax(room)), room.shape)
                ax.text(float(d.sigma_w[j]), float(d.sigma_b[i]), name, ha="center", va="center", zorder=2)


def _room(inside: NDArray[np.bool_]) -> Array:
    """For each cell of a phase, how far the nearest cell that is not of it lies, in cells; the frame is outside."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(inside, 1)
    return np.asarray(distance_transform_edt(padded))[1:-1, 1:-1]
