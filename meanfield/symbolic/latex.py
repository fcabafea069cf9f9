"""Formulas for a paper: what stands inside `\\[ \\]`."""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Expr

from meanfield.symbolic.formula import Formula
from meanfield.symbolic.writing import lines, write

__all__ = ["display", "display_over_pages"]

#: How much text a line of LaTeX holds: set fractions and roots are narrower than their text.
_WIDTH = 78


def display(formula: Formula, below: Mapping[Expr, Expr]) -> str:
    """A formula with definitions below it, as it stands inside \\[ \\].

    It needs amsmath where it has several lines.
    """
    rows = _rows(formula, below)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}" if "&" in rows else rows


def display_over_pages(formula: Formula, below: Mapping[Expr, Expr]) -> str:
    """The same as an environment of its own, which may go on on the next page."""
    rows = _rows(formula, below)
    return f"\\begin{{align*}}\n{rows}\n\\end{{align*}}" if "&" in rows else f"\\[\n{rows}\n\\]"


def _rows(formula: Formula, below: Mapping[Expr, Expr]) -> str:
    """Equations one below the other, aligned; one that fits on a line as it is."""
    rows = [(formula.quantity.called.mathematics, formula.short)]
    rows += [(write(name).latex, value) for name, value in below.items()]
    broken = [(head, [line.latex for line in lines(value, _WIDTH)]) for head, value in rows]
    if len(broken) == 1 and len(broken[0][1]) == 1:
        return f"{broken[0][0]} = {broken[0][1][0]}"
    return " \\\\\n".join(
        f"  {head} ={{}}& {first}" + "".join(f" \\\\\n  &\\quad {line}" for line in rest)
        for head, (first, *rest) in broken
    )
