"""Where a condition begins to hold, among numbers that a person would write."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["decimals", "first_index"]


def decimals(digits: int, low: float, high: float) -> list[float]:
    """The numbers of so many significant digits above `low` > 0 and up to `high`, descending."""
    exponents = range(math.floor(math.log10(high)), math.floor(math.log10(low)) - 1, -1)
    mantissas = range(10**digits - 1, 10 ** (digits - 1) - 1, -1)
    numbers = (float(f"{mantissa}e{exponent - digits + 1}") for exponent in exponents for mantissa in mantissas)
    return [number for number in numbers if low < number <= high]


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
