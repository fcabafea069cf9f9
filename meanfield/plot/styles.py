"""How figures look: the styles paper and slides, those of files, and the sizes of templates.

The rules of print are rules of the style: no line under 0.8 pt and no text under 7 pt. A script is set at 0.7 of its
text; text with scripts is therefore 10 pt, other text 8 pt.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_params_from_file, rcParams

from meanfield.errors import OutputError

__all__ = ["PAPER", "PRESETS", "STYLES", "read_style", "sizes"]

#: Points of text, and any number of a style: what is larger fits on no page.
_SMALLEST_TEXT, _LARGEST_TEXT, _LARGEST_NUMBER = 1.0, 200.0, 1e4
#: Bytes of a style file.
_LARGEST_FILE = 1_000_000


def sizes(scale: float, text: float = 8) -> dict[str, Any]:
    """Text and lines of a style; 1 is print. `text`: points of what has no scripts."""
    ticks = {f"{axis}tick.{which}.width": 0.8 * scale for axis in "xy" for which in ("major", "minor")}
    return {
        "font.size": text * scale,
        "axes.labelsize": 10 * scale,
        "axes.titlesize": 10 * scale,
        "figure.titlesize": 10 * scale,
        "xtick.labelsize": text * scale,
        "ytick.labelsize": text * scale,
        "legend.fontsize": text * scale,
        "lines.linewidth": 1.2 * scale,
        "lines.markersize": 5 * scale,
        "lines.markeredgewidth": 0.8 * scale,
        "axes.linewidth": 0.8 * scale,
        "patch.linewidth": 0.8 * scale,
        "hatch.linewidth": 0.8 * scale,
        "grid.linewidth": 0.8 * scale,
        **ticks,
    }


PAPER = {
    **sizes(1),
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
STYLES: dict[str, dict[str, Any]] = {"paper": PAPER, "slides": {**PAPER, **sizes(2)}}


@dataclass(frozen=True)
class Template:
    """Of a conference or journal: inches of a column and of the whole text, points of text without scripts."""

    column: float
    page: float
    text: float


#: ICLR, NeurIPS: \textwidth 5.5 in, text of 10 pt, \small of 9. ICML: \columnwidth 3.25 in, \textwidth 6.75 in,
#: captions of 9 pt. IEEE: graphics of 3.5 and 7.16 in, their text of 8 pt.
PRESETS = {
    "iclr": Template(5.5, 5.5, 9),
    "neurips": Template(5.5, 5.5, 9),
    "icml": Template(3.25, 6.75, 8),
    "two-column": Template(3.5, 7.16, 8),
}


def read_style(path: Path) -> Mapping[str, Any]:
    """The settings of a style file.

    Raises:
        OutputError: it is none, or a line of it is no setting with a value that fits.
    """
    log = logging.getLogger("matplotlib")
    level = log.level
    # matplotlib leaves out what is wrong and logs it; here it is told.
    log.setLevel(logging.ERROR)
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            raise OSError
        lines = path.read_text(encoding="utf-8").split("\n")
        settings: dict[str, Any] = dict(rc_params_from_file(path, use_default_template=False).items())
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
        if key:
            _require_size(settings[key], key, f"{path}, line {number}")
    return {key: value for key, value in settings.items() if not key.startswith(("backend", "interactive"))}


def _require_size(value: Any, key: str, where: str) -> None:
    """Refuse numbers of a style that fit on no page, or are none, with an `OutputError`."""
    for number in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(number, int | float):
            continue
        if key.endswith(("font.size", "labelsize", "titlesize", "fontsize")):
            if not (_SMALLEST_TEXT <= number <= _LARGEST_TEXT):
                sizes = f"{_SMALLEST_TEXT:g} to {_LARGEST_TEXT:g}"
                raise OutputError(f"{where}: {key} = {number:g} is no size of text: give {sizes} points")
        elif not (abs(number) <= _LARGEST_NUMBER):
            raise OutputError(f"{where}: {key} = {number:g} fits on no page: give at most {_LARGEST_NUMBER:g}")
