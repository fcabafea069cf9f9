"""What quantities are called: in one place, and told in docs/quantities.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from meanfield.quantities import FORMULAS, QUANTITIES, latex_text, parameter_latex, quantity

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
    [("tau", r"\tau"), ("q_star", "q^*"), ("sparsity", "s"), ("slope", "a"), ("b", "b"), ("b_1", r"\mathrm{b\_1}")],
)
def test_a_parameter_is_one_letter_or_an_upright_word(name: str, latex: str) -> None:
    assert parameter_latex(name) == latex


def test_text_keeps_its_signs_in_latex() -> None:
    assert latex_text("50 % of σ_w² ≤ 1 & a\\b") == r"50 \% of $\sigma$\_w$^2$ $\le$ 1 \& a\textbackslash{}b"
