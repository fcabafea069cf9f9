"""Where a condition on whole numbers begins to hold."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["first_index"]


def first_index(count: int, holds: Callable[[int], bool]) -> int:
    """The least n < count for which `holds`, if it then holds for all above; count if there is none."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
