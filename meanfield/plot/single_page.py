"""Everything of one network on a page, for a lab notebook or a supplement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.errors import NoSignal
from meanfield.finite_width.signal_paths import SignalPaths
from meanfield.infinite_width.edge import EdgeOfChaos
from meanfield.infinite_width.stability import diagnose, diagnose_edge
from meanfield.plot.activation_function import ActivationFunction
from meanfield.plot.correlation_maps import CorrelationMaps
from meanfield.plot.drawing import Drawing, Network, Record, draw, mean_field, star
from meanfield.plot.page import Page, plain, text_size
from meanfield.plot.signal_trajectories import SignalTrajectories
from meanfield.plot.variance_maps import VarianceMaps
from meanfield.quantities import QUANTITIES

__all__ = ["SinglePage", "summary"]

_NUMBERS = ("q_star", "sigma_w", "sigma_b", "sparsity", "chi_1", "V_prime", "V_double_prime", "phase", "verdict")


def summary(
    network: Network,
    paths: SignalPaths,
    ax: Sequence[Axes] | None = None,
    *,
    label: str = "",
    samples: int = 12,
    page: Page | None = None,
    **line: Any,
) -> tuple[Axes, ...]:
    """One page: φ and its density, V, R, the trajectories of q and ρ, and a table of numbers.

    Args:
        network: a `MeanField` or `EdgeOfChaos`.
        paths: its signals, by `meanfield.signal_paths`.
        ax: seven Axes: φ, density, V, R, q over depth, ρ over depth, table; by default those of a new figure.
        label: what the activation is called.
        samples: how many networks are drawn.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines.

    Raises:
        NoSignal: the network has no fixed point q* > 0.
    """
    return draw(SinglePage(network, paths, label, samples), ax, page, **line)


@dataclass(frozen=True)
class SinglePage(Drawing):
    """See `summary`."""

    network: Network
    paths: SignalPaths
    label: str = ""
    samples: int = 12
    panels = 7
    aspect = 1.25
    usual_width = 6.75

    def __post_init__(self) -> None:
        if star(self.network) is None:
            raise NoSignal("the network has no fixed point q* > 0 to make a page of: give other sigma_w and sigma_b")

    @cached_property
    def _parts(self) -> dict[str, Drawing]:
        field, q = mean_field(self.network), star(self.network)
        assert q is not None
        alone = {"": self.network}
        return {
            "activation": ActivationFunction({"": field.activation}, q),
            "variance": VarianceMaps(alone),
            "correlation": CorrelationMaps(alone),
            "trajectory": SignalTrajectories(self.paths, self.samples),
        }

    @cached_property
    def _numbers(self) -> list[tuple[str, str, float | str]]:
        """Key, symbol and value of every line of the table."""
        field, q = mean_field(self.network), star(self.network)
        diagnosis = diagnose_edge(self.network) if isinstance(self.network, EdgeOfChaos) else diagnose(field)
        assert q is not None and diagnosis.fixed_point is not None
        values = {
            "q_star": q,
            "sigma_w": field.sigma_w,
            "sigma_b": field.sigma_b,
            "sparsity": float(field.sparsity(q)),
            "chi_1": float(field.chi1(q)),
            "V_prime": diagnosis.fixed_point.slope,
            "V_double_prime": diagnosis.fixed_point.curvature,
            "phase": diagnosis.phase,
            "verdict": diagnosis.verdict.word,
        }
        return [(key, QUANTITIES[key].latex, values[key]) for key in _NUMBERS]

    def records(self) -> list[Record]:
        """The rows of each panel, whose name stands under `panel`, with the columns of all."""
        rows = [{"panel": name, **row} for name, part in self._parts.items() for row in part.records()]
        rows += [{"panel": "numbers", "name": key, "value": value} for key, _, value in self._numbers]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        return [{key: row.get(key) for key in columns} for row in rows]

    def notes(self) -> list[str]:
        """Those of the panels."""
        return [note for part in self._parts.values() for note in part.notes()]

    def arrange(self, figure: Figure) -> list[Axes]:
        """φ and its density beside the table; V beside R; q above ρ."""
        if self.label and figure.get_suptitle() == "":
            figure.suptitle(plain(self.label))
        top, middle, bottom = np.ravel(np.asarray(figure.subfigures(3, 1, height_ratios=(1, 1, 1.1))))
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
        height = 1 / len(self._numbers)
        for i, (_, symbol, value) in enumerate(self._numbers):
            y = 1 - (i + 0.5) * height
            shown = value if isinstance(value, str) else f"{value:.6g}".replace("-", "−").replace("inf", "∞")
            ax.text(0.12, y, symbol, transform=ax.transAxes, va="center", fontsize=text_size("$^$"))
            ax.text(0.52, y, shown, transform=ax.transAxes, va="center", fontsize=text_size("$^$"))
