"""A derivation as plain data, for JSON."""

from __future__ import annotations

from typing import Any

from sympy import srepr

from meanfield.symbolic.code import mathematica_definition
from meanfield.symbolic.derivation import Derivation
from meanfield.symbolic.latex import display
from meanfield.symbolic.writing import write

__all__ = ["record"]


def record(derivation: Derivation) -> dict[str, Any]:
    """What was derived, of what, under which assumptions, in every notation that is one line."""
    subject = derivation.activation
    parameters = subject.parameters
    quantities = [
        {
            "quantity": name,
            "symbol": formula.quantity.called.symbol,
            "meaning": formula.quantity.meaning,
            "closed_form": not formula.is_integral,
            "arguments": list(formula.arguments),
            "text": write(formula.short).text,
            "where": {write(name).text: write(value).text for name, value in formula.where.items()},
            "latex": display(formula, formula.where),
            "sympy": srepr(formula.expression),
            "mathematica": mathematica_definition(formula),
        }
        for name, formula in derivation.formulas.items()
    ]
    return {
        "activation": subject.label,
        "formula": subject.expression,
        "parameters": {name: "positive" if name in parameters.positive else "real" for name in parameters.symbols},
        "assumptions": list(parameters.assumptions),
        "notation": derivation.notation,
        "quantities": quantities,
        "without_formula": dict(derivation.missing),
    }
