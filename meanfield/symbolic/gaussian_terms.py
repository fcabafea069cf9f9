"""Gaussian expectations in closed form: of polynomials × exp(quadratic) × sin, cos × Φ(line), between breaks.

A term is c xⁿ exp(Ax² + Bx) Π p(x), each p a Φ(αx + β) or a step 1(αx + β > 0). An exponential turns one normal law
into another; by Stein's lemma, E (x − m) g(x) = Q E g', a power of x falls and a p becomes a density; what is left is
the probability of as many half-lines as there are p: Φ of one, Φ₂ of two. docs/theory.md, section 15.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise, product

from sympy import (
    Add,
    Expr,
    Function,
    I,
    Integer,
    Mul,
    Poly,
    PolynomialError,
    Pow,
    Rational,
    Symbol,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    expand,
    expand_power_base,
    factor as factored,
    pi,
    sin,
    sinh,
    sqrt,
    together,
)

from meanfield.errors import NoFormula
from meanfield.symbolic.functions import Phi, Phi2, phi

__all__ = ["X", "covariance_of", "mean_of", "tidy"]

#: The variable of φ.
X = Symbol("x", real=True)

#: Sums of more terms are no formula that anyone reads.
_MOST_TERMS = 64


@dataclass(frozen=True)
class _Half:
    """Φ(αx + β), or for `steep` its limit: 1 where αx + β > 0."""

    alpha: Expr
    beta: Expr
    steep: bool = False


@dataclass(frozen=True)
class _Term:
    """c xⁿ exp(Ax² + Bx) Π halves."""

    c: Expr
    n: int
    A: Expr
    B: Expr
    halves: tuple[_Half, ...] = ()


def mean_of(knots: Sequence[Expr], pieces: Sequence[Expr], q: Expr) -> Expr:
    """E f(x), x ~ N(0, q), of the f that is `pieces` between `knots`.

    Raises:
        NoFormula: it has no closed form that is known here.
    """
    terms = [term for term in _terms_between(knots, pieces)]
    return tidy(Add(*(term.c * _one(replace(term, c=Integer(1)), Integer(0), q) for term in terms)))


def covariance_of(knots: Sequence[Expr], pieces: Sequence[Expr], q: Expr, rho: Expr) -> Expr:
    """E f(u)f(v) of u, v ~ N(0, q) with correlation ρ.

    Raises:
        NoFormula: it has no closed form that is known here.
    """
    terms = _terms_between(knots, pieces)
    if len(terms) ** 2 > _MOST_TERMS:
        raise NoFormula("it would be a sum of too many terms")
    law = (Integer(0), Integer(0), q, q, rho * q)
    found = Integer(0)
    for i, f in enumerate(terms):
        for g in terms[i:]:
            pair = f.c * g.c * _two(replace(f, c=Integer(1)), replace(g, c=Integer(1)), law)
            found += pair if f is g else 2 * pair
    return tidy(found)


# Reading.


def _terms_between(knots: Sequence[Expr], pieces: Sequence[Expr]) -> list[_Term]:
    """The function as terms: one piece everywhere, and from each break outwards the change to the next.

    Either side of a single break is on its own.
    """
    if len(knots) == 1 and all(pieces):
        knots, pieces = [knots[0], knots[0]], [pieces[0], Integer(0), pieces[1]]
    zero = [j for j, piece in enumerate(pieces) if not piece]
    base = zero[0] if zero else sum(bool(t.is_negative) for t in knots)
    result = list(_terms(pieces[base]))
    for i, (t, (left, right)) in enumerate(zip(knots, pairwise(pieces), strict=True)):
        side = 1 if i >= base else -1
        half = _Half(Integer(side), -side * t, steep=True)
        result += [replace(term, halves=(*term.halves, half)) for term in _terms(expand((right - left) * side))]
    if any(half.steep for term in result for half in term.halves) and any(term.B.has(I) for term in result):
        raise NoFormula("a sine between breaks has none")
    return result


@lru_cache(maxsize=256)
def _terms(f: Expr) -> tuple[_Term, ...]:
    plain = f.rewrite([sinh, cosh, sin, cos], exp)
    plain = plain.replace(erf, lambda u: 2 * Phi(sqrt(2) * u) - 1).replace(erfc, lambda u: 2 * Phi(-sqrt(2) * u))
    plain = plain.replace(phi, lambda u: exp(-(u**2) / 2) / sqrt(2 * pi))
    plain = expand(plain, power_exp=True)
    return tuple(_merged(_term(part) for part in Add.make_args(plain) if part))


def _term(part: Expr) -> _Term:
    c, rest = part.as_independent(X, as_Add=False)
    n, exponent, halves = 0, Integer(0), []
    for factor in Mul.make_args(rest):
        base, power = factor.as_base_exp()
        if base == X and power.is_Integer and power > 0:
            n += int(power)
        elif factor.func is exp:
            exponent += factor.args[0]
        elif base.func is Phi and power.is_Integer and power > 0:
            alpha, beta = _coefficients(base.args[0], 1)[::-1]
            halves += [_Half(alpha, beta)] * int(power)
        elif factor != 1:
            raise NoFormula(f"its {factor.func.__name__} has none")
    C, B, A = _coefficients(exponent, 2)
    return _Term(c * exp(C), n, A, B, tuple(halves))


def _coefficients(f: Expr, degree: int) -> list[Expr]:
    """Of 1, x, …, x^degree."""
    try:
        found = Poly(f, X).all_coeffs()[::-1]
    except PolynomialError:
        found = []
    if not found or len(found) > degree + 1 or any(c.has(X) for c in found):
        raise NoFormula(f"{f} in it is no polynomial of degree {degree}")
    return [*found, *[Integer(0)] * (degree + 1 - len(found))]


def _merged(terms: Iterator[_Term]) -> list[_Term]:
    total: dict[_Term, Expr] = {}
    for term in terms:
        key = replace(term, c=Integer(1))
        total[key] = total.get(key, Integer(0)) + term.c
    return [replace(key, c=c) for key, c in total.items() if c]


# One variable.


@lru_cache(maxsize=4096)
def _one(term: _Term, m: Expr, Q: Expr) -> Expr:
    """E xⁿ exp(Ax² + Bx) Π halves, x ~ N(m, Q)."""
    n, A, B, halves = term.n, term.A, term.B, term.halves
    if A != 0 or B != 0:
        shrunk = 1 - 2 * A * Q
        centre = (m + Q * B) / shrunk
        weight = exp(_simple((A * m**2 + B * m + Q * B**2 / 2) / shrunk)) / sqrt(shrunk)
        return weight * _one(_Term(term.c, n, Integer(0), Integer(0), halves), _simple(centre), _simple(Q / shrunk))
    if n == 0:
        return _probability([_standard(half, m, Q) for half in halves], halves, [[Q] * 2] * 2)
    lower = replace(term, n=n - 1)
    found = m * _one(lower, m, Q) if m else Integer(0)
    if n > 1:
        found += Q * (n - 1) * _one(replace(term, n=n - 2), m, Q)
    for i, half in enumerate(halves):
        found += Q * half.alpha * _at_density(replace(lower, halves=halves[:i] + halves[i + 1 :]), half, m, Q)
    return found


def _at_density(term: _Term, half: _Half, m: Expr, Q: Expr) -> Expr:
    """E of the term times the derivative of a half in its argument: a density, or a point for a step."""
    if half.steep:
        t = -half.beta / half.alpha
        value = t**term.n * Mul(*(_value(other, t) for other in term.halves))
        return value * phi((t - m) / sqrt(Q)) / sqrt(Q)
    dense = replace(term, A=-(half.alpha**2) / 2, B=-half.alpha * half.beta)
    return exp(-(half.beta**2) / 2) / sqrt(2 * pi) * _one(dense, m, Q)


def _value(half: _Half, t: Expr) -> Expr:
    inside = half.alpha * t + half.beta
    if not half.steep:
        return Phi(inside)
    if inside.is_zero or inside.is_positive is None:
        raise NoFormula("two of its breaks meet")
    return Integer(int(bool(inside.is_positive)))


def _standard(half: _Half, m: Expr, Q: Expr) -> tuple[Expr, Expr]:
    """The threshold of a half in standard deviations, and the standard deviation."""
    deviation = sqrt(_simple((0 if half.steep else 1) + half.alpha**2 * Q))
    return _simple((half.alpha * m + half.beta) / deviation), deviation


def _probability(standard: Sequence[tuple[Expr, Expr]], halves: Sequence[_Half], law: Sequence[Sequence[Expr]]) -> Expr:
    """P(all halves), `law` being the covariances of the variables that they are of."""
    if not halves:
        return Integer(1)
    if len(halves) == 1:
        return Phi(standard[0][0])
    if len(halves) > 2:
        raise NoFormula("it takes the distribution of three normal variables or more")
    (h, s), (k, t) = standard
    r = _simple(halves[0].alpha * halves[1].alpha * law[0][1] / (s * t))
    if r == 1:
        raise NoFormula("two of its breaks meet")
    return Phi2(h, k, r)


# Two variables.

_Law = tuple[Expr, Expr, Expr, Expr, Expr]


@lru_cache(maxsize=4096)
def _two(f: _Term, g: _Term, law: _Law) -> Expr:
    """E f(u)g(v); `law` holds the means, the variances and the covariance of u and v."""
    m, k, P, Q, S = law
    if (f.A, f.B, g.A, g.B) != (0, 0, 0, 0):
        return _two_tilted(f, g, law)
    if f.n == 0 and g.n == 0:
        halves = [*f.halves, *g.halves]
        standard = [*(_standard(half, m, P) for half in f.halves), *(_standard(half, k, Q) for half in g.halves)]
        across = S if len(f.halves) == 1 else P if f.halves else Q
        return _probability(standard, halves, [[P, across], [across, Q]])
    if f.n == 0:
        return _two(g, f, (k, m, Q, P, S))
    lower = replace(f, n=f.n - 1)
    found = m * _two(lower, g, law) if m else Integer(0)
    if f.n > 1:
        found += P * (f.n - 1) * _two(replace(f, n=f.n - 2), g, law)
    if g.n:
        found += S * g.n * _two(lower, replace(g, n=g.n - 1), law)
    for i, half in enumerate(f.halves):
        left = replace(lower, halves=f.halves[:i] + f.halves[i + 1 :])
        found += P * half.alpha * _two_at_density(left, g, half, law)
    for i, half in enumerate(g.halves):
        left = replace(g, halves=g.halves[:i] + g.halves[i + 1 :])
        found += S * half.alpha * _two_at_density(left, lower, half, (k, m, Q, P, S))
    return found


def _two_tilted(f: _Term, g: _Term, law: _Law) -> Expr:
    """The exponentials taken into the law."""
    m, k, P, Q, S = law
    a, b = 2 * f.A, 2 * g.A
    # exp(Au² + Bu + Cv² + Dv) of the law is a number times another normal law.
    det = _simple(expand((1 - a * P) * (1 - b * Q) - a * b * S**2))
    gap = P * Q - S**2
    P2, Q2, S2 = (_simple(value / det) for value in (P - b * gap, Q - a * gap, S))
    shift_u, shift_v = f.B + a * m, g.B + b * k
    m2, k2 = _simple(m + P2 * shift_u + S2 * shift_v), _simple(k + S2 * shift_u + Q2 * shift_v)
    own = (a * m**2 + b * k**2) / 2 + f.B * m + g.B * k
    exponent = _simple(expand(own) + (P2 * shift_u**2 + 2 * S2 * shift_u * shift_v + Q2 * shift_v**2) / 2)
    bare = [replace(term, A=Integer(0), B=Integer(0)) for term in (f, g)]
    return exp(exponent) / sqrt(det) * _two(*bare, (m2, k2, P2, Q2, S2))


def _two_at_density(f: _Term, g: _Term, half: _Half, law: _Law) -> Expr:
    """E f(u)g(v) times the derivative of a half of u in its argument."""
    m, k, P, Q, S = law
    if not half.steep:
        dense = replace(f, A=f.A - half.alpha**2 / 2, B=f.B - half.alpha * half.beta)
        return exp(-(half.beta**2) / 2) / sqrt(2 * pi) * _two(dense, g, law)
    t = -half.beta / half.alpha
    value = t**f.n * Mul(*(_value(other, t) for other in f.halves))
    rest = _one(g, _simple(k + S / P * (t - m)), _simple(Q - S**2 / P))
    return value * phi((t - m) / sqrt(P)) / sqrt(P) * rest


# Writing.


def _simple(f: Expr) -> Expr:
    """A rational function in lowest terms, in factors."""
    return factored(together(f))


def tidy(f: Expr) -> Expr:
    """Σ rational coefficient × roots and functions, each product of these once."""
    total: dict[Expr, Expr] = {}
    for part in _parts(_normal(f)):
        c, function = _separated(part)
        total[function] = total.get(function, Integer(0)) + c
    whole = Add(*(_with_roots(_simple(c), function) for function, c in total.items() if _simple(c)))
    return whole.replace(lambda e: e.is_Mul, _signed)


def _signed(product: Expr) -> Expr:
    """A product, its sums with the sign that they have where ρ is 0 and all else 1: 1 − ρ for ρ − 1."""
    sign, factors = 1, []
    for factor in product.args:
        base, power = factor.as_base_exp()
        if base.is_Add and power.is_Integer and base.subs({s: int(s.name != "rho") for s in base.free_symbols}) < 0:
            sign, factor = sign * (-1) ** (int(power) % 2), (-base) ** power
        factors.append(factor)
    return Mul(sign, *factors)


def _normal(f: Expr) -> Expr:
    """The same, the arguments of functions and roots in lowest terms, Φ of no positive number."""

    def distribution(u: Expr) -> Expr:
        inside = _simple(u)
        rising = inside.is_positive or (not inside.is_negative and not inside.could_extract_minus_sign())
        return 1 - Phi(-inside) if rising else Phi(inside)

    real = expand(f, complex=True) if f.has(I) else f
    told = real.replace(Phi, distribution)
    told = told.replace(Phi2, lambda h, k, r: Phi2(*sorted(map(_simple, (h, k)), key=str), _simple(r)))
    return told.replace(_is_root, lambda e: expand_power_base(_simple(e.base) ** e.exp)).replace(
        _is_root, lambda e: expand(e.base) ** e.exp
    )


def _is_root(e: Expr) -> bool:
    return bool(e.is_Pow and e.exp.is_Rational and not e.exp.is_Integer and not e.base.is_Atom)


def _parts(f: Expr) -> list[Expr]:
    """The terms of a sum multiplied out, nothing done below the line."""
    if f.is_Add:
        return [part for term in f.args for part in _parts(term)]
    if f.is_Mul:
        return [Mul(*row) for row in product(*map(_parts, f.args))]
    if f.is_Pow and f.base.is_Add and f.exp.is_Integer and f.exp > 0:
        return [Mul(*row) for row in product(*[_parts(f.base)] * int(f.exp))]
    return [f]


def _with_roots(c: Expr, function: Expr) -> Expr:
    """A coefficient times functions, each root above or below the line, wherever that is shorter."""
    for root in [factor for factor in Mul.make_args(function) if factor.is_Pow and factor.exp == Rational(1, 2)]:
        below = _simple(c * root.base)
        if below.count_ops() < c.count_ops():
            c, function = below, function.xreplace({root: Pow(root.base, Rational(-1, 2))})
    return c * function


def _separated(part: Expr) -> tuple[Expr, Expr]:
    """The rational part of a product, and its roots and functions; the densities and exponentials in it are one."""
    coefficient, exponent, densities, functions = [], Integer(0), [], []
    for factor in Mul.make_args(part):
        base, power = factor.as_base_exp()
        if factor.func is exp:
            exponent += factor.args[0]
        elif base.func is phi and power.is_Integer and power > 0:
            densities += [base] * int(power)
        elif power.is_Rational and not power.is_Integer and not base.is_number:
            whole = power.p // power.q
            coefficient.append(base**whole)
            functions.append(base ** (power - whole))
        elif factor.has(Function):
            functions.append(factor)
        else:
            coefficient.append(factor)
    if len(densities) > 1 or (densities and exponent != 0):
        exponent -= sum(density.args[0] ** 2 for density in densities) / 2
        coefficient.append(Pow(2 * pi, Rational(-len(densities), 2)))
        densities = []
    return Mul(*coefficient), Mul(exp(_simple(exponent)), *densities, *functions)
