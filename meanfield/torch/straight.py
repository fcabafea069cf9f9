"""Any piecewise-linear function as torch computes it.

Three ways lead there. A few slopes in a row are a sum of ramps, each a clipped x; more pieces, and jumps, are looked up
in tables; and for a compiler, which makes one pass of it, both are a chain of comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.torch.chunks import Evaluated
from meanfield.torch.intervals import Intervals
from meanfield.torch.tables import Tables, looked_up

__all__ = ["Straight"]

#: More ramps take longer than a table, and more comparisons than one look-up of a compiled table.
_MOST_RAMPS, _MOST_COMPARED = 3, 16


@dataclass(frozen=True)
class _Line:
    """A piece: value + slope (x − start), written from the end where |φ| is less, so that a zero there is exact."""

    start: float
    value: float
    slope: float


def _lines(phi: PiecewiseLinear) -> list[_Line]:
    if not phi.knots:
        return [_Line(0.0, phi.intercepts[0], phi.slopes[0])]
    left = [None, *zip(phi.knots, phi.right_values.tolist(), strict=True)]
    right = [*zip(phi.knots, phi.left_values.tolist(), strict=True), None]
    lines = []
    for slope, *ends in zip(phi.slopes, left, right, strict=True):
        start, value = min((end for end in ends if end), key=lambda end: abs(end[1]))
        lines.append(_Line(start, value, slope))
    return lines


def _closed(phi: PiecewiseLinear) -> list[bool]:
    """Whether a knot belongs to the piece on its left: to the flatter one, and at a jump to that on its right."""
    return [
        not jump and abs(left) <= abs(right)
        for jump, (left, right) in zip(phi.jumps.tolist(), pairwise(phi.slopes), strict=True)
    ]


class Straight(nn.Module):
    """A piecewise-linear function of single or double precision."""

    def __init__(self, phi: PiecewiseLinear) -> None:
        super().__init__()
        self.chain = _Chain(phi) if len(phi.knots) <= _MOST_COMPARED else None
        self.rule = _Ramps(phi) if _Ramps.suit(phi) else _Table(phi)

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return self.chain(x) if self.chain else self.rule(x)
        return Evaluated.apply(x, self.rule)[0]


class _Chain:
    """Comparison after comparison, from left to right."""

    def __init__(self, phi: PiecewiseLinear) -> None:
        self.lines = _lines(phi)
        self.knots = list(zip(phi.knots, _closed(phi), strict=True))

    def __call__(self, x: Tensor) -> Tensor:
        x = _within(x)
        found = _on(self.lines[0], x)
        for (knot, closed), line in zip(self.knots, self.lines[1:], strict=True):
            found = torch.where(x > knot if closed else x >= knot, _on(line, x), found)
        return found


def _within(x: Tensor) -> Tensor:
    """x with the largest number in place of ∞, which a slope of 0 would turn into none."""
    largest = torch.finfo(x.dtype).max
    return x.clamp(-largest, largest)


def _on(line: _Line, x: Tensor) -> Tensor:
    return (x - line.start) * line.slope + line.value


class _Ramps:
    """A base value, and ramps that start where φ leaves it: slope times how far x is between two knots."""

    marks, chunk = None, 2**18

    def __init__(self, phi: PiecewiseLinear) -> None:
        lines = list(zip(phi.slopes, phi.intercepts, strict=True))
        base = lines.index((0.0, 0.0)) if (0.0, 0.0) in lines else int(np.searchsorted(phi.knots, 0.0, side="right"))
        ends = list(pairwise((-math.inf, *phi.knots, math.inf)))
        self.height = phi.intercepts[base]
        #: Both ends of each ramp, the one it starts from, and its slope.
        self.ramps = [
            (low, high, 0.0 if j == base else low if j > base else high, slope)
            for j, ((low, high), slope) in enumerate(zip(ends, phi.slopes, strict=True))
            if slope
        ]
        closed = [False, *_closed(phi), True]
        #: By precision, between which two numbers, both left out, each slope holds.
        self.between = {
            dtype: [
                (
                    float(number(low) if left else np.nextafter(number(low), number(-math.inf))),
                    float(np.nextafter(number(high), number(math.inf)) if right else number(high)),
                    slope,
                )
                for (low, high), (left, right), slope in zip(ends, pairwise(closed), phi.slopes, strict=True)
                if slope
            ]
            for dtype, number in ((torch.float32, np.float32), (torch.float64, np.float64))
        }

    @staticmethod
    def suit(phi: PiecewiseLinear) -> bool:
        """Whether φ is best summed: what is added after a jump, or a second time from 0, would leave rounding."""
        flat_zero = sum(a == 0 == c for a, c in zip(phi.slopes, phi.intercepts, strict=True))
        return phi.is_continuous and flat_zero <= 1 and len(phi.slopes) - phi.slopes.count(0.0) <= _MOST_RAMPS

    def fill(self, x: Tensor, values: Tensor, marks: Tensor) -> None:
        first = True
        for low, high, start, slope in self.ramps:
            part = torch.clamp(x, low, high, out=values if first else None)
            if start:
                part -= start
            if slope != 1:
                part *= slope
            if not first:
                values += part
            first = False
        if first:
            values.fill_(self.height)
        elif self.height:
            values += self.height

    def scale(self, gradient: Tensor, kept: Tensor, scaled: Tensor) -> None:
        first = True
        for low, high, slope in self.between[kept.dtype]:
            if first:
                part = torch.ops.aten.hardtanh_backward.grad_input(gradient, kept, low, high, grad_input=scaled)
            else:
                part = torch.ops.aten.hardtanh_backward(gradient, kept, low, high)
            if slope != 1:
                part *= slope
            if not first:
                scaled += part
            first = False
        if first:
            scaled.zero_()


class _Table(Tables):
    """The line of each piece, looked up by the number of the piece, which is also what is kept of x."""

    chunk = 2**15

    def __init__(self, phi: PiecewiseLinear) -> None:
        starts, values, slopes = np.array([(line.start, line.value, line.slope) for line in _lines(phi)]).T
        super().__init__(starts=starts, heights=values, slopes=slopes)
        self.intervals = Intervals(np.array(phi.knots), np.array(_closed(phi)))
        self.marks = torch.uint8 if len(phi.knots) < 2**8 else torch.int16
        self.has_slope = phi.has_slope

    def forward(self, x: Tensor) -> Tensor:
        start, slope, height = self._line(x.dtype, self.intervals(x))
        return (_within(x) - start) * slope + height

    def _line(self, dtype: torch.dtype, piece: Tensor) -> Iterator[Tensor]:
        return (looked_up(self.of(name, dtype), piece) for name in ("starts", "slopes", "heights"))

    def fill(self, x: Tensor, values: Tensor, marks: Tensor) -> None:
        piece = self.intervals(x)
        marks.copy_(piece)
        largest = torch.finfo(x.dtype).max
        torch.clamp(x, -largest, largest, out=values)
        if self.has_slope:
            line = self._line(x.dtype, piece)
            values.sub_(next(line)).mul_(next(line)).add_(next(line))
        else:
            values.mul_(0).add_(looked_up(self.of("heights", x.dtype), piece))

    def scale(self, gradient: Tensor, kept: Tensor, scaled: Tensor) -> None:
        if self.has_slope:
            torch.mul(gradient, looked_up(self.of("slopes", gradient.dtype), kept.to(torch.int32)), out=scaled)
        else:
            scaled.zero_()
