"""Results as tables: what every format makes of a record, and what a notebook shows."""

from __future__ import annotations

import csv
import io
import json
import math
import pickle
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from command import run

import meanfield as mf
from meanfield.errors import DomainError, printable
from meanfield.tables.latex import as_latex, latex_label, require_caption
from meanfield.tables.mathematics import Notation
from meanfield.tables.plain import as_csv, as_json, as_jsonl, as_markdown
from meanfield.tables.records import chosen, number_texts

CRELU = mf.activation("clipped-relu", tau=1.0364, m=2)
ROWS = [
    {"activation": "relu", "q_star": 1.0, "sigma_w": math.sqrt(2), "V_prime": -0.25, "xi_c": math.inf, "phase": "edge"},
    {"activation": "a_b & 50%", "q_star": 12.5, "sigma_w": 2e-5, "V_prime": None, "xi_c": math.nan, "phase": "ordered"},
]


def results() -> dict[str, object]:
    """One of every public result."""
    edge = mf.edge_of_chaos(CRELU)
    diagnosis = mf.diagnose(edge)
    required = mf.Requirement(30, 3, chains=64)
    ensemble = mf.simulate(mf.Experiment(edge.mean_field, width=10, depth=2, networks=12), label="crelu")
    return {
        "activation": CRELU,
        "edge": edge,
        "edges": mf.edges_of_chaos(CRELU, sigma_w=edge.sigma_w),
        "edge curve": mf.edge_curve(CRELU, [0.5, 1.0]),
        "network": edge.mean_field,
        "operating point": mf.operating_point(CRELU),
        "fixed points": mf.fixed_points(edge.mean_field),
        "fixed point": mf.fixed_points(edge.mean_field)[0],
        "correlations": mf.correlation_fixed_points(edge.mean_field, 1.0),
        "diagnosis": diagnosis,
        "verdict": diagnosis.verdict,
        "finite width": mf.at_width(diagnosis, required),
        "escapes": mf.escapes(edge.mean_field, 1.0, required),
        "phase diagram": mf.phase_diagram(CRELU, [1.0, 2.0], [0.0, 0.5]),
        "designs": mf.designs(mf.Family("clipped-relu", ("tau", "m")), sparsity=0.85, slope=0.7),
        "slope curve": mf.slope_curve("clipped-relu(tau=1)", "m", [0.5, 1.0]),
        "design map": mf.design_map(mf.Family("clipped-relu", ("tau", "m")), [0.8], [1.0], required),
        "trainable depths": mf.trainable_depths(mf.Family("clipped-relu", ("tau", "m")), [0.8], [50], required, [1.0]),
        "active units": mf.active_units(CRELU, 100),
        "gains": mf.gains(CRELU),
        "remedy": mf.diagnose(mf.edge_of_chaos(mf.activation("shifted-relu", tau=1))).verdict.remedies[0],
        "ensemble": ensemble,
        "comparison": mf.compare(ensemble),
    }


@pytest.fixture(scope="module")
def every_result() -> dict[str, object]:
    return results()


