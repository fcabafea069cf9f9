"""The command as its user meets it: results, formats, errors, start-up."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, data, process, run
from typer.testing import CliRunner

import meanfield as mf
from meanfield.cli import app

CRELU = "clipped-relu(tau=1.0364, m=2)"


def test_eoc_answers_with_an_initialisation_that_is_on_the_edge() -> None:
    answer = data("eoc", "--act", "soft-threshold", "--tau", "0.5")
    assert list(answer) == [
        "activation",
        "q_star",
        "sigma_w",
        "sigma_b",
        "sigma_w_squared",
        "sigma_b_squared",
        "sparsity",
        "chi_1",
        "V_prime",
        "V_double_prime",
        *("R_double_prime", "kappa"),
        *("phi_mean", "phi_variance", "phi_rms", "slope_rms", "gain_rms", "gain_sd", "gain_slope"),
        *("verdict", "explanation", "share_lost", "share_interval"),
        *("signal_lost", "gradient_lost", "one_minus_rho", "signal", "gradient", "inputs", "remedies"),
    ]
    network = mf.MeanField(mf.activation("soft-threshold", tau=0.5), answer["sigma_w"], answer["sigma_b"])
    assert network.V(1.0) == pytest.approx(1, rel=1e-12)
    assert network.chi1(1.0) == pytest.approx(1, rel=1e-12)
    assert answer["V_prime"] == 1
    assert answer["verdict"] == "unstable"
    (clip,) = answer["remedies"]
    assert (clip["what"], clip["share_lost"], clip["V_prime"] <= 0.7) == ("clip", None, True)
    # What it says is an activation like any other.
    assert data("eoc", "--act", clip["activation"])["sigma_w"] == pytest.approx(clip["sigma_w"], rel=1e-12)


def test_check_lists_the_three_fixed_points_of_a_loosely_clipped_relu() -> None:
    answer = data("check", "--act", CRELU, "--sigma-w", "2.592286", "--sigma-b", "0.737097")
    points = answer["fixed_points"]
    assert [list(p) for p in points] == [["q", "slope", "curvature", "kind"]] * 3
    assert [p["q"] for p in points] == pytest.approx([1, 1.235, 3.476], abs=1e-3)
    assert [p["kind"] for p in points] == ["stable", "unstable", "stable"]
    assert answer["phase"] == "edge of chaos"
    assert "1.235" in answer["explanation"]


STRICT = {
    "no fixed point": (["check", "--act", "shifted-relu(1)", "--sigma-w", "3", "--sigma-b", "1"], 1),
    "chaotic": (["check", "--act", "hard-tanh", "--sigma-w", "1.5", "--sigma-b", "0.1"], 1),
    "dies out": (["check", "--act", "relu", "--sigma-w", "1.2"], 1),
    "jumps": (["check", "--act", "sign", "--sigma-w", "1", "--sigma-b", "0.1"], 1),
    "on the edge": (["check", "--act", "hard-tanh", "--sigma-w", "1.21", "--sigma-b", "0.494"], 0),
    "neutral": (["check", "--act", "relu", "--sigma-w", "1.4142135623730951"], 0),
    "chaotic, few layers": (
        ["check", "--act", "hard-tanh", "--sigma-w", "1.5", "--sigma-b", "0.1", "--width", "300", "--depth", "10"],
        0,
    ),
    "an edge that repels": (["eoc", "--act", "soft-threshold", "--tau", "0.5"], 1),
    "one of two": (["eoc", "--act", "relu", "--act", "shifted-relu(1)"], 1),
    "an edge that holds": (["eoc", "--act", "clipped-relu(1, 1)"], 0),
    "fragile": (
        ["stability", "--act", "clipped-relu(tau=1.0364, m=2)", "--width", "60", "--depth", "6", "--escapes", "512"],
        1,
    ),
    "safe": (["stability", "--act", "clipped-relu(1, 1)", "--width", "200", "--depth", "5"], 0),
}


@pytest.mark.parametrize("case", STRICT)
def test_strict_fails_what_does_not_keep_signal_and_gradients(case: str) -> None:
    arguments, code = STRICT[case]
    plain, strict = run(*arguments), run(*arguments, "--strict")
    assert (plain.exit_code, strict.exit_code) == (0, code)
    assert strict.stdout == plain.stdout


def test_one_activation_gives_an_object_and_several_a_list() -> None:
    several = data("eoc", "--act", "relu", "--act", "leaky-relu", "--slope", "0.1")
    assert [row["activation"] for row in several] == ["relu", "leaky-relu(slope=0.1)"]
    assert isinstance(data("eoc", "--act", "relu"), dict)


def test_each_of_several_activations_takes_the_parameters_it_knows() -> None:
    several = data(
        "eoc", "--act", "relu", "--act", "soft-threshold", "--act", "clip(x, -m, m)", "--tau", "1", "--m", "2"
    )
    alone = data("eoc", "--act", "clip(x, -2, 2)")
    assert several[2]["sigma_w"] == alone["sigma_w"]


def test_sigma_b_gives_every_point_of_the_edge() -> None:
    rows = data("eoc", "--act", "clipped-relu(1, 1)", "--sigma-w", "3")
    assert len(rows) == 2
    assert [row["sigma_w"] for row in rows] == pytest.approx([3, 3], rel=1e-12)


def test_maps_print_what_the_library_computes() -> None:
    rows = data("maps", "--act", "relu", "--q", "0.5,2")
    assert [(row["q"], row["V"]) for row in rows] == [(0.5, pytest.approx(0.5)), (2, pytest.approx(2))]
    rows = data("maps", "--act", "relu", "--rho=-1:1:3")
    assert [row["R"] for row in rows] == pytest.approx([0, 1 / 3.141592653589793, 1], abs=1e-15)


def test_csv_holds_every_digit_and_nothing_but_data() -> None:
    result = run("eoc", "--act", "soft-threshold", "--tau", "0.5", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert float(row["sigma_w"]) == mf.edge_of_chaos(mf.activation("soft-threshold", tau=0.5)).sigma_w


def test_digits_round_every_format() -> None:
    assert data("eoc", "--act", "relu", "--digits", "3")["sigma_w"] == 1.41
    assert "1.41 " in run("eoc", "--act", "relu", "--digits", "3").stdout


def test_markdown_and_latex_have_a_row_each() -> None:
    arguments = ["eoc", "--act", "relu", "--act", "abs", "--format"]
    markdown, latex = run(*arguments, "markdown").stdout, run(*arguments, "latex").stdout
    assert [line.count("|") for line in markdown.splitlines()] == [8] * 4
    assert latex.count(r"\\") == 3
    assert r"\begin{tabular}" in latex and latex.endswith("\\end{tabular}\n")
    assert latex.isascii()


WRONG = {
    "a pole": (["eoc", "--act", "1/x"], 2, "a pole at x = 0"),
    "no logarithm": (["eoc", "--act", "log(x)"], 2, "no value at x = -1"),
    "too fast a growth": (["eoc", "--act", "exp(x**2)"], 2, "grows too fast"),
    "a break without a formula": (["derive", "--act", "max(tanh(x), a*x)"], 2, "give every parameter a number"),
    "a jump": (["eoc", "--act", "hard-threshold", "--tau", "0.5"], 1, "jumps at x = -0.5, 0.5"),
    "zero": (["eoc", "--act", "0*x"], 2, "zero everywhere"),
    "an open parenthesis": (["eoc", "--act", "max(0,x"], 2, ")"),
    "a misspelt name": (["eoc", "--act", "soft-treshold", "--tau", "0.5"], 2, "soft-threshold"),
    "a negative threshold": (["eoc", "--act", "soft-threshold", "--tau", "-1"], 2, "tau"),
    "a missing parameter": (["eoc", "--act", "clipped-relu", "--tau", "1"], 2, "m"),
    "a stray parameter": (["eoc", "--act", "relu", "--tau", "1"], 2, "tau"),
    "no edge here": (["eoc", "--act", "hard-sigmoid"], 1, "q* >= 47"),
    "not a number": (["eoc", "--act", "relu", "--q-star", "one"], 2, "--q-star"),
    "not a variance": (["eoc", "--act", "relu", "--q-star", "-1"], 2, "-1"),
    "nan": (["eoc", "--act", "soft-threshold", "--tau", "nan"], 2, "nan"),
    "two questions": (["eoc", "--act", "relu", "--q-star", "1", "--sigma-b", "1"], 2, "one of"),
    "no activation": (["eoc"], 2, "--act"),
    "an unknown command": (["eos"], 2, "eos"),
    "an unknown option": (["eoc", "--act", "relu", "--hidden", "3"], 2, "--hidden"),
    "no weights": (["check", "--act", "relu", "--sigma-w", "0"], 2, "sigma_w"),
    "an order that is not assumed": (["derive", "--act", "clip(x, a, b)"], 2, '--assume "a > b"'),
    "a contradiction": (["derive", "--act", "abs(x)*a", "--assume", "a > 1", "--assume", "a < 1"], 2, "contradicts"),
    "an unknown quantity": (["derive", "--act", "relu", "--quantity", "W"], 2, "dV_eoc"),
    "no edge to derive": (["derive", "--act", "sign", "--quantity", "dV_eoc"], 1, "jumps at x = 0"),
    "a name that is taken": (["derive", "--act", "max(x - q, 0)"], 2, "q is the variance"),
    "two activations": (["derive", "--act", "relu", "--act", "abs"], 2, "one activation at a time"),
    "a document in Python": (["derive", "--act", "relu", "--standalone", "--format", "python"], 2, "--format latex"),
    "an unknown format": (["derive", "--act", "relu", "--format", "csv"], 2, "csv"),
    "not a symbol": (["derive", "--act", "soft-threshold", "--tau", "x"], 2, "varies with x"),
    "a formula too long": (["derive", "--act", "+".join(f"max(x-{i},0)" for i in range(17)), "-Q", "R"], 2, "17 knots"),
    "not a range": (["maps", "--act", "relu", "--q", "1:2"], 2, "START:STOP:COUNT"),
    "not a correlation": (["maps", "--act", "relu", "--rho", "0,2"], 2, "[-1, 1]"),
    "a file that is not there": (["eoc", "--act", "nosuch.json"], 2, "nosuch.json"),
    "a folder that is not there": (["eoc", "--act", "relu", "--output", "/no/such/folder/f"], 2, "/no/such/folder"),
}


@pytest.mark.parametrize("arguments, code, said", WRONG.values(), ids=WRONG.keys())
def test_wrong_input_gets_one_line_and_an_exit_code(arguments: list[str], code: int, said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    message, *pointer = result.stderr.rstrip("\n").split("\n")
    assert message.startswith("meanfield: ") and said in message
    # An expression's message shows the expression and points into it.
    assert not pointer or (len(pointer) == 2 and set(pointer[1]) == {" ", "^"})


def test_a_pole_is_pointed_at() -> None:
    _, expression, pointer = run("eoc", "--act", "max(0, 1/x)").stderr.rstrip().split("\n")
    start = pointer.index("^")
    assert expression[start : start + pointer.count("^")] == "1/x"


def test_a_traceback_is_shown_only_on_request() -> None:
    assert "Traceback" not in process("eoc", "--act", "1/x").stderr
    assert "Traceback" in process("--debug", "eoc", "--act", "1/x").stderr


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "edge.json"
    assert run("eoc", "--act", "relu", "--format", "json", "--output", str(target)).exit_code == 0
    written = target.read_text()
    assert json.loads(written)["activation"] == "relu"
    assert run("eoc", "--act", "sign", "--format", "json", "--output", str(target)).exit_code == 1
    assert run("eoc", "--act", "relu", "--output", str(tmp_path)).exit_code == 2
    assert target.read_text() == written
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_private_file_stays_private(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    assert run("eoc", "--act", "relu", "--format", "json", "--output", str(link)).exit_code == 0
    assert link.is_symlink() and json.loads(target.read_text())["activation"] == "relu"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    assert run("eoc", "--act", "relu", "--format", "json", "--output", str(pipe)).exit_code == 0
    assert json.loads(reader.communicate(timeout=30)[0])["activation"] == "relu"
    assert pipe.is_fifo()


def test_a_file_is_not_written_when_one_of_several_has_no_answer(tmp_path: Path) -> None:
    target = tmp_path / "edges.csv"
    arguments = ["eoc", "--act", "relu", "--act", "sign", "--format", "csv", "--output", str(target)]
    assert run(*arguments).exit_code == 1
    assert not target.exists()


def test_check_says_what_the_phase_does_to_gradients() -> None:
    chaotic = data("check", "--act", "hard-tanh", "--sigma-w", "1.5", "--sigma-b", "0.1")
    ordered = data("check", "--act", "relu", "--sigma-w", "1.2", "--sigma-b", "0.3")
    assert (chaotic["phase"], ordered["phase"]) == ("chaotic", "ordered")
    assert "gradients explode" in chaotic["explanation"]
    assert "die out" in ordered["explanation"]


@pytest.mark.parametrize("format", ["latex", "python", "sympy", "mathematica", "json"])
def test_derive_writes_for_programs_and_nothing_else(format: str, tmp_path: Path) -> None:
    arguments = ["derive", "--act", "clipped-relu(tau, m)", "--quantity", "V", "--format", format]
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    start = {"latex": r"\begin{aligned}", "python": '"""', "sympy": "from sympy", "mathematica": "V[q_", "json": "{"}
    assert result.stdout.startswith(start[format])
    assert run(*arguments, "--output", str(tmp_path / "out")).stdout == ""
    assert (tmp_path / "out").read_text() == result.stdout


