"""Errors and times of meanfield and its peers in one run: the tables of docs/comparison.md. Run: make compare.

Every way (peers.py) is asked for V, χ₁, R and an edge of chaos of ten activations; the exact values are in
comparison_reference.py.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import comparison_page as page
import numpy as np
from comparison_reference import exact_chi1, exact_R, exact_V
from mpmath import mp, mpf
from peers import MAKERS, NAMES, Way, edge_by
from stopwatch import seconds

VARIANCES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3)
PAIRS = tuple((rho, q) for q in (1e-3, 1.0, 1e3) for rho in (-0.9, 0.5, 0.999))
#: What ways that need a second for it are asked, and its time is taken as they are.
ONE_PAIR = (0.5, 1.0)
#: Where V is less than this share of q, nobody needs it: thresholds of eight standard deviations and more.
LEAST_SHARE = 1e-15

#: Those whose times are told: with closed forms elsewhere and without, of either kind.
TIMED = ("relu", "clipped-relu(1, 1)", "tanh", "gelu")
QUANTITIES = ("V", "chi1", "R")
LETTERS = {"V": "V", "chi1": "χ₁", "R": "R"}

ERROR_HEAD = ("", *(f"`{name}`" for name in NAMES), "largest at")
TIME_HEAD = ("", *(f"{LETTERS[what]}, `{name}`" for what in QUANTITIES for name in TIMED))
EDGE_HEAD = ("", *(f"time, `{name}`" for name in TIMED))
SETUP_HEAD = ("", "made", *(f"first {LETTERS[what]}, `{name}`" for what in QUANTITIES for name in ("gelu", "tanh")))

#: Head and rows of every block that is a table.
LAYOUTS = {
    **{f"{what} errors": (ERROR_HEAD, tuple(MAKERS)) for what in QUANTITIES},
    "edge errors": (ERROR_HEAD, tuple(MAKERS)),
    "array times": (TIME_HEAD, tuple(MAKERS)),
    "scalar times": (TIME_HEAD, tuple(MAKERS)),
    "edge times": (EDGE_HEAD, tuple(MAKERS)),
    "set-up times": (SETUP_HEAD, tuple(MAKERS)),
}


@dataclass
class Errors:
    """Those of one way in one quantity, by activation, and where they are."""

    found: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def add(self, name: str, error: float, place: str) -> None:
        self.found.setdefault(name, []).append((error, place))

    @property
    def cells(self) -> list[str]:
        if not self.found:
            return [page.DASH] * (len(NAMES) + 1)
        worst = {name: max(errors, key=_size) for name, errors in self.found.items()}
        name = max(worst, key=lambda name: _size(worst[name]))
        return [*(page.power(worst[each][0]) for each in NAMES), f"`{name}`, {worst[name][1]}"]


def _size(error: tuple[float, str]) -> float:
    return math.inf if math.isnan(error[0]) else error[0]


def difference(found: float, exact: mpf, unit: Any = 1) -> float:
    """|found − exact| in a unit."""
    if not math.isfinite(found):
        return math.nan
    with mp.workdps(40):
        return float(abs(mpf(float(found)) - exact) / unit)


def variances(name: str) -> Iterator[float]:
    """Those at which there is a signal."""
    return (q for q in VARIANCES if exact_V(name, q) > LEAST_SHARE * q)


class Measured:
    """A way's errors and times."""

    def __init__(self, name: str, make: Callable[[], Way]) -> None:
        self.name = name
        made: list[Way] = []
        self.made = seconds(lambda: made.append(make()), 1)
        self.way = made[0]
        self.edge = edge_by(self.way)
        self.errors = {what: Errors() for what in (*QUANTITIES, "edge")}
        #: Seconds of the first point, which may prepare or compile; of each of an array; of one alone.
        self.first: dict[tuple[str, str], float] = {}
        self.array: dict[tuple[str, str], float] = {}
        self.scalar: dict[tuple[str, str], float] = {}
        self._asked = count(1)
        for phi in NAMES:
            self._compare(phi)
        for phi in TIMED:
            self._time(phi)

    def _compare(self, name: str) -> None:
        for what, exact in (("V", exact_V), ("chi1", exact_chi1)):
            for q in variances(name):
                if getattr(self.way, what):
                    value = exact(name, q)
                    error = difference(self._answer(what, name, np.array([q])), value, value)
                    self.errors[what].add(name, error, f"q = {q:g}")
        for rho, q in [ONE_PAIR] if self.way.is_slow else PAIRS:
            if self.way.R and exact_V(name, q) > LEAST_SHARE * q:
                error = difference(self._answer("R", name, np.array([rho]), q), exact_R(name, rho, q))
                self.errors["R"].add(name, error, f"ρ = {rho:g}, q = {q:g}")
        if self.edge:
            sigma_w, bias = self.edge(name, 1.0)
            gain = exact_chi1(name, 1.0)
            weights, rest = 1 / mp.sqrt(gain), 1 - exact_V(name, 1.0) / gain
            self.errors["edge"].add(
                name, max(difference(sigma_w, weights, weights), difference(bias, rest)), "q\\* = 1"
            )

    def _answer(self, what: str, name: str, *at: Any) -> float:
        answers: list[Any] = []
        duration = seconds(lambda: answers.append(getattr(self.way, what)(name, *at)), 1)
        self.first.setdefault((what, name), duration)
        return float(answers[0][0])

    def _time(self, name: str) -> None:
        """At other q's every time, for some ways remember what they did at one."""
        V, chi1, R = self.way.many
        if self.way.V:
            self._pace("V", name, np.linspace(0.1, 10, V), self.way.V)
        if self.way.chi1:
            self._pace("chi1", name, np.linspace(0.1, 10, chi1), self.way.chi1)
        if self.way.is_slow:
            self.array["R", name] = self.scalar["R", name] = self.first["R", name]
        elif of := self.way.R:
            rho = np.linspace(-0.99, 0.999, R)
            self.array["R", name] = least(lambda: of(name, rho, self._another())) / R
            self.scalar["R", name] = least(lambda: of(name, rho[:1], self._another()))
        if edge := self.edge:
            self.scalar["edge", name] = least(lambda: edge(name, self._another()))

    def _pace(self, what: str, name: str, q: Any, of: Callable[[str, Any], Any]) -> None:
        self.array[what, name] = least(lambda: of(name, q * self._another())) / q.size
        self.scalar[what, name] = least(lambda: of(name, np.array([self._another()])))

    def _another(self) -> float:
        return 1 + 1e-6 * next(self._asked)


