"""Random networks that were simulated, over depth: theory with how far it strays, and what the networks do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from meanfield.plot.drawing import Drawing, Record
from meanfield.plot.labels import curve_styles, in_box, symbol
from meanfield.plot.signal_trajectories import BAND, FURTHEST, SAMPLE
from meanfield.quantities import QUANTITIES
from meanfield.simulation.comparison import LEVELS, Comparison, compare
from meanfield.simulation.ensemble import Ensemble

__all__ = ["EnsembleTrajectories"]

Array = NDArray[np.float64]

#: Layers that the mean and spread of the networks are marked at, about.
_MARKS = 12
_ENSEMBLE = "#b2182b"
#: Quantities whose layer stands beside their letter.
_BY_LAYER = ("q", "rho")


@dataclass(frozen=True)
class EnsembleTrajectories(Drawing):
    """A panel for every quantity measured; see `trajectory`."""

    ensemble: Ensemble
    samples: int = 12

    @property
    def panels(self) -> int:  # type: ignore[override]
        """One for every quantity."""
        return len(self.ensemble.experiment.quantities)

    @property
    def aspect(self) -> float:  # type: ignore[override]
        """Panels are as high in every figure."""
        return 0.1 + 0.52 * self.panels

    @cached_property
    def _comparison(self) -> Comparison:
        return compare(self.ensemble)

    def _samples(self) -> int:
        return min(self.samples, self.ensemble.experiment.networks)

    def records(self) -> list[Record]:
        """A row for every quantity and layer, network empty; and for each sample, whose number stands there."""
        rows: list[Record] = []
        for name, s in self._comparison.statistics.items():
            p = self._comparison.predicted[name]
            columns = {
                "ensemble_mean": s.mean,
                **dict(zip(LEVELS, s.quantiles, strict=True)),
                "infinite_width": p.value,
                "theory_mean": p.mean,
                "theory_sd": p.sd,
            }
            values = self.ensemble[name]
            for layer in range(values.shape[1]):
                row = {key: float(column[layer]) for key, column in columns.items()}
                rows.append({"quantity": name, "layer": layer, "network": None, "value": None, **row})
            nothing = dict.fromkeys(columns)
            rows += [
                {"quantity": name, "layer": layer, "network": k, "value": float(values[k, layer]), **nothing}
                for k in range(self._samples())
                for layer in range(values.shape[1])
            ]
        return rows

    def notes(self) -> list[str]:
        """What leaves the figure, and what overflowed."""
        found = []
        top = self._top()
        beyond = (self.ensemble["q"] > top).any(axis=1).mean()
        if beyond:
            found.append(f"{100 * beyond:.3g} % of the networks leave the figure at q = {top:.4g}")
        if self.ensemble.overflowed[-1]:
            found.append(f"{100 * self.ensemble.overflowed[-1]:.3g} % of the networks overflow")
        return found

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        (style,) = curve_styles(1)
        theory = {**style, "linewidth": 1.6, "zorder": 3, "label": "_theory", **line}
        for ax, name in zip(axes, self._comparison.statistics, strict=True):
            self._paint_one(ax, name, theory)
        last = axes[-1]
        # Room for the marks at either end.
        last.set_xlim(-0.01 * self.ensemble.experiment.depth, 1.01 * self.ensemble.experiment.depth)
        last.xaxis.set_major_locator(MaxNLocator(integer=True))
        last.set_xlabel("layer " + symbol("layer"))
        axes[0].set_ylim(0, self._top())
        if legend is not False:
            e = self.ensemble.experiment
            keys = [
                Line2D([], [], **{**theory, "label": r"theory, $N \to \infty$"}),
                Patch(color=BAND, label=rf"$\pm 2$ sd, $N = {e.width}$"),
                Line2D([], [], color=SAMPLE, linewidth=0.8, label="networks"),
                Line2D(
                    [], [], color=_ENSEMBLE, marker="o", markersize=2.5, linewidth=0.8, label="their median, 5–95 %"
                ),
            ]
            in_box(axes[0], keys if self._samples() else [*keys[:2], keys[3]])

    def _paint_one(self, ax: Axes, name: str, theory: dict[str, Any]) -> None:
        p, s = self._comparison.predicted[name], self._comparison.statistics[name]
        layers = np.arange(len(p.value))
        with np.errstate(all="ignore"):
            low, high = p.mean - 2 * p.sd, p.mean + 2 * p.sd
        floor, ceiling = {"q": (0.0, np.inf), "rho": (-1.0, 1.0), "sparsity": (0.0, 1.0)}.get(name, (-np.inf, np.inf))
        known = np.isfinite(low) & np.isfinite(high)
        ax.fill_between(
            layers[known],
            np.clip(low[known], floor, ceiling),
            np.clip(high[known], floor, ceiling),
            color=BAND,
            linewidth=0,
            zorder=0,
        )
        for values in self.ensemble[name][: self._samples()]:
            shown = np.where(np.isfinite(values), values, np.nan)
            ax.plot(layers, shown, color=SAMPLE, linewidth=0.8, alpha=0.6, zorder=1, label="_sample")
        at = layers[:: -(-len(layers) // _MARKS)]
        middle = s.quantiles[list(LEVELS).index("q50"), at]
        finite = np.isfinite(s.quantiles[:, at]).all(axis=0)
        at, middle = at[finite], middle[finite]
        ends = np.abs(s.quantiles[[0, -1]][:, at] - middle)
        ax.errorbar(
            at, middle, yerr=ends, fmt="o", color=_ENSEMBLE, markersize=2.5, elinewidth=0.8, zorder=4, label="_networks"
        )
        ax.plot(layers, np.where(np.isfinite(p.value), p.value, np.nan), **theory)
        ax.set_ylabel(f"${QUANTITIES[name].mathematics}^l$" if name in _BY_LAYER else symbol(name))

    def _top(self) -> float:
        """The largest variance shown."""
        p, start = self._comparison.predicted["q"], self.ensemble.experiment.start
        reach = start
        with np.errstate(all="ignore"):
            upper = p.mean + 2 * np.nan_to_num(p.sd)
        for values in (p.value, upper, self._comparison.statistics["q"].quantiles[-1]):
            known = values[np.isfinite(values)]
            if known.size:
                reach = max(reach, min(float(known.max()), FURTHEST * start))
        return 1.08 * reach
