"""How long something takes, as the benchmarks measure it."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["seconds"]


def seconds(action: Callable[[], object], rounds: int = 7) -> float:
    """The least of several times."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)
