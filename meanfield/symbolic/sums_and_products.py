"""How sums and products come apart, and in which order their parts are written.

σ_w² comes before the parameters, those before q and ρ, all of them before functions; Φ before ϕ; a sum begins with a
plus if it can; 1/√2 stands for √2/2.
"""

from __future__ import annotations

from sympy import Add, Expr, Integer, Integral, Mul, Pow, Rational, Symbol, asin, default_sort_key, erf, erfc, exp

from meanfield.symbolic.formula import SYMBOLS
from meanfield.symbolic.functions import Phi, Phi2, phi
from meanfield.symbolic.integrals import ACTIVATION, W, Z

__all__ = ["factor_key", "fraction", "is_root", "signed", "terms"]

#: In the order in which factors and terms come.
_FIRST = ("sigma_w", "sigma_b")
_LAST = ("q", "q_star", "rho")


def is_root(factor: Expr) -> bool:
    """Whether it is a square root."""
    return isinstance(factor, Pow) and factor.exp == Rational(1, 2)


def signed(expression: Expr) -> tuple[int, Expr]:
    """The sign of a product, and the product without it."""
    coefficient = expression.as_coeff_Mul()[0]
    if not coefficient.is_negative:
        return 1, expression
    if expression.is_Number:
        return -1, -expression
    factors = [-f if f is coefficient else f for f in Mul.make_args(expression)]
    return -1, Mul(*[f for f in factors if f != 1], evaluate=False)


def fraction(expression: Expr) -> tuple[list[Expr], list[Expr]]:
    """The factors above and below the line, in the order of writing, 1/√2 for √2/2."""
    number, above, below = Rational(1), [], []
    for factor in _flat(expression):
        if factor.is_Rational:
            number *= factor
        elif isinstance(factor, Pow) and factor.exp.is_Rational and factor.exp.is_negative:
            below.append(Pow(factor.base, -factor.exp))
        else:
            above.append(factor)
    for root in [f for f in above if is_root(f) and f.base.is_Integer and number.q % f.base == 0]:
        above.remove(root)
        below.append(root)
        number *= root.base
    above += [Integer(number.p)] if number.p != 1 or not above else []
    below += [Integer(number.q)] if number.q != 1 else []
    return sorted(above, key=factor_key), sorted(below, key=factor_key)


def _flat(expression: Expr) -> list[Expr]:
    if not expression.is_Mul:
        return [expression]
    return [f for argument in expression.args for f in _flat(argument)]


def factor_key(factor: Expr) -> tuple[int, object]:
    """What factors are sorted by."""
    base = factor.base if isinstance(factor, Pow) else factor
    if isinstance(factor, Integral):
        rank = 10
    elif factor.is_Integer:
        rank = 0
    elif base.is_number:
        rank = 1
    elif isinstance(base, Symbol):
        rank = 2 if base.name in _FIRST else 4 if base.name in _LAST else 5 if base in (Z, W) else 3
    elif isinstance(base, Add):
        rank = 5
    elif base.func in ACTIVATION:
        rank = 6
    elif isinstance(base, phi):
        rank = 7
    elif isinstance(base, Phi):
        rank = 8
    else:
        rank = 9 if base.is_Function else 6
    return rank, default_sort_key(factor)


def terms(expression: Expr) -> list[tuple[int, Expr]]:
    """The terms of a sum, each with its sign, in the order of writing."""
    parts = sorted((signed(term) for term in expression.args), key=lambda part: _term_key(part[1]))
    # A sum that can begin with a plus does.
    for i, (sign, _) in enumerate(parts):
        if sign > 0:
            return [parts[i], *parts[:i], *parts[i + 1 :]]
    return parts


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
