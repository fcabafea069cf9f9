"""How weights follow the gradient: the optimiser, and its learning rate by step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from meanfield.training.setting import Setting

__all__ = ["optimizer", "rate"]

_MOMENTUM, _DECAY = 0.9, 0.01


def optimizer(setting: Setting, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]]) -> torch.optim.Optimizer:
    """The one that the setting names, of parameters or groups of them; fused, in one pass over the weights."""
    if setting.optimizer == "sgd":
        return torch.optim.SGD(parameters, setting.learning_rate, momentum=_MOMENTUM, fused=True)
    if setting.optimizer == "adamw":
        return torch.optim.AdamW(parameters, setting.learning_rate, weight_decay=_DECAY, fused=True)
    return torch.optim.Adam(parameters, setting.learning_rate, fused=True)


def rate(setting: Setting, step: int, total: int) -> float:
    """The learning rate of a step of `total`."""
    rising = min(1.0, (step + 1) / setting.warmup) if setting.warmup else 1.0
    falling = 0.5 * (1 + math.cos(math.pi * step / total)) if setting.schedule == "cosine" else 1.0
    return setting.learning_rate * rising * falling
