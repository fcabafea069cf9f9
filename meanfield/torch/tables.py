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
    """Arrays, each an attribute of its name: not saved with a network, nor rounded where it is turned to half
    precision.
    """

    def __init__(self, **arrays: NDArray[Any]) -> None:
        super().__init__()
        self._arrays = arrays
        self._place(None)

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
