"""What networks are trained and tested on, where they are: on a device, in an order for each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from meanfield.training.data import Data

__all__ = ["Batches", "Examples"]


class Examples:
    """Data on a device.

    Attributes:
        x, y: images and labels to train on.
        test_x, test_y: those to test on, which `test_on` names.
        classes: of labels.
        device: on which all is.
    """

    def __init__(self, data: Data, device: torch.device) -> None:
        self.x, self.y = (torch.from_numpy(a).to(device) for a in (data.train_inputs, data.train_labels))
        self.test_x, self.test_y = (torch.from_numpy(a).to(device) for a in (data.test_inputs, data.test_labels))
        self.test_on, self.classes, self.device = data.test_on, data.classes, device


class Batches:
    """Which examples runs of these seeds take, so many a step, in an order for each seed and epoch."""

    def __init__(self, examples: Examples, seeds: Sequence[int], size: int) -> None:
        self._seeds, self._size, self._device = seeds, size, examples.device
        self._count = len(examples.y)
        self._epoch, self._orders = -1, torch.empty(0)

    def at(self, step: int) -> Tensor:
        """Those of a step, of shape (seeds, examples)."""
        epoch, number = divmod(step, self._count // self._size)
        if epoch != self._epoch:
            orders = {seed: self._order(seed, epoch) for seed in self._seeds}
            self._epoch, self._orders = epoch, torch.stack([orders[seed] for seed in self._seeds])
        return self._orders[:, number * self._size : (number + 1) * self._size]

    def _order(self, seed: int, epoch: int) -> Tensor:
        return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(self._count)).to(self._device)
