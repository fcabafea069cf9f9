"""Axes of what spans decades: logarithmic, with ticks between where the decades are few."""

from __future__ import annotations

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter
from numpy.typing import ArrayLike

__all__ = ["count_decades", "spans_decades"]

#: Values that differ by more than this factor have a logarithmic axis, where one of fewer has ticks between.
_DECADE, _FEW_DECADES = 10.0, 50.0


def spans_decades(values: ArrayLike) -> bool:
    """Whether values, of which those not above 0 are left out, span more than a decade."""
    return _factor(values) > _DECADE


def count_decades(ax: Axes, values: ArrayLike) -> None:
    """A logarithmic y axis for the values."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if _factor(values) < _FEW_DECADES else (1,)))
    ax.yaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
    ax.yaxis.set_minor_formatter(NullFormatter())
    # Its numbers have scripts.
    ax.tick_params(axis="y", labelsize=rcParams["axes.labelsize"])


def _factor(values: ArrayLike) -> float:
    given = np.asarray(values, dtype=float)
    known = given[(given > 0) & np.isfinite(given)]
    return float(known.max() / known.min()) if known.size else 1.0