def test_derive_gives_integrals_where_it_knows_no_closed_form() -> None:
    result = run("derive", "--act", "tanh", "-Q", "V", "-Q", "chi1")
    assert result.exit_code == 0
    for line in (
        "V(q) = σ_w²·∫ φ(√q·z)²·ϕ(z) dz + σ_b²",
        "with φ(x) = tanh(x)",
        "χ₁(q) = σ_w²·∫ φ'(√q·z)²·ϕ(z) dz",
        "with φ'(x) = 1 − tanh(x)²",
        "No closed form is known here: V, chi1 with integrals over all real numbers.",
    ):
        assert line in result.stdout
    assert "∫" not in run("derive", "--act", "erf(a*x)").stdout


def test_derive_mixes_symbols_with_numbers_from_options() -> None:
    one = run("derive", "--act", "clipped-relu", "--m", "1/2", "-p", "tau=a").stdout.splitlines()
    two = run("derive", "--act", "clipped-relu(a, m)", "--m", "0.5").stdout.splitlines()
    assert one[2:] == two[2:] and "m" not in one[4]
    assert run("derive", "--act", "max(x - assume, 0)", "-p", "assume=notation").exit_code == 0


def test_derive_says_what_has_no_formula_and_why() -> None:
    result = run("derive", "--act", "hard-threshold", "--quantity", "all")
    assert result.exit_code == 0
    told = " ".join(result.stdout.split())
    assert "Without a formula: sigma_w2, sigma_b2, dV_eoc, d2V_eoc, kappa; hard-threshold(tau) jumps" in told


