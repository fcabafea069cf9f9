"""`meanfield experiment`: many networks trained the same way, with their verdicts fixed before the first step."""

from __future__ import annotations

from typing import ClassVar

from meanfield.cli.lazy_group import LazyGroup

__all__ = ["experiment"]


class _Kinds(LazyGroup):
    package = __name__
    names: ClassVar = {
        "sparse-training": "Accuracy of sparse networks, clipped and not, beside ReLU.",
        "foresight": "Whether the verdict foresees the accuracy that is lost.",
        "gain": "What gains beside the edge of chaos bring.",
        "table": "The table of results that are there already.",
    }


experiment = _Kinds(
    name="experiment", help="Train many networks the same way, their verdicts fixed beforehand.", rich_markup_mode=None
)