class Balanced(HTMLParser):
    """Fails where a tag is not closed; collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_public_result_shows_itself_in_a_notebook(every_result: dict[str, object]) -> None:
    for name, result in every_result.items():
        page = Balanced()
        page.feed(result._repr_html_())
        assert not page.open and "<td" in result._repr_html_(), name
        latex = result._repr_latex_()
        assert latex.startswith("$\\begin{array}") and latex.endswith("\\end{array}$"), name
        head, *body = [line for line in latex.splitlines() if line.endswith(r"\\")]
        assert body and {line.count(" & ") for line in body} == {head.count(" & ")}, name


def test_every_record_is_json_and_its_keys_are_quantities(every_result: dict[str, object]) -> None:
    from meanfield.quantities import QUANTITIES

    asked = {"q0", "within", "risk", "escapes", "seed", "networks", "inputs", "weights", "method", "padding", "size"}
    for name, result in every_result.items():
        records = result.records() if hasattr(result, "records") else [result.record()]
        assert json.loads(as_json(records)) is not None, name
        assert {key for record in records for key in record} <= {*QUANTITIES, *asked}, name


def test_a_line_says_what_a_result_is(every_result: dict[str, object]) -> None:
    for name, result in every_result.items():
        if not isinstance(result, tuple | list):
            assert "\n" not in repr(result) and len(repr(result)) < 400, name
    said = repr(every_result["diagnosis"])
    assert said.startswith("<Diagnosis activation=clipped-relu(tau=1.0364, m=2), sigma_w=2.592, sigma_b=0.7371")


def test_a_notebook_shows_the_numbers_of_the_result(every_result: dict[str, object]) -> None:
    page = Balanced()
    page.feed(every_result["edge"]._repr_html_())
    for text in ("clipped-relu(tau=1.0364, m=2)", "2.59229", "0.737097", "0.946634"):
        assert text in page.text
    page.feed(every_result["diagnosis"]._repr_html_())
    assert "1.23482" in page.text or "1.23481" in page.text
    assert "stable" in page.text and "deviations shrink back" in page.text


def test_an_activation_remembers_its_name_and_equals_what_it_is() -> None:
    phi = mf.activation("soft-threshold", tau=0.5)
    assert repr(phi) == "soft-threshold(tau=0.5)" and "soft-threshold(tau=0.5)" in phi._repr_html_()
    assert "soft-threshold(tau=0.5)" in repr(mf.edge_of_chaos(phi))
    same = mf.PiecewiseLinear(phi.knots, phi.slopes, phi.intercepts)
    assert phi == same and hash(phi) == hash(same) and repr(same).startswith("PiecewiseLinear(knots=")
    assert mf.activation(phi) is phi and mf.activation(same) is same
    assert repr(pickle.loads(pickle.dumps(phi))) == repr(phi)
    assert repr(phi.named("mine\x1b[31m")) == "mine\\x1b[31m"


def test_numbers_of_a_column_have_the_digits_that_one_of_them_needs() -> None:
    assert number_texts([1.0, 0.5, None, math.inf, -math.inf], 4) == ["1", "0.5", "—", "∞", "-∞"]
    assert number_texts([1.0, 0.56616, 0.0, 300, 21000.0, 3e-7], 4) == [
        *("1.000", "0.5662", "0", "300", "2.100e4", "3.000e-7"),
    ]


def test_latex_has_aligned_numbers_mathematical_names_and_no_bare_special_character() -> None:
    written = as_latex(ROWS, 4)
    first, begin, *_ = written.splitlines()
    assert first == r"% needs \usepackage{booktabs,siunitx}"
    assert begin == (
        r"\begin{tabular}{l S[table-format=2.1] S[table-format=1.3e-1] S[table-format=-1.2] S[table-format=1.0] l}"
    )
    assert r"$\phi$ & {$q^*$} & {$\sigma_w$} & {$V'(q^*)$} & {$\xi_c$} & phase \\" in written
    assert r"relu & 1 & 1.414 & -0.25 & {$\infty$} & edge \\" in written
    assert r"a\_b \& 50\% & 12.5 & 2.000e-5 & {---} & {---} & ordered \\" in written
    assert "tabular" in written and r"\begin{table}" not in written


def test_a_caption_and_a_label_make_a_table_that_floats() -> None:
    written = as_latex(ROWS, 4, r"A 50% \emph{edge}, $\sigma_w^2$ & more_less", "tab:edges")
    lines = written.splitlines()
    assert lines[1:5] == [
        r"\begin{table}",
        r"\centering",
        r"\caption{A 50\% \emph{edge}, $\sigma_w^2$ \& more\_less}",
        r"\label{tab:edges}",
    ]
    assert lines[-1] == r"\end{table}"
    for caption in ("a {brace", "}{", "5 $", "ends in \\"):
        with pytest.raises(DomainError, match="pair"):
            require_caption(caption)


@pytest.mark.parametrize(
    ("label", "latex"),
    [
        ("relu", "relu"),
        ("clipped-relu(tau=1.0364, m=2)", r"clipped-relu ($\tau = 1.0364$, $m = 2$)"),
        ("clip(x, -b, b)", r"$\mathrm{clip}(x, -b, b)$"),
        ("clip(x, -b, b), b=1/3", r"$\mathrm{clip}(x, -b, b)$, $b=1/3$"),
        ("max(0, x-0.5) - 2*x", r"$\max(0, x-0.5) - 2\,x$"),
        ("x", "$x$"),
        ("x-1", "$x-1$"),
        ("hard-tanh", "hard-tanh"),
        ("2**3*x", r"$2^{3}\,x$"),
        ("2 ** (k-1) * x", r"$2^{k-1}\,x$"),
        ("2**-k**2*x", r"$2^{-k^{2}}\,x$"),
        ("2**max(1, 2)*x", r"$2^{\max(1, 2)}\,x$"),
        ("1e-3*x", r"$10^{-3}\,x$"),
        ("2.5e+06*x + .5", r"$2.5 \cdot 10^{6}\,x + .5$"),
        ("1e-3**2*x", r"$(10^{-3})^{2}\,x$"),
        ("2*3*x*4", r"$2 \cdot 3\,x \cdot 4$"),
        ("1/3*x + 2*x", r"$1/3 \cdot x + 2\,x$"),
        ("x*((x > 0) and (x <= 1))", r"$x\,((x > 0) \mathrel{\mathrm{and}} (x \le  1))$"),
        ("(x > 0) | (x != -1)", r"$(x > 0) \mathrel{\mathrm{or}} (x \ne  -1)$"),
    ],
)
def test_an_activation_is_named_in_a_paper_as_a_person_would(label: str, latex: str) -> None:
    assert latex_label(Notation(label)) == latex


@pytest.mark.parametrize("label", ["our x-net (v2)", "x-net", "net (v=2)", "x*x", "package.module:function"])
def test_a_label_that_a_user_gives_is_text(label: str) -> None:
    assert latex_label(label) == label
    assert f"\n{label} & " in run("eoc", "--act", "max(x, 0)", "--label", label, "-f", "latex").stdout
    assert mf.activation("max(x, 0)").named(label)._repr_latex_().count(rf"\text{{{label}}}") == 1


def test_what_was_parsed_is_mathematics_wherever_it_goes() -> None:
    phi = pickle.loads(pickle.dumps(mf.activation("1e-3*x + max(x, 0)")))
    assert r"10^{-3}\,x + \max(x, 0)" in mf.edge_of_chaos(phi)._repr_latex_()
    assert "2^{\\mathit{bits}} - 1" in run("activations", "-f", "latex").stdout
    assert "$\\mathit{bits}$ from 1 to 12" in run("activations", "-f", "latex").stdout


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_latex_of_every_result_compiles(every_result: dict[str, object], tmp_path: Path) -> None:
    tables = []
    for result in every_result.values():
        records = result.records() if hasattr(result, "records") else [result.record()]
        tables.append(as_latex([{k: v for k, v in r.items() if k != "layers"} for r in records[:5]], 4))
    named = "".join(sorted({table.splitlines()[0].removeprefix("% needs ") for table in tables}))
    packages = rf"\usepackage[paperwidth=300cm]{{geometry}}{named}"
    head = rf"\documentclass{{article}}{packages}\begin{{document}}"
    (tmp_path / "page.tex").write_text(head + "\n\n".join(tables) + "\\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-2000:]


def test_csv_holds_every_digit_and_no_formula_of_a_spreadsheet() -> None:
    names = ["=1+2", "+x", "-x + max(x, 0)", "@SUM(A1)", " =1", "x"]
    rows = list(csv.reader(io.StringIO(as_csv([{"activation": name, "q": -1 / 3} for name in names]))))
    assert [row[0] for row in rows[1:]] == ["'=1+2", "'+x", "'-x + max(x, 0)", "'@SUM(A1)", "' =1", "x"]
    assert all(float(row[1]) == -1 / 3 for row in rows[1:])


def test_a_row_without_a_key_has_a_gap_in_csv() -> None:
    text = as_csv([{"activation": "relu", "q": 1.0}, {"activation": "sign", "error": "it jumps"}])
    assert text == "activation,q,error\nrelu,1.0,\nsign,,it jumps\n"


def test_nothing_that_is_printed_acts_on_a_terminal() -> None:
    wild = "a\x1b[31m\u202e\x9b2J\x07\nb"
    assert printable(wild) == "a\\x1b[31m\\u202e\\x9b2J\\x07\\nb"
    assert printable("φ(x) = ½·x") == "φ(x) = ½·x"
    for write in (as_csv, as_json, as_jsonl, lambda rows: as_markdown(rows, 4), lambda rows: as_latex(rows, 4)):
        text = write([{"activation": wild, "q": 1.0}])
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert json.loads(as_json({"activation": wild})) == {"activation": wild}


def test_markdown_puts_numbers_to_the_right_and_escapes_what_is_markup() -> None:
    table = as_markdown([{"activation": "a|b*c_d", "V_prime": 0.94663399}], 4)
    assert table == "| activation | V'(q\\*) |\n| --- | ---: |\n| a\\|b\\*c\\_d | 0.9466 |\n"


def test_columns_are_chosen_by_name_and_refused_with_those_there_are() -> None:
    assert chosen(ROWS, ["sigma_w", "activation"])[0] == {"sigma_w": math.sqrt(2), "activation": "relu"}
    with pytest.raises(
        DomainError, match=r"no column sigma: did you mean sigma_w\? choose from activation, q_star, sigma_w"
    ):
        chosen(ROWS, ["sigma"])
    with pytest.raises(DomainError, match="twice"):
        chosen(ROWS, ["q_star", "q_star"])


def test_rows_of_arrays_are_those_of_the_arrays(every_result: dict[str, object]) -> None:
    diagram = every_result["phase diagram"]
    rows = diagram.records()
    assert [(row["sigma_w"], row["sigma_b"]) for row in rows] == [(1.0, 0.0), (2.0, 0.0), (1.0, 0.5), (2.0, 0.5)]
    np.testing.assert_array_equal([row["q_star"] for row in rows], diagram.q_star.ravel())


def test_a_notebook_says_how_many_rows_it_leaves_out() -> None:
    curve = mf.edge_curve(CRELU, np.linspace(0.5, 1.5, 63))
    assert curve._repr_html_().endswith("<p>and 3 more rows</p>\n")
    array, _, said = curve._repr_latex_().rpartition("\n\n")
    assert said == "and 3 more rows" and array.endswith("\\end{array}$") and array.count(r"\\") == 61
    assert "more row" not in mf.edge_curve(CRELU, [0.5, 1.0])._repr_latex_()
