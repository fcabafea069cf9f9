"""What came of training: test accuracy against sparsity, with the verdict that was fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from meanfield.errors import DomainError
from meanfield.lettering import counted, ending
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import GREY, curve_styles, in_box, shortened_names, symbol
from meanfield.plot.page import Page, plain
from meanfield.quantities import QUANTITIES
from meanfield.tables.records import grouped
from meanfield.training.accuracy_table import SHAPE, accuracies
from meanfield.training.results import read_results

__all__ = ["TrainingResults", "training_results"]

_WRITTEN = (
    *(*SHAPE, "name", "activation", "verdict", "runs", "diverged"),
    *("sparsity", "test_sparsity", "test_accuracy", "test_accuracy_sd"),
)
_MARKERS = "os^Dv<P*"
#: How a marker is filled by the verdict; a dot stands in the middle of an open one.
_FILLS = {"safe": "full", "stable": "full", "neutral": "dot", "fragile": "left", "unstable": "none"}
_NO_VERDICT, _NO_VERDICT_FILL = "no verdict", "bottom"
#: Characters of the name of an activation, and of data.
_LONGEST = 28
_RELU: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "zorder": 0}
#: Of the range of accuracies, left free at either end; and the strip of what diverged, below. The least range.
_MARGIN, _STRIP, _LEAST = 0.08, 0.16, 0.02
#: Of the range of sparsities, left free likewise, and between networks in the strip. The least range.
_SIDE, _APART, _LEAST_SIDE = 0.06, 0.045, 0.1


def training_results(
    paths: str | Path | Iterable[str | Path],
    ax: Axes | Sequence[Axes] | None = None,
    *,
    page: Page | None = None,
    **line: Any,
) -> Axes | tuple[Axes, ...]:
    """Test accuracy against measured sparsity, a point with ± sd over seeds for each network that was tested.

    A network all or some of whose runs diverged stands in a strip below, without an accuracy; at its sparsity in theory
    if none has one that was measured.

    Args:
        paths: files of results of `meanfield experiment`.
        ax: an Axes for each shape, data set and length of training; by default those of a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's error bars.

    Raises:
        OutputError: a file that cannot be read or holds something else.
        DomainError: no network was tested in them.
    """
    return draw(TrainingResults.read(paths), ax, page, **line)


@dataclass(frozen=True)
class TrainingResults(Drawing):
    """A panel for every shape, data set and length of training; see `training_results`.

    `rows` are those of `accuracies`.
    """

    rows: Sequence[Record]

    @classmethod
    def read(cls, paths: str | Path | Iterable[str | Path]) -> TrainingResults:
        """The networks that were tested, of all files together."""
        results = read_results(paths)
        return cls(accuracies(results, [setting for setting in results.runs if not setting.validation]))

    def __post_init__(self) -> None:
        if not self.rows:
            raise DomainError("no network was tested in these results: let an experiment finish one")

    @cached_property
    def _panels(self) -> dict[tuple[Any, ...], list[Record]]:
        return grouped(self.rows, SHAPE)

    @cached_property
    def _styles(self) -> dict[str, dict[str, Any]]:
        """Marker and colour by the name of the activation."""
        names = dict.fromkeys(row["name"] for row in self.rows)
        pairs = zip(names, cycle(_MARKERS), curve_styles(len(names)), strict=False)
        return {name: {"marker": marker, "color": style["color"]} for name, marker, style in pairs}

    @property
    def panels(self) -> int:  # type: ignore[override]
        """One for every shape, data set and length of training: networks that differ in one are not compared."""
        return len(self._panels)

    @property
    def aspect(self) -> float:  # type: ignore[override]
        """Panels are as high in every figure; the legend takes room too."""
        return 0.4 + 0.5 * self.panels

    def records(self) -> list[Record]:
        """A row for every network, of no accuracy if all its runs diverged."""
        return [{name: row[name] for name in _WRITTEN} for row in self.rows]

    def notes(self) -> list[str]:
        """How many runs diverged."""
        return [
            f"{row['activation']}, width {row['width']}, depth {row['depth']}: "
            f"{round(row['diverged'] * row['runs'])} of {counted(row['runs'], 'run')} diverged"
            for row in self.rows
            if row["diverged"]
        ]

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        low, high = _ends([_place(row) for row in self.rows], _LEAST_SIDE, _SIDE)
        differ = len({row["epochs"] for row in self.rows}) > 1
        for ax, (shape, rows) in zip(axes, self._panels.items(), strict=True):
            ax.set_xlim(low, high)
            self._paint_one(ax, rows, line)
            if legend is not False:
                _name_beside(ax, dict(zip(SHAPE, shape, strict=True)), with_epochs=differ)
        axes[-1].set_xlabel("sparsity, measured")
        if legend is not False:
            keys = self._keys()
            in_box(axes[0], list(keys.values()), list(keys))

    def _paint_one(self, ax: Axes, rows: Sequence[Record], line: dict[str, Any]) -> None:
        known = [row for row in rows if row["test_accuracy"] is not None]
        diverged = [row for row in rows if row["diverged"]]
        ends = [row["test_accuracy"] + sign * (row["test_accuracy_sd"] or 0.0) for row in known for sign in (-1, 1)]
        low, high = _ends(ends, _LEAST, _MARGIN) if ends else (0.0, 1.0)
        for row in known:
            self._mark(ax, row, _place(row), row["test_accuracy"], row["test_accuracy_sd"], line)
        relu = [row["test_accuracy"] for row in known if row["name"] == "relu"]
        if relu:
            ax.axhline(max(relu), label="_relu", **_RELU)
        ax.set_ylim(low, high)
        ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
        ax.set_ylabel(f"{symbol('test_accuracy')} accuracy")
        if diverged:
            strip = _STRIP * (high - low)
            ax.set_ylim(low - strip, high)
            ax.axhline(low, label="_strip", color=GREY, linewidth=0.8, linestyle=(0, (1.2, 1.2)), zorder=0)
            ax.set_yticks([low - strip / 2, *ticks], ["diverged", *(f"{tick:g}" for tick in ticks)])
            ax.get_yticklines()[0].set_visible(False)
            for row, x in zip(diverged, _apart([_place(row) for row in diverged], ax.get_xlim()), strict=True):
                self._mark(ax, row, x, low - strip / 2, None, line)

    def _mark(self, ax: Axes, row: Record, x: float, y: float, sd: float | None, line: dict[str, Any]) -> None:
        first, *dot = _marks(row["verdict"], self._styles[row["name"]])
        ax.errorbar(x, y, yerr=sd, **{"label": "_network", "elinewidth": 0.8, "zorder": 3, **first, **line})
        for style in dot:
            ax.plot(x, y, label="_dot", zorder=4, **style)

    def _keys(self) -> dict[str, Any]:
        """What explains colours and markers, then how they are filled, then ReLU's line, by what is said of them."""
        keys: dict[str, Any] = {}
        for name, style in zip(shortened_names([*self._styles], _LONGEST), self._styles.values(), strict=True):
            keys[plain(name)] = Line2D([], [], linestyle="none", **style)
        given = [row["verdict"] if row["verdict"] in [*_FILLS] else _NO_VERDICT for row in self.rows]
        for word in (word for word in (*_FILLS, _NO_VERDICT) if word in given):
            keys[word] = tuple(Line2D([], [], **style) for style in _marks(word, {"marker": "o", "color": "0.3"}))
        if any(row["name"] == "relu" and row["test_accuracy"] is not None for row in self.rows):
            keys["level of ReLU"] = Line2D([], [], **_RELU)
        return keys


