"""Errors and times of smooth activations. Run: make accuracy; beside other ways to the same numbers: make compare.

Errors are against mpmath, sums in extended precision (smooth_reference.py), and 25-digit values
(tests/data/smooth.json); those of C are in units of E φ².
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf
from rich.console import Console
from rich.table import Table
from smooth_reference import DEFINED, sine_loss, sine_moments
from stopwatch import seconds

import meanfield as mf
from meanfield.infinite_width import moments
from meanfield.infinite_width.covariance import covariance, covariance_loss

REFERENCE = json.loads((Path(__file__).parent.parent / "tests/data/smooth.json").read_text())
VARIANCES = (1e-6, 1e-3, 1.0, 1e3, 1e6)
#: Variances and ε's where sums over two variables take seconds.
FEW, EPSILONS = (1e-6, 1.0, 1e6), (1e-10, 1e-2, 1.0)
MOMENTS = ("second_moment", "slope_moment", "second_moment_d1", "squared_curvature")
SINE = "sin(20*x)"


def relative(found: float, exact: Any, size: Any = None) -> float:
    """|found − exact|, in units of the exact value or of what is given."""
    with mp.workdps(40):
        return float(abs(mpf(found) - exact) / (exact if size is None else size))


def moment_errors(name: str) -> list[float]:
    """The largest of V, χ₁, V' (in units of the larger of V' and E φ²/q) and R''(1) over the variances."""
    phi, worst = mf.activation(name), [0.0] * len(MOMENTS)
    for q in VARIANCES:
        exact = sine_moments(20, q) if name == SINE else DEFINED[name].moments(q)
        for i, moment in enumerate(MOMENTS):
            size = max(exact[moment], exact["second_moment"] / mpf(q)) if moment == "second_moment_d1" else None
            found = phi_moment(phi, moment, q)
            if math.isfinite(found):
                worst[i] = max(worst[i], relative(found, exact[moment], size))
            else:
                worst[i] = math.inf
    return worst


def phi_moment(phi: Any, moment: str, q: float) -> float:
    """A moment as `infinite_width.moments` has it."""
    of = getattr(moments, moment)
    return float(of(phi, q, 2) if moment == "slope_moment" else of(phi, q))


def pair_errors(name: str) -> tuple[float, float]:
    """The largest of C, and of 1 − R(1 − ε)."""
    phi, of_product, of_loss = mf.activation(name), 0.0, 0.0
    for entry in REFERENCE:
        if entry["activation"] != name or "covariance" not in entry:
            continue
        square = mpf(entry["second_moment"])
        for rho, exact in entry["covariance"].items():
            of_product = max(of_product, relative(covariance(phi, float(rho), entry["q"]), mpf(exact), square))
            # erf has no extended precision; the difference of closer inputs has too few digits.
            if name == "gelu" and 1e-7 < (eps := 1 - float(rho)):
                loss = covariance_loss(phi, eps, entry["q"])
                of_loss = max(of_loss, relative(loss, square - mpf(exact)))
    if name == "gelu":
        return of_product, of_loss
    for q in FEW[:2] if name == SINE else FEW:
        square = mpf(moments.second_moment(phi, q))
        for rho in (-0.9, 0.5, 0.99):
            exact = _sine_covariance(rho, q) if name == SINE else DEFINED[name].covariance(rho, q)
            of_product = max(of_product, relative(covariance(phi, rho, q), exact, square))
        for eps in EPSILONS:
            exact = sine_loss(20, eps, q) if name == SINE else DEFINED[name].loss(eps, q)
            of_loss = max(of_loss, relative(covariance_loss(phi, eps, q), exact))
    return of_product, of_loss


def _sine_covariance(rho: float, q: float) -> mpf:
    size = 400 * mpf(q)
    return (mp.exp(-size * (1 - mpf(rho))) - mp.exp(-size * (1 + mpf(rho)))) / 2


def micro(duration: float) -> str:
    """A time in µs, two digits."""
    return f"{duration * 1e6:.2g}" if duration < 1e-4 else f"{duration * 1e6:.0f}"


def own_times(name: str) -> list[str]:
    """V of 10⁵ variances each, a scalar V, R of 10⁵ correlations each, and what the first of them take at a new q."""
    network, q, each = (
        mf.MeanField(mf.activation(name), 1.0),
        np.random.default_rng(0).uniform(0.01, 10, 10**5),
        count(1),
    )
    variance = seconds(lambda: network.V(q)) / q.size
    scalar = seconds(lambda: network.V(1 + 1e-6 * next(each)), 200)
    rho, first = np.linspace(-1, 1, 10**5), []
    for at in (0.3, 1.7, 7.0):
        first.append(seconds(lambda at=at: network.R(rho, at), 1))
    again = seconds(lambda: network.R(rho, 1.7))
    return [
        micro(variance),
        micro(scalar),
        micro(again / rho.size),
        f"{min(first) - again:.2f} to {max(first) - again:.2f}",
    ]


COMMANDS = {
    "meanfield eoc --act gelu": (["eoc", "--act", "gelu"], "≤ 1.5"),
    "meanfield check --act gelu --sigma-w 1.5": (["check", "--act", "gelu", "--sigma-w", "1.5"], "≤ 1 s"),
}


def command_times(arguments: list[str]) -> tuple[float, float, float]:
    """Processor time of a command and of the imports that it needs, in turns, and the command's time on the clock."""
    base = [sys.executable, "-c", "import numpy, scipy.special, typer, rich.table"]
    run = [sys.executable, "-m", "meanfield", *arguments]
    pairs = [(_processor_time(run), _processor_time(base)) for _ in range(7)]
    clock = seconds(lambda: subprocess.run(run, stdout=subprocess.DEVNULL, check=True))
    return min(command for command, _ in pairs), min(imports for _, imports in pairs), clock


def _processor_time(command: list[str]) -> float:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the tables."""
    console = Console(width=110)
    # Times first, while nothing is remembered.
    table = Table("φ", "V, each", "V, one", "R, each", "its set-up, s", title="Times, µs")
    for name in ("tanh", "gelu", "silu", "mish", "elu", "selu", "hardswish"):
        table.add_row(name, *own_times(name))
    console.print(table)
    table = Table("command", "processor time / imports", "seconds", "bar")
    for name, (arguments, bar) in COMMANDS.items():
        command, imports, clock = command_times(arguments)
        table.add_row(name, f"{command / imports:.2f}", f"{clock:.2f}", bar)
    console.print(table)
    table = Table("φ", "V", "χ₁", "V'", "R''(1)", "C", "1 - R(1 - ε)", title="Largest errors")
    for name in (*DEFINED, SINE):
        errors = [*moment_errors(name), *pair_errors(name)]
        table.add_row(name, *("∞" if math.isinf(error) else f"{error:.1e}" for error in errors))
    console.print(table)


if __name__ == "__main__":
    mp.dps = 40
    main()
