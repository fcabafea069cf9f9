"""What every kind of figure shares: where it goes, how large it is, in which style.

A command of this room returns the drawing that its options ask for; `pictured` gives it the options of a page, draws,
and writes all files together or none.
"""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from meanfield.atomic_files import require_places, write_whole
from meanfield.cli.output import as_csv
from meanfield.errors import OutputError

if TYPE_CHECKING:
    from meanfield.plot.drawing import Drawing

__all__ = ["pictured"]

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "output": (
        Annotated[
            list[Path] | None,
            typer.Option(
                "--output",
                "-o",
                metavar="FILE",
                help="A .pdf, .svg, .png, .pgf or .eps; repeat. Default: meanfield-KIND.pdf here.",
                show_default=False,
            ),
        ],
        None,
    ),
    "width": (
        Annotated[
            str | None,
            typer.Option(
                "--width", help="column (3.25in), page (6.75in) or a length: 3.25in, 8cm.", show_default=False
            ),
        ],
        None,
    ),
    "height": (
        Annotated[str | None, typer.Option("--height", help="A length; default by the figure.", show_default=False)],
        None,
    ),
    "style": (Annotated[str, typer.Option("--style", help="paper, slides or FILE.mplstyle.")], "paper"),
    "usetex": (Annotated[bool, typer.Option("--usetex", help="All text set by LaTeX.")], False),
    "title": (Annotated[str | None, typer.Option("--title", help="Above the figure.", show_default=False)], None),
    "legend": (
        Annotated[
            bool | None,
            typer.Option(
                "--legend/--no-legend",
                help="All names in a box, or none; default: on the curves where they fit.",
                show_default=False,
            ),
        ],
        None,
    ),
    "dpi": (Annotated[float, typer.Option("--dpi", min=50, max=2400, help="Of a .png.")], 300.0),
    "data": (
        Annotated[
            list[Path] | None,
            typer.Option(
                "--data",
                metavar="FILE.csv",
                help="Write the numbers drawn; 'trajectory' also reads.",
                show_default=False,
            ),
        ],
        None,
    ),
    "show": (Annotated[bool, typer.Option("--show", help="Open a window, where there is a display.")], False),
}


#: The parameter of a kind that draws networks from a file, which --data names.
_READ = "networks_from"


def pictured(kind: Callable[..., Drawing]) -> Callable[..., None]:
    """The command that draws what `kind` returns, with the options of a page after its own."""
    # What a command returns is known to the type checker alone: its name would load matplotlib.
    hints = get_type_hints(kind, localns={"Drawing": object}, include_extras=True)
    parameters = inspect.signature(kind).parameters.items()
    own = [p.replace(annotation=hints[name]) for name, p in parameters if name != _READ]
    shared = [
        inspect.Parameter(f"page_{name}", inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]

    @functools.wraps(kind)
    def command(**given: Any) -> None:
        page = {name: given.pop(f"page_{name}") for name in _OPTIONS}
        page["data"], networks = _written_and_read(page["data"] or [], _READ in inspect.signature(kind).parameters)
        if networks:
            given[_READ] = networks
        _draw(kind, given, **page)

    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
    return command


def _written_and_read(paths: list[Path], reads: bool) -> tuple[Path | None, Path | None]:
    """Where the numbers go that are drawn, and where networks are that were simulated.

    Raises:
        OutputError: a name that is of neither, or two of one kind.
    """
    written = [path for path in paths if path.suffix == ".csv"]
    read = [path for path in paths if reads and path.suffix in (".jsonl", ".npz")]
    for path in paths:
        if path not in written and path not in read:
            also = ", and reads networks of 'meanfield simulate' from a .jsonl or .npz" if reads else ""
            raise OutputError(f"--data {path}: it writes the numbers drawn to a .csv{also}")
    if len(written) > 1 or len(read) > 1:
        raise OutputError(f"--data {paths[0]} and {paths[1]}: give one of a kind")
    return next(iter(written), None), next(iter(read), None)


def _draw(
    kind: Callable[..., Drawing],
    given: dict[str, Any],
    *,
    output: list[Path] | None,
    width: str | None,
    height: str | None,
    style: str,
    usetex: bool,
    title: str | None,
    legend: bool | None,
    dpi: float,
    data: Path | None,
    show: bool,
) -> None:
    from meanfield.plot import window
    from meanfield.plot.drawing import new_figure
    from meanfield.plot.page import Page, figure_of, format_of, latex_needed, render

    paths = output or []
    formats = {path: format_of(path) for path in paths}
    require_places([*paths, *([data] if data else [])])
    page = Page(width, height, style, usetex, title, legend)
    for format in [*formats.values(), *([] if formats else ["pdf"])]:
        latex_needed(format, page)
    drawing = kind(**given)
    figure = figure_of(new_figure(drawing, page))
    for note in drawing.notes():
        print(f"meanfield: note: {note}", file=sys.stderr)
    opens = show and window.has_display()
    if show and not opens:
        print("meanfield: note: there is no display to open a window on", file=sys.stderr)
    if not paths and not opens:
        paths = [Path(f"meanfield-{kind.__name__}.pdf")]
        formats = {paths[0]: "pdf"}
    command = shlex.join(["meanfield", *sys.argv[1:]])
    contents = {path: render(figure, formats[path], page, command, dpi) for path in paths}
    if data:
        contents[data] = as_csv(drawing.records()).encode()
    write_whole(contents)
    if not output:
        for path in contents:
            print(f"wrote {path}")
    if opens:
        window.show(drawing, page)
