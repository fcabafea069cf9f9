"""Where the lines and texts of a figure lie, in pixels, so that none is written over another."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

__all__ = [
    "NOWHERE",
    "STEP",
    "Array",
    "around",
    "contour_points",
    "distance",
    "is_inside",
    "line_points",
    "occupied",
    "points",
]

Array = NDArray[np.float64]

NOWHERE = np.empty((0, 2))
#: Points of a line lie so far apart, or a little less.
STEP = 1.5


def points(ax: Axes, but: ContourSet | None = None) -> Array:
    """Those of all lines, markers and contours of the Axes, shape (count, 2); `but` some contours."""
    lines = [line_points(ax, line) for line in ax.get_lines()]
    for shown in ax.collections:
        if isinstance(shown, ContourSet) and not shown.filled and shown is not but:
            lines += [piece for level in contour_points(ax, shown) for piece in level]
    return np.concatenate(lines or [NOWHERE])


def line_points(ax: Axes, line: Line2D) -> Array:
    """Points of a line a pixel or two apart, those within the Axes, and its markers."""
    vertices = np.asarray(line.get_transform().transform(np.asarray(line.get_xydata(), dtype=float)))
    vertices = vertices[np.isfinite(vertices).all(axis=1)]
    return _within(ax, vertices if line.get_linestyle() == "None" else _along(ax, vertices))


def contour_points(ax: Axes, contours: ContourSet) -> list[list[Array]]:
    """Likewise of contours, the pieces of each level."""
    transform = contours.get_transform()
    return [
        [_within(ax, _along(ax, np.asarray(transform.transform(piece)))) for piece in level if len(piece)]
        for level in contours.allsegs
    ]


def _along(ax: Axes, vertices: Array) -> Array:
    if len(vertices) < 2:
        return vertices
    frame = ax.get_window_extent()
    low, high = np.array([frame.x0, frame.y0]) - 5, np.array([frame.x1, frame.y1]) + 5
    vertices = np.clip(vertices, low - 1e4, high + 1e4)
    lengths = np.hypot(*np.diff(vertices, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    every = np.linspace(0, along[-1], min(int(along[-1] / STEP) + 2, 20_000))
    return np.column_stack([np.interp(every, along, vertices[:, i]) for i in (0, 1)])


def _within(ax: Axes, vertices: Array) -> Array:
    frame = ax.get_window_extent()
    inside = (vertices[:, 0] >= frame.x0 - 1) & (vertices[:, 0] <= frame.x1 + 1)
    inside &= (vertices[:, 1] >= frame.y0 - 1) & (vertices[:, 1] <= frame.y1 + 1)
    return np.asarray(vertices[inside])


def occupied(ax: Axes) -> list[Bbox]:
    """What is in the way like a name: insets, texts that are there already, and a legend."""
    legend = ax.get_legend()
    return [child.get_window_extent() for child in (*ax.child_axes, *ax.texts, *([legend] if legend else []))]


def around(middle: Array, width: float, height: float) -> Bbox:
    """A box by its middle."""
    return Bbox.from_bounds(middle[0] - width / 2, middle[1] - height / 2, width, height)


def is_inside(box: Bbox, points: Array) -> bool:
    """Whether one of the points is."""
    x, y = points[:, 0], points[:, 1]
    return bool(((x >= box.x0) & (x <= box.x1) & (y >= box.y0) & (y <= box.y1)).any())


def distance(box: Bbox, points: Array) -> float:
    """From the box to the nearest point, ∞ if there is none."""
    if not len(points):
        return float("inf")
    x = np.maximum(np.maximum(box.x0 - points[:, 0], points[:, 0] - box.x1), 0)
    y = np.maximum(np.maximum(box.y0 - points[:, 1], points[:, 1] - box.y1), 0)
    return float(np.hypot(x, y).min())
