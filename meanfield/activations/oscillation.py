"""A φ that is made of powers of x and of what turns with x: seen from afar, its phase is uniform and independent of x.

E xᵏ e^(iωx) falls as e^(−ω²q/2). So where ω√q is large, sin(ωx + b) counts as sin(θ + b) with a phase θ of its own, and
moments are averages over x and θ. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.primitives import Derivatives, Jet
from meanfield.activations.trees import Call, Number, Power, Product, Quotient, Sum, Tree, X

__all__ = ["Oscillation", "oscillation"]

Array = NDArray[np.float64]

#: The largest multiple of the least frequency.
_HIGHEST = 32


@dataclass(frozen=True)
class _Turning(Tree):
    """nω x + b with the phase nθ + b in place of its value."""

    multiple: int
    frequency: float
    shift: float
    phase: Array

    def derivatives(self, x: Array) -> Derivatives:
        turned = self.multiple * self.phase + self.shift
        return iter((turned, np.array(self.multiple * self.frequency), np.zeros(())))

    def size(self, x: Array) -> Array:
        return np.abs(self.values(x))

    def __str__(self) -> str:
        return "x"


@dataclass(frozen=True)
class Oscillation:
    """φ as a function of x and of the phase θ = ωx: a polynomial in x, of this degree, for every phase.

    `harmonics` is the largest multiple of ω that stands in it.
    """

    tree: Tree
    frequency: Fraction
    harmonics: int
    degree: int

    def jet(self, x: Array, phase: Array) -> Jet:
        """φ, φ' and φ'' at points x and phases θ of one shape."""
        with np.errstate(all="ignore"):
            return self._turned(self.tree, phase).jet(x)

    def _turned(self, tree: Tree, phase: Array) -> Tree:
        match tree:
            case Call(name="sin" | "cos", argument=u) if line := _line(u):
                slope, shift = line
                return Call(tree.name, _Turning(int(slope / self.frequency), float(self.frequency), shift, phase))
            case Call(name=name, argument=u):
                return Call(name, self._turned(u, phase))
            case Sum(parts=parts) | Product(parts=parts):
                return type(tree)(tuple(self._turned(part, phase) for part in parts))
            case Quotient(over=over, under=under):
                return Quotient(self._turned(over, phase), self._turned(under, phase))
            case Power(base=base, exponent=n):
                return Power(self._turned(base, phase), n)
        return tree


def oscillation(tree: Tree) -> Oscillation | None:
    """The function so understood, None where it is not made of powers of x and of what turns with x."""
    found = _frequencies(tree)
    if not found:
        return None
    least = _common(found)
    harmonics = max(found) / least
    return Oscillation(tree, least, int(harmonics), _degree(tree)) if harmonics <= _HIGHEST else None


def _common(frequencies: set[Fraction]) -> Fraction:
    """The largest of which all are multiples."""
    denominator = math.lcm(*(f.denominator for f in frequencies))
    return Fraction(math.gcd(*(int(f * denominator) for f in frequencies)), denominator)


def _frequencies(tree: Tree) -> set[Fraction] | None:
    """The frequencies of all sines and cosines, None where x stands elsewhere than in its powers."""
    match tree:
        case Call(name="sin" | "cos", argument=u) if line := _line(u):
            return {abs(line[0])}
        case Number():
            return set()
        case Sum(parts=parts) | Product(parts=parts):
            return _all(parts)
        case Power(base=base, exponent=n) if n > 0 and n.denominator == 1:
            return _frequencies(base)
        case Call(argument=u) | Power(base=u):
            return None if _holds_x(u) else _frequencies(u)
        case Quotient(over=over, under=under):
            return None if _holds_x(under) else _all((over, under))
    return set() if tree is X else None


def _degree(tree: Tree) -> int:
    """The highest power of x that stands outside what turns."""
    match tree:
        case Sum(parts=parts):
            return max(map(_degree, parts))
        case Product(parts=parts):
            return sum(map(_degree, parts))
        case Power(base=base, exponent=n):
            return _degree(base) * int(n)
        case Quotient(over=over):
            return _degree(over)
    return int(tree is X)


def _all(parts: tuple[Tree, ...]) -> set[Fraction] | None:
    found: set[Fraction] = set()
    for part in parts:
        frequencies = _frequencies(part)
        if frequencies is None:
            return None
        found |= frequencies
    return found


def _holds_x(tree: Tree) -> bool:
    """Whether x stands in it outside sines and cosines of lines."""
    match tree:
        case Call(name="sin" | "cos", argument=u) if _line(u):
            return False
        case Call(argument=u) | Power(base=u):
            return _holds_x(u)
        case Sum(parts=parts) | Product(parts=parts):
            return any(map(_holds_x, parts))
        case Quotient(over=over, under=under):
            return _holds_x(over) or _holds_x(under)
    return tree is X


def _line(tree: Tree) -> tuple[Fraction, float] | None:
    """Slope and intercept of a line that is not constant, None for anything else."""
    match tree:
        case Product(parts=(Number(value=slope), last)) if last is X:
            return slope, 0.0
        case Sum(parts=(first, Number(value=shift))):
            line = _line(first)
            return (line[0], float(shift)) if line and not line[1] else None
    return (Fraction(1), 0.0) if tree is X else None
