"""Figures: what is drawn, that it can be read, and the files it becomes."""

from __future__ import annotations

import csv
import itertools
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from command import process, run
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

import meanfield as mf
from meanfield.infinite_width.fixed_points import fixed_points
from meanfield.plot.page import Page, figure_of, render

LOOSE = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1.0364, m=2)"))
SPARSE = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1, m=1)"))
RANGE = {f"m={m:g}": mf.edge_of_chaos(mf.activation("clipped-relu", tau=1, m=m)) for m in (0.5, 1, 2, np.inf)}
FAMILY = mf.Family("clipped-relu", ("tau", "m"))


@cache
def axes(kind: str) -> tuple[Axes, ...]:
    """A figure of each kind, at column width."""
    if kind == "variance":
        drawn = mf.plot.variance(RANGE, inset=True)
    elif kind == "correlation":
        drawn = mf.plot.correlation({"relu": mf.edge_of_chaos(mf.activation("relu")), "clipped": SPARSE})
    elif kind == "near one":
        drawn = mf.plot.correlation(SPARSE, near_one=True)
    elif kind == "slope":
        m = np.linspace(0.1, 5, 40)
        drawn = mf.plot.slope({f"sparsity={s}": mf.slope_curve("clipped-relu", "m", m, sparsity=s) for s in (0.6, 0.9)})
    elif kind == "phase":
        drawn = mf.plot.phase(SPARSE.activation)
    elif kind == "design":
        required = mf.Requirement(300, 30)
        drawn = mf.plot.design(mf.design_map(FAMILY, np.linspace(0.6, 0.95, 6), np.linspace(0.4, 3, 6), required))
    elif kind == "trajectory":
        drawn = mf.plot.trajectory(mf.signal_paths(SPARSE.mean_field, 100, 30, chains=32))
    elif kind == "ensemble":
        asked = mf.Experiment(SPARSE.mean_field, 60, 20, 16, backward=True, q_star=1.0, method="chain")
        drawn = mf.plot.trajectory(mf.simulate(asked))
    elif kind == "activation":
        drawn = mf.plot.activation(SPARSE.activation)
    else:
        drawn = mf.plot.summary(SPARSE, mf.signal_paths(SPARSE.mean_field, 100, 30, chains=32), label="clipped")
    return (drawn,) if isinstance(drawn, Axes) else drawn


KINDS = ["variance", "correlation", "near one", "slope", "phase", "design"]
KINDS += ["trajectory", "ensemble", "activation", "summary"]


def figure(kind: str) -> Figure:
    return figure_of(axes(kind))


def markers(ax: Axes) -> list[Line2D]:
    return [line for line in ax.get_lines() if line.get_label() == "_fixed point"]


def texts(figure: Figure) -> list[Text]:
    found = figure.findobj(lambda a: isinstance(a, Text) and a.get_visible() and a.get_text().strip())
    frame = figure.bbox
    return [text for text in found if frame.overlaps(text.get_window_extent()) and text.axes is not None]


def test_fixed_points_are_marked_by_kind_where_they_are() -> None:
    (ax,) = (mf.plot.variance(LOOSE),)
    drawn = {float(line.get_xdata()[0]): line for line in markers(ax)}
    points = fixed_points(LOOSE.mean_field)
    assert sorted(drawn) == pytest.approx([p.q for p in points])
    for point in points:
        line = drawn[point.q]
        assert float(line.get_ydata()[0]) == point.q
        filled = line.get_markerfacecolor() != "white"
        assert (filled, line.get_fillstyle()) == ((True, "full") if point.kind == "stable" else (False, "full"))


def test_a_tangency_is_half_filled_on_the_side_that_it_attracts() -> None:
    edge = mf.edge_of_chaos(mf.activation("shifted-relu", tau=0.5))
    (marker,) = markers(mf.plot.variance(edge))
    assert fixed_points(edge.mean_field)[0].kind == "half-stable (from below)"
    assert marker.get_fillstyle() == "left"


