"""The sheet that a figure is drawn on: its size, its style, and the files it becomes.

All lengths are those of the printed figure, so the rules of print are rules of the style: no line under 0.8 pt and no
text under 7 pt. A script is set at 0.7 of its text; text with scripts is therefore 10 pt, other text 8 pt.
"""

from __future__ import annotations

import io
import logging
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context, rc_params_from_file, rcParams, style as matplotlib_style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont

from meanfield.atomic_files import write_whole
from meanfield.errors import DomainError, OutputError
from meanfield.version import __version__

__all__ = [
    "FORMATS",
    "Page",
    "figure_of",
    "format_of",
    "latex_fault",
    "latex_needed",
    "plain",
    "render",
    "save",
    "text_size",
]

#: What a figure can be written as.
FORMATS = ("pdf", "svg", "png", "pgf", "eps")
#: Widths with a name, in inches: one column and both of a two-column paper.
_WIDTHS = {"column": 3.25, "page": 6.75}
_UNITS = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}
#: A bitmap of more pixels a side fits in no memory.
_MOST_PIXELS = 20_000
_NARROWEST, _WIDEST = 1.5, 50.0


def _sizes(scale: float) -> dict[str, Any]:
    """Text and lines of a style; 1 is print."""
    ticks = {f"{axis}tick.{which}.width": 0.8 * scale for axis in "xy" for which in ("major", "minor")}
    return {
        "font.size": 8 * scale,
        "axes.labelsize": 10 * scale,
        "axes.titlesize": 10 * scale,
        "figure.titlesize": 10 * scale,
        "xtick.labelsize": 8 * scale,
        "ytick.labelsize": 8 * scale,
        "legend.fontsize": 8 * scale,
        "lines.linewidth": 1.2 * scale,
        "lines.markersize": 5 * scale,
        "lines.markeredgewidth": 0.8 * scale,
        "axes.linewidth": 0.8 * scale,
        "patch.linewidth": 0.8 * scale,
        "hatch.linewidth": 0.8 * scale,
        "grid.linewidth": 0.8 * scale,
        **ticks,
    }


_PAPER = {
    **_sizes(1),
    # Fonts that come with matplotlib: the same figure on every machine.
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "svg.fonttype": "path",
    "svg.hashsalt": "meanfield",
    "pgf.texsystem": "pdflatex",
    "pgf.rcfonts": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.2,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 300,
}
_STYLES: dict[str, dict[str, Any]] = {"paper": _PAPER, "slides": {**_PAPER, **_sizes(2)}}
#: Where no width is asked for.
_USUAL_WIDTH = {"slides": 10.0}


@dataclass(frozen=True)
class Page:
    """How a new figure is laid out.

    Attributes:
        width: "column" (3.25 in), "page" (6.75 in), a number of inches, or a length such as "8cm"; in the style slides
            10 in by default, else a column.
        height: likewise a length; by default what suits the figure.
        style: "paper", "slides" or the path of an .mplstyle file, which changes the paper style.
        usetex: all text set by LaTeX.
        title: above the figure.
        legend: True for a legend in a box, False for none; by default labels stand on the curves where they fit.

    Raises:
        DomainError: a length that is none; OutputError: a style that cannot be read.
    """

    width: str | float | None = None
    height: str | float | None = None
    style: str | Path = "paper"
    usetex: bool = False
    title: str | None = None
    legend: bool | None = None

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            if getattr(self, name) is not None:
                _inches(name, getattr(self, name))
        with self.context():
            # LaTeX has fonts of its own.
            for family in [] if rcParams["text.usetex"] else rcParams["font.family"]:
                try:
                    findfont(FontProperties(family=family), fallback_to_default=False)
                except ValueError:
                    raise OutputError(f"{self.style}: no font of the family {family} is installed") from None

    def context(self) -> AbstractContextManager[None]:
        """matplotlib with this style, and as it was before afterwards."""
        chosen: list[Any] = ["default", _STYLES.get(str(self.style), _PAPER)]
        if str(self.style) not in _STYLES:
            chosen.append(_read_style(Path(self.style)))
        if self.usetex:
            chosen.append({"text.usetex": True, "font.family": "serif"})
        # What a style may not change: embedded fonts, and a figure of the size asked for.
        chosen.append({"pdf.fonttype": 42, "ps.fonttype": 42, "savefig.bbox": None})
        context: AbstractContextManager[None] = matplotlib_style.context(chosen)
        return context

    def figure(
        self, aspect: float, usual_width: float = _WIDTHS["column"], make: Callable[..., Figure] = Figure
    ) -> Figure:
        """A new figure, `aspect` its height over its width unless the page has a height; within the context.

        `make` is given its size in inches; by default the figure belongs to no window.
        """
        width = _USUAL_WIDTH.get(str(self.style), usual_width) if self.width is None else _inches("width", self.width)
        height = width * aspect if self.height is None else _inches("height", self.height)
        figure = make(figsize=(width, height))
        if make is Figure:
            FigureCanvasAgg(figure)
        if self.title is not None:
            figure.suptitle(plain(self.title), wrap=True)
        return figure


def _inches(name: str, length: str | float) -> float:
    text = str(length).strip()
    match = re.fullmatch(r"([0-9.]+) *(in|cm|mm|pt)?", text)
    try:
        inches = _WIDTHS[text] if text in _WIDTHS else float(match[1]) * _UNITS[match[2] or "in"] if match else math.nan
    except ValueError:
        inches = math.nan
    if not (_NARROWEST <= inches <= _WIDEST):
        raise DomainError(
            f"{name} = {text} is not a length from {_NARROWEST:g} to {_WIDEST:g} in: give column, page, or a length "
            "such as 3.25in or 8cm (the width of a layer is --units)"
        )
    return inches


