"""A function known by its values, as Chebyshev polynomials on panels."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

from meanfield.activations.chebyshev_pieces import Chebyshev
from meanfield.torch.intervals import Intervals
from meanfield.torch.tables import Tables, looked_up

__all__ = ["Panels"]


class Panels(Tables):
    """x^power Σ cₖ Tₖ(t) on each panel, and a polynomial beyond either outer edge."""

    def __init__(self, tree: Chebyshev) -> None:
        starts, ends = (np.array([getattr(panel, end) for panel in tree.panels]) for end in ("start", "end"))
        powers = np.array([float(panel.power) for panel in tree.panels])
        super().__init__(
            rows=np.array(list(zip_longest(*(panel.coefficients for panel in tree.panels), fillvalue=0.0))),
            middles=(starts + ends) / 2,
            halves=(ends - starts) / 2,
            powers=powers,
        )
        inner = np.array(tree.edges[1:-1])
        self.intervals = Intervals(inner, np.zeros(len(inner), dtype=bool)) if len(inner) else None
        self.has_powers = bool(powers.any())
        self.low, self.high = tree.edges[0], tree.edges[-1]
        self.left, self.right = tree.left, tree.right

    def forward(self, x: Tensor) -> Tensor:
        panel = self.intervals(x) if self.intervals is not None else torch.zeros_like(x, dtype=torch.int32)
        middles, halves, powers = (looked_up(self.of(name, x.dtype), panel) for name in ("middles", "halves", "powers"))
        rows = [looked_up(row, panel) for row in self.of("rows", x.dtype)]
        within = x.clamp(self.low, self.high)
        t = (within - middles) / halves
        last, before = torch.zeros_like(t), torch.zeros_like(t)
        for row in rows[:0:-1]:
            last, before = row + 2 * t * last - before, last
        value = rows[0] + t * last - before
        if self.has_powers:
            value = torch.pow(within, powers) * value
        value = torch.where(x < self.low, _polynomial(self.left, x), value)
        return torch.where(x > self.high, _polynomial(self.right, x), value)


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    value = torch.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        value = value * x + c
    return value
