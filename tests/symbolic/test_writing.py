"""Text and LaTeX say what was derived: both are read back and give the same numbers, on lines that fit."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from examples import activations
from hypothesis import given, settings, strategies as st
from matplotlib.mathtext import MathTextParser
from scipy.special import erf, erfc, ndtr
from symbolic.derived import SPECS, VALUES, at, derived

import meanfield as mf
from meanfield.lettering import latex_name, text_name
from meanfield.symbolic import derive
from meanfield.symbolic.bivariate import Phi2, density
from meanfield.symbolic.formula import VARIANCE_MAP, Formula
from meanfield.symbolic.terminal import equations
from meanfield.symbolic.writing import lines, write

#: Of the other notation some are enough: it differs in Φ alone.
BOTH = [*((key, "Phi") for key in SPECS)]
BOTH += [(key, "erf") for key in ("two lines", "no sign known", "slopes and jumps", "relu", "clipped-relu(tau, m)")]


def read_back(text: str, values: dict[str, float]) -> float:
    """A formula in Unicode, read as a person reads it, in doubles."""
    text = text.replace("q*", "q_star")
    text = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "**" + unicodedata.normalize("NFKC", m[1]), text)
    for old, new in (("Φ₂", "Phi2"), ("Φ", "ndtr"), ("ϕ", "density"), ("V(q)", "V"), (";", ",")):
        text = text.replace(old, new)
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"√(\w+)", r"sqrt(\1)", text).replace("√", "sqrt")
    text = text.replace("·", "*").replace("−", "-").replace("^", "**").replace("π", "pi")
    functions = {"Phi2": Phi2, "ndtr": ndtr, "density": density, "erf": erf, "erfc": erfc, "inf": np.inf}
    functions |= {name: getattr(np, name) for name in ("sqrt", "exp", "arcsin", "pi")}
    return float(eval(text.replace("∞", "inf"), {"__builtins__": {}}, {**functions, **values}))


def braced(latex: str, start: int) -> int:
    """Where the group ends that opens at a position."""
    depth = 0
    for i in range(start, len(latex)):
        depth += (latex[i] == "{") - (latex[i] == "}")
        if not depth:
            return i
    raise AssertionError(f"unbalanced: {latex[start:]}")


def latex_as_text(latex: str) -> str:
    """LaTeX as `read_back` takes it: fractions as quotients, products with their dots."""
    for command in (r"\left", r"\right", r"\Bigl", r"\Bigr", r"\Big", r"\,", r"{}"):
        latex = latex.replace(command, "")
    while (at := latex.find(r"\frac{")) >= 0:
        middle = braced(latex, at + 5)
        end = braced(latex, middle + 1)
        quotient = f"(({latex[at + 6 : middle]})/({latex[middle + 2 : end]}))"
        latex = latex[:at] + quotient + latex[end + 1 :]
    while (at := latex.find(r"\sqrt{")) >= 0:
        end = braced(latex, at + 5)
        latex = f"{latex[:at]} ROOT({latex[at + 6 : end]}){latex[end + 1 :]}"
    latex = re.sub(r"\\(?:operatorname|mathit)\{(\w+)\}", r"\1", latex)
    latex = re.sub(r"\^\{([^}]*)\}", r"^(\1)", latex)
    latex = re.sub(r"\\sigma_([wb])", r"sigma_\1", latex).replace("q^*", "q_star").replace(r"\Phi_2", "Phi2")
    latex = re.sub(r"_\{(\w+)\}", r"\1", latex).replace(r"\varphi", "density").replace(r"\Phi", "ndtr")
    latex = re.sub(r"\\([A-Za-z]+)", r" \1 ", latex).replace(" cdot ", "·").replace("V(q)", "V").replace(";", ",")
    called = r"(?:Phi2|density|ndtr|erfc|erf|exp|arcsin|ROOT)"
    latex = re.sub(rf"({called}) *\(", r"\1(", latex)
    # What stands side by side is multiplied.
    latex = re.sub(rf"\b({called})\(", r"\1[", latex)
    latex = re.sub(r"(?<=[\w)]) +(?=[\w(])|(?<=[\w)])(?=\()|(?<=\))(?=\w)", "·", latex).replace("[", "(")
    return latex.replace("ROOT", "sqrt").replace("infty", "inf")


def in_text(values: dict[str, float]) -> dict[str, float]:
    """Values by the names that text gives them, in the alphabet that `read_back` ends in."""
    return {unicodedata.normalize("NFKC", text_name(name)): value for name, value in values.items()} | values


def in_latex(values: dict[str, float]) -> dict[str, float]:
    """Values by the names that `latex_as_text` leaves."""
    return {latex_as_text(latex_name(name)).strip(): value for name, value in values.items()} | values


def with_definitions(formula: Formula) -> dict[str, float]:
    """VALUES, and those of what is defined below the formula, as its text says them."""
    values = dict(VALUES)
    for name, value in formula.definitions.items():
        values["V" if name == VARIANCE_MAP else name.name] = read_back(write(value).text, in_text(VALUES))
    return values


@pytest.mark.parametrize(("key", "notation"), BOTH)
def test_text_and_latex_say_what_was_derived(key: str, notation: str) -> None:
    for name, formula in derived(key, notation).formulas.items():
        expected = pytest.approx(float(at(formula.expression)), rel=1e-11, abs=1e-12)
        values = with_definitions(formula)
        for width in (1000, 76, 40):
            text = "".join(f" {line.text}" for line in lines(formula.short, width))
            assert read_back(text, in_text(values)) == expected, (name, width, text)
        for width in (1000, 40):
            latex = " ".join(line.latex for line in lines(formula.short, width))
            assert read_back(latex_as_text(latex), in_latex(values)) == expected, (name, width, latex)


@given(phi=activations(), width=st.sampled_from([50, 76]))
@settings(max_examples=2)
def test_text_of_any_activation_says_what_was_derived(phi: mf.PiecewiseLinear, width: int) -> None:
    for name, formula in derive(phi, ["V", "d2V", "R", "d2R"]).formulas.items():
        text = "".join(f" {line.text}" for line in lines(formula.short, width))
        found = read_back(text, in_text(with_definitions(formula)))
        assert found == pytest.approx(float(at(formula.expression)), rel=1e-9, abs=1e-10), (name, text)


@pytest.mark.parametrize(("key", "notation"), BOTH)
def test_text_stays_within_its_width(key: str, notation: str) -> None:
    for width in (98, 78):
        for told in equations(derived(key, notation).formulas.values(), width):
            assert max(map(len, told)) <= width


@pytest.mark.parametrize("key", SPECS)
def test_latex_is_set_by_mathtext(key: str) -> None:
    parser = MathTextParser("path")
    for latex in derived(key).displays().values():
        assert latex.count(r"\Bigl(") == latex.count(r"\Bigr)")
        for row in re.sub(r"\\(begin|end)\{aligned\}", "", latex).split(r"\\" + "\n"):
            # mathtext knows no alignment, no \Bigl and \Bigr, and no \Big before a stroke.
            plain = re.sub(r"\\Big[lr]?", "", row).replace("={}&", "=").replace(r"&\quad {}", "")
            parser.parse(f"${plain.strip()}$")


def test_a_formula_reads_as_on_paper() -> None:
    formulas = derive("shifted-relu(tau)", ["V", "dV_eoc", "d2V_eoc"]).formulas.values()
    assert [" ".join(told) for told in equations(formulas, 200)] == [
        "V(q) = σ_w²·((q + τ²)·Φ(−τ/√q) − τ·√q·ϕ(τ/√q)) + σ_b²",
        "V'(q*) = 1",
        "V''(q*) = σ_w²·τ·ϕ(τ/√q*)/(2·q*^(3/2))   with σ_w² = 1/Φ(−τ/√q*)",
    ]
    assert derive("leaky-relu(a)", "dR").displays()["dR"].splitlines()[1:3] == [
        r"  R'(\rho) ={}& \frac{\sigma_w^{2} q}{V(q)} \left(\frac{(1 + a)^{2}}{4} + "
        r"\frac{(1 - a)^{2} \arcsin(\rho)}{2 \pi}\right) \\",
        r"  V(q) ={}& \frac{\sigma_w^{2} q (1 + a^{2})}{2} + \sigma_b^{2}",
    ]


def test_a_definition_stands_below_the_first_formula_that_needs_it() -> None:
    told = ["\n".join(lines) for lines in equations(derived("clipped-relu(tau, m)").formulas.values(), 200)]
    for definition in ("σ_w² = ", "V(q) = ", "h₁ = ", "h₂ = "):
        # σ_w² and V(q) are formulas of their own when they come first.
        assert sum(definition in text for text in told) == 1
    alone = derive("clipped-relu(tau, m)", ["R", "dR"]).displays()
    assert "V(q) ={}&" in alone["R"] and "V(q) ={}&" not in alone["dR"]
