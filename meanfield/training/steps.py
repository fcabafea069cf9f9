"""The steps of a run: a network, its optimiser, and where it stands among its examples."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from meanfield.training.examples import Batches, Examples
from meanfield.training.losses import Losses
from meanfield.training.network import Network
from meanfield.training.optimisation import optimizer, rate
from meanfield.training.setting import Setting

__all__ = ["Steps"]


class Steps:
    """A run as it stands.

    Attributes:
        setting: of the run.
        examples: to train and to test on.
        network: as trained so far.
        losses: of all steps done.
        total: steps.
        seconds: that those done took.
    """

    def __init__(self, setting: Setting, examples: Examples) -> None:
        self.setting, self.examples = setting, examples
        self.total = setting.steps(len(examples.y))
        self.network = Network(setting, examples.x.shape[1:], examples.classes).to(examples.device)
        self.losses = Losses(examples.classes)
        self.seconds = 0.0
        self._optimizer = optimizer(setting, self.network.parameters())
        self._batches = Batches(examples, [setting.seed], setting.batch)

    @property
    def done(self) -> int:
        """Steps taken."""
        return len(self.losses.taken)

    def take(self) -> bool:
        """One step; False, and none, if the loss says that the run has diverged."""
        began = time.perf_counter()
        chosen = self._batch()
        loss = F.cross_entropy(self.network(self.examples.x[chosen]), self.examples.y[chosen])
        value = float(loss.detach())
        if self.losses.stop(value):
            return False
        self._optimizer.zero_grad()
        loss.backward()
        if math.isfinite(self.setting.clip_gradient):
            nn.utils.clip_grad_norm_(self.network.parameters(), self.setting.clip_gradient)
        for group in self._optimizer.param_groups:
            group["lr"] = rate(self.setting, self.done, self.total)
        self._optimizer.step()
        self.losses.taken.append(value)
        self.seconds += time.perf_counter() - began
        return True

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(parameter.isfinite().all()) for parameter in self.network.parameters())

    def _batch(self) -> torch.Tensor:
        """Which examples the next step takes."""
        return self._batches.at(self.done)[0]

    def state(self) -> dict[str, Any]:
        """All that the steps to come depend on."""
        return {
            "losses": self.losses.taken,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.losses, self.seconds = Losses(self.examples.classes, state["losses"]), state["seconds"]
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
