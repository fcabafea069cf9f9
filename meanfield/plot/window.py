"""A window with a figure in it, where there is a display: the one place that uses pyplot."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from meanfield.plot.page import Page

__all__ = ["window"]


def window(figure: Figure, page: Page) -> Callable[[], object] | None:
    """What opens a window with the figure and waits until it is closed; None where there is no display."""
    from matplotlib import pyplot

    manager = pyplot.figure().canvas.manager
    pyplot.close("all")
    if manager is None or type(manager).pyplot_show is None or pyplot.get_backend().lower() == "agg":
        return None

    def opened() -> None:
        with page.context():
            shown = type(manager.canvas).new_manager(figure, 1)
            shown.show()
            type(shown).start_main_loop()

    return opened
