"""Which interval between ascending edges a number lies in, in a time that does not depend on how many there are.

The line is cut into cells of equal width, and a table has for each the first interval that reaches into it. From there
a comparison with the next edge decides, or several where so many edges lie in one cell. The search by halves that torch
has takes many times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meanfield.torch.tables import Tables, looked_up

__all__ = ["Intervals"]

#: Up to this many edges each is compared with.
_FEW = 3
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
        cells = int(2 ** np.ceil(np.log2(4 * len(edges))))
        while (cut := _Cells(edges, cells)).most > 1 and cells < _MOST_CELLS:
            cells *= 2
        super().__init__(
            first=cut.first,
            edges32=_passed(edges.astype(np.float32), closed),
            edges64=_passed(edges, closed),
        )
        self.few = [*zip(edges.tolist(), closed.tolist(), strict=True)] if len(edges) <= _FEW else None
        self.last, self.per_unit, self.shift = cells - 1, 1 / cut.width, -edges[0] / cut.width
        self.steps = cut.most if cut.most <= _MOST_STEPS else None

    def forward(self, x: Tensor, in_place: bool = False) -> Tensor:
        """How many edges lie at or below each x, as int32; some number where x is none.

        Comparisons in place, whose results are numbers, take a quarter of the time; not every transform has them.
        """
        x, edges = x.detach(), self.of("edges", x.dtype)
        if self.few and in_place:
            passed = torch.zeros_like(x)
            for edge, closed in self.few:
                passed += x.clone().gt_(edge) if closed else x.clone().ge_(edge)
            return passed.to(torch.int32)
        if self.steps is None:
            return torch.bucketize(x, edges[:-1], right=True, out_int32=True)
        place = x * self.per_unit
        place = place.add_(self.shift).clamp_(0, self.last) if in_place else (place + self.shift).clamp(0, self.last)
        # What is no number becomes any number.
        index = looked_up(self.first, place.to(torch.int32).clamp(0, self.last))
        for _ in range(self.steps):
            edge = looked_up(edges, index)
            index = index + (edge.le_(x) if in_place else edge <= x).to(torch.int32)
        return index


class _Cells:
    """Cells of equal width from the first edge to the last; those at the ends hold all that lies beyond.

    `first`, how many edges lie below each; `most`, the largest number of edges in one.
    """

    def __init__(self, edges: NDArray[np.float64], count: int) -> None:
        self.width = float(edges[-1] - edges[0]) / count or 1.0
        starts = edges[0] + self.width * np.arange(count)
        off = _OFF * (abs(edges[0]) + abs(edges[-1])) + 1e-6 * self.width
        first = np.searchsorted(edges, starts - off, side="right")
        last = np.searchsorted(edges, starts + self.width + off, side="right")
        first[0], last[-1] = 0, len(edges)
        self.first, self.most = first.astype(np.int32), int((last - first).max())


def _passed(edges: NDArray[Any], closed: NDArray[np.bool_]) -> NDArray[Any]:
    """The least numbers that lie past each edge, and one past which none lies."""
    one = edges.dtype.type
    return np.append(np.where(closed, np.nextafter(edges, one(np.inf)), edges), one(np.nan))
