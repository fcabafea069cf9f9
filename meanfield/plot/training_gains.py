"""Test accuracy over the gain χ₁ at q*, on the edge of chaos and beside it, a curve for every depth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from meanfield.errors import DomainError
from meanfield.lettering import counted, ending
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import GREY, curve_styles, symbol
from meanfield.plot.page import Page, figure_of, plain
from meanfield.quantities import QUANTITIES
from meanfield.tables.records import grouped
from meanfield.training.accuracy_table import accuracies
from meanfield.training.beside_the_edge import COLUMNS, gained
from meanfield.training.results import read_results

__all__ = ["TrainingGains", "training_gains"]

#: Panels beside one another.
_ABREAST = 3
#: Of a panel: its height over its width, and that of the axis and legend that all share.
_PANEL, _REST = 0.75, 0.12
#: Networks that are alike in these are one panel.
_PANELS = ("data", "model", "optimizer", "epochs", "batch", "width", "name", "activation", "q_star")
_ORDER = ("data", "model", "optimizer", "epochs", "width", "name", "sparsity", "depth", "chi_1")
_LONGEST = 24
_EDGE: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "zorder": 0}
_FORETOLD: dict[str, Any] = {"linewidth": 0.8, "linestyle": (0, (1.2, 1.2)), "zorder": 0}


def training_gains(
    paths: str | Path | Iterable[str | Path],
    ax: Axes | Sequence[Axes] | None = None,
    *,
    page: Page | None = None,
    **line: Any,
) -> Axes | tuple[Axes, ...]:
    """Test accuracy against χ₁(q*), mean ± sd over seeds, of networks that were trained on their edge and beside it.

    A dotted line of the colour of a depth is the gain for training that theory foretells.

    Args:
        paths: files of results of `meanfield experiment`.
        ax: an Axes for each activation, width and data set; by default those of a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's error bars.

    Raises:
        OutputError: a file that cannot be read or holds something else.
        DomainError: no network was tested both on its edge of chaos and beside it.
    """
    return draw(TrainingGains.read(paths), ax, page, **line)


@dataclass(frozen=True)
class TrainingGains(Drawing):
    """A panel for every activation, width and data set; see `training_gains`. `rows` are those of `gained`."""

    rows: Sequence[Record]
    usual_width = "page"

    @classmethod
    def read(cls, paths: str | Path | Iterable[str | Path]) -> TrainingGains:
        """The networks that were tested, of all files together."""
        results = read_results(paths)
        return cls(gained(accuracies(results, [setting for setting in results.runs if not setting.validation])))

    def __post_init__(self) -> None:
        if not self.rows:
            raise DomainError("no network in these results was trained both on its edge of chaos and beside it")

    @cached_property
    def _panels(self) -> dict[tuple[Any, ...], list[Record]]:
        return grouped(sorted(self.rows, key=lambda row: [row[name] for name in _ORDER]), _PANELS)

    @cached_property
    def _styles(self) -> dict[int, dict[str, Any]]:
        """Of the curves, by depth."""
        depths = sorted({row["depth"] for row in self.rows})
        return dict(zip(depths, curve_styles(len(depths)), strict=True))

    @property
    def panels(self) -> int:  # type: ignore[override]
        """One for every activation, width and data set."""
        return len(self._panels)

    @property
    def aspect(self) -> float:  # type: ignore[override]
        """Panels are as high in every figure."""
        return _REST + _PANEL * math.ceil(self.panels / _ABREAST) / min(_ABREAST, self.panels)

    def arrange(self, figure: Figure) -> list[Axes]:
        """Panels in rows, which share χ₁."""
        columns = min(_ABREAST, self.panels)
        grid = figure.subplots(math.ceil(self.panels / columns), columns, squeeze=False, sharex=True).ravel()
        for spare in grid[self.panels :]:
            spare.remove()
        # The last panel of a column has its numbers, though the row below has none there.
        for ax in grid[max(self.panels - columns, 0) : self.panels]:
            ax.tick_params(labelbottom=True)
            ax.set_xlabel(symbol("chi_1"))
        return list(grid[: self.panels])

    def _name(self, row: Record) -> str:
        """What a panel is of, with what its network differs in from others of its name."""
        n = QUANTITIES["width"].mathematics
        alike = [other for other in self.rows if other["name"] == row["name"]]
        several = len({other["activation"] for other in alike}) > 1
        zeros = [f"{100 * row['sparsity']:.3g} % zeros"] if several else []
        what = [
            ending(Path(str(row["data"])).name, _LONGEST),
            *([row["model"]] if row["model"] != "dense" else []),
            *([row["optimizer"]] if row["optimizer"] != "adam" else []),
            *([counted(row["epochs"], "epoch")] if len({other["epochs"] for other in self.rows}) > 1 else []),
        ]
        first, second = (plain(", ".join(words)) for words in ([row["name"], *zeros], what))
        return f"{first}, ${n} = {row['width']}$\n{second}"

    def records(self) -> list[Record]:
        """A row for every network, of no accuracy if all its runs diverged."""
        return [{name: row[name] for name in COLUMNS} for row in self.rows]

    def notes(self) -> list[str]:
        """Networks of which there is no accuracy to draw."""
        return [
            f"{row['activation']}, width {row['width']}, depth {row['depth']}, χ₁ = {row['chi_1']:.3g}: none ended"
            for row in self.rows
            if row["test_accuracy"] is None
        ]

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        keys: dict[int, Any] = {}
        for ax, rows in zip(axes, self._panels.values(), strict=True):
            ax.axvline(1.0, label="_edge", **_EDGE)
            for depth, style in self._styles.items():
                known = [row for row in rows if row["depth"] == depth and row["test_accuracy"] is not None]
                if known:
                    x, y, sd = ([row[key] for row in known] for key in ("chi_1", "test_accuracy", "test_accuracy_sd"))
                    # Of a single run no spread is known.
                    bars = [math.nan if spread is None else spread for spread in sd]
                    look = {"label": "_network", "elinewidth": 0.8, "marker": ".", **style, **line}
                    drawn = ax.errorbar(x, y, yerr=bars, **look)
                    if foretold := known[0]["chi_1_for_training"]:
                        ax.axvline(foretold, label="_foretold", **{**style, **_FORETOLD})
                    keys.setdefault(depth, drawn)
            if legend is not False:
                ax.set_title(self._name(rows[0]), fontsize="small")
        for ax in axes[::_ABREAST]:
            ax.set_ylabel(f"{symbol('test_accuracy')} accuracy")
        if legend is not False:
            symbol_of_depth, shown = QUANTITIES["depth"].mathematics, sorted(keys)
            named = {f"${symbol_of_depth} = {depth}$": keys[depth] for depth in shown}
            named["foretold"] = Line2D([], [], color="0.3", **_FORETOLD)
            named["edge of chaos"] = Line2D([], [], **_EDGE)
            _explain(axes, named)


def _explain(axes: Sequence[Axes], named: dict[str, Any]) -> None:
    """A legend above all panels, whose names stand on them; in the first where the figure is laid out by its owner."""
    figure = figure_of(axes[0])
    if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        figure.legend([*named.values()], [*named], loc="outside upper center", ncols=len(named))
    else:
        axes[0].legend([*named.values()], [*named])