def test_the_curve_is_the_map_and_the_range_holds_every_fixed_point() -> None:
    ax = mf.plot.variance(LOOSE, color="red")
    (curve,) = [line for line in ax.get_lines() if line.get_label() == "_V"]
    assert curve.get_color() == "red"
    q = np.asarray(curve.get_xdata())
    np.testing.assert_array_equal(curve.get_ydata(), LOOSE.mean_field.V(q))
    last = fixed_points(LOOSE.mean_field)[-1].q
    assert ax.get_xlim()[0] == 0 and last < ax.get_xlim()[1] < 3 * last
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$q$", "$V(q)$")


def test_near_one_the_curve_has_slope_one_and_what_it_gains_three_halves() -> None:
    (ax,) = axes("near one")
    lines = {line.get_label(): line for line in ax.get_lines()}
    for label, power in (("_left", 1.0), ("_gained", 1.5)):
        x, y = np.log(np.asarray(lines[label].get_xydata(), dtype=float)[:50]).T
        assert np.polyfit(x, y, 1)[0] == pytest.approx(power, abs=0.01)


def test_each_curve_is_named_beside_itself() -> None:
    (ax,) = (mf.plot.variance(RANGE),)
    names = {text.get_text(): text for text in ax.texts}
    assert set(names) == {"$m = 0.5$", "$m = 1$", "$m = 2$", r"$m = \infty$"}
    for line in ax.get_lines():
        path = ax.transData.transform(np.asarray(line.get_xydata(), dtype=float))
        along = np.concatenate([np.linspace(a, b, 20) for a, b in itertools.pairwise(path)]) if len(path) > 1 else path
        for text in names.values():
            box = text.get_window_extent()
            assert not ((along > box.min) & (along < box.max)).all(axis=1).any(), (text, line)


