"""Activations given by points: straight lines from one to the next, and a slope outside on either side.

points: (-1,0) (0,0.2) (1,1); left=0, right=1
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from meanfield.activations.algebra import Pieces, meant
from meanfield.activations.numbers import NotANumber, read_number
from meanfield.activations.piecewise_linear import require_knots
from meanfield.errors import ActivationError, shortened

__all__ = ["EXAMPLE", "LONGEST", "parse_points", "pieces_through"]

#: How points are written, for messages and help.
EXAMPLE = "points: (-1,0) (0,0.2) (1,1); left=0, right=1"

#: Characters that points may have, more than the most knots take.
LONGEST = 200_000

_POINT = re.compile(r"\s*,?\s*\(([^(),;]*(?:\([^()]*\)[^(),;]*)*),([^(),;]*(?:\([^()]*\)[^(),;]*)*)\)")
_SLOPE = re.compile(r"\s*(left|right)\s*=(.*)", re.DOTALL)


def parse_points(text: str) -> Pieces:
    """The function that `points: (x,y) …; left=…, right=…` stands for.

    Raises:
        ActivationError: not of that form, no point, a slope missing, or points not ascending in x.
    """
    if len(text) > LONGEST:
        raise ActivationError(f"the points are {len(text)} characters long: write at most {LONGEST}, or use a file")
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
        ActivationError: no point, too many, or points not strictly ascending in x.
    """
    require_knots(len(points))
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
    corners = [(meant(x), meant(y)) for x, y in points]
    inner = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(corners)]
    slopes = (meant(left), *inner, meant(right))
    anchors = (corners[0], *corners)
    intercepts = tuple(y - slope * x for slope, (x, y) in zip(slopes, anchors, strict=True))
    return Pieces(tuple(x for x, _ in corners), slopes, intercepts)


def _points(text: str) -> list[tuple[float, float]]:
    points, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _POINT.match(text, at)
        if not match:
            raise _unreadable(text[at:])
        points.append((_number(match[1], match[0]), _number(match[2], match[0])))
        at = match.end()
        require_knots(len(points))
    return points


def _slopes(text: str) -> dict[str, float]:
    slopes: dict[str, float] = {}
    for part in text.split(",") if text.strip() else []:
        match = _SLOPE.fullmatch(part)
        if not match:
            raise _unreadable(part)
        if match[1] in slopes:
            raise ActivationError(f"{match[1]} is given twice: give it once")
        slopes[match[1]] = _number(match[2], part)
    return slopes


def _number(text: str, part: str) -> float:
    """The number in a part, which a message shows."""
    try:
        value = read_number(text)
    except NotANumber as fault:
        if "larger" in str(fault) or "smaller" in str(fault):
            raise ActivationError(f"{shortened(text.strip())} {fault}") from None
        raise _unreadable(part) from None
    if not math.isfinite(value):
        raise _unreadable(part)
    return value


def _unreadable(text: str) -> ActivationError:
    return ActivationError(f"cannot read '{shortened(text.strip())}' in points: write them as in '{EXAMPLE}'")
