"""Which interval between ascending edges a number lies in, in a time that does not depend on how many there are.

The line is cut into cells of equal width. Where one edge lies in a cell a comparison with it decides; where several do,
one with each. The search by halves that torch has takes many times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meanfield.torch.tables import Tables, looked_up

__all__ = ["Intervals"]

#: There are no more cells, and with more edges than that in one of them a search is as fast.
_MOST_CELLS, _MOST_STEPS = 2**14, 4
#: Units in the last place of single precision by which the cell of a number may be off.
_OFF = 4 * float(np.finfo(np.float32).eps)
#: Narrower cells have places that are no single-precision numbers.
_NARROWEST = 1e-30


class Intervals(Tables):
    """The intervals between edges, each of them one place or more: a cell, and how many of its edges are passed.

    Args:
        edges: one or more, ascending.
        closed: whether each edge belongs to the interval on its left; else it does to that on its right.

    `at` has the interval of each place.
    """

    def __init__(self, edges: NDArray[np.float64], closed: NDArray[np.bool_]) -> None:
        cells = int(2 ** np.ceil(np.log2(4 * len(edges))))
        while (cut := _Cells(edges, cells)).most > 1 and cells < _MOST_CELLS:
            cells *= 2
        self.is_searched = cut.most > _MOST_STEPS or cut.width < _NARROWEST
        self.last, self.per_unit = cells - 1, 1 / cut.width
        every = np.arange(len(edges) + 1)
        self.at, kept = (every, every[:-1]) if self.is_searched else cut.places()
        super().__init__(
            numbers=self.at,
            edges32=_passed(edges.astype(np.float32), closed)[kept],
            edges64=_passed(edges, closed)[kept],
            shift=np.array(-edges[0] / cut.width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The number of the interval of each x; some number where x is none."""
        # Under vmap, torch 2.2 looks nothing up by smaller integers.
        return looked_up(self.numbers, self.place(x, torch.int64))

    def place(self, x: Tensor, integers: torch.dtype = torch.int32) -> Tensor:
        """The place of each x, in a type of integers; some place where x is no number."""
        x, edges = x.detach(), self.of("edges", x.dtype)
        if self.is_searched:
            return torch.bucketize(x, edges, right=True, out_int32=integers == torch.int32)
        # What is no number becomes any number, and then that of a cell.
        where = torch.add(self.of("shift", x.dtype), x, alpha=self.per_unit).clamp(0, self.last)
        place = cell = where.to(integers).clamp(0, self.last)
        for row in edges:
            place = torch.add(place, (looked_up(row, cell) <= x).to(integers), alpha=self.last + 1)
        return place

    def put(self, x: Tensor, place: Tensor, passed: Tensor, numbers: Tensor) -> None:
        """Put the place of each x into the first of two tensors of integers, and write on the others.

        Comparisons whose results are numbers take a quarter of the time; not every transform has them.
        """
        edges = self.of("edges", x.dtype)
        if self.is_searched:
            torch.bucketize(x, edges, right=True, out_int32=True, out=place)
            return
        torch.add(self.of("shift", x.dtype), x, alpha=self.per_unit, out=numbers).clamp_(0, self.last)
        place.copy_(numbers).clamp_(0, self.last)
        cell = place if len(edges) == 1 else place.clone()
        for row in edges:
            torch.index_select(row, 0, cell, out=numbers).le_(x)
            place.add_(passed.copy_(numbers), alpha=self.last + 1)


class _Cells:
    """Cells of equal width from the first edge to the last; those at the ends hold all that lies beyond.

    `first` and `last`, how many edges lie below each, and how many below its end; `most`, the largest number in one.
    """

    def __init__(self, edges: NDArray[np.float64], count: int) -> None:
        self.width = float(edges[-1] - edges[0]) / count or 1.0
        starts = edges[0] + self.width * np.arange(count)
        off = _OFF * (abs(edges[0]) + abs(edges[-1])) + 1e-6 * self.width
        self.first = np.searchsorted(edges, starts - off, side="right")
        self.last = np.searchsorted(edges, starts + self.width + off, side="right")
        self.first[0], self.last[-1] = 0, len(edges)
        self.most = int((self.last - self.first).max())

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The interval at each place, all cells at which none of their edges are passed before those at which one is.

        And the edges of each cell, in a row all first ones, in the next all second ones; for none the number of all.
        """
        passed = self.first + np.arange(self.most + 1)[:, None]
        return np.minimum(passed, self.last).ravel(), np.where(passed < self.last, passed, self.last[-1])[:-1]


def _passed(edges: NDArray[Any], closed: NDArray[np.bool_]) -> NDArray[Any]:
    """The least numbers that lie past each edge and those before it, and one past which none lies."""
    one = edges.dtype.type
    past = np.where(closed, np.nextafter(edges, one(np.inf)), edges)
    return np.append(np.maximum.accumulate(past), one(np.nan))
