"""The layers of a model beside theory, as an audit found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from meanfield.errors import DomainError, shortened
from meanfield.lettering import ending
from meanfield.plot.decades import count_decades, spans_decades
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import in_box, symbol, tight
from meanfield.plot.page import Page, figure_of, plain
from meanfield.quantities import QUANTITIES

if TYPE_CHECKING:
    from meanfield.torch import Audit

__all__ = ["AuditedLayers", "audit"]

Array = NDArray[np.float64]

#: What a panel shows, from the top, and what is written at its axis.
_QUANTITIES = ("q", "rho", "log_gradient")
_WRITTEN = (
    *("module", *(f"{name}{what}" for name in _QUANTITIES for what in ("", "_theory", "_sd", "_z"))),
    "gradient_is",
)
_THEORY: dict[str, Any] = {"color": "#20466e", "fmt": "_", "markersize": 6, "markeredgewidth": 1.4, "elinewidth": 3.0}
_MEASURED: dict[str, Any] = {"color": "#b2182b", "marker": "o", "markersize": 2.5, "linewidth": 0.8, "zorder": 4}
#: What is exactly 0, where the axis is of a logarithm: at its lower end.
_NOTHING: dict[str, Any] = {"color": "#b2182b", "marker": "v", "markersize": 4.0, "linestyle": "none", "zorder": 4}
#: Around theory, and where the first layer departs.
_SPREAD = "#9db6d3"
_DEPARTS: dict[str, Any] = {"color": "0.35", "linestyle": (0, (1.2, 1.2)), "linewidth": 1.0, "zorder": 0}
#: Of longer names the ends are shown; text is about half as wide as it is high, and names stand so much apart.
_LONGEST, _SLIM, _APART = 14, 0.55, 1.3
#: Of the width of the figure that an axis takes.
_AXIS = 0.8


def audit(
    report: Audit | Mapping[str, Any],
    ax: Sequence[Axes] | None = None,
    *,
    label: str = "",
    page: Page | None = None,
    **line: Any,
) -> tuple[Axes, ...]:
    """By layer q, ρ and the squared gradient: measured, and what theory makes of what was measured beside it.

    Args:
        report: by `meanfield.torch.audit`, or its record.
        ax: an Axes for each of the three that was measured; by default those of a new figure.
        label: what the model is called, above a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines of what was measured.

    Raises:
        DomainError: no audit.
    """
    return draw(AuditedLayers(_record(report), label), ax, page, **line)


def _record(report: Audit | Mapping[str, Any]) -> Mapping[str, Any]:
    record = report if isinstance(report, Mapping) else {}
    if not isinstance(report, Mapping | type) and callable(getattr(report, "record", None)):
        record = report.record()
    rows = [row for row in record.get("layers") or () if isinstance(row, Mapping)]
    if not rows or not all({"module", *_QUANTITIES} <= {*row} for row in rows) or "threshold" not in record:
        raise DomainError(f"{shortened(report)} is no audit to draw: give what meanfield.torch.audit returns")
    return record


@dataclass(frozen=True)
class AuditedLayers(Drawing):
    """A panel for every quantity that was measured; see `audit`."""

    record: Mapping[str, Any]
    label: str = ""  # type: ignore[misc]

    @property
    def panels(self) -> int:  # type: ignore[override]
        """One for every quantity."""
        return len(self._shown)

    @property
    def aspect(self) -> float:  # type: ignore[override]
        """Panels are as high in every figure; the names below them take room too."""
        return 0.3 + 0.46 * self.panels

    @cached_property
    def _shown(self) -> list[str]:
        return [name for name in _QUANTITIES if np.isfinite(self._column(name)).any()]

    def _column(self, key: str) -> Array:
        """By layer, NaN where there is nothing."""
        return np.array([row.get(key) for row in self.record["layers"]], dtype=float)

    @cached_property
    def _departs(self) -> int | None:
        """The first row in which a distance is beyond what is allowed."""
        z = np.array([self._column(f"{name}_z") for name in _QUANTITIES])
        beyond = np.flatnonzero((np.abs(z) > self.record["threshold"]).any(axis=0))
        return int(beyond[0]) if beyond.size else None

    def records(self) -> list[Record]:
        """A row for every layer, as they ran."""
        return [
            {"layer": i, **{key: row[key] for key in _WRITTEN if key in row}}
            for i, row in enumerate(self.record["layers"], 1)
        ]

    def _is_nothing(self, name: str) -> NDArray[np.bool_]:
        """By layer, whether it is exactly 0 where the axis is that of a logarithm."""
        values = self._column(name)
        nothing: NDArray[np.bool_] = values == (0.0 if name == "q" and spans_decades(values) else -np.inf)
        if name == "log_gradient":
            # JSON has no −∞, and says it in words.
            nothing |= np.array([row.get("gradient_is") == "exactly 0" for row in self.record["layers"]])
        return nothing

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        layers = np.arange(1.0, len(self.record["layers"]) + 1)
        measured = {**_MEASURED, **line}
        for ax, name in zip(axes, self._shown, strict=True):
            if name == "q" and spans_decades(self._column("q")):
                count_decades(ax, self._column("q"))
            self._paint_one(ax, name, layers, measured)
            if self._departs is not None:
                ax.axvline(self._departs + 1, label="_departs", **_DEPARTS)
            called = QUANTITIES[name].latex if name == "log_gradient" else f"${QUANTITIES[name].mathematics}^l$"
            ax.set_ylabel(tight(called))
        last = axes[-1]
        last.set_xlim(0.4, len(layers) + 0.6)
        self._name_layers(last)
        last.set_xlabel("layer " + symbol("layer"))
        if legend is not False:
            keys: dict[str, Any] = {
                "measured": Line2D([], [], **measured),
                r"theory $\pm 2$ sd": axes[0].containers[0],
            }
            if any(self._is_nothing(name).any() for name in self._shown):
                keys["exactly 0"] = Line2D([], [], **_NOTHING)
            if self._departs is not None:
                keys["departs first"] = Line2D([], [], **_DEPARTS)
            in_box(axes[0], list(keys.values()), list(keys))

    def _paint_one(self, ax: Axes, name: str, layers: Array, measured: dict[str, Any]) -> None:
        values, theory, sd = (self._column(f"{name}{what}") for what in ("", "_theory", "_sd"))
        lower = upper = 2 * np.nan_to_num(sd)
        if ax.get_yscale() == "log":
            # Down to half of what else is there, where two deviations go below 0.
            least = 0.5 * np.nanmin([q for q in (*values, *theory) if q > 0])
            lower = np.minimum(lower, np.maximum(theory - least, 0.0))
        if name == "rho":
            upper = np.minimum(upper, np.maximum(1 - theory, 0.0))
        known = np.where(np.isfinite(theory), theory, np.nan)
        ax.errorbar(layers, known, yerr=[lower, upper], ecolor=_SPREAD, label="_theory", zorder=2, **_THEORY)
        ax.plot(layers, np.where(np.isfinite(values), values, np.nan), label="_measured", **measured)
        if (nothing := layers[self._is_nothing(name)]).size:
            bottom = ax.get_xaxis_transform()
            ax.plot(nothing, 0 * nothing, transform=bottom, clip_on=False, label="_nothing", **_NOTHING)

    def _name_layers(self, ax: Axes) -> None:
        """The names of layers below the axis, of as many as there is room for; across where they fit."""
        names = [plain(name) for name in _endings([row["module"] for row in self.record["layers"]])]
        size = rcParams["xtick.labelsize"]
        room = _AXIS * figure_of(ax).get_size_inches()[0] * 72 / len(names)
        across = max(map(len, names)) * _SLIM * size + size <= room
        step = 1 if across else int(np.ceil(_APART * size / room))
        shown = range(0, len(names), step)
        ax.set_xticks([i + 1 for i in shown], [names[i] for i in shown], rotation=0 if across else 90)
        ax.set_xticks(range(1, len(names) + 1), minor=True)


def _endings(names: Sequence[str]) -> list[str]:
    """The ends of names, as short as tells them apart."""
    sizes = range(_LONGEST, max(map(len, names)) + 1)
    found = ([ending(name, size) for name in names] for size in sizes)
    return next((ends for ends in found if len({*ends}) == len({*names})), [*names])
