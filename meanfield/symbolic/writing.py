"""Formulas as a person writes them: in Unicode on a line, and in LaTeX.

Both are written together, node by node, because they follow the same rules (those of order are `sums_and_products`). A
long formula is broken at the signs of its sums, where its text would leave the line; the LaTeX breaks where it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from sympy import Add, Expr, Function, Integral, Mul, Piecewise, Pow, Symbol, oo, pi

from meanfield.lettering import latex_name, text_name
from meanfield.quantities import QUANTITIES
from meanfield.symbolic.functions import Phi2
from meanfield.symbolic.sums_and_products import factor_key, fraction, is_root, signed, terms

__all__ = ["Written", "lines", "write"]

#: Functions by the name of their class: what they are called in text and in LaTeX.
_CALLED = {
    "Phi": ("Φ", r"\Phi"),
    "phi": ("ϕ", r"\varphi"),
    "Phi2": ("Φ₂", r"\Phi_2"),
    "erf": ("erf", r"\operatorname{erf}"),
    "erfc": ("erfc", r"\operatorname{erfc}"),
    "exp": ("exp", r"\exp"),
    "asin": ("arcsin", r"\arcsin"),
    "sin": ("sin", r"\sin"),
    "cos": ("cos", r"\cos"),
    "atan": ("arctan", r"\arctan"),
    "tanh": ("tanh", r"\tanh"),
    "sinh": ("sinh", r"\sinh"),
    "cosh": ("cosh", r"\cosh"),
    "asinh": ("arsinh", r"\operatorname{arsinh}"),
    "log": ("log", r"\log"),
    "φ": ("φ", r"\phi"),
    "φ'": ("φ'", r"\phi'"),
    "φ''": ("φ''", r"\phi''"),
    "V": ("V", "V"),
}

#: Symbols whose names are those of quantities.
_CALLED_SO = ("q_star", "sigma_w", "sigma_b")

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

#: A part of a formula is not broken into lines shorter than this.
_NARROWEST = 24


@dataclass(frozen=True)
class Written:
    """An expression in Unicode and in LaTeX; `loose` says how it holds together: 0 a symbol, 1 a product, 2 a sum."""

    text: str
    latex: str
    loose: int = 0

    def then(self, other: Written) -> Written:
        """The two, one after the other."""
        return Written(self.text + other.text, self.latex + other.latex)

    def beside(self, other: Written) -> Written:
        """The two on one line, with a space between them in LaTeX."""
        return Written(self.text + other.text, f"{self.latex} {other.latex}")

    def held(self, looseness: int) -> Written:
        """In parentheses if looser than that."""
        if self.loose <= looseness:
            return self
        return Written(f"({self.text})", _latex_parentheses(self.latex))


@lru_cache(maxsize=4096)
def write(expression: Expr, slash: bool = False) -> Written:
    """An expression on one line, in LaTeX with a slash rather than fractions if so wanted."""
    if not isinstance(expression, Add):
        sign, positive = signed(expression)
        return _with_sign(sign, _product(positive, slash), leading=True)
    parts = [
        _with_sign(sign, _product(term, slash).held(1), leading=not i)
        for i, (sign, term) in enumerate(terms(expression))
    ]
    return Written("".join(part.text for part in parts), " ".join(part.latex for part in parts), 2)


def lines(expression: Expr, width: int, before: int = 0) -> list[Written]:
    """An expression on as many lines as its text needs, broken before the signs of its sums.

    `before` columns of the first line are taken.
    """
    result: list[Written] = []
    for token in _clustered(_tokens(expression, width - before), width - before):
        used = before if len(result) == 1 else 0
        if result and used + len(result[-1].text) + len(token.text) <= width:
            result[-1] = result[-1].beside(token)
        else:
            # A sign at the start of a line would else be taken for that of a number.
            result.append(Written(token.text.lstrip(), "{} " + token.latex) if result else token)
    return result


def _clustered(tokens: list[Written], width: int) -> list[Written]:
    """The same, no line to end with what opens a parenthesis or to begin with what closes one, if that can be."""
    clusters: list[Written] = []
    for token in tokens:
        sticks = clusters and (clusters[-1].text.endswith("(") or token.text.startswith(")"))
        if sticks and len(clusters[-1].text) + len(token.text) <= width:
            clusters[-1] = clusters[-1].beside(token)
        else:
            clusters.append(token)
    return clusters


def _tokens(expression: Expr, width: int) -> list[Written]:
    """Parts that belong on one line each; every one but the first begins with its sign."""
    flat = write(expression)
    if len(flat.text) <= width:
        return [flat]
    if isinstance(expression, Add):
        return _terms(expression, width)
    sign, positive = signed(expression)
    above, below = fraction(positive)
    minus = Written("−", "-") if sign < 0 else Written("", "")
    top, bottom = _joined(above).held(1), _joined(below, held=True)
    over = _longest_sum(above) if len(bottom.text) <= width // 2 or len(top.text) > width // 2 else None
    under = _longest_sum(below) if len(bottom.text) > width // 2 else None
    if not over and not under:
        return [flat]
    tall = under or any(factor.is_Add and factor.atoms(Function) for factor in below)
    if not over:
        tokens = [minus.then(top)]
    elif not below or tall:
        tokens = _around(minus, [factor for factor in above if factor is not over], over, width)
    else:
        # In LaTeX what is short stands in a fraction before the sum, and nothing after it.
        rest = [factor for factor in above if factor is not over]
        start = f"\\frac{{{_joined(rest).latex}}}{{{_joined(below).latex}}}"
        tokens = _around(minus, rest, over, width - len(bottom.text) - 1, start)
        return [*tokens[:-1], Written(f"{tokens[-1].text}/{bottom.text}", tokens[-1].latex)]
    if under:
        rest = [factor for factor in below if factor is not under]
        return [*tokens, *_around(Written("/", "\\Big/ "), rest, under, width, whole=True)]
    if below:
        tokens[-1] = tokens[-1].then(Written(f"/{bottom.text}", f" \\Big/ {bottom.latex}"))
    return tokens


def _terms(expression: Add, width: int) -> list[Written]:
    """A sum, broken at every sign."""
    tokens: list[Written] = []
    for sign, term in terms(expression):
        first, *rest = _tokens(term, width)
        tokens += [_with_sign(sign, first if rest else first.held(1), leading=not tokens), *rest]
    return tokens


def _longest_sum(factors: list[Expr]) -> Expr | None:
    sums = [factor for factor in factors if isinstance(factor, Add)]
    return max(sums, key=lambda factor: len(write(factor).text), default=None)


def _around(
    before: Written, factors: list[Expr], inner: Expr, width: int, latex: str | None = None, whole: bool = False
) -> list[Written]:
    """A product whose last factor is a broken sum; `latex` stands for the other factors there, `whole` holds it all."""
    prefix = _joined(factors).held(1) if factors else Written("", "")
    opened = Written(f"{prefix.text}·(" if factors else "(", f"{prefix.latex if latex is None else latex}\\Bigl(")
    closed = Written(")", "\\Bigr)")
    if whole and factors:
        opened, closed = Written(f"({opened.text}", f"\\Bigl({opened.latex}"), Written("))", "\\Bigr)\\Bigr)")
    opened = before.then(opened)
    return [opened, *_terms(inner, max(width - len(opened.text) - len(closed.text), _NARROWEST)), closed]


def _with_sign(sign: int, written: Written, leading: bool) -> Written:
    if leading:
        return Written(f"−{written.text}", f"-{written.latex}", 2) if sign < 0 else written
    return Written((" − " if sign < 0 else " + ") + written.text, ("- " if sign < 0 else "+ ") + written.latex)


def _product(expression: Expr, slash: bool) -> Written:
    above, below = fraction(expression)
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
    roots = [factor.base for factor in factors if is_root(factor)]
    rest = [factor for factor in factors if not is_root(factor)]
    parts = [_atom(factor) for factor in rest]
    if roots:
        rank = 1 if all(root.is_number for root in roots) else 5
        place = sum(factor_key(factor)[0] < rank for factor in rest)
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
        if factor.name in _CALLED_SO:
            return Written(QUANTITIES[factor.name].symbol, QUANTITIES[factor.name].mathematics)
        return Written(text_name(factor.name), latex_name(factor.name))
    if factor == pi:
        return Written("π", r"\pi")
    if factor == oo:
        return Written("∞", r"\infty")
    if factor.is_Integer:
        return Written(str(factor), str(factor))
    if isinstance(factor, Pow):
        return _power(factor)
    if isinstance(factor, Integral):
        return _integral(factor)
    if isinstance(factor, Piecewise):
        return _cases(factor)
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
    inside = _joined(list(radicand.args)) if radicand.is_Mul and not fraction(radicand)[1] else write(radicand, True)
    text = inside.text if inside.loose == 0 and not inside.text.startswith("−") else f"({inside.text})"
    return Written(f"√{text}", f"\\sqrt{{{inside.latex}}}")


def _call(function: Expr) -> Written:
    text, latex = _CALLED[type(function).__name__]
    arguments = [write(argument, slash=True) for argument in function.args]
    if isinstance(function, Phi2):
        h, k, rho = arguments
        inside = Written(f"{h.text}, {k.text}; {rho.text}", f"{h.latex}, {k.latex}; {rho.latex}")
    else:
        inside = arguments[0]
    return Written(f"{text}({inside.text})", latex + _latex_parentheses(inside.latex))


def _integral(integral: Integral) -> Written:
    """Over the whole line, or the plane; the inner variable is the first."""
    inside = write(integral.function, slash=True).held(1)
    variables = [write(limits[0]) for limits in integral.limits[::-1]]
    sign = {1: "∫", 2: "∬"}[len(variables)]
    latex = r"\int_{-\infty}^{\infty} " * len(variables)
    text = " ".join(f"d{variable.text}" for variable in variables)
    differentials = r" \, ".join(f"d{variable.latex}" for variable in variables)
    return Written(f"{sign} {inside.text} {text}", f"{latex}{inside.latex} \\, {differentials}", 1)


def _cases(cases: Piecewise) -> Written:
    """The pieces of a function of x, from left to right."""
    values = [write(value) for value, _ in cases.args]
    bounds = [write(condition.gts) for _, condition in cases.args[:-1]]
    text = [f"{value.text} for x < {bound.text}" for value, bound in zip(values, bounds, strict=False)]
    rows = [f"{value.latex} & x < {bound.latex}" for value, bound in zip(values, bounds, strict=False)]
    rows.append(f"{values[-1].latex} & \\text{{else}}")
    latex = "\\begin{cases} " + r" \\ ".join(rows) + " \\end{cases}"
    return Written("; ".join([*text, f"{values[-1].text} else"]), latex, 2)


def _latex_parentheses(inside: str) -> str:
    return f"\\left({inside}\\right)" if "\\frac" in inside or "/" in inside else f"({inside})"
