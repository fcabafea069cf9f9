"""What every kind of figure shares: where it goes, how large it is, in which style.

A command of this room returns the drawing that its options ask for. `FigureCommand` has the options of a page after
them, draws, and writes all files together or none.
"""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanfield.atomic_files import write_whole
from meanfield.cli.lazy_group import Command
from meanfield.cli.process import tell
from meanfield.cli.usage import read_as_written
from meanfield.cli.verdicts import hold
from meanfield.errors import OutputError
from meanfield.tables.plain import as_csv

if TYPE_CHECKING:
    from meanfield.plot.drawing import Drawing
else:
    # Typer looks at what a command returns. The class itself would load matplotlib.
    Drawing = object

__all__ = ["Drawing", "FigureCommand"]


@dataclass(frozen=True)
class _Sheet:
    """The options of a page."""

    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .pdf, .svg, .png, .pgf or .eps; repeat. Default: meanfield-KIND.pdf here.",
            show_default=False,
        ),
    ] = None
    figure_width: Annotated[
        str | None,
        typer.Option(
            "--figure-width", help="column (3.25in), page (6.75in) or a length: 3.25in, 8cm.", show_default=False
        ),
    ] = None
    figure_height: Annotated[
        str | None, typer.Option("--figure-height", help="A length; default by the figure.", show_default=False)
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            help="iclr, neurips, icml or two-column: column, page and text as in that template.",
            show_default=False,
        ),
    ] = None
    style: Annotated[str, typer.Option("--style", help="paper, slides or FILE.mplstyle.")] = "paper"
    usetex: Annotated[bool, typer.Option("--usetex", help="All text set by LaTeX.")] = False
    title: Annotated[str | None, typer.Option("--title", help="Above the figure.", show_default=False)] = None
    legend: Annotated[
        bool | None,
        typer.Option(
            "--legend/--no-legend",
            help="All names in a box, or none; default: on the curves where they fit.",
            show_default=False,
        ),
    ] = None
    dpi: Annotated[float, typer.Option("--dpi", min=50, max=2400, help="Of a .png.")] = 300.0
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE.csv", help="Write the numbers drawn.", show_default=False),
    ] = None
    show: Annotated[bool, typer.Option("--show", help="Open a window, where there is a display.")] = False

    def draw(self, kind: str, make: Callable[[], Drawing]) -> Drawing:
        """Draw on the sheet what is made, once nothing else can be wrong; returns it."""
        _require_matplotlib()
        from meanfield.plot import window
        from meanfield.plot.drawing import new_figure
        from meanfield.plot.page import Page, figure_of, format_of, latex_needed, render

        paths = self.output or []
        formats = {path: format_of(path) for path in paths}
        data = self.data or []
        _require_table(data)
        page = Page(
            self.figure_width, self.figure_height, self.style, self.preset, self.usetex, self.title, self.legend
        )
        if "png" in formats.values():
            page.require_pixels(self.dpi)
        for format in [*formats.values(), *([] if formats else ["pdf"])]:
            latex_needed(format, page)
        drawing = make()
        figure = figure_of(new_figure(drawing, page))
        for note in drawing.notes():
            tell(f"note: {note}")
        opens = self.show and window.has_display()
        if self.show and not opens:
            tell("note: there is no display to open a window on")
        if not paths and not opens:
            paths = [Path(f"meanfield-{kind}.pdf")]
            formats = {paths[0]: "pdf"}
        command = shlex.join(["meanfield", *sys.argv[1:]])
        contents = {path: render(figure, formats[path], page, command, self.dpi) for path in paths}
        contents |= {path: as_csv(drawing.records()).encode() for path in data}
        write_whole(contents)
        if not self.output:
            for path in contents:
                print(f"wrote {path}")
        if opens:
            window.show(drawing, page)
        return drawing


def _require_matplotlib() -> None:
    """Refuse, with an `OutputError`, to draw where the settings of matplotlib keep it from starting."""
    # What it logs is of itself, such as of a cache that it cannot write.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    try:
        import matplotlib  # noqa: F401
    except ValueError as fault:
        raise OutputError(f"matplotlib does not start: mend MPLBACKEND or its matplotlibrc ({fault!s:.80})") from None


class FigureCommand(Command):
    """A kind of figure: the options of its function, then those of a page, and on that what the function returns."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        app = typer.Typer(add_completion=False)
        app.command()(_Sheet)
        self._sheet: Any = typer.main.get_command(app)
        read_as_written(self._sheet.params, _Sheet)
        self.params += self._sheet.params

    def invoke(self, ctx: Any) -> None:
        """Draw."""
        sheet = self._sheet.callback(**{option.name: ctx.params.pop(option.name) for option in self._sheet.params})
        drawn = sheet.draw(self.name, partial(super().invoke, ctx))
        if ctx.params.get("strict"):
            hold(True, [drawn])


def _require_table(paths: list[Path]) -> None:
    """Refuse, with an `OutputError`, files for the numbers that are no .csv, or several."""
    for path in paths:
        if path.suffix.lower() != ".csv":
            networks = path.suffix.lower() in (".jsonl", ".npz")
            reads = f"; 'meanfield plot trajectory --networks-from {path}' draws networks" if networks else ""
            raise OutputError(f"--data {path}: it writes the numbers drawn to a .csv{reads}")
    if len(paths) > 1:
        raise OutputError(f"--data {paths[0]} and {paths[1]}: give one of a kind")
