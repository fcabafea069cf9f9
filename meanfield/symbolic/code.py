"""Formulas as programs: a Python module for numpy arrays, and Mathematica."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from sympy import Expr, Pow, Symbol, sqrt, srepr
from sympy.core.function import AppliedUndef
from sympy.printing.mathematica import MCodePrinter
from sympy.printing.numpy import NumPyPrinter
from sympy.printing.precedence import PRECEDENCE

from meanfield.symbolic import bivariate
from meanfield.symbolic.formula import SYMBOLS, Formula
from meanfield.symbolic.names import mathematica_names
from meanfield.symbolic.reading import SymbolicActivation

__all__ = ["mathematica", "mathematica_definition", "python", "sympy"]


class _PythonPrinter(NumPyPrinter):  # type: ignore[misc]
    """Names as the module's head imports them."""

    def _module_format(self, fqn: str, register: bool = True) -> str:
        module, _, name = fqn.rpartition(".")
        return f"np.{name}" if module == "numpy" else name

    def _print_erf(self, expression: Expr) -> str:
        return f"erf({self._print(expression.args[0])})"

    def _print_erfc(self, expression: Expr) -> str:
        return f"erfc({self._print(expression.args[0])})"

    def _print_Pow(self, expression: Pow, rational: bool = False) -> str:
        if expression.exp == -1:
            return f"1/{self.parenthesize(expression.base, PRECEDENCE['Pow'])}"
        return str(super()._print_Pow(expression, rational=rational))


_HEAD = '''"""Mean-field theory of {label}.

φ(x) = {formula}{conditions}.

Arguments are floats or arrays, which broadcast; the derivatives of R want -1 < rho < 1. Like every formula in terms of
normal probabilities, these lose digits where the active region is rare, or narrow beside the root of q.
"""
'''


def python(activation: SymbolicActivation, formulas: Iterable[Formula]) -> str:
    """A module with one function a formula, of numpy arrays; it needs numpy and scipy alone."""
    functions = [_function(formula) for formula in formulas]
    text = "\n".join(functions)
    helpers = [inspect.getsource(f) for f in (bivariate.density, bivariate.Phi2) if _uses(text, f.__name__)]
    special = [name for name in ("erf", "erfc", "ndtr", "owens_t") if _uses("".join([*helpers, text]), name)]
    conditions = [*(f"{name} > 0" for name in activation.parameters.positive), *activation.parameters.assumptions]
    head = _HEAD.format(
        label=_in_docstring(activation.label),
        formula=_in_docstring(activation.formula),
        conditions=f", {', '.join(conditions)}" if conditions else "",
    )
    imports = "import numpy as np\n" + (f"from scipy.special import {', '.join(special)}\n" if special else "")
    return "\n".join([head, "\n\n".join([imports, *helpers, *functions])])


def _in_docstring(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")


def _uses(code: str, name: str) -> bool:
    return bool(re.search(rf"\b{name}\(", code))


def _function(formula: Formula) -> str:
    quantity = formula.quantity
    meaning = quantity.meaning[0].upper() + quantity.meaning[1:]
    printer = _PythonPrinter()
    statements = [f"{_local(name)} = {printer.doprint(value)}" for name, value in _definitions(formula)]
    result = printer.doprint(formula.short.replace(lambda e: isinstance(e, AppliedUndef), _local))
    if not {symbol.name for symbol in formula.expression.free_symbols} & {"q", "q_star", "rho"}:
        # In the shape of the arguments, though the value does not depend on them.
        result = f"{result} + 0*{formula.arguments[0]}"
    body = [*statements, f"return {result}"]
    indent = "    "
    lines = [f"def {quantity.name}({', '.join(formula.arguments)}):", f'    """{quantity.called.symbol}: {meaning}."""']
    if "rho" in formula.arguments:
        # At ρ = ±1 arrays divide by 0 as they should, plain floats would raise.
        lines += ["    rho = np.asarray(rho, float)", '    with np.errstate(divide="ignore", invalid="ignore"):']
        indent = "        "
    return "\n".join([*lines, *(_wrapped(statement, indent) for statement in body), ""])


def _definitions(formula: Formula) -> Iterator[tuple[Expr, Expr]]:
    """What is to be computed before a formula, σ_w on the edge of chaos included."""
    if formula.edge is not None:
        yield SYMBOLS["sigma_w"], sqrt(formula.edge)
    yield from formula.definitions.items()


def _wrapped(statement: str, indent: str) -> str:
    """A statement on lines of at most 120 characters, what stands after = or return in parentheses if need be."""
    if len(indent + statement) <= 120:
        return indent + statement
    start = "return " if statement.startswith("return ") else statement[: statement.index("= ") + 2]
    width = 116 - len(indent)
    inside = textwrap.wrap(statement.removeprefix(start), width, break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"{indent}{start}(", *(f"{indent}    {part}" for part in inside), f"{indent})"])


def _local(name: Expr) -> Symbol:
    """V for V(q), a symbol for itself."""
    return Symbol(type(name).__name__ if isinstance(name, AppliedUndef) else name.name)


class _MathematicaPrinter(MCodePrinter):  # type: ignore[misc]
    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def _print_Symbol(self, expression: Symbol) -> str:
        return self.names[expression.name]

    def _print_Phi(self, expression: Expr) -> str:
        return f"CDF[NormalDistribution[], {self._print(expression.args[0])}]"

    def _print_phi(self, expression: Expr) -> str:
        return f"PDF[NormalDistribution[], {self._print(expression.args[0])}]"

    def _print_Phi2(self, expression: Expr) -> str:
        h, k, rho = map(self._print, expression.args)
        return f"CDF[BinormalDistribution[{rho}], {{{h}, {k}}}]"


def mathematica(formulas: Iterable[Formula]) -> str:
    """One definition a formula, name[arguments] := formula."""
    return "".join(f"{mathematica_definition(formula)}\n" for formula in formulas)


def mathematica_definition(formula: Formula) -> str:
    """name[arguments] := formula."""
    local = [(_local(name), value) for name, value in _definitions(formula)]
    names = mathematica_names([*SYMBOLS, *(symbol.name for symbol, _ in local), *formula.arguments])
    printer = _MathematicaPrinter(names)
    body = printer.doprint(formula.short.replace(lambda e: isinstance(e, AppliedUndef), _local))
    if local:
        given = ", ".join(f"{names[symbol.name]} = {printer.doprint(value)}" for symbol, value in local)
        body = f"With[{{{given}}}, {body}]"
    head = formula.quantity.name.replace("_", "")
    return f"{head}[{', '.join(f'{names[name]}_' for name in formula.arguments)}] := {body}"


def sympy(formulas: Iterable[Formula]) -> str:
    """A module that builds every expression anew, from `srepr`."""
    head = "from sympy import *\n\nfrom meanfield.symbolic import Phi, Phi2, phi\n"
    return "\n".join([head, *(f"{formula.quantity.name} = {srepr(formula.expression)}" for formula in formulas), ""])
