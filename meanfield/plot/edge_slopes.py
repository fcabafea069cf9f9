"""V'(q*) and q*V''(q*) on the edge of chaos against a parameter or q*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from meanfield.design.sweeps import SlopeCurve
from meanfield.infinite_width.edge import gain_in_words
from meanfield.plot.drawing import Drawing, Record, draw, labelled
from meanfield.plot.labels import GREY, curve_styles, label_text, name_curves, parameter_text, symbol
from meanfield.plot.page import Page

__all__ = ["EdgeSlopes", "slope"]


def slope(
    curves: SlopeCurve | Mapping[str, SlopeCurve],
    ax: Sequence[Axes] | None = None,
    *,
    label: str = "",
    page: Page | None = None,
    **line: Any,
) -> tuple[Axes, ...]:
    """V'(q*) above q*V''(q*), against what the curves of `meanfield.slope_curve` go along; a gap where no edge is.

    Args:
        curves: one, or several by label.
        ax: two Axes; by default those of a new figure.
        label: what the activation is called, above a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines.

    Raises:
        DomainError: no curve is given.
    """
    several = labelled(curves, SlopeCurve, "V' needs curves: give one of mf.slope_curve")
    return draw(EdgeSlopes(several, label), ax, page, **line)


@dataclass(frozen=True)
class EdgeSlopes(Drawing):
    """See `slope`."""

    curves: dict[str, SlopeCurve]
    label: str = ""  # type: ignore[misc]
    panels = 2
    aspect = 1.15

    def records(self) -> list[Record]:
        """A row for every point of a curve; empty where there is no edge."""
        keys = ("q_star", "sparsity", "V_prime", "q_V_double_prime")
        return [
            {"curve": label, curve.against: float(x), **{key: float(getattr(curve, key)[i]) for key in keys}}
            for label, curve in self.curves.items()
            for i, x in enumerate(curve.values)
        ]

    def notes(self) -> list[str]:
        """Where there is no edge of chaos, or no network of the gain asked for."""
        notes = []
        for label, curve in self.curves.items():
            gap = curve.values[np.isnan(curve.V_prime)]
            if gap.size:
                where = f"{curve.against} = {gap[0]:g}" if gap.size == 1 else f"{gap.size} values from {gap[0]:g}"
                missing = f"no network {gain_in_words(curve.chi_1)} at {where} to {gap[-1]:g}, a gap in the figure"
                notes.append(f"{label or 'the curve'}: {missing}")
        return notes

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        upper, lower = axes
        lines = []
        for style, (label, curve) in zip(curve_styles(len(self.curves)), self.curves.items(), strict=True):
            name = label_text(label) if label else "_slope"
            lines += upper.plot(curve.values, curve.V_prime, **{**style, "label": name, **line})
            lines += lower.plot(curve.values, curve.q_V_double_prime, **{**style, "label": name, **line})
        for ax, level in ((upper, 1.0), (lower, 0.0)):
            ax.axhline(level, color=GREY, linewidth=0.8, zorder=1, label="_level")
        values = next(iter(self.curves.values())).values
        lower.set_xlim(float(values.min()), float(values.max()))
        upper.set_ylabel(symbol("V_prime"))
        lower.set_ylabel(symbol("q_V_double_prime"))
        against = next(iter(self.curves.values())).against
        lower.set_xlabel(parameter_text(against))
        name_curves((upper, lower), lines, [], legend)
