"""Figures of an audit: what it holds is drawn, and layers have their names."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from audited import audited
from command import ROOT
from matplotlib.axes import Axes

import meanfield as mf
from meanfield.plot.page import figure_of


def line(ax: Axes, label: str) -> Any:
    (found,) = [one for one in ax.get_lines() if one.get_label() == label]
    return found


def test_every_number_is_drawn_at_its_layer() -> None:
    record = audited(9, departs=5)
    for ax, name in zip(mf.plot.audit(record), ("q", "rho", "log_gradient"), strict=True):
        column = np.array([row[name] for row in record["layers"]])
        theory = np.array([row[f"{name}_theory"] for row in record["layers"]], dtype=float)
        np.testing.assert_array_equal(line(ax, "_measured").get_xydata(), np.transpose([range(1, 10), column]))
        np.testing.assert_array_equal(np.asarray(ax.containers[0][0].get_ydata(), dtype=float), theory)
        assert {*line(ax, "_departs").get_xdata()} == {5}


def spread(ax: Axes) -> dict[float, tuple[float, float]]:
    """By layer the two ends of what is drawn around theory."""
    (bars,) = ax.containers[0][2]
    return {float(low[0]): (float(low[1]), float(high[1])) for low, high in filter(len, bars.get_segments())}


def test_the_spread_is_that_of_two_standard_deviations() -> None:
    q, rho, gradient = map(spread, mf.plot.audit(audited(3)))
    assert q[1] == pytest.approx((0.8 * 0.8, 0.8 * 1.2)) and q[3] == pytest.approx((0.512 * 0.8, 0.512 * 1.2))
    assert rho[2] == pytest.approx((0.18 - 0.04, 0.18 + 0.04))
    assert gradient[1] == pytest.approx((0.42 - 0.6, 0.42 + 0.6))


def test_no_correlation_is_beyond_1() -> None:
    record = audited(3)
    record["layers"][1].update(rho_theory=0.99, rho_sd=0.1)
    assert spread(mf.plot.audit(record)[1])[2] == pytest.approx((0.79, 1.0))


def test_an_axis_is_logarithmic_where_variances_span_a_decade() -> None:
    scales = [mf.plot.audit(audited(layers))[0].get_yscale() for layers in (4, 60)]
    assert scales == ["linear", "log"]


def test_a_spread_beyond_0_ends_on_a_logarithmic_axis_where_it_is_still_seen() -> None:
    record = audited(20)
    record["layers"][10]["q_sd"] = 1.0
    ax, *_ = mf.plot.audit(record)
    least = min(row["q"] for row in record["layers"])
    assert least / 5 < ax.get_ylim()[0] < least


def test_what_is_exactly_0_is_marked_at_the_lower_end_of_an_axis_that_is_of_logarithms() -> None:
    record = audited(20)
    record["layers"][3].update(q=0.0, log_gradient=-math.inf)
    record["layers"][5].update(log_gradient=-math.inf, log_gradient_theory=-math.inf)
    q, rho, gradient = axes = mf.plot.audit(record)
    for ax, marked in ((q, [4]), (gradient, [4, 6])):
        marks = line(ax, "_nothing")
        assert [*marks.get_xdata()] == marked
        at = marks.get_transform().transform(marks.get_xydata())
        assert at[:, 1] == pytest.approx(ax.bbox.y0) and np.isfinite(ax.get_ylim()).all()
    assert "_nothing" not in [one.get_label() for one in rho.get_lines()]
    legend = axes[0].get_legend()
    assert legend is not None and "exactly 0" in [text.get_text() for text in legend.get_texts()]


def test_a_gradient_that_is_exactly_0_is_marked_of_an_audit_in_json_too() -> None:
    record = audited(6)
    record["layers"][2].update(log_gradient=None, gradient_is="exactly 0")
    record["layers"][3].update(log_gradient=None, gradient_is="not finite")
    *_, ax = mf.plot.audit(record)
    assert [*line(ax, "_nothing").get_xdata()] == [3]


def test_a_variance_of_0_is_no_mark_on_a_linear_axis() -> None:
    record = audited(4)
    record["layers"][3]["q"] = 0.0
    ax, *_ = mf.plot.audit(record)
    assert ax.get_yscale() == "linear" and line(ax, "_measured").get_ydata()[3] == 0
    assert "_nothing" not in [one.get_label() for one in ax.get_lines()]


def test_what_was_not_measured_has_no_panel() -> None:
    record = audited(4)
    for row in record["layers"]:
        row["rho"] = row["rho_theory"] = None
    assert [ax.get_ylabel()[:4] for ax in mf.plot.audit(record)] == ["$q^l", r"$\ln"]


@pytest.mark.parametrize("layers", [1, 3, 12, 30, 60])
@pytest.mark.parametrize("width", ["column", "page"])
def test_names_of_layers_differ_and_do_not_overlap(layers: int, width: str) -> None:
    *_, ax = mf.plot.audit(audited(layers), page=mf.plot.Page(width=width))
    figure_of(ax).draw_without_rendering()
    shown = [text for text in ax.get_xticklabels() if text.get_text()]
    assert len({text.get_text() for text in shown}) == len(shown) >= min(layers, 12)
    names = [row["module"] for row in audited(layers)["layers"]]
    for place, text in zip(ax.get_xticks(), shown, strict=True):
        assert names[int(place) - 1].endswith(text.get_text().removeprefix("…"))
    boxes = [text.get_window_extent() for text in shown]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_what_is_no_audit_is_refused() -> None:
    for report in ({}, {"layers": []}, {"layers": [{"module": "1"}], "threshold": 3.0}, "audit", None):
        with pytest.raises(mf.DomainError, match=r"is no audit to draw: give what meanfield\.torch\.audit returns"):
            mf.plot.audit(report)


def test_a_figure_loads_no_torch() -> None:
    code = (
        "import sys, meanfield as mf; from audited import audited; mf.plot.audit(audited(3));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "tests")