def test_names_that_do_not_fit_go_to_a_box_above_the_axes() -> None:
    ax = mf.plot.correlation({f"{'a long name ' * 3}{i}": SPARSE for i in range(3)})
    legend = ax.get_legend()
    assert legend is not None and not ax.texts
    assert len([t for t in legend.get_texts() if "long name" in t.get_text()]) == 3
    assert legend.get_window_extent().y0 >= ax.get_window_extent().y1 - 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_below_seven_points_and_no_line_below_point_eight(kind: str) -> None:
    for text in texts(figure(kind)):
        inside = "".join(text.get_text().split("$")[1::2])
        scripted = "^" in inside or "_" in inside
        assert text.get_fontsize() * (0.7 if scripted else 1) >= 7 - 1e-9, text
    for line in figure(kind).findobj(Line2D):
        if line.get_linestyle() != "None" and line.get_visible():
            assert line.get_linewidth() >= 0.8, line


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_texts_overlap(kind: str) -> None:
    figure(kind).draw_without_rendering()
    boxes = [(text, text.get_window_extent()) for text in texts(figure(kind))]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        # Extents of neighbours may share the empty space of a line.
        assert width <= 1 or height <= 1, (one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_lies_on_the_page(kind: str) -> None:
    page = figure(kind).bbox
    for text in texts(figure(kind)):
        box = text.get_window_extent()
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text


@pytest.mark.parametrize("kind", KINDS)
def test_a_pdf_embeds_its_fonts_and_holds_no_bitmap(kind: str) -> None:
    pdf = render(figure(kind), "pdf", Page(), "the command")
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert b"/Image" not in pdf.replace(b"/ImageB /ImageC /ImageI", b"")
    assert b"CreationDate" not in pdf and b"the command" in pdf and mf.__version__.encode() in pdf


@pytest.mark.parametrize("format", ["pdf", "svg", "eps", "png"])
def test_a_file_is_the_same_byte_for_byte(format: str) -> None:
    one, two = (render(figure_of(mf.plot.variance(LOOSE)), format, Page(), "command") for _ in range(2))
    assert one == two
    assert not re.search(rb"[Dd]ate>|CreationDate", one)
    assert b"command" in one


@pytest.mark.skipif(not (shutil.which("pdflatex") and shutil.which("dvipng")), reason="needs LaTeX")
def test_latex_sets_a_figure_where_it_is_installed(tmp_path: Path) -> None:
    figures = [tmp_path / "a.pgf", tmp_path / "b.pdf"]
    assert run("plot", "activation", "--act", "relu", "-o", str(figures[0])).exit_code == 0
    assert run("plot", "activation", "--act", "relu", "--usetex", "-o", str(figures[1])).exit_code == 0
    assert all(file.stat().st_size for file in figures)


def test_nothing_global_is_touched() -> None:
    before = dict(matplotlib.rcParams)
    own = Figure().subplots()
    assert mf.plot.variance(LOOSE, own) is own
    mf.plot.phase(mf.activation("hard-tanh"))
    assert dict(matplotlib.rcParams) == before
    script = (
        "import sys, meanfield as mf; assert 'matplotlib' not in sys.modules;"
        "mf.plot.variance(mf.edge_of_chaos(mf.activation('relu'))); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_only_plot_loads_matplotlib() -> None:
    script = (
        "import sys; from meanfield.cli import app;"
        "app(['eoc', '--act', 'relu'], standalone_mode=False); app(['plot', '--help'], standalone_mode=False);"
        "assert not any(name.startswith('matplotlib') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_panels_of_ones_own_are_drawn_on_and_must_be_as_many() -> None:
    pair = Figure().subplots(2)
    curve = mf.slope_curve("clipped-relu", "m", [0.5, 1, 2], {"tau": 1.0})
    assert mf.plot.slope(curve, pair) == tuple(pair)
    with pytest.raises(mf.DomainError, match="2 panels"):
        mf.plot.slope(curve, pair[0])


def test_the_edge_of_a_clipped_relu_is_stable_and_that_of_a_shifted_one_is_not() -> None:
    for act, label in (("clipped-relu(1, 1)", "_stable"), ("shifted-relu(1)", "_unstable")):
        ax = mf.plot.phase(mf.activation(act))
        (point,) = [line for line in ax.get_lines() if line.get_label() == "_point"]
        edges = [line for line in ax.get_lines() if line.get_label() == label]
        distance = min(float(np.hypot(*(np.asarray(e.get_xydata()) - point.get_xydata()).T).min()) for e in edges)
        assert distance < 0.01, act


def test_a_design_map_holds_what_each_design_has() -> None:
    required = mf.Requirement(200, 20)
    found = mf.design_map(FAMILY, [0.7, 0.85], [1.0, 2.0], required)
    (design,) = mf.designs(mf.Family("clipped-relu", ("tau",), (("m", 2.0),)), sparsity=0.85)
    assert found.V_prime[1, 1] == pytest.approx(design.edge.V_prime, rel=1e-12)
    expected = mf.escape_probability(design.edge.mean_field, 1.0, required)
    assert found.escape_probability[1, 1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "against, given, sparsity, members",
    [
        ("m", {}, 0.85, lambda m: ({"m": m}, 1.0)),
        ("q_star", {"m": 1.0}, 0.85, lambda q: ({"m": 1.0}, q)),
        ("tau", {"m": 1.0}, 0.8, None),
        ("tau", {"m": 1.0}, None, lambda tau: ({"tau": tau, "m": 1.0}, 1.0)),
    ],
)
def test_a_slope_curve_holds_what_each_edge_has_and_keeps_the_sparsity(against, given, sparsity, members) -> None:
    values = [0.5, 1.0, 1.7]
    curve = mf.slope_curve("clipped-relu", against, values, given, sparsity=sparsity)
    if sparsity is not None:
        np.testing.assert_allclose(curve.sparsity, sparsity, rtol=1e-11)
    for i, value in enumerate(values):
        parameters, q = members(value) if members else ({"tau": value, "m": 1.0}, float(curve.q_star[i]))
        if "tau" not in parameters:
            open_one = mf.Family("clipped-relu", ("tau",), tuple(parameters.items()))
            (design,) = mf.designs(open_one, sparsity=sparsity, q_star=q)
            edge = design.edge
        else:
            edge = mf.edge_of_chaos(mf.activation("clipped-relu", **parameters), q)
        assert curve.V_prime[i] == pytest.approx(edge.V_prime, rel=1e-10)
        assert curve.q_V_double_prime[i] == pytest.approx(q * edge.V_double_prime, rel=1e-8)


def test_where_no_edge_is_there_is_a_gap_and_a_note(tmp_path: Path) -> None:
    target = tmp_path / "gap.pdf"
    arguments = ("plot", "slope", "--act", "max(x, 0) + a", "--against", "a", "--values", "0:1:9", "-o", str(target))
    result = run(*arguments)
    assert result.exit_code == 0 and target.exists()
    assert "gap" in result.stderr and result.stderr.count("\n") == 1


def test_the_numbers_drawn_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("plot", "variance", "--act", "clipped-relu(1, 1)", "--data", "v.csv")
    assert result.stdout.splitlines() == ["wrote meanfield-variance.pdf", "wrote v.csv"]
    rows = list(csv.DictReader(Path("v.csv").read_text().splitlines()))
    assert [float(row["q"]) for row in rows if row["kind"] == "stable"] == [pytest.approx(1)]
    curve = [row for row in rows if not row["kind"]]
    q = np.array([float(row["q"]) for row in curve])
    np.testing.assert_array_equal([float(row["V"]) for row in curve], SPARSE.mean_field.V(q))


def test_several_formats_at_once_or_none(tmp_path: Path) -> None:
    files = [tmp_path / f"a.{format}" for format in ("pdf", "svg", "png", "eps")]
    options = [part for file in files for part in ("-o", str(file))]
    assert run("plot", "activation", "--act", "relu", *options).exit_code == 0
    assert [file.read_bytes()[:4] for file in files] == [b"%PDF", b"<?xm", b"\x89PNG", b"%!PS"]
    assert run("plot", "activation", "--act", "abs", *options, "-o", str(tmp_path / "no" / "a.pdf")).exit_code == 2
    assert sorted(tmp_path.iterdir()) == sorted(files)


WRONG = {
    "an unknown format": (["--act", "relu", "-o", "a.tiff"], 2, ".pdf, .svg, .png, .pgf, .eps"),
    "a folder that is not there": (["--act", "relu", "-o", "no/a.pdf"], 2, "no folder no"),
    "no style": (["--act", "relu", "--style", "nature"], 2, "paper, slides"),
    "no length": (["--act", "relu", "--width", "300"], 2, "column, page"),
    "no edge": (["--act", "sign"], 1, "jumps"),
    "too many curves": (["--act", "clipped-relu", "--tau", "1", "--m", "0.1:2:9"], 2, "at most 8"),
    "no activation": (["--act", "x**2"], 2, "piecewise linear"),
}


@pytest.mark.parametrize("arguments, code, said", WRONG.values(), ids=WRONG.keys())
def test_wrong_input_gets_one_line_and_no_file(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("plot", "variance", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


def test_latex_that_is_missing_is_told_of_before_anything_is_drawn(tmp_path: Path) -> None:
    for arguments in (["--usetex", "-o", "a.pdf"], ["-o", "a.pgf"]):
        result = process("plot", "variance", "--act", "relu", *arguments, PATH=str(tmp_path))
        assert result.returncode == 2 and "needs LaTeX" in result.stderr and result.stderr.count("\n") == 1


def test_a_style_file_changes_the_paper_style_and_its_faults_are_told(tmp_path: Path) -> None:
    style = tmp_path / "mine.mplstyle"
    style.write_text("lines.linewidth: 3\n")
    (curve,) = [c for c in mf.plot.variance(LOOSE, page=Page(style=style)).get_lines() if c.get_label() == "_V"]
    assert curve.get_linewidth() == 3
    style.write_text("lines.width: 3\n")
    assert "line 1: lines.width" in run("plot", "variance", "--act", "relu", "--style", str(style)).stderr


def test_widths_have_names_and_units() -> None:
    for width, inches in (("column", 3.25), ("page", 6.75), ("8.255cm", 3.25), ("3.25in", 3.25), (4.0, 4.0)):
        assert figure_of(mf.plot.activation(SPARSE.activation, page=Page(width=width))).get_figwidth() == pytest.approx(
            inches
        )


@pytest.mark.parametrize("kind", KINDS)
# Fonts may be rasterised a little differently elsewhere: the root mean square of all pixels may differ by 6 of 255.
@pytest.mark.mpl_image_compare(baseline_dir="drift", tolerance=6, style="default", savefig_kwargs={"dpi": 80})
def test_a_figure_looks_as_it_did(kind: str) -> Figure:
    return figure(kind)
