"""What a terminal shows of a derivation: equations with their definitions, conditions, a legend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sympy import Expr

from meanfield.lettering import text_name
from meanfield.symbolic.formula import Formula, in_order
from meanfield.symbolic.functions import Phi, Phi2, phi
from meanfield.symbolic.parameters import Parameters
from meanfield.symbolic.writing import lines, write

__all__ = ["conditions", "equations", "legend"]

_LEGEND = {
    Phi: "Φ: standard normal distribution function",
    phi: "ϕ: its density",
    Phi2: "Φ₂(h, k; ρ): distribution function of two standard normals with correlation ρ",
}


def conditions(parameters: Parameters) -> str:
    """What holds of the parameters: τ > 0, m > 0, τ > 2·m."""
    told = [f"{text_name(name)} > 0" for name in parameters.positive]
    told += [f"{text_name(name)} any number" for name in parameters.unsigned]
    return ", ".join([*told, *parameters.assumptions])


def equations(formulas: Iterable[Formula], width: int) -> Iterator[list[str]]:
    """Each formula as lines of text, its definitions below it, each definition with the first that needs it."""
    for formula, below in in_order(formulas):
        result = _equation(f"{formula.quantity.called.symbol} = ", formula.short, width)
        for i, (name, value) in enumerate(below.items()):
            start = f"{'     ' if i else 'with '}{write(name).text} = "
            result += [f"  {line}" for line in _equation(start, value, width - 2, indent=9)]
        yield result


def _equation(head: str, value: Expr, width: int, indent: int = 4) -> list[str]:
    first, *rest = lines(value, width - indent, max(len(head) - indent, 0))
    return [head + first.text, *(" " * indent + line.text for line in rest)]


def legend(formulas: Iterable[Formula]) -> str:
    """What the functions in formulas are, in words; empty where there are none."""
    values = [value for formula in formulas for value in (formula.short, *formula.where.values())]
    found = {type(function) for value in values for function in value.atoms(Phi, phi, Phi2)}
    words = {**_LEGEND, phi: _LEGEND[phi] if Phi in found else "ϕ: standard normal density"}
    return "; ".join(text for function, text in words.items() if function in found)
