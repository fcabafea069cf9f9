"""Signals that are put off while something is done that may not be cut in two."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
from command import heeding_signals

from meanfield.processes import ENDING, noted

#: Another thread is there to take a signal that the main thread would have blocked; then the work is not cut in two.
WORKING = """
import os, signal, sys, threading, time
from meanfield.processes import noted

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler)
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
done = []
try:
    with noted() as interrupted:
        while not interrupted():
            done.append("a")
            if len(done) == 3:
                os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            # In it Python hears of the signal.
            time.sleep(0.02)
            done.append("b")
    done.append("not interrupted")
except KeyboardInterrupt:
    print("".join(done), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("name", [number.name for number in ENDING])
def test_a_signal_waits_for_the_end_of_a_step_whichever_thread_takes_it(name: str) -> None:
    done = subprocess.run(
        heeding_signals(sys.executable, "-c", WORKING, name), capture_output=True, text=True, timeout=20
    )
    assert (done.stderr, done.stdout[:3]) == ("", "aba") and done.stdout.strip().count("a") == done.stdout.count("b")
    assert len(done.stdout.strip()) <= 6


def test_handlers_are_put_back_and_a_signal_that_is_ignored_stays_so() -> None:
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with noted() as interrupted:
            assert not interrupted()
            signal.raise_signal(signal.SIGTERM)
            assert interrupted()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert all(signal.getsignal(number) == before[number] for number in ENDING if number != signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_only_the_main_thread_is_interrupted() -> None:
    heard = []

    def work() -> None:
        with noted() as interrupted:
            heard.append(interrupted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [False]
