"""A model looked at and left as it was."""

from __future__ import annotations

import copy
import random
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["untouched"]

_CONTAINERS = (dict, list, set, OrderedDict)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Afterwards modes, buffers (running means, counts), attributes and random numbers are what they were."""
    # What a forward adds to containers, or registers, goes again.
    attributes = {module: {k: (v, _content(v)) for k, v in vars(module).items()} for module in model.modules()}
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
                for name, (value, content) in held.items():
                    vars(module)[name] = _refilled(value, content)
            with torch.no_grad():
                for module, name, buffer, kept in buffers:
                    if buffer is not None and kept is not None:
                        buffer.copy_(kept)
                    module._buffers[name] = buffer


def _content(value: Any) -> Any:
    """A copy of what a container holds, None of anything else."""
    return copy.copy(value) if type(value) in _CONTAINERS else None


def _refilled(value: Any, content: Any) -> Any:
    """The same container, with what it held."""
    if content is not None:
        value.clear()
        (value.extend if isinstance(value, list) else value.update)(content)
    return value
