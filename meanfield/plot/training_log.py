"""One training run: its layers at the start, on the way and at the end; loss and accuracy over its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from meanfield.errors import DomainError
from meanfield.lettering import counted, ending
from meanfield.plot.decades import count_decades, spans_decades
from meanfield.plot.drawing import Drawing, Record, draw
from meanfield.plot.labels import in_box, lift_above_ticks, shortened_names, symbol, tight
from meanfield.plot.page import Page
from meanfield.quantities import QUANTITIES
from meanfield.training.log import BY_LAYER, read_log
from meanfield.training.setting import Setting

__all__ = ["TrainingLog", "training_log"]

Array = NDArray[np.float64]

_LAYER_LABELS = {"q": "$q^l$", "gradient_norm": r"$\ln|g^l|$", "sparsity": "sparsity"}
#: Shades from light to dark, of the first step and the last; the first is dashed and the last thick.
_LIGHT, _DARK = 0.85, 0.05
_FIRST: dict[str, Any] = {"linestyle": (0, (3, 1.2)), "linewidth": 1.2}
_ON_THE_WAY: dict[str, Any] = {"linestyle": "-", "linewidth": 0.8}
_LAST: dict[str, Any] = {"linestyle": "-", "linewidth": 1.8}
_STAR: dict[str, Any] = {"color": "0.35", "linestyle": (0, (1.2, 1.2)), "linewidth": 1.0, "zorder": 0}
#: Networks of so few layers have a dot at each.
_FEW_LAYERS = 12
#: Of shades between the first and the last, how many the legend shows.
_SHOWN = 4
#: Characters of the activation in the title, and of the data.
_LONGEST = 28
_LOSS: dict[str, Any] = {"color": "#20466e", "linewidth": 1.2, "marker": "s", "markersize": 2.5}
_ACCURACY: dict[str, Any] = {"color": "#b2182b", "linewidth": 1.2, "marker": "o", "markersize": 2.5}
#: The mean over the latest hundred steps, in training.
_MEAN: dict[str, Any] = {"color": "0.35", "linewidth": 1.8, "marker": "D", "markersize": 2.5, "zorder": 1.5}
_TESTED: dict[str, Any] = {"linestyle": (0, (3, 1.2)), "markerfacecolor": "white"}


def training_log(
    path: str | Path, ax: Sequence[Axes] | None = None, *, page: Page | None = None, **line: Any
) -> tuple[Axes, ...]:
    """By layer q, ln of the norm of the gradient and sparsity, from the start of a run to its end; loss and accuracy.

    Args:
        path: the log of `meanfield train`.
        ax: four Axes; by default those of a new figure.
        page: size and style of a new figure.
        line: passed on to matplotlib's lines of the layers.

    Raises:
        OutputError: a file that cannot be read or is no log.
        DomainError: a log of a run that was not begun.
    """
    return draw(TrainingLog.read(Path(path)), ax, page, **line)


@dataclass(frozen=True)
class TrainingLog(Drawing):
    """Three panels by layer and one over steps; see `training_log`. `lines` are those of `read_log`."""

    setting: Setting
    lines: Sequence[Record]
    panels = 4
    aspect = 1.75

    @classmethod
    def read(cls, path: Path) -> TrainingLog:
        """The run of a log."""
        setting, _, lines = read_log(path)
        return cls(setting, lines)

    def __post_init__(self) -> None:
        if not self.lines:
            raise DomainError("nothing is logged of this run yet: let it begin")

    @cached_property
    def _end(self) -> Record | None:
        """How the run ended, if it has."""
        return next((line for line in self.lines if "outcome" in line), None)

    @cached_property
    def _looks(self) -> list[Record]:
        """What was measured before the end."""
        return [line for line in self.lines if "outcome" not in line]

    @cached_property
    def _steps(self) -> list[int]:
        """Those at which layers were measured, each once."""
        return sorted({line["step"] for line in self.lines})

    @cached_property
    def _layers(self) -> dict[str, Array]:
        """What was measured of layers, shape (steps, depth), NaN where it overflowed."""
        at = {line["step"]: line for line in self.lines}
        found = {name: np.array([at[step][name] for step in self._steps], dtype=float) for name in BY_LAYER}
        # What is no number is not 0 either.
        found["sparsity"][~np.isfinite(found["q"])] = np.nan
        return found

    @cached_property
    def _log_gradient(self) -> Array:
        norm = self._layers["gradient_norm"]
        return np.log(np.where(norm > 0, norm, np.nan))

    @property
    def label(self) -> str:  # type: ignore[override]
        """What was trained and how it ended, above a new figure."""
        s = self.setting
        (name,) = shortened_names([s.name], _LONGEST)
        return f"{name}, N = {s.width}, L = {s.depth}, {ending(Path(s.data).name, _LONGEST)}\n{self._told}"

    @property
    def _told(self) -> str:
        if self._end is None:
            return f"unfinished, as far as step {self._steps[-1]}"
        if self._end["outcome"] == "diverged":
            layer = self._end.get("first_layer")
            where = ": the loss, no hidden layer" if layer is None else f", in layer {layer} first"
            return f"diverged after step {self._end['step']}{where}"
        return f"{self._tested_on} accuracy {self._end['test_accuracy']:.3g}"

    @property
    def _tested_on(self) -> str:
        return "validation" if self.setting.validation else "test"

    @cached_property
    def _performance(self) -> dict[str, Array]:
        """Loss and accuracy at each look, on either set; of a run that diverged also the loss that says so."""
        columns = {f"{on}_{what}": f"{name}_{what}" for on, name in self._sets.items() for what in ("loss", "accuracy")}
        if self._end and self._end["outcome"] == "diverged":
            columns["loss"] = "loss"
        return {
            called: np.array([look.get(key) for look in self._looks], dtype=float) for called, key in columns.items()
        }

    @property
    def _sets(self) -> dict[str, str]:
        """What the log calls the examples trained on, and those that are not."""
        return {"train": "train", "test": self._tested_on}

    def records(self) -> list[Record]:
        """A row for every step and layer; one for every step, without layer; one for the end, with its outcome."""
        layers = [
            {
                "step": step,
                "layer": layer + 1,
                "q_star": self.setting.q_star,
                **{name: float(values[i, layer]) for name, values in self._layers.items()},
            }
            for i, step in enumerate(self._steps)
            for layer in range(self.setting.depth)
        ]
        looks = [
            {"step": look["step"], **{name: float(values[i]) for name, values in self._performance.items()}}
            for i, look in enumerate(self._looks)
        ]
        ends = [
            {"step": end["step"], **{name: end.get(name) for name in (*self._performance, "outcome", "first_layer")}}
            for end in ([self._end] if self._end else [])
        ]
        rows: list[Record] = [*layers, *looks, *ends]
        columns = dict.fromkeys(key for row in [*rows, {"outcome": None, "first_layer": None}] for key in row)
        return [{key: row.get(key) for key in columns} for row in rows]

    def notes(self) -> list[str]:
        """How a run ended that did not finish, and where layers show nothing."""
        finished = self._end is not None and self._end["outcome"] == "finished"
        found = [] if finished else [f"the run {'is ' if self._end is None else ''}{self._told}"]
        lost = int((~np.isfinite(self._log_gradient)).sum())
        if lost:
            found.append(f"gradients are 0 or overflow in {counted(lost, 'place')}, a gap in the figure")
        return found

    def arrange(self, figure: Figure) -> list[Axes]:
        """Panels below one another; those by layer share it."""
        self.entitle(figure)
        *by_layer, last, over_steps = figure.subplots(self.panels, 1)
        for ax in by_layer:
            ax.sharex(last)
            ax.tick_params(labelbottom=False)
        return [*by_layer, last, over_steps]

    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw."""
        *by_layer, over_steps = axes
        shown = {**self._layers, "gradient_norm": self._log_gradient}
        styles = self._styles(line)
        for ax, (name, label) in zip(by_layer, _LAYER_LABELS.items(), strict=True):
            self._paint_layers(ax, shown[name], styles)
            ax.set_ylabel(tight(label))
        q, last = by_layer[0], by_layer[-1]
        q.axhline(self.setting.q_star, label="_q_star", **_STAR)
        if spans_decades(shown["q"]):
            # The number of a tick at the end stands above it.
            q.margins(y=0.12)
            count_decades(q, [*shown["q"].ravel(), self.setting.q_star])
        last.set_xlim(0.5, self.setting.depth + 0.5)
        last.xaxis.set_major_locator(MaxNLocator(integer=True))
        last.set_xlabel("layer " + symbol("layer"))
        keys = self._paint_steps(over_steps)
        if legend is not False:
            self._explain_layers(q, styles)
            in_box(over_steps, list(keys.values()), list(keys))
            for ax in (q, over_steps):
                lift_above_ticks(ax)

    def _styles(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """Of the curve of each step."""
        shades = np.interp(self._steps, [self._steps[0], max(self._steps[-1], 1)], [_LIGHT, _DARK])
        dots = {"marker": "o", "markersize": 2.0} if self.setting.depth <= _FEW_LAYERS else {}
        whole = [_FIRST, *[_ON_THE_WAY] * (len(shades) - 2), _LAST][: len(shades)]
        return [
            {"color": colormaps["viridis"](shade), **dots, **style, **line}
            for shade, style in zip(shades, whole, strict=True)
        ]

    def _paint_layers(self, ax: Axes, values: Array, styles: Sequence[dict[str, Any]]) -> None:
        layers = np.arange(1, self.setting.depth + 1)
        for step, row, style in zip(self._steps, values, styles, strict=True):
            ax.plot(layers, np.where(np.isfinite(row), row, np.nan), label=f"_step {step}", **style)

    def _explain_layers(self, ax: Axes, styles: Sequence[dict[str, Any]]) -> None:
        lines = [Line2D([], [], **style) for style in styles]
        keys: dict[str, Any] = {f"step {self._steps[0]}": lines[0]}
        if between := lines[1:-1]:
            chosen = np.linspace(0, len(between) - 1, min(_SHOWN, len(between))).round().astype(int)
            keys["on the way"] = [between[i] for i in chosen]
        if len(lines) > 1:
            keys[f"step {self._steps[-1]}"] = lines[-1]
        keys[tight(QUANTITIES["q_star"].latex)] = Line2D([], [], **_STAR)
        in_box(ax, list(keys.values()), list(keys))

    def _paint_steps(self, ax: Axes) -> dict[str, Line2D]:
        """Loss on the left axis, accuracy on the right one; the lines by their names."""
        right = ax.twinx()
        right.spines["right"].set_visible(True)
        steps = [look["step"] for look in self._looks]
        keys = {}
        for what, on, style in (("loss", ax, _LOSS), ("accuracy", right, _ACCURACY)):
            for name, called in self._sets.items():
                look = {**style, **(_TESTED if name == "test" else {})}
                (keys[f"{what}, {called}"],) = on.plot(steps, self._performance[f"{name}_{what}"], label="_run", **look)
            on.set_ylabel(what)
        if "loss" in self._performance:
            (keys["loss, 100 steps"],) = ax.plot(steps, self._performance["loss"], label="_mean", **_MEAN)
        losses = np.concatenate([values for name, values in self._performance.items() if name.endswith("loss")])
        if spans_decades(losses):
            count_decades(ax, losses)
        right.set_ylim(0, 1.03)
        end = max(self._steps[-1], 1)
        # Room for the marks at either end.
        ax.set_xlim(-0.01 * end, 1.01 * end)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("step")
        return keys
