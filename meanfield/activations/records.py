"""Activations from the records that they make of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from meanfield.activations.activation import Activation
from meanfield.activations.chebyshev_pieces import Chebyshev
from meanfield.activations.expression import parse_pieces
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.activations.trees import Tree
from meanfield.errors import ActivationError

__all__ = ["from_record"]


def from_record(record: Mapping[str, Any]) -> Activation:
    """The activation whose `as_record()` this is: the same function, exactly.

    Args:
        record: `knots`, `slopes` and `intercepts` of straight pieces, or `breaks` and `pieces`: expressions in x, or
            panels of Chebyshev polynomials.

    Raises:
        ActivationError: it is no such record.
    """
    if "knots" in record:
        return PiecewiseLinear(record["knots"], record["slopes"], record["intercepts"])
    try:
        breaks, pieces = [float(t) for t in record["breaks"]], [*record["pieces"]]
        sampled = {j: Chebyshev.from_record(piece) for j, piece in enumerate(pieces) if isinstance(piece, Mapping)}
    except (LookupError, TypeError, ValueError):
        raise ActivationError("no record of an activation: give breaks and pieces, or knots and lines") from None
    if len(pieces) != len(breaks) + 1:
        raise ActivationError(f"{len(breaks)} breaks separate {len(breaks) + 1} pieces, not {len(pieces)}")
    if not sampled:
        return parse_pieces(breaks, list(map(str, pieces))).rounded()
    return Smooth(tuple(breaks), tuple(sampled[j] if j in sampled else _tree(str(p)) for j, p in enumerate(pieces)))


def _tree(text: str) -> Tree:
    curve = parse_pieces([], [text])
    (tree,) = curve.trees
    return cast(Tree, tree)
