"""Activations given by points: straight lines from one to the next, and a slope outside on either side.

points: (-1,0) (0,0.2) (1,1); left=0, right=1
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from meanfield.activations.algebra import Pieces, exact
from meanfield.errors import ActivationError

__all__ = ["EXAMPLE", "parse_points", "pieces_through"]

#: How points are written, for messages and help.
EXAMPLE = "points: (-1,0) (0,0.2) (1,1); left=0, right=1"

_NUMBER = r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*"
_POINT = re.compile(rf"\s*,?\s*\({_NUMBER},{_NUMBER}\)")
_SLOPE = re.compile(rf"\s*(left|right)\s*={_NUMBER}")


def parse_points(text: str) -> Pieces:
    """The function that `points: (x,y) …; left=…, right=…` stands for.

    Raises:
        ActivationError: not of that form, no point, a slope missing, or points not ascending in x.
    """
    points, _, slopes = text.strip().removeprefix("points:").partition(";")
    found = _slopes(slopes)
    missing = [side for side in ("left", "right") if side not in found]
    if missing:
        raise ActivationError(
            f"points need the slope outside on the {' and on the '.join(missing)}: end them with "
            f"'; left=…, right=…', as in '{EXAMPLE}'"
        )
    return pieces_through(_points(points), found["left"], found["right"])


def pieces_through(points: Sequence[tuple[float, float]], left: float, right: float) -> Pieces:
    """The function through points (x, y), ascending in x, with slopes `left` before and `right` after them.

    Raises:
        ActivationError: no point, or points not strictly ascending in x.
    """
    if not points:
        raise ActivationError(f"no points given: give one or more, as in '{EXAMPLE}'")
    for (before, _), (after, _) in pairwise(points):
        if before == after:
            raise ActivationError(
                f"two points have x = {before:g}: give each x once (for a jump write where(x < {before:g}, …, …) "
                "or knots, slopes and intercepts in a file)"
            )
        if before > after:
            raise ActivationError(f"points with x = {before:g}, {after:g} are not ascending: give them left to right")
    corners = [(exact(x), exact(y)) for x, y in points]
    inner = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(corners)]
    slopes = (exact(left), *inner, exact(right))
    anchors = (corners[0], *corners)
    intercepts = tuple(y - slope * x for slope, (x, y) in zip(slopes, anchors, strict=True))
    return Pieces(tuple(x for x, _ in corners), slopes, intercepts)


def _points(text: str) -> list[tuple[float, float]]:
    points, at = [], 0
    while text[at:].strip():
        match = _POINT.match(text, at)
        if not match:
            raise _unreadable(text[at:])
        points.append((_finite(match[1]), _finite(match[2])))
        at = match.end()
    return points


def _slopes(text: str) -> dict[str, float]:
    slopes: dict[str, float] = {}
    for part in text.split(",") if text.strip() else []:
        match = _SLOPE.fullmatch(part)
        if not match:
            raise _unreadable(part)
        if match[1] in slopes:
            raise ActivationError(f"{match[1]} is given twice: give it once")
        slopes[match[1]] = _finite(match[2])
    return slopes


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ActivationError(f"{text[:40]} is larger than 1.8e308: give a smaller number")
    return value


def _unreadable(text: str) -> ActivationError:
    return ActivationError(f"cannot read {text.strip()[:40]!a} in points: write them as in '{EXAMPLE}'")
