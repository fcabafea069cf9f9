"""The page of the comparison has the tables that its script writes, and the script compares with exact values."""

from __future__ import annotations

import re

import compare
import comparison_page as page
import pytest
from comparison_reference import DEFINED, exact_chi1, exact_R, exact_V
from mpmath import mp, mpf
from peers import KINKS, NAMES

CELL = re.compile("≤\N{NO-BREAK SPACE}10⁻¹⁶|NaN|1|10⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+|–")


@pytest.mark.parametrize("name", compare.LAYOUTS)
def test_a_table_of_the_page_has_the_layout_of_the_script(name: str) -> None:
    head, ways = compare.LAYOUTS[name]
    lines = page.block(page.PAGE.read_text(), name).splitlines()
    cells = [[cell.strip(" ") for cell in line.strip("|").split("|")] for line in lines]
    assert (cells[0][0], *(row[0] for row in cells[2:])) == head
    assert tuple(cells[0][1:]) == ways
    assert {len(row) for row in cells} == {1 + len(ways)}
    if name.endswith("errors"):
        assert all(CELL.fullmatch(cell) for row in cells[2:-1] for cell in row[1:])


def test_a_block_is_rewritten_and_nothing_else() -> None:
    text = page.rewritten(page.PAGE.read_text(), "V errors", "| a |")
    assert page.block(text, "V errors") == "| a |"
    assert page.rewritten(text, "V errors", page.block(page.PAGE.read_text(), "V errors")) == page.PAGE.read_text()


@pytest.mark.parametrize(
    ("number", "written"),
    [(0.0, "≤\N{NO-BREAK SPACE}10⁻¹⁶"), (2e-12, "10⁻¹²"), (0.6, "1"), (7.0, "10¹"), (float("nan"), "NaN")],
)
def test_errors_are_written_as_powers_of_ten(number: float, written: str) -> None:
    assert page.power(number) == written


@pytest.mark.parametrize(
    ("number", "written"), [(0.0123, "0.012"), (1.0, "1.0"), (9.96, "10"), (1234.0, "1,200"), (2.4e7, "2·10⁷")]
)
def test_ratios_are_written_with_two_digits(number: float, written: str) -> None:
    assert page.ratio(number) == written


@pytest.mark.parametrize("rho", [-0.9, 0.5, 0.999])
def test_reference_values_are_those_of_the_arc_cosine_kernel(rho: float) -> None:
    with mp.workdps(40):
        angle = mp.acos(mpf(rho))
        exact = (mp.sin(angle) + (mp.pi - angle) * mpf(rho)) / mp.pi
        assert abs(exact_R("relu", rho, 1.0) - exact) < 1e-15
        assert abs(exact_V("relu", 1.0) - mpf(1) / 2) < 1e-20
        assert abs(exact_chi1("relu", 1.0) - mpf(1) / 2) < 1e-20


@pytest.mark.parametrize("name", ["gelu", "erf"])
def test_closed_forms_are_the_kernels(name: str) -> None:
    """R'(1) is q E φ'² / E φ², by other integrals than the closed form of R."""
    with mp.workdps(40):
        q, step = 2.0, mpf(2) ** -30
        slope = (1 - exact_R(name, 1 - float(step), q)) / step
        # R'' is bounded: one step errs by its half.
        assert abs(slope - q * exact_chi1(name, q) / exact_V(name, q)) < 2 * step


def test_every_activation_that_is_asked_for_has_exact_values() -> None:
    assert tuple(DEFINED) == NAMES
    assert {name: definition.breaks for name, definition in DEFINED.items()} == KINKS
