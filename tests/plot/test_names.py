"""Every line of a figure has a name that can be read, and the names leave room for the figure."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from command import run
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import meanfield as mf
from meanfield.plot.correlation_maps import CorrelationMaps
from meanfield.plot.drawing import new_figure
from meanfield.plot.page import Page, figure_of, render

SPECS = (
    "relu",
    "hard-tanh",
    "clipped-relu(tau=1.0364, m=1)",
    "clipped-soft-threshold(tau=1, m=1)",
    "max(0, x-0.5) - max(0, -x-0.5) + 0.1*max(x-3, 0)",
    "points: (-2,-0.4) (0,0) (1,1) (3,1.5); left=0, right=0",
    "leaky-relu(slope=0.123456789)",
    "where(x > 0, x, 0.5*x) + min(max(x - 1, 0), 1)",
)
SPARSE = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1, m=1)"))
#: Variances that fluctuate a little about 1, and whose mean at this width is not 1.
NETWORKS = mf.simulate(mf.Experiment(SPARSE.mean_field, 60, 20, 32, q_star=1.0, method="chain"))


@cache
def plane(act: str) -> Axes:
    """The phases of networks with an activation, which has a label, and a point that is on no edge."""
    return mf.plot.phase(mf.activation(act), point=(1.5, 0.1), label="mine")


def named(ax: Axes) -> list[str]:
    """What stands on curves and in the legend."""
    legend = ax.get_legend()
    return [text.get_text() for text in (*ax.texts, *(legend.get_texts() if legend else []))]


@cache
def curves(count: int, width: str) -> Axes:
    """Correlation maps of the first specifications, on a page of this width."""
    networks = {spec: mf.operating_point(mf.activation(spec)) for spec in SPECS[:count]}
    (ax,) = new_figure(CorrelationMaps(networks), Page(preset=width) if width == "iclr" else Page(width))
    return ax


@pytest.mark.parametrize("count, width", [(1, "column"), (4, "column"), (8, "column"), (4, "iclr")])
def test_no_legend_takes_over_a_third_of_the_page(count: int, width: str) -> None:
    ax = curves(count, width)
    figure, legend = figure_of(ax), ax.get_legend()
    names = {name for name in named(ax) if name not in ("stable", "unstable")}
    assert len(names) == count
    assert {whole(name, SPECS[:count]) for name in names} == {*SPECS[:count]}
    if legend is not None:
        box = legend.get_window_extent()
        assert box.height < figure.bbox.height / 3 and box.x1 <= figure.bbox.x1 + 1
    assert ax.get_window_extent().height > figure.bbox.height * 0.45


def whole(name: str, specs) -> str:
    """The one specification that a shortened name begins and ends as."""
    head, _, tail = name.partition("…")
    (spec,) = [spec for spec in specs if spec.startswith(head) and spec.endswith(tail)]
    return spec


def test_a_legend_covers_no_curve_and_no_fixed_point() -> None:
    ax = curves(4, "iclr")
    legend = ax.get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    for line in ax.get_lines():
        points = ax.transData.transform(np.asarray(line.get_xydata(), dtype=float))
        assert not any(box.contains(*point) for point in points)


@pytest.mark.parametrize("kind", ["correlation", "activation"])
def test_every_act_is_called_by_its_label(kind: str, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.csv"
    files = ["--data", str(numbers), "-o", str(tmp_path / "figure.svg")]
    several = ["--act", "relu", "--act", "clipped-relu(tau=1, m=1)", "--label", "ReLU, mine", "--label", "sparse"]
    assert run("plot", kind, *several, *files).exit_code == 0
    assert set(re.findall("ReLU, mine|sparse|clipped", numbers.read_text())) == {"ReLU, mine", "sparse"}
    assert run("plot", kind, "--act", "relu", "--label", "alone", *files).exit_code == 0
    assert "alone" in numbers.read_text()


def test_the_label_of_one_act_stands_above_its_figure() -> None:
    for drawn in (
        plane("hard-tanh"),
        mf.plot.trajectory(NETWORKS, label="mine"),
        mf.plot.slope(mf.slope_curve("clipped-relu", "m", [0.5, 1, 2], {"tau": 1.0}), label="mine"),
    ):
        assert figure_of(drawn).get_suptitle() == "mine"
    titled = mf.plot.trajectory(NETWORKS, label="mine", page=Page(title="a title"))
    assert figure_of(titled).get_suptitle() == "a title"


def test_a_trajectory_names_the_mean_at_this_width_beside_that_at_infinite_width() -> None:
    q, *_ = mf.plot.trajectory(NETWORKS)
    legend = " ".join(named(q))
    assert r"$N \to \infty$" in legend and "$N = 60$" in legend and "2$ sd" in legend
    lines = {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in q.get_lines()}
    predicted = mf.compare(NETWORKS).predicted["q"]
    np.testing.assert_array_equal(lines["_at width"], predicted.mean)
    np.testing.assert_array_equal(lines["_theory"], predicted.value)
    # The band is that about its own mean.
    (band,) = [path for collection in q.collections[:1] for path in collection.get_paths()]
    y = band.vertices[:, 1]
    assert (y.min(), y.max()) == pytest.approx(
        (np.min(predicted.mean - 2 * predicted.sd), np.max(predicted.mean + 2 * predicted.sd))
    )


def test_the_axis_of_a_trajectory_is_that_of_its_data() -> None:
    wide = mf.simulate(mf.Experiment(SPARSE.mean_field, 3000, 10, 8, q_star=1.0, method="chain"))
    q, *_ = mf.plot.trajectory(wide, samples=8)
    low, high = q.get_ylim()
    assert 0.7 < low < wide["q"].min() and wide["q"].max() < high < 1.3
    # Not below 0, of a variance.
    assert mf.plot.trajectory(NETWORKS)[0].get_ylim()[0] >= 0


def test_near_one_what_is_left_is_solid_and_what_is_gained_dotted_as_the_legend_says() -> None:
    ax = mf.plot.correlation({"a": SPARSE, "b": mf.edge_of_chaos(mf.activation("relu"))}, near_one=True)
    drawn = {line.get_label(): line for line in ax.get_lines()}
    legend = {
        text.get_text(): line
        for text, line in zip(ax.get_legend().get_texts(), ax.get_legend().get_lines(), strict=True)
    }
    for name in ("a", "b"):
        assert drawn[name].get_linestyle() == legend["$1 - R$"].get_linestyle() == "-"
    (gained,) = {line.get_linestyle() for line in ax.get_lines() if line.get_label() == "_gained"}
    assert gained == legend[r"$|R - \rho|$"].get_linestyle() != "-"
    assert drawn["a"].get_color() != drawn["b"].get_color()


def test_curves_of_a_slope_say_what_is_kept_along_them() -> None:
    m = np.linspace(0.1, 5, 12)
    upper, lower = mf.plot.slope(
        {f"sparsity={s}": mf.slope_curve("clipped-relu", "m", m, sparsity=s) for s in (0.6, 0.9)}
    )
    assert {*named(upper), *named(lower)} == {"sparsity = 0.6", "sparsity = 0.9"}


def test_parts_of_the_border_of_phases_are_named_and_drawn_alike() -> None:
    ax = plane("clipped-relu(tau=1, m=1)")
    legend = ax.get_legend()
    keys = {text.get_text(): line for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)}
    drawn = {str(line.get_label()): line for line in ax.get_lines()}
    for label, name in (("_stable", "edge of chaos, stable"), ("_jump", "fixed point jumps")):
        for look in (Line2D.get_color, Line2D.get_linestyle, Line2D.get_linewidth):
            assert look(drawn[label]) == look(keys[name])
    assert "neutral" not in " ".join(keys) and "unstable" not in " ".join(keys)


def test_the_edge_of_hard_tanh_is_called_as_eoc_calls_it() -> None:
    ax = plane("hard-tanh")
    assert {name for name in named(ax) if "edge" in name} == {"edge of chaos, stable"}
    # And it bends within the axes.
    (edge,) = [line for line in ax.get_lines() if line.get_label() == "_stable"]
    w = np.asarray(edge.get_xdata(), dtype=float)
    assert np.ptp(w) > 0.15 * np.ptp(ax.get_xlim())


def test_what_clips_a_line_is_numbered_so_that_a_file_is_the_same_in_every_run() -> None:
    svg = render(figure_of(plane("hard-tanh")), "svg", Page())
    names = re.findall(rb'<clipPath id="(.*?)"', svg)
    assert names == [b"clip%d" % k for k in range(1, len(names) + 1)]
    used = set(re.findall(rb"url\(#(.*?)\)", svg))
    assert used and used == set(names)
