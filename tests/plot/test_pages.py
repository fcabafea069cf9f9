"""What figures are drawn on, and the files they become: sizes, styles, formats, and what is refused."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from command import run
from matplotlib.figure import Figure

import meanfield as mf
from meanfield.plot.page import Page, figure_of, render

LOOSE = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1.0364, m=2)"))


@cache
def twins() -> list[Figure]:
    """A figure drawn twice."""
    return [figure_of(mf.plot.variance(LOOSE)) for _ in range(2)]


STARTS = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG", "eps": b"%!PS"}


@pytest.mark.parametrize("format", STARTS)
def test_a_file_is_the_same_byte_for_byte(format: str) -> None:
    one, two = (render(twin, format, Page(), "meanfield plot this") for twin in twins())
    assert one == two
    assert one.startswith(STARTS[format])
    assert not re.search(rb"[Dd]ate>|CreationDate", one)
    assert b"meanfield plot this" in one


@pytest.mark.skipif(not (shutil.which("pdflatex") and shutil.which("dvipng")), reason="needs LaTeX")
def test_latex_sets_a_figure_where_it_is_installed(tmp_path: Path) -> None:
    figures = [tmp_path / "a.pgf", tmp_path / "b.pdf"]
    assert run("plot", "activation", "--act", "relu", "-o", str(figures[0])).exit_code == 0
    assert run("plot", "activation", "--act", "relu", "--usetex", "-o", str(figures[1])).exit_code == 0
    assert all(file.stat().st_size for file in figures)


def test_matplotlib_is_loaded_to_draw_and_pyplot_not_even_then() -> None:
    script = """
import sys
import meanfield as mf
from meanfield.cli import app

for arguments in (["eoc", "--act", "relu"], ["plot", "--help"], ["plot", "variance", "--help"]):
    app(arguments, standalone_mode=False)
assert not any(name.startswith("matplotlib") for name in sys.modules)
mf.plot.variance(mf.edge_of_chaos(mf.activation("relu")))
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_the_numbers_drawn_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("plot", "variance", "--act", "clipped-relu(1, 1)", "--data", "v.csv")
    assert result.stdout.splitlines() == ["wrote meanfield-variance.pdf", "wrote v.csv"]
    rows = list(csv.DictReader(Path("v.csv").read_text().splitlines()))
    assert [float(row["q"]) for row in rows if row["kind"] == "stable"] == [pytest.approx(1)]
    network = mf.edge_of_chaos(mf.activation("clipped-relu(1, 1)")).mean_field
    curve = [row for row in rows if not row["kind"]]
    q = np.array([float(row["q"]) for row in curve])
    np.testing.assert_array_equal([float(row["V"]) for row in curve], network.V(q))


def test_several_formats_at_once_or_none(tmp_path: Path) -> None:
    files = [tmp_path / f"a.{format}" for format in ("pdf", "svg", "png")]
    options = [part for file in files for part in ("-o", str(file))]
    assert run("plot", "activation", "--act", "relu", *options).exit_code == 0
    written = [file.read_bytes() for file in files]
    assert all(content.startswith(STARTS[file.suffix[1:]]) for content, file in zip(written, files, strict=True))
    assert run("plot", "activation", "--act", "abs", *options, "-o", str(tmp_path / "no" / "a.pdf")).exit_code == 2
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert [file.read_bytes() for file in files] == written


WRONG = {
    "an unknown format": (["--act", "relu", "-o", "a.tiff"], 2, ".pdf, .svg, .png, .pgf, .eps"),
    "a folder that is not there": (["--act", "relu", "-o", "no/a.pdf"], 2, "no folder no"),
    "no style": (["--act", "relu", "--style", "nature"], 2, "paper, slides"),
    "a length of no page": (["--act", "relu", "--figure-width", "300"], 2, "a figure of width 300 in cannot be"),
    "no length": (["--act", "relu", "--figure-height", "tall"], 2, "column, page"),
    "no preset": (["--act", "relu", "--preset", "nature"], 2, "iclr, neurips, icml, two-column"),
    "a preset of print for slides": (["--act", "relu", "--preset", "iclr", "--style", "slides"], 2, "give one of them"),
    "labels of nothing": (["--act", "relu", "--label", "a", "--label", "b"], 2, "1 --act and 2 --label"),
    "one label for two": (
        ["--act", "relu", "--act", "abs", "--label", "a", "--label", "a"],
        2,
        "two curves are called a",
    ),
    "too many pixels": (
        ["--act", "nothing", "--figure-width", "40", "--dpi", "2400", "-o", "a.png"],
        2,
        "pixels a side",
    ),
    "too many curves by far": (["--act", "nothing", "-p", "a=0.5:3:20000"], 2, "at most 8"),
    "no edge": (["--act", "sign"], 1, "jumps"),
    "too many curves": (["--act", "clipped-relu", "--tau", "1", "--m", "0.1:2:9"], 2, "at most 8"),
    "two tables": (["--act", "relu", "--data", "a.csv", "--data", "b.csv"], 2, "--data a.csv and b.csv: give one"),
    "no activation": (["--act", "1/x"], 2, "a pole"),
}


