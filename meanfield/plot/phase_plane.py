"""The plane of initialisations: ordered and chaotic phases, and the border between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.design.plane_losses import PlaneLosses, plane_losses, require_plane
from meanfield.domain import require_scales, require_signal
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.finite_width.escape import Requirement
from meanfield.infinite_width.criteria import MARGIN, phases
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.operating_point import operating_point
from meanfield.infinite_width.phase_border import BorderLine, PhaseBorder, phase_border
from meanfield.infinite_width.stability import diagnose
from meanfield.plot.contours import deviates, percent
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import in_box, symbol
from meanfield.plot.page import Page, figure_of
from meanfield.plot.pixels import around, is_inside, points

__all__ = ["PhasePlane", "phase"]

Array = NDArray[np.float64]

_ORDERED, _CHAOTIC = "#bfd4e8", "#fdf0da"
#: How each part of the border is drawn and called, by the word of its networks; what is no edge of chaos is grey.
_PARTS: dict[str, dict[str, Any]] = {
    "stable": {"linewidth_factor": 1.6, "linestyle": "-", "label": "edge of chaos, stable"},
    "neutral": {"linewidth_factor": 1.2, "linestyle": (0, (5, 1.5, 1, 1.5)), "label": "edge of chaos, neutral"},
    "unstable": {"linewidth_factor": 1.2, "linestyle": (0, (2.5, 1.2)), "label": "edge of chaos, unstable"},
    "unbounded": {"linewidth_factor": 1.0, "linestyle": (0, (5, 1.5)), "label": r"$\chi_1 = 1$, $q \to \infty$"},
    "jump": {"linewidth_factor": 1.0, "linestyle": "-", "color": "0.4", "label": "fixed point jumps"},
}
#: What is lost at a width and depth, at half of the networks a thicker line than at the risk; where neither is; and the
#: height of such a figure over its width.
_LOST: dict[str, dict[str, Any]] = {
    "signal": {"color": "#1d3557", "linestyle": (0, (1, 1.2))},
    "gradient": {"color": "#a4303f", "linestyle": "-"},
}
_AT_RISK, _AT_HALF, _SAFE, _TALLER = 0.8, 1.5, "#9cc5a1", 0.9
#: The initialisation marked, in usual markers; and a part of the border too short to be seen, of the axes.
_STAR, _SHORTEST = 1.8, 0.015
#: Points of an edge between which its word is taken to be what it is at both.
_STRIDE = 24
#: Every so manieth network of the net stands in the records.
_SPARSE = 2


def phase(
    activation: Activation,
    ax: Axes | None = None,
    *,
    point: tuple[float, float] | None = None,
    q_star: float = 1.0,
    sigma_w: tuple[float, float] | None = None,
    sigma_b: tuple[float, float] | None = None,
    requirement: Requirement | None = None,
    label: str = "",
    page: Page | None = None,
    **line: Any,
) -> Axes:
    """Ordered and chaotic initialisations (σ_w, σ_b), and the border between them, an edge of chaos where χ₁ = 1.

    A network is judged where a signal of variance `q_star` settles. Where the border is no edge of chaos, that fixed
    point jumps. At a width and depth contours show which share of networks loses its signal or its gradient, and the
    initialisations with which no more than the risk lose either are green.

    Args:
        activation: φ.
        ax: where to draw; by default a new figure.
        point: the initialisation (σ_w, σ_b) to mark; by default the edge of chaos at `q_star`.
        q_star: the variance from which the signal in each network is followed, and q* of the default point.
        sigma_w, sigma_b: the ends of the axes; by default around the point and the edge at `q_star`.
        requirement: width and depth, and the risk; by default N → ∞ alone is shown.
        label: what the activation is called, above a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib for the edge.

    Raises:
        NoEdgeOfChaos: φ has no edge at `q_star`, and no `point` or ends are given.
        DomainError: a scale out of range, or more layers than a plane of networks is worked out for.
    """
    return draw(PhasePlane(activation, point, q_star, sigma_w, sigma_b, label, requirement), ax, page, **line)


@dataclass(frozen=True)
class PhasePlane(Drawing):
    """See `phase`."""

    activation: Activation
    point: tuple[float, float] | None = None
    q_star: float = 1.0
    sigma_w: tuple[float, float] | None = None
    sigma_b: tuple[float, float] | None = None
    label: str = ""  # type: ignore[misc]
    requirement: Requirement | None = None
    advance: Callable[[int], object] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.point is not None:
            require_scales(*self.point)
        for name, ends in (("sigma_w", self.sigma_w), ("sigma_b", self.sigma_b)):
            if ends is not None and not (0 <= ends[0] < ends[1] < math.inf):
                raise DomainError(
                    f"{name} from {ends[0]:g} to {ends[1]:g} is no range: give two ends, 0 or more, ascending"
                )
        require_signal(self.q_star)
        if self.requirement is not None:
            require_plane(self.requirement)
        _ = self._border, self._words, self._losses

    @property
    def aspect(self) -> float:  # type: ignore[override]
        """What is lost takes two more rows of the legend, none of the plane."""
        return Drawing.aspect if self.requirement is None else _TALLER

    @cached_property
    def _at_start(self) -> tuple[float, float] | None:
        """The edge of chaos at q*."""
        try:
            edge = edge_of_chaos(self.activation, self.q_star)
        except NoEdgeOfChaos:
            if self.point is None and (self.sigma_w is None or self.sigma_b is None):
                raise
            return None
        return edge.sigma_w, edge.sigma_b

    @property
    def _marked(self) -> tuple[float, float] | None:
        return self.point or self._at_start

    @cached_property
    def _ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the axes: both the edge and the point are seen, and enough of σ_b for the border to bend."""
        shown = [point for point in (self._at_start, self.point) if point]
        w, b = zip(*shown, strict=True) if shown else ((1.0,), (0.5,))
        sigma_w = self.sigma_w or (0.25 * min(w), max(2.0 * w[0], 1.25 * max(w)))
        return sigma_w, self.sigma_b or (0.0, max(2.2 * b[0], 1.25 * max(b), 0.8 * math.sqrt(self.q_star)))

    @property
    def _shows_mark(self) -> bool:
        return bool(self._marked) and all(a <= x <= b for x, (a, b) in zip(self._marked or (), self._ends, strict=True))

    @cached_property
    def _border(self) -> PhaseBorder:
        (w0, w1), sigma_b = self._ends
        # A network needs weights.
        return phase_border(self.activation, (max(w0, 1e-3 * w1), w1), sigma_b, self.q_star)

    @cached_property
    def _losses(self) -> PlaneLosses | None:
        if self.requirement is None:
            return None
        return plane_losses(self.activation, self._border, self.requirement, self.advance)

    @cached_property
    def _words(self) -> list[list[str]]:
        """What each point of the border is, line by line: a key of `_PARTS`."""
        return [self._words_of(line) for line in self._border.lines]

    def _words_of(self, line: BorderLine) -> list[str]:
        words = np.where(np.isnan(line.q_star), "jump", np.where(np.isinf(line.q_star), "unbounded", "")).tolist()
        judged = [k for k, q in enumerate(line.q_star) if 0 < q < math.inf]
        parts = np.split(judged, np.flatnonzero(np.diff(judged) > 1) + 1) if judged else []

        def word(k: int) -> str:
            point = operating_point(self.activation, float(line.q_star[k]))
            return diagnose(point, with_remedies=False).verdict.word

        for part in parts:
            first, last = int(part[0]), int(part[-1])
            words[first], words[last] = word(first), word(last)
            _between(words, first, last, word)
        # Without a signal, at q* = 0, a point is what its neighbour is.
        for k in [k for k, found in enumerate(words) if not found]:
            words[k] = words[k - 1] if k else words[1]
        return [str(found) for found in words]

    def records(self) -> list[Record]:
        """The networks of the plane with χ₁, phase and what is lost, the border with q* and its word, the mark."""
        found = self._border
        keys = ("series", "sigma_w", "sigma_b", "q_star", "chi_1", "word")
        every = slice(None, None, _SPARSE)
        q, gain = found.q_star[every, every], found.chi_1[every, every]
        rows: list[tuple[Any, ...]] = [
            ("plane", float(w), float(b), float(q[i, j]), float(gain[i, j]), str(phases(gain[i, j])))
            for i, b in enumerate(found.sigma_b[every])
            for j, w in enumerate(found.sigma_w[every])
        ]
        for line, words in zip(found.lines, self._words, strict=True):
            points = zip(line.sigma_w.tolist(), line.sigma_b.tolist(), line.q_star.tolist(), words, strict=True)
            rows += [
                ("jump", w, b, None, None, "") if word == "jump" else ("edge", w, b, q, 1.0, word)
                for w, b, q, word in points
            ]
        if self._marked:
            rows.append(("point", *self._marked, None, None, ""))
        records = [dict(zip(keys, row, strict=True)) for row in rows]
        if self._losses:
            shares = {"signal_lost": self._losses.signal, "gradient_lost": self._losses.gradient}
            shares |= {"share_lost": self._losses.either}
            columns = {key: share[every, every].ravel().tolist() for key, share in shares.items()}
            for k, record in enumerate(records):
                # The plane comes first; elsewhere nothing was asked.
                record |= {key: column[k] if k < len(column) else None for key, column in columns.items()}
        return records

    def notes(self) -> list[str]:
        """What is missing."""
        if not self._border.lines:
            (phase,) = set(np.where(self._border.chi_1 > 1, "chaotic", "ordered").flat)
            return [f"every initialisation within the axes is {phase}: no edge of chaos is seen"]
        if self._marked and not self._shows_mark:
            return ["the initialisation ({:.4g}, {:.4g}) lies outside the axes".format(*self._marked)]
        return []

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        (ax,) = axes
        (w0, w1), (b0, b1) = self._ends
        ax.add_patch(Rectangle((w0, b0), w1 - w0, b1 - b0, facecolor=_ORDERED, linewidth=0, zorder=0))
        if self._border.chaotic:
            outlines = [Path([*outline, outline[0]], closed=True) for outline in self._border.chaotic]
            chaotic = Path.make_compound_path(*outlines)
            ax.add_patch(PathPatch(chaotic, facecolor=_CHAOTIC, linewidth=0, zorder=0.1))
        keys = {**self._paint_border(ax, line), **self._paint_losses(ax)}
        if self._marked and self._shows_mark:
            size = _STAR * rcParams["lines.markersize"]
            star: dict[str, Any] = {"marker": "*", "markersize": size, "color": "black", "linestyle": "none"}
            ax.plot(*self._marked, **star, markeredgecolor="white", zorder=5, clip_on=False, label="_point")
            keys["initialisation"] = Line2D([], [], **star)
        ax.set_xlim(w0, w1)
        ax.set_ylim(b0, b1)
        ax.set_xlabel(symbol("sigma_w"))
        ax.set_ylabel(symbol("sigma_b"))
        if legend is not False:
            if keys:
                in_box(ax, [*keys.values()], [*keys])
            self._name_phases(ax)

    def _paint_border(self, ax: Axes, line: dict[str, Any]) -> dict[str, Line2D]:
        keys = {}
        for part, words in zip(self._border.lines, self._words, strict=True):
            w, b = part.sigma_w, part.sigma_b
            seen = self._seen(part, words)
            for first, last in _runs(seen):
                word = seen[first]
                style = {"color": "black", **_PARTS[word]}
                factor = style.pop("linewidth_factor")
                # The next part begins where this one ends.
                inside = slice(first, last + 1)
                (drawn,) = ax.plot(w[inside], b[inside], **{**style, "zorder": 3, "label": f"_{word}", **line})
                if "linewidth" not in line:
                    drawn.set_linewidth(factor * drawn.get_linewidth())
                look = {"color": drawn.get_color(), "linestyle": style["linestyle"]}
                keys[word] = Line2D([], [], **look, linewidth=drawn.get_linewidth())
        return {part["label"]: keys[word] for word, part in _PARTS.items() if word in keys}

    def _paint_losses(self, ax: Axes) -> dict[str, Any]:
        if not (found := self._losses):
            return {}
        risk, plane = found.requirement.risk, (found.sigma_w, found.sigma_b)
        keys: dict[str, Any] = {}
        either = deviates(found.either)
        if either.min() < deviates(risk):
            levels = [float(either.min()) - 1, float(deviates(risk))]
            ax.contourf(*plane, either, levels=levels, colors=[_SAFE], zorder=0.2)
            keys[f"at most {percent(risk)} lose either"] = Patch(facecolor=_SAFE)
        for name, style in _LOST.items():
            share = deviates(getattr(found, name))
            drawn = {}
            for level, width in ((risk, _AT_RISK), (0.5, _AT_HALF)):
                if share.min() < deviates(level) < share.max():
                    look: dict[str, Any] = {f"{key}s": [value] for key, value in style.items()}
                    ax.contour(*plane, share, levels=[deviates(level)], linewidths=width, zorder=2.5, **look)
                    drawn[f"{100 * level:g}"] = Line2D([], [], linewidth=width, **style)
            if drawn:
                keys[f"{', '.join(drawn)} % lose {name}"] = [*drawn.values()]
        return keys

    def _seen(self, line: BorderLine, words: list[str]) -> list[str]:
        """The words, those of parts too short to be seen as on the longer side."""
        (w0, w1), (b0, b1) = self._ends
        steps = np.hypot(np.diff(line.sigma_w) / (w1 - w0), np.diff(line.sigma_b) / (b1 - b0))
        along = np.concatenate([[0.0], np.cumsum(steps)])
        seen = list(words)
        runs = _runs(words)
        long = [run for run in runs if along[min(run[1], len(along) - 1)] - along[run[0]] >= _SHORTEST] or runs
        for first, last in runs:
            nearest = min(long, key=lambda run: max(run[0] - last, first - run[1], -1))
            seen[first:last] = [words[nearest[0]]] * (last - first)
        return seen

    def _name_phases(self, ax: Axes) -> None:
        """Each phase by name where it is widest and no line runs through the name."""
        figure_of(ax).draw_without_rendering()
        found, gain, lines, frame = self._border, self._border.chi_1, points(ax), ax.get_window_extent()
        # As far from a line as a star is large.
        gap = rcParams["lines.markersize"] * figure_of(ax).dpi / 72
        for name, inside in (("ordered", gain < 1 - MARGIN), ("chaotic", gain > 1 + MARGIN)):
            text = ax.text(0, 0, name, ha="center", va="center", zorder=2)
            size, room = text.get_window_extent().padded(gap).size, _room(inside)
            widest = np.argsort(room, axis=None)[: -np.count_nonzero(inside) - 1 : -1]
            for i, j in zip(*np.unravel_index(widest, room.shape), strict=True):
                text.set_position((float(found.sigma_w[j]), float(found.sigma_b[i])))
                box = around(ax.transData.transform(text.get_position()), *size)
                within = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
                if within and not is_inside(box, lines):
                    break
            else:
                text.remove()


def _runs(words: Sequence[str]) -> list[tuple[int, int]]:
    """Where each run of equal words begins, and the next."""
    change = [0, *(k for k in range(1, len(words)) if words[k] != words[k - 1]), len(words)]
    return list(pairwise(change))


def _between(words: list[str], first: int, last: int, word: Callable[[int], str]) -> None:
    """Find the words between two known ones: halve where they differ, and fill in where they agree."""
    if last - first < 2:
        return
    if words[first] == words[last] and last - first <= _STRIDE:
        words[first:last] = [words[first]] * (last - first)
        return
    middle = (first + last) // 2
    words[middle] = word(middle)
    _between(words, first, middle, word)
    _between(words, middle, last, word)


def _room(inside: NDArray[np.bool_]) -> Array:
    """For each cell of a phase, how far the nearest cell that is not of it lies, in cells; the frame is outside."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(inside, 1)
    return np.asarray(distance_transform_edt(padded))[1:-1, 1:-1]
