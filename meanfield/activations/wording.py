"""An activation in words and as a formula, for tables and messages."""

from __future__ import annotations

from fractions import Fraction

from meanfield.activations.activation import Activation
from meanfield.activations.entry import written
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.lettering import counted

__all__ = ["description_of", "formula_of", "told"]

#: Ramps that a formula adds up.
_FEW_RAMPS = 4
#: A formula of more characters than a line is put in words where it has more pieces than this, one of more than two
#: lines always.
_LINE, _FEW_PIECES = 76, 6


def description_of(phi: Activation) -> str:
    """φ in one line of words: 256 levels from -1 to 1, 255 knots in [-0.996, 0.996]."""
    if isinstance(phi, PiecewiseLinear):
        told, ends = _straight(phi), "knots"
    else:
        pieces, jumps = len(phi.breaks) + 1, len(phi.discontinuities)
        left, right = phi.outer_slopes
        told = counted(pieces, "analytic piece") + (
            ", bounded"
            if phi.is_bounded
            else f" with slope {left:.4g} far on the left and {right:.4g} far on the right"
        )
        told, ends = told + _jumps(jumps), "breaks"
    return f"{told}, {len(phi.breaks)} {ends} in [{phi.breaks[0]:.4g}, {phi.breaks[-1]:.4g}]" if phi.breaks else told


def _straight(phi: PiecewiseLinear) -> str:
    pieces = len(phi.slopes)
    if not phi.has_slope:
        levels = sorted(set(phi.intercepts))
        return f"{len(levels)} levels from {levels[0]:.4g} to {levels[-1]:.4g}"
    if phi.is_bounded:
        values = (*phi.left_values, *phi.right_values)
        told = f"{pieces} straight pieces with values from {min(values):.4g} to {max(values):.4g}"
    else:
        told = (
            f"{pieces} straight pieces with slope {phi.slopes[0]:.4g} on the left and {phi.slopes[-1]:.4g} on the right"
        )
    return told + _jumps(len(phi.discontinuities))


def _jumps(jumps: int) -> str:
    return f", {counted(jumps, 'jump')}" if jumps else ""


def formula_of(phi: Activation) -> str:
    """φ as an expression in x: by its ramps, max(x, 0), or piece by piece, where(x < 0, -1, x)."""
    if isinstance(phi, Smooth):
        return phi.expression
    assert isinstance(phi, PiecewiseLinear)
    return _of_ramps(phi) or _of_lines(phi)


def _of_ramps(phi: PiecewiseLinear) -> str:
    """The sum of ramps to either side of the piece on which φ is 0; "" where φ is not exactly that, or of many."""
    rests = [n for n, line in enumerate(zip(phi.slopes, phi.intercepts, strict=True)) if line == (0, 0)]
    if not rests or not 0 < len(phi.knots) <= _FEW_RAMPS or not phi.is_continuous:
        return ""
    rest = rests[0]
    # To the right of a knot max(x - knot, 0), to the left max(-x + knot, 0); on either side lines add up outwards.
    sides = [*range(rest, len(phi.knots)), *range(rest - 1, -1, -1)]
    told = ""
    for n in sides:
        knot, rise = Fraction(phi.knots[n]), Fraction(phi.slopes[n + 1]) - Fraction(phi.slopes[n])
        fall = Fraction(phi.intercepts[n + 1]) - Fraction(phi.intercepts[n])
        if fall != -rise * knot or rise != float(rise):
            return ""
        ramp = _line(1.0 if n >= rest else -1.0, -phi.knots[n] if n >= rest else phi.knots[n])
        sign = "-" if rise < 0 else "+"
        factor = "" if abs(rise) == 1 else f"{written(abs(float(rise)))}*"
        told += f" {sign} {factor}max({ramp}, 0)" if told else f"{'-' * (rise < 0)}{factor}max({ramp}, 0)"
    return told


def _of_lines(phi: PiecewiseLinear) -> str:
    def between(first: int, last: int) -> str:
        if first == last:
            return _line(phi.slopes[first], phi.intercepts[first])
        # Halves, and halves of halves: the parentheses of a thousand pieces are ten deep.
        middle = (first + last) // 2
        return f"where(x < {written(phi.knots[middle])}, {between(first, middle)}, {between(middle + 1, last)})"

    return between(0, len(phi.knots))


def _line(slope: float, intercept: float) -> str:
    if not slope:
        return written(intercept)
    product = {1.0: "x", -1.0: "-x"}.get(slope, f"{written(slope)}*x")
    if not intercept:
        return product
    return f"{product} {'-' if intercept < 0 else '+'} {written(abs(intercept))}"


def told(phi: Activation, formula: str | None = None) -> str:
    """A formula of φ, by default that of its pieces, or φ in words where it is long."""
    few = len(phi.breaks) < _FEW_PIECES
    if formula is None:
        formula = formula_of(phi) if few else description_of(phi)
    lines = 2 if few else 1
    return formula if len(formula) <= lines * _LINE else description_of(phi)
