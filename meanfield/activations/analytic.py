"""Sums, products, quotients and calls of analytic functions, in forms that neither overflow nor cancel.

log(1 + exp(u)) is softplus(u), 1/(1 + exp(−u)) sigmoid(u), exp(u) − 1 expm1(u), 1 + erf(u) 2Φ(√2 u): what is made here
has its digits wherever the function has. Like terms are added up and like factors cancel, exactly. docs/theory.md,
section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import prod

import numpy as np

from meanfield.activations.polynomials import polynomial, ratio
from meanfield.activations.primitives import PRIMITIVES
from meanfield.activations.trees import Call, Number, Power, Product, Quotient, Sum, Tree, X

__all__ = [
    "Call",
    "Number",
    "Power",
    "Product",
    "Quotient",
    "Sum",
    "Tree",
    "X",
    "call",
    "negative",
    "number",
    "power",
    "product",
    "quotient",
    "summed",
]

_ONE = Number(Fraction(1))
_HALF = Fraction(1, 2)
#: To 40 digits, so that what is multiplied and divided by it comes back.
_ROOT_TWO = Fraction("1.4142135623730950488016887242096980785697")
#: A coefficient is taken for a short fraction that is as close as two roundings leave it.
_SHORT, _CLOSE = 1000, Fraction(4, 10**16)
_ODD = frozenset({"tanh", "sin", "atan", "asinh", "sinh", "erf", "tanhshrink"})
_EVEN = frozenset({"cos", "cosh", "logcosh"})


def number(value: Fraction | int) -> Tree:
    """A constant."""
    return Number(Fraction(value))


def negative(tree: Tree) -> Tree:
    """−f."""
    return _times(-1, tree)


def summed(terms: Iterable[Tree]) -> Tree:
    """The sum: like terms are added up, and what would cancel is put so that it does not."""
    constant, total = Fraction(0), dict[Tree, Fraction]()
    for c, core in map(_split, (part for term in terms for part in (term.parts if isinstance(term, Sum) else (term,)))):
        if core == _ONE:
            constant += c
        else:
            total[core] = total.get(core, Fraction(0)) + c
    total = {core: c for core, c in total.items() if c}
    for core, c in total.items():
        found = (_with_constant(core, c, constant) if constant else None) or _with_another(core, c, total, constant)
        if found is not None:
            used, stable = found
            rest = [_times(a, other) for other, a in total.items() if other not in used]
            return summed([*rest, stable, *([] if _ONE in used else [Number(constant)])])
    flat = [_times(c, core) for core, c in total.items()]
    if constant or not flat:
        flat.append(Number(constant))
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


#: Terms that are used up, and what they are together.
_Together = tuple[tuple[Tree, ...], Tree]


def _with_constant(core: Tree, c: Fraction, constant: Fraction) -> _Together | None:
    """What c·core + constant is, if there is a form for it that keeps more digits."""
    match core:
        case Call(name=name, argument=u):
            form = _CALLS_AND_NUMBERS.get((name, constant / c))
            stable = form(u) if form else _root_less_root(core, u, constant / c)
        case Power(base=Call(name="tanh", argument=u), exponent=n) if n == 2 and constant == -c:
            both = call("sigmoid", _times(2, u)), call("sigmoid", _times(-2, u))
            stable = _times(-4, product(both))
        case Power(base=Call(name="sin" | "cos" as name, argument=u), exponent=n) if n == 2 and constant == -c:
            stable = negative(power(call("cos" if name == "sin" else "sin", u), number(2)))
        case _:
            return None
    return None if stable is None else ((core, _ONE), _times(c, stable))


def _halved(name: str, factor: int) -> Callable[[Tree], Tree]:
    return lambda u: _times(factor, power(call(name, _times(_HALF, u)), number(2)))


#: f(u) + a number, by f and the number.
_CALLS_AND_NUMBERS: dict[tuple[str, Fraction], Callable[[Tree], Tree]] = {
    ("exp", Fraction(-1)): lambda u: call("expm1", u),
    ("expm1", Fraction(1)): lambda u: call("exp", u),
    ("tanh", Fraction(1)): lambda u: _times(2, call("sigmoid", _times(2, u))),
    ("tanh", Fraction(-1)): lambda u: _times(-2, call("sigmoid", _times(-2, u))),
    ("sigmoid", Fraction(-1)): lambda u: negative(call("sigmoid", negative(u))),
    ("sigmoid", -_HALF): lambda u: _times(_HALF, call("tanh", _times(_HALF, u))),
    ("erf", Fraction(1)): lambda u: _times(2, call("Phi", _scaled(_ROOT_TWO, u))),
    ("erf", Fraction(-1)): lambda u: _times(-2, call("Phi", _scaled(-_ROOT_TWO, u))),
    ("Phi", Fraction(-1)): lambda u: negative(call("Phi", negative(u))),
    ("Phi", -_HALF): lambda u: _times(_HALF, call("erf", _scaled(1 / _ROOT_TWO, u))),
    ("cos", Fraction(-1)): _halved("sin", -2),
    ("cosh", Fraction(-1)): _halved("sinh", 2),
}


def _root_less_root(core: Call, u: Tree, constant: Fraction) -> Tree | None:
    """√(c² + w) − c, as w/(√(c² + w) + c)."""
    if core.name != "sqrt" or not isinstance(u, Sum) or constant >= 0 or u.parts[-1] != Number(constant**2):
        return None
    return quotient(summed(u.parts[:-1]), Sum((core, Number(-constant))))


def _with_another(core: Tree, c: Fraction, total: dict[Tree, Fraction], constant: Fraction) -> _Together | None:
    """What c·core and another term are together, if there is a form for it that keeps more digits."""
    match core:
        case Call(name="tanh", argument=u):
            # u − tanh(u), c times over, of a u that is one term.
            factor, other = _split(u)
            if total.get(other) == -c * factor:
                return (core, other), _times(-c, call("tanhshrink", u))
        case Call(name="exp", argument=u):
            other = call("exp", negative(u))
            if total.get(other) in (c, -c):
                return (core, other), _times(2 * c, call("cosh" if total[other] == c else "sinh", u))
        case Power(base=Call(name="sin", argument=u), exponent=n) if n == 2:
            other = Power(Call("cos", u), n)
            if total.get(other) == c:
                return (core, other), Number(c)
        case Call(name="sqrt", argument=s) if X in total:
            # t + √(t² + b) = √b squareplus(2t/√b).
            squares = polynomial(s)
            for t in {constant / c, Fraction(0)}:
                a = total[X] / c
                b = squares[0] - t * t if squares and squares[1:] == (2 * a * t, a * a) else Fraction(0)
                if b > 0:
                    root = call("sqrt", Number(b))
                    bent = call("squareplus", quotient(summed([_times(2 * a, X), Number(2 * t)]), root))
                    return (core, X, *([_ONE] if t else [])), product([Number(c), root, bent])
    return None


def _split(tree: Tree) -> tuple[Fraction, Tree]:
    """The number before it, and the rest."""
    match tree:
        case Number(value=value):
            return value, _ONE
        case Product(parts=(Number(value=value), *rest)):
            return value, rest[0] if len(rest) == 1 else Product(tuple(rest))
    return Fraction(1), tree


def _times(c: Fraction | int, tree: Tree) -> Tree:
    return product([Number(Fraction(c)), tree])


def _scaled(root: Fraction, u: Tree) -> Tree:
    """A root of two times u: x/√2 comes back as x."""
    terms = []
    for part in u.parts if isinstance(u, Sum) else (u,):
        c, core = _split(part)
        terms.append(_times(_shortened(root * c), core))
    return summed(terms)


def _shortened(value: Fraction) -> Fraction:
    short = value.limit_denominator(_SHORT)
    return short if abs(short - value) <= _CLOSE * abs(value) else value


def product(factors: Iterable[Tree]) -> Tree:
    """The product: numbers are multiplied, and so are exponentials; a number times sums is part of the first."""
    flat = [part for whole in factors for part in (whole.parts if isinstance(whole, Product) else (whole,))]
    constant = prod((part.value for part in flat if isinstance(part, Number)), start=Fraction(1))
    flat = [part for part in flat if not isinstance(part, Number)]
    if not constant or not flat:
        return Number(constant)
    exponents = [part.argument for part in flat if isinstance(part, Call) and part.name == "exp"]
    if len(exponents) > 1:
        others = [part for part in flat if not (isinstance(part, Call) and part.name == "exp")]
        return product([Number(constant), *others, call("exp", summed(exponents))])
    for exponent in exponents:
        falling = call("sigmoid", negative(exponent))
        if falling in flat:
            flat[flat.index(falling)] = call("sigmoid", exponent)
            flat.remove(Call("exp", exponent))
    # Sums come last: a number before one is part of it, as it is of the line that an expression is read into.
    flat.sort(key=lambda part: isinstance(part, Sum))
    first = flat[0]
    if constant != 1 and isinstance(first, Sum):
        flat[0] = summed(_times(constant, term) for term in first.parts)
    elif constant != 1:
        flat.insert(0, Number(constant))
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def quotient(over: Tree, under: Tree) -> Tree:
    """The quotient; u/(1 + exp(v)) is u sigmoid(−v), u exp(v)/(1 + exp(v)) is u sigmoid(v), sinh(v)/cosh(v) tanh(v).

    Raises:
        ZeroDivisionError: `under` is 0.
    """
    if isinstance(over, Quotient):
        return quotient(over.over, product([over.under, under]))
    if isinstance(under, Quotient):
        return quotient(product([over, under.under]), under.over)
    tops = list(over.parts) if isinstance(over, Product) else [over]
    left: list[Tree] = []
    for factor in under.parts if isinstance(under, Product) else (under,):
        base, n = (
            (factor.base, int(factor.exponent))
            if isinstance(factor, Power) and factor.exponent.denominator == 1 and factor.exponent > 0
            else (factor, 1)
        )
        for times in range(n):
            if not _divided(tops, base):
                left.append(power(base, number(n - times)))
                break
    if not left:
        return product(tops)
    c, core = _split(product(tops))
    under = product(left)
    f, g = polynomial(core), polynomial(under)
    if f is not None and g is not None and (whole := ratio(f, g)) is not None:
        return summed(product([Number(c * a), power(X, number(k))]) for k, a in enumerate(whole))
    return _times(c, Quotient(core, under))


def _divided(tops: list[Tree], base: Tree) -> bool:
    """Whether the product of `tops` is divided by `base` without a division; it is then so."""
    if isinstance(base, Number):
        tops.append(Number(1 / base.value))
        return True
    if base in tops and base != _ONE:
        tops.remove(base)
        return True
    if isinstance(base, Call) and base.name == "exp":
        tops.append(call("exp", negative(base.argument)))
        return True
    if isinstance(base, Call) and base.name == "cosh" and (rising := Call("sinh", base.argument)) in tops:
        tops[tops.index(rising)] = call("tanh", base.argument)
        return True
    if (found := _one_plus_exp(base)) is None:
        return False
    a, v = found
    tops.append(Number(1 / a))
    if (growing := Call("exp", v)) in tops:
        tops[tops.index(growing)] = call("sigmoid", v)
    elif (growing := Call("expm1", v)) in tops:
        tops[tops.index(growing)] = call("tanh", _times(_HALF, v))
    else:
        tops.append(call("sigmoid", negative(v)))
    return True


def _one_plus_exp(tree: Tree) -> tuple[Fraction, Tree] | None:
    """a and v where the tree is a (1 + exp(v)), a > 0."""
    match tree:
        case Sum(parts=(term, Number(value=a))):
            c, core = _split(term)
            if isinstance(core, Call) and core.name == "exp" and c > 0 and a > 0:
                v = core.argument
                return a, v if c == a else summed([v, call("log", Number(c / a))])
    return None


def power(base: Tree, exponent: Tree) -> Tree:
    """A power: of whole exponents a product's like, of others only where the base is positive.

    Raises:
        ZeroDivisionError: 0 to a negative power.
    """
    if not isinstance(exponent, Number):
        return call("exp", product([exponent, call("log", base)]))
    n = exponent.value
    if n in (0, 1):
        return base if n else _ONE
    if n == _HALF:
        return call("sqrt", base)
    if isinstance(base, Number):
        if n.denominator == 1:
            return Number(base.value ** int(n))
        return Number(_double(max(float(base.value), 0.0) ** float(n)))
    if isinstance(base, Call) and base.name == "exp":
        return call("exp", product([exponent, base.argument]))
    if n.denominator > 1:
        return Power(base, n)
    if n < 0:
        return quotient(_ONE, power(base, Number(-n)))
    c, core = _split(base)
    if c != 1:
        return _times(c ** int(n), power(core, exponent))
    if isinstance(base, Call) and base.name == "sqrt" and n % 2 == 0:
        return power(base.argument, Number(n / 2))
    if isinstance(base, Power):
        return power(base.base, Number(n * base.exponent))
    return Power(base, n)


def call(name: str, argument: Tree) -> Tree:
    """A primitive of a function; log(1 + exp(u)) is softplus(u), and log(1 + u) log1p(u)."""
    if isinstance(argument, Number):
        value = _value(name, argument)
        return Call(name, argument) if value is None else Number(value)
    c, _ = _split(argument)
    if name in _ODD and c < 0:
        return negative(Call(name, negative(argument)))
    if name in _EVEN and c < 0:
        return Call(name, negative(argument))
    form = {"log": _log, "log1p": _log1p, "exp": _exp, "sqrt": _sqrt}.get(name)
    return form(argument) if form else Call(name, argument)


def _log(u: Tree) -> Tree:
    if found := _one_plus_exp(u):
        a, v = found
        return summed([call("log", Number(a)), Call("softplus", v)])
    if isinstance(u, Sum) and u.parts[-1] == _ONE:
        return call("log1p", summed(u.parts[:-1]))
    c, core = _split(u)
    if c > 0 and c != 1:
        return summed([call("log", core), call("log", Number(c))])
    match u:
        case Call(name="exp", argument=v):
            return v
        case Call(name="sigmoid", argument=v):
            return Call("logsigmoid", v)
        case Call(name="cosh", argument=v):
            return call("logcosh", v)
    return Call("log", u)


def _log1p(u: Tree) -> Tree:
    return Call("softplus", u.argument) if isinstance(u, Call) and u.name == "exp" else Call("log1p", u)


def _exp(u: Tree) -> Tree:
    match u:
        case Call(name="log", argument=v):
            return v
        case Call(name="logsigmoid", argument=v):
            return call("sigmoid", v)
    return Call("exp", u)


def _sqrt(u: Tree) -> Tree:
    if isinstance(u, Call) and u.name == "exp":
        return call("exp", _times(_HALF, u.argument))
    return Call("sqrt", u)


def _value(name: str, argument: Number) -> Fraction | None:
    """The double that f of a number is, exactly where that is rational; None where it is none."""
    a = argument.value
    if name == "sqrt" and a >= 0:
        top, bottom = math.isqrt(a.numerator), math.isqrt(a.denominator)
        if Fraction(top * top, bottom * bottom) == a:
            return Fraction(top, bottom)
    with np.errstate(all="ignore"):
        value = float(next(PRIMITIVES[name](np.array(float(a)))))
    return _double(value) if math.isfinite(value) else None


def _double(value: float) -> Fraction:
    """The shortest decimal that is this double."""
    return Fraction(repr(value))
