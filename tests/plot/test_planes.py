"""Planes of designs and initialisations: each place has its colour, and no line runs through what is written."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text

import meanfield as mf
from meanfield.plot.contours import number_contours
from meanfield.plot.page import Page, figure_of

#: No place of them lies on the border of two bands.
DEPTHS = {
    "some at the cap": [[7, 30, 30], [3, 14, 30], [0, 1, 8]],
    "all": [[30, 30, 30], [30, 30, 30], [30, 30, 30]],
    "none": [[7, 12, 25], [3, 8, 13], [1, 1, 1]],
    "one layer": [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
    "a gap": [[7, 30, 30], [3, 14, 30], [np.nan, np.nan, np.nan]],
}
CAP = 30


def trainable(name: str, **line: float) -> Axes:
    """Depths over sparsity and width; of those at the cap the law says that they are twice as deep."""
    depth = np.array(DEPTHS[name], dtype=float)
    expected = np.where(depth == CAP, 2.0 * CAP, depth)
    sparsity, width = np.array([0.6, 0.7, 0.8]), np.array([50, 100, 200])
    found = mf.TrainableDepths(sparsity, width, depth, None, depth, mf.Requirement(1, CAP), expected)
    return mf.plot.trainable(found, **line)


def contours(ax: Axes) -> list[ContourSet]:
    return [shown for shown in ax.collections if isinstance(shown, ContourSet) and not shown.filled]


@pytest.mark.parametrize("name", DEPTHS)
def test_every_cell_has_the_colour_of_its_depth_and_that_of_the_cap_at_the_cap(name: str) -> None:
    ax = trainable(name, linewidths=0)
    figure = figure_of(ax)
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())
    (filled,) = [shown for shown in ax.collections if isinstance(shown, ContourSet) and shown.filled]
    colours = np.round(255 * filled.get_facecolor())
    frame = ax.get_window_extent()
    for i, row in enumerate(DEPTHS[name]):
        for j, depth in enumerate(row):
            x, y = ax.transData.transform(([0.6, 0.7, 0.8][i], [50, 100, 200][j]))
            x, y = np.clip(x, frame.x0 + 3, frame.x1 - 3), np.clip(y, frame.y0 + 3, frame.y1 - 3)
            band = np.searchsorted([1, 2, 5, 10, 20, CAP], depth, side="right")
            expected = [255] * 4 if np.isnan(depth) else colours[band]
            assert image[image.shape[0] - 1 - int(y), int(x)] == pytest.approx(expected, abs=2), (i, j)


def test_the_cap_has_one_line_between_cells_at_it_and_others_and_its_number() -> None:
    ax = trainable("some at the cap")
    (lines,) = contours(ax)
    pieces = lines.allsegs[lines.levels.tolist().index(np.log(CAP))]
    # What is left of one line on either side of its number.
    assert len(pieces) == 2 and [text.get_text() for text in lines.labelTexts].count("30") == 1
    for piece in pieces:
        s, n = np.transpose(piece)
        # Cells at the cap are wider than a line through (0.6, 100), (0.7, 200) and above the others.
        assert (n > 50).all() and (s < 0.8).all() and (n[s < 0.601] < 100).all()
        assert (n[np.abs(s - 0.7) < 1e-9] > 100).all()


@pytest.mark.parametrize("name", DEPTHS)
def test_no_line_runs_along_the_frame(name: str) -> None:
    for shown in contours(trainable(name)):
        for s, n in (np.transpose(piece) for level in shown.allsegs for piece in level):
            assert np.ptp(s) > 0 and np.ptp(n) > 0


def struck(text: Text, ax: Axes) -> bool:
    """Whether a line or a contour runs through a text, which may stand aslant."""
    angle = np.deg2rad(text.get_rotation())
    along = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright = Text(figure=figure_of(ax), text=text.get_text(), fontproperties=text.get_fontproperties())
    half = np.array(upright.get_window_extent().size) / 2
    box = text.get_window_extent()
    middle = (box.min + box.max) / 2
    pieces = [(line.get_xydata(), line.get_transform()) for line in ax.get_lines()]
    for shown in contours(ax):
        pieces += [(piece, shown.get_transform()) for level in shown.allsegs for piece in level]
    for piece, transform in pieces:
        path = transform.transform(np.asarray(piece, dtype=float))
        steps = np.linspace(0, 1, 200)[:, None]
        dense = np.concatenate([path[:1], *(a + steps * (b - a) for a, b in pairwise(path))])
        if (np.abs((dense - middle) @ along.T) < half).all(axis=1).any():
            return True
    return False


@cache
def designs(legend: bool | None) -> tuple[Axes, ...]:
    """V' falls along m, and what is lost has its least in the middle."""
    sparsity, m = np.linspace(0.5, 0.95, 10), np.linspace(0.2, 3, 15)
    s, clip = np.meshgrid(sparsity, m, indexing="ij")
    slope = 1 - np.exp(-clip * (0.4 + s))
    lost = np.clip(1e-4 * np.exp(8 * np.hypot(s - 0.5, (clip - 1.4) / 2)), 0, 1)
    found = mf.DesignMap("m", sparsity, m, slope, lost, lost, lost, mf.Requirement(300, 100))
    return mf.plot.design(found, page=Page(legend=legend))