def _place(row: Record) -> float:
    """The sparsity at which a network stands."""
    measured, foretold = row["test_sparsity"], row["sparsity"]
    return float(foretold if measured is None else measured)


def _marks(word: str | None, style: dict[str, Any]) -> list[dict[str, Any]]:
    """The marker of a verdict, and the dot that some have in it."""
    fill = _FILLS[word] if word in [*_FILLS] else _NO_VERDICT_FILL
    is_open = fill in ("none", "dot")
    marker = {
        **style,
        "linestyle": "none",
        "fillstyle": "full" if is_open else fill,
        "markerfacecolor": "white" if is_open else style["color"],
        "markerfacecoloralt": "white",
    }
    dot = {
        "marker": ".",
        "color": style["color"],
        "linestyle": "none",
        "markersize": 0.8 * rcParams["lines.markersize"],
    }
    return [marker, dot] if fill == "dot" else [marker]


def _ends(values: Sequence[float], least: float, margin: float) -> tuple[float, float]:
    """The ends of an axis that shows the values, and at least so long a part of it."""
    low, high = min(values), max(values)
    wider = max(least - (high - low), 0.0) / 2
    low, high = low - wider, high + wider
    return low - margin * (high - low), high + margin * (high - low)


def _apart(places: Sequence[float], ends: tuple[float, float]) -> list[float]:
    """Places on an axis, moved to the right or left as far as no two coincide."""
    gap = _APART * (ends[1] - ends[0])
    order = np.argsort(places, kind="stable")
    moved = [0.0] * len(places)
    last = -math.inf
    for i in order:
        last = moved[i] = max(places[i], last + gap)
    # What leaves the axis is moved back.
    beyond = ends[1] - gap / 2
    for i in order[::-1]:
        moved[i] = min(moved[i], beyond)
        beyond = moved[i] - gap
    return moved


def _name_beside(ax: Axes, shape: Record, *, with_epochs: bool) -> None:
    """Data and shape along the right side, where nothing is drawn; and epochs, where panels differ in them."""
    n, depth = QUANTITIES["width"].mathematics, QUANTITIES["depth"].mathematics
    data = ending(Path(str(shape["data"])).name, _LONGEST)
    what = plain(data if shape["model"] == "dense" else f"{data}, {shape['model']}")
    text = f"{what}, ${n} = {shape['width']}$, ${depth} = {shape['depth']}$"
    if with_epochs:
        text += f"\n{counted(shape['epochs'], 'epoch')}"
    ax.text(1.02, 0.5, text, transform=ax.transAxes, rotation=270, va="center", ha="left", ma="center")
