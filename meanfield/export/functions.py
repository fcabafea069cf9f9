"""φ and φ' as bodies of functions of x, whichever way φ is represented."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from meanfield.activations.activation import Activation
from meanfield.activations.chebyshev_pieces import Chebyshev
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.activations.trees import Call, Number, Power, Product, Quotient, Sum, Tree, X
from meanfield.errors import ActivationError
from meanfield.export.derivatives import derivative
from meanfield.export.languages import Language

__all__ = ["Functions"]

#: With more knots a line is looked up, rather than chosen in as many passes.
_FEW_KNOTS = 8
_MINUS = Number(Fraction(-1))


class Functions:
    """Bodies of functions, line by line, and what they need.

    Attributes: `above`, constants and the functions that the framework lacks, by name, each a text of whole lines.

    Raises:
        ActivationError: no more is known of φ than its values.
    """

    def __init__(self, phi: Activation, language: Language) -> None:
        self.phi, self.language = phi, language
        self.above: dict[str, str] = {}
        self.breaks, self.pieces = _pieces(phi)
        if any(map(_is_sampled, self.pieces)):
            raise ActivationError(
                f"no more is known of {phi!r} than its values, so that there is no code of it: give it as an "
                "expression, or take --to json (as_record() in Python), which holds its values"
            )

    def value(self) -> list[str]:
        """φ(x), exactly 0 where φ is 0."""
        if native := self._native():
            return [*self._begin, f"return {native}"]
        if not self._is_looked_up:
            return [*self._begin, *self._chosen(self.pieces)]
        where = f"{self.language.space}.where"
        # 0·∞ would be NaN on a flat piece.
        line = f"return slope * {where}(slope == 0.0, 0.0, x) + intercept"
        return [*self._begin, *self._looked_up(), line]

    def slope(self) -> list[str]:
        """φ'(x); at a break that on its right."""
        if not self._is_looked_up:
            return [*self._begin, *self._chosen([derivative(piece) for piece in self.pieces])]
        return [*self._begin, *self._looked_up(), "return slope"]

    @property
    def _begin(self) -> list[str]:
        return [self.language.begin] if self.language.begin else []

    @property
    def _is_looked_up(self) -> bool:
        return isinstance(self.phi, PiecewiseLinear) and len(self.breaks) > _FEW_KNOTS

    def _looked_up(self) -> list[str]:
        """The lines that find the slope and the intercept of every x."""
        tables = []
        for name, numbers in self.phi.as_record().items():
            inside = textwrap.wrap(f"{', '.join(map(repr, numbers))},", 116, break_on_hyphens=False)
            tables.append("\n".join([f"{name.upper()} = (", *(f"    {line}" for line in inside), ")\n"]))
        self.above["tables"] = "\n".join(tables)
        return self.language.table.splitlines()

    def _native(self) -> str | None:
        """The framework's own name of φ, if it has one."""
        native, phi = self.language.native, self.phi
        if isinstance(phi, Smooth):
            return native.get(phi.expression)
        if not isinstance(phi, PiecewiseLinear) or not phi.is_continuous:
            return None
        knots, slopes, intercepts = phi.knots, phi.slopes, phi.intercepts
        name, line, numbers = "", self.pieces[-1], list[float]()
        match slopes:
            case (-1, 1) if phi.is_homogeneous:
                name = "abs"
            case (0, slope) if slope > 0 and not intercepts[0]:
                name = "relu"
            case (slope, 0) if slope < 0 and not intercepts[1]:
                name, line = "relu", self.pieces[0]
            case (slope, 1) if phi.is_homogeneous:
                name, numbers = "leaky_relu", [slope]
            case (0, _, 0):
                name, line, numbers = "clip", self.pieces[1], sorted([intercepts[0], intercepts[2]])
            case (1, 0, 1) if (knots[0], intercepts[1]) == (-knots[1], 0):
                name, numbers = "soft_shrink", [knots[1]]
        if name not in native:
            return None
        return native[name].format(u=self._expression(line), **dict(zip("ab", map(repr, numbers), strict=False)))

    def _chosen(self, pieces: Sequence[Tree]) -> list[str]:
        """The piece of every x, the last one first."""
        space, lines = self.language.space, list[str]()
        ends = pairwise((None, *self.breaks, None))
        following = None
        for (low, high), piece in reversed(list(zip(ends, pieces, strict=True))):
            if piece == following and _is_polynomial(piece):
                continue
            following, variable = piece, "x"
            if (low, high) != (None, None) and not _is_polynomial(piece):
                variable = "u"
                lines.append(f"u = {space}.where({_within(low, high)}, x, {_inside(low, high)!r})")
            text = self._expression(piece, variable)
            if high is not None and isinstance(piece, Number):
                text = self.language.constant.format(c=text)
            if high is not None:
                text = f"{space}.where(x < {high!r}, {text}, y)"
            elif isinstance(piece, Number):
                text = f"{space}.full_like(x, {text})"
            lines.append(f"y = {text}")
        if len(lines) == 1:
            return [lines[0].replace("y = ", "return ", 1)]
        return [*lines, "return y"]

    def _expression(self, tree: Tree, x: str = "x") -> str:
        """A tree, node by node, in the variable named."""

        def within(part: Tree, *bare: type[Tree]) -> str:
            text = self._expression(part, x)
            return text if part == X or isinstance(part, bare) else f"({text})"

        match tree:
            case Number(value=value):
                return repr(float(value))
            case Sum(parts=parts):
                return " + ".join(self._expression(part, x) for part in parts).replace("+ -", "- ")
            case Product(parts=parts):
                sign, factors = ("-", parts[1:]) if parts[0] == _MINUS else ("", parts)
                return sign + " * ".join(within(part, Call, Power, Number) for part in factors)
            case Quotient(over=over, under=under):
                return f"{within(over, Call, Power, Number, Product)} / {within(under, Call)}"
            case Power(base=base, exponent=n):
                return f"{within(base, Call)}**{int(n) if n.denominator == 1 and n > 0 else float(n)!r}"
            case Call(name=name, argument=argument):
                text, written_out = self.language.call(name, self._expression(argument, x))
                if written_out:
                    self.above[name] = written_out
                return text
        return x


