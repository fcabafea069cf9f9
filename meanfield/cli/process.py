"""The process of a command: its streams, its signals and its end.

Whatever happens, stderr gets one message and the exit code is one of those that are documented.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from io import BufferedWriter, TextIOWrapper
from typing import Any, NoReturn

from meanfield.errors import printable
from meanfield.processes import ENDING

__all__ = ["INTERRUPTED", "end_interrupted", "no_more_signals", "prepare", "release_stdout", "tell"]

#: Ended by Ctrl-C, or as if by it.
INTERRUPTED = 130
#: Seconds in which a destructor is done.
_MOMENT = 0.05


def prepare(*, quiet: bool) -> None:
    """Make streams and signals of this process what a command counts on; `quiet`, libraries print nothing themselves.

    What their users should know, an error or a note says.
    """
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show σ still shows the numbers.
            stream.reconfigure(errors="replace")
    if not isinstance(getattr(sys.stdout, "buffer", None), BufferedWriter):
        # Python run with -u takes half a text for written where a disk is full.
        encoding = sys.stdout.encoding
        sys.stdout = open(sys.stdout.fileno(), "w", encoding=encoding, errors="replace", closefd=False)
    if quiet:
        sys.unraisablehook = threading.excepthook = _unheard
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
            # Children heed these.
            sys.warnoptions.append("ignore")
            os.environ["PYTHONWARNINGS"] = "ignore"
    for number in ENDING:
        # nohup has them ignored, and so they stay.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _unheard(fault: Any) -> None:
    """What fails in a thread or a destructor, where no caller hears of it."""
    if issubclass(fault.exc_type, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        # It would be lost there, so it comes again a moment later, where somebody may save what is done.
        try:
            threading.Timer(_MOMENT, _interrupt).start()
        except RuntimeError:
            # Python is ending.
            tell("interrupted")
            end_interrupted()


def _interrupt() -> None:
    """To the main thread, which may wait for something, by a signal that it heeds."""
    main = threading.main_thread().ident
    heeded = [number for number in ENDING if signal.getsignal(number) is signal.default_int_handler]
    if main and heeded:
        signal.pthread_kill(main, heeded[0])


def end_interrupted() -> NoReturn:
    """End at once, and by an exit code: Python ends by the signal if that came while it compiled some text."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(INTERRUPTED)


def _open_streams() -> None:
    """Open what is closed: else the next file would take its number, and get what is printed.

    To a closed stdout nothing can be written, and that is told when it is tried.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            if null != number:
                os.dup2(null, number)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))


def tell(message: str) -> None:
    """A message on stderr, each of its lines without anything that a terminal would obey."""
    # Nobody may be there to read it.
    with suppress(OSError, ValueError):
        print("\n".join(map(printable, f"meanfield: {message}".split("\n"))), file=sys.stderr, flush=True)


def release_stdout() -> None:
    """Let what is printed go nowhere from now on, so that it cannot fail again."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def no_more_signals() -> None:
    """All is done and told: what still takes a moment to end may not be interrupted."""
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
