"""Formulas as programs: a Python module for numpy arrays, and Mathematica."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sympy import Expr, Integral, Piecewise, Pow, Symbol, exp, sqrt, srepr
from sympy.core.function import AppliedUndef
from sympy.printing.mathematica import MCodePrinter
from sympy.printing.numpy import NumPyPrinter
from sympy.printing.precedence import PRECEDENCE

from meanfield.lettering import docstring_text
from meanfield.symbolic import bivariate, quadrature
from meanfield.symbolic.formula import SYMBOLS, VARIANCE_MAP, Formula
from meanfield.symbolic.integrals import ACTIVATION, W, Z, edges
from meanfield.symbolic.names import mathematica_names
from meanfield.symbolic.reading import SymbolicActivation

__all__ = ["mathematica", "mathematica_definition", "python", "sympy"]


class _PythonPrinter(NumPyPrinter):  # type: ignore[misc]
    """Names as the module's head imports them; `knots` are those of φ, `names` those of its parameters."""

    def __init__(self, knots: Sequence[Expr] = (), names: Sequence[str] = ()) -> None:
        super().__init__()
        self.knots, self.names = knots, names

    def _module_format(self, fqn: str, register: bool = True) -> str:
        module, _, name = fqn.rpartition(".")
        return f"np.{name}" if module == "numpy" else name

    def _print_erf(self, expression: Expr) -> str:
        return f"erf({self._print(expression.args[0])})"

    def _print_erfc(self, expression: Expr) -> str:
        return f"erfc({self._print(expression.args[0])})"

    def _print_log(self, expression: Expr) -> str:
        grown = [term for term in expression.args[0].args if term.func is exp]
        if grown and expression.args[0] == 1 + grown[0]:
            # exp alone overflows.
            return f"np.logaddexp(0, {self._print(grown[0].args[0])})"
        return f"np.log({self._print(expression.args[0])})"

    def _print_Piecewise(self, expression: Piecewise) -> str:
        *before, (last, _) = expression.args
        text = str(self._print(last))
        for value, condition in reversed(before):
            variable, bound = map(self._print, (condition.lts, condition.gts))
            text = f"np.where({variable} < {bound}, {self._print(value)}, {text})"
        return text

    def _print_Integral(self, expression: Integral) -> str:
        text, variables = str(self._print(expression.function)), [limits[0] for limits in expression.limits]
        for i, variable in enumerate(variables):
            found = edges(expression.function, variable, self.knots, variables[:i])
            function = f"lambda {variable.name}: {text}"
            function = f"elementwise({function})" if i else function
            text = f"integral({function}, [{', '.join(map(self._print, found))}])"
        return text

    def _print_AppliedUndef(self, expression: AppliedUndef) -> str:
        name = _PROGRAMS[ACTIVATION.index(expression.func)]
        return f"{name}({', '.join([self._print(expression.args[0]), *self.names])})"

    def _print_Pow(self, expression: Pow, rational: bool = False) -> str:
        if expression.exp == -1:
            return f"1/{self.parenthesize(expression.base, PRECEDENCE['Pow'])}"
        return str(super()._print_Pow(expression, rational=rational))


#: φ, φ' and φ'' in programs.
_PROGRAMS = ("activation", "slope", "curvature")

_HEAD = '''"""Mean-field theory of {label}.

φ(x) = {formula}{conditions}.

Arguments are floats or arrays, which broadcast; the derivatives of R want -1 < rho < 1. Like every formula in terms of
normal probabilities, these lose digits where the active region is rare, or narrow beside the root of q.
"""
'''

_HEAD_OF_INTEGRALS = '''"""Mean-field theory of {label}.

φ(x) = {formula}{conditions}.

Arguments are floats or arrays, which broadcast; the derivatives of R want -1 < rho < 1. Integrals are taken to 38
standard deviations, on panels that are halved where φ turns quickly.
"""
'''


def python(activation: SymbolicActivation, formulas: Iterable[Formula]) -> str:
    """A module with one function a formula, of numpy arrays; it needs numpy and scipy alone."""
    knots = [activation.parameters.expression(t) for t in activation.knots]
    printer = _PythonPrinter(knots, list(activation.parameters.symbols))
    formulas = list(formulas)
    functions = [_function(formula, printer) for formula in formulas]
    text = "\n".join([*functions, *_activations(formulas, printer)])
    sources = (bivariate.density, bivariate.Phi2, quadrature.elementwise, quadrature.integral)
    helpers = [inspect.getsource(f) for f in sources if re.search(rf"\b{f.__name__}\b", text)]
    helpers += [f"{function}\n" for function in _activations(formulas, printer)]
    special = [name for name in ("erf", "erfc", "ndtr", "owens_t") if _uses("".join([*helpers, text]), name)]
    conditions = [*(f"{name} > 0" for name in activation.parameters.positive), *activation.parameters.assumptions]
    head = (_HEAD_OF_INTEGRALS if _uses(text, "integral") else _HEAD).format(
        label=docstring_text(activation.label),
        formula=docstring_text(activation.formula),
        conditions=f", {', '.join(conditions)}" if conditions else "",
    )
    imports = "import numpy as np\n" + (f"from scipy.special import {', '.join(special)}\n" if special else "")
    return "\n".join([head, "\n\n".join([imports, *helpers, *functions])])


