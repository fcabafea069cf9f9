"""Networks of many verdicts, from safe to lost, by which to see whether the verdict foresees training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meanfield.training.setting import Setting
from meanfield.training.sparse_settings import settings_of

__all__ = ["networks"]

#: Sparsities, and activations: of the clipped the level, and the q* at which it is taken.
_SPARSITIES = (0.7, 0.85, 0.9)
_CLIPPED, _LEVEL, _STARS = ("clipped-relu", "clipped-soft-threshold"), 1.6, (1.0, 2.0, 6.0)
_UNCLIPPED = ("shifted-relu", "soft-threshold")


def networks(shapes: Sequence[tuple[int, int]], **rest: Any) -> list[Setting]:
    """The networks that are foretold and trained, of each width and depth, those of ReLU first.

    `rest` are of `Setting`.
    """
    found = [setting for width, depth in shapes for setting in settings_of("relu", width=width, depth=depth, **rest)]
    for width, depth in shapes:
        for sparsity in _SPARSITIES:
            for act in (*_CLIPPED, *_UNCLIPPED):
                clipped = act in _CLIPPED
                for q_star in _STARS if clipped else _STARS[:1]:
                    given = {"m": _LEVEL} if clipped else {}
                    size = {"width": width, "depth": depth}
                    found += settings_of(act, given, sparsity=sparsity, q_star=q_star, **size, **rest)
    return found
