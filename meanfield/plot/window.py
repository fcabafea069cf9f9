"""A window with a figure in it, where there is a display: the one place that uses pyplot."""

from __future__ import annotations

from meanfield.plot.drawing import Drawing
from meanfield.plot.page import Page

__all__ = ["has_display", "show"]


def has_display() -> bool:
    """Whether matplotlib finds a display, and something to open windows with."""
    from matplotlib import pyplot

    figure = pyplot.figure()
    interactive = type(figure.canvas).required_interactive_framework is not None
    pyplot.close(figure)
    return interactive


def show(drawing: Drawing, page: Page) -> None:
    """Open a window with the drawing, and wait until it is closed."""
    from matplotlib import pyplot

    with page.context():
        axes = drawing.arrange(page.figure(drawing.aspect, drawing.usual_width, pyplot.figure))
        drawing.paint(axes, page.legend)
        pyplot.show(block=True)
