"""Which of the intervals between ascending edges a number lies in, in a time that does not depend on how many there are.

The line is cut into cells of equal width, and a table has for each the first interval that reaches into it. From there
a comparison with the next edge decides, or several where so many edges lie in one cell. A search by halves, which torch
has, takes many times as long.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meanfield.torch.tables import Tables, looked_up

__all__ = ["Intervals"]

#: There are no more cells, and with more edges than that in one of them a search is as fast.
_MOST_CELLS, _MOST_STEPS = 2**16, 4
#: Units in the last place of single precision by which the cell of a number may be off.
_OFF = 4 * float(np.finfo(np.float32).eps)


class Intervals(Tables):
    """The intervals between edges.

    Args:
        edges: one or more, ascending.
        closed: whether each edge belongs to the interval on its left; else it does to that on its right.
    """

    def __init__(self, edges: NDArray[np.float64], closed: NDArray[np.bool_]) -> None:
        exact = {"edges32": edges.astype(np.float32), "edges64": edges}
        # An edge that belongs to the left is passed from the next number on; after the last there is none to pass.
        passed = {name: np.where(closed, np.nextafter(at, at.dtype.type(np.inf)), at) for name, at in exact.items()}
        cells = int(2 ** np.ceil(np.log2(4 * len(edges))))
        while True:
            low, width = edges[0], (edges[-1] - edges[0]) / cells or 1.0
            starts = low + width * np.arange(cells)
            off = _OFF * (abs(edges[0]) + abs(edges[-1])) + 1e-6 * width
            first = np.searchsorted(edges, starts - off, side="right")
            last = np.searchsorted(edges, starts + width + off, side="right")
            # The outer cells hold all that lies beyond.
            first[0], last[-1] = 0, len(edges)
            steps = int((last - first).max())
            if steps <= 1 or cells >= _MOST_CELLS:
                break
            cells *= 2
        super().__init__(
            first=first.astype(np.int32), **{name: np.append(at, at.dtype.type(np.nan)) for name, at in passed.items()}
        )
        self.low, self.per_unit, self.cells = float(low), float(1 / width), cells
        self.steps = steps if steps <= _MOST_STEPS else None

    def forward(self, x: Tensor) -> Tensor:
        """How many edges lie at or below each x, as int32; some number where x is none."""
        passed = self.edges64 if x.dtype == torch.float64 else self.edges32
        if self.steps is None:
            return torch.bucketize(x, passed[:-1], right=True, out_int32=True)
        cell = ((x - self.low) * self.per_unit).clamp(0, self.cells - 1).to(torch.int32)
        # What is no number becomes any number.
        index = looked_up(self.first, cell.clamp(0, self.cells - 1))
        for _ in range(self.steps):
            index = index + (x >= looked_up(passed, index))
        return index