def _pieces(phi: Activation) -> tuple[tuple[float, ...], tuple[Tree, ...]]:
    """Breaks, and the analytic function between each two."""
    if isinstance(phi, Smooth):
        return phi.breaks, phi.pieces
    assert isinstance(phi, PiecewiseLinear)
    # Where each piece is 0 at one of its ends, if it is.
    left = [None, *(t if value == 0 else None for t, value in zip(phi.knots, phi.right_values, strict=True))]
    right = [*(t if value == 0 else None for t, value in zip(phi.knots, phi.left_values, strict=True)), None]
    roots = [a if a is not None else b for a, b in zip(left, right, strict=True)]
    return phi.knots, tuple(map(_line, phi.slopes, phi.intercepts, roots))


def _line(slope: float, intercept: float, root: float | None) -> Tree:
    """A line; from its root if that is known, so that it keeps its digits there."""
    if not slope:
        return Number(Fraction(intercept))
    if root:
        past: Tree = Sum((X, Number(Fraction(-root))))
        return past if slope == 1 else Product((Number(Fraction(slope)), past))
    line = X if slope == 1 else Product((Number(Fraction(slope)), X))
    return line if root == 0 or not intercept else Sum((line, Number(Fraction(intercept))))


def _is_sampled(tree: Tree) -> bool:
    match tree:
        case Sum(parts=parts) | Product(parts=parts):
            return any(map(_is_sampled, parts))
        case Quotient(over=over, under=under):
            return _is_sampled(over) or _is_sampled(under)
        case Power(base=inner) | Call(argument=inner):
            return _is_sampled(inner)
    return isinstance(tree, Chebyshev)


def _is_polynomial(tree: Tree) -> bool:
    """Whether it is a number wherever x is: then it may be asked where it does not count."""
    match tree:
        case Sum(parts=parts) | Product(parts=parts):
            return all(map(_is_polynomial, parts))
        case Power(base=base, exponent=n):
            return n.denominator == 1 and n > 0 and _is_polynomial(base)
    return isinstance(tree, Number) or tree == X


def _within(low: float | None, high: float | None) -> str:
    if low is None:
        return f"x < {high!r}"
    return f"x >= {low!r}" if high is None else f"({low!r} <= x) & (x < {high!r})"


def _inside(low: float | None, high: float | None) -> float:
    """A point of a piece, where what stands there is a number."""
    if low is None or high is None:
        return (high or 0.0) - 1.0 if low is None else low + 1.0
    return (low + high) / 2
