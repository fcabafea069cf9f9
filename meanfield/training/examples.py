"""What networks are trained and tested on, where they are: on a device, in an order for each epoch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from meanfield.training.data import Data

__all__ = ["Examples"]


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

    def order(self, seed: int, epoch: int) -> Tensor:
        """In which order an epoch takes the training examples."""
        return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(len(self.y))).to(self.device)
