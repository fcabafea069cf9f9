"""Activations from the records that they make of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meanfield.activations.activation import Activation
from meanfield.activations.expression import parse_pieces
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import ActivationError

__all__ = ["from_record"]


def from_record(record: Mapping[str, Any]) -> Activation:
    """The activation whose `as_record()` this is: the same function, exactly.

    Args:
        record: `knots`, `slopes` and `intercepts` of straight pieces, or `breaks` and `pieces`, expressions in x.

    Raises:
        ActivationError: it is no such record.
    """
    if "knots" in record:
        return PiecewiseLinear(record["knots"], record["slopes"], record["intercepts"])
    try:
        breaks, pieces = [float(t) for t in record["breaks"]], [str(text) for text in record["pieces"]]
    except (KeyError, TypeError, ValueError):
        raise ActivationError("no record of an activation: give breaks and pieces, or knots and lines") from None
    if len(pieces) != len(breaks) + 1:
        raise ActivationError(f"{len(breaks)} breaks separate {len(breaks) + 1} pieces, not {len(pieces)}")
    return parse_pieces(breaks, pieces).rounded()
