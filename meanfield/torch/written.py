"""Modules whose code somebody wrote; classes that many packages write are known by their name, one step each."""

from __future__ import annotations

import re
from typing import Literal

from torch import nn

__all__ = ["has_own_forward", "written"]

WrittenRole = Literal["dropout", "normalisation", "affine"]

#: By the end of their name, in small letters. What normalises may say of how many dimensions.
_NAMES: dict[str, WrittenRole] = {
    ".*(droppath|stochasticdepth)": "dropout",
    ".*(layer|rms|batch|group|instance)norm([123]d)?": "normalisation",
    ".*(grn|globalresponsenorm)": "affine",
}


def has_own_forward(module: nn.Module) -> bool:
    """Whether it computes what no module of PyTorch does: a subclass without a forward of its own does not."""
    return not type(module).forward.__module__.startswith("torch.nn")


def written(module: nn.Module) -> WrittenRole | None:
    """What a module of such a class does; None of another, and of what has modules inside, which can be looked into."""
    if next(module.children(), None) is not None:
        return None
    name = type(module).__name__.casefold()
    return next((found for pattern, found in _NAMES.items() if re.fullmatch(pattern, name)), None)