def test_formulas_keep_within_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (80, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = run("derive", "--act", "clipped-soft-threshold(tau, m)", "--quantity", "all").stdout.splitlines()
        assert len(lines) > 40 and max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_keep_within_the_width_of_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (["eoc", "--act", CRELU], ["eoc", "--act", "relu", "--act", CRELU], ["activations"]):
        lines = run(*arguments).stdout.splitlines()
        assert lines and max(map(len, lines)) <= width


def test_colour_is_for_terminals_that_want_it() -> None:
    arguments = ["eoc", "--act", "soft-threshold", "--tau", "0.5"]
    assert "\x1b" not in process(*arguments).stdout
    assert "\x1b[31m" in process(*arguments, FORCE_COLOR="1", TERM="xterm").stdout
    assert "\x1b[31m" not in process(*arguments, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").stdout


def test_an_ascii_terminal_still_gets_its_numbers() -> None:
    result = process("eoc", "--act", "relu", PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "1.41421" in result.stdout


def test_a_formula_is_not_written_with_question_marks() -> None:
    result = process("derive", "--act", "relu", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stdout) == (2, "")
    assert "PYTHONIOENCODING=utf-8" in result.stderr
    assert process("derive", "--act", "relu", "-f", "latex", PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize(
    "typed, completed",
    [
        ("sta", {"stability"}),
        ("plot var", {"variance"}),
        ("eoc --act soft-", {"soft-threshold"}),
        ("plot activation --act soft-", {"soft-threshold"}),
        ("eoc --format c", {"csv"}),
        ("plot trajectory --net", {"--networks", "--networks-from"}),
        ("plot phase --figure-w", {"--figure-width"}),
    ],
)
def test_the_shell_completes_commands_options_and_values(typed: str, completed: set[str]) -> None:
    words = f"meanfield {typed}"
    asked = {"_MEANFIELD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert set(CliRunner().invoke(app, [], env=asked, prog_name="meanfield").stdout.split()) == completed


def test_help_loads_nothing_heavy_and_a_command_no_other() -> None:
    code = """
import sys
from meanfield.cli import app

def loaded(*arguments):
    app(list(arguments), standalone_mode=False)
    return {name.removeprefix("meanfield.cli.") for name in sys.modules} & {"derive", "simulate", "plot", "plot.phase"}

assert loaded("derive", "--help") == {"derive"}
assert loaded("plot", "variance", "--help") == {"derive", "plot"}
loaded("plot", "--help")
loaded("--help")
assert not {"numpy", "scipy", "sympy", "matplotlib", "joblib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_edge_of_chaos_loads_neither_sympy_nor_matplotlib_nor_scipy() -> None:
    code = (
        "import sys, meanfield as mf\n"
        "mf.fixed_points(mf.edge_of_chaos(mf.activation('relu')).mean_field)\n"
        "mf.symbolic\n"
        "print({'scipy', 'sympy', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()"


def test_the_version_is_the_same_everywhere() -> None:
    assert run("--version").stdout.split() == ["meanfield", mf.__version__]
    assert f"version: {mf.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"{{{mf.__version__}}}" in run("cite").stdout
