"""Random networks over depth: theory with how far it strays, and what the networks do."""

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

from meanfield.errors import DomainError
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import curve_styles, in_box, symbol
from meanfield.plot.page import Page
from meanfield.quantities import QUANTITIES
from meanfield.simulation.comparison import LEVELS, Comparison, compare
from meanfield.simulation.ensemble import Ensemble

__all__ = ["Trajectories", "trajectory"]

Array = NDArray[np.float64]

#: Variances are drawn up to this many times that at layer 0: what runs away leaves the figure.
_FURTHEST = 6.0
#: One network in so many may leave the figure all the same.
_FEW = 50
#: Of the range of variances drawn, left free at either end.
_MARGIN = 0.08
#: The mean at this width, beside that at infinite width.
_AT_WIDTH: dict[str, Any] = {"color": "#4a76a8", "linestyle": (0, (5, 1.5)), "linewidth": 1.2, "zorder": 2.5}
#: Layers that the median and spread of the networks are marked at, about.
_MARKS = 12
#: Theory's band, single networks, and all of them together.
_BAND, _SAMPLE, _ENSEMBLE = "#c9d6e6", "0.45", "#b2182b"
#: Ends of the range of a quantity; the others have none.
_RANGES = {"q": (0.0, np.inf), "rho": (-1.0, 1.0), "sparsity": (0.0, 1.0)}
#: Quantities whose layer stands beside their letter.
_BY_LAYER = ("q", "rho")


def trajectory(
    ensemble: Ensemble,
    ax: Sequence[Axes] | None = None,
    *,
    samples: int = 12,
    quantities: Sequence[str] | None = None,
    label: str = "",
    page: Page | None = None,
    **line: Any,
) -> tuple[Axes, ...]:
    """Quantities over depth: theory, its ±2 standard deviations, single networks, their median and 5 to 95 % of them.

    Args:
        ensemble: by `meanfield.simulate` or `meanfield.read_ensemble`.
        ax: as many Axes as there are quantities; by default those of a new figure.
        samples: how many of the networks are drawn.
        quantities: one or more of those measured; by default all but a sparsity of 0.
        label: what the activation is called, above a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines of the theory.

    Raises:
        DomainError: no quantity, or one that was not measured.
    """
    names = (quantities,) if isinstance(quantities, str) else None if quantities is None else tuple(quantities)
    return draw(Trajectories(ensemble, samples, names, label), ax, page, **line)


