"""Classes that many packages write themselves, known by their name: one step each, whatever their code does."""

from __future__ import annotations

import re
from typing import Literal

from torch import nn

__all__ = ["written"]

WrittenRole = Literal["dropout", "normalisation", "affine"]

#: By the end of their name, in small letters. What normalises may say of how many dimensions.
_NAMES: dict[str, WrittenRole] = {
    ".*(droppath|stochasticdepth)": "dropout",
    ".*(layer|rms|batch|group|instance)norm([123]d)?": "normalisation",
    ".*(grn|globalresponsenorm)": "affine",
}


def written(module: nn.Module) -> WrittenRole | None:
    """What a module of such a class does; None of another, and of what has modules inside, which can be looked into."""
    if next(module.children(), None) is not None:
        return None
    name = type(module).__name__.casefold()
    return next((found for pattern, found in _NAMES.items() if re.fullmatch(pattern, name)), None)
