"""Trees that are polynomials in x, as exact coefficients: which are lines, and which divide without remainder."""

from __future__ import annotations

from fractions import Fraction

from meanfield.activations.trees import Number, Power, Product, Sum, Tree, X

__all__ = ["Polynomial", "degree", "polynomial", "ratio"]

#: Coefficients of 1, x, x² …, the last of them not 0; none where the polynomial is 0.
Polynomial = tuple[Fraction, ...]

#: Of a higher degree nothing is worked out.
_MOST = 128


def degree(coefficients: Polynomial) -> int:
    """The degree; that of 0 is −1."""
    return len(coefficients) - 1


def polynomial(tree: Tree) -> Polynomial | None:
    """The coefficients of a tree that is a polynomial, None where it is none, or one of too high a degree."""
    match tree:
        case Number(value=value):
            return _trimmed([value])
        case Sum(parts=parts):
            total: Polynomial = ()
            for part in parts:
                term = polynomial(part)
                if term is None:
                    return None
                total = _added(total, term)
            return total
        case Product(parts=parts):
            return _multiplied([polynomial(part) for part in parts])
        case Power(base=base, exponent=n) if n.denominator == 1 and 0 < n <= _MOST:
            return _multiplied([polynomial(base)] * int(n))
    return (Fraction(0), Fraction(1)) if tree == X else None


def _multiplied(factors: list[Polynomial | None]) -> Polynomial | None:
    result: Polynomial = (Fraction(1),)
    for factor in factors:
        if factor is None or degree(result) + degree(factor) > _MOST:
            return None
        product = [Fraction(0)] * (len(result) + len(factor))
        for i, a in enumerate(result):
            for j, b in enumerate(factor):
                product[i + j] += a * b
        result = _trimmed(product)
    return result


def ratio(over: Polynomial, under: Polynomial) -> Polynomial | None:
    """The quotient of two polynomials, the second not 0, where nothing is left over."""
    left, quotient = list(over), [Fraction(0)] * max(len(over) - degree(under), 0)
    for k in range(len(quotient) - 1, -1, -1):
        quotient[k] = left[k + degree(under)] / under[-1]
        for j, b in enumerate(under):
            left[k + j] -= quotient[k] * b
    return None if any(left) else _trimmed(quotient)


def _added(f: Polynomial, g: Polynomial) -> Polynomial:
    long, short = (f, g) if len(f) >= len(g) else (g, f)
    return _trimmed([a + (short[k] if k < len(short) else 0) for k, a in enumerate(long)])


def _trimmed(coefficients: list[Fraction]) -> Polynomial:
    while coefficients and not coefficients[-1]:
        coefficients.pop()
    return tuple(coefficients)
