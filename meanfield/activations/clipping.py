"""Activations that stop growing at a level, as remedies clip them."""

from __future__ import annotations

import math
from fractions import Fraction

from meanfield.activations import algebra, curves
from meanfield.activations.activation import Activation
from meanfield.activations.algebra import Pieces
from meanfield.activations.analytic import number
from meanfield.activations.curves import Curve, NotAnalytic, lowered
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.errors import ActivationError

__all__ = ["clipped"]


def clipped(phi: Activation, low: float, high: float) -> Activation:
    """min(max(φ, low), high); an infinite bound clips nothing.

    Raises:
        ActivationError: low > high, a bound that is not a number, or a result that is zero everywhere.
    """
    if not low <= high:
        raise ActivationError(f"cannot clip between low={low:g} and high={high:g}: low must not exceed high")
    bounds = [(algebra.maximum, curves.maximum, low)] if math.isfinite(low) or low > 0 else []
    bounds += [(algebra.minimum, curves.minimum, high)] if math.isfinite(high) or high < 0 else []
    if isinstance(phi, PiecewiseLinear):
        pieces = Pieces.of(phi)
        for exactly, _, bound in bounds:
            pieces = exactly(pieces, algebra.constant(_bound(bound)))
        return pieces.rounded()
    assert isinstance(phi, Smooth)
    curve = Curve.of(phi)
    try:
        for _, analytically, bound in bounds:
            curve = analytically(curve, Curve((), (number(_bound(bound)),)))
    except NotAnalytic as fault:
        raise ActivationError(f"φ cannot be clipped: {fault}") from None
    return lowered(curve).rounded()


def _bound(value: float) -> Fraction:
    if not math.isfinite(value):
        raise ActivationError(f"cannot clip at {value:g}: nothing finite would be left")
    return Fraction(value)