@dataclass(frozen=True)
class Trajectories(Drawing):
    """A panel for every quantity; see `trajectory`."""

    ensemble: Ensemble
    samples: int = 12
    quantities: tuple[str, ...] | None = None
    label: str = ""  # type: ignore[misc]

    def __post_init__(self) -> None:
        for name in self.quantities or ():
            self.ensemble[name]
        if not self._shown:
            raise DomainError("no quantity is named to draw: give one, such as q, or leave quantities out")
        _ = self._comparison

    @cached_property
    def _shown(self) -> tuple[str, ...]:
        """The quantities drawn."""
        if self.quantities is not None:
            return self.quantities
        measured = self.ensemble.experiment.quantities
        return tuple(name for name in measured if name != "sparsity" or self.ensemble[name].any())

    @property
    def panels(self) -> int:  # type: ignore[override]
        """One for every quantity."""
        return len(self._shown)

    @property
    def aspect(self) -> float:  # type: ignore[override]
        """Panels are as high in every figure."""
        return 0.1 + 0.52 * self.panels

    @cached_property
    def _comparison(self) -> Comparison:
        return compare(self.ensemble)

    def _band(self, name: str) -> Array:
        """Its ends by layer, shape (2, depth + 1): theory's mean ±2 standard deviations."""
        p = self._comparison.predicted[name]
        with np.errstate(all="ignore"):
            return np.array([p.mean - 2 * p.sd, p.mean + 2 * p.sd])

    def _samples(self) -> int:
        return min(self.samples, self.ensemble.experiment.networks)

    def records(self) -> list[Record]:
        """A row for every quantity and layer, network empty; and for each sample, whose number stands there."""
        rows: list[Record] = []
        for name in self._shown:
            p, s = self._comparison.predicted[name], self._comparison.statistics[name]
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
        """Where there is no band, what leaves the figure, and what overflowed."""
        found = []
        for name in self._shown:
            gap = np.flatnonzero(~np.isfinite(self._band(name)).all(axis=0))
            if gap.size:
                what = QUANTITIES[name].symbol
                found.append(f"theory has no spread of {what} from layer {gap[0]} on: no band is drawn there")
        if "q" in self._shown:
            top = self._ends()[1]
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
        for ax, name in zip(axes, self._shown, strict=True):
            self._paint_one(ax, name, theory)
            if name == "q":
                ax.set_ylim(*self._ends())
        e, last = self.ensemble.experiment, axes[-1]
        # Room for the marks at either end.
        last.set_xlim(-0.01 * e.depth, 1.01 * e.depth)
        last.xaxis.set_major_locator(MaxNLocator(integer=True))
        last.set_xlabel("layer " + symbol("layer"))
        if legend is not False:
            marks: dict[str, Any] = {"color": _ENSEMBLE, "marker": "o", "markersize": 2.5, "linewidth": 0.8}
            keys: dict[str, Any] = {
                f"theory, {symbol('infinite_width')}": Line2D([], [], **theory),
                rf"theory, $N = {e.width}$, $\pm 2$ sd": (Patch(color=_BAND), Line2D([], [], **_AT_WIDTH)),
            }
            if self._samples():
                keys["networks"] = Line2D([], [], color=_SAMPLE, linewidth=0.8)
            keys["median, 5–95 %"] = Line2D([], [], **marks)
            in_box(axes[0], list(keys.values()), list(keys))

    def _paint_one(self, ax: Axes, name: str, theory: dict[str, Any]) -> None:
        p, s = self._comparison.predicted[name], self._comparison.statistics[name]
        layers = np.arange(len(p.value))
        band = self._band(name)
        known = np.isfinite(band).all(axis=0)
        ends = _RANGES.get(name, (-np.inf, np.inf))
        ax.fill_between(layers[known], *np.clip(band[:, known], *ends), color=_BAND, linewidth=0, zorder=0)
        for values in self.ensemble[name][: self._samples()]:
            shown = np.where(np.isfinite(values), values, np.nan)
            ax.plot(layers, shown, color=_SAMPLE, linewidth=0.8, alpha=0.6, zorder=1, label="_sample")
        at = layers[:: -(-len(layers) // _MARKS)]
        at = at[np.isfinite(s.quantiles[:, at]).all(axis=0)]
        middle = s.quantiles[list(LEVELS).index("q50"), at]
        spread = np.abs(s.quantiles[[0, -1]][:, at] - middle)
        marks: dict[str, Any] = {"fmt": "o", "color": _ENSEMBLE, "markersize": 2.5, "elinewidth": 0.8, "zorder": 4}
        ax.errorbar(at, middle, yerr=spread, label="_networks", **marks)
        ax.plot(layers[known], p.mean[known], **_AT_WIDTH, label="_at width")
        ax.plot(layers, np.where(np.isfinite(p.value), p.value, np.nan), **theory)
        ax.set_ylabel(f"${QUANTITIES[name].mathematics}^l$" if name in _BY_LAYER else symbol(name))

    def _ends(self) -> tuple[float, float]:
        """The least and largest variance shown: of the theory, its band, the networks drawn and all but a few."""
        p, e = self._comparison.predicted["q"], self.ensemble.experiment
        values = self.ensemble["q"]
        farthest = np.sort(values.max(axis=1))[-1 - e.networks // _FEW], np.sort(values.min(axis=1))[e.networks // _FEW]
        drawn = values[: self._samples()].ravel()
        shown = np.concatenate([p.value, np.maximum(self._band("q"), 0.0).ravel(), drawn, farthest])
        shown = shown[np.isfinite(shown)]
        top = min(float(shown.max(initial=e.start)), _FURTHEST * e.start)
        low = min(float(shown.min(initial=e.start)), top)
        room = _MARGIN * ((top - low) or top)
        return max(low - room, 0.0), top + room
