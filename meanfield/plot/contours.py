"""Contours over a plane: shares of networks as they are interpolated, and the numbers on lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

from meanfield.plot.page import figure_of

__all__ = ["deviates", "number_contours", "percent"]

#: Shares beyond so many standard deviations are drawn as 0 or 1.
_FURTHEST = 4.0


def deviates(share: ArrayLike) -> Any:
    """Φ⁻¹ of shares, within limits and with NaN masked: between networks it changes more evenly than a share."""
    from scipy.special import ndtri

    return np.clip(ndtri(np.ma.masked_invalid(share)), -_FURTHEST, _FURTHEST)


def percent(share: float) -> str:
    """As a figure writes it."""
    return f"{100 * share:g} %"


def number_contours(ax: Axes, contours: ContourSet, fmt: Any = "%g", taken: Sequence[Bbox] = ()) -> None:
    """Write numbers on contours within the Axes, where one does not run into another or into what is `taken`."""
    numbers = ax.clabel(contours, fmt=fmt, fontsize=rcParams["font.size"], inline=True, inline_spacing=2)
    figure_of(ax).draw_without_rendering()
    kept, frame = list(taken), ax.get_window_extent()
    for number in numbers or []:
        box = number.get_window_extent()
        inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
        if not inside or any(box.overlaps(other) for other in kept):
            number.set_visible(False)
        else:
            kept.append(box)