def _activations(formulas: Iterable[Formula], printer: _PythonPrinter) -> list[str]:
    """φ, φ' and φ'' of a number, as far as formulas need them."""
    needed = {name: value for f in formulas for name, value in f.definitions.items() if _of_activation(name)}
    return [
        "\n".join(
            [
                f"def {_PROGRAMS[ACTIVATION.index(name.func)]}({', '.join(['x', *printer.names])}):",
                f'    """{name.func.__name__}(x)."""',
                _wrapped(f"return {printer.doprint(value)}", "    "),
            ]
        )
        for name, value in sorted(needed.items(), key=lambda item: ACTIVATION.index(item[0].func))
    ]


def _of_activation(name: Expr) -> bool:
    return isinstance(name, AppliedUndef) and name.func in ACTIVATION


def _uses(code: str, name: str) -> bool:
    return bool(re.search(rf"\b{name}\(", code))


def _function(formula: Formula, printer: _PythonPrinter) -> str:
    quantity = formula.quantity
    meaning = quantity.meaning[0].upper() + quantity.meaning[1:]
    statements = [f"{_local(name)} = {printer.doprint(value)}" for name, value in _definitions(formula)]
    result = printer.doprint(formula.short.xreplace({VARIANCE_MAP: _local(VARIANCE_MAP)}))
    if not {symbol.name for symbol in formula.expression.free_symbols} & {"q", "q_star", "rho"}:
        # In the shape of the arguments, though the value does not depend on them.
        result = f"{result} + 0*{formula.arguments[0]}"
    body = [*statements, f"return {result}"]
    indent = "    "
    lines = ["@elementwise"] if formula.is_integral else []
    lines += [
        f"def {quantity.name}({', '.join(formula.arguments)}):",
        f'    """{quantity.called.symbol}: {meaning}."""',
    ]
    if "rho" in formula.arguments:
        # At ρ = ±1 arrays divide by 0 as they should, plain floats would raise.
        lines += ["    rho = np.asarray(rho, float)", '    with np.errstate(divide="ignore", invalid="ignore"):']
        indent = "        "
    return "\n".join([*lines, *(_wrapped(statement, indent) for statement in body), ""])


def _definitions(formula: Formula) -> Iterator[tuple[Expr, Expr]]:
    """What is to be computed before a formula, σ_w on the edge of chaos included."""
    if formula.edge is not None:
        yield SYMBOLS["sigma_w"], sqrt(formula.edge)
    yield from ((name, value) for name, value in formula.definitions.items() if not _of_activation(name))


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

    def _print_Piecewise(self, expression: Piecewise) -> str:
        *before, (last, _) = expression.args
        cases = [(self._print(value), *map(self._print, (condition.lts, condition.gts))) for value, condition in before]
        told = ", ".join(f"{{{value}, {variable} < {bound}}}" for value, variable, bound in cases)
        return f"Piecewise[{{{told}}}, {self._print(last)}]"

    def _print_Integral(self, expression: Integral) -> str:
        bounds = "".join(f", {{{limits[0].name}, -Infinity, Infinity}}" for limits in expression.limits[::-1])
        return f"NIntegrate[{self._print(expression.function)}{bounds}]"


def mathematica(formulas: Iterable[Formula]) -> str:
    """One definition a formula, name[arguments] := formula."""
    return "".join(f"{mathematica_definition(formula)}\n" for formula in formulas)


def mathematica_definition(formula: Formula) -> str:
    """name[arguments] := formula."""
    definitions = dict(formula.definitions)
    of_activation = {name: definitions.pop(name) for name in formula.definitions if _of_activation(name)}

    def whole(value: Expr) -> Expr:
        return replace(formula, short=value, definitions=of_activation).expression

    given_edge = {} if formula.edge is None else {SYMBOLS["sigma_w"]: sqrt(formula.edge)}
    local = [(_local(name), whole(value)) for name, value in {**given_edge, **definitions}.items()]
    names = mathematica_names([*SYMBOLS, Z.name, W.name, *(symbol.name for symbol, _ in local), *formula.arguments])
    printer = _MathematicaPrinter(names)
    body = printer.doprint(whole(formula.short).xreplace({VARIANCE_MAP: _local(VARIANCE_MAP)}))
    if local:
        given = ", ".join(f"{names[symbol.name]} = {printer.doprint(value)}" for symbol, value in local)
        body = f"With[{{{given}}}, {body}]"
    head = formula.quantity.name.replace("_", "")
    return f"{head}[{', '.join(f'{names[name]}_' for name in formula.arguments)}] := {body}"


def sympy(formulas: Iterable[Formula]) -> str:
    """A module that builds every expression anew, from `srepr`."""
    head = "from sympy import *\n\nfrom meanfield.symbolic import Phi, Phi2, phi\n"
    return "\n".join([head, *(f"{formula.quantity.name} = {srepr(formula.expression)}" for formula in formulas), ""])
