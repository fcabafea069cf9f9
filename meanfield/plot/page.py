"""The sheet that a figure is drawn on, its size as printed, and the files it becomes."""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context, rcParams, style as matplotlib_style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont

from meanfield.atomic_files import write_whole
from meanfield.errors import DomainError, OutputError
from meanfield.plot.styles import PAPER, PRESETS, STYLES, read_style, sizes
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
#: Widths with a name, in inches: a column and the text of a paper; where no template is named, of one in two columns.
_WIDTHS = {"column": 3.25, "page": 6.75}
_UNITS = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}
#: A bitmap of more pixels a side fits in no memory.
_MOST_PIXELS = 20_000
_NARROWEST, _WIDEST = 1.5, 50.0
#: Where no width is asked for; everything on it is of twice the size.
_SLIDE, _SLIDE_SCALE = 10.0, 2.0


@dataclass(frozen=True)
class Page:
    """How a new figure is laid out.

    Attributes:
        width: "column" (3.25 in), "page" (6.75 in), a number of inches, or a length such as "8cm"; by default a column,
            the page for what has many panels, and 10 in in the style slides.
        height: likewise a length; by default what suits the figure.
        style: "paper", "slides" or the path of an .mplstyle file, which changes the paper style.
        preset: "iclr", "neurips", "icml" or "two-column" (as IEEE's): column, page and text have the sizes of that
            template. What else is given here, a width or a style file, holds against it.
        usetex: all text set by LaTeX.
        title: above the figure.
        legend: True for a legend in a box, False for none; by default labels stand on the curves where they fit.

    Raises:
        DomainError: a length that is none, or a preset; OutputError: a style that cannot be read or is none of print.
    """

    width: str | float | None = None
    height: str | float | None = None
    style: str | Path = "paper"
    preset: str | None = None
    usetex: bool = False
    title: str | None = None
    legend: bool | None = None

    def __post_init__(self) -> None:
        if self.preset is not None and self.preset not in PRESETS:
            raise DomainError(f"{self.preset} is no preset of a page: give one of {', '.join(PRESETS)}")
        if self.preset is not None and str(self.style) == "slides":
            raise OutputError(f"the preset {self.preset} is of print, the style slides is not: give one of them")
        _ = self._length("width"), self._length("height")
        with self.context():
            # LaTeX has fonts of its own.
            for family in [] if rcParams["text.usetex"] else rcParams["font.family"]:
                try:
                    findfont(FontProperties(family=family), fallback_to_default=False)
                except ValueError:
                    raise OutputError(f"{self.style}: no font of the family {family} is installed") from None

    def context(self) -> AbstractContextManager[None]:
        """matplotlib with this style, and as it was before afterwards."""
        chosen: list[Any] = ["default", STYLES.get(str(self.style), PAPER)]
        if self.preset:
            chosen.append(sizes(1, PRESETS[self.preset].text))
        if str(self.style) not in STYLES:
            chosen.append(read_style(Path(self.style)))
        if self.usetex:
            chosen.append({"text.usetex": True, "font.family": "serif"})
        # What a style may not change: embedded fonts, and a figure of the size asked for.
        chosen.append({"pdf.fonttype": 42, "ps.fonttype": 42, "savefig.bbox": None})
        context: AbstractContextManager[None] = matplotlib_style.context(chosen)
        return context

    def _length(self, side: str) -> float | None:
        """The width or height in inches, None where none is asked for.

        Raises:
            DomainError: it is no length from 1.5 to 50 in.
        """
        length = getattr(self, side)
        if length is None:
            return None
        names = {name: self._named(name) for name in _WIDTHS}
        text = str(length).strip()
        match = re.fullmatch(r"([0-9.]+) *(in|cm|mm|pt)?", text)
        try:
            inches = names[text] if text in names else float(match[1]) * _UNITS[match[2] or "in"] if match else math.nan
        except ValueError:
            inches = math.nan
        if not (_NARROWEST <= inches <= _WIDEST):
            raise DomainError(
                f"a figure of {side} {text}{' in' if match and not match[2] else ''} cannot be: give "
                f"{', '.join(names)}, or {_NARROWEST:g} to {_WIDEST:g} in, such as 3.25in or 8cm (units of a layer are "
                "--width)"
            )
        return inches

    def _named(self, name: str) -> float:
        """The inches of "column" or "page"."""
        width: float = getattr(PRESETS[self.preset], name) if self.preset else _WIDTHS[name]
        return width

    def require_pixels(self, dpi: float) -> None:
        """Refuse a size of which a bitmap would fit in no memory.

        Raises:
            OutputError: it would not.
        """
        _require_pixels([self._length("width") or 0.0, self._length("height") or 0.0], dpi)

    def figure(self, aspect: float, usual: str = "column", make: Callable[..., Figure] = Figure) -> Figure:
        """A new figure, within the context.

        `aspect` is its height over its width at its usual width, "column" or "page", if the page has no height; a wider
        figure grows in height as the root of its width. `make` is given its size in inches; by default the figure
        belongs to no window.
        """
        slides = str(self.style) == "slides"
        width = self._length("width") or (_SLIDE if slides else self._named(usual))
        designed = _WIDTHS[usual] * (_SLIDE_SCALE if slides else 1.0)
        height = self._length("height") or aspect * min(width, math.sqrt(width * designed))
        figure = make(figsize=(width, height))
        if make is Figure:
            FigureCanvasAgg(figure)
        if self.title is not None:
            figure.suptitle(plain(self.title), wrap=True)
        return figure


def _require_pixels(inches: Sequence[float], dpi: float) -> None:
    if max(inches) * dpi > _MOST_PIXELS:
        raise OutputError(
            f"a bitmap of more than {_MOST_PIXELS} pixels a side is too large: give less --dpi or --figure-width"
        )


def text_size(text: str) -> float:
    """The size of a text in the style in force: text with scripts is larger, so that the scripts are legible."""
    inside = "".join(text.split("$")[1::2])
    size: float = rcParams["axes.labelsize"] if "^" in inside or "_" in inside else rcParams["font.size"]
    return size


def plain(text: str) -> str:
    """A user's text as text, without the signs that mathematics and LaTeX are made of."""
    if rcParams["text.usetex"]:
        from meanfield.lettering import latex_text

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
    if format == "png" and dpi:
        _require_pixels(figure.get_size_inches().tolist(), dpi)
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
    if format == "svg":
        assert isinstance(content, bytes)
        return _numbered(content)
    if format == "eps":
        assert isinstance(content, bytes)
        return re.sub(rb"^%%CreationDate: .*\n", b"", content, flags=re.MULTILINE)
    if isinstance(content, str):
        # What matplotlib writes numbers with, and defines only in documents of its own.
        return f"% {maker}: {command}\n\\providecommand{{\\mathdefault}}[1]{{#1}}\n{content}".encode()
    return content


def _numbered(svg: bytes) -> bytes:
    """With what clips numbered as it comes: matplotlib names it by where it lies in memory."""
    names = dict.fromkeys(re.findall(rb'<clipPath id="([^"]+)"', svg))
    for number, name in enumerate(names, 1):
        svg = svg.replace(b'"%s"' % name, b'"clip%d"' % number).replace(b"(#%s)" % name, b"(#clip%d)" % number)
    return svg


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
