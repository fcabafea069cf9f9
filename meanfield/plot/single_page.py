"""Everything of one network on a page, for a lab notebook or a supplement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.errors import DomainError, NoSignal
from meanfield.finite_width.verdict import foretold
from meanfield.infinite_width.fixed_points import FixedPoint
from meanfield.infinite_width.operating_point import OperatingPoint, Subject, operating_point_of
from meanfield.infinite_width.stability import phase
from meanfield.infinite_width.verdict import Verdict
from meanfield.plot.activation_function import ActivationFunction
from meanfield.plot.correlation_maps import CorrelationMaps
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import symbol
from meanfield.plot.page import Page, figure_of, plain, text_size
from meanfield.plot.trajectories import Trajectories
from meanfield.plot.variance_maps import VarianceMaps
from meanfield.simulation.ensemble import Ensemble

__all__ = ["SinglePage", "summary"]

#: Where the columns of the table begin, of its width; and the fewest characters of a line of words below it.
_NAMES, _VALUES, _NARROWEST = 0.12, 0.52, 12


def summary(
    network: Subject,
    ensemble: Ensemble,
    ax: Sequence[Axes] | None = None,
    *,
    label: str = "",
    samples: int = 12,
    page: Page | None = None,
    **line: Any,
) -> tuple[Axes, ...]:
    """One page: φ and its density, V, R, the trajectories of q and ρ, and a table of numbers.

    Args:
        network: a `MeanField`, `EdgeOfChaos` or `OperatingPoint`.
        ensemble: random networks of its kind, by `meanfield.simulate`, of two inputs or more.
        ax: seven Axes: φ, density, V, R, q over depth, ρ over depth, table; by default those of a new figure.
        label: what the activation is called.
        samples: how many networks are drawn.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines.

    Raises:
        NoSignal: the network has no fixed point q* > 0.
        DomainError: an ensemble of another network, or of one input, which has no correlation.
    """
    return draw(SinglePage(operating_point_of(network), ensemble, label, samples), ax, page, **line)


@dataclass(frozen=True)
class SinglePage(Drawing):
    """See `summary`."""

    point: OperatingPoint
    ensemble: Ensemble
    label: str = ""  # type: ignore[misc]
    samples: int = 12
    panels = 7
    aspect = 1.36
    usual_width = "page"

    def __post_init__(self) -> None:
        if self.ensemble.experiment.network != self.point.network:
            raise DomainError("the ensemble is of another network than the page: simulate networks of this one")
        _ = self._parts, self._numbers

    @property
    def _judged(self) -> FixedPoint:
        if self.point.q_star is None or self.point.fixed_point is None:
            raise NoSignal("the network has no fixed point q* > 0 to make a page of: give other sigma_w and sigma_b")
        return self.point.fixed_point

    @cached_property
    def _parts(self) -> dict[str, Drawing]:
        alone = {"": self.point}
        return {
            "activation": ActivationFunction({"": self.point.network.activation}, self._judged.q),
            "variance": VarianceMaps(alone),
            "correlation": CorrelationMaps(alone),
            "trajectory": Trajectories(self.ensemble, self.samples, ("q", "rho")),
        }

    @cached_property
    def verdict(self) -> Verdict:
        """At the width and depth of the ensemble; at any, where its layers are convolutional."""
        return foretold(self.point, self.ensemble.experiment, with_remedies=True).verdict

    @cached_property
    def _numbers(self) -> dict[str, float | str]:
        """The lines of the table."""
        network, judged, asked = self.point.network, self._judged, self.ensemble.experiment
        found = self.verdict
        said = found.record()
        lost = {name: said[name] for name in ("signal_lost", "gradient_lost", "share_lost")}
        interval = {"share_interval": "{:.6g} to {:.6g}".format(*found.interval)} if found.interval else {}
        remedy = {"remedies": found.remedy} if found.remedy else {}
        return {
            "q_star": judged.q,
            "sigma_w": network.sigma_w,
            "sigma_b": network.sigma_b,
            "sparsity": network.sparsity(judged.q),
            "chi_1": network.chi1(judged.q),
            "V_prime": judged.slope,
            "V_double_prime": judged.curvature,
            "phase": phase(network, judged.q),
            "width": float(asked.width),
            "depth": float(asked.depth),
            **{name: share for name, share in lost.items() if share is not None},
            **interval,
            "verdict": found.word,
            **remedy,
        }

    def records(self) -> list[Record]:
        """The rows of each panel, whose name stands under `panel`, with the columns of all."""
        rows = [{"panel": name, **row} for name, part in self._parts.items() for row in part.records()]
        rows += [{"panel": "numbers", "name": key, "value": value} for key, value in self._numbers.items()]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        return [{key: row.get(key) for key in columns} for row in rows]

    def notes(self) -> list[str]:
        """Those of the panels."""
        return [note for part in self._parts.values() for note in part.notes()]

    def arrange(self, figure: Figure) -> list[Axes]:
        """φ and its density beside the table; V beside R; q above ρ."""
        self.entitle(figure)
        top, middle, bottom = np.ravel(np.asarray(figure.subfigures(3, 1, height_ratios=(1.5, 1, 1.1))))
        left, right = np.ravel(np.asarray(top.subfigures(1, 2)))
        phi, density = left.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        q, rho = bottom.subplots(2, 1, sharex=True)
        return [phi, density, *middle.subplots(1, 2), q, rho, right.subplots()]

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        places = iter(axes)
        for part in self._parts.values():
            part.paint([next(places) for _ in range(part.panels)], legend, **line)
        self._paint_numbers(next(places))

    def _paint_numbers(self, ax: Axes) -> None:
        ax.set_axis_off()
        numbers = dict(self._numbers)
        remedy = str(numbers.pop("remedies", ""))
        told = self._wrapped(ax, f"remedy: {remedy}") if remedy else []
        height = 1 / (len(numbers) + len(told))
        size: dict[str, Any] = {"transform": ax.transAxes, "va": "center", "fontsize": text_size("$^$")}
        for i, (key, value) in enumerate(numbers.items()):
            y = 1 - (i + 0.5) * height
            shown = value if isinstance(value, str) else f"{value:.6g}".replace("-", "−").replace("inf", "∞")
            ax.text(_NAMES, y, symbol(key), **size)
            ax.text(_VALUES, y, shown, **size)
        for i, line in enumerate(told, len(numbers)):
            ax.text(_NAMES, 1 - (i + 0.5) * height, plain(line), **{**size, "fontsize": text_size("")})

    def _wrapped(self, ax: Axes, text: str) -> list[str]:
        """The text in lines that end with the Axes."""
        figure_of(ax).draw_without_rendering()
        room = (1 - _NAMES) * ax.get_window_extent().width
        lines = [text]
        for columns in range(len(text), _NARROWEST, -1):
            lines = wrap(text, columns)
            shown = ax.text(0, 0, "\n".join(map(plain, lines)), fontsize=text_size(""))
            width = shown.get_window_extent().width
            shown.remove()
            if width <= room:
                break
        return lines
