"""Formulas as a person writes them: in Unicode on a line, and in LaTeX.

Both are written together, node by node, because they follow the same rules: σ_w² before parameters before functions, Φ
before ϕ, a positive term first, one root in a denominator. A long formula is broken at the signs of its sums, where its
text would leave the line; the LaTeX breaks at the same places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sympy import (
    Add,
    Expr,
    Function,
    Integer,
    Mul,
    Pow,
    Rational,
    Symbol,
    asin,
    default_sort_key,
    erf,
    erfc,
    exp,
    oo,
    pi,
)

from meanfield.symbolic.derivation import SYMBOLS, Derivation
from meanfield.symbolic.functions import Phi, Phi2, phi
from meanfield.symbolic.names import latex_name, text_name
from meanfield.symbolic.parameters import Parameters

__all__ = ["Written", "conditions", "equations", "lines", "write"]

#: Functions by the name of their class: what they are called in text and in LaTeX.
_CALLED = {
    "Phi": ("Φ", r"\Phi"),
    "phi": ("ϕ", r"\varphi"),
    "Phi2": ("Φ₂", r"\Phi_2"),
    "erf": ("erf", r"\operatorname{erf}"),
    "erfc": ("erfc", r"\operatorname{erfc}"),
    "exp": ("exp", r"\exp"),
    "asin": ("arcsin", r"\arcsin"),
    "V": ("V", "V"),
}

_SYMBOLS = {
    "q_star": ("q*", "q^*"),
    "sigma_w": ("σ_w", r"\sigma_w"),
    "sigma_b": ("σ_b", r"\sigma_b"),
    "rho": ("ρ", r"\rho"),
}

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

#: A part of a formula is not broken into lines shorter than this.
_NARROWEST = 24

#: In the order in which factors and terms come.
_FIRST = ("sigma_w", "sigma_b")
_LAST = ("q", "q_star", "rho")


@dataclass(frozen=True)
class Written:
    """An expression in Unicode and in LaTeX; `loose` says how it holds together: 0 a symbol, 1 a product, 2 a sum."""

    text: str
    latex: str
    loose: int = 0

    def held(self, looseness: int) -> Written:
        """In parentheses if looser than that."""
        if self.loose <= looseness:
            return self
        return Written(f"({self.text})", _latex_parentheses(self.latex))


def write(expression: Expr, slash: bool = False) -> Written:
    """An expression on one line, in LaTeX with a slash rather than fractions if so wanted."""
    if isinstance(expression, Add):
        return _sum([(sign, _product(term, slash)) for sign, term in _terms(expression)])
    sign, positive = _signed(expression)
    written = _product(positive, slash)
    return Written(f"−{written.text}", f"-{written.latex}", 2) if sign < 0 else written


def lines(expression: Expr, width: int, before: int = 0) -> list[Written]:
    """An expression on as many lines as its text needs, broken before the signs of its sums.

    `before` columns of the first line are taken.
    """
    result: list[Written] = []
    for token in _tokens(expression, width - before):
        used = before if len(result) == 1 else 0
        if result and used + len(result[-1].text) + len(token.text) <= width:
            last = result.pop()
            result.append(Written(last.text + token.text, f"{last.latex} {token.latex}"))
        else:
            # A sign at the start of a line would else be taken for that of a number.
            result.append(Written(token.text.lstrip(), "{} " + token.latex) if result else token)
    return result


def conditions(parameters: Parameters) -> str:
    """What holds of the parameters, as text: τ > 0, m > 0, τ > 2·m."""
    told = [f"{text_name(name)} > 0" for name in parameters.positive]
    told += [f"{text_name(name)} any number" for name in parameters.unsigned]
    return ", ".join([*told, *parameters.assumptions])


def equations(derivation: Derivation, width: int) -> Iterator[list[str]]:
    """Each formula as lines of text, its definitions below it, each definition with the first that needs it."""
    for _, formula, known in derivation.in_order():
        result = _equation(f"{formula.quantity.symbol} = ", formula.short, width)
        definitions = [(write(name).text, value) for name, value in formula.definitions.items() if name not in known]
        if formula.edge is not None and SYMBOLS["sigma_w"] not in known:
            definitions.append(("σ_w²", formula.edge))
        for i, (name, value) in enumerate(definitions):
            start = f"{'     ' if i else 'with '}{name} = "
            result += [f"  {line}" for line in _equation(start, value, width - 2, indent=9)]
        yield result


def _equation(head: str, value: Expr, width: int, indent: int = 4) -> list[str]:
    first, *rest = lines(value, width - indent, max(len(head) - indent, 0))
    return [head + first.text, *(" " * indent + line.text for line in rest)]


def _tokens(expression: Expr, width: int) -> list[Written]:
    """Parts that belong on one line each; every one but the first begins with its sign."""
    flat = write(expression)
    if len(flat.text) <= width:
        return [flat]
    if isinstance(expression, Add):
        tokens: list[Written] = []
        for sign, term in _terms(expression):
            first, *rest = _tokens(term, width)
            tokens += [_with_sign(sign, first if rest else first.held(1), leading=not tokens), *rest]
        return tokens
    sign, positive = _signed(expression)
    above, below = _fraction(positive)
    sums = [factor for factor in above if isinstance(factor, Add)]
    if not sums:
        return [flat]
    longest = max(sums, key=lambda factor: len(write(factor).text))
    others = [factor for factor in above if factor is not longest]
    prefix = _joined(others) if others else Written("", "")
    bottom = _joined(below, held=True)
    suffix, latex, end = f"/{bottom.text}" if below else "", prefix.latex, "\\Bigr)"
    if any(factor.is_Add and factor.atoms(Function) for factor in below):
        end += f" \\Big/ {bottom.latex}"
    elif below:
        latex = f"\\frac{{{_joined(others).latex}}}{{{_joined(below).latex}}}"
    opened = Written(
        ("−" if sign < 0 else "") + prefix.text + "·" * bool(others) + "(", "-" * (sign < 0) + latex + "\\Bigl("
    )
    closed = Written(")" + suffix, end)
    return [opened, *_tokens(longest, max(width - len(opened.text) - len(closed.text), _NARROWEST)), closed]


def _with_sign(sign: int, written: Written, leading: bool) -> Written:
    if leading:
        return Written(f"−{written.text}", f"-{written.latex}") if sign < 0 else written
    return Written((" − " if sign < 0 else " + ") + written.text, ("- " if sign < 0 else "+ ") + written.latex)


def _sum(terms: list[tuple[int, Written]]) -> Written:
    text, latex = "", ""
    for sign, written in terms:
        held = written.held(1)
        between = (" − ", " - ") if sign < 0 else (" + ", " + ")
        if not text:
            between = ("−", "-") if sign < 0 else ("", "")
        text, latex = text + between[0] + held.text, latex + between[1] + held.latex
    return Written(text, latex, 2)


def _product(expression: Expr, slash: bool) -> Written:
    above, below = _fraction(expression)
    if not below:
        return _joined(above)
    top, bottom = _joined(above), _joined(below, held=True)
    text = f"{top.held(1).text}/{bottom.text}"
    if slash:
        return Written(text, f"{top.held(1).latex}/{bottom.latex}", 1)
    # A sum of functions is too tall to stand in a fraction.
    tall = [factor for factor in above if isinstance(factor, Add) and factor.atoms(Function)]
    rest = [factor for factor in above if factor not in tall]
    outside = "".join(f" {_atom(factor).held(0).latex}" for factor in tall)
    return Written(text, f"\\frac{{{_joined(rest).latex}}}{{{_joined(below).latex}}}{outside}", 1)


def _joined(factors: list[Expr], held: bool = False) -> Written:
    """A product without a fraction, its roots as one; in parentheses, if `held`, where it has several factors."""
    if not factors:
        return Written("1", "1")
    roots = [factor.base for factor in factors if _is_root(factor)]
    rest = [factor for factor in factors if not _is_root(factor)]
    parts = [_atom(factor) for factor in rest]
    if roots:
        rank = 1 if all(root.is_number for root in roots) else 5
        place = sum(_factor_key(factor)[0] < rank for factor in rest)
        parts.insert(place, _root(Mul(*roots, evaluate=False) if len(roots) > 1 else roots[0]))
    if len(parts) == 1:
        return parts[0] if parts[0].loose < 2 or not held else parts[0].held(1)
    parts = [part.held(1) for part in parts]
    text = "·".join(part.text for part in parts)
    latex = parts[0].latex
    for before, part in pairwise(parts):
        # Digits side by side would read as one number, and a name would run into a command.
        latex += (r" \cdot " if before.latex[-1:].isdigit() and part.latex[:1].isdigit() else " ") + part.latex
    return Written(f"({text})", f"({latex})") if held else Written(text, latex, 1)


def _atom(factor: Expr) -> Written:
    if isinstance(factor, Symbol):
        text, latex = _SYMBOLS.get(factor.name) or (text_name(factor.name), latex_name(factor.name))
        return Written(text, latex)
    if factor == pi:
        return Written("π", r"\pi")
    if factor == oo:
        return Written("∞", r"\infty")
    if factor.is_Integer:
        return Written(str(factor), str(factor))
    if isinstance(factor, Pow):
        return _power(factor)
    if factor.is_Function:
        return _call(factor)
    return write(factor)


def _power(power: Pow) -> Written:
    base = _atom(power.base).held(0) if not power.base.is_Mul else write(power.base).held(0)
    latex = f"({base.latex})" if "^" in base.latex and base.latex[-1:] != ")" else base.latex
    exponent = power.exp
    if exponent.is_Integer:
        return Written(base.text + str(exponent).translate(_SUPERSCRIPT), f"{latex}^{{{exponent}}}")
    return Written(f"{base.text}^({exponent})", f"{latex}^{{{exponent}}}")


def _root(radicand: Expr) -> Written:
    inside = _joined(list(radicand.args)) if radicand.is_Mul and not _fraction(radicand)[1] else write(radicand, True)
    text = inside.text if inside.loose == 0 and not inside.text.startswith("−") else f"({inside.text})"
    return Written(f"√{text}", f"\\sqrt{{{inside.latex}}}")


def _call(function: Expr) -> Written:
    text, latex = _CALLED[type(function).__name__]
    arguments = [write(argument, slash=True) for argument in function.args]
    if type(function).__name__ == "asin":
        return Written(f"{text} {arguments[0].held(0).text}", f"{latex} {arguments[0].held(0).latex}", 1)
    if isinstance(function, Phi2):
        h, k, rho = arguments
        inside = Written(f"{h.text}, {k.text}; {rho.text}", f"{h.latex}, {k.latex}; {rho.latex}")
    else:
        inside = arguments[0]
    return Written(f"{text}({inside.text})", latex + _latex_parentheses(inside.latex))


def _latex_parentheses(inside: str) -> str:
    return f"\\left({inside}\\right)" if "\\frac" in inside or "/" in inside else f"({inside})"


def _is_root(factor: Expr) -> bool:
    return isinstance(factor, Pow) and factor.exp == Rational(1, 2)


def _signed(expression: Expr) -> tuple[int, Expr]:
    """The sign of a product, and the product without it."""
    coefficient = expression.as_coeff_Mul()[0] if expression.is_Mul or expression.is_Number else Integer(1)
    if not coefficient.is_negative or expression == oo:
        return 1, expression
    factors = [-f if f is coefficient else f for f in Mul.make_args(expression)]
    if expression.is_Number:
        return -1, -expression
    return -1, Mul(*[f for f in factors if f != 1], evaluate=False)


def _fraction(expression: Expr) -> tuple[list[Expr], list[Expr]]:
    """The factors above and below the line, in the order of writing, 1/√2 for √2/2."""
    number, above, below = Rational(1), [], []
    for factor in _flat(expression):
        if factor.is_Rational:
            number *= factor
        elif isinstance(factor, Pow) and factor.exp.is_Rational and factor.exp.is_negative:
            below.append(Pow(factor.base, -factor.exp))
        else:
            above.append(factor)
    for root in [f for f in above if _is_root(f) and f.base.is_Integer and number.q % f.base == 0]:
        above.remove(root)
        below.append(root)
        number *= root.base
    above += [Integer(number.p)] if number.p != 1 or not above else []
    below += [Integer(number.q)] if number.q != 1 else []
    return sorted(above, key=_factor_key), sorted(below, key=_factor_key)


def _flat(expression: Expr) -> list[Expr]:
    if not expression.is_Mul:
        return [expression]
    return [f for argument in expression.args for f in _flat(argument)]


def _factor_key(factor: Expr) -> tuple[int, object]:
    base = factor.base if isinstance(factor, Pow) else factor
    if factor.is_Integer:
        rank = 0
    elif base.is_number:
        rank = 1
    elif isinstance(base, Symbol):
        rank = 2 if base.name in _FIRST else 4 if base.name in _LAST else 3
    elif isinstance(base, Add):
        rank = 5
    elif isinstance(base, phi):
        rank = 7
    elif isinstance(base, Phi):
        rank = 8
    else:
        rank = 9 if base.is_Function else 6
    return rank, default_sort_key(factor)


def _terms(expression: Expr) -> list[tuple[int, Expr]]:
    """The terms of a sum, each with its sign, in the order of writing."""
    signed = sorted((_signed(term) for term in expression.args), key=lambda pair: _term_key(pair[1]))
    # A sum that can begin with a plus does.
    for i, (sign, _) in enumerate(signed):
        if sign > 0:
            return [signed[i], *signed[:i], *signed[i + 1 :]]
    return signed


def _term_key(term: Expr) -> tuple[object, ...]:
    if term.is_number:
        return (0,)
    symbols = {symbol.name for symbol in term.free_symbols}
    functions = sorted(term.atoms(Phi2, Phi, phi, erf, erfc), key=lambda f: (f.count_ops(), default_sort_key(f)))
    others = term.atoms(exp, asin)
    if "sigma_b" in symbols and "sigma_w" not in symbols:
        return (9,)
    if not functions and not others:
        # q² + qτ² + τ⁴, and ρ + h².
        degrees = tuple(-_degree(term, name) for name in ("q", "q_star"))
        return (1, degrees, symbols != {"rho"}, default_sort_key(term))
    if any(isinstance(f, Phi2) for f in functions):
        first = next(f for f in functions if isinstance(f, Phi2))
        return (2, default_sort_key(first.args[0] + first.args[1]), first.args[2].count_ops())
    if others or not functions:
        return (4, len(symbols), sorted(symbols), term.has(1 - SYMBOLS["rho"]), default_sort_key(term))
    last = functions[-1]
    return (3, _threshold_key(last), isinstance(last, phi), default_sort_key(term))


def _threshold_key(function: Expr) -> tuple[object, ...]:
    """By the threshold that a function belongs to: fewer symbols first."""
    argument = function.args[0]
    argument = -argument if argument.could_extract_minus_sign() else argument
    return (len(argument.free_symbols), default_sort_key(argument))


def _degree(term: Expr, name: str) -> int:
    return sum(
        int(2 * power.exp) if isinstance(power, Pow) and power.exp.is_Rational else 2
        for power in _flat(term)
        for base in [power.base if isinstance(power, Pow) else power]
        if isinstance(base, Symbol) and base.name == name
    )