def _read_style(path: Path) -> Mapping[str, Any]:
    """The settings of a style file.

    Raises:
        OutputError: it is none, or a line of it is no setting with a value that fits.
    """
    log = logging.getLogger("matplotlib")
    level = log.level
    # matplotlib leaves out what is wrong and logs it; here it is told.
    log.setLevel(logging.ERROR)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        settings = rc_params_from_file(path, use_default_template=False)
    except (OSError, UnicodeDecodeError):
        why = "is not a style: give paper, slides, or a file in matplotlib's style format, .mplstyle"
        raise OutputError(f"{path} {why}") from None
    finally:
        log.setLevel(level)
    for number, line in enumerate(lines, 1):
        key = line.split("#")[0].partition(":")[0].strip()
        if key and key not in settings:
            fault = f"the value of {key} does not fit it" if key in rcParams else f"{key} is no setting of matplotlib"
            raise OutputError(f"{path}, line {number}: {fault}")
    return {key: value for key, value in settings.items() if not key.startswith(("backend", "interactive"))}


def text_size(text: str) -> float:
    """The size of a text in the style in force: text with scripts is larger, so that the scripts are legible."""
    inside = "".join(text.split("$")[1::2])
    size: float = rcParams["axes.labelsize"] if "^" in inside or "_" in inside else rcParams["font.size"]
    return size


def plain(text: str) -> str:
    """A user's text as text, without the signs that mathematics and LaTeX are made of."""
    if rcParams["text.usetex"]:
        from meanfield.quantities import latex_text

        return latex_text(text)
    return text.replace("$", r"\$")


def figure_of(drawn: Axes | Sequence[Axes]) -> Figure:
    """The figure that holds the Axes."""
    figure = (drawn if isinstance(drawn, Axes) else drawn[0]).get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def save(drawn: Axes | Sequence[Axes], *paths: str | Path, page: Page | None = None) -> None:
    """Write a figure to files, the format by their endings: pdf, svg, png, pgf or eps.

    Fonts are embedded, nothing depends on the date, and no file is written before all are drawn.

    Raises:
        OutputError: an ending that is no format, or LaTeX is needed and missing or fails.
    """
    if not paths:
        raise OutputError("no file is named to save the figure in: give one, such as figure.pdf")
    page = page or Page()
    contents = {Path(path): render(figure_of(drawn), format_of(Path(path)), page) for path in paths}
    write_whole(contents)


def format_of(path: Path) -> str:
    """The format that the ending of a path stands for.

    Raises:
        OutputError: none.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise OutputError(f"{path} does not end in a format of figures: give one of .{', .'.join(FORMATS)}")
    return ending


def render(figure: Figure, format: str, page: Page, command: str = "mf.plot", dpi: float | None = None) -> bytes:
    """The bytes of a file: the same at every call, with the command and the version of meanfield in its metadata.

    Raises:
        OutputError: LaTeX is needed and missing, or fails.
    """
    maker = f"meanfield {__version__}"
    metadata: dict[str, dict[str, Any]] = {
        "pdf": {"Creator": maker, "Subject": command, "CreationDate": None},
        "svg": {"Creator": maker, "Description": command, "Date": None},
        "png": {"Software": maker, "Description": command},
        "eps": {"Creator": f"{maker}: {command}".encode("ascii", "replace").decode()},
        "pgf": {},
    }
    if format == "png" and dpi and max(figure.get_size_inches()) * dpi > _MOST_PIXELS:
        raise OutputError(
            f"a bitmap of more than {_MOST_PIXELS} pixels a side is too large: give less --dpi or --width"
        )
    buffer = io.BytesIO() if format != "pgf" else io.StringIO()
    with page.context(), rc_context({"figure.constrained_layout.use": False}):
        options: dict[str, Any] = {} if dpi is None else {"dpi": dpi}
        if metadata[format]:
            options["metadata"] = metadata[format]
        try:
            figure.savefig(buffer, format=format, **options)
        except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
            if format != "pgf" and not rcParams["text.usetex"]:
                raise
            raise latex_fault(format, error) from None
    content = buffer.getvalue()
    if format == "eps":
        assert isinstance(content, bytes)
        return re.sub(rb"^%%CreationDate: .*\n", b"", content, flags=re.MULTILINE)
    if isinstance(content, str):
        # What matplotlib writes numbers with, and defines only in documents of its own.
        return f"% {maker}: {command}\n\\providecommand{{\\mathdefault}}[1]{{#1}}\n{content}".encode()
    return content


def latex_needed(format: str, page: Page) -> None:
    """Refuse, before anything is computed, what LaTeX would be needed for where there is none.

    Raises:
        OutputError: it is needed and missing.
    """
    tools: tuple[str, ...] = ("pdflatex",) if format == "pgf" else ()
    with page.context():
        usetex = bool(rcParams["text.usetex"])
    if usetex:
        tools = {"png": ("latex", "dvipng"), "eps": ("latex", "dvips", "gs"), "pgf": ("pdflatex", "latex")}.get(
            format, ("latex",)
        )
    for tool in tools:
        if shutil.which(tool) is None:
            needed = "--usetex" if usetex else f".{format}"
            raise OutputError(f"{needed} needs LaTeX: {tool} is not installed; install TeX Live, or leave {needed} out")


def latex_fault(format: str, error: Exception) -> OutputError:
    """What to say when LaTeX did not do its part."""
    text = str(error)
    needed = "--usetex" if rcParams["text.usetex"] else f".{format}"
    lines = [line for line in text.splitlines() if line.startswith("!")]
    why = lines[0].lstrip("! ") if lines else " ".join(text.split())[:200]
    return OutputError(f"{needed}: LaTeX failed: {why}")