def least(action: Callable[[], object], within: float = 0.1) -> float:
    """The least time of as many as there is time for, up to twenty; the first, which may compile, is not one."""
    first = seconds(action, 1)
    return seconds(action, min(20, max(1, int(within / first)))) if first < 2 else first


def tables(all_measured: list[Measured]) -> Iterator[tuple[str, str]]:
    """Every block of the page."""
    for what in (*QUANTITIES, "edge"):
        rows = ([each.name, *each.errors[what].cells] for each in all_measured)
        yield f"{what} errors", page.markdown(ERROR_HEAD, rows)
    keys = [(what, name) for what in QUANTITIES for name in TIMED]
    for title in ("array", "scalar"):
        yield f"{title} times", page.markdown(TIME_HEAD, _times(all_measured, title, keys))
    yield "edge times", page.markdown(EDGE_HEAD, _times(all_measured, "scalar", [("edge", name) for name in TIMED]))
    firsts = [(what, name) for what in QUANTITIES for name in ("gelu", "tanh")]
    rows = (
        [
            each.name,
            page.time(each.made),
            *(page.time(t) if (t := each.first.get(k)) else page.DASH for k in firsts),
        ]
        for each in all_measured
    )
    yield "set-up times", page.markdown(SETUP_HEAD, rows)


def _times(all_measured: list[Measured], title: str, keys: list[tuple[str, str]]) -> Iterator[list[str]]:
    """Seconds of meanfield, and of others as many times these."""
    ours = getattr(all_measured[0], title)
    yield [all_measured[0].name, *(page.time(ours[key]) for key in keys)]
    for each in all_measured[1:]:
        own = getattr(each, title)
        yield [each.name, *(page.ratio(own[key] / ours[key]) if key in own else page.DASH for key in keys)]


PACKAGES = ("meanfield", "dks", "anyinit", "neural-tangents", "jax", "numpy", "scipy", "autograd", "mpmath")


def circumstances() -> str:
    """When, on what, and by which versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next((li.split(": ")[1] for li in cpuinfo.read_text().splitlines() if "model name" in li), model)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    busy = f"{os.getloadavg()[0]:.1f} processes ran or waited, this one among them, on {os.cpu_count()} processors"
    when = f"Measured on {datetime.now(UTC):%Y-%m-%d}, {model}, one thread"
    return f"{when}; Python {platform.python_version()}, {versions}. At the beginning {busy}."


def main() -> None:
    """Measure, print the blocks, and write them to the page unless that is not wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="measure meanfield and the ways with this in their name, and write no page")
    only = parser.parse_args().only
    blocks = [("circumstances", circumstances())]
    measured = []
    for name, make in MAKERS.items():
        if only is None or name == "meanfield" or only in name:
            print(f"{name} …", file=sys.stderr)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                measured.append(Measured(name, make))
    blocks += tables(measured)
    for name, text in blocks:
        print(f"{name}\n\n{text}\n")
    if only is None:
        write(blocks)


def write(blocks: Iterable[tuple[str, str]]) -> None:
    """Into the page."""
    text = page.PAGE.read_text()
    for name, block in blocks:
        text = page.rewritten(text, name, block)
    page.PAGE.write_text(text)


if __name__ == "__main__":
    # One thread of every library: they all see one processor.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    mp.dps = 40
    main()
