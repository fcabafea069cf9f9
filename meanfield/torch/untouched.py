"""A model looked at and left as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

__all__ = ["untouched"]


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Afterwards modes, buffers (running means, counts), attributes and random numbers are what they were."""
    attributes = {module: dict(vars(module)) for module in model.modules()}
    buffers = [
        (module, name, buffer, None if buffer is None else buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
    ]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            for module, held in attributes.items():
                vars(module).clear()
                vars(module).update(held)
            with torch.no_grad():
                for module, name, buffer, kept in buffers:
                    if buffer is not None and kept is not None:
                        buffer.copy_(kept)
                    module._buffers[name] = buffer
