"""Naming curves: on the curve itself where the name fits and hides nothing, otherwise in a legend outside the Axes.

A name is tried at many places along its curve and on every side of it, and stands where no curve, marker or other name
is under it and its own curve is the nearest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle, islice, product
from typing import Any

import numpy as np
from matplotlib import colormaps, rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from meanfield.plot.page import figure_of, plain, text_size
from meanfield.plot.pixels import NOWHERE, Array, around, distance, is_inside, line_points, occupied, points
from meanfield.quantities import QUANTITIES, parameter_latex

__all__ = [
    "GREY",
    "curve_styles",
    "fixed_point_keys",
    "in_box",
    "label_text",
    "lift_above_ticks",
    "name_curves",
    "name_panel",
    "parameter_text",
    "point_style",
    "shortened_names",
    "symbol",
    "tight",
]

#: Guides such as the identity line.
GREY = "0.55"
_DASHES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.2, 1.2)))
#: A name is this much darker than its curve, for letters are thinner than lines.
_DARKER = 0.75
#: Places along a curve at which its name is tried, and the empty space around a name, in points.
_PLACES, _GAP = 60, 1.5
#: Characters of a name in a box, fewer where the box would take more than this share of the figure's height.
_LONGEST, _SHORTER, _LARGEST_BOX = 40, (28, 20), 0.2
#: And in a corner, where it takes no room from the curves.
_LARGEST_CORNER = 0.33
_CORNERS = ("lower right", "upper left", "upper right", "lower left")
#: Where the name of a panel may stand, of the Axes; the first again where a line runs through it in all.
_INSETS = ((0.03, 0.03), (0.97, 0.03), (0.03, 0.97), (0.97, 0.97), (0.03, 0.03))
_SIDES = [(x, y) for y in (1, -1, 0) for x in (0, 1, -1) if x or y]
_KINDS = {
    "stable": "full",
    "unstable": "none",
    "half-stable (from below)": "left",
    "half-stable (from above)": "right",
    "neutral": "bottom",
}


def symbol(key: str) -> str:
    """A quantity as mathematics, for an axis."""
    return tight(QUANTITIES[key].latex)


def parameter_text(name: str) -> str:
    """A parameter, q_star or sparsity, for an axis or a label."""
    return name if name == "sparsity" else tight(f"${parameter_latex(name)}$")


def tight(latex: str) -> str:
    """Mathematics without the gaps that matplotlib leaves around a star and after primes; LaTeX leaves none."""
    if rcParams["text.usetex"]:
        return latex
    # Outside mathematics only LaTeX reads commands.
    latex = latex.replace(r"\,\%", " %")
    primed = re.sub(r"'+", lambda found: "^{" + r"\prime" * len(found[0]) + r"}\!", latex)
    return primed.replace("^*", "^{*}")


def label_text(label: str) -> str:
    """A label as a figure shows it: tau=0.5, m=1, values of parameters, as mathematics; anything else as it is."""
    values = [re.fullmatch(r"(\w+) *= *([-+.\w]+)", part.strip()) for part in label.split(",")]
    if not all(values):
        return plain(label)
    shown = []
    for name, number in (value.groups() for value in values if value):
        number = number.replace("inf", r"\infty")
        shown.append(f"{name} = {number}" if name == "sparsity" else tight(f"${parameter_latex(name)} = {number}$"))
    return ", ".join(shown)


def curve_styles(count: int) -> list[dict[str, Any]]:
    """Colours from dark to light, told apart in greyscale and by the colour-blind, each with dashes of its own."""
    shades = np.linspace(0.05, 0.78, count) if count > 1 else [0.2]
    colours = [colormaps["viridis"](shade) for shade in shades]
    return [{"color": c, "linestyle": d} for c, d in zip(colours, islice(cycle(_DASHES), count), strict=True)]


def point_style(kind: str, colour: Any) -> dict[str, Any]:
    """The marker of a fixed point: filled where it attracts, open where it repels, half where from one side."""
    fill = _KINDS[kind]
    return {
        "marker": "D" if kind == "neutral" else "o",
        "fillstyle": "full" if fill == "none" else fill,
        "markerfacecolor": "white" if fill == "none" else colour,
        "markerfacecoloralt": "white",
        "markeredgecolor": colour,
        "linestyle": "none",
        "zorder": 4,
        "clip_on": False,
    }


def fixed_point_keys(kinds: Sequence[str]) -> list[Line2D]:
    """What explains the markers that were drawn."""
    return [Line2D([], [], label=kind, **point_style(kind, "0.2")) for kind in _KINDS if kind in kinds]


def name_curves(
    panels: Axes | Sequence[Axes], curves: Sequence[Line2D], keys: Sequence[Artist] = (), legend: bool | None = None
) -> None:
    """Name curves by their labels, and explain `keys`, further artists with a label, in a box.

    Where the figure has several panels with the same curves, in the same order, the names stand in the first in which
    they fit; `curves` are those of all panels, one panel after another. `legend`: True puts all into a box, False
    leaves all out. The box stands in a corner of a panel where it covers nothing, otherwise over the first.
    """
    if legend is False:
        return
    axes = [panels] if isinstance(panels, Axes) else list(panels)
    shown = [curve for curve in curves if curve.get_label() and not str(curve.get_label()).startswith("_")]
    if keys:
        # First, for it changes the room that there is.
        _in_a_box([(axes[0], keys)])
    if not shown or (legend is None and any(_on_curves(ax, [c for c in shown if c.axes is ax]) for ax in axes)):
        return
    if keys and (box := axes[0].get_legend()):
        box.remove()
    _in_a_box([(ax, [*(curve for curve in shown if curve.axes is ax), *keys]) for ax in axes])


def name_panel(ax: Axes, name: str) -> None:
    """The name of a panel in the first of its corners where no line runs through it."""
    figure_of(ax).draw_without_rendering()
    lines, gap = points(ax), _GAP * figure_of(ax).dpi / 72
    text = ax.text(0, 0, name, transform=ax.transAxes)
    for x, y in _INSETS:
        text.set(x=x, y=y, ha="left" if x < 0.5 else "right", va="bottom" if y < 0.5 else "top")
        if not is_inside(text.get_window_extent().padded(gap), lines):
            break


def _in_a_box(panels: Sequence[tuple[Axes, Sequence[Artist]]]) -> None:
    """The legend of the first of the panels that has a corner free for its handles, otherwise above the first.

    Names are shortened, in the middle, until the box leaves room for the figure.
    """
    ax, handles = panels[0]
    labels = [str(handle.get_label()) for handle in handles]
    for longest in (_LONGEST, *_SHORTER):
        short = shortened_names(labels, longest)
        names = dict(zip(labels, short, strict=True))
        figure_of(ax).draw_without_rendering()
        for panel, its in panels:
            if any(_in_corner(panel, its, names, corner) for corner in _CORNERS):
                return
        in_box(ax, handles, short)
        box = ax.get_legend()
        if box is None or box.get_window_extent().height <= _LARGEST_BOX * figure_of(ax).bbox.height:
            return
        if longest != _SHORTER[-1]:
            box.remove()


def shortened_names(labels: Sequence[str], longest: int) -> list[str]:
    """Texts of at most so many characters, the middle left out; as they are if two would then be the same."""

    def short(text: str) -> str:
        # Mathematics, and what stands for a sign, is not cut.
        if len(text) <= longest or "$" in text or "\\" in text:
            return text
        # What is last, m=1) of clipped-relu(tau=1, m=1), is left whole.
        tail = text[-(longest // 2) :]
        tail = re.sub(r"^.*?[ ,;(]+(?=.)", "", tail, count=1)
        return f"{text[: longest - 1 - len(tail)]}…{tail}"

    found = [short(text) for text in labels]
    return found if len({*found}) == len({*labels}) else list(labels)


def _in_corner(ax: Axes, handles: Sequence[Artist], names: dict[str, str], corner: str) -> bool:
    """A legend in a corner of the Axes where it covers nothing; none, and False, where it would."""
    figure = figure_of(ax)
    box = _legend(ax, handles, [names[str(handle.get_label())] for handle in handles], loc=corner, borderaxespad=0.2)
    place, frame = box.get_window_extent(), ax.get_window_extent()
    room = place.padded(_GAP * figure.dpi / 72)
    paths = [line_points(ax, line) for line in ax.get_lines()]
    others = [other for other in occupied(ax) if not np.array_equal(other, place)]
    within = frame.x0 <= place.x0 and place.x1 <= frame.x1 and frame.y0 <= place.y0 and place.y1 <= frame.y1
    within = within and place.height <= _LARGEST_CORNER * figure.bbox.height
    free = not any(is_inside(room, path) for path in paths) and not any(room.overlaps(other) for other in others)
    if within and free:
        return True
    box.remove()
    return False


def in_box(ax: Axes, handles: Sequence[Any], names: Sequence[str] | None = None) -> None:
    """A legend above the Axes, in as many columns as there is room for; `names` in place of the handles' labels.

    A handle is an artist, a tuple of some that are drawn on one another, or a list of some beside one another.
    """
    figure = figure_of(ax)
    shown = [str(handle.get_label()) for handle in handles] if names is None else names
    figure.draw_without_rendering()
    power = ax.yaxis.get_offset_text()
    # The power of ten of an axis stands above it.
    lifted = power.get_window_extent().height / (figure.dpi / 72) if power.get_text() else 0.0
    frame = ax.get_window_extent()
    # A colour bar would move aside for a legend above it.
    end = frame.x1 if any(other.get_label() == "<colorbar>" for other in figure.axes) else figure.bbox.x1
    # From the frame to the right, or from the left end of the page if that makes fewer rows.
    starts = (0.0, (figure.bbox.x0 - frame.x0) / frame.width)
    for columns, start in product(range(len(handles), 0, -1), starts):
        legend = _legend(
            ax,
            handles,
            shown,
            loc="lower left",
            bbox_to_anchor=(start, 1.0),
            ncols=columns,
            borderaxespad=0.3 + lifted / text_size(""),
        )
        # One too wide would leave the Axes no room while it is measured.
        legend.set_in_layout(False)
        if columns == 1 or _stays(legend, end):
            legend.set_in_layout(True)
            break


def lift_above_ticks(ax: Axes) -> None:
    """Move a legend that begins left of the frame up as far as the number of a tick stands in it."""
    legend, numbers = ax.get_legend(), ax.yaxis.get_tightbbox()
    assert legend is not None
    box = legend.get_window_extent()
    if numbers and box.x0 < numbers.x1 and box.y0 < numbers.y1:
        anchor = legend.get_bbox_to_anchor().transformed(ax.transAxes.inverted())
        higher = anchor.y0 + (numbers.y1 - box.y0) / ax.get_window_extent().height
        legend.set_bbox_to_anchor((anchor.x0, higher), ax.transAxes)


def _stays(legend: Legend, end: float) -> bool:
    """Whether a legend ends before `end`, in pixels, and after what the layout then does to ticks and frame too."""
    for laid_out in (False, True, True):
        if laid_out:
            legend.set_in_layout(True)
            figure_of(legend.axes).draw_without_rendering()
        if legend.get_window_extent().x1 > end:
            return False
    return True


def _legend(ax: Axes, handles: Sequence[Any], names: Sequence[str], **place: Any) -> Legend:
    beside = {list: HandlerTuple(ndivide=None)}
    legend = ax.legend(handles=list(handles), labels=list(names), borderpad=0.1, handler_map=beside, **place)
    for text in legend.get_texts():
        text.set_fontsize(text_size(text.get_text()))
    return legend


def _on_curves(ax: Axes, curves: Sequence[Line2D]) -> bool:
    """Put every name on its curve; none, and False, where one does not fit."""
    for _ in range(2):
        # What the first layout does to the ticks, the second takes into account.
        figure_of(ax).draw_without_rendering()
    point = figure_of(ax).dpi / 72
    frame = ax.get_window_extent()
    paths = {line: line_points(ax, line) for line in ax.get_lines()}
    taken = occupied(ax)
    names: list[Text] = []
    for curve in curves:
        label = str(curve.get_label())
        text = ax.annotate(
            label,
            (0, 0),
            (0, 0),
            textcoords="offset points",
            annotation_clip=False,
            ha="center",
            va="center",
            color=tuple(_DARKER * channel for channel in to_rgb(curve.get_color())),
            fontsize=text_size(label),
        )
        names.append(text)
        box = text.get_window_extent()
        place = _place(paths, curve, box.width, box.height, taken, frame, point)
        if place is None:
            for name in names:
                name.remove()
            return False
        anchor, offset = place
        text.xy = tuple(ax.transData.inverted().transform(anchor))
        text.set_position(tuple(offset / point))
        taken.append(around(anchor + offset, box.width, box.height))
    return True


def _place(
    paths: dict[Line2D, Array],
    curve: Line2D,
    width: float,
    height: float,
    taken: Sequence[Bbox],
    frame: Bbox,
    point: float,
) -> tuple[Array, Array] | None:
    """Where the middle of a name goes: a point of its curve and the offset from there, in pixels; None if nowhere."""
    own = paths[curve]
    obstacles = np.concatenate([path for line, path in paths.items() if line is not curve] or [NOWHERE])
    # A name may well stand by a guide, which has none that it could be taken for.
    rivals = [path for line, path in paths.items() if line is not curve and not str(line.get_label()).startswith("_")]
    others = np.concatenate(rivals or [NOWHERE])
    gap = _GAP * point
    best, best_room = None, 0.0
    steps = np.linspace(len(own) - 1, 0, min(_PLACES, len(own))).astype(int)
    for step in steps:
        anchor = own[step]
        for (x, y), away in product(_SIDES, (2 * gap, 4 * gap)):
            offset = np.array([x * (width / 2 + away), y * (height / 2 + away)])
            if x and y:
                offset *= [1, 0.6]
            box = around(anchor + offset, width + 2 * gap, height + 2 * gap)
            if not (frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1):
                continue
            if any(box.overlaps(other) for other in taken) or is_inside(box, own) or is_inside(box, obstacles):
                continue
            room = distance(box, others) / max(distance(box, own), gap)
            room = min(room, 6.0)
            if room > 1.2 and room > best_room + 0.25:
                best, best_room = (anchor, offset), room
    return best
