"""Any piecewise-linear function as torch computes it.

A few slopes in a row are a sum of ramps, each a clipped x; with more pieces, or jumps, the line of each is looked up.
For a compiler, which makes one pass of it, either is a chain of comparisons.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.torch.chunks import Evaluated, Rule, Spare
from meanfield.torch.intervals import Intervals
from meanfield.torch.tables import Tables, looked_up

__all__ = ["Ramps", "Straight"]

#: Torch before 2.3 has it elsewhere.
_is_compiling = getattr(torch.compiler, "is_compiling", None) or torch._utils.is_compiling
#: More ramps take longer than tables do, and more comparisons than one look-up of a compiled table.
_MOST_RAMPS, _MOST_COMPARED = 4, 16


class Straight(nn.Module):
    """A piecewise-linear function of single or double precision."""

    def __init__(self, phi: PiecewiseLinear) -> None:
        super().__init__()
        self.rule: Rule = _ClippedShrink.of(phi) or Ramps.of(phi) or _Table(phi)
        #: What a compiler is given; so many knots are in a table anyway.
        self.compiled: Any = _Chain(phi) if len(phi.knots) <= _MOST_COMPARED else self.rule

    def forward(self, x: Tensor) -> Tensor:
        if _is_compiling() or torch.jit.is_tracing():
            return self.compiled(x)
        return Evaluated.apply(x, self.rule)[0]


def _closed(phi: PiecewiseLinear) -> list[bool]:
    """Whether a knot belongs to the piece on its left: to the flatter one, and at a jump to that on its right."""
    return [
        not jump and abs(left) <= abs(right)
        for jump, (left, right) in zip(phi.jumps.tolist(), pairwise(phi.slopes), strict=True)
    ]


class _Within:
    """x with the largest number in place of an ∞ that the outer piece there, which is flat, would turn into none."""

    def __init__(self, phi: PiecewiseLinear) -> None:
        self.flat = phi.slopes[0] == 0, phi.slopes[-1] == 0

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        if not any(self.flat):
            return x
        largest = torch.finfo(x.dtype).max
        low, high = (end if flat else None for end, flat in zip((-largest, largest), self.flat, strict=True))
        return torch.clamp(x, low, high, out=out)


class _Chain:
    """Comparison after comparison, from left to right."""

    def __init__(self, phi: PiecewiseLinear) -> None:
        left = [None, *zip(phi.knots, phi.right_values.tolist(), strict=True)]
        right = [*zip(phi.knots, phi.left_values.tolist(), strict=True), None]
        #: Of each piece an end, that where |φ| is less so that a zero there is exact, φ at that end, and the slope.
        self.lines = [
            (*min((end for end in ends if end), key=lambda end: abs(end[1]), default=(0.0, phi.intercepts[0])), slope)
            for slope, *ends in zip(phi.slopes, left, right, strict=True)
        ]
        self.knots = list(zip(phi.knots, _closed(phi), strict=True))
        self.within = _Within(phi)

    def __call__(self, x: Tensor) -> Tensor:
        x = self.within(x)
        first, *others = ((x - start) * slope + value for start, value, slope in self.lines)
        for (knot, closed), line in zip(self.knots, others, strict=True):
            first = torch.where(x > knot if closed else x >= knot, line, first)
        return first


@dataclass(frozen=True)
class _ClippedShrink:
    """Soft threshold by τ that stops at a height: softshrink, and then hardtanh."""

    tau: float
    end: float
    height: float
    chunk = chunk_back = 2**16
    keeps_slopes = False

    @classmethod
    def of(cls, phi: PiecewiseLinear) -> Self | None:
        """φ as one, if it is."""
        if phi.slopes != (0, 1, 0, 1, 0) or phi.intercepts[2] or not phi.is_odd or not phi.is_continuous:
            return None
        tau, end = phi.knots[2:]
        return cls(tau, end, phi.intercepts[-1])

    def fill(self, x: Tensor, values: Tensor, slopes: Tensor, spare: Spare) -> None:
        # In torch 2.2 its softshrink makes 0 of what is no number.
        torch.clamp(x, -self.tau, self.tau, out=values)
        torch.sub(x, values, out=values).clamp_(-self.height, self.height)

    def scale(self, gradient: Tensor, x: Tensor, scaled: Tensor) -> None:
        torch.ops.aten.hardtanh_backward.grad_input(gradient, x, -self.end, self.end, grad_input=scaled)
        torch.ops.aten.softshrink_backward.grad_input(scaled, x, self.tau, grad_input=scaled)


class Ramps:
    """A height, and ramps that start where φ leaves it: slope times how far x is between two knots."""

    keeps_slopes = False

    def __init__(self, phi: PiecewiseLinear) -> None:
        lines = list(zip(phi.slopes, phi.intercepts, strict=True))
        base = lines.index((0.0, 0.0)) if (0.0, 0.0) in lines else int(np.searchsorted(phi.knots, 0.0, side="right"))
        ends = list(pairwise((-math.inf, *phi.knots, math.inf)))
        self.height = phi.intercepts[base]
        #: Both ends of each ramp, that from which it starts, and its slope.
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
        self.chunk = 2**17 if len(self.ramps) == 1 else 2**16
        # What takes one step backward needs no parts.
        self.chunk_back = sys.maxsize if len(self.ramps) == 1 and self.ramps[0][3] == 1 else self.chunk

    @classmethod
    def of(cls, phi: PiecewiseLinear) -> Self | None:
        """φ as such a sum; None where that takes long, or would leave rounding after a jump or in a second flat 0."""
        flat_zero = sum(a == 0 == c for a, c in zip(phi.slopes, phi.intercepts, strict=True))
        ramps = len(phi.slopes) - phi.slopes.count(0.0)
        return cls(phi) if phi.is_continuous and flat_zero <= 1 and ramps <= _MOST_RAMPS else None

    def fill(self, x: Tensor, values: Tensor, slopes: Tensor, spare: Spare) -> None:
        def ramp(n: int, into: Tensor) -> float:
            low, high, start, slope = self.ramps[n]
            torch.clamp(x, low, high, out=into)
            if start:
                into.sub_(start)
            return slope

        _add_up(ramp, len(self.ramps), values)
        if not self.ramps:
            values.fill_(self.height)
        elif self.height:
            values.add_(self.height)

    def scale(self, gradient: Tensor, x: Tensor, scaled: Tensor) -> None:
        between = self.between[x.dtype]
        # Its ends are left out of an interval, ∞ too.
        least = -torch.finfo(x.dtype).max
        x = x.clamp(min=least) if between and between[0][0] == -math.inf else x

        def share(n: int, into: Tensor) -> float:
            low, high, slope = between[n]
            if high == math.inf:
                torch.ops.aten.threshold_backward.grad_input(gradient, x, low, grad_input=into)
            else:
                torch.ops.aten.hardtanh_backward.grad_input(gradient, x, low, high, grad_input=into)
            return slope

        _add_up(share, len(between), scaled)
        if not between:
            scaled.zero_()


def _add_up(put: Callable[[int, Tensor], float], count: int, total: Tensor) -> None:
    """Put each of so many parts into a tensor, times the number that is returned, and all of them into `total`."""
    part = total
    for n in range(count):
        factor = put(n, part)
        if part is not total:
            total.add_(part, alpha=factor)
            continue
        if factor != 1:
            part.mul_(factor)
        if count > 1:
            part = torch.empty_like(total)


class _Table(Tables):
    """The line of each piece, looked up by the place of x among the knots."""

    chunk, chunk_back = 2**16, sys.maxsize

    def __init__(self, phi: PiecewiseLinear) -> None:
        intervals = Intervals(np.array(phi.knots), np.array(_closed(phi)))
        super().__init__(slopes=np.array(phi.slopes)[intervals.at], intercepts=np.array(phi.intercepts)[intervals.at])
        self.intervals = intervals
        self.keeps_slopes = phi.has_slope
        self.within = _Within(phi)

    def forward(self, x: Tensor) -> Tensor:
        place = self.intervals.place(x)
        slope, intercept = (looked_up(self.of(name, x.dtype), place) for name in ("slopes", "intercepts"))
        return slope * self.within(x) + intercept

    def fill(self, x: Tensor, values: Tensor, slopes: Tensor, spare: Spare) -> None:
        place, passed, numbers = spare.tensors(x, torch.int32, torch.int32, x.dtype)
        self.intervals.put(x, place, passed, numbers)
        torch.index_select(self.of("intercepts", x.dtype), 0, place, out=values)
        numbers = self.within(x, out=numbers)
        if self.keeps_slopes:
            torch.index_select(self.of("slopes", x.dtype), 0, place, out=slopes)
            values.addcmul_(slopes, numbers)
        else:
            # What is no number stays none.
            values.add_(numbers, alpha=0)

    def scale(self, gradient: Tensor, x: Tensor, scaled: Tensor) -> None:
        """Nothing but flat pieces keeps x."""
        scaled.zero_()
