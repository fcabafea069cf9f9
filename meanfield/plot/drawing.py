"""What every kind of figure is: numbers, and how they are drawn on Axes."""

from __future__ import annotations

import subprocess
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, overload

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from meanfield.errors import DomainError, OutputError
from meanfield.infinite_width.operating_point import OperatingPoint, Subject, operating_point_of
from meanfield.plot.page import Page, figure_of, latex_fault, plain

__all__ = ["Drawing", "Networks", "Record", "draw", "labelled", "named", "new_figure", "require_range"]

T = TypeVar("T")
Record = dict[str, Any]
#: One network, or several by the label of their curves.
Networks = Subject | Mapping[str, Subject]


#: A panel lower or narrower than this, in inches, shows nothing.
_LEAST_PANEL = 0.25


class Drawing(ABC):
    """The numbers of a figure, computed when it is made, and how they are drawn.

    `label` is what the activation is called where a figure has only one. `panels` Axes hold it; `aspect` is its height
    over its width at its usual width, "column" or "page".
    """

    label: ClassVar[str] = ""
    panels: ClassVar[int] = 1
    aspect: ClassVar[float] = 0.8
    usual_width: ClassVar[str] = "column"

    @abstractmethod
    def records(self) -> list[Record]:
        """Every number drawn, a row each."""

    @abstractmethod
    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw on as many Axes as there are panels; `legend` as in `Page`, `line` for the curves."""

    def arrange(self, figure: Figure) -> list[Axes]:
        """The Axes of a new figure: panels below one another that share x."""
        self.entitle(figure)
        return list(figure.subplots(self.panels, 1, squeeze=False, sharex=True)[:, 0])

    def entitle(self, figure: Figure) -> None:
        """What the activation is called stands above the figure, unless a title does."""
        if self.label and figure.get_suptitle() == "":
            figure.suptitle(plain(self.label), wrap=True)

    def notes(self) -> list[str]:
        """What could not be drawn, a line each."""
        return []


def new_figure(drawing: Drawing, page: Page, **line: Any) -> list[Axes]:
    """The drawing on a new page.

    Raises:
        DomainError: the page is too small for it; OutputError: a text that cannot be set.
    """
    with page.context(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            axes = drawing.arrange(page.figure(drawing.aspect, drawing.usual_width))
            drawing.paint(axes, page.legend, **line)
            figure = figure_of(axes)
            for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
                # The power of ten beside an axis has a script.
                axis.get_offset_text().set_fontsize(rcParams["axes.labelsize"])
            figure.draw_without_rendering()
        except (RuntimeError, subprocess.SubprocessError) as error:
            if not rcParams["text.usetex"]:
                raise
            raise latex_fault("pdf", error) from None
        # Names stand where they do for this layout.
        figure.set_layout_engine("none")
    for warning in caught:
        text = str(warning.message)
        if "Glyph" in text:
            raise OutputError(f"the font has no character for a text in the figure ({text.split('(')[0].strip()})")
        if "constrained_layout" not in text:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    # Where the layout gave up there is no room.
    _require_room(figure)
    return axes


def _require_room(figure: Figure) -> None:
    """Refuse a page on which a panel is too small to read or a text runs off."""
    least = _LEAST_PANEL * figure.dpi
    panels = [ax.get_window_extent() for ax in figure.axes if ax.get_label() != "<colorbar>"]
    page = figure.bbox.padded(3)
    off = [text for text in _names(figure) if not _within(text.get_window_extent(), page)]
    if off or any(min(panel.width, panel.height) < least for panel in panels):
        width, height = figure.get_size_inches()
        raise DomainError(
            f"the figure does not fit on {width:.4g} x {height:.4g} in: give more --figure-width or --figure-height"
            + (f", or shorter names ({off[0].get_text()[:40]!r} runs off)" if off else "")
        )


def _names(figure: Figure) -> list[Text]:
    """The title, the labels of axes and curves, and the entries of legends."""
    found = list(figure.texts)
    for ax in figure.axes:
        found += [*ax.texts, ax.xaxis.label, ax.yaxis.label]
        if legend := ax.get_legend():
            found += legend.get_texts()
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _within(box: Bbox, page: Bbox) -> bool:
    return bool(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1)


@overload
def draw(drawing: Drawing, ax: Axes | None, page: Page | None, **line: Any) -> Axes: ...
@overload
def draw(drawing: Drawing, ax: Sequence[Axes] | None, page: Page | None, **line: Any) -> tuple[Axes, ...]: ...
def draw(drawing: Drawing, ax: Any, page: Page | None, **line: Any) -> Any:
    """The drawing on the Axes given, in the style in force there, or on a new page; the Axes drawn on.

    Raises:
        DomainError: not as many Axes as the drawing has panels.
    """
    if ax is None:
        axes = new_figure(drawing, page or Page(), **line)
    else:
        axes = [ax] if isinstance(ax, Axes) else list(ax)
        if len(axes) != drawing.panels:
            raise DomainError(
                f"{len(axes)} Axes are given for a figure of {drawing.panels} panels: give {drawing.panels}"
            )
        drawing.paint(axes, page.legend if page else None, **line)
    return axes[0] if drawing.panels == 1 else tuple(axes)


def labelled(given: T | Mapping[str, T], kind: Any, needs: str) -> dict[str, T]:
    """What is drawn, each of the kind, by label; one alone needs none.

    Raises:
        DomainError: it is nothing, or not of the kind; `needs` says what would do.
    """
    several = dict(given) if isinstance(given, Mapping) else {"": given}
    if not several or not all(isinstance(one, kind) for one in several.values()):
        raise DomainError(f"a figure of {needs}, or several by label")
    return several


def named(networks: Networks) -> dict[str, OperatingPoint]:
    """Networks at their operating points, by label; a `DomainError` if what is given is not networks."""
    several: dict[str, Subject] = labelled(networks, Subject, "maps needs networks: give a MeanField or EdgeOfChaos")
    return {label: operating_point_of(network) for label, network in several.items()}


def require_range(values: Sequence[float], name: str, meaning: str) -> None:
    """Refuse fewer than two places to draw a curve over, with a `DomainError`."""
    if len(set(values)) < 2:
        given = f"{name} = {values[0]:g} alone" if values else f"an empty {name}"
        raise DomainError(f"{given} is no range to draw over: give two or more {meaning}")
