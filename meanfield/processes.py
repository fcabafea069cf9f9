"""Processes that this one starts: they end with it, and signals to end are for this one alone to answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

__all__ = ["ENDING", "end_with", "noted", "undisturbed"]

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


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Put signals to end off while steps are taken that may not be cut in two; yields what says whether one has come.

    They are answered afterwards. Unlike those that are blocked in one thread, they are put off whichever thread of the
    process the system hands them to.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread is interrupted.
        yield lambda: False
        return
    came: list[int] = []
    # A handler that Python does not know could not be put back.
    before = {number: handler for number in ENDING if (handler := signal.getsignal(number)) is not None}
    try:
        for number in before:
            signal.signal(number, lambda number, _: came.append(number))
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for asked in dict.fromkeys(came):
            signal.raise_signal(asked)
