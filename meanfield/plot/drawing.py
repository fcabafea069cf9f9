"""What every kind of figure is: numbers, and how they are drawn on Axes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, overload

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.edge import EdgeOfChaos
from meanfield.errors import DomainError
from meanfield.mean_field import MeanField
from meanfield.plot.page import Page, figure_of
from meanfield.stability import diagnose

__all__ = ["Drawing", "Network", "Networks", "at_rest", "draw", "named", "new_figure"]

Record = dict[str, Any]
#: A network, or an edge of chaos, which is one with its q*.
Network = MeanField | EdgeOfChaos
#: One network, or several by the label of their curves.
Networks = Network | Mapping[str, Network]


class Drawing(ABC):
    """The numbers of a figure, computed when it is made, and how they are drawn.

    `panels` Axes hold it; `aspect` is its height over its width, `usual_width` its width in inches.
    """

    panels: ClassVar[int] = 1
    aspect: ClassVar[float] = 0.8
    usual_width: ClassVar[float] = 3.25

    @abstractmethod
    def records(self) -> list[Record]:
        """Every number drawn, a row each."""

    @abstractmethod
    def paint(self, axes: Sequence[Axes], legend: bool | None, **line: Any) -> None:
        """Draw on as many Axes as there are panels; `legend` as in `Page`, `line` for the curves."""

    def arrange(self, figure: Figure) -> list[Axes]:
        """The Axes of a new figure: panels below one another that share x."""
        return list(figure.subplots(self.panels, 1, squeeze=False, sharex=True)[:, 0])

    def notes(self) -> list[str]:
        """What could not be drawn, a line each."""
        return []


def new_figure(drawing: Drawing, page: Page, **line: Any) -> list[Axes]:
    """The drawing on a new page."""
    with page.context():
        axes = drawing.arrange(page.figure(drawing.aspect, drawing.usual_width))
        drawing.paint(axes, page.legend, **line)
        figure = figure_of(axes)
        figure.draw_without_rendering()
        # Names stand where they do for this layout.
        figure.set_layout_engine("none")
    return axes


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


def named(networks: Networks) -> dict[str, Network]:
    """Networks by label; one alone needs none."""
    return dict(networks) if isinstance(networks, Mapping) else {"": networks}


def at_rest(network: Network) -> tuple[MeanField, float | None]:
    """A network and the fixed point q* > 0 that it is judged at, None if there is none."""
    if isinstance(network, EdgeOfChaos):
        return network.mean_field, network.q_star
    point = diagnose(network).fixed_point
    return network, point.q if point and point.q > 0 else None
