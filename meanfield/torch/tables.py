"""Tables of numbers that a layer looks things up in: they follow it to its device and keep their digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Tables", "looked_up"]


class Tables(nn.Module):
    """Arrays of one axis or two, by name: not saved with a network, nor rounded where that is cast.

    Numbers are held in single and in double precision, or both are given as `name32` and `name64`.
    """

    def __init__(self, **arrays: NDArray[Any]) -> None:
        super().__init__()
        self._arrays: dict[str, NDArray[Any]] = {}
        for name, array in arrays.items():
            both = array.dtype == np.float64 and not name.endswith("64")
            self._arrays |= {f"{name}32": array.astype(np.float32), f"{name}64": array} if both else {name: array}
        self._place(None)

    def of(self, name: str, dtype: torch.dtype) -> Tensor:
        """The table of a name in a precision."""
        table: Tensor = getattr(self, f"{name}{64 if dtype == torch.float64 else 32}")
        return table

    def _place(self, device: torch.device | None) -> None:
        for name, array in self._arrays.items():
            self.register_buffer(name, torch.tensor(array, device=device), persistent=False)

    def _apply(self, function: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # What is done to the tensors of a network moves them, or casts them too.
        super()._apply(function, recurse)
        self._place(getattr(self, next(iter(self._arrays))).device)
        return self


def looked_up(table: Tensor, index: Tensor) -> Tensor:
    """The entries of a table with one axis, of the shape of `index`; a few times as fast as table[index]."""
    return torch.index_select(table, 0, index.reshape(-1)).reshape(index.shape)
