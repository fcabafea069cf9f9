"""Formulas as programs: a Python module for numpy arrays, and Mathematica."""

from __future__ import annotations

import inspect
import re
import textwrap

from sympy import Expr, Pow, Symbol, srepr
from sympy.core.function import AppliedUndef
from sympy.printing.mathematica import MCodePrinter
from sympy.printing.numpy import NumPyPrinter
from sympy.printing.precedence import PRECEDENCE

from meanfield.symbolic import bivariate
from meanfield.symbolic.derivation import Derivation, Formula
from meanfield.symbolic.names import mathematica_name

__all__ = ["mathematica", "python", "sympy"]


class _PythonPrinter(NumPyPrinter):  # type: ignore[misc]
    """Names as the module's head imports them."""

    def _module_format(self, fqn: str, register: bool = True) -> str:
        module, _, name = fqn.rpartition(".")
        return f"np.{name}" if module == "numpy" else name

    def _print_Phi(self, expression: Expr) -> str:
        return f"ndtr({self._print(expression.args[0])})"

    def _print_phi(self, expression: Expr) -> str:
        return f"density({self._print(expression.args[0])})"

    def _print_Phi2(self, expression: Expr) -> str:
        return f"Phi2({', '.join(map(self._print, expression.args))})"

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

Arguments are floats or arrays, which broadcast. Like every formula in terms of normal probabilities, these lose digits
where the active region is rare.
"""
'''


def python(derivation: Derivation) -> str:
    """A module with one function a formula, of numpy arrays; it needs numpy and scipy alone."""
    functions = [_function(derivation, formula) for formula in derivation.formulas.values()]
    text = "\n".join(functions)
    helpers = [inspect.getsource(f) for f in (bivariate.density, bivariate.Phi2) if _uses(text, f.__name__)]
    special = [name for name in ("erf", "erfc", "ndtr", "owens_t") if _uses("".join([*helpers, text]), name)]
    conditions = _conditions(derivation)
    head = _HEAD.format(
        label=derivation.activation.label,
        formula=derivation.activation.formula,
        conditions=f", {', '.join(conditions)}" if conditions else "",
    )
    imports = "import numpy as np\n" + (f"from scipy.special import {', '.join(special)}\n" if special else "")
    return "\n".join([head, "\n\n".join([imports, *helpers, *functions])])


def _conditions(derivation: Derivation) -> list[str]:
    parameters = derivation.activation.parameters
    return [*(f"{name} > 0" for name in parameters.positive), *parameters.assumptions]


def _uses(code: str, name: str) -> bool:
    return bool(re.search(rf"\b{name}\(", code))


def _function(derivation: Derivation, formula: Formula) -> str:
    quantity = formula.quantity
    arguments = [*quantity.arguments, *derivation.activation.parameters.symbols]
    meaning = quantity.meaning[0].upper() + quantity.meaning[1:]
    printer = _PythonPrinter()
    statements = [f"{_local(name)} = {printer.doprint(value)}" for name, value in formula.definitions.items()]
    result = printer.doprint(formula.short.replace(lambda e: isinstance(e, AppliedUndef), _local))
    if not {symbol.name for symbol in formula.expression.free_symbols} & {"q", "q_star", "rho"}:
        # In the shape of the arguments, though the value does not depend on them.
        result = f"{result} + 0*{quantity.arguments[0]}"
    body = [_wrapped(statement) for statement in (*statements, f"return {result}")]
    return "\n".join(
        [f"def {quantity.name}({', '.join(arguments)}):", f'    """{quantity.symbol}: {meaning}."""', *body, ""]
    )


def _wrapped(statement: str) -> str:
    """A statement on lines of at most 120 characters, what stands after = or return in parentheses if need be."""
    line = f"    {statement}"
    if len(line) <= 120:
        return line
    start = "return " if statement.startswith("return ") else statement[: statement.index("= ") + 2]
    inside = textwrap.wrap(statement.removeprefix(start), 112, break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"    {start}(", *(f"        {part}" for part in inside), "    )"])


def _local(name: Expr) -> Symbol:
    """V for V(q), a symbol for itself."""
    return Symbol(type(name).__name__ if isinstance(name, AppliedUndef) else name.name)


class _MathematicaPrinter(MCodePrinter):  # type: ignore[misc]
    def _print_Symbol(self, expression: Symbol) -> str:
        return mathematica_name(expression.name)

    def _print_Phi(self, expression: Expr) -> str:
        return f"CDF[NormalDistribution[], {self._print(expression.args[0])}]"

    def _print_phi(self, expression: Expr) -> str:
        return f"PDF[NormalDistribution[], {self._print(expression.args[0])}]"

    def _print_Phi2(self, expression: Expr) -> str:
        h, k, rho = map(self._print, expression.args)
        return f"CDF[BinormalDistribution[{rho}], {{{h}, {k}}}]"


def mathematica(derivation: Derivation) -> str:
    """One definition a formula, name[arguments] := formula."""
    return "".join(f"{mathematica_definition(derivation, f)}\n" for f in derivation.formulas.values())


def mathematica_definition(derivation: Derivation, formula: Formula) -> str:
    """name[arguments] := formula."""
    printer = _MathematicaPrinter()
    names = [*formula.quantity.arguments, *derivation.activation.parameters.symbols]
    arguments = ", ".join(f"{mathematica_name(name)}_" for name in names)
    body = printer.doprint(formula.short.replace(lambda e: isinstance(e, AppliedUndef), _local))
    if formula.definitions:
        local = (f"{_local(name)} = {printer.doprint(value)}" for name, value in formula.definitions.items())
        body = f"With[{{{', '.join(local)}}}, {body}]"
    return f"{mathematica_name(formula.quantity.name)}[{arguments}] := {body}"


def sympy(derivation: Derivation) -> str:
    """A module that builds every expression anew, from `srepr`."""
    head = "from sympy import *\n\nfrom meanfield.symbolic import Phi, Phi2, phi\n"
    return "\n".join([head, *(f"{name} = {srepr(expression)}" for name, expression in derivation.items()), ""])
