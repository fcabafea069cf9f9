"""A signal over depth: theory, how far it strays at finite width, and networks as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from meanfield.finite_width.signal_paths import SignalPaths
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import curve_styles, in_box, symbol
from meanfield.plot.page import Page

if TYPE_CHECKING:
    from meanfield.simulation.ensemble import Ensemble

__all__ = ["BAND", "FURTHEST", "SAMPLE", "SignalTrajectories", "trajectory"]

Array = NDArray[np.float64]

#: Variances are drawn up to this many times that at layer 0; what runs away leaves the figure.
FURTHEST = 6.0
#: Colours of theory's band and of the networks.
BAND, SAMPLE = "#c9d6e6", "0.45"


def trajectory(
    paths: SignalPaths | Ensemble,
    ax: Sequence[Axes] | None = None,
    *,
    samples: int = 12,
    page: Page | None = None,
    **line: Any,
) -> tuple[Axes, ...]:
    """q^l above ρ^l: theory, ±2 standard deviations, and sample paths.

    Of `signal_paths` the band of q is the prediction of theory, that of ρ what its chains have. Of an ensemble that was
    simulated all bands are theory's, with sparsity and gradients below if they were measured, and with its median and
    its quantiles from 5 to 95 %.

    Args:
        paths: by `meanfield.signal_paths`, `meanfield.simulate` or `meanfield.read_ensemble`.
        ax: as many Axes as there are quantities; by default those of a new figure.
        samples: how many of the networks are drawn.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines of the theory.
    """
    if not isinstance(paths, SignalPaths):
        from meanfield.plot.ensemble_trajectories import EnsembleTrajectories

        return draw(EnsembleTrajectories(paths, samples), ax, page, **line)
    return draw(SignalTrajectories(paths, samples), ax, page, **line)


@dataclass(frozen=True)
class SignalTrajectories(Drawing):
    """See `trajectory`."""

    paths: SignalPaths
    samples: int = 12
    panels = 2
    aspect = 1.15

    def _samples(self) -> int:
        return min(self.samples, int(self.paths.chains.first.shape[1]))

    def records(self) -> list[Record]:
        """A row for every layer of the theory, network empty; and of each sample path, whose number stands there."""
        p = self.paths
        rows: list[Record] = []
        for layer in range(len(p.layers)):
            row = {key: float(getattr(p, key)[layer]) for key in _THEORY}
            rows.append({"layer": layer, "network": None, **row})
        nothing: Record = dict.fromkeys(_THEORY)
        for k in range(self._samples()):
            rows += [
                {
                    "layer": layer,
                    "network": k,
                    **nothing,
                    "q": float(p.chains.first[layer, k]),
                    "rho": float(p.chains.rho[layer, k]),
                }
                for layer in range(len(p.layers))
            ]
        return rows

    def notes(self) -> list[str]:
        """What theory does not predict."""
        if np.isnan(self.paths.q_sd[1:]).all():
            return ["q has no fixed point to stray from: no band of q is drawn"]
        if self.paths.chains.first[:, : self._samples()].max(initial=0.0) > FURTHEST * self.paths.q[0]:
            return [f"networks with q beyond {FURTHEST * self.paths.q[0]:.4g} leave the figure there"]
        return []

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        upper, lower = axes
        p = self.paths
        (style,) = curve_styles(1)
        count = self._samples()
        for ax, theory, mean, sd, chains in (
            (upper, p.q, p.q_mean, p.q_sd, p.chains.first),
            (lower, p.rho, p.rho_mean, p.rho_sd, p.chains.rho),
        ):
            with np.errstate(all="ignore"):
                low, high = mean - 2 * sd, mean + 2 * sd
            floor, ceiling = (0.0, np.inf) if ax is upper else (-1.0, 1.0)
            ax.fill_between(
                p.layers,
                np.clip(low, floor, ceiling),
                np.clip(high, floor, ceiling),
                color=BAND,
                linewidth=0,
                zorder=0,
            )
            for k in range(count):
                ax.plot(p.layers, chains[:, k], color=SAMPLE, linewidth=0.8, zorder=1, label="_sample")
            ax.plot(p.layers, theory, **{**style, "linewidth": 1.6, "zorder": 3, "label": "_theory", **line})
        upper.set_ylim(0, self._top())
        values = p.chains.rho[:, :count]
        least = float(np.nanmin([np.nanmin(p.rho), np.nanmin(values) if np.isfinite(values).any() else 0.0]))
        lower.set_ylim(min(0.0, 1.05 * least), 1.02)
        lower.set_xlim(0, len(p.layers) - 1)
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        upper.set_ylabel(r"$q^l$")
        lower.set_ylabel(r"$\rho^l$")
        lower.set_xlabel("layer " + symbol("layer"))
        if legend is not False:
            keys = [
                Line2D([], [], **{**style, "linewidth": 1.6, **line}, label="theory"),
                Patch(color=BAND, label=rf"$\pm 2$ sd, $N = {p.width}$"),
                Line2D([], [], color=SAMPLE, linewidth=0.8, label="networks"),
            ]
            in_box(upper, keys if count else keys[:2])

    def _top(self) -> float:
        """The largest variance shown: what runs away leaves the figure."""
        p = self.paths
        with np.errstate(all="ignore"):
            band = p.q_mean + 2 * p.q_sd
        start = float(p.q[0])
        drawn = p.chains.first[:, : self._samples()]
        reach = max(start, min(float(drawn.max(initial=0.0)), FURTHEST * start))
        for values in (p.q, band):
            known = values[np.isfinite(values)]
            if known.size:
                reach = max(reach, min(float(known.max()), FURTHEST * start))
        return 1.08 * float(reach)


#: What theory says of a layer.
_THEORY = ("q", "q_mean", "q_sd", "rho", "rho_mean", "rho_sd")