@pytest.mark.parametrize("arguments, code, said", WRONG.values(), ids=WRONG.keys())
def test_wrong_input_gets_one_line_and_no_file(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("plot", "variance", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    message, *pointer = result.stderr.splitlines()
    assert message.startswith("meanfield: ") and said in message
    # An expression is shown with its fault.
    assert bool(pointer) == ("1/x" in arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--usetex", "-o", "a.pdf"], ["-o", "a.pgf"]])
def test_latex_that_is_missing_is_told_of_before_anything_is_drawn(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    # Nor is anything computed: the activation, which is none, is not looked at.
    result = run("plot", "variance", "--act", "nothing", *arguments)
    assert result.exit_code == 2 and "needs LaTeX" in result.stderr and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_style_file_changes_the_paper_style(tmp_path: Path) -> None:
    style = tmp_path / "mine.mplstyle"
    style.write_text("# Mine.\nlines.linewidth: 3  # thick\nbackend: agg\nfont.family: serif\n")
    page = Page(style=style)
    (curve,) = [c for c in mf.plot.variance(LOOSE, page=page).get_lines() if c.get_label() == "_V"]
    assert curve.get_linewidth() == 3
    with Page().context():
        paper = dict(matplotlib.rcParams)
    with page.context():
        mine = dict(matplotlib.rcParams)
    assert {key for key in paper if paper[key] != mine[key]} == {"lines.linewidth", "font.family"}


NO_STYLES = {
    "a word": (b"nonsense\n", "line 1: nonsense is no setting"),
    "bytes": (b"\xff\xfe", "is not a style"),
    "an unknown setting": (b"lines.linewidth: 2\nlines.width: 3\n", "line 2: lines.width is no setting"),
    "a value that does not fit": (b"\nlines.linewidth: thick\n", "line 2: the value of lines.linewidth"),
    "a font that is not installed": (b"font.family: No Such Font\n", "No Such Font"),
    "a list of such fonts": (b"font.family: serif\nfont.serif: No Such Font, Nor This\n", "family serif"),
    "text larger than any page": (b"font.size: 1e9\n", "line 1: font.size = 1e+09 is no size of text"),
    "text of no size": (b"lines.linewidth: 2\nlegend.fontsize: nan\n", "line 2: legend.fontsize = nan"),
    "lines of no end": (b"axes.linewidth: inf\n", "line 1: axes.linewidth = inf fits on no page"),
    "a page of miles": (b"figure.figsize: 1e9, 2\n", "line 1: figure.figsize = 1e+09 fits on no page"),
    "nothing at all": (None, "is not a style"),
}


@pytest.mark.parametrize("content, said", NO_STYLES.values(), ids=NO_STYLES.keys())
def test_what_is_wrong_with_a_style_is_told_in_one_line(
    content: bytes | None, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    style = tmp_path / "mine.mplstyle"
    if content is not None:
        style.write_bytes(content)
    figure = tmp_path / "figure.pdf"
    result = run("plot", "variance", "--act", "relu", "--style", str(style), "-o", str(figure))
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"meanfield: {style}") and said in line
    assert not caplog.records and not figure.exists()


LENGTHS = [("column", 3.25), ("page", 6.75), ("8.255cm", 3.25), ("50.8 mm", 2), ("144.54pt", 2), ("3.25in", 3.25)]


@pytest.mark.parametrize("length, inches", [*LENGTHS, (4.0, 4.0)])
def test_lengths_have_names_and_units(length: str | float, inches: float) -> None:
    assert Page(width=length, height=length).figure(aspect=0.5).get_size_inches() == pytest.approx([inches, inches])


#: Inches of a column and of the text, and points of text without scripts, of the templates.
TEMPLATES = {"iclr": (5.5, 5.5, 9), "neurips": (5.5, 5.5, 9), "icml": (3.25, 6.75, 8), "two-column": (3.5, 7.16, 8)}


@pytest.mark.parametrize("preset", TEMPLATES)
def test_a_preset_is_as_wide_as_its_template_and_what_is_given_besides_holds(preset: str, tmp_path: Path) -> None:
    column, page, text = TEMPLATES[preset]
    asked = {None: column, "column": column, "page": page, "8cm": 8 / 2.54}
    for width, inches in asked.items():
        assert Page(width, preset=preset).figure(aspect=0.8).get_size_inches()[0] == pytest.approx(inches)
    assert Page(preset=preset).figure(1.25, "page").get_size_inches()[0] == pytest.approx(page)
    with Page(preset=preset).context():
        assert matplotlib.rcParams["font.size"] == matplotlib.rcParams["legend.fontsize"] == text
    style = tmp_path / "mine.mplstyle"
    style.write_text("font.size: 7.5\n")
    with Page(style=style, preset=preset).context():
        assert matplotlib.rcParams["font.size"] == 7.5
    svg = tmp_path / "figure.svg"
    assert run("plot", "activation", "--act", "relu", "--preset", preset, "-o", str(svg)).exit_code == 0
    (drawn,) = re.findall(r'<svg .*?width="([0-9.]+)pt"', svg.read_text(), re.DOTALL)
    assert float(drawn) == pytest.approx(72 * column)


def test_a_wide_figure_is_not_as_high_as_it_is_wide() -> None:
    width, height = Page(preset="iclr").figure(aspect=0.8).get_size_inches()
    assert 0.5 * width < height < 0.7 * width


def test_a_width_is_units_and_a_figure_width_inches(tmp_path: Path) -> None:
    files = ["-o", str(tmp_path / "figure.svg"), "--data", str(tmp_path / "numbers.csv")]
    small = ["--act", "relu", "--depth", "2", "--networks", "4"]
    asked = run("plot", "trajectory", *small, "--width", "300", "--figure-width", "4", *files)
    assert asked.exit_code == 0 and 'width="288pt"' in (tmp_path / "figure.svg").read_text()
    for kind in ("variance", "correlation"):
        refused = run("plot", kind, "--act", "relu", "--width", "8cm")
        assert refused.exit_code == 2 and "--figure-width" in refused.stderr
