"""Processes that this one starts: they end with it, and signals to end are for this one alone to answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

__all__ = ["ENDING", "end_with", "undisturbed"]

#: What asks a process to end, as far as the system knows it: Ctrl-C, kill, a terminal that is closed.
ENDING = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__)
#: Seconds between two looks at whether the parent is there.
_WATCH = 0.5


def end_with(parent: int) -> None:
    """Let this process end within a second of the one that started it, however that ends.

    On Windows, where a child keeps the number of a parent that is gone, nothing is done.
    """
    if os.name == "posix":
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os._exit(1)


@contextmanager
def undisturbed(signals: Collection[signal.Signals] = ENDING) -> Iterator[None]:
    """Put signals off while processes are started, which never see them; this one answers them afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
