"""What quantities are called: in one place, and told in docs/quantities.md."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from command import run

from meanfield.cli import app
from meanfield.lettering import GREEK, latex_name, latex_text, text_name
from meanfield.quantities import FORMULAS, QUANTITIES, parameter_latex, quantity

PAGE = (Path(__file__).parents[1] / "docs" / "quantities.md").read_text()


def test_the_page_of_quantities_lists_every_one_as_it_is_called() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    told = [[cell.strip().replace("\\|", "|") for cell in row.replace("\\|", "\0").split("|")[1:-1]] for row in rows]
    told = [[cell.replace("\0", "|") for cell in row] for row in told]
    assert told == [[f"`{key}`", q.symbol, q.meaning, q.unit] for key, q in QUANTITIES.items()]


@pytest.mark.parametrize(
    ("name", "key"), [("sigma_w2", "sigma_w_squared"), ("dV_eoc", "V_prime"), ("d2V_eoc", "V_double_prime"), ("V", "V")]
)
def test_a_formula_is_called_as_its_quantity_is(name: str, key: str) -> None:
    assert FORMULAS[name].called.symbol == QUANTITIES[key].symbol
    assert FORMULAS[name].called.mathematics == QUANTITIES[key].latex.strip("$")


def test_what_is_not_known_is_called_as_it_is() -> None:
    assert quantity("my_slope").symbol == "my_slope"
    assert quantity("my_slope").latex == r"my\_slope"


@pytest.mark.parametrize(
    ("name", "latex"),
    [("q_star", "q^*"), ("sparsity", "s"), ("slope", "a"), ("_x", r"\mathit{\_x}"), ("a_b_c", r"a_{b\_c}")],
)
def test_a_figure_has_signs_of_its_own_and_takes_any_name(name: str, latex: str) -> None:
    assert parameter_latex(name) == latex


@pytest.mark.parametrize(
    ("name", "text", "latex"),
    [
        ("tau", "τ", r"\tau"),
        ("τ", "τ", r"\tau"),
        ("t1", "t₁", "t_{1}"),
        ("t_1", "t₁", "t_{1}"),
        ("lambda_min", "λ_min", r"\lambda_{min}"),
        ("width", "width", r"\mathit{width}"),
        ("m", "m", "m"),
        ("Omega2", "Ω₂", r"\Omega_{2}"),
    ],
)
def test_names_are_written_as_symbols(name: str, text: str, latex: str) -> None:
    assert (text_name(name), latex_name(name)) == (text, latex)


@pytest.mark.parametrize("name", ["tau", "m", "b_1", "α", "alpha", "width"])
def test_figures_write_a_parameter_as_formulas_do(name: str) -> None:
    assert parameter_latex(name) == latex_name(name)


def test_text_keeps_its_signs_in_latex() -> None:
    assert latex_text("50 % of σ_w² ≤ 1 & a\\b") == r"50 \% of $\sigma$\_w$^2$ $\le$ 1 \& a\textbackslash{}b"
    assert all(latex_text(letter).isascii() for letter in GREEK)


#: Every command that prints JSON, asked for as much as it can tell, of little.
ASKED = {
    "eoc": ["--act", "shifted-relu(1)"],
    "check": ["--act", "hard-tanh", "--sigma-w", "1.5"],
    "gain": ["--act", "relu", "--fan-in", "100"],
    "maps": ["--act", "relu", "--rho", "0,1"],
    "stability": ["--act", "clipped-relu(tau=1.0364, m=2)", "--width", "50", "--depth", "5", "--escapes", "64"],
    "design": ["--safe-for", "width=100,depth=5", "--escapes", "64"],
    "phase": ["--act", "hard-tanh", "--sigma-w", "1", "--sigma-b", "0.1"],
    "sparsity": ["--act", "relu", "--width", "10", "--samples", "100"],
    "derive": ["--act", "clip(x, a, b)", "--assume", "a < b"],
    "simulate": ["--act", "relu", "--width", "10", "--depth", "2", "--networks", "20", "--backward"],
    # At a level so high some quantity departs.
    "verify": ["--act", "hard-tanh", "--width", "10", "--depth", "2", "--networks", "20", "--level", "0.999"],
    "activations": [],
}
#: What these hold is by the name of a parameter or of a formula.
BY_NAME = {"parameters", "where", "without_formula"}
NETWORKS = ["--act", "relu", "--width", "10", "--depth", "3", "--networks", "10"]
#: Every kind of figure, likewise.
DRAWN = {
    "variance": ["--act", "relu"],
    "correlation": ["--act", "relu"],
    "correlation near one": ["--act", "relu", "--near-one"],
    "slope": ["--act", "clip(x - tau, 0, b)", "--against", "b", "--sparsity", "0.8", "--values", "0.5,1"],
    "phase": ["--act", "hard-tanh", "--sigma-w", "1.5", "--sigma-b", "0.1"],
    "design": ["--sparsity", "0.6:0.9:2", "--levels", "0.5:1:2", "--width", "30", "--depth", "3"],
    "phase at a depth": ["--act", "relu", "--width", "300", "--depth", "10"],
    "trainable": ["--sparsity", "0.6,0.8", "--width", "30:60:2", "--depth", "5", "--levels", "1"],
    "trajectory": NETWORKS,
    "activation": ["--act", "relu"],
    "summary": NETWORKS,
}


def group(*names: str) -> Any:
    """The command, or the one of that name below it."""
    found: Any = typer.main.get_command(app)
    for name in names:
        found = found.get_command(None, name)
    return found


def keys(value: Any) -> set[str]:
    """Those of every object in it."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if isinstance(value, dict):
        return set(value).union(*(keys(held) for key, held in value.items() if key not in BY_NAME))
    return set()


def test_every_command_and_figure_is_asked() -> None:
    # What needs torch is asked by tests/torch and tests/training.
    assert {*ASKED, "export", "plot", "cite", "audit", "train", "experiment"} == {*group().list_commands(None)}
    # Figures of training need files: tests/plot/test_training.py asks for them.
    assert {name.split()[0] for name in DRAWN} | {"audit", "training"} == {*group("plot").list_commands(None)}


@pytest.mark.parametrize("command", ASKED)
def test_every_key_of_json_is_a_quantity_or_an_option(command: str) -> None:
    printed = keys(json.loads(run(command, *ASKED[command], "--format", "json").stdout))
    options = {option.name for name in ASKED for option in group(name).params}
    assert printed and printed - {*QUANTITIES} <= options


@pytest.mark.parametrize("figure", DRAWN)
def test_every_column_of_a_figures_numbers_is_a_quantity_or_a_parameter(figure: str, tmp_path: Path) -> None:
    files = ["--data", str(tmp_path / "numbers.csv"), "-o", str(tmp_path / "figure.svg")]
    assert run("plot", figure.split()[0], *DRAWN[figure], *files).exit_code == 0
    columns = next(csv.reader((tmp_path / "numbers.csv").read_text().splitlines()))
    assert columns and {*columns} <= {*QUANTITIES, "b"}
