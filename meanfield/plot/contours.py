"""Contours over a plane: shares of networks as they are interpolated, and the numbers on lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

from meanfield.plot.page import figure_of
from meanfield.plot.pixels import STEP, Array, contour_points, occupied, points

__all__ = ["deviates", "number_contours", "percent"]

#: Shares beyond so many standard deviations are drawn as 0 or 1.
_FURTHEST = 4.0
#: The empty space around a number, in points; and points along each side of a box that stand for it.
_GAP, _FILLING = 1.0, 12


def deviates(share: ArrayLike) -> Any:
    """Φ⁻¹ of shares, within limits and with NaN masked: between networks it changes more evenly than a share."""
    from scipy.special import ndtri

    return np.clip(ndtri(np.ma.masked_invalid(share)), -_FURTHEST, _FURTHEST)


def percent(share: float) -> str:
    """As a figure writes it."""
    return f"{100 * share:g} %"


def number_contours(ax: Axes, contours: ContourSet, fmt: Any = "%g") -> None:
    """A number on each piece of a contour, nearest to its middle where it runs into no line, text or frame, if any."""
    figure_of(ax).draw_without_rendering()
    frame, gap = ax.get_window_extent(), _GAP * figure_of(ax).dpi / 72
    pieces = contour_points(ax, contours)
    taken = [points(ax, but=contours)]
    taken += [_filling(np.mean(box, axis=0), np.array(box.size) / 2, np.eye(2)) for box in occupied(ax)]
    places = []
    for level, parts in zip(contours.levels, pieces, strict=True):
        number = ax.text(0, 0, contours.get_text(level, fmt), fontsize=rcParams["font.size"])
        half = np.array(number.get_window_extent().size) / 2 + gap
        number.remove()
        for part in parts:
            others = [other for its in pieces for other in its if other is not part]
            if found := _place(part, np.concatenate([*taken, *others]), half, frame):
                places.append(ax.transData.inverted().transform(found[0]))
                taken.append(_filling(found[0], half, found[1]))
    ax.clabel(contours, fmt=fmt, fontsize=rcParams["font.size"], inline_spacing=2, manual=places)


def _place(line: Array, others: Array, half: Array, frame: Bbox) -> tuple[Array, Array] | None:
    """The middle of a box on a line, and the directions of its sides; `half` is half its size, all in pixels."""
    reach = math.ceil(half[0] / STEP)
    # Half of a number is left of the line on either side of one.
    for k in sorted(range(2 * reach, len(line) - 2 * reach, 2), key=lambda k: abs(k - len(line) / 2)):
        along = line[k + reach] - line[k - reach]
        along /= np.hypot(*along)
        sides = np.array([along, [-along[1], along[0]]])
        bends = np.abs((line[k - reach : k + reach] - line[k]) @ sides[1])
        apart = np.abs((np.concatenate([others, line[: k - 2 * reach], line[k + 2 * reach :]]) - line[k]) @ sides.T)
        box = _filling(line[k], half, sides)
        inside = (box > [frame.x0, frame.y0]) & (box < [frame.x1, frame.y1])
        if bends.max() < half[1] / 2 and inside.all() and not (apart < half).all(axis=1).any():
            return line[k], sides
    return None


def _filling(middle: Array, half: Array, sides: Array) -> Array:
    """Points all over a box, and on its edges."""
    steps = np.linspace(-1, 1, _FILLING)
    return np.asarray(middle + (np.array(np.meshgrid(steps, steps)).reshape(2, -1).T * half) @ sides)
