"""The steps of a run: a network, its optimiser, and where it stands among its examples."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from meanfield.training.data import Data
from meanfield.training.network import Network
from meanfield.training.optimisation import optimizer, rate
from meanfield.training.setting import Setting

__all__ = ["Steps"]

#: A run diverges when its mean loss over so many steps is so many times that of a guess, or its first if that is more.
_STEPS, _FACTOR = 100, 10.0


class Steps:
    """A run as it stands.

    Attributes:
        setting: of the run.
        network: as trained so far.
        x, y, test_x, test_y: examples and labels.
        done, total: steps.
        losses: of all steps done.
        seconds: that they took.
    """

    def __init__(self, setting: Setting, data: Data, device: torch.device) -> None:
        self.setting, self.device = setting, device
        self.total = setting.steps(len(data.train_labels))
        self.x, self.y = (torch.from_numpy(a).to(device) for a in (data.train_inputs, data.train_labels))
        self.test_x, self.test_y = (torch.from_numpy(a).to(device) for a in (data.test_inputs, data.test_labels))
        self.network = Network(setting, self.x.shape[1:], data.classes).to(device)
        self.losses: list[float] = []
        self.seconds = 0.0
        self._guess = math.log(data.classes)
        self._optimizer = optimizer(setting, self.network.parameters())
        self._epoch, self._order = -1, torch.empty(0)

    @property
    def done(self) -> int:
        """Steps taken."""
        return len(self.losses)

    def mean_loss(self) -> float:
        """Over the latest hundred steps."""
        latest = self.losses[-_STEPS:]
        return sum(latest) / len(latest)

    def take(self) -> bool:
        """One step; False, and none, if the loss says that the run has diverged."""
        began = time.perf_counter()
        chosen = self._batch()
        loss = F.cross_entropy(self.network(self.x[chosen]), self.y[chosen])
        value = float(loss.detach())
        if not math.isfinite(value) or self._diverges():
            return False
        self._optimizer.zero_grad()
        loss.backward()
        if math.isfinite(self.setting.clip_gradient):
            nn.utils.clip_grad_norm_(self.network.parameters(), self.setting.clip_gradient)
        for group in self._optimizer.param_groups:
            group["lr"] = rate(self.setting, self.done, self.total)
        self._optimizer.step()
        self.losses.append(value)
        self.seconds += time.perf_counter() - began
        return True

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(parameter.isfinite().all()) for parameter in self.network.parameters())

    def _batch(self) -> torch.Tensor:
        """Which examples the next step takes."""
        size = self.setting.batch
        epoch, number = divmod(self.done, len(self.y) // size)
        if epoch != self._epoch:
            order = np.random.default_rng([self.setting.seed, epoch]).permutation(len(self.y))
            self._epoch, self._order = epoch, torch.from_numpy(order).to(self.device)
        return self._order[number * size : (number + 1) * size]

    def _diverges(self) -> bool:
        return self.done >= _STEPS and self.mean_loss() > _FACTOR * max(self._guess, self.losses[0])

    def state(self) -> dict[str, Any]:
        """All that the steps to come depend on."""
        return {
            "losses": self.losses,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.losses, self.seconds = list(state["losses"]), state["seconds"]
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