def test_a_line_without_its_number_has_no_gap_and_a_number_stands_where_its_line_has_one() -> None:
    for ax, bare in zip(designs(None), designs(False), strict=True):
        numbered, whole = contours(ax)[0], contours(bare)[0]
        assert all(text.get_visible() for text in numbered.labelTexts) and not whole.labelTexts
        names = [text.get_text() for text in numbered.labelTexts]
        for level, after, before in zip(numbered.levels, numbered.allsegs, whole.allsegs, strict=True):
            assert len(after) == len(before) + names.count(f"{level:g}")
        assert len(names) == 6


def test_no_line_runs_through_a_number_or_a_name_of_a_design() -> None:
    for ax in designs(None):
        # What is lost is drawn over the numbers.
        assert len(contours(ax)) == 2 and len(ax.texts) == 7
        assert not [text.get_text() for text in ax.texts if struck(text, ax)]


def test_a_line_too_short_for_its_number_is_left_whole() -> None:
    ax = Figure().subplots()
    x = np.linspace(-1, 1, 201)
    bump = np.exp(-(x**2 + x[:, None] ** 2) / 0.0004)
    lines = ax.contour(x, x, bump, levels=[0.5])
    (before,) = lines.allsegs[0]
    number_contours(ax, lines)
    (after,) = lines.allsegs[0]
    assert not lines.labelTexts and not ax.texts
    np.testing.assert_array_equal(after, before)


def test_designs_are_recommended_within_the_line_as_those_of_other_commands_are() -> None:
    ax = designs(None)[0]
    legend = ax.get_legend()
    assert legend is not None and legend.get_texts()[-1].get_text() == "at most 0.5 % lose either"
    line = contours(ax)[-1]
    for s, m in np.concatenate(line.allsegs[0]):
        assert 1e-4 * np.exp(8 * np.hypot(s - 0.5, (m - 1.4) / 2)) == pytest.approx(0.005, rel=0.2)


@cache
def phases(ends: tuple[float, float]) -> Axes:
    """Of ReLU networks, with what they lose in ten layers; the border of phases is at σ_w = √2."""
    required = mf.Requirement(300, 10)
    return mf.plot.phase(mf.activation("relu"), sigma_w=ends, sigma_b=(0.0, 0.5), requirement=required)


@pytest.mark.parametrize("ends", [(1.0, 1.8), (1.3, 1.5)])
def test_no_line_runs_through_the_name_of_a_phase(ends: tuple[float, float]) -> None:
    ax = phases(ends)
    frame = ax.get_window_extent()
    assert {text.get_text() for text in ax.texts} == {"ordered", "chaotic"}
    for text in ax.texts:
        box = text.get_window_extent()
        assert not struck(text, ax) and frame.x0 < box.x0 and box.x1 < frame.x1
        border = ax.transData.transform((np.sqrt(2), 0))[0]
        assert box.x1 < border if text.get_text() == "ordered" else box.x0 > border


def test_what_is_lost_has_a_row_of_the_legend_for_each_part_and_takes_no_room_from_the_plane() -> None:
    ax = phases((1.0, 1.8))
    legend = ax.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert [name for name in names if "lose" in name] == [
        *("at most 1 % lose either", "1 % lose signal", "1, 50 % lose gradient"),
    ]
    alone = mf.plot.phase(mf.activation("relu"), sigma_w=(1.0, 1.8), sigma_b=(0.0, 0.5))
    assert ax.get_window_extent().height >= 0.95 * alone.get_window_extent().height
